// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hlc.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/env.h"
#include "core/invariant.h"

void hlc_init(struct hlc *hlc, struct env *env)
{
    *hlc = (struct hlc){.env = env};
}

struct hlc_timestamp hlc_now(struct hlc *hlc)
{
    int64_t wall = hlc->env->wall_ns(hlc->env);
    struct hlc_timestamp now = {wall > 0 ? (uint64_t)wall : 0, 0};
    if (!hlc_less(hlc->last, now)) now = hlc_next(hlc->last);
    invariant(hlc_less(hlc->last, now));
    hlc->last = now;
    return now;
}

void hlc_update(struct hlc *hlc, struct hlc_timestamp seen)
{
    hlc->last = hlc_max(hlc->last, seen);
}

void hlc_encode(struct hlc_timestamp ts, uint8_t out[HLC_ENCODED_BYTES])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(ts.wall_ns >> (56 - 8 * i));
    for (int i = 0; i < 4; i++)
        out[8 + i] = (uint8_t)(ts.logical >> (24 - 8 * i));
}

struct hlc_timestamp hlc_decode(const uint8_t in[HLC_ENCODED_BYTES])
{
    struct hlc_timestamp ts;
    uint64_t wall_ns;
    uint32_t logical;
    memcpy(&wall_ns, in, sizeof wall_ns);
    memcpy(&logical, in + sizeof wall_ns, sizeof logical);
    ts.wall_ns = be64toh(wall_ns);
    ts.logical = be32toh(logical);
    return ts;
}

char *hlc_format(struct hlc_timestamp ts, char out[HLC_TEXT_BYTES])
{
    snprintf(out, HLC_TEXT_BYTES, "%" PRIu64 ".%010" PRIu32, ts.wall_ns, ts.logical);
    return out;
}

bool hlc_parse(const char *text, struct hlc_timestamp *ts)
{
    uint64_t wall = 0;
    uint64_t logical = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(wall, 10, &wall)) return false;
        if (__builtin_add_overflow(wall, (uint64_t)(*at - '0'), &wall)) return false;
    }
    if (at == text) return false;
    if (*at == '.') {
        // A decimal fraction: ".5" is ".5000000000".
        const char *fraction = ++at;
        for (; *at >= '0' && *at <= '9' && at - fraction < 10; at++)
            logical = logical * 10 + (uint64_t)(*at - '0');
        if (at == fraction) return false;
        for (long digits = at - fraction; digits < 10; digits++)
            logical *= 10;
    }
    if (*at != 0 || logical > UINT32_MAX) return false;
    *ts = (struct hlc_timestamp){wall, (uint32_t)logical};
    return true;
}
