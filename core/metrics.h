// SPDX-License-Identifier: GPL-3.0-or-later
//
// Metrics: counters, gauges and histograms, one cell a shard (and a tenant, where asked for),
// summed when read. Definitions are static objects that register themselves at first use; names are
// dotted ("sql.insert.count"), printed with underscores for Prometheus.
//
// Shard    A thread writes only its own cells, with relaxed atomics; any may read all of them.
//          Nodes that are simulated in one thread share their cells.
// Memory   Cells are allocated when a shard (or a tenant on it) first touches the metric.
// Source   Prometheus text exposition format 0.0.4. Histograms: log-linear buckets, 16 per power of
//          2, so that a percentile is within 7 %.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct buffer;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { METRIC_COUNT, METRIC_BYTES, METRIC_NANOSECONDS, METRIC_SECONDS };

struct metric {
    const char *name;
    const char *help;
    enum metric_kind kind;
    enum metric_unit unit;
    bool per_tenant; // Exists once per virtual cluster; otherwise only for the node (system).
    uint32_t id;     // 0 until first used.
};

#define METRIC_DEFINE(symbol, metric_name, metric_kind_, metric_unit_, tenant_scoped, help_text) \
    struct metric symbol = { .name = metric_name, .help = help_text, .kind = metric_kind_, \
        .unit = metric_unit_, .per_tenant = tenant_scoped }

// `tenant` is ignored unless the metric is per tenant; then 0, the node's own work, counts as the
// system tenant's (1).
void metric_add(struct metric *metric, uint64_t tenant, int64_t delta);
void metric_set(struct metric *metric, uint64_t tenant, int64_t value); // Gauge, this shard's cell.
void metric_record(struct metric *metric, uint64_t tenant, uint64_t value); // Histogram.

// Registers without writing, so that the metric is listed with value 0 from the start.
void metric_register(struct metric *metric);

// A tenant that was dropped: no longer listed by the readers below.
void metrics_tenant_forget(uint64_t tenant);

// Sum over shards; of a metric per tenant, tenant 0 asks for the sum over tenants. Histograms: the
// count.
int64_t metric_read(const struct metric *metric, uint64_t tenant);
// The value at `quantile` in [0, 1]; 0 when nothing was recorded.
uint64_t metric_quantile(const struct metric *metric, uint64_t tenant, double quantile);

struct metric_reader {
    // One call per metric and tenant; tenant 0 for those of the node. Order: by name, then tenant.
    void (*value)(struct metric_reader *reader, const struct metric *metric, uint64_t tenant,
        int64_t value);
};
void metrics_read_all(struct metric_reader *reader);

// Writes Prometheus text, histograms as summaries. `tenant_filter` 0: all; otherwise only that
// tenant's (the node's own go with the system tenant). `tenant_name` gives the label, or NULL to
// leave the tenant out; NULL for the function itself: no labels. Callable from any thread: with
// thousands of tenants call it through helper_call, with an arena that has no account.
void metrics_prometheus(struct buffer *out, uint32_t node_id, uint64_t tenant_filter,
    const char *(*tenant_name)(uint64_t tenant, void *arg), void *arg);

// A stand-alone histogram with the same buckets, for tools (workload) and tests.
struct histogram {
    uint64_t count, sum, max;
    uint64_t buckets[1024];
};
void histogram_record(struct histogram *histogram, uint64_t value);
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
void histogram_merge(struct histogram *into, const struct histogram *from);
