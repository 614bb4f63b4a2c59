// SPDX-License-Identifier: GPL-3.0-or-later
//
// A list of rows, however long: the first ones in memory, the others in the temporary file. Rows are added at
// the end and read by number, in any order; next to each other they are cheap to read.
//
// Memory   Rows in memory are charged to the account given to row_list_init; a reader holds a page of rows.
//          The list grows in memory as long as `spills` says no; NULL: always in memory.
#pragma once
#include "sql/exec/row_store.h"
#include "sql/exec/spill.h"

struct row_page {
    uint64_t first; // Number of its first row.
    uint64_t at;    // Where that begins on the tape.
};
struct row_list {
    struct row_store store;
    struct spill_tape tape;
    struct spill *spill;      // NULL: nothing spills.
    uint64_t *counter;
    uint64_t count;           // Of all rows.
    struct row_page *pages;
    uint32_t page_count, page_capacity;
    bool spilled, ended;
    uint64_t changes;         // Grows when the list is emptied: readers look again.
};
struct row_list_reader {
    struct row_list *list;
    struct spill_reader reader;
    struct arena arena;
    struct datum **rows;      // Of the page in hand.
    uint64_t first;
    uint32_t count;
    uint64_t changes;
};

void row_list_init(struct row_list *list, struct memory_account *account, const type_oid *types,
    uint32_t width, struct spill *spill, uint64_t *counter);
void row_list_reset(struct row_list *list);
void row_list_fini(struct row_list *list);
// columns[map[i]][at]; `map` NULL: columns[i][at].
CHECKED struct status row_list_add(struct task *task, struct row_list *list,
    struct datum *const *columns, const uint32_t *map, uint32_t at);
CHECKED struct status row_list_add_row(
    struct task *task, struct row_list *list, const struct datum *row);
// Exchanges the rows of two lists of one operator.
void row_list_swap(struct row_list *a, struct row_list *b);
// From here on rows go to the file.
void row_list_spill(struct row_list *list);

void row_list_reader_init(
    struct row_list_reader *reader, struct row_list *list, struct memory_account *account);
void row_list_reader_fini(struct row_list_reader *reader);
// The row valid until the reader is asked for another one. Rows may have been added meanwhile.
CHECKED struct status row_list_get(
    struct task *task, struct row_list_reader *reader, uint64_t number, struct datum **row);
