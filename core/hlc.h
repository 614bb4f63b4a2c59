// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hybrid logical clocks: wall time in nanoseconds since 1970, with a counter that orders events
// within one nanosecond and events that a clock running behind learned of from one running ahead.
//
// Shard    One struct hlc per shard; no sharing. All shards of a node read one wall clock (struct
//          env), which never goes back while the node runs.
// Source   Kulkarni et al., "Logical Physical Clocks", 2014.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct env;

struct hlc_timestamp {
    uint64_t wall_ns;
    uint32_t logical;
};

#define HLC_ZERO ((struct hlc_timestamp){0, 0})
#define HLC_MAX ((struct hlc_timestamp){UINT64_MAX, UINT32_MAX})
#define HLC_ENCODED_BYTES 12

static inline int hlc_compare(struct hlc_timestamp a, struct hlc_timestamp b)
{
    if (a.wall_ns != b.wall_ns) return a.wall_ns < b.wall_ns ? -1 : 1;
    return (a.logical > b.logical) - (a.logical < b.logical);
}
static inline bool hlc_less(struct hlc_timestamp a, struct hlc_timestamp b)
{
    return hlc_compare(a, b) < 0;
}
static inline bool hlc_less_equal(struct hlc_timestamp a, struct hlc_timestamp b)
{
    return hlc_compare(a, b) <= 0;
}
static inline bool hlc_equal(struct hlc_timestamp a, struct hlc_timestamp b)
{
    return a.wall_ns == b.wall_ns && a.logical == b.logical;
}
static inline bool hlc_is_zero(struct hlc_timestamp a)
{
    return a.wall_ns == 0 && a.logical == 0;
}
static inline struct hlc_timestamp hlc_max(struct hlc_timestamp a, struct hlc_timestamp b)
{
    return hlc_less(a, b) ? b : a;
}
static inline struct hlc_timestamp hlc_min(struct hlc_timestamp a, struct hlc_timestamp b)
{
    return hlc_less(a, b) ? a : b;
}
// The next and the previous representable instant.
static inline struct hlc_timestamp hlc_next(struct hlc_timestamp a)
{
    if (a.logical == UINT32_MAX) return (struct hlc_timestamp){a.wall_ns + 1, 0};
    return (struct hlc_timestamp){a.wall_ns, a.logical + 1};
}
static inline struct hlc_timestamp hlc_previous(struct hlc_timestamp a)
{
    if (a.logical > 0) return (struct hlc_timestamp){a.wall_ns, a.logical - 1};
    return (struct hlc_timestamp){a.wall_ns - 1, UINT32_MAX};
}

struct hlc {
    struct env *env;
    struct hlc_timestamp last;
};

void hlc_init(struct hlc *hlc, struct env *env);
// Strictly above every timestamp that this clock gave or was shown.
struct hlc_timestamp hlc_now(struct hlc *hlc);
// Later hlc_now() calls are above `seen`.
void hlc_update(struct hlc *hlc, struct hlc_timestamp seen);

// Big-endian, ordered by memcmp.
void hlc_encode(struct hlc_timestamp ts, uint8_t out[HLC_ENCODED_BYTES]);
struct hlc_timestamp hlc_decode(const uint8_t in[HLC_ENCODED_BYTES]);

// "1695922878030920020.0000000000": wall nanoseconds, then the counter as ten digits.
#define HLC_TEXT_BYTES 40
char *hlc_format(struct hlc_timestamp ts, char out[HLC_TEXT_BYTES]);
// Parses what hlc_format writes; the fraction may be absent. False when malformed.
bool hlc_parse(const char *text, struct hlc_timestamp *ts);
