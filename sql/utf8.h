// SPDX-License-Identifier: GPL-3.0-or-later
//
// UTF-8 text: validity, counting and cutting by characters. Text inside the server is always valid, so
// that everything but utf8_valid_prefix trusts it.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

// How many bytes at the start are valid UTF-8 without NUL.
size_t utf8_valid_prefix(struct bytes text);
// Bytes of the character that starts with this byte; 1 for what starts none.
static inline uint32_t utf8_size(uint8_t first)
{
    if (first < 0xc2) return 1;
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 1;
}
// As above, but never beyond the text's end.
static inline size_t utf8_step(struct bytes text, size_t at)
{
    size_t size = utf8_size(text.data[at]);
    return size > text.size - at ? text.size - at : size;
}
uint64_t utf8_count(struct bytes text); // Characters.
// Byte offset of character number `index` (from 0); text.size when it has no more than that.
size_t utf8_offset(struct bytes text, uint64_t index);
bool utf8_is_ascii(struct bytes text);
uint32_t utf8_decode(struct bytes text, size_t at, size_t *size); // The code point, and its bytes.
uint32_t utf8_encode(uint32_t code_point, uint8_t out[4]);        // Bytes written; 0: not one.
