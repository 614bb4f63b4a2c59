// SPDX-License-Identifier: GPL-3.0-or-later
//
// Log lines for somebody else than the log's file. Simulation takes them, to show those of the areas that were asked
// for among its own events, with the virtual time and the node (core/env_sim_trace.h).
#pragma once
#include "core/log.h"

struct log_sink_line {
    enum log_severity severity;
    char letter;      // Of the severity: D, I, W, E, F.
    const char *file; // "kv/lease.c"
    int line;
    uint64_t tenant;
    const char *message;
};

// Lines that would be written go to `sink` instead; NULL: they are written again. Set while one thread logs.
void log_sink_set(void (*sink)(const struct log_sink_line *line));
