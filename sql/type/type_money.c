// SPDX-License-Identifier: GPL-3.0-or-later
//
// money: a count of cents, shown as the locale C shows amounts: -$1,234.56. Its operators and functions.
#include <math.h>

#include "core/text.h"
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"

#define CENTS 100    // In one unit,
#define DIGITS 2     // which are so many digits,
#define GROUP 3      // with a comma before each so many digits of units.

// --- text in -------------------------------------------------------------------------------------------

static char peek(struct bytes in)
{
    return in.size > 0 ? (char)in.data[0] : 0;
}

static bool take(struct bytes *in, char c)
{
    if (in->size == 0 || peek(*in) != c) return false;
    *in = bytes_skip(*in, 1);
    return true;
}

static void skip_space(struct bytes *in)
{
    while (in->size > 0 && ascii_space(peek(*in))) *in = bytes_skip(*in, 1);
}

static bool is_digit(struct bytes in)
{
    return in.size > 0 && in.data[0] >= '0' && in.data[0] <= '9';
}

// $, then what says that it is negative, then $ again: each may be missing.
static bool take_sign(struct bytes *in)
{
    skip_space(in);
    (void)take(in, '$');
    skip_space(in);
    bool negative = take(in, '-') || take(in, '(');
    if (!negative) (void)take(in, '+');
    skip_space(in);
    (void)take(in, '$');
    skip_space(in);
    return negative;
}

// One more digit of a number below zero: there is one more of those.
static bool push_digit(int64_t *value, int digit)
{
    return !__builtin_mul_overflow(*value, (int64_t)10, value) &&
           !__builtin_sub_overflow(*value, (int64_t)digit, value);
}

// The amount without its sign, as a number below zero. False: out of range.
static bool take_amount(struct bytes *in, int64_t *value)
{
    bool point = false;
    int decimals = 0;
    *value = 0;
    for (; in->size > 0; *in = bytes_skip(*in, 1)) {
        if (is_digit(*in) && (!point || decimals < DIGITS)) {
            if (!push_digit(value, in->data[0] - '0')) return false;
            if (point) decimals++;
        } else if (peek(*in) == '.' && !point) {
            point = true;
        } else if (peek(*in) != ',') {
            break;
        }
    }
    if (is_digit(*in) && in->data[0] >= '5' &&
        __builtin_sub_overflow(*value, (int64_t)1, value))
        return false;
    for (; decimals < DIGITS; decimals++)
        if (!push_digit(value, 0)) return false;
    while (is_digit(*in)) *in = bytes_skip(*in, 1);
    return true;
}

static struct status money_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct bytes in = text;
    int64_t amount;
    (void)context, (void)type;
    bool negative = take_sign(&in);
    if (!take_amount(&in, &amount)) return type_error_range(arena, "money", text);
    while (in.size > 0) {
        if (take(&in, '-')) negative = true;
        else if (!ascii_space(peek(in)) && !strchr(")+$", peek(in)))
            return type_error_syntax(arena, "money", text);
        else
            in = bytes_skip(in, 1);
    }
    if (!negative && amount == INT64_MIN) return type_error_range(arena, "money", text);
    *value = datum_int(negative ? amount : -amount);
    return STATUS_OK;
}

// --- text out ------------------------------------------------------------------------------------------

static uint64_t magnitude(int64_t amount)
{
    return amount < 0 ? -(uint64_t)amount : (uint64_t)amount;
}

static void money_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    char text[40], *at = text + sizeof text;
    uint64_t rest = magnitude(value.integer);
    for (int digit = 0; digit <= DIGITS || rest > 0; digit++) {
        if (digit == DIGITS) *--at = '.';
        else if (digit > DIGITS && (digit - DIGITS) % GROUP == 0) *--at = ',';
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    }
    buffer_append_string(out, value.integer < 0 ? "-$" : "$");
    buffer_append(out, at, (size_t)(text + sizeof text - at));
}

// --- binary, order -------------------------------------------------------------------------------------

static struct status money_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 8) return type_error_binary(arena, "money");
    *value = datum_int(type_load_int(binary.data, 8));
    return STATUS_OK;
}

static void money_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    type_store_int(out, (uint64_t)value.integer, 8);
}

static int money_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return (a.integer > b.integer) - (a.integer < b.integer);
}

const struct type_ops type_ops_money = {.storage = TYPE_STORE_INT,
    .input = money_input,
    .output = money_output,
    .receive = money_receive,
    .send = money_send,
    .compare = money_compare};

// --- arithmetic ----------------------------------------------------------------------------------------

static struct status out_of_range(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "money out of range");
}

// What an amount and `by` have given, multiplied or divided.
static struct status whole(double amount, double by, struct datum *result)
{
    if (isinf(amount) && !isinf(by)) return number_overflow();
    amount = rint(amount);
    if (!(amount >= -0x1p63 && amount < 0x1p63)) return out_of_range();
    *result = datum_int((int64_t)amount);
    return STATUS_OK;
}

BODY(add)
{
    (void)call;
    return __builtin_add_overflow(args[0].integer, args[1].integer, &result->integer)
               ? out_of_range() : STATUS_OK;
}

BODY(subtract)
{
    (void)call;
    return __builtin_sub_overflow(args[0].integer, args[1].integer, &result->integer)
               ? out_of_range() : STATUS_OK;
}

BODY(times_int)
{
    (void)call;
    return __builtin_mul_overflow(args[0].integer, args[1].integer, &result->integer)
               ? out_of_range() : STATUS_OK;
}

BODY(times_real)
{
    (void)call;
    return whole((double)args[0].integer * args[1].real, args[1].real, result);
}

BODY(real_times)
{
    (void)call;
    return whole((double)args[1].integer * args[0].real, args[0].real, result);
}

BODY(over_int)
{
    if (args[1].integer == 0) return division_by_zero();
    if (args[0].integer == INT64_MIN && args[1].integer == -1)
        return status_detail(call->arena,
            status_make(SQLSTATE('2', '2', 'P', '0', '1'), "floating-point exception"),
            "An invalid floating-point operation was signaled. This probably means an "
            "out-of-range result or an invalid operation, such as division by zero.");
    *result = datum_int(args[0].integer / args[1].integer);
    return STATUS_OK;
}

BODY(over_real)
{
    (void)call;
    if (args[1].real == 0) return division_by_zero();
    return whole((double)args[0].integer / args[1].real, args[1].real, result);
}

BODY(over_money)
{
    (void)call;
    if (args[1].integer == 0) return division_by_zero();
    *result = datum_real((double)args[0].integer / (double)args[1].integer);
    return STATUS_OK;
}

#define COMPARED(name, relation) \
    BODY(name) \
    { \
        (void)call; \
        *result = datum_bool(args[0].integer relation args[1].integer); \
        return STATUS_OK; \
    }
COMPARED(equal, ==)
COMPARED(not_equal, !=)
COMPARED(less, <)
COMPARED(less_equal, <=)
COMPARED(greater, >)
COMPARED(greater_equal, >=)

BODY(order)
{
    (void)call;
    *result = datum_int(money_compare(TYPE_MONEY, args[0], args[1]));
    return STATUS_OK;
}

BODY(larger)
{
    (void)call;
    *result = args[args[0].integer > args[1].integer ? 0 : 1];
    return STATUS_OK;
}

BODY(smaller)
{
    (void)call;
    *result = args[args[0].integer < args[1].integer ? 0 : 1];
    return STATUS_OK;
}

// --- casts ---------------------------------------------------------------------------------------------

struct status cast_money_to_numeric(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return numeric_divide_at(call->arena, numeric_from_int(call->arena, args[0].integer),
        numeric_from_int(call->arena, CENTS), DIGITS, result);
}

struct status cast_numeric_to_money(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st;
    struct datum rounded;
    __int128 cents;
    if (numeric_is_nan(args[0]) || numeric_is_infinite(args[0]))
        return status_format(call->arena, E_FEATURE_NOT_SUPPORTED, "cannot convert %s to bigint",
            numeric_is_nan(args[0]) ? "NaN" : "infinity");
    TRY(numeric_round(call->arena, args[0], DIGITS, NUMERIC_HALF_AWAY, &rounded));
    if (!numeric_to_int128(rounded, DIGITS, &cents) || cents != (int64_t)cents)
        return number_out_of_range(TYPE_INT8);
    *result = datum_int((int64_t)cents);
out:
    return st;
}

struct status cast_int_to_money(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    return __builtin_mul_overflow(args[0].integer, (int64_t)CENTS, &result->integer)
               ? number_out_of_range(TYPE_INT8) : STATUS_OK;
}

// --- words ---------------------------------------------------------------------------------------------

static const char *const small_words[] = {"zero", "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const ten_words[] = {"", "", "twenty", "thirty", "forty", "fifty", "sixty",
    "seventy", "eighty", "ninety"};

// Below a thousand.
static void put_words(struct buffer *out, uint32_t number)
{
    uint32_t hundreds = number / 100, rest = number % 100;
    if (hundreds > 0) buffer_printf(out, "%s hundred", small_words[hundreds]);
    if (hundreds > 0 && rest == 0) return;
    if (rest < 20) {
        if (hundreds > 0) buffer_append_string(out, " and ");
        buffer_append_string(out, small_words[rest]);
        return;
    }
    buffer_printf(out, "%s%s", hundreds > 0 ? " " : "", ten_words[rest / 10]);
    if (rest % 10 != 0) buffer_printf(out, " %s", small_words[rest % 10]);
}

BODY(words)
{
    static const char *const powers[] = {"quadrillion", "trillion", "billion", "million", "thousand"};
    struct buffer out;
    uint64_t amount = magnitude(args[0].integer), units = amount / CENTS;
    uint64_t divisor = 1000000000000000u;
    buffer_init(&out, call->arena);
    if (args[0].integer < 0) buffer_append_string(&out, "minus ");
    for (unsigned i = 0; i < sizeof powers / sizeof powers[0]; i++, divisor /= 1000) {
        uint32_t part = (uint32_t)(units / divisor % 1000);
        if (part == 0) continue;
        put_words(&out, part);
        buffer_printf(&out, " %s ", powers[i]);
    }
    if (units % 1000 != 0 || units == 0) put_words(&out, (uint32_t)(units % 1000));
    buffer_append_string(&out, units == 1 ? " dollar and " : " dollars and ");
    put_words(&out, (uint32_t)(amount % CENTS));
    buffer_append_string(&out, amount % CENTS == 1 ? " cent" : " cents");
    out.data[0] = (uint8_t)(out.data[0] - 'a' + 'A');
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

// --- sum -----------------------------------------------------------------------------------------------

struct sum {
    int64_t amount;
    bool any;
};

static struct status sum_add(struct sum *sum, int64_t amount)
{
    sum->any = true;
    return __builtin_add_overflow(sum->amount, amount, &sum->amount) ? out_of_range() : STATUS_OK;
}

static struct status sum_step(struct function_call *call, void *state, const struct datum *args)
{
    (void)call;
    return sum_add(state, args[0].integer);
}

static struct status sum_merge(struct function_call *call, void *state, const void *other_)
{
    const struct sum *other = other_;
    (void)call;
    return other->any ? sum_add(state, other->amount) : STATUS_OK;
}

static struct status sum_final(struct function_call *call, void *state, struct datum *result)
{
    const struct sum *sum = state;
    (void)call;
    *result = sum->any ? datum_int(sum->amount) : DATUM_NULL;
    return STATUS_OK;
}

static const struct aggregate_ops sum_ops = {.state_bytes = sizeof(struct sum),
    .step = sum_step,
    .merge = sum_merge,
    .final = sum_final};

// clang-format off
#define PAIR TYPE_MONEY, TYPE_MONEY
static const struct function table[] = {
    AGGREGATE("sum", 2112, MONEY, &sum_ops, TYPE_MONEY),
    SCALAR("cash_words", 935, TEXT, words, TYPE_MONEY),
    SCALAR("cash_cmp", 377, INT4, order, PAIR),
    SCALAR("cashlarger", 898, MONEY, larger, PAIR),
    SCALAR("cashsmaller", 899, MONEY, smaller, PAIR),
    OPERATOR("=", 900, BOOL, equal, "=", "<>", PAIR),
    OPERATOR("<>", 901, BOOL, not_equal, "<>", "=", PAIR),
    OPERATOR("<", 902, BOOL, less, ">", ">=", PAIR),
    OPERATOR("<=", 904, BOOL, less_equal, ">=", ">", PAIR),
    OPERATOR(">", 903, BOOL, greater, "<", "<=", PAIR),
    OPERATOR(">=", 905, BOOL, greater_equal, "<=", "<", PAIR),
    OPERATOR("+", 906, MONEY, add, "+", NULL, PAIR),
    OPERATOR("-", 907, MONEY, subtract, NULL, NULL, PAIR),
    OPERATOR("*", 843, MONEY, times_real, "*", NULL, TYPE_MONEY, TYPE_FLOAT4),
    OPERATOR("*", 908, MONEY, times_real, "*", NULL, TYPE_MONEY, TYPE_FLOAT8),
    OPERATOR("*", 912, MONEY, times_int, "*", NULL, TYPE_MONEY, TYPE_INT4),
    OPERATOR("*", 914, MONEY, times_int, "*", NULL, TYPE_MONEY, TYPE_INT2),
    OPERATOR("*", 3346, MONEY, times_int, "*", NULL, TYPE_MONEY, TYPE_INT8),
    OPERATOR("*", 845, MONEY, real_times, "*", NULL, TYPE_FLOAT4, TYPE_MONEY),
    OPERATOR("*", 916, MONEY, real_times, "*", NULL, TYPE_FLOAT8, TYPE_MONEY),
    OPERATOR("*", 917, MONEY, times_int, "*", NULL, TYPE_INT4, TYPE_MONEY),
    OPERATOR("*", 918, MONEY, times_int, "*", NULL, TYPE_INT2, TYPE_MONEY),
    OPERATOR("*", 3349, MONEY, times_int, "*", NULL, TYPE_INT8, TYPE_MONEY),
    OPERATOR("/", 844, MONEY, over_real, NULL, NULL, TYPE_MONEY, TYPE_FLOAT4),
    OPERATOR("/", 909, MONEY, over_real, NULL, NULL, TYPE_MONEY, TYPE_FLOAT8),
    OPERATOR("/", 913, MONEY, over_int, NULL, NULL, TYPE_MONEY, TYPE_INT4),
    OPERATOR("/", 915, MONEY, over_int, NULL, NULL, TYPE_MONEY, TYPE_INT2),
    OPERATOR("/", 3347, MONEY, over_int, NULL, NULL, TYPE_MONEY, TYPE_INT8),
    OPERATOR("/", 3825, FLOAT8, over_money, NULL, NULL, PAIR),
};
// clang-format on

void functions_money_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
