// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the binder makes of SQL's forms for XML: functions that only it calls. Names have been mapped to XML's by then.
//
// Memory   Results live in the call's arena.
#pragma once
#include "sql/function/function.h"

extern const struct function xml_make_concat;         // (xml...)
// (name, count of attributes, name and value of each, content...); the second where a text form depends on settings.
extern const struct function xml_make_element, xml_make_element_stable;
extern const struct function xml_make_forest, xml_make_forest_stable; // (name and value of each)
extern const struct function xml_make_document, xml_make_content;     // XMLPARSE (text)
extern const struct function xml_make_instruction;    // (name, text) or (name)
extern const struct function xml_make_root;           // (xml, version, an enum xml_standalone as integer)
extern const struct function xml_text_of_document, xml_text_of_content; // XMLSERIALIZE (xml)
extern const struct function xml_is_document;
extern const struct function xml_not_null;            // (value, name of a column): 22004

// XMLTABLE: (document, path of rows, count of namespaces, name (NULL: DEFAULT) and URI of each, path of each column that is
// `by_path`). `columns` lives as long as the plan.
struct xml_table_column {
    const char *name;
    struct type type;
    bool ordinality;
    bool by_path;  // Else its name is its path.
    bool not_null; // NULL is an error.
};
const struct function *xml_table_function(struct arena *arena, const struct xml_table_column *columns, uint32_t count);
