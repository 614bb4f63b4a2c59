// SPDX-License-Identifier: GPL-3.0-or-later
//
// What every task of a world waits in: for a run that does not come to its end. Walks the frames of
// suspended fibers (x86-64, frame pointers on), as addresses for addr2line.
#include <execinfo.h>
#include <stdio.h>
#include <unistd.h>

#include "core/reactor.h"
#include "tests/sim/world.h"

#define FRAMES_MAX 16
#define SAVED_RBP 6u // Words above a suspended context's stack pointer.
#define SAVED_RIP 7u

static int frames_of(const struct fiber *fiber, void **frames)
{
    int count = 0;
#ifdef __x86_64__
    const uintptr_t low = (uintptr_t)fiber->stack, high = low + fiber->stack_bytes;
    const uintptr_t *context = fiber->context;
    if ((uintptr_t)context < low || (uintptr_t)context >= high) return 0;
    frames[count++] = (void *)context[SAVED_RIP];
    uintptr_t frame = context[SAVED_RBP];
    while (count < FRAMES_MAX && frame >= low && frame + 16 <= high) {
        const uintptr_t *words = (const uintptr_t *)frame;
        frames[count++] = (void *)words[1];
        if (words[0] <= frame) break;
        frame = words[0];
    }
#else
    (void)fiber;
    (void)frames;
#endif
    return count;
}

static void shard_print(const struct world_node *node, const struct shard *shard)
{
    const struct list_link *tasks = &shard->reactor->tasks;
    for (struct list_link *at = tasks->next; at != tasks; at = at->next) {
        const struct task *task = container_of(at, struct task, all_link);
        void *frames[FRAMES_MAX];
        fprintf(stderr, "n%u shard %u task %s\n", node->id, shard->index,
            task->kind == NULL ? "?" : task->kind);
        fflush(stderr);
        if (task->fiber == NULL) continue;
        int count = frames_of(task->fiber, frames);
        backtrace_symbols_fd(frames, count, STDERR_FILENO);
    }
}

void world_tasks_print(const struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct sim_node *machine = world->nodes[i].machine;
        const struct node *node = sim_node_running(machine);
        fprintf(stderr, "n%u %s, %u operations in flight, its init: %s\n", world->nodes[i].id,
            node == NULL                  ? "is down"
            : sim_node_stopping(machine) ? "stops"
                                          : "runs",
            sim_node_in_flight(machine),
            failed(sim_node_status(machine)) ? sim_node_status(machine).message : "ok");
        for (uint32_t k = 0; node != NULL && k < node->shard_count; k++)
            shard_print(&world->nodes[i], node->shards[k]);
    }
}
