// SPDX-License-Identifier: GPL-3.0-or-later
//
// Virtual clusters: CREATE, ALTER, DROP, SHOW VIRTUAL CLUSTER. TENANT says the same everywhere.
// Source: reference/virtual-clusters.md section 2, reference/physical-cluster-replication.md
//         section 4.
#include "sql/parse/parse_internal.h"

bool own_take_tenant_word(struct own *own, bool plural)
{
    return plural ? own_take(own, "virtual clusters") || own_take(own, "tenants")
                  : own_take(own, "virtual cluster") || own_take(own, "tenant");
}

// A name, a string, $n, (expression), or [expression] for an id.
struct tenant_spec own_tenant(struct own *own, const char *const *stops)
{
    struct tenant_spec spec = {.position = own->token.position};
    if (own_take_char(own, '[')) {
        spec.kind = TENANT_BY_ID;
        spec.expr = own_expr(own, NULL);
        own_expect_char(own, ']');
    } else if (own->token.kind == LEX_WORD || own->token.kind == LEX_QUOTED) {
        spec.expr = own_string_expr(own, own_identifier(own), spec.position);
    } else {
        spec.expr = own_expr(own, stops);
    }
    return spec;
}

// WITH opt [, ...] | WITH OPTIONS (opt [, ...])
static struct option_list with_options(struct own *own)
{
    if (!own_take(own, "with")) return (struct option_list){0};
    bool parenthesized = own_take(own, "options") && own_is_char(own, '(');
    if (parenthesized) own_expect_char(own, '(');
    struct option_list list = own_options(own);
    if (parenthesized) own_expect_char(own, ')');
    return list;
}

// EXTERNAL CONNECTION ["if not exists"] name [AS 'uri'], EXTERNAL CONNECTIONS, EXTERNAL CONNECTION {'uri' | name}
void own_external_connection(struct own *own, enum statement_tag tag)
{
    static const char *const stops[] = {NULL};
    struct external_connection *connection =
        OWN_NEW(own, external_connection, struct external_connection);
    own->out->tag = tag;
    own_expect(own, "external");
    bool shown = tag == STATEMENT_SHOW_EXTERNAL_CONNECTIONS || tag == STATEMENT_SHOW_CREATE_EXTERNAL_CONNECTION;
    if (shown && own_take(own, "connections")) return;
    own_expect(own, "connection");
    if (tag == STATEMENT_CHECK_EXTERNAL_CONNECTION) {
        connection->uri = own_setting_value(own, stops);
        return;
    }
    bool create = tag == STATEMENT_CREATE_EXTERNAL_CONNECTION;
    connection->if_not_exists = create && own_take(own, "if not exists");
    connection->name = own_identifier(own);
    if (!create) return;
    own_expect(own, "as");
    connection->uri = own_setting_value(own, stops);
}

bool own_create_tenant(struct own *own)
{
    static const char *const like_stops[] = {"like", "from", NULL};
    static const char *const from_stops[] = {"from", NULL};
    static const char *const on_stops[] = {"on", NULL};
    static const char *const with_stops[] = {"with", NULL};
    struct create_virtual_cluster *create =
        OWN_NEW(own, create_virtual_cluster, struct create_virtual_cluster);
    own->out->tag = STATEMENT_CREATE_VIRTUAL_CLUSTER;
    create->if_not_exists = own_take(own, "if not exists");
    create->tenant = own_tenant(own, like_stops);
    if (own_take(own, "like")) {
        create->has_like = true;
        create->like = own_tenant(own, from_stops);
    }
    if (own_take(own, "from replication of")) {
        create->replication = true;
        create->source = own_tenant(own, on_stops);
        own_expect(own, "on");
        create->source_uri = own_setting_value(own, with_stops);
        create->options = with_options(own);
    }
    return true;
}

static const char *setting_name(struct own *own)
{
    const char *name = own_identifier(own);
    while (own_take_char(own, '.'))
        name = arena_printf(own->arena, "%s.%s", name, own_identifier(own));
    return name;
}

static void capabilities(struct own *own, struct alter_virtual_cluster *alter, bool grant)
{
    alter->kind = grant ? ALTER_TENANT_GRANT_CAPABILITY : ALTER_TENANT_REVOKE_CAPABILITY;
    if (own_take(own, "all capabilities")) {
        alter->all_capabilities = true;
        return;
    }
    if (!own_take(own, "capability")) own_expect(own, "capabilities");
    alter->options = own_options(own);
    for (uint32_t i = 0; i < alter->options.count && !grant; i++) {
        if (alter->options.items[i].value == NULL) continue;
        struct status st = status_format(own->arena, E_SYNTAX_ERROR,
            "no value allowed in revoke: \"%s\"", alter->options.items[i].name);
        parse_fail(own->parse,
            parse_error_at(own->arena, st, own->parse->text, alter->options.items[i].position));
    }
}

static void complete_replication(struct own *own, struct alter_virtual_cluster *alter)
{
    alter->kind = ALTER_TENANT_COMPLETE_REPLICATION;
    own_expect(own, "to");
    if (own_take(own, "latest")) {
        alter->latest = true;
    } else {
        own_expect(own, "system time");
        alter->time = own_expr(own, NULL);
    }
}

static void start(struct own *own, struct alter_virtual_cluster *alter)
{
    static const char *const on_stops[] = {"on", NULL};
    static const char *const with_stops[] = {"with", NULL};
    if (own_take(own, "service")) {
        alter->kind = ALTER_TENANT_START_SERVICE;
        if (own_take(own, "external")) {
            alter->service = SERVICE_EXTERNAL;
        } else {
            own_expect(own, "shared");
        }
        return;
    }
    own_expect(own, "replication of");
    alter->kind = ALTER_TENANT_START_REPLICATION;
    alter->source = own_tenant(own, on_stops);
    own_expect(own, "on");
    alter->source_uri = own_setting_value(own, with_stops);
    alter->options = with_options(own);
}

static void set(struct own *own, struct alter_virtual_cluster *alter)
{
    if (own_take(own, "cluster setting")) {
        alter->kind = ALTER_TENANT_SET_SETTING;
        alter->setting = setting_name(own);
        if (!own_take_char(own, '=')) own_expect(own, "to");
        if (!own_take(own, "default")) alter->value = own_setting_value(own, NULL);
        return;
    }
    own_expect(own, "replication");
    alter->kind = ALTER_TENANT_SET_REPLICATION;
    alter->options = own_options(own);
}

static void reset(struct own *own, struct alter_virtual_cluster *alter)
{
    if (own_take(own, "cluster setting")) {
        alter->kind = ALTER_TENANT_RESET_SETTING;
        alter->setting = setting_name(own);
        return;
    }
    own_expect(own, "data to system time");
    alter->kind = ALTER_TENANT_RESET_DATA;
    alter->time = own_expr(own, NULL);
}

bool own_alter_tenant(struct own *own)
{
    static const char *const stops[] = {"rename", "start", "stop", "set", "reset", "grant",
        "revoke", "pause", "resume", "complete", NULL};
    struct alter_virtual_cluster *alter =
        OWN_NEW(own, alter_virtual_cluster, struct alter_virtual_cluster);
    own->out->tag = STATEMENT_ALTER_VIRTUAL_CLUSTER;
    bool all = own->token.kind == LEX_WORD && own_is(own, "all");
    if (all) {
        alter->tenant = (struct tenant_spec){TENANT_ALL, NULL, own->token.position};
        own_advance(own);
    } else {
        alter->tenant = own_tenant(own, stops);
    }
    if (all && !own_is(own, "set cluster setting") && !own_is(own, "reset cluster setting")) {
        own_fail(own);
    } else if (own_take(own, "rename to")) {
        alter->kind = ALTER_TENANT_RENAME;
        alter->new_name = own_tenant(own, NULL);
    } else if (own_take(own, "start")) {
        start(own, alter);
    } else if (own_take(own, "stop service")) {
        alter->kind = ALTER_TENANT_STOP_SERVICE;
    } else if (own_take(own, "pause replication")) {
        alter->kind = ALTER_TENANT_PAUSE_REPLICATION;
    } else if (own_take(own, "resume replication")) {
        alter->kind = ALTER_TENANT_RESUME_REPLICATION;
    } else if (own_take(own, "complete replication")) {
        complete_replication(own, alter);
    } else if (own_take(own, "set")) {
        set(own, alter);
    } else if (own_take(own, "reset")) {
        reset(own, alter);
    } else if (own_take(own, "grant")) {
        capabilities(own, alter, true);
    } else if (own_take(own, "revoke")) {
        capabilities(own, alter, false);
    } else {
        own_fail(own);
    }
    return true;
}

bool own_drop_tenant(struct own *own)
{
    static const char *const stops[] = {"immediate", NULL};
    struct drop_virtual_cluster *drop =
        OWN_NEW(own, drop_virtual_cluster, struct drop_virtual_cluster);
    own->out->tag = STATEMENT_DROP_VIRTUAL_CLUSTER;
    drop->if_exists = own_take(own, "if exists");
    drop->tenant = own_tenant(own, stops);
    drop->immediate = own_take(own, "immediate");
    return true;
}

bool own_show_tenant(struct own *own)
{
    static const char *const stops[] = {"with", NULL};
    bool all = own_take_tenant_word(own, true);
    if (!all && !own_take_tenant_word(own, false)) return false;
    struct show_virtual_cluster *show =
        OWN_NEW(own, show_virtual_cluster, struct show_virtual_cluster);
    own->out->tag = STATEMENT_SHOW_VIRTUAL_CLUSTER;
    show->all = all;
    if (!all) show->tenant = own_tenant(own, stops);
    if (!own_take(own, "with")) return true;
    do {
        if (own_take(own, "replication status")) {
            show->with_replication_status = true;
        } else if (own_take(own, "prior replication details")) {
            show->with_prior_replication = true;
        } else if (own_take(own, "capabilities")) {
            show->with_capabilities = true;
        } else {
            own_fail(own);
        }
    } while (own_take_char(own, ','));
    return true;
}
