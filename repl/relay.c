// SPDX-License-Identifier: GPL-3.0-or-later
//
// Streams that run on another node of the standby than their job: the job's node opens an RPC stream, the other one
// receives and ingests, and tells how far it is.
#include "core/codec.h"
#include "kv/kv_node.h"
#include "repl/flow.h"
#include "repl/repl.h"

// --- the request -------------------------------------------------------------------------------------

static struct bytes run_encode(struct arena *arena, const struct partition_run *run)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_string(&out, run->where.uri);
    codec_put_string(&out, run->where.cluster_id);
    codec_put_u32(&out, run->where.address_count);
    for (uint32_t i = 0; i < run->where.address_count; i++)
        codec_put_string(&out, run->where.addresses[i]);
    codec_put_string(&out, run->address == NULL ? "" : run->address);
    codec_put_i64(&out, run->stream);
    codec_put_i64(&out, run->topology);
    codec_put_u64(&out, run->slice);
    codec_put_u64(&out, run->source_tenant);
    codec_put_u64(&out, run->tenant);
    codec_put_hlc(&out, run->from);
    codec_put_bytes(&out, run->scan);
    codec_put_string(&out, run->codec);
    codec_put_u64(&out, run->resolved_ms);
    codec_put_u64(&out, run->flush_interval_ns);
    codec_put_u64(&out, run->buffer_bytes);
    return buffer_bytes(&out);
}

static const char *take_string(struct arena *arena, struct codec_reader *in)
{
    struct bytes text = codec_get_bytes(in);
    if (memchr(text.data, 0, text.size) != NULL) in->bad = true;
    return arena_string(arena, text);
}

static bool run_decode(struct arena *arena, struct bytes body, struct partition_run *run)
{
    struct codec_reader in = codec_read(body);
    *run = (struct partition_run){.where.uri = take_string(arena, &in)};
    run->where.cluster_id = take_string(arena, &in);
    uint32_t count = codec_get_count(&in, 4);
    if (count > PROGRESS_ADDRESSES_MAX) return false;
    const char **addresses = ARENA_ARRAY(arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        addresses[i] = take_string(arena, &in);
    run->where.addresses = addresses;
    run->where.address_count = count;
    run->address = take_string(arena, &in);
    if (run->address[0] == '\0') run->address = NULL;
    run->stream = codec_get_i64(&in);
    run->topology = codec_get_i64(&in);
    run->slice = codec_get_u64(&in);
    run->source_tenant = codec_get_u64(&in);
    run->tenant = codec_get_u64(&in);
    run->from = codec_get_hlc(&in);
    run->scan = arena_copy(arena, codec_get_bytes(&in));
    run->codec = take_string(arena, &in);
    run->resolved_ms = codec_get_u64(&in);
    run->flush_interval_ns = codec_get_u64(&in);
    run->buffer_bytes = codec_get_u64(&in);
    return codec_done(&in);
}

// --- news --------------------------------------------------------------------------------------------

static struct status send_news(struct task *task, void *arg, const struct partition_news *news)
{
    struct rpc_stream *stream = arg;
    struct arena arena;
    struct buffer out;
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
    codec_put_hlc(&out, news->resolved);
    codec_put_u8(&out, news->scanned);
    codec_put_u8(&out, news->resume.data != NULL);
    codec_put_bytes(&out, news->resume);
    codec_put_u64(&out, news->bytes);
    struct status st = rpc_stream_send(task, stream, buffer_bytes(&out));
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static bool news_decode(struct bytes body, struct partition_news *news)
{
    struct codec_reader in = codec_read(body);
    *news = (struct partition_news){.resolved = codec_get_hlc(&in)};
    news->scanned = codec_get_bool(&in);
    bool resume = codec_get_bool(&in);
    struct bytes key = codec_get_bytes(&in);
    if (resume) news->resume = key;
    news->bytes = codec_get_u64(&in);
    return codec_done(&in);
}

// --- both ends ---------------------------------------------------------------------------------------

static struct status serve_stream(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    struct partition_run run;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || !kv->serving) return status_make(E_CANNOT_CONNECT_NOW, "the node is starting");
    if (!run_decode(task->arena, request->body, &run))
        return status_make(E_PROTOCOL_VIOLATION, "malformed request for a replication stream");
    run.tell = send_news;
    run.arg = stream;
    return partition_stream(task, &run);
}

static struct status not_reached(struct task *task, uint32_t node, struct status st)
{
    if (!status_is(st, K_UNREACHABLE) && !status_is(st, K_END)) return st;
    return status_format(task->arena, E_CONNECTION_FAILURE,
        "node %u of this cluster, which receives a replication stream, does not answer", node);
}

struct status relay_stream(
    struct task *task, struct rpc_target target, const struct partition_run *run)
{
    struct status st;
    struct rpc_stream *stream = NULL;
    struct arena arena;
    arena_init(&arena, NULL);
    struct rpc_stream_options options = {
        .target = target, .method = RPC_REPL, .body = run_encode(&arena, run)};
    TRY(rpc_stream_open(task, &options, &stream));
    for (;;) {
        struct bytes body;
        struct partition_news news;
        arena_reset(&arena);
        TRY(rpc_stream_next(task, stream, &arena, &body));
        if (!news_decode(body, &news))
            TRY(status_make(E_PROTOCOL_VIOLATION, "malformed news of a replication stream"));
        TRY(run->tell(task, run->arg, &news));
    }
out:
    st = not_reached(task, target.node, status_copy(task->arena, st));
    if (stream != NULL) rpc_stream_close(stream);
    arena_fini(&arena);
    return st;
}

static const struct rpc_method method = {
    .id = RPC_REPL, .name = "repl.stream", .class = TASK_DEFAULT, .bulk = true, .stream = serve_stream};

struct status repl_node_stop(struct task *task)
{
    return rpc_method_end(task, RPC_REPL);
}

void relay_register(void)
{
    rpc_method_register(&method);
}
