// SPDX-License-Identifier: GPL-3.0-or-later
//
// Consensus messages from any bytes: refused, or what is read is written again byte for byte, and a follower that gets
// it stays within its rules.
#include <stdint.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "kv/raft_transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing_sent(void *arg, const struct raft_message *message)
{
    (void)arg;
    (void)message;
}

static void nothing_dropped(void *arg, void *proposal, bool known)
{
    (void)arg;
    (void)proposal;
    (void)known;
}

static void follow(struct raft_message *message)
{
    struct raft raft;
    const struct raft_options options = {.self = 1,
        .config = {.count = 2, .members = {{.node = 1}, {.node = 2}}},
        .seed = 1,
        .io = {.send = nothing_sent, .dropped = nothing_dropped}};
    raft_init(&raft, &options);
    raft_start(&raft);
    message->to = 1;
    message->from = 2;
    for (uint32_t i = 0; i < 2; i++) {
        struct status st = raft_step(&raft, message);
        (void)st.code;
        raft_hard_durable(&raft, raft.hard_version);
        raft.handed = raft.last;
        raft_durable(&raft, raft.last, raft.last_term);
        raft_flush(&raft);
        invariant(raft.commit <= raft.last);
        if (raft.commit > raft.applied) raft_applied(&raft, raft.commit);
    }
    raft_fini(&raft);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raft_shard decoder = {0};
    struct raft_message message;
    if (raft_message_decode(&decoder, bytes_of(data, size), &message)) {
        invariant(raft_message_bytes(&message) == size);
        uint8_t *again = malloc(size);
        invariant(again != NULL);
        raft_message_encode(&message, again);
        // The fourth byte is not used.
        invariant(memcmp(again, data, 3) == 0 && memcmp(again + 4, data + 4, size - 4) == 0);
        free(again);
        follow(&message);
    }
    free(decoder.entries);
    return 0;
}
