// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cert.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "core/invariant.h"

#define HOUR_S 3600
#define LIFETIME_HOURS_DEFAULT 87840u
#define PEM_BYTES_MAX (1u << 20)

// The library's last word on what went wrong, which is a static text.
static struct status library_failure(const char *otherwise)
{
    uint32_t error = ERR_peek_last_error();
    const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
    ERR_clear_error();
    return status_make(E_INTERNAL, reason == NULL ? otherwise : reason);
}
// For calls that return 1 on success, or a pointer compared with NULL.
#define TRY_LIBRARY(ok)                                                                            \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            st = library_failure("certificate library: " #ok);                                     \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

static struct status refused(const char *message)
{
    return status_make(E_INVALID_PARAMETER_VALUE, message);
}

// --- reading PEM ---------------------------------------------------------------------------------

// Never asks a terminal for a passphrase.
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

static struct status pem_certificate(struct bytes pem, X509 **certificate)
{
    struct status st = STATUS_OK;
    BIO *in = NULL;
    *certificate = NULL;
    if (pem.size == 0 || pem.size > PEM_BYTES_MAX)
        return status_make(E_INVALID_TEXT_REPRESENTATION, "no PEM certificate of a sensible size");
    TRY_LIBRARY((in = BIO_new_mem_buf(pem.data, (int)pem.size)) != NULL);
    *certificate = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
    if (*certificate == NULL) {
        ERR_clear_error();
        st = status_make(E_INVALID_TEXT_REPRESENTATION, "not a PEM certificate");
    }
out:
    BIO_free(in);
    return st;
}

static struct status pem_key(struct bytes pem, EVP_PKEY **key)
{
    struct status st = STATUS_OK;
    BIO *in = NULL;
    *key = NULL;
    if (pem.size == 0 || pem.size > PEM_BYTES_MAX)
        return status_make(E_INVALID_TEXT_REPRESENTATION, "no PEM key of a sensible size");
    TRY_LIBRARY((in = BIO_new_mem_buf(pem.data, (int)pem.size)) != NULL);
    *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
    if (*key == NULL) {
        ERR_clear_error();
        st = status_make(E_INVALID_TEXT_REPRESENTATION, "not a PEM private key without passphrase");
    }
out:
    BIO_free(in);
    return st;
}

static struct bytes bio_take(struct arena *arena, BIO *from)
{
    const uint8_t *data = NULL;
    size_t size = 0;
    invariant(BIO_mem_contents(from, &data, &size) == 1);
    struct bytes copy = bytes_of_string(arena_string(arena, bytes_of(data, size)));
    BIO_free(from);
    return copy;
}

// --- making --------------------------------------------------------------------------------------

static struct status key_make(uint32_t bits, EVP_PKEY **key)
{
    struct status st = STATUS_OK;
    EVP_PKEY_CTX *context = NULL;
    TRY_LIBRARY((context = EVP_PKEY_CTX_new_id(bits == 0 ? EVP_PKEY_EC : EVP_PKEY_RSA, NULL)));
    TRY_LIBRARY(EVP_PKEY_keygen_init(context));
    if (bits == 0) {
        TRY_LIBRARY(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1));
    } else {
        TRY_LIBRARY(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits));
    }
    TRY_LIBRARY(EVP_PKEY_keygen(context, key));
out:
    EVP_PKEY_CTX_free(context);
    return st;
}

static struct status serial_set(X509 *certificate)
{
    struct status st = STATUS_OK;
    uint8_t bytes[16];
    BIGNUM *number = NULL;
    RAND_bytes(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; // Positive, and always of the same length.
    TRY_LIBRARY((number = BN_bin2bn(bytes, sizeof bytes, NULL)));
    TRY_LIBRARY(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
out:
    BN_free(number);
    return st;
}

static struct status validity_set(X509 *certificate, const struct cert_options *options, X509 *ca)
{
    struct status st = STATUS_OK;
    int64_t start = options->start_s != 0 ? options->start_s : (int64_t)time(NULL) - HOUR_S;
    int64_t hours = options->lifetime_hours == 0 ? LIFETIME_HOURS_DEFAULT : options->lifetime_hours;
    TRY_LIBRARY(ASN1_TIME_set(X509_getm_notBefore(certificate), start));
    TRY_LIBRARY(ASN1_TIME_set(X509_getm_notAfter(certificate), start + hours * HOUR_S));
    if (ca != NULL) {
        int days = 0, seconds = 0;
        const ASN1_TIME *end = X509_get0_notAfter(ca);
        TRY_LIBRARY(ASN1_TIME_diff(&days, &seconds, X509_get0_notAfter(certificate), end));
        if (days < 0 || seconds < 0) TRY_LIBRARY(X509_set1_notAfter(certificate, end));
    }
out:
    return st;
}

static struct status extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    struct status st = STATUS_OK;
    X509V3_CTX context;
    X509_EXTENSION *extension = NULL;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    // The parameter is not const by age only; these values are our own constants.
    TRY_LIBRARY((extension = X509V3_EXT_nconf_nid(NULL, &context, nid, (char *)(uintptr_t)value)));
    TRY_LIBRARY(X509_add_ext(certificate, extension, -1));
out:
    X509_EXTENSION_free(extension);
    return st;
}

static struct status name_add(GENERAL_NAMES *names, int type, const void *data, size_t size)
{
    struct status st = STATUS_OK;
    GENERAL_NAME *name = NULL;
    ASN1_STRING *text = NULL;
    TRY_LIBRARY((name = GENERAL_NAME_new()));
    TRY_LIBRARY(
        (text = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING)));
    TRY_LIBRARY(ASN1_STRING_set(text, data, (int)size));
    GENERAL_NAME_set0_value(name, type, text);
    text = NULL;
    TRY_LIBRARY(sk_GENERAL_NAME_push(names, name));
    name = NULL;
out:
    ASN1_STRING_free(text);
    GENERAL_NAME_free(name);
    return st;
}

// Built name by name, not from one text: a comma in a host name must not add another name.
static struct status alternative_names_add(X509 *certificate, const struct cert_options *options)
{
    struct status st = STATUS_OK;
    GENERAL_NAMES *names = NULL;
    TRY_LIBRARY((names = GENERAL_NAMES_new()));
    for (uint32_t i = 0; options->hosts != NULL && options->hosts[i] != NULL; i++) {
        const char *host = options->hosts[i];
        uint8_t address[16];
        if (inet_pton(AF_INET, host, address) == 1) {
            TRY(name_add(names, GEN_IPADD, address, 4));
        } else if (inet_pton(AF_INET6, host, address) == 1) {
            TRY(name_add(names, GEN_IPADD, address, 16));
        } else {
            TRY(name_add(names, GEN_DNS, host, strlen(host)));
        }
    }
    for (uint32_t i = 0; options->uris != NULL && options->uris[i] != NULL; i++)
        TRY(name_add(names, GEN_URI, options->uris[i], strlen(options->uris[i])));
    if (sk_GENERAL_NAME_num(names) > 0)
        TRY_LIBRARY(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0));
out:
    GENERAL_NAMES_free(names);
    return st;
}

static struct status extensions_add(
    X509 *certificate, X509 *issuer, const struct cert_options *options)
{
    struct status st = STATUS_OK;
    const char *constraints = options->is_ca ? "critical,CA:TRUE,pathlen:1" : "critical,CA:FALSE";
    const char *usage = options->is_ca ? "critical,keyCertSign,cRLSign,digitalSignature"
                                       : "critical,digitalSignature,keyEncipherment";
    TRY(extension_add(certificate, issuer, NID_basic_constraints, constraints));
    TRY(extension_add(certificate, issuer, NID_key_usage, usage));
    TRY(extension_add(certificate, issuer, NID_subject_key_identifier, "hash"));
    TRY(extension_add(certificate, issuer, NID_authority_key_identifier, "keyid"));
    if (options->is_server || options->is_client) {
        const char *purposes = !options->is_client   ? "serverAuth"
                               : !options->is_server ? "clientAuth"
                                                     : "serverAuth,clientAuth";
        TRY(extension_add(certificate, issuer, NID_ext_key_usage, purposes));
    }
    TRY(alternative_names_add(certificate, options));
out:
    return st;
}

static struct status options_check(const struct cert_options *options)
{
    if (options->common_name == NULL || options->common_name[0] == 0)
        return refused("a certificate needs a name");
    if (strlen(options->common_name) > 64) // RFC 5280's ub-common-name.
        return refused("a certificate's name has at most 64 characters");
    if (options->key_bits != 0 && (options->key_bits < 2048 || options->key_bits > 8192))
        return refused("RSA keys have 2048 to 8192 bits");
    return STATUS_OK;
}

static struct status subject_set(X509 *certificate, const char *common_name)
{
    struct status st = STATUS_OK;
    X509_NAME *subject = X509_get_subject_name(certificate);
    const uint8_t *name = (const uint8_t *)common_name;
    TRY_LIBRARY(X509_NAME_add_entry_by_txt(
        subject, "O", MBSTRING_UTF8, (const uint8_t *)"Isopod", -1, -1, 0));
    TRY_LIBRARY(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0));
out:
    return st;
}

static struct status sign(X509 *certificate, EVP_PKEY *own_key, X509 *ca, EVP_PKEY *ca_key)
{
    struct status st = STATUS_OK;
    X509 *issuer = ca != NULL ? ca : certificate;
    TRY_LIBRARY(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
    TRY_LIBRARY(X509_sign(certificate, ca != NULL ? ca_key : own_key, EVP_sha256()));
out:
    return st;
}

static struct status pem_write(struct arena *arena, X509 *certificate, EVP_PKEY *key,
    struct bytes *cert_pem, struct bytes *key_pem)
{
    struct status st = STATUS_OK;
    BIO *cert_out = NULL, *key_out = NULL;
    TRY_LIBRARY((cert_out = BIO_new(BIO_s_mem())));
    TRY_LIBRARY((key_out = BIO_new(BIO_s_mem())));
    TRY_LIBRARY(PEM_write_bio_X509(cert_out, certificate));
    TRY_LIBRARY(PEM_write_bio_PKCS8PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL));
    *cert_pem = bio_take(arena, cert_out);
    *key_pem = bio_take(arena, key_out);
    cert_out = key_out = NULL;
out:
    BIO_free(cert_out);
    BIO_free(key_out);
    return st;
}

struct status cert_create(struct arena *arena, const struct cert_options *options,
    struct bytes ca_cert_pem, struct bytes ca_key_pem, struct bytes *cert_pem,
    struct bytes *key_pem)
{
    struct status st = STATUS_OK;
    X509 *certificate = NULL, *ca = NULL;
    EVP_PKEY *key = NULL, *ca_key = NULL;
    TRY(options_check(options));
    if (ca_cert_pem.size > 0) {
        TRY(pem_certificate(ca_cert_pem, &ca));
        TRY(pem_key(ca_key_pem, &ca_key));
        if (X509_check_private_key(ca, ca_key) != 1) {
            ERR_clear_error();
            st = refused("the authority's key does not belong to its certificate");
            goto out;
        }
    }
    TRY(key_make(options->key_bits, &key));
    TRY_LIBRARY((certificate = X509_new()));
    TRY_LIBRARY(X509_set_version(certificate, 2)); // Counted from 0: version 3.
    TRY(serial_set(certificate));
    TRY(validity_set(certificate, options, ca));
    TRY(subject_set(certificate, options->common_name));
    TRY_LIBRARY(X509_set_pubkey(certificate, key));
    TRY(extensions_add(certificate, ca != NULL ? ca : certificate, options));
    TRY(sign(certificate, key, ca, ca_key));
    TRY(pem_write(arena, certificate, key, cert_pem, key_pem));
out:
    X509_free(certificate);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return st;
}

// --- inspecting ----------------------------------------------------------------------------------

// The common name, NULL when there is none or it hides a NUL.
static const char *common_name_of(struct arena *arena, X509_NAME *name)
{
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index < 0) return NULL;
    uint8_t *text = NULL;
    ASN1_STRING *data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    int size = ASN1_STRING_to_UTF8(&text, data);
    const char *copy = NULL;
    if (size >= 0 && memchr(text, 0, (size_t)size) == NULL)
        copy = arena_string(arena, bytes_of(text, (size_t)size));
    OPENSSL_free(text);
    return copy;
}

static struct status seconds_of(const ASN1_TIME *time, int64_t *seconds)
{
    struct status st = STATUS_OK;
    int days, rest;
    ASN1_TIME *epoch = NULL;
    TRY_LIBRARY((epoch = ASN1_TIME_set(NULL, 0)));
    TRY_LIBRARY(ASN1_TIME_diff(&days, &rest, epoch, time));
    *seconds = (int64_t)days * 86400 + rest;
out:
    ASN1_TIME_free(epoch);
    return st;
}

static const char *general_name_text(struct arena *arena, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *value = name->d.ia5;
    const uint8_t *data = ASN1_STRING_get0_data(value);
    size_t size = (size_t)ASN1_STRING_length(value);
    if (name->type == GEN_IPADD) {
        if (size != 4 && size != 16) return NULL;
        return arena_strdup(
            arena, inet_ntop(size == 4 ? AF_INET : AF_INET6, data, text, sizeof text));
    }
    if (memchr(data, 0, size) != NULL) return NULL;
    return arena_string(arena, bytes_of(data, size));
}

// Those alternative names whose type is one of the two, as NULL-terminated texts.
static const char *const *alternative_names(
    struct arena *arena, X509 *certificate, int type, int other)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    const char **texts = ARENA_ARRAY(arena, const char *, count + 1);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != type && name->type != other) continue;
        const char *text = general_name_text(arena, name);
        if (text != NULL) texts[used++] = text;
    }
    GENERAL_NAMES_free(names);
    return texts;
}

struct status cert_inspect(struct arena *arena, struct bytes cert_pem, struct cert_info *info)
{
    struct status st = STATUS_OK;
    X509 *certificate = NULL;
    *info = (struct cert_info){0};
    TRY(pem_certificate(cert_pem, &certificate));
    info->common_name = common_name_of(arena, X509_get_subject_name(certificate));
    info->issuer = common_name_of(arena, X509_get_issuer_name(certificate));
    info->uris = alternative_names(arena, certificate, GEN_URI, GEN_URI);
    info->hosts = alternative_names(arena, certificate, GEN_DNS, GEN_IPADD);
    info->is_ca = X509_check_ca(certificate) != 0;
    TRY(seconds_of(X509_get0_notBefore(certificate), &info->not_before_s));
    TRY(seconds_of(X509_get0_notAfter(certificate), &info->not_after_s));
out:
    X509_free(certificate);
    return st;
}

struct status cert_key_check(struct bytes cert_pem, struct bytes key_pem)
{
    struct status st = STATUS_OK;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    TRY(pem_certificate(cert_pem, &certificate));
    TRY(pem_key(key_pem, &key));
    if (X509_check_private_key(certificate, key) != 1) {
        ERR_clear_error();
        st = refused("the key does not belong to the certificate");
    }
out:
    X509_free(certificate);
    EVP_PKEY_free(key);
    return st;
}
