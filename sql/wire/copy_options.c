// SPDX-License-Identifier: GPL-3.0-or-later
//
// COPY's options: what each may be, and which go together. Checks stand in PostgreSQL's order: of two faults it is the
// same one that is told.
#include <string.h>

#include "core/text.h"
#include "sql/catalog/catalog.h"
#include "sql/type/encoding.h"
#include "sql/wire/copy.h"

struct options_reading {
    struct arena *arena;
    const struct copy *copy;
    struct copy_options *out;
    // As they were written; NULL: not at all.
    const char *delimiter, *null_text, *quote, *escape;
    bool force_quote, force_not_null, force_null;
};

static struct status value_needed(struct arena *arena, const struct option *option)
{
    return status_format(arena, E_SYNTAX_ERROR, "%s requires a parameter", option->name);
}

static struct status text_value(struct arena *arena, const struct option *option, const char **text)
{
    const struct expr *value = option->value;
    if (value == NULL) return value_needed(arena, option);
    *text = "";
    if (value->kind == EXPR_LITERAL)
        *text = value->literal.kind != LITERAL_BOOL ? arena_string(arena, value->literal.text)
            : value->literal.boolean ? "true" : "false";
    else if (value->kind == EXPR_COLUMN && value->column.star)
        *text = "*";
    return STATUS_OK;
}

static bool bool_value(const char *text, bool *value)
{
    *value = strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0 || strcasecmp(text, "on") == 0;
    return *value || strcmp(text, "0") == 0 || strcasecmp(text, "false") == 0 || strcasecmp(text, "off") == 0;
}

static struct status take_format(struct options_reading *reading, const struct option *option)
{
    const char *text;
    struct status st = text_value(reading->arena, option, &text);
    if (failed(st)) return st;
    if (strcmp(text, "text") == 0) return STATUS_OK;
    reading->out->format = strcmp(text, "csv") == 0 ? COPY_CSV : COPY_BINARY;
    if (reading->out->format == COPY_CSV || strcmp(text, "binary") == 0) return STATUS_OK;
    return status_position(reading->arena,
        status_format(reading->arena, E_INVALID_PARAMETER_VALUE, "COPY format \"%s\" not recognized", text), option->position + 1);
}

static struct status take_header(struct options_reading *reading, const struct option *option)
{
    const char *text = "true";
    struct status st = option->value == NULL ? STATUS_OK : text_value(reading->arena, option, &text);
    if (failed(st)) return st;
    reading->out->header_match = strcasecmp(text, "match") == 0;
    reading->out->header = true;
    if (reading->out->header_match && !reading->copy->from)
        return status_format(reading->arena, E_FEATURE_NOT_SUPPORTED, "cannot use \"%s\" with HEADER in COPY TO", text);
    if (reading->out->header_match || bool_value(text, &reading->out->header)) return STATUS_OK;
    return status_format(reading->arena, E_SYNTAX_ERROR, "%s requires a Boolean value or \"match\"", option->name);
}

static struct status take_freeze(struct options_reading *reading, const struct option *option)
{
    bool freeze; // Rows are visible to new snapshots at once anyway.
    const char *text = "true";
    struct status st = option->value == NULL ? STATUS_OK : text_value(reading->arena, option, &text);
    if (failed(st) || bool_value(text, &freeze)) return st;
    return status_format(reading->arena, E_SYNTAX_ERROR, "%s requires a Boolean value", option->name);
}

static struct status take_encoding(struct options_reading *reading, const struct option *option)
{
    const char *text;
    struct status st = text_value(reading->arena, option, &text);
    if (failed(st)) return st;
    reading->out->encoding = encoding_find(bytes_of_string(text));
    if (reading->out->encoding >= 0) return STATUS_OK;
    return status_position(reading->arena, status_format(reading->arena, E_INVALID_PARAMETER_VALUE,
        "argument to option \"%s\" must be a valid encoding name", option->name), option->position + 1);
}

// Which columns: when they are known, in copy_force_columns. A star is for quotes alone.
static struct status take_force(struct options_reading *reading, const struct option *option)
{
    const struct expr *value = option->value;
    bool quote = strcmp(option->name, "force_quote") == 0;
    bool star = value != NULL && value->kind == EXPR_COLUMN && value->column.star;
    *(quote ? &reading->force_quote : strcmp(option->name, "force_null") == 0 ? &reading->force_null : &reading->force_not_null) = true;
    if ((star && quote) || (value != NULL && value->kind == EXPR_ROW)) return STATUS_OK;
    return status_position(reading->arena, status_format(reading->arena, E_INVALID_PARAMETER_VALUE,
        "argument to option \"%s\" must be a list of column names", option->name), option->position + 1);
}

static struct status take_option(struct options_reading *reading, const struct option *option)
{
    const char *name = option->name;
    if (strcmp(name, "format") == 0) return take_format(reading, option);
    if (strcmp(name, "freeze") == 0) return take_freeze(reading, option);
    if (strcmp(name, "delimiter") == 0) return text_value(reading->arena, option, &reading->delimiter);
    if (strcmp(name, "null") == 0) return text_value(reading->arena, option, &reading->null_text);
    if (strcmp(name, "header") == 0) return take_header(reading, option);
    if (strcmp(name, "quote") == 0) return text_value(reading->arena, option, &reading->quote);
    if (strcmp(name, "escape") == 0) return text_value(reading->arena, option, &reading->escape);
    if (strcmp(name, "encoding") == 0) return take_encoding(reading, option);
    if (strcmp(name, "force_quote") == 0 || strcmp(name, "force_not_null") == 0 || strcmp(name, "force_null") == 0)
        return take_force(reading, option);
    return status_position(reading->arena,
        status_format(reading->arena, E_SYNTAX_ERROR, "option \"%s\" not recognized", name), option->position + 1);
}

static struct status refused(const char *message)
{
    return status_make(E_FEATURE_NOT_SUPPORTED, message);
}

static struct status invalid(const char *message)
{
    return status_make(E_INVALID_PARAMETER_VALUE, message);
}

static struct status check_force(struct arena *arena, const char *what, bool csv, bool right_way, const char *way)
{
    if (!csv) return status_format(arena, E_FEATURE_NOT_SUPPORTED, "COPY force %s available only in CSV mode", what);
    if (right_way) return STATUS_OK;
    return status_format(arena, E_FEATURE_NOT_SUPPORTED, "COPY force %s only available using COPY %s", what, way);
}

static struct status check_marks(const struct options_reading *reading)
{
    struct arena *arena = reading->arena;
    const struct copy_options *out = reading->out;
    const bool csv = out->format == COPY_CSV, binary = out->format == COPY_BINARY;
    if (binary && (reading->delimiter != NULL || reading->null_text != NULL))
        return status_format(arena, E_SYNTAX_ERROR, "cannot specify %s in BINARY mode",
            reading->delimiter != NULL ? "DELIMITER" : "NULL");
    const char *delimiter = reading->delimiter != NULL ? reading->delimiter : csv ? "," : "\t";
    const char *null_text = reading->null_text != NULL ? reading->null_text : csv ? "" : "\\N";
    const char *quote = reading->quote != NULL ? reading->quote : "\"";
    if (strlen(delimiter) != 1) return refused("COPY delimiter must be a single one-byte character");
    if (strpbrk(delimiter, "\r\n") != NULL) return invalid("COPY delimiter cannot be newline or carriage return");
    if (strpbrk(null_text, "\r\n") != NULL)
        return invalid("COPY null representation cannot use newline or carriage return");
    if (!csv && strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789", delimiter[0]) != NULL)
        return status_format(arena, E_INVALID_PARAMETER_VALUE, "COPY delimiter cannot be \"%s\"", delimiter);
    if (binary && out->header) return refused("cannot specify HEADER in BINARY mode");
    if (!csv && reading->quote != NULL) return refused("COPY quote available only in CSV mode");
    if (csv && strlen(quote) != 1) return refused("COPY quote must be a single one-byte character");
    if (csv && delimiter[0] == quote[0]) return invalid("COPY delimiter and quote must be different");
    if (!csv && reading->escape != NULL) return refused("COPY escape available only in CSV mode");
    if (csv && reading->escape != NULL && strlen(reading->escape) != 1)
        return refused("COPY escape must be a single one-byte character");
    struct status st = STATUS_OK;
    const bool from = reading->copy->from;
    if (reading->force_quote) st = check_force(arena, "quote", csv, !from, "TO");
    if (!failed(st) && reading->force_not_null) st = check_force(arena, "not null", csv, from, "FROM");
    if (!failed(st) && reading->force_null) st = check_force(arena, "null", csv, from, "FROM");
    if (failed(st)) return st;
    if (strchr(null_text, delimiter[0]) != NULL) return refused("COPY delimiter must not appear in the NULL specification");
    if (csv && strchr(null_text, quote[0]) != NULL) return refused("CSV quote character must not appear in the NULL specification");
    return STATUS_OK;
}

struct status copy_options_take(struct arena *arena, const struct copy *copy, int32_t encoding, struct copy_options *out)
{
    struct status st = STATUS_OK;
    struct options_reading reading = {.arena = arena, .copy = copy, .out = out};
    *out = (struct copy_options){.format = COPY_TEXT, .encoding = encoding};
    for (uint32_t i = 0; i < copy->options.count; i++) {
        const struct option *option = &copy->options.items[i];
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(copy->options.items[k].name, option->name) == 0)
                return status_position(arena, status_make(E_SYNTAX_ERROR, "conflicting or redundant options"), option->position + 1);
        TRY(take_option(&reading, option));
    }
    TRY(check_marks(&reading));
    const bool csv = out->format == COPY_CSV;
    out->delimiter = reading.delimiter != NULL ? reading.delimiter[0] : csv ? ',' : '\t';
    out->quote = reading.quote != NULL ? reading.quote[0] : '"';
    out->escape = reading.escape != NULL ? reading.escape[0] : out->quote;
    out->null_text = bytes_of_string(reading.null_text != NULL ? reading.null_text : csv ? "" : "\\N");
out:
    return st;
}

struct status copy_force_columns(struct arena *arena, const struct copy *copy, const struct table_desc *table,
    const char *const *names, uint32_t count, struct copy_options *out)
{
    for (uint32_t i = 0; i < copy->options.count; i++) {
        const struct option *option = &copy->options.items[i];
        if (strncmp(option->name, "force_", 6) != 0) continue;
        const char *what = strcmp(option->name, "force_quote") == 0 ? "FORCE_QUOTE"
            : strcmp(option->name, "force_null") == 0 ? "FORCE_NULL" : "FORCE_NOT_NULL";
        bool *flags = ARENA_ARRAY(arena, bool, count + 1u);
        *(what[6] == 'Q' ? &out->force_quote : what[7] == 'O' ? &out->force_not_null : &out->force_null) = flags;
        const struct expr *value = option->value;
        if (value->kind != EXPR_ROW) {
            memset(flags, true, count);
            continue;
        }
        for (uint32_t k = 0; k < value->row.items.count; k++) {
            const struct expr *item = value->row.items.items[k];
            uint32_t c = 0;
            const char *name = item->kind == EXPR_LITERAL ? arena_string(arena, item->literal.text) : "";
            while (c < count && strcmp(names[c], name) != 0) c++;
            if (c < count && !flags[c]) {
                flags[c] = true;
                continue;
            }
            if (c < count)
                return status_format(arena, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", name);
            if (table != NULL && table_column(table, name) != NULL)
                return status_format(arena, E_INVALID_COLUMN_REFERENCE, "%s column \"%s\" not referenced by COPY", what, name);
            return table != NULL
                ? status_format(arena, E_UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name, table->name)
                : status_format(arena, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
        }
    }
    return STATUS_OK;
}
