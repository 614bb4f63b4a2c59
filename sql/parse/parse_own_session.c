// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions, SET and RESET, EXPLAIN, PREPARE. Transaction control is PostgreSQL's own, read here
// because it is frequent, and because AS OF SYSTEM TIME and PRIORITY are not PostgreSQL's.
#include "sql/parse/parse_internal.h"

// --- transactions --------------------------------------------------------------------------------

static enum isolation isolation_level(struct own *own)
{
    if (own_take(own, "serializable")) return SERIALIZABLE;
    if (own_take(own, "repeatable read") || own_take(own, "snapshot")) return REPEATABLE_READ;
    if (own_take(own, "read committed")) return READ_COMMITTED;
    if (own_take(own, "read uncommitted")) return READ_UNCOMMITTED;
    own_fail(own);
    return ISOLATION_NONE;
}

static enum transaction_priority priority(struct own *own)
{
    if (own_take(own, "low")) return PRIORITY_LOW;
    if (own_take(own, "normal")) return PRIORITY_NORMAL;
    if (own_take(own, "high")) return PRIORITY_HIGH;
    own_fail(own);
    return PRIORITY_NONE;
}

static bool transaction_mode(struct own *own, struct transaction *transaction)
{
    static const char *const stops[] = {"isolation", "read", "not", "deferrable", "priority", NULL};
    if (own_take(own, "isolation level")) {
        transaction->isolation = isolation_level(own);
    } else if (own_take(own, "read only")) {
        transaction->read_only = TRI_YES;
    } else if (own_take(own, "read write")) {
        transaction->read_only = TRI_NO;
    } else if (own_take(own, "not deferrable")) {
        transaction->deferrable = TRI_NO;
    } else if (own_take(own, "deferrable")) {
        transaction->deferrable = TRI_YES;
    } else if (own_take(own, "priority")) {
        transaction->priority = priority(own);
    } else if (own_take(own, "as of system time")) {
        own->out->as_of = own_expr(own, stops);
    } else {
        return false;
    }
    return true;
}

// Modes, separated by commas or by nothing.
static void transaction_modes(struct own *own, struct transaction *transaction, bool required)
{
    if (own_at_end(own) && !required) return;
    do {
        if (!transaction_mode(own, transaction)) {
            own_fail(own);
            return;
        }
        (void)own_take_char(own, ',');
    } while (!own_at_end(own));
}

static void commit_options(struct own *own, struct transaction *transaction)
{
    if (!own_take(own, "work")) (void)own_take(own, "transaction");
    if (own_take(own, "and no chain")) return;
    if (own_take(own, "and chain")) transaction->chain = true;
}

static const char *global_id(struct own *own)
{
    struct bytes text = BYTES_LITERAL("");
    if (own->token.kind != LEX_STRING ||
        !token_string(own->arena, &own->lexer, own->token, &text)) {
        own_fail(own);
        return "";
    }
    own_advance(own);
    return arena_string(own->arena, text);
}

bool own_transaction(struct own *own)
{
    struct transaction *transaction = OWN_NEW(own, transaction, struct transaction);
    struct statement *out = own->out;
    if (own_take(own, "begin")) {
        out->tag = STATEMENT_BEGIN;
        if (!own_take(own, "work")) (void)own_take(own, "transaction");
        transaction_modes(own, transaction, false);
    } else if (own_take(own, "start")) {
        out->tag = STATEMENT_START_TRANSACTION;
        own_expect(own, "transaction");
        transaction_modes(own, transaction, false);
    } else if (own_take(own, "commit prepared")) {
        out->tag = STATEMENT_COMMIT_PREPARED;
        transaction->name = global_id(own);
    } else if (own_take(own, "rollback prepared")) {
        out->tag = STATEMENT_ROLLBACK_PREPARED;
        transaction->name = global_id(own);
    } else if (own_take(own, "commit") || own_take(own, "end")) {
        out->tag = STATEMENT_COMMIT;
        commit_options(own, transaction);
    } else if (own_take(own, "savepoint")) {
        out->tag = STATEMENT_SAVEPOINT;
        transaction->name = own_identifier(own);
    } else if (own_take(own, "release")) {
        out->tag = STATEMENT_RELEASE_SAVEPOINT;
        (void)own_take(own, "savepoint");
        transaction->name = own_identifier(own);
    } else if (own_take(own, "rollback") || own_take(own, "abort")) {
        if (!own_take(own, "work")) (void)own_take(own, "transaction");
        if (own_take(own, "to")) {
            out->tag = STATEMENT_ROLLBACK_TO_SAVEPOINT;
            (void)own_take(own, "savepoint");
            transaction->name = own_identifier(own);
        } else {
            out->tag = STATEMENT_ROLLBACK;
            commit_options(own, transaction);
        }
    } else {
        return false;
    }
    return true;
}

static bool set_transaction(struct own *own)
{
    struct transaction *transaction = OWN_NEW(own, transaction, struct transaction);
    own->out->tag = STATEMENT_SET_TRANSACTION;
    if (own_take(own, "session characteristics as transaction")) {
        transaction->scope = SCOPE_SESSION;
    } else {
        if (!own_take(own, "session")) (void)own_take(own, "local");
        own_expect(own, "transaction");
        if (own_take(own, "snapshot")) {
            transaction->snapshot = global_id(own);
            return true;
        }
    }
    transaction_modes(own, transaction, true);
    return true;
}

// --- SET, RESET, USE -----------------------------------------------------------------------------

// name.name...: as it is looked up, in lower case.
static const char *setting_name(struct own *own)
{
    const char *name = own_identifier(own);
    while (own_take_char(own, '.'))
        name = arena_printf(own->arena, "%s.%s", name, own_identifier(own));
    return name;
}

static bool set_cluster_setting(struct own *own, bool reset)
{
    struct cluster_setting *setting = OWN_NEW(own, cluster_setting, struct cluster_setting);
    own->out->tag = reset ? STATEMENT_RESET_CLUSTER_SETTING : STATEMENT_SET_CLUSTER_SETTING;
    setting->name = setting_name(own);
    if (reset) return true;
    if (!own_take_char(own, '=')) own_expect(own, "to");
    if (!own_take(own, "default")) setting->value = own_setting_value(own, NULL);
    return true;
}

bool own_set(struct own *own)
{
    if (own_take(own, "use")) {
        struct set_variable *set = OWN_NEW(own, set_variable, struct set_variable);
        own->out->tag = STATEMENT_SET;
        set->name = "database";
        set->values.items = ARENA_ARRAY(own->arena, struct expr *, 1);
        set->values.items[0] = own_setting_value(own, NULL);
        set->values.count = 1;
        return true;
    }
    own_expect(own, "set");
    if (own_take(own, "cluster setting")) return set_cluster_setting(own, false);
    if (own_is(own, "transaction") || own_is(own, "local transaction") ||
        own_is(own, "session transaction") || own_is(own, "session characteristics")) {
        // SET transaction = ... and SET transaction.x = ... are not it.
        struct own_mark mark = own_mark(own);
        own_advance(own);
        bool variable = own_is_char(own, '=') || own_is_char(own, '.') || own_is(own, "to");
        own_back(own, mark);
        return !variable && set_transaction(own);
    }
    return false;
}

bool own_reset(struct own *own)
{
    own_expect(own, "reset");
    return own_take(own, "cluster setting") && set_cluster_setting(own, true);
}

// --- EXPLAIN, PREPARE ----------------------------------------------------------------------------

static struct statement *rest_as_statement(struct own *own)
{
    if (own_at_end(own)) own_fail(own);
    struct statement *statement = parse_statement(own->parse, own->token.position, own->lexer.size);
    own->lexer.at = own->lexer.size;
    own_advance(own);
    return statement;
}

// What holds a statement that is refused by name is refused by the same.
static void refuse_with(struct own *own, const struct statement *inner)
{
    if (inner == NULL || inner->tag != STATEMENT_UNSUPPORTED) return;
    own->out->tag = STATEMENT_UNSUPPORTED;
    own->out->as.unsupported = inner->as.unsupported;
}

// ( name [value], ... )
static struct option_list explain_options(struct own *own)
{
    struct option_list list = {0};
    own_expect_char(own, '(');
    do {
        struct option option = {.position = own->token.position};
        option.name = own_identifier(own);
        if (!own_is_char(own, ',') && !own_is_char(own, ')'))
            option.value = own_setting_value(own, NULL);
        list.items = arena_grow(
            own->arena, list.items, sizeof option * list.count, sizeof option * (list.count + 1));
        list.items[list.count++] = option;
    } while (own_take_char(own, ','));
    own_expect_char(own, ')');
    return list;
}

// EXPLAIN (SELECT ...) has a query in its parentheses, not options.
static bool options_follow(struct own *own)
{
    static const char *const queries[] = {"select", "values", "with", "table", NULL};
    if (!own_is_char(own, '(')) return false;
    struct own_mark mark = own_mark(own);
    own_advance(own);
    bool query = own_is_char(own, '(');
    for (const char *const *word = queries; *word != NULL; word++)
        query |= own_is(own, *word);
    own_back(own, mark);
    return !query;
}

static bool option_is_on(const struct option *option)
{
    if (option->value == NULL) return true;
    if (option->value->kind != EXPR_LITERAL) return false;
    struct bytes text = option->value->literal.text;
    switch (option->value->literal.kind) {
    case LITERAL_BOOL: return option->value->literal.boolean;
    case LITERAL_INTEGER: return option->value->literal.integer != 0;
    case LITERAL_STRING:
        return bytes_equal(text, BYTES_LITERAL("on")) || bytes_equal(text, BYTES_LITERAL("true"));
    default: return false;
    }
}

bool own_explain(struct own *own)
{
    own_expect(own, "explain");
    struct explain *explain = OWN_NEW(own, explain, struct explain);
    own->out->tag = STATEMENT_EXPLAIN;
    explain->analyze = own_take(own, "analyze") || own_take(own, "analyse");
    uint32_t position = own->token.position;
    bool verbose = own_take(own, "verbose");
    if (options_follow(own)) explain->options = explain_options(own);
    for (uint32_t i = 0; i < explain->options.count; i++) {
        if (strcmp(explain->options.items[i].name, "analyze") == 0)
            explain->analyze = option_is_on(&explain->options.items[i]);
    }
    if (verbose) {
        struct option *options =
            ARENA_ARRAY(own->arena, struct option, explain->options.count + 1u);
        if (explain->options.count > 0)
            memcpy(options, explain->options.items, sizeof *options * explain->options.count);
        options[explain->options.count++] = (struct option){"verbose", NULL, position};
        explain->options.items = options;
    }
    explain->statement = rest_as_statement(own);
    own->out->as_of = explain->statement->as_of;
    refuse_with(own, explain->statement);
    return true;
}

bool own_prepare(struct own *own)
{
    own_expect(own, "prepare");
    if (own_take(own, "transaction")) {
        own->out->tag = STATEMENT_PREPARE_TRANSACTION;
        OWN_NEW(own, transaction, struct transaction)->name = global_id(own);
        return true;
    }
    struct prepare *prepare = OWN_NEW(own, prepare, struct prepare);
    own->out->tag = STATEMENT_PREPARE;
    prepare->name = own_identifier(own);
    if (own_take_char(own, '(')) {
        do {
            uint32_t start = own->token.position, depth = 0;
            while (!own_at_end(own) &&
                   (depth > 0 || (!own_is_char(own, ',') && !own_is_char(own, ')')))) {
                if (own->token.kind == LEX_ERROR) break;
                if (own_is_char(own, '(')) depth++;
                if (own_is_char(own, ')')) depth--;
                own_advance(own);
            }
            if (own->last_end <= start) own_fail(own);
            prepare->types.items = arena_grow(own->arena, prepare->types.items,
                sizeof(void *) * prepare->types.count, sizeof(void *) * (prepare->types.count + 1));
            prepare->types.items[prepare->types.count++] =
                parse_type_in(own->parse, start, own->last_end);
        } while (own_take_char(own, ','));
        own_expect_char(own, ')');
    }
    own_expect(own, "as");
    prepare->statement = rest_as_statement(own);
    refuse_with(own, prepare->statement);
    return true;
}
