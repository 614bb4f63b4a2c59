// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/feed.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/leader.h"
#include "kv/move_side.h"
#include "kv/range.h"

#define RESOLVED_EVERY_NS_DEFAULT 200000000u
#define CATCH_UP_SMALL_BYTES (1u << 20) // A round this small is the last but one.
#define CATCH_UP_PIECE_BYTES (1u << 20)
#define CATCH_UP_POLL_NS 1000000u
#define EVENT_BYTES sizeof(struct rangefeed_event)

enum feed_state { FEED_CATCHING_UP, FEED_LIVE, FEED_ENDED };

struct feed {
    struct feed *next;
    struct feed_set *set;
    uint64_t id;
    struct rangefeed *to;
    uint32_t consumer_shard;
    uint64_t tenant;
    struct span span;
    struct hlc_timestamp after;
    uint64_t resolved_every_ns;
    enum feed_state state;
    bool collecting; // Applied writes are gathered: from a little before it is live.
    bool running;    // Its catch-up task is.
    bool closed;     // By the consumer: free it when the task is over.
    struct feed_batch *open;
    size_t away_bytes;
    uint32_t away_count;
    struct hlc_timestamp resolved; // Sent.
    struct wait_queue credit;      // The catch-up task, waiting for batches to come home.
    struct task *task;
    struct arena arena;            // Keys of span.
    struct buffer covered;         // What of the span the slice holds, as text to compare.
};

struct feed_set {
    struct slice *slice;
    struct slice_observer observer;
    struct feed *feeds;
    uint64_t last_id;
    uint64_t ranges_version;
    struct timer timer;
    bool stopping;
    struct wait_queue ended; // Catch-up tasks, at the stop.
};

// --- batches -------------------------------------------------------------------------------------

void feed_message_send(struct shard *from, uint32_t target, struct shard_message *message)
{
    if (target == from->index) {
        message->deliver(from, message);
    } else {
        shard_send(from, target, message);
    }
}

void feed_batch_free(struct feed_batch *batch)
{
    if (batch == NULL) return;
    arena_fini(&batch->arena);
    free(batch);
}

static struct feed_batch *batch_make(const struct feed *feed)
{
    struct feed_batch *batch = calloc(1, sizeof *batch);
    invariant(batch != NULL); // A feed that loses an event without saying so must not be.
    batch->to = feed->to;
    batch->slice = feed->set->slice->id;
    batch->feed = feed->id;
    batch->leader_shard = feed->set->slice->shard->index;
    arena_init(&batch->arena, NULL);
    return batch;
}

static struct rangefeed_event *batch_event(struct feed_batch *batch)
{
    if (batch->count == batch->capacity) {
        uint32_t capacity = batch->capacity == 0 ? 16 : batch->capacity * 2;
        batch->events = arena_grow(&batch->arena, batch->events, batch->capacity * EVENT_BYTES,
            capacity * EVENT_BYTES);
        batch->capacity = capacity;
    }
    batch->bytes += EVENT_BYTES;
    return &batch->events[batch->count++];
}

static void batch_add(struct feed_batch *batch, const struct rangefeed_event *event)
{
    if (batch->count > 0 &&
        hlc_less(event->version.ts, batch->events[batch->count - 1].version.ts)) {
        batch->unsorted = true;
    }
    struct rangefeed_event *added = batch_event(batch);
    *added = *event;
    added->version.key = arena_copy(&batch->arena, event->version.key);
    if (event->version.value.data != NULL) {
        added->version.value = arena_copy(&batch->arena, event->version.value);
    }
    batch->bytes += event->version.key.size + event->version.value.size;
}

static int event_order(const void *left, const void *right)
{
    const struct rangefeed_event *a = left;
    const struct rangefeed_event *b = right;
    int order = hlc_compare(a->version.ts, b->version.ts);
    return order != 0 ? order : bytes_compare(a->version.key, b->version.key);
}

static void batch_sort(struct feed_batch *batch)
{
    if (batch->unsorted && batch->count > 1) {
        qsort(batch->events, batch->count, EVENT_BYTES, event_order);
    }
    batch->unsorted = false;
}

static void batch_send(struct feed *feed, struct feed_batch *batch)
{
    feed->away_bytes += batch->bytes;
    feed->away_count++;
    batch->message.deliver = rangefeed_deliver;
    feed_message_send(feed->set->slice->shard, feed->consumer_shard, &batch->message);
}

static void feed_end(struct feed *feed, struct status st)
{
    if (feed->state == FEED_ENDED) return;
    feed->state = FEED_ENDED;
    feed->collecting = false;
    feed_batch_free(feed->open);
    feed->open = NULL;
    if (feed->task != NULL) task_cancel(feed->task, st);
    if (feed->closed) return;
    struct feed_batch *last = batch_make(feed);
    last->end = st;
    batch_send(feed, last);
}

// --- finding, freeing ----------------------------------------------------------------------------

static struct feed *feed_find(struct shard *shard, uint64_t slice_id, uint64_t id)
{
    struct kv_shard *kv = kv_shard_of(shard);
    struct slice *slice = kv == NULL ? NULL : kv_slice_find(kv, slice_id);
    if (slice == NULL || slice->feeds == NULL) return NULL;
    struct feed *feed = slice->feeds->feeds;
    while (feed != NULL && feed->id != id) feed = feed->next;
    return feed;
}

static void feed_free(struct feed *feed)
{
    struct feed **link = &feed->set->feeds;
    while (*link != feed) link = &(*link)->next;
    *link = feed->next;
    feed_batch_free(feed->open);
    arena_fini(&feed->arena);
    free(feed);
}

void feed_close(struct shard *shard, uint64_t slice, uint64_t id)
{
    struct feed *feed = feed_find(shard, slice, id);
    if (feed == NULL) return;
    feed->closed = true;
    feed_end(feed, status_make(E_QUERY_CANCELED, "feed was closed"));
    if (!feed->running) feed_free(feed);
}

// --- sending what is closed ----------------------------------------------------------------------

static void resolved_add(struct feed *feed, struct feed_batch *batch, struct hlc_timestamp ts)
{
    if (!hlc_less(feed->resolved, ts)) return;
    feed->resolved = ts;
    *batch_event(batch) =
        (struct rangefeed_event){.kind = RANGEFEED_RESOLVED, .version.ts = ts};
}

// Of the open batch what is at or below `closed` goes into the one returned; the rest stays open.
static struct feed_batch *open_take(struct feed *feed, struct hlc_timestamp closed)
{
    struct feed_batch *open = feed->open;
    feed->open = NULL;
    if (open == NULL) return batch_make(feed);
    batch_sort(open);
    if (hlc_less_equal(open->events[open->count - 1].version.ts, closed)) return open;
    struct feed_batch *taken = batch_make(feed);
    feed->open = batch_make(feed);
    for (uint32_t i = 0; i < open->count; i++) {
        bool goes = hlc_less_equal(open->events[i].version.ts, closed);
        batch_add(goes ? taken : feed->open, &open->events[i]);
    }
    feed_batch_free(open);
    return taken;
}

static void feed_flush(struct feed *feed, struct hlc_timestamp closed)
{
    if (feed->state != FEED_LIVE) return;
    if (feed->away_count >= FEED_BATCHES_AWAY) return;
    if (feed->open == NULL && !hlc_less(feed->resolved, closed)) return;
    struct feed_batch *batch = open_take(feed, closed);
    resolved_add(feed, batch, closed);
    if (batch->count > 0) {
        batch_send(feed, batch);
    } else {
        feed_batch_free(batch);
    }
}

static void home_deliver(struct shard *shard, struct shard_message *message)
{
    struct feed_batch *batch = container_of(message, struct feed_batch, message);
    struct feed *feed = feed_find(shard, batch->slice, batch->feed);
    if (feed != NULL) {
        feed->away_bytes -= batch->bytes;
        feed->away_count--;
        wait_queue_wake_all(&feed->credit, STATUS_OK);
        if (feed->open != NULL) feed_flush(feed, slice_close(feed->set->slice));
    }
    feed_batch_free(batch);
}

void feed_batch_home(struct shard *from, struct feed_batch *batch)
{
    batch->message.deliver = home_deliver;
    feed_message_send(from, batch->leader_shard, &batch->message);
}

// --- following what is applied -------------------------------------------------------------------

static void feed_gather(struct feed *feed, const struct rangefeed_event *event)
{
    if (feed->open == NULL) feed->open = batch_make(feed);
    batch_add(feed->open, event);
    bool slow = feed->open->bytes + feed->away_bytes > FEED_BYTES_MAX;
    if (!slow && !SIM_MAYBE("feed.cut_off")) return;
    covered("feed.is_cut_off");
    feed_end(feed, status_make(E_CONFIGURATION_LIMIT_EXCEEDED, "feed is read too slowly"));
}

// A deletion of what was not there has left no version: nobody is to hear of it, as the catch-up tells nothing either.
static bool left_no_version(struct slice *slice, struct bytes key, struct hlc_timestamp ts)
{
    struct mvcc_version version;
    bool found;
    struct status st = mvcc_get(&slice->mvcc, key, ts, NULL, &version, &found);
    return !failed(st) && (!found || !hlc_equal(version.ts, ts));
}

static void gather_writes(struct feed *feed, const struct entry_op *op)
{
    struct entry_items items;
    struct entry_item item;
    entry_items_open(op, &items);
    while (feed->collecting && entry_item_next(&items, &item)) {
        if (!span_contains(feed->span, item.key)) continue;
        if (item.tombstone && left_no_version(feed->set->slice, item.key, op->ts)) continue;
        const struct rangefeed_event event = {
            .kind = RANGEFEED_VALUE,
            .version = {.key = item.key,
                .value = item.tombstone ? (struct bytes){0} : item.value,
                .ts = op->ts,
                .tombstone = item.tombstone},
        };
        feed_gather(feed, &event);
    }
}

// It has no timestamp of its own: it takes place between the commits before and after it.
static void gather_clear(struct feed *feed, struct slice *slice, const struct entry_op *op)
{
    if (!span_overlaps(feed->span, op->span)) return;
    // What is erased where it is not served is a part of a move.
    if (!range_set_covers(slice->ranges, op->span)) return;
    const struct rangefeed_event event = {
        .kind = RANGEFEED_CLEARED,
        .version = {.key = op->span.start,
            .value = op->span.end,
            .ts = hlc_now(&slice->shard->hlc)},
    };
    feed_gather(feed, &event);
}

static void on_applied(struct slice_observer *observer, struct slice *slice,
    const struct entry_op *op, uint64_t index)
{
    struct feed_set *set = container_of(observer, struct feed_set, observer);
    (void)index;
    if (op->kind != ENTRY_WRITES && op->kind != ENTRY_CLEAR) return;
    for (struct feed *feed = set->feeds; feed != NULL; feed = feed->next) {
        if (!feed->collecting || feed->tenant != op->tenant) continue;
        if (op->kind == ENTRY_WRITES) {
            gather_writes(feed, op);
        } else {
            gather_clear(feed, slice, op);
        }
    }
}

// Spans in order, cut to `within`, as text to compare: neighbours are joined.
struct spans_text {
    struct buffer text;
    struct span within;
    struct bytes end;
};

static void text_add(struct spans_text *text, struct span span)
{
    if (!span_overlaps(span, text->within)) return;
    if (bytes_compare(span.start, text->within.start) < 0) span.start = text->within.start;
    if (bytes_compare(text->within.end, span.end) < 0) span.end = text->within.end;
    if (text->end.data == NULL || !bytes_equal(text->end, span.start)) {
        buffer_append_bytes(&text->text, text->end);
        buffer_append_u8(&text->text, '|');
        buffer_append_bytes(&text->text, span.start);
    }
    text->end = span.end;
}

// What of the span the slice holds: a split does not change it.
static struct buffer covered_text(const struct slice *slice, struct span within, struct arena *arena)
{
    struct spans_text text = {.within = within};
    buffer_init(&text.text, arena);
    for (uint32_t i = 0; i < slice->ranges->count; i++)
        text_add(&text, slice->ranges->entries[i]->range.span);
    buffer_append_bytes(&text.text, text.end);
    return text.text;
}

static bool covers_expected(const struct slice *slice, const struct rangefeed_options *options)
{
    struct arena arena;
    if (options->expected_count == 0) return true;
    arena_init(&arena, NULL);
    struct spans_text text = {.within = options->span};
    buffer_init(&text.text, &arena);
    for (uint32_t i = 0; i < options->expected_count; i++)
        text_add(&text, options->expected[i]);
    buffer_append_bytes(&text.text, text.end);
    struct buffer covered = covered_text(slice, options->span, &arena);
    bool same = bytes_equal(buffer_bytes(&covered), buffer_bytes(&text.text));
    arena_fini(&arena);
    return same;
}

static void check_ranges(struct feed_set *set)
{
    if (set->ranges_version == set->slice->ranges->version) return;
    set->ranges_version = set->slice->ranges->version;
    for (struct feed *feed = set->feeds; feed != NULL; feed = feed->next) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct buffer now = covered_text(set->slice, feed->span, &arena);
        if (!bytes_equal(buffer_bytes(&now), buffer_bytes(&feed->covered))) {
            feed_end(feed, status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT,
                               "part of the span has left or joined the slice"));
        }
        arena_fini(&arena);
    }
}

static void flush_all(struct feed_set *set)
{
    check_ranges(set);
    struct hlc_timestamp closed = slice_close(set->slice);
    struct feed *next;
    for (struct feed *feed = set->feeds; feed != NULL; feed = next) {
        next = feed->next;
        feed_flush(feed, closed);
    }
}

static void on_batch_end(struct slice_observer *observer, struct slice *slice)
{
    struct feed_set *set = container_of(observer, struct feed_set, observer);
    (void)slice;
    if (set->feeds != NULL) flush_all(set);
}

static void timer_start(struct feed_set *set)
{
    uint64_t every_ns = UINT64_MAX;
    for (const struct feed *feed = set->feeds; feed != NULL; feed = feed->next) {
        if (feed->resolved_every_ns < every_ns) every_ns = feed->resolved_every_ns;
    }
    timer_disarm(set->slice->shard, &set->timer);
    if (every_ns == UINT64_MAX || set->stopping) return;
    timer_arm(set->slice->shard, &set->timer, shard_now_ns(set->slice->shard) + every_ns);
}

static void timer_fire(struct timer *timer)
{
    struct feed_set *set = timer->arg;
    flush_all(set);
    timer_start(set);
}

// --- catching up ---------------------------------------------------------------------------------

static struct status credit_wait(struct task *task, struct feed *feed)
{
    struct status st = STATUS_OK;
    while (feed->away_count >= FEED_BATCHES_AWAY || feed->away_bytes > FEED_BYTES_MAX / 2) {
        TRY(task_wait(task, &feed->credit));
    }
out:
    return st;
}

// One piece of the span's versions in (after, at], as a batch.
static struct status piece_send(
    struct task *task, struct feed *feed, struct kv_export *export, size_t *bytes)
{
    struct status st = STATUS_OK;
    struct feed_batch *batch = batch_make(feed);
    struct kv_version *versions;
    uint32_t count;
    TRY(slice_export(
        task, feed->set->slice, export, &batch->arena, &versions, &count));
    check_ranges(feed->set); // It yields: what has left is read elsewhere.
    for (uint32_t i = 0; i < count; i++) {
        *batch_event(batch) =
            (struct rangefeed_event){.kind = RANGEFEED_VALUE, .version = versions[i]};
        batch->bytes += versions[i].key.size + versions[i].value.size;
    }
    batch->unsorted = true; // It comes by key, newest first.
    batch_sort(batch);
    *bytes += batch->bytes;
    // The resume key lies in the batch's arena, which is about to leave.
    if (export->resume.data != NULL) export->resume = arena_copy(&feed->arena, export->resume);
    if (count == 0) goto out;
    TRY(credit_wait(task, feed));
    if (feed->state != FEED_CATCHING_UP) { // Ended meanwhile: its consumer may be gone.
        st = status_make(E_QUERY_CANCELED, "feed has ended");
        goto out;
    }
    batch_send(feed, batch);
    return STATUS_OK;
out:
    feed_batch_free(batch);
    return st;
}

// The next part of the span, from `at` on, that the slice serves; what it has beside that is of ranges on their way.
static bool part_next(const struct feed *feed, struct bytes at, struct arena *arena, struct span *part)
{
    const struct range_set *ranges = feed->set->slice->ranges;
    for (uint32_t i = 0; i < ranges->count; i++) {
        struct span span = ranges->entries[i]->range.span;
        if (bytes_compare(span.end, at) <= 0 || !span_overlaps(span, feed->span)) continue;
        bool inside = bytes_compare(span.start, at) < 0;
        part->start = arena_copy(arena, inside ? at : span.start);
        bool cut = bytes_compare(feed->span.end, span.end) < 0;
        part->end = arena_copy(arena, cut ? feed->span.end : span.end);
        return bytes_compare(part->start, part->end) < 0;
    }
    return false;
}

// All versions in (after, at] of what the slice holds of the span.
static struct status round_send(struct task *task, struct feed *feed, struct hlc_timestamp after,
    struct hlc_timestamp at, size_t *bytes)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct span part = {feed->span.start, feed->span.start};
    arena_init(&arena, NULL);
    *bytes = 0;
    while (part_next(feed, part.end, &arena, &part)) {
        struct kv_export export = {
            .tenant = feed->tenant,
            .span = part,
            .after = after,
            .at = at,
            .all = true,
            .bytes_max = CATCH_UP_PIECE_BYTES,
        };
        while (!export.done) TRY(piece_send(task, feed, &export, bytes));
    }
out:
    arena_fini(&arena);
    return st;
}

// Rounds up to the present, each as long as the one before took, until one is small; the last one
// runs while what is applied meanwhile is gathered already.
static struct status catch_up(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct feed *feed = arg;
    struct slice *slice = feed->set->slice;
    struct hlc_timestamp from = feed->after;
    feed->task = task;
    bool small = false;
    while (feed->state == FEED_CATCHING_UP) {
        struct hlc_timestamp closed = slice_close(slice);
        // A prepared write holds closed time back behind versions that are there: not the moment to go over.
        bool last = small && hlc_less_equal(slice_newest(slice, feed->tenant), closed);
        if (last) feed->collecting = true;
        if (small && !last) TRY(task_sleep(task, CATCH_UP_POLL_NS));
        size_t bytes = 0;
        if (hlc_less(from, closed)) {
            TRY(round_send(task, feed, from, closed, &bytes));
            from = closed;
        } else if (!last) {
            TRY(task_sleep(task, CATCH_UP_POLL_NS)); // The ceiling is on its way.
        }
        if (last) break;
        small = bytes <= CATCH_UP_SMALL_BYTES;
    }
    if (feed->state == FEED_CATCHING_UP) {
        feed->state = FEED_LIVE;
        feed_flush(feed, slice_close(slice));
    }
out:
    return st;
}

static void catch_up_ended(struct task *task, struct status st, void *arg)
{
    struct feed *feed = arg;
    struct slice *slice = feed->set->slice;
    (void)task;
    feed->running = false;
    feed->task = NULL;
    if (failed(st)) {
        if (status_is(st, E_BELOW_GC_THRESHOLD)) {
            st = status_make(E_NOT_IN_PREREQUISITE_STATE,
                "the versions that the feed starts from have been garbage-collected");
        }
        // Messages in the task's arena end with it.
        if (st.reported) st.message = "feed's catch-up failed";
        st.reported = 0;
        feed_end(feed, st);
    }
    wait_queue_wake_all(&feed->set->ended, STATUS_OK);
    if (feed->closed) feed_free(feed);
    slice_let_go(slice);
}

static struct status open_check(const struct feed_open *open, struct slice *slice)
{
    struct status st = leader_check_span(open->options.tenant, open->options.span);
    if (!failed(st)) st = slice_check(slice);
    if (failed(st)) return st;
    if (slice->feeds->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    // Its descriptor may still say that it is here: a feed without it would close time over what it misses.
    if (move_fences(slice, open->options.span))
        return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "part of the span is leaving the slice");
    if (!covers_expected(slice, &open->options)) {
        covered("feed.elsewhere");
        return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the slice does not hold what is expected of it");
    }
    if (slice_tenant_ingesting(slice, open->options.tenant)) {
        return status_make(
            E_NOT_IN_PREREQUISITE_STATE, "a virtual cluster that is ingesting has no feeds");
    }
    if (hlc_less(open->options.after, slice_gc_threshold(slice, open->options.tenant))) {
        return status_make(E_NOT_IN_PREREQUISITE_STATE,
            "the versions that the feed starts from have been garbage-collected");
    }
    return STATUS_OK;
}

static struct feed *feed_make(const struct feed_open *open, struct slice *slice)
{
    struct feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return NULL;
    feed->set = slice->feeds;
    feed->id = ++slice->feeds->last_id;
    feed->to = open->to;
    feed->consumer_shard = open->consumer_shard;
    feed->tenant = open->options.tenant;
    feed->after = open->options.after;
    feed->resolved = open->options.after;
    feed->resolved_every_ns = open->options.resolved_every_ns == 0
        ? RESOLVED_EVERY_NS_DEFAULT : open->options.resolved_every_ns;
    wait_queue_init(&feed->credit);
    arena_init(&feed->arena, NULL);
    feed->span.start = arena_copy(&feed->arena, open->options.span.start);
    feed->span.end = arena_copy(&feed->arena, open->options.span.end);
    feed->covered = covered_text(slice, feed->span, &feed->arena);
    return feed;
}

struct status feed_open(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct feed_open *open = arg;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), open->options.slice);
    if (slice == NULL) return status_make(E_INVALID_PARAMETER_VALUE, "no such slice");
    TRY(open_check(open, slice));
    struct feed *feed = feed_make(open, slice);
    if (feed == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    struct feed_set *set = slice->feeds;
    check_ranges(set);
    const struct task_options options = {
        .fn = catch_up,
        .arg = feed,
        .kind = "kv.catch_up",
        .tenant = feed->tenant,
        .class = TASK_BULK,
        .ended = catch_up_ended,
        .ended_arg = feed,
    };
    st = task_start(task->shard, &options);
    feed->next = set->feeds;
    set->feeds = feed;
    if (failed(st)) {
        feed_free(feed);
        return st;
    }
    feed->running = true;
    slice_hold(slice);
    open->feed = feed->id;
    timer_start(set);
out:
    return st;
}

// --- the module ----------------------------------------------------------------------------------

static struct status feed_slice_ready(struct task *task, struct slice *slice)
{
    (void)task;
    struct feed_set *set = calloc(1, sizeof *set);
    if (set == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    set->slice = slice;
    set->observer = (struct slice_observer){.applied = on_applied, .batch_end = on_batch_end};
    set->timer = (struct timer){.fire = timer_fire, .arg = set};
    wait_queue_init(&set->ended);
    slice->feeds = set;
    slice_observer_add(slice, &set->observer);
    return STATUS_OK;
}

static void feed_slice_fini(struct slice *slice)
{
    struct feed_set *set = slice->feeds;
    if (set == NULL) return;
    timer_disarm(slice->shard, &set->timer);
    slice_observer_remove(slice, &set->observer);
    while (set->feeds != NULL) feed_free(set->feeds);
    slice->feeds = NULL;
    free(set);
}

// Whoever leads from here on has no feeds: consumers open theirs there.
static void feed_slice_following(struct slice *slice)
{
    struct feed_set *set = slice->feeds;
    timer_disarm(slice->shard, &set->timer);
    for (struct feed *feed = set->feeds; feed != NULL; feed = feed->next)
        feed_end(feed, status_make_retry(
                           K_WRONG_RANGE, RETRY_STATEMENT, "the slice is led by another node"));
}

static bool any_running(const struct feed_set *set)
{
    const struct feed *feed = set->feeds;
    while (feed != NULL && !feed->running) feed = feed->next;
    return feed != NULL;
}

static struct status stop_shard(struct task *task, void *arg)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct feed_set *set = kv->slices[i]->feeds;
        set->stopping = true;
        timer_disarm(task->shard, &set->timer);
        for (struct feed *feed = set->feeds; feed != NULL; feed = feed->next) {
            feed_end(feed, status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
        }
        while (any_running(set)) {
            if (failed(task_wait(task, &set->ended))) task_cancel_clear(task);
        }
    }
    return STATUS_OK;
}

static void feed_stopping(struct task *task, struct kv_node *node)
{
    (void)node;
    struct status st = shard_call_all(task, stop_shard, NULL);
    if (failed(st)) log_warning(0, "stopping with rangefeeds open: %s", st.message);
}

const struct kv_module feed_module = {
    .name = "feeds",
    .slot = KV_SLOT_NONE,
    .slice_ready = feed_slice_ready,
    .slice_following = feed_slice_following,
    .stopping = feed_stopping,
    .slice_fini = feed_slice_fini,
};
