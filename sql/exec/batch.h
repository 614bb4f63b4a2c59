// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows between operators: up to BATCH_ROWS_MAX at a time, by column, with a selection of those that are
// still in.
//
// Memory   A batch and what its datums point to belong to the operator that gave it out: valid until that
//          operator is asked for the next one, or is rewound.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "sql/type/datum.h"

#define BATCH_ROWS_MAX 1024u

struct batch {
    struct datum **columns;    // Each of at least `count` datums.
    uint32_t column_count;
    uint32_t count;            // Rows that the columns hold.
    const uint16_t *selection; // Which of them; NULL: all.
    uint32_t selected;         // Rows in it: 0 ends the stream.
};

// The position in the columns of the n-th selected row.
static inline uint32_t batch_row(const struct batch *batch, uint32_t n)
{
    return batch->selection == NULL ? n : batch->selection[n];
}
