// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW EXPERIMENTAL_FINGERPRINTS: sums over data that say whether two clusters hold the same.
//
// Of a virtual cluster: an order-independent hash over its keys without the tenant's prefix, with values and
// timestamps, at one time; so neither ranges nor the tenant's id matter. WITH START TIMESTAMP all versions
// since then count, deletions too. Of a table: one hash an index.
//
// The time is that of AS OF SYSTEM TIME, else now; of a virtual cluster that is being replicated: its replicated time.
#pragma once

void fingerprint_register(void);
