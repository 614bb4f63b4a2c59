// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stop of SQL on a node.
#include "sql/session/internal.h"
#include "tests/unit/sql/sql_harness.h"

TestSuite(node_stop, .timeout = 60);

#define MS UINT64_C(1000000)

// The server's own work, which a stop finds in the midst of a transaction.
static struct status reader(struct task *task, void *arg)
{
    struct status st;
    struct session *session = NULL;
    struct internal_result rows;
    bool *open = arg;
    TRY(internal_session_open(task, TENANT, "system", &session));
    TRY(session_txn_begin(task, session, false));
    TRY(internal_run(task, session, task->arena, &rows, "SELECT count(*) FROM system.public.users", 0, NULL, NULL));
    *open = true;
    for (uint32_t i = 0; i < 50; i++) {
        if (failed(task_sleep(task, MS))) task_cancel_clear(task); // What has begun is finished.
    }
    TRY(internal_run(task, session, task->arena, &rows, "SELECT count(*) FROM system.public.users", 0, NULL, NULL));
    TRY(session_txn_commit(task, session));
out:
    if (session != NULL) internal_session_close(task, session);
    return st;
}

// Without it the reader's catalog is gone when it goes on.
SQL_TEST(node_stop, waits_for_the_sessions_of_its_own, 1)
{
    struct status st = STATUS_OK;
    static bool open;
    const struct task_options options = {.fn = reader, .arg = &open, .kind = "reader", .class = TASK_DEFAULT};
    TRY(task_start(task->shard, &options));
    while (!open) TRY(task_sleep(task, MS));
out:
    return st;
}
