// SPDX-License-Identifier: GPL-3.0-or-later
//
// Zone configurations of databases, tables and indexes. What is said of one is kept in its descriptor, so that it is
// renamed, dropped and replicated with it; what is not said is inherited: index, table, database, the virtual cluster's
// RANGE default, the default of all.
//
// A virtual cluster's RANGE default is kept among its own keys, too, so that it comes along to another cluster: storage,
// which looks things up by virtual cluster, is told it when that one takes over.
//
// Storage knows no tables: it is told which keys have which zone (kv/zone_span.h). That is done by whoever changes a
// zone, and a moment after each commit that changed the catalog by a task in the background (zone_objects_note). A node that
// crashes may have noted what it has not told: each start of a node begins with a look at all virtual clusters, and when a
// node falls silent the first of those that are left looks.
//
// Shard    Any. Suspends, except zone_objects_note.
// Memory   In the arena given.
// Errors   42P01 and its kin, 42501 without the ZONECONFIG privilege, 42809 for what has no rows.
// Checked  tests/integration/test_zones.py, tests/sim/case_tenant.c
#pragma once
#include "kv/zone.h"
#include "sql/ddl/ddl_internal.h"

struct zone_object {
    enum object_kind kind; // OBJECT_DATABASE, OBJECT_TABLE, OBJECT_INDEX
    uint32_t database_id, table_id, index_id;
    const char *name;      // "TABLE d.public.t"
    struct zone own;       // What it says itself.
    struct zone parent;    // With everything that it inherits.
};
// In the session's transaction. The privilege is checked when it is to be changed.
CHECKED struct status zone_object_find(
    struct statement_context *context, const struct zone_target *target, bool change, struct zone_object **object);
// The one that it inherits from; NULL: RANGE default.
CHECKED struct status zone_object_above(
    struct statement_context *context, const struct zone_object *object, struct zone_object **above);
CHECKED struct status zone_object_put(struct statement_context *context, const struct zone_object *object);
// Of all databases, tables and indexes that say something themselves.
typedef struct status (*zone_object_visit)(void *arg, const struct zone_object *object);
CHECKED struct status zone_objects_each(struct task *task, struct session *session, struct arena *arena,
    zone_object_visit visit, void *arg);
// In the session's transaction, before it commits: 54000 when storage could not hold what the catalog would say then.
CHECKED struct status zone_objects_check(struct task *task, struct session *session);
// Tells storage what the catalog says, within the operators' bounds.
CHECKED struct status zone_objects_tell(struct task *task, uint64_t tenant);
// Of all virtual clusters that have bounds: those, or what all inherit, have changed.
CHECKED struct status zone_objects_tell_bounded(struct task *task);
// The RANGE default of a virtual cluster other than the system's, as it was said: storage may have been told another one,
// within the operators' bounds (sql/service/zone_bounds.h).
CHECKED struct status zone_default_get(struct task *task, uint64_t tenant, struct zone *zone);
// With everything that it inherits; of the system's session the default of all.
CHECKED struct status zone_default_whole(struct task *task, const struct session *session, struct zone *zone);
// In its own keys, then in storage.
CHECKED struct status zone_default_set(struct task *task, struct session *session, const struct zone *zone);

// The tenant's catalog has changed; ZONE_OBJECTS_BOUNDED: zone_objects_tell_bounded. What fails is tried again.
#define ZONE_OBJECTS_BOUNDED 0u
void zone_objects_note(struct shard *shard, uint64_t tenant);
// Servers call it, tests need not.
CHECKED struct status zone_objects_start(struct task *task);
void zone_objects_stop(struct task *task);
