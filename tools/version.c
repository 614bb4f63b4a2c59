// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "core/version.h"
#include "kv/admin.h"
#include "sql/parse/parse.h"
#include "tools/commands.h"

int command_version(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code;
    arena_init(&arena, NULL);
    bool build_tag = false;
    struct flag flags[] = {
        {.name = "build-tag", .kind = FLAG_BOOL, .value = &build_tag, .help = "print the version alone"},
        {.name = NULL},
    };
    struct flags_command command = {
        .name = "isopod version", .summary = "Prints versions of the program and its libraries.", .flags = flags};
    version_library_add("WiredTiger", kv_store_version());
    version_library_add("PostgreSQL grammar", parse_grammar_version());
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    if (build_tag)
        printf("v%s\n", version_number());
    else
        fputs(version_text(&arena), stdout);
    exit_code = 0;
out:
    arena_fini(&arena);
    return exit_code;
}
