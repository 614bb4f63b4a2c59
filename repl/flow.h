// SPDX-License-Identifier: GPL-3.0-or-later
//
// The flow of data into a consumer: one attempt from connecting to the primary until the cutover time is reached, the
// job is to stop, or something fails. The consumer's job (repl/consumer.c) decides what follows.
//
// Streams  One a slice of the primary, each a task with a connection of its own (repl/partition.c), spread over the
//          shards of this node. They tell the flow's home how far they are by calls to it.
// Frontier The minimum of what the streams have resolved, once all backfills are complete: the replicated time.
// Shard    struct consumer and struct partition belong to the home shard; struct partition_run is lent to the shard
//          where the stream runs, until it ends.
#pragma once
#include "core/list.h"
#include "repl/consumer.h"
#include "repl/source.h"
#include "sql/jobs.h"

struct consumer;

struct partition {
    struct consumer *consumer;
    uint64_t slice, bytes_estimate;
    bool scanned;
    struct hlc_timestamp frontier;
    uint8_t *resume; // malloc'ed.
    size_t resume_size, resume_capacity;
    uint64_t bytes; // Of the backfill, so far in this attempt.
    // The task.
    uint32_t target; // Shard.
    struct task *task;
    bool running;
    struct status status; // How it ended: the message is in `reason`.
    char reason[512];
    uint64_t heard_ns; // When it last told something.
};

// A job while it runs.
struct consumer {
    struct list_link link; // Of the home shard's running consumers.
    struct shard *shard;
    struct job *job;
    const char *uri;
    struct consumer_record *record; // In `arena`.
    struct arena arena;
    struct partition *partitions; // malloc'ed.
    uint32_t partition_count, running_count;
    struct wait_queue wake;
    bool poked;
    bool connecting;         // To the primary: a poke cuts that short.
    bool interrupted;        // It has.
    struct pgclient *client; // The control task's.
    struct task *control;
    struct status control_status;
    char control_reason[512];
    bool advanced;                  // The replicated time has moved in this attempt.
    struct hlc_timestamp frontier;  // Of all; zero before the backfills are complete.
    struct hlc_timestamp protected; // At this node, as last moved.
    uint64_t written_ns, heartbeat_ns, topology_ns;
    char error[512];
};

// Runs one attempt. OK: the record's cutover time is reached and nothing is ingested any more.
// Errors: 57014 the job is to stop; E_SOURCE_GONE when trying again is of no use; others: try again.
#define E_SOURCE_GONE SQLSTATE('K', '0', '7', '0', '1')
CHECKED struct status flow_run(struct task *task, struct consumer *consumer);

// --- streams (repl/partition.c) ------------------------------------------------------------------------

// What a stream needs, lent to the shard it runs on.
struct partition_run {
    struct partition *partition; // To be touched on the home shard only.
    uint32_t home;
    const char *uri;
    int64_t stream, topology;
    uint64_t slice, source_tenant, tenant;
    struct hlc_timestamp from;
    bool scan;
    struct bytes resume;
    const char *codec;
    uint64_t resolved_ms;
};
// A task of the target shard: streams until cancelled or failed.
struct status partition_stream(struct task *task, void *run);

// What a stream tells its home.
struct partition_news {
    struct partition *partition;
    struct hlc_timestamp resolved; // Zero: no mark.
    bool scanned;                  // The backfill is complete.
    struct bytes resume;           // data NULL: no news.
    uint64_t bytes;
};
// On the home shard. Does not suspend.
void flow_news(struct task *task, const struct partition_news *news);
