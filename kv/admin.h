// SPDX-License-Identifier: GPL-3.0-or-later
//
// Storage seen from the control plane: starting and stopping a node's KV, ranges and slices,
// protected timestamps, and the raw operations that replication, backup and garbage collection
// stand on.
//
// Shard    Any, unless said otherwise; requests go to the slice's leader. All of it suspends.
// Errors   As kv/client.h; 55000 for a request that the state of a range or slice forbids.
#pragma once
#include "core/shard.h"
#include "kv/client.h"

enum kv_store_kind { KV_STORE_WIREDTIGER, KV_STORE_MODEL };
struct store;
struct store_options;

struct kv_options {
    const char *dir;            // Of the whole store; the kv layer makes its folders in it.
    enum kv_store_kind store;
    // Opens stores instead of what `store` says (kv/store.h: store_open_fn); NULL: nothing does.
    struct status (*store_open)(struct task *task, const struct store_options *options, struct store **store);
    uint64_t cache_bytes;       // For all slices together.
    uint32_t slices_per_shard;  // At first start; 0: 2. Later starts keep what is on disk.
    uint64_t log_segment_bytes; // 0: 64 MiB.
    uint64_t range_bytes_max;   // Split above; 0: 512 MiB.
    // What may lie between two nodes' clocks; counts for slices with several voters. 0: 500 ms.
    uint64_t max_offset_ns;
    // Who this node is (kv/cluster.h). node_id 0: the store begins a cluster of its own, as node 1.
    struct kv_identity {
        uint8_t cluster_id[16];
        uint32_t node_id;
    } identity;
    bool joined; // A new store gets no slices: the cluster has some.
    // How many copies of a slice are wanted where no zone says; 0: KV_REPLICAS_DEFAULT.
    uint32_t replicas;
};
// While a cluster has fewer nodes there are fewer copies, an odd number: kv/placement.h.
#define KV_REPLICAS_DEFAULT 3u

// Opens or creates the store in options->dir, replays the shards' logs and serves. A store made
// with another shard count is taken over. Runs on shard 0, once per node.
CHECKED struct status kv_start(struct task *task, const struct kv_options *options);
// Checkpoints, flushes and closes. Later requests are 57P01.
CHECKED struct status kv_stop(struct task *task);
// True when the store was empty at kv_start: the layer above then bootstraps.
bool kv_is_new(struct node *node);
uint8_t const *kv_cluster_id(struct node *node); // 16 bytes, made at first start.
uint32_t kv_node_id(struct node *node);

// The storage library's version, for `isopod version`.
const char *kv_store_version(void);

// --- ranges and slices ---------------------------------------------------------------------------

struct kv_range {
    uint64_t id;
    struct span span;
    uint64_t slice;
    uint32_t shard;      // That leads the slice.
    uint32_t node;
    uint64_t bytes, keys; // Estimates.
    uint64_t generation;
    uint64_t rate;        // Keys asked for a second, lately.
    uint64_t sticky_ns;   // As kv_split_until has it; 0: not.
};
CHECKED struct status kv_ranges(struct task *task, struct span span, struct arena *arena,
    struct kv_range **ranges, uint32_t *count);
// Makes `key` the start of a range. Nothing is moved. Success when it is one already.
CHECKED struct status kv_split(struct task *task, struct bytes key);
// The same; until `until_ns` (wall clock; UINT64_MAX: for good) nothing joins it with the range before it by itself.
CHECKED struct status kv_split_until(struct task *task, struct bytes key, uint64_t until_ns);
// From now on it may be. 55000 when no range starts there.
CHECKED struct status kv_unsplit(struct task *task, struct bytes key);
// Joins the range that starts at `key` with the one before it, which is in the same slice. 55000 when it is not, or the
// range is sticky.
CHECKED struct status kv_merge(struct task *task, struct bytes key);
// Makes ranges for a new tenant on the slice with the least load (or on `slice`, when not 0).
CHECKED struct status kv_tenant_create(struct task *task, uint64_t tenant, uint64_t slice);
// Erases all of the tenant's data and its ranges. Not transactional; can be repeated after a crash.
CHECKED struct status kv_tenant_erase(struct task *task, uint64_t tenant);
// Has the span served by another slice, with all that it holds, while clients go on: kv/move.h. Returns when it is there;
// 55000 when that could not be brought about.
CHECKED struct status kv_move(struct task *task, struct span span, uint64_t slice);
// The same for an empty span (no versions at all): how a new table spreads. 55000 when not empty.
CHECKED struct status kv_move_empty(struct task *task, struct span span, uint64_t slice);
// The shard that leads the first range of the tenant: where its sessions belong.
CHECKED struct status kv_tenant_shard(struct task *task, uint64_t tenant, uint32_t *shard);
struct kv_slice_info {
    uint64_t id;
    uint32_t shard;
    uint64_t applied_index, bytes, ranges;
    struct hlc_timestamp closed;
    uint64_t zone; // 0: the default of all; ranges belong to slices with their own zone (kv/zone.h).
};
CHECKED struct status kv_slices(
    struct task *task, struct arena *arena, struct kv_slice_info **slices, uint32_t *count);
CHECKED struct status kv_checkpoint(struct task *task); // All slices; recycles log segments.

// Erases the span's data, all versions, once nobody can ask for them: after DROP and TRUNCATE.
CHECKED struct status kv_clear(struct task *task, uint64_t tenant, struct span span);

// --- garbage collection and protection -----------------------------------------------------------

// How long old versions are kept for a tenant; default 4 h (system default of gc.ttlseconds).
CHECKED struct status kv_gc_ttl_set(struct task *task, uint64_t tenant, uint64_t ttl_ns);

// A protected timestamp keeps every version of `tenant` that is visible at or after `ts` readable.
// Records are stored in the cluster's own span and survive restarts. `id` is 16 bytes, the
// caller's.
struct kv_protection {
    uint8_t id[16];
    uint64_t tenant;
    struct hlc_timestamp ts;
    struct bytes meta; // "physical replication of x", for operators.
};
// 55000 when versions at ts are gone already.
CHECKED struct status kv_protect(struct task *task, const struct kv_protection *protection);
CHECKED struct status kv_protect_move(
    struct task *task, const uint8_t id[16], struct hlc_timestamp ts);
CHECKED struct status kv_unprotect(struct task *task, const uint8_t id[16]);
CHECKED struct status kv_protections(struct task *task, struct arena *arena,
    struct kv_protection **protections, uint32_t *count);

// --- versions: replication, backup, fingerprints -------------------------------------------------

struct kv_version {
    struct bytes key;
    struct bytes value;
    struct hlc_timestamp ts;
    bool tombstone;
};

// Versions of a span, newest first within a key, in (after, at]: only the newest of each key unless
// `all`. A backfill is after = zero, all = false. Served in pieces of at most bytes_max (0: 1 MiB).
struct kv_export {
    uint64_t tenant;
    struct span span;
    struct hlc_timestamp after, at;
    bool all;
    size_t bytes_max;
    struct bytes resume; // The client's own: lives with the task.
    bool done;
};
CHECKED struct status kv_export_next(struct task *task, struct kv_export *export,
    struct arena *arena, struct kv_version **versions, uint32_t *count);

// Writes versions at their own timestamps, in any order, durably; the same version twice is one.
// Not for a tenant that serves SQL: the leader refuses (55000) what is at or below its closed time
// unless the tenant is marked as ingesting.
CHECKED struct status kv_ingest_begin(struct task *task, uint64_t tenant);
// Slices that came after the beginning take part, too; where it has ended it does not begin again.
CHECKED struct status kv_ingest_join(struct task *task, uint64_t tenant);
enum kv_ingest_mark { KV_INGEST_END, KV_INGEST_BEGIN, KV_INGEST_JOIN };
// Nothing above `upto` is left then, whatever a stream that was given up has sent since a revert; HLC_MAX: all is.
CHECKED struct status kv_ingest_end(struct task *task, uint64_t tenant, struct hlc_timestamp upto);
CHECKED struct status kv_ingest(
    struct task *task, uint64_t tenant, const struct kv_version *versions, uint32_t count);
// As kv_clear, of a tenant that ingests (else 55000): a stream that comes late erases nothing.
CHECKED struct status kv_ingest_clear(struct task *task, uint64_t tenant, struct span span);
// Erases every version of an ingesting tenant above `ts`, by its time index: costs what is above,
// not what there is. Can be repeated. *removed may be NULL.
CHECKED struct status kv_revert(
    struct task *task, uint64_t tenant, struct hlc_timestamp ts, uint64_t *removed);
// The same; tells of each slice that has nothing above `ts` left, with what was removed so far. `done` must not suspend;
// it may hear of a slice again.
typedef void (*kv_slice_done)(void *arg, uint64_t slice, uint64_t removed);
CHECKED struct status kv_revert_told(struct task *task, uint64_t tenant, struct hlc_timestamp ts,
    uint64_t *removed, kv_slice_done done, void *arg);

// Order-independent hash over all live (key without tenant prefix, value, ts of version) at `ts`,
// with counts.
struct kv_fingerprint {
    uint64_t hash, keys, bytes;
};
CHECKED struct status kv_fingerprint(struct task *task, uint64_t tenant, struct span span,
    struct hlc_timestamp ts, struct kv_fingerprint *fingerprint);
