// SPDX-License-Identifier: GPL-3.0-or-later
//
// The modules of storage's upper half, in starting order.
#include "kv/kv_node.h"

const struct kv_module *const kv_modules[] = {
    NULL,
};
