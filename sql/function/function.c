// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/function/function.h"

#include "core/task.h"
#include "core/work.h"
#include "sql/function/function_table.h"

#define FUNCTIONS_MAX 8192
#define BUCKETS 4096

// Bytes between two looks at the clock, and what folding takes.
#define FOLD_WORK_BYTES 65536u

// Written before the shards start, read-only after.
static const struct function *functions[FUNCTIONS_MAX];
static uint16_t chain[FUNCTIONS_MAX]; // Index + 1 of the next function of the same bucket.
static uint16_t buckets[BUCKETS];
static uint32_t function_count;

static uint32_t bucket_of(const char *name)
{
    uint32_t hash = 2166136261u; // FNV-1a: names are short.
    for (; *name != 0; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return (hash ^ hash >> 15) % BUCKETS;
}

struct status function_work(struct function_call *call, uint64_t bytes)
{
    call->work += bytes;
    if (call->folding && call->work > FOLD_WORK_BYTES)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too long for a constant");
    if (call->folding || call->task == NULL || call->work < WORK_BYTES) return STATUS_OK;
    call->work = 0;
    return call->task->nosuspend_depth > 0 ? STATUS_OK : task_yield_if_due(call->task);
}

void function_register(const struct function *table, uint32_t count)
{
    invariant(function_count + count < FUNCTIONS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct function *function = &table[i];
        invariant(function->fn != NULL || function->aggregate != NULL || function->set != NULL ||
                  function->kind == FUNCTION_WINDOW);
        functions[function_count++] = function;
        // To the end of the chain, so that the order of tables is the order of candidates.
        uint16_t *at = &buckets[bucket_of(function->name)];
        while (*at != 0)
            at = &chain[*at - 1];
        *at = (uint16_t)function_count;
    }
}

void function_register_builtin(void)
{
    static bool done;
    if (done) return;
    done = true;
#define X(name) name##_register();
    FUNCTION_TABLES(X)
#undef X
}

const struct function *function_at(uint32_t index)
{
    return index < function_count ? functions[index] : NULL;
}

const struct function *function_by_oid(enum function_kind kind, uint32_t oid)
{
    bool is_operator = kind == FUNCTION_OPERATOR;
    for (uint32_t i = 0; i < function_count; i++) {
        const struct function *function = functions[i];
        if (function->oid == oid && (function->kind == FUNCTION_OPERATOR) == is_operator)
            return function;
    }
    return NULL;
}

const struct function *function_next_named(const char *name, const struct function *after)
{
    uint16_t at = buckets[bucket_of(name)];
    bool found = after == NULL;
    for (; at != 0; at = chain[at - 1]) {
        const struct function *function = functions[at - 1];
        if (found && strcmp(function->name, name) == 0) return function;
        if (function == after) found = true;
    }
    return NULL;
}

struct status function_no_memory(uint64_t size)
{
    if (size > FUNCTION_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    return status_make(E_OUT_OF_MEMORY, "out of memory");
}

struct status function_text(struct function_call *call, struct bytes text, struct datum *result)
{
    uint8_t *copy = function_room(call, text.size);
    if (copy == NULL) return function_no_memory(text.size);
    (void)task_copy_to(copy, text);
    *result = datum_bytes(bytes_of(copy, text.size));
    return STATUS_OK;
}
