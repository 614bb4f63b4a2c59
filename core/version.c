// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/version.h"

#include <gnu/libc-version.h>
#include <lz4.h>
#include <stdio.h>
#include <xxhash.h>
#include <zstd.h>

#include "core/invariant.h"

#define LIBRARIES_MAX 16

static struct library {
    const char *name, *version;
} libraries[LIBRARIES_MAX];
static uint32_t library_count;

#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "unknown"
#endif

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *version_number(void)
{
    return ISOPOD_VERSION;
}

const char *version_build_type(void)
{
#if defined(ISOPOD_ASAN)
    return ISOPOD_BUILD_TYPE " (address and undefined-behaviour sanitizers)";
#elif defined(ISOPOD_TSAN)
    return ISOPOD_BUILD_TYPE " (thread sanitizer)";
#else
    return ISOPOD_BUILD_TYPE;
#endif
}

void version_library_add(const char *name, const char *version)
{
    invariant(library_count < LIBRARIES_MAX);
    libraries[library_count++] = (struct library){name, version};
}

static void append_line(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "%-14s %s\n", name, value);
}

char *version_text(struct arena *arena)
{
    struct buffer out;
    char xxhash[32];
    buffer_init(&out, arena);
    snprintf(xxhash, sizeof xxhash, "%d.%d.%d", XXH_VERSION_MAJOR, XXH_VERSION_MINOR,
        XXH_VERSION_RELEASE);
    append_line(&out, "Build Tag:", "v" ISOPOD_VERSION);
    append_line(&out, "Build Type:", version_build_type());
    append_line(&out, "Platform:", MACHINE "-linux");
    append_line(&out, "C Compiler:", COMPILER);
    append_line(&out, "glibc:", gnu_get_libc_version());
    append_line(&out, "liburing:", ISOPOD_LIBURING_VERSION);
    append_line(&out, "BoringSSL:", "Android");
    append_line(&out, "zstd:", ZSTD_versionString());
    append_line(&out, "lz4:", LZ4_versionString());
    append_line(&out, "xxHash:", xxhash);
    for (uint32_t i = 0; i < library_count; i++) {
        char *name = arena_printf(arena, "%s:", libraries[i].name);
        append_line(&out, name, libraries[i].version);
    }
    return buffer_string(&out);
}

char *version_line(struct arena *arena)
{
    return arena_printf(
        arena, "Isopod v%s (%s-linux, built with %s)", version_number(), MACHINE, COMPILER);
}
