// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/env_sim_trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/env_sim_parts.h"
#include "core/log_sink.h"
#include "core/shard.h"

static const char *const area_names[SIM_AREAS] = {"node", "fault", "work", "check", "task", "disk", "net", "core", "kv",
    "raft", "sql", "tenant", "repl", "sim"};

static const struct {
    const char *name;
    uint64_t areas;
} several[] = {{"story", SIM_AREAS_STORY}, {"events", SIM_AREAS_EVENTS}, {"log", SIM_AREAS_LOG}, {"all", SIM_AREAS_ALL}};

static const struct {
    const char *name;
    enum sim_area area;
    char letter;
} events[] = {
    {"start", SIM_AREA_NODE, 'S'}, {"stop", SIM_AREA_NODE, 'T'}, {"crash", SIM_AREA_NODE, 'C'},
    {"kill", SIM_AREA_NODE, 'K'}, {"pause", SIM_AREA_NODE, 'P'}, {"down", SIM_AREA_NODE, 'O'},
    {"note", SIM_AREA_CHECK, 'V'},
    {"turn", SIM_AREA_TASK, 't'}, {"message", SIM_AREA_TASK, 'm'}, {"helper", SIM_AREA_TASK, 'h'},
    {"helper-done", SIM_AREA_TASK, 'e'}, {"stop-again", SIM_AREA_TASK, 'g'},
    {"open", SIM_AREA_DISK, 'o'}, {"close", SIM_AREA_DISK, 'c'}, {"read", SIM_AREA_DISK, 'r'},
    {"write", SIM_AREA_DISK, 'w'}, {"sync", SIM_AREA_DISK, 'y'}, {"allocate", SIM_AREA_DISK, 'a'},
    {"truncate", SIM_AREA_DISK, 'u'}, {"size", SIM_AREA_DISK, 'z'}, {"rename", SIM_AREA_DISK, 'n'},
    {"unlink", SIM_AREA_DISK, 'x'}, {"mkdir", SIM_AREA_DISK, 'k'}, {"list", SIM_AREA_DISK, 'l'},
    {"connect", SIM_AREA_NET, 'v'}, {"connected", SIM_AREA_NET, 'j'}, {"connect-fail", SIM_AREA_NET, 'f'},
    {"accept", SIM_AREA_NET, 'b'}, {"pump", SIM_AREA_NET, 'p'}, {"deliver", SIM_AREA_NET, 'd'},
    {"sent", SIM_AREA_NET, 's'}, {"send-fail", SIM_AREA_NET, 'f'}, {"recv-fail", SIM_AREA_NET, 'f'},
    {"recv-cancel", SIM_AREA_NET, 'q'}, {"canceled", SIM_AREA_NET, 'q'}, {"reset", SIM_AREA_NET, 'i'},
};
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct sim *told;   // Into whose story the log's lines go.
static const struct sim *headed; // Whose columns have a head.

// --- areas ---------------------------------------------------------------------------------------

static uint64_t areas_by_name(struct bytes name)
{
    for (uint32_t i = 0; i < COUNT_OF(several); i++) {
        if (bytes_equal(bytes_of_string(several[i].name), name)) return several[i].areas;
    }
    for (uint32_t i = 0; i < SIM_AREAS; i++) {
        if (bytes_equal(bytes_of_string(area_names[i]), name)) return SIM_AREA_BIT(i);
    }
    return 0;
}

bool sim_areas_parse(const char *list, uint64_t *areas, struct bytes *wrong)
{
    uint64_t all = 0;
    for (const char *at = list;; at++) {
        struct bytes name = {(const uint8_t *)at, strcspn(at, ",")};
        uint64_t more = areas_by_name(name);
        if (more == 0) {
            *wrong = name;
            return false;
        }
        all |= more;
        at += name.size;
        if (*at == 0) break;
    }
    *areas = all;
    return true;
}

char *sim_areas_text(struct arena *arena, uint64_t areas)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < SIM_AREAS; i++) {
        if ((areas & SIM_AREA_BIT(i)) != 0) buffer_printf(&out, "%s%s", out.size == 0 ? "" : ",", area_names[i]);
    }
    return buffer_string(&out);
}

enum sim_area sim_area_of_file(const char *file)
{
    if (strncmp(file, "kv/raft", 7) == 0) return SIM_AREA_RAFT;
    const size_t folder = strcspn(file, "/");
    for (uint32_t i = SIM_AREA_CORE; i < SIM_AREAS; i++) {
        if (strlen(area_names[i]) == folder && strncmp(file, area_names[i], folder) == 0) return (enum sim_area)i;
    }
    return SIM_AREA_SQL; // Its folders: "exec/..."; only the last one is in a line of the log.
}

enum sim_area sim_area_of_event(const char *name, char *letter)
{
    for (uint32_t i = 0; i < COUNT_OF(events); i++) {
        if (strcmp(events[i].name, name) != 0) continue;
        *letter = events[i].letter;
        return events[i].area;
    }
    *letter = '?';
    return SIM_AREA_TASK;
}

// --- lines ---------------------------------------------------------------------------------------

// Before the first line: all nodes are there.
static void head_print(const struct sim *sim)
{
    fprintf(stderr, "%16s  *", "time s");
    for (uint32_t i = 0; i < sim->node_count; i++)
        fprintf(stderr, "%3" PRIu32, sim->nodes[i]->id);
    fputc('\n', stderr);
}

void sim_vtrace(const struct sim *sim, enum sim_area area, uint32_t node, char letter, const char *what,
    const char *format, va_list args)
{
    char line[1024];
    if ((sim->options.trace & SIM_AREA_BIT(area)) == 0) return;
    if (headed != sim) head_print(sim);
    headed = sim;
    int size = snprintf(line, sizeof line, "%16.9f  %c", (double)sim->now_ns / 1e9, node == 0 ? letter : ' ');
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *one = sim->nodes[i];
        char state = one->node == NULL ? ' ' : one->paused_until_ns > sim->now_ns ? '~' : '|';
        size += snprintf(line + size, sizeof line - (size_t)size, "  %c", one->id == node ? letter : state);
    }
    fprintf(stderr, "%s  %-20s ", line, what);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void sim_trace(const struct sim *sim, enum sim_area area, uint32_t node, char letter, const char *what,
    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sim_vtrace(sim, area, node, letter, what, format, args);
    va_end(args);
}

void sim_trace_event(const struct sim *sim, uint32_t node, const char *name, uint64_t number)
{
    if (sim->options.trace == 0) return;
    char letter;
    enum sim_area area = sim_area_of_event(name, &letter);
    if (area == SIM_AREA_TASK && (strcmp(name, "turn") == 0 || strcmp(name, "message") == 0))
        sim_trace(sim, area, node, letter, name, "s%" PRIu64 " %" PRIu64, number >> 8, number & 0xff);
    else
        sim_trace(sim, area, node, letter, name, "%" PRId64, (int64_t)number);
}

static void log_told(const struct log_sink_line *line)
{
    const struct shard *shard = shard_self();
    char where[64], whose[32] = "";
    enum sim_area area = sim_area_of_file(line->file);
    snprintf(where, sizeof where, "%s:%d", line->file, line->line);
    if (line->tenant != 0) snprintf(whose, sizeof whose, "T%" PRIu64 " ", line->tenant);
    sim_trace(told, area, shard == NULL ? 0 : shard->node->id, line->letter, where, "s%" PRIu32 " %s%s",
        shard == NULL ? 0 : shard->index, whose, line->message);
}

void sim_trace_log(const struct sim *sim)
{
    told = sim;
    headed = NULL;
    log_sink_set(sim == NULL ? NULL : log_told);
}

void sim_trace_options(const struct sim *sim)
{
    const struct sim_options *o = &sim->options;
    fprintf(stderr, "  disk       %.3f to %.3f ms, %" PRIu32 " of a million operations slow\n",
        (double)o->disk_latency_min_ns / 1e6, (double)o->disk_latency_max_ns / 1e6, o->disk_slow_per_million);
    fprintf(stderr, "  network    %.3f to %.3f ms\n", (double)o->net_latency_min_ns / 1e6, (double)o->net_latency_max_ns / 1e6);
    fprintf(stderr, "  messages   up to %.3f ms between shards\n", (double)o->message_delay_max_ns / 1e6);
    fprintf(stderr, "  rare paths %s\n", o->bend ? "more often" : "as they come");
}
