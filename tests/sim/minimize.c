// SPDX-License-Identifier: GPL-3.0-or-later
//
// The minimiser: a failing run is a list of decisions. Leave out whole kinds of faults, then halves,
// quarters, ... of the faults and of the operations; keep what is left out when the same rule is
// still broken.
#include <inttypes.h>
#include <stdio.h>

#include "core/text.h"
#include "tests/sim/driver.h"

#define RUNS_MAX 600u

static const char *const flag_names[SIM_DECISIONS] = {"omit-kinds", "omit-faults", "omit-operations"};

static bool omitted(enum sim_decision decision, uint32_t number)
{
    return (driver.omitted.bits[decision][number / 8] & 1u << number % 8) != 0;
}

static void omit(enum sim_decision decision, uint32_t number, bool out)
{
    uint8_t *byte = &driver.omitted.bits[decision][number / 8];
    uint8_t bit = (uint8_t)(1u << number % 8);
    *byte = out ? *byte | bit : (uint8_t)(*byte & ~bit);
}

bool omissions_parse(struct driver_omissions *omissions, enum sim_decision decision, const char *text)
{
    while (*text != 0) {
        size_t size = strcspn(text, ","), dash = strcspn(text, "-,");
        uint64_t first, last;
        if (!text_parse_u64((struct bytes){(const uint8_t *)text, dash}, &first)) return false;
        last = first;
        if (dash < size &&
            !text_parse_u64((struct bytes){(const uint8_t *)text + dash + 1, size - dash - 1}, &last))
            return false;
        if (last >= SIM_DECISIONS_MAX) return false;
        for (uint64_t i = first; i <= last; i++)
            omissions->bits[decision][i / 8] |= (uint8_t)(1u << i % 8);
        text += size + (text[size] == ',');
    }
    return true;
}

struct search {
    const struct sim_scenario *scenario;
    uint64_t seed, kind;
    uint32_t runs, count[SIM_DECISIONS];
    struct driver_outcome outcome;
};

static bool still_fails(struct search *search)
{
    search->runs++;
    driver_run_once(search->scenario, search->seed, &search->outcome);
    return search->outcome.violated && search->outcome.violation_kind == search->kind;
}

// Leaves [first, first + count) of those still in out, if that still fails.
static bool try_without(
    struct search *search, enum sim_decision decision, uint32_t first, uint32_t count)
{
    struct driver_omissions before = driver.omitted;
    uint32_t at = 0;
    for (uint32_t i = 0; i < search->count[decision]; i++) {
        if (omitted(decision, i)) continue;
        if (at >= first && at < first + count) omit(decision, i, true);
        at++;
    }
    if (still_fails(search)) return true;
    driver.omitted = before;
    return false;
}

static uint32_t left_in(const struct search *search, enum sim_decision decision)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->count[decision]; i++)
        count += !omitted(decision, i);
    return count;
}

static void shrink(struct search *search, enum sim_decision decision)
{
    uint32_t part = left_in(search, decision);
    while (part > 0 && search->runs < RUNS_MAX) {
        for (uint32_t first = 0; first < left_in(search, decision) && search->runs < RUNS_MAX;) {
            if (!try_without(search, decision, first, part)) first += part;
        }
        part /= 2;
    }
}

static void omissions_print(const struct search *search, enum sim_decision decision)
{
    const char *between = "";
    uint32_t count = search->count[decision];
    if (left_in(search, decision) == count) return;
    printf(" --%s ", flag_names[decision]);
    for (uint32_t i = 0; i < count; i++) {
        if (!omitted(decision, i)) continue;
        uint32_t end = i;
        while (end + 1 < count && omitted(decision, end + 1))
            end++;
        printf(end == i ? "%s%u" : "%s%u-%u", between, i, end);
        between = ",";
        i = end;
    }
}

bool minimize(const struct sim_scenario *scenario, uint64_t seed)
{
    static struct search search;
    search = (struct search){.scenario = scenario, .seed = seed};
    driver_run_once(scenario, seed, &search.outcome);
    if (!search.outcome.violated) {
        printf("seed %" PRIu64 " of %s breaks no rule\n", seed, scenario->name);
        return true;
    }
    search.kind = search.outcome.violation_kind;
    memcpy(search.count, search.outcome.decisions, sizeof search.count);
    if (search.count[SIM_FAULT] == 0 && search.count[SIM_OPERATION] == 0) {
        // It died before it could say how many there were.
        search.count[SIM_KIND] = 64;
        search.count[SIM_FAULT] = search.count[SIM_OPERATION] = 1024;
    }
    for (int decision = SIM_KIND; decision < SIM_DECISIONS; decision++)
        shrink(&search, (enum sim_decision)decision);
    for (int decision = SIM_FAULT; decision < SIM_DECISIONS; decision++) // Again: less is needed now.
        shrink(&search, (enum sim_decision)decision);
    driver_run_once(scenario, seed, &search.outcome);
    printf("after %u runs: kinds %u of %u, faults %u of %u, operations %u of %u still break it: %s\n",
        search.runs, left_in(&search, SIM_KIND), search.count[SIM_KIND],
        left_in(&search, SIM_FAULT), search.count[SIM_FAULT], left_in(&search, SIM_OPERATION),
        search.count[SIM_OPERATION], search.outcome.violation);
    printf("  replay: ");
    driver_command_print(scenario, seed);
    for (int decision = SIM_KIND; decision < SIM_DECISIONS; decision++)
        omissions_print(&search, (enum sim_decision)decision);
    printf(" --trace\n");
    return false;
}
