// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the replication layer adds to the registries below: tables, functions, settings, job types, statements.
#include <stdio.h>

#include "kv/admin.h"
#include "repl/connection.h"
#include "repl/consumer.h"
#include "repl/fingerprint.h"
#include "repl/flow.h"
#include "repl/internal.h"
#include "repl/producer.h"
#include "repl/repl.h"
#include "repl/reset.h"
#include "repl/statements.h"
#include "repl/stream.h"
#include "sql/service/jobs.h"
#include "sql/service/settings.h"

static const char *const codecs[] = {"zstd", "lz4", NULL};

#define SETTING(name_, alias_, type_, class_, default_, hidden_, text_)                            \
    {                                                                                              \
        .name = name_, .alias = alias_, .type = SETTING_##type_, .class = SETTING_##class_,        \
        .default_value = default_, .hidden = hidden_, .description = text_                         \
    }

static const struct setting settings[] = {
    SETTING("stream_replication.job_liveness_timeout", NULL, DURATION, SYSTEM_ONLY, "72h", false,
        "how long a replication stream is kept for a standby that is not heard of"),
    SETTING("physical_replication.producer.stream_liveness_track_frequency",
        "stream_replication.stream_liveness_track_frequency", DURATION, APPLICATION, "1m", true,
        "how often the producer looks whether its standby is alive"),
    SETTING("physical_replication.producer.min_checkpoint_frequency",
        "stream_replication.min_checkpoint_frequency", DURATION, APPLICATION, "200ms", true,
        "how often resolved marks are sent"),
    SETTING("physical_replication.consumer.heartbeat_frequency",
        "stream_replication.consumer_heartbeat_frequency", DURATION, SYSTEM_ONLY, "10s", true,
        "how often the standby tells the primary how far it is"),
    SETTING("physical_replication.consumer.job_checkpoint_frequency",
        "stream_replication.job_checkpoint_frequency", DURATION, SYSTEM_ONLY, "1s", true,
        "how often the standby's progress is made durable; 0: only at its end"),
    SETTING("physical_replication.consumer.failover_signal_poll_interval",
        "bulkio.stream_ingestion.failover_signal_poll_interval", DURATION, SYSTEM_ONLY, "10s", true,
        "how often at least the standby looks whether it is to be cut over"),
    SETTING("physical_replication.consumer.minimum_flush_interval",
        "bulkio.stream_ingestion.minimum_flush_interval", DURATION, SYSTEM_ONLY, "0s", false,
        "how long the standby gathers changes before it makes them durable, unless its buffer is full"),
    {.name = "physical_replication.consumer.kv_buffer_size",
        .alias = "bulkio.stream_ingestion.kv_buffer_size",
        .type = SETTING_BYTES,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "1 MiB",
        .description = "how much of a stream the standby gathers at most",
        .hidden = true,
        .minimum = 65536,
        .maximum = 16777216},
    SETTING("physical_replication.consumer.timestamp_granularity", NULL, DURATION, SYSTEM_ONLY,
        "0s", true, "the replicated time is a multiple of it; 0: as it is"),
    SETTING("physical_replication.consumer.node_lag_replanning_threshold", NULL, DURATION,
        SYSTEM_ONLY, "5m", true,
        "streams are planned anew when one node of the standby is this much behind another; 0: never"),
    SETTING("stream_replication.lag_check_frequency", NULL, DURATION, SYSTEM_ONLY, "3m", true,
        "how often the nodes of the standby are compared"),
    SETTING("physical_replication.consumer.retry_duration", NULL, DURATION, SYSTEM_ONLY, "3m", true,
        "how long replication that fails is tried again before it is paused"),
    {.name = "physical_replication.consumer.stream_compression.codec",
        .type = SETTING_ENUM,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "zstd",
        .description = "how replication streams are compressed",
        .hidden = true,
        .choices = codecs},
    SETTING("physical_replication.consumer.stream_compression.enabled", NULL, BOOL, SYSTEM_ONLY,
        "true", true, "whether replication streams are compressed"),
    SETTING("physical_replication.consumer.replan_flow_frequency",
        "stream_replication.replan_flow_frequency", DURATION, SYSTEM_ONLY, "10m", true,
        "how often the standby asks for the primary's topology"),
    SETTING("physical_replication.consumer.replan_flow_threshold",
        "stream_replication.replan_flow_threshold", FLOAT, SYSTEM_ONLY, "0.1", true,
        "share of slices with other leaders from which on streams are planned anew; 0: never"),
};

bool repl_hlc_parse(struct datum datum, struct hlc_timestamp *ts)
{
    char text[HLC_TEXT_BYTES];
    *ts = HLC_ZERO;
    if (datum.null || datum.size == 0) return true;
    if (datum.size >= sizeof text) return false;
    memcpy(text, datum.data, datum.size);
    text[datum.size] = '\0';
    return hlc_parse(text, ts);
}

const char *repl_cluster_id(struct arena *arena, struct node *node)
{
    const uint8_t *id = kv_cluster_id(node);
    char *text = arena_alloc(arena, 37);
    for (unsigned i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        at += (unsigned)snprintf(text + at, 3, "%02x", id[i]);
    }
    return text;
}

void repl_register(void)
{
    settings_register(settings, sizeof settings / sizeof settings[0]);
    flow_metrics_register();
    flow_plan_metrics_register();
    partition_metrics_register();
    cutover_metrics_register();
    producer_register();
    stream_register();
    consumer_register();
    reset_register();
    connection_register();
    consumer_announcements_register();
    relay_register();
    repl_statements_register();
    fingerprint_register();
}
