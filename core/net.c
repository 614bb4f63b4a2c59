// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conn.h"
#include "core/invariant.h"
#include "core/reactor.h"
#include "core/tls.h"

#define LISTEN_AGAIN_NS UINT64_C(20000000)

struct listener {
    struct shard *shard;
    struct listener_options options;
    struct net_op op, close_op;
    struct list_link link;
    char local[NET_ADDRESS_BYTES], peer[NET_ADDRESS_BYTES], here[NET_ADDRESS_BYTES];
    char address[NET_ADDRESS_BYTES];
    uint32_t ops_in_flight;
    bool closed;
};

// --- a shard's part ---------------------------------------------------------------------------------

static void net_exit(struct shard_exit_hook *hook)
{
    struct net_shard *net = container_of(hook, struct net_shard, exit_hook);
    net->exiting = true;
    struct list_link *link = net->listeners.next;
    while (link != &net->listeners) {
        struct listener *listener = container_of(link, struct listener, link);
        link = link->next;
        listener_close(listener);
    }
    link = net->conns.next;
    while (link != &net->conns) {
        struct conn *conn = container_of(link, struct conn, link);
        link = link->next;
        conn_abort(conn);
    }
}

static void conn_free(struct conn *conn)
{
    conn_buffers_free(conn);
    if (conn->tls != NULL) tls_session_destroy(conn->tls);
    list_remove(&conn->link);
    free(conn);
}

// What operations that never ended kept (a node that gave up, a simulated crash).
static void net_fini(struct shard *shard)
{
    struct net_shard *net = shard->reactor->net;
    while (!list_empty(&net->conns))
        conn_free(container_of(net->conns.next, struct conn, link));
    struct list_link *link;
    while ((link = list_pop(&net->listeners)) != NULL)
        free(container_of(link, struct listener, link));
    conn_pools_free(net);
    free(net);
    shard->reactor->net = NULL;
}

struct net_shard *net_shard_of(struct shard *shard)
{
    struct net_shard *net = shard->reactor->net;
    if (net != NULL) return net;
    net = calloc(1, sizeof *net);
    invariant(net != NULL);
    list_init(&net->conns);
    list_init(&net->listeners);
    net->exit_hook.fn = net_exit;
    shard_at_exit(shard, &net->exit_hook);
    shard->reactor->net = net;
    shard->reactor->net_fini = net_fini;
    return net;
}

static struct conn *conn_create(
    struct shard *shard, int64_t handle, const char *peer, size_t input_bytes_max)
{
    struct conn *conn = calloc(1, sizeof *conn);
    invariant(conn != NULL && input_bytes_max > 0);
    conn->shard = shard;
    conn->handle = handle;
    conn->input_bytes_max = input_bytes_max;
    conn->flush_hook.fn = conn_flush_hook;
    conn->resume_hook.fn = conn_resume_hook;
    snprintf(conn->peer, sizeof conn->peer, "%s", peer);
    list_append(&net_shard_of(shard)->conns, &conn->link);
    return conn;
}

// --- listening --------------------------------------------------------------------------------------

static void listener_op_ended(struct listener *listener)
{
    if (--listener->ops_in_flight > 0 || !listener->closed) return;
    list_remove(&listener->link);
    free(listener);
}

static void accept_complete(struct net_op *op)
{
    struct listener *listener = container_of(op, struct listener, op);
    bool last = !op->more;
    if (op->result >= 0) {
        struct conn *conn = conn_create(
            listener->shard, op->result, listener->peer, listener->options.input_bytes_max);
        snprintf(conn->here, sizeof conn->here, "%s", listener->here);
        if (listener->closed || net_shard_of(listener->shard)->exiting) {
            conn_abort(conn);
        } else {
            conn_recv_resume(conn);
            listener->options.on_accept(listener, conn);
        }
    }
    if (last) listener_op_ended(listener);
}

// The error, or 0.
static int listen_once(struct shard *shard, struct listener *listener)
{
    listener->op = (struct net_op){.kind = NET_LISTEN,
        .address = listener->address,
        .peer = listener->peer,
        .local = listener->local,
        .here = listener->here,
        .complete = accept_complete};
    shard->env->net_submit(shard->env, shard, &listener->op);
    return listener->op.result < 0 ? (int)-listener->op.result : 0;
}

static struct status listen_failure(int error)
{
    if (error == EADDRINUSE) return status_make(E_IO_ERROR, "the address to listen on is already in use");
    if (error == EINVAL) return status_make(E_INVALID_PARAMETER_VALUE, "the address to listen on is malformed");
    return status_from_errno(error, "cannot listen on the address");
}

struct status net_listen(
    struct task *task, const struct listener_options *options, struct listener **created)
{
    struct status st = STATUS_OK;
    struct listener *listener = calloc(1, sizeof *listener);
    invariant(listener != NULL && options->on_accept != NULL);
    listener->shard = task->shard;
    listener->options = *options;
    snprintf(listener->address, sizeof listener->address, "%s", options->address);
    const uint64_t until_ns = task_now_ns(task) + NET_LISTEN_PATIENCE_NS;
    int error;
    while ((error = listen_once(task->shard, listener)) == EADDRINUSE && task_now_ns(task) < until_ns)
        TRY(task_sleep(task, LISTEN_AGAIN_NS));
    if (error != 0) {
        st = listen_failure(error);
        goto out;
    }
    listener->ops_in_flight = 1;
    list_append(&net_shard_of(task->shard)->listeners, &listener->link);
    *created = listener;

out:
    if (failed(st)) free(listener);
    return st;
}

const char *listener_address(const struct listener *listener)
{
    return listener->local;
}

void *listener_arg(const struct listener *listener)
{
    return listener->options.arg;
}

static void listener_close_complete(struct net_op *op)
{
    listener_op_ended(container_of(op, struct listener, close_op));
}

void listener_close(struct listener *listener)
{
    if (listener->closed) return;
    listener->closed = true;
    listener->ops_in_flight++;
    listener->close_op = (struct net_op){.kind = NET_CLOSE,
        .handle = listener->op.handle,
        .complete = listener_close_complete};
    struct env *env = listener->shard->env;
    env->net_submit(env, listener->shard, &listener->close_op);
}

// --- connecting -------------------------------------------------------------------------------------

// Outlives the task when that is cancelled first.
struct connect_call {
    struct net_op op;
    struct net_op close_op;
    struct task *task;
    struct shard *shard;
    struct wait_queue done;
    bool completed, abandoned;
    char address[NET_ADDRESS_BYTES], peer[NET_ADDRESS_BYTES];
};

static void connect_closed(struct net_op *op)
{
    free(container_of(op, struct connect_call, close_op));
}

static void connect_drop(struct connect_call *call)
{
    if (call->op.result < 0) {
        free(call);
        return;
    }
    call->close_op = (struct net_op){
        .kind = NET_CLOSE, .handle = call->op.result, .complete = connect_closed};
    call->shard->env->net_submit(call->shard->env, call->shard, &call->close_op);
}

static void connect_complete(struct net_op *op)
{
    struct connect_call *call = container_of(op, struct connect_call, op);
    call->completed = true;
    if (call->abandoned) {
        connect_drop(call);
    } else {
        wait_queue_wake_all(&call->done, STATUS_OK);
    }
}

struct resolve_call {
    struct env *env;
    const char *address;
    char numeric[NET_ADDRESS_BYTES];
    int result;
};

static void resolve_on_helper(void *arg)
{
    struct resolve_call *call = arg;
    call->result = call->env->resolve(call->env, call->address, call->numeric);
}

static struct status address_resolve(struct task *task, const char *address, char out[64])
{
    struct status st = STATUS_OK;
    struct env *env = task->shard->env;
    struct resolve_call call = {.env = env, .address = address};
    if (env->resolve == NULL) {
        snprintf(out, NET_ADDRESS_BYTES, "%s", address);
        return STATUS_OK;
    }
    TRY(helper_call(task, resolve_on_helper, &call));
    if (call.result != 0) {
        st = status_format(task->arena, E_CONNECTION_FAILURE,
            "cannot translate address \"%s\" (host and port)", address);
        goto out;
    }
    memcpy(out, call.numeric, NET_ADDRESS_BYTES);
out:
    return st;
}

struct status net_connect(
    struct task *task, const char *address, size_t input_bytes_max, struct conn **conn)
{
    return net_connect_within(task, address, input_bytes_max, 0, conn);
}

struct status net_connect_within(
    struct task *task, const char *address, size_t input_bytes_max, uint64_t patience_ns, struct conn **conn)
{
    struct status st = STATUS_OK;
    struct shard *shard = task->shard;
    struct connect_call *call = calloc(1, sizeof *call);
    invariant(call != NULL);
    st = address_resolve(task, address, call->address);
    if (failed(st)) {
        free(call);
        return st;
    }
    call->shard = shard;
    call->op = (struct net_op){.kind = NET_CONNECT,
        .address = call->address,
        .peer = call->peer,
        .complete = connect_complete};
    shard->env->net_submit(shard->env, shard, &call->op);
    uint64_t deadline_ns = patience_ns == 0 ? UINT64_MAX : task_now_ns(task) + patience_ns;
    struct status late = status_make(E_CONNECTION_FAILURE, "no answer to the attempt to connect");
    while (!call->completed) {
        st = task_wait_until(task, &call->done, deadline_ns, late);
        // The answer may have come in the same turn as the end of patience.
        if (!failed(st) || (call->completed && status_is(st, late.code))) continue;
        if (call->completed) {
            connect_drop(call);
        } else {
            call->abandoned = true;
        }
        return st;
    }
    st = STATUS_OK;
    if (call->op.result < 0) {
        char text[128];
        st = status_format(task->arena, E_CONNECTION_FAILURE, "cannot connect to \"%s\": %s",
            address, strerror_r((int)-call->op.result, text, sizeof text));
    } else {
        *conn = conn_create(shard, call->op.result, call->peer, input_bytes_max);
        conn_recv_resume(*conn);
    }
    free(call);
    return st;
}

// --- attributes -------------------------------------------------------------------------------------

struct shard *conn_shard(const struct conn *conn)
{
    return conn->shard;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer;
}

const char *conn_here(const struct conn *conn)
{
    return conn->here;
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *arg)
{
    conn->handler = handler;
    conn->handler_arg = arg;
}

void *conn_arg(const struct conn *conn)
{
    return conn->handler_arg;
}

uint64_t conn_bytes_in(const struct conn *conn)
{
    return conn->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *conn)
{
    return conn->bytes_out;
}

// --- closing ----------------------------------------------------------------------------------------

static void close_complete(struct net_op *op)
{
    conn_op_ended(container_of(op, struct conn, close_op));
}

void conn_abort(struct conn *conn)
{
    if (conn->state == CONN_CLOSED) return;
    conn->state = CONN_CLOSED;
    conn->handler = NULL;
    conn->ended = conn->broken = true;
    timer_disarm(conn->shard, &conn->linger_timer);
    struct status gone = status_make(E_CONNECTION_FAILURE, "the connection was closed");
    wait_queue_wake_all(&conn->input_waiters, gone);
    wait_queue_wake_all(&conn->drain_waiters, gone);
    conn->ops_in_flight++;
    conn->close_op =
        (struct net_op){.kind = NET_CLOSE, .handle = conn->handle, .complete = close_complete};
    conn->shard->env->net_submit(conn->shard->env, conn->shard, &conn->close_op);
}

static void linger_expired(struct timer *timer)
{
    conn_abort(container_of(timer, struct conn, linger_timer));
}

static void shutdown_complete(struct net_op *op)
{
    struct conn *conn = container_of(op, struct conn, send_op);
    conn->send_in_flight = false;
    if (conn->state == CONN_CLOSING && conn->ended) conn_abort(conn);
    conn_op_ended(conn);
}

// All is sent. Closing with bytes of the peer's unread would reset the connection and might take away
// what it has not read yet: so its end is awaited first.
void conn_close_drained(struct conn *conn)
{
    if (conn->shut_down) return;
    if (conn->ended || conn->broken) {
        conn_abort(conn);
        return;
    }
    conn->shut_down = true;
    conn->send_in_flight = true;
    conn->ops_in_flight++;
    conn->send_op = (struct net_op){
        .kind = NET_SHUTDOWN, .handle = conn->handle, .complete = shutdown_complete};
    conn->shard->env->net_submit(conn->shard->env, conn->shard, &conn->send_op);
}

void conn_close(struct conn *conn)
{
    invariant(conn->state == CONN_OPEN);
    invariant(wait_queue_empty(&conn->input_waiters) && wait_queue_empty(&conn->drain_waiters));
    if (conn->broken || net_shard_of(conn->shard)->exiting) {
        conn_abort(conn);
        return;
    }
    conn->state = CONN_CLOSING;
    conn->handler = NULL;
    conn->linger_timer.fire = linger_expired;
    timer_arm(conn->shard, &conn->linger_timer, shard_now_ns(conn->shard) + CONN_LINGER_NS);
    conn_recv_resume(conn);
    conn_flush(conn);
}

void conn_op_ended(struct conn *conn)
{
    invariant(conn->ops_in_flight > 0);
    conn->ops_in_flight--;
    conn_settle(conn);
}

// --- migration --------------------------------------------------------------------------------------

static void migrate_deliver(struct shard *shard, struct shard_message *message)
{
    struct conn *conn = container_of(message, struct conn, migrate_message);
    struct net_shard *net = net_shard_of(shard);
    conn->shard = shard;
    conn->state = CONN_OPEN;
    list_append(&net->conns, &conn->link);
    if (net->exiting) {
        conn_abort(conn);
        return;
    }
    conn_recv_resume(conn);
    if (conn->wire.bytes > 0 || conn->flush_wanted) conn_flush(conn);
    conn->adopted(conn, conn->adopted_arg);
}

void conn_settle(struct conn *conn)
{
    if (conn->ops_in_flight > 0 || conn->flush_hook.armed || conn->resume_hook.armed) return;
    if (conn->state == CONN_CLOSED) {
        conn_free(conn);
    } else if (conn->state == CONN_MIGRATING) {
        list_remove(&conn->link);
        conn->migrate_message.deliver = migrate_deliver;
        shard_send(conn->shard, conn->migrate_target, &conn->migrate_message);
    }
}

void conn_migrate(struct conn *conn, uint32_t target,
    void (*adopted)(struct conn *conn, void *arg), void *arg)
{
    invariant(conn->state == CONN_OPEN);
    invariant(wait_queue_empty(&conn->input_waiters) && wait_queue_empty(&conn->drain_waiters));
    conn->state = CONN_MIGRATING;
    conn->handler = NULL;
    conn->migrate_target = target;
    conn->adopted = adopted;
    conn->adopted_arg = arg;
    conn_recv_stop(conn);
    conn_settle(conn);
}
