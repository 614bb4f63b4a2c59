// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/progress.h"

#define PROGRESS_VERSION 2u
#define ADDRESS_BYTES_MAX 64u

struct bytes progress_encode(struct arena *arena, const struct progress *progress)
{
    struct buffer out;
    uint32_t count = progress->address_count;
    if (count > PROGRESS_ADDRESSES_MAX) count = PROGRESS_ADDRESSES_MAX;
    buffer_init(&out, arena);
    codec_put_u8(&out, PROGRESS_VERSION);
    codec_put_u32(&out, count);
    for (uint32_t i = 0; i < count; i++)
        codec_put_string(&out, progress->addresses[i]);
    frontier_encode(&out, &progress->frontier);
    return buffer_bytes(&out);
}

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "the progress of a replication consumer is damaged");
}

static struct status take_addresses(
    struct arena *arena, struct codec_reader *in, struct progress *progress)
{
    if (codec_get_u8(in) != PROGRESS_VERSION) in->bad = true;
    uint32_t count = codec_get_count(in, 4);
    if (count > PROGRESS_ADDRESSES_MAX) in->bad = true;
    if (in->bad) return damaged();
    const char **addresses = ARENA_ARRAY(arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        char text[ADDRESS_BYTES_MAX];
        codec_get_text(in, text, sizeof text);
        addresses[i] = arena_strdup(arena, text);
    }
    if (in->bad) return damaged();
    progress->addresses = addresses;
    progress->address_count = count;
    return STATUS_OK;
}

struct status progress_decode(
    struct arena *arena, struct bytes bytes, struct span all, struct progress *progress)
{
    struct status st = STATUS_OK;
    *progress = (struct progress){0};
    if (bytes.size == 0) {
        frontier_init(&progress->frontier, all);
        return st;
    }
    struct codec_reader in = codec_read(bytes);
    TRY(take_addresses(arena, &in, progress));
    TRY(frontier_decode(&in, all, &progress->frontier));
    if (codec_done(&in)) return st;
    frontier_fini(&progress->frontier);
    st = damaged();
out:
    return st;
}

void progress_addresses(struct arena *arena, struct bytes bytes, struct progress *progress)
{
    *progress = (struct progress){0};
    struct codec_reader in = codec_read(bytes);
    if (bytes.size == 0 || !failed(take_addresses(arena, &in, progress))) return;
    *progress = (struct progress){0};
}
