// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans by statement shape: the simple protocol's way around the parser and the planner.
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "sql/parse/parse.h"
#include "sql/session/execute.h"
#include "sql/session/search_path.h"
#include "sql/parse/shape.h"
#include "sql/session/shard_state.h"

#define PLAN_CACHE_MAX 2048u

static void unlink_entry(struct sql_shard *state, struct prepared *prepared)
{
    if (prepared->prev != NULL)
        prepared->prev->next = prepared->next;
    else
        state->cached = prepared->next;
    if (prepared->next != NULL)
        prepared->next->prev = prepared->prev;
    else
        state->cached_last = prepared->prev;
    prepared->prev = prepared->next = NULL;
}

static void link_first(struct sql_shard *state, struct prepared *prepared)
{
    prepared->prev = NULL;
    prepared->next = state->cached;
    if (state->cached != NULL)
        state->cached->prev = prepared;
    else
        state->cached_last = prepared;
    state->cached = prepared;
}

static void evict(struct sql_shard *state, struct prepared *prepared)
{
    unlink_entry(state, prepared);
    hashmap_remove(&state->cache, prepared->cache_key);
    state->cached_count--;
    prepared_release(prepared);
}

void plan_cache_clear(struct shard *shard)
{
    struct sql_shard *state = sql_shard(shard);
    while (state->cached != NULL) evict(state, state->cached);
}

// What names in the text mean: tenant, database, search path, user.
static uint64_t context_of(const struct session *session)
{
    uint64_t hash = hash_u64(session->tenant);
    hash = hash_combine(hash, hash_bytes(bytes_of_string(session->database)));
    hash = hash_combine(hash, hash_bytes(bytes_of_string(session->user)));
    for (const char *const *schema = session->search_path; *schema != NULL; schema++)
        hash = hash_combine(hash, hash_bytes(bytes_of_string(*schema)));
    return hash_combine(hash, session->temp_generation);
}

// 16 bytes of hashes, then the text: no two shapes share a key unless they are the same statement.
static struct bytes key_of(struct arena *arena, const struct shape *shape, uint64_t context)
{
    uint8_t *key = arena_alloc(arena, 16 + shape->size);
    memcpy(key, &shape->hash, 8);
    memcpy(key + 8, &context, 8);
    memcpy(key + 16, shape->text, shape->size);
    return bytes_of(key, 16 + shape->size);
}

static struct type literal_type(const struct shape_literal *literal)
{
    switch (literal->kind) {
    case SHAPE_INTEGER: return TYPE_OF(TYPE_INT4);
    case SHAPE_BIGINT: return TYPE_OF(TYPE_INT8);
    case SHAPE_DECIMAL: return TYPE_OF(TYPE_NUMERIC);
    case SHAPE_STRING: return TYPE_OF(0);
    }
    return TYPE_OF(0);
}

static struct status literal_value(struct session *session, struct arena *arena,
    const struct shape_literal *literal, struct type type, struct datum *value)
{
    bool whole = literal->kind == SHAPE_INTEGER || literal->kind == SHAPE_BIGINT;
    if (whole && (type.oid == TYPE_INT4 || type.oid == TYPE_INT8)) {
        *value = datum_int(literal->integer);
        return STATUS_OK;
    }
    uint8_t *copy = arena_alloc(arena, literal->text.size + 1);
    size_t size = literal->text.size;
    if (literal->kind == SHAPE_STRING && literal->escaped)
        size = shape_literal_unescape(literal, copy);
    else
        memcpy(copy, literal->text.data, size);
    return type_input(arena, &session->types, type, bytes_of(copy, size), value);
}

// Plans `text` and keeps it under `key`. The caller gets a reference.
static struct status make_entry(struct task *task, struct session *session, struct bytes text,
    struct bytes key, const struct type *types, uint32_t type_count, struct prepared **out)
{
    struct status st;
    struct prepared *prepared = NULL;
    struct sql_shard *state = sql_shard(session->shard);
    TRY(prepared_make(task, session, text, NULL, types, type_count, &prepared));
    prepared->cache_key = arena_copy(&prepared->arena, key);
    // Another session may have made it while this one planned.
    struct prepared *other = hashmap_get(&state->cache, key);
    if (other != NULL) evict(state, other);
    if (state->cached_count >= PLAN_CACHE_MAX) evict(state, state->cached_last);
    hashmap_put(&state->cache, prepared->cache_key, prepared);
    link_first(state, prepared);
    state->cached_count++;
    prepared->references++;
out:
    *out = prepared;
    return st;
}

static struct prepared *find_entry(struct sql_shard *state, struct bytes key)
{
    struct prepared *prepared = hashmap_get(&state->cache, key);
    if (prepared == NULL) return NULL;
    unlink_entry(state, prepared);
    link_first(state, prepared);
    prepared->references++;
    return prepared;
}

struct status prepared_for_text(struct task *task, struct session *session, const char *sql,
    const struct type *types, uint32_t type_count, struct prepared **out)
{
    size_t size = strlen(sql);
    struct status st = search_path_settle_early(task, session);
    if (failed(st)) return st;
    uint64_t context = context_of(session);
    uint64_t kinds = hash_u64(type_count + 1);
    for (uint32_t i = 0; i < type_count; i++) kinds = hash_combine(kinds, types[i].oid);
    uint8_t *key = arena_alloc(&session->statement_arena, 16 + size);
    memcpy(key, &kinds, 8);
    memcpy(key + 8, &context, 8);
    memcpy(key + 16, sql, size);
    *out = find_entry(sql_shard(session->shard), bytes_of(key, 16 + size));
    if (*out != NULL) return STATUS_OK;
    return make_entry(task, session, bytes_of(key + 16, size), bytes_of(key, 16 + size), types,
        type_count, out);
}

// Literals out of the scratch shape, before anything can suspend.
static struct shape *shape_copy(struct arena *arena, const struct shape *shape)
{
    size_t head = offsetof(struct shape, text);
    struct shape *copy = arena_alloc(arena, head + 1);
    memcpy(copy, shape, offsetof(struct shape, literals) +
                            shape->literal_count * sizeof shape->literals[0]);
    return copy;
}

struct status plan_cache_find(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, struct prepared **out, struct datum **params)
{
    struct status st = STATUS_OK;
    struct sql_shard *state = sql_shard(session->shard);
    struct prepared *prepared = NULL;
    *out = NULL;
    if (state->shape == NULL) {
        state->shape = malloc(sizeof *state->shape);
        if (state->shape == NULL) return STATUS_OK;
    }
    const struct shape *shape = state->shape;
    if (text.size > SHAPE_TEXT_BYTES_MAX || !shape_of(text, state->shape)) return STATUS_OK;
    if (UNLIKELY(!search_path_is_settled(session))) {
        TRY(search_path_settle_early(task, session));
        (void)shape_of(text, state->shape); // Others may have used it meanwhile.
    }
    struct bytes key = key_of(arena, shape, context_of(session));
    prepared = find_entry(state, key);
    bool known = prepared != NULL && prepared->catalog_epoch != 0 &&
                 prepared->catalog_epoch == catalog_epoch(session);
    if (!known) shape = shape_copy(arena, shape);
    if (prepared != NULL && !known) {
        // Of what types its literals are may have changed with the tables, and what the types know.
        bool current;
        TRY(prepared_is_current(task, session, prepared, &current));
        if (!current) {
            prepared_release(prepared);
            prepared = NULL;
        }
    }
    if (prepared == NULL) {
        struct type *types = ARENA_ARRAY(arena, struct type, shape->literal_count + 1);
        for (uint32_t i = 0; i < shape->literal_count; i++)
            types[i] = literal_type(&shape->literals[i]);
        // A shape that does not plan is told as the text itself: with its own positions.
        if (failed(make_entry(task, session, bytes_of(key.data + 16, key.size - 16), key, types,
                shape->literal_count, &prepared))) {
            if (session->txn_state == TXN_IMPLICIT) session_txn_rollback(task, session);
            return STATUS_OK;
        }
    }
    *params = ARENA_ARRAY(arena, struct datum, shape->literal_count + 1);
    for (uint32_t i = 0; i < shape->literal_count; i++) {
        const struct shape_literal *literal = &shape->literals[i];
        st = literal_value(session, arena, literal, prepared->param_types[i], &(*params)[i]);
        if (failed(st)) st = status_position(arena, st, parse_position(text, literal->position));
        TRY(st);
    }
    *out = prepared;
out:
    if (failed(st) && prepared != NULL) prepared_release(prepared);
    return st;
}
