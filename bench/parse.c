// SPDX-License-Identifier: GPL-3.0-or-later
//
// How long a statement's text takes: to its shape, and to its tree. The shape is on the path of every
// statement of the simple protocol, the grammar only on a plan cache's miss.
//
//     bench_parse [seconds for each row, default 0.5]
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sql/parse/parse.h"
#include "sql/parse/shape.h"

static double now_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct shape shape;

static double time_shape(struct bytes text, double seconds)
{
    uint64_t rounds = 0, sum = 0;
    double start = now_seconds(), spent;
    do {
        for (int i = 0; i < 1000; i++)
            sum += shape_of(text, &shape) ? shape.hash : 0;
        rounds += 1000;
        spent = now_seconds() - start;
    } while (spent < seconds);
    if (sum == 1) printf(" ");
    return spent / (double)rounds * 1e9;
}

static double time_parse(struct bytes text, double seconds)
{
    uint64_t rounds = 0;
    double start = now_seconds(), spent;
    struct arena arena;
    arena_init(&arena, NULL);
    do {
        for (int i = 0; i < 100; i++) {
            struct statement_list list;
            struct status st = parse_sql(&arena, text, &list);
            if (failed(st)) {
                printf("%s\n", st.message);
                exit(1);
            }
            arena_reset(&arena);
        }
        rounds += 100;
        spent = now_seconds() - start;
    } while (spent < seconds);
    arena_fini(&arena);
    return spent / (double)rounds * 1e9;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"pgbench select", "SELECT abalance FROM pgbench_accounts WHERE aid = 8675309;"},
        {"pgbench update",
            "UPDATE pgbench_accounts SET abalance = abalance + -4321 WHERE aid = 8675309;"},
        {"pgbench insert", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES "
                           "(7, 1, 8675309, -4321, CURRENT_TIMESTAMP);"},
        {"begin", "BEGIN;"},
        {"as of system time", "SELECT a FROM t AS OF SYSTEM TIME '-10s' WHERE b = 1"},
        {"show replication", "SHOW VIRTUAL CLUSTER application WITH REPLICATION STATUS"},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    printf("%-20s %12s %12s\n", "statement", "shape ns", "parse ns");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes text = bytes_of_string(rows[i].text);
        printf("%-20s %12.0f %12.0f\n", rows[i].name, time_shape(text, seconds),
            time_parse(text, seconds));
    }
    return 0;
}
