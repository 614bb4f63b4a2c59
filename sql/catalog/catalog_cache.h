// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a shard keeps of the catalog: decoded keys, and where each tenant's changes stand. For sql/catalog/catalog*.c.
//
// Shard    The owner's only.
// Memory   An entry holds its own arena and lives while the cache or a pin holds it.
// Errors   None.
#pragma once
#include "core/hashmap.h"
#include "kv/reliance.h"
#include "sql/catalog/catalog_store.h"
#include "sql/catalog/rowid.h"

struct shard;

enum entry_kind { ENTRY_NAME, ENTRY_TABLE, ENTRY_DATABASE, ENTRY_SCHEMA };

// One decoded key of the catalog. Lives while the cache or anybody's pin holds it.
struct entry {
    struct arena arena; // Holds the entry itself.
    struct bytes key;
    enum entry_kind kind;
    uint32_t pins;
    bool cached;
    struct hlc_timestamp valid_from; // The earliest snapshot at which it was seen.
    struct list_link lru;            // Of the shard, when cached.
    struct list_link of_tenant;
    struct shard *shard;
    union {
        struct name_value name; // id 0: known to be free.
        struct table_desc table;
        struct database_desc database;
        struct schema_desc schema;
    };
};

// A schema change about to commit, here or on another node.
struct unsettled {
    uint64_t change;
    uint32_t node;
    struct hlc_timestamp until; // Beyond it it does not commit.
};

// A tenant's standing on this shard.
struct tenant_catalog {
    uint64_t tenant;
    struct unsettled *unsettled; // While there are any nothing cached is used or added.
    uint32_t unsettled_count, unsettled_capacity;
    bool unannounced; // Replication changes it and tells nobody: nothing cached is used or added either.
    struct reliance reliance; // Its generation grows with each announcement.
    struct hlc_timestamp changed; // No change since, that we have not been told of.
    struct list_link entries;
    struct {
        int64_t next;
        uint32_t left;
    } counters[CATALOG_COUNTER_COUNT];
};

struct catalog_shard {
    struct hashmap entries; // By key.
    struct hashmap tenants;
    struct hashmap roles; // sql/user/role.c
    void *jobs;           // sql/service/jobs.c
    struct user_types types;
    struct rowid_state rowid;
    struct list_link lru; // Oldest first.
    struct list_link free_views;
};

struct catalog_shard *catalog_of(struct shard *shard);
struct tenant_catalog *catalog_tenant_of(struct shard *shard, uint64_t id);
// Nothing that is cached of the tenant is used any more.
void catalog_tenant_forget(struct shard *shard, struct tenant_catalog *tenant);
