// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steps over texts and bytes of any length that functions have in common, done part by part with
// function_work in between: others are served meanwhile, and a cancelled statement ends.
//
// Errors   57014; 54000 in folding, when it takes long.
#pragma once
#include "core/crypto.h"
#include "sql/function/function.h"

CHECKED struct status long_copy(
    struct function_call *call, uint8_t *to, const uint8_t *from, uint64_t size);
// Characters of a text; bytes of its first `characters`.
CHECKED struct status long_length(struct function_call *call, struct bytes text, int64_t *length);
CHECKED struct status long_prefix(
    struct function_call *call, struct bytes text, int64_t characters, size_t *size);
// Byte offset of `part` at or after `from`; SIZE_MAX when there is none.
CHECKED struct status long_find(struct function_call *call, struct bytes text, struct bytes part,
    size_t from, size_t *at);
CHECKED struct status long_digest(struct function_call *call, enum crypto_digest_kind kind,
    struct bytes data, uint8_t out[CRYPTO_DIGEST_BYTES_MAX], size_t *size);
