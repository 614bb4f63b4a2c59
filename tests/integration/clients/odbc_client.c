// SPDX-License-Identifier: GPL-3.0-or-later
// ODBC: psqlodbc under unixODBC, called as applications call it.
#include <pthread.h>
#include <setjmp.h>
#include <sql.h>
#include <sqlext.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static jmp_buf failure;
static char reason[2000];
static SQLHENV env;

static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    for (char *c = reason; *c != 0; c++)
        if (*c == '\n') *c = ' ';
    longjmp(failure, 1);
}

static char state[6];
static void diagnose(SQLSMALLINT kind, SQLHANDLE handle, char *text, size_t size)
{
    SQLINTEGER native;
    SQLSMALLINT length;
    strcpy(state, "?");
    snprintf(text, size, "no message");
    SQLGetDiagRec(kind, handle, 1, (SQLCHAR *)state, &native, (SQLCHAR *)text, (SQLSMALLINT)size, &length);
}

static void check(SQLRETURN code, SQLSMALLINT kind, SQLHANDLE handle, const char *what)
{
    char text[1000];
    if (SQL_SUCCEEDED(code) || code == SQL_NO_DATA) return;
    diagnose(kind, handle, text, sizeof text);
    fail("%s: %s %s", what, state, text);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

static SQLHDBC connect_with(const char *password, SQLRETURN *code, const char *more)
{
    char text[2000];
    SQLHDBC db;
    SQLAllocHandle(SQL_HANDLE_DBC, env, &db);
    // psqlodbc takes libpq's options in pqopt; the root certificate and such come from the environment.
    snprintf(text, sizeof text, "Driver=%s;Servername=%s;Port=%s;Database=%s;Username=%s;Password=%s;sslmode=%s;%s", variable("ODBC_DRIVER"),
        variable("PGHOST"), variable("PGPORT"), variable("PGDATABASE"), variable("PGUSER"), password, variable("PGSSLMODE"), more);
    *code = SQLDriverConnect(db, NULL, (SQLCHAR *)text, SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
    return db;
}

static SQLHDBC db_open(const char *more)
{
    SQLRETURN code;
    SQLHDBC db = connect_with(variable("PGPASSWORD"), &code, more);
    check(code, SQL_HANDLE_DBC, db, "connect");
    return db;
}

static void db_close(SQLHDBC db)
{
    SQLDisconnect(db);
    SQLFreeHandle(SQL_HANDLE_DBC, db);
}

static SQLHSTMT statement(SQLHDBC db)
{
    SQLHSTMT s;
    check(SQLAllocHandle(SQL_HANDLE_STMT, db, &s), SQL_HANDLE_DBC, db, "statement");
    return s;
}

static void run(SQLHDBC db, const char *sql)
{
    SQLHSTMT s = statement(db);
    check(SQLExecDirect(s, (SQLCHAR *)sql, SQL_NTS), SQL_HANDLE_STMT, s, sql);
    SQLFreeHandle(SQL_HANDLE_STMT, s);
}

// All of a result as "a|b\n...", of the columns whose numbers are given (none: all).
static char result_text[20000];
static const char *result(SQLHSTMT s, const char *columns)
{
    SQLSMALLINT count;
    size_t used = 0;
    result_text[0] = 0;
    SQLNumResultCols(s, &count);
    while (SQL_SUCCEEDED(SQLFetch(s))) {
        const char *at = columns;
        for (int i = 1, first = 1; i <= count; i++, first = 0) {
            char value[4000];
            SQLLEN size;
            if (columns != NULL) {
                if (*at == 0) break;
                i = atoi(at);
                at += strcspn(at, ",");
                if (*at == ',') at++;
            }
            check(SQLGetData(s, (SQLUSMALLINT)i, SQL_C_CHAR, value, sizeof value, &size), SQL_HANDLE_STMT, s, "SQLGetData");
            used += (size_t)snprintf(result_text + used, sizeof result_text - used, "%s%s", first ? "" : "|", size == SQL_NULL_DATA ? "NULL" : value);
            if (used > sizeof result_text - 5000) fail("too many rows");
        }
        used += (size_t)snprintf(result_text + used, sizeof result_text - used, "\n");
    }
    SQLFreeStmt(s, SQL_CLOSE);
    return result_text;
}

static void equal(const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0) fail("got %.800s, wanted %.800s", got, wanted);
}

static void query(SQLHDBC db, const char *sql, const char *wanted)
{
    SQLHSTMT s = statement(db);
    check(SQLExecDirect(s, (SQLCHAR *)sql, SQL_NTS), SQL_HANDLE_STMT, s, sql);
    equal(result(s, NULL), wanted);
    SQLFreeHandle(SQL_HANDLE_STMT, s);
}

static void raises(SQLHDBC db, const char *sql, const char *code)
{
    char text[1000];
    SQLHSTMT s = statement(db);
    if (SQL_SUCCEEDED(SQLExecDirect(s, (SQLCHAR *)sql, SQL_NTS))) fail("no error for %s", sql);
    diagnose(SQL_HANDLE_STMT, s, text, sizeof text);
    if (strcmp(state, code) != 0) fail("%s: got %s (%s), wanted %s", sql, state, text, code);
    SQLFreeHandle(SQL_HANDLE_STMT, s);
}

static void connects(void)
{
    SQLRETURN code;
    char text[100];
    SQLSMALLINT size;
    SQLHDBC db = db_open("");
    query(db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "1\n");
    SQLGetInfo(db, SQL_DBMS_NAME, text, sizeof text, &size);
    equal(text, "PostgreSQL");
    SQLGetInfo(db, SQL_DBMS_VER, text, sizeof text, &size);
    if (strncmp(text, "15", 2) != 0) fail("version %s", text);
    db_close(db);
    db = connect_with("wrong", &code, "");
    if (SQL_SUCCEEDED(code)) fail("a wrong password was accepted");
    SQLFreeHandle(SQL_HANDLE_DBC, db);
}

static void ddl(void)
{
    SQLHDBC db = db_open("");
    run(db, "CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(8,2) DEFAULT 1)");
    run(db, "CREATE INDEX item_price ON item (price)");
    run(db, "INSERT INTO item (name) VALUES ('a'), ('b')");
    query(db, "SELECT * FROM item ORDER BY id", "1|a|1.00\n2|b|1.00\n");
    db_close(db);
}

static void types(void)
{
    SQLHDBC db = db_open("BoolsAsChar=0");
    SQLHSTMT s = statement(db);
    run(db, "CREATE TABLE types (a int, b bigint, c float8, d text, e bytea, f date, g timestamp, h numeric(10,2), i boolean, j uuid)");
    check(SQLPrepare(s, (SQLCHAR *)"INSERT INTO types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", SQL_NTS), SQL_HANDLE_STMT, s, "prepare");
    SQLINTEGER a = -5;
    SQLBIGINT b = 9223372036854775807;
    double c = 0.1;
    char d[] = "t\xc3\xa4xt", h[] = "12.50", j[] = "12345678-1234-5678-1234-567812345678";
    unsigned char e[] = {0, 255, 39}, i = 1;
    DATE_STRUCT f = {2024, 2, 29};
    TIMESTAMP_STRUCT g = {2024, 2, 29, 1, 2, 3, 456789000};
    SQLLEN text = SQL_NTS, three = 3;
    SQLBindParameter(s, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &a, 0, NULL);
    SQLBindParameter(s, 2, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 0, 0, &b, 0, NULL);
    SQLBindParameter(s, 3, SQL_PARAM_INPUT, SQL_C_DOUBLE, SQL_DOUBLE, 0, 0, &c, 0, NULL);
    SQLBindParameter(s, 4, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 50, 0, d, sizeof d, &text);
    SQLBindParameter(s, 5, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_VARBINARY, 3, 0, e, 3, &three);
    SQLBindParameter(s, 6, SQL_PARAM_INPUT, SQL_C_TYPE_DATE, SQL_TYPE_DATE, 10, 0, &f, 0, NULL);
    SQLBindParameter(s, 7, SQL_PARAM_INPUT, SQL_C_TYPE_TIMESTAMP, SQL_TYPE_TIMESTAMP, 26, 6, &g, 0, NULL);
    SQLBindParameter(s, 8, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_NUMERIC, 10, 2, h, sizeof h, &text);
    SQLBindParameter(s, 9, SQL_PARAM_INPUT, SQL_C_BIT, SQL_BIT, 0, 0, &i, 0, NULL);
    SQLBindParameter(s, 10, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_GUID, 36, 0, j, sizeof j, &text);
    check(SQLExecute(s), SQL_HANDLE_STMT, s, "insert");
    query(db, "SELECT * FROM types", "-5|9223372036854775807|0.1|t\xc3\xa4xt|00ff27|2024-02-29|2024-02-29 01:02:03.456789|12.50|1|"
                                     "12345678-1234-5678-1234-567812345678\n");
    run(db, "UPDATE types SET a = a + 1");
    SQLLEN count;
    SQLHSTMT gone = statement(db);
    check(SQLExecDirect(gone, (SQLCHAR *)"DELETE FROM types WHERE a = -4", SQL_NTS), SQL_HANDLE_STMT, gone, "delete");
    SQLRowCount(gone, &count);
    if (count != 1) fail("%ld rows deleted", (long)count);
    db_close(db);
}

static void transactions(void)
{
    SQLHDBC db = db_open(""), other = db_open("");
    run(db, "CREATE TABLE counted (n int)");
    SQLSetConnectAttr(db, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF, 0);
    run(db, "INSERT INTO counted VALUES (1)");
    query(other, "SELECT count(*) FROM counted", "0\n");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_ROLLBACK);
    check(SQLSetConnectAttr(db, SQL_ATTR_TXN_ISOLATION, (SQLPOINTER)SQL_TXN_SERIALIZABLE, 0), SQL_HANDLE_DBC, db, "isolation");
    run(db, "INSERT INTO counted VALUES (1)");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT);
    query(other, "SELECT count(*) FROM counted", "1\n");
    db_close(db);
    db_close(other);
}

static void savepoints(void)
{
    SQLHDBC db = db_open("Protocol=7.4-2"); // Roll back the statement only.
    run(db, "CREATE TABLE saved (n int PRIMARY KEY)");
    SQLSetConnectAttr(db, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF, 0);
    run(db, "INSERT INTO saved VALUES (1)");
    raises(db, "INSERT INTO saved VALUES (1)", "23505");
    run(db, "INSERT INTO saved VALUES (2)");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT);
    query(db, "SELECT n FROM saved ORDER BY n", "1\n2\n");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT);
    db_close(db);
}

static void prepared(void)
{
    SQLHDBC db = db_open("UseServerSidePrepare=1");
    SQLHSTMT s = statement(db);
    SQLINTEGER n;
    char wanted[20];
    check(SQLPrepare(s, (SQLCHAR *)"SELECT ?::int + 1", SQL_NTS), SQL_HANDLE_STMT, s, "prepare");
    SQLBindParameter(s, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &n, 0, NULL);
    for (n = 0; n < 10; n++) {
        check(SQLExecute(s), SQL_HANDLE_STMT, s, "execute");
        snprintf(wanted, sizeof wanted, "%d\n", (int)n + 1);
        equal(result(s, NULL), wanted);
    }
    SQLSMALLINT count;
    SQLNumParams(s, &count);
    if (count != 1) fail("%d parameters", count);
    db_close(db);
}

static void errors(void)
{
    SQLHDBC db = db_open("");
    run(db, "CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0))");
    run(db, "INSERT INTO e VALUES (1, 1)");
    raises(db, "INSERT INTO e VALUES (1, 1)", "23505");
    raises(db, "INSERT INTO e VALUES (2, NULL)", "23502");
    raises(db, "INSERT INTO e VALUES (2, -1)", "23514");
    raises(db, "SELECT * FROM gone", "42P01");
    raises(db, "SELECT 1/0", "22012");
    raises(db, "SELEC", "42601");
    db_close(db);
}

struct canceling {
    SQLHDBC watcher;
    SQLHSTMT running;
};

// Cancels the statement once the server says that it runs.
static void *cancel_when_it_runs(void *arg)
{
    struct canceling *canceling = arg;
    SQLHSTMT s = statement(canceling->watcher);
    SQLINTEGER count = 0;
    while (count == 0) {
        SQLLEN size;
        if (!SQL_SUCCEEDED(SQLExecDirect(s,
                (SQLCHAR *)"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep' || '(60)'",
                SQL_NTS)) ||
            SQLFetch(s) != SQL_SUCCESS || !SQL_SUCCEEDED(SQLGetData(s, 1, SQL_C_SLONG, &count, sizeof count, &size)))
            break;
        SQLCloseCursor(s);
    }
    SQLCancel(canceling->running);
    SQLFreeHandle(SQL_HANDLE_STMT, s);
    return NULL;
}

static void cancel(void)
{
    SQLHDBC db = db_open("");
    SQLHSTMT s = statement(db);
    pthread_t thread;
    char text[1000];
    struct canceling canceling = {db_open(""), s};
    pthread_create(&thread, NULL, cancel_when_it_runs, &canceling);
    SQLRETURN code = SQLExecDirect(s, (SQLCHAR *)"SELECT pg_sleep(60)", SQL_NTS);
    pthread_join(thread, NULL);
    if (SQL_SUCCEEDED(code)) fail("it slept");
    diagnose(SQL_HANDLE_STMT, s, text, sizeof text);
    equal(state, "57014");
    query(db, "SELECT 1", "1\n");
    db_close(canceling.watcher);
    db_close(db);
}

static void bulk(void)
{
    enum { ROWS = 2000 };
    static SQLINTEGER numbers[ROWS];
    static char texts[ROWS][20];
    static SQLLEN sizes[ROWS];
    SQLHDBC db = db_open("");
    SQLHSTMT s = statement(db);
    run(db, "CREATE TABLE loaded (a int, b text)");
    for (int i = 0; i < ROWS; i++) {
        numbers[i] = i;
        snprintf(texts[i], sizeof texts[i], "line %d", i);
        sizes[i] = SQL_NTS;
    }
    SQLSetStmtAttr(s, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)ROWS, 0);
    SQLBindParameter(s, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, numbers, 0, NULL);
    SQLBindParameter(s, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 20, 0, texts, sizeof texts[0], sizes);
    SQLSetConnectAttr(db, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF, 0);
    check(SQLExecDirect(s, (SQLCHAR *)"INSERT INTO loaded VALUES (?, ?)", SQL_NTS), SQL_HANDLE_STMT, s, "insert");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT);
    query(db, "SELECT count(*), max(b) FROM loaded", "2000|line 999\n");
    SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT);
    db_close(db);
}

static void streaming(void)
{
    SQLHDBC db = db_open("UseDeclareFetch=1;Fetch=500");
    SQLHSTMT s = statement(db);
    SQLINTEGER n;
    SQLLEN size;
    long total = 0;
    check(SQLExecDirect(s, (SQLCHAR *)"SELECT i FROM generate_series(1, 20000) AS i", SQL_NTS), SQL_HANDLE_STMT, s, "select");
    SQLBindCol(s, 1, SQL_C_SLONG, &n, 0, &size);
    while (SQL_SUCCEEDED(SQLFetch(s))) total += n;
    if (total != 200010000) fail("total %ld", total);
    SQLFreeHandle(SQL_HANDLE_STMT, s);
    db_close(db);
}

static void introspection(void)
{
    SQLHDBC db = db_open("");
    SQLHSTMT s = statement(db);
    run(db, "CREATE TABLE parent (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', price numeric(8,2))");
    run(db, "CREATE TABLE child (a int, b int CONSTRAINT to_parent REFERENCES parent ON DELETE CASCADE, PRIMARY KEY (b, a))");
    run(db, "CREATE INDEX child_a ON child (a)");
    check(SQLTables(s, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"parent", SQL_NTS, (SQLCHAR *)"TABLE", SQL_NTS), SQL_HANDLE_STMT, s, "SQLTables");
    equal(result(s, "2,3,4"), "public|parent|TABLE\n");
    check(SQLColumns(s, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"parent", SQL_NTS, NULL, 0), SQL_HANDLE_STMT, s, "SQLColumns");
    equal(result(s, "4,6,7,9,11,13"), "id|int4|10|0|0|NULL\nname|varchar|20|NULL|0|'x'::character varying\nprice|numeric|8|2|1|NULL\n");
    check(SQLPrimaryKeys(s, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"child", SQL_NTS), SQL_HANDLE_STMT, s, "SQLPrimaryKeys");
    equal(result(s, "4,5,6"), "b|1|child_pkey\na|2|child_pkey\n");
    check(SQLForeignKeys(s, NULL, 0, NULL, 0, NULL, 0, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"child", SQL_NTS), SQL_HANDLE_STMT, s, "SQLForeignKeys");
    equal(result(s, "3,4,7,8,11,12"), "parent|id|child|b|0|to_parent\n");
    check(SQLStatistics(s, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"child", SQL_NTS, SQL_INDEX_ALL, SQL_QUICK), SQL_HANDLE_STMT, s, "SQLStatistics");
    result(s, "4,6,9");
    if (strstr(result_text, "1|child_a|a\n") == NULL || strstr(result_text, "0|child_pkey|b\n") == NULL) fail("SQLStatistics: %s", result_text);
    check(SQLGetTypeInfo(s, SQL_ALL_TYPES), SQL_HANDLE_STMT, s, "SQLGetTypeInfo");
    if (strstr(result(s, "1"), "int4\n") == NULL) fail("SQLGetTypeInfo: %s", result_text);
    check(SQLTablePrivileges(s, NULL, 0, (SQLCHAR *)"public", SQL_NTS, (SQLCHAR *)"parent", SQL_NTS), SQL_HANDLE_STMT, s, "SQLTablePrivileges");
    if (strstr(result(s, "6"), "SELECT\n") == NULL) fail("SQLTablePrivileges: %s", result_text);
    db_close(db);
}

static const struct {
    const char *name;
    void (*body)(void);
} features[] = {{"connect", connects}, {"ddl", ddl}, {"types", types}, {"transactions", transactions}, {"savepoints", savepoints},
    {"prepared statements", prepared}, {"errors", errors}, {"cancel", cancel}, {"bulk load", bulk}, {"streaming", streaming},
    {"introspection", introspection}};

int main(int count, char **arguments)
{
    int failed = 0;
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        if (count > 1 && strcmp(features[i].name, arguments[1]) != 0) continue;
        if (setjmp(failure) == 0) {
            features[i].body();
            printf("ok %s\n", features[i].name);
        } else {
            failed = 1;
            printf("not ok %s: %s\n", features[i].name, reason);
        }
        fflush(stdout);
    }
    return failed;
}
