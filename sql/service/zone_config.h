// SPDX-License-Identifier: GPL-3.0-or-later
//
// Zone configurations in SQL: ALTER ... CONFIGURE ZONE, SHOW ZONE CONFIGURATION(S), and the forms that their values
// have there.
//
//   constraints        '[+region=a, -ssd]', or by number of copies '{"+region=a,+ssd": 2, "+region=b": 1}'
//   lease_preferences  '[[+region=a], [+region=b]]'
//
// RANGE default speaks of all data in the system interface, in a virtual cluster of its own; RANGE meta, for operators, of
// the cluster's own records; databases, tables and indexes: sql/service/zone_object.h. Other ranges and partitions are 0A000.
// Virtual clusters may do so as the settings sql.virtual_cluster.feature_access.zone_configs* say.
//
// Shard    Any; statements suspend, the forms do not.
// Errors   22023 for values that cannot be, 42601 for unknown variables, 0A000.
#pragma once
#include "kv/zone.h"

void zone_config_register(void);

// The text of kv/zone.h out of what users write, and back. 22023.
CHECKED struct status zone_constraints_parse(
    struct arena *arena, const char *text, char out[ZONE_TEXT_BYTES]);
CHECKED struct status zone_preferences_parse(
    struct arena *arena, const char *text, char out[ZONE_TEXT_BYTES]);
const char *zone_constraints_format(struct arena *arena, const char *constraints);
const char *zone_preferences_format(struct arena *arena, const char *preferences);
// "ALTER RANGE default CONFIGURE ZONE USING ..." with everything.
const char *zone_format(struct arena *arena, const char *target, const struct zone *zone);
