// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whose memory a statement's rows take: accounts of statements, sessions and virtual clusters, each within
// the next, and all of a shard within its share of --max-sql-memory.
//
// Operators that keep rows go on in temporary files (sql/exec/spill.h) before a limit is reached; what cannot (an
// array in the making, the values of one row) ends with 53200.
//
// Shard    Accounts are the shard's: a limit of a virtual cluster holds on each shard for itself.
//          What the server itself asks its system tables in passing (internal_query) is the node's: it is needed
//          also where a virtual cluster has reached its limit, to raise it above all.
// Settings sql.memory.virtual_cluster_max, sql.memory.session_max, sql.memory.statement_max; 0: none.
#pragma once
#include "core/arena.h"
#include "core/status.h"

struct session;
struct shard;
struct sql_shard;

struct tenant_memory {
    struct memory_account account;
    uint64_t session_max, statement_max; // 0: none.
    char name[48];
};

// The tenant's on this shard; made when it is not there yet.
struct tenant_memory *tenant_memory_of(struct shard *shard, uint64_t tenant);
// Whether `more` bytes leave a quarter of each limit above the account free.
bool memory_is_ample(const struct memory_account *account, uint64_t more);
// Whether what the account pays for should go to a temporary file, rather than take `more` bytes.
bool memory_spills(
    const struct session *session, const struct memory_account *account, uint64_t more);
// A hint of what can be done, for 53200.
struct status memory_hint(struct arena *arena, struct status st);

void memory_register(void);
void memory_shard_fini(struct sql_shard *state);
