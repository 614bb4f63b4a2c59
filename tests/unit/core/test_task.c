// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tasks: waiting, cancelling, deadlines, calls to other shards and to helpers.
#include "tests/unit/harness.h"

#include <signal.h>
#include <string.h>

#include "core/metrics.h"
#include "core/reactor.h"
#include "core/work.h"

#define MS 1000000ull

NODE_TEST(task, runs_and_returns, 1)
{
    struct status st = STATUS_OK;
    CHECK(task->shard->index == 0);
    CHECK(task_current() == task);
    CHECK(arena_alloc(task->arena, 100) != NULL);
out:
    return st;
}


static struct status fail(struct task *task, void *arg)
{
    (void)arg;
    return status_format(task->arena, E_DISK_FULL, "no room on shard %u", task->shard->index);
}

Test(task, failure_of_init_is_the_nodes)
{
    struct status st = node_test(2, fail, NULL);
    cr_assert_eq(st.code, E_DISK_FULL);
    cr_assert_str_eq(st.message, "no room on shard 0");
}

struct order {
    struct wait_queue queue;
    char text[32];
    uint32_t waiting, ended;
    struct wait_queue all_ended;
};

struct member {
    struct order *order;
    char name;
};

static struct status wait_and_note(struct task *task, void *arg)
{
    struct member *member = arg;
    member->order->waiting++;
    struct status st = task_wait(task, &member->order->queue);
    strncat(member->order->text, &member->name, 1);
    return st;
}

static void member_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    struct order *order = arg;
    order->ended++;
    wait_queue_wake_all(&order->all_ended, STATUS_OK);
}

// Waiters wake in the order in which they came.
NODE_TEST(task, queues_are_fifo, 1)
{
    struct status st = STATUS_OK;
    struct order order = {0};
    struct member members[3] = {{&order, 'a'}, {&order, 'b'}, {&order, 'c'}};
    for (int i = 0; i < 3; i++) {
        struct task_options options = {.fn = wait_and_note,
            .arg = &members[i],
            .kind = "test",
            .ended = member_ended,
            .ended_arg = &order};
        TRY(task_start(task->shard, &options));
    }
    while (order.waiting < 3)
        TRY(task_yield(task));
    CHECK(wait_queue_wake_one(&order.queue, STATUS_OK));
    while (order.text[0] == '\0')
        TRY(task_yield(task));
    CHECK(strcmp(order.text, "a") == 0);
    wait_queue_wake_all(&order.queue, STATUS_OK);
    while (order.ended < 3)
        TRY(task_wait(task, &order.all_ended));
    CHECK(strcmp(order.text, "abc") == 0);
    CHECK(!wait_queue_wake_one(&order.queue, STATUS_OK));
out:
    return st;
}

NODE_TEST(task, waits_end_at_deadlines, 1)
{
    struct status st = STATUS_OK;
    struct wait_queue queue = {0};
    uint64_t before = task_now_ns(task);
    struct status late = status_make(E_LOCK_NOT_AVAILABLE, "late");
    CHECK_FAILS(task_wait_until(task, &queue, before + 2 * MS, late), E_LOCK_NOT_AVAILABLE);
    CHECK(task_now_ns(task) >= before + 2 * MS);
    CHECK(wait_queue_empty(&queue));
    // The task's own deadline is the statement's timeout.
    task->deadline_ns = task_now_ns(task) + MS;
    CHECK_FAILS(task_wait(task, &queue), E_QUERY_CANCELED);
    CHECK_FAILS(task_sleep(task, 1), E_QUERY_CANCELED);
    task->deadline_ns = UINT64_MAX;
    before = task_now_ns(task);
    TRY(task_sleep(task, 3 * MS));
    CHECK(task_now_ns(task) >= before + 3 * MS);
out:
    return st;
}

struct victim {
    struct task *task;
    struct status wait_status, clear_status;
    bool ended;
    struct wait_queue done;
};

static struct status wait_for_ever(struct task *task, void *arg)
{
    struct victim *victim = arg;
    struct wait_queue never = {0};
    victim->task = task;
    victim->wait_status = task_wait(task, &never);
    struct status again = task_yield(task); // Still cancelled.
    task_cancel_clear(task);
    victim->clear_status = failed(again) ? task_yield(task) : again;
    victim->ended = true;
    wait_queue_wake_all(&victim->done, STATUS_OK);
    return STATUS_OK;
}

NODE_TEST(task, cancel_ends_the_wait, 1)
{
    struct status st = STATUS_OK;
    struct victim victim = {0};
    struct task_options options = {.fn = wait_for_ever, .arg = &victim, .kind = "victim"};
    TRY(task_start(task->shard, &options));
    while (victim.task == NULL)
        TRY(task_yield(task));
    task_cancel(victim.task, status_make(E_QUERY_CANCELED, "canceled"));
    while (!victim.ended)
        TRY(task_wait(task, &victim.done));
    CHECK(status_is(victim.wait_status, E_QUERY_CANCELED));
    CHECK(!failed(victim.clear_status));
out:
    return st;
}

// Of a cancelled task a large copy is cut short, and says where; small ones, and those that may not suspend, are whole.
NODE_TEST(task, large_copies_are_cut_short_by_a_cancel, 1)
{
    struct status st = STATUS_OK;
    struct buffer out;
    uint8_t *bytes = arena_alloc(task->arena, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++) bytes[i] = (uint8_t)(i * 7 >> 3);
    const struct bytes large = bytes_of(bytes, (1 << 20) - 3), small = bytes_of(bytes, 100);
    buffer_init(&out, task->arena);
    task_append(&out, small);
    task_append(&out, large);
    CHECK(out.size == small.size + large.size && memcmp(out.data + small.size, large.data, large.size) == 0);
    CHECK(bytes_equal(task_copy(task->arena, large), large));
    task_cancel(task, status_make(E_QUERY_CANCELED, "canceled"));
    out.size = 0;
    task_append(&out, small);
    CHECK(out.size == small.size);
    task_append(&out, large);
    CHECK(out.size < large.size && memcmp(out.data + small.size, large.data, out.size - small.size) == 0);
    out.size = 0;
    nosuspend_begin(task);
    task_append(&out, large);
    nosuspend_end(task);
    CHECK(bytes_equal(buffer_bytes(&out), large));
    task_cancel_clear(task);

out:
    return st;
}

// --- calls ------------------------------------------------------------------------------------------

static struct status note_shard(struct task *task, void *arg)
{
    uint32_t *out = arg;
    *out = task->shard->index;
    return task_current() == task ? STATUS_OK : status_make(E_INTERNAL, "another task's");
}

static struct status fail_with_text(struct task *task, void *arg)
{
    (void)arg;
    return status_format(task->arena, E_DATA_CORRUPTED, "from shard %u", task->shard->index);
}

NODE_TEST(task, calls_run_on_the_other_shard, 3)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t at = 99;
        TRY(shard_call(task, i, note_shard, &at));
        CHECK(at == i);
    }
    // The status crosses with its text.
    struct status failure = shard_call(task, 2, fail_with_text, NULL);
    CHECK(status_is(failure, E_DATA_CORRUPTED));
    CHECK(strcmp(failure.message, "from shard 2") == 0);
    CHECK_FAILS(shard_call_all(task, fail_with_text, NULL), E_DATA_CORRUPTED);

    struct shard_call_item items[5];
    uint32_t at[5];
    for (uint32_t i = 0; i < 5; i++)
        items[i] = (struct shard_call_item){.target = i % 3, .fn = note_shard, .arg = &at[i]};
    items[4].fn = fail_with_text;
    CHECK_FAILS(shard_call_many(task, items, 5), E_DATA_CORRUPTED);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(!failed(items[i].status));
        CHECK(at[i] == i % 3);
    }
    CHECK(status_is(items[4].status, E_DATA_CORRUPTED));
out:
    return st;
}

struct hop {
    uint32_t left;
};

static struct status hop_on(struct task *task, void *arg)
{
    struct hop *hop = arg;
    if (hop->left == 0) return STATUS_OK;
    hop->left--;
    uint32_t next = (task->shard->index + 1) % task->shard->node->shard_count;
    return shard_call(task, next, hop_on, hop);
}

NODE_TEST(task, nested_calls_have_a_bound, 2)
{
    struct status st = STATUS_OK;
    struct hop hop = {SHARD_CALL_DEPTH_MAX};
    TRY(shard_call(task, 0, hop_on, &hop));
    hop.left = SHARD_CALL_DEPTH_MAX + 1;
    CHECK_FAILS(shard_call(task, 0, hop_on, &hop), E_STATEMENT_TOO_COMPLEX);
out:
    return st;
}

struct remote_wait {
    struct victim victim;
    struct status call_status;
    struct task *caller;
};

static struct status remote_sleep(struct task *task, void *arg)
{
    (void)arg;
    return task_sleep(task, 60000 * MS);
}

static struct status call_sleeper(struct task *task, void *arg)
{
    struct remote_wait *wait = arg;
    wait->caller = task;
    wait->call_status = shard_call(task, 1, remote_sleep, NULL);
    wait->victim.ended = true;
    wait_queue_wake_all(&wait->victim.done, STATUS_OK);
    return STATUS_OK;
}

// A cancelled caller's cancel goes to the callee, whose failure then comes back.
NODE_TEST(task, cancel_crosses_shards, 2)
{
    struct status st = STATUS_OK;
    struct remote_wait wait = {0};
    struct task_options options = {.fn = call_sleeper, .arg = &wait, .kind = "caller"};
    TRY(task_start(task->shard, &options));
    while (wait.caller == NULL)
        TRY(task_sleep(task, MS));
    task_cancel(wait.caller, status_make(E_QUERY_CANCELED, "canceled"));
    while (!wait.victim.ended)
        TRY(task_wait(task, &wait.victim.done));
    CHECK(status_is(wait.call_status, E_QUERY_CANCELED));
out:
    return st;
}

struct storm {
    uint32_t running;
    uint64_t calls;
    struct wait_queue done;
};

static struct status bounce(struct task *task, void *arg)
{
    (void)task;
    (*(uint64_t *)arg)++;
    return STATUS_OK;
}

static struct status storm_task(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct storm *storm = arg;
    for (uint32_t i = 0; i < 50; i++) {
        uint64_t counted = 0;
        TRY(shard_call(task, i % task->shard->node->shard_count, bounce, &counted));
        CHECK(counted == 1);
        storm->calls++;
    }
out:
    storm->running--;
    wait_queue_wake_all(&storm->done, STATUS_OK);
    return st;
}

// More callers than stacks and than a ring has slots: all get their answers.
NODE_TEST(task, calls_survive_full_rings, 4)
{
    struct status st = STATUS_OK;
    struct storm storm = {0};
    for (uint32_t i = 0; i < 900; i++) {
        struct task_options options = {
            .fn = storm_task, .arg = &storm, .kind = "storm", .tenant = i % 7};
        TRY(task_start(task->shard, &options));
        storm.running++;
    }
    while (storm.running > 0)
        TRY(task_wait(task, &storm.done));
    CHECK(storm.calls == 900 * 50);
out:
    return st;
}

// --- helpers, stacks, order -----------------------------------------------------------------------

static void add_one(void *arg)
{
    (*(int *)arg)++;
}

NODE_TEST(task, helpers_run_blocking_code, 1)
{
    struct status st = STATUS_OK;
    int count = 0;
    for (int i = 0; i < 20; i++)
        TRY(helper_call(task, add_one, &count));
    CHECK(count == 20);
out:
    return st;
}

static uint32_t recurse(uint32_t depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : 1 + recurse(depth - 1) + (frame[0] == (char)depth ? 0u : 1u);
}

static void recurse_deep(void *arg)
{
    uint32_t *out = arg;
    *out = recurse(50000); // About 20 MB, more under sanitizers.
    stack_call(add_one, out);
}

NODE_TEST(task, stack_call_has_room, 1)
{
    struct status st = STATUS_OK;
    uint32_t depth = 0;
    stack_call(recurse_deep, &depth);
    CHECK(depth == 50001);
out:
    return st;
}

struct spinners {
    bool stop;
    uint32_t running;
    struct wait_queue done;
};

static struct status spin(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct spinners *spinners = arg;
    while (!spinners->stop) {
        TRY(task_yield_if_due(task));
    }
out:
    spinners->running--;
    wait_queue_wake_all(&spinners->done, STATUS_OK);
    return st;
}

// Of two tenants with always something to do, the one of three times the weight comes to have more
// than twice the CPU time, though the other has four times the tasks.
NODE_TEST(task, tenants_share_by_weight, 1)
{
    struct status st = STATUS_OK;
    struct spinners spinners = {0};
    enum { LIGHT = 20, HEAVY = 10 };
    shard_tenant_weight_set(task->shard, HEAVY, 300);
    for (int i = 0; i < 5; i++) {
        struct task_options options = {
            .fn = spin, .arg = &spinners, .kind = "spin", .tenant = i == 0 ? HEAVY : LIGHT};
        TRY(task_start(task->shard, &options));
        spinners.running++;
    }
    uint64_t light_ns = 0, heavy_ns = 0;
    while (light_ns < 10 * MS || heavy_ns < 2 * light_ns) {
        TRY(task_sleep(task, 10 * MS));
        light_ns = shard_tenant_cpu_ns(task->shard, LIGHT);
        heavy_ns = shard_tenant_cpu_ns(task->shard, HEAVY);
    }
    spinners.stop = true;
    while (spinners.running > 0)
        TRY(task_wait(task, &spinners.done));
out:
    return st;
}

static struct status note_class(struct task *task, void *arg)
{
    char *text = arg;
    size_t size = strlen(text);
    text[size] = task->class == TASK_SYSTEM ? 's' : task->class == TASK_DEFAULT ? 'd' : 'b';
    text[size + 1] = '\0';
    return STATUS_OK;
}

NODE_TEST(task, system_tasks_run_first, 1)
{
    struct status st = STATUS_OK;
    char text[8] = "";
    static const enum task_class classes[] = {TASK_BULK, TASK_DEFAULT, TASK_SYSTEM};
    for (int i = 0; i < 3; i++) {
        struct task_options options = {
            .fn = note_class, .arg = text, .kind = "class", .class = classes[i]};
        TRY(task_start(task->shard, &options));
    }
    // This task is of the system class too: the others run while it waits.
    while (strlen(text) < 3) TRY(task_sleep(task, MS / 10));
    CHECK(text[0] == 's');
out:
    return st;
}

static struct status ends_at_stop(struct task *task, void *arg)
{
    struct wait_queue never = {0};
    struct status st = task_wait(task, &never);
    *(uint32_t *)arg = st.code;
    return STATUS_OK;
}

static struct status start_and_leave(struct task *task, void *arg)
{
    struct task_options options = {.fn = ends_at_stop, .arg = arg, .kind = "left"};
    return task_start(task->shard, &options);
}

// Stopping the node ends what still waits, with 57P01.
Test(task, stop_ends_all_tasks)
{
    uint32_t code = 0;
    struct status st = node_test(1, start_and_leave, &code);
    cr_assert(!failed(st));
    cr_assert_eq(code, E_ADMIN_SHUTDOWN);
}

static int64_t stall_count;

static void stall_value(
    struct metric_reader *reader, const struct metric *metric, uint64_t tenant, int64_t value)
{
    (void)reader;
    (void)tenant;
    if (strcmp(metric->name, "shard.task.stall") == 0) stall_count = value;
}

// A task that does not give way is counted.
NODE_TEST(task, stalls_are_counted, 2)
{
    struct status st = STATUS_OK;
    uint64_t end = task_now_ns(task) + 30 * MS;
    while (task_now_ns(task) < end) {
    }
    TRY(task_yield(task));
    TRY(task_sleep(task, MS));
    struct metric_reader reader = {.value = stall_value};
    metrics_read_all(&reader);
    CHECK(stall_count >= 1);
out:
    return st;
}

struct signalled {
    int number;
    bool waits, ended;
    struct wait_queue done;
};

static struct status await_signal(struct task *task, void *arg)
{
    struct signalled *signalled = arg;
    signalled->waits = true;
    struct status st = node_wait_signal(task, &signalled->number);
    signalled->ended = true;
    wait_queue_wake_all(&signalled->done, STATUS_OK);
    return st;
}

// A signal to the process wakes the tasks that wait for one, and does nothing else.
NODE_TEST(task, signals_wake_those_who_wait, 2)
{
    struct status st = STATUS_OK;
    struct signalled signalled = {0};
    struct task_options options = {.fn = await_signal, .arg = &signalled, .kind = "signal"};
    TRY(task_start(task->shard, &options));
    while (!signalled.waits)
        TRY(task_yield(task));
    kill(getpid(), SIGHUP);
    while (!signalled.ended)
        TRY(task_wait(task, &signalled.done));
    CHECK(signalled.number == SIGHUP);
    CHECK(!node_stopping(task->shard->node));
out:
    return st;
}

struct crowd {
    uint32_t running, most, ended;
    struct wait_queue done;
};

static struct status crowd_member(struct task *task, void *arg)
{
    struct crowd *crowd = arg;
    crowd->running++;
    if (crowd->running > crowd->most) crowd->most = crowd->running;
    struct status st = task_yield(task);
    crowd->running--;
    crowd->ended++;
    wait_queue_wake_all(&crowd->done, STATUS_OK);
    return st;
}

// More tasks than stacks wait in line; more than the line holds are refused with 53300.
NODE_TEST(task, stacks_are_the_admission_control, 1)
{
    struct status st = STATUS_OK;
    static struct crowd crowd; // The last member outlives this task.
    uint32_t started = 0;
    struct task_options options = {.fn = crowd_member, .arg = &crowd, .kind = "crowd"};
    struct status refused = STATUS_OK;
    while (started < 5000) {
        options.tenant = started % 3;
        refused = task_start(task->shard, &options);
        if (failed(refused)) break;
        started++;
    }
    CHECK(status_is(refused, E_TOO_MANY_CONNECTIONS));
    CHECK(started == 4 * 256); // The harness's nodes have 256 stacks.
    while (crowd.ended < started)
        TRY(task_wait(task, &crowd.done));
    CHECK(crowd.most == 255); // One is this task's.
    TRY(task_start(task->shard, &options));
out:
    return st;
}

struct siege {
    uint32_t waiting, ended;
    bool relieved;
    struct wait_queue relief;
};

static struct status besieger(struct task *task, void *arg)
{
    struct siege *siege = arg;
    struct status st = STATUS_OK;
    siege->waiting++;
    while (!siege->relieved && !failed(st)) st = task_wait(task, &siege->relief);
    siege->ended++;
    return st;
}

static struct status relieve(struct task *task, void *arg)
{
    struct siege *siege = arg;
    (void)task;
    siege->relieved = true;
    wait_queue_wake_all(&siege->relief, STATUS_OK);
    return STATUS_OK;
}

// Whatever waits for the system's own work cannot keep it from running: neither all stacks nor a full line are in its way.
NODE_TEST(task, the_systems_work_has_stacks_of_its_own, 1)
{
    struct status st = STATUS_OK;
    static struct siege siege; // The last one outlives this task.
    uint32_t started = 0;
    const struct task_options options = {.fn = besieger, .arg = &siege, .kind = "besieger", .class = TASK_DEFAULT};
    const struct task_options system = {.fn = relieve, .arg = &siege, .kind = "relief", .class = TASK_SYSTEM};
    wait_queue_init(&siege.relief);
    while (!failed(task_start(task->shard, &options))) started++;
    while (siege.waiting < 256) // All stacks of the harness's nodes.
        TRY(task_yield(task));
    while (!failed(task_start(task->shard, &options))) started++;
    TRY(task_start(task->shard, &system));
    while (siege.ended < started)
        TRY(task_yield(task));
    CHECK(siege.relieved);
out:
    return st;
}
