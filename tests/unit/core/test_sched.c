// SPDX-License-Identifier: GPL-3.0-or-later
//
// Fair order: tenants by weight, bulk gets its tenth, idleness earns no credit, tasks of a tenant in line.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/sched.h"

static struct task *made[4096];
static uint32_t made_count;

static void finish(struct sched *sched)
{
    sched_fini(sched);
    while (made_count > 0)
        free(made[--made_count]);
}

static struct task *task_make(struct sched *sched, uint64_t tenant, enum task_class class)
{
    struct task *task = calloc(1, sizeof *task);
    made[made_count++] = task;
    task->tenant = tenant;
    task->class = class;
    task->sched_tenant = sched_tenant(sched, tenant);
    sched_push(sched, task);
    return task;
}

// Runs the next task for `ns` and puts it back in line.
static struct task *run_next(struct sched *sched, uint64_t ns)
{
    struct task *task = sched_pop(sched);
    sched_charge(sched, task, ns);
    sched_push(sched, task);
    return task;
}

Test(sched, time_is_shared_by_weight)
{
    struct sched sched;
    sched_init(&sched);
    // Tenant 2 has ten tasks, which gain it nothing; tenant 3 has three times the weight.
    task_make(&sched, 1, TASK_DEFAULT);
    for (int i = 0; i < 10; i++)
        task_make(&sched, 2, TASK_DEFAULT);
    task_make(&sched, 3, TASK_DEFAULT);
    sched_tenant(&sched, 3)->weight = 300;
    for (int i = 0; i < 50000; i++)
        run_next(&sched, 10000 + (uint64_t)(i % 7) * 1000);
    double one = (double)sched_tenant(&sched, 1)->cpu_ns;
    double two = (double)sched_tenant(&sched, 2)->cpu_ns;
    double three = (double)sched_tenant(&sched, 3)->cpu_ns;
    cr_expect(one / two > 0.99 && one / two < 1.01, "%f", one / two);
    cr_expect(three / one > 2.97 && three / one < 3.03, "%f", three / one);
    finish(&sched);
}

Test(sched, an_idle_tenant_returns_without_credit)
{
    struct sched sched;
    sched_init(&sched);
    task_make(&sched, 2, TASK_DEFAULT);
    for (int i = 0; i < 1000; i++)
        run_next(&sched, 100000);
    task_make(&sched, 1, TASK_DEFAULT); // Comes after a long time.
    uint32_t in_a_row = 0, longest = 0;
    for (int i = 0; i < 100; i++) {
        in_a_row = run_next(&sched, 100000)->tenant == 1 ? in_a_row + 1 : 0;
        if (in_a_row > longest) longest = in_a_row;
    }
    cr_expect_leq(longest, 2);
    finish(&sched);
}

Test(sched, classes_have_their_ranks)
{
    struct sched sched;
    sched_init(&sched);
    task_make(&sched, 1, TASK_BULK);
    task_make(&sched, 1, TASK_DEFAULT);
    uint32_t bulk = 0;
    for (int i = 0; i < 10000; i++)
        bulk += run_next(&sched, 20000)->class == TASK_BULK;
    cr_expect(bulk > 900 && bulk < 1100, "%u", bulk);
    task_make(&sched, 1, TASK_SYSTEM);
    for (int i = 0; i < 10; i++)
        cr_expect_eq(run_next(&sched, 20000)->class, TASK_SYSTEM);
    finish(&sched);
}

Test(sched, a_tenants_tasks_take_turns)
{
    struct sched sched;
    sched_init(&sched);
    struct task *tasks[5];
    for (int i = 0; i < 5; i++)
        tasks[i] = task_make(&sched, 9, TASK_DEFAULT);
    for (int i = 0; i < 50; i++)
        cr_expect_eq(run_next(&sched, 1000), tasks[i % 5]);
    finish(&sched);
}

Test(sched, many_tenants_each_get_a_turn)
{
    struct sched sched;
    sched_init(&sched);
    enum { TENANTS = 3000 };
    for (uint64_t i = 1; i <= TENANTS; i++)
        task_make(&sched, i, TASK_DEFAULT);
    for (int i = 0; i < TENANTS * 3; i++)
        run_next(&sched, 5000);
    for (uint64_t i = 1; i <= TENANTS; i++)
        cr_assert_eq(sched_tenant(&sched, i)->cpu_ns, 15000);
    // By index every ready task can be had, once.
    cr_expect_eq(sched_ready_count(&sched), TENANTS);
    for (uint32_t left = TENANTS; left > 0; left--)
        cr_assert_not_null(sched_pop_index(&sched, left * 7919 % left));
    cr_expect_eq(sched_ready_count(&sched), 0);
    cr_expect_null(sched_pop(&sched));
    finish(&sched);
}
