// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog, information_schema and their functions, as a client reads them.
#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"
#include "tests/unit/sql/sql_harness.h"

static const char make_tables[] =
    "CREATE TABLE t (a int4 PRIMARY KEY, b text NOT NULL DEFAULT 'x', c int4 REFERENCES u (a), "
    "d serial, e varchar(20), f numeric(10,2), UNIQUE (b), CHECK (a > 0))";

#define MAKE_TABLES() \
    do { \
        RUN("CREATE TABLE u (a int4 PRIMARY KEY)"); \
        RUN(make_tables); \
        RUN("CREATE INDEX i ON t (c DESC)"); \
        RUN("CREATE VIEW v AS SELECT a, b FROM t"); \
    } while (0)

// An oid names one function or one operator, and a call cannot mean two entries equally well: of two that take the same
// arguments one repeats its last, and the other is preferred.
Test(pg_catalog, oids_and_signatures_are_unique)
{
    sql_register();
    const struct function *a, *b;
    for (uint32_t i = 0; (a = function_at(i)) != NULL; i++)
        for (uint32_t j = i + 1; (b = function_at(j)) != NULL; j++) {
            if ((a->kind == FUNCTION_OPERATOR) != (b->kind == FUNCTION_OPERATOR)) continue;
            cr_expect_neq(a->oid, b->oid, "%u: %s and %s", a->oid, a->name, b->name);
            bool same = strcmp(a->name, b->name) == 0 && a->arg_count == b->arg_count &&
                        a->variadic == b->variadic &&
                        strcmp(a->schema == NULL ? "" : a->schema, b->schema == NULL ? "" : b->schema) == 0;
            for (uint32_t k = 0; same && k < a->arg_count; k++) same = a->args[k] == b->args[k];
            cr_expect(!same, "%s (%u, %u) twice", a->name, a->oid, b->oid);
        }
}

// Every virtual table can be read from end to end, by its owner and by someone without privileges.
SQL_TEST(pg_catalog, every_table_can_be_read, 2)
{
    struct status st = STATUS_OK;
    struct sql_test other = {0};
    const struct table_desc *table;
    MAKE_TABLES();
    RUN("CREATE USER alice");
    TRY(sql_test_open(task, "alice", &other));
    for (uint32_t i = 0; (table = catalog_virtual_table_at(i)) != NULL; i++) {
        const char *sql = arena_printf(&test->arena, "SELECT * FROM %s.%s",
            table->virtual_table->schema, table->name);
        RUN(sql);
        struct status as_other = sql_run(&other, sql);
        CHECK(!failed(as_other) || status_is(as_other, E_INSUFFICIENT_PRIVILEGE));
    }
out:
    if (other.session != NULL) sql_test_close(&other);
    return st;
}

SQL_TEST(pg_catalog, relations_have_classes_and_attributes, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    GIVES("SELECT relname, relkind, relnatts, relchecks, relhasindex FROM pg_class "
          "WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
        "i|i|1|0|f\nt|r|6|1|t\nt_b_key|i|1|0|f\nt_d_seq|S|3|0|f\nt_pkey|i|1|0|f\nu|r|1|0|t\n"
        "u_pkey|i|1|0|f\nv|v|2|0|f");
    GIVES("SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef FROM pg_attribute "
          "WHERE attrelid = 't'::regclass ORDER BY attnum",
        "a|integer|t|f\nb|text|t|t\nc|integer|f|f\nd|integer|t|t\ne|character varying(20)|f|f\n"
        "f|numeric(10,2)|f|f");
    GIVES("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 't'::regclass "
          "ORDER BY adnum",
        "'x'::text\nnextval('t_d_seq'::regclass)");
out:
    return st;
}

SQL_TEST(pg_catalog, definitions_are_as_postgresql_writes_them, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    GIVES("SELECT conname, contype, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) "
          "FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1",
        "t_a_check|c|CHECK ((a > 0))|CHECK (a > 0)\nt_b_key|u|UNIQUE (b)|UNIQUE (b)\n"
        "t_c_fkey|f|FOREIGN KEY (c) REFERENCES u(a)|FOREIGN KEY (c) REFERENCES u(a)\n"
        "t_pkey|p|PRIMARY KEY (a)|PRIMARY KEY (a)");
    GIVES("SELECT pg_get_indexdef('i'::regclass), pg_get_indexdef('i'::regclass, 0, true), "
          "pg_get_indexdef('t_pkey'::regclass, 1, false)",
        "CREATE INDEX i ON public.t USING btree (c DESC)|"
        "CREATE INDEX i ON t USING btree (c DESC)|a");
    GIVES("SELECT pg_get_serial_sequence('t', 'd'), pg_get_serial_sequence('t', 'a')",
        "public.t_d_seq|NULL");
    REFUSED("SELECT pg_get_serial_sequence('t', 'nope')", "42703");
out:
    return st;
}

SQL_TEST(pg_catalog, names_go_to_oids_and_back, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    RUN("CREATE SCHEMA s");
    RUN("CREATE TABLE s.\"T\" (a int4)");
    GIVES("SELECT 't'::regclass, 'public.t'::regclass, 's.\"T\"'::regclass, 'i'::regclass, "
          "'pg_class'::regclass::oid, 1259::regclass, 4294000000::regclass",
        "t|t|s.\"T\"|i|1259|pg_class|4294000000");
    GIVES("SELECT 's'::regnamespace, 'pg_catalog'::regnamespace::oid, 'root'::regrole, "
          "'now'::regproc, 'array_in'::regproc, 'lower(text)'::regprocedure",
        "s|11|root|now|array_in|lower(text)");
    GIVES("SELECT to_regclass('nope'), to_regclass('t'), to_regtype('int'), to_regproc('nope'), "
          "to_regnamespace('nope'), to_regrole('nope')",
        "NULL|t|integer|NULL|NULL|NULL");
    REFUSED("SELECT 'nope'::regclass", "42P01");
    REFUSED("SELECT 'a.b.c.d'::regclass", "42602");
    REFUSED("SELECT 'nope'::regproc", "42883");
    REFUSED("SELECT 'abs'::regproc", "42725");
    GIVES("SELECT pg_table_is_visible('t'::regclass), pg_table_is_visible('s.\"T\"'::regclass), "
          "pg_table_is_visible(999999)",
        "t|f|NULL");
out:
    return st;
}

SQL_TEST(pg_catalog, comments_are_found_by_object, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    RUN("COMMENT ON TABLE t IS 'of t'");
    RUN("COMMENT ON COLUMN t.b IS 'of b'");
    RUN("COMMENT ON INDEX i IS 'of i'");
    RUN("COMMENT ON DATABASE defaultdb IS 'of d'");
    GIVES("SELECT obj_description('t'::regclass), obj_description('t'::regclass, 'pg_class'), "
          "col_description('t'::regclass, 2), col_description('t'::regclass, 1), "
          "obj_description('i'::regclass, 'pg_class'), obj_description('t'::regclass, 'pg_type')",
        "of t|of t|of b|NULL|of i|NULL");
    GIVES("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'defaultdb'",
        "of d");
    GIVES("SELECT objoid::regclass, objsubid, description FROM pg_description WHERE classoid = 1259 ORDER BY 3",
        "t|2|of b\ni|0|of i\nt|0|of t");
out:
    return st;
}

SQL_TEST(pg_catalog, sessions_and_settings, 1)
{
    struct status st = STATUS_OK;
    GIVES("SELECT current_database(), current_user, session_user, current_schema(), "
          "current_schemas(true), current_schemas(false), starts_with(version(), 'PostgreSQL 15.0 (Isopod v')",
        "defaultdb|root|root|public|{pg_catalog,public}|{public}|t");
    GIVES("SELECT set_config('application_name', 'x', false), current_setting('application_name'), "
          "current_setting('no.such', true)",
        "x|x|NULL");
    RUN("SET search_path = nope, public");
    GIVES("SELECT current_schema, current_schema(), current_schemas(false)", "public|public|{public}");
    REFUSED("SELECT current_setting('no.such')", "42704");
    REFUSED("SELECT set_config(NULL, 'x', false)", "22004");
    GIVES("SELECT setting, source FROM pg_settings WHERE name = 'application_name'", "x|session");
    REFUSED("SELECT pg_export_snapshot()", "0A000");
out:
    return st;
}

SQL_TEST(pg_catalog, privileges_can_be_asked_for, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    RUN("CREATE USER alice");
    RUN("CREATE ROLE readers");
    RUN("GRANT readers TO alice");
    RUN("GRANT SELECT ON t TO readers");
    RUN("GRANT UPDATE ON t TO alice WITH GRANT OPTION");
    GIVES("SELECT has_table_privilege('alice', 't', 'SELECT'), "
          "has_table_privilege('alice', 't', 'insert'), "
          "has_table_privilege('alice', 't', 'INSERT, UPDATE'), "
          "has_table_privilege('alice', 't', 'SELECT WITH GRANT OPTION'), "
          "has_table_privilege('alice', 't', 'UPDATE WITH GRANT OPTION'), "
          "has_table_privilege('t', 'DELETE'), has_table_privilege('alice', 999999, 'SELECT')",
        "t|f|t|f|t|t|NULL");
    GIVES("SELECT has_column_privilege('alice', 't', 'b', 'SELECT'), "
          "has_any_column_privilege('alice', 't', 'INSERT'), "
          "has_schema_privilege('alice', 'public', 'USAGE'), "
          "has_database_privilege('alice', 'defaultdb', 'CREATE'), "
          "has_sequence_privilege('alice', 't_d_seq', 'USAGE'), "
          "has_function_privilege('alice', 'now()', 'EXECUTE')",
        "t|f|t|f|f|t");
    GIVES("SELECT pg_has_role('alice', 'readers', 'MEMBER'), pg_has_role('alice', 'admin', 'USAGE'), "
          "pg_has_role('root', 'readers', 'MEMBER')",
        "t|f|t");
    REFUSED("SELECT has_table_privilege('nobody', 't', 'SELECT')", "42704");
    REFUSED("SELECT has_table_privilege('alice', 'nope', 'SELECT')", "42P01");
    REFUSED("SELECT has_table_privilege('alice', 't', 'FLY')", "22023");
    REFUSED("SELECT has_column_privilege('alice', 't', 'nope', 'SELECT')", "42703");
    REFUSED("SELECT has_sequence_privilege('alice', 't', 'USAGE')", "42809");
    GIVES("SELECT relacl FROM pg_class WHERE oid = 't'::regclass",
        "{root=arwdDxt/root,readers=r/root,alice=w*/root}");
    GIVES("SELECT r.rolname, a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a "
          "JOIN pg_roles r ON r.oid = a.grantee WHERE c.oid = 't'::regclass ORDER BY 1, 2",
        "alice|UPDATE|t\nreaders|SELECT|f\nroot|DELETE|f\nroot|INSERT|f\nroot|REFERENCES|f\n"
        "root|SELECT|f\nroot|TRIGGER|f\nroot|TRUNCATE|f\nroot|UPDATE|f");
    GIVES("SELECT acldefault('r', 1), acldefault('d', 2)",
        "{root=arwdDxt/root}|{=Tc/admin,admin=CTc/admin}");
    REFUSED("SELECT acldefault('?', 1)", "22023");
out:
    return st;
}

SQL_TEST(information_schema, columns_and_constraints, 1)
{
    struct status st = STATUS_OK;
    MAKE_TABLES();
    GIVES("SELECT column_name, ordinal_position, column_default, is_nullable, data_type, "
          "character_maximum_length, numeric_precision, numeric_scale, udt_name "
          "FROM information_schema.columns WHERE table_name = 't' ORDER BY 2",
        "a|1|NULL|NO|integer|NULL|32|0|int4\nb|2|'x'::text|NO|text|NULL|NULL|NULL|text\n"
        "c|3|NULL|YES|integer|NULL|32|0|int4\nd|4|nextval('t_d_seq'::regclass)|NO|integer|NULL|32|0|int4\n"
        "e|5|NULL|YES|character varying|20|NULL|NULL|varchar\nf|6|NULL|YES|numeric|NULL|10|2|numeric");
    GIVES("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' "
          "ORDER BY 1",
        "t|BASE TABLE\nu|BASE TABLE\nv|VIEW");
    GIVES("SELECT constraint_name, constraint_type FROM information_schema.table_constraints "
          "WHERE table_name = 't' AND constraint_name NOT LIKE '%not_null' ORDER BY 1",
        "t_a_check|CHECK\nt_b_key|UNIQUE\nt_c_fkey|FOREIGN KEY\nt_pkey|PRIMARY KEY");
    GIVES("SELECT constraint_name, column_name, ordinal_position, position_in_unique_constraint "
          "FROM information_schema.key_column_usage WHERE table_name = 't' ORDER BY 1",
        "t_b_key|b|1|NULL\nt_c_fkey|c|1|1\nt_pkey|a|1|NULL");
    GIVES("SELECT constraint_name, unique_constraint_name, update_rule, delete_rule "
          "FROM information_schema.referential_constraints",
        "t_c_fkey|u_pkey|NO ACTION|NO ACTION");
out:
    return st;
}

// What a user has no privilege on is not shown to them.
SQL_TEST(information_schema, shows_what_the_user_may_see, 1)
{
    struct status st = STATUS_OK;
    struct sql_test *root = test;
    struct sql_test alice = {0};
    MAKE_TABLES();
    RUN("CREATE USER alice");
    RUN("GRANT SELECT ON v TO alice");
    TRY(sql_test_open(task, "alice", &alice));
    test = &alice;
    GIVES("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", "v");
    GIVES("SELECT count(*) FROM information_schema.table_constraints", "0");
    GIVES("SELECT grantee, privilege_type FROM information_schema.table_privileges", "alice|SELECT");
    REFUSED("SELECT * FROM pg_authid", "42501");
out:
    test = root;
    if (alice.session != NULL) sql_test_close(&alice);
    return st;
}

SQL_TEST(pg_functions, sizes_are_of_what_is_stored, 1)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (a int4 PRIMARY KEY, b text)");
    GIVES("SELECT pg_total_relation_size('t'), pg_size_pretty(10239::int8), "
          "pg_size_pretty(10240::int8), pg_size_pretty(1572864000::int8), pg_size_pretty((-20000)::int8)",
        "0|10239 bytes|10 kB|1500 MB|-20 kB");
    RUN("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 100) AS g (i)");
    GIVES("SELECT pg_relation_size('t') BETWEEN 100000 AND 110000, "
          "pg_database_size('defaultdb') >= pg_relation_size('t'), pg_indexes_size('t')",
        "t|t|0");
    GIVES("SELECT pg_size_pretty(1.5), pg_size_pretty(sum(x)) FROM (VALUES (10000::int8), (10480)) AS v (x)",
        "1.5 bytes|20 kB");
out:
    return st;
}
