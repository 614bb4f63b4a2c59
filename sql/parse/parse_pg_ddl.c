// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE statements out of libpg_query's tree.
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name
#define NEW(member, type) (out->as.member = ARENA_NEW(convert->arena, type))

// --- constraints and columns ---------------------------------------------------------------------

static enum reference_action reference_action(const char *letter)
{
    switch (*letter) {
    case 'r': return REFERENCE_RESTRICT;
    case 'c': return REFERENCE_CASCADE;
    case 'n': return REFERENCE_SET_NULL;
    case 'd': return REFERENCE_SET_DEFAULT;
    default: return REFERENCE_NO_ACTION;
    }
}

static void foreign_key(
    struct convert *convert, struct constraint *out, const PgQuery__Constraint *node)
{
    out->kind = CONSTRAINT_FOREIGN_KEY;
    out->columns = convert_names(convert, node->n_fk_attrs, node->fk_attrs);
    out->referenced = convert_range_var(convert, node->pktable);
    out->referenced_columns = convert_names(convert, node->n_pk_attrs, node->pk_attrs);
    out->set_columns = convert_names(convert, node->n_fk_del_set_cols, node->fk_del_set_cols);
    out->match = *node->fk_matchtype == 'f'   ? MATCH_FULL
                 : *node->fk_matchtype == 'p' ? MATCH_PARTIAL
                                              : MATCH_SIMPLE;
    out->on_delete = reference_action(node->fk_del_action);
    out->on_update = reference_action(node->fk_upd_action);
}

static void generated(struct convert *convert, struct constraint *out)
{
    out->kind = CONSTRAINT_GENERATED;
    out->is_virtual = rewrite_extra(convert->rewrite, EXTRA_VIRTUAL, out->position) != NULL;
}

// What follows a constraint (NOT DEFERRABLE and so on) comes as a node of its own: folded in here.
static void fold_attribute(struct constraint *previous, PgQuery__ConstrType type)
{
    switch (type) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE: previous->deferrable = true; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED:
        previous->deferrable = previous->initially_deferred = true;
        break;
    default: break;
    }
}

static struct constraint constraint(struct convert *convert, const PgQuery__Constraint *node)
{
    struct constraint out = {
        .name = convert_string(convert, node->conname),
        .position = convert_position(convert, node->location),
        .expr = convert_expr(convert, node->raw_expr),
        .nulls_not_distinct = node->nulls_not_distinct,
        .deferrable = node->deferrable,
        .initially_deferred = node->initdeferred,
        .not_valid = node->skip_validation && !node->initially_valid,
        .no_inherit = node->is_no_inherit,
        .columns = convert_names(convert, node->n_keys, node->keys),
        .storing = convert_names(convert, node->n_including, node->including),
        .using_index = convert_string(convert, node->indexname),
        .options = convert_options(convert, node->n_options, node->options),
    };
    switch (node->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL: out.kind = CONSTRAINT_NULL; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL: out.kind = CONSTRAINT_NOT_NULL; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT: out.kind = CONSTRAINT_DEFAULT; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        out.kind = CONSTRAINT_IDENTITY;
        out.by_default = *node->generated_when == 'd';
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED: generated(convert, &out); break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK: out.kind = CONSTRAINT_CHECK; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY: out.kind = CONSTRAINT_PRIMARY_KEY; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE: out.kind = CONSTRAINT_UNIQUE; break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN: foreign_key(convert, &out, node); break;
    default:
        out.kind = CONSTRAINT_EXCLUSION;
        convert_unsupported(convert, node->location, "EXCLUDE constraint");
    }
    if (*node->indexspace != 0) convert_unsupported(convert, node->location, "TABLESPACE");
    return out;
}

static bool is_attribute(PgQuery__ConstrType type)
{
    return type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE ||
           type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE ||
           type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED ||
           type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_IMMEDIATE;
}

struct column_definition convert_column(struct convert *convert, const PgQuery__ColumnDef *def)
{
    struct column_definition column = {
        .name = arena_strdup(convert->arena, def->colname),
        .type = convert_type(convert, def->type_name),
        .position = convert_position(convert, def->location),
    };
    if (def->coll_clause != NULL)
        column.collation = convert_object_name(convert, def->coll_clause->n_collname,
            def->coll_clause->collname, convert_position(convert, def->coll_clause->location));
    if (*def->compression != 0) convert_unsupported(convert, def->location, "COMPRESSION");
    if (def->n_fdwoptions > 0) convert_unsupported(convert, def->location, "OPTIONS of a column");

    column.constraints = ARENA_ARRAY(convert->arena, struct constraint, def->n_constraints + 1);
    for (size_t i = 0; i < def->n_constraints; i++) {
        if (def->constraints[i]->node_case != NODE(CONSTRAINT)) continue;
        const PgQuery__Constraint *node = def->constraints[i]->constraint;
        if (is_attribute(node->contype)) {
            if (column.constraint_count > 0)
                fold_attribute(&column.constraints[column.constraint_count - 1], node->contype);
            continue;
        }
        column.constraints[column.constraint_count++] = constraint(convert, node);
    }
    if (def->raw_default != NULL) { // ALTER COLUMN TYPE ... USING
        struct constraint *last = &column.constraints[column.constraint_count++];
        *last = (struct constraint){.kind = CONSTRAINT_DEFAULT, .position = column.position};
        last->expr = convert_expr(convert, def->raw_default);
    }
    const struct rewrite *rewrite = convert->rewrite;
    column.not_visible = rewrite_extra(rewrite, EXTRA_NOT_VISIBLE, column.position) != NULL;
    const struct extra *family = rewrite_extra(rewrite, EXTRA_FAMILY, column.position);
    if (family != NULL) column.family = family->name;
    const struct extra *update = rewrite_extra(rewrite, EXTRA_ON_UPDATE, column.position);
    if (update != NULL) {
        struct constraint *bigger =
            ARENA_ARRAY(convert->arena, struct constraint, column.constraint_count + 1u);
        memcpy(bigger, column.constraints, sizeof *bigger * column.constraint_count);
        bigger[column.constraint_count++] = (struct constraint){
            .kind = CONSTRAINT_ON_UPDATE, .position = column.position, .expr = update->expr};
        column.constraints = bigger;
    }
    return column;
}

// --- CREATE TABLE --------------------------------------------------------------------------------

static void table_element(
    struct convert *convert, struct create_table *table, const PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(COLUMN_DEF):
        table->columns[table->column_count++] = convert_column(convert, node->column_def);
        break;
    case NODE(CONSTRAINT):
        if (rewrite_extra(convert->rewrite, EXTRA_REMOVED,
                convert_position(convert, node->constraint->location)) != NULL)
            break;
        table->constraints[table->constraint_count++] = constraint(convert, node->constraint);
        break;
    case NODE(TABLE_LIKE_CLAUSE): {
        struct like_clause *like = &table->likes[table->like_count++];
        like->source = convert_range_var(convert, node->table_like_clause->relation);
        like->options = node->table_like_clause->options;
        like->after = table->column_count;
        break;
    }
    default: break;
    }
}

static enum on_commit on_commit(PgQuery__OnCommitAction action)
{
    switch (action) {
    case PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_PRESERVE_ROWS: return ON_COMMIT_PRESERVE;
    case PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_DELETE_ROWS: return ON_COMMIT_DELETE;
    case PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_DROP: return ON_COMMIT_DROP;
    default: return ON_COMMIT_NONE;
    }
}

static void create_table(
    struct convert *convert, const PgQuery__CreateStmt *stmt, struct statement *out)
{
    struct create_table *table = NEW(create_table, struct create_table);
    out->tag = STATEMENT_CREATE_TABLE;
    table->name = convert_range_var(convert, stmt->relation);
    table->if_not_exists = stmt->if_not_exists;
    table->persistence = convert_persistence(stmt->relation);
    size_t count = stmt->n_table_elts;
    table->columns = ARENA_ARRAY(convert->arena, struct column_definition, count);
    table->constraints = ARENA_ARRAY(convert->arena, struct constraint, count);
    table->likes = ARENA_ARRAY(convert->arena, struct like_clause, count);
    for (size_t i = 0; i < count; i++)
        table_element(convert, table, stmt->table_elts[i]);
    table->indexes = convert->rewrite->indexes;
    table->index_count = convert->rewrite->index_count;
    table->families = convert->rewrite->families;
    table->family_count = convert->rewrite->family_count;
    table->inherits = convert_range_vars(convert, stmt->n_inh_relations, stmt->inh_relations);
    table->options = convert_options(convert, stmt->n_options, stmt->options);
    table->on_commit = on_commit(stmt->oncommit);
    table->method = convert_string(convert, stmt->access_method);
    table->tablespace = convert_string(convert, stmt->tablespacename);
    if (stmt->partspec != NULL) table->unsupported = "PARTITION BY";
    if (stmt->partbound != NULL) table->unsupported = "PARTITION OF";
    if (stmt->of_typename != NULL) table->unsupported = "CREATE TABLE OF";
}

struct create_table_as *convert_into(
    struct convert *convert, const PgQuery__IntoClause *into, struct statement *query)
{
    struct create_table_as *out = ARENA_NEW(convert->arena, struct create_table_as);
    out->name = convert_range_var(convert, into->rel);
    out->persistence = convert_persistence(into->rel);
    out->columns = convert_names(convert, into->n_col_names, into->col_names);
    out->options = convert_options(convert, into->n_options, into->options);
    out->with_no_data = into->skip_data;
    out->query = query;
    if (*into->table_space_name != 0) convert_unsupported(convert, -1, "TABLESPACE");
    if (*into->access_method != 0) convert_unsupported(convert, -1, "USING of an access method");
    out->on_commit = on_commit(into->on_commit);
    return out;
}

static void create_table_as(
    struct convert *convert, const PgQuery__CreateTableAsStmt *stmt, struct statement *out)
{
    struct statement *query = pg_statement(convert, stmt->query);
    query->as_of = NULL; // It stands in the outer statement.
    struct create_table_as *table = convert_into(convert, stmt->into, query);
    out->as.create_table_as = table;
    table->if_not_exists = stmt->if_not_exists;
    table->materialized_view = stmt->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW;
    out->tag =
        table->materialized_view ? STATEMENT_CREATE_MATERIALIZED_VIEW : STATEMENT_CREATE_TABLE_AS;
}

// --- indexes, views and the rest -----------------------------------------------------------------

static void create_index(
    struct convert *convert, const PgQuery__IndexStmt *stmt, struct statement *out)
{
    struct create_index *index = NEW(create_index, struct create_index);
    out->tag = STATEMENT_CREATE_INDEX;
    index->name = convert_string(convert, stmt->idxname);
    index->table = convert_range_var(convert, stmt->relation);
    index->if_not_exists = stmt->if_not_exists;
    index->unique = stmt->unique;
    index->concurrently = stmt->concurrent;
    index->nulls_not_distinct = stmt->nulls_not_distinct;
    index->only = stmt->relation != NULL && !stmt->relation->inh;
    index->inverted = convert->rewrite->inverted;
    index->not_visible = convert->rewrite->not_visible;
    index->method = arena_strdup(convert->arena, stmt->access_method);
    index->elements = convert_index_elements(convert, stmt->n_index_params, stmt->index_params);
    struct index_element_list storing = convert_index_elements(
        convert, stmt->n_index_including_params, stmt->index_including_params);
    index->storing.items = ARENA_ARRAY(convert->arena, const char *, storing.count);
    for (uint32_t i = 0; i < storing.count; i++) {
        if (storing.items[i].column == NULL) {
            parse_fail_at(convert->parse, E_FEATURE_NOT_SUPPORTED, index->table.position,
                "expressions are not supported in included columns");
            break;
        }
        index->storing.items[index->storing.count++] = storing.items[i].column;
    }
    index->where = convert_expr(convert, stmt->where_clause);
    index->options = convert_options(convert, stmt->n_options, stmt->options);
    index->position = index->table.position;
    if (*stmt->table_space != 0) convert_unsupported(convert, -1, "TABLESPACE");
}

static void create_view(
    struct convert *convert, const PgQuery__ViewStmt *stmt, struct statement *out)
{
    struct create_view *view = NEW(create_view, struct create_view);
    out->tag = STATEMENT_CREATE_VIEW;
    view->name = convert_range_var(convert, stmt->view);
    view->or_replace = stmt->replace;
    view->persistence = convert_persistence(stmt->view);
    view->columns = convert_names(convert, stmt->n_aliases, stmt->aliases);
    view->options = convert_options(convert, stmt->n_options, stmt->options);
    if (stmt->query != NULL && stmt->query->node_case == NODE(SELECT_STMT)) {
        view->query = convert_select(convert, stmt->query->select_stmt);
        view->into = stmt->query->select_stmt->into_clause != NULL;
    }
    if (stmt->with_check_option == PG_QUERY__VIEW_CHECK_OPTION__LOCAL_CHECK_OPTION)
        view->check = VIEW_CHECK_LOCAL;
    if (stmt->with_check_option == PG_QUERY__VIEW_CHECK_OPTION__CASCADED_CHECK_OPTION)
        view->check = VIEW_CHECK_CASCADED;
}

static void reindex(
    struct convert *convert, const PgQuery__ReindexStmt *stmt, struct statement *out)
{
    struct reindex *reindex = NEW(reindex, struct reindex);
    out->tag = STATEMENT_REINDEX;
    reindex->kind = stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX  ? REINDEX_INDEX
                    : stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE ? REINDEX_TABLE
                    : stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SCHEMA
                        ? REINDEX_SCHEMA
                    : stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_SYSTEM
                        ? REINDEX_SYSTEM
                        : REINDEX_DATABASE;
    if (stmt->relation != NULL)
        reindex->name = convert_range_var(convert, stmt->relation);
    else
        reindex->name.name = convert_string(convert, stmt->name);
    reindex->options = convert_options(convert, stmt->n_params, stmt->params);
}

// The options of a sequence, with AS put in its place.
static void sequence(struct convert *convert, struct sequence *sequence,
    const PgQuery__RangeVar *name, size_t count, PgQuery__Node **options)
{
    sequence->name = convert_range_var(convert, name);
    sequence->persistence = convert_persistence(name);
    sequence->options = convert_options(convert, count, options);
    for (size_t i = 0; i < count; i++) {
        if (options[i]->node_case != NODE(DEF_ELEM)) continue;
        const PgQuery__DefElem *element = options[i]->def_elem;
        if (strcmp(element->defname, "as") == 0 && element->arg != NULL &&
            element->arg->node_case == NODE(TYPE_NAME))
            sequence->type = convert_type(convert, element->arg->type_name);
    }
}

static void create_schema(
    struct convert *convert, const PgQuery__CreateSchemaStmt *stmt, struct statement *out)
{
    struct create_schema *schema = NEW(create_schema, struct create_schema);
    out->tag = STATEMENT_CREATE_SCHEMA;
    schema->name = convert_string(convert, stmt->schemaname);
    schema->if_not_exists = stmt->if_not_exists;
    schema->has_owner = stmt->authrole != NULL;
    schema->owner = convert_role(convert, stmt->authrole);
    schema->elements = ARENA_ARRAY(convert->arena, struct statement *, stmt->n_schema_elts);
    for (size_t i = 0; i < stmt->n_schema_elts; i++)
        schema->elements[schema->element_count++] = pg_statement(convert, stmt->schema_elts[i]);
}

static void create_statistics(
    struct convert *convert, const PgQuery__CreateStatsStmt *stmt, struct statement *out)
{
    struct create_statistics *statistics = NEW(create_statistics, struct create_statistics);
    out->tag = STATEMENT_CREATE_STATISTICS;
    statistics->if_not_exists = stmt->if_not_exists;
    if (stmt->n_defnames > 0)
        statistics->name =
            convert_object_name(convert, stmt->n_defnames, stmt->defnames, POSITION_NONE);
    statistics->kinds = convert_names(convert, stmt->n_stat_types, stmt->stat_types);
    statistics->columns.items = ARENA_ARRAY(convert->arena, struct expr *, stmt->n_exprs);
    for (size_t i = 0; i < stmt->n_exprs; i++) {
        if (stmt->exprs[i]->node_case != NODE(STATS_ELEM)) continue;
        const PgQuery__StatsElem *element = stmt->exprs[i]->stats_elem;
        struct expr *expr = convert_expr(convert, element->expr);
        if (expr == NULL) {
            expr = convert_new(convert, EXPR_COLUMN, -1);
            expr->column.names = ARENA_ARRAY(convert->arena, const char *, 1);
            expr->column.names[0] = arena_strdup(convert->arena, element->name);
            expr->column.count = 1;
        }
        statistics->columns.items[statistics->columns.count++] = expr;
    }
    for (size_t i = 0; i < stmt->n_relations; i++)
        if (stmt->relations[i]->node_case != NODE(RANGE_VAR)) statistics->other_than_names = true;
    statistics->tables = convert_range_vars(convert, stmt->n_relations, stmt->relations);
}

static void alter_statistics(
    struct convert *convert, const PgQuery__AlterStatsStmt *stmt, struct statement *out)
{
    struct alter_statistics *alter = NEW(alter_statistics, struct alter_statistics);
    out->tag = STATEMENT_ALTER_STATISTICS;
    alter->name = convert_object_name(convert, stmt->n_defnames, stmt->defnames, POSITION_NONE);
    alter->if_exists = stmt->missing_ok;
    alter->target = stmt->stxstattarget;
}

static void create_enum(
    struct convert *convert, const PgQuery__CreateEnumStmt *stmt, struct statement *out)
{
    struct create_enum *type = NEW(create_enum, struct create_enum);
    out->tag = STATEMENT_CREATE_ENUM;
    type->name = convert_object_name(convert, stmt->n_type_name, stmt->type_name, POSITION_NONE);
    type->values = ARENA_ARRAY(convert->arena, struct bytes, stmt->n_vals);
    for (size_t i = 0; i < stmt->n_vals; i++)
        type->values[type->value_count++] =
            arena_copy(convert->arena, bytes_of_string(node_text(stmt->vals[i])));
}

static void create_composite(
    struct convert *convert, const PgQuery__CompositeTypeStmt *stmt, struct statement *out)
{
    struct create_composite *type = NEW(create_composite, struct create_composite);
    out->tag = STATEMENT_CREATE_COMPOSITE;
    type->name = convert_range_var(convert, stmt->typevar);
    type->columns = ARENA_ARRAY(convert->arena, struct column_definition, stmt->n_coldeflist);
    for (size_t i = 0; i < stmt->n_coldeflist; i++)
        if (stmt->coldeflist[i]->node_case == NODE(COLUMN_DEF))
            type->columns[type->column_count++] =
                convert_column(convert, stmt->coldeflist[i]->column_def);
}

static void create_domain(
    struct convert *convert, const PgQuery__CreateDomainStmt *stmt, struct statement *out)
{
    struct create_domain *domain = NEW(create_domain, struct create_domain);
    out->tag = STATEMENT_CREATE_DOMAIN;
    domain->name =
        convert_object_name(convert, stmt->n_domainname, stmt->domainname, POSITION_NONE);
    domain->type = convert_type(convert, stmt->type_name);
    if (stmt->coll_clause != NULL)
        domain->collation = convert_object_name(convert, stmt->coll_clause->n_collname,
            stmt->coll_clause->collname, convert_position(convert, stmt->coll_clause->location));
    domain->constraints = ARENA_ARRAY(convert->arena, struct constraint, stmt->n_constraints);
    for (size_t i = 0; i < stmt->n_constraints; i++) {
        if (stmt->constraints[i]->node_case != NODE(CONSTRAINT)) continue;
        domain->constraints[domain->constraint_count++] =
            constraint(convert, stmt->constraints[i]->constraint);
    }
}

static void alter_domain(
    struct convert *convert, const PgQuery__AlterDomainStmt *stmt, struct statement *out)
{
    struct alter_domain *alter = NEW(alter_domain, struct alter_domain);
    out->tag = STATEMENT_ALTER_DOMAIN;
    switch (*stmt->subtype) {
    case 'T': alter->kind = DOMAIN_DEFAULT; break;
    case 'N': alter->kind = DOMAIN_DROP_NOT_NULL; break;
    case 'O': alter->kind = DOMAIN_SET_NOT_NULL; break;
    case 'C': alter->kind = DOMAIN_ADD_CONSTRAINT; break;
    case 'X': alter->kind = DOMAIN_DROP_CONSTRAINT; break;
    default: alter->kind = DOMAIN_VALIDATE_CONSTRAINT; break;
    }
    alter->name = convert_object_name(convert, stmt->n_type_name, stmt->type_name, POSITION_NONE);
    alter->constraint_name = convert_string(convert, stmt->name);
    alter->missing_ok = stmt->missing_ok;
    alter->behavior = convert_behavior(stmt->behavior);
    if (stmt->def != NULL && stmt->def->node_case == NODE(CONSTRAINT)) {
        alter->constraint = ARENA_NEW(convert->arena, struct constraint);
        *alter->constraint = constraint(convert, stmt->def->constraint);
    } else if (stmt->def != NULL) {
        alter->expr = convert_expr(convert, stmt->def);
    }
}

bool pg_ddl_statement(struct convert *convert, const PgQuery__Node *node, struct statement *out)
{
    switch (node->node_case) {
    case NODE(CREATE_STMT): create_table(convert, node->create_stmt, out); return true;
    case NODE(CREATE_TABLE_AS_STMT):
        create_table_as(convert, node->create_table_as_stmt, out);
        return true;
    case NODE(INDEX_STMT): create_index(convert, node->index_stmt, out); return true;
    case NODE(VIEW_STMT): create_view(convert, node->view_stmt, out); return true;
    case NODE(CREATE_SCHEMA_STMT):
        create_schema(convert, node->create_schema_stmt, out);
        return true;
    case NODE(CREATE_STATS_STMT):
        create_statistics(convert, node->create_stats_stmt, out);
        return true;
    case NODE(ALTER_STATS_STMT):
        alter_statistics(convert, node->alter_stats_stmt, out);
        return true;
    case NODE(CREATE_ENUM_STMT): create_enum(convert, node->create_enum_stmt, out); return true;
    case NODE(COMPOSITE_TYPE_STMT):
        create_composite(convert, node->composite_type_stmt, out);
        return true;
    case NODE(CREATE_DOMAIN_STMT):
        create_domain(convert, node->create_domain_stmt, out);
        return true;
    case NODE(ALTER_DOMAIN_STMT): alter_domain(convert, node->alter_domain_stmt, out); return true;
    case NODE(CREATE_SEQ_STMT): {
        const PgQuery__CreateSeqStmt *stmt = node->create_seq_stmt;
        out->tag = STATEMENT_CREATE_SEQUENCE;
        sequence(convert, NEW(sequence, struct sequence), stmt->sequence, stmt->n_options,
            stmt->options);
        out->as.sequence->if_not_exists = stmt->if_not_exists;
        return true;
    }
    case NODE(ALTER_SEQ_STMT): {
        const PgQuery__AlterSeqStmt *stmt = node->alter_seq_stmt;
        out->tag = STATEMENT_ALTER_SEQUENCE;
        sequence(convert, NEW(sequence, struct sequence), stmt->sequence, stmt->n_options,
            stmt->options);
        out->as.sequence->if_not_exists = stmt->missing_ok;
        return true;
    }
    case NODE(CREATEDB_STMT): {
        const PgQuery__CreatedbStmt *stmt = node->createdb_stmt;
        out->tag = STATEMENT_CREATE_DATABASE;
        struct create_database *database = NEW(create_database, struct create_database);
        database->name = arena_strdup(convert->arena, stmt->dbname);
        database->if_not_exists = convert->rewrite->if_not_exists;
        database->options = convert_options(convert, stmt->n_options, stmt->options);
        return true;
    }
    case NODE(CREATE_EXTENSION_STMT): {
        const PgQuery__CreateExtensionStmt *stmt = node->create_extension_stmt;
        out->tag = STATEMENT_CREATE_EXTENSION;
        struct create_extension *extension = NEW(create_extension, struct create_extension);
        extension->name = arena_strdup(convert->arena, stmt->extname);
        extension->if_not_exists = stmt->if_not_exists;
        extension->options = convert_options(convert, stmt->n_options, stmt->options);
        return true;
    }
    case NODE(REFRESH_MAT_VIEW_STMT): {
        const PgQuery__RefreshMatViewStmt *stmt = node->refresh_mat_view_stmt;
        out->tag = STATEMENT_REFRESH_MATERIALIZED_VIEW;
        struct refresh_view *view = NEW(refresh_view, struct refresh_view);
        view->name = convert_range_var(convert, stmt->relation);
        view->concurrently = stmt->concurrent;
        view->with_no_data = stmt->skip_data;
        return true;
    }
    case NODE(REINDEX_STMT): reindex(convert, node->reindex_stmt, out); return true;
    default: return false;
    }
}
