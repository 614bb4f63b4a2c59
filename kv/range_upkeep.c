// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/range_upkeep.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "core/rest.h"
#include "kv/balance.h"
#include "kv/key.h"
#include "kv/move_side.h"
#include "kv/protected.h"
#include "kv/range_admin.h"
#include "kv/slice_internal.h"

#define COLD_PART 4u // Joined ranges have this part of the most bytes and of the most requests, at most.

METRIC_DEFINE(metric_size_splits, "kv.ranges.splits.size", METRIC_COUNTER, METRIC_COUNT, false,
    "Ranges split because they had grown too large");
METRIC_DEFINE(metric_load_splits, "kv.ranges.splits.load", METRIC_COUNTER, METRIC_COUNT, false,
    "Ranges split because they were asked for too often");
METRIC_DEFINE(metric_merges, "kv.ranges.merges", METRIC_COUNTER, METRIC_COUNT, false,
    "Small ranges joined with the one before them");
METRIC_DEFINE(metric_gathers, "kv.ranges.moves.cold", METRIC_COUNTER, METRIC_COUNT, false,
    "Small ranges that were sent to a neighbour's slice, to be joined with it");

struct range_upkeep {
    struct range_tuning tuning;
    struct task *task; // Once it runs.
    bool started;      // Until it has ended.
    struct wait_queue ended;
    bool stopping;
};

struct range_tuning *range_tuning(struct shard *shard)
{
    return &range_upkeep_of(kv_shard_of(shard))->tuning;
}

uint64_t range_bytes_max(struct shard *shard, uint64_t slice, struct bytes start)
{
    uint64_t tenant = 0, configured = kv_shard_of(shard)->node->options.range_bytes_max;
    if (failed(key_decode_tenant_prefix(&start, &tenant))) tenant = 0;
    uint64_t wished = protected_range_bytes_max(shard, slice, tenant);
    if (wished != 0) return wished;
    return configured == 0 ? RANGE_BYTES_MAX_DEFAULT : configured;
}

// Counted anew by walking. *split (may be NULL) is the middle; *entry NULL: it is not as it was any more.
static struct status measure(struct task *task, struct slice *slice, struct bytes start,
    struct arena *arena, struct bytes *split, struct range_entry **entry)
{
    struct status st = STATUS_OK;
    uint64_t bytes, keys;
    *entry = range_set_find(slice->ranges, start);
    if (*entry == NULL) return STATUS_OK;
    struct span span = {
        arena_copy(arena, (*entry)->range.span.start), arena_copy(arena, (*entry)->range.span.end)};
    (*entry)->bytes_unmeasured = 0;
    *entry = NULL;
    TRY(slice_span_size(task, slice, span, arena, &bytes, &keys, split));
    struct range_entry *now = range_set_find(slice->ranges, span.start);
    if (now == NULL || !bytes_equal(now->range.span.end, span.end)) goto out;
    now->bytes = bytes;
    now->keys = keys;
    now->measured = true;
    *entry = now;
out:
    return st;
}

// Measures one range that has been written to a lot; splits it when it is too large.
static struct status size_check(struct task *task, struct slice *slice, struct bytes start)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct range_entry *entry;
    struct bytes split;
    arena_init(&arena, NULL);
    TRY(measure(task, slice, start, &arena, &split, &entry));
    if (entry == NULL || split.data == NULL || entry->bytes <= range_bytes_max(slice->shard, slice->id, start)) goto out;
    TRY(kv_split(task, split));
    metric_add(&metric_size_splits, 0, 1);
out:
    arena_fini(&arena);
    return st;
}

// --- by load -------------------------------------------------------------------------------------

static void load_look(struct range_entry *entry, const struct range_tuning *tuning, uint64_t elapsed_ns)
{
    const uint64_t asked = entry->asked - entry->asked_before;
    entry->asked_before = entry->asked;
    entry->rate = elapsed_ns == 0 ? 0 : asked * 1000 / (elapsed_ns / 1000000 + 1);
    entry->looks++;
    const bool warm = tuning->split_by_load && entry->rate > tuning->split_rate / 2;
    entry->busy_looks = entry->rate > tuning->split_rate ? entry->busy_looks + 1 : 0;
    if (!warm) {
        free(entry->samples);
        entry->samples = NULL;
    } else if (entry->samples == NULL) {
        entry->samples = calloc(1, sizeof *entry->samples); // Without it there is no split.
    }
}

static struct status load_check(struct task *task, struct slice *slice, struct range_entry *entry,
    const struct range_tuning *tuning)
{
    struct status st = STATUS_OK;
    if (!tuning->split_by_load || entry->busy_looks < 2) return STATUS_OK;
    // One that changes on its way begins anew.
    if (move_leaves(slice, entry->range.span)) return STATUS_OK;
    struct bytes middle = range_entry_middle(entry, task->arena);
    if (middle.data == NULL) return STATUS_OK;
    entry->busy_looks = 0;
    const unsigned long long id = entry->range.id, rate = entry->rate;
    TRY(kv_split(task, middle));
    covered("range.split_by_load");
    metric_add(&metric_load_splits, 0, 1);
    log_info(0, "range %llu is asked for %llu times a second: split", id, rate);
out:
    return st;
}

// --- joining -------------------------------------------------------------------------------------

static bool is_cold(struct slice *slice, const struct range_entry *entry, const struct range_tuning *tuning)
{
    if (entry->range.id == RANGE_META_ID || entry->looks < RANGE_COLD_LOOKS) return false;
    if (entry->rate > tuning->split_rate / COLD_PART) return false;
    return entry->bytes + entry->bytes_unmeasured <=
           range_bytes_max(slice->shard, slice->id, entry->range.span.start) / COLD_PART;
}

bool range_cold(const struct range_tuning *tuning, uint64_t rate, uint64_t bytes, uint64_t bytes_max)
{
    const uint64_t moved = tuning->move_rate == 0 ? BALANCE_RATE_DEFAULT : tuning->move_rate;
    return rate <= tuning->split_rate / COLD_PART && rate <= moved / BALANCE_COLD_PART &&
           bytes <= bytes_max / COLD_PART;
}

// The neighbour is elsewhere: one of the two goes to the other.
static struct status gather_check(struct task *task, struct slice *slice, struct range_entry *entry)
{
    struct status st = STATUS_OK;
    const struct range_tuning *tuning = range_tuning(slice->shard);
    struct env *env = slice->shard->env;
    struct bytes rest = entry->range.span.start;
    struct arena arena;
    uint64_t tenant;
    if (!tuning->merge || !tuning->move || entry->looks % RANGE_COLD_LOOKS != 0) return STATUS_OK;
    if (entry->range.sticky_ns > (uint64_t)env->wall_ns(env) || !is_cold(slice, entry, tuning)) return STATUS_OK;
    // The first range of a tenant has no neighbour.
    if (failed(key_decode_tenant_prefix(&rest, &tenant)) || rest.size == 0) return STATUS_OK;
    const struct slice_tenant *known = slice_tenant_get(slice, tenant);
    if ((known != NULL && known->ingesting) || move_holds(slice, entry->range.span)) return STATUS_OK;
    arena_init(&arena, NULL);
    struct bytes start = arena_copy(&arena, entry->range.span.start);
    if (!entry->measured) TRY(measure(task, slice, start, &arena, NULL, &entry));
    if (entry == NULL || !range_cold(tuning, entry->rate, entry->bytes, range_bytes_max(slice->shard, slice->id, start))) goto out;
    TRY(range_gather(task, start));
    covered("range.gathered");
    metric_add(&metric_gathers, 0, 1);
out:
    arena_fini(&arena);
    return st;
}

static struct status merge_check(struct task *task, struct slice *slice, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct range_tuning *tuning = range_tuning(slice->shard);
    struct env *env = slice->shard->env;
    struct arena arena;
    struct range_entry *left, *right;
    if (!tuning->merge || at >= slice->ranges->count) return STATUS_OK;
    left = at == 0 ? NULL : slice->ranges->entries[at - 1];
    right = slice->ranges->entries[at];
    if (left == NULL || !bytes_equal(left->range.span.end, right->range.span.start))
        return gather_check(task, slice, right);
    if (right->range.sticky_ns > (uint64_t)env->wall_ns(env)) return STATUS_OK;
    if (!is_cold(slice, left, tuning) || !is_cold(slice, right, tuning)) return STATUS_OK;
    struct span both = {left->range.span.start, right->range.span.end};
    uint64_t tenants[2];
    struct bytes starts[2] = {left->range.span.start, right->range.span.start};
    for (int i = 0; i < 2; i++)
        if (failed(key_decode_tenant_prefix(&starts[i], &tenants[i]))) return STATUS_OK;
    if (tenants[0] != tenants[1] || move_holds(slice, both)) return STATUS_OK;
    arena_init(&arena, NULL);
    struct bytes first = arena_copy(&arena, left->range.span.start);
    struct bytes second = arena_copy(&arena, right->range.span.start);
    if (!left->measured) TRY(measure(task, slice, first, &arena, NULL, &left));
    if (left == NULL || !is_cold(slice, left, tuning)) goto out;
    const uint64_t bytes = left->bytes;
    right = range_set_find(slice->ranges, second);
    if (right != NULL && !right->measured) TRY(measure(task, slice, second, &arena, NULL, &right));
    if (right == NULL || !is_cold(slice, right, tuning)) goto out;
    if (bytes + right->bytes > range_bytes_max(slice->shard, slice->id, second) / COLD_PART) goto out;
    TRY(kv_merge(task, second));
    metric_add(&metric_merges, 0, 1);
out:
    arena_fini(&arena);
    return st;
}

// --- a look --------------------------------------------------------------------------------------

struct status range_upkeep_look(struct task *task, struct slice *slice, uint64_t elapsed_ns)
{
    struct status st = STATUS_OK;
    const struct range_tuning *tuning = range_tuning(slice->shard);
    for (uint32_t i = 0; i < slice->ranges->count; i++)
        load_look(slice->ranges->entries[i], tuning, elapsed_ns);
    if (slice->role != SLICE_SERVING) return STATUS_OK;
    for (uint32_t i = 0; i < slice->ranges->count; i++) {
        struct range_entry *entry = slice->ranges->entries[i];
        // The cluster's own span stays one range.
        if (entry->range.id == RANGE_META_ID) continue;
        if (entry->bytes_unmeasured > range_bytes_max(slice->shard, slice->id, entry->range.span.start) / 8) {
            struct bytes start = arena_copy(task->arena, entry->range.span.start);
            st = size_check(task, slice, start);
        } else if (entry->busy_looks >= 2) {
            st = load_check(task, slice, entry, tuning);
        } else {
            st = merge_check(task, slice, i);
        }
        // What cannot be now is tried again.
        if (failed(st) && (task->cancelled || slice->kv->stopping)) return st;
    }
    return STATUS_OK;
}

static struct status look_at_all(struct task *task, struct kv_shard *kv, uint64_t elapsed_ns)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < kv->slice_count && !failed(st); i++) {
        struct slice *slice = kv->slices[i];
        struct arena_mark mark = arena_mark(task->arena);
        slice_hold(slice);
        st = range_upkeep_look(task, slice, elapsed_ns);
        slice_let_go(slice);
        if (!failed(st)) arena_release(task->arena, mark);
    }
    return st;
}

static struct status upkeep_task(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = arg;
    struct range_upkeep *upkeep = range_upkeep_of(kv);
    upkeep->task = task;
    while (!upkeep->stopping) {
        const uint64_t began_ns = task_now_ns(task);
        TRY(task_rest(task, upkeep->tuning.look_ns == 0 ? RANGE_LOOK_NS : upkeep->tuning.look_ns));
        TRY(look_at_all(task, kv, task_now_ns(task) - began_ns));
    }
out:
    return st;
}

static void upkeep_ended(struct task *task, struct status st, void *arg)
{
    struct range_upkeep *upkeep = range_upkeep_of(arg);
    (void)task;
    (void)st;
    upkeep->task = NULL;
    upkeep->started = false;
    wait_queue_wake_all(&upkeep->ended, STATUS_OK);
}

// --- life ----------------------------------------------------------------------------------------

struct status range_upkeep_make(struct kv_shard *kv, struct range_upkeep **made)
{
    (void)kv;
    struct range_upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (upkeep == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    upkeep->tuning = (struct range_tuning){.split_by_load = true,
        .split_rate = RANGE_SPLIT_RATE_DEFAULT,
        .merge = true,
        .move = true};
    wait_queue_init(&upkeep->ended);
    *made = upkeep;
    return STATUS_OK;
}

void range_upkeep_free(struct range_upkeep *upkeep)
{
    free(upkeep);
}

static struct status start_here(struct task *task, void *arg)
{
    (void)arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    const struct task_options options = {
        .fn = upkeep_task,
        .arg = kv,
        .kind = "kv.ranges",
        .class = TASK_BULK,
        .ended = upkeep_ended,
        .ended_arg = kv,
    };
    struct status st = task_start(task->shard, &options);
    if (!failed(st)) range_upkeep_of(kv)->started = true;
    return st;
}

struct status range_upkeep_start(struct task *task)
{
    metric_register(&metric_size_splits);
    metric_register(&metric_load_splits);
    metric_register(&metric_merges);
    metric_register(&metric_gathers);
    return shard_call_all(task, start_here, NULL);
}

static struct status stop_here(struct task *task, void *arg)
{
    (void)arg;
    struct range_upkeep *upkeep = range_upkeep_of(kv_shard_of(task->shard));
    upkeep->stopping = true;
    // It uses what is freed next: nothing cuts this wait short.
    while (upkeep->started) {
        if (upkeep->task != NULL)
            task_cancel(upkeep->task, status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
        if (failed(task_wait(task, &upkeep->ended))) task_cancel_clear(task);
    }
    return STATUS_OK;
}

void range_upkeep_stop(struct task *task, struct kv_node *node)
{
    (void)node;
    struct status st = shard_call_all(task, stop_here, NULL);
    if (failed(st)) log_warning(0, "stopping while ranges are looked after: %s", st.message);
}
