// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/background.h"

#include "core/shard.h"

static struct status background_main(struct task *task, void *arg)
{
    struct background *background = arg;
    background->task = task;
    return background->fn(task, background->arg);
}

static void background_ended(struct task *task, struct status st, void *arg)
{
    struct background *background = arg;
    (void)task;
    (void)st;
    background->task = NULL;
    background->running = false;
    wait_queue_wake_all(&background->ended, STATUS_OK);
}

struct status background_start(struct shard *shard, struct background *background, task_fn fn,
    void *arg, const char *kind)
{
    *background = (struct background){.fn = fn, .arg = arg};
    wait_queue_init(&background->work);
    wait_queue_init(&background->ended);
    const struct task_options options = {.fn = background_main,
        .arg = background,
        .kind = kind,
        .class = TASK_BULK,
        .ended = background_ended,
        .ended_arg = background};
    struct status st = task_start(shard, &options);
    background->running = !failed(st);
    return st;
}

void background_stop(struct task *task, struct background *background)
{
    background->stopping = true;
    bool cancelled = task->cancelled;
    struct status because = task->cancel_status;
    if (cancelled) task_cancel_clear(task); // It waits while it cleans up.
    if (background->task != NULL)
        task_cancel(background->task, status_make(E_ADMIN_SHUTDOWN, "the node stops"));
    while (background->running) {
        struct status st = task_wait(task, &background->ended);
        if (failed(st) && background->running) task_cancel_clear(task);
    }
    if (cancelled) task_cancel(task, because);
}
