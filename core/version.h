// SPDX-License-Identifier: GPL-3.0-or-later
//
// What this program is: its version, how it was built, and the libraries in it. Layers above core
// add theirs with version_library_add before version_text is asked for.
#pragma once
#include "core/arena.h"

const char *version_number(void);     // "0.1.0"
const char *version_build_type(void); // "Release", "Debug" with its sanitizers

// At start-up only, before threads; at most 16. Both texts are static.
void version_library_add(const char *name, const char *version);

// Several lines, for `isopod version`: "Build Tag: v0.1.0" and so on, then one line a library.
char *version_text(struct arena *arena);
// One line, for version() and the banner: "Isopod v0.1.0 (x86_64-linux, built with gcc 12.2.0)".
char *version_line(struct arena *arena);
