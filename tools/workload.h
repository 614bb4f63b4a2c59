// SPDX-License-Identifier: GPL-3.0-or-later
//
// Workloads: example databases and the load put on them. Each is a table row: how to make its tables and rows, and one
// operation; tools/workload.c runs workers, measures and prints.
//
// Shard    One shard; every worker is a task with a connection of its own.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/task.h"
#include "sql/wire/pgclient.h"

struct workload_options {
    const char *db;             // NULL: the workload's own.
    bool drop;                  // Drop its tables first.
    uint64_t seed;
    uint64_t rows;              // bank: accounts; kv: initial rows.
    uint64_t payload_bytes, min_block_bytes, max_block_bytes;
    uint64_t read_percent, batch;
    uint64_t cycle_length;      // kv: keys.
    bool zipfian, sequential;
    uint64_t users, vehicles, rides, histories, promo_codes;
};

struct worker {
    uint32_t index;
    const struct workload_options *options;
    struct pgclient *client;
    struct arena arena;         // Of one operation.
    uint64_t random;
    uint64_t sequence;
    bool prepared;
    const char **ids;           // movr: what is there.
    uint32_t id_count;
};
uint64_t worker_random(struct worker *worker, uint64_t below);

struct workload {
    const char *name, *summary, *database;
    struct status (*init)(struct task *task, struct worker *worker);
    // One operation, with its kind for the statistics. May fail with 40001: it is run again.
    struct status (*operation)(struct task *task, struct worker *worker, const char **kind);
    // Checks what must always hold; NULL: nothing.
    struct status (*check)(struct task *task, struct worker *worker);
};
extern const struct workload workload_bank, workload_kv, workload_movr;
const struct workload *workload_find(const char *name);

// Loads `workload` through `options`; prints progress on standard error unless `quiet`.
CHECKED struct status workload_load(struct task *task, const struct workload *workload,
    const struct workload_options *options, const struct pgclient_options *connect, bool quiet);
void workload_options_init(struct workload_options *options);
// Runs SQL built with a format.
CHECKED struct status worker_exec(struct task *task, struct worker *worker, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
