// SPDX-License-Identifier: GPL-3.0-or-later
//
// XMLELEMENT and its kin, IS DOCUMENT and XMLTABLE as PostgreSQL shows them.
#include "sql/catalog/query_text.h"
#include "sql/parse/deparse.h"
#include "sql/type/xml.h"

// Names as they come back from XML.
static void put_xml_name(struct text_run *run, const struct scalar *name)
{
    const char *text = arena_string(run->out.arena, datum_as_bytes(name->value));
    put_text_name(run, xml_name_to_sql(run->out.arena, text));
}

static void put_values(struct text_run *run, struct scalar *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put_text(run, ", ");
        put_scalar_text(run, args[i], true);
    }
}

static void put_named(struct text_run *run, struct scalar *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put_text(run, ", ");
        put_scalar_text(run, args[2 * i + 1], true);
        put_text(run, " AS ");
        put_xml_name(run, args[2 * i]);
    }
}

static void put_element(struct text_run *run, const struct xml_expr *xml, const struct scalar *call)
{
    const uint32_t content = 2 + 2 * xml->named_count;
    put_text(run, "XMLELEMENT(NAME ");
    put_xml_name(run, call->args[0]);
    if (xml->named_count > 0) {
        put_text(run, ", XMLATTRIBUTES(");
        put_named(run, call->args + 2, xml->named_count);
        put_text(run, ")");
    }
    if (call->arg_count > content) put_text(run, ", ");
    put_values(run, call->args + content, call->arg_count - content);
    put_text(run, ")");
}

static void put_root(struct text_run *run, const struct xml_expr *xml, const struct scalar *call)
{
    static const char *const standalones[] = {[XML_STANDALONE_YES] = ", STANDALONE YES)",
        [XML_STANDALONE_NO] = ", STANDALONE NO)", [XML_STANDALONE_NO_VALUE] = ", STANDALONE NO VALUE)",
        [XML_STANDALONE_OMITTED] = ")"};
    put_text(run, "XMLROOT(");
    put_scalar_text(run, call->args[0], true);
    put_text(run, ", VERSION ");
    if (call->args[1]->kind == SCALAR_CONST && call->args[1]->value.null) put_text(run, "NO VALUE");
    else put_scalar_text(run, call->args[1], false);
    put_text(run, standalones[xml->standalone]);
}

static void put_is_document(struct text_run *run, const struct scalar *call)
{
    const bool bare = !run->pretty;
    if (!bare) put_text(run, "(");
    put_scalar_text(run, call->args[0], false);
    if (!bare) put_text(run, ")");
    put_text(run, " IS DOCUMENT");
}

// Of a type with a length it is cast to that once more.
static void put_serialize(struct text_run *run, const struct xml_expr *xml, const struct scalar *scalar, const struct scalar *call)
{
    const bool cast = scalar->type.typmod >= 0;
    if (cast && !run->pretty) put_text(run, "(");
    put_text(run, xml->document ? "XMLSERIALIZE(DOCUMENT " : "XMLSERIALIZE(CONTENT ");
    put_scalar_text(run, call->args[0], true);
    put_text(run, " AS ");
    put_type_text(run, scalar->type);
    put_text(run, ")");
    if (!cast) return;
    if (!run->pretty) put_text(run, ")");
    put_text(run, "::");
    put_type_text(run, scalar->type);
}

void put_xml_text(struct text_run *run, const struct scalar *scalar)
{
    const struct xml_expr *xml = scalar->source->xml;
    const struct scalar *call = scalar;
    while (call->kind == SCALAR_CAST || call->kind == SCALAR_TYPMOD) call = call->args[0];
    switch (xml->form) {
    case XML_FORM_CONCAT:
        put_text(run, "XMLCONCAT(");
        put_values(run, call->args, call->arg_count);
        put_text(run, ")");
        break;
    case XML_FORM_ELEMENT: put_element(run, xml, call); break;
    case XML_FORM_FOREST:
        put_text(run, "XMLFOREST(");
        put_named(run, call->args, xml->named_count);
        put_text(run, ")");
        break;
    case XML_FORM_PARSE:
        put_text(run, xml->document ? "XMLPARSE(DOCUMENT " : "XMLPARSE(CONTENT ");
        put_scalar_text(run, call->args[0], true);
        put_text(run, xml->preserve ? " PRESERVE WHITESPACE)" : " STRIP WHITESPACE)");
        break;
    case XML_FORM_PI:
        put_text(run, "XMLPI(NAME ");
        put_xml_name(run, call->args[0]);
        if (call->arg_count > 1) put_text(run, ", ");
        put_values(run, call->args + 1, call->arg_count - 1);
        put_text(run, ")");
        break;
    case XML_FORM_ROOT: put_root(run, xml, call); break;
    case XML_FORM_SERIALIZE: put_serialize(run, xml, scalar, call); break;
    case XML_FORM_IS_DOCUMENT: put_is_document(run, call); break;
    case XML_FORM_TABLE: text_unsupported(run); break;
    }
}

// --- XMLTABLE ------------------------------------------------------------------------------------------------------

static void put_namespaces(struct text_run *run, const struct xml_expr *xml)
{
    for (uint32_t i = 0; i < xml->named_count; i++) {
        put_text(run, i == 0 ? "XMLNAMESPACES (" : ", ");
        if (xml->named[i].name == NULL) put_text(run, "DEFAULT ");
        put_text_expr(run, xml->named[i].value, true);
        if (xml->named[i].name == NULL) continue;
        put_text(run, " AS ");
        put_text_name(run, xml->named[i].name);
    }
    if (xml->named_count > 0) put_text(run, "), ");
}

// Literals are of their types there; put_text_expr leaves them as they are bound.
static void put_in_parentheses(struct text_run *run, const char *word, const struct expr *expr)
{
    put_text(run, word);
    put_text(run, "(");
    put_text_expr(run, expr, true);
    put_text(run, ")");
}

void put_xml_table_text(struct text_run *run, const struct xml_expr *xml, const struct range *range)
{
    put_text(run, "XMLTABLE(");
    put_namespaces(run, xml);
    put_in_parentheses(run, "", xml->args.items[0]);
    put_in_parentheses(run, " PASSING ", xml->args.items[1]);
    put_text(run, " COLUMNS ");
    for (uint32_t i = 0; i < xml->column_count; i++) {
        const struct xml_column *column = &xml->columns[i];
        if (i > 0) put_text(run, ", ");
        put_text_name(run, column->name);
        put_text(run, " ");
        if (column->type == NULL) {
            put_text(run, "FOR ORDINALITY");
            continue;
        }
        put_type_text(run, range->columns[i].scalar->type);
        if (column->otherwise != NULL) put_in_parentheses(run, " DEFAULT ", column->otherwise);
        if (column->path != NULL) put_in_parentheses(run, " PATH ", column->path);
        if (column->not_null) put_text(run, " NOT NULL");
    }
    put_text(run, ")");
}
