// SPDX-License-Identifier: GPL-3.0-or-later
//
// A store is opened by programs that know its format, and by no other; refusing changes nothing in it.
#include "tests/unit/kv/kv_harness.h"

#include <stdio.h>

#include "core/disk.h"
#include "core/version.h"
#include "kv/recovery.h"

static struct status store_text(struct task *task, const struct kv_test *test, char **text)
{
    struct bytes content;
    struct status st =
        disk_read_file(task, arena_printf(task->arena, "%s/STORE", test->options.dir), 1 << 20, &content);
    *text = failed(st) ? NULL : arena_string(task->arena, content);
    return st;
}

// STORE as another release would have written it: `head`, and what follows its first lines here.
static struct status store_rewrite(struct task *task, const struct kv_test *test, const char *head)
{
    struct status st;
    char *text;
    TRY(store_text(task, test, &text));
    const char *rest = strstr(text, "cluster ");
    CHECK(rest != NULL);
    st = disk_write_file(task, arena_printf(task->arena, "%s/STORE", test->options.dir),
        bytes_of_string(arena_printf(task->arena, "%s%s", head, rest)));
out:
    return st;
}

static bool says(struct status st, const char *part)
{
    const struct status_report *report = status_report_of(st);
    return strstr(st.message, part) != NULL ||
           (report != NULL && report->hint != NULL && strstr(report->hint, part) != NULL);
}

KV_TEST(recovery, newer_formats_are_refused_and_left_alone)
{
    struct status st = STATUS_OK;
    const struct kv_test *test = arg;
    struct bytes value;
    char *before, *after;
    static const char *const heads[] = {"isopod store 99\nwritten by 9.8.7-rc1\n", "isopod store 4\n",
        "isopod store 4\nwritten by nobody we know\nand not \"malformed\"\n"};
    TRY(put_now(task, "a", "1"));
    TRY(kv_stop(task));
    for (uint32_t i = 0; i < 3; i++) {
        TRY(store_rewrite(task, test, heads[i]));
        TRY(store_text(task, test, &before));
        struct status refused = kv_start(task, &test->options);
        CHECK(status_is(refused, E_FEATURE_NOT_SUPPORTED));
        CHECK(says(refused, i == 0 ? "format 99" : "format 4") && says(refused, version_number()));
        CHECK(says(refused, i == 0 ? "written by Isopod v9.8.7-rc1" : "reads formats 2 to 3"));
        CHECK(says(refused, i == 0 ? "Start this node with Isopod v9.8.7-rc1 or newer" : "or a newer one"));
        CHECK(status_is(recovery_format_check(task, test->options.dir), E_FEATURE_NOT_SUPPORTED));
        TRY(store_text(task, test, &after));
        CHECK(strcmp(before, after) == 0);
    }
    TRY(store_rewrite(task, test, "isopod store 3\nwritten by 0.0.1\n"));
    TRY(kv_start(task, &test->options));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(store_text(task, test, &after));
    CHECK(strstr(after, "written by 0.0.1") == NULL); // Who would be needed from now on.
out:
    return st;
}

KV_TEST(recovery, the_format_before_is_raised)
{
    struct status st = STATUS_OK;
    const struct kv_test *test = arg;
    struct bytes value;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(kv_stop(task));
    TRY(store_rewrite(task, test, "isopod store 2\n"));
    TRY(recovery_format_check(task, test->options.dir));
    TRY(kv_start(task, &test->options));
    TRY(store_text(task, test, &text));
    CHECK(strstr(text, arena_printf(task->arena, "isopod store 3\nwritten by %s\n", version_number())) == text);
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "1"));
out:
    return st;
}

static struct status junk_make(struct task *task, const struct kv_test *test, const char *folder)
{
    struct status st;
    TRY(disk_mkdir(task, arena_printf(task->arena, "%s/%s", test->options.dir, folder)));
    st = disk_write_file(task, arena_printf(task->arena, "%s/%s/current.wt", test->options.dir, folder),
        BYTES_LITERAL("left"));
out:
    return st;
}

static bool is_empty(struct task *task, const struct kv_test *test, const char *folder)
{
    char **names;
    struct status st = disk_list(task, arena_printf(task->arena, "%s/%s", test->options.dir, folder), &names);
    return status_is(st, E_UNDEFINED_FILE) || (!failed(st) && *names == NULL);
}

// A replica's line is written before its files are erased, so that it is gone after a crash; its room must not be.
KV_TEST(recovery, what_a_crash_left_of_erased_replicas_goes)
{
    struct status st = STATUS_OK;
    const struct kv_test *test = arg;
    struct bytes value;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(kv_stop(task));
    TRY(store_text(task, test, &text));
    CHECK(strstr(text, "replica 1 0 founded 0\n") != NULL || strstr(text, "replica 1 0 here 0\n") != NULL);
    const char *rest = strchr(strstr(text, "replica 1 0 "), '\n') + 1, *others = rest;
    const char *head = arena_string(task->arena, bytes_of((const uint8_t *)text, (size_t)(strstr(text, "replica 1 0 ") - text)));
    // Slice 1 is of the second generation, as after a snapshot; slices 88 and 89 were here.
    char *from = arena_printf(task->arena, "%s/slice-1", test->options.dir);
    CHECK(rename(from, arena_printf(task->arena, "%s.1", from)) == 0);
    TRY(junk_make(task, test, "slice-1"));
    TRY(junk_make(task, test, "slice-88"));
    TRY(junk_make(task, test, "slice-89.3"));
    TRY(junk_make(task, test, "slice-89.4"));
    TRY(disk_write_file(task, arena_printf(task->arena, "%s/STORE", test->options.dir),
        bytes_of_string(arena_printf(task->arena,
            "%sreplica 1 1 founded 0\n%sreplica 88 0 gone 0\nreplica 89 3 gone 0\n", head, others))));
    TRY(kv_start(task, &test->options));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "1"));
    CHECK(is_empty(task, test, "slice-1") && is_empty(task, test, "slice-88"));
    CHECK(is_empty(task, test, "slice-89.3") && is_empty(task, test, "slice-89.4"));
    CHECK(!is_empty(task, test, "slice-1.1"));
out:
    return st;
}

KV_TEST(recovery, formats_of_long_ago_and_other_files_are_refused)
{
    struct status st = STATUS_OK;
    const struct kv_test *test = arg;
    TRY(kv_stop(task));
    TRY(store_rewrite(task, test, "isopod store 1\n"));
    CHECK_FAILS(kv_start(task, &test->options), E_FEATURE_NOT_SUPPORTED);
    TRY(store_rewrite(task, test, "isopod store\n"));
    CHECK_FAILS(kv_start(task, &test->options), E_DATA_CORRUPTED);
    TRY(store_rewrite(task, test, "isopod store 3 of a kind\n"));
    CHECK_FAILS(kv_start(task, &test->options), E_DATA_CORRUPTED);
    TRY(store_rewrite(task, test, "isopod store 3\nwritten by 0.1.0\n"));
    TRY(kv_start(task, &test->options));
out:
    return st;
}
