// SPDX-License-Identifier: GPL-3.0-or-later
//
// TABLESAMPLE: whether a row is in the sample hangs on the row's key, the seed and the percentage alone, so that every
// shard chooses among its own rows, and the same seed gives the same rows again as long as they are there. A sample by
// SYSTEM is one of rows too: there are no pages here that would be taken or left as a whole.
//
//   function(percentage real, seed double precision, which of the statement's samples integer, key columns...)
//
// Errors   2202H for a percentage that is NULL or none between 0 and 100, 2202G for a seed that is NULL.
#pragma once
#include "sql/function/function.h"

#define SAMPLE_KEYS_FROM 3u // Arguments from here on are the key.

extern const struct function sample_bernoulli, sample_system;
// Of a statement's samples without a seed of their own: another one each time, between 0 and 1.
double sample_seed(const struct session *session);
static inline bool sample_is_call(const struct function *function)
{
    return function == &sample_bernoulli || function == &sample_system;
}
