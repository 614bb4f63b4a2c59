// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lookups, caches and announcements over real storage, without the planner: descriptors are put by hand.
#include "tests/unit/harness.h"

#include "core/env.h"
#include "kv/admin.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog_store.h"
#include "sql/catalog/rowid.h"
#include "sql/session/session.h"

#define TENANT 2u

struct catalog_test {
    task_fn body;
    struct kv_options options;
};

static struct status start_shard(struct task *task, void *arg)
{
    (void)arg;
    catalog_shard_init(task->shard);
    return STATUS_OK;
}

static struct status stop_shard(struct task *task, void *arg)
{
    (void)arg;
    catalog_shard_fini(task->shard);
    return STATUS_OK;
}

static struct status catalog_test_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct catalog_test *test = arg;
    TRY(kv_start(task, &test->options));
    TRY(shard_call_all(task, start_shard, NULL));
    st = kv_tenant_create(task, TENANT, 2);
    if (!failed(st)) st = test->body(task, test);
    struct status stop = shard_call_all(task, stop_shard, NULL);
    if (!failed(st)) st = stop;
    stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    return st;
}

static void catalog_test_all(task_fn body)
{
    catalog_announcements_register();
    for (uint32_t shards = 1; shards <= 2; shards++) {
        char dir[256];
        struct catalog_test test = {.body = body,
            .options = {
                .dir = test_dir(dir), .store = KV_STORE_MODEL, .log_segment_bytes = 4 << 20}};
        struct status st = node_test(shards, catalog_test_run, &test);
        test_dirs_remove();
        cr_assert(!failed(st), "%u shards: %s", shards, failed(st) ? st.message : "");
    }
}

#define CATALOG_TEST(name)                                                                         \
    static struct status name##_body(struct task *task, void *arg);                                \
    Test(catalog, name)                                                                            \
    {                                                                                              \
        catalog_test_all(name##_body);                                                             \
    }                                                                                              \
    static struct status name##_body(struct task *task, __attribute__((unused)) void *arg)

// --- a session of no client ------------------------------------------------------------------------------

static const char *const path[] = {"nobody", "public", NULL};

static void session_init(struct task *task, struct session *session)
{
    *session = (struct session){.shard = task->shard,
        .task = task,
        .tenant = TENANT,
        .user = "root",
        .database = "d",
        .internal = true,
        .search_path = path};
    arena_init(&session->statement_arena, NULL);
}

static struct status begin(struct task *task, struct session *session)
{
    const struct kv_txn_options options = {.tenant = TENANT};
    struct status st = kv_txn_begin(task, &options, &session->txn);
    return failed(st) ? st : catalog_view_open(task, session->txn, &session->catalog);
}

static void rollback(struct task *task, struct session *session)
{
    kv_txn_rollback(task, session->txn);
    catalog_view_close(session->catalog);
}

// As the session does it, with the shards told around the commit of a change.
static struct status commit(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    bool changed = catalog_view_is_changed(session->catalog);
    uint64_t change;
    struct catalog_change_bounds within;
    if (changed) TRY(catalog_announce_begin(task, TENANT, &change, &within));
    if (changed) kv_txn_commit_within(session->txn, within.after, within.until);
    st = kv_txn_commit(task, session->txn, NULL);
    if (changed) catalog_announce_end(task, TENANT, change);
    catalog_view_close(session->catalog);
out:
    return st;
}

static struct status make_database(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    struct database_desc database = {.id = 52, .name = "d", .owner = "admin"};
    struct schema_desc schema = {.id = 53, .database_id = 52, .name = "public", .owner = "admin"};
    TRY(catalog_take_name(
        task, session, 0, 0, "d", (struct name_value){NAME_DATABASE, 52, 0}, &existing));
    TRY(catalog_put_database(task, session, &database));
    TRY(catalog_take_name(
        task, session, 52, 0, "public", (struct name_value){NAME_SCHEMA, 53, 0}, &existing));
    TRY(catalog_put_schema(task, session, &schema));
out:
    return st;
}

static struct status make_table(
    struct task *task, struct session *session, const char *name, uint32_t *id)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    struct column_desc columns[] = {
        {.id = 1, .name = "a", .type = TYPE_OF(TYPE_INT8), .not_null = true}};
    struct index_column key[] = {{.column_id = 1}};
    struct index_desc indexes[] = {{.id = 1,
        .name = "pk",
        .unique = true,
        .primary = true,
        .columns = key,
        .column_count = 1}};
    struct table_desc table = {.database_id = 52,
        .schema_id = 53,
        .name = name,
        .owner = "admin",
        .columns = columns,
        .column_count = 1,
        .indexes = indexes,
        .index_count = 1,
        .next_column_id = 2,
        .next_index_id = 2,
        .next_constraint_id = 1};
    TRY(catalog_new_id(task, TENANT, &table.id));
    TRY(catalog_take_name(
        task, session, 52, 53, name, (struct name_value){NAME_RELATION, table.id, 0}, &existing));
    CHECK(existing.id == 0);
    TRY(catalog_put_table(task, session, &table));
    *id = table.id;
out:
    return st;
}

static struct status lookup(
    struct task *task, struct session *session, const char *name, const struct table_desc **table)
{
    return catalog_table(task, session, NULL, NULL, name, true, table);
}

// --- tests -----------------------------------------------------------------------------------------------

CATALOG_TEST(changes_are_seen_by_their_own_transaction_first)
{
    struct status st = STATUS_OK;
    struct session a, b;
    const struct table_desc *table;
    uint32_t id;
    session_init(task, &a);
    session_init(task, &b);
    TRY(begin(task, &a));
    TRY(make_database(task, &a));
    TRY(make_table(task, &a, "t", &id));
    TRY(lookup(task, &a, "t", &table));
    CHECK(table != NULL && table->id == id);
    TRY(begin(task, &b));
    CHECK_FAILS(catalog_table(task, &b, NULL, "public", "t", false, &table), E_UNDEFINED_TABLE);
    TRY(commit(task, &a));
    // The other one's snapshot is older.
    TRY(lookup(task, &b, "t", &table));
    CHECK(table == NULL);
    TRY(commit(task, &b));
    TRY(begin(task, &b));
    TRY(lookup(task, &b, "t", &table));
    CHECK(table != NULL && table->id == id);
    TRY(catalog_table(task, &b, NULL, "d", "t", false, &table)); // database.table
    CHECK(table->id == id);
    CHECK_FAILS(catalog_table(task, &b, NULL, NULL, "x", false, &table), E_UNDEFINED_TABLE);
    TRY(commit(task, &b));
out:
    return st;
}

struct remote {
    const char *name;
    uint32_t found, version;
};

// A lookup on the other shard, in a transaction of its own.
static struct status look_there(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct remote *remote = arg;
    struct session session;
    const struct table_desc *table;
    session_init(task, &session);
    TRY(begin(task, &session));
    TRY(lookup(task, &session, remote->name, &table));
    remote->found = table == NULL ? 0 : table->id;
    remote->version = table == NULL ? 0 : table->version;
    TRY(commit(task, &session));
out:
    return st;
}

// Of a shard whose clock has learned of one that is ahead.
static struct status snapshot_ahead(struct task *task, void *arg)
{
    struct hlc *hlc = &task->shard->hlc;
    struct hlc_timestamp ahead = hlc_now(hlc);
    ahead.wall_ns += 20000000;
    hlc_update(hlc, ahead);
    *(struct hlc_timestamp *)arg = hlc_now(hlc);
    return STATUS_OK;
}

CATALOG_TEST(changes_commit_above_every_snapshot_that_was_there_before_they_were_told)
{
    struct status st = STATUS_OK;
    struct hlc_timestamp snapshot;
    struct catalog_change_bounds bounds;
    uint64_t change;
    TRY(shard_call(task, task->shard->node->shard_count - 1, snapshot_ahead, &snapshot));
    TRY(catalog_announce_begin(task, TENANT, &change, &bounds));
    catalog_announce_end(task, TENANT, change);
    CHECK(hlc_less(snapshot, bounds.after));
    CHECK(hlc_less(bounds.after, bounds.until));
out:
    return st;
}

CATALOG_TEST(other_shards_know_of_a_change_when_it_is_announced)
{
    struct status st = STATUS_OK;
    struct session a;
    struct table_desc *edit;
    uint32_t id, last = task->shard->node->shard_count - 1;
    struct remote remote = {.name = "t"};
    session_init(task, &a);
    TRY(begin(task, &a));
    TRY(make_database(task, &a));
    TRY(make_table(task, &a, "t", &id));
    TRY(commit(task, &a));
    TRY(shard_call(task, last, look_there, &remote));
    CHECK(remote.found == id);
    uint32_t version = remote.version;
    for (int i = 0; i < 5; i++) {
        TRY(begin(task, &a));
        TRY(catalog_edit_table(task, &a, task->arena, id, &edit));
        TRY(catalog_put_table(task, &a, edit));
        TRY(shard_call(task, last, look_there, &remote));
        CHECK(remote.version == version); // Not committed yet.
        TRY(commit(task, &a));
        TRY(shard_call(task, last, look_there, &remote));
        CHECK(remote.version != version);
        version = remote.version;
    }
    // A name that was known to be free is known no longer.
    remote.name = "u";
    TRY(shard_call(task, last, look_there, &remote));
    CHECK(remote.found == 0);
    TRY(begin(task, &a));
    TRY(make_table(task, &a, "u", &id));
    TRY(commit(task, &a));
    TRY(shard_call(task, last, look_there, &remote));
    CHECK(remote.found == id);
out:
    return st;
}

CATALOG_TEST(versions_of_a_change_that_is_rolled_back_do_not_come_again)
{
    struct status st = STATUS_OK;
    struct session a;
    struct table_desc *edit;
    const struct table_desc *table;
    uint32_t id, rolled_back;
    bool current;
    session_init(task, &a);
    TRY(begin(task, &a));
    TRY(make_database(task, &a));
    TRY(make_table(task, &a, "t", &id));
    TRY(commit(task, &a));
    TRY(begin(task, &a));
    TRY(catalog_edit_table(task, &a, task->arena, id, &edit));
    TRY(catalog_put_table(task, &a, edit));
    TRY(lookup(task, &a, "t", &table));
    rolled_back = table->version;
    TRY(catalog_table_current(task, &a, id, rolled_back, &current));
    CHECK(current);
    rollback(task, &a);
    TRY(begin(task, &a));
    TRY(catalog_table_current(task, &a, id, rolled_back, &current));
    CHECK(!current);
    TRY(catalog_edit_table(task, &a, task->arena, id, &edit));
    TRY(catalog_put_table(task, &a, edit));
    TRY(catalog_table_current(task, &a, id, rolled_back, &current));
    CHECK(!current);
    TRY(commit(task, &a));
out:
    return st;
}

CATALOG_TEST(writers_that_used_a_former_version_do_not_commit)
{
    struct status st = STATUS_OK;
    struct session writer, changer;
    struct table_desc *edit;
    const struct table_desc *table;
    uint32_t id;
    session_init(task, &writer);
    session_init(task, &changer);
    TRY(begin(task, &writer));
    TRY(make_database(task, &writer));
    TRY(make_table(task, &writer, "t", &id));
    TRY(commit(task, &writer));

    TRY(begin(task, &writer));
    TRY(lookup(task, &writer, "t", &table));
    TRY(catalog_depend(&writer, table));
    struct bytes key = catalog_comment_key(task->arena, TENANT, 1, id, 0);
    TRY(kv_put(task, writer.txn, key, BYTES_LITERAL("row")));
    TRY(begin(task, &changer));
    TRY(catalog_edit_table(task, &changer, task->arena, id, &edit));
    TRY(catalog_put_table(task, &changer, edit));
    TRY(commit(task, &changer));
    CHECK_FAILS(commit(task, &writer), E_SERIALIZATION_FAILURE);
    // Blocked tables refuse at once.
    TRY(begin(task, &changer));
    TRY(catalog_edit_table(task, &changer, task->arena, id, &edit));
    edit->writes_blocked = true;
    TRY(catalog_put_table(task, &changer, edit));
    TRY(commit(task, &changer));
    TRY(begin(task, &writer));
    TRY(lookup(task, &writer, "t", &table));
    CHECK_FAILS(catalog_depend(&writer, table), E_SERIALIZATION_FAILURE);
    rollback(task, &writer);
out:
    return st;
}

CATALOG_TEST(the_past_has_its_own_catalog)
{
    struct status st = STATUS_OK;
    struct session a, past;
    struct hlc_timestamp before;
    const struct table_desc *table;
    uint32_t id;
    session_init(task, &a);
    session_init(task, &past);
    TRY(begin(task, &a));
    TRY(make_database(task, &a));
    TRY(make_table(task, &a, "t", &id));
    TRY(commit(task, &a));
    TRY(kv_now(task, TENANT, &before));
    TRY(begin(task, &a));
    TRY(catalog_free_name(task, &a, 52, 53, "t"));
    TRY(catalog_delete_descriptor(task, &a, id));
    TRY(commit(task, &a));
    TRY(begin(task, &a));
    TRY(lookup(task, &a, "t", &table));
    CHECK(table == NULL);
    const struct kv_txn_options options = {.tenant = TENANT, .as_of = before};
    TRY(kv_txn_begin(task, &options, &past.txn));
    TRY(catalog_view_open(task, past.txn, &past.catalog));
    TRY(lookup(task, &past, "t", &table));
    CHECK(table != NULL && table->id == id);
    // What was read of the past is not taken for the present.
    TRY(lookup(task, &a, "t", &table));
    CHECK(table == NULL);
    rollback(task, &past);
    TRY(commit(task, &a));
    TRY(begin(task, &a));
    TRY(lookup(task, &a, "t", &table));
    CHECK(table == NULL);
    TRY(commit(task, &a));
out:
    return st;
}

// Pins keep a descriptor beyond its transaction and beyond changes (plans hold them).
CATALOG_TEST(pinned_descriptors_outlive_their_view)
{
    struct status st = STATUS_OK;
    struct session a;
    struct table_desc *edit;
    const struct table_desc *table;
    uint32_t id;
    session_init(task, &a);
    TRY(begin(task, &a));
    TRY(make_database(task, &a));
    TRY(make_table(task, &a, "t", &id));
    TRY(commit(task, &a));
    TRY(begin(task, &a));
    TRY(lookup(task, &a, "t", &table));
    catalog_pin(table);
    TRY(commit(task, &a));
    TRY(begin(task, &a));
    TRY(catalog_edit_table(task, &a, task->arena, id, &edit));
    TRY(catalog_put_table(task, &a, edit));
    TRY(commit(task, &a));
    CHECK(table->id == id && strcmp(table->columns[0].name, "a") == 0);
    catalog_unpin(table);
out:
    return st;
}

// --- unique_rowid() ------------------------------------------------------------------------------------

static uint64_t rowid_tick_now(struct shard *shard)
{
    return ((uint64_t)shard->env->wall_ns(shard->env) - ROWID_EPOCH_NS) / ROWID_TICK_NS;
}

// Many more than there are ticks meanwhile; then the shard begins anew, as after a crash.
static struct status rowids_of_two_runs(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct shard *shard = task->shard;
    int64_t last = 0, id = 0;
    (void)arg;
    for (uint32_t run = 0; run < 3; run++) {
        for (uint32_t i = 0; i < 300000; i++) {
            TRY(rowid_wait(task));
            id = catalog_unique_rowid(shard);
            cr_assert_gt(id, last, "run %u, number %u", run, i);
            cr_assert_eq(((uint64_t)id >> 10 & 0x1f) % shard->node->shard_count, shard->index);
            last = id;
        }
        uint64_t ahead = ((uint64_t)last >> 15) - rowid_tick_now(shard);
        cr_assert((int64_t)ahead <= (int64_t)(ROWID_AHEAD_NS / ROWID_TICK_NS), "%lld ticks ahead", (long long)ahead);
        catalog_shard_fini(shard);
        catalog_shard_init(shard);
    }
out:
    return st;
}

static struct status rowids_on_every_shard(struct task *task, void *arg)
{
    (void)arg;
    return shard_call_all(task, rowids_of_two_runs, NULL);
}

Test(catalog, numbers_of_rows_never_come_again_however_many_were_given_before_a_restart)
{
    catalog_test_all(rowids_on_every_shard);
}

static int by_number(const void *a, const void *b)
{
    const int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

// All that nodes with these ids and that many shards can give in some ticks: none twice, and in the order of time on each shard.
Test(catalog, numbers_of_rows_of_all_nodes_and_shards_differ)
{
    static const uint32_t nodes[] = {1, 2, 255, 256, 257, 511, 512, 767, 1022, 1023};
    static const uint32_t shards[] = {1, 2, 3, 31, 32, 33, 64, 65, 128, 200, 256};
    enum { NODES = sizeof nodes / sizeof nodes[0], TICKS = 24, MOST = NODES * TICKS * ROWID_PLACES };
    int64_t *all = calloc(MOST, sizeof *all);
    cr_assert_not_null(all);
    for (uint32_t s = 0; s < sizeof shards / sizeof shards[0]; s++) {
        uint32_t count = 0;
        for (uint32_t node = 0; node < NODES; node++) {
            for (uint32_t shard = 0; shard < shards[s]; shard++) {
                const uint64_t begin = UINT64_C(1) << 45;
                int64_t last = 0;
                uint32_t own = 0;
                for (uint64_t tick = begin; (tick = rowid_tick_from(tick, shards[s], shard)) < begin + TICKS; tick++, own++) {
                    for (uint32_t place = 0; place < rowid_places(shards[s]); place++) {
                        all[count] = rowid_number(tick, place, shards[s], shard, nodes[node]);
                        cr_assert_gt(all[count], last);
                        last = all[count++];
                    }
                }
                cr_assert_gt(own, 0u, "shard %u of %u", shard, shards[s]);
            }
        }
        qsort(all, count, sizeof *all, by_number);
        for (uint32_t i = 1; i < count; i++) cr_assert_neq(all[i], all[i - 1], "%u shards: %llx twice", shards[s], (unsigned long long)all[i]);
    }
    free(all);
}
