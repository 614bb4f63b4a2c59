// SPDX-License-Identifier: GPL-3.0-or-later
//
// XMLELEMENT and its kin, IS DOCUMENT and XMLTABLE as text.
#include "sql/parse/deparse_internal.h"

static void put_named(struct deparse *deparse, const struct xml_expr *xml)
{
    for (uint32_t i = 0; i < xml->named_count; i++) {
        if (i > 0) put(deparse, ", ");
        put_expr(deparse, xml->named[i].value);
        if (xml->named[i].name == NULL) continue;
        put(deparse, " AS ");
        put_name(deparse, xml->named[i].name);
    }
}

static void put_namespaces(struct deparse *deparse, const struct xml_expr *xml)
{
    for (uint32_t i = 0; i < xml->named_count; i++) {
        put(deparse, i == 0 ? "XMLNAMESPACES(" : ", ");
        if (xml->named[i].name == NULL) put(deparse, "DEFAULT ");
        put(deparse, "(");
        put_expr(deparse, xml->named[i].value);
        put(deparse, ")");
        if (xml->named[i].name == NULL) continue;
        put(deparse, " AS ");
        put_name(deparse, xml->named[i].name);
    }
    if (xml->named_count > 0) put(deparse, "), ");
}

static void put_xml_table(struct deparse *deparse, const struct xml_expr *xml)
{
    put(deparse, "XMLTABLE(");
    put_namespaces(deparse, xml);
    put(deparse, "(");
    put_expr(deparse, xml->args.items[0]);
    put(deparse, ") PASSING (");
    put_expr(deparse, xml->args.items[1]);
    put(deparse, ") COLUMNS ");
    for (uint32_t i = 0; i < xml->column_count; i++) {
        const struct xml_column *column = &xml->columns[i];
        if (i > 0) put(deparse, ", ");
        put_name(deparse, column->name);
        put(deparse, " ");
        if (column->type == NULL) {
            put(deparse, "FOR ORDINALITY");
            continue;
        }
        put_type(deparse, column->type);
        if (column->path != NULL) {
            put(deparse, " PATH (");
            put_expr(deparse, column->path);
            put(deparse, ")");
        }
        if (column->otherwise != NULL) {
            put(deparse, " DEFAULT (");
            put_expr(deparse, column->otherwise);
            put(deparse, ")");
        }
        if (column->not_null) put(deparse, " NOT NULL");
    }
    put(deparse, ")");
}

static void put_root(struct deparse *deparse, const struct xml_expr *xml)
{
    static const char *const standalones[] = {[XML_STANDALONE_YES] = ", STANDALONE YES",
        [XML_STANDALONE_NO] = ", STANDALONE NO", [XML_STANDALONE_NO_VALUE] = ", STANDALONE NO VALUE",
        [XML_STANDALONE_OMITTED] = ""};
    put_expr(deparse, xml->args.items[0]);
    put(deparse, ", VERSION ");
    if (xml->args.items[1] == NULL) put(deparse, "NO VALUE");
    else put_expr(deparse, xml->args.items[1]);
    put(deparse, standalones[xml->standalone]);
}

void put_xml(struct deparse *deparse, const struct xml_expr *xml)
{
    if (xml->form == XML_FORM_TABLE) {
        put_xml_table(deparse, xml);
        return;
    }
    if (xml->form == XML_FORM_IS_DOCUMENT) {
        put(deparse, "((");
        put_expr(deparse, xml->args.items[0]);
        put(deparse, ") IS DOCUMENT)");
        return;
    }
    put_upper(deparse, xml_form_name(xml->form));
    put(deparse, "(");
    if (xml->form == XML_FORM_PARSE || xml->form == XML_FORM_SERIALIZE)
        put(deparse, xml->document ? "DOCUMENT " : "CONTENT ");
    if (xml->name != NULL) {
        put(deparse, "NAME ");
        put_name(deparse, xml->name);
    }
    if (xml->form == XML_FORM_ELEMENT && xml->named_count > 0) put(deparse, ", XMLATTRIBUTES(");
    put_named(deparse, xml);
    if (xml->form == XML_FORM_ELEMENT && xml->named_count > 0) put(deparse, ")");
    if (xml->form == XML_FORM_ROOT) {
        put_root(deparse, xml);
    } else {
        if (xml->name != NULL && xml->args.count > 0) put(deparse, ", ");
        put_exprs(deparse, xml->args);
    }
    if (xml->form == XML_FORM_PARSE) put(deparse, xml->preserve ? " PRESERVE WHITESPACE" : " STRIP WHITESPACE");
    if (xml->form == XML_FORM_SERIALIZE) {
        put(deparse, " AS ");
        put_type(deparse, xml->type);
    }
    put(deparse, ")");
}
