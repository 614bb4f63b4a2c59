// SPDX-License-Identifier: GPL-3.0-or-later
#include "tenant/http.h"

#include <stdlib.h>
#include <string.h>

#include "core/http.h"
#include "core/invariant.h"
#include "core/metrics.h"
#include "kv/key.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"

// In NODE_SLOT_TENANT. Written by the start-up and drain sequence, read by handlers: a plain word.
struct http_state {
    uint32_t ready;
};

static struct http_state *http_state(struct node *node)
{
    if (node->slots[NODE_SLOT_TENANT] == NULL) {
        node->slots[NODE_SLOT_TENANT] = calloc(1, sizeof(struct http_state));
        invariant(node->slots[NODE_SLOT_TENANT] != NULL);
    }
    return node->slots[NODE_SLOT_TENANT];
}

void http_ready_set(struct node *node, bool ready)
{
    http_state(node)->ready = ready ? 1 : 0;
}

void http_routes_release(struct node *node)
{
    free(node->slots[NODE_SLOT_TENANT]);
    node->slots[NODE_SLOT_TENANT] = NULL;
}

static struct status health(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    (void)arg;
    response->content_type = "application/json";
    const char *wanted = http_request_parameter(task->arena, request, "ready");
    bool asked = wanted != NULL && strcmp(wanted, "0") != 0 && strcmp(wanted, "false") != 0;
    if (asked && !http_state(task->shard->node)->ready) {
        response->status = 503;
        buffer_append_string(&response->body,
            "{\"error\": \"node is not accepting SQL clients\", \"code\": 14, "
            "\"message\": \"node is not accepting SQL clients\", \"details\": []}\n");
        return STATUS_OK;
    }
    buffer_append_string(&response->body, "{}\n");
    return STATUS_OK;
}

// The virtual cluster that a request means; the default one when it names none, or one that is not served.
static const struct served_tenant *tenant_of(struct task *task, const struct http_request *request)
{
    const char *name = http_request_parameter(task->arena, request, "cluster");
    if (name == NULL) name = http_request_header(request, "x-isopod-tenant");
    if (name == NULL) name = http_request_header(request, "x-cockroach-tenant");
    const struct served_tenant *tenant = name == NULL ? NULL : tenant_lookup(task->shard, name);
    if (tenant != NULL) return tenant;
    return tenant_lookup(task->shard,
        settings_string(task->shard, TENANT_SYSTEM, "server.controller.default_target_cluster"));
}

static const char *name_of(uint64_t id, void *arg)
{
    const struct served_tenant *tenant = tenant_lookup_id(arg, id);
    return tenant == NULL ? NULL : tenant->name;
}

static struct status vars(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    (void)arg;
    const struct served_tenant *tenant = tenant_of(task, request);
    // The system interface sees the node and everybody.
    uint64_t filter = tenant == NULL || tenant->id == TENANT_SYSTEM ? 0 : tenant->id;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&response->body, task->shard->node->id, filter, name_of, task->shard);
    return STATUS_OK;
}

static struct status index_page(struct task *task, void *arg, const struct http_request *request,
    struct http_response *response)
{
    (void)task, (void)arg;
    if (strcmp(request->path, "/") != 0) {
        response->status = 404;
        buffer_append_string(&response->body, "not found\n");
        return STATUS_OK;
    }
    buffer_append_string(&response->body, "Isopod\n\n/health\n/health?ready=1\n/_status/vars\n");
    return STATUS_OK;
}

void http_routes_register(struct node *node)
{
    http_state(node);
    http_route(node, "/", index_page, NULL);
    http_route(node, "/health", health, NULL);
    http_route(node, "/_status/vars", vars, NULL);
}
