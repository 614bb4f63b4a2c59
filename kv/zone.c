// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/zone.h"

#include <string.h>

#include "core/codec.h"
#include "core/hash.h"
#include "kv/client.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/protected.h"
#include "kv/range_admin.h"

#define FORMAT 1u
#define ATTEMPTS_MAX 50u

const uint8_t zone_prefix[2] = {0x01, 'z'};

// --- constraints ---------------------------------------------------------------------------------------

static bool condition_valid(struct bytes condition)
{
    if (condition.size < 2 || (condition.data[0] != '+' && condition.data[0] != '-')) return false;
    for (size_t i = 1; i < condition.size; i++) {
        uint8_t c = condition.data[i];
        if (c <= ' ' || strchr("+;:{}[]\"'", c) != NULL) return false;
    }
    return true;
}

// The part of `text` up to the separator, which is skipped.
static struct bytes part_next(struct bytes *text, uint8_t separator)
{
    size_t size = 0;
    while (size < text->size && text->data[size] != separator) size++;
    struct bytes part = bytes_of(text->data, size);
    *text = bytes_skip(*text, size < text->size ? size + 1 : size);
    return part;
}

bool zone_rule_next(const char **at, struct zone_rule *rule, bool *malformed)
{
    if (**at == 0) return false;
    struct bytes rest = bytes_of_string(*at);
    struct bytes text = part_next(&rest, ';');
    *at = (const char *)rest.data;
    *rule = (struct zone_rule){0};
    size_t digits = 0;
    for (; digits < text.size && digits < 4 && text.data[digits] >= '0' && text.data[digits] <= '9'; digits++)
        rule->count = rule->count * 10 + (uint32_t)(text.data[digits] - '0');
    if (digits > 0 && (rule->count == 0 || digits == text.size || text.data[digits] != ':')) {
        *malformed = true;
        return false;
    }
    rule->conditions = digits > 0 ? bytes_skip(text, digits + 1) : text;
    for (struct bytes left = rule->conditions; !*malformed;) {
        if (!condition_valid(part_next(&left, ','))) *malformed = true;
        if (left.size == 0) break;
    }
    return !*malformed;
}

// Whether "a=b,c" has the tag as one of its parts.
static bool has_tag(const char *list, uint8_t separator, struct bytes tag)
{
    for (struct bytes left = bytes_of_string(list == NULL ? "" : list); left.size > 0;)
        if (bytes_equal(part_next(&left, separator), tag)) return true;
    return false;
}

bool zone_conditions_met(struct bytes conditions, const char *locality, const char *attrs)
{
    while (conditions.size > 0) {
        struct bytes condition = part_next(&conditions, ',');
        if (condition.size < 2) return false;
        struct bytes tag = bytes_skip(condition, 1);
        bool has = has_tag(locality, ',', tag) || has_tag(attrs, ':', tag);
        if (has != (condition.data[0] == '+')) return false;
    }
    return true;
}

bool zone_allows(const struct zone *zone, const char *locality, const char *attrs)
{
    struct zone_rule rule;
    bool malformed = false, any = false;
    uint32_t spoken_of = 0;
    for (const char *at = zone->constraints; zone_rule_next(&at, &rule, &malformed);) {
        bool met = zone_conditions_met(rule.conditions, locality, attrs);
        if (rule.count == 0 && !met) return false;
        spoken_of += rule.count;
        any = any || met;
    }
    return any || spoken_of < zone->replicas;
}

// --- values --------------------------------------------------------------------------------------------

static struct status rules_check(const char *text, bool counted, uint32_t *sum)
{
    struct zone_rule rule;
    bool malformed = false;
    uint32_t rules = 0, plain = 0;
    *sum = 0;
    for (const char *at = text; zone_rule_next(&at, &rule, &malformed); rules++) {
        *sum += rule.count;
        plain += rule.count == 0;
    }
    if (malformed)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "a constraint begins with + or -, and names a part of a locality or an attribute");
    if (counted && plain > 0 && rules > 1)
        return status_make(E_INVALID_PARAMETER_VALUE, "each of several constraints needs its number of replicas");
    if (!counted && *sum > 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "lease preferences have no numbers of replicas");
    return STATUS_OK;
}

struct status zone_check(const struct zone *zone)
{
    struct status st;
    uint32_t sum, ignored;
    if ((zone->set & ZONE_REPLICAS) && (zone->replicas < 1 || zone->replicas > ZONE_REPLICAS_MAX))
        return status_make(E_INVALID_PARAMETER_VALUE, "num_replicas must be between 1 and 7");
    if ((zone->set & ZONE_REPLICAS) && zone->replicas == 2)
        return status_make(E_INVALID_PARAMETER_VALUE, "two replicas survive no more than one: num_replicas must be 1, or 3 to 7");
    if ((zone->set & ZONE_RANGE_BYTES_MAX) && zone->range_bytes_max < ZONE_RANGE_BYTES_MIN)
        return status_make(E_INVALID_PARAMETER_VALUE, "range_max_bytes must be at least 65536");
    TRY(rules_check(zone->constraints, true, &sum));
    TRY(rules_check(zone->lease_preferences, false, &ignored));
    if ((zone->set & ZONE_REPLICAS) && sum > zone->replicas)
        return status_make(E_INVALID_PARAMETER_VALUE, "the constraints are about more replicas than num_replicas");
out:
    return st;
}

void zone_inherit(struct zone *zone, const struct zone *parent)
{
    uint32_t take = parent->set & ~zone->set;
    if (take & ZONE_REPLICAS) zone->replicas = parent->replicas;
    if (take & ZONE_TTL) zone->ttl_ns = parent->ttl_ns;
    if (take & ZONE_RANGE_BYTES_MAX) zone->range_bytes_max = parent->range_bytes_max;
    if (take & ZONE_CONSTRAINTS) memcpy(zone->constraints, parent->constraints, ZONE_TEXT_BYTES);
    if (take & ZONE_LEASE_PREFERENCES)
        memcpy(zone->lease_preferences, parent->lease_preferences, ZONE_TEXT_BYTES);
    zone->set |= take;
}

static struct zone program_default(struct node *node)
{
    const struct kv_options *options = &kv_node_of(node)->options;
    return (struct zone){.set = ZONE_FIELDS,
        .replicas = options->replicas == 0 ? KV_REPLICAS_DEFAULT : options->replicas,
        .ttl_ns = GC_TTL_NS_DEFAULT,
        .range_bytes_max =
            options->range_bytes_max == 0 ? RANGE_BYTES_MAX_DEFAULT : options->range_bytes_max};
}

// --- records -------------------------------------------------------------------------------------------

static void text_put(struct buffer *out, const char *text)
{
    codec_put_bytes(out, bytes_of_string(text));
}

struct bytes zone_encode(struct arena *arena, const struct zone *zone)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u8(&out, FORMAT);
    codec_put_u32(&out, zone->set);
    codec_put_u32(&out, zone->replicas);
    codec_put_u64(&out, zone->ttl_ns);
    codec_put_u64(&out, zone->range_bytes_max);
    text_put(&out, zone->set & ZONE_CONSTRAINTS ? zone->constraints : "");
    text_put(&out, zone->set & ZONE_LEASE_PREFERENCES ? zone->lease_preferences : "");
    return buffer_bytes(&out);
}

static bool text_get(struct codec_reader *in, char out[ZONE_TEXT_BYTES])
{
    struct bytes text = codec_get_bytes(in);
    if (in->bad || text.size >= ZONE_TEXT_BYTES || memchr(text.data, 0, text.size) != NULL) return false;
    if (text.size > 0) memcpy(out, text.data, text.size);
    return true;
}

struct status zone_decode(struct bytes value, struct zone *zone)
{
    struct codec_reader in = codec_read(value);
    *zone = (struct zone){0};
    bool known = codec_get_u8(&in) == FORMAT;
    zone->set = codec_get_u32(&in);
    zone->replicas = codec_get_u32(&in);
    zone->ttl_ns = codec_get_u64(&in);
    zone->range_bytes_max = codec_get_u64(&in);
    if (!known || !text_get(&in, zone->constraints) || !text_get(&in, zone->lease_preferences) ||
        !codec_done(&in) || zone->set > ZONE_FIELDS || failed(zone_check(zone)))
        return status_make(E_DATA_CORRUPTED, "the record of a zone configuration is damaged");
    return STATUS_OK;
}

static struct bytes key_of(struct arena *arena, uint64_t tenant)
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append(&key, zone_prefix, sizeof zone_prefix);
    key_append_uvarint(&key, tenant);
    return buffer_bytes(&key);
}

struct status zone_get(struct task *task, uint64_t tenant, struct zone *zone)
{
    struct bytes value;
    struct arena arena;
    *zone = (struct zone){0};
    arena_init(&arena, NULL);
    struct status st = kv_read_now(task, 0, key_of(&arena, tenant), &arena, &value);
    if (!failed(st) && value.data != NULL) st = zone_decode(value, zone);
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status zone_get_whole(struct task *task, uint64_t tenant, struct zone *zone)
{
    struct status st;
    struct zone parent;
    TRY(zone_get(task, tenant, zone));
    if (tenant != ZONE_ROOT) {
        TRY(zone_get(task, ZONE_ROOT, &parent));
        zone_inherit(zone, &parent);
    }
    parent = program_default(task->shard->node);
    zone_inherit(zone, &parent);
out:
    return st;
}

struct status zone_list(
    struct task *task, struct arena *arena, struct zone_record **records, uint32_t *count)
{
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    uint32_t capacity = 0;
    const struct bytes prefix = bytes_of(zone_prefix, sizeof zone_prefix);
    *records = NULL;
    *count = 0;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    kv_scan_init(&scan, (struct span){prefix, key_prefix_end(arena, prefix)});
    do {
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            if (*count == capacity) {
                uint32_t grown = capacity == 0 ? 8 : capacity * 2;
                *records = arena_grow(arena, *records, capacity * sizeof **records, grown * sizeof **records);
                capacity = grown;
            }
            struct zone_record *record = &(*records)[*count];
            struct bytes rest = bytes_skip(batch.pairs[i].key, sizeof zone_prefix);
            TRY(key_decode_uvarint(&rest, &record->tenant));
            TRY(zone_decode(batch.pairs[i].value, &record->zone));
            (*count)++;
        }
    } while (batch.count > 0);
out:
    kv_txn_rollback(task, txn);
    return st;
}

uint64_t zone_hash(const struct zone *zone)
{
    struct arena arena;
    if (zone->set == 0) return 0;
    arena_init(&arena, NULL);
    struct zone clean = {0};
    zone_inherit(&clean, zone); // What is not set counts for nothing.
    uint64_t hash = hash_bytes(zone_encode(&arena, &clean));
    arena_fini(&arena);
    return hash == 0 ? 1 : hash;
}

static struct status record_write(struct task *task, uint64_t tenant, const struct zone *zone)
{
    struct status st;
    struct bytes key = key_of(task->arena, tenant), value = zone_encode(task->arena, zone);
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {0};
        struct kv_txn *txn;
        st = kv_txn_begin(task, &options, &txn);
        if (failed(st)) return st;
        st = zone->set == 0 ? kv_delete(task, txn, key) : kv_put(task, txn, key, value);
        if (failed(st)) {
            kv_txn_rollback(task, txn);
            return st;
        }
        st = kv_txn_commit(task, txn, NULL);
        if (!status_is(st, E_SERIALIZATION_FAILURE)) break;
    }
    return st;
}

struct status zone_set(struct task *task, uint64_t tenant, const struct zone *zone)
{
    struct status st;
    TRY(zone_check(zone));
    TRY(record_write(task, tenant, zone));
    TRY(protected_limits_tell(task, tenant, zone));
out:
    return st;
}
