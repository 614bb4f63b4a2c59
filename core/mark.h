// SPDX-License-Identifier: GPL-3.0-or-later
//
// Marks: points of the code that simulation counts, or bends.
//
//     covered("lease.tail_refused");              // An interesting branch: some seed must reach it.
//     if (SIM_MAYBE("log.tiny_batch")) most = 1;  // A rare path, taken more often under simulation.
//
// A site of SIM_MAYBE is active in a quarter of the runs, and fires in a quarter of its visits then. Both are
// nothing at all in builds without fault points (CMake preset release), and do nothing in the others
// unless a simulation runs. `sim --marks` lists the marks that no seed reached.
//
// Shard    Under simulation there is one thread; outside nothing is written.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct mark {
    const char *tag;
    uint64_t reached; // Of SIM_MAYBE: how often it fired.
    uint64_t run;     // When `active` was drawn.
    bool active;
};

#ifdef ISOPOD_FAULT_POINTS

extern bool marks_on; // A simulation runs.
void mark_reached(struct mark *mark);
bool mark_maybe(struct mark *mark);

// A pointer to each mark lies in a section of its own, so that those never reached are known, too.
#define MARK_DEFINE(mark_tag)                                                                      \
    static struct mark mark_here = {(mark_tag), 0, 0, false};                                      \
    static struct mark *const mark_listed __attribute__((section("isopod_marks"), used)) =         \
        &mark_here

#define covered(mark_tag)                                                                          \
    do {                                                                                           \
        MARK_DEFINE(mark_tag);                                                                     \
        if (__builtin_expect(marks_on, 0)) mark_reached(&mark_here);                               \
    } while (0)
#define SIM_MAYBE(mark_tag)                                                                        \
    __extension__({                                                                                \
        MARK_DEFINE(mark_tag);                                                                     \
        __builtin_expect(marks_on, 0) && mark_maybe(&mark_here);                                   \
    })

// Whether accounted memory is refused now although there is some; NULL: no simulation says so.
extern bool (*marks_refuse_memory)(void);
// Told of each block of memory that an arena takes. May not return.
extern void (*marks_take_memory)(void);
#define memory_is_taken()                                                                          \
    do {                                                                                           \
        if (__builtin_expect(marks_take_memory != (void *)0, 0)) marks_take_memory();              \
    } while (0)
#define memory_is_refused() (__builtin_expect(marks_refuse_memory != (void *)0, 0) && marks_refuse_memory())

#else

#define memory_is_taken() ((void)0)
#define memory_is_refused() false
#define covered(mark_tag) ((void)0)
#define SIM_MAYBE(mark_tag) false

#endif

// --- for the simulator ---------------------------------------------------------------------------

// A run begins: draws which sites of SIM_MAYBE are active. With `bend` false none is.
void marks_begin(uint64_t seed, bool bend);
void marks_bend_stop(void); // From now on no SIM_MAYBE fires.
void marks_hold(bool hold);  // While it is held none fires, nor is any mark reached.
void marks_leave_out(const char *tag); // Of SIM_MAYBE: never fires in this process.
void marks_insist(const char *tag);    // Of SIM_MAYBE: fires at each visit, until the next run begins; NULL: none does any more.
// Who is asked whether memory is refused, and told of what is taken (above); NULL: nobody.
void marks_watch_memory(bool (*refuse)(void), void (*take)(void));
void marks_end(void);
uint32_t marks_count(void); // 0 in builds without fault points.
struct mark *marks_at(uint32_t index);
