// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/deep.h"

#include <stdlib.h>

#include "core/reactor.h"
#include "core/work.h"

#define KEEP_BYTES (64u << 10)
#define STEP_WORK 128u // Bytes that a step of deep_goes_on counts for.

struct deep_stack {
    struct fiber fiber;
    void (*fn)(void *arg); // NULL when it has returned.
    void *arg;
    struct deep_stack *next; // Among those that are free.
};

static void deep_main(struct fiber *fiber)
{
    struct deep_stack *stack = fiber->arg;
    for (;;) {
        stack->fn(stack->arg);
        stack->fn = NULL;
        fiber_suspend(fiber);
    }
}

static struct deep_stack *take(struct reactor *reactor)
{
    struct deep_stack *stack = reactor->deep_free;
    if (stack != NULL) {
        reactor->deep_free = stack->next;
        return stack;
    }
    if (reactor->deep_count == DEEP_STACKS_MAX) return NULL;
    stack = calloc(1, sizeof *stack);
    invariant(stack != NULL);
    if (failed(fiber_init(&stack->fiber, DEEP_STACK_BYTES, deep_main))) {
        free(stack);
        return NULL;
    }
    stack->fiber.arg = stack;
    reactor->deep_stacks[reactor->deep_count++] = stack;
    return stack;
}

static void give_back(struct reactor *reactor, struct deep_stack *stack)
{
    fiber_trim(&stack->fiber, KEEP_BYTES);
    stack->next = reactor->deep_free;
    reactor->deep_free = stack;
}

void deep_call(struct task *task, void (*fn)(void *arg), void *arg)
{
    struct reactor *reactor = task == NULL ? NULL : task->shard->reactor;
    if (reactor != NULL && reactor->deep != NULL) {
        fn(arg); // It is on one already.
        return;
    }
    struct deep_stack *stack = reactor == NULL || task->nosuspend_depth > 0 ? NULL : take(reactor);
    if (stack == NULL) {
        stack_call(fn, arg);
        return;
    }
    invariant(reactor->current == task);
    stack->fn = fn;
    stack->arg = arg;
    for (;;) {
        reactor->deep = &stack->fiber;
        fiber_resume(&stack->fiber);
        reactor->deep = NULL;
        if (stack->fn == NULL) break;
        fiber_suspend(task->fiber); // It yielded: so does all of the task.
    }
    give_back(reactor, stack);
}

struct status task_poll(struct task *task)
{
    if (task == NULL || task->nosuspend_depth > 0) return STATUS_OK;
    return task_yield_if_due(task);
}

bool deep_goes_on(uint32_t steps)
{
    struct task *task = task_current();
    if (task == NULL || task->nosuspend_depth != 1 || task->shard->reactor->deep == NULL) return true;
    if (task->cancelled) return false; // At once: whoever goes on regardless shall not do so until the next look.
    nosuspend_end(task);
    const struct status st = task_work(task, (uint64_t)steps * STEP_WORK);
    nosuspend_begin(task);
    return !failed(st);
}

void deep_stacks_fini(struct reactor *reactor)
{
    for (uint32_t i = 0; i < reactor->deep_count; i++) {
        fiber_fini(&reactor->deep_stacks[i]->fiber);
        free(reactor->deep_stacks[i]);
    }
}
