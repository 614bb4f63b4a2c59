// SPDX-License-Identifier: GPL-3.0-or-later
//
// A replica's log: what replay makes of a stream; three replicas over three logs on disk, with a network that is a
// queue; restarts, lost leaders, and the one voter that needs nobody.
#include "tests/unit/harness.h"

#include "core/arena.h"
#include "kv/raft_log.h"
#include "kv/raft_transport.h"

#define MS 1000000ull
#define NODES 3u
#define SLICE 7u

// --- replay --------------------------------------------------------------------------------------

struct row {
    uint64_t index, term;
    enum raft_entry_kind kind;
    uint64_t commit; // Of a hard state (index 0).
};

#define ENTRY(index, term)                                                                         \
    {                                                                                              \
        (index), (term), RAFT_DATA, 0                                                              \
    }
#define MEMBERS(index, term)                                                                       \
    {                                                                                              \
        (index), (term), RAFT_CONFIG, 0                                                            \
    }
#define HARD(term, commit)                                                                         \
    {                                                                                              \
        0, (term), RAFT_DATA, (commit)                                                             \
    }

// Replays the rows in a replica of node 1 that starts at (applied, term 1); returns how many entries are committed and
// how many are left for consensus, by index.
static struct status replay(const struct row *rows, size_t count, const struct raft_config *config,
    uint64_t applied, uint64_t *committed, uint64_t *last_term)
{
    static const struct raft_log_hooks hooks;
    struct raft_log log;
    struct status st = STATUS_OK;
    const struct raft_log_options options = {.slice = SLICE,
        .self = 1,
        .config = *config,
        .applied_index = applied,
        .applied_term = applied == 0 ? 0 : 1,
        .hooks = &hooks};
    raft_log_init(&log, &options);
    *committed = applied;
    *last_term = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t body[RAFT_CONFIG_BYTES_MAX];
        struct log_record record = {.stream = SLICE,
            .index = rows[i].index,
            .term = rows[i].term,
            .kind = rows[i].kind,
            .payload = bytes_of(body, 5)};
        memset(body, (int)rows[i].term, 5);
        if (rows[i].kind == RAFT_CONFIG) {
            const struct raft_config two = {.count = 2, .members = {{.node = 1}, {.node = 2}}};
            record.payload.size = raft_config_encode(&two, body);
        }
        if (rows[i].index == 0) {
            uint32_t vote = 2;
            memcpy(body, &rows[i].term, 8);
            memcpy(body + 8, &vote, 4);
            memcpy(body + 12, &rows[i].commit, 8);
            record.payload.size = 20;
        }
        TRY(raft_log_replay(&log, &record, 100 * (i + 1)));
        log_position position;
        while (raft_log_replay_next(&log, &record, &position)) {
            if (record.index != *committed + 1)
                st = status_make(E_INTERNAL, "committed out of order");
            *committed = record.index;
            *last_term = record.term;
        }
    }
out:
    raft_log_fini(&log);
    return st;
}

Test(raft_log, replay_gives_out_what_is_known_to_be_committed)
{
    static const struct raft_config one = {.count = 1, .members = {{.node = 1}}};
    static const struct raft_config three = {
        .count = 3, .members = {{.node = 1}, {.node = 2}, {.node = 3}}};
    static const struct {
        struct row rows[8];
        size_t count;
        bool alone;
        uint64_t applied, committed, last_term;
        const char *why;
    } cases[] = {
        {{ENTRY(1, 1), ENTRY(2, 1), ENTRY(3, 2)}, 3, true, 0, 3, 2, "alone, all of it is"},
        {{ENTRY(4, 1), ENTRY(5, 1), ENTRY(6, 2)}, 3, true, 5, 6, 2,
            "what is in the store already is passed over"},
        {{ENTRY(1, 1), ENTRY(2, 1), ENTRY(3, 2)}, 3, false, 0, 0, 0,
            "with others, nothing is for certain"},
        {{ENTRY(1, 1), ENTRY(2, 1), HARD(1, 2), ENTRY(3, 2)}, 4, false, 0, 2, 1,
            "but what a hard state says"},
        {{ENTRY(1, 1), ENTRY(2, 1), ENTRY(3, 1), ENTRY(2, 2), HARD(2, 3)}, 5, false, 0, 2, 2,
            "a later record replaces what is at and after its index"},
        {{ENTRY(1, 1), MEMBERS(2, 1), ENTRY(3, 1)}, 3, true, 0, 1, 1,
            "alone until another is let in"},
        {{ENTRY(7, 0), ENTRY(6, 1), ENTRY(7, 1)}, 3, true, 5, 7, 1,
            "of a term before the store's: replaced later"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t committed, last_term;
        struct status st = replay(cases[i].rows, cases[i].count, cases[i].alone ? &one : &three,
            cases[i].applied, &committed, &last_term);
        cr_expect(!failed(st), "%s: %s", cases[i].why, failed(st) ? st.message : "");
        cr_expect_eq(committed, cases[i].committed, "%s", cases[i].why);
        cr_expect_eq(last_term, cases[i].last_term, "%s", cases[i].why);
    }
}

Test(raft_log, replay_refuses_a_stream_with_a_gap_or_falling_terms)
{
    static const struct raft_config three = {
        .count = 3, .members = {{.node = 1}, {.node = 2}, {.node = 3}}};
    static const struct row gap[] = {ENTRY(1, 1), ENTRY(3, 1)};
    static const struct row falls[] = {ENTRY(1, 3), ENTRY(2, 2)};
    static const struct row kind[] = {{1, 1, RAFT_CONFIG + 1, 0}};
    uint64_t committed, term;
    cr_expect(status_is(replay(gap, 2, &three, 0, &committed, &term), E_DATA_CORRUPTED));
    cr_expect(status_is(replay(falls, 2, &three, 0, &committed, &term), E_DATA_CORRUPTED));
    cr_expect(status_is(replay(kind, 1, &three, 0, &committed, &term), E_DATA_CORRUPTED));
}

Test(raft_log, what_replay_leaves_for_consensus_survives_the_end_of_its_log)
{
    static const struct raft_log_hooks hooks;
    const struct raft_log_options options = {.slice = SLICE,
        .self = 1,
        .config = {.count = 3, .members = {{.node = 1}, {.node = 2}, {.node = 3}}},
        .hooks = &hooks};
    struct raft_log one, two;
    struct arena arena;
    struct buffer left, again;
    arena_init(&arena, NULL);
    buffer_init(&left, &arena);
    buffer_init(&again, &arena);
    raft_log_init(&one, &options);
    raft_log_left_encode(&one, bytes_of(NULL, 0), &left);
    cr_expect_eq(left.size, 0);
    uint8_t hard[20] = {9, [8] = 2};
    const struct log_record records[] = {{.index = 1, .term = 3, .payload = BYTES_LITERAL("one")},
        {.index = 2, .term = 3, .payload = BYTES_LITERAL("")},
        {.index = 0, .payload = bytes_of(hard, sizeof hard)},
        {.index = 3, .term = 9, .payload = BYTES_LITERAL("three")}};
    for (size_t i = 0; i < 4; i++)
        cr_assert(!failed(raft_log_replay(&one, &records[i], i + 1)));
    raft_log_left_encode(&one, bytes_of(NULL, 0), &left);
    raft_log_init(&two, &options);
    cr_assert(!failed(raft_log_left_decode(&two, buffer_bytes(&left))));
    raft_log_left_encode(&two, bytes_of(NULL, 0), &again);
    cr_expect(bytes_equal(buffer_bytes(&left), buffer_bytes(&again)));
    raft_log_fini(&two);
    for (size_t size = 0; size < left.size; size++) {
        raft_log_init(&two, &options);
        struct status st = raft_log_left_decode(&two, bytes_of(left.data, size));
        cr_expect(failed(st) || size == 20 || size == 44 || size == 65, "cut at %zu", size);
        raft_log_fini(&two);
    }
    raft_log_fini(&one);
    arena_fini(&arena);
}

// --- three replicas in one process ---------------------------------------------------------------

struct replica {
    struct trio *trio;
    uint32_t node;
    char dir[256];
    struct log_writer *writer;
    struct raft_shard *shard;
    struct raft_log log;
    bool running, leads;
    uint64_t count; // Of DATA entries committed.
    uint64_t hash;
    log_position position;
};

struct frame {
    uint32_t from, to;
    uint8_t *data;
    size_t size;
    struct frame *next;
};

struct trio {
    struct replica replicas[NODES + 1];
    struct frame *frames, **frames_end;
    uint32_t cut; // Node that nobody hears; 0: none.
    uint32_t pending, committed, failed_clean, failed_unknown;
    struct status result;
};

struct proposal {
    struct raft_proposal raft;
    struct trio *trio;
};

static void on_committed(struct raft_log *log, const struct log_record *record,
    log_position position, struct raft_proposal *raft)
{
    struct replica *replica = log->arg;
    uint64_t index = record->index; // The record may be the proposal's.
    replica->position = position;
    if (record->kind == RAFT_DATA) {
        replica->count++;
        if (raft == NULL || record->payload.size > 0)
            replica->hash = replica->hash * 31 + record->payload.data[0];
    }
    if (raft != NULL) {
        struct proposal *proposal = container_of(raft, struct proposal, raft);
        replica->trio->committed++;
        replica->trio->pending--;
        free(proposal);
    }
    raft_log_applied(log, index, position);
}

static void on_failed(struct raft_proposal *raft, struct status st)
{
    struct proposal *proposal = container_of(raft, struct proposal, raft);
    if (status_is(st, K_NOT_LEADER))
        proposal->trio->failed_clean++;
    else
        proposal->trio->failed_unknown++;
    proposal->trio->pending--;
    free(proposal);
}

static void on_leading(struct raft_log *log)
{
    ((struct replica *)log->arg)->leads = true;
}

static void on_following(struct raft_log *log, uint32_t leader)
{
    (void)leader;
    ((struct replica *)log->arg)->leads = false;
}

static const struct raft_log_hooks trio_hooks = {
    .committed = on_committed, .leading = on_leading, .following = on_following};

static bool net_shard_of(void *arg, uint32_t node, uint64_t slice, uint32_t *shard)
{
    (void)arg;
    (void)node;
    (void)slice;
    *shard = 0;
    return true;
}

static bool net_send(void *arg, uint32_t node, uint32_t shard, struct bytes bytes)
{
    struct replica *replica = arg;
    struct trio *trio = replica->trio;
    (void)shard;
    if (trio->cut == node || trio->cut == replica->node) return true;
    struct frame *frame = malloc(sizeof *frame);
    *frame = (struct frame){
        .from = replica->node, .to = node, .data = malloc(bytes.size + 1), .size = bytes.size};
    if (bytes.size > 0) memcpy(frame->data, bytes.data, bytes.size);
    *trio->frames_end = frame;
    trio->frames_end = &frame->next;
    return true;
}

static void net_deliver(struct trio *trio)
{
    while (trio->frames != NULL) {
        struct frame *frame = trio->frames;
        trio->frames = frame->next;
        if (trio->frames == NULL) trio->frames_end = &trio->frames;
        struct replica *to = &trio->replicas[frame->to];
        if (to->running)
            raft_shard_receive(to->shard, frame->from, 0, bytes_of(frame->data, frame->size));
        free(frame->data);
        free(frame);
    }
}

static struct status trio_run(struct task *task, struct trio *trio, uint32_t ms)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < ms; i++) {
        net_deliver(trio);
        TRY(task_sleep(task, MS));
    }
out:
    return st;
}

static struct status replay_one(
    struct task *task, void *arg, const struct log_record *record, log_position position)
{
    struct replica *replica = arg;
    struct log_record committed;
    log_position at;
    (void)task;
    struct status st = raft_log_replay(&replica->log, record, position);
    while (!failed(st) && raft_log_replay_next(&replica->log, &committed, &at)) {
        if (committed.kind != RAFT_DATA) continue;
        replica->count++;
        replica->hash = replica->hash * 31 + committed.payload.data[0];
    }
    return st;
}

static struct status replica_start(
    struct task *task, struct replica *replica, const struct raft_config *config, bool with_shard)
{
    struct status st;
    const struct raft_network network = {
        .shard_of = net_shard_of, .send = net_send, .arg = replica};
    const struct log_writer_options writer = {.dir = replica->dir, .segment_bytes = 1u << 20};
    replica->count = replica->hash = 0;
    replica->leads = false;
    raft_log_init(&replica->log, &(struct raft_log_options){.slice = SLICE,
                                     .self = replica->node,
                                     .config = *config,
                                     .hooks = &trio_hooks,
                                     .arg = replica});
    TRY(log_writer_open(task, &writer, replay_one, replica, &replica->writer));
    if (with_shard) replica->shard = raft_shard_create(task->shard, replica->node, &network);
    replica->running = true;
    TRY(raft_log_start(&replica->log, replica->writer, replica->shard));
out:
    return st;
}

static struct status replica_stop(struct task *task, struct replica *replica)
{
    struct status st = STATUS_OK;
    if (!replica->running) return st;
    replica->running = false;
    raft_log_stop(&replica->log);
    raft_log_fini(&replica->log);
    TRY(log_writer_close(task, replica->writer));
    if (replica->shard != NULL) raft_shard_destroy(replica->shard);
    replica->shard = NULL;
out:
    return st;
}

static const struct raft_config three_voters = {
    .count = NODES, .members = {{.node = 1}, {.node = 2}, {.node = 3}}};

static struct status trio_start(struct task *task, struct trio *trio)
{
    struct status st = STATUS_OK;
    *trio = (struct trio){0};
    trio->frames_end = &trio->frames;
    for (uint32_t i = 1; i <= NODES; i++) {
        struct replica *replica = &trio->replicas[i];
        replica->trio = trio;
        replica->node = i;
        test_dir(replica->dir);
        TRY(replica_start(task, replica, &three_voters, true));
    }
out:
    return st;
}

static struct status trio_stop(struct task *task, struct trio *trio)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 1; i <= NODES; i++) {
        if (trio->replicas[i].trio != NULL) TRY(replica_stop(task, &trio->replicas[i]));
    }
    trio->cut = 0;
    net_deliver(trio);
out:
    return st;
}

static struct replica *leader_of(struct trio *trio)
{
    for (uint32_t i = 1; i <= NODES; i++) {
        struct replica *at = &trio->replicas[i];
        if (at->running && at->leads && i != trio->cut) return at;
    }
    return NULL;
}

static struct status leader_wait(struct task *task, struct trio *trio, struct replica **leader)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < 500 && leader_of(trio) == NULL; i++)
        TRY(trio_run(task, trio, 10));
    *leader = leader_of(trio);
    CHECK(*leader != NULL);
out:
    return st;
}

static struct status propose(struct replica *replica, uint8_t value, size_t size)
{
    uint8_t body[4096] = {value};
    struct proposal *proposal = malloc(sizeof *proposal);
    *proposal = (struct proposal){.raft = {.failed = on_failed}, .trio = replica->trio};
    replica->trio->pending++;
    struct status st = raft_log_propose(&replica->log, &proposal->raft, bytes_of(body, size));
    if (failed(st)) {
        replica->trio->pending--;
        free(proposal);
    }
    return st;
}

static bool agree(const struct trio *trio)
{
    const struct replica *first = NULL;
    for (uint32_t i = 1; i <= NODES; i++) {
        const struct replica *at = &trio->replicas[i];
        if (!at->running) continue;
        if (first != NULL && (at->count != first->count || at->hash != first->hash)) return false;
        first = at;
    }
    return true;
}

static struct status settle(struct task *task, struct trio *trio)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < 3000 && trio->pending > 0; i++)
        TRY(trio_run(task, trio, 1));
    CHECK(trio->pending == 0);
    for (uint32_t i = 0; i < 400 && !agree(trio); i++) // Followers learn what is committed.
        TRY(trio_run(task, trio, 10));
out:
    return st;
}

NODE_TEST(raft_log, three_replicas_commit_the_same_and_survive_restarts, 1)
{
    struct trio *trio = malloc(sizeof *trio);
    struct replica *leader;
    struct status st;
    TRY(trio_start(task, trio));
    TRY(leader_wait(task, trio, &leader));
    for (uint32_t i = 0; i < 300; i++)
        TRY(propose(leader, (uint8_t)i, 1 + i * 7 % 2000));
    TRY(settle(task, trio));
    CHECK(trio->committed == 300);
    for (uint32_t i = 1; i <= NODES; i++) {
        CHECK(trio->replicas[i].count == 300);
        CHECK(trio->replicas[i].hash == leader->hash);
    }

    // A follower comes back from what its log holds, and catches up on what it missed.
    struct replica *follower = &trio->replicas[leader->node % NODES + 1];
    TRY(replica_stop(task, follower));
    for (uint32_t i = 0; i < 50; i++)
        TRY(propose(leader, (uint8_t)i, 100));
    TRY(settle(task, trio));
    TRY(replica_start(task, follower, &three_voters, true));
    TRY(settle(task, trio));
    CHECK(follower->count == 350 && follower->hash == leader->hash);

    // The leader goes: another serves; what it had under way is not lost without a word.
    struct replica *former = leader;
    TRY(propose(former, 1, 100));
    TRY(replica_stop(task, former));
    CHECK(trio->pending == 0 && trio->failed_unknown == 1);
    TRY(leader_wait(task, trio, &leader));
    CHECK(leader != former);
    TRY(propose(leader, 9, 100));
    TRY(settle(task, trio));
    TRY(replica_start(task, former, &three_voters, true));
    TRY(settle(task, trio));
    CHECK(former->hash == leader->hash && former->count == leader->count);
    TRY(trio_stop(task, trio));
out:
    free(trio);
    return st;
}

NODE_TEST(raft_log, proposals_of_a_leader_that_was_cut_off_fail_cleanly, 1)
{
    struct trio *trio = malloc(sizeof *trio);
    struct replica *leader, *next;
    struct status st;
    TRY(trio_start(task, trio));
    TRY(leader_wait(task, trio, &leader));
    TRY(trio_run(task, trio, 50));
    trio->cut = leader->node;
    TRY(propose(leader, 1, 10));
    TRY(leader_wait(task, trio, &next));
    CHECK(next != leader);
    TRY(propose(next, 2, 10));
    for (uint32_t i = 0; i < 200 && leader->leads; i++)
        TRY(trio_run(task, trio, 10));
    CHECK(!leader->leads); // It heard from no quorum.
    CHECK_FAILS(propose(leader, 3, 10), K_NOT_LEADER);
    trio->cut = 0;
    TRY(settle(task, trio));
    CHECK(trio->failed_clean == 1 && trio->failed_unknown == 0);
    CHECK(leader->hash == next->hash);
    TRY(trio_stop(task, trio));
out:
    free(trio);
    return st;
}

NODE_TEST(raft_log, one_voter_needs_nobody, 1)
{
    struct trio *trio = calloc(1, sizeof *trio);
    struct replica *one = &trio->replicas[1];
    static const struct raft_config alone = {.count = 1, .members = {{.node = 1}}};
    struct status st;
    one->trio = trio;
    one->node = 1;
    trio->frames_end = &trio->frames;
    test_dir(one->dir);
    TRY(replica_start(task, one, &alone, false));
    CHECK(one->leads);
    for (uint32_t i = 0; i < 100; i++)
        TRY(propose(one, 1, 100));
    TRY(settle(task, trio));
    CHECK(trio->committed == 100 && raft_alone(&one->log.raft));
    uint64_t term = raft_log_term(&one->log);
    TRY(replica_stop(task, one));
    TRY(replica_start(task, one, &alone, false));
    CHECK(one->count == 100 && one->leads && raft_log_term(&one->log) > term);
    CHECK_FAILS(
        raft_log_config_change(&one->log, RAFT_ADD_LEARNER, 2), E_NOT_IN_PREREQUISITE_STATE);
    TRY(replica_stop(task, one));
out:
    free(trio);
    return st;
}
