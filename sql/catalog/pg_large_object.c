// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_largeobject and pg_largeobject_metadata: those of the current database.
#include "sql/catalog/pg_catalog.h"
#include "sql/service/large_object.h"
#include "sql/user/privilege.h"

struct listing {
    struct task *task;
    struct session *session;
    struct virtual_table_sink *sink;
    struct arena arena; // Of one row.
    uint32_t oid;
};

static struct status metadata_row(void *arg, const struct large_object *object)
{
    struct status st = STATUS_OK;
    struct listing *listing = arg;
    struct pg_row row;
    uint32_t owner;
    arena_reset(&listing->arena);
    TRY(pg_role_oid(listing->task, listing->session, object->owner, &owner));
    pg_row_begin(&row, listing->sink);
    pg_put_int(&row, "oid", object->oid);
    pg_put_int(&row, "lomowner", owner);
    pg_put(&row, "lomacl",
        pg_acl(&listing->arena, OBJECT_LARGE_OBJECT, object->owner, object->grants, object->grant_count));
    TRY(pg_row_send(&row));
out:
    return st;
}

static struct status page_row(void *arg, uint32_t page, struct bytes data)
{
    struct listing *listing = arg;
    struct pg_row row;
    pg_row_begin(&row, listing->sink);
    pg_put_int(&row, "loid", listing->oid);
    pg_put_int(&row, "pageno", page);
    pg_put(&row, "data", datum_bytes(data));
    return pg_row_send(&row);
}

static struct status page_rows(void *arg, const struct large_object *object)
{
    struct listing *listing = arg;
    listing->oid = object->oid;
    return large_object_pages(listing->task, listing->session, object, page_row, listing);
}

static struct status list(struct task *task, struct session *session, struct virtual_table_sink *sink,
    struct status (*each)(void *arg, const struct large_object *object))
{
    struct listing listing = {.task = task, .session = session, .sink = sink};
    const struct database_desc *database;
    struct status st = catalog_database(task, session, NULL, false, &database);
    if (failed(st)) return st;
    arena_init(&listing.arena, &session->account);
    st = large_object_each(task, session, database->id, each, &listing);
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&listing.arena);
    return st;
}

static struct status metadata_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    return list(task, session, sink, metadata_row);
}

// What they hold is not for everybody: privileges of single objects are asked for by the functions.
static struct status all_page_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    if (!session->internal && !session->superuser)
        return status_make(E_INSUFFICIENT_PRIVILEGE, "permission denied for table pg_largeobject");
    return list(task, session, sink, page_rows);
}

static const struct pg_table tables[] = {
    {"pg_largeobject", "loid oid, pageno int4, data bytea", all_page_rows},
    {"pg_largeobject_metadata", "oid oid, lomowner oid, lomacl aclitem[]", metadata_rows},
};

void pg_large_object_register(void)
{
    pg_tables_register("pg_catalog", tables, sizeof tables / sizeof tables[0]);
}
