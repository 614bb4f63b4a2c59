// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/flags.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/text.h"

#define HELP_COLUMN 28
#define HELP_COLUMNS 100

static struct status refused(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct status refused(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(arena, format, args);
    va_end(args);
    return status_make(E_INVALID_PARAMETER_VALUE, message);
}

static struct status value_refused(struct arena *arena, const struct flag *flag, const char *source,
    const char *value, const char *expected)
{
    return refused(arena, "invalid value \"%s\" for %s%s: %s", value, source, flag->name, expected);
}

static bool choice_known(const struct flag *flag, const char *value)
{
    for (uint32_t i = 0; flag->choices[i] != NULL; i++) {
        if (strcmp(flag->choices[i], value) == 0) return true;
    }
    return false;
}

static const char *choices_text(struct arena *arena, const struct flag *flag)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (uint32_t i = 0; flag->choices[i] != NULL; i++)
        buffer_printf(&out, "%s%s", i == 0 ? "" : ", ", flag->choices[i]);
    return buffer_string(&out);
}

// `source` is "--", or "environment variable for --".
static struct status flag_set(
    struct arena *arena, struct flag *flag, const char *source, const char *value)
{
    struct bytes text = bytes_of_string(value);
    flag->given = true;
    switch (flag->kind) {
    case FLAG_STRING: *(const char **)flag->value = value; return STATUS_OK;
    case FLAG_STRINGS: {
        struct flag_strings *strings = flag->value;
        if (strings->count == FLAG_STRINGS_MAX)
            return refused(
                arena, "%s%s is given more than %d times", source, flag->name, FLAG_STRINGS_MAX);
        strings->values[strings->count++] = value;
        return STATUS_OK;
    }
    case FLAG_BOOL:
        if (text_parse_bool(text, flag->value)) return STATUS_OK;
        return value_refused(arena, flag, source, value, "expected true or false");
    case FLAG_U64: {
        uint64_t number;
        bool ok = text_parse_u64(text, &number);
        bool within = flag->max == 0 || (ok && number >= flag->min && number <= flag->max);
        if (ok && within) {
            *(uint64_t *)flag->value = number;
            return STATUS_OK;
        }
        const char *expected = "expected a number";
        if (flag->max != 0)
            expected = arena_printf(
                arena, "expected a number from %" PRIu64 " to %" PRIu64, flag->min, flag->max);
        return value_refused(arena, flag, source, value, expected);
    }
    case FLAG_SIZE: {
        struct size_rules rules = {.whole = flag->size_whole, .decimal_bytes = true};
        if (text_parse_size(text, rules, flag->value)) return STATUS_OK;
        return value_refused(arena, flag, source, value,
            flag->size_whole == 0
                ? "expected a size such as 128MiB"
                : "expected a size such as 128MiB, or a share such as 25% or .25");
    }
    case FLAG_DURATION:
        if (text_parse_duration(text, 1000000000, flag->value)) return STATUS_OK;
        return value_refused(
            arena, flag, source, value, "expected a duration such as 1h30m or 10s");
    case FLAG_CHOICE:
        if (choice_known(flag, value)) {
            *(const char **)flag->value = value;
            return STATUS_OK;
        }
        return value_refused(arena, flag, source, value,
            arena_printf(arena, "expected one of %s", choices_text(arena, flag)));
    }
    invariant(false && "a kind of flag that is not listed");
    return STATUS_OK;
}

// --- parsing -------------------------------------------------------------------------------------

static struct flag *flag_by_name(const struct flags_command *command, struct bytes name)
{
    for (struct flag *flag = command->flags; flag->name != NULL; flag++) {
        if (bytes_equal(bytes_of_string(flag->name), name)) return flag;
    }
    return NULL;
}

static struct flag *flag_by_letter(const struct flags_command *command, char letter)
{
    for (struct flag *flag = command->flags; flag->name != NULL; flag++) {
        if (flag->letter == letter) return flag;
    }
    return NULL;
}

static struct status unknown_flag(struct arena *arena, const struct flags_command *command,
    const char *argument, struct bytes name)
{
    uint32_t count = 0;
    for (const struct flag *flag = command->flags; flag->name != NULL; flag++)
        count++;
    const char **names = ARENA_ARRAY(arena, const char *, count + 2);
    count = 0;
    for (const struct flag *flag = command->flags; flag->name != NULL; flag++) {
        if (!flag->hidden) names[count++] = flag->name;
    }
    names[count] = "help";
    struct status st = refused(arena, "unknown flag: %s", argument);
    const char *nearest = text_nearest(arena_string(arena, name), names);
    if (nearest == NULL)
        return status_hint(arena, st, "Run \"%s --help\" for the flags there are.", command->name);
    return status_hint(arena, st, "Did you mean --%s?", nearest);
}

// The command line as it is eaten.
struct cursor {
    char *const *argv;
    int argc, at;
};

static struct status flag_take_value(
    struct arena *arena, struct flag *flag, const char *inline_value, struct cursor *cursor)
{
    if (inline_value != NULL) return flag_set(arena, flag, "--", inline_value);
    if (flag->kind == FLAG_BOOL) { // "--insecure false" would be ambiguous; "=false" is not.
        flag->given = true;
        *(bool *)flag->value = true;
        return STATUS_OK;
    }
    if (flag->implied != NULL && (cursor->at == cursor->argc || cursor->argv[cursor->at][0] == '-'))
        return flag_set(arena, flag, "--", flag->implied);
    if (cursor->at == cursor->argc) return refused(arena, "--%s needs a value", flag->name);
    return flag_set(arena, flag, "--", cursor->argv[cursor->at++]);
}

static struct status argument_take(struct arena *arena, const struct flags_command *command,
    const char *argument, struct cursor *cursor, bool *help)
{
    const char *equals = strchr(argument, '=');
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        struct flag *own = argument[1] == 'h' ? flag_by_letter(command, 'h') : NULL;
        if (own == NULL) {
            *help = true;
            return STATUS_OK;
        }
    }
    if (argument[1] == '-') {
        const char *start = argument + 2;
        struct bytes name = bytes_of_string(start);
        if (equals != NULL) name.size = (size_t)(equals - start);
        struct flag *flag = flag_by_name(command, name);
        if (flag == NULL) return unknown_flag(arena, command, argument, name);
        return flag_take_value(arena, flag, equals == NULL ? NULL : equals + 1, cursor);
    }
    struct flag *flag = flag_by_letter(command, argument[1]);
    if (flag == NULL) return unknown_flag(arena, command, argument, bytes_of_string(argument + 1));
    const char *rest = argument[2] == 0 ? NULL : argument + 2;
    if (rest != NULL && rest[0] == '=') rest++;
    if (rest != NULL && flag->kind == FLAG_BOOL && argument[2] != '=')
        return refused(arena, "unknown flag: %s", argument);
    return flag_take_value(arena, flag, rest, cursor);
}

static const char *environment_name(struct arena *arena, const struct flag *flag)
{
    char *name = arena_printf(arena, "ISOPOD_%s", flag->name);
    for (char *c = name; *c != 0; c++)
        *c = *c == '-' ? '_' : ascii_upper(*c);
    return name;
}

static struct status environment_apply(struct arena *arena, const struct flags_command *command)
{
    for (struct flag *flag = command->flags; flag->name != NULL; flag++) {
        if (flag->given) continue;
        const char *value = getenv(environment_name(arena, flag));
        if (value == NULL || value[0] == 0) continue;
        struct status st = flag_set(arena, flag, "environment variable for --", value);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

struct status flags_parse(struct arena *arena, const struct flags_command *command, int argc,
    char *const *argv, struct flags_result *result)
{
    struct status st = STATUS_OK;
    struct cursor cursor = {argv, argc, 0};
    bool flags_over = false;
    *result = (struct flags_result){0};
    result->arguments = ARENA_ARRAY(arena, const char *, argc + 1);
    while (cursor.at < argc) {
        const char *argument = argv[cursor.at++];
        bool is_flag = !flags_over && argument[0] == '-' && argument[1] != 0;
        if (is_flag && strcmp(argument, "--") == 0) {
            flags_over = true;
        } else if (is_flag) {
            TRY(argument_take(arena, command, argument, &cursor, &result->help));
            if (result->help) return STATUS_OK;
        } else {
            result->arguments[result->argument_count++] = argument;
        }
    }
    TRY(environment_apply(arena, command));
    if (result->argument_count < command->arguments_min)
        st = refused(arena, "%s needs %s", command->name, command->arguments);
    if (result->argument_count > command->arguments_max)
        st = refused(
            arena, "superfluous argument: \"%s\"", result->arguments[command->arguments_max]);
out:
    return st;
}

// --- help ----------------------------------------------------------------------------------------

static const char *argument_name(struct arena *arena, const struct flag *flag)
{
    static const char *const names[] = {
        [FLAG_STRING] = "text",
        [FLAG_STRINGS] = "text",
        [FLAG_BOOL] = "",
        [FLAG_U64] = "number",
        [FLAG_SIZE] = "size",
        [FLAG_DURATION] = "duration",
    };
    if (flag->argument != NULL) return flag->argument;
    if (flag->kind != FLAG_CHOICE) return names[flag->kind];
    char *choices = arena_strdup(arena, choices_text(arena, flag));
    char *out = choices;
    for (const char *c = choices; *c != 0; c++) {
        if (*c == ' ') continue;
        *out++ = *c == ',' ? '|' : *c;
    }
    *out = 0;
    return choices;
}

static void append_default(struct buffer *out, const struct flag *flag)
{
    struct buffer text;
    buffer_init(&text, out->arena);
    switch (flag->kind) {
    case FLAG_STRING:
    case FLAG_CHOICE: {
        const char *value = *(const char *const *)flag->value;
        if (value == NULL || value[0] == 0) return;
        buffer_printf(&text, "\"%s\"", value);
        break;
    }
    case FLAG_STRINGS: return;
    case FLAG_BOOL:
        if (!*(const bool *)flag->value) return;
        buffer_append_string(&text, "true");
        break;
    case FLAG_U64:
        if (*(const uint64_t *)flag->value == 0) return;
        buffer_printf(&text, "%" PRIu64, *(const uint64_t *)flag->value);
        break;
    case FLAG_SIZE:
        if (*(const uint64_t *)flag->value == 0) return;
        text_format_size(&text, *(const uint64_t *)flag->value);
        break;
    case FLAG_DURATION:
        if (*(const int64_t *)flag->value == 0) return;
        text_format_duration(&text, *(const int64_t *)flag->value);
        break;
    }
    buffer_printf(out, " (default %s)", buffer_string(&text));
}

// Words of `text`, broken at the page's width and indented from the second line on.
static void append_wrapped(struct buffer *out, const char *text, size_t column, size_t indent)
{
    while (*text != 0) {
        size_t word = strcspn(text, " \n");
        if (column + word > HELP_COLUMNS && column > indent) {
            buffer_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        buffer_append(out, text, word);
        column += word;
        text += word;
        if (*text == '\n') {
            buffer_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (*text == ' ') {
            buffer_append_u8(out, ' ');
            column++;
        }
        if (*text != 0) text++;
    }
}

static void append_flag(struct buffer *out, const struct flag *flag)
{
    struct buffer help;
    buffer_init(&help, out->arena);
    size_t start = out->size;
    const char *argument = argument_name(out->arena, flag);
    if (flag->letter != 0) {
        buffer_printf(out, "  -%c, --%s", flag->letter, flag->name);
    } else {
        buffer_printf(out, "      --%s", flag->name);
    }
    if (argument[0] != 0) buffer_printf(out, " %s", argument);
    size_t width = out->size - start;
    if (width + 2 > HELP_COLUMN) {
        buffer_printf(out, "\n%*s", HELP_COLUMN, "");
    } else {
        buffer_printf(out, "%*s", (int)(HELP_COLUMN - width), "");
    }
    buffer_append_string(&help, flag->help);
    append_default(&help, flag);
    append_wrapped(out, buffer_string(&help), HELP_COLUMN, HELP_COLUMN);
    buffer_append_u8(out, '\n');
}

char *flags_help(struct arena *arena, const struct flags_command *command)
{
    struct buffer out;
    buffer_init(&out, arena);
    append_wrapped(&out, command->summary, 0, 0);
    buffer_printf(&out, "\n\nUsage:\n  %s [flags]%s%s\n\nFlags:\n", command->name,
        command->arguments == NULL ? "" : " ",
        command->arguments == NULL ? "" : command->arguments);
    for (const struct flag *flag = command->flags; flag->name != NULL; flag++) {
        if (!flag->hidden) append_flag(&out, flag);
    }
    buffer_append_string(&out,
        "  -h, --help                Prints this.\n\n"
        "A flag can also be set by an environment variable: ISOPOD_LISTEN_ADDR "
        "for --listen-addr.\n");
    return buffer_string(&out);
}
