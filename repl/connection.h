// SPDX-License-Identifier: GPL-3.0-or-later
//
// External connections: addresses of other clusters under names, so that statements and jobs hold no secrets and a
// password can change. CREATE, DROP, SHOW [CREATE] and CHECK EXTERNAL CONNECTION; "external://NAME" or a bare NAME wherever the address
// of a primary may stand. A job resolves the name each time it starts.
//
// On disk  system.external_connections, of the system virtual cluster.
// Shard    Any. Suspends.
// Memory   Results are in the arena given.
// Errors   42704 no such connection; 42710 the name is taken; 42501 without EXTERNALCONNECTION.
// Source   reference: physical cluster replication, section 4.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "core/task.h"

// Whether the address is a name: "external://NAME", or without any scheme.
bool connection_is_name(const char *uri);
// "external://NAME" for either form.
const char *connection_address(struct arena *arena, const char *uri);
// The address behind the name; any other address as it is.
CHECKED struct status connection_resolve(
    struct task *task, struct arena *arena, const char *uri, const char **resolved);
void connection_register(void);
