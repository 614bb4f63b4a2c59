// SPDX-License-Identifier: GPL-3.0-or-later
//
// Snapshots: a leader streams its store's last checkpoint to a replica that is behind what the log keeps. It is
// received into the home of the replica's next generation and then takes the place of its store.
//
// The stream (kind bulk), opened by the leader:
//     request  slice, attempt, index, files: name and size of each
//     <-       for each file how much of it is there from an earlier stream of the same attempt
//     ->       pieces: file, offset, bytes; last of all a checksum of each file
//     <-       the applied index of the replica from now on
//
// The receiver reads back what it has written and holds it against the checksums before it gives up anything. The new
// home is in the store's list (kv/recovery.h) before the old one is erased: a crash finds either.
//
// Shard    The slice's owner.
// Memory   One piece on each side.
// Errors   A failed one is tried again by the leader, from where it stopped, then left to consensus to ask for.
// Checked  tests/sim: worlds in which every slice is replicated.
#pragma once
#include "kv/slice.h"

#define SNAPSHOT_PIECE_BYTES (256u << 10)
#define SNAPSHOT_SENDING_MAX 2u // At once, of one shard.

// Not in a task; answers with raft_log_snapshot_sent.
void snapshot_send(struct slice *slice, uint32_t node);
void snapshot_register(void);
