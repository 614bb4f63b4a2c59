// SPDX-License-Identifier: GPL-3.0-or-later
//
// Points, lines, segments, boxes, paths, polygons and circles: their values and what is computed of them.
//
//   point      two doubles: x, y                        line    three: a, b, c of ax + by + c = 0
//   lseg       four: both ends                          box     four: the corner above on the right, the one below on the left
//   circle     three: x, y, radius                      polygon two for each point
//   path       a byte, 1 when it is closed; then as a polygon
//
// Numbers are as the machine has them. Two that are no further apart than GEO_EPSILON count as equal, unless said otherwise.
//
// Shard    geo_work may suspend; the rest is pure.
// Memory   What is opened points into the value; results lie in the arena given.
// Errors   22003 overflow and underflow, 22012: they stay in struct geo, and what follows is computed with some number
//          or other, so that whoever began asks once, at the end.
// Source   PostgreSQL 15 manual, sections 8.8 and 9.11; that results are the same to the last bit is tested.
#pragma once
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"

struct function_call;

struct point {
    double x, y;
};
struct line {
    double a, b, c;
};
struct lseg {
    struct point p[2];
};
struct box {
    struct point high, low;
};
struct circle {
    struct point center;
    double radius;
};
// A path or a polygon.
struct outline {
    const uint8_t *points; // Not aligned.
    uint32_t count;
    bool closed;
};
#define POINT_BYTES ((uint32_t)sizeof(struct point))
static_assert(sizeof(struct lseg) == 4 * sizeof(double) && sizeof(struct line) == 3 * sizeof(double) &&
                  sizeof(struct box) == 4 * sizeof(double) && sizeof(struct circle) == 3 * sizeof(double),
    "they are stored as they are");

// --- values --------------------------------------------------------------------------------------------

static inline struct datum geo_datum(struct arena *arena, const void *value, uint32_t size)
{
    uint8_t *data = arena_alloc(arena, size);
    memcpy(data, value, size);
    return datum_bytes(bytes_of(data, size));
}
#define GEO_DATUM(arena, value) geo_datum(arena, &(value), sizeof(value))

// Values of another size come from damaged data alone; what lacks is zero.
static inline void geo_load(struct datum value, void *to, uint32_t size)
{
    memset(to, 0, size);
    memcpy(to, value.data, value.size < size ? value.size : size);
}
#define GEO_OPEN(name) \
    static inline struct name name##_open(struct datum value) \
    { \
        struct name opened; \
        geo_load(value, &opened, sizeof opened); \
        return opened; \
    }
GEO_OPEN(point)
GEO_OPEN(line)
GEO_OPEN(lseg)
GEO_OPEN(box)
GEO_OPEN(circle)

struct outline path_open(struct datum value);
struct outline polygon_open(struct datum value);
static inline struct point outline_at(const struct outline *outline, uint32_t index)
{
    struct point point;
    memcpy(&point, outline->points + (size_t)index * POINT_BYTES, sizeof point);
    return point;
}
// The segment that ends at point `index`; the first one ends where the last point lies.
static inline struct lseg outline_segment(const struct outline *outline, uint32_t index)
{
    uint32_t before = (index == 0 ? outline->count : index) - 1;
    return (struct lseg){{outline_at(outline, before), outline_at(outline, index)}};
}

// Room for a path's or a polygon's points, to be filled in. 54000 too many, 53200.
struct outline_maker {
    struct datum value;
    uint8_t *points;
};
CHECKED struct status outline_make(struct arena *arena, bool path, bool closed, uint64_t count,
    struct outline_maker *maker);
static inline void outline_put(struct outline_maker *maker, uint32_t index, struct point point)
{
    memcpy(maker->points + (size_t)index * POINT_BYTES, &point, sizeof point);
}

// --- comparing -----------------------------------------------------------------------------------------

#define GEO_EPSILON 1.0E-06

static inline bool geo_zero(double a) { return fabs(a) <= GEO_EPSILON; }
static inline bool geo_equal(double a, double b) { return a == b || fabs(a - b) <= GEO_EPSILON; }
static inline bool geo_differ(double a, double b) { return a != b && fabs(a - b) > GEO_EPSILON; }
static inline bool geo_less(double a, double b) { return a + GEO_EPSILON < b; }
static inline bool geo_less_equal(double a, double b) { return a <= b + GEO_EPSILON; }
static inline bool geo_greater(double a, double b) { return a > b + GEO_EPSILON; }
static inline bool geo_greater_equal(double a, double b) { return a + GEO_EPSILON >= b; }
// Exactly, and NaN is equal to itself and greater than all others.
static inline bool real_equal(double a, double b) { return isnan(a) ? isnan(b) : a == b; }
static inline bool real_less(double a, double b) { return !isnan(a) && (isnan(b) || a < b); }
static inline double real_min(double a, double b) { return real_less(a, b) ? a : b; }
static inline double real_max(double a, double b) { return real_less(b, a) ? a : b; }

// --- computing -----------------------------------------------------------------------------------------

struct geo {
    struct function_call *call; // NULL: what is short.
    struct status st;           // The first failure.
};

// So many bytes of points are looked at. False: it is to end.
bool geo_work(struct geo *geo, uint64_t bytes);
double geo_add(struct geo *geo, double a, double b);
double geo_sub(struct geo *geo, double a, double b);
double geo_mul(struct geo *geo, double a, double b);
double geo_div(struct geo *geo, double a, double b);
double geo_hypot(struct geo *geo, double x, double y);

bool point_same(struct point a, struct point b);
double point_distance(struct geo *geo, struct point a, struct point b);
double point_slope(struct geo *geo, struct point a, struct point b);
double point_inverse_slope(struct geo *geo, struct point a, struct point b);
struct point point_add(struct geo *geo, struct point a, struct point b);
struct point point_sub(struct geo *geo, struct point a, struct point b);
struct point point_mul(struct geo *geo, struct point a, struct point b); // As complex numbers.
struct point point_div(struct geo *geo, struct point a, struct point b);
struct point point_middle(struct geo *geo, struct point a, struct point b);

struct line line_make(struct geo *geo, struct point point, double slope);
double line_slope(struct geo *geo, const struct line *line);
double line_inverse_slope(struct geo *geo, const struct line *line);
bool line_holds(struct geo *geo, const struct line *line, struct point point);
// Where they meet; false: they are parallel. `at` may be NULL here and below.
bool line_meet(struct geo *geo, const struct line *a, const struct line *b, struct point *at);
// The distance; NaN when there is none, as of numbers that are none.
double line_nearest(struct geo *geo, const struct line *line, struct point point, struct point *at);

double lseg_slope(struct geo *geo, const struct lseg *lseg);
double lseg_length(struct geo *geo, const struct lseg *lseg);
bool lseg_holds(struct geo *geo, const struct lseg *lseg, struct point point);
bool lseg_meet_line(
    struct geo *geo, const struct lseg *lseg, const struct line *line, struct point *at);
bool lseg_meet(struct geo *geo, const struct lseg *a, const struct lseg *b, struct point *at);
// The point of the segment that is nearest to what is named, and its distance.
double lseg_nearest(struct geo *geo, const struct lseg *lseg, struct point point, struct point *at);
double lseg_nearest_line(
    struct geo *geo, const struct lseg *lseg, const struct line *line, struct point *at);
double lseg_nearest_lseg(
    struct geo *geo, const struct lseg *lseg, const struct lseg *to, struct point *at);

struct box box_make(struct point a, struct point b);
bool box_overlap(const struct box *a, const struct box *b);
bool box_holds(const struct box *box, struct point point); // Exactly.
bool box_contain(const struct box *box, const struct box *within);
double box_area(struct geo *geo, const struct box *box);
struct point box_center(struct geo *geo, const struct box *box);
bool box_meet_line(struct geo *geo, const struct box *box, const struct line *line);
bool box_meet_lseg(
    struct geo *geo, const struct box *box, const struct lseg *lseg, struct point *at);
double box_nearest(struct geo *geo, const struct box *box, struct point point, struct point *at);
double box_nearest_lseg(
    struct geo *geo, const struct box *box, const struct lseg *lseg, struct point *at);

// Of paths and polygons: sql/type/outline.c.
struct box outline_box(const struct outline *outline);
// Of what is closed: 0 outside, 1 inside, 2 on its edge.
int outline_inside(struct geo *geo, const struct outline *outline, struct point point);
bool path_meet(struct geo *geo, const struct outline *a, const struct outline *b);
// Of two paths, each open or closed. False: a path of one point has no segments.
bool path_distance(
    struct geo *geo, const struct outline *a, const struct outline *b, double *distance);
double path_distance_point(struct geo *geo, const struct outline *path, struct point point);
double path_length(struct geo *geo, const struct outline *path);
bool path_holds(struct geo *geo, const struct outline *path, struct point point);
bool polygon_same(struct geo *geo, const struct outline *a, const struct outline *b);
bool polygon_overlap(struct geo *geo, const struct outline *a, const struct outline *b);
bool polygon_contain(struct geo *geo, const struct outline *polygon, const struct outline *within);
double polygon_distance_point(struct geo *geo, const struct outline *polygon, struct point point);
struct circle polygon_circle(struct geo *geo, const struct outline *polygon);

// --- parts ---------------------------------------------------------------------------------------------

struct function;
// Functions that only the binder calls, for values with parts (type_part); parts are numbered from 0.
extern const struct function geometry_part;        // (value, number) -> the part; NULL: there is none.
extern const struct function geometry_assign_part; // (value, number, part) -> the value, changed. 2202E
