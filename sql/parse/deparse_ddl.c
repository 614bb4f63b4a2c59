// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER, DROP and their parts as text.
#include "sql/parse/deparse_internal.h"

void put_options(struct deparse *deparse, struct option_list options, const char *between)
{
    for (uint32_t i = 0; i < options.count; i++) {
        const struct option *option = &options.items[i];
        if (i > 0) put(deparse, ", ");
        // A dotted name (toast.x, gc.ttlseconds) is a name in parts.
        const char *dot = strchr(option->name, '.');
        if (dot == NULL) {
            put_name(deparse, option->name);
        } else {
            put(deparse, option->name);
        }
        if (option->value == NULL) continue;
        put(deparse, between);
        put_expr(deparse, option->value);
    }
}

void put_behavior(struct deparse *deparse, enum drop_behavior behavior)
{
    if (behavior == DROP_CASCADE) put(deparse, " CASCADE");
    if (behavior == DROP_RESTRICT) put(deparse, " RESTRICT");
}

void put_index_elements(struct deparse *deparse, struct index_element_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        const struct index_element *element = &list.items[i];
        if (i > 0) put(deparse, ", ");
        if (element->column != NULL) {
            put_name(deparse, element->column);
        } else { // A plain call needs no parentheses.
            bool call = element->expr->kind == EXPR_FUNCTION &&
                        !element->expr->function->sql_syntax &&
                        element->expr->function->over == NULL;
            if (!call) put(deparse, "(");
            put_expr(deparse, element->expr);
            if (!call) put(deparse, ")");
        }
        if (element->collation.name != NULL) {
            put(deparse, " COLLATE ");
            put_object_name(deparse, element->collation);
        }
        if (element->operator_class.name != NULL) {
            put(deparse, " ");
            put_object_name(deparse, element->operator_class);
        }
        if (element->direction == SORT_ASC) put(deparse, " ASC");
        if (element->direction == SORT_DESC) put(deparse, " DESC");
        if (element->nulls == SORT_NULLS_FIRST) put(deparse, " NULLS FIRST");
        if (element->nulls == SORT_NULLS_LAST) put(deparse, " NULLS LAST");
    }
}

// --- constraints and columns ---------------------------------------------------------------------

static void put_foreign_key(struct deparse *deparse, const struct constraint *constraint)
{
    static const char *const actions[] = {NULL, "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"};
    if (constraint->columns.count > 0) {
        put(deparse, "FOREIGN KEY ");
        put_name_list(deparse, constraint->columns);
        put(deparse, " ");
    }
    put(deparse, "REFERENCES ");
    put_object_name(deparse, constraint->referenced);
    if (constraint->referenced_columns.count > 0) put(deparse, " ");
    put_name_list(deparse, constraint->referenced_columns);
    if (constraint->match == MATCH_FULL) put(deparse, " MATCH FULL");
    if (actions[constraint->on_delete] != NULL) {
        put(deparse, " ON DELETE ");
        put(deparse, actions[constraint->on_delete]);
        if (constraint->set_columns.count > 0) put(deparse, " ");
        put_name_list(deparse, constraint->set_columns);
    }
    if (actions[constraint->on_update] != NULL) {
        put(deparse, " ON UPDATE ");
        put(deparse, actions[constraint->on_update]);
    }
}

// One option of a sequence as it is written in CREATE SEQUENCE.
static void put_sequence_option(struct deparse *deparse, const struct option *option)
{
    const char *name = option->name;
    const struct expr *value = option->value;
    if (strcmp(name, "cycle") == 0) {
        bool on = value == NULL || (value->kind == EXPR_LITERAL && value->literal.boolean);
        put(deparse, on ? "CYCLE" : "NO CYCLE");
        return;
    }
    if ((strcmp(name, "maxvalue") == 0 || strcmp(name, "minvalue") == 0) && value == NULL) {
        put(deparse, name[1] == 'a' ? "NO MAXVALUE" : "NO MINVALUE");
        return;
    }
    static const char *const words[][2] = {{"increment", "INCREMENT BY"}, {"maxvalue", "MAXVALUE"},
        {"minvalue", "MINVALUE"}, {"start", "START WITH"}, {"cache", "CACHE"},
        {"restart", "RESTART"}, {"owned_by", "OWNED BY"}, {"sequence_name", "SEQUENCE NAME"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(name, words[i][0]) != 0) continue;
        put(deparse, words[i][1]);
        if (value == NULL) continue;
        struct deparse plain = {deparse->out, 0};
        put(deparse, " ");
        put_expr(&plain, value);
    }
}

// Each option after `before`, the later ones after a blank.
static void put_sequence_options(
    struct deparse *deparse, struct option_list options, const char *before)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (strcmp(options.items[i].name, "as") == 0) continue; // It is the type.
        put(deparse, before);
        put_sequence_option(deparse, &options.items[i]);
        before = " ";
    }
}

static void put_generated(struct deparse *deparse, const struct constraint *constraint)
{
    put(deparse, "GENERATED ALWAYS AS (");
    put_expr(deparse, constraint->expr);
    put(deparse, constraint->is_virtual ? ") VIRTUAL" : ") STORED");
}

static void put_identity(struct deparse *deparse, const struct constraint *constraint)
{
    put(deparse, constraint->by_default ? "GENERATED BY DEFAULT AS IDENTITY"
                                        : "GENERATED ALWAYS AS IDENTITY");
    if (constraint->options.count == 0) return;
    put(deparse, " (");
    put_sequence_options(deparse, constraint->options, "");
    put(deparse, ")");
}

static void put_key(struct deparse *deparse, const struct constraint *constraint, const char *words)
{
    put(deparse, words);
    if (constraint->nulls_not_distinct) put(deparse, " NULLS NOT DISTINCT");
    if (constraint->columns.count > 0) put(deparse, " ");
    put_name_list(deparse, constraint->columns);
    if (constraint->storing.count > 0) {
        put(deparse, " INCLUDE ");
        put_name_list(deparse, constraint->storing);
    }
    if (constraint->options.count > 0) {
        put(deparse, " WITH (");
        put_options(deparse, constraint->options, " = ");
        put(deparse, ")");
    }
    if (constraint->using_index != NULL) {
        put(deparse, " USING INDEX ");
        put_name(deparse, constraint->using_index);
    }
}

void put_constraint(struct deparse *deparse, const struct constraint *constraint)
{
    if (constraint->name != NULL) {
        put(deparse, "CONSTRAINT ");
        put_name(deparse, constraint->name);
        put(deparse, " ");
    }
    switch (constraint->kind) {
    case CONSTRAINT_NULL: put(deparse, "NULL"); break;
    case CONSTRAINT_NOT_NULL: put(deparse, "NOT NULL"); break;
    case CONSTRAINT_DEFAULT:
        put(deparse, "DEFAULT ");
        put_operand(deparse, constraint->expr);
        break;
    case CONSTRAINT_IDENTITY: put_identity(deparse, constraint); break;
    case CONSTRAINT_GENERATED: put_generated(deparse, constraint); break;
    case CONSTRAINT_CHECK:
        put(deparse, "CHECK (");
        put_expr(deparse, constraint->expr);
        put(deparse, ")");
        if (constraint->no_inherit) put(deparse, " NO INHERIT");
        break;
    case CONSTRAINT_PRIMARY_KEY: put_key(deparse, constraint, "PRIMARY KEY"); break;
    case CONSTRAINT_UNIQUE: put_key(deparse, constraint, "UNIQUE"); break;
    case CONSTRAINT_FOREIGN_KEY: put_foreign_key(deparse, constraint); break;
    case CONSTRAINT_EXCLUSION: put(deparse, "EXCLUDE"); break;
    case CONSTRAINT_ON_UPDATE:
        put(deparse, "ON UPDATE ");
        put_operand(deparse, constraint->expr);
        break;
    }
    if (constraint->deferrable) put(deparse, " DEFERRABLE");
    if (constraint->initially_deferred) put(deparse, " INITIALLY DEFERRED");
    if (constraint->not_valid) put(deparse, " NOT VALID");
}

void put_column(struct deparse *deparse, const struct column_definition *column)
{
    put_name(deparse, column->name);
    if (column->type != NULL) {
        put(deparse, " ");
        put_type(deparse, column->type);
    }
    if (column->collation.name != NULL) {
        put(deparse, " COLLATE ");
        put_object_name(deparse, column->collation);
    }
    if (column->not_visible) put(deparse, " NOT VISIBLE");
    if (column->family != NULL) {
        put(deparse, " FAMILY ");
        put_name(deparse, column->family);
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        put(deparse, " ");
        put_constraint(deparse, &column->constraints[i]);
    }
}

// --- CREATE --------------------------------------------------------------------------------------

static void put_with_options(struct deparse *deparse, struct option_list options)
{
    if (options.count == 0) return;
    put(deparse, " WITH (");
    put_options(deparse, options, " = ");
    put(deparse, ")");
}

// From the name of the index on, or from its elements.
static void put_index_body(struct deparse *deparse, const struct create_index *index)
{
    put(deparse, "(");
    put_index_elements(deparse, index->elements);
    put(deparse, ")");
    if (index->storing.count > 0) {
        put(deparse, " STORING ");
        put_name_list(deparse, index->storing);
    }
    if (index->nulls_not_distinct) put(deparse, " NULLS NOT DISTINCT");
    put_with_options(deparse, index->options);
    if (index->where != NULL) {
        put(deparse, " WHERE ");
        put_expr(deparse, index->where);
    }
    if (index->not_visible) put(deparse, " NOT VISIBLE");
}

static void put_create_index(struct deparse *deparse, const struct create_index *index)
{
    put(deparse, "CREATE ");
    if (index->unique) put(deparse, "UNIQUE ");
    if (index->inverted) put(deparse, "INVERTED ");
    put(deparse, "INDEX ");
    if (index->concurrently) put(deparse, "CONCURRENTLY ");
    if (index->if_not_exists) put(deparse, "IF NOT EXISTS ");
    if (index->name != NULL) {
        put_name(deparse, index->name);
        put(deparse, " ");
    }
    put(deparse, index->only ? "ON ONLY " : "ON ");
    put_object_name(deparse, index->table);
    if (strcmp(index->method, "btree") != 0) {
        put(deparse, " USING ");
        put_name(deparse, index->method);
    }
    put(deparse, " ");
    put_index_body(deparse, index);
}

static const char *persistence_word(enum persistence persistence)
{
    return persistence == PERSISTENCE_TEMPORARY  ? "TEMPORARY "
           : persistence == PERSISTENCE_UNLOGGED ? "UNLOGGED "
                                                 : "";
}

static void put_like(struct deparse *deparse, const struct like_clause *like)
{
    static const char *const bits[] = {"COMMENTS", "COMPRESSION", "CONSTRAINTS", "DEFAULTS",
        "GENERATED", "IDENTITY", "INDEXES", "STATISTICS", "STORAGE"};
    put(deparse, "LIKE ");
    put_object_name(deparse, like->source);
    if (like->options == INT32_MAX) {
        put(deparse, " INCLUDING ALL");
        return;
    }
    for (uint32_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        if (!(like->options & 1u << i)) continue;
        put(deparse, " INCLUDING ");
        put(deparse, bits[i]);
    }
}

static void put_create_table(struct deparse *deparse, const struct create_table *table)
{
    static const char *const on_commit[] = {NULL, "PRESERVE ROWS", "DELETE ROWS", "DROP"};
    const char *comma = "";
    put(deparse, "CREATE ");
    put(deparse, persistence_word(table->persistence));
    put(deparse, table->if_not_exists ? "TABLE IF NOT EXISTS " : "TABLE ");
    put_object_name(deparse, table->name);
    put(deparse, " (");
    for (uint32_t i = 0, like = 0; i <= table->column_count; i++) {
        for (; like < table->like_count && table->likes[like].after <= i; like++, comma = ", ") {
            put(deparse, comma);
            put_like(deparse, &table->likes[like]);
        }
        if (i == table->column_count) break;
        put(deparse, comma);
        put_column(deparse, &table->columns[i]);
        comma = ", ";
    }
    for (uint32_t i = 0; i < table->constraint_count; i++, comma = ", ") {
        put(deparse, comma);
        put_constraint(deparse, &table->constraints[i]);
    }
    for (uint32_t i = 0; i < table->index_count; i++, comma = ", ") {
        const struct create_index *index = &table->indexes[i];
        put(deparse, comma);
        put(deparse, index->unique     ? "UNIQUE INDEX "
                     : index->inverted ? "INVERTED INDEX "
                                       : "INDEX ");
        if (index->name != NULL) {
            put_name(deparse, index->name);
            put(deparse, " ");
        }
        put_index_body(deparse, index);
    }
    for (uint32_t i = 0; i < table->family_count; i++, comma = ", ") {
        put(deparse, comma);
        put(deparse, "FAMILY ");
        if (table->families[i].name != NULL) {
            put_name(deparse, table->families[i].name);
            put(deparse, " ");
        }
        put_name_list(deparse, table->families[i].columns);
    }
    put(deparse, ")");
    if (table->inherits.count > 0) {
        put(deparse, " INHERITS (");
        put_object_names(deparse, table->inherits);
        put(deparse, ")");
    }
    if (table->method != NULL) {
        put(deparse, " USING ");
        put_name(deparse, table->method);
    }
    put_with_options(deparse, table->options);
    if (on_commit[table->on_commit] != NULL) {
        put(deparse, " ON COMMIT ");
        put(deparse, on_commit[table->on_commit]);
    }
    if (table->tablespace != NULL) {
        put(deparse, " TABLESPACE ");
        put_name(deparse, table->tablespace);
    }
}

static void put_create_table_as(struct deparse *deparse, const struct create_table_as *table)
{
    put(deparse, "CREATE ");
    put(deparse, persistence_word(table->persistence));
    put(deparse, table->materialized_view ? "MATERIALIZED VIEW " : "TABLE ");
    if (table->if_not_exists) put(deparse, "IF NOT EXISTS ");
    put_object_name(deparse, table->name);
    if (table->columns.count > 0) put(deparse, " ");
    put_name_list(deparse, table->columns);
    put_with_options(deparse, table->options);
    put(deparse, " AS ");
    put_statement(deparse, table->query);
    if (table->with_no_data) put(deparse, " WITH NO DATA");
}

static void put_create_view(struct deparse *deparse, const struct create_view *view)
{
    put(deparse, view->or_replace ? "CREATE OR REPLACE " : "CREATE ");
    put(deparse, persistence_word(view->persistence));
    put(deparse, "VIEW ");
    put_object_name(deparse, view->name);
    if (view->columns.count > 0) put(deparse, " ");
    put_name_list(deparse, view->columns);
    put_with_options(deparse, view->options);
    put(deparse, " AS ");
    put_select(deparse, view->query);
    if (view->check == VIEW_CHECK_LOCAL) put(deparse, " WITH LOCAL CHECK OPTION");
    if (view->check == VIEW_CHECK_CASCADED) put(deparse, " WITH CASCADED CHECK OPTION");
}

static void put_create_collation(
    struct deparse *deparse, const struct create_collation *create)
{
    put(deparse, "CREATE COLLATION ");
    if (create->if_not_exists) put(deparse, "IF NOT EXISTS ");
    put_object_name(deparse, create->name);
    if (create->from.name != NULL) {
        put(deparse, " FROM ");
        put_object_name(deparse, create->from);
        return;
    }
    put(deparse, " (");
    put_options(deparse, create->options, " = ");
    put(deparse, ")");
}

static void put_sequence(struct deparse *deparse, const struct sequence *sequence, bool alter)
{
    put(deparse, alter ? "ALTER " : "CREATE ");
    put(deparse, persistence_word(sequence->persistence));
    put(deparse, "SEQUENCE ");
    if (sequence->if_not_exists) put(deparse, alter ? "IF EXISTS " : "IF NOT EXISTS ");
    put_object_name(deparse, sequence->name);
    if (sequence->type != NULL) {
        put(deparse, " AS ");
        put_type(deparse, sequence->type);
    }
    put_sequence_options(deparse, sequence->options, " ");
}

static void put_create_schema(struct deparse *deparse, const struct create_schema *schema)
{
    put(deparse, schema->if_not_exists ? "CREATE SCHEMA IF NOT EXISTS" : "CREATE SCHEMA");
    if (schema->name != NULL) {
        put(deparse, " ");
        put_name(deparse, schema->name);
    }
    if (schema->has_owner) {
        put(deparse, " AUTHORIZATION ");
        put_role(deparse, schema->owner);
    }
    for (uint32_t i = 0; i < schema->element_count; i++) {
        put(deparse, " ");
        put_statement(deparse, schema->elements[i]);
    }
}

static void put_create_enum(struct deparse *deparse, const struct create_enum *type)
{
    put(deparse, "CREATE TYPE ");
    put_object_name(deparse, type->name);
    put(deparse, " AS ENUM (");
    for (uint32_t i = 0; i < type->value_count; i++) {
        if (i > 0) put(deparse, ", ");
        put_string(deparse, type->values[i]);
    }
    put(deparse, ")");
}

static void put_create_composite(struct deparse *deparse, const struct create_composite *type)
{
    put(deparse, "CREATE TYPE ");
    put_object_name(deparse, type->name);
    put(deparse, " AS (");
    for (uint32_t i = 0; i < type->column_count; i++) {
        if (i > 0) put(deparse, ", ");
        put_column(deparse, &type->columns[i]);
    }
    put(deparse, ")");
}

static void put_create_domain(struct deparse *deparse, const struct create_domain *domain)
{
    put(deparse, "CREATE DOMAIN ");
    put_object_name(deparse, domain->name);
    put(deparse, " AS ");
    put_type(deparse, domain->type);
    if (domain->collation.name != NULL) {
        put(deparse, " COLLATE ");
        put_object_name(deparse, domain->collation);
    }
    for (uint32_t i = 0; i < domain->constraint_count; i++) {
        put(deparse, " ");
        put_constraint(deparse, &domain->constraints[i]);
    }
}

static void put_alter_domain(struct deparse *deparse, const struct alter_domain *alter)
{
    put(deparse, "ALTER DOMAIN ");
    put_object_name(deparse, alter->name);
    switch (alter->kind) {
    case DOMAIN_DEFAULT:
        put(deparse, alter->expr == NULL ? " DROP DEFAULT" : " SET DEFAULT ");
        if (alter->expr != NULL) put_expr(deparse, alter->expr);
        return;
    case DOMAIN_SET_NOT_NULL: put(deparse, " SET NOT NULL"); return;
    case DOMAIN_DROP_NOT_NULL: put(deparse, " DROP NOT NULL"); return;
    case DOMAIN_ADD_CONSTRAINT:
        put(deparse, " ADD ");
        put_constraint(deparse, alter->constraint);
        return;
    case DOMAIN_DROP_CONSTRAINT:
        put(deparse, alter->missing_ok ? " DROP CONSTRAINT IF EXISTS " : " DROP CONSTRAINT ");
        put_name(deparse, alter->constraint_name);
        put_behavior(deparse, alter->behavior);
        return;
    case DOMAIN_VALIDATE_CONSTRAINT:
        put(deparse, " VALIDATE CONSTRAINT ");
        put_name(deparse, alter->constraint_name);
        return;
    }
}

static void put_alter_enum(struct deparse *deparse, const struct alter_enum *alter)
{
    put(deparse, "ALTER TYPE ");
    put_object_name(deparse, alter->name);
    if (alter->old_value != NULL) {
        put(deparse, " RENAME VALUE ");
        put_string(deparse, bytes_of_string(alter->old_value));
        put(deparse, " TO ");
    } else {
        put(deparse, alter->if_not_exists ? " ADD VALUE IF NOT EXISTS " : " ADD VALUE ");
    }
    put_string(deparse, bytes_of_string(alter->new_value));
    if (alter->neighbor == NULL) return;
    put(deparse, alter->after ? " AFTER " : " BEFORE ");
    put_string(deparse, bytes_of_string(alter->neighbor));
}

static void put_create_statistics(
    struct deparse *deparse, const struct create_statistics *statistics)
{
    put(deparse, "CREATE STATISTICS ");
    if (statistics->if_not_exists) put(deparse, "IF NOT EXISTS ");
    if (statistics->name.name != NULL) put_object_name(deparse, statistics->name);
    if (statistics->kinds.count > 0) put(deparse, " ");
    put_name_list(deparse, statistics->kinds);
    put(deparse, " ON ");
    for (uint32_t i = 0; i < statistics->columns.count; i++) {
        const struct expr *expr = statistics->columns.items[i];
        put(deparse, i == 0 ? "" : ", ");
        put(deparse, expr->kind == EXPR_COLUMN ? "" : "(");
        put_expr(deparse, expr);
        put(deparse, expr->kind == EXPR_COLUMN ? "" : ")");
    }
    put(deparse, " FROM ");
    put_object_names(deparse, statistics->tables);
}

static void put_alter_statistics(struct deparse *deparse, const struct alter_statistics *alter)
{
    put(deparse, alter->if_exists ? "ALTER STATISTICS IF EXISTS " : "ALTER STATISTICS ");
    put_object_name(deparse, alter->name);
    buffer_printf(deparse->out, " SET STATISTICS %lld", (long long)alter->target);
}

// --- ALTER ---------------------------------------------------------------------------------------

static void put_identity_changes(struct deparse *deparse, const struct option_list *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        if (strcmp(option->name, "generated") == 0) {
            bool always = option->value != NULL && option->value->literal.integer == 'a';
            put(deparse, always ? " SET GENERATED ALWAYS" : " SET GENERATED BY DEFAULT");
            continue;
        }
        put(deparse, strcmp(option->name, "restart") == 0 ? " " : " SET ");
        put_sequence_option(deparse, option);
    }
}

static void put_alter_column(struct deparse *deparse, const struct alter_command *command)
{
    put(deparse, "ALTER COLUMN ");
    put_name(deparse, command->name);
    switch (command->kind) {
    case ALTER_COLUMN_TYPE:
        put(deparse, " TYPE ");
        put_type(deparse, command->definition->type);
        if (command->definition->collation.name != NULL) {
            put(deparse, " COLLATE ");
            put_object_name(deparse, command->definition->collation);
        }
        if (command->expr != NULL) {
            put(deparse, " USING ");
            put_expr(deparse, command->expr);
        }
        break;
    case ALTER_COLUMN_SET_DEFAULT:
        put(deparse, " SET DEFAULT ");
        put_expr(deparse, command->expr);
        break;
    case ALTER_COLUMN_DROP_DEFAULT: put(deparse, " DROP DEFAULT"); break;
    case ALTER_COLUMN_SET_NOT_NULL: put(deparse, " SET NOT NULL"); break;
    case ALTER_COLUMN_DROP_NOT_NULL: put(deparse, " DROP NOT NULL"); break;
    case ALTER_COLUMN_SET_VISIBLE: put(deparse, " SET VISIBLE"); break;
    case ALTER_COLUMN_SET_NOT_VISIBLE: put(deparse, " SET NOT VISIBLE"); break;
    case ALTER_COLUMN_ADD_IDENTITY:
        put(deparse, " ADD ");
        if (command->constraint != NULL) put_constraint(deparse, command->constraint);
        break;
    case ALTER_COLUMN_SET_IDENTITY: put_identity_changes(deparse, &command->options); break;
    case ALTER_COLUMN_DROP_IDENTITY:
        put(deparse, command->missing_ok ? " DROP IDENTITY IF EXISTS" : " DROP IDENTITY");
        break;
    case ALTER_COLUMN_DROP_EXPRESSION:
        put(deparse, command->missing_ok ? " DROP EXPRESSION IF EXISTS" : " DROP EXPRESSION");
        break;
    case ALTER_COLUMN_SET_STATISTICS:
        put(deparse, " SET STATISTICS ");
        if (command->expr != NULL) put_expr(deparse, command->expr);
        break;
    default: break;
    }
}

// Of a composite type, what is altered is its attributes.
static void put_alter_attribute(struct deparse *deparse, const struct alter_command *command)
{
    switch (command->kind) {
    case ALTER_ADD_COLUMN:
        put(deparse, "ADD ATTRIBUTE ");
        put_column(deparse, command->definition);
        break;
    case ALTER_DROP_COLUMN:
        put(deparse, command->missing_ok ? "DROP ATTRIBUTE IF EXISTS " : "DROP ATTRIBUTE ");
        put_name(deparse, command->name);
        break;
    default:
        put(deparse, "ALTER ATTRIBUTE ");
        put_name(deparse, command->name);
        put(deparse, " TYPE ");
        put_type(deparse, command->definition->type);
        if (command->definition->collation.name != NULL) {
            put(deparse, " COLLATE ");
            put_object_name(deparse, command->definition->collation);
        }
    }
    put_behavior(deparse, command->behavior);
}

static void put_alter_command(struct deparse *deparse, const struct alter_command *command)
{
    switch (command->kind) {
    case ALTER_ADD_COLUMN:
        put(deparse, command->missing_ok ? "ADD COLUMN IF NOT EXISTS " : "ADD COLUMN ");
        put_column(deparse, command->definition);
        break;
    case ALTER_DROP_COLUMN:
        put(deparse, command->missing_ok ? "DROP COLUMN IF EXISTS " : "DROP COLUMN ");
        put_name(deparse, command->name);
        put_behavior(deparse, command->behavior);
        break;
    case ALTER_ADD_CONSTRAINT:
        put(deparse, "ADD ");
        put_constraint(deparse, command->constraint);
        break;
    case ALTER_DROP_CONSTRAINT:
        put(deparse, command->missing_ok ? "DROP CONSTRAINT IF EXISTS " : "DROP CONSTRAINT ");
        put_name(deparse, command->name);
        put_behavior(deparse, command->behavior);
        break;
    case ALTER_CONSTRAINT:
        put(deparse, "ALTER CONSTRAINT ");
        put_name(deparse, command->name);
        put(deparse, command->constraint->deferrable ? " DEFERRABLE" : " NOT DEFERRABLE");
        if (command->constraint->initially_deferred) put(deparse, " INITIALLY DEFERRED");
        break;
    case ALTER_SET_LOGGED: put(deparse, "SET LOGGED"); break;
    case ALTER_SET_UNLOGGED: put(deparse, "SET UNLOGGED"); break;
    case ALTER_VALIDATE_CONSTRAINT:
        put(deparse, "VALIDATE CONSTRAINT ");
        put_name(deparse, command->name);
        break;
    case ALTER_PRIMARY_KEY:
        put(deparse, "ALTER PRIMARY KEY USING COLUMNS ");
        put_name_list(deparse, command->constraint->columns);
        break;
    case ALTER_OWNER:
        put(deparse, "OWNER TO ");
        put_role(deparse, command->owner);
        break;
    case ALTER_SET_OPTIONS:
        put(deparse, "SET (");
        put_options(deparse, command->options, " = ");
        put(deparse, ")");
        break;
    case ALTER_RESET_OPTIONS:
        put(deparse, "RESET (");
        put_options(deparse, command->options, " = ");
        put(deparse, ")");
        break;
    case ALTER_UNSUPPORTED: put(deparse, command->unsupported); break;
    default: put_alter_column(deparse, command);
    }
}

static void put_kind(struct deparse *deparse, enum object_kind kind)
{
    put_upper(deparse, object_kind_name(kind));
    put(deparse, " ");
}

// A large object's name is a number.
static void put_name_of(struct deparse *deparse, enum object_kind kind, struct object_name name)
{
    if (kind == OBJECT_LARGE_OBJECT) put(deparse, name.name);
    else put_object_name(deparse, name);
}

static void put_alter_table(struct deparse *deparse, const struct alter_table *alter)
{
    put(deparse, "ALTER ");
    put_kind(deparse, alter->object);
    if (alter->if_exists) put(deparse, "IF EXISTS ");
    put_object_name(deparse, alter->name);
    for (uint32_t i = 0; i < alter->command_count; i++) {
        put(deparse, i == 0 ? " " : ", ");
        if (alter->object == OBJECT_TYPE) put_alter_attribute(deparse, &alter->commands[i]);
        else put_alter_command(deparse, &alter->commands[i]);
    }
}

static void put_rename(struct deparse *deparse, const struct rename *rename)
{
    const char *part = rename->object == OBJECT_COLUMN ? "COLUMN "
        : rename->object == OBJECT_CONSTRAINT          ? "CONSTRAINT "
        : rename->object == OBJECT_ATTRIBUTE           ? "ATTRIBUTE "
                                                       : NULL;
    put(deparse, "ALTER ");
    put_kind(deparse, rename->object == OBJECT_COLUMN       ? rename->relation
                      : rename->object == OBJECT_CONSTRAINT ? OBJECT_TABLE
                      : rename->object == OBJECT_ATTRIBUTE  ? OBJECT_TYPE
                                                            : rename->object);
    if (rename->if_exists) put(deparse, "IF EXISTS ");
    put_object_name(deparse, rename->name);
    put(deparse, " RENAME ");
    if (part != NULL) {
        put(deparse, part);
        put_name(deparse, rename->part);
        put(deparse, " ");
    }
    put(deparse, "TO ");
    put_name(deparse, rename->new_name);
    put_behavior(deparse, rename->behavior);
}

static void put_drop(struct deparse *deparse, const struct drop *drop)
{
    put(deparse, "DROP ");
    put_kind(deparse, drop->object);
    if (drop->concurrently) put(deparse, "CONCURRENTLY ");
    if (drop->if_exists) put(deparse, "IF EXISTS ");
    for (uint32_t i = 0; i < drop->names.count; i++) {
        if (i > 0) put(deparse, ", ");
        if (i < drop->parts.count) {
            put_name(deparse, drop->parts.items[i]);
            put(deparse, " ON ");
        }
        put_object_name(deparse, drop->names.items[i]);
    }
    put_behavior(deparse, drop->behavior);
    if (drop->force) put(deparse, " WITH (FORCE)");
}

static void put_comment(struct deparse *deparse, const struct comment *comment)
{
    put(deparse, "COMMENT ON ");
    put_kind(deparse, comment->object);
    if (comment->part != NULL && comment->object == OBJECT_COLUMN) {
        put_object_name(deparse, comment->name);
        put(deparse, ".");
        put_name(deparse, comment->part);
    } else if (comment->part != NULL) {
        put_name(deparse, comment->part);
        put(deparse, " ON ");
        put_object_name(deparse, comment->name);
    } else {
        put_name_of(deparse, comment->object, comment->name);
    }
    put(deparse, " IS ");
    if (comment->is_null) {
        put(deparse, "NULL");
    } else {
        put_string(deparse, comment->text);
    }
}

static void put_create_database(struct deparse *deparse, const struct create_database *database)
{
    put(deparse, database->if_not_exists ? "CREATE DATABASE IF NOT EXISTS " : "CREATE DATABASE ");
    put_name(deparse, database->name);
    for (uint32_t i = 0; i < database->options.count; i++) {
        const struct option *option = &database->options.items[i];
        put(deparse, i == 0 ? " WITH " : " ");
        put(deparse, option->name);
        put(deparse, " = ");
        if (option->value == NULL) {
            put(deparse, "DEFAULT");
        } else {
            put_expr(deparse, option->value);
        }
    }
}

static void put_truncate(struct deparse *deparse, const struct truncate *truncate)
{
    put(deparse, "TRUNCATE TABLE ");
    put_object_names(deparse, truncate->tables);
    if (truncate->restart_identity) put(deparse, " RESTART IDENTITY");
    put_behavior(deparse, truncate->behavior);
}

static void put_alter_name(
    struct deparse *deparse, enum object_kind kind, bool if_exists, struct object_name name)
{
    put(deparse, "ALTER ");
    put_kind(deparse, kind);
    if (if_exists) put(deparse, "IF EXISTS ");
    put_name_of(deparse, kind, name);
}

static bool put_small_ddl(struct deparse *deparse, const struct statement *statement)
{
    static const char *const reindexed[] = {"INDEX", "TABLE", "SCHEMA", "SYSTEM", "DATABASE"};
    switch (statement->tag) {
    case STATEMENT_REINDEX: {
        const struct reindex *reindex = statement->as.reindex;
        put(deparse, "REINDEX ");
        if (reindex->options.count > 0) {
            put(deparse, "(");
            put_options(deparse, reindex->options, " ");
            put(deparse, ") ");
        }
        put(deparse, reindexed[reindex->kind]);
        put(deparse, " ");
        put_object_name(deparse, reindex->name);
        return true;
    }
    case STATEMENT_REFRESH_MATERIALIZED_VIEW: {
        const struct refresh_view *view = statement->as.refresh_view;
        put(deparse, "REFRESH MATERIALIZED VIEW ");
        if (view->concurrently) put(deparse, "CONCURRENTLY ");
        put_object_name(deparse, view->name);
        if (view->with_no_data) put(deparse, " WITH NO DATA");
        return true;
    }
    case STATEMENT_CREATE_EXTENSION: {
        const struct create_extension *extension = statement->as.create_extension;
        put(deparse, "CREATE EXTENSION ");
        if (extension->if_not_exists) put(deparse, "IF NOT EXISTS ");
        put_name(deparse, extension->name);
        return true;
    }
    case STATEMENT_ALTER_OWNER: {
        const struct alter_owner *alter = statement->as.alter_owner;
        put_alter_name(deparse, alter->object, false, alter->name);
        put(deparse, " OWNER TO ");
        put_role(deparse, alter->owner);
        return true;
    }
    case STATEMENT_ALTER_OBJECT_SCHEMA: {
        const struct alter_object_schema *alter = statement->as.alter_object_schema;
        put_alter_name(deparse, alter->object, alter->if_exists, alter->name);
        put(deparse, " SET SCHEMA ");
        put_name(deparse, alter->new_schema);
        return true;
    }
    case STATEMENT_ALTER_DATABASE: {
        put(deparse, "ALTER DATABASE ");
        put_name(deparse, statement->as.alter_database->name);
        put(deparse, " WITH ");
        const struct option_list options = statement->as.alter_database->options;
        for (uint32_t i = 0; i < options.count; i++) {
            put(deparse, i == 0 ? "" : " ");
            put(deparse, options.items[i].name);
            put(deparse, " = ");
            if (options.items[i].value != NULL) put_expr(deparse, options.items[i].value);
        }
        return true;
    }
    default: return false;
    }
}

bool put_ddl_statement(struct deparse *deparse, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_CREATE_DATABASE:
        put_create_database(deparse, statement->as.create_database);
        break;
    case STATEMENT_CREATE_SCHEMA: put_create_schema(deparse, statement->as.create_schema); break;
    case STATEMENT_CREATE_TABLE: put_create_table(deparse, statement->as.create_table); break;
    case STATEMENT_CREATE_TABLE_AS:
    case STATEMENT_CREATE_MATERIALIZED_VIEW:
        put_create_table_as(deparse, statement->as.create_table_as);
        break;
    case STATEMENT_CREATE_VIEW: put_create_view(deparse, statement->as.create_view); break;
    case STATEMENT_CREATE_INDEX: put_create_index(deparse, statement->as.create_index); break;
    case STATEMENT_CREATE_SEQUENCE: put_sequence(deparse, statement->as.sequence, false); break;
    case STATEMENT_ALTER_SEQUENCE: put_sequence(deparse, statement->as.sequence, true); break;
    case STATEMENT_CREATE_COLLATION:
        put_create_collation(deparse, statement->as.create_collation);
        break;
    case STATEMENT_CREATE_FUNCTION:
        put_create_function(deparse, statement->as.create_function);
        break;
    case STATEMENT_ALTER_FUNCTION:
        put_alter_function(deparse, statement->as.alter_function);
        break;
    case STATEMENT_CREATE_COMPOSITE:
        put_create_composite(deparse, statement->as.create_composite);
        break;
    case STATEMENT_CREATE_ENUM: put_create_enum(deparse, statement->as.create_enum); break;
    case STATEMENT_CREATE_DOMAIN: put_create_domain(deparse, statement->as.create_domain); break;
    case STATEMENT_ALTER_DOMAIN: put_alter_domain(deparse, statement->as.alter_domain); break;
    case STATEMENT_ALTER_ENUM: put_alter_enum(deparse, statement->as.alter_enum); break;
    case STATEMENT_CREATE_STATISTICS:
        put_create_statistics(deparse, statement->as.create_statistics);
        break;
    case STATEMENT_ALTER_STATISTICS:
        put_alter_statistics(deparse, statement->as.alter_statistics);
        break;
    case STATEMENT_ALTER_TABLE: put_alter_table(deparse, statement->as.alter_table); break;
    case STATEMENT_RENAME: put_rename(deparse, statement->as.rename); break;
    case STATEMENT_DROP:
    case STATEMENT_DROP_DATABASE: put_drop(deparse, statement->as.drop); break;
    case STATEMENT_TRUNCATE: put_truncate(deparse, statement->as.truncate); break;
    case STATEMENT_COMMENT: put_comment(deparse, statement->as.comment); break;
    default: return put_small_ddl(deparse, statement);
    }
    return true;
}
