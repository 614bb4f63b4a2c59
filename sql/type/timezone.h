// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time zones: those of the system's tz database, fixed offsets, and PostgreSQL's abbreviations.
//
// The database is read once, before shards start (time_zone_load); after that nothing changes and any
// shard may look up. Without it there are UTC, GMT and the fixed offsets.
//
// Time     Seconds and offsets are int64_t/int32_t since 1970, offsets positive to the east.
// Memory   Zones live as long as the process.
// Source   RFC 8536 (TZif); POSIX.1-2017, section 8.3 (TZ).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/status.h"

#define TIME_ZONE_FOLDER "/usr/share/zoneinfo"

struct time_zone;

// Reads the database under `folder`. Blocks: call it before shards start, or on a helper. Files that are
// not TZif are passed over. Only the first call reads.
// Errors: 58P01 no such folder.
CHECKED struct status time_zone_load(const char *folder);

extern const struct time_zone *const time_zone_utc;
// A name in any case ("europe/berlin"), a POSIX offset ("UTC-5", "<+02>-02", "+05:30": west is
// positive) or hours to the east ("-7", "5.5"). NULL: not recognized.
const struct time_zone *time_zone_find(struct bytes name);
const char *time_zone_name(const struct time_zone *zone);
// The zone that is always this far from UTC; whole minutes, at most 15:59 either way. NULL beyond.
const struct time_zone *time_zone_fixed(int32_t offset_seconds);
// All named ones, for pg_timezone_names; NULL past the end.
const struct time_zone *time_zone_at(uint32_t index);

struct time_zone_moment {
    int32_t offset_seconds; // Local is UTC plus this.
    bool daylight;
    const char *abbreviation;
};
// At an instant. NULL `zone` is UTC.
struct time_zone_moment time_zone_moment(const struct time_zone *zone, int64_t utc_seconds);
// At a local time. In a gap the clock before it counts, in an overlap the later reading does.
struct time_zone_moment time_zone_local(const struct time_zone *zone, int64_t local_seconds);

// Whether its clock has been the same distance from UTC ever since.
bool time_zone_is_fixed(const struct time_zone *zone);

// "PST" -> -28800. False when it is none.
bool time_zone_abbreviation(struct bytes name, int32_t *offset_seconds, bool *daylight);
// All of them, for pg_timezone_abbrevs; false past the end.
bool time_zone_abbreviation_at(
    uint32_t index, const char **name, int32_t *offset_seconds, bool *daylight);
