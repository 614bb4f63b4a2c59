// SPDX-License-Identifier: GPL-3.0-or-later
//
// What clients did and saw, and whether a correct database could have answered so. Knows nothing of
// storage: a scenario records, then checks.
//
//   appends    transactions over lists; every appended value is unique, so a list read tells who
//              wrote before whom. Serializable: the graph of dependencies has no cycle.
//   registers  writes of unique values and reads, with real time. Linearizable: each value's
//              operations have a moment between their beginnings and ends.
//   Source     Kingsbury, Alvaro, "Elle", 2020; Gibbons, Korach, "Testing Shared Memories", 1997.
//
// Memory   All of it in the run's arena.
#pragma once
#include "tests/sim/sim.h"

enum fate {
    FATE_UNKNOWN, // Nobody saw its end, or 40003: it may be there or not.
    FATE_DONE,    // Acknowledged.
    FATE_VOID,    // Refused: no trace of it may ever be seen.
};

// --- lists ---------------------------------------------------------------------------------------

#define HISTORY_LISTS_MAX 16u
#define HISTORY_TXN_OPS_MAX 6u

struct list_op {
    uint32_t list;
    uint32_t appended; // Not 0: this value was appended.
    uint32_t *read;    // Otherwise: what was seen. In the arena.
    uint32_t read_count;
};
struct list_txn {
    enum fate fate;
    uint32_t op_count;
    struct list_op ops[HISTORY_TXN_OPS_MAX];
    uint64_t began_ns, ended_ns;
};
struct list_history {
    struct sim_run *run;
    uint32_t list_count, txn_count, txn_capacity;
    struct list_txn *txns;
    uint32_t next_value;
    uint32_t *final[HISTORY_LISTS_MAX]; // As read when all was over.
    uint32_t final_count[HISTORY_LISTS_MAX];
};
void list_history_init(struct list_history *history, struct sim_run *run, uint32_t lists, uint32_t txns);
struct list_txn *list_txn_begin(struct list_history *history); // NULL: no room.
void list_note_read(struct list_history *history, struct list_txn *txn, uint32_t list,
    const void *values, size_t size);
uint32_t list_note_append(struct list_history *history, struct list_txn *txn, uint32_t list);
void list_note_final(struct list_history *history, uint32_t list, const void *values, size_t size);
// `real_time`: what began after another's end comes after it, also over different keys.
void list_history_check(struct list_history *history, bool real_time);

// --- registers -----------------------------------------------------------------------------------

#define HISTORY_REGISTERS_MAX 8u

struct register_op {
    uint32_t key;
    bool write;
    enum fate fate; // Of a read: DONE, or it counts for nothing.
    uint64_t value; // 0: never written.
    uint64_t began_ns, ended_ns;
};
struct register_history {
    struct sim_run *run;
    uint32_t op_count, op_capacity;
    struct register_op *ops;
    uint64_t next_value;
};
void register_history_init(struct register_history *history, struct sim_run *run, uint32_t ops);
struct register_op *register_op_begin(struct register_history *history); // NULL: no room.
void register_history_check(struct register_history *history);
