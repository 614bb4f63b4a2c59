// SPDX-License-Identifier: GPL-3.0-or-later
//
// The SQL shell's parts: statements and backslash commands. See tools/sql.c.
#pragma once
#include "core/bytes.h"
#include "core/task.h"

struct shell;
// Runs statements and prints results and failures.
struct status shell_run(struct task *task, struct shell *shell, const char *sql);
struct status shell_connect(struct task *task, struct shell *shell);
bool shell_statement_ends(struct bytes text);
// "\d users", "\q" ...: `line` is changed.
struct status shell_backslash(struct task *task, struct shell *shell, const char *line);
// What backslash commands switch; returns the state after it.
bool shell_toggle_timing(struct shell *shell);
bool shell_toggle_expanded(struct shell *shell);
void shell_quit(struct shell *shell);
struct status shell_reconnect(struct task *task, struct shell *shell, const char *database);
struct status shell_include(struct task *task, struct shell *shell, const char *path);
