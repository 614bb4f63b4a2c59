// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"

#define CACHE_LINE 64

// The two ends lie on cache lines of their own; each side keeps a copy of the other's last seen end.
struct mailbox_ring {
    _Alignas(CACHE_LINE) _Atomic uint32_t head; // Next to take; the consumer's.
    uint32_t tail_seen;
    _Alignas(CACHE_LINE) _Atomic uint32_t tail; // Next to fill; the producer's.
    uint32_t head_seen;
    _Alignas(CACHE_LINE) struct shard_message *slots[MAILBOX_RING_SLOTS];
};

struct mailbox {
    uint32_t shard_count;
    uint32_t word_count;
    struct mailbox_ring *rings; // One a sender.
    _Alignas(CACHE_LINE) _Atomic(struct shard_message *) foreign;
    _Atomic bool sleeping;
    _Alignas(CACHE_LINE) _Atomic uint64_t pending[]; // A bit a sender that pushed since the last drain.
};

struct mailbox *mailbox_create(uint32_t shard_count)
{
    uint32_t words = (shard_count + 63) / 64;
    size_t size = sizeof(struct mailbox) + words * sizeof(uint64_t);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct mailbox *mailbox = aligned_alloc(CACHE_LINE, size);
    invariant(mailbox != NULL);
    memset(mailbox, 0, size);
    mailbox->shard_count = shard_count;
    mailbox->word_count = words;
    mailbox->rings = aligned_alloc(CACHE_LINE, shard_count * sizeof(struct mailbox_ring));
    invariant(mailbox->rings != NULL);
    memset(mailbox->rings, 0, shard_count * sizeof(struct mailbox_ring));
    return mailbox;
}

void mailbox_destroy(struct mailbox *mailbox)
{
    if (mailbox == NULL) return;
    free(mailbox->rings);
    free(mailbox);
}

bool mailbox_push(struct mailbox *mailbox, uint32_t from, struct shard_message *message)
{
    struct mailbox_ring *ring = &mailbox->rings[from];
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen == MAILBOX_RING_SLOTS) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen == MAILBOX_RING_SLOTS) return false;
    }
    ring->slots[tail % MAILBOX_RING_SLOTS] = message;
    // Sequentially consistent, as are the loads that follow and the drain's exchange: a bit seen set
    // here will be taken by an exchange that comes after this store, which then sees the message.
    atomic_store(&ring->tail, tail + 1);
    uint64_t bit = 1ull << (from % 64);
    if ((atomic_load(&mailbox->pending[from / 64]) & bit) == 0)
        atomic_fetch_or(&mailbox->pending[from / 64], bit);
    return true;
}

void mailbox_push_foreign(struct mailbox *mailbox, struct shard_message *message)
{
    struct shard_message *first = atomic_load(&mailbox->foreign);
    do {
        message->next = first;
    } while (!atomic_compare_exchange_weak(&mailbox->foreign, &first, message));
}

bool mailbox_take_sleeper(struct mailbox *mailbox)
{
    return atomic_load(&mailbox->sleeping) && atomic_exchange(&mailbox->sleeping, false);
}

static uint32_t ring_drain(struct mailbox_ring *ring, struct shard *shard)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t tail = atomic_load(&ring->tail);
    uint32_t count = tail - head;
    while (head != tail) {
        struct shard_message *message = ring->slots[head % MAILBOX_RING_SLOTS];
        head++;
        message->deliver(shard, message);
    }
    atomic_store_explicit(&ring->head, head, memory_order_release);
    return count;
}

static uint32_t foreign_drain(struct mailbox *mailbox, struct shard *shard)
{
    if (atomic_load_explicit(&mailbox->foreign, memory_order_relaxed) == NULL) return 0;
    struct shard_message *newest = atomic_exchange(&mailbox->foreign, NULL);
    // Pushed like a stack; delivered oldest first.
    struct shard_message *oldest = NULL;
    while (newest != NULL) {
        struct shard_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    uint32_t count = 0;
    while (oldest != NULL) {
        struct shard_message *next = oldest->next;
        oldest->deliver(shard, oldest);
        oldest = next;
        count++;
    }
    return count;
}

uint32_t mailbox_drain(struct mailbox *mailbox, struct shard *shard)
{
    uint32_t count = foreign_drain(mailbox, shard);
    for (uint32_t word = 0; word < mailbox->word_count; word++) {
        if (atomic_load_explicit(&mailbox->pending[word], memory_order_relaxed) == 0) continue;
        uint64_t senders = atomic_exchange(&mailbox->pending[word], 0);
        while (senders != 0) {
            uint32_t sender = word * 64 + (uint32_t)__builtin_ctzll(senders);
            senders &= senders - 1;
            count += ring_drain(&mailbox->rings[sender], shard);
        }
    }
    return count;
}

bool mailbox_sleep_begin(struct mailbox *mailbox)
{
    atomic_store(&mailbox->sleeping, true);
    bool empty = atomic_load(&mailbox->foreign) == NULL;
    for (uint32_t word = 0; word < mailbox->word_count && empty; word++)
        empty = atomic_load(&mailbox->pending[word]) == 0;
    if (!empty) atomic_store(&mailbox->sleeping, false);
    return empty;
}

void mailbox_sleep_end(struct mailbox *mailbox)
{
    atomic_store(&mailbox->sleeping, false);
}

bool mailbox_sleeping(struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->sleeping, memory_order_relaxed);
}
