// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "core/tls.h"

// One authority of ours, one foreign, and files of certificates in a folder.
static struct arena arena;
static char dir[64];
static struct bytes ca_cert, ca_key, foreign_cert, foreign_key;

static const char *file_of(const char *name)
{
    return arena_printf(&arena, "%s/%s", dir, name);
}

static void file_write(const char *name, struct bytes content, mode_t mode)
{
    FILE *file = fopen(file_of(name), "w");
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    fclose(file);
    cr_assert_eq(chmod(file_of(name), mode), 0);
}

static void make(
    const char *name, struct cert_options options, struct bytes authority, struct bytes key)
{
    struct bytes cert, own_key;
    struct status st = cert_create(&arena, &options, authority, key, &cert, &own_key);
    cr_assert(!failed(st), "%s", st.message);
    file_write(arena_printf(&arena, "%s.crt", name), cert, 0644);
    file_write(arena_printf(&arena, "%s.key", name), own_key, 0600);
}

static void setup(void)
{
    arena_init(&arena, NULL);
    strcpy(dir, "/tmp/isopod-tls-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    struct cert_options authority = {.common_name = "Isopod CA", .is_ca = true};
    struct bytes none = {0};
    cr_assert(!failed(cert_create(&arena, &authority, none, none, &ca_cert, &ca_key)));
    cr_assert(!failed(cert_create(&arena, &authority, none, none, &foreign_cert, &foreign_key)));
    file_write("ca.crt", ca_cert, 0644);
    file_write("foreign.crt", foreign_cert, 0644);
    static const char *const hosts[] = {"localhost", "db.example.com", "127.0.0.1", "::1", NULL};
    static const char *const uris[] = {"isopod://tenant-name/app/user/alice", NULL};
    make("node",
        (struct cert_options){
            .common_name = "node", .hosts = hosts, .is_server = true, .is_client = true},
        ca_cert, ca_key);
    make("client.alice",
        (struct cert_options){.common_name = "alice", .uris = uris, .is_client = true}, ca_cert,
        ca_key);
    make("client.mallory", (struct cert_options){.common_name = "alice", .is_client = true},
        foreign_cert, foreign_key);
    make("expired",
        (struct cert_options){.common_name = "alice",
            .is_client = true,
            .start_s = (int64_t)time(NULL) - 7200,
            .lifetime_hours = 1},
        ca_cert, ca_key);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
    arena_fini(&arena);
}

TestSuite(tls, .init = setup, .fini = teardown);

static struct tls_context *server_context(void)
{
    struct tls_context *context;
    struct tls_server_options options = {
        file_of("node.crt"), file_of("node.key"), file_of("ca.crt")};
    struct status st = tls_context_create_server(&arena, &options, &context);
    cr_assert(!failed(st), "%s", st.message);
    return context;
}

static struct tls_context *client_context(const char *ca, const char *name, bool old)
{
    struct tls_context *context;
    struct tls_client_options options = {
        .verify = TLS_VERIFY_FULL, .ca_path = file_of(ca), .at_most_tls12 = old};
    if (name != NULL) {
        options.cert_path = file_of(arena_printf(&arena, "%s.crt", name));
        options.key_path = file_of(arena_printf(&arena, "%s.key", name));
    }
    struct status st = tls_context_create_client(&arena, &options, &context);
    cr_assert(!failed(st), "%s", st.message);
    return context;
}

struct pair {
    struct tls_session *client, *server;
    struct status client_status, server_status;
};

// Moves what one side has to say to the other, `step` bytes at a time.
static bool move(struct tls_session *from, struct tls_session *to, size_t step)
{
    bool any = false;
    for (struct bytes out; (out = tls_session_output(from)).size > 0; any = true) {
        if (out.size > step) out.size = step;
        cr_assert(!failed(tls_session_input(to, out)));
        tls_session_output_consume(from, out.size);
    }
    return any;
}

// Runs the handshake until both are done, or one failed and the other has heard of it.
static struct pair handshake(struct tls_context *client, const char *host, size_t step)
{
    struct pair pair = {0};
    struct tls_context *server = server_context();
    cr_assert(!failed(tls_session_create(client, host, &pair.client)));
    cr_assert(!failed(tls_session_create(server, NULL, &pair.server)));
    tls_context_release(server);
    tls_context_release(client);
    bool client_done = false, server_done = false;
    for (int round = 0; round < 20; round++) {
        if (!failed(pair.client_status))
            pair.client_status = tls_session_handshake(pair.client, &client_done);
        move(pair.client, pair.server, step);
        if (!failed(pair.server_status))
            pair.server_status = tls_session_handshake(pair.server, &server_done);
        move(pair.server, pair.client, step);
        if (client_done && server_done) break;
    }
    return pair;
}

static void pair_fini(struct pair *pair)
{
    tls_session_destroy(pair->client);
    tls_session_destroy(pair->server);
}

static void expect_echo(struct tls_session *from, struct tls_session *to, size_t size)
{
    uint8_t *sent = arena_alloc(&arena, size), *got = arena_alloc(&arena, size + 1);
    for (size_t i = 0; i < size; i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    cr_assert(!failed(tls_session_write(from, sent, size)));
    move(from, to, 4000);
    size_t read;
    bool ended;
    cr_assert(!failed(tls_session_read(to, got, size + 1, &read, &ended)));
    cr_assert_eq(read, size);
    cr_assert_not(ended);
    cr_assert_eq(memcmp(sent, got, size), 0);
}

Test(tls, both_versions_shake_hands_and_carry_bytes_both_ways)
{
    for (int old = 0; old < 2; old++) {
        for (size_t step = 1; step < 10000; step = step * 100) {
            struct pair pair =
                handshake(client_context("ca.crt", "client.alice", old), "localhost", step);
            cr_assert(!failed(pair.client_status), "%s", pair.client_status.message);
            cr_assert(!failed(pair.server_status), "%s", pair.server_status.message);
            cr_assert_str_eq(tls_session_version(pair.server), old ? "TLSv1.2" : "TLSv1.3");
            cr_assert_str_eq(tls_session_peer_name(pair.server), "alice");
            cr_assert_str_eq(
                tls_session_peer_uris(pair.server)[0], "isopod://tenant-name/app/user/alice");
            cr_assert_str_eq(tls_session_peer_name(pair.client), "node");
            expect_echo(pair.client, pair.server, 10);
            expect_echo(pair.server, pair.client, 200000);
            tls_session_close(pair.client);
            move(pair.client, pair.server, step);
            uint8_t byte;
            size_t read;
            bool ended;
            cr_assert(!failed(tls_session_read(pair.server, &byte, 1, &read, &ended)));
            cr_assert(ended && read == 0, "close_notify");
            pair_fini(&pair);
        }
    }
}

Test(tls, a_client_without_certificate_has_no_name)
{
    struct pair pair = handshake(client_context("ca.crt", NULL, false), "127.0.0.1", 1000);
    cr_assert(!failed(pair.server_status) && !failed(pair.client_status));
    cr_assert_null(tls_session_peer_name(pair.server));
    cr_assert_null(tls_session_peer_uris(pair.server));
    pair_fini(&pair);
}

Test(tls, certificates_that_do_not_verify_are_refused_with_28000)
{
    static const struct {
        const char *ca, *client, *host, *why;
        bool server_refuses;
    } rows[] = {
        {"foreign.crt", NULL, "localhost", "the server is of another authority", false},
        {"ca.crt", NULL, "other.example.com", "the server is not who was called", false},
        {"ca.crt", NULL, "127.0.0.2", "nor is this its address", false},
        {"ca.crt", "client.mallory", "localhost", "the client is of another authority", true},
        {"ca.crt", "expired", "localhost", "the client's certificate has expired", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int old = 0; old < 2; old++) {
            struct tls_context *client = client_context(rows[i].ca, rows[i].client, old);
            struct pair pair = handshake(client, rows[i].host, 100000);
            struct status st = rows[i].server_refuses ? pair.server_status : pair.client_status;
            cr_expect_eq(st.code, E_INVALID_AUTHORIZATION, "%s: %s", rows[i].why, st.message);
            cr_expect_null(tls_session_peer_name(pair.server));
            pair_fini(&pair);
        }
    }
}

Test(tls, a_tampered_record_is_an_error_not_data)
{
    struct pair pair = handshake(client_context("ca.crt", NULL, false), "localhost", 1000);
    cr_assert(!failed(tls_session_write(pair.client, "attack at dawn", 14)));
    struct bytes out = tls_session_output(pair.client);
    uint8_t *copy = arena_alloc(&arena, out.size);
    memcpy(copy, out.data, out.size);
    copy[out.size - 3] ^= 1;
    cr_assert(!failed(tls_session_input(pair.server, bytes_of(copy, out.size))));
    uint8_t text[20];
    size_t read;
    bool ended;
    struct status st = tls_session_read(pair.server, text, sizeof text, &read, &ended);
    cr_assert_eq(st.code, E_PROTOCOL_VIOLATION);
    cr_assert_eq(read, 0);
    pair_fini(&pair);
}

Test(tls, what_is_not_tls_is_refused)
{
    struct tls_context *context = server_context();
    struct tls_session *session;
    bool done;
    cr_assert(!failed(tls_session_create(context, NULL, &session)));
    cr_assert(!failed(tls_session_input(session, BYTES_LITERAL("GET / HTTP/1.1\r\n\r\n"))));
    cr_assert_eq(tls_session_handshake(session, &done).code, E_PROTOCOL_VIOLATION);
    cr_assert_not(done);
    tls_session_destroy(session);
    tls_context_release(context);
}

Test(tls, a_key_that_others_may_read_and_a_key_of_another_are_refused)
{
    struct tls_context *context;
    struct tls_server_options options = {file_of("node.crt"), file_of("node.key"), NULL};
    cr_assert_eq(chmod(file_of("node.key"), 0640), 0);
    struct status st = tls_context_create_server(&arena, &options, &context);
    cr_assert_eq(st.code, E_IO_ERROR);
    cr_assert_not_null(strstr(st.message, "too loose"));
    options.key_path = file_of("client.alice.key");
    cr_assert(failed(tls_context_create_server(&arena, &options, &context)), "not its key");
    options.key_path = file_of("absent.key");
    cr_assert_eq(tls_context_create_server(&arena, &options, &context).code, E_UNDEFINED_FILE);
    options.key_path = file_of("client.alice.key");
    options.cert_path = file_of("client.alice.key");
    cr_assert(failed(tls_context_create_server(&arena, &options, &context)), "no certificate");
}

Test(tls, certificates_say_what_they_were_made_for)
{
    struct bytes cert, key;
    struct cert_info info;
    static const char *const hosts[] = {"a.example.com,DNS:evil.com", "10.0.0.1", NULL};
    struct cert_options options = {.common_name = "node",
        .hosts = hosts,
        .is_server = true,
        .start_s = 1700000000,
        .lifetime_hours = 24,
        .key_bits = 2048};
    cr_assert(
        !failed(cert_create(&arena, &options, (struct bytes){0}, (struct bytes){0}, &cert, &key)));
    cr_assert(!failed(cert_inspect(&arena, cert, &info)));
    cr_assert_str_eq(info.common_name, "node");
    cr_assert_str_eq(info.issuer, "node");
    cr_assert_eq(info.not_before_s, 1700000000);
    cr_assert_eq(info.not_after_s, 1700000000 + 86400);
    cr_assert_str_eq(info.hosts[0], hosts[0], "a comma does not add a name");
    cr_assert_str_eq(info.hosts[1], "10.0.0.1");
    cr_assert_null(info.hosts[2]);
    cr_assert_not(info.is_ca);
    cr_assert(!failed(cert_key_check(cert, key)));
    cr_assert(failed(cert_key_check(cert, ca_key)));
    cr_assert(!failed(cert_inspect(&arena, ca_cert, &info)) && info.is_ca);
    cr_assert(failed(cert_inspect(&arena, BYTES_LITERAL("junk"), &info)));
    options.key_bits = 512;
    cr_assert(failed(cert_create(&arena, &options, ca_cert, ca_key, &cert, &key)));
    options = (struct cert_options){.common_name = "x"};
    cr_assert(failed(cert_create(&arena, &options, ca_cert, foreign_key, &cert, &key)));
}
