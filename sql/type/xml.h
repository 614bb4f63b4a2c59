// SPDX-License-Identifier: GPL-3.0-or-later
//
// xml: a value is its text as it was given, checked with libxml2 (core/xml_run.h) to be a document or content. What says
// which version and encoding it is in, its declaration, is looked at here; the rest is the library's.
//
// Memory   Views point into the text given; what is made lies in the arena given.
// Errors   2200M no document, 2200N no content, with what the library says as the detail; those of core/xml_run.h.
// Source   PostgreSQL 15 manual, 8.13 and 9.15; ISO/IEC 9075-14.
#pragma once
#include "core/arena.h"
#include "core/xml_run.h"
#include "sql/type/type.h"

struct task;

// What stands at a text's beginning: <?xml version="1.0" encoding="UTF-8" standalone="yes"?>.
struct xml_declaration {
    size_t size;          // In bytes; 0: there is none.
    struct bytes version; // data NULL: there is none.
    struct bytes encoding;
    int standalone; // -1: nothing is said of it.
    int error;      // libxml2's number for what is wrong with it, 0: nothing. The size is 0 then.
};
struct xml_declaration xml_declaration_read(struct bytes text);
// Appends one if it says more than that this is version 1.0 (data NULL: that). `encoding` NULL: UTF-8, which is not told.
bool xml_declaration_print(struct buffer *out, struct bytes version, const char *encoding, int standalone);

// The text form: what the declaration says beyond the encoding, and the text behind it.
void xml_print(struct buffer *out, struct bytes text, const char *encoding);

CHECKED struct status xml_check(struct task *task, struct arena *arena, struct bytes text, enum xml_option option);
// Whether xml_check would let it pass.
CHECKED struct status xml_is(struct task *task, struct arena *arena, struct bytes text, enum xml_option option, bool constant, bool *is);

// Appends the text with what XML would take for markup as references.
void xml_escape(struct buffer *out, struct bytes text);

// An SQL name as an XML name: what may not stand in one is _xHHHH_. `whole`: so is a colon, and "xml" at its beginning.
const char *xml_name(struct arena *arena, const char *identifier, bool whole, bool period);
const char *xml_name_to_sql(struct arena *arena, const char *name);
