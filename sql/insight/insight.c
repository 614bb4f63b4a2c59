// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/env.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"
#include "sql/session/execute.h"
#include "sql/insight/fingerprint.h"
#include "sql/type/json.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"

#define ENABLED "sql.metrics.statement_details.enabled"
#define STATEMENTS_MAX "sql.metrics.max_mem_stmt_fingerprints"
#define TRANSACTIONS_MAX "sql.metrics.max_mem_txn_fingerprints"
#define E_TRANSACTION_ROLLED_BACK SQLSTATE('4', '0', '0', '0', '0')
#define SLOW_AFTER "sql.log.slow_query.latency_threshold"

struct insight_table {
    struct hashmap entries; // Key -> struct insight.
    struct list_link used;  // Most recently used first.
    uint32_t count, count_max;
};

// Of one virtual cluster on one shard.
struct insight_shard {
    struct insight_table tables[2]; // By enum insight_kind.
    uint64_t evicted;
    int64_t reset_us;
    bool enabled;
    double slow_ms; // 0: nothing is slow.
};

// --- the tables ----------------------------------------------------------------------------------------

static void take_settings(struct shard *shard, uint64_t tenant, struct insight_shard *insight)
{
    insight->enabled = settings_bool(shard, tenant, ENABLED);
    insight->tables[INSIGHT_STATEMENTS].count_max = (uint32_t)settings_int(shard, tenant, STATEMENTS_MAX);
    insight->tables[INSIGHT_TRANSACTIONS].count_max = (uint32_t)settings_int(shard, tenant, TRANSACTIONS_MAX);
    insight->slow_ms = (double)settings_duration_ns(shard, tenant, SLOW_AFTER) / 1e6;
}

struct insight_shard *insight_of(struct shard *shard, uint64_t tenant)
{
    struct sql_shard *state = sql_shard(shard);
    struct insight_shard *insight = hashmap_get_u64(&state->insight, tenant);
    if (insight != NULL) return insight;
    insight = calloc(1, sizeof *insight);
    invariant(insight != NULL);
    for (int i = 0; i < 2; i++) list_init(&insight->tables[i].used);
    insight->reset_us = session_now_us(shard);
    take_settings(shard, tenant, insight);
    hashmap_put_u64(&state->insight, tenant, insight);
    return insight;
}

static void forget_one(struct insight_table *table, struct insight *entry)
{
    hashmap_remove_u64(&table->entries, entry->key);
    list_remove(&entry->link);
    table->count--;
    free(entry);
}

static struct insight *oldest(struct insight_table *table)
{
    return list_empty(&table->used) ? NULL : container_of(table->used.prev, struct insight, link);
}

void insight_forget(struct insight_shard *shard, const struct insight_filter *filter, int64_t now_us)
{
    bool all = filter->user == NULL && filter->database == NULL && filter->id == 0;
    for (int i = 0; i < 2; i++) {
        struct list_link *head = &shard->tables[i].used, *next;
        for (struct list_link *at = head->next; at != head; at = next) {
            struct insight *entry = container_of(at, struct insight, link);
            next = at->next;
            if (filter->user != NULL && strcmp(filter->user, entry->user) != 0) continue;
            if (filter->database != NULL && strcmp(filter->database, entry->database) != 0) continue;
            if (filter->id != 0 && filter->id != entry->id) continue;
            forget_one(&shard->tables[i], entry);
        }
    }
    if (!all) return;
    shard->evicted = 0;
    shard->reset_us = now_us;
}

const struct list_link *insight_first(const struct insight_shard *shard, enum insight_kind kind)
{
    return &shard->tables[kind].used;
}

uint64_t insight_evicted(const struct insight_shard *shard)
{
    return shard->evicted;
}

int64_t insight_reset_us(const struct insight_shard *shard)
{
    return shard->reset_us;
}

void insight_shard_fini(struct sql_shard *state)
{
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&state->insight, &cursor)) != NULL) {
        struct insight_shard *insight = entry->value;
        insight_forget(insight, &(struct insight_filter){0}, 0);
        for (int i = 0; i < 2; i++) hashmap_fini(&insight->tables[i].entries);
        free(insight);
    }
    hashmap_fini(&state->insight);
}

static char *take_string(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = *room;
    memcpy(copy, text, size);
    *room += size;
    return copy;
}

static struct insight *entry_add(struct insight_shard *shard, struct insight_table *table, const struct insight *model)
{
    while (table->count > 0 && table->count >= table->count_max) {
        forget_one(table, oldest(table));
        shard->evicted++;
    }
    const char *texts[] = {model->user, model->database, model->application, model->text};
    size_t size = sizeof *model;
    for (int i = 0; i < 4; i++) size += strlen(texts[i]) + 1;
    struct insight *entry = malloc(size);
    if (entry == NULL) return NULL;
    *entry = *model;
    char *room = (char *)(entry + 1);
    entry->user = take_string(&room, model->user);
    entry->database = take_string(&room, model->database);
    entry->application = take_string(&room, model->application);
    entry->text = take_string(&room, model->text);
    hashmap_put_u64(&table->entries, entry->key, entry);
    list_prepend(&table->used, &entry->link);
    table->count++;
    return entry;
}

// --- counting ------------------------------------------------------------------------------------------

static void count_run(struct insight_counts *counts, const struct session *session,
    const struct insight_run *run, double ms)
{
    counts->last_us = session_now_us(session->shard);
    if (counts->first_us == 0) counts->first_us = counts->last_us;
    counts->rows += run->rows;
    counts->retries += run->retries;
    if (run->retries > counts->retries_max) counts->retries_max = run->retries;
    if (session->account.peak_bytes > counts->memory_max) counts->memory_max = session->account.peak_bytes;
    if (failed(run->outcome)) {
        counts->failures++;
        counts->last_error = run->outcome.code;
    }
    // A portal's later runs are one call with the first, but their times are their own.
    if (!run->first) {
        counts->total_ms += ms;
        return;
    }
    double before = counts->calls == 0 ? 0 : counts->total_ms / (double)counts->calls;
    counts->calls++;
    counts->total_ms += ms;
    if (counts->calls == 1 || ms < counts->min_ms) counts->min_ms = ms;
    if (ms > counts->max_ms) counts->max_ms = ms;
    counts->deviation += fabs((ms - before) * (ms - counts->total_ms / (double)counts->calls));
}

// The text that the client sent: of the plans' cache, what is prepared is the statement's shape.
static struct bytes source_of(const struct session *session, const struct prepared *prepared)
{
    const struct statement *statement = prepared->statement;
    if (prepared->cache_key.size > 0 && session->statement_text != NULL)
        return bytes_of_string(session->statement_text);
    struct bytes text = prepared->text;
    if (statement->length == 0 || (uint64_t)statement->position + statement->length > text.size) return text;
    return bytes_of(text.data + statement->position, statement->length);
}

static void find_fingerprint(struct session *session, struct prepared *prepared)
{
    struct fingerprint made;
    if (prepared->fingerprint != 0) return;
    fingerprint_make(&prepared->arena, source_of(session, prepared), &made);
    prepared->fingerprint = made.id;
    prepared->fingerprint_text = made.text;
}

static uint64_t context_of(const struct session *session, bool implicit)
{
    uint64_t hash = hash_u64(implicit);
    hash = hash_combine(hash, hash_bytes(bytes_of_string(session->user)));
    hash = hash_combine(hash, hash_bytes(bytes_of_string(session->database)));
    return hash_combine(hash, hash_bytes(bytes_of_string(session->application_name)));
}

static struct insight *find_entry(struct insight_shard *shard, enum insight_kind kind, const struct insight *model)
{
    struct insight_table *table = &shard->tables[kind];
    struct insight *entry = hashmap_get_u64(&table->entries, model->key);
    if (entry == NULL) return entry_add(shard, table, model);
    list_remove(&entry->link);
    list_prepend(&table->used, &entry->link);
    return entry;
}

static void log_slow(const struct session *session, const struct insight_run *run, double ms)
{
    char state[6] = "00000";
    struct arena arena;
    struct buffer line;
    const struct prepared *prepared = run->prepared;
    const char *const texts[][2] = {{"Statement", prepared->fingerprint_text},
        {"Tag", statement_name(prepared->statement)}, {"User", session->user}, {"Database", session->database},
        {"ApplicationName", session->application_name}};
    arena_init(&arena, NULL);
    buffer_init(&line, &arena);
    if (failed(run->outcome)) status_sqlstate(run->outcome, state);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        buffer_append_string(&line, arena_printf(&arena, ",\"%s\":", texts[i][0]));
        json_print_string(&line, bytes_of_string(texts[i][1]));
    }
    log_info(session->tenant, "{\"EventType\":\"slow_query\",\"Age\":%.3f,\"NumRows\":%llu,\"NumRetries\":%llu,\"SQLSTATE\":\"%s\"%s}",
        ms, (unsigned long long)run->rows, (unsigned long long)run->retries, state,
        arena_string(&arena, buffer_bytes(&line)));
    arena_fini(&arena);
}

static struct insight_shard *shard_of(struct session *session)
{
    if (session->insight.shard == NULL) session->insight.shard = insight_of(session->shard, session->tenant);
    return session->insight.shard;
}

static void note_in_transaction(struct session *session, const struct insight_run *run)
{
    struct session_insight *txn = &session->insight;
    if (run->first) {
        if (txn->count < INSIGHT_STATEMENTS_MAX) txn->statements[txn->count] = run->prepared->fingerprint;
        txn->count++;
        txn->hash = hash_combine(txn->hash, run->prepared->fingerprint);
        uint64_t now_ns = session->shard->env->mono_ns(session->shard->env);
        if (txn->count == 1) txn->started_ns = now_ns - run->elapsed_ns;
    }
    txn->rows += run->rows;
    txn->retries += run->retries;
}

static bool is_control(const struct prepared *prepared)
{
    return prepared->handler != NULL && (prepared->handler->flags & HANDLER_TRANSACTION_CONTROL) != 0;
}

void insight_statement(struct session *session, const struct insight_run *run)
{
    struct prepared *prepared = run->prepared;
    struct insight_shard *shard = shard_of(session);
    if (prepared->statement == NULL) return;
    double ms = (double)run->elapsed_ns / 1e6;
    bool slow = (shard->slow_ms > 0 && ms >= shard->slow_ms) ||
                (session->log_min_duration_ms >= 0 && ms >= session->log_min_duration_ms);
    if (!shard->enabled && !slow) return;
    find_fingerprint(session, prepared);
    if (slow) log_slow(session, run, ms);
    if (!shard->enabled) return;
    bool implicit = session->txn_state == TXN_IDLE && !session->insight.explicit;
    struct insight model = {.id = prepared->fingerprint,
        .key = hash_combine(prepared->fingerprint, context_of(session, implicit)),
        .user = session->user,
        .database = session->database,
        .application = session->application_name,
        .text = prepared->fingerprint_text,
        .tag = statement_name(prepared->statement),
        .implicit = implicit};
    struct insight *entry = find_entry(shard, INSIGHT_STATEMENTS, &model);
    if (entry != NULL) count_run(&entry->counts, session, run, ms);
    session->insight.last = model.key;
    // What begins and ends a transaction is no part of what it does.
    if (!is_control(prepared)) note_in_transaction(session, run);
    if (session->txn_state == TXN_OPEN || session->txn_state == TXN_FAILED) session->insight.explicit = true;
}

void insight_transaction(struct session *session, bool committed)
{
    struct session_insight *txn = &session->insight;
    struct insight_shard *shard = shard_of(session);
    if (session->txn_state != TXN_IDLE) return;
    if (txn->count > 0 && shard->enabled) {
        struct insight model = {.id = txn->hash,
            .key = hash_combine(txn->hash, context_of(session, !txn->explicit)),
            .user = session->user,
            .database = session->database,
            .application = session->application_name,
            .text = "",
            .tag = "",
            .implicit = !txn->explicit,
            .statement_count = txn->count < INSIGHT_STATEMENTS_MAX ? txn->count : INSIGHT_STATEMENTS_MAX};
        memcpy(model.statements, txn->statements, model.statement_count * sizeof model.statements[0]);
        struct insight *entry = find_entry(shard, INSIGHT_TRANSACTIONS, &model);
        uint64_t now_ns = session->shard->env->mono_ns(session->shard->env);
        struct insight_run run = {.rows = txn->rows, .retries = txn->retries, .first = true,
            .outcome = committed ? STATUS_OK : status_make(E_TRANSACTION_ROLLED_BACK, "rolled back")};
        if (entry != NULL) count_run(&entry->counts, session, &run, (double)(now_ns - txn->started_ns) / 1e6);
        txn->txns_ended++;
    }
    txn->count = 0;
    txn->hash = txn->rows = txn->retries = 0;
    txn->explicit = false;
}

const char *insight_last_statement(const struct session *session)
{
    if (session->insight.last == 0 || session->insight.shard == NULL) return "";
    const struct insight *entry =
        hashmap_get_u64(&session->insight.shard->tables[INSIGHT_STATEMENTS].entries, session->insight.last);
    return entry == NULL ? "" : entry->text;
}

// --- registration --------------------------------------------------------------------------------------

static void changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    struct insight_shard *insight = hashmap_get_u64(&sql_shard(shard)->insight, tenant);
    (void)setting;
    if (insight != NULL) take_settings(shard, tenant, insight);
}

void insight_register(void)
{
    static const struct setting settings[] = {
        {.name = ENABLED, .type = SETTING_BOOL, .class = SETTING_APPLICATION, .default_value = "true",
            .description = "count statements and transactions by fingerprint", .changed = changed},
        {.name = STATEMENTS_MAX, .type = SETTING_INT, .class = SETTING_APPLICATION, .default_value = "2000",
            .minimum = 1, .maximum = 20000,
            .description = "fingerprints of statements that a core keeps", .changed = changed},
        {.name = TRANSACTIONS_MAX, .type = SETTING_INT, .class = SETTING_APPLICATION, .default_value = "1000",
            .minimum = 1, .maximum = 20000,
            .description = "fingerprints of transactions that a core keeps", .changed = changed},
        {.name = SLOW_AFTER, .type = SETTING_DURATION, .class = SETTING_APPLICATION, .default_value = "0s",
            .description = "statements that take as long are logged, without their values; 0: none",
            .changed = changed},
    };
    settings_register(settings, sizeof settings / sizeof settings[0]);
    insight_gather_register();
}
