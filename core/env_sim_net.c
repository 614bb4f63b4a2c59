// SPDX-License-Identifier: GPL-3.0-or-later
//
// The simulated network. A connection is two sockets, each with a queue of sends and a bounded
// buffer of bytes that have arrived; a `pump` event carries a random piece from the one to the
// other. Nothing is lost or reordered: a cut link only holds its pieces back.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim_parts.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define INBOUND_BYTES_MAX (256u << 10)
#define PIECE_BYTES_MAX (64u << 10)
#define DELIVERY_BYTES_MAX (16u << 10) // As a provided buffer of the kernel's ring.
#define CONNECT_TIMEOUT_NS (3 * SECOND_NS)

enum socket_kind { SOCKET_LISTENER, SOCKET_STREAM };

struct sim_socket {
    struct list_link all_link;  // Of the sim's.
    struct list_link node_link; // Of the node's, while it lives.
    struct sim *sim;
    struct sim_node *node; // NULL: its program is gone.
    enum socket_kind kind;
    int64_t handle;
    bool closed; // By its program.
    char local[NET_ADDRESS_BYTES], remote[NET_ADDRESS_BYTES];

    struct net_op *listen_op;
    struct shard *listen_shard;
    uint32_t port;

    struct net_op *connect_op; // Until it is connected, or not.
    struct shard *connect_shard;

    struct sim_socket *peer;
    struct sim_node *peer_node; // The machine: for partitions.
    struct net_op *sends;       // Oldest first, by op->next.
    uint64_t send_taken;        // Bytes of the oldest that have arrived.
    struct shard *send_shard;
    bool pumping;    // An event is on its way.
    bool ending;     // The program sends no more: shut down, or closed.
    bool ended_sent; // The peer knows that nothing more comes.

    struct net_op *recv_op;
    struct shard *recv_shard;
    uint8_t *inbound;
    size_t inbound_size, inbound_capacity;
    uint8_t watched[SIM_WATCH_AGAIN]; // The last bytes that came.
    size_t watched_size;
    bool delivering;
    bool ended; // After what is inbound: the end of the stream,
    int error;  // or this error (a positive errno), at once.
};

// --- completions ---------------------------------------------------------------------------------

static void complete_fired(struct sim_event *event)
{
    struct net_op *op = event->object;
    event->node->in_flight--;
    op->result = event->number;
    op->more = false;
    op->complete(op);
}

// The op's last completion, in its own event.
static void complete_later(struct sim_node *sim_node, struct shard *shard, struct net_op *op,
    int64_t result, uint64_t delay_ns, const char *name)
{
    struct sim_event *event =
        sim_event_add(sim_node->sim, sim_node, delay_ns, name, complete_fired);
    event->object = op;
    event->shard = shard;
    event->number = result;
    sim_node->in_flight++;
}

static uint64_t short_delay(struct sim *sim)
{
    return sim_random_between(&sim->net_random, US, 50 * US);
}

// Of one piece; NULL `from` or `to`: as links are by default.
static uint64_t link_delay(
    struct sim *sim, const struct sim_node *from, const struct sim_node *to)
{
    uint64_t low = sim->options.net_latency_min_ns, high = sim->options.net_latency_max_ns, more = 0;
    if (from != NULL && to != NULL && from != to) {
        const struct sim_link *link = &sim->links[from->index][to->index];
        if (link->latency_max_ns != 0) low = link->latency_min_ns, high = link->latency_max_ns;
        if (link->latency_tail_ns != 0) { // Halves as often for each doubling: exponential enough.
            uint64_t drawn = sim_random_next(&sim->net_random);
            more = link->latency_tail_ns * (uint64_t)__builtin_clzll(drawn | 1);
        }
    }
    return more + sim_random_between(&sim->net_random, low, high);
}

static bool link_cut(const struct sim_node *from, const struct sim_node *to)
{
    return from->sim->cut[from->index][to->index];
}

// How long the link stays clogged; 0: it is not.
static uint64_t link_clogged_ns(const struct sim_node *from, const struct sim_node *to)
{
    uint64_t until = from->sim->clogged_until_ns[from->index][to->index];
    return from != to && until > from->sim->now_ns ? until - from->sim->now_ns : 0;
}

// --- sockets -------------------------------------------------------------------------------------

static struct sim_socket *socket_add(struct sim_node *sim_node, enum socket_kind kind)
{
    struct sim_socket *socket = calloc(1, sizeof *socket);
    invariant(socket != NULL);
    socket->sim = sim_node->sim;
    socket->node = sim_node;
    socket->kind = kind;
    list_append(&sim_node->sim->all_sockets, &socket->all_link);
    list_append(&sim_node->sockets, &socket->node_link);
    uint32_t handle = 0;
    while (handle < sim_node->handle_count && sim_node->handles[handle] != NULL)
        handle++;
    if (handle == sim_node->handle_count) {
        size_t size = sizeof *sim_node->handles * ++sim_node->handle_count;
        sim_node->handles = realloc(sim_node->handles, size);
        invariant(sim_node->handles != NULL);
    }
    sim_node->handles[handle] = socket;
    socket->handle = handle;
    return socket;
}

static struct sim_socket *socket_of(struct sim_node *sim_node, int64_t handle)
{
    if (handle < 0 || handle >= sim_node->handle_count) return NULL;
    return sim_node->handles[handle];
}

static void socket_detach(struct sim_socket *socket)
{
    socket->node->handles[socket->handle] = NULL;
    list_remove(&socket->node_link);
    socket->node = NULL;
    socket->closed = socket->ending = true;
}

// --- receiving -----------------------------------------------------------------------------------

static void pump_schedule(struct sim_socket *from, uint64_t delay_ns);
static void deliver_schedule(struct sim_socket *socket, uint64_t delay_ns);

static void recv_end(struct sim_socket *socket, int64_t result)
{
    struct net_op *op = socket->recv_op;
    socket->recv_op = NULL;
    socket->node->in_flight--;
    op->result = result;
    op->data = NULL;
    op->more = false;
    op->complete(op);
}

static void deliver_fired(struct sim_event *event)
{
    struct sim_socket *socket = event->object;
    struct sim *sim = event->sim;
    socket->delivering = false;
    if (socket->recv_op == NULL || socket->closed) return;
    if (socket->recv_shard != event->shard) { // It has been handed over meanwhile.
        deliver_schedule(socket, short_delay(sim));
        return;
    }
    if (socket->error != 0) {
        recv_end(socket, -socket->error);
        return;
    }
    if (socket->inbound_size == 0) {
        if (socket->ended) recv_end(socket, 0);
        return;
    }
    size_t most =
        socket->inbound_size < DELIVERY_BYTES_MAX ? socket->inbound_size : DELIVERY_BYTES_MAX;
    size_t size = (size_t)sim_random_between(&sim->net_random, 1, most);
    if (sim_random_below(&sim->net_random, 2) == 0) size = most;
    // A copy of exactly these bytes: reading beyond them, or later, is caught.
    uint8_t *data = malloc(size);
    invariant(data != NULL);
    memcpy(data, socket->inbound, size);
    socket->inbound_size -= size;
    memmove(socket->inbound, socket->inbound + size, socket->inbound_size);
    if (socket->inbound_size > 0 || socket->ended) deliver_schedule(socket, short_delay(sim));
    if (socket->peer != NULL) pump_schedule(socket->peer, short_delay(sim)); // There is room again.
    struct net_op *op = socket->recv_op;
    op->result = (int64_t)size;
    op->data = data;
    op->more = true;
    op->complete(op);
    free(data);
}

static void deliver_schedule(struct sim_socket *socket, uint64_t delay_ns)
{
    if (socket->delivering || socket->recv_op == NULL || socket->closed) return;
    if (socket->inbound_size == 0 && !socket->ended && socket->error == 0) return;
    socket->delivering = true;
    struct sim_event *event =
        sim_event_add(socket->sim, socket->node, delay_ns, "deliver", deliver_fired);
    event->object = socket;
    event->shard = socket->recv_shard;
    event->number = (int64_t)socket->inbound_size;
}

static void socket_fail(struct sim_socket *socket, int error)
{
    if (socket->node == NULL || socket->error != 0) return;
    socket->error = error;
    while (socket->sends != NULL) {
        struct net_op *op = socket->sends;
        socket->sends = op->next;
        socket->node->in_flight--;
        complete_later(
            socket->node, socket->send_shard, op, -error, short_delay(socket->sim), "send-fail");
    }
    deliver_schedule(socket, short_delay(socket->sim));
}

// --- sending -------------------------------------------------------------------------------------

static void inbound_append(struct sim_socket *socket, const uint8_t *data, size_t size)
{
    if (socket->inbound_capacity - socket->inbound_size < size) {
        socket->inbound_capacity = 2 * (socket->inbound_size + size);
        socket->inbound = realloc(socket->inbound, socket->inbound_capacity);
        invariant(socket->inbound != NULL);
    }
    memcpy(socket->inbound + socket->inbound_size, data, size);
    socket->inbound_size += size;
}

// What is looked for may have come in two pieces.
static void watch(struct sim_socket *to, const uint8_t *data, size_t size)
{
    const struct sim_options *options = &to->sim->options;
    const struct sim_node *source = to->peer_node, *target = to->peer->peer_node;
    if (options->watch == NULL || source == target) return;
    uint8_t *whole = malloc(to->watched_size + size);
    invariant(whole != NULL);
    memcpy(whole, to->watched, to->watched_size);
    memcpy(whole + to->watched_size, data, size);
    size += to->watched_size;
    options->watch(options->watch_arg, source->id, target->id, whole, size);
    to->watched_size = size < SIM_WATCH_AGAIN ? size : SIM_WATCH_AGAIN;
    memcpy(to->watched, whole + size - to->watched_size, to->watched_size);
    free(whole);
}

// Moves up to `room` bytes of the oldest send; returns whether all of it is over there now.
static bool piece_move(struct sim_socket *from, struct sim_socket *to, size_t room)
{
    const struct net_op *op = from->sends;
    uint64_t skip = from->send_taken, total = 0;
    for (uint32_t i = 0; i < op->iov_count; i++) {
        size_t size = op->iov[i].size;
        total += size;
        if (skip >= size) {
            skip -= size;
            continue;
        }
        size_t part = size - skip < room ? size - (size_t)skip : room;
        inbound_append(to, (const uint8_t *)op->iov[i].data + skip, part);
        watch(to, (const uint8_t *)op->iov[i].data + skip, part);
        from->send_taken += part;
        room -= part;
        skip = 0;
    }
    return from->send_taken == total;
}

static void send_done(struct sim_socket *from)
{
    struct net_op *op = from->sends;
    uint64_t size = from->send_taken;
    from->sends = op->next;
    from->send_taken = 0;
    from->node->in_flight--;
    complete_later(from->node, from->send_shard, op, (int64_t)size, short_delay(from->sim), "sent");
}

static void reset_later(struct sim_socket *socket);

// Whether the piece is held back, or the connection breaks: nothing arrives now.
static bool piece_hindered(struct sim_socket *from)
{
    struct sim *sim = from->sim;
    const struct sim_node *source = from->peer->peer_node, *target = from->peer_node;
    if (source == target) return false;
    uint64_t clogged = link_clogged_ns(source, target);
    if (clogged != 0) {
        pump_schedule(from, clogged + short_delay(sim));
        return true;
    }
    const struct sim_link *link = &sim->links[source->index][target->index];
    if (link->reset_per_million != 0 &&
        sim_random_chance(&sim->net_random, link->reset_per_million)) {
        reset_later(from);
        reset_later(from->peer);
        return true;
    }
    if (link->loss_per_million != 0 &&
        sim_random_chance(&sim->net_random, link->loss_per_million)) {
        pump_schedule(from, sim_random_between(&sim->net_random, 200 * MS, 800 * MS));
        return true;
    }
    return false;
}

static void pump_fired(struct sim_event *event)
{
    struct sim_socket *from = event->object, *to = from->peer;
    struct sim *sim = event->sim;
    from->pumping = false;
    if (to == NULL || from->error != 0) return;
    // A machine's own address is never cut off.
    if (from->peer_node != to->peer_node && link_cut(to->peer_node, from->peer_node)) return;
    if (piece_hindered(from)) return;
    if (from->sends == NULL) {
        if (!from->ending || from->ended_sent) return;
        from->ended_sent = true;
        to->ended = true;
        deliver_schedule(to, short_delay(sim));
        return;
    }
    if (to->closed) {
        socket_fail(from, ECONNRESET);
        return;
    }
    if (to->inbound_size >= INBOUND_BYTES_MAX) return; // Until it has taken some.
    size_t room = (size_t)sim_random_between(&sim->net_random, 1, PIECE_BYTES_MAX);
    if (sim_random_below(&sim->net_random, 2) == 0) room = PIECE_BYTES_MAX;
    if (piece_move(from, to, room)) send_done(from);
    deliver_schedule(to, short_delay(sim));
    if (from->sends != NULL || from->ending) pump_schedule(from, short_delay(sim));
}

static void pump_schedule(struct sim_socket *from, uint64_t delay_ns)
{
    if (from->pumping || from->peer == NULL) return;
    if (from->sends == NULL && !(from->ending && !from->ended_sent)) return;
    from->pumping = true;
    // The world's event: what a program sent goes on its way though it dies.
    struct sim_event *event = sim_event_add(from->sim, NULL, delay_ns, "pump", pump_fired);
    event->object = from;
}

static void submit_send(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim *sim = sim_node->sim;
    struct sim_socket *socket = socket_of(sim_node, op->handle);
    if (socket == NULL || socket->kind != SOCKET_STREAM || socket->error != 0) {
        int error = socket == NULL ? EBADF : socket->error != 0 ? socket->error : ENOTCONN;
        complete_later(sim_node, shard, op, -error, short_delay(sim), "send-fail");
        return;
    }
    struct net_op **end = &socket->sends;
    while (*end != NULL)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    socket->send_shard = shard;
    sim_node->in_flight++;
    pump_schedule(socket, link_delay(sim, sim_node, socket->peer_node));
}

// --- addresses, listening, connecting ------------------------------------------------------------

// Splits "host:port". `*host_node` is the machine meant: `self` for no host, loopback and any
// address.
static bool address_parse(
    struct sim_node *self, const char *address, struct sim_node **host_node, uint32_t *port)
{
    static const char *const own[] = {"", "127.0.0.1", "localhost", "0.0.0.0", "[::]", "[::1]"};
    const char *colon = strrchr(address, ':');
    if (colon == NULL) return false;
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end != 0 || number > 65535) return false;
    *port = (uint32_t)number;
    size_t size = (size_t)(colon - address);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strlen(own[i]) == size && memcmp(own[i], address, size) == 0) {
            *host_node = self;
            return true;
        }
    }
    struct sim *sim = self->sim;
    *host_node = NULL;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const char *host = sim->nodes[i]->address;
        if (strlen(host) == size && memcmp(host, address, size) == 0) *host_node = sim->nodes[i];
    }
    return true;
}

static struct sim_socket *listener_choose(struct sim_node *sim_node, uint32_t port)
{
    struct sim_socket *found[SIM_SHARDS_MAX];
    uint32_t count = 0;
    struct list_link *at = sim_node->sockets.next;
    for (; at != &sim_node->sockets && count < SIM_SHARDS_MAX; at = at->next) {
        struct sim_socket *socket = container_of(at, struct sim_socket, node_link);
        if (socket->kind == SOCKET_LISTENER && !socket->closed && socket->port == port)
            found[count++] = socket;
    }
    if (count == 0) return NULL;
    return found[sim_random_below(&sim_node->sim->net_random, count)];
}

static void submit_listen(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim_node *host;
    uint32_t port;
    if (!address_parse(sim_node, op->address, &host, &port)) {
        op->result = -EINVAL;
        return;
    }
    if (host != sim_node) {
        op->result = -EADDRNOTAVAIL;
        return;
    }
    bool any = port == 0;
    while (port == 0 || (any && listener_choose(sim_node, port) != NULL))
        port = 40000 + sim_node->next_port++ % 20000;
    struct sim_socket *socket = socket_add(sim_node, SOCKET_LISTENER);
    socket->port = port;
    socket->listen_op = op;
    socket->listen_shard = shard;
    sim_node->in_flight++;
    op->handle = socket->handle;
    op->result = 0;
    if (op->local != NULL)
        snprintf(op->local, NET_ADDRESS_BYTES, "%s:%" PRIu32, sim_node->address, port);
}

static void socket_close(struct sim_socket *socket);

static void peer_tell(struct net_op *op, const struct sim_socket *socket)
{
    if (op->peer != NULL) memcpy(op->peer, socket->remote, NET_ADDRESS_BYTES);
}

static void accept_fired(struct sim_event *event)
{
    struct sim_socket *socket = event->object;
    struct sim_socket *listener = socket_of(event->node, event->number);
    event->node->in_flight--;
    if (socket->node == NULL) return;
    if (listener == NULL || listener->listen_op == NULL) { // It closed just now.
        socket_close(socket);
        return;
    }
    struct net_op *op = listener->listen_op;
    op->result = socket->handle;
    op->more = true;
    peer_tell(op, socket);
    if (op->here != NULL) memcpy(op->here, socket->local, NET_ADDRESS_BYTES);
    op->complete(op);
}

// Ends a connection attempt: the handle, or a negative errno, with which the socket goes.
static void connect_end(struct sim_socket *socket, int64_t result)
{
    struct net_op *op = socket->connect_op;
    socket->connect_op = NULL;
    socket->node->in_flight--;
    if (result >= 0) {
        op->handle = result;
        peer_tell(op, socket);
    } else {
        socket_detach(socket);
    }
    op->result = result;
    op->more = false;
    op->complete(op);
}

static void connect_result_fired(struct sim_event *event)
{
    struct sim_socket *socket = event->object;
    if (socket->connect_op == NULL) return; // The node is exiting.
    connect_end(socket, event->number);
}

static void connect_result_later(struct sim_socket *socket, int64_t result, uint64_t delay_ns)
{
    const char *name = result < 0 ? "connect-fail" : "connected";
    struct sim_event *event =
        sim_event_add(socket->sim, socket->node, delay_ns, name, connect_result_fired);
    event->object = socket;
    event->shard = socket->connect_shard;
    event->number = result;
}

static void connection_make(struct sim_socket *near, struct sim_socket *listener)
{
    struct sim *sim = near->sim;
    struct sim_node *from = near->node, *to = listener->node;
    struct sim_socket *far = socket_add(to, SOCKET_STREAM);
    near->peer = far;
    far->peer = near;
    near->peer_node = to;
    far->peer_node = from;
    uint32_t port = 20000 + from->next_port++ % 20000;
    snprintf(near->local, sizeof near->local, "%s:%" PRIu32, from->address, port);
    snprintf(near->remote, sizeof near->remote, "%s:%" PRIu32, to->address, listener->port);
    snprintf(far->local, sizeof far->local, "%s", near->remote);
    snprintf(far->remote, sizeof far->remote, "%s", near->local);

    struct sim_event *accept = sim_event_add(sim, to, short_delay(sim), "accept", accept_fired);
    accept->object = far;
    accept->shard = listener->listen_shard;
    accept->number = listener->handle;
    to->in_flight++;
    connect_result_later(near, near->handle, link_delay(sim, to, from));
}

static void connect_fired(struct sim_event *event)
{
    struct sim_socket *socket = event->object;
    struct sim_node *from = event->node, *to;
    uint32_t port;
    if (socket->connect_op == NULL) return; // The node is exiting.
    if (!address_parse(from, socket->connect_op->address, &to, &port)) {
        connect_result_later(socket, -EINVAL, 0);
    } else if (to == NULL) {
        connect_result_later(socket, -EHOSTUNREACH, 0);
    } else if (to != from && (link_cut(from, to) || link_cut(to, from))) {
        connect_result_later(socket, -ETIMEDOUT, CONNECT_TIMEOUT_NS);
    } else if (link_clogged_ns(from, to) != 0 || link_clogged_ns(to, from) != 0) {
        uint64_t there = link_clogged_ns(from, to), back = link_clogged_ns(to, from);
        struct sim_event *again = sim_event_add(from->sim, from,
            (there > back ? there : back) + short_delay(from->sim), "connect", connect_fired);
        again->object = socket;
    } else {
        struct sim_socket *listener = to->node == NULL ? NULL : listener_choose(to, port);
        if (listener == NULL) {
            connect_result_later(socket, -ECONNREFUSED, link_delay(from->sim, to, from));
        } else {
            connection_make(socket, listener);
        }
    }
}

static void submit_connect(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim *sim = sim_node->sim;
    struct sim_socket *socket = socket_add(sim_node, SOCKET_STREAM);
    socket->connect_op = op;
    socket->connect_shard = shard;
    sim_node->in_flight++;
    struct sim_event *event =
        sim_event_add(sim, sim_node, link_delay(sim, NULL, NULL), "connect", connect_fired);
    event->object = socket;
}

// --- the rest ------------------------------------------------------------------------------------

static void submit_recv(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim *sim = sim_node->sim;
    struct sim_socket *socket = socket_of(sim_node, op->handle);
    if (socket == NULL || socket->kind != SOCKET_STREAM) {
        complete_later(sim_node, shard, op, -EBADF, short_delay(sim), "recv-fail");
        return;
    }
    invariant(socket->recv_op == NULL);
    socket->recv_op = op;
    socket->recv_shard = shard;
    sim_node->in_flight++;
    deliver_schedule(socket, short_delay(sim));
}

static void recv_cancel(struct sim_socket *socket)
{
    struct net_op *op = socket->recv_op;
    if (op == NULL) return;
    socket->recv_op = NULL;
    socket->node->in_flight--;
    op->data = NULL;
    complete_later(
        socket->node, socket->recv_shard, op, -ECANCELED, short_delay(socket->sim), "canceled");
}

static void submit_recv_cancel(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim_socket *socket = socket_of(sim_node, op->target->handle);
    bool armed = socket != NULL && socket->recv_op == op->target;
    if (armed) recv_cancel(socket);
    complete_later(
        sim_node, shard, op, armed ? 0 : -ENOENT, short_delay(sim_node->sim), "recv-cancel");
}

// The program lets go of the socket; what it had under way is canceled.
static void socket_close(struct sim_socket *socket)
{
    struct sim_node *sim_node = socket->node;
    struct sim *sim = socket->sim;
    recv_cancel(socket);
    if (socket->connect_op != NULL) {
        sim_node->in_flight--;
        complete_later(sim_node, socket->connect_shard, socket->connect_op, -ECANCELED,
            short_delay(sim), "canceled");
        socket->connect_op = NULL;
    }
    if (socket->listen_op != NULL) {
        sim_node->in_flight--;
        complete_later(sim_node, socket->listen_shard, socket->listen_op, -ECANCELED,
            short_delay(sim), "canceled");
        socket->listen_op = NULL;
    }
    while (socket->sends != NULL) {
        struct net_op *op = socket->sends;
        socket->sends = op->next;
        sim_node->in_flight--;
        complete_later(sim_node, socket->send_shard, op, -ECANCELED, short_delay(sim), "canceled");
    }
    socket->send_taken = 0;
    socket_detach(socket);
    pump_schedule(socket, link_delay(sim, sim_node, socket->peer_node));
    // A peer that waits for room here waits in vain.
    if (socket->peer != NULL)
        pump_schedule(socket->peer, link_delay(sim, socket->peer_node, sim_node));
}

static void submit_shutdown(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim_socket *socket = socket_of(sim_node, op->handle);
    if (socket != NULL) {
        socket->ending = true;
        pump_schedule(socket, link_delay(sim_node->sim, sim_node, socket->peer_node));
    }
    complete_later(sim_node, shard, op, socket == NULL ? -ENOTCONN : 0, short_delay(sim_node->sim),
        "shutdown");
}

static void submit_close(struct sim_node *sim_node, struct shard *shard, struct net_op *op)
{
    struct sim_socket *socket = socket_of(sim_node, op->handle);
    if (socket != NULL) socket_close(socket);
    complete_later(
        sim_node, shard, op, socket == NULL ? -EBADF : 0, short_delay(sim_node->sim), "closed");
}

void sim_net_submit(struct env *env, struct shard *shard, struct net_op *op)
{
    struct sim_node *sim_node = sim_node_of(env);
    switch (op->kind) {
    case NET_LISTEN: submit_listen(sim_node, shard, op); break;
    case NET_CONNECT: submit_connect(sim_node, shard, op); break;
    case NET_RECV: submit_recv(sim_node, shard, op); break;
    case NET_RECV_CANCEL: submit_recv_cancel(sim_node, shard, op); break;
    case NET_SEND: submit_send(sim_node, shard, op); break;
    case NET_SHUTDOWN: submit_shutdown(sim_node, shard, op); break;
    case NET_CLOSE: submit_close(sim_node, shard, op); break;
    }
}

// --- faults and the end --------------------------------------------------------------------------

static void reset_fired(struct sim_event *event)
{
    socket_fail(event->object, ECONNRESET);
}

static void reset_later(struct sim_socket *socket)
{
    if (socket->node == NULL) return;
    struct sim_event *event =
        sim_event_add(socket->sim, socket->node, link_delay(socket->sim, NULL, NULL), "reset",
            reset_fired);
    event->object = socket;
}

void sim_net_crashed(struct sim_node *sim_node)
{
    while (!list_empty(&sim_node->sockets)) {
        struct sim_socket *socket =
            container_of(sim_node->sockets.next, struct sim_socket, node_link);
        // Its memory is going: no pointer into it stays.
        socket->recv_op = socket->listen_op = socket->connect_op = socket->sends = NULL;
        socket->recv_shard = socket->send_shard = socket->listen_shard = socket->connect_shard =
            NULL;
        socket_detach(socket);
        socket->ended_sent = true;
        if (socket->peer != NULL && !socket->peer->closed) reset_later(socket->peer);
    }
}

void sim_net_exit(struct sim_node *sim_node)
{
    while (!list_empty(&sim_node->sockets))
        socket_close(container_of(sim_node->sockets.next, struct sim_socket, node_link));
}

void sim_net_fini(struct sim *sim)
{
    while (!list_empty(&sim->all_sockets)) {
        struct sim_socket *socket =
            container_of(sim->all_sockets.next, struct sim_socket, all_link);
        list_remove(&socket->all_link);
        free(socket->inbound);
        free(socket);
    }
}

void sim_net_healed(struct sim *sim)
{
    struct list_link *at = sim->all_sockets.next;
    for (; at != &sim->all_sockets; at = at->next)
        pump_schedule(container_of(at, struct sim_socket, all_link), link_delay(sim, NULL, NULL));
}

void sim_net_cut(struct sim_node *from, struct sim_node *to, bool cut)
{
    from->sim->cut[sim_node_index(from)][sim_node_index(to)] = cut;
    if (!cut) sim_net_healed(from->sim);
}

void sim_net_heal(struct sim *sim)
{
    memset(sim->cut, 0, sizeof sim->cut);
    memset(sim->links, 0, sizeof sim->links);
    memset(sim->clogged_until_ns, 0, sizeof sim->clogged_until_ns);
    sim_net_healed(sim);
}

void sim_net_link_set(struct sim_node *from, struct sim_node *to, const struct sim_link *link)
{
    from->sim->links[from->index][to->index] = *link;
}

void sim_net_clog(struct sim_node *from, struct sim_node *to, uint64_t for_ns)
{
    from->sim->clogged_until_ns[from->index][to->index] = from->sim->now_ns + for_ns;
}

void sim_net_reset(struct sim_node *a, struct sim_node *b)
{
    struct list_link *at = a->sockets.next;
    for (; at != &a->sockets; at = at->next) {
        struct sim_socket *socket = container_of(at, struct sim_socket, node_link);
        if (socket->kind != SOCKET_STREAM || socket->peer_node != b) continue;
        reset_later(socket);
        if (socket->peer != NULL) reset_later(socket->peer);
    }
}
