// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod demo`: a throw-away cluster in a folder of its own, with a virtual cluster, an example database and a shell.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/client.h"
#include "tools/commands.h"
#include "tools/demo_nodes.h"
#include "tools/server.h"
#include "tools/workload.h"

struct demo {
    const char *folder, *workload, *execute, *format;
    bool empty;
    uint64_t sql_port, http_port, shards;
    int exit_code;
};

struct demo_shell {
    const struct demo *demo;
    char url[256];
};

static void run_shell(void *arg)
{
    struct demo_shell *call = arg;
    char *program = realpath("/proc/self/exe", NULL);
    if (program == NULL) return;
    pid_t child = fork();
    if (child == 0) {
        const char *argv[] = {program, "sql", "--url", call->url, NULL, NULL, NULL, NULL, NULL};
        unsigned count = 4;
        if (call->demo->execute != NULL) argv[count++] = "-e", argv[count++] = call->demo->execute;
        if (call->demo->format != NULL) argv[count++] = "--format", argv[count++] = call->demo->format;
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int code = 1;
    if (child > 0) waitpid(child, &code, 0);
    free(program);
    ((struct demo *)(uintptr_t)call->demo)->exit_code = WIFEXITED(code) ? WEXITSTATUS(code) : 1;
}

static struct status serving(
    struct task *task, const char *sql_address, const char *http_address, void *arg)
{
    struct status st;
    struct demo *demo = arg;
    struct pgclient_options connect = {.ssl = PGCLIENT_SSL_DISABLE, .user = "root", .host_count = 1};
    connect.hosts[0] = "localhost";
    connect.ports[0] = (uint16_t)strtoul(strrchr(sql_address, ':') + 1, NULL, 10);
    const char *database = "defaultdb";
    if (!demo->empty) {
        const struct workload *workload = workload_find(demo->workload);
        struct workload_options options;
        workload_options_init(&options);
        TRY(workload_load(task, workload, &options, &connect, true));
        database = workload->database;
    }
    if (demo->execute == NULL)
        printf("A throw-away cluster: its data is gone when you leave the shell.\n\n"
               "  application:       postgresql://root@localhost:%u/%s?sslmode=disable\n"
               "  system interface:  postgresql://root@localhost:%u/defaultdb?sslmode=disable&options=-ccluster%%3Dsystem\n"
               "  console:           http://localhost%s\n\n",
            connect.ports[0], database, connect.ports[0], strrchr(http_address, ':'));
    fflush(stdout);
    struct demo_shell call = {.demo = demo};
    snprintf(call.url, sizeof call.url, "postgresql://root@localhost:%u/%s?sslmode=disable", connect.ports[0], database);
    st = helper_call(task, run_shell, &call);
out:
    return st;
}

// --- several nodes ---------------------------------------------------------------------------------------

struct demo_cluster {
    struct demo *demo;
    struct pgclient_options connect;
    const char *database;
};

static struct status load_example(struct task *task, void *arg)
{
    struct demo_cluster *cluster = arg;
    const struct workload *workload = workload_find(cluster->demo->workload);
    struct workload_options options;
    workload_options_init(&options);
    cluster->database = workload->database;
    return workload_load(task, workload, &options, &cluster->connect, true);
}

static struct status serving_nodes(const char *const *addresses, void *arg)
{
    struct demo *demo = arg;
    struct demo_cluster cluster = {.demo = demo,
        .connect = {.ssl = PGCLIENT_SSL_DISABLE, .user = "root", .host_count = 1},
        .database = "defaultdb"};
    struct status st = STATUS_OK;
    cluster.connect.hosts[0] = "localhost";
    cluster.connect.ports[0] = (uint16_t)strtoul(strrchr(addresses[0], ':') + 1, NULL, 10);
    if (!demo->empty) TRY(client_run(load_example, &cluster, 1));
    struct demo_shell call = {.demo = demo};
    snprintf(call.url, sizeof call.url, "postgresql://root@%s/%s?sslmode=disable", addresses[0], cluster.database);
    run_shell(&call);
out:
    return st;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

int command_demo(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code;
    arena_init(&arena, NULL);
    struct demo demo = {.workload = "movr", .sql_port = 0, .http_port = 0};
    uint64_t nodes = 1;
    bool insecure = true;
    struct flag table[] = {
        {.name = "execute", .letter = 'e', .kind = FLAG_STRING, .value = &demo.execute, .argument = "sql", .help = "run this and leave"},
        {.name = "format", .kind = FLAG_STRING, .value = &demo.format, .argument = "name", .help = "form of results, as in isopod sql"},
        {.name = "empty", .kind = FLAG_BOOL, .value = &demo.empty, .help = "no example database"},
        {.name = "no-example-database", .kind = FLAG_BOOL, .value = &demo.empty, .help = "the same", .hidden = true},
        {.name = "insecure", .kind = FLAG_BOOL, .value = &insecure, .help = "always on: the demo serves this machine alone", .hidden = true},
        {.name = "nodes", .kind = FLAG_U64, .value = &nodes, .help = "processes that are nodes of the cluster", .min = 1, .max = DEMO_NODES_MAX},
        {.name = "sql-port", .kind = FLAG_U64, .value = &demo.sql_port, .help = "0: any", .max = 65535},
        {.name = "http-port", .kind = FLAG_U64, .value = &demo.http_port, .help = "0: any", .max = 65535},
        {.name = "shards", .kind = FLAG_U64, .value = &demo.shards, .help = "shards (threads); 0: one a core", .max = 256},
        {.name = NULL},
    };
    struct flags_command command = {.name = "isopod demo",
        .arguments = "[bank|kv|movr]",
        .summary = "Starts a throw-away cluster with a virtual cluster and an example database, and opens a shell on it.",
        .flags = table,
        .arguments_max = 1};
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    if (result.argument_count == 1) demo.workload = result.arguments[0];
    if (workload_find(demo.workload) == NULL) {
        fprintf(stderr, "ERROR: unknown workload \"%s\"\nHINT: choose bank, kv or movr.\n", demo.workload);
        exit_code = EXIT_USAGE;
        goto out;
    }
    char folder[] = "/tmp/isopod-demo-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        fprintf(stderr, "ERROR: cannot make a folder in /tmp\n");
        exit_code = 1;
        goto out;
    }
    if (nodes > 1) {
        struct demo_nodes_options many = {.folder = folder,
            .count = (uint32_t)nodes,
            .sql_port = demo.sql_port,
            .shards = demo.shards == 0 ? 1 : demo.shards,
            .quiet = demo.execute != NULL};
        struct status done = demo_nodes_run(&arena, &many, serving_nodes, &demo);
        if (failed(done)) print_failure(done);
        exit_code = failed(done) ? 1 : demo.exit_code;
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        goto out;
    }
    struct server_options options = {.arena = &arena,
        .store = folder,
        .listen_addr = arena_printf(&arena, "localhost:%u", (unsigned)demo.sql_port),
        .http_addr = arena_printf(&arena, "localhost:%u", (unsigned)demo.http_port),
        .insecure = true,
        .single = true,
        .cache_bytes = 256u << 20,
        .shards = (uint32_t)demo.shards,
        .profile = "virtual+app",
        .quiet = true,
        .background_fd = -1,
        .serving = serving,
        .arg = &demo};
    struct status st = server_run(&options);
    if (failed(st)) print_failure(st);
    exit_code = failed(st) ? 1 : demo.exit_code;
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
out:
    arena_fini(&arena);
    return exit_code;
}
