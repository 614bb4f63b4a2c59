// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers with their errors; points, lines, segments and boxes. In which order things are computed decides the last bits of
// results, so it is PostgreSQL's.
#include "sql/type/geometry.h"

#include "sql/function/function.h"

// --- numbers -------------------------------------------------------------------------------------------

static void fail(struct geo *geo, struct status st)
{
    if (!failed(geo->st)) geo->st = st;
}

bool geo_work(struct geo *geo, uint64_t bytes)
{
    if (!failed(geo->st) && geo->call != NULL) geo->st = function_work(geo->call, bytes);
    return !failed(geo->st);
}

static double overflow(struct geo *geo)
{
    fail(geo, status_make(E_NUMERIC_OUT_OF_RANGE, "value out of range: overflow"));
    return 0;
}

static double underflow(struct geo *geo)
{
    fail(geo, status_make(E_NUMERIC_OUT_OF_RANGE, "value out of range: underflow"));
    return 0;
}

double geo_add(struct geo *geo, double a, double b)
{
    double sum = a + b;
    return isinf(sum) && !isinf(a) && !isinf(b) ? overflow(geo) : sum;
}

double geo_sub(struct geo *geo, double a, double b)
{
    double difference = a - b;
    return isinf(difference) && !isinf(a) && !isinf(b) ? overflow(geo) : difference;
}

double geo_mul(struct geo *geo, double a, double b)
{
    double product = a * b;
    if (isinf(product) && !isinf(a) && !isinf(b)) return overflow(geo);
    if (product == 0 && a != 0 && b != 0) return underflow(geo);
    return product;
}

double geo_div(struct geo *geo, double a, double b)
{
    if (b == 0 && !isnan(a)) {
        fail(geo, status_make(E_DIVISION_BY_ZERO, "division by zero"));
        return 0;
    }
    double quotient = a / b;
    if (isinf(quotient) && !isinf(a)) return overflow(geo);
    if (quotient == 0 && a != 0 && !isinf(b)) return underflow(geo);
    return quotient;
}

double geo_hypot(struct geo *geo, double x, double y)
{
    if (isinf(x) || isinf(y)) return INFINITY;
    if (isnan(x) || isnan(y)) return NAN;
    x = fabs(x);
    y = fabs(y);
    double large = x < y ? y : x, small = x < y ? x : y;
    if (small == 0) return large;
    double ratio = small / large;
    double length = large * sqrt(1.0 + ratio * ratio);
    if (isinf(length)) return overflow(geo);
    return length == 0 ? underflow(geo) : length;
}

// --- points --------------------------------------------------------------------------------------------

bool point_same(struct point a, struct point b)
{
    if (isnan(a.x) || isnan(a.y) || isnan(b.x) || isnan(b.y))
        return real_equal(a.x, b.x) && real_equal(a.y, b.y);
    return geo_equal(a.x, b.x) && geo_equal(a.y, b.y);
}

double point_distance(struct geo *geo, struct point a, struct point b)
{
    return geo_hypot(geo, geo_sub(geo, a.x, b.x), geo_sub(geo, a.y, b.y));
}

double point_slope(struct geo *geo, struct point a, struct point b)
{
    if (geo_equal(a.x, b.x)) return INFINITY;
    if (geo_equal(a.y, b.y)) return 0;
    return geo_div(geo, geo_sub(geo, a.y, b.y), geo_sub(geo, a.x, b.x));
}

double point_inverse_slope(struct geo *geo, struct point a, struct point b)
{
    if (geo_equal(a.x, b.x)) return 0;
    if (geo_equal(a.y, b.y)) return INFINITY;
    return geo_div(geo, geo_sub(geo, a.x, b.x), geo_sub(geo, b.y, a.y));
}

struct point point_add(struct geo *geo, struct point a, struct point b)
{
    return (struct point){geo_add(geo, a.x, b.x), geo_add(geo, a.y, b.y)};
}

struct point point_sub(struct geo *geo, struct point a, struct point b)
{
    return (struct point){geo_sub(geo, a.x, b.x), geo_sub(geo, a.y, b.y)};
}

struct point point_mul(struct geo *geo, struct point a, struct point b)
{
    double x = geo_sub(geo, geo_mul(geo, a.x, b.x), geo_mul(geo, a.y, b.y));
    double y = geo_add(geo, geo_mul(geo, a.x, b.y), geo_mul(geo, a.y, b.x));
    return (struct point){x, y};
}

struct point point_div(struct geo *geo, struct point a, struct point b)
{
    double by = geo_add(geo, geo_mul(geo, b.x, b.x), geo_mul(geo, b.y, b.y));
    double x = geo_add(geo, geo_mul(geo, a.x, b.x), geo_mul(geo, a.y, b.y));
    double y = geo_sub(geo, geo_mul(geo, b.x, a.y), geo_mul(geo, b.y, a.x));
    return (struct point){geo_div(geo, x, by), geo_div(geo, y, by)};
}

struct point point_middle(struct geo *geo, struct point a, struct point b)
{
    return (struct point){
        geo_div(geo, geo_add(geo, a.x, b.x), 2.0), geo_div(geo, geo_add(geo, a.y, b.y), 2.0)};
}

// --- lines ---------------------------------------------------------------------------------------------

// Zero has one sign here.
static double plain_zero(double a)
{
    return a == 0 ? 0 : a;
}

struct line line_make(struct geo *geo, struct point point, double slope)
{
    if (isinf(slope)) return (struct line){-1, 0, point.x};
    if (slope == 0) return (struct line){0, -1, point.y};
    return (struct line){
        slope, -1, plain_zero(geo_sub(geo, point.y, geo_mul(geo, slope, point.x)))};
}

double line_slope(struct geo *geo, const struct line *line)
{
    if (geo_zero(line->a)) return 0;
    if (geo_zero(line->b)) return INFINITY;
    return geo_div(geo, line->a, -line->b);
}

double line_inverse_slope(struct geo *geo, const struct line *line)
{
    if (geo_zero(line->a)) return INFINITY;
    if (geo_zero(line->b)) return 0;
    return geo_div(geo, line->b, line->a);
}

bool line_holds(struct geo *geo, const struct line *line, struct point point)
{
    double sum = geo_add(geo, geo_mul(geo, line->a, point.x), geo_mul(geo, line->b, point.y));
    return geo_zero(geo_add(geo, sum, line->c));
}

// `by` is no vertical line.
static bool meet(struct geo *geo, const struct line *by, const struct line *other, struct point *at)
{
    if (geo_equal(other->a, geo_mul(geo, by->a, geo_div(geo, other->b, by->b)))) return false;
    double over = geo_sub(geo, geo_mul(geo, by->b, other->c), geo_mul(geo, other->b, by->c));
    double under = geo_sub(geo, geo_mul(geo, by->a, other->b), geo_mul(geo, other->a, by->b));
    double x = geo_div(geo, over, under);
    double y = geo_div(geo, -geo_add(geo, geo_mul(geo, by->a, x), by->c), by->b);
    if (at != NULL) *at = (struct point){plain_zero(x), plain_zero(y)};
    return true;
}

bool line_meet(struct geo *geo, const struct line *a, const struct line *b, struct point *at)
{
    if (!geo_zero(a->b)) return meet(geo, a, b, at);
    return !geo_zero(b->b) && meet(geo, b, a, at);
}

double line_nearest(struct geo *geo, const struct line *line, struct point point, struct point *at)
{
    struct point nearest;
    struct line across = line_make(geo, point, line_inverse_slope(geo, line));
    if (!line_meet(geo, &across, line, &nearest)) {
        if (at != NULL) *at = point;
        return NAN;
    }
    if (at != NULL) *at = nearest;
    return point_distance(geo, nearest, point);
}

// --- segments ------------------------------------------------------------------------------------------

double lseg_slope(struct geo *geo, const struct lseg *lseg)
{
    return point_slope(geo, lseg->p[0], lseg->p[1]);
}

double lseg_length(struct geo *geo, const struct lseg *lseg)
{
    return point_distance(geo, lseg->p[0], lseg->p[1]);
}

bool lseg_holds(struct geo *geo, const struct lseg *lseg, struct point point)
{
    return geo_equal(
        point_distance(geo, point, lseg->p[0]) + point_distance(geo, point, lseg->p[1]),
        lseg_length(geo, lseg));
}

static struct line lseg_line(struct geo *geo, const struct lseg *lseg)
{
    return line_make(geo, lseg->p[0], lseg_slope(geo, lseg));
}

bool lseg_meet_line(
    struct geo *geo, const struct lseg *lseg, const struct line *line, struct point *at)
{
    struct point found;
    struct line own = lseg_line(geo, lseg);
    if (!line_meet(geo, &own, line, &found) || !lseg_holds(geo, lseg, found)) return false;
    if (point_same(lseg->p[0], found)) found = lseg->p[0];
    else if (point_same(lseg->p[1], found)) found = lseg->p[1];
    if (at != NULL) *at = found;
    return true;
}

bool lseg_meet(struct geo *geo, const struct lseg *a, const struct lseg *b, struct point *at)
{
    struct point found;
    struct line line = lseg_line(geo, b);
    if (!lseg_meet_line(geo, a, &line, &found) || !lseg_holds(geo, b, found)) return false;
    if (at != NULL) *at = found;
    return true;
}

double lseg_nearest_line(
    struct geo *geo, const struct lseg *lseg, const struct line *line, struct point *at)
{
    if (lseg_meet_line(geo, lseg, line, at)) return 0;
    double first = line_nearest(geo, line, lseg->p[0], NULL);
    double second = line_nearest(geo, line, lseg->p[1], NULL);
    bool is_first = first < second;
    if (at != NULL) *at = lseg->p[is_first ? 0 : 1];
    return is_first ? first : second;
}

double lseg_nearest(struct geo *geo, const struct lseg *lseg, struct point point, struct point *at)
{
    struct point nearest = {0};
    struct line across =
        line_make(geo, point, point_inverse_slope(geo, lseg->p[0], lseg->p[1]));
    (void)lseg_nearest_line(geo, lseg, &across, &nearest);
    if (at != NULL) *at = nearest;
    return point_distance(geo, nearest, point);
}

// The nearer one of what is known and of another.
static double nearer(double known, double distance, struct point point, struct point *at)
{
    if (!real_less(distance, known)) return known;
    if (at != NULL) *at = point;
    return distance;
}

double lseg_nearest_lseg(
    struct geo *geo, const struct lseg *lseg, const struct lseg *to, struct point *at)
{
    struct point point;
    if (lseg_meet(geo, lseg, to, at)) return 0;
    double best = lseg_nearest(geo, lseg, to->p[0], at);
    double distance = lseg_nearest(geo, lseg, to->p[1], &point);
    best = nearer(best, distance, point, at);
    for (unsigned i = 0; i < 2; i++)
        best = nearer(best, lseg_nearest(geo, to, lseg->p[i], NULL), lseg->p[i], at);
    return best;
}

// --- boxes ---------------------------------------------------------------------------------------------

struct box box_make(struct point a, struct point b)
{
    bool right = real_less(b.x, a.x), above = real_less(b.y, a.y);
    return (struct box){.high = {right ? a.x : b.x, above ? a.y : b.y},
        .low = {right ? b.x : a.x, above ? b.y : a.y}};
}

bool box_overlap(const struct box *a, const struct box *b)
{
    return geo_less_equal(a->low.x, b->high.x) && geo_less_equal(b->low.x, a->high.x) &&
           geo_less_equal(a->low.y, b->high.y) && geo_less_equal(b->low.y, a->high.y);
}

bool box_holds(const struct box *box, struct point point)
{
    return box->high.x >= point.x && box->low.x <= point.x && box->high.y >= point.y &&
           box->low.y <= point.y;
}

bool box_contain(const struct box *box, const struct box *within)
{
    return geo_greater_equal(box->high.x, within->high.x) &&
           geo_less_equal(box->low.x, within->low.x) &&
           geo_greater_equal(box->high.y, within->high.y) &&
           geo_less_equal(box->low.y, within->low.y);
}

double box_area(struct geo *geo, const struct box *box)
{
    return geo_mul(geo, geo_sub(geo, box->high.x, box->low.x),
        geo_sub(geo, box->high.y, box->low.y));
}

struct point box_center(struct geo *geo, const struct box *box)
{
    return point_middle(geo, box->high, box->low);
}

// Left, above, below, right: from a corner of the box to one of the other two.
static void box_edges(const struct box *box, struct lseg edges[4])
{
    struct point above = {box->low.x, box->high.y}, below = {box->high.x, box->low.y};
    edges[0] = (struct lseg){{box->low, above}};
    edges[1] = (struct lseg){{box->high, above}};
    edges[2] = (struct lseg){{box->low, below}};
    edges[3] = (struct lseg){{box->high, below}};
}

bool box_meet_line(struct geo *geo, const struct box *box, const struct line *line)
{
    struct lseg edges[4];
    box_edges(box, edges);
    for (unsigned i = 0; i < 4; i++)
        if (lseg_meet_line(geo, &edges[i], line, NULL)) return true;
    return false;
}

bool box_meet_lseg(
    struct geo *geo, const struct box *box, const struct lseg *lseg, struct point *at)
{
    struct lseg edges[4];
    const struct point *p = lseg->p;
    struct box around = {.high = {real_max(p[0].x, p[1].x), real_max(p[0].y, p[1].y)},
        .low = {real_min(p[0].x, p[1].x), real_min(p[0].y, p[1].y)}};
    if (!box_overlap(&around, box)) return false;
    if (at != NULL) (void)lseg_nearest(geo, lseg, box_center(geo, box), at);
    if (box_holds(box, p[0]) || box_holds(box, p[1])) return true;
    box_edges(box, edges);
    for (unsigned i = 0; i < 4; i++)
        if (lseg_meet(geo, &edges[i], lseg, NULL)) return true;
    return false;
}

double box_nearest(struct geo *geo, const struct box *box, struct point point, struct point *at)
{
    struct lseg edges[4];
    struct point nearest;
    if (box_holds(box, point)) {
        if (at != NULL) *at = point;
        return 0;
    }
    box_edges(box, edges);
    double best = lseg_nearest(geo, &edges[0], point, at);
    for (unsigned i = 1; i < 4; i++) {
        double distance = lseg_nearest(geo, &edges[i], point, &nearest);
        best = nearer(best, distance, nearest, at);
    }
    return best;
}

double box_nearest_lseg(
    struct geo *geo, const struct box *box, const struct lseg *lseg, struct point *at)
{
    struct lseg edges[4];
    struct point nearest;
    if (box_meet_lseg(geo, box, lseg, at)) return 0;
    box_edges(box, edges);
    double best = lseg_nearest_lseg(geo, &edges[0], lseg, at);
    for (unsigned i = 1; i < 4; i++) {
        double distance = lseg_nearest_lseg(geo, &edges[i], lseg, &nearest);
        best = nearer(best, distance, nearest, at);
    }
    return best;
}
