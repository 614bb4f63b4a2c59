// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/sql_model.h"

#include <inttypes.h>

#define V_LEAST (-1000)
#define V_MOST 1000

static const char *const words[] = {"anchor", "basalt", "cinder", "dune", "ember"};
#define WORDS (sizeof words / sizeof words[0])

struct drawing {
    struct sql_model *model;
    struct sim_random *random;
    struct arena *arena;
    const char *table;
    struct sql_model_statement *out;
    struct buffer rows;
};

const char *sql_model_create(struct arena *arena, const char *table)
{
    return arena_printf(arena,
        "CREATE TABLE IF NOT EXISTS %s (k INT PRIMARY KEY, v INT, w TEXT NOT NULL, "
        "CHECK (v BETWEEN %d AND %d), INDEX %s_v (v))",
        table, V_LEAST, V_MOST, table);
}

static uint32_t below(struct drawing *draw, uint32_t bound)
{
    return (uint32_t)sim_random_below(draw->random, bound);
}

static struct sql_model_row row_draw(struct drawing *draw)
{
    return (struct sql_model_row){.here = true,
        .null = below(draw, 6) == 0,
        .v = (int32_t)below(draw, 60) - 20,
        .word = (uint8_t)below(draw, WORDS)};
}

static const char *v_text(struct arena *arena, const struct sql_model_row *row, const char *null)
{
    return row->null ? null : arena_printf(arena, "%" PRId32, row->v);
}

static const char *values_of(struct drawing *draw, uint32_t key, const struct sql_model_row *row)
{
    return arena_printf(draw->arena, "(%u, %s, '%s')", key, v_text(draw->arena, row, "NULL"), words[row->word]);
}

static bool is_in_bounds(const struct sql_model_row *row)
{
    return row->null || (row->v >= V_LEAST && row->v <= V_MOST);
}

// After a write that changed `count` rows to what `next` holds.
static void written(struct drawing *draw, const struct sql_model *next, const char *verb, uint32_t count)
{
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        if (!next->rows[k].here || is_in_bounds(&next->rows[k])) continue;
        draw->out->code = "23514";
        return;
    }
    *draw->model = *next;
    draw->out->tag = arena_printf(draw->arena, "%s %u", verb, count);
}

// --- writing -------------------------------------------------------------------------------------

static void insert(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    uint32_t count = 1 + below(draw, 3), first = below(draw, SQL_MODEL_KEYS - 3), added = 0;
    uint32_t conflict = below(draw, 3);
    const char *values = "";
    for (uint32_t k = first; k < first + count; k++) {
        struct sql_model_row row = row_draw(draw), *old = &next.rows[k];
        values = arena_printf(draw->arena, "%s%s%s", values, k > first ? ", " : "", values_of(draw, k, &row));
        if (old->here && conflict == 0) draw->out->code = "23505";
        if (old->here && conflict == 1) continue;
        added++;
        if (old->here && conflict == 2) {
            row.null = row.null || old->null;
            row.v += old->v;
            row.word = old->word;
        }
        *old = row;
    }
    const char *clause = "";
    if (conflict == 1) clause = " ON CONFLICT (k) DO NOTHING";
    if (conflict == 2)
        clause = arena_printf(
            draw->arena, " ON CONFLICT (k) DO UPDATE SET v = %s.v + excluded.v", draw->table);
    draw->out->sql =
        arena_printf(draw->arena, "INSERT INTO %s (k, v, w) VALUES %s%s", draw->table, values, clause);
    if (draw->out->code == NULL) written(draw, &next, "INSERT 0", added);
}

static void update_some(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    int32_t least = (int32_t)below(draw, 80) - 40, most = least + (int32_t)below(draw, 30);
    int32_t more = (int32_t)below(draw, 2) == 0 ? (int32_t)below(draw, 20) - 10 : 400;
    uint32_t count = 0;
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        struct sql_model_row *row = &next.rows[k];
        if (!row->here || row->null || row->v < least || row->v > most) continue;
        row->v += more;
        count++;
    }
    draw->out->sql =
        arena_printf(draw->arena, "UPDATE %s SET v = v + %" PRId32 " WHERE v BETWEEN %" PRId32 " AND %" PRId32,
            draw->table, more, least, most);
    written(draw, &next, "UPDATE", count);
}

static void update_one(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    uint32_t k = below(draw, SQL_MODEL_KEYS);
    struct sql_model_row row = row_draw(draw);
    bool here = next.rows[k].here;
    if (here) next.rows[k] = row;
    draw->out->sql = arena_printf(draw->arena, "UPDATE %s SET v = %s, w = '%s' WHERE k = %u", draw->table,
        v_text(draw->arena, &row, "NULL"), words[row.word], k);
    written(draw, &next, "UPDATE", here);
}

static void update_key(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    uint32_t from = below(draw, SQL_MODEL_KEYS), to = below(draw, SQL_MODEL_KEYS);
    bool here = next.rows[from].here;
    draw->out->sql =
        arena_printf(draw->arena, "UPDATE %s SET k = %u WHERE k = %u", draw->table, to, from);
    if (here && from != to) {
        if (next.rows[to].here) {
            draw->out->code = "23505";
            return;
        }
        next.rows[to] = next.rows[from];
        next.rows[from].here = false;
    }
    written(draw, &next, "UPDATE", here);
}

static void divide(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    uint32_t at = below(draw, SQL_MODEL_KEYS), count = 0;
    draw->out->sql = arena_printf(draw->arena, "UPDATE %s SET v = 100 / (k - %u)", draw->table, at);
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        if (!next.rows[k].here) continue;
        if (k == at) {
            draw->out->code = "22012";
            return;
        }
        next.rows[k].null = false;
        next.rows[k].v = 100 / ((int32_t)k - (int32_t)at);
        count++;
    }
    written(draw, &next, "UPDATE", count);
}

static void delete_some(struct drawing *draw)
{
    struct sql_model next = *draw->model;
    bool by_key = below(draw, 3) != 0;
    uint32_t first = below(draw, SQL_MODEL_KEYS), last = first + below(draw, 4), count = 0;
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        struct sql_model_row *row = &next.rows[k];
        bool meant = by_key ? k >= first && k <= last : !row->null && row->v == (int32_t)first;
        count += row->here && meant;
        if (meant) row->here = false;
    }
    draw->out->sql = by_key ? arena_printf(draw->arena, "DELETE FROM %s WHERE k BETWEEN %u AND %u",
                                  draw->table, first, last)
                            : arena_printf(draw->arena, "DELETE FROM %s WHERE v = %u", draw->table, first);
    written(draw, &next, "DELETE", count);
}

// --- reading -------------------------------------------------------------------------------------

static void row_add(struct drawing *draw, const char *text)
{
    buffer_append(&draw->rows, text, strlen(text));
    buffer_append(&draw->rows, "\n", 1);
}

// Keys in the order of v (NULL last), then of the key.
static uint32_t by_value(const struct sql_model *model, uint32_t keys[SQL_MODEL_KEYS])
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        const struct sql_model_row *row = &model->rows[k];
        if (!row->here) continue;
        uint32_t at = count++;
        for (; at > 0; at--) {
            const struct sql_model_row *before = &model->rows[keys[at - 1]];
            if (!before->null && (row->null || before->v <= row->v)) break;
            if (before->null && row->null) break;
            keys[at] = keys[at - 1];
        }
        keys[at] = k;
    }
    return count;
}

static void select_ordered(struct drawing *draw)
{
    uint32_t keys[SQL_MODEL_KEYS], count = by_value(draw->model, keys);
    uint32_t limit = 1 + below(draw, 10), offset = below(draw, 4);
    draw->out->sql = arena_printf(draw->arena,
        "SELECT k, v, w FROM %s ORDER BY v, k LIMIT %u OFFSET %u", draw->table, limit, offset);
    for (uint32_t i = offset; i < count && i < offset + limit; i++) {
        const struct sql_model_row *row = &draw->model->rows[keys[i]];
        row_add(draw, arena_printf(draw->arena, "%u|%s|%s", keys[i], v_text(draw->arena, row, SQL_MODEL_NULL),
                          words[row->word]));
    }
}

static void select_range(struct drawing *draw)
{
    uint32_t keys[SQL_MODEL_KEYS], count = by_value(draw->model, keys);
    int32_t least = (int32_t)below(draw, 60) - 30;
    draw->out->sql = arena_printf(draw->arena,
        "SELECT v, k FROM %s WHERE v > %" PRId32 " ORDER BY v DESC, k DESC", draw->table, least);
    for (uint32_t i = count; i > 0; i--) {
        const struct sql_model_row *row = &draw->model->rows[keys[i - 1]];
        if (row->null || row->v <= least) continue;
        row_add(draw, arena_printf(draw->arena, "%" PRId32 "|%u", row->v, keys[i - 1]));
    }
}

static void select_totals(struct drawing *draw)
{
    int64_t total = 0;
    uint32_t count = 0, values = 0;
    const char *least = SQL_MODEL_NULL, *most = SQL_MODEL_NULL;
    uint8_t low = WORDS, high = 0;
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        const struct sql_model_row *row = &draw->model->rows[k];
        if (!row->here) continue;
        count++;
        values += !row->null;
        total += row->null ? 0 : row->v;
        if (row->word < low) low = row->word;
        if (row->word > high) high = row->word;
    }
    if (count > 0) least = words[low];
    if (count > 0) most = words[high];
    draw->out->sql =
        arena_printf(draw->arena, "SELECT count(*), sum(v), min(w), max(w) FROM %s", draw->table);
    row_add(draw,
        values > 0 ? arena_printf(draw->arena, "%u|%" PRId64 "|%s|%s", count, total, least, most)
                   : arena_printf(draw->arena, "%u|" SQL_MODEL_NULL "|%s|%s", count, least, most));
}

static void select_groups(struct drawing *draw)
{
    draw->out->sql = arena_printf(
        draw->arena, "SELECT w, count(*), count(v) FROM %s GROUP BY w ORDER BY w", draw->table);
    for (uint32_t word = 0; word < WORDS; word++) {
        uint32_t count = 0, values = 0;
        for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
            const struct sql_model_row *row = &draw->model->rows[k];
            if (!row->here || row->word != word) continue;
            count++;
            values += !row->null;
        }
        if (count > 0) row_add(draw, arena_printf(draw->arena, "%s|%u|%u", words[word], count, values));
    }
}

static void select_pairs(struct drawing *draw)
{
    draw->out->sql = arena_printf(draw->arena,
        "SELECT a.k, b.k FROM %s AS a JOIN %s AS b ON a.v = b.v AND a.k < b.k ORDER BY 1, 2",
        draw->table, draw->table);
    for (uint32_t a = 0; a < SQL_MODEL_KEYS; a++) {
        const struct sql_model_row *left = &draw->model->rows[a];
        for (uint32_t b = a + 1; b < SQL_MODEL_KEYS; b++) {
            const struct sql_model_row *right = &draw->model->rows[b];
            if (left->here && right->here && !left->null && !right->null && left->v == right->v)
                row_add(draw, arena_printf(draw->arena, "%u|%u", a, b));
        }
    }
}

void sql_model_all(const struct sql_model *model, struct arena *arena, const char *table,
    struct sql_model_statement *out)
{
    struct buffer rows;
    *out = (struct sql_model_statement){
        .sql = arena_printf(arena, "SELECT k, v, w FROM %s ORDER BY k", table)};
    buffer_init(&rows, arena);
    for (uint32_t k = 0; k < SQL_MODEL_KEYS; k++) {
        const struct sql_model_row *row = &model->rows[k];
        if (!row->here) continue;
        const char *line = arena_printf(
            arena, "%u|%s|%s\n", k, v_text(arena, row, SQL_MODEL_NULL), words[row->word]);
        buffer_append(&rows, line, strlen(line));
    }
    buffer_append(&rows, "", 1);
    out->rows = (const char *)rows.data;
}

void sql_model_draw(struct sql_model *model, struct sim_random *random, struct arena *arena,
    const char *table, struct sql_model_statement *out)
{
    static void (*const statements[])(struct drawing *) = {insert, insert, insert, update_some,
        update_one, update_key, divide, delete_some, select_ordered, select_range, select_totals,
        select_groups, select_pairs};
    struct drawing draw = {
        .model = model, .random = random, .arena = arena, .table = table, .out = out};
    *out = (struct sql_model_statement){0};
    buffer_init(&draw.rows, arena);
    statements[below(&draw, sizeof statements / sizeof statements[0])](&draw);
    buffer_append(&draw.rows, "", 1);
    if (strncmp(out->sql, "SELECT", 6) == 0) out->rows = (const char *)draw.rows.data;
}
