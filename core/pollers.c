// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/pollers.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>


struct poller {
    struct pollers *pollers;
    void *(*run)(void *arg);
    void *arg;
    uint32_t seen; // Work, at the last look.
    // Of the wait that it rests in; NULL: it does not. With pollers->lock.
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    struct poller *next;
};

static _Thread_local struct pollers *adopting;
static _Thread_local struct poller *self;

void pollers_init(struct pollers *pollers, const char *name)
{
    *pollers = (struct pollers){.name = name};
    invariant(pthread_mutex_init(&pollers->lock, NULL) == 0);
}

void pollers_fini(struct pollers *pollers)
{
    invariant(pollers->first == NULL);
    pthread_mutex_destroy(&pollers->lock);
}

void pollers_adopt(struct pollers *pollers)
{
    invariant(adopting == NULL);
    adopting = pollers;
}

void pollers_adopt_end(void)
{
    invariant(adopting != NULL);
    adopting = NULL;
}

void pollers_wake(struct pollers *pollers)
{
    struct {
        pthread_cond_t *cond;
        pthread_mutex_t *mutex;
    } found[POLLERS_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&pollers->lock);
    for (const struct poller *poller = pollers->first; poller != NULL; poller = poller->next) {
        if (poller->cond == NULL) continue;
        found[count].cond = poller->cond;
        found[count++].mutex = poller->mutex;
    }
    pthread_mutex_unlock(&pollers->lock);
    // The library's mutex comes before ours: see rest_begin. Whoever holds it has not begun to wait yet.
    for (uint32_t i = 0; i < count; i++) {
        pthread_mutex_lock(found[i].mutex);
        pthread_cond_broadcast(found[i].cond);
        pthread_mutex_unlock(found[i].mutex);
    }
}

void pollers_hold(struct pollers *pollers)
{
    pthread_mutex_lock(&pollers->lock);
    pollers->held++;
    pthread_mutex_unlock(&pollers->lock);
    pollers_wake(pollers);
}

void pollers_release(struct pollers *pollers)
{
    pthread_mutex_lock(&pollers->lock);
    invariant(pollers->held > 0);
    pollers->held--;
    pthread_mutex_unlock(&pollers->lock);
}

static void poller_forget(struct poller *poller)
{
    struct pollers *pollers = poller->pollers;
    pthread_mutex_lock(&pollers->lock);
    struct poller **link = &pollers->first;
    while (*link != poller) link = &(*link)->next;
    *link = poller->next;
    pthread_mutex_unlock(&pollers->lock);
    free(poller);
}

// --- in the threads --------------------------------------------------------------------------------------

static int64_t ns_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

// Whether this wait may take longer. (A moment of another clock than the monotonic one is no wait of a few seconds.)
static bool rest_begin(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until, struct timespec *later)
{
    struct pollers *pollers = self->pollers;
    uint32_t work = atomic_load_explicit(&pollers->work, memory_order_relaxed);
    bool quiet = work - self->seen < POLLERS_WORK;
    struct timespec now;
    self->seen = work;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t wait_ns = ns_of(until) - ns_of(&now);
    if (!quiet || wait_ns < (int64_t)POLLERS_LEAST_NS || wait_ns > (int64_t)POLLERS_MOST_NS) return false;
    pthread_mutex_lock(&pollers->lock);
    bool rests = pollers->held == 0;
    if (rests) {
        self->cond = cond;
        self->mutex = mutex;
        atomic_fetch_add_explicit(&pollers->resting, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&pollers->lock);
    *later = now;
    later->tv_sec += (time_t)(POLLERS_REST_NS / 1000000000);
    return rests;
}

static void rest_end(void)
{
    struct pollers *pollers = self->pollers;
    pthread_mutex_lock(&pollers->lock);
    self->cond = NULL;
    self->mutex = NULL;
    atomic_fetch_sub_explicit(&pollers->resting, 1, memory_order_relaxed);
    pthread_mutex_unlock(&pollers->lock);
}

static void *poller_main(void *arg)
{
    self = arg;
    struct poller *poller = self;
    pthread_setname_np(pthread_self(), poller->pollers->name);
    void *result = poller->run(poller->arg);
    self = NULL;
    poller_forget(poller);
    return result;
}

// --- in the place of the library's calls: the linker's --wrap ---------------------------------------------------

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg)
{
    struct pollers *pollers = adopting;
    if (pollers == NULL) return __real_pthread_create(thread, attributes, run, arg);
    struct poller *poller = calloc(1, sizeof *poller);
    if (poller == NULL) return ENOMEM;
    *poller = (struct poller){.pollers = pollers, .run = run, .arg = arg};
    uint32_t count = 1;
    pthread_mutex_lock(&pollers->lock);
    for (const struct poller *other = pollers->first; other != NULL; other = other->next) count++;
    invariant(count <= POLLERS_MAX);
    poller->next = pollers->first;
    pollers->first = poller;
    pthread_mutex_unlock(&pollers->lock);
    int ret = __real_pthread_create(thread, attributes, poller_main, poller);
    if (ret != 0) poller_forget(poller);
    return ret;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct timespec later;
    if (self == NULL || !rest_begin(cond, mutex, until, &later))
        return __real_pthread_cond_timedwait(cond, mutex, until);
    int ret = __real_pthread_cond_timedwait(cond, mutex, &later);
    rest_end();
    return ret;
}
