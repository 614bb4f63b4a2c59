// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statistics that renew themselves: when a good part of a table's rows has changed since they were made, or
// there are none, a task in the background collects them anew, one table at a time on each shard.
//
// What it costs is bounded: it rests four times as long as it works, and comes back to a table no sooner
// than that; the numbers of changes are estimates of this shard and are forgotten when it ends.
//
// Shard    Its own tables' changes, by the sessions that run on it.
// Memory   AUTO_TABLES_MAX tables are remembered, the others when there is room again.
// Settings sql.stats.automatic_collection.enabled
#pragma once
#include "core/task.h"

struct session;
struct shard;
struct table_desc;

#define AUTO_TABLES_MAX 1024u
// A change of so many rows, and of this share of the table's, makes statistics old.
#define AUTO_ROWS_MIN 500u
#define AUTO_SHARE 5u // A fifth.

void statistics_auto_register(void);
// Without it nothing is collected: servers call it, tests need not.
CHECKED struct status statistics_auto_start(struct task *task);
// Waits for the task, before the shard's SQL goes.
void statistics_auto_stop(struct task *task);
// Rows of the table have been written. Does not suspend.
void statistics_auto_note(struct session *session, const struct table_desc *table, uint64_t rows);
