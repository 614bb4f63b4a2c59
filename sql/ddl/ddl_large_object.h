// SPDX-License-Identifier: GPL-3.0-or-later
//
// What statements do to large objects (sql/service/large_object.h), and what becomes of them when roles change.
//
// Shard    The session's. All suspend; a role's objects are looked for among all that there are.
// Errors   42704, 42501, 22P02 and 22003 for what is no oid.
#pragma once
#include "sql/ddl/ddl_internal.h"
#include "sql/service/large_object.h"

// The one that a statement names, locked.
CHECKED struct status ddl_find_large_object(
    struct statement_context *context, const struct object_name *name, struct large_object *object);
// ALTER LARGE OBJECT n OWNER TO.
CHECKED struct status ddl_own_large_object(
    struct statement_context *context, const struct object_name *name, const char *owner);

// REASSIGN OWNED, DROP OWNED, ALTER ROLE ... RENAME TO: `each` changes the object. *changed: it is to be written;
// *dropped: it goes. Of the database, or (0) of all.
struct large_object_change {
    struct status (*each)(
        void *arg, struct statement_context *context, struct large_object *object, bool *changed, bool *dropped);
    void *arg;
};
CHECKED struct status ddl_change_large_objects(
    struct statement_context *context, uint32_t database_id, const struct large_object_change *change);
