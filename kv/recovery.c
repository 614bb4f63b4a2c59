// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/rpc.h"
#include "core/version.h"
#include "kv/maintenance.h"
#include "kv/key.h"
#include "kv/replica.h"
#include "kv/slice_internal.h"

#define STORE_FILE_BYTES_MAX (1u << 20)
#define SHARDS_MAX 1024u

// Entries and replicas' tables go from node to node as they lie here, and only nodes of one protocol talk: the protocol
// that came with this format.
#define FORMAT_RPC_VERSION 10u
static_assert(RPC_VERSION >= FORMAT_RPC_VERSION, "a new format of stores needs a new protocol");

// --- the STORE file ------------------------------------------------------------------------------------

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

static struct status malformed(struct task *task, const char *path)
{
    return status_format(task->arena, E_DATA_CORRUPTED, "malformed file \"%s\"", path);
}

static const char *const state_names[] = {"here", "founded", "gone", "damaged"};

static bool replica_parse(const char *line, struct recovery_replica *replica)
{
    char state[16];
    unsigned long long slice, generation, since;
    if (sscanf(line, "replica %llu %llu %15s %llu", &slice, &generation, state, &since) != 4)
        return false;
    if (slice == 0 || slice > KV_SLICES_MAX) return false;
    replica->slice = slice;
    replica->generation = generation;
    replica->since = since;
    for (uint32_t i = 0; i < sizeof state_names / sizeof *state_names; i++) {
        if (strcmp(state, state_names[i]) != 0) continue;
        replica->state = (enum recovery_state)i;
        return true;
    }
    return false;
}

// Another format. Who wrote it is said since format 3.
static struct status format_refused(struct task *task, const char *dir, const struct recovery_store *store)
{
    struct arena *arena = task->arena;
    const bool newer = store->format > RECOVERY_FORMAT;
    const char *writer = store->writer[0] == 0 ? "" : arena_printf(arena, ", written by Isopod v%s", store->writer);
    struct status st = status_format(arena, E_FEATURE_NOT_SUPPORTED,
        "the store \"%s\" is in format %u%s; this is Isopod v%s, which reads formats %u to %u", dir, store->format,
        writer, version_number(), RECOVERY_FORMAT_OLDEST, RECOVERY_FORMAT);
    if (!newer)
        return status_hint(arena, st,
            "Start it once with each release in between, or start with an empty --store and join as a new node.");
    if (store->writer[0] != 0)
        return status_hint(arena, st, "Start this node with Isopod v%s or newer. Nothing in the store was changed.",
            store->writer);
    return status_hint(
        arena, st, "Start this node with the release that wrote it, or a newer one. Nothing in the store was changed.");
}

// The lines that every format begins with; *read is how long they are.
static struct status head_parse(
    struct task *task, const char *dir, const char *text, struct recovery_store *store, int *read)
{
    int head = 0, writer = 0;
    if (sscanf(text, "isopod store %u%n", &store->format, &head) != 1 || text[head] != '\n')
        return malformed(task, arena_printf(task->arena, "%s/STORE", dir));
    *read = head + 1;
    if (sscanf(text + *read, "written by %31[0-9A-Za-z.+-]%n", store->writer, &writer) == 1 &&
        text[*read + writer] == '\n')
        *read += writer + 1;
    else
        store->writer[0] = 0;
    if (store->format < RECOVERY_FORMAT_OLDEST || store->format > RECOVERY_FORMAT)
        return format_refused(task, dir, store);
    return STATUS_OK;
}

// *text NULL: there is none.
static struct status store_text(struct task *task, const char *dir, const char **text)
{
    struct bytes content;
    const char *path = arena_printf(task->arena, "%s/STORE", dir);
    struct status st = disk_read_file(task, path, STORE_FILE_BYTES_MAX, &content);
    *text = failed(st) ? NULL : arena_string(task->arena, content);
    return status_is(st, E_UNDEFINED_FILE) ? STATUS_OK : st;
}

struct status recovery_format_check(struct task *task, const char *dir)
{
    struct recovery_store store;
    const char *text;
    int read;
    struct status st = store_text(task, dir, &text);
    return failed(st) || text == NULL ? st : head_parse(task, dir, text, &store, &read);
}

struct status recovery_store_read(
    struct task *task, const char *dir, struct recovery_store *store, bool *found)
{
    struct status st;
    char id[64];
    const char *text;
    int head, read = 0;
    *store = (struct recovery_store){0};
    TRY(store_text(task, dir, &text));
    *found = text != NULL;
    if (text == NULL) goto out;
    TRY(head_parse(task, dir, text, store, &head));
    const char *path = arena_printf(task->arena, "%s/STORE", dir);
    int fields = sscanf(text + head, "cluster %32s\nnode %u\nlogs %u\nvoid %u\n%n", id, &store->node_id,
        &store->log_count, &store->void_count, &read);
    if (fields != 4 || !hex_decode(id, store->cluster_id, 16) || store->node_id == 0 ||
        store->log_count > SHARDS_MAX || store->void_count > SHARDS_MAX)
        return malformed(task, path);
    for (const char *line = text + head + read; *line != 0;) {
        struct recovery_replica replica;
        const char *end = strchr(line, '\n');
        if (end == NULL || !replica_parse(line, &replica) ||
            recovery_replica_find(store, replica.slice) != NULL)
            return malformed(task, path);
        *recovery_replica_get(store, replica.slice) = replica;
        line = end + 1;
    }
out:
    return st;
}

struct status recovery_store_write(
    struct task *task, const char *dir, const struct recovery_store *store)
{
    struct buffer text;
    struct arena_mark mark = arena_mark(task->arena);
    buffer_init(&text, task->arena);
    buffer_printf(&text, "isopod store %u\nwritten by %s\ncluster ", RECOVERY_FORMAT, version_number());
    for (uint32_t i = 0; i < 16; i++)
        buffer_printf(&text, "%02x", store->cluster_id[i]);
    buffer_printf(&text, "\nnode %u\nlogs %u\nvoid %u\n", store->node_id, store->log_count,
        store->void_count);
    for (uint32_t i = 0; i < store->replica_count; i++) {
        const struct recovery_replica *replica = &store->replicas[i];
        buffer_printf(&text, "replica %llu %llu %s %llu\n", (unsigned long long)replica->slice,
            (unsigned long long)replica->generation, state_names[replica->state],
            (unsigned long long)replica->since);
    }
    struct status st =
        disk_write_file(task, arena_printf(task->arena, "%s/STORE", dir), buffer_bytes(&text));
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct recovery_replica *recovery_replica_find(const struct recovery_store *store, uint64_t slice)
{
    for (uint32_t i = 0; i < store->replica_count; i++) {
        if (store->replicas[i].slice == slice) return &store->replicas[i];
    }
    return NULL;
}

struct recovery_replica *recovery_replica_get(struct recovery_store *store, uint64_t slice)
{
    struct recovery_replica *found = recovery_replica_find(store, slice);
    if (found != NULL) return found;
    store->replicas =
        realloc(store->replicas, (store->replica_count + 1) * sizeof *store->replicas);
    invariant(store->replicas != NULL);
    uint32_t at = store->replica_count++;
    for (; at > 0 && store->replicas[at - 1].slice > slice; at--)
        store->replicas[at] = store->replicas[at - 1];
    store->replicas[at] = (struct recovery_replica){.slice = slice};
    return &store->replicas[at];
}

const char *recovery_home(struct arena *arena, const char *dir, uint64_t slice, uint64_t generation)
{
    if (generation == 0)
        return arena_printf(arena, "%s/slice-%llu", dir, (unsigned long long)slice);
    return arena_printf(arena, "%s/slice-%llu.%llu", dir, (unsigned long long)slice,
        (unsigned long long)generation);
}

// --- replay ----------------------------------------------------------------------------------------------

struct replay {
    struct kv_shard *kv;
    bool takeover;
    uint32_t log, log_count; // The one that is read.
    uint64_t records;
};

static struct status replay_record(
    struct task *task, void *arg, const struct log_record *record, log_position position)
{
    struct replay *replay = arg;
    struct slice *slice = kv_slice_find(replay->kv, record->stream);
    // Another shard's, or a replica that was erased since.
    if (slice == NULL) return STATUS_OK;
    if (replay->log == kv_slice_shard(slice->id, replay->log_count) && position <= slice->since)
        return STATUS_OK;
    replay->records++;
    return slice_replay(task, slice, record, replay->takeover ? 0 : position);
}

static void log_failed(struct log_writer *log, struct status st, void *arg)
{
    struct kv_shard *kv = arg;
    (void)log;
    kv->log_status = status_make(E_IO_ERROR, "the log of this shard has failed");
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        slice_fail(kv->slices[i], st, "writing its log");
        raft_log_fail(&kv->slices[i]->log, st);
    }
    // What is on disk is unknown from here on: stop, and recover from it at the next start.
    log_error(0, "shard %u: the log has failed, the node stops: %s", kv->shard->index, st.message);
    node_stop(kv->node->node);
}

static void log_batch_end(struct log_writer *log, void *arg)
{
    struct kv_shard *kv = arg;
    (void)log;
    while (kv->committed != NULL) {
        struct slice *slice = kv->committed;
        kv->committed = slice->committed_next;
        slice->committed_linked = false;
        slice_apply_committed(slice);
    }
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

// Stores of replicas that were erased, or replaced by a snapshot, just before a crash: their lines were written first.
static void erase_left(struct task *task, const char *dir, const struct recovery_replica *replica)
{
    const bool gone = replica->state == RECOVERY_GONE;
    uint64_t from = replica->generation - (replica->generation > 0 && !gone), to = replica->generation + 2 * gone;
    for (uint64_t generation = from; generation < to; generation++) {
        struct status st =
            replica_home_erase(task, recovery_home(task->arena, dir, replica->slice, generation));
        if (failed(st))
            log_warning(0, "slice %llu: what is left of an erased replica stays: %s",
                (unsigned long long)replica->slice, st.message);
    }
}

static struct status open_slices(struct task *task, struct kv_shard *kv)
{
    struct kv_node *node = kv->node;
    struct status st = STATUS_OK;
    const struct recovery_store *store = node->store;
    uint32_t here = 0;
    kv->by_id = calloc(KV_SLICES_MAX + 1, sizeof(struct slice *));
    invariant(kv->by_id != NULL);
    for (uint32_t i = 0; i < store->replica_count; i++)
        here += store->replicas[i].state != RECOVERY_GONE;
    for (uint32_t i = 0; i < store->replica_count; i++) {
        const struct recovery_replica *replica = &store->replicas[i];
        struct slice *slice;
        if (kv_slice_shard(replica->slice, node->node->shard_count) != kv->shard->index) continue;
        erase_left(task, node->dir, replica);
        if (replica->state == RECOVERY_GONE) continue;
        struct slice_options options = {
            .id = replica->slice,
            .generation = replica->generation,
            .since = replica->since,
            .home = recovery_home(task->arena, node->dir, replica->slice, replica->generation),
            .cache_bytes = node->options.cache_bytes / here,
            .damaged = replica->state == RECOVERY_DAMAGED,
        };
        if (replica->state == RECOVERY_FOUNDED)
            options.config = (struct raft_config){.count = 1, .members = {{.node = node->node_id}}};
        TRY(slice_open(task, kv, &options, &slice));
        kv_slice_add(kv, slice);
    }
out:
    return st;
}

// Everything that the log holds for the slice goes to its store.
static struct status log_give_up(struct task *task, struct slice *slice)
{
    bool left;
    struct status st;
    // Without peers nobody will ever send the rest of an entry whose beginning is there, unless it is here.
    if (raft_config_voters(&slice->config) <= 1 && !raft_log_replay_left(&slice->log))
        TRY(slice_replay_void(slice));
    TRY(slice_left_save(slice, &left));
    if (left) TRY(store_checkpoint(task, slice->store));
    TRY(slice_checkpoint(task, slice));
out:
    return st;
}

// Damage in the middle: records that others were told of may be gone. Replicas with peers take part in nothing
// any more and are replaced; one without any cannot be.
static struct status log_set_aside(struct task *task, struct kv_shard *kv, struct status damage)
{
    struct status st = STATUS_OK;
    const char *dir = arena_printf(task->arena, "%s/log-%u", kv->node->dir, kv->shard->index);
    char **names;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        if (raft_config_voters(&kv->slices[i]->config) > 1) continue;
        log_error(0, "slice %llu has no other replica to be rebuilt from",
            (unsigned long long)kv->slices[i]->id);
        return damage;
    }
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        const struct recovery_replica line = {
            .slice = slice->id, .generation = slice->generation, .state = RECOVERY_DAMAGED};
        TRY(replica_line_set(task, &line, slice->generation));
        slice->log.raft.damaged = true;
    }
    log_error(0, "shard %u: %s: its %u replicas are to be rebuilt from their peers",
        kv->shard->index, damage.message, kv->slice_count);
    const char *aside = arena_printf(task->arena, "%s.damaged-%lld", dir,
        (long long)task->shard->env->wall_ns(task->shard->env));
    TRY(disk_mkdir(task, aside));
    TRY(disk_list(task, dir, &names));
    for (char **name = names; *name != NULL; name++)
        TRY(disk_rename(task, arena_printf(task->arena, "%s/%s", dir, *name),
            arena_printf(task->arena, "%s/%s", aside, *name)));
out:
    return st;
}

struct status recovery_replay(
    struct task *task, struct kv_shard *kv, bool takeover, uint32_t log_count)
{
    struct replay replay = {
        .kv = kv, .takeover = takeover, .log = kv->shard->index, .log_count = log_count};
    struct status st;
    TRY(open_slices(task, kv));
    if (!takeover) {
        st = log_open_own(task, kv, &replay);
        if (status_is(st, E_DATA_CORRUPTED) && kv->slice_count > 0) {
            TRY(log_set_aside(task, kv, st));
            TRY(log_open_own(task, kv, NULL));
        }
        TRY(st);
    } else {
        for (uint32_t i = 0; i < log_count; i++) {
            const char *dir = arena_printf(task->arena, "%s/log-%u", kv->node->dir, i);
            char **names;
            // The last start may have been cut short before it made this one.
            st = disk_list(task, dir, &names);
            if (status_is(st, E_UNDEFINED_FILE)) continue;
            TRY(st);
            replay.log = i;
            TRY(log_writer_scan(task, dir, replay_record, &replay));
        }
        st = STATUS_OK;
    }
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        TRY(slice_replay_end(kv->slices[i]));
        if (takeover) TRY(log_give_up(task, kv->slices[i]));
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
    for (uint32_t i = 0; i < kv->slice_count; i++)
        TRY(slice_start(task, kv->slices[i]));
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        if (!kv->slices[i]->leased && raft_log_leads(&kv->slices[i]->log))
            TRY(slice_await(task, kv->slices[i]));
    }
    kv->serving = true;
out:
    return st;
}
