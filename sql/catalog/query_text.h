// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of a query's text share (query_text.c, query_text_from.c). Each writes to the run's buffer; what has no
// text leaves 0A000 in run->status.
#pragma once
#include "sql/catalog/expression_text.h"

#define TEXT_CLAUSE_INDENT 8u
#define TEXT_ITEM_INDENT 4u

void put_text(struct text_run *run, const char *text);
void put_text_name(struct text_run *run, const char *name); // Quoted when it must be.
// Between `before` and `after`, with commas.
void put_text_names(
    struct text_run *run, const char *before, const struct name_list *names, const char *after);
// A clause: its word begins a line one step to the left.
void put_text_clause(struct text_run *run, unsigned plus, const char *word);
// What is written next goes to a new line when the one in hand gets too long with it, or `broken`.
void put_text_item(struct text_run *run, struct bytes made, bool broken);
void put_text_expr(struct text_run *run, const struct expr *expr, bool show_casts);
void put_text_call(struct text_run *run, const struct expr *expr); // A function's, with all that belongs to it.
void text_unsupported(struct text_run *run);
const struct range *text_range_of(struct text_run *run, const struct from_item *item);
// The name by which the text calls the item.
const char *text_shown_name(const struct text_run *run, const struct from_item *item);

void put_from_text(struct text_run *run, const struct from_list *from);
void put_xml_text(struct text_run *run, const struct scalar *scalar); // Whose source is EXPR_XML.
void put_xml_table_text(struct text_run *run, const struct xml_expr *xml, const struct range *range);
