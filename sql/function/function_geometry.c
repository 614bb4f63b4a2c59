// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions and operators of points, lines, segments and boxes.
#include "sql/function/cast_functions.h"
#include "sql/function/geometry_bodies.h"

// --- points --------------------------------------------------------------------------------------------

OF_TWO(construct_point, real, real, point, ((struct point){a, b}))
OF_TWO(point_eq, point, point, truth, point_same(a, b))
OF_TWO(point_ne, point, point, truth, !point_same(a, b))
OF_TWO(point_left, point, point, truth, geo_less(a.x, b.x))
OF_TWO(point_right, point, point, truth, geo_greater(a.x, b.x))
OF_TWO(point_above, point, point, truth, geo_greater(a.y, b.y))
OF_TWO(point_below, point, point, truth, geo_less(a.y, b.y))
OF_TWO(point_vert, point, point, truth, geo_equal(a.x, b.x))
OF_TWO(point_horiz, point, point, truth, geo_equal(a.y, b.y))
OF_TWO(point_apart, point, point, real, point_distance(g, a, b))
OF_TWO(slope, point, point, real, point_slope(g, a, b))
OF_TWO(point_plus, point, point, point, point_add(g, a, b))
OF_TWO(point_minus, point, point, point, point_sub(g, a, b))
OF_TWO(point_times, point, point, point, point_mul(g, a, b))
OF_TWO(point_over, point, point, point, point_div(g, a, b))
OF_TWO(on_pl, point, line, truth, line_holds(g, &b, a))
OF_TWO(on_ps, point, lseg, truth, lseg_holds(g, &b, a))
OF_TWO(on_pb, point, box, truth, box_holds(&b, a))
OF_TWO(dist_pl, point, line, real, line_nearest(g, &b, a, NULL))
OF_TWO(dist_ps, point, lseg, real, lseg_nearest(g, &b, a, NULL))
OF_TWO(dist_pb, point, box, real, box_nearest(g, &b, a, NULL))
OF_TWO(close_pl, point, line, nearest, line_nearest(g, &b, a, &at))
OF_TWO(close_ps, point, lseg, nearest, lseg_nearest(g, &b, a, &at))
OF_TWO(close_pb, point, box, nearest, box_nearest(g, &b, a, &at))

// --- lines ---------------------------------------------------------------------------------------------

// What the second line's numbers are multiplied by to be the first's, if they are the same line.
static double line_ratio(struct geo *g, const struct line *a, const struct line *b)
{
    if (!geo_zero(b->a)) return geo_div(g, a->a, b->a);
    if (!geo_zero(b->b)) return geo_div(g, a->b, b->b);
    return geo_zero(b->c) ? 1 : geo_div(g, a->c, b->c);
}

static bool line_is_number(const struct line *line)
{
    return !isnan(line->a) && !isnan(line->b) && !isnan(line->c);
}

static bool line_same(struct geo *g, const struct line *a, const struct line *b)
{
    if (!line_is_number(a) || !line_is_number(b))
        return real_equal(a->a, b->a) && real_equal(a->b, b->b) && real_equal(a->c, b->c);
    double ratio = line_ratio(g, a, b);
    return geo_equal(a->a, geo_mul(g, ratio, b->a)) && geo_equal(a->b, geo_mul(g, ratio, b->b)) &&
           geo_equal(a->c, geo_mul(g, ratio, b->c));
}

static bool line_across(struct geo *g, const struct line *a, const struct line *b)
{
    if (geo_zero(a->a)) return geo_zero(b->b);
    if (geo_zero(b->a)) return geo_zero(a->b);
    if (geo_zero(a->b)) return geo_zero(b->a);
    if (geo_zero(b->b)) return geo_zero(a->a);
    return geo_equal(geo_div(g, geo_mul(g, a->a, b->a), geo_mul(g, a->b, b->b)), -1.0);
}

// Whether both can be divided by each other.
static bool divides(double a, double b)
{
    return !geo_zero(a) && !isnan(a) && !geo_zero(b) && !isnan(b);
}

static double line_apart(struct geo *g, const struct line *a, const struct line *b)
{
    double ratio = 1;
    if (line_meet(g, a, b, NULL)) return 0;
    if (divides(a->a, b->a)) ratio = geo_div(g, a->a, b->a);
    else if (divides(a->b, b->b)) ratio = geo_div(g, a->b, b->b);
    return geo_div(
        g, fabs(geo_sub(g, a->c, geo_mul(g, ratio, b->c))), geo_hypot(g, a->a, a->b));
}

BODY(line_construct_pp)
{
    GEO_BEGIN;
    ARG_point(a, 0);
    ARG_point(b, 1);
    if (point_same(a, b))
        return status_make(E_INVALID_PARAMETER_VALUE,
            "invalid line specification: must be two distinct points");
    PUT_line(line_make(g, a, point_slope(g, a, b)));
    return g->st;
}

BODY(line_interpt)
{
    GEO_BEGIN;
    ARG_line(a, 0);
    ARG_line(b, 1);
    struct point at;
    *result = line_meet(g, &a, &b, &at) ? GEO_DATUM(call->arena, at) : DATUM_NULL;
    return g->st;
}

OF_TWO(line_eq, line, line, truth, line_same(g, &a, &b))
OF_TWO(line_intersect, line, line, truth, line_meet(g, &a, &b, NULL))
OF_TWO(line_parallel, line, line, truth, !line_meet(g, &a, &b, NULL))
OF_TWO(line_perp, line, line, truth, line_across(g, &a, &b))
OF_ONE(line_vertical, line, truth, geo_zero(a.b))
OF_ONE(line_horizontal, line, truth, geo_zero(a.a))
OF_TWO(line_distance, line, line, real, line_apart(g, &a, &b))
OF_TWO(dist_lp, line, point, real, line_nearest(g, &a, b, NULL))
OF_TWO(dist_ls, line, lseg, real, lseg_nearest_line(g, &b, &a, NULL))
OF_TWO(inter_lb, line, box, truth, box_meet_line(g, &b, &a))
OF_TWO(close_ls, line, lseg, nearest,
    lseg_slope(g, &b) == line_slope(g, &a) ? (double)NAN : lseg_nearest_line(g, &b, &a, &at))

// --- segments ------------------------------------------------------------------------------------------

static double lseg_inverse_slope(struct geo *g, const struct lseg *lseg)
{
    return point_inverse_slope(g, lseg->p[0], lseg->p[1]);
}

static bool lseg_same(const struct lseg *a, const struct lseg *b)
{
    return point_same(a->p[0], b->p[0]) && point_same(a->p[1], b->p[1]);
}

BODY(lseg_interpt)
{
    GEO_BEGIN;
    ARG_lseg(a, 0);
    ARG_lseg(b, 1);
    struct point at;
    *result = lseg_meet(g, &a, &b, &at) ? GEO_DATUM(call->arena, at) : DATUM_NULL;
    return g->st;
}

#define BY_LENGTH(name, relation) \
    OF_TWO(name, lseg, lseg, truth, relation(lseg_length(g, &a), lseg_length(g, &b)))
BY_LENGTH(lseg_lt, geo_less)
BY_LENGTH(lseg_le, geo_less_equal)
BY_LENGTH(lseg_gt, geo_greater)
BY_LENGTH(lseg_ge, geo_greater_equal)
OF_TWO(lseg_eq, lseg, lseg, truth, lseg_same(&a, &b))
OF_TWO(lseg_ne, lseg, lseg, truth, !lseg_same(&a, &b))
OF_TWO(lseg_construct, point, point, lseg, ((struct lseg){{a, b}}))
CAST_OF_ONE(cast_lseg_to_point, lseg, point, point_middle(g, a.p[0], a.p[1]))
OF_ONE(lseg_long, lseg, real, lseg_length(g, &a))
OF_ONE(lseg_vertical, lseg, truth, geo_equal(a.p[0].x, a.p[1].x))
OF_ONE(lseg_horizontal, lseg, truth, geo_equal(a.p[0].y, a.p[1].y))
OF_TWO(lseg_intersect, lseg, lseg, truth, lseg_meet(g, &a, &b, NULL))
OF_TWO(lseg_parallel, lseg, lseg, truth, geo_equal(lseg_slope(g, &a), lseg_slope(g, &b)))
OF_TWO(lseg_perp, lseg, lseg, truth, geo_equal(lseg_slope(g, &a), lseg_inverse_slope(g, &b)))
OF_TWO(lseg_distance, lseg, lseg, real, lseg_nearest_lseg(g, &a, &b, NULL))
OF_TWO(dist_sp, lseg, point, real, lseg_nearest(g, &a, b, NULL))
OF_TWO(dist_sl, lseg, line, real, lseg_nearest_line(g, &a, &b, NULL))
OF_TWO(dist_sb, lseg, box, real, box_nearest_lseg(g, &b, &a, NULL))
OF_TWO(on_sl, lseg, line, truth, line_holds(g, &b, a.p[0]) && line_holds(g, &b, a.p[1]))
OF_TWO(on_sb, lseg, box, truth, box_holds(&b, a.p[0]) && box_holds(&b, a.p[1]))
OF_TWO(inter_sl, lseg, line, truth, lseg_meet_line(g, &a, &b, NULL))
OF_TWO(inter_sb, lseg, box, truth, box_meet_lseg(g, &b, &a, NULL))
OF_TWO(close_sb, lseg, box, nearest, box_nearest_lseg(g, &b, &a, &at))
OF_TWO(close_lseg, lseg, lseg, nearest,
    lseg_slope(g, &a) == lseg_slope(g, &b) ? (double)NAN : lseg_nearest_lseg(g, &b, &a, &at))

// --- boxes ---------------------------------------------------------------------------------------------

#define BY_AREA(name, relation) \
    OF_TWO(name, box, box, truth, relation(box_area(g, &a), box_area(g, &b)))
BY_AREA(box_lt, geo_less)
BY_AREA(box_le, geo_less_equal)
BY_AREA(box_gt, geo_greater)
BY_AREA(box_ge, geo_greater_equal)
BY_AREA(box_eq, geo_equal)
OF_TWO(box_same, box, box, truth, point_same(a.high, b.high) && point_same(a.low, b.low))
OF_TWO(box_overlaps, box, box, truth, box_overlap(&a, &b))
OF_TWO(box_left, box, box, truth, geo_less(a.high.x, b.low.x))
OF_TWO(box_overleft, box, box, truth, geo_less_equal(a.high.x, b.high.x))
OF_TWO(box_right, box, box, truth, geo_greater(a.low.x, b.high.x))
OF_TWO(box_overright, box, box, truth, geo_greater_equal(a.low.x, b.low.x))
OF_TWO(box_below, box, box, truth, geo_less(a.high.y, b.low.y))
OF_TWO(box_overbelow, box, box, truth, geo_less_equal(a.high.y, b.high.y))
OF_TWO(box_above, box, box, truth, geo_greater(a.low.y, b.high.y))
OF_TWO(box_overabove, box, box, truth, geo_greater_equal(a.low.y, b.low.y))
OF_TWO(box_below_eq, box, box, truth, geo_less_equal(a.high.y, b.low.y))
OF_TWO(box_above_eq, box, box, truth, geo_greater_equal(a.low.y, b.high.y))
OF_TWO(box_contains, box, box, truth, box_contain(&a, &b))
OF_TWO(box_contained, box, box, truth, box_contain(&b, &a))
OF_TWO(box_contain_pt, box, point, truth, box_holds(&a, b))
OF_TWO(dist_bp, box, point, real, box_nearest(g, &a, b, NULL))
OF_TWO(dist_bs, box, lseg, real, box_nearest_lseg(g, &a, &b, NULL))
OF_TWO(box_distance, box, box, real, point_distance(g, box_center(g, &a), box_center(g, &b)))
OF_TWO(box_add, box, point, box,
    ((struct box){point_add(g, a.high, b), point_add(g, a.low, b)}))
OF_TWO(box_sub, box, point, box,
    ((struct box){point_sub(g, a.high, b), point_sub(g, a.low, b)}))
OF_TWO(box_mul, box, point, box, box_make(point_mul(g, a.high, b), point_mul(g, a.low, b)))
OF_TWO(box_div, box, point, box, box_make(point_div(g, a.high, b), point_div(g, a.low, b)))
OF_TWO(points_box, point, point, box, box_make(a, b))
CAST_OF_ONE(cast_point_to_box, point, box, ((struct box){a, a}))
OF_ONE(box_ar, box, real, box_area(g, &a))
OF_ONE(box_width, box, real, geo_sub(g, a.high.x, a.low.x))
OF_ONE(box_height, box, real, geo_sub(g, a.high.y, a.low.y))
CAST_OF_ONE(cast_box_to_point, box, point, box_center(g, &a))
CAST_OF_ONE(cast_box_to_lseg, box, lseg, ((struct lseg){{a.high, a.low}}))
OF_TWO(boxes_bound_box, box, box, box,
    ((struct box){{real_max(a.high.x, b.high.x), real_max(a.high.y, b.high.y)},
        {real_min(a.low.x, b.low.x), real_min(a.low.y, b.low.y)}}))

BODY(box_intersect)
{
    ARG_box(a, 0);
    ARG_box(b, 1);
    *result = DATUM_NULL;
    if (!box_overlap(&a, &b)) return STATUS_OK;
    PUT_box(((struct box){{real_min(a.high.x, b.high.x), real_min(a.high.y, b.high.y)},
        {real_max(a.low.x, b.low.x), real_max(a.low.y, b.low.y)}}));
    return STATUS_OK;
}

// --- parts ---------------------------------------------------------------------------------------------

struct parts {
    uint32_t count, size; // Parts, and bytes of each: a point's or a number's.
};

static struct parts parts_of(type_oid oid)
{
    return (struct parts){oid == TYPE_LINE ? 3 : 2,
        oid == TYPE_LINE || oid == TYPE_POINT ? (uint32_t)sizeof(double) : POINT_BYTES};
}

// Of as many subscripts as there are, from 0; only one finds anything.
BODY(part)
{
    struct parts parts = parts_of(call->arg_types[0].oid);
    int64_t at = args[1].integer;
    uint8_t bytes[4 * sizeof(double)];
    *result = DATUM_NULL;
    if (at < 0 || at >= parts.count) return STATUS_OK;
    geo_load(args[0], bytes, parts.count * parts.size);
    const uint8_t *from = bytes + (size_t)at * parts.size;
    if (parts.size == POINT_BYTES) {
        *result = geo_datum(call->arena, from, POINT_BYTES);
    } else {
        *result = datum_real(0);
        memcpy(&result->real, from, sizeof result->real);
    }
    return STATUS_OK;
}

BODY(assign_part)
{
    struct parts parts = parts_of(call->arg_types[0].oid);
    int64_t at = args[1].integer;
    uint8_t bytes[4 * sizeof(double)];
    *result = args[0];
    if (args[1].null)
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null");
    if (args[0].null || args[2].null) return STATUS_OK;
    if (at < 0 || at >= parts.count)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "array subscript out of range");
    geo_load(args[0], bytes, parts.count * parts.size);
    uint8_t *to = bytes + (size_t)at * parts.size;
    if (parts.size == POINT_BYTES) geo_load(args[2], to, POINT_BYTES);
    else memcpy(to, &args[2].real, sizeof(double));
    *result = geo_datum(call->arena, bytes, parts.count * parts.size);
    return STATUS_OK;
}

const struct function geometry_part = {.name = "part",
    .kind = FUNCTION_SCALAR,
    .strict = true,
    .fn = part,
    FN_ARGS(TYPE_ANY, TYPE_INT4)};
const struct function geometry_assign_part = {.name = "assign_part",
    .kind = FUNCTION_SCALAR,
    .fn = assign_part,
    FN_ARGS(TYPE_ANY, TYPE_INT4, TYPE_ANY)};

// clang-format off
static const struct function table[] = {
    SCALAR("area", 975, FLOAT8, box_ar, TYPE_BOX),
    SCALAR("bound_box", 4067, BOX, boxes_bound_box, TYPE_BOX, TYPE_BOX),
    SCALAR("box", 1421, BOX, points_box, TYPE_POINT, TYPE_POINT),
    SCALAR("center", 1542, POINT, cast_box_to_point, TYPE_BOX),
    SCALAR("diagonal", 981, LSEG, cast_box_to_lseg, TYPE_BOX),
    SCALAR("height", 977, FLOAT8, box_height, TYPE_BOX),
    SCALAR("ishorizontal", 1407, BOOL, point_horiz, TYPE_POINT, TYPE_POINT),
    SCALAR("ishorizontal", 1411, BOOL, lseg_horizontal, TYPE_LSEG),
    SCALAR("ishorizontal", 1415, BOOL, line_horizontal, TYPE_LINE),
    SCALAR("isparallel", 1408, BOOL, lseg_parallel, TYPE_LSEG, TYPE_LSEG),
    SCALAR("isparallel", 1412, BOOL, line_parallel, TYPE_LINE, TYPE_LINE),
    SCALAR("isperp", 1409, BOOL, lseg_perp, TYPE_LSEG, TYPE_LSEG),
    SCALAR("isperp", 1413, BOOL, line_perp, TYPE_LINE, TYPE_LINE),
    SCALAR("isvertical", 1406, BOOL, point_vert, TYPE_POINT, TYPE_POINT),
    SCALAR("isvertical", 1410, BOOL, lseg_vertical, TYPE_LSEG),
    SCALAR("isvertical", 1414, BOOL, line_vertical, TYPE_LINE),
    SCALAR("length", 1530, FLOAT8, lseg_long, TYPE_LSEG),
    SCALAR("line", 1493, LINE, line_construct_pp, TYPE_POINT, TYPE_POINT),
    SCALAR("lseg", 993, LSEG, lseg_construct, TYPE_POINT, TYPE_POINT),
    SCALAR("point", 1440, POINT, construct_point, TYPE_FLOAT8, TYPE_FLOAT8),
    SCALAR("slope", 992, FLOAT8, slope, TYPE_POINT, TYPE_POINT),
    SCALAR("width", 976, FLOAT8, box_width, TYPE_BOX),
    OPERATOR("#", 803, BOX, box_intersect, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("#", 1536, POINT, lseg_interpt, "#", NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("#", 1617, POINT, line_interpt, "#", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR("##", 1557, POINT, close_pl, NULL, NULL, TYPE_POINT, TYPE_LINE),
    OPERATOR("##", 1558, POINT, close_ps, NULL, NULL, TYPE_POINT, TYPE_LSEG),
    OPERATOR("##", 1559, POINT, close_pb, NULL, NULL, TYPE_POINT, TYPE_BOX),
    OPERATOR("##", 1567, POINT, close_sb, NULL, NULL, TYPE_LSEG, TYPE_BOX),
    OPERATOR("##", 1577, POINT, close_ls, NULL, NULL, TYPE_LINE, TYPE_LSEG),
    OPERATOR("##", 1578, POINT, close_lseg, NULL, NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("&&", 500, BOOL, box_overlaps, "&&", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("&<", 494, BOOL, box_overleft, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("&<|", 2571, BOOL, box_overbelow, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("&>", 495, BOOL, box_overright, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("*", 733, POINT, point_times, "*", NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("*", 806, BOX, box_mul, NULL, NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("+", 731, POINT, point_plus, "+", NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("+", 804, BOX, box_add, NULL, NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("-", 732, POINT, point_minus, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("-", 805, BOX, box_sub, NULL, NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("/", 734, POINT, point_over, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("/", 807, BOX, box_div, NULL, NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("<", 504, BOOL, box_lt, ">", ">=", TYPE_BOX, TYPE_BOX),
    OPERATOR("<", 1587, BOOL, lseg_lt, ">", ">=", TYPE_LSEG, TYPE_LSEG),
    OPERATOR("<->", 517, FLOAT8, point_apart, "<->", NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("<->", 606, FLOAT8, dist_bp, "<->", NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("<->", 613, FLOAT8, dist_pl, "<->", NULL, TYPE_POINT, TYPE_LINE),
    OPERATOR("<->", 614, FLOAT8, dist_ps, "<->", NULL, TYPE_POINT, TYPE_LSEG),
    OPERATOR("<->", 615, FLOAT8, dist_pb, "<->", NULL, TYPE_POINT, TYPE_BOX),
    OPERATOR("<->", 616, FLOAT8, dist_sl, "<->", NULL, TYPE_LSEG, TYPE_LINE),
    OPERATOR("<->", 617, FLOAT8, dist_sb, "<->", NULL, TYPE_LSEG, TYPE_BOX),
    OPERATOR("<->", 706, FLOAT8, box_distance, "<->", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("<->", 708, FLOAT8, line_distance, "<->", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR("<->", 709, FLOAT8, lseg_distance, "<->", NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("<->", 760, FLOAT8, dist_lp, "<->", NULL, TYPE_LINE, TYPE_POINT),
    OPERATOR("<->", 761, FLOAT8, dist_sp, "<->", NULL, TYPE_LSEG, TYPE_POINT),
    OPERATOR("<->", 762, FLOAT8, dist_ls, "<->", NULL, TYPE_LINE, TYPE_LSEG),
    OPERATOR("<->", 763, FLOAT8, dist_bs, "<->", NULL, TYPE_BOX, TYPE_LSEG),
    OPERATOR("<<", 493, BOOL, box_left, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("<<", 507, BOOL, point_left, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("<<|", 2570, BOOL, box_below, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("<<|", 4162, BOOL, point_below, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("<=", 505, BOOL, box_le, ">=", ">", TYPE_BOX, TYPE_BOX),
    OPERATOR("<=", 1588, BOOL, lseg_le, ">=", ">", TYPE_LSEG, TYPE_LSEG),
    OPERATOR("<>", 713, BOOL, point_ne, "<>", "~=", TYPE_POINT, TYPE_POINT),
    OPERATOR("<>", 1586, BOOL, lseg_ne, "<>", "=", TYPE_LSEG, TYPE_LSEG),
    OPERATOR("<@", 497, BOOL, box_contained, "@>", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("<@", 511, BOOL, on_pb, "@>", NULL, TYPE_POINT, TYPE_BOX),
    OPERATOR("<@", 1546, BOOL, on_pl, NULL, NULL, TYPE_POINT, TYPE_LINE),
    OPERATOR("<@", 1547, BOOL, on_ps, NULL, NULL, TYPE_POINT, TYPE_LSEG),
    OPERATOR("<@", 1548, BOOL, on_sl, NULL, NULL, TYPE_LSEG, TYPE_LINE),
    OPERATOR("<@", 1549, BOOL, on_sb, NULL, NULL, TYPE_LSEG, TYPE_BOX),
    OPERATOR("<^", 509, BOOL, point_below, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("<^", 801, BOOL, box_below_eq, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("=", 503, BOOL, box_eq, "=", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("=", 1535, BOOL, lseg_eq, "=", "<>", TYPE_LSEG, TYPE_LSEG),
    OPERATOR("=", 1616, BOOL, line_eq, "=", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR(">", 502, BOOL, box_gt, "<", "<=", TYPE_BOX, TYPE_BOX),
    OPERATOR(">", 1589, BOOL, lseg_gt, "<", "<=", TYPE_LSEG, TYPE_LSEG),
    OPERATOR(">=", 501, BOOL, box_ge, "<=", "<", TYPE_BOX, TYPE_BOX),
    OPERATOR(">=", 1590, BOOL, lseg_ge, "<=", "<", TYPE_LSEG, TYPE_LSEG),
    OPERATOR(">>", 496, BOOL, box_right, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR(">>", 508, BOOL, point_right, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR(">^", 506, BOOL, point_above, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR(">^", 800, BOOL, box_above_eq, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("?#", 802, BOOL, box_overlaps, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("?#", 1525, BOOL, lseg_intersect, "?#", NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("?#", 1537, BOOL, inter_sl, NULL, NULL, TYPE_LSEG, TYPE_LINE),
    OPERATOR("?#", 1538, BOOL, inter_sb, NULL, NULL, TYPE_LSEG, TYPE_BOX),
    OPERATOR("?#", 1539, BOOL, inter_lb, NULL, NULL, TYPE_LINE, TYPE_BOX),
    OPERATOR("?#", 1611, BOOL, line_intersect, "?#", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR("?-", 808, BOOL, point_horiz, "?-", NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("?-", 1528, BOOL, lseg_horizontal, NULL, NULL, TYPE_LSEG),
    OPERATOR("?-", 1614, BOOL, line_horizontal, NULL, NULL, TYPE_LINE),
    OPERATOR("?-|", 1527, BOOL, lseg_perp, "?-|", NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("?-|", 1613, BOOL, line_perp, "?-|", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR("?|", 809, BOOL, point_vert, "?|", NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("?|", 1529, BOOL, lseg_vertical, NULL, NULL, TYPE_LSEG),
    OPERATOR("?|", 1615, BOOL, line_vertical, NULL, NULL, TYPE_LINE),
    OPERATOR("?||", 1526, BOOL, lseg_parallel, "?||", NULL, TYPE_LSEG, TYPE_LSEG),
    OPERATOR("?||", 1612, BOOL, line_parallel, "?||", NULL, TYPE_LINE, TYPE_LINE),
    OPERATOR("@-@", 1591, FLOAT8, lseg_long, NULL, NULL, TYPE_LSEG),
    OPERATOR("@>", 433, BOOL, box_contain_pt, "<@", NULL, TYPE_BOX, TYPE_POINT),
    OPERATOR("@>", 498, BOOL, box_contains, "<@", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("@@", 513, POINT, cast_box_to_point, NULL, NULL, TYPE_BOX),
    OPERATOR("@@", 969, POINT, cast_lseg_to_point, NULL, NULL, TYPE_LSEG),
    OPERATOR("|&>", 2572, BOOL, box_overabove, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("|>>", 2573, BOOL, box_above, NULL, NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("|>>", 4161, BOOL, point_above, NULL, NULL, TYPE_POINT, TYPE_POINT),
    OPERATOR("~=", 499, BOOL, box_same, "~=", NULL, TYPE_BOX, TYPE_BOX),
    OPERATOR("~=", 510, BOOL, point_eq, "~=", "<>", TYPE_POINT, TYPE_POINT),
};
// clang-format on

void functions_geometry_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
