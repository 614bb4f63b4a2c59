// SPDX-License-Identifier: GPL-3.0-or-later
//
// Data with a zone of its own goes to slices with that zone, under clients that go on, and comes back.
#include "tests/unit/kv/kv_harness.h"

#include "kv/protected.h"
#include "kv/range_admin.h"
#include "kv/placement_zones.h"

#define SECOND_NS UINT64_C(1000000000)
#define WAIT_NS (20 * SECOND_NS)

static struct status ranges_of(struct task *task, struct kv_range **ranges, uint32_t *count)
{
    return kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, ranges, count);
}

static struct status slice_at(struct task *task, const char *text, uint64_t *slice)
{
    struct kv_range *ranges;
    uint32_t count;
    const struct bytes at = key(task, text);
    struct status st = kv_ranges(task, (struct span){at, key_next(task->arena, at)}, task->arena, &ranges, &count);
    *slice = failed(st) || count != 1 ? 0 : ranges[0].slice;
    return st;
}

// Until the key is in a slice whose zone is as said.
static struct status await_zone(struct task *task, const char *text, uint64_t zone, uint64_t *slice)
{
    struct status st = STATUS_OK;
    const uint64_t until_ns = task_now_ns(task) + WAIT_NS;
    do {
        struct arena_mark mark = arena_mark(task->arena);
        if (task_now_ns(task) > until_ns) return status_make(E_INTERNAL, "the data does not go where its zone wants it");
        TRY(task_sleep(task, 5 * MS));
        TRY(slice_at(task, text, slice));
        arena_release(task->arena, mark);
    } while (*slice == 0 || protected_slice_zone(task->shard, *slice) != zone);
out:
    return st;
}

// The slice that held the key: no more than one slice of a node that is alone.
static struct status check_values(struct task *task)
{
    static const char *const keys[] = {"b", "k", "l", "x"};
    struct status st = STATUS_OK;
    struct bytes value;
    for (uint32_t i = 0; i < 4; i++) {
        TRY(read_now(task, keys[i], &value));
        CHECK(is_text(value, keys[i]));
    }
out:
    return st;
}

// Only as many zones may differ as there can be slices for; the virtual cluster's own is one of them here.
static struct status too_many(struct task *task)
{
    struct status st = STATUS_OK;
    struct zone tenant = {.set = ZONE_TTL, .ttl_ns = 7777 * SECOND_NS};
    struct zone_span *many = ARENA_ARRAY(task->arena, struct zone_span, PLACEMENT_CLASSES_MAX);
    for (uint32_t i = 0; i < PLACEMENT_CLASSES_MAX; i++)
        many[i] = (struct zone_span){
            .span = key_span(task, arena_printf(task->arena, "k%02u", i), arena_printf(task->arena, "k%02ux", i)),
            .zone = {.set = ZONE_TTL, .ttl_ns = (100 + i) * SECOND_NS}};
    TRY(placement_zones_check(task, TENANT, NULL, many, PLACEMENT_CLASSES_MAX - 1));
    CHECK_FAILS(placement_zones_check(task, TENANT, NULL, many, PLACEMENT_CLASSES_MAX), E_PROGRAM_LIMIT_EXCEEDED);
    many[5].zone = many[6].zone;
    TRY(placement_zones_check(task, TENANT, NULL, many, PLACEMENT_CLASSES_MAX));
    TRY(placement_zones_check(task, TENANT, &tenant, NULL, 0));
out:
    return st;
}

static struct status body(struct task *task, void *arg)
{
    struct kv_test *test = arg;
    struct status st = STATUS_OK;
    uint64_t slice, other;
    static const char *const keys[] = {"b", "k", "l", "x"};
    struct zone_span spans[2] = {
        {.span = key_span(task, "k", "l"), .zone = {.set = ZONE_TTL, .ttl_ns = 600 * SECOND_NS}},
        {.span = key_span(task, "l", "m"), .zone = {.set = ZONE_TTL | ZONE_RANGE_BYTES_MAX, .ttl_ns = 60 * SECOND_NS,
            .range_bytes_max = 1u << 20}}};
    for (uint32_t i = 0; i < 4; i++) TRY(put_now(task, keys[i], keys[i]));
    TRY(zone_spans_set(task, TENANT, spans, 2));
    TRY(await_zone(task, "k", zone_hash(&spans[0].zone), &slice));
    TRY(await_zone(task, "l", zone_hash(&spans[1].zone), &other));
    CHECK(slice != other);
    CHECK(protected_range_bytes_max(task->shard, other, TENANT) == 1u << 20);
    CHECK(protected_range_bytes_max(task->shard, slice, TENANT) == 0);
    TRY(check_values(task));
    // Nothing else came along, and nobody puts anything there by himself.
    struct kv_range *ranges;
    struct kv_slice_info *slices;
    uint32_t count;
    TRY(ranges_of(task, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        const bool zoned = ranges[i].slice == slice || ranges[i].slice == other;
        CHECK(zoned == span_overlaps(ranges[i].span, key_span(task, "k", "m")));
    }
    TRY(kv_tenant_create(task, TENANT + 1, 0));
    TRY(kv_ranges(task, key_tenant_span(task->arena, TENANT + 1), task->arena, &ranges, &count));
    CHECK(count == 1 && ranges[0].slice != slice && ranges[0].slice != other);
    CHECK_FAILS(kv_merge(task, key(task, "l")), E_NOT_IN_PREREQUISITE_STATE);
    // A node that starts again finds everything as it was.
    TRY(kv_stop(task));
    TRY(kv_start(task, &test->options));
    TRY(check_values(task));
    TRY(kv_slices(task, task->arena, &slices, &count));
    uint32_t zoned = 0;
    for (uint32_t i = 0; i < count; i++) zoned += slices[i].id == slice || slices[i].id == other;
    CHECK(zoned == 2);
    // What has none any more comes back, and its slice is one of many.
    TRY(zone_spans_set(task, TENANT, &spans[1], 1));
    TRY(await_zone(task, "k", 0, &slice));
    TRY(await_zone(task, "l", zone_hash(&spans[1].zone), &other));
    // The virtual cluster's own zone stands between: its fields count where the data's own says nothing.
    struct zone tenant = {.set = ZONE_TTL | ZONE_REPLICAS, .ttl_ns = 7 * SECOND_NS, .replicas = 1};
    TRY(zone_set(task, TENANT, &tenant));
    struct zone joint = spans[1].zone;
    zone_inherit(&joint, &tenant);
    TRY(await_zone(task, "x", zone_hash(&tenant), &slice));
    TRY(await_zone(task, "l", zone_hash(&joint), &other));
    CHECK(slice != other);
    TRY(check_values(task));
    CHECK_FAILS(zone_spans_set(task, TENANT + 1, spans, 1), E_INSUFFICIENT_PRIVILEGE);
    spans[0].zone.set |= ZONE_CONSTRAINTS;
    strcpy(spans[0].zone.constraints, "region");
    CHECK_FAILS(zone_spans_set(task, TENANT, spans, 2), E_INVALID_PARAMETER_VALUE);
    TRY(too_many(task));
out:
    return st;
}

static void run(enum kv_store_kind store, uint32_t shards)
{
    char dir[256];
    struct kv_test test = {.body = body,
        .options = {.dir = test_dir(dir), .store = store, .log_segment_bytes = 4 << 20}};
    struct status st = node_test(shards, kv_test_run, &test);
    test_dirs_remove();
    cr_assert(!failed(st), "%s", failed(st) ? st.message : "");
}

Test(zones, data_goes_where_its_zone_holds)
{
    run(KV_STORE_MODEL, 1);
}

Test(zones, on_several_shards)
{
    run(KV_STORE_WIREDTIGER, 3);
}

// A constraint that no node meets keeps the data where it is.
static struct status nowhere(struct task *task, __attribute__((unused)) void *arg)
{
    struct status st = STATUS_OK;
    uint64_t slice;
    struct zone_span spans[] = {
        {.span = key_span(task, "k", "l"), .zone = {.set = ZONE_CONSTRAINTS, .constraints = "+region=moon"}},
        {.span = key_span(task, "m", "n"), .zone = {.set = ZONE_TTL, .ttl_ns = 1}}};
    TRY(put_now(task, "k", "1"));
    TRY(zone_spans_set(task, TENANT, spans, 2));
    TRY(await_zone(task, "m", zone_hash(&spans[1].zone), &slice));
    TRY(slice_at(task, "k", &slice));
    CHECK(slice != 0 && protected_slice_zone(task->shard, slice) == 0);
out:
    return st;
}

Test(zones, what_no_node_can_have_stays)
{
    char dir[256];
    struct kv_test test = {.body = nowhere,
        .options = {.dir = test_dir(dir), .store = KV_STORE_MODEL, .log_segment_bytes = 4 << 20}};
    struct status st = node_test(1, kv_test_run, &test);
    test_dirs_remove();
    cr_assert(!failed(st), "%s", failed(st) ? st.message : "");
}
