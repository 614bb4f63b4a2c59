// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/ddl_setting.h"

#include <strings.h>

#include "sql/parse/deparse.h"
#include "sql/session/vars.h"

struct status ddl_setting_text(
    struct statement_context *context, const struct set_variable *set, const char **text)
{
    struct status st = STATUS_OK;
    struct buffer out;

    if (set->kind == SET_CURRENT) {
        *text = vars_get(context->session, set->name);
        return STATUS_OK;
    }
    buffer_init(&out, context->arena);
    for (uint32_t i = 0; i < set->values.count; i++) {
        struct datum value;
        const struct expr *item = set->values.items[i];
        if (i > 0) buffer_append_string(&out, ", ");
        // Names of schemas stay apart from the commas between them.
        if (strcmp(set->name, "search_path") == 0 && item->kind == EXPR_LITERAL &&
            item->literal.kind == LITERAL_STRING) {
            deparse_identifier(&out, arena_string(context->arena, item->literal.text));
            continue;
        }
        TRY(statement_constant(context, set->values.items[i], TYPE_OF(TYPE_TEXT), &value));
        if (!value.null) buffer_append_bytes(&out, datum_as_bytes(value));
    }
    *text = buffer_string(&out);
out:
    return st;
}

static void remove_setting(struct function_desc *function, const char *name)
{
    for (uint32_t i = 0; i < function->setting_count; i++) {
        if (strcasecmp(function->settings[i].name, name) != 0) continue;
        DDL_REMOVE(function->settings, function->setting_count, i);
        return;
    }
}

static struct status set_setting(
    struct statement_context *context, struct function_desc *function, const struct set_variable *set)
{
    struct status st = STATUS_OK;
    const char *text, *name;
    if (vars_get(context->session, set->name) == NULL && strchr(set->name, '.') == NULL)
        return vars_unknown(context->arena, set->name);
    if (vars_is_for_admins(set->name) && !context->session->superuser && !context->session->internal)
        return ddl_error(
            context, E_INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"%s\"", set->name);
    TRY(ddl_setting_text(context, set, &text));
    TRY(vars_check(context->session, context->arena, set->name, text, &name));
    for (uint32_t i = 0; i < function->setting_count; i++) {
        if (strcasecmp(function->settings[i].name, name) != 0) continue;
        function->settings[i].value = arena_strdup(context->arena, text);
        return st;
    }
    const struct function_setting setting = {arena_strdup(context->arena, name), arena_strdup(context->arena, text)};
    DDL_APPEND(context->arena, function->settings, function->setting_count, setting);
out:
    return st;
}

struct status ddl_set_function_settings(struct statement_context *context,
    struct function_desc *function, const struct function_options *options)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < options->setting_count; i++) {
        const struct set_variable *set = options->settings[i];
        if (set->kind == SET_RESET_ALL)
            function->setting_count = 0;
        else if (set->kind == SET_RESET || set->kind == SET_DEFAULT)
            remove_setting(function, set->name);
        else
            TRY(set_setting(context, function, set));
    }
out:
    return st;
}
