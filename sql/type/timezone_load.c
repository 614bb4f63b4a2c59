// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads the tz database at start-up. The only file access of sql/ outside core: it happens before shards
// start, or on a helper.
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/text.h"
#include "sql/type/timezone_form.h"

#define ZONE_FILE_BYTES_MAX 65536
#define ZONES_MAX 2048
#define HEADER_BYTES 44

struct time_zone *time_zone_table;
uint32_t time_zone_count;

// --- TZif ------------------------------------------------------------------------------------------------

static int64_t big_endian(const uint8_t *data, uint32_t size)
{
    uint64_t value = (data[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return (int64_t)value;
}

struct counts {
    uint32_t utc, standard, leap, times, types, characters;
};

static bool take_header(struct bytes *in, struct counts *counts, uint8_t *version)
{
    if (in->size < HEADER_BYTES || memcmp(in->data, "TZif", 4) != 0) return false;
    *version = in->data[4];
    uint32_t *fields[] = {&counts->utc, &counts->standard, &counts->leap, &counts->times,
        &counts->types, &counts->characters};
    for (uint32_t i = 0; i < 6; i++) {
        *fields[i] = (uint32_t)big_endian(in->data + 20 + 4 * i, 4);
        if (*fields[i] > ZONE_FILE_BYTES_MAX) return false;
    }
    *in = bytes_skip(*in, HEADER_BYTES);
    return counts->types > 0;
}

static size_t block_bytes(const struct counts *counts, uint32_t time_bytes)
{
    return (size_t)counts->times * (time_bytes + 1) + (size_t)counts->types * 6 +
           counts->characters + (size_t)counts->leap * (time_bytes + 4) + counts->standard +
           counts->utc;
}

static bool take_periods(const uint8_t *at, const struct counts *counts, struct time_zone *zone)
{
    const uint8_t *characters = at + (size_t)counts->types * 6;
    struct zone_period *periods = calloc(counts->types, sizeof *periods);
    if (periods == NULL) return false;
    for (uint32_t i = 0; i < counts->types; i++, at += 6) {
        uint32_t name = at[5];
        periods[i].offset_seconds = (int32_t)big_endian(at, 4);
        periods[i].daylight = at[4] != 0;
        for (uint32_t j = 0; name + j < counts->characters && j < ABBREVIATION_BYTES - 1 &&
                             characters[name + j] != 0;
             j++)
            periods[i].abbreviation[j] = (char)characters[name + j];
    }
    zone->periods = periods;
    zone->period_count = counts->types;
    return true;
}

static bool take_transitions(const uint8_t *at, const struct counts *counts, struct time_zone *zone)
{
    int64_t *times = calloc(counts->times + 1, sizeof *times);
    uint8_t *periods = calloc(counts->times + 1, 1);
    zone->transitions = times;
    zone->transition_period = periods;
    if (times == NULL || periods == NULL) return false;
    for (uint32_t i = 0; i < counts->times; i++) {
        times[i] = big_endian(at + 8 * (size_t)i, 8);
        periods[i] = at[8 * (size_t)counts->times + i];
        if (periods[i] >= counts->types || (i > 0 && times[i] <= times[i - 1])) return false;
    }
    zone->transition_count = counts->times;
    return true;
}

bool time_zone_parse_file(struct bytes content, struct time_zone *zone)
{
    struct counts counts;
    uint8_t version;
    if (!take_header(&content, &counts, &version) || version < '2') return false;
    size_t size = block_bytes(&counts, 4);
    if (content.size < size) return false;
    content = bytes_skip(content, size);
    if (!take_header(&content, &counts, &version)) return false;
    size = block_bytes(&counts, 8);
    if (content.size < size) return false;
    if (!take_transitions(content.data, &counts, zone) ||
        !take_periods(content.data + (size_t)counts.times * 9, &counts, zone))
        return false;
    content = bytes_skip(content, size);
    if (content.size > 2 && content.data[0] == '\n') {
        struct bytes rule = bytes_skip(content, 1);
        const uint8_t *end = memchr(rule.data, '\n', rule.size);
        if (end != NULL) rule.size = (size_t)(end - rule.data);
        zone->has_rule = rule.size > 0 && time_zone_parse_rule(rule, zone);
    }
    return true;
}

// --- the rule in a file's last line ------------------------------------------------------------------------

static bool take_abbreviation(struct bytes *in, char out[ABBREVIATION_BYTES])
{
    size_t size = 0, skip = 0;
    if (in->size > 0 && in->data[0] == '<') {
        const uint8_t *end = memchr(in->data, '>', in->size);
        if (end == NULL) return false;
        *in = bytes_skip(*in, 1);
        size = (size_t)(end - in->data);
        skip = size + 1;
    } else {
        while (size < in->size &&
               (in->data[size] | 0x20) >= 'a' && (in->data[size] | 0x20) <= 'z')
            size++;
        skip = size;
    }
    if (size == 0 || size >= ABBREVIATION_BYTES) return false;
    memcpy(out, in->data, size);
    out[size] = 0;
    *in = bytes_skip(*in, skip);
    return true;
}

static bool take_number(struct bytes *in, int32_t *value)
{
    size_t i = 0;
    *value = 0;
    while (i < in->size && i < 4 && ascii_digit((char)in->data[i]))
        *value = *value * 10 + (in->data[i++] - '0');
    *in = bytes_skip(*in, i);
    return i > 0;
}

static bool take(struct bytes *in, char c)
{
    if (in->size == 0 || in->data[0] != (uint8_t)c) return false;
    *in = bytes_skip(*in, 1);
    return true;
}

// [+-]hh[:mm[:ss]]
static bool take_time(struct bytes *in, int32_t *seconds)
{
    int32_t hours, minutes = 0, rest = 0;
    bool negative = take(in, '-');
    if (!negative) take(in, '+');
    if (!take_number(in, &hours)) return false;
    if (take(in, ':') && !take_number(in, &minutes)) return false;
    if (take(in, ':') && !take_number(in, &rest)) return false;
    *seconds = hours * 3600 + minutes * 60 + rest;
    if (negative) *seconds = -*seconds;
    return true;
}

static bool take_date(struct bytes *in, struct zone_rule_date *date)
{
    date->seconds = 2 * 3600;
    if (take(in, 'M')) {
        date->kind = RULE_MONTH_WEEK_DAY;
        if (!take_number(in, &date->month) || !take(in, '.') || !take_number(in, &date->week) ||
            !take(in, '.') || !take_number(in, &date->day))
            return false;
        if (date->month < 1 || date->month > 12 || date->week < 1 || date->week > 5 ||
            date->day > 6)
            return false;
    } else {
        date->kind = take(in, 'J') ? RULE_JULIAN : RULE_ZERO_JULIAN;
        if (!take_number(in, &date->day) || date->day > 365) return false;
    }
    return !take(in, '/') || take_time(in, &date->seconds);
}

bool time_zone_parse_rule(struct bytes text, struct time_zone *zone)
{
    int32_t west;
    if (!take_abbreviation(&text, zone->standard.abbreviation) || !take_time(&text, &west))
        return false;
    zone->standard.offset_seconds = -west;
    zone->has_daylight_rule = false;
    if (text.size == 0) return true;
    if (!take_abbreviation(&text, zone->summer.abbreviation)) return false;
    west -= 3600;
    if (text.size > 0 && text.data[0] != ',' && !take_time(&text, &west)) return false;
    zone->summer.offset_seconds = -west;
    zone->summer.daylight = true;
    zone->has_daylight_rule = take(&text, ',') && take_date(&text, &zone->summer_begin) &&
                              take(&text, ',') && take_date(&text, &zone->summer_end);
    return zone->has_daylight_rule && text.size == 0;
}

// --- the folder ---------------------------------------------------------------------------------------------

static bool read_file(const char *path, uint8_t *buffer, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    *size = fread(buffer, 1, ZONE_FILE_BYTES_MAX, file);
    fclose(file);
    return *size > 0;
}

static int compare_zones(const void *a, const void *b)
{
    const char *x = ((const struct time_zone *)a)->name, *y = ((const struct time_zone *)b)->name;
    for (; *x != 0 && ascii_lower(*x) == ascii_lower(*y); x++, y++)
        ;
    return ascii_lower(*x) - ascii_lower(*y);
}

static void add_zone(const char *path, const char *name, uint8_t *buffer)
{
    size_t size;
    struct time_zone zone = {0};
    if (time_zone_count == ZONES_MAX || strlen(name) >= ZONE_NAME_BYTES) return;
    if (!read_file(path, buffer, &size) ||
        !time_zone_parse_file(bytes_of(buffer, size), &zone))
        return;
    memcpy(zone.name, name, strlen(name) + 1);
    time_zone_table[time_zone_count++] = zone;
}

struct status time_zone_load(const char *folder)
{
    if (time_zone_table != NULL) return STATUS_OK;
    struct stat stat_buffer;
    if (stat(folder, &stat_buffer) != 0)
        return status_from_errno(errno, "time zone database");
    char *paths[] = {(char *)(uintptr_t)folder, NULL};
    size_t prefix = strlen(folder) + 1;
    uint8_t *buffer = malloc(ZONE_FILE_BYTES_MAX);
    time_zone_table = calloc(ZONES_MAX, sizeof *time_zone_table);
    FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (tree == NULL || buffer == NULL || time_zone_table == NULL) {
        free(buffer);
        return status_from_errno(ENOMEM, "time zone database");
    }
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        const char *name = entry->fts_pathlen > prefix ? entry->fts_path + prefix : "";
        // posix/ repeats the folder; right/ counts leap seconds, which SQL does not.
        if (entry->fts_info == FTS_D && (strcmp(name, "posix") == 0 || strcmp(name, "right") == 0))
            fts_set(tree, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_F)
            add_zone(entry->fts_path, name, buffer);
    }
    fts_close(tree);
    free(buffer);
    qsort(time_zone_table, time_zone_count, sizeof *time_zone_table, compare_zones);
    return STATUS_OK;
}
