// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/sql_clients.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "tests/sim/sql_session.h"

void sql_clients_init(struct sql_clients *clients, struct world *world, uint32_t operations)
{
    struct sim_random random = sim_random_named(world->run->seed, "sql-clients");
    memset(clients, 0, sizeof *clients);
    clients->world = world;
    workload_init(&clients->work, world->run, operations,
        sim_random_between(&random, WORLD_MS, 200 * WORLD_MS));
    clients->accounts = (uint32_t)sim_random_between(&random, 2, 12);
    clients->lists = (uint32_t)sim_random_between(&random, 1, 6);
    clients->schemas = sim_random_below(&random, 3) != 0;
    list_history_init(&clients->list_history, world->run, clients->lists, 2 * operations + 1);
}

static const char *print(struct sql_op *op, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *print(struct sql_op *op, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_string(op->task->arena, (struct bytes){(uint8_t *)text, (size_t)size});
}

static uint64_t true_ns(const struct sql_clients *clients)
{
    return sim_now_ns(clients->world->sim);
}

// Some transactions stay open while others, and schema changes, come to their end.
static struct status linger(struct sql_op *op)
{
    if (sql_below(op, 4) != 0) return STATUS_OK;
    return task_sleep(op->task, sql_below(op, 400 * WORLD_MS));
}

// --- the tables ----------------------------------------------------------------------------------

static struct status lay_out(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    TRY(sql_connect(op));
    TRY(sql_say(op, "CREATE TABLE IF NOT EXISTS accounts (id INT PRIMARY KEY, branch INT NOT NULL, "
                    "balance INT NOT NULL)"));
    TRY(sql_say(op, "CREATE TABLE IF NOT EXISTS lists (id INT PRIMARY KEY, vals TEXT NOT NULL)"));
    TRY(sql_say(op, "CREATE TABLE IF NOT EXISTS items (list INT, seq INT, value INT, PRIMARY KEY (list, seq))"));
    TRY(sql_say(op, "CREATE TABLE IF NOT EXISTS fences (client INT PRIMARY KEY, n INT NOT NULL)"));
    TRY(sql_say(op, print(op, "INSERT INTO accounts SELECT g, g %% 3, %d FROM generate_series(0, %u) AS g "
                              "ON CONFLICT (id) DO NOTHING", SQL_BALANCE, clients->accounts - 1)));
    TRY(sql_say(op, print(op, "INSERT INTO lists SELECT g, '' FROM generate_series(0, %u) AS g "
                              "ON CONFLICT (id) DO NOTHING", clients->lists - 1)));
    TRY(sql_say(op, print(op, "INSERT INTO fences SELECT g, 0 FROM generate_series(0, %u) AS g "
                              "ON CONFLICT (client) DO NOTHING", SQL_CLIENTS_MAX)));
out:
    return st;
}

struct status sql_clients_lay_out(
    struct task *task, struct world_node *node, struct sql_clients *clients)
{
    struct status st = STATUS_OK;
    struct sql_session session = {.clients = clients, .node = node, .number = SQL_CLIENTS_MAX};
    struct sql_op op = {.session = &session,
        .task = task,
        .random = sim_random_named(clients->world->run->seed, "lay-out")};
    while (!clients->laid_out) {
        struct arena_mark mark = arena_mark(task->arena);
        st = lay_out(&op);
        clients->laid_out = !failed(st);
        if (failed(st)) sql_disconnect(&session);
        if (failed(st) && !sql_is_ordinary(st)) {
            sim_violation(clients->world->run, "laying out: %s", st.message);
            break;
        }
        arena_release(task->arena, mark);
        if (!clients->laid_out) TRY(task_sleep(task, 100 * WORLD_MS));
    }
out:
    sql_disconnect(&session);
    return st;
}

// --- the bank ------------------------------------------------------------------------------------

static struct status transfer(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    uint32_t from = (uint32_t)sql_below(op, clients->accounts);
    uint32_t to = (uint32_t)sql_below(op, clients->accounts);
    uint32_t amount = 1 + (uint32_t)sql_below(op, 10);
    const char *move = "UPDATE accounts SET balance = balance + CASE WHEN id = %u THEN %d ELSE %d END "
                       "WHERE id IN (%u, %u)%s";
    if (from == to) to = (from + 1) % clients->accounts;
    switch (sql_below(op, 4)) {
    case 0:
        TRY(sql_say_commit(op, arena_printf(op->task->arena, move, from, -(int)amount, (int)amount, from, to, "")));
        break;
    case 1: // At one go.
        TRY(sql_say_commit(op, print(op,
            "BEGIN; UPDATE accounts SET balance = balance - %u WHERE id = %u; "
            "UPDATE accounts SET balance = balance + %u WHERE id = %u; COMMIT", amount, from, amount, to)));
        break;
    case 2:
        TRY(sql_say(op, sql_below(op, 2) == 0 ? "BEGIN ISOLATION LEVEL READ COMMITTED" : "BEGIN"));
        TRY(sql_say(op, print(op, "UPDATE accounts SET balance = balance - %u WHERE id = %u", amount, from)));
        TRY(sql_say(op, print(op, "UPDATE accounts SET balance = balance + %u WHERE id = %u", amount, to)));
        TRY(linger(op));
        TRY(sql_say_commit(op, "COMMIT"));
        break;
    default: {
        const char *lock = sql_below(op, 2) == 0 ? " FOR UPDATE" : "";
        TRY(sql_say(op, "BEGIN"));
        TRY(sql_say(op, print(op, "SELECT balance FROM accounts WHERE id = %u%s", from, lock)));
        int64_t source = sql_number(op, 0, 0);
        TRY(sql_say(op, print(op, "SELECT balance FROM accounts WHERE id = %u%s", to, lock)));
        int64_t target = sql_number(op, 0, 0);
        TRY(sql_say(op, print(op, "UPDATE accounts SET balance = %" PRId64 " WHERE id = %u", source - amount, from)));
        TRY(sql_say(op, print(op, "UPDATE accounts SET balance = %" PRId64 " WHERE id = %u", target + amount, to)));
        TRY(linger(op));
        TRY(sql_say_commit(op, "COMMIT"));
    }
    }
out:
    return st;
}

static struct status total(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    static const char *const queries[] = {"SELECT count(*), sum(balance) FROM accounts",
        "SELECT count(*), sum(balance) FROM accounts WHERE branch >= 0",
        "SELECT sum(c), sum(s) FROM (SELECT branch, count(*) AS c, sum(balance) AS s FROM accounts GROUP BY branch) AS b",
        "SELECT count(*), sum(balance) FROM accounts WHERE branch IN (0, 1, 2)",
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT count(*), sum(balance) FROM accounts; COMMIT"};
    const char *sql = queries[sql_below(op, sizeof queries / sizeof queries[0])];
    TRY(sql_say(op, sql));
    int64_t count = sql_number(op, 0, 0), sum = sql_number(op, 0, 1);
    if (count != clients->accounts || sum != (int64_t)clients->accounts * SQL_BALANCE)
        sim_violation(clients->world->run, "of %u accounts %" PRId64 " hold %" PRId64 " in all: %s",
            clients->accounts, count, sum, sql);
out:
    return st;
}

// --- lists ---------------------------------------------------------------------------------------

// Even ones are a row of text each, odd ones a row for each element.
static void note_read(struct sql_op *op, struct list_txn *txn, uint32_t list)
{
    struct sql_clients *clients = op->session->clients;
    struct buffer values;
    buffer_init(&values, op->task->arena);
    if (list % 2 == 1) {
        for (uint64_t i = 0; i < op->result.row_count; i++) {
            uint32_t value = (uint32_t)sql_number(op, i, 0);
            buffer_append(&values, &value, sizeof value);
        }
    } else if (op->result.row_count == 1) {
        const char *text = arena_string(op->task->arena, pgclient_value(&op->result, 0, 0));
        while (*text == ',') {
            char *end;
            uint32_t value = (uint32_t)strtoul(text + 1, &end, 10);
            buffer_append(&values, &value, sizeof value);
            text = end;
        }
    } else {
        sim_violation(clients->world->run, "list %u has %" PRIu64 " rows", list, op->result.row_count);
    }
    list_note_read(&clients->list_history, txn, list, values.data, values.size);
}

static const char *list_read_sql(struct sql_op *op, uint32_t list, const char *more)
{
    if (list % 2 == 1) return print(op, "SELECT value FROM items WHERE list = %u ORDER BY seq", list);
    return print(op, "SELECT vals FROM lists WHERE id = %u%s", list, more);
}

static const char *list_append_sql(struct sql_op *op, uint32_t list, uint32_t value, const char *more)
{
    if (list % 2 == 1)
        return print(op, "INSERT INTO items SELECT %u, coalesce(max(seq), 0) + 1, %u FROM items WHERE list = %u",
            list, value, list);
    return print(op, "UPDATE lists SET vals = vals || ',%u' WHERE id = %u%s", value, list, more);
}

static struct status touch_list(struct sql_op *op, struct list_txn *txn)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    uint32_t list = (uint32_t)sql_below(op, clients->lists);
    uint64_t how = sql_below(op, 4);
    if (how < 2) {
        TRY(sql_say(op, list_read_sql(op, list, how == 0 && list % 2 == 0 ? " FOR UPDATE" : "")));
        note_read(op, txn, list);
        if (how == 1) goto out;
    }
    uint32_t value = list_note_append(&clients->list_history, txn, list);
    bool returning = how == 2 && list % 2 == 0;
    TRY(sql_say(op, list_append_sql(op, list, value, returning ? " RETURNING vals" : "")));
    if (returning) note_read(op, txn, list);
out:
    return st;
}

// One statement that appends, by itself; of the text lists also at READ COMMITTED.
static struct status append_once(struct sql_op *op, struct list_txn *txn)
{
    struct sql_clients *clients = op->session->clients;
    uint32_t list = (uint32_t)sql_below(op, clients->lists);
    uint32_t value = list_note_append(&clients->list_history, txn, list);
    const char *sql = list_append_sql(op, list, value, "");
    if (list % 2 == 0 && sql_below(op, 2) == 0)
        sql = arena_printf(op->task->arena, "BEGIN ISOLATION LEVEL READ COMMITTED; %s; COMMIT", sql);
    return sql_say_commit(op, sql);
}

// What was, a while ago: a snapshot as any other.
static struct status read_past(struct sql_op *op, struct list_txn *txn)
{
    struct status st;
    struct sql_clients *clients = op->session->clients;
    txn->began_ns = 0; // Not by real time.
    TRY(sql_say(op, sql_below(op, 2) == 0 ? "BEGIN AS OF SYSTEM TIME follower_read_timestamp()"
                                         : "BEGIN AS OF SYSTEM TIME '-100ms'"));
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t list = (uint32_t)sql_below(op, clients->lists);
        st = sql_say(op, list_read_sql(op, list, ""));
        if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK; // Before there was anything.
        TRY(st);
        if (list % 2 == 0 && op->result.row_count == 0) goto out;
        note_read(op, txn, list);
    }
    TRY(sql_say_commit(op, "COMMIT"));
out:
    return st;
}

static struct status lists(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    struct list_txn *txn = list_txn_begin(&clients->list_history);
    uint64_t touches = 1 + sql_below(op, HISTORY_TXN_OPS_MAX / 2), how = sql_below(op, 8);
    if (txn == NULL) return STATUS_OK;
    txn->began_ns = true_ns(clients);
    if (how < 2) {
        TRY(append_once(op, txn));
    } else if (how == 2) {
        TRY(read_past(op, txn));
    } else {
        TRY(sql_say(op, "BEGIN"));
        for (uint64_t i = 0; i < touches; i++)
            TRY(touch_list(op, txn));
        TRY(linger(op));
        TRY(sql_say_commit(op, "COMMIT"));
    }
out:
    txn->fate = op->fate;
    if (txn->began_ns != 0) txn->ended_ns = true_ns(clients);
    return st;
}

// --- a client's own table ------------------------------------------------------------------------

static void check_answer(
    struct sql_op *op, const struct sql_model_statement *asked, struct status st)
{
    struct sim_run *run = op->session->clients->world->run;
    char code[6];
    status_sqlstate(st, code);
    if (asked->code != NULL) {
        if (!failed(st) || strcmp(code, asked->code) != 0)
            sim_violation(run, "%s: %s is told %s instead of %s", asked->sql, code,
                failed(st) ? st.message : "ok", asked->code);
    } else if (failed(st)) {
        sim_violation(run, "%s fails with %s (%s)", asked->sql, code, st.message);
    } else if (asked->tag != NULL && (op->result.tag == NULL || strcmp(op->result.tag, asked->tag) != 0)) {
        sim_violation(run, "%s: %s instead of %s", asked->sql, op->result.tag, asked->tag);
    } else if (asked->rows != NULL && strcmp(sql_rows_text(op), asked->rows) != 0) {
        sim_violation(run, "%s: gives\n%s instead of\n%s", asked->sql, sql_rows_text(op), asked->rows);
    }
}

// The first statement of each transaction: what was sent before and has not arrived can do nothing any more.
static struct status move_fence(struct sql_op *op)
{
    struct sql_own *own = op->session->own;
    struct status st;
    uint32_t number = ++own->fences;
    TRY(sql_say(op, print(op, "SELECT n FROM fences WHERE client = %u FOR UPDATE", op->session->number)));
    TRY(sql_say(op, print(op, "UPDATE fences SET n = %u WHERE client = %u", number, op->session->number)));
out:
    return st;
}

// After a transaction with an unknown end: it is there as a whole or not at all.
static struct status own_settle(struct sql_op *op)
{
    struct sql_session *session = op->session;
    struct sql_own *own = session->own;
    struct status st;
    struct sql_model_statement before, after;
    const char *table = print(op, "own_%u", session->number);
    TRY(sql_say(op, "BEGIN"));
    TRY(move_fence(op));
    sql_model_all(&own->now, op->task->arena, table, &before);
    sql_model_all(&own->next, op->task->arena, table, &after);
    TRY(sql_say(op, before.sql));
    const char *rows = sql_rows_text(op);
    TRY(sql_say_commit(op, "COMMIT"));
    if (strcmp(rows, after.rows) == 0)
        own->now = own->next;
    else if (strcmp(rows, before.rows) != 0)
        sim_violation(session->clients->world->run,
            "of %s after an unknown end there is neither what was before nor what was after:\n%s", table, rows);
    own->unsure = false;
out:
    return st;
}

static struct status own_statements(struct sql_op *op, struct sql_model *model)
{
    struct status st = STATUS_OK;
    struct sql_model saved = *model;
    bool has_savepoint = false;
    const char *table = print(op, "own_%u", op->session->number);
    for (uint64_t i = 1 + sql_below(op, 6); i > 0; i--) {
        struct sql_model_statement asked;
        if (sql_below(op, 3) == 0) {
            TRY(sql_say(op, "SAVEPOINT s"));
            saved = *model;
            has_savepoint = true;
        } else if (has_savepoint && sql_below(op, 4) == 0) {
            TRY(sql_say(op, "ROLLBACK TO SAVEPOINT s"));
            *model = saved;
        }
        sql_model_draw(model, &op->random, op->task->arena, table, &asked);
        st = sql_say(op, asked.sql);
        if (sql_is_ordinary(st) && failed(st)) goto out;
        check_answer(op, &asked, st);
        if (!failed(st)) continue;
        if (!has_savepoint || op->session->clients->world->run->violated) goto out;
        TRY(sql_say(op, "ROLLBACK TO SAVEPOINT s"));
        *model = saved;
    }
out:
    return st;
}

static struct status own_table(struct sql_op *op)
{
    struct sql_session *session = op->session;
    struct sql_own *own = session->own;
    struct status st = STATUS_OK;
    if (!own->made) {
        TRY(sql_say(op, sql_model_create(op->task->arena, print(op, "own_%u", session->number))));
        own->made = true;
    }
    while (own->unsure)
        TRY(own_settle(op));
    TRY(sql_say(op, "BEGIN"));
    TRY(move_fence(op));
    own->next = own->now;
    st = own_statements(op, &own->next);
    if (failed(st)) {
        // What fails as it should is no failure of the operation.
        if (!sql_is_ordinary(st)) st = STATUS_OK;
        sql_roll_back(op);
        goto out;
    }
    own->unsure = true;
    st = sql_say_commit(op, "COMMIT");
    if (op->fate == FATE_UNKNOWN) goto out;
    own->unsure = false;
    if (op->fate == FATE_DONE) own->now = own->next;
out:
    return st;
}

// --- schemas -------------------------------------------------------------------------------------

static struct status change_schema(struct sql_op *op)
{
    struct status st;
    uint32_t which = (uint32_t)sql_below(op, 3);
    struct sql_session *session = op->session;
    const char *sql;
    switch (sql_below(op, 8)) {
    case 0: sql = print(op, "ALTER TABLE accounts ADD COLUMN IF NOT EXISTS x%u INT NOT NULL DEFAULT 7", which); break;
    case 1: sql = print(op, "ALTER TABLE accounts DROP COLUMN IF EXISTS x%u", which); break;
    case 2:
        sql = print(op, "CREATE INDEX IF NOT EXISTS accounts_%u ON accounts (branch) STORING (balance)", which);
        break;
    case 3: sql = print(op, "DROP INDEX IF EXISTS accounts_%u", which); break;
    case 4: sql = print(op, "CREATE INDEX IF NOT EXISTS lists_%u ON lists (vals)", which); break;
    case 5: sql = print(op, "DROP INDEX IF EXISTS lists_%u", which); break;
    case 6: sql = print(op, "CREATE INDEX IF NOT EXISTS own_%u_i%u ON own_%u (w, v)", session->number, which, session->number); break;
    default: sql = print(op, "DROP INDEX IF EXISTS own_%u_i%u", session->number, which); break;
    }
    st = sql_say(op, sql);
    // The own table is not there yet; or another change of the same element is under way.
    if (status_is(st, E_UNDEFINED_TABLE) && strstr(sql, "own_") != NULL) st = STATUS_OK;
    if (status_is(st, E_NOT_IN_PREREQUISITE_STATE) || status_is(st, E_OBJECT_IN_USE)) st = STATUS_OK;
    if (!failed(st)) sim_count(session->clients->world->run, "schema changes", 1);
    return st;
}

// Rows older than a column have its default as those that came after it.
static struct status check_column(struct sql_op *op)
{
    uint32_t which = (uint32_t)sql_below(op, 3);
    struct status st =
        sql_say(op, print(op, "SELECT count(*) FROM accounts WHERE x%u IS DISTINCT FROM 7", which));
    if (status_is(st, E_UNDEFINED_COLUMN)) return STATUS_OK;
    if (!failed(st) && sql_number(op, 0, 0) != 0)
        sim_violation(op->session->clients->world->run,
            "in %" PRId64 " rows a column does not have its default", sql_number(op, 0, 0));
    return st;
}

// --- the clients' life ---------------------------------------------------------------------------

static struct status operate(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    uint64_t what = sql_below(op, 100);
    TRY(sql_connect(op));
    if (what < 18)
        st = transfer(op);
    else if (what < 28)
        st = total(op);
    else if (what < 60)
        st = lists(op);
    else if (what < 88 || !clients->schemas)
        st = own_table(op);
    else if (what < 96)
        st = change_schema(op);
    else
        st = check_column(op);
out:
    return st;
}

static void operate_once(struct task *task, void *client, uint32_t number)
{
    struct sql_session *session = client;
    struct sql_clients *clients = session->clients;
    struct world *world = clients->world;
    struct sql_op op = {.session = session,
        .task = task,
        .fate = FATE_VOID,
        .random = sim_random_named(hash_combine(world->run->seed, number), "operation")};
    char code[6];
    struct status st = operate(&op);
    status_sqlstate(st, code);
    sim_tell(world->run, world->sim, SIM_AREA_WORK, 0, "c%u operation %u: %s %s", session->number, number,
        failed(st) ? code : "done", failed(st) ? st.message : "");
    clients->acknowledged += op.fate == FATE_DONE;
    clients->unknown += op.fate == FATE_UNKNOWN;
    clients->refused += failed(st) && op.fate == FATE_VOID;
    if (!sql_is_ordinary(st) && !task->cancelled)
        sim_violation(world->run, "an operation failed with %s (%s)", code, st.message);
    sql_roll_back(&op);
    if (status_is(st, E_CONNECTION_FAILURE) || status_is(st, E_ADMIN_SHUTDOWN) ||
        sql_below(&op, 10) == 0)
        sql_disconnect(session);
}

static struct status client_main(struct task *task, void *arg)
{
    struct sql_session *session = arg;
    workload_run(task, &session->clients->work, session->node, operate_once, session);
    sql_disconnect(session);
    session->node->tasks--;
    return STATUS_OK;
}

struct status sql_clients_start(
    struct task *task, struct world_node *node, struct sql_clients *clients, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct sql_session *session = ARENA_NEW(&clients->world->run->arena, struct sql_session);
        uint32_t number = (node->id - 1) * 2 + i;
        *session = (struct sql_session){
            .clients = clients, .node = node, .own = &clients->own[number], .number = number};
        TRY(task_start(task->shard,
            &(struct task_options){.fn = client_main, .arg = session, .kind = "sim-client"}));
        node->tasks++;
    }
out:
    return st;
}

// --- the end -------------------------------------------------------------------------------------

// The same rows by the primary index and by every other.
static struct status check_indexes(struct sql_op *op, const char *table, const char *columns, const char *index)
{
    struct status st;
    TRY(sql_say(op, print(op, "SELECT %s FROM %s@primary ORDER BY 1", columns, table)));
    const char *rows = sql_rows_text(op);
    st = sql_say(op, print(op, "SELECT %s FROM %s@%s ORDER BY 1", columns, table, index));
    if (status_is(st, E_UNDEFINED_OBJECT)) return STATUS_OK;
    if (!failed(st) && strcmp(rows, sql_rows_text(op)) != 0)
        sim_violation(op->session->clients->world->run, "index %s differs from its table: %s instead of %s",
            index, sql_rows_text(op), rows);
    if (!failed(st)) sim_count(op->session->clients->world->run, "indexes compared", 1);
out:
    return st;
}

static struct status finish_own(struct sql_op *op)
{
    struct sql_session *session = op->session;
    struct status st = STATUS_OK;
    struct sql_model_statement all;
    const char *table = print(op, "own_%u", session->number);
    if (!session->own->made) goto out;
    while (session->own->unsure)
        TRY(own_settle(op));
    sql_model_all(&session->own->now, op->task->arena, table, &all);
    st = sql_say(op, all.sql);
    check_answer(op, &all, st);
    TRY(check_indexes(op, table, "k, v", print(op, "%s_v", table)));
    for (uint32_t i = 0; i < 3; i++)
        TRY(check_indexes(op, table, "k, v, w", print(op, "%s_i%u", table, i)));
out:
    return st;
}

static struct status finish(struct sql_op *op)
{
    struct sql_clients *clients = op->session->clients;
    struct status st;
    TRY(sql_connect(op));
    for (uint32_t i = 0; i < 5; i++)
        TRY(total(op));
    for (uint32_t i = 0; i < 3; i++) {
        TRY(check_indexes(op, "accounts", "id, branch, balance", print(op, "accounts_%u", i)));
        TRY(check_indexes(op, "lists", "id, vals", print(op, "lists_%u", i)));
    }
    for (uint32_t i = 0; i < SQL_CLIENTS_MAX; i++) {
        op->session->number = i;
        op->session->own = &clients->own[i];
        TRY(finish_own(op));
    }
    struct list_txn *last = list_txn_begin(&clients->list_history);
    TRY(sql_say(op, "BEGIN"));
    for (uint32_t i = 0; i < clients->lists && last != NULL; i++) {
        TRY(sql_say(op, list_read_sql(op, i, "")));
        last->op_count = 0;
        note_read(op, last, i);
        list_note_final(&clients->list_history, i, last->ops[0].read, last->ops[0].read_count * sizeof(uint32_t));
    }
    TRY(sql_say(op, "COMMIT"));
    clients->finished = true;
out:
    return st;
}

struct status sql_clients_finish(
    struct task *task, struct world_node *node, struct sql_clients *clients)
{
    struct sql_session session = {.clients = clients, .node = node, .patient = true};
    struct sql_op op = {.session = &session,
        .task = task,
        .random = sim_random_named(clients->world->run->seed, "finish")};
    struct status st = finish(&op);
    sql_disconnect(&session);
    return st;
}

void sql_clients_check(struct sql_clients *clients, bool real_time)
{
    struct sim_run *run = clients->world->run;
    sim_count(run, "acknowledged", clients->acknowledged);
    sim_count(run, "unknown", clients->unknown);
    sim_count(run, "refused", clients->refused);
    if (run->violated || !clients->finished) return;
    list_history_check(&clients->list_history, real_time);
}
