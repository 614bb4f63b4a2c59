// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON text: a recursive-descent parser that builds jsonb or only checks, and a scanner over text that
// has been checked. RFC 8259.
#include "core/deep.h"
#include "core/invariant.h"
#include "core/text.h"
#include "core/work.h"
#include "sql/type/json.h"
#include "sql/type/numeric.h"
#include "sql/type/utf8.h"

#define SHALLOW_BYTES 64 // Text that cannot nest deeply.
#define DEEP_LEVEL 16u   // What is copied fewer times needs no care.
#define SHORT_BYTES (4u << 10) // Text that is read before anybody would wait for it, however deep it nests.
#define POLL_BYTES (16u << 10)
#define E_UNTRANSLATABLE_CHARACTER SQLSTATE('2', '2', 'P', '0', '5')

struct parser {
    struct task *task;    // NULL: it does not yield.
    struct arena *arena;
    struct arena scratch; // For a scalar at a time.
    struct arena levels[2]; // For containers that are nested deep: those of odd and of even depth.
    struct bytes text;
    size_t at, polled;    // Where it is, and was when it last could yield.
    struct status interrupted; // Whatever else is found then does not count.
    uint32_t depth;
    struct status st;
};

// Whether to go on.
static bool may_go_on(struct parser *in)
{
    if (in->at - in->polled >= POLL_BYTES && !failed(in->interrupted)) {
        in->polled = in->at;
        in->interrupted = task_poll(in->task);
        if (!failed(in->interrupted)) in->interrupted = arena_check(in->arena);
    }
    return !failed(in->interrupted);
}

static void skip_space(struct parser *in)
{
    while (in->at < in->text.size && may_go_on(in)) {
        uint8_t c = in->text.data[in->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
        in->at++;
    }
}

static uint8_t peek(struct parser *in)
{
    skip_space(in);
    return in->at < in->text.size ? in->text.data[in->at] : 0;
}

// --- errors --------------------------------------------------------------------------------------------

// The token at `at`, as far as letters and digits go.
static struct bytes token_at(const struct parser *in, size_t at)
{
    size_t end = at;
    while (end < in->text.size) {
        uint8_t c = in->text.data[end];
        bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                    c == '_' || c >= 0x80 || ((c == '-' || c == '+' || c == '.') && end > at);
        if (!word) break;
        end++;
    }
    if (end == at) end = at + utf8_step(in->text, at);
    return bytes_of(in->text.data + at, end - at);
}

#define CONTEXT_BYTES 50u

// "JSON data, line 1: {"a": x...": what is before the place, and up to `end`.
static struct status with_place(const struct parser *in, struct status st, size_t end)
{
    struct bytes text = in->text;
    size_t line_start = 0;
    uint32_t line = 1;
    for (size_t i = 0; i < end && i < text.size; i++) {
        if (text.data[i] != '\n') continue;
        line++;
        line_start = i + 1;
    }
    size_t start = line_start;
    while (end - start >= CONTEXT_BYTES) start += utf8_step(text, start);
    if (start - line_start <= 3) start = line_start;
    bool more = end < text.size && text.data[end] != '\n' && text.data[end] != '\r';
    return status_context(in->arena, st, "JSON data, line %u: %s%.*s%s", line, start > line_start ? "..." : "",
        (int)(end - start), (const char *)text.data + start, more ? "..." : "");
}

static struct status syntax_error(struct parser *in, const char *expected)
{
    struct status st = status_format(
        in->arena, E_INVALID_TEXT_REPRESENTATION, "%s", "invalid input syntax for type json");
    skip_space(in);
    if (in->at >= in->text.size)
        return with_place(in, status_detail(in->arena, st, "The input string ended unexpectedly."), in->text.size);
    struct bytes token = token_at(in, in->at);
    int size = bytes_shown(token);
    const char *data = (const char *)token.data;
    bool word = (token.data[0] | 0x20) >= 'a' && (token.data[0] | 0x20) <= 'z';
    bool known = bytes_equal(token, BYTES_LITERAL("true")) || bytes_equal(token, BYTES_LITERAL("false")) ||
                 bytes_equal(token, BYTES_LITERAL("null"));
    st = expected == NULL || (word && !known)
             ? status_detail(in->arena, st, "Token \"%.*s\" is invalid.", size, data)
             : status_detail(in->arena, st, "Expected %s, but found \"%.*s\".", expected, size, data);
    return with_place(in, st, in->at + token.size);
}

static struct status string_error(struct parser *in, const char *detail)
{
    struct status st = status_format(
        in->arena, E_INVALID_TEXT_REPRESENTATION, "%s", "invalid input syntax for type json");
    return status_detail(in->arena, st, "%s", detail);
}

// --- strings ---------------------------------------------------------------------------------------------

static bool hex4(struct bytes text, size_t at, uint32_t *code)
{
    *code = 0;
    if (at + 4 > text.size) return false;
    for (size_t i = at; i < at + 4; i++) {
        uint8_t c = text.data[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)(c | 0x20) - 'a' + 10;
        else
            return false;
        *code = *code << 4 | digit;
    }
    return true;
}

// \uXXXX, a surrogate pair taken as one. `at` is behind the u; out NULL only checks.
static struct status take_unicode(struct parser *in, struct buffer *out)
{
    uint32_t code, low;
    if (!hex4(in->text, in->at, &code))
        return string_error(in, "\"\\u\" must be followed by four hexadecimal digits.");
    in->at += 4;
    if (out == NULL) return STATUS_OK; // json keeps its text: only jsonb must make sense of it.
    if (code == 0)
        return status_detail(in->arena,
            status_format(in->arena, E_UNTRANSLATABLE_CHARACTER, "%s",
                "unsupported Unicode escape sequence"),
            "\\u0000 cannot be converted to text.");
    if (code >= 0xdc00 && code <= 0xdfff)
        return string_error(in, "Unicode low surrogate must follow a high surrogate.");
    if (code >= 0xd800 && code <= 0xdbff) {
        bool pair = in->at + 2 <= in->text.size && in->text.data[in->at] == '\\' &&
                    in->text.data[in->at + 1] == 'u' && hex4(in->text, in->at + 2, &low) &&
                    low >= 0xdc00 && low <= 0xdfff;
        if (!pair) return string_error(in, "Unicode low surrogate must follow a high surrogate.");
        in->at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8_append(out, code);
    return STATUS_OK;
}

static int escape_value(uint8_t c)
{
    switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return -1;
    }
}

// At the opening quote. `out` NULL only checks; *plain: the string's bytes when it has no escapes.
static struct status take_string(struct parser *in, struct buffer *out, struct bytes *plain)
{
    struct status st = STATUS_OK;
    size_t start = ++in->at;
    bool escaped = false;
    for (;; in->at++) {
        if (in->at >= in->text.size)
            return string_error(in, "The input string ended unexpectedly.");
        if (!may_go_on(in)) return in->interrupted;
        uint8_t c = in->text.data[in->at];
        if (c == '"') break;
        if (c < 0x20)
            return status_detail(in->arena,
                status_format(in->arena, E_INVALID_TEXT_REPRESENTATION, "%s",
                    "invalid input syntax for type json"),
                "Character with value 0x%02x must be escaped.", c);
        if (c != '\\') continue;
        if (out != NULL) buffer_append(out, in->text.data + start, in->at - start);
        escaped = true;
        in->at++;
        uint8_t kind = in->at < in->text.size ? in->text.data[in->at] : 0;
        if (kind == 'u') {
            in->at++;
            TRY(take_unicode(in, out));
            in->at--;
        } else if (escape_value(kind) >= 0) {
            if (out != NULL) buffer_append_u8(out, (uint8_t)escape_value(kind));
        } else if (in->at >= in->text.size) {
            return string_error(in, "The input string ended unexpectedly.");
        } else {
            return status_detail(in->arena,
                status_format(in->arena, E_INVALID_TEXT_REPRESENTATION, "%s",
                    "invalid input syntax for type json"),
                "Escape sequence \"\\%.*s\" is invalid.", (int)utf8_step(in->text, in->at),
                (const char *)in->text.data + in->at);
        }
        start = in->at + 1;
    }
    *plain = bytes_of(in->text.data + start, in->at - start);
    if (out != NULL) {
        if (escaped) buffer_append_bytes(out, *plain);
        if (escaped) *plain = buffer_bytes(out);
    }
    in->at++;
out:
    return st;
}

// --- values ------------------------------------------------------------------------------------------------

static size_t span_digits(struct bytes text, size_t at)
{
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        if (++at % WORK_BYTES == 0 && !task_goes_on(WORK_BYTES)) break;
    return at;
}

static struct status take_number(struct parser *in, struct buffer *out)
{
    struct status st = STATUS_OK;
    size_t start = in->at, at = start, end;
    struct datum value;
    if (in->text.data[at] == '-') at++;
    end = span_digits(in->text, at);
    bool valid = end > at && (in->text.data[at] != '0' || end == at + 1);
    at = end;
    if (valid && at < in->text.size && in->text.data[at] == '.') {
        end = span_digits(in->text, at + 1);
        valid = end > at + 1;
        at = end;
    }
    if (valid && at < in->text.size && (in->text.data[at] | 0x20) == 'e') {
        at++;
        if (at < in->text.size && (in->text.data[at] == '-' || in->text.data[at] == '+')) at++;
        end = span_digits(in->text, at);
        valid = end > at;
        at = end;
    }
    // Letters right behind make another token of it.
    if (!valid || token_at(in, start).size > at - start) return syntax_error(in, NULL);
    in->at = at;
    if (out == NULL) return st;
    struct arena_mark mark = arena_mark(&in->scratch);
    TRY(numeric_parse(&in->scratch, bytes_of(in->text.data + start, at - start), &value));
    json_append_number(out, value);
    arena_release(&in->scratch, mark);
out:
    return st;
}

static struct status take_word(struct parser *in, struct buffer *out)
{
    struct bytes token = token_at(in, in->at);
    if (bytes_equal(token, BYTES_LITERAL("null"))) {
        if (out != NULL) json_append_null(out);
    } else if (bytes_equal(token, BYTES_LITERAL("true")) ||
               bytes_equal(token, BYTES_LITERAL("false"))) {
        if (out != NULL) json_append_bool(out, token.size == 4);
    } else {
        return syntax_error(in, NULL);
    }
    in->at += token.size;
    return STATUS_OK;
}

static struct status take_value(struct parser *in, struct buffer *out);

static struct status take_array(struct parser *in, struct json_builder *builder)
{
    struct status st = STATUS_OK;
    in->at++;
    if (peek(in) == ']') {
        in->at++;
        return st;
    }
    for (;;) {
        if (builder != NULL) json_builder_begin(builder, bytes_of(NULL, 0));
        TRY(take_value(in, builder == NULL ? NULL : &builder->data));
        if (builder != NULL) json_builder_end(builder);
        uint8_t next = peek(in);
        if (next != ',' && next != ']') return syntax_error(in, "\",\" or \"]\"");
        in->at++;
        if (next == ']') break;
    }
out:
    return st;
}

static struct status take_object(struct parser *in, struct json_builder *builder)
{
    struct status st = STATUS_OK;
    struct buffer text;
    struct bytes key;
    in->at++;
    if (peek(in) == '}') {
        in->at++;
        return st;
    }
    for (;;) {
        if (peek(in) != '"')
            return syntax_error(
                in, builder == NULL || builder->count == 0 ? "string or \"}\"" : "string");
        buffer_init(&text, in->arena);
        TRY(take_string(in, builder == NULL ? NULL : &text, &key));
        if (peek(in) != ':') return syntax_error(in, "\":\"");
        in->at++;
        if (builder != NULL) json_builder_begin(builder, key);
        TRY(take_value(in, builder == NULL ? NULL : &builder->data));
        if (builder != NULL) json_builder_end(builder);
        uint8_t next = peek(in);
        if (next != ',' && next != '}') return syntax_error(in, "\",\" or \"}\"");
        in->at++;
        if (next == '}') break;
    }
out:
    return st;
}

static struct status take_container(struct parser *in, bool object, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    const bool deep = out != NULL && in->depth >= DEEP_LEVEL;
    struct arena *level = deep ? &in->levels[in->depth % 2] : in->arena;
    if (deep && level->block == NULL) (void)arena_alloc(level, 1); // The block stays.
    const struct arena_mark mark = arena_mark(level);
    if (++in->depth > JSON_DEPTH_MAX)
        return status_make(E_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (out != NULL) {
        json_builder_init(&builder, level, object);
        builder.task = in->task;
    }
    TRY(object ? take_object(in, out == NULL ? NULL : &builder)
               : take_array(in, out == NULL ? NULL : &builder));
    if (out != NULL) {
        TRY(json_builder_finish(&builder, out));
        TRY(arena_check(in->arena));
        TRY(arena_check(level));
    }
    in->depth--;
    // `out` is of the other arena, as the outer container is: nothing of this one, or of those in it, is wanted.
    if (deep) arena_release(level, mark);
out:
    return st;
}

static struct status take_value(struct parser *in, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct bytes plain;
    uint8_t c = peek(in);
    if (!may_go_on(in)) return in->interrupted;
    if (in->at >= in->text.size) return syntax_error(in, NULL);
    if (c == '{' || c == '[') return take_container(in, c == '{', out);
    if (c == '-' || (c >= '0' && c <= '9')) return take_number(in, out);
    if (c == '}' || c == ']' || c == ',' || c == ':') return syntax_error(in, "JSON value");
    if (c != '"') return take_word(in, out);
    if (out == NULL) return take_string(in, NULL, &plain);
    struct arena_mark mark = arena_mark(&in->scratch);
    struct buffer text;
    buffer_init(&text, &in->scratch);
    TRY(take_string(in, &text, &plain));
    json_append_string(out, plain);
    arena_release(&in->scratch, mark);
out:
    return st;
}

struct parsing {
    struct parser parser;
    struct buffer *out;
};

static void parse(void *arg)
{
    struct parsing *work = arg;
    struct parser *in = &work->parser;
    in->st = take_value(in, work->out);
    if (failed(in->st)) return;
    skip_space(in);
    if (in->at < in->text.size) in->st = syntax_error(in, "end of input");
}

static struct status run(
    struct task *task, struct arena *arena, struct bytes text, struct buffer *out)
{
    struct parsing work = {.parser = {.task = task, .arena = arena, .text = text}, .out = out};
    arena_init(&work.parser.scratch, arena->account);
    for (uint32_t i = 0; i < 2; i++) arena_init(&work.parser.levels[i], arena->account);
    if (text.size <= SHALLOW_BYTES)
        parse(&work);
    else if (text.size <= SHORT_BYTES)
        stack_call(parse, &work);
    else
        deep_call(task, parse, &work);
    arena_fini(&work.parser.scratch);
    for (uint32_t i = 0; i < 2; i++) arena_fini(&work.parser.levels[i]);
    return failed(work.parser.interrupted) ? work.parser.interrupted : work.parser.st;
}

struct status json_parse(
    struct task *task, struct arena *arena, struct bytes text, struct buffer *out)
{
    return run(task, arena, text, out);
}

struct status json_check(struct task *task, struct arena *arena, struct bytes text)
{
    return run(task, arena, text, NULL);
}

// --- scanning checked text -------------------------------------------------------------------------------------

static struct bytes trim_front(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == '\n' ||
                                text.data[0] == '\r'))
        text = bytes_skip(text, 1);
    return text;
}

enum json_kind json_text_kind(struct bytes text)
{
    text = trim_front(text);
    switch (text.size == 0 ? 0 : text.data[0]) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

static size_t string_size(struct bytes text)
{
    size_t i = 1;
    while (i < text.size && text.data[i] != '"')
        i += text.data[i] == '\\' ? 2 : 1;
    return i + 1 < text.size ? i + 1 : text.size;
}

// Bytes of the value at the start.
static size_t value_size(struct bytes text)
{
    size_t depth = 0, i = 0;
    while (i < text.size) {
        uint8_t c = text.data[i];
        if (c == '"') {
            i += string_size(bytes_skip(text, i));
            if (depth == 0) return i;
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') {
            if (depth == 0) return i;
            if (--depth == 0) return i + 1;
        }
        if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) return i;
        i++;
    }
    return i;
}

struct json_scan json_scan_container(struct bytes text)
{
    text = trim_front(text);
    if (text.size > 0) text = bytes_skip(text, 1);
    return (struct json_scan){text};
}

bool json_scan_next(
    struct json_scan *scan, struct arena *arena, struct bytes *key, struct bytes *value)
{
    struct bytes text = trim_front(scan->rest);
    if (text.size > 0 && text.data[0] == ',') text = trim_front(bytes_skip(text, 1));
    if (text.size == 0 || text.data[0] == '}' || text.data[0] == ']') return false;
    if (key != NULL) {
        size_t size = string_size(text);
        *key = json_text_unquote(arena, bytes_of(text.data, size));
        text = trim_front(bytes_skip(text, size));
        if (text.size > 0) text = trim_front(bytes_skip(text, 1)); // The colon.
    }
    size_t size = value_size(text);
    *value = bytes_of(text.data, size);
    scan->rest = bytes_skip(text, size);
    return true;
}

struct bytes json_text_unquote(struct arena *arena, struct bytes text)
{
    struct parser in = {.arena = arena, .text = trim_front(text)};
    struct buffer out;
    struct bytes plain = {0};
    buffer_init(&out, arena);
    struct status st = take_string(&in, &out, &plain);
    // An escape that has no character (allowed in json) leaves the text as written.
    if (failed(st)) return in.text.size > 2 ? bytes_of(in.text.data + 1, in.text.size - 2) : plain;
    return plain;
}
