// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/store_gap.h"

#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"

#define LEARN_AFTER_MIN 4u
#define LEARN_AFTER_MAX 256u

void store_gap_init(struct store_gap *gap)
{
    *gap = (struct store_gap){.learn_after = LEARN_AFTER_MIN};
}

void store_gap_fini(struct store_gap *gap)
{
    free(gap->start.data);
    free(gap->end.data);
    *gap = (struct store_gap){0};
}

static void key_set(struct store_gap_key *out, struct bytes key, uint32_t more)
{
    uint32_t size = (uint32_t)key.size + more;
    if (size > out->capacity) {
        free(out->data);
        out->capacity = size * 2;
        out->data = malloc(out->capacity);
        invariant(out->data != NULL);
    }
    if (key.size > 0) memcpy(out->data, key.data, key.size);
    if (more > 0) memset(out->data + key.size, 0, more);
    out->size = size;
}

static bool holds(const struct store_gap *gap, struct bytes key)
{
    return gap->known && bytes_compare(bytes_of(gap->start.data, gap->start.size), key) <= 0 &&
           (gap->endless || bytes_compare(key, bytes_of(gap->end.data, gap->end.size)) < 0);
}

bool store_gap_has(struct store_gap *gap, struct bytes key)
{
    if (!holds(gap, key)) return false;
    gap->used = true;
    return true;
}

bool store_gap_missed(struct store_gap *gap)
{
    return ++gap->missing >= gap->learn_after;
}

void store_gap_learn(struct store_gap *gap, struct bytes from, struct bytes next)
{
    if (gap->used) {
        gap->learn_after = LEARN_AFTER_MIN;
    } else if (gap->learn_after < LEARN_AFTER_MAX) {
        gap->learn_after *= 2;
    }
    gap->missing = 0;
    gap->used = false;
    gap->known = true;
    gap->endless = next.data == NULL;
    key_set(&gap->start, from, 0);
    if (!gap->endless) key_set(&gap->end, next, 0);
}

void store_gap_put(struct store_gap *gap, struct bytes key)
{
    // What comes right behind the key is the key with a zero.
    if (holds(gap, key)) key_set(&gap->start, key, 1);
}
