// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/cluster.h"
#include "kv/protected.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "kv/leader_raw.h"
#include "kv/leader_wire.h"
#include "kv/maintenance.h"
#include "kv/range.h"
#include "kv/txn.h"

#define LOAD_RETRY_NS UINT64_C(500000000)

#define RECORD_FORMAT 1
#define RECORD_HEAD_BYTES (1 + 8 + HLC_ENCODED_BYTES)
#define ID_BYTES 16u
#define ATTEMPTS_MAX 50u

static const uint8_t record_prefix[] = {0x01, 'p'};

struct known {
    uint8_t id[ID_BYTES];
    uint64_t tenant;
    struct hlc_timestamp ts;
};

// What a zone says of itself.
struct limits {
    uint64_t tenant;
    uint32_t set; // enum zone_field
    uint64_t ttl_ns, range_bytes_max;
    uint64_t hash; // Of the whole zone.
};

// A shard's table.
struct protections {
    bool loaded; // Until then nothing is collected.
    struct known *known;
    uint32_t count, capacity;
    struct hashmap limits; // tenant -> struct limits *, of zones
    bool changing;       // On shard 0, as what follows.
    bool loading, stopping;
    struct task *loader;
    struct wait_queue changes;
};

// NULL while storage does not run.
static struct protections *protections_of(struct shard *shard)
{
    struct kv_shard *kv = kv_shard_of(shard);
    return kv == NULL ? NULL : kv->module_state[KV_SLOT_PROTECTED];
}

// The zone that says it: the slice's, the tenant's own, or the one above it.
static const struct limits *limits_find(
    const struct protections *table, uint64_t slice, uint64_t tenant, enum zone_field field)
{
    const struct limits *there = hashmap_get_u64(&table->limits, ZONE_OF_SLICE + slice);
    if (there != NULL && (there->set & field)) return there;
    const struct limits *own = hashmap_get_u64(&table->limits, tenant);
    if (own != NULL && (own->set & field)) return own;
    const struct limits *root = hashmap_get_u64(&table->limits, ZONE_ROOT);
    return root != NULL && (root->set & field) ? root : NULL;
}

uint64_t protected_slice_zone(struct shard *shard, uint64_t slice)
{
    const struct protections *table = protections_of(shard);
    const struct limits *limits =
        table == NULL ? NULL : hashmap_get_u64(&table->limits, ZONE_OF_SLICE + slice);
    return limits == NULL || limits->set == 0 ? 0 : limits->hash;
}

uint64_t protected_range_bytes_max(struct shard *shard, uint64_t slice, uint64_t tenant)
{
    const struct protections *table = protections_of(shard);
    const struct limits *limits =
        table == NULL ? NULL : limits_find(table, slice, tenant, ZONE_RANGE_BYTES_MAX);
    return limits == NULL ? 0 : limits->range_bytes_max;
}

struct hlc_timestamp protected_gc_limit(struct slice *slice, uint64_t tenant)
{
    const struct protections *table = protections_of(slice->shard);
    if (table == NULL || !table->loaded) return HLC_ZERO;
    const struct limits *limits = limits_find(table, slice->id, tenant, ZONE_TTL);
    uint64_t ttl_ns = limits == NULL ? GC_TTL_NS_DEFAULT : limits->ttl_ns;
    struct hlc_timestamp limit = hlc_now(&slice->shard->hlc);
    limit.wall_ns = limit.wall_ns > ttl_ns ? limit.wall_ns - ttl_ns : 0;
    limit.logical = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->known[i].tenant == tenant) limit = hlc_min(limit, table->known[i].ts);
    }
    return limit;
}

// --- the tables ----------------------------------------------------------------------------------

static struct known *known_find(const struct protections *table, const uint8_t id[ID_BYTES])
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (memcmp(table->known[i].id, id, ID_BYTES) == 0) return &table->known[i];
    }
    return NULL;
}

static struct status known_put(struct protections *table, const struct known *known)
{
    struct known *found = known_find(table, known->id);
    if (found != NULL) {
        *found = *known;
        return STATUS_OK;
    }
    if (table->count == PROTECTIONS_MAX) {
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many protected timestamps");
    }
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
        void *grown = realloc(table->known, capacity * sizeof *known);
        if (grown == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        table->known = grown;
        table->capacity = capacity;
    }
    table->known[table->count++] = *known;
    return STATUS_OK;
}

static struct status table_put(struct task *task, void *arg)
{
    return known_put(protections_of(task->shard), arg);
}

static void known_remove(struct protections *table, const uint8_t id[ID_BYTES])
{
    struct known *known = known_find(table, id);
    if (known != NULL) *known = table->known[--table->count];
}

static uint64_t ttl_of(const struct protections *table, const struct limits *limits)
{
    if (limits->set & ZONE_TTL) return limits->ttl_ns;
    const struct limits *root = hashmap_get_u64(&table->limits, ZONE_ROOT);
    const bool said = limits->tenant != ZONE_ROOT && root != NULL && (root->set & ZONE_TTL);
    return said ? root->ttl_ns : GC_TTL_NS_DEFAULT;
}

static struct status table_limits_set(struct task *task, void *arg)
{
    const struct limits *set = arg;
    struct protections *table = protections_of(task->shard);
    struct limits *limits = hashmap_get_u64(&table->limits, set->tenant);
    if (limits == NULL) {
        limits = malloc(sizeof *limits);
        if (limits == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        *limits = (struct limits){.tenant = set->tenant};
        hashmap_put_u64(&table->limits, set->tenant, limits);
    }
    const uint64_t former = ttl_of(table, limits), now = ttl_of(table, set);
    *limits = *set;
    // Whatever slices hold the tenant's, and what inherits from it.
    if (table->loaded && now < former) maintenance_gc_wake(kv_shard_of(task->shard), now);
    return STATUS_OK;
}

static struct status table_limits_clear(struct task *task, void *arg)
{
    struct protections *table = protections_of(task->shard);
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    (void)arg;
    while ((entry = hashmap_next(&table->limits, &cursor)) != NULL)
        ((struct limits *)entry->value)->set = 0;
    return STATUS_OK;
}

static struct limits limits_of(uint64_t tenant, const struct zone *zone)
{
    return (struct limits){.tenant = tenant, .set = zone->set, .ttl_ns = zone->ttl_ns,
        .range_bytes_max = zone->range_bytes_max, .hash = zone_hash(zone)};
}

// --- telling all tables --------------------------------------------------------------------------

#define ANNOUNCE_PROTECTED 40u

enum news_kind { NEWS_PUT, NEWS_REMOVE, NEWS_LIMITS, NEWS_KIND_END };

static void reload(struct shard *shard);

// Must not fail for long: whoever tells it waits for all.
static struct status news_heard(struct task *task, struct bytes body)
{
    struct protections *table = protections_of(task->shard);
    if (table == NULL) return STATUS_OK; // Storage reads the records when it starts.
    struct wire_in in = {.rest = body, .arena = task->arena};
    enum news_kind kind = (enum news_kind)wire_take_enum(&in, NEWS_KIND_END - 1);
    uint64_t tenant = wire_take_u64(&in);
    if (kind == NEWS_LIMITS) {
        struct limits limits = {.tenant = tenant, .set = wire_take_u32(&in)};
        limits.ttl_ns = wire_take_u64(&in);
        limits.range_bytes_max = wire_take_u64(&in);
        limits.hash = wire_take_u64(&in);
        return in.bad ? STATUS_OK : table_limits_set(task, &limits);
    }
    struct known known = {.tenant = tenant, .ts = wire_take_ts(&in)};
    struct bytes id = wire_take_bytes(&in);
    if (in.bad || id.size != ID_BYTES) return STATUS_OK;
    memcpy(known.id, id.data, ID_BYTES);
    if (kind == NEWS_PUT) return known_put(table, &known);
    known_remove(table, known.id);
    return STATUS_OK;
}

// Some news may have been missed.
static void news_reset(struct shard *shard)
{
    struct kv_shard *kv = kv_shard_of(shard);
    struct protections *table = kv == NULL ? NULL : protections_of(shard);
    if (table == NULL) return;
    table->loaded = false;
    if (shard->index == 0) reload(shard);
}

static const struct cluster_announcement announcement = {
    .id = ANNOUNCE_PROTECTED,
    .name = "a protected timestamp",
    .heard = news_heard,
    .reset = news_reset,
};

static struct status tell_known(
    struct task *task, enum news_kind kind, const struct known *known)
{
    struct buffer body;
    buffer_init(&body, task->arena);
    wire_put_u64(&body, kind);
    wire_put_u64(&body, known->tenant);
    wire_put_ts(&body, known->ts);
    wire_put_bytes(&body, bytes_of(known->id, ID_BYTES));
    return cluster_announce(task, ANNOUNCE_PROTECTED, buffer_bytes(&body));
}

struct status protected_limits_tell(struct task *task, uint64_t tenant, const struct zone *zone)
{
    struct buffer body;
    struct limits limits = limits_of(tenant, zone);
    buffer_init(&body, task->arena);
    wire_put_u64(&body, NEWS_LIMITS);
    wire_put_u64(&body, tenant);
    wire_put_u64(&body, limits.set);
    wire_put_u64(&body, limits.ttl_ns);
    wire_put_u64(&body, limits.range_bytes_max);
    wire_put_u64(&body, limits.hash);
    return cluster_announce(task, ANNOUNCE_PROTECTED, buffer_bytes(&body));
}

// In all tables first, then the question whether collection has passed it: from here on it cannot.
static struct status tell_in_time(struct task *task, const struct known *known)
{
    struct status st = tell_known(task, NEWS_PUT, known);
    if (failed(st)) return st;
    struct leader_job job = {
        .call.tenant = known->tenant, .what = LEADER_JOB_THRESHOLD, .ts = known->ts};
    return leader_job_all(task, &job);
}

// --- records -------------------------------------------------------------------------------------

static struct bytes record_key(struct arena *arena, const uint8_t id[ID_BYTES])
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append(&key, record_prefix, sizeof record_prefix);
    buffer_append(&key, id, ID_BYTES);
    return buffer_bytes(&key);
}

static struct bytes record_encode(struct arena *arena, const struct kv_protection *protection)
{
    struct buffer value;
    buffer_init(&value, arena);
    buffer_append_u8(&value, RECORD_FORMAT);
    for (uint32_t i = 0; i < 8; i++) {
        buffer_append_u8(&value, (uint8_t)(protection->tenant >> (8 * i)));
    }
    hlc_encode(protection->ts, buffer_reserve(&value, HLC_ENCODED_BYTES));
    value.size += HLC_ENCODED_BYTES;
    buffer_append_bytes(&value, protection->meta);
    return buffer_bytes(&value);
}

static struct status record_decode(
    struct bytes key, struct bytes value, struct kv_protection *protection)
{
    if (key.size != sizeof record_prefix + ID_BYTES || value.size < RECORD_HEAD_BYTES ||
        value.data[0] != RECORD_FORMAT) {
        return status_make(E_DATA_CORRUPTED, "protected timestamp record is damaged");
    }
    memcpy(protection->id, key.data + sizeof record_prefix, ID_BYTES);
    protection->tenant = 0;
    for (uint32_t i = 0; i < 8; i++) {
        protection->tenant |= (uint64_t)value.data[1 + i] << (8 * i);
    }
    protection->ts = hlc_decode(value.data + 9);
    protection->meta = bytes_skip(value, RECORD_HEAD_BYTES);
    return STATUS_OK;
}

// Puts (or with value.data NULL erases) one record.
static struct status record_write(struct task *task, struct bytes key, struct bytes value)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {0};
        struct kv_txn *txn;
        st = kv_txn_begin(task, &options, &txn);
        if (failed(st)) return st;
        st = value.data == NULL ? kv_delete(task, txn, key) : kv_put(task, txn, key, value);
        if (failed(st)) {
            kv_txn_rollback(task, txn);
            return st;
        }
        st = kv_txn_commit(task, txn, NULL);
        if (!status_is(st, E_SERIALIZATION_FAILURE)) return st;
    }
    return st;
}

static struct status records_read(struct task *task, struct arena *arena,
    struct kv_protection **protections, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t capacity = 0;
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    *protections = NULL;
    *count = 0;
    st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    struct bytes prefix = bytes_of(record_prefix, sizeof record_prefix);
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, (struct span){prefix, key_prefix_end(arena, prefix)});
    do {
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            if (*count == capacity) {
                uint32_t grown = capacity == 0 ? 16 : capacity * 2;
                *protections = arena_grow(arena, *protections,
                    capacity * sizeof **protections, grown * sizeof **protections);
                capacity = grown;
            }
            TRY(record_decode(
                batch.pairs[i].key, batch.pairs[i].value, &(*protections)[(*count)++]));
        }
    } while (batch.count > 0);
out:
    kv_txn_rollback(task, txn);
    return st;
}

// --- changes, on shard 0 -------------------------------------------------------------------------

struct change {
    struct status (*run)(struct task *task, struct change *change, struct arena *arena);
    struct kv_protection protection;
};

static struct status change_on_first(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct change *change = arg;
    struct protections *table = protections_of(task->shard);
    struct arena arena;
    arena_init(&arena, NULL);
    while (table->changing) TRY(task_wait(task, &table->changes));
    table->changing = true;
    st = change->run(task, change, &arena);
    table->changing = false;
    wait_queue_wake_one(&table->changes, STATUS_OK);
out:
    arena_fini(&arena);
    return st;
}

static struct status change_run(struct task *task, struct change *change)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    return shard_call(task, 0, change_on_first, change);
}

static struct known known_of(const struct kv_protection *protection)
{
    struct known known = {.tenant = protection->tenant, .ts = protection->ts};
    memcpy(known.id, protection->id, ID_BYTES);
    return known;
}

static struct status protect_run(struct task *task, struct change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct known known = known_of(&change->protection);
    const struct known *present = known_find(protections_of(task->shard), known.id);
    struct known former = present == NULL ? (struct known){0} : *present;
    const bool existed = present != NULL;
    st = tell_in_time(task, &known);
    if (!failed(st)) {
        st = record_write(task, record_key(arena, known.id),
            record_encode(arena, &change->protection));
    }
    // An ambiguous write may be there after the next start: protect until then.
    if (!failed(st) || status_is(st, E_AMBIGUOUS_RESULT)) return st;
    struct status undo = existed ? tell_known(task, NEWS_PUT, &former)
                                 : tell_known(task, NEWS_REMOVE, &known);
    (void)undo; // At worst it protects too much until the next start.
    return st;
}

struct status kv_protect(struct task *task, const struct kv_protection *protection)
{
    struct change change = {.run = protect_run, .protection = *protection};
    return change_run(task, &change);
}

static struct status move_run(struct task *task, struct change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct kv_protection *records;
    uint32_t count;
    TRY(records_read(task, arena, &records, &count));
    struct kv_protection *record = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(records[i].id, change->protection.id, ID_BYTES) == 0) record = &records[i];
    }
    if (record == NULL) return status_make(E_UNDEFINED_OBJECT, "no such protected timestamp");
    bool back = hlc_less(change->protection.ts, record->ts);
    record->ts = change->protection.ts;
    change->protection = *record;
    if (back) return protect_run(task, change, arena);
    struct known known = known_of(record);
    TRY(record_write(task, record_key(arena, known.id), record_encode(arena, record)));
    TRY(tell_known(task, NEWS_PUT, &known));
out:
    return st;
}

struct status kv_protect_move(
    struct task *task, const uint8_t id[16], struct hlc_timestamp ts)
{
    struct change change = {.run = move_run, .protection.ts = ts};
    memcpy(change.protection.id, id, ID_BYTES);
    return change_run(task, &change);
}

static struct status unprotect_run(struct task *task, struct change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    TRY(record_write(task, record_key(arena, change->protection.id), (struct bytes){0}));
    const struct known known = known_of(&change->protection);
    TRY(tell_known(task, NEWS_REMOVE, &known));
out:
    return st;
}

struct status kv_unprotect(struct task *task, const uint8_t id[16])
{
    struct change change = {.run = unprotect_run};
    memcpy(change.protection.id, id, ID_BYTES);
    return change_run(task, &change);
}

struct status kv_protections(struct task *task, struct arena *arena,
    struct kv_protection **protections, uint32_t *count)
{
    return records_read(task, arena, protections, count);
}

// --- limits of zones -----------------------------------------------------------------------------

struct status kv_gc_ttl_set(struct task *task, uint64_t tenant, uint64_t ttl_ns)
{
    struct zone zone;
    struct status st = zone_get(task, tenant, &zone);
    if (failed(st)) return st;
    zone.set |= ZONE_TTL;
    zone.ttl_ns = ttl_ns;
    return zone_set(task, tenant, &zone);
}

static struct status limits_load(struct task *task)
{
    struct status st;
    struct zone_record *records;
    uint32_t count;
    struct arena arena;
    arena_init(&arena, NULL);
    TRY(shard_call_all(task, table_limits_clear, NULL));
    TRY(zone_list(task, &arena, &records, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct limits limits = limits_of(records[i].tenant, &records[i].zone);
        TRY(shard_call_all(task, table_limits_set, &limits));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- the module ----------------------------------------------------------------------------------

static struct status protected_shard_init(struct task *task, struct kv_shard *kv)
{
    (void)task;
    struct protections *table = calloc(1, sizeof *table);
    if (table == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    hashmap_init(&table->limits, NULL);
    wait_queue_init(&table->changes);
    kv->module_state[KV_SLOT_PROTECTED] = table;
    if (kv->shard->index == 0) {
        kv->node->gc_limit = protected_gc_limit;
        cluster_announcement_register(&announcement);
    }
    return STATUS_OK;
}

static void protected_shard_fini(struct kv_shard *kv)
{
    struct protections *table = kv->module_state[KV_SLOT_PROTECTED];
    if (table == NULL) return;
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&table->limits, &cursor)) != NULL) free(entry->value);
    hashmap_fini(&table->limits);
    free(table->known);
    free(table);
    kv->module_state[KV_SLOT_PROTECTED] = NULL;
}

static struct status set_loaded(struct task *task, void *arg)
{
    (void)arg;
    protections_of(task->shard)->loaded = true;
    return STATUS_OK;
}

static struct status load(struct task *task)
{
    struct status st = STATUS_OK;
    struct kv_protection *records;
    uint32_t count;
    TRY(records_read(task, task->arena, &records, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct known known = known_of(&records[i]);
        TRY(shard_call_all(task, table_put, &known));
    }
    TRY(limits_load(task));
    TRY(shard_call_all(task, set_loaded, NULL));
out:
    return st;
}

// Slice 1 may have no leader for a while; until then nothing is collected.
static struct status load_task(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    protections_of(task->shard)->loader = task;
    for (;;) {
        TRY(task_sleep(task, LOAD_RETRY_NS));
        struct arena_mark mark = arena_mark(task->arena);
        if (!failed(load(task))) break;
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static void load_ended(struct task *task, struct status st, void *arg)
{
    struct protections *table = protections_of(arg);
    (void)task;
    (void)st;
    table->loader = NULL;
    table->loading = false;
    wait_queue_wake_all(&table->changes, STATUS_OK);
}

static void reload(struct shard *shard)
{
    struct protections *table = protections_of(shard);
    if (table->loading || table->stopping) return;
    const struct task_options options = {
        .fn = load_task,
        .kind = "kv.protections",
        .class = TASK_SYSTEM,
        .ended = load_ended,
        .ended_arg = shard,
    };
    table->loading = !failed(task_start(shard, &options));
}

static struct status protected_started(struct task *task, struct kv_node *node)
{
    // With other nodes the records may have no leader yet: the start does not wait for it.
    if (cluster_alone(task->shard) && !node->options.joined) return load(task);
    reload(task->shard);
    return STATUS_OK;
}

static void protected_stopping(struct task *task, struct kv_node *node)
{
    struct protections *table = protections_of(task->shard);
    (void)node;
    table->stopping = true;
    while (table->loading) {
        if (table->loader != NULL) {
            task_cancel(table->loader, status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
        }
        if (failed(task_sleep(task, 1000000))) task_cancel_clear(task);
    }
}

const struct kv_module protected_module = {
    .name = "protected",
    .slot = KV_SLOT_PROTECTED,
    .shard_init = protected_shard_init,
    .started = protected_started,
    .stopping = protected_stopping,
    .shard_fini = protected_shard_fini,
};
