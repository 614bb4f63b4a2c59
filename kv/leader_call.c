// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests on their way to leaders (kv/leader.h).
//
// Who leads a slice is a guess: what the directory says, corrected by replicas that know better. A wrong guess costs a
// round trip. A request that may have been executed is asked again all the same, with `again` set: reads, locks and
// resolutions do the same thing twice, and a leader knows the transactions that it committed.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/linger.h"
#include "core/mark.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"
#include "kv/router.h"
#include "kv/txn.h"

#define RELEASE_NS UINT64_C(10000000000)
#define WAIT_FIRST_NS 2000000u
#define WAIT_LAST_NS 100000000u
#define NODE_REQUEST_BYTES_MAX (RPC_BODY_BYTES_MAX - (1u << 20))

// A request's way through attempts.
struct leader_trip {
    enum leader_kind kind;
    struct leader_call *call;
    struct arena *arena;
    struct rpc_target target;
    bool here;         // On this node, as a struct.
    bool done;
    uint32_t asked;    // The node asked last.
    uint64_t lock_deadline_ns; // The call's own, while it is asked for without a wait.
    struct status status;
    struct buffer ask; // Encoded, in call->reply.
    struct buffer answer;
};

static bool never_leads(struct status st)
{
    return status_is(st, K_NOT_LEADER) || status_is(st, K_UNREACHABLE) ||
           status_is(st, K_FATE_ELSEWHERE);
}

// --- where to ------------------------------------------------------------------------------------

static uint32_t own_node(const struct task *task)
{
    return task->shard->node->id;
}

// False: nobody knows now.
static bool trip_aim(struct task *task, struct client *client, struct leader_trip *trip)
{
    const struct leader_directory *directory = client->directory;
    uint64_t slice = trip->call->slice;
    if (directory == NULL || directory->leader == NULL) {
        trip->target = (struct rpc_target){
            own_node(task), router_shard(kv_shard_of(task->shard), slice)};
        return true;
    }
    if (trip->call->follower) {
        // The replica at hand, if there is one.
        return directory->replica(task->shard, slice, own_node(task), &trip->target);
    }
    uint32_t guess = slice < client->leader_count ? client->leaders[slice] : 0;
    if (guess != 0 && directory->replica(task->shard, slice, guess, &trip->target)) return true;
    if (trip->asked == 0 && directory->leader(task->shard, slice, &trip->target)) return true;
    uint32_t node = directory->next(task->shard, slice, trip->asked);
    return node != 0 && directory->replica(task->shard, slice, node, &trip->target);
}

// What the answer says about who leads.
static void trip_learn(struct client *client, struct leader_trip *trip)
{
    uint64_t slice = trip->call->slice;
    uint32_t leader = 0;
    if (trip->call->follower) { // It was worth a try.
        trip->call->follower = false;
        trip->asked = 0;
        return;
    }
    if (!never_leads(trip->status)) {
        leader = trip->target.node;
    } else if (status_is(trip->status, K_NOT_LEADER) && trip->call->leader != trip->target.node) {
        leader = trip->call->leader;
    }
    trip->asked = trip->target.node;
    if (client->directory == NULL || client->directory->leader == NULL) return;
    if (slice < client->leader_count) client->leaders[slice] = leader;
}

static bool encodes(const struct client *client, const struct leader_trip *trip, uint32_t own)
{
    if (client->directory == NULL) return false;
    return client->directory->encodes_all || trip->target.node != own;
}

// --- one attempt ---------------------------------------------------------------------------------

static struct status trip_here(struct task *task, void *arg)
{
    struct leader_trip *trip = arg;
    return leader_run(task, trip->call, trip->kind);
}

static struct status trip_encoded_here(struct task *task, void *arg)
{
    struct leader_trip *trip = arg;
    return leader_wire_serve(task, trip->kind, buffer_bytes(&trip->ask), &trip->answer);
}

static void call_begin(struct leader_trip *trip, bool own_arena)
{
    struct leader_call *call = trip->call;
    call->remote = !own_arena;
    call->relayed = false;
    trip->ask = trip->answer = (struct buffer){0}; // An earlier attempt's.
    if (!own_arena) arena_init(&call->reply, NULL);
    call->arena = own_arena ? trip->arena : &call->reply;
}

// --- the other node's clock ----------------------------------------------------------------------

// Nothing above what its clock said at the first request is uncertain.
static struct hlc_timestamp certain_at(const struct leader_call *call, uint32_t node)
{
    const struct leader_seen *seen = call->seen;
    for (uint32_t i = 0; seen != NULL && i < seen->count; i++) {
        if (seen->nodes[i].node == node) return hlc_min(call->uncertain, seen->nodes[i].clock);
    }
    return call->uncertain;
}

static void clock_note(struct leader_call *call, uint32_t node)
{
    struct leader_seen *seen = call->seen;
    if (seen == NULL || hlc_is_zero(call->clock) || seen->count == LEADER_SEEN_MAX) return;
    for (uint32_t i = 0; i < seen->count; i++) {
        if (seen->nodes[i].node == node) return;
    }
    seen->nodes[seen->count].node = node;
    seen->nodes[seen->count++].clock = call->clock;
}

static void trip_encode(struct task *task, struct leader_trip *trip)
{
    struct leader_call *call = trip->call;
    buffer_init(&trip->ask, &call->reply);
    buffer_init(&trip->answer, &call->reply);
    call->certain = certain_at(call, trip->target.node);
    call->clock = HLC_ZERO;
    leader_wire_ask(&trip->ask, trip->kind, call, task_now_ns(task));
}

// Another node that stops (or has not started yet) is like one that is gone.
static bool stops_there(struct task *task, const struct leader_trip *trip, struct status st)
{
    return status_is(st, E_ADMIN_SHUTDOWN) && !task->cancelled &&
           trip->target.node != own_node(task) && !kv_shard_of(task->shard)->stopping;
}

// The answer's arena goes before its status does.
static struct status trip_decode(
    struct task *task, struct leader_trip *trip, struct bytes answer)
{
    struct wire_in in = {.rest = answer, .arena = &trip->call->reply};
    struct status st = leader_wire_answered(&in, trip->kind, trip->call);
    clock_note(trip->call, trip->target.node);
    if (!stops_there(task, trip, st)) return failed(st) ? status_copy(task->arena, st) : st;
    trip->call->again = true;
    return status_make(K_UNREACHABLE, "node is stopping");
}

static struct status too_large(void)
{
    return status_make(
        E_PROGRAM_LIMIT_EXCEEDED, "request to another node is larger than 79 MiB");
}

static void rpc_begin(struct leader_trip *trip, struct rpc_call *rpc)
{
    *rpc = (struct rpc_call){
        .node = trip->target.node,
        .shard = trip->target.shard,
        .method = (uint16_t)(RPC_LEADER + (uint32_t)trip->kind),
        .body = buffer_bytes(&trip->ask),
        .arena = &trip->call->reply,
    };
}

// A commit that may have happened, and whose answer does not come any more.
static struct status rpc_outcome(struct task *task, struct leader_trip *trip, struct rpc_call *rpc)
{
    struct status st = rpc->status;
    if (failed(st)) st = status_copy(task->arena, st);
    if (!failed(st) && SIM_MAYBE("leader.answer_lost")) {
        trip->call->again = true; // It was done, and is asked for once more.
        return status_make(K_UNREACHABLE, "the answer was lost");
    }
    if (!failed(st)) return trip_decode(task, trip, rpc->reply);
    const bool once = leader_codec(trip->kind)->once;
    if (rpc->sent) trip->call->again = true;
    bool gone = status_is(st, K_UNREACHABLE);
    if (stops_there(task, trip, st)) return status_make(K_UNREACHABLE, "node is stopping");
    if (gone || !once || !rpc->sent) return st;
    return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
        "the result of the commit is unknown: its answer was not waited for");
}

static void trip_one(struct task *task, struct client *client, struct leader_trip *trip)
{
    const uint32_t own = own_node(task);
    if (!encodes(client, trip, own)) {
        bool direct = trip->target.shard == task->shard->index;
        call_begin(trip, direct);
        trip->status = direct ? trip_here(task, trip)
                              : shard_call(task, trip->target.shard, trip_here, trip);
        if (failed(trip->status)) trip->status = status_copy(task->arena, trip->status);
        return;
    }
    call_begin(trip, false);
    trip_encode(task, trip);
    if (trip->target.node == own) {
        trip->status = shard_call(task, trip->target.shard, trip_encoded_here, trip);
        if (!failed(trip->status)) {
            trip->status = trip_decode(task, trip, buffer_bytes(&trip->answer));
        }
        return;
    }
    if (trip->ask.size > NODE_REQUEST_BYTES_MAX) {
        trip->status = too_large();
        return;
    }
    struct rpc_call rpc;
    rpc_begin(trip, &rpc);
    (void)rpc_call(task, &rpc).code;
    trip->status = rpc_outcome(task, trip, &rpc);
}

// --- several at once -----------------------------------------------------------------------------

// All of this node: messages between shards.
static void round_here(struct task *task, struct client *client, struct leader_trip **trips,
    uint32_t count, struct arena *scratch)
{
    struct shard_call_item *items = ARENA_ARRAY(scratch, struct shard_call_item, count);
    for (uint32_t i = 0; i < count; i++) {
        struct leader_trip *trip = trips[i];
        bool encoded = encodes(client, trip, own_node(task));
        call_begin(trip, !encoded && trip->target.shard == task->shard->index);
        if (encoded) trip_encode(task, trip);
        items[i] = (struct shard_call_item){
            .target = trip->target.shard,
            .fn = encoded ? trip_encoded_here : trip_here,
            .arg = trip,
        };
    }
    (void)shard_call_many(task, items, count).code;
    for (uint32_t i = 0; i < count; i++) {
        struct leader_trip *trip = trips[i];
        trip->status = items[i].status;
        if (trip->answer.arena != NULL && !failed(trip->status)) {
            trip->status = trip_decode(task, trip, buffer_bytes(&trip->answer));
        }
    }
}

// Some of other nodes: all as calls between nodes, those of this one without a connection.
static void round_nodes(struct task *task, struct leader_trip **trips, uint32_t count,
    struct arena *scratch)
{
    struct rpc_call *calls = ARENA_ARRAY(scratch, struct rpc_call, count);
    struct leader_trip **sent = ARENA_ARRAY(scratch, struct leader_trip *, count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct leader_trip *trip = trips[i];
        call_begin(trip, false);
        trip_encode(task, trip);
        if (trip->ask.size > NODE_REQUEST_BYTES_MAX) {
            trip->status = too_large();
            continue;
        }
        sent[n] = trip;
        rpc_begin(trip, &calls[n++]);
    }
    (void)rpc_call_many(task, calls, n).code;
    for (uint32_t i = 0; i < n; i++) sent[i]->status = rpc_outcome(task, sent[i], &calls[i]);
}

static void round_run(
    struct task *task, struct client *client, struct leader_trip **trips, uint32_t count)
{
    if (count == 1) {
        trip_one(task, client, trips[0]);
        return;
    }
    struct arena scratch;
    arena_init(&scratch, NULL);
    bool all_here = true;
    for (uint32_t i = 0; i < count; i++) {
        all_here = all_here && trips[i]->target.node == own_node(task);
    }
    if (all_here) {
        round_here(task, client, trips, count, &scratch);
    } else {
        round_nodes(task, trips, count, &scratch);
    }
    arena_fini(&scratch);
}

// --- until somebody answers ----------------------------------------------------------------------

static bool in_doubt(const struct leader_trip *trip)
{
    return trip->call->again && leader_codec(trip->kind)->once;
}

// Asked for again, and refused without a look at what became of it before.
static void outcome_doubt(struct leader_trip *trip)
{
    static const char *const classes[] = {"08", "53", "57", "58"};
    char code[6];
    if (!in_doubt(trip) || !failed(trip->status)) return;
    status_sqlstate(trip->status, code);
    for (uint32_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (memcmp(code, classes[i], 2) != 0) continue;
        trip->status = status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
            "the result of the commit is unknown: its answer was lost, and it could not be asked for again");
        return;
    }
}

static struct status nobody(struct task *task, const struct leader_trip *trip)
{
    if (in_doubt(trip)) {
        return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
            "the result of the commit is unknown: no leader answers");
    }
    return status_hint(task->arena,
        status_format(task->arena, E_CONNECTION_FAILURE, "slice %llu has no leader that answers",
            (unsigned long long)trip->call->slice),
        "A majority of the slice's replicas must be up: see SHOW RANGES and isopod node status.");
}

static struct status trips_wait(struct task *task, uint32_t attempt)
{
    uint64_t wait_ns = WAIT_FIRST_NS << (attempt < 6 ? attempt : 6);
    return task_sleep(task, wait_ns < WAIT_LAST_NS ? wait_ns : WAIT_LAST_NS);
}

// Aims those that are to go (again); gives how many. Those that cannot be aimed stay K_NOT_LEADER.
static uint32_t trips_aim(struct task *task, struct client *client, struct leader_trip *trips,
    uint32_t count, struct leader_trip **going)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct leader_trip *trip = &trips[i];
        if (trip->done) continue;
        if (trip_aim(task, client, trip)) {
            going[n++] = trip;
            continue;
        }
        trip->status = status_make(K_NOT_LEADER, "nobody is known to lead");
        trip->asked = 0;
    }
    return n;
}

// True when something is left to be asked again; *known: somebody was named for all of it.
static bool trips_check(struct client *client, struct leader_trip *trips, uint32_t count,
    struct leader_trip **going, uint32_t going_count, bool *known)
{
    for (uint32_t i = 0; i < going_count; i++) trip_learn(client, going[i]);
    bool left = false;
    *known = true;
    for (uint32_t i = 0; i < count; i++) {
        struct leader_trip *trip = &trips[i];
        if (trip->done) continue;
        trip->done = !never_leads(trip->status);
        if (status_is(trip->status, K_FATE_ELSEWHERE)) trip->call->again = true;
        if (trip->done) {
            outcome_doubt(trip);
            continue;
        }
        left = true;
        uint64_t slice = trip->call->slice;
        *known = *known && slice < client->leader_count && client->leaders[slice] != 0;
    }
    return left;
}

static void trips_run(struct task *task, struct leader_trip *trips, uint32_t count,
    struct leader_trip **going)
{
    struct client *client = client_of(task);
    const uint64_t end_ns = task_now_ns(task) + LEADER_PATIENCE_NS;
    uint32_t hints = 0;
    for (uint32_t attempt = 0;; attempt++) {
        uint32_t n = trips_aim(task, client, trips, count, going);
        if (n > 0) round_run(task, client, going, n);
        bool known;
        if (!trips_check(client, trips, count, going, n, &known)) return;
        struct status st = STATUS_OK;
        // A hint is followed at once; two replicas that name each other are not run after.
        if (!known || ++hints % 4 == 0) st = trips_wait(task, attempt);
        uint64_t now_ns = task_now_ns(task);
        bool late = now_ns >= end_ns || now_ns >= client->patience_end_ns;
        for (uint32_t i = 0; i < count; i++) {
            struct leader_trip *trip = &trips[i];
            if (trip->done) continue;
            if (failed(st) || late) {
                trip->status = late || in_doubt(trip) ? nobody(task, trip) : st;
                trip->done = true;
            } else {
                leader_reply_end(trip->call);
            }
        }
        if (failed(st) || late) return;
    }
}

// Whether the leader may make it wait for another transaction's lock.
static bool waits_for_locks(const struct leader_trip *trip)
{
    const struct kv_read *read;
    switch (trip->kind) {
    case LEADER_GET: read = &((const struct leader_get *)trip->call)->read; break;
    case LEADER_SCAN: read = &((const struct leader_scan *)trip->call)->read; break;
    case LEADER_COMMIT:
    case LEADER_PREPARE:
    case LEADER_LOCK:
    case LEADER_STAGE: return true;
    default: return false;
    }
    return read->lock != KV_LOCK_NONE && read->wait == KV_WAIT_BLOCK;
}

// Where the lock is nobody knows of those that wait here: when these are too many it is asked for without a wait.
static void trips_go(struct task *task, struct leader_trip *trips, uint32_t count, struct leader_trip **going)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) any = any || waits_for_locks(&trips[i]);
    const bool lingers = any && linger_begin(task);
    const bool refused = any && !lingers;
    for (uint32_t i = 0; i < count && refused; i++) {
        trips[i].lock_deadline_ns = trips[i].call->lock_deadline_ns;
        trips[i].call->lock_deadline_ns = 1;
    }
    trips_run(task, trips, count, going);
    if (lingers) linger_end(task);
    for (uint32_t i = 0; i < count && refused; i++) {
        trips[i].call->lock_deadline_ns = trips[i].lock_deadline_ns;
        if (status_is(trips[i].status, E_LOCK_NOT_AVAILABLE) && waits_for_locks(&trips[i]))
            trips[i].status = linger_refused();
    }
}

struct status leader_call(
    struct task *task, struct leader_call *call, struct arena *arena, enum leader_kind kind)
{
    struct client *client = client_of(task);
    call->again = false;
    const struct slice *slice = kv_slice_find(kv_shard_of(task->shard), call->slice);
    bool encoded = client->directory != NULL && client->directory->encodes_all;
    if (LIKELY(slice != NULL && !encoded &&
            (slice->role == SLICE_SERVING || call->follower))) {
        call->remote = false;
        call->relayed = false;
        call->here = true;
        call->arena = arena;
        struct status st = leader_run(task, call, kind);
        // `arena` may go before the failure is told.
        if (UNLIKELY(failed(st)) && arena != task->arena) st = status_copy(task->arena, st);
        if (LIKELY(!status_is(st, K_NOT_LEADER) && !status_is(st, K_FATE_ELSEWHERE))) return st;
        if (status_is(st, K_FATE_ELSEWHERE)) call->again = true;
        call->follower = false;
    }
    call->here = false;
    struct leader_trip trip = {.kind = kind, .call = call, .arena = arena};
    struct leader_trip *going;
    trips_go(task, &trip, 1, &going);
    return trip.status;
}

void leader_call_many(
    struct task *task, struct leader_item *items, uint32_t count, struct arena *arena)
{
    if (count == 0) return;
    struct arena scratch;
    arena_init(&scratch, NULL);
    struct leader_trip *trips = ARENA_ARRAY(&scratch, struct leader_trip, count);
    struct leader_trip **going = ARENA_ARRAY(&scratch, struct leader_trip *, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i].call->again = false;
        items[i].call->here = false;
        trips[i] =
            (struct leader_trip){.kind = items[i].kind, .call = items[i].call, .arena = arena};
    }
    trips_go(task, trips, count, going);
    for (uint32_t i = 0; i < count; i++) items[i].status = trips[i].status;
    arena_fini(&scratch);
}

void leader_reply_end(struct leader_call *call)
{
    if (call->remote) arena_fini(&call->reply);
    call->remote = false;
}

void leader_directory_set(struct shard *shard, const struct leader_directory *directory)
{
    struct client *client = kv_shard_of(shard)->module_state[KV_SLOT_CLIENT];
    client->directory = directory;
    memset(client->leaders, 0, client->leader_count * sizeof client->leaders[0]);
}

bool leader_where(struct shard *shard, uint64_t slice, struct rpc_target *where)
{
    const struct client *client = kv_shard_of(shard)->module_state[KV_SLOT_CLIENT];
    const struct leader_directory *directory = client->directory;
    if (directory != NULL && directory->leader != NULL) {
        return directory->leader(shard, slice, where);
    }
    *where = (struct rpc_target){shard->node->id, router_shard(kv_shard_of(shard), slice)};
    return true;
}

void leader_slices(struct shard *shard, struct arena *arena, uint64_t **slices, uint32_t *count)
{
    const bool alone = cluster_alone(shard);
    const struct kv_shard *kv = kv_shard_of(shard);
    // Slice 1 is among those that every shard was told of; before, there are those of the beginning.
    const bool told = (kv->made[SLICE_META / 64] & UINT64_C(1) << SLICE_META % 64) != 0;
    *slices = ARENA_ARRAY(arena, uint64_t, KV_SLICES_MAX);
    *count = 0;
    for (uint64_t id = 1; id <= KV_SLICES_MAX; id++) {
        struct cluster_slice known;
        bool is = !alone ? cluster_slice(shard, id, &known)
                  : told ? (kv->made[id / 64] & UINT64_C(1) << id % 64) != 0
                         : id <= kv->node->slice_count;
        if (is) (*slices)[(*count)++] = id;
    }
}

// --- releasing -----------------------------------------------------------------------------------

struct release {
    struct shard_message message;
    uint64_t slice, txn;
    uint32_t from, to;
};

// False: it is led elsewhere, or soon will be, with its locks.
static bool release_in(struct shard *shard, const struct release *release)
{
    struct kv_shard *kv = kv_shard_of(shard);
    struct slice *slice = kv == NULL ? NULL : kv_slice_find(kv, release->slice);
    if (slice == NULL || slice->locks == NULL || slice->role != SLICE_SERVING) return false;
    if (release->from == 0 && release->to == UINT32_MAX)
        lock_release_all(slice->locks, release->txn);
    else
        lock_release_levels(slice->locks, release->txn, release->from, release->to);
    return true;
}

static struct status not_here(void)
{
    return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "the slice is led by another node");
}

struct status leader_release_here(struct task *task, void *arg)
{
    const struct leader_release *asked = arg;
    const struct release release = {.slice = asked->call.slice, .txn = asked->call.owner.txn,
        .from = asked->from, .to = asked->to};
    return release_in(task->shard, &release) ? STATUS_OK : not_here();
}

// A leader of another node is told by a task of its own, which keeps at it for a while.
static struct status release_far(struct task *task, void *arg)
{
    const struct release *release = arg;
    struct leader_release asked = {
        .call = {.slice = release->slice, .owner.txn = release->txn},
        .from = release->from, .to = release->to};
    task->deadline_ns = task_now_ns(task) + RELEASE_NS; // Of a slice without a leader there is nothing to release.
    struct status st = leader_call(task, &asked.call, task->arena, LEADER_RELEASE);
    leader_reply_end(&asked.call);
    return st;
}

static void release_ended(struct task *task, struct status st, void *arg)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)st; // Its locks go when somebody waits for them and finds that nobody holds them.
    ((struct client *)kv->module_state[KV_SLOT_CLIENT])->resolving--;
    free(arg);
}

// Frees it, or has it freed.
static void release_start(struct shard *shard, struct release *release)
{
    struct client *client = kv_shard_of(shard)->module_state[KV_SLOT_CLIENT];
    const struct task_options options = {
        .fn = release_far,
        .arg = release,
        .kind = "kv.release",
        .class = TASK_SYSTEM,
        .ended = release_ended,
        .ended_arg = release,
    };
    client->resolving++;
    if (!failed(task_start(shard, &options))) return;
    client->resolving--;
    free(release);
}

static void release_deliver(struct shard *shard, struct shard_message *message)
{
    struct release *release = container_of(message, struct release, message);
    const struct kv_shard *kv = kv_shard_of(shard);
    const struct client *client = kv == NULL ? NULL : kv->module_state[KV_SLOT_CLIENT];
    bool done = release_in(shard, release);
    if (!done && client != NULL && client->directory != NULL && !kv->stopping) {
        release_start(shard, release);
    } else {
        free(release);
    }
}

void leader_release(
    struct shard *shard, uint64_t slice, uint64_t txn, uint32_t from, uint32_t to)
{
    struct kv_shard *kv = kv_shard_of(shard);
    struct client *client = kv->module_state[KV_SLOT_CLIENT];
    const struct leader_directory *directory = client->directory;
    const bool alone = directory == NULL || directory->leader == NULL;
    const struct release wanted = {.slice = slice, .txn = txn, .from = from, .to = to};
    if (kv_slice_find(kv, slice) != NULL && (release_in(shard, &wanted) || alone)) return;
    const uint32_t node = slice < client->leader_count ? client->leaders[slice] : 0;
    struct rpc_target where = {.shard = shard->index};
    bool near = !alone && node == shard->node->id && directory->replica(shard, slice, node, &where) &&
        where.shard != shard->index;
    if (alone) where.shard = router_shard(kv, slice);
    struct release *release = malloc(sizeof *release);
    invariant(release != NULL); // A lock that nobody can release would stand until the restart.
    *release = wanted;
    if (alone || near) {
        release->message.deliver = release_deliver;
        shard_send(shard, where.shard, &release->message);
    } else {
        release_start(shard, release);
    }
}
