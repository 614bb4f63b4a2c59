// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/env_sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim_parts.h"
#include "core/env_sim_trace.h"
#include "core/hash.h"
#include "core/mark.h"
#include "core/reactor.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define WALL_START_NS INT64_C(1795244400000000000) // 2026-11-21 07:00 UTC
#define STOP_CHECK_NS (1 * MS)
#define TURN_TASKS_MAX 4u

// --- randomness ----------------------------------------------------------------------------------

struct sim_random sim_random_named(uint64_t seed, const char *name)
{
    return (struct sim_random){hash_bytes_seed(bytes_of_string(name), seed)};
}

// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014 (the
// increment).
uint64_t sim_random_next(struct sim_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    return hash_u64(random->state);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t bound)
{
    invariant(bound > 0);
    return (uint64_t)((unsigned __int128)sim_random_next(random) * bound >> 64);
}

uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high)
{
    invariant(low <= high);
    return low + sim_random_below(random, high - low + 1);
}

bool sim_random_chance(struct sim_random *random, uint32_t per_million)
{
    return sim_random_below(random, 1000000) < per_million;
}

// --- events --------------------------------------------------------------------------------------

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns;
    return a->sequence < b->sequence;
}

static void event_push(struct sim *sim, struct sim_event *event)
{
    if (sim->event_count == sim->event_capacity) {
        sim->event_capacity = sim->event_capacity == 0 ? 256 : 2 * sim->event_capacity;
        sim->heap = realloc(sim->heap, sizeof *sim->heap * sim->event_capacity);
        invariant(sim->heap != NULL);
    }
    uint32_t at = sim->event_count++;
    while (at > 0 && event_before(event, sim->heap[(at - 1) / 2])) {
        sim->heap[at] = sim->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->heap[at] = event;
}

struct sim_event *sim_event_add(struct sim *sim, struct sim_node *node, uint64_t delay_ns,
    const char *name, void (*fire)(struct sim_event *event))
{
    struct sim_event *event = sim->free_events;
    if (event != NULL)
        sim->free_events = event->next_free;
    else
        event = malloc(sizeof *event);
    invariant(event != NULL);
    memset(event, 0, sizeof *event);
    event->sim = sim;
    event->time_ns = sim->now_ns + delay_ns;
    event->sequence = ++sim->sequence;
    event->node = node;
    event->incarnation = node == NULL ? 0 : node->incarnation;
    event->name = name;
    event->fire = fire;
    event_push(sim, event);
    return event;
}

static void event_free(struct sim *sim, struct sim_event *event)
{
    event->next_free = sim->free_events;
    sim->free_events = event;
}

static struct sim_event *event_pop(struct sim *sim)
{
    struct sim_event *first = sim->heap[0];
    struct sim_event *last = sim->heap[--sim->event_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= sim->event_count) break;
        if (child + 1 < sim->event_count && event_before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!event_before(sim->heap[child], last)) break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    if (sim->event_count > 0) sim->heap[at] = last;
    return first;
}

static bool event_stale(const struct sim_event *event)
{
    return event->node != NULL && event->node->incarnation != event->incarnation;
}

// Drops what a crash has made void, so that the next event is one that fires.
static void events_trim(struct sim *sim)
{
    while (sim->event_count > 0 && event_stale(sim->heap[0]))
        event_free(sim, event_pop(sim));
}

static void note_text(struct sim *sim, const char *what, uint32_t node, uint64_t number)
{
    sim->digest = hash_combine(sim->digest, hash_bytes(bytes_of_string(what)));
    sim->digest = hash_combine(sim->digest, sim->now_ns ^ (uint64_t)node << 48);
    sim->digest = hash_combine(sim->digest, number);
    if (__builtin_expect(sim->options.trace != 0, 0)) sim_trace_event(sim, node, what, number);
}

void sim_note(struct sim *sim, uint64_t value)
{
    note_text(sim, "note", 0, value);
}

static struct sim_node *acting; // Whose code runs.

static void acting_begin(struct sim_node *sim_node)
{
    acting = sim_node;
    marks_hold(sim_node != NULL && sim_node->straight);
}

static void acting_end(struct sim_node *sim_node)
{
    acting = NULL;
    marks_hold(false);
    shard_self_set(NULL);
    if (sim_node != NULL && sim_node->doomed) sim_node_crash(sim_node);
}

static void event_fire(struct sim *sim)
{
    struct sim_event *event = event_pop(sim);
    if (event->time_ns > sim->now_ns) sim->now_ns = event->time_ns;
    if (event->node != NULL && event->node->paused_until_ns > sim->now_ns) {
        event->time_ns = event->node->paused_until_ns; // In the same order among themselves.
        event_push(sim, event);
        return;
    }
    note_text(sim, event->name, event->node == NULL ? 0 : event->node->id, (uint64_t)event->number);
    if (event->shard != NULL) {
        shard_self_set(event->shard);
        reactor_clock(event->shard);
    }
    struct sim_node *sim_node = event->node;
    acting_begin(sim_node);
    event->fire(event);
    event_free(sim, event);
    acting_end(sim_node);
}

// --- struct env ----------------------------------------------------------------------------------

static uint64_t sim_mono_ns(struct env *env)
{
    struct sim_node *sim_node = sim_node_of(env);
    return sim_node->mono_base_ns + sim_node->sim->now_ns;
}

static int64_t sim_wall_ns(struct env *env)
{
    struct sim_node *sim_node = sim_node_of(env);
    int64_t wall =
        WALL_START_NS + (int64_t)sim_node->sim->now_ns + sim_clock_error_ns(sim_node);
    // Set back it goes on at half its pace until the time has come that it showed, and never stands still: shards that hear
    // of each other count on that. It is the same whoever asks, and how often.
    int64_t slow = sim_node->wall_set_ns + (int64_t)((sim_node->sim->now_ns - sim_node->wall_set_at_ns) / 2);
    return wall > slow ? wall : slow;
}

static uint64_t sim_env_random(struct env *env)
{
    return sim_random_next(&sim_node_of(env)->random);
}

static void sim_random_bytes(struct env *env, void *out, size_t size)
{
    uint8_t *at = out;
    for (; size > 0; size--)
        *at++ = (uint8_t)sim_env_random(env);
}

static uint32_t sim_choose(struct env *env, struct shard *shard, uint32_t count)
{
    (void)shard;
    return (uint32_t)sim_random_below(&sim_node_of(env)->sim->sched_random, count);
}

static void helper_done_fired(struct sim_event *event)
{
    event->node->in_flight--;
    event->done(event->arg);
}

static void helper_fired(struct sim_event *event)
{
    struct sim *sim = event->sim;
    event->fn(event->arg);
    uint64_t delay = sim_random_between(&sim->sched_random, US, 200 * US);
    struct sim_event *done =
        sim_event_add(sim, event->node, delay, "helper-done", helper_done_fired);
    done->shard = event->object;
    done->done = event->done;
    done->arg = event->arg;
}

static void sim_helper_submit(
    struct env *env, struct shard *shard, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
    struct sim_node *sim_node = sim_node_of(env);
    uint64_t delay = sim_random_between(&sim_node->sim->sched_random, US, 500 * US);
    struct sim_event *event = sim_event_add(sim_node->sim, sim_node, delay, "helper", helper_fired);
    event->object = shard;
    event->fn = fn;
    event->done = done;
    event->arg = arg;
    sim_node->in_flight++;
}

static void message_fired(struct sim_event *event)
{
    struct shard_message *message = event->object;
    event->node->in_flight--;
    message->deliver(event->shard, message);
}

static void sim_message_send(
    struct env *env, struct shard *from, struct shard *to, struct shard_message *message)
{
    struct sim_node *sim_node = sim_node_of(env);
    struct sim *sim = sim_node->sim;
    uint64_t at = sim->now_ns +
                  sim_random_below(&sim->message_random, sim->options.message_delay_max_ns) + 100;
    // In order for each pair of shards.
    uint64_t *latest = &sim_node->message_time_ns[from->index][to->index];
    if (at <= *latest) at = *latest + 1;
    *latest = at;
    struct sim_event *event =
        sim_event_add(sim, sim_node, at - sim->now_ns, "message", message_fired);
    event->object = message;
    event->shard = to;
    event->number = (int64_t)from->index << 8 | to->index;
    sim_node->in_flight++;
}

// --- memory --------------------------------------------------------------------------------------

static bool refuses_memory(void)
{
    struct sim_node *sim_node = acting;
    return sim_node != NULL && sim_node->refuse_every > 0 &&
           ++sim_node->refuse_asked % sim_node->refuse_every == 0;
}

void sim_memory_refuse(struct sim_node *sim_node, uint64_t every)
{
    sim_node->refuse_every = every;
}

void sim_memory_squeeze(struct sim_node *sim_node, uint64_t bytes)
{
    struct node *node = sim_node->node;
    for (uint32_t i = 0; node != NULL && i < node->shard_count; i++) {
        struct memory_account *account = &node->shards[i]->account;
        account->limit_bytes = bytes == 0 ? sim_node->options.sql_memory_bytes / node->shard_count
                                          : account->used_bytes + bytes;
    }
}

void sim_memory_fail_at(struct sim_node *sim_node, uint64_t count)
{
    sim_node->allocations_left = count;
}

// A task stops in the middle, and never goes on; what is no task comes to its end first.
static void takes_memory(void)
{
    struct sim_node *sim_node = acting;
    if (sim_node == NULL || sim_node->allocations_left == 0) return;
    if (--sim_node->allocations_left > 0) return;
    sim_node->doomed = true;
    covered("memory.allocation_fails");
    const struct task *task = task_current();
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (task == NULL || task->fiber == NULL || here < (uintptr_t)task->fiber->stack ||
        here >= (uintptr_t)task->fiber->stack + task->fiber->stack_bytes)
        return;
    for (;;)
        fiber_suspend(task->fiber);
}

// --- nodes ---------------------------------------------------------------------------------------

uint32_t sim_node_index(const struct sim_node *sim_node)
{
    return sim_node->index;
}

static void stop_fired(struct sim_event *event)
{
    struct sim_node *sim_node = event->node;
    sim_node->stopping = true;
    for (uint32_t i = 0; i < sim_node->node->shard_count; i++) {
        shard_self_set(sim_node->node->shards[i]);
        reactor_clock(sim_node->node->shards[i]);
        reactor_stop(sim_node->node->shards[i]);
    }
    shard_self_set(NULL);
    // Told again and again: a task may begin to wait anew while it cleans up.
    sim_event_add(event->sim, sim_node, 100 * STOP_CHECK_NS, "stop-again", stop_fired);
}

static void sim_env_node_stop(struct env *env, struct node *node)
{
    struct sim_node *sim_node = sim_node_of(env);
    invariant(sim_node->node == node);
    sim_node->stopping = true;
    sim_event_add(sim_node->sim, sim_node, US, "stop", stop_fired);
}

struct sim_node *sim_node_add(struct sim *sim, uint32_t id)
{
    char name[32];
    invariant(sim->node_count < SIM_NODES_MAX && sim_node_by_id(sim, id) == NULL);
    struct sim_node *sim_node = calloc(1, sizeof *sim_node);
    invariant(sim_node != NULL);
    sim_node->env = (struct env){
        .mono_ns = sim_mono_ns,
        .wall_ns = sim_wall_ns,
        .random = sim_env_random,
        .random_bytes = sim_random_bytes,
        .disk_submit = sim_disk_submit,
        .net_submit = sim_net_submit,
        .helper_submit = sim_helper_submit,
        .message_send = sim_message_send,
        .choose = sim_choose,
        .node_stop = sim_env_node_stop,
        .simulated = true,
    };
    sim_node->sim = sim;
    sim_node->id = id;
    sim_node->index = sim->node_count;
    snprintf(sim_node->address, sizeof sim_node->address, "10.0.0.%" PRIu32, id);
    snprintf(name, sizeof name, "node/%" PRIu32, id);
    sim_node->random = sim_random_named(sim->seed, name);
    sim_node->mono_base_ns = sim_random_between(&sim_node->random, MS, 1000000 * MS);
    list_init(&sim_node->sockets);
    sim_disk_init(sim_node);
    sim->nodes[sim->node_count++] = sim_node;
    return sim_node;
}

void sim_node_straight(struct sim_node *sim_node)
{
    sim_node->straight = true;
}

struct sim_node *sim_node_by_id(struct sim *sim, uint32_t id)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i]->id == id) return sim->nodes[i];
    }
    return NULL;
}

static void init_ended(struct task *task, struct status st, void *arg)
{
    struct sim_node *sim_node = arg;
    if (!failed(st)) return;
    snprintf(sim_node->status_message, sizeof sim_node->status_message, "%s", st.message);
    sim_node->status = status_make(st.code, sim_node->status_message);
    if (!sim_node->stopping) node_stop(task->shard->node);
}

void sim_node_start(
    struct sim_node *sim_node, const struct node_options *options, task_fn init, void *arg)
{
    invariant(sim_node->node == NULL && options->shard_count > 0);
    invariant(options->shard_count <= SIM_SHARDS_MAX);
    sim_node->options = *options;
    sim_node->options.id = sim_node->id;
    if (sim_node->options.fibers_per_shard == 0) sim_node->options.fibers_per_shard = 256;
    if (sim_node->options.sql_memory_bytes == 0) sim_node->options.sql_memory_bytes = 64u << 20;
    sim_node->status = STATUS_OK;
    sim_node->crashed = sim_node->stopping = sim_node->exiting = sim_node->doomed = false;
    sim_node->in_flight = 0;
    sim_node->wall_set_ns = 0; // As the clock is now, wherever it was before.
    sim_node->paused_until_ns = 0;
    memset(sim_node->message_time_ns, 0, sizeof sim_node->message_time_ns);
    sim_node->node = node_create(&sim_node->env, &sim_node->options);
    for (uint32_t i = 0; i < options->shard_count; i++) {
        struct status st = shard_create(sim_node->node, i, &sim_node->options);
        invariant(!failed(st));
    }
    struct task_options task = {.fn = init,
        .arg = arg,
        .kind = "init",
        .class = TASK_SYSTEM,
        .ended = init_ended,
        .ended_arg = sim_node};
    sim_task_start(sim_node, 0, &task);
    note_text(sim_node->sim, "start", sim_node->id, options->shard_count);
}

void sim_task_start(struct sim_node *sim_node, uint32_t shard, const struct task_options *options)
{
    shard_self_set(sim_node->node->shards[shard]);
    reactor_clock(sim_node->node->shards[shard]);
    struct status st = task_start(sim_node->node->shards[shard], options);
    invariant(!failed(st));
    shard_self_set(NULL);
}

struct node *sim_node_running(struct sim_node *sim_node)
{
    return sim_node->node;
}

bool sim_node_stopping(const struct sim_node *sim_node)
{
    return sim_node->node != NULL && sim_node->stopping;
}

uint32_t sim_node_in_flight(const struct sim_node *sim_node)
{
    return sim_node->in_flight;
}

const char *sim_node_address(const struct sim_node *sim_node)
{
    return sim_node->address;
}

uint32_t sim_node_id(const struct sim_node *sim_node)
{
    return sim_node->id;
}

struct status sim_node_status(const struct sim_node *sim_node)
{
    return sim_node->status;
}

bool sim_node_crashed(const struct sim_node *sim_node)
{
    return sim_node->crashed;
}

static void node_down(struct sim_node *sim_node, bool power_lost)
{
    invariant(sim_node->node != NULL && shard_self() == NULL);
    sim_disk_crashed(sim_node, power_lost); // First: it looks at operations in the node's memory.
    sim_net_crashed(sim_node);
    sim_node->incarnation++;
    node_destroy(sim_node->node);
    sim_node->node = NULL;
    sim_node->doomed = false;
    sim_node->in_flight = 0;
    events_trim(sim_node->sim);
}

void sim_node_crash(struct sim_node *sim_node)
{
    note_text(sim_node->sim, "crash", sim_node->id, sim_node->disk.ops);
    node_down(sim_node, true);
    sim_node->crashed = true;
}

void sim_node_kill(struct sim_node *sim_node)
{
    note_text(sim_node->sim, "kill", sim_node->id, sim_node->disk.ops);
    node_down(sim_node, false);
    sim_node->crashed = true;
}

void sim_node_stop(struct sim_node *sim_node)
{
    if (sim_node->node != NULL && !sim_node->stopping)
        sim_env_node_stop(&sim_node->env, sim_node->node);
}

void sim_clock_offset_set(struct sim_node *sim_node, int64_t wall_offset_ns)
{
    sim_node->wall_set_ns = sim_wall_ns(&sim_node->env);
    sim_node->wall_set_at_ns = sim_node->sim->now_ns;
    sim_node->wall_offset_ns = wall_offset_ns;
    sim_node->drift_since_ns = sim_node->sim->now_ns;
}

int64_t sim_clock_error_ns(const struct sim_node *sim_node)
{
    int64_t since_us = (int64_t)((sim_node->sim->now_ns - sim_node->drift_since_ns) / US);
    return sim_node->wall_offset_ns + since_us * sim_node->drift_per_million / 1000;
}

void sim_clock_drift_set(struct sim_node *sim_node, int64_t per_million)
{
    sim_clock_offset_set(sim_node, sim_clock_error_ns(sim_node));
    sim_node->drift_per_million = per_million;
}

void sim_node_pause(struct sim_node *sim_node, uint64_t for_ns)
{
    if (sim_node->node == NULL) return;
    sim_node->paused_until_ns = sim_node->sim->now_ns + for_ns;
    note_text(sim_node->sim, "pause", sim_node->id, for_ns);
}

bool sim_node_paused(const struct sim_node *sim_node)
{
    return sim_node->node != NULL && sim_node->paused_until_ns > sim_node->sim->now_ns;
}

// A stopping node: once all its tasks have ended the exit hooks run, and once all its operations
// have completed it is down.
static void stop_check(struct sim_node *sim_node)
{
    struct node *node = sim_node->node;
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i]->reactor->task_count > 0 || reactor_ready(node->shards[i])) return;
    }
    if (!sim_node->exiting) {
        sim_node->exiting = true;
        for (uint32_t i = 0; i < node->shard_count; i++) {
            shard_self_set(node->shards[i]);
            reactor_exit(node->shards[i]);
        }
        shard_self_set(NULL);
        sim_net_exit(sim_node);
        return;
    }
    if (sim_node->in_flight > 0) return;
    note_text(sim_node->sim, "down", sim_node->id, 0);
    node_down(sim_node, false);
}

// --- the loop ------------------------------------------------------------------------------------

struct sim *sim_create(uint64_t seed, const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof *sim);
    invariant(sim != NULL);
    sim->seed = seed;
    sim->digest = hash_u64(seed);
    if (options != NULL) sim->options = *options;
    struct sim_options *o = &sim->options;
    if (o->disk_latency_max_ns == 0)
        o->disk_latency_min_ns = 20 * US, o->disk_latency_max_ns = 2 * MS;
    if (o->net_latency_max_ns == 0) o->net_latency_min_ns = 50 * US, o->net_latency_max_ns = 5 * MS;
    if (o->message_delay_max_ns == 0) o->message_delay_max_ns = 50 * US;
    sim->sched_random = sim_random_named(seed, "sched");
    sim->net_random = sim_random_named(seed, "net");
    sim->message_random = sim_random_named(seed, "message");
    list_init(&sim->all_sockets);
    marks_watch_memory(refuses_memory, takes_memory);
    acting = NULL;
    marks_begin(seed, o->bend);
    return sim;
}

void sim_destroy(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *sim_node = sim->nodes[i];
        if (sim_node->node != NULL) node_down(sim_node, false);
        sim_disk_fini(sim_node);
        free(sim_node->handles);
    }
    sim_net_fini(sim);
    while (sim->event_count > 0)
        event_free(sim, event_pop(sim));
    while (sim->free_events != NULL) {
        struct sim_event *event = sim->free_events;
        sim->free_events = event->next_free;
        free(event);
    }
    marks_end();
    for (uint32_t i = 0; i < sim->node_count; i++)
        free(sim->nodes[i]);
    free(sim->heap);
    free(sim);
}

uint64_t sim_seed(const struct sim *sim)
{
    return sim->seed;
}

uint64_t sim_now_ns(const struct sim *sim)
{
    return sim->now_ns;
}

uint64_t sim_digest(const struct sim *sim)
{
    return sim->digest;
}

// Runs a few tasks of a shard: a turn of its reactor, often a short one, so that others come
// between.
static void shard_step(struct sim *sim, struct sim_node *sim_node, struct shard *shard)
{
    uint64_t tasks = sim_random_between(&sim->sched_random, 1, TURN_TASKS_MAX);
    shard_self_set(shard);
    acting_begin(sim_node);
    reactor_clock(shard);
    reactor_timers(shard);
    uint32_t ran = 0;
    while (ran < tasks && !sim_node->doomed && reactor_run_one(shard))
        ran++;
    if (!sim_node->doomed) reactor_hooks(shard);
    note_text(sim, "turn", sim_node->id, (uint64_t)shard->index << 8 | ran);
    sim->now_ns += sim_random_between(&sim->sched_random, 200, 3 * US) * (ran + 1);
    acting_end(sim_node);
}

// What could happen next without time passing.
struct chance {
    uint16_t node, shard; // Indexes.
};

// Collects the shards that have something to do; *next_ns is when the first of the others will
// have.
static uint32_t ready_shards(struct sim *sim, struct chance *chances, uint64_t *next_ns)
{
    uint32_t count = 0;
    *next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *sim_node = sim->nodes[i];
        if (sim_node->node == NULL || sim_node->exiting) continue; // Its loops have ended.
        if (sim_node->paused_until_ns > sim->now_ns) {
            if (sim_node->paused_until_ns < *next_ns) *next_ns = sim_node->paused_until_ns;
            continue;
        }
        for (uint32_t j = 0; j < sim_node->node->shard_count; j++) {
            struct shard *shard = sim_node->node->shards[j];
            uint64_t deadline = reactor_deadline_ns(shard);
            uint64_t when = 0;
            if (!reactor_ready(shard)) {
                if (deadline == UINT64_MAX) continue;
                if (deadline > sim_node->mono_base_ns) when = deadline - sim_node->mono_base_ns;
            }
            if (when <= sim->now_ns) {
                chances[count++] = (struct chance){(uint16_t)i, (uint16_t)j};
            } else if (when < *next_ns) {
                *next_ns = when;
            }
        }
    }
    return count;
}

// Time passes up to end_ns at most.
static bool step_until(struct sim *sim, uint64_t end_ns)
{
    struct chance chances[SIM_NODES_MAX * SIM_SHARDS_MAX];
    uint64_t next_ns;
    invariant(shard_self() == NULL);
    events_trim(sim);
    uint32_t count = ready_shards(sim, chances, &next_ns);
    uint64_t event_ns = sim->event_count > 0 ? sim->heap[0]->time_ns : UINT64_MAX;
    bool event_due = event_ns <= sim->now_ns;
    if (count > 0 && (!event_due || sim_random_below(&sim->sched_random, 2) == 0)) {
        uint64_t chosen = count == 1 ? 0 : sim_random_below(&sim->sched_random, count);
        struct sim_node *sim_node = sim->nodes[chances[chosen].node];
        shard_step(sim, sim_node, sim_node->node->shards[chances[chosen].shard]);
    } else if (event_ns == UINT64_MAX && next_ns == UINT64_MAX) {
        return false;
    } else if (!event_due && event_ns > end_ns && next_ns > end_ns) {
        sim->now_ns = end_ns; // All that is to come is later.
    } else if (event_ns <= next_ns) {
        event_fire(sim);
    } else {
        sim->now_ns = next_ns;
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i]->node != NULL && sim->nodes[i]->stopping) stop_check(sim->nodes[i]);
    }
    return true;
}

bool sim_step(struct sim *sim)
{
    return step_until(sim, UINT64_MAX);
}

bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg, uint64_t for_ns)
{
    uint64_t end_ns = for_ns > UINT64_MAX - sim->now_ns ? UINT64_MAX : sim->now_ns + for_ns;
    while (done == NULL || !done(arg)) {
        if (sim->options.until_ns != 0 && sim->now_ns >= sim->options.until_ns) exit(0);
        if (sim->now_ns >= end_ns || !step_until(sim, end_ns)) return false;
    }
    return true;
}

void sim_time_pass(struct sim *sim, uint64_t until_ns)
{
    if (until_ns > sim->now_ns) sim->now_ns = until_ns;
}
