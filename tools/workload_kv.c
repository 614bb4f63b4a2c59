// SPDX-License-Identifier: GPL-3.0-or-later
//
// kv: single rows read and written by key.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/workload.h"

static struct status init(struct task *task, struct worker *worker)
{
    struct status st;
    if (worker->options->drop) TRY(worker_exec(task, worker, "DROP TABLE IF EXISTS kv"));
    TRY(worker_exec(task, worker, "CREATE TABLE IF NOT EXISTS kv (k INT8 PRIMARY KEY, v BYTEA NOT NULL)"));
out:
    return st;
}

static uint64_t pick_key(struct worker *worker)
{
    const struct workload_options *options = worker->options;
    uint64_t keys = options->cycle_length == 0 ? 1u << 20 : options->cycle_length;
    if (options->sequential) return (worker->sequence++ * 1000003u + worker->index) % keys;
    if (!options->zipfian) return worker_random(worker, keys);
    // A power law with exponent near 1: the inverse of its distribution function.
    double u = ((double)worker_random(worker, 1u << 30) + 1) / (double)((1u << 30) + 1u);
    return (uint64_t)(pow((double)keys, u)) - 1;
}

static struct status prepare(struct task *task, struct worker *worker)
{
    struct status st = STATUS_OK;
    if (worker->prepared) return st;
    TRY(pgclient_prepare(task, worker->client, "kv_read", "SELECT k, v FROM kv WHERE k = $1"));
    TRY(pgclient_prepare(task, worker->client, "kv_write",
        "INSERT INTO kv (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v"));
    worker->prepared = true;
out:
    return st;
}

static struct status operation(struct task *task, struct worker *worker, const char **kind)
{
    struct status st;
    const struct workload_options *options = worker->options;
    TRY(prepare(task, worker));
    char key[24];
    snprintf(key, sizeof key, "%" PRIu64, pick_key(worker));
    if (worker_random(worker, 100) < options->read_percent) {
        *kind = "read";
        struct bytes params[] = {bytes_of_string(key)};
        st = pgclient_execute(task, worker->client, "kv_read", params, 1, false, NULL);
        goto out;
    }
    *kind = "write";
    uint64_t size = options->min_block_bytes +
                    worker_random(worker, options->max_block_bytes - options->min_block_bytes + 1);
    char *value = arena_alloc(&worker->arena, size * 2 + 3);
    memcpy(value, "\\x", 2);
    for (uint64_t i = 0; i < size * 2; i++) value[2 + i] = "0123456789abcdef"[worker_random(worker, 16)];
    struct bytes params[] = {bytes_of_string(key), bytes_of(value, size * 2 + 2)};
    st = pgclient_execute(task, worker->client, "kv_write", params, 2, false, NULL);
out:
    return st;
}

const struct workload workload_kv = {.name = "kv",
    .summary = "reads and writes of single rows",
    .database = "kv",
    .init = init,
    .operation = operation};
