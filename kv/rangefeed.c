// SPDX-License-Identifier: GPL-3.0-or-later
//
// The consumer's side: a queue of batches from the leader (kv/feed.h).
//
// Closing does not wait: the leader is told by a message that comes back, and until it is back
// batches may still arrive and are dropped. The struct goes with that message.
#include "kv/rangefeed.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "kv/feed.h"
#include "kv/router.h"

struct rangefeed {
    struct shard *shard;
    uint64_t slice, feed;
    uint32_t leader_shard;
    struct feed_batch *first, *last; // Not taken yet.
    struct feed_batch *current;      // Lent to the caller of rangefeed_next.
    uint32_t queued_events;
    struct wait_queue waiting;
    struct status end;
    bool closing;
    struct shard_message close;
};

void rangefeed_deliver(struct shard *shard, struct shard_message *message)
{
    struct feed_batch *batch = container_of(message, struct feed_batch, message);
    struct rangefeed *feed = batch->to;
    (void)shard;
    if (feed->closing) {
        feed_batch_free(batch);
        return;
    }
    batch->next = NULL;
    *(feed->last == NULL ? &feed->first : &feed->last->next) = batch;
    feed->last = batch;
    feed->queued_events += batch->count;
    wait_queue_wake_all(&feed->waiting, STATUS_OK);
}

struct status rangefeed_open(
    struct task *task, const struct rangefeed_options *options, struct rangefeed **opened)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    *opened = NULL;
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    if (options->slice == 0 || options->slice > kv->node->slice_count) {
        return status_make(E_INVALID_PARAMETER_VALUE, "no such slice");
    }
    struct rangefeed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    feed->shard = task->shard;
    feed->slice = options->slice;
    feed->leader_shard = router_shard(kv, options->slice);
    wait_queue_init(&feed->waiting);
    struct feed_open open = {
        .options = *options, .to = feed, .consumer_shard = task->shard->index};
    TRY(shard_call(task, feed->leader_shard, feed_open, &open));
    feed->feed = open.feed;
    *opened = feed;
    return STATUS_OK;
out:
    free(feed);
    return st;
}

static void current_return(struct rangefeed *feed)
{
    if (feed->current == NULL) return;
    struct feed_batch *batch = feed->current;
    feed->current = NULL;
    feed_batch_home(feed->shard, batch);
}

struct status rangefeed_next(struct task *task, struct rangefeed *feed,
    const struct rangefeed_event **events, uint32_t *count)
{
    struct status st = STATUS_OK;
    *events = NULL;
    *count = 0;
    current_return(feed);
    while (feed->first == NULL) {
        if (failed(feed->end)) return feed->end;
        TRY(task_wait(task, &feed->waiting));
    }
    struct feed_batch *batch = feed->first;
    feed->first = batch->next;
    if (feed->first == NULL) feed->last = NULL;
    feed->queued_events -= batch->count;
    feed->current = batch;
    if (failed(batch->end)) {
        feed->end = batch->end;
        return feed->end;
    }
    *events = batch->events;
    *count = batch->count;
out:
    return st;
}

uint32_t rangefeed_lag(const struct rangefeed *feed)
{
    return feed->queued_events;
}

static void close_home(struct shard *shard, struct shard_message *message)
{
    (void)shard;
    free(container_of(message, struct rangefeed, close));
}

static void close_deliver(struct shard *shard, struct shard_message *message)
{
    struct rangefeed *feed = container_of(message, struct rangefeed, close);
    uint32_t home = feed->shard->index;
    feed_close(shard, feed->slice, feed->feed);
    feed->close.deliver = close_home;
    feed_message_send(shard, home, &feed->close);
}

void rangefeed_close(struct task *task, struct rangefeed *feed)
{
    (void)task;
    if (feed == NULL) return;
    feed->closing = true;
    feed_batch_free(feed->current);
    while (feed->first != NULL) {
        struct feed_batch *batch = feed->first;
        feed->first = batch->next;
        feed_batch_free(batch);
    }
    feed->close.deliver = close_deliver;
    feed_message_send(feed->shard, feed->leader_shard, &feed->close);
}
