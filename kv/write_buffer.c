// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/write_buffer.h"

#include "core/invariant.h"

void write_buffer_init(struct write_buffer *buffer, struct arena *arena)
{
    *buffer = (struct write_buffer){.arena = arena, .level_count = 1, .random = 0x9e3779b9u};
}

// Geometric with factor 1/4, so that a node has 1.33 links on average.
static uint32_t levels_draw(struct write_buffer *buffer)
{
    buffer->random ^= buffer->random << 13;
    buffer->random ^= buffer->random >> 17;
    buffer->random ^= buffer->random << 5;
    uint32_t levels = 1;
    uint32_t bits = buffer->random;
    while (levels < WRITE_BUFFER_LEVELS && (bits & 3u) == 0) {
        levels++;
        bits >>= 2;
    }
    return levels;
}

// The last node below `key` (NULL: the head) and, when asked for, the same for each level.
static struct write_node *find_below(
    const struct write_buffer *buffer, struct bytes key, struct write_node **below)
{
    struct write_node *at = NULL;
    for (uint32_t level = buffer->level_count; level-- > 0;) {
        for (;;) {
            struct write_node *next = at == NULL ? buffer->head[level] : at->next[level];
            if (next == NULL || bytes_compare(next->key, key) >= 0) break;
            at = next;
        }
        if (below != NULL) below[level] = at;
    }
    return at;
}

static struct write_node *node_after(const struct write_buffer *buffer, struct write_node *below)
{
    return below == NULL ? buffer->head[0] : below->next[0];
}

static struct write_node *node_insert(struct write_buffer *buffer, struct bytes key)
{
    struct write_node *below[WRITE_BUFFER_LEVELS] = {0};
    if (buffer->last != NULL && bytes_compare(buffer->last->key, key) < 0) {
        memcpy(below, buffer->last_at_level, sizeof below);
    } else {
        struct write_node *found = node_after(buffer, find_below(buffer, key, below));
        if (found != NULL && bytes_equal(found->key, key)) return found;
    }
    uint32_t levels = levels_draw(buffer);
    if (levels > buffer->level_count) buffer->level_count = levels;

    struct write_node *node = arena_alloc_zero(
        buffer->arena, sizeof *node + levels * sizeof(struct write_node *));
    node->key = arena_copy(buffer->arena, key);
    node->kind = WRITE_NONE;
    node->levels = (uint8_t)levels;
    node->previous = below[0];
    for (uint32_t level = 0; level < levels; level++) {
        struct write_node **link =
            below[level] == NULL ? &buffer->head[level] : &below[level]->next[level];
        node->next[level] = *link;
        *link = node;
        if (node->next[level] == NULL) buffer->last_at_level[level] = node;
    }
    if (node->next[0] == NULL) {
        buffer->last = node;
    } else {
        node->next[0]->previous = node;
    }
    buffer->bytes += key.size;
    buffer->node_count++;
    return node;
}

static void node_write(struct write_buffer *buffer, struct write_node *node, enum write_kind kind,
    struct bytes value, bool checked)
{
    if (buffer->marked) {
        struct write_undo *undo = ARENA_NEW(buffer->arena, struct write_undo);
        undo->older = buffer->undo;
        undo->node = node;
        undo->value = node->value;
        undo->kind = node->kind;
        undo->checked = node->checked;
        undo->epoch = node->epoch;
        undo->before = node->replaced;
        node->replaced = undo;
        buffer->rewritten = buffer->rewritten || node->kind != WRITE_NONE;
        buffer->undo = undo;
        buffer->undo_count++;
        buffer->bytes += sizeof *undo;
    }
    if (node->kind == WRITE_NONE) buffer->count++;
    node->kind = (uint8_t)kind;
    node->value = value;
    node->epoch = buffer->epoch;
    // Once it had to be unchanged, it has to stay so: the later write rests on the first one's
    // answer.
    node->checked = node->checked || checked;
}

void write_buffer_put(
    struct write_buffer *buffer, struct bytes key, struct bytes value, bool checked)
{
    write_buffer_put_own(buffer, key, arena_copy(buffer->arena, value), checked);
}

void write_buffer_put_own(
    struct write_buffer *buffer, struct bytes key, struct bytes value, bool checked)
{
    struct write_node *node = node_insert(buffer, key);
    buffer->bytes += value.size;
    node_write(buffer, node, WRITE_PUT, value, checked);
}

void write_buffer_delete(struct write_buffer *buffer, struct bytes key)
{
    struct write_node *node = node_insert(buffer, key);
    node_write(buffer, node, WRITE_DELETE, (struct bytes){0}, false);
}

const struct write_node *write_buffer_find(const struct write_buffer *buffer, struct bytes key)
{
    if (buffer->count == 0 || bytes_compare(buffer->last->key, key) < 0) return NULL;
    const struct write_node *node = node_after(buffer, find_below(buffer, key, NULL));
    if (node == NULL || node->kind == WRITE_NONE || !bytes_equal(node->key, key)) return NULL;
    return node;
}

static const struct write_node *live_or_next(const struct write_node *node)
{
    while (node != NULL && node->kind == WRITE_NONE) node = node->next[0];
    return node;
}

static const struct write_node *live_or_previous(const struct write_node *node)
{
    while (node != NULL && node->kind == WRITE_NONE) node = node->previous;
    return node;
}

const struct write_node *write_buffer_seek(const struct write_buffer *buffer, struct bytes key)
{
    return live_or_next(node_after(buffer, find_below(buffer, key, NULL)));
}

const struct write_node *write_buffer_seek_below(
    const struct write_buffer *buffer, struct bytes key)
{
    return live_or_previous(find_below(buffer, key, NULL));
}

const struct write_node *write_node_next(const struct write_node *node)
{
    return live_or_next(node->next[0]);
}

const struct write_node *write_node_previous(const struct write_node *node)
{
    return live_or_previous(node->previous);
}

enum write_kind write_node_before(
    const struct write_node *node, uint64_t epoch, struct bytes *value)
{
    const struct write_undo *undo = node->replaced;
    *value = node->value;
    if (LIKELY(node->epoch < epoch)) return (enum write_kind)node->kind;
    while (undo != NULL && undo->epoch >= epoch) undo = undo->before;
    if (undo == NULL) return WRITE_NONE;
    *value = undo->value;
    return (enum write_kind)undo->kind;
}

uint64_t write_buffer_mark(struct write_buffer *buffer)
{
    buffer->marked = true;
    buffer->epoch++;
    return buffer->undo_count;
}

void write_buffer_rollback(struct write_buffer *buffer, uint64_t mark)
{
    invariant(mark <= buffer->undo_count);
    while (buffer->undo_count > mark) {
        struct write_undo *undo = buffer->undo;
        struct write_node *node = undo->node;
        if (undo->kind == WRITE_NONE && node->kind != WRITE_NONE) buffer->count--;
        node->kind = undo->kind;
        node->value = undo->value;
        node->checked = undo->checked;
        node->epoch = undo->epoch;
        node->replaced = undo->before;
        buffer->undo = undo->older;
        buffer->undo_count--;
    }
}

void write_buffer_chain(struct write_buffer *buffer)
{
    if (!buffer->rewritten) return; // No node has an earlier write, as of a load.
    for (struct write_undo *undo = buffer->undo; undo != NULL; undo = undo->older) {
        undo->node->older = NULL;
    }
    for (struct write_undo *undo = buffer->undo; undo != NULL; undo = undo->older) {
        struct write_node *node = undo->node;
        uint32_t newer = node->older == NULL ? node->epoch : node->older->epoch;
        if (undo->kind == WRITE_NONE || undo->epoch == newer) continue;
        undo->chain = node->older;
        node->older = undo;
    }
}

void write_buffer_clear(struct write_buffer *buffer)
{
    const uint32_t epoch = buffer->epoch;
    write_buffer_init(buffer, buffer->arena);
    buffer->epoch = epoch;
}

uint64_t write_buffer_memory(const struct write_buffer *buffer)
{
    return buffer->bytes + buffer->node_count * (sizeof(struct write_node) + 16);
}
