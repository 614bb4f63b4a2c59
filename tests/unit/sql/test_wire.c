// SPDX-License-Identifier: GPL-3.0-or-later
//
// Protects: no byte of a message is read beyond its length; SCRAM lets in who knows the password and nobody else; COPY data
// means what PostgreSQL says it means; connection URLs.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sql/wire/auth.h"
#include "sql/wire/copy.h"
#include "sql/wire/pgclient.h"
#include "sql/wire/wire.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL);
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(wire, .init = setup, .fini = teardown);

Test(wire, reads_stop_at_the_end_of_the_message)
{
    const uint8_t body[] = {0, 1, 'a', 0, 7};
    struct wire_reader reader = wire_reader(bytes_of(body, sizeof body));
    cr_assert_eq(wire_read_u16(&reader), 1);
    cr_assert_str_eq(wire_read_string(&reader), "a");
    cr_assert_eq(wire_read_u8(&reader), 7);
    cr_assert(!failed(wire_reader_finish(&reader)));
    cr_assert_eq(wire_read_u32(&reader), 0);
    cr_assert(failed(wire_reader_finish(&reader)));
}

Test(wire, a_string_without_its_end_is_an_error)
{
    struct wire_reader reader = wire_reader(bytes_of("abc", 3));
    cr_assert_str_eq(wire_read_string(&reader), "");
    cr_assert_eq(wire_reader_finish(&reader).code, E_PROTOCOL_VIOLATION);
}

Test(wire, bytes_left_over_are_an_error)
{
    struct wire_reader reader = wire_reader(bytes_of("ab", 2));
    wire_read_u8(&reader);
    cr_assert_eq(wire_reader_finish(&reader).code, E_PROTOCOL_VIOLATION);
}

Test(wire, messages_carry_their_length)
{
    struct buffer out;
    buffer_init(&out, &arena);
    wire_command_complete(&out, "SELECT 1");
    const uint8_t expected[] = {'C', 0, 0, 0, 13, 'S', 'E', 'L', 'E', 'C', 'T', ' ', '1', 0};
    cr_assert_eq(out.size, sizeof expected);
    cr_assert_arr_eq(out.data, expected, sizeof expected);
}

Test(wire, errors_carry_all_their_fields)
{
    struct buffer out;
    buffer_init(&out, &arena);
    struct status st = status_format(&arena, E_UNIQUE_VIOLATION, "duplicate key");
    st = status_detail(&arena, st, "Key exists.");
    st = status_hint(&arena, st, "Do not.");
    st = status_position(&arena, st, 7);
    wire_report(&out, 'E', "ERROR", st);
    const char *fields[] = {"SERROR", "C23505", "Mduplicate key", "DKey exists.", "HDo not.", "P7"};
    for (unsigned i = 0; i < 6; i++) cr_assert(memmem(out.data, out.size, fields[i], strlen(fields[i]) + 1) != NULL, "%s", fields[i]);
}

// --- SCRAM ---------------------------------------------------------------------------------------------

static void fake_random(struct env *env, void *out, size_t size)
{
    (void)env;
    memset(out, 0x5a, size);
}

static struct status exchange(const char *verifier, const char *password)
{
    struct env env = {.random_bytes = fake_random};
    const uint8_t secret[32] = {1};
    struct scram_server server;
    struct scram_client client;
    struct bytes first, challenge, final, proof;
    struct status st;
    scram_server_init(&server, &arena, verifier, "u", secret);
    first = scram_client_first(&client, &arena, &env, password);
    TRY(scram_server_first(&server, &env, first, &challenge));
    TRY(scram_client_final(&client, challenge, &final));
    TRY(scram_server_final(&server, final, &proof));
    TRY(scram_client_verify(&client, proof));
out:
    return st;
}

Test(wire, scram_lets_in_who_knows_the_password)
{
    const uint8_t salt[16] = "0123456789abcde";
    const char *verifier = scram_verifier_make(&arena, "secret", salt);
    cr_assert(scram_verifier_valid(verifier));
    cr_assert(scram_verify_password(verifier, "secret"));
    cr_assert(!scram_verify_password(verifier, "Secret"));
    cr_assert(!failed(exchange(verifier, "secret")));
    cr_assert_eq(exchange(verifier, "guess").code, E_INVALID_PASSWORD);
}

Test(wire, scram_of_an_unknown_user_fails_like_a_wrong_password)
{
    cr_assert_eq(exchange(NULL, "secret").code, E_INVALID_PASSWORD);
}

Test(wire, scram_refuses_malformed_messages)
{
    struct env env = {.random_bytes = fake_random};
    const uint8_t secret[32] = {1};
    static const char *const bad[] = {"", "n", "n,", "n,,", "n,,n=u", "p=tls-unique,,n=,r=x", "n,a=x,n=,r=y", "x,,n=,r=y"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct scram_server server;
        struct bytes challenge;
        scram_server_init(&server, &arena, NULL, "u", secret);
        cr_assert(failed(scram_server_first(&server, &env, bytes_of_string(bad[i]), &challenge)), "%s", bad[i]);
    }
}

// --- COPY ----------------------------------------------------------------------------------------------

// The fields of the line that comes next; 0 when there is none.
static uint32_t next_row(struct copy_reader *reader, struct bytes *fields, struct status *st)
{
    struct bytes line;
    uint32_t count = 0;
    bool found;
    *st = copy_read_line(reader, &arena, &line, &found);
    if (!failed(*st) && found) *st = copy_split_line(reader->options, &arena, line, fields, 4, &count);
    return count;
}

static uint32_t read_row(const struct copy_options *options, const char *text, struct bytes *fields, struct status *st)
{
    struct copy_reader reader = {.options = options, .input = bytes_of_string(text), .ended = true};
    return next_row(&reader, fields, st);
}

static void assert_field(struct bytes field, const char *expected)
{
    if (expected == NULL)
        cr_assert(field.data == NULL);
    else
        cr_assert(bytes_equal(field, bytes_of_string(expected)), "%.*s", (int)field.size, (const char *)field.data);
}

Test(wire, copy_text_has_escapes_and_nulls)
{
    struct copy_options options = {.format = COPY_TEXT, .delimiter = '\t', .null_text = BYTES_LITERAL("\\N")};
    struct bytes fields[4];
    struct status st;
    cr_assert_eq(read_row(&options, "a\\tb\t\\N\t\t\\x41\\102\n", fields, &st), 4);
    assert_field(fields[0], "a\tb");
    assert_field(fields[1], NULL);
    assert_field(fields[2], "");
    assert_field(fields[3], "AB");
    // Of fields that no column takes it is told how many there are.
    cr_assert_eq(read_row(&options, "1\t2\t3\t4\t5\n", fields, &st), 5);
}

Test(wire, copy_csv_has_quotes_and_newlines)
{
    struct copy_options options = {.format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null_text = BYTES_LITERAL("")};
    struct bytes fields[4];
    struct status st;
    cr_assert_eq(read_row(&options, "\"a \"\"b\"\"\nc\",,\"\",d\n", fields, &st), 4);
    assert_field(fields[0], "a \"b\"\nc");
    assert_field(fields[1], NULL);
    assert_field(fields[2], "");
    assert_field(fields[3], "d");
    read_row(&options, "\"open", fields, &st);
    cr_assert_eq(st.code, E_BAD_COPY_FILE_FORMAT);
}

// A line's fields take what the line takes, however many they are: not each of them a line's room.
Test(wire, copy_csv_of_many_fields_takes_little_memory)
{
    enum { FIELDS = 1600 };
    struct copy_options options = {.format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null_text = BYTES_LITERAL("")};
    static struct bytes fields[FIELDS];
    struct memory_account account;
    struct arena scratch;
    struct buffer line;
    uint32_t count;
    bool found;
    buffer_init(&line, &arena);
    for (uint32_t i = 0; i < FIELDS; i++) buffer_printf(&line, "%s\"field %u\"", i > 0 ? "," : "", i);
    buffer_append_string(&line, "\n");
    memory_account_init(&account, NULL, "test", 0);
    arena_init(&scratch, &account);
    struct copy_reader reader = {.options = &options, .input = buffer_bytes(&line)};
    struct bytes whole;
    cr_assert(!failed(copy_read_line(&reader, &scratch, &whole, &found)) && found);
    cr_assert(!failed(copy_split_line(&options, &scratch, whole, fields, FIELDS, &count)));
    cr_assert(count == FIELDS);
    for (uint32_t i = 0; i < FIELDS; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "field %u", i);
        assert_field(fields[i], expected);
    }
    cr_assert_lt(account.peak_bytes, UINT64_C(200000));
    arena_fini(&scratch);
    memory_account_fini(&account);
}

Test(wire, copy_waits_for_the_rest_of_a_line)
{
    struct copy_options options = {.format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null_text = BYTES_LITERAL("")};
    struct copy_reader reader = {.options = &options, .input = BYTES_LITERAL("a,\"b\nc")};
    struct bytes line;
    bool found;
    cr_assert(!failed(copy_read_line(&reader, &arena, &line, &found)));
    cr_assert(!found);
    cr_assert_eq(reader.input.size, 6);
}

// A file's lines are found whatever ends them, and however it is cut into messages.
Test(wire, copy_takes_lines_of_each_end_in_pieces)
{
    static const struct {
        enum copy_format format;
        const char *text, *lines; // Lines with a bar behind each; "!": an error at last.
    } rows[] = {
        {COPY_TEXT, "a\nb\n", "a|b|"}, {COPY_TEXT, "a\rb\rc", "a|b|c|"}, {COPY_TEXT, "a\r\nb\r\n", "a|b|"},
        {COPY_TEXT, "a\nb\rc", "a|!"}, {COPY_TEXT, "a\rb\n", "a|!"}, {COPY_TEXT, "a\r\nb\n", "a|!"},
        {COPY_TEXT, "a\\\nb\nc\n", "a\\\nb|c|"}, {COPY_TEXT, "a\n\\.\nb\n", "a|"}, {COPY_TEXT, "a\\.\nb\n", "a|"},
        {COPY_TEXT, "a\n\\.b\n", "a|!"}, {COPY_TEXT, "a\r\n\\.\r\nb", "a|"}, {COPY_TEXT, "a\r\n\\.\nb", "a|!"},
        {COPY_TEXT, "a\\", "a\\|"}, {COPY_TEXT, "a\\\\.\n", "a\\\\.|"},
        {COPY_CSV, "\"a\nb\"\nc\n", "\"a\nb\"|c|"}, {COPY_CSV, "a\\.\n\\.\nb\n", "a\\.|"}, {COPY_CSV, "\\.b\nc", "\\.b|c|"},
        {COPY_CSV, "a\r\n\"\r\"\r\n", "a|\"\r\"|"}, {COPY_CSV, "a\nb\rc", "a|!"}, {COPY_CSV, "\"a\"\"\n\"", "\"a\"\"\n\"|"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct copy_options options = {.format = rows[i].format, .delimiter = ',', .quote = '"', .escape = '"', .null_text = BYTES_LITERAL("")};
        struct bytes whole = bytes_of_string(rows[i].text), line;
        for (size_t piece = 1; piece <= whole.size; piece++) {
            struct copy_reader reader = {.options = &options};
            struct buffer lines;
            struct status st = STATUS_OK;
            bool found = true;
            buffer_init(&lines, &arena);
            for (size_t at = 0; at < whole.size + piece && !failed(st) && !reader.finished; at += piece) {
                size_t from = at - reader.input.size, to = at + piece < whole.size ? at + piece : whole.size;
                if (at >= whole.size) from = whole.size - reader.input.size;
                reader.input = bytes_of(whole.data + from, to - from);
                reader.ended = at >= whole.size;
                while (!failed(st = copy_read_line(&reader, &arena, &line, &found)) && found)
                    buffer_printf(&lines, "%.*s|", (int)line.size, (const char *)line.data);
            }
            if (failed(st)) buffer_append_string(&lines, "!");
            cr_expect_str_eq(buffer_string(&lines), rows[i].lines, "%u in pieces of %zu: %s", i, piece, buffer_string(&lines));
        }
    }
}

Test(wire, copy_writes_what_it_reads)
{
    static const char *const values[] = {"plain", "tab\there", "back\\slash", "line\nfeed", "quote\"d", "", "\\N", "a,b"};
    struct copy_options all[] = {
        {.format = COPY_TEXT, .delimiter = '\t', .null_text = BYTES_LITERAL("\\N")},
        {.format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .null_text = BYTES_LITERAL("")}};
    for (unsigned f = 0; f < 2; f++) {
        for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
            struct buffer out;
            struct bytes fields[4];
            struct status st;
            buffer_init(&out, &arena);
            copy_write_field(&out, &all[f], bytes_of_string(values[i]), false, false);
            buffer_append_u8(&out, '\n');
            cr_assert_eq(read_row(&all[f], buffer_string(&out), fields, &st), 1);
            assert_field(fields[0], values[i]);
        }
    }
}

// --- URLs ----------------------------------------------------------------------------------------------

Test(wire, urls_have_all_parts)
{
    struct pgclient_options options = {.ssl = PGCLIENT_SSL_PREFER};
    struct status st = pgclient_url_parse(&arena,
        "postgresql://u%40x:p%3Aw@h1:1,[::1]:2,h3/db?sslmode=verify-full&sslrootcert=%2Fca.crt&options=-ccluster%3Dsystem", &options);
    cr_assert(!failed(st));
    cr_assert_str_eq(options.user, "u@x");
    cr_assert_str_eq(options.password, "p:w");
    cr_assert_eq(options.host_count, 3);
    cr_assert_str_eq(options.hosts[1], "::1");
    cr_assert_eq(options.ports[1], 2);
    cr_assert_eq(options.ports[2], 26257);
    cr_assert_str_eq(options.database, "db");
    cr_assert_eq(options.ssl, PGCLIENT_SSL_VERIFY_FULL);
    cr_assert_str_eq(options.options, "-ccluster=system");
}

Test(wire, malformed_urls_are_refused)
{
    static const char *const bad[] = {"", "http://h/", "postgresql://h:0/", "postgresql://h:x/", "postgresql://h:99999/",
        "postgresql://h/?sslmode=maybe", "postgresql://h/?color=red", "postgresql://h/?sslmode", "postgresql://h/a%zz", "postgresql://h/a%1"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pgclient_options options = {0};
        cr_assert_eq(pgclient_url_parse(&arena, bad[i], &options).code, E_INVALID_PARAMETER_VALUE, "%s", bad[i]);
    }
}
