// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which schemas names without one are looked for in. session->path.named is what the setting search_path says;
// session->search_path, which everybody goes by, is what is left of it without the schemas that are not there or that the
// user has no USAGE of. Until it is settled it is all that is named.
//
// Settled   Before a statement's names mean anything: when it is planned, when its plan is looked at again, when a utility
//           statement runs. That costs a look at catalog_epoch() unless the catalog, the setting, or the user have changed.
// Shard     The session's. May suspend.
// Errors    Those of reading the catalog.
#pragma once
#include "core/status.h"

struct session;
struct task;

bool search_path_is_settled(const struct session *session);
// Nothing without an open transaction.
CHECKED struct status search_path_settle(struct task *task, struct session *session);
// The same before there is one: in a transaction of its own, if it must.
CHECKED struct status search_path_settle_early(struct task *task, struct session *session);
