// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and binary forms of geometric types. They have no order that an index could be in, and no keys.
#include <errno.h>
#include <stdlib.h>

#include "core/text.h"
#include "core/work.h"
#include "sql/type/geometry.h"
#include "sql/type/type_ops.h"

#define POINTS_PER_POLL 256u

// --- text in -------------------------------------------------------------------------------------------

struct literal {
    struct arena *arena;
    const char *type;
    struct bytes whole;
    const char *at; // What is left of it; ends with a zero.
};

static struct status malformed(const struct literal *in)
{
    return type_error_syntax(in->arena, in->type, in->whole);
}

static const char *behind_space(const char *at)
{
    while (ascii_space(*at)) at++;
    return at;
}

static bool take(struct literal *in, char c)
{
    if (*in->at != c) return false;
    in->at++;
    return true;
}

static struct status take_number(struct literal *in, double *number)
{
    char *end;
    in->at = behind_space(in->at);
    if (*in->at == '\0') return malformed(in);
    errno = 0;
    *number = strtod(in->at, &end);
    if (end == in->at) return malformed(in);
    if (errno == ERANGE && (*number == 0 || isinf(*number)))
        return status_format(in->arena, E_NUMERIC_OUT_OF_RANGE,
            "\"%.*s\" is out of range for type double precision", (int)(end - in->at), in->at);
    if (isnan(*number)) *number = (double)NAN; // There is one.
    in->at = behind_space(end);
    return STATUS_OK;
}

// x, y or (x, y).
static struct status take_pair(struct literal *in, struct point *point)
{
    struct status st;
    in->at = behind_space(in->at);
    bool within = take(in, '(');
    TRY(take_number(in, &point->x));
    if (!take(in, ',')) return malformed(in);
    TRY(take_number(in, &point->y));
    if (within && !take(in, ')')) return malformed(in);
    if (within) in->at = behind_space(in->at);
out:
    return st;
}

// Whether no second parenthesis opens behind the one that is next: then it is not a point's.
static bool opens_once(const char *at)
{
    return strrchr(at, '(') == at;
}

struct points_form {
    bool may_be_open; // [...] is allowed.
    bool open;        // It was.
};

static struct status take_points(struct literal *in, struct points_form *form, uint32_t count,
    uint8_t *points)
{
    struct status st = STATUS_OK;
    uint32_t depth = 0;
    in->at = behind_space(in->at);
    form->open = *in->at == '[';
    if (form->open) {
        if (!form->may_be_open) return malformed(in);
        in->at++;
        depth = 1;
    } else if (*in->at == '(') {
        const char *next = behind_space(in->at + 1);
        if (*next == '(' || opens_once(in->at)) {
            in->at = next;
            depth = 1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct point point;
        TRY(take_pair(in, &point));
        (void)take(in, ',');
        memcpy(points + (size_t)i * POINT_BYTES, &point, sizeof point);
        if (i % POINTS_PER_POLL == POINTS_PER_POLL - 1)
            TRY(task_work(task_current(), POINTS_PER_POLL * 64u));
    }
    for (; depth > 0; depth--) {
        if (*in->at != ')' && !(*in->at == ']' && form->open)) return malformed(in);
        in->at = behind_space(in->at + 1);
    }
out:
    return st;
}

static struct status take_end(const struct literal *in)
{
    return *in->at == '\0' ? STATUS_OK : malformed(in);
}

static struct status literal_open(
    struct arena *arena, const char *type, struct bytes text, struct literal *in)
{
    char *copy = arena_try_alloc(arena, text.size + 1);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    const size_t size = task_copy_to((uint8_t *)copy, text);
    copy[size] = '\0';
    *in = (struct literal){arena, type, text, copy};
    return STATUS_OK;
}

static struct status read_two(struct literal *in, bool may_be_open, struct lseg *lseg)
{
    struct status st;
    uint8_t points[2 * POINT_BYTES];
    struct points_form form = {.may_be_open = may_be_open};
    TRY(take_points(in, &form, 2, points));
    TRY(take_end(in));
    memcpy(lseg, points, sizeof *lseg);
out:
    return st;
}

static struct status bad_line(uint32_t code, const char *why)
{
    return status_make(code, why);
}
#define BOTH_ZERO "invalid line specification: A and B cannot both be zero"
#define ONE_POINT "invalid line specification: must be two distinct points"

static struct status read_line(struct literal *in, struct line *line)
{
    struct status st;
    struct geo geo = {.st = STATUS_OK};
    struct lseg lseg;
    in->at = behind_space(in->at);
    if (take(in, '{')) {
        TRY(take_number(in, &line->a));
        if (!take(in, ',')) return malformed(in);
        TRY(take_number(in, &line->b));
        if (!take(in, ',')) return malformed(in);
        TRY(take_number(in, &line->c));
        if (!take(in, '}')) return malformed(in);
        in->at = behind_space(in->at);
        TRY(take_end(in));
        if (geo_zero(line->a) && geo_zero(line->b))
            return bad_line(E_INVALID_TEXT_REPRESENTATION, BOTH_ZERO);
        return st;
    }
    TRY(read_two(in, true, &lseg));
    if (point_same(lseg.p[0], lseg.p[1]))
        return bad_line(E_INVALID_TEXT_REPRESENTATION, ONE_POINT);
    *line = line_make(&geo, lseg.p[0], lseg_slope(&geo, &lseg));
    st = geo.st;
out:
    return st;
}

// <(x,y),r>, ((x,y),r), (x,y),r or x,y,r.
static struct status read_circle(struct literal *in, struct circle *circle)
{
    struct status st;
    uint32_t depth = 0;
    in->at = behind_space(in->at);
    if (take(in, '<')) {
        depth = 1;
    } else if (*in->at == '(') {
        const char *next = behind_space(in->at + 1);
        if (*next == '(') {
            depth = 1;
            in->at = next;
        }
    }
    TRY(take_pair(in, &circle->center));
    (void)take(in, ',');
    TRY(take_number(in, &circle->radius));
    if (circle->radius < 0) return malformed(in); // NaN is none of those.
    for (; depth > 0; depth--) {
        if (*in->at != ')' && *in->at != '>') return malformed(in);
        in->at = behind_space(in->at + 1);
    }
    st = take_end(in);
out:
    return st;
}

// As many as there are pairs between commas; 0: commas do not make pairs.
static uint32_t count_points(const char *text)
{
    uint32_t commas = 0;
    for (uint32_t i = 1; *text != '\0'; text++, i++) {
        if (i % WORK_BYTES == 0 && !task_goes_on(WORK_BYTES)) break;
        commas += *text == ',';
    }
    return commas % 2 == 1 ? (commas + 1) / 2 : 0;
}

static struct status read_points(struct literal *in, bool path, struct datum *value)
{
    struct status st;
    struct outline_maker maker;
    struct points_form form = {.may_be_open = path};
    bool within = false;
    uint32_t count = count_points(in->at);
    if (count == 0) return malformed(in);
    TRY(outline_make(in->arena, path, true, count, &maker));
    if (path) {
        in->at = behind_space(in->at);
        within = *in->at == '(' && opens_once(in->at);
        if (within) in->at++;
    }
    TRY(take_points(in, &form, count, maker.points));
    if (within) {
        if (!take(in, ')')) return malformed(in);
        in->at = behind_space(in->at);
    }
    TRY(take_end(in));
    if (path) maker.points[-1] = !form.open;
    *value = maker.value;
out:
    return st;
}

static struct status geo_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st;
    struct literal in;
    struct point point;
    struct line line;
    struct lseg lseg;
    struct box box;
    struct circle circle;
    (void)context;
    TRY(literal_open(arena, type_info(type.oid)->name, text, &in));
    switch (type.oid) {
    case TYPE_POINT:
        TRY(take_pair(&in, &point));
        TRY(take_end(&in));
        *value = GEO_DATUM(arena, point);
        break;
    case TYPE_LINE:
        TRY(read_line(&in, &line));
        *value = GEO_DATUM(arena, line);
        break;
    case TYPE_LSEG:
        TRY(read_two(&in, true, &lseg));
        *value = GEO_DATUM(arena, lseg);
        break;
    case TYPE_BOX:
        TRY(read_two(&in, false, &lseg));
        box = box_make(lseg.p[0], lseg.p[1]);
        *value = GEO_DATUM(arena, box);
        break;
    case TYPE_CIRCLE:
        TRY(read_circle(&in, &circle));
        *value = GEO_DATUM(arena, circle);
        break;
    default: st = read_points(&in, type.oid == TYPE_PATH, value);
    }
out:
    return st;
}

// --- text out ------------------------------------------------------------------------------------------

static void print_number(struct buffer *out, const struct type_context *context, double number)
{
    type_print_float8(out, number, context->extra_float_digits);
}

static void print_point(
    struct buffer *out, const struct type_context *context, struct point point)
{
    buffer_append_u8(out, '(');
    print_number(out, context, point.x);
    buffer_append_u8(out, ',');
    print_number(out, context, point.y);
    buffer_append_u8(out, ')');
}

static void print_points(
    struct buffer *out, const struct type_context *context, const struct outline *outline)
{
    buffer_append_u8(out, outline->closed ? '(' : '[');
    for (uint32_t i = 0; i < outline->count; i++) {
        if (i > 0) buffer_append_u8(out, ',');
        print_point(out, context, outline_at(outline, i));
        if (i % POINTS_PER_POLL == POINTS_PER_POLL - 1 && !task_goes_on(POINTS_PER_POLL * 64u))
            return;
    }
    buffer_append_u8(out, outline->closed ? ')' : ']');
}

// A segment or a box.
static void print_two(struct buffer *out, const struct type_context *context, struct datum value)
{
    struct lseg lseg = lseg_open(value);
    print_point(out, context, lseg.p[0]);
    buffer_append_u8(out, ',');
    print_point(out, context, lseg.p[1]);
}

static void print_line(struct buffer *out, const struct type_context *context, struct line line)
{
    const double numbers[] = {line.a, line.b, line.c};
    for (unsigned i = 0; i < 3; i++) {
        buffer_append_u8(out, i == 0 ? '{' : ',');
        print_number(out, context, numbers[i]);
    }
    buffer_append_u8(out, '}');
}

static void print_circle(
    struct buffer *out, const struct type_context *context, struct circle circle)
{
    buffer_append_u8(out, '<');
    print_point(out, context, circle.center);
    buffer_append_u8(out, ',');
    print_number(out, context, circle.radius);
    buffer_append_u8(out, '>');
}

static void geo_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct outline outline;
    switch (oid) {
    case TYPE_POINT: print_point(out, context, point_open(value)); break;
    case TYPE_LINE: print_line(out, context, line_open(value)); break;
    case TYPE_LSEG:
        buffer_append_u8(out, '[');
        print_two(out, context, value);
        buffer_append_u8(out, ']');
        break;
    case TYPE_BOX: print_two(out, context, value); break;
    case TYPE_CIRCLE: print_circle(out, context, circle_open(value)); break;
    default:
        outline = oid == TYPE_PATH ? path_open(value) : polygon_open(value);
        print_points(out, context, &outline);
    }
}

// --- binary --------------------------------------------------------------------------------------------

static double load_number(const uint8_t *data)
{
    uint64_t bits = (uint64_t)type_load_int(data, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void store_numbers(struct buffer *out, const uint8_t *numbers, uint32_t count)
{
    uint64_t bits;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&bits, numbers + (size_t)i * sizeof bits, sizeof bits);
        type_store_int(out, bits, sizeof bits);
    }
}

static uint32_t numbers_of(type_oid oid)
{
    return oid == TYPE_POINT ? 2 : oid == TYPE_LINE || oid == TYPE_CIRCLE ? 3 : 4;
}

static struct status receive_points(
    struct arena *arena, type_oid oid, struct bytes binary, struct datum *value)
{
    struct status st;
    bool path = oid == TYPE_PATH, closed = true;
    const char *name = path ? "path" : "polygon";
    struct outline_maker maker;
    if (path) {
        if (binary.size == 0) return type_error_binary(arena, name);
        closed = binary.data[0] != 0;
        binary = bytes_skip(binary, 1);
    }
    if (binary.size < 4) return type_error_binary(arena, name);
    int64_t count = type_load_int(binary.data, 4);
    binary = bytes_skip(binary, 4);
    if (count <= 0 || count > INT32_MAX / POINT_BYTES)
        return status_format(arena, E_INVALID_BINARY_REPRESENTATION,
            "invalid number of points in external \"%s\" value", name);
    if ((uint64_t)count * POINT_BYTES != binary.size) return type_error_binary(arena, name);
    TRY(outline_make(arena, path, closed, (uint64_t)count, &maker));
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        outline_put(&maker, i, (struct point){load_number(binary.data + (size_t)i * POINT_BYTES),
                                   load_number(binary.data + (size_t)i * POINT_BYTES + 8)});
    *value = maker.value;
out:
    return st;
}

static struct status geo_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    double numbers[4];
    uint32_t count = numbers_of(type.oid);
    if (type.oid == TYPE_PATH || type.oid == TYPE_POLYGON)
        return receive_points(arena, type.oid, binary, value);
    if (binary.size != count * sizeof(double))
        return type_error_binary(arena, type_info(type.oid)->name);
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = load_number(binary.data + (size_t)i * sizeof(double));
    if (type.oid == TYPE_LINE && geo_zero(numbers[0]) && geo_zero(numbers[1]))
        return bad_line(E_INVALID_BINARY_REPRESENTATION, BOTH_ZERO);
    if (type.oid == TYPE_CIRCLE && numbers[2] < 0)
        return status_make(E_INVALID_BINARY_REPRESENTATION,
            "invalid radius in external \"circle\" value");
    if (type.oid == TYPE_BOX) {
        struct box box = box_make((struct point){numbers[0], numbers[1]},
            (struct point){numbers[2], numbers[3]});
        memcpy(numbers, &box, sizeof box);
    }
    *value = geo_datum(arena, numbers, count * (uint32_t)sizeof(double));
    return STATUS_OK;
}

static void geo_send(struct buffer *out, type_oid oid, struct datum value)
{
    double numbers[4];
    if (oid == TYPE_PATH || oid == TYPE_POLYGON) {
        struct outline outline = oid == TYPE_PATH ? path_open(value) : polygon_open(value);
        if (oid == TYPE_PATH) buffer_append_u8(out, outline.closed);
        type_store_int(out, outline.count, 4);
        store_numbers(out, outline.points, 2 * outline.count);
        return;
    }
    geo_load(value, numbers, numbers_of(oid) * (uint32_t)sizeof(double));
    store_numbers(out, (const uint8_t *)numbers, numbers_of(oid));
}

const struct type_ops type_ops_geometry = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = geo_input,
    .output = geo_output,
    .receive = geo_receive,
    .send = geo_send};
