// SPDX-License-Identifier: GPL-3.0-or-later
//
// Isolation canaries: texts that only one virtual cluster has in its keys, values, names and statements. None may be in a
// log line (which has no contents of rows at all, whoever's they are), and none in what is sent to a machine where it has
// no business: answers, errors, hints and notices to clients of other virtual clusters, streams to another cluster.
#pragma once
#include "core/env_sim.h"
#include "tests/sim/sim.h"

#define CANARY_BYTES_MAX 48u

// Forgets all of the run before. Then canary_options may go into sim_options.
void canaries_begin(struct sim_run *run);
void canaries_end(void);
// `text` may not come from one of the machines `from` to one of the machines `to` (a bit for each number).
void canary_forbid(const char *text, uint64_t from, uint64_t to);
// From now on: in how many pieces it came that way. To see that what is looked for would be seen.
uint64_t canary_crossed(const char *text);
// How often it crossed is counted only for texts that were named here.
void canary_count(const char *text, uint64_t from, uint64_t to);
// Of sim_options.watch.
void canary_watch(void *arg, uint32_t from, uint32_t to, const uint8_t *data, size_t size);
