// SPDX-License-Identifier: GPL-3.0-or-later
//
// What benchmarks of storage share: a node over an empty folder that is removed afterwards.
#pragma once
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/shard.h"

static inline int bench_remove(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

// Runs `run` as the first task of a node, which it has to stop; its argument is the folder. The exit code.
static inline int bench_node(
    const struct node_options *options, struct status (*run)(struct task *task, void *dir))
{
    char dir[256];
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/isopod-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    struct status st = node_run(options, run, dir, NULL);
    if (failed(st)) fprintf(stderr, "%s\n", st.message);
    (void)nftw(dir, bench_remove, 16, FTW_DEPTH | FTW_PHYS);
    return failed(st);
}
