// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP routes of a node: /health, /health?ready=1 and /_status/vars, confined to the virtual cluster that the
// request names (?cluster=, header, cookie, else the default one).
//
// Shard    Any.
// Source   reference: SQL and operations, section 3; virtual clusters, section 15.
#pragma once
#include "core/shard.h"

void http_routes_register(struct node *node);
// Ready requests are answered 503 until this says otherwise: starting and draining.
void http_ready_set(struct node *node, bool ready);
// After the HTTP server has stopped.
void http_routes_release(struct node *node);
