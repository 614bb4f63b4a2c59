// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE and ALTER FUNCTION as text.
#include "sql/parse/deparse_internal.h"

static void put_function_options(struct deparse *deparse, const struct function_options *options)
{
    if (options->volatility != 0)
        put(deparse, options->volatility == 'i' ? " IMMUTABLE"
                     : options->volatility == 's' ? " STABLE"
                                                  : " VOLATILE");
    if (options->leakproof != 0)
        put(deparse, options->leakproof == 'y' ? " LEAKPROOF" : " NOT LEAKPROOF");
    if (options->strict != 0)
        put(deparse, options->strict == 'y' ? " STRICT" : " CALLED ON NULL INPUT");
    if (options->security_definer != 0)
        put(deparse,
            options->security_definer == 'y' ? " SECURITY DEFINER" : " SECURITY INVOKER");
    if (options->parallel != 0)
        put(deparse, options->parallel == 's'   ? " PARALLEL SAFE"
                     : options->parallel == 'r' ? " PARALLEL RESTRICTED"
                                                : " PARALLEL UNSAFE");
    if (options->cost != NULL) {
        put(deparse, " COST ");
        put(deparse, options->cost);
    }
    if (options->rows != NULL) {
        put(deparse, " ROWS ");
        put(deparse, options->rows);
    }
    for (uint32_t i = 0; i < options->setting_count; i++) {
        put(deparse, " ");
        put_set_variable(deparse, options->settings[i]);
    }
}

static void put_parameters(
    struct deparse *deparse, const struct create_function *function, bool table)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        const struct function_parameter *parameter = &function->parameters[i];
        if ((parameter->mode == 't') != table) continue;
        if (shown++ > 0) put(deparse, ", ");
        if (parameter->mode == 'o') put(deparse, "OUT ");
        if (parameter->mode == 'b') put(deparse, "INOUT ");
        if (parameter->mode == 'v') put(deparse, "VARIADIC ");
        if (*parameter->name != 0) {
            put_name(deparse, parameter->name);
            put(deparse, " ");
        }
        put_type(deparse, parameter->type);
        if (parameter->default_expr == NULL) continue;
        put(deparse, " DEFAULT ");
        put_expr(deparse, parameter->default_expr);
    }
}

void put_create_function(struct deparse *deparse, const struct create_function *function)
{
    bool table = false;
    put(deparse, function->replace ? "CREATE OR REPLACE " : "CREATE ");
    put(deparse, function->procedure ? "PROCEDURE " : "FUNCTION ");
    put_object_name(deparse, function->name);
    put(deparse, "(");
    put_parameters(deparse, function, false);
    put(deparse, ")");
    for (uint32_t i = 0; i < function->parameter_count; i++)
        table |= function->parameters[i].mode == 't';
    if (table) {
        put(deparse, " RETURNS TABLE(");
        put_parameters(deparse, function, true);
        put(deparse, ")");
    } else if (function->returns != NULL) {
        put(deparse, " RETURNS ");
        put_type(deparse, function->returns);
    }
    if (function->language != NULL) {
        put(deparse, " LANGUAGE ");
        put_name(deparse, function->language);
    }
    put_function_options(deparse, &function->options);
    if (function->body_kind == 'q') {
        put(deparse, " AS ");
        put_string(deparse, bytes_of_string(function->body));
    } else if (function->body_kind == 'r') {
        put(deparse, " RETURN ");
        put_expr(deparse, function->statements[0]->as.select->targets.items[0].expr);
    } else if (function->body_kind == 'a') {
        put(deparse, " BEGIN ATOMIC ");
        for (uint32_t i = 0; i < function->statement_count; i++) {
            put_statement(deparse, function->statements[i]);
            put(deparse, "; ");
        }
        put(deparse, "END");
    }
}

void put_alter_function(struct deparse *deparse, const struct alter_function *alter)
{
    put(deparse, alter->object == OBJECT_PROCEDURE ? "ALTER PROCEDURE " : "ALTER FUNCTION ");
    put_object_name(deparse, alter->name);
    put_function_options(deparse, &alter->options);
}
