// SPDX-License-Identifier: GPL-3.0-or-later
//
// The timing wheel: never early, late by at most a tick, in order, whatever the distance.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/rest.h"
#include "core/timer.h"

#define SECOND 1000000000ull

static uint64_t now_ns;
static uint32_t fired, early, late;
static uint64_t last_deadline_ns;
static bool unordered;

static void note(struct timer *timer)
{
    fired++;
    if (now_ns < timer->deadline_ns) early++;
    if (now_ns > timer->deadline_ns + 2 * TIMER_TICK_NS) late++;
    if (timer->deadline_ns + TIMER_TICK_NS < last_deadline_ns) unordered = true;
    last_deadline_ns = timer->deadline_ns;
}

// The loop of a simulation: time jumps to where the wheel says that something is due.
static void run_all(struct timer_wheel *wheel)
{
    for (uint64_t next; (next = timer_wheel_next_ns(wheel)) != UINT64_MAX;) {
        cr_assert_gt(next, now_ns, "time must go on");
        now_ns = next;
        timer_wheel_advance(wheel, now_ns);
    }
}

Test(timer, fires_once_and_on_time)
{
    static const uint64_t distances[] = {0, 1, TIMER_TICK_NS - 1, TIMER_TICK_NS, TIMER_TICK_NS + 1,
        63ull * TIMER_TICK_NS, 64ull * TIMER_TICK_NS, 65ull * TIMER_TICK_NS, SECOND, 59 * SECOND,
        3600 * SECOND, 86400 * SECOND, 13 * 86400 * SECOND, 14 * 86400 * SECOND,
        400 * 86400 * SECOND};
    static const uint64_t starts[] = {0, 1, 123456789, 64ull * TIMER_TICK_NS - 1,
        (1ull << 50) - 1, (1ull << 50) - TIMER_TICK_NS, 5000000000000000ull};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (size_t j = 0; j < sizeof distances / sizeof distances[0]; j++) {
            struct timer_wheel wheel;
            struct timer timer = {.fire = note};
            now_ns = starts[i];
            timer_wheel_init(&wheel, now_ns);
            timer_wheel_arm(&wheel, &timer, now_ns + distances[j]);
            fired = early = late = 0;
            last_deadline_ns = 0;
            run_all(&wheel);
            cr_expect_eq(fired, 1);
            cr_expect_eq(early, 0, "start %zu distance %zu", i, j);
            cr_expect_eq(late, 0, "start %zu distance %zu", i, j);
            cr_expect_not(timer.armed);
        }
    }
}

Test(timer, many_keep_their_order)
{
    struct timer_wheel wheel;
    enum { COUNT = 20000 };
    struct timer *timers = calloc(COUNT, sizeof *timers);
    now_ns = 987654321;
    timer_wheel_init(&wheel, now_ns);
    srand(1);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t distance = (uint64_t)rand() << (rand() % 14);
        timers[i].fire = note;
        timer_wheel_arm(&wheel, &timers[i], now_ns + distance);
    }
    // A third is taken away, a third is moved.
    for (uint32_t i = 0; i < COUNT; i += 3)
        timer_wheel_disarm(&wheel, &timers[i]);
    for (uint32_t i = 1; i < COUNT; i += 3)
        timer_wheel_arm(&wheel, &timers[i], now_ns + (uint64_t)rand());
    fired = early = late = 0;
    unordered = false;
    last_deadline_ns = 0;
    run_all(&wheel);
    cr_expect_eq(fired, COUNT - (COUNT + 2) / 3);
    cr_expect_eq(early, 0);
    cr_expect_eq(late, 0);
    cr_expect_not(unordered);
    cr_expect_eq(wheel.count, 0);
    free(timers);
}

static struct timer_wheel *shared_wheel;
static struct timer other;

static void disarm_other(struct timer *timer)
{
    (void)timer;
    fired++;
    timer_wheel_disarm(shared_wheel, &other);
}

static void arm_again(struct timer *timer)
{
    if (++fired < 5) timer_wheel_arm(shared_wheel, timer, now_ns + 1);
}

// What fires may take away another timer of the same instant, or arm itself again.
Test(timer, firing_may_change_timers)
{
    struct timer_wheel wheel;
    struct timer first = {.fire = disarm_other};
    shared_wheel = &wheel;
    other.fire = note;
    now_ns = 0;
    timer_wheel_init(&wheel, now_ns);
    timer_wheel_arm(&wheel, &first, SECOND);
    timer_wheel_arm(&wheel, &other, SECOND);
    fired = 0;
    run_all(&wheel);
    cr_expect_eq(fired, 1);
    first.fire = arm_again;
    fired = 0;
    timer_wheel_arm(&wheel, &first, now_ns + 1);
    run_all(&wheel);
    cr_expect_eq(fired, 5);
}

// Time that jumps over many timers fires all of them, in order.
Test(timer, a_jump_fires_all)
{
    struct timer_wheel wheel;
    struct timer timers[100] = {0};
    now_ns = 77;
    timer_wheel_init(&wheel, now_ns);
    for (uint32_t i = 0; i < 100; i++) {
        timers[i].fire = note;
        timer_wheel_arm(&wheel, &timers[i], now_ns + (100 - i) * SECOND / 7);
    }
    now_ns += 1000 * SECOND;
    fired = early = 0;
    unordered = false;
    last_deadline_ns = 0;
    cr_expect_eq(timer_wheel_advance(&wheel, now_ns), 100);
    cr_expect_eq(early, 0);
    cr_expect_not(unordered);
    cr_expect_eq(timer_wheel_next_ns(&wheel), UINT64_MAX);
}

Test(timer, a_sleep_lasts_until_something_fires)
{
    static const uint64_t distances[] = {TIMER_TICK_NS, 70 * TIMER_TICK_NS, SECOND / 4, SECOND,
        SECOND + TIMER_TICK_NS, 5 * SECOND, 3600 * SECOND};
    const uint32_t count = sizeof distances / sizeof distances[0];
    for (uint64_t start = 1; start < 1ull << 60; start = start * 7 + 12345) {
        struct timer_wheel wheel;
        struct timer timers[8] = {0};
        now_ns = start;
        timer_wheel_init(&wheel, now_ns);
        for (uint32_t i = 0; i < count; i++) {
            timers[i].fire = note;
            timer_wheel_arm(&wheel, &timers[i], start + distances[i]);
        }
        for (uint32_t i = 0; i < count; i++) {
            now_ns = timer_wheel_next_ns(&wheel);
            cr_assert_geq(now_ns, timers[i].deadline_ns);
            cr_assert_eq(timer_wheel_advance(&wheel, now_ns), 1, "start %lu", start);
        }
    }
}

static uint64_t mono_now;
static int64_t wall_now;
static uint64_t fake_mono(struct env *env)
{
    (void)env;
    return mono_now;
}
static int64_t fake_wall(struct env *env)
{
    (void)env;
    return wall_now;
}

Test(timer, what_need_not_be_exact_comes_at_beats_of_the_wall_clock_and_never_much_later_than_asked_for)
{
    static const uint64_t delays[] = {1, 100000, 50000000, 250000000, 300000000, SECOND, 7 * SECOND};
    struct env env = {.mono_ns = fake_mono, .wall_ns = fake_wall};
    const struct shard shard = {.env = &env};
    for (mono_now = 1; mono_now < 1ull << 60; mono_now = mono_now * 5 + 999) {
        wall_now = (int64_t)(mono_now * 7 % (1ull << 60));
        for (uint32_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
            uint64_t after = timer_about(&shard, delays[i]) - mono_now;
            cr_assert_gt(after, 0);
            cr_assert_leq(after, delays[i] + delays[i] / 16);
            if (delays[i] < REST_BEAT_NS / 8) cr_assert_eq(after, delays[i]);
            if (delays[i] >= 4 * REST_BEAT_NS) cr_assert_gt(after, delays[i] - delays[i] / 4);
            if (delays[i] >= REST_BEAT_NS) cr_assert_eq(((uint64_t)wall_now + after) % REST_BEAT_NS, 0);
        }
        // However their monotonic clocks differ, all nodes do it at the same time.
        uint64_t at = (uint64_t)wall_now + timer_beat(&shard, 2 * SECOND) - mono_now;
        cr_assert_eq(at % (2 * SECOND), 0);
    }
}

Test(timer, what_comes_at_every_beat_comes_once_at_each)
{
    struct env env = {.mono_ns = fake_mono, .wall_ns = fake_wall};
    const struct shard shard = {.env = &env};
    mono_now = 5;
    wall_now = 123456789;
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t next = timer_beat(&shard, REST_BEAT_NS);
        if (i > 0) cr_assert_geq(next - mono_now, REST_BEAT_NS - REST_BEAT_NS / 16);
        // A little early by the wall clock, which is slewed, or late by the timer's tick.
        wall_now += (int64_t)(next - mono_now) + (i % 3 == 0 ? -20000 : 16000);
        mono_now = next;
    }
}
