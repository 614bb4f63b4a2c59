// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/explain_document.h"

#include <ctype.h>
#include <string.h>

#include "sql/type/json.h"

static void indentation(struct explain_document *document, uint32_t levels)
{
    for (uint32_t i = 0; i < levels; i++) buffer_append_string(&document->text, "  ");
}

// To where the next property or group of the innermost group begins.
static void begin_item(struct explain_document *document)
{
    bool line = true;
    if (document->format == EXPLAIN_JSON && !document->empty) buffer_append_u8(&document->text, ',');
    // In YAML a list's item and its first property share a line.
    if (document->format == EXPLAIN_YAML) line = !document->empty;
    if (line && document->format != EXPLAIN_XML) buffer_append_u8(&document->text, '\n');
    if (line) indentation(document, document->indent);
    document->empty = false;
}

// A line of XML has its end with it, what the others have is before the next.
static void end_item(struct explain_document *document)
{
    if (document->format == EXPLAIN_XML) buffer_append_u8(&document->text, '\n');
}

static void append_xml(struct explain_document *document, const char *text)
{
    for (; *text != 0; text++) {
        switch (*text) {
        case '&': buffer_append_string(&document->text, "&amp;"); break;
        case '<': buffer_append_string(&document->text, "&lt;"); break;
        case '>': buffer_append_string(&document->text, "&gt;"); break;
        case '\r': buffer_append_string(&document->text, "&#x0d;"); break;
        default: buffer_append_u8(&document->text, (uint8_t)*text);
        }
    }
}

static void xml_tag(struct explain_document *document, const char *prefix, const char *name)
{
    buffer_append_string(&document->text, prefix);
    for (; *name != 0; name++) {
        const bool valid = isalnum((unsigned char)*name) || strchr("-_.", *name) != NULL;
        buffer_append_u8(&document->text, valid ? (uint8_t)*name : '-');
    }
    buffer_append_u8(&document->text, '>');
}

static void append_quoted(struct explain_document *document, const char *text)
{
    json_print_string(&document->text, bytes_of_string(text));
}

static void append_label(struct explain_document *document, const char *label)
{
    switch (document->format) {
    case EXPLAIN_XML: xml_tag(document, "<", label); break;
    case EXPLAIN_YAML: buffer_printf(&document->text, "%s: ", label); break;
    default:
        append_quoted(document, label);
        buffer_append_string(&document->text, ": ");
    }
}

static void property(struct explain_document *document, const char *label, const char *value, bool quoted)
{
    begin_item(document);
    append_label(document, label);
    if (document->format == EXPLAIN_XML) {
        append_xml(document, value);
        xml_tag(document, "</", label);
    } else if (quoted) {
        append_quoted(document, value);
    } else {
        buffer_append_string(&document->text, value);
    }
    end_item(document);
}

static void quoted_list(struct explain_document *document, const char *const *names, uint32_t count)
{
    buffer_append_u8(&document->text, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_string(&document->text, ", ");
        append_quoted(document, names[i]);
    }
    buffer_append_u8(&document->text, ']');
}

void document_begin(struct explain_document *document, enum explain_format format, struct arena *arena)
{
    *document = (struct explain_document){.format = format, .empty = true};
    buffer_init(&document->text, arena);
    if (format == EXPLAIN_XML)
        buffer_append_string(
            &document->text, "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n");
    if (format == EXPLAIN_JSON) buffer_append_u8(&document->text, '[');
    if (format != EXPLAIN_YAML) document->indent = 1;
}

const char *document_end(struct explain_document *document)
{
    if (document->format == EXPLAIN_XML) buffer_append_string(&document->text, "</explain>");
    if (document->format == EXPLAIN_JSON) buffer_append_string(&document->text, "\n]");
    return buffer_string(&document->text);
}

void document_open(
    struct explain_document *document, enum document_group group, const char *kind, const char *label)
{
    begin_item(document);
    switch (document->format) {
    case EXPLAIN_XML: xml_tag(document, "<", kind); break;
    case EXPLAIN_YAML: buffer_printf(&document->text, "%s%s", label == NULL ? "-" : label, label == NULL ? " " : ": "); break;
    default:
        if (label != NULL) append_label(document, label);
        buffer_append_u8(&document->text, group == GROUP_LIST ? '[' : '{');
    }
    end_item(document);
    document->indent++;
    // What is labelled has its content beneath it.
    document->empty = document->format != EXPLAIN_YAML || label == NULL;
}

void document_close(struct explain_document *document, enum document_group group, const char *kind)
{
    document->indent--;
    document->empty = false;
    if (document->format == EXPLAIN_YAML) return;
    if (document->format == EXPLAIN_JSON) buffer_append_u8(&document->text, '\n');
    indentation(document, document->indent);
    if (document->format == EXPLAIN_XML) {
        xml_tag(document, "</", kind);
        end_item(document);
    } else {
        buffer_append_u8(&document->text, group == GROUP_LIST ? ']' : '}');
    }
}

void document_text(struct explain_document *document, const char *label, const char *value)
{
    property(document, label, value, true);
}

void document_number(struct explain_document *document, const char *label, double value, int digits)
{
    property(document, label, arena_printf(document->text.arena, "%.*f", digits, value), false);
}

void document_names(
    struct explain_document *document, const char *label, const char *const *names, uint32_t count)
{
    begin_item(document);
    append_label(document, label);
    end_item(document);
    if (document->format == EXPLAIN_JSON) {
        quoted_list(document, names, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (document->format == EXPLAIN_YAML) {
            buffer_append_u8(&document->text, '\n');
            indentation(document, document->indent + 1);
            buffer_append_string(&document->text, "- ");
            append_quoted(document, names[i]);
            continue;
        }
        indentation(document, document->indent + 1);
        buffer_append_string(&document->text, "<Item>");
        append_xml(document, names[i]);
        buffer_append_string(&document->text, "</Item>\n");
    }
    if (document->format != EXPLAIN_XML) return;
    indentation(document, document->indent);
    xml_tag(document, "</", label);
    end_item(document);
}

void document_item(
    struct explain_document *document, const char *label, const char *const *names, uint32_t count)
{
    if (document->format == EXPLAIN_XML) {
        document_names(document, label, names, count);
        return;
    }
    begin_item(document);
    if (document->format == EXPLAIN_YAML) buffer_append_string(&document->text, "- ");
    quoted_list(document, names, count);
}
