// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one error type: sixteen bytes by value. `code` is an SQLSTATE chosen where the cause is
// known. Internal conditions use class K0 and are resolved below the SQL session; none reaches a
// client.
//
// Memory   message is static or lives in the arena it was made in; never NULL on failure.
// Source   SQLSTATEs: PostgreSQL 15 manual, appendix A.
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;

#define CHECKED __attribute__((warn_unused_result))

enum status_retry {
    RETRY_NEVER,
    RETRY_STATEMENT,   // The same statement may succeed at once (after re-routing, say).
    RETRY_TRANSACTION, // The whole transaction may succeed if run again: 40001.
    RETRY_AMBIGUOUS,   // The outcome is unknown: 40003, never retried by us.
};

struct status {
    uint32_t code;     // Packed by SQLSTATE(); 0 is success.
    uint16_t retry;    // enum status_retry.
    uint16_t reported; // 1: `message` is the text of a struct status_report.
    const char *message;
};
static_assert(sizeof(struct status) == 16, "returned in two registers");

// What an ErrorResponse carries beyond the message. Absent fields are NULL (position: 0).
struct status_report {
    const char *detail;
    const char *hint;
    const char *context; // Where it happened, innermost first, a line each.
    const char *schema;
    const char *table;
    const char *column;
    const char *datatype;
    const char *constraint;
    uint32_t position; // In characters of the statement, from 1.
    char message[];
};

// Six bits a character, most significant first; characters 0-9 and A-Z.
#define SQLSTATE_CHAR(c) ((uint32_t)((c) - '0') & 0x3f)
#define SQLSTATE(a, b, c, d, e) \
    (SQLSTATE_CHAR(a) << 24 | SQLSTATE_CHAR(b) << 18 | SQLSTATE_CHAR(c) << 12 | \
        SQLSTATE_CHAR(d) << 6 | SQLSTATE_CHAR(e) | 1u << 30)

#define STATUS_OK ((struct status){0, 0, 0, 0})

static inline bool failed(struct status st)
{
    return st.code != 0;
}

static inline bool status_is(struct status st, uint32_t code)
{
    return st.code == code;
}

// Runs `expr`; on failure jumps to the function's cleanup. Needs a local `st` and a label `out`.
#define TRY(expr) \
    do { \
        st = (expr); \
        if (__builtin_expect(failed(st), 0)) goto out; \
    } while (0)

// A failure with a static message.
static inline struct status status_make(uint32_t code, const char *message)
{
    return (struct status){code, RETRY_NEVER, 0, message};
}

static inline struct status status_make_retry(
    uint32_t code, enum status_retry retry, const char *message)
{
    return (struct status){code, (uint16_t)retry, 0, message};
}

// Formats the message into `arena`. The functions below it add the report's other fields: each takes a
// status and returns it with one more, also in `arena`, for use in one expression.
struct status status_format(struct arena *arena, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct status status_detail(struct arena *arena, struct status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct status status_hint(struct arena *arena, struct status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Adds a line to the context, behind what is there.
struct status status_context(struct arena *arena, struct status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct status status_position(struct arena *arena, struct status st, uint32_t position);
// Any of the names may be NULL: left as it was.
struct status status_names(struct arena *arena, struct status st, const char *schema,
    const char *table, const char *column, const char *constraint);

// The type, a domain mostly, of which the error tells.
struct status status_datatype(
    struct arena *arena, struct status st, const char *schema, const char *datatype);

// The report behind `st`, or NULL when it has only a message.
const struct status_report *status_report_of(struct status st);

// Copies message and report into `arena`, for a status that outlives the arena it was made in.
struct status status_copy(struct arena *arena, struct status st);

// Writes five characters and a NUL.
void status_sqlstate(struct status st, char out[6]);
uint32_t sqlstate_parse(const char text[5]); // 0 when it is not five of [0-9A-Z].

// Translates errno (or -res of a completion). `what` is static: "wal: fdatasync".
// ENOSPC, EDQUOT -> 53100; ENOMEM -> 53200; EMFILE, ENFILE -> 53000; ECONN*, EPIPE, ETIMEDOUT ->
// 08006; ECANCELED -> 57014; ENOENT -> 58P01; EEXIST -> 58P02; the rest 58030.
struct status status_from_errno(int error, const char *what);
// The same with the reason in words after `what`, which need not be static: "open x: No such file".
struct status status_from_errno_in(struct arena *arena, int error, const char *what);

// SQLSTATEs in use, by their names in PostgreSQL where it has one.
#define E_FEATURE_NOT_SUPPORTED SQLSTATE('0', 'A', '0', '0', '0')
#define E_PROTOCOL_VIOLATION SQLSTATE('0', '8', 'P', '0', '1')
#define E_CONNECTION_EXCEPTION SQLSTATE('0', '8', '0', '0', '0')
#define E_CONNECTION_FAILURE SQLSTATE('0', '8', '0', '0', '6')
#define E_CONNECTION_REFUSED SQLSTATE('0', '8', '0', '0', '4')
#define E_CARDINALITY_VIOLATION SQLSTATE('2', '1', '0', '0', '0')
#define E_DATA_EXCEPTION SQLSTATE('2', '2', '0', '0', '0')
#define E_STRING_TOO_LONG SQLSTATE('2', '2', '0', '0', '1')
#define E_NUMERIC_OUT_OF_RANGE SQLSTATE('2', '2', '0', '0', '3')
#define E_INVALID_DATETIME_FORMAT SQLSTATE('2', '2', '0', '0', '7')
#define E_DATETIME_OVERFLOW SQLSTATE('2', '2', '0', '0', '8')
#define E_SUBSTRING_ERROR SQLSTATE('2', '2', '0', '1', '1')
#define E_DIVISION_BY_ZERO SQLSTATE('2', '2', '0', '1', '2')
#define E_INVALID_LOGARITHM_ARGUMENT SQLSTATE('2', '2', '0', '1', 'E')
#define E_INVALID_POWER_ARGUMENT SQLSTATE('2', '2', '0', '1', 'F')
#define E_INVALID_PRECEDING_OR_FOLLOWING SQLSTATE('2', '2', '0', '1', '3')
#define E_INVALID_ARGUMENT_FOR_NTILE SQLSTATE('2', '2', '0', '1', '4')
#define E_INVALID_ARGUMENT_FOR_NTH_VALUE SQLSTATE('2', '2', '0', '1', '6')
#define E_INVALID_ROW_COUNT SQLSTATE('2', '2', '0', '1', 'W')
#define E_INVALID_WIDTH_BUCKET SQLSTATE('2', '2', '0', '1', 'G')
#define E_INVALID_REGULAR_EXPRESSION SQLSTATE('2', '2', '0', '1', 'B')
#define E_ARRAY_SUBSCRIPT_ERROR SQLSTATE('2', '2', '0', '2', 'E')
#define E_NULL_VALUE_NOT_ALLOWED SQLSTATE('2', '2', '0', '0', '4')
#define E_TIME_ZONE_DISPLACEMENT SQLSTATE('2', '2', '0', '0', '9')
#define E_INTERVAL_FIELD_OVERFLOW SQLSTATE('2', '2', '0', '1', '5')
#define E_INVALID_PARAMETER_VALUE SQLSTATE('2', '2', '0', '2', '3')
#define E_CHARACTER_NOT_IN_REPERTOIRE SQLSTATE('2', '2', '0', '2', '1')
#define E_INVALID_ESCAPE SQLSTATE('2', '2', '0', '2', '5')
#define E_NOT_AN_XML_DOCUMENT SQLSTATE('2', '2', '0', '0', 'L')
#define E_INVALID_XML_DOCUMENT SQLSTATE('2', '2', '0', '0', 'M')
#define E_INVALID_XML_CONTENT SQLSTATE('2', '2', '0', '0', 'N')
#define E_INVALID_XML_COMMENT SQLSTATE('2', '2', '0', '0', 'S')
#define E_INVALID_XML_PROCESSING_INSTRUCTION SQLSTATE('2', '2', '0', '0', 'T')
#define E_INVALID_TEXT_REPRESENTATION SQLSTATE('2', '2', 'P', '0', '2')
#define E_INVALID_BINARY_REPRESENTATION SQLSTATE('2', '2', 'P', '0', '3')
#define E_BAD_COPY_FILE_FORMAT SQLSTATE('2', '2', 'P', '0', '4')
#define E_INTEGRITY_VIOLATION SQLSTATE('2', '3', '0', '0', '0')
#define E_NOT_NULL_VIOLATION SQLSTATE('2', '3', '5', '0', '2')
#define E_FOREIGN_KEY_VIOLATION SQLSTATE('2', '3', '5', '0', '3')
#define E_UNIQUE_VIOLATION SQLSTATE('2', '3', '5', '0', '5')
#define E_CHECK_VIOLATION SQLSTATE('2', '3', '5', '1', '4')
#define E_INVALID_CURSOR_STATE SQLSTATE('2', '4', '0', '0', '0')
#define E_ACTIVE_TRANSACTION SQLSTATE('2', '5', '0', '0', '1')
#define E_READ_ONLY_TRANSACTION SQLSTATE('2', '5', '0', '0', '6')
#define E_NO_ACTIVE_TRANSACTION SQLSTATE('2', '5', 'P', '0', '1')
#define E_FAILED_TRANSACTION SQLSTATE('2', '5', 'P', '0', '2')
#define E_INVALID_SQL_STATEMENT_NAME SQLSTATE('2', '6', '0', '0', '0')
#define E_INVALID_AUTHORIZATION SQLSTATE('2', '8', '0', '0', '0')
#define E_INVALID_PASSWORD SQLSTATE('2', '8', 'P', '0', '1')
#define E_DEPENDENT_OBJECTS_EXIST SQLSTATE('2', 'B', 'P', '0', '1')
#define E_INVALID_CURSOR_NAME SQLSTATE('3', '4', '0', '0', '0')
#define E_INVALID_SAVEPOINT SQLSTATE('3', 'B', '0', '0', '1')
#define E_INVALID_CATALOG_NAME SQLSTATE('3', 'D', '0', '0', '0')
#define E_INVALID_SCHEMA_NAME SQLSTATE('3', 'F', '0', '0', '0')
#define E_SERIALIZATION_FAILURE SQLSTATE('4', '0', '0', '0', '1')
#define E_AMBIGUOUS_RESULT SQLSTATE('4', '0', '0', '0', '3')
#define E_SYNTAX_ERROR SQLSTATE('4', '2', '6', '0', '1')
#define E_INSUFFICIENT_PRIVILEGE SQLSTATE('4', '2', '5', '0', '1')
#define E_INVALID_NAME SQLSTATE('4', '2', '6', '0', '2')
#define E_DUPLICATE_COLUMN SQLSTATE('4', '2', '7', '0', '1')
#define E_AMBIGUOUS_COLUMN SQLSTATE('4', '2', '7', '0', '2')
#define E_UNDEFINED_COLUMN SQLSTATE('4', '2', '7', '0', '3')
#define E_UNDEFINED_OBJECT SQLSTATE('4', '2', '7', '0', '4')
#define E_DUPLICATE_OBJECT SQLSTATE('4', '2', '7', '1', '0')
#define E_DUPLICATE_ALIAS SQLSTATE('4', '2', '7', '1', '2')
#define E_AMBIGUOUS_FUNCTION SQLSTATE('4', '2', '7', '2', '5')
#define E_GROUPING_ERROR SQLSTATE('4', '2', '8', '0', '3')
#define E_DATATYPE_MISMATCH SQLSTATE('4', '2', '8', '0', '4')
#define E_WRONG_OBJECT_TYPE SQLSTATE('4', '2', '8', '0', '9')
#define E_INVALID_FOREIGN_KEY SQLSTATE('4', '2', '8', '3', '0')
#define E_CANNOT_COERCE SQLSTATE('4', '2', '8', '4', '6')
#define E_UNDEFINED_FUNCTION SQLSTATE('4', '2', '8', '8', '3')
#define E_RESERVED_NAME SQLSTATE('4', '2', '9', '3', '9')
#define E_UNDEFINED_TABLE SQLSTATE('4', '2', 'P', '0', '1')
#define E_UNDEFINED_PARAMETER SQLSTATE('4', '2', 'P', '0', '2')
#define E_DUPLICATE_CURSOR SQLSTATE('4', '2', 'P', '0', '3')
#define E_DUPLICATE_DATABASE SQLSTATE('4', '2', 'P', '0', '4')
#define E_DUPLICATE_PREPARED_STATEMENT SQLSTATE('4', '2', 'P', '0', '5')
#define E_DUPLICATE_SCHEMA SQLSTATE('4', '2', 'P', '0', '6')
#define E_DUPLICATE_TABLE SQLSTATE('4', '2', 'P', '0', '7')
#define E_AMBIGUOUS_PARAMETER SQLSTATE('4', '2', 'P', '0', '8')
#define E_INVALID_COLUMN_REFERENCE SQLSTATE('4', '2', 'P', '1', '0')
#define E_INVALID_TABLE_DEFINITION SQLSTATE('4', '2', 'P', '1', '6')
#define E_INVALID_OBJECT_DEFINITION SQLSTATE('4', '2', 'P', '1', '7')
#define E_COLLATION_MISMATCH SQLSTATE('4', '2', 'P', '2', '1')
#define E_INDETERMINATE_COLLATION SQLSTATE('4', '2', 'P', '2', '2')
#define E_INDETERMINATE_DATATYPE SQLSTATE('4', '2', 'P', '1', '8')
#define E_INVALID_CURSOR_DEFINITION SQLSTATE('4', '2', 'P', '1', '1')
#define E_WINDOWING_ERROR SQLSTATE('4', '2', 'P', '2', '0')
#define E_INSUFFICIENT_RESOURCES SQLSTATE('5', '3', '0', '0', '0')
#define E_DISK_FULL SQLSTATE('5', '3', '1', '0', '0')
#define E_OUT_OF_MEMORY SQLSTATE('5', '3', '2', '0', '0')
#define E_TOO_MANY_CONNECTIONS SQLSTATE('5', '3', '3', '0', '0')
#define E_CONFIGURATION_LIMIT_EXCEEDED SQLSTATE('5', '3', '4', '0', '0')
#define E_PROGRAM_LIMIT_EXCEEDED SQLSTATE('5', '4', '0', '0', '0')
#define E_STATEMENT_TOO_COMPLEX SQLSTATE('5', '4', '0', '0', '1')
#define E_TOO_MANY_COLUMNS SQLSTATE('5', '4', '0', '1', '1')
#define E_TOO_MANY_ARGUMENTS SQLSTATE('5', '4', '0', '2', '3')
#define E_NOT_IN_PREREQUISITE_STATE SQLSTATE('5', '5', '0', '0', '0')
#define E_OBJECT_IN_USE SQLSTATE('5', '5', '0', '0', '6')
#define E_LOCK_NOT_AVAILABLE SQLSTATE('5', '5', 'P', '0', '3')
#define E_QUERY_CANCELED SQLSTATE('5', '7', '0', '1', '4')
#define E_ADMIN_SHUTDOWN SQLSTATE('5', '7', 'P', '0', '1')
#define E_CANNOT_CONNECT_NOW SQLSTATE('5', '7', 'P', '0', '3')
#define E_IDLE_SESSION_TIMEOUT SQLSTATE('5', '7', 'P', '0', '5')
#define E_IO_ERROR SQLSTATE('5', '8', '0', '3', '0')
#define E_UNDEFINED_FILE SQLSTATE('5', '8', 'P', '0', '1')
#define E_DUPLICATE_FILE SQLSTATE('5', '8', 'P', '0', '2')
#define E_INTERNAL SQLSTATE('X', 'X', '0', '0', '0')
#define E_DATA_CORRUPTED SQLSTATE('X', 'X', '0', '0', '1')
#define E_BELOW_GC_THRESHOLD SQLSTATE('X', 'X', 'U', 'U', 'U')

// Internal conditions: never leave the layer above the one that makes them. Further ones: kv/store.h (K0010),
// kv/slice.h (K0011 to K0014), core/rpc.h (K0020, K0021).
#define K_WRONG_RANGE SQLSTATE('K', '0', '0', '0', '1') // The slice does not serve the key: look the route up again.
#define K_NOT_LEADER SQLSTATE('K', '0', '0', '0', '2')  // The replica does not lead its slice: ask another one.
#define K_END SQLSTATE('K', '0', '0', '0', '5')         // No more of what was iterated.
