// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/catalog_check.h"

#include "core/hash.h"
#include "core/invariant.h"
#include "core/reactor.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "sql/catalog/catalog_cache.h"

#define SEEN_MAX 512u // Tables, at most.

struct seen {
    uint64_t key; // Its hash.
    uint32_t version, node;
};
struct looking {
    struct world *world;
    struct seen seen[SEEN_MAX];
    uint32_t count;
};

static void look_at_entry(struct looking *looking, uint32_t node, const struct entry *entry)
{
    if (entry->kind != ENTRY_TABLE) return;
    uint64_t key = hash_bytes(entry->key);
    struct seen *seen = &looking->seen[key % SEEN_MAX];
    while (seen->node != 0 && seen->key != key)
        seen = seen == &looking->seen[SEEN_MAX - 1] ? looking->seen : seen + 1;
    if (seen->node == 0) {
        *seen = (struct seen){key, entry->table.version, node};
        invariant(++looking->count < SEEN_MAX);
    } else if (seen->version != entry->table.version) {
        sim_violation(looking->world->run,
            "of table %s node %u may use version %u and node %u version %u", entry->table.name,
            seen->node, seen->version, node, entry->table.version);
    }
}

static void look_at_shard(struct looking *looking, uint32_t node, struct shard *shard)
{
    struct catalog_shard *catalog = shard->slots[SHARD_SLOT_CATALOG];
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    if (catalog == NULL || cluster_epoch(shard) == 0) return;
    while ((each = hashmap_next(&catalog->tenants, &cursor)) != NULL) {
        const struct tenant_catalog *tenant = each->value;
        if (tenant->unsettled_count > 0) continue;
        struct list_link *link;
        for (link = tenant->entries.next; link != &tenant->entries; link = link->next)
            look_at_entry(looking, node, container_of(link, struct entry, of_tenant));
    }
}

void catalog_check_look(struct world *world)
{
    static struct looking looking; // Of the only thread.
    memset(&looking, 0, sizeof looking);
    looking.world = world;
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct world_node *each = &world->nodes[i];
        struct node *node = sim_node_running(each->machine);
        // One that stands still will ask its clock before it uses anything.
        if (node == NULL || sim_node_paused(each->machine)) continue;
        for (uint32_t k = 0; k < node->shard_count; k++) {
            shard_self_set(node->shards[k]);
            look_at_shard(&looking, each->id, node->shards[k]);
            shard_self_set(NULL);
        }
    }
}
