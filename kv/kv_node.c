// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/kv_node.h"

#include <stdlib.h>

#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/version.h"
#include "kv/key.h"
#include "kv/leader_wire.h"
#include "kv/maintenance.h"
#include "kv/raft_transport.h"
#include "kv/recovery.h"
#include "kv/replica.h"
#include "kv/slice_internal.h"

#define SLICES_PER_SHARD_DEFAULT 2u
#define CHANGING_WAITS_MAX 5000u // Of a millisecond.
#define HOLDERS_WAITS_MAX 10000u
#define CACHE_BYTES_DEFAULT (UINT64_C(256) << 20)
#define MAX_OFFSET_NS_DEFAULT UINT64_C(500000000)
// A clock that is further behind what was committed before the start is not waited for.
#define CLOCK_BEHIND_MAX_NS UINT64_C(60000000000)

struct start {
    struct kv_node *kv;
    struct recovery_store *store;
    bool takeover;
};

bool kv_is_new(struct node *node)
{
    return kv_node_of(node)->is_new;
}

uint8_t const *kv_cluster_id(struct node *node)
{
    return kv_node_of(node)->cluster_id;
}

uint32_t kv_node_id(struct node *node)
{
    return kv_node_of(node)->node_id;
}

void kv_slice_add(struct kv_shard *kv, struct slice *slice)
{
    invariant(slice->id <= KV_SLICES_MAX && kv->by_id[slice->id] == NULL);
    if (kv->slice_count == kv->slice_capacity) {
        kv->slice_capacity = kv->slice_capacity == 0 ? 8 : 2 * kv->slice_capacity;
        kv->slices = realloc(kv->slices, kv->slice_capacity * sizeof *kv->slices);
        invariant(kv->slices != NULL);
    }
    kv->slices[kv->slice_count++] = slice;
    kv->by_id[slice->id] = slice;
}

void kv_slice_remove(struct kv_shard *kv, struct slice *slice)
{
    uint32_t at = 0;
    while (at < kv->slice_count && kv->slices[at] != slice)
        at++;
    invariant(at < kv->slice_count);
    kv->slice_count--;
    for (; at < kv->slice_count; at++)
        kv->slices[at] = kv->slices[at + 1];
    kv->by_id[slice->id] = NULL;
    for (struct slice **link = &kv->committed; *link != NULL; link = &(*link)->committed_next) {
        if (*link != slice) continue;
        *link = slice->committed_next;
        slice->committed_linked = false;
        break;
    }
}

// --- start: on each shard ----------------------------------------------------------------------------------

static struct status shard_open(struct task *task, void *arg)
{
    const struct start *start = arg;
    struct status st = STATUS_OK;
    struct kv_shard *kv = calloc(1, sizeof *kv);
    invariant(kv != NULL);
    kv->shard = task->shard;
    kv->node = start->kv;
    task->shard->slots[SHARD_SLOT_KV] = kv;
    for (const struct kv_module *const *module = kv_modules; *module != NULL; module++) {
        if ((*module)->shard_init != NULL) TRY((*module)->shard_init(task, kv));
        kv->modules_ready++;
    }
    kv->raft = raft_shard_create_rpc(task->shard, start->kv->node_id);
    TRY(recovery_replay(task, kv, start->takeover, start->store->log_count));
out:
    return st;
}

static struct status shard_serve(struct task *task, void *arg)
{
    (void)arg;
    return recovery_serve(task, kv_shard_of(task->shard));
}

struct survey {
    struct hlc_timestamp ceiling; // Highest of the shard's slices.
    bool has_data;                // Of the system tenant.
    struct hlc_timestamp told;    // In: highest of the node.
};

static struct status shard_survey(struct task *task, void *arg)
{
    struct survey *survey = arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct span span = key_tenant_span(task->arena, TENANT_SYSTEM);
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        bool empty;
        struct slice *slice = kv->slices[i];
        struct status st = slice_span_empty(slice, span, &empty);
        if (failed(st)) return st;
        survey->has_data = survey->has_data || !empty;
        // Of others the leader waits by itself.
        if (raft_config_voters(&slice->config) > 1) continue;
        survey->ceiling = hlc_max(survey->ceiling, hlc_max(slice->ceiling, slice->last_commit));
    }
    hlc_update(&task->shard->hlc, survey->told);
    return STATUS_OK;
}

static struct status shard_upkeep(struct task *task, void *arg)
{
    (void)arg;
    return maintenance_start(kv_shard_of(task->shard));
}

static struct status shard_log_status(struct task *task, void *arg)
{
    const struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    return kv == NULL ? STATUS_OK : kv->log_status;
}

// --- start: on shard 0 -------------------------------------------------------------------------------------

static struct status store_make(struct kv_node *kv)
{
    struct recovery_store *store = kv->store;
    uint32_t shard_count = kv->node->shard_count;
    uint32_t per_shard = kv->options.slices_per_shard;
    if (per_shard == 0) per_shard = SLICES_PER_SHARD_DEFAULT;
    uint32_t slices = shard_count * per_shard;
    if (slices > KV_SLICES_MAX) slices = KV_SLICES_MAX;
    store->log_count = shard_count;
    store->node_id = kv->options.identity.node_id;
    if (store->node_id == 0) {
        store->node_id = kv->node->id == 0 ? 1 : kv->node->id;
        kv->node->env->random_bytes(kv->node->env, store->cluster_id, sizeof store->cluster_id);
    } else {
        memcpy(store->cluster_id, kv->options.identity.cluster_id, sizeof store->cluster_id);
    }
    // Whoever is not the first node has joined, also when the start after that did not come to its end.
    for (uint64_t id = 1; id <= slices && !kv->options.joined && kv->options.identity.node_id <= 1; id++)
        recovery_replica_get(store, id)->state = RECOVERY_FOUNDED;
    return STATUS_OK;
}

static struct status store_check(const struct kv_node *kv)
{
    const struct kv_identity *given = &kv->options.identity;
    if (given->node_id == 0) return STATUS_OK;
    if (given->node_id == kv->store->node_id &&
        memcmp(given->cluster_id, kv->store->cluster_id, sizeof given->cluster_id) == 0)
        return STATUS_OK;
    return status_make(
        E_NOT_IN_PREREQUISITE_STATE, "the store's data belongs to another node or cluster");
}

// From here on programs that know only the older format keep away, before anything of the new one is written. What was
// written in the older one is read as it is.
static struct status format_raise(struct task *task, struct kv_node *kv)
{
    struct recovery_store *store = kv->store;
    if (store->format == RECOVERY_FORMAT && strcmp(store->writer, version_number()) == 0) return STATUS_OK;
    struct status st = recovery_store_write(task, kv->dir, store);
    if (!failed(st) && store->format < RECOVERY_FORMAT)
        log_info(0, "storage: the store's format was %u and is %u", store->format, RECOVERY_FORMAT);
    return st;
}

static struct status store_prepare(struct task *task, struct start *start)
{
    struct kv_node *kv = start->kv;
    struct recovery_store *store = kv->store;
    uint32_t shard_count = kv->node->shard_count;
    struct status st;
    bool found;
    TRY(disk_mkdir(task, kv->dir));
    TRY(recovery_store_read(task, kv->dir, store, &found));
    if (!found) {
        TRY(store_make(kv));
        // Before there is anything in the logs: they belong to this number of shards.
        TRY(recovery_store_write(task, kv->dir, store));
    } else {
        TRY(store_check(kv));
        TRY(format_raise(task, kv));
    }
    if (store->void_count > 0) {
        // A takeover that was cut short after everything had been checkpointed.
        TRY(recovery_logs_erase(task, kv->dir, store->void_count));
        store->void_count = 0;
        TRY(recovery_store_write(task, kv->dir, store));
    }
    start->takeover = found && store->log_count != shard_count;
    memcpy(kv->cluster_id, store->cluster_id, sizeof kv->cluster_id);
    kv->node_id = store->node_id;
    kv->slice_count =
        store->replica_count == 0 ? 0
                                  : (uint32_t)store->replicas[store->replica_count - 1].slice;
out:
    return st;
}

static struct status takeover_finish(struct task *task, struct start *start)
{
    struct recovery_store *store = start->store;
    struct status st;
    uint32_t old_count = store->log_count;
    log_info(
        0, "storage: taken over from %u shards to %u", old_count, start->kv->node->shard_count);
    store->log_count = start->kv->node->shard_count;
    store->void_count = old_count;
    for (uint32_t i = 0; i < store->replica_count; i++)
        store->replicas[i].since = 0; // Positions in logs that are gone.
    TRY(recovery_store_write(task, start->kv->dir, store));
    TRY(recovery_logs_erase(task, start->kv->dir, old_count));
    store->void_count = 0;
    TRY(recovery_store_write(task, start->kv->dir, store));
out:
    return st;
}

// Shards give out timestamps from one wall clock, each above its own past only. So the clock has to be above
// everything that was given out before the start, or one shard might not see what another committed.
static struct status clock_wait(struct task *task, struct hlc_timestamp ceiling)
{
    struct env *env = task->shard->env;
    struct status st = STATUS_OK;
    int64_t behind_ns = (int64_t)ceiling.wall_ns - env->wall_ns(env);
    if (behind_ns > (int64_t)CLOCK_BEHIND_MAX_NS)
        return status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "the clock is %lld s behind the newest commit of the store",
            (long long)(behind_ns / 1000000000));
    if (behind_ns > 2 * (int64_t)CEILING_AHEAD_NS)
        log_warning(0, "storage: waiting %lld ms for the clock to pass the newest commit",
            (long long)(behind_ns / 1000000));
    while (env->wall_ns(env) <= (int64_t)ceiling.wall_ns)
        TRY(task_sleep(task, (uint64_t)((int64_t)ceiling.wall_ns - env->wall_ns(env)) + 1000));
out:
    return st;
}

// Asks every shard; *survey is the highest.
static struct status node_survey(struct task *task, struct kv_node *kv, struct survey *survey)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < kv->node->shard_count; i++)
        TRY(shard_call(task, i, shard_survey, survey));
out:
    return st;
}

static struct status start_all(struct task *task, struct start *start)
{
    struct kv_node *kv = start->kv;
    struct survey survey = {0};
    struct status st;
    TRY(store_prepare(task, start));
    TRY(shard_call_all(task, shard_open, start));
    if (start->takeover) TRY(takeover_finish(task, start));
    TRY(node_survey(task, kv, &survey));
    TRY(clock_wait(task, survey.ceiling));
    survey.told = survey.ceiling;
    TRY(node_survey(task, kv, &survey));
    TRY(shard_call_all(task, shard_serve, NULL));
    // A first start that did not get as far as the first key begins again.
    kv->is_new = !survey.has_data && !kv->options.joined && kv->store->node_id == 1;
    for (const struct kv_module *const *module = kv_modules; *module != NULL; module++) {
        kv->modules_started++;
        if ((*module)->started != NULL) TRY((*module)->started(task, kv));
    }
    TRY(shard_call_all(task, shard_upkeep, NULL));
out:
    return st;
}

// Why the start failed. What was being committed only tells that its outcome is unknown; the log tells why.
static struct status start_failure(struct task *task, struct status st)
{
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++) {
        struct status log = shard_call(task, i, shard_log_status, NULL);
        if (failed(log)) return log;
    }
    return st;
}

static struct status stop_all(struct task *task, struct kv_node *kv, bool drop);

struct status kv_start(struct task *task, const struct kv_options *options)
{
    struct node *node = task->shard->node;
    invariant(task->shard->index == 0 && kv_node_of(node) == NULL);
    struct kv_node *kv = calloc(1, sizeof *kv);
    invariant(kv != NULL);
    replica_register();
    raft_rpc_register();
    leader_wire_register();
    kv->node = node;
    kv->options = *options;
    if (kv->options.cache_bytes == 0) kv->options.cache_bytes = CACHE_BYTES_DEFAULT;
    if (kv->options.max_offset_ns == 0) kv->options.max_offset_ns = MAX_OFFSET_NS_DEFAULT;
    wait_queue_init(&kv->store_waiters);
    kv->store = calloc(1, sizeof *kv->store);
    invariant(kv->store != NULL);
    kv->dir = strdup(options->dir);
    invariant(kv->dir != NULL);
    kv->options.dir = kv->dir;
    node->slots[NODE_SLOT_KV] = kv;
    struct start *start = ARENA_NEW(task->arena, struct start);
    start->kv = kv;
    start->store = kv->store;
    struct status st = start_all(task, start);
    if (failed(st)) {
        st = start_failure(task, st);
        struct status stopped = stop_all(task, kv, true);
        (void)stopped.code; // The start's failure is the one to tell.
    }
    return st;
}

// --- stop ----------------------------------------------------------------------------------------------------

static uint32_t module_count(void)
{
    uint32_t count = 0;
    while (kv_modules[count] != NULL)
        count++;
    return count;
}

void kv_slice_modules_fini(struct slice *slice)
{
    uint32_t with_ready = 0;
    for (uint32_t i = 0; i < module_count(); i++)
        with_ready += kv_modules[i]->slice_ready != NULL;
    for (uint32_t i = module_count(); i-- > 0;) {
        const struct kv_module *module = kv_modules[i];
        bool ready = module->slice_ready == NULL ? slice->modules_ready == with_ready
                                                 : with_ready-- <= slice->modules_ready;
        if (ready && module->slice_fini != NULL) module->slice_fini(slice);
    }
}

// Requests whose entries were just applied, or that were turned away, come to their end.
static void holders_wait(struct task *task, const struct slice *slice)
{
    for (uint32_t i = 0; slice->holders > 0 && i < HOLDERS_WAITS_MAX; i++) {
        if (failed(task_sleep(task, 1000000))) task_cancel_clear(task);
    }
    if (slice->holders > 0)
        log_error(0, "slice %llu: %u requests do not end", (unsigned long long)slice->id, slice->holders);
}

static struct status shard_close(struct task *task, void *arg)
{
    bool drop = *(const bool *)arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct status st = STATUS_OK, one;
    if (kv == NULL) return STATUS_OK;
    kv->stopping = true;
    // First of all what waits for other nodes is given up: what is stopped next may be waiting for it.
    for (uint32_t i = 0; i < kv->slice_count; i++)
        slice_drain(task, kv->slices[i]);
    maintenance_stop(task, kv);
    // A replica that is being made or erased is left alone until that is done.
    for (uint32_t i = 0; kv->changing && i < CHANGING_WAITS_MAX; i++) {
        if (failed(task_sleep(task, 1000000))) task_cancel_clear(task);
        for (uint32_t j = 0; j < kv->slice_count; j++)
            slice_drain(task, kv->slices[j]);
    }
    // And what was made meanwhile.
    for (uint32_t i = 0; i < kv->slice_count; i++)
        slice_drain(task, kv->slices[i]);
    for (uint32_t i = 0; i < kv->slice_count; i++)
        holders_wait(task, kv->slices[i]);
    while (kv->slice_count > 0) {
        struct slice *slice = kv->slices[kv->slice_count - 1];
        kv_slice_remove(kv, slice);
        kv_slice_modules_fini(slice);
        one = slice_stop(task, slice, drop);
        if (!failed(st)) st = one;
    }
    if (kv->log != NULL) {
        one = log_writer_close(task, kv->log);
        kv->log = NULL;
        if (!failed(st)) st = one;
    }
    timer_disarm(kv->shard, &kv->apply_timer);
    // After the log: records on their way there point into it.
    if (kv->raft != NULL) raft_shard_destroy(kv->raft);
    for (uint32_t i = kv->modules_ready; i-- > 0;) {
        if (kv_modules[i]->shard_fini != NULL) kv_modules[i]->shard_fini(kv);
    }
    task->shard->slots[SHARD_SLOT_KV] = NULL;
    free(kv->slices);
    free(kv->by_id);
    free(kv);
    return st;
}

static struct status shards_stop(struct task *task, bool drop)
{
    struct node *node = task->shard->node;
    struct kv_node *kv = kv_node_of(node);
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < node->shard_count; i++) {
        task_cancel_clear(task);
        struct status one = shard_call(task, i, shard_close, &drop);
        if (!failed(st)) st = one;
    }
    // Who still writes the list of replicas does so into what is freed here.
    while (kv->store_busy) {
        if (failed(task_wait(task, &kv->store_waiters))) task_cancel_clear(task);
    }
    node->slots[NODE_SLOT_KV] = NULL;
    free(kv->store->replicas);
    free(kv->store);
    free((char *)kv->dir);
    free(kv);
    return st;
}

// As far as they were started.
static void modules_stop(struct task *task, struct kv_node *kv)
{
    for (uint32_t i = kv->modules_started; i-- > 0;) {
        task_cancel_clear(task);
        if (kv_modules[i]->stopping != NULL) kv_modules[i]->stopping(task, kv);
    }
}

// Told to stop once more half-way it goes on all the same: it would leave behind what others still use.
static struct status stop_all(struct task *task, struct kv_node *kv, bool drop)
{
    uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = UINT64_MAX;
    modules_stop(task, kv);
    struct status st = shards_stop(task, drop);
    task->deadline_ns = deadline_ns;
    return st;
}

struct status kv_stop(struct task *task)
{
    struct kv_node *kv = kv_node_of(task->shard->node);
    invariant(task->shard->index == 0);
    if (kv == NULL) return STATUS_OK;
    return stop_all(task, kv, false);
}

static struct status shard_checkpoint(struct task *task, void *arg)
{
    (void)arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    return maintenance_checkpoint(task, kv);
}

struct status kv_checkpoint(struct task *task)
{
    return shard_call_all(task, shard_checkpoint, NULL);
}
