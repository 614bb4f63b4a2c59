// SPDX-License-Identifier: GPL-3.0-or-later
//
// xml as a type.
#include "core/task.h"
#include "core/work.h"
#include "sql/type/encoding.h"
#include "sql/type/type_ops.h"
#include "sql/type/xml.h"

// Input may yield, as that of json.
static struct status read_xml(struct arena *arena, const struct type_context *context, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    TRY(type_check_utf8(arena, text));
    TRY(xml_check(task_current(), arena, text, context->xml_option));
    uint8_t *copy = arena_try_alloc(arena, text.size);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    (void)task_copy_to(copy, text);
    *value = datum_bytes(bytes_of(copy, text.size));
out:
    return st;
}

static struct status xml_input(struct arena *arena, const struct type_context *context, struct type type,
    struct bytes text, struct datum *value)
{
    (void)type;
    return read_xml(arena, context, text, value);
}

static void xml_output(struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    xml_print(out, datum_as_bytes(value), NULL);
}

// In the encoding that it declares, else in UTF-8, whatever the client's is.
static struct status xml_receive(struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    const struct xml_declaration declaration = xml_declaration_read(binary);
    (void)type;
    if (declaration.error == 0 && declaration.encoding.data != NULL) {
        const int32_t encoding = encoding_find(declaration.encoding);
        if (encoding < 0)
            return status_format(arena, E_INVALID_PARAMETER_VALUE, "invalid encoding name \"%s\"",
                arena_string(arena, declaration.encoding));
        if (encoding != ENCODING_UTF8 && encoding != ENCODING_SQL_ASCII) {
            const struct status st = encoding_to_utf8(arena, encoding, binary, &binary);
            if (failed(st)) return st;
        }
    }
    return read_xml(arena, &type_context_default, binary, value);
}

static void xml_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    xml_print(out, datum_as_bytes(value), NULL);
}

// xml has no equality in SQL.
const struct type_ops type_ops_xml = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = xml_input,
    .output = xml_output,
    .receive = xml_receive,
    .send = xml_send};
