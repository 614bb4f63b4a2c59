// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/like.h"

#include "core/work.h"
#include "sql/type/utf8.h"
#include "sql/function/function.h"

#define STEPS_PER_LOOK 1024u
#define LETTERS_PER_LOOK 1024u // Of a pattern that is written anew, each of which counts for LETTER_WORK bytes.
#define LETTER_WORK 8u

// Goes back only to the last %: an earlier one need not take more, since what stood between has matched
// at the leftmost place already.
static struct status match(struct function_call *call, struct bytes text, struct bytes pattern,
    bool bytewise, bool *matches)
{
    uint32_t steps = 0;
    size_t t = 0, p = 0, back_t = 0, back_p = SIZE_MAX;
    *matches = false;
    while (t < text.size || p < pattern.size) {
        if (++steps % STEPS_PER_LOOK == 0 && call != NULL) {
            struct status st = function_work(call, STEPS_PER_LOOK);
            if (failed(st)) return st;
        }
        if (p < pattern.size) {
            uint8_t c = pattern.data[p];
            if (c == '%') {
                while (p < pattern.size && pattern.data[p] == '%')
                    p++;
                if (p == pattern.size) {
                    *matches = true;
                    return STATUS_OK;
                }
                back_p = p;
                back_t = t;
                continue;
            }
            if (c == '_' && t < text.size) {
                t += bytewise ? 1 : utf8_step(text, t);
                p++;
                continue;
            }
            if (c == '\\') {
                if (p + 1 == pattern.size && t < text.size)
                    return status_make(
                        E_INVALID_ESCAPE, "LIKE pattern must not end with escape character");
                if (t < text.size && p + 1 < pattern.size && text.data[t] == pattern.data[p + 1]) {
                    t++;
                    p += 2;
                    continue;
                }
            } else if (c != '_' && t < text.size && text.data[t] == c) {
                t++;
                p++;
                continue;
            }
        }
        if (back_p == SIZE_MAX || back_t >= text.size) return STATUS_OK;
        back_t += bytewise ? 1 : utf8_step(text, back_t);
        t = back_t;
        p = back_p;
    }
    *matches = true;
    return STATUS_OK;
}

struct status like_match(
    struct function_call *call, struct bytes text, struct bytes pattern, bool *matches)
{
    return match(call, text, pattern, false, matches);
}

struct status like_match_bytes(
    struct function_call *call, struct bytes text, struct bytes pattern, bool *matches)
{
    return match(call, text, pattern, true, matches);
}

struct bytes like_prefix(struct arena *arena, struct bytes pattern, bool *exact)
{
    uint8_t *prefix = arena_alloc(arena, pattern.size);
    size_t size = 0, p = 0;
    while (p < pattern.size && pattern.data[p] != '%' && pattern.data[p] != '_') {
        if (pattern.data[p] == '\\' && p + 1 < pattern.size) p++;
        prefix[size++] = pattern.data[p++];
    }
    *exact = p == pattern.size;
    return bytes_of(prefix, size);
}

struct status like_escape(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result)
{
    if (escape.size > 0 && utf8_step(escape, 0) != escape.size)
        return status_hint(arena,
            status_format(arena, E_INVALID_ESCAPE, "%s", "invalid escape string"),
            "Escape string must be empty or one character.");
    if (bytes_equal(escape, BYTES_LITERAL("\\"))) {
        *result = pattern;
        return STATUS_OK;
    }
    uint8_t *out = arena_try_alloc(arena, pattern.size * 2);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    size_t size = 0;
    bool after_escape = false;
    uint32_t count = 0;
    for (size_t p = 0; p < pattern.size;) {
        size_t step = utf8_step(pattern, p);
        if (++count % LETTERS_PER_LOOK == 0) {
            const struct status st = task_work(task_current(), LETTERS_PER_LOOK * LETTER_WORK);
            if (failed(st)) return st;
        }
        if (escape.size > 0 && !after_escape &&
            bytes_has_prefix(bytes_skip(pattern, p), escape)) {
            out[size++] = '\\';
            after_escape = true;
        } else if (pattern.data[p] == '\\' && !after_escape) {
            out[size++] = '\\';
            out[size++] = '\\';
        } else {
            memcpy(out + size, pattern.data + p, step);
            size += step;
            after_escape = false;
        }
        p += step;
    }
    *result = bytes_of(out, size);
    return STATUS_OK;
}
