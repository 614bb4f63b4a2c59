// SPDX-License-Identifier: GPL-3.0-or-later
//
// Structured log lines, for people and for grep:
//
//   I261121 19:31:07.290757 0 sql/exec.c:554 [T3,application,n1] message
//
// Severity letter, UTC date and time, shard, source position, tags (tenant id and name, node).
// Lines go to isopod.log in the log folder (and to standard error from a severity on), written by a
// thread of the log's own; a full queue (1 MiB) drops lines and says how many, it never blocks a
// reactor. Each start, and each 100 MiB, puts the former file aside under its time; the ten newest
// of those are kept.
//
// Secrets never go in: no passwords, no keys, no row contents.
#pragma once
#include <stdint.h>

#include "core/status.h"

enum log_severity { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_FATAL };

// NULL `dir`: standard error only. Before this is called lines go to standard error.
CHECKED struct status log_open(const char *dir, uint32_t node_id, enum log_severity to_stderr);
// The node's id once it is known: `log_open` may come before.
void log_node_set(uint32_t node_id);
void log_flush(void); // Waits until what was logged is written.
void log_close(void);

// Lines below it are not written. LOG_INFO at first.
void log_severity_set(enum log_severity least);

// Names a tenant for the tags of its lines. Any thread.
void log_tenant_name_set(uint64_t tenant, const char *name);

// Is called with each message, whatever its severity and whether or not it is written; NULL: nothing is. For simulation,
// where one thread logs.
void log_watch_set(void (*watch)(uint64_t tenant, const char *message));

void log_line(enum log_severity severity, const char *file, int line, uint64_t tenant,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

// Writes to standard error and to the log's file at once, from any thread and without its queue:
// the last words before abort().
void log_fatal(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(tenant, ...) log_line(LOG_DEBUG, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_info(tenant, ...) log_line(LOG_INFO, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_warning(tenant, ...) log_line(LOG_WARNING, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_error(tenant, ...) log_line(LOG_ERROR, __FILE__, __LINE__, (tenant), __VA_ARGS__)
