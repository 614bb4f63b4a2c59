// SPDX-License-Identifier: GPL-3.0-or-later
//
// The log: what was acknowledged is there again after a restart, in order; a torn end is cut, damage
// before it is reported; a failed write ends the log; room that comes back heals it.
#include "tests/unit/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "core/log_segment.h"
#include "core/log_writer.h"

#define MS 1000000ull
#define SEGMENT (256u << 10)
#define BATCH (32u << 10)

// --- an environment whose disk can fail -------------------------------------------------------------

static struct env *real_env;
static void (*real_disk_submit)(struct env *env, struct shard *shard, struct disk_op *op);
static uint32_t durable_writes;     // Counted.
static uint32_t fail_write_after;   // The nth durable write from now fails; 0: none.
static bool no_room;                // DISK_ALLOCATE fails.

static void failing_submit(struct env *env, struct shard *shard, struct disk_op *op)
{
    if (op->kind == DISK_WRITE && (op->flags & DISK_DSYNC) != 0) {
        durable_writes++;
        if (fail_write_after > 0 && --fail_write_after == 0) op->handle = -1; // EBADF.
    }
    if (op->kind == DISK_ALLOCATE && no_room) op->size = (size_t)1 << 62; // EFBIG or ENOSPC.
    real_disk_submit(env, shard, op);
}

static void disk_wrap(struct task *task)
{
    real_env = task->shard->env;
    real_disk_submit = real_env->disk_submit;
    real_env->disk_submit = failing_submit;
}

// --- appending in bulk ------------------------------------------------------------------------------

// What the log gave back.
struct replayed {
    uint64_t first, last;
    log_position position;
    bool wrong;
};

struct writer {
    char dir[256];
    struct log_writer *log;
    struct replayed replayed; // When it was opened or scanned last.
    uint64_t next_index;  // Of the next record to append.
    uint64_t durable;     // The last that was acknowledged.
    uint32_t failures, failed_calls;
    uint32_t pending;
    bool out_of_order;
    struct wait_queue changed;
};

struct one {
    struct log_append append;
    struct writer *writer;
};

static void one_durable(struct log_append *append, struct status st)
{
    struct one *one = container_of(append, struct one, append);
    struct writer *writer = one->writer;
    writer->pending--;
    if (failed(st)) {
        writer->failures++;
    } else {
        if (append->record.index != writer->durable + 1) writer->out_of_order = true;
        writer->durable = append->record.index;
    }
    free(one);
    if (writer->pending == 0) wait_queue_wake_all(&writer->changed, STATUS_OK);
}

static void log_failed(struct log_writer *log, struct status st, void *arg)
{
    (void)log;
    (void)st;
    ((struct writer *)arg)->failed_calls++;
}

static size_t size_of_index(uint64_t index)
{
    return (size_t)(index * 7919 % 3000);
}

static struct status append_one(struct writer *writer, uint8_t *scratch)
{
    uint64_t index = writer->next_index;
    size_t size = size_of_index(index);
    memset(scratch, (int)index, size);
    struct one *one = calloc(1, sizeof *one);
    one->writer = writer;
    one->append = (struct log_append){
        .record = {.stream = index % 3, .term = 1, .index = index, .payload = {scratch, size}},
        .durable = one_durable};
    struct status st = log_writer_append(writer->log, &one->append);
    if (failed(st)) {
        free(one);
        return st;
    }
    writer->next_index++;
    writer->pending++;
    return st;
}

static struct status settle(struct task *task, struct writer *writer)
{
    struct status st = STATUS_OK;
    while (writer->pending > 0)
        TRY(task_wait(task, &writer->changed));
out:
    return st;
}

static struct status append_many(struct task *task, struct writer *writer, uint32_t count)
{
    struct status st = STATUS_OK;
    static uint8_t scratch[3000];
    for (uint32_t i = 0; i < count; i++) {
        TRY(append_one(writer, scratch));
        if (i % 7 == 6) TRY(settle(task, writer));
    }
    TRY(settle(task, writer));
    CHECK(!writer->out_of_order);
out:
    return st;
}

static struct status replay_one(
    struct task *task, void *arg, const struct log_record *record, log_position position)
{
    (void)task;
    struct replayed *replayed = arg;
    if (replayed->first == 0) replayed->first = record->index;
    if (replayed->last != 0 && record->index != replayed->last + 1) replayed->wrong = true;
    if (record->stream != record->index % 3 || record->term != 1) replayed->wrong = true;
    if (record->payload.size != size_of_index(record->index)) replayed->wrong = true;
    for (size_t i = 0; i < record->payload.size; i++)
        if (record->payload.data[i] != (uint8_t)record->index) replayed->wrong = true;
    if (position <= replayed->position) replayed->wrong = true;
    replayed->position = position;
    replayed->last = record->index;
    return STATUS_OK;
}

static struct status open_log(struct task *task, struct writer *writer)
{
    struct log_writer_options options = {.dir = writer->dir,
        .segment_bytes = SEGMENT,
        .batch_bytes_max = BATCH,
        .failed = log_failed,
        .arg = writer};
    writer->replayed = (struct replayed){0};
    struct status st = log_writer_open(task, &options, replay_one, &writer->replayed, &writer->log);
    writer->next_index = writer->replayed.last + 1;
    writer->durable = writer->replayed.last;
    return st;
}

static struct status open_new_log(struct task *task, struct writer *writer)
{
    test_dir(writer->dir);
    return open_log(task, writer);
}

// What is in the closed log: everything up to `last`, as it was appended.
static struct status check_closed_log(struct task *task, struct writer *writer, uint64_t last)
{
    struct status st = STATUS_OK;
    writer->replayed = (struct replayed){0};
    TRY(log_writer_scan(task, writer->dir, replay_one, &writer->replayed));
    CHECK(!writer->replayed.wrong && writer->replayed.last == last);
out:
    return st;
}

// --- the tests --------------------------------------------------------------------------------------

NODE_TEST(log_writer, acknowledged_records_come_back, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    test_dir(writer.dir);
    uint64_t total = 0;
    for (int round = 0; round < 3; round++) {
        TRY(open_log(task, &writer));
        CHECK(!writer.replayed.wrong && writer.replayed.last == total);
        CHECK(log_writer_durable(writer.log) == writer.replayed.position);
        TRY(append_many(task, &writer, 500));
        total += 500;
        CHECK(writer.durable == total);
        CHECK(log_writer_durable(writer.log) == log_writer_appended(writer.log));
        log_position end = log_writer_durable(writer.log);
        TRY(log_writer_close(task, writer.log));
        TRY(check_closed_log(task, &writer, total));
        CHECK(writer.replayed.position == end);
    }
    CHECK(writer.failed_calls == 0);
out:
    return st;
}

// Until the segment that follows is prepared: nothing has been written for a while, however slow the disk is.
static struct status prepared_wait(struct task *task)
{
    struct status st = STATUS_OK;
    uint32_t before = UINT32_MAX;
    for (uint32_t quiet = 0; quiet < 8; quiet = durable_writes == before ? quiet + 1 : 0) {
        before = durable_writes;
        TRY(task_sleep(task, 20 * MS));
    }
out:
    return st;
}

// All that a turn appends leaves in one write.
NODE_TEST(log_writer, a_turn_is_one_write, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    uint8_t scratch[3000];
    disk_wrap(task);
    TRY(open_new_log(task, &writer));
    TRY(prepared_wait(task));
    uint32_t before = durable_writes;
    for (int i = 0; i < 15; i++)
        TRY(append_one(&writer, scratch));
    TRY(settle(task, &writer));
    CHECK(durable_writes == before + 1);
    TRY(log_writer_close(task, writer.log));
out:
    return st;
}

NODE_TEST(log_writer, truncated_segments_are_recycled, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    test_dir(writer.dir);
    for (int round = 0; round < 3; round++) {
        TRY(open_log(task, &writer));
        CHECK(!writer.replayed.wrong);
        for (int i = 0; i < 10; i++) {
            TRY(append_many(task, &writer, 200));
            log_writer_truncate(writer.log, log_writer_durable(writer.log));
            CHECK(log_writer_bytes(writer.log) <= SEGMENT);
        }
        TRY(log_writer_close(task, writer.log));
        char **names;
        uint32_t count = 0;
        TRY(disk_list(task, writer.dir, &names));
        for (; names[count] != NULL; count++) {
        }
        CHECK(count <= 4); // 2000 records of 1.5 KB would fill twelve.
    }
out:
    return st;
}

NODE_TEST(log_writer, large_records_are_refused, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    static uint8_t large[BATCH];
    TRY(open_new_log(task, &writer));
    struct log_append append = {.record = {.payload = {large, sizeof large}}};
    CHECK_FAILS(log_writer_append(writer.log, &append), E_PROGRAM_LIMIT_EXCEEDED);
    TRY(append_many(task, &writer, 1));
    TRY(log_writer_close(task, writer.log));
out:
    return st;
}

// --- damage -----------------------------------------------------------------------------------------

struct place {
    char path[512];
    off_t offset;
};

// The nth batch from the log's end (0: the last), by looking at the files.
static struct place batch_from_end(const char *dir, uint32_t back)
{
    struct found {
        uint64_t sequence;
        struct place place;
    };
    static struct found found[4096];
    uint32_t count = 0;
    DIR *folder = opendir(dir);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        int fd = open(path, O_RDONLY);
        struct log_segment_header header;
        if (pread(fd, &header, sizeof header, 0) == sizeof header) {
            struct log_batch_header batch;
            for (off_t at = 4096; pread(fd, &batch, sizeof batch, at) == sizeof batch; at += 4096) {
                if (batch.magic != LOG_BATCH_MAGIC || batch.salt != header.salt) continue;
                found[count].sequence = batch.batch_sequence;
                found[count].place.offset = at;
                memcpy(found[count++].place.path, path, sizeof path);
            }
        }
        close(fd);
    }
    closedir(folder);
    uint64_t newest = 0;
    for (uint32_t i = 0; i < count; i++)
        newest = found[i].sequence > newest ? found[i].sequence : newest;
    for (uint32_t i = 0; i < count; i++)
        if (found[i].sequence == newest - back) return found[i].place;
    return (struct place){0};
}

static void flip(struct place place, off_t at)
{
    int fd = open(place.path, O_RDWR);
    uint8_t byte = 0;
    if (pread(fd, &byte, 1, place.offset + at) == 1) {
        byte ^= 0x40;
        if (pwrite(fd, &byte, 1, place.offset + at) != 1) abort();
    }
    fsync(fd);
    close(fd);
}

static struct status filled_log(struct task *task, struct writer *writer, uint32_t count)
{
    struct status st = STATUS_OK;
    TRY(open_new_log(task, writer));
    TRY(append_many(task, writer, count));
    TRY(log_writer_close(task, writer->log));
out:
    return st;
}

// The last batch is damaged: as after a crash in the middle of its write. It was never acknowledged then.
NODE_TEST(log_writer, a_torn_end_is_cut, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    TRY(filled_log(task, &writer, 700)); // 100 batches of 7.
    static const off_t places[] = {0, 8, 20, 47, 60, 5000};
    uint64_t expected = 700;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        flip(batch_from_end(writer.dir, 0), places[i]);
        expected -= 7;
        TRY(open_log(task, &writer));
        CHECK(!writer.replayed.wrong && writer.replayed.last == expected);
        // The log goes on at the cut.
        TRY(append_many(task, &writer, 14));
        TRY(log_writer_close(task, writer.log));
        expected += 14;
        TRY(check_closed_log(task, &writer, expected));
    }
out:
    return st;
}

// Damage with valid batches after it was acknowledged data once: never silently dropped.
NODE_TEST(log_writer, damage_in_the_middle_is_reported, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    TRY(filled_log(task, &writer, 1400));
    static const uint32_t backs[] = {1, 2, 10, 50, 100, 150};
    for (size_t i = 0; i < sizeof backs / sizeof backs[0]; i++) {
        struct place place = batch_from_end(writer.dir, backs[i]);
        for (int at = 0; at < 3; at++) {
            flip(place, at * 30);
            CHECK_FAILS(open_log(task, &writer), E_DATA_CORRUPTED);
            flip(place, at * 30);
        }
    }
    // Nothing was changed by looking.
    TRY(check_closed_log(task, &writer, 1400));
out:
    return st;
}

NODE_TEST(log_writer, a_lost_segment_is_reported, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    TRY(filled_log(task, &writer, 1400));
    // A file in the middle is gone.
    struct place place = batch_from_end(writer.dir, 100);
    char aside[600];
    snprintf(aside, sizeof aside, "%s.aside", place.path);
    TRY(disk_rename(task, place.path, aside));
    CHECK_FAILS(open_log(task, &writer), E_DATA_CORRUPTED);
    TRY(disk_rename(task, aside, place.path));
    // A header is damaged: of one in the middle, then of the newest.
    for (int i = 0; i < 2; i++) {
        place = batch_from_end(writer.dir, i == 0 ? 100 : 0);
        place.offset = 0;
        flip(place, 17);
        // The prepared one behind the newest has no batches: without it the newest is the last.
        CHECK_FAILS(open_log(task, &writer), E_DATA_CORRUPTED);
        flip(place, 17);
    }
    TRY(open_log(task, &writer));
    CHECK(writer.replayed.last == 1400);
    TRY(log_writer_close(task, writer.log));
out:
    return st;
}

// A payload that imitates a batch at a block's start is not taken for one.
NODE_TEST(log_writer, payloads_cannot_pose_as_batches, 1)
{
    struct status st = STATUS_OK;
    char dir[256];
    struct log_writer *log = NULL;
    test_dir(dir);
    static uint8_t fake[16384];
    for (int round = 0; round < 2; round++) {
        struct log_writer_options options = {
            .dir = dir, .segment_bytes = SEGMENT, .batch_bytes_max = BATCH};
        TRY(log_writer_open(task, &options, NULL, NULL, &log));
        struct log_batch_header header = {.magic = LOG_BATCH_MAGIC,
            .segment_sequence = 1,
            .batch_sequence = 99,
            .salt = 1,
            .payload_bytes = 0};
        for (size_t at = 4096 - 80; at + sizeof header < sizeof fake; at += 4096)
            memcpy(fake + at, &header, sizeof header);
        struct writer writer = {.log = log};
        struct one *one = calloc(1, sizeof *one);
        one->writer = &writer;
        one->append = (struct log_append){
            .record = {.index = 1, .payload = {fake, sizeof fake}}, .durable = one_durable};
        writer.pending = 1;
        TRY(log_writer_append(log, &one->append));
        TRY(settle(task, &writer));
        TRY(log_writer_close(task, log));
    }
    flip(batch_from_end(dir, 0), 44);
    TRY(log_writer_scan(task, dir, NULL, NULL));
out:
    return st;
}

// --- faults -----------------------------------------------------------------------------------------

NODE_TEST(log_writer, a_failed_write_ends_the_log, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    uint8_t scratch[3000];
    disk_wrap(task);
    TRY(open_new_log(task, &writer));
    TRY(append_many(task, &writer, 21));
    TRY(prepared_wait(task));
    fail_write_after = 1;
    for (int i = 0; i < 5; i++)
        TRY(append_one(&writer, scratch));
    TRY(settle(task, &writer));
    CHECK(writer.failures == 5 && writer.failed_calls == 1 && writer.durable == 21);
    CHECK_FAILS(append_one(&writer, scratch), E_IO_ERROR);
    CHECK_FAILS(log_writer_wait(task, writer.log), E_IO_ERROR);
    CHECK_FAILS(log_writer_close(task, writer.log), E_IO_ERROR);
    CHECK(writer.failed_calls == 1);
    TRY(check_closed_log(task, &writer, 21));
out:
    return st;
}

NODE_TEST(log_writer, a_full_disk_refuses_and_heals, 1)
{
    struct status st = STATUS_OK;
    struct writer writer = {0};
    disk_wrap(task);
    TRY(open_new_log(task, &writer));
    TRY(append_many(task, &writer, 7));
    TRY(prepared_wait(task));
    no_room = true;
    struct status full = STATUS_OK;
    for (int i = 0; i < 2000 && !failed(full); i++)
        full = append_many(task, &writer, 7);
    CHECK(status_is(full, E_DISK_FULL));
    TRY(settle(task, &writer)); // What was taken has a place.
    CHECK(writer.failed_calls == 0);
    no_room = false;
    uint64_t before = writer.durable;
    for (int i = 0; i < 300 && failed(full); i++) {
        TRY(task_sleep(task, 10 * MS));
        full = append_many(task, &writer, 7);
        TRY(settle(task, &writer));
    }
    CHECK(!failed(full) && writer.durable > before);
    TRY(log_writer_close(task, writer.log));
    TRY(check_closed_log(task, &writer, writer.durable));
out:
    return st;
}
