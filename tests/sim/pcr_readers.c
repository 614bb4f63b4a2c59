// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/pcr_readers.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/hash.h"
#include "core/hlc.h"
#include "core/mark.h"
#include "sql/wire/pgclient.h"
#include "tests/sim/server_node.h"

#define PAIRS 6u
#define WRITES_MAX 80u
#define SEEN_MAX 48u
#define WRITE_EVERY_NS (200 * WORLD_MS)
#define LOOK_EVERY_NS (700 * WORLD_MS)
#define SAY_NS (20 * WORLD_SECOND)

// Pair n is of the rows 2n and 2n+1.
#define LOOK_COLUMNS "SELECT k, v FROM audit"
#define LOOK_ORDER " ORDER BY k"

struct seen {
    char time[HLC_TEXT_BYTES];
    const char *rows;
    uint32_t node;
};

struct pcr_readers {
    struct world *world;
    const char *source, *reader;
    bool prepared, stopped;
    uint32_t writes, seen_count, looks;
    struct hlc_timestamp latest[WORLD_NODES_MAX + 1]; // Of the node.
    struct seen seen[SEEN_MAX];
};

// A task's connection to a virtual cluster of its own node.
struct talk {
    struct pcr_readers *readers;
    struct world_node *node;
    const char *cluster;
    struct pgclient *client;
    struct pgclient_result result; // Of the last statement.
    struct sim_random random;
};

struct pcr_readers *pcr_readers_new(struct world *world, const char *source, const char *reader)
{
    struct pcr_readers *readers = ARENA_NEW(&world->run->arena, struct pcr_readers);
    readers->world = world;
    readers->source = source;
    readers->reader = reader;
    return readers;
}

void pcr_readers_stop(struct pcr_readers *readers)
{
    readers->stopped = true;
}

struct hlc_timestamp pcr_readers_time(const struct pcr_readers *readers, const struct world_node *node)
{
    return readers->latest[node->id];
}

// --- connections -----------------------------------------------------------------------------------------

static struct status say(struct task *task, struct talk *talk, const char *sql)
{
    struct status st = STATUS_OK;
    struct world *world = talk->node->world;
    struct pgclient_options options = {.connect_timeout_ns = 3 * WORLD_SECOND};
    task->deadline_ns = task_now_ns(task) + SAY_NS;
    if (talk->client == NULL) {
        TRY(pgclient_url_parse(task->arena,
            arena_printf(task->arena, "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster%%3D%s",
                sim_node_address(talk->node->machine), talk->cluster),
            &options));
        TRY(pgclient_connect(task, &options, &talk->client));
    }
    TRY(pgclient_collect(task, talk->client, task->arena, sql, &talk->result));
out:
    task->deadline_ns = UINT64_MAX;
    sim_tell(world->run, world->sim, SIM_AREA_WORK, talk->node->id, "%s says %s: %s", talk->cluster, sql,
        failed(st) ? st.message : "ok");
    return st;
}

static void hang_up(struct talk *talk)
{
    if (talk->client != NULL) pgclient_close(talk->client);
    talk->client = NULL;
}

static const char *rows_of(struct task *task, const struct talk *talk)
{
    struct buffer out;
    buffer_init(&out, task->arena);
    for (uint64_t i = 0; i < talk->result.row_count; i++) {
        for (uint32_t k = 0; k < talk->result.column_count; k++) {
            buffer_append_bytes(&out, pgclient_value(&talk->result, i, k));
            buffer_append_u8(&out, k + 1 < talk->result.column_count ? '=' : ' ');
        }
    }
    buffer_append_u8(&out, 0);
    return (const char *)buffer_bytes(&out).data;
}

// --- writing ---------------------------------------------------------------------------------------------

struct status pcr_readers_prepare(struct task *task, struct world_node *node, struct pcr_readers *readers)
{
    struct status st = STATUS_OK;
    struct talk system = {.readers = readers, .node = node, .cluster = "system"};
    struct talk source = {.readers = readers, .node = node, .cluster = readers->source};
    if (readers->prepared) return STATUS_OK;
    TRY(say(task, &system, arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s START SERVICE SHARED", readers->source)));
    // It is served a moment later.
    while (failed(say(task, &source, "CREATE TABLE IF NOT EXISTS audit (k INT PRIMARY KEY, v TEXT)"))) {
        hang_up(&source);
        TRY(task_sleep(task, 100 * WORLD_MS));
    }
    readers->prepared = true;
out:
    hang_up(&system);
    hang_up(&source);
    return st;
}

static struct status write_main(struct task *task, void *arg)
{
    struct talk *talk = arg;
    struct pcr_readers *readers = talk->readers;
    struct sim_run *run = talk->node->world->run;
    while (!task->cancelled && !readers->stopped && readers->writes < WRITES_MAX) {
        struct arena_mark mark = arena_mark(task->arena);
        uint64_t pair = sim_random_below(&talk->random, PAIRS);
        uint32_t number = ++readers->writes;
        struct status st = say(task, talk,
            arena_printf(task->arena, "UPSERT INTO audit VALUES (%" PRIu64 ", '%s-canary %u'), (%" PRIu64 ", '%s-canary %u')",
                2 * pair, readers->source, number, 2 * pair + 1, readers->source, number));
        sim_count(run, failed(st) ? "pairs refused" : "pairs written", 1);
        if (failed(st)) hang_up(talk);
        arena_release(task->arena, mark);
        st = task_sleep(task, sim_random_below(&talk->random, WRITE_EVERY_NS));
    }
    hang_up(talk);
    talk->node->tasks--;
    return STATUS_OK;
}

// --- reading ---------------------------------------------------------------------------------------------

// What a reader may never be told: that something is not there, or that it is broken.
static bool is_wrong(struct status st)
{
    char code[6];
    status_sqlstate(st, code);
    return strncmp(code, "42", 2) == 0 || strncmp(code, "XX", 2) == 0 || strncmp(code, "22", 2) == 0;
}

static void check_pairs(struct talk *talk, const char *rows)
{
    struct sim_run *run = talk->node->world->run;
    const struct pgclient_result *result = &talk->result;
    for (uint64_t i = 0; i < result->row_count; i++) {
        struct bytes value = pgclient_value(result, i, 1);
        size_t own = strlen(talk->readers->source);
        if (value.size < own || memcmp(value.data, talk->readers->source, own) != 0)
            sim_violation(run, "a reader of node %u sees a row of another virtual cluster: %s", talk->node->id, rows);
        bool whole = (i | 1) < result->row_count && bytes_equal(value, pgclient_value(result, i ^ 1, 1));
        if (!whole) sim_violation(run, "a reader of node %u sees half a transaction: %s", talk->node->id, rows);
    }
}

static void check_time(struct talk *talk, const char *text)
{
    struct pcr_readers *readers = talk->readers;
    struct world_node *node = talk->node;
    struct hlc_timestamp time, *latest = &readers->latest[node->id];
    if (!hlc_parse(text, &time)) sim_violation(node->world->run, "a reader's time is %s", text);
    if (hlc_less(time, *latest))
        sim_violation(node->world->run, "the time of readers of node %u went back to %s", node->id, text);
    *latest = time;
}

static void note(struct talk *talk, const char *time, const char *rows)
{
    struct pcr_readers *readers = talk->readers;
    struct sim_run *run = talk->node->world->run;
    covered("sim.reader_looked");
    sim_count(run, "readers' looks", 1);
    // Which ones are kept is drawn, so that they are from all of the run.
    uint64_t at = readers->seen_count < SEEN_MAX ? readers->seen_count++ : sim_random_below(&talk->random, readers->looks);
    readers->looks++;
    if (at >= SEEN_MAX) return;
    struct seen *seen = &readers->seen[at];
    snprintf(seen->time, sizeof seen->time, "%s", time);
    seen->rows = arena_strdup(&run->arena, rows);
    seen->node = talk->node->id;
}

static struct status look(struct task *task, struct talk *talk)
{
    struct status st;
    struct sim_run *run = talk->node->world->run;
    TRY(say(task, talk, "BEGIN"));
    TRY(say(task, talk, "SELECT cluster_logical_timestamp()"));
    const char *time = arena_string(task->arena, pgclient_value(&talk->result, 0, 0));
    check_time(talk, time);
    TRY(say(task, talk, LOOK_COLUMNS LOOK_ORDER));
    const char *rows = rows_of(task, talk);
    check_pairs(talk, rows);
    if (sim_random_below(&talk->random, 3) == 0) {
        TRY(task_sleep(task, sim_random_below(&talk->random, 2 * WORLD_SECOND)));
        TRY(say(task, talk, LOOK_COLUMNS LOOK_ORDER));
        const char *again = rows_of(task, talk);
        if (strcmp(rows, again) != 0)
            sim_violation(run, "a reader of node %u sees at %s: %s; and then: %s", talk->node->id, time, rows, again);
    }
    note(talk, time, rows);
    if (sim_random_below(&talk->random, 8) == 0) {
        st = say(task, talk, "UPSERT INTO audit VALUES (0, 'a reader')");
        if (!failed(st)) sim_violation(run, "a reader of node %u has written", talk->node->id);
        hang_up(talk);
        return STATUS_OK;
    }
    st = say(task, talk, "COMMIT");
out:
    return st;
}

static struct status read_main(struct task *task, void *arg)
{
    struct talk *talk = arg;
    struct sim_run *run = talk->node->world->run;
    while (!task->cancelled && !talk->readers->stopped) {
        struct arena_mark mark = arena_mark(task->arena);
        bool connected = talk->client != NULL;
        struct status st = look(task, talk);
        if (failed(st) && (connected || talk->client != NULL) && is_wrong(st))
            sim_violation(run, "a reader of node %u is told: %s", talk->node->id, st.message);
        if (failed(st)) hang_up(talk);
        arena_release(task->arena, mark);
        st = task_sleep(task, sim_random_below(&talk->random, LOOK_EVERY_NS));
    }
    hang_up(talk);
    talk->node->tasks--;
    return STATUS_OK;
}

static struct status begin(struct task *task, struct world_node *node, struct pcr_readers *readers, bool reads)
{
    struct world *world = node->world;
    struct talk *talk = ARENA_NEW(&world->run->arena, struct talk);
    *talk = (struct talk){.readers = readers,
        .node = node,
        .cluster = reads ? readers->reader : readers->source,
        .random = sim_random_named(hash_combine(world->run->seed, node->starts * 100 + node->id), "pcr/readers")};
    return server_node_spawn(task, node, reads ? read_main : write_main, talk, reads ? "sim-reader" : "sim-pairs");
}

struct status pcr_readers_write(struct task *task, struct world_node *node, struct pcr_readers *readers)
{
    return begin(task, node, readers, false);
}

struct status pcr_readers_read(struct task *task, struct world_node *node, struct pcr_readers *readers)
{
    return begin(task, node, readers, true);
}

// --- the end ---------------------------------------------------------------------------------------------

struct status pcr_readers_check(struct task *task, struct world_node *node, struct pcr_readers *readers)
{
    struct status st = STATUS_OK;
    struct talk talk = {.readers = readers, .node = node, .cluster = readers->source};
    struct sim_run *run = node->world->run;
    for (uint32_t i = 0; i < readers->seen_count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        const struct seen *seen = &readers->seen[i];
        const char *sql = arena_printf(task->arena, LOOK_COLUMNS " AS OF SYSTEM TIME '%s'" LOOK_ORDER, seen->time);
        for (uint32_t tries = 0; failed(st = say(task, &talk, sql)) && tries < 50; tries++) {
            hang_up(&talk); // The virtual cluster may not be served again yet.
            TRY(task_sleep(task, 200 * WORLD_MS));
        }
        TRY(st);
        const char *rows = rows_of(task, &talk);
        if (strcmp(rows, seen->rows) != 0)
            sim_violation(run, "a reader of node %u saw at %s: %s; the source says: %s", seen->node, seen->time,
                seen->rows, rows);
        arena_release(task->arena, mark);
    }
    sim_count(run, "readers' answers compared", readers->seen_count);
out:
    hang_up(&talk);
    return st;
}
