// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/leader_wire.h"

#include "core/invariant.h"
#include "core/rpc.h"
#include "kv/deadlock.h"
#include "kv/feed.h"
#include "kv/key.h"
#include "kv/lock_list.h"
#include "kv/push.h"

static_assert(RPC_LEADER + LEADER_KIND_END <= RPC_REPLICA, "kinds have their numbers as methods");

// --- bytes ---------------------------------------------------------------------------------------

uint64_t wire_take_u64(struct wire_in *in)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < in->rest.size && i < 10; i++) {
        uint8_t byte = in->rest.data[i];
        if (i == 9 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            in->rest = bytes_skip(in->rest, i + 1);
            return value;
        }
    }
    in->bad = true;
    in->rest.size = 0;
    return 0;
}

uint32_t wire_take_u32(struct wire_in *in)
{
    uint64_t value = wire_take_u64(in);
    if (value > UINT32_MAX) in->bad = true;
    return in->bad ? 0 : (uint32_t)value;
}

uint8_t wire_take_enum(struct wire_in *in, uint8_t last)
{
    uint64_t value = wire_take_u64(in);
    if (value > last) in->bad = true;
    return in->bad ? 0 : (uint8_t)value;
}

bool wire_take_bool(struct wire_in *in)
{
    return wire_take_enum(in, 1) == 1;
}

static struct bytes take(struct wire_in *in, uint64_t size)
{
    if (size > in->rest.size) {
        in->bad = true;
        in->rest.size = 0;
        return (struct bytes){0};
    }
    struct bytes taken = {in->rest.data, (size_t)size};
    in->rest = bytes_skip(in->rest, (size_t)size);
    return taken;
}

struct hlc_timestamp wire_take_ts(struct wire_in *in)
{
    struct bytes encoded = take(in, HLC_ENCODED_BYTES);
    return in->bad ? HLC_ZERO : hlc_decode(encoded.data);
}

struct bytes wire_take_bytes(struct wire_in *in)
{
    uint64_t size = wire_take_u64(in);
    return size == 0 ? (struct bytes){0} : take(in, size - 1);
}

struct bytes wire_take_key(struct wire_in *in)
{
    struct bytes key = wire_take_bytes(in);
    // A bound of a span may be the first key after the longest.
    if (key.data == NULL || key.size > KEY_BYTES_MAX + 1) in->bad = true;
    return in->bad ? (struct bytes){0} : key;
}

struct span wire_take_span(struct wire_in *in)
{
    struct bytes start = wire_take_key(in);
    struct bytes end = wire_take_key(in);
    return (struct span){start, end};
}

uint32_t wire_take_count(struct wire_in *in, size_t least)
{
    uint32_t count = wire_take_u32(in);
    if (count > in->rest.size / least) in->bad = true;
    return in->bad ? 0 : count;
}

void wire_put_u64(struct buffer *out, uint64_t value)
{
    uint8_t *at = buffer_reserve(out, 10);
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    out->size += size;
}

void wire_put_nothing(struct buffer *out, const void *request)
{
    (void)out;
    (void)request;
}

void wire_take_nothing(struct wire_in *in, void *request)
{
    (void)in;
    (void)request;
}

void wire_put_bool(struct buffer *out, bool value)
{
    buffer_append_u8(out, value);
}

void wire_put_ts(struct buffer *out, struct hlc_timestamp ts)
{
    hlc_encode(ts, buffer_reserve(out, HLC_ENCODED_BYTES));
    out->size += HLC_ENCODED_BYTES;
}

void wire_put_bytes(struct buffer *out, struct bytes bytes)
{
    wire_put_u64(out, bytes.data == NULL ? 0 : (uint64_t)bytes.size + 1);
    buffer_append_bytes(out, bytes);
}

void wire_put_span(struct buffer *out, struct span span)
{
    wire_put_bytes(out, span.start);
    wire_put_bytes(out, span.end);
}

// --- requests and answers ------------------------------------------------------------------------

const struct leader_codec *leader_codec(enum leader_kind kind)
{
    if ((uint32_t)kind >= LEADER_KIND_END) return NULL;
    if (leader_txn_codecs[kind].run != NULL) return &leader_txn_codecs[kind];
    if (leader_raw_codecs[kind].run != NULL) return &leader_raw_codecs[kind];
    if (leader_range_codecs[kind].run != NULL) return &leader_range_codecs[kind];
    return leader_move_codecs[kind].run != NULL ? &leader_move_codecs[kind] : NULL;
}

static struct status malformed(const char *what)
{
    return status_make(E_PROTOCOL_VIOLATION, what);
}

void leader_wire_ask(
    struct buffer *out, enum leader_kind kind, const struct leader_call *call, uint64_t now_ns)
{
    wire_put_u64(out, call->slice);
    wire_put_u64(out, call->generation);
    wire_put_u64(out, call->tenant);
    wire_put_ts(out, call->read_ts);
    wire_put_ts(out, call->uncertain);
    wire_put_ts(out, call->certain);
    wire_put_u64(out, call->owner.txn);
    wire_put_u64(out, call->owner.age_ns);
    wire_put_u64(out, call->holder);
    uint64_t left_ns = call->lock_deadline_ns > now_ns ? call->lock_deadline_ns - now_ns : 0;
    wire_put_u64(out, call->lock_deadline_ns == 0 ? 0 : left_ns + 1);
    wire_put_u64(out, call->lock_level);
    wire_put_u64(out, call->staged);
    wire_put_bool(out, call->follower);
    wire_put_bool(out, call->again);
    leader_codec(kind)->ask(out, call);
}

struct status leader_wire_asked(
    struct wire_in *in, enum leader_kind kind, uint64_t now_ns, struct leader_call **asked)
{
    const struct leader_codec *codec = leader_codec(kind);
    *asked = NULL;
    if (codec == NULL) return malformed("unknown kind of request");
    struct leader_call *call = arena_alloc_zero(in->arena, codec->size);
    call->slice = wire_take_u64(in);
    call->generation = wire_take_u64(in);
    call->tenant = wire_take_u64(in);
    call->read_ts = wire_take_ts(in);
    call->uncertain = wire_take_ts(in);
    call->certain = wire_take_ts(in);
    call->owner.txn = wire_take_u64(in);
    call->owner.age_ns = wire_take_u64(in);
    call->holder = wire_take_u64(in);
    uint64_t left_ns = wire_take_u64(in);
    if (left_ns > 0 && !__builtin_add_overflow(now_ns, left_ns - 1, &left_ns)) {
        call->lock_deadline_ns = left_ns;
    }
    call->lock_level = wire_take_u32(in);
    call->staged = wire_take_u64(in);
    call->follower = wire_take_bool(in);
    call->again = wire_take_bool(in);
    codec->asked(in, call);
    if (in->bad || in->rest.size > 0) return malformed("malformed request");
    call->arena = in->arena;
    call->relayed = true;
    *asked = call;
    return STATUS_OK;
}

void leader_wire_answer(struct buffer *out, enum leader_kind kind, const struct leader_call *call,
    struct status st)
{
    struct arena scratch;
    arena_init(&scratch, NULL);
    struct buffer text;
    buffer_init(&text, &scratch);
    if (failed(st)) status_encode(&text, st);
    wire_put_bytes(out, buffer_bytes(&text));
    arena_fini(&scratch);
    wire_put_ts(out, call->moved_to);
    wire_put_ts(out, call->clock);
    wire_put_u64(out, call->lock_wait_ns);
    wire_put_u64(out, call->locks_taken);
    wire_put_u64(out, call->locks_since);
    wire_put_u64(out, call->leader);
    if (!failed(st)) leader_codec(kind)->answer(out, call);
}

struct status leader_wire_answered(
    struct wire_in *in, enum leader_kind kind, struct leader_call *call)
{
    struct status answer = STATUS_OK;
    struct bytes text = wire_take_bytes(in);
    if (text.data != NULL && !status_decode(in->arena, text, &answer)) in->bad = true;
    if (text.data != NULL && !failed(answer)) in->bad = true;
    struct hlc_timestamp moved_to = wire_take_ts(in);
    struct hlc_timestamp clock = wire_take_ts(in);
    uint64_t lock_wait_ns = wire_take_u64(in);
    uint64_t locks_taken = wire_take_u64(in);
    uint64_t locks_since = wire_take_u64(in);
    uint32_t leader = wire_take_u32(in);
    if (in->bad) return malformed("malformed answer");
    call->moved_to = hlc_max(call->moved_to, moved_to);
    call->lock_wait_ns += lock_wait_ns;
    call->locks_taken += locks_taken;
    call->locks_since = locks_since;
    call->clock = clock;
    call->leader = leader;
    if (failed(answer)) return answer;
    leader_codec(kind)->answered(in, call);
    return in->bad || in->rest.size > 0 ? malformed("malformed answer") : STATUS_OK;
}

// --- serving -------------------------------------------------------------------------------------

struct status leader_wire_serve(
    struct task *task, enum leader_kind kind, struct bytes body, struct buffer *reply)
{
    struct leader_call *call;
    struct wire_in in = {.rest = body, .arena = task->arena};
    struct status st = leader_wire_asked(&in, kind, task_now_ns(task), &call);
    if (failed(st)) return st;
    call->clock = hlc_now(&task->shard->hlc);
    st = leader_run(task, call, kind);
    leader_wire_answer(reply, kind, call, st);
    return STATUS_OK;
}

static struct status serve(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    return leader_wire_serve(
        task, (enum leader_kind)(request->method - RPC_LEADER), request->body, reply);
}

void leader_wire_register(void)
{
    static struct rpc_method methods[LEADER_KIND_END];
    for (uint32_t kind = 0; kind < LEADER_KIND_END; kind++) {
        const struct leader_codec *codec = leader_codec((enum leader_kind)kind);
        if (codec == NULL) continue;
        if (methods[kind].id == 0) {
            methods[kind] = (struct rpc_method){
                .id = (uint16_t)(RPC_LEADER + kind),
                .name = codec->name,
                .class = codec->bulk ? TASK_BULK : TASK_DEFAULT,
                .bulk = codec->bulk,
                .call = serve,
            };
        }
        rpc_method_register(&methods[kind]);
    }
    push_register();
    deadlock_register();
    lock_list_register();
    rangefeed_register();
}
