// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a zone is made of, for timezone*.c.
#pragma once
#include "sql/type/timezone.h"

#define ABBREVIATION_BYTES 12
#define ZONE_NAME_BYTES 48

struct zone_period {
    int32_t offset_seconds;
    bool daylight;
    char abbreviation[ABBREVIATION_BYTES];
};

// When a rule's period begins, in each year.
struct zone_rule_date {
    enum { RULE_MONTH_WEEK_DAY, RULE_JULIAN, RULE_ZERO_JULIAN } kind;
    int32_t month, week, day; // day: of the week, or of the year.
    int32_t seconds;          // Of the day, local time before the change.
};

struct time_zone {
    char name[ZONE_NAME_BYTES];
    uint32_t transition_count;
    const int64_t *transitions;      // UTC seconds, ascending.
    const uint8_t *transition_period; // The period that begins there.
    uint32_t period_count;
    const struct zone_period *periods; // The first one holds before all transitions.
    // After the last transition: standard time, or the two in turn.
    bool has_rule, has_daylight_rule;
    struct zone_period standard, summer;
    struct zone_rule_date summer_begin, summer_end;
};

// "CET-1CEST,M3.5.0,M10.5.0/3" into the zone's rule. False: not such a text.
bool time_zone_parse_rule(struct bytes text, struct time_zone *zone);
// A TZif file's content; what it points to is allocated for good.
bool time_zone_parse_file(struct bytes content, struct time_zone *zone);

// The database, sorted by name; written by time_zone_load, before shards start.
extern struct time_zone *time_zone_table;
extern uint32_t time_zone_count;
