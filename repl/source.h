// SPDX-License-Identifier: GPL-3.0-or-later
//
// The primary as the standby sees it: its address, and the calls of its producer (repl/producer.h) over SQL.
//
// Shard    Of the client.
// Memory   Results live in the arena given.
// Errors   22023 a malformed address; 0A000 addresses of kinds that are not supported; the primary's own errors;
//          08xxx when it cannot be reached; 57014 when it does not answer in time.
#pragma once
#include "core/hlc.h"
#include "sql/wire/pgclient.h"

// How long one call may take.
#define SOURCE_CALL_TIMEOUT_NS 30000000000ull

// Checks the address and fills in what connecting needs. The system interface is asked for unless it says otherwise.
CHECKED struct status source_options(
    struct arena *arena, const char *uri, struct pgclient_options *options);
// The address without its secrets: passwords, certificates and keys are "redacted". Parameters are in the order of
// their names, so that equal addresses read equal.
const char *source_redact(struct arena *arena, const char *uri);

CHECKED struct status source_connect(struct task *task, const char *uri, struct pgclient **client);

// Where the primary can be reached.
struct source_where {
    const char *uri;              // As configured.
    const char *cluster_id;       // Whom addresses have to lead to.
    const char *const *addresses; // Its nodes as last seen: "host:port". Tried with all else as in the URI.
    uint32_t address_count;
};
// The configured address, else one of the others. An address where another cluster is found is none: 08006.
CHECKED struct status source_connect_any(
    struct task *task, const struct source_where *where, struct pgclient **client);
// The node at `address` (NULL: any), else as source_connect_any: every node serves what one serves. With
// crdb_route=gateway in the URI only the configured address is used.
CHECKED struct status source_connect_node(struct task *task, const struct source_where *where,
    const char *address, struct pgclient **client);

struct source_stream {
    int64_t id; // Also of the producer's job.
    uint64_t tenant;
    const char *cluster_id; // A uuid as text.
    struct hlc_timestamp start;
};
CHECKED struct status source_start(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct source_stream *stream);

// The same, from a time on that the source still keeps: for what has all up to it.
CHECKED struct status source_resume(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct hlc_timestamp from, struct source_stream *stream);
// Where the virtual cluster itself came from.
struct source_prior {
    uint64_t tenant;
    const char *cluster_id, *source_id; // "": from nowhere. Else "cluster:tenant",
    struct hlc_timestamp activation;    // until then.
};
CHECKED struct status source_prior(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct source_prior *prior);

enum source_status { SOURCE_ACTIVE, SOURCE_PAUSED, SOURCE_INACTIVE, SOURCE_UNKNOWN };
// The heartbeat: history from `retained` on must be kept.
CHECKED struct status source_progress(struct task *task, struct pgclient *client, int64_t stream,
    struct hlc_timestamp retained, enum source_status *status);

struct source_partition {
    uint64_t slice;
    uint32_t node;       // That leads the slice.
    const char *address; // Of that node: "host:port"; NULL: unknown.
    uint64_t bytes;      // Estimate of what a backfill sends.
    struct span *spans;  // In the order of keys.
    uint32_t span_count;
};
struct source_spec {
    int64_t topology; // Changes when spans move between slices.
    struct source_partition *partitions;
    uint32_t count;
    struct bytes addresses; // Of all nodes, with commas between.
};
CHECKED struct status source_spec(struct task *task, struct pgclient *client, struct arena *arena,
    int64_t stream, struct source_spec *spec);

CHECKED struct status source_complete(
    struct task *task, struct pgclient *client, int64_t stream, bool successful);
// Connects, completes and closes, within `timeout_ns`: for a primary that may be gone.
CHECKED struct status source_complete_at(struct task *task, const struct source_where *where,
    int64_t stream, bool successful, uint64_t timeout_ns);
