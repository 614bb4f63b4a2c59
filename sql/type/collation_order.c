// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/collation_order.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uiter.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "core/work.h"

#define UNITS_PER_LOOK 1024u
#define UNIT_WORK 16u        // Bytes that a unit of an iterator counts for: ICU reads it, and looks its elements up.
#define CONTRACTION_UNITS 64 // More than any of CLDR's has.

// --- where texts can be cut --------------------------------------------------------------------------

struct listing {
    const UCollator *collator;
    USet *contractions;
    UErrorCode error;
};

static void list_on_stack(void *arg)
{
    struct listing *listing = arg;
    // With what must stand before a code point for it to have other elements: it is inner then.
    ucol_getContractionsAndExpansions(listing->collator, listing->contractions, NULL, true, &listing->error);
}

USet *collation_inner_code_points(const UCollator *collator)
{
    struct listing listing = {.collator = collator, .contractions = uset_openEmpty()};
    USet *inner = uset_openEmpty();
    if (listing.contractions != NULL && inner != NULL) stack_call(list_on_stack, &listing);
    const int32_t count = listing.contractions == NULL ? 0 : uset_getItemCount(listing.contractions);
    for (int32_t i = 0; i < count && inner != NULL && !U_FAILURE(listing.error); i++) {
        UChar text[CONTRACTION_UNITS];
        UChar32 start, end;
        const int32_t length = uset_getItem(listing.contractions, i, &start, &end, text, CONTRACTION_UNITS, &listing.error);
        for (int32_t at = 0; at < length && length <= CONTRACTION_UNITS;) {
            const bool first = at == 0;
            uint32_t c = text[at++];
            if (U16_IS_LEAD(c) && at < length) c = (uint32_t)U16_GET_SUPPLEMENTARY(c, text[at++]);
            if (!first) uset_add(inner, (UChar32)c);
        }
    }
    uset_close(listing.contractions);
    if (inner != NULL && U_FAILURE(listing.error)) {
        uset_close(inner);
        return NULL;
    }
    return inner;
}

// Whether elements that begin before `c` may go on with it: marks are put in order and composed with what they stand on,
// digits are read as one number by some collations.
static bool is_inner(const USet *inner, UChar32 c)
{
    return u_getIntPropertyValue(c, UCHAR_LEAD_CANONICAL_COMBINING_CLASS) != 0 ||
        u_getIntPropertyValue(c, UCHAR_TRAIL_CANONICAL_COMBINING_CLASS) != 0 || u_charType(c) == U_DECIMAL_DIGIT_NUMBER ||
        uset_contains(inner, c);
}

static bool inner_at(const USet *inner, struct bytes text, size_t at)
{
    UChar32 c;
    if (at >= text.size) return false;
    U8_NEXT(text.data, at, text.size, c);
    return c < 0 || is_inner(inner, c);
}

size_t collation_cut(const USet *inner, struct bytes a, struct bytes b, size_t same)
{
    uint32_t count = 0;
    // Within a code point the texts may differ: its first byte is where it is cut.
    while (same > 0 && ((same < a.size && U8_IS_TRAIL(a.data[same])) || (same < b.size && U8_IS_TRAIL(b.data[same])))) same--;
    bool cut = !inner_at(inner, a, same) && !inner_at(inner, b, same);
    while (same > 0 && !cut) {
        if (++count % UNITS_PER_LOOK == 0 && !task_goes_on(UNITS_PER_LOOK * UNIT_WORK)) break;
        do same--;
        while (same > 0 && U8_IS_TRAIL(a.data[same]));
        cut = !inner_at(inner, a, same);
    }
    return same;
}

// How many bytes both begin with; less when the task was cancelled.
static size_t common_beginning(struct bytes a, struct bytes b)
{
    const size_t size = a.size < b.size ? a.size : b.size;
    size_t at = 0;
    while (at < size) {
        const size_t piece = size - at < WORK_BYTES ? size - at : WORK_BYTES;
        if (memcmp(a.data + at, b.data + at, piece) != 0) break;
        at += piece;
        if (!task_goes_on(piece)) return at;
    }
    while (at < size && a.data[at] == b.data[at]) at++;
    return at;
}

// --- reading in steps --------------------------------------------------------------------------------

struct reading {
    UCharIterator units; // First: ICU gives its address back.
    UCharIteratorCurrent *next;
    uint32_t count;
    bool broken_off;
};

static UChar32 U_CALLCONV read_next(UCharIterator *units)
{
    struct reading *reading = (struct reading *)units;
    if (reading->broken_off) return U_SENTINEL;
    if (++reading->count % UNITS_PER_LOOK == 0 && !task_goes_on(UNITS_PER_LOOK * UNIT_WORK)) {
        reading->broken_off = true;
        return U_SENTINEL;
    }
    return reading->next(units);
}

static void reading_init(struct reading *reading, struct bytes text)
{
    *reading = (struct reading){0};
    uiter_setUTF8(&reading->units, text.size == 0 ? "" : (const char *)text.data, (int32_t)text.size);
    reading->next = reading->units.next;
    reading->units.next = read_next;
}

int collation_order(const UCollator *collator, const USet *inner, struct bytes a, struct bytes b, UErrorCode *error)
{
    struct reading x, y;
    const size_t same = common_beginning(a, b);
    if (same == a.size && same == b.size) return 0;
    const size_t cut = collation_cut(inner, a, b, same);
    reading_init(&x, bytes_skip(a, cut));
    reading_init(&y, bytes_skip(b, cut));
    return (int)ucol_strcollIter(collator, &x.units, &y.units, error);
}
