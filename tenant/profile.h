// SPDX-License-Identifier: GPL-3.0-or-later
//
// Configuration profiles: what a new cluster is set up with by its first start, once and recorded.
//
//   default                nothing
//   replication-source     virtual clusters template and application, application served and the default target
//   replication-target     virtual cluster template; ready to receive replicas
//   virtual+app            virtual cluster main, served and the default target
//   virtual+noapp          nothing but rangefeeds on
//
// Shard    0, after tenant_node_start.
// Errors   22023 for an unknown name, with the list as hint.
#pragma once
#include "core/status.h"
#include "core/task.h"

CHECKED struct status profile_check(const char *name);
// Applies the profile unless one is recorded already.
CHECKED struct status profile_apply(struct task *task, const char *name);
