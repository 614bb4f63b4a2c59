// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/insight/fingerprint.h"

#include <stdio.h>

#include "core/hash.h"
#include "core/text.h"
#include "core/work.h"
#include "sql/parse/lexer.h"

#define LONG_BYTES 65536u // Of text that takes long to read.
#define TOKEN_WORK 64u    // What a token counts for, besides its bytes.

static bool begins_query(const struct lexer *lexer, struct token token)
{
    static const char *const words[] = {"select", "insert", "update", "delete", "upsert", "with", "values", "table",
        "explain", "merge", "execute", "call", "declare", "copy"};
    if (token_is_char(lexer, token, '(')) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (token_is_word(lexer, token, words[i])) return true;
    return false;
}

static uint32_t highest_parameter(struct bytes text)
{
    struct lexer lexer;
    uint32_t highest = 0;
    lexer_init(&lexer, text);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return highest;
        if (text.size > LONG_BYTES && !task_goes_on(TOKEN_WORK + token.size)) return highest;
        if (token.kind != LEX_PARAMETER) continue;
        int64_t number;
        if (text_parse_i64(bytes_skip(token_bytes(&lexer, token), 1), &number) && number > highest && number <= UINT16_MAX)
            highest = (uint32_t)number;
    }
}

static bool is_value(const struct token *token, bool query)
{
    switch (token->kind) {
    case LEX_STRING: return true;
    case LEX_INTEGER:
    case LEX_DECIMAL:
    case LEX_BITS: return query;
    default: return false;
    }
}

static uint64_t hash_token(uint64_t hash, struct bytes text, bool folds)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        hash = (hash ^ (folds && c >= 'A' && c <= 'Z' ? c + 32u : c)) * UINT64_C(0x100000001b3);
    }
    return (hash ^ 0xff) * UINT64_C(0x100000001b3); // Between tokens: no byte of UTF-8.
}

void fingerprint_make(struct arena *arena, struct bytes text, struct fingerprint *out)
{
    struct lexer lexer;
    struct buffer kept;
    uint32_t values = highest_parameter(text), end = 0;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    bool query = false, first = true, full = false;
    char number[16];

    buffer_init(&kept, arena);
    lexer_init(&lexer, text);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) break;
        if (text.size > LONG_BYTES && !task_goes_on(TOKEN_WORK + token.size)) break;
        if (token_is_char(&lexer, token, ';')) continue;
        if (first) query = begins_query(&lexer, token);
        struct bytes shown = token_bytes(&lexer, token);
        bool value = is_value(&token, query);
        hash = value || token.kind == LEX_PARAMETER ? hash_token(hash, bytes_of_string("$"), false)
                                                    : hash_token(hash, shown, token.kind == LEX_WORD);
        if (value) {
            snprintf(number, sizeof number, "$%u", ++values);
            shown = bytes_of_string(number);
        }
        full |= kept.size + shown.size + 1 > FINGERPRINT_TEXT_BYTES_MAX;
        if (!full) {
            if (!first && token.position > end) buffer_append_u8(&kept, ' ');
            buffer_append_bytes(&kept, shown);
        }
        first = false;
        end = token.position + token.size;
    }
    hash = hash_u64(hash);
    *out = (struct fingerprint){.id = hash == 0 ? 1 : hash, .text = arena_string(arena, buffer_bytes(&kept))};
}

const char *fingerprint_anonymous(struct arena *arena, const char *text)
{
    struct lexer lexer;
    struct buffer out;
    uint32_t end = 0;
    struct bytes all = bytes_of_string(text);
    buffer_init(&out, arena);
    lexer_init(&lexer, all);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) break;
        buffer_append_bytes(&out, bytes_of(all.data + end, token.position - end));
        if (token.kind == LEX_PARAMETER)
            buffer_append_u8(&out, '_');
        else
            buffer_append_bytes(&out, token_bytes(&lexer, token));
        end = token.position + token.size;
    }
    return arena_string(arena, buffer_bytes(&out));
}
