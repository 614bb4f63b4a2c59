// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/catalog.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/env.h"
#include "core/mark.h"
#include "core/shard.h"
#include "kv/key.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog_cache.h"
#include "sql/catalog/catalog_store.h"
#include "sql/catalog/rowid.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/session/session.h"
#include "sql/plan/statistics.h"
#include "sql/type/type_reference.h"

// Beyond this many cached descriptors and names on a shard the longest unused ones go.
#define CACHE_ENTRIES_MAX 8192u

struct catalog_view {
    struct kv_txn *txn;
    struct shard *shard;
    bool changed; // The transaction wrote to the catalog.
    struct hlc_timestamp memo_ts;
    struct hashmap memo; // Key -> entry, of what storage said to this transaction.
    struct entry **pins;
    uint32_t pin_count, pin_capacity;
    struct list_link free_link;
};

struct catalog_shard *catalog_of(struct shard *shard)
{
    struct catalog_shard *catalog = shard->slots[SHARD_SLOT_CATALOG];
    invariant(catalog != NULL);
    return catalog;
}

void catalog_shard_init(struct shard *shard)
{
    struct catalog_shard *catalog = calloc(1, sizeof *catalog);
    invariant(catalog != NULL);
    list_init(&catalog->lru);
    list_init(&catalog->free_views);
    rowid_init(&catalog->rowid, shard);
    shard->slots[SHARD_SLOT_CATALOG] = catalog;
    cluster_rely_anew(shard);
}

struct user_types *catalog_user_types(struct shard *shard)
{
    struct catalog_shard *catalog = shard->slots[SHARD_SLOT_CATALOG];
    return catalog == NULL ? NULL : &catalog->types;
}

struct hashmap *catalog_role_caches(struct shard *shard)
{
    return &catalog_of(shard)->roles;
}

void **catalog_jobs_slot(struct shard *shard)
{
    return &catalog_of(shard)->jobs;
}

// --- entries -------------------------------------------------------------------------------------

static struct entry *entry_create(struct shard *shard, struct bytes key, enum entry_kind kind)
{
    struct arena arena;
    arena_init(&arena, &shard->account);
    struct entry *entry = ARENA_NEW(&arena, struct entry);
    entry->key = arena_copy(&arena, key);
    entry->arena = arena;
    entry->kind = kind;
    entry->shard = shard;
    entry->pins = 1; // The maker's.
    list_init(&entry->lru);
    list_init(&entry->of_tenant);
    return entry;
}

static void entry_unpin(struct entry *entry)
{
    invariant(entry->pins > 0);
    if (--entry->pins > 0) return;
    struct arena arena = entry->arena; // The entry lies in it.
    arena_fini(&arena);
}

static void cache_remove(struct catalog_shard *catalog, struct entry *entry)
{
    invariant(entry->cached);
    entry->cached = false;
    hashmap_remove(&catalog->entries, entry->key);
    list_remove(&entry->lru);
    list_remove(&entry->of_tenant);
    entry_unpin(entry);
}

static void cache_add(
    struct catalog_shard *catalog, struct tenant_catalog *tenant, struct entry *entry)
{
    struct entry *former = hashmap_get(&catalog->entries, entry->key);
    if (former != NULL) cache_remove(catalog, former);
    while (catalog->entries.count >= CACHE_ENTRIES_MAX)
        cache_remove(catalog, container_of(catalog->lru.next, struct entry, lru));
    entry->cached = true;
    entry->pins++;
    hashmap_put(&catalog->entries, entry->key, entry);
    list_append(&catalog->lru, &entry->lru);
    list_append(&tenant->entries, &entry->of_tenant);
}

struct tenant_catalog *catalog_tenant_of(struct shard *shard, uint64_t id)
{
    struct catalog_shard *catalog = catalog_of(shard);
    struct tenant_catalog *tenant = hashmap_get_u64(&catalog->tenants, id);
    if (tenant != NULL) return tenant;
    tenant = calloc(1, sizeof *tenant);
    invariant(tenant != NULL);
    tenant->tenant = id;
    tenant->changed = hlc_now(&shard->hlc);
    list_init(&tenant->entries);
    reliance_init(&tenant->reliance);
    hashmap_put_u64(&catalog->tenants, id, tenant);
    return tenant;
}

void catalog_tenant_forget(struct shard *shard, struct tenant_catalog *tenant)
{
    struct catalog_shard *catalog = catalog_of(shard);
    while (tenant->entries.next != &tenant->entries)
        cache_remove(catalog, container_of(tenant->entries.next, struct entry, of_tenant));
    reliance_shake(&tenant->reliance);
    tenant->changed = hlc_now(&shard->hlc);
}

void catalog_shard_fini(struct shard *shard)
{
    struct catalog_shard *catalog = shard->slots[SHARD_SLOT_CATALOG];
    if (catalog == NULL) return;
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(&catalog->tenants, &cursor)) != NULL) {
        catalog_tenant_forget(shard, each->value);
        free(((struct tenant_catalog *)each->value)->unsettled);
        free(each->value);
    }
    while (catalog->free_views.next != &catalog->free_views) {
        struct catalog_view *view =
            container_of(catalog->free_views.next, struct catalog_view, free_link);
        list_remove(&view->free_link);
        hashmap_fini(&view->memo);
        free(view->pins);
        free(view);
    }
    hashmap_fini(&catalog->entries);
    hashmap_fini(&catalog->tenants);
    role_caches_fini(shard);
    user_types_fini(&catalog->types);
    free(catalog->jobs);
    hashmap_fini(&catalog->roles);
    free(catalog);
    shard->slots[SHARD_SLOT_CATALOG] = NULL;
}

// --- views ---------------------------------------------------------------------------------------

struct status catalog_view_open(struct task *task, struct kv_txn *txn, struct catalog_view **out)
{
    struct catalog_shard *catalog = catalog_of(task->shard);
    struct catalog_view *view;
    if (catalog->free_views.next != &catalog->free_views) {
        view = container_of(catalog->free_views.next, struct catalog_view, free_link);
        list_remove(&view->free_link);
    } else {
        view = calloc(1, sizeof *view);
        if (view == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    view->txn = txn;
    view->shard = task->shard;
    view->changed = false;
    *out = view;
    return STATUS_OK;
}

static void memo_clear(struct catalog_view *view)
{
    if (view->memo.count != 0) hashmap_clear(&view->memo);
}

void catalog_view_close(struct catalog_view *view)
{
    if (view == NULL) return;
    memo_clear(view);
    for (uint32_t i = 0; i < view->pin_count; i++)
        entry_unpin(view->pins[i]);
    view->pin_count = 0;
    view->txn = NULL;
    list_append(&catalog_of(view->shard)->free_views, &view->free_link);
}

void catalog_view_changed(struct catalog_view *view)
{
    view->changed = true;
    memo_clear(view);
}

bool catalog_view_is_changed(const struct catalog_view *view)
{
    return view != NULL && view->changed;
}

void catalog_view_rolled_back(struct catalog_view *view)
{
    if (view != NULL) memo_clear(view);
}

// Takes over the caller's pin; a view holds each entry once.
static struct status view_hold(struct catalog_view *view, struct entry *entry)
{
    for (uint32_t i = view->pin_count; i > 0; i--) {
        if (view->pins[i - 1] == entry) {
            entry_unpin(entry);
            return STATUS_OK;
        }
    }
    if (view->pin_count == view->pin_capacity) {
        uint32_t capacity = view->pin_capacity == 0 ? 16 : view->pin_capacity * 2;
        struct entry **pins = realloc(view->pins, capacity * sizeof(struct entry *));
        if (pins == NULL) {
            entry_unpin(entry);
            return status_make(E_OUT_OF_MEMORY, "out of memory");
        }
        view->pins = pins;
        view->pin_capacity = capacity;
    }
    view->pins[view->pin_count++] = entry;
    return STATUS_OK;
}

// --- looking up ----------------------------------------------------------------------------------

static struct status decode_entry(struct entry *entry, struct bytes value)
{
    struct status st = STATUS_OK;
    switch (entry->kind) {
    case ENTRY_NAME:
        entry->name = (struct name_value){0};
        if (value.data != NULL) st = name_value_decode(value, &entry->name);
        break;
    case ENTRY_TABLE: st = descriptor_decode_table(&entry->arena, value, &entry->table); break;
    case ENTRY_DATABASE:
        st = descriptor_decode_database(&entry->arena, value, &entry->database);
        break;
    case ENTRY_SCHEMA: st = descriptor_decode_schema(&entry->arena, value, &entry->schema); break;
    }
    return st;
}

static struct status load_statistics(
    struct task *task, struct catalog_view *view, uint64_t tenant, struct entry *entry)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    struct bytes value;
    struct table_statistics statistics;
    struct kv_read read = {.no_validate = true};

    if (entry->table.kind != RELATION_TABLE) return STATUS_OK;
    TRY(kv_get(task, view->txn, &read, catalog_statistics_key(task->arena, tenant, entry->table.id),
        task->arena, &value));
    if (value.data == NULL) goto out;
    TRY(statistics_decode(task->arena, value, &statistics));
    statistics_apply(&entry->arena, &statistics, &entry->table);
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

// Whether no change can be under way of which nobody has told this shard. Those that it may have missed are over at some time:
// what was read before is read again then.
static bool has_heard_all(struct shard *shard, struct tenant_catalog *tenant)
{
    const struct hlc_timestamp from = cluster_rely_from(shard);
    if (LIKELY(hlc_less_equal(from, tenant->changed))) return true;
    if (hlc_less(hlc_now(&shard->hlc), from)) return false;
    covered("catalog.missed_are_over");
    catalog_tenant_forget(shard, tenant);
    return true;
}

// A change of whose end nobody has told is let go once it can no longer commit (kv_txn_commit_within).
static bool changes_are_under_way(struct shard *shard, struct tenant_catalog *tenant)
{
    const struct hlc_timestamp now = hlc_now(&shard->hlc);
    for (uint32_t i = 0; i < tenant->unsettled_count;) {
        if (hlc_less_equal(now, tenant->unsettled[i].until)) return true;
        covered("catalog.change_let_go");
        tenant->unsettled[i] = tenant->unsettled[--tenant->unsettled_count];
        catalog_tenant_forget(shard, tenant);
    }
    return false;
}

// Whether nothing cached may be used or added: a change is about to commit, or announcements may have been missed.
static bool is_unsettled(struct shard *shard, struct tenant_catalog *tenant)
{
    if (cluster_epoch(shard) == 0 || tenant->unannounced) return true;
    if (UNLIKELY(tenant->unsettled_count > 0 && changes_are_under_way(shard, tenant))) return true;
    (void)has_heard_all(shard, tenant);
    return false;
}

// The transaction's version of a key, from storage. *out NULL when there is no such descriptor.
static struct status load(struct task *task, struct catalog_view *view, uint64_t tenant_id,
    struct bytes key, enum entry_kind kind, struct entry **out)
{
    struct status st = STATUS_OK;
    struct catalog_shard *catalog = catalog_of(task->shard);
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, tenant_id);
    uint64_t epoch = tenant->reliance.generation;
    struct hlc_timestamp snapshot = kv_txn_read_ts(view->txn);
    struct arena_mark mark = arena_mark(task->arena);
    struct entry *entry = NULL;
    struct bytes value;

    *out = NULL;
    TRY(kv_get(task, view->txn, NULL, key, task->arena, &value));
    if (value.data == NULL && kind != ENTRY_NAME) goto out;
    entry = entry_create(task->shard, key, kind);
    TRY(decode_entry(entry, value));
    if (kind == ENTRY_TABLE) TRY(load_statistics(task, view, tenant_id, entry));
    entry->valid_from = snapshot;
    if (kind == ENTRY_TABLE) entry->table.modified = snapshot;

    // Present and future, or only this transaction's? Whoever changed the tenant's catalog since our snapshot
    // has told us of it by now, or will before it commits.
    tenant = catalog_tenant_of(task->shard, tenant_id);
    bool is_present = !view->changed && !is_unsettled(task->shard, tenant) && tenant->reliance.generation == epoch &&
                      hlc_less_equal(tenant->changed, snapshot) &&
                      hlc_equal(snapshot, kv_txn_read_ts(view->txn));
    if (is_present)
        cache_add(catalog, tenant, entry);
    else
        hashmap_put(&view->memo, entry->key, entry);
    *out = entry;
    struct entry *held = entry;
    entry = NULL;
    TRY(view_hold(view, held));
out:
    if (entry != NULL) entry_unpin(entry);
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

// What is cached and in force at the view's snapshot; NULL: storage must be asked.
static struct entry *cached(
    struct catalog_view *view, struct shard *shard, uint64_t tenant_id, struct bytes key)
{
    struct catalog_shard *catalog = catalog_of(shard);
    struct hlc_timestamp snapshot = kv_txn_read_ts(view->txn);
    if (!hlc_equal(view->memo_ts, snapshot)) {
        memo_clear(view);
        view->memo_ts = snapshot;
    }
    struct entry *entry = view->memo.count == 0 ? NULL : hashmap_get(&view->memo, key);
    if (entry != NULL || view->changed) return entry;

    struct tenant_catalog *tenant = catalog_tenant_of(shard, tenant_id);
    if (is_unsettled(shard, tenant)) return NULL;
    entry = hashmap_get(&catalog->entries, key);
    if (entry == NULL || hlc_less(snapshot, entry->valid_from)) return NULL;
    list_remove(&entry->lru);
    list_append(&catalog->lru, &entry->lru);
    return entry;
}

static struct status look_up(struct task *task, struct session *session, struct bytes key,
    enum entry_kind kind, struct entry **out)
{
    struct catalog_view *view = session->catalog;
    invariant(view != NULL && view->txn != NULL);
    struct entry *entry = cached(view, task->shard, session->tenant, key);
    if (entry == NULL) return load(task, view, session->tenant, key, kind, out);
    if (entry->kind != kind) return status_make(E_DATA_CORRUPTED, "catalog key of another kind");
    *out = entry;
    entry->pins++;
    return view_hold(view, entry);
}

static struct status look_up_name(struct task *task, struct session *session, uint32_t database_id,
    uint32_t schema_id, const char *name, struct name_value *value)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    struct entry *entry;

    TRY(look_up(task, session,
        catalog_name_key(task->arena, session->tenant, database_id, schema_id, name), ENTRY_NAME,
        &entry));
    *value = entry->name;
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status look_up_id(struct task *task, struct session *session, uint32_t id,
    enum entry_kind kind, struct entry **entry)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct status st = look_up(
        task, session, catalog_descriptor_key(task->arena, session->tenant, id), kind, entry);
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status dangling(void)
{
    return status_make(E_DATA_CORRUPTED, "a name in the catalog leads to no descriptor");
}

// --- databases and schemas -----------------------------------------------------------------------

struct status catalog_database(struct task *task, struct session *session, const char *name,
    bool missing_ok, const struct database_desc **database)
{
    struct status st = STATUS_OK;
    struct name_value value;
    struct entry *entry;

    *database = NULL;
    if (name == NULL) name = session->database;
    TRY(look_up_name(task, session, 0, 0, name, &value));
    if (value.id == 0) {
        if (!missing_ok)
            st = status_format(
                task->arena, E_INVALID_CATALOG_NAME, "database \"%s\" does not exist", name);
        goto out;
    }
    TRY(look_up_id(task, session, value.id, ENTRY_DATABASE, &entry));
    if (entry == NULL) return dangling();
    *database = &entry->database;
out:
    return st;
}

struct status catalog_schema(struct task *task, struct session *session, const char *database_name,
    const char *name, bool missing_ok, const struct schema_desc **schema)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    struct name_value value;
    struct entry *entry;

    *schema = catalog_virtual_schema(name);
    if (*schema != NULL) return STATUS_OK;
    const char *meant = session->temp_name != NULL && strcmp(name, "pg_temp") == 0 ? session->temp_name : name;
    TRY(catalog_database(task, session, database_name, missing_ok, &database));
    if (database == NULL) goto out;
    TRY(look_up_name(task, session, database->id, 0, meant, &value));
    if (value.id == 0) {
        if (!missing_ok)
            st = status_format(
                task->arena, E_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
        goto out;
    }
    TRY(look_up_id(task, session, value.id, ENTRY_SCHEMA, &entry));
    if (entry == NULL) return dangling();
    *schema = &entry->schema;
out:
    return st;
}

// --- relations -----------------------------------------------------------------------------------

// Who has written the name, and so needs USAGE of the schema that it says.
enum written_by { WRITTEN_BY_USER, WRITTEN_BY_PATH, WRITTEN_BEFORE };

static struct status check_usage(
    struct task *task, struct session *session, const struct schema_desc *schema)
{
    if (session->internal || session->superuser || session->path.kept || schema->database_id == 0) return STATUS_OK;
    if (session->temp_name != NULL && strcmp(schema->name, session->temp_name) == 0) return STATUS_OK;
    if (schema->temp_node != 0) // Another session's, were it the same role's.
        return status_format(
            task->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", schema->name);
    return privilege_check_schema(task, session, schema, PRIVILEGE_USAGE);
}

struct status catalog_check_usage(
    struct task *task, struct session *session, const char *database, const char *name)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    if (name == NULL || session->internal || session->superuser) return st;
    TRY(catalog_schema(task, session, database, name, true, &schema));
    if (schema != NULL) st = check_usage(task, session, schema);
out:
    return st;
}

// What a name of relations means in one schema. value->id 0: nothing there.
static struct status find_in_schema(struct task *task, struct session *session,
    const char *database, const char *schema_name, const char *name, enum written_by by,
    struct name_value *value, const struct table_desc **virtual_table)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;

    *value = (struct name_value){0};
    *virtual_table = catalog_virtual_table(schema_name, name);
    if (*virtual_table != NULL || catalog_virtual_schema(schema_name) != NULL) goto out;
    TRY(catalog_schema(task, session, database, schema_name, true, &schema));
    if (schema == NULL) goto out;
    if (by == WRITTEN_BY_USER) TRY(check_usage(task, session, schema));
    TRY(look_up_name(task, session, schema->database_id, schema->id, name, value));
out:
    return st;
}

static struct status find_relation(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, enum written_by by, struct name_value *value,
    const struct table_desc **virtual_table)
{
    struct status st = STATUS_OK;
    *value = (struct name_value){0};
    *virtual_table = NULL;
    if (schema == NULL) {
        *virtual_table = catalog_virtual_table("pg_catalog", name);
        if (*virtual_table != NULL) goto out;
        for (uint32_t i = 0; session->search_path != NULL && session->search_path[i] != NULL; i++) {
            TRY(find_in_schema(
                task, session, database, session->search_path[i], name, WRITTEN_BY_PATH, value,
                virtual_table));
            if (value->id != 0 || *virtual_table != NULL) goto out;
        }
        goto out;
    }
    TRY(find_in_schema(task, session, database, schema, name, by, value, virtual_table));
    if (value->id != 0 || *virtual_table != NULL || database != NULL) goto out;
    // db.t, as in system.users: the schema is public when the first part names a database, no schema.
    const struct schema_desc *exists;
    const struct database_desc *other;
    TRY(catalog_schema(task, session, NULL, schema, true, &exists));
    if (exists != NULL) goto out;
    TRY(catalog_database(task, session, schema, true, &other));
    if (other != NULL)
        TRY(find_in_schema(task, session, schema, "public", name, by, value, virtual_table));
out:
    return st;
}

static struct status no_such_relation(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name)
{
    if (schema == NULL)
        return status_format(
            task->arena, E_UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    const struct database_desc *found_database = NULL;
    if (database != NULL) {
        struct status st = catalog_database(task, session, database, false, &found_database);
        if (failed(st)) return st;
        return status_format(task->arena, E_UNDEFINED_TABLE, "relation \"%s.%s.%s\" does not exist",
            database, schema, name);
    }
    return status_format(
        task->arena, E_UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", schema, name);
}

static struct status find_table(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, enum written_by by, bool missing_ok, const struct table_desc **table)
{
    struct status st = STATUS_OK;
    struct name_value value;
    struct entry *entry;

    TRY(find_relation(task, session, database, schema, name, by, &value, table));
    if (*table != NULL) goto out;
    bool is_type = false;
    if (value.id != 0 && value.kind == NAME_RELATION) {
        TRY(look_up_id(task, session, value.id, ENTRY_TABLE, &entry));
        if (entry == NULL) return dangling();
        is_type = relation_is_type(entry->table.kind);
        if (!is_type) {
            *table = &entry->table;
            goto out;
        }
    }
    if (value.id != 0 && !missing_ok && !is_type)
        st = status_format(task->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is an index", name);
    else if (!missing_ok)
        st = no_such_relation(task, session, database, schema, name);
out:
    return st;
}

struct status catalog_table(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, bool missing_ok, const struct table_desc **table)
{
    return find_table(task, session, database, schema, name, WRITTEN_BY_USER, missing_ok, table);
}

struct status catalog_kept_table(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, bool missing_ok, const struct table_desc **table)
{
    return find_table(task, session, database, schema, name, WRITTEN_BEFORE, missing_ok, table);
}

struct status catalog_other_relation(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name, enum other_relation *other)
{
    struct status st = STATUS_OK;
    struct name_value value;
    const struct table_desc *virtual_table;
    struct entry *entry;

    *other = OTHER_NOTHING;
    TRY(find_relation(task, session, database, schema, name, WRITTEN_BY_USER, &value, &virtual_table));
    if (value.id == 0) goto out;
    if (value.kind == NAME_INDEX) *other = OTHER_INDEX;
    if (value.kind != NAME_RELATION) goto out;
    TRY(look_up_id(task, session, value.id, ENTRY_TABLE, &entry));
    if (entry == NULL) return dangling();
    if (entry->table.kind == RELATION_COMPOSITE) *other = OTHER_COMPOSITE;
out:
    return st;
}

struct status catalog_type(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, const struct table_desc **type)
{
    struct status st = STATUS_OK;
    struct name_value value;
    struct entry *entry;
    const struct table_desc *virtual_table;

    *type = NULL;
    if (type_is_reference(schema, &value.id)) {
        TRY(look_up_id(task, session, value.id, ENTRY_TABLE, &entry));
        if (entry == NULL) goto out;
    } else {
        TRY(find_relation(task, session, database, schema, name, WRITTEN_BY_USER, &value, &virtual_table));
        if (value.id == 0 || value.kind != NAME_RELATION) goto out;
        TRY(look_up_id(task, session, value.id, ENTRY_TABLE, &entry));
        if (entry == NULL) return dangling();
    }
    if (relation_is_type(entry->table.kind)) *type = &entry->table;
out:
    return st;
}

struct status catalog_table_by_id(
    struct task *task, struct session *session, uint32_t id, const struct table_desc **table)
{
    struct status st = STATUS_OK;
    struct entry *entry;

    *table = catalog_virtual_table_by_id(id);
    if (*table != NULL) goto out;
    TRY(look_up_id(task, session, id, ENTRY_TABLE, &entry));
    if (entry == NULL)
        st = status_format(
            task->arena, E_UNDEFINED_TABLE, "relation with OID %u does not exist", id);
    else
        *table = &entry->table;
out:
    return st;
}

struct status catalog_database_by_id(
    struct task *task, struct session *session, uint32_t id, const struct database_desc **database)
{
    struct entry *entry;
    struct status st = look_up_id(task, session, id, ENTRY_DATABASE, &entry);
    if (failed(st)) return st;
    if (entry == NULL)
        return status_format(
            task->arena, E_INVALID_CATALOG_NAME, "database with OID %u does not exist", id);
    *database = &entry->database;
    return STATUS_OK;
}

struct status catalog_schema_by_id(
    struct task *task, struct session *session, uint32_t id, const struct schema_desc **schema)
{
    for (uint32_t i = 0; (*schema = catalog_virtual_schema_at(i)) != NULL; i++) {
        if ((*schema)->id == id) return STATUS_OK;
    }
    struct entry *entry;
    struct status st = look_up_id(task, session, id, ENTRY_SCHEMA, &entry);
    if (failed(st)) return st;
    if (entry == NULL)
        return status_format(
            task->arena, E_INVALID_SCHEMA_NAME, "schema with OID %u does not exist", id);
    *schema = &entry->schema;
    return STATUS_OK;
}

struct status catalog_status_names(struct task *task, struct session *session, struct arena *arena,
    struct status st, const struct table_desc *table, const char *column, const char *constraint)
{
    const struct schema_desc *schema;
    struct status found = catalog_schema_by_id(task, session, table->schema_id, &schema);
    return status_names(
        arena, st, failed(found) ? NULL : schema->name, table->name, column, constraint);
}

struct status catalog_index(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, bool missing_ok, const struct table_desc **table,
    const struct index_desc **index)
{
    struct status st = STATUS_OK;
    struct name_value value;
    const struct table_desc *virtual_table;

    *table = NULL;
    *index = NULL;
    TRY(find_relation(task, session, database, schema, name, WRITTEN_BY_USER, &value, &virtual_table));
    if (value.id != 0 && value.kind == NAME_INDEX) {
        TRY(catalog_table_by_id(task, session, value.id, table));
        *index = table_index_by_id(*table, value.index_id);
        if (*index == NULL) return dangling();
        goto out;
    }
    if (value.id != 0 || virtual_table != NULL)
        st = status_format(task->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is not an index", name);
    else if (!missing_ok)
        st = status_format(task->arena, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", name);
out:
    return st;
}

uint64_t catalog_epoch(const struct session *session)
{
    struct tenant_catalog *tenant = catalog_tenant_of(session->shard, session->tenant);
    const struct catalog_view *view = session->catalog;
    if (is_unsettled(session->shard, tenant)) return 0;
    if (view != NULL && view->txn != NULL &&
        (view->changed || hlc_less(kv_txn_read_ts(view->txn), tenant->changed)))
        return 0;
    return tenant->reliance.generation + 1;
}

struct status catalog_table_current(
    struct task *task, struct session *session, uint32_t id, uint32_t version, bool *current)
{
    *current = true;
    if (id >= CATALOG_VIRTUAL_ID_FIRST) return STATUS_OK;
    uint8_t room[32];
    struct buffer key = {.arena = task->arena, .data = room, .capacity = sizeof room};
    catalog_append_index_prefix(&key, session->tenant, CATALOG_DESCRIPTORS, 1);
    key_append_uvarint(&key, id);
    struct entry *entry =
        cached(session->catalog, task->shard, session->tenant, buffer_bytes(&key));
    if (entry == NULL) {
        struct status st =
            load(task, session->catalog, session->tenant, buffer_bytes(&key), ENTRY_TABLE, &entry);
        if (failed(st)) return st;
    }
    *current = entry != NULL && entry->table.version == version;
    return STATUS_OK;
}

// Whether what is read of the catalog now, at the transaction's snapshot, stays in force until this shard is told.
static bool may_rely(struct session *session)
{
    struct shard *shard = session->shard;
    struct tenant_catalog *tenant = catalog_tenant_of(shard, session->tenant);
    const struct catalog_view *view = session->catalog;
    if (is_unsettled(shard, tenant) || view == NULL || view->changed) return false;
    if (UNLIKELY(!has_heard_all(shard, tenant))) return false;
    // A snapshot that was moved ahead of this shard's clock may be later than changes that are told next.
    const struct hlc_timestamp snapshot = kv_txn_read_ts(session->txn);
    return hlc_less_equal(tenant->changed, snapshot) &&
           (hlc_less_equal(snapshot, shard->hlc.last) || hlc_less_equal(snapshot, hlc_now(&shard->hlc)));
}

void catalog_depend_read(struct session *session, const struct table_desc *table)
{
    if (table->kind == RELATION_VIRTUAL) return;
    uint8_t room[32];
    struct buffer key = {.arena = &session->statement_arena, .data = room, .capacity = sizeof room};
    catalog_append_index_prefix(&key, session->tenant, CATALOG_DESCRIPTORS, 1);
    key_append_uvarint(&key, table->id);
    if (LIKELY(may_rely(session))) {
        struct tenant_catalog *tenant = catalog_tenant_of(session->shard, session->tenant);
        kv_txn_rely(session->txn, &tenant->reliance, buffer_bytes(&key));
    } else {
        kv_txn_depend(session->txn, buffer_bytes(&key));
    }
}

struct status catalog_depend(struct session *session, const struct table_desc *table)
{
    if (table->writes_blocked)
        return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "restart transaction: the table is being rewritten by a schema change");
    catalog_depend_read(session, table);
    return STATUS_OK;
}

// Virtual tables live for ever; all others lie in an entry.
void catalog_pin(const struct table_desc *table)
{
    if (table->kind == RELATION_VIRTUAL) return;
    container_of((uintptr_t)table, struct entry, table)->pins++;
}

void catalog_unpin(const struct table_desc *table)
{
    if (table->kind == RELATION_VIRTUAL) return;
    entry_unpin(container_of((uintptr_t)table, struct entry, table));
}

const struct column_desc *table_column(const struct table_desc *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) return &table->columns[i];
    }
    return NULL;
}

const struct column_desc *table_column_by_id(const struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].id == id) return &table->columns[i];
    }
    return NULL;
}

const struct index_desc *table_index_by_id(const struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].id == id) return &table->indexes[i];
    }
    return NULL;
}

// --- counters --------------------------------------------------------------------------------------------

struct status catalog_next_number(
    struct task *task, uint64_t tenant_id, enum catalog_counter counter, int64_t *value)
{
    static const struct {
        int64_t first;
        uint32_t block;
    } counters[CATALOG_COUNTER_COUNT] = {{CATALOG_FIRST_ID, 8}, {1, 64}};
    struct status st = STATUS_OK;
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, tenant_id);
    struct arena_mark mark = arena_mark(task->arena);
    struct buffer key;
    int64_t last;

    if (tenant->counters[counter].left == 0) {
        uint32_t block = counters[counter].block;
        uint64_t epoch = tenant->reliance.generation;
        buffer_init(&key, task->arena);
        catalog_append_index_prefix(&key, tenant_id, CATALOG_ID_COUNTER, counter + 1u);
        TRY(kv_increment(task, tenant_id, buffer_bytes(&key), counters[counter].first + block - 1,
            block, &last));
        tenant = catalog_tenant_of(task->shard, tenant_id);
        if (tenant->reliance.generation != epoch) {
            // The catalog changed hands, maybe: keep what was asked for and no more.
            *value = last;
            goto out;
        }
        tenant->counters[counter].next = last - block + 1;
        tenant->counters[counter].left = block;
    }
    *value = tenant->counters[counter].next++;
    tenant->counters[counter].left--;
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}
