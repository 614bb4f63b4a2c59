// SPDX-License-Identifier: GPL-3.0-or-later
//
// A replica's entries in memory, and the members they name.
#include <stdlib.h>

#include "kv/raft_internal.h"

#define WINDOW_FIRST_CAPACITY 16u

struct raft_entry *raft_entry_at(struct raft *raft, uint64_t index)
{
    invariant(index > raft->base && index <= raft->last);
    return &raft->window[raft->window_first + (uint32_t)(index - raft->base - 1)];
}

static const struct raft_entry *entry_at(const struct raft *raft, uint64_t index)
{
    invariant(index > raft->base && index <= raft->last);
    return &raft->window[raft->window_first + (uint32_t)(index - raft->base - 1)];
}

uint64_t raft_term_at(const struct raft *raft, uint64_t index)
{
    if (index == raft->base) return raft->base_term;
    if (index < raft->base || index > raft->last) return 0;
    return entry_at(raft, index)->term;
}

bool raft_window_full(const struct raft *raft)
{
    return raft->window_bytes - raft->kept_bytes > RAFT_WINDOW_BYTES;
}

static uint64_t entry_bytes(const struct raft_entry *entry)
{
    return sizeof *entry + entry->body.size;
}

void raft_window_push(
    struct raft *raft, uint64_t term, enum raft_entry_kind kind, struct bytes body, void *proposal)
{
    if (raft->window_first + raft->window_count == raft->window_capacity) {
        // Slide down when half is free, so that each entry is moved a bounded number of times.
        uint32_t capacity = raft->window_capacity;
        if (raft->window_first < capacity / 2 || capacity == 0) {
            capacity = capacity == 0 ? WINDOW_FIRST_CAPACITY : capacity * 2;
            raft->window = realloc(raft->window, capacity * sizeof *raft->window);
            invariant(raft->window != NULL);
            raft->window_capacity = capacity;
        } else {
            memmove(raft->window, raft->window + raft->window_first,
                raft->window_count * sizeof *raft->window);
            raft->window_first = 0;
        }
    }
    struct raft_entry *entry = &raft->window[raft->window_first + raft->window_count];
    *entry = (struct raft_entry){.term = term, .kind = kind, .proposal = proposal};
    if (body.size > 0) {
        uint8_t *copy = malloc(body.size);
        invariant(copy != NULL);
        memcpy(copy, body.data, body.size);
        entry->body = bytes_of(copy, body.size);
    }
    raft->window_count++;
    raft->window_bytes += entry_bytes(entry);
    raft->last++;
    raft->last_term = term;
}

static void entry_free(struct raft *raft, struct raft_entry *entry)
{
    raft->window_bytes -= entry_bytes(entry);
    free((uint8_t *)(uintptr_t)entry->body.data);
}

void raft_window_cut(struct raft *raft, uint64_t index, bool known)
{
    invariant(index > raft->base);
    while (raft->last >= index) {
        struct raft_entry entry = *raft_entry_at(raft, raft->last);
        invariant(raft->last > raft->applied);
        entry_free(raft, &entry);
        raft->window_count--;
        raft->last--;
        if (entry.proposal != NULL) raft->io.dropped(raft->io.arg, entry.proposal, known);
    }
    raft->last_term = raft_term_at(raft, raft->last);
    if (raft->handed > raft->last) raft->handed = raft->last;
    if (raft->stable > raft->last) raft->stable = raft->last;
    if (raft->verified > raft->last) raft->verified = raft->last;
}

static void drop_first(struct raft *raft)
{
    struct raft_entry *entry = raft_entry_at(raft, raft->base + 1);
    if (raft->base + 1 <= raft->applied) raft->kept_bytes -= entry_bytes(entry);
    raft->base_term = entry->term;
    raft->base++;
    entry_free(raft, entry);
    raft->window_first++;
    raft->window_count--;
    if (raft->window_count > 0) return;
    raft->window_first = 0;
    if (raft->window_capacity <= 4 * WINDOW_FIRST_CAPACITY) return;
    free(raft->window);
    raft->window = NULL;
    raft->window_capacity = 0;
}

void raft_window_reset(struct raft *raft, uint64_t index, uint64_t term)
{
    while (raft->window_count > 0) {
        void *proposal = raft_entry_at(raft, raft->base + 1)->proposal;
        drop_first(raft);
        if (proposal != NULL) raft->io.dropped(raft->io.arg, proposal, false);
    }
    raft->base = raft->last = index;
    raft->base_term = raft->last_term = term;
    raft->handed = raft->stable = index;
    raft->kept_bytes = 0;
}

void raft_window_trim(struct raft *raft)
{
    uint64_t bytes_max = RAFT_WINDOW_BYTES, kept = raft->kept;
    if (raft->role == RAFT_LEADER) kept = raft_leader_kept(raft, &bytes_max);
    while (raft->window_count > 0 && raft->base < raft->applied &&
           (raft->base < kept || raft->kept_bytes > bytes_max))
        drop_first(raft);
}

void raft_applied(struct raft *raft, uint64_t index)
{
    invariant(index <= raft->commit && index >= raft->applied);
    for (uint64_t at = raft->applied; at < index; at++) {
        if (at + 1 <= raft->base) continue; // Alone.
        raft->kept_bytes += entry_bytes(raft_entry_at(raft, at + 1));
    }
    raft->applied = index;
    raft_window_trim(raft);
}

uint64_t raft_window_find(const struct raft *raft, uint64_t index, uint64_t term)
{
    uint64_t low = raft->base, high = index < raft->last ? index : raft->last;
    if (high <= low) return low;
    while (low < high) { // Terms never fall: the last in (base, high] that is not above.
        uint64_t middle = low + (high - low + 1) / 2;
        if (entry_at(raft, middle)->term <= term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

// --- members -------------------------------------------------------------------------------------

size_t raft_config_encode(const struct raft_config *config, uint8_t out[RAFT_CONFIG_BYTES_MAX])
{
    size_t at = 0;
    out[at++] = (uint8_t)config->count;
    for (uint32_t i = 0; i < config->count; i++) {
        memcpy(out + at, &config->members[i].node, 4);
        out[at + 4] = config->members[i].learner;
        at += 5;
    }
    return at;
}

bool raft_config_decode(struct bytes body, struct raft_config *config)
{
    *config = (struct raft_config){0};
    if (body.size < 1 || body.data[0] > RAFT_MEMBERS_MAX || body.size != 1 + 5u * body.data[0])
        return false;
    for (uint32_t i = 0; i < body.data[0]; i++) {
        struct raft_member member = {0};
        memcpy(&member.node, body.data + 1 + 5 * i, 4);
        uint8_t learner = body.data[5 + 5 * i];
        if (member.node == 0 || learner > 1 || raft_config_find(config, member.node) != NULL)
            return false;
        member.learner = learner;
        config->members[config->count++] = member;
    }
    return raft_config_voters(config) > 0;
}

const struct raft_member *raft_config_find(const struct raft_config *config, uint32_t node)
{
    for (uint32_t i = 0; i < config->count; i++)
        if (config->members[i].node == node) return &config->members[i];
    return NULL;
}

uint32_t raft_config_voters(const struct raft_config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->count; i++)
        count += !config->members[i].learner;
    return count;
}

void raft_config_derive(struct raft *raft)
{
    raft->config = raft->committed;
    for (uint64_t at = raft->last; at > raft->base && at > raft->committed.index; at--) {
        const struct raft_entry *entry = entry_at(raft, at);
        if (entry->kind != RAFT_CONFIG) continue;
        bool whole = raft_config_decode(entry->body, &raft->config);
        invariant(whole); // Was checked when it came in.
        raft->config.index = at;
        return;
    }
}
