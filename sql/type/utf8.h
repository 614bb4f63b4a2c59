// SPDX-License-Identifier: GPL-3.0-or-later
//
// What SQL text needs of UTF-8 beyond core/text.h. Text inside the server is always valid: only
// utf8_valid_prefix meets bytes from outside.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/text.h"

// How many bytes at the start are valid UTF-8 without NUL.
size_t utf8_valid_prefix(struct bytes text);
bool utf8_is_ascii(struct bytes text);
// Bytes of the character at `at`, never beyond the text's end.
static inline size_t utf8_step(struct bytes text, size_t at)
{
    size_t size = utf8_size_of(text.data[at]);
    return size > text.size - at ? text.size - at : size;
}
