// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between the replication layer's own files. Not for others.
#pragma once
#include "core/shard.h"
#include "sql/type/datum.h"

// A timestamp in a system table: text, as hlc_format writes it. NULL and "" are no time (HLC_ZERO).
bool repl_hlc_parse(struct datum datum, struct hlc_timestamp *ts);
// This cluster's id as a uuid.
const char *repl_cluster_id(struct arena *arena, struct node *node);
void consumer_record_register(void);

// How the consumer's running_status begins while it makes ranges as the source has them.
#define REPL_SPLITTING "creating"

// --- of statements -----------------------------------------------------------------------------------

struct statement_context;
struct option_list;
struct expr;

struct replication_options {
    bool has_retention, has_window, has_reader;
    bool reader; // READ VIRTUAL CLUSTER
    int64_t retention_s;
    int64_t window_us;
};
// `starting`: of CREATE and START REPLICATION.
CHECKED struct status replication_options_of(struct statement_context *context,
    const struct option_list *list, bool starting, struct replication_options *options);
// " WITH OPTIONS (...)" of those that are kept; nothing without any.
struct buffer;
void replication_options_describe(struct buffer *out, const struct replication_options *options);
// The source's address, checked.
CHECKED struct status replication_uri_of(
    struct statement_context *context, struct expr *expr, const char **uri);
