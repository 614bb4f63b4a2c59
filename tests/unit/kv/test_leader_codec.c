// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every kind of request to a leader, and every answer, goes through its encoded form with each of its fields set to a
// value of its own: a field that is forgotten on one side, or swapped with another, is not what it was. The lists
// below say of each field of each struct whether it travels; a field that is in no list fails, too.
#include "tests/unit/harness.h"

#include "kv/leader_range.h"
#include "kv/leader_raw.h"
#include "kv/leader_wire.h"
#include "kv/move_side.h"
#include "kv/staged.h"

#define TENANT 7u
#define TXN 77u
#define NOW_NS 1000u
#define KEY(text) BYTES_LITERAL(text)
#define KINDS_FIELDS_MAX 40u

enum side { LOCAL = 0, ASKED = 1, ANSWERED = 2, BOTH = 3 };
enum shape {
    NUMBER, // Distinct from all others of the struct.
    SAME,   // As another one, or 0: so it has to be.
    CHOICE, // An enumeration.
    FLAG,
    TIME,
    BYTES,
    ARRAY, // Compared by `equal`.
    OTHER, // Local.
};
typedef bool (*equal_fn)(const void *a, const void *b);
struct field {
    const char *name;
    size_t at, size;
    enum shape shape;
    enum side side;
    equal_fn equal;
};
#define SIZE_OF(type, name) sizeof(((struct type *)0)->name)
#define FIELD(type, name, shape, side) {#name, offsetof(struct type, name), SIZE_OF(type, name), shape, side, NULL}
#define LIST(type, name, side, equal) {#name, offsetof(struct type, name), SIZE_OF(type, name), ARRAY, side, equal}

// --- what is compared by more than its bytes -----------------------------------------------------------------

static bool views_equal(const void *a, const void *b)
{
    const struct staged_view *one = ((const struct leader_call *)a)->view;
    const struct staged_view *other = ((const struct leader_call *)b)->view;
    if (one == NULL || other == NULL || one->hidden_count != other->hidden_count) return false;
    for (uint32_t i = 0; i < one->hidden_count; i++) {
        if (one->hidden[i].from != other->hidden[i].from || one->hidden[i].to != other->hidden[i].to)
            return false;
    }
    return true;
}

static bool bytes_lists_equal(const struct bytes *a, const struct bytes *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((a[i].data == NULL) != (b[i].data == NULL) || !bytes_equal(a[i], b[i])) return false;
    }
    return true;
}

static bool entries_equal(const struct read_entry *a, const struct read_entry *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!bytes_equal(a[i].start, b[i].start) || !bytes_equal(a[i].end, b[i].end)) return false;
    }
    return true;
}

static bool versions_equal(const struct kv_version *a, const struct kv_version *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!bytes_equal(a[i].key, b[i].key) || !bytes_equal(a[i].value, b[i].value) ||
            !hlc_equal(a[i].ts, b[i].ts) || a[i].tombstone != b[i].tombstone)
            return false;
    }
    return true;
}

static bool held_equal(const struct held_key *a, const struct held_key *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!bytes_equal(a[i].key, b[i].key) || a[i].since != b[i].since || a[i].mode != b[i].mode) return false;
    }
    return true;
}

#define EQUAL_FN(fn, type, expression)                                                             \
    static bool fn(const void *left, const void *right)                                            \
    {                                                                                              \
        const struct type *a = left, *b = right;                                                   \
        return expression;                                                                         \
    }

EQUAL_FN(get_keys, leader_get, bytes_lists_equal(a->keys, b->keys, a->count))
EQUAL_FN(get_values, leader_get, bytes_lists_equal(a->values, b->values, a->count))
EQUAL_FN(refresh_entries, leader_refresh, entries_equal(a->entries, b->entries, a->count))
EQUAL_FN(validate_reads, leader_validate, entries_equal(a->reads, b->reads, a->read_count))
EQUAL_FN(validate_held, leader_validate, held_equal(a->held, b->held, a->held_count))
EQUAL_FN(commit_reads, leader_commit, entries_equal(a->reads, b->reads, a->read_count))
EQUAL_FN(commit_held, leader_commit, held_equal(a->held, b->held, a->held_count))
EQUAL_FN(export_versions, leader_export, versions_equal(a->versions, b->versions, a->count))
EQUAL_FN(ingest_versions, leader_ingest, versions_equal(a->versions, b->versions, a->count))
EQUAL_FN(move_versions, leader_move, versions_equal(a->versions, b->versions, a->version_count))
EQUAL_FN(put_slices, leader_record_put, memcmp(a->slices, b->slices, a->slice_count * sizeof *a->slices) == 0)
EQUAL_FN(got_slices, leader_record_get, memcmp(a->slices, b->slices, a->slice_count * sizeof *a->slices) == 0)

// The leader is told whether it may pass rows over at all; its answer, which.
EQUAL_FN(get_skips, leader_get, memcmp(a->skipped, b->skipped, a->count) == 0)

static bool pairs_equal(const void *left, const void *right)
{
    const struct leader_scan *a = left, *b = right;
    for (uint32_t i = 0; i < a->batch.count; i++) {
        if (!bytes_equal(a->batch.pairs[i].key, b->batch.pairs[i].key) ||
            !bytes_equal(a->batch.pairs[i].value, b->batch.pairs[i].value))
            return false;
    }
    return true;
}

static bool keys_equal(const void *left, const void *right)
{
    const struct leader_commit *a = left, *b = right;
    for (uint32_t i = 0; i < a->write_count; i++) {
        if (!bytes_equal(a->writes[i]->key, b->writes[i]->key)) return false;
    }
    return true;
}

static bool writes_equal(const void *left, const void *right)
{
    const struct leader_commit *a = left, *b = right;
    for (uint32_t i = 0; i < a->write_count; i++) {
        if (a->writes[i]->kind != b->writes[i]->kind || a->writes[i]->checked != b->writes[i]->checked ||
            !bytes_equal(a->writes[i]->value, b->writes[i]->value))
            return false;
    }
    return keys_equal(a, b);
}

static bool sizes_equal(const void *left, const void *right)
{
    const struct leader_look *a = left, *b = right;
    for (uint32_t i = 0; i < a->size_count; i++) {
        const struct leader_size *one = &a->sizes[i], *other = &b->sizes[i];
        if (!bytes_equal(one->start, other->start) || one->bytes != other->bytes ||
            one->keys != other->keys || one->rate != other->rate || one->looks != other->looks)
            return false;
    }
    return true;
}

static bool locks_equal(const void *left, const void *right)
{
    const struct leader_move *a = left, *b = right;
    for (uint32_t i = 0; i < a->lock_count; i++) {
        const struct lock_taken *one = &a->locks[i], *other = &b->locks[i];
        if (!bytes_equal(one->key, other->key) || one->owner.txn != other->owner.txn ||
            one->owner.age_ns != other->owner.age_ns || one->mode != other->mode ||
            memcmp(one->levels, other->levels, sizeof one->levels) != 0 ||
            memcmp(one->since, other->since, sizeof one->since) != 0)
            return false;
    }
    return true;
}

// --- the fields ----------------------------------------------------------------------------------------------

#define CALL(name, shape, side) FIELD(leader_call, name, shape, side)
#define CALL_FIELDS(view_side)                                                                     \
    CALL(slice, NUMBER, ASKED), CALL(generation, NUMBER, ASKED), CALL(tenant, NUMBER, ASKED),      \
        CALL(read_ts, TIME, ASKED),                                                                \
        CALL(uncertain, TIME, ASKED), CALL(certain, TIME, ASKED), CALL(seen, OTHER, LOCAL),        \
        LIST(leader_call, view, view_side, views_equal), CALL(staged, NUMBER, ASKED),              \
        CALL(owner.txn, NUMBER, ASKED),                                                            \
        CALL(owner.age_ns, NUMBER, ASKED), CALL(holder, NUMBER, ASKED),                            \
        CALL(lock_deadline_ns, NUMBER, ASKED), CALL(lock_level, NUMBER, ASKED),                    \
        CALL(arena, OTHER, LOCAL), CALL(reply, OTHER, LOCAL), CALL(remote, OTHER, LOCAL),          \
        CALL(here, OTHER, LOCAL), CALL(follower, FLAG, ASKED), CALL(again, FLAG, ASKED),           \
        CALL(relayed, OTHER, LOCAL), CALL(moved_to, TIME, ANSWERED),                               \
        CALL(lock_wait_ns, NUMBER, ANSWERED), CALL(locks_taken, NUMBER, ANSWERED),                 \
        CALL(locks_since, NUMBER, ANSWERED),                                                       \
        CALL(clock, TIME, ANSWERED), CALL(leader, NUMBER, ANSWERED)

#define READ_FIELDS(type)                                                                          \
    FIELD(type, read.lock, CHOICE, ASKED), FIELD(type, read.wait, CHOICE, ASKED),                  \
        FIELD(type, read.no_validate, OTHER, LOCAL), FIELD(type, read.mark, OTHER, LOCAL)
#define SPAN_FIELDS(type, name, side)                                                              \
    FIELD(type, name.start, BYTES, side), FIELD(type, name.end, BYTES, side)
#define RANGE_FIELDS(type, slice_shape)                                                            \
    FIELD(type, range.id, NUMBER, ASKED), SPAN_FIELDS(type, range.span, ASKED),                    \
        FIELD(type, range.slice, slice_shape, ASKED), FIELD(type, range.generation, NUMBER, ASKED),\
        FIELD(type, range.sticky_ns, NUMBER, ASKED)

static const struct field get_fields[] = {CALL_FIELDS(ASKED), READ_FIELDS(leader_get),
    LIST(leader_get, keys, ASKED, get_keys), LIST(leader_get, values, ANSWERED, get_values),
    LIST(leader_get, skipped, ANSWERED, get_skips), FIELD(leader_get, count, NUMBER, ASKED)};
static const struct field scan_fields[] = {CALL_FIELDS(ASKED), READ_FIELDS(leader_scan),
    SPAN_FIELDS(leader_scan, span, BOTH), FIELD(leader_scan, reverse, FLAG, ASKED),
    FIELD(leader_scan, done, FLAG, ANSWERED), FIELD(leader_scan, rows_max, NUMBER, ASKED),
    FIELD(leader_scan, visitor, OTHER, LOCAL), FIELD(leader_scan, bytes_visited, OTHER, LOCAL),
    LIST(leader_scan, batch.pairs, ANSWERED, pairs_equal), FIELD(leader_scan, batch.count, NUMBER, ANSWERED)};
static const struct field present_fields[] = {CALL_FIELDS(LOCAL),
    FIELD(leader_present, key, BYTES, ASKED), FIELD(leader_present, value, BYTES, ANSWERED)};
static const struct field refresh_fields[] = {CALL_FIELDS(LOCAL),
    LIST(leader_refresh, entries, ASKED, refresh_entries), FIELD(leader_refresh, count, NUMBER, ASKED),
    FIELD(leader_refresh, to, TIME, ASKED)};

#define COMMIT_FIELDS(count_shape, side, equal)                                                    \
    {CALL_FIELDS(LOCAL), LIST(leader_commit, writes, ASKED, equal),                                \
        FIELD(leader_commit, write_count, count_shape, ASKED),                                     \
        LIST(leader_commit, reads, side, commit_reads), FIELD(leader_commit, read_count, NUMBER, side), \
        LIST(leader_commit, held, ASKED, commit_held), FIELD(leader_commit, held_count, NUMBER, ASKED), \
        FIELD(leader_commit, checked_ts, TIME, side), FIELD(leader_commit, payload, BYTES, side),  \
        FIELD(leader_commit, after, TIME, side), FIELD(leader_commit, until, TIME, side),          \
        FIELD(leader_commit, commit_ts, TIME, side == LOCAL ? LOCAL : ANSWERED),                   \
        FIELD(leader_commit, mark, NUMBER, side == LOCAL ? LOCAL : ANSWERED),                      \
        FIELD(leader_commit, epoch, NUMBER, side == LOCAL ? LOCAL : ANSWERED),                     \
        FIELD(leader_commit, released, NUMBER, side == LOCAL ? LOCAL : ANSWERED),                  \
        FIELD(leader_commit, no_wait, FLAG, side)}
static const struct field commit_fields[] = COMMIT_FIELDS(NUMBER, ASKED, writes_equal);
static const struct field seal_fields[] = COMMIT_FIELDS(SAME, ASKED, writes_equal); // It writes nothing.
static const struct field lock_fields[] = COMMIT_FIELDS(NUMBER, LOCAL, keys_equal);

static const struct field validate_fields[] = {CALL_FIELDS(LOCAL),
    LIST(leader_validate, reads, ASKED, validate_reads), FIELD(leader_validate, read_count, NUMBER, ASKED),
    LIST(leader_validate, held, ASKED, validate_held), FIELD(leader_validate, held_count, NUMBER, ASKED),
    FIELD(leader_validate, mark, NUMBER, ASKED), FIELD(leader_validate, epoch, NUMBER, ASKED),
    FIELD(leader_validate, prepared, FLAG, ASKED), FIELD(leader_validate, to, TIME, ASKED)};
static const struct field record_put_fields[] = {CALL_FIELDS(LOCAL),
    FIELD(leader_record_put, commit, FLAG, ASKED), FIELD(leader_record_put, end, FLAG, ASKED),
    FIELD(leader_record_put, staged, FLAG, ASKED), FIELD(leader_record_put, over, FLAG, ASKED),
    LIST(leader_record_put, slices, ASKED, put_slices), FIELD(leader_record_put, slice_count, NUMBER, ASKED)};
static const struct field record_get_fields[] = {CALL_FIELDS(LOCAL),
    FIELD(leader_record_get, found, FLAG, ANSWERED), FIELD(leader_record_get, commit, FLAG, ANSWERED),
    FIELD(leader_record_get, staged, FLAG, ANSWERED), FIELD(leader_record_get, ts, TIME, ANSWERED),
    LIST(leader_record_get, slices, ANSWERED, got_slices),
    FIELD(leader_record_get, slice_count, NUMBER, ANSWERED)};
static const struct field give_up_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_give_up, over, FLAG, ASKED),
    FIELD(leader_give_up, prepared, FLAG, ANSWERED), FIELD(leader_give_up, ts, TIME, ANSWERED)};
static const struct field resolve_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_resolve, commit, FLAG, ASKED), FIELD(leader_resolve, keep_locks, FLAG, ASKED)};
static const struct field release_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_release, from, NUMBER, ASKED),
    FIELD(leader_release, to, NUMBER, ASKED)};
static const struct field export_fields[] = {CALL_FIELDS(LOCAL),
    FIELD(leader_export, export.tenant, NUMBER, ASKED), SPAN_FIELDS(leader_export, export.span, ASKED),
    FIELD(leader_export, export.after, TIME, ASKED), FIELD(leader_export, export.at, TIME, ASKED),
    FIELD(leader_export, export.all, FLAG, ASKED), FIELD(leader_export, export.bytes_max, NUMBER, ASKED),
    FIELD(leader_export, export.resume, BYTES, ANSWERED), FIELD(leader_export, export.done, FLAG, ANSWERED),
    LIST(leader_export, versions, ANSWERED, export_versions), FIELD(leader_export, count, NUMBER, ANSWERED)};
static const struct field ingest_fields[] = {CALL_FIELDS(LOCAL),
    LIST(leader_ingest, versions, ASKED, ingest_versions), FIELD(leader_ingest, count, NUMBER, ASKED)};
static const struct field job_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_job, what, CHOICE, ASKED),
    SPAN_FIELDS(leader_job, span, ASKED), FIELD(leader_job, ts, TIME, ASKED),
    FIELD(leader_job, mark, CHOICE, ASKED), FIELD(leader_job, removed, NUMBER, ANSWERED),
    FIELD(leader_job, fingerprint.hash, NUMBER, ANSWERED), FIELD(leader_job, fingerprint.keys, NUMBER, ANSWERED),
    FIELD(leader_job, fingerprint.bytes, NUMBER, ANSWERED)};
static const struct field range_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_range, what, CHOICE, ASKED),
    RANGE_FIELDS(leader_range, SAME)};
static const struct field change_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_change, what, CHOICE, ASKED),
    FIELD(leader_change, to, NUMBER, ASKED), SPAN_FIELDS(leader_change, span, ASKED),
    FIELD(leader_change, key, BYTES, ASKED)};
static const struct field look_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_look, sizes_wanted, FLAG, ASKED),
    FIELD(leader_look, node, NUMBER, ANSWERED), FIELD(leader_look, shard, NUMBER, ANSWERED),
    FIELD(leader_look, applied_index, NUMBER, ANSWERED), FIELD(leader_look, bytes, NUMBER, ANSWERED),
    FIELD(leader_look, closed, TIME, ANSWERED), FIELD(leader_look, ranges, NUMBER, ANSWERED),
    LIST(leader_look, sizes, ANSWERED, sizes_equal), FIELD(leader_look, size_count, NUMBER, ANSWERED)};
static const struct field move_fields[] = {CALL_FIELDS(LOCAL), FIELD(leader_move, what, CHOICE, ASKED),
    FIELD(leader_move, attempt, NUMBER, ASKED), RANGE_FIELDS(leader_move, NUMBER),
    FIELD(leader_move, sequence, NUMBER, ASKED), FIELD(leader_move, back, FLAG, ASKED),
    LIST(leader_move, versions, BOTH, move_versions), FIELD(leader_move, version_count, NUMBER, BOTH),
    FIELD(leader_move, drained, FLAG, ANSWERED), FIELD(leader_move, high, TIME, BOTH),
    FIELD(leader_move, threshold, TIME, BOTH), FIELD(leader_move, ingesting, FLAG, BOTH),
    FIELD(leader_move, ingested, FLAG, BOTH), LIST(leader_move, locks, BOTH, locks_equal),
    FIELD(leader_move, lock_count, NUMBER, BOTH)};

// --- what has to be as it is ---------------------------------------------------------------------------------

static const struct bytes keys3[] = {KEY("a"), KEY("bb"), KEY("ccc")};
static const struct read_entry entries4[] = {
    {.start = KEY("a")}, {KEY("b"), KEY("d")}, {.start = KEY("e")}, {KEY("f"), KEY("g")}};
static const struct held_key held2[] = {{KEY("a"), 71, KV_LOCK_KEY_SHARE}, {KEY("b"), UINT64_C(1) << 60, KV_LOCK_UPDATE}};
static const struct staged_hidden hidden2[] = {{.from = 3, .to = 9}, {.from = 11, .to = 14}};
static const struct staged_view view = {.hidden = hidden2, .hidden_count = 2};
static const struct write_node nodes3[] = {{.key = KEY("a"), .value = KEY("one"), .kind = WRITE_PUT, .checked = true},
    {.key = KEY("b"), .kind = WRITE_DELETE}, {.key = KEY("c"), .value = KEY(""), .kind = WRITE_PUT, .checked = true}};
static const struct write_node *const writes3[] = {&nodes3[0], &nodes3[1], &nodes3[2]};
static struct kv_version versions2[] = {{.key = KEY("k"), .value = KEY("v"), .ts = {9, 1}},
    {.key = KEY("l"), .ts = {8, 2}, .tombstone = true}};
static uint64_t slices5[] = {3, 1, 4, 300, 5};
static struct kv_pair pairs6[] = {{KEY("a"), KEY("1")}, {KEY("b"), KEY("2")}, {KEY("c"), KEY("")},
    {KEY("d"), KEY("4")}, {KEY("e"), KEY("5")}, {KEY("f"), KEY("6")}};
static struct leader_size sizes2[] = {{KEY("m"), 41, 42, 43, 44}, {KEY("n"), 51, 52, 53, 54}};
static struct lock_taken locks3[] = {{KEY("a"), {61, 62}, KV_LOCK_SHARE, {1, 2}, {3, 4}},
    {KEY("b"), {63, 64}, KV_LOCK_UPDATE, {4, 5, 6, 7}, {8, 9, 10, UINT64_C(1) << 60}},
    {KEY("c"), {65, 66}, KV_LOCK_KEY_SHARE, {6}, {7}}};
static struct bytes values3[] = {KEY("one"), {0}, KEY("")};
static bool skipped3[] = {false, true, false};

static struct bytes payload(struct arena *arena, enum entry_kind kind)
{
    struct entry_builder builder;
    entry_begin(&builder, arena);
    entry_op_append(&builder,
        &(struct entry_op){.kind = kind, .tenant = TENANT, .txn = TXN, .record_slice = 1, .sequence = 5});
    for (uint32_t i = 0; kind != ENTRY_SEAL && i < 3; i++) {
        entry_item_append(&builder, &(struct entry_item){.key = nodes3[i].key, .value = nodes3[i].value,
            .ts = {.wall_ns = kind == ENTRY_STAGE ? 1 : 0}, .tombstone = nodes3[i].kind == WRITE_DELETE});
    }
    return entry_end(&builder);
}

static void set_get(struct arena *arena, void *request)
{
    struct leader_get *get = request;
    get->call.view = &view;
    get->read = (struct kv_read){.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_SKIP};
    get->keys = keys3;
    get->count = 3;
    get->values = values3;
    get->skipped = skipped3;
    (void)arena;
}
static void set_scan(struct arena *arena, void *request)
{
    struct leader_scan *scan = request;
    scan->call.view = &view;
    scan->read = (struct kv_read){.lock = KV_LOCK_SHARE, .wait = KV_WAIT_FAIL};
    scan->batch = (struct kv_batch){pairs6, 6};
    (void)arena;
}
static void set_refresh(struct arena *arena, void *request)
{
    struct leader_refresh *refresh = request;
    refresh->entries = entries4;
    refresh->count = 4;
    (void)arena;
}
static void set_validate(struct arena *arena, void *request)
{
    struct leader_validate *check = request;
    check->reads = entries4;
    check->read_count = 4;
    check->held = held2;
    check->held_count = 2;
    (void)arena;
}
static void set_commit_as(struct arena *arena, struct leader_commit *commit, enum entry_kind kind)
{
    if (kind != ENTRY_SEAL) {
        commit->writes = writes3;
        commit->write_count = 3;
    }
    commit->reads = entries4;
    commit->read_count = 4;
    commit->held = held2;
    commit->held_count = 2;
    commit->payload = payload(arena, kind);
}
static void set_commit(struct arena *arena, void *request) { set_commit_as(arena, request, ENTRY_WRITES); }
static void set_prepare(struct arena *arena, void *request) { set_commit_as(arena, request, ENTRY_PREPARE); }
static void set_stage(struct arena *arena, void *request) { set_commit_as(arena, request, ENTRY_STAGE); }
static void set_seal(struct arena *arena, void *request) { set_commit_as(arena, request, ENTRY_SEAL); }
static void set_record_put(struct arena *arena, void *request)
{
    struct leader_record_put *put = request;
    put->slices = slices5;
    put->slice_count = 5;
    (void)arena;
}
static void set_record_get(struct arena *arena, void *request)
{
    struct leader_record_get *get = request;
    get->slices = slices5;
    get->slice_count = 5;
    (void)arena;
}
static void set_export(struct arena *arena, void *request)
{
    struct leader_export *export = request;
    export->versions = versions2;
    export->count = 2;
    (void)arena;
}
static void set_ingest(struct arena *arena, void *request)
{
    struct leader_ingest *ingest = request;
    ingest->versions = versions2;
    ingest->count = 2;
    (void)arena;
}
static void set_job(struct arena *arena, void *request)
{
    struct leader_job *job = request;
    job->what = LEADER_JOB_CLEAR;
    job->mark = KV_INGEST_JOIN;
    (void)arena;
}
static void set_range(struct arena *arena, void *request)
{
    struct leader_range *range = request;
    range->call.slice = range->range.slice = 3;
    range->what = LEADER_RANGE_ERASE;
    (void)arena;
}
static void set_change(struct arena *arena, void *request)
{
    ((struct leader_change *)request)->what = LEADER_CHANGE_MOVE;
    (void)arena;
}
static void set_look(struct arena *arena, void *request)
{
    struct leader_look *look = request;
    look->sizes = sizes2;
    look->size_count = 2;
    (void)arena;
}
static void set_move(struct arena *arena, void *request)
{
    struct leader_move *move = request;
    move->what = LEADER_MOVE_PULL;
    move->versions = versions2;
    move->version_count = 2;
    move->locks = locks3;
    move->lock_count = 3;
    (void)arena;
}
static void set_nothing(struct arena *arena, void *request)
{
    (void)arena;
    (void)request;
}

#define KIND(fields, set) {fields, sizeof fields / sizeof fields[0], set}
static const struct kind {
    const struct field *fields;
    uint32_t count;
    void (*set)(struct arena *arena, void *request);
} kinds[LEADER_KIND_END] = {
    [LEADER_GET] = KIND(get_fields, set_get),
    [LEADER_SCAN] = KIND(scan_fields, set_scan),
    [LEADER_PRESENT] = KIND(present_fields, set_nothing),
    [LEADER_REFRESH] = KIND(refresh_fields, set_refresh),
    [LEADER_COMMIT] = KIND(commit_fields, set_commit),
    [LEADER_LOCK] = KIND(lock_fields, set_commit),
    [LEADER_PREPARE] = KIND(commit_fields, set_prepare),
    [LEADER_STAGE] = KIND(commit_fields, set_stage),
    [LEADER_SEAL] = KIND(seal_fields, set_seal),
    [LEADER_VALIDATE] = KIND(validate_fields, set_validate),
    [LEADER_RECORD_PUT] = KIND(record_put_fields, set_record_put),
    [LEADER_RECORD_GET] = KIND(record_get_fields, set_record_get),
    [LEADER_GIVE_UP] = KIND(give_up_fields, set_nothing),
    [LEADER_RESOLVE] = KIND(resolve_fields, set_nothing),
    [LEADER_RELEASE] = KIND(release_fields, set_nothing),
    [LEADER_EXPORT] = KIND(export_fields, set_export),
    [LEADER_INGEST] = KIND(ingest_fields, set_ingest),
    [LEADER_JOB] = KIND(job_fields, set_job),
    [LEADER_RANGE] = KIND(range_fields, set_range),
    [LEADER_CHANGE] = KIND(change_fields, set_change),
    [LEADER_LOOK] = KIND(look_fields, set_look),
    [LEADER_MOVE] = KIND(move_fields, set_move),
};

// --- filling and comparing -----------------------------------------------------------------------------------

static uint64_t number_of(const struct field *field, const void *request)
{
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)request + field->at, field->size);
    return value;
}

// Every plain field gets a value that no other has; flags come one at a time.
static void fill(struct arena *arena, const struct kind *kind, void *request)
{
    struct leader_call *call = request;
    kind->set(arena, request);
    call->tenant = TENANT;
    call->owner.txn = TXN;
    for (uint32_t i = 0; i < kind->count; i++) {
        const struct field *field = &kind->fields[i];
        uint8_t *at = (uint8_t *)request + field->at;
        uint64_t value = 1000 + i + (field->size == 8 ? (uint64_t)i << 33 : (uint64_t)i << 17);
        if (field->side == LOCAL) continue;
        if (field->shape == NUMBER && number_of(field, request) == 0) memcpy(at, &value, field->size);
        if (field->shape == TIME) *(struct hlc_timestamp *)(void *)at = (struct hlc_timestamp){5000 + i, 70 + i};
        struct bytes *bytes = (struct bytes *)(void *)at;
        if (field->shape == BYTES && bytes->data == NULL) {
            char *text = arena_alloc(arena, 16);
            snprintf(text, 16, "key%02u", i);
            *bytes = bytes_of_string(text);
        }
    }
}

static void flags_set(const struct kind *kind, void *request, uint32_t only)
{
    for (uint32_t i = 0; i < kind->count; i++) {
        const bool value = i == only;
        if (kind->fields[i].shape == FLAG) memcpy((uint8_t *)request + kind->fields[i].at, &value, 1);
    }
}

static bool is_equal(const struct field *field, const void *a, const void *b)
{
    const uint8_t *left = (const uint8_t *)a + field->at, *right = (const uint8_t *)b + field->at;
    switch (field->shape) {
    case TIME:
        return hlc_equal(*(const struct hlc_timestamp *)(const void *)left,
            *(const struct hlc_timestamp *)(const void *)right);
    case BYTES:
        return bytes_equal(*(const struct bytes *)(const void *)left, *(const struct bytes *)(const void *)right);
    case ARRAY: return field->equal(a, b);
    default: return memcmp(left, right, field->size) == 0;
    }
}

static void check_equal(
    enum leader_kind number, const struct kind *kind, enum side side, const void *sent, const void *read)
{
    for (uint32_t i = 0; i < kind->count; i++) {
        const struct field *field = &kind->fields[i];
        if ((field->side & side) != 0)
            cr_assert(is_equal(field, sent, read), "%s: %s is lost on the way %s", leader_codec(number)->name,
                field->name, side == ASKED ? "there" : "back");
    }
}

static struct bytes asked(struct arena *arena, enum leader_kind kind, const void *request)
{
    struct buffer out;
    buffer_init(&out, arena);
    leader_wire_ask(&out, kind, request, NOW_NS);
    return buffer_bytes(&out);
}

static struct bytes answered(struct arena *arena, enum leader_kind kind, const void *request)
{
    struct buffer out;
    buffer_init(&out, arena);
    leader_wire_answer(&out, kind, request, STATUS_OK);
    return buffer_bytes(&out);
}

static struct status ask_read(
    struct arena *arena, enum leader_kind kind, struct bytes input, struct leader_call **call)
{
    struct wire_in in = {.rest = input, .arena = arena};
    return leader_wire_asked(&in, kind, NOW_NS, call);
}

// Into a request as its client made it.
static struct status answer_read(
    struct arena *arena, enum leader_kind kind, struct bytes input, struct leader_call **call)
{
    struct wire_in in = {.rest = input, .arena = arena};
    *call = arena_alloc_zero(arena, leader_codec(kind)->size);
    if (kind == LEADER_GET) {
        struct leader_get *get = (struct leader_get *)*call;
        get->count = 3;
        get->values = ARENA_ARRAY(arena, struct bytes, 3);
        get->skipped = ARENA_ARRAY(arena, bool, 3);
    }
    return leader_wire_answered(&in, kind, *call);
}

static void check_both_ways(
    struct arena *arena, enum leader_kind number, const struct kind *kind, const void *request)
{
    struct leader_call *read;
    struct status st = ask_read(arena, number, asked(arena, number, request), &read);
    cr_assert(!failed(st), "%s: %s", leader_codec(number)->name, st.message);
    check_equal(number, kind, ASKED, request, read);
    st = answer_read(arena, number, answered(arena, number, request), &read);
    cr_assert(!failed(st), "%s: %s", leader_codec(number)->name, st.message);
    check_equal(number, kind, ANSWERED, request, read);
}

#define KINDS_EACH(number, kind)                                                                   \
    for (enum leader_kind number = 0; number < LEADER_KIND_END; number++)                          \
        for (const struct kind *kind = &kinds[number]; kind != NULL && leader_codec(number) != NULL; \
             kind = NULL)

// --- tests ---------------------------------------------------------------------------------------------------

Test(leader_codec, every_field_of_every_kind_is_listed)
{
    KINDS_EACH(number, kind)
    {
        const char *name = leader_codec(number)->name;
        cr_assert(kind->fields != NULL, "%s has no list of fields", name);
        size_t end = 0;
        for (uint32_t i = 0; i < kind->count; i++) {
            const struct field *field = &kind->fields[i];
            size_t gap = field->at - end;
            cr_assert(field->at >= end && gap < 8 && (gap == 0 || field->at % 4 == 0),
                "%s: something before %s is not listed", name, field->name);
            end = field->at + field->size;
        }
        cr_assert(leader_codec(number)->size - end < 8, "%s: something at the end is not listed", name);
    }
}

Test(leader_codec, every_field_arrives_as_itself)
{
    struct arena arena;
    arena_init(&arena, NULL);
    KINDS_EACH(number, kind)
    {
        void *request = arena_alloc_zero(&arena, leader_codec(number)->size);
        fill(&arena, kind, request);
        for (uint32_t i = 0; i < kind->count; i++) {
            const struct field *a = &kind->fields[i];
            if (a->shape != NUMBER || a->side == LOCAL || a->size < 8) continue;
            for (uint32_t k = 0; k < i; k++) {
                const struct field *b = &kind->fields[k];
                bool distinct = b->shape != NUMBER || b->side == LOCAL ||
                                number_of(a, request) != number_of(b, request);
                cr_assert(distinct, "%s and %s are the same", a->name, b->name);
            }
        }
        flags_set(kind, request, UINT32_MAX);
        check_both_ways(&arena, number, kind, request);
        for (uint32_t i = 0; i < kind->count; i++) {
            if (kind->fields[i].shape != FLAG) continue;
            flags_set(kind, request, i);
            check_both_ways(&arena, number, kind, request);
        }
    }
    arena_fini(&arena);
}

// Cut off anywhere: refused. With any bit changed: refused or read, within bounds (the sanitizers watch).
static void check_damaged(struct arena *arena, enum leader_kind number, struct bytes whole,
    struct status (*read)(struct arena *, enum leader_kind, struct bytes, struct leader_call **))
{
    struct leader_call *call;
    struct arena_mark mark = arena_mark(arena);
    for (size_t size = 0; size < whole.size; size++) {
        // Memory of its own, so that reading on is seen.
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, whole.data, size);
        cut = realloc(cut, size == 0 ? 1 : size);
        cr_assert(status_is(read(arena, number, bytes_of(cut, size), &call), E_PROTOCOL_VIOLATION),
            "%s: %zu of %zu bytes are taken", leader_codec(number)->name, size, whole.size);
        free(cut);
        arena_release(arena, mark);
    }
    uint8_t *changed = malloc(whole.size);
    memcpy(changed, whole.data, whole.size);
    for (size_t bit = 0; bit < 8 * whole.size; bit++) {
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct status st = read(arena, number, bytes_of(changed, whole.size), &call);
        (void)st.code;
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        arena_release(arena, mark);
    }
    free(changed);
}

Test(leader_codec, what_was_damaged_is_refused_or_read_within_bounds)
{
    struct arena arena;
    arena_init(&arena, NULL);
    KINDS_EACH(number, kind)
    {
        void *request = arena_alloc_zero(&arena, leader_codec(number)->size);
        fill(&arena, kind, request);
        check_damaged(&arena, number, asked(&arena, number, request), ask_read);
        check_damaged(&arena, number, answered(&arena, number, request), answer_read);
    }
    arena_fini(&arena);
}
