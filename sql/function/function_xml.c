// SPDX-License-Identifier: GPL-3.0-or-later
//
// XML out of SQL values: XMLELEMENT and its kin, xmlagg.
#include "sql/function/function_xml.h"

#include <strings.h>

#include "core/text.h"
#include "core/work.h"
#include "sql/function/function_table.h"
#include "sql/parse/ast.h"
#include "sql/type/array.h"
#include "sql/type/datetime.h"
#include "sql/type/xml.h"

#define BASE64_LINE 54u // Bytes that a line of base64 has.

// --- values ------------------------------------------------------------------------------------------------------

static void put_base64(struct buffer *out, struct bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        const size_t left = bytes.size - i;
        const uint32_t group = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                               (left > 2 ? bytes.data[i + 2] : 0);
        if (i > 0 && i % BASE64_LINE == 0) buffer_append(out, "\r\n", 2);
        for (uint32_t k = 0; k < 4; k++)
            buffer_append_u8(out, (uint8_t)(k <= left ? digits[group >> (18 - 6 * k) & 63] : '='));
        if (i % WORK_BYTES < 3 && !task_goes_on(WORK_BYTES)) return;
    }
}

static void put_hex(struct buffer *out, struct bytes bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t *at = buffer_reserve(out, 2);
        at[0] = (uint8_t)digits[bytes.data[i] >> 4];
        at[1] = (uint8_t)digits[bytes.data[i] & 15];
        out->size += 2;
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
    }
}

static struct status infinite(struct function_call *call, const char *type)
{
    const struct status st = status_format(call->arena, E_DATETIME_OVERFLOW, "%s out of range", type);
    return status_detail(call->arena, st, "XML does not support infinite %s values.", type);
}

// As XML Schema has it: 2001-02-03T04:05:06+07:00.
static void put_moment(struct buffer *out, const struct type_context *context, type_oid type, struct datum value)
{
    struct type_context iso = *context;
    const size_t start = out->size;
    iso.date_style = DATE_STYLE_ISO;
    type_output(out, &iso, type, value);
    uint8_t *space = memchr(out->data + start, ' ', out->size - start);
    if (type == TYPE_DATE || space == NULL) return;
    *space = 'T';
    if (type != TYPE_TIMESTAMPTZ) return;
    // The zone's minutes are told, if they are none, too.
    size_t end = out->size;
    const bool before_christ = end - start > 3 && memcmp(out->data + end - 3, " BC", 3) == 0;
    if (before_christ) end -= 3;
    if (out->data[end - 3] != '+' && out->data[end - 3] != '-') return;
    out->size = end;
    buffer_append_string(out, before_christ ? ":00 BC" : ":00");
}

static struct status put_array(struct function_call *call, struct buffer *out, struct datum value);

// `escaped`: as content of an element; an attribute's value is escaped as a whole.
static struct status put_value(struct function_call *call, struct buffer *out, type_oid type, struct datum value, bool escaped)
{
    const struct type_context *context = function_context(call);
    struct buffer text;
    if (type_is_array(type) && type != TYPE_INT2VECTOR && type != TYPE_OIDVECTOR) return put_array(call, out, value);
    switch (type) {
    case TYPE_BOOL: buffer_append_string(out, value.boolean ? "true" : "false"); break;
    case TYPE_DATE:
        if (value.integer == DATE_INFINITY || value.integer == DATE_MINUS_INFINITY) return infinite(call, "date");
        put_moment(out, context, type, value);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        if (value.integer == TIMESTAMP_INFINITY || value.integer == TIMESTAMP_MINUS_INFINITY)
            return infinite(call, "timestamp");
        put_moment(out, context, type, value);
        break;
    case TYPE_BYTEA:
        if (context->xml_binary == XML_BINARY_HEX) put_hex(out, datum_as_bytes(value));
        else put_base64(out, datum_as_bytes(value));
        break;
    case TYPE_XML: xml_print(out, datum_as_bytes(value), NULL); break;
    default:
        buffer_init(&text, call->arena);
        type_output(escaped ? &text : out, context, type == TYPE_UNKNOWN ? TYPE_TEXT : type, value);
        if (escaped) xml_escape(out, buffer_bytes(&text));
    }
    if (out->size > FUNCTION_BYTES_MAX) return function_no_memory(out->size);
    return out->size > ARENA_UNCHECKED_BYTES ? arena_check(call->arena) : STATUS_OK;
}

static struct status put_array(struct function_call *call, struct buffer *out, struct datum value)
{
    struct status st;
    struct array array;
    struct datum item;
    TRY(array_open(value, &array));
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (item.null) continue;
        const size_t start = out->size;
        buffer_append_string(out, "<element>");
        TRY(put_value(call, out, array.element, item, true));
        buffer_append_string(out, "</element>");
        TRY(function_work(call, out->size - start));
    }
out:
    return st;
}

// An attribute's value: what is not ASCII is a reference, too.
static void put_attribute(struct buffer *out, struct bytes text)
{
    for (size_t at = 0, size; at < text.size; at += size) {
        const uint8_t c = text.data[at];
        size = 1;
        if (at % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        if (c >= 0x80) {
            size = utf8_size_of(c);
            if (size > text.size - at) return;
            buffer_printf(out, "&#x%X;", utf8_decode(text.data + at));
            continue;
        }
        switch (c) {
        case '<': buffer_append_string(out, "&lt;"); break;
        case '>': buffer_append_string(out, "&gt;"); break;
        case '&': buffer_append_string(out, "&amp;"); break;
        case '"': buffer_append_string(out, "&quot;"); break;
        case '\t':
        case '\n':
        case '\r': buffer_printf(out, "&#%d;", c); break;
        default: buffer_append_u8(out, c);
        }
    }
}

static void put_name(struct buffer *out, struct datum name)
{
    buffer_append_bytes(out, datum_as_bytes(name));
}

BODY(make_element)
{
    struct status st = STATUS_OK;
    struct buffer out, value;
    const uint32_t content = 2 + 2 * (uint32_t)args[1].integer;
    bool any = false;
    buffer_init(&out, call->arena);
    buffer_append_u8(&out, '<');
    put_name(&out, args[0]);
    for (uint32_t i = 2; i < content; i += 2) {
        if (args[i + 1].null) continue;
        buffer_init(&value, call->arena);
        TRY(put_value(call, &value, call->arg_types[i + 1].oid, args[i + 1], false));
        buffer_append_u8(&out, ' ');
        put_name(&out, args[i]);
        buffer_append_string(&out, "=\"");
        put_attribute(&out, buffer_bytes(&value));
        buffer_append_u8(&out, '"');
    }
    for (uint32_t i = content; i < call->arg_count; i++) {
        if (args[i].null) continue;
        if (!any) buffer_append_u8(&out, '>');
        any = true;
        TRY(put_value(call, &out, call->arg_types[i].oid, args[i], true));
    }
    buffer_append_string(&out, any ? "</" : "/>");
    if (any) {
        put_name(&out, args[0]);
        buffer_append_u8(&out, '>');
    }
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

BODY(make_forest)
{
    struct status st = STATUS_OK;
    struct buffer out;
    *result = DATUM_NULL;
    buffer_init(&out, call->arena);
    for (uint32_t i = 0; i < call->arg_count; i += 2) {
        if (args[i + 1].null) continue;
        buffer_append_u8(&out, '<');
        put_name(&out, args[i]);
        buffer_append_u8(&out, '>');
        TRY(put_value(call, &out, call->arg_types[i + 1].oid, args[i + 1], true));
        buffer_append_string(&out, "</");
        put_name(&out, args[i]);
        buffer_append_u8(&out, '>');
        *result = datum_bytes(buffer_bytes(&out));
    }
out:
    return st;
}

// --- concatenation -----------------------------------------------------------------------------------------------

// Values one behind the other. Their declarations become one, of what all of them say alike.
struct concatenation {
    struct buffer text;
    struct datum first; // Alone it stays as it is.
    uint32_t count;
    struct bytes version; // Of the first.
    bool versions_differ; // Or there are none.
    int standalone;
};

static struct status concatenate(struct function_call *call, struct concatenation *all, struct datum value)
{
    const struct bytes text = datum_as_bytes(value);
    const struct xml_declaration declaration = xml_declaration_read(text);
    if (all->count++ == 0) {
        buffer_init(&all->text, call->arena);
        all->standalone = 1;
        all->version = arena_copy(call->arena, declaration.version);
    }
    if (declaration.standalone == 0 && all->standalone == 1) all->standalone = 0;
    if (declaration.standalone < 0) all->standalone = -1;
    all->versions_differ |= declaration.version.data == NULL || !bytes_equal(declaration.version, all->version);
    if (all->text.size + text.size > FUNCTION_BYTES_MAX) return function_no_memory(all->text.size + text.size);
    task_append(&all->text, bytes_skip(text, declaration.size));
    return text.size > ARENA_UNCHECKED_BYTES ? arena_check(call->arena) : STATUS_OK;
}

static void concatenated(struct function_call *call, const struct concatenation *all, struct datum *result)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    const struct bytes none = {0};
    *result = datum_bytes(buffer_bytes(&all->text));
    if (all->versions_differ && all->standalone < 0) return;
    if (!xml_declaration_print(&out, all->versions_differ ? none : all->version, NULL, all->standalone)) return;
    task_append(&out, buffer_bytes(&all->text));
    *result = datum_bytes(buffer_bytes(&out));
}

BODY(make_concat)
{
    struct status st = STATUS_OK;
    struct concatenation all = {0};
    for (uint32_t i = 0; i < call->arg_count; i++)
        if (!args[i].null) TRY(concatenate(call, &all, args[i]));
    if (all.count > 0) concatenated(call, &all, result);
    else *result = DATUM_NULL;
out:
    return st;
}

// As xmlconcat of two: one that is alone stays as it is.
BODY(concat_two)
{
    if (!args[0].null && !args[1].null) return make_concat(call, args, result);
    *result = args[args[0].null ? 1 : 0];
    return STATUS_OK;
}

static struct status agg_step(struct function_call *call, void *state, const struct datum *args)
{
    struct concatenation *all = state;
    if (all->count == 0) {
        all->first = args[0];
        const struct bytes copy = task_copy(call->arena, datum_as_bytes(args[0]));
        all->first = datum_bytes(copy);
    }
    return concatenate(call, all, args[0]);
}

static struct status agg_final(struct function_call *call, void *state, struct datum *result)
{
    const struct concatenation *all = state;
    if (all->count == 0) *result = DATUM_NULL;
    else if (all->count == 1) *result = all->first;
    else concatenated(call, all, result);
    return STATUS_OK;
}

static const struct aggregate_ops agg_ops = {.state_bytes = sizeof(struct concatenation), .step = agg_step, .final = agg_final};

// --- the other forms ---------------------------------------------------------------------------------------------

static struct status long_constant(struct function_call *call, struct datum text)
{
    if (!call->folding || text.size <= XML_RUN_SHORT_BYTES) return STATUS_OK;
    return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too long for a constant");
}

static struct status read_as(struct function_call *call, const struct datum *args, enum xml_option option, struct datum *result)
{
    struct status st;
    *result = args[0];
    TRY(long_constant(call, args[0]));
    TRY(xml_check(call->task, call->arena, datum_as_bytes(args[0]), option));
out:
    return st;
}

BODY(make_document)
{
    return read_as(call, args, XML_DOCUMENT, result);
}

BODY(make_content)
{
    return read_as(call, args, XML_CONTENT, result);
}

static struct status bad_instruction(struct function_call *call, uint32_t code, const char *detail)
{
    return status_detail(call->arena, status_make(code, "invalid XML processing instruction"), "%s", detail);
}

BODY(make_instruction)
{
    struct buffer out;
    const struct bytes name = datum_as_bytes(args[0]);
    if (name.size == 3 && strncasecmp((const char *)name.data, "xml", 3) == 0)
        return bad_instruction(call, E_SYNTAX_ERROR, arena_printf(call->arena,
            "XML processing instruction target name cannot be \"%.*s\".", 3, (const char *)name.data));
    *result = DATUM_NULL;
    if (call->arg_count > 1 && args[1].null) return STATUS_OK;
    buffer_init(&out, call->arena);
    buffer_append_string(&out, "<?");
    buffer_append_bytes(&out, name);
    if (call->arg_count > 1) {
        struct bytes text = datum_as_bytes(args[1]);
        if (memmem(text.data, text.size, "?>", 2) != NULL)
            return bad_instruction(call, E_INVALID_XML_PROCESSING_INSTRUCTION, "XML processing instruction cannot contain \"?>\".");
        while (text.size > 0 && *text.data == ' ') text = bytes_skip(text, 1);
        buffer_append_u8(&out, ' ');
        task_append(&out, text);
    }
    buffer_append_string(&out, "?>");
    *result = datum_bytes(buffer_bytes(&out));
    return arena_check(call->arena);
}

BODY(make_root)
{
    const struct bytes text = datum_as_bytes(args[0]);
    struct buffer out;
    *result = DATUM_NULL;
    if (args[0].null) return STATUS_OK;
    const struct xml_declaration declaration = xml_declaration_read(text);
    int standalone = declaration.standalone;
    switch ((enum xml_standalone)args[2].integer) {
    case XML_STANDALONE_YES: standalone = 1; break;
    case XML_STANDALONE_NO: standalone = 0; break;
    case XML_STANDALONE_NO_VALUE: standalone = -1; break;
    case XML_STANDALONE_OMITTED: break;
    }
    buffer_init(&out, call->arena);
    xml_declaration_print(&out, args[1].null ? (struct bytes){0} : datum_as_bytes(args[1]), NULL, standalone);
    task_append(&out, bytes_skip(text, declaration.size));
    *result = datum_bytes(buffer_bytes(&out));
    return arena_check(call->arena);
}

BODY(is_document)
{
    return xml_is(call->task, call->arena, datum_as_bytes(args[0]), XML_DOCUMENT, call->folding, &result->boolean);
}

BODY(text_of_document)
{
    struct status st;
    TRY(is_document(call, args, result));
    if (!result->boolean) return status_make(E_NOT_AN_XML_DOCUMENT, "not an XML document");
    *result = args[0];
out:
    return st;
}

BODY(text_of_content)
{
    (void)call;
    *result = args[0];
    return STATUS_OK;
}

BODY(not_null)
{
    *result = args[0];
    if (!args[0].null) return STATUS_OK;
    return status_format(call->arena, E_NULL_VALUE_NOT_ALLOWED, "null is not allowed in column \"%.*s\"", (int)args[1].size,
        (const char *)args[1].data);
}

#define FORM(name_, word, fn_, result_, strict_, volatility_) \
    const struct function name_ = {.name = word, .kind = FUNCTION_SCALAR, .result = result_, .strict = strict_, \
        .volatility = volatility_, .fn = fn_}
FORM(xml_make_concat, "xmlconcat", make_concat, TYPE_XML, false, FUNCTION_IMMUTABLE);
FORM(xml_make_element, "xmlelement", make_element, TYPE_XML, false, FUNCTION_IMMUTABLE);
FORM(xml_make_element_stable, "xmlelement", make_element, TYPE_XML, false, FUNCTION_STABLE);
FORM(xml_make_forest, "xmlforest", make_forest, TYPE_XML, false, FUNCTION_IMMUTABLE);
FORM(xml_make_forest_stable, "xmlforest", make_forest, TYPE_XML, false, FUNCTION_STABLE);
FORM(xml_make_document, "xmlparse", make_document, TYPE_XML, true, FUNCTION_IMMUTABLE);
FORM(xml_make_content, "xmlparse", make_content, TYPE_XML, true, FUNCTION_IMMUTABLE);
FORM(xml_make_instruction, "xmlpi", make_instruction, TYPE_XML, false, FUNCTION_IMMUTABLE);
FORM(xml_make_root, "xmlroot", make_root, TYPE_XML, false, FUNCTION_IMMUTABLE);
FORM(xml_text_of_document, "xmlserialize", text_of_document, TYPE_TEXT, true, FUNCTION_IMMUTABLE);
FORM(xml_text_of_content, "xmlserialize", text_of_content, TYPE_TEXT, true, FUNCTION_IMMUTABLE);
FORM(xml_is_document, "is document", is_document, TYPE_BOOL, true, FUNCTION_IMMUTABLE);
FORM(xml_not_null, "xmltable", not_null, TYPE_ANYELEMENT, false, FUNCTION_IMMUTABLE);

// --- functions by name -------------------------------------------------------------------------------------------

BODY(make_comment)
{
    struct buffer out;
    const struct bytes text = datum_as_bytes(args[0]);
    if ((text.size > 0 && text.data[text.size - 1] == '-') || memmem(text.data, text.size, "--", 2) != NULL)
        return status_make(E_INVALID_XML_COMMENT, "invalid XML comment");
    buffer_init(&out, call->arena);
    buffer_append_string(&out, "<!--");
    task_append(&out, text);
    buffer_append_string(&out, "-->");
    *result = datum_bytes(buffer_bytes(&out));
    return arena_check(call->arena);
}

static struct status well_formed(struct function_call *call, const struct datum *args, enum xml_option option, struct datum *result)
{
    return xml_is(call->task, call->arena, datum_as_bytes(args[0]), option, call->folding, &result->boolean);
}

BODY(is_well_formed)
{
    return well_formed(call, args, function_context(call)->xml_option, result);
}

BODY(is_well_formed_document)
{
    return well_formed(call, args, XML_DOCUMENT, result);
}

BODY(is_well_formed_content)
{
    return well_formed(call, args, XML_CONTENT, result);
}

BODY(validate)
{
    (void)args, (void)result;
    return status_format(call->arena, E_FEATURE_NOT_SUPPORTED, "xmlvalidate is not implemented");
}

static const struct function functions[] = {
    SCALAR("xmlcomment", 2895, XML, make_comment, TYPE_TEXT),
    SCALAR("xmlvalidate", 2897, BOOL, validate, TYPE_XML, TYPE_TEXT),
    LAX("xmlconcat2", 2900, XML, concat_two, TYPE_XML, TYPE_XML),
    STABLE("xml_is_well_formed", 3051, BOOL, is_well_formed, TYPE_TEXT),
    SCALAR("xml_is_well_formed_document", 3052, BOOL, is_well_formed_document, TYPE_TEXT),
    SCALAR("xml_is_well_formed_content", 3053, BOOL, is_well_formed_content, TYPE_TEXT),
    AGGREGATE("xmlagg", 2901, XML, &agg_ops, TYPE_XML),
};

void functions_xml_register(void)
{
    xml_run_init();
    function_register(functions, TABLE_COUNT(functions));
}
