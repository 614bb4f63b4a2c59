// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/statistics_joint.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/task.h"
#include "sql/plan/distinct_sketch.h"
#include "sql/plan/statistics.h"
#include "sql/type/type.h"

#define HASH_NULL 0u
#define COMMON_MAX 10000u

struct text {
    char *bytes;
    uint32_t size, capacity;
    bool null, too_long;
};

struct object { // One CREATE STATISTICS.
    const struct statistics_desc *desc;
    uint32_t member_count;
    uint32_t slots[STATISTICS_MEMBERS_MAX]; // Where each member's value is among those looked at.
    uint32_t group_count;
    uint32_t *group_members;
    struct distinct_sketch *sketches; // Of each group.
};

struct joint_collector {
    struct arena *arena;
    const struct table_desc *table;
    uint32_t target; // Of objects and columns without their own.
    struct object *objects;
    uint32_t object_count;
    uint32_t slot_count;
    uint32_t *sources; // Of each slot: which value of a row it is.
    type_oid *types;
    uint64_t *row;     // Hashes of the row at hand.
    bool *has_text;    // Whether a list of common values has the slot.
    uint64_t *hashes;  // [row * slot_count + slot] of the sample.
    struct text *texts;
    uint32_t sampled;
    uint64_t rows, random;
};

// --- subsets -----------------------------------------------------------------------------------------

static uint32_t bit_count(uint32_t set)
{
    return (uint32_t)__builtin_popcount(set);
}

// Whether `a` comes before `b` of the same size when members are written out in order.
static bool comes_first(uint32_t a, uint32_t b)
{
    uint32_t differ = a ^ b;
    return (a & (differ & -differ)) != 0;
}

// All subsets of two and more, the small ones first.
static void list_groups(struct arena *arena, struct object *object)
{
    uint32_t all = (1u << object->member_count) - 1;
    object->group_members = ARENA_ARRAY(arena, uint32_t, all + 1);
    for (uint32_t size = 2; size <= object->member_count; size++) {
        uint32_t first = object->group_count;
        for (uint32_t set = 1; set <= all; set++) {
            if (bit_count(set) != size) continue;
            uint32_t at = object->group_count++;
            for (; at > first && comes_first(set, object->group_members[at - 1]); at--)
                object->group_members[at] = object->group_members[at - 1];
            object->group_members[at] = set;
        }
    }
    object->sketches = ARENA_ARRAY(arena, struct distinct_sketch, object->group_count);
}

static uint64_t combine(const struct object *object, const uint64_t *row, uint32_t members)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < object->member_count; i++)
        if (members >> i & 1) hash = hash_u64(hash ^ hash_u64(row[object->slots[i]] + i));
    return hash;
}

// --- collecting --------------------------------------------------------------------------------------

static uint32_t place_of(const struct table_desc *table, uint32_t column_id)
{
    uint32_t place = 0;
    while (place < table->column_count && table->columns[place].id != column_id) place++;
    invariant(place < table->column_count);
    return place;
}

static void add_member(
    struct joint_collector *collector, struct object *object, uint32_t source, type_oid type)
{
    uint32_t slot = 0;
    while (slot < collector->slot_count && collector->sources[slot] != source) slot++;
    if (slot == collector->slot_count) {
        collector->sources[slot] = source;
        collector->types[slot] = type;
        collector->slot_count++;
    }
    collector->has_text[slot] |= (object->desc->kinds & STATISTICS_MCV) != 0;
    object->slots[object->member_count++] = slot;
}

struct joint_collector *joint_collector_new(
    struct arena *arena, const struct table_desc *table, uint32_t target)
{
    if (table->statistics_count == 0) return NULL;
    struct joint_collector *collector = ARENA_NEW(arena, struct joint_collector);
    uint32_t slots_max = table->statistics_count * STATISTICS_MEMBERS_MAX;
    uint32_t next = table->column_count; // Expressions come after the columns.
    collector->arena = arena;
    collector->table = table;
    collector->target = target;
    collector->sources = ARENA_ARRAY(arena, uint32_t, slots_max);
    collector->types = ARENA_ARRAY(arena, type_oid, slots_max);
    collector->has_text = ARENA_ARRAY(arena, bool, slots_max);
    collector->objects = ARENA_ARRAY(arena, struct object, table->statistics_count);
    collector->object_count = table->statistics_count;
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        struct object *object = &collector->objects[i];
        const struct statistics_desc *desc = object->desc = &table->statistics[i];
        for (uint32_t k = 0; k < desc->column_count; k++) {
            uint32_t place = place_of(table, desc->columns[k]);
            add_member(collector, object, place, table->columns[place].type.oid);
        }
        for (uint32_t k = 0; k < desc->expression_count; k++)
            add_member(collector, object, next++, desc->expressions[k].type);
        if ((desc->kinds & STATISTICS_NDISTINCT) != 0) list_groups(arena, object);
    }
    collector->row = ARENA_ARRAY(arena, uint64_t, collector->slot_count);
    collector->hashes =
        ARENA_ARRAY(arena, uint64_t, (size_t)JOINT_SAMPLE_ROWS * collector->slot_count);
    collector->texts =
        ARENA_ARRAY(arena, struct text, (size_t)JOINT_SAMPLE_ROWS * collector->slot_count);
    return collector;
}

static void keep_text(struct joint_collector *collector, struct text *text, type_oid type, struct datum value)
{
    struct buffer out;
    text->null = value.null;
    text->size = 0;
    text->too_long = !type_is_by_value(type) && !value.null && value.size > JOINT_TEXT_BYTES_MAX;
    if (value.null || text->too_long) return;
    struct arena scratch;
    arena_init(&scratch, NULL);
    buffer_init(&out, &scratch);
    type_output(&out, &type_context_default, type, value);
    if (out.size > text->capacity) {
        text->capacity = (uint32_t)out.size;
        text->bytes = arena_alloc(collector->arena, text->capacity);
    }
    memcpy(text->bytes, out.data, out.size);
    text->size = (uint32_t)out.size;
    arena_fini(&scratch);
}

// A uniform sample: the newest row takes a random one's place.
static void sample_row(struct joint_collector *collector, const struct datum *values)
{
    uint64_t place = collector->rows++;
    if (place >= JOINT_SAMPLE_ROWS) {
        collector->random = hash_u64(collector->random + 1);
        place = collector->random % collector->rows;
        if (place >= JOINT_SAMPLE_ROWS) return;
    } else {
        collector->sampled++;
    }
    uint32_t count = collector->slot_count;
    memcpy(&collector->hashes[place * count], collector->row, count * sizeof *collector->row);
    for (uint32_t i = 0; i < count; i++)
        if (collector->has_text[i])
            keep_text(collector, &collector->texts[place * count + i], collector->types[i],
                values[collector->sources[i]]);
}

void joint_collector_add(
    struct joint_collector *collector, const struct datum *values, const uint64_t *hashes)
{
    for (uint32_t i = 0; i < collector->slot_count; i++) {
        uint32_t source = collector->sources[i];
        collector->row[i] = values[source].null ? HASH_NULL : hashes[source];
    }
    for (uint32_t i = 0; i < collector->object_count; i++) {
        struct object *object = &collector->objects[i];
        for (uint32_t g = 0; g < object->group_count; g++)
            distinct_sketch_add(
                &object->sketches[g], combine(object, collector->row, object->group_members[g]));
    }
    sample_row(collector, values);
}

// --- functional dependencies -------------------------------------------------------------------------

struct pair {
    uint64_t key, value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

// The share of the rows whose values of `from` come with one value of `to` only.
static double dependency_degree(const struct joint_collector *collector, const struct object *object,
    uint32_t from, uint32_t to, struct pair *pairs)
{
    uint32_t supporting = 0;
    if (collector->sampled == 0) return 0;
    for (uint32_t i = 0; i < collector->sampled; i++) {
        const uint64_t *row = &collector->hashes[(size_t)i * collector->slot_count];
        pairs[i] = (struct pair){combine(object, row, from), row[object->slots[to]]};
    }
    qsort(pairs, collector->sampled, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0, end; i < collector->sampled; i = end) {
        end = i;
        while (end < collector->sampled && pairs[end].key == pairs[i].key) end++;
        if (pairs[i].value == pairs[end - 1].value) supporting += end - i;
    }
    return (double)supporting / collector->sampled;
}

static struct status find_dependencies(struct task *task, struct joint_collector *collector,
    const struct object *object, struct statistics_estimate *estimate)
{
    struct status st = STATUS_OK;
    uint32_t all = (1u << object->member_count) - 1;
    struct pair *pairs = ARENA_ARRAY(collector->arena, struct pair, collector->sampled);
    estimate->dependencies = ARENA_ARRAY(collector->arena, struct dependency_estimate,
        (size_t)object->member_count << (object->member_count - 1));
    struct object sets = {.member_count = object->member_count};
    list_groups(collector->arena, &sets);
    for (uint32_t size = 1; size < object->member_count; size++) {
        for (uint32_t s = 0; s < object->member_count + sets.group_count; s++) {
            uint32_t from = s < object->member_count ? 1u << s
                                                     : sets.group_members[s - object->member_count];
            if (bit_count(from) != size || from == all) continue;
            for (uint32_t to = 0; to < object->member_count; to++) {
                if (from >> to & 1) continue;
                double degree = dependency_degree(collector, object, from, to, pairs);
                if (degree > 0)
                    estimate->dependencies[estimate->dependency_count++] =
                        (struct dependency_estimate){from, to, degree};
                TRY(task_yield_if_due(task));
            }
        }
    }
out:
    return st;
}

// --- common combinations -----------------------------------------------------------------------------

struct combination {
    uint64_t hash;
    uint32_t row, count;
};

static int compare_hashes(const void *a, const void *b)
{
    const struct combination *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static int compare_counts(const void *a, const void *b)
{
    const struct combination *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

// Sorted by hash, each once, with how many there were.
static uint32_t count_equal(struct combination *items, uint32_t count)
{
    uint32_t kept = 0;
    qsort(items, count, sizeof *items, compare_hashes);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && items[kept - 1].hash == items[i].hash) {
            items[kept - 1].count++;
            if (items[i].row < items[kept - 1].row) items[kept - 1].row = items[i].row;
        } else {
            items[kept++] = items[i];
        }
    }
    return kept;
}

// How often at least a combination must come in the sample to be told of: fewer times say little of the table.
static double count_min(double sampled, double rows)
{
    double numerator = sampled * (rows - sampled);
    double denominator = rows - sampled + 0.04 * sampled * (rows - 1);
    return denominator == 0 ? 0 : numerator / denominator;
}

static uint32_t common_max(const struct joint_collector *collector, const struct object *object)
{
    uint32_t target = object->desc->target;
    for (uint32_t k = 0; target == 0 && k < object->desc->column_count; k++) {
        uint32_t of = collector->table->columns[collector->sources[object->slots[k]]].statistics_target;
        if (of > target) target = of;
    }
    if (target == 0) target = collector->target + 1;
    return target - 1 < COMMON_MAX ? target - 1 : COMMON_MAX;
}

static bool is_too_long(const struct joint_collector *collector, const struct object *object, uint32_t row)
{
    for (uint32_t k = 0; k < object->member_count; k++)
        if (collector->texts[(size_t)row * collector->slot_count + object->slots[k]].too_long) return true;
    return false;
}

static void put_common(struct joint_collector *collector, const struct object *object, uint32_t row,
    struct common_estimate *common)
{
    common->hashes = ARENA_ARRAY(collector->arena, uint64_t, object->member_count);
    common->texts = ARENA_ARRAY(collector->arena, const char *, object->member_count);
    for (uint32_t k = 0; k < object->member_count; k++) {
        size_t place = (size_t)row * collector->slot_count + object->slots[k];
        const struct text *text = &collector->texts[place];
        common->hashes[k] = collector->hashes[place];
        if (!text->null)
            common->texts[k] = arena_string(
                collector->arena, (struct bytes){(const uint8_t *)text->bytes, text->size});
    }
}

static uint32_t times_of(const struct combination *items, uint32_t count, uint64_t hash)
{
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (items[middle].hash <= hash) low = middle;
        else high = middle;
    }
    return count > 0 && items[low].hash == hash ? items[low].count : 0;
}

static struct status find_common(struct task *task, struct joint_collector *collector,
    const struct object *object, struct statistics_estimate *estimate)
{
    struct status st = STATUS_OK;
    uint32_t count = 0, all = (1u << object->member_count) - 1, most = common_max(collector, object);
    double least = count_min(collector->sampled, (double)collector->rows);
    struct combination *items = ARENA_ARRAY(collector->arena, struct combination, collector->sampled);
    struct combination *values = ARENA_ARRAY(collector->arena, struct combination, collector->sampled);
    for (uint32_t i = 0; i < collector->sampled; i++) {
        const uint64_t *row = &collector->hashes[(size_t)i * collector->slot_count];
        if (!is_too_long(collector, object, i))
            items[count++] = (struct combination){combine(object, row, all), i, 1};
    }
    count = count_equal(items, count);
    if (count > 0) qsort(items, count, sizeof *items, compare_counts);
    if (count < most) most = count;
    estimate->common = ARENA_ARRAY(collector->arena, struct common_estimate, most);
    for (uint32_t i = 0; i < most && items[i].count >= least; i++) {
        struct common_estimate *common = &estimate->common[estimate->common_count++];
        put_common(collector, object, items[i].row, common);
        common->frequency = (double)items[i].count / collector->sampled;
        common->base_frequency = 1;
    }
    for (uint32_t k = 0; k < object->member_count; k++) {
        for (uint32_t i = 0; i < collector->sampled; i++)
            values[i] = (struct combination){
                collector->hashes[(size_t)i * collector->slot_count + object->slots[k]], i, 1};
        uint32_t distinct = count_equal(values, collector->sampled);
        for (uint32_t i = 0; i < estimate->common_count; i++)
            estimate->common[i].base_frequency *=
                (double)times_of(values, distinct, estimate->common[i].hashes[k]) / collector->sampled;
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

struct status joint_collector_finish(
    struct task *task, struct joint_collector *collector, struct statistics_estimate **estimates)
{
    struct status st = STATUS_OK;
    *estimates = ARENA_ARRAY(collector->arena, struct statistics_estimate, collector->object_count);
    for (uint32_t i = 0; i < collector->object_count; i++) {
        const struct object *object = &collector->objects[i];
        struct statistics_estimate *estimate = &(*estimates)[i];
        estimate->id = object->desc->id;
        estimate->member_count = object->member_count;
        estimate->group_count = object->group_count;
        estimate->groups = ARENA_ARRAY(collector->arena, struct group_estimate, object->group_count);
        for (uint32_t g = 0; g < object->group_count; g++)
            estimate->groups[g] = (struct group_estimate){object->group_members[g],
                (double)distinct_sketch_estimate(&object->sketches[g], collector->rows)};
        if ((object->desc->kinds & STATISTICS_DEPENDENCIES) != 0)
            TRY(find_dependencies(task, collector, object, estimate));
        if ((object->desc->kinds & STATISTICS_MCV) != 0)
            TRY(find_common(task, collector, object, estimate));
    }
out:
    return st;
}
