// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod init`, `isopod node ...` and `isopod debug recover`: asks a node of the cluster over RPC, with root's or a node's certificate.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rpc.h"
#include "core/text.h"
#include "core/tls.h"
#include "kv/cluster_admin.h"
#include "kv/loss.h"
#include "tools/client.h"
#include "tools/commands.h"
#include "tools/table.h"

#define POLL_NS 200000000u
#define IDS_MAX 256u

struct node_flags {
    const char *host, *certs_dir, *format;
    uint64_t port;
    bool insecure;
};

struct node_call {
    struct arena *arena;
    struct node_flags flags;
    const char *address;
    struct status (*run)(struct task *task, struct node_call *call);
    struct status st; // In `arena`.
    // ls, status
    bool status, stats, ranges, decommission, all;
    // decommission, recommission, drain
    uint32_t ids[IDS_MAX];
    uint32_t id_count;
    bool self, no_wait, dry_run, shutdown, unchecked;
    uint64_t plan; // debug recover --apply
    int64_t drain_wait_ns;
};

// --- talking to the cluster ----------------------------------------------------------------------------

static struct status load_tls(struct node_call *call, struct tls_context **tls)
{
    struct arena *arena = call->arena;
    const char *dir = call->flags.certs_dir;
    const char *name = "client.root";
    if (access(arena_printf(arena, "%s/client.root.crt", dir), R_OK) != 0) name = "node";
    struct tls_client_options options = {.verify = TLS_VERIFY_CA,
        .ca_path = arena_printf(arena, "%s/ca.crt", dir),
        .cert_path = arena_printf(arena, "%s/%s.crt", dir, name),
        .key_path = arena_printf(arena, "%s/%s.key", dir, name)};
    return tls_context_create_client(arena, &options, tls);
}

static struct status on_node(struct task *task, void *arg)
{
    struct node_call *call = arg;
    struct rpc_options options = {0};
    struct status st = STATUS_OK;
    cluster_register();
    if (!call->flags.insecure) TRY(load_tls(call, &options.tls_client));
    TRY(rpc_start(task, &options));
    TRY(call->run(task, call));
out:
    // An internal condition is told as what it means to whoever asked.
    if (status_is(st, K_UNREACHABLE)) st.code = E_CONNECTION_FAILURE;
    call->st = status_copy(call->arena, st);
    return STATUS_OK;
}

static int node_run_call(struct node_call *call)
{
    struct status st = STATUS_OK;
    if (!call->flags.insecure && call->flags.certs_dir == NULL) {
        st = status_hint(call->arena, status_make(E_INVALID_PARAMETER_VALUE, "--certs-dir is needed"),
            "Give the folder with ca.crt and client.root.crt, or --insecure.");
        print_failure(st);
        return EXIT_USAGE;
    }
    const char *host = call->flags.host == NULL ? "localhost" : call->flags.host;
    const char *after = host[0] == '[' ? strchr(host, ']') : host;
    bool has_port = after != NULL && strchr(after, ':') != NULL;
    call->address = has_port ? host : arena_printf(call->arena, "%s:%u", host, (unsigned)call->flags.port);
    st = client_run(on_node, call, 1);
    if (!failed(st)) st = call->st;
    if (failed(st)) print_failure(st);
    return failed(st) ? 1 : 0;
}

static bool parse(struct arena *arena, struct node_call *call, const char *name, const char *summary,
    const struct flag *more, uint32_t more_count, unsigned arguments_max, int argc, char **argv,
    struct flags_result *result, int *exit_code)
{
    struct flag *table = ARENA_ARRAY(arena, struct flag, 8 + more_count);
    struct flag common[] = {
        {.name = "host", .kind = FLAG_STRING, .value = &call->flags.host, .argument = "host[:port]", .help = "a node of the cluster"},
        {.name = "port", .letter = 'p', .kind = FLAG_U64, .value = &call->flags.port, .help = "its port", .min = 1, .max = 65535},
        {.name = "certs-dir", .kind = FLAG_STRING, .value = &call->flags.certs_dir, .argument = "dir", .help = "folder with ca.crt and client.root.crt"},
        {.name = "insecure", .kind = FLAG_BOOL, .value = &call->flags.insecure, .help = "no TLS"},
        {.name = "format", .kind = FLAG_CHOICE, .value = &call->flags.format, .help = "form of the result", .choices = table_format_names},
    };
    call->arena = arena;
    call->flags.port = 26257;
    call->flags.format = "table";
    memcpy(table, common, sizeof common);
    if (more_count > 0) memcpy(table + 5, more, more_count * sizeof *more);
    struct flags_command command = {.name = name,
        .summary = summary,
        .arguments = arguments_max > 0 ? "[id...]" : NULL,
        .arguments_max = arguments_max,
        .flags = table};
    if (!parse_command(arena, &command, argc, argv, result, exit_code)) return false;
    for (unsigned i = 0; i < result->argument_count; i++) {
        uint64_t id;
        if (!text_parse_u64(bytes_of_string(result->arguments[i]), &id) || id == 0 || id >= CLUSTER_NODES_MAX) {
            fprintf(stderr, "ERROR: \"%s\" is no node id\n", result->arguments[i]);
            *exit_code = EXIT_USAGE;
            return false;
        }
        call->ids[call->id_count++] = (uint32_t)id;
    }
    return true;
}

// --- rows ------------------------------------------------------------------------------------------------

#define COLUMNS_MAX 32u

struct rows {
    struct arena *arena;
    struct pgclient_column *columns;
    struct bytes *values; // COLUMNS_MAX a row.
    uint32_t column_count, row_count;
};

static void rows_begin(struct rows *rows, struct arena *arena, uint32_t count)
{
    *rows = (struct rows){.arena = arena};
    rows->columns = ARENA_ARRAY(arena, struct pgclient_column, COLUMNS_MAX);
    rows->values = ARENA_ARRAY(arena, struct bytes, COLUMNS_MAX * (count + 1));
}

static void cell(struct rows *rows, uint32_t row, uint32_t *column, const char *name, const char *value)
{
    rows->columns[*column].name = name;
    rows->values[row * COLUMNS_MAX + *column] = bytes_of_string(value);
    rows->column_count = ++*column;
    if (rows->row_count <= row) rows->row_count = row + 1;
}

static const char *number(struct arena *arena, uint64_t value)
{
    return arena_printf(arena, "%llu", (unsigned long long)value);
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static const char *time_text(struct arena *arena, int64_t wall_ns)
{
    struct buffer text;
    buffer_init(&text, arena);
    text_format_time(&text, wall_ns);
    return buffer_string(&text);
}

static const char *const memberships[] = {[CLUSTER_ACTIVE] = "active",
    [CLUSTER_DECOMMISSIONING] = "decommissioning",
    [CLUSTER_DECOMMISSIONED] = "decommissioned"};

static void rows_print(struct node_call *call, struct rows *rows)
{
    enum table_format format;
    struct buffer out;
    uint32_t columns = rows->column_count;
    struct pgclient_result result = {
        .column_count = columns, .columns = rows->columns, .row_count = rows->row_count};
    result.values = ARENA_ARRAY(call->arena, struct bytes, columns * rows->row_count + 1);
    for (uint32_t row = 0; row < rows->row_count; row++)
        for (uint32_t i = 0; i < columns; i++)
            result.values[row * columns + i] = rows->values[row * COLUMNS_MAX + i];
    buffer_init(&out, call->arena);
    if (!table_format_parse(call->flags.format, &format)) format = TABLE_TABLE;
    table_write(&out, format, &result);
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
}

static bool asked_for(const struct node_call *call, uint32_t id)
{
    for (uint32_t i = 0; i < call->id_count; i++)
        if (call->ids[i] == id) return true;
    return call->id_count == 0;
}

static struct status unknown_node(struct node_call *call, const struct cluster_admin_node *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < call->id_count; i++) {
        uint32_t n = 0;
        while (n < count && nodes[n].node.id != call->ids[i])
            n++;
        if (n == count)
            return status_format(call->arena, E_UNDEFINED_OBJECT, "node %u does not exist", call->ids[i]);
    }
    return STATUS_OK;
}

static void status_row(struct node_call *call, struct rows *rows, uint32_t row, const struct cluster_admin_node *admin)
{
    struct arena *arena = call->arena;
    const struct cluster_node *node = &admin->node;
    uint32_t at = 0;
    cell(rows, row, &at, "id", number(arena, node->id));
    if (!call->status) return;
    cell(rows, row, &at, "address", node->address);
    cell(rows, row, &at, "sql_address", node->sql_address);
    cell(rows, row, &at, "build", arena_printf(arena, "v%s", node->version));
    cell(rows, row, &at, "started_at", time_text(arena, node->started_at_ns));
    cell(rows, row, &at, "updated_at", time_text(arena, node->heartbeat_at_ns));
    cell(rows, row, &at, "locality", node->locality);
    cell(rows, row, &at, "attrs", node->attrs);
    cell(rows, row, &at, "is_available", truth(node->alive && !node->draining));
    cell(rows, row, &at, "is_live", truth(node->alive));
    if (call->ranges || call->all) {
        cell(rows, row, &at, "replicas_leaders", number(arena, admin->leaders));
        cell(rows, row, &at, "replicas", number(arena, admin->replicas));
        cell(rows, row, &at, "ranges", number(arena, node->ranges));
    }
    if (call->stats || call->all) {
        cell(rows, row, &at, "data_bytes", number(arena, node->data_bytes));
        cell(rows, row, &at, "disk_bytes", number(arena, node->disk_bytes));
        cell(rows, row, &at, "disk_free_bytes", number(arena, node->disk_free_bytes));
    }
    if (call->decommission || call->all) {
        cell(rows, row, &at, "gossiped_replicas", number(arena, admin->replicas));
        cell(rows, row, &at, "is_decommissioning", truth(node->membership != CLUSTER_ACTIVE));
        cell(rows, row, &at, "membership", memberships[node->membership]);
        cell(rows, row, &at, "is_draining", truth(node->draining));
    }
}

static struct status run_status(struct task *task, struct node_call *call)
{
    struct cluster_admin_node *nodes;
    uint32_t count, self, row = 0;
    struct rows rows;
    struct status st;
    TRY(cluster_admin_nodes(task, call->address, call->arena, &nodes, &count, &self));
    TRY(unknown_node(call, nodes, count));
    rows_begin(&rows, call->arena, count);
    for (uint32_t i = 0; i < count; i++) {
        // Who is gone for good is shown when asked for.
        bool gone = nodes[i].node.membership == CLUSTER_DECOMMISSIONED;
        if (!asked_for(call, nodes[i].node.id) || (gone && call->id_count == 0 && !call->decommission)) continue;
        status_row(call, &rows, row++, &nodes[i]);
    }
    rows_print(call, &rows);
out:
    return st;
}

// --- decommissioning ---------------------------------------------------------------------------------------

static struct status decommission_show(struct task *task, struct node_call *call, uint32_t *replicas, bool print)
{
    struct cluster_admin_node *nodes;
    uint32_t count, self, row = 0;
    struct rows rows;
    struct status st;
    *replicas = 0;
    TRY(cluster_admin_nodes(task, call->address, call->arena, &nodes, &count, &self));
    TRY(unknown_node(call, nodes, count));
    rows_begin(&rows, call->arena, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = &nodes[i].node;
        uint32_t at = 0;
        if (!asked_for(call, node->id)) continue;
        *replicas += nodes[i].replicas;
        cell(&rows, row, &at, "id", number(call->arena, node->id));
        cell(&rows, row, &at, "is_live", truth(node->alive));
        cell(&rows, row, &at, "replicas", number(call->arena, nodes[i].replicas));
        cell(&rows, row, &at, "is_decommissioning", truth(node->membership != CLUSTER_ACTIVE));
        cell(&rows, row, &at, "membership", memberships[node->membership]);
        cell(&rows, row, &at, "is_draining", truth(node->draining));
        row++;
    }
    if (print) rows_print(call, &rows);
out:
    return st;
}

static struct status take_self(struct task *task, struct node_call *call)
{
    struct cluster_admin_node *nodes;
    uint32_t count, self;
    struct status st = STATUS_OK;
    if (!call->self) return STATUS_OK;
    TRY(cluster_admin_nodes(task, call->address, call->arena, &nodes, &count, &self));
    call->ids[call->id_count++] = self;
out:
    return st;
}

static struct status membership_all(struct task *task, struct node_call *call, enum cluster_membership membership)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < call->id_count; i++)
        TRY(cluster_admin_membership(task, call->address, call->ids[i], membership, !call->unchecked));
out:
    return st;
}

static struct status run_decommission(struct task *task, struct node_call *call)
{
    struct status st;
    uint32_t replicas, before = UINT32_MAX;
    TRY(take_self(task, call));
    TRY(decommission_show(task, call, &replicas, call->dry_run));
    if (call->dry_run) goto out;
    TRY(membership_all(task, call, CLUSTER_DECOMMISSIONING));
    for (;;) {
        TRY(decommission_show(task, call, &replicas, false));
        if (replicas != before) TRY(decommission_show(task, call, &replicas, true));
        before = replicas;
        if (replicas == 0 || call->no_wait) break;
        TRY(task_sleep(task, POLL_NS));
    }
    if (replicas > 0) goto out;
    TRY(membership_all(task, call, CLUSTER_DECOMMISSIONED));
    TRY(decommission_show(task, call, &replicas, true));
    printf("\nNo more data reported on target nodes. Please verify cluster health before removing the nodes.\n");
out:
    return st;
}

static struct status run_recommission(struct task *task, struct node_call *call)
{
    struct status st;
    uint32_t replicas;
    TRY(take_self(task, call));
    TRY(membership_all(task, call, CLUSTER_ACTIVE));
    TRY(decommission_show(task, call, &replicas, true));
out:
    return st;
}

static struct status run_drain(struct task *task, struct node_call *call)
{
    struct status st = STATUS_OK;
    uint64_t remaining, before = UINT64_MAX;
    uint32_t node = call->id_count > 0 ? call->ids[0] : 0;
    uint64_t deadline = task_now_ns(task) + (uint64_t)call->drain_wait_ns;
    for (;;) {
        st = cluster_admin_drain(task, call->address, node, call->shutdown, &remaining);
        // It has ended while it was asked.
        if (status_is(st, K_UNREACHABLE) && call->shutdown && before != UINT64_MAX) {
            st = STATUS_OK;
            remaining = 0;
        }
        TRY(st);
        if (remaining != before) printf("node is draining... remaining: %llu\n", (unsigned long long)remaining);
        fflush(stdout);
        before = remaining;
        if (remaining == 0) break;
        if (task_now_ns(task) >= deadline) {
            st = status_make(E_QUERY_CANCELED, "the node did not drain in the time given by --drain-wait");
            goto out;
        }
        TRY(task_sleep(task, POLL_NS));
    }
    printf("drain ok\n");
out:
    return st;
}

// --- commands ----------------------------------------------------------------------------------------------

static struct status run_init(struct task *task, struct node_call *call)
{
    uint8_t id[16];
    struct status st = cluster_admin_init(task, call->address, id);
    if (!failed(st)) printf("Cluster successfully initialized\n");
    return st;
}

int command_init(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code;
    arena_init(&arena, NULL);
    struct node_call *call = ARENA_NEW(&arena, struct node_call);
    call->run = run_init;
    if (parse(&arena, call, "isopod init", "Makes a cluster of the waiting node; the others then join it.", NULL, 0, 0,
            argc, argv, &result, &exit_code))
        exit_code = node_run_call(call);
    arena_fini(&arena);
    return exit_code;
}

// --- debug recover -------------------------------------------------------------------------------------------

static void loss_print(struct node_call *call, const struct loss_plan *plan)
{
    static const char *const kinds[] = {[LOSS_GONE] = "no copy is left: LOST",
        [LOSS_ERASE] = "erase this older copy",
        [LOSS_ALONE] = "go on with this copy alone"};
    struct arena *arena = call->arena;
    struct rows rows;
    rows_begin(&rows, arena, plan->count);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct loss_step *step = &plan->steps[i];
        bool copy = step->node != 0;
        uint32_t at = 0;
        cell(&rows, i, &at, "slice", number(arena, step->slice));
        cell(&rows, i, &at, "copies_left", arena_printf(arena, "%u of %u", step->survivors, step->voters));
        cell(&rows, i, &at, "node", copy ? number(arena, step->node) : "-");
        cell(&rows, i, &at, "what", kinds[step->kind]);
        cell(&rows, i, &at, "ranges", copy ? number(arena, step->ranges) : "-");
        cell(&rows, i, &at, "newest_entry", copy ? number(arena, step->index) : "-");
        cell(&rows, i, &at, "whole_up_to",
            step->closed_ns == 0 ? "-" : time_text(arena, (int64_t)step->closed_ns));
        if (call->plan != 0) cell(&rows, i, &at, "done", truth(step->done));
    }
    rows_print(call, &rows);
}

static struct status run_recover(struct task *task, struct node_call *call)
{
    struct loss_plan plan;
    struct status st;
    if (call->plan != 0)
        fprintf(stderr, "WARNING: data is being given up. The nodes named are out of the cluster for good.\n");
    TRY(loss_ask(task, call->address, call->ids, call->id_count, call->plan, call->arena, &plan));
    uint32_t todo = 0, gone = 0;
    for (uint32_t i = 0; i < plan.count; i++) {
        gone += plan.steps[i].kind == LOSS_GONE;
        todo += plan.steps[i].kind != LOSS_GONE;
    }
    if (plan.count > 0) loss_print(call, &plan);
    if (gone > 0)
        printf("\nOf %u slices no copy is left. What they held cannot be brought back from this cluster.\n", gone);
    if (call->plan != 0) {
        printf("\nDone. The nodes that were lost are decommissioned: never start them with their stores again.\n"
               "The newest commits may be missing, and others may be there by half: check constraints and indexes.\n");
    } else if (todo == 0) {
        printf("\nNo slice has lost its majority without losing all: there is nothing to do here.\n"
               "Remove the nodes with `isopod node decommission`.\n");
    } else {
        printf("\nNothing was changed. THIS PLAN LOSES DATA: whatever only the lost nodes had, the newest commits above all,\n"
               "transactions by half among them. Do not carry it out while there is hope for one of the nodes.\n"
               "To carry it out:\n\n    isopod debug recover --apply=%llu",
            (unsigned long long)plan.number);
        for (uint32_t i = 0; i < call->id_count; i++)
            printf(" %u", call->ids[i]);
        printf("\n");
    }
out:
    return st;
}

static int debug_usage(FILE *out, int code)
{
    fprintf(out, "Usage:\n  isopod debug COMMAND [flags]\n\nCommands:\n"
                 "  recover id...      go on without nodes that are lost for good, LOSING what only they had\n");
    return code;
}

int command_debug(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code = EXIT_USAGE;
    if (argc < 1) return debug_usage(stderr, EXIT_USAGE);
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) return debug_usage(stdout, 0);
    if (strcmp(argv[0], "recover") != 0) {
        fprintf(stderr, "ERROR: unknown command \"debug %s\"\n", argv[0]);
        return debug_usage(stderr, EXIT_USAGE);
    }
    arena_init(&arena, NULL);
    struct node_call *call = ARENA_NEW(&arena, struct node_call);
    call->run = run_recover;
    struct flag apply = {.name = "apply", .kind = FLAG_U64, .value = &call->plan, .argument = "number",
        .help = "carry out the plan of this number; without it the plan is only shown", .min = 1, .max = INT64_MAX};
    if (parse(&arena, call, "isopod debug recover",
            "Goes on without nodes that are lost for good. LOSES what only they had. Shows the plan first.", &apply, 1,
            IDS_MAX - 1, argc - 1, argv + 1, &result, &exit_code)) {
        if (call->id_count == 0)
            fprintf(stderr, "ERROR: give the ids of the nodes that are lost\n");
        exit_code = call->id_count == 0 ? EXIT_USAGE : node_run_call(call);
    }
    arena_fini(&arena);
    return exit_code;
}

static int usage(FILE *out, int code)
{
    fprintf(out, "Usage:\n  isopod node COMMAND [flags]\n\nCommands:\n"
                 "  ls                 list the ids of the nodes\n"
                 "  status [id]        show the nodes and how they are\n"
                 "  decommission id... move all data off the nodes, for good\n"
                 "  recommission id... take back a decommission that has not finished\n"
                 "  drain [id]         end a node's sessions and hand its leaderships over, before it is stopped\n");
    return code;
}

static int ids_needed(const struct node_call *call)
{
    if (call->id_count > 0 || call->self) return 0;
    fprintf(stderr, "ERROR: give the id of a node, or --self\n");
    return EXIT_USAGE;
}

int command_node(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code = EXIT_USAGE;
    const char *wait = "all", *checks = "enabled";
    static const char *const waits[] = {"all", "none", NULL};
    static const char *const check_kinds[] = {"enabled", "strict", "skip", NULL};
    if (argc < 1) return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) return usage(stdout, 0);
    arena_init(&arena, NULL);
    struct node_call *call = ARENA_NEW(&arena, struct node_call);
    const char *name = argv[0];
    argc--;
    argv++;
    struct flag self = {.name = "self", .kind = FLAG_BOOL, .value = &call->self, .help = "the node at --host"};
    bool parsed = false;
    if (strcmp(name, "ls") == 0) {
        call->run = run_status;
        parsed = parse(&arena, call, "isopod node ls", "Lists the ids of the nodes.", NULL, 0, 0, argc, argv, &result, &exit_code);
    } else if (strcmp(name, "status") == 0) {
        call->run = run_status;
        call->status = true;
        struct flag more[] = {
            {.name = "ranges", .kind = FLAG_BOOL, .value = &call->ranges, .help = "also replicas and ranges"},
            {.name = "stats", .kind = FLAG_BOOL, .value = &call->stats, .help = "also sizes"},
            {.name = "decommission", .kind = FLAG_BOOL, .value = &call->decommission, .help = "also membership"},
            {.name = "all", .kind = FLAG_BOOL, .value = &call->all, .help = "all of these"},
        };
        parsed = parse(&arena, call, "isopod node status", "Shows the nodes and how they are.", more, 4, 1, argc, argv, &result, &exit_code);
    } else if (strcmp(name, "decommission") == 0) {
        call->run = run_decommission;
        struct flag more[] = {self,
            {.name = "wait", .kind = FLAG_CHOICE, .value = &wait, .help = "until the data is gone (all), or not (none)", .choices = waits},
            {.name = "checks", .kind = FLAG_CHOICE, .value = &checks, .help = "whether the nodes that stay must have room for as many copies (skip: not)", .choices = check_kinds},
            {.name = "dry-run", .kind = FLAG_BOOL, .value = &call->dry_run, .help = "only show what the nodes hold"},
        };
        parsed = parse(&arena, call, "isopod node decommission", "Moves all data off nodes that are to leave for good.", more, 4, IDS_MAX - 1, argc, argv, &result, &exit_code);
        call->no_wait = strcmp(wait, "none") == 0;
        call->unchecked = strcmp(checks, "skip") == 0;
        if (parsed && (exit_code = ids_needed(call)) != 0) parsed = false;
    } else if (strcmp(name, "recommission") == 0) {
        call->run = run_recommission;
        parsed = parse(&arena, call, "isopod node recommission", "Takes back a decommission that has not finished.", &self, 1, IDS_MAX - 1, argc, argv, &result, &exit_code);
        if (parsed && (exit_code = ids_needed(call)) != 0) parsed = false;
    } else if (strcmp(name, "drain") == 0) {
        call->run = run_drain;
        call->drain_wait_ns = 600000000000;
        struct flag more[] = {self,
            {.name = "drain-wait", .kind = FLAG_DURATION, .value = &call->drain_wait_ns, .help = "how long it may take"},
            {.name = "shutdown", .kind = FLAG_BOOL, .value = &call->shutdown, .help = "end the node when it is drained"},
        };
        parsed = parse(&arena, call, "isopod node drain", "Ends a node's sessions and hands its leaderships over.", more, 3, 1, argc, argv, &result, &exit_code);
    } else {
        fprintf(stderr, "ERROR: unknown command \"node %s\"\n", name);
        usage(stderr, EXIT_USAGE);
    }
    if (parsed) exit_code = node_run_call(call);
    arena_fini(&arena);
    return exit_code;
}
