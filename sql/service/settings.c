// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/log.h"
#include "sql/service/announce.h"
#include "sql/service/settings.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/text.h"
#include "kv/key.h"
#include "sql/session/internal.h"

#define RELOAD_ATTEMPTS 100u
#define RELOAD_RETRY_NS UINT64_C(200000000)

#define SETTINGS_MAX 1024u

static const struct setting *registry[SETTINGS_MAX]; // In the order of names.
static uint32_t registry_count;
static settings_override_fn override_fn;

// What this shard knows of one tenant. Values are NULL where there is none.
struct tenant_settings {
    uint64_t tenant;
    uint64_t epoch;
    bool loaded;
    struct arena arena; // Of the values; replaced whole.
    const char **own, **overrides;
};

struct settings_shard {
    struct hashmap tenants;
};

void settings_register(const struct setting *table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < registry_count && strcmp(registry[at]->name, table[i].name) < 0)
            at++;
        if (at < registry_count && strcmp(registry[at]->name, table[i].name) == 0) {
            // Two layers may describe the same setting; the first one is it.
            continue;
        }
        invariant(registry_count < SETTINGS_MAX);
        memmove(&registry[at + 1], &registry[at], (registry_count - at) * sizeof registry[0]);
        registry[at] = &table[i];
        registry_count++;
    }
}

static bool find_index(const char *name, uint32_t *index)
{
    uint32_t low = 0, high = registry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(registry[middle]->name, name);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const struct setting *setting_find(const char *name, bool *by_alias)
{
    uint32_t index;
    if (by_alias != NULL) *by_alias = false;
    if (find_index(name, &index)) return registry[index];
    for (uint32_t i = 0; i < registry_count; i++) {
        if (registry[i]->alias == NULL || strcmp(registry[i]->alias, name) != 0) continue;
        if (by_alias != NULL) *by_alias = true;
        return registry[i];
    }
    return NULL;
}

const struct setting *setting_at(uint32_t index)
{
    return index < registry_count ? registry[index] : NULL;
}

void settings_override_register(settings_override_fn fn)
{
    override_fn = fn;
}

// --- the shard's cache ---------------------------------------------------------------------------------

void settings_shard_init(struct shard *shard)
{
    struct settings_shard *state = calloc(1, sizeof *state);
    invariant(state != NULL);
    shard->slots[SHARD_SLOT_SETTINGS] = state;
}

void settings_shard_fini(struct shard *shard)
{
    struct settings_shard *state = shard->slots[SHARD_SLOT_SETTINGS];
    if (state == NULL) return;
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(&state->tenants, &cursor)) != NULL) {
        struct tenant_settings *tenant = each->value;
        arena_fini(&tenant->arena);
        free(tenant);
    }
    hashmap_fini(&state->tenants);
    free(state);
    shard->slots[SHARD_SLOT_SETTINGS] = NULL;
}

static struct tenant_settings *find_tenant(struct shard *shard, uint64_t tenant)
{
    struct settings_shard *state = shard->slots[SHARD_SLOT_SETTINGS];
    return state == NULL ? NULL : hashmap_get_u64(&state->tenants, tenant);
}

static struct tenant_settings *tenant_of(struct shard *shard, uint64_t id)
{
    struct tenant_settings *tenant = find_tenant(shard, id);
    if (tenant != NULL) return tenant;
    struct settings_shard *state = shard->slots[SHARD_SLOT_SETTINGS];
    invariant(state != NULL);
    tenant = calloc(1, sizeof *tenant);
    invariant(tenant != NULL);
    tenant->tenant = id;
    arena_init(&tenant->arena, &shard->account);
    hashmap_put_u64(&state->tenants, id, tenant);
    return tenant;
}

const char *setting_value(struct shard *shard, uint64_t tenant, const struct setting *setting,
    enum setting_origin *origin)
{
    enum setting_origin ignored;
    uint32_t index = 0;
    if (origin == NULL) origin = &ignored;
    *origin = SETTING_FROM_DEFAULT;
    bool known = find_index(setting->name, &index);
    invariant(known);
    const struct tenant_settings *own = find_tenant(shard, tenant);
    if (own != NULL && own->loaded) {
        if (own->overrides[index] != NULL) {
            *origin = SETTING_FROM_OVERRIDE;
            return own->overrides[index];
        }
        if (own->own[index] != NULL &&
            (setting->class == SETTING_APPLICATION || tenant == TENANT_SYSTEM)) {
            *origin = SETTING_FROM_OWN;
            return own->own[index];
        }
    }
    if (setting->class != SETTING_APPLICATION && tenant != TENANT_SYSTEM) {
        const struct tenant_settings *system = find_tenant(shard, TENANT_SYSTEM);
        if (system != NULL && system->loaded && system->own[index] != NULL) {
            *origin = SETTING_FROM_SYSTEM;
            return system->own[index];
        }
    }
    return setting->default_value;
}

static const char *value_of(struct shard *shard, uint64_t tenant, const char *name)
{
    const struct setting *setting = setting_find(name, NULL);
    invariant(setting != NULL); // Code asks for settings that it registered.
    return setting_value(shard, tenant, setting, NULL);
}

bool settings_bool(struct shard *shard, uint64_t tenant, const char *name)
{
    bool value = false;
    text_parse_bool(bytes_of_string(value_of(shard, tenant, name)), &value);
    return value;
}

int64_t settings_int(struct shard *shard, uint64_t tenant, const char *name)
{
    int64_t value = 0;
    text_parse_i64(bytes_of_string(value_of(shard, tenant, name)), &value);
    return value;
}

double settings_float(struct shard *shard, uint64_t tenant, const char *name)
{
    double value = 0;
    text_parse_double(bytes_of_string(value_of(shard, tenant, name)), &value);
    return value;
}

uint64_t settings_duration_ns(struct shard *shard, uint64_t tenant, const char *name)
{
    int64_t value = 0;
    text_parse_duration(bytes_of_string(value_of(shard, tenant, name)), 1000000000, &value);
    return value < 0 ? 0 : (uint64_t)value;
}

uint64_t settings_bytes(struct shard *shard, uint64_t tenant, const char *name)
{
    uint64_t value = 0;
    text_parse_size(bytes_of_string(value_of(shard, tenant, name)), (struct size_rules){0}, &value);
    return value;
}

const char *settings_string(struct shard *shard, uint64_t tenant, const char *name)
{
    return value_of(shard, tenant, name);
}

// --- loading -------------------------------------------------------------------------------------------

struct setting_override_list {
    struct arena *arena;
    const char **values;
};

void setting_override_add(struct setting_override_list *list, const char *name, const char *value)
{
    const struct setting *setting = setting_find(name, NULL);
    uint32_t index;
    if (setting == NULL || !find_index(setting->name, &index)) return; // Of a newer version.
    list->values[index] = arena_strdup(list->arena, value);
}

static struct status read_values(struct task *task, uint64_t tenant, struct arena *arena,
    const char ***own, const char ***overrides)
{
    struct status st = STATUS_OK;
    struct internal_result result;

    *own = ARENA_ARRAY(arena, const char *, registry_count);
    *overrides = ARENA_ARRAY(arena, const char *, registry_count);
    TRY(internal_query(task, tenant, NULL, arena, &result,
        "SELECT name, value FROM system.public.settings", 0, NULL, NULL));
    for (uint64_t i = 0; i < result.row_count; i++) {
        uint32_t index;
        const char *name = arena_string(arena, datum_as_bytes(internal_value(&result, i, 0)));
        const struct setting *setting = setting_find(name, NULL);
        if (setting == NULL || !find_index(setting->name, &index)) continue;
        (*own)[index] = arena_string(arena, datum_as_bytes(internal_value(&result, i, 1)));
    }
    struct setting_override_list list = {.arena = arena, .values = *overrides};
    if (override_fn != NULL && tenant != TENANT_SYSTEM) TRY(override_fn(task, tenant, &list));
out:
    return st;
}

static void call_changed(struct shard *shard, uint64_t tenant)
{
    for (uint32_t i = 0; i < registry_count; i++) {
        if (registry[i]->changed != NULL) registry[i]->changed(shard, tenant, registry[i]);
    }
}

static struct status reload(struct task *task, uint64_t id)
{
    struct status st = STATUS_OK;
    struct arena arena;
    const char **own, **overrides;

    arena_init(&arena, &task->shard->account);
    for (;;) {
        struct tenant_settings *tenant = tenant_of(task->shard, id);
        uint64_t epoch = tenant->epoch;
        TRY(read_values(task, id, &arena, &own, &overrides));
        tenant = tenant_of(task->shard, id);
        if (tenant->epoch == epoch) {
            struct arena former = tenant->arena;
            tenant->arena = arena;
            tenant->own = own;
            tenant->overrides = overrides;
            tenant->loaded = true;
            arena_fini(&former);
            call_changed(task->shard, id);
            return STATUS_OK;
        }
        // Something changed while it was read: what was read may be from before.
        arena_reset(&arena);
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status settings_load(struct task *task, uint64_t tenant)
{
    struct status st = STATUS_OK;
    const struct tenant_settings *known = find_tenant(task->shard, tenant);
    if (tenant != TENANT_SYSTEM) {
        const struct tenant_settings *system = find_tenant(task->shard, TENANT_SYSTEM);
        if (system == NULL || !system->loaded) TRY(reload(task, TENANT_SYSTEM));
    }
    if (known == NULL || !known->loaded) TRY(reload(task, tenant));
out:
    return st;
}

void settings_forget(struct shard *shard, uint64_t id)
{
    struct tenant_settings *tenant = find_tenant(shard, id);
    if (tenant == NULL) return;
    tenant->epoch++;
    tenant->loaded = false;
    tenant->own = tenant->overrides = NULL;
    arena_reset(&tenant->arena);
}

static struct status announce_here(struct task *task, uint64_t changed)
{
    struct status st = STATUS_OK;
    struct settings_shard *state = task->shard->slots[SHARD_SLOT_SETTINGS];
    uint32_t cursor = 0;
    struct hashmap_entry *each;

    while ((each = hashmap_next(&state->tenants, &cursor)) != NULL) {
        struct tenant_settings *tenant = each->value;
        if (changed == 0 || tenant->tenant == changed) {
            tenant->epoch++;
            TRY(reload(task, tenant->tenant));
        } else if (changed == TENANT_SYSTEM) {
            // System-visible settings of the system virtual cluster reach everybody.
            call_changed(task->shard, tenant->tenant);
        }
    }
out:
    return st;
}

static struct status settings_heard(struct task *task, struct bytes body)
{
    uint64_t tenant;
    if (!announced_u64(body, &tenant)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_SETTINGS] == NULL) return STATUS_OK; // Reads them when it starts.
    return announce_here(task, tenant);
}

static struct status reload_all(struct task *task, void *arg)
{
    (void)arg;
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < RELOAD_ATTEMPTS; attempt++) {
        if (task->shard->slots[SHARD_SLOT_SETTINGS] == NULL) break;
        st = announce_here(task, 0);
        if (!failed(st)) break;
        TRY(task_sleep(task, RELOAD_RETRY_NS));
    }
out:
    return st;
}

// What there is stays in use until it is read anew.
static void settings_reset(struct shard *shard)
{
    struct task_options options = {.fn = reload_all, .kind = "settings reload", .class = TASK_DEFAULT};
    if (shard->slots[SHARD_SLOT_SETTINGS] == NULL) return;
    struct status st = task_start(shard, &options);
    if (failed(st)) log_warning(0, "settings are not read anew: %s", st.message);
}

static const struct cluster_announcement announcement = {.id = ANNOUNCE_SETTINGS,
    .name = "a change of settings",
    .heard = settings_heard,
    .reset = settings_reset};

void settings_announcements_register(void)
{
    cluster_announcement_register(&announcement);
}

struct status settings_announce(struct task *task, uint64_t tenant)
{
    return announce_u64(task, ANNOUNCE_SETTINGS, tenant);
}

struct status settings_store(
    struct task *task, uint64_t tenant, const char *name, const char *value)
{
    struct datum params[] = {datum_text(name), value == NULL ? DATUM_NULL : datum_text(value)};
    const type_oid types[] = {TYPE_TEXT, TYPE_TEXT};
    if (value == NULL)
        return internal_query(task, tenant, NULL, task->arena, NULL,
            "DELETE FROM system.public.settings WHERE name = $1", 1, params, types);
    return internal_query(task, tenant, NULL, task->arena, NULL,
        "INSERT INTO system.public.settings (name, value, last_updated) VALUES ($1, $2, now()) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, "
        "last_updated = excluded.last_updated",
        2, params, types);
}

// --- values as text --------------------------------------------------------------------------------------

static struct status bad_value(struct arena *arena, const struct setting *setting, const char *text)
{
    static const struct {
        enum setting_type type;
        const char *what;
    } kinds[] = {{SETTING_BOOL, "a Boolean"}, {SETTING_INT, "an integer"},
        {SETTING_FLOAT, "a number"}, {SETTING_DURATION, "a duration"},
        {SETTING_BYTES, "a size in bytes"}, {SETTING_ENUM, "one of its choices"}};
    const char *what = "valid";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].type == setting->type) what = kinds[i].what;
    }
    struct status st = status_format(arena, E_INVALID_PARAMETER_VALUE,
        "invalid value for cluster setting \"%s\": \"%s\" is not %s", setting->name, text, what);
    if (setting->type != SETTING_ENUM) return st;
    struct buffer choices;
    buffer_init(&choices, arena);
    for (uint32_t i = 0; setting->choices[i] != NULL; i++)
        buffer_printf(&choices, "%s%s", i == 0 ? "" : ", ", setting->choices[i]);
    return status_hint(arena, st, "Available values: %s.", buffer_string(&choices));
}

static struct status check_range(
    struct arena *arena, const struct setting *setting, double value, const char *text)
{
    if (setting->maximum <= setting->minimum) return STATUS_OK;
    if (value >= setting->minimum && value <= setting->maximum) return STATUS_OK;
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        "invalid value for cluster setting \"%s\": %s is out of range", setting->name, text);
}

// Sizes are shown rounded; what would lose by it stays a number.
static const char *size_text(struct arena *arena, uint64_t bytes)
{
    struct buffer out;
    uint64_t again = 0;
    buffer_init(&out, arena);
    text_format_size(&out, bytes);
    if (text_parse_size(buffer_bytes(&out), (struct size_rules){0}, &again) && again == bytes)
        return buffer_string(&out);
    return arena_printf(arena, "%llu", (unsigned long long)bytes);
}

static const char *choice(const struct setting *setting, const char *text)
{
    for (uint32_t i = 0; setting->choices != NULL && setting->choices[i] != NULL; i++) {
        if (string_equal_nocase(setting->choices[i], text)) return setting->choices[i];
    }
    return NULL;
}

struct status setting_parse(
    struct arena *arena, const struct setting *setting, const char *text, const char **canonical)
{
    struct status st = STATUS_OK;
    struct bytes bytes = text_trim(bytes_of_string(text));
    struct buffer out;
    bool flag;
    int64_t integer;
    uint64_t size;
    double number = 0;

    buffer_init(&out, arena);
    switch (setting->type) {
    case SETTING_BOOL:
        if (!text_parse_bool(bytes, &flag)) return bad_value(arena, setting, text);
        *canonical = flag ? "true" : "false";
        break;
    case SETTING_INT:
        if (!text_parse_i64(bytes, &integer)) return bad_value(arena, setting, text);
        number = (double)integer;
        *canonical = arena_printf(arena, "%lld", (long long)integer);
        break;
    case SETTING_FLOAT:
        if (!text_parse_double(bytes, &number)) return bad_value(arena, setting, text);
        *canonical = arena_printf(arena, "%.17g", number);
        for (int digits = 1; digits < 17; digits++) {
            double again;
            const char *shorter = arena_printf(arena, "%.*g", digits, number);
            if (!text_parse_double(bytes_of_string(shorter), &again) || again != number) continue;
            *canonical = shorter;
            break;
        }
        break;
    case SETTING_DURATION:
        if (!text_parse_duration(bytes, 1000000000, &integer) || integer < 0)
            return bad_value(arena, setting, text);
        number = (double)integer;
        text_format_duration(&out, integer);
        *canonical = buffer_string(&out);
        break;
    case SETTING_BYTES:
        if (!text_parse_size(bytes, (struct size_rules){0}, &size))
            return bad_value(arena, setting, text);
        number = (double)size;
        *canonical = size_text(arena, size);
        break;
    case SETTING_ENUM:
        *canonical = choice(setting, arena_string(arena, bytes));
        if (*canonical == NULL) return bad_value(arena, setting, text);
        break;
    case SETTING_STRING:
    case SETTING_VERSION: *canonical = arena_strdup(arena, text); break;
    }
    if (setting->type != SETTING_STRING && setting->type != SETTING_VERSION)
        TRY(check_range(arena, setting, number, text));
    if (setting->validate != NULL) TRY(setting->validate(arena, *canonical));
out:
    return st;
}
