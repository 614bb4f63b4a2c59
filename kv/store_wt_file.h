// SPDX-License-Identifier: GPL-3.0-or-later
//
// WiredTiger's files. As its own, but for one thing: no room on the disk is no failure. WiredTiger panics when a
// write fails, and then its data cannot even be read; so its own threads and our helpers wait here until
// there is room again, and a shard that was drafted into eviction is told that the page is busy, so that
// reads go on.
//
// Shard    Called on WiredTiger's threads, helpers and shards; no state of its own.
#pragma once
#include <wiredtiger.h>

// A file in the store's folder that takes up room until there is no other.
#define STORE_RESERVE_NAME "reserve"

// Named in the configuration of wiredtiger_open, which looks it up by name in the program.
int store_wt_file_load(WT_CONNECTION *connection, WT_CONFIG_ARG *config);
#define STORE_WT_FILE_CONFIG "extensions=(local=(entry=store_wt_file_load,early_load=true))"
