// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL text to tokens, as PostgreSQL's scanner cuts them with standard_conforming_strings on: enough
// to find statement ends and clauses, to bound nesting, and to drive our own grammar. It is not a
// check: what PostgreSQL's scanner would refuse (junk after a number, say) may pass here and fail
// there.
//
// Shard    Pure; a lexer is a value and may be copied to look ahead.
// Memory   Tokens point into the text.
// Errors   LEX_ERROR for what has no end: a string, a quoted name, a comment. `error` says which.
// Source   PostgreSQL 15 manual, section 4.1.
#pragma once
#include <stdbool.h>

#include "core/arena.h"
#include "core/bytes.h"

enum token_kind {
    LEX_END,
    LEX_WORD,      // Unquoted identifier or keyword.
    LEX_QUOTED,    // "identifier", U&"..."
    LEX_INTEGER,   // Digits only.
    LEX_DECIMAL,   // With point or exponent.
    LEX_STRING,    // '...', E'...', N'...', U&'...', $tag$...$tag$
    LEX_BITS,      // B'...', X'...'
    LEX_PARAMETER, // $1
    LEX_OPERATOR,  // One or more operator characters; also :: := .. =>
    LEX_CHAR,      // One of ( ) [ ] , ; . : { } and any other byte.
    LEX_ERROR,
};

struct token {
    enum token_kind kind;
    uint32_t position; // Byte offset in the text.
    uint32_t size;
    bool dollar_quoted; // LEX_STRING.
};

struct lexer {
    const uint8_t *text;
    uint32_t size;
    uint32_t at;       // Where the next token is looked for.
    const char *error; // After LEX_ERROR: "unterminated quoted string", ...
};

// `text` is at most UINT32_MAX - 1 bytes.
void lexer_init(struct lexer *lexer, struct bytes text);
struct token lexer_next(struct lexer *lexer);

static inline struct bytes token_bytes(const struct lexer *lexer, struct token token)
{
    return (struct bytes){lexer->text + token.position, token.size};
}

// Whether the token is this word, whatever its case; `word` in lower case.
bool token_is_word(const struct lexer *lexer, struct token token, const char *word);
static inline bool token_is_char(const struct lexer *lexer, struct token token, char c)
{
    return token.size == 1 && lexer->text[token.position] == (uint8_t)c &&
           (token.kind == LEX_CHAR || token.kind == LEX_OPERATOR);
}

// The value of a LEX_WORD (folded to lower case) or LEX_QUOTED, cut to IDENTIFIER_BYTES_MAX at a
// character's end. NULL for an empty or ill-escaped quoted name.
char *token_identifier(struct arena *arena, const struct lexer *lexer, struct token token);
char *token_identifier_whole(struct arena *arena, const struct lexer *lexer, struct token token); // The same, not cut.
// The value of a LEX_STRING. False when an escape in it is invalid.
bool token_string(
    struct arena *arena, const struct lexer *lexer, struct token token, struct bytes *out);

// Whether `word` (lower case) must be quoted to be a name: PostgreSQL's reserved words and those
// that may not be column names.
bool keyword_is_reserved(struct bytes word);

// Offset of the first byte that is not part of valid UTF-8 without NUL, or text.size.
size_t utf8_check(struct bytes text);
