// SPDX-License-Identifier: GPL-3.0-or-later
//
// The leader's side of rangefeeds (kv/rangefeed.h is the consumer's): what is applied to a slice is
// gathered for each feed that wants it and leaves in batches.
//
// A batch is made on the leader's shard, read on the consumer's and goes home to be freed; what is
// away is a feed's debt. While two batches are away the open one grows; at FEED_BYTES_MAX in all
// the feed is cut off.
//
// Order: an event leaves once the slice has closed its timestamp, sorted; so a multi-slice
// transaction that is resolved after younger commits still comes before them.
//
// Shard    A feed belongs to its slice's leader; struct feed_batch crosses.
// Safety   No event at or below a resolved mark follows it; no committed version is left out:
//          tests/unit/kv/test_rangefeed.c.
#pragma once
#include "kv/kv_node.h"
#include "kv/rangefeed.h"

#define FEED_BYTES_MAX (16u << 20)
#define FEED_BATCHES_AWAY 2u

struct feed_batch {
    struct shard_message message;
    struct rangefeed *to;
    uint64_t slice, feed;
    uint32_t leader_shard;
    struct arena arena; // Unaccounted; filled by the leader.
    struct rangefeed_event *events;
    uint32_t count, capacity;
    size_t bytes;
    bool unsorted;
    struct status end; // Failed: nothing follows.
    struct feed_batch *next;
};

void feed_batch_free(struct feed_batch *batch);
// Sends a message, or delivers it at once on the own shard.
void feed_message_send(struct shard *from, uint32_t target, struct shard_message *message);
// The consumer is done with a batch. Runs on its shard.
void feed_batch_home(struct shard *from, struct feed_batch *batch);

// A request to the leader; on its shard.
struct feed_open {
    struct rangefeed_options options;
    struct rangefeed *to;
    uint32_t consumer_shard;
    uint64_t feed; // Answer.
};
struct status feed_open(struct task *task, void *arg);
// Ends the feed, if there still is one. On the leader's shard.
void feed_close(struct shard *shard, uint64_t slice, uint64_t feed);

// A feed whose leader is on this node.
CHECKED struct status rangefeed_open_here(
    struct task *task, const struct rangefeed_options *options, struct rangefeed **feed);
void rangefeed_register(void); // With leader_wire_register.
// Implemented by the consumer: a batch has come.
void rangefeed_deliver(struct shard *shard, struct shard_message *message);

extern const struct kv_module feed_module;
