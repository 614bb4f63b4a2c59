// SPDX-License-Identifier: GPL-3.0-or-later
//
// A server process from its flags to its end: store, key-values, SQL, virtual clusters, replication, HTTP; drains
// on request. What `isopod start` and `isopod demo` run.
//
// Errors   22023 flags that contradict each other; 58030 store in use; and what opening the store says.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/shard.h"
#include "core/status.h"

struct server_options {
    struct arena *arena;      // For the message of a failure.
    const char *store;        // Folder.
    bool in_memory;           // The store's contents are gone when the process ends.
    const char *listen_addr, *http_addr; // "host:port"; http_addr NULL: no HTTP.
    const char *sql_addr;     // SQL on a port of its own; NULL: with the nodes' calls on listen_addr.
    const char *advertise_addr, *advertise_sql_addr, *advertise_http_addr; // NULL: where it listens.
    const char *const *join;  // Nodes of the cluster, NULL-terminated; NULL: none given.
    bool single;              // A new store becomes a cluster of one node at once.
    const char *locality, *attrs;
    int64_t max_offset_ns;    // 0: 500 ms.
    const char *certs_dir;
    bool insecure;
    uint64_t cache_bytes, sql_memory_bytes, temp_storage_bytes;
    uint32_t shards;          // 0: one a core.
    bool pin;
    const char *profile;      // NULL: default.
    const char *log_dir;      // NULL: STORE/logs.
    const char *root_password; // Sets root's password at the first start; NULL: none.
    const char *listening_url_file; // Gets the SQL URL once it serves; NULL: none.
    bool quiet;               // No banner.
    int background_fd;        // Gets one byte once it serves, and the standard streams are let go of; -1: none.
    // Called on shard 0, in a task, once it serves; the server drains and ends when it returns. NULL: it runs until
    // a signal says otherwise.
    struct status (*serving)(struct task *task, const char *sql_address, const char *http_address, void *arg);
    void *arg;
};

// Runs to the end. Installs handlers of SIGTERM and SIGINT (drain; a second one ends at once) and SIGHUP (reloads
// certificates, reopens logs).
CHECKED struct status server_run(const struct server_options *options);
