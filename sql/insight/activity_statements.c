// SPDX-License-Identifier: GPL-3.0-or-later
//
// CANCEL QUERY, CANCEL QUERIES, CANCEL SESSION, CANCEL SESSIONS.
#include <stdio.h>
#include <string.h>

#include "sql/insight/activity.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

struct id_texts {
    struct result_sink sink;
    struct arena *arena;
    const char **ids;
    uint32_t count;
};

static struct status ids_columns(
    struct task *task, struct result_sink *sink, const struct result_column *columns, uint32_t count)
{
    (void)task;
    (void)sink;
    if (count == 1 && columns[0].type.oid == TYPE_TEXT) return STATUS_OK;
    return status_make(E_DATATYPE_MISMATCH, "the query of ids must give one column of text");
}

static struct status ids_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct id_texts *list = container_of(sink, struct id_texts, sink);
    (void)task;
    if (values[0].null) return STATUS_OK;
    const char *id = arena_string(list->arena, datum_as_bytes(values[0]));
    DDL_APPEND(list->arena, list->ids, list->count, id);
    return STATUS_OK;
}

static struct status one_id(struct statement_context *context, const struct expr *expr, struct id_texts *list)
{
    struct datum value;
    struct status st = statement_constant(context, expr, TYPE_OF(TYPE_TEXT), &value);
    if (failed(st)) return st;
    if (value.null) return ddl_error(context, E_INVALID_PARAMETER_VALUE, "the id cannot be NULL");
    const char *id = arena_string(context->arena, datum_as_bytes(value));
    DDL_APPEND(context->arena, list->ids, list->count, id);
    return STATUS_OK;
}

struct status activity_may_signal(
    struct task *task, struct session *session, const char *user, bool *may, bool *admin)
{
    struct status st = STATUS_OK;
    *admin = false;
    *may = session->superuser || session->internal;
    if (*may) return st;
    TRY(role_is_admin(task, session->tenant, user, admin));
    if (!*admin) TRY(role_is_member(task, session, session->user, user, may));
    if (!*admin && !*may) TRY(privilege_has_system(task, session, session->user, "CANCELQUERY", may));
out:
    return st;
}

static const struct activity *find(
    const struct activity_list *list, const struct cancel *cancel, uint32_t node, uint64_t session)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct activity *at = &list->items[i];
        if (at->node != node || at->session != session) continue;
        return cancel->session || at->statement != NULL ? at : NULL;
    }
    return NULL;
}

static struct status cancel_one(
    struct statement_context *context, const struct activity_list *list, const char *id)
{
    struct status st = STATUS_OK;
    const struct cancel *cancel = context->statement->as.cancel;
    const char *what = cancel->session ? "session" : "query";
    uint32_t node;
    uint64_t session;
    bool may, admin, found = false;
    if (!activity_id_parse(id, &node, &session))
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "invalid %s ID \"%s\"", what, id);
    const struct activity *target = find(list, cancel, node, session);
    if (target != NULL) {
        TRY(activity_may_signal(context->task, context->session, target->user, &may, &admin));
        if (!may)
            return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
                admin ? "only users with the admin role may cancel what the admin role runs"
                      : "this operation requires the CANCELQUERY privilege");
        TRY(activity_signal(context->task, node, session, cancel->session, &found));
    }
    if (!found && !cancel->if_exists)
        st = ddl_error(context, E_UNDEFINED_OBJECT, "could not cancel %s %s: %s ID %s not found", what, id, what, id);
out:
    return st;
}

static struct status execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct cancel *cancel = context->statement->as.cancel;
    struct activity_list list = {0};
    struct arena arena;
    struct id_texts ids = {.sink = {.columns = ids_columns, .row = ids_row}, .arena = context->arena};
    arena_init(&arena, NULL);
    if (cancel->query != NULL)
        TRY(statement_query(context, cancel->query, &ids.sink));
    else
        TRY(one_id(context, cancel->id, &ids));
    TRY(activity_list(context->task, context->session->tenant, true, &arena, &list));
    for (uint32_t i = 0; i < ids.count; i++)
        TRY(cancel_one(context, &list, ids.ids[i]));
    snprintf(context->tag, sizeof context->tag, "CANCEL %s %u", cancel->session ? "SESSIONS" : "QUERIES", ids.count);
out:
    st = status_copy(context->task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_CANCEL, HANDLER_READ_ONLY, NULL, execute},
};

void activity_statements_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
