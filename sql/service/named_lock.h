// SPDX-License-Identifier: GPL-3.0-or-later
//
// Locks that sessions ask for by name: advisory locks and LOCK TABLE, with PostgreSQL's modes, held by the session or by
// its transaction, counted, first come first served. Not the locks on rows (kv/lock.h): those come by themselves.
//
// LOCK TABLE in a mode that excludes writers makes writes that begin later wait. A transaction that wrote before is not
// waited for: that it and the holder do not see half of each other is decided at commit (40001), as always. Readers of the
// table see their snapshot and are never held up.
//
// Among nodes a lock is held by the node first (kv/node_lock.h), then by its sessions in turn: a circle of sessions of several
// nodes that wait for each other ends by lock_timeout alone; writers on other nodes do not wait for a LOCK TABLE. Sessions of
// a node that the cluster has taken for dead are ended when they hold any: others may hold the same by then.
//
// Shard    One table for the node, on shard 0; the functions here may be called on any shard and ask it.
// Memory   NAMED_LOCKS_MAX locks in the node, then 53200. Waiters are in their task's frame.
// Errors   40P01 when waiting would close a circle; 55P03 for NOWAIT and lock_timeout; 57014.
// Source   PostgreSQL 15 manual, 13.3 "Explicit Locking", table 13.2.
#pragma once
#include "core/arena.h"
#include "sql/session/session.h"

struct table_desc;

#define NAMED_LOCKS_MAX 65536u

enum named_lock_mode {
    LOCK_MODE_NONE,
    LOCK_MODE_ACCESS_SHARE,
    LOCK_MODE_ROW_SHARE,
    LOCK_MODE_ROW_EXCLUSIVE,
    LOCK_MODE_SHARE_UPDATE_EXCLUSIVE,
    LOCK_MODE_SHARE,
    LOCK_MODE_SHARE_ROW_EXCLUSIVE,
    LOCK_MODE_EXCLUSIVE,
    LOCK_MODE_ACCESS_EXCLUSIVE,
    LOCK_MODE_COUNT,
};
const char *named_lock_mode_name(enum named_lock_mode mode); // "ShareLock"
// From the words of LOCK TABLE: "ROW SHARE".
enum named_lock_mode named_lock_mode_of(const char *words);

enum named_lock_scope { LOCK_OF_TRANSACTION, LOCK_OF_SESSION };
enum named_lock_kind { LOCK_ON_RELATION, LOCK_ADVISORY };
// An advisory lock's number is in class and object; of two numbers (sub 2) or one of 64 bits (sub 1).
struct named_lock_tag {
    uint64_t tenant;
    uint32_t kind, database, class, object, sub;
    uint32_t zero;
};

struct named_lock_wish {
    struct named_lock_tag tag; // The tenant is filled in.
    enum named_lock_mode mode;
    enum named_lock_scope scope;
    bool try;
};
// *granted false: it would have to wait, and `try` was set. Suspends.
CHECKED struct status named_lock_acquire(
    struct task *task, struct session *session, const struct named_lock_wish *wish, bool *granted);
// *released false: it was not held so.
CHECKED struct status named_lock_release(
    struct task *task, struct session *session, const struct named_lock_wish *wish, bool *released);
// All advisory locks that the session itself holds.
CHECKED struct status named_lock_release_advisory(struct task *task, struct session *session);
// At the session's end: all that it holds. Does not suspend.
void named_lock_session_end(struct session *session);

// Before a statement writes to the table: waits while somebody's LOCK TABLE forbids it.
CHECKED struct status named_lock_write_wait(
    struct task *task, struct session *session, const struct table_desc *table);
// Whether that needs to be asked at all: a load.
bool named_lock_writes_restricted(struct session *session);

struct named_lock_info {
    struct named_lock_tag tag;
    uint32_t process;
    enum named_lock_mode mode;
    bool granted;
};
bool named_lock_modes_conflict(enum named_lock_mode one, enum named_lock_mode other);
// Of the session's virtual cluster. `arena` must not be accounted to one shard.
CHECKED struct status named_lock_list(struct task *task, struct session *session,
    struct arena *arena, struct named_lock_info **locks, uint32_t *count);

// LOCK TABLE, pg_advisory_* and pg_locks.
void named_lock_register(void);
void named_lock_hooks_register(void);
struct sql_shard;
void named_lock_shard_fini(struct sql_shard *sql);
