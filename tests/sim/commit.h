// SPDX-License-Identifier: GPL-3.0-or-later
//
// The commit that this program was built from. A seed says what happens in one program alone: a command line that runs
// it again names the commit, and another program refuses it.
//
// Source   cmake/commit.cmake, which looks at each build. A working copy with changes of its own is the commit, "+" and
//          the first digits of a hash of them.
#pragma once
#include "core/arena.h"

#define COMMIT_DIGITS_MIN 7u

// "" when the sources were in no repository.
const char *commit_built(void);
// NULL: `wanted`, or what it begins, is `built`. Otherwise why not, and how to get a program that is.
const char *commit_refusal(struct arena *arena, const char *built, const char *wanted);
