// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/raft_transport.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/rest.h"
#include "core/log.h"

#define SLOTS_KEPT 256u
#define PUMPS_MAX 100000u
// In a frame: size u32 | slice u64 | message.
#define FRAME_HEAD_BYTES 12u
#define PEER_FORGET_NS UINT64_C(60000000000)

struct raft_peer {
    uint32_t node, shard;
    uint8_t *frame;
    size_t used, capacity;
    uint64_t heard_ns;
    bool silent; // And its groups were told.
    struct list_link link;
};

static uint64_t peer_key(uint32_t node, uint32_t shard)
{
    return (uint64_t)node << 32 | shard;
}

static void alive_arm(struct raft_shard *raft_shard)
{
    raft_shard->alive_due_ns = timer_beat(raft_shard->shard, RAFT_ALIVE_NS);
    timer_arm(raft_shard->shard, &raft_shard->alive, raft_shard->alive_due_ns);
}

static struct raft_peer *peer_get(struct raft_shard *raft_shard, uint32_t node, uint32_t shard)
{
    struct raft_peer *peer = hashmap_get_u64(&raft_shard->peers, peer_key(node, shard));
    if (peer != NULL) return peer;
    peer = calloc(1, sizeof *peer);
    invariant(peer != NULL);
    peer->node = node;
    peer->shard = shard;
    peer->heard_ns = shard_now_ns(raft_shard->shard);
    hashmap_put_u64(&raft_shard->peers, peer_key(node, shard), peer);
    if (!raft_shard->alive.armed)
        alive_arm(raft_shard);
    return peer;
}

static void peer_free(struct raft_peer *peer)
{
    list_remove(&peer->link);
    free(peer->frame);
    free(peer);
}

// --- sending -------------------------------------------------------------------------------------

static void peer_flush(struct raft_shard *raft_shard, struct raft_peer *peer)
{
    if (peer->used == 0) return;
    // What is dropped is as if lost on the way: consensus sends it again.
    (void)raft_shard->network.send(
        raft_shard->network.arg, peer->node, peer->shard, bytes_of(peer->frame, peer->used));
    peer->used = 0;
    if (peer->capacity <= RAFT_FRAME_BYTES) return;
    free(peer->frame);
    peer->frame = NULL;
    peer->capacity = 0;
}

void raft_shard_send(
    struct raft_shard *raft_shard, uint64_t slice, const struct raft_message *message)
{
    uint32_t shard;
    if (!raft_shard->network.shard_of(raft_shard->network.arg, message->to, slice, &shard)) return;
    struct raft_peer *peer = peer_get(raft_shard, message->to, shard);
    size_t size = raft_message_bytes(message);
    invariant(size <= UINT32_MAX);
    if (peer->used > 0 && peer->used + FRAME_HEAD_BYTES + size > RAFT_FRAME_BYTES)
        peer_flush(raft_shard, peer);
    size_t needed = peer->used + FRAME_HEAD_BYTES + size;
    if (needed > peer->capacity) {
        size_t capacity = peer->capacity == 0 ? 4096 : peer->capacity;
        while (capacity < needed)
            capacity *= 2;
        peer->frame = realloc(peer->frame, capacity);
        invariant(peer->frame != NULL);
        peer->capacity = capacity;
    }
    uint32_t size32 = (uint32_t)size;
    memcpy(peer->frame + peer->used, &size32, 4);
    memcpy(peer->frame + peer->used + 4, &slice, 8);
    raft_message_encode(message, peer->frame + peer->used + FRAME_HEAD_BYTES);
    peer->used = needed;
    if (!list_linked(&peer->link)) list_append(&raft_shard->sending, &peer->link);
    turn_hook_arm(raft_shard->shard, &raft_shard->hook);
}

static void turn_end(struct turn_hook *hook)
{
    struct raft_shard *raft_shard = container_of(hook, struct raft_shard, hook);
    struct list_link *link;
    uint32_t pumps = 0;
    while ((link = list_pop(&raft_shard->dirty)) != NULL && pumps++ < PUMPS_MAX)
        raft_log_pump(container_of(link, struct raft_log, dirty_link));
    while ((link = list_pop(&raft_shard->sending)) != NULL)
        peer_flush(raft_shard, container_of(link, struct raft_peer, link));
}

void raft_shard_dirty(struct raft_shard *raft_shard, struct raft_log *log)
{
    if (!list_linked(&log->dirty_link)) list_append(&raft_shard->dirty, &log->dirty_link);
    turn_hook_arm(raft_shard->shard, &raft_shard->hook);
}

// --- time ----------------------------------------------------------------------------------------

static void tick(struct timer *timer)
{
    struct raft_shard *raft_shard = container_of(timer, struct raft_shard, tick);
    // A tick may take a group off the list: go through those that were there.
    struct list_link now = {0};
    struct list_link *link;
    list_init(&now);
    list_splice(&now, &raft_shard->ticking);
    while ((link = list_pop(&now)) != NULL) {
        list_append(&raft_shard->ticking, link);
        raft_log_tick(container_of(link, struct raft_log, tick_link));
    }
    if (!list_empty(&raft_shard->ticking))
        timer_arm(raft_shard->shard, timer, shard_now_ns(raft_shard->shard) + RAFT_TICK_NS);
}

static void hold_ended(struct timer *timer)
{
    struct raft_shard *raft_shard = container_of(timer, struct raft_shard, hold);
    struct list_link *link;
    while ((link = list_pop(&raft_shard->held)) != NULL) {
        struct raft_log *log = container_of(link, struct raft_log, held_link);
        raft_flush_held(&log->raft);
        raft_shard_held(raft_shard, log);
    }
}

static void hold_lazy_ended(struct timer *timer)
{
    struct raft_shard *raft_shard = container_of(timer, struct raft_shard, hold_lazy);
    struct list_link *link;
    while ((link = list_pop(&raft_shard->held_lazy)) != NULL) {
        struct raft_log *log = container_of(link, struct raft_log, lazy_link);
        raft_flush_lazy(&log->raft);
        raft_shard_held(raft_shard, log);
    }
}

static void hold(struct raft_shard *raft_shard, struct list_link *all, struct list_link *link,
    struct timer *timer, uint64_t after_ns)
{
    if (list_linked(link)) return;
    list_append(all, link);
    if (!timer->armed)
        timer_arm(raft_shard->shard, timer, shard_now_ns(raft_shard->shard) + after_ns);
}

void raft_shard_held(struct raft_shard *raft_shard, struct raft_log *log)
{
    if (!log->raft.held) {
        list_remove(&log->held_link);
    } else {
        hold(raft_shard, &raft_shard->held, &log->held_link, &raft_shard->hold, RAFT_HOLD_NS);
    }
    if (!log->raft.held_lazy) {
        list_remove(&log->lazy_link);
    } else {
        hold(raft_shard, &raft_shard->held_lazy, &log->lazy_link, &raft_shard->hold_lazy,
            RAFT_LAZY_NS);
    }
}

void raft_shard_tick_set(struct raft_shard *raft_shard, struct raft_log *log, bool ticks)
{
    list_remove(&log->owing_link);
    if (!ticks) {
        list_remove(&log->tick_link);
        if (raft_owes(&log->raft, 0)) list_append(&raft_shard->owing, &log->owing_link);
        return;
    }
    if (list_linked(&log->tick_link)) return;
    list_append(&raft_shard->ticking, &log->tick_link);
    if (!raft_shard->tick.armed)
        timer_arm(raft_shard->shard, &raft_shard->tick,
            shard_now_ns(raft_shard->shard) + RAFT_TICK_NS);
}

static void leaders_lost(struct raft_shard *raft_shard, uint32_t node, const struct raft_peer *peer)
{
    uint32_t at = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&raft_shard->groups, &at)) != NULL) {
        struct raft_log *log = entry->value;
        uint32_t shard;
        if (log->raft.leader != node || log->raft.role == RAFT_LEADER) continue;
        if (peer != NULL &&
            (!log->raft.quiet ||
                !raft_shard->network.shard_of(raft_shard->network.arg, node, log->slice, &shard) ||
                shard != peer->shard))
            continue;
        raft_leader_lost(&log->raft);
        raft_shard_dirty(raft_shard, log);
    }
}

static bool peer_is_heard(struct raft_shard *raft_shard, uint32_t node, uint64_t slice)
{
    uint32_t shard;
    if (!raft_shard->network.shard_of(raft_shard->network.arg, node, slice, &shard)) return false;
    const struct raft_peer *peer = hashmap_get_u64(&raft_shard->peers, peer_key(node, shard));
    return peer != NULL &&
           shard_now_ns(raft_shard->shard) - peer->heard_ns < RAFT_ALIVE_NS + RAFT_TICK_NS;
}

// Groups that rest without a member whose shard says something.
static void members_back(struct raft_shard *raft_shard)
{
    struct list_link now, *link;
    list_init(&now);
    list_splice(&now, &raft_shard->owing);
    while ((link = list_pop(&now)) != NULL) {
        struct raft_log *log = container_of(link, struct raft_log, owing_link);
        list_append(&raft_shard->owing, link);
        for (uint32_t i = 0; i < log->raft.progress_count; i++) {
            uint32_t node = log->raft.progress[i].node;
            if (!raft_owes(&log->raft, node) || !peer_is_heard(raft_shard, node, log->slice))
                continue;
            raft_member_back(&log->raft, node);
            raft_shard_dirty(raft_shard, log);
        }
    }
}

// Tells the others that this shard lives.
static void peers_tell(struct raft_shard *raft_shard, uint64_t now_ns)
{
    uint32_t at = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&raft_shard->peers, &at)) != NULL) {
        struct raft_peer *peer = entry->value;
        bool known = raft_shard->network.send(
            raft_shard->network.arg, peer->node, peer->shard, bytes_of(NULL, 0));
        if (known || now_ns - peer->heard_ns <= PEER_FORGET_NS) continue;
        hashmap_remove_u64(&raft_shard->peers, peer_key(peer->node, peer->shard));
        peer_free(peer);
    }
}

// At each beat, and in between when a peer's silence is long enough.
static void alive(struct timer *timer)
{
    struct raft_shard *raft_shard = container_of(timer, struct raft_shard, alive);
    uint64_t now_ns = shard_now_ns(raft_shard->shard);
    bool beat = now_ns >= raft_shard->alive_due_ns;
    uint32_t at = 0;
    struct hashmap_entry *entry;
    if (beat) {
        peers_tell(raft_shard, now_ns);
        if (raft_shard->peers.count > 0) alive_arm(raft_shard);
    }
    uint64_t next_ns = raft_shard->alive_due_ns;
    while ((entry = hashmap_next(&raft_shard->peers, &at)) != NULL) {
        struct raft_peer *peer = entry->value;
        if (peer->silent) continue;
        uint64_t silent_ns = peer->heard_ns + RAFT_SILENT_NS;
        if (now_ns < silent_ns) {
            if (silent_ns < next_ns) next_ns = silent_ns;
            continue;
        }
        peer->silent = true;
        leaders_lost(raft_shard, peer->node, peer);
    }
    if (beat) members_back(raft_shard);
    if (raft_shard->peers.count > 0) timer_arm(raft_shard->shard, timer, next_ns);
}

void raft_shard_node_down(struct raft_shard *raft_shard, uint32_t node)
{
    leaders_lost(raft_shard, node, NULL);
}

// --- receiving -----------------------------------------------------------------------------------

void raft_shard_receive(
    struct raft_shard *raft_shard, uint32_t node, uint32_t shard, struct bytes frame)
{
    struct raft_peer *peer = peer_get(raft_shard, node, shard);
    peer->heard_ns = shard_now_ns(raft_shard->shard);
    peer->silent = false;
    while (frame.size > 0) {
        uint32_t size = 0;
        uint64_t slice;
        if (frame.size >= FRAME_HEAD_BYTES) memcpy(&size, frame.data, 4);
        if (frame.size < FRAME_HEAD_BYTES || size > frame.size - FRAME_HEAD_BYTES) {
            log_warning(0, "malformed consensus messages from node %u", node);
            return;
        }
        memcpy(&slice, frame.data + 4, 8);
        struct raft_log *log = hashmap_get_u64(&raft_shard->groups, slice);
        if (log != NULL) raft_log_step(log, node, bytes_of(frame.data + FRAME_HEAD_BYTES, size));
        frame = bytes_skip(frame, FRAME_HEAD_BYTES + (size_t)size);
    }
}

// --- slots and groups ----------------------------------------------------------------------------

struct raft_slot *raft_slot_take(struct raft_log *log)
{
    struct raft_shard *raft_shard = log->shard;
    struct raft_slot *slot = raft_shard->free_slots;
    if (slot != NULL) {
        raft_shard->free_slots = slot->next;
        raft_shard->free_slot_count--;
    } else {
        slot = malloc(sizeof *slot);
        invariant(slot != NULL);
    }
    *slot = (struct raft_slot){.log = log, .shard = raft_shard};
    list_append(&log->slots, &slot->link);
    return slot;
}

void raft_slot_give(struct raft_slot *slot)
{
    struct raft_shard *raft_shard = slot->shard;
    list_remove(&slot->link);
    if (raft_shard == NULL || raft_shard->free_slot_count >= SLOTS_KEPT) {
        free(slot);
        return;
    }
    slot->next = raft_shard->free_slots;
    raft_shard->free_slots = slot;
    raft_shard->free_slot_count++;
}

void raft_shard_add(struct raft_shard *raft_shard, struct raft_log *log)
{
    invariant(hashmap_get_u64(&raft_shard->groups, log->slice) == NULL);
    hashmap_put_u64(&raft_shard->groups, log->slice, log);
    raft_shard_dirty(raft_shard, log);
}

void raft_shard_remove(struct raft_shard *raft_shard, struct raft_log *log)
{
    if (hashmap_get_u64(&raft_shard->groups, log->slice) == log)
        hashmap_remove_u64(&raft_shard->groups, log->slice);
    list_remove(&log->dirty_link);
    list_remove(&log->tick_link);
    list_remove(&log->owing_link);
    list_remove(&log->held_link);
    list_remove(&log->lazy_link);
}

// --- life ----------------------------------------------------------------------------------------

struct raft_shard *raft_shard_create(
    struct shard *shard, uint32_t self, const struct raft_network *network)
{
    struct raft_shard *raft_shard = calloc(1, sizeof *raft_shard);
    invariant(raft_shard != NULL);
    raft_shard->shard = shard;
    raft_shard->self = self;
    raft_shard->network = *network;
    hashmap_init(&raft_shard->groups, NULL);
    hashmap_init(&raft_shard->peers, NULL);
    list_init(&raft_shard->ticking);
    list_init(&raft_shard->owing);
    list_init(&raft_shard->held);
    list_init(&raft_shard->held_lazy);
    list_init(&raft_shard->dirty);
    list_init(&raft_shard->sending);
    raft_shard->hook.fn = turn_end;
    raft_shard->tick.fire = tick;
    raft_shard->alive.fire = alive;
    raft_shard->hold.fire = hold_ended;
    raft_shard->hold_lazy.fire = hold_lazy_ended;
    return raft_shard;
}

void raft_shard_destroy(struct raft_shard *raft_shard)
{
    uint32_t at = 0;
    struct hashmap_entry *entry;
    invariant(raft_shard->groups.count == 0);
    timer_disarm(raft_shard->shard, &raft_shard->tick);
    timer_disarm(raft_shard->shard, &raft_shard->alive);
    timer_disarm(raft_shard->shard, &raft_shard->hold);
    timer_disarm(raft_shard->shard, &raft_shard->hold_lazy);
    turn_hook_disarm(raft_shard->shard, &raft_shard->hook);
    while ((entry = hashmap_next(&raft_shard->peers, &at)) != NULL)
        peer_free(entry->value);
    hashmap_fini(&raft_shard->peers);
    hashmap_fini(&raft_shard->groups);
    while (raft_shard->free_slots != NULL) {
        struct raft_slot *next = raft_shard->free_slots->next;
        free(raft_shard->free_slots);
        raft_shard->free_slots = next;
    }
    free(raft_shard->entries);
    free(raft_shard);
}
