// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/long_text.h"

#include <string.h>

#include "sql/type/utf8.h"

#define PART_BYTES ((uint64_t)64 << 10)

static uint64_t part_of(uint64_t size)
{
    return size < PART_BYTES ? size : PART_BYTES;
}

struct status long_copy(
    struct function_call *call, uint8_t *to, const uint8_t *from, uint64_t size)
{
    struct status st = STATUS_OK;
    for (uint64_t done = 0, part; done < size; done += part) {
        part = part_of(size - done);
        memcpy(to + done, from + done, part);
        TRY(function_work(call, part));
    }
out:
    return st;
}

struct status long_length(struct function_call *call, struct bytes text, int64_t *length)
{
    struct status st = STATUS_OK;
    *length = 0;
    while (text.size > 0) {
        size_t part = part_of(text.size);
        // To the end of a character.
        while (part < text.size && (text.data[part] & 0xc0) == 0x80) part++;
        *length += (int64_t)utf8_length(bytes_of(text.data, part));
        text = bytes_skip(text, part);
        TRY(function_work(call, part));
    }
out:
    return st;
}

struct status long_prefix(
    struct function_call *call, struct bytes text, int64_t characters, size_t *size)
{
    struct status st = STATUS_OK;
    *size = 0;
    while (characters > 0 && *size < text.size) {
        uint64_t part = part_of((uint64_t)characters);
        size_t bytes = utf8_prefix_bytes(bytes_skip(text, *size), part);
        *size += bytes;
        characters -= (int64_t)part;
        TRY(function_work(call, bytes));
    }
out:
    return st;
}

struct status long_find(struct function_call *call, struct bytes text, struct bytes part,
    size_t from, size_t *at)
{
    struct status st = STATUS_OK;
    *at = part.size == 0 ? from : SIZE_MAX;
    // Windows overlap by what a match may be longer than its first byte.
    const size_t window = part.size > PART_BYTES / 4 ? 4 * part.size : PART_BYTES;
    while (part.size > 0 && from < text.size && text.size - from >= part.size) {
        size_t look = text.size - from < window ? text.size - from : window;
        const uint8_t *found = memmem(text.data + from, look, part.data, part.size);
        if (found != NULL) *at = (size_t)(found - text.data);
        TRY(function_work(call, found == NULL ? look : (size_t)(found - text.data) - from));
        if (found != NULL) break;
        from += look - (part.size - 1);
    }
out:
    return st;
}

struct status long_digest(struct function_call *call, enum crypto_digest_kind kind,
    struct bytes data, uint8_t out[CRYPTO_DIGEST_BYTES_MAX], size_t *size)
{
    struct status st = STATUS_OK;
    struct crypto_digest *digest = crypto_digest_begin(kind);
    for (uint64_t done = 0, part; done < data.size; done += part) {
        part = part_of(data.size - done);
        crypto_digest_add(digest, bytes_of(data.data + done, part));
        TRY(function_work(call, part));
    }

out:
    *size = crypto_digest_end(digest, out);
    return st;
}
