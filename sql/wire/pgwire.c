// SPDX-License-Identifier: GPL-3.0-or-later
//
// Connections: listening, the hand-over to the session's shard, idle timers, cancel requests, draining.
#include "sql/wire/pgwire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/rpc.h"
#include "core/tls.h"
#include "kv/cluster.h"
#include "sql/insight/activity.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/session/shard_state.h"
#include "sql/session/vars.h"

#define LOGIN_TIMEOUT_NS 10000000000u

static METRIC_DEFINE(metric_conns, "sql.conns", METRIC_GAUGE, METRIC_COUNT, true, "Open SQL connections");
static METRIC_DEFINE(metric_new_conns, "sql.new_conns", METRIC_COUNTER, METRIC_COUNT, true,
    "SQL connections that logged in");

static struct status admin_shutdown(void)
{
    return status_make(SQLSTATE('5', '7', 'P', '0', '1'),
        "terminating connection due to administrator command");
}

// --- life of a connection ----------------------------------------------------------------------------

void pgwire_register_cancel(struct pgwire *wire)
{
    struct sql_shard *state = sql_shard(conn_shard(wire->conn));
    hashmap_put_u64(&state->by_cancel, wire->process, wire);
}

void pgwire_unregister_cancel(struct pgwire *wire)
{
    struct sql_shard *state = sql_shard(conn_shard(wire->conn));
    if (wire->process != 0) hashmap_remove_u64(&state->by_cancel, wire->process);
}

static void login_free(struct pgwire_login *login)
{
    if (login == NULL) return;
    free(login->user);
    free(login->database);
    free(login->cluster);
    free(login->tenant_name);
    for (uint32_t i = 0; i < login->setting_count; i++) {
        free(login->settings[i].name);
        free(login->settings[i].value);
    }
    free(login->settings);
    free(login->wrong_option);
    free(login);
}

void pgwire_login_done(struct pgwire *wire)
{
    if (wire->session != NULL) {
        wire->counted = wire->session->tenant;
        metric_add(&metric_conns, wire->counted, 1);
        metric_add(&metric_new_conns, wire->counted, 1);
    }
    login_free(wire->login);
    wire->login = NULL;
}

void pgwire_free(struct pgwire *wire)
{
    invariant(!wire->busy && wire->session == NULL);
    timer_disarm(conn_shard(wire->conn), &wire->idle_timer);
    pgwire_unregister_cancel(wire);
    if (wire->counted != 0) metric_add(&metric_conns, wire->counted, -1);
    conn_close(wire->conn);
    login_free(wire->login);
    arena_fini(&wire->in_arena);
    arena_fini(&wire->out_arena);
    arena_fini(&wire->recoded_arena);
    free(wire);
}

static struct status close_task(struct task *task, void *arg)
{
    struct pgwire *wire = arg;
    if (wire->session != NULL) session_close(task, wire->session);
    wire->session = NULL;
    wire->terminate = true;
    return STATUS_OK;
}

static void idle_fired(struct timer *timer)
{
    struct pgwire *wire = timer->arg;
    if (wire->busy) return;
    pgwire_error(wire, "FATAL", wire->state == PGWIRE_READY
            ? status_make(SQLSTATE('2', '5', 'P', '0', '3'),
                  "terminating connection due to idle-in-transaction timeout")
            : status_make(E_CONNECTION_EXCEPTION, "log-in took too long"));
    pgwire_flush_now(wire);
    wire->terminate = true;
    pgwire_wake(wire);
}

static void arm_idle_timer(struct pgwire *wire)
{
    struct shard *shard = conn_shard(wire->conn);
    timer_disarm(shard, &wire->idle_timer);
    wire->idle_timer.fire = idle_fired;
    wire->idle_timer.arg = wire;
    if (wire->state == PGWIRE_STARTUP) {
        timer_arm(shard, &wire->idle_timer, shard_now_ns(shard) + LOGIN_TIMEOUT_NS);
        return;
    }
    if (wire->session == NULL || wire->session->txn_state == TXN_IDLE) return;
    uint64_t ms = wire->session->idle_in_transaction_timeout_ms;
    if (ms > 0) timer_arm(shard, &wire->idle_timer, shard_now_ns(shard) + ms * 1000000u);
}

static void move_to_session_shard(struct pgwire *wire);

static void task_ended(struct task *task, struct status st, void *arg)
{
    struct pgwire *wire = arg;
    (void)task;
    (void)st;
    wire->busy = false;
    if (wire->state == PGWIRE_MOVING && !wire->terminate) {
        move_to_session_shard(wire);
        return;
    }
    if (wire->terminate && wire->session == NULL) {
        pgwire_free(wire);
        return;
    }
    if (wire->server->draining && wire->session != NULL && wire->session->txn_state == TXN_IDLE &&
        !wire->terminate) {
        pgwire_error(wire, "FATAL", admin_shutdown());
        pgwire_flush_now(wire);
        wire->terminate = true;
    }
    if (wire->terminate || (wire->state == PGWIRE_READY && pgwire_has_work(wire)))
        pgwire_wake(wire);
    else
        arm_idle_timer(wire);
}

static void start_task(struct pgwire *wire, task_fn fn, const char *kind)
{
    struct shard *shard = conn_shard(wire->conn);
    struct task_options options = {.fn = fn,
        .arg = wire,
        .kind = kind,
        .tenant = wire->session == NULL ? 0 : wire->session->tenant,
        .class = TASK_DEFAULT,
        .ended = task_ended,
        .ended_arg = wire,
        .user = wire->session};
    timer_disarm(shard, &wire->idle_timer);
    wire->busy = true;
    struct status st = task_start(shard, &options);
    if (!failed(st)) return;
    wire->busy = false;
    pgwire_error(wire, "FATAL", st);
    pgwire_flush_now(wire);
    if (wire->session == NULL)
        pgwire_free(wire);
    else
        timer_arm(shard, &wire->idle_timer, shard_now_ns(shard) + 100000000u); // Tries again to end it.
}

void pgwire_wake(struct pgwire *wire)
{
    if (wire->busy) return;
    if (wire->terminate)
        start_task(wire, close_task, "pgwire close");
    else
        start_task(wire, pgwire_serve, "pgwire");
}

static bool startup_packet_ready(struct pgwire *wire)
{
    struct bytes input = conn_input(wire->conn);
    if (conn_ended(wire->conn)) return true;
    if (input.size < 4) return false;
    uint32_t size = (uint32_t)input.data[0] << 24 | (uint32_t)input.data[1] << 16 |
                    (uint32_t)input.data[2] << 8 | input.data[3];
    return size > WIRE_STARTUP_BYTES_MAX || input.size >= size;
}

// A node of the cluster called, not a client: the connection goes to where it is served.
static void hand_over(struct pgwire *wire)
{
    struct conn *conn = wire->conn;
    timer_disarm(conn_shard(conn), &wire->idle_timer);
    arena_fini(&wire->in_arena);
    arena_fini(&wire->out_arena);
    arena_fini(&wire->recoded_arena);
    free(wire);
    rpc_accept(conn);
}

static void on_input(struct conn *conn)
{
    struct pgwire *wire = conn_arg(conn);
    if (wire->state == PGWIRE_STARTUP && !wire->busy && !conn_ended(conn)) {
        enum rpc_match match = rpc_match(conn_input(conn));
        if (match == RPC_YES) hand_over(wire);
        if (match == RPC_YES || (match == RPC_MAYBE && conn_input(conn).size > 3)) return;
    }
    if (wire->busy) {
        // Nobody is left to take the answer: stop working on it.
        if (conn_ended(conn) && wire->task != NULL && wire->session != NULL)
            task_cancel(wire->task, status_make(E_CONNECTION_FAILURE, "the client has closed the connection"));
        return;
    }
    if (wire->state == PGWIRE_READY) {
        if (pgwire_has_work(wire)) pgwire_wake(wire);
    } else if (wire->state == PGWIRE_STARTUP && startup_packet_ready(wire)) {
        start_task(wire, pgwire_startup, "pgwire log-in");
    }
}

static const struct conn_handler conn_handler = {.on_input = on_input};

static void on_accept(struct listener *listener, struct conn *conn)
{
    struct pgwire *wire = calloc(1, sizeof *wire);
    if (wire == NULL) {
        conn_abort(conn);
        return;
    }
    wire->server = listener_arg(listener);
    wire->conn = conn;
    arena_init(&wire->in_arena, NULL);
    arena_init(&wire->out_arena, NULL);
    arena_init(&wire->recoded_arena, NULL);
    buffer_init(&wire->out, &wire->out_arena);
    conn_set_handler(conn, &conn_handler, wire);
    arm_idle_timer(wire);
    if (startup_packet_ready(wire)) on_input(conn);
}

// --- to the session's shard ----------------------------------------------------------------------------

// The node, then its shard in as many bits as it takes, then a number that no session of the shard has now.
static uint32_t process_number_bits(const struct node *node)
{
    uint32_t bits = ACTIVITY_PROCESS_BITS;
    for (uint32_t shards = node->shard_count - 1; shards > 0; shards >>= 1)
        bits--;
    return bits;
}

static uint32_t process_next(struct shard *shard)
{
    struct sql_shard *state = sql_shard(shard);
    uint32_t bits = process_number_bits(shard->node), numbers = 1u << bits;
    uint32_t above = (shard->node->id & (CLUSTER_NODES_MAX - 1)) << ACTIVITY_PROCESS_BITS | shard->index << bits;
    for (uint32_t tries = 0; tries < numbers; tries++) {
        state->next_process = (state->next_process + 1) & (numbers - 1);
        uint32_t process = above | state->next_process;
        if (state->next_process != 0 && hashmap_get_u64(&state->by_cancel, process) == NULL) return process;
    }
    invariant(false); // More sessions than a process has descriptors.
    return 0;
}

static void adopted(struct conn *conn, void *arg)
{
    struct pgwire *wire = arg;
    wire->conn = conn;
    struct shard *shard = conn_shard(conn);
    wire->process = process_next(shard);
    wire->secret = (uint32_t)shard->env->random(shard->env);
    wire->state = PGWIRE_READY;
    conn_set_handler(conn, &conn_handler, wire);
    pgwire_register_cancel(wire);
    sql_shard(shard)->in_transit--;
    start_task(wire, pgwire_adopted, "pgwire log-in");
}

static void move_to_session_shard(struct pgwire *wire)
{
    timer_disarm(conn_shard(wire->conn), &wire->idle_timer);
    sql_shard(conn_shard(wire->conn))->in_transit++;
    // The buffers' blocks belong to this shard.
    pgwire_flush_now(wire);
    arena_reset(&wire->out_arena);
    arena_reset(&wire->in_arena);
    buffer_init(&wire->out, &wire->out_arena);
    conn_migrate(wire->conn, wire->login->shard, adopted, wire);
}

// --- cancel --------------------------------------------------------------------------------------------

struct cancel_call {
    uint32_t process, secret;
    uint64_t session_id;
    bool terminate;
    bool found;
};

static void cancel_wire(struct pgwire *wire, bool terminate)
{
    if (wire->task != NULL && (terminate || wire->cancellable))
        task_cancel(wire->task, terminate ? admin_shutdown()
                                          : status_make(E_QUERY_CANCELED, "canceling statement due to user request"));
    if (!terminate) return;
    wire->terminate = true;
    if (!wire->busy) {
        pgwire_error(wire, "FATAL", admin_shutdown());
        pgwire_flush_now(wire);
        pgwire_wake(wire);
    }
}

void pgwire_terminate(struct session *session)
{
    cancel_wire(session->wire, true);
}

static struct status cancel_on_shard(struct task *task, void *arg)
{
    struct cancel_call *call = arg;
    struct sql_shard *state = sql_shard(task->shard);
    if (call->process != 0) {
        struct pgwire *wire = hashmap_get_u64(&state->by_cancel, call->process);
        if (wire == NULL || wire->secret != call->secret) return STATUS_OK;
        call->found = true;
        cancel_wire(wire, false);
        return STATUS_OK;
    }
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&state->by_cancel, &cursor)) != NULL;) {
        struct pgwire *wire = entry->value;
        if (wire->session == NULL || wire->session->id != call->session_id) continue;
        call->found = true;
        cancel_wire(wire, call->terminate);
        break;
    }
    return STATUS_OK;
}

struct status pgwire_cancel_process(
    struct task *task, struct node *node, uint32_t process, uint32_t secret)
{
    struct cancel_call call = {.process = process, .secret = secret};
    uint32_t shard = (process & ((1u << ACTIVITY_PROCESS_BITS) - 1)) >> process_number_bits(node);
    if (process == 0 || shard >= node->shard_count) return STATUS_OK;
    return shard_call(task, shard, cancel_on_shard, &call);
}

struct status pgwire_cancel_session(
    struct task *task, uint64_t session_id, bool terminate, bool *found)
{
    struct status st = STATUS_OK;
    struct cancel_call call = {.session_id = session_id, .terminate = terminate};
    for (uint32_t i = 0; i < task->shard->node->shard_count && !call.found; i++)
        TRY(shard_call(task, i, cancel_on_shard, &call));
out:
    *found = call.found;
    return st;
}

struct tenant_call {
    uint64_t tenant, reader;
    uint32_t left;
};

static struct status cancel_tenant_on_shard(struct task *task, void *arg)
{
    struct tenant_call *call = arg;
    struct sql_shard *state = sql_shard(task->shard);
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&state->by_cancel, &cursor)) != NULL;) {
        struct pgwire *wire = entry->value;
        if (wire->session == NULL || wire->session->tenant != call->tenant ||
            wire->session->reader != call->reader)
            continue;
        call->left++;
        if (!wire->terminate) cancel_wire(wire, true);
    }
    return STATUS_OK;
}

struct status pgwire_cancel_tenant(struct task *task, uint64_t tenant, uint64_t reader)
{
    struct status st = STATUS_OK;
    for (;;) {
        struct tenant_call call = {.tenant = tenant, .reader = reader};
        for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
            TRY(shard_call(task, i, cancel_tenant_on_shard, &call));
        if (call.left == 0) break;
        TRY(task_sleep(task, 5000000u));
    }
out:
    return st;
}

// --- start and drain -----------------------------------------------------------------------------------

struct start_call {
    struct pgwire_server *server;
    const char *address;
    char bound[64];
};

static struct status listen_on_shard(struct task *task, void *arg)
{
    struct start_call *call = arg;
    struct listener_options options = {.address = call->bound[0] == '\0' ? call->address : call->bound,
        .input_bytes_max = PGWIRE_INPUT_BYTES,
        .on_accept = on_accept,
        .arg = call->server};
    struct listener **listener = &call->server->listeners[task->shard->index];
    struct status st = net_listen(task, &options, listener);
    if (!failed(st) && call->bound[0] == '\0')
        snprintf(call->bound, sizeof call->bound, "%s", listener_address(*listener));
    return st;
}

static void node_exit(struct node_exit_hook *hook)
{
    free(container_of(hook, struct pgwire_server, exit_hook));
}

struct status pgwire_start(struct task *task, const struct pgwire_options *options, char bound[64])
{
    struct status st = STATUS_OK;
    struct node *node = task->shard->node;
    struct pgwire_server *server = calloc(1, sizeof *server);
    struct start_call *call = calloc(1, sizeof *call);
    if (server == NULL || call == NULL) {
        free(server);
        free(call);
        return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    server->node = node;
    server->exit_hook.fn = node_exit;
    node_at_exit(node, &server->exit_hook);
    server->tls = options->tls;
    server->insecure = options->insecure;
    server->starting = options->starting;
    node->env->random_bytes(node->env, server->secret, sizeof server->secret);
    node->slots[NODE_SLOT_SQL] = server;
    metric_register(&metric_conns);
    metric_register(&metric_new_conns);
    call->server = server;
    call->address = options->address;
    // One after the other: the first one's port is everyone's.
    for (uint32_t i = 0; i < node->shard_count; i++)
        TRY(shard_call(task, i, listen_on_shard, call));
    snprintf(bound, 64, "%s", call->bound);
out:
    free(call);
    return st;
}

void pgwire_ready(struct node *node)
{
    struct pgwire_server *server = node->slots[NODE_SLOT_SQL];
    __atomic_store_n(&server->starting, false, __ATOMIC_RELEASE);
}

void pgwire_tls_set(struct node *node, struct tls_context *tls)
{
    struct pgwire_server *server = node->slots[NODE_SLOT_SQL];
    __atomic_store_n(&server->tls, tls, __ATOMIC_RELEASE);
}

struct drain_call {
    bool cancel;
    uint32_t left;
};

static struct status drain_on_shard(struct task *task, void *arg)
{
    struct drain_call *call = arg;
    struct pgwire_server *server = task->shard->node->slots[NODE_SLOT_SQL];
    struct sql_shard *state = sql_shard(task->shard);
    if (server->listeners[task->shard->index] != NULL) {
        listener_close(server->listeners[task->shard->index]);
        server->listeners[task->shard->index] = NULL;
    }
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&state->by_cancel, &cursor)) != NULL;) {
        struct pgwire *wire = entry->value;
        bool idle = !wire->busy && wire->session != NULL && wire->session->txn_state == TXN_IDLE;
        if ((idle || call->cancel) && !wire->terminate) cancel_wire(wire, true);
        call->left++;
    }
    for (struct list_link *at = state->arriving.next; at != &state->arriving; at = at->next) {
        task_cancel(container_of(at, struct pgwire, arriving)->task, admin_shutdown());
        call->left++;
    }
    call->left += state->in_transit;
    return STATUS_OK;
}

struct status pgwire_drain(struct task *task, uint64_t grace_ns)
{
    struct status st = STATUS_OK;
    struct node *node = task->shard->node;
    struct pgwire_server *server = node->slots[NODE_SLOT_SQL];
    if (server == NULL) return st;
    server->draining = true;
    uint64_t deadline = task_now_ns(task) + grace_ns;
    for (;;) {
        struct drain_call call = {.cancel = task_now_ns(task) >= deadline};
        for (uint32_t i = 0; i < node->shard_count; i++)
            TRY(shard_call(task, i, drain_on_shard, &call));
        if (call.left == 0 || task_now_ns(task) >= deadline + 5000000000u) break;
        TRY(task_sleep(task, 10000000u));
    }
out:
    return st;
}

uint32_t pgwire_process(const struct session *session)
{
    return session->wire == NULL ? 0 : session->wire->process;
}
