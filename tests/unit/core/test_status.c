// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <errno.h>

#include "core/arena.h"
#include "core/status.h"

Test(status, sqlstates_are_written_as_they_are_read)
{
    static const char *const codes[] = {"00000", "40001", "42P01", "XXUUU", "ZZZZZ", "0A000"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char text[6];
        uint32_t code = sqlstate_parse(codes[i]);
        cr_assert_neq(code, 0);
        status_sqlstate(status_make(code, "m"), text);
        cr_assert_str_eq(text, codes[i]);
    }
    cr_assert_eq(sqlstate_parse("40001"), E_SERIALIZATION_FAILURE);
    cr_assert_eq(sqlstate_parse("4000a"), 0);
    cr_assert_eq(sqlstate_parse("40 01"), 0);
}

Test(status, a_report_carries_detail_hint_names_and_position)
{
    struct arena arena, later;
    arena_init(&arena, NULL);
    arena_init(&later, NULL);
    struct status st = status_format(&arena, E_UNIQUE_VIOLATION, "duplicate key in \"%s\"", "t");
    cr_assert_null(status_report_of(st));
    st = status_detail(&arena, st, "Key (a)=(%d) already exists.", 1);
    st = status_hint(&arena, st, "Use another.");
    st = status_names(&arena, st, "public", "t", NULL, "t_pkey");
    st = status_position(&arena, st, 12);
    struct status copy = status_copy(&later, st);
    arena_fini(&arena);

    const struct status_report *report = status_report_of(copy);
    cr_assert_not_null(report);
    cr_assert_str_eq(copy.message, "duplicate key in \"t\"");
    cr_assert_str_eq(report->message, copy.message);
    cr_assert_str_eq(report->detail, "Key (a)=(1) already exists.");
    cr_assert_str_eq(report->hint, "Use another.");
    cr_assert_str_eq(report->schema, "public");
    cr_assert_str_eq(report->table, "t");
    cr_assert_null(report->column);
    cr_assert_str_eq(report->constraint, "t_pkey");
    cr_assert_eq(report->position, 12);
    cr_assert(status_is(copy, E_UNIQUE_VIOLATION));
    arena_fini(&later);
}

Test(status, success_takes_no_report)
{
    struct arena arena;
    arena_init(&arena, NULL);
    cr_assert(!failed(status_hint(&arena, STATUS_OK, "unused")));
    cr_assert_null(arena.block);
    arena_fini(&arena);
}

Test(status, errno_is_translated_with_either_sign)
{
    static const struct {
        int error;
        uint32_t code;
    } rows[] = {
        {ENOSPC, E_DISK_FULL},
        {-ENOSPC, E_DISK_FULL},
        {ENOMEM, E_OUT_OF_MEMORY},
        {EPIPE, E_CONNECTION_FAILURE},
        {ENOENT, E_UNDEFINED_FILE},
        {EEXIST, E_DUPLICATE_FILE},
        {EIO, E_IO_ERROR},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq(status_from_errno(rows[i].error, "test").code, rows[i].code);
    struct status st = status_from_errno_in(&arena, -ENOENT, "open x");
    cr_assert_str_eq(st.message, "open x: No such file or directory");
    arena_fini(&arena);
}
