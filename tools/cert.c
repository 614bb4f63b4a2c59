// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod cert`: certificates of a cluster's own authority, for nodes and users.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"
#include "core/tls.h"
#include "tools/commands.h"

#define PEM_BYTES_MAX (1u << 20)

struct cert_flags {
    const char *certs_dir, *ca_key;
    int64_t lifetime_ns;
    uint64_t key_size;
    bool overwrite, reuse_ca_key;
    const char *tenant_scope, *tenant_name_scope;
};

static struct status write_file(
    struct arena *arena, const char *path, struct bytes content, unsigned mode, bool overwrite)
{
    int fd = open(path, O_WRONLY | O_CREAT | (overwrite ? O_TRUNC : O_EXCL) | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return status_hint(arena, status_format(arena, E_DUPLICATE_FILE, "%s exists already", path),
            "Use --overwrite to replace it.");
    if (fd < 0) return status_format(arena, E_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
    ssize_t written = write(fd, content.data, content.size);
    bool good = written == (ssize_t)content.size && fsync(fd) == 0;
    close(fd);
    return good ? STATUS_OK : status_format(arena, E_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
}

static struct status read_file(struct arena *arena, const char *path, struct bytes *content)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return status_format(arena, E_UNDEFINED_FILE, "cannot read %s: %s", path, strerror(errno));
    uint8_t *data = arena_alloc(arena, PEM_BYTES_MAX);
    ssize_t size = read(fd, data, PEM_BYTES_MAX);
    close(fd);
    if (size < 0) return status_format(arena, E_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
    *content = bytes_of(data, (size_t)size);
    return STATUS_OK;
}

static struct status make_dir(struct arena *arena, const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return STATUS_OK;
    return status_format(arena, E_IO_ERROR, "cannot make %s: %s", path, strerror(errno));
}

static const char *ca_key_path(struct arena *arena, const struct cert_flags *flags)
{
    return flags->ca_key != NULL ? flags->ca_key : arena_printf(arena, "%s/ca.key", flags->certs_dir);
}

static uint32_t lifetime_hours(const struct cert_flags *flags)
{
    return (uint32_t)(flags->lifetime_ns / 3600000000000ll);
}

static struct status create_ca(struct arena *arena, const struct cert_flags *flags)
{
    struct status st;
    struct bytes cert, key, old_key = {0};
    const char *key_path = ca_key_path(arena, flags);
    TRY(make_dir(arena, flags->certs_dir));
    if (flags->reuse_ca_key) TRY(read_file(arena, key_path, &old_key));
    struct cert_options options = {.common_name = "Isopod CA",
        .lifetime_hours = lifetime_hours(flags),
        .key_bits = (uint32_t)flags->key_size,
        .is_ca = true};
    if (old_key.size > 0)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "--allow-ca-key-reuse is not supported: make a new authority"));
    TRY(cert_create(arena, &options, (struct bytes){0}, (struct bytes){0}, &cert, &key));
    TRY(write_file(arena, key_path, key, 0600, flags->overwrite));
    TRY(write_file(arena, arena_printf(arena, "%s/ca.crt", flags->certs_dir), cert, 0644, flags->overwrite));
    printf("Certificate authority: %s/ca.crt, its key: %s\nKeep the key away from the servers.\n",
        flags->certs_dir, key_path);
out:
    return st;
}

// A certificate signed by the authority, with its key, as NAME.crt and NAME.key.
static struct status create_signed(struct arena *arena, const struct cert_flags *flags,
    const struct cert_options *options, const char *name)
{
    struct status st;
    struct bytes ca_cert, ca_key, cert, key;
    TRY(read_file(arena, arena_printf(arena, "%s/ca.crt", flags->certs_dir), &ca_cert));
    TRY(read_file(arena, ca_key_path(arena, flags), &ca_key));
    TRY(cert_create(arena, options, ca_cert, ca_key, &cert, &key));
    TRY(write_file(arena, arena_printf(arena, "%s/%s.key", flags->certs_dir, name), key, 0600, flags->overwrite));
    TRY(write_file(arena, arena_printf(arena, "%s/%s.crt", flags->certs_dir, name), cert, 0644, flags->overwrite));
    printf("Certificate: %s/%s.crt, its key: %s/%s.key\n", flags->certs_dir, name, flags->certs_dir, name);
out:
    return st;
}

static struct status create_node(
    struct arena *arena, const struct cert_flags *flags, const struct flags_result *arguments)
{
    struct cert_options options = {.common_name = "node",
        .hosts = arguments->arguments,
        .lifetime_hours = lifetime_hours(flags),
        .key_bits = (uint32_t)flags->key_size,
        .is_server = true,
        .is_client = true};
    return create_signed(arena, flags, &options, "node");
}

// "a,b" as URI names of the form prefix/a/user/USER.
static uint32_t scopes(struct arena *arena, const char *list, const char *prefix, const char *user,
    const char **out, uint32_t count, uint32_t max)
{
    if (list == NULL) return count;
    char *copy = arena_strdup(arena, list);
    for (char *save = NULL, *item = strtok_r(copy, ",", &save); item != NULL && count < max;
         item = strtok_r(NULL, ",", &save))
        out[count++] = arena_printf(arena, "%s/%s/user/%s", prefix, item, user);
    return count;
}

static struct status create_client(
    struct arena *arena, const struct cert_flags *flags, const struct flags_result *arguments)
{
    const char *user = arguments->arguments[0];
    const char *uris[33] = {0};
    uint32_t count = scopes(arena, flags->tenant_scope, "isopod://tenant", user, uris, 0, 32);
    count = scopes(arena, flags->tenant_name_scope, "isopod://tenant-name", user, uris, count, 32);
    for (const char *at = user; *at != '\0'; at++)
        if (*at == '/' || (unsigned char)*at < 33)
            return status_format(arena, E_INVALID_PARAMETER_VALUE, "\"%s\" is not a user name", user);
    struct cert_options options = {.common_name = user,
        .uris = count > 0 ? uris : NULL,
        .lifetime_hours = lifetime_hours(flags),
        .key_bits = (uint32_t)flags->key_size,
        .is_client = true};
    return create_signed(arena, flags, &options, arena_printf(arena, "client.%s", user));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct status list(struct arena *arena, const struct cert_flags *flags)
{
    struct status st = STATUS_OK;
    char *names[256];
    uint32_t count = 0;
    DIR *dir = opendir(flags->certs_dir);
    if (dir == NULL)
        return status_format(arena, E_UNDEFINED_FILE, "cannot read %s: %s", flags->certs_dir, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 256;) {
        size_t size = strlen(entry->d_name);
        if (size > 4 && strcmp(entry->d_name + size - 4, ".crt") == 0)
            names[count++] = arena_strdup(arena, entry->d_name);
    }
    closedir(dir);
    qsort(names, count, sizeof names[0], by_name);
    printf("%-8s  %-24s  %-24s  %-10s  %s\n", "usage", "certificate file", "key file", "expires", "notes");
    for (uint32_t i = 0; i < count; i++) {
        struct bytes pem;
        struct cert_info info;
        TRY(read_file(arena, arena_printf(arena, "%s/%s", flags->certs_dir, names[i]), &pem));
        const char *usage = strncmp(names[i], "ca", 2) == 0 ? "CA" : strncmp(names[i], "node", 4) == 0 ? "Node" : "Client";
        const char *key = arena_printf(arena, "%.*s.key", (int)strlen(names[i]) - 4, names[i]);
        if (failed(cert_inspect(arena, pem, &info))) {
            printf("%-8s  %-24s  %-24s  %-10s  %s\n", usage, names[i], "", "", "not a certificate");
            continue;
        }
        char expires[16];
        time_t at = info.not_after_s;
        struct tm when;
        gmtime_r(&at, &when);
        strftime(expires, sizeof expires, "%Y-%m-%d", &when);
        bool has_key = access(arena_printf(arena, "%s/%s", flags->certs_dir, key), F_OK) == 0;
        printf("%-8s  %-24s  %-24s  %-10s  %s%s\n", usage, names[i], has_key ? key : "", expires,
            strcmp(usage, "Client") == 0 ? "user: " : "", strcmp(usage, "Client") == 0 ? info.common_name : "");
    }
out:
    return st;
}

int command_cert(int argc, char **argv)
{
    static const char *const names[] = {"create-ca", "create-node", "create-client", "list", NULL};
    struct arena arena;
    struct flags_result result;
    int exit_code = EXIT_USAGE;
    arena_init(&arena, NULL);
    struct cert_flags flags = {
        .certs_dir = "certs", .lifetime_ns = 87840ll * 3600 * 1000000000, .key_size = 0};
    struct flag table[] = {
        {.name = "certs-dir", .kind = FLAG_STRING, .value = &flags.certs_dir, .argument = "dir", .help = "folder of the certificates"},
        {.name = "ca-key", .kind = FLAG_STRING, .value = &flags.ca_key, .argument = "file", .help = "the authority's key; ca.key in the folder when not given"},
        {.name = "lifetime", .kind = FLAG_DURATION, .value = &flags.lifetime_ns, .help = "how long the certificate is valid"},
        {.name = "key-size", .kind = FLAG_U64, .value = &flags.key_size, .help = "bits of an RSA key; 0: ECDSA P-256", .min = 0, .max = 8192},
        {.name = "overwrite", .kind = FLAG_BOOL, .value = &flags.overwrite, .help = "replace existing files"},
        {.name = "allow-ca-key-reuse", .kind = FLAG_BOOL, .value = &flags.reuse_ca_key, .help = "make a new certificate for the existing authority's key"},
        {.name = "tenant-scope", .kind = FLAG_STRING, .value = &flags.tenant_scope, .argument = "ids", .help = "create-client: virtual clusters, by id, that the certificate is good for"},
        {.name = "tenant-name-scope", .kind = FLAG_STRING, .value = &flags.tenant_name_scope, .argument = "names", .help = "create-client: the same by name"},
        {.name = NULL},
    };
    struct flags_command command = {.name = "isopod cert",
        .arguments = "create-ca | create-node HOST... | create-client USER | list",
        .summary = "Makes certificates for a cluster: first an authority, then one for each node (with all names it is "
                   "reached by) and one for each user who logs in without a password.",
        .flags = table,
        .arguments_min = 0,
        .arguments_max = 32};
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    exit_code = EXIT_USAGE;
    const char *what = result.argument_count > 0 ? result.arguments[0] : "";
    struct status st;
    result.arguments++;
    if (strcmp(what, "create-ca") == 0 && result.argument_count == 1) {
        st = create_ca(&arena, &flags);
    } else if (strcmp(what, "create-node") == 0 && result.argument_count > 1) {
        st = create_node(&arena, &flags, &result);
    } else if (strcmp(what, "create-client") == 0 && result.argument_count == 2) {
        st = create_client(&arena, &flags, &result);
    } else if (strcmp(what, "list") == 0 && result.argument_count == 1) {
        st = list(&arena, &flags);
    } else {
        const char *near = text_nearest(what, names);
        fprintf(stderr, "ERROR: isopod cert: expected create-ca, create-node HOST..., create-client USER or list\n");
        if (near != NULL && strcmp(near, what) != 0) fprintf(stderr, "HINT: did you mean \"%s\"?\n", near);
        goto out;
    }
    if (failed(st)) print_failure(st);
    exit_code = failed(st) ? 1 : 0;
out:
    arena_fini(&arena);
    return exit_code;
}
