// SPDX-License-Identifier: GPL-3.0-or-later
//
// The HTTP server: requests are answered however they are cut, bounds are kept, TLS is demanded.
#include "tests/unit/harness.h"

#include "core/cert.h"
#include "core/env_sim.h"
#include "core/http.h"
#include "core/text.h"
#include "core/tls.h"

static struct status hello(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    const char *name = http_request_parameter(task->arena, request, "name");
    (void)arg;
    buffer_printf(&response->body, "%s %s hello %s, %zu bytes, agent %s", request->method,
        request->path, name == NULL ? "nobody" : name, request->body.size,
        http_request_header(request, "User-Agent") == NULL
            ? "-"
            : http_request_header(request, "User-Agent"));
    return STATUS_OK;
}

static struct status large(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    (void)task, (void)arg, (void)request;
    response->content_type = "application/octet-stream";
    memset(buffer_reserve(&response->body, 3 << 20), 'x', 3 << 20);
    response->body.size = 3 << 20;
    return STATUS_OK;
}

static struct status broken(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    (void)task, (void)arg, (void)request, (void)response;
    return status_make(E_INTERNAL, "the secret cause");
}

static struct status server_make(
    struct task *task, struct tls_context *tls, struct http_server **server)
{
    struct node *node = task->shard->node;
    http_route(node, "/hello", hello, NULL);
    http_route(node, "/hello/deeper", large, NULL);
    http_route(node, "/broken", broken, NULL);
    return http_server_start(task, "127.0.0.1:0", tls, server);
}

// Sends `request`, `step` bytes at a time, and reads until the server closes or `until` has come.
static struct status talk(struct task *task, struct conn *conn, const char *request, size_t step,
    const char *until, const char **answer)
{
    struct status st = STATUS_OK;
    struct buffer out;
    buffer_init(&out, task->arena);
    size_t left = strlen(request);
    while (left > 0) {
        size_t part = left < step ? left : step;
        conn_write(conn, request, part);
        conn_flush(conn);
        request += part;
        left -= part;
        if (left > 0) TRY(task_yield(task));
    }
    for (;;) {
        struct bytes input = conn_input(conn);
        buffer_append_bytes(&out, input);
        conn_consume(conn, input.size);
        *answer = buffer_string(&out);
        if (until != NULL && strstr(*answer, until) != NULL) break;
        st = conn_wait_input(task, conn, 1);
        if (failed(st)) {
            if (status_is(st, E_CONNECTION_FAILURE)) st = STATUS_OK;
            break;
        }
    }
out:
    return st;
}

static struct status exchange(struct task *task, struct http_server *server, const char *request,
    size_t step, const char **answer)
{
    struct conn *conn;
    struct status st = net_connect(task, http_server_address(server), 1 << 20, &conn);
    if (failed(st)) return st;
    st = talk(task, conn, request, step, NULL, answer);
    conn_close(conn);
    return st;
}

NODE_TEST(http, requests_are_answered_however_they_are_cut, 2)
{
    struct status st = STATUS_OK;
    struct http_server *server;
    const char *answer;
    TRY(server_make(task, NULL, &server));
    for (size_t step = 1; step < 1000; step = step * 20) {
        TRY(exchange(task, server,
            "POST /hello/x%20y?a=1&name=J%C3%BCrgen+K HTTP/1.1\r\nHost: x\r\nUser-AGENT:  curl \r\n"
            "Connection: close\r\nContent-Length: 5\r\n\r\nabcde",
            step, &answer));
        CHECK(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0);
        CHECK(strstr(answer,
                  "\r\n\r\nPOST /hello/x y hello J\xc3\xbcrgen K, 5 bytes, agent curl") != NULL);
    }
    TRY(exchange(task, server,
        "POST /hello HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        7, &answer));
    CHECK(strstr(answer, "7 bytes") != NULL);
    TRY(exchange(task, server, "HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n", 99, &answer));
    CHECK(strstr(answer, "Content-Length: 41") != NULL);
    CHECK(strstr(answer, "\r\n\r\n")[4] == 0);
    http_server_stop(task, server);
out:
    return st;
}

// SIGTERM may come at any moment of the start: what the start has begun is taken back by a cancelled task.
NODE_TEST(http, a_cancelled_start_takes_back_what_it_has_begun, 2)
{
    struct status st = STATUS_OK;
    struct http_server *server = NULL;
    task_cancel(task, status_make(E_QUERY_CANCELED, "told to end"));
    struct status refused = http_server_start(task, "127.0.0.1:0", NULL, &server);
    bool still = task->cancelled;
    task_cancel_clear(task);
    CHECK(failed(refused) && server == NULL && still);
out:
    return st;
}

NODE_TEST(http, a_connection_is_kept_and_requests_may_come_in_one_piece, 1)
{
    struct status st = STATUS_OK;
    struct http_server *server;
    struct conn *conn = NULL;
    const char *answer;
    TRY(server_make(task, NULL, &server));
    TRY(net_connect(task, http_server_address(server), 1 << 20, &conn));
    for (int i = 0; i < 3; i++)
        TRY(talk(task, conn, "GET /hello?name=one HTTP/1.1\r\n\r\n", 10, "agent -", &answer));
    TRY(talk(task, conn, "GET /hello?name=one HTTP/1.1\r\n\r\nGET /hello?name=two HTTP/1.1\r\n\r\n",
        999, "hello two, 0 bytes, agent -", &answer));
    CHECK(strstr(answer, "hello one") != NULL);
    CHECK(strstr(answer, "Connection: keep-alive") != NULL);
    http_server_stop(task, server); // With an idle connection.
    CHECK_FAILS(conn_wait_input(task, conn, 1), E_CONNECTION_FAILURE);
out:
    if (conn != NULL) conn_close(conn);
    return st;
}

NODE_TEST(http, bounds_and_bad_requests_get_their_status, 1)
{
    struct status st = STATUS_OK;
    struct http_server *server;
    const char *answer;
    TRY(server_make(task, NULL, &server));
    char *long_header = arena_printf(task->arena, "GET / HTTP/1.1\r\nX: %020000d\r\n\r\n", 1);
    const struct {
        const char *request, *status;
    } rows[] = {
        {"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n", "404"},
        {"GET /helloo HTTP/1.1\r\nConnection: close\r\n\r\n", "404"},
        {"GET /hello/../etc HTTP/1.1\r\n\r\n", "400"},
        {"GET /hello/%2e%2e/etc HTTP/1.1\r\n\r\n", "400"},
        {"GET /hello/%00 HTTP/1.1\r\n\r\n", "400"},
        {"GET /hello/%zz HTTP/1.1\r\n\r\n", "400"},
        {"NONSENSE\r\n\r\n", "400"},
        {"\x16\x03\x01\x02", "400"},
        {"GET /broken HTTP/1.1\r\nConnection: close\r\n\r\n", "500"},
        {"POST /hello HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", "413"},
        {long_header, "431"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(exchange(task, server, rows[i].request, 5000, &answer));
        CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0);
        if (strncmp(answer + 9, rows[i].status, 3) != 0) {
            st = status_format(task->arena, E_INTERNAL, "row %zu: %.40s", i, answer);
            goto out;
        }
        CHECK(strstr(answer, "secret") == NULL);
    }
    TRY(exchange(task, server, "GET /hello/deeper HTTP/1.0\r\n\r\n", 99, &answer));
    CHECK(strlen(strstr(answer, "\r\n\r\n")) == (3 << 20) + 4);
    http_server_stop(task, server);
out:
    return st;
}

NODE_TEST(http, with_tls_plain_requests_are_redirected, 1)
{
    struct status st = STATUS_OK;
    char dir[256];
    struct http_server *server;
    struct conn *conn = NULL;
    struct bytes cert, key;
    struct tls_context *server_tls = NULL, *client_tls = NULL;
    const char *answer;
    const char *const hosts[] = {"127.0.0.1", NULL};
    struct cert_options authority = {
        .common_name = "CA", .is_ca = true, .is_server = true, .hosts = hosts};
    CHECK(test_dir(dir) != NULL);
    TRY(cert_create(task->arena, &authority, (struct bytes){0}, (struct bytes){0}, &cert, &key));
    struct tls_server_options server_options = {.cert_path = arena_printf(task->arena, "%s/c", dir),
        .key_path = arena_printf(task->arena, "%s/k", dir)};
    FILE *file = fopen(server_options.cert_path, "w");
    fwrite(cert.data, 1, cert.size, file);
    fclose(file);
    file = fopen(server_options.key_path, "w");
    fwrite(key.data, 1, key.size, file);
    fclose(file);
    chmod(server_options.key_path, 0600);
    TRY(tls_context_create_server(task->arena, &server_options, &server_tls));
    struct tls_client_options client_options = {.verify = TLS_VERIFY_FULL, .ca_pem = cert};
    TRY(tls_context_create_client(task->arena, &client_options, &client_tls));
    TRY(server_make(task, server_tls, &server));
    TRY(exchange(task, server, "GET /hello?name=x HTTP/1.1\r\nHost: h:1\r\n\r\n", 99, &answer));
    CHECK(strncmp(answer, "HTTP/1.1 307", 12) == 0);
    CHECK(strstr(answer, "Location: https://h:1/hello?name=x\r\n") != NULL);
    for (int round = 0; round < 2; round++) {
        TRY(net_connect(task, http_server_address(server), 1 << 20, &conn));
        TRY(conn_tls_start(task, conn, client_tls, "127.0.0.1"));
        TRY(talk(
            task, conn, "GET /hello?name=secret HTTP/1.1\r\n\r\n", 3, "hello secret", &answer));
        conn_close(conn);
        conn = NULL;
        TRY(http_server_tls_set(task, server, server_tls)); // A reload in between.
    }
    http_server_stop(task, server);
out:
    if (conn != NULL) conn_abort(conn);
    tls_context_release(server_tls);
    tls_context_release(client_tls);
    return st;
}

// --- under simulation ------------------------------------------------------------------------------

struct slow {
    struct http_server *server;
    const char *request;
    char answer[256];
    uint64_t took_ns;
    bool done;
    struct status status;
};

static struct status slow_server(struct task *task, void *arg)
{
    struct slow *slow = arg;
    http_route(task->shard->node, "/hello", hello, NULL);
    struct status st = http_server_start(task, ":8080", NULL, &slow->server);
    if (failed(st)) return st;
    st = task_sleep(task, UINT64_C(3600000000000));
    task_cancel_clear(task);
    http_server_stop(task, slow->server);
    return st;
}

static struct status slow_client(struct task *task, void *arg)
{
    struct slow *slow = arg;
    struct conn *conn;
    const char *answer = "";
    struct status st = net_connect(task, "10.0.0.1:8080", 1 << 20, &conn);
    uint64_t start_ns = task_now_ns(task);
    if (!failed(st)) {
        st = talk(task, conn, slow->request, 7, NULL, &answer);
        conn_close(conn);
    }
    slow->took_ns = task_now_ns(task) - start_ns;
    snprintf(slow->answer, sizeof slow->answer, "%s", answer);
    slow->status = st;
    slow->done = true;
    return st;
}

static bool slow_done(void *arg)
{
    return ((struct slow *)arg)->done;
}

Test(http, a_request_that_never_ends_is_refused_after_ten_seconds)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        {"POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", "HTTP/1.1 408"},
        {"GET /hel", "HTTP/1.1 408"},
        {"GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 200"}, // Closed a minute later.
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slow slow = {.request = rows[i].request};
        struct node_options options = {.shard_count = 2};
        struct sim *sim = sim_create(i + 1, NULL);
        struct sim_node *server = sim_node_add(sim, 1), *client = sim_node_add(sim, 2);
        sim_node_start(server, &options, slow_server, &slow);
        sim_run_until(sim, NULL, NULL, UINT64_C(100000000));
        sim_node_start(client, &options, slow_client, &slow);
        cr_assert(sim_run_until(sim, slow_done, &slow, UINT64_C(100000000000)));
        cr_assert(!failed(slow.status), "%s", slow.status.message);
        cr_assert(
            strncmp(slow.answer, rows[i].status, strlen(rows[i].status)) == 0, "%s", slow.answer);
        double seconds = (double)slow.took_ns / 1e9;
        double expected = i < 2 ? 10 : 60;
        cr_assert(seconds > expected && seconds < expected + 1, "%f s", seconds);
        sim_node_stop(server);
        sim_node_stop(client);
        sim_run_until(sim, NULL, NULL, UINT64_C(10000000000));
        cr_assert_null(sim_node_running(server));
        cr_assert_null(sim_node_running(client));
        sim_destroy(sim);
    }
}
