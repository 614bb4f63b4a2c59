// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions' requests as bytes.
#include "kv/entry.h"
#include "kv/key.h"
#include "kv/leader_wire.h"
#include "kv/staged.h"

#define ROW_BYTES_LEAST 2u // Of a pair: two sizes.
#define HELD_BYTES_LEAST 3u

// --- parts ---------------------------------------------------------------------------------------

static void put_read(struct buffer *out, const struct kv_read *read)
{
    wire_put_u64(out, read->lock);
    wire_put_u64(out, read->wait);
}

static struct kv_read take_read(struct wire_in *in)
{
    struct kv_read read = {0};
    read.lock = (enum kv_lock)wire_take_enum(in, KV_LOCK_UPDATE);
    read.wait = (enum kv_wait)wire_take_enum(in, KV_WAIT_FAIL);
    return read;
}

static void put_view(struct buffer *out, const struct staged_view *view)
{
    wire_put_bool(out, view != NULL);
    if (view == NULL) return;
    wire_put_u64(out, view->hidden_count);
    for (uint32_t i = 0; i < view->hidden_count; i++) {
        wire_put_u64(out, view->hidden[i].from);
        wire_put_u64(out, view->hidden[i].to);
    }
}

static const struct staged_view *take_view(struct wire_in *in)
{
    if (!wire_take_bool(in)) return NULL;
    struct staged_view *view = ARENA_NEW(in->arena, struct staged_view);
    uint32_t count = wire_take_count(in, 2);
    struct staged_hidden *hidden = ARENA_ARRAY(in->arena, struct staged_hidden, count);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        hidden[i].from = wire_take_u64(in);
        hidden[i].to = wire_take_u64(in);
    }
    *view = (struct staged_view){hidden, in->bad ? 0 : count};
    return view;
}

static void put_entries(struct buffer *out, const struct read_entry *entries, uint32_t count)
{
    wire_put_u64(out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_bytes(out, entries[i].start);
        wire_put_bytes(out, entries[i].end);
    }
}

static const struct read_entry *take_entries(struct wire_in *in, uint32_t *count)
{
    *count = wire_take_count(in, ROW_BYTES_LEAST);
    struct read_entry *entries = ARENA_ARRAY(in->arena, struct read_entry, *count);
    for (uint32_t i = 0; i < *count && !in->bad; i++) {
        entries[i].start = wire_take_key(in);
        entries[i].end = wire_take_bytes(in);
        if (entries[i].end.size > KEY_BYTES_MAX + 1) in->bad = true;
        if (i > 0 && bytes_compare(entries[i - 1].start, entries[i].start) > 0) in->bad = true;
    }
    return entries;
}

static void put_held(struct buffer *out, const struct held_key *keys, uint32_t count)
{
    wire_put_u64(out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_bytes(out, keys[i].key);
        wire_put_u64(out, keys[i].since);
        wire_put_u64(out, keys[i].mode);
    }
}

static const struct held_key *take_held(struct wire_in *in, uint32_t *count)
{
    *count = wire_take_count(in, HELD_BYTES_LEAST);
    struct held_key *keys = ARENA_ARRAY(in->arena, struct held_key, *count);
    for (uint32_t i = 0; i < *count && !in->bad; i++) {
        keys[i].key = wire_take_key(in);
        keys[i].since = wire_take_u64(in);
        keys[i].mode = (enum kv_lock)wire_take_enum(in, KV_LOCK_UPDATE);
        if (keys[i].mode == KV_LOCK_NONE) in->bad = true;
    }
    return keys;
}

// --- points --------------------------------------------------------------------------------------

static void get_ask(struct buffer *out, const void *request)
{
    const struct leader_get *get = request;
    put_read(out, &get->read);
    wire_put_bool(out, get->skipped != NULL);
    wire_put_u64(out, get->count);
    for (uint32_t i = 0; i < get->count; i++) wire_put_bytes(out, get->keys[i]);
    put_view(out, get->call.view);
}

static void get_asked(struct wire_in *in, void *request)
{
    struct leader_get *get = request;
    get->read = take_read(in);
    bool skips = wire_take_bool(in);
    get->count = wire_take_count(in, 1);
    struct bytes *keys = ARENA_ARRAY(in->arena, struct bytes, get->count);
    for (uint32_t i = 0; i < get->count && !in->bad; i++) keys[i] = wire_take_key(in);
    get->keys = keys;
    get->values = ARENA_ARRAY(in->arena, struct bytes, get->count);
    get->skipped = skips ? ARENA_ARRAY(in->arena, bool, get->count) : NULL;
    get->call.view = take_view(in);
}

static void get_answer(struct buffer *out, const void *request)
{
    const struct leader_get *get = request;
    wire_put_u64(out, get->count);
    for (uint32_t i = 0; i < get->count; i++) {
        wire_put_bytes(out, get->values[i]);
        if (get->skipped != NULL) wire_put_bool(out, get->skipped[i]);
    }
}

static void get_answered(struct wire_in *in, void *request)
{
    struct leader_get *get = request;
    if (wire_take_u64(in) != get->count) in->bad = true;
    for (uint32_t i = 0; i < get->count && !in->bad; i++) {
        get->values[i] = wire_take_bytes(in);
        if (get->skipped != NULL) get->skipped[i] = wire_take_bool(in);
    }
}

static void present_ask(struct buffer *out, const void *request)
{
    wire_put_bytes(out, ((const struct leader_present *)request)->key);
}

static void present_asked(struct wire_in *in, void *request)
{
    ((struct leader_present *)request)->key = wire_take_key(in);
}

static void present_answer(struct buffer *out, const void *request)
{
    wire_put_bytes(out, ((const struct leader_present *)request)->value);
}

static void present_answered(struct wire_in *in, void *request)
{
    ((struct leader_present *)request)->value = wire_take_bytes(in);
}

// --- scans ---------------------------------------------------------------------------------------

static void scan_ask(struct buffer *out, const void *request)
{
    const struct leader_scan *scan = request;
    put_read(out, &scan->read);
    wire_put_span(out, scan->span);
    wire_put_bool(out, scan->reverse);
    wire_put_u64(out, scan->rows_max);
    put_view(out, scan->call.view);
}

static void scan_asked(struct wire_in *in, void *request)
{
    struct leader_scan *scan = request;
    scan->read = take_read(in);
    scan->span = wire_take_span(in);
    scan->reverse = wire_take_bool(in);
    scan->rows_max = wire_take_u32(in);
    scan->call.view = take_view(in);
}

static void scan_answer(struct buffer *out, const void *request)
{
    const struct leader_scan *scan = request;
    wire_put_bool(out, scan->done);
    wire_put_span(out, scan->span);
    wire_put_u64(out, scan->batch.count);
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        wire_put_bytes(out, scan->batch.pairs[i].key);
        wire_put_bytes(out, scan->batch.pairs[i].value);
    }
}

static void scan_answered(struct wire_in *in, void *request)
{
    struct leader_scan *scan = request;
    scan->done = wire_take_bool(in);
    scan->span.start = wire_take_bytes(in);
    scan->span.end = wire_take_bytes(in);
    uint32_t count = wire_take_count(in, ROW_BYTES_LEAST);
    struct kv_pair *pairs = ARENA_ARRAY(in->arena, struct kv_pair, count);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        pairs[i].key = wire_take_key(in);
        pairs[i].value = wire_take_bytes(in);
    }
    scan->batch = (struct kv_batch){pairs, in->bad ? 0 : count};
}

// --- validation ----------------------------------------------------------------------------------

static void refresh_ask(struct buffer *out, const void *request)
{
    const struct leader_refresh *refresh = request;
    put_entries(out, refresh->entries, refresh->count);
    wire_put_ts(out, refresh->to);
}

static void refresh_asked(struct wire_in *in, void *request)
{
    struct leader_refresh *refresh = request;
    refresh->entries = take_entries(in, &refresh->count);
    refresh->to = wire_take_ts(in);
}

static void validate_ask(struct buffer *out, const void *request)
{
    const struct leader_validate *check = request;
    put_entries(out, check->reads, check->read_count);
    put_held(out, check->held, check->held_count);
    wire_put_u64(out, check->mark);
    wire_put_u64(out, check->epoch);
    wire_put_bool(out, check->prepared);
    wire_put_ts(out, check->to);
}

static void validate_asked(struct wire_in *in, void *request)
{
    struct leader_validate *check = request;
    check->reads = take_entries(in, &check->read_count);
    check->held = take_held(in, &check->held_count);
    check->mark = wire_take_u64(in);
    check->epoch = wire_take_u64(in);
    check->prepared = wire_take_bool(in);
    check->to = wire_take_ts(in);
}

// --- commits -------------------------------------------------------------------------------------

static void commit_ask(struct buffer *out, const void *request)
{
    const struct leader_commit *commit = request;
    bool any = false;
    for (uint32_t i = 0; i < commit->write_count; i++) any = any || commit->writes[i]->checked;
    wire_put_ts(out, commit->checked_ts);
    wire_put_ts(out, commit->after);
    wire_put_ts(out, commit->until);
    put_entries(out, commit->reads, commit->read_count);
    put_held(out, commit->held, commit->held_count);
    wire_put_bytes(out, commit->payload);
    wire_put_bool(out, commit->no_wait);
    wire_put_bool(out, any);
    if (!any) return;
    for (uint32_t i = 0; i < commit->write_count; i += 8) {
        uint8_t bits = 0;
        for (uint32_t k = 0; k < 8 && i + k < commit->write_count; k++) {
            bits |= (uint8_t)(commit->writes[i + k]->checked ? 1u << k : 0);
        }
        buffer_append_u8(out, bits);
    }
}

// Writes as the leader looks at them: keys in order, and whether they are checked.
static void take_nodes(struct wire_in *in, struct leader_commit *commit, uint32_t count)
{
    struct write_node *nodes = ARENA_ARRAY(in->arena, struct write_node, count);
    const struct write_node **writes = ARENA_ARRAY(in->arena, const struct write_node *, count);
    for (uint32_t i = 0; i < count; i++) writes[i] = &nodes[i];
    commit->writes = writes;
    commit->write_count = count;
}

static struct write_node *node_at(struct leader_commit *commit, uint32_t i)
{
    return (struct write_node *)(uintptr_t)commit->writes[i];
}

static void check_order(struct wire_in *in, const struct leader_commit *commit, uint32_t i)
{
    if (i > 0 && bytes_compare(commit->writes[i - 1]->key, commit->writes[i]->key) >= 0) {
        in->bad = true;
    }
}

// The entry is one operation, of this tenant, and nothing else.
static void take_writes(struct wire_in *in, struct leader_commit *commit, enum entry_kind kind)
{
    struct entry_reader reader;
    struct entry_op op;
    if (in->bad || failed(entry_open(commit->payload, &reader)) || !entry_op_next(&reader, &op)) {
        in->bad = true;
        return;
    }
    struct entry_op more;
    bool alone = !entry_op_next(&reader, &more);
    if (!alone || op.kind != kind || op.tenant != commit->call.tenant ||
        op.txn != commit->call.owner.txn) {
        in->bad = true;
        return;
    }
    take_nodes(in, commit, op.item_count);
    struct entry_items items;
    struct entry_item item;
    uint32_t count = 0;
    entry_items_open(&op, &items);
    while (!in->bad && entry_item_next(&items, &item)) {
        // A key comes once, but in staged writes once an epoch.
        bool again = kind == ENTRY_STAGE && count > 0 &&
            bytes_equal(commit->writes[count - 1]->key, item.key);
        struct write_node *node = node_at(commit, again ? count - 1 : count);
        node->key = item.key;
        node->value = item.value;
        // Of several any may come to count.
        const bool deleted = again && node->kind == WRITE_DELETE;
        node->kind = item.tombstone || deleted ? WRITE_DELETE : WRITE_PUT;
        if (!again) check_order(in, commit, count++);
    }
    commit->write_count = count;
}

static void commit_asked_as(struct wire_in *in, void *request, enum entry_kind kind)
{
    struct leader_commit *commit = request;
    commit->checked_ts = wire_take_ts(in);
    commit->after = wire_take_ts(in);
    commit->until = wire_take_ts(in);
    commit->reads = take_entries(in, &commit->read_count);
    commit->held = take_held(in, &commit->held_count);
    struct bytes payload = wire_take_bytes(in);
    // The leader writes its timestamp into it.
    commit->payload = in->bad ? payload : arena_copy(in->arena, payload);
    take_writes(in, commit, kind);
    commit->no_wait = wire_take_bool(in);
    if (!wire_take_bool(in)) return;
    size_t size = ((size_t)commit->write_count + 7) / 8;
    if (in->bad || in->rest.size < size) {
        in->bad = true;
        return;
    }
    for (uint32_t i = 0; i < commit->write_count; i++) {
        node_at(commit, i)->checked = in->rest.data[i / 8] >> (i % 8) & 1;
    }
    in->rest = bytes_skip(in->rest, size);
}

static void commit_asked(struct wire_in *in, void *request)
{
    commit_asked_as(in, request, ENTRY_WRITES);
}

static void prepare_asked(struct wire_in *in, void *request)
{
    commit_asked_as(in, request, ENTRY_PREPARE);
}

static void stage_asked(struct wire_in *in, void *request)
{
    commit_asked_as(in, request, ENTRY_STAGE);
}

static void seal_asked(struct wire_in *in, void *request)
{
    commit_asked_as(in, request, ENTRY_SEAL);
}

static void commit_answer(struct buffer *out, const void *request)
{
    const struct leader_commit *commit = request;
    wire_put_ts(out, commit->commit_ts);
    wire_put_u64(out, commit->mark);
    wire_put_u64(out, commit->epoch);
    wire_put_u64(out, commit->released);
}

static void commit_answered(struct wire_in *in, void *request)
{
    struct leader_commit *commit = request;
    commit->commit_ts = wire_take_ts(in);
    commit->mark = wire_take_u64(in);
    commit->epoch = wire_take_u64(in);
    commit->released = wire_take_u64(in);
}

// Locks need no more than the keys, which of them go, and what must be held before: once the keys are locked nobody can tell any
// more that their locks were lost.
static void lock_ask(struct buffer *out, const void *request)
{
    const struct leader_commit *commit = request;
    wire_put_u64(out, commit->write_count);
    for (uint32_t i = 0; i < commit->write_count; i++) {
        wire_put_bytes(out, commit->writes[i]->key);
        wire_put_bool(out, write_node_lock(commit->writes[i]) == KV_LOCK_UPDATE);
    }
    put_held(out, commit->held, commit->held_count);
}

static void lock_asked(struct wire_in *in, void *request)
{
    struct leader_commit *commit = request;
    uint32_t count = wire_take_count(in, 2);
    take_nodes(in, commit, count);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        node_at(commit, i)->key = wire_take_key(in);
        node_at(commit, i)->kind = wire_take_bool(in) ? WRITE_DELETE : WRITE_PUT;
        check_order(in, commit, i);
    }
    commit->held = take_held(in, &commit->held_count);
}

// --- the end of transactions ---------------------------------------------------------------------

static void put_slices(struct buffer *out, const uint64_t *slices, uint32_t count)
{
    wire_put_u64(out, count);
    for (uint32_t i = 0; i < count; i++) wire_put_u64(out, slices[i]);
}

static uint64_t *take_slices(struct wire_in *in, uint32_t *count)
{
    *count = wire_take_count(in, 1);
    uint64_t *slices = ARENA_ARRAY(in->arena, uint64_t, *count);
    for (uint32_t i = 0; i < *count && !in->bad; i++) slices[i] = wire_take_u64(in);
    return slices;
}

static void record_put_ask(struct buffer *out, const void *request)
{
    const struct leader_record_put *put = request;
    wire_put_bool(out, put->commit);
    wire_put_bool(out, put->end);
    wire_put_bool(out, put->staged);
    wire_put_bool(out, put->over);
    put_slices(out, put->slices, put->slice_count);
}

static void record_put_asked(struct wire_in *in, void *request)
{
    struct leader_record_put *put = request;
    put->commit = wire_take_bool(in);
    put->end = wire_take_bool(in);
    put->staged = wire_take_bool(in);
    put->over = wire_take_bool(in);
    put->slices = take_slices(in, &put->slice_count);
}

static void record_get_answer(struct buffer *out, const void *request)
{
    const struct leader_record_get *get = request;
    wire_put_bool(out, get->found);
    wire_put_bool(out, get->commit);
    wire_put_ts(out, get->ts);
    wire_put_bool(out, get->staged);
    put_slices(out, get->slices, get->slice_count);
}

static void record_get_answered(struct wire_in *in, void *request)
{
    struct leader_record_get *get = request;
    get->found = wire_take_bool(in);
    get->commit = wire_take_bool(in);
    get->ts = wire_take_ts(in);
    get->staged = wire_take_bool(in);
    get->slices = take_slices(in, &get->slice_count);
}

static void give_up_ask(struct buffer *out, const void *request)
{
    wire_put_bool(out, ((const struct leader_give_up *)request)->over);
}

static void give_up_asked(struct wire_in *in, void *request)
{
    ((struct leader_give_up *)request)->over = wire_take_bool(in);
}

static void give_up_answer(struct buffer *out, const void *request)
{
    const struct leader_give_up *give_up = request;
    wire_put_bool(out, give_up->prepared);
    wire_put_ts(out, give_up->ts);
}

static void give_up_answered(struct wire_in *in, void *request)
{
    struct leader_give_up *give_up = request;
    give_up->prepared = wire_take_bool(in);
    give_up->ts = wire_take_ts(in);
}

static void resolve_ask(struct buffer *out, const void *request)
{
    const struct leader_resolve *resolve = request;
    wire_put_bool(out, resolve->commit);
    wire_put_bool(out, resolve->keep_locks);
}

static void resolve_asked(struct wire_in *in, void *request)
{
    struct leader_resolve *resolve = request;
    resolve->commit = wire_take_bool(in);
    resolve->keep_locks = wire_take_bool(in);
}

static void release_ask(struct buffer *out, const void *request)
{
    const struct leader_release *release = request;
    wire_put_u64(out, release->from);
    wire_put_u64(out, release->to);
}

static void release_asked(struct wire_in *in, void *request)
{
    struct leader_release *release = request;
    release->from = wire_take_u32(in);
    release->to = wire_take_u32(in);
}

const struct leader_codec leader_txn_codecs[LEADER_KIND_END] = {
    [LEADER_GET] = {.name = "leader.get", .size = sizeof(struct leader_get), .run = leader_get,
        .ask = get_ask, .asked = get_asked, .answer = get_answer, .answered = get_answered},
    [LEADER_SCAN] = {.name = "leader.scan", .size = sizeof(struct leader_scan), .run = leader_scan,
        .ask = scan_ask, .asked = scan_asked, .answer = scan_answer, .answered = scan_answered},
    [LEADER_PRESENT] = {.name = "leader.present", .size = sizeof(struct leader_present),
        .run = leader_present, .ask = present_ask, .asked = present_asked,
        .answer = present_answer, .answered = present_answered},
    [LEADER_REFRESH] = {.name = "leader.refresh", .size = sizeof(struct leader_refresh),
        .run = leader_refresh, .ask = refresh_ask, .asked = refresh_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_COMMIT] = {.name = "leader.commit", .size = sizeof(struct leader_commit),
        .run = leader_commit, .once = true, .ask = commit_ask, .asked = commit_asked,
        .answer = commit_answer, .answered = commit_answered},
    [LEADER_LOCK] = {.name = "leader.lock", .size = sizeof(struct leader_commit),
        .run = leader_lock, .ask = lock_ask, .asked = lock_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_PREPARE] = {.name = "leader.prepare", .size = sizeof(struct leader_commit),
        .run = leader_prepare, .ask = commit_ask, .asked = prepare_asked,
        .answer = commit_answer, .answered = commit_answered},
    [LEADER_STAGE] = {.name = "leader.stage", .size = sizeof(struct leader_commit),
        .run = leader_stage, .ask = commit_ask, .asked = stage_asked,
        .answer = commit_answer, .answered = commit_answered},
    [LEADER_SEAL] = {.name = "leader.seal", .size = sizeof(struct leader_commit),
        .run = leader_seal, .ask = commit_ask, .asked = seal_asked,
        .answer = commit_answer, .answered = commit_answered},
    [LEADER_VALIDATE] = {.name = "leader.validate", .size = sizeof(struct leader_validate),
        .run = leader_validate, .ask = validate_ask, .asked = validate_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_RECORD_PUT] = {.name = "leader.record_put", .size = sizeof(struct leader_record_put),
        .run = leader_record_put, .once = true, .ask = record_put_ask, .asked = record_put_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_RECORD_GET] = {.name = "leader.record_get", .size = sizeof(struct leader_record_get),
        .run = leader_record_get, .ask = wire_put_nothing, .asked = wire_take_nothing,
        .answer = record_get_answer, .answered = record_get_answered},
    [LEADER_GIVE_UP] = {.name = "leader.give_up", .size = sizeof(struct leader_give_up),
        .run = leader_give_up, .ask = give_up_ask, .asked = give_up_asked,
        .answer = give_up_answer, .answered = give_up_answered},
    [LEADER_RESOLVE] = {.name = "leader.resolve", .size = sizeof(struct leader_resolve),
        .run = leader_resolve, .ask = resolve_ask, .asked = resolve_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_RELEASE] = {.name = "leader.release", .size = sizeof(struct leader_release),
        .run = leader_release_here, .ask = release_ask, .asked = release_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
};
