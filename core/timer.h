// SPDX-License-Identifier: GPL-3.0-or-later
//
// A hierarchical timing wheel: arming and disarming cost a few instructions whatever the number of
// timers. One wheel a shard; code above core uses timer_arm and timer_disarm (core/shard.h).
//
// Shard    Owned by one shard.
// Time     Monotonic nanoseconds. A timer never fires early, and at most TIMER_TICK_NS late (plus the
//          length of a turn). Timers of one tick fire in the order in which they were armed.
// Memory   struct timer is embedded in its owner. Nothing here allocates.
// Source   Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/list.h"

#define TIMER_TICK_SHIFT 14
#define TIMER_TICK_NS (1u << TIMER_TICK_SHIFT) // 16 us
#define TIMER_SLOT_BITS 6
#define TIMER_SLOTS (1u << TIMER_SLOT_BITS)
#define TIMER_LEVELS 6 // 64^6 ticks: 13 days; what is further off is filed again then.

// `fire` runs on the shard, not in a task, with the timer disarmed; it must not suspend. It may arm
// the timer again.
struct timer {
    uint64_t deadline_ns;
    void (*fire)(struct timer *timer);
    void *arg;
    struct list_link link;
    bool armed;
    uint8_t level, slot;
};

struct timer_wheel {
    uint64_t now_tick;
    uint32_t count;
    uint64_t occupied[TIMER_LEVELS]; // A bit a slot.
    struct list_link slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns);
void timer_wheel_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ns);
void timer_wheel_disarm(struct timer_wheel *wheel, struct timer *timer);
// Fires what is due at `now_ns`; returns how many.
uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns);
// A time not after the next deadline at which timer_wheel_advance has work; UINT64_MAX when empty.
uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel);
