// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/env_linux.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

#define SPIN_NS 50000ull                 // How long a shard looks for more before it sleeps: see struct spin.
#define SPIN_CREDIT_MAX 16
#define SPIN_PROBE 8                     // Without credit, every so many waits look nevertheless.
#define STOP_STEP_NS 2000000ull          // How often a stopping shard looks whether all have ended.
#define STOP_AGAIN_NS 2000000000ull      // Tasks that cleared their cancel get another after this.
#define STOP_MAX_NS 15000000000ull       // After this the node gives up on tasks that do not end.
#define DRAIN_MAX_NS 2000000000ull       // For the ring's last completions.
#define WALL_CHECK_NS 1000000000ull
#define DISK_HELPERS 2u

// --- clock and randomness ---------------------------------------------------------------------------

uint64_t linux_mono_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static uint64_t linux_mono_ns(struct env *env)
{
    (void)env;
    return linux_mono_now_ns();
}

static int64_t wall_minus_mono_ns(void)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - (int64_t)linux_mono_now_ns();
}

// The wall clock is the monotonic one plus an offset that only grows, so that it cannot go back.
static int64_t linux_wall_ns(struct env *env)
{
    struct linux_env *owner = container_of(env, struct linux_env, env);
    return (int64_t)linux_mono_ns(env) +
           atomic_load_explicit(&owner->wall_offset_ns, memory_order_relaxed);
}

static void wall_follow(struct linux_env *owner)
{
    int64_t offset_ns = wall_minus_mono_ns();
    if (offset_ns > atomic_load(&owner->wall_offset_ns))
        atomic_store(&owner->wall_offset_ns, offset_ns);
}

static void linux_random_bytes(struct env *env, void *out, size_t size)
{
    (void)env;
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            invariant(errno == EINTR);
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
}

static uint64_t rotate(uint64_t x, uint32_t by)
{
    return (x << by) | (x >> (64 - by));
}

// xoshiro256** (Blackman and Vigna, 2018), seeded by the system; not for secrets.
static uint64_t linux_random(struct env *env)
{
    struct shard *shard = shard_self();
    if (shard == NULL) {
        uint64_t value;
        linux_random_bytes(env, &value, sizeof value);
        return value;
    }
    uint64_t *s = linux_shard_of(shard)->random_state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

// --- the ring ---------------------------------------------------------------------------------------

static struct status ring_error(int error)
{
    switch (error) {
    case EPERM:
        return status_make(E_IO_ERROR,
            "io_uring is not permitted here: set the sysctl kernel.io_uring_disabled to 0, and in a "
            "container allow the io_uring system calls in its seccomp profile");
    case ENOSYS: return status_make(E_IO_ERROR, "the kernel has no io_uring: Linux 6.1 is needed");
    case EINVAL:
        return status_make(E_IO_ERROR, "the kernel's io_uring is too old: Linux 6.1 is needed");
    case ENOMEM:
        return status_make(E_IO_ERROR,
            "no memory for io_uring: raise the limit on locked memory (ulimit -l unlimited)");
    default: return status_from_errno(error, "io_uring_setup");
    }
}

static struct status ring_make(struct linux_shard *linux_shard)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                         IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                                         IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE |
                                         IORING_SETUP_CLAMP,
        .cq_entries = RING_ENTRIES * 4};
    int error = io_uring_queue_init_params(RING_ENTRIES, &linux_shard->ring, &params);
    if (error < 0) return ring_error(-error);
    linux_shard->ring_made = true;
    // Saves the look-up of the descriptor in each system call; without it all works the same.
    (void)io_uring_register_ring_fd(&linux_shard->ring);
    return STATUS_OK;
}

struct io_uring_sqe *ring_entry(struct linux_shard *linux_shard)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&linux_shard->ring);
    while (sqe == NULL) {
        int error = io_uring_submit(&linux_shard->ring);
        invariant(error >= 0 || error == -EBUSY || error == -EAGAIN || error == -EINTR);
        sqe = io_uring_get_sqe(&linux_shard->ring);
    }
    return sqe;
}

static void event_arm(struct linux_shard *linux_shard)
{
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_read(sqe, linux_shard->event_fd, &linux_shard->event_value, 8, 0);
    ring_tag(linux_shard, sqe, NULL, RING_EVENT);
}

static void event_write(const struct linux_shard *target)
{
    uint64_t one = 1;
    // Async-signal-safe. Fails only when the counter is full: then it wakes anyway.
    ssize_t written = write(target->event_fd, &one, sizeof one);
    (void)written;
}

static void ring_completed(struct linux_shard *linux_shard, const struct io_uring_cqe *cqe)
{
    uint64_t user_data = cqe->user_data;
    void *pointer = (void *)(uintptr_t)(user_data & ~(uint64_t)RING_TAG_MASK);
    switch ((enum ring_tag)(user_data & RING_TAG_MASK)) {
    case RING_DISK:
        linux_shard->in_flight--;
        linux_disk_complete(pointer, cqe->res);
        break;
    case RING_NET:
        if ((cqe->flags & IORING_CQE_F_MORE) == 0) linux_shard->in_flight--;
        linux_net_complete(linux_shard, pointer, cqe->res, cqe->flags);
        break;
    case RING_EVENT:
        if (!linux_shard->exiting) event_arm(linux_shard);
        break;
    case RING_WAKE_FAILED: event_write(&linux_shard->owner->shards[user_data >> 3]); break;
    case RING_WAKE:
    case RING_IGNORE:
    case RING_TAG_MASK: break;
    }
}

static unsigned ring_reap(struct linux_shard *linux_shard)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&linux_shard->ring, head, cqe)
    {
        ring_completed(linux_shard, cqe);
        count++;
    }
    io_uring_cq_advance(&linux_shard->ring, count);
    return count;
}

// Submits what is there; when the kernel has deferred work for us, does it.
static void ring_poll(struct linux_shard *linux_shard)
{
    struct io_uring *ring = &linux_shard->ring;
    unsigned flags = __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
    if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
        (void)io_uring_submit_and_get_events(ring);
    } else if (io_uring_sq_ready(ring) > 0) {
        (void)io_uring_submit(ring);
    }
}

static void ring_sleep(struct linux_shard *linux_shard, uint64_t deadline_ns)
{
    struct io_uring_cqe *cqe;
    if (deadline_ns == UINT64_MAX) {
        (void)io_uring_submit_and_wait(&linux_shard->ring, 1);
        return;
    }
    uint64_t now_ns = linux_mono_now_ns();
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct __kernel_timespec timeout = {
        .tv_sec = (int64_t)(wait_ns / 1000000000), .tv_nsec = (long long)(wait_ns % 1000000000)};
    (void)io_uring_submit_and_wait_timeout(&linux_shard->ring, &cqe, 1, &timeout, NULL);
}

// --- messages ---------------------------------------------------------------------------------------

static void wake(struct linux_shard *linux_shard, struct linux_shard *target)
{
    if (!mailbox_take_sleeper(target->mailbox)) return;
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_msg_ring(sqe, target->ring.ring_fd, 0, RING_WAKE, 0);
    ring_tag(linux_shard, sqe, (void *)((uintptr_t)target->index << 3), RING_WAKE_FAILED);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void linux_message_send(
    struct env *env, struct shard *from, struct shard *to, struct shard_message *message)
{
    (void)env;
    struct linux_shard *sender = linux_shard_of(from);
    struct linux_shard *target = &sender->owner->shards[to->index];
    if (sender->overflow[to->index] == NULL &&
        mailbox_push(target->mailbox, from->index, message)) {
        wake(sender, target);
        return;
    }
    *sender->overflow_end[to->index] = message;
    sender->overflow_end[to->index] = &message->next;
    sender->overflow_count++;
}

static void overflow_flush(struct linux_shard *sender)
{
    if (sender->overflow_count == 0) return;
    for (uint32_t i = 0; i < sender->owner->options.shard_count; i++) {
        struct linux_shard *target = &sender->owner->shards[i];
        while (sender->overflow[i] != NULL) {
            struct shard_message *next = sender->overflow[i]->next;
            if (!mailbox_push(target->mailbox, sender->index, sender->overflow[i])) break;
            sender->overflow_count--;
            sender->overflow[i] = next;
            wake(sender, target);
        }
        if (sender->overflow[i] == NULL) sender->overflow_end[i] = &sender->overflow[i];
    }
}

// --- helpers ----------------------------------------------------------------------------------------

struct helper_request {
    struct helper_job job;
    struct shard_message message;
    struct linux_shard *linux_shard;
    void (*done)(void *arg);
};

static void helper_deliver(struct shard *shard, struct shard_message *message)
{
    struct helper_request *request = container_of(message, struct helper_request, message);
    linux_shard_of(shard)->helpers_in_flight--;
    request->done(request->job.arg);
    free(request);
}

static void helper_finished(struct helper_job *job)
{
    struct helper_request *request = container_of(job, struct helper_request, job);
    struct linux_shard *linux_shard = request->linux_shard;
    request->message.deliver = helper_deliver;
    mailbox_push_foreign(linux_shard->mailbox, &request->message);
    // From here on the request is the shard's.
    if (mailbox_take_sleeper(linux_shard->mailbox)) event_write(linux_shard);
}

void linux_pool_submit(struct helper_pool *pool, struct shard *shard, void (*fn)(void *arg),
    void (*done)(void *arg), void *arg)
{
    struct helper_request *request = calloc(1, sizeof *request);
    invariant(request != NULL);
    request->job = (struct helper_job){.fn = fn, .arg = arg, .finished = helper_finished};
    request->linux_shard = linux_shard_of(shard);
    request->done = done;
    request->linux_shard->helpers_in_flight++;
    helper_pool_submit(pool, &request->job);
}

void linux_helper_submit(struct env *env, struct shard *shard, void (*fn)(void *arg),
    void (*done)(void *arg), void *arg)
{
    struct linux_env *owner = container_of(env, struct linux_env, env);
    linux_pool_submit(owner->helpers, shard, fn, done, arg);
}

// --- stop and signals -------------------------------------------------------------------------------

static void attention_raise(struct linux_env *owner)
{
    atomic_fetch_add(&owner->attention, 1);
    for (uint32_t i = 0; i < owner->options.shard_count; i++)
        event_write(&owner->shards[i]);
}

static void linux_node_stop(struct env *env, struct node *node)
{
    (void)node;
    struct linux_env *owner = container_of(env, struct linux_env, env);
    atomic_store(&owner->stop, true);
    attention_raise(owner);
}

// The node that gets this process's signals.
static struct linux_env *_Atomic signal_owner;

static void linux_node_signal(struct env *env, int number)
{
    struct linux_env *owner = container_of(env, struct linux_env, env);
    int saved_errno = errno;
    atomic_store(&owner->signal_number, number);
    atomic_fetch_add(&owner->signal_count, 1);
    attention_raise(owner);
    errno = saved_errno;
}

static void on_signal(int number)
{
    struct linux_env *owner = atomic_load(&signal_owner);
    if (owner != NULL) linux_node_signal(&owner->env, number);
}

static void linux_signals_enable(struct env *env)
{
    struct linux_env *owner = container_of(env, struct linux_env, env);
    atomic_store(&signal_owner, owner);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

// --- the loop ---------------------------------------------------------------------------------------

static void attention_take(struct linux_shard *linux_shard)
{
    struct linux_env *owner = linux_shard->owner;
    uint32_t attention = atomic_load_explicit(&owner->attention, memory_order_acquire);
    if (attention == linux_shard->attention_seen) return;
    linux_shard->attention_seen = attention;
    uint32_t signals = atomic_load(&owner->signal_count);
    if (signals != linux_shard->signals_seen) {
        linux_shard->signals_seen = signals;
        reactor_signal(linux_shard->shard, atomic_load(&owner->signal_number));
    }
    if (atomic_load(&owner->stop) && !linux_shard->stopping) {
        linux_shard->stopping = true;
        linux_shard->stop_ns = linux_mono_now_ns();
        linux_shard->stop_again_ns = linux_shard->stop_ns + STOP_AGAIN_NS;
        reactor_stop(linux_shard->shard);
    }
}

static void log_hung_tasks(struct linux_shard *linux_shard)
{
    struct list_link *link = linux_shard->shard->reactor->tasks.next;
    for (; link != &linux_shard->shard->reactor->tasks; link = link->next) {
        struct task *task = container_of(link, struct task, all_link);
        log_error(task->tenant, "task %s does not end", task->kind);
    }
}

// Shard 0: whether all shards were without tasks in two looks in a row, with none started in between.
static void stop_decide(struct linux_shard *linux_shard)
{
    struct linux_env *owner = linux_shard->owner;
    uint64_t sum = 1;
    for (uint32_t i = 0; i < owner->options.shard_count; i++) {
        if (!atomic_load(&owner->shards[i].idle)) sum = 0;
        if (sum != 0) sum += atomic_load(&owner->shards[i].tasks_started);
    }
    bool ended = sum != 0 && sum == owner->idle_sum;
    owner->idle_sum = sum;
    uint64_t now_ns = linux_mono_now_ns();
    if (!ended && now_ns - linux_shard->stop_ns > STOP_MAX_NS) {
        atomic_store(&owner->hung, true);
        ended = true;
    }
    if (!ended) return;
    atomic_store(&owner->exit, true);
    attention_raise(owner);
}

// Returns whether the loop should end.
static bool stop_step(struct linux_shard *linux_shard)
{
    struct linux_env *owner = linux_shard->owner;
    struct reactor *reactor = linux_shard->shard->reactor;
    atomic_store(&linux_shard->tasks_started, reactor->tasks_started);
    atomic_store(&linux_shard->idle, reactor->task_count == 0);
    uint64_t now_ns = linux_mono_now_ns();
    if (now_ns >= linux_shard->stop_again_ns) {
        linux_shard->stop_again_ns = now_ns + STOP_AGAIN_NS;
        reactor_stop(linux_shard->shard);
    }
    if (linux_shard->index == 0) stop_decide(linux_shard);
    if (!atomic_load(&owner->exit)) return false;
    if (reactor->task_count > 0) log_hung_tasks(linux_shard);
    return true;
}

// Sleeping and waking cost more than most requests do, so a shard looks for a while before it sleeps,
// as long as that has lately found something: `credit` rises by two with each look that did and
// falls by one with each that did not. A shard whose clients think between requests soon sleeps at once.
struct spin {
    uint64_t until_ns;
    uint32_t credit;
    uint32_t waits;
};

static void spin_begin(struct spin *spin, uint64_t now_ns)
{
    bool found = now_ns < spin->until_ns;
    if (found && spin->credit < SPIN_CREDIT_MAX) spin->credit += 2;
    bool wanted = spin->credit > 0 || ++spin->waits % SPIN_PROBE == 0;
    spin->until_ns = wanted ? now_ns + SPIN_NS : 0;
}

static void spin_end(struct spin *spin)
{
    if (spin->until_ns == 0) return;
    if (spin->credit > 0) spin->credit--;
    spin->until_ns = 0;
}

static void shard_loop(struct linux_shard *linux_shard)
{
    struct shard *shard = linux_shard->shard;
    uint64_t wall_check_ns = 0;
    struct spin spin = {.credit = 0};
    for (;;) {
        attention_take(linux_shard);
        mailbox_drain(linux_shard->mailbox, shard);
        bool busy = reactor_turn(shard);
        overflow_flush(linux_shard);
        if (linux_shard->stopping && stop_step(linux_shard)) return;
        if (linux_shard->index == 0 && shard->reactor->now_ns >= wall_check_ns) {
            wall_follow(linux_shard->owner);
            wall_check_ns = shard->reactor->now_ns + WALL_CHECK_NS;
        }
        if (busy || linux_shard->overflow_count > 0 || io_uring_cq_ready(&linux_shard->ring) > 0 ||
            shard->reactor->now_ns < spin.until_ns || !mailbox_sleep_begin(linux_shard->mailbox)) {
            ring_poll(linux_shard);
        } else {
            spin_end(&spin);
            uint64_t deadline_ns = reactor_deadline_ns(shard);
            uint64_t step_ns = shard->reactor->now_ns + STOP_STEP_NS;
            if (linux_shard->stopping && deadline_ns > step_ns) deadline_ns = step_ns;
            ring_sleep(linux_shard, deadline_ns);
            mailbox_sleep_end(linux_shard->mailbox);
        }
        if (ring_reap(linux_shard) > 0) spin_begin(&spin, shard->reactor->now_ns);
    }
}

// Waits until the kernel has given all memory back.
static void shard_drain(struct linux_shard *linux_shard)
{
    linux_shard->exiting = true;
    reactor_exit(linux_shard->shard);
    struct io_uring_sqe *sqe = ring_entry(linux_shard);
    io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    ring_tag(linux_shard, sqe, NULL, RING_IGNORE);
    uint64_t end_ns = linux_mono_now_ns() + DRAIN_MAX_NS;
    while (linux_shard->in_flight > 0 || linux_shard->helpers_in_flight > 0) {
        uint64_t now_ns = linux_mono_now_ns();
        if (now_ns > end_ns) {
            log_warning(0, "%u operations had not ended when the shard stopped",
                linux_shard->in_flight + linux_shard->helpers_in_flight);
            break;
        }
        mailbox_drain(linux_shard->mailbox, linux_shard->shard);
        ring_sleep(linux_shard, now_ns + STOP_STEP_NS);
        ring_reap(linux_shard);
        reactor_hooks(linux_shard->shard);
    }
}

// --- threads ----------------------------------------------------------------------------------------

static void init_ended(struct task *task, struct status st, void *arg)
{
    struct linux_env *owner = arg;
    if (!failed(st)) return;
    // Outlives the node, whole, with its hint: node_run runs once in a process, or once after another.
    static struct arena kept;
    arena_reset(&kept);
    owner->init_status = status_copy(&kept, st);
    node_stop(task->shard->node);
}

static void pin_to_core(uint32_t index)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    uint32_t count = (uint32_t)CPU_COUNT(&allowed);
    if (count == 0) return;
    uint32_t wanted = index % count;
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed)) continue;
        if (wanted-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0)
            log_warning(0, "shard %u cannot be pinned to core %zu", index, core);
        return;
    }
}

static struct status shard_begin(struct linux_shard *linux_shard)
{
    struct status st = STATUS_OK;
    struct linux_env *owner = linux_shard->owner;
    if (owner->options.pin) pin_to_core(linux_shard->index);
    char name[16];
    snprintf(name, sizeof name, "shard %u", linux_shard->index);
    pthread_setname_np(pthread_self(), name);
    linux_random_bytes(NULL, linux_shard->random_state, sizeof linux_shard->random_state);
    TRY(ring_make(linux_shard));
    TRY(shard_create(owner->node, linux_shard->index, &owner->options));
    linux_shard->shard = owner->node->shards[linux_shard->index];
    linux_shard->shard->reactor->env_shard = linux_shard;
    TRY(linux_net_init(linux_shard));
out:
    return st;
}

static void *shard_main(void *arg)
{
    struct linux_shard *linux_shard = arg;
    struct linux_env *owner = linux_shard->owner;
    linux_shard->start_status = shard_begin(linux_shard);
    if (failed(linux_shard->start_status)) atomic_store(&owner->start_failed, true);
    pthread_barrier_wait(&owner->barrier);

    if (!atomic_load(&owner->start_failed)) {
        shard_self_set(linux_shard->shard);
        linux_stall_thread_begin(linux_shard);
        if (linux_shard->index == 0) linux_watchdog_start(owner);
        event_arm(linux_shard);
        if (linux_shard->index == 0) {
            struct task_options options = {.fn = owner->init,
                .arg = owner->init_arg,
                .kind = "init",
                .class = TASK_SYSTEM,
                .ended = init_ended,
                .ended_arg = owner};
            struct status st = task_start(linux_shard->shard, &options);
            invariant(!failed(st));
        }
        shard_loop(linux_shard);
        shard_drain(linux_shard);
        if (linux_shard->index == 0) linux_watchdog_stop(owner);
    }
    // No shard goes before all have stopped sending to it.
    pthread_barrier_wait(&owner->barrier);
    if (!atomic_load(&owner->start_failed)) linux_stall_thread_end(linux_shard);
    linux_net_fini(linux_shard);
    if (linux_shard->ring_made) io_uring_queue_exit(&linux_shard->ring);
    if (linux_shard->shard != NULL) shard_destroy(linux_shard->shard);
    shard_self_set(NULL);
    arena_thread_fini();
    return NULL;
}

static uint32_t core_count(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    int count = CPU_COUNT(&allowed);
    return count > 0 ? (uint32_t)count : 1;
}

static void env_fini(struct linux_env *owner)
{
    struct linux_env *self_owner = owner;
    atomic_compare_exchange_strong(&signal_owner, &self_owner, NULL);
    helper_pool_destroy(owner->helpers);
    helper_pool_destroy(owner->disk_helpers);
    for (uint32_t i = 0; i < owner->options.shard_count; i++) {
        struct linux_shard *linux_shard = &owner->shards[i];
        mailbox_destroy(linux_shard->mailbox);
        if (linux_shard->event_fd >= 0) close(linux_shard->event_fd);
        free(linux_shard->overflow);
        free(linux_shard->overflow_end);
    }
    if (owner->node != NULL) node_destroy(owner->node);
    free(owner->shards);
    pthread_barrier_destroy(&owner->barrier);
    free(owner);
}

static struct status env_create(const struct node_options *options, struct linux_env **created)
{
    struct linux_env *owner = calloc(1, sizeof *owner);
    invariant(owner != NULL);
    owner->options = *options;
    uint32_t shards = options->shard_count != 0 ? options->shard_count : core_count();
    owner->options.shard_count = shards;
    if (options->sql_memory_bytes == 0)
        owner->options.sql_memory_bytes =
            (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
    owner->env = (struct env){.mono_ns = linux_mono_ns,
        .wall_ns = linux_wall_ns,
        .random = linux_random,
        .random_bytes = linux_random_bytes,
        .disk_submit = linux_disk_submit,
        .net_submit = linux_net_submit,
        .helper_submit = linux_helper_submit,
        .message_send = linux_message_send,
        .resolve = linux_resolve,
        .node_stop = linux_node_stop,
        .node_signal = linux_node_signal,
        .signals_enable = linux_signals_enable,
        .task_stalled = linux_task_stalled};
    atomic_store(&owner->wall_offset_ns, wall_minus_mono_ns());
    pthread_barrier_init(&owner->barrier, NULL, shards);
    owner->shards = calloc(shards, sizeof *owner->shards);
    invariant(owner->shards != NULL);
    for (uint32_t i = 0; i < shards; i++) {
        struct linux_shard *linux_shard = &owner->shards[i];
        linux_shard->owner = owner;
        linux_shard->index = i;
        linux_shard->mailbox = mailbox_create(shards);
        linux_shard->event_fd = eventfd(0, EFD_CLOEXEC);
        linux_shard->overflow = calloc(shards, sizeof *linux_shard->overflow);
        linux_shard->overflow_end = calloc(shards, sizeof *linux_shard->overflow_end);
        invariant(linux_shard->overflow != NULL && linux_shard->overflow_end != NULL);
        for (uint32_t j = 0; j < shards; j++)
            linux_shard->overflow_end[j] = &linux_shard->overflow[j];
    }
    for (uint32_t i = 0; i < shards; i++) {
        if (owner->shards[i].event_fd >= 0) continue;
        struct status st = status_from_errno(errno, "eventfd");
        env_fini(owner);
        return st;
    }
    *created = owner;
    return STATUS_OK;
}

static struct status node_status(struct linux_env *owner)
{
    for (uint32_t i = 0; i < owner->options.shard_count; i++) {
        if (failed(owner->shards[i].start_status)) return owner->shards[i].start_status;
    }
    if (failed(owner->init_status)) return owner->init_status;
    if (atomic_load(&owner->hung))
        return status_make(E_INTERNAL, "tasks did not end when the node was stopped");
    return STATUS_OK;
}

// A connection takes a descriptor, and so does a file: as many as the system lets us have.
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

struct status node_run(
    const struct node_options *options, task_fn init, void *arg, struct node **running)
{
    struct linux_env *owner = NULL;
    struct status st = env_create(options, &owner);
    if (failed(st)) return st;
    owner->init = init;
    owner->init_arg = arg;

    // The shards leave signals to this thread: their handlers would run on a fiber's small stack.
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGPROF);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    descriptors_raise();
    uint32_t started = 0;
    uint32_t helpers = options->helper_threads != 0 ? options->helper_threads : 2;
    TRY(helper_pool_create(helpers, &owner->helpers));
    TRY(helper_pool_create(DISK_HELPERS, &owner->disk_helpers));
    owner->node = node_create(&owner->env, &owner->options);
    if (running != NULL) *running = owner->node;
    for (uint32_t i = 0; i < owner->options.shard_count; i++) {
        // A half-started node cannot be taken down (the others wait at the barrier): give up at once.
        invariant(pthread_create(&owner->shards[i].thread, NULL, shard_main, &owner->shards[i]) == 0);
        started++;
    }
out:
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(owner->shards[i].thread, NULL);
    if (!failed(st)) st = node_status(owner);
    env_fini(owner);
    return st;
}
