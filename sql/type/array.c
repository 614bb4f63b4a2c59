// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/array.h"

#include "core/invariant.h"
#include "core/work.h"
#include "sql/function/function.h"
#include "sql/type/type_ops.h"

#define HEADER_BYTES 8
#define DIMENSION_BYTES 8
#define WORK_EVERY 16
#define ITEMS_PER_LOOK 512u
#define CHECK_EVERY 1024 // Elements between looks at the memory limit.

static struct status corrupted(void)
{
    return status_make(E_DATA_CORRUPTED, "stored array is damaged");
}

struct status array_open(struct datum value, struct array *array)
{
    struct bytes in = datum_as_bytes(value);
    *array = (struct array){0};
    if (in.size < HEADER_BYTES) return corrupted();
    memcpy(&array->element, in.data, sizeof array->element);
    array->dimensions = in.data[4];
    array->has_null = in.data[5] != 0;
    in = bytes_skip(in, HEADER_BYTES);
    if (array->dimensions > ARRAY_DIMENSIONS_MAX ||
        in.size < (size_t)array->dimensions * DIMENSION_BYTES)
        return corrupted();
    uint64_t count = array->dimensions == 0 ? 0 : 1;
    for (uint32_t i = 0; i < array->dimensions; i++) {
        memcpy(&array->length[i], in.data, 4);
        memcpy(&array->lower[i], in.data + 4, 4);
        if (array->length[i] < 0) return corrupted();
        count *= (uint32_t)array->length[i];
        if (count > ARRAY_COUNT_MAX) return corrupted();
        in = bytes_skip(in, DIMENSION_BYTES);
    }
    array->count = (uint32_t)count;
    array->items = in;
    return STATUS_OK;
}

struct array_cursor array_first(const struct array *array)
{
    return (struct array_cursor){array->items, array->element, array->count};
}

bool array_next(struct array_cursor *cursor, struct datum *item)
{
    if (cursor->left == 0 || cursor->rest.size == 0) return false;
    cursor->left--;
    bool null = cursor->rest.data[0] == 0;
    cursor->rest = bytes_skip(cursor->rest, 1);
    if (null) {
        *item = DATUM_NULL;
        return true;
    }
    return !failed(type_value_decode(&cursor->rest, cursor->element, item));
}

static struct datum item_at(const struct array *array, uint64_t index)
{
    struct array_cursor cursor = array_first(array);
    struct datum item;
    while (array_next(&cursor, &item)) {
        if (index-- == 0) return item;
        if (index % ITEMS_PER_LOOK == 0 && !task_goes_on(ITEMS_PER_LOOK * 8)) break;
    }
    return DATUM_NULL;
}

struct datum array_item(const struct array *array, const int32_t *subscripts, uint32_t count)
{
    uint64_t index = 0;
    if (count != array->dimensions || count == 0) return DATUM_NULL;
    for (uint32_t i = 0; i < count; i++) {
        int64_t offset = (int64_t)subscripts[i] - array->lower[i];
        if (offset < 0 || offset >= array->length[i]) return DATUM_NULL;
        index = index * (uint32_t)array->length[i] + (uint64_t)offset;
    }
    return item_at(array, index);
}

bool array_in_slice(
    const struct array *array, uint64_t index, const int32_t *lower, const int32_t *upper)
{
    for (uint32_t i = array->dimensions; i-- > 0;) {
        int32_t at = array->lower[i] + (int32_t)(index % (uint32_t)array->length[i]);
        index /= (uint32_t)array->length[i];
        if (at < lower[i] || at > upper[i]) return false;
    }
    return true;
}

struct status array_slice(struct arena *arena, const struct array *array, const int32_t *lower,
    const int32_t *upper, uint32_t count, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    int32_t from[ARRAY_DIMENSIONS_MAX], to[ARRAY_DIMENSIONS_MAX], length[ARRAY_DIMENSIONS_MAX];
    int32_t ones[ARRAY_DIMENSIONS_MAX];
    struct datum item;
    bool empty = array->dimensions == 0 || count > array->dimensions;

    array_builder_init(&builder, arena, array->element);
    for (uint32_t i = 0; i < array->dimensions; i++) {
        int32_t last = array->lower[i] + array->length[i] - 1;
        // Dimensions without a bound of their own are taken whole.
        from[i] = i < count && lower[i] > array->lower[i] ? lower[i] : array->lower[i];
        to[i] = i < count && upper[i] < last ? upper[i] : last;
        if (from[i] > to[i]) empty = true;
        length[i] = to[i] - from[i] + 1;
        ones[i] = 1;
    }
    if (empty) return array_builder_finish(&builder, result);
    uint64_t index = 0;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item); index++) {
        if (array_in_slice(array, index, from, to)) TRY(array_builder_add(&builder, item));
        if (index % ITEMS_PER_LOOK == 0) TRY(task_work(task_current(), ITEMS_PER_LOOK * 8));
    }
    TRY(array_builder_finish_dimensions(&builder, array->dimensions, length, ones, result));
out:
    return st;
}

// --- making one ------------------------------------------------------------------------------------------

void array_builder_init(struct array_builder *builder, struct arena *arena, type_oid element)
{
    *builder = (struct array_builder){.element = element};
    buffer_init(&builder->out, arena);
    // Room for the head of the common case, one dimension.
    buffer_reserve(&builder->out, HEADER_BYTES + DIMENSION_BYTES);
    builder->out.size = HEADER_BYTES + DIMENSION_BYTES;
}

struct status array_builder_add(struct array_builder *builder, struct datum item)
{
    if (builder->count >= ARRAY_COUNT_MAX)
        return status_format(builder->out.arena, E_PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed (%d)", ARRAY_COUNT_MAX);
    builder->count++;
    if (item.null) {
        builder->has_null = true;
        buffer_append_u8(&builder->out, 0);
    } else {
        buffer_append_u8(&builder->out, 1);
        type_value_encode(&builder->out, builder->element, item);
    }
    if (builder->call != NULL && builder->count % WORK_EVERY == 0) {
        struct status st = function_work(builder->call, builder->out.size - builder->worked);
        if (failed(st)) return st;
        builder->worked = builder->out.size;
    }
    if (builder->out.size > VALUE_BYTES_MAX * 8u)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "array is too large");
    return builder->count % CHECK_EVERY == 0 ? arena_check(builder->out.arena) : STATUS_OK;
}

static void write_head(uint8_t *at, const struct array_builder *builder, uint32_t dimensions,
    const int32_t *length, const int32_t *lower)
{
    memcpy(at, &builder->element, 4);
    at[4] = (uint8_t)dimensions;
    at[5] = builder->has_null;
    at[6] = at[7] = 0;
    for (uint32_t i = 0; i < dimensions; i++) {
        memcpy(at + HEADER_BYTES + i * DIMENSION_BYTES, &length[i], 4);
        memcpy(at + HEADER_BYTES + i * DIMENSION_BYTES + 4, &lower[i], 4);
    }
}

struct status array_builder_finish_dimensions(struct array_builder *builder, uint32_t dimensions,
    const int32_t *length, const int32_t *lower, struct datum *result)
{
    size_t head = HEADER_BYTES + (size_t)dimensions * DIMENSION_BYTES;
    size_t items = builder->out.size - HEADER_BYTES - DIMENSION_BYTES;
    uint8_t *data = builder->out.data;
    invariant(dimensions <= ARRAY_DIMENSIONS_MAX);
    if (dimensions != 1) {
        data = arena_try_alloc(builder->out.arena, head + items);
        if (data == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        (void)task_copy_to(data + head, bytes_of(builder->out.data + HEADER_BYTES + DIMENSION_BYTES, items));
    }
    write_head(data, builder, dimensions, length, lower);
    *result = datum_bytes(bytes_of(data, head + items));
    return STATUS_OK;
}

struct status array_builder_finish(struct array_builder *builder, struct datum *result)
{
    int32_t length = (int32_t)builder->count, lower = 1;
    return array_builder_finish_dimensions(builder, length == 0 ? 0 : 1, &length, &lower, result);
}

struct status array_builder_finish_like(
    struct array_builder *builder, const struct array *like, struct datum *result)
{
    invariant(builder->count == like->count);
    return array_builder_finish_dimensions(
        builder, like->dimensions, like->length, like->lower, result);
}

struct status array_make(struct arena *arena, type_oid element, const struct datum *items,
    uint32_t count, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    array_builder_init(&builder, arena, element);
    for (uint32_t i = 0; i < count; i++)
        TRY(array_builder_add(&builder, items[i]));
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}
