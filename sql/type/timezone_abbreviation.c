// SPDX-License-Identifier: GPL-3.0-or-later
//
// Abbreviations that PostgreSQL knows by default (its timezonesets/Default), sorted.
#include "core/text.h"
#include "sql/type/timezone.h"

// clang-format off
static const struct {
    const char *name;
    int16_t offset_minutes;
    bool daylight;
} rows[] = {
    {"ACDT", 630, true}, {"ACSST", 630, true}, {"ACST", 570, false}, {"ACT", -300, false},
    {"ACWST", 525, false}, {"ADT", -180, true}, {"AEDT", 660, true}, {"AESST", 660, true},
    {"AEST", 600, false}, {"AFT", 270, false}, {"AKDT", -480, true}, {"AKST", -540, false},
    {"ALMST", 420, true}, {"ALMT", 360, false}, {"AMST", 240, false}, {"AMT", -240, false},
    {"ANAST", 720, false}, {"ANAT", 720, false}, {"ARST", -180, false}, {"ART", -180, false},
    {"AST", -240, false}, {"AWSST", 540, true}, {"AWST", 480, false}, {"AZOST", 0, true},
    {"AZOT", -60, false}, {"AZST", 240, false}, {"AZT", 240, false}, {"BDST", 120, true},
    {"BDT", 360, false}, {"BNT", 480, false}, {"BORT", 480, false}, {"BOT", -240, false},
    {"BRA", -180, false}, {"BRST", -120, true}, {"BRT", -180, false}, {"BST", 60, true},
    {"BTT", 360, false}, {"CADT", 630, true}, {"CAST", 570, false}, {"CCT", 480, false},
    {"CDT", -300, true}, {"CEST", 120, true}, {"CET", 60, false}, {"CETDST", 120, true},
    {"CHADT", 825, true}, {"CHAST", 765, false}, {"CHUT", 600, false}, {"CKT", -600, false},
    {"CLST", -180, true}, {"CLT", -180, true}, {"COT", -300, false}, {"CST", -360, false},
    {"CXT", 420, false}, {"DAVT", 420, false}, {"DDUT", 600, false}, {"EASST", -300, true},
    {"EAST", -300, true}, {"EAT", 180, false}, {"EDT", -240, true}, {"EEST", 180, true},
    {"EET", 120, false}, {"EETDST", 180, true}, {"EGST", 0, true}, {"EGT", -60, false},
    {"EST", -300, false}, {"FET", 180, false}, {"FJST", 780, true}, {"FJT", 720, false},
    {"FKST", -180, false}, {"FKT", -180, false}, {"FNST", -60, true}, {"FNT", -120, false},
    {"GALT", -360, false}, {"GAMT", -540, false}, {"GEST", 240, false}, {"GET", 240, false},
    {"GFT", -180, false}, {"GILT", 720, false}, {"GMT", 0, false}, {"GYT", -240, false},
    {"HKT", 480, false}, {"HST", -600, false}, {"ICT", 420, false}, {"IDT", 180, true},
    {"IOT", 360, false}, {"IRKST", 480, false}, {"IRKT", 480, false}, {"IRT", 210, false},
    {"IST", 120, false}, {"JAYT", 540, false}, {"JST", 540, false}, {"KDT", 600, true},
    {"KGST", 360, true}, {"KGT", 360, false}, {"KOST", 660, false}, {"KRAST", 420, false},
    {"KRAT", 420, false}, {"KST", 540, false}, {"LHDT", 660, true}, {"LHST", 630, false},
    {"LIGT", 600, false}, {"LINT", 840, false}, {"LKT", 330, false}, {"MAGST", 660, false},
    {"MAGT", 660, false}, {"MART", -570, false}, {"MAWT", 300, false}, {"MDT", -360, true},
    {"MEST", 120, true}, {"MESZ", 120, true}, {"MET", 60, false}, {"METDST", 120, true},
    {"MEZ", 60, false}, {"MHT", 720, false}, {"MMT", 390, false}, {"MPT", 600, false},
    {"MSD", 240, true}, {"MSK", 180, false}, {"MST", -420, false}, {"MUST", 300, true},
    {"MUT", 240, false}, {"MVT", 300, false}, {"MYT", 480, false}, {"NDT", -150, true},
    {"NFT", -210, false}, {"NOVST", 420, false}, {"NOVT", 420, false}, {"NPT", 345, false},
    {"NST", -210, false}, {"NUT", -660, false}, {"NZDT", 780, true}, {"NZST", 720, false},
    {"NZT", 720, false}, {"OMSST", 360, false}, {"OMST", 360, false}, {"PDT", -420, true},
    {"PET", -300, false}, {"PETST", 720, false}, {"PETT", 720, false}, {"PGT", 600, false},
    {"PHT", 480, false}, {"PKST", 360, true}, {"PKT", 300, false}, {"PMDT", -120, true},
    {"PMST", -180, false}, {"PONT", 660, false}, {"PST", -480, false}, {"PWT", 540, false},
    {"PYST", -180, true}, {"PYT", -180, false}, {"RET", 240, false}, {"SADT", 630, true},
    {"SAST", 120, false}, {"SCT", 240, false}, {"SGT", 480, false}, {"TAHT", -600, false},
    {"TFT", 300, false}, {"TJT", 300, false}, {"TKT", 780, false}, {"TMT", 300, false},
    {"TOT", 780, false}, {"TRUT", 600, false}, {"TVT", 720, false}, {"UCT", 0, false},
    {"ULAST", 540, true}, {"ULAT", 480, false}, {"UT", 0, false}, {"UTC", 0, false},
    {"UYST", -120, true}, {"UYT", -180, false}, {"UZST", 360, true}, {"UZT", 300, false},
    {"VET", -240, false}, {"VLAST", 600, false}, {"VLAT", 600, false}, {"VOLT", 180, false},
    {"VUT", 660, false}, {"WADT", 480, true}, {"WAKT", 720, false}, {"WAST", 420, false},
    {"WAT", 60, false}, {"WDT", 540, true}, {"WET", 0, false}, {"WETDST", 60, true},
    {"WFT", 720, false}, {"WGST", -120, true}, {"WGT", -180, false}, {"XJT", 360, false},
    {"YAKST", 540, false}, {"YAKT", 540, false}, {"YAPT", 600, false}, {"YEKST", 360, true},
    {"YEKT", 300, false}, {"Z", 0, false}, {"ZULU", 0, false},
};
// clang-format on
#define ROW_COUNT (sizeof rows / sizeof rows[0])

bool time_zone_abbreviation_at(
    uint32_t index, const char **name, int32_t *offset_seconds, bool *daylight)
{
    if (index >= ROW_COUNT) return false;
    *name = rows[index].name;
    *offset_seconds = rows[index].offset_minutes * 60;
    *daylight = rows[index].daylight;
    return true;
}

static int compare(struct bytes name, const char *row)
{
    size_t i = 0;
    for (; i < name.size && row[i] != 0; i++) {
        int difference = ascii_upper((char)name.data[i]) - row[i];
        if (difference != 0) return difference;
    }
    return (i < name.size) - (row[i] != 0);
}

bool time_zone_abbreviation(struct bytes name, int32_t *offset_seconds, bool *daylight)
{
    size_t low = 0, high = ROW_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(name, rows[middle].name);
        if (order == 0) {
            *offset_seconds = rows[middle].offset_minutes * 60;
            *daylight = rows[middle].daylight;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
