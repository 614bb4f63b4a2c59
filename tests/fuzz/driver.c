// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a fuzz target without libFuzzer, for every build's tests: from a seed, random inputs and changes of ones
// before, for some seconds. An input that ends the process is written to a file first (--keep FILE).
//
//   run_fuzz_types [--seconds N] [--seed N] [FILE...]     with files: those inputs, once each
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_BYTES_MAX 600
#define POOL 256

struct input {
    size_t size;
    uint8_t data[INPUT_BYTES_MAX];
};

static struct input pool[POOL];
static uint64_t state;

static uint32_t next(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

// What the targets read is made of these.
static const char *const pieces[] = {"SELECT ", "1", "'a'", "::int4", "(", ")", ",", "{", "}", "[", "]", "\"", "NULL", "\\N", "\t",
    "\n", "\r\n", "\\.", "-1", "1e5", "2024-02-29", "12:34:56.789", "infinity", "FROM t ", "WHERE ", "x = ", "$1", ";", "true",
    "<a>", "</a>", "<b c=\"d\"/>", "//a", "<?xml version=\"1.0\"", "?>", "<!DOCTYPE a [", "<!ENTITY x \"y\">", "]>", "&x;", "<!--", "-->",
    "PGCOPY\n\xff\r\n", "\xff\xff\xff\xff", ":", "/8", "1 day", "NaN", "0.000", "\\x00"};
#define PIECE_COUNT (sizeof pieces / sizeof pieces[0])

static void insert(struct input *input, const void *data, size_t size)
{
    size_t at = next((uint32_t)input->size + 1);
    if (input->size + size > INPUT_BYTES_MAX) return;
    memmove(input->data + at + size, input->data + at, input->size - at);
    memcpy(input->data + at, data, size);
    input->size += size;
}

static void change(struct input *input)
{
    uint8_t byte = (uint8_t)next(256);
    const struct input *other = &pool[next(POOL)];
    const char *piece = pieces[next(PIECE_COUNT)];
    switch (next(6)) {
    case 0: insert(input, &byte, 1); break;
    case 1: insert(input, piece, strlen(piece)); break;
    case 2:
        if (input->size > 0) input->data[next((uint32_t)input->size)] = byte;
        break;
    case 3:
        if (input->size > 0) input->data[next((uint32_t)input->size)] ^= (uint8_t)(1u << next(8));
        break;
    case 4: {
        size_t from = next((uint32_t)other->size + 1), most = other->size - from;
        insert(input, other->data + from, next((uint32_t)(most < 64 ? most : 64) + 1));
        break;
    }
    default: {
        size_t at = next((uint32_t)input->size + 1), count = next((uint32_t)(input->size - at) + 1);
        memmove(input->data + at, input->data + at + count, input->size - at - count);
        input->size -= count;
        break;
    }
    }
}

static void run(const uint8_t *data, size_t size)
{
    // A copy of its own size: what is read beyond its end is seen.
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) abort();
    if (size > 0) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
}

int main(int argc, char **argv)
{
    double seconds = 3;
    uint64_t seed = 1, count = 0;
    const char *keep = NULL;
    bool files = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc) {
            keep = argv[++i];
        } else {
            run_file(argv[i]);
            files = true;
        }
    }
    if (files) return 0;
    state = seed * 0x9e3779b97f4a7c15u + 1;
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    while (clock() < end) {
        struct input input = pool[next(POOL)];
        for (uint32_t changes = 1 + next(8); changes > 0; changes--)
            change(&input);
        if (keep != NULL) {
            FILE *file = fopen(keep, "wb");
            if (file != NULL) {
                fwrite(input.data, 1, input.size, file);
                fclose(file);
            }
        }
        run(input.data, input.size);
        if (input.size > 0) pool[next(POOL)] = input;
        count++;
    }
    printf("%llu inputs from seed %llu\n", (unsigned long long)count, (unsigned long long)seed);
    return 0;
}
