// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cluster settings: a registry of names, types, classes and defaults, and the values of one virtual
// cluster, kept in its system.settings.
//
// Effective value, first that exists: override for this virtual cluster, override for all (both from the
// hook that the layer above fills), the virtual cluster's own value, for system-visible ones the system
// virtual cluster's value, the default.
//
// Reading  settings_bool and its family are lookups in this shard's cache: they never suspend and may be used
//          on hot paths. The cache of a tenant is loaded by settings_load (at session start and by the
//          services of the tenant); before that the default is given.
// Writing  SET CLUSTER SETTING commits, then every shard reloads before the statement returns.
// Errors   42P02 unknown cluster setting 'x'; 22023 bad values; 42501 by class.
// Source   reference: virtual clusters, section 9.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/shard.h"
#include "core/status.h"
#include "core/task.h"

struct session;

// What the setting `version` says of a virtual cluster made by this program.
#define CLUSTER_VERSION "0.1"

enum setting_type { // With the letter of SHOW CLUSTER SETTINGS.
    SETTING_BOOL = 'b',
    SETTING_INT = 'i',
    SETTING_FLOAT = 'f',
    SETTING_STRING = 's',
    SETTING_DURATION = 'd',
    SETTING_BYTES = 'z',
    SETTING_ENUM = 'e',
    SETTING_VERSION = 'm',
};
enum setting_class { SETTING_SYSTEM_ONLY, SETTING_SYSTEM_VISIBLE, SETTING_APPLICATION };

// A static table row, registered at start-up.
struct setting {
    const char *name;
    const char *alias; // Former name, still accepted with a notice; or NULL.
    enum setting_type type;
    enum setting_class class;
    const char *default_value; // As text: "true", "4h", "64 MiB", "10".
    const char *description;
    bool hidden;                // Not in SHOW CLUSTER SETTINGS without ALL.
    bool secret;                // Shown as "redacted" wherever its value is shown.
    const char *const *choices; // SETTING_ENUM; NULL-terminated.
    double minimum, maximum;    // Of int, float, duration (ns) and bytes, when maximum > minimum.
    // Further checks of the text in its canonical form; 22023. May be NULL.
    struct status (*validate)(struct arena *arena, const char *value);
    // Called on each shard when the effective value of a tenant may have changed. Must not suspend. May be NULL.
    void (*changed)(struct shard *shard, uint64_t tenant, const struct setting *setting);
};
void settings_register(const struct setting *table, uint32_t count);
void settings_register_builtin(void);                                 // The sql layer's; once.
const struct setting *setting_find(const char *name, bool *by_alias); // NULL when unknown.
const struct setting *setting_at(uint32_t index); // In the order of names; NULL past the end.

enum setting_origin {
    SETTING_FROM_DEFAULT,
    SETTING_FROM_OWN,
    SETTING_FROM_SYSTEM,
    SETTING_FROM_OVERRIDE
};

// The text of the effective value on this shard. Valid until the task suspends.
const char *setting_value(struct shard *shard, uint64_t tenant, const struct setting *setting,
    enum setting_origin *origin); // `origin` may be NULL.
// As it may be shown.
static inline const char *setting_shown(const struct setting *setting, const char *value)
{
    return setting->secret && value != NULL && value[0] != '\0' ? "redacted" : value;
}
bool settings_bool(struct shard *shard, uint64_t tenant, const char *name);
int64_t settings_int(struct shard *shard, uint64_t tenant, const char *name);
double settings_float(struct shard *shard, uint64_t tenant, const char *name);
uint64_t settings_duration_ns(struct shard *shard, uint64_t tenant, const char *name);
uint64_t settings_bytes(struct shard *shard, uint64_t tenant, const char *name);
const char *settings_string(struct shard *shard, uint64_t tenant, const char *name);

// Reads the tenant's values (and overrides) into this shard's cache when they are not there yet.
CHECKED struct status settings_load(struct task *task, uint64_t tenant);
// Drops this shard's cache of the tenant: defaults until it is loaded again.
void settings_forget(struct shard *shard, uint64_t tenant);
// Makes every shard read them anew. After own values or overrides changed. tenant 0: all tenants.
CHECKED struct status settings_announce(struct task *task, uint64_t tenant);

// Checks text as a value of the setting and gives its canonical form ("1h" -> "1h0m0s"). 22023.
CHECKED struct status setting_parse(
    struct arena *arena, const struct setting *setting, const char *text, const char **canonical);

// Overrides, supplied by the layer that knows virtual clusters: calls add(list, name, value) for each that applies
// to `tenant`, those for all first. Registered before shards start.
struct setting_override_list;
typedef struct status (*settings_override_fn)(
    struct task *task, uint64_t tenant, struct setting_override_list *list);
void settings_override_register(settings_override_fn fn);
void setting_override_add(struct setting_override_list *list, const char *name, const char *value);

// Writes or (value NULL) removes the tenant's own value, without checks of privilege or class: for SQL
// handlers, bootstrap and profiles.
CHECKED struct status settings_store(
    struct task *task, uint64_t tenant, const char *name, const char *value);

// SHOW CLUSTER SETTING[S] ... FOR VIRTUAL CLUSTER, by the layer that knows them.
struct statement_context;
struct result_column;
void settings_for_tenant_register(struct status (*describe)(struct statement_context *context,
                                      const struct result_column **columns, uint32_t *count),
    struct status (*show)(struct statement_context *context),
    struct status (*show_all)(struct statement_context *context));

void settings_shard_init(struct shard *shard);
void settings_shard_fini(struct shard *shard);
void settings_statements_register(void);
