// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/deadlock.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"
#include "kv/range.h"

#define METHOD_REPORT (RPC_LEADER + 41u)
#define METHOD_VERDICT (RPC_LEADER + 42u)
#define SEARCH_MAX 4096u // Transactions looked at for one report.

METRIC_DEFINE(metric_deadlocks, "kv.lock.deadlocks", METRIC_COUNTER, METRIC_COUNT, false,
    "Cycles of waiting transactions ended by failing one of them");

struct graph_wait {
    struct deadlock_wait_id id;
    struct lock_owner_id owner;
    struct graph_wait *next; // Of the same transaction.
    uint64_t reported_ns;
    uint32_t blocker_count;
    uint64_t blockers[DEADLOCK_BLOCKERS_MAX]; // Transactions.
};

struct deadlock_graph {
    void (*kill)(void *arg, struct deadlock_wait_id id);
    void *arg;
    struct hashmap waits; // txn -> struct graph_wait list.
    uint32_t count;
    uint64_t now_ns, aged_ns;
};

struct status deadlock_graph_create(
    void (*kill)(void *arg, struct deadlock_wait_id id), void *arg, struct deadlock_graph **graph)
{
    *graph = calloc(1, sizeof **graph);
    if (*graph == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    (*graph)->kill = kill;
    (*graph)->arg = arg;
    hashmap_init(&(*graph)->waits, NULL);
    return STATUS_OK;
}

void deadlock_graph_destroy(struct deadlock_graph *graph)
{
    if (graph == NULL) return;
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&graph->waits, &cursor)) != NULL) {
        struct graph_wait *next;
        for (struct graph_wait *wait = entry->value; wait != NULL; wait = next) {
            next = wait->next;
            free(wait);
        }
    }
    hashmap_fini(&graph->waits);
    free(graph);
}

uint32_t deadlock_graph_count(const struct deadlock_graph *graph)
{
    return graph->count;
}

static bool same_wait(struct deadlock_wait_id a, struct deadlock_wait_id b)
{
    return a.wait == b.wait && a.slice == b.slice && a.shard == b.shard && a.node == b.node;
}

void deadlock_graph_wait_end(
    struct deadlock_graph *graph, struct deadlock_wait_id id, struct lock_owner_id owner)
{
    struct graph_wait *first = hashmap_get_u64(&graph->waits, owner.txn);
    struct graph_wait *before = NULL;
    struct graph_wait *wait = first;
    while (wait != NULL && !same_wait(wait->id, id)) {
        before = wait;
        wait = wait->next;
    }
    if (wait == NULL) return;
    if (before != NULL) {
        before->next = wait->next;
    } else if (wait->next != NULL) {
        hashmap_put_u64(&graph->waits, owner.txn, wait->next);
    } else {
        hashmap_remove_u64(&graph->waits, owner.txn);
    }
    free(wait);
    graph->count--;
}

void deadlock_graph_age(struct deadlock_graph *graph, uint64_t now_ns)
{
    graph->now_ns = now_ns;
    if (now_ns < graph->aged_ns + DEADLOCK_WAIT_OLD_NS / 2) return;
    graph->aged_ns = now_ns;
    for (bool removed = true; removed;) {
        removed = false;
        uint32_t cursor = 0;
        struct hashmap_entry *entry;
        while (!removed && (entry = hashmap_next(&graph->waits, &cursor)) != NULL) {
            struct graph_wait *wait = entry->value;
            while (wait != NULL && wait->reported_ns + DEADLOCK_WAIT_OLD_NS > now_ns) {
                wait = wait->next;
            }
            if (wait == NULL) continue;
            deadlock_graph_wait_end(graph, wait->id, wait->owner); // The map changes: once more.
            removed = true;
        }
    }
}

static struct graph_wait *wait_get(
    struct deadlock_graph *graph, struct deadlock_wait_id id, struct lock_owner_id owner)
{
    struct graph_wait *first = hashmap_get_u64(&graph->waits, owner.txn);
    struct graph_wait *wait = first;
    while (wait != NULL && !same_wait(wait->id, id)) wait = wait->next;
    if (wait != NULL) return wait;
    if (graph->count >= DEADLOCK_WAITS_MAX) return NULL;
    wait = calloc(1, sizeof *wait);
    if (wait == NULL) return NULL;
    wait->id = id;
    wait->owner = owner;
    wait->next = first;
    hashmap_put_u64(&graph->waits, owner.txn, wait);
    graph->count++;
    return wait;
}

// Breadth first from `start` along "waits for", remembering who led where.
struct search {
    uint64_t txns[SEARCH_MAX];
    uint32_t parents[SEARCH_MAX]; // Position in txns.
    uint32_t count;
    struct hashmap seen;
};

static bool search_visit(struct search *search, uint64_t txn, uint32_t parent)
{
    if (search->count == SEARCH_MAX || hashmap_get_u64(&search->seen, txn) != NULL) return false;
    search->txns[search->count] = txn;
    search->parents[search->count++] = parent;
    hashmap_put_u64(&search->seen, txn, search);
    return true;
}

// The position of a transaction that waits for the first one, UINT32_MAX when there is no cycle.
static uint32_t search_cycle(struct deadlock_graph *graph, struct search *search)
{
    for (uint32_t at = 0; at < search->count; at++) {
        const struct graph_wait *wait = hashmap_get_u64(&graph->waits, search->txns[at]);
        for (; wait != NULL; wait = wait->next) {
            for (uint32_t i = 0; i < wait->blocker_count; i++) {
                if (wait->blockers[i] == search->txns[0]) return at;
                search_visit(search, wait->blockers[i], at);
            }
        }
    }
    return UINT32_MAX;
}

static bool younger(struct lock_owner_id a, struct lock_owner_id b)
{
    if (a.age_ns != b.age_ns) return a.age_ns > b.age_ns;
    return a.txn > b.txn;
}

static void victim_kill(
    struct deadlock_graph *graph, const struct search *search, uint32_t last)
{
    struct graph_wait *victim = NULL;
    for (uint32_t at = last;; at = search->parents[at]) {
        struct graph_wait *wait = hashmap_get_u64(&graph->waits, search->txns[at]);
        invariant(wait != NULL);
        if (victim == NULL || younger(wait->owner, victim->owner)) victim = wait;
        if (at == 0) break;
    }
    metric_add(&metric_deadlocks, 0, 1);
    covered("deadlock.victim");
    struct lock_owner_id owner = victim->owner;
    while (victim != NULL) {
        graph->kill(graph->arg, victim->id);
        deadlock_graph_wait_end(graph, victim->id, owner);
        victim = hashmap_get_u64(&graph->waits, owner.txn);
    }
}

void deadlock_graph_wait(struct deadlock_graph *graph, struct deadlock_wait_id id,
    struct lock_owner_id owner, const struct lock_owner_id *blockers, uint32_t blocker_count)
{
    struct graph_wait *wait = wait_get(graph, id, owner);
    if (wait == NULL) return;
    wait->reported_ns = graph->now_ns;
    wait->blocker_count =
        blocker_count < DEADLOCK_BLOCKERS_MAX ? blocker_count : DEADLOCK_BLOCKERS_MAX;
    for (uint32_t i = 0; i < wait->blocker_count; i++) wait->blockers[i] = blockers[i].txn;

    struct search *search = malloc(sizeof *search);
    if (search == NULL) return;
    search->count = 0;
    hashmap_init(&search->seen, NULL);
    search_visit(search, owner.txn, 0);
    uint32_t last = search_cycle(graph, search);
    if (last != UINT32_MAX) victim_kill(graph, search, last);
    hashmap_fini(&search->seen);
    free(search);
}

// --- in the cluster ------------------------------------------------------------------------------

struct report {
    struct shard_message message;
    struct deadlock_wait_id id;
    struct lock_owner_id owner;
    bool ended;
    uint32_t blocker_count;
    struct lock_owner_id blockers[DEADLOCK_BLOCKERS_MAX];
};

static struct deadlock_graph *graph_of(struct shard *shard)
{
    struct kv_shard *kv = kv_shard_of(shard);
    return kv == NULL ? NULL : kv->module_state[KV_SLOT_DEADLOCK];
}

// A message to the own shard is delivered at once: nothing here depends on a later turn.
static void message_send(struct shard *from, uint32_t target, struct shard_message *message)
{
    if (target == from->index) {
        message->deliver(from, message);
    } else {
        shard_send(from, target, message);
    }
}

static void report_take(struct shard *shard, const struct report *report)
{
    struct deadlock_graph *graph = graph_of(shard);
    if (graph == NULL) return;
    deadlock_graph_age(graph, shard_now_ns(shard));
    if (report->ended) {
        deadlock_graph_wait_end(graph, report->id, report->owner);
    } else {
        deadlock_graph_wait(
            graph, report->id, report->owner, report->blockers, report->blocker_count);
    }
}

static void report_deliver(struct shard *shard, struct shard_message *message)
{
    struct report *report = container_of(message, struct report, message);
    report_take(shard, report);
    free(report);
}

static void put_owner(struct buffer *out, struct lock_owner_id owner)
{
    wire_put_u64(out, owner.txn);
    wire_put_u64(out, owner.age_ns);
}

static struct lock_owner_id take_owner(struct wire_in *in)
{
    uint64_t txn = wire_take_u64(in);
    return (struct lock_owner_id){txn, wire_take_u64(in)};
}

static void put_id(struct buffer *out, struct deadlock_wait_id id)
{
    wire_put_u64(out, id.node);
    wire_put_u64(out, id.shard);
    wire_put_u64(out, id.slice);
    wire_put_u64(out, id.wait);
}

static struct deadlock_wait_id take_id(struct wire_in *in)
{
    struct deadlock_wait_id id = {0};
    id.node = wire_take_u32(in);
    id.shard = wire_take_u32(in);
    id.slice = wire_take_u64(in);
    id.wait = wire_take_u64(in);
    return id;
}

// What gets lost is said again.
static void report_send_far(
    struct shard *shard, struct rpc_target target, const struct report *report)
{
    struct arena arena;
    struct buffer body;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    put_id(&body, report->id);
    put_owner(&body, report->owner);
    wire_put_bool(&body, report->ended);
    wire_put_u64(&body, report->blocker_count);
    for (uint32_t i = 0; i < report->blocker_count; i++) put_owner(&body, report->blockers[i]);
    (void)rpc_send(shard, target, METHOD_REPORT, buffer_bytes(&body));
    arena_fini(&arena);
}

static void report_heard(struct shard *shard, const struct rpc_request *request)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct wire_in in = {.rest = request->body, .arena = &arena};
    struct report report = {.id = take_id(&in)};
    report.owner = take_owner(&in);
    report.ended = wire_take_bool(&in);
    report.blocker_count = wire_take_count(&in, 2);
    if (report.blocker_count > DEADLOCK_BLOCKERS_MAX) in.bad = true;
    for (uint32_t i = 0; i < report.blocker_count && !in.bad; i++) {
        report.blockers[i] = take_owner(&in);
    }
    // A node speaks for its own waits alone.
    bool own = report.id.node == request->node;
    if (!in.bad && in.rest.size == 0 && own && shard->index == 0) report_take(shard, &report);
    arena_fini(&arena);
}

// Where the graph is. While that is unknown nobody is told, and the next report tries again.
static bool graph_where(struct shard *shard, struct rpc_target *where)
{
    if (!cluster_alone(shard)) {
        bool known = leader_where(shard, SLICE_META, where);
        where->shard = 0;
        return known;
    }
    *where = (struct rpc_target){shard->node->id, 0};
    return true;
}

static void report_send(struct lock_waiter *waiter, bool ended)
{
    struct slice *slice = waiter->table->arg;
    struct rpc_target where;
    if (!graph_where(slice->shard, &where)) return;
    struct report *report = malloc(sizeof *report);
    if (report == NULL) return; // Reported again soon.
    report->message = (struct shard_message){.deliver = report_deliver};
    report->id = (struct deadlock_wait_id){
        slice->shard->node->id, slice->shard->index, slice->id, waiter->wait_id};
    report->owner = waiter->owner;
    report->ended = ended;
    report->blocker_count =
        ended ? 0 : lock_waits_for(waiter, report->blockers, DEADLOCK_BLOCKERS_MAX);
    if (where.node == slice->shard->node->id) {
        message_send(slice->shard, 0, &report->message);
        return;
    }
    report_send_far(slice->shard, where, report);
    free(report);
}

void deadlock_blocked(struct lock_waiter *waiter)
{
    report_send(waiter, false);
}

void deadlock_unblocked(struct lock_waiter *waiter)
{
    report_send(waiter, true);
}

struct verdict {
    struct shard_message message;
    struct deadlock_wait_id id;
};

static void verdict_take(struct shard *shard, struct deadlock_wait_id id)
{
    struct kv_shard *kv = kv_shard_of(shard);
    struct slice *slice = kv == NULL ? NULL : kv_slice_find(kv, id.slice);
    if (slice == NULL || slice->locks == NULL) return;
    lock_wait_fail(slice->locks, id.wait,
        status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: transaction was the victim of a deadlock"));
}

static void verdict_deliver(struct shard *shard, struct shard_message *message)
{
    struct verdict *verdict = container_of(message, struct verdict, message);
    verdict_take(shard, verdict->id);
    free(verdict);
}

static void verdict_heard(struct shard *shard, const struct rpc_request *request)
{
    struct wire_in in = {.rest = request->body};
    struct deadlock_wait_id id = take_id(&in);
    if (!in.bad && in.rest.size == 0) verdict_take(shard, id);
}

static void verdict_send_far(struct shard *shard, struct deadlock_wait_id id)
{
    struct arena arena;
    struct buffer body;
    arena_init(&arena, NULL);
    buffer_init(&body, &arena);
    put_id(&body, id);
    (void)rpc_send(
        shard, (struct rpc_target){id.node, id.shard}, METHOD_VERDICT, buffer_bytes(&body));
    arena_fini(&arena);
}

static void verdict_send(void *arg, struct deadlock_wait_id id)
{
    struct kv_shard *kv = arg;
    if (id.node != kv->shard->node->id) {
        verdict_send_far(kv->shard, id);
        return;
    }
    struct verdict *verdict = malloc(sizeof *verdict);
    if (verdict == NULL) return;
    verdict->message = (struct shard_message){.deliver = verdict_deliver};
    verdict->id = id;
    message_send(kv->shard, id.shard, &verdict->message);
}

void deadlock_register(void)
{
    static const struct rpc_method report = {
        .id = METHOD_REPORT, .name = "deadlock.report", .message = report_heard};
    static const struct rpc_method verdict = {
        .id = METHOD_VERDICT, .name = "deadlock.verdict", .message = verdict_heard};
    rpc_method_register(&report);
    rpc_method_register(&verdict);
}

static struct status shard_init(struct task *task, struct kv_shard *kv)
{
    (void)task;
    if (kv->shard->index != 0) return STATUS_OK;
    metric_register(&metric_deadlocks);
    struct deadlock_graph *graph;
    struct status st = deadlock_graph_create(verdict_send, kv, &graph);
    if (failed(st)) return st;
    kv->module_state[KV_SLOT_DEADLOCK] = graph;
    return STATUS_OK;
}

static void shard_fini(struct kv_shard *kv)
{
    deadlock_graph_destroy(kv->module_state[KV_SLOT_DEADLOCK]);
    kv->module_state[KV_SLOT_DEADLOCK] = NULL;
}

const struct kv_module deadlock_module = {
    .name = "deadlock",
    .slot = KV_SLOT_DEADLOCK,
    .shard_init = shard_init,
    .shard_fini = shard_fini,
};
