// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies of the messages between replicas: numbers and sized bytes, one after the other. What does not fit
// what is asked for is malformed.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"
#include "kv/raft.h"

static inline void wire_put_u64(struct buffer *out, uint64_t value)
{
    buffer_append(out, &value, sizeof value);
}
static inline void wire_put_bytes(struct buffer *out, struct bytes bytes)
{
    wire_put_u64(out, bytes.size);
    buffer_append_bytes(out, bytes);
}
static inline void wire_put_config(struct buffer *out, const struct raft_config *config)
{
    uint8_t encoded[RAFT_CONFIG_BYTES_MAX];
    wire_put_u64(out, config->index);
    wire_put_bytes(out,
        bytes_of(encoded, config->count == 0 ? 0 : raft_config_encode(config, encoded)));
}
static inline bool wire_take_u64(struct bytes *in, uint64_t *value)
{
    if (in->size < sizeof *value) return false;
    memcpy(value, in->data, sizeof *value);
    *in = bytes_skip(*in, sizeof *value);
    return true;
}
static inline bool wire_take_u32(struct bytes *in, uint32_t *value)
{
    uint64_t wide;
    if (!wire_take_u64(in, &wide) || wide > UINT32_MAX) return false;
    *value = (uint32_t)wide;
    return true;
}
// Points into `in`.
static inline bool wire_take_bytes(struct bytes *in, struct bytes *bytes)
{
    uint64_t size;
    if (!wire_take_u64(in, &size) || size > in->size) return false;
    *bytes = bytes_of(in->data, (size_t)size);
    *in = bytes_skip(*in, (size_t)size);
    return true;
}
static inline bool wire_take_config(struct bytes *in, struct raft_config *config)
{
    uint64_t index;
    struct bytes encoded;
    if (!wire_take_u64(in, &index) || !wire_take_bytes(in, &encoded)) return false;
    *config = (struct raft_config){0};
    if (encoded.size > 0 && !raft_config_decode(encoded, config)) return false;
    config->index = index;
    return true;
}
static inline struct status wire_malformed(void)
{
    return status_make(E_PROTOCOL_VIOLATION, "malformed message between replicas");
}
