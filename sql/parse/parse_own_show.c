// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every SHOW. What is no object of ours is a variable, as in PostgreSQL.
// Source: reference/sql-and-ops.md section 1.3.
#include "sql/parse/parse_internal.h"

static struct show *begin(struct own *own, enum statement_tag tag)
{
    own->out->tag = tag;
    return OWN_NEW(own, show, struct show);
}

static void with_comment(struct own *own, struct show *show)
{
    if (own_take(own, "with comment")) show->flags |= SHOW_WITH_COMMENT;
}

static void target(struct own *own, struct show *show, enum object_kind kind)
{
    show->object = kind;
    show->has_target = true;
    show->target = own_object_name(own);
}

// [FROM d]: a database, or d.s.
static void from_database(struct own *own, struct show *show)
{
    if (own_take(own, "from") || own_take(own, "in")) target(own, show, OBJECT_DATABASE);
}

static void from_table(struct own *own, struct show *show)
{
    if (!own_take(own, "from")) own_expect(own, "in");
    if (own_take(own, "database")) {
        target(own, show, OBJECT_DATABASE);
    } else {
        (void)own_take(own, "table");
        target(own, show, OBJECT_TABLE);
    }
}

static void show_create(struct own *own)
{
    if (own_is(own, "all external connections")) own_advance(own);
    if (own_is(own, "external connection") || own_is(own, "external connections")) {
        own_external_connection(own, STATEMENT_SHOW_CREATE_EXTERNAL_CONNECTION);
        return;
    }
    static const struct {
        const char *word;
        enum object_kind kind;
    } kinds[] = {
        {"table", OBJECT_TABLE},
        {"view", OBJECT_VIEW},
        {"sequence", OBJECT_SEQUENCE},
        {"database", OBJECT_DATABASE},
        {"schema", OBJECT_SCHEMA},
        {"function", OBJECT_FUNCTION},
        {"type", OBJECT_TYPE},
        {"index", OBJECT_INDEX},
        {"indexes", OBJECT_INDEX},
    };
    struct show *show = begin(own, STATEMENT_SHOW_CREATE);
    show->object = OBJECT_TABLE;
    if (own_take(own, "all")) {
        show->flags |= SHOW_ALL;
        if (own_take(own, "schemas")) {
            show->object = OBJECT_SCHEMA;
        } else if (own_take(own, "types")) {
            show->object = OBJECT_TYPE;
        } else {
            own_expect(own, "tables");
        }
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        // A table may be called by such a word: it is one if a name follows.
        struct own_mark mark = own_mark(own);
        if (!own_take(own, kinds[i].word)) continue;
        if (own->token.kind == LEX_WORD || own->token.kind == LEX_QUOTED) {
            if (kinds[i].kind == OBJECT_INDEX) (void)own_take(own, "from");
            target(own, show, kinds[i].kind);
            return;
        }
        own_back(own, mark);
    }
    target(own, show, OBJECT_TABLE);
}

static void show_grants(struct own *own)
{
    static const struct {
        const char *word;
        enum object_kind kind;
    } kinds[] = {
        {"table", OBJECT_TABLE},
        {"database", OBJECT_DATABASE},
        {"schema", OBJECT_SCHEMA},
        {"type", OBJECT_TYPE},
        {"role", OBJECT_ROLE},
        {"sequence", OBJECT_SEQUENCE},
        {"function", OBJECT_FUNCTION},
        {"external connection", OBJECT_OTHER},
    };
    struct show *show = begin(own, STATEMENT_SHOW_GRANTS);
    if (own_take(own, "on")) {
        show->object = OBJECT_TABLE;
        show->has_target = true;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            if (!own_take(own, kinds[i].word)) continue;
            show->object = kinds[i].kind;
            break;
        }
        while (!own_at_end(own) && !own_is(own, "for")) {
            show->targets.items = arena_grow(own->arena, show->targets.items,
                sizeof(struct object_name) * show->targets.count,
                sizeof(struct object_name) * (show->targets.count + 1));
            show->targets.items[show->targets.count++] = own_object_name(own);
            if (!own_take_char(own, ',')) break;
        }
        if (show->targets.count > 0) show->target = show->targets.items[0];
        if (show->targets.count == 0 && show->object != OBJECT_ROLE) own_fail(own);
    }
    if (own_take(own, "for")) show->roles = own_roles(own);
}

static void show_job(struct own *own)
{
    struct show *show = begin(own, STATEMENT_SHOW_JOBS);
    if (own_take(own, "when complete")) show->flags |= SHOW_WHEN_COMPLETE;
    if (own_is_char(own, '(')) {
        struct own_mark mark = own_mark(own);
        own_advance(own);
        bool query = own_is(own, "select") || own_is(own, "values") || own_is(own, "with");
        own_back(own, mark);
        if (query) {
            show->query = own_parenthesized_select(own);
            return;
        }
    }
    show->id = own_expr(own, NULL);
}

static void show_jobs(struct own *own, bool automatic)
{
    struct own_mark mark = own_mark(own);
    if (own_take(own, "when complete") || own_is(own, "select") || own_is(own, "values") ||
        own_is(own, "with") || own_is_char(own, '(')) {
        own_back(own, mark);
        struct show *show = begin(own, STATEMENT_SHOW_JOBS);
        if (own_take(own, "when complete")) show->flags |= SHOW_WHEN_COMPLETE;
        show->query = own_is_char(own, '(') ? own_parenthesized_select(own) : own_select(own);
        return;
    }
    if (own_is(own, "for schedule") || own_is(own, "for schedules")) {
        own_unsupported(own, "SHOW JOBS FOR SCHEDULE");
        return;
    }
    struct show *show = begin(own, STATEMENT_SHOW_JOBS);
    if (automatic) show->flags |= SHOW_AUTOMATIC;
}

static void show_ranges(struct own *own, enum show_scope scope)
{
    struct show *show = begin(own, STATEMENT_SHOW_RANGES);
    show->scope = scope;
    if (scope == SHOW_SCOPE_DEFAULT && own_take(own, "from")) {
        if (own_take(own, "current_catalog")) {
            show->flags |= SHOW_CURRENT_CATALOG;
        } else if (own_take(own, "database")) {
            target(own, show, OBJECT_DATABASE);
        } else if (own_take(own, "index")) {
            target(own, show, OBJECT_INDEX);
        } else {
            own_expect(own, "table");
            target(own, show, OBJECT_TABLE);
        }
    }
    if (!own_take(own, "with")) return;
    do {
        if (own_take(own, "tables")) {
            show->flags |= SHOW_WITH_TABLES;
        } else if (own_take(own, "indexes")) {
            show->flags |= SHOW_WITH_INDEXES;
        } else if (own_take(own, "keys")) {
            show->flags |= SHOW_WITH_KEYS;
        } else if (own_take(own, "details")) {
            show->flags |= SHOW_WITH_DETAILS;
        } else if (own_take(own, "explain")) {
            show->flags |= SHOW_WITH_EXPLAIN;
        } else {
            own_fail(own);
        }
    } while (own_take_char(own, ','));
}

static void show_fingerprints(struct own *own)
{
    static const char *const stops[] = {"with", NULL};
    struct fingerprints *show = OWN_NEW(own, fingerprints, struct fingerprints);
    own->out->tag = STATEMENT_SHOW_FINGERPRINTS;
    own_expect(own, "from");
    if (own_take_tenant_word(own, false)) {
        show->of_tenant = true;
        show->tenant = own_tenant(own, stops);
        if (own_take(own, "with")) {
            own_expect(own, "start timestamp");
            (void)own_take_char(own, '=');
            show->start_timestamp = own_expr(own, NULL);
        }
    } else {
        own_expect(own, "table");
        show->table = own_object_name(own);
    }
}

static const char *dotted(struct own *own)
{
    const char *name = own_identifier(own);
    while (own_take_char(own, '.'))
        name = arena_printf(own->arena, "%s.%s", name, own_identifier(own));
    return name;
}

void own_for_tenant(struct own *own, bool *for_tenant, struct tenant_spec *tenant)
{
    if (!own_take(own, "for")) return;
    if (!own_take_tenant_word(own, false)) own_fail(own);
    *for_tenant = true;
    *tenant = own_tenant(own, NULL);
}

static bool show_settings(struct own *own)
{
    struct own_mark mark = own_mark(own);
    bool all = own_take(own, "all");
    if (!all) (void)own_take(own, "public");
    if (own_take(own, "cluster settings") || (!all && own_take(own, "cluster setting all"))) {
        own->out->tag = STATEMENT_SHOW_CLUSTER_SETTINGS;
        struct show_cluster_settings *show =
            OWN_NEW(own, show_cluster_settings, struct show_cluster_settings);
        show->all = all;
        own_for_tenant(own, &show->for_tenant, &show->tenant);
        return true;
    }
    own_back(own, mark);
    if (!own_take(own, "cluster setting")) return false;
    own->out->tag = STATEMENT_SHOW_CLUSTER_SETTING;
    struct cluster_setting *show = OWN_NEW(own, cluster_setting, struct cluster_setting);
    show->name = dotted(own);
    own_for_tenant(own, &show->for_tenant, &show->tenant);
    return true;
}

static void show_zone(struct own *own, bool all)
{
    struct show_zone *show = OWN_NEW(own, show_zone, struct show_zone);
    own->out->tag = STATEMENT_SHOW_ZONE;
    show->all = all;
    if (all) return;
    if (!own_take(own, "from")) own_expect(own, "for");
    if (!own_zone(own, &show->target)) own_fail(own);
}

static void show_backup(struct own *own)
{
    static const char *const stops[] = {"in", "with", NULL};
    struct show_backup *show = OWN_NEW(own, show_backup, struct show_backup);
    own->out->tag = STATEMENT_SHOW_BACKUP;
    if (own_take(own, "backups")) {
        show->list = true;
    } else {
        own_expect(own, "backup");
        (void)own_take(own, "from");
        show->subdirectory = own_setting_value(own, stops);
    }
    own_expect(own, "in");
    show->uri = own_setting_value(own, stops);
    if (own_take(own, "with")) show->options = own_options(own);
}

static void show_statistics(struct own *own)
{
    struct show *show = begin(own, STATEMENT_SHOW_STATISTICS);
    if (own_take(own, "using json")) show->flags |= SHOW_USING_JSON;
    own_expect(own, "for table");
    target(own, show, OBJECT_TABLE);
}

// SESSIONS, QUERIES, STATEMENTS, TRANSACTIONS with ALL, CLUSTER, LOCAL before them.
static bool show_activity(struct own *own)
{
    struct own_mark mark = own_mark(own);
    bool all = own_take(own, "all");
    enum show_scope scope = own_take(own, "cluster") ? SHOW_SCOPE_CLUSTER
                            : own_take(own, "local") ? SHOW_SCOPE_LOCAL
                                                     : SHOW_SCOPE_DEFAULT;
    enum statement_tag tag = STATEMENT_EMPTY;
    if (own_take(own, "sessions")) tag = STATEMENT_SHOW_SESSIONS;
    if (own_take(own, "queries") || own_take(own, "statements")) tag = STATEMENT_SHOW_QUERIES;
    if (own_take(own, "transactions")) tag = STATEMENT_SHOW_TRANSACTIONS;
    if (tag == STATEMENT_EMPTY) {
        own_back(own, mark);
        return false;
    }
    struct show *show = begin(own, tag);
    show->scope = scope;
    if (all) show->flags |= SHOW_ALL;
    return true;
}

static bool show_refused(struct own *own)
{
    static const struct {
        const char *words;
        const char *feature;
    } rows[] = {
        {"syntax", "SHOW SYNTAX"},
        {"completions", "SHOW COMPLETIONS"},
        {"schedules", "SHOW SCHEDULES"},
        {"schedule", "SHOW SCHEDULE"},
        {"running schedules", "SHOW SCHEDULES"},
        {"paused schedules", "SHOW SCHEDULES"},
        {"changefeed jobs", "SHOW CHANGEFEED JOBS"},
        {"changefeed job", "SHOW CHANGEFEED JOB"},
        {"regions", "SHOW REGIONS"},
        {"locality", "SHOW LOCALITY"},
        {"partitions", "SHOW PARTITIONS"},
        {"trace for", "SHOW TRACE FOR SESSION"},
        {"last query statistics", "SHOW LAST QUERY STATISTICS"},
        {"commit timestamp", "SHOW COMMIT TIMESTAMP"},
        {"create schedule", "SHOW CREATE SCHEDULE"},
        {"range from", "SHOW RANGE FOR ROW"},
        {"triggers", "SHOW TRIGGERS"},
        {"procedures", "SHOW PROCEDURES"},
        {"policies", "SHOW POLICIES"},
        {"histogram", "SHOW HISTOGRAM"},
        {"full table scans", "SHOW FULL TABLE SCANS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!own_is(own, rows[i].words)) continue;
        own_unsupported(own, rows[i].feature);
        return true;
    }
    return false;
}

// Lists that need no more than [FROM d] [WITH COMMENT].
static bool show_list(struct own *own)
{
    static const struct {
        const char *word;
        enum statement_tag tag;
        enum { NOTHING, DATABASE, TABLE } from;
    } rows[] = {
        {"databases", STATEMENT_SHOW_DATABASES, NOTHING},
        {"schemas", STATEMENT_SHOW_SCHEMAS, DATABASE},
        {"tables", STATEMENT_SHOW_TABLES, DATABASE},
        {"columns", STATEMENT_SHOW_COLUMNS, TABLE},
        {"index", STATEMENT_SHOW_INDEXES, TABLE},
        {"indexes", STATEMENT_SHOW_INDEXES, TABLE},
        {"keys", STATEMENT_SHOW_INDEXES, TABLE},
        {"constraint", STATEMENT_SHOW_CONSTRAINTS, TABLE},
        {"constraints", STATEMENT_SHOW_CONSTRAINTS, TABLE},
        {"sequences", STATEMENT_SHOW_SEQUENCES, DATABASE},
        {"types", STATEMENT_SHOW_TYPES, DATABASE},
        {"enums", STATEMENT_SHOW_ENUMS, DATABASE},
        {"functions", STATEMENT_SHOW_FUNCTIONS, DATABASE},
        {"users", STATEMENT_SHOW_USERS, NOTHING},
        {"roles", STATEMENT_SHOW_ROLES, NOTHING},
        {"savepoint status", STATEMENT_SHOW_SAVEPOINT_STATUS, NOTHING},
        {"transaction status", STATEMENT_SHOW_TRANSACTION_STATUS, NOTHING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!own_take(own, rows[i].word)) continue;
        struct show *show = begin(own, rows[i].tag);
        if (rows[i].from == DATABASE) from_database(own, show);
        if (rows[i].from == TABLE) from_table(own, show);
        with_comment(own, show);
        return true;
    }
    return false;
}

static bool show_object(struct own *own)
{
    if (show_refused(own) || show_list(own) || show_settings(own) || show_activity(own))
        return true;
    if (own_is(own, "virtual cluster") || own_is(own, "virtual clusters") ||
        own_is(own, "tenant") || own_is(own, "tenants"))
        return own_show_tenant(own);
    if (own_is(own, "external")) {
        own_external_connection(own, STATEMENT_SHOW_EXTERNAL_CONNECTIONS);
        return true;
    }
    if (own_take(own, "experimental_fingerprints")) {
        show_fingerprints(own);
    } else if (own_take(own, "create")) {
        show_create(own);
    } else if (own_take(own, "grants")) {
        show_grants(own);
    } else if (own_take(own, "system grants")) {
        struct show *show = begin(own, STATEMENT_SHOW_SYSTEM_GRANTS);
        if (own_take(own, "for")) show->roles = own_roles(own);
    } else if (own_take(own, "default privileges")) {
        struct show *show = begin(own, STATEMENT_SHOW_DEFAULT_PRIVILEGES);
        if (own_take(own, "for all roles")) {
            show->flags |= SHOW_ALL;
        } else if (own_take(own, "for")) {
            if (!own_take(own, "role")) (void)own_take(own, "user");
            show->roles = own_roles(own);
        }
    } else if (own_take(own, "jobs")) {
        show_jobs(own, false);
    } else if (own_take(own, "automatic jobs")) {
        show_jobs(own, true);
    } else if (own_take(own, "job")) {
        show_job(own);
    } else if (own_take(own, "ranges")) {
        show_ranges(own, SHOW_SCOPE_DEFAULT);
    } else if (own_take(own, "cluster ranges")) {
        show_ranges(own, SHOW_SCOPE_CLUSTER);
    } else if (own_take(own, "statistics")) {
        show_statistics(own);
    } else if (own_take(own, "zone configurations")) {
        show_zone(own, true);
    } else if (own_take(own, "zone configuration")) {
        show_zone(own, false);
    } else if (own_is(own, "backups") || own_is(own, "backup")) {
        show_backup(own);
    } else if (own_take(own, "transfer state")) {
        struct show *show = begin(own, STATEMENT_SHOW_TRANSFER_STATE);
        if (own_take(own, "with")) show->id = own_expr(own, NULL);
    } else {
        return false;
    }
    return true;
}

bool own_show(struct own *own)
{
    own_expect(own, "show");
    if (show_object(own)) {
        if (own_take(own, "as of system time")) own->out->as_of = own_expr(own, NULL);
        return true;
    }
    struct set_variable *set = OWN_NEW(own, set_variable, struct set_variable);
    own->out->tag = STATEMENT_SHOW;
    if (own_take(own, "all")) {
        own->out->tag = STATEMENT_SHOW_ALL_VARIABLES;
    } else if (own_take(own, "time zone")) {
        set->name = "timezone";
    } else if (own_take(own, "transaction isolation level")) {
        set->name = "transaction_isolation";
    } else if (own_take(own, "transaction priority")) {
        set->name = "transaction_priority";
    } else if (own_take(own, "session authorization")) {
        set->name = "session_authorization";
    } else {
        set->name = dotted(own);
    }
    return true;
}
