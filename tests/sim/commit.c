// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/commit.h"

#include "sim_commit.h"

const char *commit_built(void)
{
    return SIM_COMMIT;
}

static bool begins(struct bytes whole, struct bytes part)
{
    return part.size <= whole.size && bytes_equal((struct bytes){whole.data, part.size}, part);
}

static bool digits_only(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!(text.data[i] >= '0' && text.data[i] <= '9') && !(text.data[i] >= 'a' && text.data[i] <= 'f')) return false;
    }
    return text.size >= COMMIT_DIGITS_MIN;
}

// Up to its "+", and what is behind that.
static struct bytes split(const char *commit, struct bytes *changes)
{
    size_t size = strcspn(commit, "+");
    *changes = bytes_of_string(commit + size);
    return (struct bytes){(const uint8_t *)commit, size};
}

const char *commit_refusal(struct arena *arena, const char *built, const char *wanted)
{
    struct bytes built_changes, changes;
    struct bytes built_commit = split(built, &built_changes), commit = split(wanted, &changes);
    if (!digits_only(commit))
        return arena_printf(arena, "--commit needs at least %u digits of a commit, not \"%s\"", COMMIT_DIGITS_MIN, wanted);
    if (begins(built_commit, commit) && bytes_equal(built_changes, changes)) return NULL;
    const char *why = *built == 0
                          ? "nobody knows what commit this program was built from"
                          : arena_printf(arena, "this program was built from commit %s", built);
    struct buffer out;
    buffer_init(&out, arena);
    buffer_printf(&out, "%s, and commit %s is to be run: the seed would be another story\n", why, wanted);
    if (changes.size > 0)
        buffer_printf(&out, "  that program had changes (%s) that are in no commit: whoever built it has them\n",
            arena_string(arena, changes));
    const char *digits = arena_string(arena, commit);
    buffer_printf(&out,
        "  git worktree add ../isopod-%s %s && cd ../isopod-%s && cmake --preset sim && ninja -C build/sim sim",
        digits, digits, digits);
    return buffer_string(&out);
}
