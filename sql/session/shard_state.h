// SPDX-License-Identifier: GPL-3.0-or-later
//
// What SQL keeps per shard, in SHARD_SLOT_SQL: sessions, plans by statement shape, scratch.
//
// Shard    Of its shard only.
#pragma once
#include "core/hashmap.h"
#include "core/shard.h"
#include "sql/session/session.h"

struct shape;
struct prepared;

struct sql_shard {
    struct list_link sessions;
    uint32_t session_count;   // Ever made.
    bool stopping;            // There are to be no more of them.
    int64_t started_us;       // Since 2000-01-01.
    struct shape *shape;      // Scratch: never kept over a suspension.
    struct prepared *cached;  // Plans by shape, most recently used first: sql/plan/plan_cache.c.
    struct prepared *cached_last;
    uint32_t cached_count;
    struct hashmap cache;     // Key of the cache -> struct prepared.
    struct hashmap temp_swept; // Tenants whose left-over temporary schemas were looked for.
    struct hashmap by_cancel; // Backend process number -> struct pgwire.
    struct list_link arriving; // Connections that a log-in runs for: struct pgwire.
    uint32_t in_transit;      // Log-ins that left for their session's shard, less those that came here (modulo 2^32).
    uint32_t next_process;
    struct named_locks *named_locks; // Shard 0: sql/service/named_lock.h.
    uint32_t strong_locks;    // LOCK TABLEs in force of which writers must ask.
    uint64_t spill_files, spill_blocks; // Ever made; blocks of those that are there: sql/exec/spill.h.
    struct statistics_auto *statistics; // sql/plan/statistics_auto.h; NULL: nothing is collected.
    struct zone_upkeep *zones;          // sql/service/zone_object.h; NULL: storage is not told.
    struct collations *collations; // sql/type/collation.h
    struct hashmap connections; // Shard 0: clients of the node, sql/wire/connection_limit.h.
    struct hashmap transactions; // Shard 0: theirs that are open.
    bool transactions_limited;   // Some setting has limited them.
    struct hashmap memory;    // Tenant -> struct tenant_memory: sql/exec/memory.h.
    struct hashmap insight;   // Tenant -> struct insight_shard: sql/insight/insight.h.
};
struct sql_shard *sql_shard(struct shard *shard);
// No sessions come any more, and those that are there have ended: the server's own, for clients' are gone by now. False when
// some have not in 5 s: what they use must stay.
bool sql_shard_end_sessions(struct task *task);
// Frees it, once there are no sessions any more and the cache of plans is clear.
void sql_shard_fini(struct shard *shard);
