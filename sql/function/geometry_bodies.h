// SPDX-License-Identifier: GPL-3.0-or-later
//
// Short forms for bodies of functions of geometric types: arguments are opened as a and b, what fails stays in g, and the
// value of an expression becomes the result.
#pragma once
#include "sql/function/function_table.h"
#include "sql/type/geometry.h"

#define ARG_point(name, at) struct point name = point_open(args[at])
#define ARG_line(name, at) struct line name = line_open(args[at])
#define ARG_lseg(name, at) struct lseg name = lseg_open(args[at])
#define ARG_box(name, at) struct box name = box_open(args[at])
#define ARG_circle(name, at) struct circle name = circle_open(args[at])
#define ARG_path(name, at) struct outline name = path_open(args[at])
#define ARG_polygon(name, at) struct outline name = polygon_open(args[at])
#define ARG_real(name, at) double name = args[at].real

#define PUT_truth(value) *result = datum_bool(value)
#define PUT_real(value) *result = datum_real(value)
#define PUT_int(value) *result = datum_int(value)
#define PUT_MADE(type, value) \
    struct type made = value; \
    *result = GEO_DATUM(call->arena, made)
#define PUT_point(value) PUT_MADE(point, value)
#define PUT_line(value) PUT_MADE(line, value)
#define PUT_lseg(value) PUT_MADE(lseg, value)
#define PUT_box(value) PUT_MADE(box, value)
#define PUT_circle(value) PUT_MADE(circle, value)
// A point; NULL when the distance to it is none.
#define PUT_nearest(distance) \
    struct point at = {0}; \
    double found = distance; \
    *result = isnan(found) ? DATUM_NULL : GEO_DATUM(call->arena, at)

#define GEO_BEGIN struct geo geo = {.call = call}, *g = &geo
#define CAST_BODY(name) \
    struct status name( \
        struct function_call *call, const struct datum *args, struct datum *result)
#define OF_ONE_IN(body, a_type, put, value) \
    body \
    { \
        GEO_BEGIN; \
        ARG_##a_type(a, 0); \
        PUT_##put(value); \
        return g->st; \
    }
#define OF_ONE(name, a_type, put, value) OF_ONE_IN(BODY(name), a_type, put, value)
// One that casts run, too: sql/function/cast_functions.h.
#define CAST_OF_ONE(name, a_type, put, value) OF_ONE_IN(CAST_BODY(name), a_type, put, value)
#define OF_TWO(name, a_type, b_type, put, value) \
    BODY(name) \
    { \
        GEO_BEGIN; \
        ARG_##a_type(a, 0); \
        ARG_##b_type(b, 1); \
        PUT_##put(value); \
        return g->st; \
    }
