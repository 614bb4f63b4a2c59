// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/http.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/list.h"
#include "core/log.h"
#include "core/text.h"
#include "core/tls.h"

#define HEADER_BYTES_MAX (16u << 10)
#define BODY_BYTES_MAX (1u << 20)
#define HEADERS_MAX 100u
#define INPUT_BYTES_MAX (64u << 10)
#define OUTPUT_BYTES_MAX (256u << 10)
#define CONNECTIONS_MAX 1024u
#define ROUTES_MAX 128u
#define REQUEST_TIMEOUT_NS UINT64_C(10000000000)
#define HANDLER_TIMEOUT_NS UINT64_C(300000000000)
#define IDLE_TIMEOUT_NS UINT64_C(60000000000)

struct http_route {
    const char *prefix;
    size_t prefix_size;
    http_handler handler;
    void *arg;
};
struct http_routes {
    struct shard_exit_hook exit; // Frees this.
    struct http_route routes[ROUTES_MAX];
    uint32_t count;
};

// One shard's part of a server.
struct http_shard {
    struct http_server *server;
    struct listener *listener;
    struct tls_context *tls;
    struct list_link connections;
    uint32_t count;
    bool stopping;
    struct wait_queue stopped;
};

struct http_server {
    struct node *node;
    char address[64];
    struct http_shard **shards; // Each made and freed by its shard.
    struct tls_context *tls;    // While starting, or being changed.
};

struct http_conn {
    struct http_shard *home;
    struct conn *conn;
    struct list_link link;
    struct timer idle;
    bool busy;    // A task is at it.
    bool started; // The first byte has been looked at.
    bool plain;   // Without TLS although there is a context.
};

// A request as it is being parsed.
struct parse {
    struct arena *arena;
    http_parser parser;
    struct buffer url, name, value, body;
    struct http_header headers[HEADERS_MAX];
    uint32_t header_count;
    size_t header_bytes;
    uint32_t refusal; // An HTTP status, when the request breaks a bound.
    bool in_value, headers_done, complete;
};

// --- routes --------------------------------------------------------------------------------------

static void routes_free(struct shard_exit_hook *hook)
{
    free(container_of(hook, struct http_routes, exit));
}

void http_route(struct node *node, const char *path_prefix, http_handler handler, void *arg)
{
    struct http_routes *routes = node->slots[NODE_SLOT_HTTP];
    if (routes == NULL) {
        routes = calloc(1, sizeof *routes);
        invariant(routes != NULL);
        node->slots[NODE_SLOT_HTTP] = routes;
        routes->exit.fn = routes_free;
        shard_at_exit(shard_self(), &routes->exit);
    }
    invariant(routes->count < ROUTES_MAX && path_prefix[0] == '/');
    routes->routes[routes->count++] =
        (struct http_route){path_prefix, strlen(path_prefix), handler, arg};
}

static const struct http_route *route_of(const struct node *node, const char *path)
{
    const struct http_routes *routes = node->slots[NODE_SLOT_HTTP];
    const struct http_route *best = NULL;
    for (uint32_t i = 0; routes != NULL && i < routes->count; i++) {
        const struct http_route *route = &routes->routes[i];
        if (strncmp(path, route->prefix, route->prefix_size) != 0) continue;
        char next = path[route->prefix_size];
        bool whole = route->prefix[route->prefix_size - 1] == '/' || next == 0 || next == '/';
        if (whole && (best == NULL || route->prefix_size > best->prefix_size)) best = route;
    }
    return best;
}

// --- parsing -------------------------------------------------------------------------------------

static bool header_room(struct parse *parse, size_t size)
{
    parse->header_bytes += size;
    if (parse->header_bytes <= HEADER_BYTES_MAX) return true;
    parse->refusal = 431;
    return false;
}

static void header_end(struct parse *parse)
{
    if (!parse->in_value) return;
    struct bytes name = buffer_bytes(&parse->name);
    parse->headers[parse->header_count++] = (struct http_header){text_lower(parse->arena, name),
        arena_string(parse->arena, text_trim(buffer_bytes(&parse->value)))};
    parse->name.size = parse->value.size = 0;
    parse->in_value = false;
}

static int on_url(http_parser *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    if (!header_room(parse, size)) return 1;
    buffer_append(&parse->url, at, size);
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    header_end(parse);
    if (!header_room(parse, size)) return 1;
    if (parse->header_count == HEADERS_MAX) {
        parse->refusal = 431;
        return 1;
    }
    buffer_append(&parse->name, at, size);
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    if (!header_room(parse, size)) return 1;
    parse->in_value = true;
    buffer_append(&parse->value, at, size);
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct parse *parse = parser->data;
    header_end(parse);
    parse->headers_done = true;
    bool known = (parser->flags & F_CONTENTLENGTH) != 0;
    if (known && parser->content_length > BODY_BYTES_MAX) {
        parse->refusal = 413;
        return -1;
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    if (size > BODY_BYTES_MAX - parse->body.size) {
        parse->refusal = 413;
        return 1;
    }
    buffer_append(&parse->body, at, size);
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct parse *parse = parser->data;
    parse->complete = true;
    http_parser_pause(parser, 1); // What follows is the next request's.
    return 0;
}

static const http_parser_settings parse_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static struct parse *parse_new(struct arena *arena)
{
    struct parse *parse = ARENA_NEW(arena, struct parse);
    parse->arena = arena;
    http_parser_init(&parse->parser, HTTP_REQUEST);
    parse->parser.data = parse;
    buffer_init(&parse->url, arena);
    buffer_init(&parse->name, arena);
    buffer_init(&parse->value, arena);
    buffer_init(&parse->body, arena);
    return parse;
}

// Takes bytes; returns how many, up to the request's end. A request that cannot be is refused.
static size_t parse_feed(struct parse *parse, struct bytes input)
{
    size_t taken =
        http_parser_execute(&parse->parser, &parse_settings, (const char *)input.data, input.size);
    enum http_errno error = HTTP_PARSER_ERRNO(&parse->parser);
    // A request to upgrade the protocol is answered as if it had not asked.
    if (error == HPE_OK && parse->parser.upgrade && parse->headers_done) parse->complete = true;
    if (error != HPE_OK && error != HPE_PAUSED && parse->refusal == 0)
        parse->refusal = error == HPE_HEADER_OVERFLOW ? 431 : 400;
    return taken;
}

static int hex_value(char c)
{
    if (ascii_digit(c)) return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// NULL for a malformed escape or a NUL.
static char *percent_decode(struct arena *arena, struct bytes text, bool plus_is_space)
{
    char *out = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == '+' && plus_is_space) c = ' ';
        if (c == '%') {
            if (text.size - i < 3) return NULL;
            int high = hex_value((char)text.data[i + 1]), low = hex_value((char)text.data[i + 2]);
            if (high < 0 || low < 0) return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == 0) return NULL;
        out[size++] = c;
    }
    out[size] = 0;
    return out;
}

// Whether a segment of the path is "..": no handler should have to think of it.
static bool path_climbs(const char *path)
{
    for (const char *at = strstr(path, "/.."); at != NULL; at = strstr(at + 1, "/..")) {
        if (at[3] == 0 || at[3] == '/') return true;
    }
    return false;
}

static struct bytes url_part(const struct parse *parse, const struct http_parser_url *url, int part)
{
    if ((url->field_set & 1u << part) == 0) return (struct bytes){NULL, 0};
    return bytes_of(parse->url.data + url->field_data[part].off, url->field_data[part].len);
}

static uint32_t request_make(struct parse *parse, const char *peer, struct http_request *request)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    bool connect = parse->parser.method == HTTP_CONNECT;
    if (connect) return 405;
    if (http_parser_parse_url((const char *)parse->url.data, parse->url.size, 0, &url) != 0)
        return 400;
    const char *path = percent_decode(parse->arena, url_part(parse, &url, UF_PATH), false);
    if (path == NULL || path_climbs(path)) return 400;
    const char *method = http_method_str((enum http_method)parse->parser.method);
    *request = (struct http_request){
        .method = parse->parser.method == HTTP_HEAD ? "GET" : method,
        .path = path[0] == 0 ? "/" : path,
        .query = arena_string(parse->arena, url_part(parse, &url, UF_QUERY)),
        .body = buffer_bytes(&parse->body),
        .peer = peer,
        .headers = parse->headers,
        .header_count = parse->header_count,
    };
    return 0;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (string_equal_nocase(request->headers[i].name, name)) return request->headers[i].value;
    }
    return NULL;
}

const char *http_request_parameter(
    struct arena *arena, const struct http_request *request, const char *name)
{
    size_t name_size = strlen(name);
    for (const char *at = request->query; *at != 0;) {
        size_t size = strcspn(at, "&");
        size_t key_size = strcspn(at, "=&");
        if (key_size == name_size && memcmp(at, name, name_size) == 0) {
            if (key_size == size) return ""; // No '='.
            return percent_decode(arena, bytes_of(at + key_size + 1, size - key_size - 1), true);
        }
        at += size + (at[size] == '&');
    }
    return NULL;
}

// --- answering -----------------------------------------------------------------------------------

static const char *status_words(uint32_t status)
{
    switch (status) {
#define WORDS(number, name, words)                                                                 \
    case number: return #words;
        HTTP_STATUS_MAP(WORDS)
#undef WORDS
    default: return "Unknown";
    }
}

static struct status answer_send(struct task *task, struct http_conn *http, uint32_t status,
    const struct http_response *response, bool with_body, bool keep)
{
    struct buffer head;
    buffer_init(&head, task->arena);
    const char *type = response->content_type;
    buffer_printf(&head,
        "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: %s\r\n",
        status, status_words(status), type == NULL ? "text/plain; charset=utf-8" : type,
        response->body.size, keep ? "keep-alive" : "close");
    if (response->extra_headers != NULL) buffer_append_string(&head, response->extra_headers);
    buffer_append_string(&head, "\r\n");
    conn_write(http->conn, head.data, head.size);

    size_t left = with_body ? response->body.size : 0;
    const uint8_t *at = response->body.data;
    while (left > 0) {
        size_t part = left < OUTPUT_BYTES_MAX ? left : OUTPUT_BYTES_MAX;
        conn_write(http->conn, at, part);
        at += part;
        left -= part;
        struct status st = conn_drain(task, http->conn, OUTPUT_BYTES_MAX);
        if (failed(st)) return st;
    }
    conn_flush(http->conn);
    return STATUS_OK;
}

static struct status refuse(struct task *task, struct http_conn *http, uint32_t status)
{
    struct http_response response = {0};
    buffer_init(&response.body, task->arena);
    buffer_printf(&response.body, "%u %s\n", status, status_words(status));
    return answer_send(task, http, status, &response, true, false);
}

// Plain text on a server that has TLS: to the same place, encrypted.
static struct status redirect(struct task *task, struct http_conn *http, const struct parse *parse,
    const struct http_request *request)
{
    const char *host = http_request_header(request, "host");
    if (host == NULL || host[0] == 0) return refuse(task, http, 400);
    struct http_response response = {0};
    buffer_init(&response.body, task->arena);
    const char *url = arena_string(task->arena, buffer_bytes(&parse->url));
    if (url[0] != '/') url = "/";
    response.extra_headers = arena_printf(task->arena, "Location: https://%s%s\r\n", host, url);
    buffer_append_string(&response.body, "this server speaks TLS\n");
    return answer_send(task, http, 307, &response, true, false);
}

static struct status answer(
    struct task *task, struct http_conn *http, struct parse *parse, bool *keep)
{
    struct http_request request;
    uint32_t refusal = parse->refusal;
    *keep = false;
    if (refusal == 0) refusal = request_make(parse, conn_peer(http->conn), &request);
    if (refusal != 0) return refuse(task, http, refusal);
    if (http->plain) return redirect(task, http, parse, &request);

    const struct http_route *route = route_of(task->shard->node, request.path);
    struct http_response response = {0};
    buffer_init(&response.body, task->arena);
    if (route == NULL) {
        response.status = 404;
        buffer_append_string(&response.body, "not found\n");
    } else {
        task->deadline_ns = task_now_ns(task) + HANDLER_TIMEOUT_NS;
        struct status st = route->handler(task, route->arg, &request, &response);
        if (failed(st)) {
            log_warning(task->tenant, "HTTP %s %s: %s", request.method, request.path, st.message);
            response = (struct http_response){.status = 500};
            buffer_init(&response.body, task->arena);
            buffer_append_string(&response.body, "internal error\n");
        }
    }
    *keep = http_should_keep_alive(&parse->parser) && !http->home->stopping;
    bool with_body = parse->parser.method != HTTP_HEAD;
    uint32_t status = response.status == 0 ? 200 : response.status;
    return answer_send(task, http, status, &response, with_body, *keep);
}

// --- connections ---------------------------------------------------------------------------------

static void connection_end(struct http_conn *http, bool at_once)
{
    struct http_shard *home = http->home;
    struct shard *shard = conn_shard(http->conn);
    timer_disarm(shard, &http->idle);
    conn_set_handler(http->conn, NULL, NULL);
    if (at_once) {
        conn_abort(http->conn);
    } else {
        conn_close(http->conn);
    }
    list_remove(&http->link);
    home->count--;
    free(http);
    if (home->stopping && home->count == 0) wait_queue_wake_all(&home->stopped, STATUS_OK);
}

static void idle_fired(struct timer *timer)
{
    struct http_conn *http = timer->arg;
    if (!http->busy) connection_end(http, false);
}

// Receives until the request is whole. 57014 when its time is over.
static struct status request_receive(struct task *task, struct http_conn *http, struct parse *parse)
{
    bool invited = false;
    task->deadline_ns = task_now_ns(task) + REQUEST_TIMEOUT_NS;
    for (;;) {
        struct bytes input = conn_input(http->conn);
        if (input.size > 0) conn_consume(http->conn, parse_feed(parse, input));
        if (parse->complete || parse->refusal != 0) return STATUS_OK;
        if (parse->headers_done && !invited) {
            struct http_request so_far = {
                .headers = parse->headers, .header_count = parse->header_count};
            const char *expect = http_request_header(&so_far, "expect");
            invited = true;
            if (expect != NULL && string_equal_nocase(expect, "100-continue")) {
                conn_write(http->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
                conn_flush(http->conn);
            }
        }
        struct status st = conn_wait_input(task, http->conn, 1);
        if (failed(st)) return st;
    }
}

// The first byte tells a TLS handshake from a request.
static struct status connection_begin(struct task *task, struct http_conn *http)
{
    if (http->started) return STATUS_OK;
    http->started = true;
    if (http->home->tls == NULL) return STATUS_OK;
    http->plain = conn_input(http->conn).data[0] != 0x16;
    if (http->plain) return STATUS_OK;
    task->deadline_ns = task_now_ns(task) + REQUEST_TIMEOUT_NS;
    return conn_tls_start(task, http->conn, http->home->tls, NULL);
}

// Requests on one connection, until it has nothing more to say for now. `*keep`: leave it open.
static struct status connection_serve(struct task *task, struct http_conn *http, bool *keep)
{
    struct status st = STATUS_OK;
    *keep = true;
    TRY(connection_begin(task, http));
    while (*keep && conn_input(http->conn).size > 0) {
        struct arena_mark mark = arena_mark(task->arena);
        struct parse *parse = parse_new(task->arena);
        st = request_receive(task, http, parse);
        if (status_is(st, E_QUERY_CANCELED)) {
            *keep = false;
            task->deadline_ns = task_now_ns(task) + REQUEST_TIMEOUT_NS;
            st = refuse(task, http, 408);
        } else if (!failed(st)) {
            st = answer(task, http, parse, keep);
        }
        arena_release(task->arena, mark);
        if (failed(st)) break;
    }
out:
    return st;
}

static struct status connection_task(struct task *task, void *arg)
{
    struct http_conn *http = arg;
    bool keep;
    struct status st = connection_serve(task, http, &keep);
    http->busy = false;
    if (failed(st) || !keep || http->home->stopping || conn_ended(http->conn)) {
        connection_end(http, false);
    } else {
        timer_arm(task->shard, &http->idle, task_now_ns(task) + IDLE_TIMEOUT_NS);
    }
    return STATUS_OK;
}

static void connection_input(struct conn *conn)
{
    struct http_conn *http = conn_arg(conn);
    if (http->busy) return; // Its task will see.
    if (conn_input(conn).size == 0) {
        if (conn_ended(conn)) connection_end(http, true);
        return;
    }
    struct task_options options = {
        .fn = connection_task, .arg = http, .kind = "http", .class = TASK_DEFAULT};
    http->busy = true;
    timer_disarm(conn_shard(conn), &http->idle);
    if (failed(task_start(conn_shard(conn), &options))) connection_end(http, true);
}

static const struct conn_handler connection_handler = {.on_input = connection_input};

static void accepted(struct listener *listener, struct conn *conn)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    struct http_shard *home = listener_arg(listener);
    struct http_conn *http = NULL;
    if (home->count < CONNECTIONS_MAX && !home->stopping) http = calloc(1, sizeof *http);
    if (http == NULL) {
        if (home->tls == NULL) conn_write(conn, busy, sizeof busy - 1);
        conn_close(conn);
        return;
    }
    *http = (struct http_conn){.home = home, .conn = conn};
    http->idle = (struct timer){.fire = idle_fired, .arg = http};
    list_append(&home->connections, &http->link);
    home->count++;
    conn_set_handler(conn, &connection_handler, http);
    timer_arm(conn_shard(conn), &http->idle, shard_now_ns(conn_shard(conn)) + IDLE_TIMEOUT_NS);
}

// --- start and stop ------------------------------------------------------------------------------

static struct status shard_start(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct http_server *server = arg;
    struct http_shard *home = calloc(1, sizeof *home);
    if (home == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for the HTTP server");
    home->server = server;
    list_init(&home->connections);
    wait_queue_init(&home->stopped);
    struct listener_options options = {.address = server->address,
        .input_bytes_max = INPUT_BYTES_MAX,
        .on_accept = accepted,
        .arg = home};
    TRY(net_listen(task, &options, &home->listener));
    if (server->tls != NULL) {
        tls_context_retain(server->tls);
        home->tls = server->tls;
    }
    server->shards[task->shard->index] = home;
    // The first to listen may have asked for any port: the others take the same.
    snprintf(server->address, sizeof server->address, "%s", listener_address(home->listener));
    home = NULL;
out:
    free(home);
    return st;
}

struct status http_server_start(
    struct task *task, const char *address, struct tls_context *tls, struct http_server **server)
{
    struct status st = STATUS_OK;
    struct http_server *made = calloc(1, sizeof *made);
    invariant(made != NULL);
    made->node = task->shard->node;
    made->tls = tls;
    made->shards = calloc(made->node->shard_count, sizeof *made->shards);
    invariant(made->shards != NULL);
    if (strlen(address) >= sizeof made->address) {
        st = status_make(E_INVALID_PARAMETER_VALUE, "the HTTP address is too long");
        goto out;
    }
    strcpy(made->address, address);
    TRY(shard_call_all(task, shard_start, made));
    made->tls = NULL;
    *server = made;
    made = NULL;
out:
    if (made != NULL) http_server_stop(task, made);
    return st;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

static struct status shard_tls_set(struct task *task, void *arg)
{
    struct http_server *server = arg;
    struct http_shard *home = server->shards[task->shard->index];
    if (home == NULL) return STATUS_OK;
    tls_context_retain(server->tls);
    tls_context_release(home->tls);
    home->tls = server->tls;
    return STATUS_OK;
}

struct status http_server_tls_set(
    struct task *task, struct http_server *server, struct tls_context *tls)
{
    invariant(tls != NULL && server->shards[0]->tls != NULL);
    server->tls = tls;
    struct status st = shard_call_all(task, shard_tls_set, server);
    server->tls = NULL;
    return st;
}

static struct status shard_stop(struct task *task, void *arg)
{
    struct http_server *server = arg;
    struct http_shard *home = server->shards[task->shard->index];
    if (home == NULL) return STATUS_OK;
    home->stopping = true;
    listener_close(home->listener);
    struct list_link *link = home->connections.next;
    while (link != &home->connections) {
        struct http_conn *http = container_of(link, struct http_conn, link);
        link = link->next;
        if (!http->busy) connection_end(http, false);
    }
    task->deadline_ns = UINT64_MAX;
    while (home->count > 0) {
        // Answers under way are bounded in time; a cancelled stop waits for them all the same.
        if (failed(task_wait(task, &home->stopped))) task_cancel_clear(task);
    }
    tls_context_release(home->tls);
    server->shards[task->shard->index] = NULL;
    free(home);
    return STATUS_OK;
}

static struct status stop_everywhere(struct task *task, void *arg)
{
    return shard_call_all(task, shard_stop, arg);
}

// To its end, also when it is a cancelled start that takes back what it has begun.
void http_server_stop(struct task *task, struct http_server *server)
{
    struct status st = task_uncancelled(task, stop_everywhere, server);
    invariant(!failed(st));
    free(server->shards);
    free(server);
}
