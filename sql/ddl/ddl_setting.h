// SPDX-License-Identifier: GPL-3.0-or-later
//
// SET and RESET where they are part of something that is kept: of roles, databases and functions.
//
// Memory   Texts are made in the statement's arena.
// Errors   As SET: 42704, 22023, 42501, 0A000.
#pragma once
#include "sql/ddl/ddl_internal.h"

// The value that SET says, as the variable keeps it.
CHECKED struct status ddl_setting_text(
    struct statement_context *context, const struct set_variable *set, const char **text);
// Does to the function's settings what CREATE or ALTER says, in order.
CHECKED struct status ddl_set_function_settings(struct statement_context *context,
    struct function_desc *function, const struct function_options *options);
