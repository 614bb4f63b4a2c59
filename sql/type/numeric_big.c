// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/numeric_big.h"

#include <string.h>

#include "core/task.h"

// Operands of up to so many limbs together need some KiB of stack at most.
enum { SHORT_LIMBS = 96, LIMB_DIGITS = 19 };

enum big_operation {
    BIG_MUL,
    BIG_TDIV_Q,
    BIG_TDIV_R,
    BIG_FDIV_Q,
    BIG_FDIV_QR,
    BIG_DIVISIBLE,
    BIG_SQRTREM,
    BIG_GCD,
    BIG_LCM,
    BIG_UI_POW_UI,
    BIG_FAC_UI,
    BIG_SET_STR,
    BIG_GET_STR,
};

struct big_work {
    enum big_operation operation;
    mpz_ptr out, rest;
    mpz_srcptr a, b;
    unsigned long base, exponent;
    const char *digits;
    char *text;
    bool yes;
};

static void work_on(void *arg)
{
    struct big_work *work = arg;
    switch (work->operation) {
    case BIG_MUL: mpz_mul(work->out, work->a, work->b); break;
    case BIG_TDIV_Q: mpz_tdiv_q(work->out, work->a, work->b); break;
    case BIG_TDIV_R: mpz_tdiv_r(work->out, work->a, work->b); break;
    case BIG_FDIV_Q: mpz_fdiv_q(work->out, work->a, work->b); break;
    case BIG_FDIV_QR: mpz_fdiv_qr(work->out, work->rest, work->a, work->b); break;
    case BIG_DIVISIBLE: work->yes = mpz_divisible_p(work->a, work->b) != 0; break;
    case BIG_SQRTREM: mpz_sqrtrem(work->out, work->rest, work->a); break;
    case BIG_GCD: mpz_gcd(work->out, work->a, work->b); break;
    case BIG_LCM: mpz_lcm(work->out, work->a, work->b); break;
    case BIG_UI_POW_UI: mpz_ui_pow_ui(work->out, work->base, work->exponent); break;
    case BIG_FAC_UI: mpz_fac_ui(work->out, work->exponent); break;
    case BIG_SET_STR: (void)mpz_set_str(work->out, work->digits, (int)work->base); break;
    case BIG_GET_STR: (void)mpz_get_str(work->text, (int)work->base, work->a); break;
    }
}

static void run(struct big_work *work, size_t limbs)
{
    if (limbs <= SHORT_LIMBS)
        work_on(work);
    else
        stack_call(work_on, work);
}

static size_t limbs_of(const struct big_work *work)
{
    return mpz_size(work->a) + (work->b == NULL ? 0 : mpz_size(work->b));
}

void big_mul(mpz_ptr out, mpz_srcptr a, mpz_srcptr b)
{
    struct big_work work = {.operation = BIG_MUL, .out = out, .a = a, .b = b};
    run(&work, limbs_of(&work));
}

void big_tdiv_q(mpz_ptr quotient, mpz_srcptr over, mpz_srcptr under)
{
    struct big_work work = {.operation = BIG_TDIV_Q, .out = quotient, .a = over, .b = under};
    run(&work, limbs_of(&work));
}

void big_tdiv_r(mpz_ptr rest, mpz_srcptr over, mpz_srcptr under)
{
    struct big_work work = {.operation = BIG_TDIV_R, .out = rest, .a = over, .b = under};
    run(&work, limbs_of(&work));
}

void big_fdiv_q(mpz_ptr quotient, mpz_srcptr over, mpz_srcptr under)
{
    struct big_work work = {.operation = BIG_FDIV_Q, .out = quotient, .a = over, .b = under};
    run(&work, limbs_of(&work));
}

void big_fdiv_qr(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr over, mpz_srcptr under)
{
    struct big_work work = {
        .operation = BIG_FDIV_QR, .out = quotient, .rest = rest, .a = over, .b = under};
    run(&work, limbs_of(&work));
}

bool big_divisible_p(mpz_srcptr over, mpz_srcptr under)
{
    struct big_work work = {.operation = BIG_DIVISIBLE, .a = over, .b = under};
    run(&work, limbs_of(&work));
    return work.yes;
}

void big_sqrtrem(mpz_ptr root, mpz_ptr rest, mpz_srcptr square)
{
    struct big_work work = {.operation = BIG_SQRTREM, .out = root, .rest = rest, .a = square};
    run(&work, limbs_of(&work));
}

void big_gcd(mpz_ptr out, mpz_srcptr a, mpz_srcptr b)
{
    struct big_work work = {.operation = BIG_GCD, .out = out, .a = a, .b = b};
    run(&work, limbs_of(&work));
}

void big_lcm(mpz_ptr out, mpz_srcptr a, mpz_srcptr b)
{
    struct big_work work = {.operation = BIG_LCM, .out = out, .a = a, .b = b};
    run(&work, limbs_of(&work));
}

void big_ui_pow_ui(mpz_ptr out, unsigned long base, unsigned long exponent)
{
    struct big_work work = {
        .operation = BIG_UI_POW_UI, .out = out, .base = base, .exponent = exponent};
    run(&work, exponent / LIMB_DIGITS); // Of bases up to ten.
}

void big_fac_ui(mpz_ptr out, unsigned long n)
{
    struct big_work work = {.operation = BIG_FAC_UI, .out = out, .exponent = n};
    run(&work, n);
}

void big_set_str(mpz_ptr out, const char *digits, int base)
{
    struct big_work work = {
        .operation = BIG_SET_STR, .out = out, .digits = digits, .base = (unsigned long)base};
    run(&work, strlen(digits) / LIMB_DIGITS);
}

void big_get_str(char *text, int base, mpz_srcptr number)
{
    struct big_work work = {
        .operation = BIG_GET_STR, .text = text, .base = (unsigned long)base, .a = number};
    run(&work, limbs_of(&work));
}
