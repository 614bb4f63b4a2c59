// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod sql`: the shell. Statements from -e, a file or the terminal; backslash commands; results in several
// formats.
#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"
#include "tools/client.h"
#include "tools/commands.h"
#include "tools/shell.h"
#include "tools/table.h"

#define STATEMENT_BYTES_MAX (16u << 20)

struct shell {
    struct client_flags flags;
    struct pgclient_options connect;
    struct flag_strings execute;
    const char *file, *format_name;
    enum table_format format;
    bool interactive, echo, timing, expanded, stop_on_error, quit, read_only;
    struct pgclient *client;
    struct arena arena;       // Of the session.
    struct arena line_arena;  // Of one statement.
    char vc[128], database[128];
    struct buffer pending;    // A statement not yet ended.
    char *line;               // Read by the helper thread.
    EditLine *edit;
    History *history;
    const char **completions; // Keywords and tables, NULL-terminated.
    struct status st;
};

// --- running statements ------------------------------------------------------------------------------------

static void notice(void *arg, const char *severity, struct status st)
{
    (void)arg;
    fprintf(stderr, "%s: %s\n", severity, st.message);
    const struct status_report *report = status_report_of(st);
    if (report != NULL && report->hint != NULL) fprintf(stderr, "HINT: %s\n", report->hint);
}

// Gathers each result and prints it when its statement is complete.
struct printer {
    struct shell *shell;
    struct pgclient_result result;
    size_t capacity;
    bool has_columns;
};

static struct status print_columns(
    struct task *task, void *arg, const struct pgclient_column *columns, uint32_t count)
{
    struct printer *self = arg;
    struct arena *arena = &self->shell->line_arena;
    (void)task;
    struct pgclient_column *copy = ARENA_ARRAY(arena, struct pgclient_column, count + 1u);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = (struct pgclient_column){arena_strdup(arena, columns[i].name), columns[i].type};
    self->result = (struct pgclient_result){.column_count = count, .columns = copy};
    self->capacity = 0;
    self->has_columns = true;
    return STATUS_OK;
}

static void flush_rows(struct printer *self)
{
    struct buffer out;
    buffer_init(&out, &self->shell->line_arena);
    enum table_format format = self->shell->expanded ? TABLE_RECORDS : self->shell->format;
    table_write(&out, format, &self->result);
    fwrite(out.data, 1, out.size, stdout);
}

static struct status print_row(struct task *task, void *arg, const struct bytes *values, uint32_t count)
{
    struct printer *self = arg;
    struct arena *arena = &self->shell->line_arena;
    struct pgclient_result *result = &self->result;
    (void)task;
    size_t used = (size_t)result->row_count * count;
    if (used + count > self->capacity) {
        self->capacity = self->capacity == 0 ? 64u * (count + 1u) : self->capacity * 2;
        struct bytes *grown = ARENA_ARRAY(arena, struct bytes, self->capacity);
        if (used > 0) memcpy(grown, result->values, used * sizeof *grown);
        result->values = grown;
    }
    for (uint32_t i = 0; i < count; i++)
        result->values[used + i] = values[i].data == NULL ? values[i] : arena_copy(arena, values[i]);
    result->row_count++;
    return STATUS_OK;
}

static void print_complete(void *arg, const char *tag)
{
    struct printer *self = arg;
    if (self->has_columns)
        flush_rows(self);
    else if (self->shell->format == TABLE_TABLE)
        printf("%s\n", tag);
    self->has_columns = false;
    self->result = (struct pgclient_result){0};
    self->capacity = 0;
}

static void report_failure(struct status st)
{
    fflush(stdout);
    print_failure(st);
}

struct status shell_run(struct task *task, struct shell *shell, const char *sql)
{
    struct printer printer = {.shell = shell};
    struct pgclient_sink sink = {.columns = print_columns,
        .row = print_row,
        .complete = print_complete,
        .notice = notice,
        .arg = &printer};
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (shell->echo) printf("> %s\n", sql);
    struct status st = pgclient_query(task, shell->client, sql, &sink);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (failed(st)) {
        if (printer.has_columns) flush_rows(&printer);
        report_failure(st);
    }
    if (shell->timing)
        printf("\nTime: %.3f ms\n\n",
            (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6);
    fflush(stdout);
    return st;
}

// --- connecting --------------------------------------------------------------------------------------------

static void learn_names(struct task *task, struct shell *shell)
{
    struct pgclient_result result;
    struct arena arena;
    arena_init(&arena, NULL);
    if (!failed(pgclient_collect(task, shell->client, &arena, "SHOW virtual_cluster_name", &result)) && result.row_count == 1)
        snprintf(shell->vc, sizeof shell->vc, "%.*s", (int)result.values[0].size, (const char *)result.values[0].data);
    if (!failed(pgclient_collect(task, shell->client, &arena, "SHOW database", &result)) && result.row_count == 1)
        snprintf(shell->database, sizeof shell->database, "%.*s", (int)result.values[0].size, (const char *)result.values[0].data);
    arena_fini(&arena);
}

static void ask_password(void *arg)
{
    struct shell *shell = arg;
    char prompt[256];
    snprintf(prompt, sizeof prompt, "Password for %s: ", shell->connect.user);
    const char *typed = getpass(prompt);
    if (typed != NULL) shell->connect.password = arena_strdup(&shell->arena, typed);
}

struct status shell_connect(struct task *task, struct shell *shell)
{
    struct status st;
    pgclient_close(shell->client);
    shell->client = NULL;
    st = pgclient_connect(task, &shell->connect, &shell->client);
    if (failed(st) && st.code == E_INVALID_PASSWORD && shell->connect.password == NULL && isatty(0)) {
        TRY(helper_call(task, ask_password, shell));
        st = pgclient_connect(task, &shell->connect, &shell->client);
    }
    TRY(st);
    if (shell->read_only) TRY(pgclient_query(task, shell->client, "SET default_transaction_read_only = on", NULL));
    learn_names(task, shell);
out:
    return st;
}

// --- lines -------------------------------------------------------------------------------------------------

static char prompt_text[512];

static char *prompt(EditLine *edit)
{
    (void)edit;
    return prompt_text;
}

static void make_prompt(struct shell *shell)
{
    const char *state = "";
    char status = shell->client == NULL ? 'I' : pgclient_txn_status(shell->client);
    if (status == 'T') state = "  OPEN";
    if (status == 'E') state = "  ERROR";
    snprintf(prompt_text, sizeof prompt_text, "%s@%s:%u/%s/%s%s> ", shell->connect.user,
        shell->connect.hosts[0], shell->connect.ports[0], shell->vc, shell->database, state);
    if (shell->pending.size > 0) {
        size_t size = strlen(prompt_text);
        memset(prompt_text, ' ', size);
        memcpy(prompt_text + (size > 4 ? size - 3 : 0), "-> ", 3);
    }
}

// Completes the word before the cursor from keywords and the names of tables.
static unsigned char complete(EditLine *edit, int key)
{
    (void)key;
    struct shell *shell;
    el_get(edit, EL_CLIENTDATA, &shell);
    const LineInfo *line = el_line(edit);
    const char *start = line->cursor;
    while (start > line->buffer && (ascii_digit(start[-1]) || start[-1] == '_' || start[-1] == '.' ||
                                       (ascii_lower(start[-1]) >= 'a' && ascii_lower(start[-1]) <= 'z')))
        start--;
    size_t size = (size_t)(line->cursor - start);
    const char *match = NULL;
    size_t common = 0;
    for (unsigned i = 0; size > 0 && shell->completions != NULL && shell->completions[i] != NULL; i++) {
        const char *word = shell->completions[i];
        if (strncasecmp(word, start, size) != 0) continue;
        if (match == NULL) {
            match = word;
            common = strlen(word);
            continue;
        }
        size_t same = 0;
        while (same < common && word[same] == match[same]) same++;
        common = same;
    }
    if (match == NULL || common <= size) return CC_ERROR;
    char insert[256];
    snprintf(insert, sizeof insert, "%.*s", (int)(common - size), match + size);
    el_insertstr(edit, insert);
    return CC_REFRESH;
}

static void load_completions(struct task *task, struct shell *shell)
{
    static const char *const keywords[] = {"SELECT", "FROM", "WHERE", "INSERT INTO", "UPDATE", "DELETE FROM",
        "CREATE TABLE", "CREATE INDEX", "CREATE VIRTUAL CLUSTER", "ALTER TABLE", "ALTER VIRTUAL CLUSTER",
        "DROP TABLE", "DROP VIRTUAL CLUSTER", "SHOW TABLES", "SHOW DATABASES", "SHOW VIRTUAL CLUSTERS",
        "SHOW JOBS", "SHOW CLUSTER SETTINGS", "SET CLUSTER SETTING", "ORDER BY", "GROUP BY", "LIMIT", "VALUES",
        "BEGIN", "COMMIT", "ROLLBACK", "EXPLAIN", "START SERVICE SHARED", "STOP SERVICE",
        "COMPLETE REPLICATION TO LATEST", "FROM REPLICATION OF", "WITH REPLICATION STATUS", NULL};
    struct pgclient_result result = {0};
    struct status st = pgclient_collect(task, shell->client, &shell->arena,
        "SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r','v') AND relnamespace NOT IN (SELECT oid FROM "
        "pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog','information_schema','crdb_internal')) LIMIT 1000",
        &result);
    uint64_t tables = failed(st) ? 0 : result.row_count;
    uint32_t words = 0;
    while (keywords[words] != NULL) words++;
    shell->completions = ARENA_ARRAY(&shell->arena, const char *, words + tables + 1);
    for (uint64_t i = 0; i < tables; i++) shell->completions[i] = arena_string(&shell->arena, result.values[i]);
    for (uint32_t i = 0; i < words; i++) shell->completions[tables + i] = keywords[i];
}

static void read_line(void *arg)
{
    struct shell *shell = arg;
    free(shell->line);
    shell->line = NULL;
    if (shell->edit != NULL) {
        int count;
        const char *line = el_gets(shell->edit, &count);
        if (line == NULL || count <= 0) return;
        shell->line = strndup(line, (size_t)count);
        HistEvent event;
        if (count > 1) history(shell->history, &event, H_ENTER, line);
        return;
    }
    size_t capacity = 0;
    ssize_t size = getline(&shell->line, &capacity, stdin);
    if (size >= 0) return;
    free(shell->line);
    shell->line = NULL;
}

static const char *history_path(struct shell *shell)
{
    const char *home = getenv("HOME");
    return home == NULL ? NULL : arena_printf(&shell->arena, "%s/.isopod_history", home);
}

static void edit_open(struct shell *shell)
{
    HistEvent event;
    shell->edit = el_init("isopod", stdin, stdout, stderr);
    shell->history = history_init();
    if (shell->edit == NULL || shell->history == NULL) return;
    history(shell->history, &event, H_SETSIZE, 1000);
    const char *path = history_path(shell);
    if (path != NULL) history(shell->history, &event, H_LOAD, path);
    el_set(shell->edit, EL_PROMPT, prompt);
    el_set(shell->edit, EL_EDITOR, "emacs");
    el_set(shell->edit, EL_HIST, history, shell->history);
    el_set(shell->edit, EL_CLIENTDATA, shell);
    el_set(shell->edit, EL_ADDFN, "complete", "complete the word", complete);
    el_set(shell->edit, EL_BIND, "^I", "complete", NULL);
}

static void edit_close(struct shell *shell)
{
    HistEvent event;
    const char *path = history_path(shell);
    if (shell->history != NULL) {
        if (path != NULL) history(shell->history, &event, H_SAVE, path);
        history_end(shell->history);
    }
    if (shell->edit != NULL) el_end(shell->edit);
}

// Whether the text ends a statement: a semicolon outside of quotes and comments, with only space after it.
bool shell_statement_ends(struct bytes text)
{
    char quote = 0;
    bool ended = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (quote != 0) {
            if (c == quote) quote = 0;
            continue;
        }
        if (c == '-' && i + 1 < text.size && text.data[i + 1] == '-') {
            while (i < text.size && text.data[i] != '\n') i++;
            continue;
        }
        if (c == '\'' || c == '"') {
            quote = c;
            ended = false;
        } else if (c == ';') {
            ended = true;
        } else if (!ascii_space(c)) {
            ended = false;
        }
    }
    return ended && quote == 0;
}

static struct status take_line(struct task *task, struct shell *shell, const char *line)
{
    struct status st = STATUS_OK;
    struct bytes text = text_trim(bytes_of_string(line));
    if (shell->pending.size == 0 && text.size == 0) return st;
    if (shell->pending.size == 0 && text.data[0] == '\\') {
        st = shell_backslash(task, shell, arena_string(&shell->line_arena, text));
        goto out;
    }
    if (shell->pending.size == 0 && shell->interactive &&
        (bytes_equal(text, BYTES_LITERAL("quit")) || bytes_equal(text, BYTES_LITERAL("exit")))) {
        shell->quit = true;
        return st;
    }
    if (shell->pending.size + strlen(line) > STATEMENT_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "the statement is longer than 16 MiB");
    buffer_append_string(&shell->pending, line);
    if (line[0] != '\0' && line[strlen(line) - 1] != '\n') buffer_append_u8(&shell->pending, '\n');
    if (!shell_statement_ends(buffer_bytes(&shell->pending))) return st;
    char *sql = arena_string(&shell->line_arena, buffer_bytes(&shell->pending));
    shell->pending.size = 0;
    st = shell_run(task, shell, sql);
    if (strcasestr(sql, "database") != NULL || strcasestr(sql, "use ") != NULL) learn_names(task, shell);
out:
    arena_reset(&shell->line_arena);
    return st;
}

bool shell_toggle_timing(struct shell *shell)
{
    shell->timing = !shell->timing;
    return shell->timing;
}

bool shell_toggle_expanded(struct shell *shell)
{
    shell->expanded = !shell->expanded;
    return shell->expanded;
}

void shell_quit(struct shell *shell)
{
    shell->quit = true;
}

struct status shell_reconnect(struct task *task, struct shell *shell, const char *database)
{
    if (database[0] != '\0') shell->connect.database = arena_strdup(&shell->arena, database);
    struct status st = shell_connect(task, shell);
    if (failed(st)) report_failure(st);
    return st;
}

struct status shell_include(struct task *task, struct shell *shell, const char *path)
{
    struct status st = STATUS_OK;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "ERROR: cannot read %s: %s\n", path, strerror(errno));
        return status_make(E_UNDEFINED_FILE, "cannot read the file");
    }
    char *line = NULL;
    size_t capacity = 0;
    while (!failed(st) && getline(&line, &capacity, file) >= 0) st = take_line(task, shell, line);
    free(line);
    fclose(file);
    return st;
}

static struct status loop(struct task *task, struct shell *shell)
{
    struct status st = STATUS_OK, last = STATUS_OK;
    while (!shell->quit) {
        make_prompt(shell);
        TRY(helper_call(task, read_line, shell));
        if (shell->line == NULL) break;
        last = take_line(task, shell, shell->line);
        if (!failed(last)) continue;
        if (last.code == E_CONNECTION_FAILURE) {
            fprintf(stderr, "The connection is lost. Trying to connect again: ");
            struct status again = shell_connect(task, shell);
            fprintf(stderr, "%s\n", failed(again) ? again.message : "done.");
            if (failed(again)) break;
        }
        if (shell->stop_on_error) break;
    }
    if (shell->pending.size > 0 && !shell->interactive) {
        buffer_append_u8(&shell->pending, 0);
        last = shell_run(task, shell, (char *)shell->pending.data);
    }
    st = shell->interactive ? STATUS_OK : last;
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    struct shell *shell = arg;
    struct status st;
    st = shell_connect(task, shell);
    if (failed(st)) {
        report_failure(st);
        goto out;
    }
    for (uint32_t i = 0; i < shell->execute.count; i++) {
        st = shell->execute.values[i][0] == '\\' ? shell_backslash(task, shell, shell->execute.values[i])
                                                 : shell_run(task, shell, shell->execute.values[i]);
        if (failed(st)) goto out;
    }
    if (shell->execute.count > 0) goto out;
    if (shell->interactive) {
        printf("# Isopod SQL shell. Server: %s (PostgreSQL %s).\n# Statements end with a semicolon; \\? lists the commands, \\q leaves.\n",
            shell->connect.hosts[0], pgclient_parameter(shell->client, "server_version"));
        load_completions(task, shell);
        edit_open(shell);
    }
    st = loop(task, shell);
    if (shell->interactive) edit_close(shell);
out:
    shell->st = st;
    pgclient_close(shell->client);
    shell->client = NULL;
    return STATUS_OK;
}

int command_sql(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code;
    arena_init(&arena, NULL);
    struct shell *shell = calloc(1, sizeof *shell);
    if (shell == NULL) return 1;
    arena_init(&shell->arena, NULL);
    arena_init(&shell->line_arena, NULL);
    buffer_init(&shell->pending, &shell->arena);
    struct flag table[CLIENT_FLAG_COUNT + 8];
    client_flags_init(&shell->flags, table);
    bool echo = false, read_only = false, no_edit = false;
    struct flag own[] = {
        {.name = "execute", .letter = 'e', .kind = FLAG_STRINGS, .value = &shell->execute, .argument = "sql", .help = "run these statements and leave; may be repeated"},
        {.name = "file", .letter = 'f', .kind = FLAG_STRING, .value = &shell->file, .argument = "file", .help = "run the statements of a file"},
        {.name = "format", .kind = FLAG_CHOICE, .value = &shell->format_name, .help = "form of results; table on a terminal, tsv otherwise", .choices = table_format_names},
        {.name = "echo-sql", .kind = FLAG_BOOL, .value = &echo, .help = "print statements before running them"},
        {.name = "read-only", .kind = FLAG_BOOL, .value = &read_only, .help = "refuse writes"},
        {.name = "no-line-editor", .kind = FLAG_BOOL, .value = &no_edit, .help = "plain input, without history and completion"},
        {.name = NULL},
    };
    memcpy(table + CLIENT_FLAG_COUNT, own, sizeof own);
    struct flags_command command = {.name = "isopod sql",
        .arguments = "[url]",
        .summary = "Opens a SQL shell, or runs statements and prints their results. Exit code 1 when a statement failed.",
        .flags = table,
        .arguments_max = 1};
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    shell->echo = echo;
    shell->read_only = read_only;
    if (shell->file != NULL && freopen(shell->file, "r", stdin) == NULL) {
        fprintf(stderr, "ERROR: cannot read %s: %s\n", shell->file, strerror(errno));
        exit_code = 1;
        goto out;
    }
    shell->interactive = shell->execute.count == 0 && isatty(0) && !no_edit;
    shell->stop_on_error = !shell->interactive;
    shell->format = isatty(1) ? TABLE_TABLE : TABLE_TSV;
    if (shell->format_name != NULL) table_format_parse(shell->format_name, &shell->format);
    struct status st = client_options(&shell->arena, &shell->flags,
        result.argument_count > 0 ? result.arguments[0] : NULL, &shell->connect);
    if (!failed(st)) {
        st = client_run(run, shell, 1);
        if (failed(st)) print_failure(st);
        if (!failed(st)) st = shell->st;
    } else {
        print_failure(st);
    }
    exit_code = failed(st) ? 1 : 0;
out:
    arena_fini(&shell->line_arena);
    arena_fini(&shell->arena);
    free(shell->line);
    free(shell);
    arena_fini(&arena);
    return exit_code;
}
