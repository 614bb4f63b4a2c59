// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "kv/checkpoint.h"
#include "kv/key.h"
#include "kv/slice_internal.h"

#define CLUSTER_FILE_BYTES_MAX 4096u
#define SHARDS_MAX 1024u

// --- the CLUSTER file ----------------------------------------------------------------------------------

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool hex_decode(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]), low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * size] == 0;
}

struct status recovery_cluster_read(
    struct task *task, const char *dir, struct recovery_cluster *cluster, bool *found)
{
    struct bytes content;
    char id[64];
    const char *path = arena_printf(task->arena, "%s/CLUSTER", dir);
    struct status st = disk_read_file(task, path, CLUSTER_FILE_BYTES_MAX, &content);
    *found = !failed(st);
    if (status_is(st, E_UNDEFINED_FILE)) return STATUS_OK;
    if (failed(st)) return st;
    const char *text = arena_string(task->arena, content);
    int fields = sscanf(text, "isopod store 1\ncluster %32s\nslices %u\nlogs %u\nvoid %u\n", id,
        &cluster->slice_count, &cluster->log_count, &cluster->void_count);
    if (fields != 4 || !hex_decode(id, cluster->id, 16) || cluster->slice_count == 0 ||
        cluster->slice_count > KV_SLICES_MAX || cluster->log_count > SHARDS_MAX ||
        cluster->void_count > SHARDS_MAX)
        return status_format(task->arena, E_DATA_CORRUPTED, "malformed file \"%s\"", path);
    return STATUS_OK;
}

struct status recovery_cluster_write(
    struct task *task, const char *dir, const struct recovery_cluster *cluster)
{
    struct buffer text;
    buffer_init(&text, task->arena);
    buffer_append_string(&text, "isopod store 1\ncluster ");
    for (uint32_t i = 0; i < 16; i++)
        buffer_printf(&text, "%02x", cluster->id[i]);
    buffer_printf(&text, "\nslices %u\nlogs %u\nvoid %u\n", cluster->slice_count,
        cluster->log_count, cluster->void_count);
    return disk_write_file(task, arena_printf(task->arena, "%s/CLUSTER", dir), buffer_bytes(&text));
}

// --- replay ----------------------------------------------------------------------------------------------

struct replay {
    struct kv_shard *kv;
    bool takeover;
    uint64_t records;
};

static struct status replay_record(
    struct task *task, void *arg, const struct log_record *record, log_position position)
{
    struct replay *replay = arg;
    struct slice *slice = kv_slice_find(replay->kv, record->stream);
    if (slice == NULL) {
        if (replay->takeover) return STATUS_OK; // Another shard's.
        return status_make(
            E_DATA_CORRUPTED, "the log has a record of a slice that does not belong to it");
    }
    replay->records++;
    return slice_replay(
        task, slice, record->term, record->index, record->payload, replay->takeover ? 0 : position);
}

static void log_failed(struct log_writer *log, struct status st, void *arg)
{
    struct kv_shard *kv = arg;
    (void)log;
    kv->log_status = status_make(E_IO_ERROR, "the log of this shard has failed");
    for (uint32_t i = 0; i < kv->slice_count; i++)
        slice_fail(kv->slices[i], st, "writing its log");
    // What is on disk is unknown from here on: stop, and recover from it at the next start.
    log_error(0, "shard %u: the log has failed, the node stops: %s", kv->shard->index, st.message);
    node_stop(kv->node->node);
}

static void log_batch_end(struct log_writer *log, void *arg)
{
    struct kv_shard *kv = arg;
    (void)log;
    for (uint32_t i = 0; i < kv->slice_count; i++)
        slice_apply_committed(kv->slices[i]);
}

static struct status log_open_own(struct task *task, struct kv_shard *kv, struct replay *replay)
{
    const struct log_writer_options options = {
        .dir = arena_printf(task->arena, "%s/log-%u", kv->node->dir, kv->shard->index),
        .segment_bytes = kv->node->options.log_segment_bytes,
        .failed = log_failed,
        .batch_end = log_batch_end,
        .arg = kv,
    };
    return log_writer_open(task, &options, replay == NULL ? NULL : replay_record, replay, &kv->log);
}

static struct status open_slices(struct task *task, struct kv_shard *kv)
{
    struct kv_node *node = kv->node;
    struct status st = STATUS_OK;
    uint32_t own = 0;
    for (uint32_t id = 1; id <= node->slice_count; id++)
        own += node->slice_shard[id] == kv->shard->index;
    kv->slices = calloc(own + 1, sizeof(struct slice *));
    kv->by_id = calloc(node->slice_count + 1, sizeof(struct slice *));
    invariant(kv->slices != NULL && kv->by_id != NULL);
    for (uint32_t id = 1; id <= node->slice_count; id++) {
        if (node->slice_shard[id] != kv->shard->index) continue;
        const struct slice_options options = {
            .id = id,
            .home = arena_printf(task->arena, "%s/slice-%u", node->dir, id),
            .store = node->options.store,
            .cache_bytes = node->options.cache_bytes / node->slice_count,
        };
        TRY(slice_open(task, kv, &options, &kv->by_id[id]));
        kv->slices[kv->slice_count++] = kv->by_id[id];
    }
out:
    return st;
}

struct status recovery_replay(
    struct task *task, struct kv_shard *kv, bool takeover, uint32_t log_count)
{
    struct replay replay = {.kv = kv, .takeover = takeover};
    struct status st;
    TRY(open_slices(task, kv));
    if (!takeover) {
        TRY(log_open_own(task, kv, &replay));
    } else {
        for (uint32_t i = 0; i < log_count; i++) {
            const char *dir = arena_printf(task->arena, "%s/log-%u", kv->node->dir, i);
            char **names;
            // The last start may have been cut short before it made this one.
            st = disk_list(task, dir, &names);
            if (status_is(st, E_UNDEFINED_FILE)) continue;
            TRY(st);
            TRY(log_writer_scan(task, dir, replay_record, &replay));
        }
        st = STATUS_OK;
    }
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        TRY(slice_replay_end(kv->slices[i]));
        if (takeover) TRY(slice_checkpoint(task, kv->slices[i]));
    }
    if (replay.records > 0)
        log_info(0, "storage: %llu log records replayed", (unsigned long long)replay.records);
out:
    return st;
}

struct status recovery_logs_erase(struct task *task, const char *dir, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const char *log = arena_printf(task->arena, "%s/log-%u", dir, i);
        char **names;
        st = disk_list(task, log, &names);
        if (status_is(st, E_UNDEFINED_FILE)) continue;
        TRY(st);
        for (char **name = names; *name != NULL; name++)
            TRY(disk_unlink(task, arena_printf(task->arena, "%s/%s", log, *name)));
    }
    st = STATUS_OK;
out:
    return st;
}

struct status recovery_serve(struct task *task, struct kv_shard *kv)
{
    struct status st = STATUS_OK;
    if (kv->log == NULL) TRY(log_open_own(task, kv, NULL));
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        TRY(slice_serve(task, slice, kv->log));
        for (const struct kv_module *const *module = kv_modules; *module != NULL; module++) {
            if ((*module)->slice_ready == NULL) continue;
            TRY((*module)->slice_ready(task, slice));
            slice->modules_ready++;
        }
    }
out:
    return st;
}
