// SPDX-License-Identifier: GPL-3.0-or-later
//
// Large objects: values of up to 4 TB that are read and written in part (PostgreSQL 15 manual, chapter 35). What they are
// called, who owns them and what they hold belongs to one database; functions over them (lo_open, loread, ...) are in
// sql/function/function_large_object.c, GRANT, COMMENT and their kin in sql/ddl/ddl_large_object.c.
//
// Keys     Relation LARGE_OBJECTS of the virtual cluster, so that they replicate and travel in time with its data:
//            index 1  (database, oid) -> owner and privileges
//            index 2  (database, oid, page) -> up to LARGE_OBJECT_PAGE_BYTES bytes. What no page holds is zeroes; the last
//                     page says where the object ends.
//            index 3  () -> the last oid given out
//          A page is as large as PostgreSQL's: what is written in small pieces leaves small old versions behind it.
// Reading  At the transaction's snapshot; as of a mark in it where a descriptor was opened for reading alone.
// Writing  In the transaction, page by page. A page that is written in part is locked when it is read.
//
// Shard    The session's. All suspend, and end within a page when they are cancelled.
// Memory   Some pages at a time, in an arena of their own; results in the arena given.
// Errors   42704 "large object N does not exist", 23505 for an oid that is taken, 25006, 22023, 42501.
#pragma once
#include "sql/catalog/catalog_store.h"

// Beside enum catalog_table_id's, of which none has the number; and beside enum catalog_comment_class's (sub-id: the database).
#define LARGE_OBJECTS 9u
#define COMMENT_ON_LARGE_OBJECT ((enum catalog_comment_class)10)
#define PG_LARGE_OBJECT_OID 2613u

#define LARGE_OBJECT_PAGE_BYTES 2048u
#define LARGE_OBJECT_BYTES_MAX ((int64_t)INT32_MAX * LARGE_OBJECT_PAGE_BYTES)

struct large_object {
    uint32_t database_id, oid;
    const char *owner;
    struct privilege_grant *grants;
    uint32_t grant_count;
};

// 42704. `read` NULL: as it is now, without a lock.
CHECKED struct status large_object_find(struct task *task, struct session *session, struct arena *arena,
    uint32_t oid, const struct kv_read *read, struct large_object *object);
// May the session's user use it so: PRIVILEGE_SELECT or _UPDATE. 42501. Not asked with lo_compat_privileges.
CHECKED struct status large_object_check(
    struct task *task, struct session *session, const struct large_object *object, uint32_t bits);
CHECKED struct status large_object_check_owner(
    struct task *task, struct session *session, const struct large_object *object);
CHECKED struct status large_object_put(
    struct task *task, struct session *session, const struct large_object *object);
// An empty one of the session's user. `oid` 0: any that is free.
CHECKED struct status large_object_create(
    struct task *task, struct session *session, uint32_t oid, uint32_t *created);
// With its pages and its comment.
CHECKED struct status large_object_drop(
    struct task *task, struct session *session, const struct large_object *object);
// All of a database that is dropped, or (0) of all databases: calls `each` in the order of oids. `object` is valid in the call.
CHECKED struct status large_object_each(struct task *task, struct session *session, uint32_t database_id,
    struct status (*each)(void *arg, const struct large_object *object), void *arg);
CHECKED struct status large_object_drop_all(struct task *task, struct session *session, uint32_t database_id);

// What it holds. `mark` as in struct kv_read.
CHECKED struct status large_object_size(struct task *task, struct session *session,
    const struct large_object *object, uint64_t mark, int64_t *size);
// *read < size at its end.
CHECKED struct status large_object_read(struct task *task, struct session *session,
    const struct large_object *object, uint64_t mark, int64_t offset, uint8_t *data, size_t size, size_t *read);
CHECKED struct status large_object_write(struct task *task, struct session *session,
    const struct large_object *object, int64_t offset, struct bytes data);
// Makes it longer, too.
CHECKED struct status large_object_truncate(
    struct task *task, struct session *session, const struct large_object *object, int64_t size);
// Its pages in order: pg_largeobject.
CHECKED struct status large_object_pages(struct task *task, struct session *session,
    const struct large_object *object, struct status (*each)(void *arg, uint32_t page, struct bytes data),
    void *arg);

// --- descriptors -----------------------------------------------------------------------------------------
//
// Of a session's transaction; gone with it, and with the savepoint that they were opened after. sql/function/function_large_object.c

struct large_object_descriptors;
// ROLLBACK TO SAVEPOINT: those opened after `serial` (session_statements.cursor_serial) are closed.
void large_objects_rolled_back_to(struct session *session, uint64_t serial);
// Functions, the views of pg_catalog, and the end of transactions.
void large_objects_register(void);
void pg_large_object_register(void);
