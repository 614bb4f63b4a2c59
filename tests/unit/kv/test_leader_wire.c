// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests and answers between nodes: what is written is read back the same; what was cut off or changed on the way is
// refused or read within bounds, and never as another tenant's entry than the request says.
#include "tests/unit/harness.h"

#include "kv/key.h"
#include "kv/leader_raw.h"
#include "kv/leader_wire.h"

#define TENANT 7u
#define KEY(text) BYTES_LITERAL(text)

static struct bytes asked(struct arena *arena, enum leader_kind kind, const struct leader_call *call)
{
    struct buffer out;
    buffer_init(&out, arena);
    leader_wire_ask(&out, kind, call, 1000);
    return buffer_bytes(&out);
}

static struct status read_back(
    struct arena *arena, enum leader_kind kind, struct bytes input, struct leader_call **call)
{
    struct wire_in in = {.rest = input, .arena = arena};
    return leader_wire_asked(&in, kind, 1000, call);
}

// As it is, cut off everywhere, and with each byte changed.
static void check_request(struct arena *arena, enum leader_kind kind, struct leader_call *call)
{
    struct leader_call *back;
    call->slice = 3;
    call->tenant = TENANT;
    call->read_ts = (struct hlc_timestamp){123456789, 5};
    call->generation = 77;
    call->uncertain = (struct hlc_timestamp){123456999, 0};
    call->owner = (struct lock_owner_id){UINT64_MAX, 77};
    call->lock_deadline_ns = 5000;
    struct bytes input = asked(arena, kind, call);
    struct status st = read_back(arena, kind, input, &back);
    cr_assert(!failed(st), "kind %d: %s", kind, st.message);
    cr_assert(bytes_equal(asked(arena, kind, back), input), "kind %d reads differently", kind);
    cr_assert_eq(back->owner.txn, UINT64_MAX);
    cr_assert_eq(back->lock_deadline_ns, 5000);
    cr_assert(back->relayed);
    for (size_t size = 0; size < input.size; size++) {
        struct bytes copy = arena_copy(arena, (struct bytes){input.data, size});
        cr_assert(status_is(read_back(arena, kind, copy, &back), E_PROTOCOL_VIOLATION),
            "kind %d cut to %zu of %zu is taken", kind, size, input.size);
    }
    uint8_t *changed = (uint8_t *)arena_copy(arena, input).data;
    for (size_t at = 0; at < input.size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            changed[at] ^= (uint8_t)(1u << bit);
            st = read_back(arena, kind, (struct bytes){changed, input.size}, &back);
            cr_assert(!failed(st) || status_is(st, E_PROTOCOL_VIOLATION));
            changed[at] ^= (uint8_t)(1u << bit);
        }
    }
}

static struct bytes payload(struct arena *arena, enum entry_kind kind, uint64_t tenant, uint64_t txn)
{
    struct entry_builder builder;
    entry_begin(&builder, arena);
    entry_op_append(&builder,
        &(struct entry_op){.kind = kind, .tenant = tenant, .txn = txn, .record_slice = 1});
    entry_item_append(&builder, &(struct entry_item){.key = KEY("a"), .value = KEY("one")});
    entry_item_append(&builder, &(struct entry_item){.key = KEY("b"), .tombstone = true});
    return entry_end(&builder);
}

// Whoever must hold locks is checked in each step of a commit, wherever its leader is: a step that takes the locks
// anew without having looked hides from the next ones that they were lost.
static void check_held(struct arena *arena, enum leader_kind kind, struct leader_call *call)
{
    struct leader_call *back;
    check_request(arena, kind, call);
    struct status st = read_back(arena, kind, asked(arena, kind, call), &back);
    cr_assert(!failed(st), "kind %d: %s", kind, st.message);
    const bool commits = kind != LEADER_VALIDATE;
    const struct leader_commit *commit = (const struct leader_commit *)back;
    const struct leader_validate *check = (const struct leader_validate *)back;
    const struct held_key *held = commits ? commit->held : check->held;
    cr_assert_eq(commits ? commit->held_count : check->held_count, 2, "kind %d", kind);
    cr_assert(bytes_equal(held[0].key, KEY("a")) && bytes_equal(held[1].key, KEY("bb")), "kind %d", kind);
    cr_assert(held[0].since == 7 && held[1].since == UINT64_MAX - 1, "kind %d", kind);
    cr_assert(held[0].mode == KV_LOCK_UPDATE && held[1].mode == KV_LOCK_KEY_SHARE, "kind %d", kind);
}

Test(leader_wire, requests_are_read_as_they_were_written)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const struct bytes keys[] = {KEY("a"), KEY("bb"), KEY("c")};
    const struct held_key held[] = {{KEY("a"), 7, KV_LOCK_UPDATE}, {KEY("bb"), UINT64_MAX - 1, KV_LOCK_KEY_SHARE}};
    struct bytes values[3] = {KEY("1"), {0}, KEY("")};
    bool skipped[3] = {false, true, false};
    const struct span span = {KEY("a"), KEY("z")};
    const struct read_entry entries[] = {{.start = KEY("a")}, {KEY("b"), KEY("d")}};
    const struct write_node nodes[] = {
        {.key = KEY("a"), .kind = WRITE_PUT, .checked = true},
        {.key = KEY("b"), .kind = WRITE_DELETE},
    };
    const struct write_node *writes[] = {&nodes[0], &nodes[1]};
    struct kv_version versions[] = {
        {.key = KEY("k"), .value = KEY("v"), .ts = {9, 1}},
        {.key = KEY("l"), .ts = {8, 2}, .tombstone = true},
    };

    struct leader_get get = {.read.lock = KV_LOCK_UPDATE, .read.wait = KV_WAIT_SKIP,
        .keys = keys, .values = values, .skipped = skipped, .count = 3};
    check_request(&arena, LEADER_GET, &get.call);
    struct leader_scan scan = {.span = span, .reverse = true, .rows_max = 1024};
    check_request(&arena, LEADER_SCAN, &scan.call);
    struct leader_present present = {.key = KEY("a")};
    check_request(&arena, LEADER_PRESENT, &present.call);
    struct leader_refresh refresh = {.entries = entries, .count = 2, .to = {7, 7}};
    check_request(&arena, LEADER_REFRESH, &refresh.call);
    struct leader_validate check = {.reads = entries, .read_count = 2, .mark = 300, .epoch = 4,
        .prepared = true, .to = {7, 7}, .held = held, .held_count = 2};
    check_held(&arena, LEADER_VALIDATE, &check.call);
    struct leader_commit commit = {.writes = writes, .write_count = 2, .reads = entries,
        .read_count = 2, .held = held, .held_count = 2,
        .payload = payload(&arena, ENTRY_WRITES, TENANT, UINT64_MAX)};
    check_held(&arena, LEADER_COMMIT, &commit.call);
    check_held(&arena, LEADER_LOCK, &commit.call);
    commit.payload = payload(&arena, ENTRY_PREPARE, TENANT, UINT64_MAX);
    check_held(&arena, LEADER_PREPARE, &commit.call);
    struct leader_record_put put = {.commit = true};
    check_request(&arena, LEADER_RECORD_PUT, &put.call);
    struct leader_record_get record = {.found = false};
    check_request(&arena, LEADER_RECORD_GET, &record.call);
    struct leader_resolve resolve = {.commit = true};
    check_request(&arena, LEADER_RESOLVE, &resolve.call);
    struct leader_release release = {.from = 2, .to = UINT32_MAX};
    check_request(&arena, LEADER_RELEASE, &release.call);
    struct leader_export export = {.export = {.tenant = TENANT, .span = span, .all = true}};
    check_request(&arena, LEADER_EXPORT, &export.call);
    struct leader_ingest ingest = {.versions = versions, .count = 2};
    check_request(&arena, LEADER_INGEST, &ingest.call);
    struct leader_job job = {.what = LEADER_JOB_CLEAR, .span = span};
    check_request(&arena, LEADER_JOB, &job.call);
    arena_fini(&arena);
}

// A request for one tenant with an entry of another, of another transaction or of another kind is no request.
Test(leader_wire, an_entry_must_be_what_its_request_says)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const struct write_node node = {.key = KEY("a"), .kind = WRITE_PUT};
    const struct write_node *writes[] = {&node};
    const struct bytes payloads[] = {
        payload(&arena, ENTRY_WRITES, TENANT + 1, 5),
        payload(&arena, ENTRY_WRITES, TENANT, 6),
        payload(&arena, ENTRY_PREPARE, TENANT, 5),
        payload(&arena, ENTRY_INGEST, TENANT, 5),
        KEY("not an entry"),
        {0},
    };
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        struct leader_commit commit = {.call = {.slice = 1, .tenant = TENANT, .owner = {5, 1}},
            .writes = writes, .write_count = 1, .payload = payloads[i]};
        struct leader_call *back;
        struct bytes input = asked(&arena, LEADER_COMMIT, &commit.call);
        cr_assert(status_is(
            read_back(&arena, LEADER_COMMIT, input, &back), E_PROTOCOL_VIOLATION), "%zu", i);
    }
    arena_fini(&arena);
}

Test(leader_wire, an_answer_brings_its_status_and_what_all_answers_have)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct bytes values[] = {KEY("one"), {0}, KEY("")};
    struct leader_get get = {.values = values, .count = 3};
    get.call.moved_to = (struct hlc_timestamp){50, 1};
    get.call.locks_taken = 3;
    struct buffer out;
    buffer_init(&out, &arena);
    leader_wire_answer(&out, LEADER_GET, &get.call, STATUS_OK);
    struct bytes taken[3];
    struct leader_get back = {.values = taken, .count = 3};
    struct wire_in in = {.rest = buffer_bytes(&out), .arena = &arena};
    cr_assert(!failed(leader_wire_answered(&in, LEADER_GET, &back.call)));
    cr_assert(bytes_equal(taken[0], values[0]));
    cr_assert(taken[1].data == NULL);
    cr_assert(taken[2].data != NULL && taken[2].size == 0);
    cr_assert(hlc_equal(back.call.moved_to, get.call.moved_to));
    cr_assert_eq(back.call.locks_taken, 3);

    struct leader_get fewer = {.values = taken, .count = 2};
    in = (struct wire_in){.rest = buffer_bytes(&out), .arena = &arena};
    cr_assert(status_is(
        leader_wire_answered(&in, LEADER_GET, &fewer.call), E_PROTOCOL_VIOLATION));

    buffer_init(&out, &arena);
    get.call.leader = 9;
    leader_wire_answer(&out, LEADER_GET, &get.call,
        status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "the leader is elsewhere"));
    in = (struct wire_in){.rest = buffer_bytes(&out), .arena = &arena};
    struct status st = leader_wire_answered(&in, LEADER_GET, &back.call);
    cr_assert(status_is(st, K_NOT_LEADER));
    cr_assert_eq(st.retry, RETRY_STATEMENT);
    cr_assert_eq(back.call.leader, 9);
    arena_fini(&arena);
}
