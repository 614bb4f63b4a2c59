// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/type_user.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/type/type_ops.h"

struct user_types *(*user_types_current)(uint64_t *tenant);

bool type_is_left_out(const char *name)
{
    static const char *const names[] = {"tsvector", "tsquery", "regconfig", "regdictionary", "refcursor"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

// --- the table -----------------------------------------------------------------------------------------

static void set_infos(struct user_type *type, type_oid oid, const char *name)
{
    enum type_user_kind kind = type_user_kind(oid);
    type->info = (struct type_info){.oid = oid,
        .name = name,
        .sql_name = name,
        .length = kind == TYPE_USER_COMPOSITE ? -1 : 4,
        .category = kind == TYPE_USER_COMPOSITE ? 'C' : kind == TYPE_USER_ENUM ? 'E' : 'U',
        .array = oid | TYPE_USER_ARRAY_BIT};
    struct arena *arena = &type->arena;
    type->array = (struct type_info){.oid = oid | TYPE_USER_ARRAY_BIT,
        .name = arena_printf(arena, "_%s", name),
        .sql_name = arena_printf(arena, "%s[]", name),
        .length = -1,
        .category = 'A',
        .element = oid};
}

static struct user_type *get_or_make(struct user_types *types, uint64_t tenant, type_oid oid)
{
    struct hashmap *of_tenant = hashmap_get_u64(&types->tenants, tenant);
    if (of_tenant == NULL) {
        of_tenant = calloc(1, sizeof *of_tenant);
        invariant(of_tenant != NULL);
        hashmap_put_u64(&types->tenants, tenant, of_tenant);
    }
    struct user_type *type = hashmap_get_u64(of_tenant, oid);
    if (type != NULL) return type;
    type = calloc(1, sizeof *type);
    invariant(type != NULL);
    arena_init(&type->arena, NULL);
    set_infos(type, oid, "???");
    hashmap_put_u64(of_tenant, oid, type);
    return type;
}

static void free_tenant(struct hashmap *of_tenant)
{
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(of_tenant, &cursor)) != NULL) {
        struct user_type *type = each->value;
        arena_fini(&type->arena);
        free(type);
    }
    hashmap_fini(of_tenant);
    free(of_tenant);
}

void user_types_fini(struct user_types *types)
{
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(&types->tenants, &cursor)) != NULL)
        free_tenant(each->value);
    hashmap_fini(&types->tenants);
}

bool user_types_know(const struct user_types *types, uint64_t tenant, type_oid oid)
{
    const struct hashmap *of_tenant = hashmap_get_u64(&types->tenants, tenant);
    const struct user_type *type = of_tenant == NULL ? NULL : hashmap_get_u64(of_tenant, oid);
    return type != NULL && type->version != 0;
}

void user_types_forget(struct user_types *types, uint64_t tenant)
{
    struct hashmap *of_tenant = hashmap_get_u64(&types->tenants, tenant);
    if (of_tenant == NULL) return;
    // The entries stay, because plans may hold their infos; what they say is learnt anew.
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(of_tenant, &cursor)) != NULL)
        ((struct user_type *)each->value)->version = 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct type_label *)a)->name, ((const struct type_label *)b)->name);
}

void user_types_put(struct user_types *types, uint64_t tenant, type_oid oid, uint32_t version,
    const struct user_type_facts *facts)
{
    struct user_type *type = get_or_make(types, tenant, oid);
    uint32_t count = facts->label_count;
    if (type->version == version) return;
    arena_reset(&type->arena);
    struct type_label *by_order = ARENA_ARRAY(&type->arena, struct type_label, count + 1);
    struct type_label *by_name = ARENA_ARRAY(&type->arena, struct type_label, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        by_order[i] = facts->labels[i];
        by_order[i].name = arena_strdup(&type->arena, facts->labels[i].name);
        by_name[i] = by_order[i];
    }
    if (count > 0) qsort(by_name, count, sizeof *by_name, compare_names);
    type->by_order = by_order;
    type->by_name = by_name;
    type->count = count;
    struct type_field *fields =
        ARENA_ARRAY(&type->arena, struct type_field, facts->field_count + 1);
    for (uint32_t i = 0; i < facts->field_count; i++)
        fields[i] = (struct type_field){
            arena_strdup(&type->arena, facts->fields[i].name), facts->fields[i].type,
            facts->fields[i].slot};
    type->fields = fields;
    type->field_count = facts->field_count;
    type->version = version;
    set_infos(type, oid, arena_strdup(&type->arena, facts->name));
}

const struct user_type *type_user(type_oid oid)
{
    static const struct user_type nothing = {
        .info = {.name = "???", .sql_name = "???", .length = 4, .category = 'E'},
        .array = {.name = "???", .sql_name = "???", .length = -1, .category = 'A'}};
    uint64_t tenant;
    struct user_types *types = user_types_current == NULL ? NULL : user_types_current(&tenant);
    if (types == NULL) return &nothing;
    oid &= ~(type_oid)TYPE_USER_ARRAY_BIT;
    return get_or_make(types, tenant, oid);
}

const struct type_label *type_label_of(type_oid oid, int64_t order)
{
    const struct user_type *type = type_user(oid);
    uint32_t low = 0, high = type->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->by_order[middle].order == order) return &type->by_order[middle];
        if (type->by_order[middle].order < order)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct type_label *type_label_named(type_oid oid, struct bytes name)
{
    const struct user_type *type = type_user(oid);
    uint32_t low = 0, high = type->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(bytes_of_string(type->by_name[middle].name), name);
        if (order == 0) return &type->by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// --- values of enums -----------------------------------------------------------------------------------

static struct status enum_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context;
    const struct type_label *label = type_label_named(type.oid, text);
    if (label == NULL)
        return status_format(arena, E_INVALID_TEXT_REPRESENTATION,
            "invalid input value for enum %s: \"%.*s\"", type_user(type.oid)->info.sql_name,
            bytes_shown(text), (const char *)text.data);
    value->integer = label->order;
    return STATUS_OK;
}

static void enum_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context;
    const struct type_label *label = type_label_of(oid, value.integer);
    if (label == NULL)
        type_print_int(out, value.integer);
    else
        buffer_append_string(out, label->name);
}

static struct status enum_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    return enum_input(arena, NULL, type, binary, value);
}

static void enum_send(struct buffer *out, type_oid oid, struct datum value)
{
    enum_output(out, NULL, oid, value);
}

static int enum_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return (a.integer > b.integer) - (a.integer < b.integer);
}

const struct type_ops type_ops_enum = {.storage = TYPE_STORE_INT,
    .input = enum_input,
    .output = enum_output,
    .receive = enum_receive,
    .send = enum_send,
    .compare = enum_compare};
