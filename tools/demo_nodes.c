// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod demo --nodes N`: N processes on this machine that are one cluster, and a shell on it. The processes are this
// program's own `start`, so that one can be killed and started again by hand.
#include "tools/demo_nodes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_S 60

struct nodes {
    struct arena *arena;
    const struct demo_nodes_options *options;
    char *program;
    const char *join;
    uint32_t ports[DEMO_NODES_MAX];
    pid_t pids[DEMO_NODES_MAX];
};

// Different ports that nobody listens on now.
static void free_ports(uint32_t *ports, uint32_t count)
{
    int fds[DEMO_NODES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        ports[i] = 0;
        if (fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&address, size) == 0 &&
            getsockname(fds[i], (struct sockaddr *)&address, &size) == 0)
            ports[i] = ntohs(address.sin_port);
    }
    // All are held until all are chosen: else one could be given twice.
    for (uint32_t i = 0; i < count; i++)
        if (fds[i] >= 0) close(fds[i]);
}

static const char *command_of(const struct nodes *nodes, uint32_t i)
{
    const struct demo_nodes_options *options = nodes->options;
    return arena_printf(nodes->arena,
        "%s start --insecure --store=%s/n%u --listen-addr=localhost:%u --http-addr=localhost:0 --join=%s "
        "--locality=region=demo,zone=z%u --cache=%llu --shards=%u --no-pin --config-profile=virtual+app",
        nodes->program, options->folder, i + 1, nodes->ports[i], nodes->join, i + 1,
        (unsigned long long)(128u << 20), (unsigned)options->shards);
}

static pid_t spawn(const struct nodes *nodes, const char *command, const char *output)
{
    pid_t child = fork();
    if (child != 0) return child;
    int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0640);
    int null = open("/dev/null", O_RDONLY);
    // However the demo ends, also when it is killed: its nodes do not outlive it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Ctrl-C in the shell is the shell's.
    setpgid(0, 0);
    if (null >= 0) dup2(null, 0);
    if (fd >= 0) dup2(fd, 1), dup2(fd, 2);
    char *copy = arena_strdup(nodes->arena, command), *rest = copy, *argv[32];
    int count = 0;
    for (char *one; (one = strsep(&rest, " ")) != NULL && count < 31;) {
        argv[count++] = one;
        if (strcmp(one, "-e") != 0 || rest == NULL) continue;
        argv[count++] = rest; // A statement: the last argument.
        break;
    }
    argv[count] = NULL;
    execv(nodes->program, argv);
    _exit(127);
}

static void pause_ms(long ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

static bool ran(pid_t child)
{
    int code = 1;
    while (child > 0 && waitpid(child, &code, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(code) && WEXITSTATUS(code) == 0;
}

// Runs one of the program's commands until it succeeds.
static bool until_done(const struct nodes *nodes, const char *command)
{
    const char *output = arena_printf(nodes->arena, "%s/commands.log", nodes->options->folder);
    time_t until = time(NULL) + START_TIMEOUT_S;
    while (time(NULL) <= until) {
        if (ran(spawn(nodes, command, output))) return true;
        pause_ms(250);
    }
    return false;
}

// Until every slice is there with three copies: before, the loss of one node could be one too many. Two nodes can
// lose none.
static bool until_copied(const struct nodes *nodes)
{
    uint32_t count = nodes->options->count;
    if (count < 3) return true;
    return until_done(nodes,
        arena_printf(nodes->arena,
            "%s sql --insecure --host=localhost:%u --cluster=system -e SELECT 1 / (count(*) >= %u AND min(length(voting_replicas) - "
            "length(replace(voting_replicas, ',', ''))) >= 2)::INT FROM crdb_internal.slices",
            nodes->program, nodes->ports[0], 2 * count * (unsigned)nodes->options->shards));
}

static struct status start_all(struct nodes *nodes)
{
    uint32_t count = nodes->options->count;
    struct arena *arena = nodes->arena;
    free_ports(nodes->ports, count);
    if (nodes->options->sql_port != 0) nodes->ports[0] = (uint32_t)nodes->options->sql_port;
    for (uint32_t i = 0; i < count; i++)
        nodes->join = arena_printf(
            arena, "%s%slocalhost:%u", i == 0 ? "" : nodes->join, i == 0 ? "" : ",", nodes->ports[i]);
    // One after the other: so the ids that they get are the numbers that are told.
    for (uint32_t i = 0; i < count; i++) {
        nodes->pids[i] = spawn(nodes, command_of(nodes, i),
            arena_printf(arena, "%s/n%u.log", nodes->options->folder, i + 1));
        if (i == 0 && !until_done(nodes, arena_printf(arena, "%s init --insecure --host=localhost:%u", nodes->program, nodes->ports[0])))
            return status_format(arena, E_CANNOT_CONNECT_NOW, "the nodes did not start; see %s/n1.log", nodes->options->folder);
        if (!until_done(nodes, arena_printf(arena, "%s sql --insecure --host=localhost:%u -e SELECT(1)", nodes->program, nodes->ports[i])))
            return status_format(arena, E_CANNOT_CONNECT_NOW, "a node did not start; see %s/n%u.log",
                nodes->options->folder, i + 1);
    }
    if (!until_copied(nodes) && !nodes->options->quiet)
        printf("Not all data has its copies yet: see SHOW RANGES WITH DETAILS before you kill a node.\n");
    return STATUS_OK;
}

static void stop_all(struct nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->options->count; i++)
        if (nodes->pids[i] > 0) kill(nodes->pids[i], SIGKILL);
    for (uint32_t i = 0; i < nodes->options->count; i++)
        if (nodes->pids[i] > 0) waitpid(nodes->pids[i], NULL, 0);
}

struct status demo_nodes_run(struct arena *arena, const struct demo_nodes_options *options,
    struct status (*serving)(const char *const *addresses, void *arg), void *arg)
{
    struct nodes *nodes = ARENA_NEW(arena, struct nodes);
    struct status st;
    nodes->arena = arena;
    nodes->options = options;
    nodes->program = realpath("/proc/self/exe", NULL);
    if (nodes->program == NULL) return status_make(E_IO_ERROR, "cannot find the program's own file");
    TRY(start_all(nodes));
    const char **addresses = ARENA_ARRAY(arena, const char *, options->count + 1);
    for (uint32_t i = 0; i < options->count; i++)
        addresses[i] = arena_printf(arena, "localhost:%u", nodes->ports[i]);
    if (!options->quiet) {
        printf("A throw-away cluster of %u processes: its data is gone when you leave the shell.\n\n", options->count);
        for (uint32_t i = 0; i < options->count; i++)
            printf("  node %u  postgresql://root@%s/defaultdb?sslmode=disable   (kill it: kill -9 %d)\n", i + 1,
                addresses[i], (int)nodes->pids[i]);
        printf("\nStart a killed one again, for example the last:\n  %s &\n", command_of(nodes, options->count - 1));
        printf("Look at them:  %s node status --insecure --host=%s\n\n", nodes->program, addresses[0]);
        fflush(stdout);
    }
    st = serving(addresses, arg);
out:
    stop_all(nodes);
    free(nodes->program);
    return st;
}
