// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the handlers of schema changes share (sql/ddl/ddl*.c).
//
// Shard    The session's. What takes a context may suspend.
// Memory   Results live in the statement's arena.
// Errors   PostgreSQL's.
#pragma once
#include "sql/catalog/catalog_store.h"
#include "sql/ddl/ddl.h"
#include "sql/user/privilege.h"

#define DDL_JOBS_MAX 64u

// The transaction's uncommitted schema changes, malloc'ed at the first and freed after its end.
struct ddl_state {
    bool announced; // Shards hold their caches back until the end is announced.
    uint64_t announced_id;
    bool roles_changed;
    int64_t jobs[DDL_JOBS_MAX]; // To start once it has committed.
    uint32_t job_count;
};
struct ddl_state *ddl_state(struct session *session);
// 54000 when one transaction makes too many jobs.
CHECKED struct status ddl_add_job(struct session *session, int64_t id);

// --- names ---------------------------------------------------------------------------------------

// Where a new relation goes; CREATE on the schema is checked. 3F000, 42501 (virtual schemas).
CHECKED struct status ddl_target_schema(struct statement_context *context,
    const struct object_name *name, const struct schema_desc **schema);
// SET SCHEMA: 0A000 when one of the two is a session's own.
// 42501 for a user who may not create in the schema: neither does he give names in it, nor indexes.
CHECKED struct status ddl_may_create_in(struct statement_context *context, uint32_t schema_id);
CHECKED struct status ddl_check_move(struct statement_context *context, uint32_t from_id, const struct schema_desc *to);
// An existing one, of any kind. *table NULL when it is missing and that is ok (with a notice).
// 3F000 when the name's schema is written and does not exist.
CHECKED struct status ddl_check_schema(
    struct statement_context *context, const struct object_name *name);
CHECKED struct status ddl_find(struct statement_context *context, const struct object_name *name,
    bool missing_ok, enum object_kind kind, const struct table_desc **table);
// 42P01, as of other relations, when there is no such index; *index NULL with `missing_ok`.
CHECKED struct status ddl_find_index(struct statement_context *context, const struct object_name *name,
    bool missing_ok, const struct table_desc **table, const struct index_desc **index);
// As ddl_find, owner checked, decoded for update.
CHECKED struct status ddl_edit(struct statement_context *context, const struct object_name *name,
    bool missing_ok, enum object_kind kind, struct table_desc **table);
// 42809 '"x" is not a view' unless the relation is of the kind (TABLE, VIEW, SEQUENCE).
CHECKED struct status ddl_check_kind(
    struct statement_context *context, const struct table_desc *table, enum object_kind kind);
// Takes a name for a relation or index. *taken true (and nothing done) when it is in use.
CHECKED struct status ddl_take_name(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name, struct name_value value, bool *taken);
// 42P07 'relation "x" already exists'.
struct status ddl_name_taken(struct statement_context *context, const char *name);
// name1_name2_label, shortened to fit, with a number when needed so that no relation has it yet.
CHECKED struct status ddl_choose_name(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name1, const char *name2, const char *label,
    const char **chosen);
char *ddl_join_name(
    struct arena *arena, const char *name1, const char *name2, const char *label, uint32_t number);
// Quoted database.schema.name of a relation, for SQL text of our own.
CHECKED struct status ddl_qualified_name(
    struct statement_context *context, const struct table_desc *table, const char **text);
const char *ddl_owner(const struct session *session); // Of what this session creates.
void ddl_notice(struct statement_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Of what is there already, with the SQLSTATE that it would be an error by.
void ddl_notice_exists(struct statement_context *context, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Something goes with what is dropped: told in one notice at the statement's end.
void ddl_cascades_to(struct statement_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The error is at that place of what was sent, of a statement whose errors have places: as in PostgreSQL, CREATE TABLE
// and CREATE INDEX.
struct status ddl_at(struct statement_context *context, struct status st, uint32_t position);
struct status ddl_error(struct statement_context *context, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct status ddl_unsupported(struct statement_context *context, const char *what);
// Its name as messages have it: with its schema unless that is on the search path.
const char *ddl_shown(struct statement_context *context, const struct table_desc *table);
// "f(integer,text)", with its schema likewise.
const char *ddl_routine_text(struct statement_context *context, const struct table_desc *function);
// Adds the names that the error is about; column and constraint may be NULL.
struct status ddl_names(struct statement_context *context, struct status st,
    const struct table_desc *table, const char *column, const char *constraint);

// --- types and expressions ---------------------------------------------------------------------------

enum ddl_serial { SERIAL_NONE, SERIAL_INT2, SERIAL_INT4, SERIAL_INT8 };
CHECKED struct status ddl_type(struct statement_context *context, const struct type_name *name,
    struct type *type, enum ddl_serial *serial); // `serial` may be NULL: then it is refused.

// As ddl_type for a column: a domain gives its base type and *domain.
CHECKED struct status ddl_column_type(struct statement_context *context,
    const struct type_name *name, struct type *type, enum ddl_serial *serial, type_oid *domain);
// Names every user-defined type in the expression by its id, so that its text means the same always.
CHECKED struct status ddl_qualify_types(struct statement_context *context, struct expr *expr);

// --- types of users: sql/ddl/ddl_type.c, ddl_type_user.c, ddl_enum.c, ddl_domain.c, ddl_composite.c -----------------------------------------------------

CHECKED struct status ddl_create_enum(struct statement_context *context);
CHECKED struct status ddl_alter_enum(struct statement_context *context);
CHECKED struct status ddl_create_domain(struct statement_context *context);
CHECKED struct status ddl_alter_domain(struct statement_context *context);
CHECKED struct status ddl_rename_domain_constraint(
    struct statement_context *context, const struct rename *rename);
// Decoded for update, owner checked. *type NULL when it is missing and that is ok.
CHECKED struct status ddl_edit_type(struct statement_context *context,
    const struct object_name *name, bool missing_ok, struct table_desc **type);
// A new type, its name taken; and once it is complete: names find it through the list of its database.
CHECKED struct status ddl_begin_type(struct statement_context *context,
    const struct object_name *name, enum relation_kind kind, struct table_desc *type);
CHECKED struct status ddl_put_new_type(struct statement_context *context, struct table_desc *type);
// As SQL writes the name.
const char *ddl_quoted(struct arena *arena, const char *name);
// 0A000 while a column, of a table or of another type, is of this type.
CHECKED struct status ddl_refuse_used_type(
    struct statement_context *context, const struct table_desc *type);
// 0A000 while an expression that is kept makes values of composite type `type`: they would not be as it is changed.
CHECKED struct status ddl_refuse_kept_values(
    struct statement_context *context, const struct table_desc *type);
// The expressions that tables with columns of composite type `type` keep name a field so; *what NULL: none does.
CHECKED struct status ddl_find_field_use(struct statement_context *context,
    const struct table_desc *type, const char *field, const char **what);
CHECKED struct status ddl_create_composite(struct statement_context *context);
CHECKED struct status ddl_alter_composite(struct statement_context *context);
CHECKED struct status ddl_rename_attribute(
    struct statement_context *context, const struct rename *rename);
// sql/ddl/ddl_collation.c. The definition that COLLATE names; NULL: the default one, or none written. 42704, 42804.
CHECKED struct status ddl_collation(struct statement_context *context,
    const struct object_name *name, struct type type, const char **definition);
CHECKED struct status ddl_create_collation(struct statement_context *context);
CHECKED struct status ddl_drop_collations(struct statement_context *context);
CHECKED struct status ddl_drop_collation(
    struct statement_context *context, const struct table_desc *collation, enum drop_behavior behavior);
// Without a look at who uses it.
CHECKED struct status ddl_remove_collation(
    struct statement_context *context, const struct table_desc *made);
// What stored expressions name is found whatever the search path is.
CHECKED struct status ddl_qualify_collations(
    struct statement_context *context, struct object_name *const *names, uint32_t count);
// A column that is made from an expression has its collation. 42P22 when it is not known.
CHECKED struct status ddl_keep_collation(
    struct statement_context *context, struct column_desc *column);
// RENAME, OWNER TO, SET SCHEMA: what is NULL stays.
CHECKED struct status ddl_alter_collation(struct statement_context *context,
    const struct object_name *name, const char *new_name, const char *owner, const char *new_schema);
// sql/ddl/ddl_function.c
#define FUNCTION_PARAMETERS_MAX 100u
CHECKED struct status ddl_create_function(struct statement_context *context);
// Functions and procedures of the session's database.
CHECKED struct status ddl_functions_here(struct statement_context *context,
    const struct table_desc ***functions, uint32_t *count);
// Whether the name's schema, or else the search path, has this function.
CHECKED struct status ddl_function_in_path(struct statement_context *context, const struct object_name *name,
    const struct table_desc *function, bool *visible);
CHECKED struct status ddl_alter_function(struct statement_context *context);
CHECKED struct status ddl_drop_functions(struct statement_context *context);
// With what depends on it, or not when something does.
CHECKED struct status ddl_drop_function(
    struct statement_context *context, const struct table_desc *function, enum drop_behavior behavior);
CHECKED struct status ddl_remove_function(
    struct statement_context *context, const struct table_desc *function);
CHECKED struct status ddl_rename_function(
    struct statement_context *context, const struct rename *rename);
// Of one that the user owns.
CHECKED struct status ddl_function_id(struct statement_context *context,
    const struct object_name *name, enum object_kind kind, uint32_t *id);
// The same of any owner's.
CHECKED struct status ddl_any_function_id(struct statement_context *context,
    const struct object_name *name, enum object_kind kind, uint32_t *id);
CHECKED struct status ddl_own_function(struct statement_context *context,
    const struct object_name *name, enum object_kind kind, const char *owner);
CHECKED struct status ddl_move_function(
    struct statement_context *context, const struct alter_object_schema *alter);
// sql/ddl/ddl_call.c
CHECKED struct status ddl_call(struct statement_context *context);
CHECKED struct status ddl_describe_call(
    struct statement_context *context, const struct result_column **columns, uint32_t *count);
// Views, defaults and the like whose text names it: 2BP01, or dropped with CASCADE. `label`: "function f(integer)".
CHECKED struct status ddl_release_named(struct statement_context *context, uint32_t database_id,
    const char *text, uint32_t collation, const char *label, enum drop_behavior behavior);
// The same for what uses a type.
CHECKED struct status ddl_release_type(
    struct statement_context *context, const struct table_desc *type, enum drop_behavior behavior);
CHECKED struct status ddl_drop_types(struct statement_context *context); // DROP TYPE, DROP DOMAIN
CHECKED struct status ddl_drop_type(
    struct statement_context *context, const struct table_desc *type, enum drop_behavior behavior);
// Without a look at who uses it.
CHECKED struct status ddl_remove_type(
    struct statement_context *context, const struct table_desc *type);
CHECKED struct status ddl_rename_type(
    struct statement_context *context, const struct rename *rename);
CHECKED struct status ddl_move_type(
    struct statement_context *context, const struct alter_object_schema *alter);
CHECKED struct status ddl_own_type(
    struct statement_context *context, const struct object_name *name, const char *owner);

// A type's name for SQL text of our own.
const char *type_sql(struct statement_context *context, struct type type);
// What a row's value of the column is to be, as SQL: `sql` cast to the column's type without its length, which is for the one
// who assigns it, or to its domain, whose conditions it must meet. 0A000 for a domain with both a length and conditions.
CHECKED struct status ddl_column_cast(struct statement_context *context, const char *sql, struct type type,
    type_oid domain, const char **cast);

// What an expression mentions.
struct ddl_expr_info {
    const char **columns; // Last parts of column names, each once.
    uint32_t column_count;
    uint32_t *positions; // Where each of them stands first.
    uint32_t position_count;
    const char **fields; // Of composite values.
    uint32_t field_count;
    bool has_field_star, has_row;
    bool has_subquery, has_parameter, has_window, has_star, has_string, has_function;
    bool is_volatile;      // A function of that name is volatile.
    const char *unknown;   // Name of a function that is none of ours, or NULL.
    const char *aggregate; // Name of an aggregate in it, or NULL.
    const char *set_function;
};
void ddl_expr_info(struct arena *arena, struct expr *expr, struct ddl_expr_info *info);
// Sets a column's default. NULL alone is none, unless it must be brought to the column's type.
CHECKED struct status ddl_column_default(
    struct statement_context *context, struct column_desc *column, struct expr *expr);
// 42P17 with `message` when a built-in function in it is volatile; of others plan_expression_look() knows.
CHECKED struct status ddl_check_immutable(
    struct statement_context *context, const struct ddl_expr_info *info, const char *message);
// Once all columns are known: generated columns name users' functions by their ids.
CHECKED struct status ddl_settle_generated(struct statement_context *context, struct table_desc *table);
char *ddl_deparse(struct arena *arena, const struct expr *expr);
// Replaces a column's name in stored expression text. *text unchanged when it does not occur.
CHECKED struct status ddl_rename_in_text(
    struct arena *arena, const char **text, const char *from, const char *to);
// The table names that a query mentions anywhere, in place; those of its own WITH clauses left out.
struct resolutions;
struct function_frame;
struct ddl_tables {
    struct from_item **items; // FROM_TABLE, but for names of WITH queries.
    uint32_t count;
    struct type_name **types; // Names in casts that are no built-in types'.
    uint32_t type_count;
    struct object_name **collations; // Of COLLATE.
    uint32_t collation_count;
    struct expr **sequences; // Calls of nextval() and the like.
    uint32_t sequence_count;
    bool has_parameter;
    struct statement **writes; // INSERT, UPDATE, DELETE: itself, or in WITH.
    uint32_t write_count;
};
// Writes the id of the sequence that such a call names in place of its name; 0: it names none.
CHECKED struct status ddl_name_sequence(
    struct statement_context *context, struct expr *expr, uint32_t *sequence_id);
// What ALTER and CREATE VIEW share: options, and what WITH CHECK OPTION asks of the query.
CHECKED struct status ddl_view_options(
    struct statement_context *context, const struct option_list *options, struct table_desc *view);
CHECKED struct status ddl_check_view_option(
    struct statement_context *context, const struct select *query);
CHECKED struct status ddl_qualify_query_types(
    struct statement_context *context, const struct ddl_tables *tables);
void ddl_collect_tables(struct arena *arena, struct select *select, struct ddl_tables *tables);
// Of a query or a statement that writes, whose own table is in tables->writes.
void ddl_collect_statement(struct arena *arena, struct statement *statement, struct ddl_tables *tables);
struct table_target *ddl_written_table(struct statement *statement); // NULL: it writes none.
char *ddl_deparse_select(struct arena *arena, const struct select *select);
// Checks a DEFAULT of a column of that type for what it may not have, resolves nextval('s') to the sequence's id, and
// gives the text to store.
CHECKED struct status ddl_default_text(struct statement_context *context, struct expr *expr,
    struct type type, const char **text, uint32_t *sequence_id);
// As ddl_default_text, of a domain or a view's column: without a row to make, nothing else looks at a literal.
CHECKED struct status ddl_lone_default_text(
    struct statement_context *context, struct expr *expr, struct type type, const char **text);
CHECKED struct status ddl_check_text(struct statement_context *context, struct expr *expr,
    const char *what, const struct table_desc *table, uint32_t **columns, uint32_t *column_count,
    const char **text);

// --- tables --------------------------------------------------------------------------------------

// Appends to an array of a descriptor being edited.
#define DDL_APPEND(arena, items, count, value)                                                     \
    do {                                                                                           \
        __typeof__(items) grown_ = ARENA_ARRAY((arena), __typeof__(*(items)), (count) + 1);        \
        if ((count) > 0) memcpy(grown_, (items), (count) * sizeof *(items));                       \
        grown_[(count)] = (value);                                                                 \
        (items) = grown_;                                                                          \
        (count)++;                                                                                 \
    } while (0)
#define DDL_REMOVE(items, count, index)                                                            \
    do {                                                                                           \
        memmove(&(items)[index], &(items)[(index) + 1], ((count) - (index)-1) * sizeof *(items));  \
        (count)--;                                                                                 \
    } while (0)
bool ddl_has_id(const uint32_t *ids, uint32_t count, uint32_t id);
// Takes the id out of such an array, if it is there.
void ddl_remove_id(uint32_t *ids, uint32_t *count, uint32_t id);

// Adds a column as defined, without constraints that need other objects; its own CHECKs and keys are left to
// the caller. Makes the sequence of SERIAL and IDENTITY. 42701.
// 42701 for the names of system columns, which those of tables may not have.
CHECKED struct status ddl_check_column_name(struct statement_context *context, const char *name);
CHECKED struct status ddl_add_column(struct statement_context *context, struct table_desc *table,
    const struct column_definition *definition, struct column_desc **column);
// The same for many: there is memory for `*room` columns at table->columns, of which it takes more as it must. 0: none is known of.
CHECKED struct status ddl_add_column_to(struct statement_context *context, struct table_desc *table,
    const struct column_definition *definition, uint32_t *room, struct column_desc **column);
enum index_kind { INDEX_PLAIN, INDEX_UNIQUE, INDEX_PRIMARY, INDEX_INVERTED };
enum index_kind ddl_index_kind(const struct create_index *create);
// 0A000, 42704, 22023 for what indexes of its access method do not have.
CHECKED struct status ddl_check_index(
    struct statement_context *context, const struct create_index *create);
CHECKED struct status ddl_add_index(struct statement_context *context, struct table_desc *table,
    const char *name, const struct index_element_list *elements, const struct name_list *storing,
    enum index_kind kind, bool from_constraint, struct index_desc **index);
CHECKED struct status ddl_add_key(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct index_desc **index);
CHECKED struct status ddl_add_check(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct constraint_desc **check);
// After a column's type has changed: index expressions and those of statistics objects that mention it have the types
// that they are of now. *changed is set when that of an index is another. 42883, 42704, ... for what it is not a value of.
CHECKED struct status ddl_retype_expressions(
    struct statement_context *context, struct table_desc *table, const char *column, bool *changed);
// After a change of a column's type: 42804 where its foreign keys, or others' to it, would compare what cannot be.
CHECKED struct status ddl_check_keys(
    struct statement_context *context, const struct table_desc *table);
// The referenced table's descriptor is edited and put too (unless it is the table itself).
CHECKED struct status ddl_add_foreign_key(struct statement_context *context,
    struct table_desc *table, const struct constraint *constraint, const char *column,
    struct constraint_desc **key);
// Makes the hidden rowid column and its primary index.
CHECKED struct status ddl_add_rowid(struct statement_context *context, struct table_desc *table);
// Plans INSERT ... DEFAULT VALUES: whatever in the stored expressions does not bind fails here.
CHECKED struct status ddl_validate_expressions(
    struct statement_context *context, const struct table_desc *table);
// A new sequence in the table's schema. Gives its id.
CHECKED struct status ddl_create_sequence(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name, const struct sequence_options *options, uint32_t *id);
CHECKED struct status ddl_check_identity_type(struct statement_context *context, type_oid type);
// GENERATED AS IDENTITY: gives the column a sequence of its own, named by SEQUENCE NAME or after the column.
CHECKED struct status ddl_add_identity(struct statement_context *context, struct table_desc *table,
    struct column_desc *column, const struct constraint *constraint);
// What comes of AS: limits that were the former type's become the type's.
void ddl_retype_sequence(struct sequence_options *options, type_oid type);
// Options of a sequence that exists, RESTART among them.
CHECKED struct status ddl_change_sequence(struct statement_context *context,
    struct table_desc *sequence, const struct option_list *options,
    const struct object_name **owned_by);
CHECKED struct status ddl_sequence_options(struct statement_context *context,
    const struct option_list *options, struct sequence_options *out,
    const struct object_name **owned_by, bool *restart, int64_t *restart_value);
struct sequence_options ddl_sequence_defaults(type_oid type);

bool ddl_constraint_name_in_use(const struct table_desc *table, const char *name);
struct index_desc *ddl_index_by_name(struct table_desc *table, const char *name);
struct column_desc *ddl_column(struct table_desc *table, const char *name);

// --- existing rows ---------------------------------------------------------------------------------

// Whether the table has rows, as the transaction sees it.
CHECKED struct status ddl_has_rows(
    struct statement_context *context, const struct table_desc *table, bool *has_rows);
// Whether it has more than `limit` rows: decides between doing it here and a job.
CHECKED struct status ddl_has_more_rows(
    struct statement_context *context, const struct table_desc *table, uint64_t limit, bool *more);
// Fills new indexes of `target` from the rows of `source`, which is the table as stored now, in the
// transaction.
CHECKED struct status ddl_fill_indexes(struct statement_context *context,
    const struct table_desc *source, const struct table_desc *target, const uint32_t *index_ids,
    uint32_t index_count);
// Makes `target` the table, with all rows written anew: every index gets a new id and is filled from the
// stored table, column i by the SQL expression column_sql[i] over the old row. Ends with the new descriptor
// put; what it replaces is erased later. In the transaction when it is the client's or there is little to do;
// else commits, does it in a job and begins a new transaction.
CHECKED struct status ddl_rewrite(struct statement_context *context,
    const struct table_desc *source, struct table_desc *target, const char **column_sql);
// The expressions that copy every column of `target` that `source` has; others are NULL, to be filled in.
const char **ddl_copy_columns(
    struct arena *arena, const struct table_desc *source, const struct table_desc *target);
// 23514, 23502 or 23503 when a row of the stored table does not meet it.
// Rows of a part of the table: those whose column, never NULL, is in from..to, without `to`. NULL: no end.
struct ddl_key_range {
    const char *column;
    type_oid type;
    const struct datum *from, *to;
};
CHECKED struct status ddl_validate_constraint_in(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *constraint,
    const struct ddl_key_range *range);
CHECKED struct status ddl_validate_constraint(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *constraint);
CHECKED struct status ddl_validate_not_null(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column);

// Rows up to which the work is done inside of the statement's transaction: a cluster setting; none where the statement
// has lost against writers.
uint64_t ddl_inline_rows(struct statement_context *context);

// The reading half of filling and rewriting: rows of the stored table, made into entries of the target's indexes.
// `write` is called for each entry, in the order of rows; it may suspend.
struct ddl_entry {
    const struct index_desc *index;
    struct bytes key, value; // Valid during the call.
    bool unique;             // An equal key is a duplicate.
    const struct datum *row;
};
struct ddl_feed {
    const struct table_desc *source, *target;
    const char **column_sql;
    const uint32_t *index_ids; // Of the target, to be filled.
    uint32_t index_count;
    struct status (*write)(struct task *task, struct ddl_feed *feed, const struct ddl_entry *entry);
    // Called after each row, when its entries are written; may be NULL.
    struct status (*row_done)(struct task *task, struct ddl_feed *feed);
    void *arg;
    uint64_t row_count;
};
CHECKED struct status ddl_feed_run(
    struct task *task, struct session *session, struct arena *arena, struct ddl_feed *feed);
// 23505 when rows of the stored table are equal in a deferrable key; nothing is asked of others.
CHECKED struct status ddl_validate_deferrable(struct statement_context *context,
    const struct table_desc *table, const struct index_desc *index);
// 23505 "could not create unique index".
struct status ddl_duplicate(struct session *session, struct arena *arena,
    const struct table_desc *table, const struct index_desc *index, const struct datum *row);
// Whether a schema change of the table is still at work: 55006 for others that want to change it.
bool ddl_is_unfinished(const struct table_desc *table);
// Lets names of the target's indexes lead to their new ids.
CHECKED struct status ddl_renumber_names(
    struct task *task, struct session *session, const struct table_desc *target);

// --- statistics objects: sql/ddl/ddl_statistics.c ------------------------------------------------------

CHECKED struct status ddl_create_statistics(struct statement_context *context);
CHECKED struct status ddl_alter_statistics(struct statement_context *context);
CHECKED struct status ddl_drop_statistics(struct statement_context *context);
// One of the user's own, by name: 42704, 42501.
CHECKED struct status ddl_find_statistics(
    struct statement_context *context, const struct object_name *name, uint32_t *id);
// RENAME, OWNER TO, SET SCHEMA: what is NULL stays.
CHECKED struct status ddl_change_statistics(struct statement_context *context,
    const struct object_name *name, const char *new_name, const char *owner, const char *new_schema);
// LIKE: those of `source` for the table being made, under names of their own, maybe with their comments. The table is not
// written.
CHECKED struct status ddl_copy_statistics(
    struct statement_context *context, const struct table_desc *source, struct table_desc *table, bool comments);
// SET STATISTICS: as descriptors keep it. 22023.
CHECKED struct status ddl_set_statistics_target(
    struct statement_context *context, int64_t target, uint32_t *kept);
// The table itself is to be written, or to go, afterwards.
CHECKED struct status ddl_forget_statistics(
    struct statement_context *context, const struct table_desc *table);
CHECKED struct status ddl_remove_statistics(
    struct statement_context *context, struct table_desc *table, uint32_t at);
CHECKED struct status ddl_drop_statistics_of_column(
    struct statement_context *context, struct table_desc *table, const struct column_desc *column);

// --- removing --------------------------------------------------------------------------------------

// Erases a span of data once the tenant's GC TTL has passed after the commit: a job in this transaction.
CHECKED struct status ddl_erase_later(struct statement_context *context, uint32_t table_id,
    const uint32_t *index_ids, uint32_t count);
// "table", "materialized view", ...
const char *ddl_kind_of(const struct table_desc *table);
// `refused` with the hint which statement drops the relation of that name, if there is one of another kind.
CHECKED struct status ddl_use_other_drop(
    struct statement_context *context, struct status refused, const struct object_name *name);
// What one statement drops of a database: these do not stand in each other's way.
struct ddl_drop_list {
    const struct table_desc *const *objects; // Relations, functions, types and collations.
    uint32_t count;
    bool everything;                         // The database has no others.
    const struct schema_desc *const *schemas;
    uint32_t schema_count;
};
// RESTRICT: nothing else may depend on them, or be in the schemas.
CHECKED struct status ddl_drop_together(
    struct statement_context *context, const struct ddl_drop_list *list, enum drop_behavior behavior);
CHECKED struct status ddl_drop_relation(
    struct statement_context *context, struct table_desc *table, enum drop_behavior behavior);
// The sequence of a column that is dropped and gone from the table already: others may take their values from it.
CHECKED struct status ddl_drop_column_sequence(struct statement_context *context, const struct table_desc *table,
    const char *column, struct table_desc *sequence, enum drop_behavior behavior);
// Of an object's comment, or a column's (`from_sub`), another object gets its own. `class_id`: enum catalog_comment_class.
CHECKED struct status ddl_copy_comment(struct statement_context *context, uint32_t class_id, uint32_t from, uint32_t from_sub,
    uint32_t to, uint32_t to_sub);
CHECKED struct status ddl_delete_comments(
    struct statement_context *context, uint32_t class_id, uint32_t object_id);

// A name for a new index, made of its elements.
CHECKED struct status ddl_choose_index_name(struct statement_context *context,
    struct table_desc *table, const struct create_index *create, const char **name);

// --- views -----------------------------------------------------------------------------------------

// Takes the name. *table NULL when it is taken and that is ok. Temporary ones are noted.
CHECKED struct status ddl_begin_table(struct statement_context *context,
    const struct object_name *name, enum persistence persistence, bool if_not_exists, uint32_t id,
    struct table_desc **out);
// Of the columns that a query gives a table or view. 42P16 for pseudo-types; rows of tables are not `stored`: 0A000.
CHECKED struct status ddl_check_query_columns(
    struct statement_context *context, const struct table_desc *table, bool stored);
// The columns that a query gives, before the relation's name is taken; then the relation gets them.
CHECKED struct status ddl_columns_of_query(struct statement_context *context,
    const struct create_table_as *create, struct table_desc *shape);
void ddl_take_columns(struct table_desc *table, const struct table_desc *shape);
// The text that a view keeps of its query: tables and types with their full names, columns with their tables', its own
// columns called by `names`. Notes in the view what it depends on. The select is used up. The plan tells the columns.
CHECKED struct status ddl_view_query(struct statement_context *context, struct select *select,
    const struct name_list *names, struct table_desc *view, struct plan **plan, const char **sql);
// Another name or schema of a table or view, or another name of one of its columns or of the whole schema, in what
// views say of it.
struct ddl_rename_in_views {
    uint32_t table_id;                   // 0: every relation of schema_id.
    bool of_type;                        // It is a composite type's, and `column` its attribute.
    uint32_t schema_id;
    const char *column, *new_column;     // NULL: of the table.
    const char *new_table, *new_schema;  // NULL: as it was.
};
// A kept statement as it was bound, with what it says of tables.
struct ddl_kept_query {
    struct statement *statement;
    struct ddl_tables tables;
    struct resolutions *resolutions;
};
CHECKED struct status ddl_rename_in_query(struct statement_context *context,
    struct ddl_kept_query *query, const struct ddl_rename_in_views *rename);
// sql/ddl/ddl_function_rename.c: bodies in SQL-standard form.
CHECKED struct status ddl_rename_in_functions(
    struct statement_context *context, const struct ddl_rename_in_views *rename);
// Those that use the column, appended.
CHECKED struct status ddl_functions_using(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column, struct table_desc ***functions,
    uint32_t *count);
// The body's statements planned by its parameters; `frame` and `types` have room for all of them.
void ddl_function_frame(const struct table_desc *function, struct function_frame *frame,
    const char **names, struct type *types);
// The text of an SQL-standard body, from its statements.
CHECKED struct status ddl_write_body(struct statement_context *context, struct table_desc *function);
// Before the catalog has the new name. 0A000 where a query cannot follow.
CHECKED struct status ddl_rename_in_views(
    struct statement_context *context, const struct ddl_rename_in_views *rename);
CHECKED struct status ddl_rename_view_column(
    struct statement_context *context, uint32_t view_id, const char *from, const char *to);
// The text of a query that calls its columns so. The select is used up.
const char *ddl_name_query(
    struct arena *arena, struct select *select, const struct name_list *names);
// Which columns of `table` a view uses: (*used)[i] of table->columns[i].
CHECKED struct status ddl_view_columns(struct task *task, struct session *session, struct arena *arena,
    uint32_t view_id, const struct table_desc *table, bool **used);
// A column is to go, or (NULL) the primary key. Views and functions that use it are in its way (2BP01), or go with it.
CHECKED struct status ddl_drop_views_using(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column, enum drop_behavior behavior,
    bool *dropped);
// 0A000 when a view uses the column: it is not to have another type.
CHECKED struct status ddl_keep_type_for_views(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column);
// Tells the tables that the view uses them, or no longer does.
CHECKED struct status ddl_link_view(
    struct statement_context *context, const struct table_desc *view, bool add);
CHECKED struct status ddl_truncate_table(
    struct statement_context *context, uint32_t id, bool restart_identity);
CHECKED struct status ddl_create_materialized_view(struct statement_context *context);
CHECKED struct status ddl_reindex(struct statement_context *context);
CHECKED struct status ddl_refresh_view(struct statement_context *context);

// --- handlers --------------------------------------------------------------------------------------

CHECKED struct status ddl_create_extension(struct statement_context *context);
CHECKED struct status ddl_create_database(struct statement_context *context);
CHECKED struct status ddl_alter_database(struct statement_context *context);
CHECKED struct status ddl_create_schema(struct statement_context *context);
CHECKED struct status ddl_create_table(struct statement_context *context);
CHECKED struct status ddl_create_table_as(struct statement_context *context);
CHECKED struct status ddl_create_view(struct statement_context *context);
CHECKED struct status ddl_create_index(struct statement_context *context);
CHECKED struct status ddl_create_sequence_statement(struct statement_context *context);
CHECKED struct status ddl_alter_sequence(struct statement_context *context);
CHECKED struct status ddl_alter_table(struct statement_context *context);
CHECKED struct status ddl_rename(struct statement_context *context);
CHECKED struct status ddl_alter_owner(struct statement_context *context);
CHECKED struct status ddl_alter_schema(struct statement_context *context);
CHECKED struct status ddl_drop(struct statement_context *context);
CHECKED struct status ddl_drop_indexes(struct statement_context *context);
CHECKED struct status ddl_drop_schemas(struct statement_context *context);
// What a schema holds, as a DETAIL names it, in the order in which it was made. Sequences of columns go with their tables.
struct ddl_member {
    uint32_t id;
    const char *text;
};
struct ddl_members {
    struct ddl_member *items;
    uint32_t count;
};
CHECKED struct status ddl_schema_members(
    struct statement_context *context, const struct schema_desc *schema, struct ddl_members *members);
// An empty one, with statistics objects of tables of other schemas.
CHECKED struct status ddl_remove_schema(struct statement_context *context, const struct schema_desc *schema);
CHECKED struct status ddl_drop_database(struct statement_context *context);
CHECKED struct status ddl_truncate(struct statement_context *context);
CHECKED struct status ddl_comment(struct statement_context *context);

// CREATE TABLE with an id given: bootstrap.
CHECKED struct status ddl_create_table_with_id(
    struct statement_context *context, uint32_t id, uint32_t *created);
