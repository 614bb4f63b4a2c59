// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a replica's stream back: what superseded what, what is known to be committed, and what is left for
// consensus to decide.
#include <stdlib.h>

#include "core/arena.h"
#include "core/invariant.h"
#include "kv/raft_log_internal.h"

void raft_hard_encode(const struct raft_log *log, uint8_t out[RAFT_HARD_BYTES])
{
    memcpy(out, &log->raft.term, 8);
    memcpy(out + 8, &log->raft.vote, 4);
    memcpy(out + 12, &log->delivered, 8);
}

struct raft_log_replay *raft_log_replay_create(const struct raft_log *log)
{
    struct raft_log_replay *replay = calloc(1, sizeof *replay);
    invariant(replay != NULL);
    replay->config = log->raft.committed;
    return replay;
}

void raft_log_replay_destroy(struct raft_log_replay *replay)
{
    if (replay == NULL) return;
    for (uint32_t i = 0; i < replay->count; i++)
        free(replay->kept[replay->first + i].memory);
    free(replay->kept);
    free(replay->given);
    free(replay);
}

static void kept_push(
    struct raft_log_replay *replay, const struct log_record *record, log_position position)
{
    if (replay->first + replay->count == replay->capacity) {
        if (replay->first < replay->capacity / 2 || replay->capacity == 0) {
            replay->capacity = replay->capacity == 0 ? 16 : 2 * replay->capacity;
            replay->kept = realloc(replay->kept, replay->capacity * sizeof *replay->kept);
            invariant(replay->kept != NULL);
        } else {
            memmove(
                replay->kept, replay->kept + replay->first, replay->count * sizeof *replay->kept);
            replay->first = 0;
        }
    }
    struct raft_kept *kept = &replay->kept[replay->first + replay->count++];
    *kept = (struct raft_kept){.record = *record, .position = position};
    size_t size = record->payload.size;
    kept->memory = malloc(size + 1);
    invariant(kept->memory != NULL);
    if (size > 0) memcpy(kept->memory, record->payload.data, size);
    kept->record.payload = bytes_of(kept->memory, size);
}

// Kept entries from `index` on were superseded.
static void kept_cut(struct raft_log *log, uint64_t index)
{
    struct raft_log_replay *replay = log->replay;
    bool members = false;
    while (replay->count > 0) {
        struct raft_kept *last = &replay->kept[replay->first + replay->count - 1];
        if (last->record.index < index) break;
        members = members || last->record.kind == RAFT_CONFIG;
        free(last->memory);
        replay->count--;
    }
    if (!members) return;
    replay->config = log->raft.committed;
    for (uint32_t i = replay->count; i > 0; i--) {
        const struct raft_kept *kept = &replay->kept[replay->first + i - 1];
        if (kept->record.kind != RAFT_CONFIG) continue;
        bool whole = raft_config_decode(kept->record.payload, &replay->config);
        invariant(whole);
        break;
    }
}

static struct status malformed(const char *message)
{
    return status_make(E_DATA_CORRUPTED, message);
}

static bool only_self(const struct raft_log *log, const struct raft_config *config)
{
    return config->count == 1 && config->members[0].node == log->raft.self;
}

static struct status hard_take(
    struct raft_log *log, const struct log_record *record, log_position position)
{
    struct raft_log_replay *replay = log->replay;
    uint64_t commit;
    if (record->payload.size != RAFT_HARD_BYTES) return malformed("malformed hard state in a log");
    memcpy(&replay->term, record->payload.data, 8);
    memcpy(&replay->vote, record->payload.data + 8, 4);
    memcpy(&commit, record->payload.data + 12, 8);
    if (commit > replay->commit) replay->commit = commit;
    log->hard_position = position;
    replay->has_hard = true;
    return STATUS_OK;
}

struct status raft_log_replay(
    struct raft_log *log, const struct log_record *record, log_position position)
{
    struct raft_log_replay *replay = log->replay;
    struct raft_config config;
    if (record->index == 0) return hard_take(log, record, position);
    if (record->kind > RAFT_CONFIG) return malformed("unknown kind of record in a log");
    kept_cut(log, record->index);
    // In the store already; or superseded by what is, though the log names that later.
    if (record->index <= log->delivered || (replay->count == 0 && record->term < log->applied_term))
        return STATUS_OK;
    const struct raft_kept *last =
        replay->count == 0 ? NULL : &replay->kept[replay->first + replay->count - 1];
    uint64_t last_index = last == NULL ? log->delivered : last->record.index;
    if (record->index != last_index + 1) return malformed("gap in a slice's log");
    if (last != NULL && record->term < last->record.term)
        return malformed("terms fall in a slice's log");
    if (record->kind == RAFT_CONFIG) {
        if (!raft_config_decode(record->payload, &config))
            return malformed("malformed members in a log");
    } else if (replay->count == 0 && only_self(log, &replay->config)) {
        // The ordinary case: nobody else had a say. Not copied.
        replay->direct = *record;
        replay->direct_position = position;
        replay->has_direct = true;
        return STATUS_OK;
    }
    kept_push(replay, record, position);
    if (record->kind == RAFT_CONFIG) replay->config = config;
    // Without this node's vote nobody else could lead: all before is committed.
    if (only_self(log, &replay->config)) replay->commit = record->index;
    return STATUS_OK;
}

bool raft_log_replay_next(struct raft_log *log, struct log_record *record, log_position *position)
{
    struct raft_log_replay *replay = log->replay;
    free(replay->given);
    replay->given = NULL;
    if (replay->has_direct) {
        replay->has_direct = false;
        *record = replay->direct;
        *position = replay->direct_position;
    } else {
        if (replay->count == 0) return false;
        struct raft_kept *kept = &replay->kept[replay->first];
        if (kept->record.index > replay->commit) return false;
        *record = kept->record;
        *position = kept->position;
        replay->given = kept->memory;
        replay->first++;
        replay->count--;
        if (replay->count == 0) replay->first = 0;
    }
    log->delivered = log->applied_index = record->index;
    log->applied_term = record->term;
    log->applied_position = *position;
    if (record->kind == RAFT_CONFIG) {
        bool whole = raft_config_decode(record->payload, &log->raft.committed);
        invariant(whole);
        log->raft.committed.index = record->index;
        log->raft.config = log->raft.committed;
    }
    return true;
}

void raft_log_replay_applied(const struct raft_log *log, uint64_t *index, uint64_t *term)
{
    *index = log->delivered;
    *term = log->applied_term;
}

bool raft_log_replay_left(const struct raft_log *log)
{
    return log->replay->count > 0;
}

// --- what is left --------------------------------------------------------------------------------

void raft_log_left_entry(const struct log_record *record, uint8_t head[RAFT_LEFT_ENTRY_BYTES])
{
    uint32_t size = (uint32_t)record->payload.size;
    memcpy(head, &record->index, 8);
    memcpy(head + 8, &record->term, 8);
    head[16] = (uint8_t)record->kind;
    memcpy(head + 17, &size, 4);
}

void raft_log_left_encode(const struct raft_log *log, struct bytes given, struct buffer *out)
{
    const struct raft_log_replay *replay = log->replay;
    uint8_t head[RAFT_HARD_BYTES] = {0};
    if (!replay->has_hard && replay->count == 0 && given.size == 0) return;
    memcpy(head, &replay->term, 8);
    memcpy(head + 8, &replay->vote, 4);
    memcpy(head + 12, &replay->commit, 8);
    buffer_append_bytes(out, bytes_of(head, sizeof head));
    buffer_append_bytes(out, given);
    for (uint32_t i = 0; i < replay->count; i++) {
        const struct log_record *record = &replay->kept[replay->first + i].record;
        uint8_t entry[RAFT_LEFT_ENTRY_BYTES];
        raft_log_left_entry(record, entry);
        buffer_append_bytes(out, bytes_of(entry, sizeof entry));
        buffer_append_bytes(out, record->payload);
    }
}

struct status raft_log_left_decode(struct raft_log *log, struct bytes in)
{
    const struct status damaged = malformed("malformed remains of a log");
    if (in.size < RAFT_HARD_BYTES) return damaged;
    struct log_record record = {.payload = bytes_of(in.data, RAFT_HARD_BYTES)};
    struct status st = raft_log_replay(log, &record, 0);
    in = bytes_skip(in, RAFT_HARD_BYTES);
    while (!failed(st) && in.size > 0) {
        uint32_t size;
        if (in.size < RAFT_LEFT_ENTRY_BYTES) return damaged;
        record = (struct log_record){.kind = in.data[16]};
        memcpy(&record.index, in.data, 8);
        memcpy(&record.term, in.data + 8, 8);
        memcpy(&size, in.data + 17, 4);
        in = bytes_skip(in, RAFT_LEFT_ENTRY_BYTES);
        if (record.index == 0 || size > in.size) return damaged;
        record.payload = bytes_of(in.data, size);
        in = bytes_skip(in, size);
        st = raft_log_replay(log, &record, 0);
        if (log->replay->has_direct) return damaged;
    }
    return st;
}
