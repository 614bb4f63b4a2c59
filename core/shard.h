// SPDX-License-Identifier: GPL-3.0-or-later
//
// Shards: one core's reactor and all it owns; and the node, which is an array of them.
//
// A turn of the reactor: take messages from the other shards -> fire timers -> run ready tasks in
// tenant-weighted fair order -> run the turn-end hooks (log group commit, gathered sends) -> submit -> reap.
// In production each shard is a pinned thread (core/env_linux.c); in simulation the simulator turns
// them one step at a time (core/env_sim.c). Nothing on the data path is shared between shards.
//
// Layers above keep their per-shard and per-node state in slots, so that core knows nothing of them.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/env.h"
#include "core/hlc.h"
#include "core/mailbox.h"
#include "core/status.h"
#include "core/task.h"
#include "core/timer.h"

enum shard_slot {
    SHARD_SLOT_METRICS,
    SHARD_SLOT_LOG_WRITER,
    SHARD_SLOT_KV,
    SHARD_SLOT_CATALOG,
    SHARD_SLOT_SQL,
    SHARD_SLOT_SETTINGS,
    SHARD_SLOT_TENANT,
    SHARD_SLOT_REPL,
    SHARD_SLOT_RPC,
    SHARD_SLOT_CLUSTER,
    SHARD_SLOT_TEST,
    SHARD_SLOT_COUNT,
};
enum node_slot {
    NODE_SLOT_KV,
    NODE_SLOT_SQL,
    NODE_SLOT_JOBS,
    NODE_SLOT_TENANT,
    NODE_SLOT_REPL,
    NODE_SLOT_TLS,
    NODE_SLOT_SERVER,
    NODE_SLOT_HTTP,
    NODE_SLOT_RPC,
    NODE_SLOT_CLUSTER,
    NODE_SLOT_SPILL,
    NODE_SLOT_TEST,
    NODE_SLOT_COUNT,
};

// A function that runs at the end of the turn in which it was armed, once. Must not suspend.
struct turn_hook {
    void (*fn)(struct turn_hook *hook);
    struct turn_hook *next;
    bool armed;
};

struct node;
struct reactor; // The private part: run queues, timers, inboxes, ring.

struct shard {
    uint32_t index;
    struct node *node;
    struct env *env;
    struct hlc hlc;
    struct memory_account account; // This shard's share of the node's SQL memory.
    void *slots[SHARD_SLOT_COUNT];
    struct reactor *reactor;
};

struct node {
    uint32_t id;
    uint32_t shard_count;
    struct shard **shards;
    struct env *env;
    void *slots[NODE_SLOT_COUNT];
    bool draining;
    struct node_exit_hook *exit_hooks;
};

// `fn` runs once when the node and all of its shards are gone, on whatever thread ends them: for memory that shards
// share. Added on shard 0; the latest added runs first.
struct node_exit_hook {
    void (*fn)(struct node_exit_hook *hook);
    struct node_exit_hook *next;
};
void node_at_exit(struct node *node, struct node_exit_hook *hook);

struct node_options {
    uint32_t id;
    uint32_t shard_count;        // 0: one a core.
    bool pin;                    // Pin shard i to the i-th allowed core.
    uint32_t fibers_per_shard;   // 0: 4096. More tasks than that wait in line.
    uint32_t fiber_stack_bytes;  // 0: 64 KiB.
    uint64_t sql_memory_bytes;   // Split evenly between shards; 0: 1/4 of the machine's.
    uint32_t helper_threads;     // 0: 2.
};

// The shard of this thread (under simulation: the one being turned). NULL outside.
struct shard *shard_self(void);

// Creates the node over the Linux environment and starts its threads, idle. `init` runs as a task on
// shard 0 and may suspend; node_run returns when node_stop was called and every task has ended, with
// init's status when that failed (which stops the node, too). `running` may be NULL; it is set before
// init runs, and what it points to is gone when node_run returns.
// Errors: 58030 the kernel lacks io_uring or does not permit it (the message says what to do).
CHECKED struct status node_run(
    const struct node_options *options, task_fn init, void *arg, struct node **running);
// Stops the node: every task's suspensions fail with 57P01 (a task that must wait while it cleans up
// calls task_cancel_clear first), and node_run returns when the last has ended. From any shard or
// (async-signal-safe) a signal handler.
void node_stop(struct node *node);
bool node_stopping(const struct node *node); // On one of its shards.

// Signals for a graceful drain: waits until the process gets one of SIGTERM, SIGINT or SIGHUP and
// returns its number. The handlers are installed by the first call. Several callers all learn of it.
CHECKED struct status node_wait_signal(struct task *task, int *signal_number);
// For programs with handlers of their own: node_signal, which a handler may call (async-signal-safe), ends
// node_wait_attention. A signal that came before the wait began does not: what handlers note is looked at first.
void node_signal(struct node *node, int signal_number);
CHECKED struct status node_wait_attention(struct task *task);

void turn_hook_arm(struct shard *shard, struct turn_hook *hook);
void turn_hook_disarm(struct shard *shard, struct turn_hook *hook); // Before its memory goes.
void shard_send(struct shard *from, uint32_t target, struct shard_message *message);
// `fn` runs once on the shard when its loop ends, after its last task; the latest added runs first.
struct shard_exit_hook {
    void (*fn)(struct shard_exit_hook *hook);
    struct shard_exit_hook *next;
};
void shard_at_exit(struct shard *shard, struct shard_exit_hook *hook);
// Runs fn once on each shard of the node, as tasks, and waits for all. Stops at the first failure.
CHECKED struct status shard_call_all(struct task *task, task_fn fn, void *arg);

// Timers without a task, for state machines (struct timer: core/timer.h).
void timer_arm(struct shard *shard, struct timer *timer, uint64_t deadline_ns);
void timer_disarm(struct shard *shard, struct timer *timer);

uint64_t shard_now_ns(struct shard *shard); // Monotonic, read once a turn.

// Shares of a core between tenants; weight 100 is the default. Bounded 1..10,000.
void shard_tenant_weight_set(struct shard *shard, uint64_t tenant, uint32_t weight);
// CPU time this shard's tasks of `tenant` have used, in ns.
uint64_t shard_tenant_cpu_ns(struct shard *shard, uint64_t tenant);

// How deep tasks of `kind` (NULL: of any) used their stack, in bytes; 0 unless stacks are painted
// (builds with expensive invariants).
uint64_t shard_stack_high_water(struct shard *shard, const char *kind);
