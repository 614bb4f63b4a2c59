// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mark.h"

#include <string.h>

#include "core/hash.h"

#ifdef ISOPOD_FAULT_POINTS

#define ACTIVE_ONE_IN 4u
#define FIRES_ONE_IN 4u

bool marks_on;
bool (*marks_refuse_memory)(void);
void (*marks_take_memory)(void);
static bool bending, held;
static const char *left_out, *insisted;
static uint64_t run_seed, run_number, draws;

// The linker's names for the section's ends.
extern struct mark *const __start_isopod_marks[] __attribute__((weak));
extern struct mark *const __stop_isopod_marks[] __attribute__((weak));

void mark_reached(struct mark *mark)
{
    if (!held) mark->reached++;
}

bool mark_maybe(struct mark *mark)
{
    if (!held && insisted != NULL && strcmp(insisted, mark->tag) == 0) {
        mark->reached++;
        return true;
    }
    if (!bending || held) return false;
    if (mark->run != run_number) {
        mark->run = run_number;
        mark->active =
            hash_bytes_seed(bytes_of_string(mark->tag), run_seed) % ACTIVE_ONE_IN == 0 &&
            (left_out == NULL || strcmp(left_out, mark->tag) != 0);
    }
    if (!mark->active || hash_combine(run_seed, ++draws) % FIRES_ONE_IN != 0) return false;
    mark->reached++;
    return true;
}

void marks_begin(uint64_t seed, bool bend)
{
    marks_on = true;
    bending = bend;
    insisted = NULL;
    run_seed = seed;
    run_number++;
    draws = 0;
}

void marks_bend_stop(void)
{
    bending = false;
}

void marks_hold(bool hold)
{
    held = hold;
}

void marks_leave_out(const char *tag)
{
    left_out = tag;
}

void marks_insist(const char *tag)
{
    insisted = tag;
}

void marks_watch_memory(bool (*refuse)(void), void (*take)(void))
{
    marks_refuse_memory = refuse;
    marks_take_memory = take;
}

void marks_end(void)
{
    marks_on = bending = held = false;
}

uint32_t marks_count(void)
{
    return (uint32_t)(__stop_isopod_marks - __start_isopod_marks);
}

struct mark *marks_at(uint32_t index)
{
    return __start_isopod_marks[index];
}

#else

void marks_begin(uint64_t seed, bool bend)
{
    (void)seed;
    (void)bend;
}

void marks_bend_stop(void)
{
}

void marks_hold(bool hold)
{
    (void)hold;
}

void marks_leave_out(const char *tag)
{
    (void)tag;
}

void marks_insist(const char *tag)
{
    (void)tag;
}

void marks_watch_memory(bool (*refuse)(void), void (*take)(void))
{
    (void)refuse;
    (void)take;
}

void marks_end(void)
{
}

uint32_t marks_count(void)
{
    return 0;
}

struct mark *marks_at(uint32_t index)
{
    (void)index;
    return (struct mark *)0;
}

#endif
