// SPDX-License-Identifier: GPL-3.0-or-later
//
// Structured log lines, for people and for grep:
//
//   I261121 19:31:07.290757 0 sql/exec.c:554 [T3,application,n1] message
//
// Severity letter, UTC date and time, shard, source position, tags (tenant id and name, node). Lines go
// to a file in the log folder (and to standard error for W and above when asked), gathered per shard and
// written by a helper thread; a full queue drops lines and says how many, it never blocks a reactor.
// Secrets never go in: no passwords, no keys, no row contents.
#pragma once
#include <stdint.h>

enum log_severity { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_FATAL };

struct status;

// NULL `dir`: standard error only. Before this is called lines go to standard error.
struct status log_open(const char *dir, uint32_t node_id, enum log_severity to_stderr);
void log_flush(void); // Waits until what was logged is written.
void log_close(void);

// Names a tenant for the tags of its lines. Any thread.
void log_tenant_name_set(uint64_t tenant, const char *name);

void log_line(enum log_severity severity, const char *file, int line, uint64_t tenant,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

#define log_debug(tenant, ...) log_line(LOG_DEBUG, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_info(tenant, ...) log_line(LOG_INFO, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_warning(tenant, ...) log_line(LOG_WARNING, __FILE__, __LINE__, (tenant), __VA_ARGS__)
#define log_error(tenant, ...) log_line(LOG_ERROR, __FILE__, __LINE__, (tenant), __VA_ARGS__)
