// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE TYPE ... AS ENUM, and what ALTER TYPE does to its labels.
#include "sql/ddl/ddl_internal.h"

static struct status check_label(struct statement_context *context, const char *label)
{
    if (strlen(label) <= IDENTIFIER_BYTES_MAX) return STATUS_OK;
    struct status st =
        ddl_error(context, E_INVALID_NAME, "invalid enum label \"%s\"", label);
    return status_detail(
        context->arena, st, "Labels must be %u bytes or less.", (unsigned)IDENTIFIER_BYTES_MAX);
}

static int find_label(const struct table_desc *type, const char *name)
{
    for (uint32_t i = 0; i < type->label_count; i++)
        if (strcmp(type->labels[i].name, name) == 0) return (int)i;
    return -1;
}

struct status ddl_create_enum(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_enum *create = context->statement->as.create_enum;
    struct table_desc type;

    TRY(ddl_begin_type(context, &create->name, RELATION_ENUM, &type));
    if (create->value_count > TYPE_LABELS_MAX)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED, "an enum can have at most %u labels",
            TYPE_LABELS_MAX);
    for (uint32_t i = 0; i < create->value_count; i++) {
        struct type_label label = {.name = arena_string(context->arena, create->values[i]),
            .order = (int64_t)(i + 1) * TYPE_LABEL_STEP,
            .id = type.next_label_id++};
        TRY(check_label(context, label.name));
        if (find_label(&type, label.name) >= 0)
            return ddl_error(context, E_UNIQUE_VIOLATION,
                "enum label \"%s\" used more than once", label.name);
        DDL_APPEND(context->arena, type.labels, type.label_count, label);
    }
    TRY(ddl_put_new_type(context, &type));
out:
    return st;
}

static struct status add_label(struct statement_context *context, struct table_desc *type,
    const struct alter_enum *alter, bool *added)
{
    struct status st = STATUS_OK;
    uint32_t count = type->label_count, at = count;

    *added = false;
    TRY(check_label(context, alter->new_value));
    if (find_label(type, alter->new_value) >= 0) {
        if (!alter->if_not_exists)
            return ddl_error(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                alter->new_value);
        ddl_notice_exists(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists, skipping", alter->new_value);
        goto out;
    }
    if (count == TYPE_LABELS_MAX || type->next_label_id >= TYPE_LABELS_MAX)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED, "an enum can have at most %u labels",
            TYPE_LABELS_MAX);
    if (alter->neighbor != NULL) {
        int neighbor = find_label(type, alter->neighbor);
        if (neighbor < 0)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "\"%s\" is not an existing enum label", alter->neighbor);
        at = (uint32_t)neighbor + (alter->after ? 1 : 0);
    }
    struct type_label label = {.name = alter->new_value, .id = type->next_label_id++};
    if (count == 0)
        label.order = TYPE_LABEL_STEP;
    else if (at == count)
        label.order = type->labels[count - 1].order + TYPE_LABEL_STEP;
    else if (at == 0)
        label.order = type->labels[0].order - TYPE_LABEL_STEP;
    else
        label.order = type->labels[at - 1].order +
                      (type->labels[at].order - type->labels[at - 1].order) / 2;
    if (at > 0 && label.order == type->labels[at - 1].order)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED,
            "too many labels were added between the same two labels");
    struct type_label *labels = ARENA_ARRAY(context->arena, struct type_label, count + 1);
    memcpy(labels, type->labels, at * sizeof *labels);
    labels[at] = label;
    memcpy(labels + at + 1, type->labels + at, (count - at) * sizeof *labels);
    type->labels = labels;
    type->label_count++;
    *added = true;
out:
    return st;
}

struct status ddl_alter_enum(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_enum *alter = context->statement->as.alter_enum;
    struct table_desc *type;
    bool changed = true;

    TRY(ddl_edit_type(context, &alter->name, false, &type));
    if (type->kind != RELATION_ENUM)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not an enum", type->name);
    if (alter->old_value != NULL) {
        int at = find_label(type, alter->old_value);
        TRY(check_label(context, alter->new_value));
        if (at < 0)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "\"%s\" is not an existing enum label", alter->old_value);
        if (find_label(type, alter->new_value) >= 0)
            return ddl_error(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                alter->new_value);
        type->labels[at].name = alter->new_value;
    } else {
        TRY(add_label(context, type, alter, &changed));
    }
    if (changed) TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}
