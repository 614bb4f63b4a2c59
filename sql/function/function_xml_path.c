// SPDX-License-Identifier: GPL-3.0-or-later
//
// XPath over XML: xpath, xpath_exists, xmlexists, and the rows of XMLTABLE.
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpathInternals.h>

#include "sql/function/function_table.h"
#include "sql/function/function_xml.h"
#include "sql/session/session.h"
#include "sql/type/array.h"
#include "sql/type/xml.h"

// --- in the library ------------------------------------------------------------------------------------------------

struct name_space {
    struct bytes name, uri; // With a NUL behind each.
};

// A document and what is asked of it.
struct question {
    struct bytes text; // Without its declaration, which might tell of another encoding.
    struct name_space *spaces;
    uint32_t space_count;
    xmlDoc *document;
    xmlXPathContext *context;
};

static void open_document(struct xml_run *run, struct question *question)
{
    run->strict = true;
    xmlParserCtxtPtr parser = xmlNewParserCtxt();
    question->document = xmlCtxtReadMemory(parser, (const char *)question->text.data, (int)question->text.size, NULL, NULL, 0);
    if (question->document == NULL || run->error_occurred) {
        xml_run_fail(run, E_INVALID_XML_DOCUMENT, "could not parse XML document");
        return;
    }
    xmlXPathOrderDocElems(question->document);
    question->context = xmlXPathNewContext(question->document);
    question->context->node = (xmlNode *)question->document;
    xml_run_bound(run, question->context);
}

static void copy_text(struct xml_run *run, xmlChar *text, bool escaped, struct bytes *out)
{
    struct buffer buffer;
    *out = xml_run_copy(run, text, text == NULL ? 0 : strlen((const char *)text));
    if (!escaped) return;
    buffer_init(&buffer, run->arena);
    xml_escape(&buffer, *out);
    *out = buffer_bytes(&buffer);
}

// A node as XML: with the namespaces that it is within; of texts and attributes the value.
static void copy_node(struct xml_run *run, xmlNode *node, struct bytes *out)
{
    if (node->type == XML_ATTRIBUTE_NODE || node->type == XML_TEXT_NODE) {
        xmlChar *text = xmlXPathCastNodeToString(node);
        copy_text(run, text, true, out);
        xmlFree(text);
        return;
    }
    *out = bytes_of("", 0);
    xmlNode *copy = xmlCopyNode(node, 1);
    xmlBuffer *buffer = xmlBufferCreate();
    if (copy == NULL || xmlNodeDump(buffer, NULL, copy, 0, 0) < 0 || run->error_occurred)
        xml_run_fail(run, E_INTERNAL, "could not dump node");
    else
        *out = xml_run_copy(run, xmlBufferContent(buffer), (size_t)xmlBufferLength(buffer));
    xmlBufferFree(buffer);
    if (copy != NULL && copy->type == XML_DOCUMENT_NODE) xmlFreeDoc((xmlDoc *)copy);
    else if (copy != NULL) xmlFreeNode(copy);
}

static xmlXPathCompExpr *compile(struct xml_run *run, struct question *question, struct bytes path, uint32_t code)
{
    xmlXPathCompExpr *expression = xmlXPathCtxtCompile(question->context, path.data);
    if (expression != NULL && !run->error_occurred) return expression;
    xml_run_fail(run, code, "invalid XPath expression");
    return NULL;
}

static xmlXPathObject *evaluate(struct xml_run *run, struct question *question, xmlXPathCompExpr *expression)
{
    xmlXPathObject *object = xmlXPathCompiledEval(expression, question->context);
    if (object != NULL && !run->error_occurred) return object;
    xml_run_fail(run, E_INTERNAL, "could not create XPath object");
    return NULL;
}

// --- xpath -------------------------------------------------------------------------------------------------------

struct path_work {
    struct question question;
    struct bytes path;
    bool exists; // Only that is asked.
    bool found;
    struct bytes *items;
    uint32_t count;
};

static void register_spaces(struct xml_run *run, struct question *question)
{
    for (uint32_t i = 0; i < question->space_count && !failed(run->st); i++) {
        const struct name_space *space = &question->spaces[i];
        if (xmlXPathRegisterNs(question->context, space->name.data, space->uri.data) == 0) continue;
        run->st = status_format(run->arena, E_INTERNAL, "could not register XML namespace with name \"%s\" and URI \"%s\"",
            (const char *)space->name.data, (const char *)space->uri.data);
    }
}

static void take_items(struct xml_run *run, struct path_work *work, const xmlXPathObject *object)
{
    if (object->type == XPATH_NODESET) {
        const xmlNodeSet *nodes = object->nodesetval;
        work->count = nodes == NULL ? 0 : (uint32_t)nodes->nodeNr;
        work->found = work->count > 0;
        if (work->exists || !work->found) return;
        work->items = arena_try_alloc(run->arena, work->count * sizeof *work->items);
        if (work->items == NULL) {
            run->st = status_make(E_OUT_OF_MEMORY, "out of memory");
            return;
        }
        for (uint32_t i = 0; i < work->count && !failed(run->st); i++) copy_node(run, nodes->nodeTab[i], &work->items[i]);
        return;
    }
    work->found = true;
    work->count = 1;
    if (work->exists) return;
    work->items = ARENA_NEW(run->arena, struct bytes);
    switch (object->type) {
    case XPATH_BOOLEAN: work->items[0] = object->boolval ? BYTES_LITERAL("true") : BYTES_LITERAL("false"); break;
    case XPATH_NUMBER: {
        struct buffer out;
        buffer_init(&out, run->arena);
        type_output(&out, NULL, TYPE_FLOAT8, datum_real(object->floatval));
        work->items[0] = buffer_bytes(&out);
        break;
    }
    case XPATH_STRING: copy_text(run, object->stringval, true, &work->items[0]); break;
    default:
        run->st = status_format(run->arena, E_INTERNAL, "xpath expression result type %d is unsupported", (int)object->type);
    }
}

static void path_body(struct xml_run *run, void *arg)
{
    struct path_work *work = arg;
    xmlXPathCompExpr *expression = NULL;
    xmlXPathObject *object = NULL;
    open_document(run, &work->question);
    if (!failed(run->st)) register_spaces(run, &work->question);
    if (!failed(run->st)) expression = compile(run, &work->question, work->path, E_INTERNAL);
    if (!failed(run->st)) object = evaluate(run, &work->question, expression);
    if (!failed(run->st)) take_items(run, work, object);
    // What the library has made is freed with the run.
}

static struct status spaces_of(struct function_call *call, struct xml_run *run, struct datum value, struct question *question)
{
    struct status st;
    struct array array;
    struct datum item;
    TRY(array_open(value, &array));
    if (array.dimensions == 0) return st;
    if (array.dimensions != 2 || array.length[1] != 2)
        return status_detail(call->arena, status_make(E_DATA_EXCEPTION, "invalid array for XML namespace mapping"),
            "The array must be two-dimensional with length of the second axis equal to 2.");
    question->space_count = array.count / 2;
    question->spaces = ARENA_ARRAY(run->arena, struct name_space, question->space_count);
    uint32_t at = 0;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item); at++) {
        struct name_space *space = &question->spaces[at / 2];
        if (item.null) return status_make(E_NULL_VALUE_NOT_ALLOWED, "neither namespace name nor URI may be null");
        TRY(xml_run_text(run, datum_as_bytes(item), at % 2 == 0 ? &space->name : &space->uri));
    }
out:
    return st;
}

static struct bytes without_declaration(struct bytes text)
{
    return bytes_skip(text, xml_declaration_read(text).size);
}

static void tell_warnings(struct function_call *call, const struct buffer *warnings)
{
    for (size_t at = 0; call->session != NULL && !call->folding && at < warnings->size;) {
        const char *text = (const char *)warnings->data + at;
        session_notice(call->session, "WARNING", status_format(&call->session->statement_arena, SQLSTATE('0', '1', '0', '0', '0'), "%s", text));
        at += strlen(text) + 1;
    }
}

static struct status run_path(struct function_call *call, const struct datum *args, bool exists, struct path_work **out)
{
    struct status st = STATUS_OK;
    struct xml_run *run = xml_run_begin(call->arena);
    struct path_work *work = *out = ARENA_NEW(run->arena, struct path_work);
    const struct bytes text = without_declaration(datum_as_bytes(args[1]));
    struct buffer warnings;
    buffer_init(&warnings, call->arena);
    run->told = &warnings;
    run->no_wait = call->folding;
    work->exists = exists;
    if (call->arg_count > 2) TRY(spaces_of(call, run, args[2], &work->question));
    if (args[0].size == 0) TRY(status_make(E_DATA_EXCEPTION, "empty XPath expression"));
    TRY(xml_run_text(run, datum_as_bytes(args[0]), &work->path));
    TRY(xml_run_text(run, text, &work->question.text));
    st = xml_run_finish(call->task, call->arena, run, path_body, work, text.size + work->path.size);
    run = NULL;
    tell_warnings(call, &warnings);
out:
    if (run != NULL) {
        if (failed(st)) st = status_copy(call->arena, st);
        xml_run_drop(run);
    }
    return st;
}

BODY(path)
{
    struct status st;
    struct path_work *work;
    struct array_builder builder;
    TRY(run_path(call, args, false, &work));
    array_builder_init(&builder, call->arena, TYPE_XML);
    builder.call = call;
    for (uint32_t i = 0; i < work->count; i++) TRY(array_builder_add(&builder, datum_bytes(work->items[i])));
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

BODY(path_exists)
{
    struct path_work *work;
    const struct status st = run_path(call, args, true, &work);
    if (!failed(st)) result->boolean = work->found;
    return st;
}

// --- XMLTABLE ------------------------------------------------------------------------------------------------------

// The plan, and the types that users have made, are not there on a helper.
struct path_column {
    struct bytes path;
    bool asked;             // Else it has no value in the document: FOR ORDINALITY.
    bool as_xml, as_number; // What it becomes.
};

struct table_work {
    struct question question;
    struct bytes row_path;
    struct path_column *columns;
    uint32_t column_count;
    struct bytes *cells; // Row after row.
    uint32_t row_count;
};

struct xml_table;
struct table_state {
    const struct xml_table *table;
    struct table_work *work;
    uint32_t row;
};

// The function of one place in a plan; what its columns are travels with it.
struct xml_table {
    struct function function; // First: the one is the other.
    struct set_ops ops;
    const struct xml_table_column *columns;
    uint32_t count;
};

static void take_nodes(struct xml_run *run, const xmlNodeSet *nodes, bool as_xml, struct bytes *cell)
{
    struct buffer all;
    if (nodes == NULL || nodes->nodeNr == 0) return;
    if (!as_xml) {
        if (nodes->nodeNr > 1) {
            run->st = status_make(E_CARDINALITY_VIOLATION, "more than one value returned by column XPath expression");
            return;
        }
        copy_text(run, xmlXPathCastNodeSetToString((xmlNodeSet *)(uintptr_t)nodes), false, cell);
        return;
    }
    buffer_init(&all, run->arena);
    buffer_reserve(&all, 1); // So that what is empty is not NULL.
    for (int i = 0; i < nodes->nodeNr && !failed(run->st); i++) {
        struct bytes piece;
        copy_node(run, nodes->nodeTab[i], &piece);
        buffer_append_bytes(&all, piece);
    }
    *cell = buffer_bytes(&all);
}

static void take_cell(
    struct xml_run *run, const xmlXPathObject *object, const struct path_column *column, struct bytes *cell)
{
    switch (object->type) {
    case XPATH_NODESET: take_nodes(run, object->nodesetval, column->as_xml, cell); break;
    case XPATH_STRING: copy_text(run, object->stringval, column->as_xml, cell); break;
    case XPATH_BOOLEAN:
        copy_text(run, column->as_number ? xmlXPathCastNumberToString(xmlXPathCastBooleanToNumber(object->boolval))
                              : xmlXPathCastBooleanToString(object->boolval), false, cell);
        break;
    case XPATH_NUMBER: copy_text(run, xmlXPathCastNumberToString(object->floatval), false, cell); break;
    default:
        run->st = status_format(run->arena, E_INTERNAL, "unexpected XPath object type %u", (unsigned)object->type);
    }
}

static void take_rows(struct xml_run *run, struct table_work *work, xmlXPathCompExpr **paths, const xmlNodeSet *rows)
{
    const uint32_t width = work->column_count;
    const uint32_t count = rows == NULL ? 0 : (uint32_t)rows->nodeNr;
    const uint64_t bytes = (uint64_t)count * width * sizeof *work->cells;
    work->cells = arena_try_alloc(run->arena, bytes + 1);
    if (work->cells == NULL) {
        run->st = status_make(E_OUT_OF_MEMORY, "out of memory");
        return;
    }
    memset(work->cells, 0, bytes);
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t i = 0; i < width; i++) {
            if (!work->columns[i].asked) continue;
            work->question.context->node = rows->nodeTab[row];
            xmlXPathObject *object = evaluate(run, &work->question, paths[i]);
            if (failed(run->st)) return;
            take_cell(run, object, &work->columns[i], &work->cells[row * width + i]);
            xmlXPathFreeObject(object);
            if (failed(run->st)) return;
        }
    work->row_count = count;
}

static void table_body(struct xml_run *run, void *arg)
{
    struct table_work *work = arg;
    struct question *question = &work->question;
    xmlXPathCompExpr **paths = ARENA_ARRAY(run->arena, xmlXPathCompExpr *, work->column_count);
    xmlXPathObject *object = NULL;
    work->row_count = 0;
    open_document(run, question);
    if (!failed(run->st)) register_spaces(run, question);
    xmlXPathCompExpr *rows = failed(run->st) ? NULL : compile(run, question, work->row_path, E_SYNTAX_ERROR);
    for (uint32_t i = 0; i < work->column_count && !failed(run->st); i++)
        if (work->columns[i].asked) paths[i] = compile(run, question, work->columns[i].path, E_DATA_EXCEPTION);
    if (!failed(run->st)) object = evaluate(run, question, rows);
    if (!failed(run->st) && object->type == XPATH_NODESET) take_rows(run, work, paths, object->nodesetval);
}

static struct status column_paths(struct function_call *call, struct xml_run *run, const struct xml_table *table,
    struct table_work *work, const struct datum *args)
{
    struct status st = STATUS_OK;
    uint32_t at = 3 + 2 * work->question.space_count;
    work->column_count = table->count;
    work->columns = ARENA_ARRAY(run->arena, struct path_column, table->count);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct xml_table_column *column = &table->columns[i];
        struct datum path = datum_text(column->name);
        if (column->ordinality) continue;
        work->columns[i].asked = true;
        work->columns[i].as_xml = column->type.oid == TYPE_XML;
        work->columns[i].as_number = type_info(column->type.oid)->category == 'N';
        if (column->by_path) path = args[at++];
        if (path.null)
            return status_detail(call->arena, status_make(E_NULL_VALUE_NOT_ALLOWED, "column filter expression must not be null"),
                "Filter for column \"%s\" is null.", column->name);
        if (path.size == 0) return status_make(E_DATA_EXCEPTION, "column path filter must not be empty string");
        TRY(xml_run_text(run, datum_as_bytes(path), &work->columns[i].path));
    }
out:
    return st;
}

static struct status table_spaces(struct xml_run *run, struct question *question, const struct datum *args)
{
    struct status st = STATUS_OK;
    question->space_count = (uint32_t)args[2].integer;
    question->spaces = ARENA_ARRAY(run->arena, struct name_space, question->space_count);
    for (uint32_t i = 0; i < question->space_count; i++) {
        const struct datum name = args[3 + 2 * i], uri = args[4 + 2 * i];
        if (uri.null) return status_make(E_NULL_VALUE_NOT_ALLOWED, "namespace URI must not be null");
        if (name.null) return status_make(E_FEATURE_NOT_SUPPORTED, "DEFAULT namespace is not supported");
        TRY(xml_run_text(run, datum_as_bytes(name), &question->spaces[i].name));
        TRY(xml_run_text(run, datum_as_bytes(uri), &question->spaces[i].uri));
    }
out:
    return st;
}

static struct status table_start(struct function_call *call, void *state_, const struct datum *args)
{
    struct status st = STATUS_OK;
    const struct xml_table *table = (const struct xml_table *)call->function;
    struct table_state *state = state_;
    struct buffer text, warnings;
    if (args[0].null) return st; // No rows.
    struct xml_run *run = xml_run_begin(call->arena);
    buffer_init(&warnings, call->arena);
    run->told = &warnings;
    struct table_work *work = ARENA_NEW(run->arena, struct table_work);
    TRY(table_spaces(run, &work->question, args));
    if (args[1].null) TRY(status_make(E_NULL_VALUE_NOT_ALLOWED, "row filter expression must not be null"));
    if (args[1].size == 0) TRY(status_make(E_DATA_EXCEPTION, "row path filter must not be empty string"));
    TRY(xml_run_text(run, datum_as_bytes(args[1]), &work->row_path));
    TRY(column_paths(call, run, table, work, args));
    buffer_init(&text, run->arena);
    xml_print(&text, datum_as_bytes(args[0]), NULL);
    TRY(xml_run_text(run, buffer_bytes(&text), &work->question.text));
    st = xml_run_finish(call->task, call->arena, run, table_body, work, text.size);
    run = NULL;
    tell_warnings(call, &warnings);
    if (failed(st)) goto out;
    state->work = work;
    state->table = table;
out:
    if (run != NULL) {
        if (failed(st)) st = status_copy(call->arena, st);
        xml_run_drop(run);
    }
    return st;
}

static struct status table_next(struct function_call *call, void *state_, struct datum *row, bool *done)
{
    struct status st = STATUS_OK;
    struct table_state *state = state_;
    struct table_work *work = state->work;
    *done = work == NULL || state->row == work->row_count;
    if (*done) return st;
    const struct bytes *cells = work->cells + (size_t)state->row * work->column_count;
    state->row++;
    for (uint32_t i = 0; i < work->column_count; i++) {
        const struct xml_table_column *column = &state->table->columns[i];
        row[i] = DATUM_NULL;
        if (column->ordinality)
            row[i] = datum_int(state->row);
        else if (cells[i].data != NULL)
            TRY(type_input(call->arena, call->context, column->type, cells[i], &row[i]));
        else if (column->not_null)
            return status_format(call->arena, E_NULL_VALUE_NOT_ALLOWED, "null is not allowed in column \"%s\"", column->name);
        TRY(function_work(call, cells[i].size + 64));
    }
out:
    return st;
}

const struct function *xml_table_function(struct arena *arena, const struct xml_table_column *columns, uint32_t count)
{
    struct xml_table *table = ARENA_NEW(arena, struct xml_table);
    const char **names = ARENA_ARRAY(arena, const char *, count + 1);
    type_oid *types = ARENA_ARRAY(arena, type_oid, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = columns[i].name;
        types[i] = columns[i].type.oid;
    }
    table->columns = columns;
    table->count = count;
    table->ops = (struct set_ops){.column_count = count,
        .column_names = names,
        .column_types = types,
        .state_bytes = sizeof(struct table_state),
        .start = table_start,
        .next = table_next};
    table->function = (struct function){.name = "xmltable",
        .kind = FUNCTION_SET,
        .result = TYPE_RECORD,
        .volatility = FUNCTION_STABLE,
        .set = &table->ops};
    return &table->function;
}

static const struct function functions[] = {
    SCALAR("xpath", 2931, XML_ARRAY, path, TYPE_TEXT, TYPE_XML, TYPE_TEXT_ARRAY),
    SCALAR("xpath", 2932, XML_ARRAY, path, TYPE_TEXT, TYPE_XML),
    SCALAR("xpath_exists", 3049, BOOL, path_exists, TYPE_TEXT, TYPE_XML, TYPE_TEXT_ARRAY),
    SCALAR("xpath_exists", 3050, BOOL, path_exists, TYPE_TEXT, TYPE_XML),
    SCALAR("xmlexists", 2614, BOOL, path_exists, TYPE_TEXT, TYPE_XML),
};

void functions_xml_path_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
