// SPDX-License-Identifier: GPL-3.0-or-later
//
// The statements that PostgreSQL lacks, as text. URIs lose their secrets when redaction is asked
// for.
#include "sql/parse/deparse_internal.h"

void put_uri(struct deparse *deparse, const struct expr *uri)
{
    bool redact = (deparse->flags & DEPARSE_REDACT) != 0 && uri->kind == EXPR_LITERAL &&
                  uri->literal.kind == LITERAL_STRING;
    if (!redact) {
        put_expr(deparse, uri);
        return;
    }
    struct buffer redacted;
    buffer_init(&redacted, deparse->out->arena);
    deparse_redact_uri(&redacted, uri->literal.text);
    put_string(deparse, buffer_bytes(&redacted));
}

static void put_uris(struct deparse *deparse, struct expr_list uris)
{
    bool bare = uris.count == 1 &&
                (uris.items[0]->kind == EXPR_LITERAL || uris.items[0]->kind == EXPR_PARAMETER);
    if (!bare) put(deparse, "(");
    for (uint32_t i = 0; i < uris.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_uri(deparse, uris.items[i]);
    }
    if (!bare) put(deparse, ")");
}

// --- virtual clusters ----------------------------------------------------------------------------

void put_tenant(struct deparse *deparse, struct tenant_spec tenant)
{
    struct deparse plain = {deparse->out, 0};
    if (tenant.kind == TENANT_ALL) {
        put(deparse, "ALL");
    } else if (tenant.kind == TENANT_BY_ID) {
        put(deparse, "[");
        put_expr(&plain, tenant.expr);
        put(deparse, "]");
    } else if (tenant.expr->kind == EXPR_LITERAL && tenant.expr->literal.kind == LITERAL_STRING &&
               tenant.expr->literal.text.size > 0) {
        put_name(deparse, arena_string(deparse->out->arena, tenant.expr->literal.text));
    } else {
        put_operand(&plain, tenant.expr);
    }
}

// Words of an option are joined by underscores in the tree, and apart in text.
static void put_spaced_options(struct deparse *deparse, struct option_list options)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (i > 0) put(deparse, ", ");
        for (const char *name = options.items[i].name; *name != 0; name++) {
            char c = *name == '_' ? ' ' : *name;
            buffer_append_u8(deparse->out, (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
        }
        if (options.items[i].value == NULL) continue;
        put(deparse, " = ");
        put_expr(deparse, options.items[i].value);
    }
}

static void put_source(struct deparse *deparse, struct tenant_spec source, const struct expr *uri,
    struct option_list options)
{
    put_tenant(deparse, source);
    put(deparse, " ON ");
    put_uri(deparse, uri);
    if (options.count == 0) return;
    put(deparse, " WITH ");
    put_spaced_options(deparse, options);
}

static void put_create_tenant(struct deparse *deparse, const struct create_virtual_cluster *create)
{
    put(deparse, "CREATE VIRTUAL CLUSTER ");
    if (create->if_not_exists) put(deparse, "IF NOT EXISTS ");
    put_tenant(deparse, create->tenant);
    if (create->has_like) {
        put(deparse, " LIKE ");
        put_tenant(deparse, create->like);
    }
    if (!create->replication) return;
    put(deparse, " FROM REPLICATION OF ");
    put_source(deparse, create->source, create->source_uri, create->options);
}

static void put_capabilities(
    struct deparse *deparse, const struct alter_virtual_cluster *alter, const char *word)
{
    put(deparse, word);
    if (alter->all_capabilities) {
        put(deparse, "ALL CAPABILITIES");
        return;
    }
    put(deparse, "CAPABILITY ");
    put_options(deparse, alter->options, " = ");
}

static void put_tenant_setting(struct deparse *deparse, const struct alter_virtual_cluster *alter)
{
    put(deparse, "SET CLUSTER SETTING ");
    put(deparse, alter->setting);
    put(deparse, " = ");
    if (alter->value == NULL) {
        put(deparse, "DEFAULT");
    } else {
        put_expr(deparse, alter->value);
    }
}

static void put_alter_tenant(struct deparse *deparse, const struct alter_virtual_cluster *alter)
{
    put(deparse, "ALTER VIRTUAL CLUSTER ");
    put_tenant(deparse, alter->tenant);
    put(deparse, " ");
    switch (alter->kind) {
    case ALTER_TENANT_RENAME:
        put(deparse, "RENAME TO ");
        put_tenant(deparse, alter->new_name);
        break;
    case ALTER_TENANT_START_SERVICE:
        put(deparse,
            alter->service == SERVICE_SHARED ? "START SERVICE SHARED" : "START SERVICE EXTERNAL");
        break;
    case ALTER_TENANT_STOP_SERVICE: put(deparse, "STOP SERVICE"); break;
    case ALTER_TENANT_PAUSE_REPLICATION: put(deparse, "PAUSE REPLICATION"); break;
    case ALTER_TENANT_RESUME_REPLICATION: put(deparse, "RESUME REPLICATION"); break;
    case ALTER_TENANT_COMPLETE_REPLICATION:
        put(deparse, "COMPLETE REPLICATION TO ");
        put(deparse, alter->latest ? "LATEST" : "SYSTEM TIME ");
        if (!alter->latest) put_expr(deparse, alter->time);
        break;
    case ALTER_TENANT_SET_REPLICATION:
        put(deparse, "SET REPLICATION ");
        put_spaced_options(deparse, alter->options);
        break;
    case ALTER_TENANT_START_REPLICATION:
        put(deparse, "START REPLICATION OF ");
        put_source(deparse, alter->source, alter->source_uri, alter->options);
        break;
    case ALTER_TENANT_RESET_DATA:
        put(deparse, "RESET DATA TO SYSTEM TIME ");
        put_expr(deparse, alter->time);
        break;
    case ALTER_TENANT_SET_SETTING: put_tenant_setting(deparse, alter); break;
    case ALTER_TENANT_RESET_SETTING:
        put(deparse, "RESET CLUSTER SETTING ");
        put(deparse, alter->setting);
        break;
    case ALTER_TENANT_GRANT_CAPABILITY: put_capabilities(deparse, alter, "GRANT "); break;
    case ALTER_TENANT_REVOKE_CAPABILITY: put_capabilities(deparse, alter, "REVOKE "); break;
    }
}

static void put_show_tenant(struct deparse *deparse, const struct show_virtual_cluster *show)
{
    const char *comma = " WITH ";
    put(deparse, show->all ? "SHOW VIRTUAL CLUSTERS" : "SHOW VIRTUAL CLUSTER ");
    if (!show->all) put_tenant(deparse, show->tenant);
    if (show->with_replication_status) {
        put(deparse, comma);
        put(deparse, "REPLICATION STATUS");
        comma = ", ";
    }
    if (show->with_prior_replication) {
        put(deparse, comma);
        put(deparse, "PRIOR REPLICATION DETAILS");
        comma = ", ";
    }
    if (show->with_capabilities) {
        put(deparse, comma);
        put(deparse, "CAPABILITIES");
    }
}

static void put_external_connection(
    struct deparse *deparse, enum statement_tag tag, const struct external_connection *connection)
{
    bool create = tag == STATEMENT_CREATE_EXTERNAL_CONNECTION;
    switch (tag) {
    case STATEMENT_CREATE_EXTERNAL_CONNECTION: put(deparse, "CREATE"); break;
    case STATEMENT_DROP_EXTERNAL_CONNECTION: put(deparse, "DROP"); break;
    case STATEMENT_CHECK_EXTERNAL_CONNECTION:
        put(deparse, "CHECK EXTERNAL CONNECTION ");
        put_uri(deparse, connection->uri);
        return;
    case STATEMENT_SHOW_CREATE_EXTERNAL_CONNECTION:
        put(deparse, connection->name == NULL ? "SHOW CREATE ALL" : "SHOW CREATE");
        break;
    default: put(deparse, "SHOW"); break;
    }
    put(deparse, connection->name == NULL ? " EXTERNAL CONNECTIONS" : " EXTERNAL CONNECTION ");
    if (connection->if_not_exists) put(deparse, "IF NOT EXISTS ");
    if (connection->name != NULL) put_name(deparse, connection->name);
    if (!create) return;
    put(deparse, " AS ");
    put_uri(deparse, connection->uri);
}

static void put_fingerprints(struct deparse *deparse, const struct fingerprints *show)
{
    put(deparse, "SHOW EXPERIMENTAL_FINGERPRINTS FROM ");
    if (!show->of_tenant) {
        put(deparse, "TABLE ");
        put_object_name(deparse, show->table);
        return;
    }
    put(deparse, "VIRTUAL CLUSTER ");
    put_tenant(deparse, show->tenant);
    if (show->start_timestamp == NULL) return;
    put(deparse, " WITH START TIMESTAMP ");
    put_expr(deparse, show->start_timestamp);
}

// --- settings, zones, splits, jobs ---------------------------------------------------------------

static void put_for_tenant(struct deparse *deparse, bool for_tenant, struct tenant_spec tenant)
{
    if (!for_tenant) return;
    put(deparse, " FOR VIRTUAL CLUSTER ");
    put_tenant(deparse, tenant);
}

static bool put_settings(struct deparse *deparse, const struct statement *statement)
{
    const struct cluster_setting *setting = statement->as.cluster_setting;
    switch (statement->tag) {
    case STATEMENT_SET_CLUSTER_SETTING:
        put(deparse, "SET CLUSTER SETTING ");
        put(deparse, setting->name);
        put(deparse, " = ");
        if (setting->value == NULL) {
            put(deparse, "DEFAULT");
        } else {
            put_expr(deparse, setting->value);
        }
        return true;
    case STATEMENT_RESET_CLUSTER_SETTING:
        put(deparse, "RESET CLUSTER SETTING ");
        put(deparse, setting->name);
        return true;
    case STATEMENT_SHOW_CLUSTER_SETTING:
        put(deparse, "SHOW CLUSTER SETTING ");
        put(deparse, setting->name);
        put_for_tenant(deparse, setting->for_tenant, setting->tenant);
        return true;
    case STATEMENT_SHOW_CLUSTER_SETTINGS: {
        const struct show_cluster_settings *show = statement->as.show_cluster_settings;
        put(deparse, show->all ? "SHOW ALL CLUSTER SETTINGS" : "SHOW CLUSTER SETTINGS");
        put_for_tenant(deparse, show->for_tenant, show->tenant);
        return true;
    }
    default: return false;
    }
}

static void put_zone_target(struct deparse *deparse, const struct zone_target *target)
{
    switch (target->object) {
    case OBJECT_RANGE: put(deparse, "RANGE "); break;
    case OBJECT_DATABASE: put(deparse, "DATABASE "); break;
    case OBJECT_INDEX: put(deparse, "INDEX "); break;
    case OBJECT_PARTITION:
        put(deparse, "PARTITION ");
        put_name(deparse, target->partition);
        put(deparse, target->name.table != NULL ? " OF INDEX " : " OF TABLE ");
        break;
    default: put(deparse, "TABLE ");
    }
    // RANGE default: a reserved word that is written bare there.
    if (target->object == OBJECT_RANGE) {
        put(deparse, target->name.name);
    } else {
        put_object_name(deparse, target->name);
    }
}

static void put_zone(struct deparse *deparse, const struct zone_config *zone)
{
    put(deparse, "ALTER ");
    put_zone_target(deparse, &zone->target);
    put(deparse, zone->discard ? " CONFIGURE ZONE DISCARD" : " CONFIGURE ZONE USING ");
    for (uint32_t i = 0; i < zone->options.count; i++) {
        if (i > 0) put(deparse, ", ");
        put(deparse, zone->options.items[i].name);
        put(deparse, " = ");
        if (zone->options.items[i].value == NULL) {
            put(deparse, "COPY FROM PARENT");
        } else {
            put_expr(deparse, zone->options.items[i].value);
        }
    }
}

static void put_relocate(struct deparse *deparse, const struct split *split)
{
    put(deparse, "ALTER RANGE ");
    if (split->range != NULL) {
        put_expr(deparse, split->range);
        put(deparse, " ");
    }
    put(deparse, split->kind == RELOCATE_LEASE ? "RELOCATE LEASE" : "RELOCATE VOTERS FROM ");
    if (split->from_node != NULL) put_expr(deparse, split->from_node);
    put(deparse, " TO ");
    put_expr(deparse, split->to_node);
    if (split->rows == NULL) return;
    put(deparse, " FOR ");
    put_select(deparse, split->rows);
}

static void put_split(struct deparse *deparse, const struct split *split)
{
    if (split->to_node != NULL) {
        put_relocate(deparse, split);
        return;
    }
    static const char *const words[] = {" SPLIT AT ", " UNSPLIT AT ", " UNSPLIT ALL", " SCATTER"};
    put(deparse, split->is_index ? "ALTER INDEX " : "ALTER TABLE ");
    put_object_name(deparse, split->table);
    put(deparse, words[split->kind]);
    if (split->rows != NULL) put_select(deparse, split->rows);
    if (split->expiration != NULL) {
        put(deparse, " WITH EXPIRATION ");
        put_expr(deparse, split->expiration);
    }
    if (split->from.count == 0) return;
    put(deparse, " FROM (");
    put_exprs(deparse, split->from);
    put(deparse, ") TO (");
    put_exprs(deparse, split->to);
    put(deparse, ")");
}

static void put_job_control(struct deparse *deparse, const struct job_control *control)
{
    static const char *const words[] = {"PAUSE ", "RESUME ", "CANCEL "};
    put(deparse, words[control->action]);
    if (control->all_type != NULL) {
        put(deparse, "ALL ");
        put_name(deparse, control->all_type);
        put(deparse, " JOBS");
    } else if (control->query != NULL) {
        put(deparse, "JOBS (");
        put_select(deparse, control->query);
        put(deparse, ")");
    } else {
        put(deparse, "JOB ");
        put_expr(deparse, control->id);
    }
    if (control->reason == NULL) return;
    put(deparse, " WITH REASON = ");
    put_expr(deparse, control->reason);
}

static void put_cancel(struct deparse *deparse, const struct cancel *cancel)
{
    const char *word = cancel->session ? "SESSION" : cancel->query != NULL ? "QUERIE" : "QUERY";
    put(deparse, "CANCEL ");
    put(deparse, word);
    if (cancel->query != NULL) put(deparse, "S");
    if (cancel->if_exists) put(deparse, " IF EXISTS");
    put(deparse, " ");
    if (cancel->query != NULL) {
        put(deparse, "(");
        put_select(deparse, cancel->query);
        put(deparse, ")");
    } else {
        put_expr(deparse, cancel->id);
    }
}

static void put_backup(struct deparse *deparse, const struct statement *statement)
{
    const struct backup *backup = statement->as.backup;
    static const char *const words[] = {"", "DATABASE ", "TABLE ", "VIRTUAL CLUSTER "};
    put(deparse, backup->restore ? "RESTORE " : "BACKUP ");
    put(deparse, words[backup->target]);
    if (backup->target == BACKUP_TENANT) put_tenant(deparse, backup->tenant);
    put_object_names(deparse, backup->names);
    if (backup->target != BACKUP_CLUSTER) put(deparse, " ");
    put(deparse, backup->restore ? "FROM " : "INTO ");
    if (backup->latest) put(deparse, "LATEST IN ");
    if (backup->subdirectory.count > 0) {
        put_uris(deparse, backup->subdirectory);
        put(deparse, " IN ");
    }
    put_uris(deparse, backup->uris);
    if (statement->as_of != NULL) {
        put(deparse, " AS OF SYSTEM TIME ");
        put_operand(deparse, statement->as_of);
    }
    for (uint32_t i = 0; i < backup->options.count; i++) {
        const struct option *option = &backup->options.items[i];
        put(deparse, i == 0 ? " WITH " : ", ");
        put_name(deparse, option->name);
        if (option->value == NULL) continue;
        bool secret =
            strcmp(option->name, "encryption_passphrase") == 0 || strcmp(option->name, "kms") == 0;
        put(deparse, " = ");
        if (secret && (deparse->flags & DEPARSE_REDACT)) {
            put(deparse, "'*****'");
        } else {
            put_expr(deparse, option->value);
        }
    }
}

// --- SHOW ----------------------------------------------------------------------------------------

static void put_show_target(struct deparse *deparse, const struct show *show)
{
    if (!show->has_target) return;
    put(deparse, show->object == OBJECT_DATABASE ? " FROM DATABASE "
                 : show->object == OBJECT_INDEX  ? " FROM INDEX "
                                                 : " FROM TABLE ");
    put_object_name(deparse, show->target);
}

static void put_show_create(struct deparse *deparse, const struct show *show)
{
    static const char *const all[] = {[OBJECT_TABLE] = "ALL TABLES",
        [OBJECT_SCHEMA] = "ALL SCHEMAS",
        [OBJECT_TYPE] = "ALL TYPES"};
    put(deparse, "SHOW CREATE ");
    if (show->flags & SHOW_ALL) {
        put(deparse, all[show->object]);
        return;
    }
    put_upper(deparse, object_kind_name(show->object));
    put(deparse, " ");
    put_object_name(deparse, show->target);
}

static void put_show_grants(struct deparse *deparse, const struct show *show)
{
    put(deparse, "SHOW GRANTS");
    if (show->has_target) {
        put(deparse, " ON ");
        put_upper(deparse, object_kind_name(show->object));
        if (show->targets.count > 0) put(deparse, " ");
        put_object_names(deparse, show->targets);
    }
    if (show->roles.count == 0) return;
    put(deparse, " FOR ");
    put_roles(deparse, show->roles);
}

static void put_show_flags(struct deparse *deparse, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } rows[] = {{SHOW_WITH_COMMENT, "COMMENT"}, {SHOW_WITH_TABLES, "TABLES"},
        {SHOW_WITH_INDEXES, "INDEXES"}, {SHOW_WITH_KEYS, "KEYS"}, {SHOW_WITH_DETAILS, "DETAILS"},
        {SHOW_WITH_EXPLAIN, "EXPLAIN"}};
    const char *comma = " WITH ";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!(flags & rows[i].flag)) continue;
        put(deparse, comma);
        put(deparse, rows[i].word);
        comma = ", ";
    }
}

static void put_show_jobs(struct deparse *deparse, const struct show *show)
{
    put(deparse, show->flags & SHOW_AUTOMATIC ? "SHOW AUTOMATIC JOBS"
                 : show->id != NULL           ? "SHOW JOB"
                                              : "SHOW JOBS");
    if (show->flags & SHOW_WHEN_COMPLETE) put(deparse, " WHEN COMPLETE");
    if (show->id != NULL) {
        put(deparse, " ");
        put_expr(deparse, show->id);
    }
    if (show->query == NULL) return;
    put(deparse, " (");
    put_select(deparse, show->query);
    put(deparse, ")");
}

static void put_show_activity(struct deparse *deparse, const struct show *show, const char *word)
{
    put(deparse, show->flags & SHOW_ALL ? "SHOW ALL " : "SHOW ");
    if (show->scope == SHOW_SCOPE_CLUSTER) put(deparse, "CLUSTER ");
    if (show->scope == SHOW_SCOPE_LOCAL) put(deparse, "LOCAL ");
    put(deparse, word);
}

static void put_show_roles(struct deparse *deparse, const struct show *show, const char *words)
{
    put(deparse, words);
    if (show->flags & SHOW_ALL) put(deparse, " FOR ALL ROLES");
    if (show->roles.count == 0) return;
    put(deparse, " FOR ");
    put_roles(deparse, show->roles);
}

static bool put_show(struct deparse *deparse, const struct statement *statement)
{
    const struct show *show = statement->as.show;
    switch (statement->tag) {
    case STATEMENT_SHOW_CREATE: put_show_create(deparse, show); return true;
    case STATEMENT_SHOW_GRANTS: put_show_grants(deparse, show); return true;
    case STATEMENT_SHOW_JOBS: put_show_jobs(deparse, show); return true;
    case STATEMENT_SHOW_SESSIONS: put_show_activity(deparse, show, "SESSIONS"); return true;
    case STATEMENT_SHOW_QUERIES: put_show_activity(deparse, show, "STATEMENTS"); return true;
    case STATEMENT_SHOW_TRANSACTIONS: put_show_activity(deparse, show, "TRANSACTIONS"); return true;
    case STATEMENT_SHOW_SYSTEM_GRANTS:
    case STATEMENT_SHOW_DEFAULT_PRIVILEGES:
        put_show_roles(deparse, show, statement_tag_name(statement->tag));
        return true;
    case STATEMENT_SHOW_STATISTICS:
        put(deparse, show->flags & SHOW_USING_JSON ? "SHOW STATISTICS USING JSON FOR TABLE "
                                                   : "SHOW STATISTICS FOR TABLE ");
        put_object_name(deparse, show->target);
        return true;
    case STATEMENT_SHOW_TRANSFER_STATE:
        // The key is a secret of the proxy's.
        put(deparse, show->id != NULL ? "SHOW TRANSFER STATE WITH '*****'" : "SHOW TRANSFER STATE");
        return true;
    case STATEMENT_SHOW_RANGES:
        put(deparse, show->scope == SHOW_SCOPE_CLUSTER ? "SHOW CLUSTER RANGES" : "SHOW RANGES");
        if (show->flags & SHOW_CURRENT_CATALOG) put(deparse, " FROM CURRENT_CATALOG");
        put_show_target(deparse, show);
        put_show_flags(deparse, show->flags);
        return true;
    case STATEMENT_SHOW_COLUMNS:
    case STATEMENT_SHOW_INDEXES:
    case STATEMENT_SHOW_CONSTRAINTS:
        put(deparse, statement_tag_name(statement->tag));
        put_show_target(deparse, show);
        put_show_flags(deparse, show->flags);
        return true;
    case STATEMENT_SHOW_DATABASES:
    case STATEMENT_SHOW_SCHEMAS:
    case STATEMENT_SHOW_TABLES:
    case STATEMENT_SHOW_SEQUENCES:
    case STATEMENT_SHOW_TYPES:
    case STATEMENT_SHOW_ENUMS:
    case STATEMENT_SHOW_FUNCTIONS:
    case STATEMENT_SHOW_USERS:
    case STATEMENT_SHOW_ROLES:
    case STATEMENT_SHOW_SAVEPOINT_STATUS:
    case STATEMENT_SHOW_TRANSACTION_STATUS:
        put(deparse, statement_tag_name(statement->tag));
        if (show->has_target) {
            put(deparse, " FROM ");
            put_object_name(deparse, show->target);
        }
        put_show_flags(deparse, show->flags);
        return true;
    default: return false;
    }
}

static void put_show_backup(struct deparse *deparse, const struct show_backup *show)
{
    put(deparse, show->list ? "SHOW BACKUPS" : "SHOW BACKUP FROM ");
    if (show->subdirectory != NULL) put_expr(deparse, show->subdirectory);
    put(deparse, " IN ");
    put_uri(deparse, show->uri);
    if (show->options.count == 0) return;
    put(deparse, " WITH ");
    put_options(deparse, show->options, " = ");
}

bool put_own_statement(struct deparse *deparse, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_CREATE_VIRTUAL_CLUSTER:
        put_create_tenant(deparse, statement->as.create_virtual_cluster);
        break;
    case STATEMENT_ALTER_VIRTUAL_CLUSTER:
        put_alter_tenant(deparse, statement->as.alter_virtual_cluster);
        break;
    case STATEMENT_DROP_VIRTUAL_CLUSTER:
        put(deparse, "DROP VIRTUAL CLUSTER ");
        if (statement->as.drop_virtual_cluster->if_exists) put(deparse, "IF EXISTS ");
        put_tenant(deparse, statement->as.drop_virtual_cluster->tenant);
        if (statement->as.drop_virtual_cluster->immediate) put(deparse, " IMMEDIATE");
        break;
    case STATEMENT_SHOW_VIRTUAL_CLUSTER:
        put_show_tenant(deparse, statement->as.show_virtual_cluster);
        break;
    case STATEMENT_CREATE_EXTERNAL_CONNECTION:
    case STATEMENT_DROP_EXTERNAL_CONNECTION:
    case STATEMENT_SHOW_EXTERNAL_CONNECTIONS:
    case STATEMENT_SHOW_CREATE_EXTERNAL_CONNECTION:
    case STATEMENT_CHECK_EXTERNAL_CONNECTION:
        put_external_connection(deparse, statement->tag, statement->as.external_connection);
        break;
    case STATEMENT_SHOW_FINGERPRINTS: put_fingerprints(deparse, statement->as.fingerprints); break;
    case STATEMENT_CONFIGURE_ZONE: put_zone(deparse, statement->as.zone_config); break;
    case STATEMENT_SHOW_ZONE:
        put(deparse, statement->as.show_zone->all ? "SHOW ZONE CONFIGURATIONS"
                                                  : "SHOW ZONE CONFIGURATION FROM ");
        if (!statement->as.show_zone->all)
            put_zone_target(deparse, &statement->as.show_zone->target);
        break;
    case STATEMENT_SPLIT: put_split(deparse, statement->as.split); break;
    case STATEMENT_JOB_CONTROL: put_job_control(deparse, statement->as.job_control); break;
    case STATEMENT_CANCEL: put_cancel(deparse, statement->as.cancel); break;
    case STATEMENT_BACKUP:
    case STATEMENT_RESTORE: put_backup(deparse, statement); break;
    case STATEMENT_SHOW_BACKUP: put_show_backup(deparse, statement->as.show_backup); break;
    default: return put_settings(deparse, statement) || put_show(deparse, statement);
    }
    return true;
}
