// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reactor.h"

#include <stdlib.h>

#include "core/log.h"

#define HOOK_ROUNDS_MAX 4u

static void big_stack_main(struct fiber *fiber)
{
    struct reactor *reactor = fiber->arg;
    for (;;) {
        reactor->big_fn(reactor->big_arg);
        fiber_suspend(fiber);
    }
}

static struct status reactor_create(
    struct shard *shard, const struct node_options *options, struct reactor **created)
{
    struct status st = STATUS_OK;
    struct reactor *reactor = calloc(1, sizeof *reactor);
    invariant(reactor != NULL);
    uint32_t fibers = options->fibers_per_shard != 0 ? options->fibers_per_shard
                                                     : REACTOR_FIBERS_DEFAULT;
    uint32_t total = 0;
    for (uint32_t lane = 0; lane < REACTOR_LANES; lane++) {
        uint32_t quota = lane <= 1 || lane == REACTOR_LANE_SYSTEM ? fibers : lane == 2 ? fibers / 2 : fibers / 4;
        reactor->fiber_quota[lane] = quota == 0 ? 1 : quota;
        total += reactor->fiber_quota[lane];
        list_init(&reactor->line[lane]);
    }
    reactor->line_max = fibers * 4;
    sched_init(&reactor->sched);
    list_init(&reactor->yielded);
    list_init(&reactor->tasks);
    wait_queue_init(&reactor->signal_waiters);
    reactor->hooks_end = &reactor->hooks;
    reactor->local_end = &reactor->local;
    reactor->now_ns = shard->env->mono_ns(shard->env);
    timer_wheel_init(&reactor->timers, reactor->now_ns);
    size_t stack = options->fiber_stack_bytes != 0 ? options->fiber_stack_bytes
                                                   : REACTOR_STACK_DEFAULT;
    *created = reactor;
    TRY(fiber_pool_init(&reactor->fibers, total, (stack + 4095) / 4096 * 4096, task_fiber_main));
    TRY(fiber_init(&reactor->big_stack, REACTOR_BIG_STACK_BYTES, big_stack_main));
    reactor->big_stack.arg = reactor;
out:
    return st;
}

struct status shard_create(struct node *node, uint32_t index, const struct node_options *options)
{
    struct shard *shard = calloc(1, sizeof *shard);
    invariant(shard != NULL && index < node->shard_count && node->shards[index] == NULL);
    shard->index = index;
    shard->node = node;
    shard->env = node->env;
    node->shards[index] = shard;
    hlc_init(&shard->hlc, node->env);
    memory_account_init(
        &shard->account, NULL, "SQL memory", options->sql_memory_bytes / node->shard_count);
    return reactor_create(shard, options, &shard->reactor);
}

void shard_destroy(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    struct list_link *link;
    if (reactor->net_fini != NULL) reactor->net_fini(shard);
    while ((link = list_pop(&reactor->tasks)) != NULL)
        task_discard(container_of(link, struct task, all_link));
    fiber_fini(&reactor->big_stack);
    deep_stacks_fini(reactor);
    fiber_pool_fini(&reactor->fibers);
    sched_fini(&reactor->sched);
    task_blocks_free(reactor);
    shard->node->shards[shard->index] = NULL;
    free(reactor);
    free(shard);
}

// --- a turn -------------------------------------------------------------------------------------

void reactor_clock(struct shard *shard)
{
    shard->reactor->now_ns = shard->env->mono_ns(shard->env);
}

static void local_messages(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    struct shard_message *message = reactor->local;
    reactor->local = NULL;
    reactor->local_end = &reactor->local;
    while (message != NULL) {
        struct shard_message *next = message->next;
        message->deliver(shard, message);
        message = next;
    }
}

void reactor_timers(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    if (reactor->timers.count > 0) timer_wheel_advance(&reactor->timers, reactor->now_ns);
    if (reactor->local != NULL) local_messages(shard);
    struct list_link *link;
    while ((link = list_pop(&reactor->yielded)) != NULL)
        sched_push(&reactor->sched, container_of(link, struct task, run_link));
}

bool reactor_run_one(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    uint32_t ready = sched_ready_count(&reactor->sched);
    if (ready == 0) return false;
    struct task *task;
    if (shard->env->choose == NULL) {
        task = sched_pop(&reactor->sched);
    } else {
        task = sched_pop_index(&reactor->sched, shard->env->choose(shard->env, shard, ready));
    }
    task_run(shard, task);
    return true;
}

void reactor_hooks(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    // A hook may arm others (the log's durability callbacks write to connections): a few rounds.
    for (uint32_t round = 0; reactor->hooks != NULL && round < HOOK_ROUNDS_MAX; round++) {
        reactor->hooks_running = reactor->hooks;
        reactor->hooks = NULL;
        reactor->hooks_end = &reactor->hooks;
        while (reactor->hooks_running != NULL) {
            struct turn_hook *hook = reactor->hooks_running;
            reactor->hooks_running = hook->next;
            hook->armed = false;
            hook->next = NULL;
            hook->fn(hook);
        }
    }
}

bool reactor_ready(const struct shard *shard)
{
    const struct reactor *reactor = shard->reactor;
    return sched_ready_count(&reactor->sched) > 0 || !list_empty(&reactor->yielded) ||
           reactor->local != NULL || reactor->hooks != NULL;
}

bool reactor_turn(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    reactor_clock(shard);
    reactor_timers(shard);
    uint64_t end_ns = reactor->now_ns + REACTOR_TURN_NS;
    for (uint32_t i = 0; i < REACTOR_TURN_TASKS; i++) {
        if (!reactor_run_one(shard) || reactor->now_ns > end_ns) break;
    }
    reactor_hooks(shard);
    return reactor_ready(shard);
}

uint64_t reactor_deadline_ns(const struct shard *shard)
{
    if (reactor_ready(shard)) return shard->reactor->now_ns;
    return timer_wheel_next_ns(&shard->reactor->timers);
}

// --- the end --------------------------------------------------------------------------------------

void reactor_stop(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    reactor->stopping = true;
    struct list_link *link = reactor->tasks.next;
    while (link != &reactor->tasks) {
        struct task *task = container_of(link, struct task, all_link);
        link = link->next;
        task_cancel(task, status_make(E_ADMIN_SHUTDOWN, "the server is shutting down"));
    }
}

void reactor_exit(struct shard *shard)
{
    struct reactor *reactor = shard->reactor;
    while (reactor->exit_hooks != NULL) {
        struct shard_exit_hook *hook = reactor->exit_hooks;
        reactor->exit_hooks = hook->next;
        hook->fn(hook);
    }
}

void reactor_signal(struct shard *shard, int signal_number)
{
    shard->reactor->signal_number = signal_number;
    wait_queue_wake_all(&shard->reactor->signal_waiters, STATUS_OK);
}
