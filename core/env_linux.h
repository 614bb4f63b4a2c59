// SPDX-License-Identifier: GPL-3.0-or-later
//
// The production environment: one pinned thread and one io_uring a shard. This header is private to
// core/env_linux*.c; everyone else sees struct env and node_run (core/shard.h).
//
// Shard    struct linux_shard belongs to its thread, but for the mailbox, the event descriptor and the
//          ring's descriptor, through which others reach it.
#pragma once
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/env.h"
#include "core/helper_pool.h"
#include "core/mailbox.h"
#include "core/reactor.h"
#include "core/shard.h"

#define RING_ENTRIES 1024u
#define RECV_BUFFERS 256u
#define RECV_BUFFER_BYTES (16u << 10)
#define RECV_GROUP 0u
#define STALL_FRAMES_MAX 48

// What a completion is for: the low three bits of its user data.
enum ring_tag {
    RING_DISK,   // struct disk_op *
    RING_NET,    // struct net_op *
    RING_WAKE,   // Another shard woke this one.
    RING_EVENT,  // The event descriptor was written.
    RING_WAKE_FAILED, // Target shard's index: the wake-up could not be sent over the ring.
    RING_IGNORE,
    RING_TAG_MASK = 7,
};

struct linux_env;

// What is in flight on a socket, for closing it: cancelling by descriptor would look at every operation
// of the ring.
struct socket_ops {
    struct net_op *in;  // NET_RECV or NET_LISTEN.
    struct net_op *out; // NET_SEND.
};

struct linux_shard {
    struct linux_env *owner;
    struct shard *shard;
    uint32_t index;
    pthread_t thread;
    struct io_uring ring;
    bool ring_made;
    struct mailbox *mailbox;
    int event_fd;
    uint64_t event_value;
    uint32_t in_flight;         // Completions still to come from the ring.
    uint32_t helpers_in_flight;
    uint64_t random_state[4];
    struct status start_status;

    // Messages that found their ring full, by target.
    struct shard_message **overflow, ***overflow_end;
    uint32_t overflow_count;

    // Net.
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    struct socket_ops *sockets; // By descriptor.
    uint32_t sockets_size;
    struct net_op *paused;      // NET_LISTENs that ran out of descriptors.
    struct timer paused_timer;
    bool paused_logged;

    // The stall detector.
    void *stall_stack[STALL_FRAMES_MAX];
    int stall_frames;
    uint64_t stall_logged_ns;
    uint64_t stall_seen_ns; // The watchdog's.
    void *signal_stack;

    // The node's end.
    uint32_t attention_seen, signals_seen;
    bool stopping, exiting;
    uint64_t stop_ns, stop_again_ns;
    _Atomic uint64_t tasks_started;
    _Atomic bool idle;
};

struct linux_env {
    struct env env;
    struct node *node;
    struct node_options options;
    struct helper_pool *helpers;
    struct helper_pool *disk_helpers; // Apart, so that a checkpoint does not hold up the log.
    struct linux_shard *shards;
    pthread_barrier_t barrier;
    _Atomic bool start_failed;
    _Atomic uint32_t attention; // Grows with each of the below, so that a turn checks one word.
    _Atomic bool stop, exit, hung;
    _Atomic int signal_number;
    _Atomic uint32_t signal_count;
    _Atomic int64_t wall_offset_ns;
    _Atomic uint64_t ports_bound[65536 / 64]; // By this node's listeners, a bit each.
    uint64_t idle_sum; // Shard 0's, while it decides that all have ended.
    task_fn init;
    void *init_arg;
    struct status init_status;
    pthread_t watchdog;
    pthread_mutex_t watchdog_lock;
    pthread_cond_t watchdog_wake;
    bool watchdog_started, watchdog_stop;
};

static inline struct linux_shard *linux_shard_of(struct shard *shard)
{
    return shard->reactor->env_shard;
}

// A submission entry to fill in with io_uring_prep_*, then ring_tag. Never NULL: a full queue is submitted.
struct io_uring_sqe *ring_entry(struct linux_shard *linux_shard);
static inline void ring_tag(struct linux_shard *linux_shard, struct io_uring_sqe *sqe,
    const void *pointer, enum ring_tag tag)
{
    sqe->user_data = (uint64_t)(uintptr_t)pointer | (uint64_t)tag;
    if (tag == RING_DISK || tag == RING_NET) linux_shard->in_flight++;
}

uint64_t linux_mono_now_ns(void);
void linux_helper_submit(struct env *env, struct shard *shard, void (*fn)(void *arg),
    void (*done)(void *arg), void *arg);

// The same on one of the pools.
void linux_pool_submit(struct helper_pool *pool, struct shard *shard, void (*fn)(void *arg),
    void (*done)(void *arg), void *arg);

void linux_disk_submit(struct env *env, struct shard *shard, struct disk_op *op);
void linux_disk_complete(struct disk_op *op, int32_t result);

CHECKED struct status linux_net_init(struct linux_shard *linux_shard);
void linux_net_fini(struct linux_shard *linux_shard);
void linux_net_submit(struct env *env, struct shard *shard, struct net_op *op);
void linux_net_complete(
    struct linux_shard *linux_shard, struct net_op *op, int32_t result, uint32_t flags);
int linux_resolve(struct env *env, const char *address, char numeric[NET_ADDRESS_BYTES]);

void linux_watchdog_start(struct linux_env *owner);
void linux_watchdog_stop(struct linux_env *owner);
void linux_stall_thread_begin(struct linux_shard *linux_shard);
void linux_stall_thread_end(struct linux_shard *linux_shard);
void linux_task_stalled(
    struct env *env, struct shard *shard, struct task *task, uint64_t ran_ns);
