// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/collation.h"

#include <stdlib.h>
#include <unicode/ucasemap.h>
#include <unicode/ucol.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>
#include <xxhash.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/task.h"
#include "core/text.h"
#include "core/work.h"
#include "sql/type/array.h"
#include "sql/type/collation_order.h"
#include "sql/type/type_ops.h"

#define BUILT_IN_MAX 1200u
#define ICU_ID_BASE 12000u // Built-in ones of ICU, in order of name.
#define SHORT_TEXT 256
#define LONG_TEXT 65536u         // From here on texts are compared in steps.

struct known {
    struct collation collation;
    const char *definition;
    UCollator *collator; // NULL: not opened yet, or there is none.
    UCaseMap *case_map;
    USet *inner; // Of code points (sql/type/collation_order.h); NULL: no long texts were compared yet.
};

struct collations {
    struct arena arena;
    struct hashmap by_definition;
    struct known *items[COLLATIONS_MAX];
    uint32_t count;
};

struct collations **(*collations_current)(void);

static struct collations *current(void)
{
    static struct collations *outside; // Of programs without shards.
    struct collations **table = collations_current == NULL ? &outside : collations_current();
    if (table == NULL) table = &outside;
    if (*table == NULL) {
        *table = calloc(1, sizeof **table);
        invariant(*table != NULL);
        arena_init(&(*table)->arena, NULL);
    }
    return *table;
}

void collations_fini(struct collations *collations)
{
    if (collations == NULL) return;
    for (uint32_t i = 0; i < collations->count; i++) {
        if (collations->items[i]->collator != NULL) ucol_close(collations->items[i]->collator);
        if (collations->items[i]->case_map != NULL) ucasemap_close(collations->items[i]->case_map);
        uset_close(collations->items[i]->inner);
    }
    hashmap_fini(&collations->by_definition);
    arena_fini(&collations->arena);
    free(collations);
}

// --- definitions -------------------------------------------------------------------------------------

const char *collation_definition(struct arena *arena, const struct collation *collation)
{
    return arena_printf(arena, "%u %c %c %s %s", collation->id, collation->provider,
        collation->deterministic ? 'd' : 'n', collation->locale, collation->name);
}

uint32_t collation_definition_id(const char *definition)
{
    return definition == NULL ? 0 : (uint32_t)strtoul(definition, NULL, 10);
}

bool collation_parse(struct arena *arena, const char *definition, struct collation *collation)
{
    char *rest;
    unsigned long id = strtoul(definition, &rest, 10);
    if (rest == definition || id > UINT32_MAX || rest[0] != ' ' || rest[1] == 0 || rest[2] != ' ' ||
        rest[3] == 0 || rest[4] != ' ')
        return false;
    const char *locale = rest + 5, *end = strchr(locale, ' ');
    if (end == NULL) return false;
    *collation = (struct collation){.id = (uint32_t)id,
        .provider = (enum collation_provider)rest[1],
        .deterministic = rest[3] != 'n',
        .locale = arena_string(arena, bytes_of(locale, (size_t)(end - locale))),
        .name = arena_strdup(arena, end + 1)};
    return true;
}

uint32_t collation_number(const char *definition)
{
    if (definition == NULL) return COLLATION_NONE;
    struct collations *table = current();
    struct bytes key = bytes_of_string(definition);
    struct known *known = hashmap_get(&table->by_definition, key);
    if (known == NULL) {
        if (table->count == COLLATIONS_MAX) return COLLATION_CONFLICT;
        known = ARENA_NEW(&table->arena, struct known);
        known->definition = arena_strdup(&table->arena, definition);
        if (!collation_parse(&table->arena, definition, &known->collation)) return COLLATION_NONE;
        table->items[table->count++] = known;
        hashmap_put(&table->by_definition, bytes_of_string(known->definition), known);
    }
    if (known->collation.provider == COLLATION_DEFAULT) return COLLATION_NONE;
    for (uint32_t i = 0; i < table->count; i++)
        if (table->items[i] == known) return i + 1;
    return COLLATION_NONE;
}

static struct known *known_of(uint32_t number)
{
    struct collations *table = current();
    return number == 0 || number > table->count ? NULL : table->items[number - 1];
}

const struct collation *collation_of(uint32_t number)
{
    struct known *known = known_of(number);
    return known == NULL ? NULL : &known->collation;
}

const char *collation_definition_of(uint32_t number)
{
    struct known *known = known_of(number);
    return known == NULL ? NULL : known->definition;
}

bool collation_is_ascii(uint32_t number)
{
    const struct collation *found = collation_is_set(number) ? collation_of(number) : NULL;
    return found != NULL && found->provider == COLLATION_LIBC &&
           (strcmp(found->locale, "C") == 0 || strcmp(found->locale, "POSIX") == 0);
}

bool collation_is_icu(uint32_t number)
{
    struct known *known = collation_is_set(number) ? known_of(number) : NULL;
    return known != NULL && known->collation.provider == COLLATION_ICU;
}

bool collation_is_deterministic(uint32_t number)
{
    struct known *known = collation_is_set(number) ? known_of(number) : NULL;
    return known == NULL || known->collation.deterministic;
}

// --- what ICU has ------------------------------------------------------------------------------------

// The list is the same for all: made once, by the first who asks, before there is a second shard.
static struct collation built_in[BUILT_IN_MAX];
static uint32_t built_in_count;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct collation *)a)->name, ((const struct collation *)b)->name);
}

static void add_built_in(struct collation collation)
{
    if (built_in_count < BUILT_IN_MAX) built_in[built_in_count++] = collation;
}

static void list_built_in(void)
{
    static struct arena names;
    char tag[ULOC_FULLNAME_CAPACITY];
    arena_init(&names, NULL);
    for (int32_t i = -1; i < uloc_countAvailable(); i++) {
        UErrorCode error = U_ZERO_ERROR;
        if (i >= 0) uloc_toLanguageTag(uloc_getAvailable(i), tag, sizeof tag, true, &error);
        else strcpy(tag, "und");
        if (U_FAILURE(error)) continue;
        const char *locale = arena_strdup(&names, tag);
        add_built_in((struct collation){.provider = COLLATION_ICU,
            .deterministic = true,
            .locale = locale,
            .name = arena_printf(&names, "%s-x-icu", tag)});
    }
    qsort(built_in, built_in_count, sizeof built_in[0], compare_names);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < built_in_count; i++)
        if (kept == 0 || strcmp(built_in[i].name, built_in[kept - 1].name) != 0)
            built_in[kept++] = built_in[i];
    built_in_count = kept;
    for (uint32_t i = 0; i < built_in_count; i++) built_in[i].id = ICU_ID_BASE + i;
    static const struct collation others[] = {
        {COLLATION_ID_DEFAULT, COLLATION_DEFAULT, true, "", "default"},
        {COLLATION_ID_C, COLLATION_LIBC, true, "C", "C"},
        {COLLATION_ID_POSIX, COLLATION_LIBC, true, "POSIX", "POSIX"},
        {962, COLLATION_LIBC, true, "C", "ucs_basic"},
        {11999, COLLATION_LIBC, true, "C.UTF-8", "C.utf8"},
        {11998, COLLATION_LIBC, true, "C.UTF-8", "C.UTF-8"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) add_built_in(others[i]);
}

const struct collation *collation_built_in(uint32_t index)
{
    if (built_in_count == 0) list_built_in();
    return index < built_in_count ? &built_in[index] : NULL;
}

const struct collation *collation_built_in_named(const char *name)
{
    const struct collation *each;
    for (uint32_t i = 0; (each = collation_built_in(i)) != NULL; i++)
        if (strcmp(each->name, name) == 0) return each;
    return NULL;
}

struct opening {
    const char *locale;
    UCollator *collator;
    UErrorCode error;
};

// ICU reads its data with deep calls.
static void open_on_stack(void *arg)
{
    struct opening *opening = arg;
    opening->error = U_ZERO_ERROR;
    opening->collator = ucol_open(opening->locale, &opening->error);
}

struct status collation_check_locale(struct arena *arena, const char *locale)
{
    struct opening opening = {.locale = locale};
    stack_call(open_on_stack, &opening);
    if (opening.collator != NULL) ucol_close(opening.collator);
    if (U_FAILURE(opening.error))
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "could not open collator for locale \"%s\": %s", locale, u_errorName(opening.error));
    return STATUS_OK;
}

static UCollator *collator_of(struct known *known)
{
    if (known->collator == NULL) {
        struct opening opening = {.locale = known->collation.locale};
        stack_call(open_on_stack, &opening);
        // Its locale was opened when it was made: without the data that it had then there is no order.
        invariant(opening.collator != NULL);
        known->collator = opening.collator;
    }
    return known->collator;
}

// --- ids of types ------------------------------------------------------------------------------------

static const type_oid plain_types[] = {TYPE_TEXT, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_NAME,
    TYPE_TEXT_ARRAY, 1015, 1014, TYPE_NAME_ARRAY};
#define PLAIN_COUNT (sizeof plain_types / sizeof plain_types[0])
#define PLAIN_BITS 3u
static_assert(PLAIN_COUNT == 1u << PLAIN_BITS, "the kind has its bits");

bool collation_takes(type_oid type)
{
    for (size_t i = 0; i < PLAIN_COUNT; i++)
        if (plain_types[i] == type) return true;
    return false;
}

type_oid collation_type(struct type type)
{
    if (type.collation == COLLATION_NONE || !collation_is_icu(type.collation)) return type.oid;
    for (uint32_t i = 0; i < PLAIN_COUNT; i++)
        if (plain_types[i] == type.oid)
            return COLLATION_TYPE_BASE | type.collation << PLAIN_BITS | i;
    return type.oid;
}

type_oid collation_type_plain(type_oid oid)
{
    return collation_is_type(oid) ? plain_types[oid & (PLAIN_COUNT - 1)] : oid;
}

uint32_t collation_type_number(type_oid oid)
{
    return (oid & ~COLLATION_TYPE_BASE) >> PLAIN_BITS;
}

// --- comparing ---------------------------------------------------------------------------------------

// Blanks at the end of char(n) do not count.
static struct bytes text_of(type_oid plain, struct datum value)
{
    struct bytes text = datum_as_bytes(value);
    if (plain == TYPE_BPCHAR)
        while (text.size > 0 && text.data[text.size - 1] == ' ') text.size--;
    return text;
}

static int compare_texts(struct known *known, struct bytes a, struct bytes b)
{
    UErrorCode error = U_ZERO_ERROR;
    UCollator *collator = collator_of(known);
    const bool is_long = a.size > LONG_TEXT || b.size > LONG_TEXT;
    if (is_long && known->inner == NULL) known->inner = collation_inner_code_points(collator);
    int order = is_long && known->inner != NULL
        ? collation_order(collator, known->inner, a, b, &error)
        : (int)ucol_strcollUTF8(collator, (const char *)a.data, (int32_t)a.size, (const char *)b.data, (int32_t)b.size, &error);
    if (U_FAILURE(error) || (order == 0 && known->collation.deterministic))
        order = bytes_compare(a, b);
    return order;
}

static int compare_arrays(struct known *known, type_oid plain, struct datum a, struct datum b)
{
    struct array x, y;
    struct datum v, w;
    type_oid element = type_info(plain)->element;
    if (failed(array_open(a, &x)) || failed(array_open(b, &y))) return type_compare(plain, a, b);
    struct array_cursor i = array_first(&x), k = array_first(&y);
    for (;;) {
        bool more = array_next(&i, &v), other = array_next(&k, &w);
        if (!more || !other) {
            if (more != other) return more ? 1 : -1;
            break;
        }
        if (v.null || w.null) {
            if (v.null != w.null) return v.null ? 1 : -1;
            continue;
        }
        int order = compare_texts(known, text_of(element, v), text_of(element, w));
        if (order != 0) return order;
    }
    // Equal elements: the shape decides, as of arrays of other types.
    if (x.dimensions != y.dimensions) return x.dimensions < y.dimensions ? -1 : 1;
    for (uint32_t d = 0; d < x.dimensions; d++) {
        if (x.length[d] != y.length[d]) return x.length[d] < y.length[d] ? -1 : 1;
        if (x.lower[d] != y.lower[d]) return x.lower[d] < y.lower[d] ? -1 : 1;
    }
    return 0;
}

static int collated_compare(type_oid oid, struct datum a, struct datum b)
{
    struct known *known = known_of(collation_type_number(oid));
    type_oid plain = collation_type_plain(oid);
    if (known == NULL) return type_compare(plain, a, b);
    if (type_info(plain)->element != 0 && plain != TYPE_NAME)
        return compare_arrays(known, plain, a, b);
    return compare_texts(known, text_of(plain, a), text_of(plain, b));
}

// ICU's sort key without the zero byte at its end.
static struct bytes sort_key(struct arena *arena, struct known *known, struct bytes text)
{
    UErrorCode error = U_ZERO_ERROR;
    // A UTF-16 text has no more units than the UTF-8 one has bytes.
    UChar *wide = arena_alloc(arena, (text.size + 1) * sizeof(UChar));
    int32_t length = 0;
    u_strFromUTF8(wide, (int32_t)text.size + 1, &length, (const char *)text.data,
        (int32_t)text.size, &error);
    if (U_FAILURE(error)) length = 0;
    UCollator *collator = collator_of(known);
    int32_t room = length * 4 + 32;
    uint8_t *key = arena_alloc(arena, (size_t)room);
    int32_t size = ucol_getSortKey(collator, wide, length, key, room);
    if (size > room) {
        key = arena_alloc(arena, (size_t)size);
        size = ucol_getSortKey(collator, wide, length, key, size);
    }
    return bytes_of(key, size > 0 ? (size_t)size - 1 : 0);
}

static uint64_t hash_text(struct arena *arena, struct known *known, struct bytes text)
{
    struct bytes hashed = known->collation.deterministic ? text : sort_key(arena, known, text);
    return XXH3_64bits(hashed.data == NULL ? (const uint8_t *)"" : hashed.data, hashed.size);
}

static uint64_t collated_hash(type_oid oid, struct datum value)
{
    struct known *known = known_of(collation_type_number(oid));
    type_oid plain = collation_type_plain(oid), element = type_info(plain)->element;
    if (known == NULL) return type_hash(plain, value);
    struct arena arena;
    struct array array;
    struct datum item;
    arena_init(&arena, NULL);
    uint64_t hash = 0;
    if (element == 0 || plain == TYPE_NAME) {
        hash = hash_text(&arena, known, text_of(plain, value));
    } else if (!failed(array_open(value, &array))) {
        for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);)
            hash = hash * 31 + (item.null ? 7 : hash_text(&arena, known, text_of(element, item)));
    }
    arena_fini(&arena);
    return hash;
}

static void append_text_key(
    struct buffer *key, struct known *known, struct bytes text, enum key_order order)
{
    key_append_bytes(key, sort_key(key->arena, known, text), order);
    if (known->collation.deterministic) key_append_bytes(key, text, order);
}

// The sort key, and behind it the text where bytes decide. It does not give the text back: the entry's value does.
void collation_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    struct known *known = known_of(collation_type_number(oid));
    type_oid plain = collation_type_plain(oid), element = type_info(plain)->element;
    struct array array;
    struct datum item;
    invariant(known != NULL);
    if (element == 0 || plain == TYPE_NAME) {
        append_text_key(key, known, text_of(plain, value), order);
        return;
    }
    uint8_t flip = order == KEY_DESCENDING ? 0xff : 0;
    if (failed(array_open(value, &array))) array = (struct array){.element = element};
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        buffer_append_u8(key, (uint8_t)((item.null ? 2 : 1) ^ flip));
        if (!item.null) append_text_key(key, known, text_of(element, item), order);
    }
    buffer_append_u8(key, flip);
    key_append_int(key, array.dimensions, order);
    for (uint32_t d = 0; d < array.dimensions; d++) {
        key_append_int(key, array.length[d], order);
        key_append_int(key, array.lower[d], order);
    }
}

// Walks over it.
struct status collation_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct known *known = known_of(collation_type_number(oid));
    type_oid plain = collation_type_plain(oid), element = type_info(plain)->element;
    uint8_t flip = order == KEY_DESCENDING ? 0xff : 0;
    bool is_array = element != 0 && plain != TYPE_NAME;
    struct bytes text;
    int64_t dimensions, number;
    // An array's key says itself of which type its elements are.
    if (known == NULL) return status_make(E_DATA_CORRUPTED, "key of a collation that is not known");
    for (bool more = true; more;) {
        uint8_t mark = 1;
        if (is_array) {
            if (key->size == 0) return status_make(E_DATA_CORRUPTED, "key of an array ends early");
            mark = key->data[0] ^ flip;
            *key = bytes_skip(*key, 1);
        }
        more = is_array && mark != 0;
        if (mark != 1) continue;
        TRY(key_decode_bytes(key, order, arena, &text));
        if (known->collation.deterministic) TRY(key_decode_bytes(key, order, arena, &text));
    }
    if (!is_array) return st;
    TRY(key_decode_int(key, order, &dimensions));
    for (int64_t d = 0; d < dimensions && d < ARRAY_DIMENSIONS_MAX; d++) {
        TRY(key_decode_int(key, order, &number));
        TRY(key_decode_int(key, order, &number));
    }

out:
    return st;
}

static void collated_output(struct buffer *out, const struct type_context *context, type_oid oid,
    struct datum value)
{
    type_output(out, context, collation_type_plain(oid), value);
}

const struct type_ops type_ops_collated = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .output = collated_output,
    .compare = collated_compare,
    .hash = collated_hash};

// --- letters -----------------------------------------------------------------------------------------

#define CASE_BYTES (16u << 10) // Of a text that is changed in one step.

struct case_change {
    struct known *known;
    enum collation_case to;
    struct bytes text;
    char *out;
    int32_t room, size;
    UErrorCode error;
};

static void change_on_stack(void *arg)
{
    struct case_change *change = arg;
    UCaseMap **map = &change->known->case_map;
    change->error = U_ZERO_ERROR;
    if (*map == NULL) *map = ucasemap_open(change->known->collation.locale, 0, &change->error);
    if (U_FAILURE(change->error)) return;
    const char *text = (const char *)change->text.data;
    int32_t size = (int32_t)change->text.size;
    change->size = change->to == COLLATION_LOWER
        ? ucasemap_utf8ToLower(*map, change->out, change->room, text, size, &change->error)
        : change->to == COLLATION_UPPER
        ? ucasemap_utf8ToUpper(*map, change->out, change->room, text, size, &change->error)
        : ucasemap_utf8ToTitle(*map, change->out, change->room, text, size, &change->error);
}

// Letters that change by themselves, whatever stands beside them, and by which nothing beside them changes.
static bool stands_apart(uint32_t c)
{
    return c < 0x80 ? ascii_space((char)c) || ascii_digit((char)c) || (ascii_lower((char)c) >= 'a' && ascii_lower((char)c) <= 'z')
                    : u_charType((UChar32)c) == U_OTHER_LETTER;
}

// Whether text may be cut between the two. Signs above tell whether the dot of an i or j stays; a word begins behind a space.
static bool may_cut(uint32_t before, uint32_t after, enum collation_case to)
{
    if (!stands_apart(before) || !stands_apart(after)) return false;
    if (to != COLLATION_LOWER && to != COLLATION_UPPER)
        return before < 0x80 && ascii_space((char)before) && !(after < 0x80 && ascii_space((char)after));
    return before >= 0x80 || (ascii_lower((char)before) != 'i' && ascii_lower((char)before) != 'j');
}

// As much of the text as is changed in one step: all of it when there is no place to cut.
static size_t part_size(struct bytes text, enum collation_case to)
{
    uint32_t before = 0x300; // At which nothing may be cut.
    if (text.size <= 2 * CASE_BYTES) return text.size;
    size_t at = CASE_BYTES;
    while ((text.data[at] & 0xc0) == 0x80) at--;
    for (; at < text.size; at += utf8_size_of(text.data[at])) {
        const uint32_t after = utf8_decode(text.data + at);
        if (may_cut(before, after, to)) return at;
        before = after;
    }
    return text.size;
}

static struct status change_part(struct arena *arena, uint32_t number, enum collation_case to,
    struct bytes text, struct bytes *result)
{
    struct case_change change = {.known = known_of(number), .to = to, .text = text};
    invariant(change.known != NULL);
    change.room = (int32_t)text.size + 16;
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        change.out = arena_alloc(arena, (size_t)change.room);
        stack_call(change_on_stack, &change);
        if (change.error != U_BUFFER_OVERFLOW_ERROR) break;
        change.room = change.size + 1;
    }
    if (U_FAILURE(change.error))
        return status_format(
            arena, E_INTERNAL, "case conversion failed: %s", u_errorName(change.error));
    *result = bytes_of(change.out, (size_t)change.size);
    return STATUS_OK;
}

struct status collation_change_case(struct arena *arena, uint32_t number, enum collation_case to,
    struct bytes text, struct bytes *result)
{
    struct status st = STATUS_OK;
    struct buffer out;
    struct arena parts;
    if (part_size(text, to) == text.size) return change_part(arena, number, to, text, result);
    buffer_init(&out, arena);
    arena_init(&parts, arena->account);
    while (text.size > 0) {
        struct bytes part;
        const size_t size = part_size(text, to);
        arena_reset(&parts);
        TRY(change_part(&parts, number, to, bytes_of(text.data, size), &part));
        buffer_append_bytes(&out, part);
        text = bytes_skip(text, size);
        TRY(task_work(task_current(), WORK_BYTES)); // Whatever the part: it takes its time.
    }
    *result = buffer_bytes(&out);

out:
    if (failed(st)) st = status_copy(arena, st);
    arena_fini(&parts);
    return st;
}
