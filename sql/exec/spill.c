// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/spill.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "sql/session/shard_state.h"

#define BATCH_BYTES (1u << 20)
#define BLOCKS_MAX (UINT32_MAX - 1)
#define FILLING 0xff // Behind the last row of a block that is not full.

static const uint8_t row_mark = 0; // Before each row.

struct spill_node {
    char *dir;
    uint64_t shard_blocks_max;
};

static struct spill_node *node_of(const struct node *node)
{
    return node->slots[NODE_SLOT_SPILL];
}

bool spill_possible(const struct shard *shard)
{
    return node_of(shard->node) != NULL;
}

struct status spill_node_start(struct task *task, const struct spill_options *options)
{
    struct status st;
    struct node *node = task->shard->node;
    char **names;
    uint64_t bytes = options->bytes_max == 0 ? SPILL_BYTES_MAX_DEFAULT : options->bytes_max;
    TRY(disk_mkdir(task, options->dir));
    TRY(disk_list(task, options->dir, &names));
    for (; *names != NULL; names++)
        TRY(disk_unlink(task, arena_printf(task->arena, "%s/%s", options->dir, *names)));
    struct spill_node *made = calloc(1, sizeof *made);
    invariant(made != NULL && node->slots[NODE_SLOT_SPILL] == NULL);
    made->dir = strdup(options->dir);
    invariant(made->dir != NULL);
    made->shard_blocks_max = bytes / node->shard_count / SPILL_BLOCK_BYTES;
    node->slots[NODE_SLOT_SPILL] = made;
out:
    return st;
}

void spill_node_stop(struct shard *shard)
{
    struct node *node = shard->node;
    struct spill_node *made = node_of(node);
    if (made == NULL) return;
    free(made->dir);
    free(made);
    node->slots[NODE_SLOT_SPILL] = NULL;
}

// --- blocks of the file ------------------------------------------------------------------------------

void spill_init(struct spill *spill, struct shard *shard, struct memory_account *account)
{
    *spill = (struct spill){.shard = shard, .account = account, .file.handle = -1};
}

static struct status open_file(struct task *task, struct spill *spill)
{
    struct status st;
    const struct spill_node *node = node_of(spill->shard->node);
    struct sql_shard *state = sql_shard(spill->shard);
    if (node == NULL) return status_make(E_OUT_OF_MEMORY, "there is no folder for temporary files");
    char *path = arena_printf(task->arena, "%s/%u-%llu", node->dir, spill->shard->index,
        (unsigned long long)++state->spill_files);
    TRY(disk_open(task, path, DISK_CREATE, &spill->file));
    spill->open = true;
    // Nobody needs the name: without it the file ends with whoever holds it open.
    TRY(disk_unlink(task, path));
out:
    return st;
}

void spill_fini(struct task *task, struct spill *spill)
{
    struct sql_shard *state = sql_shard(spill->shard);
    if (spill->open) {
        struct status st = disk_close(task, &spill->file);
        (void)st; // Nobody reads it any more.
        state->spill_blocks -= spill->block_count;
    }
    memory_account_shrink(spill->account, spill->free_capacity * sizeof(uint32_t));
    free(spill->free);
    spill_init(spill, spill->shard, spill->account);
}

static struct status take_block(struct spill *spill, uint32_t *block)
{
    struct sql_shard *state = sql_shard(spill->shard);
    if (spill->free_count > 0) {
        *block = spill->free[--spill->free_count];
        return STATUS_OK;
    }
    if (state->spill_blocks >= node_of(spill->shard->node)->shard_blocks_max ||
        spill->block_count >= BLOCKS_MAX)
        return status_make(SQLSTATE('5', '3', '4', '0', '0'),
            "temporary files exceed the limit of --max-disk-temp-storage");
    state->spill_blocks++;
    *block = spill->block_count++;
    return STATUS_OK;
}

// Room for one more number in a list that is charged to the account.
static void grow_list(
    struct memory_account *account, uint32_t **list, uint32_t count, uint32_t *capacity)
{
    if (count < *capacity) return;
    uint32_t bigger = *capacity == 0 ? 16 : *capacity * 2;
    *list = realloc(*list, bigger * sizeof **list);
    invariant(*list != NULL);
    memory_account_grow(account, (bigger - *capacity) * sizeof **list);
    *capacity = bigger;
}

static void give_block(struct spill *spill, uint32_t block)
{
    grow_list(spill->account, &spill->free, spill->free_count, &spill->free_capacity);
    spill->free[spill->free_count++] = block;
}

static uint8_t *new_buffer(struct spill *spill)
{
    uint8_t *buffer = malloc(SPILL_BLOCK_BYTES);
    invariant(buffer != NULL);
    memory_account_grow(spill->account, SPILL_BLOCK_BYTES);
    return buffer;
}

static void free_buffer(struct spill *spill, uint8_t **buffer)
{
    if (*buffer == NULL) return;
    memory_account_shrink(spill->account, SPILL_BLOCK_BYTES);
    free(*buffer);
    *buffer = NULL;
}

// --- writing -----------------------------------------------------------------------------------------

void spill_tape_init(struct spill_tape *tape, struct spill *spill, uint64_t *counter)
{
    *tape = (struct spill_tape){.spill = spill, .counter = counter};
}

void spill_tape_clear(struct spill_tape *tape)
{
    struct spill *spill = tape->spill;
    if (spill == NULL) return;
    for (uint32_t i = 0; i < tape->block_count; i++) give_block(spill, tape->blocks[i]);
    memory_account_shrink(spill->account, tape->block_capacity * sizeof(uint32_t));
    free(tape->blocks);
    free_buffer(spill, &tape->buffer);
    spill_tape_init(tape, spill, tape->counter);
}

static struct status write_block(struct task *task, struct spill_tape *tape, uint32_t block)
{
    tape->spill->blocks_written++;
    if (tape->counter != NULL) *tape->counter += tape->filled;
    return disk_write(task, &tape->spill->file, (uint64_t)block * SPILL_BLOCK_BYTES, tape->buffer,
        tape->filled, 0);
}

// Writes the block in hand and begins the next one.
static struct status next_block(struct task *task, struct spill_tape *tape)
{
    struct status st = STATUS_OK;
    struct spill *spill = tape->spill;
    uint32_t block;
    if (!spill->open) TRY(open_file(task, spill));
    TRY(take_block(spill, &block));
    grow_list(spill->account, &tape->blocks, tape->block_count, &tape->block_capacity);
    tape->blocks[tape->block_count++] = block;
    TRY(write_block(task, tape, block));
    tape->filled = 0;
out:
    return st;
}

static struct status put_slow(
    struct task *task, struct spill_tape *tape, const void *data, size_t size)
{
    struct status st = STATUS_OK;
    const uint8_t *at = data;
    if (tape->buffer == NULL) tape->buffer = new_buffer(tape->spill);
    while (size > 0) {
        if (tape->filled == SPILL_BLOCK_BYTES) TRY(next_block(task, tape));
        size_t room = SPILL_BLOCK_BYTES - tape->filled;
        size_t part = size < room ? size : room;
        memcpy(tape->buffer + tape->filled, at, part);
        tape->filled += (uint32_t)part;
        tape->bytes += part;
        at += part;
        size -= part;
    }
out:
    return st;
}

static inline struct status put(
    struct task *task, struct spill_tape *tape, const void *data, size_t size)
{
    if (UNLIKELY(tape->buffer == NULL || size > SPILL_BLOCK_BYTES - tape->filled))
        return put_slow(task, tape, data, size);
    memcpy(tape->buffer + tape->filled, data, size);
    tape->filled += (uint32_t)size;
    tape->bytes += size;
    return STATUS_OK;
}

// A byte (1: NULL), then eight of the value, or four of its size and its bytes.
static struct status put_datum(
    struct task *task, struct spill_tape *tape, type_oid type, struct datum value)
{
    struct status st;
    uint8_t head[9];
    if (value.null) {
        head[0] = 1;
        return put(task, tape, head, 1);
    }
    head[0] = 0;
    if (type_is_by_value(type)) {
        memcpy(head + 1, &value.integer, 8);
        return put(task, tape, head, 9);
    }
    memcpy(head + 1, &value.size, 4);
    TRY(put(task, tape, head, 5));
    if (value.size > 0) TRY(put(task, tape, value.data, value.size));
out:
    return st;
}

struct status spill_tape_add(struct task *task, struct spill_tape *tape, const type_oid *types,
    uint32_t width, struct datum *const *columns, const uint32_t *map, uint32_t at)
{
    struct status st = STATUS_OK;
    TRY(put(task, tape, &row_mark, 1));
    for (uint32_t i = 0; i < width; i++)
        TRY(put_datum(task, tape, types[i], columns[map == NULL ? i : map[i]][at]));
    tape->rows++;
out:
    return st;
}

struct status spill_tape_add_row(struct task *task, struct spill_tape *tape, const type_oid *types,
    uint32_t width, const struct datum *row)
{
    struct status st = STATUS_OK;
    TRY(put(task, tape, &row_mark, 1));
    for (uint32_t i = 0; i < width; i++) TRY(put_datum(task, tape, types[i], row[i]));
    tape->rows++;
out:
    return st;
}

// The last block is short, so that a tape goes on only in a new one: `bytes` is rounded up to it.
struct status spill_tape_end(struct task *task, struct spill_tape *tape)
{
    struct status st = STATUS_OK;
    if (tape->filled > 0) {
        uint32_t rest = SPILL_BLOCK_BYTES - tape->filled;
        memset(tape->buffer + tape->filled, FILLING, rest);
        tape->filled = SPILL_BLOCK_BYTES;
        tape->bytes += rest;
        TRY(next_block(task, tape));
    }
out:
    free_buffer(tape->spill, &tape->buffer);
    tape->filled = 0;
    return st;
}

// --- reading -----------------------------------------------------------------------------------------

void spill_reader_init(struct spill_reader *reader, const struct spill_tape *tape)
{
    *reader = (struct spill_reader){.tape = tape, .held = UINT32_MAX};
}

void spill_reader_fini(struct spill_reader *reader)
{
    if (reader->tape != NULL) free_buffer(reader->tape->spill, &reader->buffer);
    *reader = (struct spill_reader){.held = UINT32_MAX};
}

void spill_reader_seek(struct spill_reader *reader, uint64_t at)
{
    reader->at = at;
}

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "a temporary file is damaged");
}

// The block that holds the reader's place is in its buffer. *found false behind the last.
static struct status hold_block(struct task *task, struct spill_reader *reader, bool *found)
{
    struct status st = STATUS_OK;
    const struct spill_tape *tape = reader->tape;
    uint64_t index = reader->at / SPILL_BLOCK_BYTES;
    *found = index < tape->block_count;
    if (!*found || index == reader->held) return st;
    size_t read;
    if (reader->buffer == NULL) reader->buffer = new_buffer(tape->spill);
    reader->held = UINT32_MAX;
    TRY(disk_read(task, &tape->spill->file, (uint64_t)tape->blocks[index] * SPILL_BLOCK_BYTES,
        reader->buffer, SPILL_BLOCK_BYTES, &read));
    if (read != SPILL_BLOCK_BYTES) return damaged();
    reader->held = (uint32_t)index;
out:
    return st;
}

static struct status take_slow(
    struct task *task, struct spill_reader *reader, void *out, size_t size)
{
    struct status st = STATUS_OK;
    uint8_t *to = out;
    while (size > 0) {
        bool found;
        TRY(hold_block(task, reader, &found));
        if (!found) return damaged();
        size_t place = reader->at % SPILL_BLOCK_BYTES, room = SPILL_BLOCK_BYTES - place;
        size_t part = size < room ? size : room;
        memcpy(to, reader->buffer + place, part);
        reader->at += part;
        to += part;
        size -= part;
    }
out:
    return st;
}

static inline struct status take(
    struct task *task, struct spill_reader *reader, void *out, size_t size)
{
    size_t place = reader->at % SPILL_BLOCK_BYTES;
    if (UNLIKELY(reader->held != reader->at / SPILL_BLOCK_BYTES ||
                 size > SPILL_BLOCK_BYTES - place))
        return take_slow(task, reader, out, size);
    memcpy(out, reader->buffer + place, size);
    reader->at += size;
    return STATUS_OK;
}

static struct status take_datum(struct task *task, struct spill_reader *reader, type_oid type,
    struct arena *arena, struct datum *value)
{
    struct status st;
    uint8_t null;
    uint32_t size;
    TRY(take(task, reader, &null, 1));
    *value = DATUM_NULL;
    if (null == 1) return st;
    if (null != 0) return damaged();
    *value = (struct datum){0};
    if (type_is_by_value(type)) return take(task, reader, &value->integer, 8);
    TRY(take(task, reader, &size, 4));
    if (size > reader->tape->bytes - reader->at) return damaged();
    uint8_t *data = size > ARENA_UNCHECKED_BYTES ? arena_try_alloc(arena, size)
                                                 : arena_alloc(arena, size);
    if (data == NULL) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
    TRY(take(task, reader, data, size));
    value->data = data;
    value->size = size;
out:
    return st;
}

// Whether a row begins at the reader's place, or behind the filling of a last block.
static struct status at_row(struct task *task, struct spill_reader *reader, bool *found)
{
    struct status st = STATUS_OK;
    for (;;) {
        TRY(hold_block(task, reader, found));
        if (!*found || reader->buffer[reader->at % SPILL_BLOCK_BYTES] != FILLING) break;
        reader->at = (reader->at / SPILL_BLOCK_BYTES + 1) * SPILL_BLOCK_BYTES;
    }
    if (!*found) return st;
    if (reader->buffer[reader->at % SPILL_BLOCK_BYTES] != row_mark) return damaged();
    reader->at++;
out:
    return st;
}

struct status spill_read(struct task *task, struct spill_reader *reader, const type_oid *types,
    uint32_t width, struct arena *arena, struct datum *row, bool *found)
{
    struct status st;
    TRY(at_row(task, reader, found));
    if (!*found) return st;
    for (uint32_t i = 0; i < width; i++) TRY(take_datum(task, reader, types[i], arena, &row[i]));
out:
    return st;
}

struct status spill_read_batch(struct task *task, struct spill_reader *reader,
    const type_oid *types, uint32_t width, struct arena *arena, struct datum **columns,
    uint32_t rows_max, uint32_t *rows)
{
    struct status st = STATUS_OK;
    uint64_t start = reader->at;
    bool found;
    for (*rows = 0; *rows < rows_max && reader->at - start < BATCH_BYTES; (*rows)++) {
        TRY(at_row(task, reader, &found));
        if (!found) break;
        for (uint32_t i = 0; i < width; i++)
            TRY(take_datum(task, reader, types[i], arena, &columns[i][*rows]));
    }
out:
    return st;
}
