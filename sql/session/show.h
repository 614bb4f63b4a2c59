// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW of catalog objects, roles, sessions and ranges. Their columns are the reference's (SQL and operations,
// section 1.3).
//
// Shard    The session's. SHOW SESSIONS asks every shard.
// Errors   As sql/catalog/catalog.h.
#pragma once
#include "kv/admin.h"
#include "sql/ddl/ddl_internal.h"

#define SHOW_TEXT(name_)                                                                           \
    {                                                                                              \
        .name = name_, .type = { TYPE_TEXT, -1 }                                                   \
    }
#define SHOW_INT(name_)                                                                            \
    {                                                                                              \
        .name = name_, .type = { TYPE_INT8, -1 }                                                   \
    }
#define SHOW_BOOL(name_)                                                                           \
    {                                                                                              \
        .name = name_, .type = { TYPE_BOOL, -1 }                                                   \
    }
#define SHOW_TIME(name_)                                                                           \
    {                                                                                              \
        .name = name_, .type = { TYPE_TIMESTAMPTZ, -1 }                                            \
    }

// A describe function for columns that do not depend on the statement, and sending them.
#define SHOW_DESCRIBE(name_, columns_)                                                             \
    static struct status name_(                                                                    \
        struct statement_context *context, const struct result_column **columns, uint32_t *count)  \
    {                                                                                              \
        (void)context;                                                                             \
        *columns = columns_;                                                                       \
        *count = (uint32_t)(sizeof columns_ / sizeof columns_[0]);                                 \
        return STATUS_OK;                                                                          \
    }
#define SHOW_SEND_COLUMNS(context_, columns_)                                                      \
    (context_)->sink->columns((context_)->task, (context_)->sink, columns_,                        \
        (uint32_t)(sizeof columns_ / sizeof columns_[0]))

static inline struct status show_row(struct statement_context *context, const struct datum *row)
{
    return context->sink->row(context->task, context->sink, row);
}
static inline struct datum show_text(const char *text)
{
    return text == NULL ? DATUM_NULL : datum_text(text);
}

// Where the copies of a range are, as far as this node knows: arrays as text ("{1,3}").
struct range_copies {
    const char *replicas, *localities, *voters, *learners, *leader_locality;
};
void range_copies_look(struct shard *shard, struct arena *arena, const struct kv_range *range,
    struct range_copies *copies);

void show_catalog_register(void);
void show_table_register(void);
void show_role_register(void);
void show_node_register(void);
