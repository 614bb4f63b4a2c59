// SPDX-License-Identifier: GPL-3.0-or-later
//
// LIKE, ILIKE, SIMILAR TO and the functions of regular expressions.
#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/type/like.h"
#include "sql/type/regex.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

static struct bytes text_of(struct datum value)
{
    return datum_as_bytes(value);
}

// --- LIKE --------------------------------------------------------------------------------------------------

static struct status like(
    struct function_call *call, const struct datum *args, bool negate, struct datum *result)
{
    bool matches = false;
    struct status st = call->arg_types[0].oid == TYPE_BYTEA
        ? like_match_bytes(call, text_of(args[0]), text_of(args[1]), &matches)
        : like_match(call, text_of(args[0]), text_of(args[1]), &matches);
    *result = datum_bool(matches != negate);
    return st;
}

BODY(like_yes)
{
    return like(call, args, false, result);
}

BODY(like_no)
{
    return like(call, args, true, result);
}

// Both sides in lower case.
static struct status like_nocase(
    struct function_call *call, const struct datum *args, bool negate, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum text, pattern;
    bool matches = false;
    TRY(function_lower(call, args[0], &text));
    TRY(function_lower(call, args[1], &pattern));
    TRY(like_match(call, text_of(text), text_of(pattern), &matches));
    *result = datum_bool(matches != negate);
out:
    return st;
}

BODY(ilike_yes)
{
    return like_nocase(call, args, false, result);
}

BODY(ilike_no)
{
    return like_nocase(call, args, true, result);
}

BODY(escape_like)
{
    struct bytes pattern;
    struct status st = like_escape(call->arena, text_of(args[0]), text_of(args[1]), &pattern);
    if (!failed(st)) *result = datum_bytes(pattern);
    return st;
}

// A NULL ESCAPE gives NULL; none at all is the backslash.
BODY(escape_similar)
{
    struct bytes pattern;
    // similar_escape, the old one, takes NULL for the escape that there is without one.
    bool given = call->arg_count == 2 && !args[1].null;
    struct bytes escape = given ? text_of(args[1]) : BYTES_LITERAL("\\");
    if (args[0].null) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    struct status st = regex_from_similar(call->arena, text_of(args[0]), escape, &pattern);
    if (!failed(st)) *result = datum_bytes(pattern);
    return st;
}

// --- ~ ------------------------------------------------------------------------------------------------------

static struct status matches(struct function_call *call, const struct datum *args,
    struct regex_options options, bool negate, struct datum *result)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    bool found;
    TRY(regex_compile(call, text_of(args[1]), options, &regex));
    TRY(regex_search(regex, text_of(args[0]), 0, REGEX_WHETHER, &found, NULL));
    *result = datum_bool(found != negate);
out:
    return st;
}

BODY(regex_yes)
{
    return matches(call, args, (struct regex_options){0}, false, result);
}
BODY(regex_no)
{
    return matches(call, args, (struct regex_options){0}, true, result);
}
BODY(regex_nocase_yes)
{
    return matches(call, args, (struct regex_options){.ignore_case = true}, false, result);
}
BODY(regex_nocase_no)
{
    return matches(call, args, (struct regex_options){.ignore_case = true}, true, result);
}

// --- functions -----------------------------------------------------------------------------------------------

static struct datum span_datum(struct bytes text, struct regex_span span)
{
    if (span.start == SIZE_MAX) return DATUM_NULL;
    return datum_bytes(bytes_of(text.data + span.start, span.end - span.start));
}

static struct status options_of(struct function_call *call, const struct datum *args, uint32_t at,
    struct regex_options *options)
{
    *options = (struct regex_options){0};
    if (call->arg_count <= at) return STATUS_OK;
    return regex_options_parse(call->arena, text_of(args[at]), options);
}

BODY(regexp_substring)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    const struct regex_span *spans;
    bool found;
    struct bytes text = text_of(args[0]);
    TRY(regex_compile(call, text_of(args[1]), (struct regex_options){0}, &regex));
    TRY(regex_search(regex, text, 0, REGEX_GROUPS, &found, &spans));
    // The first group when there is one, else the whole.
    *result = !found ? DATUM_NULL
                     : span_datum(text, spans[regex_group_count(regex) > 0 ? 1 : 0]);
out:
    return st;
}

// substring(text similar pattern escape character)
BODY(similar_substring)
{
    struct status st = STATUS_OK;
    struct bytes pattern;
    struct datum converted[2] = {args[0]};
    TRY(regex_from_similar(call->arena, text_of(args[1]), text_of(args[2]), &pattern));
    converted[1] = datum_bytes(pattern);
    TRY(regexp_substring(call, converted, result));
out:
    return st;
}

// The groups of one match as text[]; the whole match when there are none.
static struct status match_array(struct function_call *call, const struct regex *regex,
    struct bytes text, const struct regex_span *spans, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    uint32_t groups = regex_group_count(regex), first = groups == 0 ? 0 : 1;
    array_builder_init(&builder, call->arena, TYPE_TEXT);
    for (uint32_t i = first; i <= groups; i++)
        TRY(array_builder_add(&builder, span_datum(text, spans[i])));
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

BODY(regexp_match)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    struct regex_options options;
    const struct regex_span *spans;
    bool found;
    TRY(options_of(call, args, 2, &options));
    if (options.global)
        return status_hint(call->arena,
            status_format(call->arena, E_INVALID_PARAMETER_VALUE, "%s",
                "regexp_match() does not support the \"global\" option"),
            "Use the regexp_matches function instead.");
    TRY(regex_compile(call, text_of(args[1]), options, &regex));
    TRY(regex_search(regex, text_of(args[0]), 0, REGEX_GROUPS, &found, &spans));
    *result = DATUM_NULL;
    if (found) TRY(match_array(call, regex, text_of(args[0]), spans, result));
out:
    return st;
}

// Where the next search starts after a match: one character on when it was empty.
static size_t after_match(struct bytes text, struct regex_span span)
{
    if (span.end > span.start) return span.end;
    return span.end < text.size ? span.end + utf8_step(text, span.end) : text.size + 1;
}

// Where the start-th character is, from 1; behind the end there is nothing to search, not even an end.
static size_t start_at(struct bytes text, int64_t start)
{
    size_t before = (size_t)start - 1;
    size_t at = utf8_prefix_bytes(text, before);
    return at < text.size || before <= utf8_length(text) ? at : text.size + 1;
}

// \1 to \9 are groups, \& the whole match, \\ a backslash.
static void append_replacement(struct buffer *out, struct bytes replacement, struct bytes text,
    const struct regex_span *spans, uint32_t groups)
{
    for (size_t i = 0; i < replacement.size; i++) {
        uint8_t c = replacement.data[i];
        uint8_t next = i + 1 < replacement.size ? replacement.data[i + 1] : 0;
        if (c != '\\' || next == 0) {
            buffer_append_u8(out, c);
            continue;
        }
        i++;
        uint32_t group = next == '&' ? 0 : (uint32_t)(next - '0');
        if (next == '&' || (next >= '1' && next <= '9')) {
            if (group > groups || spans[group].start == SIZE_MAX) continue;
            struct regex_span span = spans[group];
            buffer_append(out, text.data + span.start, span.end - span.start);
        } else if (next == '\\') {
            buffer_append_u8(out, '\\');
        } else {
            buffer_append_u8(out, c);
            i--;
        }
    }
}

struct replacing {
    struct bytes text, pattern, replacement;
    struct regex_options options;
    int64_t start; // In characters, from 1.
    int64_t which; // 0: all; else the nth match.
};

static struct status replace(
    struct function_call *call, const struct replacing *work, struct datum *result)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    const struct regex_span *spans;
    struct buffer out;
    struct bytes text = work->text;
    TRY(regex_compile(call, work->pattern, work->options, &regex));
    buffer_init(&out, call->arena);
    size_t copied = 0, from = start_at(text, work->start);
    int64_t count = 0;
    while (from <= text.size) {
        bool found;
        TRY(regex_search(regex, text, from, REGEX_GROUPS, &found, &spans));
        if (!found) break;
        count++;
        from = after_match(text, spans[0]);
        if (work->which != 0 && count != work->which) continue;
        buffer_append(&out, text.data + copied, spans[0].start - copied);
        append_replacement(&out, work->replacement, text, spans, regex_group_count(regex));
        copied = spans[0].end;
        if (work->which != 0) break;
        if (out.size > FUNCTION_BYTES_MAX) return function_no_memory(out.size);
        if (count % 1024 == 0) TRY(arena_check(call->arena));
    }
    if (copied == 0 && out.size == 0 && count == 0) {
        *result = datum_bytes(text);
        return st;
    }
    buffer_append(&out, text.data + copied, text.size - copied);
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

BODY(regexp_replace)
{
    struct status st = STATUS_OK;
    struct replacing work = {
        text_of(args[0]), text_of(args[1]), text_of(args[2]), {0}, 1, 1};
    if (call->arg_count == 4 && args[3].size > 0 && ascii_digit((char)args[3].data[0]))
        return status_hint(call->arena,
            status_format(call->arena, E_INVALID_PARAMETER_VALUE,
                "invalid regular expression option: \"%c\"", args[3].data[0]),
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument "
            "to integer explicitly.");
    TRY(options_of(call, args, 3, &work.options));
    if (work.options.global) work.which = 0;
    TRY(replace(call, &work, result));
out:
    return st;
}

static struct status positive(struct arena *arena, const char *name, int64_t value, int64_t least)
{
    if (value >= least) return STATUS_OK;
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        "invalid value for parameter \"%s\": %lld", name, (long long)value);
}

BODY(regexp_replace_at)
{
    struct status st = STATUS_OK;
    struct replacing work = {
        text_of(args[0]), text_of(args[1]), text_of(args[2]), {0}, args[3].integer, 1};
    TRY(positive(call->arena, "start", work.start, 1));
    if (call->arg_count > 4) {
        work.which = args[4].integer;
        TRY(positive(call->arena, "n", work.which, 0));
    }
    TRY(options_of(call, args, 5, &work.options));
    if (call->arg_count < 5 && work.options.global) work.which = 0;
    TRY(replace(call, &work, result));
out:
    return st;
}

BODY(regexp_like)
{
    struct status st = STATUS_OK;
    struct regex_options options;
    TRY(options_of(call, args, 2, &options));
    TRY(matches(call, args, options, false, result));
out:
    return st;
}

BODY(regexp_count)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    struct regex_options options;
    const struct regex_span *spans;
    struct bytes text = text_of(args[0]);
    int64_t count = 0, start = call->arg_count > 2 ? args[2].integer : 1;
    bool found;
    TRY(positive(call->arena, "start", start, 1));
    TRY(options_of(call, args, 3, &options));
    TRY(regex_compile(call, text_of(args[1]), options, &regex));
    for (size_t from = start_at(text, start); from <= text.size;
         from = after_match(text, spans[0])) {
        TRY(regex_search(regex, text, from, REGEX_WHOLE, &found, &spans));
        if (!found) break;
        count++;
    }
    *result = datum_int(count);
out:
    return st;
}

// --- splitting -------------------------------------------------------------------------------------------------

// The next piece of a split. Empty matches split between characters, not at the ends.
struct splitting {
    struct regex *regex;
    struct bytes text;
    size_t start, from;
    bool ended;
};

static struct status split_next(struct splitting *work, struct bytes *piece, bool *done)
{
    struct status st = STATUS_OK;
    const struct regex_span *spans;
    bool found;
    *done = work->ended;
    if (work->ended) return st;
    while (work->from <= work->text.size) {
        TRY(regex_search(work->regex, work->text, work->from, REGEX_WHOLE, &found, &spans));
        if (!found) break;
        struct regex_span span = spans[0];
        work->from = after_match(work->text, span);
        bool empty = span.start == span.end;
        if (empty && (span.end == work->start || span.end >= work->text.size)) continue;
        *piece = bytes_of(work->text.data + work->start, span.start - work->start);
        work->start = span.end;
        return st;
    }
    *piece = bytes_skip(work->text, work->start);
    work->ended = true;
out:
    return st;
}

static struct status split_start(
    struct function_call *call, const struct datum *args, struct splitting *work)
{
    struct status st = STATUS_OK;
    struct regex_options options;
    TRY(options_of(call, args, 2, &options));
    if (options.global)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "regexp_split_to_table() does not support the \"global\" option");
    *work = (struct splitting){.text = text_of(args[0])};
    TRY(regex_compile(call, text_of(args[1]), options, &work->regex));
out:
    return st;
}

BODY(regexp_split_to_array)
{
    struct status st = STATUS_OK;
    struct splitting work;
    struct array_builder builder;
    struct bytes piece;
    bool done;
    TRY(split_start(call, args, &work));
    array_builder_init(&builder, call->arena, TYPE_TEXT);
    builder.call = call;
    for (;;) {
        TRY(split_next(&work, &piece, &done));
        if (done) break;
        TRY(array_builder_add(&builder, datum_bytes(piece)));
    }
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

static struct status split_table_start(
    struct function_call *call, void *state, const struct datum *args)
{
    return split_start(call, args, state);
}

static struct status split_table_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct bytes piece = {0};
    (void)call;
    struct status st = split_next(state, &piece, done);
    if (!failed(st) && !*done) row[0] = datum_bytes(piece);
    return st;
}

static const char *const split_names[] = {"regexp_split_to_table"};
static const type_oid text_column[] = {TYPE_TEXT};
static const struct set_ops split_table_ops = {.column_count = 1,
    .column_names = split_names,
    .column_types = text_column,
    .state_bytes = sizeof(struct splitting),
    .start = split_table_start,
    .next = split_table_next};

struct matching {
    struct regex *regex;
    struct bytes text;
    size_t from;
    bool global;
};

static struct status matches_start(
    struct function_call *call, void *state, const struct datum *args)
{
    struct status st = STATUS_OK;
    struct matching *work = state;
    struct regex_options options;
    TRY(options_of(call, args, 2, &options));
    work->text = text_of(args[0]);
    work->global = options.global;
    TRY(regex_compile(call, text_of(args[1]), options, &work->regex));
out:
    return st;
}

static struct status matches_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct status st = STATUS_OK;
    struct matching *work = state;
    const struct regex_span *spans;
    bool found = false;
    *done = true;
    if (work->from > work->text.size) return st;
    TRY(regex_search(work->regex, work->text, work->from, REGEX_GROUPS, &found, &spans));
    if (!found) return st;
    *done = false;
    work->from = work->global ? after_match(work->text, spans[0]) : work->text.size + 1;
    TRY(match_array(call, work->regex, work->text, spans, &row[0]));
out:
    return st;
}

static const char *const matches_names[] = {"regexp_matches"};
static const type_oid text_array_column[] = {TYPE_TEXT_ARRAY};
static const struct set_ops matches_ops = {.column_count = 1,
    .column_names = matches_names,
    .column_types = text_array_column,
    .state_bytes = sizeof(struct matching),
    .start = matches_start,
    .next = matches_next};

// The n-th match from a position on: *found false when there are fewer.
static struct status nth_match(struct function_call *call, const struct datum *args,
    uint32_t options_at, const struct regex_span **spans, uint32_t *groups, bool *found)
{
    struct status st = STATUS_OK;
    struct regex *regex;
    struct regex_options options;
    struct bytes text = text_of(args[0]);
    int64_t start = call->arg_count > 2 ? args[2].integer : 1;
    int64_t wanted = call->arg_count > 3 ? args[3].integer : 1;
    TRY(positive(call->arena, "start", start, 1));
    TRY(positive(call->arena, "n", wanted, 1));
    TRY(options_of(call, args, options_at, &options));
    TRY(regex_compile(call, text_of(args[1]), options, &regex));
    *groups = regex_group_count(regex);
    *found = false;
    for (size_t from = start_at(text, start); from <= text.size;
         from = after_match(text, (*spans)[0])) {
        TRY(regex_search(regex, text, from, REGEX_GROUPS, found, spans));
        if (!*found || --wanted == 0) return st;
    }
    *found = false;
out:
    return st;
}

BODY(regexp_instr)
{
    struct status st = STATUS_OK;
    const struct regex_span *spans;
    struct bytes text = text_of(args[0]);
    uint32_t groups;
    bool found;
    int64_t end_option = call->arg_count > 4 ? args[4].integer : 0;
    int64_t group = call->arg_count > 6 ? args[6].integer : 0;
    if (end_option != 0 && end_option != 1)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"%s\": %lld", "endoption", (long long)end_option);
    TRY(positive(call->arena, "subexpr", group, 0));
    TRY(nth_match(call, args, 5, &spans, &groups, &found));
    *result = datum_int(0);
    if (!found || group > groups || spans[group].start == SIZE_MAX) goto out;
    size_t at = end_option == 0 ? spans[group].start : spans[group].end;
    *result = datum_int((int64_t)utf8_length(bytes_of(text.data, at)) + 1);
out:
    return st;
}

BODY(regexp_substr)
{
    struct status st = STATUS_OK;
    const struct regex_span *spans;
    uint32_t groups;
    bool found;
    int64_t group = call->arg_count > 5 ? args[5].integer : 0;
    TRY(positive(call->arena, "subexpr", group, 0));
    TRY(nth_match(call, args, 4, &spans, &groups, &found));
    *result = !found || group > groups ? DATUM_NULL : span_datum(text_of(args[0]), spans[group]);
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    SCALAR("regexp_instr", 6257, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_instr", 6258, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    SCALAR("regexp_instr", 6259, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("regexp_instr", 6260, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4,
        TYPE_INT4),
    SCALAR("regexp_instr", 6261, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4,
        TYPE_INT4, TYPE_TEXT),
    SCALAR("regexp_instr", 6262, INT4, regexp_instr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4,
        TYPE_INT4, TYPE_TEXT, TYPE_INT4),
    SCALAR("regexp_substr", 6265, TEXT, regexp_substr, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_substr", 6266, TEXT, regexp_substr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    SCALAR("regexp_substr", 6267, TEXT, regexp_substr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("regexp_substr", 6268, TEXT, regexp_substr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4,
        TYPE_TEXT),
    SCALAR("regexp_substr", 6269, TEXT, regexp_substr, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4,
        TYPE_TEXT, TYPE_INT4),
    OPERATOR("~~", 1209, BOOL, like_yes, NULL, "!~~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~~", 1207, BOOL, like_yes, NULL, "!~~", TYPE_NAME, TYPE_TEXT),
    OPERATOR("~~", 1211, BOOL, like_yes, NULL, "!~~", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("~~", 2016, BOOL, like_yes, NULL, "!~~", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("!~~", 1210, BOOL, like_no, NULL, "~~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("!~~", 1208, BOOL, like_no, NULL, "~~", TYPE_NAME, TYPE_TEXT),
    OPERATOR("!~~", 1212, BOOL, like_no, NULL, "~~", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("!~~", 2017, BOOL, like_no, NULL, "~~", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("~~*", 1627, BOOL, ilike_yes, NULL, "!~~*", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~~*", 1625, BOOL, ilike_yes, NULL, "!~~*", TYPE_NAME, TYPE_TEXT),
    OPERATOR("~~*", 1629, BOOL, ilike_yes, NULL, "!~~*", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("!~~*", 1628, BOOL, ilike_no, NULL, "~~*", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("!~~*", 1626, BOOL, ilike_no, NULL, "~~*", TYPE_NAME, TYPE_TEXT),
    OPERATOR("!~~*", 1630, BOOL, ilike_no, NULL, "~~*", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("~", 641, BOOL, regex_yes, NULL, "!~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~", 639, BOOL, regex_yes, NULL, "!~", TYPE_NAME, TYPE_TEXT),
    OPERATOR("~", 1055, BOOL, regex_yes, NULL, "!~", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("!~", 642, BOOL, regex_no, NULL, "~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("!~", 640, BOOL, regex_no, NULL, "~", TYPE_NAME, TYPE_TEXT),
    OPERATOR("!~", 1056, BOOL, regex_no, NULL, "~", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("~*", 1228, BOOL, regex_nocase_yes, NULL, "!~*", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~*", 1226, BOOL, regex_nocase_yes, NULL, "!~*", TYPE_NAME, TYPE_TEXT),
    OPERATOR("~*", 1234, BOOL, regex_nocase_yes, NULL, "!~*", TYPE_BPCHAR, TYPE_TEXT),
    OPERATOR("!~*", 1229, BOOL, regex_nocase_no, NULL, "~*", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("!~*", 1227, BOOL, regex_nocase_no, NULL, "~*", TYPE_NAME, TYPE_TEXT),
    OPERATOR("!~*", 1235, BOOL, regex_nocase_no, NULL, "~*", TYPE_BPCHAR, TYPE_TEXT),
    SCALAR("like_escape", 1637, TEXT, escape_like, TYPE_TEXT, TYPE_TEXT),
    SCALAR("similar_to_escape", 1987, TEXT, escape_similar, TYPE_TEXT),
    SCALAR("similar_to_escape", 1986, TEXT, escape_similar, TYPE_TEXT, TYPE_TEXT),
    LAX("similar_escape", 1623, TEXT, escape_similar, TYPE_TEXT, TYPE_TEXT),
    SCALAR("like", 1569, BOOL, like_yes, TYPE_TEXT, TYPE_TEXT),
    SCALAR("notlike", 1570, BOOL, like_no, TYPE_TEXT, TYPE_TEXT),
    SCALAR("substring", 2073, TEXT, regexp_substring, TYPE_TEXT, TYPE_TEXT),
    SCALAR("substring", 2074, TEXT, similar_substring, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_match", 3396, TEXT_ARRAY, regexp_match, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_match", 3397, TEXT_ARRAY, regexp_match, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SET_RETURNING("regexp_matches", 2763, TEXT_ARRAY, &matches_ops, TYPE_TEXT, TYPE_TEXT),
    SET_RETURNING("regexp_matches", 2764, TEXT_ARRAY, &matches_ops, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_replace", 2284, TEXT, regexp_replace, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_replace", 2285, TEXT, regexp_replace, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_replace", 6253, TEXT, regexp_replace_at, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    SCALAR("regexp_replace", 6252, TEXT, regexp_replace_at, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("regexp_replace", 6251, TEXT, regexp_replace_at, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4, TYPE_TEXT),
    SCALAR("regexp_like", 6263, BOOL, regexp_like, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_like", 6264, BOOL, regexp_like, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_count", 6254, INT4, regexp_count, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_count", 6255, INT4, regexp_count, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    SCALAR("regexp_count", 6256, INT4, regexp_count, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_TEXT),
    SCALAR("regexp_split_to_array", 2767, TEXT_ARRAY, regexp_split_to_array, TYPE_TEXT, TYPE_TEXT),
    SCALAR("regexp_split_to_array", 2768, TEXT_ARRAY, regexp_split_to_array, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SET_RETURNING("regexp_split_to_table", 2765, TEXT, &split_table_ops, TYPE_TEXT, TYPE_TEXT),
    SET_RETURNING("regexp_split_to_table", 2766, TEXT, &split_table_ops, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
};
// clang-format on

void functions_regex_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
