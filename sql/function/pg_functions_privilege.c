// SPDX-License-Identifier: GPL-3.0-or-later
//
// has_table_privilege and its family, pg_has_role: what a role may do, asked in SQL.
#include <string.h>

#include "core/text.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege_object.h"
#include "sql/user/role.h"

// What is asked about, once it is found.
struct subject {
    enum privileged kind;
    const char *owner;
    const struct privilege_grant *grants;
    uint32_t grant_count;
    bool missing; // An oid that names nothing: the answer is NULL.
};

// Privileges that a kind of object has.
#define TABLE_PRIVILEGES \
    (PRIVILEGE_SELECT | PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_DELETE | \
        PRIVILEGE_TRUNCATE | PRIVILEGE_REFERENCES | PRIVILEGE_TRIGGER)
#define COLUMN_PRIVILEGES \
    (PRIVILEGE_SELECT | PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES)
#define SEQUENCE_PRIVILEGES (PRIVILEGE_USAGE | PRIVILEGE_SELECT | PRIVILEGE_UPDATE)
#define DATABASE_PRIVILEGES (PRIVILEGE_CREATE | PRIVILEGE_CONNECT | PRIVILEGE_TEMPORARY)
#define SCHEMA_PRIVILEGES (PRIVILEGE_CREATE | PRIVILEGE_USAGE)

static struct status has_any(struct task *task, struct session *session, const struct subject *subject,
    uint32_t bits, bool *has)
{
    *has = session->internal || session->superuser;
    for (uint32_t bit = 1; bit != 0 && bit <= PRIVILEGE_EXECUTE && !*has; bit <<= 1) {
        if ((bits & bit) == 0) continue;
        struct status st = privilege_role_has_of(task, session, session->user, subject->kind,
            subject->owner, subject->grants, subject->grant_count, bit, has);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

struct status pg_user_has_any(struct task *task, struct session *session, const char *owner,
    const struct privilege_grant *grants, uint32_t count, uint32_t bits, bool *has)
{
    const struct subject subject = {.owner = owner, .grants = grants, .grant_count = count};
    return has_any(task, session, &subject, bits, has);
}

struct status pg_user_has_any_of_table(struct task *task, struct session *session,
    const struct table_desc *table, uint32_t bits, bool *has)
{
    const struct subject subject = {.kind = privileged_relation(table),
        .owner = table->owner,
        .grants = table->grants,
        .grant_count = table->grant_count};
    return has_any(task, session, &subject, bits, has);
}

struct status pg_user_has_any_of_schema(struct task *task, struct session *session,
    const struct schema_desc *schema, uint32_t bits, bool *has)
{
    const struct subject subject = {.kind = privileged_schema(schema),
        .owner = schema->owner,
        .grants = schema->grants,
        .grant_count = schema->grant_count};
    return has_any(task, session, &subject, bits, has);
}

// --- arguments -----------------------------------------------------------------------------------------

// The role at args[0], or the session's when the call has no role. *role NULL: an oid without a role.
static struct status take_role(struct function_call *call, const struct datum *args, bool given,
    const char **role)
{
    struct status st = STATUS_OK;
    *role = call->session->user;
    if (!given) return st;
    if (call->arg_types[0].oid == TYPE_OID) {
        struct role **roles;
        uint32_t count;
        *role = NULL;
        TRY(role_list(call->task, call->session, call->arena, &roles, &count));
        for (uint32_t i = 0; i < count; i++)
            if (roles[i]->id == args[0].integer) *role = roles[i]->name;
        return st;
    }
    *role = arena_string(call->arena, datum_as_bytes(args[0]));
    bool exists = strcmp(*role, ROLE_PUBLIC_NAME) == 0;
    if (!exists) TRY(role_exists(call->task, call->session, *role, &exists));
    if (!exists)
        st = status_format(
            call->arena, E_UNDEFINED_OBJECT, "role \"%s\" does not exist", *role);
out:
    return st;
}

// "SELECT, UPDATE WITH GRANT OPTION": any of them will do.
struct asked {
    uint32_t bits, grantable;
};

static struct status parse_privileges(
    struct arena *arena, struct datum text, uint32_t allowed, struct asked *asked)
{
    *asked = (struct asked){0};
    char *list = arena_string(arena, datum_as_bytes(text));
    while (list != NULL) {
        char *comma = strchr(list, ',');
        if (comma != NULL) *comma = 0;
        char *name = arena_string(arena, text_trim(bytes_of_string(list)));
        size_t size = strlen(name);
        bool grant = size > 18 && string_equal_nocase(name + size - 18, " WITH GRANT OPTION");
        if (grant) name = arena_string(arena, text_trim(bytes_of(name, size - 18)));
        uint32_t bit = privilege_by_name(name) & allowed;
        if (bit == 0)
            return status_format(
                arena, E_INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"%s\"", name);
        if (grant)
            asked->grantable |= bit;
        else
            asked->bits |= bit;
        list = comma == NULL ? NULL : comma + 1;
    }
    return STATUS_OK;
}

static struct status answer(struct function_call *call, const char *role,
    const struct subject *subject, const struct asked *asked, struct datum *result)
{
    struct privilege_grant *grantable =
        ARENA_ARRAY(call->arena, struct privilege_grant, subject->grant_count + 1u);
    for (uint32_t i = 0; i < subject->grant_count; i++) {
        grantable[i] = subject->grants[i];
        grantable[i].privileges = subject->grants[i].grantable;
    }
    bool has = false;
    for (uint32_t bit = 1; bit != 0 && bit <= PRIVILEGE_EXECUTE && !has; bit <<= 1) {
        struct status st = STATUS_OK;
        if (asked->bits & bit)
            st = privilege_role_has_of(call->task, call->session, role, subject->kind,
                subject->owner, subject->grants, subject->grant_count, bit, &has);
        if (!failed(st) && !has && (asked->grantable & bit))
            st = privilege_role_has(call->task, call->session, role, subject->owner, grantable,
                subject->grant_count, bit, &has);
        if (failed(st)) return st;
    }
    *result = datum_bool(has);
    return STATUS_OK;
}

// --- objects -------------------------------------------------------------------------------------------

static struct status find_table(struct function_call *call, type_oid type, struct datum object,
    const struct table_desc **table, struct subject *subject)
{
    struct pg_relation relation;
    struct status st;
    if (type == TYPE_OID)
        TRY(pg_relation_by_oid(call->task, call->session, (uint32_t)object.integer, &relation));
    else
        TRY(pg_relation_by_name(
            call->task, call->session, call->arena, datum_as_bytes(object), false, &relation));
    *table = relation.table;
    subject->missing = relation.table == NULL;
    if (subject->missing) return st;
    subject->kind = privileged_relation(relation.table);
    subject->owner = relation.table->owner;
    subject->grants = relation.table->grants;
    subject->grant_count = relation.table->grant_count;
out:
    return st;
}

static struct status find_database(
    struct function_call *call, type_oid type, struct datum object, struct subject *subject)
{
    const struct database_desc *database = NULL;
    struct status st;
    if (type == TYPE_OID) {
        st = catalog_database_by_id(
            call->task, call->session, pg_id((uint32_t)object.integer), &database);
        subject->missing = status_is(st, E_INVALID_CATALOG_NAME);
        if (subject->missing) return STATUS_OK;
    } else {
        st = catalog_database(call->task, call->session,
            arena_string(call->arena, datum_as_bytes(object)), false, &database);
    }
    if (failed(st)) return st;
    subject->owner = database->owner;
    subject->grants = database->grants;
    subject->grant_count = database->grant_count;
    return st;
}

static struct status find_schema(
    struct function_call *call, type_oid type, struct datum object, struct subject *subject)
{
    static const struct privilege_grant everybody = {
        .role = ROLE_PUBLIC_NAME, .privileges = PRIVILEGE_USAGE};
    const struct schema_desc *schema = NULL;
    struct status st = STATUS_OK;
    if (type == TYPE_OID) {
        TRY(pg_schema_by_oid(call->task, call->session, (uint32_t)object.integer, &schema));
    } else {
        char *name = arena_string(call->arena, datum_as_bytes(object));
        schema = catalog_virtual_schema(name);
        if (schema == NULL)
            TRY(catalog_schema(call->task, call->session, NULL, name, false, &schema));
    }
    subject->missing = schema == NULL;
    if (schema == NULL) return st;
    bool is_virtual = schema->database_id == 0;
    subject->kind = privileged_schema(schema);
    subject->owner = schema->owner;
    subject->grants = is_virtual ? &everybody : schema->grants;
    subject->grant_count = is_virtual ? 1 : schema->grant_count;
out:
    return st;
}

// --- the functions -------------------------------------------------------------------------------------

#define NEED_SESSION() \
    if (call->session == NULL || call->task == NULL) \
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session")

// What a role has of columns alone: of one, or (UINT32_MAX) of any.
static struct status answer_columns(struct function_call *call, const char *role,
    const struct table_desc *table, uint32_t at, const struct asked *asked, struct datum *result)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count && !result->boolean; i++) {
        const struct column_desc *column = &table->columns[i];
        const struct subject subject = {
            .grants = column->grants, .grant_count = column->grant_count};
        if ((at != UINT32_MAX && at != i) || column->grant_count == 0) continue;
        TRY(answer(call, role, &subject, asked, result));
    }
out:
    return st;
}

enum subject_kind { SUBJECT_TABLE, SUBJECT_SEQUENCE, SUBJECT_DATABASE, SUBJECT_SCHEMA, SUBJECT_ANY_COLUMN };

static struct status has_privilege(struct function_call *call, enum subject_kind kind,
    const struct datum *args, struct datum *result)
{
    static const uint32_t allowed[] = {[SUBJECT_TABLE] = TABLE_PRIVILEGES,
        [SUBJECT_SEQUENCE] = SEQUENCE_PRIVILEGES,
        [SUBJECT_DATABASE] = DATABASE_PRIVILEGES,
        [SUBJECT_SCHEMA] = SCHEMA_PRIVILEGES,
        [SUBJECT_ANY_COLUMN] = COLUMN_PRIVILEGES};
    const char *role;
    const struct table_desc *table = NULL;
    struct subject subject = {0};
    struct asked asked;
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    type_oid type = call->arg_types[at].oid;
    struct status st;
    TRY(take_role(call, args, at == 1, &role));
    if (kind == SUBJECT_DATABASE)
        TRY(find_database(call, type, args[at], &subject));
    else if (kind == SUBJECT_SCHEMA)
        TRY(find_schema(call, type, args[at], &subject));
    else
        TRY(find_table(call, type, args[at], &table, &subject));
    TRY(parse_privileges(call->arena, args[at + 1], allowed[kind], &asked));
    *result = subject.missing ? DATUM_NULL : datum_bool(false);
    if (subject.missing || role == NULL) return st;
    if (kind == SUBJECT_SEQUENCE && table->kind != RELATION_SEQUENCE)
        return status_format(
            call->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", table->name);
    TRY(answer(call, role, &subject, &asked, result));
    if (kind == SUBJECT_ANY_COLUMN)
        TRY(answer_columns(call, role, table, UINT32_MAX, &asked, result));
out:
    return st;
}

#define HAS_BODY(name_, kind_) \
    BODY(name_) \
    { \
        NEED_SESSION(); \
        return has_privilege(call, kind_, args, result); \
    }
HAS_BODY(has_table, SUBJECT_TABLE)
HAS_BODY(has_sequence, SUBJECT_SEQUENCE)
HAS_BODY(has_database, SUBJECT_DATABASE)
HAS_BODY(has_schema, SUBJECT_SCHEMA)
HAS_BODY(has_any_column, SUBJECT_ANY_COLUMN)

BODY(has_column)
{
    const char *role;
    const struct table_desc *table;
    struct subject subject = {0};
    struct asked asked;
    struct status st;
    NEED_SESSION();
    uint32_t at = call->arg_count == 4 ? 1 : 0;
    TRY(take_role(call, args, at == 1, &role));
    TRY(find_table(call, call->arg_types[at].oid, args[at], &table, &subject));
    TRY(parse_privileges(call->arena, args[at + 2], COLUMN_PRIVILEGES, &asked));
    uint32_t column = 0;
    *result = DATUM_NULL;
    if (subject.missing) return st;
    if (call->arg_types[at + 1].oid == TYPE_INT2) {
        int64_t number = args[at + 1].integer;
        if (number < 1 || number > table->column_count) return st;
        column = (uint32_t)number - 1;
    } else {
        char *name = arena_string(call->arena, datum_as_bytes(args[at + 1]));
        if (table_column(table, name) == NULL)
            return status_format(call->arena, E_UNDEFINED_COLUMN,
                "column \"%s\" of relation \"%s\" does not exist", name, table->name);
        while (strcmp(table->columns[column].name, name) != 0) column++;
    }
    *result = datum_bool(false);
    if (role != NULL) TRY(answer(call, role, &subject, &asked, result));
    if (role != NULL) TRY(answer_columns(call, role, table, column, &asked, result));
out:
    return st;
}

// Functions and types: those of the system are everybody's. By name as regprocedure and regtype read it.
static struct status find_shared(struct function_call *call, enum object_kind kind, type_oid type,
    struct datum object, struct subject *subject)
{
    struct status st = STATUS_OK;
    const struct table_desc *found = NULL;
    struct privilege_grant *grants;
    if (type != TYPE_OID) {
        type_oid name = kind == OBJECT_FUNCTION ? TYPE_REGPROCEDURE : TYPE_REGTYPE;
        TRY(type_input(call->arena, &call->session->types, TYPE_OF(name), datum_as_bytes(object), &object));
    }
    uint32_t oid = (uint32_t)object.integer;
    uint32_t id = kind == OBJECT_FUNCTION ? pg_id(oid) : type_is_user(oid) ? type_user_id(oid) : 0;
    if (id >= CATALOG_FIRST_ID) {
        st = catalog_table_by_id(call->task, call->session, id, &found);
        if (failed(st) && !status_is(st, E_UNDEFINED_TABLE)) return st;
        st = STATUS_OK;
    }
    bool fits = found != NULL && (kind == OBJECT_FUNCTION ? found->kind == RELATION_FUNCTION
                                                          : relation_is_type(found->kind));
    uint32_t count = fits ? found->grant_count : 0;
    grants = ARENA_ARRAY(call->arena, struct privilege_grant, count + 1u);
    for (uint32_t i = 0; i < count; i++) grants[i] = found->grants[i];
    grants[count] = (struct privilege_grant){.role = ROLE_PUBLIC_NAME,
        .privileges = privilege_of_everybody(kind) & ~(fits ? found->public_revoked : 0)};
    *subject = (struct subject){
        .owner = fits ? found->owner : ROLE_ADMIN, .grants = grants, .grant_count = count + 1};
out:
    return st;
}

static struct status has_shared(struct function_call *call, enum object_kind kind,
    const struct datum *args, struct datum *result)
{
    struct status st;
    struct asked asked;
    struct subject subject;
    const char *role;
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    TRY(take_role(call, args, at == 1, &role));
    TRY(find_shared(call, kind, call->arg_types[at].oid, args[at], &subject));
    TRY(parse_privileges(call->arena, args[at + 1], privilege_of_everybody(kind), &asked));
    *result = datum_bool(false);
    if (role != NULL) st = answer(call, role, &subject, &asked, result);
out:
    return st;
}

BODY(has_function)
{
    NEED_SESSION();
    return has_shared(call, OBJECT_FUNCTION, args, result);
}

BODY(has_type)
{
    NEED_SESSION();
    return has_shared(call, OBJECT_TYPE, args, result);
}

// Every language is the system's and everybody's.
BODY(has_language)
{
    struct asked asked;
    const char *role;
    NEED_SESSION();
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    struct status st = take_role(call, args, at == 1, &role);
    if (!failed(st)) st = parse_privileges(call->arena, args[at + 1], PRIVILEGE_USAGE, &asked);
    *result = datum_bool(role != NULL && asked.grantable == 0);
    return st;
}

// Of what belongs to the system: administrators hold it, others do not.
static struct status of_the_system(
    struct function_call *call, const char *role, const struct asked *asked, struct datum *result)
{
    const struct subject subject = {.owner = ROLE_ADMIN};
    *result = datum_bool(false);
    return role == NULL ? STATUS_OK : answer(call, role, &subject, asked, result);
}

BODY(has_tablespace)
{
    struct status st;
    struct asked asked;
    const char *role;
    NEED_SESSION();
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    TRY(take_role(call, args, at == 1, &role));
    if (call->arg_types[at].oid == TYPE_OID) {
        int64_t oid = args[at].integer;
        *result = DATUM_NULL;
        if (oid != PG_TABLESPACE_DEFAULT && oid != PG_TABLESPACE_GLOBAL) goto out;
    } else {
        struct bytes name = datum_as_bytes(args[at]);
        if (!bytes_equal(name, BYTES_LITERAL("pg_default")) && !bytes_equal(name, BYTES_LITERAL("pg_global")))
            TRY(status_format(call->arena, E_UNDEFINED_OBJECT, "tablespace \"%.*s\" does not exist",
                bytes_shown(name), (const char *)name.data));
    }
    TRY(parse_privileges(call->arena, args[at + 1], PRIVILEGE_CREATE, &asked));
    st = of_the_system(call, role, &asked, result);
out:
    return st;
}

// Of foreign servers and foreign-data wrappers, of which there are none: a name is of none, an oid gives NULL.
static struct status has_foreign(struct function_call *call, const struct datum *args,
    const char *what, struct datum *result)
{
    struct asked asked;
    const char *role;
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    NEED_SESSION();
    struct status st = take_role(call, args, at == 1, &role);
    if (failed(st)) return st;
    if (call->arg_types[at].oid != TYPE_OID)
        return status_format(call->arena, E_UNDEFINED_OBJECT, "%s \"%s\" does not exist", what,
            arena_string(call->arena, datum_as_bytes(args[at])));
    *result = DATUM_NULL;
    return parse_privileges(call->arena, args[at + 1], PRIVILEGE_USAGE, &asked);
}

BODY(has_server)
{
    return has_foreign(call, args, "server", result);
}

BODY(has_wrapper)
{
    return has_foreign(call, args, "foreign-data wrapper", result);
}

// "SET, ALTER SYSTEM WITH GRANT OPTION", of parameters: privileges on them are granted to nobody.
BODY(has_parameter)
{
    static const char *const names[] = {"SET", "ALTER SYSTEM", "SET WITH GRANT OPTION", "ALTER SYSTEM WITH GRANT OPTION"};
    struct status st;
    const struct asked asked = {.bits = PRIVILEGE_CREATE};
    const char *role;
    NEED_SESSION();
    uint32_t at = call->arg_count == 3 ? 1 : 0;
    TRY(take_role(call, args, at == 1, &role));
    for (char *list = arena_string(call->arena, datum_as_bytes(args[at + 1])); list != NULL;) {
        char *comma = strchr(list, ',');
        if (comma != NULL) *comma = 0;
        const char *name = arena_string(call->arena, text_trim(bytes_of_string(list)));
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) known |= string_equal_nocase(name, names[i]);
        if (!known)
            TRY(status_format(call->arena, E_INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"%s\"", name));
        list = comma == NULL ? NULL : comma + 1;
    }
    st = of_the_system(call, role, &asked, result);
out:
    return st;
}

BODY(has_role)
{
    const char *role, *target = NULL;
    bool member = false;
    struct status st;
    NEED_SESSION();
    bool given = call->arg_count == 3;
    TRY(take_role(call, args, given, &role));
    struct function_call inner = *call; // The role asked about, read as a user is.
    inner.arg_types = call->arg_types + given;
    TRY(take_role(&inner, args + given, true, &target));
    struct bytes privilege = text_trim(datum_as_bytes(args[call->arg_count - 1]));
    bool with_admin = text_equal_nocase(privilege, bytes_of_string("MEMBER WITH ADMIN OPTION")) ||
                      text_equal_nocase(privilege, bytes_of_string("USAGE WITH ADMIN OPTION")) ||
                      text_equal_nocase(privilege, bytes_of_string("MEMBER WITH GRANT OPTION")) ||
                      text_equal_nocase(privilege, bytes_of_string("USAGE WITH GRANT OPTION"));
    if (!with_admin && !text_equal_nocase(privilege, bytes_of_string("MEMBER")) &&
        !text_equal_nocase(privilege, bytes_of_string("USAGE")))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "unrecognized privilege type: \"%.*s\"", bytes_shown(privilege), (const char *)privilege.data);
    *result = datum_bool(false);
    if (role == NULL || target == NULL) return st;
    TRY(role_is_member(call->task, call->session, role, ROLE_ADMIN, &member));
    if (!member && !with_admin) TRY(role_is_member(call->task, call->session, role, target, &member));
    if (!member && with_admin) {
        struct role_membership *memberships;
        uint32_t count;
        TRY(role_memberships(call->task, call->session, call->arena, &memberships, &count));
        for (uint32_t i = 0; i < count; i++)
            member |= memberships[i].admin_option && strcmp(memberships[i].role, target) == 0 &&
                      strcmp(memberships[i].member, role) == 0;
    }
    *result = datum_bool(member);
out:
    return st;
}

// --- access lists as values --------------------------------------------------------------------------------

// What an object without grants has: letters of its owner and of everybody.
BODY(default_acl)
{
    static const struct {
        char kind;
        const char *owner, *everybody;
    } kinds[] = {{'r', "arwdDxt", NULL}, {'s', "rwU", NULL}, {'d', "CTc", "Tc"}, {'n', "UC", NULL},
        {'f', "X", "X"}, {'l', "U", "U"}, {'T', "U", "U"}, {'t', "C", NULL}, {'F', "U", NULL},
        {'S', "U", NULL}, {'L', "rw", NULL}, {'c', NULL, NULL}, {'p', NULL, NULL}};
    struct role **roles;
    uint32_t count, items_count = 0;
    struct datum items[2];
    const char *owner = NULL;
    NEED_SESSION();
    struct status st = role_list(call->task, call->session, call->arena, &roles, &count);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < count; i++)
        if (roles[i]->id == args[1].integer) owner = roles[i]->name;
    if (owner == NULL) owner = arena_printf(call->arena, "%u", (uint32_t)args[1].integer);
    for (unsigned i = 0; i < TABLE_COUNT(kinds); i++) {
        if (kinds[i].kind != (char)args[0].integer) continue;
        if (kinds[i].everybody != NULL)
            items[items_count++] =
                datum_text(arena_printf(call->arena, "=%s/%s", kinds[i].everybody, owner));
        if (kinds[i].owner != NULL)
            items[items_count++] =
                datum_text(arena_printf(call->arena, "%s=%s/%s", owner, kinds[i].owner, owner));
        return array_make(call->arena, TYPE_ACLITEM, items, items_count, result);
    }
    return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
        "unrecognized object type abbreviation: %c", (char)args[0].integer);
}

static const char *role_or_number(
    struct function_call *call, struct role **roles, uint32_t count, int64_t oid)
{
    for (uint32_t i = 0; i < count; i++)
        if (roles[i]->id == oid) return roles[i]->name;
    return arena_printf(call->arena, "%u", (uint32_t)oid);
}

// makeaclitem(grantee, grantor, privilege, grantable): one item of an acl.
BODY(make_acl_item)
{
    struct status st;
    struct role **roles;
    uint32_t count;
    NEED_SESSION();
    char *name = arena_string(call->arena, datum_as_bytes(args[2]));
    uint32_t bit = privilege_by_name(name);
    if (bit == 0 || (bit & (bit - 1)) != 0)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "unrecognized privilege type: \"%s\"", name);
    TRY(role_list(call->task, call->session, call->arena, &roles, &count));
    *result = datum_text(arena_printf(call->arena, "%s=%c%s/%s",
        args[0].integer == 0 ? "" : role_or_number(call, roles, count, args[0].integer),
        privilege_acl_letter(bit), args[3].boolean ? "*" : "",
        role_or_number(call, roles, count, args[1].integer)));
out:
    return st;
}

// aclexplode: one row a privilege. The state keeps where in which item it is.
struct acl_state {
    struct array array;
    struct array_cursor cursor;
    struct role **roles;
    uint32_t role_count;
    const char *letters; // Of the item at hand, from the next privilege on.
    uint32_t grantee, grantor;
};

static struct status acl_start(struct function_call *call, void *state, const struct datum *args)
{
    struct acl_state *acl = state;
    NEED_SESSION();
    struct status st = array_open(args[0], &acl->array);
    if (failed(st)) return st;
    acl->cursor = array_first(&acl->array);
    acl->letters = "";
    return role_list(call->task, call->session, call->state_arena, &acl->roles, &acl->role_count);
}

static uint32_t acl_role(const struct acl_state *acl, const char *name)
{
    for (uint32_t i = 0; i < acl->role_count; i++)
        if (strcmp(acl->roles[i]->name, name) == 0) return acl->roles[i]->id;
    return 0;
}

// "name=letters/grantor", names in quotes where they need them.
static struct status acl_item(struct function_call *call, struct acl_state *acl, struct datum item)
{
    char *text = arena_string(call->state_arena, datum_as_bytes(item));
    char *equals = strrchr(text, '='), *slash = equals == NULL ? NULL : strrchr(equals, '/');
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count;
    acl->grantee = 0;
    if (slash == NULL)
        return status_format(call->arena, E_INVALID_TEXT_REPRESENTATION,
            "invalid access list item: \"%s\"", text);
    *equals = 0;
    *slash = 0;
    struct status st = STATUS_OK;
    if (*text != 0) {
        TRY(pg_split_name(call->state_arena, bytes_of_string(text), parts, &count));
        acl->grantee = acl_role(acl, parts[0]);
    }
    acl->grantor = acl_role(acl, slash + 1);
    acl->letters = equals + 1;
out:
    return st;
}

static struct status acl_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct acl_state *acl = state;
    struct datum item;
    struct status st = STATUS_OK;
    while (*acl->letters == 0) {
        if (!array_next(&acl->cursor, &item)) {
            *done = true;
            return st;
        }
        if (!item.null) TRY(acl_item(call, acl, item));
    }
    const char *name = NULL;
    for (uint32_t bit = 1; bit != 0 && bit <= PRIVILEGE_EXECUTE; bit <<= 1)
        if (privilege_acl_letter(bit) == *acl->letters) name = privilege_name(bit);
    acl->letters++;
    bool grantable = *acl->letters == '*';
    acl->letters += grantable;
    row[0] = datum_int(acl->grantor);
    row[1] = datum_int(acl->grantee);
    row[2] = name == NULL ? DATUM_NULL : datum_text(name);
    row[3] = datum_bool(grantable);
out:
    return st;
}

static const struct set_ops exploded_acl = {.column_count = 4,
    .column_names = (const char *const[]){"grantor", "grantee", "privilege_type", "is_grantable"},
    .column_types = (const type_oid[]){TYPE_OID, TYPE_OID, TYPE_TEXT, TYPE_BOOL},
    .state_bytes = sizeof(struct acl_state),
    .start = acl_start,
    .next = acl_next};

// By name and by oid, with and without a user.
#define FAMILY(name_, oid_, fn_) \
    STABLE(name_, (oid_), BOOL, fn_, TYPE_NAME, TYPE_TEXT, TYPE_TEXT), \
        STABLE(name_, (oid_) + 1, BOOL, fn_, TYPE_NAME, TYPE_OID, TYPE_TEXT), \
        STABLE(name_, (oid_) + 2, BOOL, fn_, TYPE_OID, TYPE_TEXT, TYPE_TEXT), \
        STABLE(name_, (oid_) + 3, BOOL, fn_, TYPE_OID, TYPE_OID, TYPE_TEXT), \
        STABLE(name_, (oid_) + 4, BOOL, fn_, TYPE_TEXT, TYPE_TEXT), \
        STABLE(name_, (oid_) + 5, BOOL, fn_, TYPE_OID, TYPE_TEXT)

static const struct function functions[] = {
    FAMILY("has_table_privilege", 1922, has_table),
    FAMILY("has_sequence_privilege", 2181, has_sequence),
    FAMILY("has_database_privilege", 2250, has_database),
    STABLE("has_tablespace_privilege", 2390, BOOL, has_tablespace, TYPE_NAME, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_tablespace_privilege", 2391, BOOL, has_tablespace, TYPE_NAME, TYPE_OID, TYPE_TEXT),
    STABLE("has_tablespace_privilege", 2392, BOOL, has_tablespace, TYPE_OID, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_tablespace_privilege", 2393, BOOL, has_tablespace, TYPE_OID, TYPE_OID, TYPE_TEXT),
    STABLE("has_tablespace_privilege", 2394, BOOL, has_tablespace, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_tablespace_privilege", 2395, BOOL, has_tablespace, TYPE_OID, TYPE_TEXT),
    STABLE("has_parameter_privilege", 6205, BOOL, has_parameter, TYPE_NAME, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_parameter_privilege", 6206, BOOL, has_parameter, TYPE_OID, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_parameter_privilege", 6207, BOOL, has_parameter, TYPE_TEXT, TYPE_TEXT),
    FAMILY("has_foreign_data_wrapper_privilege", 3000, has_wrapper),
    FAMILY("has_server_privilege", 3006, has_server),
    STABLE("makeaclitem", 1365, ACLITEM, make_acl_item, TYPE_OID, TYPE_OID, TYPE_TEXT, TYPE_BOOL),
    FAMILY("has_schema_privilege", 2268, has_schema),
    FAMILY("has_any_column_privilege", 3024, has_any_column),
    FAMILY("has_function_privilege", 2256, has_function),
    FAMILY("has_language_privilege", 2262, has_language),
    FAMILY("has_type_privilege", 3138, has_type),
    STABLE("has_column_privilege", 3012, BOOL, has_column, TYPE_NAME, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3013, BOOL, has_column, TYPE_NAME, TYPE_TEXT, TYPE_INT2, TYPE_TEXT),
    STABLE("has_column_privilege", 3014, BOOL, has_column, TYPE_NAME, TYPE_OID, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3015, BOOL, has_column, TYPE_NAME, TYPE_OID, TYPE_INT2, TYPE_TEXT),
    STABLE("has_column_privilege", 3016, BOOL, has_column, TYPE_OID, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3017, BOOL, has_column, TYPE_OID, TYPE_TEXT, TYPE_INT2, TYPE_TEXT),
    STABLE("has_column_privilege", 3018, BOOL, has_column, TYPE_OID, TYPE_OID, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3019, BOOL, has_column, TYPE_OID, TYPE_OID, TYPE_INT2, TYPE_TEXT),
    STABLE("has_column_privilege", 3020, BOOL, has_column, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3021, BOOL, has_column, TYPE_TEXT, TYPE_INT2, TYPE_TEXT),
    STABLE("has_column_privilege", 3022, BOOL, has_column, TYPE_OID, TYPE_TEXT, TYPE_TEXT),
    STABLE("has_column_privilege", 3023, BOOL, has_column, TYPE_OID, TYPE_INT2, TYPE_TEXT),
    STABLE("acldefault", 3943, ACLITEM_ARRAY, default_acl, TYPE_CHAR_INTERNAL, TYPE_OID),
    SET_RETURNING("aclexplode", 1689, RECORD, &exploded_acl, TYPE_ACLITEM_ARRAY),
    STABLE("pg_has_role", 2705, BOOL, has_role, TYPE_NAME, TYPE_NAME, TYPE_TEXT),
    STABLE("pg_has_role", 2706, BOOL, has_role, TYPE_NAME, TYPE_OID, TYPE_TEXT),
    STABLE("pg_has_role", 2707, BOOL, has_role, TYPE_OID, TYPE_NAME, TYPE_TEXT),
    STABLE("pg_has_role", 2708, BOOL, has_role, TYPE_OID, TYPE_OID, TYPE_TEXT),
    STABLE("pg_has_role", 2709, BOOL, has_role, TYPE_NAME, TYPE_TEXT),
    STABLE("pg_has_role", 2710, BOOL, has_role, TYPE_OID, TYPE_TEXT),
};

void pg_functions_privilege_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
