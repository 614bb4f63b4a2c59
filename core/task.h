// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tasks: one request's work on one shard. A task is a fiber, an arena, a tenant and a deadline; code
// that waits is straight-line C on its stack. A function that may suspend takes `struct task *task`
// first; one without it cannot.
//
// This module is what code above core needs to run, wait, call another shard and be cancelled. The
// reactor that turns the tasks is core/shard.h; the stacks are core/fiber.h.
//
// Shard    A task lives and dies on one shard. shard_call runs another task there for the caller.
// Time     Monotonic nanoseconds (task_now_ns); deadlines are absolute.
// Memory   task->arena is the task's own, freed when it ends.
// Errors   Every suspension can return 57014 (cancelled, or past its deadline) or 57P01 (shutdown).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/list.h"
#include "core/mailbox.h"
#include "core/status.h"
#include "core/timer.h"

struct fiber;
struct shard;
struct task;

enum task_class {
    TASK_SYSTEM,  // Log, liveness, stream control: runs before the others.
    TASK_DEFAULT, // Sessions.
    TASK_BULK,    // Backfills, GC, streams' catch-up: shares what is left.
};

typedef struct status (*task_fn)(struct task *task, void *arg);

struct task {
    struct shard *shard;
    struct arena *arena;
    uint64_t tenant;      // 0: the node's own work.
    uint64_t deadline_ns; // Monotonic; UINT64_MAX: none.
    const char *kind;     // Static name, for stall reports and high-water marks.
    enum task_class class;
    bool cancelled;       // Set by task_cancel; every later suspension fails until task_cancel_clear.
    struct status cancel_status; // What those suspensions return.
    void *user;           // The layer above's context (the SQL session, say), for call trees.

    // The reactor's own fields.
    struct fiber *fiber;
    task_fn fn;
    void *arg;
    void (*ended)(struct task *task, struct status st, void *arg);
    void *ended_arg;
    struct list_link run_link;  // In a run queue, or a line for fibers.
    struct list_link wait_link; // In a wait queue.
    struct list_link all_link;  // Of the shard's tasks.
    struct status wake_status;
    struct status wait_timeout_status;
    struct status end_status;
    struct timer timer;
    uint64_t run_started_ns;
    struct arena own_arena;
    struct shard_call_frame *inner_call; // The calls to other shards that it waits for.
    struct sched_tenant *sched_tenant;
    uint32_t nosuspend_depth;
    uint8_t state;
    uint8_t call_depth; // How many shard_calls lead to this task.
    const void *parked_on; // Waits for something that a cancel cannot cut short.
};

struct task_options {
    task_fn fn;
    void *arg;
    const char *kind;
    uint64_t tenant;
    uint64_t deadline_ns; // 0 is taken as none.
    enum task_class class;
    struct memory_account *account; // NULL: the shard's.
    // Called on the shard when fn has returned; may be NULL. Must not suspend.
    void (*ended)(struct task *task, struct status st, void *arg);
    void *ended_arg;
    void *user;
};

// Starts a task on the current shard. It first runs in a later turn of the scheduler, never inline.
// Errors: 53300 when the shard's fiber pool is exhausted and its waiting line is full;
//         57P01 while the node stops.
CHECKED struct status task_start(struct shard *shard, const struct task_options *options);

// The task now running on this thread's shard; NULL in completion handlers.
struct task *task_current(void);

// --- waiting ---------------------------------------------------------------------------------------

// Tasks that wait for something, in FIFO order. Zero-initialised is empty.
struct wait_queue {
    struct list_link head;
};
void wait_queue_init(struct wait_queue *queue);
bool wait_queue_empty(const struct wait_queue *queue);

// Suspends until woken. Returns the waker's status, 57014 when cancelled or past the deadline.
// The task is out of the queue when this returns, whatever the outcome.
CHECKED struct status task_wait(struct task *task, struct wait_queue *queue);
// As above, with a deadline of its own (monotonic ns): on passing it returns `timeout_status`.
CHECKED struct status task_wait_until(struct task *task, struct wait_queue *queue,
    uint64_t deadline_ns, struct status timeout_status);
// Wakes the oldest; returns whether there was one. Same shard only; callable from completions.
bool wait_queue_wake_one(struct wait_queue *queue, struct status st);
void wait_queue_wake_all(struct wait_queue *queue, struct status st);
// Wakes this one, wherever it waits.
void task_wake(struct task *task, struct status st);

CHECKED struct status task_sleep(struct task *task, uint64_t duration_ns);
// Lets other ready tasks run.
CHECKED struct status task_yield(struct task *task);
// Yields when this turn has run over its quota (500 us). Call it in every loop over an unbounded
// number of things.
#define TASK_QUOTA_NS 500000u
CHECKED struct status task_yield_if_due(struct task *task);

uint64_t task_now_ns(struct task *task); // Monotonic; frozen within a turn under simulation.

// Cancels: the task's current and later suspensions return `st`, whose message is static. Same shard.
// What it has called on other shards is cancelled, too.
void task_cancel(struct task *task, struct status st);
void task_cancel_clear(struct task *task);
// Runs fn(task, arg) to its end whatever the task's cancellation or deadline; they are in force again
// afterwards. For what must be taken back or told to others before the task may end.
CHECKED struct status task_uncancelled(struct task *task, task_fn fn, void *arg);

// Between these an attempt to suspend is an invariant failure.
static inline void nosuspend_begin(struct task *task)
{
    task->nosuspend_depth++;
}
static inline void nosuspend_end(struct task *task)
{
    task->nosuspend_depth--;
}

// --- elsewhere -------------------------------------------------------------------------------------

// Runs fn(callee_task, arg) as a task on shard `target` of this node and suspends until it answers.
// `arg` is lent: the callee may write results into it and into memory that the caller owns; it stays
// the callee's until the call returns, so a cancelled caller still waits (the cancel is forwarded).
// The callee carries the caller's tenant, class and deadline. With the own shard as target it calls
// fn directly. What fn puts in its own task's arena is gone when this returns, but for its status,
// which is copied: results of unknown size go into an arena that is part of `arg` (account NULL).
// Errors: fn's; 54001 more than SHARD_CALL_DEPTH_MAX calls within calls.
#define SHARD_CALL_DEPTH_MAX 8u
CHECKED struct status shard_call(struct task *task, uint32_t target, task_fn fn, void *arg);

// A call in flight: core's own, part of the caller's memory.
struct shard_call_frame {
    struct shard_message message; // The call, then the answer.
    struct shard_message cancel;  // The forwarded cancel, then its receipt.
    struct task *caller;
    struct task *callee;          // The target shard's.
    uint64_t deadline_ns;         // The caller's, when it called.
    uint32_t target;
    task_fn fn;
    void *arg;
    struct status status;
    struct status cancel_status;
    struct arena status_arena;    // Unaccounted; carries the status across.
    uint32_t *pending;            // Messages of the caller's that are still away.
    bool cancel_sent;             // The caller's own: `cancel` may be away.
    struct shard_call_frame *next;
};

// Several calls at once; suspends until all have answered. Each result is in calls[i].status; the first
// failure is returned. Calls to the own shard run after the others have been sent off.
struct shard_call_item {
    uint32_t target;
    task_fn fn;
    void *arg;
    struct status status;
    struct shard_call_frame frame;
};
CHECKED struct status shard_call_many(
    struct task *task, struct shard_call_item *calls, uint32_t count);

// Runs fn(arg) on a helper thread and suspends: for blocking library calls (name resolution, store
// open and checkpoint, slow hashes). fn must not touch shard state.
CHECKED struct status helper_call(struct task *task, void (*fn)(void *arg), void *arg);

// Runs fn(arg) on the shard's own big stack (64 MiB reserved), without suspending: for code that is
// stack-hungry and never waits. TLS handshakes and the parser.
void stack_call(void (*fn)(void *arg), void *arg);
