// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/range_record.h"

#include "core/log.h"
#include "kv/entry.h"

#define RECORD_LETTER 'R'

static struct bytes record_name(struct arena *arena, struct bytes start)
{
    struct buffer name;
    buffer_init(&name, arena);
    buffer_append_u8(&name, RECORD_LETTER);
    buffer_append_bytes(&name, start);
    return buffer_bytes(&name);
}

struct status range_record_load(struct slice *slice)
{
    static const uint8_t letter = RECORD_LETTER;
    struct arena arena;
    struct kv_pair *pairs;
    uint32_t count;
    struct status st;
    arena_init(&arena, NULL);
    range_set_clear(slice->ranges);
    if (slice->id == SLICE_META) {
        const struct range meta = {
            .id = RANGE_META_ID, .span = range_meta_span(), .slice = SLICE_META, .generation = 1};
        TRY(range_set_add(slice->ranges, &meta));
    }
    TRY(slice_meta_list(slice, bytes_of(&letter, 1), &arena, &pairs, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct range range;
        TRY(range_decode(pairs[i].value, &range));
        TRY(range_set_add(slice->ranges, &range));
    }
out:
    arena_fini(&arena);
    return st;
}

void range_record_put_op(
    struct entry_builder *builder, struct arena *arena, const struct range *range)
{
    entry_op_append(builder, &(struct entry_op){.kind = ENTRY_META,
                                 .key = record_name(arena, range->span.start),
                                 .value = range_encode(arena, range)});
}

void range_record_erase_op(
    struct entry_builder *builder, struct arena *arena, struct bytes start)
{
    entry_op_append(
        builder, &(struct entry_op){.kind = ENTRY_META, .key = record_name(arena, start)});
}

// What becomes of a range that overlaps the new one.
static void record_cut(struct entry_builder *builder, struct arena *arena, const struct range *old,
    struct span taken)
{
    struct range left = *old, right = *old;
    left.span.end = taken.start;
    right.span.start = taken.end;
    if (bytes_compare(old->span.start, taken.start) < 0) {
        range_record_put_op(builder, arena, &left);
    } else if (!bytes_equal(old->span.start, taken.start)) {
        range_record_erase_op(builder, arena, old->span.start);
    }
    if (bytes_compare(taken.end, old->span.end) < 0) range_record_put_op(builder, arena, &right);
}

static bool has_exactly(struct slice *slice, const struct range *range)
{
    const struct range_entry *entry = range_set_find(slice->ranges, range->span.start);
    return entry != NULL && entry->range.id == range->id &&
           entry->range.generation == range->generation &&
           bytes_equal(entry->range.span.start, range->span.start) &&
           bytes_equal(entry->range.span.end, range->span.end);
}

struct status range_record_add(struct task *task, struct slice *slice, const struct range *range)
{
    struct entry_builder builder;
    struct arena_mark mark = arena_mark(task->arena);
    struct status st;
    if (has_exactly(slice, range)) return slice_check(slice);
    TRY(slice_admit(task, slice, 0));
    entry_begin(&builder, task->arena);
    for (uint32_t i = 0; i < slice->ranges->count; i++) {
        const struct range *old = &slice->ranges->entries[i]->range;
        if (span_overlaps(old->span, range->span))
            record_cut(&builder, task->arena, old, range->span);
    }
    range_record_put_op(&builder, task->arena, range);
    TRY(slice_propose(task, slice, entry_end(&builder)));
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status range_record_remove(struct task *task, struct slice *slice, struct bytes start)
{
    struct entry_builder builder;
    struct arena_mark mark = arena_mark(task->arena);
    struct status st;
    TRY(slice_admit(task, slice, 0));
    entry_begin(&builder, task->arena);
    range_record_erase_op(&builder, task->arena, start);
    TRY(slice_propose(task, slice, entry_end(&builder)));
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

void range_record_applied(struct slice *slice, const struct entry_op *op)
{
    if (op->kind != ENTRY_META || op->key.size == 0 || op->key.data[0] != RECORD_LETTER) return;
    struct range range;
    if (op->value.data == NULL) {
        range_set_remove(slice->ranges, bytes_skip(op->key, 1));
        return;
    }
    struct status st = range_decode(op->value, &range);
    if (!failed(st)) st = range_set_add(slice->ranges, &range);
    // Requests for it are refused; the record is read again at the next start.
    if (failed(st))
        log_error(0, "slice %llu: a range is not served: %s", (unsigned long long)slice->id,
            st.message);
}
