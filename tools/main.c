// SPDX-License-Identifier: GPL-3.0-or-later
//
// The `isopod` program: finds the command and runs it.
#include <stdio.h>
#include <string.h>

#include "core/heap.h"
#include "core/text.h"
#include "tools/commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"start-single-node", command_start_single_node, "start a cluster of one node"},
    {"start", command_start, "start a node"},
    {"init", command_init, "make a cluster of nodes that were started with --join"},
    {"node", command_node, "list, inspect, drain and remove nodes"},
    {"debug", command_debug, "ways out of trouble: recover after nodes are lost for good"},
    {"sql", command_sql, "open a SQL shell, or run statements"},
    {"cert", command_cert, "make certificates for nodes and users"},
    {"workload", command_workload, "fill databases with examples and put load on them"},
    {"demo", command_demo, "start a throw-away cluster with a SQL shell"},
    {"version", command_version, "print versions of the program and its libraries"},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void usage(FILE *out)
{
    fprintf(out, "Isopod: a SQL database for many virtual clusters.\n\nUsage:\n  isopod COMMAND [flags]\n\nCommands:\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-18s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nRun `isopod COMMAND --help` for the flags of a command.\n");
}

extern const char *malloc_conf; // Read by jemalloc.
const char *malloc_conf = HEAP_OPTIONS;

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) return command_version(0, NULL);
    const char *names[COMMAND_COUNT + 1] = {0};
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    }
    const char *near = text_nearest(argv[1], names);
    fprintf(stderr, "ERROR: unknown command \"%s\"\n", argv[1]);
    if (near != NULL) fprintf(stderr, "HINT: did you mean \"%s\"?\n", near);
    fprintf(stderr, "Run `isopod --help` for the list.\n");
    return EXIT_USAGE;
}
