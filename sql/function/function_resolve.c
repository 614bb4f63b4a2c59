// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which function or operator a call means: the algorithms of PostgreSQL's manual, chapter 10. The steps
// are numbered as there.
#include <stdlib.h>
#include "core/deep.h"
#include "sql/function/function_table.h"
#include "sql/type/range.h"
#include "sql/type/type_user.h"

#define CANDIDATES_MAX 256
#define ARGS_MAX 100

struct candidate {
    const struct function *function;
    struct candidate *next;
    type_oid args[]; // As many as the call has: a variadic tail is spelled out.
};

struct call_types {
    struct arena *arena;
    const char *name;
    const struct type *args;
    uint32_t count;
    bool is_operator;
};

static bool is_polymorphic(type_oid oid)
{
    return oid == TYPE_ANYELEMENT || oid == TYPE_ANYARRAY || oid == TYPE_ANYNONARRAY ||
           oid == TYPE_ANYENUM || oid == TYPE_ANYRANGE || oid == TYPE_ANYMULTIRANGE;
}

static bool is_compatible(type_oid oid)
{
    return oid == TYPE_ANYCOMPATIBLE || oid == TYPE_ANYCOMPATIBLEARRAY ||
           oid == TYPE_ANYCOMPATIBLENONARRAY || oid == TYPE_ANYCOMPATIBLERANGE ||
           oid == TYPE_ANYCOMPATIBLEMULTIRANGE;
}

static bool is_preferred(char category, type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return info != NULL && info->preferred && info->category == category;
}

static char category_of(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return info == NULL ? 'U' : info->category;
}

// --- polymorphic arguments -------------------------------------------------------------------------

struct polymorphs {
    type_oid element, array, range; // What anyelement, anyarray and anyrange stand for; 0: not known.
    type_oid compatible, compatible_array, compatible_range;
};

// The same type wherever it stands.
static bool bind_same(type_oid *bound, type_oid actual)
{
    if (*bound != 0 && *bound != actual) return false;
    *bound = actual;
    return true;
}

// `range` stands for the range type, whose multirange type goes with it.
static bool bind_range(type_oid actual, bool multirange, type_oid *range)
{
    const struct range_type *type = multirange ? multirange_type_of(actual) : range_type_of(actual);
    return type != NULL && bind_same(range, type->range);
}

static bool bind_plain(type_oid declared, type_oid actual, struct polymorphs *bound)
{
    if (declared == TYPE_ANYARRAY) {
        return type_is_array(actual) && bind_same(&bound->array, actual);
    } else if (declared == TYPE_ANYRANGE || declared == TYPE_ANYMULTIRANGE) {
        return bind_range(actual, declared == TYPE_ANYMULTIRANGE, &bound->range);
    } else {
        if (declared == TYPE_ANYNONARRAY && type_is_array(actual)) return false;
        if (declared == TYPE_ANYENUM &&
            !(type_is_user(actual) && type_user_kind(actual) == TYPE_USER_ENUM))
            return false;
        return bind_same(&bound->element, actual);
    }
}

// Finds what the polymorphic arguments stand for; false when they contradict each other.
static bool bind_polymorphs(const struct call_types *call, const type_oid *declared,
    struct polymorphs *bound)
{
    type_oid loose[ARGS_MAX];
    uint32_t loose_count = 0;
    bool has_array = false, has_compatible = false, non_array = false;

    *bound = (struct polymorphs){0};
    for (uint32_t i = 0; i < call->count; i++) {
        type_oid actual = call->args[i].oid;
        if (is_compatible(declared[i])) {
            has_compatible = true;
            if (declared[i] == TYPE_ANYCOMPATIBLENONARRAY) non_array = true;
            if (actual == TYPE_UNKNOWN) continue;
            if (declared[i] == TYPE_ANYCOMPATIBLEARRAY) {
                if (!type_is_array(actual)) return false;
                actual = type_info(actual)->element;
                has_array = true;
            }
            if (declared[i] == TYPE_ANYCOMPATIBLERANGE || declared[i] == TYPE_ANYCOMPATIBLEMULTIRANGE) {
                bool multirange = declared[i] == TYPE_ANYCOMPATIBLEMULTIRANGE;
                if (!bind_range(actual, multirange, &bound->compatible_range)) return false;
                actual = range_type_of(bound->compatible_range)->subtype;
            }
            loose[loose_count++] = actual;
            continue;
        }
        if (!is_polymorphic(declared[i]) || actual == TYPE_UNKNOWN) continue;
        if (!bind_plain(declared[i], actual, bound)) return false;
    }
    if (bound->array != 0 && !bind_same(&bound->element, type_info(bound->array)->element))
        return false;
    if (bound->range != 0 && !bind_same(&bound->element, range_type_of(bound->range)->subtype))
        return false;
    if (bound->array == 0 && bound->element != 0) bound->array = type_array_of(bound->element);
    if (has_compatible) {
        bound->compatible = TYPE_TEXT;
        if (loose_count > 0 &&
            failed(type_common(call->arena, "ARRAY", loose, loose_count, &bound->compatible)))
            return false;
        if (non_array && type_is_array(bound->compatible)) return false;
        bound->compatible_array = type_array_of(bound->compatible);
        if (has_array && bound->compatible_array == 0) return false;
        // There is no cast from one type of range to another.
        if (bound->compatible_range != 0 &&
            range_type_of(bound->compatible_range)->subtype != bound->compatible)
            return false;
    }
    return true;
}

// 0 for 0.
static type_oid multirange_of(type_oid range)
{
    return range == 0 ? 0 : range_type_of(range)->multirange;
}

static type_oid polymorph_value(type_oid declared, const struct polymorphs *bound)
{
    switch (declared) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY:
    case TYPE_ANYENUM: return bound->element;
    case TYPE_ANYARRAY: return bound->array;
    case TYPE_ANYRANGE: return bound->range;
    case TYPE_ANYMULTIRANGE: return multirange_of(bound->range);
    case TYPE_ANYCOMPATIBLE:
    case TYPE_ANYCOMPATIBLENONARRAY: return bound->compatible;
    case TYPE_ANYCOMPATIBLEARRAY: return bound->compatible_array;
    case TYPE_ANYCOMPATIBLERANGE: return bound->compatible_range;
    case TYPE_ANYCOMPATIBLEMULTIRANGE: return multirange_of(bound->compatible_range);
    default: return declared;
    }
}

// --- candidates ----------------------------------------------------------------------------------------

static bool can_coerce(type_oid from, type_oid to)
{
    return from == to || from == TYPE_UNKNOWN || to == TYPE_ANY ||
           cast_find(from, to, CAST_IMPLICIT) != NULL;
}

static bool accepts(const struct call_types *call, const type_oid *declared)
{
    bool generic = false;
    for (uint32_t i = 0; i < call->count; i++) {
        if (is_polymorphic(declared[i]) || is_compatible(declared[i])) {
            generic = true;
        } else if (!can_coerce(call->args[i].oid, declared[i])) {
            return false;
        }
    }
    struct polymorphs bound;
    return !generic || bind_polymorphs(call, declared, &bound);
}

static bool in_schema(const struct function *function, const char *schema)
{
    const char *own = function->schema == NULL ? "pg_catalog" : function->schema;
    if (schema != NULL) return strcmp(own, schema) == 0;
    return strcmp(own, "pg_catalog") == 0 || strcmp(own, "public") == 0;
}

static bool takes_count(const struct function *function, uint32_t count)
{
    if (count + function->default_count < function->arg_count) return false;
    if (function->variadic) return count > 0 || function->default_count > 0;
    return count <= function->arg_count;
}

static struct candidate *make_candidate(
    const struct call_types *call, const struct function *function)
{
    struct candidate *candidate = arena_alloc(
        call->arena, sizeof *candidate + sizeof(type_oid) * (size_t)call->count);
    candidate->function = function;
    candidate->next = NULL;
    for (uint32_t i = 0; i < call->count; i++)
        candidate->args[i] =
            function->args[i < function->arg_count ? i : (uint32_t)function->arg_count - 1];
    return candidate;
}

// Whether the function is one of those asked for: operators, or any of the others.
static bool right_kind(const struct function *function, bool any, enum function_kind kind)
{
    if (any) return function->kind != FUNCTION_OPERATOR;
    return function->kind == kind;
}

struct wanted {
    const char *schema;
    bool any;
    enum function_kind kind;
    const struct function *const *extra;
    uint32_t extra_count;
};

static struct candidate *all_candidates(
    const struct call_types *call, struct wanted wanted, bool *name_exists)
{
    struct candidate *first = NULL, **end = &first;
    const struct function *function = NULL;
    *name_exists = false;
    while ((function = function_next_named(call->name, function)) != NULL) {
        if (!right_kind(function, wanted.any, wanted.kind) || !in_schema(function, wanted.schema))
            continue;
        *name_exists = true;
        if (!takes_count(function, call->count)) continue;
        *end = make_candidate(call, function);
        end = &(*end)->next;
    }
    for (uint32_t i = 0; i < wanted.extra_count; i++) {
        *name_exists = true;
        if (!takes_count(wanted.extra[i], call->count)) continue;
        *end = make_candidate(call, wanted.extra[i]);
        end = &(*end)->next;
    }
    return first;
}

// One that repeats its last argument only when no other takes the same types.
static struct candidate *find_exact(
    const struct call_types *call, struct candidate *all, const type_oid *types)
{
    struct candidate *repeating = NULL;
    for (; all != NULL; all = all->next) {
        if (call->count != 0 &&
            memcmp(all->args, types, sizeof(type_oid) * (size_t)call->count) != 0)
            continue;
        if (!all->function->variadic) return all;
        if (repeating == NULL) repeating = all;
    }
    return repeating;
}

// --- 10.2 step 3, 10.3 step 4: the best of several -------------------------------------------------------

static uint32_t exact_matches(const struct call_types *call, const struct candidate *candidate)
{
    uint32_t matches = 0;
    for (uint32_t i = 0; i < call->count; i++)
        matches += call->args[i].oid != TYPE_UNKNOWN && candidate->args[i] == call->args[i].oid;
    return matches;
}

static uint32_t preferred_matches(const struct call_types *call, const struct candidate *candidate)
{
    uint32_t matches = 0;
    for (uint32_t i = 0; i < call->count; i++) {
        type_oid actual = call->args[i].oid;
        if (actual == TYPE_UNKNOWN) continue;
        matches += candidate->args[i] == actual ||
                   is_preferred(category_of(actual), candidate->args[i]);
    }
    return matches;
}

static struct candidate *keep_best(const struct call_types *call, struct candidate *list,
    uint32_t (*matches_of)(const struct call_types *, const struct candidate *))
{
    struct candidate *kept = NULL, **end = &kept;
    uint32_t best = 0;
    while (list != NULL) {
        struct candidate *next = list->next;
        uint32_t matches = matches_of(call, list);
        if (kept == NULL || matches > best) {
            best = matches;
            kept = list;
            end = &list->next;
        } else if (matches == best) {
            *end = list;
            end = &list->next;
        }
        list = next;
    }
    *end = NULL;
    return kept;
}

// Step 4.e: what category the candidates agree on for an unknown argument, strings winning.
static bool slot_category(
    const struct candidate *list, uint32_t slot, char *category, bool *preferred)
{
    bool conflict = false;
    *category = 0;
    *preferred = false;
    for (; list != NULL; list = list->next) {
        char own = category_of(list->args[slot]);
        bool own_preferred = is_preferred(own, list->args[slot]);
        if (*category == 0 || (own == 'S' && *category != 'S')) {
            *category = own;
            *preferred = own_preferred;
        } else if (own == *category) {
            *preferred = *preferred || own_preferred;
        } else {
            conflict = true;
        }
    }
    return !conflict || *category == 'S';
}

static struct candidate *keep_by_category(const struct call_types *call, struct candidate *list)
{
    char category[ARGS_MAX];
    bool preferred[ARGS_MAX];
    for (uint32_t i = 0; i < call->count; i++) {
        if (call->args[i].oid != TYPE_UNKNOWN) continue;
        if (!slot_category(list, i, &category[i], &preferred[i])) return list;
    }
    struct candidate *kept = NULL, **end = &kept;
    for (struct candidate *at = list; at != NULL; at = at->next) {
        bool keep = true;
        for (uint32_t i = 0; i < call->count && keep; i++) {
            if (call->args[i].oid != TYPE_UNKNOWN) continue;
            keep = category_of(at->args[i]) == category[i] &&
                   (!preferred[i] || is_preferred(category[i], at->args[i]));
        }
        if (!keep) continue;
        *end = make_candidate(call, at->function);
        end = &(*end)->next;
    }
    return kept == NULL ? list : kept;
}

// Step 4.f: unknown arguments are taken to be of the known ones' type, when those are all of one.
static struct candidate *by_known_type(const struct call_types *call, struct candidate *list)
{
    type_oid known = TYPE_UNKNOWN;
    for (uint32_t i = 0; i < call->count; i++) {
        type_oid actual = call->args[i].oid;
        if (actual == TYPE_UNKNOWN) continue;
        if (known != TYPE_UNKNOWN && known != actual) return NULL;
        known = actual;
    }
    if (known == TYPE_UNKNOWN) return NULL;

    struct type *same = ARENA_ARRAY(call->arena, struct type, call->count);
    for (uint32_t i = 0; i < call->count; i++)
        same[i] = TYPE_OF(known);
    struct call_types assumed = *call;
    assumed.args = same;
    struct candidate *only = NULL;
    for (; list != NULL; list = list->next) {
        if (!accepts(&assumed, list->args)) continue;
        if (only != NULL) return NULL;
        only = list;
    }
    return only;
}

// NULL: none is best.
static struct candidate *select_candidate(const struct call_types *call, struct candidate *list)
{
    bool unknown = false;
    for (uint32_t i = 0; i < call->count; i++)
        unknown = unknown || call->args[i].oid == TYPE_UNKNOWN;
    list = keep_best(call, list, exact_matches);
    if (list->next == NULL) return list;
    list = keep_best(call, list, preferred_matches);
    if (list->next == NULL) return list;
    if (!unknown) return NULL;
    list = keep_by_category(call, list);
    if (list->next == NULL) return list;
    return by_known_type(call, list);
}

// --- errors ----------------------------------------------------------------------------------------------

static char *call_text(const struct call_types *call)
{
    struct buffer text;
    buffer_init(&text, call->arena);
    for (uint32_t i = 0; i < call->count; i++) {
        const struct type_info *info = type_info(call->args[i].oid);
        const char *name = info == NULL ? "???" : info->sql_name;
        if (call->is_operator) {
            if (call->count == 1)
                buffer_printf(&text, "%s ", call->name);
            else if (i == 1)
                buffer_printf(&text, " %s ", call->name);
            buffer_append_string(&text, name);
        } else {
            buffer_printf(&text, "%s%s", i == 0 ? "" : ", ", name);
        }
    }
    if (call->is_operator) return buffer_string(&text);
    return arena_printf(call->arena, "%s(%s)", call->name, buffer_string(&text));
}

// Functions of full-text search, which is refused as a whole (tsvector is no type here).
static bool is_full_text(const char *name)
{
    static const char *const names[] = {"array_to_tsvector", "get_current_ts_config",
        "json_to_tsvector", "jsonb_to_tsvector", "numnode", "phraseto_tsquery", "plainto_tsquery",
        "querytree", "setweight", "strip", "to_tsquery", "to_tsvector", "ts_debug", "ts_delete",
        "ts_filter", "ts_headline", "ts_lexize", "ts_parse", "ts_rank", "ts_rank_cd", "ts_rewrite",
        "ts_stat", "ts_token_type", "tsquery_phrase", "tsvector_to_array", "websearch_to_tsquery"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static struct status error_none(const struct call_types *call, bool name_exists)
{
    const char *kind = call->is_operator ? "operator" : "function";
    if (!call->is_operator && !name_exists && is_full_text(call->name))
        return status_format(call->arena, E_FEATURE_NOT_SUPPORTED,
            "full-text search (function %s) is not supported", call_text(call));
    struct status st = call->is_operator
        ? status_format(call->arena, E_UNDEFINED_FUNCTION, "operator does not exist: %s",
              call_text(call))
        : status_format(call->arena, E_UNDEFINED_FUNCTION, "function %s does not exist",
              call_text(call));
    if (call->is_operator && call->count == 1)
        return status_hint(call->arena, st,
            "No operator matches the given name and argument type. You might need to add an "
            "explicit "
            "type cast.");
    return status_hint(call->arena, st,
        "No %s matches the given name and argument types. You might need to add explicit type "
        "casts.",
        kind);
}

struct status function_of_other_kind(struct arena *arena, const char *name,
    const struct type *args, uint32_t count, bool calling)
{
    struct call_types call = {arena, name, args, count, false};
    struct status st = status_format(arena, E_WRONG_OBJECT_TYPE,
        calling ? "%s is not a procedure" : "%s is a procedure", call_text(&call));
    return status_hint(arena, st,
        calling ? "To call a function, use SELECT." : "To call a procedure, use CALL.");
}

struct status function_no_procedure(
    struct arena *arena, const char *name, const struct type *args, uint32_t count)
{
    struct call_types call = {arena, name, args, count, false};
    return status_hint(arena,
        status_format(arena, E_UNDEFINED_FUNCTION, "procedure %s does not exist", call_text(&call)),
        "No procedure matches the given name and argument types. You might need to add explicit "
        "type casts.");
}

static struct status error_ambiguous(const struct call_types *call)
{
    const char *kind = call->is_operator ? "operator" : "function";
    struct status st = call->is_operator
        ? status_format(call->arena, E_AMBIGUOUS_FUNCTION, "operator is not unique: %s",
              call_text(call))
        : status_format(call->arena, E_AMBIGUOUS_FUNCTION, "function %s is not unique",
              call_text(call));
    return status_hint(call->arena, st,
        "Could not choose a best candidate %s. You might need to add explicit type casts.", kind);
}

// --- the whole ---------------------------------------------------------------------------------------------

static struct status finish(const struct call_types *call, const struct candidate *candidate,
    struct function_match *match)
{
    struct polymorphs bound;
    const struct function *function = candidate->function;
    if (!bind_polymorphs(call, candidate->args, &bound)) return error_none(call, true);

    match->function = function;
    match->args = ARENA_ARRAY(call->arena, type_oid, call->count);
    for (uint32_t i = 0; i < call->count; i++) {
        type_oid type = polymorph_value(candidate->args[i], &bound);
        if (type == TYPE_ANY) type = call->args[i].oid;
        if (type == 0)
            return status_make(E_DATATYPE_MISMATCH,
                "could not determine polymorphic type because input has type unknown");
        match->args[i] = type;
    }
    type_oid result = polymorph_value(function->result, &bound);
    if (result == 0)
        return status_make(E_DATATYPE_MISMATCH,
            "could not determine polymorphic type because input has type unknown");
    match->result = TYPE_OF(result);
    if (function->typmod != NULL) match->result.typmod = function->typmod(call->args, call->count);
    return STATUS_OK;
}

// Functions first, then operators: an operator with one unknown side is first looked for with both
// sides of the known type (10.2, step 2.a).
static struct candidate *exact_or_assumed(const struct call_types *call, struct candidate *all)
{
    type_oid types[ARGS_MAX];
    for (uint32_t i = 0; i < call->count; i++)
        types[i] = call->args[i].oid;
    struct candidate *exact = find_exact(call, all, types);
    if (exact != NULL || !call->is_operator || call->count != 2) return exact;
    if ((types[0] == TYPE_UNKNOWN) == (types[1] == TYPE_UNKNOWN)) return NULL;
    types[0] = types[1] = types[0] == TYPE_UNKNOWN ? types[1] : types[0];
    return find_exact(call, all, types);
}

static struct status resolve(
    const struct call_types *call, struct wanted wanted, struct function_match *match)
{
    bool name_exists;
    *match = (struct function_match){0};
    if (call->count > ARGS_MAX)
        return status_format(call->arena, E_TOO_MANY_ARGUMENTS,
            "cannot pass more than %d arguments to a function", ARGS_MAX);
    struct candidate *all = all_candidates(call, wanted, &name_exists);
    struct candidate *chosen = exact_or_assumed(call, all);
    if (chosen == NULL) {
        struct candidate *possible = NULL, **end = &possible;
        for (struct candidate *next; all != NULL; all = next) {
            next = all->next;
            if (!accepts(call, all->args)) continue;
            *end = all;
            end = &all->next;
            *end = NULL;
        }
        if (possible == NULL) return error_none(call, name_exists);
        chosen = possible->next == NULL ? possible : select_candidate(call, possible);
        if (chosen == NULL) return error_ambiguous(call);
    }
    return finish(call, chosen, match);
}

#define RESOLVE_STEPS 16u // What a call counts for with deep_goes_on.
struct status function_resolve(struct arena *arena, enum function_kind kind, const char *schema,
    const char *name, const struct type *args, uint32_t count, struct function_match *match)
{
    struct call_types call = {arena, name, args, count, kind == FUNCTION_OPERATOR};
    (void)deep_goes_on(RESOLVE_STEPS);
    return resolve(&call, (struct wanted){.schema = schema, .kind = kind}, match);
}

struct status function_resolve_any(struct arena *arena, const char *schema, const char *name,
    const struct function *const *extra, uint32_t extra_count, const struct type *args,
    uint32_t count, struct function_match *match)
{
    struct call_types call = {arena, name, args, count, false};
    struct wanted wanted = {schema, true, FUNCTION_SCALAR, extra, extra_count};
    return resolve(&call, wanted, match);
}

// --- 10.5 ------------------------------------------------------------------------------------------------------

struct status type_common(
    struct arena *arena, const char *what, const type_oid *types, uint32_t count, type_oid *common)
{
    type_oid best = TYPE_UNKNOWN;
    for (uint32_t i = 0; i < count; i++) {
        type_oid next = types[i];
        if (next == TYPE_UNKNOWN || next == best) continue;
        if (best == TYPE_UNKNOWN) {
            best = next;
            continue;
        }
        const struct type_info *a = type_info(best), *b = type_info(next);
        if (a == NULL || b == NULL || a->category != b->category)
            return status_format(arena, E_DATATYPE_MISMATCH, "%s types %s and %s cannot be matched",
                what, a == NULL ? "???" : a->sql_name, b == NULL ? "???" : b->sql_name);
        if (!a->preferred && can_coerce(best, next) && !can_coerce(next, best)) best = next;
    }
    if (best == TYPE_UNKNOWN) best = TYPE_TEXT;
    for (uint32_t i = 0; i < count; i++) {
        if (can_coerce(types[i], best)) continue;
        return status_format(arena, E_CANNOT_COERCE, "%s could not convert type %s to %s", what,
            type_info(types[i])->sql_name, type_info(best)->sql_name);
    }
    *common = best;
    return STATUS_OK;
}

// --- by id -----------------------------------------------------------------------------------------------------

#define REFERENCE "pg_routine_" // No schema is called so: names that begin with pg_ are reserved.

const char *function_reference(struct arena *arena, uint32_t id)
{
    return arena_printf(arena, REFERENCE "%u", id);
}

bool function_in_text(const char *sql)
{
    return sql != NULL && strstr(sql, REFERENCE) != NULL;
}

bool function_is_reference(const char *schema, uint32_t *id)
{
    const size_t size = sizeof REFERENCE - 1;
    if (schema == NULL || strncmp(schema, REFERENCE, size) != 0) return false;
    char *end;
    *id = (uint32_t)strtoul(schema + size, &end, 10);
    return *end == '\0';
}
