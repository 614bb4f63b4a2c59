// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading an inverted index: one cursor over the entries of each part that is looked for, all of them in the
// order of the primary key. A condition that wants all parts meets where its cursors agree, one that wants any
// of them takes the least; the conditions of a scan must agree with each other. Nothing is kept but a batch
// of each cursor.
#include "core/invariant.h"
#include "sql/exec/scan.h"

#define CURSOR_ROWS_MAX 256u
#define CURSOR_ROWS_MIN 8u
#define ALL_PARTS_MAX 16u // Of a condition that wants all: the rest is left to the look at the rows.

struct key_space { // A key that is written over again and again.
    uint8_t *data;
    size_t size, capacity;
};

struct part_cursor {
    struct bytes prefix;   // Of the part's keys.
    struct kv_scan scan;
    struct arena arena;    // Of the batch.
    struct kv_batch batch;
    uint32_t at;
    bool ended;
    struct key_space start; // Where the scan began.
};

struct condition_state {
    struct expr_state *value;
    enum inverted_mode mode;
    struct part_cursor *cursors;
    uint32_t cursor_count;
};

struct inverted_scan {
    struct run *run;
    const struct node_scan *node;
    struct arena arena;    // Of the cursors, until rewound.
    struct condition_state *conditions;
    struct kv_read read;
    uint32_t batch_rows;
    bool whole, nothing;
    struct kv_scan all;    // Of the primary index.
    bool scanning, ended;
    struct key_space next; // Rows from here on have not been given yet.
};

struct inverted_scan *inverted_scan_new(struct run *run, const struct node_scan *node)
{
    struct inverted_scan *scan = ARENA_NEW(run->arena, struct inverted_scan);
    scan->run = run;
    scan->node = node;
    arena_init(&scan->arena, run->account);
    scan->conditions = ARENA_ARRAY(run->arena, struct condition_state, node->inverted_count);
    for (uint32_t i = 0; i < node->inverted_count; i++)
        scan->conditions[i].value =
            expr_state_new(run->arena, run, node->inverted[i].program, 1);
    return scan;
}

static void close_cursors(struct inverted_scan *scan)
{
    for (uint32_t i = 0; i < scan->node->inverted_count; i++) {
        for (uint32_t c = 0; c < scan->conditions[i].cursor_count; c++)
            arena_fini(&scan->conditions[i].cursors[c].arena);
        scan->conditions[i].cursor_count = 0;
    }
}

void inverted_scan_close(struct inverted_scan *scan)
{
    close_cursors(scan);
    arena_fini(&scan->arena);
}

bool inverted_scan_is_whole(const struct inverted_scan *scan)
{
    return scan->whole;
}

static struct status open_condition(struct task *task, struct inverted_scan *scan, uint32_t at)
{
    struct status st = STATUS_OK;
    struct condition_state *state = &scan->conditions[at];
    const struct inverted_condition *condition = &scan->node->inverted[at];
    const struct row_index *index = scan->node->index;
    struct inverted_parts parts;
    struct datum value;
    TRY(expr_run_single(task, state->value, &scan->arena, &value));
    TRY(inverted_query(&scan->arena,
        (enum inverted_class)index->inverted[condition->column].operator_class,
        condition->strategy, value, &state->mode, &parts));
    if (state->mode == INVERTED_NOTHING) scan->nothing = true;
    if (state->mode == INVERTED_EVERYTHING || state->mode == INVERTED_NOTHING) return st;
    scan->whole = false;
    uint32_t count = parts.count;
    if (state->mode == INVERTED_ALL && count > ALL_PARTS_MAX) count = ALL_PARTS_MAX;
    state->cursors = ARENA_ARRAY(&scan->arena, struct part_cursor, count);
    for (uint32_t i = 0; i < count; i++) {
        struct part_cursor *cursor = &state->cursors[state->cursor_count++];
        struct buffer prefix;
        buffer_init(&prefix, &scan->arena);
        buffer_append_bytes(&prefix, index->prefix);
        buffer_append_u8(&prefix, (uint8_t)condition->column);
        buffer_append_bytes(&prefix, parts.items[i]);
        cursor->prefix = buffer_bytes(&prefix);
        arena_init(&cursor->arena, scan->run->account);
        kv_scan_init(&cursor->scan,
            (struct span){cursor->prefix, key_prefix_end(&scan->arena, cursor->prefix)});
    }

out:
    return st;
}

struct status inverted_scan_rewind(struct task *task, struct inverted_scan *scan)
{
    struct status st = STATUS_OK;
    uint32_t cursors = 0;
    close_cursors(scan);
    arena_reset(&scan->arena);
    scan->whole = true;
    scan->nothing = scan->scanning = scan->ended = false;
    scan->next = (struct key_space){0};
    for (uint32_t i = 0; i < scan->node->inverted_count; i++) {
        expr_state_rewind(scan->conditions[i].value);
        TRY(open_condition(task, scan, i));
        cursors += scan->conditions[i].cursor_count;
    }
    if (scan->nothing) scan->whole = false;
    scan->batch_rows = cursors == 0 ? CURSOR_ROWS_MAX : 4096 / cursors;
    if (scan->batch_rows > CURSOR_ROWS_MAX) scan->batch_rows = CURSOR_ROWS_MAX;
    if (scan->batch_rows < CURSOR_ROWS_MIN) scan->batch_rows = CURSOR_ROWS_MIN;

out:
    return st;
}

// --- cursors -----------------------------------------------------------------------------------------

static struct bytes row_of(const struct part_cursor *cursor)
{
    return bytes_skip(cursor->batch.pairs[cursor->at].key, cursor->prefix.size);
}

static struct bytes put_key(
    struct arena *arena, struct key_space *space, struct bytes prefix, struct bytes row)
{
    size_t size = prefix.size + row.size;
    if (size > space->capacity) {
        space->capacity = size * 2 + 32;
        space->data = arena_alloc(arena, space->capacity);
    }
    if (prefix.size > 0) memcpy(space->data, prefix.data, prefix.size);
    if (row.size > 0) memcpy(space->data + prefix.size, row.data, row.size);
    space->size = size;
    return bytes_of(space->data, size);
}

static struct status fetch(struct task *task, struct inverted_scan *scan, struct part_cursor *cursor)
{
    struct status st = STATUS_OK;
    arena_reset(&cursor->arena);
    cursor->at = 0;
    cursor->scan.read = scan->read;
    cursor->scan.batch_rows = scan->batch_rows;
    TRY(kv_scan_next(task, scan->run->txn, &cursor->scan, &cursor->arena, &cursor->batch));
    cursor->ended = cursor->batch.count == 0;
    TRY(task_yield_if_due(task));

out:
    return st;
}

// To the first row at or after `row`; with nothing read yet, and `row` empty, to the first one.
static struct status seek(
    struct task *task, struct inverted_scan *scan, struct part_cursor *cursor, struct bytes row)
{
    struct status st = STATUS_OK;
    if (cursor->ended) return st;
    if (cursor->batch.count > 0) {
        if (bytes_compare(row_of(cursor), row) >= 0) return st;
        uint32_t low = cursor->at + 1, high = cursor->batch.count;
        while (low < high) {
            cursor->at = low + (high - low) / 2;
            if (bytes_compare(row_of(cursor), row) < 0) low = cursor->at + 1;
            else high = cursor->at;
        }
        cursor->at = low;
        if (low < cursor->batch.count) return st;
    }
    if (row.size > 0) {
        // Behind this batch: a new scan from there, which is one request as the next batch would be.
        struct bytes start = put_key(&scan->arena, &cursor->start, cursor->prefix, row);
        kv_scan_init(&cursor->scan, (struct span){start, cursor->scan.span.end});
    }
    TRY(fetch(task, scan, cursor));

out:
    return st;
}

// --- conditions --------------------------------------------------------------------------------------

// The condition's first row at or after `row`; *found NULL bytes: none.
static struct status seek_any(struct task *task, struct inverted_scan *scan,
    struct condition_state *state, struct bytes row, struct part_cursor **found)
{
    struct status st = STATUS_OK;
    *found = NULL;
    for (uint32_t i = 0; i < state->cursor_count; i++) {
        struct part_cursor *cursor = &state->cursors[i];
        TRY(seek(task, scan, cursor, row));
        if (cursor->ended) continue;
        if (*found == NULL || bytes_compare(row_of(cursor), row_of(*found)) < 0) *found = cursor;
    }

out:
    return st;
}

static struct status seek_all(struct task *task, struct inverted_scan *scan,
    struct condition_state *state, struct bytes row, struct part_cursor **found)
{
    struct status st = STATUS_OK;
    uint32_t agreed = 0;
    *found = NULL;
    for (uint32_t i = 0; agreed < state->cursor_count; i = (i + 1) % state->cursor_count) {
        struct part_cursor *cursor = &state->cursors[i];
        TRY(seek(task, scan, cursor, row));
        if (cursor->ended) return st;
        agreed = bytes_equal(row_of(cursor), row) ? agreed + 1 : 1;
        row = row_of(cursor);
    }
    *found = &state->cursors[0];

out:
    return st;
}

static struct status seek_conditions(struct task *task, struct inverted_scan *scan,
    struct bytes row, struct part_cursor **found)
{
    struct status st = STATUS_OK;
    uint32_t count = scan->node->inverted_count, agreed = 0, i = 0;
    *found = NULL;
    // Conditions that any row may meet agree with whatever the others say; one at least looks for parts.
    while (agreed < count || *found == NULL) {
        struct condition_state *state = &scan->conditions[i];
        struct part_cursor *at = NULL;
        i = (i + 1) % count;
        if (state->mode == INVERTED_EVERYTHING) {
            agreed++;
            continue;
        }
        TRY(state->mode == INVERTED_ALL ? seek_all(task, scan, state, row, &at)
                                        : seek_any(task, scan, state, row, &at));
        *found = at;
        if (at == NULL) return st;
        agreed = bytes_equal(row_of(at), row) ? agreed + 1 : 1;
        row = row_of(at);
    }

out:
    return st;
}

static struct status next_of_all(struct task *task, struct inverted_scan *scan,
    struct arena *arena, uint32_t rows_max, struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct kv_batch batch;
    if (!scan->scanning) {
        struct bytes prefix = scan->node->primary->prefix;
        kv_scan_init(&scan->all, (struct span){prefix, key_prefix_end(&scan->arena, prefix)});
        scan->scanning = true;
    }
    scan->all.read = scan->read;
    scan->all.batch_rows = rows_max;
    TRY(kv_scan_next(task, scan->run->txn, &scan->all, arena, &batch));
    *pairs = batch.pairs;
    *count = batch.count;

out:
    return st;
}

struct status inverted_scan_next(struct task *task, struct inverted_scan *scan, struct kv_read read,
    struct arena *arena, uint32_t rows_max, struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct bytes prefix = scan->node->index->prefix;
    *count = 0;
    scan->read = read;
    if (scan->nothing) return st;
    if (scan->whole) return next_of_all(task, scan, arena, rows_max, pairs, count);
    *pairs = arena_alloc(arena, rows_max * sizeof(struct kv_pair));
    while (*count < rows_max && !scan->ended) {
        struct part_cursor *found;
        TRY(seek_conditions(task, scan, bytes_of(scan->next.data, scan->next.size), &found));
        scan->ended = found == NULL;
        if (found == NULL) break;
        struct buffer key;
        struct bytes row = row_of(found);
        buffer_init(&key, arena);
        buffer_append_bytes(&key, prefix);
        buffer_append_bytes(&key, row);
        (*pairs)[(*count)++] = (struct kv_pair){
            buffer_bytes(&key), arena_copy(arena, found->batch.pairs[found->at].value)};
        // The smallest that is greater: the row with a zero byte behind it.
        put_key(&scan->arena, &scan->next, row, bytes_of("", 1));
    }

out:
    return st;
}
