// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/nemesis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"

#define MS WORLD_MS
#define SECOND WORLD_SECOND
#define STEPS_MAX 256u
#define SEGMENTS_MAX 256u
#define ROT_MARGIN_BYTES 4096u

// What is due later: the end of a fault, or a part of it.
enum step_kind { STEP_UNCUT, STEP_CUT, STEP_LINK_GOOD, STEP_DISK_GOOD, STEP_ROOM, STEP_CRASH, STEP_MEMORY };
struct step {
    uint64_t at_ns, order;
    enum step_kind kind;
    uint8_t from, to; // Positions of nodes.
};

struct nemesis {
    struct nemesis_options options;
    struct fault faults[NEMESIS_FAULTS_MAX];
    uint32_t fault_count, next;
    uint64_t next_at_ns;
    struct step steps[STEPS_MAX];
    uint32_t step_count;
    uint64_t order;
};

static const char *const fault_names[FAULT_KINDS] = {"crash", "kill", "stop", "pause", "storm",
    "crash at an operation", "isolate", "split", "one way", "swizzle", "clog", "bad link", "reset",
    "sync fails", "slow disk", "frozen disk", "full disk", "clock steps", "clock drifts",
    "crash of a leader", "clusters cut",
    "damaged log", "reads fail", "memory refused", "little memory", "allocation fails"};

// --- the list ------------------------------------------------------------------------------------

static void plan_tell(struct world *world, uint64_t allowed, uint64_t kinds, uint32_t count)
{
    struct buffer names;
    if (world->run->trace == 0) return;
    buffer_init(&names, &world->run->arena);
    for (uint32_t kind = 0; kind < FAULT_KINDS; kind++) {
        if ((kinds & UINT64_C(1) << kind) != 0) buffer_printf(&names, "%s%s", names.size == 0 ? "" : ", ", fault_names[kind]);
    }
    const char *text = arena_printf(&world->run->arena, "%u, of %u of %u kinds: %s", count,
        (uint32_t)__builtin_popcountll(kinds), (uint32_t)__builtin_popcountll(allowed),
        names.size == 0 ? "none" : buffer_string(&names));
    if (sim_now_ns(world->sim) == 0)
        sim_tell_option(world->run, "faults", "%s", text);
    else
        sim_tell(world->run, world->sim, SIM_AREA_FAULT, 0, "from now on %s", text);
}

void nemesis_plan(struct world *world, const struct nemesis_options *options)
{
    struct sim_random random = sim_random_named(
        world->run->seed, options->stream != NULL ? options->stream : "nemesis");
    struct nemesis *nemesis = ARENA_NEW(&world->run->arena, struct nemesis);
    memset(nemesis, 0, sizeof *nemesis);
    nemesis->options = *options;
    uint64_t kinds = sim_random_next(&random) & options->allowed;
    enum fault_kind enabled[FAULT_KINDS];
    uint32_t enabled_count = 0;
    for (uint32_t kind = 0; kind < FAULT_KINDS; kind++) {
        if ((kinds & UINT64_C(1) << kind) != 0) enabled[enabled_count++] = (enum fault_kind)kind;
    }
    uint32_t most = options->faults_max < NEMESIS_FAULTS_MAX ? options->faults_max : NEMESIS_FAULTS_MAX;
    uint32_t count = (uint32_t)sim_random_between(&random, 0, most);
    if (enabled_count == 0) count = 0;
    uint64_t gap = sim_random_between(&random, 20 * MS, options->gap_max_ns);
    uint64_t lasts = sim_random_between(&random, 50 * MS, 5 * SECOND);
    for (uint32_t i = 0; i < count; i++) {
        nemesis->faults[nemesis->fault_count++] =
            (struct fault){.kind = enabled[sim_random_below(&random, enabled_count)],
                .after_ns = sim_random_between(&random, 0, gap),
                .lasts_ns = sim_random_between(&random, MS, lasts),
                .seed = sim_random_next(&random)};
    }
    plan_tell(world, options->allowed, kinds, count);
    world->nemesis = nemesis;
    nemesis->next_at_ns = sim_now_ns(world->sim);
    if (nemesis->fault_count > 0) nemesis->next_at_ns += nemesis->faults[0].after_ns;
}

static uint32_t step_first(const struct nemesis *nemesis)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < nemesis->step_count; i++) {
        const struct step *a = &nemesis->steps[i], *b = &nemesis->steps[first];
        if (a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order)) first = i;
    }
    return first;
}

uint64_t nemesis_next_ns(const struct world *world)
{
    const struct nemesis *nemesis = world->nemesis;
    if (nemesis == NULL) return UINT64_MAX;
    uint64_t next = nemesis->next < nemesis->fault_count ? nemesis->next_at_ns : UINT64_MAX;
    if (nemesis->step_count > 0 && nemesis->steps[step_first(nemesis)].at_ns < next)
        next = nemesis->steps[step_first(nemesis)].at_ns;
    return next;
}

bool nemesis_is_over(const struct world *world)
{
    return nemesis_next_ns(world) == UINT64_MAX;
}

void nemesis_end(struct world *world)
{
    if (world->nemesis == NULL) return;
    world->nemesis->next = world->nemesis->fault_count;
    world->nemesis->step_count = 0;
}

// --- striking ------------------------------------------------------------------------------------

struct strike {
    struct world *world;
    struct nemesis *nemesis;
    const struct fault *fault;
    struct sim_random random;
};

static void step_add(
    struct strike *strike, uint64_t delay_ns, enum step_kind kind, uint32_t from, uint32_t to)
{
    struct nemesis *nemesis = strike->nemesis;
    if (nemesis->step_count == STEPS_MAX) return;
    nemesis->steps[nemesis->step_count++] =
        (struct step){.at_ns = sim_now_ns(strike->world->sim) + delay_ns,
            .order = ++nemesis->order,
            .kind = kind,
            .from = (uint8_t)from,
            .to = (uint8_t)to};
}

static struct sim_node *machine(const struct world *world, uint32_t at)
{
    return world->nodes[at].machine;
}

static uint32_t draw_node(struct strike *strike)
{
    return (uint32_t)sim_random_below(&strike->random, strike->world->node_count);
}

static void cut(struct strike *strike, uint32_t from, uint32_t to)
{
    if (from == to) return;
    sim_net_cut(machine(strike->world, from), machine(strike->world, to), true);
    step_add(strike, strike->fault->lasts_ns, STEP_UNCUT, from, to);
}

// Both ways between all of one side and all of the other; one way only, now and then.
static void cut_sides(struct strike *strike, uint64_t side)
{
    uint64_t ways = sim_random_below(&strike->random, 4);
    for (uint32_t a = 0; a < strike->world->node_count; a++) {
        for (uint32_t b = 0; b < strike->world->node_count; b++) {
            if ((side & 1u << a) == 0 || (side & 1u << b) != 0) continue;
            if (ways != 0) cut(strike, a, b);
            if (ways != 1) cut(strike, b, a);
        }
    }
}

static void swizzle(struct strike *strike)
{
    uint32_t count = strike->world->node_count;
    uint64_t half = strike->fault->lasts_ns / 2 + 1;
    for (uint32_t a = 0; a < count; a++) {
        for (uint32_t b = 0; b < count; b++) {
            if (a == b || sim_random_below(&strike->random, 2) == 0) continue;
            step_add(strike, sim_random_below(&strike->random, half), STEP_CUT, a, b);
            step_add(strike, half + sim_random_below(&strike->random, half), STEP_UNCUT, a, b);
        }
    }
}

static void go_down(struct strike *strike, uint32_t at, enum fault_kind how)
{
    struct world_node *node = &strike->world->nodes[at];
    if (sim_node_running(node->machine) == NULL) return;
    switch (how) {
    case FAULT_KILL: sim_node_kill(node->machine); break;
    case FAULT_STOP: sim_node_stop(node->machine); break;
    default: sim_node_crash(node->machine);
    }
}

static void strike_link(struct strike *strike)
{
    uint32_t from = draw_node(strike), to = draw_node(strike);
    struct sim_random *random = &strike->random;
    struct sim_link link = {.latency_min_ns = sim_random_below(random, 30 * MS)};
    link.latency_max_ns = link.latency_min_ns + 1 + sim_random_below(random, 70 * MS);
    if (sim_random_below(random, 2) == 0)
        link.latency_tail_ns = sim_random_below(random, 100 * MS);
    if (sim_random_below(random, 2) == 0)
        link.loss_per_million = (uint32_t)sim_random_below(random, 300000);
    if (sim_random_below(random, 3) == 0)
        link.reset_per_million = (uint32_t)sim_random_below(random, 100000);
    sim_net_link_set(machine(strike->world, from), machine(strike->world, to), &link);
    step_add(strike, strike->fault->lasts_ns, STEP_LINK_GOOD, from, to);
}

static void strike_storm(struct strike *strike)
{
    for (uint32_t i = 0; i < strike->world->node_count; i++) {
        if (sim_random_below(&strike->random, 4) != 0) go_down(strike, i, FAULT_CRASH);
        uint64_t again = sim_random_below(&strike->random, 3);
        for (uint64_t k = 0; k < again; k++)
            step_add(strike, sim_random_below(&strike->random, strike->fault->lasts_ns), STEP_CRASH,
                i, i);
    }
}

static void strike_disk(struct strike *strike, enum fault_kind kind)
{
    uint32_t at = draw_node(strike);
    struct sim_node *node = machine(strike->world, at);
    struct sim_random *random = &strike->random;
    switch (kind) {
    case FAULT_CRASH_OP: sim_disk_crash_at(node, sim_random_between(random, 1, 60)); break;
    case FAULT_SYNC_FAIL: sim_disk_fail_at(node, sim_random_between(random, 1, 30), EIO); break;
    case FAULT_DISK_FREEZE:
        sim_disk_freeze(node, strike->fault->lasts_ns);
        // Of most of the nodes, now and then: whoever leads stays heard, and nothing is committed.
        if (sim_random_below(random, 3) == 0)
            sim_disk_freeze(machine(strike->world, draw_node(strike)), strike->fault->lasts_ns);
        break;
    case FAULT_READS_FAIL: {
        const struct sim_disk_faults unreadable = {
            .read_fail_per_million = (uint32_t)sim_random_between(random, 1000, 300000)};
        sim_disk_faults_set(node, &unreadable);
        step_add(strike, strike->fault->lasts_ns, STEP_DISK_GOOD, at, at);
        break;
    }
    case FAULT_DISK_SLOW: {
        const struct sim_disk_faults slow = {
            .slow_factor = (uint32_t)sim_random_between(random, 5, 200)};
        sim_disk_faults_set(node, &slow);
        step_add(strike, strike->fault->lasts_ns, STEP_DISK_GOOD, at, at);
        break;
    }
    default:
        sim_disk_quota_set(node, sim_disk_used(node) + sim_random_below(random, 64u << 10));
        step_add(strike, strike->fault->lasts_ns, STEP_ROOM, at, at);
    }
}

static void strike_memory(struct strike *strike, enum fault_kind kind, uint32_t at)
{
    struct sim_node *node = machine(strike->world, at);
    struct sim_random *random = &strike->random;
    if (kind == FAULT_ALLOCATION) {
        sim_memory_fail_at(node, sim_random_between(random, 1, UINT64_C(1) << sim_random_between(random, 1, 14)));
        return;
    }
    if (kind == FAULT_MEMORY_REFUSED)
        sim_memory_refuse(node, sim_random_between(random, 2, UINT64_C(1) << sim_random_between(random, 2, 12)));
    else
        sim_memory_squeeze(node, sim_random_between(random, 1, 256u << 10));
    step_add(strike, strike->fault->lasts_ns, STEP_MEMORY, at, at);
}

// Two clocks are never further apart than the bound: each stays within half of it.
static void strike_clock(struct strike *strike, bool drift)
{
    struct sim_node *node = machine(strike->world, draw_node(strike));
    uint64_t bound = strike->world->options.max_offset_ns / 2;
    if (bound == 0) bound = 100 * MS;
    int64_t far = (int64_t)sim_random_below(&strike->random, bound * 9 / 10);
    if (sim_random_below(&strike->random, 2) == 0) far = -far;
    if (drift) { // At most a tenth of the bound within the longest run.
        sim_clock_drift_set(node, far * 1000 / (int64_t)(bound + 1) / 10);
    } else {
        sim_clock_offset_set(node, far / 2);
    }
}

// The bytes of a segment that are written; NULL: there is no such segment.
static const uint8_t *segment(struct sim_node *node, uint32_t shard, uint32_t at, uint64_t *size)
{
    char path[64];
    snprintf(path, sizeof path, "/data/kv/log-%" PRIu32 "/%08" PRIu32 ".log", shard, at);
    const uint8_t *bytes = sim_disk_peek(node, path, size);
    while (bytes != NULL && *size > 0 && bytes[*size - 1] == 0)
        (*size)--;
    return bytes;
}

// Data follows what is damaged: at the end it would be what a crash leaves behind, and nobody could tell.
static void strike_rot(struct strike *strike)
{
    struct world *world = strike->world;
    struct world_node *node = &world->nodes[world->run->seed % world->node_count];
    bool (*may_rot)(struct world *, struct world_node *) = strike->nemesis->options.may_rot;
    uint64_t size = 0;
    uint32_t shard = (uint32_t)sim_random_below(&strike->random, 2), at = 0;
    if (may_rot == NULL || !may_rot(world, node)) return;
    sim_node_crash(node->machine);
    if (segment(node->machine, shard, 0, &size) == NULL && segment(node->machine, shard, 1, &size) == NULL)
        shard = 0;
    while (at < SEGMENTS_MAX && segment(node->machine, shard, at, &size) == NULL)
        at++;
    while (segment(node->machine, shard, at, &size) != NULL && size < 3 * ROT_MARGIN_BYTES)
        at++;
    if (size < 3 * ROT_MARGIN_BYTES) return;
    char path[64];
    snprintf(path, sizeof path, "/data/kv/log-%" PRIu32 "/%08" PRIu32 ".log", shard, at);
    uint64_t offset =
        sim_random_between(&strike->random, ROT_MARGIN_BYTES, size - 2 * ROT_MARGIN_BYTES);
    if (sim_disk_rot(node->machine, path, offset)) sim_count(world->run, "logs damaged", 1);
    sim_tell(world->run, world->sim, SIM_AREA_FAULT, node->id, "%s is damaged at %" PRIu64 " of %" PRIu64, path,
        offset, size);
}

static void strike_fault(struct strike *strike)
{
    struct world *world = strike->world;
    uint32_t at = draw_node(strike), other = draw_node(strike);
    enum fault_kind kind = strike->fault->kind;
    switch (kind) {
    case FAULT_CRASH:
    case FAULT_KILL:
    case FAULT_STOP: go_down(strike, at, kind); break;
    case FAULT_LEADER: {
        struct world_node *leader =
            strike->nemesis->options.leader == NULL ? NULL : strike->nemesis->options.leader(world);
        if (leader != NULL) at = leader->id - 1;
        go_down(strike, at, FAULT_CRASH);
        break;
    }
    case FAULT_PAUSE: sim_node_pause(machine(world, at), strike->fault->lasts_ns); break;
    case FAULT_STORM: strike_storm(strike); break;
    case FAULT_ISOLATE: cut_sides(strike, UINT64_C(1) << at); break;
    case FAULT_SPLIT: cut_sides(strike, sim_random_next(&strike->random)); break;
    case FAULT_ONE_WAY: cut(strike, at, other); break;
    case FAULT_SWIZZLE: swizzle(strike); break;
    case FAULT_CLOG:
        sim_net_clog(machine(world, at), machine(world, other), strike->fault->lasts_ns);
        break;
    case FAULT_LINK: strike_link(strike); break;
    case FAULT_RESET: sim_net_reset(machine(world, at), machine(world, other)); break;
    case FAULT_CLOCK_STEP:
    case FAULT_CLOCK_DRIFT: strike_clock(strike, kind == FAULT_CLOCK_DRIFT); break;
    case FAULT_CLUSTER_CUT: {
        uint64_t side = 0;
        for (uint32_t i = 0; i < world->node_count; i++)
            side |= (uint64_t)world->nodes[i].cluster << i;
        cut_sides(strike, side);
        break;
    }
    case FAULT_ROT: strike_rot(strike); break;
    case FAULT_MEMORY_REFUSED:
    case FAULT_MEMORY_SHORT:
    case FAULT_ALLOCATION: strike_memory(strike, kind, at); break;
    default: strike_disk(strike, kind);
    }
    sim_tell(world->run, world->sim, SIM_AREA_FAULT, at + 1, "%u: %s of n%u (n%u) for %.3f s",
        strike->nemesis->next, fault_names[kind], at + 1, other + 1,
        (double)strike->fault->lasts_ns / 1e9);
    sim_count(world->run, "faults", 1);
}

static void step_take(struct world *world, const struct step *step)
{
    struct sim_node *from = machine(world, step->from), *to = machine(world, step->to);
    switch (step->kind) {
    case STEP_UNCUT: sim_net_cut(from, to, false); break;
    case STEP_CUT: sim_net_cut(from, to, true); break;
    case STEP_LINK_GOOD: sim_net_link_set(from, to, &(struct sim_link){0}); break;
    case STEP_DISK_GOOD: sim_disk_faults_set(from, &(struct sim_disk_faults){0}); break;
    case STEP_ROOM: sim_disk_quota_set(from, 0); break;
    case STEP_MEMORY:
        sim_memory_refuse(from, 0);
        sim_memory_squeeze(from, 0);
        break;
    case STEP_CRASH:
        if (sim_node_running(from) != NULL) sim_node_crash(from);
        break;
    }
}

void nemesis_strike(struct world *world)
{
    struct nemesis *nemesis = world->nemesis;
    uint64_t now = sim_now_ns(world->sim);
    while (nemesis->step_count > 0 && nemesis->steps[step_first(nemesis)].at_ns <= now) {
        uint32_t first = step_first(nemesis);
        struct step step = nemesis->steps[first];
        nemesis->steps[first] = nemesis->steps[--nemesis->step_count];
        step_take(world, &step);
    }
    if (nemesis->next == nemesis->fault_count || nemesis->next_at_ns > now) return;
    const struct fault *fault = &nemesis->faults[nemesis->next];
    struct strike strike = {.world = world,
        .nemesis = nemesis,
        .fault = fault,
        .random = sim_random_named(fault->seed, "strike")};
    bool kept = sim_keep(world->run, SIM_KIND, fault->kind);
    if (sim_keep(world->run, SIM_FAULT, nemesis->next) && kept) strike_fault(&strike);
    nemesis->next++;
    if (nemesis->next < nemesis->fault_count)
        nemesis->next_at_ns = now + nemesis->faults[nemesis->next].after_ns;
}
