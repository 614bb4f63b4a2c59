// SPDX-License-Identifier: GPL-3.0-or-later
//
// The commands of the `isopod` program. Each takes its own arguments (without the program's and its own
// name) and gives the process's exit code: 0 done, 1 it failed, 2 it was called wrongly.
#pragma once
#include "core/arena.h"
#include "core/flags.h"
#include "core/status.h"

#define EXIT_USAGE 2

int command_start(int argc, char **argv);
int command_start_single_node(int argc, char **argv);
int command_init(int argc, char **argv);
int command_node(int argc, char **argv);
int command_debug(int argc, char **argv);
int command_sql(int argc, char **argv);
int command_cert(int argc, char **argv);
int command_workload(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_version(int argc, char **argv);

// Prints a failure the way every command does: ERROR, SQLSTATE, DETAIL, HINT.
void print_failure(struct status st);
// Parses flags; true when the command is to go on, else *exit_code says how it ends (help was printed).
bool parse_command(struct arena *arena, const struct flags_command *command, int argc, char **argv,
    struct flags_result *result, int *exit_code);
