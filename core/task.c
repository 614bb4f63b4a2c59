// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/task.h"

#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/linger.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/reactor.h"
#include "core/work.h"

#define TASKS_PER_BLOCK 64u

static const struct status status_deadline = {
    E_QUERY_CANCELED, RETRY_NEVER, 0, "canceling statement due to statement timeout"};

// --- memory of tasks --------------------------------------------------------------------------------

struct task_block {
    struct task_block *next;
    struct task tasks[TASKS_PER_BLOCK];
};

static struct task *task_alloc(struct reactor *reactor)
{
#ifdef ISOPOD_ASAN
    (void)reactor;
    return calloc(1, sizeof(struct task)); // So that use after the end is caught.
#else
    if (reactor->free_tasks == NULL) {
        struct task_block *block = calloc(1, sizeof *block);
        invariant(block != NULL);
        block->next = reactor->task_blocks;
        reactor->task_blocks = block;
        for (uint32_t i = 0; i < TASKS_PER_BLOCK; i++) {
            block->tasks[i].arg = reactor->free_tasks;
            reactor->free_tasks = &block->tasks[i];
        }
    }
    struct task *task = reactor->free_tasks;
    reactor->free_tasks = task->arg;
    *task = (struct task){0};
    return task;
#endif
}

static void task_free(struct reactor *reactor, struct task *task)
{
#ifdef ISOPOD_ASAN
    (void)reactor;
    free(task);
#else
    task->state = TASK_ENDED;
    task->arg = reactor->free_tasks;
    reactor->free_tasks = task;
#endif
}

void task_blocks_free(struct reactor *reactor)
{
    while (reactor->task_blocks != NULL) {
        struct task_block *block = reactor->task_blocks;
        reactor->task_blocks = block->next;
        free(block);
    }
}

// --- start and end ----------------------------------------------------------------------------------

// Whose quota of fibers it counts in.
static uint32_t lane_of(const struct task *task)
{
    return task->call_depth == 0 && task->class == TASK_SYSTEM ? REACTOR_LANE_SYSTEM : task->call_depth;
}

struct status task_start_call(struct shard *shard, const struct task_options *options,
    uint8_t call_depth, struct task **started)
{
    struct reactor *reactor = shard->reactor;
    invariant(options->fn != NULL && options->kind != NULL);
    if (call_depth == 0) {
        uint32_t lane = options->class == TASK_SYSTEM ? REACTOR_LANE_SYSTEM : 0;
        if (reactor->stopping) return status_make(E_ADMIN_SHUTDOWN, "the server is shutting down");
        if (reactor->line_count[lane] >= reactor->line_max)
            return status_make(E_TOO_MANY_CONNECTIONS, "too many tasks wait to be started");
    }
    struct task *task = task_alloc(reactor);
    task->shard = shard;
    task->tenant = options->tenant;
    task->deadline_ns = options->deadline_ns == 0 ? UINT64_MAX : options->deadline_ns;
    task->kind = options->kind;
    task->class = options->class;
    task->user = options->user;
    task->fn = options->fn;
    task->arg = options->arg;
    task->ended = options->ended;
    task->ended_arg = options->ended_arg;
    task->call_depth = call_depth;
    task->arena = &task->own_arena;
    arena_init(
        &task->own_arena, options->account != NULL ? options->account : &shard->account);
    task->sched_tenant = sched_tenant(&reactor->sched, task->tenant);
    list_append(&reactor->tasks, &task->all_link);
    reactor->task_count++;
    reactor->tasks_started++;
    if (call_depth == 0) reactor->line_count[lane_of(task)]++;
    sched_push(&reactor->sched, task);
    if (started != NULL) *started = task;
    return STATUS_OK;
}

struct status task_start(struct shard *shard, const struct task_options *options)
{
    return task_start_call(shard, options, 0, NULL);
}

void task_fiber_main(struct fiber *fiber)
{
    for (;;) {
        struct task *task = fiber->arg;
        task->end_status = task->fn(task, task->arg);
        invariant(task->nosuspend_depth == 0);
        task->state = TASK_ENDED;
        fiber_suspend(fiber);
    }
}

// A new task gets its stack when it first runs: tasks that end without waiting share one.
static bool task_take_fiber(struct reactor *reactor, struct task *task)
{
    uint32_t lane = lane_of(task);
    if (reactor->fibers_used[lane] < reactor->fiber_quota[lane]) {
        task->fiber = fiber_acquire(&reactor->fibers);
        if (task->fiber != NULL) {
            reactor->fibers_used[lane]++;
            if (task->call_depth == 0) reactor->line_count[lane]--;
            task->fiber->arg = task;
            return true;
        }
    }
    if (lane == 0) {
        sched_line_push(&reactor->sched, task);
    } else {
        list_append(&reactor->line[lane], &task->run_link);
    }
    return false;
}

// The next in line for the fiber, if any: of any lane whose quota allows, first the system's, then the deepest.
static struct task *line_next(struct reactor *reactor)
{
    for (uint32_t lane = REACTOR_LANES - 1; lane > 0; lane--) {
        if (reactor->fibers_used[lane] >= reactor->fiber_quota[lane]) continue;
        struct list_link *link = list_pop(&reactor->line[lane]);
        if (link != NULL) return container_of(link, struct task, run_link);
    }
    if (reactor->fibers_used[0] >= reactor->fiber_quota[0]) return NULL;
    return sched_line_pop(&reactor->sched);
}

static void kind_note(struct reactor *reactor, const struct task *task)
{
    size_t used = fiber_high_water(task->fiber);
    if (used == 0) return;
    uint32_t i = 0;
    while (i < REACTOR_KINDS && reactor->kinds[i].kind != NULL &&
           reactor->kinds[i].kind != task->kind)
        i++;
    if (i == REACTOR_KINDS) return;
    reactor->kinds[i].kind = task->kind;
    if (used > reactor->kinds[i].high_water_bytes) reactor->kinds[i].high_water_bytes = used;
    if (used * 4 > task->fiber->stack_bytes * 3 && !reactor->kinds[i].warned) {
        reactor->kinds[i].warned = true;
        log_error(0, "task kind %s used %zu of %zu bytes of stack", task->kind, used,
            task->fiber->stack_bytes);
    }
}

static void task_finish(struct shard *shard, struct task *task)
{
    struct reactor *reactor = shard->reactor;
    kind_note(reactor, task);
    fiber_release(&reactor->fibers, task->fiber);
    reactor->fibers_used[lane_of(task)]--;
    task->fiber = NULL;
    if (task->ended != NULL) task->ended(task, task->end_status, task->ended_arg);
    arena_fini(&task->own_arena);
    list_remove(&task->all_link);
    reactor->task_count--;
    task_free(reactor, task);

    struct task *next = line_next(reactor);
    if (next != NULL && task_take_fiber(reactor, next)) sched_push(&reactor->sched, next);
}

void task_run(struct shard *shard, struct task *task)
{
    struct reactor *reactor = shard->reactor;
    invariant(task->shard == shard && reactor->current == NULL);
    if (task->fiber == NULL && !task_take_fiber(reactor, task)) return;
    task->state = TASK_RUNNING;
    task->run_started_ns = reactor->now_ns;
    reactor->current = task;
    __atomic_store_n(&reactor->running_since_ns, reactor->now_ns, __ATOMIC_RELAXED);
    fiber_resume(task->fiber);
    __atomic_store_n(&reactor->running_since_ns, 0, __ATOMIC_RELAXED);
    reactor->current = NULL;
    reactor->now_ns = shard->env->mono_ns(shard->env);
    uint64_t ran_ns = reactor->now_ns - task->run_started_ns;
    sched_charge(&reactor->sched, task, ran_ns);
    if (UNLIKELY(ran_ns >= STALL_NS) && shard->env->task_stalled != NULL)
        shard->env->task_stalled(shard->env, shard, task, ran_ns);
    if (task->state == TASK_ENDED) task_finish(shard, task);
}

// Drops a task that is suspended in the middle, without running it again (a simulated crash).
void task_discard(struct task *task)
{
    arena_fini(&task->own_arena);
    task_free(task->shard->reactor, task);
}

bool linger_begin(struct task *task)
{
    struct reactor *reactor = task->shard->reactor;
    const uint32_t lane = lane_of(task), quota = reactor->fiber_quota[lane];
    struct sched_tenant *tenant = task->sched_tenant;
    static_assert(sizeof tenant->lingering == sizeof reactor->lingering, "a count for each lane");
    if (reactor->lingering[lane] >= quota - (quota + 3) / 4 || tenant->lingering[lane] >= quota / 2) {
        covered("linger.refused");
        return false;
    }
    reactor->lingering[lane]++;
    tenant->lingering[lane]++;
    return true;
}

void linger_end(struct task *task)
{
    const uint32_t lane = lane_of(task);
    invariant(task->shard->reactor->lingering[lane] > 0 && task->sched_tenant->lingering[lane] > 0);
    task->shard->reactor->lingering[lane]--;
    task->sched_tenant->lingering[lane]--;
}

struct status linger_refused(void)
{
    return status_make(E_TOO_MANY_CONNECTIONS, "too many statements wait for locks or clients");
}

struct task *task_current(void)
{
    struct shard *shard = shard_self();
    return shard == NULL ? NULL : shard->reactor->current;
}

// --- waiting ----------------------------------------------------------------------------------------

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->head);
}

bool wait_queue_empty(const struct wait_queue *queue)
{
    return list_empty(&queue->head);
}

static void task_suspend(struct task *task)
{
    struct reactor *reactor = task->shard->reactor;
    invariant(reactor->current == task);
    invariant(task->nosuspend_depth == 0);
    fiber_suspend(reactor->deep != NULL ? reactor->deep : task->fiber);
}

bool task_interrupted(struct task *task, struct status *st)
{
    if (task->cancelled) {
        *st = task->cancel_status;
        return true;
    }
    if (task->deadline_ns <= task->shard->reactor->now_ns) {
        *st = status_deadline;
        return true;
    }
    return false;
}

static void wait_end(struct task *task, struct status st)
{
    if (list_linked(&task->wait_link)) list_remove(&task->wait_link);
    if (task->timer.armed) timer_wheel_disarm(&task->shard->reactor->timers, &task->timer);
    task->wake_status = st;
    task->state = TASK_READY;
    sched_push(&task->shard->reactor->sched, task);
}

static void wait_timed_out(struct timer *timer)
{
    struct task *task = container_of(timer, struct task, timer);
    invariant(task->state == TASK_WAITING);
    wait_end(task, task->wait_timeout_status);
}

struct status task_wait_until(struct task *task, struct wait_queue *queue, uint64_t deadline_ns,
    struct status timeout_status)
{
    struct reactor *reactor = task->shard->reactor;
    invariant(reactor->current == task && task->nosuspend_depth == 0);
    struct status st;
    if (task_interrupted(task, &st)) return st;
    task->wait_timeout_status = timeout_status;
    if (task->deadline_ns < deadline_ns) {
        deadline_ns = task->deadline_ns;
        task->wait_timeout_status = status_deadline;
    }
    if (deadline_ns != UINT64_MAX) {
        if (deadline_ns <= reactor->now_ns) return task->wait_timeout_status;
        task->timer.fire = wait_timed_out;
        timer_wheel_arm(&reactor->timers, &task->timer, deadline_ns);
    }
    if (queue != NULL) list_append(&queue->head, &task->wait_link);
    task->state = TASK_WAITING;
    task_suspend(task);
    return task->wake_status;
}

struct status task_wait(struct task *task, struct wait_queue *queue)
{
    return task_wait_until(task, queue, UINT64_MAX, STATUS_OK);
}

void task_wake(struct task *task, struct status st)
{
    if (task->state == TASK_WAITING && task->parked_on == NULL) wait_end(task, st);
}

bool wait_queue_wake_one(struct wait_queue *queue, struct status st)
{
    if (list_empty(&queue->head)) return false;
    wait_end(container_of(queue->head.next, struct task, wait_link), st);
    return true;
}

void wait_queue_wake_all(struct wait_queue *queue, struct status st)
{
    while (wait_queue_wake_one(queue, st)) {
    }
}

struct status task_sleep(struct task *task, uint64_t duration_ns)
{
    uint64_t now_ns = task_now_ns(task);
    uint64_t until_ns = duration_ns > UINT64_MAX - 1 - now_ns ? UINT64_MAX - 1 : now_ns + duration_ns;
    return task_wait_until(task, NULL, until_ns, STATUS_OK);
}

struct status task_yield(struct task *task)
{
    struct reactor *reactor = task->shard->reactor;
    invariant(reactor->current == task);
    struct status st;
    if (task_interrupted(task, &st)) return st;
    task->state = TASK_READY;
    list_append(&reactor->yielded, &task->run_link);
    task_suspend(task);
    return task_interrupted(task, &st) ? st : STATUS_OK;
}

struct status task_check(struct task *task)
{
    struct status st;
    return task_interrupted(task, &st) ? st : STATUS_OK;
}

struct status task_work(struct task *task, uint64_t bytes)
{
    if (task == NULL) return STATUS_OK;
    struct reactor *reactor = task->shard->reactor;
    if ((reactor->work_bytes += bytes) < WORK_BYTES || task->nosuspend_depth > 0) return STATUS_OK;
    reactor->work_bytes = 0;
    return task_yield_if_due(task);
}

bool task_goes_on(uint64_t bytes)
{
    return !failed(task_work(task_current(), bytes));
}

size_t task_copy_to(uint8_t *to, struct bytes bytes)
{
    size_t at = 0;
    for (; bytes.size - at > 2 * WORK_BYTES; at += WORK_BYTES) {
        if (!task_goes_on(WORK_BYTES)) return at;
        memcpy(to + at, bytes.data + at, WORK_BYTES);
    }
    if (bytes.size > at) memcpy(to + at, bytes.data + at, bytes.size - at);
    return bytes.size;
}

struct bytes task_copy(struct arena *arena, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.size);
    (void)task_copy_to(copy, bytes);
    return bytes_of(copy, bytes.size);
}

void task_append(struct buffer *out, struct bytes bytes)
{
    uint8_t *to = buffer_reserve(out, bytes.size);
    out->size += task_copy_to(to, bytes);
}

struct status task_yield_if_due(struct task *task)
{
    struct env *env = task->shard->env;
    struct status st;
    if (UNLIKELY(task_interrupted(task, &st))) return st;
    if (env->mono_ns(env) - task->run_started_ns < TASK_QUOTA_NS) return STATUS_OK;
    return task_yield(task);
}

uint64_t task_now_ns(struct task *task)
{
    struct env *env = task->shard->env;
    return env->simulated ? task->shard->reactor->now_ns : env->mono_ns(env);
}

void task_park(struct task *task, const void *on)
{
    task->parked_on = on;
    task->state = TASK_WAITING;
    task_suspend(task);
}

void task_unpark(struct task *task)
{
    invariant(task->state == TASK_WAITING && task->parked_on != NULL);
    task->parked_on = NULL;
    task->state = TASK_READY;
    sched_push(&task->shard->reactor->sched, task);
}

void task_cancel_clear(struct task *task)
{
    task->cancelled = false;
    task->cancel_status = STATUS_OK;
}

struct status task_uncancelled(struct task *task, task_fn fn, void *arg)
{
    bool cancelled = task->cancelled;
    struct status cancel_status = task->cancel_status;
    uint64_t deadline_ns = task->deadline_ns;
    if (cancelled) task_cancel_clear(task);
    task->deadline_ns = UINT64_MAX;
    struct status st = fn(task, arg);
    task->deadline_ns = deadline_ns;
    if (cancelled && !task->cancelled) task_cancel(task, cancel_status);
    return st;
}

// --- elsewhere --------------------------------------------------------------------------------------

struct helper_frame {
    struct task *task;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void helper_run(void *arg)
{
    struct helper_frame *frame = arg;
    frame->fn(frame->arg);
}

static void helper_done(void *arg)
{
    struct helper_frame *frame = arg;
    frame->done = true;
    task_unpark(frame->task);
}

struct status helper_call(struct task *task, void (*fn)(void *arg), void *arg)
{
    struct status st;
    if (task_interrupted(task, &st)) return st;
    struct helper_frame frame = {.task = task, .fn = fn, .arg = arg};
    struct env *env = task->shard->env;
    env->helper_submit(env, task->shard, helper_run, helper_done, &frame);
    while (!frame.done)
        task_park(task, &frame);
    return STATUS_OK;
}

#define BIG_STACK_KEEP_BYTES (1u << 20)
#define BIG_STACK_TRIM_CALLS 1024u

void stack_call(void (*fn)(void *arg), void *arg)
{
    struct shard *shard = shard_self();
    // Without a shard (tools, helpers) the thread's own stack is big; on the big stack it is here.
    if (shard == NULL || shard->reactor->big_stack.running) {
        fn(arg);
        return;
    }
    struct reactor *reactor = shard->reactor;
    struct task *task = reactor->current;
    if (task != NULL) nosuspend_begin(task);
    reactor->big_fn = fn;
    reactor->big_arg = arg;
    fiber_resume(&reactor->big_stack);
    if (++reactor->big_calls % BIG_STACK_TRIM_CALLS == 0)
        fiber_trim(&reactor->big_stack, BIG_STACK_KEEP_BYTES);
    if (task != NULL) nosuspend_end(task);
}
