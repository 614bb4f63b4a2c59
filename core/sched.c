// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sched.h"

#include <stdlib.h>

#include "core/invariant.h"

// A run is charged at least this much, so that order is fair where time stands still (simulation).
#define CHARGE_MIN_NS 500u
// What taking a fiber counts for in the line.
#define LINE_CHARGE_NS 10000u

static const uint32_t class_shares[SCHED_CLASSES] = {
    [TASK_SYSTEM] = 1, [TASK_DEFAULT] = 9, [TASK_BULK] = 1};

// --- the heap of a fair queue -------------------------------------------------------------------

static bool entity_before(const struct sched_entity *a, const struct sched_entity *b)
{
    if (a->vtime != b->vtime) return a->vtime < b->vtime;
    return a->sequence < b->sequence;
}

static void heap_set(struct fair_queue *queue, uint32_t index, struct sched_entity *entity)
{
    queue->heap[index] = entity;
    entity->heap_index = index;
}

static void heap_up(struct fair_queue *queue, uint32_t index)
{
    struct sched_entity *entity = queue->heap[index];
    while (index > 1 && entity_before(entity, queue->heap[index / 2])) {
        heap_set(queue, index, queue->heap[index / 2]);
        index /= 2;
    }
    heap_set(queue, index, entity);
}

static void heap_down(struct fair_queue *queue, uint32_t index)
{
    struct sched_entity *entity = queue->heap[index];
    for (;;) {
        uint32_t child = index * 2;
        if (child > queue->count) break;
        if (child < queue->count && entity_before(queue->heap[child + 1], queue->heap[child]))
            child++;
        if (!entity_before(queue->heap[child], entity)) break;
        heap_set(queue, index, queue->heap[child]);
        index = child;
    }
    heap_set(queue, index, entity);
}

static void heap_remove(struct fair_queue *queue, struct sched_entity *entity)
{
    uint32_t index = entity->heap_index;
    struct sched_entity *last = queue->heap[queue->count--];
    entity->heap_index = 0;
    if (last == entity) return;
    heap_set(queue, index, last);
    heap_up(queue, index);
    heap_down(queue, last->heap_index);
}

static void queue_push(struct sched *sched, struct fair_queue *queue, struct sched_entity *entity,
    struct task *task)
{
    list_append(&entity->tasks, &task->run_link);
    queue->task_count++;
    if (entity->heap_index != 0) return;
    if (queue->count + 2 > queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 16 : queue->capacity * 2;
        queue->heap = realloc(queue->heap, queue->capacity * sizeof *queue->heap);
        invariant(queue->heap != NULL);
    }
    if (entity->vtime < queue->vtime_min) entity->vtime = queue->vtime_min;
    entity->sequence = sched->sequence++;
    queue->heap[++queue->count] = entity;
    heap_up(queue, queue->count);
}

static struct task *queue_take(
    struct fair_queue *queue, struct sched_entity *entity, struct list_link *link)
{
    list_remove(link);
    queue->task_count--;
    if (list_empty(&entity->tasks)) heap_remove(queue, entity);
    return container_of(link, struct task, run_link);
}

static struct task *queue_pop(struct fair_queue *queue)
{
    if (queue->count == 0) return NULL;
    struct sched_entity *entity = queue->heap[1];
    queue->vtime_min = entity->vtime;
    return queue_take(queue, entity, entity->tasks.next);
}

static void queue_charge(struct fair_queue *queue, struct sched_entity *entity, uint64_t ns)
{
    if (entity->vtime < queue->vtime_min) entity->vtime = queue->vtime_min;
    entity->vtime += ns * SCHED_WEIGHT_DEFAULT / entity->tenant->weight;
    if (entity->heap_index != 0) heap_down(queue, entity->heap_index);
}

// --- tenants ----------------------------------------------------------------------------------------

void sched_init(struct sched *sched)
{
    *sched = (struct sched){.bucket_count = 64};
    sched->buckets = calloc(sched->bucket_count, sizeof *sched->buckets);
    invariant(sched->buckets != NULL);
}

void sched_fini(struct sched *sched)
{
    for (uint32_t i = 0; i < sched->bucket_count; i++) {
        while (sched->buckets[i] != NULL) {
            struct sched_tenant *tenant = sched->buckets[i];
            sched->buckets[i] = tenant->next;
            free(tenant);
        }
    }
    free(sched->buckets);
    for (uint32_t i = 0; i < SCHED_CLASSES; i++)
        free(sched->run[i].heap);
    free(sched->line.heap);
}

static uint32_t bucket_of(const struct sched *sched, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15ull) >> 32) & (sched->bucket_count - 1);
}

static void buckets_grow(struct sched *sched)
{
    uint32_t old_count = sched->bucket_count;
    struct sched_tenant **old = sched->buckets;
    sched->bucket_count *= 4;
    sched->buckets = calloc(sched->bucket_count, sizeof *sched->buckets);
    invariant(sched->buckets != NULL);
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct sched_tenant *tenant = old[i];
            old[i] = tenant->next;
            uint32_t bucket = bucket_of(sched, tenant->id);
            tenant->next = sched->buckets[bucket];
            sched->buckets[bucket] = tenant;
        }
    }
    free(old);
}

struct sched_tenant *sched_tenant(struct sched *sched, uint64_t id)
{
    struct sched_tenant *tenant = sched->buckets[bucket_of(sched, id)];
    while (tenant != NULL && tenant->id != id)
        tenant = tenant->next;
    if (tenant != NULL) return tenant;

    if (sched->tenant_count >= sched->bucket_count) buckets_grow(sched);
    tenant = calloc(1, sizeof *tenant);
    invariant(tenant != NULL);
    tenant->id = id;
    tenant->weight = SCHED_WEIGHT_DEFAULT;
    for (uint32_t i = 0; i < SCHED_CLASSES; i++)
        tenant->run[i].tenant = tenant;
    tenant->line.tenant = tenant;
    uint32_t bucket = bucket_of(sched, id);
    tenant->next = sched->buckets[bucket];
    sched->buckets[bucket] = tenant;
    sched->tenant_count++;
    return tenant;
}

// --- tasks ------------------------------------------------------------------------------------------

void sched_push(struct sched *sched, struct task *task)
{
    struct fair_queue *queue = &sched->run[task->class];
    if (queue->task_count == 0 && sched->class_vtime[task->class] < sched->class_now)
        sched->class_vtime[task->class] = sched->class_now;
    queue_push(sched, queue, &task->sched_tenant->run[task->class], task);
}

struct task *sched_pop(struct sched *sched)
{
    if (sched->run[TASK_SYSTEM].count > 0) return queue_pop(&sched->run[TASK_SYSTEM]);
    uint32_t class = TASK_DEFAULT;
    if (sched->run[TASK_DEFAULT].count == 0) {
        class = TASK_BULK;
    } else if (sched->run[TASK_BULK].count > 0 &&
               sched->class_vtime[TASK_BULK] < sched->class_vtime[TASK_DEFAULT]) {
        class = TASK_BULK;
    }
    if (sched->run[class].count > 0) sched->class_now = sched->class_vtime[class];
    return queue_pop(&sched->run[class]);
}

struct task *sched_pop_index(struct sched *sched, uint32_t index)
{
    for (uint32_t class = 0; class < SCHED_CLASSES; class++) {
        struct fair_queue *queue = &sched->run[class];
        if (index >= queue->task_count) {
            index -= queue->task_count;
            continue;
        }
        for (uint32_t i = 1; i <= queue->count; i++) {
            struct sched_entity *entity = queue->heap[i];
            struct list_link *link = entity->tasks.next;
            for (; link != &entity->tasks; link = link->next) {
                if (index == 0) return queue_take(queue, entity, link);
                index--;
            }
        }
    }
    return NULL;
}

uint32_t sched_ready_count(const struct sched *sched)
{
    return sched->run[TASK_SYSTEM].task_count + sched->run[TASK_DEFAULT].task_count +
           sched->run[TASK_BULK].task_count;
}

void sched_charge(struct sched *sched, struct task *task, uint64_t ns)
{
    struct sched_tenant *tenant = task->sched_tenant;
    tenant->cpu_ns += ns;
    if (ns < CHARGE_MIN_NS) ns = CHARGE_MIN_NS;
    sched->class_vtime[task->class] += ns / class_shares[task->class];
    queue_charge(&sched->run[task->class], &tenant->run[task->class], ns);
}

void sched_line_push(struct sched *sched, struct task *task)
{
    queue_push(sched, &sched->line, &task->sched_tenant->line, task);
}

struct task *sched_line_pop(struct sched *sched)
{
    struct task *task = queue_pop(&sched->line);
    if (task != NULL) queue_charge(&sched->line, &task->sched_tenant->line, LINE_CHARGE_NS);
    return task;
}
