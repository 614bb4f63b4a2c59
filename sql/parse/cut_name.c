// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/cut_name.h"

#include <string.h>

#include "sql/parse/ast_query.h"
#include "sql/parse/lexer.h"

struct cut_name *cut_names(struct arena *arena, struct bytes text)
{
    struct cut_name *first = NULL, **last = &first;
    struct lexer lexer;
    if (text.size <= IDENTIFIER_BYTES_MAX) return NULL;
    lexer_init(&lexer, text);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return first;
        if (token.size <= IDENTIFIER_BYTES_MAX || (token.kind != LEX_WORD && token.kind != LEX_QUOTED)) continue;
        const char *whole = token_identifier_whole(arena, &lexer, token);
        if (whole == NULL || strlen(whole) <= IDENTIFIER_BYTES_MAX) continue;
        struct cut_name *found = arena_alloc(arena, sizeof *found);
        *found = (struct cut_name){.name = whole, .cut = cut_name_of(arena, whole), .position = token.position};
        *last = found;
        last = &found->next;
    }
}

const char *cut_name_of(struct arena *arena, const char *name)
{
    size_t size = strlen(name);
    if (size <= IDENTIFIER_BYTES_MAX) return name;
    size = IDENTIFIER_BYTES_MAX;
    while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80) size--;
    return arena_string(arena, bytes_of(name, size));
}

struct status cut_name_notice(struct arena *arena, const char *name, const char *cut)
{
    return status_format(arena, SQLSTATE('4', '2', '6', '2', '2'), "identifier \"%s\" will be truncated to \"%s\"", name, cut);
}
