// SPDX-License-Identifier: GPL-3.0-or-later
//
// What statements and transactions have cost, by fingerprint (sql/insight/fingerprint.h): behind pg_stat_statements and
// crdb_internal's statement_statistics and transaction_statistics. And the log of slow statements.
//
// Clients' statements are counted, not the server's own. Every shard counts by itself, in memory; readers ask every shard of
// every node. A restart forgets; insight_reset does, too.
//
// Shard    Counting: the session's, without suspending. insight_list and insight_reset: any; they ask and suspend.
// Memory   Bounded: sql.metrics.max_mem_stmt_fingerprints and ..._txn_fingerprints a core and virtual cluster; what was used
//          least recently goes. malloc'ed.
// Safety   Texts have no values in them: neither tables nor the log show what statements were about.
// Errors   Nodes that do not answer are left out, and counted.
#pragma once
#include "core/arena.h"
#include "core/list.h"
#include "sql/session/session.h"

struct prepared;
struct sql_shard;

struct insight_counts {
    uint64_t calls, failures, retries, rows;
    double total_ms, min_ms, max_ms;
    double deviation; // Sum of squared differences from the mean.
    uint64_t retries_max;
    uint64_t memory_max; // Bytes that the session's arenas took.
    int64_t first_us, last_us;
    uint32_t last_error; // SQLSTATE, packed; 0: none.
};
#define INSIGHT_STATEMENTS_MAX INSIGHT_TXN_STATEMENTS // Of a transaction that are told apart.

enum insight_kind { INSIGHT_STATEMENTS, INSIGHT_TRANSACTIONS };
// One fingerprint of one user, database and application.
struct insight {
    uint64_t key, id; // Of everything below; of the text.
    const char *user, *database, *application;
    const char *text; // Of a statement.
    const char *tag;  // "SELECT"
    bool implicit;    // In a transaction of its own.
    uint32_t node;
    uint64_t statements[INSIGHT_STATEMENTS_MAX]; // Of a transaction: their ids.
    uint32_t statement_count;
    struct insight_counts counts;
    struct list_link link; // Of the shard's: most recently used first.
};

// --- counting ------------------------------------------------------------------------------------------

struct insight_run {
    struct prepared *prepared;
    struct status outcome;
    uint64_t rows, retries, elapsed_ns;
    bool first; // Not a later part of a portal's rows.
};
// A statement of a client has run. Then, when no transaction is open: one may have ended.
void insight_statement(struct session *session, const struct insight_run *run);
void insight_transaction(struct session *session, bool committed);
// The session's last statement without its values; "" when it is not known (any more).
const char *insight_last_statement(const struct session *session);

// --- reading -------------------------------------------------------------------------------------------

struct insight_list {
    struct insight **items;
    uint32_t count, capacity;
    uint32_t silent;     // Nodes that did not answer.
    uint64_t evicted;    // Fingerprints that were forgotten for others.
    int64_t reset_us;    // When counting began, of the oldest shard.
};
// What is counted as one.
enum insight_grouping {
    INSIGHT_BY_NODE,    // A fingerprint of a user, database and application on a node.
    INSIGHT_BY_CONTEXT, // The same over all nodes.
    INSIGHT_BY_TEXT,    // A fingerprint of a user and database, whatever the application.
};
// Of this node alone, or of all.
CHECKED struct status insight_list(struct task *task, uint64_t tenant, enum insight_kind kind, bool everywhere,
    enum insight_grouping grouping, struct arena *arena, struct insight_list *list);
// Forgets everything on all nodes, or (not NULL, not 0) of one user, database, fingerprint.
struct insight_filter {
    const char *user, *database;
    uint64_t id;
};
CHECKED struct status insight_reset(struct task *task, uint64_t tenant, const struct insight_filter *filter);

// For sql/insight/insight_gather.c.
struct insight_shard;
struct insight_shard *insight_of(struct shard *shard, uint64_t tenant);
const struct list_link *insight_first(const struct insight_shard *shard, enum insight_kind kind);
void insight_forget(struct insight_shard *shard, const struct insight_filter *filter, int64_t now_us);
uint64_t insight_evicted(const struct insight_shard *shard);
int64_t insight_reset_us(const struct insight_shard *shard);

void insight_register(void);
void insight_gather_register(void);
void insight_tables_register(void);
void insight_shard_fini(struct sql_shard *state);
