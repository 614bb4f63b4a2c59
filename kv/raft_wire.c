// SPDX-License-Identifier: GPL-3.0-or-later
//
// Consensus messages as bytes: a fixed head, the note, the entries. Integers are little-endian.
#include <stdlib.h>

#include "core/invariant.h"
#include "kv/raft_transport.h"

#define HEAD_BYTES 64u
#define ENTRY_HEAD_BYTES 13u

size_t raft_message_bytes(const struct raft_message *message)
{
    size_t bytes = HEAD_BYTES + message->note_bytes;
    for (uint32_t i = 0; i < message->entry_count; i++)
        bytes += ENTRY_HEAD_BYTES + message->entries[i].body.size;
    return bytes;
}

void raft_message_encode(const struct raft_message *message, uint8_t *out)
{
    out[0] = (uint8_t)message->kind;
    out[1] = (uint8_t)message->flags;
    out[2] = message->note_bytes;
    out[3] = 0;
    memcpy(out + 4, &message->from, 4);
    memcpy(out + 8, &message->to, 4);
    memcpy(out + 12, &message->entry_count, 4);
    memcpy(out + 16, &message->term, 8);
    memcpy(out + 24, &message->index, 8);
    memcpy(out + 32, &message->log_term, 8);
    memcpy(out + 40, &message->commit, 8);
    memcpy(out + 48, &message->kept, 8);
    memcpy(out + 56, &message->round, 8);
    out += HEAD_BYTES;
    memcpy(out, message->note, message->note_bytes);
    out += message->note_bytes;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        uint32_t size = (uint32_t)entry->body.size;
        memcpy(out, &entry->term, 8);
        out[8] = (uint8_t)entry->kind;
        memcpy(out + 9, &size, 4);
        out += ENTRY_HEAD_BYTES;
        if (size > 0) memcpy(out, entry->body.data, size);
        out += size;
    }
}

static bool entries_decode(struct raft_shard *raft_shard, struct bytes in, uint32_t count)
{
    if (count > in.size / ENTRY_HEAD_BYTES) return false;
    if (count > raft_shard->entry_capacity) {
        free(raft_shard->entries);
        raft_shard->entries = calloc(count, sizeof *raft_shard->entries);
        invariant(raft_shard->entries != NULL);
        raft_shard->entry_capacity = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry *entry = &raft_shard->entries[i];
        uint32_t size;
        if (in.size < ENTRY_HEAD_BYTES) return false;
        *entry = (struct raft_entry){0};
        memcpy(&entry->term, in.data, 8);
        if (in.data[8] > RAFT_CONFIG) return false;
        entry->kind = (enum raft_entry_kind)in.data[8];
        memcpy(&size, in.data + 9, 4);
        in = bytes_skip(in, ENTRY_HEAD_BYTES);
        if (size > in.size) return false;
        entry->body = bytes_of(size > 0 ? in.data : NULL, size);
        in = bytes_skip(in, size);
    }
    return in.size == 0;
}

bool raft_message_decode(
    struct raft_shard *raft_shard, struct bytes in, struct raft_message *message)
{
    if (in.size < HEAD_BYTES || in.data[0] >= RAFT_MESSAGE_KIND_END ||
        in.data[2] > RAFT_NOTE_BYTES || in.size < HEAD_BYTES + (size_t)in.data[2])
        return false;
    *message = (struct raft_message){
        .kind = (enum raft_message_kind)in.data[0], .flags = in.data[1], .note_bytes = in.data[2]};
    memcpy(&message->from, in.data + 4, 4);
    memcpy(&message->to, in.data + 8, 4);
    memcpy(&message->entry_count, in.data + 12, 4);
    memcpy(&message->term, in.data + 16, 8);
    memcpy(&message->index, in.data + 24, 8);
    memcpy(&message->log_term, in.data + 32, 8);
    memcpy(&message->commit, in.data + 40, 8);
    memcpy(&message->kept, in.data + 48, 8);
    memcpy(&message->round, in.data + 56, 8);
    memcpy(message->note, in.data + HEAD_BYTES, message->note_bytes);
    if (!entries_decode(raft_shard, bytes_skip(in, HEAD_BYTES + (size_t)message->note_bytes),
            message->entry_count))
        return false;
    message->entries = raft_shard->entries;
    return true;
}
