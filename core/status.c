// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/invariant.h"

static struct status_report *report_new(struct arena *arena, const char *message, size_t size)
{
    struct status_report *report = arena_alloc_zero(arena, sizeof *report + size + 1);
    if (size > 0) memcpy(report->message, message, size);
    return report;
}

// A report in `arena` that says what `st` says, whose fields the caller may set.
static struct status_report *report_copy(struct arena *arena, struct status st)
{
    const char *message = st.message == NULL ? "" : st.message;
    struct status_report *copy = report_new(arena, message, strlen(message));
    const struct status_report *old = status_report_of(st);
    if (old != NULL) memcpy(copy, old, offsetof(struct status_report, message));
    return copy;
}

static struct status with_report(struct status st, struct status_report *report)
{
    st.reported = 1;
    st.message = report->message;
    return st;
}

struct status status_format(struct arena *arena, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(arena, format, args);
    va_end(args);
    return (struct status){code, RETRY_NEVER, 0, message};
}

struct status status_detail(struct arena *arena, struct status st, const char *format, ...)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    va_list args;
    va_start(args, format);
    report->detail = arena_vprintf(arena, format, args);
    va_end(args);
    return with_report(st, report);
}

struct status status_hint(struct arena *arena, struct status st, const char *format, ...)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    va_list args;
    va_start(args, format);
    report->hint = arena_vprintf(arena, format, args);
    va_end(args);
    return with_report(st, report);
}

struct status status_context(struct arena *arena, struct status st, const char *format, ...)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    va_list args;
    va_start(args, format);
    const char *line = arena_vprintf(arena, format, args);
    va_end(args);
    report->context = report->context == NULL ? line : arena_printf(arena, "%s\n%s", report->context, line);
    return with_report(st, report);
}

struct status status_position(struct arena *arena, struct status st, uint32_t position)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    report->position = position;
    return with_report(st, report);
}

static void name_set(struct arena *arena, const char **field, const char *name)
{
    if (name != NULL) *field = arena_strdup(arena, name);
}

struct status status_names(struct arena *arena, struct status st, const char *schema,
    const char *table, const char *column, const char *constraint)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    name_set(arena, &report->schema, schema);
    name_set(arena, &report->table, table);
    name_set(arena, &report->column, column);
    name_set(arena, &report->constraint, constraint);
    return with_report(st, report);
}

struct status status_datatype(
    struct arena *arena, struct status st, const char *schema, const char *datatype)
{
    if (!failed(st)) return st;
    struct status_report *report = report_copy(arena, st);
    name_set(arena, &report->schema, schema);
    name_set(arena, &report->datatype, datatype);
    return with_report(st, report);
}

const struct status_report *status_report_of(struct status st)
{
    if (!st.reported || st.message == NULL) return NULL;
    const char *start = st.message - offsetof(struct status_report, message);
    return (const struct status_report *)(const void *)start;
}

struct status status_copy(struct arena *arena, struct status st)
{
    if (!failed(st) || st.message == NULL) return st;
    if (!st.reported) {
        st.message = arena_strdup(arena, st.message);
        return st;
    }
    struct status_report *report = report_copy(arena, st);
    const char **fields[] = {&report->detail, &report->hint, &report->context, &report->schema, &report->table,
        &report->column, &report->datatype, &report->constraint};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        name_set(arena, fields[i], *fields[i]);
    return with_report(st, report);
}

void status_sqlstate(struct status st, char out[6])
{
    for (int i = 0; i < 5; i++)
        out[i] = (char)('0' + (st.code >> (24 - 6 * i) & 0x3f));
    out[5] = 0;
}

uint32_t sqlstate_parse(const char text[5])
{
    for (int i = 0; i < 5; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool letter = text[i] >= 'A' && text[i] <= 'Z';
        if (!digit && !letter) return 0;
    }
    return SQLSTATE(text[0], text[1], text[2], text[3], text[4]);
}

static uint32_t errno_code(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return E_DISK_FULL;
    case ENOMEM: return E_OUT_OF_MEMORY;
    case EMFILE:
    case ENFILE: return E_INSUFFICIENT_RESOURCES;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return E_CONNECTION_FAILURE;
    case ECANCELED: return E_QUERY_CANCELED;
    case ENOENT: return E_UNDEFINED_FILE;
    case EEXIST: return E_DUPLICATE_FILE;
    default: return E_IO_ERROR;
    }
}

struct status status_from_errno(int error, const char *what)
{
    invariant(error != 0);
    return status_make(errno_code(error < 0 ? -error : error), what);
}

struct status status_from_errno_in(struct arena *arena, int error, const char *what)
{
    invariant(error != 0);
    if (error < 0) error = -error;
    const char *reason = strerrordesc_np(error);
    return status_format(
        arena, errno_code(error), "%s: %s", what, reason == NULL ? "unknown error" : reason);
}
