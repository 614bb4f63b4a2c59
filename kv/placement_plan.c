// SPDX-License-Identifier: GPL-3.0-or-later
//
// What to do next, from a table of nodes and slices. No I/O, no clock.
#include <string.h>

#include "core/invariant.h"
#include "kv/placement.h"
#include "kv/range.h"


// The first alternative of the lease preferences that the node meets; more than there are: none.
static uint32_t preference_rank(const struct placement_node *node, const char *preferences)
{
    struct zone_rule rule;
    bool malformed = false;
    uint32_t rank = 0;
    for (const char *at = preferences; zone_rule_next(&at, &rule, &malformed); rank++)
        if (zone_conditions_met(rule.conditions, node->locality, node->attrs)) break;
    return rank;
}

// --- the table ---------------------------------------------------------------------------------------------

static struct placement_node *node_find(const struct placement_view *view, uint32_t id)
{
    for (uint32_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].id == id) return &view->nodes[i];
    }
    return NULL;
}

static bool usable(const struct placement_node *node)
{
    return node != NULL && node->alive && !node->leaving && !node->dead;
}

// Gone for good, as far as anybody knows.
static bool lost(const struct placement_node *node)
{
    return node == NULL || node->dead || node->leaving;
}

static void count(struct placement_view *view)
{
    for (uint32_t i = 0; i < view->node_count; i++)
        view->nodes[i].replicas = view->nodes[i].leaders = 0;
    for (uint32_t i = 0; i < view->slice_count; i++) {
        const struct placement_slice *slice = &view->slices[i];
        struct placement_node *leader = node_find(view, slice->leader);
        if (leader != NULL) leader->leaders++;
        for (uint32_t k = 0; k < slice->config.count; k++) {
            struct placement_node *node = node_find(view, slice->config.members[k].node);
            if (node != NULL) node->replicas++;
        }
    }
}

// --- constraints -------------------------------------------------------------------------------------------

static bool rule_met(const struct zone_rule *rule, const struct placement_node *node)
{
    return zone_conditions_met(rule->conditions, node->locality, node->attrs);
}

static const struct zone *zone_of(const struct placement_view *view, const struct placement_slice *slice)
{
    if (slice->class != NULL) return &slice->class->whole;
    return slice->id == SLICE_META && view->meta_zone.set != 0 ? &view->meta_zone : &view->zone;
}

static bool allowed(const struct zone *zone, const struct placement_node *node)
{
    return zone_allows(zone, node->locality, node->attrs);
}

// Copies of the slice, on nodes that are not lost, that meet the rule.
static uint32_t rule_copies(const struct placement_view *view, const struct placement_slice *slice,
    const struct zone_rule *rule)
{
    uint32_t copies = 0;
    for (uint32_t i = 0; i < slice->config.count; i++) {
        const struct placement_node *node = node_find(view, slice->config.members[i].node);
        copies += !lost(node) && rule_met(rule, node);
    }
    return copies;
}

enum rules {
    RULES_WANT = 1 << 0,     // Some rule has too few copies, and the node would be one.
    RULES_SHORT = 1 << 1,    // Some rule has too few copies.
    RULES_NEED = 1 << 2,     // The node's copy is one that a rule cannot do without.
    RULES_COUNTED = 1 << 3,  // There are rules with numbers.
};
static uint32_t rules_look(const struct placement_view *view, const struct placement_slice *slice,
    const struct placement_node *node)
{
    struct zone_rule rule;
    bool malformed = false;
    uint32_t look = 0;
    for (const char *at = zone_of(view, slice)->constraints; zone_rule_next(&at, &rule, &malformed);) {
        if (rule.count == 0) continue;
        bool met = node != NULL && rule_met(&rule, node);
        uint32_t copies = rule_copies(view, slice, &rule);
        look |= RULES_COUNTED;
        if (copies < rule.count) look |= met ? RULES_SHORT | RULES_WANT : RULES_SHORT;
        if (met && copies <= rule.count) look |= RULES_NEED;
    }
    return look;
}

// A copy that would better be elsewhere.
static bool misplaced(const struct placement_view *view, const struct placement_slice *slice,
    const struct placement_node *node)
{
    if (node == NULL) return false; // Lost: that is another matter.
    uint32_t look = rules_look(view, slice, node);
    return !allowed(zone_of(view, slice), node) || ((look & RULES_SHORT) && !(look & RULES_NEED));
}

static uint32_t voters_needed(const struct placement_view *view, const struct zone *zone)
{
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < view->node_count; i++)
        nodes += !view->nodes[i].leaving && allowed(zone, &view->nodes[i]);
    uint32_t needed = zone->replicas < nodes ? zone->replicas : nodes;
    // An even number of voters survives no more than the odd one below it.
    if (needed < zone->replicas && needed % 2 == 0 && needed > 0) needed--;
    return needed == 0 ? 1 : needed;
}

// How many parts of the locality, from the front, the two have in common.
static uint32_t locality_common(const char *a, const char *b)
{
    uint32_t parts = 0;
    while (*a != 0 && *b != 0) {
        size_t size = strcspn(a, ",");
        if (strcspn(b, ",") != size || memcmp(a, b, size) != 0) return parts;
        parts++;
        a += size;
        b += size;
        if (*a == ',') a++;
        if (*b == ',') b++;
    }
    return parts;
}

// The more alike the node is to the slice's other members, the worse.
static uint32_t likeness(
    const struct placement_view *view, const struct placement_slice *slice, uint32_t id)
{
    uint32_t sum = 0;
    const struct placement_node *node = node_find(view, id);
    for (uint32_t i = 0; i < slice->config.count && node != NULL; i++) {
        const struct placement_node *other = node_find(view, slice->config.members[i].node);
        if (other == NULL || other == node || lost(other)) continue;
        sum += locality_common(node->locality, other->locality);
    }
    return sum;
}

// --- members -----------------------------------------------------------------------------------------------

// Of the nodes that may have a copy: first those that a rule is short of.
static uint32_t node_to_add(
    const struct placement_view *view, const struct placement_slice *slice, bool only_wanted)
{
    const struct placement_node *best = NULL;
    uint32_t best_likeness = 0;
    bool best_wanted = false;
    for (uint32_t i = 0; i < view->node_count; i++) {
        const struct placement_node *node = &view->nodes[i];
        if (!usable(node) || node->full || raft_config_find(&slice->config, node->id) != NULL) continue;
        if (!allowed(zone_of(view, slice), node)) continue;
        uint32_t look = rules_look(view, slice, node);
        bool wanted = (look & RULES_WANT) || !(look & RULES_SHORT);
        if (only_wanted && !wanted) continue;
        uint32_t alike = likeness(view, slice, node->id);
        bool better = best == NULL || wanted > best_wanted ||
                      (wanted == best_wanted && (alike < best_likeness ||
                          (alike == best_likeness && node->replicas < best->replicas)));
        if (!better) continue;
        best = node;
        best_likeness = alike;
        best_wanted = wanted;
    }
    return best == NULL ? 0 : best->id;
}

// The voter that is the least loss.
static uint32_t node_to_remove(
    const struct placement_view *view, const struct placement_slice *slice)
{
    uint32_t best = 0, best_score = 0;
    for (uint32_t i = 0; i < slice->config.count; i++) {
        uint32_t id = slice->config.members[i].node;
        const struct placement_node *node = node_find(view, id);
        if (slice->config.members[i].learner) continue;
        uint32_t score = 1 + likeness(view, slice, id) * 64;
        if (node != NULL) score += node->replicas;
        uint32_t look = rules_look(view, slice, node);
        bool unwanted = node != NULL && (!allowed(zone_of(view, slice), node) ||
                            ((look & RULES_COUNTED) && !(look & RULES_NEED)));
        if (unwanted) score += 1u << 16;
        if (lost(node)) score += 1u << 20;
        // Last of those like it, unless it must go: it would have to hand over first.
        if (id == slice->leader && !lost(node)) score = unwanted ? 1u << 16 : 1;
        if (score > best_score) {
            best = id;
            best_score = score;
        }
    }
    return best;
}

// Voters that answer, without `except`.
static uint32_t voters_alive(
    const struct placement_view *view, const struct placement_slice *slice, uint32_t except)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < slice->config.count; i++) {
        const struct raft_member *member = &slice->config.members[i];
        const struct placement_node *node = node_find(view, member->node);
        alive += !member->learner && member->node != except && node != NULL && node->alive;
    }
    return alive;
}

static struct placement_step step_of(
    enum placement_kind kind, const struct placement_slice *slice, uint32_t node)
{
    return (struct placement_step){.kind = kind, .slice = slice->id, .node = node};
}

static struct placement_step remove_or_transfer(
    const struct placement_view *view, const struct placement_slice *slice, uint32_t node)
{
    const struct placement_step nothing = {0};
    uint32_t voters = raft_config_voters(&slice->config);
    if (node == 0 || voters < 2) return nothing;
    if (node == slice->leader) {
        for (uint32_t i = 0; i < slice->config.count; i++) {
            const struct raft_member *member = &slice->config.members[i];
            if (!member->learner && member->node != node && (slice->silent & UINT32_C(1) << i) == 0 &&
                usable(node_find(view, member->node)))
                return step_of(PLACEMENT_TRANSFER, slice, member->node);
        }
        return nothing;
    }
    // What is left must be able to decide without it.
    if (voters_alive(view, slice, node) < (voters - 1) / 2 + 1) return nothing;
    return step_of(PLACEMENT_REMOVE, slice, node);
}

static struct placement_step members_step(
    const struct placement_view *view, const struct placement_slice *slice, uint32_t needed)
{
    const struct placement_step nothing = {0};
    uint32_t voters = raft_config_voters(&slice->config), sound = 0;
    if (slice->damaged != 0 && raft_config_find(&slice->config, slice->damaged) != NULL)
        return step_of(PLACEMENT_REMOVE, slice, slice->damaged);
    for (uint32_t i = 0; i < slice->config.count; i++) {
        const struct raft_member *member = &slice->config.members[i];
        const struct placement_node *node = node_find(view, member->node);
        if (!member->learner) {
            sound += !lost(node);
            continue;
        }
        // One learner at a time: it is on its way to be a voter, or it goes.
        if (lost(node)) return step_of(PLACEMENT_REMOVE, slice, member->node);
        return usable(node) ? step_of(PLACEMENT_PROMOTE, slice, member->node) : nothing;
    }
    if (sound < needed) {
        uint32_t node = node_to_add(view, slice, false);
        if (node != 0) return step_of(PLACEMENT_ADD, slice, node);
    }
    for (uint32_t i = 0; i < slice->config.count && voters <= needed; i++) {
        if (!misplaced(view, slice, node_find(view, slice->config.members[i].node))) continue;
        uint32_t node = node_to_add(view, slice, true);
        if (node != 0) return step_of(PLACEMENT_ADD, slice, node);
    }
    if (voters > needed) return remove_or_transfer(view, slice, node_to_remove(view, slice));
    return nothing;
}

// --- leaders -----------------------------------------------------------------------------------------------

// What a core of a node has to do as a leader.
static uint64_t core_load(const struct placement_view *view, const struct placement_node *node,
    uint64_t slice, const struct placement_slice *without)
{
    uint64_t load = 0;
    uint32_t shard = kv_slice_shard(slice, node->shard_count);
    for (uint32_t i = 0; i < view->slice_count; i++) {
        const struct placement_slice *one = &view->slices[i];
        if (one == without || one->leader != node->id) continue;
        if (kv_slice_shard(one->id, node->shard_count) == shard) load += 100 + one->load;
    }
    return load;
}

static uint64_t node_load(const struct placement_view *view, const struct placement_node *node,
    const struct placement_slice *without)
{
    uint64_t load = 0;
    for (uint32_t i = 0; i < view->slice_count; i++) {
        const struct placement_slice *one = &view->slices[i];
        if (one != without && one->leader == node->id) load += 100 + one->load;
    }
    return load / (node->shard_count == 0 ? 1 : node->shard_count);
}

// Lower is better: preference, then what the node and the core would have to do with it.
static uint64_t leader_cost(const struct placement_view *view,
    const struct placement_slice *slice, const struct placement_node *node)
{
    uint64_t rank = preference_rank(node, zone_of(view, slice)->lease_preferences);
    uint64_t load = node_load(view, node, slice) + core_load(view, node, slice->id, slice) / 2;
    if (load >> 40 != 0) load = (UINT64_C(1) << 40) - 1;
    return rank << 40 | load;
}

static struct placement_step leader_step(
    const struct placement_view *view, const struct placement_slice *slice)
{
    const struct placement_step nothing = {0};
    const struct placement_node *now = node_find(view, slice->leader), *best = NULL;
    uint64_t best_cost = 0;
    if (now == NULL) return nothing;
    for (uint32_t i = 0; i < slice->config.count; i++) {
        const struct raft_member *member = &slice->config.members[i];
        const struct placement_node *node = node_find(view, member->node);
        // A node that is back is heard of before all its replicas answer.
        if ((slice->silent & UINT32_C(1) << i) != 0) continue;
        if (member->learner || !usable(node) || node->draining || node->full || node == now) continue;
        uint64_t cost = leader_cost(view, slice, node);
        if (best != NULL && cost >= best_cost) continue;
        best = node;
        best_cost = cost;
    }
    if (best == NULL) return nothing;
    if (now->draining || now->leaving || now->full) return step_of(PLACEMENT_TRANSFER, slice, best->id);
    uint64_t cost = leader_cost(view, slice, now);
    if (best_cost >> 40 < cost >> 40) return step_of(PLACEMENT_TRANSFER, slice, best->id);
    // Worth it only when the other has clearly less to do even with this slice.
    if (best_cost >> 40 == cost >> 40 && best_cost + 100 + slice->load <= cost)
        return step_of(PLACEMENT_TRANSFER, slice, best->id);
    return nothing;
}

// --- new slices --------------------------------------------------------------------------------------------

static uint32_t class_leaders(
    const struct placement_view *view, const struct placement_class *class, uint32_t node)
{
    uint32_t leaders = 0;
    for (uint32_t i = 0; i < view->slice_count && class != NULL; i++)
        leaders += view->slices[i].class == class && view->slices[i].leader == node;
    return leaders;
}

// Where a new slice may begin: on a node that leads few, of its class first: with one copy there is no other choice later.
static const struct placement_node *node_to_begin(
    const struct placement_view *view, const struct placement_class *class)
{
    const struct placement_node *best = NULL;
    const struct zone *zone = class == NULL ? &view->zone : &class->whole;
    uint32_t best_own = 0;
    for (uint32_t i = 0; i < view->node_count; i++) {
        const struct placement_node *node = &view->nodes[i];
        if (!usable(node) || node->draining || node->full || !allowed(zone, node)) continue;
        const uint32_t own = class_leaders(view, class, node->id);
        const bool fewer = best != NULL && node->leaders * best->shard_count < best->leaders * node->shard_count;
        if (best != NULL && (own > best_own || (own == best_own && !fewer))) continue;
        best = node;
        best_own = own;
    }
    return best;
}

static uint32_t slices_of(const struct placement_view *view, const struct placement_class *class)
{
    uint32_t slices = 0;
    for (uint32_t i = 0; i < view->slice_count; i++) slices += view->slices[i].class == class;
    return slices;
}

// About one for each node that may have a copy; none while no node may.
static uint32_t slices_wanted(const struct placement_view *view, const struct placement_class *class)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < view->node_count; i++) {
        const struct placement_node *node = &view->nodes[i];
        if (node->leaving || node->dead) continue;
        if (class == NULL)
            wanted += PLACEMENT_SLICES_PER_SHARD * node->shard_count;
        else
            wanted += allowed(&class->whole, node) && wanted < PLACEMENT_CLASS_SLICES_MAX;
    }
    return wanted;
}

static struct placement_step create_step(const struct placement_view *view, const struct placement_class *class)
{
    struct placement_step step = {.class = class};
    const uint32_t wanted = slices_wanted(view, class);
    if (slices_of(view, class) >= wanted) return step;
    const struct placement_node *node = node_to_begin(view, class);
    // One of the default's that are too many, and empty, will do when it is led where the class has as few.
    if (class != NULL && slices_of(view, NULL) > slices_wanted(view, NULL)) {
        for (uint32_t i = view->slice_count; i-- > 0;) {
            const struct placement_slice *slice = &view->slices[i];
            if (slice->class != NULL || slice->ranges > 0 || slice->id == SLICE_META) continue;
            if (node != NULL && view->slice_count < KV_SLICES_MAX &&
                class_leaders(view, class, slice->leader) > class_leaders(view, class, node->id))
                continue;
            step.kind = PLACEMENT_CLASS;
            step.slice = slice->id;
            return step;
        }
    }
    if (node == NULL || view->slice_count >= KV_SLICES_MAX) return step;
    step.kind = PLACEMENT_CREATE;
    step.node = node->id;
    return step;
}

// Slices that come to be, and empty ones whose zone nobody has any more.
static struct placement_step slices_step(const struct placement_view *view)
{
    struct placement_step step = {0};
    for (uint32_t i = 0; i < view->slice_count; i++) {
        const struct placement_slice *slice = &view->slices[i];
        if (slice->class == NULL || slice->class->wanted || slice->ranges > 0) continue;
        step = (struct placement_step){.kind = PLACEMENT_CLASS, .slice = slice->id};
        return step;
    }
    for (uint32_t i = 0; i < view->class_count; i++) {
        if (view->classes[i].wanted) step = create_step(view, &view->classes[i]);
        if (step.kind != PLACEMENT_NOTHING) return step;
    }
    return create_step(view, NULL);
}

bool placement_ready(const struct placement_view *view, const struct placement_slice *slice)
{
    if (slice->leader == 0) return false;
    if (slice->class == NULL) return true;
    if (raft_config_voters(&slice->config) != slice->config.count) return false;
    if (slice->config.count != voters_needed(view, &slice->class->whole)) return false;
    for (uint32_t i = 0; i < slice->config.count; i++) {
        const struct placement_node *node = node_find(view, slice->config.members[i].node);
        if (lost(node) || !allowed(&slice->class->whole, node) || misplaced(view, slice, node)) return false;
    }
    return true;
}

uint32_t placement_plan(struct placement_view *view, struct placement_step *steps, uint32_t max)
{
    uint32_t taken = 0;
    bool settled = true;
    count(view);
    for (uint32_t i = 0; i < view->slice_count && taken < max; i++) {
        const struct placement_slice *slice = &view->slices[i];
        if (slice->leader == 0) {
            settled = false;
            continue;
        }
        struct placement_step step = members_step(view, slice, voters_needed(view, zone_of(view, slice)));
        if (step.kind == PLACEMENT_NOTHING) continue;
        settled = false;
        steps[taken++] = step;
        // The next slice's choice sees this one's.
        struct placement_node *node = node_find(view, step.node);
        if (step.kind == PLACEMENT_ADD) node->replicas++;
        if (step.kind == PLACEMENT_REMOVE && node != NULL && node->replicas > 0) node->replicas--;
    }
    // Leaders move when members do not: the counts are of one moment. One at a time, for the same reason; but who
    // drains hands over all at once.
    bool moved = false;
    for (uint32_t i = 0; i < view->slice_count && taken < max; i++) {
        struct placement_slice *slice = &view->slices[i];
        struct placement_node *leader = node_find(view, slice->leader);
        bool urgent = leader != NULL && (leader->draining || leader->leaving || leader->full);
        if (slice->leader == 0 || (!urgent && (moved || !settled))) continue;
        struct placement_step step = leader_step(view, slice);
        if (step.kind == PLACEMENT_NOTHING) continue;
        bool known = false;
        for (uint32_t k = 0; k < taken; k++)
            known = known || steps[k].slice == slice->id;
        if (known) continue;
        steps[taken++] = step;
        slice->leader = step.node;
        moved = true;
    }
    if (settled && !moved && view->complete && taken < max) {
        struct placement_step step = slices_step(view);
        if (step.kind != PLACEMENT_NOTHING) steps[taken++] = step;
    }
    return taken;
}
