// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests to leaders and their answers from any bytes: refused, or read within bounds; and what was read and written
// again reads the same.
#include <stdint.h>

#include "core/invariant.h"
#include "kv/leader_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(enum leader_kind kind, struct bytes input, struct arena *arena)
{
    struct leader_call *call;
    struct leader_call *again;
    struct wire_in in = {.rest = input, .arena = arena};
    if (failed(leader_wire_asked(&in, kind, 1, &call))) return;
    struct buffer out;
    buffer_init(&out, arena);
    leader_wire_ask(&out, kind, call, 1);
    in = (struct wire_in){.rest = buffer_bytes(&out), .arena = arena};
    invariant(!failed(leader_wire_asked(&in, kind, 1, &again)));
    struct buffer twice;
    buffer_init(&twice, arena);
    leader_wire_ask(&twice, kind, again, 1);
    invariant(bytes_equal(buffer_bytes(&out), buffer_bytes(&twice)));
}

static void fuzz_answer(enum leader_kind kind, struct bytes input, struct arena *arena)
{
    struct leader_call *call = arena_alloc_zero(arena, leader_codec(kind)->size);
    struct bytes values[3];
    bool skipped[3];
    if (kind == LEADER_GET) {
        struct leader_get *get = (struct leader_get *)call;
        get->count = 3;
        get->values = values;
        get->skipped = skipped;
    }
    struct wire_in in = {.rest = input, .arena = arena};
    struct status st = leader_wire_answered(&in, kind, call);
    if (failed(st)) return;
    struct buffer out;
    buffer_init(&out, arena);
    leader_wire_answer(&out, kind, call, st);
    in = (struct wire_in){.rest = buffer_bytes(&out), .arena = arena};
    invariant(!failed(leader_wire_answered(&in, kind, call)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    enum leader_kind kind = (enum leader_kind)(data[0] & 0x7f);
    struct bytes input = bytes_of(data + 1, size - 1);
    if (leader_codec(kind) == NULL) return 0;
    struct arena arena;
    arena_init(&arena, NULL);
    if (data[0] & 0x80) {
        fuzz_answer(kind, input, &arena);
    } else {
        fuzz_request(kind, input, &arena);
    }
    arena_fini(&arena);
    return 0;
}
