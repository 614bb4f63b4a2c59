// SPDX-License-Identifier: GPL-3.0-or-later
//
// The flow of data into a consumer: one attempt from connecting to the primary until the cutover time is reached, the
// job is to stop, or something fails. The consumer's job (repl/consumer.c) decides what follows.
//
// Plan     One stream a slice of the primary, from the node that leads it, spread evenly over the nodes and shards of
//          this cluster (repl/flow_plan.c). Each scans what the frontier lacks of its spans, and follows from the least
//          that it has of them: a new plan, whatever has moved, needs no new scan.
// Streams  Each a task with a connection of its own (repl/partition.c), on another node by way of repl/relay.c. They
//          tell the flow's home how far they are.
// Frontier Of keys, not of streams (repl/frontier.h). Its minimum is the replicated time.
// Shard    struct consumer and struct partition belong to the home shard; struct partition_run is lent to whoever
//          runs the stream, until it ends.
#pragma once
#include "core/list.h"
#include "core/rpc.h"
#include "repl/consumer.h"
#include "repl/progress.h"
#include "repl/source.h"
#include "sql/service/jobs.h"

struct consumer;

struct partition {
    struct consumer *consumer;
    uint64_t slice, bytes_estimate;
    uint32_t home;       // Shard; with `consumer` all that others may look at.
    uint32_t node;       // Of the primary, that led the slice when the plan was made.
    const char *address; // Of it; NULL: unknown.
    struct span *spans, *missing; // The primary's keys; the second: to be scanned. In the plan's arena.
    uint32_t span_count, missing_count;
    bool scanned;
    struct hlc_timestamp from; // What it follows from.
    uint64_t bytes;            // Of the backfill, so far in this attempt.
    // The task.
    struct rpc_target target; // Where it runs.
    struct task *task;
    bool running, following;
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
    struct arena arena, plan_arena;
    struct progress progress;       // While `planned`.
    bool planned;
    struct partition *partitions; // In the plan's arena.
    uint32_t partition_count, running_count;
    struct wait_queue wake;
    bool poked;
    bool connecting;         // To the primary: a poke cuts that short.
    bool interrupted;        // It has.
    bool checked;            // The plan, once in this attempt.
    bool following;          // The attempt runs: it takes checkpoints.
    uint64_t checkpoints;    // Taken, in all attempts.
    struct pgclient *client; // The control task's.
    struct task *control;
    struct status control_status;
    char control_reason[512];
    bool advanced;                  // The frontier has moved in this attempt.
    struct hlc_timestamp frontier;  // Its minimum; zero before the backfills are complete.
    struct hlc_timestamp protected; // At this cluster, as last moved.
    struct hlc_timestamp retained;  // As last written down: what the primary may be told.
    uint64_t written_ns, heartbeat_ns, topology_ns;
    uint64_t compared_ns; // How far the nodes are.
    char error[512];
};

// Runs one attempt. OK: the record's cutover time is reached and nothing is ingested any more.
// Errors: 57014 the job is to stop; E_SOURCE_GONE when trying again is of no use; E_REPLAN another plan is needed,
// nothing is wrong; others: try again.
#define E_SOURCE_GONE SQLSTATE('K', '0', '7', '0', '1')
#define E_REPLAN SQLSTATE('K', '0', '7', '0', '2')
CHECKED struct status flow_run(struct task *task, struct consumer *consumer);

// Where the primary is, as the running consumer knows.
struct source_where flow_source(const struct consumer *consumer);

// --- plans (repl/flow_plan.c) --------------------------------------------------------------------------

CHECKED struct status flow_plan(struct task *task, struct consumer *consumer, struct pgclient *client);
void flow_plan_end(struct consumer *consumer);
// E_REPLAN when spans have moved, too many slices have other leaders, or nodes of this cluster have nothing to do.
CHECKED struct status flow_plan_check(
    struct task *task, struct consumer *consumer, struct pgclient *client);
// E_REPLAN when a node of this cluster is far behind another: other streams may do better there.
CHECKED struct status flow_plan_compare(struct task *task, const struct consumer *consumer);

// --- streams (repl/partition.c, repl/relay.c) ------------------------------------------------------------

// What a stream tells its home.
struct partition_news {
    struct hlc_timestamp resolved; // Zero: no mark.
    bool scanned;                  // The backfill is complete.
    struct bytes resume;           // Of what is to be scanned all keys below are here; data NULL: no news.
    uint64_t bytes;
};

// What a stream needs.
struct partition_run {
    struct source_where where;
    const char *address; // NULL: any node of the primary.
    int64_t stream, topology;
    uint64_t slice, source_tenant, tenant;
    struct hlc_timestamp from;
    struct bytes scan; // As crdb_internal.stream_partition takes it.
    const char *codec;
    uint64_t resolved_ms;
    uint64_t flush_interval_ns, buffer_bytes; // No batch sooner, unless it has that much.
    // Told on the shard where the stream runs; may suspend.
    struct status (*tell)(struct task *task, void *arg, const struct partition_news *news);
    void *arg;
};
// A task of the shard where the stream is to run: streams until cancelled or failed. arg: struct partition_run.
struct status partition_stream(struct task *task, void *arg);
// The same on another node.
CHECKED struct status relay_stream(
    struct task *task, struct rpc_target target, const struct partition_run *run);
void relay_register(void);

// --- metrics are listed before they first count --------------------------------------------------------

void flow_metrics_register(void);
void flow_plan_metrics_register(void);
void partition_metrics_register(void);
void cutover_metrics_register(void);
