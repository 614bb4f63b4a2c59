// SPDX-License-Identifier: GPL-3.0-or-later
//
// COPY's binary format: a signature, flags, rows of counted fields, an end mark.
#include <string.h>

#include "core/bytes.h"
#include "sql/wire/copy.h"
#include "sql/wire/wire.h"

#define SIGNATURE_BYTES 11u
#define HEADER_BYTES (SIGNATURE_BYTES + 8u)
#define FLAGS_CRITICAL 0xffff0000u

static const char signature[SIGNATURE_BYTES + 1] = "PGCOPY\n\377\r\n\0";

static struct status bad(const char *message)
{
    return status_make(E_BAD_COPY_FILE_FORMAT, message);
}

static uint32_t u32_at(struct bytes input, size_t at)
{
    const uint8_t *b = input.data + at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

// *whole false: more input is needed.
static struct status read_header(struct copy_reader *reader, bool *whole)
{
    struct bytes input = reader->input;
    *whole = false;
    size_t known = input.size < SIGNATURE_BYTES ? input.size : SIGNATURE_BYTES;
    if (known > 0 && memcmp(input.data, signature, known) != 0)
        return bad("COPY file signature not recognized");
    if (input.size < HEADER_BYTES)
        return reader->ended ? bad("COPY file signature not recognized") : STATUS_OK;
    if (u32_at(input, SIGNATURE_BYTES) & FLAGS_CRITICAL)
        return bad("unrecognized critical flags in COPY file header");
    uint32_t extension = u32_at(input, SIGNATURE_BYTES + 4);
    if (extension > INT32_MAX) return bad("invalid COPY file header (missing length)");
    if (input.size - HEADER_BYTES < extension)
        return reader->ended ? bad("invalid COPY file header (wrong length)") : STATUS_OK;
    reader->input = bytes_skip(input, HEADER_BYTES + extension);
    reader->begun = *whole = true;
    return STATUS_OK;
}

struct status copy_binary_read_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found)
{
    bool whole = true;
    *found = false;
    if (!reader->begun) {
        struct status st = read_header(reader, &whole);
        if (failed(st) || !whole) return st;
    }
    struct bytes input = reader->input;
    if (reader->trailed)
        return input.size > 0 ? bad("received copy data after EOF marker") : STATUS_OK;
    // Old writers leave the end mark out: the end of the data at the end of a row is one.
    if (input.size < 2) return reader->ended && input.size > 0 ? bad("unexpected EOF in COPY data") : STATUS_OK;
    uint16_t columns = (uint16_t)(input.data[0] << 8 | input.data[1]);
    if (columns == UINT16_MAX) {
        reader->trailed = true;
        reader->input = bytes_skip(input, 2);
        return reader->input.size > 0 ? bad("received copy data after EOF marker") : STATUS_OK;
    }
    if (columns != fields_max)
        return status_format(arena, E_BAD_COPY_FILE_FORMAT, "row field count is %d, expected %u",
            (int)(int16_t)columns, fields_max);
    size_t at = 2;
    for (uint32_t i = 0; i < columns; i++) {
        if (input.size - at < 4) return reader->ended ? bad("unexpected EOF in COPY data") : STATUS_OK;
        uint32_t size = u32_at(input, at);
        at += 4;
        fields[i] = (struct bytes){NULL, 0};
        if (size == UINT32_MAX) continue;
        if (size > INT32_MAX) return bad("invalid field size");
        if (input.size - at < size) return reader->ended ? bad("unexpected EOF in COPY data") : STATUS_OK;
        fields[i] = bytes_of(input.data + at, size);
        at += size;
    }
    *count = columns;
    *found = true;
    reader->input = bytes_skip(input, at);
    return STATUS_OK;
}

void copy_binary_write_header(struct buffer *out)
{
    buffer_append(out, signature, SIGNATURE_BYTES);
    wire_u32(out, 0);
    wire_u32(out, 0);
}

void copy_binary_write_trailer(struct buffer *out)
{
    wire_u16(out, UINT16_MAX);
}
