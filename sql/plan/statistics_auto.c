// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/statistics_auto.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"
#include "sql/service/background.h"
#include "sql/catalog/catalog.h"
#include "sql/session/internal.h"
#include "sql/session/session.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"
#include "sql/plan/statistics.h"

#define ENABLED "sql.stats.automatic_collection.enabled"
#define SETTLE_NS UINT64_C(2000000000) // Loads come in several statements.
#define SYSTEM_TABLES_END 100u

struct changed_table {
    uint64_t tenant;
    uint32_t id;
    uint64_t rows;     // Changed since the last look.
    uint64_t estimate; // Of the table, when they were noted.
    bool is_due;
};
struct statistics_auto {
    struct changed_table tables[AUTO_TABLES_MAX];
    uint32_t count;
    struct background background;
};

static struct changed_table *find(struct statistics_auto *state, uint64_t tenant, uint32_t id)
{
    for (uint32_t i = 0; i < state->count; i++) {
        if (state->tables[i].id != id || state->tables[i].tenant != tenant) continue;
        if (i == 0) return &state->tables[0];
        // What is written often comes to stand first.
        struct changed_table swap = state->tables[i - 1];
        state->tables[i - 1] = state->tables[i];
        state->tables[i] = swap;
        return &state->tables[i - 1];
    }
    return NULL;
}

void statistics_auto_note(struct session *session, const struct table_desc *table, uint64_t rows)
{
    struct statistics_auto *state = sql_shard(session->shard)->statistics;
    if (state == NULL || rows == 0 || session->internal || table->id < SYSTEM_TABLES_END ||
        table->kind != RELATION_TABLE)
        return;
    struct changed_table *changed = find(state, session->tenant, table->id);
    if (changed == NULL) {
        if (state->count == AUTO_TABLES_MAX) return;
        changed = &state->tables[state->count++];
        *changed = (struct changed_table){.tenant = session->tenant, .id = table->id};
    }
    changed->rows += rows;
    changed->estimate = table->row_estimate;
    changed->is_due = changed->rows >= AUTO_ROWS_MIN + table->row_estimate / AUTO_SHARE;
    if (changed->is_due) wait_queue_wake_all(&state->background.work, STATUS_OK);
}

// Takes one that is due out of the list.
static bool take_due(struct statistics_auto *state, struct changed_table *taken)
{
    for (uint32_t i = 0; i < state->count; i++) {
        if (!state->tables[i].is_due) continue;
        *taken = state->tables[i];
        state->tables[i] = state->tables[--state->count];
        return true;
    }
    return false;
}

static struct status collect(struct task *task, const struct changed_table *changed)
{
    struct status st;
    struct session *session = NULL;
    const struct table_desc *table;
    TRY(settings_load(task, changed->tenant));
    if (!settings_bool(task->shard, changed->tenant, ENABLED)) return STATUS_OK;
    TRY(internal_session_open(task, changed->tenant, "system", &session));
    TRY(session_txn_begin_reading(task, session));
    TRY(catalog_table_by_id(task, session, changed->id, &table));
    // Others may have collected them meanwhile.
    bool is_old = changed->rows >= AUTO_ROWS_MIN + table->row_estimate / AUTO_SHARE;
    if (is_old) TRY(statistics_collect_slowly(task, session, table));
out:
    if (session != NULL) {
        if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
        internal_session_close(task, session);
    }
    return st;
}

static struct status auto_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct statistics_auto *state = arg;
    struct changed_table changed;
    while (!state->background.stopping) {
        if (!take_due(state, &changed)) {
            TRY(task_wait(task, &state->background.work));
            TRY(task_sleep(task, SETTLE_NS));
            continue;
        }
        uint64_t begun = task_now_ns(task);
        struct arena_mark mark = arena_mark(task->arena);
        struct status collected = collect(task, &changed);
        if (failed(collected) && !task->cancelled)
            log_info(changed.tenant, "statistics of table %u: %s", changed.id, collected.message);
        arena_release(task->arena, mark);
        TRY(task_sleep(task, (task_now_ns(task) - begun) / 4));
    }
out:
    return st;
}

static struct status start_here(struct task *task, void *arg)
{
    struct sql_shard *shard = sql_shard(task->shard);
    struct statistics_auto *state = calloc(1, sizeof *state);
    (void)arg;
    invariant(state != NULL && shard->statistics == NULL);
    struct status st =
        background_start(task->shard, &state->background, auto_run, state, "statistics");
    if (failed(st)) {
        free(state);
        return st;
    }
    shard->statistics = state;
    return st;
}

struct status statistics_auto_start(struct task *task)
{
    return shard_call_all(task, start_here, NULL);
}

void statistics_auto_stop(struct task *task)
{
    struct sql_shard *shard = sql_shard(task->shard);
    struct statistics_auto *state = shard->statistics;
    if (state == NULL) return;
    background_stop(task, &state->background);
    shard->statistics = NULL;
    free(state);
}

void statistics_auto_register(void)
{
    static const struct setting settings[] = {{.name = ENABLED,
        .type = SETTING_BOOL,
        .class = SETTING_APPLICATION,
        .default_value = "true",
        .description = "collects statistics of tables anew when many of their rows have changed"}};
    settings_register(settings, sizeof settings / sizeof settings[0]);
}
