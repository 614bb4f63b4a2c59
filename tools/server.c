// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/http.h"
#include "core/log.h"
#include "core/text.h"
#include "core/tls.h"
#include "core/version.h"
#include "kv/admin.h"
#include "repl/repl.h"
#include "sql/auth.h"
#include "sql/bootstrap.h"
#include "sql/pgwire.h"
#include "sql/register.h"
#include "sql/timezone.h"
#include "tenant/http.h"
#include "tenant/profile.h"
#include "tenant/tenant.h"

#define SIGNAL_POLL_NS 50000000u
#define DRAIN_GRACE_NS 10000000000u

static volatile sig_atomic_t stop_signals, reload_signals;

static void on_signal(int number)
{
    if (number == SIGHUP) {
        reload_signals = 1;
        return;
    }
    if (stop_signals != 0) _exit(1);
    stop_signals = 1;
}

struct server {
    const struct server_options *options;
    struct tls_context *tls;
    struct http_server *http;
    char sql_address[64], http_address[64];
    bool is_new;
    struct timespec started;
};

// --- before the shards -----------------------------------------------------------------------------------

static struct status make_store(struct arena *arena, const char *store, int *lock_fd)
{
    struct status st = STATUS_OK;
    for (char *path = arena_strdup(arena, store), *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(path, 0750) != 0 && errno != EEXIST)
            TRY(status_format(arena, E_IO_ERROR, "cannot make %s: %s", path, strerror(errno)));
        *at = kept;
        if (kept == '\0') break;
    }
    *lock_fd = open(arena_printf(arena, "%s/LOCK", store), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (*lock_fd < 0)
        TRY(status_format(arena, E_IO_ERROR, "cannot open %s/LOCK: %s", store, strerror(errno)));
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) != 0)
        TRY(status_hint(arena, status_format(arena, E_IO_ERROR, "the store %s is in use by another process", store),
            "Stop that process, or give this one a folder of its own with --store."));
out:
    return st;
}

static struct status load_tls(
    struct arena *arena, const struct server_options *options, struct tls_context **tls)
{
    struct tls_server_options files = {
        .cert_path = arena_printf(arena, "%s/node.crt", options->certs_dir),
        .key_path = arena_printf(arena, "%s/node.key", options->certs_dir),
        .ca_path = arena_printf(arena, "%s/ca.crt", options->certs_dir)};
    struct status st = tls_context_create_server(arena, &files, tls);
    if (failed(st) && status_report_of(st) == NULL)
        st = status_hint(arena, status_format(arena, st.code, "%s", st.message),
            "Make certificates with `isopod cert create-ca` and `isopod cert create-node HOST...`, or try "
            "--insecure on this machine alone.");
    return st;
}

// Insecure servers are for this machine.
static struct status check_loopback(struct arena *arena, const char *address)
{
    static const char *const local[] = {"localhost:", "127.", "[::1]:", NULL};
    for (unsigned i = 0; local[i] != NULL; i++)
        if (strncmp(address, local[i], strlen(local[i])) == 0) return STATUS_OK;
    return status_hint(arena,
        status_format(arena, E_INVALID_PARAMETER_VALUE, "--insecure does not go with the address %s", address),
        "Listen on localhost (the default with --insecure), or make certificates and use --certs-dir.");
}

// --- start-up --------------------------------------------------------------------------------------------

struct verifier_call {
    struct arena *arena;
    const char *password, *verifier;
    uint8_t salt[16];
};
static void make_verifier(void *arg)
{
    struct verifier_call *call = arg;
    call->verifier = scram_verifier_make(call->arena, call->password, call->salt);
}

static struct status bootstrap(struct task *task, struct server *server)
{
    struct status st;
    bool done;
    TRY(bootstrap_done(task, TENANT_SYSTEM, &done));
    server->is_new = !done;
    if (done) goto out;
    struct bootstrap_options options = {0};
    if (server->options->root_password != NULL) {
        struct verifier_call call = {.arena = task->arena, .password = server->options->root_password};
        task->shard->env->random_bytes(task->shard->env, call.salt, sizeof call.salt);
        TRY(helper_call(task, make_verifier, &call));
        options.root_verifier = call.verifier;
    }
    TRY(bootstrap_tenant(task, TENANT_SYSTEM, &options));
out:
    return st;
}

struct resolve_call {
    struct env *env;
    const char *address;
    char numeric[NET_ADDRESS_BYTES];
    bool found;
};
static void resolve(void *arg)
{
    struct resolve_call *call = arg;
    call->found = call->env->resolve == NULL || call->env->resolve(call->env, call->address, call->numeric) == 0;
}

// Listening is on numbers: "localhost:0" becomes "127.0.0.1:0".
static struct status numeric_address(struct task *task, const char *address, const char **numeric)
{
    struct resolve_call call = {.env = task->shard->env, .address = address};
    struct status st = helper_call(task, resolve, &call);
    if (failed(st)) return st;
    if (!call.found)
        return status_format(task->arena, E_INVALID_PARAMETER_VALUE, "cannot find the address %s", address);
    *numeric = call.env->resolve == NULL ? address : arena_strdup(task->arena, call.numeric);
    return STATUS_OK;
}

static struct status start_services(struct task *task, struct server *server)
{
    struct status st;
    const char *http_addr, *listen_addr;
    const struct server_options *options = server->options;
    struct kv_options kv = {.dir = options->store,
        .store = options->in_memory ? KV_STORE_MODEL : KV_STORE_WIREDTIGER,
        .cache_bytes = options->cache_bytes};
    if (options->http_addr != NULL) {
        http_routes_register(task->shard->node);
        TRY(numeric_address(task, options->http_addr, &http_addr));
        TRY(http_server_start(task, http_addr, server->tls, &server->http));
        snprintf(server->http_address, sizeof server->http_address, "%s", http_server_address(server->http));
    }
    TRY(kv_start(task, &kv));
    TRY(sql_node_start(task));
    bool is_new = kv_is_new(task->shard->node);
    if (is_new) TRY(kv_tenant_create(task, TENANT_SYSTEM, 0));
    TRY(bootstrap(task, server));
    TRY(tenant_node_start(task));
    TRY(profile_apply(task, options->profile == NULL ? "default" : options->profile));
    TRY(numeric_address(task, options->listen_addr, &listen_addr));
    struct pgwire_options wire = {
        .address = listen_addr, .tls = server->tls, .insecure = options->insecure};
    TRY(pgwire_start(task, &wire, server->sql_address));
    http_ready_set(task->shard->node, true);
out:
    return st;
}

static char *sql_url(struct arena *arena, const struct server *server)
{
    const struct server_options *options = server->options;
    const char *port = strrchr(server->sql_address, ':');
    if (options->insecure)
        return arena_printf(arena, "postgresql://root@localhost%s/defaultdb?sslmode=disable", port);
    return arena_printf(arena,
        "postgresql://root@localhost%s/defaultdb?sslmode=verify-full&sslrootcert=%s/ca.crt&sslcert=%s/client.root.crt"
        "&sslkey=%s/client.root.key",
        port, options->certs_dir, options->certs_dir, options->certs_dir);
}

static void print_banner(struct task *task, const struct server *server)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double took = (double)(now.tv_sec - server->started.tv_sec) +
                  (double)(now.tv_nsec - server->started.tv_nsec) / 1e9;
    struct buffer when;
    buffer_init(&when, task->arena);
    text_format_time(&when, task->shard->env->wall_ns(task->shard->env));
    const struct server_options *options = server->options;
    const uint8_t *id = kv_cluster_id(task->shard->node);
    printf("Isopod node started at %s (took %.1fs)\n", buffer_string(&when), took);
    printf("build:               %s\n", version_line(task->arena));
    if (server->http != NULL)
        printf("webui:               %s://localhost%s\n", server->tls == NULL ? "http" : "https",
            strrchr(server->http_address, ':'));
    printf("sql:                 %s\n", sql_url(task->arena, server));
    printf("client flags:        isopod sql --host=localhost%s %s%s\n", strrchr(server->sql_address, ':'),
        options->insecure ? "--insecure" : "--certs-dir=", options->insecure ? "" : options->certs_dir);
    printf("logs:                %s\n", options->log_dir);
    printf("store:               path=%s\n", options->store);
    printf("shards:              %u\n", task->shard->node->shard_count);
    printf("status:              %s\n", server->is_new ? "initialized new cluster" : "restarted pre-existing node");
    printf("clusterID:           %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", id[0],
        id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]);
    printf("nodeID:              %u\n", task->shard->node->id);
    fflush(stdout);
}

static void write_url_file(struct task *task, const struct server *server)
{
    const char *path = server->options->listening_url_file;
    if (path == NULL) return;
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        log_warning(0, "cannot write %s: %s", path, strerror(errno));
        return;
    }
    fprintf(file, "%s\n", sql_url(task->arena, server));
    fclose(file);
}

static void reload(struct task *task, struct server *server)
{
    reload_signals = 0;
    log_flush();
    if (server->tls == NULL) return;
    struct tls_context *tls;
    struct status st = load_tls(task->arena, server->options, &tls);
    if (failed(st)) {
        log_error(0, "certificates were not reloaded: %s", st.message);
        return;
    }
    // Connections hold the old context until they end; nothing else does.
    pgwire_tls_set(task->shard->node, tls);
    if (server->http != NULL) st = http_server_tls_set(task, server->http, tls);
    if (failed(st)) log_error(0, "certificates of HTTP were not reloaded: %s", st.message);
    server->tls = tls;
    log_info(0, "certificates reloaded");
}

// In the background: tells the waiting parent, and lets go of its terminal.
static void detach(int fd)
{
    if (fd < 0) return;
    if (write(fd, "1", 1) != 1) log_warning(0, "nobody waits for this server to start");
    close(fd);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    for (int stream = 0; stream < 3; stream++) dup2(null, stream);
    close(null);
}

static struct status wait_for_end(struct task *task, struct server *server)
{
    struct status st = STATUS_OK;
    if (server->options->serving != NULL)
        return server->options->serving(task, server->sql_address, server->http_address, server->options->arg);
    while (stop_signals == 0) {
        if (reload_signals != 0) reload(task, server);
        TRY(task_sleep(task, SIGNAL_POLL_NS));
    }
out:
    return st;
}

static struct status drain(struct task *task, struct server *server)
{
    struct status st;
    log_info(0, "draining");
    task->shard->node->draining = true; // Work without an end of its own ends now.
    http_ready_set(task->shard->node, false);
    TRY(pgwire_drain(task, DRAIN_GRACE_NS));
    TRY(tenant_node_stop(task));
    if (server->http != NULL) http_server_stop(task, server->http);
    http_routes_release(task->shard->node);
    TRY(sql_node_stop(task));
    TRY(kv_stop(task));
    log_info(0, "drained");
out:
    return st;
}

static struct status serve(struct task *task, void *arg)
{
    struct server *server = arg;
    struct status st;
    TRY(start_services(task, server));
    log_info(0, "serving SQL on %s, HTTP on %s", server->sql_address, server->http_address);
    if (!server->options->quiet) print_banner(task, server);
    write_url_file(task, server);
    detach(server->options->background_fd);
    st = wait_for_end(task, server);
    struct status drained = drain(task, server);
    if (!failed(st)) st = drained;
out:
    if (failed(st)) log_error(0, "the server ends: %s", st.message);
    node_stop(task->shard->node);
    return st;
}

static void install_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

struct status server_run(const struct server_options *given)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct server_options options = *given;
    struct server server = {.options = &options};
    int lock_fd = -1;
    clock_gettime(CLOCK_MONOTONIC, &server.started);
    if (options.profile != NULL) TRY(profile_check(options.profile));
    if (options.insecure) {
        TRY(check_loopback(&arena, options.listen_addr));
        if (options.http_addr != NULL) TRY(check_loopback(&arena, options.http_addr));
    } else {
        TRY(load_tls(&arena, &options, &server.tls));
    }
    TRY(make_store(&arena, options.store, &lock_fd));
    if (options.log_dir == NULL) options.log_dir = arena_printf(&arena, "%s/logs", options.store);
    TRY(log_open(options.log_dir, 1, LOG_ERROR));
    log_info(0, "%s starts", version_line(&arena));
    TRY(time_zone_load("/usr/share/zoneinfo"));
    sql_register();
    tenant_register();
    repl_register();
    install_signals();
    struct node_options node = {.id = 1,
        .shard_count = options.shards,
        .pin = options.pin,
        .sql_memory_bytes = options.sql_memory_bytes};
    struct node *running;
    st = node_run(&node, serve, &server, &running);
    log_close();
out:
    if (lock_fd >= 0) close(lock_fd);
    // The failure is printed by the caller: it must outlive the arena.
    st = status_copy(given->arena, st);
    arena_fini(&arena);
    return st;
}
