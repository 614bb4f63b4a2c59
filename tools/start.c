// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod start` and `isopod start-single-node`.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "tools/commands.h"
#include "tools/server.h"

static uint64_t machine_bytes(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

// ":26257" listens everywhere, "host" takes the default port; insecure servers default to localhost.
static const char *full_address(struct arena *arena, const char *given, const char *port, bool insecure)
{
    if (given[0] == ':') return arena_printf(arena, "%s%s", insecure ? "localhost" : "[::]", given);
    const char *after = given[0] == '[' ? strchr(given, ']') : given;
    if (after == NULL || strchr(after, ':') == NULL) return arena_printf(arena, "%s%s", given, port);
    return given;
}

// Becomes a child in the background; the parent waits until the child serves (or has failed). Returns the write end
// of the pipe in the child, -1 in the parent with *exit_code set.
static int into_background(int *exit_code)
{
    int ends[2];
    if (pipe(ends) != 0) {
        fprintf(stderr, "ERROR: cannot make a pipe: %s\n", strerror(errno));
        *exit_code = 1;
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    char byte;
    ssize_t size = child < 0 ? -1 : read(ends[0], &byte, 1);
    *exit_code = size == 1 ? 0 : 1;
    if (size != 1) fprintf(stderr, "ERROR: the server did not start; see the messages above and its log\n");
    close(ends[0]);
    return -1;
}

static void write_pid_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        fprintf(stderr, "WARNING: cannot write %s: %s\n", path, strerror(errno));
        return;
    }
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
}

// "a,b:26258" -> {"a:26257", "b:26258"}
static const char *const *join_list(struct arena *arena, const char *text)
{
    const char **list = ARENA_ARRAY(arena, const char *, strlen(text) + 2);
    uint32_t count = 0;
    char *copy = arena_strdup(arena, text), *rest = copy;
    for (char *one; (one = strsep(&rest, ",")) != NULL;) {
        while (*one == ' ')
            one++;
        if (*one != '\0') list[count++] = full_address(arena, one, ":26257", true);
    }
    return list;
}

static struct status check_locality(struct arena *arena, const char *text)
{
    char *rest = text == NULL ? NULL : arena_strdup(arena, text);
    for (char *one; rest != NULL && (one = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(one, '=');
        if (equals == NULL || equals == one || equals[1] == '\0' || strchr(equals + 1, '=') != NULL)
            return status_hint(arena,
                status_format(arena, E_INVALID_PARAMETER_VALUE, "--locality: \"%s\" is not key=value", one),
                "Write it from the large to the small, as in region=eu,zone=a.");
    }
    return STATUS_OK;
}

// The first line of the file, for who writes it before the node starts.
static struct status locality_read(struct arena *arena, const char *path, const char **locality)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (file == NULL) return status_from_errno(errno, arena_printf(arena, "--locality-file \"%s\"", path));
    size_t size = fread(line, 1, sizeof line, file);
    fclose(file);
    struct bytes text = text_trim(bytes_of(line, size));
    if (size == sizeof line || memchr(text.data, '\n', text.size) != NULL || memchr(text.data, 0, text.size) != NULL)
        return status_format(arena, E_INVALID_PARAMETER_VALUE, "--locality-file \"%s\" holds more than a locality", path);
    *locality = arena_string(arena, text);
    return STATUS_OK;
}

static int run_start(int argc, char **argv, bool single)
{
    struct arena arena;
    struct flags_result result;
    int exit_code;
    arena_init(&arena, NULL);
    struct server_options options = {.arena = &arena, .store = "isopod-data", .pin = true, .background_fd = -1};
    const char *listen_addr = ":26257", *sql_addr = NULL, *http_addr = ":8080", *pid_file = NULL, *join = NULL;
    const char *locality_file = NULL;
    options.max_offset_ns = 500000000;
    bool background = false, no_pin = false;
    uint64_t shards = 0;
    static const char *const profiles[] = {"default", "replication-source", "replication-target", "virtual+app",
        "virtual+noapp", "virtual+app+sharedservice+repl", "virtual+noapp+repl", NULL};
    options.cache_bytes = machine_bytes() / 4;
    options.sql_memory_bytes = machine_bytes() / 4;
    struct flag table[] = {
        {.name = "store", .letter = 's', .kind = FLAG_STRING, .value = &options.store, .argument = "dir", .help = "folder of the data"},
        {.name = "listen-addr", .kind = FLAG_STRING, .value = &listen_addr, .argument = "host:port", .help = "where to serve SQL and other nodes"},
        {.name = "sql-addr", .kind = FLAG_STRING, .value = &sql_addr, .argument = "host:port", .help = "serve SQL here, and other nodes alone at --listen-addr"},
        {.name = "advertise-addr", .kind = FLAG_STRING, .value = &options.advertise_addr, .argument = "host[:port]", .help = "what other nodes connect to, when not --listen-addr"},
        {.name = "advertise-sql-addr", .kind = FLAG_STRING, .value = &options.advertise_sql_addr, .argument = "host[:port]", .help = "what clients connect to, when not --sql-addr"},
        {.name = "advertise-http-addr", .kind = FLAG_STRING, .value = &options.advertise_http_addr, .argument = "host[:port]", .help = "what browsers connect to, when not --http-addr"},
        {.name = "http-addr", .kind = FLAG_STRING, .value = &http_addr, .argument = "host:port", .help = "where to serve HTTP"},
        {.name = "certs-dir", .kind = FLAG_STRING, .value = &options.certs_dir, .argument = "dir", .help = "folder with ca.crt, node.crt and node.key"},
        {.name = "insecure", .kind = FLAG_BOOL, .value = &options.insecure, .help = "no TLS and no passwords; on loopback only"},
        {.name = "cache", .kind = FLAG_SIZE, .value = &options.cache_bytes, .help = "memory for data: bytes, or a share of the machine's", .size_whole = machine_bytes()},
        {.name = "max-sql-memory", .kind = FLAG_SIZE, .value = &options.sql_memory_bytes, .help = "memory for running statements", .size_whole = machine_bytes()},
        {.name = "max-disk-temp-storage", .kind = FLAG_SIZE, .value = &options.temp_storage_bytes, .help = "disk for temporary files of statements; 32 GiB when not given", .size_whole = machine_bytes()},
        {.name = "shards", .kind = FLAG_U64, .value = &shards, .help = "shards (threads); 0: one a core", .max = 256},
        {.name = "no-pin", .kind = FLAG_BOOL, .value = &no_pin, .help = "do not pin shards to cores"},
        {.name = "config-profile", .kind = FLAG_CHOICE, .value = &options.profile, .help = "what a new cluster is set up with", .choices = profiles},
        {.name = "background", .kind = FLAG_BOOL, .value = &background, .help = "return once the server is ready"},
        {.name = "pid-file", .kind = FLAG_STRING, .value = &pid_file, .argument = "file", .help = "gets the process's number"},
        {.name = "listening-url-file", .kind = FLAG_STRING, .value = &options.listening_url_file, .argument = "file", .help = "gets the SQL URL once it serves"},
        {.name = "log-dir", .kind = FLAG_STRING, .value = &options.log_dir, .argument = "dir", .help = "folder of the logs; STORE/logs when not given"},
        {.name = "root-password", .kind = FLAG_STRING, .value = &options.root_password, .argument = "text", .help = "sets root's password when the cluster is new (better: ISOPOD_ROOT_PASSWORD)"},
        {.name = "join", .letter = 'j', .kind = FLAG_STRING, .value = &join, .argument = "host[:port],...", .help = "nodes of the cluster; a new cluster then is made by `isopod init`", .hidden = single},
        {.name = "locality", .kind = FLAG_STRING, .value = &options.locality, .argument = "key=value,...", .help = "where the node is, from the large to the small: region=eu,zone=a"},
        {.name = "locality-file", .kind = FLAG_STRING, .value = &locality_file, .argument = "file", .help = "holds what --locality would say"},
        {.name = "attrs", .kind = FLAG_STRING, .value = &options.attrs, .argument = "name:...", .help = "what the node is like: ssd:fast"},
        {.name = "max-offset", .kind = FLAG_DURATION, .value = &options.max_offset_ns, .help = "how far the nodes' clocks may be apart; the same on all nodes"},
        {.name = NULL},
    };
    struct flags_command command = {.name = single ? "isopod start-single-node" : "isopod start",
        .summary = "Starts a node: opens or creates the store, serves SQL and HTTP, and drains on SIGTERM.",
        .flags = table};
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    exit_code = EXIT_USAGE;
    options.single = single;
    if (single && join != NULL) {
        print_failure(status_make(E_INVALID_PARAMETER_VALUE, "start-single-node does not go with --join: use start"));
        goto out;
    }
    if (!single && join == NULL) {
        print_failure(status_hint(&arena, status_make(E_INVALID_PARAMETER_VALUE, "--join is needed"),
            "Give addresses of some nodes of the cluster (the same list on all of them), or use start-single-node."));
        goto out;
    }
    if (options.max_offset_ns < 10000000 || options.max_offset_ns > 60000000000) {
        print_failure(status_make(E_INVALID_PARAMETER_VALUE, "--max-offset is between 10ms and 1m"));
        goto out;
    }
    if (join != NULL) options.join = join_list(&arena, join);
    struct status checked = STATUS_OK;
    if (locality_file != NULL && options.locality != NULL)
        checked = status_make(E_INVALID_PARAMETER_VALUE, "--locality and --locality-file do not go together");
    else if (locality_file != NULL)
        checked = locality_read(&arena, locality_file, &options.locality);
    if (!failed(checked)) checked = check_locality(&arena, options.locality);
    if (failed(checked)) {
        print_failure(checked);
        goto out;
    }
    if (!options.insecure && options.certs_dir == NULL) {
        print_failure(status_hint(&arena, status_make(E_INVALID_PARAMETER_VALUE, "--certs-dir is needed"),
            "Make certificates with `isopod cert`, or start with --insecure to try things out on this machine."));
        goto out;
    }
    options.listen_addr = full_address(&arena, listen_addr, ":26257", options.insecure);
    if (sql_addr != NULL) options.sql_addr = full_address(&arena, sql_addr, ":26257", options.insecure);
    options.http_addr = full_address(&arena, http_addr, ":8080", options.insecure);
    options.shards = (uint32_t)shards;
    options.pin = !no_pin;
    if (background) {
        options.background_fd = into_background(&exit_code);
        if (options.background_fd < 0) goto out;
    }
    if (pid_file != NULL) write_pid_file(pid_file);
    struct status st = server_run(&options);
    if (failed(st)) print_failure(st);
    exit_code = failed(st) ? 1 : 0;
    if (pid_file != NULL) unlink(pid_file);
out:
    arena_fini(&arena);
    return exit_code;
}

int command_start(int argc, char **argv)
{
    return run_start(argc, argv, false);
}

int command_start_single_node(int argc, char **argv)
{
    return run_start(argc, argv, true);
}
