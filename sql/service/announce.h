// SPDX-License-Identifier: GPL-3.0-or-later
//
// What nodes tell each other about the state of SQL that every shard caches (kv/cluster.h: cluster_announce). The
// numbers are part of the protocol between nodes.
//
// Shard    Heard on every shard of every node, as a task; reset without one.
#pragma once
#include "core/codec.h"
#include "kv/cluster.h"

enum announcement_id {
    ANNOUNCE_CATALOG_BEGIN = 1, // u64 tenant, u32 node, u64 change, u64 until: a change is about to commit, not above `until` (wall ns).
    ANNOUNCE_CATALOG_END,       // The same: it has, or has not.
    ANNOUNCE_SETTINGS,          // u64 tenant, or 0: all.
    ANNOUNCE_ROLES,             // u64 tenant.
    ANNOUNCE_JOBS_STOP,         // u64 tenant, i64 job, or 0: all.
    ANNOUNCE_NAMED_LOCKS,       // Never sent: heard of when the node may have been taken for dead.
    ANNOUNCE_SERVICE = 16,      // u64 tenant: its record says whether it is served. tenant/service.c
    ANNOUNCE_POKE = 24,         // i64 job. repl/consumer.c
    ANNOUNCE_CHECKPOINT,        // i64 job. repl/consumer.c
};

void catalog_announcements_register(void);
void settings_announcements_register(void);
void role_announcements_register(void);
void jobs_announcements_register(void);

// Announcements of one number.
static inline struct status announce_u64(struct task *task, enum announcement_id id, uint64_t value)
{
    uint8_t body[8];
    codec_store(body, value, sizeof body);
    return cluster_announce(task, (uint16_t)id, bytes_of(body, sizeof body));
}
static inline bool announced_u64(struct bytes body, uint64_t *value)
{
    struct codec_reader in = codec_read(body);
    *value = codec_get_u64(&in);
    return codec_done(&in);
}
