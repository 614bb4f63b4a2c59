// SPDX-License-Identifier: GPL-3.0-or-later
//
// GMP's operations that take room for their working on the stack, for numeric*.c and type_numeric.c.
//
// Of long numbers that room is more than a task's stack has: those go to the shard's big stack, short ones
// are worked on where they are. Nothing here suspends. Add, compare, shift and what takes one limb need no
// room and are called by GMP's own names.
//
// Source   GNU MP 6.2, section 14.6: temporary storage is alloca'd in pieces of up to 32 KiB.
#pragma once
#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>

void big_mul(mpz_ptr out, mpz_srcptr a, mpz_srcptr b);
void big_tdiv_q(mpz_ptr quotient, mpz_srcptr over, mpz_srcptr under);
void big_tdiv_r(mpz_ptr rest, mpz_srcptr over, mpz_srcptr under);
void big_fdiv_q(mpz_ptr quotient, mpz_srcptr over, mpz_srcptr under);
void big_fdiv_qr(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr over, mpz_srcptr under);
bool big_divisible_p(mpz_srcptr over, mpz_srcptr under);
void big_sqrtrem(mpz_ptr root, mpz_ptr rest, mpz_srcptr square);
void big_gcd(mpz_ptr out, mpz_srcptr a, mpz_srcptr b);
void big_lcm(mpz_ptr out, mpz_srcptr a, mpz_srcptr b);
void big_ui_pow_ui(mpz_ptr out, unsigned long base, unsigned long exponent);
void big_fac_ui(mpz_ptr out, unsigned long n);
void big_set_str(mpz_ptr out, const char *digits, int base); // Digits only.
// `text` has room for mpz_sizeinbase(number, base) + 2.
void big_get_str(char *text, int base, mpz_srcptr number);
