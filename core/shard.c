// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/shard.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/reactor.h"

static _Thread_local struct shard *self;

struct shard *shard_self(void)
{
    return self;
}

void shard_self_set(struct shard *shard)
{
    self = shard;
}

struct node *node_create(struct env *env, const struct node_options *options)
{
    struct node *node = calloc(1, sizeof *node);
    invariant(node != NULL && options->shard_count > 0);
    node->id = options->id;
    node->env = env;
    node->shard_count = options->shard_count;
    node->shards = calloc(options->shard_count, sizeof *node->shards);
    invariant(node->shards != NULL);
    return node;
}

void node_destroy(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i] != NULL) shard_destroy(node->shards[i]);
    }
    for (struct node_exit_hook *hook = node->exit_hooks; hook != NULL;) {
        struct node_exit_hook *next = hook->next;
        hook->fn(hook);
        hook = next;
    }
    free(node->shards);
    free(node);
}

void node_at_exit(struct node *node, struct node_exit_hook *hook)
{
    hook->next = node->exit_hooks;
    node->exit_hooks = hook;
}

void node_stop(struct node *node)
{
    node->env->node_stop(node->env, node);
}

bool node_stopping(const struct node *node)
{
    invariant(self != NULL && self->node == node);
    return self->reactor->stopping;
}

struct status node_wait_signal(struct task *task, int *signal_number)
{
    struct env *env = task->shard->env;
    if (env->signals_enable != NULL) env->signals_enable(env);
    struct status st = task_wait(task, &task->shard->reactor->signal_waiters);
    *signal_number = task->shard->reactor->signal_number;
    return st;
}

void node_signal(struct node *node, int signal_number)
{
    if (node->env->node_signal != NULL) node->env->node_signal(node->env, signal_number);
}

struct status node_wait_attention(struct task *task)
{
    return task_wait(task, &task->shard->reactor->signal_waiters);
}

void turn_hook_arm(struct shard *shard, struct turn_hook *hook)
{
    if (hook->armed) return;
    struct reactor *reactor = shard->reactor;
    hook->armed = true;
    hook->next = NULL;
    *reactor->hooks_end = hook;
    reactor->hooks_end = &hook->next;
}

static bool hook_unlink(struct turn_hook **list, struct turn_hook ***end, struct turn_hook *hook)
{
    for (struct turn_hook **at = list; *at != NULL; at = &(*at)->next) {
        if (*at != hook) continue;
        *at = hook->next;
        if (hook->next == NULL && end != NULL) *end = at;
        return true;
    }
    return false;
}

void turn_hook_disarm(struct shard *shard, struct turn_hook *hook)
{
    if (!hook->armed) return;
    struct reactor *reactor = shard->reactor;
    // In the list being run, when one hook disarms another.
    bool found = hook_unlink(&reactor->hooks, &reactor->hooks_end, hook) ||
                 hook_unlink(&reactor->hooks_running, NULL, hook);
    invariant(found);
    hook->armed = false;
    hook->next = NULL;
}

void shard_at_exit(struct shard *shard, struct shard_exit_hook *hook)
{
    hook->next = shard->reactor->exit_hooks;
    shard->reactor->exit_hooks = hook;
}

void timer_arm(struct shard *shard, struct timer *timer, uint64_t deadline_ns)
{
    timer_wheel_arm(&shard->reactor->timers, timer, deadline_ns);
}

void timer_disarm(struct shard *shard, struct timer *timer)
{
    timer_wheel_disarm(&shard->reactor->timers, timer);
}

uint64_t shard_now_ns(struct shard *shard)
{
    return shard->reactor->now_ns;
}

void shard_tenant_weight_set(struct shard *shard, uint64_t tenant, uint32_t weight)
{
    if (weight < 1) weight = 1;
    if (weight > SCHED_WEIGHT_MAX) weight = SCHED_WEIGHT_MAX;
    sched_tenant(&shard->reactor->sched, tenant)->weight = weight;
}

uint64_t shard_tenant_cpu_ns(struct shard *shard, uint64_t tenant)
{
    return sched_tenant(&shard->reactor->sched, tenant)->cpu_ns;
}

uint64_t shard_stack_high_water(struct shard *shard, const char *kind)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < REACTOR_KINDS; i++) {
        const char *name = shard->reactor->kinds[i].kind;
        if (name == NULL) break;
        if (kind != NULL && __builtin_strcmp(kind, name) != 0) continue;
        if (shard->reactor->kinds[i].high_water_bytes > most)
            most = shard->reactor->kinds[i].high_water_bytes;
    }
    return most;
}

void shard_send(struct shard *from, uint32_t target, struct shard_message *message)
{
    invariant(target < from->node->shard_count && message->deliver != NULL);
    message->next = NULL;
    if (target == from->index) {
        *from->reactor->local_end = message;
        from->reactor->local_end = &message->next;
        return;
    }
    from->env->message_send(from->env, from, from->node->shards[target], message);
}

// --- calls ------------------------------------------------------------------------------------------
//
// A call is a message to the target, which starts the callee; its end is a message back. The frame is the
// caller's memory and is away until the answer is here. A cancel is a second message in the same frame,
// which comes back as a receipt: the caller waits for every message that is still away.

static void frame_home(struct shard_call_frame *frame)
{
    invariant(*frame->pending > 0);
    (*frame->pending)--;
    // A caller that is not waiting yet (it is still sending others) looks at the count before it does.
    if (*frame->pending == 0 && frame->caller->parked_on == frame->pending)
        task_unpark(frame->caller);
}

static void answer_deliver(struct shard *shard, struct shard_message *message)
{
    (void)shard;
    frame_home(container_of(message, struct shard_call_frame, message));
}

static void call_ended(struct task *callee, struct status st, void *arg)
{
    struct shard_call_frame *frame = arg;
    frame->callee = NULL;
    frame->status = STATUS_OK;
    if (failed(st)) {
        arena_init(&frame->status_arena, NULL);
        frame->status = status_copy(&frame->status_arena, st);
    }
    frame->message.deliver = answer_deliver;
    shard_send(callee->shard, frame->caller->shard->index, &frame->message);
}

static void call_deliver(struct shard *shard, struct shard_message *message)
{
    struct shard_call_frame *frame = container_of(message, struct shard_call_frame, message);
    // Suspended, or in a call of its own shard (shard_call_many), which leaves these fields as they are.
    const struct task *caller = frame->caller;
    struct task_options options = {
        .fn = frame->fn,
        .arg = frame->arg,
        .kind = caller->kind,
        .tenant = caller->tenant,
        .deadline_ns = frame->deadline_ns,
        .class = caller->class,
        .ended = call_ended,
        .ended_arg = frame,
    };
    struct status st =
        task_start_call(shard, &options, (uint8_t)(caller->call_depth + 1), &frame->callee);
    invariant(!failed(st)); // Calls are not refused: their number is bounded by their callers'.
}

static void cancel_home(struct shard *shard, struct shard_message *message)
{
    (void)shard;
    frame_home(container_of(message, struct shard_call_frame, cancel));
}

static void cancel_deliver(struct shard *shard, struct shard_message *message)
{
    struct shard_call_frame *frame = container_of(message, struct shard_call_frame, cancel);
    if (frame->callee != NULL) task_cancel(frame->callee, frame->cancel_status);
    frame->cancel.deliver = cancel_home;
    shard_send(shard, frame->caller->shard->index, &frame->cancel);
}

static void cancel_forward(struct task *task)
{
    for (struct shard_call_frame *frame = task->inner_call; frame != NULL; frame = frame->next) {
        if (frame->cancel_sent) continue; // One is on its way, or has been.
        frame->cancel_sent = true;
        frame->cancel.deliver = cancel_deliver;
        frame->cancel_status = task->cancel_status;
        (*frame->pending)++;
        shard_send(task->shard, frame->target, &frame->cancel);
    }
}

void task_cancel(struct task *task, struct status st)
{
    invariant(failed(st));
    task->cancelled = true;
    task->cancel_status = st;
    task_wake(task, st);
    cancel_forward(task);
}

static void frame_send(struct shard_call_frame *frame)
{
    struct task *caller = frame->caller;
    frame->message.deliver = call_deliver;
    frame->deadline_ns = caller->deadline_ns;
    (*frame->pending)++;
    frame->next = caller->inner_call;
    caller->inner_call = frame;
    shard_send(caller->shard, frame->target, &frame->message);
}

static struct status frame_take_status(struct task *task, struct shard_call_frame *frame)
{
    if (!failed(frame->status)) return STATUS_OK;
    struct status st = status_copy(task->arena, frame->status);
    arena_fini(&frame->status_arena);
    return st;
}

static bool call_refused(struct task *task, struct status *st)
{
    if (task_interrupted(task, st)) return true;
    if (task->call_depth < SHARD_CALL_DEPTH_MAX) return false;
    *st = status_make(E_STATEMENT_TOO_COMPLEX, "too many calls between shards within each other");
    return true;
}

struct status shard_call(struct task *task, uint32_t target, task_fn fn, void *arg)
{
    if (target == task->shard->index) return fn(task, arg);
    invariant(task->nosuspend_depth == 0 && task->inner_call == NULL);
    struct status st;
    if (call_refused(task, &st)) return st;
    uint32_t pending = 0;
    struct shard_call_frame frame = {
        .caller = task, .target = target, .fn = fn, .arg = arg, .pending = &pending};
    frame_send(&frame);
    while (pending > 0)
        task_park(task, &pending);
    task->inner_call = NULL;
    return frame_take_status(task, &frame);
}

struct status shard_call_many(struct task *task, struct shard_call_item *calls, uint32_t count)
{
    invariant(task->nosuspend_depth == 0 && task->inner_call == NULL);
    struct status st;
    if (call_refused(task, &st)) {
        for (uint32_t i = 0; i < count; i++)
            calls[i].status = st;
        return st;
    }
    uint32_t pending = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (calls[i].target == task->shard->index) continue;
        calls[i].frame = (struct shard_call_frame){.caller = task,
            .target = calls[i].target,
            .fn = calls[i].fn,
            .arg = calls[i].arg,
            .pending = &pending};
        frame_send(&calls[i].frame);
    }
    // Its own calls may wait, and call further: what is away is put aside meanwhile.
    struct shard_call_frame *away = task->inner_call;
    for (uint32_t i = 0; i < count; i++) {
        if (calls[i].target != task->shard->index) continue;
        task->inner_call = NULL;
        calls[i].status = calls[i].fn(task, calls[i].arg);
        task->inner_call = away;
    }
    if (task->cancelled) cancel_forward(task);
    while (pending > 0)
        task_park(task, &pending);
    task->inner_call = NULL;
    st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (calls[i].target != task->shard->index)
            calls[i].status = frame_take_status(task, &calls[i].frame);
        if (failed(calls[i].status) && !failed(st)) st = calls[i].status;
    }
    return st;
}

struct status shard_call_all(struct task *task, task_fn fn, void *arg)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
        TRY(shard_call(task, i, fn, arg));
out:
    return st;
}
