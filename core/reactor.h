// SPDX-License-Identifier: GPL-3.0-or-later
//
// The private part of a shard: ready tasks, timers, stacks, hooks. It knows nothing of io_uring: an
// environment (core/env_linux.c, core/env_sim.c) owns the loop around it, which is
//
//     deliver the messages that other shards sent     message->deliver(shard, message)
//     reactor_turn(shard)                             true: more to do at once
//     submit, reap                                    op->complete(op); else sleep until
//                                                     reactor_deadline_ns(shard)
//
// with shard_self_set(shard) before anything of the shard runs. A simulator that wants single steps
// calls reactor_clock, reactor_timers, reactor_run_one and reactor_hooks in the order it likes.
//
// Shard    Everything runs on the shard's own thread (under simulation: the one thread).
// Memory   shard_create allocates, shard_destroy frees, tasks that are suspended in the middle included.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/deep.h"
#include "core/fiber.h"
#include "core/sched.h"
#include "core/shard.h"
#include "core/task.h"
#include "core/timer.h"

#define REACTOR_FIBERS_DEFAULT 4096u
#ifdef ISOPOD_ASAN
#define REACTOR_STACK_DEFAULT (256u << 10) // Red zones multiply the frames.
#else
#define REACTOR_STACK_DEFAULT (64u << 10)
#endif
#define REACTOR_BIG_STACK_BYTES (64u << 20)
// A turn starts no further task after this long, so that completions and messages get their turn.
#define REACTOR_TURN_NS 200000u
#define REACTOR_TURN_TASKS 256u
#define REACTOR_KINDS 64u
#define REACTOR_LANE_SYSTEM (SHARD_CALL_DEPTH_MAX + 1)
#define REACTOR_LANES (SHARD_CALL_DEPTH_MAX + 2)
#define STALL_NS 1000000u

enum task_state { TASK_NEW, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_ENDED };

struct reactor {
    uint64_t now_ns;
    struct task *current;
    uint64_t running_since_ns; // Of the current task; 0: none. Read by the stall detector's thread.
    struct sched sched;
    struct timer_wheel timers;
    struct list_link yielded;  // Run again in the next turn.
    struct list_link tasks;    // All that have not ended.
    uint32_t task_count;
    uint64_t tasks_started;
    bool stopping;

    // Stacks. Calls within calls have quotas of their own by depth, so that tasks which wait for their
    // callees can never hold all the stacks that those need; and so has the system's own work: what
    // sessions wait for (a lease, entries to be applied) does not wait for sessions.
    struct fiber_pool fibers;
    uint32_t fiber_quota[REACTOR_LANES]; // By depth; and the system's.
    uint32_t fibers_used[REACTOR_LANES];
    uint32_t lingering[REACTOR_LANES]; // Of those used: core/linger.h.
    struct list_link line[REACTOR_LANES];  // Of tasks without a fiber; [0] is sched.line.
    uint32_t line_count[REACTOR_LANES], line_max; // New tasks of depth 0.
    struct fiber big_stack;
    void (*big_fn)(void *arg);
    void *big_arg;
    uint32_t big_calls;
    // Stacks that are lent to tasks (core/deep.h).
    struct fiber *deep; // The one on which the current task runs just now.
    struct deep_stack *deep_stacks[DEEP_STACKS_MAX], *deep_free;
    uint32_t deep_count;
    // XML that a helper reads (core/xml_run.h): one piece at a time.
    bool xml_busy;
    struct wait_queue xml_line;
    uint64_t work_bytes; // Of tasks, since one last read the clock (core/work.h).

    struct task *free_tasks;
    struct task_block *task_blocks;

    struct turn_hook *hooks, **hooks_end, *hooks_running;
    struct shard_message *local, **local_end; // Messages to itself.
    struct shard_exit_hook *exit_hooks;
    struct wait_queue signal_waiters;
    int signal_number;

    void *env_shard; // The environment's own part.
    struct net_shard *net; // core/net.c's; freed by net_fini.
    void (*net_fini)(struct shard *shard);

    struct {
        const char *kind;
        uint64_t high_water_bytes;
        bool warned;
    } kinds[REACTOR_KINDS];
};

void shard_self_set(struct shard *shard);

// A node without shards: slots and options filled in. Freed by node_destroy, with its shards.
struct node *node_create(struct env *env, const struct node_options *options);
void node_destroy(struct node *node);
// Makes node->shards[index]. Errors: 53200.
CHECKED struct status shard_create(
    struct node *node, uint32_t index, const struct node_options *options);
void shard_destroy(struct shard *shard);

// One turn; returns whether there is more to do at once.
bool reactor_turn(struct shard *shard);
// The latest time at which the next turn must begin.
uint64_t reactor_deadline_ns(const struct shard *shard);
bool reactor_ready(const struct shard *shard);

// The parts of a turn.
void reactor_clock(struct shard *shard);   // Reads the time.
void reactor_timers(struct shard *shard);  // Timers, messages to itself, tasks that yielded.
bool reactor_run_one(struct shard *shard); // One task until it suspends; false when none is ready.
void reactor_hooks(struct shard *shard);

// When the current task began its run; 0 when none runs. From any thread.
static inline uint64_t reactor_running_since(const struct shard *shard)
{
    return __atomic_load_n(&shard->reactor->running_since_ns, __ATOMIC_RELAXED);
}

// Tells every task to end (57P01) and refuses new ones but for calls between shards.
void reactor_stop(struct shard *shard);
// Runs the exit hooks.
void reactor_exit(struct shard *shard);
void reactor_signal(struct shard *shard, int signal_number);

// --- for core's own waits -----------------------------------------------------------------------

// Suspends until task_unpark, whatever happens: for memory that is lent out. `on` names the reason.
void task_park(struct task *task, const void *on);
void task_unpark(struct task *task);
// Whether the task should not begin to wait; its status then.
bool task_interrupted(struct task *task, struct status *st);
// A task for a call from another shard.
CHECKED struct status task_start_call(struct shard *shard, const struct task_options *options,
    uint8_t call_depth, struct task **started);
// The body of every fiber, and a run of a task (core/task.c).
void task_fiber_main(struct fiber *fiber);
void task_run(struct shard *shard, struct task *task);
void task_discard(struct task *task);
void task_blocks_free(struct reactor *reactor);
void deep_stacks_fini(struct reactor *reactor);
