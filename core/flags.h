// SPDX-License-Identifier: GPL-3.0-or-later
//
// Command lines of the `isopod` program: "--name=value", "--name value", "-x value", booleans with
// or without a value, defaults from the environment (ISOPOD_LISTEN_ADDR for --listen-addr), and a
// --help that is made from the same table.
//
// A command describes its flags in a table that points at its own variables; what those hold before
// parsing is the default, and is printed as such.
//
// Memory   Parsed texts point into argv or the environment; everything else is in the arena given.
// Errors   22023 with a message for people: unknown flag (with the nearest name as hint), bad value
//          (with what is allowed), missing or superfluous argument.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

enum flag_kind {
    FLAG_STRING,   // const char *
    FLAG_STRINGS,  // struct flag_strings: may be given several times
    FLAG_BOOL,     // bool
    FLAG_U64,      // uint64_t, within [min, max] when max is not 0
    FLAG_SIZE,     // uint64_t bytes; a share ("25%", ".25") of `size_whole`
    FLAG_DURATION, // int64_t nanoseconds; a bare number is seconds
    FLAG_CHOICE,   // const char *: one of `choices`
};

#define FLAG_STRINGS_MAX 64
struct flag_strings {
    const char *values[FLAG_STRINGS_MAX];
    uint32_t count;
};

struct flag {
    const char *name; // Without dashes.
    char letter;      // Short form, or 0.
    enum flag_kind kind;
    void *value;
    const char *argument; // Its name in the help: "host:port". NULL: by the kind.
    const char *help;
    const char *const *choices; // FLAG_CHOICE: NULL-terminated.
    uint64_t min, max;          // FLAG_U64.
    uint64_t size_whole;        // FLAG_SIZE: what a share is of; 0: no shares.
    const char *implied;        // The value when the end or another flag follows; NULL: it needs one.
    bool hidden;                // Not in the help.
    bool given;                 // Set by flags_parse: on the command line or in the environment.
};

struct flags_command {
    const char *name;      // "isopod start-single-node"
    const char *arguments; // "[url...]" in the usage line, or NULL.
    const char *summary;   // A paragraph.
    struct flag *flags;    // Ends with one whose name is NULL.
    uint32_t arguments_min, arguments_max;
};

struct flags_result {
    const char **arguments; // What is no flag, in order; NULL-terminated.
    uint32_t argument_count;
    bool help; // --help or -h was given: nothing else was checked.
};

// `argv` without the program's and the command's name. "--" ends the flags. A flag given twice
// takes the last value (FLAG_STRINGS: all).
CHECKED struct status flags_parse(struct arena *arena, const struct flags_command *command,
    int argc, char *const *argv, struct flags_result *result);

// The help text. Values as they are at the time of the call are shown as defaults.
char *flags_help(struct arena *arena, const struct flags_command *command);
