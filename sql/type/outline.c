// SPDX-License-Identifier: GPL-3.0-or-later
//
// Paths and polygons: what sql/type/geometry.h says of many points.
#include <limits.h>

#include "core/work.h"
#include "sql/function/function.h"
#include "sql/type/geometry.h"

#define WORK_POINTS 256u // Between two looks at the clock.

// So much of a loop over points has been done.
static bool goes_on(struct geo *geo, uint32_t index)
{
    return index % WORK_POINTS != WORK_POINTS - 1 || geo_work(geo, WORK_POINTS * 64u);
}

struct outline path_open(struct datum value)
{
    if (value.size == 0) return (struct outline){0};
    return (struct outline){value.data + 1, (value.size - 1) / POINT_BYTES, value.data[0] != 0};
}

struct outline polygon_open(struct datum value)
{
    return (struct outline){value.data, value.size / POINT_BYTES, true};
}

struct status outline_make(struct arena *arena, bool path, bool closed, uint64_t count,
    struct outline_maker *maker)
{
    if (count > (uint64_t)(INT32_MAX - 64) / POINT_BYTES)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many points requested");
    uint32_t size = (uint32_t)count * POINT_BYTES + (path ? 1 : 0);
    uint8_t *data = arena_try_alloc(arena, size);
    if (data == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    if (path) data[0] = closed;
    maker->value = datum_bytes(bytes_of(data, size));
    maker->points = data + (path ? 1 : 0);
    return STATUS_OK;
}

struct box outline_box(const struct outline *outline)
{
    struct box box = {0};
    for (uint32_t i = 0; i < outline->count; i++) {
        struct point point = outline_at(outline, i);
        if (i % 1024 == 1023 && !task_goes_on(WORK_BYTES)) break;
        if (i == 0) {
            box.high = box.low = point;
            continue;
        }
        if (real_less(point.x, box.low.x)) box.low.x = point.x;
        if (real_less(box.high.x, point.x)) box.high.x = point.x;
        if (real_less(point.y, box.low.y)) box.low.y = point.y;
        if (real_less(box.high.y, point.y)) box.high.y = point.y;
    }
    return box;
}

// --- inside --------------------------------------------------------------------------------------------

#define ON_EDGE INT_MAX

// How the edge from `from` to `to` crosses the positive half of the x axis: 2 upwards or -2 downwards, half of it when it
// begins or ends there. ON_EDGE: it goes through (0, 0), where the point lies.
static int crossing(struct geo *geo, struct point to, struct point from)
{
    if (geo_zero(to.y)) {
        if (geo_zero(to.x)) return ON_EDGE;
        bool right = geo_greater(to.x, 0);
        if (geo_zero(from.y)) {
            bool same = right ? geo_greater(from.x, 0) : geo_less(from.x, 0);
            return same ? 0 : ON_EDGE;
        }
        if (!right) return 0;
        return geo_less(from.y, 0) ? 1 : -1;
    }
    int sign = geo_greater(to.y, 0) ? 1 : -1;
    if (geo_zero(from.y)) return geo_less(from.x, 0) ? 0 : sign;
    if (sign < 0 ? geo_less(from.y, 0) : geo_greater(from.y, 0)) return 0;
    if (geo_greater_equal(to.x, 0) && geo_greater(from.x, 0)) return 2 * sign;
    if (geo_less(to.x, 0) && geo_less_equal(from.x, 0)) return 0;
    double z = geo_sub(geo, geo_mul(geo, geo_sub(geo, to.x, from.x), to.y),
        geo_mul(geo, geo_sub(geo, to.y, from.y), to.x));
    if (geo_zero(z)) return ON_EDGE;
    return (sign < 0 ? geo_less(z, 0) : geo_greater(z, 0)) ? 0 : 2 * sign;
}

int outline_inside(struct geo *geo, const struct outline *outline, struct point point)
{
    int total = 0;
    if (outline->count == 0) return 0;
    struct point first = point_sub(geo, outline_at(outline, 0), point), before = first;
    for (uint32_t i = 1; i <= outline->count; i++) {
        struct point at = i == outline->count ? first
                                              : point_sub(geo, outline_at(outline, i), point);
        int crossed = crossing(geo, at, before);
        if (crossed == ON_EDGE) return 2;
        total += crossed;
        before = at;
        if (!goes_on(geo, i)) return 0;
    }
    return total != 0 ? 1 : 0;
}

// --- paths ---------------------------------------------------------------------------------------------

// Where its segments begin to end: an open one has none that ends at its first point.
static uint32_t first_end(const struct outline *path)
{
    return path->closed ? 0 : 1;
}

bool path_meet(struct geo *geo, const struct outline *a, const struct outline *b)
{
    struct box x = outline_box(a), y = outline_box(b);
    if (a->count == 0 || b->count == 0 || !box_overlap(&x, &y)) return false;
    for (uint32_t i = first_end(a); i < a->count; i++) {
        struct lseg one = outline_segment(a, i);
        for (uint32_t j = first_end(b); j < b->count; j++) {
            struct lseg other = outline_segment(b, j);
            if (lseg_meet(geo, &one, &other, NULL)) return true;
            if (!goes_on(geo, j)) return false;
        }
        if (!geo_work(geo, POINT_BYTES)) return false;
    }
    return false;
}

bool path_distance(
    struct geo *geo, const struct outline *a, const struct outline *b, double *distance)
{
    bool any = false;
    for (uint32_t i = first_end(a); i < a->count; i++) {
        struct lseg one = outline_segment(a, i);
        for (uint32_t j = first_end(b); j < b->count; j++) {
            struct lseg other = outline_segment(b, j);
            double found = lseg_nearest_lseg(geo, &one, &other, NULL);
            if (!any || real_less(found, *distance)) *distance = found;
            any = true;
            if (!goes_on(geo, j)) return false;
        }
        if (!geo_work(geo, POINT_BYTES)) return false;
    }
    return any;
}

double path_distance_point(struct geo *geo, const struct outline *path, struct point point)
{
    bool any = false;
    double best = 0;
    for (uint32_t i = first_end(path); i < path->count && goes_on(geo, i); i++) {
        struct lseg segment = outline_segment(path, i);
        double found = lseg_nearest(geo, &segment, point, NULL);
        if (!any || real_less(found, best)) best = found;
        any = true;
    }
    return best;
}

double path_length(struct geo *geo, const struct outline *path)
{
    double length = 0;
    for (uint32_t i = first_end(path); i < path->count && goes_on(geo, i); i++) {
        struct lseg segment = outline_segment(path, i);
        length = geo_add(geo, length, lseg_length(geo, &segment));
    }
    return length;
}

bool path_holds(struct geo *geo, const struct outline *path, struct point point)
{
    if (path->closed) return outline_inside(geo, path, point) != 0;
    if (path->count == 0) return false;
    double before = point_distance(geo, point, outline_at(path, 0));
    for (uint32_t i = 1; i < path->count && goes_on(geo, i); i++) {
        struct lseg segment = outline_segment(path, i);
        double behind = point_distance(geo, point, segment.p[1]);
        if (geo_equal(geo_add(geo, before, behind), lseg_length(geo, &segment))) return true;
        before = behind;
    }
    return false;
}

// --- polygons ------------------------------------------------------------------------------------------

// Whether b's points from `start` on, in this direction, are a's.
static bool same_from(struct geo *geo, const struct outline *a, const struct outline *b,
    uint32_t start, bool forward)
{
    uint32_t at = start;
    for (uint32_t i = 1; i < a->count; i++) {
        if (forward) at = at + 1 == b->count ? 0 : at + 1;
        else at = (at == 0 ? b->count : at) - 1;
        if (!point_same(outline_at(b, at), outline_at(a, i)) || !goes_on(geo, i)) return false;
    }
    return true;
}

bool polygon_same(struct geo *geo, const struct outline *a, const struct outline *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < b->count && goes_on(geo, i); i++) {
        if (!point_same(outline_at(b, i), outline_at(a, 0))) continue;
        if (same_from(geo, a, b, i, true) || same_from(geo, a, b, i, false)) return true;
    }
    return false;
}

static bool edges_meet(struct geo *geo, const struct outline *a, const struct outline *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        struct lseg one = outline_segment(a, i);
        for (uint32_t j = 0; j < b->count; j++) {
            struct lseg other = outline_segment(b, j);
            if (lseg_meet(geo, &one, &other, NULL)) return true;
            if (!goes_on(geo, j)) return false;
        }
        if (!geo_work(geo, POINT_BYTES)) return false;
    }
    return false;
}

bool polygon_overlap(struct geo *geo, const struct outline *a, const struct outline *b)
{
    struct box x = outline_box(a), y = outline_box(b);
    if (a->count == 0 || b->count == 0 || !box_overlap(&x, &y)) return false;
    return edges_meet(geo, a, b) || outline_inside(geo, b, outline_at(a, 0)) != 0 ||
           outline_inside(geo, a, outline_at(b, 0)) != 0;
}

// Segments that are still to be looked at, each beginning with one of the polygon's edges.
struct segments {
    struct arena *arena;
    struct part {
        struct lseg lseg;
        uint32_t start;
    } *items;
    uint32_t count, capacity;
};

static void segments_push(
    struct geo *geo, struct segments *segments, struct point a, struct point b, uint32_t start)
{
    if (segments->count == segments->capacity) {
        uint32_t capacity = segments->capacity == 0 ? 16 : 2 * segments->capacity;
        struct part *items =
            arena_try_alloc(segments->arena, capacity * sizeof(struct part));
        if (items == NULL) {
            if (!failed(geo->st)) geo->st = status_make(E_OUT_OF_MEMORY, "out of memory");
            return;
        }
        if (segments->count > 0)
            memcpy(items, segments->items, segments->count * sizeof(struct part));
        segments->items = items;
        segments->capacity = capacity;
    }
    segments->items[segments->count++] = (struct part){{{a, b}}, start};
}

// The segment from a, which lies on `edge`, to b, which does not. Where it goes along the edge, what is beyond is looked at.
static void push_beyond(struct geo *geo, struct segments *segments, struct point a,
    struct point b, const struct lseg *edge, uint32_t start)
{
    struct lseg segment = {{a, b}};
    bool at_first = point_same(a, edge->p[0]), at_second = !at_first && point_same(a, edge->p[1]);
    if (!at_first && lseg_holds(geo, &segment, edge->p[0]))
        segments_push(geo, segments, b, edge->p[0], start);
    else if (!at_second && lseg_holds(geo, &segment, edge->p[1]))
        segments_push(geo, segments, b, edge->p[1], start);
}

// Whether it lies inside, as far as it can be said without those parts of it that are pushed.
static bool part_inside(struct geo *geo, const struct outline *polygon, struct segments *segments,
    const struct part *part)
{
    const struct lseg segment = part->lseg;
    for (uint32_t i = part->start; i < polygon->count; i++) {
        struct point at;
        struct lseg edge = outline_segment(polygon, i);
        bool first = lseg_holds(geo, &edge, segment.p[0]);
        bool second = lseg_holds(geo, &edge, segment.p[1]);
        if (!geo_work(geo, POINT_BYTES)) return false;
        if (first && second) return true;
        if (first || second) {
            push_beyond(geo, segments, segment.p[first ? 0 : 1], segment.p[first ? 1 : 0], &edge,
                i + 1);
        } else if (lseg_meet(geo, &segment, &edge, &at)) {
            // Both parts of it are looked at instead.
            segments_push(geo, segments, segment.p[1], at, i + 1);
            segments_push(geo, segments, segment.p[0], at, i + 1);
            return true;
        }
    }
    return outline_inside(geo, polygon, point_middle(geo, segment.p[0], segment.p[1])) != 0;
}

bool polygon_contain(struct geo *geo, const struct outline *polygon, const struct outline *within)
{
    struct box outer = outline_box(polygon), inner = outline_box(within);
    struct segments segments = {.arena = geo->call->arena};
    if (polygon->count == 0 || within->count == 0 || !box_contain(&outer, &inner)) return false;
    for (uint32_t i = 0; i < within->count; i++) {
        struct lseg edge = outline_segment(within, i);
        segments_push(geo, &segments, edge.p[0], edge.p[1], 0);
        while (segments.count > 0 && !failed(geo->st)) {
            struct part part = segments.items[--segments.count];
            if (!part_inside(geo, polygon, &segments, &part)) return false;
        }
        if (failed(geo->st)) return false;
    }
    return true;
}

double polygon_distance_point(struct geo *geo, const struct outline *polygon, struct point point)
{
    if (polygon->count == 0 || outline_inside(geo, polygon, point) != 0) return 0;
    struct lseg edge = {{outline_at(polygon, 0), outline_at(polygon, polygon->count - 1)}};
    double best = lseg_nearest(geo, &edge, point, NULL);
    for (uint32_t i = 1; i < polygon->count && goes_on(geo, i); i++) {
        edge = outline_segment(polygon, i);
        double distance = lseg_nearest(geo, &edge, point, NULL);
        if (real_less(distance, best)) best = distance;
    }
    return best;
}

struct circle polygon_circle(struct geo *geo, const struct outline *polygon)
{
    struct circle circle = {0};
    double count = (double)polygon->count;
    for (uint32_t i = 0; i < polygon->count && goes_on(geo, i); i++)
        circle.center = point_add(geo, circle.center, outline_at(polygon, i));
    circle.center.x = geo_div(geo, circle.center.x, count);
    circle.center.y = geo_div(geo, circle.center.y, count);
    for (uint32_t i = 0; i < polygon->count && goes_on(geo, i); i++)
        circle.radius = geo_add(geo, circle.radius,
            point_distance(geo, outline_at(polygon, i), circle.center));
    circle.radius = geo_div(geo, circle.radius, count);
    return circle;
}
