// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/placement_zones.h"

#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/move.h"
#include "kv/range_admin.h"

#define MOVES_MAX 4u // Wanted at once.

// --- classes -----------------------------------------------------------------------------------------

static const struct zone *tenant_zone(const struct placement_zones *zones, struct bytes key)
{
    uint64_t tenant;
    if (failed(key_decode_tenant_prefix(&key, &tenant))) return NULL;
    for (uint32_t i = 0; i < zones->record_count; i++)
        if (zones->records[i].tenant == tenant) return &zones->records[i].zone;
    return NULL;
}

static bool field_same(uint32_t field, const struct zone *a, const struct zone *b)
{
    switch (field) {
    case ZONE_REPLICAS: return a->replicas == b->replicas;
    case ZONE_TTL: return a->ttl_ns == b->ttl_ns;
    case ZONE_RANGE_BYTES_MAX: return a->range_bytes_max == b->range_bytes_max;
    case ZONE_CONSTRAINTS: return strcmp(a->constraints, b->constraints) == 0;
    case ZONE_LEASE_PREFERENCES: return strcmp(a->lease_preferences, b->lease_preferences) == 0;
    default: return false;
    }
}

// What the span's zone and the virtual cluster's say together that the default of all does not; false: nothing. How long
// versions are kept and how large ranges are is known by virtual cluster everywhere, so that alone makes no class.
static bool zone_own(
    const struct placement_zones *zones, const struct zone_span *span, const struct zone *tenant, struct zone *own)
{
    *own = span == NULL ? (struct zone){0} : span->zone;
    const uint32_t said = own->set;
    if (tenant != NULL) zone_inherit(own, tenant);
    for (uint32_t field = 1; field < ZONE_FIELDS; field <<= 1) {
        const bool between = tenant != NULL && (tenant->set & field & said) != 0;
        if ((own->set & field) && !between && field_same(field, own, &zones->root)) own->set &= ~field;
    }
    return own->set != 0 && (said != 0 || (own->set & ZONE_COPIES) != 0);
}

static struct placement_class *class_find(const struct placement_zones *zones, uint64_t hash)
{
    for (uint32_t i = 0; i < zones->class_count; i++)
        if (zones->classes[i].hash == hash) return &zones->classes[i];
    return NULL;
}

static void class_add(struct placement_zones *zones, const struct zone *own, bool wanted)
{
    const uint64_t hash = zone_hash(own);
    struct placement_class *class = class_find(zones, hash);
    if (class == NULL) {
        if (zones->class_count == zones->class_capacity) {
            zones->left_out = true;
            return;
        }
        class = &zones->classes[zones->class_count++];
        *class = (struct placement_class){.hash = hash};
        zone_inherit(&class->own, own);
        class->whole = class->own;
        zone_inherit(&class->whole, &zones->root);
    }
    class->wanted = class->wanted || wanted;
}

static struct status written_read(struct task *task, const struct zone *root, struct placement_zones *zones)
{
    struct status st;
    static const uint8_t last[] = {0xff};
    const struct span all = {range_meta_span().end, bytes_of(last, 1)};
    *zones = (struct placement_zones){.root = *root};
    TRY(zone_list(task, task->arena, &zones->records, &zones->record_count));
    TRY(zone_spans_get(task, task->arena, all, &zones->spans, &zones->span_count));
out:
    return st;
}

static void classes_make(struct arena *arena, struct placement_zones *zones)
{
    struct zone own;
    zones->class_capacity = zones->span_count + zones->record_count;
    if (zones->class_capacity > PLACEMENT_CLASSES_MAX) zones->class_capacity = PLACEMENT_CLASSES_MAX;
    zones->classes = ARENA_ARRAY(arena, struct placement_class, zones->class_capacity + 1);
    for (uint32_t i = 0; i < zones->span_count; i++) {
        const struct zone_span *span = &zones->spans[i];
        if (zone_own(zones, span, tenant_zone(zones, span->span.start), &own)) class_add(zones, &own, true);
    }
    for (uint32_t i = 0; i < zones->record_count; i++) {
        const struct zone_record *record = &zones->records[i];
        if (record->tenant == ZONE_ROOT || record->tenant == ZONE_META) continue;
        if (record->tenant >= ZONE_OF_SLICE) {
            class_add(zones, &record->zone, false);
            zones->labelled_count++;
        } else if (zone_own(zones, NULL, &record->zone, &own)) {
            class_add(zones, &own, true);
        }
    }
}

struct status placement_zones_read(
    struct task *task, const struct zone *root, struct placement_zones *zones)
{
    struct status st = written_read(task, root, zones);
    if (!failed(st)) classes_make(task->arena, zones);
    return st;
}

// What is written down of the tenant makes way for what will be.
static void record_replace(struct placement_zones *zones, uint64_t tenant, const struct zone *own)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < zones->record_count; i++)
        if (zones->records[i].tenant != tenant) zones->records[kept++] = zones->records[i];
    zones->records[kept++] = (struct zone_record){.tenant = tenant, .zone = *own};
    zones->record_count = kept;
}

static void spans_replace(
    struct placement_zones *zones, struct span tenant, const struct zone_span *spans, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < zones->span_count; i++)
        if (!span_contains(tenant, zones->spans[i].span.start)) zones->spans[kept++] = zones->spans[i];
    if (count > 0) memcpy(&zones->spans[kept], spans, count * sizeof *spans);
    zones->span_count = kept + count;
}

struct status placement_zones_check(struct task *task, uint64_t tenant, const struct zone *own,
    const struct zone_span *spans, uint32_t count)
{
    struct status st;
    struct arena_mark mark = arena_mark(task->arena);
    struct placement_zones *zones = ARENA_NEW(task->arena, struct placement_zones);
    struct zone *root = ARENA_NEW(task->arena, struct zone), *program = ARENA_NEW(task->arena, struct zone);
    TRY(zone_get_whole(task, ZONE_ROOT, program));
    if (tenant == ZONE_ROOT && own != NULL) *root = *own;
    zone_inherit(root, program);
    TRY(written_read(task, root, zones));
    // Slices that nobody needs any more do not count.
    uint32_t kept = 0;
    for (uint32_t i = 0; i < zones->record_count; i++)
        if (zones->records[i].tenant < ZONE_OF_SLICE) zones->records[kept++] = zones->records[i];
    zones->record_count = kept;
    zones->records = arena_grow(task->arena, zones->records, kept * sizeof *zones->records, (kept + 1) * sizeof *zones->records);
    zones->spans = arena_grow(task->arena, zones->spans, zones->span_count * sizeof *zones->spans,
        (zones->span_count + count + 1) * sizeof *zones->spans);
    if (own != NULL && tenant != ZONE_ROOT) record_replace(zones, tenant, own);
    if (own == NULL) spans_replace(zones, key_tenant_span(task->arena, tenant), spans, count);
    classes_make(task->arena, zones);
    if (zones->left_out)
        st = status_make(E_PROGRAM_LIMIT_EXCEEDED,
            "more than 64 zone configurations of the cluster's data would differ from each other and from RANGE default");
out:
    st = status_copy(task->arena, st);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

void placement_zones_classes(struct placement_zones *zones, struct placement_view *view)
{
    view->classes = zones->classes;
    view->class_count = zones->class_count;
    for (uint32_t i = 0; i < zones->record_count; i++) {
        const struct zone_record *record = &zones->records[i];
        if (record->tenant < ZONE_OF_SLICE || record->tenant == ZONE_META) continue;
        for (uint32_t k = 0; k < view->slice_count; k++)
            if (record->tenant == ZONE_OF_SLICE + view->slices[k].id)
                view->slices[k].class = class_find(zones, zone_hash(&record->zone));
    }
}

// --- moving ------------------------------------------------------------------------------------------

static const struct placement_class *class_of(const struct placement_zones *zones, struct bytes key)
{
    struct zone own;
    const struct zone_span *span = zone_span_find(zones->spans, zones->span_count, key);
    return zone_own(zones, span, tenant_zone(zones, key), &own) ? class_find(zones, zone_hash(&own)) : NULL;
}

// The first border of a zone within the range, after `key`; the range's end when there is none.
static struct bytes border_after(const struct placement_zones *zones, const struct range *range, struct bytes key)
{
    uint32_t low = 0, high = zones->span_count;
    while (low < high) { // The first that ends after the key.
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(key, zones->spans[middle].span.end) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zones->span_count) return range->span.end;
    const struct span *span = &zones->spans[low].span;
    const struct bytes border = bytes_compare(key, span->start) < 0 ? span->start : span->end;
    return bytes_compare(border, range->span.end) < 0 ? border : range->span.end;
}

// The one with the fewest ranges of those that are as the class wants it; the meta slice last.
static struct placement_slice *slice_choose(
    const struct placement_view *view, const struct placement_class *class)
{
    struct placement_slice *best = NULL;
    for (uint32_t i = 0; i < view->slice_count; i++) {
        struct placement_slice *slice = &view->slices[i];
        if (slice->class != class || !placement_ready(view, slice)) continue;
        if (slice->id == SLICE_META && best != NULL) continue;
        if (best == NULL || best->id == SLICE_META || slice->ranges < best->ranges) best = slice;
    }
    return best;
}

static const struct placement_slice *slice_of(const struct placement_view *view, uint64_t id)
{
    for (uint32_t i = 0; i < view->slice_count; i++)
        if (view->slices[i].id == id) return &view->slices[i];
    return NULL;
}

// At most one part of the range: its borders are others then.
static struct status range_look(struct task *task, const struct placement_zones *zones,
    const struct placement_view *view, const struct range *range, uint32_t *wanted)
{
    struct status st = STATUS_OK;
    const struct placement_slice *now = slice_of(view, range->slice);
    struct bytes at = range->span.start;
    while (now != NULL && bytes_compare(at, range->span.end) < 0) {
        const struct placement_class *class = class_of(zones, at);
        const struct span part = {at, border_after(zones, range, at)};
        at = part.end;
        if (class == now->class) continue;
        struct placement_slice *to = slice_choose(view, class);
        if (to == NULL) continue;
        TRY(range_want(task, part, to->id));
        covered("zones.moved");
        log_info(0, "a part of range %llu goes from slice %llu to slice %llu, as its zone wants it",
            (unsigned long long)range->id, (unsigned long long)range->slice, (unsigned long long)to->id);
        to->ranges++;
        (*wanted)++;
        break;
    }
out:
    return st;
}

struct status placement_zones_move(struct task *task, const struct placement_zones *zones,
    const struct placement_view *view, bool *busy)
{
    struct status st = STATUS_OK;
    static const uint8_t last[] = {0xff};
    const struct span all = {range_meta_span().end, bytes_of(last, 1)};
    struct range *ranges;
    uint32_t count, wanted = 0;
    if (zones->class_count == 0 || move_count(kv_shard_of(task->shard)) > 0) return STATUS_OK;
    TRY(range_list(task, all, task->arena, &ranges, &count));
    for (uint32_t i = 0; i < count && wanted < MOVES_MAX; i++) TRY(range_look(task, zones, view, &ranges[i], &wanted));
    *busy = *busy || wanted > 0;
out:
    return st;
}
