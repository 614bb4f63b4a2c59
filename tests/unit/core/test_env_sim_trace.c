// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/env_sim_trace.h"
#include "core/log.h"

static struct arena arena;

static uint64_t parsed(const char *list)
{
    struct bytes wrong;
    uint64_t areas = 0;
    cr_assert(sim_areas_parse(list, &areas, &wrong), "%s", list);
    return areas;
}

Test(sim_trace, areas_are_named_alone_and_several_at_once)
{
    struct bytes wrong;
    uint64_t areas = 77;
    cr_expect_eq(parsed("kv,raft"), SIM_AREA_BIT(SIM_AREA_KV) | SIM_AREA_BIT(SIM_AREA_RAFT));
    cr_expect_eq(parsed("all"), SIM_AREAS_ALL);
    cr_expect_eq(parsed("events,log"), SIM_AREAS_ALL);
    cr_expect_eq(parsed("story"), parsed("work,node,fault"));
    cr_expect_not(sim_areas_parse("kv,", &areas, &wrong));
    cr_expect_not(sim_areas_parse("kv,rafts,sql", &areas, &wrong));
    cr_expect(bytes_equal(wrong, BYTES_LITERAL("rafts")));
    cr_expect_eq(areas, 77, "what is wrong changes nothing");
    arena_init(&arena, NULL);
    cr_expect_str_eq(sim_areas_text(&arena, parsed("raft,kv")), "kv,raft");
    arena_fini(&arena);
}

Test(sim_trace, a_line_of_the_log_belongs_to_the_folder_of_its_file)
{
    cr_expect_eq(sim_area_of_file("core/rpc.c"), SIM_AREA_CORE);
    cr_expect_eq(sim_area_of_file("kv/lease.c"), SIM_AREA_KV);
    cr_expect_eq(sim_area_of_file("kv/raft_log.c"), SIM_AREA_RAFT);
    cr_expect_eq(sim_area_of_file("repl/producer.c"), SIM_AREA_REPL);
    cr_expect_eq(sim_area_of_file("service/server.c"), SIM_AREA_SQL);
    cr_expect_eq(sim_area_of_file("sim/canary.c"), SIM_AREA_SIM);
}

// --- what a run tells ------------------------------------------------------------------------------

static char told[1 << 16];

static void disk_done(struct disk_op *op)
{
    struct wait_queue *queue = op->arg;
    free(op->names);
    wait_queue_wake_all(queue, STATUS_OK);
}

static struct status busy(struct task *task, void *arg)
{
    (void)arg;
    struct wait_queue queue = {0};
    struct disk_op op = {.kind = DISK_LIST, .path = "/data", .complete = disk_done, .arg = &queue};
    log_info(0, "one line of the log");
    task->shard->env->disk_submit(task->shard->env, task->shard, &op);
    return task_wait(task, &queue);
}

// The digest of one run of two nodes, of which the second is crashed; what it has told is in `told`.
static uint64_t run(uint64_t areas)
{
    const struct sim_options options = {.trace = areas};
    const struct node_options one = {.shard_count = 1, .fibers_per_shard = 16};
    char path[] = "/tmp/isopod-trace-XXXXXX";
    int file = mkstemp(path), standard = dup(STDERR_FILENO);
    cr_assert(file >= 0 && standard >= 0);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    struct sim *sim = sim_create(11, &options);
    if (areas != 0) sim_trace_log(sim);
    struct sim_node *nodes[] = {sim_node_add(sim, 1), sim_node_add(sim, 2)};
    for (uint32_t i = 0; i < 2; i++)
        sim_node_start(nodes[i], &one, busy, NULL);
    sim_run_until(sim, NULL, NULL, UINT64_C(20000000));
    sim_node_crash(nodes[1]);
    sim_note(sim, 1);
    uint64_t digest = sim_digest(sim);
    sim_trace_log(NULL);
    sim_destroy(sim);
    fflush(stderr);
    dup2(standard, STDERR_FILENO);
    ssize_t size = pread(file, told, sizeof told - 1, 0);
    cr_assert(size >= 0);
    told[size] = 0;
    close(file);
    close(standard);
    unlink(path);
    return digest;
}

Test(sim_trace, what_is_told_changes_nothing)
{
    uint64_t digest = run(0);
    cr_expect(strstr(told, "start") == NULL);
    cr_expect_eq(run(SIM_AREAS_ALL), digest);
    cr_expect_eq(run(parsed("kv,raft")), digest);
}

Test(sim_trace, other_areas_are_left_out)
{
    run(parsed("disk"));
    cr_expect(strstr(told, "  list ") != NULL, "%s", told);
    cr_expect(strstr(told, "one line of the log") == NULL && strstr(told, " turn ") == NULL && strstr(told, " start ") == NULL,
        "%s", told);
    run(parsed("kv,raft"));
    cr_expect_str_empty(told);
    run(parsed("node,task"));
    cr_expect(strstr(told, " turn ") != NULL && strstr(told, "  list ") == NULL, "%s", told);
}

// A letter an event, in the column of its node; beside it what the other nodes are.
Test(sim_trace, every_line_has_the_columns_of_the_head)
{
    run(SIM_AREAS_ALL);
    static char copy[sizeof told];
    size_t lines = 0, world = 0, off = 0;
    char *rest = memcpy(copy, told, sizeof told);
    const char *first = strsep(&rest, "\n");
    const size_t star = (size_t)(strchr(first, '*') - first);
    cr_assert(strlen(first) == star + 7, "%s", first);
    cr_expect_eq(first[star + 3], '1');
    cr_expect_eq(first[star + 6], '2');
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != 0; lines++) {
        cr_assert(strlen(line) > star + 9, "%s", line);
        int letters = 0;
        for (size_t at = star; at <= star + 6; at++) {
            bool column = (at - star) % 3 == 0;
            if (!column) cr_expect_eq(line[at], ' ', "%s", line);
            letters += (line[at] >= 'a' && line[at] <= 'z') || (line[at] >= 'A' && line[at] <= 'Z');
            cr_expect_neq(line[at], '?', "an event without a letter: %s", line);
        }
        cr_expect_eq(letters, 1, "%s", line);
        cr_expect(line[star + 9] >= 'a' && line[star + 9] <= 'z', "%s", line);
        world += line[star] != ' ';
        off += line[star + 6] == ' ' && line[star + 3] == '|';
    }
    cr_expect(lines >= 8 && world >= 1 && off >= 1, "%s", told);
    cr_expect(strstr(told, "core/test_env_sim_trace.c") != NULL && strstr(told, "one line of the log") != NULL, "%s", told);
}
