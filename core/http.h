// SPDX-License-Identifier: GPL-3.0-or-later
//
// A small HTTP/1.1 server on the reactor: requests are parsed by http_parser, routed by longest
// path prefix, and answered by a handler in a task. Keep-alive, HEAD, request bodies up to a bound;
// TLS when a context is given (plain requests are then redirected). An idle connection holds no
// task.
//
// Shard    Each shard accepts and answers on its own; routes are the node's and read-only once
//          started.
// Memory   Request and response live in the task's arena and end with the request.
// Bounds   Header 16 KiB (431), body 1 MiB (413), 10 s for a whole request (408), connections per
//          shard 1,024 (503).
#pragma once
#include "core/arena.h"
#include "core/net.h"
#include "core/shard.h"
#include "core/task.h"

struct http_server;
struct tls_context;

struct http_request {
    const char *method; // "GET"; for HEAD too: the answer's body is left out.
    const char *path;   // Decoded, without the query.
    const char *query;  // Raw, without '?'; "" when absent.
    struct bytes body;
    const char *peer;
    const struct http_header {
        const char *name, *value; // Names in lower case.
    } *headers;
    uint32_t header_count;
};

struct http_response {
    uint32_t status;           // 200 when left 0.
    const char *content_type;  // "text/plain; charset=utf-8" when NULL.
    const char *extra_headers; // Whole lines, each ending in CRLF, or NULL.
    struct buffer body;        // In the task's arena.
};

typedef struct status (*http_handler)(struct task *task, void *arg,
    const struct http_request *request, struct http_response *response);

// Routes are registered at start-up, before http_server_start; per node. A prefix matches whole
// path segments: "/a" takes /a and /a/b, not /ab; "/a/" takes /a/b only. A failed handler answers
// 500 and is logged; its message does not reach the client.
void http_route(struct node *node, const char *path_prefix, http_handler handler, void *arg);

CHECKED struct status http_server_start(struct task *task, const char *address,
    struct tls_context *tls, struct http_server **server); // On every shard.
// Later connections use this context (certificates were reloaded). Not from TLS to none or back.
CHECKED struct status http_server_tls_set(
    struct task *task, struct http_server *server, struct tls_context *tls);
const char *http_server_address(const struct http_server *server);
// Takes no more connections, closes the idle ones, waits for the answers under way, frees the
// server.
void http_server_stop(struct task *task, struct http_server *server);

const char *http_request_header(const struct http_request *request, const char *name);
// The value of a query parameter, decoded, in `arena`; NULL when absent.
const char *http_request_parameter(
    struct arena *arena, const struct http_request *request, const char *name);
