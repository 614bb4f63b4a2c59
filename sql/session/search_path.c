// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/search_path.h"

#include <string.h>

#include "sql/catalog/catalog_store.h"
#include "sql/session/execute.h"
#include "sql/session/session.h"

bool search_path_is_settled(const struct session *session)
{
    const uint64_t epoch = session->path.epoch;
    return session->internal || session->path.fixed || (epoch != 0 && epoch == catalog_epoch(session));
}

static struct status is_searched(
    struct task *task, struct session *session, const char *name, bool *searched)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    *searched = true;
    if (name == session->temp_name || catalog_virtual_schema(name) != NULL) return st;
    TRY(catalog_schema(task, session, NULL, name, true, &schema));
    *searched = schema != NULL;
    if (schema == NULL) goto out;
    st = catalog_check_usage(task, session, NULL, name);
    if (status_is(st, E_INSUFFICIENT_PRIVILEGE)) {
        *searched = false;
        st = STATUS_OK;
    }
out:
    return st;
}

static struct status settle(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    const char *const *named = session->path.named;
    const uint64_t epoch = catalog_epoch(session);
    uint32_t count = 0;
    // What is asked on the way may ask for names itself.
    session->search_path = named;
    session->path.epoch = 0;
    session->path.fixed = true;
    for (uint32_t i = 0; named[i] != NULL; i++) {
        bool searched;
        TRY(is_searched(task, session, named[i], &searched));
        if (searched) session->path.settled[count++] = named[i];
    }
    session->path.settled[count] = NULL;
    session->search_path = session->path.settled;
    session->path.epoch = catalog_epoch(session) == epoch ? epoch : 0;
out:
    session->path.fixed = false;
    return st;
}

struct status search_path_settle(struct task *task, struct session *session)
{
    if (session->txn == NULL || session->txn_state == TXN_FAILED || search_path_is_settled(session)) return STATUS_OK;
    return settle(task, session);
}

struct status search_path_settle_early(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    const bool began = session->txn_state == TXN_IDLE;
    if (session->txn_state == TXN_FAILED || search_path_is_settled(session)) return st;
    TRY(session_begin_if_idle(task, session)); // Which settles it.
out:
    if (began) session_txn_forget(task, session);
    return st;
}
