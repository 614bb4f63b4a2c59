// SPDX-License-Identifier: GPL-3.0-or-later
//
// What does it cost to encode and decode a key? Prints nanoseconds an operation.
#include <stdio.h>
#include <time.h>

#include "kv/entry.h"
#include "kv/key.h"

#define ROUNDS 2000000u

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void report(const char *what, double started_ns, uint64_t operations)
{
    printf("%-44s %8.1f ns\n", what, (now_ns() - started_ns) / (double)operations);
}

static void append_row_key(struct buffer *key, uint32_t i)
{
    key_append_tenant_prefix(key, 12);
    key_append_uvarint(key, 104);
    key_append_uvarint(key, 1);
    key_append_int(key, (int64_t)i, KEY_ASCENDING);
}

int main(void)
{
    struct arena arena;
    struct buffer key;
    uint64_t sum = 0;
    arena_init(&arena, NULL);
    buffer_init(&key, &arena);

    double at = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        key.size = 0;
        append_row_key(&key, i);
        sum += key.data[key.size - 1];
    }
    report("encode a row key (tenant, table, index, int)", at, ROUNDS);

    at = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct bytes rest = buffer_bytes(&key);
        uint64_t tenant, table, index;
        int64_t value;
        if (!failed(key_decode_tenant_prefix(&rest, &tenant)) &&
            !failed(key_decode_uvarint(&rest, &table)) &&
            !failed(key_decode_uvarint(&rest, &index)) &&
            !failed(key_decode_int(&rest, KEY_ASCENDING, &value)))
            sum += (uint64_t)value;
    }
    report("decode it", at, ROUNDS);

    struct bytes text = BYTES_LITERAL("a text of forty bytes, more or less so...");
    at = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        key.size = 0;
        key_append_bytes(&key, text, KEY_ASCENDING);
        sum += key.size;
    }
    report("encode 41 bytes of text", at, ROUNDS);

    struct entry_builder builder;
    uint8_t value[100] = {0};
    at = now_ns();
    for (uint32_t i = 0; i < ROUNDS / 10; i++) {
        struct arena_mark mark = arena_mark(&arena);
        entry_begin(&builder, &arena);
        entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_WRITES, .tenant = 12});
        for (uint32_t w = 0; w < 4; w++) {
            struct entry_item item = {
                .key = buffer_bytes(&key), .value = bytes_of(value, sizeof value)};
            entry_item_append(&builder, &item);
        }
        sum += entry_end(&builder).size;
        arena_release(&arena, mark);
    }
    report("build a log entry of four writes", at, ROUNDS / 10);

    struct entry_reader reader;
    entry_begin(&builder, &arena);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_WRITES, .tenant = 12});
    for (uint32_t w = 0; w < 4; w++) {
        struct entry_item item = {
            .key = buffer_bytes(&key), .value = bytes_of(value, sizeof value)};
        entry_item_append(&builder, &item);
    }
    struct bytes payload = entry_end(&builder);
    at = now_ns();
    for (uint32_t i = 0; i < ROUNDS / 10; i++)
        sum += failed(entry_open(payload, &reader));
    report("check it", at, ROUNDS / 10);
    arena_fini(&arena);
    return sum == 0;
}
