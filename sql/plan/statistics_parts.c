// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/statistics_parts.h"

#include <math.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/work.h"
#include "sql/type/inverted.h"
#include "sql/plan/statistics.h"

#define COUNTER_SLOTS 8192u
#define COUNTER_FULL 6000u
#define COUNTER_LEFT 3000u
#define ROWS_WHOLE 16384u // Beyond so many one of SAMPLE_STEP rows is looked at.
#define SAMPLE_STEP 8u
#define SHARE_BITS 24u
#define REST_BITS 40u
#define TERMS_MAX 4u // Of conditions that must hold together: further ones say no more.

struct counted {
    uint64_t hash; // 0: free.
    uint64_t rows;
};
struct part_counter {
    enum inverted_class class;
    struct counted slots[COUNTER_SLOTS];
    uint32_t used;
    uint64_t pruned, seen, occurrences;
    struct arena scratch;
};

struct part_counter *part_counter_new(struct arena *arena, type_oid type)
{
    enum inverted_class class = inverted_class_default(type);
    if (class == INVERTED_NONE) return NULL;
    struct part_counter *counter = ARENA_NEW(arena, struct part_counter);
    counter->class = class;
    arena_init(&counter->scratch, arena->account);
    return counter;
}

void part_counter_fini(struct part_counter *counter)
{
    if (counter != NULL) arena_fini(&counter->scratch);
}

static uint64_t part_hash(struct bytes part)
{
    const uint64_t hash = hash_bytes(part);
    return hash == 0 ? 1 : hash;
}

static struct counted *slot_of(struct part_counter *counter, uint64_t hash)
{
    uint32_t at = (uint32_t)hash % COUNTER_SLOTS;
    while (counter->slots[at].hash != 0 && counter->slots[at].hash != hash)
        at = (at + 1) % COUNTER_SLOTS;
    return &counter->slots[at];
}

static int by_rows(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    (void)task_goes_on(sizeof *x);
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash; // The same whatever the order was.
}

// Those counted, the most frequent first; the free ones last.
static struct counted *in_order(struct part_counter *counter, struct arena *arena)
{
    struct counted *sorted = arena_alloc(arena, sizeof counter->slots);
    memcpy(sorted, counter->slots, sizeof counter->slots);
    qsort(sorted, COUNTER_SLOTS, sizeof *sorted, by_rows);
    return sorted;
}

// Rare ones go, so that a frequent one always finds room.
static void prune(struct part_counter *counter)
{
    const struct counted *sorted = in_order(counter, &counter->scratch);
    memset(counter->slots, 0, sizeof counter->slots);
    for (uint32_t i = 0; i < COUNTER_LEFT; i++) *slot_of(counter, sorted[i].hash) = sorted[i];
    counter->pruned += counter->used - COUNTER_LEFT;
    counter->used = COUNTER_LEFT;
}

#define PARTS_PER_LOOK 256u
struct status part_counter_add(struct part_counter *counter, struct datum value)
{
    struct status st = STATUS_OK;
    struct inverted_parts parts;
    const uint64_t number = counter->seen++;
    const bool sampled = number >= ROWS_WHOLE;
    if (sampled && hash_u64(number) % SAMPLE_STEP != 0) return st;
    const uint64_t weight = sampled ? SAMPLE_STEP : 1;
    arena_reset(&counter->scratch);
    TRY(inverted_parts_of(&counter->scratch, counter->class, value, &parts));
    for (uint32_t i = 0; i < parts.count; i++) {
        const uint64_t hash = part_hash(parts.items[i]);
        struct counted *slot = slot_of(counter, hash);
        counter->occurrences += weight;
        counter->used += slot->hash == 0;
        slot->hash = hash;
        slot->rows += weight;
        if (counter->used == COUNTER_FULL) prune(counter);
        if (i % PARTS_PER_LOOK == PARTS_PER_LOOK - 1) TRY(task_work(task_current(), WORK_BYTES));
    }
    TRY(arena_check(&counter->scratch));

out:
    return st;
}

static uint64_t scaled(double share, uint32_t bits)
{
    const uint64_t most = (UINT64_C(1) << bits) - 1;
    const double number = share * (double)most;
    return number < 1 ? 1 : number > (double)most ? most : (uint64_t)number;
}

void part_counter_finish(struct arena *arena, struct part_counter *counter, uint64_t rows,
    uint32_t most, uint32_t *count, uint64_t **numbers)
{
    *count = 0;
    if (counter->used == 0 || rows == 0) return;
    arena_reset(&counter->scratch);
    const struct counted *sorted = in_order(counter, &counter->scratch);
    uint64_t rest = counter->occurrences;
    uint32_t kept = 0;
    if (most > counter->used) most = counter->used;
    *numbers = ARENA_ARRAY(arena, uint64_t, most + 1);
    for (; kept < most; kept++) {
        const uint64_t share = scaled((double)sorted[kept].rows / (double)rows, SHARE_BITS);
        (*numbers)[kept + 1] = sorted[kept].hash >> SHARE_BITS << SHARE_BITS | share;
        rest -= sorted[kept].rows < rest ? sorted[kept].rows : rest;
    }
    const uint64_t others = counter->used - kept + counter->pruned;
    const double each = others == 0 ? 0 : (double)rest / (double)others;
    (*numbers)[0] = scaled(each / (double)rows, REST_BITS);
    *count = kept + 1;
}

static double share_of(const uint64_t *numbers, uint32_t count, struct bytes part)
{
    const uint64_t hash = part_hash(part) >> SHARE_BITS;
    for (uint32_t i = 1; i < count; i++)
        if (numbers[i] >> SHARE_BITS == hash)
            return (double)(numbers[i] & ((1u << SHARE_BITS) - 1)) / (double)(1u << SHARE_BITS);
    return (double)numbers[0] / (double)(UINT64_C(1) << REST_BITS);
}

static int compare_shares(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Parts of a value go together: each further one, from the rarest on, counts for less.
static double share_of_all(double *shares, uint32_t count)
{
    double share = 1, power = 1;
    qsort(shares, count, sizeof *shares, compare_shares);
    for (uint32_t i = 0; i < count && i < TERMS_MAX; i++, power /= 2)
        share *= pow(shares[i], power);
    return share;
}

static double share_of_query(const uint64_t *numbers, uint32_t count, enum inverted_mode mode,
    const struct inverted_parts *parts, struct arena *arena)
{
    double *shares = ARENA_ARRAY(arena, double, parts->count + 1), none = 1;
    for (uint32_t i = 0; i < parts->count; i++) {
        shares[i] = share_of(numbers, count, parts->items[i]);
        none *= 1 - shares[i];
    }
    switch (mode) {
    case INVERTED_ALL: return share_of_all(shares, parts->count);
    case INVERTED_ANY: return 1 - none;
    case INVERTED_NOTHING: return 0;
    case INVERTED_EVERYTHING: break;
    }
    return -1;
}

double parts_share(const uint64_t *numbers, uint32_t count, const char *operator, type_oid column,
    type_oid value_type, struct datum value)
{
    const enum inverted_class class = inverted_class_default(column);
    struct inverted_parts parts = {0};
    enum inverted_mode mode;
    struct arena arena;
    double share = -1;
    if (class == INVERTED_NONE || count == 0 || operator == NULL || value.null) return -1;
    const enum inverted_strategy strategy = inverted_strategy_of(
        class, operator, column, value_type == TYPE_VARCHAR ? TYPE_TEXT : value_type);
    // What is contained has parts of the value, and none besides: of that nothing is known.
    if (strategy == INVERTED_NO_STRATEGY || strategy == INVERTED_CONTAINED) return -1;
    arena_init(&arena, NULL);
    if (!failed(inverted_query(&arena, class, strategy, value, &mode, &parts)))
        share = share_of_query(numbers, count, mode, &parts, &arena);
    arena_fini(&arena);
    return share;
}
