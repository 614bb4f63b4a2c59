// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cursors of SQL: DECLARE, FETCH, MOVE, CLOSE and WHERE CURRENT OF. (Portals of the protocol: sql/session/execute.h.)
//
// A cursor runs its query as far as rows are asked for. Rows that were passed are kept, so that it can go
// back: all of them with SCROLL; without it up to CURSOR_KEPT_BYTES, beyond which it goes forward only; none
// with NO SCROLL. What a statement of the transaction writes is not seen: before the first write all
// cursors fetch what is left of them. So does one WITH HOLD before the transaction commits. One that locks a table's rows
// passes over those that its own transaction has changed since DECLARE, as PostgreSQL does.
//
// Shard    The session's.
// Memory   Rows kept are charged to the session; beyond work_mem they go to a temporary file.
// Errors   34000 no such cursor; 42P03 it exists; 25P01 outside of a transaction block; 55000 going back;
//          24000 WHERE CURRENT OF without a current row of that table.
// Source   PostgreSQL 15 manual, DECLARE and FETCH.
#pragma once
#include "sql/session/execute.h"
#include "sql/exec/row_list.h"

#define CURSOR_KEPT_BYTES (4u << 20)

struct cursor {
    struct cursor *next;
    const char *name;
    struct bytes text;      // Of the DECLARE.
    bool hold, scroll, no_scroll;
    bool binary;            // FETCH in a simple query gives bytes. Execute and a FETCH that was bound do not.
    bool held;              // Its transaction has committed.
    bool forward_only;      // Rows behind are dropped.
    bool ended;             // The query has no more rows.
    int64_t created_us;
    uint64_t serial;        // Counts up in the session: for ROLLBACK TO SAVEPOINT.
    struct arena arena;
    struct prepared *prepared;
    struct execution execution;
    const struct result_column *columns;
    uint32_t column_count;
    uint32_t key_count;     // Of hidden columns behind them: the primary key of table_id.
    uint32_t table_id;      // 0: not of one table's rows.
    const uint32_t *reads;  // The relations that it reads.
    uint32_t read_count;
    type_oid *types;
    struct session *session;
    struct memory_account memory;
    struct spill spill;
    struct row_list rows;
    struct row_list_reader reader;
    uint64_t dropped;       // Rows before those in `rows`.
    uint64_t at;            // The current row, from 1; 0: before the first.
    uint64_t passed_over;   // Of those up to it.
    const struct row_index *locked; // FOR UPDATE and the like, of table_id's rows: their primary key; or NULL.
    uint64_t mark;          // With it: kv_txn_mark at DECLARE.
};

struct cursor *cursor_find(struct session *session, const char *name);
void cursor_close(struct task *task, struct session *session, const char *name); // If it is there.
// All of the session's are closed: the end of the session, DISCARD ALL.
void cursors_close(struct task *task, struct session *session);
// Those made after the savepoint.
void cursors_rolled_back_to(struct task *task, struct session *session, uint64_t serial);
// Before a statement writes.
CHECKED struct status cursors_before_write(struct task *task, struct session *session);
// For Parse of a DECLARE: the types of the query's parameters.
CHECKED struct status cursor_param_types(
    struct task *task, struct session *session, struct prepared *prepared);
// Column `key` of the primary key of the current row, which must be one of `table_id`.
CHECKED struct status cursor_current_key(struct task *task, struct session *session, const char *name,
    uint32_t table_id, const char *table_name, uint32_t key, struct datum *value);
void cursor_register(void);
