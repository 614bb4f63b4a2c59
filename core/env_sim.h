// SPDX-License-Identifier: GPL-3.0-or-later
//
// The simulated environment: many nodes with their shards in one thread, from one 64-bit seed. Same
// seed, same program: same run, to the last event. Time is virtual and jumps to the next event; the
// seed chooses latencies, the order of ready shards and tasks, and what a crash leaves of a disk.
//
// A driver (tests/sim) creates a sim, starts nodes with an init task each, runs until something
// holds, and crashes, partitions or stops nodes in between. All functions here are the driver's:
// they are not called from inside a node's tasks, except sim_note, sim_random_* and sim_now_ns.
//
// Disk     A file's content as written and as durable; sync, DISK_DSYNC and changes of names make
//          durable. At a crash any subset of the unsynced sectors survives, one may be half, and an
//          operation in flight may or may not have happened. Synced sectors always survive.
// Network  Ordered, loss-free streams, cut into random pieces; latency, partitions, resets.
// Time     Virtual nanoseconds since the sim began; a node's monotonic clock has an offset of its
//          own.
// Memory   A crash frees the node's shards, fibers and arenas; what its code has malloc'ed is lost
//          to the process, so drivers fork a process for a seed.
// Source   SIMULATION of FoundationDB and TigerBeetle; the plan is in the project's design notes.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/shard.h"

struct sim;
struct sim_node;

// --- randomness ----------------------------------------------------------------------------------

// A stream split from a seed by name, so that a draw in one place does not shift all others.
struct sim_random {
    uint64_t state;
};
struct sim_random sim_random_named(uint64_t seed, const char *name);
uint64_t sim_random_next(struct sim_random *random);
uint64_t sim_random_below(struct sim_random *random, uint64_t bound);                // [0, bound)
uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high); // [low, high]
bool sim_random_chance(struct sim_random *random, uint32_t per_million);

// --- the world -----------------------------------------------------------------------------------

struct sim_options {
    uint64_t disk_latency_min_ns, disk_latency_max_ns; // 0: 20 us, 2 ms
    uint32_t disk_slow_per_million;                    // Operations that take up to 200 ms.
    uint32_t disk_sector_bytes;                        // What tears: 512 or 4096; 0: the seed says.
    uint64_t net_latency_min_ns, net_latency_max_ns;   // 0: 50 us, 5 ms
    uint64_t message_delay_max_ns;                     // Between shards; 0: 50 us
    bool bend;                                         // SIM_MAYBE fires (core/mark.h).
    uint64_t trace;                                    // Areas that are told of on standard error (core/env_sim_trace.h).
    uint64_t until_ns;                                 // The process ends there; 0: never.
    // Is told of all bytes that arrive on another machine than the one that sent them (numbers of sim_node_add), in
    // the order of their connection; up to SIM_WATCH_AGAIN bytes are those that it was told of before. May be NULL.
    void (*watch)(void *arg, uint32_t from, uint32_t to, const uint8_t *data, size_t size);
    void *watch_arg;
};
#define SIM_WATCH_AGAIN 64u

// `options` may be NULL.
struct sim *sim_create(uint64_t seed, const struct sim_options *options);
void sim_destroy(struct sim *sim);
uint64_t sim_seed(const struct sim *sim);
uint64_t sim_now_ns(const struct sim *sim);
// Of every event so far, in order: equal for equal runs.
uint64_t sim_digest(const struct sim *sim);
// Folds something a checker saw into the digest.
void sim_note(struct sim *sim, uint64_t value);

// --- nodes ---------------------------------------------------------------------------------------

// A machine with a disk and the address "10.0.0.<id>", switched off. Its folder "/data" exists.
struct sim_node *sim_node_add(struct sim *sim, uint32_t id);
// What runs on it is bent by no SIM_MAYBE, and reaches no mark: an oracle.
void sim_node_straight(struct sim_node *sim_node);
struct sim_node *sim_node_by_id(struct sim *sim, uint32_t id);
// Starts the program on it: `init` runs as a task on shard 0. `options->id` is the machine's.
void sim_node_start(
    struct sim_node *sim_node, const struct node_options *options, task_fn init, void *arg);
// Starts a task on a running node from outside, as sim_node_start does with init.
void sim_task_start(struct sim_node *sim_node, uint32_t shard, const struct task_options *options);
// NULL while it is down.
struct node *sim_node_running(struct sim_node *sim_node);
bool sim_node_stopping(const struct sim_node *sim_node);
// Operations whose completion is still to come: a stopping node waits for them.
uint32_t sim_node_in_flight(const struct sim_node *sim_node);
const char *sim_node_address(const struct sim_node *sim_node); // "10.0.0.1"
// Kill -9 and power loss in one: everything but the disk is gone, at once.
void sim_node_crash(struct sim_node *sim_node);
// Kill -9 alone: what was written stays in the page cache.
void sim_node_kill(struct sim_node *sim_node);
// Graceful: as node_stop. Run on until sim_node_running is NULL.
void sim_node_stop(struct sim_node *sim_node);
// What init returned, once it has failed or the node is down. The message is the sim's.
struct status sim_node_status(const struct sim_node *sim_node);
// Whether a crash that was planned (below) has happened since the last start.
bool sim_node_crashed(const struct sim_node *sim_node);
uint32_t sim_node_id(const struct sim_node *sim_node);

void sim_clock_offset_set(struct sim_node *sim_node, int64_t wall_offset_ns);
// How much faster its wall clock runs than true time, in millionths.
void sim_clock_drift_set(struct sim_node *sim_node, int64_t per_million);
// Its wall clock against true time, now.
int64_t sim_clock_error_ns(const struct sim_node *sim_node);
// SIGSTOP for so long: nothing of it runs, the world goes on.
void sim_node_pause(struct sim_node *sim_node, uint64_t for_ns);
bool sim_node_paused(const struct sim_node *sim_node);

// --- running -------------------------------------------------------------------------------------

// One event or one turn of a shard. False when nothing will ever happen again.
bool sim_step(struct sim *sim);
// Steps until done(arg) holds (checked after each), until `for_ns` of virtual time have passed, or
// until nothing is left to do. Returns whether it holds. NULL `done`: only the time ends it.
bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg, uint64_t for_ns);
// Nothing is left to do, and time passes all the same. Not backwards.
void sim_time_pass(struct sim *sim, uint64_t until_ns);

// --- faults --------------------------------------------------------------------------------------

// Disk operations executed by this node since it was added.
uint64_t sim_disk_ops(const struct sim_node *sim_node);
// Crashes the node when it is about to execute its `count`th operation from now (1: the next).
void sim_disk_crash_at(struct sim_node *sim_node, uint64_t count);
// The `count`th operation from now that writes (write, sync, allocate, truncate, names) fails with
// `error` (a positive errno). A sync that fails has lost its data, and the next succeeds.
void sim_disk_fail_at(struct sim_node *sim_node, uint64_t count, int error);
struct sim_disk_faults {
    uint32_t sync_fail_per_million; // As sim_disk_fail_at, with EIO.
    uint32_t read_fail_per_million;
    uint32_t write_lost_per_million;        // Success is told, nothing happened.
    uint32_t write_misdirected_per_million; // It went to another page of the file.
    uint32_t write_rotten_per_million;      // A bit of it is wrong.
    uint32_t slow_factor;                   // Times the latency; 0: 1.
};
void sim_disk_faults_set(struct sim_node *sim_node, const struct sim_disk_faults *faults);
// Nothing completes for so long.
void sim_disk_freeze(struct sim_node *sim_node, uint64_t for_ns);
// Damages done so far by lost, misdirected and rotten writes.
uint64_t sim_disk_damages(const struct sim_node *sim_node);
// Bytes its files may have in all; 0: no limit.
void sim_disk_quota_set(struct sim_node *sim_node, uint64_t bytes);
uint64_t sim_disk_used(const struct sim_node *sim_node);
// Flips bits in a file behind the node's back. False when there is no such file or byte.
bool sim_disk_rot(struct sim_node *sim_node, const char *path, uint64_t offset);
// What a crash would leave of `from`'s files takes the place of all files of `to`, which is down.
void sim_disk_copy(struct sim_node *from, struct sim_node *to);
// A file's content as the program would read it; NULL when absent. Valid until the next step.
const uint8_t *sim_disk_peek(struct sim_node *sim_node, const char *path, uint64_t *size);

// Each `every`th request for accounted memory of its statements and sessions is refused (53200); 0: none.
void sim_memory_refuse(struct sim_node *sim_node, uint64_t every);
// Statements have this much more than they have taken by now, on each shard, until it starts anew; 0: what they had.
void sim_memory_squeeze(struct sim_node *sim_node, uint64_t bytes);
// The `count`th block of memory from now that an arena takes is not to be had, which ends the node wherever it is, as a
// crash does; 0: all are.
void sim_memory_fail_at(struct sim_node *sim_node, uint64_t count);

// Cuts (or restores) what `from` sends to `to`. Both ways: call it twice.
void sim_net_cut(struct sim_node *from, struct sim_node *to, bool cut);
void sim_net_heal(struct sim *sim); // Restores every link: cuts, clogs and qualities.
struct sim_link {
    uint64_t latency_min_ns, latency_max_ns; // 0: the sim's.
    uint64_t latency_tail_ns;                // Mean of what comes on top, now and then much more.
    uint32_t loss_per_million;               // Of pieces: they come late, as repeated packets do.
    uint32_t reset_per_million;              // Of pieces: the connection breaks instead.
};
void sim_net_link_set(
    struct sim_node *from, struct sim_node *to, const struct sim_link *link);
// Nothing from the one arrives at the other for so long; then all of it.
void sim_net_clog(struct sim_node *from, struct sim_node *to, uint64_t for_ns);
// Resets all connections between the two.
void sim_net_reset(struct sim_node *a, struct sim_node *b);
