// SPDX-License-Identifier: GPL-3.0-or-later
//
// Temporary files: where rows go that an operator keeps and that its memory does not hold.
//
// A statement (or cursor) has at most one file, made when the first block is written and unlinked at once, so
// that it goes with the process; what a crash between the two leaves is removed at the next start. The file
// is a heap of blocks. A tape is a list of blocks: rows are appended, then read from the start or from a
// place that was noted.
//
// Shard    The statement's. What takes a task suspends.
// Memory   One block a tape while it is written, one a reader; four bytes a block written. All are charged to
//          the account given to spill_init.
// Bounds   Files of a shard take at most its share of spill_options.bytes_max: 53400 beyond.
// Errors   53100 the disk is full; 53400; 58030; 57014; XX001 what is read is not what was written.
#pragma once
#include "core/arena.h"
#include "core/disk.h"
#include "sql/type/datum.h"
#include "sql/type/type.h"

#define SPILL_BLOCK_BYTES (32u << 10)
#define SPILL_BYTES_MAX_DEFAULT (UINT64_C(32) << 30)

// Of the node: makes the folder, removes what is in it. Without it nothing spills.
struct spill_options {
    const char *dir;    // A folder for these files alone.
    uint64_t bytes_max; // 0: SPILL_BYTES_MAX_DEFAULT.
};
CHECKED struct status spill_node_start(struct task *task, const struct spill_options *options);
void spill_node_stop(struct shard *shard); // Any of the node's.
bool spill_possible(const struct shard *shard);

struct spill {
    struct shard *shard;
    struct disk_file file;
    struct memory_account *account;
    uint32_t block_count;           // Of the file.
    uint32_t *free;                 // Blocks given back.
    uint32_t free_count, free_capacity;
    uint64_t blocks_written;
    bool open;
};
void spill_init(struct spill *spill, struct shard *shard, struct memory_account *account);
// Closes the file. All tapes and readers must be gone.
void spill_fini(struct task *task, struct spill *spill);

struct spill_tape {
    struct spill *spill;
    uint32_t *blocks;
    uint32_t block_count, block_capacity;
    uint8_t *buffer;     // Of the block in the making, or NULL.
    uint32_t filled;     // Bytes in it.
    uint64_t bytes, rows;
    uint64_t *counter;   // Grows with the bytes written: for EXPLAIN ANALYZE. May be NULL.
};
void spill_tape_init(struct spill_tape *tape, struct spill *spill, uint64_t *counter);
// columns[map[i]][at] for each of `width` columns; `map` NULL: columns[i][at].
CHECKED struct status spill_tape_add(struct task *task, struct spill_tape *tape,
    const type_oid *types, uint32_t width, struct datum *const *columns, const uint32_t *map,
    uint32_t at);
CHECKED struct status spill_tape_add_row(struct task *task, struct spill_tape *tape,
    const type_oid *types, uint32_t width, const struct datum *row);
// Writes what is left and gives the buffer back. Adding again after it is allowed.
CHECKED struct status spill_tape_end(struct task *task, struct spill_tape *tape);
// Gives the blocks back to the file. The tape can be used again.
void spill_tape_clear(struct spill_tape *tape);

struct spill_reader {
    const struct spill_tape *tape;
    uint8_t *buffer;
    uint32_t held;   // Index of the block in the buffer, or UINT32_MAX.
    uint64_t at;
};
// The tape must have ended. Reads from its start.
void spill_reader_init(struct spill_reader *reader, const struct spill_tape *tape);
void spill_reader_seek(struct spill_reader *reader, uint64_t at); // A former tape->bytes.
// row[0..width), its bytes in `arena`; *found false at the end.
CHECKED struct status spill_read(struct task *task, struct spill_reader *reader,
    const type_oid *types, uint32_t width, struct arena *arena, struct datum *row, bool *found);
// As columns: columns[i][at] for up to `rows_max` rows; fewer at the end or beyond 1 MiB of bytes.
CHECKED struct status spill_read_batch(struct task *task, struct spill_reader *reader,
    const type_oid *types, uint32_t width, struct arena *arena, struct datum **columns,
    uint32_t rows_max, uint32_t *rows);
void spill_reader_fini(struct spill_reader *reader);
