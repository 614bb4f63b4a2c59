// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/timer.h"

#define LOOK_TIMERS_MAX 32u
#define TICKS_MAX (1ull << (TIMER_SLOT_BITS * TIMER_LEVELS))

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct timer_wheel){.now_tick = now_ns >> TIMER_TICK_SHIFT};
    for (uint32_t level = 0; level < TIMER_LEVELS; level++) {
        for (uint32_t slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

// The first tick at which the timer may fire: rounded up, so that it is never early.
static uint64_t timer_tick(const struct timer *timer)
{
    uint64_t tick = timer->deadline_ns >> TIMER_TICK_SHIFT;
    return (timer->deadline_ns & (TIMER_TICK_NS - 1)) == 0 ? tick : tick + 1;
}

// Files the timer at the level of the highest digit in which its tick differs from now: all of a
// level's timers then lie in slots after the current one, so that the lowest set bit is the next.
static void wheel_file(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t tick = timer_tick(timer);
    if (tick <= wheel->now_tick) tick = wheel->now_tick + 1;
    uint64_t difference = tick ^ wheel->now_tick;
    if (difference >= TICKS_MAX) {
        // Beyond the wheel's span: filed at the span's end, and again from there.
        tick = wheel->now_tick | (TICKS_MAX - 1);
        if (tick == wheel->now_tick) tick++;
        difference = tick ^ wheel->now_tick;
    }
    uint32_t level = (uint32_t)(63 - __builtin_clzll(difference)) / TIMER_SLOT_BITS;
    if (level >= TIMER_LEVELS) level = TIMER_LEVELS - 1; // Only in the last tick of the span.
    uint32_t slot = (uint32_t)(tick >> (level * TIMER_SLOT_BITS)) & (TIMER_SLOTS - 1);
    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    wheel->occupied[level] |= 1ull << slot;
    list_append(&wheel->slots[level][slot], &timer->link);
}

void timer_wheel_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ns)
{
    if (timer->armed) timer_wheel_disarm(wheel, timer);
    timer->deadline_ns = deadline_ns;
    timer->armed = true;
    wheel->count++;
    wheel_file(wheel, timer);
}

void timer_wheel_disarm(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer->armed) return;
    timer->armed = false;
    wheel->count--;
    list_remove(&timer->link);
    struct list_link *slot = &wheel->slots[timer->level][timer->slot];
    if (list_empty(slot)) wheel->occupied[timer->level] &= ~(1ull << timer->slot);
}

// The earliest occupied slot's first tick; false when the wheel is empty.
static bool wheel_next(
    const struct timer_wheel *wheel, uint32_t *level_out, uint32_t *slot_out, uint64_t *tick_out)
{
    for (uint32_t level = 0; level < TIMER_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (occupied == 0) continue;
        uint32_t shift = level * TIMER_SLOT_BITS;
        uint32_t current = (uint32_t)(wheel->now_tick >> shift) & (TIMER_SLOTS - 1);
        // Slots at or before the current one can only belong to the next round of the last level.
        uint64_t later = current == TIMER_SLOTS - 1 ? 0 : occupied & (~0ull << (current + 1));
        uint32_t slot = (uint32_t)__builtin_ctzll(later != 0 ? later : occupied);
        uint64_t round = wheel->now_tick >> (shift + TIMER_SLOT_BITS);
        if (later == 0) round++;
        *level_out = level;
        *slot_out = slot;
        *tick_out = (round << (shift + TIMER_SLOT_BITS)) | ((uint64_t)slot << shift);
        return true;
    }
    return false;
}

uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns)
{
    uint64_t target = now_ns >> TIMER_TICK_SHIFT;
    uint32_t fired = 0;
    uint32_t level, slot;
    uint64_t tick;

    while (wheel_next(wheel, &level, &slot, &tick) && tick <= target) {
        wheel->now_tick = tick;
        wheel->occupied[level] &= ~(1ull << slot);
        struct list_link due = {0};
        list_splice(&due, &wheel->slots[level][slot]);
        // A fire function may disarm a timer that is still in `due`: its slot's bit is then cleared
        // for nothing, which the refiling below sets again where needed.
        struct list_link *link;
        while ((link = list_pop(&due)) != NULL) {
            struct timer *timer = container_of(link, struct timer, link);
            if (timer_tick(timer) > wheel->now_tick) {
                wheel_file(wheel, timer);
                continue;
            }
            timer->armed = false;
            wheel->count--;
            fired++;
            timer->fire(timer);
        }
    }
    if (target > wheel->now_tick) wheel->now_tick = target;
    return fired;
}

uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel)
{
    uint32_t level, slot;
    uint64_t tick;
    if (!wheel_next(wheel, &level, &slot, &tick)) return UINT64_MAX;
    if (level == 0) return tick << TIMER_TICK_SHIFT;
    // Whoever sleeps until the slot begins does so once a level. All of lower levels and slots are earlier than the rest.
    uint64_t first = UINT64_MAX;
    uint32_t seen = 0;
    const struct list_link *head = &wheel->slots[level][slot];
    for (const struct list_link *at = head->next; at != head; at = at->next) {
        if (++seen > LOOK_TIMERS_MAX) return tick << TIMER_TICK_SHIFT;
        uint64_t due = timer_tick(container_of(at, struct timer, link));
        if (due < first) first = due;
    }
    // One beyond the wheel's span is filed at its end.
    return (first > tick ? first : tick) << TIMER_TICK_SHIFT;
}
