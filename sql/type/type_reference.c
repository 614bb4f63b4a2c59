// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/type_reference.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "sql/function/function.h"

#define REFERENCE "pg_type_" // No schema is called so: names that begin with pg_ are reserved.

const char *type_reference(struct arena *arena, uint32_t id)
{
    return arena_printf(arena, REFERENCE "%u", id);
}

bool type_is_reference(const char *schema, uint32_t *id)
{
    const size_t size = sizeof REFERENCE - 1;
    if (schema == NULL || strncmp(schema, REFERENCE, size) != 0 || !ascii_digit(schema[size])) return false;
    char *end;
    *id = (uint32_t)strtoul(schema + size, &end, 10);
    return *end == '\0';
}

static bool in_word(char c)
{
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || ascii_digit(c) || c == '_' || (c & 0x80) != 0;
}

// Behind the closing quote; two of them are one that belongs to it.
static const char *after_quotes(const char *at, bool escapes)
{
    const char quote = *at++;
    for (; *at != '\0'; at++) {
        if (escapes && *at == '\\' && at[1] != '\0') at++;
        else if (*at == quote && at[1] == quote) at++;
        else if (*at == quote) return at + 1;
    }
    return at;
}

bool stored_word_next(const char **from, struct stored_word *word)
{
    const char *at = *from;
    while (*at != '\0') {
        if (*at == '\'' || *at == '"') {
            at = after_quotes(at, false);
            continue;
        }
        if (!in_word(*at)) {
            at++;
            continue;
        }
        *word = (struct stored_word){at, at};
        while (in_word(*at)) at++;
        word->end = at;
        const bool escapes = at - word->start == 1 && ascii_lower(*word->start) == 'e';
        if (*at == '\'') { // e'a\'b', b'01'
            at = after_quotes(at, escapes);
            continue;
        }
        *from = at;
        return true;
    }
    *from = at;
    return false;
}

bool stored_reference_at(struct arena *arena, struct stored_word word, struct stored_reference *reference)
{
    const size_t size = (size_t)(word.end - word.start);
    if (*word.end != '.' || size < 4 || memcmp(word.start, "pg_", 3) != 0) return false;
    const char *schema = arena_string(arena, bytes_of((const uint8_t *)word.start, size));
    *reference = (struct stored_reference){.start = word.start, .end = word.end + 1};
    reference->type = type_is_reference(schema, &reference->id);
    if (!reference->type && !function_is_reference(schema, &reference->id)) return false;
    if (*reference->end == '"')
        reference->end = after_quotes(reference->end, false);
    else
        while (in_word(*reference->end)) reference->end++;
    return true;
}
