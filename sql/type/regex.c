// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/deep.h"
#include "core/task.h"
#include "core/work.h"
#include "sql/type/regex_tree.h"
#include "sql/type/utf8.h"

#define PATTERN_BYTES_MAX 65536
#define CHUNK_BYTES_MIN 8192
#define SEARCHES_PER_LOOK 64u
#define LETTERS_PER_LOOK 1024u // Of a pattern that is written anew, each of which counts for LETTER_WORK bytes.
#define LETTER_WORK 8u
// Steps of one search that cannot be cancelled.
#define STEPS_MAX_HELD 50000000u
#define STEPS_MAX_FOLDING 500000u
// Sharing out recurses deeper than this on a big stack.
#define DEPTH_ON_FIBER 24u

// Memory that is taken once and used again for each pattern.
struct regex_chunk {
    struct regex_chunk *next;
    size_t size, used;
    uint8_t data[];
};

void *regex_take(struct regex *regex, size_t size)
{
    size = (size + 15u) & ~(size_t)15u;
    struct regex_chunk *chunk = regex->chunks;
    while (chunk != NULL && chunk->size - chunk->used < size)
        chunk = chunk->next;
    if (chunk == NULL) {
        const size_t capacity = size > CHUNK_BYTES_MIN ? size : CHUNK_BYTES_MIN;
        chunk = arena_try_alloc(regex->arena, sizeof *chunk + capacity);
        if (chunk == NULL) {
            regex_fail(regex, E_OUT_OF_MEMORY, "out of memory");
            return NULL;
        }
        *chunk = (struct regex_chunk){regex->chunks, capacity, 0};
        regex->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    memset(memory, 0, size);
    return memory;
}

// --- options -----------------------------------------------------------------------------------------------

static bool set_option(uint8_t letter, struct regex_options *options)
{
    switch (letter) {
    case 'b': options->basic = true; break;
    case 'e': options->extended = true; break;
    case 'i': options->ignore_case = true; break;
    case 'c': options->ignore_case = false; break;
    case 'm':
    case 'n': options->lines = options->no_newline = true; break;
    case 'p':
        options->no_newline = true;
        options->lines = false;
        break;
    case 'w':
        options->lines = true;
        options->no_newline = false;
        break;
    case 's': options->lines = options->no_newline = false; break;
    case 'x': options->expanded = true; break;
    case 't': options->expanded = false; break;
    case 'q': options->literal = true; break;
    default: return false;
    }
    return true;
}

struct status regex_options_parse(
    struct arena *arena, struct bytes text, struct regex_options *options)
{
    *options = (struct regex_options){0};
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == 'g') options->global = true;
        if (text.data[i] != 'g' && !set_option(text.data[i], options))
            return status_format(arena, E_INVALID_PARAMETER_VALUE,
                "invalid regular expression option: \"%.*s\"", (int)utf8_step(text, i),
                (const char *)text.data + i);
    }
    return STATUS_OK;
}

// ***= and ***: at the very start, and (?xyz) there or behind.
static struct bytes take_prefixes(
    struct regex *regex, struct bytes pattern, struct regex_options *options)
{
    size_t at = 2;
    if (options->literal) return pattern;
    if (bytes_has_prefix(pattern, BYTES_LITERAL("***")) && pattern.size > 3) {
        const uint8_t kind = pattern.data[3];
        options->literal = kind == '=';
        if (kind == '?')
            regex_fail(regex, E_INVALID_REGULAR_EXPRESSION, "invalid regexp (reg version 0.8)");
        else if (kind != '=' && kind != ':')
            regex_fail(regex, E_INVALID_REGULAR_EXPRESSION, "quantifier operand invalid");
        pattern = bytes_skip(pattern, 4);
        if (options->literal) return pattern;
        options->extended = options->basic = false;
    }
    if (options->extended || pattern.size < 3 || !bytes_has_prefix(pattern, BYTES_LITERAL("(?")) ||
        ascii_lower((char)pattern.data[2]) < 'a' || ascii_lower((char)pattern.data[2]) > 'z')
        return pattern;
    while (at < pattern.size && set_option(pattern.data[at], options))
        at++;
    if (at < pattern.size && pattern.data[at] == ')') return bytes_skip(pattern, at + 1);
    regex_fail(regex, E_INVALID_REGULAR_EXPRESSION, "invalid embedded option");
    return pattern;
}

// --- compiling ---------------------------------------------------------------------------------------------

static void remember(struct regex *regex, struct bytes pattern, struct regex_options options)
{
    if (pattern.size > regex->pattern_capacity) {
        regex->pattern_capacity = pattern.size * 2;
        regex->pattern = arena_alloc(regex->arena, regex->pattern_capacity);
    }
    if (pattern.size > 0) memcpy(regex->pattern, pattern.data, pattern.size);
    regex->pattern_size = pattern.size;
    regex->asked = options;
    regex->ready = true;
}

static bool is_remembered(
    const struct regex *regex, struct bytes pattern, struct regex_options options)
{
    const struct regex_options *asked = &regex->asked;
    return regex->ready && options.ignore_case == asked->ignore_case &&
           options.lines == asked->lines && options.no_newline == asked->no_newline &&
           options.expanded == asked->expanded && options.literal == asked->literal &&
           options.extended == asked->extended && options.basic == asked->basic &&
           bytes_equal(bytes_of(regex->pattern, regex->pattern_size), pattern);
}

struct compiling {
    struct regex *regex;
    struct bytes pattern;
};

// Runs on the big stack: groups within groups recurse.
static void compile(void *arg)
{
    const struct compiling *work = arg;
    struct regex *regex = work->regex;
    regex_parse(regex, work->pattern, regex->options);
    if (regex->error == NULL) regex_build(regex);
}

static struct status compile_error(struct arena *arena, const struct regex *regex)
{
    if (regex->error_code == E_OUT_OF_MEMORY) return status_make(E_OUT_OF_MEMORY, regex->error);
    return status_format(arena, regex->error_code, "invalid regular expression: %s", regex->error);
}

// Nothing is left of the pattern before, but for its memory.
static void start_anew(struct regex *regex)
{
    const struct regex old = *regex;
    *regex = (struct regex){.arena = old.arena,
        .chunks = old.chunks,
        .pattern = old.pattern,
        .pattern_capacity = old.pattern_capacity};
    for (struct regex_chunk *chunk = regex->chunks; chunk != NULL; chunk = chunk->next)
        chunk->used = 0;
}

struct status regex_compile(struct function_call *call, struct bytes pattern,
    struct regex_options options, struct regex **out)
{
    struct status st = STATUS_OK;
    struct regex *regex = call->state;
    if (regex == NULL) {
        regex = call->state = ARENA_NEW(call->state_arena, struct regex);
        regex->arena = call->state_arena;
    }
    *out = regex;
    if (!is_remembered(regex, pattern, options)) {
        if (pattern.size > PATTERN_BYTES_MAX)
            return status_make(E_PROGRAM_LIMIT_EXCEEDED, "regular expression is too long");
        start_anew(regex);
        regex->options = options;
        struct compiling work = {regex, take_prefixes(regex, pattern, &regex->options)};
        if (regex->error == NULL && regex->options.basic)
            return status_make(E_FEATURE_NOT_SUPPORTED, "basic regular expressions are not supported");
        if (regex->error == NULL) stack_call(compile, &work);
        if (regex->error != NULL) return compile_error(call->arena, regex);
        if (!regex_colors_start(regex) || !regex_run_start(regex))
            return status_make(E_OUT_OF_MEMORY, "out of memory");
        remember(regex, pattern, options);
    }
    regex->task = call->task != NULL && call->task->nosuspend_depth == 0 ? call->task : NULL;
    regex->steps_max = regex->task != NULL ? UINT64_MAX
                       : call->folding     ? STEPS_MAX_FOLDING
                                           : STEPS_MAX_HELD;
    return st;
}

uint32_t regex_group_count(const struct regex *regex)
{
    return regex->group_count;
}

// --- searching ---------------------------------------------------------------------------------------------

struct sharing {
    struct regex *regex;
    size_t begin, end;
    bool matches;
    struct status st;
};

static void share_deep(void *arg)
{
    struct sharing *work = arg;
    work->st = regex_share(work->regex, work->begin, work->end, &work->matches);
}

static struct status share_out(struct regex *regex, size_t begin, size_t end, bool *matches)
{
    if (regex->depth <= DEPTH_ON_FIBER) return regex_share(regex, begin, end, matches);
    struct sharing work = {.regex = regex, .begin = begin, .end = end};
    deep_call(regex->task, share_deep, &work);
    *matches = work.matches;
    return work.st;
}

// The match that starts at `begin`: the one of the length that is preferred, of which all references hold.
static struct status match_at(struct regex *regex, size_t begin, bool share, bool *found)
{
    struct status st = STATUS_OK;
    const struct bytes text = regex->text;
    const bool shortest = (regex->tree->flags & PREFER_SHORT) != 0;
    struct walk walk = {.machine = regex->tree->machine,
        .from = begin,
        .least = begin,
        .limit = text.size,
        .shortest = shortest};
    for (*found = false;;) {
        TRY(regex_walk(regex, &walk));
        if (walk.end == NOWHERE) break;
        *found = true;
        if (share) TRY(share_out(regex, begin, walk.end, found));
        regex->spans[0] = (struct regex_span){begin, walk.end};
        if (*found || walk.end == (shortest ? text.size : begin)) break;
        if (shortest) {
            walk.least = walk.end + utf8_step(text, walk.end);
        } else {
            do
                walk.end--;
            while ((text.data[walk.end] & 0xc0) == 0x80);
            walk.limit = walk.end;
        }
    }

out:
    return st;
}

struct status regex_search(struct regex *regex, struct bytes text, size_t from,
    enum regex_want want, bool *found, const struct regex_span **spans)
{
    struct status st = STATUS_OK;
    static const uint8_t empty[1];
    const bool refers = (regex->tree->flags & HAS_REFERENCE) != 0;
    const bool share = refers || (want == REGEX_GROUPS && regex->group_count > 0);
    *found = false;
    regex->text = text.size == 0 ? bytes_of(empty, 0) : text;
    regex->steps = 0;
    for (uint32_t i = 0; i < regex->look_count; i++)
        regex->looks[i].state = 0; // They know another text.
    if (spans != NULL) *spans = regex->spans;
    if (++regex->searches % SEARCHES_PER_LOOK == 0) TRY(task_poll(regex->task));
    if (regex->anchored && from > 0) return st;
    // Where a match can be; if it can be only at the start, whether it is.
    struct walk first = {.machine = regex->anchored ? regex->tree->machine : 0,
        .from = from, .least = from, .limit = text.size, .shortest = true};
    while (!*found) {
        TRY(regex_walk(regex, &first));
        *found = first.end != NOWHERE;
        if (!*found || (want == REGEX_WHETHER && !refers)) break;
        *found = false;
        for (size_t begin = first.fresh; !*found; begin += utf8_step(text, begin)) {
            TRY(match_at(regex, begin, share, found));
            if (begin >= first.end || regex->anchored) break;
        }
        if (first.end >= text.size || regex->anchored) break;
        first.from = first.least = first.end + utf8_step(text, first.end);
    }

out:
    return st;
}

// --- SIMILAR TO ---------------------------------------------------------------------------------------------

// Where escape-double-quote stands: substring() takes what is between two of them.
static bool is_mark(struct bytes pattern, size_t at, struct bytes escape)
{
    size_t behind = at + escape.size;
    return escape.size > 0 && behind < pattern.size && pattern.data[behind] == '"' &&
           bytes_has_prefix(bytes_skip(pattern, at), escape);
}

struct status regex_from_similar(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result)
{
    struct buffer out;
    bool after_escape = false, in_brackets = false;
    uint32_t marks = 0, count = 0;
    if (escape.size > 0 && utf8_step(escape, 0) != escape.size)
        return status_hint(arena,
            status_format(arena, E_INVALID_ESCAPE, "%s", "invalid escape string"),
            "Escape string must be empty or one character.");
    buffer_init(&out, arena);
    buffer_append_string(&out, "^(?:");
    for (size_t i = 0; i < pattern.size;) {
        size_t step = utf8_step(pattern, i);
        uint8_t c = pattern.data[i];
        if (++count % LETTERS_PER_LOOK == 0) {
            const struct status st = task_work(task_current(), LETTERS_PER_LOOK * LETTER_WORK);
            if (failed(st)) return st;
        }
        if (after_escape) {
            if (step == 1) buffer_append_u8(&out, '\\');
            buffer_append(&out, pattern.data + i, step);
            after_escape = false;
        } else if (!in_brackets && is_mark(pattern, i, escape)) {
            if (++marks > 2)
                return status_make(SQLSTATE('2', '2', '0', '0', 'C'),
                    "SQL regular expression may not contain more than two escape-double-quote "
                    "separators");
            // Of three parts the first takes as little as it can, the second as much.
            buffer_append_string(&out, marks == 1 ? "){1,1}?(" : "){1,1}(?:");
            step = escape.size + 1;
        } else if (escape.size > 0 && bytes_has_prefix(bytes_skip(pattern, i), escape)) {
            after_escape = true;
        } else if (in_brackets) {
            if (c == '\\') buffer_append_u8(&out, '\\');
            buffer_append(&out, pattern.data + i, step);
            in_brackets = c != ']';
        } else if (c == '%') {
            buffer_append_string(&out, ".*");
        } else if (c == '_') {
            buffer_append_u8(&out, '.');
        } else if (c == '(') {
            buffer_append_string(&out, "(?:");
        } else if (c == '\\' || c == '.' || c == '^' || c == '$') {
            buffer_append_u8(&out, '\\');
            buffer_append_u8(&out, c);
        } else {
            in_brackets = c == '[';
            buffer_append(&out, pattern.data + i, step);
        }
        i += step;
    }
    buffer_append_string(&out, ")$");
    *result = buffer_bytes(&out);
    return STATUS_OK;
}
