// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges go by themselves from cores that have much to do to others. The leader of the meta slice looks every now and
// then at what every slice is asked for; when one core has clearly more to do than another, twice in a row, one range of
// it moves (kv/move.h) to a slice that the other leads. The busiest core is asked first; when it has no range that may
// go, the next is.
//
// Requests of the leader's own node's sessions reach it without a message. If another node led, each would cost the
// session's core about what the request costs its leader, so that a core that is busy with sessions and what they ask for
// gains nothing: a slice gives ranges to other nodes only when at least BALANCE_MOVABLE_PART of what it is asked for comes
// from other nodes, or reads so much that the way to it is no matter. Cores of one node take from one another regardless.
//
// So that nothing goes to and fro:
//   * one range at a time, and none while a move is under way or placement changes members or leaders;
//   * a range goes only when it is at most BALANCE_PART_MOST of the difference: afterwards the difference is at most half
//     of what it was. One range that is all there is to do stays; it is split first (kv/range_upkeep.h);
//   * what has moved rests for BALANCE_REST_WAITS looks, and what an operator has sent somewhere for an hour (as long as
//     the meta slice has the same leader);
//   * what is joined again because it is cold (also kv/range_upkeep.h) is colder by far than what is moved.
// The meta slice gives ranges of virtual clusters away and takes none. A range stays among slices with the same placement (kv/placement.h).
//
// Shard    The owner of slice 1 on the node that leads it; the decisions any. Passes suspend.
// Checked  tests/unit/kv/test_balance.c: the decisions, also that random loads come to rest; tests/sim/scenario_cluster.c;
//          tests/integration/test_moves.py.
#pragma once
#include "kv/kv_node.h"
#include "kv/range.h"

#define BALANCE_WAIT_NS UINT64_C(10000000000) // kv.range_move.by_load.interval
#define BALANCE_RATE_DEFAULT 200u             // kv.range_move.by_load.qps_threshold
#define BALANCE_HOT_MAX 16u
#define BALANCE_RESTED_MAX 64u
#define BALANCE_REST_WAITS 12u
#define BALANCE_RELOCATED_NS UINT64_C(3600000000000)
#define BALANCE_PART_MOST 3 / 4
#define BALANCE_MOVABLE_PART 1 / 4
#define BALANCE_MOVABLE_ROWS 64u // A scan that reads more of them costs its leader much more than the way to it does.
// Below this part of the threshold a range is not worth moving; below a quarter of that it may be joined.
#define BALANCE_RANGE_PART 8u
#define BALANCE_COLD_PART 32u

// --- decisions: pure ---------------------------------------------------------------------------------

struct balance_slice {
    uint64_t id;
    uint32_t node, shard; // Of its leader.
    uint64_t load;        // Requests a second,
    uint64_t movable;     // and of them those that would cost no more if another node led.
    uint64_t core_load;   // Of all slices that its leader's core leads: balance_cores().
    uint32_t ranges;
    uint32_t placement;   // Ranges move between slices that have the same number here.
    bool taking;          // It may get more.
};
struct balance_wish {
    uint32_t from, to; // Indexes into the slices.
    uint64_t gap;      // Between the two cores.
};
// Sums the cores' loads and sorts the slices: the busiest core's first, on a core that with most to do.
void balance_cores(struct balance_slice *slices, uint32_t count);
// The first of the sorted slices, `first` and those after it, that a range should leave, and the one that should have it;
// false: all is well with them.
bool balance_slices(
    const struct balance_slice *slices, uint32_t count, uint64_t threshold, uint32_t first, struct balance_wish *wish);

struct balance_range {
    uint64_t rate;
    bool resting;
};
// Which of the slice's ranges closes the gap best; `count`: none.
uint32_t balance_range(const struct balance_range *ranges, uint32_t count, uint64_t slice_load, uint64_t gap,
    uint64_t threshold);

// --- doing -------------------------------------------------------------------------------------------

struct balance_core {
    uint32_t node, shard;
};
struct balance {
    uint64_t due_ns;
    struct balance_core hot[BALANCE_HOT_MAX]; // What the last look found busy, the busiest first.
    uint32_t hot_count;
    uint32_t rested_next;
    struct {
        uint8_t start[RANGE_SAMPLE_BYTES]; // As much of the range's start as fits.
        uint32_t size;
        uint64_t until_ns;
    } rested[BALANCE_RESTED_MAX];
};
// The range that begins there stays for so long where it is; the oldest such wish is forgotten when there are too many.
void balance_rest(struct balance *balance, struct bytes start, uint64_t until_ns);
bool balance_rests(const struct balance *balance, struct bytes start, uint64_t now_ns);
// One look, when it is due. `busy`: members or leaders are being changed.
CHECKED struct status balance_pass(struct task *task, struct balance *balance, bool busy);
void balance_metrics_register(void);
