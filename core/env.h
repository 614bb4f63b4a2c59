// SPDX-License-Identifier: GPL-3.0-or-later
//
// The environment seam: clock, randomness, disk and network of one node, behind one vtable. Production
// is core/env_linux.c (io_uring); simulation is core/env_sim.c (many nodes in one thread, from a seed).
// Nothing else in the project calls the originals; tools/lint refuses them.
//
// Disk and network operations are submitted and complete later: `complete` runs on the shard that
// submitted, from its reactor, never from inside the submission. It must not suspend: it makes a task
// ready or moves a state machine.
//
// Shard    An op belongs to the submitting shard from submit to complete.
// Memory   The op and its buffers are the caller's and stay put until complete.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct shard;
struct shard_message;
struct task;

enum disk_op_kind {
    DISK_OPEN,     // path, flags -> result: handle
    DISK_CLOSE,    // handle
    DISK_READ,     // handle, offset, buffer, size -> result: bytes read
    DISK_WRITE,    // handle, offset, buffer, size; flag DISK_DSYNC -> result: bytes written
    DISK_SYNC,     // handle (fdatasync)
    DISK_ALLOCATE, // handle, size: reserves and extends
    DISK_TRUNCATE, // handle, size
    DISK_SIZE,     // handle -> result: bytes
    DISK_RENAME,   // path -> path_to, and the folder synced
    DISK_UNLINK,   // path, and the folder synced
    DISK_MKDIR,    // path; an existing folder is success
    DISK_LIST,     // path -> names (malloc'ed, NUL-separated, doubly NUL-terminated; the caller frees)
};

enum disk_flags {
    DISK_CREATE = 1 << 0,
    DISK_DIRECT = 1 << 1, // O_DIRECT: offset, size and buffer are multiples of 4096.
    DISK_DSYNC = 1 << 2,  // Durable when complete.
    DISK_READ_ONLY = 1 << 3,
};

struct disk_op {
    enum disk_op_kind kind;
    uint32_t flags;
    int64_t handle;
    uint64_t offset;
    void *buffer;
    size_t size;
    const char *path;
    const char *path_to;
    int64_t result; // At least 0, or -errno.
    char *names;    // DISK_LIST.
    void (*complete)(struct disk_op *op);
    void *arg;
    struct disk_op *next; // For the env's own lists.
    uint64_t env_data[6]; // For the env's own use.
};

enum net_op_kind {
    // address -> handle and `local`, at once: when net_submit returns, `result` is 0 or -errno (then
    // there will be no event). Later each accepted connection is one event: result is its handle, with
    // `peer`. Running out of file descriptors is no event: accepting pauses and goes on by itself.
    NET_LISTEN,
    NET_CONNECT, // address -> result: handle
    NET_RECV,    // handle: stays armed, one event for each run of bytes, 0 bytes at end of stream
    // target: an armed NET_RECV of this shard. The target's last event (`more` false) is -ECANCELED,
    // unless the stream ended before; bytes may still come until then. Completes itself, too.
    NET_RECV_CANCEL,
    NET_SEND,    // handle, iov: completes when all bytes are taken or the peer is gone
    NET_SHUTDOWN, // handle: no more will be sent; the peer sees the end of the stream
    // handle. Its other ops complete, too, with -ECANCELED, perhaps after this one.
    NET_CLOSE,
};

#define NET_ADDRESS_BYTES 64

struct net_buffer {
    const void *data;
    size_t size;
};

struct net_op {
    enum net_op_kind kind;
    int64_t handle;
    struct net_op *target;   // NET_RECV_CANCEL.
    const char *address;     // "host:port", numeric host; port 0 asks for any.
    struct net_buffer *iov;  // NET_SEND.
    uint32_t iov_count;      // The env counts both down.
    uint64_t sent;
    int64_t result;          // Bytes or handle, or -errno.
    const uint8_t *data;     // NET_RECV event: valid during the call only.
    char *peer;              // NET_LISTEN (at an accept event), NET_CONNECT: NET_ADDRESS_BYTES for
                             // the peer's address; NULL: not wanted.
    char *local;             // NET_LISTEN: the same, for the address bound (with the port chosen).
    char *here;              // NET_LISTEN (at an accept event), the same: the address that the peer has reached.
    bool more;               // NET_RECV, NET_LISTEN: further events will come.
    void (*complete)(struct net_op *op);
    void *arg;
    struct net_op *next;
    uint64_t env_data[8];
};

struct env {
    uint64_t (*mono_ns)(struct env *env); // Never goes back.
    int64_t (*wall_ns)(struct env *env);  // Since 1970. Grows while the node runs, over all its shards.
    uint64_t (*random)(struct env *env);  // Deterministic under simulation. From any shard.
    void (*random_bytes)(struct env *env, void *out, size_t size); // For secrets.
    void (*disk_submit)(struct env *env, struct shard *shard, struct disk_op *op);
    void (*net_submit)(struct env *env, struct shard *shard, struct net_op *op);
    // Runs fn(arg) off the reactor (production: helper thread; simulation: at once, as an event), then
    // done(arg) on `shard`, not in a task.
    void (*helper_submit)(struct env *env, struct shard *shard, void (*fn)(void *arg),
        void (*done)(void *arg), void *arg);
    // Queues `message` for `to`, whose reactor delivers it in a later turn; in order for each pair.
    void (*message_send)(struct env *env, struct shard *from, struct shard *to,
        struct shard_message *message);
    // Turns "host:port" into a numeric address, or -1. Blocks: called on helpers. NULL: names are
    // addresses already (simulation).
    int (*resolve)(struct env *env, const char *address, char numeric[NET_ADDRESS_BYTES]);
    // Which of `count` ready tasks of the shard runs next. NULL: the fair order decides (production).
    uint32_t (*choose)(struct env *env, struct shard *shard, uint32_t count);
    void (*node_stop)(struct env *env, struct node *node);
    void (*signals_enable)(struct env *env); // NULL: no signals (simulation).
    void (*node_signal)(struct env *env, int signal_number); // Async-signal-safe. NULL: no signals.
    // A task ran for STALL_NS (core/reactor.h) or longer without giving way. NULL: not of interest.
    void (*task_stalled)(
        struct env *env, struct shard *shard, struct task *task, uint64_t ran_ns);
    bool simulated;
};
