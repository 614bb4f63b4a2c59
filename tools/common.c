// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "tools/commands.h"

void print_failure(struct status st)
{
    char sqlstate[6];
    status_sqlstate(st, sqlstate);
    fprintf(stderr, "ERROR: %s\nSQLSTATE: %s\n", st.message, sqlstate);
    const struct status_report *report = status_report_of(st);
    if (report != NULL && report->detail != NULL) fprintf(stderr, "DETAIL: %s\n", report->detail);
    if (report != NULL && report->hint != NULL) fprintf(stderr, "HINT: %s\n", report->hint);
}

bool parse_command(struct arena *arena, const struct flags_command *command, int argc, char **argv,
    struct flags_result *result, int *exit_code)
{
    struct status st = flags_parse(arena, command, argc, argv, result);
    if (failed(st)) {
        print_failure(st);
        fprintf(stderr, "Run `%s --help` for its flags.\n", command->name);
        *exit_code = EXIT_USAGE;
        return false;
    }
    if (result->help) {
        fputs(flags_help(arena, command), stdout);
        *exit_code = 0;
        return false;
    }
    return true;
}
