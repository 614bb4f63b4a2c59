// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "core/shard.h"
#include "sql/session/session.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"
#include "sql/exec/spill.h"

#define SPILL_LEAST_BYTES (64u << 10) // Below this nothing spills, whatever others take.

#define CLUSTER_MAX "sql.memory.virtual_cluster_max"
#define SESSION_MAX "sql.memory.session_max"
#define STATEMENT_MAX "sql.memory.statement_max"

static void take_limits(struct shard *shard, uint64_t tenant, struct tenant_memory *memory)
{
    memory->account.limit_bytes = settings_bytes(shard, tenant, CLUSTER_MAX);
    memory->session_max = settings_bytes(shard, tenant, SESSION_MAX);
    memory->statement_max = settings_bytes(shard, tenant, STATEMENT_MAX);
}

struct tenant_memory *tenant_memory_of(struct shard *shard, uint64_t tenant)
{
    struct sql_shard *state = sql_shard(shard);
    struct tenant_memory *memory = hashmap_get_u64(&state->memory, tenant);
    if (memory != NULL) return memory;
    memory = calloc(1, sizeof *memory);
    invariant(memory != NULL);
    snprintf(memory->name, sizeof memory->name, "virtual cluster %llu", (unsigned long long)tenant);
    memory_account_init(&memory->account, &shard->account, memory->name, 0);
    take_limits(shard, tenant, memory);
    hashmap_put_u64(&state->memory, tenant, memory);
    return memory;
}

bool memory_is_ample(const struct memory_account *account, uint64_t more)
{
    for (; account != NULL; account = account->parent)
        if (account->limit_bytes > 0 &&
            account->used_bytes + more > account->limit_bytes - account->limit_bytes / 4)
            return false;
    return true;
}

bool memory_spills(
    const struct session *session, const struct memory_account *account, uint64_t more)
{
    uint64_t used = account->used_bytes;
    if (!spill_possible(session->shard)) return false;
    if (used > 0 && SIM_MAYBE("exec.spill_early")) return true;
    if (used < SPILL_LEAST_BYTES) return false;
    return used + more > session->work_bytes || !memory_is_ample(account, more);
}

struct status memory_hint(struct arena *arena, struct status st)
{
    const struct status_report *report = status_report_of(st);
    if (st.code != E_OUT_OF_MEMORY || (report != NULL && report->hint != NULL)) return st;
    return status_hint(arena, st,
        "Start the server with a larger --max-sql-memory, or raise the limits sql.memory.*; or let the "
        "statement keep fewer or smaller values at a time.");
}

static void changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    struct tenant_memory *memory = hashmap_get_u64(&sql_shard(shard)->memory, tenant);
    (void)setting;
    if (memory != NULL) take_limits(shard, tenant, memory);
}

void memory_register(void)
{
    static const struct setting settings[] = {
        {.name = CLUSTER_MAX, .type = SETTING_BYTES, .class = SETTING_SYSTEM_VISIBLE, .default_value = "0 B",
            .description = "memory of all statements of a virtual cluster on one core; 0: what there is",
            .changed = changed},
        {.name = SESSION_MAX, .type = SETTING_BYTES, .class = SETTING_APPLICATION, .default_value = "0 B",
            .description = "memory of one session; 0: what there is", .changed = changed},
        {.name = STATEMENT_MAX, .type = SETTING_BYTES, .class = SETTING_APPLICATION,
            .default_value = "0 B", .description = "memory of one statement; 0: what there is",
            .changed = changed},
    };
    settings_register(settings, sizeof settings / sizeof settings[0]);
}

void memory_shard_fini(struct sql_shard *state)
{
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&state->memory, &cursor)) != NULL) {
        struct tenant_memory *memory = entry->value;
        memory_account_fini(&memory->account);
        free(memory);
    }
    hashmap_fini(&state->memory);
}
