// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and binary forms of every type, from arbitrary bytes. What is taken must print, and what is
// printed must be taken again and be equal; keys and stored forms give an equal value back.
#include <stddef.h>

#include "core/invariant.h"
#include "core/xml_run.h"
#include "sql/function/function.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric",
    "text", "bpchar", "name", "bytea", "uuid", "date", "time", "timetz", "timestamp", "timestamptz",
    "interval", "json", "jsonb", "int4[]", "text[]", "numeric[]", "jsonb[]", "varbit", "inet", "cidr",
    "tid", "pg_lsn", "int2vector", "oidvector", "xml", "xml[]"};
#define NAME_COUNT (sizeof names / sizeof names[0])

static bool is_text(type_oid oid)
{
    return oid == TYPE_JSON || oid == TYPE_XML || oid == TYPE_XML_ARRAY; // Has no equality.
}

static void check_forms(struct arena *arena, type_oid oid, struct datum value)
{
    struct buffer text, binary, key, stored;
    struct datum back;
    buffer_init(&text, arena);
    buffer_init(&binary, arena);
    buffer_init(&key, arena);
    buffer_init(&stored, arena);
    type_output(&text, NULL, oid, value);
    type_send(&binary, oid, value);
    type_value_encode(&stored, oid, value);
    struct bytes rest = buffer_bytes(&stored);
    invariant(!failed(type_value_decode(&rest, oid, &back)) && rest.size == 0);
    if (is_text(oid)) return;
    invariant(type_equal(oid, value, back));
    invariant(!failed(type_receive(arena, TYPE_OF(oid), buffer_bytes(&binary), &back)));
    invariant(type_equal(oid, value, back));
    invariant(!failed(type_input(arena, NULL, TYPE_OF(oid), buffer_bytes(&text), &back)));
    // Text of a time with a zone may name another day's offset; all others come back.
    invariant(type_equal(oid, value, back));
    invariant(type_hash(oid, value) == type_hash(oid, back));
    if (!type_has_key(oid)) return;
    for (int order = KEY_ASCENDING; order <= KEY_DESCENDING; order++) {
        key.size = 0;
        invariant(!failed(type_key_encode(&key, oid, value, (enum key_order)order)));
        rest = buffer_bytes(&key);
        invariant(!failed(type_key_decode(&rest, oid, (enum key_order)order, arena, &back)));
        invariant(rest.size == 0 && type_equal(oid, value, back));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct datum value;
    if (size < 2 || size > 4096) return 0;
    xml_run_init();
    type_oid oid = type_by_name(names[data[0] % NAME_COUNT])->oid;
    struct bytes rest = bytes_of(data + 2, size - 2);
    arena_init(&arena, NULL);
    struct status st = data[1] % 4 == 3 ? type_receive(&arena, TYPE_OF(oid), rest, &value)
                                        : type_input(&arena, NULL, TYPE_OF(oid), rest, &value);
    if (!failed(st)) check_forms(&arena, oid, value);
    // Stored bytes and keys come from the disk: they are checked, not trusted.
    struct bytes stored = rest;
    if (type_by_name(names[data[0] % NAME_COUNT])->element == 0) {
        if (!failed(type_value_decode(&stored, oid, &value)) && type_has_key(oid)) (void)value;
    }
    stored = rest;
    st = type_has_key(oid) ? type_key_decode(&stored, oid, KEY_ASCENDING, &arena, &value) : STATUS_OK;
    (void)st;
    arena_fini(&arena);
    return 0;
}
