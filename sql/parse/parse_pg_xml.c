// SPDX-License-Identifier: GPL-3.0-or-later
//
// XMLELEMENT and its kin, IS DOCUMENT and XMLTABLE out of libpg_query's tree.
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name

static struct expr *new_xml(struct convert *convert, enum xml_form form, int32_t location)
{
    struct expr *expr = convert_new(convert, EXPR_XML, location);
    expr->xml = ARENA_NEW(convert->arena, struct xml_expr);
    expr->xml->form = form;
    expr->xml->standalone = XML_STANDALONE_OMITTED;
    return expr;
}

static enum xml_form form_of(PgQuery__XmlExprOp op)
{
    switch (op) {
    case PG_QUERY__XML_EXPR_OP__IS_XMLCONCAT: return XML_FORM_CONCAT;
    case PG_QUERY__XML_EXPR_OP__IS_XMLELEMENT: return XML_FORM_ELEMENT;
    case PG_QUERY__XML_EXPR_OP__IS_XMLFOREST: return XML_FORM_FOREST;
    case PG_QUERY__XML_EXPR_OP__IS_XMLPARSE: return XML_FORM_PARSE;
    case PG_QUERY__XML_EXPR_OP__IS_XMLPI: return XML_FORM_PI;
    case PG_QUERY__XML_EXPR_OP__IS_XMLROOT: return XML_FORM_ROOT;
    default: return XML_FORM_IS_DOCUMENT;
    }
}

static void convert_named(struct convert *convert, struct xml_expr *xml, size_t count, PgQuery__Node **nodes)
{
    xml->named = ARENA_ARRAY(convert->arena, struct xml_named, count);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(RES_TARGET)) continue;
        const PgQuery__ResTarget *target = nodes[i]->res_target;
        struct xml_named *named = &xml->named[xml->named_count++];
        named->name = convert_string(convert, target->name);
        named->position = convert_position(convert, target->location);
        named->value = convert_expr(convert, target->val);
    }
}

// What the grammar says by a constant that nobody has written.
static int32_t integer_of(const PgQuery__Node *node)
{
    if (node->node_case != NODE(A_CONST) || node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) return 0;
    return node->a_const->ival->ival;
}

static bool bool_of(const PgQuery__Node *node)
{
    if (node->node_case == NODE(TYPE_CAST)) return bool_of(node->type_cast->arg);
    return node->node_case == NODE(A_CONST) && node->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL &&
           node->a_const->boolval->boolval;
}

struct expr *convert_xml(struct convert *convert, const PgQuery__XmlExpr *node)
{
    static const enum xml_standalone standalones[] = {
        XML_STANDALONE_YES, XML_STANDALONE_NO, XML_STANDALONE_NO_VALUE, XML_STANDALONE_OMITTED};
    struct expr *expr = new_xml(convert, form_of(node->op), node->location);
    struct xml_expr *xml = expr->xml;
    size_t count = node->n_args;
    xml->name = convert_string(convert, node->name);
    xml->document = node->xmloption == PG_QUERY__XML_OPTION_TYPE__XMLOPTION_DOCUMENT;
    convert_named(convert, xml, node->n_named_args, node->named_args);
    if (xml->form == XML_FORM_PARSE && count == 2) {
        xml->preserve = bool_of(node->args[1]);
        count = 1;
    } else if (xml->form == XML_FORM_ROOT && count == 3) {
        const uint32_t standalone = (uint32_t)integer_of(node->args[2]);
        xml->standalone = standalones[standalone < 4 ? standalone : 3];
        count = 2;
    }
    xml->args = convert_exprs(convert, count, node->args);
    if (xml->form != XML_FORM_ROOT || count < 2) return expr;
    const struct expr *version = xml->args.items[1];
    if (version->kind == EXPR_LITERAL && version->literal.kind == LITERAL_NULL && version->position == POSITION_NONE)
        xml->args.items[1] = NULL; // VERSION NO VALUE
    return expr;
}

struct expr *convert_xml_serialize(struct convert *convert, const PgQuery__XmlSerialize *node)
{
    struct expr *expr = new_xml(convert, XML_FORM_SERIALIZE, node->location);
    expr->xml->document = node->xmloption == PG_QUERY__XML_OPTION_TYPE__XMLOPTION_DOCUMENT;
    expr->xml->args = (struct expr_list){ARENA_ARRAY(convert->arena, struct expr *, 1), 1};
    expr->xml->args.items[0] = convert_expr(convert, node->expr);
    expr->xml->type = convert_type(convert, node->type_name);
    return expr;
}

struct expr *convert_xml_table(struct convert *convert, const PgQuery__RangeTableFunc *node)
{
    struct expr *expr = new_xml(convert, XML_FORM_TABLE, node->location);
    struct xml_expr *xml = expr->xml;
    convert_named(convert, xml, node->n_namespaces, node->namespaces);
    xml->args = (struct expr_list){ARENA_ARRAY(convert->arena, struct expr *, 2), 2};
    xml->args.items[0] = convert_expr(convert, node->rowexpr);
    xml->args.items[1] = convert_expr(convert, node->docexpr);
    xml->columns = ARENA_ARRAY(convert->arena, struct xml_column, node->n_columns);
    for (size_t i = 0; i < node->n_columns; i++) {
        if (node->columns[i]->node_case != NODE(RANGE_TABLE_FUNC_COL)) continue;
        const PgQuery__RangeTableFuncCol *from = node->columns[i]->range_table_func_col;
        struct xml_column *column = &xml->columns[xml->column_count++];
        column->name = convert_string(convert, from->colname);
        column->type = from->for_ordinality ? NULL : convert_type(convert, from->type_name);
        column->path = convert_expr(convert, from->colexpr);
        column->otherwise = convert_expr(convert, from->coldefexpr);
        column->not_null = from->is_not_null;
        column->position = convert_position(convert, from->location);
    }
    return expr;
}
