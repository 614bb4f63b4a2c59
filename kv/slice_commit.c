// SPDX-License-Identifier: GPL-3.0-or-later
//
// Timestamps of a slice: commits, the present, closed time, and the durable ceiling above them all.
#include "core/invariant.h"
#include "kv/slice_internal.h"

// Reads further ahead of the clock than this are refused instead of waited for.
#define FUTURE_MAX_NS UINT64_C(10000000000)

struct hlc_timestamp slice_commit_ts_above(struct slice *slice, struct hlc_timestamp floor)
{
    struct hlc *hlc = &slice->shard->hlc;
    struct hlc_timestamp ts = hlc_now(hlc);
    ts = hlc_max(ts, hlc_next(slice->read_high));
    ts = hlc_max(ts, hlc_next(slice->last_commit));
    ts = hlc_max(ts, floor);
    hlc_update(hlc, ts);
    slice->last_commit = ts;
    struct env *env = slice->shard->env;
    if (UNLIKELY((int64_t)ts.wall_ns > env->wall_ns(env))) slice->early = ts;
    return ts;
}

struct hlc_timestamp slice_commit_ts(struct slice *slice)
{
    return slice_commit_ts_above(slice, HLC_ZERO);
}

void slice_read_high_raise(struct slice *slice, struct hlc_timestamp ts)
{
    slice->read_high = hlc_max(slice->read_high, ts);
}

static struct hlc_timestamp oldest_ts(const struct list_link *list)
{
    struct hlc_timestamp oldest = HLC_MAX;
    if (list_empty(list)) return oldest;
    for (struct list_link *link = list->next; link != list; link = link->next)
        oldest = hlc_min(oldest, container_of(link, struct pending, link)->ts);
    return oldest;
}

struct hlc_timestamp slice_present(struct slice *slice)
{
    // What was acknowledged is applied, and commits apply in timestamp order: so all of it is below the
    // oldest pending write. Prepared writes are out of that order, and may be acknowledged already.
    if (!list_empty(&slice->pending) && list_empty(&slice->prepared))
        return hlc_previous(container_of(slice->pending.next, struct pending, link)->ts);
    return hlc_now(&slice->shard->hlc);
}

struct hlc_timestamp slice_close_now(struct slice *slice)
{
    struct hlc_timestamp now = hlc_min(hlc_now(&slice->shard->hlc), slice->ceiling);
    slice_read_high_raise(slice, now);
    struct hlc_timestamp oldest = HLC_MAX;
    if (!list_empty(&slice->pending))
        oldest = container_of(slice->pending.next, struct pending, link)->ts;
    if (!list_empty(&slice->prepared)) oldest = hlc_min(oldest, oldest_ts(&slice->prepared));
    return hlc_less_equal(oldest, now) ? hlc_previous(oldest) : now;
}

struct hlc_timestamp slice_close(struct slice *slice)
{
    if (slice->role != SLICE_SERVING) return slice->closed;
    slice_ceiling_ask(slice);
    return slice_close_now(slice);
}

// --- the ceiling -----------------------------------------------------------------------------------------

// How far ahead of the clock it is set, and how much of that, from its upper end on, is of no use: other
// nodes' clocks may have passed it.
static uint64_t ceiling_ahead(const struct slice *slice, uint64_t *useless_ns)
{
    *useless_ns = slice->leased ? slice->kv->node->options.max_offset_ns : 0;
    return slice->leased ? *useless_ns + LEASE_USABLE_NS : CEILING_AHEAD_NS;
}

bool slice_ceiling_near(const struct slice *slice, uint64_t wall_ns)
{
    uint64_t useless_ns;
    uint64_t ahead_ns = ceiling_ahead(slice, &useless_ns);
    return wall_ns + useless_ns + (ahead_ns - useless_ns) / 2 > slice->ceiling_proposed.wall_ns;
}

struct hlc_timestamp slice_ceiling_next(struct slice *slice)
{
    struct hlc_timestamp last = hlc_max(slice->last_commit, slice->read_high);
    uint64_t wall_ns = hlc_max(last, hlc_now(&slice->shard->hlc)).wall_ns;
    if (!slice_ceiling_near(slice, wall_ns)) return slice->ceiling_proposed;
    uint64_t useless_ns;
    struct hlc_timestamp ahead = {wall_ns + ceiling_ahead(slice, &useless_ns), 0};
    return hlc_max(slice->ceiling_proposed, ahead);
}

void slice_ceiling_set(struct slice *slice, struct hlc_timestamp ceiling)
{
    bool higher = hlc_less(slice->ceiling, ceiling);
    slice->ceiling = ceiling;
    if (higher) wait_queue_wake_all(&slice->ceiling_waiters, STATUS_OK);
}

static struct status propose_ceiling(struct task *task, void *arg)
{
    struct slice *slice = arg;
    struct entry_builder builder;
    struct status st;
    slice->ceiling_asked = false; // Whoever finds it too low from here on asks again.
    TRY(slice_admit_any(task, slice));
    entry_begin(&builder, task->arena);
    TRY(slice_propose(task, slice, entry_end(&builder)));
out:
    if (failed(st)) wait_queue_wake_all(&slice->ceiling_waiters, st);
    return st;
}

static struct status ceiling_start(struct slice *slice)
{
    if (slice->ceiling_asked) return STATUS_OK;
    slice->ceiling_asked = true;
    struct status st = slice_task_start(slice, propose_ceiling, "slice ceiling", TASK_SYSTEM);
    if (failed(st)) slice->ceiling_asked = false;
    return st;
}

void slice_ceiling_ask(struct slice *slice)
{
    if (slice->role != SLICE_SERVING || failed(slice->failed)) return;
    uint64_t wall_ns = hlc_max(slice->read_high, hlc_now(&slice->shard->hlc)).wall_ns;
    if (!slice_ceiling_near(slice, wall_ns)) return;
    struct status st = ceiling_start(slice);
    (void)st.code; // The next one asks again.
}

struct status slice_ceiling_wait(struct task *task, struct slice *slice, struct hlc_timestamp ts)
{
    while (hlc_less(slice->ceiling, ts)) {
        struct status st = slice_check_role(slice);
        if (failed(st)) return st;
        if (ts.wall_ns > hlc_now(&slice->shard->hlc).wall_ns + FUTURE_MAX_NS)
            return status_make(E_NOT_IN_PREREQUISITE_STATE, "timestamp is in the future");
        if (hlc_less(slice->ceiling_proposed, ts)) {
            // The next entry's ceiling is taken from the read mark.
            slice_read_high_raise(slice, ts);
            st = ceiling_start(slice);
            if (failed(st)) return st;
        }
        st = task_wait(task, &slice->ceiling_waiters);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

struct status slice_lease_wait(struct task *task, struct slice *slice)
{
    struct status st = slice_check_role(slice);
    while (!failed(st) && !slice_lease_holds(slice)) {
        struct hlc_timestamp now = hlc_now(&slice->shard->hlc);
        if (slice_ceiling_near(slice, now.wall_ns)) st = ceiling_start(slice);
        if (!failed(st)) st = task_wait(task, &slice->ceiling_waiters);
        if (!failed(st)) st = slice_check_role(slice);
    }
    return st;
}
