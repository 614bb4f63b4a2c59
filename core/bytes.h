// SPDX-License-Identifier: GPL-3.0-or-later
//
// A borrowed, read-only run of bytes. Whoever hands one out says how long it lives; a struct bytes
// never owns memory. Keys and values of any content, so never NUL-terminated by contract.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; // May be NULL only when size is 0.
    size_t size;         // In bytes.
};

#define BYTES_LITERAL(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

static inline struct bytes bytes_of_string(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

// Order of memcmp, the shorter first among equal prefixes: the order of keys everywhere.
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_has_prefix(struct bytes a, struct bytes prefix)
{
    return a.size >= prefix.size &&
           (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

static inline struct bytes bytes_skip(struct bytes a, size_t count)
{
    return (struct bytes){count == 0 ? a.data : a.data + count, a.size - count};
}

// Half-open span of keys, [start, end).
struct span {
    struct bytes start;
    struct bytes end;
};

static inline bool span_contains(struct span span, struct bytes key)
{
    return bytes_compare(span.start, key) <= 0 && bytes_compare(key, span.end) < 0;
}

static inline bool span_contains_span(struct span outer, struct span inner)
{
    return bytes_compare(outer.start, inner.start) <= 0 && bytes_compare(inner.end, outer.end) <= 0;
}

static inline bool span_overlaps(struct span a, struct span b)
{
    return bytes_compare(a.start, b.end) < 0 && bytes_compare(b.start, a.end) < 0;
}
