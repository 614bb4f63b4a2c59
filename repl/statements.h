// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replication's part of the statements about virtual clusters: CREATE ... FROM REPLICATION OF, ALTER ... {PAUSE, RESUME,
// COMPLETE, SET} REPLICATION, the status columns of SHOW, and what DROP has to do. Filled into tenant/tenant.h's hooks.
//
// Errors   reference: physical cluster replication, sections 14 and 17.
#pragma once

void repl_statements_register(void);
