// SPDX-License-Identifier: GPL-3.0-or-later
//
// EXPLAIN's documents: JSON, XML and YAML of the same groups and properties, laid out as PostgreSQL's are, for
// tools that read them. Lives in an arena; used by one task; nothing here fails.
#pragma once

#include "core/arena.h"

enum explain_format { EXPLAIN_TEXT, EXPLAIN_JSON, EXPLAIN_XML, EXPLAIN_YAML };

enum document_group { GROUP_OBJECT, GROUP_LIST };

struct explain_document {
    enum explain_format format; // Not EXPLAIN_TEXT.
    struct buffer text;
    uint32_t indent;
    bool empty;                 // Nothing stands in the innermost group yet.
};

void document_begin(struct explain_document *document, enum explain_format format, struct arena *arena);
const char *document_end(struct explain_document *document);

// A group of `kind` ("Plan"), which names it in XML; in an object also of `label`, in a list without (NULL).
void document_open(
    struct explain_document *document, enum document_group group, const char *kind, const char *label);
void document_close(struct explain_document *document, enum document_group group, const char *kind);

// Properties of an object.
void document_text(struct explain_document *document, const char *label, const char *value);
void document_number(struct explain_document *document, const char *label, double value, int digits);
void document_names(
    struct explain_document *document, const char *label, const char *const *names, uint32_t count);
// Names that are an item of a list; `label` is theirs in XML.
void document_item(
    struct explain_document *document, const char *label, const char *const *names, uint32_t count);
