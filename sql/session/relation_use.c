// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/relation_use.h"

#include "sql/exec/deferred.h"
#include "sql/session/cursor.h"

static bool cursor_reads(const struct cursor *cursor, uint32_t id)
{
    if (cursor->held) return false; // It has all of its rows.
    for (uint32_t i = 0; i < cursor->read_count; i++)
        if (cursor->reads[i] == id) return true;
    return false;
}

// A query's portal holds what it reads from Bind on until it is closed. One of changes runs to its end at once.
static bool portal_reads(const struct portal *portal, uint32_t id)
{
    const struct prepared *prepared = portal->prepared;
    if (portal->broken || prepared->built == NULL || plan_modifies(prepared->built->plan)) return false;
    return plan_reads(prepared->built->plan, id);
}

static bool is_read(const struct session_statements *all, uint32_t id)
{
    for (const struct cursor *at = all->cursors; at != NULL; at = at->next)
        if (cursor_reads(at, id)) return true;
    for (const struct portal *at = all->portals; at != NULL; at = at->next)
        if (portal_reads(at, id)) return true;
    return false;
}

struct status relation_refuse_used(
    struct statement_context *context, const struct table_desc *relation, const char *what)
{
    const struct session *session = context->session;
    if (session->statements == NULL || session->internal) return STATUS_OK; // What comes of another's DROP ... CASCADE.
    if (is_read(session->statements, relation->id))
        return status_format(context->arena, E_OBJECT_IN_USE,
            "cannot %s \"%s\" because it is being used by active queries in this session", what, relation->name);
    if (deferred_waits_for(session, relation->id))
        return status_format(context->arena, E_OBJECT_IN_USE,
            "cannot %s \"%s\" because it has pending trigger events", what, relation->name);
    return STATUS_OK;
}
