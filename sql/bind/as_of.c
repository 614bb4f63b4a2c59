// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/bind/as_of.h"

#include <string.h>

#include "core/shard.h"
#include "core/text.h"
#include "sql/plan/plan.h"

#define POSTGRES_EPOCH_US 946684800000000ll

static struct status not_an_instant(struct arena *arena, struct bytes text)
{
    return status_hint(arena,
        status_format(arena, E_INVALID_PARAMETER_VALUE,
            "AS OF SYSTEM TIME: value \"%.*s\" is neither timestamp, decimal, nor interval",
            (int)(text.size > 100 ? 100 : text.size), (const char *)text.data),
        "Write an interval from now ('-10s'), a timestamp, or nanoseconds since 1970.");
}

static struct hlc_timestamp of_microseconds(int64_t us)
{
    return (struct hlc_timestamp){(uint64_t)((us + POSTGRES_EPOCH_US) * 1000), 0};
}

struct status as_of_parse(struct session *session, struct arena *arena, struct bytes text,
    int64_t now_ns, struct hlc_timestamp *ts)
{
    struct status st = STATUS_OK;
    text = text_trim(text);
    char *copy = arena_string(arena, text);
    int64_t duration;
    if (text.size > 0 && strspn(copy, "0123456789.") == text.size) {
        if (!hlc_parse(copy, ts)) st = not_an_instant(arena, text);
        return st;
    }
    if (text.size > 0 && (copy[0] == '-' || copy[0] == '+') &&
        text_parse_duration(copy[0] == '+' ? bytes_skip(text, 1) : text, 0, &duration)) {
        *ts = (struct hlc_timestamp){(uint64_t)(now_ns + duration), 0};
        return st;
    }
    struct datum value;
    st = type_input(arena, &session->types, TYPE_OF(TYPE_TIMESTAMPTZ), text, &value);
    if (failed(st) || value.integer < -POSTGRES_EPOCH_US || value.integer > INT64_MAX / 2000)
        return not_an_instant(arena, text);
    *ts = of_microseconds(value.integer);
    return STATUS_OK;
}

struct status as_of_evaluate(struct task *task, struct session *session, struct arena *arena,
    const struct expr *expression, enum as_of_range range, struct hlc_timestamp *ts)
{
    struct status st;
    struct env *env = session->shard->env;
    int64_t now_ns = env->wall_ns(env);
    struct datum value;
    if (expression->kind == EXPR_LITERAL) {
        TRY(as_of_parse(session, arena, expression->literal.text, now_ns, ts));
    } else {
        // An expression of any of the types reads back through its text, in the session's own zone.
        st = plan_evaluate_constant(task, session, arena, expression, NULL, NULL, 0,
            TYPE_OF(TYPE_TIMESTAMPTZ), &value);
        if (failed(st) || value.null) {
            TRY(plan_evaluate_constant(task, session, arena, expression, NULL, NULL, 0,
                TYPE_OF(TYPE_TEXT), &value));
            if (value.null) {
                st = not_an_instant(arena, BYTES_LITERAL("NULL"));
                goto out;
            }
            TRY(as_of_parse(session, arena, datum_as_bytes(value), now_ns, ts));
        } else {
            *ts = of_microseconds(value.integer);
        }
    }
    if (range == AS_OF_PAST && ts->wall_ns > (uint64_t)now_ns)
        st = status_make(E_INVALID_PARAMETER_VALUE,
            "cannot specify timestamp in the future for AS OF SYSTEM TIME");
out:
    return st;
}
