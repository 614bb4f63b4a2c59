// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/deadlock.h"

#include <stdlib.h>
#include <string.h>

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
#define NEAR_MAX 64u // Transactions looked at for one report.
// Between two searches of all waits: so that they take a few percent of the shard's time.
#define WHOLE_PAUSE_NS UINT64_C(10000000)
#define WHOLE_PAUSE_STEP_NS UINT64_C(5000)

METRIC_DEFINE(metric_deadlocks, "kv.lock.deadlocks", METRIC_COUNTER, METRIC_COUNT, false,
    "Cycles of waiting transactions ended by failing one of them");

struct graph_wait {
    struct deadlock_wait_id id;
    struct lock_owner_id owner;
    struct graph_wait *next; // Of the same transaction.
    uint64_t reported_ns;
    uint32_t blocker_count;
    uint64_t blockers[DEADLOCK_BLOCKERS_MAX]; // Transactions.
    // Of a transaction's first wait, while a search is on:
    uint64_t search;           // The one that came by last.
    bool open;                 // It is on the path from where the search began.
    struct graph_wait *before; // Whoever led here.
    struct graph_wait *turn;   // Which of its waits, and
    uint32_t turn_blocker;     // which edge of that, is next.
};

struct deadlock_graph {
    void (*kill)(void *arg, struct deadlock_wait_id id);
    void *arg;
    struct hashmap waits; // txn -> struct graph_wait list.
    uint32_t count;
    uint64_t now_ns, aged_ns;
    uint64_t search, steps;
    bool unsure;       // There may be cycles that no search for one report has found.
    uint64_t whole_ns; // When all waits may be searched again.
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

static void waits_free(struct deadlock_graph *graph, struct graph_wait *first)
{
    while (first != NULL) {
        struct graph_wait *next = first->next;
        free(first);
        graph->count--;
        first = next;
    }
}

void deadlock_graph_age(struct deadlock_graph *graph, uint64_t now_ns)
{
    graph->now_ns = now_ns;
    if (now_ns < graph->aged_ns + DEADLOCK_WAIT_OLD_NS / 2) return;
    graph->aged_ns = now_ns;
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&graph->waits, &cursor)) != NULL) {
        struct graph_wait *first = entry->value, *old = NULL;
        for (struct graph_wait **link = &first; *link != NULL;) {
            struct graph_wait *wait = *link;
            if (wait->reported_ns + DEADLOCK_WAIT_OLD_NS > now_ns) {
                link = &wait->next;
                continue;
            }
            *link = wait->next;
            wait->next = old;
            old = wait;
        }
        if (first != NULL) {
            entry->value = first;
        } else {
            hashmap_remove_u64(&graph->waits, hashmap_entry_u64(entry));
        }
        waits_free(graph, old);
    }
}

uint64_t deadlock_graph_steps(const struct deadlock_graph *graph)
{
    return graph->steps;
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

// --- searching -----------------------------------------------------------------------------------
//
// A cycle is closed by the edge that came last, so only new edges are searched from. They nearly always lead to a transaction
// that waits for nobody, or around a few corners. Where many wait in one line the way is as long as that: such a search would
// cost each of them a look at all. It is cut off, and what it has not seen is left to a search of all waits together,
// which sees each edge once.

// Whom an edge leads to; NULL: that one waits for nobody.
static struct graph_wait *edge_follow(struct deadlock_graph *graph, uint64_t blocker)
{
    graph->steps++;
    return hashmap_get_u64(&graph->waits, blocker);
}

static bool younger(struct lock_owner_id a, struct lock_owner_id b)
{
    if (a.age_ns != b.age_ns) return a.age_ns > b.age_ns;
    return a.txn > b.txn;
}

// Of the cycle whose members `before` leads to, from the last to the first.
static struct graph_wait *victim_of(struct graph_wait *last, const struct graph_wait *first)
{
    struct graph_wait *victim = last;
    for (struct graph_wait *at = last; at != first;) {
        at = at->before;
        if (younger(at->owner, victim->owner)) victim = at;
    }
    return victim;
}

static void victim_kill(struct deadlock_graph *graph, struct graph_wait *victim)
{
    metric_add(&metric_deadlocks, 0, 1);
    covered("deadlock.victim");
    for (const struct graph_wait *wait = victim; wait != NULL; wait = wait->next)
        graph->kill(graph->arg, wait->id);
    hashmap_remove_u64(&graph->waits, victim->owner.txn);
    waits_free(graph, victim);
}

// Breadth first from those edges of the wait (bits), as far as NEAR_MAX transactions go. NULL: no cycle was found.
static struct graph_wait *near_victim(
    struct deadlock_graph *graph, const struct graph_wait *wait, uint32_t edges)
{
    struct graph_wait *seen[NEAR_MAX];
    const uint32_t most = SIM_MAYBE("deadlock.near_sighted") ? 1 : NEAR_MAX;
    uint32_t count = 1;
    seen[0] = hashmap_get_u64(&graph->waits, wait->owner.txn);
    seen[0]->search = ++graph->search;
    for (uint32_t at = 0; at < count; at++) {
        const struct graph_wait *from = at == 0 ? wait : seen[at];
        for (; from != NULL; from = at == 0 ? NULL : from->next) {
            for (uint32_t i = 0; i < from->blocker_count; i++) {
                if (at == 0 && (edges >> i & 1u) == 0) continue;
                struct graph_wait *next = edge_follow(graph, from->blockers[i]);
                if (next == seen[0]) return victim_of(seen[at], seen[0]);
                if (next == NULL || next->search == graph->search) continue;
                if (count >= most) {
                    graph->unsure = true;
                    continue;
                }
                next->search = graph->search;
                next->before = seen[at];
                seen[count++] = next;
            }
        }
    }
    return NULL;
}

static struct graph_wait *path_extend(
    const struct deadlock_graph *graph, struct graph_wait *first, struct graph_wait *before)
{
    first->search = graph->search;
    first->open = true;
    first->before = before;
    first->turn = first;
    first->turn_blocker = 0;
    return first;
}

// The next that this one waits for and that waits, too.
static struct graph_wait *path_next(struct deadlock_graph *graph, struct graph_wait *first)
{
    while (first->turn != NULL) {
        while (first->turn_blocker < first->turn->blocker_count) {
            struct graph_wait *next = edge_follow(graph, first->turn->blockers[first->turn_blocker++]);
            if (next != NULL) return next;
        }
        first->turn = first->turn->next;
        first->turn_blocker = 0;
    }
    return NULL;
}

// Ends the cycle that closes from `last` to `first`. The search goes on before the victim: what it saw beyond it is as if
// it had not been seen.
static struct graph_wait *path_cut(
    struct deadlock_graph *graph, struct graph_wait *last, const struct graph_wait *first)
{
    struct graph_wait *victim = victim_of(last, first);
    for (struct graph_wait *at = last; at != victim; at = at->before) {
        at->open = false;
        at->search = 0;
    }
    struct graph_wait *before = victim->before;
    victim_kill(graph, victim);
    return before;
}

// Depth first through all waits.
static void whole_search(struct deadlock_graph *graph)
{
    const uint64_t steps = graph->steps;
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    graph->search++;
    while ((entry = hashmap_next(&graph->waits, &cursor)) != NULL) {
        struct graph_wait *at = entry->value;
        if (at->search == graph->search) continue;
        path_extend(graph, at, NULL);
        while (at != NULL) {
            struct graph_wait *next = path_next(graph, at);
            if (next == NULL) {
                at->open = false;
                at = at->before;
            } else if (next->search != graph->search) {
                at = path_extend(graph, next, at);
            } else if (next->open) {
                covered("deadlock.far");
                at = path_cut(graph, at, next);
            }
        }
    }
    graph->unsure = false;
    graph->whole_ns = graph->now_ns + WHOLE_PAUSE_NS + (graph->steps - steps) * WHOLE_PAUSE_STEP_NS;
}

// Takes the edges over; which of them are new, as bits.
static uint32_t edges_replace(
    struct graph_wait *wait, const struct lock_owner_id *blockers, uint32_t count)
{
    uint64_t former[DEADLOCK_BLOCKERS_MAX];
    const uint32_t former_count = wait->blocker_count;
    uint32_t fresh = 0;
    memcpy(former, wait->blockers, former_count * sizeof *former);
    wait->blocker_count = count < DEADLOCK_BLOCKERS_MAX ? count : DEADLOCK_BLOCKERS_MAX;
    for (uint32_t i = 0; i < wait->blocker_count; i++) {
        uint32_t k = 0;
        while (k < former_count && former[k] != blockers[i].txn) k++;
        if (k == former_count) fresh |= 1u << i;
        wait->blockers[i] = blockers[i].txn;
    }
    return fresh;
}

void deadlock_graph_wait(struct deadlock_graph *graph, struct deadlock_wait_id id,
    struct lock_owner_id owner, const struct lock_owner_id *blockers, uint32_t blocker_count)
{
    struct graph_wait *wait = wait_get(graph, id, owner);
    if (wait == NULL) return;
    wait->reported_ns = graph->now_ns;
    const uint32_t fresh = edges_replace(wait, blockers, blocker_count);
    struct graph_wait *victim = fresh == 0 ? NULL : near_victim(graph, wait, fresh);
    if (victim != NULL) {
        // What else the edges close is looked for with all others.
        if (victim->owner.txn != owner.txn) graph->unsure = true;
        victim_kill(graph, victim);
    }
    if (graph->unsure && graph->now_ns >= graph->whole_ns) whole_search(graph);
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
