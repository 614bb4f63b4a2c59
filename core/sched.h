// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which ready task runs next: tenants share a shard by weight.
//
// Within a class every tenant with ready tasks has a virtual time, which grows by the time its tasks ran
// divided by its weight; the tenant with the least goes first, and its own tasks run first in, first
// out. A tenant that was idle starts at the present minimum: idleness earns no credit.
// Between classes: the system's tasks always run first; default and bulk share what is left 9 to 1.
//
// Shard    Owned by one shard.
// Memory   A tenant's record is made at its first task and kept (its CPU time is its account).
// Source   Waldspurger and Weihl, "Stride Scheduling", 1995; start-time fair queueing.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/list.h"
#include "core/task.h"

#define SCHED_WEIGHT_DEFAULT 100u
#define SCHED_WEIGHT_MAX 10000u
#define SCHED_CLASSES 3u

struct sched_tenant;

// A tenant's place in one fair queue.
struct sched_entity {
    struct list_link tasks;
    struct sched_tenant *tenant;
    uint64_t vtime;
    uint64_t sequence;   // Breaks ties by age.
    uint32_t heap_index; // From 1; 0: no tasks here.
};

struct sched_tenant {
    uint64_t id;
    uint64_t cpu_ns;
    uint32_t weight;
    struct sched_entity run[SCHED_CLASSES];
    struct sched_entity line; // For a fiber.
    uint32_t lingering[SHARD_CALL_DEPTH_MAX + 2]; // As the reactor's, by lane.
    struct sched_tenant *next;
};

// A binary heap of entities by virtual time.
struct fair_queue {
    struct sched_entity **heap;
    uint32_t count, capacity;
    uint32_t task_count;
    uint64_t vtime_min;
};

struct sched {
    struct fair_queue run[SCHED_CLASSES];
    uint64_t class_vtime[SCHED_CLASSES];
    uint64_t class_now; // Of the class that ran last, when it was chosen.
    struct fair_queue line;
    uint64_t sequence;
    struct sched_tenant **buckets;
    uint32_t bucket_count, tenant_count;
};

void sched_init(struct sched *sched);
void sched_fini(struct sched *sched);
struct sched_tenant *sched_tenant(struct sched *sched, uint64_t id);

// task->sched_tenant and task->class say where to.
void sched_push(struct sched *sched, struct task *task);
// Takes the next task out; NULL when there is none.
struct task *sched_pop(struct sched *sched);
// Takes the index'th of the ready tasks out, in no particular but a deterministic order.
struct task *sched_pop_index(struct sched *sched, uint32_t index);
uint32_t sched_ready_count(const struct sched *sched);
// Accounts for the task's run, which lasted `ns`.
void sched_charge(struct sched *sched, struct task *task, uint64_t ns);

// The line of new tasks for whom there is no fiber: same order.
void sched_line_push(struct sched *sched, struct task *task);
struct task *sched_line_pop(struct sched *sched);
