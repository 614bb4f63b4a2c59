// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the client commands (sql, workload) share: the flags that say where to connect, and a node of one shard to
// run the wire client on.
#pragma once
#include "core/flags.h"
#include "core/task.h"
#include "sql/wire/pgclient.h"

struct client_flags {
    const char *url, *host, *user, *database, *certs_dir, *cluster;
    uint64_t port;
    bool insecure;
};
// The table's first CLIENT_FLAG_COUNT entries.
#define CLIENT_FLAG_COUNT 8u
void client_flags_init(struct client_flags *flags, struct flag *table);
// The connection that flags and environment (ISOPOD_URL) ask for. `url` is an argument, or NULL.
CHECKED struct status client_options(struct arena *arena, const struct client_flags *flags,
    const char *url, struct pgclient_options *options);

// Runs `fn` as a task on a node of `shards` shards, to its end.
CHECKED struct status client_run(task_fn fn, void *arg, uint32_t shards);
