// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "sql/service/zone_bounds.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL);
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(zone_bounds, .init = setup, .fini = teardown);

static struct zone_bounds bounds_of(const char *json)
{
    struct zone_bounds bounds;
    struct status st = zone_bounds_parse(NULL, &arena, bytes_of_string(json), &bounds);
    cr_assert(!failed(st), "%s: %s", json, st.message);
    return bounds;
}

static void refused(const char *json, uint32_t code)
{
    struct zone_bounds bounds;
    struct status st = zone_bounds_parse(NULL, &arena, bytes_of_string(json), &bounds);
    cr_expect_eq(st.code, code, "%s: %s", json, failed(st) ? st.message : "taken");
}

Test(zone_bounds, go_through_all_their_forms)
{
    static const char *const texts[] = {"{}", "{\"gcTtlSeconds\": {\"start\": 60, \"end\": 600}}",
        "{\"rangeMaxBytes\": {\"start\": 0, \"end\": 1099511627776}, \"numReplicas\": {\"start\": 3, \"end\": 5}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct zone_bounds bounds = bounds_of(texts[i]);
        const struct zone_bounds again = bounds_of(zone_bounds_text(&arena, &bounds));
        struct zone_bounds decoded;
        cr_expect(zone_bounds_equal(&bounds, &again), "%s", texts[i]);
        cr_assert(!failed(zone_bounds_decode(zone_bounds_encode(&arena, &bounds), &decoded)));
        cr_expect(zone_bounds_equal(&bounds, &decoded), "%s", texts[i]);
        cr_expect_eq(zone_bounds_any(&bounds), i > 0);
    }
    // Numbers of 64 bits may be written as texts; an end below the start is the start.
    const struct zone_bounds strings = bounds_of("{\"gcTtlSeconds\": {\"start\": \"60\", \"end\": \"600\"}}");
    const struct zone_bounds numbers = bounds_of(texts[1]);
    cr_expect(zone_bounds_equal(&strings, &numbers));
    cr_expect_eq(bounds_of("{\"gcTtlSeconds\": {\"start\": 60}}").of[ZONE_BOUND_TTL].end, 60);
}

Test(zone_bounds, are_shown_a_line_a_field)
{
    const struct zone_bounds none = {0};
    const struct zone_bounds some = bounds_of("{\"gcTtlSeconds\": {\"start\": 60, \"end\": 600}, \"rangeMaxBytes\": {\"start\": 100, \"end\": 200000}}");
    cr_expect_str_eq(zone_bounds_format(&arena, &none), "{}");
    cr_expect_str_eq(zone_bounds_format(&arena, &some),
        "range_min_bytes: *\nrange_max_bytes: [100, 200000]\nglobal_reads: *\nnum_voters: *\nnum_replicas: *\n"
        "gc.ttlseconds: [60, 600]\nconstraints: *\nvoter_constraints: *\nlease_preferences: *");
}

Test(zone_bounds, that_cannot_be_are_refused)
{
    refused("[]", E_INVALID_PARAMETER_VALUE);
    refused("{\"speed\": {\"start\": 1}}", E_INVALID_PARAMETER_VALUE);
    refused("{\"gcTtlSeconds\": 7}", E_INVALID_PARAMETER_VALUE);
    refused("{\"gcTtlSeconds\": {\"from\": 7}}", E_INVALID_PARAMETER_VALUE);
    refused("{\"gcTtlSeconds\": {\"start\": -1}}", E_INVALID_PARAMETER_VALUE);
    refused("{\"gcTtlSeconds\": {}}", E_INVALID_PARAMETER_VALUE); // From 0 to 0.
    refused("{\"numReplicas\": {\"start\": 2, \"end\": 2}}", E_INVALID_PARAMETER_VALUE);
    refused("{\"numReplicas\": {\"start\": 8, \"end\": 9}}", E_INVALID_PARAMETER_VALUE);
    refused("{\"rangeMinBytes\": {\"start\": 1, \"end\": 2}}", E_FEATURE_NOT_SUPPORTED);
    refused("{\"numVoters\": {\"start\": 1, \"end\": 2}}", E_FEATURE_NOT_SUPPORTED);
    refused("{\"constraintBounds\": {}}", E_FEATURE_NOT_SUPPORTED);
}

// Whatever bytes a user gives: bounds, or an error.
Test(zone_bounds, damaged_messages_are_refused)
{
    struct zone_bounds bounds = bounds_of("{\"gcTtlSeconds\": {\"start\": 60, \"end\": 600}, \"numReplicas\": {\"start\": 3, \"end\": 5}}");
    const struct bytes whole = zone_bounds_encode(&arena, &bounds);
    uint8_t copy[64];
    cr_assert(whole.size <= sizeof copy);
    for (size_t size = 1; size < whole.size; size++) {
        uint8_t *cut = arena_alloc(&arena, size);
        memcpy(cut, whole.data, size);
        struct zone_bounds got;
        struct status st = zone_bounds_decode((struct bytes){cut, size}, &got);
        cr_expect(failed(st) || !zone_bounds_equal(&got, &bounds), "cut at %zu", size);
    }
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        memcpy(copy, whole.data, whole.size);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct zone_bounds got;
        struct status st = zone_bounds_decode((struct bytes){copy, whole.size}, &got);
        cr_expect(failed(st) || !zone_bounds_equal(&got, &bounds), "bit %zu", bit);
    }
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    cr_expect_eq(zone_bounds_decode((struct bytes){endless, sizeof endless}, &bounds).code, E_INVALID_PARAMETER_VALUE);
}

#define SECOND UINT64_C(1000000000)

Test(zone_bounds, clamp_what_is_said_and_what_is_inherited)
{
    const struct zone_bounds bounds = bounds_of("{\"gcTtlSeconds\": {\"start\": 60, \"end\": 600}, \"numReplicas\": {\"start\": 2, \"end\": 4}}");
    const struct zone root = {.set = ZONE_FIELDS, .replicas = 5, .ttl_ns = 14400 * SECOND, .range_bytes_max = 1u << 29};
    struct zone own = {.set = ZONE_TTL, .ttl_ns = 7 * SECOND};
    zone_bounds_clamp(&bounds, &own, NULL);
    cr_expect_eq(own.set, ZONE_TTL, "what is not said stays so");
    cr_expect_eq(own.ttl_ns, 60 * SECOND);
    own = (struct zone){.set = ZONE_TTL, .ttl_ns = 300 * SECOND};
    zone_bounds_clamp(&bounds, &own, &root);
    cr_expect_eq(own.ttl_ns, 300 * SECOND, "what is within stays");
    cr_expect_eq(own.set, (uint32_t)(ZONE_TTL | ZONE_REPLICAS), "what is inherited is put within");
    cr_expect_eq(own.replicas, 4);
    own = (struct zone){.set = ZONE_REPLICAS, .replicas = 1};
    zone_bounds_clamp(&bounds, &own, NULL);
    cr_expect_eq(own.replicas, 3, "two copies are none that there may be");
    // Without bounds nothing changes.
    own = (struct zone){.set = ZONE_TTL, .ttl_ns = 7 * SECOND};
    zone_bounds_clamp(&(struct zone_bounds){0}, &own, &root);
    cr_expect_eq(own.ttl_ns, 7 * SECOND);
    cr_expect_eq(own.set, ZONE_TTL);
}

// Copies by place that are more than there may be in all: storage would not take such a zone.
Test(zone_bounds, what_is_clamped_is_a_zone)
{
    const struct zone_bounds bounds = bounds_of("{\"numReplicas\": {\"start\": 1, \"end\": 3}}");
    struct zone own = {.set = ZONE_REPLICAS | ZONE_CONSTRAINTS, .replicas = 5, .constraints = "3:+region=a;2:+region=b"};
    cr_assert(!failed(zone_check(&own)));
    zone_bounds_clamp(&bounds, &own, NULL);
    cr_expect(!failed(zone_check(&own)));
    cr_expect_eq(own.replicas, 3);
    cr_expect_str_empty(own.constraints);
    own = (struct zone){.set = ZONE_REPLICAS | ZONE_CONSTRAINTS, .replicas = 5, .constraints = "2:+region=a;1:+region=b"};
    zone_bounds_clamp(&bounds, &own, NULL);
    cr_expect_str_eq(own.constraints, "2:+region=a;1:+region=b");
}
