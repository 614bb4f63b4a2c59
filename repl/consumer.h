// SPDX-License-Identifier: GPL-3.0-or-later
//
// The consumer: the job (REPLICATION STREAM INGESTION) on the standby that fills a virtual cluster from a primary, and
// its record in system.replication_consumers.
//
//   (preparing ->) initializing -> replicating -> cutting over -> promoting -> done
//         `--------------------------^   (a cutover needs a replicated time)        any -> canceled
//
// The record is the truth: the job goes on from it after a crash, and statements (repl/statements.c) talk to the job
// through it. The phase only goes forward, and each step after "cutting over" can be done again.
//
// Shard    The job runs on one shard of one node, its home; the streams run on all shards of all nodes (repl/flow.h).
//          Others see the job only through its record, and talk to it by consumer_poke and consumer_checkpoint.
// Memory   Records live in the arena given.
// Safety   The replicated time never goes back, and all data at or below it is durable here before it is written.
// Source   reference: physical cluster replication, sections 5 to 9 and 17.
#pragma once
#include "core/hlc.h"
#include "core/status.h"
#include "core/task.h"

struct session;

enum consumer_phase {
    CONSUMER_PREPARING = -1, // Failback: what lies above the start is being undone.
    CONSUMER_INITIALIZING = 0,
    CONSUMER_REPLICATING = 1,
    CONSUMER_CUTTING_OVER = 2, // The cutover time is final; what is above it is being undone.
    CONSUMER_PROMOTING = 3,    // Nothing is above it any more.
    CONSUMER_DONE = 4,
    CONSUMER_CANCELED = 5,
};

struct consumer_record {
    int64_t job;
    uint64_t tenant;
    const char *tenant_name, *source_name;
    uint64_t source_tenant;
    const char *source_cluster;
    int64_t stream;
    struct hlc_timestamp start;
    struct hlc_timestamp replicated; // Zero: the initial scan has not ended.
    struct hlc_timestamp retained;
    struct hlc_timestamp cutover; // Zero: none asked for.
    enum consumer_phase phase;
    int64_t retention_s;
    const char *error;       // Why it retries or has paused; "": nothing is wrong.
    int64_t topology;        // Of the source, when `partitions` was written.
    struct bytes partitions; // How far each span is (repl/progress.h). data NULL: as it was.
};
// *record NULL when there is none.
CHECKED struct status consumer_read(struct task *task, struct session *session, struct arena *arena,
    int64_t job, struct consumer_record **record);
CHECKED struct status consumer_insert(
    struct task *task, struct session *session, const struct consumer_record *record);
// Writes what the job alone decides: replicated, retained, phase (forward), error, topology, partitions; and reads
// the cutover time that statements set. E_JOB_TAKEN when another node runs the job now.
CHECKED struct status consumer_write(struct task *task, struct consumer_record *record);
// Moves the phase to `to` if the record still has this cutover time and a lower phase, and the job is still run here;
// *moved says whether.
CHECKED struct status consumer_move(
    struct task *task, const struct consumer_record *record, enum consumer_phase to, bool *moved);

void consumer_protection_id(int64_t job, uint8_t id[16]);

// Has the job write down how far it is, wherever it runs: from then on its record says all that there is.
CHECKED struct status consumer_checkpoint(struct task *task, int64_t job);
// Makes the job look at its record now.
CHECKED struct status consumer_poke(struct task *task, int64_t job);
void consumer_announcements_register(void);

extern const struct job_type consumer_job;
void consumer_register(void);
