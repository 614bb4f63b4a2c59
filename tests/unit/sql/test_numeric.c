// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expected values are PostgreSQL 15's.
#include "tests/unit/sql/call.h"

Test(numeric, arithmetic)
{
    static const struct call_row rows[] = {
        {"+", {"numeric:0.1", "numeric:0.2"}, "0.3"},
        {"+", {"numeric:1.50", "numeric:1.5"}, "3.00"},
        {"+", {"numeric:99999999999999999999999999999999999999", "numeric:1"}, "100000000000000000000000000000000000000"},
        {"+", {"numeric:170141183460469231731687303715884105727.5", "numeric:1e40"}, "10170141183460469231731687303715884105727.5"},
        {"+", {"numeric:Infinity", "numeric:-Infinity"}, "NaN"},
        {"+", {"numeric:NaN", "numeric:1"}, "NaN"},
        {"+", {"int4:1", "numeric:1.5"}, "2.5"},
        {"+", {"numeric:1.5", "unknown:2"}, "3.5"},
        {"+", {"numeric:1.5", "float8:1"}, "2.5"},
        {"-", {"numeric:1.00", "numeric:1"}, "0.00"},
        {"-", {"numeric:5"}, "-5"},
        {"-", {"numeric:0.0"}, "0.0"},
        {"-", {"numeric:1e-20", "numeric:1e20"}, "-99999999999999999999.99999999999999999999"},
        {"*", {"numeric:1.23", "numeric:4.567"}, "5.61741"},
        {"*", {"numeric:12345678901234567890", "numeric:98765432109876543210.123"}, "1219326311370217952238982319616115378750.470"},
        {"*", {"numeric:-0.5", "numeric:0"}, "0.0"},
        {"*", {"numeric:Infinity", "numeric:0"}, "NaN"},
        {"*", {"numeric:1e70000", "numeric:1e70000"}, "22003 value overflows numeric format"},
        {"/", {"numeric:1", "numeric:3"}, "0.33333333333333333333"},
        {"/", {"numeric:10", "numeric:3"}, "3.3333333333333333"},
        {"/", {"numeric:2", "numeric:3"}, "0.66666666666666666667"},
        {"/", {"numeric:10000", "numeric:3"}, "3333.3333333333333333"},
        {"/", {"numeric:1", "numeric:7000"}, "0.00014285714285714286"},
        {"/", {"numeric:1.000", "numeric:8"}, "0.12500000000000000000"},
        {"/", {"numeric:100", "numeric:0.0003"}, "333333.333333333333"},
        {"/", {"numeric:1", "numeric:0"}, "22012 division by zero"},
        {"/", {"numeric:1", "numeric:Infinity"}, "0"},
        {"/", {"numeric:-7", "numeric:2"}, "-3.5000000000000000"},
        {"/", {"numeric:123456789012345678901234567890", "numeric:7"}, "17636684144620811271604938270"},
        {"/", {"numeric:1e-30", "numeric:3"}, "0.000000000000000000000000000000333333333333333333"},
        {"/", {"numeric:0", "numeric:3"}, "0.00000000000000000000"},
        {"/", {"numeric:5", "numeric:0.1"}, "50.0000000000000000"},
        {"%", {"numeric:7.5", "numeric:2"}, "1.5"},
        {"%", {"numeric:-7.5", "numeric:2"}, "-1.5"},
        {"%", {"numeric:7", "numeric:0"}, "22012 division by zero"},
        {"%", {"numeric:1e50", "numeric:7"}, "2"},
        {"%", {"numeric:5", "numeric:Infinity"}, "5"},
        {"^", {"numeric:2", "numeric:10"}, "1024.0000000000000000"},
        {"^", {"numeric:2", "numeric:-3"}, "0.1250000000000000"},
        {"^", {"numeric:2", "numeric:0.5"}, "1.4142135623730950"},
        {"^", {"numeric:0", "numeric:0"}, "1.0000000000000000"},
        {"^", {"numeric:0", "numeric:2"}, "0.0000000000000000"},
        {"^", {"numeric:0", "numeric:-2"}, "2201F zero raised to a negative power is undefined"},
        {"^", {"numeric:-2", "numeric:3"}, "-8.0000000000000000"},
        {"^", {"numeric:-2", "numeric:0.5"}, "2201F a negative number raised to a non-integer power yields a complex result"},
        {"^", {"numeric:1.5", "numeric:1000"}, "123384059690617347922743909948678005742186900514842808542522975184329422623652841193932245134021231941529455308114511924428000273557831297406949841351167568024301164105271903064.9873554242577840"},
        {"^", {"numeric:10.0", "numeric:-30"}, "0.0000000000000000"},
        {"^", {"numeric:0.12", "numeric:-20"}, "2608405330458882702.5529619561355838"},
        {"^", {"numeric:1e10", "numeric:0.3"}, "1000.0000000000000"},
        {"^", {"numeric:1.000001", "numeric:1000000"}, "2.7182804693193769"},
        {"^", {"numeric:99.9", "numeric:-5.0"}, "0.0000000001005015"},
        {"^", {"numeric:0.5", "numeric:10000"}, "0.0000000000000000"},
        {"^", {"numeric:1.1", "numeric:20000000"}, "22003 value overflows numeric format"},
        {"^", {"numeric:123.456", "numeric:2.5"}, "169348.16848325965"},
        {"^", {"numeric:Infinity", "numeric:-1"}, "0"},
        {"^", {"numeric:NaN", "numeric:0"}, "1"},
        {"div", {"numeric:7", "numeric:2"}, "3"},
        {"div", {"numeric:-7.9", "numeric:2"}, "-3"},
        {"mod", {"numeric:-7", "numeric:3"}, "-1"},
        {"abs", {"numeric:-1.50"}, "1.50"},
        {"sign", {"numeric:-1.5"}, "-1"},
        {"ceil", {"numeric:-1.5"}, "-1"},
        {"ceil", {"numeric:1.1"}, "2"},
        {"floor", {"numeric:-1.5"}, "-2"},
        {"floor", {"numeric:-1e-40"}, "-1"},
        {"round", {"numeric:2.5"}, "3"},
        {"round", {"numeric:-2.5"}, "-3"},
        {"round", {"numeric:2.4999999999999999999999999999999999999999999999"}, "2"},
        {"round", {"numeric:1234.5678", "int4:2"}, "1234.57"},
        {"round", {"numeric:1234.5678", "int4:-2"}, "1200"},
        {"round", {"numeric:1250", "int4:-2"}, "1300"},
        {"round", {"numeric:1.5", "int4:10"}, "1.5000000000"},
        {"round", {"numeric:5", "int4:-1"}, "10"},
        {"round", {"numeric:4", "int4:-1"}, "0"},
        {"trunc", {"numeric:-1234.5678", "int4:2"}, "-1234.56"},
        {"trunc", {"numeric:1299", "int4:-2"}, "1200"},
        {"sqrt", {"numeric:2"}, "1.414213562373095"},
        {"sqrt", {"numeric:4"}, "2.000000000000000"},
        {"sqrt", {"numeric:0"}, "0.000000000000000"},
        {"sqrt", {"numeric:123456789"}, "11111.11106055556"},
        {"sqrt", {"numeric:0.0001"}, "0.01000000000000000"},
        {"sqrt", {"numeric:1e-30"}, "0.0000000000000010000000000000000"},
        {"sqrt", {"numeric:-1"}, "2201F cannot take square root of a negative number"},
        {"sqrt", {"numeric:1e100"}, "100000000000000000000000000000000000000000000000000"},
        {"exp", {"numeric:1"}, "2.7182818284590452"},
        {"exp", {"numeric:0"}, "1.0000000000000000"},
        {"exp", {"numeric:1.0"}, "2.7182818284590452"},
        {"exp", {"numeric:-5.5"}, "0.004086771438464067"},
        {"exp", {"numeric:100"}, "26881171418161354484126255515800135873611119"},
        {"exp", {"numeric:-100"}, "0.00000000000000000000000000000000000000000003720075976020836"},
        {"exp", {"numeric:7000"}, "22003 value overflows numeric format"},
        {"exp", {"numeric:-7000"}, "0.0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"},
        {"exp", {"numeric:0.000000001"}, "1.0000000010000000"},
        {"ln", {"numeric:2"}, "0.6931471805599453"},
        {"ln", {"numeric:10"}, "2.3025850929940457"},
        {"ln", {"numeric:1"}, "0.0000000000000000"},
        {"ln", {"numeric:1.0000001"}, "0.00000009999999500000033"},
        {"ln", {"numeric:0.95"}, "-0.051293294387550533"},
        {"ln", {"numeric:0.001"}, "-6.9077552789821371"},
        {"ln", {"numeric:1e100"}, "230.25850929940457"},
        {"ln", {"numeric:1e-100"}, "-230.2585092994045684017991454684364207601101488628772976033327900967572609677352480235997205089598298342"},
        {"ln", {"numeric:0"}, "2201E cannot take logarithm of zero"},
        {"ln", {"numeric:-1"}, "2201E cannot take logarithm of a negative number"},
        {"ln", {"numeric:123456.789"}, "11.723646487185881"},
        {"log", {"numeric:100"}, "2.0000000000000000"},
        {"log", {"numeric:2"}, "0.3010299956639812"},
        {"log", {"numeric:0.001"}, "-3.0000000000000000"},
        {"log", {"numeric:2", "numeric:64"}, "6.0000000000000000"},
        {"log", {"numeric:2.0", "numeric:3.5"}, "1.8073549220576041"},
        {"log", {"numeric:1", "numeric:3"}, "22012 division by zero"},
        {"log", {"numeric:1.0001", "numeric:1.5"}, "4054.853810256991"},
        {"log", {"numeric:0", "numeric:3"}, "2201E cannot take logarithm of zero"},
        {"power", {"numeric:9", "numeric:0.5"}, "3.0000000000000000"},
        {"power", {"numeric:7.5", "numeric:3"}, "421.8750000000000000"},
        {"power", {"numeric:2", "numeric:128"}, "340282366920938463463374607431768211456.0000000000000000"},
        {"factorial", {"int4:20"}, "2432902008176640000"},
        {"factorial", {"int4:30"}, "265252859812191058636308480000000"},
        {"factorial", {"int4:-1"}, "22003 factorial of a negative number is undefined"},
        {"gcd", {"numeric:12.5", "numeric:7.5"}, "2.5"},
        {"lcm", {"numeric:4", "numeric:6"}, "12"},
        {"scale", {"numeric:1.500"}, "3"},
        {"min_scale", {"numeric:1.500"}, "1"},
        {"trim_scale", {"numeric:1.500"}, "1.5"},
        {"scale", {"numeric:NaN"}, "\\N"},
        {"width_bucket", {"numeric:5.35", "numeric:0.024", "numeric:10.06", "int4:5"}, "3"},
        {"width_bucket", {"numeric:0", "numeric:10", "numeric:1", "int4:5"}, "6"},
        {"width_bucket", {"numeric:3", "numeric:10", "numeric:1", "int4:5"}, "4"},
        {"=", {"numeric:1.50", "numeric:1.5"}, "t"},
        {"<", {"numeric:NaN", "numeric:Infinity"}, "f"},
        {"=", {"numeric:NaN", "numeric:NaN"}, "t"},
        {">", {"numeric:1e30", "numeric:1e29"}, "t"},
        {"<", {"numeric:-1e30", "numeric:-1e29"}, "t"},
        {"<", {"numeric:123456789012345678901234567890.1", "numeric:1e300"}, "t"},
        {"=", {"numeric:1", "int4:1"}, "t"},
        {"<", {"numeric:0.1", "float8:0.1"}, "f"},
    };
    call_check(rows, sizeof rows / sizeof rows[0]);
}


// The count of groups has 16 bits and no sign.
Test(numeric, the_longest_has_a_binary_form)
{
    struct arena arena;
    arena_init(&arena, NULL);
    static const struct { size_t before, after; } sizes[] = {{131072, 16383}, {131071, 16383}, {0, 16383}, {131072, 0}, {5, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer text, binary, again;
        struct datum value, back;
        struct type_context context = call_context();
        buffer_init(&text, &arena);
        buffer_init(&binary, &arena);
        buffer_init(&again, &arena);
        for (size_t at = 0; at < sizes[i].before; at++) buffer_append_u8(&text, (uint8_t)('1' + at % 9));
        if (sizes[i].before == 0) buffer_append_u8(&text, '0');
        if (sizes[i].after > 0) buffer_append_u8(&text, '.');
        for (size_t at = 0; at < sizes[i].after; at++) buffer_append_u8(&text, (uint8_t)('0' + at % 10));
        cr_assert(!failed(type_input(&arena, &context, TYPE_OF(TYPE_NUMERIC), buffer_bytes(&text), &value)));
        type_send(&binary, TYPE_NUMERIC, value);
        struct status st = type_receive(&arena, TYPE_OF(TYPE_NUMERIC), buffer_bytes(&binary), &back);
        cr_assert(!failed(st), "%zu: %s", i, st.message);
        type_output(&again, &context, TYPE_NUMERIC, back);
        cr_assert(bytes_equal(buffer_bytes(&again), buffer_bytes(&text)), "%zu", i);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}
