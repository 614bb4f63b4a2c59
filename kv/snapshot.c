// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/snapshot.h"

#include <stdlib.h>

#include "core/codec.h"
#include "core/crypto.h"
#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/maintenance.h"
#include "kv/move_side.h"
#include "kv/range_record.h"
#include "kv/recovery.h"
#include "kv/replica.h"
#include "kv/slice_internal.h"

#define METHOD_SNAPSHOT (RPC_REPLICA + 16)
#define FILES_MAX 64u
#define FILE_NAME_BYTES 64u
#define STREAMS_MAX 5u // Attempts with the same backup.
#define AGAIN_NS UINT64_C(500000000)
#define SLOW_INSTALL_NS UINT64_C(50000000) // Simulated: entries go on being committed meanwhile.
#define ATTEMPT_NAME "ATTEMPT"

// --- sending -----------------------------------------------------------------------------------------------

struct sending {
    struct slice *slice;
    uint32_t node;
    uint64_t term; // Of the leader that was asked for it.
    uint64_t attempt;
    uint64_t index; // Applied index of the copy.
    struct store_backup *backup;
    uint64_t *resume; // Per file.
    uint32_t *crc;
    uint8_t *piece;
};

// The last checkpoint, made now when there is something new.
static struct status backup_open(struct task *task, struct sending *sending)
{
    struct slice *slice = sending->slice;
    struct status st;
    TRY(slice_checkpoint(task, slice));
    while (slice->checkpointing)
        TRY(task_wait(task, &slice->idle_waiters));
    // No other checkpoint may come in between: the index is the copy's.
    slice->checkpointing = true;
    if (slice->checkpoint_index == 0) st = store_checkpoint(task, slice->store);
    sending->index = slice->checkpoint_index;
    if (!failed(st)) st = store_backup_begin(task, slice->store, &sending->backup);
    slice->checkpointing = false;
    wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
    TRY(st);
    if (sending->backup->count > FILES_MAX)
        return status_make(E_INTERNAL, "a store has too many files");
    sending->resume = calloc(sending->backup->count, sizeof *sending->resume);
    sending->crc = calloc(sending->backup->count, sizeof *sending->crc);
    invariant(sending->resume != NULL && sending->crc != NULL);
out:
    return st;
}

static struct status stream_open(
    struct task *task, const struct sending *sending, struct rpc_stream **stream)
{
    struct buffer body;
    uint32_t shard;
    if (!cluster_slice_shard(task->shard, sending->node, sending->slice->id, &shard))
        return status_make(K_UNREACHABLE, "the node is not known");
    buffer_init(&body, task->arena);
    codec_put_u64(&body, sending->slice->id);
    codec_put_u64(&body, sending->attempt);
    codec_put_u64(&body, sending->index);
    codec_put_u64(&body, sending->backup->count);
    for (uint32_t i = 0; i < sending->backup->count; i++) {
        codec_put_bytes(&body, bytes_of_string(sending->backup->files[i].name));
        codec_put_u64(&body, sending->backup->files[i].bytes);
    }
    return rpc_stream_open(task,
        &(struct rpc_stream_options){.target = {.node = sending->node, .shard = shard},
            .method = METHOD_SNAPSHOT,
            .body = buffer_bytes(&body)},
        stream);
}

// The checksum is of the whole file: what the other side has already is read, and not sent.
static struct status file_send(
    struct task *task, struct sending *sending, struct rpc_stream *stream, uint32_t file)
{
    struct status st = STATUS_OK;
    uint64_t bytes = sending->backup->files[file].bytes;
    sending->crc[file] = 0;
    for (uint64_t offset = 0; offset < bytes;) {
        struct arena_mark mark = arena_mark(task->arena);
        size_t read;
        TRY(store_backup_read(task, sending->backup, file, offset, sending->piece,
            SNAPSHOT_PIECE_BYTES, &read));
        if (read == 0) TRY(status_make(E_IO_ERROR, "a file of a backup is shorter than it was"));
        sending->crc[file] = crypto_crc32c(sending->crc[file], sending->piece, read);
        if (offset + read > sending->resume[file]) {
            struct buffer body;
            buffer_init(&body, task->arena);
            codec_put_u64(&body, file);
            codec_put_u64(&body, offset);
            codec_put_bytes(&body, bytes_of(sending->piece, read));
            TRY(rpc_stream_send(task, stream, buffer_bytes(&body)));
        }
        offset += read;
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static struct status stream_run(
    struct task *task, struct sending *sending, struct rpc_stream *stream, uint64_t *applied)
{
    struct status st;
    struct bytes body;
    struct buffer end;
    TRY(rpc_stream_next(task, stream, task->arena, &body));
    struct codec_reader in = codec_read(body);
    for (uint32_t i = 0; i < sending->backup->count; i++)
        sending->resume[i] = codec_get_u64(&in);
    if (in.bad) return replica_malformed();
    for (uint32_t i = 0; i < sending->backup->count; i++)
        TRY(file_send(task, sending, stream, i));
    buffer_init(&end, task->arena);
    codec_put_u64(&end, UINT64_MAX);
    for (uint32_t i = 0; i < sending->backup->count; i++)
        codec_put_u64(&end, sending->crc[i]);
    TRY(rpc_stream_send(task, stream, buffer_bytes(&end)));
    TRY(rpc_stream_next(task, stream, task->arena, &body));
    in = codec_read(body);
    *applied = codec_get_u64(&in);
    if (in.bad) return replica_malformed();
out:
    return st;
}

static struct status send_once(struct task *task, struct sending *sending, uint64_t *applied)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct rpc_stream *stream = NULL;
    struct status st = stream_open(task, sending, &stream);
    if (!failed(st)) {
        st = stream_run(task, sending, stream, applied);
        rpc_stream_close(stream);
    }
    if (failed(st)) {
        log_warning(0, "slice %llu: snapshot to node %u: %s",
            (unsigned long long)sending->slice->id, sending->node, st.message);
        st.message = "snapshot failed"; // It may lie in the arena.
        st.reported = 0;
    }
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

// Consensus still waits for it: from the first moment of a leader's term, which is before it may serve.
static bool is_waited_for(const struct sending *sending)
{
    const struct raft *raft = &sending->slice->log.raft;
    return sending->slice->running && raft->role == RAFT_LEADER && raft->term == sending->term;
}

static struct status send_task(struct task *task, void *arg)
{
    struct sending *sending = arg;
    struct slice *slice = sending->slice;
    struct kv_shard *kv = slice->kv;
    struct status st;
    uint64_t applied = 0;
    while (kv->sending >= SNAPSHOT_SENDING_MAX)
        TRY(task_sleep(task, AGAIN_NS / 5));
    kv->sending++;
    st = backup_open(task, sending);
    for (uint32_t i = 0; !failed(st) && i < STREAMS_MAX; i++) {
        st = send_once(task, sending, &applied);
        if (!failed(st) || !is_waited_for(sending)) break;
        if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) break;
        if (i + 1 < STREAMS_MAX) st = task_sleep(task, AGAIN_NS);
    }
    kv->sending--;
    if (!failed(st))
        log_info(0, "slice %llu: node %u has a snapshot up to %llu", (unsigned long long)slice->id,
            sending->node, (unsigned long long)applied);
out:
    if (is_waited_for(sending)) {
        if (failed(st) && !raft_log_leads(&slice->log)) covered("snapshot.failed_before_leading");
        raft_log_snapshot_sent(&slice->log, sending->node, applied, !failed(st));
    }
    if (sending->backup != NULL) store_backup_end(task, sending->backup);
    free(sending->resume);
    free(sending->crc);
    free(sending->piece);
    free(sending);
    slice_let_go(slice);
    return st;
}

void snapshot_send(struct slice *slice, uint32_t node)
{
    struct sending *sending = calloc(1, sizeof *sending);
    invariant(sending != NULL);
    sending->piece = malloc(SNAPSHOT_PIECE_BYTES);
    invariant(sending->piece != NULL);
    sending->slice = slice;
    sending->node = node;
    sending->term = slice->log.raft.term;
    sending->attempt = slice->shard->env->random(slice->shard->env);
    slice_hold(slice);
    struct status st =
        slice_task_start_with(slice, send_task, sending, "slice snapshot", TASK_BULK);
    if (!failed(st)) return;
    slice_let_go(slice);
    free(sending->piece);
    free(sending);
    raft_log_snapshot_sent(&slice->log, node, 0, false);
}

// --- receiving ---------------------------------------------------------------------------------------------

struct incoming_file {
    char name[FILE_NAME_BYTES];
    uint64_t bytes, have;
};
struct incoming {
    struct slice *slice;
    const char *home;
    uint64_t attempt, index;
    uint32_t count;
    struct incoming_file *files;
    struct disk_file file; // Open on files[open].
    uint32_t open;
    uint8_t *piece;
};

static bool name_is_plain(struct bytes name)
{
    if (name.size == 0 || name.size >= FILE_NAME_BYTES || name.data[0] == '.') return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '_' || c == '-';
        if (!plain) return false;
    }
    return !bytes_equal(name, BYTES_LITERAL(ATTEMPT_NAME));
}

static struct status incoming_parse(
    struct task *task, struct incoming *incoming, struct bytes body, uint64_t *slice)
{
    struct codec_reader in = codec_read(body);
    *slice = codec_get_u64(&in);
    incoming->attempt = codec_get_u64(&in);
    incoming->index = codec_get_u64(&in);
    const uint64_t count = codec_get_u64(&in);
    if (in.bad || count == 0 || count > FILES_MAX) return replica_malformed();
    incoming->count = (uint32_t)count;
    incoming->files = ARENA_ARRAY(task->arena, struct incoming_file, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct bytes name = codec_get_bytes(&in);
        incoming->files[i] = (struct incoming_file){.bytes = codec_get_u64(&in)};
        if (in.bad || !name_is_plain(name)) return replica_malformed();
        memcpy(incoming->files[i].name, name.data, name.size);
    }
    return codec_done(&in) ? STATUS_OK : replica_malformed();
}

// What an earlier stream of the same attempt has left is kept; anything else goes.
static struct status home_prepare(struct task *task, struct incoming *incoming)
{
    const char *path = arena_printf(task->arena, "%s/" ATTEMPT_NAME, incoming->home);
    struct bytes before;
    struct status st;
    TRY(disk_mkdir(task, incoming->home));
    st = disk_read_file(task, path, 8, &before);
    if (!failed(st) && before.size == 8 && memcmp(before.data, &incoming->attempt, 8) == 0) {
        for (uint32_t i = 0; i < incoming->count; i++) {
            struct disk_file file = {.handle = -1};
            const char *name =
                arena_printf(task->arena, "%s/%s", incoming->home, incoming->files[i].name);
            st = disk_open(task, name, DISK_READ_ONLY, &file);
            if (status_is(st, E_UNDEFINED_FILE)) continue;
            TRY(st);
            st = disk_size(task, &file, &incoming->files[i].have);
            TRY(disk_close(task, &file));
            TRY(st);
            // Whole pieces: the last one may have been cut short.
            incoming->files[i].have -= incoming->files[i].have % SNAPSHOT_PIECE_BYTES;
        }
        return STATUS_OK;
    }
    TRY(replica_home_erase(task, incoming->home));
    TRY(disk_write_file(task, path, bytes_of(&incoming->attempt, 8)));
out:
    return st;
}

static struct status file_switch(struct task *task, struct incoming *incoming, uint32_t file)
{
    struct status st = STATUS_OK;
    if (incoming->file.handle >= 0) {
        if (incoming->open == file) return STATUS_OK;
        TRY(disk_sync(task, &incoming->file));
        TRY(disk_close(task, &incoming->file));
    }
    if (file == UINT32_MAX) return STATUS_OK;
    const char *path =
        arena_printf(task->arena, "%s/%s", incoming->home, incoming->files[file].name);
    TRY(disk_open(task, path, DISK_CREATE, &incoming->file));
    incoming->open = file;
out:
    return st;
}

static struct status no_room(void)
{
    return status_make(E_DISK_FULL, "no room on the disk for a snapshot");
}

// Stores do not survive a full disk, and this one is not alone on it: what would fill it is not begun.
static bool has_room(const struct kv_shard *kv, const struct incoming *incoming)
{
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < incoming->count; i++)
        wanted += incoming->files[i].bytes - incoming->files[i].have;
    const uint64_t left = kv->disk_free_bytes > wanted ? kv->disk_free_bytes - wanted : 0;
    return kv->disk_bytes == 0 || (!kv->disk_full && !maintenance_room_short(kv->disk_bytes, left));
}

static struct status piece_take(struct task *task, struct incoming *incoming,
    struct codec_reader *in, uint32_t file)
{
    const uint64_t offset = codec_get_u64(in);
    const struct bytes data = codec_get_bytes(in);
    struct status st;
    if (file >= incoming->count || !codec_done(in)) return replica_malformed();
    struct incoming_file *into = &incoming->files[file];
    if (incoming->slice->kv->disk_full) return no_room();
    if (offset != into->have || data.size > into->bytes - offset) return replica_malformed();
    TRY(file_switch(task, incoming, file));
    TRY(disk_write(task, &incoming->file, offset, data.data, data.size, 0));
    into->have += data.size;
out:
    return st;
}

// Reads back what was written.
static struct status file_check(
    struct task *task, struct incoming *incoming, uint32_t file, uint64_t expected)
{
    uint32_t crc = 0;
    uint64_t offset = 0;
    size_t read = 0;
    struct status st;
    TRY(file_switch(task, incoming, file));
    do {
        TRY(disk_read(
            task, &incoming->file, offset, incoming->piece, SNAPSHOT_PIECE_BYTES, &read));
        crc = crypto_crc32c(crc, incoming->piece, read);
        offset += read;
        TRY(task_yield_if_due(task));
    } while (read > 0);
    if (offset != incoming->files[file].bytes || crc != expected)
        st = status_make(E_DATA_CORRUPTED, "a file of a snapshot is damaged");
out:
    return st;
}

static struct status pieces_take(
    struct task *task, struct incoming *incoming, struct rpc_stream *stream)
{
    struct status st;
    for (;;) {
        struct arena_mark mark = arena_mark(task->arena);
        struct bytes body;
        TRY(rpc_stream_next(task, stream, task->arena, &body));
        struct codec_reader in = codec_read(body);
        const uint64_t file = codec_get_u64(&in);
        if (in.bad) return replica_malformed();
        if (file == UINT64_MAX) {
            for (uint32_t i = 0; i < incoming->count; i++) {
                const uint64_t crc = codec_get_u64(&in);
                if (in.bad) return replica_malformed();
                TRY(file_check(task, incoming, i, crc));
            }
            TRY(file_switch(task, incoming, UINT32_MAX));
            return STATUS_OK;
        }
        TRY(piece_take(task, incoming, &in, file > UINT32_MAX ? UINT32_MAX : (uint32_t)file));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

// --- installing --------------------------------------------------------------------------------------------

// The new store takes the old one's place. Nothing suspends: everybody sees the one or the other.
static struct status store_swap(struct slice *slice, struct store *store, const struct slice_mark *mark)
{
    struct status st;
    // What is after the snapshot, too: the log hands it out once more, from there.
    slice_committed_drop(slice);
    slice->store = store;
    mvcc_fini(&slice->mvcc);
    mvcc_init(&slice->mvcc, store);
    slice_memory_drop(slice);
    slice->closed_next = slice->closed_last = HLC_ZERO;
    slice->closed_next_index = slice->closed_last_index = 0;
    TRY(slice_memory_load(slice));
    // A slice that is not ready yet loads them when it is.
    if (slice->ranges != NULL) {
        TRY(range_record_load(slice));
        TRY(move_side_load(slice));
    }
    slice->checkpoint_index = mark->index;
    slice->checkpoint_position = 0;
    slice->bytes_since_checkpoint = 0;
    TRY(raft_log_installed(&slice->log, mark->index, mark->term, &mark->config));
out:
    return st;
}

static struct status install_held(struct task *task, struct incoming *incoming, uint64_t *applied)
{
    struct slice *slice = incoming->slice;
    struct kv_node *node = slice->kv->node;
    struct store *store = NULL, *old = slice->store;
    struct slice_mark mark;
    bool stands = false;
    struct status st;
    const struct store_options options = {.home = incoming->home,
        .cache_bytes = node->options.cache_bytes / node->node->shard_count /
                       (slice->kv->slice_count + 1)};
    struct recovery_replica line = {.slice = slice->id,
        .generation = slice->generation + 1,
        .state = RECOVERY_HERE,
        .since = slice->since};
    TRY(slice_store_open(task, slice->kv, &options, &store));
    TRY(slice_mark_read(store, &mark));
    if (SIM_MAYBE("snapshot.slow_install")) TRY(task_sleep(task, SLOW_INSTALL_NS));
    if (mark.index < incoming->index || mark.config.count == 0)
        TRY(status_make(E_DATA_CORRUPTED, "a snapshot is not what it was announced as"));
    if (mark.index <= slice->applied_index)
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica is not behind the snapshot"));
    if (slice->role != SLICE_FOLLOWER || !slice->running)
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica does not follow"));
    // It may take long until the line is written, and by then it must not lead what it throws away.
    raft_stand(&slice->log.raft, true);
    stands = true;
    if (SIM_MAYBE("snapshot.slow_line")) TRY(task_sleep(task, SLOW_INSTALL_NS));
    TRY(replica_line_set(task, &line, slice->generation));
    invariant(slice->role == SLICE_FOLLOWER);
    const char *home = recovery_home(task->arena, node->dir, slice->id, slice->generation);
    slice->generation = line.generation;
    st = store_swap(slice, store, &mark);
    store = NULL;
    raft_stand(&slice->log.raft, false);
    stands = false;
    if (failed(st)) slice_fail(slice, st, "taking over a snapshot");
    *applied = slice->applied_index;
    struct status closed = store_close(task, old);
    if (!failed(closed)) closed = replica_home_erase(task, home);
    if (failed(closed))
        log_warning(0, "slice %llu: the store before a snapshot could not be erased: %s",
            (unsigned long long)slice->id, closed.message);
out:
    if (stands) raft_stand(&slice->log.raft, false);
    if (store != NULL) {
        struct status dropped = store_close(task, store);
        (void)dropped.code;
    }
    return st;
}

static struct status install(struct task *task, struct incoming *incoming, uint64_t *applied)
{
    struct slice *slice = incoming->slice;
    struct status st = STATUS_OK;
    // Readers are turned away, and those that are there leave; this task holds it, too.
    slice->installing = true;
    slice_apply_hold(task, slice);
    while (slice->holders > 1 || slice->checkpointing)
        TRY(task_wait(task, &slice->idle_waiters));
    // The slice is not closed meanwhile: what is in place of its store by then has to be in its memory.
    if (!slice->running) TRY(status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
    slice->own_tasks++;
    st = install_held(task, incoming, applied);
    slice->own_tasks--;
    wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
out:
    slice->installing = false;
    slice_apply_release(slice);
    if (!failed(st))
        log_info(0, "slice %llu: taken over a snapshot up to %llu", (unsigned long long)slice->id,
            (unsigned long long)*applied);
    return st;
}

static struct status receive(
    struct task *task, struct incoming *incoming, struct rpc_stream *stream)
{
    struct buffer out;
    uint64_t applied = 0;
    struct status st;
    TRY(home_prepare(task, incoming));
    if (!has_room(incoming->slice->kv, incoming)) TRY(no_room());
    buffer_init(&out, task->arena);
    for (uint32_t i = 0; i < incoming->count; i++)
        codec_put_u64(&out, incoming->files[i].have);
    TRY(rpc_stream_send(task, stream, buffer_bytes(&out)));
    TRY(pieces_take(task, incoming, stream));
    TRY(disk_unlink(
        task, arena_printf(task->arena, "%s/" ATTEMPT_NAME, incoming->home)));
    TRY(install(task, incoming, &applied));
    buffer_init(&out, task->arena);
    codec_put_u64(&out, applied);
    TRY(rpc_stream_send(task, stream, buffer_bytes(&out)));
out:
    return st;
}

static struct status serve_snapshot(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    struct incoming incoming = {.file = {.handle = -1}};
    struct kv_shard *kv = kv_shard_of(task->shard);
    uint64_t id;
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    struct status st = incoming_parse(task, &incoming, request->body, &id);
    if (failed(st)) return st;
    struct slice *slice = kv_slice_find(kv, id);
    if (slice == NULL || !slice->running)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "there is no such replica");
    if (slice->receiving)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "another snapshot is on its way");
    if (slice->role != SLICE_FOLLOWER || incoming.index <= slice->applied_index)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica needs no such snapshot");
    incoming.slice = slice;
    incoming.home = recovery_home(task->arena, kv->node->dir, id, slice->generation + 1);
    incoming.piece = malloc(SNAPSHOT_PIECE_BYTES);
    invariant(incoming.piece != NULL);
    slice->receiving = true;
    slice->receiver = task;
    slice_hold(slice);
    st = receive(task, &incoming, stream);
    if (incoming.file.handle >= 0 && failed(disk_close(task, &incoming.file)))
        log_warning(0, "slice %llu: a file of a snapshot could not be closed",
            (unsigned long long)id);
    // What is there of it is worth less than the room.
    if (status_is(st, E_DISK_FULL) && failed(replica_home_erase(task, incoming.home)))
        log_warning(0, "slice %llu: the beginning of a snapshot could not be erased", (unsigned long long)id);
    slice->receiving = false;
    slice->receiver = NULL;
    slice_let_go(slice);
    free(incoming.piece);
    return st;
}

static const struct rpc_method snapshot_method = {
    .id = METHOD_SNAPSHOT,
    .name = "replica.snapshot",
    .class = TASK_BULK,
    .bulk = true,
    .stream = serve_snapshot,
};

void snapshot_register(void)
{
    rpc_method_register(&snapshot_method);
}
