// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/utf8.h"

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
    size_t need = utf8_size(first);
    if (need == 1 || need > size) return 0;
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

uint64_t utf8_count(struct bytes text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t utf8_offset(struct bytes text, uint64_t index)
{
    size_t at = 0;
    while (index > 0 && at < text.size) {
        at += utf8_step(text, at);
        index--;
    }
    return at;
}

uint32_t utf8_decode(struct bytes text, size_t at, size_t *size)
{
    const uint8_t *c = text.data + at;
    *size = utf8_step(text, at);
    switch (*size) {
    case 2: return (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu);
    case 3: return (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    case 4:
        return (c[0] & 0x07u) << 18 | (c[1] & 0x3fu) << 12 | (c[2] & 0x3fu) << 6 | (c[3] & 0x3fu);
    default: return c[0];
    }
}

uint32_t utf8_encode(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xc0 | code_point >> 6);
        out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        if (code_point >= 0xd800 && code_point < 0xe000) return 0;
        out[0] = (uint8_t)(0xe0 | code_point >> 12);
        out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    if (code_point > 0x10ffff) return 0;
    out[0] = (uint8_t)(0xf0 | code_point >> 18);
    out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}
