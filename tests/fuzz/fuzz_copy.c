// SPDX-License-Identifier: GPL-3.0-or-later
//
// COPY data of any bytes, in every format and in pieces: rows or a status; rows that were read and are written again
// read the same. Three bytes choose format, delimiter, quote and where the data is cut.
#include <stddef.h>

#include "core/invariant.h"
#include "sql/wire/copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 4

static struct status read_row(struct copy_reader *reader, struct arena *arena, struct bytes *fields,
    uint32_t *count, bool *found)
{
    struct bytes line;
    if (reader->options->format == COPY_BINARY)
        return copy_binary_read_row(reader, arena, fields, FIELDS_MAX, count, found);
    struct status st = copy_read_line(reader, arena, &line, found);
    return failed(st) || !*found ? st : copy_split_line(reader->options, arena, line, fields, FIELDS_MAX, count);
}

// A row that was written is one row, with the same fields.
static void check_again(struct arena *arena, const struct copy_options *options, const struct bytes *fields,
    uint32_t count)
{
    struct buffer out;
    struct bytes again[FIELDS_MAX];
    uint32_t again_count = 0;
    bool found = false;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_u8(&out, (uint8_t)options->delimiter);
        copy_write_field(&out, options, fields[i], fields[i].data == NULL, count == 1 && bytes_equal(fields[i], BYTES_LITERAL("\\.")));
    }
    buffer_append_u8(&out, '\n');
    struct copy_reader reader = {.options = options, .input = buffer_bytes(&out), .ended = true};
    struct status st = read_row(&reader, arena, again, &again_count, &found);
    invariant(!failed(st) && found && again_count == count);
    for (uint32_t i = 0; i < count; i++)
        invariant((fields[i].data == NULL) == (again[i].data == NULL) && bytes_equal(fields[i], again[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char delimiters[] = {'\t', ',', '|', ' '}, quotes[] = {'"', '\''};
    struct arena arena;
    struct bytes fields[FIELDS_MAX];
    uint32_t count = 0;
    bool found = true;
    if (size < 3) return 0;
    struct copy_options options = {.format = (enum copy_format)(data[0] % 3),
        .delimiter = delimiters[data[1] % 4],
        .quote = quotes[data[1] / 4 % 2],
        .escape = data[1] & 8 ? '\\' : quotes[data[1] / 4 % 2],
        .null_text = data[0] % 3 == COPY_CSV ? BYTES_LITERAL("") : BYTES_LITERAL("\\N")};
    struct bytes rest = bytes_of(data + 3, size - 3);
    size_t cut = data[2] < rest.size ? data[2] : rest.size;
    struct copy_reader reader = {.options = &options, .input = bytes_of(rest.data, cut)};
    arena_init(&arena, NULL);
    struct status st = STATUS_OK;
    for (int piece = 0; piece < 2; piece++) {
        found = true;
        for (int row = 0; row < 200 && found; row++) {
            st = read_row(&reader, &arena, fields, &count, &found);
            if (failed(st)) goto out;
            if (found && count <= FIELDS_MAX && options.format != COPY_BINARY) check_again(&arena, &options, fields, count);
        }
        // The rest comes behind what was left.
        size_t left = reader.input.size;
        invariant(left <= cut || piece == 1);
        reader.input = bytes_of(rest.data + cut - (piece == 0 ? left : 0), rest.size - cut + (piece == 0 ? left : 0));
        reader.ended = true;
        if (piece == 1) break;
    }
out:
    arena_fini(&arena);
    return 0;
}
