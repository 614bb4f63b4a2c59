// SPDX-License-Identifier: GPL-3.0-or-later
//
// What statistics objects (sql/plan/statistics_joint.h) say of several columns and expressions of one scan: distinct
// combinations, and the share of rows that meet several equalities at once.
//
// Source   PostgreSQL 15 manual, section 70.2; the formulas there.
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"
#include "sql/plan/statistics.h"

#define CONDITIONS_MAX 32u

struct joint { // One object of a table, with what ANALYZE has learnt of it.
    const struct statistics_desc *desc;
    const struct statistics_estimate *estimate;
    struct scalar *const *expressions; // As bound for the scan.
};

// The object with this number. False: ANALYZE has not seen it.
static bool joint_at(const struct rel *scan, uint32_t at, struct joint *joint)
{
    const struct table_desc *table = scan->scan.table;
    uint32_t first = 0;
    for (uint32_t i = 0; i < at; i++) first += table->statistics[i].expression_count;
    *joint = (struct joint){.desc = &table->statistics[at],
        .expressions = scan->scan.statistics_expressions + first};
    for (uint32_t i = 0; i < table->statistics_estimate_count; i++)
        if (table->statistics_estimates[i].id == joint->desc->id)
            joint->estimate = &table->statistics_estimates[i];
    return joint->estimate != NULL &&
           joint->estimate->member_count == statistics_member_count(joint->desc);
}

static bool has_joints(const struct rel *scan)
{
    return scan != NULL && scan->kind == REL_SCAN && scan->scan.statistics_expressions != NULL;
}

// Which member of the object the scalar is; UINT32_MAX: none.
static uint32_t member_of(
    const struct rel *scan, const struct joint *joint, const struct scalar *scalar)
{
    const struct table_desc *table = scan->scan.table;
    scalar = scalar_strip(scalar);
    if (scalar->kind == SCALAR_VAR) {
        if (scalar->var < scan->scan.base || scalar->var - scan->scan.base >= table->column_count)
            return UINT32_MAX;
        uint32_t id = table->columns[scalar->var - scan->scan.base].id;
        for (uint32_t i = 0; i < joint->desc->column_count; i++)
            if (joint->desc->columns[i] == id) return i;
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < joint->desc->expression_count; i++)
        if (joint->expressions[i] != NULL && scalar_equal(joint->expressions[i], scalar))
            return joint->desc->column_count + i;
    return UINT32_MAX;
}

// --- distinct combinations ---------------------------------------------------------------------------

double plan_expression_distinct(const struct rel *scan, const struct scalar *scalar)
{
    struct joint joint;
    if (!has_joints(scan)) return 0;
    for (uint32_t i = 0; i < scan->scan.table->statistics_count; i++) {
        if (!joint_at(scan, i, &joint)) continue;
        uint32_t member = member_of(scan, &joint, scalar);
        if (member == UINT32_MAX || member < joint.desc->column_count) continue;
        member -= joint.desc->column_count;
        if (member < joint.estimate->expression_count)
            return joint.estimate->expressions[member].distinct;
    }
    return 0;
}

double plan_joint_distinct(const struct rel *scan, const struct scalar *const *items,
    uint32_t count, uint64_t *covered)
{
    double best = 0;
    *covered = 0;
    if (!has_joints(scan) || count > 64) return 0;
    for (uint32_t i = 0; i < scan->scan.table->statistics_count; i++) {
        struct joint joint;
        uint32_t members = 0;
        uint64_t met = 0;
        if (!joint_at(scan, i, &joint)) continue;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t member = member_of(scan, &joint, items[k]);
            if (member == UINT32_MAX) continue;
            members |= 1u << member;
            met |= UINT64_C(1) << k;
        }
        if (__builtin_popcountll(met) <= __builtin_popcountll(*covered)) continue;
        for (uint32_t g = 0; g < joint.estimate->group_count; g++) {
            if (joint.estimate->groups[g].members != members) continue;
            best = joint.estimate->groups[g].distinct;
            *covered = met;
        }
    }
    return best;
}

// --- equalities --------------------------------------------------------------------------------------

struct condition { // column = constant
    const struct scalar *side;
    uint64_t hash;
    double share;
    bool taken;
    uint32_t member; // Of the object at hand; UINT32_MAX: none.
};
struct conditions {
    const struct rel *scan;
    struct condition items[CONDITIONS_MAX];
    uint32_t places[CONDITIONS_MAX]; // Among the conjuncts.
    uint32_t count;
};

// Whether equal values of the two types have one hash.
static bool hashes_alike(type_oid a, type_oid b)
{
    bool inexact = a == TYPE_NUMERIC || b == TYPE_NUMERIC || a == TYPE_BPCHAR || b == TYPE_BPCHAR;
    return a == b || (statistics_rank_comparable(a, b) && !inexact);
}

static void note_equality(struct conditions *conditions, const struct scalar *conjunct, uint32_t place)
{
    if (conjunct->kind != SCALAR_CALL || scalar_compare_of(conjunct) != COMPARE_EQ ||
        conditions->count == CONDITIONS_MAX)
        return;
    for (uint32_t s = 0; s < 2; s++) {
        const struct scalar *side = scalar_strip(conjunct->args[s]);
        const struct scalar *value = scalar_strip(conjunct->args[1 - s]);
        if (value->kind != SCALAR_CONST || value->value.null || side->kind == SCALAR_CONST ||
            !hashes_alike(side->type.oid, value->type.oid) ||
            collation_is_icu(conjunct->args[s]->type.collation))
            continue;
        conditions->places[conditions->count] = place;
        conditions->items[conditions->count++] = (struct condition){.side = side,
            .hash = type_hash(value->type.oid, value->value),
            .share = plan_selectivity(conjunct, conditions->scan)};
        return;
    }
}

// How many members of the object the conditions that are left speak of, each of another one.
static uint32_t match_members(struct conditions *conditions, const struct joint *joint)
{
    uint32_t seen = 0, count = 0;
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct condition *each = &conditions->items[i];
        each->member = each->taken ? UINT32_MAX : member_of(conditions->scan, joint, each->side);
        if (each->member == UINT32_MAX) continue;
        if (seen >> each->member & 1) each->member = UINT32_MAX;
        else count++;
        if (each->member != UINT32_MAX) seen |= 1u << each->member;
    }
    return count;
}

static bool is_met(const struct conditions *conditions, const struct common_estimate *common)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct condition *each = &conditions->items[i];
        if (each->member != UINT32_MAX && common->hashes[each->member] != each->hash) return false;
    }
    return true;
}

// From the combinations that are common; what is in none of them has what these leave of all rows.
static double common_share(struct conditions *conditions, const struct statistics_estimate *estimate)
{
    double met = 0, base = 0, all = 0, simple = 1;
    for (uint32_t i = 0; i < estimate->common_count; i++) {
        const struct common_estimate *common = &estimate->common[i];
        all += common->frequency;
        if (!is_met(conditions, common)) continue;
        met += common->frequency;
        base += common->base_frequency;
    }
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct condition *each = &conditions->items[i];
        if (each->member == UINT32_MAX) continue;
        simple *= each->share;
        each->taken = true;
    }
    double other = simple - base;
    if (other < 0) other = 0;
    if (other > 1 - all) other = 1 - all;
    return met + (other > 0 ? other : 0);
}

static struct condition *condition_of(struct conditions *conditions, uint32_t member)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].member == member) return &conditions->items[i];
    return NULL;
}

// The widest dependency between members of the set `left`, the strongest of those; NULL: none.
static const struct dependency_estimate *strongest(
    const struct statistics_estimate *estimate, uint32_t left)
{
    const struct dependency_estimate *best = NULL;
    for (uint32_t i = 0; i < estimate->dependency_count; i++) {
        const struct dependency_estimate *each = &estimate->dependencies[i];
        if ((each->from & left) != each->from || (left >> each->to & 1) == 0) continue;
        int wider = best == NULL ? 1
                                 : __builtin_popcount(each->from) - __builtin_popcount(best->from);
        if (wider > 0 || (wider == 0 && each->degree > best->degree)) best = each;
    }
    return best;
}

// P(a, b) = P(a) * (degree + (1 - degree) * P(b)), where a tells b.
static double dependent_share(struct conditions *conditions, const struct statistics_estimate *estimate)
{
    const struct dependency_estimate *used[STATISTICS_MEMBERS_MAX];
    uint32_t count = 0, left = 0;
    double share = 1;
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].member != UINT32_MAX) left |= 1u << conditions->items[i].member;
    const struct dependency_estimate *next;
    while ((next = strongest(estimate, left)) != NULL) {
        used[count++] = next;
        left &= ~(1u << next->to);
    }
    for (uint32_t i = count; i-- > 0;) {
        double from = 1;
        for (uint32_t m = 0; m < STATISTICS_MEMBERS_MAX; m++)
            if (used[i]->from >> m & 1) from *= condition_of(conditions, m)->share;
        struct condition *to = condition_of(conditions, used[i]->to);
        double degree = used[i]->degree;
        to->share = (from <= to->share ? degree : degree * to->share / from) +
                    (1 - degree) * to->share;
    }
    for (uint32_t i = 0; i < conditions->count && count > 0; i++) {
        struct condition *each = &conditions->items[i];
        if (each->member == UINT32_MAX) continue;
        share *= each->share;
        each->taken = true;
    }
    return share;
}

// One object after the other, those first that speak of most conditions.
static double share_by(struct conditions *conditions, bool common)
{
    double share = 1;
    const struct table_desc *table = conditions->scan->scan.table;
    uint64_t tried = 0;
    for (;;) {
        uint32_t best = UINT32_MAX, most = 1;
        struct joint joint;
        for (uint32_t i = 0; i < table->statistics_count && i < 64; i++) {
            if ((tried >> i & 1) != 0 || !joint_at(conditions->scan, i, &joint)) continue;
            bool any = common ? joint.estimate->common_count > 0 : joint.estimate->dependency_count > 0;
            uint32_t met = any ? match_members(conditions, &joint) : 0;
            if (met <= most) continue;
            most = met;
            best = i;
        }
        if (best == UINT32_MAX) return share;
        tried |= UINT64_C(1) << best;
        if (!joint_at(conditions->scan, best, &joint)) return share;
        match_members(conditions, &joint);
        share *= common ? common_share(conditions, joint.estimate)
                        : dependent_share(conditions, joint.estimate);
    }
}

double plan_joint_share(
    const struct rel *scan, const struct scalar_list *conjuncts, uint64_t *taken)
{
    *taken = 0;
    if (!has_joints(scan) || conjuncts->count < 2) return 1;
    struct conditions conditions = {.scan = scan};
    for (uint32_t i = 0; i < conjuncts->count && i < 64; i++)
        note_equality(&conditions, conjuncts->items[i], i);
    if (conditions.count < 2) return 1;
    double share = share_by(&conditions, true);
    share *= share_by(&conditions, false);
    for (uint32_t i = 0; i < conditions.count; i++)
        if (conditions.items[i].taken) *taken |= UINT64_C(1) << conditions.places[i];
    return share;
}
