// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests to leaders (kv/leader.h) as bytes, for leaders on other nodes.
//
// A request is its common part (slice, tenant, timestamps, transaction) and what its kind adds; an answer is a status,
// what all answers have, and, of a success, what its kind adds. A kind has four functions: `ask` and `answer` write,
// `asked` and `answered` read. Readers never fail half-way: a byte that does not fit marks the input as bad, what is read
// from then on is zero, and nothing of a bad input is used.
//
// Writers of a commit send its log entry, and the other side takes the writes out of it: what is checked is what is
// logged.
//
// Layout   Integers are LEB128, timestamps 12 bytes (hlc_encode), bytes have their size + 1 before them (0: none).
//          The numbers of kinds are those of enum leader_kind; they and all of this are part of RPC_VERSION.
// Shard    Any.
// Memory   What is read points into the input, arrays are made in the arena given. An array never takes more than a
//          constant times the bytes that it was read from.
// Errors   08P01 for what is not a request or an answer.
// Checked  tests/unit/kv/test_leader_wire.c, test_leader_codec.c (field by field), tests/fuzz/fuzz_leader_wire.c; the unit tests of the client run a second time
//          with every request in this form (KV_TEST_WIRE).
#pragma once
#include "kv/admin.h"
#include "kv/leader.h"

// --- bytes ---------------------------------------------------------------------------------------

struct wire_in {
    struct bytes rest;
    struct arena *arena;
    bool bad;
};
uint64_t wire_take_u64(struct wire_in *in);
uint32_t wire_take_u32(struct wire_in *in);
bool wire_take_bool(struct wire_in *in);
// At most `last`.
uint8_t wire_take_enum(struct wire_in *in, uint8_t last);
struct hlc_timestamp wire_take_ts(struct wire_in *in);
struct bytes wire_take_bytes(struct wire_in *in);
// Bytes that are there, of at most `size_max`.
struct bytes wire_take_key(struct wire_in *in);
struct span wire_take_span(struct wire_in *in);
// How many items follow, of at least `least` bytes each (1 or more).
uint32_t wire_take_count(struct wire_in *in, size_t least);

void wire_put_u64(struct buffer *out, uint64_t value);
void wire_put_bool(struct buffer *out, bool value);
void wire_put_ts(struct buffer *out, struct hlc_timestamp ts);
void wire_put_bytes(struct buffer *out, struct bytes bytes);
void wire_put_span(struct buffer *out, struct span span);

// Raw versions: kv/leader_raw.c.
void wire_put_versions(struct buffer *out, const struct kv_version *versions, uint32_t count);
struct kv_version *wire_take_versions(struct wire_in *in, uint32_t *count);

// For kinds without anything to ask or to answer.
void wire_put_nothing(struct buffer *out, const void *request);
void wire_take_nothing(struct wire_in *in, void *request);

// --- kinds ---------------------------------------------------------------------------------------

struct leader_codec {
    const char *name;  // Static: "leader.get".
    size_t size;       // Of its struct, which begins with struct leader_call.
    task_fn run;
    // Asked a second time it might do a second thing: when nobody knows whether it was done it is 40003.
    bool once;
    bool bulk;
    void (*ask)(struct buffer *out, const void *request);
    void (*asked)(struct wire_in *in, void *request);
    void (*answer)(struct buffer *out, const void *request);
    void (*answered)(struct wire_in *in, void *request);
};
// NULL: no such kind.
const struct leader_codec *leader_codec(enum leader_kind kind);

// The request, without its kind, as of `now_ns` (monotonic: deadlines travel as what is left).
void leader_wire_ask(
    struct buffer *out, enum leader_kind kind, const struct leader_call *call, uint64_t now_ns);
// A request of that kind in in->arena. 08P01, 57P01.
CHECKED struct status leader_wire_asked(
    struct wire_in *in, enum leader_kind kind, uint64_t now_ns, struct leader_call **call);
void leader_wire_answer(struct buffer *out, enum leader_kind kind, const struct leader_call *call,
    struct status st);
// Puts the answer into the request; returns its status, whose message is in in->arena.
CHECKED struct status leader_wire_answered(
    struct wire_in *in, enum leader_kind kind, struct leader_call *call);

// The leader's side: reads, runs, answers. Fails only for what is no request.
CHECKED struct status leader_wire_serve(
    struct task *task, enum leader_kind kind, struct bytes body, struct buffer *reply);

// Makes all kinds known as RPC methods. Before the first node starts.
void leader_wire_register(void);

// Kinds by file.
extern const struct leader_codec leader_txn_codecs[LEADER_KIND_END];
extern const struct leader_codec leader_raw_codecs[LEADER_KIND_END];
extern const struct leader_codec leader_range_codecs[LEADER_KIND_END];
extern const struct leader_codec leader_move_codecs[LEADER_KIND_END];
