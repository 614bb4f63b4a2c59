// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/vars.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "sql/parse/cut_name.h"
#include "sql/type/encoding.h"
#include "sql/session/session_role.h"
#include "sql/type/timezone.h"

enum var_kind { VAR_STRING, VAR_BOOL, VAR_INTEGER, VAR_MILLISECONDS, VAR_KILOBYTES, VAR_ENUM };
enum var_flags {
    VAR_REPORT = 1 << 0,    // ParameterStatus.
    VAR_READ_ONLY = 1 << 1, // 55P02.
    VAR_FIXED = 1 << 2,     // VAR_ENUM: other values of PostgreSQL's are 0A000, not 22023.
    VAR_STARTUP = 1 << 3,   // Set by the server at log-in.
    VAR_ADMIN = 1 << 4,     // 42501 for others than administrators.
    VAR_NAME = 1 << 5,      // A name, which is cut as names are.
};

struct var {
    const char *name;
    const char *initial;
    const char *description;
    enum var_kind kind;
    uint32_t flags;
    const char *values; // VAR_ENUM: "|"-separated, canonical spelling.
    int64_t minimum, maximum;
    // Checks and canonicalises; *canonical is in `arena`. May be NULL.
    struct status (*check)(struct session *session, struct arena *arena, const char *value,
        const char **canonical);
    // Takes a new value into the session's fields. May be NULL.
    void (*assign)(struct session *session, const char *value);
};

struct var_undo {
    struct var_undo *next;
    char *name;
    char *value;   // NULL: was not set (custom variables).
    bool local;    // Undone at commit too.
    bool function; // Undone when the function that runs ends.
};
struct custom_var {
    struct custom_var *next;
    char *name, *value;
    char *reset; // As in session_vars; NULL: empty.
};
struct session_vars {
    char **values;          // One a registered variable.
    char **reset;           // What RESET sets it to: what it was when the client had logged in; NULL: as registered.
    char **told;            // Of reported ones: the value that the client was told; NULL: none yet.
    uint32_t told_to;       // While they are told: the next to look at.
    bool untold;            // Some of them may have other values.
    struct custom_var *custom;
    struct var_undo *undo;  // Newest first.
    char *search_path_value; // As it was given.
    char *search_path_text;
    char **search_path;
};

// --- checks and assignments ------------------------------------------------------------------------

static struct status invalid_value(struct arena *arena, const char *name, const char *value)
{
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        "invalid value for parameter \"%s\": \"%s\"", name, value);
}

static struct status check_zone(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)session;
    const struct time_zone *zone = time_zone_find(bytes_of_string(value));
    if (zone == NULL) return invalid_value(arena, "TimeZone", value);
    // A rule of its own ("UTC+3") is its own name, in upper case; a number of hours has none.
    char *end;
    const char *name = time_zone_name(zone);
    (void)strtod(value, &end);
    const bool rule = strcasecmp(name, value) != 0 && (end == value || *end != 0);
    char *own = arena_strdup(arena, rule ? value : name);
    for (size_t i = 0; rule && own[i] != 0; i++)
        if (own[i] >= 'a' && own[i] <= 'z') own[i] = (char)(own[i] - 'a' + 'A');
    *canonical = own;
    return STATUS_OK;
}
static void assign_zone(struct session *session, const char *value)
{
    session->types.zone = time_zone_find(bytes_of_string(value));
}

static bool begins_with(const char *word, const char *with)
{
    return strncasecmp(word, with, strlen(with)) == 0;
}

// Each of the two may be said once, but in the same way.
struct date_style_words {
    enum date_style style;
    enum date_order order;
    bool has_style, has_order, conflict;
};
static void take_style(struct date_style_words *words, enum date_style style)
{
    words->conflict |= words->has_style && words->style != style;
    words->style = style;
    words->has_style = true;
}
static void take_order(struct date_style_words *words, enum date_order order)
{
    words->conflict |= words->has_order && words->order != order;
    words->order = order;
    words->has_order = true;
}

static bool take_date_style_word(struct date_style_words *words, const char *word)
{
    if (strcasecmp(word, "iso") == 0) {
        take_style(words, DATE_STYLE_ISO);
    } else if (strcasecmp(word, "sql") == 0) {
        take_style(words, DATE_STYLE_SQL);
    } else if (begins_with(word, "postgres")) {
        take_style(words, DATE_STYLE_POSTGRES);
    } else if (strcasecmp(word, "german") == 0) {
        take_style(words, DATE_STYLE_GERMAN);
        if (!words->has_order) words->order = DATE_ORDER_DMY;
    } else if (strcasecmp(word, "ymd") == 0) {
        take_order(words, DATE_ORDER_YMD);
    } else if (strcasecmp(word, "dmy") == 0 || begins_with(word, "euro")) {
        take_order(words, DATE_ORDER_DMY);
    } else if (strcasecmp(word, "mdy") == 0 || strcasecmp(word, "us") == 0 || begins_with(word, "noneuro")) {
        take_order(words, DATE_ORDER_MDY);
    } else if (strcasecmp(word, "default") == 0) { // What has not been said.
        if (!words->has_style) words->style = DATE_STYLE_ISO;
        if (!words->has_order) words->order = DATE_ORDER_MDY;
    } else {
        return false;
    }
    return true;
}

static struct status check_date_style(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    static const char *const styles[] = {"ISO", "Postgres", "SQL", "German"};
    static const char *const orders[] = {"MDY", "DMY", "YMD"};
    struct date_style_words words = {
        .style = session->types.date_style, .order = session->types.date_order};
    char *rest = arena_strdup(arena, value);
    if (rest[strspn(rest, " \t\n")] == 0) rest = NULL; // Nothing is said.
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        while (isspace((unsigned char)*word)) word++;
        size_t size = strlen(word);
        while (size > 0 && isspace((unsigned char)word[size - 1])) word[--size] = 0;
        if (!take_date_style_word(&words, word)) return invalid_value(arena, "DateStyle", value);
    }
    if (words.conflict) return invalid_value(arena, "DateStyle", value);
    *canonical = arena_printf(arena, "%s, %s", styles[words.style], orders[words.order]);
    return STATUS_OK;
}
static void assign_date_style(struct session *session, const char *value)
{
    session->types.date_style = value[0] == 'P'   ? DATE_STYLE_POSTGRES
                                : value[0] == 'S' ? DATE_STYLE_SQL
                                : value[0] == 'G' ? DATE_STYLE_GERMAN
                                                  : DATE_STYLE_ISO;
    session->types.date_order = strstr(value, "DMY") != NULL   ? DATE_ORDER_DMY
                                : strstr(value, "YMD") != NULL ? DATE_ORDER_YMD
                                                               : DATE_ORDER_MDY;
}
static void assign_interval_style(struct session *session, const char *value)
{
    session->types.interval_style = strcmp(value, "postgres_verbose") == 0 ? INTERVAL_POSTGRES_VERBOSE
                                    : strcmp(value, "sql_standard") == 0   ? INTERVAL_SQL
                                    : strcmp(value, "iso_8601") == 0       ? INTERVAL_ISO
                                                                           : INTERVAL_POSTGRES;
}
static void assign_bytea_output(struct session *session, const char *value)
{
    session->types.bytea_output = strcmp(value, "escape") == 0 ? BYTEA_ESCAPE : BYTEA_HEX;
}
static void assign_xml_binary(struct session *session, const char *value)
{
    session->types.xml_binary = strcmp(value, "hex") == 0 ? XML_BINARY_HEX : XML_BINARY_BASE64;
}
static void assign_xml_option(struct session *session, const char *value)
{
    session->types.xml_option = strcmp(value, "document") == 0 ? XML_DOCUMENT : XML_CONTENT;
}
static void assign_float_digits(struct session *session, const char *value)
{
    session->types.extra_float_digits = (int32_t)strtol(value, NULL, 10);
}

static struct status check_encoding(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)session;
    struct bytes nothing;
    int32_t encoding = encoding_find(bytes_of_string(value));
    if (encoding < 0)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "invalid value for parameter \"client_encoding\": \"%s\"", value);
    // With SQL_ASCII texts go as they are, as PostgreSQL has it.
    *canonical = encoding_name(encoding);
    if (!failed(encoding_from_utf8(arena, encoding, BYTES_LITERAL("x"), &nothing))) return STATUS_OK;
    return status_detail(arena,
        status_format(arena, E_FEATURE_NOT_SUPPORTED, "invalid value for parameter \"client_encoding\": \"%s\"", value),
        "Conversion between %s and UTF8 is not supported.", encoding_name(encoding));
}
static void assign_encoding(struct session *session, const char *value)
{
    session->client_encoding = encoding_find(bytes_of_string(value));
}

static struct status check_application_name(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)session;
    char *clean = arena_strdup(arena, value);
    for (char *at = clean; *at != '\0'; at++)
        if ((unsigned char)*at < 32 || (unsigned char)*at > 126) *at = '?';
    *canonical = clean;
    return STATUS_OK;
}
static void assign_application_name(struct session *session, const char *value)
{
    session->application_name = value;
}

static struct status check_search_path(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)session;
    struct buffer out;
    buffer_init(&out, arena);
    for (const char *at = value; *at != '\0';) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == '\0') break;
        if (out.size > 0) buffer_append_string(&out, ", ");
        if (*at == '"' || *at == '\'') {
            char quote = *at;
            const char *end = strchr(at + 1, quote);
            if (end == NULL) return invalid_value(arena, "search_path", value);
            buffer_printf(&out, "\"%.*s\"", (int)(end - at - 1), at + 1);
            at = end + 1;
        } else {
            size_t size = strcspn(at, ", ");
            for (size_t i = 0; i < size; i++)
                buffer_append_u8(&out, (uint8_t)tolower((unsigned char)at[i]));
            at += size;
        }
    }
    *canonical = buffer_string(&out);
    return STATUS_OK;
}

// Splits the canonical text; "$user" becomes the user's name.
static void assign_search_path(struct session *session, const char *value)
{
    struct session_vars *vars = session->vars;
    char *copy = strdup(value); // `value` may be the one that goes.
    invariant(copy != NULL);
    value = copy;
    free(vars->search_path_value);
    vars->search_path_value = copy;
    free(vars->search_path_text);
    free(vars->search_path);
    vars->search_path_text = strdup(value);
    size_t count = 3;
    for (const char *at = value; *at != '\0'; at++)
        if (*at == ',') count++;
    vars->search_path = calloc(2 * count, sizeof *vars->search_path);
    invariant(vars->search_path_text != NULL && vars->search_path != NULL);
    size_t used = 0;
    if (session->temp_name != NULL)
        vars->search_path[used++] = (char *)(uintptr_t)session->temp_name;
    for (char *at = vars->search_path_text; *at != '\0';) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == '\0') break;
        char *name = at, *end;
        if (*at == '"') {
            name = at + 1;
            end = strchr(name, '"');
            if (end == NULL) break;
            at = end + 1;
        } else {
            end = at + strcspn(at, ", ");
            at = *end == '\0' ? end : end + 1;
        }
        *end = '\0';
        vars->search_path[used++] = strcmp(name, "$user") == 0 ? (char *)(uintptr_t)session->user : name;
    }
    vars->search_path[used] = NULL;
    session->search_path = (const char *const *)vars->search_path;
    session->path.named = session->search_path;
    session->path.settled = (const char **)(uintptr_t)(vars->search_path + count);
    session->path.epoch = 0;
}

void vars_refresh_search_path(struct session *session)
{
    if (session->vars->search_path_value != NULL) // Else the variables are still being opened.
        assign_search_path(session, session->vars->search_path_value);
}

// "5s", "100ms", "2min", "250": milliseconds. False when malformed.
static bool parse_milliseconds(const char *value, int64_t *milliseconds)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"us", 0.001}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"m", 60000},
        {"h", 3600000}, {"d", 86400000}};
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (end == value || errno != 0 || number < -1e15 || number > 1e15) return false;
    while (*end == ' ') end++;
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *milliseconds = (int64_t)(number * units[i].factor + (number < 0 ? -0.5 : 0.5));
            return true;
        }
    }
    return false;
}

static uint32_t milliseconds(const char *value)
{
    int64_t milliseconds = 0;
    invariant(parse_milliseconds(value, &milliseconds));
    return (uint32_t)milliseconds;
}

static void assign_statement_timeout(struct session *session, const char *value)
{
    session->statement_timeout_ms = milliseconds(value);
}
static void assign_lock_timeout(struct session *session, const char *value)
{
    session->lock_timeout_ms = milliseconds(value);
    // SET LOCAL: of the transaction under way, too.
    if (session->txn != NULL)
        kv_txn_lock_timeout_set(session->txn, (uint64_t)session->lock_timeout_ms * 1000000u);
}
static void assign_log_min_duration(struct session *session, const char *value)
{
    int64_t least = 0;
    invariant(parse_milliseconds(value, &least));
    session->log_min_duration_ms = (double)least;
}
static void assign_idle_timeout(struct session *session, const char *value)
{
    session->idle_in_transaction_timeout_ms = milliseconds(value);
}

// "64MB", "1GB", "512" (kB): kilobytes. False when malformed.
static bool parse_kilobytes(const char *value, int64_t *kilobytes)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"B", 1.0 / 1024}, {"kB", 1}, {"MB", 1024}, {"GB", 1048576},
        {"TB", 1073741824.0}};
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (end == value || errno != 0 || !(number > -1e12 && number < 1e12)) return false;
    while (*end == ' ') end++;
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        *kilobytes = (int64_t)(number * units[i].factor + (number < 0 ? -0.5 : 0.5));
        return true;
    }
    return false;
}

static void assign_work_mem(struct session *session, const char *value)
{
    int64_t kilobytes = 0;
    invariant(parse_kilobytes(value, &kilobytes));
    session->work_bytes = (uint64_t)kilobytes << 10;
}

static void assign_database(struct session *session, const char *value)
{
    session->database = value;
}

static struct status check_isolation(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)session;
    // A transaction may run as more than its level: REPEATABLE READ as SERIALIZABLE, READ UNCOMMITTED as READ COMMITTED.
    static const char *const levels[] = {"serializable", "repeatable read", "read committed", "read uncommitted"};
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcasecmp(value, levels[i]) == 0) {
            *canonical = levels[i];
            return STATUS_OK;
        }
    }
    return invalid_value(arena, "transaction_isolation", value);
}

static struct status check_transaction_read_only(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && session->txn_state == TXN_OPEN && session->txn_read_only &&
        session->txn != NULL && !hlc_is_zero(session->txn_as_of))
        return status_make(E_ACTIVE_TRANSACTION, "cannot set transaction read-write mode inside a historical transaction");
    (void)arena;
    *canonical = value;
    return STATUS_OK;
}
static void assign_read_only_default(struct session *session, const char *value)
{
    session->read_only_default = strcmp(value, "on") == 0;
}
static void assign_transaction_read_only(struct session *session, const char *value)
{
    session->txn_read_only = strcmp(value, "on") == 0;
}

// --- the registry ----------------------------------------------------------------------------------

#define MS_MAX INT32_MAX
// In order of name without regard to case.
static const struct var registry[] = {
    {"application_name", "", "Name of the application, shown in SHOW SESSIONS.", VAR_STRING, VAR_REPORT | VAR_NAME, NULL, 0, 0, check_application_name, assign_application_name},
    {"array_nulls", "on", "NULL in text of arrays is a null.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"autovacuum_max_workers", "0", "Statistics are refreshed by no processes of their own.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"backslash_quote", "safe_encoding", "Whether \\' is allowed in string literals.", VAR_ENUM, VAR_FIXED, "safe_encoding", 0, 0, NULL, NULL},
    {"block_size", "8192", "Bytes of what pg_class.relpages counts.", VAR_INTEGER, VAR_READ_ONLY, NULL, 8192, 8192, NULL, NULL},
    {"bytea_output", "hex", "Text form of bytea.", VAR_ENUM, 0, "hex|escape", 0, 0, NULL, assign_bytea_output},
    {"check_function_bodies", "on", "Checks bodies at CREATE FUNCTION.", VAR_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"client_encoding", "UTF8", "Encoding of texts from and to the client.", VAR_STRING, VAR_REPORT | VAR_NAME, NULL, 0, 0, check_encoding, assign_encoding},
    {"client_min_messages", "notice", "Least severity that is sent to the client.", VAR_ENUM, 0, "debug5|debug4|debug3|debug2|debug1|log|notice|warning|error", 0, 0, NULL, NULL},
    {"cluster", "", "The virtual cluster asked for at log-in.", VAR_STRING, VAR_READ_ONLY | VAR_STARTUP, NULL, 0, 0, NULL, NULL},
    {"data_checksums", "on", "Stored pages have checksums.", VAR_BOOL, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"database", "", "The current database.", VAR_STRING, VAR_STARTUP, NULL, 0, 0, NULL, assign_database},
    {"DateStyle", "ISO, MDY", "Text form of dates and times, and the order of day and month on input.", VAR_STRING, VAR_REPORT, NULL, 0, 0, check_date_style, assign_date_style},
    {"debug_assertions", "off", "Whether this is a build with assertions of PostgreSQL.", VAR_BOOL, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"default_int_size", "4", "Bytes of INT.", VAR_ENUM, VAR_FIXED, "4", 0, 0, NULL, NULL},
    {"default_statistics_target", "100", "Shares of histograms, and common values, that ANALYZE keeps of columns without a target of their own.", VAR_INTEGER, 0, NULL, 1, 10000, NULL, NULL},
    {"default_table_access_method", "heap", "There is one access method.", VAR_ENUM, VAR_FIXED, "heap", 0, 0, NULL, NULL},
    {"default_tablespace", "", "There are no tablespaces.", VAR_ENUM, VAR_FIXED, "", 0, 0, NULL, NULL},
    {"default_transaction_deferrable", "off", "DEFERRABLE for new transactions.", VAR_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"default_transaction_isolation", "serializable", "Isolation level of new transactions.", VAR_STRING, 0, NULL, 0, 0, check_isolation, NULL},
    {"default_transaction_read_only", "off", "Whether new transactions are read-only.", VAR_BOOL, VAR_REPORT, NULL, 0, 0, NULL, assign_read_only_default},
    {"escape_string_warning", "on", "Warns of backslashes in plain literals.", VAR_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"exit_on_error", "off", "An error does not end the session.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"extra_float_digits", "1", "Digits of floating-point values beyond the standard ones.", VAR_INTEGER, 0, NULL, -15, 3, NULL, assign_float_digits},
    {"idle_in_transaction_session_timeout", "0", "Ends a session that idles in a transaction.", VAR_MILLISECONDS, 0, NULL, 0, MS_MAX, NULL, assign_idle_timeout},
    {"idle_session_timeout", "0", "Sessions may idle.", VAR_MILLISECONDS, VAR_FIXED, NULL, 0, MS_MAX, NULL, NULL},
    {"in_hot_standby", "off", "Whether this is a read-only standby.", VAR_BOOL, VAR_REPORT | VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"integer_datetimes", "on", "Dates and times are integers in binary form.", VAR_BOOL, VAR_REPORT | VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"IntervalStyle", "postgres", "Text form of intervals.", VAR_ENUM, VAR_REPORT, "postgres|postgres_verbose|sql_standard|iso_8601", 0, 0, NULL, assign_interval_style},
    {"is_superuser", "off", "Whether the user is a member of admin.", VAR_BOOL, VAR_REPORT | VAR_READ_ONLY | VAR_STARTUP, NULL, 0, 0, NULL, NULL},
    {"jit", "off", "Expressions are not compiled to machine code.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"lc_collate", "C.UTF-8", "Collation of the database.", VAR_STRING, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"lc_ctype", "C.UTF-8", "Character classes of the database.", VAR_STRING, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"lc_messages", "C", "Language of messages.", VAR_ENUM, VAR_FIXED, "C|C.UTF-8|en_US.UTF-8", 0, 0, NULL, NULL},
    {"lc_monetary", "C", "Form of money amounts.", VAR_ENUM, VAR_FIXED, "C|C.UTF-8|en_US.UTF-8", 0, 0, NULL, NULL},
    {"lc_numeric", "C", "Form of numbers.", VAR_ENUM, VAR_FIXED, "C|C.UTF-8|en_US.UTF-8", 0, 0, NULL, NULL},
    {"lc_time", "C", "Form of dates and times.", VAR_ENUM, VAR_FIXED, "C|C.UTF-8|en_US.UTF-8", 0, 0, NULL, NULL},
    {"lo_compat_privileges", "off", "Privileges of large objects are not asked for.", VAR_BOOL, VAR_ADMIN, NULL, 0, 0, NULL, NULL},
    {"local_preload_libraries", "", "There are no libraries to load.", VAR_ENUM, VAR_FIXED, "", 0, 0, NULL, NULL},
    {"lock_timeout", "0", "Longest wait for a lock.", VAR_MILLISECONDS, 0, NULL, 0, MS_MAX, NULL, assign_lock_timeout},
    {"log_min_duration_statement", "-1", "Statements that take as long are logged, without their values; -1: none.", VAR_MILLISECONDS, VAR_ADMIN, NULL, -1, MS_MAX, NULL, assign_log_min_duration},
    {"log_statement", "none", "Statements are not logged for their kind: log_min_duration_statement.", VAR_ENUM, VAR_FIXED, "none", 0, 0, NULL, NULL},
    {"max_connections", "262143", "Most connections at a time.", VAR_INTEGER, VAR_READ_ONLY | VAR_STARTUP, NULL, 262143, 262143, NULL, NULL},
    {"max_identifier_length", "63", "Longest identifier in bytes.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_index_keys", "32", "Most columns of an index.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_logical_replication_workers", "0", "There is no logical replication.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_parallel_workers", "0", "A query has no workers of its own.", VAR_INTEGER, VAR_FIXED, NULL, 0, 1024, NULL, NULL},
    {"max_parallel_workers_per_gather", "0", "A query has no workers of its own.", VAR_INTEGER, VAR_FIXED, NULL, 0, 1024, NULL, NULL},
    {"max_prepared_transactions", "0", "There are no prepared transactions.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_replication_slots", "0", "There are no replication slots.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_wal_senders", "0", "There are no log senders.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"max_worker_processes", "0", "There are no worker processes.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"password_encryption", "scram-sha-256", "How new passwords are kept.", VAR_ENUM, VAR_FIXED, "scram-sha-256", 0, 0, NULL, NULL},
    {"plan_cache_mode", "auto", "Plans of prepared statements: for the values or for all values.", VAR_ENUM, 0, "auto|force_generic_plan|force_custom_plan", 0, 0, NULL, NULL},
    {"quote_all_identifiers", "off", "Texts of definitions quote what needs it.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"role", "none", "The role that the session acts as.", VAR_STRING, VAR_STARTUP | VAR_NAME, NULL, 0, 0, session_role_check, session_role_assign},
    {"row_security", "on", "There are no row policies to apply.", VAR_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"search_path", "\"$user\", public", "Schemas searched for unqualified names.", VAR_STRING, 0, NULL, 0, 0, check_search_path, assign_search_path},
    {"server_encoding", "UTF8", "Encoding of stored text.", VAR_STRING, VAR_REPORT | VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"server_version", "15.0", "PostgreSQL version that this server follows.", VAR_STRING, VAR_REPORT | VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"server_version_num", "150000", "The same as a number.", VAR_INTEGER, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"session_authorization", "", "The user of the session.", VAR_STRING, VAR_REPORT | VAR_NAME | VAR_STARTUP, NULL, 0, 0, session_authorization_check, session_authorization_assign},
    {"session_preload_libraries", "", "There are no libraries to load.", VAR_ENUM, VAR_FIXED, "", 0, 0, NULL, NULL},
    {"session_replication_role", "origin", "Foreign keys are checked for every session.", VAR_ENUM, VAR_FIXED, "origin", 0, 0, NULL, NULL},
    {"shared_preload_libraries", "", "There are no libraries to load.", VAR_STRING, VAR_READ_ONLY, NULL, 0, 0, NULL, NULL},
    {"ssl", "off", "Whether connections can be encrypted.", VAR_BOOL, VAR_READ_ONLY | VAR_STARTUP, NULL, 0, 0, NULL, NULL},
    {"standard_conforming_strings", "on", "Backslashes are literal in plain string literals.", VAR_ENUM, VAR_REPORT | VAR_FIXED, "on", 0, 0, NULL, NULL},
    {"statement_timeout", "0", "Longest run of a statement.", VAR_MILLISECONDS, 0, NULL, 0, MS_MAX, NULL, assign_statement_timeout},
    {"synchronize_seqscans", "off", "Scans start where the data starts.", VAR_ENUM, VAR_FIXED, "off", 0, 0, NULL, NULL},
    {"synchronous_commit", "on", "A commit is durable when it is acknowledged.", VAR_ENUM, VAR_FIXED, "on|local|remote_write|remote_apply", 0, 0, NULL, NULL},
    {"temp_tablespaces", "", "There are no tablespaces.", VAR_ENUM, VAR_FIXED, "", 0, 0, NULL, NULL},
    {"TimeZone", "UTC", "Time zone of timestamps' text form.", VAR_STRING, VAR_REPORT, NULL, 0, 0, check_zone, assign_zone},
    {"timezone_abbreviations", "Default", "The abbreviations of time zones that there are.", VAR_ENUM, VAR_FIXED, "Default", 0, 0, NULL, NULL},
    {"track_activities", "on", "pg_stat_activity shows what sessions do.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"track_functions", "none", "Calls of functions are not counted.", VAR_ENUM, VAR_FIXED, "none", 0, 0, NULL, NULL},
    {"track_io_timing", "off", "Waits for disks are not counted by statement.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"transaction_deferrable", "off", "Whether this transaction may wait for a snapshot that cannot fail; every one is such.", VAR_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"transaction_isolation", "serializable", "Isolation level of this transaction.", VAR_STRING, 0, NULL, 0, 0, check_isolation, NULL},
    {"transaction_read_only", "off", "Whether this transaction is read-only.", VAR_BOOL, 0, NULL, 0, 0, check_transaction_read_only, assign_transaction_read_only},
    {"transform_null_equals", "off", "= NULL is not IS NULL.", VAR_BOOL, VAR_FIXED, NULL, 0, 0, NULL, NULL},
    {"vacuum_cost_delay", "0", "VACUUM and ANALYZE that somebody asks for do not rest.", VAR_ENUM, VAR_FIXED, "0", 0, 0, NULL, NULL},
    {"virtual_cluster_name", "", "The virtual cluster of this session.", VAR_STRING, VAR_READ_ONLY | VAR_STARTUP, NULL, 0, 0, NULL, NULL},
    {"work_mem", "64MB", "What an operation keeps in memory before it uses temporary files.", VAR_KILOBYTES, 0, NULL, 64, INT32_MAX, NULL, assign_work_mem},
    {"xmlbinary", "base64", "How XML has binary values.", VAR_ENUM, 0, "base64|hex", 0, 0, NULL, assign_xml_binary},
    {"xmloption", "content", "Whether texts become XML as documents or as content.", VAR_ENUM, 0, "content|document", 0, 0, NULL, assign_xml_option},
};
#define VAR_COUNT (sizeof registry / sizeof registry[0])

static uint32_t var_index(const char *name)
{
    for (uint32_t i = 0; i < VAR_COUNT; i++)
        if (strcasecmp(registry[i].name, name) == 0) return i;
    return UINT32_MAX;
}

static void store(struct session *session, uint32_t index, const char *value)
{
    struct session_vars *vars = session->vars;
    char *copy = strdup(value);
    invariant(copy != NULL);
    char *old = vars->values[index];
    vars->values[index] = copy;
    if (registry[index].assign != NULL) registry[index].assign(session, copy);
    if ((registry[index].flags & VAR_REPORT) && (old == NULL || strcmp(old, copy) != 0))
        vars->untold = true;
    free(old);
}

static const char *reset_of(const struct session *session, uint32_t index)
{
    const char *reset = session->vars->reset[index];
    return reset == NULL ? registry[index].initial : reset;
}

void vars_logged_in(struct session *session)
{
    struct session_vars *vars = session->vars;
    for (uint32_t i = 0; i < VAR_COUNT; i++) {
        if ((registry[i].flags & (VAR_READ_ONLY | VAR_STARTUP)) || strcmp(vars->values[i], registry[i].initial) == 0) continue;
        vars->reset[i] = strdup(vars->values[i]);
        invariant(vars->reset[i] != NULL);
    }
    for (struct custom_var *custom = vars->custom; custom != NULL; custom = custom->next) {
        custom->reset = strdup(custom->value);
        invariant(custom->reset != NULL);
    }
}

void vars_show_superuser(struct session *session)
{
    store(session, var_index("is_superuser"), session->superuser ? "on" : "off");
}

void vars_open(struct session *session)
{
    session->vars = calloc(1, sizeof *session->vars);
    invariant(session->vars != NULL);
    session->vars->values = calloc(VAR_COUNT, sizeof(char *));
    session->vars->reset = calloc(VAR_COUNT, sizeof(char *));
    session->vars->told = calloc(VAR_COUNT, sizeof(char *));
    invariant(session->vars->values != NULL && session->vars->reset != NULL && session->vars->told != NULL);
    for (uint32_t i = 0; i < VAR_COUNT; i++) store(session, i, registry[i].initial);
}

static void undo_free(struct var_undo *undo)
{
    free(undo->name);
    free(undo->value);
    free(undo);
}

void vars_close(struct session *session)
{
    struct session_vars *vars = session->vars;
    if (vars == NULL) return;
    for (uint32_t i = 0; i < VAR_COUNT; i++) {
        free(vars->values[i]);
        free(vars->reset[i]);
    }
    free(vars->reset);
    while (vars->undo != NULL) {
        struct var_undo *undo = vars->undo;
        vars->undo = undo->next;
        undo_free(undo);
    }
    while (vars->custom != NULL) {
        struct custom_var *custom = vars->custom;
        vars->custom = custom->next;
        free(custom->name);
        free(custom->value);
        free(custom->reset);
        free(custom);
    }
    free(vars->search_path_value);
    free(vars->search_path_text);
    free(vars->search_path);
    free(vars->values);
    for (uint32_t i = 0; i < VAR_COUNT; i++) free(vars->told[i]);
    free(vars->told);
    free(vars);
    session->vars = NULL;
}

static struct custom_var *custom_find(const struct session_vars *vars, const char *name)
{
    for (struct custom_var *custom = vars->custom; custom != NULL; custom = custom->next)
        if (strcasecmp(custom->name, name) == 0) return custom;
    return NULL;
}

const char *vars_get(const struct session *session, const char *name)
{
    uint32_t index = var_index(name);
    if (index != UINT32_MAX) return session->vars->values[index];
    const struct custom_var *custom = custom_find(session->vars, name);
    return custom == NULL ? NULL : custom->value;
}

// --- values ----------------------------------------------------------------------------------------

static const char *parse_bool(const char *value)
{
    static const char *const on[] = {"on", "true", "yes", "1", "t", "y"};
    static const char *const off[] = {"off", "false", "no", "0", "f", "n"};
    for (unsigned i = 0; i < 6; i++) {
        if (strcasecmp(value, on[i]) == 0) return "on";
        if (strcasecmp(value, off[i]) == 0) return "off";
    }
    return NULL;
}

static struct status check_number(
    const struct var *var, struct arena *arena, const char *value, const char **canonical)
{
    int64_t number;
    if (var->kind == VAR_MILLISECONDS) {
        if (!parse_milliseconds(value, &number)) return invalid_value(arena, var->name, value);
    } else if (var->kind == VAR_KILOBYTES) {
        if (!parse_kilobytes(value, &number)) return invalid_value(arena, var->name, value);
    } else {
        char *end;
        errno = 0;
        number = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0) return invalid_value(arena, var->name, value);
    }
    if (number < var->minimum || number > var->maximum)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "%lld%s is outside the valid range for parameter \"%s\" (%lld .. %lld)",
            (long long)number,
            var->kind == VAR_MILLISECONDS ? " ms" : var->kind == VAR_KILOBYTES ? " kB" : "", var->name,
            (long long)var->minimum, (long long)var->maximum);
    // In the largest unit that says it without a fraction.
    static const char *const sizes[] = {"kB", "MB", "GB", "TB"}, *const times[] = {"ms", "s", "min", "h", "d"};
    static const int64_t size_steps[] = {1024, 1024, 1024, 0}, time_steps[] = {1000, 60, 60, 24, 0};
    bool is_time = var->kind == VAR_MILLISECONDS, is_plain = var->kind == VAR_INTEGER || number <= 0;
    const int64_t *steps = is_time ? time_steps : size_steps;
    uint32_t unit = 0;
    for (; !is_plain && steps[unit] != 0 && number % steps[unit] == 0; unit++) number /= steps[unit];
    *canonical = arena_printf(
        arena, "%lld%s", (long long)number, is_plain ? "" : is_time ? times[unit] : sizes[unit]);
    return STATUS_OK;
}

static struct status fixed_value(const struct var *var, struct arena *arena, const char *value)
{
    const char *values = var->values == NULL ? var->initial : var->values;
    return status_hint(arena,
        status_format(arena, E_FEATURE_NOT_SUPPORTED, "%s = \"%s\" is not supported", var->name, value),
        "Supported: %s.", values[0] == '\0' ? "the empty string" : values);
}

static struct status check_enum(
    const struct var *var, struct arena *arena, const char *value, const char **canonical)
{
    size_t size = strlen(value);
    for (const char *at = var->values;;) {
        const char *end = strchrnul(at, '|');
        if ((size_t)(end - at) == size && strncasecmp(at, value, size) == 0) {
            *canonical = arena_string(arena, bytes_of(at, size));
            return STATUS_OK;
        }
        if (*end == '\0') break;
        at = end + 1;
    }
    if (var->flags & VAR_FIXED) return fixed_value(var, arena, value);
    struct buffer known;
    buffer_init(&known, arena);
    for (const char *at = var->values; *at != 0; at++) buffer_append(&known, *at == '|' ? ", " : at, *at == '|' ? 2 : 1);
    return status_hint(arena, invalid_value(arena, var->name, value), "Available values: %s.", buffer_string(&known));
}

static struct status check_value(struct session *session, const struct var *var, struct arena *arena,
    const char *value, const char **canonical)
{
    if (var->flags & VAR_NAME) {
        const char *cut = cut_name_of(arena, value);
        if (cut != value) session_notice(session, "NOTICE", cut_name_notice(arena, value, cut));
        value = cut;
    }
    *canonical = value;
    switch (var->kind) {
    case VAR_BOOL: {
        *canonical = parse_bool(value);
        if (*canonical == NULL)
            return status_format(arena, E_INVALID_PARAMETER_VALUE,
                "parameter \"%s\" requires a Boolean value", var->name);
        break;
    }
    case VAR_INTEGER:
    case VAR_KILOBYTES:
    case VAR_MILLISECONDS: return check_number(var, arena, value, canonical);
    case VAR_ENUM: return check_enum(var, arena, value, canonical);
    case VAR_STRING: break;
    }
    if (var->check != NULL) return var->check(session, arena, *canonical, canonical);
    if ((var->flags & VAR_FIXED) && var->kind != VAR_ENUM && strcmp(*canonical, var->initial) != 0)
        return fixed_value(var, arena, value);
    return STATUS_OK;
}

static void remember(
    struct session *session, const char *name, const char *value, enum vars_scope scope)
{
    if (session->txn_state == TXN_IDLE && scope != VARS_FUNCTION) return;
    struct var_undo *undo = calloc(1, sizeof *undo);
    invariant(undo != NULL);
    undo->name = strdup(name);
    undo->value = value == NULL ? NULL : strdup(value);
    undo->local = scope == VARS_LOCAL || scope == VARS_FUNCTION;
    undo->function = scope == VARS_FUNCTION;
    undo->next = session->vars->undo;
    session->vars->undo = undo;
}

static void custom_store(struct session *session, const char *name, const char *value)
{
    struct custom_var *custom = custom_find(session->vars, name);
    if (custom == NULL) {
        custom = calloc(1, sizeof *custom);
        invariant(custom != NULL);
        custom->name = strdup(name);
        custom->next = session->vars->custom;
        session->vars->custom = custom;
    }
    free(custom->value);
    custom->value = strdup(value);
    invariant(custom->name != NULL && custom->value != NULL);
}

static struct status custom_set(struct session *session, struct arena *arena, const char *name,
    const char *value, enum vars_scope scope)
{
    uint32_t count = 0;
    for (struct custom_var *custom = session->vars->custom; custom != NULL; custom = custom->next)
        count++;
    if (strchr(name, '.') == NULL) return vars_unknown(arena, name);
    if (count >= 100 || strlen(name) > 127 || (value != NULL && strlen(value) > 65536))
        return status_make(SQLSTATE('5', '4', '0', '0', '0'), "too many or too long custom parameters");
    const struct custom_var *old = custom_find(session->vars, name);
    remember(session, name, old == NULL ? NULL : old->value, scope);
    if (value == NULL) value = old == NULL || old->reset == NULL ? "" : old->reset;
    custom_store(session, name, value);
    return STATUS_OK;
}

bool vars_is_for_admins(const char *name)
{
    uint32_t index = var_index(name);
    return index != UINT32_MAX && (registry[index].flags & VAR_ADMIN) != 0;
}

struct status vars_set(struct session *session, struct arena *arena, const char *name,
    const char *value, enum vars_scope scope)
{
    uint32_t index = var_index(name);
    if (index == UINT32_MAX) return custom_set(session, arena, name, value, scope);
    const struct var *var = &registry[index];
    if ((var->flags & VAR_READ_ONLY) && scope != VARS_STARTUP)
        return status_format(arena, SQLSTATE('5', '5', 'P', '0', '2'),
            "parameter \"%s\" cannot be changed", var->name);
    bool trusted = session->superuser || session->internal || scope == VARS_STARTUP || scope == VARS_ROLE;
    if ((var->flags & VAR_ADMIN) && !trusted)
        return status_format(arena, E_INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"%s\"", var->name);
    const char *canonical = value == NULL ? reset_of(session, index) : value;
    if (!(scope == VARS_STARTUP && (var->flags & (VAR_READ_ONLY | VAR_STARTUP)))) {
        struct status st = check_value(session, var, arena, canonical, &canonical);
        if (failed(st)) return st;
    }
    if (scope != VARS_STARTUP) remember(session, name, session->vars->values[index], scope);
    store(session, index, canonical);
    return STATUS_OK;
}

struct status vars_check(struct session *session, struct arena *arena, const char *name,
    const char *value, const char **spelled)
{
    const uint32_t index = var_index(name);
    *spelled = index == UINT32_MAX ? name : registry[index].name;
    if (index == UINT32_MAX || value == NULL) return STATUS_OK;
    if (registry[index].flags & VAR_READ_ONLY)
        return status_format(arena, SQLSTATE('5', '5', 'P', '0', '2'),
            "parameter \"%s\" cannot be changed", registry[index].name);
    return check_value(session, &registry[index], arena, value, &value);
}

void vars_reset_all(struct session *session)
{
    for (uint32_t i = 0; i < VAR_COUNT; i++) {
        if (registry[i].flags & (VAR_READ_ONLY | VAR_STARTUP)) continue;
        if ((registry[i].flags & VAR_ADMIN) && !session->superuser) continue;
        if (strcmp(session->vars->values[i], reset_of(session, i)) == 0) continue;
        remember(session, registry[i].name, session->vars->values[i], VARS_SESSION);
        store(session, i, reset_of(session, i));
    }
    for (struct custom_var *custom = session->vars->custom; custom != NULL; custom = custom->next) {
        const char *reset = custom->reset == NULL ? "" : custom->reset;
        if (strcmp(custom->value, reset) == 0) continue;
        remember(session, custom->name, custom->value, VARS_SESSION);
        custom_store(session, custom->name, reset);
    }
}

bool vars_set_in_txn(const struct session *session, const char *name)
{
    for (const struct var_undo *undo = session->vars->undo; undo != NULL; undo = undo->next)
        if (strcmp(undo->name, name) == 0) return true;
    return false;
}

static void undo_apply(struct session *session, const struct var_undo *undo)
{
    uint32_t index = var_index(undo->name);
    if (index != UINT32_MAX)
        store(session, index, undo->value);
    else
        custom_store(session, undo->name, undo->value == NULL ? "" : undo->value);
}

void vars_txn_end(struct session *session, bool committed)
{
    struct session_vars *vars = session->vars;
    bool kept[VAR_COUNT] = {false}; // A SET came after the SET LOCAL.
    while (vars->undo != NULL) {
        struct var_undo *undo = vars->undo;
        uint32_t index = var_index(undo->name);
        vars->undo = undo->next;
        if (!committed || (undo->local && (index == UINT32_MAX || !kept[index])))
            undo_apply(session, undo);
        else if (!undo->local && index != UINT32_MAX)
            kept[index] = true;
        undo_free(undo);
    }
}

void vars_txn_failed(struct session *session, const struct var_undo *savepoint)
{
    for (const struct var_undo *undo = session->vars->undo; undo != savepoint; undo = undo->next) {
        const uint32_t index = var_index(undo->name);
        if (index != UINT32_MAX && (registry[index].flags & VAR_REPORT)) undo_apply(session, undo);
    }
}

const struct var_undo *vars_savepoint(const struct session *session)
{
    return session->vars->undo;
}

void vars_rollback_to(struct session *session, const struct var_undo *savepoint)
{
    struct session_vars *vars = session->vars;
    while (vars->undo != savepoint) {
        struct var_undo *undo = vars->undo;
        vars->undo = undo->next;
        undo_apply(session, undo);
        undo_free(undo);
    }
}

static bool is_of_function(const struct var_undo *undo, const struct var_undo *begun, const char *name)
{
    for (; undo != NULL && undo != begun; undo = undo->next)
        if (undo->function && strcasecmp(undo->name, name) == 0) return true;
    return false;
}

// The first SET of the variable, not LOCAL, since `undo`; NULL: none.
static struct var_undo *set_since(struct var_undo *newest, const struct var_undo *undo)
{
    struct var_undo *found = NULL;
    for (struct var_undo *at = newest; at != undo; at = at->next)
        if (!at->local && strcasecmp(at->name, undo->name) == 0) found = at;
    return found;
}

void vars_function_end(struct session *session, const struct var_undo *begun)
{
    struct var_undo **link = &session->vars->undo;
    while (*link != NULL && *link != begun) {
        struct var_undo *undo = *link;
        if (!undo->function && !(undo->local && is_of_function(undo, begun, undo->name))) {
            link = &undo->next;
            continue;
        }
        struct var_undo *own = undo->function ? set_since(session->vars->undo, undo) : NULL;
        *link = undo->next;
        if (own != NULL) { // A rollback goes back to what was there before the function.
            char *former = undo->value;
            undo->value = own->value;
            own->value = former;
        } else if (undo->function) {
            undo_apply(session, undo);
        }
        undo_free(undo);
    }
}

int64_t vars_number(const struct vars_info *info, const char *value)
{
    int64_t number = 0;
    if (info->unit == NULL)
        number = strtoll(value, NULL, 10);
    else if (!(strcmp(info->unit, "ms") == 0 ? parse_milliseconds(value, &number) : parse_kilobytes(value, &number)))
        return 0;
    return number;
}

bool vars_at(const struct session *session, uint32_t index, struct vars_info *info)
{
    static const char *const types[] = {"string", "bool", "integer", "integer", "integer", "enum"};
    if (index >= VAR_COUNT) return false;
    const struct var *var = &registry[index];
    bool number = var->kind == VAR_INTEGER || var->kind == VAR_MILLISECONDS || var->kind == VAR_KILOBYTES;
    bool one = var->kind == VAR_INTEGER && (var->flags & VAR_READ_ONLY);
    int64_t now = one ? strtoll(session->vars->values[index], NULL, 10) : 0;
    *info = (struct vars_info){.name = var->name,
        .value = session->vars->values[index],
        .description = var->description,
        .default_value = var->initial,
        .reset_value = reset_of(session, index),
        .type = types[var->kind],
        .context = (var->flags & VAR_READ_ONLY) ? "internal" : (var->flags & VAR_ADMIN) ? "superuser" : "user",
        .unit = var->kind == VAR_MILLISECONDS ? "ms" : var->kind == VAR_KILOBYTES ? "kB" : NULL,
        .values = var->kind == VAR_ENUM ? var->values : NULL,
        .given_at_start = (var->flags & VAR_STARTUP) != 0,
        .bounded = number,
        .minimum = one ? now : var->minimum,
        .maximum = one ? now : var->maximum};
    return true;
}

bool vars_take_change(struct session *session, const char **name)
{
    struct session_vars *vars = session->vars;
    for (; vars->told_to < VAR_COUNT && vars->untold; vars->told_to++) {
        const uint32_t i = vars->told_to;
        if (!(registry[i].flags & VAR_REPORT)) continue;
        if (vars->told[i] != NULL && strcmp(vars->told[i], vars->values[i]) == 0) continue;
        free(vars->told[i]);
        vars->told[i] = strdup(vars->values[i]);
        invariant(vars->told[i] != NULL);
        *name = registry[i].name;
        return true;
    }
    vars->told_to = 0;
    vars->untold = false;
    return false;
}

bool vars_bool(const struct session *session, const char *name)
{
    return strcmp(vars_get(session, name), "on") == 0;
}
