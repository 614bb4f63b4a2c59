// SPDX-License-Identifier: GPL-3.0-or-later
//
// What does consensus cost? First the state machines alone, three replicas of many groups in one process: ticks and
// messages of idle groups, memory of one, CPU and messages of an entry. Then replicas with their logs on
// disk, all on one shard: from propose to committed, with one voter and with three. The logs go to $TMPDIR or /tmp.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/invariant.h"
#include "kv/raft_transport.h"

#define REPLICAS 3u
#define GROUPS 10000u
#define ENTRIES 200000u
#define ENTRY_BYTES 256u
#define QUEUE_MAX 4096u

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double wall_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

// --- the state machines alone --------------------------------------------------------------------

struct group {
    struct raft rafts[REPLICAS];
};

static struct {
    struct group *group;
    struct raft_message message;
    struct raft_entry *entries;
    uint8_t *bodies;
} queue[QUEUE_MAX];
static uint32_t queued;
static uint64_t messages;

static void pure_send(void *arg, const struct raft_message *message)
{
    struct group *group = arg;
    messages++;
    if (queued == QUEUE_MAX) return;
    queue[queued].group = group;
    queue[queued].message = *message;
    queue[queued].entries = NULL;
    if (message->entry_count > 0) {
        // As a network does: the bytes are elsewhere when they arrive.
        size_t size = 0;
        for (uint32_t i = 0; i < message->entry_count; i++)
            size += message->entries[i].body.size;
        queue[queued].entries = malloc(message->entry_count * sizeof(struct raft_entry) + size);
        invariant(queue[queued].entries != NULL);
        uint8_t *at = (uint8_t *)(queue[queued].entries + message->entry_count);
        for (uint32_t i = 0; i < message->entry_count; i++) {
            struct bytes body = message->entries[i].body;
            queue[queued].entries[i] = message->entries[i];
            queue[queued].entries[i].body = bytes_of(at, body.size);
            if (body.size > 0) memcpy(at, body.data, body.size);
            at += body.size;
        }
        queue[queued].message.entries = queue[queued].entries;
    }
    queued++;
}

static void pure_snapshot(void *arg, uint32_t node, bool learner)
{
    (void)arg;
    (void)node;
    (void)learner;
}

static void pure_dropped(void *arg, void *proposal, bool known)
{
    (void)arg;
    (void)proposal;
    (void)known;
}

static void pump(struct raft *raft)
{
    if (raft_hard_dirty(raft)) raft_hard_durable(raft, raft->hard_version);
    if (raft->handed < raft->last) {
        raft->handed = raft->last;
        raft_durable(raft, raft->last, raft->last_term);
    }
    raft_flush(raft);
    uint64_t end = raft->commit < raft->stable ? raft->commit : raft->stable;
    if (end > raft->applied) raft_applied(raft, end);
}

static void deliver(void)
{
    for (uint32_t i = 0; i < queued; i++) {
        struct raft *to = &queue[i].group->rafts[queue[i].message.to - 1];
        struct status st = raft_step(to, &queue[i].message);
        invariant(!failed(st));
        pump(to);
        free(queue[i].entries);
    }
    queued = 0;
}

static void group_init(struct group *group, uint64_t seed)
{
    const struct raft_config config = {
        .count = REPLICAS, .members = {{.node = 1}, {.node = 2}, {.node = 3}}};
    for (uint32_t i = 0; i < REPLICAS; i++) {
        raft_init(&group->rafts[i], &(struct raft_options){.self = i + 1,
                                        .config = config,
                                        .seed = seed * 8 + i + 1,
                                        .io = {.send = pure_send,
                                            .snapshot = pure_snapshot,
                                            .dropped = pure_dropped,
                                            .arg = group}});
        raft_start(&group->rafts[i]);
    }
    raft_campaign(&group->rafts[0]);
    for (uint32_t i = 0; i < 8; i++) {
        pump(&group->rafts[0]);
        deliver();
    }
    invariant(group->rafts[0].role == RAFT_LEADER);
}

static void tick_all(struct group *groups, uint32_t count)
{
    for (uint32_t g = 0; g < count; g++) {
        for (uint32_t i = 0; i < REPLICAS; i++) {
            raft_tick(&groups[g].rafts[i]);
            pump(&groups[g].rafts[i]);
        }
        deliver();
    }
}

static void idle(void)
{
    struct group *groups = calloc(GROUPS, sizeof *groups);
    invariant(groups != NULL);
    for (uint32_t g = 0; g < GROUPS; g++)
        group_init(&groups[g], g + 1);
    // Awake: what it would cost if groups never went quiet.
    uint64_t sent = messages;
    double start = cpu_ns();
    tick_all(groups, GROUPS);
    double awake = cpu_ns() - start;
    printf("%-52s %10.2f us\n", "a group awake, all 3 replicas, CPU a second",
        awake * 10 / GROUPS / 1000);
    printf("%-52s %10.1f\n", "  messages a second", (double)(messages - sent) * 10 / GROUPS);
    for (uint32_t i = 0; i < 20; i++)
        tick_all(groups, GROUPS);
    sent = messages;
    start = cpu_ns();
    tick_all(groups, GROUPS); // The driver does not even call these: they are on no list.
    printf("%-52s %10.1f\n", "a quiet group, messages a second",
        (double)(messages - sent) * 10 / GROUPS);
    printf("%-52s %10zu and %zu bytes\n", "memory of a quiet follower and leader",
        sizeof(struct raft), sizeof(struct raft) + (REPLICAS - 1) * sizeof(struct raft_progress));
    for (uint32_t g = 0; g < GROUPS; g++)
        for (uint32_t i = 0; i < REPLICAS; i++)
            raft_fini(&groups[g].rafts[i]);
    free(groups);
}

static void entries(uint32_t batch)
{
    static struct group group;
    static const uint8_t body[ENTRY_BYTES] = {1};
    uint64_t index;
    group_init(&group, 1);
    uint64_t sent = messages;
    double start = cpu_ns();
    for (uint32_t i = 0; i < ENTRIES; i += batch) {
        for (uint32_t k = 0; k < batch; k++) {
            bool ok = raft_propose(&group.rafts[0], bytes_of(body, sizeof body), NULL, &index);
            invariant(ok);
        }
        pump(&group.rafts[0]);
        while (queued > 0)
            deliver();
        invariant(group.rafts[0].applied == group.rafts[0].last);
    }
    printf("%-40s %3u a turn %10.0f ns CPU\n", "an entry, 3 replicas in one process", batch,
        (cpu_ns() - start) / ENTRIES);
    printf("%-40s %3u a turn %10.3f\n", "  messages an entry, replies too", batch,
        (double)(messages - sent) / ENTRIES);
    for (uint32_t i = 0; i < REPLICAS; i++)
        raft_fini(&group.rafts[i]);
}

// --- with logs on disk ---------------------------------------------------------------------------

struct replica {
    uint32_t node;
    struct log_writer *writer;
    struct raft_shard *shard;
    struct raft_log log;
    bool leads;
};

struct frame {
    uint32_t from, to;
    size_t size;
    struct frame *next;
};

static struct replica replicas[REPLICAS];
static struct frame *frames, **frames_end = &frames;
static const char *dir;
static bool stopping;
static struct wait_queue arrivals;

struct proposal {
    struct raft_proposal raft;
    struct wait_queue waiter;
    bool done;
};

static void on_committed(struct raft_log *log, const struct log_record *record,
    log_position position, struct raft_proposal *raft)
{
    uint64_t index = record->index;
    if (raft != NULL) {
        struct proposal *proposal = container_of(raft, struct proposal, raft);
        proposal->done = true;
        wait_queue_wake_all(&proposal->waiter, STATUS_OK);
    }
    raft_log_applied(log, index, position);
}

static void on_failed(struct raft_proposal *raft, struct status st)
{
    (void)raft;
    fprintf(stderr, "%s\n", st.message);
    abort();
}

static void on_leading(struct raft_log *log)
{
    ((struct replica *)log->arg)->leads = true;
}

static const struct raft_log_hooks hooks = {.committed = on_committed, .leading = on_leading};

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
    const struct replica *replica = arg;
    (void)shard;
    struct frame *frame = malloc(sizeof *frame + bytes.size);
    invariant(frame != NULL);
    *frame = (struct frame){.from = replica->node, .to = node, .size = bytes.size};
    if (bytes.size > 0) memcpy(frame + 1, bytes.data, bytes.size);
    *frames_end = frame;
    frames_end = &frame->next;
    messages++;
    wait_queue_wake_all(&arrivals, STATUS_OK);
    return true;
}

static struct status deliver_frames(struct task *task, void *arg)
{
    (void)arg;
    while (!stopping) {
        while (frames != NULL) {
            struct frame *frame = frames;
            frames = frame->next;
            if (frames == NULL) frames_end = &frames;
            raft_shard_receive(
                replicas[frame->to - 1].shard, frame->from, 0, bytes_of(frame + 1, frame->size));
            free(frame);
        }
        struct status st = task_wait(task, &arrivals);
        if (failed(st)) break;
    }
    return STATUS_OK;
}

struct load {
    struct raft_log *log;
    uint32_t left, running;
};

static struct status proposer(struct task *task, void *arg)
{
    struct load *load = arg;
    struct status st = STATUS_OK;
    static const uint8_t body[ENTRY_BYTES] = {1};
    while (load->left > 0) {
        struct proposal proposal = {.raft = {.failed = on_failed}};
        load->left--;
        wait_queue_init(&proposal.waiter);
        TRY(raft_log_propose(load->log, &proposal.raft, bytes_of(body, sizeof body)));
        while (!proposal.done)
            TRY(task_wait(task, &proposal.waiter));
    }
out:
    load->running--;
    if (failed(st)) fprintf(stderr, "%s\n", st.message);
    return st;
}

static struct status load_run(
    struct task *task, uint32_t voters, uint32_t tasks, uint32_t count, struct raft_log *log)
{
    struct load load = {.log = log, .left = count};
    struct status st = STATUS_OK;
    uint64_t sent = messages;
    double cpu = cpu_ns(), wall = wall_ns();
    for (uint32_t i = 0; i < tasks; i++) {
        TRY(task_start(
            task->shard, &(struct task_options){.fn = proposer, .arg = &load, .kind = "bench"}));
        load.running++;
    }
    while (load.running > 0)
        TRY(task_sleep(task, 1000000));
    printf("propose to committed, %u voter%s %3u at a time %10.0f /s %8.0f ns CPU %8.3f frames\n",
        voters, voters == 1 ? ", " : "s,", tasks, (double)count / (wall_ns() - wall) * 1e9,
        (cpu_ns() - cpu) / count, (double)(messages - sent) / count);
out:
    return st;
}

static struct status disks(struct task *task, uint32_t voters)
{
    struct raft_config config = {.count = voters};
    struct replica *leader = NULL;
    struct status st = STATUS_OK;
    stopping = false;
    for (uint32_t i = 0; i < voters; i++)
        config.members[i].node = i + 1;
    wait_queue_init(&arrivals);
    for (uint32_t i = 0; i < voters; i++) {
        struct replica *replica = &replicas[i];
        char path[300];
        snprintf(path, sizeof path, "%s/%u-%u", dir, voters, i);
        const struct raft_network network = {
            .shard_of = net_shard_of, .send = net_send, .arg = replica};
        const struct log_writer_options options = {.dir = path};
        *replica = (struct replica){.node = i + 1};
        raft_log_init(&replica->log,
            &(struct raft_log_options){
                .slice = 1, .self = i + 1, .config = config, .hooks = &hooks, .arg = replica});
        TRY(log_writer_open(task, &options, NULL, NULL, &replica->writer));
        if (voters > 1) replica->shard = raft_shard_create(task->shard, i + 1, &network);
        TRY(raft_log_start(&replica->log, replica->writer, replica->shard));
    }
    TRY(task_start(
        task->shard, &(struct task_options){.fn = deliver_frames, .kind = "bench network"}));
    while (leader == NULL) {
        TRY(task_sleep(task, 10000000));
        for (uint32_t i = 0; i < voters; i++)
            if (replicas[i].leads) leader = &replicas[i];
    }
    TRY(load_run(task, voters, 1, 2000, &leader->log));
    TRY(load_run(task, voters, 64, 100000, &leader->log));
    TRY(task_sleep(task, 300000000));
    stopping = true;
    wait_queue_wake_all(&arrivals, STATUS_OK);
    for (uint32_t i = 0; i < voters; i++) {
        raft_log_stop(&replicas[i].log);
        raft_log_fini(&replicas[i].log);
        TRY(log_writer_close(task, replicas[i].writer));
        if (replicas[i].shard != NULL) raft_shard_destroy(replicas[i].shard);
    }
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    dir = arg;
    struct status st = disks(task, 1);
    if (!failed(st)) st = disks(task, REPLICAS);
    node_stop(task->shard->node);
    return st;
}

int main(void)
{
    idle();
    entries(1);
    entries(64);
    return bench_node(&(struct node_options){.id = 1, .shard_count = 1}, run);
}
