// SPDX-License-Identifier: GPL-3.0-or-later
//
// Privileges where predefined roles (sql/user/role_predefined.h) may stand in for grants: those of relations and schemas.
//
// Shard    Any. Suspends.
#pragma once
#include "sql/user/privilege.h"

enum privileged { PRIVILEGED_OTHER, PRIVILEGED_RELATION, PRIVILEGED_SCHEMA };
enum privileged privileged_relation(const struct table_desc *table);
enum privileged privileged_schema(const struct schema_desc *schema);

// As privilege_role_has, of an object of that kind.
CHECKED struct status privilege_role_has_of(struct task *task, struct session *session,
    const char *role, enum privileged kind, const char *owner, const struct privilege_grant *grants,
    uint32_t grant_count, uint32_t bits, bool *has);

// Whether the session's user holds any of `bits`. sql/function/pg_functions_privilege.c
CHECKED struct status pg_user_has_any_of_table(struct task *task, struct session *session,
    const struct table_desc *table, uint32_t bits, bool *has);
CHECKED struct status pg_user_has_any_of_schema(struct task *task, struct session *session,
    const struct schema_desc *schema, uint32_t bits, bool *has);
