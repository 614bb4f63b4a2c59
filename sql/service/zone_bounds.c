// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/zone_bounds.h"

#include <inttypes.h>
#include <string.h>

#include "core/text.h"
#include "kv/key.h"
#include "sql/service/settings.h"
#include "sql/type/json.h"
#include "sql/type/numeric.h"

#define NS_PER_S UINT64_C(1000000000)
#define WIRE_VARINT 0u
#define WIRE_BYTES 2u

const struct zone_bounds_source *zone_bounds_source;

static const struct field {
    const char *json;
    uint32_t number, zone;
    uint64_t least, most; // Of values that a zone may have at all.
} fields[ZONE_BOUNDED] = {
    [ZONE_BOUND_TTL] = {"gcTtlSeconds", 1, ZONE_TTL, 1, INT32_MAX},
    [ZONE_BOUND_RANGE_BYTES_MAX] = {"rangeMaxBytes", 3, ZONE_RANGE_BYTES_MAX, ZONE_RANGE_BYTES_MIN, UINT64_C(1) << 40},
    [ZONE_BOUND_REPLICAS] = {"numReplicas", 4, ZONE_REPLICAS, 1, ZONE_REPLICAS_MAX},
};
// Of the message, and not of zones here.
static const struct {
    const char *json;
    uint32_t number;
} others[] = {{"rangeMinBytes", 2}, {"numVoters", 5}, {"constraintBounds", 6}};
#define OTHERS (sizeof others / sizeof others[0])

bool zone_bounds_any(const struct zone_bounds *bounds)
{
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++)
        if (bounds->of[i].set) return true;
    return false;
}

bool zone_bounds_equal(const struct zone_bounds *a, const struct zone_bounds *b)
{
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        const struct zone_bound *x = &a->of[i], *y = &b->of[i];
        if (x->set != y->set || (x->set && (x->start != y->start || x->end != y->end))) return false;
    }
    return true;
}

static struct status bad(const char *why)
{
    return status_make(E_INVALID_PARAMETER_VALUE, why);
}

static struct status refuse_other(uint32_t which)
{
    static const char *const messages[OTHERS] = {"bounds of rangeMinBytes are not supported",
        "bounds of numVoters are not supported", "constraintBounds are not supported"};
    return status_make(E_FEATURE_NOT_SUPPORTED, messages[which]);
}

// Some value that a zone may have is within.
static struct status bound_check(enum zone_bounded which, struct zone_bound *bound)
{
    if (bound->end < bound->start) bound->end = bound->start;
    bound->set = true;
    const struct field *field = &fields[which];
    if (bound->end < field->least || bound->start > field->most)
        return bad("invalid span_config_bounds value: no zone configuration could be within the bounds");
    if (which == ZONE_BOUND_REPLICAS && bound->start == 2 && bound->end == 2)
        return bad("invalid span_config_bounds value: num_replicas cannot be 2");
    return STATUS_OK;
}

// --- JSON ----------------------------------------------------------------------------------------------

static bool number_of(const struct json *value, uint64_t *number)
{
    int64_t integer;
    if (value->kind == JSON_STRING) return text_parse_u64(value->scalar, number); // 64 bits, as some write them.
    if (value->kind != JSON_NUMBER || !numeric_to_int(datum_bytes(value->scalar), &integer) || integer < 0) return false;
    *number = (uint64_t)integer;
    return true;
}

static struct status bound_parse(const struct json *value, enum zone_bounded which, struct zone_bound *bound)
{
    *bound = (struct zone_bound){0};
    if (value->kind != JSON_OBJECT) return bad("invalid span_config_bounds value: an object with start and end was expected");
    for (uint32_t i = 0; i < value->count; i++) {
        const struct bytes key = json_key(value, i);
        const struct json member = json_member(value, i);
        uint64_t *number = bytes_equal(key, BYTES_LITERAL("start")) ? &bound->start
                           : bytes_equal(key, BYTES_LITERAL("end")) ? &bound->end
                                                                    : NULL;
        if (number == NULL || !number_of(&member, number))
            return bad("invalid span_config_bounds value: start and end are numbers that are not negative");
    }
    return bound_check(which, bound);
}

static struct status member_parse(struct bytes key, const struct json *value, struct zone_bounds *bounds)
{
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        if (bytes_equal(key, bytes_of_string(fields[i].json)))
            return bound_parse(value, (enum zone_bounded)i, &bounds->of[i]);
    }
    for (uint32_t i = 0; i < OTHERS; i++)
        if (bytes_equal(key, bytes_of_string(others[i].json))) return refuse_other(i);
    return bad("invalid span_config_bounds value: a field is unknown");
}

struct status zone_bounds_parse(struct task *task, struct arena *arena, struct bytes text, struct zone_bounds *bounds)
{
    struct status st;
    struct buffer raw;
    *bounds = (struct zone_bounds){0};
    buffer_init(&raw, arena);
    TRY(json_parse(task, arena, text, &raw));
    const struct json all = json_open(buffer_bytes(&raw));
    if (all.kind != JSON_OBJECT) return bad("invalid span_config_bounds value: an object was expected");
    for (uint32_t i = 0; i < all.count; i++) {
        const struct json member = json_member(&all, i);
        TRY(member_parse(json_key(&all, i), &member, bounds));
    }
out:
    return st;
}

const char *zone_bounds_text(struct arena *arena, const struct zone_bounds *bounds)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_u8(&out, '{');
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        const struct zone_bound *bound = &bounds->of[i];
        if (bound->set)
            buffer_printf(&out, "%s\"%s\": {\"start\": %" PRIu64 ", \"end\": %" PRIu64 "}", out.size > 1 ? ", " : "",
                fields[i].json, bound->start, bound->end);
    }
    buffer_append_u8(&out, '}');
    return buffer_string(&out);
}

// --- the message ---------------------------------------------------------------------------------------

static void put_varint(struct buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buffer_append_u8(out, (uint8_t)(value | 0x80));
    buffer_append_u8(out, (uint8_t)value);
}

static bool take_varint(struct bytes *in, uint64_t *value)
{
    *value = 0;
    for (uint32_t shift = 0; shift < 64 && in->size > 0; shift += 7) {
        const uint8_t byte = in->data[0];
        if (shift == 63 && byte > 1) return false;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        *in = bytes_skip(*in, 1);
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

struct bytes zone_bounds_encode(struct arena *arena, const struct zone_bounds *bounds)
{
    struct buffer out, part;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        if (!bounds->of[i].set) continue;
        buffer_init(&part, arena);
        put_varint(&part, 1 << 3 | WIRE_VARINT);
        put_varint(&part, bounds->of[i].start);
        put_varint(&part, 2 << 3 | WIRE_VARINT);
        put_varint(&part, bounds->of[i].end);
        put_varint(&out, fields[i].number << 3 | WIRE_BYTES);
        put_varint(&out, part.size);
        buffer_append_bytes(&out, buffer_bytes(&part));
    }
    return buffer_bytes(&out);
}

static bool bound_decode(struct bytes in, struct zone_bound *bound)
{
    *bound = (struct zone_bound){0};
    while (in.size > 0) {
        uint64_t tag, value;
        if (!take_varint(&in, &tag) || !take_varint(&in, &value)) return false;
        if (tag != (1 << 3 | WIRE_VARINT) && tag != (2 << 3 | WIRE_VARINT)) return false;
        if (value > INT64_MAX) return false;
        *(tag >> 3 == 1 ? &bound->start : &bound->end) = value;
    }
    return true;
}

static struct status field_decode(uint64_t number, struct bytes part, struct zone_bounds *bounds)
{
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        if (fields[i].number != number) continue;
        if (!bound_decode(part, &bounds->of[i])) return bad("invalid span_config_bounds value");
        return bound_check((enum zone_bounded)i, &bounds->of[i]);
    }
    for (uint32_t i = 0; i < OTHERS; i++)
        if (others[i].number == number) return refuse_other(i);
    return bad("invalid span_config_bounds value");
}

struct status zone_bounds_decode(struct bytes message, struct zone_bounds *bounds)
{
    struct status st = STATUS_OK;
    *bounds = (struct zone_bounds){0};
    while (message.size > 0) {
        uint64_t tag, size;
        if (!take_varint(&message, &tag) || (tag & 7) != WIRE_BYTES || !take_varint(&message, &size) || size > message.size)
            return bad("invalid span_config_bounds value");
        TRY(field_decode(tag >> 3, bytes_of(message.data, size), bounds));
        message = bytes_skip(message, size);
    }
out:
    return st;
}

// --- what is shown -------------------------------------------------------------------------------------

static void put_line(struct buffer *out, const char *name, const struct zone_bound *bound)
{
    if (bound == NULL || !bound->set)
        buffer_printf(out, "%s%s: *", out->size > 0 ? "\n" : "", name);
    else
        buffer_printf(out, "%s%s: [%" PRIu64 ", %" PRIu64 "]", out->size > 0 ? "\n" : "", name, bound->start, bound->end);
}

const char *zone_bounds_format(struct arena *arena, const struct zone_bounds *bounds)
{
    struct buffer out;
    if (!zone_bounds_any(bounds)) return "{}";
    buffer_init(&out, arena);
    put_line(&out, "range_min_bytes", NULL);
    put_line(&out, "range_max_bytes", &bounds->of[ZONE_BOUND_RANGE_BYTES_MAX]);
    put_line(&out, "global_reads", NULL);
    put_line(&out, "num_voters", NULL);
    put_line(&out, "num_replicas", &bounds->of[ZONE_BOUND_REPLICAS]);
    put_line(&out, "gc.ttlseconds", &bounds->of[ZONE_BOUND_TTL]);
    put_line(&out, "constraints", NULL);
    put_line(&out, "voter_constraints", NULL);
    put_line(&out, "lease_preferences", NULL);
    return buffer_string(&out);
}

// --- clamping ------------------------------------------------------------------------------------------

static uint64_t field_get(const struct zone *zone, enum zone_bounded which)
{
    switch (which) {
    case ZONE_BOUND_TTL: return zone->ttl_ns / NS_PER_S;
    case ZONE_BOUND_RANGE_BYTES_MAX: return zone->range_bytes_max;
    default: return zone->replicas;
    }
}

static void field_set(struct zone *zone, enum zone_bounded which, uint64_t value)
{
    zone->set |= fields[which].zone;
    switch (which) {
    case ZONE_BOUND_TTL: zone->ttl_ns = value * NS_PER_S; break;
    case ZONE_BOUND_RANGE_BYTES_MAX: zone->range_bytes_max = value; break;
    default: zone->replicas = (uint32_t)value;
    }
}

static uint64_t clamped(const struct zone_bound *bound, enum zone_bounded which, uint64_t value)
{
    if (value < bound->start) value = bound->start;
    if (value > bound->end) value = bound->end;
    if (value < fields[which].least) value = fields[which].least;
    if (value > fields[which].most) value = fields[which].most;
    // Two copies are none that a zone may have.
    if (which == ZONE_BOUND_REPLICAS && value == 2) value = bound->end >= 3 ? 3 : 1;
    return value;
}

void zone_bounds_clamp(const struct zone_bounds *bounds, struct zone *zone, const struct zone *above)
{
    if (!zone_bounds_any(bounds)) return;
    for (uint32_t i = 0; i < ZONE_BOUNDED; i++) {
        const enum zone_bounded which = (enum zone_bounded)i;
        const bool own = (zone->set & fields[i].zone) != 0;
        const struct zone *from = own ? zone : above;
        if (!bounds->of[i].set || from == NULL || (from->set & fields[i].zone) == 0) continue;
        const uint64_t value = field_get(from, which), within = clamped(&bounds->of[i], which, value);
        if (within != value) field_set(zone, which, within);
    }
    struct zone whole = *zone;
    if (above != NULL) zone_inherit(&whole, above);
    if (!failed(zone_check(&whole))) return;
    zone->set |= ZONE_CONSTRAINTS;
    memset(zone->constraints, 0, sizeof zone->constraints);
}

struct status zone_bounds_read(struct task *task, uint64_t tenant, struct zone_bounds *bounds)
{
    *bounds = (struct zone_bounds){0};
    if (tenant == TENANT_SYSTEM || zone_bounds_source == NULL) return STATUS_OK;
    if (!settings_bool(task->shard, TENANT_SYSTEM, ZONE_BOUNDS_SETTING)) return STATUS_OK;
    return zone_bounds_source->read(task, tenant, bounds);
}
