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

struct hlc_timestamp slice_close(struct slice *slice)
{
    struct hlc_timestamp now = hlc_now(&slice->shard->hlc);
    slice_ceiling_ask(slice);
    now = hlc_min(now, slice->ceiling);
    slice_read_high_raise(slice, now);
    struct hlc_timestamp oldest = HLC_MAX;
    if (!list_empty(&slice->pending))
        oldest = container_of(slice->pending.next, struct pending, link)->ts;
    if (!list_empty(&slice->prepared)) oldest = hlc_min(oldest, oldest_ts(&slice->prepared));
    return hlc_less_equal(oldest, now) ? hlc_previous(oldest) : now;
}

// --- the ceiling -----------------------------------------------------------------------------------------

static bool ceiling_is_near(const struct slice *slice, uint64_t wall_ns)
{
    return wall_ns + CEILING_AHEAD_NS / 2 > slice->ceiling_proposed.wall_ns;
}

struct hlc_timestamp slice_ceiling_next(struct slice *slice)
{
    struct hlc_timestamp last = hlc_max(slice->last_commit, slice->read_high);
    uint64_t wall_ns = hlc_max(last, hlc_now(&slice->shard->hlc)).wall_ns;
    if (!ceiling_is_near(slice, wall_ns)) return slice->ceiling_proposed;
    struct hlc_timestamp ahead = {wall_ns + CEILING_AHEAD_NS, 0};
    return hlc_max(slice->ceiling_proposed, ahead);
}

void slice_ceiling_durable(struct slice *slice, struct hlc_timestamp ceiling)
{
    if (!hlc_less(slice->ceiling, ceiling)) return;
    slice->ceiling = ceiling;
    wait_queue_wake_all(&slice->ceiling_waiters, STATUS_OK);
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
    if (!slice->running || failed(slice->failed)) return;
    uint64_t wall_ns = hlc_max(slice->read_high, hlc_now(&slice->shard->hlc)).wall_ns;
    if (!ceiling_is_near(slice, wall_ns)) return;
    struct status st = ceiling_start(slice);
    (void)st.code; // The next one asks again.
}

struct status slice_ceiling_wait(struct task *task, struct slice *slice, struct hlc_timestamp ts)
{
    while (hlc_less(slice->ceiling, ts)) {
        struct status st = slice_check(slice);
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
