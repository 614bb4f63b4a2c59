// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/multirange.h"

#include "core/deep.h"
#include "core/work.h"
#include "sql/type/type_ops.h"

#define RANGES_PER_POLL 256u

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "damaged multirange");
}

struct status multirange_open(
    type_oid oid, struct datum value, struct multirange_cursor *cursor)
{
    struct range range;
    *cursor = (struct multirange_cursor){.type = range_type_of(oid), .rest = datum_as_bytes(value)};
    if (cursor->type != NULL) {
        struct status st = range_open(cursor->type, value, &range);
        if (!failed(st)) cursor->left = !range.empty;
        return st;
    }
    cursor->type = multirange_type_of(oid);
    if (cursor->type == NULL || cursor->rest.size < 4) return damaged();
    uint32_t count = (uint32_t)type_load_int(cursor->rest.data, 4);
    cursor->rest = bytes_skip(cursor->rest, 4);
    if (count > cursor->rest.size) return damaged();
    cursor->left = count;
    return STATUS_OK;
}

bool multirange_next(struct multirange_cursor *cursor, struct range *range)
{
    if (cursor->left == 0) return false;
    cursor->left--;
    if (!failed(range_take(cursor->type, &cursor->rest, range))) return true;
    cursor->left = 0;
    return false;
}

struct range multirange_span(struct multirange_cursor cursor)
{
    struct range span, range;
    if (!multirange_next(&cursor, &span)) return (struct range){.empty = true, .upper.upper = true};
    while (multirange_next(&cursor, &range)) span.upper = range.upper;
    return span;
}

// --- from ranges in order ------------------------------------------------------------------------------

void multirange_begin(
    struct multirange_builder *builder, struct arena *arena, const struct range_type *type)
{
    *builder = (struct multirange_builder){.type = type, .last.empty = true};
    buffer_init(&builder->out, arena);
    type_store_int(&builder->out, 0, 4);
}

static struct status put_last(struct multirange_builder *builder)
{
    if (builder->last.empty) return STATUS_OK;
    range_append(&builder->out, builder->type, &builder->last);
    if (++builder->count % RANGES_PER_POLL != 0) return STATUS_OK;
    struct status st = arena_check(builder->out.arena);
    return failed(st) ? st : task_poll(task_current());
}

struct status multirange_add(struct multirange_builder *builder, const struct range *range)
{
    struct range *last = &builder->last;
    if (range->empty) return STATUS_OK;
    if (range_overlaps(builder->type, last, range) || range_touches(builder->type, last, range)) {
        *last = range_span(builder->type, last, range);
        return STATUS_OK;
    }
    struct status st = put_last(builder);
    *last = *range;
    return st;
}

struct datum multirange_end(struct multirange_builder *builder)
{
    if (!builder->last.empty) {
        range_append(&builder->out, builder->type, &builder->last);
        builder->count++;
    }
    for (uint32_t i = 0; i < 4; i++)
        builder->out.data[i] = (uint8_t)(builder->count >> (24 - 8 * i));
    return datum_bytes(buffer_bytes(&builder->out));
}

// --- from ranges in any order --------------------------------------------------------------------------

struct status multirange_list_add(struct multirange_list *list, const struct range *range)
{
    if (range->empty) return STATUS_OK;
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct range *ranges = arena_try_alloc(list->arena, capacity * sizeof *ranges);
        if (ranges == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        (void)task_copy_to((uint8_t *)ranges, bytes_of(list->ranges, list->count * sizeof *ranges));
        list->ranges = ranges;
        list->capacity = capacity;
    }
    list->ranges[list->count++] = *range;
    return list->count % RANGES_PER_POLL == 0 ? task_poll(task_current()) : STATUS_OK;
}

// Merges two sorted runs that lie side by side.
static struct status merge_runs(const struct range_type *type, const struct range *from,
    struct range *to, uint32_t first, uint32_t middle, uint32_t end)
{
    struct status st = STATUS_OK;
    uint32_t a = first, b = middle;
    for (uint32_t at = first; at < end; at++) {
        bool take_a = a < middle && (b == end || range_compare(type, &from[a], &from[b]) <= 0);
        to[at] = from[take_a ? a++ : b++];
        if (at % RANGES_PER_POLL == 0) TRY(task_poll(task_current()));
    }
out:
    return st;
}

// A merge sort from the bottom, because one of the C library's cannot give way to others.
static struct status sort_list(struct multirange_list *list, const struct range_type *type)
{
    struct status st = STATUS_OK;
    uint32_t count = list->count;
    struct range *from = list->ranges;
    struct range *to = arena_try_alloc(list->arena, (count + 1) * sizeof *to);
    if (to == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    for (uint64_t size = 1; size < count; size *= 2) {
        for (uint64_t first = 0; first < count; first += 2 * size) {
            uint64_t middle = first + size < count ? first + size : count;
            uint64_t end = middle + size < count ? middle + size : count;
            TRY(merge_runs(type, from, to, (uint32_t)first, (uint32_t)middle, (uint32_t)end));
        }
        struct range *other = from;
        from = to;
        to = other;
    }
    list->ranges = from;
out:
    return st;
}

struct status multirange_list_end(
    struct multirange_list *list, const struct range_type *type, struct datum *value)
{
    struct status st = STATUS_OK;
    struct multirange_builder builder;
    multirange_begin(&builder, list->arena, type);
    if (list->count > 1) TRY(sort_list(list, type));
    for (uint32_t i = 0; i < list->count; i++) TRY(multirange_add(&builder, &list->ranges[i]));
    *value = multirange_end(&builder);
out:
    return st;
}
