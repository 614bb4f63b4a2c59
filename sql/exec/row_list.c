// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/row_list.h"

#include <stdlib.h>

#include "core/invariant.h"

#define PAGE_ROWS_MAX 128u
#define PAGE_BYTES_MAX (32u << 10)

void row_list_init(struct row_list *list, struct memory_account *account, const type_oid *types,
    uint32_t width, struct spill *spill, uint64_t *counter)
{
    *list = (struct row_list){.spill = spill, .counter = counter};
    row_store_init(&list->store, account, types, width);
    if (spill != NULL) spill_tape_init(&list->tape, spill, counter);
}

void row_list_reset(struct row_list *list)
{
    row_store_reset(&list->store);
    spill_tape_clear(&list->tape);
    list->count = 0;
    list->page_count = 0;
    list->spilled = list->ended = false;
    list->changes++;
}

void row_list_fini(struct row_list *list)
{
    row_list_reset(list);
    if (list->store.arena.account != NULL)
        memory_account_shrink(
            list->store.arena.account, list->page_capacity * sizeof *list->pages);
    free(list->pages);
    row_store_fini(&list->store);
    *list = (struct row_list){0};
}

void row_list_spill(struct row_list *list)
{
    invariant(list->spill != NULL);
    list->spilled = true;
}

void row_list_swap(struct row_list *a, struct row_list *b)
{
    struct row_list swap = *a;
    uint64_t changes = a->changes + b->changes + 1;
    *a = *b;
    *b = swap;
    a->changes = b->changes = changes;
}

// --- adding ------------------------------------------------------------------------------------------

static void page_add(struct row_list *list)
{
    if (list->page_count == list->page_capacity) {
        uint32_t capacity = list->page_capacity == 0 ? 16 : list->page_capacity * 2;
        list->pages = realloc(list->pages, capacity * sizeof *list->pages);
        invariant(list->pages != NULL);
        memory_account_grow(
            list->store.arena.account, (capacity - list->page_capacity) * sizeof *list->pages);
        list->page_capacity = capacity;
    }
    list->pages[list->page_count++] = (struct row_page){list->count, list->tape.bytes};
}

static void before_add(struct row_list *list)
{
    const struct row_page *last =
        list->page_count == 0 ? NULL : &list->pages[list->page_count - 1];
    list->ended = false;
    if (last == NULL || list->count - last->first >= PAGE_ROWS_MAX ||
        list->tape.bytes - last->at >= PAGE_BYTES_MAX)
        page_add(list);
}

struct status row_list_add(struct task *task, struct row_list *list,
    struct datum *const *columns, const uint32_t *map, uint32_t at)
{
    struct status st = STATUS_OK;
    if (list->spilled) {
        before_add(list);
        TRY(spill_tape_add(
            task, &list->tape, list->store.types, list->store.width, columns, map, at));
    } else {
        row_store_add(&list->store, columns, map, at);
    }
    list->count++;
    TRY(row_store_work(task, &list->store));

out:
    return st;
}

struct status row_list_add_row(struct task *task, struct row_list *list, const struct datum *row)
{
    struct status st = STATUS_OK;
    if (list->spilled) {
        before_add(list);
        TRY(spill_tape_add_row(task, &list->tape, list->store.types, list->store.width, row));
    } else {
        struct datum *kept = row_store_new(&list->store);
        for (uint32_t c = 0; c < list->store.width; c++)
            row_store_set(&list->store, kept, c, row[c]);
    }
    list->count++;
    TRY(row_store_work(task, &list->store));

out:
    return st;
}

// --- reading -----------------------------------------------------------------------------------------

void row_list_reader_init(
    struct row_list_reader *reader, struct row_list *list, struct memory_account *account)
{
    *reader = (struct row_list_reader){.list = list};
    arena_init(&reader->arena, account);
}

void row_list_reader_fini(struct row_list_reader *reader)
{
    spill_reader_fini(&reader->reader);
    arena_fini(&reader->arena);
    *reader = (struct row_list_reader){0};
}

static const struct row_page *page_of(const struct row_list *list, uint64_t number)
{
    uint32_t low = 0, high = list->page_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (list->pages[middle].first <= number) low = middle;
        else high = middle;
    }
    return &list->pages[low];
}

static struct status read_page(
    struct task *task, struct row_list_reader *reader, uint64_t number)
{
    struct status st = STATUS_OK;
    struct row_list *list = reader->list;
    const struct row_page page = *page_of(list, number);
    bool last = page.first == list->pages[list->page_count - 1].first;
    uint64_t end = last ? list->count : page_of(list, number)[1].first;
    uint32_t count = (uint32_t)(end - page.first);
    bool found;
    // What is being added to goes on behind what has been written.
    if (!list->ended) {
        TRY(spill_tape_end(task, &list->tape));
        list->ended = true;
    }
    if (reader->reader.tape == NULL) spill_reader_init(&reader->reader, &list->tape);
    arena_reset(&reader->arena);
    reader->count = 0;
    reader->first = page.first;
    reader->rows = ARENA_ARRAY(&reader->arena, struct datum *, count);
    spill_reader_seek(&reader->reader, page.at);
    for (uint32_t i = 0; i < count; i++) {
        reader->rows[i] = ARENA_ARRAY(&reader->arena, struct datum, list->store.width + 1);
        TRY(spill_read(task, &reader->reader, list->store.types, list->store.width,
            &reader->arena, reader->rows[i], &found));
        if (!found) return status_make(E_DATA_CORRUPTED, "a temporary file is damaged");
    }
    reader->count = count;

out:
    return st;
}

struct status row_list_get(
    struct task *task, struct row_list_reader *reader, uint64_t number, struct datum **row)
{
    struct status st = STATUS_OK;
    struct row_list *list = reader->list;
    invariant(number < list->count);
    if (LIKELY(number < list->store.count)) {
        *row = list->store.rows[number];
        return st;
    }
    if (reader->changes != list->changes) {
        reader->count = 0;
        spill_reader_fini(&reader->reader);
        reader->changes = list->changes;
    }
    if (number < reader->first || number - reader->first >= reader->count)
        TRY(read_page(task, reader, number));
    *row = reader->rows[number - reader->first];

out:
    return st;
}
