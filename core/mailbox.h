// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the other threads have for a shard: one single-producer single-consumer ring for each other
// shard, and one list that any thread may push to (the helpers). Used by the production environment
// only; under simulation messages are events.
//
// A ring that is full is the sender's matter: it keeps the message and tries again in its next turn.
//
// Shard    mailbox_push: the sending shard `from`. mailbox_push_foreign, mailbox_take_sleeper and
//          mailbox_sleeping: any thread. The rest: the owner.
// Safety   A message pushed is delivered: a shard that is about to sleep either sees it or is seen
//          asleep by the sender, who then wakes it (both sides order their store before their load).
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct shard;

// One-way message to another shard, embedded in the sender's memory. It is the receiver's from send
// until `deliver` runs there (on the receiving shard, not in a task; must not suspend).
struct shard_message {
    void (*deliver)(struct shard *shard, struct shard_message *message);
    struct shard_message *next;
};

#define MAILBOX_RING_SLOTS 256u

struct mailbox;

struct mailbox *mailbox_create(uint32_t shard_count);
void mailbox_destroy(struct mailbox *mailbox);

// False when the ring is full.
bool mailbox_push(struct mailbox *mailbox, uint32_t from, struct shard_message *message);
void mailbox_push_foreign(struct mailbox *mailbox, struct shard_message *message);
// Whether the owner sleeps and this caller has to wake it: true for one caller only.
bool mailbox_take_sleeper(struct mailbox *mailbox);

// Delivers what is there; returns how many.
uint32_t mailbox_drain(struct mailbox *mailbox, struct shard *shard);
// Announces that the owner is about to sleep. False when there is something to drain after all.
bool mailbox_sleep_begin(struct mailbox *mailbox);
void mailbox_sleep_end(struct mailbox *mailbox);
// For the stall detector.
bool mailbox_sleeping(struct mailbox *mailbox);
