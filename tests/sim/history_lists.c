// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "tests/sim/history.h"

#define NOBODY UINT32_MAX

void list_history_init(struct list_history *history, struct sim_run *run, uint32_t lists, uint32_t txns)
{
    memset(history, 0, sizeof *history);
    history->run = run;
    history->list_count = lists;
    history->txn_capacity = txns;
    history->txns = ARENA_ARRAY(&run->arena, struct list_txn, txns);
}

struct list_txn *list_txn_begin(struct list_history *history)
{
    if (history->txn_count == history->txn_capacity) return NULL;
    struct list_txn *txn = &history->txns[history->txn_count++];
    memset(txn, 0, sizeof *txn);
    return txn;
}

static uint32_t *values_copy(struct list_history *history, const void *values, size_t size)
{
    uint32_t *copy = arena_alloc(&history->run->arena, size + 1);
    if (size > 0) memcpy(copy, values, size);
    if (size % sizeof *copy != 0) sim_violation(history->run, "a list of %zu bytes was read", size);
    return copy;
}

void list_note_read(struct list_history *history, struct list_txn *txn, uint32_t list,
    const void *values, size_t size)
{
    invariant(txn->op_count < HISTORY_TXN_OPS_MAX);
    txn->ops[txn->op_count++] = (struct list_op){.list = list,
        .read = values_copy(history, values, size),
        .read_count = (uint32_t)(size / sizeof(uint32_t))};
}

uint32_t list_note_append(struct list_history *history, struct list_txn *txn, uint32_t list)
{
    invariant(txn->op_count < HISTORY_TXN_OPS_MAX);
    uint32_t value = ++history->next_value;
    txn->ops[txn->op_count++] = (struct list_op){.list = list, .appended = value};
    return value;
}

void list_note_final(struct list_history *history, uint32_t list, const void *values, size_t size)
{
    history->final[list] = values_copy(history, values, size);
    history->final_count[list] = (uint32_t)(size / sizeof(uint32_t));
}

// --- checking ------------------------------------------------------------------------------------

struct graph {
    struct list_history *history;
    uint32_t *writer; // [value]: its transaction.
    uint32_t *edges;  // Pairs.
    uint32_t edge_count, edge_capacity;
};

static void edge_add(struct graph *graph, uint32_t from, uint32_t to)
{
    if (from == to || from == NOBODY || to == NOBODY) return;
    if (graph->edge_count == graph->edge_capacity) {
        graph->edge_capacity = graph->edge_capacity == 0 ? 1024 : 2 * graph->edge_capacity;
        graph->edges = realloc(graph->edges, sizeof *graph->edges * 2 * graph->edge_capacity);
        invariant(graph->edges != NULL);
    }
    graph->edges[2 * graph->edge_count] = from;
    graph->edges[2 * graph->edge_count++ + 1] = to;
}

static bool in_final(const struct list_history *history, uint32_t list, uint32_t value)
{
    for (uint32_t i = 0; i < history->final_count[list]; i++) {
        if (history->final[list][i] == value) return true;
    }
    return false;
}

// All appends of an acknowledged transaction are there, none of a refused one, all or none of another.
static void check_appends(struct list_history *history, uint32_t number)
{
    struct list_txn *txn = &history->txns[number];
    uint32_t found = 0, appends = 0;
    for (uint32_t i = 0; i < txn->op_count; i++) {
        if (txn->ops[i].appended == 0) continue;
        appends++;
        found += in_final(history, txn->ops[i].list, txn->ops[i].appended);
    }
    if (found != 0 && txn->fate == FATE_VOID)
        sim_violation(history->run, "transaction %u was refused, and is there", number);
    if (found != appends && txn->fate == FATE_DONE)
        sim_violation(history->run, "transaction %u was acknowledged; of its %u appends %u are there",
            number, appends, found);
    if (found != 0 && found != appends)
        sim_violation(history->run, "of transaction %u a part is there: %u of %u appends", number,
            found, appends);
    if (txn->fate == FATE_UNKNOWN && found > 0) txn->fate = FATE_DONE;
}

// A list that was read is a beginning of the final one, and then what the transaction appended itself.
static void check_read(struct graph *graph, uint32_t number, uint32_t at)
{
    struct list_history *history = graph->history;
    const struct list_txn *txn = &history->txns[number];
    const struct list_op *op = &txn->ops[at];
    uint32_t own[HISTORY_TXN_OPS_MAX], own_count = 0;
    for (uint32_t i = 0; i < at; i++) {
        if (txn->ops[i].list == op->list && txn->ops[i].appended != 0)
            own[own_count++] = txn->ops[i].appended;
    }
    if (own_count > op->read_count ||
        (own_count > 0 && memcmp(op->read + op->read_count - own_count, own,
                              own_count * sizeof *own) != 0)) {
        sim_violation(history->run, "transaction %u does not see its own appends to list %u", number,
            op->list);
        return;
    }
    uint32_t count = op->read_count - own_count;
    if (count > history->final_count[op->list] ||
        (count > 0 &&
            memcmp(op->read, history->final[op->list], count * sizeof *op->read) != 0)) {
        sim_violation(history->run, "transaction %u read a list %u that never was", number, op->list);
        return;
    }
    if (count > 0) edge_add(graph, graph->writer[op->read[count - 1]], number);
    if (count < history->final_count[op->list])
        edge_add(graph, number, graph->writer[history->final[op->list][count]]);
}

static void final_edges(struct graph *graph)
{
    struct list_history *history = graph->history;
    for (uint32_t list = 0; list < history->list_count; list++) {
        for (uint32_t i = 0; i < history->final_count[list]; i++) {
            uint32_t value = history->final[list][i];
            if (value == 0 || value > history->next_value || graph->writer[value] == NOBODY) {
                sim_violation(history->run, "list %u has the value %u, which nobody appended", list,
                    value);
                return;
            }
            if (i > 0)
                edge_add(graph, graph->writer[history->final[list][i - 1]], graph->writer[value]);
        }
    }
}

static void real_time_edges(struct graph *graph)
{
    struct list_history *history = graph->history;
    for (uint32_t a = 0; a < history->txn_count; a++) {
        const struct list_txn *first = &history->txns[a];
        if (first->fate != FATE_DONE || first->ended_ns == 0) continue;
        for (uint32_t b = 0; b < history->txn_count; b++) {
            const struct list_txn *then = &history->txns[b];
            if (then->fate == FATE_DONE && then->began_ns > first->ended_ns) edge_add(graph, a, b);
        }
    }
}

// Takes out whoever nobody comes before, until nobody is left; or says who remains.
static void check_cycles(struct graph *graph)
{
    uint32_t count = graph->history->txn_count, taken = 0;
    uint32_t *before = calloc(count + 1, sizeof *before);
    uint32_t *ready = calloc(count + 1, sizeof *ready), ready_count = 0;
    uint32_t *first = calloc(count + 2, sizeof *first);
    uint32_t *targets = calloc(graph->edge_count + 1, sizeof *targets);
    invariant(before != NULL && ready != NULL && first != NULL && targets != NULL);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        before[graph->edges[2 * i + 1]]++;
        first[graph->edges[2 * i] + 2]++;
    }
    for (uint32_t i = 2; i < count + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < graph->edge_count; i++)
        targets[first[graph->edges[2 * i] + 1]++] = graph->edges[2 * i + 1];
    for (uint32_t i = 0; i < count; i++) {
        if (before[i] == 0) ready[ready_count++] = i;
    }
    while (taken < ready_count) {
        uint32_t txn = ready[taken++];
        for (uint32_t i = first[txn]; i < first[txn + 1]; i++) {
            if (--before[targets[i]] == 0) ready[ready_count++] = targets[i];
        }
    }
    if (taken < count) {
        char text[200];
        int size = 0;
        for (uint32_t i = 0; i < count && size < 150; i++) {
            if (before[i] != 0) size += snprintf(text + size, sizeof text - (size_t)size, " %u", i);
        }
        sim_violation(graph->history->run, "transactions come before each other in a circle; among%s",
            text);
    }
    free(before);
    free(ready);
    free(first);
    free(targets);
}

void list_history_check(struct list_history *history, bool real_time)
{
    struct graph graph = {.history = history};
    graph.writer = calloc(history->next_value + 1, sizeof *graph.writer);
    invariant(graph.writer != NULL);
    memset(graph.writer, 0xff, (history->next_value + 1) * sizeof *graph.writer);
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct list_txn *txn = &history->txns[i];
        for (uint32_t k = 0; k < txn->op_count; k++)
            if (txn->ops[k].appended != 0) graph.writer[txn->ops[k].appended] = i;
        check_appends(history, i);
    }
    if (!history->run->violated) final_edges(&graph);
    for (uint32_t i = 0; i < history->txn_count && !history->run->violated; i++) {
        if (history->txns[i].fate != FATE_DONE) continue;
        for (uint32_t k = 0; k < history->txns[i].op_count; k++)
            if (history->txns[i].ops[k].appended == 0) check_read(&graph, i, k);
    }
    if (real_time) real_time_edges(&graph);
    if (!history->run->violated) check_cycles(&graph);
    free(graph.edges);
    free(graph.writer);
}
