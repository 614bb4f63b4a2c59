// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/invariant.h"

#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

#define FRAMES_MAX 48

// The first failure is the one to read: a second one, in the log or in another thread, says nothing
// and only ends the process.
static atomic_flag reported = ATOMIC_FLAG_INIT;

_Noreturn void invariant_failed(const char *condition, const char *file, int line)
{
    if (!atomic_flag_test_and_set(&reported)) {
        void *frames[FRAMES_MAX];
        char text[512];
        int size =
            snprintf(text, sizeof text, "%s:%d: invariant failed: %s\n", file, line, condition);
        if (size > 0) {
            size_t length = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
            if (write(STDERR_FILENO, text, length) < 0) _exit(134);
        }
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
        log_fatal(file, line, "invariant failed: %s", condition);
    }
    abort();
}
