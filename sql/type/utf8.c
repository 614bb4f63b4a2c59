// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/utf8.h"

bool utf8_is_ascii(struct bytes text)
{
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        if ((word & 0x8080808080808080u) != 0) return false;
    }
    for (; i < text.size; i++) {
        if (text.data[i] >= 0x80) return false;
    }
    return true;
}

// Bytes of the valid character at `data`, or 0. Overlong forms, surrogates and what lies above U+10FFFF
// are not valid (Unicode 15, table 3-7).
static size_t valid_character(const uint8_t *data, size_t size)
{
    uint8_t first = data[0];
    if (first < 0x80) return first != 0;
    size_t need = utf8_size_of(first);
    if (first < 0xc2 || first > 0xf4 || need > size) return 0;
    for (size_t i = 1; i < need; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
    }
    if (first == 0xe0 && data[1] < 0xa0) return 0;
    if (first == 0xed && data[1] > 0x9f) return 0;
    if (first == 0xf0 && data[1] < 0x90) return 0;
    if (first == 0xf4 && data[1] > 0x8f) return 0;
    return need;
}

size_t utf8_valid_prefix(struct bytes text)
{
    size_t at = 0;
    while (at < text.size) {
        uint64_t word;
        if (at + 8 <= text.size) {
            memcpy(&word, text.data + at, sizeof word);
            // No high bit, and no zero byte (Mycroft's test).
            if (((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        size_t size = valid_character(text.data + at, text.size - at);
        if (size == 0) return at;
        at += size;
    }
    return at;
}
