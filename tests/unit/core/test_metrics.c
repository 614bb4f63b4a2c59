// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <pthread.h>

#include "core/arena.h"
#include "core/metrics.h"

static METRIC_DEFINE(node_count, "test.node.count", METRIC_COUNTER, METRIC_COUNT, false, "Node.");
static METRIC_DEFINE(
    tenant_count, "test.tenant-count", METRIC_COUNTER, METRIC_COUNT, true, "Of tenants.");
static METRIC_DEFINE(level, "test.level", METRIC_GAUGE, METRIC_BYTES, false, "Level.");
static METRIC_DEFINE(
    latency, "test.latency", METRIC_HISTOGRAM, METRIC_NANOSECONDS, true, "Latency.");

#define THREADS 4
#define ROUNDS 20000

static void *work(void *arg)
{
    uint64_t tenant = (uintptr_t)arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        metric_add(&node_count, 0, 1);
        metric_add(&tenant_count, tenant, 2);
        metric_add(&tenant_count, 2 + i % 2, 1);
        metric_record(&latency, tenant, i);
    }
    metric_set(&level, 0, 10);
    return NULL;
}

Test(metrics, cells_of_all_threads_are_summed_when_read)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(10 + i % 2));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(metric_read(&node_count, 0), THREADS * ROUNDS);
    cr_assert_eq(metric_read(&tenant_count, 10), 2 * ROUNDS * 2);
    cr_assert_eq(metric_read(&tenant_count, 2), THREADS * ROUNDS / 2);
    cr_assert_eq(metric_read(&tenant_count, 0), THREADS * ROUNDS * 3);
    cr_assert_eq(metric_read(&tenant_count, 99), 0);
    cr_assert_eq(metric_read(&level, 0), 10 * THREADS);
    cr_assert_eq(metric_read(&latency, 11), 2 * ROUNDS);
    double median = (double)metric_quantile(&latency, 11, 0.5);
    cr_assert(median > 0.93 * ROUNDS / 2 && median < 1.07 * ROUNDS / 2);
}

Test(metrics, a_quantile_is_within_seven_percent)
{
    static struct histogram one, two;
    for (uint64_t value = 1; value <= 1000000; value++)
        histogram_record(value % 2 ? &one : &two, value);
    histogram_merge(&one, &two);
    cr_assert_eq(one.count, 1000000);
    static const double quantiles[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        double exact = quantiles[i] * 1e6;
        double got = (double)histogram_quantile(&one, quantiles[i]);
        cr_expect(got > exact * 0.93 && got < exact * 1.07, "%f: %f", quantiles[i], got);
    }
    cr_assert_eq(histogram_quantile(&one, 1), 1000000, "the largest is exact");
    static struct histogram empty, extreme;
    cr_assert_eq(histogram_quantile(&empty, 0.5), 0);
    histogram_record(&extreme, UINT64_MAX);
    histogram_record(&extreme, 0);
    cr_assert_eq(histogram_quantile(&extreme, 0.5), 0);
    cr_assert_eq(histogram_quantile(&extreme, 1), UINT64_MAX);
}

static const char *tenant_name(uint64_t tenant, void *arg)
{
    (void)arg;
    return tenant == 1 ? "system" : tenant == 2 ? "demo\"app" : NULL;
}

Test(metrics, prometheus_text_is_labelled_by_tenant)
{
    struct arena arena;
    struct buffer out;
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
    metric_add(&node_count, 0, 5);
    metric_add(&tenant_count, 0, 1);
    metric_add(&tenant_count, 2, 15);
    metric_add(&tenant_count, 3, 4);
    metric_register(&level);
    metric_record(&latency, 2, 7);
    metrics_prometheus(&out, 1, 0, tenant_name, NULL);
    const char *text = buffer_string(&out);
    static const char *const expected[] = {
        "# HELP test_node_count Node.\n# TYPE test_node_count counter\n",
        "test_node_count{node_id=\"1\",tenant=\"system\"} 5\n",
        "test_tenant_count{node_id=\"1\",tenant=\"system\"} 1\n",
        "test_tenant_count{node_id=\"1\",tenant=\"demo\\\"app\"} 15\n",
        "# TYPE test_level gauge\ntest_level{node_id=\"1\",tenant=\"system\"} 0\n",
        "test_latency{node_id=\"1\",tenant=\"demo\\\"app\",quantile=\"0.99\"} 7\n",
        "test_latency_count{node_id=\"1\",tenant=\"demo\\\"app\"} 1\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_expect_not_null(strstr(text, expected[i]), "%s in\n%s", expected[i], text);
    cr_expect_null(strstr(text, " 4\n"), "a tenant without a name is left out");

    out.size = 0;
    metrics_prometheus(&out, 1, 2, tenant_name, NULL);
    text = buffer_string(&out);
    cr_expect_null(strstr(text, "system"), "a tenant sees its own only");
    cr_expect_not_null(strstr(text, "} 15\n"));

    out.size = 0;
    metrics_tenant_forget(2);
    metrics_prometheus(&out, 1, 0, tenant_name, NULL);
    cr_expect_null(strstr(buffer_string(&out), "demo"));
    arena_fini(&arena);
}
