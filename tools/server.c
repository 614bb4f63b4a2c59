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
#include "core/heap.h"
#include "core/log.h"
#include "core/rpc.h"
#include "core/text.h"
#include "core/tls.h"
#include "core/version.h"
#include "kv/admin.h"
#include "kv/cluster.h"
#include "kv/cluster_admin.h"
#include "repl/repl.h"
#include "sql/wire/auth.h"
#include "sql/catalog/bootstrap.h"
#include "sql/wire/pgwire.h"
#include "sql/session/register.h"
#include "sql/exec/spill.h"
#include "sql/plan/statistics_auto.h"
#include "sql/service/zone_object.h"
#include "sql/type/timezone.h"
#include "tenant/http.h"
#include "tenant/profile.h"
#include "tenant/tenant.h"

#define SIGNAL_POLL_NS 50000000u
#define DRAIN_GRACE_NS 10000000000u
#define HAND_OVER_NS UINT64_C(5000000000)

static volatile sig_atomic_t stop_signals, reload_signals;
static struct node *volatile signalled_node; // Serves, and wants to know.

static void on_signal(int number)
{
    if (number != SIGHUP && stop_signals != 0) _exit(1);
    if (number == SIGHUP)
        reload_signals = 1;
    else
        stop_signals = 1;
    struct node *node = signalled_node;
    if (node != NULL) node_signal(node, number);
}

struct server {
    const struct server_options *options;
    struct tls_context *tls, *tls_client;
    struct http_server *http;
    char rpc_address[64], sql_address[64], http_address[64];
    enum cluster_start how;
    bool serving;
    bool draining, drained; // Asked for by an operator; sessions are gone.
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

// What this node shows to others when it calls them.
static struct status load_tls_client(
    struct arena *arena, const struct server_options *options, struct tls_context **tls)
{
    struct tls_client_options files = {.verify = TLS_VERIFY_CA,
        .ca_path = arena_printf(arena, "%s/ca.crt", options->certs_dir),
        .cert_path = arena_printf(arena, "%s/node.crt", options->certs_dir),
        .key_path = arena_printf(arena, "%s/node.key", options->certs_dir)};
    return tls_context_create_client(arena, &files, tls);
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

// "[::]:26257" is where it listens; others need a name.
static const char *advertised(struct arena *arena, const char *given, const char *listen, const char *bound)
{
    const char *port = strrchr(bound, ':');
    if (given != NULL) {
        const char *after = given[0] == '[' ? strchr(given, ']') : given;
        if (after != NULL && strchr(after, ':') != NULL) return given;
        return arena_printf(arena, "%s%s", given, port);
    }
    int host_bytes = (int)(strrchr(listen, ':') - listen);
    bool everywhere = strncmp(listen, "[::]:", 5) == 0 || strncmp(listen, "0.0.0.0:", 8) == 0;
    char name[48] = "localhost";
    if (!everywhere) return arena_printf(arena, "%.*s%s", host_bytes, listen, port);
    if (gethostname(name, sizeof name) != 0) strcpy(name, "localhost");
    name[sizeof name - 1] = '\0';
    return arena_printf(arena, "%s%s", name, port);
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

static void waiting(void *arg, const char *what)
{
    struct server *server = arg;
    log_info(0, "waiting %s", what);
    if (server->options->quiet) return;
    printf("initial startup completed; waiting %s\n"
           "For a new cluster run `isopod init --host=%s %s%s` once.\n",
        what, server->rpc_address, server->options->insecure ? "--insecure" : "--certs-dir=",
        server->options->insecure ? "" : server->options->certs_dir);
    fflush(stdout);
    detach(server->options->background_fd);
    ((struct server_options *)(uintptr_t)server->options)->background_fd = -1;
}

static void trouble(void *arg, const char *why)
{
    struct server *server = arg;
    log_warning(0, "no node takes this one in: %s", why);
    if (server->options->quiet) return;
    printf("Still waiting. The last answer: %s\n"
           "If this node is to join: do the nodes of --join run, and all of the cluster with --insecure, or all with certificates of "
           "one authority?\n",
        why);
    fflush(stdout);
}

// A signal before the node serves ends it at once.
static struct status watch_signals(struct task *task, void *arg)
{
    struct server *server = arg;
    struct status st = STATUS_OK;
    while (!server->serving) {
        if (stop_signals != 0) node_stop(task->shard->node);
        TRY(task_sleep(task, SIGNAL_POLL_NS));
    }
out:
    return st;
}

// The port, for nodes first: clients are told to wait.
static struct status start_network(struct task *task, struct server *server)
{
    struct status st;
    const char *address, *sql_addr;
    const struct server_options *options = server->options;
    struct rpc_options rpc = {.tls_server = server->tls,
        .tls_client = server->tls_client,
        .max_offset_ns = options->max_offset_ns};
    cluster_register();
    TRY(rpc_start(task, &rpc));
    TRY(numeric_address(task, options->listen_addr, &address));
    sql_addr = address;
    if (options->sql_addr != NULL) {
        TRY(rpc_listen(task, address, server->rpc_address));
        TRY(numeric_address(task, options->sql_addr, &sql_addr));
    }
    struct pgwire_options wire = {
        .address = sql_addr, .tls = server->tls, .insecure = options->insecure, .starting = true};
    st = pgwire_start(task, &wire, server->sql_address);
    if (failed(st))
        return status_hint(task->arena, status_format(task->arena, st.code, "%s: %s", sql_addr, st.message),
            "Give an address of this machine that nobody listens on with --%s-addr.", options->sql_addr == NULL ? "listen" : "sql");
    if (options->sql_addr == NULL) memcpy(server->rpc_address, server->sql_address, sizeof server->rpc_address);
out:
    return st;
}

static struct status start_cluster(struct task *task, struct server *server)
{
    const struct server_options *options = server->options;
    struct arena *arena = task->arena;
    struct cluster_options cluster = {.dir = options->store,
        .address = advertised(arena, options->advertise_addr, options->listen_addr, server->rpc_address),
        .locality = options->locality,
        .attrs = options->attrs,
        .join = options->join,
        .single = options->single,
        .max_offset_ns = options->max_offset_ns,
        .waiting = waiting,
        .trouble = trouble,
        .arg = server};
    const char *sql_listen = options->sql_addr != NULL ? options->sql_addr : options->listen_addr;
    const char *sql_given = options->advertise_sql_addr;
    if (sql_given == NULL && options->sql_addr == NULL) sql_given = options->advertise_addr;
    cluster.sql_address = advertised(arena, sql_given, sql_listen, server->sql_address);
    if (options->http_addr != NULL)
        cluster.http_address =
            advertised(arena, options->advertise_http_addr, options->http_addr, server->http_address);
    struct status st = cluster_start(task, &cluster, &server->how);
    if (!failed(st)) log_node_set(task->shard->node->id);
    return st;
}

static struct status start_services(struct task *task, struct server *server)
{
    struct status st;
    const char *http_addr;
    const struct server_options *options = server->options;
    struct task_options watch = {.fn = watch_signals, .arg = server, .kind = "signals", .class = TASK_SYSTEM};
    TRY(task_start(task->shard, &watch));
    if (options->http_addr != NULL) {
        http_routes_register(task->shard->node);
        TRY(numeric_address(task, options->http_addr, &http_addr));
        TRY(http_server_start(task, http_addr, server->tls, &server->http));
        snprintf(server->http_address, sizeof server->http_address, "%s", http_server_address(server->http));
    }
    TRY(start_network(task, server));
    TRY(start_cluster(task, server));
    struct kv_options kv = {.dir = options->store,
        .store = options->in_memory ? KV_STORE_MODEL : KV_STORE_WIREDTIGER,
        .cache_bytes = options->cache_bytes,
        .max_offset_ns = (uint64_t)cluster_max_offset_ns(task->shard),
        .identity.node_id = task->shard->node->id,
        .joined = server->how == CLUSTER_JOINED};
    memcpy(kv.identity.cluster_id, cluster_id(task->shard->node), sizeof kv.identity.cluster_id);
    TRY(kv_start(task, &kv));
    TRY(cluster_live(task));
    TRY(sql_node_start(task));
    struct spill_options spill = {
        .dir = options->in_memory ? NULL : arena_printf(task->arena, "%s/temp", options->store),
        .bytes_max = options->temp_storage_bytes};
    if (spill.dir != NULL) TRY(spill_node_start(task, &spill));
    bool is_new = kv_is_new(task->shard->node);
    if (is_new) TRY(kv_tenant_create(task, TENANT_SYSTEM, 0));
    TRY(bootstrap(task, server));
    TRY(tenant_node_start(task));
    TRY(profile_apply(task, options->profile == NULL ? "default" : options->profile));
    TRY(statistics_auto_start(task));
    TRY(zone_objects_start(task));
    pgwire_ready(task->shard->node);
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
    static const char *const how[] = {[CLUSTER_NEW] = "initialized new cluster",
        [CLUSTER_JOINED] = "initialized new node, joined pre-existing cluster",
        [CLUSTER_RESTARTED] = "restarted pre-existing node"};
    printf("Isopod node started at %s (took %.1fs)\n", buffer_string(&when), took);
    printf("build:               %s\n", version_line(task->arena));
    if (server->http != NULL)
        printf("webui:               %s://localhost%s\n", server->tls == NULL ? "http" : "https",
            strrchr(server->http_address, ':'));
    printf("sql:                 %s\n", sql_url(task->arena, server));
    if (options->sql_addr != NULL) printf("nodes:               %s\n", server->rpc_address);
    printf("client flags:        isopod sql --host=localhost%s %s%s\n", strrchr(server->sql_address, ':'),
        options->insecure ? "--insecure" : "--certs-dir=", options->insecure ? "" : options->certs_dir);
    printf("logs:                %s\n", options->log_dir);
    printf("store:               path=%s\n", options->store);
    printf("shards:              %u\n", task->shard->node->shard_count);
    printf("status:              %s\n", how[server->how]);
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
    struct tls_context *client;
    st = load_tls_client(task->arena, server->options, &client);
    if (failed(st)) {
        log_error(0, "certificates were not reloaded: %s", st.message);
        return;
    }
    // Connections hold the old context until they end; nothing else does.
    pgwire_tls_set(task->shard->node, tls);
    rpc_tls_set(task->shard->node, tls, client);
    if (server->http != NULL) st = http_server_tls_set(task, server->http, tls);
    if (failed(st)) log_error(0, "certificates of HTTP were not reloaded: %s", st.message);
    server->tls = tls;
    server->tls_client = client;
    log_info(0, "certificates reloaded");
}

static struct status wait_for_end(struct task *task, struct server *server)
{
    struct status st = STATUS_OK;
    if (server->options->serving != NULL)
        return server->options->serving(task, server->sql_address, server->http_address, server->options->arg);
    signalled_node = task->shard->node;
    while (stop_signals == 0) {
        if (reload_signals != 0)
            reload(task, server);
        else
            TRY(node_wait_attention(task));
    }
out:
    signalled_node = NULL;
    return st;
}

static bool others_alive(struct shard *shard)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(shard, &count);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].id != shard->node->id && nodes[i].alive && !nodes[i].draining) return true;
    return false;
}

// Other nodes take over what this one leads; not for ever.
static struct status hand_over(struct task *task)
{
    struct status st = STATUS_OK;
    uint64_t deadline = task_now_ns(task) + HAND_OVER_NS;
    while (others_alive(task->shard) && cluster_leaderships(task->shard, task->shard->node->id) > 0 && task_now_ns(task) < deadline)
        TRY(task_sleep(task, 20000000u));
out:
    return st;
}

// Sessions end, leaderships go; the node still serves what others ask of its storage.
static struct status drain_begin(struct task *task, struct server *server)
{
    struct status st;
    log_info(0, "draining");
    server->draining = true;
    task->shard->node->draining = true; // Work without an end of its own ends now.
    http_ready_set(task->shard->node, false);
    TRY(cluster_draining_set(task, true));
    TRY(pgwire_drain(task, DRAIN_GRACE_NS));
    TRY(hand_over(task));
    server->drained = true;
out:
    return st;
}

static struct server *the_server; // Of the process: for requests of operators.

static struct status drain_task(struct task *task, void *arg)
{
    return drain_begin(task, arg);
}

static struct status drain_asked(struct task *task, bool shutdown, uint64_t *remaining)
{
    struct server *server = the_server;
    struct status st = STATUS_OK;
    if (server == NULL || !server->serving || task->shard->index != 0)
        return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
    if (!server->draining) {
        struct task_options options = {.fn = drain_task, .arg = server, .kind = "drain", .class = TASK_SYSTEM};
        server->draining = true;
        st = task_start(task->shard, &options);
    }
    uint32_t leads = others_alive(task->shard) ? cluster_leaderships(task->shard, task->shard->node->id) : 0;
    *remaining = server->drained ? 0 : leads + 1;
    if (*remaining == 0 && shutdown) {
        stop_signals = 1;
        node_signal(task->shard->node, SIGTERM);
    }
    return st;
}

static struct status drain(struct task *task, struct server *server)
{
    struct status st;
    while (server->draining && !server->drained)
        TRY(task_sleep(task, SIGNAL_POLL_NS));
    if (!server->draining) TRY(drain_begin(task, server));
    TRY(tenant_node_stop(task));
    TRY(repl_node_stop(task));
    if (server->http != NULL) http_server_stop(task, server->http);
    http_routes_release(task->shard->node);
    TRY(sql_node_stop(task));
    cluster_leave(task);
    TRY(kv_stop(task));
    cluster_stop(task);
    log_info(0, "drained");
out:
    return st;
}

static struct status serve(struct task *task, void *arg)
{
    struct server *server = arg;
    struct status st;
    TRY(start_services(task, server));
    server->serving = true;
    log_info(0, "serving SQL on %s, HTTP on %s", server->sql_address, server->http_address);
    if (!server->options->quiet) print_banner(task, server);
    write_url_file(task, server);
    detach(server->options->background_fd);
    st = wait_for_end(task, server);
    struct status drained = drain(task, server);
    if (!failed(st)) st = drained;
out:
    // Its own reason comes before what followed from it.
    if (failed(cluster_failure(task->shard->node))) st = cluster_failure(task->shard->node);
    // Told to end before it served: that is what it does.
    if (stop_signals != 0 && status_is(st, E_ADMIN_SHUTDOWN)) st = STATUS_OK;
    const struct status_report *report = failed(st) ? status_report_of(st) : NULL;
    bool hint = report != NULL && report->hint != NULL;
    if (failed(st)) log_error(0, "the server ends: %s%s%s", st.message, hint ? " " : "", hint ? report->hint : "");
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
        if (options.sql_addr != NULL) TRY(check_loopback(&arena, options.sql_addr));
        if (options.http_addr != NULL) TRY(check_loopback(&arena, options.http_addr));
    } else {
        TRY(load_tls(&arena, &options, &server.tls));
        TRY(load_tls_client(&arena, &options, &server.tls_client));
    }
    TRY(make_store(&arena, options.store, &lock_fd));
    if (options.log_dir == NULL) options.log_dir = arena_printf(&arena, "%s/logs", options.store);
    TRY(log_open(options.log_dir, 0, LOG_ERROR));
    log_info(0, "%s starts", version_line(&arena));
    TRY(time_zone_load("/usr/share/zoneinfo"));
    heap_begin();
    sql_register();
    tenant_register();
    repl_register();
    install_signals();
    the_server = &server;
    cluster_drain_register(drain_asked);
    struct node_options node = {.id = 1,
        .shard_count = options.shards,
        .pin = options.pin,
        .sql_memory_bytes = options.sql_memory_bytes};
    struct node *running;
    st = node_run(&node, serve, &server, &running);
    the_server = NULL;
    log_close();
out:
    if (lock_fd >= 0) close(lock_fd);
    // The failure is printed by the caller: it must outlive the arena.
    st = status_copy(given->arena, st);
    arena_fini(&arena);
    return st;
}
