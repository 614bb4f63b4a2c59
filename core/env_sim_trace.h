// SPDX-License-Identifier: GPL-3.0-or-later
//
// The story of a simulated run, for eyes: one line an event, in columns that stay where they are.
//
//          time s  *  1  2  3
//    12.400123456     |  w     write                8192
//    12.400301200     |  I     kv/lease.c:212       s0 ...
//
// The virtual time, the world, a column a node, what it was, and more words. An event's letter stands in the column of
// its node (of the world's own in the first). "|" is a node that runs, "~" one that is paused, nothing one that is down.
//
// Each event belongs to an area, and a run shows those of its sim_options.trace; what is shown changes nothing in it.
//
//     node   S start, T stop, C crash, K kill, P pause, O off       fault  X
//     work   Q what clients ask and hear                            check  V what checkers saw
//     task   t turn of a shard, m message between shards, h helper of a shard, e its end, g going down
//     disk   o open, c close, r read, w write, y sync, a allocate, u truncate, z size, n rename, x unlink, k mkdir, l list
//     net    v connect, j connected, b accept, p pump (onto the link), d deliver, s sent, f failed, q canceled, i reset
//     core, kv, raft, sql, tenant, repl, sim     lines of the log by their file; the letter is their severity's
//
// Shard    The driver's side, as core/env_sim.h.
#pragma once
#include <stdarg.h>

#include "core/arena.h"
#include "core/env_sim.h"

enum sim_area {
    SIM_AREA_NODE, SIM_AREA_FAULT, SIM_AREA_WORK,
    SIM_AREA_CHECK, SIM_AREA_TASK, SIM_AREA_DISK, SIM_AREA_NET,
    SIM_AREA_CORE, SIM_AREA_KV, SIM_AREA_RAFT, SIM_AREA_SQL, SIM_AREA_TENANT, SIM_AREA_REPL, SIM_AREA_SIM,
    SIM_AREAS
};
#define SIM_AREA_BIT(area) (UINT64_C(1) << (area))
// What is done and what happens to it; all that events are; lines of the log.
#define SIM_AREAS_STORY (SIM_AREA_BIT(SIM_AREA_NODE) | SIM_AREA_BIT(SIM_AREA_FAULT) | SIM_AREA_BIT(SIM_AREA_WORK))
#define SIM_AREAS_EVENTS (SIM_AREA_BIT(SIM_AREA_CORE) - 1)
#define SIM_AREAS_ALL (SIM_AREA_BIT(SIM_AREAS) - 1)
#define SIM_AREAS_LOG (SIM_AREAS_ALL & ~SIM_AREAS_EVENTS)

// "kv,raft", "story,log", "events", "all": as bits. False when there is a word that is none of them: *wrong.
bool sim_areas_parse(const char *list, uint64_t *areas, struct bytes *wrong);
char *sim_areas_text(struct arena *arena, uint64_t areas);
// Of a log line from that file ("kv/raft_log.c").
enum sim_area sim_area_of_file(const char *file);
// Of an event by its name (struct sim_event); *letter as above, '?' for one that is not known.
enum sim_area sim_area_of_event(const char *name, char *letter);

// A line, on standard error; nothing when the area is not shown. `node`: its id; 0: the world.
void sim_trace(const struct sim *sim, enum sim_area area, uint32_t node, char letter, const char *what,
    const char *format, ...) __attribute__((format(printf, 6, 7)));
void sim_vtrace(const struct sim *sim, enum sim_area area, uint32_t node, char letter, const char *what,
    const char *format, va_list args) __attribute__((format(printf, 6, 0)));
// The line of one event, as the environment tells of it.
void sim_trace_event(const struct sim *sim, uint32_t node, const char *name, uint64_t number);
// Takes the log's lines (core/log_sink.h) into this simulation's story; NULL: they go where they went.
void sim_trace_log(const struct sim *sim);
// What sim_create drew or was told, a line each, indented.
void sim_trace_options(const struct sim *sim);
