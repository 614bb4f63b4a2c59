// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the deparser share; no one else includes it.
//
// Shard    Pure.
// Memory   Appends to the buffer of the caller.
#pragma once
#include "sql/parse/deparse.h"

struct deparse {
    struct buffer *out;
    uint32_t flags;
};

// A call on the big stack: recursion follows the tree.
struct deparse_call {
    struct deparse deparse;
    const void *tree;
};

static inline void put(struct deparse *deparse, const char *text)
{
    buffer_append_string(deparse->out, text);
}
void put_upper(struct deparse *deparse, const char *text); // In upper case.
void put_name(struct deparse *deparse, const char *name);
void put_names(struct deparse *deparse, struct name_list names);     // a, b
void put_name_list(struct deparse *deparse, struct name_list names); // (a, b); nothing when empty
void put_object_name(struct deparse *deparse, struct object_name name);
void put_object_names(struct deparse *deparse, struct object_name_list names);
void put_role(struct deparse *deparse, struct role_name role);
void put_roles(struct deparse *deparse, struct role_list roles);
void put_string(struct deparse *deparse, struct bytes text); // Not hidden by any flag.
void put_expr(struct deparse *deparse, const struct expr *expr);
void put_exprs(struct deparse *deparse, struct expr_list list);
void put_xml(struct deparse *deparse, const struct xml_expr *xml);
// An expression as an operand: in parentheses unless it binds tighter than anything.
void put_operand(struct deparse *deparse, const struct expr *expr);
void put_type(struct deparse *deparse, const struct type_name *type);
void put_sorts(struct deparse *deparse, struct sort_list list);
void put_window(struct deparse *deparse, const struct window *window);
void put_select(struct deparse *deparse, const struct select *select);
void put_targets(struct deparse *deparse, struct target_list list);
void put_from(struct deparse *deparse, const struct from_item *item);
void put_statement(struct deparse *deparse, const struct statement *statement);
void put_options(struct deparse *deparse, struct option_list options, const char *between);
void put_uri(struct deparse *deparse, const struct expr *uri);
void put_column(struct deparse *deparse, const struct column_definition *column);
void put_constraint(struct deparse *deparse, const struct constraint *constraint);
void put_index_elements(struct deparse *deparse, struct index_element_list list);
void put_set_variable(struct deparse *deparse, const struct set_variable *set);
void put_behavior(struct deparse *deparse, enum drop_behavior behavior);
void put_create_function(struct deparse *deparse, const struct create_function *function);
void put_alter_function(struct deparse *deparse, const struct alter_function *alter);
void put_tenant(struct deparse *deparse, struct tenant_spec tenant);

// Each writes the statement if it is of its group.
bool put_query_statement(struct deparse *deparse, const struct statement *statement);
bool put_ddl_statement(struct deparse *deparse, const struct statement *statement);
bool put_session_statement(struct deparse *deparse, const struct statement *statement);
bool put_privilege_statement(struct deparse *deparse, const struct statement *statement);
bool put_own_statement(struct deparse *deparse, const struct statement *statement);
