// SPDX-License-Identifier: GPL-3.0-or-later
//
// TABLESAMPLE: a condition of the scan, which goes wherever its other conditions go (sql/function/sample.h).
#include "sql/bind/bind.h"
#include "sql/function/sample.h"

#define E_INVALID_SAMPLE_ARGUMENT SQLSTATE('2', '2', '0', '2', 'H')

// What a view or a WITH query has no sample of.
struct status bind_no_sample(struct binder *binder, const struct from_item *item)
{
    if (item->table.sample == NULL) return STATUS_OK;
    return bind_error(binder, item->position, E_FEATURE_NOT_SUPPORTED,
        "TABLESAMPLE clause can only be applied to tables and materialized views");
}

static struct status bind_argument(struct binder *binder, const struct scope *scope, const struct expr *expr,
    const char *clause, type_oid type, struct scalar **out)
{
    struct status st;
    struct scope inner = *scope;
    bool done;
    inner.clause = "functions in FROM";
    inner.sets_allowed = false;
    TRY(bind_expr(binder, &inner, expr, out));
    TRY(bind_coerce(binder, out, TYPE_OF(type), CAST_ASSIGNMENT, &done));
    if (!done)
        st = bind_error(binder, expr->position, E_DATATYPE_MISMATCH, "argument of %s must be type %s, not type %s",
            clause, bind_type_text(binder, TYPE_OF(type)), bind_type_text(binder, (*out)->type));
out:
    return st;
}

static const struct function *sample_method(const struct object_name *name)
{
    static const struct function *const methods[] = {&sample_bernoulli, &sample_system};
    if (name->schema != NULL && strcmp(name->schema, "pg_catalog") != 0) return NULL;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i]->name, name->name) == 0) return methods[i];
    return NULL;
}

// The statement's own seed, another one each time it runs: a slot behind the parameters, once these are counted.
static struct scalar *statement_seed(struct binder *binder, uint32_t position)
{
    struct scalar *seed = scalar_new(binder->arena, SCALAR_PARAM, TYPE_OF(TYPE_FLOAT8), position);
    seed->param = PARAM_SEED;
    return seed;
}

struct status bind_sample(struct binder *binder, const struct scope *scope, const struct from_item *item,
    const struct table_desc *table, struct rel *scan)
{
    struct status st = STATUS_OK;
    const struct from_sample *sample = item->table.sample;
    if (sample == NULL) return st;
    const struct function *method = sample_method(&sample->method);
    if (method == NULL)
        return bind_error(binder, sample->position, E_UNDEFINED_OBJECT, "tablesample method %s does not exist",
            sample->method.schema == NULL
                ? sample->method.name
                : arena_printf(binder->arena, "%s.%s", sample->method.schema, sample->method.name));
    if (sample->args.count != 1)
        return bind_error(binder, sample->position, E_INVALID_SAMPLE_ARGUMENT,
            "tablesample method %s requires 1 argument, not %u", method->name, sample->args.count);
    const bool stored = scan->kind == REL_SCAN;
    const uint32_t key_count = stored ? table->indexes[0].column_count : table->column_count;
    struct scalar *call = scalar_with_args(
        binder->arena, SCALAR_CALL, TYPE_OF(TYPE_BOOL), item->position, SAMPLE_KEYS_FROM + key_count);
    call->function = method;
    TRY(bind_argument(binder, scope, sample->args.items[0], "TABLESAMPLE", TYPE_FLOAT4, &call->args[0]));
    uint32_t number = 0;
    if (sample->repeatable != NULL) {
        TRY(bind_argument(binder, scope, sample->repeatable, "REPEATABLE", TYPE_FLOAT8, &call->args[1]));
    } else {
        number = ++binder->sample_count;
        call->args[1] = statement_seed(binder, item->position);
    }
    call->args[2] = scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(number), item->position);
    for (uint32_t k = 0; k < key_count; k++) {
        uint32_t ordinal = k;
        for (uint32_t i = 0; stored && i < table->column_count; i++)
            if (table->columns[i].id == table->indexes[0].columns[k].column_id) ordinal = i;
        call->args[SAMPLE_KEYS_FROM + k] = bind_var(binder, scan->scan.base + ordinal, item->position);
    }
    scalar_list_add(binder->arena, &scan->scan.conjuncts, call);
out:
    return st;
}
