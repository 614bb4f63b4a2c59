// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far a consumer is, as bytes of its record: its frontier, and where the primary's nodes were last seen, for a
// start at which the configured address does not answer.
//
// Memory   Addresses live in the arena given; the frontier is the caller's to finish.
// Errors   XX001 when damaged.
#pragma once
#include "repl/frontier.h"

#define PROGRESS_ADDRESSES_MAX 64u

struct progress {
    struct frontier frontier;
    const char *const *addresses; // "host:port"
    uint32_t address_count;
};
struct bytes progress_encode(struct arena *arena, const struct progress *progress);
// Empty bytes: nothing is here yet of `all`.
CHECKED struct status progress_decode(
    struct arena *arena, struct bytes bytes, struct span all, struct progress *progress);
// The addresses alone; none when the bytes are damaged.
void progress_addresses(struct arena *arena, struct bytes bytes, struct progress *progress);
