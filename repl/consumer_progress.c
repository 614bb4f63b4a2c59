// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far each stream is, as bytes of the consumer's record.
#include "kv/key.h"
#include "repl/consumer.h"

#define PARTITION_HEADER_BYTES (8u + 1u + HLC_ENCODED_BYTES + 4u)
#define PARTITIONS_MAX 4096u

static void put_be(uint8_t *at, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t get_be(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

struct bytes consumer_partitions_encode(
    struct arena *arena, const struct consumer_partition *partitions, uint32_t count)
{
    struct buffer out;
    buffer_init(&out, arena);
    put_be(buffer_reserve(&out, 4), 4, count);
    out.size += 4;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = buffer_reserve(&out, PARTITION_HEADER_BYTES);
        put_be(at, 8, partitions[i].slice);
        at[8] = partitions[i].scanned;
        hlc_encode(partitions[i].frontier, at + 9);
        put_be(at + 9 + HLC_ENCODED_BYTES, 4, partitions[i].resume.size);
        out.size += PARTITION_HEADER_BYTES;
        buffer_append_bytes(&out, partitions[i].resume);
    }
    return buffer_bytes(&out);
}

struct status consumer_partitions_decode(struct arena *arena, struct bytes bytes,
    struct consumer_partition **partitions, uint32_t *count)
{
    struct status bad =
        status_make(E_DATA_CORRUPTED, "the progress of a replication consumer is damaged");
    *partitions = NULL;
    *count = 0;
    if (bytes.size == 0) return STATUS_OK;
    if (bytes.size < 4) return bad;
    uint64_t wanted = get_be(bytes.data, 4);
    bytes = bytes_skip(bytes, 4);
    if (wanted > PARTITIONS_MAX) return bad;
    struct consumer_partition *out = ARENA_ARRAY(arena, struct consumer_partition, wanted + 1);
    for (uint64_t i = 0; i < wanted; i++) {
        if (bytes.size < PARTITION_HEADER_BYTES || bytes.data[8] > 1) return bad;
        uint64_t size = get_be(bytes.data + 9 + HLC_ENCODED_BYTES, 4);
        if (size > KEY_BYTES_MAX || size > bytes.size - PARTITION_HEADER_BYTES) return bad;
        out[i].slice = get_be(bytes.data, 8);
        out[i].scanned = bytes.data[8] == 1;
        out[i].frontier = hlc_decode(bytes.data + 9);
        out[i].resume = arena_copy(arena, bytes_of(bytes.data + PARTITION_HEADER_BYTES, size));
        bytes = bytes_skip(bytes, PARTITION_HEADER_BYTES + size);
    }
    if (bytes.size != 0) return bad;
    *partitions = out;
    *count = (uint32_t)wanted;
    return STATUS_OK;
}
