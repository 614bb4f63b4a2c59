// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers of transactions as PostgreSQL's catalog has them. There are none here, so none runs out: the counter stands at
// the first normal one, which is the age of whatever monitoring asks about: nothing is old.
#pragma once

#define PG_XID_FIRST 3u  // Those before it are PostgreSQL's own, and older than any.
#define PG_MXID_FIRST 1u
