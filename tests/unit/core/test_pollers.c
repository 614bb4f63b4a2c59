// SPDX-License-Identifier: GPL-3.0-or-later
//
// A library's thread that looks for work in vain is let sleep; it looks again when there is work, when its library wakes
// it, and as often as that means it to while somebody counts on it.
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "core/pollers.h"

// A library with a thread that looks from time to time.
static struct pollers pollers;
static pthread_t thread;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond, looked;
static uint64_t looks;
static bool ends;

static void *look(void *arg)
{
    pthread_mutex_lock(&mutex);
    while (!ends) {
        struct timespec until;
        looks++;
        pthread_cond_broadcast(&looked);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)POLLERS_LEAST_NS + 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        // What is read of the clock before the wait is a little later.
        int ret = pthread_cond_timedwait(&cond, &mutex, &until);
        cr_assert(ret == 0 || ret == ETIMEDOUT);
    }
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void setup(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attributes);
    pthread_cond_init(&looked, NULL);
    pollers_init(&pollers, "pollers");
    pollers_adopt(&pollers);
    cr_assert_eq(pthread_create(&thread, NULL, look, NULL), 0);
    pollers_adopt_end();
}
static void teardown(void)
{
    pthread_mutex_lock(&mutex);
    ends = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    pollers_fini(&pollers);
}
TestSuite(pollers, .init = setup, .fini = teardown);

static uint64_t looks_now(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t now = looks;
    pthread_mutex_unlock(&mutex);
    return now;
}
static void await_looks(uint64_t count)
{
    pthread_mutex_lock(&mutex);
    while (looks < count) pthread_cond_wait(&looked, &mutex);
    pthread_mutex_unlock(&mutex);
}
static void await_rest(void)
{
    while (pollers_resting(&pollers) == 0) sched_yield();
}
static void work(uint32_t amount)
{
    for (uint32_t i = 0; i < amount; i++) pollers_worked(&pollers);
}

Test(pollers, who_finds_nothing_rests_until_there_is_work)
{
    await_rest();
    uint64_t before = looks_now();
    work(POLLERS_WORK / 2); // Next to nothing.
    cr_assert_eq(pollers_resting(&pollers), 1);
    cr_assert_eq(looks_now(), before);
    work(POLLERS_WORK);
    await_looks(before + 1);
    await_rest(); // Nothing since.
}

Test(pollers, the_library_wakes_them_as_ever)
{
    await_rest();
    uint64_t before = looks_now();
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    await_looks(before + 1);
}

Test(pollers, while_they_are_held_they_look_as_often_as_they_mean_to)
{
    await_rest();
    uint64_t before = looks_now();
    pollers_hold(&pollers);
    await_looks(before + 3); // Woken once; two more by time.
    cr_assert_eq(pollers_resting(&pollers), 0);
    pollers_release(&pollers);
    await_rest();
}

static void *nothing(void *arg)
{
    struct timespec past = {0};
    pthread_mutex_lock(&mutex);
    cr_assert_eq(pthread_cond_timedwait(&looked, &mutex, &past), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    return arg;
}

Test(pollers, threads_of_others_are_left_alone)
{
    pthread_t other;
    void *result;
    int arg;
    cr_assert_eq(pthread_create(&other, NULL, nothing, &arg), 0);
    cr_assert_eq(pthread_join(other, &result), 0);
    cr_assert_eq(result, (void *)&arg);
}
