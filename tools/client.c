// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/shard.h"

void client_flags_init(struct client_flags *flags, struct flag *table)
{
    *flags = (struct client_flags){.port = 26257};
    struct flag entries[CLIENT_FLAG_COUNT] = {
        {.name = "url", .kind = FLAG_STRING, .value = &flags->url, .argument = "url", .help = "where to connect: postgresql://user:password@host:port/database?sslmode=..."},
        {.name = "host", .kind = FLAG_STRING, .value = &flags->host, .argument = "host[:port]", .help = "server to connect to"},
        {.name = "port", .letter = 'p', .kind = FLAG_U64, .value = &flags->port, .help = "its port", .min = 1, .max = 65535},
        {.name = "user", .letter = 'u', .kind = FLAG_STRING, .value = &flags->user, .argument = "name", .help = "user to log in as; root when not given"},
        {.name = "database", .letter = 'd', .kind = FLAG_STRING, .value = &flags->database, .argument = "name", .help = "database"},
        {.name = "cluster", .kind = FLAG_STRING, .value = &flags->cluster, .argument = "name", .help = "virtual cluster; \"system\" is the system interface"},
        {.name = "certs-dir", .kind = FLAG_STRING, .value = &flags->certs_dir, .argument = "dir", .help = "folder with ca.crt, client.USER.crt and client.USER.key"},
        {.name = "insecure", .kind = FLAG_BOOL, .value = &flags->insecure, .help = "no TLS"},
    };
    memcpy(table, entries, sizeof entries);
}

static void from_certs_dir(struct arena *arena, const char *dir, struct pgclient_options *options)
{
    options->ssl = PGCLIENT_SSL_VERIFY_FULL;
    options->ssl_root_cert = arena_printf(arena, "%s/ca.crt", dir);
    const char *cert = arena_printf(arena, "%s/client.%s.crt", dir, options->user);
    if (access(cert, R_OK) != 0) return;
    options->ssl_cert = cert;
    options->ssl_key = arena_printf(arena, "%s/client.%s.key", dir, options->user);
}

struct status client_options(struct arena *arena, const struct client_flags *flags,
    const char *url, struct pgclient_options *options)
{
    struct status st = STATUS_OK;
    *options = (struct pgclient_options){.ssl = PGCLIENT_SSL_PREFER, .application_name = "isopod"};
    if (url == NULL) url = flags->url;
    if (url == NULL) url = getenv("ISOPOD_URL");
    if (url != NULL) TRY(pgclient_url_parse(arena, url, options));
    if (flags->host != NULL) {
        char *host = arena_strdup(arena, flags->host);
        char *colon = strrchr(host, ':');
        options->ports[0] = (uint16_t)flags->port;
        if (colon != NULL && strchr(host, ']') == NULL) {
            *colon = '\0';
            options->ports[0] = (uint16_t)strtoul(colon + 1, NULL, 10);
        }
        options->hosts[0] = host;
        options->host_count = 1;
    } else if (options->host_count == 0) {
        options->hosts[0] = "localhost";
        options->ports[0] = (uint16_t)flags->port;
        options->host_count = 1;
    }
    if (flags->user != NULL) options->user = flags->user;
    if (options->user == NULL) options->user = "root";
    if (flags->database != NULL) options->database = flags->database;
    if (flags->cluster != NULL) options->options = arena_printf(arena, "-ccluster=%s", flags->cluster);
    if (flags->insecure) options->ssl = PGCLIENT_SSL_DISABLE;
    if (flags->certs_dir != NULL) from_certs_dir(arena, flags->certs_dir, options);
    if (options->password == NULL) options->password = getenv("PGPASSWORD");
out:
    return st;
}

struct client_call {
    task_fn fn;
    void *arg;
};

static struct status client_init(struct task *task, void *arg)
{
    struct client_call *call = arg;
    struct status st = call->fn(task, call->arg);
    node_stop(task->shard->node);
    return st;
}

struct status client_run(task_fn fn, void *arg, uint32_t shards)
{
    struct client_call call = {fn, arg};
    // What a client has to say it prints itself.
    log_severity_set(LOG_ERROR);
    struct node_options options = {.id = 0, .shard_count = shards, .fibers_per_shard = 2048};
    struct node *running;
    return node_run(&options, client_init, &call, &running);
}
