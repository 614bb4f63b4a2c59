// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/ddl_large_object.h"

#include "sql/user/role.h"

struct status ddl_find_large_object(
    struct statement_context *context, const struct object_name *name, struct large_object *object)
{
    struct status st = STATUS_OK;
    struct datum oid;
    TRY(type_input(context->arena, &type_context_default, TYPE_OF(TYPE_OID), bytes_of_string(name->name), &oid));
    TRY(large_object_find(context->task, context->session, context->arena, (uint32_t)oid.integer,
        &(struct kv_read){.lock = KV_LOCK_NO_KEY_UPDATE}, object));
out:
    return st;
}

struct status ddl_own_large_object(
    struct statement_context *context, const struct object_name *name, const char *owner)
{
    struct status st = STATUS_OK;
    struct large_object object;
    TRY(ddl_find_large_object(context, name, &object));
    TRY(large_object_check_owner(context->task, context->session, &object));
    object.owner = owner;
    TRY(large_object_put(context->task, context->session, &object));
out:
    return st;
}

// --- of roles --------------------------------------------------------------------------------------------

struct changing {
    struct statement_context *context;
    const struct large_object_change *change;
};

static struct status change_one(void *arg, const struct large_object *found)
{
    struct changing *changing = arg;
    struct statement_context *context = changing->context;
    struct large_object object = *found;
    bool changed = false, dropped = false;
    struct status st =
        changing->change->each(changing->change->arg, context, &object, &changed, &dropped);
    if (failed(st)) return st;
    if (dropped) return large_object_drop(context->task, context->session, &object);
    return changed ? large_object_put(context->task, context->session, &object) : st;
}

struct status ddl_change_large_objects(
    struct statement_context *context, uint32_t database_id, const struct large_object_change *change)
{
    struct changing changing = {context, change};
    return large_object_each(context->task, context->session, database_id, change_one, &changing);
}
