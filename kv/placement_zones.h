// SPDX-License-Identifier: GPL-3.0-or-later
//
// Data with a zone that differs from the default of all goes to slices with that zone, and comes back when it differs
// no more. A part of placement's task (kv/placement.h), which sees to it that there are such slices and that their
// copies are where the zone wants them; not before is anything moved there (kv/move.h). While no node is as a zone
// wants it its data stays where it is.
//
// Equal zones share slices, whosever the data is. Fields that say the same as the default of all count as not said.
//
// Shard    The owner of slice 1 on the node that leads it. Reading and moving suspend.
// Memory   In the task's arena.
// Checked  tests/unit/kv/test_zones.c, tests/integration/test_zones.py.
#pragma once
#include "kv/placement.h"
#include "kv/zone_span.h"

struct placement_zones {
    struct zone root;
    struct zone_record *records; // Of virtual clusters and slices.
    uint32_t record_count, labelled_count;
    struct zone_span *spans;
    uint32_t span_count;
    struct placement_class *classes;
    uint32_t class_count, class_capacity;
    bool left_out; // More zones differ than there are classes for: some data is as the default has it.
};
CHECKED struct status placement_zones_read(
    struct task *task, const struct zone *root, struct placement_zones *zones);
// 54000 when more zones would differ than there are classes for once `own` (not NULL: the zone of the tenant, or of
// ZONE_ROOT) or else `spans` (all of the tenant's) are written down. On any shard.
CHECKED struct status placement_zones_check(struct task *task, uint64_t tenant, const struct zone *own,
    const struct zone_span *spans, uint32_t count);
// Tells the view which classes there are and which slice has which.
void placement_zones_classes(struct placement_zones *zones, struct placement_view *view);
// Wants some ranges to be elsewhere, unless others are on their way. *busy becomes true when it did.
CHECKED struct status placement_zones_move(struct task *task, const struct placement_zones *zones,
    const struct placement_view *view, bool *busy);
