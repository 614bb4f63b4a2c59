// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/named_lock.h"

#include <stdlib.h>
#include <string.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/linger.h"
#include "core/shard.h"
#include "kv/cluster.h"
#include "kv/node_lock.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog.h"
#include "sql/wire/pgwire.h"
#include "sql/session/shard_state.h"

#define E_DEADLOCK SQLSTATE('4', '0', 'P', '0', '1')
#define BIT(mode) (1u << (mode))
#define STRONG(mode) ((conflicts[mode] & BIT(LOCK_MODE_ROW_EXCLUSIVE)) != 0)

static const uint32_t conflicts[LOCK_MODE_COUNT] = {0, BIT(8), BIT(7) | BIT(8),
    BIT(5) | BIT(6) | BIT(7) | BIT(8), BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8),
    BIT(3) | BIT(4) | BIT(6) | BIT(7) | BIT(8),
    BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8),
    BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8),
    BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8)};

static const struct {
    const char *name, *words;
} modes[LOCK_MODE_COUNT] = {{"INVALID", ""}, {"AccessShareLock", "ACCESS SHARE"},
    {"RowShareLock", "ROW SHARE"}, {"RowExclusiveLock", "ROW EXCLUSIVE"},
    {"ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"}, {"ShareLock", "SHARE"},
    {"ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"}, {"ExclusiveLock", "EXCLUSIVE"},
    {"AccessExclusiveLock", "ACCESS EXCLUSIVE"}};

const char *named_lock_mode_name(enum named_lock_mode mode)
{
    return modes[mode].name;
}

enum named_lock_mode named_lock_mode_of(const char *words)
{
    for (int i = LOCK_MODE_ACCESS_SHARE; i < LOCK_MODE_COUNT; i++)
        if (strcmp(modes[i].words, words) == 0) return (enum named_lock_mode)i;
    return LOCK_MODE_ACCESS_EXCLUSIVE;
}

// --- the table, on shard 0 -------------------------------------------------------------------------------

struct named_lock;
struct waiter {
    struct waiter *next;
    struct named_lock *lock;
    struct owner *owner;
    enum named_lock_mode mode;
    enum named_lock_scope scope;
    bool granted;
    struct wait_queue queue; // The one task.
};
struct hold {
    struct hold *next;       // Of the lock.
    struct hold *owner_next; // Of the owner.
    struct named_lock *lock;
    struct owner *owner;
    uint32_t counts[2][LOCK_MODE_COUNT];
};
struct named_lock {
    struct named_lock_tag tag;
    struct hold *holds;
    struct waiter *waiters; // The oldest first.
    // What this node holds against other nodes (kv/node_lock.h), at least what its sessions hold.
    uint32_t node_modes;
    uint32_t changing; // Tasks that change it, or wait to.
    bool busy;         // One of them does.
    struct wait_queue idle;
};
struct owner { // A session.
    uint64_t session;
    uint32_t process;
    struct hold *holds;
    struct waiter *waiting;
    uint64_t mark; // Of the last search for a circle that came by.
};
struct named_locks {
    struct hashmap locks;  // Tag -> lock.
    struct hashmap owners; // Session -> owner.
    uint32_t lock_count;
    uint64_t search;
    bool settling; // A task does.
};

static struct named_locks *table_of(struct shard *shard)
{
    struct sql_shard *sql = sql_shard(shard);
    invariant(shard->index == 0);
    if (sql->named_locks == NULL) {
        sql->named_locks = calloc(1, sizeof *sql->named_locks);
        invariant(sql->named_locks != NULL);
        hashmap_init(&sql->named_locks->locks, NULL);
        hashmap_init(&sql->named_locks->owners, NULL);
    }
    return sql->named_locks;
}

static struct bytes key_of(const struct named_lock_tag *tag)
{
    static_assert(sizeof *tag == 32, "no padding: it is a key");
    return bytes_of((const uint8_t *)tag, sizeof *tag);
}

static uint32_t held_modes(const struct hold *hold)
{
    uint32_t held = 0;
    for (uint32_t m = 1; m < LOCK_MODE_COUNT; m++)
        if (hold->counts[0][m] + hold->counts[1][m] > 0) held |= BIT(m);
    return held;
}

static struct hold *find_hold(const struct named_lock *lock, const struct owner *owner)
{
    struct hold *hold = lock->holds;
    while (hold != NULL && hold->owner != owner) hold = hold->next;
    return hold;
}

// Whether those who hold it forbid it, or (for who has none of it yet) those who wait before `before`.
static bool must_wait(const struct named_lock *lock, const struct owner *owner, enum named_lock_mode mode,
    const struct waiter *before)
{
    for (const struct hold *hold = lock->holds; hold != NULL; hold = hold->next)
        if (hold->owner != owner && (held_modes(hold) & conflicts[mode])) return true;
    if (find_hold(lock, owner) != NULL) return false;
    for (const struct waiter *at = lock->waiters; at != before; at = at->next)
        if (at->owner != owner && (BIT(at->mode) & conflicts[mode])) return true;
    return false;
}

struct strength_message {
    struct shard_message message;
    int32_t change;
};

static void strength_deliver(struct shard *shard, struct shard_message *message)
{
    struct strength_message *change = container_of(message, struct strength_message, message);
    sql_shard(shard)->strong_locks += (uint32_t)change->change;
    free(change);
}

// Tells every shard that there is one more or less table of which writers must ask.
static void strength_change(struct shard *shard, int32_t change)
{
    sql_shard(shard)->strong_locks += (uint32_t)change;
    for (uint32_t i = 0; i < shard->node->shard_count; i++) {
        if (i == shard->index) continue;
        struct strength_message *message = malloc(sizeof *message);
        invariant(message != NULL); // A count that is wrong would stay wrong.
        *message = (struct strength_message){
            .message.deliver = strength_deliver, .change = change};
        shard_send(shard, i, &message->message);
    }
}

static bool restricts_writers(const struct named_lock *lock, enum named_lock_mode mode)
{
    return lock->tag.kind == LOCK_ON_RELATION && STRONG(mode);
}

static void grant(struct shard *shard, struct named_lock *lock, struct owner *owner,
    enum named_lock_mode mode, enum named_lock_scope scope)
{
    struct hold *hold = find_hold(lock, owner);
    if (hold == NULL) {
        hold = calloc(1, sizeof *hold);
        invariant(hold != NULL);
        *hold = (struct hold){.next = lock->holds, .owner_next = owner->holds, .lock = lock, .owner = owner};
        lock->holds = owner->holds = hold;
    }
    if (hold->counts[scope][mode]++ == 0 && restricts_writers(lock, mode)) strength_change(shard, 1);
}

static void wake_waiters(struct shard *shard, struct named_lock *lock)
{
    struct waiter **link = &lock->waiters;
    while (*link != NULL) {
        struct waiter *waiter = *link;
        if (must_wait(lock, waiter->owner, waiter->mode, waiter)) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->granted = true;
        waiter->owner->waiting = NULL;
        grant(shard, lock, waiter->owner, waiter->mode, waiter->scope);
        wait_queue_wake_all(&waiter->queue, STATUS_OK);
    }
}

static void free_if_unused(struct named_locks *table, struct named_lock *lock)
{
    if (lock->holds != NULL || lock->waiters != NULL || lock->node_modes != 0 || lock->changing > 0) return;
    hashmap_remove(&table->locks, key_of(&lock->tag));
    table->lock_count--;
    free(lock);
}

static void owner_free_if_unused(struct named_locks *table, struct owner *owner)
{
    if (owner->holds != NULL || owner->waiting != NULL) return;
    hashmap_remove_u64(&table->owners, owner->session);
    free(owner);
}

// What is no longer held in any mode goes; who waited gets its turn.
static void settle_hold(struct shard *shard, struct hold *hold)
{
    struct named_lock *lock = hold->lock;
    if (held_modes(hold) == 0) {
        struct hold **link = &lock->holds;
        while (*link != hold) link = &(*link)->next;
        *link = hold->next;
        link = &hold->owner->holds;
        while (*link != hold) link = &(*link)->owner_next;
        *link = hold->owner_next;
        free(hold);
    }
    wake_waiters(shard, lock);
    free_if_unused(table_of(shard), lock);
}

static bool circle_through(struct named_locks *table, struct waiter *at, const struct owner *start)
{
    for (struct hold *hold = at->lock->holds; hold != NULL; hold = hold->next) {
        struct owner *other = hold->owner;
        if (other == at->owner || !(held_modes(hold) & conflicts[at->mode])) continue;
        if (other == start) return true;
        if (other->waiting == NULL || other->mark == table->search) continue;
        other->mark = table->search;
        if (circle_through(table, other->waiting, start)) return true;
    }
    for (struct waiter *ahead = at->lock->waiters; ahead != NULL && ahead != at; ahead = ahead->next) {
        struct owner *other = ahead->owner;
        if (other == at->owner || !(BIT(ahead->mode) & conflicts[at->mode])) continue;
        if (other == start) return true;
        if (other->mark == table->search) continue;
        other->mark = table->search;
        if (circle_through(table, ahead, start)) return true;
    }
    return false;
}

// Whether another waits for what it holds. It is the last in the line that it waits in.
static bool is_awaited(const struct owner *owner)
{
    for (const struct hold *hold = owner->holds; hold != NULL; hold = hold->owner_next)
        for (const struct waiter *at = hold->lock->waiters; at != NULL; at = at->next)
            if (at->owner != owner) return true;
    return false;
}

struct circle_search {
    struct named_locks *table;
    struct waiter *waiter;
    bool found;
};

// On the big stack: a chain may be as long as there are sessions.
static void search_circle(void *arg)
{
    struct circle_search *search = arg;
    search->table->search++;
    search->found = circle_through(search->table, search->waiter, search->waiter->owner);
}

struct lock_call {
    struct named_lock_wish wish;
    uint64_t session;
    uint32_t process;
    uint64_t timeout_ns;
    bool done; // Granted, released.
};

static struct status wait_for_it(struct task *task, struct named_locks *table, struct named_lock *lock,
    struct owner *owner, const struct lock_call *call)
{
    struct status st;
    // Whoever holds it needs a stack to go on.
    if (!linger_begin(task)) return linger_refused();
    struct waiter waiter = {
        .lock = lock, .owner = owner, .mode = call->wish.mode, .scope = call->wish.scope};
    struct waiter **link = &lock->waiters;
    wait_queue_init(&waiter.queue);
    while (*link != NULL) link = &(*link)->next;
    *link = &waiter;
    owner->waiting = &waiter;
    struct circle_search search = {.table = table, .waiter = &waiter};
    if (is_awaited(owner)) stack_call(search_circle, &search);
    if (search.found)
        st = status_make_retry(E_DEADLOCK, RETRY_TRANSACTION, "deadlock detected");
    else if (call->timeout_ns != 0)
        st = task_wait_until(task, &waiter.queue, task_now_ns(task) + call->timeout_ns,
            status_make(E_LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"));
    else
        st = task_wait(task, &waiter.queue);
    linger_end(task);
    if (waiter.granted) return STATUS_OK; // Even if the wait was given up at the same moment: its end frees it.
    for (link = &lock->waiters; *link != &waiter; link = &(*link)->next) {}
    *link = waiter.next;
    owner->waiting = NULL;
    wake_waiters(task->shard, lock);
    return failed(st) ? st : status_make(E_INTERNAL, "woken without the lock");
}

static struct status acquire_there(struct task *task, void *arg)
{
    struct lock_call *call = arg;
    struct named_locks *table = table_of(task->shard);
    struct status st = STATUS_OK;
    struct owner *owner = hashmap_get_u64(&table->owners, call->session);
    struct named_lock *lock = hashmap_get(&table->locks, key_of(&call->wish.tag));
    if (lock == NULL && table->lock_count >= NAMED_LOCKS_MAX)
        return status_make(E_OUT_OF_MEMORY, "out of memory for locks by name");
    if (owner == NULL) {
        owner = calloc(1, sizeof *owner);
        invariant(owner != NULL);
        *owner = (struct owner){.session = call->session, .process = call->process};
        hashmap_put_u64(&table->owners, call->session, owner);
    }
    if (lock == NULL) {
        lock = calloc(1, sizeof *lock);
        invariant(lock != NULL);
        lock->tag = call->wish.tag;
        wait_queue_init(&lock->idle);
        hashmap_put(&table->locks, key_of(&lock->tag), lock);
        table->lock_count++;
    }
    struct hold *hold = find_hold(lock, owner);
    bool held = hold != NULL && (held_modes(hold) & BIT(call->wish.mode));
    call->done = true;
    if (held || !must_wait(lock, owner, call->wish.mode, NULL)) {
        grant(task->shard, lock, owner, call->wish.mode, call->wish.scope);
    } else if (call->wish.try) {
        call->done = false;
    } else {
        st = wait_for_it(task, table, lock, owner, call);
        call->done = !failed(st);
    }
    free_if_unused(table, lock);
    owner_free_if_unused(table, owner);
    return st;
}

static struct status release_there(struct task *task, void *arg)
{
    struct lock_call *call = arg;
    struct named_locks *table = table_of(task->shard);
    struct owner *owner = hashmap_get_u64(&table->owners, call->session);
    struct named_lock *lock = hashmap_get(&table->locks, key_of(&call->wish.tag));
    struct hold *hold = owner == NULL || lock == NULL ? NULL : find_hold(lock, owner);
    call->done = hold != NULL && hold->counts[call->wish.scope][call->wish.mode] > 0;
    if (!call->done) return STATUS_OK;
    if (--hold->counts[call->wish.scope][call->wish.mode] == 0 && restricts_writers(lock, call->wish.mode))
        strength_change(task->shard, -1);
    settle_hold(task->shard, hold);
    owner_free_if_unused(table, owner);
    return STATUS_OK;
}

struct release_all {
    struct shard_message message;
    uint64_t session;
    bool of_session, of_transaction, advisory_only;
};

static void release_all(struct shard *shard, const struct release_all *what)
{
    struct named_locks *table = table_of(shard);
    struct owner *owner = hashmap_get_u64(&table->owners, what->session);
    if (owner == NULL) return;
    for (struct hold *hold = owner->holds, *next; hold != NULL; hold = next) {
        next = hold->owner_next;
        struct named_lock *lock = hold->lock;
        if (what->advisory_only && lock->tag.kind != LOCK_ADVISORY) continue;
        for (int scope = 0; scope < 2; scope++) {
            if (!(scope == LOCK_OF_SESSION ? what->of_session : what->of_transaction)) continue;
            for (uint32_t m = 1; m < LOCK_MODE_COUNT; m++) {
                if (hold->counts[scope][m] > 0 && restricts_writers(lock, (enum named_lock_mode)m))
                    strength_change(shard, -1);
                hold->counts[scope][m] = 0;
            }
        }
        settle_hold(shard, hold);
    }
    owner_free_if_unused(table, owner);
}

static struct status release_all_there(struct task *task, void *arg)
{
    release_all(task->shard, arg);
    return STATUS_OK;
}

static void settle_soon(struct shard *shard);

static void release_all_deliver(struct shard *shard, struct shard_message *message)
{
    struct release_all *what = container_of(message, struct release_all, message);
    release_all(shard, what);
    settle_soon(shard);
    free(what);
}

// --- against other nodes, on shard 0 ------------------------------------------------------------------------

static uint32_t modes_in_use(const struct named_lock *lock)
{
    uint32_t used = 0;
    for (const struct hold *hold = lock->holds; hold != NULL; hold = hold->next) used |= held_modes(hold);
    return used;
}

// One change of a lock's record at a time. The lock stays meanwhile.
static struct status change_begin(struct task *task, struct named_lock *lock)
{
    struct status st = STATUS_OK;
    lock->changing++;
    while (lock->busy && !failed(st)) st = task_wait(task, &lock->idle);
    if (failed(st))
        lock->changing--;
    else
        lock->busy = true;
    return st;
}

static void change_end(struct task *task, struct named_lock *lock)
{
    lock->busy = false;
    lock->changing--;
    wait_queue_wake_one(&lock->idle, STATUS_OK);
    free_if_unused(table_of(task->shard), lock);
}

// Gives up what no session of this node uses: others may wait for it while this one waits for them.
static struct status node_trim(struct task *task, struct named_lock *lock)
{
    uint32_t kept = lock->node_modes & modes_in_use(lock);
    if (kept == lock->node_modes) return STATUS_OK;
    struct status st = node_lock_keep(task, key_of(&lock->tag), kept);
    if (!failed(st)) lock->node_modes = kept;
    return st;
}

static struct status node_round(
    struct task *task, struct named_lock *lock, const struct lock_call *call, uint64_t wait_ns, bool *granted)
{
    struct status st = change_begin(task, lock);
    if (failed(st)) return st;
    *granted = (lock->node_modes & BIT(call->wish.mode)) != 0;
    if (!*granted) {
        const struct node_lock_wish wish = {.name = key_of(&lock->tag),
            .modes = BIT(call->wish.mode),
            .conflicts = conflicts[call->wish.mode],
            .try = call->wish.try,
            .timeout_ns = wait_ns};
        st = node_trim(task, lock);
        if (!failed(st)) st = node_lock_acquire(task, &wish, granted);
        // What is not known to be refused may be there.
        if (*granted || (failed(st) && !status_is(st, E_LOCK_NOT_AVAILABLE)))
            lock->node_modes |= BIT(call->wish.mode);
    }
    change_end(task, lock);
    return st;
}

#define NODE_ROUND_NS UINT64_C(300000000)

// After a session of this node got it: the node has to have it, too.
static struct status node_acquire_there(struct task *task, void *arg)
{
    struct lock_call *call = arg;
    struct status st;
    uint64_t end_ns = call->timeout_ns == 0 ? UINT64_MAX : task_now_ns(task) + call->timeout_ns;
    bool granted = false;
    call->done = false;
    if (!linger_begin(task)) return linger_refused();
    for (;;) {
        struct named_lock *lock = hashmap_get(&table_of(task->shard)->locks, key_of(&call->wish.tag));
        st = status_make(E_ADMIN_SHUTDOWN, "the session's locks are gone");
        if (lock == NULL) break;
        uint64_t now_ns = task_now_ns(task), left_ns = now_ns < end_ns ? end_ns - now_ns : 1;
        st = node_round(task, lock, call, left_ns < NODE_ROUND_NS ? left_ns : NODE_ROUND_NS, &granted);
        if (!status_is(st, E_LOCK_NOT_AVAILABLE) || task_now_ns(task) >= end_ns) break;
    }
    linger_end(task);
    call->done = granted && !failed(st);
    return st;
}

static struct named_lock *unsettled(struct named_locks *table)
{
    struct hashmap_entry *entry;
    uint32_t cursor = 0;
    while ((entry = hashmap_next(&table->locks, &cursor)) != NULL) {
        struct named_lock *lock = entry->value;
        if (!lock->busy && (lock->node_modes & ~modes_in_use(lock)) != 0) return lock;
    }
    return NULL;
}

// Gives other nodes what no session of this one holds any more.
static struct status settle_there(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct named_lock *lock;
    (void)arg;
    while (!failed(st) && (lock = unsettled(table_of(task->shard))) != NULL) {
        TRY(change_begin(task, lock));
        st = node_trim(task, lock);
        change_end(task, lock);
    }
out:
    return st;
}

#define SETTLE_RETRY_NS UINT64_C(500000000)

// For sessions that have ended, and for what could not be told at once.
static struct status settle_task(struct task *task, void *arg)
{
    (void)arg;
    while (failed(settle_there(task, NULL))) {
        struct status st = task_sleep(task, SETTLE_RETRY_NS);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

static void settle_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct sql_shard *sql = sql_shard(arg);
    if (sql->named_locks != NULL) sql->named_locks->settling = false;
}

static void settle_soon(struct shard *shard)
{
    struct named_locks *table = table_of(shard);
    if (table->settling || unsettled(table) == NULL) return;
    table->settling = !failed(task_start(shard, &(struct task_options){.fn = settle_task, .kind = "named locks",
                                                    .class = TASK_SYSTEM, .ended = settle_ended, .ended_arg = shard}));
}

// Tries at once, and leaves what cannot be told now to a task of its own.
static struct status settled_there(struct task *task, void *arg)
{
    struct status st = settle_there(task, arg);
    settle_soon(task->shard);
    return task->cancelled ? st : STATUS_OK;
}

// The cluster may have taken this node for dead: what its sessions held, others may hold by now.
static void lost(struct shard *shard)
{
    for (struct session *at = session_first(shard); at != NULL; at = session_next(at))
        if (at->named_locks != 0 && at->wire != NULL) pgwire_terminate(at);
    if (shard->index != 0 || sql_shard(shard)->named_locks == NULL) return;
    struct named_locks *table = table_of(shard);
    struct hashmap_entry *entry;
    uint32_t cursor = 0;
    while ((entry = hashmap_next(&table->locks, &cursor)) != NULL)
        ((struct named_lock *)entry->value)->node_modes = 0;
}

static struct status heard(struct task *task, struct bytes body)
{
    (void)task;
    (void)body;
    return STATUS_OK;
}

static const struct cluster_announcement announcement = {
    .id = ANNOUNCE_NAMED_LOCKS, .name = "a lock by name", .heard = heard, .reset = lost};

// --- from the session's shard ------------------------------------------------------------------------------

#define HAS_OF_TRANSACTION 1u
#define HAS_OF_SESSION 2u

static struct lock_call call_of(struct session *session, const struct named_lock_wish *wish)
{
    struct lock_call call = {.wish = *wish,
        .session = session->id,
        .process = pgwire_process(session),
        .timeout_ns = (uint64_t)session->lock_timeout_ms * 1000000u};
    call.wish.tag.tenant = session->tenant;
    return call;
}

static struct status arrived(struct task *task, void *arg)
{
    (void)task;
    (void)arg;
    return STATUS_OK;
}

// After shard 0's messages about the strength of locks: they come in order.
static struct status tell_all(struct task *task, void *arg)
{
    (void)arg;
    return shard_call_all(task, arrived, NULL);
}

// Writers ask their own node alone: what they do against a LOCK TABLE of another node is decided at commit.
static bool among_nodes(const struct session *session, const struct named_lock_wish *wish)
{
    bool writer = wish->tag.kind == LOCK_ON_RELATION && wish->mode == LOCK_MODE_ROW_EXCLUSIVE;
    return !cluster_alone(session->shard) && !writer;
}

static struct status undo_there(struct task *task, void *arg)
{
    struct status st = shard_call(task, 0, release_there, arg);
    return failed(st) ? st : shard_call(task, 0, settled_there, NULL);
}

struct status named_lock_acquire(
    struct task *task, struct session *session, const struct named_lock_wish *wish, bool *granted)
{
    struct lock_call call = call_of(session, wish);
    // Who waits on shard 0 does so here, too. When too many do, it is asked for without a wait.
    const bool here = task->shard->index == 0, lingers = !here && !wish->try && linger_begin(task);
    call.wish.try = wish->try || (!here && !lingers);
    // What a failed call may have got all the same goes with the rest.
    session->named_locks |= wish->scope == LOCK_OF_SESSION ? HAS_OF_SESSION : HAS_OF_TRANSACTION;
    struct status st = shard_call(task, 0, acquire_there, &call);
    if (!failed(st) && call.done && among_nodes(session, wish)) {
        st = shard_call(task, 0, node_acquire_there, &call);
        if (failed(st) || !call.done) {
            struct lock_call undo = call_of(session, wish);
            struct status undone = task_uncancelled(task, undo_there, &undo);
            if (failed(undone) && !failed(st)) st = undone;
        }
    }
    if (lingers) linger_end(task);
    if (!failed(st) && !call.done && !wish->try) st = linger_refused();
    *granted = call.done;
    if (!failed(st) && call.done && wish->tag.kind == LOCK_ON_RELATION && STRONG(wish->mode))
        st = shard_call(task, 0, tell_all, NULL);
    return st;
}

struct status named_lock_release(
    struct task *task, struct session *session, const struct named_lock_wish *wish, bool *released)
{
    struct lock_call call = call_of(session, wish);
    struct status st = shard_call(task, 0, release_there, &call);
    *released = call.done;
    return failed(st) || cluster_alone(session->shard) ? st : shard_call(task, 0, settled_there, NULL);
}

struct status named_lock_release_advisory(struct task *task, struct session *session)
{
    struct release_all what = {.session = session->id, .of_session = true, .advisory_only = true};
    if (!(session->named_locks & HAS_OF_SESSION)) return STATUS_OK;
    session->named_locks &= (uint8_t)~HAS_OF_SESSION;
    struct status st = shard_call(task, 0, release_all_there, &what);
    return failed(st) || cluster_alone(session->shard) ? st : shard_call(task, 0, settled_there, NULL);
}

static void release_by_message(struct session *session, bool of_session)
{
    struct shard *shard = session->shard;
    struct release_all what = {.message.deliver = release_all_deliver,
        .session = session->id,
        .of_session = of_session,
        .of_transaction = true};
    if (shard->index == 0) {
        release_all(shard, &what);
        settle_soon(shard);
        return;
    }
    struct release_all *sent = malloc(sizeof *sent);
    invariant(sent != NULL); // A lock that nobody can release would stand until the restart.
    *sent = what;
    shard_send(shard, 0, &sent->message);
}

void named_lock_session_end(struct session *session)
{
    if (session->named_locks != 0) release_by_message(session, true);
    session->named_locks = 0;
}

// Before the client hears of the commit: what it does next finds them free.
static void after_transaction(struct task *task, struct session *session, bool committed)
{
    (void)committed;
    if (!(session->named_locks & HAS_OF_TRANSACTION)) return;
    struct release_all what = {.session = session->id, .of_transaction = true};
    session->named_locks &= (uint8_t)~HAS_OF_TRANSACTION;
    if (failed(shard_call(task, 0, release_all_there, &what)))
        release_by_message(session, false);
    else if (!cluster_alone(session->shard))
        (void)shard_call(task, 0, settled_there, NULL).code;
}

bool named_lock_writes_restricted(struct session *session)
{
    return sql_shard(session->shard)->strong_locks != 0;
}

struct status named_lock_write_wait(
    struct task *task, struct session *session, const struct table_desc *table)
{
    bool granted;
    struct named_lock_wish wish = {.tag = {.kind = LOCK_ON_RELATION, .database = table->database_id, .object = table->id},
        .mode = LOCK_MODE_ROW_EXCLUSIVE,
        .scope = LOCK_OF_TRANSACTION};
    return named_lock_acquire(task, session, &wish, &granted);
}

// --- pg_locks ----------------------------------------------------------------------------------------------

struct list_call {
    uint64_t tenant;
    struct arena *arena;
    struct named_lock_info *locks;
    uint32_t count, capacity;
};

static void add_info(struct list_call *call, const struct named_lock *lock, const struct owner *owner,
    uint32_t mode, bool granted)
{
    if (call->count == call->capacity) {
        uint32_t capacity = call->capacity == 0 ? 16 : call->capacity * 2;
        call->locks = arena_grow(call->arena, call->locks, call->capacity * sizeof *call->locks,
            capacity * sizeof *call->locks);
        call->capacity = capacity;
    }
    call->locks[call->count++] = (struct named_lock_info){.tag = lock->tag,
        .process = owner->process,
        .mode = (enum named_lock_mode)mode,
        .granted = granted};
}

static struct status list_there(struct task *task, void *arg)
{
    struct list_call *call = arg;
    struct named_locks *table = table_of(task->shard);
    struct hashmap_entry *entry;
    uint32_t cursor = 0;
    while ((entry = hashmap_next(&table->locks, &cursor)) != NULL) {
        const struct named_lock *lock = entry->value;
        if (lock->tag.tenant != call->tenant) continue;
        for (const struct hold *hold = lock->holds; hold != NULL; hold = hold->next)
            for (uint32_t m = 1; m < LOCK_MODE_COUNT; m++)
                if (held_modes(hold) & BIT(m)) add_info(call, lock, hold->owner, m, true);
        for (const struct waiter *at = lock->waiters; at != NULL; at = at->next)
            add_info(call, lock, at->owner, at->mode, false);
    }
    return STATUS_OK;
}

struct status named_lock_list(struct task *task, struct session *session, struct arena *arena,
    struct named_lock_info **locks, uint32_t *count)
{
    struct list_call call = {.tenant = session->tenant, .arena = arena};
    struct status st = shard_call(task, 0, list_there, &call);
    *locks = call.locks;
    *count = call.count;
    return st;
}

bool named_lock_modes_conflict(enum named_lock_mode one, enum named_lock_mode other)
{
    return (conflicts[one] & BIT(other)) != 0;
}

void named_lock_hooks_register(void)
{
    static const struct session_txn_hook hook = {.after = after_transaction};
    session_txn_hook_register(&hook);
    cluster_announcement_register(&announcement);
}

void named_lock_shard_fini(struct sql_shard *sql)
{
    struct named_locks *table = sql->named_locks;
    struct hashmap_entry *entry;
    uint32_t cursor = 0;
    if (table == NULL) return;
    while ((entry = hashmap_next(&table->locks, &cursor)) != NULL) {
        struct named_lock *lock = entry->value;
        for (struct hold *hold = lock->holds, *next; hold != NULL; hold = next) {
            next = hold->next;
            free(hold);
        }
        free(lock);
    }
    for (cursor = 0; (entry = hashmap_next(&table->owners, &cursor)) != NULL;) free(entry->value);
    hashmap_fini(&table->locks);
    hashmap_fini(&table->owners);
    free(table);
    sql->named_locks = NULL;
}
