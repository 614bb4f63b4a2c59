// SPDX-License-Identifier: GPL-3.0-or-later
//
// Network operations: multishot accept, multishot receive into a ring of provided buffers, sends of
// gathered buffers. A handle is the socket's descriptor.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/env_linux.h"
#include "core/log.h"

#define LISTEN_BACKLOG 4096
#define ACCEPT_PAUSE_NS 100000000ull // When descriptors have run out.

static_assert(sizeof(struct net_buffer) == sizeof(struct iovec), "handed to the kernel as it is");
static_assert(offsetof(struct net_buffer, size) == offsetof(struct iovec, iov_len), "same layout");

// What the env keeps in an operation while it is in flight.
struct recv_state {
    bool cancelled; // Not to be armed again.
};
struct connect_state {
    int64_t fd;
    struct sockaddr_in6 address; // Or sockaddr_in, which is smaller.
    socklen_t size;
};
static_assert(sizeof(struct connect_state) <= sizeof(((struct net_op *)0)->env_data), "fits");
static_assert(sizeof(struct msghdr) <= sizeof(((struct net_op *)0)->env_data), "fits");

static struct recv_state *recv_state_of(struct net_op *op)
{
    return (struct recv_state *)(void *)op->env_data;
}

// --- addresses --------------------------------------------------------------------------------------

// Splits "host:port", "[v6]:port", ":port". False when malformed.
static bool address_split(const char *address, char host[256], char port[16])
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 15) return false;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        length -= 2;
    }
    if (length > 255) return false;
    memcpy(host, address, length);
    host[length] = 0;
    snprintf(port, 16, "%s", colon + 1);
    return true;
}

static bool address_parse(const char *address, struct sockaddr_in6 *out, socklen_t *size)
{
    char host[256], port_text[16];
    if (!address_split(address, host, port_text)) return false;
    char *end;
    unsigned long port = strtoul(port_text, &end, 10);
    if (*end != 0 || port > 65535) return false;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *size = sizeof *v4;
        return true;
    }
    // No host is every interface, of both families.
    out->sin6_family = AF_INET6;
    out->sin6_port = htons((uint16_t)port);
    *size = sizeof *out;
    return host[0] == 0 || inet_pton(AF_INET6, host, &out->sin6_addr) == 1;
}

// `out` may be NULL.
static void address_format(const struct sockaddr_in6 *address, char out[NET_ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (out == NULL) return;
    if (address->sin6_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, NET_ADDRESS_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        inet_ntop(AF_INET, &address->sin6_addr.s6_addr[12], host, sizeof host);
        snprintf(out, NET_ADDRESS_BYTES, "%s:%u", host, ntohs(address->sin6_port));
    } else if (address->sin6_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
        snprintf(out, NET_ADDRESS_BYTES, "[%s]:%u", host, ntohs(address->sin6_port));
    } else {
        snprintf(out, NET_ADDRESS_BYTES, "?");
    }
}

int linux_resolve(struct env *env, const char *address, char numeric[NET_ADDRESS_BYTES])
{
    (void)env;
    char host[256], port[16];
    if (!address_split(address, host, port)) return -1;
    // RFC 6761: the name is loopback, whatever the machine's files say.
    if (host[0] == 0 || strcmp(host, "localhost") == 0) snprintf(host, sizeof host, "127.0.0.1");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
    struct sockaddr_in6 first = {0};
    // IPv4 first: what listens here by default does so on it.
    const struct addrinfo *chosen = found;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (at->ai_family == AF_INET) {
            chosen = at;
            break;
        }
    }
    int result = -1;
    if (chosen != NULL && chosen->ai_addrlen <= sizeof first) {
        memcpy(&first, chosen->ai_addr, chosen->ai_addrlen);
        address_format(&first, numeric);
        result = 0;
    }
    freeaddrinfo(found);
    return result;
}

// --- buffers ----------------------------------------------------------------------------------------

static void buffer_give(struct linux_shard *linux_shard, uint32_t index)
{
    io_uring_buf_ring_add(linux_shard->buffer_ring,
        linux_shard->buffers + (size_t)index * RECV_BUFFER_BYTES, RECV_BUFFER_BYTES,
        (unsigned short)index, io_uring_buf_ring_mask(RECV_BUFFERS), 0);
    io_uring_buf_ring_advance(linux_shard->buffer_ring, 1);
}

struct status linux_net_init(struct linux_shard *linux_shard)
{
    size_t ring_bytes = RECV_BUFFERS * sizeof(struct io_uring_buf);
    size_t bytes = ring_bytes + (size_t)RECV_BUFFERS * RECV_BUFFER_BYTES;
    uint8_t *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return status_from_errno(errno, "receive buffers");
    linux_shard->buffer_ring = (struct io_uring_buf_ring *)(void *)memory;
    linux_shard->buffers = memory + ring_bytes;
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)memory,
        .ring_entries = RECV_BUFFERS,
        .bgid = RECV_GROUP};
    int error = io_uring_register_buf_ring(&linux_shard->ring, &reg, 0);
    if (error != 0)
        return status_make(E_IO_ERROR,
            "the kernel's io_uring cannot take a ring of buffers: Linux 6.1 is needed");
    io_uring_buf_ring_init(linux_shard->buffer_ring);
    for (uint32_t i = 0; i < RECV_BUFFERS; i++)
        buffer_give(linux_shard, i);
    return STATUS_OK;
}

void linux_net_fini(struct linux_shard *linux_shard)
{
    if (linux_shard->buffer_ring != NULL) {
        (void)io_uring_unregister_buf_ring(&linux_shard->ring, RECV_GROUP);
        munmap(linux_shard->buffer_ring, RECV_BUFFERS * sizeof(struct io_uring_buf) +
                                             (size_t)RECV_BUFFERS * RECV_BUFFER_BYTES);
    }
    free(linux_shard->sockets);
}

static struct socket_ops *socket_ops(struct linux_shard *linux_shard, int64_t fd)
{
    uint32_t index = (uint32_t)fd;
    uint32_t old_size = linux_shard->sockets_size;
    if (index >= old_size) {
        uint32_t size = old_size == 0 ? 64 : old_size;
        while (size <= index)
            size *= 2;
        linux_shard->sockets = realloc(linux_shard->sockets, size * sizeof(struct socket_ops));
        invariant(linux_shard->sockets != NULL);
        memset(linux_shard->sockets + old_size, 0, (size - old_size) * sizeof(struct socket_ops));
        linux_shard->sockets_size = size;
    }
    return &linux_shard->sockets[index];
}

// The descriptor may be another socket's already when a cancelled operation ends.
static void socket_op_ended(struct linux_shard *linux_shard, const struct net_op *op)
{
    struct socket_ops *ops = socket_ops(linux_shard, op->handle);
    if (ops->in == op) ops->in = NULL;
    if (ops->out == op) ops->out = NULL;
}

// --- listening --------------------------------------------------------------------------------------

static void socket_options_set(int fd)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

static int64_t listen_bind(const struct sockaddr_in6 *address, socklen_t size, bool share)
{
    int fd = socket(address->sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int one = 1, zero = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (share) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (address->sin6_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, (const struct sockaddr *)(const void *)address, size) == 0 &&
        (!share || listen(fd, LISTEN_BACKLOG) == 0))
        return fd;
    int64_t error = -errno;
    close(fd);
    return error;
}

// Whether a listener of this node has this port: then sharing it is meant.
static bool port_is_ours(struct linux_env *owner, uint16_t port)
{
    return port != 0 && port < 65535 &&
           atomic_load(&owner->ports_bound[port / 64]) >> (port % 64) & 1;
}

static void accept_arm(struct linux_shard *linux_shard, struct net_op *op)
{
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    socket_ops(linux_shard, op->handle)->in = op;
    io_uring_prep_multishot_accept(sqe, (int)op->handle, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ring_tag(linux_shard, sqe, op, RING_NET);
}

static void submit_listen(struct linux_shard *linux_shard, struct net_op *op)
{
    struct linux_env *owner = linux_shard->owner;
    struct sockaddr_in6 address;
    socklen_t size;
    if (!address_parse(op->address, &address, &size)) {
        op->result = -EINVAL;
        return;
    }
    // Shards share a port by SO_REUSEPORT, which would also share it with another server of the same
    // user: so the first of the node sees whether it can have the port alone.
    uint16_t port = ntohs(address.sin6_port); // At the same place in both families.
    if (port != 0 && !port_is_ours(owner, port)) {
        int64_t alone = listen_bind(&address, size, false);
        if (alone < 0) {
            op->result = alone;
            return;
        }
        close((int)alone);
    }
    int64_t fd = listen_bind(&address, size, true);
    if (fd < 0) {
        op->result = fd;
        return;
    }
    struct sockaddr_in6 bound = {0};
    size = sizeof bound;
    (void)getsockname((int)fd, (struct sockaddr *)(void *)&bound, &size);
    port = ntohs(bound.sin6_port);
    atomic_fetch_or(&owner->ports_bound[port / 64], 1ull << (port % 64));
    address_format(&bound, op->local);
    op->handle = fd;
    op->result = 0;
    accept_arm(linux_shard, op);
}

static void accept_resume(struct timer *timer)
{
    struct linux_shard *linux_shard = container_of(timer, struct linux_shard, paused_timer);
    struct net_op *op = linux_shard->paused;
    linux_shard->paused = NULL;
    while (op != NULL) {
        struct net_op *next = op->next;
        accept_arm(linux_shard, op);
        op = next;
    }
}

static void accept_pause(struct linux_shard *linux_shard, struct net_op *op, int error)
{
    if (!linux_shard->paused_logged) {
        linux_shard->paused_logged = true;
        log_warning(0, "cannot accept connections: %s; raise the limit on open files (ulimit -n)",
            strerror(error));
    }
    op->next = linux_shard->paused;
    linux_shard->paused = op;
    linux_shard->paused_timer.fire = accept_resume;
    timer_arm(linux_shard->shard, &linux_shard->paused_timer,
        linux_mono_now_ns() + ACCEPT_PAUSE_NS);
}

static bool accept_unpause(struct linux_shard *linux_shard, int64_t handle)
{
    for (struct net_op **at = &linux_shard->paused; *at != NULL; at = &(*at)->next) {
        struct net_op *op = *at;
        if (op->handle != handle) continue;
        *at = op->next;
        op->more = false;
        op->result = -ECANCELED;
        op->complete(op);
        return true;
    }
    return false;
}

static void complete_accept(
    struct linux_shard *linux_shard, struct net_op *op, int32_t result, bool more)
{
    if (result >= 0) {
        linux_shard->paused_logged = false;
        socket_options_set(result);
        struct sockaddr_in6 peer = {0}, here = {0};
        socklen_t size = sizeof peer, here_size = sizeof here;
        (void)getpeername(result, (struct sockaddr *)(void *)&peer, &size);
        (void)getsockname(result, (struct sockaddr *)(void *)&here, &here_size);
        address_format(&peer, op->peer);
        address_format(&here, op->here);
        op->result = result;
        op->more = true;
        if (!more) accept_arm(linux_shard, op);
        op->complete(op);
        return;
    }
    if (more) return;
    socket_op_ended(linux_shard, op);
    switch (-result) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (!linux_shard->exiting) {
            accept_pause(linux_shard, op, -result);
            return;
        }
        break;
    case ECONNABORTED:
    case EINTR:
    case EAGAIN:
    case EPROTO:
        if (!linux_shard->exiting) {
            accept_arm(linux_shard, op);
            return;
        }
        break;
    default: break;
    }
    op->more = false;
    op->result = result;
    op->complete(op);
}

// --- connecting -------------------------------------------------------------------------------------

static void complete_connect(struct net_op *op, int32_t result)
{
    struct connect_state state;
    memcpy(&state, op->env_data, sizeof state);
    if (state.fd < 0) {
        op->result = state.fd; // Failed before it began.
    } else if (result < 0) {
        close((int)state.fd);
        op->result = result;
    } else {
        address_format(&state.address, op->peer);
        op->handle = state.fd;
        op->result = state.fd;
    }
    op->complete(op);
}

static void submit_connect(struct linux_shard *linux_shard, struct net_op *op)
{
    struct connect_state *state = (struct connect_state *)(void *)op->env_data;
    int error = 0;
    state->fd = -1;
    if (!address_parse(op->address, &state->address, &state->size)) {
        error = EINVAL;
    } else {
        state->fd = socket(state->address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (state->fd < 0) error = errno;
    }
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    if (error != 0) {
        // Completions never run inside the submission: one that does nothing carries the error.
        io_uring_prep_nop(sqe);
        state->fd = -error;
    } else {
        socket_options_set((int)state->fd);
        int repeats = 3; // 15 seconds: who waits has given up by then.
        (void)setsockopt((int)state->fd, IPPROTO_TCP, TCP_SYNCNT, &repeats, sizeof repeats);
        io_uring_prep_connect(sqe, (int)state->fd,
            (const struct sockaddr *)(const void *)&state->address, state->size);
    }
    ring_tag(linux_shard, sqe, op, RING_NET);
}

// --- receiving --------------------------------------------------------------------------------------

static void recv_arm(struct linux_shard *linux_shard, struct net_op *op)
{
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_recv_multishot(sqe, (int)op->handle, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_GROUP;
    ring_tag(linux_shard, sqe, op, RING_NET);
}

static void recv_last(struct linux_shard *linux_shard, struct net_op *op, int32_t result)
{
    socket_op_ended(linux_shard, op);
    op->data = NULL;
    op->more = false;
    op->result = result;
    op->complete(op);
}

static void complete_recv(
    struct linux_shard *linux_shard, struct net_op *op, int32_t result, uint32_t flags)
{
    struct recv_state *state = recv_state_of(op);
    bool more = (flags & IORING_CQE_F_MORE) != 0;
    bool ends = !more && (result == 0 || (result < 0 && result != -ENOBUFS && result != -EINTR));
    if (ends) {
        recv_last(linux_shard, op, result);
        return;
    }
    // `cancelled` may be set by the completion below, and the op be freed after its last event only.
    if (result > 0) {
        uint32_t index = flags >> IORING_CQE_BUFFER_SHIFT;
        op->data = linux_shard->buffers + (size_t)index * RECV_BUFFER_BYTES;
        op->more = true;
        op->result = result;
        op->complete(op);
        buffer_give(linux_shard, index);
    }
    if (more) return;
    if (state->cancelled) {
        recv_last(linux_shard, op, -ECANCELED);
    } else {
        recv_arm(linux_shard, op);
    }
}

// --- sending ----------------------------------------------------------------------------------------

static void send_arm(struct linux_shard *linux_shard, struct net_op *op)
{
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    socket_ops(linux_shard, op->handle)->out = op;
    // With MSG_WAITALL the kernel goes on after a short send by itself.
    if (op->iov_count == 1) {
        io_uring_prep_send(sqe, (int)op->handle, op->iov[0].data, op->iov[0].size,
            MSG_NOSIGNAL | MSG_WAITALL);
    } else {
        struct msghdr *message = (struct msghdr *)(void *)op->env_data;
        *message = (struct msghdr){
            .msg_iov = (struct iovec *)(void *)op->iov, .msg_iovlen = op->iov_count};
        io_uring_prep_sendmsg(sqe, (int)op->handle, message, MSG_NOSIGNAL | MSG_WAITALL);
    }
    ring_tag(linux_shard, sqe, op, RING_NET);
}

static void complete_send(struct linux_shard *linux_shard, struct net_op *op, int32_t result)
{
    socket_op_ended(linux_shard, op);
    if (result < 0) {
        op->result = result;
        op->complete(op);
        return;
    }
    uint64_t sent = (uint64_t)result;
    op->sent += sent;
    while (op->iov_count > 0 && sent >= op->iov[0].size) {
        sent -= op->iov[0].size;
        op->iov++;
        op->iov_count--;
    }
    if (op->iov_count > 0) {
        op->iov[0].data = (const uint8_t *)op->iov[0].data + sent;
        op->iov[0].size -= sent;
        if (result > 0) {
            send_arm(linux_shard, op);
            return;
        }
    }
    op->result = op->iov_count == 0 ? (int64_t)op->sent : -EPIPE;
    op->complete(op);
}

// --- all --------------------------------------------------------------------------------------------

// The close follows whatever the cancel found.
static void cancel_before_close(struct linux_shard *linux_shard, const struct net_op *op)
{
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op | RING_NET, 0);
    sqe->flags |= IOSQE_IO_HARDLINK;
    ring_tag(linux_shard, sqe, NULL, RING_IGNORE);
}

static void submit_close(struct linux_shard *linux_shard, struct net_op *op)
{
    // The chain must not be parted between two submissions.
    if (io_uring_sq_space_left(&linux_shard->ring) < 3) (void)io_uring_submit(&linux_shard->ring);
    (void)accept_unpause(linux_shard, op->handle);
    struct socket_ops ops = *socket_ops(linux_shard, op->handle);
    if (ops.in != NULL) {
        if (ops.in->kind == NET_RECV) recv_state_of(ops.in)->cancelled = true;
        cancel_before_close(linux_shard, ops.in);
    }
    if (ops.out != NULL) cancel_before_close(linux_shard, ops.out);
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_close(sqe, (int)op->handle);
    ring_tag(linux_shard, sqe, op, RING_NET);
}

void linux_net_submit(struct env *env, struct shard *shard, struct net_op *op)
{
    (void)env;
    struct linux_shard *linux_shard = linux_shard_of(shard);
    struct io_uring_sqe *sqe;
    switch (op->kind) {
    case NET_LISTEN: submit_listen(linux_shard, op); return;
    case NET_CONNECT: submit_connect(linux_shard, op); return;
    case NET_RECV:
        recv_state_of(op)->cancelled = false;
        socket_ops(linux_shard, op->handle)->in = op;
        recv_arm(linux_shard, op);
        return;
    case NET_RECV_CANCEL:
        recv_state_of(op->target)->cancelled = true;
        sqe = ring_entry(linux_shard);
        io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op->target | RING_NET, 0);
        ring_tag(linux_shard, sqe, op, RING_NET);
        return;
    case NET_SEND:
        op->sent = 0;
        send_arm(linux_shard, op);
        return;
    case NET_SHUTDOWN:
        // Does not block; through the ring it would be handed to a thread of the kernel's.
        (void)shutdown((int)op->handle, SHUT_WR);
        sqe = ring_entry(linux_shard);
        io_uring_prep_nop(sqe);
        ring_tag(linux_shard, sqe, op, RING_NET);
        return;
    case NET_CLOSE: submit_close(linux_shard, op); return;
    }
}

void linux_net_complete(
    struct linux_shard *linux_shard, struct net_op *op, int32_t result, uint32_t flags)
{
    switch (op->kind) {
    case NET_LISTEN:
        complete_accept(linux_shard, op, result, (flags & IORING_CQE_F_MORE) != 0);
        return;
    case NET_CONNECT: complete_connect(op, result); return;
    case NET_RECV: complete_recv(linux_shard, op, result, flags); return;
    case NET_SEND: complete_send(linux_shard, op, result); return;
    case NET_RECV_CANCEL:
    case NET_SHUTDOWN:
    case NET_CLOSE:
        op->result = result;
        op->complete(op);
        return;
    }
}
