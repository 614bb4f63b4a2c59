// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions and operators of paths, polygons and circles.
#include "sql/function/cast_functions.h"
#include "sql/function/geometry_bodies.h"

// Of what is made point by point: `each` from the point p of `from`.
#define MAP_POINTS(name, each) \
    BODY(name) \
    { \
        struct status st; \
        GEO_BEGIN; \
        ARG_path(from, 0); \
        ARG_point(b, 1); \
        struct outline_maker maker; \
        TRY(outline_make(call->arena, true, from.closed, from.count, &maker)); \
        for (uint32_t i = 0; i < from.count; i++) { \
            struct point p = outline_at(&from, i); \
            outline_put(&maker, i, each); \
            if ((i & 255u) == 255u && !geo_work(g, 256u * 16u)) break; \
        } \
        *result = maker.value; \
        st = g->st; \
    out: \
        return st; \
    }

// --- paths ---------------------------------------------------------------------------------------------

MAP_POINTS(path_add_pt, point_add(g, p, b))
MAP_POINTS(path_sub_pt, point_sub(g, p, b))
MAP_POINTS(path_mul_pt, point_mul(g, p, b))
MAP_POINTS(path_div_pt, point_div(g, p, b))

static struct status copy_points(struct function_call *call, const struct outline *from, bool path,
    bool closed, struct datum *result)
{
    struct outline_maker maker;
    struct status st = outline_make(call->arena, path, closed, from->count, &maker);
    if (failed(st)) return st;
    memcpy(maker.points, from->points, (size_t)from->count * POINT_BYTES);
    *result = maker.value;
    return st;
}

BODY(path_close)
{
    ARG_path(a, 0);
    return copy_points(call, &a, true, true, result);
}

BODY(path_open_up)
{
    ARG_path(a, 0);
    return copy_points(call, &a, true, false, result);
}

CAST_BODY(cast_path_to_polygon)
{
    ARG_path(a, 0);
    if (!a.closed)
        return status_make(
            E_INVALID_PARAMETER_VALUE, "open path cannot be converted to polygon");
    return copy_points(call, &a, false, true, result);
}

CAST_BODY(cast_polygon_to_path)
{
    ARG_polygon(a, 0);
    return copy_points(call, &a, true, true, result);
}

// Two open ones, one behind the other.
BODY(path_add)
{
    ARG_path(a, 0);
    ARG_path(b, 1);
    struct outline_maker maker;
    *result = DATUM_NULL;
    if (a.closed || b.closed) return STATUS_OK;
    struct status st =
        outline_make(call->arena, true, false, (uint64_t)a.count + b.count, &maker);
    if (failed(st)) return st;
    memcpy(maker.points, a.points, (size_t)a.count * POINT_BYTES);
    memcpy(maker.points + (size_t)a.count * POINT_BYTES, b.points, (size_t)b.count * POINT_BYTES);
    *result = maker.value;
    return st;
}

BODY(path_area)
{
    GEO_BEGIN;
    ARG_path(a, 0);
    double area = 0;
    *result = DATUM_NULL;
    if (!a.closed) return STATUS_OK;
    for (uint32_t i = 0; i < a.count; i++) {
        struct point p = outline_at(&a, i), next = outline_at(&a, i + 1 == a.count ? 0 : i + 1);
        area = geo_add(g, area, geo_mul(g, p.x, next.y));
        area = geo_sub(g, area, geo_mul(g, p.y, next.x));
        if ((i & 255u) == 255u && !geo_work(g, 256u * 16u)) break;
    }
    *result = datum_real(geo_div(g, fabs(area), 2.0));
    return g->st;
}

BODY(path_apart)
{
    GEO_BEGIN;
    ARG_path(a, 0);
    ARG_path(b, 1);
    double distance;
    *result = path_distance(g, &a, &b, &distance) ? datum_real(distance) : DATUM_NULL;
    return g->st;
}

OF_TWO(path_n_lt, path, path, truth, a.count < b.count)
OF_TWO(path_n_le, path, path, truth, a.count <= b.count)
OF_TWO(path_n_eq, path, path, truth, a.count == b.count)
OF_TWO(path_n_ge, path, path, truth, a.count >= b.count)
OF_TWO(path_n_gt, path, path, truth, a.count > b.count)
OF_ONE(path_isclosed, path, truth, a.closed)
OF_ONE(path_isopen, path, truth, !a.closed)
OF_ONE(path_npoints, path, int, a.count)
OF_ONE(path_long, path, real, path_length(g, &a))
OF_TWO(path_inter, path, path, truth, path_meet(g, &a, &b))
OF_TWO(dist_pathp, path, point, real, path_distance_point(g, &a, b))
OF_TWO(dist_ppath, point, path, real, path_distance_point(g, &b, a))
OF_TWO(on_ppath, point, path, truth, path_holds(g, &b, a))
OF_TWO(path_contain_pt, path, point, truth, path_holds(g, &a, b))

// --- polygons ------------------------------------------------------------------------------------------

// By the boxes around them, x and y, exactly.
#define BY_BOX(name, relation) \
    BODY(name) \
    { \
        ARG_polygon(a, 0); \
        ARG_polygon(b, 1); \
        struct box x = outline_box(&a), y = outline_box(&b); \
        (void)call; \
        PUT_truth(relation); \
        return STATUS_OK; \
    }
BY_BOX(poly_left, x.high.x < y.low.x)
BY_BOX(poly_overleft, x.high.x <= y.high.x)
BY_BOX(poly_right, x.low.x > y.high.x)
BY_BOX(poly_overright, x.low.x >= y.low.x)
BY_BOX(poly_below, x.high.y < y.low.y)
BY_BOX(poly_overbelow, x.high.y <= y.high.y)
BY_BOX(poly_above, x.low.y > y.high.y)
BY_BOX(poly_overabove, x.low.y >= y.low.y)
OF_TWO(poly_same, polygon, polygon, truth, polygon_same(g, &a, &b))
OF_TWO(poly_overlap, polygon, polygon, truth, polygon_overlap(g, &a, &b))
OF_TWO(poly_contain, polygon, polygon, truth, polygon_contain(g, &a, &b))
OF_TWO(poly_contained, polygon, polygon, truth, polygon_contain(g, &b, &a))
OF_TWO(poly_contain_pt, polygon, point, truth, outline_inside(g, &a, b) != 0)
OF_TWO(pt_contained_poly, point, polygon, truth, outline_inside(g, &b, a) != 0)
OF_TWO(dist_polyp, polygon, point, real, polygon_distance_point(g, &a, b))
OF_TWO(dist_ppoly, point, polygon, real, polygon_distance_point(g, &b, a))
OF_ONE(poly_npoints, polygon, int, a.count)
CAST_OF_ONE(cast_polygon_to_point, polygon, point, polygon_circle(g, &a).center)
CAST_OF_ONE(cast_polygon_to_circle, polygon, circle, polygon_circle(g, &a))
CAST_OF_ONE(cast_polygon_to_box, polygon, box, outline_box(&a))

BODY(poly_distance)
{
    GEO_BEGIN;
    ARG_polygon(a, 0);
    ARG_polygon(b, 1);
    double distance = 0;
    bool known = polygon_overlap(g, &a, &b) || path_distance(g, &a, &b, &distance);
    *result = known ? datum_real(distance) : DATUM_NULL;
    return g->st;
}

CAST_BODY(cast_box_to_polygon)
{
    ARG_box(a, 0);
    struct point corners[] = {a.low, {a.low.x, a.high.y}, a.high, {a.high.x, a.low.y}};
    *result = geo_datum(call->arena, corners, sizeof corners);
    return STATUS_OK;
}

static struct status round_polygon(
    struct function_call *call, int64_t count, struct circle circle, struct datum *result)
{
    struct status st;
    GEO_BEGIN;
    struct outline_maker maker;
    if (geo_zero(circle.radius))
        return status_make(
            E_FEATURE_NOT_SUPPORTED, "cannot convert circle with radius zero to polygon");
    if (count < 2)
        return status_make(E_INVALID_PARAMETER_VALUE, "must request at least 2 points");
    TRY(outline_make(call->arena, false, true, (uint64_t)count, &maker));
    double step = geo_div(g, 2.0 * M_PI, (double)count);
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        double angle = geo_mul(g, step, i);
        double x = geo_mul(g, circle.radius, cos(angle)), y = geo_mul(g, circle.radius, sin(angle));
        outline_put(&maker, i,
            (struct point){geo_sub(g, circle.center.x, x), geo_add(g, circle.center.y, y)});
        if ((i & 255u) == 255u && !geo_work(g, 256u * 64u)) break;
    }
    *result = maker.value;
    st = g->st;
out:
    return st;
}

BODY(circle_poly)
{
    return round_polygon(call, args[0].integer, circle_open(args[1]), result);
}

CAST_BODY(cast_circle_to_polygon)
{
    return round_polygon(call, 12, circle_open(args[0]), result);
}

// --- circles -------------------------------------------------------------------------------------------

static double circle_ar(struct geo *g, const struct circle *circle)
{
    return geo_mul(g, geo_mul(g, circle->radius, circle->radius), M_PI);
}

static bool circle_is(const struct circle *a, const struct circle *b)
{
    return ((isnan(a->radius) && isnan(b->radius)) || geo_equal(a->radius, b->radius)) &&
           point_same(a->center, b->center);
}

// What is left of the distance of the centers.
static double circle_apart(struct geo *g, double distance, double radius)
{
    double apart = geo_sub(g, distance, radius);
    return apart < 0 ? 0 : apart;
}

#define CENTERS point_distance(g, a.center, b.center)
#define LOW(circle, axis) geo_sub(g, circle.center.axis, circle.radius)
#define HIGH(circle, axis) geo_add(g, circle.center.axis, circle.radius)
#define BY_AREA(name, relation) \
    OF_TWO(name, circle, circle, truth, relation(circle_ar(g, &a), circle_ar(g, &b)))
BY_AREA(circle_lt, geo_less)
BY_AREA(circle_le, geo_less_equal)
BY_AREA(circle_gt, geo_greater)
BY_AREA(circle_ge, geo_greater_equal)
BY_AREA(circle_eq, geo_equal)
BY_AREA(circle_ne, geo_differ)
OF_TWO(circle_same, circle, circle, truth, circle_is(&a, &b))
OF_TWO(circle_overlap, circle, circle, truth,
    geo_less_equal(CENTERS, geo_add(g, a.radius, b.radius)))
OF_TWO(circle_left, circle, circle, truth, geo_less(HIGH(a, x), LOW(b, x)))
OF_TWO(circle_overleft, circle, circle, truth, geo_less_equal(HIGH(a, x), HIGH(b, x)))
OF_TWO(circle_right, circle, circle, truth, geo_greater(LOW(a, x), HIGH(b, x)))
OF_TWO(circle_overright, circle, circle, truth, geo_greater_equal(LOW(a, x), LOW(b, x)))
OF_TWO(circle_below, circle, circle, truth, geo_less(HIGH(a, y), LOW(b, y)))
OF_TWO(circle_overbelow, circle, circle, truth, geo_less_equal(HIGH(a, y), HIGH(b, y)))
OF_TWO(circle_above, circle, circle, truth, geo_greater(LOW(a, y), HIGH(b, y)))
OF_TWO(circle_overabove, circle, circle, truth, geo_greater_equal(LOW(a, y), LOW(b, y)))
OF_TWO(circle_contain, circle, circle, truth,
    geo_less_equal(CENTERS, geo_sub(g, a.radius, b.radius)))
OF_TWO(circle_contained, circle, circle, truth,
    geo_less_equal(CENTERS, geo_sub(g, b.radius, a.radius)))
OF_TWO(circle_contain_pt, circle, point, truth, point_distance(g, a.center, b) <= a.radius)
OF_TWO(pt_contained_circle, point, circle, truth, point_distance(g, b.center, a) <= b.radius)
OF_TWO(circle_distance, circle, circle, real,
    circle_apart(g, CENTERS, geo_add(g, a.radius, b.radius)))
OF_TWO(dist_pc, point, circle, real, circle_apart(g, point_distance(g, a, b.center), b.radius))
OF_TWO(dist_cpoint, circle, point, real,
    circle_apart(g, point_distance(g, b, a.center), a.radius))
OF_TWO(dist_cpoly, circle, polygon, real,
    circle_apart(g, polygon_distance_point(g, &b, a.center), a.radius))
OF_TWO(dist_polyc, polygon, circle, real,
    circle_apart(g, polygon_distance_point(g, &a, b.center), b.radius))
OF_TWO(circle_add_pt, circle, point, circle,
    ((struct circle){point_add(g, a.center, b), a.radius}))
OF_TWO(circle_sub_pt, circle, point, circle,
    ((struct circle){point_sub(g, a.center, b), a.radius}))
OF_TWO(circle_mul_pt, circle, point, circle,
    ((struct circle){point_mul(g, a.center, b), geo_mul(g, a.radius, geo_hypot(g, b.x, b.y))}))
OF_TWO(circle_div_pt, circle, point, circle,
    ((struct circle){point_div(g, a.center, b), geo_div(g, a.radius, geo_hypot(g, b.x, b.y))}))
OF_TWO(cr_circle, point, real, circle, ((struct circle){a, b}))
OF_ONE(circle_area, circle, real, circle_ar(g, &a))
OF_ONE(circle_diameter, circle, real, geo_mul(g, a.radius, 2.0))
OF_ONE(circle_radius, circle, real, a.radius)
CAST_OF_ONE(cast_circle_to_point, circle, point, a.center)

CAST_BODY(cast_circle_to_box)
{
    GEO_BEGIN;
    ARG_circle(a, 0);
    double half = geo_div(g, a.radius, sqrt(2.0));
    PUT_box(((struct box){{geo_add(g, a.center.x, half), geo_add(g, a.center.y, half)},
        {geo_sub(g, a.center.x, half), geo_sub(g, a.center.y, half)}}));
    return g->st;
}

CAST_BODY(cast_box_to_circle)
{
    GEO_BEGIN;
    ARG_box(a, 0);
    struct point center = box_center(g, &a);
    PUT_circle(((struct circle){center, point_distance(g, center, a.high)}));
    return g->st;
}

// clang-format off
static const struct function table[] = {
    SCALAR("area", 979, FLOAT8, path_area, TYPE_PATH),
    SCALAR("area", 1468, FLOAT8, circle_area, TYPE_CIRCLE),
    SCALAR("center", 1543, POINT, cast_circle_to_point, TYPE_CIRCLE),
    SCALAR("circle", 1473, CIRCLE, cr_circle, TYPE_POINT, TYPE_FLOAT8),
    SCALAR("diameter", 1469, FLOAT8, circle_diameter, TYPE_CIRCLE),
    SCALAR("isclosed", 1430, BOOL, path_isclosed, TYPE_PATH),
    SCALAR("isopen", 1431, BOOL, path_isopen, TYPE_PATH),
    SCALAR("length", 1531, FLOAT8, path_long, TYPE_PATH),
    SCALAR("npoints", 1545, INT4, path_npoints, TYPE_PATH),
    SCALAR("npoints", 1556, INT4, poly_npoints, TYPE_POLYGON),
    SCALAR("pclose", 1433, PATH, path_close, TYPE_PATH),
    SCALAR("polygon", 1475, POLYGON, circle_poly, TYPE_INT4, TYPE_CIRCLE),
    SCALAR("popen", 1434, PATH, path_open_up, TYPE_PATH),
    SCALAR("radius", 1470, FLOAT8, circle_radius, TYPE_CIRCLE),
    OPERATOR("#", 797, INT4, path_npoints, NULL, NULL, TYPE_PATH),
    OPERATOR("#", 1521, INT4, poly_npoints, NULL, NULL, TYPE_POLYGON),
    OPERATOR("&&", 492, BOOL, poly_overlap, "&&", NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("&&", 1513, BOOL, circle_overlap, "&&", NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("&<", 486, BOOL, poly_overleft, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("&<", 1507, BOOL, circle_overleft, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("&<|", 2575, BOOL, poly_overbelow, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("&<|", 2589, BOOL, circle_overbelow, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("&>", 487, BOOL, poly_overright, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("&>", 1508, BOOL, circle_overright, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("*", 738, PATH, path_mul_pt, NULL, NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("*", 1518, CIRCLE, circle_mul_pt, NULL, NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("+", 735, PATH, path_add, "+", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("+", 736, PATH, path_add_pt, NULL, NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("+", 1516, CIRCLE, circle_add_pt, NULL, NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("-", 737, PATH, path_sub_pt, NULL, NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("-", 1517, CIRCLE, circle_sub_pt, NULL, NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("/", 739, PATH, path_div_pt, NULL, NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("/", 1519, CIRCLE, circle_div_pt, NULL, NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("<", 793, BOOL, path_n_lt, ">", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("<", 1502, BOOL, circle_lt, ">", ">=", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<->", 618, FLOAT8, dist_ppath, "<->", NULL, TYPE_POINT, TYPE_PATH),
    OPERATOR("<->", 707, FLOAT8, path_apart, "<->", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("<->", 712, FLOAT8, poly_distance, "<->", NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("<->", 784, FLOAT8, dist_pathp, "<->", NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("<->", 1383, FLOAT8, dist_polyc, "<->", NULL, TYPE_POLYGON, TYPE_CIRCLE),
    OPERATOR("<->", 1520, FLOAT8, circle_distance, "<->", NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<->", 1522, FLOAT8, dist_pc, "<->", NULL, TYPE_POINT, TYPE_CIRCLE),
    OPERATOR("<->", 1523, FLOAT8, dist_cpoly, "<->", NULL, TYPE_CIRCLE, TYPE_POLYGON),
    OPERATOR("<->", 3276, FLOAT8, dist_ppoly, "<->", NULL, TYPE_POINT, TYPE_POLYGON),
    OPERATOR("<->", 3289, FLOAT8, dist_polyp, "<->", NULL, TYPE_POLYGON, TYPE_POINT),
    OPERATOR("<->", 3291, FLOAT8, dist_cpoint, "<->", NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("<<", 485, BOOL, poly_left, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("<<", 1506, BOOL, circle_left, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<<|", 1515, BOOL, circle_below, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<<|", 2574, BOOL, poly_below, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("<=", 795, BOOL, path_n_le, ">=", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("<=", 1504, BOOL, circle_le, ">=", ">", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<>", 1501, BOOL, circle_ne, "<>", "=", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("<@", 489, BOOL, poly_contained, "@>", NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("<@", 512, BOOL, on_ppath, "@>", NULL, TYPE_POINT, TYPE_PATH),
    OPERATOR("<@", 756, BOOL, pt_contained_poly, "@>", NULL, TYPE_POINT, TYPE_POLYGON),
    OPERATOR("<@", 758, BOOL, pt_contained_circle, "@>", NULL, TYPE_POINT, TYPE_CIRCLE),
    OPERATOR("<@", 1510, BOOL, circle_contained, "@>", NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("=", 792, BOOL, path_n_eq, "=", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("=", 1500, BOOL, circle_eq, "=", "<>", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR(">", 794, BOOL, path_n_gt, "<", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR(">", 1503, BOOL, circle_gt, "<", "<=", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR(">=", 796, BOOL, path_n_ge, "<=", NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR(">=", 1505, BOOL, circle_ge, "<=", "<", TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR(">>", 488, BOOL, poly_right, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR(">>", 1509, BOOL, circle_right, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("?#", 798, BOOL, path_inter, NULL, NULL, TYPE_PATH, TYPE_PATH),
    OPERATOR("@-@", 799, FLOAT8, path_long, NULL, NULL, TYPE_PATH),
    OPERATOR("@>", 490, BOOL, poly_contain, "<@", NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("@>", 755, BOOL, path_contain_pt, "<@", NULL, TYPE_PATH, TYPE_POINT),
    OPERATOR("@>", 757, BOOL, poly_contain_pt, "<@", NULL, TYPE_POLYGON, TYPE_POINT),
    OPERATOR("@>", 759, BOOL, circle_contain_pt, "<@", NULL, TYPE_CIRCLE, TYPE_POINT),
    OPERATOR("@>", 1511, BOOL, circle_contain, "<@", NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("@@", 971, POINT, cast_polygon_to_point, NULL, NULL, TYPE_POLYGON),
    OPERATOR("@@", 1420, POINT, cast_circle_to_point, NULL, NULL, TYPE_CIRCLE),
    OPERATOR("|&>", 2576, BOOL, poly_overabove, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("|&>", 2590, BOOL, circle_overabove, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("|>>", 1514, BOOL, circle_above, NULL, NULL, TYPE_CIRCLE, TYPE_CIRCLE),
    OPERATOR("|>>", 2577, BOOL, poly_above, NULL, NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("~=", 491, BOOL, poly_same, "~=", NULL, TYPE_POLYGON, TYPE_POLYGON),
    OPERATOR("~=", 1512, BOOL, circle_same, "~=", NULL, TYPE_CIRCLE, TYPE_CIRCLE),
};
// clang-format on

void functions_outline_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
