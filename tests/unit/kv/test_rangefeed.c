// SPDX-License-Identifier: GPL-3.0-or-later
//
// Feeds tell every committed version once, in order, before the resolved mark that covers it; also
// across the seam between the catch-up and what is applied meanwhile, and for a slow consumer not
// at all.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/rangefeed.h"

struct listener {
    struct rangefeed *feed;
    struct hlc_timestamp resolved;
    struct hlc_timestamp last; // Of live events.
    uint32_t values, tombstones, clears;
    uint64_t sum; // Of the values as numbers.
    bool live;
};

static struct status listen_from(struct task *task, struct listener *listener, uint64_t slice,
    struct span span, struct hlc_timestamp after)
{
    *listener = (struct listener){.resolved = after};
    const struct rangefeed_options options = {.tenant = TENANT,
        .slice = slice,
        .span = span,
        .after = after,
        .resolved_every_ns = 2 * MS};
    return rangefeed_open(task, &options, &listener->feed);
}

static struct status hear(struct task *task, struct listener *listener)
{
    struct status st = STATUS_OK;
    const struct rangefeed_event *events;
    uint32_t count;
    TRY(rangefeed_next(task, listener->feed, &events, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct kv_version *version = &events[i].version;
        CHECK(hlc_less(listener->resolved, version->ts));
        if (events[i].kind == RANGEFEED_RESOLVED) {
            listener->resolved = version->ts;
            listener->live = true;
            continue;
        }
        if (listener->live) {
            CHECK(hlc_less_equal(listener->last, version->ts));
            listener->last = version->ts;
        }
        if (events[i].kind == RANGEFEED_CLEARED) {
            listener->clears++;
        } else if (version->tombstone) {
            listener->tombstones++;
        } else {
            listener->values++;
            listener->sum += strtoull(arena_string(task->arena, version->value), NULL, 10);
        }
    }
out:
    return st;
}

static struct status hear_until(
    struct task *task, struct listener *listener, struct hlc_timestamp ts)
{
    struct status st = STATUS_OK;
    while (hlc_less(listener->resolved, ts)) TRY(hear(task, listener));
out:
    return st;
}

KV_TEST(rangefeed, tells_what_is_committed_and_follows_the_present)
{
    struct status st = STATUS_OK;
    struct listener listener;
    struct hlc_timestamp now;
    TRY(kv_now(task, TENANT, &now));
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), now));
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "b", "2"));
    TRY(put_now(task, "zz", "1000")); // Outside.
    TRY(put_now(task, "b", NULL));
    TRY(put_now(task, "c", "4"));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &listener, now));
    CHECK(listener.values == 3 && listener.tombstones == 1 && listener.sum == 7);
    // Idle: marks go on.
    for (int i = 0; i < 3; i++) {
        TRY(kv_now(task, TENANT, &now));
        TRY(hear_until(task, &listener, now));
    }
    TRY(kv_clear(task, TENANT, key_span(task, "b", "d")));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &listener, now));
    CHECK(listener.values == 3 && listener.clears == 1);
    rangefeed_close(task, listener.feed);
out:
    return st;
}

KV_TEST(rangefeed, catches_up_from_the_past_with_all_versions)
{
    struct status st = STATUS_OK;
    struct listener listener;
    struct hlc_timestamp start;
    struct hlc_timestamp now;
    TRY(put_now(task, "a", "1000"));
    TRY(kv_now(task, TENANT, &start));
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "2"));
    TRY(put_now(task, "a", "4"));
    TRY(put_now(task, "b", NULL));
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), start));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &listener, now));
    CHECK(listener.values == 3 && listener.tombstones == 1 && listener.sum == 7);
    rangefeed_close(task, listener.feed);
out:
    return st;
}

struct writers {
    bool stop;
    uint64_t sum;
    uint32_t count;
};

static struct status keep_writing(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct writers *writers = worker->context;
    for (uint32_t i = 0; !__atomic_load_n(&writers->stop, __ATOMIC_ACQUIRE); i++) {
        uint32_t number = worker->number * 1000 + i % 10;
        struct kv_txn *txn;
        TRY(begin(task, &txn));
        // One row in each slice: resolved out of the order of the log.
        char *text = arena_printf(task->arena, "%u", i);
        TRY(kv_put(task, txn, key_number(task, "b", number), bytes_of_string(text)));
        TRY(kv_put(task, txn, key_number(task, "t", number), bytes_of_string(text)));
        st = commit(task, txn);
        if (status_is(st, E_SERIALIZATION_FAILURE)) continue;
        TRY(st);
        __atomic_fetch_add(&writers->sum, i, __ATOMIC_RELAXED);
        __atomic_fetch_add(&writers->count, 1, __ATOMIC_RELAXED);
    }
out:
    return st;
}

// Opened in the middle of the writing, from before it: the seam loses nothing and tells nothing
// twice.
KV_TEST(rangefeed, has_no_seam)
{
    struct status st = STATUS_OK;
    struct writers writers = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    struct listener low;
    struct listener high;
    struct hlc_timestamp start;
    struct hlc_timestamp now;
    TRY(kv_test_spread(task));
    TRY(kv_now(task, TENANT, &start));
    for (uint32_t i = 0; i < 4; i++) TRY(worker_start(task, workers, i, keep_writing, &writers));
    while (__atomic_load_n(&writers.count, __ATOMIC_RELAXED) < 40) TRY(task_sleep(task, MS / 4));
    TRY(listen_from(task, &low, 2, key_span(task, "a", "z"), start));
    TRY(listen_from(task, &high, task->shard->node->shard_count > 1 ? 3 : 1,
        key_span(task, "a", "z"), start));
    while (__atomic_load_n(&writers.count, __ATOMIC_RELAXED) < 120) {
        TRY(hear(task, &low));
        TRY(hear(task, &high));
    }
    __atomic_store_n(&writers.stop, true, __ATOMIC_RELEASE);
    TRY(workers_wait(task, workers, 4));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &low, now));
    TRY(hear_until(task, &high, now));
    CHECK(low.values == writers.count && low.sum == writers.sum);
    CHECK(high.values == writers.count && high.sum == writers.sum);
    rangefeed_close(task, low.feed);
    rangefeed_close(task, high.feed);
out:
    return st;
}

KV_TEST(rangefeed, cuts_off_who_reads_too_slowly)
{
    struct status st = STATUS_OK;
    struct listener listener;
    struct hlc_timestamp now;
    uint8_t *value = arena_alloc_zero(task->arena, 1 << 20);
    TRY(kv_now(task, TENANT, &now));
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), now));
    TRY(hear(task, &listener));
    for (uint32_t i = 0; i < 24; i++) {
        struct kv_txn *txn;
        TRY(begin(task, &txn));
        TRY(kv_put(task, txn, key_number(task, "b", i), bytes_of(value, 1 << 20)));
        TRY(commit(task, txn)); // Never held up.
    }
    do {
        st = hear(task, &listener);
    } while (!failed(st));
    CHECK(status_is(st, E_CONFIGURATION_LIMIT_EXCEEDED));
    st = STATUS_OK;
    CHECK(listener.values < 24);
    rangefeed_close(task, listener.feed);
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), now));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &listener, now));
    CHECK(listener.values == 24);
    rangefeed_close(task, listener.feed);
out:
    return st;
}

KV_TEST(rangefeed, ends_when_its_span_leaves_the_slice_but_not_at_splits)
{
    struct status st = STATUS_OK;
    struct listener listener;
    struct hlc_timestamp now;
    TRY(kv_now(task, TENANT, &now));
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), now));
    TRY(kv_split(task, key(task, "g")));
    TRY(kv_now(task, TENANT, &now));
    TRY(hear_until(task, &listener, now));
    TRY(kv_test_spread(task));
    do {
        st = hear(task, &listener);
    } while (!failed(st));
    CHECK(status_is(st, K_WRONG_RANGE));
    st = STATUS_OK;
    rangefeed_close(task, listener.feed);
out:
    return st;
}

static struct status collect_shard(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) TRY(slice_gc(task, kv->slices[i], NULL));
out:
    return st;
}

KV_TEST(rangefeed, refuses_what_is_collected)
{
    struct status st = STATUS_OK;
    struct listener listener;
    struct hlc_timestamp start;
    TRY(kv_now(task, TENANT, &start));
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "a", "2"));
    TRY(kv_gc_ttl_set(task, TENANT, 1));
    TRY(task_sleep(task, MS));
    TRY(shard_call_all(task, collect_shard, NULL));
    CHECK_FAILS(listen_from(task, &listener, 2, key_span(task, "a", "z"), start),
        E_NOT_IN_PREREQUISITE_STATE);
out:
    return st;
}

// Storage stops while a feed is open: the consumer is told.
KV_TEST(rangefeed, ends_when_storage_stops)
{
    struct status st = STATUS_OK;
    struct kv_test *test = arg;
    struct listener listener;
    struct hlc_timestamp now;
    TRY(kv_now(task, TENANT, &now));
    TRY(listen_from(task, &listener, 2, key_span(task, "a", "z"), now));
    TRY(hear(task, &listener));
    TRY(kv_stop(task));
    do {
        st = hear(task, &listener);
    } while (!failed(st));
    CHECK(status_is(st, E_ADMIN_SHUTDOWN));
    st = STATUS_OK;
    rangefeed_close(task, listener.feed);
    TRY(kv_start(task, &test->options));
out:
    return st;
}
