// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/connection_limit.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "sql/parse/ast_query.h"
#include "sql/session/session.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"
#include "sql/session/vars.h"

// Of a role of a virtual cluster; of the virtual cluster itself under the empty name.
struct connection_count {
    uint32_t connections;
    struct bytes key;
    uint8_t name[];
};

// What is counted, as it travels: the virtual cluster's number, then the role's name.
struct connection_key {
    size_t size;
    uint8_t bytes[sizeof(uint64_t) + IDENTIFIER_BYTES_MAX];
};

struct enter_call {
    struct connection_key key;
    int64_t tenant_limit, role_limit; // -1: none.
    bool role_full, tenant_full;
};
struct leave_message {
    struct shard_message message;
    struct connection_key key;
};

static struct connection_key key_of(uint64_t tenant, const char *role)
{
    struct connection_key key;
    size_t size = strnlen(role, IDENTIFIER_BYTES_MAX);
    memcpy(key.bytes, &tenant, sizeof tenant);
    memcpy(key.bytes + sizeof tenant, role, size);
    key.size = sizeof tenant + size;
    return key;
}

static struct bytes role_of(const struct connection_key *key)
{
    return bytes_of(key->bytes, key->size);
}
static struct bytes tenant_of(const struct connection_key *key)
{
    return bytes_of(key->bytes, sizeof(uint64_t));
}

static bool is_full(const struct hashmap *counts, struct bytes key, int64_t limit)
{
    const struct connection_count *count = hashmap_get(counts, key);
    return limit >= 0 && (count == NULL ? 0 : count->connections) >= limit;
}

static void add(struct hashmap *counts, struct bytes key)
{
    struct connection_count *count = hashmap_get(counts, key);
    if (count == NULL) {
        count = malloc(sizeof *count + key.size);
        invariant(count != NULL);
        count->connections = 0;
        memcpy(count->name, key.data, key.size);
        count->key = bytes_of(count->name, key.size);
        hashmap_put(counts, count->key, count);
    }
    count->connections++;
}

static void take_off(struct hashmap *counts, struct bytes key)
{
    struct connection_count *count = hashmap_get(counts, key);
    invariant(count != NULL);
    if (--count->connections > 0) return;
    hashmap_remove(counts, key);
    free(count);
}

static struct status enter_there(struct task *task, void *arg)
{
    struct enter_call *call = arg;
    struct hashmap *counts = &sql_shard(task->shard)->connections;
    call->tenant_full = is_full(counts, tenant_of(&call->key), call->tenant_limit);
    call->role_full = is_full(counts, role_of(&call->key), call->role_limit);
    if (call->tenant_full || call->role_full) return STATUS_OK;
    add(counts, tenant_of(&call->key));
    add(counts, role_of(&call->key));
    return STATUS_OK;
}

struct status connection_enter(
    struct task *task, struct session *session, bool superuser, int64_t role_limit)
{
    struct enter_call call = {.key = key_of(session->tenant, session->user),
        .tenant_limit = superuser
            ? -1
            : settings_int(session->shard, session->tenant, SETTING_MAX_CONNECTIONS),
        .role_limit = superuser ? -1 : role_limit};
    struct status st = shard_call(task, 0, enter_there, &call);
    if (failed(st)) return st;
    if (call.tenant_full) {
        st = status_make(E_TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        return status_hint(&session->statement_arena, st,
            "This node takes %lld of this virtual cluster: see the setting " SETTING_MAX_CONNECTIONS ".",
            (long long)call.tenant_limit);
    }
    if (call.role_full)
        return status_format(&session->statement_arena, E_TOO_MANY_CONNECTIONS,
            "too many connections for role \"%s\"", session->user);
    session->counted_as = session->user;
    int64_t most = settings_int(session->shard, session->tenant, SETTING_MAX_CONNECTIONS);
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)most);
    return most < 0 ? STATUS_OK : vars_set(session, &session->statement_arena, "max_connections", digits, VARS_STARTUP);
}

static void leave_here(struct shard *shard, const struct connection_key *key)
{
    struct hashmap *counts = &sql_shard(shard)->connections;
    take_off(counts, tenant_of(key));
    take_off(counts, role_of(key));
}

static void leave_arrived(struct shard *shard, struct shard_message *message)
{
    struct leave_message *leave = container_of(message, struct leave_message, message);
    leave_here(shard, &leave->key);
    free(leave);
}

void connection_leave(struct session *session)
{
    if (session->counted_as == NULL) return;
    struct connection_key key = key_of(session->tenant, session->counted_as);
    session->counted_as = NULL;
    if (session->shard->index == 0) {
        leave_here(session->shard, &key);
        return;
    }
    struct leave_message *leave = malloc(sizeof *leave);
    invariant(leave != NULL); // A place that nobody can give back would be lost until the restart.
    *leave = (struct leave_message){.message = {.deliver = leave_arrived}, .key = key};
    shard_send(session->shard, 0, &leave->message);
}

// --- transactions ------------------------------------------------------------------------------------

struct begin_call {
    uint64_t tenant;
    int64_t limit;
    bool counted;
};
struct end_message {
    struct shard_message message;
    uint64_t tenant;
};

static struct bytes tenant_key(const uint64_t *tenant)
{
    return bytes_of((const uint8_t *)tenant, sizeof *tenant);
}

static struct status begin_there(struct task *task, void *arg)
{
    struct begin_call *call = arg;
    struct hashmap *counts = &sql_shard(task->shard)->transactions;
    call->counted = !is_full(counts, tenant_key(&call->tenant), call->limit);
    if (call->counted) add(counts, tenant_key(&call->tenant));
    return STATUS_OK;
}

struct status transaction_enter(struct task *task, struct session *session)
{
    struct begin_call call = {.tenant = session->tenant};
    if (!sql_shard(session->shard)->transactions_limited || session->superuser || session->internal)
        return STATUS_OK;
    call.limit = settings_int(session->shard, session->tenant, SETTING_MAX_TRANSACTIONS);
    if (call.limit < 0) return STATUS_OK;
    struct status st = shard_call(task, 0, begin_there, &call);
    session->txn_counted = call.counted;
    if (failed(st)) {
        transaction_leave(session);
        return st;
    }
    if (call.counted) return STATUS_OK;
    st = status_make(E_CONFIGURATION_LIMIT_EXCEEDED, "too many open transactions");
    return status_hint(&session->statement_arena, st,
        "Try again when others have ended. This node takes %lld of this virtual cluster: see the setting " SETTING_MAX_TRANSACTIONS ".",
        (long long)call.limit);
}

static void end_arrived(struct shard *shard, struct shard_message *message)
{
    struct end_message *end = container_of(message, struct end_message, message);
    take_off(&sql_shard(shard)->transactions, tenant_key(&end->tenant));
    free(end);
}

void transaction_leave(struct session *session)
{
    if (!session->txn_counted) return;
    session->txn_counted = false;
    if (session->shard->index == 0) {
        take_off(&sql_shard(session->shard)->transactions, tenant_key(&session->tenant));
        return;
    }
    struct end_message *end = malloc(sizeof *end);
    invariant(end != NULL); // As above.
    *end = (struct end_message){.message = {.deliver = end_arrived}, .tenant = session->tenant};
    shard_send(session->shard, 0, &end->message);
}

// Shards where nothing was ever limited need not look.
void transaction_limit_changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    struct sql_shard *state = sql_shard(shard);
    if (state != NULL && settings_int(shard, tenant, setting->name) >= 0) state->transactions_limited = true;
}

static void counts_free(struct hashmap *counts)
{
    uint32_t cursor = 0;
    const struct hashmap_entry *entry;
    while ((entry = hashmap_next(counts, &cursor)) != NULL) free(entry->value);
    hashmap_fini(counts);
}

void connection_limit_shard_fini(struct sql_shard *state)
{
    counts_free(&state->connections);
    counts_free(&state->transactions);
}
