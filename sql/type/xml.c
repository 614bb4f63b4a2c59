// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/xml.h"

#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <strings.h>

#include "core/deep.h"
#include "core/text.h"
#include "core/work.h"
#include "sql/type/type_ops.h"

// --- the declaration -------------------------------------------------------------------------------------------

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool starts_with(struct bytes text, const char *word)
{
    const size_t size = strlen(word);
    return text.size >= size && memcmp(text.data, word, size) == 0;
}

static struct bytes skip_space(struct bytes text)
{
    while (text.size > 0 && is_space(*text.data)) text = bytes_skip(text, 1);
    return text;
}

static bool is_letter(unsigned c)
{
    return xmlIsBaseCharQ(c) || xmlIsIdeographicQ(c);
}

static bool is_name_start(unsigned c)
{
    return is_letter(c) || c == '_' || c == ':';
}

static bool is_name_part(unsigned c)
{
    return is_name_start(c) || xmlIsDigitQ(c) || c == '.' || c == '-' || xmlIsCombiningQ(c) || xmlIsExtenderQ(c);
}

static unsigned next_character(struct bytes text, size_t *size)
{
    int used = text.size > 4 ? 4 : (int)text.size;
    const int c = xmlGetUTF8Char(text.data, &used);
    *size = c < 0 || used <= 0 ? 1 : (size_t)used;
    return c < 0 ? 0 : (unsigned)c;
}

// ="value" behind a word.
static bool take_value(struct bytes *text, struct bytes *value)
{
    struct bytes rest = skip_space(*text);
    if (!starts_with(rest, "=")) return false;
    rest = skip_space(bytes_skip(rest, 1));
    if (rest.size == 0 || (*rest.data != '\'' && *rest.data != '"')) return false;
    const uint8_t *end = memchr(rest.data + 1, *rest.data, rest.size - 1);
    if (end == NULL) return false;
    *value = bytes_of(rest.data + 1, (size_t)(end - rest.data - 1));
    *text = bytes_skip(rest, value->size + 2);
    return true;
}

// One of the parts that may follow; `missing` when its value is not there.
static int take_part(struct bytes *text, const char *word, int missing, struct bytes *value)
{
    const struct bytes rest = skip_space(*text);
    *value = (struct bytes){0};
    if (!starts_with(rest, word)) return 0;
    if (rest.data == text->data) return XML_ERR_SPACE_REQUIRED;
    *text = bytes_skip(rest, strlen(word));
    return take_value(text, value) ? 0 : missing;
}

static int read_declaration(struct bytes text, struct xml_declaration *declaration)
{
    struct bytes rest = bytes_skip(text, 5), standalone;
    if (rest.size == 0 || !is_space(*rest.data)) return XML_ERR_SPACE_REQUIRED;
    int error = take_part(&rest, "version", XML_ERR_VERSION_MISSING, &declaration->version);
    if (error != 0) return error;
    if (declaration->version.data == NULL) return XML_ERR_VERSION_MISSING;
    error = take_part(&rest, "encoding", XML_ERR_MISSING_ENCODING, &declaration->encoding);
    if (error != 0) return error;
    error = take_part(&rest, "standalone", XML_ERR_STANDALONE_VALUE, &standalone);
    if (error != 0) return error;
    if (standalone.data != NULL) {
        const bool yes = bytes_equal(standalone, BYTES_LITERAL("yes"));
        if (!yes && !bytes_equal(standalone, BYTES_LITERAL("no"))) return XML_ERR_STANDALONE_VALUE;
        declaration->standalone = yes;
    }
    rest = skip_space(rest);
    if (!starts_with(rest, "?>")) return XML_ERR_XMLDECL_NOT_FINISHED;
    declaration->size = text.size - rest.size + 2;
    for (size_t i = 0; i < declaration->size; i++)
        if (text.data[i] > 127) return XML_ERR_INVALID_CHAR;
    return 0;
}

struct xml_declaration xml_declaration_read(struct bytes text)
{
    struct xml_declaration declaration = {.standalone = -1};
    size_t size;
    if (!starts_with(text, "<?xml")) return declaration;
    // <?xml-stylesheet ...?> is something else.
    if (text.size > 5 && is_name_part(next_character(bytes_skip(text, 5), &size))) return declaration;
    declaration.error = read_declaration(text, &declaration);
    if (declaration.error != 0) declaration.size = 0;
    return declaration;
}

bool xml_declaration_print(struct buffer *out, struct bytes version, const char *encoding, int standalone)
{
    const bool told = version.data != NULL && !bytes_equal(version, BYTES_LITERAL("1.0"));
    if (!told && encoding == NULL && standalone == -1) return false;
    buffer_append_string(out, "<?xml version=\"");
    buffer_append_bytes(out, version.data != NULL ? version : BYTES_LITERAL("1.0"));
    buffer_append_u8(out, '"');
    if (encoding != NULL) buffer_printf(out, " encoding=\"%s\"", encoding);
    if (standalone != -1) buffer_append_string(out, standalone == 1 ? " standalone=\"yes\"" : " standalone=\"no\"");
    buffer_append_string(out, "?>");
    return true;
}

void xml_print(struct buffer *out, struct bytes text, const char *encoding)
{
    const struct xml_declaration declaration = xml_declaration_read(text);
    if (declaration.error == 0) {
        text = bytes_skip(text, declaration.size);
        // The declaration's line goes with it.
        if (!xml_declaration_print(out, declaration.version, encoding, declaration.standalone) && starts_with(text, "\n"))
            text = bytes_skip(text, 1);
    }
    task_append(out, text);
}

// --- checking --------------------------------------------------------------------------------------------------

// Content with a DOCTYPE, with nothing but comments and the like before it, is a document.
static bool has_doctype(struct bytes text)
{
    for (;;) {
        text = skip_space(text);
        if (starts_with(text, "<!DOCTYPE")) return true;
        if (starts_with(text, "<!--")) {
            const uint8_t *end = memmem(text.data + 4, text.size - 4, "--", 2);
            if (end == NULL || (size_t)(end - text.data) + 2 >= text.size || end[2] != '>') return false;
            text = bytes_skip(text, (size_t)(end - text.data) + 3);
        } else if (starts_with(text, "<?")) {
            const uint8_t *end = memmem(text.data + 2, text.size - 2, "?>", 2);
            if (end == NULL) return false;
            text = bytes_skip(text, (size_t)(end - text.data) + 2);
        } else {
            return false;
        }
    }
}

struct check {
    struct bytes text; // With a NUL behind it.
    enum xml_option option;
    bool good;
};

static const char *declaration_fault(int error)
{
    switch (error) {
    case XML_ERR_INVALID_CHAR: return "Invalid character value.";
    case XML_ERR_SPACE_REQUIRED: return "Space required.";
    case XML_ERR_STANDALONE_VALUE: return "standalone accepts only 'yes' or 'no'.";
    case XML_ERR_VERSION_MISSING: return "Malformed declaration: missing version.";
    case XML_ERR_MISSING_ENCODING: return "Missing encoding in text declaration.";
    default: return "Parsing XML declaration: '?>' expected.";
    }
}

static void check_document(struct xml_run *run, struct check *check)
{
    xmlParserCtxtPtr context = xmlNewParserCtxt();
    xmlDocPtr document = xmlCtxtReadDoc(context, check->text.data, NULL, "UTF-8", XML_PARSE_NOENT | XML_PARSE_DTDATTR);
    check->good = document != NULL && !run->error_occurred;
    if (document != NULL) xmlFreeDoc(document);
    xmlFreeParserCtxt(context);
}

static void check_content(struct xml_run *run, struct check *check, const struct xml_declaration *declaration)
{
    const struct bytes version = declaration->version;
    xmlDocPtr document = xmlNewDoc(version.data == NULL ? NULL : (const xmlChar *)arena_string(run->arena, version));
    const uint8_t *text = check->text.data + declaration->size;
    document->encoding = xmlStrdup((const xmlChar *)"UTF-8");
    document->standalone = declaration->standalone;
    check->good = *text == 0 || (xmlParseBalancedChunkMemory(document, NULL, NULL, 0, text, NULL) == 0 && !run->error_occurred);
    xmlFreeDoc(document);
}

static void check_body(struct xml_run *run, void *arg)
{
    struct check *check = arg;
    struct xml_declaration declaration = {.standalone = -1};
    bool document = check->option == XML_DOCUMENT;
    check->good = false;
    if (!document) {
        declaration = xml_declaration_read(check->text);
        if (declaration.error != 0) {
            xml_run_fail(run, E_INVALID_XML_CONTENT, "invalid XML content: invalid XML declaration");
            run->st = status_detail(run->arena, run->st, "%s", declaration_fault(declaration.error));
            return;
        }
        document = has_doctype(bytes_skip(check->text, declaration.size));
    }
    if (document) check_document(run, check);
    else check_content(run, check, &declaration);
    if (check->good) return;
    if (check->option == XML_DOCUMENT) xml_run_fail(run, E_INVALID_XML_DOCUMENT, "invalid XML document");
    else xml_run_fail(run, E_INVALID_XML_CONTENT, "invalid XML content");
}

static struct status check_text(struct task *task, struct arena *arena, struct bytes text, enum xml_option option, bool constant)
{
    struct xml_run *run = xml_run_begin(arena);
    struct check *check = ARENA_NEW(run->arena, struct check);
    check->option = option;
    run->no_wait = constant;
    const struct status st = xml_run_text(run, text, &check->text);
    if (failed(st)) {
        xml_run_drop(run);
        return st;
    }
    return xml_run_finish(task, arena, run, check_body, check, text.size);
}

struct status xml_check(struct task *task, struct arena *arena, struct bytes text, enum xml_option option)
{
    return check_text(task, arena, text, option, false);
}

struct status xml_is(struct task *task, struct arena *arena, struct bytes text, enum xml_option option, bool constant, bool *is)
{
    const struct status st = check_text(task, arena, text, option, constant);
    *is = !failed(st);
    return st.code == E_INVALID_XML_DOCUMENT || st.code == E_INVALID_XML_CONTENT ? STATUS_OK : st;
}

// --- names and text ----------------------------------------------------------------------------------------------

void xml_escape(struct buffer *out, struct bytes text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        const char *reference = c == '&'    ? "&amp;"
                                : c == '<'  ? "&lt;"
                                : c == '>'  ? "&gt;"
                                : c == '\r' ? "&#x0d;"
                                            : NULL;
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        if (reference == NULL) continue;
        buffer_append(out, text.data + from, i - from);
        buffer_append_string(out, reference);
        from = i + 1;
    }
    buffer_append(out, text.data + from, text.size - from);
}

const char *xml_name(struct arena *arena, const char *identifier, bool whole, bool period)
{
    struct buffer out;
    const struct bytes all = bytes_of_string(identifier);
    buffer_init(&out, arena);
    for (size_t at = 0, size; at < all.size; at += size) {
        const struct bytes rest = bytes_skip(all, at);
        const unsigned c = next_character(rest, &size);
        const bool escaped = at == 0 ? !is_name_start(c) : !is_name_part(c);
        if (c == ':' && (at == 0 || whole)) {
            buffer_append_string(&out, "_x003A_");
        } else if (c == '_' && rest.size > 1 && rest.data[1] == 'x') {
            buffer_append_string(&out, "_x005F_");
        } else if (whole && at == 0 && strncasecmp(identifier, "xml", 3) == 0) {
            buffer_append_string(&out, *identifier == 'x' ? "_x0078_" : "_x0058_");
        } else if (period && c == '.') {
            buffer_append_string(&out, "_x002E_");
        } else if (escaped) {
            buffer_printf(&out, "_x%04X_", c);
        } else {
            buffer_append(&out, rest.data, size);
        }
    }
    return buffer_string(&out);
}

static bool read_hex(const char *text, unsigned *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        *value = *value * 16 + (unsigned)digit;
    }
    return text[4] == '_';
}

const char *xml_name_to_sql(struct arena *arena, const char *name)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (const char *at = name; *at != 0; at++) {
        unsigned value;
        if (at[0] == '_' && at[1] == 'x' && read_hex(at + 2, &value)) {
            utf8_append(&out, value);
            at += 6;
        } else {
            buffer_append_u8(&out, (uint8_t)*at);
        }
    }
    return buffer_string(&out);
}
