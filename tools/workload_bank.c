// SPDX-License-Identifier: GPL-3.0-or-later
//
// bank: accounts with a balance; transfers between them leave the total alone.
#include <inttypes.h>
#include <string.h>

#include "core/text.h"
#include "tools/workload.h"

#define BANK_INITIAL_BALANCE 1000

static struct status init(struct task *task, struct worker *worker)
{
    struct status st;
    const struct workload_options *options = worker->options;
    if (options->drop) TRY(worker_exec(task, worker, "DROP TABLE IF EXISTS bank"));
    TRY(worker_exec(task, worker,
        "CREATE TABLE IF NOT EXISTS bank (id INT8 PRIMARY KEY, balance INT8 NOT NULL, payload TEXT)"));
    char *payload = arena_alloc(&worker->arena, options->payload_bytes + 1);
    memset(payload, 'x', options->payload_bytes);
    payload[options->payload_bytes] = '\0';
    for (uint64_t id = 0; id < options->rows;) {
        struct buffer sql;
        struct arena_mark mark = arena_mark(&worker->arena);
        buffer_init(&sql, &worker->arena);
        buffer_append_string(&sql, "INSERT INTO bank (id, balance, payload) VALUES ");
        for (unsigned i = 0; i < 500 && id < options->rows; i++, id++)
            buffer_printf(&sql, "%s(%" PRIu64 ", %d, '%s')", i == 0 ? "" : ", ", id, BANK_INITIAL_BALANCE, payload);
        TRY(pgclient_query(task, worker->client, buffer_string(&sql), NULL));
        arena_release(&worker->arena, mark);
    }
out:
    return st;
}

static struct status transfer(struct task *task, struct worker *worker, uint64_t from, uint64_t to, uint64_t amount)
{
    struct status st;
    TRY(worker_exec(task, worker, "BEGIN"));
    TRY(worker_exec(task, worker, "UPDATE bank SET balance = balance - %" PRIu64 " WHERE id = %" PRIu64, amount, from));
    TRY(worker_exec(task, worker, "UPDATE bank SET balance = balance + %" PRIu64 " WHERE id = %" PRIu64, amount, to));
    TRY(worker_exec(task, worker, "COMMIT"));
out:
    return st;
}

static struct status operation(struct task *task, struct worker *worker, const char **kind)
{
    uint64_t rows = worker->options->rows;
    uint64_t from = worker_random(worker, rows), to = worker_random(worker, rows - 1);
    if (to >= from) to++;
    *kind = "transfer";
    return transfer(task, worker, from, to, 1 + worker_random(worker, 10));
}

static struct status check(struct task *task, struct worker *worker)
{
    struct status st;
    struct pgclient_result result;
    TRY(pgclient_collect(task, worker->client, &worker->arena, "SELECT sum(balance), count(*) FROM bank", &result));
    int64_t total, count;
    if (result.row_count != 1 || !text_parse_i64(result.values[0], &total) || !text_parse_i64(result.values[1], &count) ||
        total != count * BANK_INITIAL_BALANCE)
        st = status_format(&worker->arena, E_DATA_CORRUPTED, "bank: the total is %.*s, which is not %d for each of %.*s accounts",
            (int)result.values[0].size, (const char *)result.values[0].data, BANK_INITIAL_BALANCE,
            (int)result.values[1].size, (const char *)result.values[1].data);
out:
    return st;
}

const struct workload workload_bank = {.name = "bank",
    .summary = "transfers between accounts; the total never changes",
    .database = "bank",
    .init = init,
    .operation = operation,
    .check = check};
