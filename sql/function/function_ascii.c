// SPDX-License-Identifier: GPL-3.0-or-later
//
// to_ascii: letters of four encodings without their marks. As in PostgreSQL, bytes of the text are taken for characters of the
// encoding, whatever the database's is: of UTF-8 each byte of a character gives one of its own.
#include "core/work.h"
#include "sql/function/function_table.h"
#include "sql/type/encoding.h"

#define FIRST 0x80u // What comes before is ASCII.

static const struct letters {
    const char *encoding, *plain; // For each byte from FIRST on that UTF-8 has.
} tables[] = {
    {"LATIN1", "                                  cL Y  \"Ca  -R     'u .,      ?"
        "  AAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooo"},
    {"LATIN2", "                                 A L LS \"SSTZ-ZZ a,l'ls ,sstz\"zz"
        "  AAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoo"},
    {"LATIN9", "                                  cL YS sCa  -R     Zu .z   EeY?"
        "  AAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooo"},
    {"WIN1250", "  ' \"    %S<STZZ `'\"\".--  s>stzz   L A  \"CS  -RZ  ,l'u .,as L\"lz"
        "  AAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoo"},
};

static struct status without_marks(
    struct function_call *call, int32_t encoding, struct datum text, struct datum *result)
{
    const char *plain = NULL, *name = encoding_name(encoding);
    for (unsigned i = 0; i < TABLE_COUNT(tables); i++)
        if (strcmp(tables[i].encoding, name) == 0) plain = tables[i].plain;
    if (plain == NULL)
        return status_format(call->arena, E_FEATURE_NOT_SUPPORTED,
            "encoding conversion from %s to ASCII not supported", name);
    uint8_t *data = function_room(call, (uint64_t)text.size + 1);
    if (data == NULL) return function_no_memory(text.size);
    const size_t known = strlen(plain);
    for (uint32_t i = 0; i < text.size; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) break;
        uint8_t byte = text.data[i];
        size_t at = (size_t)byte - FIRST;
        data[i] = byte < FIRST ? byte : at < known ? (uint8_t)plain[at] : ' ';
    }
    *result = datum_bytes(bytes_of(data, text.size));
    return function_work(call, text.size);
}

BODY(of_database)
{
    return without_marks(call, ENCODING_UTF8, args[0], result);
}

BODY(of_number)
{
    if (args[1].integer < 0 || args[1].integer >= ENCODING_COUNT)
        return status_format(call->arena, E_UNDEFINED_OBJECT, "%d is not a valid encoding code",
            (int)args[1].integer);
    return without_marks(call, (int32_t)args[1].integer, args[0], result);
}

BODY(of_name)
{
    int32_t encoding = encoding_find(datum_as_bytes(args[1]));
    if (encoding < 0)
        return status_format(call->arena, E_UNDEFINED_OBJECT, "%s is not a valid encoding name",
            arena_string(call->arena, datum_as_bytes(args[1])));
    return without_marks(call, encoding, args[0], result);
}

static const struct function table[] = {
    SCALAR("to_ascii", 1845, TEXT, of_database, TYPE_TEXT),
    SCALAR("to_ascii", 1846, TEXT, of_number, TYPE_TEXT, TYPE_INT4),
    SCALAR("to_ascii", 1847, TEXT, of_name, TYPE_TEXT, TYPE_NAME),
};

void functions_ascii_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
