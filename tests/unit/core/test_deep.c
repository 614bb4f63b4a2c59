// SPDX-License-Identifier: GPL-3.0-or-later
//
// Work on big stacks of which a task has one for itself: it yields, ends when cancelled, and does without where there is none.
#include "tests/unit/harness.h"

#include "core/deep.h"
#include "core/reactor.h"

#define MORE 3u

struct crowd {
    uint32_t on_stacks, without, ended;
    bool stop;
    struct wait_queue changed;
};

struct dive {
    struct task *task;
    struct crowd *crowd;
    struct status st;
};

static uint32_t recurse(uint32_t depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : 1 + recurse(depth - 1) + (frame[0] == (char)depth ? 0u : 1u);
}

static void dive(void *arg)
{
    struct dive *own = arg;
    if (recurse(20000) != 20000) own->st = status_make(E_INTERNAL, "the stack was overwritten");
    if (own->task->nosuspend_depth > 0) {
        own->crowd->without++;
        return;
    }
    own->crowd->on_stacks++;
    // With nothing else in the way each call of task_poll that is due lets the others run.
    while (!own->crowd->stop && !failed(own->st)) own->st = task_poll(own->task);
    if (recurse(20000) != 20000) own->st = status_make(E_INTERNAL, "the stack was overwritten");
}

static struct status dive_task(struct task *task, void *arg)
{
    struct dive own = {.task = task, .crowd = arg};
    deep_call(task, dive, &own);
    own.crowd->ended++;
    wait_queue_wake_all(&own.crowd->changed, STATUS_OK);
    return own.st;
}

// As many as there are stacks are in the midst of their work at the same time; the others do theirs at once.
NODE_TEST(deep, tasks_yield_on_their_stacks, 1)
{
    struct status st = STATUS_OK;
    struct crowd crowd = {0};
    for (uint32_t i = 0; i < DEEP_STACKS_MAX + MORE; i++) {
        struct task_options options = {.fn = dive_task, .arg = &crowd, .kind = "dive"};
        TRY(task_start(task->shard, &options));
    }
    while (crowd.ended < MORE) TRY(task_wait(task, &crowd.changed));
    CHECK(crowd.on_stacks == DEEP_STACKS_MAX);
    CHECK(crowd.without == MORE && crowd.ended == MORE);
    crowd.stop = true;
    while (crowd.ended < DEEP_STACKS_MAX + MORE) TRY(task_wait(task, &crowd.changed));
    // The stacks are back: the next one gets one.
    struct task_options options = {.fn = dive_task, .arg = &crowd, .kind = "dive"};
    TRY(task_start(task->shard, &options));
    while (crowd.ended < DEEP_STACKS_MAX + MORE + 1) TRY(task_wait(task, &crowd.changed));
    CHECK(crowd.on_stacks == DEEP_STACKS_MAX + 1);
out:
    return st;
}

// A cancelled task learns of it within its deep work.
NODE_TEST(deep, ends_when_cancelled, 1)
{
    struct status st = STATUS_OK;
    struct crowd crowd = {0};
    struct dive own = {.task = task, .crowd = &crowd};
    task_cancel(task, status_make(E_QUERY_CANCELED, "canceled"));
    deep_call(task, dive, &own);
    task_cancel_clear(task);
    CHECK_FAILS(own.st, E_QUERY_CANCELED);
    CHECK(crowd.on_stacks == 1);
out:
    return st;
}

static void dive_twice(void *arg)
{
    struct dive *own = arg;
    deep_call(own->task, dive, own);
}

// What is deep already goes on where it is, and who may not suspend is not made to.
NODE_TEST(deep, nests_and_respects_nosuspend, 1)
{
    struct status st = STATUS_OK;
    struct crowd crowd = {.stop = true};
    struct dive own = {.task = task, .crowd = &crowd};
    deep_call(task, dive_twice, &own);
    CHECK(crowd.on_stacks == 1);
    nosuspend_begin(task);
    task->run_started_ns -= TASK_QUOTA_NS;
    deep_call(task, dive_twice, &own);
    nosuspend_end(task);
    CHECK(crowd.without == 1);
    CHECK(!failed(own.st));
    // Without a task it is a call.
    own.task = task;
    nosuspend_begin(task);
    deep_call(NULL, dive, &own);
    nosuspend_end(task);
    CHECK(crowd.without == 2);
out:
    return st;
}
