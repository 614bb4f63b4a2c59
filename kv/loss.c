// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/loss.h"

#include "core/crypto.h"
#include "core/log.h"
#include "kv/cluster_internal.h"
#include "kv/replica.h"
#include "kv/slice.h"

#define STEP_NS UINT64_C(20000000000)
#define LIST_NS UINT64_C(5000000000)
#define MEMBERSHIP_NS UINT64_C(30000000000)

struct survivor {
    uint32_t node;
    struct kv_replica replica;
};
struct survey {
    const uint32_t *lost;
    uint32_t lost_count;
    struct survivor *survivors;
    uint32_t count, capacity;
};

static bool is_lost(const struct survey *survey, uint32_t node)
{
    for (uint32_t i = 0; i < survey->lost_count; i++)
        if (survey->lost[i] == node) return true;
    return false;
}

// --- looking -------------------------------------------------------------------------------------------

static struct status nodes_check(struct task *task, const struct survey *survey)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(task->shard, &count);
    if (survey->lost_count == 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "say which nodes are lost for good");
    for (uint32_t i = 0; i < survey->lost_count; i++) {
        if (cluster_node(task->shard, survey->lost[i]) == NULL)
            return status_format(task->arena, E_UNDEFINED_OBJECT, "node %u does not exist", survey->lost[i]);
        if (cluster_alive(task->shard, survey->lost[i]))
            return status_hint(task->arena,
                status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
                    "node %u is alive: it is not lost", survey->lost[i]),
                "A node that runs and is to go is decommissioned: `isopod node decommission`.");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].membership == CLUSTER_DECOMMISSIONED || cluster_alive(task->shard, nodes[i].id) ||
            is_lost(survey, nodes[i].id))
            continue;
        return status_hint(task->arena,
            status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE, "node %u does not answer", nodes[i].id),
            "What it has may be newer than what the others have: start it, or name it as lost too.");
    }
    return STATUS_OK;
}

static void survivor_add(struct arena *arena, struct survey *survey, uint32_t node, const struct kv_replica *replica)
{
    if (survey->count == survey->capacity) {
        uint32_t grown = survey->capacity == 0 ? 64 : survey->capacity * 2;
        survey->survivors = arena_grow(arena, survey->survivors, survey->capacity * sizeof *survey->survivors,
            grown * sizeof *survey->survivors);
        survey->capacity = grown;
    }
    survey->survivors[survey->count++] = (struct survivor){node, *replica};
}

static struct status survey_take(struct task *task, struct survey *survey)
{
    struct status st;
    uint32_t count;
    uint64_t deadline_ns = task->deadline_ns;
    TRY(nodes_check(task, survey));
    const struct cluster_node *nodes = cluster_nodes(task->shard, &count);
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, count + 1), alive = 0;
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].membership != CLUSTER_DECOMMISSIONED && !is_lost(survey, nodes[i].id)) ids[alive++] = nodes[i].id;
    for (uint32_t i = 0; i < alive; i++) {
        struct kv_replica *replicas;
        task->deadline_ns = task_now_ns(task) + LIST_NS;
        st = kv_replicas(task, ids[i], task->arena, &replicas, &count);
        task->deadline_ns = deadline_ns;
        TRY(st);
        for (uint32_t k = 0; k < count; k++)
            survivor_add(task->arena, survey, ids[i], &replicas[k]);
    }
out:
    return st;
}

// --- the plan ------------------------------------------------------------------------------------------

static bool newer(const struct kv_replica *a, const struct kv_replica *b)
{
    if (a->last_term != b->last_term) return a->last_term > b->last_term;
    return a->last_index > b->last_index;
}

struct slice_survey {
    const struct raft_config *config; // The newest that a survivor knows.
    const struct survivor *best;      // Of those that vote.
    uint32_t copies, voting;
    bool served;
};

static struct slice_survey slice_look(const struct survey *survey, uint64_t slice)
{
    struct slice_survey look = {0};
    for (uint32_t i = 0; i < survey->count; i++) {
        const struct survivor *at = &survey->survivors[i];
        if (at->replica.slice != slice) continue;
        look.copies++;
        look.served = look.served || at->replica.role == SLICE_SERVING;
        if (look.config == NULL || at->replica.config.index > look.config->index) look.config = &at->replica.config;
    }
    for (uint32_t i = 0; i < survey->count && look.config != NULL; i++) {
        const struct survivor *at = &survey->survivors[i];
        if (at->replica.slice != slice || !raft_config_votes(look.config, at->node)) continue;
        look.voting++;
        if (look.best == NULL || newer(&at->replica, &look.best->replica)) look.best = at;
    }
    return look;
}

static struct loss_step step_of(
    enum loss_kind kind, const struct survivor *at, const struct slice_survey *look)
{
    return (struct loss_step){.kind = kind,
        .slice = at->replica.slice,
        .node = at->node,
        .voters = raft_config_voters(look->config),
        .survivors = look->voting,
        .ranges = at->replica.ranges,
        .index = at->replica.last_index,
        .closed_ns = at->replica.closed.wall_ns};
}

static uint64_t number_of(const struct survey *survey, const struct loss_plan *plan)
{
    uint32_t low = crypto_crc32c(0, survey->lost, survey->lost_count * sizeof *survey->lost), high = ~low;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct loss_step *step = &plan->steps[i];
        const uint64_t words[] = {step->kind, step->slice, step->node, step->voters, step->survivors, step->index};
        low = crypto_crc32c(low, words, sizeof words);
        high = crypto_crc32c(~high ^ low, words, sizeof words);
    }
    return (uint64_t)(high & 0x7fffffff) << 32 | low | 1;
}

// Slices in order; of each first what is erased, then what goes on.
static void plan_make(struct task *task, const struct survey *survey, struct loss_plan *plan)
{
    plan->steps = ARENA_ARRAY(task->arena, struct loss_step, survey->count + KV_SLICES_MAX + 1);
    plan->count = 0;
    for (uint64_t slice = 1; slice <= KV_SLICES_MAX; slice++) {
        struct cluster_slice where;
        struct slice_survey look = slice_look(survey, slice);
        if (look.copies == 0 || look.best == NULL) {
            // Known from before: all who had it are among the lost.
            if (!look.served && cluster_slice(task->shard, slice, &where))
                plan->steps[plan->count++] = (struct loss_step){
                    .kind = LOSS_GONE, .slice = slice, .voters = where.voter_count};
            continue;
        }
        uint32_t voters = raft_config_voters(look.config);
        if (look.served || look.voting > voters / 2) continue;
        for (uint32_t i = 0; i < survey->count; i++) {
            const struct survivor *at = &survey->survivors[i];
            if (at->replica.slice == slice && at != look.best)
                plan->steps[plan->count++] = step_of(LOSS_ERASE, at, &look);
        }
        plan->steps[plan->count++] = step_of(LOSS_ALONE, look.best, &look);
    }
    plan->number = number_of(survey, plan);
}

// --- carrying it out -------------------------------------------------------------------------------------

static struct status step_take(struct task *task, struct loss_step *step)
{
    struct status st = STATUS_OK;
    uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + STEP_NS;
    if (step->kind == LOSS_ERASE) st = kv_replica_destroy(task, step->node, step->slice, true);
    if (step->kind == LOSS_ALONE) st = kv_replica_force_alone(task, step->node, step->slice);
    task->deadline_ns = deadline_ns;
    step->done = !failed(st) && step->kind != LOSS_GONE;
    return st;
}

// The lost ones may not come back: what they would say is of another past.
static struct status lost_decommission(struct task *task, const struct survey *survey)
{
    struct status st = STATUS_OK;
    uint64_t deadline_ns = task->deadline_ns;
    for (uint32_t i = 0; i < survey->lost_count; i++) {
        const struct cluster_node *node = cluster_node(task->shard, survey->lost[i]);
        if (node != NULL && node->membership == CLUSTER_DECOMMISSIONED) continue;
        task->deadline_ns = task_now_ns(task) + MEMBERSHIP_NS;
        st = cluster_membership_set(task, survey->lost[i], CLUSTER_DECOMMISSIONING);
        if (!failed(st)) st = cluster_membership_set(task, survey->lost[i], CLUSTER_DECOMMISSIONED);
        task->deadline_ns = deadline_ns;
        TRY(st);
    }
out:
    return st;
}

static struct status carry_out(struct task *task, const struct survey *survey, struct loss_plan *plan, uint64_t number)
{
    struct status st = STATUS_OK;
    if (plan->number != number)
        return status_hint(task->arena,
            status_make(E_NOT_IN_PREREQUISITE_STATE, "the plan of this number is not what would be done now"),
            "Look at the plan as it is now: run without --apply.");
    log_error(0, "an operator gives %u nodes up for lost: %u steps, and what only they had is LOST", survey->lost_count,
        plan->count);
    for (uint32_t i = 0; i < plan->count; i++)
        TRY(step_take(task, &plan->steps[i]));
    st = lost_decommission(task, survey);
out:
    return st;
}

// --- by RPC --------------------------------------------------------------------------------------------

static struct status serve(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct status st;
    struct codec_reader in = codec_read(request->body);
    uint64_t number = codec_get_u64(&in);
    struct loss_plan plan = {0};
    struct survey survey = {.lost_count = codec_get_count(&in, 4)};
    if (survey.lost_count > LOSS_NODES_MAX) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    uint32_t *lost = ARENA_ARRAY(task->arena, uint32_t, survey.lost_count + 1);
    for (uint32_t i = 0; i < survey.lost_count; i++)
        lost[i] = codec_get_u32(&in);
    survey.lost = lost;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    TRY(survey_take(task, &survey));
    plan_make(task, &survey, &plan);
    if (number != 0) TRY(carry_out(task, &survey, &plan, number));
    codec_put_u64(reply, plan.number);
    codec_put_u32(reply, plan.count);
    for (uint32_t i = 0; i < plan.count; i++) {
        const struct loss_step *step = &plan.steps[i];
        codec_put_u8(reply, (uint8_t)step->kind);
        codec_put_u64(reply, step->slice);
        codec_put_u32(reply, step->node);
        codec_put_u32(reply, step->voters);
        codec_put_u32(reply, step->survivors);
        codec_put_u32(reply, step->ranges);
        codec_put_u64(reply, step->index);
        codec_put_u64(reply, step->closed_ns);
        codec_put_u8(reply, step->done);
    }
out:
    return st;
}

static const struct rpc_method method = {.id = CLUSTER_RPC_LOSS,
    .name = "cluster.loss",
    .class = TASK_SYSTEM,
    .for_clients = true,
    .call = serve};

void loss_register(void)
{
    rpc_method_register(&method);
}

struct status loss_ask(struct task *task, const char *address, const uint32_t *lost, uint32_t lost_count,
    uint64_t number, struct arena *arena, struct loss_plan *plan)
{
    struct buffer body;
    buffer_init(&body, arena);
    codec_put_u64(&body, number);
    codec_put_u32(&body, lost_count);
    for (uint32_t i = 0; i < lost_count; i++)
        codec_put_u32(&body, lost[i]);
    struct rpc_call call = {.address = address,
        .shard = RPC_ANY_SHARD,
        .method = CLUSTER_RPC_LOSS,
        .body = buffer_bytes(&body),
        .arena = arena};
    struct status st = rpc_call(task, &call);
    if (failed(st)) return st;
    struct codec_reader in = codec_read(call.reply);
    *plan = (struct loss_plan){.number = codec_get_u64(&in)};
    plan->count = codec_get_count(&in, 42);
    plan->steps = ARENA_ARRAY(arena, struct loss_step, plan->count + 1);
    for (uint32_t i = 0; i < plan->count; i++) {
        uint8_t kind = codec_get_u8(&in);
        plan->steps[i] = (struct loss_step){.kind = (enum loss_kind)kind};
        struct loss_step *step = &plan->steps[i];
        step->slice = codec_get_u64(&in);
        step->node = codec_get_u32(&in);
        step->voters = codec_get_u32(&in);
        step->survivors = codec_get_u32(&in);
        step->ranges = codec_get_u32(&in);
        step->index = codec_get_u64(&in);
        step->closed_ns = codec_get_u64(&in);
        step->done = codec_get_bool(&in);
        if (kind >= LOSS_KIND_END) in.bad = true;
    }
    return codec_done(&in) ? STATUS_OK : status_make(E_PROTOCOL_VIOLATION, "the node's answer is malformed");
}
