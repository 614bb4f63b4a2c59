// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL text of any bytes: the parser gives a status or a tree; the tree's text parses again; the shape
// stays within its bounds.
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/parse/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct shape shape;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct statement_list list, again;
    if (shape_of(bytes_of(data, size), &shape)) invariant(shape.size <= SHAPE_TEXT_BYTES_MAX);
    arena_init(&arena, NULL);
    if (!failed(parse_sql(&arena, bytes_of(data, size), &list))) {
        for (uint32_t i = 0; i < list.count; i++) {
            struct buffer text;
            buffer_init(&text, &arena);
            deparse_statement(&text, list.items[i], DEPARSE_REDACT);
            text.size = 0;
            deparse_statement(&text, list.items[i], 0);
            // Parentheses that were not written may make it deeper than the bound.
            bool shallow = list.items[i]->depth < AST_DEPTH_MAX / 8;
            if (list.items[i]->tag != STATEMENT_UNSUPPORTED && shallow)
                invariant(!failed(parse_sql(&arena, buffer_bytes(&text), &again)));
        }
    }
    arena_fini(&arena);
    return 0;
}
