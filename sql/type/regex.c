// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include "sql/type/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/task.h"
#include "sql/type/utf8.h"

// Backtracking steps of one search: some at all, and some for each byte of the text.
// A match of more steps starts anew with callouts, in which the task lets others run and learns that it is cancelled.
#define MATCH_STEPS_QUICK 50000u
#define CALLOUTS_PER_LOOK 64u
#define SEARCHES_PER_LOOK 64u
#define MATCH_STEPS_BASE 500000u
#define MATCH_STEPS_PER_BYTE 20u
#define MATCH_HEAP_KIB 4096
#define NESTING_MAX 100
#define PATTERN_BYTES_MAX 65536
#define CHUNK_BYTES_MIN 8192

// PCRE2's memory: chunks that are taken once and used again for each pattern.
struct chunk {
    struct chunk *next;
    size_t size, used;
    uint8_t data[];
};

struct regex {
    struct arena *arena;
    struct chunk *chunks;
    pcre2_general_context *context;
    pcre2_match_context *limits;
    pcre2_code *code;
    struct bytes translated; // What PCRE2 was given, and how.
    uint32_t compile_options;
    pcre2_code *patient; // With callouts; NULL until a match takes long.
    struct task *task;       // Of the current call; NULL when it may not suspend.
    uint32_t callouts, searches;
    struct status interrupted;
    pcre2_match_data *match;
    struct regex_span *spans;
    uint32_t groups;
    uint8_t *pattern; // What `code` was made from.
    size_t pattern_size, pattern_capacity;
    struct regex_options options;
};

static void *take(size_t size, void *regex_)
{
    struct regex *regex = regex_;
    size = (size + 15u) & ~(size_t)15u;
    for (struct chunk *chunk = regex->chunks; chunk != NULL; chunk = chunk->next) {
        if (chunk->size - chunk->used < size) continue;
        void *memory = chunk->data + chunk->used;
        chunk->used += size;
        return memory;
    }
    size_t chunk_size = size > CHUNK_BYTES_MIN ? size : CHUNK_BYTES_MIN;
    struct chunk *chunk = arena_try_alloc(regex->arena, sizeof *chunk + chunk_size);
    if (chunk == NULL) return NULL;
    *chunk = (struct chunk){regex->chunks, chunk_size, size};
    regex->chunks = chunk;
    return chunk->data;
}

static void give_back(void *memory, void *regex)
{
    (void)memory, (void)regex; // All at once, by the next pattern.
}

// --- from PostgreSQL's dialect ---------------------------------------------------------------------------

// Escapes that PCRE2 writes otherwise, or has not.
static const char *translate_escape(uint8_t c, bool in_brackets)
{
    switch (c) {
    case 'b': return "\\x08";
    case 'B': return "\\\\";
    case 'v': return "\\x0b";
    case 'm': return in_brackets ? NULL : "\\b(?=\\w)";
    case 'M': return in_brackets ? NULL : "\\b(?<=\\w)";
    case 'y': return in_brackets ? NULL : "\\b";
    case 'Y': return in_brackets ? NULL : "\\B";
    case 'Z': return in_brackets ? NULL : "\\z";
    default: return NULL;
    }
}

static struct status bad_escape(void)
{
    return status_make(E_INVALID_REGULAR_EXPRESSION,
        "invalid regular expression: invalid escape \\ sequence");
}

// A character by its number: \\uwxyz, \\Ustuvwxyz, \\x and all hexadecimal digits that follow.
static struct status translate_number(struct buffer *out, struct bytes pattern, size_t *at)
{
    uint8_t kind = pattern.data[*at + 1];
    size_t start = *at + 2, end = start, most = kind == 'u' ? 4 : kind == 'U' ? 8 : SIZE_MAX;
    uint64_t code = 0;
    while (end < pattern.size && end - start < most && isxdigit(pattern.data[end])) {
        uint8_t c = pattern.data[end++];
        code = code * 16 + (uint64_t)(isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
        if (code > 0x10ffff) return bad_escape();
    }
    if (end == start || (most != SIZE_MAX && end - start != most) || (code >= 0xd800 && code < 0xe000))
        return bad_escape();
    buffer_printf(out, "\\x{%llx}", (unsigned long long)code);
    *at = end - 1;
    return STATUS_OK;
}

static struct status translate_one(
    struct buffer *out, struct bytes pattern, size_t *at, bool in_brackets)
{
    uint8_t c = pattern.data[*at + 1];
    if (c == 'u' || c == 'U' || c == 'x') return translate_number(out, pattern, at);
    // Letters that PCRE2 gives a meaning and PostgreSQL none.
    if (isalpha(c) && strchr("abBcdDefmMnrstSvwWyYAZ", c) == NULL) return bad_escape();
    const char *other = translate_escape(c, in_brackets);
    if (other != NULL)
        buffer_append_string(out, other);
    else
        buffer_append(out, pattern.data + *at, 2);
    (*at)++;
    return STATUS_OK;
}

static struct status bad_repetition(void)
{
    return status_make(E_INVALID_REGULAR_EXPRESSION,
        "invalid regular expression: invalid repetition count(s)");
}

#define REPETITIONS_MAX 255
#define GROUPS_KNOWN 64u

// {m}, {m,} or {m,n}, from its brace on, which stands before a digit.
static struct status check_braces(struct bytes rest, size_t *size)
{
    int counts[2] = {0, REPETITIONS_MAX}, given = 0;
    size_t at = 1;
    while (at < rest.size && (isdigit(rest.data[at]) || rest.data[at] == ',')) at++;
    if (at == rest.size)
        return status_make(E_INVALID_REGULAR_EXPRESSION,
            "invalid regular expression: braces {} not balanced");
    *size = at + 1;
    if (rest.data[at] != '}') return bad_repetition();
    for (at = 1; rest.data[at] != '}'; at++) {
        if (rest.data[at] == ',') {
            if (++given > 1) return bad_repetition();
            if (isdigit(rest.data[at + 1])) counts[given] = 0;
            continue;
        }
        counts[given] = counts[given] * 10 + (rest.data[at] - '0');
        if (counts[given] > REPETITIONS_MAX) return bad_repetition();
    }
    return counts[0] <= counts[1] ? STATUS_OK : bad_repetition();
}

// What PCRE2 would take otherwise than PostgreSQL, of what may be repeated: a + after a repetition makes it greedier there.
struct repeat {
    bool item;         // Something that may be repeated was last.
    uint64_t looks;    // A bit for each group that is open, the innermost lowest: it looks ahead or behind.
    // Numbers of groups: those that are complete can be referred to. Of more, or deeper, ones PCRE2 tells.
    uint32_t groups, depth;
    uint8_t open[GROUPS_KNOWN]; // 0: it has no number.
    uint64_t complete;
};

static void open_group(struct repeat *repeat, bool numbered)
{
    if (numbered) repeat->groups++;
    if (repeat->depth < GROUPS_KNOWN)
        repeat->open[repeat->depth] = numbered && repeat->groups < GROUPS_KNOWN ? (uint8_t)repeat->groups : 0;
    repeat->depth++;
}

static void close_group(struct repeat *repeat)
{
    if (repeat->depth == 0) return; // PCRE2 tells.
    repeat->depth--;
    if (repeat->depth < GROUPS_KNOWN) repeat->complete |= (uint64_t)1 << repeat->open[repeat->depth];
}

// A backslash and one digit are a reference to a group.
static struct status check_reference(struct bytes escape, const struct repeat *repeat, bool in_brackets)
{
    if (escape.data[1] < '1' || escape.data[1] > '9' || (escape.size > 2 && isdigit(escape.data[2])))
        return STATUS_OK;
    if (in_brackets) return bad_escape();
    const unsigned group = escape.data[1] - '0';
    if (repeat->looks == 0 && (repeat->depth >= GROUPS_KNOWN || (repeat->complete >> group & 1) != 0))
        return STATUS_OK;
    return status_make(E_INVALID_REGULAR_EXPRESSION,
        "invalid regular expression: invalid backreference number");
}

static bool is_repetition(struct bytes pattern, size_t at)
{
    uint8_t c = pattern.data[at];
    return c == '*' || c == '+' || c == '?' ||
           (c == '{' && at + 1 < pattern.size && isdigit(pattern.data[at + 1]));
}

// A character outside of brackets, or all of a repetition.
static struct status translate_plain(
    struct buffer *out, struct bytes pattern, size_t *at, struct repeat *repeat)
{
    struct status st = STATUS_OK;
    const uint8_t c = pattern.data[*at];
    const struct bytes rest = bytes_skip(pattern, *at);
    size_t size = 1;
    if (is_repetition(pattern, *at)) {
        if (!repeat->item)
            return status_make(E_INVALID_REGULAR_EXPRESSION,
                "invalid regular expression: quantifier operand invalid");
        if (c == '{') TRY(check_braces(rest, &size));
        if (size < rest.size && rest.data[size] == '?') size++;
        repeat->item = false;
    } else if (c == '(') {
        if (rest.size > 1 && rest.data[1] == '?') size = 2;
        bool look = size == 2 && rest.size > 2 && strchr("=!<", rest.data[2]) != NULL;
        repeat->looks = repeat->looks << 1 | look;
        open_group(repeat, size == 1 && repeat->looks == 0); // What looks has no groups of its own.
        repeat->item = false;
    } else if (c == ')') {
        repeat->item = (repeat->looks & 1) == 0;
        repeat->looks >>= 1;
        close_group(repeat);
    } else {
        repeat->item = c != '|' && c != '^';
    }
    buffer_append(out, rest.data, size);
    *at += size - 1;

out:
    return st;
}

static struct status translate(struct buffer *out, struct bytes pattern, bool no_newline)
{
    struct status st = STATUS_OK;
    bool in_brackets = false;
    struct repeat repeat = {0};
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.size) {
            TRY(check_reference(bytes_skip(pattern, i), &repeat, in_brackets));
            TRY(translate_one(out, pattern, &i, in_brackets));
            repeat.item = true;
            continue;
        }
        if (c == '[' && !in_brackets) {
            in_brackets = true;
            buffer_append_u8(out, c);
            // A closing bracket right at the start is a member of the set.
            if (i + 1 < pattern.size && pattern.data[i + 1] == '^') {
                buffer_append_u8(out, pattern.data[++i]);
                if (no_newline) buffer_append_string(out, "\\n");
            }
            if (i + 1 < pattern.size && pattern.data[i + 1] == ']') {
                buffer_append_string(out, "\\]");
                i++;
            }
            continue;
        }
        if (c == '[' && i + 1 < pattern.size && pattern.data[i + 1] == ':') {
            // A class: copied to its end.
            while (i < pattern.size && pattern.data[i] != ']')
                buffer_append_u8(out, pattern.data[i++]);
            if (i < pattern.size) buffer_append_u8(out, ']');
            continue;
        }
        if (c == '[') buffer_append_u8(out, '\\'); // Alone inside brackets it is itself.
        if (!in_brackets && c != ']') {
            TRY(translate_plain(out, pattern, &i, &repeat));
            continue;
        }
        in_brackets &= c != ']';
        repeat.item = true;
        buffer_append_u8(out, c);
    }

out:
    return st;
}

// --- compiling --------------------------------------------------------------------------------------------

struct compiling {
    struct regex *regex;
    struct bytes pattern;
    uint32_t options;
    int error;
    pcre2_code *code; // NULL: `error`.
};

// Runs on the big stack: PCRE2's compiler recurses.
static void compile(void *arg)
{
    struct compiling *work = arg;
    struct regex *regex = work->regex;
    PCRE2_SIZE offset;
    pcre2_compile_context *context = pcre2_compile_context_create(regex->context);
    if (context == NULL) {
        work->error = PCRE2_ERROR_HEAP_FAILED;
        return;
    }
    pcre2_set_parens_nest_limit(context, NESTING_MAX);
    work->code = pcre2_compile(work->pattern.data, work->pattern.size, work->options,
        &work->error, &offset, context);
}

static struct status compile_error(struct arena *arena, int error)
{
    PCRE2_UCHAR8 text[160];
    const char *known = NULL;
    switch (error) {
    case PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS:
    case PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS: known = "parentheses () not balanced"; break;
    case PCRE2_ERROR_MISSING_SQUARE_BRACKET: known = "brackets [] not balanced"; break;
    case PCRE2_ERROR_QUANTIFIER_INVALID: known = "quantifier operand invalid"; break;
    case PCRE2_ERROR_QUANTIFIER_OUT_OF_ORDER:
    case PCRE2_ERROR_QUANTIFIER_TOO_BIG: known = "invalid repetition count(s)"; break;
    case PCRE2_ERROR_CLASS_RANGE_ORDER:
    case PCRE2_ERROR_CLASS_INVALID_RANGE: known = "invalid character range"; break;
    case PCRE2_ERROR_UNKNOWN_POSIX_CLASS: known = "invalid character class"; break;
    case PCRE2_ERROR_END_BACKSLASH:
    case PCRE2_ERROR_UNKNOWN_ESCAPE: known = "invalid escape \\ sequence"; break;
    case PCRE2_ERROR_BAD_SUBPATTERN_REFERENCE: known = "invalid backreference number"; break;
    case PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP:
        return status_make(
            E_STATEMENT_TOO_COMPLEX, "invalid regular expression: nested too deeply");
    case PCRE2_ERROR_HEAP_FAILED: return status_make(E_OUT_OF_MEMORY, "out of memory");
    default: break;
    }
    if (known == NULL) {
        if (pcre2_get_error_message(error, text, sizeof text) < 0) memcpy(text, "error", 6);
        known = (const char *)text;
    }
    return status_format(
        arena, E_INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s", known);
}

static int on_callout(pcre2_callout_block *block, void *regex_)
{
    struct regex *regex = regex_;
    (void)block;
    if (++regex->callouts % CALLOUTS_PER_LOOK != 0) return 0;
    regex->interrupted = task_yield_if_due(regex->task);
    return failed(regex->interrupted) ? PCRE2_ERROR_CALLOUT : 0;
}

static struct status start(struct function_call *call, struct regex *regex)
{
    for (struct chunk *chunk = regex->chunks; chunk != NULL; chunk = chunk->next)
        chunk->used = 0;
    regex->code = regex->patient = NULL;
    regex->context = pcre2_general_context_create(take, give_back, regex);
    if (regex->context == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    regex->limits = pcre2_match_context_create(regex->context);
    if (regex->limits == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    pcre2_set_heap_limit(regex->limits, MATCH_HEAP_KIB);
    pcre2_set_callout(regex->limits, on_callout, regex);
    (void)call;
    return STATUS_OK;
}

static void remember(struct regex *regex, struct bytes pattern, struct regex_options options)
{
    if (pattern.size > regex->pattern_capacity) {
        regex->pattern_capacity = pattern.size * 2;
        regex->pattern = arena_alloc(regex->arena, regex->pattern_capacity);
    }
    if (pattern.size > 0) memcpy(regex->pattern, pattern.data, pattern.size);
    regex->pattern_size = pattern.size;
    regex->options = options;
}

static bool is_remembered(
    const struct regex *regex, struct bytes pattern, struct regex_options options)
{
    return regex->code != NULL && options.ignore_case == regex->options.ignore_case &&
           options.whole == regex->options.whole && options.lines == regex->options.lines &&
           options.no_newline == regex->options.no_newline &&
           options.expanded == regex->options.expanded &&
           options.literal == regex->options.literal &&
           bytes_equal(bytes_of(regex->pattern, regex->pattern_size), pattern);
}

static bool set_option(uint8_t letter, struct regex_options *options)
{
    switch (letter) {
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

// (?xyz) at the very start.
static struct bytes take_options(struct bytes pattern, struct regex_options *options)
{
    struct regex_options read = *options;
    size_t at = 2;
    if (!bytes_has_prefix(pattern, BYTES_LITERAL("(?"))) return pattern;
    while (at < pattern.size && set_option(pattern.data[at], &read)) at++;
    if (at == 2 || at == pattern.size || pattern.data[at] != ')') return pattern;
    *options = read;
    return bytes_skip(pattern, at + 1);
}

struct status regex_compile(struct function_call *call, struct bytes pattern,
    struct regex_options options, struct regex **out)
{
    struct status st = STATUS_OK;
    struct regex *regex = call->state;
    struct buffer text;
    if (regex == NULL) {
        regex = call->state = ARENA_NEW(call->state_arena, struct regex);
        regex->arena = call->state_arena;
    }
    *out = regex;
    regex->task = call->task != NULL && call->task->nosuspend_depth == 0 ? call->task : NULL;
    if (is_remembered(regex, pattern, options)) return st;
    if (pattern.size > PATTERN_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "regular expression is too long");
    TRY(start(call, regex));
    struct compiling work = {.regex = regex,
        .options = PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
                   PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C};
    struct bytes rest = pattern;
    struct regex_options used = options;
    if (bytes_has_prefix(pattern, BYTES_LITERAL("***="))) {
        rest = bytes_skip(pattern, 4);
        used.literal = true;
    } else if (bytes_has_prefix(pattern, BYTES_LITERAL("***:"))) {
        rest = bytes_skip(pattern, 4);
    }
    if (!used.literal && !used.whole) rest = take_options(rest, &used);
    if (used.ignore_case) work.options |= PCRE2_CASELESS;
    if (used.whole) work.options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    if (used.lines) work.options |= PCRE2_MULTILINE;
    if (used.no_newline) work.options &= ~(uint32_t)PCRE2_DOTALL;
    if (used.expanded) work.options |= PCRE2_EXTENDED;
    buffer_init(&text, call->arena);
    if (used.literal) {
        work.options &= ~(uint32_t)(PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_UCP |
                                    PCRE2_NEVER_BACKSLASH_C | PCRE2_MULTILINE | PCRE2_EXTENDED);
        work.options |= PCRE2_LITERAL;
        work.pattern = rest;
    } else {
        TRY(translate(&text, rest, used.no_newline));
        buffer_string(&text);
        work.pattern = buffer_bytes(&text);
    }
    stack_call(compile, &work);
    regex->code = work.code;
    if (regex->code == NULL) return compile_error(call->arena, work.error);
    uint8_t *kept = take(work.pattern.size + 1, regex);
    if (kept != NULL && work.pattern.size > 0) memcpy(kept, work.pattern.data, work.pattern.size);
    regex->translated = bytes_of(kept, kept == NULL ? 0 : work.pattern.size);
    regex->compile_options = work.options;
    regex->match = pcre2_match_data_create_from_pattern(regex->code, regex->context);
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->groups);
    regex->spans = take(sizeof *regex->spans * (regex->groups + 1), regex);
    if (regex->match == NULL || regex->spans == NULL || kept == NULL) {
        regex->code = NULL;
        return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    remember(regex, pattern, options);
out:
    return st;
}

uint32_t regex_group_count(const struct regex *regex)
{
    return regex->groups;
}

// As many steps as there may be; the task lets others run meanwhile when it can.
static struct status match_patiently(
    struct regex *regex, struct bytes text, size_t from, int *count)
{
    uint64_t steps = MATCH_STEPS_BASE + (uint64_t)text.size * MATCH_STEPS_PER_BYTE;
    pcre2_set_match_limit(regex->limits, steps > UINT32_MAX ? UINT32_MAX : (uint32_t)steps);
    if (regex->task != NULL && regex->patient == NULL) {
        struct compiling work = {.regex = regex,
            .options = regex->compile_options | PCRE2_AUTO_CALLOUT,
            .pattern = regex->translated};
        stack_call(compile, &work);
        regex->patient = work.code;
        if (regex->patient == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    regex->interrupted = STATUS_OK;
    *count = pcre2_match(regex->task == NULL ? regex->code : regex->patient, text.data, text.size,
        from, PCRE2_NO_UTF_CHECK, regex->match, regex->limits);
    return regex->interrupted;
}

struct status regex_search(struct regex *regex, struct bytes text, size_t from, bool *found,
    const struct regex_span **spans)
{
    struct status st = STATUS_OK;
    static const uint8_t empty[1];
    if (regex->task != NULL && ++regex->searches % SEARCHES_PER_LOOK == 0)
        TRY(task_yield_if_due(regex->task));
    const uint8_t *data = text.size == 0 ? empty : text.data;
    pcre2_set_match_limit(regex->limits, MATCH_STEPS_QUICK);
    int count = pcre2_match(regex->code, data, text.size, from, PCRE2_NO_UTF_CHECK, regex->match,
        regex->limits);
    if (count == PCRE2_ERROR_MATCHLIMIT) {
        *found = false;
        TRY(match_patiently(regex, bytes_of(data, text.size), from, &count));
    }
    *found = count > 0;
    if (count == PCRE2_ERROR_NOMATCH) return STATUS_OK;
    if (count == PCRE2_ERROR_MATCHLIMIT || count == PCRE2_ERROR_HEAPLIMIT ||
        count == PCRE2_ERROR_DEPTHLIMIT)
        return status_make(E_STATEMENT_TOO_COMPLEX, "regular expression is too complex");
    if (count == PCRE2_ERROR_NOMEMORY) return status_make(E_OUT_OF_MEMORY, "out of memory");
    if (count < 0) return status_make(E_INTERNAL, "regular expression failed");
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(regex->match);
    for (uint32_t i = 0; i <= regex->groups; i++) {
        bool set = i < (uint32_t)count && offsets[2 * i] != PCRE2_UNSET;
        regex->spans[i].start = set ? offsets[2 * i] : SIZE_MAX;
        regex->spans[i].end = set ? offsets[2 * i + 1] : SIZE_MAX;
    }
    *spans = regex->spans;
out:
    return st;
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

// --- SIMILAR TO ---------------------------------------------------------------------------------------------

// Where escape-double-quote stands: substring() takes what is between two of them.
static bool is_mark(struct bytes pattern, size_t at, struct bytes escape)
{
    size_t behind = at + escape.size;
    return escape.size > 0 && behind < pattern.size && pattern.data[behind] == '"' &&
           bytes_has_prefix(bytes_skip(pattern, at), escape);
}

static bool has_mark(struct bytes pattern, struct bytes escape)
{
    for (size_t i = 0; i < pattern.size; i += utf8_step(pattern, i)) {
        if (is_mark(pattern, i, escape)) return true;
        if (escape.size > 0 && bytes_has_prefix(bytes_skip(pattern, i), escape)) i += escape.size;
        if (i >= pattern.size) break;
    }
    return false;
}

struct status regex_from_similar(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result)
{
    struct buffer out;
    bool after_escape = false, in_brackets = false;
    uint32_t marks = 0;
    if (escape.size > 0 && utf8_step(escape, 0) != escape.size)
        return status_hint(arena,
            status_format(arena, E_INVALID_ESCAPE, "%s", "invalid escape string"),
            "Escape string must be empty or one character.");
    // Of three parts the first takes as little as it can.
    bool lazy = has_mark(pattern, escape);
    buffer_init(&out, arena);
    buffer_append_string(&out, "^(?:");
    for (size_t i = 0; i < pattern.size;) {
        size_t step = utf8_step(pattern, i);
        uint8_t c = pattern.data[i];
        if (after_escape) {
            if (step == 1) buffer_append_u8(&out, '\\');
            buffer_append(&out, pattern.data + i, step);
            after_escape = false;
        } else if (is_mark(pattern, i, escape)) {
            if (++marks > 2)
                return status_make(SQLSTATE('2', '2', '0', '0', 'C'),
                    "SQL regular expression may not contain more than two escape-double-quote "
                    "separators");
            buffer_append_string(&out, marks == 1 ? ")(" : ")(?:");
            lazy = false;
            step = escape.size + 1;
        } else if (escape.size > 0 && bytes_has_prefix(bytes_skip(pattern, i), escape)) {
            after_escape = true;
        } else if (in_brackets) {
            if (c == '\\') buffer_append_u8(&out, '\\');
                buffer_append(&out, pattern.data + i, step);
        } else if (c == '%') {
            buffer_append_string(&out, lazy ? ".*?" : ".*");
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
