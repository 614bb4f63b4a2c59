// SPDX-License-Identifier: GPL-3.0-or-later
//
// XML from arbitrary bytes: texts that are read, printed and asked by XPath, names there and back. Everything fails with a status or
// gives a value that prints.
#include <stddef.h>

#include "core/invariant.h"
#include "sql/function/function.h"
#include "sql/type/type_ops.h"
#include "sql/type/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_xml(struct arena *arena, struct bytes text)
{
    struct buffer out;
    bool content, document;
    buffer_init(&out, arena);
    if (failed(type_check_utf8(arena, text))) return;
    invariant(!failed(xml_is(NULL, arena, text, XML_CONTENT, false, &content)));
    invariant(!failed(xml_is(NULL, arena, text, XML_DOCUMENT, false, &document)));
    xml_print(&out, text, NULL);
    xml_print(&out, text, "LATIN1");
    xml_escape(&out, text);
}

static void receive_xml(struct arena *arena, struct bytes binary)
{
    struct datum value;
    struct buffer out;
    buffer_init(&out, arena);
    if (failed(type_receive(arena, TYPE_OF(TYPE_XML), binary, &value))) return;
    type_send(&out, TYPE_XML, value);
}

// The path, a zero byte, the document.
static void ask(struct arena *arena, struct bytes text, bool exists)
{
    const uint8_t *end = memchr(text.data, 0, text.size);
    if (end == NULL) return;
    const struct bytes path = bytes_of(text.data, (size_t)(end - text.data));
    const struct bytes xml = bytes_skip(text, path.size + 1);
    if (failed(type_check_utf8(arena, path)) || failed(type_check_utf8(arena, xml))) return;
    const struct function *function = function_by_oid(FUNCTION_SCALAR, exists ? 3050 : 2932);
    const type_oid oids[2] = {TYPE_TEXT, TYPE_XML};
    const struct type types[2] = {TYPE_OF(oids[0]), TYPE_OF(oids[1])};
    struct function_call call = {.function = function, .arena = arena, .state_arena = arena, .context = &type_context_default,
        .arg_types = types, .arg_count = 2, .result_type = TYPE_OF(function->result), .folding = true};
    const struct datum args[2] = {datum_bytes(path), datum_bytes(xml)};
    struct datum result = {0};
    struct buffer out;
    buffer_init(&out, arena);
    if (!failed(function->fn(&call, args, &result)) && !result.null) type_output(&out, NULL, function->result, result);
}

static void name(struct arena *arena, struct bytes text)
{
    if (failed(type_check_utf8(arena, text))) return;
    const char *identifier = arena_string(arena, text);
    const char *mapped = xml_name(arena, identifier, true, true);
    struct buffer element;
    buffer_init(&element, arena);
    invariant(text.size != 0 || *mapped == 0);
    (void)xml_name_to_sql(arena, identifier);
    if (text.size == 0) return;
    // What a name has become is a name.
    bool good;
    buffer_printf(&element, "<%s/>", mapped);
    invariant(!failed(xml_is(NULL, arena, buffer_bytes(&element), XML_DOCUMENT, false, &good)) && good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    if (size < 1 || size > 65536) return 0;
    function_register_builtin();
    arena_init(&arena, NULL);
    const struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0: read_xml(&arena, rest); break;
    case 1: receive_xml(&arena, rest); break;
    case 2:
    case 3: ask(&arena, rest, data[0] % 5 == 3); break;
    case 4: name(&arena, rest.size > 200 ? bytes_of(rest.data, 200) : rest); break;
    }
    arena_fini(&arena);
    return 0;
}
