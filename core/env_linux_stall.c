// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stall detector: what a task did that kept its shard for too long.
//
// A watchdog thread looks at what each shard is doing. A task that has run for STALL_TRACE_NS gets its
// shard's thread a signal, whose handler notes the stack; when the task gives way, the time goes into a
// histogram and the stack into the log. While all shards sleep the watchdog hardly runs.
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/env_linux.h"
#include "core/log.h"
#include "core/metrics.h"

#define STALL_TRACE_NS 10000000ull
#define WATCH_BUSY_NS 5000000ull
#define WATCH_IDLE_NS 100000000ull
#define WATCH_REST_NS 900000000ull // When nobody has done anything for some looks.
#define WATCH_REST_LOOKS 10u
#define LOG_INTERVAL_NS 1000000000ull
#define SIGNAL_STACK_BYTES (64u << 10)
#define TEXT_BYTES 2048u

METRIC_DEFINE(metric_stall, "shard.task.stall", METRIC_HISTOGRAM, METRIC_NANOSECONDS, false,
    "Runs of a task over 1 ms without giving way");

// --- on the shard's thread --------------------------------------------------------------------------

static void on_stall(int number)
{
    (void)number;
    int saved_errno = errno;
    struct shard *shard = shard_self();
    if (shard != NULL) {
        struct linux_shard *linux_shard = linux_shard_of(shard);
        linux_shard->stall_frames = backtrace(linux_shard->stall_stack, STALL_FRAMES_MAX);
    }
    errno = saved_errno;
}

// The handler must not run on a fiber's small stack. Sanitizers have put a stack of their own there.
void linux_stall_thread_begin(struct linux_shard *linux_shard)
{
#ifndef ISOPOD_ASAN
    linux_shard->signal_stack = malloc(SIGNAL_STACK_BYTES);
    invariant(linux_shard->signal_stack != NULL);
    stack_t stack = {.ss_sp = linux_shard->signal_stack, .ss_size = SIGNAL_STACK_BYTES};
    (void)sigaltstack(&stack, NULL);
#endif
    // Loads what unwinding needs, which a handler could not.
    (void)backtrace(linux_shard->stall_stack, STALL_FRAMES_MAX);
    linux_shard->stall_frames = 0;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void linux_stall_thread_end(struct linux_shard *linux_shard)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (linux_shard->signal_stack == NULL) return;
    stack_t stack = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&stack, NULL);
    free(linux_shard->signal_stack);
    linux_shard->signal_stack = NULL;
}

// The frames between the handler and the task's beginning, as "name+offset" where there are names.
static void stack_describe(struct linux_shard *linux_shard, char text[TEXT_BYTES])
{
    text[0] = 0;
    char **names = backtrace_symbols(linux_shard->stall_stack, linux_shard->stall_frames);
    if (names == NULL) return;
    size_t used = 0;
    // The first two are the handler and the signal's return.
    for (int i = 2; i < linux_shard->stall_frames; i++) {
        const char *name = strrchr(names[i], '/');
        name = name != NULL ? name + 1 : names[i];
        int written = snprintf(text + used, TEXT_BYTES - used, "%s%s", i > 2 ? " < " : "", name);
        if (written < 0 || (size_t)written >= TEXT_BYTES - used) break;
        used += (size_t)written;
    }
    free(names);
}

void linux_task_stalled(struct env *env, struct shard *shard, struct task *task, uint64_t ran_ns)
{
    (void)env;
    struct linux_shard *linux_shard = linux_shard_of(shard);
    metric_record(&metric_stall, 0, ran_ns);
    if (ran_ns < STALL_TRACE_NS) return;
    uint64_t now_ns = linux_mono_now_ns();
    if (now_ns - linux_shard->stall_logged_ns >= LOG_INTERVAL_NS) {
        linux_shard->stall_logged_ns = now_ns;
        char *text = malloc(TEXT_BYTES);
        invariant(text != NULL);
        text[0] = 0;
        if (linux_shard->stall_frames > 0) stack_describe(linux_shard, text);
        log_warning(task->tenant, "task %s kept the shard for %.1f ms%s%s", task->kind,
            (double)ran_ns / 1e6, text[0] != 0 ? ", at 10 ms in: " : "", text);
        free(text);
    }
    linux_shard->stall_frames = 0;
}

// --- the watchdog -----------------------------------------------------------------------------------

static bool watch_once(struct linux_env *owner)
{
    bool busy = false;
    uint64_t now_ns = linux_mono_now_ns();
    for (uint32_t i = 0; i < owner->options.shard_count; i++) {
        struct linux_shard *linux_shard = &owner->shards[i];
        if (mailbox_sleeping(linux_shard->mailbox)) continue;
        busy = true;
        uint64_t since_ns = reactor_running_since(linux_shard->shard);
        if (since_ns == 0 || since_ns == linux_shard->stall_seen_ns) continue;
        if (now_ns < since_ns + STALL_TRACE_NS) continue;
        linux_shard->stall_seen_ns = since_ns;
        pthread_kill(linux_shard->thread, SIGURG);
    }
    return busy;
}

static void *watchdog_main(void *arg)
{
    struct linux_env *owner = arg;
    pthread_mutex_lock(&owner->watchdog_lock);
    uint32_t idle_looks = 0;
    while (!owner->watchdog_stop) {
        uint64_t wait_ns = WATCH_BUSY_NS;
        if (watch_once(owner)) {
            idle_looks = 0;
        } else if (++idle_looks < WATCH_REST_LOOKS) {
            wait_ns = WATCH_IDLE_NS;
        } else {
            wait_ns = WATCH_REST_NS;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)wait_ns;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&owner->watchdog_wake, &owner->watchdog_lock, &until);
    }
    pthread_mutex_unlock(&owner->watchdog_lock);
    return NULL;
}

void linux_watchdog_start(struct linux_env *owner)
{
    struct sigaction action = {.sa_handler = on_stall, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
    metric_register(&metric_stall);
    pthread_mutex_init(&owner->watchdog_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&owner->watchdog_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    owner->watchdog_stop = false;
    owner->watchdog_started =
        pthread_create(&owner->watchdog, NULL, watchdog_main, owner) == 0;
}

// Before any shard's thread ends.
void linux_watchdog_stop(struct linux_env *owner)
{
    if (!owner->watchdog_started) return;
    pthread_mutex_lock(&owner->watchdog_lock);
    owner->watchdog_stop = true;
    pthread_cond_signal(&owner->watchdog_wake);
    pthread_mutex_unlock(&owner->watchdog_lock);
    pthread_join(owner->watchdog, NULL);
    pthread_mutex_destroy(&owner->watchdog_lock);
    pthread_cond_destroy(&owner->watchdog_wake);
    owner->watchdog_started = false;
}
