// SPDX-License-Identifier: GPL-3.0-or-later
//
// Backslash commands of the shell.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/text.h"
#include "sql/parse/deparse.h"
#include "tools/commands.h"
#include "tools/shell.h"

static struct status help(struct task *task, struct shell *shell, const char *argument)
{
    (void)task, (void)shell, (void)argument;
    printf("  \\d [TABLE]      tables, or the columns, indexes and constraints of one\n"
           "  \\dt             tables\n  \\di             indexes\n  \\dv             views\n  \\ds             sequences\n"
           "  \\dn             schemas\n  \\du             users\n  \\l              databases\n  \\vc             virtual clusters\n"
           "  \\jobs           jobs\n  \\c DATABASE     connect to another database\n  \\i FILE         run a file\n"
           "  \\x              one line a column, on and off\n  \\timing         time of statements, on and off\n"
           "  \\! COMMAND      run a shell command\n  \\q              leave\n");
    return STATUS_OK;
}

static struct status quit(struct task *task, struct shell *shell, const char *argument)
{
    (void)task, (void)argument;
    shell_quit(shell);
    return STATUS_OK;
}

static struct status run_query(struct task *task, struct shell *shell, const char *sql)
{
    return shell_run(task, shell, sql);
}

static struct status describe(struct task *task, struct shell *shell, const char *argument)
{
    struct status st;
    struct arena arena;
    if (argument[0] == '\0') return run_query(task, shell, "SHOW TABLES");
    arena_init(&arena, NULL);
    TRY(run_query(task, shell, arena_printf(&arena, "SHOW COLUMNS FROM %s", argument)));
    TRY(run_query(task, shell, arena_printf(&arena, "SHOW INDEXES FROM %s", argument)));
    TRY(run_query(task, shell, arena_printf(&arena, "SHOW CONSTRAINTS FROM %s", argument)));
out:
    if (failed(st)) st = status_make(st.code, "the description failed");
    arena_fini(&arena);
    return st;
}

static struct status indexes(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell,
        "SELECT schemaname AS schema_name, tablename AS table_name, indexname AS index_name, indexdef AS definition FROM "
        "pg_catalog.pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3");
}
static struct status views(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell,
        "SELECT schemaname AS schema_name, viewname AS view_name, viewowner AS owner FROM pg_catalog.pg_views WHERE "
        "schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2");
}
static struct status tables(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW TABLES");
}
static struct status sequences(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW SEQUENCES");
}
static struct status schemas(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW SCHEMAS");
}
static struct status users(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW USERS");
}
static struct status databases(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW DATABASES");
}
static struct status virtual_clusters(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW VIRTUAL CLUSTERS");
}
static struct status jobs(struct task *task, struct shell *shell, const char *argument)
{
    (void)argument;
    return run_query(task, shell, "SHOW JOBS");
}
static struct status timing(struct task *task, struct shell *shell, const char *argument)
{
    (void)task, (void)argument;
    printf("Timing is %s.\n", shell_toggle_timing(shell) ? "on" : "off");
    return STATUS_OK;
}
static struct status expanded(struct task *task, struct shell *shell, const char *argument)
{
    (void)task, (void)argument;
    printf("Expanded display is %s.\n", shell_toggle_expanded(shell) ? "on" : "off");
    return STATUS_OK;
}
static struct status connect_to(struct task *task, struct shell *shell, const char *argument)
{
    return shell_reconnect(task, shell, argument);
}
static struct status include(struct task *task, struct shell *shell, const char *argument)
{
    return shell_include(task, shell, argument);
}

struct shell_out {
    const char *command;
    int code;
};
static void run_system(void *arg)
{
    struct shell_out *call = arg;
    call->code = system(call->command);
}
static struct status bang(struct task *task, struct shell *shell, const char *argument)
{
    struct shell_out call = {.command = argument};
    (void)shell;
    struct status st = helper_call(task, run_system, &call);
    if (!failed(st) && call.code != 0) st = status_make(E_IO_ERROR, "the command has failed");
    return st;
}

static const struct backslash {
    const char *name;
    struct status (*run)(struct task *task, struct shell *shell, const char *argument);
} commands[] = {
    {"\\?", help}, {"\\h", help}, {"\\help", help}, {"\\q", quit}, {"\\quit", quit}, {"\\d", describe},
    {"\\d+", describe}, {"\\dt", tables}, {"\\di", indexes}, {"\\dv", views}, {"\\ds", sequences},
    {"\\dn", schemas}, {"\\du", users}, {"\\l", databases}, {"\\vc", virtual_clusters}, {"\\jobs", jobs},
    {"\\timing", timing}, {"\\x", expanded}, {"\\c", connect_to}, {"\\connect", connect_to}, {"\\i", include},
    {"\\!", bang},
};

struct status shell_backslash(struct task *task, struct shell *shell, const char *line)
{
    size_t size = strcspn(line, " \t");
    const char *argument = line + size + strspn(line + size, " \t");
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strlen(commands[i].name) == size && memcmp(commands[i].name, line, size) == 0)
            return commands[i].run(task, shell, argument);
    fprintf(stderr, "ERROR: unknown command %.*s\nHINT: \\? lists the commands.\n", (int)size, line);
    return status_make(E_SYNTAX_ERROR, "unknown command");
}
