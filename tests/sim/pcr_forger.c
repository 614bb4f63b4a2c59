// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/pcr_forger.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/codec.h"
#include "core/crypto.h"
#include "core/hash.h"
#include "core/mark.h"
#include "core/rpc.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "sql/wire/pgclient.h"
#include "tenant/tenant.h"
#include "tests/sim/server_node.h"

#define PAUSE_NS (400 * WORLD_MS)
#define ASK_NS (10 * WORLD_SECOND)
#define PRIMARY 0u
#define BYSTANDER "bystander"
#define SPY "spy"
#define E_MOVED_SPANS SQLSTATE('5', '5', 'R', '0', '1')

struct pcr_forger {
    struct world *world;
    const char *source, *other;
    uint64_t bystander; // 0: not there yet.
    uint64_t followed;  // 0: not known yet.
    uint32_t asked;
    bool prepared, stop, strays;
};

// A stream that is in order, as its own consumer knows it.
struct stream_facts {
    int64_t stream, topology, slice;
    uint64_t tenant, other;
    const char *from, *scan, *uri, *cluster_id;
};

struct pcr_forger *pcr_forger_new(struct world *world, const char *source, const char *other)
{
    struct pcr_forger *forger = ARENA_NEW(&world->run->arena, struct pcr_forger);
    *forger = (struct pcr_forger){.world = world, .source = source, .other = other};
    return forger;
}

void pcr_forger_follows(struct pcr_forger *forger, uint64_t tenant)
{
    forger->followed = tenant;
}

void pcr_forger_strays(struct pcr_forger *forger)
{
    forger->strays = true;
}

void pcr_forger_stop(struct pcr_forger *forger)
{
    forger->stop = true;
}

// --- asking --------------------------------------------------------------------------------------

static const char *uri_of(struct task *task, const struct world_node *node, const char *user, const char *cluster)
{
    return arena_printf(task->arena, "postgresql://%s@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster%%3D%s",
        user, sim_node_address(node->machine), cluster);
}

static struct status dial(struct task *task, struct pcr_forger *forger, const char *user, const char *cluster,
    struct pgclient **client)
{
    struct status st;
    struct pgclient_options options = {.connect_timeout_ns = 3 * WORLD_SECOND};
    const struct world_node *node = world_serving(forger->world, PRIMARY, forger->asked);
    *client = NULL;
    if (node == NULL) return status_make(E_CONNECTION_FAILURE, "the primary is away");
    TRY(pgclient_url_parse(task->arena, uri_of(task, node, user, cluster), &options));
    TRY(pgclient_connect(task, &options, client));
out:
    return st;
}

static struct status say(struct task *task, struct pcr_forger *forger, const char *cluster, const char *sql,
    struct pgclient_result *result)
{
    struct status st;
    struct pgclient *client;
    TRY(dial(task, forger, "root", cluster, &client));
    st = pgclient_collect(task, client, task->arena, sql, result);
    if (failed(st)) st = status_copy(task->arena, st);
    pgclient_close(client);
out:
    return st;
}

static struct status prepare(struct task *task, struct pcr_forger *forger)
{
    struct status st;
    struct pgclient_result result;
    struct tenant *tenant;
    TRY(say(task, forger, "system", "CREATE USER IF NOT EXISTS " SPY, &result));
    TRY(say(task, forger, "system",
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s START SERVICE SHARED", forger->other), &result));
    TRY(tenant_read_by_name(task, NULL, task->arena, BYSTANDER, &tenant));
    if (tenant == NULL) TRY(tenant_create(task, task->arena, BYSTANDER, 0, &tenant));
    if (tenant->data_state != TENANT_READY) TRY(status_make(E_CANNOT_CONNECT_NOW, "it is not ready yet"));
    forger->bystander = tenant->id;
    forger->prepared = true;
out:
    return st;
}

static int64_t number_at(struct task *task, const struct pgclient_result *result, uint32_t column)
{
    return strtoll(arena_string(task->arena, pgclient_value(result, 0, column)), NULL, 10);
}

// As the consumer learns them; failed while there is no stream.
static struct status learn(struct task *task, struct pcr_forger *forger, struct stream_facts *facts)
{
    struct status st;
    struct pgclient_result result;
    *facts = (struct stream_facts){0};
    TRY(say(task, forger, "system",
        "SELECT stream_id, protected_time, tenant_id, crdb_internal.cluster_id(), "
        "(SELECT id FROM system.public.tenants WHERE name = 'other') "
        "FROM system.public.replication_producers WHERE state = 0 ORDER BY 1 DESC LIMIT 1", &result));
    if (result.row_count == 0) return status_make(E_CANNOT_CONNECT_NOW, "no stream yet");
    facts->stream = number_at(task, &result, 0);
    facts->from = arena_string(task->arena, pgclient_value(&result, 0, 1));
    facts->tenant = (uint64_t)number_at(task, &result, 2);
    facts->cluster_id = arena_string(task->arena, pgclient_value(&result, 0, 3));
    facts->other = (uint64_t)number_at(task, &result, 4);
    TRY(say(task, forger, "system",
        arena_printf(task->arena, "SELECT slice, topology FROM crdb_internal.replication_stream_spec(%" PRId64 ") LIMIT 1",
            facts->stream), &result));
    if (result.row_count == 0) return status_make(E_CANNOT_CONNECT_NOW, "no plan yet");
    facts->slice = number_at(task, &result, 0);
    facts->topology = number_at(task, &result, 1);
out:
    return st;
}

// --- over SQL ------------------------------------------------------------------------------------

static struct bytes scan_of(struct arena *arena, struct span span)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u32(&out, 1);
    codec_put_bytes(&out, span.start);
    codec_put_bytes(&out, span.end);
    return buffer_bytes(&out);
}

static const char *scan_text(struct arena *arena, struct bytes scan)
{
    char *hex = arena_alloc(arena, 2 * scan.size + 1);
    crypto_hex_encode(scan, hex);
    hex[2 * scan.size] = 0;
    return arena_printf(arena, "'\\x%s'::BYTEA", hex);
}

static const char *partition(struct arena *arena, const struct stream_facts *facts, const char *codec, uint32_t marks_ms)
{
    return arena_printf(arena,
        "SELECT * FROM crdb_internal.stream_partition(%" PRId64 ", %" PRId64 ", %" PRId64 ", '%s', %s, '%s', %u)",
        facts->stream, facts->slice, facts->topology, facts->from, facts->scan, codec, marks_ms);
}

// A request that would be answered if it came from who it is for.
static const char *good_request(struct arena *arena, const struct stream_facts *facts, const char *source, uint64_t draw)
{
    switch (draw % 6) {
    case 0: return arena_printf(arena, "SELECT crdb_internal.start_replication_stream('%s')", source);
    case 1:
        return arena_printf(arena, "SELECT * FROM crdb_internal.replication_stream_spec(%" PRId64 ")", facts->stream);
    case 2:
        return arena_printf(arena, "SELECT crdb_internal.replication_stream_progress(%" PRId64 ", '%s')", facts->stream,
            facts->from);
    case 3:
        return arena_printf(arena, "SELECT crdb_internal.complete_replication_stream(%" PRId64 ", true)", facts->stream);
    case 4: return arena_printf(arena, "SELECT * FROM crdb_internal.replication_prior_details('%s')", source);
    default: return partition(arena, facts, "none", 200);
    }
}

// One that nobody may be answered, and what is to be said of it.
static const char *bad_request(struct arena *arena, const struct stream_facts *good, uint64_t draw, uint32_t *code)
{
    struct stream_facts facts = *good;
    const struct span own = key_tenant_span(arena, facts.tenant), other = key_tenant_span(arena, facts.other);
    *code = E_INVALID_PARAMETER_VALUE;
    switch (draw % 16) {
    case 0: facts.stream++; break;
    case 1: facts.stream = -1; break;
    case 2: facts.topology ^= 1, *code = E_MOVED_SPANS; break;
    case 3: facts.slice = 9999, *code = E_MOVED_SPANS; break;
    case 4: facts.scan = scan_text(arena, scan_of(arena, other)); break;
    case 5: facts.scan = scan_text(arena, scan_of(arena, (struct span){own.start, other.end})); break;
    case 6: facts.scan = scan_text(arena, scan_of(arena, (struct span){other.start, own.end})); break;
    case 7: facts.scan = scan_text(arena, scan_of(arena, (struct span){own.end, own.start})); break;
    case 8: facts.scan = "'\\x01ff'::BYTEA"; break;
    case 9: facts.from = "1.0000000000", *code = E_NOT_IN_PREREQUISITE_STATE; break;
    case 10: facts.from = "never", *code = E_NOT_IN_PREREQUISITE_STATE; break;
    case 11: return partition(arena, &facts, "brotli", 200);
    case 12: return partition(arena, &facts, "none", draw % 32 < 16 ? 0 : 60001);
    case 13:
        facts.stream++;
        return good_request(arena, &facts, "source", 1 + draw / 16 % 3);
    case 14: *code = E_UNDEFINED_OBJECT; return "SELECT crdb_internal.start_replication_stream('nobody')";
    default: *code = E_FEATURE_NOT_SUPPORTED; return "SELECT crdb_internal.start_replication_stream('system')";
    }
    return partition(arena, &facts, "none", 200);
}

// What becomes of a request when faults come first.
static bool is_disturbed(struct status st)
{
    static const uint32_t codes[] = {E_SERIALIZATION_FAILURE, E_AMBIGUOUS_RESULT, E_DISK_FULL, E_OUT_OF_MEMORY,
        E_QUERY_CANCELED, E_ADMIN_SHUTDOWN, E_CONNECTION_FAILURE, E_IO_ERROR, SQLSTATE('0', '8', '0', '0', '1'),
        E_CANNOT_CONNECT_NOW, E_CONNECTION_REFUSED, E_TOO_MANY_CONNECTIONS};
    for (uint32_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (status_is(st, codes[i])) return true;
    }
    return false;
}

static void judge(struct pcr_forger *forger, const char *who, const char *sql, struct status st, uint32_t expected)
{
    struct sim_run *run = forger->world->run;
    char code[6], right[6];
    status_sqlstate(st, code);
    status_sqlstate(status_make(expected, ""), right);
    sim_tell(run, forger->world->sim, SIM_AREA_WORK, 0, "%s asks for %s: %s %s", who, sql, code, failed(st) ? st.message : "ok");
    if (!failed(st)) sim_violation(run, "%s is answered: %s", who, sql);
    if (is_disturbed(st)) return;
    // The stream may have ended since it was looked at, but that is nobody's business who may have none.
    const bool over = expected != E_INSUFFICIENT_PRIVILEGE &&
                      (status_is(st, E_NOT_IN_PREREQUISITE_STATE) || status_is(st, E_MOVED_SPANS));
    if (failed(st) && !over && !status_is(st, expected))
        sim_violation(run, "%s is told %s instead of %s: %s: %s", who, code, right, sql, st.message);
    covered("sim.forged_stream_refused");
    sim_count(run, "forged streams refused", 1);
}

static struct status forge_sql(struct task *task, struct pcr_forger *forger, struct stream_facts *facts, uint64_t draw)
{
    struct status st;
    struct pgclient *client;
    struct pgclient_result result;
    uint32_t expected = E_INSUFFICIENT_PRIVILEGE;
    const char *user = "root", *cluster = "system", *sql;
    facts->scan = "''::BYTEA";
    switch (draw % 4) {
    case 0: user = SPY, sql = good_request(task->arena, facts, forger->source, draw / 4); break;
    case 1: cluster = forger->other, sql = good_request(task->arena, facts, forger->source, draw / 4); break;
    default: sql = bad_request(task->arena, facts, draw / 4, &expected);
    }
    TRY(dial(task, forger, user, cluster, &client));
    st = pgclient_collect(task, client, task->arena, sql, &result);
    judge(forger, arena_printf(task->arena, "%s of %s", user, cluster), sql, st, expected);
    pgclient_close(client);
    st = STATUS_OK;
out:
    return st;
}

// --- over RPC ------------------------------------------------------------------------------------

// As a node of the standby asks another one to receive a stream: repl/relay.c.
static struct bytes relay_body(
    struct task *task, struct pcr_forger *forger, const struct stream_facts *facts, uint64_t scanned, uint64_t tenant)
{
    struct buffer out;
    struct hlc_timestamp from = HLC_ZERO;
    const struct world_node *node = world_serving(forger->world, PRIMARY, forger->asked);
    const struct span all = key_tenant_span(task->arena, scanned);
    hlc_parse(facts->from, &from);
    buffer_init(&out, task->arena);
    codec_put_string(&out, node == NULL ? "" : uri_of(task, node, "root", "system"));
    codec_put_string(&out, facts->cluster_id);
    codec_put_u32(&out, 0);
    codec_put_string(&out, "");
    codec_put_i64(&out, facts->stream);
    codec_put_i64(&out, facts->topology);
    codec_put_u64(&out, (uint64_t)facts->slice);
    codec_put_u64(&out, facts->tenant);
    codec_put_u64(&out, tenant);
    codec_put_hlc(&out, from);
    codec_put_bytes(&out, scan_of(task->arena, all));
    codec_put_string(&out, "none");
    codec_put_u64(&out, 200);
    codec_put_u64(&out, 100 * WORLD_MS);
    codec_put_u64(&out, 1u << 20);
    return buffer_bytes(&out);
}

// To what does not ingest; of another stream, or another virtual cluster's keys; cut short; a stray.
static struct status forge_rpc(struct task *task, struct pcr_forger *forger, struct stream_facts *facts, uint64_t draw)
{
    struct status st;
    struct rpc_stream *stream = NULL;
    struct bytes news;
    const uint64_t kind = forger->strays ? 4 : forger->followed == 0 ? draw % 4 : draw % 8;
    if (kind == 1) facts->stream++;
    struct bytes body = relay_body(task, forger, facts, kind == 2 ? facts->other : facts->tenant,
        kind >= 4 ? forger->followed : forger->bystander);
    if (kind == 3) body.size = draw / 4 % body.size;
    const uint32_t target = 1 + (task->shard->node->id + (uint32_t)(draw / 4 % 2)) % 3; // Another one of three.
    const struct rpc_stream_options options = {.target = {.node = target}, .method = RPC_REPL, .body = body};
    TRY(rpc_stream_open(task, &options, &stream));
    do { // It may have to tell how far it is before there is anything to be received.
        st = rpc_stream_next(task, stream, task->arena, &news);
    } while (!failed(st));
    sim_tell(forger->world->run, forger->world->sim, SIM_AREA_WORK, task->shard->node->id,
        "asks a node for a forged stream %u: %s", (uint32_t)kind, st.message);
    if (status_is(st, K_END)) sim_violation(forger->world->run, "a forged stream between nodes has ended well");
    if (kind == 3 && !status_is(st, E_PROTOCOL_VIOLATION) && !is_disturbed(st) && !status_is(st, K_UNREACHABLE))
        sim_violation(forger->world->run, "a malformed request between nodes is told %s", st.message);
    if (kind >= 4 && status_is(st, E_NOT_IN_PREREQUISITE_STATE)) covered("sim.stray_refused");
    if (kind == 0 && status_is(st, E_NOT_IN_PREREQUISITE_STATE)) covered("sim.forged_relay_refused");
    st = STATUS_OK;
out:
    if (stream != NULL) rpc_stream_close(stream);
    return st;
}

// --- the task ------------------------------------------------------------------------------------

struct forging {
    struct pcr_forger *forger;
    struct world_node *node;
};

static struct status forge_once(struct task *task, const struct forging *forging)
{
    struct status st = STATUS_OK;
    struct pcr_forger *forger = forging->forger;
    struct stream_facts facts;
    const uint32_t number = forger->asked++;
    const uint64_t draw = hash_combine(forger->world->run->seed, number);
    if (!forger->prepared) return prepare(task, forger);
    TRY(learn(task, forger, &facts));
    bool several = false;
    for (uint32_t i = 0; i < forger->world->node_count; i++)
        several |= &forger->world->nodes[i] != forging->node && forger->world->nodes[i].cluster == forging->node->cluster;
    if (several && (draw % 3 == 0 || forger->strays))
        st = forge_rpc(task, forger, &facts, draw / 3);
    else
        st = forge_sql(task, forger, &facts, draw / 3);
out:
    return st;
}

static struct status forge_main(struct task *task, void *arg)
{
    struct forging *forging = arg;
    struct pcr_forger *forger = forging->forger;
    while (!task->cancelled && !forger->stop) {
        struct arena_mark mark = arena_mark(task->arena);
        task->deadline_ns = task_now_ns(task) + ASK_NS;
        struct status st = forge_once(task, forging);
        task->deadline_ns = UINT64_MAX;
        if (failed(st))
            sim_tell(forger->world->run, forger->world->sim, SIM_AREA_WORK, forging->node->id, "forger: %s", st.message);
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, PAUSE_NS))) break;
    }
    forging->node->tasks--;
    return STATUS_OK;
}

struct status pcr_forger_start(struct task *task, struct world_node *node, struct pcr_forger *forger)
{
    struct forging *forging = ARENA_NEW(&forger->world->run->arena, struct forging);
    *forging = (struct forging){forger, node};
    return server_node_spawn(task, node, forge_main, forging, "sim-forger");
}

struct status pcr_forger_check(struct task *task, struct pcr_forger *forger)
{
    struct status st;
    struct kv_version *versions;
    uint32_t count;
    static const char own[] = "source-canary";
    if (forger->bystander == 0) return STATUS_OK;
    struct kv_export export = {
        .tenant = forger->bystander, .span = key_tenant_span(task->arena, forger->bystander), .all = true};
    TRY(kv_now(task, forger->bystander, &export.at));
    while (!export.done) {
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (versions[i].value.size >= sizeof own - 1 && memcmp(versions[i].value.data, own, sizeof own - 1) == 0)
                sim_violation(forger->world->run, "what does not follow has received %s",
                    key_format(task->arena, versions[i].key));
        }
    }
out:
    return st;
}
