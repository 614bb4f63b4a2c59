// SPDX-License-Identifier: GPL-3.0-or-later
//
// Connections: bytes arrive in order and whole, back-pressure holds both sides, closing loses nothing,
// a connection can change its shard in the middle.
#include "tests/unit/harness.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cert.h"
#include "core/disk.h"
#include "core/net.h"
#include "core/tls.h"

#define MS 1000000ull
#define INPUT_MAX (64u << 10)

// A server whose connections echo what they get, on the shard that they live on.
struct echo {
    struct listener *listener;
    uint32_t accepted, ended;
    bool migrate;
    bool silent; // Reads nothing.
    struct wait_queue changed;
    struct conn *last;
};

static void echo_input(struct conn *conn)
{
    struct echo *echo = conn_arg(conn);
    struct bytes input = conn_input(conn);
    if (!echo->silent && input.size > 0) {
        conn_write(conn, input.data, input.size);
        conn_consume(conn, input.size);
        conn_flush(conn);
    }
    if (!conn_ended(conn)) return;
    conn_close(conn);
    __atomic_add_fetch(&echo->ended, 1, __ATOMIC_SEQ_CST);
}

static const struct conn_handler echo_handler = {echo_input};

static void echo_adopted(struct conn *conn, void *arg)
{
    conn_set_handler(conn, &echo_handler, arg);
    echo_input(conn);
}

// Answers the first run of bytes here, then moves to the other shard.
static void echo_then_move(struct conn *conn)
{
    struct echo *echo = conn_arg(conn);
    struct bytes input = conn_input(conn);
    conn_write(conn, input.data, input.size);
    conn_consume(conn, input.size);
    conn_flush(conn);
    conn_migrate(conn, (conn_shard(conn)->index + 1) % 2, echo_adopted, echo);
}

static const struct conn_handler moving_handler = {echo_then_move};

static void echo_accept(struct listener *listener, struct conn *conn)
{
    struct echo *echo = listener_arg(listener);
    echo->accepted++;
    echo->last = conn;
    conn_set_handler(conn, echo->migrate ? &moving_handler : &echo_handler, echo);
    wait_queue_wake_all(&echo->changed, STATUS_OK);
}

static struct status echo_start(struct task *task, struct echo *echo)
{
    struct listener_options options = {.address = "127.0.0.1:0",
        .input_bytes_max = INPUT_MAX,
        .on_accept = echo_accept,
        .arg = echo};
    return net_listen(task, &options, &echo->listener);
}

static void pattern_fill(uint8_t *data, size_t size, size_t offset)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)((offset + i) * 2654435761u >> 13);
}

// Sends `total` bytes and reads their echo at the same time, from one task.
static struct status echo_check(struct task *task, struct conn *conn, size_t total)
{
    struct status st = STATUS_OK;
    uint8_t expected[2048];
    size_t sent = 0, got = 0;
    while (got < total) {
        while (sent < total && sent - got < INPUT_MAX) {
            size_t part = total - sent < sizeof expected ? total - sent : sizeof expected;
            pattern_fill(expected, part, sent);
            conn_write(conn, expected, part);
            sent += part;
        }
        conn_flush(conn);
        TRY(conn_wait_input(task, conn, 1));
        struct bytes input = conn_input(conn);
        size_t part = input.size < sizeof expected ? input.size : sizeof expected;
        pattern_fill(expected, part, got);
        CHECK(memcmp(expected, input.data, part) == 0);
        conn_consume(conn, part);
        got += part;
    }
    CHECK(conn_bytes_in(conn) >= total);
out:
    return st;
}

NODE_TEST(net, bytes_come_back, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo;
    struct conn *conn = NULL;
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conn));
    CHECK(strcmp(conn_peer(conn), listener_address(echo.listener)) == 0);
    TRY(echo_check(task, conn, 10));
    TRY(echo_check(task, conn, 5u << 20));
    conn_close(conn);
    while (echo.ended == 0)
        TRY(task_sleep(task, MS));
    listener_close(echo.listener);
out:
    return st;
}

NODE_TEST(net, connections_move_between_shards, 2)
{
    struct status st = STATUS_OK;
    static struct echo echo = {.migrate = true};
    struct conn *conns[8] = {0};
    TRY(echo_start(task, &echo));
    for (int i = 0; i < 8; i++) {
        TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conns[i]));
        TRY(echo_check(task, conns[i], 300000));
    }
    for (int i = 0; i < 8; i++)
        conn_close(conns[i]);
    while (__atomic_load_n(&echo.ended, __ATOMIC_SEQ_CST) < 8)
        TRY(task_sleep(task, MS));
out:
    return st;
}

// A receiver that does not read stops its sender: both buffers stay bounded.
// A long message is taken with the memory that it lies in; what came behind it stays, and more comes.
NODE_TEST(net, long_input_is_taken_without_a_copy, 1)
{
    enum { TOTAL = 3 << 20, REST = 1000, LITTLE = 5000 };
    struct status st = STATUS_OK;
    static struct echo echo;
    struct conn *conn = NULL;
    uint8_t block[4096];
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), TOTAL, &conn));
    for (size_t sent = 0; sent < TOTAL; sent += sizeof block) {
        pattern_fill(block, sizeof block, sent);
        conn_write(conn, block, sizeof block);
        conn_flush(conn);
        if (sent % INPUT_MAX == 0) TRY(conn_drain(task, conn, INPUT_MAX));
    }
    TRY(conn_wait_input(task, conn, TOTAL));
    CHECK(conn_input_detach(conn, LITTLE) == NULL);
    const struct bytes input = conn_input(conn);
    CHECK(input.size == TOTAL);
    void *memory = conn_input_detach(conn, TOTAL - REST);
    CHECK(memory != NULL && conn_input(conn).size == REST);
    for (size_t at = 0; at < TOTAL - sizeof block; at += sizeof block) {
        pattern_fill(block, sizeof block, at);
        CHECK(memcmp(block, input.data + at, sizeof block) == 0);
    }
    pattern_fill(block, REST, TOTAL - REST);
    CHECK(memcmp(block, conn_input(conn).data, REST) == 0);
    free(memory);
    conn_consume(conn, REST);
    TRY(echo_check(task, conn, 100000));
    conn_close(conn);
    while (echo.ended == 0) TRY(task_sleep(task, MS));
    listener_close(echo.listener);
out:
    return st;
}

NODE_TEST(net, back_pressure_reaches_the_sender, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo = {.silent = true}; // Outlives the task: the handlers use it.
    struct conn *conn = NULL;
    static uint8_t block[64 << 10];
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conn));
    size_t written = 0;
    for (;;) {
        pattern_fill(block, sizeof block, written);
        conn_write(conn, block, sizeof block);
        written += sizeof block;
        conn_flush(conn);
        task->deadline_ns = task_now_ns(task) + 200 * MS;
        struct status drained = conn_drain(task, conn, sizeof block);
        task->deadline_ns = UINT64_MAX;
        if (failed(drained)) break;
        CHECK(written < 100u << 20);
    }
    CHECK(conn_output_bytes(conn) > 0);
    CHECK(conn_input(echo.last).size >= INPUT_MAX);
    CHECK(conn_input(echo.last).size <= INPUT_MAX + 256 * (16u << 10));
    // It begins to read: all of it comes, in order.
    size_t got = 0;
    while (got < written) {
        TRY(conn_wait_input(task, echo.last, 1));
        struct bytes input = conn_input(echo.last);
        size_t part = input.size < sizeof block ? input.size : sizeof block;
        pattern_fill(block, part, got);
        CHECK(memcmp(block, input.data, part) == 0);
        conn_consume(echo.last, part);
        got += part;
    }
    conn_abort(conn);
out:
    return st;
}

// A goodbye that is written just before the close arrives, also when the peer was still sending.
NODE_TEST(net, close_delivers_what_was_written, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo = {.silent = true}; // Outlives the task: the handlers use it.
    struct conn *conn = NULL;
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conn));
    conn_write(conn, "unread", 6);
    conn_flush(conn);
    while (echo.last == NULL || conn_input(echo.last).size < 6)
        TRY(task_sleep(task, MS));
    conn_write(conn, "more", 4);
    conn_flush(conn);
    conn_write(echo.last, "goodbye", 7);
    conn_close(echo.last);
    TRY(conn_wait_input(task, conn, 7));
    CHECK(memcmp(conn_input(conn).data, "goodbye", 7) == 0);
    conn_consume(conn, 7);
    CHECK_FAILS(conn_wait_input(task, conn, 1), E_CONNECTION_FAILURE);
    CHECK(conn_ended(conn));
    conn_close(conn);
out:
    return st;
}

// Receiving stops while much is unread; who waits for more than is left then gets it.
NODE_TEST(net, waits_for_more_than_is_left, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo;
    struct conn *conn = NULL;
    uint8_t *bytes = arena_alloc_zero(task->arena, INPUT_MAX);
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conn));
    for (uint32_t round = 0; round < 8; round++) {
        conn_write(conn, bytes, INPUT_MAX);
        conn_flush(conn);
        TRY(conn_wait_input(task, conn, INPUT_MAX));
        conn_consume(conn, INPUT_MAX * 3 / 10);
        conn_write(conn, bytes, INPUT_MAX * 3 / 10);
        conn_flush(conn);
        TRY(conn_wait_input(task, conn, INPUT_MAX * 9 / 10));
        TRY(conn_wait_input(task, conn, INPUT_MAX * 7 / 10 + INPUT_MAX * 3 / 10));
        conn_consume(conn, conn_input(conn).size);
    }
    conn_close(conn);
    listener_close(echo.listener);
out:
    return st;
}

NODE_TEST(net, refusals_have_their_codes, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo;
    struct conn *conn = NULL;
    TRY(echo_start(task, &echo));
    char taken[NET_ADDRESS_BYTES];
    snprintf(taken, sizeof taken, "%s", listener_address(echo.listener));
    listener_close(echo.listener);
    TRY(task_sleep(task, MS));
    CHECK_FAILS(net_connect(task, taken, INPUT_MAX, &conn), E_CONNECTION_FAILURE);
    CHECK_FAILS(net_connect(task, "127.0.0.1", INPUT_MAX, &conn), E_CONNECTION_FAILURE);
    CHECK_FAILS(
        net_connect(task, "no-such-host.invalid:1", INPUT_MAX, &conn), E_CONNECTION_FAILURE);
    struct listener_options options = {
        .address = "127.0.0.1:99999", .input_bytes_max = 1, .on_accept = echo_accept};
    struct listener *listener;
    CHECK_FAILS(net_listen(task, &options, &listener), E_INVALID_PARAMETER_VALUE);
    options.address = "192.0.2.1:0"; // Not this machine's.
    CHECK(failed(net_listen(task, &options, &listener)));
out:
    return st;
}

static struct status close_it(struct task *task, void *arg)
{
    (void)task;
    close(*(int *)arg);
    return STATUS_OK;
}

// As that of a process that was killed, of which the kernel has something to end: who starts again at once gets it.
NODE_TEST(net, an_address_that_is_taken_for_a_moment_is_waited_for, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo; // Outlives the task: the handlers use it.
    static int other;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    char address[NET_ADDRESS_BYTES];
    other = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(other, (struct sockaddr *)&where, size) == 0 && listen(other, 1) == 0);
    CHECK(getsockname(other, (struct sockaddr *)&where, &size) == 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(where.sin_port));
    struct listener_options options = {.address = address, .input_bytes_max = INPUT_MAX, .on_accept = echo_accept, .arg = &echo};
    // It runs when this task waits.
    struct task_options closing = {.fn = close_it, .arg = &other, .kind = "close", .class = TASK_SYSTEM};
    TRY(task_start(task->shard, &closing));
    TRY(net_listen(task, &options, &echo.listener));
out:
    return st;
}

// A task that waits for input gets it; one whose peer goes away learns of that.
NODE_TEST(net, waiting_tasks_learn_of_the_end, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo = {.silent = true}; // Outlives the task: the handlers use it.
    struct conn *conn = NULL;
    TRY(echo_start(task, &echo));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conn));
    CHECK_FAILS(conn_wait_input(task, conn, INPUT_MAX + 1), E_PROTOCOL_VIOLATION);
    while (echo.last == NULL)
        TRY(task_wait(task, &echo.changed));
    conn_abort(echo.last);
    CHECK_FAILS(conn_wait_input(task, conn, 1), E_CONNECTION_FAILURE);
    conn_write(conn, "x", 1);
    conn_flush(conn);
    TRY(task_sleep(task, 5 * MS));
    conn_write(conn, "x", 1);
    CHECK_FAILS(conn_drain(task, conn, 0), E_CONNECTION_FAILURE);
    conn_close(conn);
out:
    return st;
}

// Out of descriptors, accepting pauses; it goes on when there are some again.
NODE_TEST(net, accepting_survives_descriptor_exhaustion, 1)
{
    struct status st = STATUS_OK;
    static struct echo echo;
    struct conn *conns[64] = {0};
    struct rlimit limit;
    uint32_t count = 0;
    TRY(echo_start(task, &echo));
    getrlimit(RLIMIT_NOFILE, &limit);
    int lowest = dup(0); // The next descriptors start here.
    close(lowest);
    limit.rlim_cur = (rlim_t)lowest + 21;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    // Each end of a connection takes one: the clients use them up.
    for (; count < 64; count++) {
        if (failed(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conns[count])))
            break;
    }
    CHECK(count > 5 && count < 22);
    TRY(task_sleep(task, 20 * MS));
    while (count > 0)
        conn_abort(conns[--count]);
    TRY(task_sleep(task, 20 * MS));
    TRY(net_connect(task, listener_address(echo.listener), INPUT_MAX, &conns[0]));
    TRY(echo_check(task, conns[0], 10000));
    conn_close(conns[0]);
out:
    return st;
}

// --- TLS --------------------------------------------------------------------------------------------

struct tls_echo {
    struct echo echo;
    struct tls_context *context;
    uint32_t refused;
};

static struct status tls_serve(struct task *task, void *arg)
{
    struct conn *conn = arg;
    struct tls_echo *server = conn_arg(conn);
    struct status st = conn_tls_start(task, conn, server->context, NULL);
    if (failed(st)) {
        server->refused++;
        conn_close(conn);
        return STATUS_OK;
    }
    conn_set_handler(conn, server->echo.migrate ? &moving_handler : &echo_handler, &server->echo);
    if (conn_input(conn).size > 0) conn_set_handler(conn, &echo_handler, &server->echo);
    if (conn_input(conn).size > 0) echo_input(conn);
    return STATUS_OK;
}

static void tls_accept(struct listener *listener, struct conn *conn)
{
    conn_set_handler(conn, NULL, listener_arg(listener));
    struct task_options options = {.fn = tls_serve, .arg = conn, .kind = "tls"};
    if (failed(task_start(conn_shard(conn), &options))) conn_abort(conn);
}

static struct status certificates_make(
    struct task *task, const char *dir, struct tls_context **server, struct bytes *ca_pem)
{
    struct status st = STATUS_OK;
    struct bytes ca_key, cert, key, none = {0};
    static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
    struct cert_options authority = {.common_name = "CA", .is_ca = true};
    struct cert_options node = {.common_name = "node", .hosts = hosts, .is_server = true};
    TRY(cert_create(task->arena, &authority, none, none, ca_pem, &ca_key));
    TRY(cert_create(task->arena, &node, *ca_pem, ca_key, &cert, &key));
    char *cert_path = arena_printf(task->arena, "%s/node.crt", dir);
    char *key_path = arena_printf(task->arena, "%s/node.key", dir);
    TRY(disk_write_file(task, cert_path, cert));
    TRY(disk_write_file(task, key_path, key));
    CHECK(chmod(key_path, 0600) == 0);
    struct tls_server_options options = {.cert_path = cert_path, .key_path = key_path};
    TRY(tls_context_create_server(task->arena, &options, server));
out:
    return st;
}

static struct status tls_talk(struct task *task, bool migrate)
{
    struct status st = STATUS_OK;
    static struct tls_echo server;
    struct tls_context *client = NULL;
    struct conn *conn = NULL;
    struct bytes ca_pem;
    char dir[256];
    server.echo.migrate = migrate;
    TRY(certificates_make(task, test_dir(dir), &server.context, &ca_pem));
    struct listener_options options = {.address = "127.0.0.1:0",
        .input_bytes_max = INPUT_MAX,
        .on_accept = tls_accept,
        .arg = &server};
    TRY(net_listen(task, &options, &server.echo.listener));
    struct tls_client_options client_options = {.verify = TLS_VERIFY_FULL, .ca_pem = ca_pem};
    TRY(tls_context_create_client(task->arena, &client_options, &client));
    for (int i = 0; i < 3; i++) {
        TRY(net_connect(task, listener_address(server.echo.listener), INPUT_MAX, &conn));
        TRY(conn_tls_start(task, conn, client, "127.0.0.1"));
        CHECK(conn_tls(conn) != NULL);
        TRY(task_sleep(task, 2 * MS)); // So that the server has set its handler.
        TRY(echo_check(task, conn, 10));
        TRY(echo_check(task, conn, 2u << 20));
        conn_close(conn);
    }
    while (__atomic_load_n(&server.echo.ended, __ATOMIC_SEQ_CST) < 3)
        TRY(task_sleep(task, MS));
    // The wrong name is refused, with the server none the worse.
    TRY(net_connect(task, listener_address(server.echo.listener), INPUT_MAX, &conn));
    CHECK(failed(conn_tls_start(task, conn, client, "other.example")));
    conn_close(conn);
    // No TLS at all.
    TRY(net_connect(task, listener_address(server.echo.listener), INPUT_MAX, &conn));
    conn_write(conn, "GET / HTTP/1.0\r\n\r\n", 18);
    conn_flush(conn);
    while (!conn_ended(conn)) {
        conn_consume(conn, conn_input(conn).size);
        st = conn_wait_input(task, conn, 1);
        if (failed(st)) break;
    }
    st = STATUS_OK;
    conn_close(conn);
    while (server.refused < 2)
        TRY(task_sleep(task, MS));
    tls_context_release(client);
    tls_context_release(server.context);
out:
    return st;
}

NODE_TEST(net, tls_carries_bytes_both_ways, 1)
{
    return tls_talk(task, false);
}

NODE_TEST(net, tls_connections_move_between_shards, 2)
{
    return tls_talk(task, true);
}
