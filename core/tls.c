// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/invariant.h"

#define FILE_BYTES_MAX (1u << 20)
#define INPUT_BYTES_MAX (4u << 20)
#define CERTIFICATES_MAX 64

// A context *is* the library's reference-counted SSL_CTX; its side and strictness ride on it as
// flags, so that nothing of ours is counted or freed.
enum context_flags { CONTEXT_SERVER = 1, CONTEXT_VERIFY_NAME = 2 };

// Bytes on their way; malloc'ed while there are any.
struct pipe {
    uint8_t *data;
    size_t start, end, capacity;
};

struct tls_session {
    SSL *ssl;
    struct pipe input, output; // Ciphertext.
    struct arena arena;        // What is known of the peer, after the handshake.
    const char *peer_name;
    const char *const *peer_uris;
    bool finished; // Handshake.
};

static SSL_CTX *native(struct tls_context *context)
{
    return (SSL_CTX *)(void *)context;
}

static uintptr_t context_flags(SSL_CTX *context)
{
    return (uintptr_t)SSL_CTX_get_app_data(context);
}

// --- pipes ---------------------------------------------------------------------------------------

static bool pipe_append(struct pipe *pipe, const void *data, size_t size)
{
    if (pipe->capacity - pipe->end < size) {
        size_t held = pipe->end - pipe->start;
        size_t capacity = pipe->capacity < 4096 ? 4096 : pipe->capacity;
        while (capacity - held < size)
            capacity *= 2;
        uint8_t *fresh = malloc(capacity);
        if (fresh == NULL) return false;
        if (held > 0) memcpy(fresh, pipe->data + pipe->start, held);
        free(pipe->data);
        *pipe = (struct pipe){fresh, 0, held, capacity};
    }
    memcpy(pipe->data + pipe->end, data, size);
    pipe->end += size;
    return true;
}

static void pipe_consume(struct pipe *pipe, size_t size)
{
    invariant(size <= pipe->end - pipe->start);
    pipe->start += size;
    if (pipe->start < pipe->end) return;
    free(pipe->data); // An idle connection holds none; malloc's own cache makes this cheap.
    *pipe = (struct pipe){0};
}

// The library's view of the pipes: a BIO that reads one and writes the other.
static int bio_read(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    struct pipe *input = &session->input;
    BIO_clear_retry_flags(bio);
    size_t held = input->end - input->start;
    if (size <= 0) return 0;
    if (held == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t taken = held < (size_t)size ? held : (size_t)size;
    memcpy(out, input->data + input->start, taken);
    pipe_consume(input, taken);
    return (int)taken;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0) return 0;
    return pipe_append(&session->output, data, (size_t)size) ? size : -1;
}

static long bio_control(BIO *bio, int command, long argument, void *pointer)
{
    (void)bio, (void)argument, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static void bio_method_make(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "isopod pipes");
    invariant(bio_method != NULL);
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

// --- contexts ------------------------------------------------------------------------------------

static struct status library_failure(struct arena *arena, const char *what)
{
    uint32_t error = ERR_peek_last_error();
    const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
    ERR_clear_error();
    return status_format(
        arena, E_IO_ERROR, "%s: %s", what, reason == NULL ? "the library failed" : reason);
}

static struct status file_read(
    struct arena *arena, const char *path, bool secret, struct bytes *out)
{
    struct status st = STATUS_OK;
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return status_from_errno_in(arena, errno, arena_printf(arena, "open %s", path));
    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        st = status_format(arena, E_IO_ERROR, "%s is not a file", path);
        goto out;
    }
    if (secret && (facts.st_mode & 077) != 0) {
        st = status_format(arena, E_IO_ERROR,
            "key file %s has permissions %04o, too loose: others may read it", path,
            facts.st_mode & 07777);
        st = status_hint(arena, st, "chmod 600 %s", path);
        goto out;
    }
    if (facts.st_size <= 0 || facts.st_size > FILE_BYTES_MAX) {
        st = status_format(arena, E_IO_ERROR, "%s is empty or larger than 1 MiB", path);
        goto out;
    }
    uint8_t *data = arena_alloc(arena, (size_t)facts.st_size);
    ssize_t size = pread(file, data, (size_t)facts.st_size, 0);
    if (size != facts.st_size) {
        st = status_format(arena, E_IO_ERROR, "%s could not be read whole", path);
        goto out;
    }
    *out = bytes_of(data, (size_t)size);
out:
    close(file);
    return st;
}

static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

// Takes each certificate of a PEM text; none at all is an error.
static struct status each_certificate(struct arena *arena, SSL_CTX *context, struct bytes pem,
    const char *what, int (*take)(SSL_CTX *context, X509 *certificate, uint32_t index))
{
    struct status st = STATUS_OK;
    BIO *in = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (in == NULL) return library_failure(arena, what);
    uint32_t count = 0;
    for (X509 *one; (one = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL; count++) {
        int taken = count < CERTIFICATES_MAX ? take(context, one, count) : 0;
        X509_free(one);
        if (!taken) {
            st = library_failure(arena, what);
            goto out;
        }
    }
    ERR_clear_error(); // The end of the text is one.
    if (count == 0) st = status_format(arena, E_IO_ERROR, "%s: no PEM certificate in it", what);
out:
    BIO_free(in);
    return st;
}

static int take_own(SSL_CTX *context, X509 *certificate, uint32_t index)
{
    return index == 0 ? SSL_CTX_use_certificate(context, certificate)
                      : SSL_CTX_add1_chain_cert(context, certificate);
}

static int take_authority(SSL_CTX *context, X509 *certificate, uint32_t index)
{
    (void)index;
    if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate)) return 0;
    return SSL_CTX_add_client_CA(context, certificate);
}

static struct status own_certificate_set(
    struct arena *arena, SSL_CTX *context, struct bytes cert_pem, struct bytes key_pem)
{
    struct status st = STATUS_OK;
    EVP_PKEY *key = NULL;
    BIO *in = NULL;
    TRY(each_certificate(arena, context, cert_pem, "certificate", take_own));
    in = BIO_new_mem_buf(key_pem.data, (int)key_pem.size);
    if (in != NULL) key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
    if (key == NULL || SSL_CTX_use_PrivateKey(context, key) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        st = library_failure(arena, "private key");
out:
    BIO_free(in);
    EVP_PKEY_free(key);
    return st;
}

static struct status context_new(struct arena *arena, uintptr_t flags, SSL_CTX **context)
{
    pthread_once(&bio_once, bio_method_make);
    *context = SSL_CTX_new(TLS_method());
    if (*context == NULL) return library_failure(arena, "TLS context");
    SSL_CTX_set_app_data(*context, (void *)flags);
    SSL_CTX_set_min_proto_version(*context, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(*context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(*context, (const uint8_t *)"isopod", 6);
    SSL_CTX_set_mode(*context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return STATUS_OK;
}

struct status tls_context_create_server(
    struct arena *arena, const struct tls_server_options *options, struct tls_context **context)
{
    struct status st = STATUS_OK;
    SSL_CTX *made = NULL;
    struct bytes cert, key, authorities;
    TRY(context_new(arena, CONTEXT_SERVER, &made));
    TRY(file_read(arena, options->cert_path, false, &cert));
    TRY(file_read(arena, options->key_path, true, &key));
    TRY(own_certificate_set(arena, made, cert, key));
    if (options->ca_path != NULL) {
        TRY(file_read(arena, options->ca_path, false, &authorities));
        TRY(each_certificate(arena, made, authorities, options->ca_path, take_authority));
        // Asked for, not demanded: a client without one gives a password.
        SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    }
    *context = (struct tls_context *)(void *)made;
    made = NULL;
out:
    SSL_CTX_free(made);
    return st;
}

// PEM given as text goes before a file.
static struct status pem_of(
    struct arena *arena, struct bytes text, const char *path, bool secret, struct bytes *pem)
{
    *pem = text;
    if (text.size > 0 || path == NULL) return STATUS_OK;
    return file_read(arena, path, secret, pem);
}

struct status tls_context_create_client(
    struct arena *arena, const struct tls_client_options *options, struct tls_context **context)
{
    struct status st = STATUS_OK;
    SSL_CTX *made = NULL;
    struct bytes cert, key, authorities;
    uintptr_t flags = options->verify == TLS_VERIFY_FULL ? CONTEXT_VERIFY_NAME : 0;
    TRY(context_new(arena, flags, &made));
    if (options->at_most_tls12) SSL_CTX_set_max_proto_version(made, TLS1_2_VERSION);
    TRY(pem_of(arena, options->ca_pem, options->ca_path, false, &authorities));
    if (authorities.size > 0)
        TRY(each_certificate(arena, made, authorities, "certificate authority", take_authority));
    if (options->verify != TLS_VERIFY_NONE) {
        if (authorities.size == 0) {
            st = status_make(E_INVALID_PARAMETER_VALUE,
                "verifying the server needs a certificate authority (sslrootcert)");
            goto out;
        }
        SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    }
    TRY(pem_of(arena, options->cert_pem, options->cert_path, false, &cert));
    TRY(pem_of(arena, options->key_pem, options->key_path, true, &key));
    if (cert.size > 0) TRY(own_certificate_set(arena, made, cert, key));
    *context = (struct tls_context *)(void *)made;
    made = NULL;
out:
    SSL_CTX_free(made);
    return st;
}

void tls_context_retain(struct tls_context *context)
{
    SSL_CTX_up_ref(native(context));
}

void tls_context_release(struct tls_context *context)
{
    if (context != NULL) SSL_CTX_free(native(context));
}

// --- sessions ------------------------------------------------------------------------------------

static bool is_address(const char *name)
{
    uint8_t out[16];
    return inet_pton(AF_INET, name, out) == 1 || inet_pton(AF_INET6, name, out) == 1;
}

static bool client_name_set(SSL *ssl, uintptr_t flags, const char *server_name)
{
    if (server_name == NULL) return (flags & CONTEXT_VERIFY_NAME) == 0;
    bool address = is_address(server_name);
    if (!address && SSL_set_tlsext_host_name(ssl, server_name) != 1) return false;
    if ((flags & CONTEXT_VERIFY_NAME) == 0) return true;
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    if (address) return X509_VERIFY_PARAM_set1_ip_asc(rules, server_name) == 1;
    return X509_VERIFY_PARAM_set1_host(rules, server_name, strlen(server_name)) == 1;
}

struct status tls_session_create(
    struct tls_context *context, const char *server_name, struct tls_session **session)
{
    uintptr_t flags = context_flags(native(context));
    struct tls_session *made = calloc(1, sizeof *made);
    if (made == NULL) return status_make(E_OUT_OF_MEMORY, "no memory for a TLS session");
    arena_init(&made->arena, NULL);
    made->ssl = SSL_new(native(context));
    BIO *bio = made->ssl == NULL ? NULL : BIO_new(bio_method);
    if (bio == NULL) {
        tls_session_destroy(made);
        return status_make(E_OUT_OF_MEMORY, "no memory for a TLS session");
    }
    BIO_set_data(bio, made);
    BIO_set_init(bio, 1);
    SSL_set_bio(made->ssl, bio, bio);
    SSL_set_shed_handshake_config(made->ssl, 1);
    if (flags & CONTEXT_SERVER) {
        SSL_set_accept_state(made->ssl);
    } else {
        SSL_set_connect_state(made->ssl);
        if (!client_name_set(made->ssl, flags, server_name)) {
            ERR_clear_error();
            tls_session_destroy(made);
            return status_make(E_INVALID_PARAMETER_VALUE, "not a host name that TLS can verify");
        }
    }
    *session = made;
    return STATUS_OK;
}

void tls_session_destroy(struct tls_session *session)
{
    if (session == NULL) return;
    SSL_free(session->ssl);
    free(session->input.data);
    free(session->output.data);
    arena_fini(&session->arena);
    free(session);
}

// What a failed call means; STATUS_OK when it only wants more input.
static struct status outcome(struct tls_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return STATUS_OK;
    uint32_t queued = ERR_peek_error();
    const char *reason = queued == 0 ? NULL : ERR_reason_error_string(queued);
    bool unverified = queued != 0 && ERR_GET_LIB(queued) == ERR_LIB_SSL &&
                      ERR_GET_REASON(queued) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    ERR_clear_error();
    if (unverified) {
        long verdict = SSL_get_verify_result(session->ssl);
        return status_make(E_INVALID_AUTHORIZATION, X509_verify_cert_error_string(verdict));
    }
    return status_make(E_PROTOCOL_VIOLATION, reason == NULL ? "TLS failed" : reason);
}

// Keeps what the rest of the server asks about the peer. Its chain has been verified, or this side
// verifies nobody and then nothing it says of itself is believed.
static struct status peer_learn(struct tls_session *session)
{
    struct status st = STATUS_OK;
    struct cert_info info;
    BIO *out = NULL;
    X509 *peer = SSL_get_peer_certificate(session->ssl);
    bool verified = SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE &&
                    SSL_get_verify_result(session->ssl) == X509_V_OK;
    if (peer == NULL || !verified) goto out;
    const uint8_t *pem = NULL;
    size_t size = 0;
    out = BIO_new(BIO_s_mem());
    if (out == NULL || !PEM_write_bio_X509(out, peer) || !BIO_mem_contents(out, &pem, &size)) {
        st = status_make(E_INTERNAL, "the peer's certificate could not be kept");
        goto out;
    }
    TRY(cert_inspect(&session->arena, bytes_of(pem, size), &info));
    session->peer_name = info.common_name;
    if (info.uris[0] != NULL) session->peer_uris = info.uris;
out:
    BIO_free(out);
    X509_free(peer);
    return st;
}

struct status tls_session_handshake(struct tls_session *session, bool *done)
{
    *done = session->finished;
    if (session->finished) return STATUS_OK;
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result != 1) return outcome(session, result);
    struct status st = peer_learn(session);
    if (failed(st)) return st;
    session->finished = true;
    *done = true;
    return STATUS_OK;
}

struct status tls_session_input(struct tls_session *session, struct bytes ciphertext)
{
    if (ciphertext.size == 0) return STATUS_OK;
    size_t held = session->input.end - session->input.start;
    if (ciphertext.size > INPUT_BYTES_MAX - held ||
        !pipe_append(&session->input, ciphertext.data, ciphertext.size))
        return status_make(E_OUT_OF_MEMORY, "too much TLS input is waiting");
    return STATUS_OK;
}

struct status tls_session_read(
    struct tls_session *session, void *out, size_t size, size_t *read, bool *ended)
{
    *read = 0;
    *ended = false;
    while (*read < size) {
        size_t left = size - *read;
        ERR_clear_error();
        int result = SSL_read(
            session->ssl, (uint8_t *)out + *read, left > INT32_MAX ? INT32_MAX : (int)left);
        if (result > 0) {
            *read += (size_t)result;
            continue;
        }
        if (SSL_get_error(session->ssl, result) == SSL_ERROR_ZERO_RETURN) {
            *ended = true;
            return STATUS_OK;
        }
        struct status st = outcome(session, result);
        // What came before the damage is the caller's; the next read reports it.
        return *read > 0 ? STATUS_OK : st;
    }
    return STATUS_OK;
}

struct status tls_session_write(struct tls_session *session, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ERR_clear_error();
        int result = SSL_write(session->ssl, at, size > INT32_MAX ? INT32_MAX : (int)size);
        if (result <= 0) {
            struct status st = outcome(session, result);
            // The output takes everything, so a write never has to wait for input.
            return failed(st) ? st : status_make(E_PROTOCOL_VIOLATION, "TLS write before its time");
        }
        at += result;
        size -= (size_t)result;
    }
    return STATUS_OK;
}

void tls_session_close(struct tls_session *session)
{
    if (!session->finished) return;
    ERR_clear_error();
    SSL_shutdown(session->ssl);
    ERR_clear_error();
}

struct bytes tls_session_output(struct tls_session *session)
{
    const struct pipe *output = &session->output;
    return bytes_of(output->data + output->start, output->end - output->start);
}

void tls_session_output_consume(struct tls_session *session, size_t size)
{
    pipe_consume(&session->output, size);
}

const char *tls_session_peer_name(const struct tls_session *session)
{
    return session->peer_name;
}

const char *const *tls_session_peer_uris(const struct tls_session *session)
{
    return session->peer_uris;
}

const char *tls_session_version(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}

const char *tls_session_cipher(const struct tls_session *session, int *bits)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(session->ssl);
    *bits = cipher == NULL ? 0 : SSL_CIPHER_get_bits(cipher, NULL);
    return cipher == NULL ? "" : SSL_CIPHER_standard_name(cipher);
}
