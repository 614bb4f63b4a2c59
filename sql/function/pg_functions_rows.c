// SPDX-License-Identifier: GPL-3.0-or-later
//
// Catalog functions that give rows: options of foreign things, elements of vectors with their numbers, parameters of
// sequences, keywords.
#include <string.h>

#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/session/internal.h"

#define START(name) \
    static struct status name(struct function_call *call, void *state_, const struct datum *args)
#define NEXT(name) \
    static struct status name( \
        struct function_call *call, void *state_, struct datum *row, bool *done)

struct elements {
    struct array_cursor cursor;
    int64_t next;
    bool ended;
};

START(elements_start)
{
    struct elements *state = state_;
    struct array array;
    (void)call;
    struct status st = array_open(args[0], &array);
    if (failed(st)) return st;
    state->cursor = array_first(&array);
    state->next = 1;
    return st;
}

// Numbered from 1, whatever the array's own bounds are.
NEXT(numbered_next)
{
    struct elements *state = state_;
    (void)call;
    *done = !array_next(&state->cursor, &row[0]);
    row[1] = datum_int(state->next++);
    return STATUS_OK;
}

// "name=value", or a name alone.
NEXT(option_next)
{
    struct elements *state = state_;
    struct datum item;
    (void)call;
    do {
        *done = !array_next(&state->cursor, &item);
        if (*done) return STATUS_OK;
    } while (item.null);
    struct bytes text = datum_as_bytes(item);
    const uint8_t *equals = memchr(text.data, '=', text.size);
    row[0] = datum_bytes(equals == NULL ? text : bytes_of(text.data, (size_t)(equals - text.data)));
    row[1] = DATUM_NULL;
    if (equals != NULL)
        row[1] = datum_bytes(bytes_of(equals + 1, (size_t)(text.data + text.size - equals - 1)));
    return STATUS_OK;
}

static const struct set_ops numbered_elements = {.column_count = 2,
    .column_names = (const char *const[]){"x", "n"},
    .column_types = (const type_oid[]){TYPE_ANYELEMENT, TYPE_INT4},
    .state_bytes = sizeof(struct elements),
    .start = elements_start,
    .next = numbered_next};

static const struct set_ops options = {.column_count = 2,
    .column_names = (const char *const[]){"option_name", "option_value"},
    .column_types = (const type_oid[]){TYPE_TEXT, TYPE_TEXT},
    .state_bytes = sizeof(struct elements),
    .start = elements_start,
    .next = option_next};

// --- sequences -------------------------------------------------------------------------------------------

struct parameters {
    struct sequence_options options;
    bool given;
};

START(parameters_start)
{
    struct parameters *state = state_;
    struct pg_relation relation;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    uint32_t oid = (uint32_t)args[0].integer;
    struct status st = pg_relation_by_oid(call->task, call->session, oid, &relation);
    if (failed(st)) return st;
    if (relation.table == NULL || relation.table->kind != RELATION_SEQUENCE)
        return status_format(call->arena, E_INTERNAL, "cache lookup failed for sequence %u", oid);
    state->options = relation.table->sequence;
    return st;
}

NEXT(parameters_next)
{
    struct parameters *state = state_;
    (void)call;
    *done = state->given;
    state->given = true;
    row[0] = datum_int(state->options.start);
    row[1] = datum_int(state->options.minimum);
    row[2] = datum_int(state->options.maximum);
    row[3] = datum_int(state->options.increment);
    row[4] = datum_bool(state->options.cycle);
    row[5] = datum_int(state->options.cache);
    row[6] = datum_int(state->options.type);
    return STATUS_OK;
}

static const struct set_ops sequence_parameters = {.column_count = 7,
    .column_names = (const char *const[]){"start_value", "minimum_value", "maximum_value",
        "increment", "cycle_option", "cache_size", "data_type"},
    .column_types = (const type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_BOOL,
        TYPE_INT8, TYPE_OID},
    .state_bytes = sizeof(struct parameters),
    .start = parameters_start,
    .next = parameters_next};

// --- keywords --------------------------------------------------------------------------------------------

// The table of the parser's own scanner (libpg_query).
struct keyword_list {
    const char *words;
    const uint16_t *offsets;
    int (*hash)(const void *key, size_t size);
    int count, size_max;
};
extern const struct keyword_list ScanKeywords;
extern const uint8_t ScanKeywordCategories[];

// A column may not be called so without AS.
static bool needs_as(const char *word)
{
    static const char *const words[] = {
        "array", "as", "char", "character", "create", "day", "except", "fetch", "filter", "for",
        "from", "grant", "group", "having", "hour", "intersect", "into", "isnull", "limit",
        "minute", "month", "notnull", "offset", "on", "order", "over", "overlaps", "precision",
        "returning", "second", "to", "union", "varying", "where", "window", "with", "within",
        "without", "year"};
    for (unsigned i = 0; i < TABLE_COUNT(words); i++)
        if (strcmp(words[i], word) == 0) return true;
    return false;
}

static struct status keywords_start(struct function_call *call, void *state, const struct datum *args)
{
    (void)call, (void)state, (void)args;
    return STATUS_OK;
}

NEXT(keywords_next)
{
    static const struct {
        char code;
        const char *name;
    } categories[] = {{'U', "unreserved"}, {'C', "unreserved (cannot be function or type name)"},
        {'T', "reserved (can be function or type name)"}, {'R', "reserved"}};
    int *at = state_;
    (void)call;
    *done = *at >= ScanKeywords.count;
    if (*done) return STATUS_OK;
    unsigned category = ScanKeywordCategories[*at] & 3u;
    const char *word = ScanKeywords.words + ScanKeywords.offsets[*at];
    bool bare = !needs_as(word);
    row[0] = datum_text(word);
    row[1] = datum_int(categories[category].code);
    row[2] = datum_bool(bare);
    row[3] = datum_text(categories[category].name);
    row[4] = datum_text(bare ? "can be bare label" : "requires AS");
    (*at)++;
    return STATUS_OK;
}

static const struct set_ops keywords = {.column_count = 5,
    .column_names = (const char *const[]){"word", "catcode", "barelabel", "catdesc", "baredesc"},
    .column_types = (const type_oid[]){TYPE_TEXT, TYPE_CHAR_INTERNAL, TYPE_BOOL, TYPE_TEXT, TYPE_TEXT},
    .state_bytes = sizeof(int),
    .start = keywords_start,
    .next = keywords_next};

// --- databases of a tablespace, channels -----------------------------------------------------------------

struct databases {
    struct internal_result found;
    uint64_t next;
};

START(databases_start)
{
    struct databases *state = state_;
    int64_t oid = args[0].integer;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    if (oid != PG_TABLESPACE_DEFAULT) {
        session_notice(call->session, "WARNING", oid == PG_TABLESPACE_GLOBAL
            ? status_make(SQLSTATE('0', '1', '0', '0', '0'), "global tablespace never has databases")
            : status_format(call->arena, SQLSTATE('0', '1', '0', '0', '0'), "%u is not a tablespace OID", (uint32_t)oid));
        return STATUS_OK;
    }
    return internal_run(call->task, call->session, call->arena, &state->found,
        "SELECT oid FROM pg_catalog.pg_database ORDER BY oid", 0, NULL, NULL);
}

NEXT(databases_next)
{
    struct databases *state = state_;
    (void)call;
    *done = state->next == state->found.row_count;
    if (!*done) row[0] = internal_value(&state->found, state->next++, 0);
    return STATUS_OK;
}

static const struct set_ops tablespace_databases = {.column_count = 1,
    .column_names = (const char *const[]){"pg_tablespace_databases"},
    .column_types = (const type_oid[]){TYPE_OID},
    .state_bytes = sizeof(struct databases),
    .start = databases_start,
    .next = databases_next};

// Nobody listens: LISTEN is refused.
NEXT(no_row)
{
    (void)call, (void)state_, (void)row;
    *done = true;
    return STATUS_OK;
}

static const struct set_ops channels = {.column_count = 1,
    .column_names = (const char *const[]){"pg_listening_channels"},
    .column_types = (const type_oid[]){TYPE_TEXT},
    .start = keywords_start,
    .next = no_row};

static const struct function functions[] = {
    {.name = "pg_tablespace_databases", .kind = FUNCTION_SET, .oid = 2556, .result = TYPE_OID,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &tablespace_databases, FN_ARGS(TYPE_OID)},
    {.name = "pg_listening_channels", .kind = FUNCTION_SET, .oid = 3035, .result = TYPE_TEXT,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &channels},
    {.name = "pg_get_keywords", .kind = FUNCTION_SET, .oid = 1686, .result = TYPE_RECORD,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &keywords},
    {.name = "pg_options_to_table", .kind = FUNCTION_SET, .oid = 2289, .result = TYPE_RECORD,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &options, FN_ARGS(TYPE_TEXT_ARRAY)},
    {.name = "_pg_expandarray", .kind = FUNCTION_SET, .oid = 13494, .result = TYPE_RECORD,
        .strict = true, .set = &numbered_elements, .schema = "information_schema",
        FN_ARGS(TYPE_ANYARRAY)},
    {.name = "pg_sequence_parameters", .kind = FUNCTION_SET, .oid = 3078, .result = TYPE_RECORD,
        .strict = true, .volatility = FUNCTION_STABLE, .set = &sequence_parameters,
        FN_ARGS(TYPE_OID)},
};

void pg_functions_rows_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
