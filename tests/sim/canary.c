// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/canary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"

#define RULES_MAX 32u

struct rule {
    char text[CANARY_BYTES_MAX];
    uint64_t from, to;
    bool forbidden; // Or counted.
    uint64_t crossed;
};

static struct {
    struct sim_run *run; // NULL: nothing is looked at.
    struct rule rules[RULES_MAX];
    uint32_t count;
} canaries;

// What surrounds it, for the message.
static const char *excerpt(char *out, size_t room, const char *at, const char *start, const char *end)
{
    const size_t before = at - start < 200 ? (size_t)(at - start) : 200, after = end - at < 200 ? (size_t)(end - at) : 200;
    size_t size = 0;
    for (const char *from = at - before; from < at + after && size + 1 < room; from++)
        out[size++] = *from >= 0x20 && *from < 0x7f ? *from : '.';
    out[size] = 0;
    return out;
}

static void watch_line(uint64_t tenant, const char *message)
{
    if (canaries.run == NULL) return;
    for (uint32_t i = 0; i < canaries.count; i++) {
        if (strstr(message, canaries.rules[i].text) == NULL) continue;
        sim_violation(canaries.run, "a log line of virtual cluster %" PRIu64 " has contents of rows in it: %s", tenant, message);
    }
}

void canaries_begin(struct sim_run *run)
{
    canaries.run = run;
    canaries.count = 0;
    log_watch_set(watch_line);
}

void canaries_end(void)
{
    canaries.run = NULL;
    log_watch_set(NULL);
}

static struct rule *rule_add(const char *text, uint64_t from, uint64_t to)
{
    invariant(canaries.count < RULES_MAX && strlen(text) < CANARY_BYTES_MAX);
    struct rule *rule = &canaries.rules[canaries.count++];
    *rule = (struct rule){.from = from, .to = to};
    strcpy(rule->text, text);
    return rule;
}

void canary_forbid(const char *text, uint64_t from, uint64_t to)
{
    rule_add(text, from, to)->forbidden = true;
}

void canary_count(const char *text, uint64_t from, uint64_t to)
{
    rule_add(text, from, to);
}

uint64_t canary_crossed(const char *text)
{
    uint64_t crossed = 0;
    for (uint32_t i = 0; i < canaries.count; i++) {
        if (strcmp(canaries.rules[i].text, text) == 0) crossed += canaries.rules[i].crossed;
    }
    return crossed;
}

void canary_watch(void *arg, uint32_t from, uint32_t to, const uint8_t *data, size_t size)
{
    (void)arg;
    if (canaries.run == NULL) return;
    for (uint32_t i = 0; i < canaries.count; i++) {
        struct rule *rule = &canaries.rules[i];
        if ((rule->from >> from & 1) == 0 || (rule->to >> to & 1) == 0) continue;
        const char *found = memmem(data, size, rule->text, strlen(rule->text));
        if (found == NULL) continue;
        rule->crossed++;
        if (!rule->forbidden) continue;
        char text[420];
        sim_violation(canaries.run, "n%u is sent what is of another virtual cluster: %s", to,
            excerpt(text, sizeof text, found, (const char *)data, (const char *)data + size));
    }
}
