// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers and strings as bytes, for what nodes send each other and small records. Little-endian, fixed
// width; strings with their size before them.
//
// Memory   What a reader gives points into what it reads.
// Errors   A reader that runs out, or meets what cannot be, turns `bad` and gives zeros from then on: check once, at
//          the end, with codec_done.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"

static inline void codec_store(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}
static inline uint64_t codec_load(const uint8_t *in, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

// --- writing -------------------------------------------------------------------------------------

static inline void codec_put(struct buffer *out, uint64_t value, size_t size)
{
    codec_store(buffer_reserve(out, size), value, size);
    out->size += size;
}
static inline void codec_put_u8(struct buffer *out, uint8_t value)
{
    codec_put(out, value, 1);
}
static inline void codec_put_u16(struct buffer *out, uint16_t value)
{
    codec_put(out, value, 2);
}
static inline void codec_put_u32(struct buffer *out, uint32_t value)
{
    codec_put(out, value, 4);
}
static inline void codec_put_u64(struct buffer *out, uint64_t value)
{
    codec_put(out, value, 8);
}
static inline void codec_put_i64(struct buffer *out, int64_t value)
{
    codec_put(out, (uint64_t)value, 8);
}
static inline void codec_put_hlc(struct buffer *out, struct hlc_timestamp ts)
{
    codec_put_u64(out, ts.wall_ns);
    codec_put_u32(out, ts.logical);
}
static inline void codec_put_bytes(struct buffer *out, struct bytes bytes)
{
    codec_put_u32(out, (uint32_t)bytes.size);
    buffer_append_bytes(out, bytes);
}
static inline void codec_put_string(struct buffer *out, const char *text)
{
    codec_put_bytes(out, bytes_of_string(text));
}

// --- reading -------------------------------------------------------------------------------------

struct codec_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct codec_reader codec_read(struct bytes in)
{
    return (struct codec_reader){in.data, in.size == 0 ? in.data : in.data + in.size, false};
}
static inline const uint8_t *codec_take(struct codec_reader *in, size_t size)
{
    if (in->bad || (size_t)(in->end - in->at) < size) {
        in->bad = true;
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    return at;
}
static inline uint64_t codec_get(struct codec_reader *in, size_t size)
{
    const uint8_t *at = codec_take(in, size);
    return at == NULL ? 0 : codec_load(at, size);
}
static inline uint8_t codec_get_u8(struct codec_reader *in)
{
    return (uint8_t)codec_get(in, 1);
}
// 0 or 1; anything else is bad.
static inline bool codec_get_bool(struct codec_reader *in)
{
    uint64_t value = codec_get(in, 1);
    if (value > 1) in->bad = true;
    return value == 1;
}
static inline uint16_t codec_get_u16(struct codec_reader *in)
{
    return (uint16_t)codec_get(in, 2);
}
static inline uint32_t codec_get_u32(struct codec_reader *in)
{
    return (uint32_t)codec_get(in, 4);
}
static inline uint64_t codec_get_u64(struct codec_reader *in)
{
    return codec_get(in, 8);
}
static inline int64_t codec_get_i64(struct codec_reader *in)
{
    return (int64_t)codec_get(in, 8);
}
static inline struct hlc_timestamp codec_get_hlc(struct codec_reader *in)
{
    uint64_t wall_ns = codec_get_u64(in);
    return (struct hlc_timestamp){wall_ns, codec_get_u32(in)};
}
static inline struct bytes codec_get_bytes(struct codec_reader *in)
{
    uint32_t size = codec_get_u32(in);
    const uint8_t *at = codec_take(in, size);
    return at == NULL ? (struct bytes){(const uint8_t *)"", 0} : bytes_of(at, size);
}
// Into an array; bad when it does not fit with its NUL, or holds one.
static inline void codec_get_text(struct codec_reader *in, char *out, size_t out_size)
{
    struct bytes text = codec_get_bytes(in);
    out[0] = '\0';
    if (in->bad || text.size >= out_size || memchr(text.data, 0, text.size) != NULL) {
        in->bad = true;
        return;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}
// How many items of at least `item_size` bytes may follow; bad when it says more.
static inline uint32_t codec_get_count(struct codec_reader *in, size_t item_size)
{
    uint32_t count = codec_get_u32(in);
    if (in->bad || count > (size_t)(in->end - in->at) / item_size) {
        in->bad = true;
        return 0;
    }
    return count;
}
static inline size_t codec_left(const struct codec_reader *in)
{
    return (size_t)(in->end - in->at);
}
// Everything was there and nothing is left.
static inline bool codec_done(const struct codec_reader *in)
{
    return !in->bad && in->at == in->end;
}
