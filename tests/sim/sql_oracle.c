// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/sql_oracle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "sql/wire/pgclient.h"
#include "tests/sim/server_node.h"
#include "tests/sim/sql_session.h"

#define MACHINE (WORLD_NODES_MAX + 1)
#define ROWS_MAX 20000u
#define LONGEST_NS (30 * WORLD_SECOND) // Of what was sent, nothing happens later any more.
#define AFTER_HEALING_NS (20 * WORLD_SECOND)
#define SHOWN_ROWS_MAX 12u

enum { UNDER_TEST, ORACLE };

struct answer {
    char code[6];
    const char *message, *tag, *columns;
    const char **rows;
    uint32_t row_count, capacity;
};

struct player {
    struct sql_oracle *oracle;
    struct task *task;
    struct sim_random random; // Of what is not the statements': nodes, hints, protocols.
    struct sql_gen gen;
    struct pgclient *sides[2];
    struct gen_schema schema;
    struct arena schema_arena;
    const char *schema_text;
    uint32_t fence; // The last number that was given out.
    bool unhinted;  // Indexes may have gone since the schema was read.
};

static uint64_t below(struct player *player, uint64_t bound)
{
    return sim_random_below(&player->random, bound);
}

static struct sim_run *run_of(const struct player *player)
{
    return player->oracle->world->run;
}

// --- asking --------------------------------------------------------------------------------------

struct gathering {
    struct player *player;
    struct answer *answer;
};

static struct status gather_columns(
    struct task *task, void *arg, const struct pgclient_column *columns, uint32_t count)
{
    struct gathering *gathering = arg;
    struct buffer text;
    buffer_init(&text, task->arena);
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&text, "%s %u%s", columns[i].name, (uint32_t)columns[i].type, i + 1 < count ? ", " : "");
    gathering->answer->columns = buffer_string(&text);
    return STATUS_OK;
}

static struct status gather_row(struct task *task, void *arg, const struct bytes *values, uint32_t count)
{
    struct answer *answer = ((struct gathering *)arg)->answer;
    struct buffer text;
    if (answer->row_count == ROWS_MAX) return status_make(E_PROGRAM_LIMIT_EXCEEDED, "the generator asks for too much");
    if (answer->row_count == answer->capacity) {
        uint32_t more = answer->capacity == 0 ? 16 : 2 * answer->capacity;
        answer->rows = arena_grow(task->arena, answer->rows, answer->capacity * sizeof *answer->rows,
            more * sizeof *answer->rows);
        answer->capacity = more;
    }
    buffer_init(&text, task->arena);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_append(&text, "|", 1);
        buffer_append_bytes(&text, values[i].data == NULL ? bytes_of_string("~") : values[i]);
    }
    answer->rows[answer->row_count++] = buffer_string(&text);
    return STATUS_OK;
}

static void gather_tag(void *arg, const char *tag)
{
    struct gathering *gathering = arg;
    gathering->answer->tag = arena_strdup(gathering->player->task->arena, tag);
}

static const char *without_hints(struct player *player, const char *sql, bool hints)
{
    struct buffer out;
    buffer_init(&out, player->task->arena);
    for (; *sql != 0; sql++) {
        if (*sql != GEN_HINT) {
            buffer_append(&out, sql, 1);
            continue;
        }
        const struct gen_table *table = &player->schema.tables[*++sql - 'a'];
        if (!hints || table->index_count == 0 || below(player, 8) != 0) continue;
        uint64_t index = below(player, table->index_count);
        if (!table->partial[index]) buffer_printf(&out, "@%s", table->indexes[index]);
    }
    return buffer_string(&out);
}

static struct status ask(struct player *player, int side, const char *sql, struct answer *answer)
{
    struct sim_run *run = run_of(player);
    struct gathering gathering = {player, answer};
    const struct pgclient_sink sink = {
        .columns = gather_columns, .row = gather_row, .complete = gather_tag, .arg = &gathering};
    struct status st;
    *answer = (struct answer){0};
    const char *text = without_hints(player, sql, side == UNDER_TEST && !player->unhinted);
    sim_tell(run, player->oracle->world->sim, SIM_AREA_WORK, 0, "%s %s", side == ORACLE ? "oracle:" : "asked:", text);
    if (below(player, 4) == 0)
        st = pgclient_run(player->task, player->sides[side], text, NULL, 0, false, &sink);
    else
        st = pgclient_query(player->task, player->sides[side], text, &sink);
    status_sqlstate(st, answer->code);
    if (failed(st)) answer->message = st.message;
    sim_tell(run, player->oracle->world->sim, SIM_AREA_WORK, 0, "  %s %s, %u rows", side == ORACLE ? "oracle:" : "heard:",
        failed(st) ? arena_printf(player->task->arena, "%s %s", answer->code, st.message)
                   : answer->tag != NULL ? answer->tag : "-", answer->row_count);
    return st;
}

static void hang_up(struct player *player, int side)
{
    if (player->sides[side] != NULL) pgclient_close(player->sides[side]);
    player->sides[side] = NULL;
}

static struct status dial(struct player *player, int side, const char *database)
{
    struct status st = STATUS_OK;
    struct world *world = player->oracle->world;
    struct answer answer;
    struct pgclient_options options = {.connect_timeout_ns = 5 * WORLD_SECOND};
    if (player->sides[side] != NULL) goto out;
    const struct world_node *node = &player->oracle->home;
    if (side == UNDER_TEST) node = &world->nodes[below(player, world->node_count)];
    TRY(pgclient_url_parse(player->task->arena,
        arena_printf(player->task->arena, "postgresql://root@%s:" SERVER_PORT "/%s?sslmode=disable",
            sim_node_address(node->machine), database), &options));
    TRY(pgclient_connect(player->task, &options, &player->sides[side]));
    if (side == UNDER_TEST) TRY(ask(player, side, "SET statement_timeout = '20s'", &answer));
out:
    return st;
}

// Says the same until it is done; what fails for another reason than faults do is a violation.
static struct status insist(struct player *player, int side, const char *database, const char *sql, struct answer *answer)
{
    struct status st;
    for (;;) {
        st = dial(player, side, database);
        if (!failed(st)) st = ask(player, side, sql, answer);
        if (!failed(st)) break;
        if (player->task->cancelled) break;
        if (!sql_is_ordinary(st) || side == ORACLE) {
            sim_violation(run_of(player), "%s: %s is told %s: %s", side == ORACLE ? "oracle" : "under test", sql,
                answer->code, st.message);
            break;
        }
        hang_up(player, side);
        st = task_sleep(player->task, 100 * WORLD_MS);
        if (failed(st)) break;
    }
    return st;
}

// --- what there is -------------------------------------------------------------------------------

static const char *text_of(struct player *player, const struct answer *answer)
{
    struct buffer out;
    buffer_init(&out, player->task->arena);
    for (uint32_t i = 0; i < answer->row_count; i++)
        buffer_printf(&out, "%s\n", answer->rows[i]);
    return buffer_string(&out);
}

// The fields of a row as text_of has them.
static uint32_t fields_of(struct player *player, const char *row, const char **fields, uint32_t most)
{
    uint32_t count = 0;
    char *text = arena_strdup(&player->schema_arena, row);
    while (count + 1 < most && strchr(text, '|') != NULL) {
        fields[count++] = text;
        text = strchr(text, '|');
        *text++ = 0;
    }
    fields[count++] = text;
    return count;
}

static struct gen_table *table_named(struct gen_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (strcmp(schema->tables[i].name, name) == 0) return &schema->tables[i];
    }
    return NULL;
}

static void take_column(struct player *player, const char *row)
{
    struct gen_schema *schema = &player->schema;
    const char *fields[6] = {NULL};
    fields_of(player, row, fields, 6);
    struct gen_table *table = table_named(schema, fields[0]);
    if (table == NULL) {
        if (schema->table_count == GEN_TABLES_MAX) return;
        table = &schema->tables[schema->table_count++];
        *table = (struct gen_table){.name = fields[0]};
    }
    enum gen_type type;
    if (table->column_count == GEN_COLUMNS_MAX || !gen_type_parse(fields[2], &type)) return;
    table->columns[table->column_count++] = (struct gen_column){.name = fields[1],
        .type = type,
        .generated = strcmp(fields[3], "ALWAYS") == 0,
        .filled = strcmp(fields[4], "NO") == 0};
}

static void take_index(struct player *player, const char *row)
{
    const char *fields[3] = {NULL};
    fields_of(player, row, fields, 3);
    struct gen_table *table = table_named(&player->schema, fields[0]);
    if (table == NULL || table->index_count == GEN_INDEXES_MAX) return;
    table->partial[table->index_count] = strstr(fields[2], " WHERE ") != NULL;
    table->indexes[table->index_count++] = fields[1];
}

static void take_constraint(struct player *player, const char *row)
{
    const char *fields[3] = {NULL};
    fields_of(player, row, fields, 3);
    struct gen_table *table = table_named(&player->schema, fields[0]);
    if (table == NULL) return;
    const char *key = strstr(fields[2], "PRIMARY KEY (");
    if (key != NULL) {
        key += strlen("PRIMARY KEY (");
        table->key = arena_string(&player->schema_arena, (struct bytes){(const uint8_t *)key, strcspn(key, ")")});
    }
    const char *foreign = strstr(fields[2], "FOREIGN KEY ("), *refers = strstr(fields[2], ") REFERENCES ");
    for (uint32_t i = 0; foreign != NULL && refers != NULL && i < table->column_count; i++) {
        const char *name = foreign + strlen("FOREIGN KEY (");
        struct gen_column *column = &table->columns[i];
        if (strlen(column->name) == strcspn(name, ",)") && strncmp(column->name, name, strlen(column->name)) == 0)
            column->refers = refers + strlen(") REFERENCES ");
    }
    if (table->constraint_count < GEN_CONSTRAINTS_MAX) table->constraints[table->constraint_count++] = fields[1];
}

static const char *const catalog_queries[] = {
    "SELECT table_name, column_name, data_type, is_generated, is_nullable, column_default, generation_expression "
    "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"};

// *text: all of it, as text. The oracle's is what statements are drawn from.
static struct status read_schema(struct player *player, int side, const char **text)
{
    static void (*const takers[])(struct player *, const char *) = {take_column, take_index, take_constraint};
    struct status st;
    struct buffer all;
    buffer_init(&all, player->task->arena);
    if (side == ORACLE) {
        arena_reset(&player->schema_arena);
        player->schema = (struct gen_schema){0};
    }
    for (uint32_t i = 0; i < sizeof catalog_queries / sizeof catalog_queries[0]; i++) {
        struct answer answer;
        TRY(insist(player, side, "played", catalog_queries[i], &answer));
        for (uint32_t k = 0; k < answer.row_count && side == ORACLE; k++)
            takers[i](player, answer.rows[k]);
        buffer_append_string(&all, text_of(player, &answer));
    }
    *text = buffer_string(&all);
    if (side == ORACLE) player->schema_text = arena_strdup(&player->schema_arena, *text);
out:
    return st;
}

static int row_order(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void sort(struct answer *answer)
{
    if (answer->row_count > 1) qsort(answer->rows, answer->row_count, sizeof *answer->rows, row_order);
}

// All rows of all tables, and what tables there are.
static struct status read_state(struct player *player, int side, const char **text)
{
    struct status st;
    struct buffer all;
    const char *schema;
    struct answer tables, rows;
    buffer_init(&all, player->task->arena);
    TRY(read_schema(player, side, &schema));
    buffer_append_string(&all, schema);
    TRY(insist(player, side, "played",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1", &tables));
    for (uint32_t i = 0; i < tables.row_count; i++) {
        const char *sql = arena_printf(player->task->arena, "SELECT * FROM %s", tables.rows[i]);
        TRY(insist(player, side, "played", sql, &rows));
        sort(&rows);
        buffer_printf(&all, "--- %s\n", tables.rows[i]);
        buffer_append_string(&all, text_of(player, &rows));
    }
    *text = buffer_string(&all);
out:
    return st;
}

// --- comparing -----------------------------------------------------------------------------------

static bool is_ok(const struct answer *answer)
{
    return strcmp(answer->code, "00000") == 0;
}

static bool strings_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool answers_equal(const struct gen_statement *statement, struct answer *a, struct answer *b)
{
    if (!is_ok(a) || !is_ok(b)) {
        // Of several constraints that a statement breaks, either may be the first.
        if (statement->many && strncmp(a->code, "23", 2) == 0 && strncmp(b->code, "23", 2) == 0) return true;
        return strcmp(a->code, b->code) == 0;
    }
    if (!strings_equal(a->tag, b->tag) || !strings_equal(a->columns, b->columns)) return false;
    if (a->row_count != b->row_count) return false;
    if (!statement->ordered) sort(a), sort(b);
    for (uint32_t i = 0; i < a->row_count; i++) {
        if (strcmp(a->rows[i], b->rows[i]) != 0) return false;
    }
    return true;
}

static const char *shown(struct player *player, const struct answer *answer)
{
    struct buffer out;
    if (!is_ok(answer)) return arena_printf(player->task->arena, "%s: %s", answer->code, answer->message);
    buffer_init(&out, player->task->arena);
    buffer_printf(&out, "%s", answer->tag);
    for (uint32_t i = 0; i < answer->row_count && i < SHOWN_ROWS_MAX; i++)
        buffer_printf(&out, "\n  %.100s", answer->rows[i]);
    if (answer->row_count > SHOWN_ROWS_MAX) buffer_printf(&out, "\n  ...");
    return buffer_string(&out);
}

static void differs(struct player *player, const char *sql, const char *here, const char *there)
{
    sim_tell(run_of(player), player->oracle->world->sim, SIM_AREA_WORK, 0, "the schema:\n%s", player->schema_text);
    sim_violation(run_of(player), "%s\n under test: %s\n the oracle: %s\n the schema:\n%s",
        without_hints(player, sql, false), here, there, player->schema_text);
}

// --- units under test ----------------------------------------------------------------------------

// What became of the transaction that moved the fence to `number`.
static struct status settle(struct player *player, uint32_t number, bool *committed)
{
    struct status st;
    struct answer answer;
    uint32_t first = player->fence + 1; // Of the numbers that this moves it to.
    uint32_t seen[64], tries = 0;
    for (;;) {
        uint32_t own = ++player->fence, n;
        st = dial(player, UNDER_TEST, "played");
        if (!failed(st)) st = ask(player, UNDER_TEST, "BEGIN", &answer);
        if (!failed(st)) st = ask(player, UNDER_TEST, "SELECT n FROM f.fence FOR UPDATE", &answer);
        if (!failed(st)) {
            n = answer.row_count == 1 ? (uint32_t)strtoul(answer.rows[0], NULL, 10) : 0;
            // One of these got through before; what it saw is what counts.
            seen[tries % 64] = n >= first && n < own ? seen[(n - first) % 64] : n;
            st = ask(player, UNDER_TEST, arena_printf(player->task->arena, "UPDATE f.fence SET n = %u", own), &answer);
        }
        if (!failed(st)) st = ask(player, UNDER_TEST, "COMMIT", &answer);
        if (!failed(st) && strings_equal(answer.tag, "COMMIT")) {
            *committed = seen[tries % 64] == number;
            return STATUS_OK;
        }
        if (failed(st) && !sql_is_ordinary(st)) return st;
        tries++;
        hang_up(player, UNDER_TEST);
        TRY(task_sleep(player->task, 100 * WORLD_MS));
    }
out:
    return st;
}

// Nothing has happened.
static bool is_void(struct status st)
{
    return status_is(st, E_SERIALIZATION_FAILURE) || status_is(st, E_OUT_OF_MEMORY);
}

// One attempt; *over: its end is known, and the answers are those that count.
static struct status attempt_transaction(
    struct player *player, const struct gen_unit *unit, struct answer *answers, bool *over)
{
    struct status st;
    uint32_t number = ++player->fence;
    struct answer answer;
    *over = false;
    TRY(dial(player, UNDER_TEST, "played"));
    TRY(ask(player, UNDER_TEST, unit->begin, &answer));
    TRY(ask(player, UNDER_TEST, "SELECT n FROM f.fence FOR UPDATE", &answer));
    TRY(ask(player, UNDER_TEST, arena_printf(player->task->arena, "UPDATE f.fence SET n = %u", number), &answer));
    for (uint32_t i = 0; i < unit->count; i++) {
        if (unit->statements[i].rescue && is_ok(&answers[i - 1])) continue;
        st = ask(player, UNDER_TEST, unit->statements[i].sql, &answers[i]);
        if (failed(st) && sql_is_ordinary(st)) goto out;
    }
    st = ask(player, UNDER_TEST, "COMMIT", &answers[unit->count]);
    *over = !failed(st) || !sql_is_ordinary(st);
    if (*over || is_void(st)) return st;
    player->oracle->lost++;
    sim_count(run_of(player), "ends looked up", 1);
    hang_up(player, UNDER_TEST);
    st = settle(player, number, over);
    if (*over) answers[unit->count] = (struct answer){.code = "00000", .tag = "COMMIT"};
    // It may have been told of what came of its change of the schema behind the commit.
    if (*over && unit->schema) answers[unit->count] = (struct answer){0};
out:
    return st;
}

// One statement by itself: *sure says whether it is known what became of it.
static struct status attempt_single(struct player *player, const struct gen_unit *unit, struct answer *answer, bool *over, bool *sure)
{
    struct status st;
    *sure = true;
    TRY(dial(player, UNDER_TEST, "played"));
    st = ask(player, UNDER_TEST, unit->statements[0].sql, answer);
    *over = !failed(st) || !sql_is_ordinary(st);
    if (*over) return STATUS_OK;
    *sure = !unit->statements[0].writes || (is_void(st) && !unit->schema);
out:
    return st;
}

// --- units on the oracle -------------------------------------------------------------------------

static struct status play_oracle(struct player *player, const struct gen_unit *unit, struct answer *answers)
{
    struct status st;
    struct answer answer;
    memset(answers, 0, (unit->count + 1) * sizeof *answers);
    TRY(dial(player, ORACLE, "played"));
    if (unit->begin != NULL) TRY(ask(player, ORACLE, unit->begin, &answer));
    for (uint32_t i = 0; i < unit->count + (unit->begin != NULL); i++) {
        if (i < unit->count && unit->statements[i].rescue && is_ok(&answers[i - 1])) continue;
        st = ask(player, ORACLE, i < unit->count ? unit->statements[i].sql : "COMMIT", &answers[i]);
        if (failed(st) && (sql_is_ordinary(st) || strncmp(answers[i].code, "XX", 2) == 0)) goto out;
    }
    st = STATUS_OK;
out:
    if (failed(st))
        sim_violation(run_of(player), "the oracle fails with %s: %s", answers[0].code, st.message);
    return st;
}

static void compare(struct player *player, const struct gen_unit *unit, struct answer *under, struct answer *right)
{
    static const struct gen_statement commit = {.sql = "COMMIT", .many = true};
    for (uint32_t i = 0; i < unit->count + (unit->begin != NULL) && !run_of(player)->violated; i++) {
        const struct gen_statement *statement = i < unit->count ? &unit->statements[i] : &commit;
        if (under[i].code[0] == 0) continue; // Not said.
        player->oracle->played++;
        player->oracle->refused += !is_ok(&right[i]);
        if (player->oracle->lies && under[i].row_count > 0) {
            under[i].row_count--;
            player->oracle->lies = false;
        }
        sim_note(player->oracle->world->sim, hash_bytes(bytes_of_string(right[i].code)) + right[i].row_count);
        if (!answers_equal(statement, &under[i], &right[i]))
            differs(player, statement->sql, shown(player, &under[i]), shown(player, &right[i]));
    }
}

// No change of a schema goes on, whoever asked for it.
static struct status wait_for_jobs(struct player *player)
{
    struct status st;
    for (;;) {
        struct answer answer;
        bool any = false;
        TRY(insist(player, UNDER_TEST, "played", "SHOW JOBS", &answer));
        for (uint32_t i = 0; i < answer.row_count; i++)
            any = any || strstr(answer.rows[i], "|running|") != NULL || strstr(answer.rows[i], "|pending|") != NULL ||
                  strstr(answer.rows[i], "|reverting|") != NULL;
        if (!any) return STATUS_OK;
        TRY(task_sleep(player->task, 500 * WORLD_MS));
    }
out:
    return st;
}

// A statement by itself whose end is unknown: it has happened, or it has not and is said again.
static struct status settle_single(struct player *player, const struct gen_unit *unit)
{
    struct status st;
    const char *before, *after, *found;
    struct answer under, right[2];
    bool over = false, sure = true;
    sim_count(run_of(player), "ends looked up", 1);
    TRY(read_state(player, ORACLE, &before));
    TRY(play_oracle(player, unit, right));
    TRY(read_state(player, ORACLE, &after));
    for (;;) {
        hang_up(player, UNDER_TEST);
        TRY(task_sleep(player->task, LONGEST_NS));
        if (unit->schema) TRY(wait_for_jobs(player));
        TRY(read_state(player, UNDER_TEST, &found));
        if (strcmp(found, after) == 0) break;
        if (strcmp(found, before) != 0) {
            differs(player, unit->statements[0].sql, found, after);
            break;
        }
        while (!over && sure && !player->task->cancelled) {
            st = attempt_single(player, unit, &under, &over, &sure);
            if (failed(st)) hang_up(player, UNDER_TEST);
            if (failed(st)) TRY(task_sleep(player->task, 100 * WORLD_MS));
        }
        if (over) compare(player, unit, &under, right);
        if (over) break;
        sure = true;
    }
out:
    return st;
}

// --- the player ----------------------------------------------------------------------------------

static struct status play(struct player *player, const struct gen_unit *unit)
{
    struct status st;
    struct answer under[GEN_STATEMENTS_MAX + 1], right[GEN_STATEMENTS_MAX + 1];
    for (;;) {
        bool over = false, sure = true;
        memset(under, 0, sizeof under);
        st = unit->begin != NULL ? attempt_transaction(player, unit, under, &over)
                                 : attempt_single(player, unit, under, &over, &sure);
        if (over) break;
        if (player->task->cancelled) return st;
        if (failed(st) && !sql_is_ordinary(st)) {
            sim_violation(run_of(player), "under test: %s", st.message);
            return st;
        }
        if (!sure) return settle_single(player, unit);
        hang_up(player, UNDER_TEST);
        TRY(task_sleep(player->task, below(player, 200 * WORLD_MS)));
    }
    TRY(play_oracle(player, unit, right));
    compare(player, unit, under, right);
out:
    return st;
}

// What changes plans on one side, and must not change answers.
static struct status disturb(struct player *player)
{
    struct status st = STATUS_OK;
    struct answer answer;
    if (player->schema.table_count == 0 || below(player, 12) != 0) goto out;
    const struct gen_table *table = &player->schema.tables[below(player, player->schema.table_count)];
    const char *sql;
    const uint32_t nodes = player->oracle->world->node_count, from = 1 + (uint32_t)below(player, nodes);
    switch (below(player, 5)) {
    case 0:
    case 1: sql = arena_printf(player->task->arena, "ANALYZE %s", table->name); break;
    case 2: // Some move at once, some have no copy there, some have one already.
        sql = arena_printf(player->task->arena,
            "ALTER RANGE RELOCATE LEASE TO %u FOR SELECT range_id FROM [SHOW RANGES FROM TABLE %s]", from, table->name);
        break;
    case 3:
        sql = arena_printf(player->task->arena,
            "ALTER RANGE RELOCATE VOTERS FROM %u TO %u FOR SELECT range_id FROM [SHOW RANGES FROM TABLE %s]", from,
            from % nodes + 1, table->name);
        break;
    default:
        sql = arena_printf(player->task->arena, "ALTER TABLE %s SPLIT AT VALUES (%u)", table->name, (uint32_t)below(player, 40));
    }
    st = dial(player, UNDER_TEST, "played");
    if (!failed(st)) st = ask(player, UNDER_TEST, sql, &answer);
    if (failed(st)) hang_up(player, UNDER_TEST); // The key may be no number.
    st = STATUS_OK;
out:
    return st;
}

static const char *told(struct player *player, const struct gen_unit *unit)
{
    struct buffer out;
    buffer_init(&out, player->task->arena);
    for (uint32_t i = 0; i < unit->count; i++) buffer_printf(&out, "%s;\n", unit->statements[i].sql);
    return buffer_string(&out);
}

static struct status play_numbered(struct player *player, uint32_t number)
{
    struct status st;
    struct sim_run *run = run_of(player);
    struct sim_random workload = sim_random_named(hash_combine(run->seed, number), "workload");
    struct gen_unit *unit = ARENA_NEW(player->task->arena, struct gen_unit);
    player->random = sim_random_named(hash_combine(run->seed, number), "player");
    player->gen.random = &workload;
    player->gen.arena = player->task->arena;
    player->gen.schema = &player->schema;
    if (number % 2 == 0 && number < 6)
        sql_gen_table(&player->gen, unit);
    else if (number < 6 && player->schema.table_count > 0)
        sql_gen_fill(&player->gen, unit);
    else
        sql_gen_unit(&player->gen, unit);
    TRY(disturb(player));
    player->unhinted = unit->schema;
    TRY(play(player, unit));
    if (unit->schema && !run->violated) {
        const char *under, *right;
        player->oracle->changes++;
        TRY(read_schema(player, ORACLE, &right));
        if (unit->begin != NULL) TRY(wait_for_jobs(player)); // Nobody may have waited for what it began.
        TRY(read_schema(player, UNDER_TEST, &under));
        if (strcmp(under, right) != 0) differs(player, told(player, unit), under, right);
    }
    if (below(player, 10) == 0) hang_up(player, UNDER_TEST);
out:
    return st;
}

// Every index holds what its table does.
static struct status check_indexes(struct player *player, const struct gen_table *table)
{
    struct status st;
    struct answer rows, same;
    const struct gen_statement any = {0};
    TRY(insist(player, UNDER_TEST, "played", arena_printf(player->task->arena, "SELECT * FROM %s", table->name), &rows));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->partial[i]) continue;
        const char *sql =
            arena_printf(player->task->arena, "SELECT * FROM %s@%s", table->name, table->indexes[i]);
        TRY(insist(player, UNDER_TEST, "played", sql, &same));
        if (!answers_equal(&any, &same, &rows)) differs(player, sql, shown(player, &same), shown(player, &rows));
    }
out:
    return st;
}

static struct status play_all(struct player *player)
{
    struct status st;
    struct sql_oracle *oracle = player->oracle;
    struct sim_run *run = run_of(player);
    struct answer answer;
    const char *under, *right;
    for (int side = 0; side < 2; side++) {
        TRY(insist(player, side, "defaultdb", "CREATE DATABASE IF NOT EXISTS played", &answer));
        hang_up(player, side);
    }
    TRY(insist(player, UNDER_TEST, "played", "CREATE SCHEMA IF NOT EXISTS f", &answer));
    TRY(insist(player, UNDER_TEST, "played", "CREATE TABLE IF NOT EXISTS f.fence (id INT PRIMARY KEY, n INT)", &answer));
    TRY(insist(player, UNDER_TEST, "played", "INSERT INTO f.fence VALUES (0, 0) ON CONFLICT DO NOTHING", &answer));
    for (uint32_t number = 0; number < oracle->units && !run->violated; number++) {
        if (oracle->world->healed && oracle->healed_at_ns == 0) oracle->healed_at_ns = sim_now_ns(oracle->world->sim);
        if (oracle->healed_at_ns != 0 && sim_now_ns(oracle->world->sim) > oracle->healed_at_ns + AFTER_HEALING_NS) break;
        if (!sim_keep(run, SIM_OPERATION, number)) continue;
        struct arena_mark mark = arena_mark(player->task->arena);
        TRY(play_numbered(player, number));
        arena_release(player->task->arena, mark);
    }
    if (run->violated) goto out;
    TRY(read_state(player, ORACLE, &right));
    TRY(read_state(player, UNDER_TEST, &under));
    if (strcmp(under, right) != 0) differs(player, "at the end", under, right);
    for (uint32_t i = 0; i < player->schema.table_count; i++)
        TRY(check_indexes(player, &player->schema.tables[i]));
out:
    return st;
}

static struct status player_main(struct task *task, void *arg)
{
    struct sql_oracle *oracle = arg;
    struct player *player = ARENA_NEW(&oracle->world->run->arena, struct player);
    player->oracle = oracle;
    player->task = task;
    player->random = sim_random_named(oracle->world->run->seed, "player");
    arena_init(&player->schema_arena, NULL);
    struct status st = play_all(player);
    if (failed(st) && !task->cancelled)
        sim_violation(oracle->world->run, "the player ends: %s", st.message);
    hang_up(player, UNDER_TEST);
    hang_up(player, ORACLE);
    arena_fini(&player->schema_arena);
    sim_count(oracle->world->run, "statements compared", oracle->played);
    sim_count(oracle->world->run, "of them refused", oracle->refused);
    sim_count(oracle->world->run, "schema units", oracle->changes);
    oracle->done = true;
    oracle->home.tasks--;
    return STATUS_OK;
}

static struct status serves(struct task *task, struct world_node *node)
{
    struct sql_oracle *oracle = container_of(node, struct sql_oracle, home);
    return server_node_spawn(task, node, player_main, oracle, "sim-player");
}

static struct status boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.slices_per_shard = 1, .serves = serves};
    return server_node_run(task, arg, &options);
}

void sql_oracle_start(struct sql_oracle *oracle, struct world *world, uint32_t units, bool lies)
{
    const struct node_options options = {.shard_count = 1, .fibers_per_shard = 128};
    memset(oracle, 0, sizeof *oracle);
    oracle->world = world;
    oracle->units = units;
    oracle->lies = lies;
    oracle->home = (struct world_node){.world = world, .id = MACHINE, .cluster = MACHINE};
    oracle->home.machine = sim_node_add(world->sim, MACHINE);
    sim_node_straight(oracle->home.machine);
    sim_node_start(oracle->home.machine, &options, boot, &oracle->home);
}

bool sql_oracle_is_done(const struct sql_oracle *oracle)
{
    return oracle->done;
}

static bool is_down(void *arg)
{
    return sim_node_running(((struct sql_oracle *)arg)->home.machine) == NULL;
}

void sql_oracle_stop(struct sql_oracle *oracle)
{
    sim_node_stop(oracle->home.machine);
    world_expect(oracle->world, "the oracle stops", is_down, oracle, 60 * WORLD_SECOND);
}
