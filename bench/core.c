// SPDX-License-Identifier: GPL-3.0-or-later
//
// Micro benchmarks of the runtime: what a fiber switch, a task, a call to another shard, a timer and a
// durable log append cost. Prints a table; takes no options. The log goes to $TMPDIR or /tmp.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/fiber.h"
#include "core/invariant.h"
#include "core/log_writer.h"
#include "core/net.h"
#include "core/reactor.h"
#include "core/shard.h"

static void report(const char *what, uint64_t count, uint64_t ns)
{
    printf("%-44s %12llu %12.1f ns %14.0f /s\n", what, (unsigned long long)count,
        (double)ns / (double)count, (double)count * 1e9 / (double)ns);
}

static uint64_t now_ns(struct task *task)
{
    return task->shard->env->mono_ns(task->shard->env);
}

// --- fibers and tasks -------------------------------------------------------------------------------

static void bounce(struct fiber *fiber)
{
    for (;;)
        fiber_suspend(fiber);
}

static struct status bench_fiber(struct task *task)
{
    struct fiber fiber;
    struct status st = fiber_init(&fiber, 64u << 10, bounce);
    if (failed(st)) return st;
    const uint64_t count = 10000000;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count; i++)
        fiber_resume(&fiber);
    report("fiber: resume and suspend", count, now_ns(task) - start_ns);
    fiber_fini(&fiber);
    return STATUS_OK;
}

static struct status bench_yield(struct task *task)
{
    struct status st = STATUS_OK;
    const uint64_t count = 1000000;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count; i++)
        TRY(task_yield(task));
    report("task: yield, a whole reactor turn", count, now_ns(task) - start_ns);
out:
    return st;
}

struct starter {
    struct wait_queue done;
    uint64_t ended;
};

static struct status do_nothing(struct task *task, void *arg)
{
    (void)task;
    (void)arg;
    return STATUS_OK;
}

static void note_end(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct starter *starter = arg;
    starter->ended++;
    wait_queue_wake_all(&starter->done, STATUS_OK);
}

static struct status bench_start(struct task *task)
{
    struct status st = STATUS_OK;
    struct starter starter = {0};
    const uint64_t count = 1000000;
    const uint64_t batch = 64;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count / batch; i++) {
        for (uint64_t j = 0; j < batch; j++) {
            struct task_options options = {.fn = do_nothing,
                .kind = "nothing",
                .tenant = 1 + j % 4,
                .ended = note_end,
                .ended_arg = &starter};
            TRY(task_start(task->shard, &options));
        }
        while (starter.ended < (i + 1) * batch)
            TRY(task_wait(task, &starter.done));
    }
    report("task: start, run, end (64 at a time)", count / batch * batch, now_ns(task) - start_ns);
out:
    return st;
}

static void timer_nothing(struct timer *timer)
{
    (void)timer;
}

static struct status bench_timer(struct task *task)
{
    struct timer timer = {.fire = timer_nothing};
    const uint64_t count = 10000000;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count; i++) {
        timer_arm(task->shard, &timer, start_ns + 1000000000 + i * 1000);
        timer_disarm(task->shard, &timer);
    }
    report("timer: arm and disarm", count, now_ns(task) - start_ns);
    return STATUS_OK;
}

// --- calls ------------------------------------------------------------------------------------------

static struct status bench_call_one(struct task *task)
{
    struct status st = STATUS_OK;
    const uint64_t count = 100000;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count; i++)
        TRY(shard_call(task, 1, do_nothing, NULL));
    report("shard_call: one caller, sleeping target", count, now_ns(task) - start_ns);
out:
    return st;
}

static struct status call_many(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    uint64_t *count = arg;
    for (uint64_t i = 0; i < *count; i++)
        TRY(shard_call(task, 1, do_nothing, NULL));
out:
    return st;
}

static struct status bench_call_busy(struct task *task)
{
    struct status st = STATUS_OK;
    struct starter starter = {0};
    uint64_t each = 20000;
    const uint64_t callers = 64;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < callers; i++) {
        struct task_options options = {.fn = call_many,
            .arg = &each,
            .kind = "caller",
            .ended = note_end,
            .ended_arg = &starter};
        TRY(task_start(task->shard, &options));
    }
    while (starter.ended < callers)
        TRY(task_wait(task, &starter.done));
    report("shard_call: 64 callers", callers * each, now_ns(task) - start_ns);
out:
    return st;
}

static void helper_nothing(void *arg)
{
    (void)arg;
}

static struct status bench_helper(struct task *task)
{
    struct status st = STATUS_OK;
    const uint64_t count = 20000;
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < count; i++)
        TRY(helper_call(task, helper_nothing, NULL));
    report("helper_call", count, now_ns(task) - start_ns);
out:
    return st;
}

// --- connections ------------------------------------------------------------------------------------

static void echo_input(struct conn *conn)
{
    struct bytes input = conn_input(conn);
    conn_write(conn, input.data, input.size);
    conn_consume(conn, input.size);
    conn_flush(conn);
    if (conn_ended(conn)) conn_close(conn);
}

static const struct conn_handler echo_handler = {echo_input};

static void echo_accept(struct listener *listener, struct conn *conn)
{
    (void)listener;
    conn_set_handler(conn, &echo_handler, NULL);
}

static struct status echo_listen(struct task *task, void *arg)
{
    struct listener_options options = {
        .address = "127.0.0.1:0", .input_bytes_max = 64u << 10, .on_accept = echo_accept};
    return net_listen(task, &options, arg);
}

struct pinger {
    const char *address;
    uint64_t count;
};

static struct status ping_loop(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct pinger *pinger = arg;
    struct conn *conn = NULL;
    uint8_t message[100] = {1};
    TRY(net_connect(task, pinger->address, 64u << 10, &conn));
    for (uint64_t i = 0; i < pinger->count; i++) {
        conn_write(conn, message, sizeof message);
        conn_flush(conn);
        TRY(conn_wait_input(task, conn, sizeof message));
        conn_consume(conn, sizeof message);
    }
out:
    if (conn != NULL) conn_close(conn);
    return st;
}

static struct status bench_net(struct task *task, uint64_t conns, uint64_t each)
{
    struct status st = STATUS_OK;
    struct starter starter = {0};
    struct listener *listener = NULL;
    char label[64];
    TRY(shard_call(task, 1, echo_listen, &listener));
    struct pinger pinger = {listener_address(listener), each};
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < conns; i++) {
        struct task_options options = {.fn = ping_loop,
            .arg = &pinger,
            .kind = "pinger",
            .ended = note_end,
            .ended_arg = &starter};
        TRY(task_start(task->shard, &options));
    }
    while (starter.ended < conns)
        TRY(task_wait(task, &starter.done));
    snprintf(label, sizeof label, "net: 100-byte round trip, %llu connections",
        (unsigned long long)conns);
    report(label, conns * each, now_ns(task) - start_ns);
out:
    return st;
}

// --- the log ----------------------------------------------------------------------------------------

struct appender {
    struct log_writer *log;
    struct log_append append;
    struct wait_queue durable;
    uint64_t count;
    struct status st;
    bool done;
};

static void appended(struct log_append *append, struct status st)
{
    struct appender *appender = container_of(append, struct appender, append);
    appender->st = st;
    appender->done = true;
    wait_queue_wake_all(&appender->durable, STATUS_OK);
}

static struct status append_loop(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct appender *appender = arg;
    uint8_t payload[100] = {1};
    for (uint64_t i = 0; i < appender->count; i++) {
        appender->done = false;
        appender->append = (struct log_append){
            .record = {.stream = 1, .index = i, .payload = {payload, sizeof payload}},
            .durable = appended};
        TRY(log_writer_append(appender->log, &appender->append));
        while (!appender->done)
            TRY(task_wait(task, &appender->durable));
        TRY(appender->st);
    }
out:
    return st;
}

static struct status bench_log(struct task *task, const char *dir, uint64_t writers, uint64_t each)
{
    struct status st = STATUS_OK;
    struct starter starter = {0};
    char label[64];
    struct appender *appenders = ARENA_ARRAY(task->arena, struct appender, writers);
    struct log_writer_options options = {.dir = dir};
    struct log_writer *log;
    TRY(log_writer_open(task, &options, NULL, NULL, &log));
    TRY(task_sleep(task, 300000000)); // The following segment is prepared.
    uint64_t start_ns = now_ns(task);
    for (uint64_t i = 0; i < writers; i++) {
        appenders[i].log = log;
        appenders[i].count = each;
        struct task_options task_options = {.fn = append_loop,
            .arg = &appenders[i],
            .kind = "appender",
            .ended = note_end,
            .ended_arg = &starter};
        TRY(task_start(task->shard, &task_options));
    }
    while (starter.ended < writers)
        TRY(task_wait(task, &starter.done));
    snprintf(label, sizeof label, "log: 100-byte append, durable, %llu writers",
        (unsigned long long)writers);
    report(label, writers * each, now_ns(task) - start_ns);
    TRY(log_writer_close(task, log));
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    const char *dir = arg;
    struct status st = STATUS_OK;
    struct node *node = task->shard->node;
    printf("%-44s %12s %15s %17s\n", "what", "count", "each", "rate");
    TRY(bench_fiber(task));
    TRY(bench_timer(task));
    TRY(bench_yield(task));
    TRY(bench_start(task));
    TRY(bench_call_one(task));
    TRY(bench_call_busy(task));
    TRY(bench_helper(task));
    TRY(bench_net(task, 1, 20000));
    TRY(bench_net(task, 64, 5000));
    TRY(bench_log(task, dir, 1, 5000));
    TRY(bench_log(task, dir, 16, 2000));
    TRY(bench_log(task, dir, 256, 500));
out:
    node_stop(node);
    return st;
}

int main(void)
{
    return bench_node(&(struct node_options){.id = 1, .shard_count = 2, .pin = true}, run);
}
