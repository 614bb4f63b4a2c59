// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/maintenance.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/heap.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/rest.h"
#include "kv/cache_share.h"
#include "kv/cluster.h"
#include "kv/range.h"
#include "kv/store_wt_file.h"

#define SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)
#define LOG_SEGMENTS_MAX 4u
#define PERIOD_NS UINT64_C(250000000)
#define PERIOD_AT_REST_NS REST_BEAT_NS // While nearly nothing is written.
#define CHECKPOINT_EVERY_NS UINT64_C(60000000000)
#define CHECKPOINT_AT_REST_NS UINT64_C(900000000000) // While there is little to replay.
#define RETRY_NS UINT64_C(5000000000)
#define TELL_EVERY_NS UINT64_C(5000000000)
#define ROOM_EVERY_NS UINT64_C(100000000)  // While something is written and there is not much.
#define ROOM_AMPLE_NS UINT64_C(1000000000)
#define ROOM_AT_REST_NS UINT64_C(8000000000)
#define REST_BYTES (64u << 10) // Written since the last look: nodes at rest renew their records.
#define REST_CALLS 64u              // Asked of the shard's slices since the last look: the node's own tasks ask for less.
#define REST_LOOKS 8u               // In a row that found so little: now the shard is at rest.
#define REST_AFTER_BYTES (1u << 20) // Written since: less is nothing worth while, in memory or in the log.
#define SHRINK_LOOKS 4u             // Two seconds: WiredTiger looks at the size of its cache once in one.
#define ROOM_AMPLE 8u // Times what is kept free.
// Free room below which writes are refused: a tenth of the disk, within these.
#define ROOM_MIN_BYTES (UINT64_C(24) << 20)
#define ROOM_MAX_BYTES (UINT64_C(1) << 30)
#define CHECKPOINT_ROOM_BYTES (UINT64_C(4) << 20)
#define RESERVE_BYTES_MAX (UINT64_C(64) << 20)

static METRIC_DEFINE(checkpoint_count, "kv.checkpoint.count", METRIC_COUNTER, METRIC_COUNT, false,
    "Checkpoints of stores");
static METRIC_DEFINE(checkpoint_ns, "kv.checkpoint.duration", METRIC_HISTOGRAM, METRIC_NANOSECONDS,
    false, "Duration of checkpoints of stores");
static METRIC_DEFINE(disk_full, "kv.disk.full", METRIC_GAUGE, METRIC_COUNT, false,
    "1 while writes are refused for lack of room on the disk");

struct kv_maintenance {
    struct kv_shard *kv;
    uint32_t running; // Tasks.
    bool stop;
    struct wait_queue sleepers;
    struct wait_queue gc_sleeper;
    bool gc_asked;         // To look at all slices now.
    uint64_t gc_eager_ns;  // Until then at all of them at each beat, whether or not the last pass was worth it.
    struct wait_queue ended;
    uint64_t checkpointed_ns;
    log_position checkpointed_at; // End of the log then.
    uint64_t retry_ns; // Not before, after a failure.
};

// --- checkpoints -----------------------------------------------------------------------------------------

// The log is needed from the oldest entry on that some slice has not in its checkpoint.
static void log_truncate(struct kv_shard *kv)
{
    log_position safe = log_writer_appended(kv->log);
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        log_position needed = raft_log_needed(&slice->log, slice->checkpoint_position);
        if (needed < safe) safe = needed;
    }
    if (safe > 0) log_writer_truncate(kv->log, safe);
}

static struct status checkpoint_slice(struct task *task, struct kv_shard *kv, struct slice *slice)
{
    struct status st;
    uint64_t started_ns = shard_now_ns(kv->shard);
    // A store that runs out of room in the middle of it would hold up a helper until there is some.
    if (kv->disk_full &&
        kv->disk_free_bytes < slice->bytes_since_checkpoint + CHECKPOINT_ROOM_BYTES)
        return status_make(E_DISK_FULL, "no room on the disk for a checkpoint");
    TRY(slice_checkpoint(task, slice));
    metric_add(&checkpoint_count, 0, 1);
    metric_record(&checkpoint_ns, 0, shard_now_ns(kv->shard) - started_ns);
out:
    return st;
}

struct status maintenance_checkpoint(struct task *task, struct kv_shard *kv)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        if (slice->applied_index == slice->checkpoint_index || failed(slice->failed)) continue;
        slice_hold(slice);
        st = checkpoint_slice(task, kv, slice);
        slice_let_go(slice);
        TRY(st);
    }
    log_truncate(kv);
out:
    return st;
}

static bool checkpoint_is_due(const struct kv_maintenance *upkeep, uint64_t now_ns)
{
    const struct kv_shard *kv = upkeep->kv;
    uint64_t segment = kv->node->options.log_segment_bytes;
    if (segment == 0) segment = SEGMENT_BYTES_DEFAULT;
    if (now_ns < upkeep->retry_ns) return false;
    if (log_writer_bytes(kv->log) > LOG_SEGMENTS_MAX * segment) return true;
    bool little = log_writer_appended(kv->log) - upkeep->checkpointed_at < REST_AFTER_BYTES;
    return now_ns - upkeep->checkpointed_ns > (little ? CHECKPOINT_AT_REST_NS : CHECKPOINT_EVERY_NS);
}

// --- room on the disk --------------------------------------------------------------------------------------

struct room {
    const char *dir;
    const char *reserve_path; // NULL: another shard keeps it.
    uint64_t free_bytes, total_bytes;
    bool known;
};

static uint64_t room_least(const struct room *room)
{
    uint64_t least = room->total_bytes / 10;
    if (least < ROOM_MIN_BYTES) least = ROOM_MIN_BYTES;
    return least > ROOM_MAX_BYTES ? ROOM_MAX_BYTES : least;
}

bool maintenance_room_short(uint64_t disk_bytes, uint64_t free_bytes)
{
    const struct room room = {.total_bytes = disk_bytes};
    return disk_bytes > 0 && free_bytes < room_least(&room);
}

static void reserve_keep(const struct room *room)
{
    struct stat info;
    uint64_t bytes = room_least(room) / 2;
    if (bytes > RESERVE_BYTES_MAX) bytes = RESERVE_BYTES_MAX;
    if (stat(room->reserve_path, &info) == 0 || room->free_bytes < 3 * room_least(room)) return;
    int fd = open(room->reserve_path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return;
    bool made = posix_fallocate(fd, 0, (off_t)bytes) == 0;
    close(fd);
    if (!made) unlink(room->reserve_path);
}

// On a helper thread.
static void room_measure(void *arg)
{
    struct room *room = arg;
    struct statvfs info;
    room->known = statvfs(room->dir, &info) == 0;
    if (!room->known) return;
    room->free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    room->total_bytes = (uint64_t)info.f_blocks * info.f_frsize;
    if (room->reserve_path != NULL) reserve_keep(room);
}

// Writes stop while there is still room for what the stores have in their caches: WiredTiger does not
// survive a full disk, and reads are to go on.
static struct status room_check(struct task *task, struct kv_shard *kv)
{
    struct room room = {.dir = kv->node->dir};
    if (kv->shard->index == 0)
        room.reserve_path = arena_printf(task->arena, "%s/" STORE_RESERVE_NAME, kv->node->dir);
    struct status st = helper_call(task, room_measure, &room);
    if (failed(st) || !room.known) return st;
    uint64_t least = room_least(&room);
    bool full = kv->disk_full ? room.free_bytes < least + least / 4 : room.free_bytes < least;
    if (full != kv->disk_full) {
        if (full)
            log_warning(0, "only %llu MiB of room left in %s: writes are refused",
                (unsigned long long)(room.free_bytes >> 20), kv->node->dir);
        else
            log_info(0, "room again in %s: writes go on", kv->node->dir);
        metric_set(&disk_full, 0, full);
    }
    kv->disk_full = full;
    kv->disk_free_bytes = room.free_bytes;
    kv->disk_bytes = room.total_bytes;
    return STATUS_OK;
}

static struct status load_add(struct task *task, void *arg)
{
    struct cluster_load *load = arg;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage starts or stops");
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        const struct slice *slice = kv->slices[i];
        struct store_figures figures;
        store_figures(slice->store, &figures);
        load->data_bytes += figures.bytes;
        load->replicas++;
        if (slice->role != SLICE_SERVING) continue;
        load->leaders++;
        if (slice->ranges != NULL) load->ranges += slice->ranges->count;
    }
    return STATUS_OK;
}

// What the other nodes know of this one's load. A shard that starts or stops: another time.
static void load_tell(struct task *task, const struct kv_shard *kv)
{
    struct cluster_load load = {
        .disk_bytes = kv->disk_bytes, .disk_free_bytes = kv->disk_free_bytes};
    for (uint32_t i = 0; i < kv->node->node->shard_count; i++) {
        if (failed(shard_call(task, i, load_add, &load))) return;
    }
    cluster_load_set(kv->node->node, &load);
}

// --- the tasks -----------------------------------------------------------------------------------------------

static struct status upkeep_pause(
    struct task *task, struct kv_maintenance *upkeep, uint64_t duration_ns)
{
    struct status st = task_wait_until(
        task, &upkeep->sleepers, timer_about(task->shard, duration_ns), status_make(K_END, "time is up"));
    return status_is(st, K_END) ? STATUS_OK : st;
}

void maintenance_rest_look(struct maintenance_rest_watch *watch, log_position appended, uint64_t calls)
{
    const bool unwritten = appended - watch->appended < REST_BYTES;
    const bool unread = calls - watch->calls < REST_CALLS; // Of a slice that has left fewer: it is used.
    watch->unwritten = unwritten ? watch->unwritten + 1 : 0;
    watch->unused = unwritten && unread ? watch->unused + 1 : 0;
    watch->appended = appended;
    watch->calls = calls;
}

bool maintenance_rest_due(struct maintenance_rest_watch *watch)
{
    if (watch->unused < REST_LOOKS || watch->appended - watch->rested_at < REST_AFTER_BYTES) return false;
    watch->rested_at = watch->appended;
    return true;
}

static void rest_look(struct maintenance_rest_watch *watch, const struct kv_shard *kv)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < kv->slice_count; i++) calls += kv->slices[i]->calls;
    maintenance_rest_look(watch, log_writer_appended(kv->log), calls);
}

static struct maintenance_rest_watch rest_watch(const struct kv_shard *kv)
{
    struct maintenance_rest_watch watch = {0};
    rest_look(&watch, kv);
    watch.rested_at = watch.appended;
    watch.unwritten = watch.unused = 0;
    return watch;
}

static void caches_shrink(struct kv_shard *kv, bool shrink)
{
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct status st = store_cache_shrink(kv->slices[i]->store, shrink);
        if (failed(st)) log_warning(0, "cache of a store: %s", st.message);
    }
}

static void release_heap(void *arg)
{
    (void)arg;
    heap_release();
}

struct status maintenance_rest(struct task *task, struct kv_shard *kv)
{
    struct status st;
    TRY(maintenance_checkpoint(task, kv));
    struct maintenance_rest_watch watch = rest_watch(kv);
    caches_shrink(kv, true);
    for (uint32_t i = 0; i < SHRINK_LOOKS && !failed(st) && !kv->maintenance->stop && watch.unused == i; i++) {
        st = upkeep_pause(task, kv->maintenance, PERIOD_AT_REST_NS);
        rest_look(&watch, kv);
    }
    caches_shrink(kv, false);
    TRY(st);
    TRY(helper_call(task, release_heap, NULL));
out:
    return st;
}

static void checkpoint_now(struct task *task, struct kv_maintenance *upkeep, bool rests)
{
    struct kv_shard *kv = upkeep->kv;
    upkeep->checkpointed_at = log_writer_appended(kv->log);
    struct status st = rests ? maintenance_rest(task, kv) : maintenance_checkpoint(task, kv);
    if (failed(st)) log_warning(0, "shard %u: checkpoint failed: %s", kv->shard->index, st.message);
    upkeep->checkpointed_ns = task_now_ns(task);
    upkeep->retry_ns = failed(st) ? upkeep->checkpointed_ns + RETRY_NS : 0;
}

static struct status upkeep_task(struct task *task, void *arg)
{
    struct kv_maintenance *upkeep = arg;
    struct kv_shard *kv = upkeep->kv;
    struct status st = STATUS_OK;
    struct maintenance_rest_watch watch = rest_watch(kv);
    upkeep->checkpointed_ns = task_now_ns(task);
    upkeep->checkpointed_at = watch.appended;
    while (!upkeep->stop) {
        struct arena_mark mark = arena_mark(task->arena);
        const bool rests = maintenance_rest_due(&watch);
        if (rests || checkpoint_is_due(upkeep, task_now_ns(task))) checkpoint_now(task, upkeep, rests);
        arena_release(task->arena, mark);
        rest_look(&watch, kv);
        if (watch.unwritten == 0) cache_share(kv);
        if (!upkeep->stop) TRY(upkeep_pause(task, upkeep, watch.unwritten > 0 ? PERIOD_AT_REST_NS : PERIOD_NS));
    }
out:
    return st;
}

// Each look is a call of a helper thread: where nothing is written, or room is ample, it can wait.
static uint64_t room_pause_ns(const struct kv_shard *kv, struct maintenance_rest_watch *watch)
{
    const struct room room = {.total_bytes = kv->disk_bytes};
    bool ample = kv->disk_free_bytes > ROOM_AMPLE * room_least(&room);
    rest_look(watch, kv);
    bool rest = watch->unwritten > 0;
    if (kv->disk_full) return ROOM_EVERY_NS;
    if (ample) return rest ? ROOM_AT_REST_NS : ROOM_AMPLE_NS;
    return rest ? ROOM_AMPLE_NS : ROOM_EVERY_NS;
}

static struct status room_task(struct task *task, void *arg)
{
    struct kv_maintenance *upkeep = arg;
    struct status st = STATUS_OK;
    uint64_t tell_ns = 0;
    struct maintenance_rest_watch watch = {0};
    while (!upkeep->stop) {
        struct arena_mark mark = arena_mark(task->arena);
        bool was_full = upkeep->kv->disk_full;
        TRY(room_check(task, upkeep->kv));
        // That there is no room is news: leaders go elsewhere.
        if (upkeep->kv->disk_full != was_full) tell_ns = 0;
        if (upkeep->kv->shard->index == 0 && task_now_ns(task) >= tell_ns) {
            load_tell(task, upkeep->kv);
            tell_ns = task_now_ns(task) + TELL_EVERY_NS;
        }
        arena_release(task->arena, mark);
        if (!upkeep->stop) TRY(upkeep_pause(task, upkeep, room_pause_ns(upkeep->kv, &watch)));
    }
out:
    return st;
}

void maintenance_gc_wake(struct kv_shard *kv, uint64_t ttl_ns)
{
    struct kv_maintenance *upkeep = kv->maintenance;
    if (upkeep == NULL) return;
    const uint64_t rest_ns = ttl_ns < GC_REST_NS_MAX ? ttl_ns : GC_REST_NS_MAX;
    const uint64_t eager_ns = shard_now_ns(kv->shard) + rest_ns + GC_EVERY_NS;
    if (eager_ns > upkeep->gc_eager_ns) upkeep->gc_eager_ns = eager_ns;
    upkeep->gc_asked = true;
    wait_queue_wake_all(&upkeep->gc_sleeper, STATUS_OK);
}

// Until the next beat, or until it is asked for.
static struct status gc_pause(struct task *task, struct kv_maintenance *upkeep)
{
    struct status st = STATUS_OK;
    if (upkeep->stop) return st;
    if (!upkeep->gc_asked)
        st = task_wait_until(task, &upkeep->gc_sleeper, timer_about(task->shard, GC_EVERY_NS),
            status_make(K_END, "time is up"));
    const bool all = upkeep->gc_asked || task_now_ns(task) < upkeep->gc_eager_ns;
    upkeep->gc_asked = false;
    for (uint32_t i = 0; all && i < upkeep->kv->slice_count; i++) upkeep->kv->slices[i]->gc_due_ns = 0;
    return status_is(st, K_END) ? STATUS_OK : st;
}

static struct status gc_task(struct task *task, void *arg)
{
    struct kv_maintenance *upkeep = arg;
    struct kv_shard *kv = upkeep->kv;
    struct status st = STATUS_OK;
    TRY(gc_pause(task, upkeep));
    while (!upkeep->stop) {
        for (uint32_t i = 0; i < kv->slice_count && !upkeep->stop; i++) {
            struct arena_mark mark = arena_mark(task->arena);
            struct slice *slice = kv->slices[i];
            uint64_t erased = 0;
            if (task_now_ns(task) < slice->gc_due_ns) continue;
            slice_hold(slice);
            st = slice_gc(task, slice, &erased);
            slice->gc_due_ns = task_now_ns(task) + slice_gc_rest_ns(slice->gc_walked, erased) - GC_EVERY_NS / 2;
            if (failed(st) && !upkeep->stop && !status_is(st, K_NOT_LEADER))
                log_warning(0, "slice %llu: garbage collection: %s",
                    (unsigned long long)slice->id, st.message);
            slice_let_go(slice);
            arena_release(task->arena, mark);
            if (task->cancelled) goto out;
        }
        TRY(gc_pause(task, upkeep));
    }
out:
    return st;
}

static void upkeep_ended(struct task *task, struct status st, void *arg)
{
    struct kv_maintenance *upkeep = arg;
    (void)task;
    (void)st.code;
    upkeep->running--;
    wait_queue_wake_all(&upkeep->ended, STATUS_OK);
}

struct status maintenance_start(struct kv_shard *kv)
{
    struct status st;
    struct kv_maintenance *upkeep = calloc(1, sizeof *upkeep);
    invariant(upkeep != NULL);
    upkeep->kv = kv;
    wait_queue_init(&upkeep->sleepers);
    wait_queue_init(&upkeep->gc_sleeper);
    wait_queue_init(&upkeep->ended);
    kv->maintenance = upkeep;
    struct task_options options = {.fn = upkeep_task,
        .arg = upkeep,
        .kind = "kv upkeep",
        .class = TASK_SYSTEM,
        .ended = upkeep_ended,
        .ended_arg = upkeep};
    TRY(task_start(kv->shard, &options));
    upkeep->running++;
    if (!kv->shard->env->simulated && kv->node->options.store == KV_STORE_WIREDTIGER) {
        options.fn = room_task;
        options.kind = "kv room";
        TRY(task_start(kv->shard, &options));
        upkeep->running++;
    }
    options.fn = gc_task;
    options.kind = "kv gc";
    options.class = TASK_BULK;
    TRY(task_start(kv->shard, &options));
    upkeep->running++;
out:
    return st;
}

void maintenance_stop(struct task *task, struct kv_shard *kv)
{
    struct kv_maintenance *upkeep = kv->maintenance;
    if (upkeep == NULL) return;
    upkeep->stop = true;
    wait_queue_wake_all(&upkeep->sleepers, STATUS_OK);
    wait_queue_wake_all(&upkeep->gc_sleeper, STATUS_OK);
    while (upkeep->running > 0) {
        if (failed(task_wait(task, &upkeep->ended))) task_cancel_clear(task);
    }
    free(upkeep);
    kv->maintenance = NULL;
}
