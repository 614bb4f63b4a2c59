// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls between nodes: answered once or failed, whatever happens to the other side; streams never hold more than
// their window; who does not belong to the cluster gets nothing.
#include <pthread.h>

#include "core/env_sim.h"
#include "core/rpc.h"
#include "core/tls.h"
#include "tests/unit/harness.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { M_ECHO = RPC_TEST, M_SLEEP, M_FAIL, M_NOTE, M_COUNT_TO, M_SINK, M_OPEN, M_RELAY, M_END };

// --- what the nodes serve --------------------------------------------------------------------------

static uint64_t notes, note_sum, sleepers_cancelled, streams_cancelled;
static uint64_t sink_bytes;
static bool cut_when_asleep;
static void network_cut(void);

static struct status serve_echo(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)task;
    buffer_append_bytes(reply, request->body);
    return STATUS_OK;
}

static struct status serve_sleep(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)request;
    (void)reply;
    if (cut_when_asleep) network_cut();
    struct status st = task_sleep(task, 3600 * SECOND);
    sleepers_cancelled++;
    return st;
}

static struct status serve_end(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)request;
    (void)reply;
    return rpc_method_end(task, M_SLEEP);
}

static struct status serve_fail(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)reply;
    struct arena *arena = task->arena;
    struct status st = status_format(arena, E_UNIQUE_VIOLATION, "no %zu", request->body.size);
    st = status_hint(arena, status_detail(arena, st, "shard %u", task->shard->index), "try less");
    st.retry = RETRY_TRANSACTION;
    return st;
}

static void serve_note(struct shard *shard, const struct rpc_request *request)
{
    (void)shard;
    notes++;
    note_sum += request->body.data[0];
}

static struct status serve_count(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    struct status st = STATUS_OK;
    uint32_t size = (uint32_t)request->body.data[1] << 8;
    uint8_t *body = arena_alloc_zero(task->arena, size + 1);
    for (uint32_t i = 0; i < request->body.data[0]; i++) {
        body[0] = (uint8_t)i;
        TRY(rpc_stream_send(task, stream, bytes_of(body, size + 1)));
    }
    if (request->body.size > 2) st = status_make(E_DISK_FULL, "half way");
out:
    if (status_is(st, E_QUERY_CANCELED)) streams_cancelled++;
    return st;
}

static struct status serve_sink(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    (void)request;
    for (;;) {
        struct bytes body;
        struct arena_mark mark = arena_mark(task->arena);
        struct status st = rpc_stream_next(task, stream, task->arena, &body);
        if (status_is(st, K_END)) break;
        if (failed(st)) return st;
        sink_bytes += body.size;
        arena_release(task->arena, mark);
    }
    return rpc_stream_send(task, stream, BYTES_LITERAL("all of it"));
}

// Asks the first node back.
static struct status serve_relay(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct rpc_call call = {.node = request->node, .shard = 1, .method = M_ECHO, .body = request->body};
    struct status st = rpc_call(task, &call);
    if (!failed(st)) buffer_append_bytes(reply, call.reply);
    return st;
}

static const struct rpc_method methods[] = {
    {.id = M_ECHO, .name = "test.echo", .class = TASK_DEFAULT, .call = serve_echo},
    {.id = M_SLEEP, .name = "test.sleep", .class = TASK_DEFAULT, .call = serve_sleep},
    {.id = M_END, .name = "test.end", .class = TASK_DEFAULT, .call = serve_end},
    {.id = M_FAIL, .name = "test.fail", .class = TASK_DEFAULT, .call = serve_fail},
    {.id = M_NOTE, .name = "test.note", .message = serve_note},
    {.id = M_COUNT_TO, .name = "test.count", .class = TASK_BULK, .bulk = true, .stream = serve_count},
    {.id = M_SINK, .name = "test.sink", .class = TASK_BULK, .bulk = true, .stream = serve_sink},
    {.id = M_OPEN, .name = "test.open", .for_clients = true, .call = serve_echo},
    {.id = M_RELAY, .name = "test.relay", .class = TASK_DEFAULT, .call = serve_relay},
};

static void register_methods(void)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        rpc_method_register(&methods[i]);
}

// --- two simulated nodes ---------------------------------------------------------------------------

typedef struct status (*test_body)(struct task *task);

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
    test_body body;
    uint8_t cluster[2];
    bool up, done;
    char failure[300];
};
static struct pair *pair;

static void network_cut(void)
{
    cut_when_asleep = false;
    sim_net_cut(pair->a, pair->b, true);
    sim_net_cut(pair->b, pair->a, true);
}

static struct status set_peers(struct task *task, void *arg)
{
    (void)arg;
    rpc_peer_set(task->shard, 1, "10.0.0.1:26257");
    rpc_peer_set(task->shard, 2, "10.0.0.2:26257");
    return STATUS_OK;
}

static struct status node_up(struct task *task, uint8_t cluster)
{
    struct rpc_options options = {.cluster_id = {cluster}};
    struct status st;
    char bound[64];
    TRY(rpc_start(task, &options));
    TRY(rpc_listen(task, ":26257", bound));
    TRY(shard_call_all(task, set_peers, NULL));
out:
    return st;
}

static struct status server_init(struct task *task, void *arg)
{
    (void)arg;
    struct status st = node_up(task, pair->cluster[1]);
    pair->up = true;
    return st;
}

static struct status client_init(struct task *task, void *arg)
{
    (void)arg;
    struct status st = node_up(task, pair->cluster[0]);
    if (!failed(st)) st = pair->body(task);
    if (failed(st)) snprintf(pair->failure, sizeof pair->failure, "%06x %s", st.code, st.message);
    pair->done = true;
    return STATUS_OK;
}

static bool pair_done(void *arg)
{
    (void)arg;
    return pair->done;
}

static bool server_up(void *arg)
{
    (void)arg;
    return pair->up;
}

static const struct node_options two_shards = {.shard_count = 2, .fibers_per_shard = 64};

static void pair_begin(struct pair *one, uint64_t seed, test_body body)
{
    pair = one;
    register_methods();
    notes = note_sum = sleepers_cancelled = streams_cancelled = sink_bytes = 0;
    pair->body = body;
    if (pair->cluster[0] == 0) pair->cluster[0] = pair->cluster[1] = 7;
    pair->sim = sim_create(seed, NULL);
    pair->a = sim_node_add(pair->sim, 1);
    pair->b = sim_node_add(pair->sim, 2);
    sim_node_start(pair->b, &two_shards, server_init, NULL);
    cr_assert(sim_run_until(pair->sim, server_up, NULL, 10 * SECOND));
    sim_node_start(pair->a, &two_shards, client_init, NULL);
}

static void pair_end(void)
{
    cr_assert(sim_run_until(pair->sim, pair_done, NULL, 120 * SECOND), "never done");
    cr_assert(pair->failure[0] == '\0', "%s", pair->failure);
    sim_node_stop(pair->a);
    if (sim_node_running(pair->b) != NULL) sim_node_stop(pair->b);
    sim_run_until(pair->sim, NULL, NULL, 20 * SECOND);
    cr_assert(sim_node_running(pair->a) == NULL && sim_node_running(pair->b) == NULL);
    sim_destroy(pair->sim);
}

#define PAIR_TEST(name) \
    static struct status name##_body(struct task *task); \
    Test(rpc, name) \
    { \
        for (uint64_t seed = 1; seed <= 8; seed++) { \
            struct pair one = {0}; \
            pair_begin(&one, seed, name##_body); \
            pair_end(); \
        } \
    } \
    static struct status name##_body(struct task *task)

PAIR_TEST(call_is_answered_on_the_shard_asked)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < 40; i++) {
        size_t size = i * i * 97;
        uint8_t *data = arena_alloc(task->arena, size + 1);
        memset(data, (int)i, size + 1);
        struct rpc_call call = {.node = 2, .shard = i % 2, .method = M_ECHO, .body = bytes_of(data, size)};
        TRY(rpc_call(task, &call));
        CHECK(bytes_equal(call.reply, call.body) && call.sent);
    }
    struct rpc_call fail = {.node = 2, .shard = 1, .method = M_FAIL, .body = BYTES_LITERAL("four")};
    struct status got = rpc_call(task, &fail);
    const struct status_report *report = status_report_of(got);
    CHECK(status_is(got, E_UNIQUE_VIOLATION) && got.retry == RETRY_TRANSACTION);
    CHECK(strcmp(got.message, "no 4") == 0 && report != NULL);
    CHECK(strcmp(report->detail, "shard 1") == 0 && strcmp(report->hint, "try less") == 0);
out:
    return st;
}

PAIR_TEST(many_calls_at_once_also_to_itself)
{
    struct status st = STATUS_OK;
    struct rpc_call calls[30];
    uint8_t bodies[30];
    for (uint32_t i = 0; i < 30; i++) {
        bodies[i] = (uint8_t)i;
        calls[i] = (struct rpc_call){.node = 1 + i % 2, .shard = i / 2 % 2,
            .method = i % 3 == 0 ? M_RELAY : M_ECHO, .body = bytes_of(&bodies[i], 1)};
        if (i % 2 == 0) calls[i].method = M_ECHO;
    }
    TRY(rpc_call_many(task, calls, 30));
    for (uint32_t i = 0; i < 30; i++)
        CHECK(calls[i].reply.size == 1 && calls[i].reply.data[0] == i);
out:
    return st;
}

PAIR_TEST(messages_arrive_in_order_of_sending)
{
    struct status st = STATUS_OK;
    for (uint8_t i = 0; i < 50; i++)
        CHECK(rpc_send(task->shard, (struct rpc_target){1 + i % 2, 0}, M_NOTE, bytes_of(&i, 1)));
    TRY(task_sleep(task, SECOND));
    CHECK(notes == 50 && note_sum == 49 * 50 / 2);
    CHECK(!rpc_send(task->shard, (struct rpc_target){3, 0}, M_NOTE, bytes_of("x", 1)));
out:
    return st;
}

PAIR_TEST(deadline_ends_a_call_on_both_sides)
{
    struct status st = STATUS_OK;
    struct rpc_call call = {.node = 2, .shard = 0, .method = M_SLEEP};
    task->deadline_ns = task_now_ns(task) + 300 * MS;
    st = rpc_call(task, &call);
    task->deadline_ns = UINT64_MAX;
    CHECK(status_is(st, E_QUERY_CANCELED) && call.sent);
    TRY(task_sleep(task, SECOND));
    CHECK(sleepers_cancelled == 1);
out:
    return st;
}

// A call that another task makes after a while.
struct background_call {
    struct rpc_call *call;
    uint64_t after_ns;
    bool done;
};

static struct status background_call_run(struct task *task, void *arg)
{
    struct background_call *background = arg;
    struct status st = task_sleep(task, background->after_ns);
    if (!failed(st)) st = rpc_call(task, background->call);
    background->done = true;
    return st;
}

static struct status background_call(struct task *task, struct background_call *background, uint64_t after_ns)
{
    const struct task_options options = {
        .fn = background_call_run, .arg = background, .kind = "call", .class = TASK_DEFAULT};
    background->after_ns = after_ns;
    return task_start(task->shard, &options);
}

PAIR_TEST(method_that_ends_has_nothing_running_and_is_refused)
{
    struct status st = STATUS_OK;
    struct rpc_call calls[] = {{.node = 2, .shard = 1, .method = M_SLEEP}, {.node = 2, .shard = 0, .method = M_SLEEP},
        {.node = 2, .shard = 0, .method = M_ECHO}};
    struct rpc_call end = {.node = 2, .shard = 0, .method = M_END};
    struct background_call ending = {.call = &end};
    TRY(background_call(task, &ending, 200 * MS));
    CHECK_FAILS(rpc_call_many(task, calls, 3), K_UNREACHABLE);
    CHECK(status_is(calls[0].status, K_UNREACHABLE) && status_is(calls[1].status, K_UNREACHABLE));
    CHECK(!failed(calls[2].status));
    while (!ending.done) TRY(task_sleep(task, MS));
    CHECK(!failed(end.status) && sleepers_cancelled == 2);
    CHECK_FAILS(rpc_call(task, &calls[0]), K_UNREACHABLE);
    TRY(rpc_call(task, &calls[2]));
out:
    return st;
}

PAIR_TEST(dead_node_fails_calls_and_says_whether_they_were_sent)
{
    struct status st = STATUS_OK;
    struct rpc_call call = {.node = 2, .shard = 0, .method = M_SLEEP};
    struct rpc_call echo = {.node = 2, .shard = 0, .method = M_ECHO};
    TRY(rpc_call(task, &echo));
    // Cut off once it runs, not closed: silence is noticed.
    cut_when_asleep = true;
    CHECK_FAILS(rpc_call(task, &call), K_UNREACHABLE);
    CHECK(call.sent);
    echo = (struct rpc_call){.node = 2, .shard = 1, .method = M_ECHO};
    CHECK_FAILS(rpc_call(task, &echo), K_UNREACHABLE);
    CHECK(!echo.sent);
    sim_net_heal(pair->sim);
    TRY(task_sleep(task, 2 * SECOND));
    TRY(rpc_call(task, &echo));
    TRY(task_sleep(task, 20 * SECOND));
    CHECK(sleepers_cancelled == 1); // The other side noticed, too.
    struct rpc_call nobody = {.node = 9, .shard = 0, .method = M_ECHO};
    CHECK_FAILS(rpc_call(task, &nobody), K_UNREACHABLE);
    CHECK(!nobody.sent);
out:
    return st;
}

PAIR_TEST(attempt_to_connect_that_was_swallowed_is_made_again)
{
    struct status st = STATUS_OK;
    struct rpc_call echo = {.node = 2, .shard = 0, .method = M_ECHO};
    network_cut();
    // This begins to connect, and nothing comes back.
    CHECK(rpc_send(task->shard, (struct rpc_target){2, 0}, M_NOTE, bytes_of("x", 1)));
    TRY(task_sleep(task, 600 * MS));
    sim_net_heal(pair->sim);
    uint64_t healed_ns = task_now_ns(task);
    TRY(rpc_call(task, &echo));
    CHECK(task_now_ns(task) - healed_ns < SECOND); // Simulated time.
    CHECK(notes == 1);                             // What waited for the connection has gone with it.
    // Cut off for longer, it is given up, and made anew with the first call that can get through.
    struct rpc_call other = {.node = 2, .shard = 1, .method = M_ECHO};
    network_cut();
    CHECK_FAILS(rpc_call(task, &other), K_UNREACHABLE);
    CHECK(!other.sent);
    sim_net_heal(pair->sim);
    TRY(task_sleep(task, SECOND));
    other = (struct rpc_call){.node = 2, .shard = 1, .method = M_ECHO};
    TRY(rpc_call(task, &other));
out:
    return st;
}

PAIR_TEST(stream_keeps_order_and_window_and_tells_the_end)
{
    struct status st = STATUS_OK;
    struct rpc_stream *stream = NULL;
    uint8_t ask[2] = {200, 100}; // 200 bodies of 25,600 bytes: many windows.
    struct rpc_stream_options options = {.target = {2, 1}, .method = M_COUNT_TO, .body = bytes_of(ask, 2), .window_bytes = 65536};
    TRY(rpc_stream_open(task, &options, &stream));
    for (uint32_t i = 0;; i++) {
        struct bytes body;
        struct arena_mark mark = arena_mark(task->arena);
        st = rpc_stream_next(task, stream, task->arena, &body);
        if (status_is(st, K_END)) {
            CHECK(i == 200);
            break;
        }
        if (failed(st)) goto out;
        CHECK(body.size == 25601 && body.data[0] == i);
        arena_release(task->arena, mark);
        if (i % 16 == 0) TRY(task_sleep(task, 50 * MS));
        CHECK(rpc_figures(task->shard).streams == 1);
    }
    rpc_stream_close(stream);
    stream = NULL;
    // A failure comes after what was sent before it.
    uint8_t failing[3] = {3, 0, 1};
    options.body = bytes_of(failing, 3);
    TRY(rpc_stream_open(task, &options, &stream));
    struct bytes body;
    for (uint32_t i = 0; i < 3; i++)
        TRY(rpc_stream_next(task, stream, task->arena, &body));
    CHECK_FAILS(rpc_stream_next(task, stream, task->arena, &body), E_DISK_FULL);
    rpc_stream_close(stream);
    // Closed by the reader: the handler is cancelled.
    options.body = bytes_of(ask, 2);
    TRY(rpc_stream_open(task, &options, &stream));
    TRY(rpc_stream_next(task, stream, task->arena, &body));
    rpc_stream_close(stream);
    stream = NULL;
    TRY(task_sleep(task, SECOND));
    CHECK(streams_cancelled == 1);
out:
    if (stream != NULL) rpc_stream_close(stream);
    return st;
}

PAIR_TEST(stream_the_other_way)
{
    struct status st = STATUS_OK;
    struct rpc_stream *stream = NULL;
    struct bytes body;
    uint8_t *data = arena_alloc_zero(task->arena, 30000);
    struct rpc_stream_options options = {.target = {2, 1}, .method = M_SINK, .window_bytes = 16384};
    TRY(rpc_stream_open(task, &options, &stream));
    for (uint32_t i = 0; i < 100; i++)
        TRY(rpc_stream_send(task, stream, bytes_of(data, 30000)));
    rpc_stream_end(stream);
    TRY(rpc_stream_next(task, stream, task->arena, &body));
    CHECK(bytes_equal(body, BYTES_LITERAL("all of it")) && sink_bytes == 3000000);
    CHECK_FAILS(rpc_stream_next(task, stream, task->arena, &body), K_END);
out:
    if (stream != NULL) rpc_stream_close(stream);
    return st;
}

static struct status other_cluster_body(struct task *task)
{
    struct status st = STATUS_OK;
    struct rpc_call call = {.node = 2, .shard = 0, .method = M_ECHO};
    struct status got = rpc_call(task, &call);
    CHECK(status_is(got, K_UNREACHABLE) && !call.sent);
    CHECK(strstr(got.message, "belongs to cluster 0700") != NULL);
    call = (struct rpc_call){.address = "10.0.0.2:26257", .shard = RPC_ANY_SHARD, .method = M_OPEN};
    CHECK_FAILS(rpc_call(task, &call), K_UNREACHABLE);
out:
    return st;
}

Test(rpc, other_cluster_is_refused_with_the_reason)
{
    struct pair one = {.cluster = {8, 7}};
    pair_begin(&one, 1, other_cluster_body);
    pair_end();
}

// Who has no identity yet may use what is for clients, and no more.
static struct status stranger_init(struct task *task, void *arg)
{
    (void)arg;
    struct rpc_options options = {0};
    struct status st;
    TRY(rpc_start(task, &options));
    struct rpc_call call = {.address = "10.0.0.2:26257", .shard = RPC_ANY_SHARD, .method = M_OPEN, .body = BYTES_LITERAL("who am I")};
    TRY(rpc_call(task, &call));
    CHECK(bytes_equal(call.reply, call.body));
    call.method = M_ECHO;
    CHECK_FAILS(rpc_call(task, &call), E_INSUFFICIENT_PRIVILEGE);
    CHECK(!rpc_send(task->shard, (struct rpc_target){2, 0}, M_NOTE, call.body));
out:
    if (failed(st)) snprintf(pair->failure, sizeof pair->failure, "%s", st.message);
    pair->done = true;
    return STATUS_OK;
}

Test(rpc, stranger_may_use_what_is_for_clients_only)
{
    struct pair one = {.cluster = {7, 7}};
    pair = &one;
    register_methods();
    pair->sim = sim_create(3, NULL);
    pair->a = sim_node_add(pair->sim, 1);
    pair->b = sim_node_add(pair->sim, 2);
    sim_node_start(pair->b, &two_shards, server_init, NULL);
    cr_assert(sim_run_until(pair->sim, server_up, NULL, 10 * SECOND));
    sim_node_start(pair->a, &two_shards, stranger_init, NULL);
    pair_end();
}

// --- real sockets ----------------------------------------------------------------------------------

struct real {
    pthread_barrier_t bound, finished;
    struct tls_context *server, *client, *root_client;
    char address[64];
    struct status status;
    char failure[300];
};

static struct status real_server(struct task *task, void *arg)
{
    struct real *real = arg;
    struct rpc_options options = {.tls_server = real->server, .tls_client = real->client, .cluster_id = {7}};
    struct status st = rpc_start(task, &options);
    if (!failed(st)) st = rpc_listen(task, "127.0.0.1:0", real->address);
    pthread_barrier_wait(&real->bound);
    return st;
}

static void *server_thread(void *arg)
{
    struct real *real = arg;
    struct node_options options = {.id = 2, .shard_count = 2, .fibers_per_shard = 64, .sql_memory_bytes = 64u << 20};
    struct node *node = NULL;
    real->status = node_run(&options, real_server, real, &node);
    return NULL;
}

// The last call asks the other node to stop, which then answers nothing.
static struct status serve_stop(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    (void)request;
    (void)reply;
    node_stop(task->shard->node);
    return task_sleep(task, 3600 * SECOND);
}

static const struct rpc_method stop_method = {.id = RPC_TEST + 12, .name = "test.stop", .call = serve_stop};

static struct status set_real_peer(struct task *task, void *arg)
{
    rpc_peer_set(task->shard, 2, ((struct real *)arg)->address);
    return STATUS_OK;
}

static struct status real_client(struct task *task, void *arg)
{
    struct real *real = arg;
    struct rpc_options options = {.tls_server = real->server, .tls_client = real->client, .cluster_id = {7}};
    struct status st;
    struct rpc_stream *stream = NULL;
    struct bytes body;
    TRY(rpc_start(task, &options));
    TRY(shard_call_all(task, set_real_peer, real));
    size_t size = 3u << 20;
    uint8_t *data = arena_alloc_zero(task->arena, size);
    for (uint32_t i = 0; i < 4; i++) {
        struct rpc_call call = {.node = 2, .shard = i % 2, .method = M_ECHO, .body = bytes_of(data, size)};
        TRY(rpc_call(task, &call));
        CHECK(bytes_equal(call.reply, call.body));
    }
    uint8_t ask[2] = {50, 200};
    struct rpc_stream_options open = {.target = {2, 1}, .method = M_COUNT_TO, .body = bytes_of(ask, 2), .window_bytes = 65536};
    TRY(rpc_stream_open(task, &open, &stream));
    for (uint32_t i = 0; i < 50; i++)
        TRY(rpc_stream_next(task, stream, task->arena, &body));
    CHECK_FAILS(rpc_stream_next(task, stream, task->arena, &body), K_END);
    rpc_stream_close(stream);
    stream = NULL;
    if (real->root_client != NULL) {
        // Who is `root` and no node may use what is for clients only.
        rpc_tls_set(task->shard->node, real->server, real->root_client);
        struct rpc_call call = {.address = real->address, .shard = RPC_ANY_SHARD, .method = M_OPEN};
        TRY(rpc_call(task, &call));
        call.method = M_ECHO;
        CHECK_FAILS(rpc_call(task, &call), E_INSUFFICIENT_PRIVILEGE);
    }
    struct rpc_call stop = {.node = 2, .shard = 0, .method = stop_method.id};
    CHECK_FAILS(rpc_call(task, &stop), K_UNREACHABLE);
out:
    if (stream != NULL) rpc_stream_close(stream);
    if (failed(st)) snprintf(real->failure, sizeof real->failure, "%s", st.message);
    node_stop(task->shard->node);
    return STATUS_OK;
}

static void real_run(struct real *real)
{
    pthread_t thread;
    register_methods();
    rpc_method_register(&stop_method);
    pthread_barrier_init(&real->bound, NULL, 2);
    cr_assert_eq(pthread_create(&thread, NULL, server_thread, real), 0);
    pthread_barrier_wait(&real->bound);
    struct node_options options = {.id = 1, .shard_count = 2, .fibers_per_shard = 64, .sql_memory_bytes = 64u << 20};
    struct status st = node_run(&options, real_client, real, NULL);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert(real->failure[0] == '\0', "%s", real->failure);
    pthread_join(thread, NULL);
}

Test(rpc, real_sockets_without_tls)
{
    struct real real = {0};
    real_run(&real);
}

static void file_write(const char *path, struct bytes content)
{
    FILE *file = fopen(path, "w");
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    fclose(file);
    cr_assert_eq(chmod(path, 0600), 0);
}

static void certificate(struct arena *arena, const char *dir, const char *name, struct cert_options options,
    struct bytes ca, struct bytes ca_key)
{
    struct bytes cert, key;
    struct status st = cert_create(arena, &options, ca, ca_key, &cert, &key);
    cr_assert(!failed(st), "%s", st.message);
    file_write(arena_printf(arena, "%s/%s.crt", dir, name), cert);
    file_write(arena_printf(arena, "%s/%s.key", dir, name), key);
}

static struct tls_context *client_context(struct arena *arena, const char *dir, const char *name)
{
    struct tls_context *context = NULL;
    struct tls_client_options options = {.verify = TLS_VERIFY_CA,
        .ca_path = arena_printf(arena, "%s/ca.crt", dir),
        .cert_path = arena_printf(arena, "%s/%s.crt", dir, name),
        .key_path = arena_printf(arena, "%s/%s.key", dir, name)};
    struct status st = tls_context_create_client(arena, &options, &context);
    cr_assert(!failed(st), "%s", st.message);
    return context;
}

static struct status intruder(struct task *task, void *arg)
{
    struct real *real = arg;
    struct rpc_options options = {.tls_server = real->server, .tls_client = real->client, .cluster_id = {7}};
    struct status st;
    TRY(rpc_start(task, &options));
    struct rpc_call call = {.address = real->address, .shard = 0, .method = M_OPEN};
    CHECK_FAILS(rpc_call(task, &call), K_UNREACHABLE);
    CHECK(!call.sent);
    // With a proper one again, to stop the server.
    rpc_tls_set(task->shard->node, real->server, real->root_client);
    TRY(task_sleep(task, 1500 * MS));
    TRY(shard_call_all(task, set_real_peer, real));
    struct rpc_call stop = {.node = 2, .shard = 0, .method = stop_method.id};
    CHECK_FAILS(rpc_call(task, &stop), K_UNREACHABLE);
out:
    if (failed(st)) snprintf(real->failure, sizeof real->failure, "%s", st.message);
    node_stop(task->shard->node);
    return STATUS_OK;
}

Test(rpc, real_sockets_with_certificates_of_nodes)
{
    struct arena arena;
    struct bytes none = {0}, ca, ca_key;
    char dir[256];
    struct real real = {0};
    arena_init(&arena, NULL);
    test_dir(dir);
    struct cert_options authority = {.common_name = "Isopod CA", .is_ca = true};
    cr_assert(!failed(cert_create(&arena, &authority, none, none, &ca, &ca_key)));
    file_write(arena_printf(&arena, "%s/ca.crt", dir), ca);
    static const char *const hosts[] = {"localhost", NULL};
    certificate(&arena, dir, "node",
        (struct cert_options){.common_name = "node", .hosts = hosts, .is_server = true, .is_client = true}, ca, ca_key);
    certificate(&arena, dir, "root", (struct cert_options){.common_name = "root", .is_client = true}, ca, ca_key);
    certificate(&arena, dir, "alice", (struct cert_options){.common_name = "alice", .is_client = true}, ca, ca_key);
    struct tls_server_options server = {.cert_path = arena_printf(&arena, "%s/node.crt", dir),
        .key_path = arena_printf(&arena, "%s/node.key", dir),
        .ca_path = arena_printf(&arena, "%s/ca.crt", dir)};
    struct status st = tls_context_create_server(&arena, &server, &real.server);
    cr_assert(!failed(st), "%s", st.message);
    real.client = client_context(&arena, dir, "node");
    real.root_client = client_context(&arena, dir, "root");
    real_run(&real);
    // A certificate of someone else is refused.
    pthread_t thread;
    struct real other = {.server = real.server, .client = client_context(&arena, dir, "alice"), .root_client = real.client};
    pthread_barrier_init(&other.bound, NULL, 2);
    cr_assert_eq(pthread_create(&thread, NULL, server_thread, &other), 0);
    pthread_barrier_wait(&other.bound);
    struct node_options options = {.id = 1, .shard_count = 1, .fibers_per_shard = 64, .sql_memory_bytes = 64u << 20};
    st = node_run(&options, intruder, &other, NULL);
    cr_assert(!failed(st) && other.failure[0] == '\0', "%s", other.failure);
    pthread_join(thread, NULL);
    tls_context_release(real.server);
    tls_context_release(real.client);
    tls_context_release(real.root_client);
    tls_context_release(other.client);
    arena_fini(&arena);
    test_dirs_remove();
}
