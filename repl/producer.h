// SPDX-License-Identifier: GPL-3.0-or-later
//
// The producer: what the primary does for one standby. A job (REPLICATION STREAM PRODUCER) keeps history from a
// protected timestamp on; functions of crdb_internal start it, tell it how far the standby is, and end it.
//
//   active -> finished (the standby was promoted: history is kept until the expiration, for the way back)
//     `----> ended    (the standby gave up, or was not heard of until the expiration)
//
// The streams themselves are repl/stream.h.
//
// Shard    Functions run on their session's; the job wherever jobs run.
// Safety   The protected timestamp only moves forward, and only to what the standby no longer asks for.
// Errors   42501 without the privilege; 42704 no such virtual cluster; 22023 "job N is not a replication stream job";
//          55000 for a stream that is not active.
// Source   reference: physical cluster replication, sections 5, 7, 8, 15.
#pragma once
#include "core/hlc.h"
#include "sql/function/function.h"

enum producer_state { PRODUCER_ACTIVE = 0, PRODUCER_FINISHED = 1, PRODUCER_ENDED = 2 };

struct producer {
    int64_t stream; // And the job's id.
    uint64_t tenant;
    const char *tenant_name;
    struct hlc_timestamp start, protected;
    int64_t expiration_us, heartbeat_us; // Since 2000-01-01 UTC.
    enum producer_state state;
    int64_t window_us; // Without a heartbeat for this long it expires; 0: as the setting says.
};
// 22023 when there is none.
CHECKED struct status producer_read(
    struct task *task, struct arena *arena, int64_t stream, struct producer **producer);
// 55000 "replication job N must be running (is S) to `what`" unless it is.
CHECKED struct status producer_require_running(
    struct task *task, const struct producer *producer, const char *what);
// 42501 unless the session may be a source: in the system interface, with REPLICATION or REPLICATIONSOURCE.
CHECKED struct status producer_require_privilege(struct function_call *call);

// EXPIRATION WINDOW of all the tenant's producers that are not over; *count says how many there are.
CHECKED struct status producer_window_set(
    struct task *task, struct arena *arena, uint64_t tenant, int64_t window_us, uint32_t *count);

// Keeps the history of a virtual cluster that was promoted from `from` on, as that of a finished stream: the former
// primary may want to follow. `id`: of its record and job; done before is done.
CHECKED struct status producer_retain(struct task *task, int64_t id, uint64_t tenant,
    const char *tenant_name, struct hlc_timestamp from);

// How the tenant's spans lie on slices.
struct topology_span {
    uint64_t slice;
    struct span span; // Neighbours on one slice are joined.
    uint64_t bytes;
    uint32_t node; // That leads the slice, as far as is known; 0: none.
};
struct topology {
    int64_t hash;                // Of all spans: changes when one moves.
    struct topology_span *spans; // By slice, then key.
    uint32_t count;
};
// `sizes`: with estimates of bytes, for which every leader is asked.
CHECKED struct status topology_read(struct task *task, struct arena *arena, uint64_t tenant,
    bool sizes, struct topology *topology);

// Spans have moved between slices since the consumer made its plan: it makes another one.
#define E_TOPOLOGY_CHANGED SQLSTATE('5', '5', 'R', '0', '1')

void producer_register(void);
