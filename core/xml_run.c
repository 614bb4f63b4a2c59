// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/xml_run.h"

#include <libxml/catalog.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlIO.h>
#include <libxml/xpathInternals.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena_adopt.h"
#include "core/deep.h"
#include "core/fiber.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/reactor.h"
#include "core/work.h"

// What a shard does itself: about two milliseconds.
#define SHORT_CALLS 16384u           // Of the allocator,
#define SHORT_MEMORY (4u << 20)      // with so much in use,
#define SHORT_STEPS 100000ul         // and of an XPath expression.
#define CALLS_PER_LOOK 64u           // Between two looks at whether somebody still waits.
#define ERROR_BYTES_MAX (64u << 10)  // What the library says beyond that is not kept.
#define RESERVED_PER_BYTE 8u         // What a document takes about, while a helper has it.

// How a body ended.
enum outcome { OUTCOME_RETURNED, OUTCOME_MEMORY, OUTCOME_LONG, OUTCOME_STEPS, OUTCOME_ABANDONED };

// Before each of the library's pieces of memory: those of a run are in its list.
struct block {
    struct block *next, *previous;
    struct state *owner; // NULL: the library keeps it.
    size_t size;         // Without this.
};
static_assert(sizeof(struct block) % 16 == 0, "what follows is aligned");

struct state {
    struct xml_run run; // First: the one is the other.
    struct arena arena;
    struct memory_account account; // Of the arena; its limit is for the library's memory, too.
    struct block blocks;           // Head of the list.
    uint64_t library_bytes;
    uint32_t calls;
    bool brief; // Is to be given up when it takes long.
    enum outcome outcome;
    jmp_buf jump;
    xml_body body;
    void *arg;
    // Of work with a helper:
    struct reactor *reactor;
    struct wait_queue ended_queue;
    bool ended;
    atomic_bool abandoned; // Nobody waits any more.
};

static _Thread_local struct state *current; // Whose body runs on this thread.
static bool initialised;

// --- memory --------------------------------------------------------------------------------------------------

// Out of the library: what it has under way is forgotten, and its memory is freed with the run's.
static _Noreturn void leave(struct state *state, enum outcome outcome)
{
    state->outcome = outcome;
    longjmp(state->jump, 1);
}

static void count_call(struct state *state, size_t more)
{
    state->calls++;
    if (state->brief && (state->calls > SHORT_CALLS || state->library_bytes + more > SHORT_MEMORY)) leave(state, OUTCOME_LONG);
    if (state->calls % CALLS_PER_LOOK == 0 && atomic_load_explicit(&state->abandoned, memory_order_relaxed))
        leave(state, OUTCOME_ABANDONED);
    const uint64_t limit = state->account.limit_bytes, used = state->library_bytes + state->account.used_bytes;
    if ((limit > 0 && used + more > limit) || memory_is_refused()) leave(state, OUTCOME_MEMORY);
}

static void link_block(struct state *state, struct block *block)
{
    block->owner = state;
    if (state == NULL) return;
    block->previous = &state->blocks;
    block->next = state->blocks.next;
    block->next->previous = block;
    state->blocks.next = block;
    state->library_bytes += sizeof *block + block->size;
}

static void unlink_block(struct block *block)
{
    if (block->owner == NULL) return;
    invariant(block->owner == current);
    block->next->previous = block->previous;
    block->previous->next = block->next;
    block->owner->library_bytes -= sizeof *block + block->size;
}

static void *library_malloc(size_t size)
{
    struct state *state = current;
    if (size > SIZE_MAX - sizeof(struct block)) return NULL;
    if (state != NULL) count_call(state, size + sizeof(struct block));
    struct block *block = malloc(size + sizeof *block);
    if (block == NULL && state != NULL) leave(state, OUTCOME_MEMORY);
    if (block == NULL) return NULL;
    block->size = size;
    link_block(state, block);
    return block + 1;
}

static void library_free(void *memory)
{
    if (memory == NULL) return;
    struct block *block = (struct block *)memory - 1;
    unlink_block(block);
    free(block);
}

static void *library_realloc(void *memory, size_t size)
{
    if (memory == NULL) return library_malloc(size);
    struct block *block = (struct block *)memory - 1;
    struct state *owner = block->owner;
    if (size > SIZE_MAX - sizeof *block) return NULL;
    if (owner != NULL) count_call(owner, size > block->size ? size - block->size : 0);
    unlink_block(block);
    struct block *moved = realloc(block, size + sizeof *block);
    if (moved == NULL) { // It is where it was.
        link_block(owner, block);
        if (owner != NULL) leave(owner, OUTCOME_MEMORY);
        return NULL;
    }
    moved->size = size;
    link_block(owner, moved);
    return moved + 1;
}

static char *library_strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = library_malloc(size);
    if (copy != NULL) memcpy(copy, text, size);
    return copy;
}

static void free_blocks(struct state *state)
{
    for (struct block *block = state->blocks.next; block != &state->blocks;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    state->blocks.next = state->blocks.previous = &state->blocks;
    state->library_bytes = 0;
}

// --- the library's surroundings ------------------------------------------------------------------------------

// Whatever a document refers to is empty: nothing is read.
static xmlParserInputPtr load_nothing(const char *url, const char *id, xmlParserCtxtPtr context)
{
    (void)url, (void)id;
    return xmlNewStringInputStream(context, (const xmlChar *)"");
}

void xml_run_init(void)
{
    if (initialised) return;
    initialised = true;
    invariant(xmlMemSetup(library_free, library_malloc, library_realloc, library_strdup) == 0);
    xmlInitParser();
    xmlSetExternalEntityLoader(load_nothing);
    xmlCatalogSetDefaults(XML_CATA_ALLOW_NONE);
    xmlCleanupInputCallbacks(); // Neither files nor networks, should something ask for them past the loader.
}

// The library prints a place in the document through this.
__attribute__((format(printf, 2, 3))) static void append_format(void *arg, const char *format, ...)
{
    struct buffer *out = arg;
    char piece[512];
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (size > 0) buffer_append(out, piece, (size_t)size < sizeof piece ? (size_t)size : sizeof piece - 1);
}

// What it would print to the server's standard error stream otherwise.
__attribute__((format(printf, 2, 3))) static void say_nothing(void *arg, const char *format, ...)
{
    (void)arg, (void)format;
}

static void end_line(struct buffer *out, bool newline)
{
    while (out->size > 0 && out->data[out->size - 1] == '\n') out->size--;
    if (newline && out->size > 0) buffer_append_u8(out, '\n');
}

// Of old, some errors are the parser's that are of namespaces, and one is but a warning.
static int domain_of(const xmlError *error)
{
    switch (error->code) {
    case XML_WAR_NS_URI:
    case XML_ERR_NS_DECL_ERROR:
    case XML_WAR_NS_URI_RELATIVE:
    case XML_WAR_NS_COLUMN:
    case XML_NS_ERR_XML_NAMESPACE:
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
    case XML_NS_ERR_QNAME:
    case XML_NS_ERR_ATTRIBUTE_REDEFINED:
    case XML_NS_ERR_EMPTY: return XML_FROM_NAMESPACE;
    default: return error->domain;
    }
}

static bool counts(const struct state *state, const xmlError *error)
{
    switch (domain_of(error)) {
    case XML_FROM_NONE:
    case XML_FROM_PARSER:
        // It follows from others.
        if (error->code == XML_ERR_NOT_WELL_BALANCED && state->run.error_occurred) return false;
        return error->code != XML_WAR_UNDECLARED_ENTITY;
    case XML_FROM_MEMORY:
    case XML_FROM_IO: return error->code != XML_WAR_UNDECLARED_ENTITY;
    default: return state->run.strict;
    }
}

static void describe(struct buffer *out, const xmlError *error)
{
    const xmlNode *node = error->node;
    const xmlParserCtxt *context = error->ctxt;
    if (error->line > 0) buffer_printf(out, "line %d: ", error->line);
    if (node != NULL && node->type == XML_ELEMENT_NODE) {
        buffer_append_string(out, "element ");
        buffer_append_string(out, (const char *)node->name);
        buffer_append_string(out, ": ");
    }
    buffer_append_string(out, error->message != NULL ? error->message : "(no message provided)");
    // What an XPath expression says has a parser's place for none.
    if (context != NULL && context->input != NULL && error->domain != XML_FROM_XPATH) {
        end_line(out, true);
        xmlSetGenericErrorFunc(out, append_format);
        xmlParserPrintFileContext(context->input);
        xmlSetGenericErrorFunc(NULL, say_nothing);
    }
    end_line(out, false);
}

static void on_error(void *arg, xmlErrorPtr error)
{
    struct state *state = arg;
    struct xml_run *run = &state->run;
    if (error->domain == XML_FROM_XPATH && error->code == XML_XPATH_EXPRESSION_OK + XPATH_OP_LIMIT_EXCEEDED)
        leave(state, state->brief ? OUTCOME_LONG : OUTCOME_STEPS);
    if (!counts(state, error)) return;
    const bool is_error = error->level >= XML_ERR_ERROR || error->code == XML_WAR_NS_URI;
    struct buffer *out = is_error ? &run->errors : &run->warnings, text;
    run->error_occurred |= is_error;
    if (out->size > ERROR_BYTES_MAX) return;
    buffer_init(&text, run->arena);
    describe(&text, error);
    if (is_error) end_line(out, true);
    buffer_append_bytes(out, buffer_bytes(&text));
    if (!is_error) buffer_append_u8(out, 0);
}

// --- running -------------------------------------------------------------------------------------------------

static void reset(struct state *state)
{
    state->run.st = STATUS_OK;
    state->run.strict = false;
    state->calls = 0;
    state->outcome = OUTCOME_RETURNED;
    xml_run_clear(&state->run);
}

static void run_body(void *arg)
{
    struct state *state = arg;
    reset(state);
    invariant(initialised && current == NULL);
    current = state;
    xmlSetStructuredErrorFunc(state, on_error);
    xmlSetGenericErrorFunc(NULL, say_nothing);
    if (_setjmp(state->jump) == 0) state->body(&state->run, state->arg);
    memset(&xmlLastError, 0, sizeof xmlLastError); // Its texts are the run's, and maybe half made.
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlSetGenericErrorFunc(NULL, say_nothing);
    current = NULL;
    free_blocks(state);
}

static struct status status_of(const struct state *state)
{
    switch (state->outcome) {
    case OUTCOME_MEMORY: return status_make(E_OUT_OF_MEMORY, "out of memory");
    case OUTCOME_LONG: return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too long for a constant");
    case OUTCOME_STEPS: return status_make(E_PROGRAM_LIMIT_EXCEEDED, "XPath expression takes too many steps");
    case OUTCOME_ABANDONED: return status_make(E_QUERY_CANCELED, "canceling statement due to user request");
    case OUTCOME_RETURNED: break;
    }
    return state->run.st;
}

static void helper_main(struct fiber *fiber)
{
    run_body(fiber->arg);
    fiber_suspend(fiber);
}

// A thread's own stack is not deep enough for what the library may need.
static void run_on_helper(void *arg)
{
    struct state *state = arg;
    struct fiber fiber = {0};
    const struct status st = fiber_init(&fiber, DEEP_STACK_BYTES, helper_main);
    if (failed(st)) {
        state->outcome = OUTCOME_MEMORY;
        return;
    }
    fiber.arg = state;
    fiber_resume(&fiber);
    fiber_fini(&fiber);
}

static struct status helper_task(struct task *task, void *arg)
{
    return helper_call(task, run_on_helper, arg);
}

static void state_free(struct state *state)
{
    arena_fini(&state->arena);
    memory_account_fini(&state->account);
    free(state);
}

static void helper_ended(struct task *task, struct status st, void *arg)
{
    struct state *state = arg;
    (void)task;
    state->reactor->xml_busy = false;
    wait_queue_wake_one(&state->reactor->xml_line, STATUS_OK);
    if (failed(st)) state->run.st = st; // The node stops.
    state->ended = true;
    if (atomic_load_explicit(&state->abandoned, memory_order_relaxed)) state_free(state);
    else wait_queue_wake_all(&state->ended_queue, STATUS_OK);
}

static struct status start_helper(struct task *task, struct state *state)
{
    const struct task_options options = {.fn = helper_task,
        .arg = state,
        .kind = "xml",
        .tenant = task->tenant,
        .class = task->class,
        .ended = helper_ended,
        .ended_arg = state};
    return task_start(task->shard, &options);
}

// *gone: the helper has it, and nobody waits for it.
static struct status with_helper(struct task *task, struct state *state, bool *gone)
{
    struct reactor *reactor = state->reactor = task->shard->reactor;
    struct status st = task_check(task);
    while (!failed(st) && reactor->xml_busy) st = task_wait(task, &reactor->xml_line);
    if (!failed(st)) {
        reactor->xml_busy = true;
        st = start_helper(task, state);
        if (failed(st)) reactor->xml_busy = false;
    }
    if (failed(st)) { // Its turn is the next one's.
        if (!reactor->xml_busy) wait_queue_wake_one(&reactor->xml_line, STATUS_OK);
        return st;
    }
    while (!state->ended && !failed(st)) st = task_wait(task, &state->ended_queue);
    *gone = !state->ended;
    if (*gone) atomic_store_explicit(&state->abandoned, true, memory_order_relaxed);
    return st;
}

// What the account and those above it have left; 0 when none has a limit.
static uint64_t left_of(const struct memory_account *account)
{
    uint64_t left = UINT64_MAX;
    for (; account != NULL; account = account->parent) {
        if (account->limit_bytes == 0) continue;
        const uint64_t own = account->limit_bytes > account->used_bytes ? account->limit_bytes - account->used_bytes : 1;
        if (own < left) left = own;
    }
    return left == UINT64_MAX ? 0 : left;
}

struct xml_run *xml_run_begin(struct arena *arena)
{
    struct state *state = calloc(1, sizeof *state);
    invariant(state != NULL);
    memory_account_init(&state->account, NULL, "xml", left_of(arena->account));
    arena_init(&state->arena, &state->account);
    wait_queue_init(&state->ended_queue);
    state->blocks.next = state->blocks.previous = &state->blocks;
    state->run.arena = &state->arena;
    return &state->run;
}

// Others are to know how much is about to be in use, which the helper cannot tell the account.
static struct status long_run(struct task *task, struct arena *arena, struct state *state, uint64_t bytes, bool *gone)
{
    const uint64_t left = state->account.limit_bytes, wanted = bytes * RESERVED_PER_BYTE;
    const uint64_t reserved = left > 0 && wanted > left ? left : wanted;
    state->brief = false;
    memory_account_grow(arena->account, reserved);
    const struct status st = with_helper(task, state, gone);
    memory_account_shrink(arena->account, reserved);
    return st;
}

struct status xml_run_finish(
    struct task *task, struct arena *arena, struct xml_run *run, xml_body body, void *arg, uint64_t bytes)
{
    struct state *state = (struct state *)run;
    struct status st = STATUS_OK;
    const bool may_wait = task != NULL && task->nosuspend_depth == 0 && !run->no_wait;
    bool gone = false, is_long = bytes > XML_RUN_SHORT_BYTES;
    state->body = body;
    state->arg = arg;
    if (is_long && run->no_wait) {
        state->outcome = OUTCOME_LONG;
    } else if (!is_long || !may_wait) {
        state->brief = may_wait || run->no_wait;
        stack_call(run_body, state);
        is_long = state->outcome == OUTCOME_LONG;
    }
    if (is_long && may_wait) {
        st = long_run(task, arena, state, bytes, &gone);
    }
    if (gone) return st;
    if (run->told != NULL) buffer_append_bytes(run->told, buffer_bytes(&run->warnings));
    if (!failed(st)) st = status_of(state);
    if (!failed(st)) st = arena_check(&state->arena);
    if (failed(st)) st = status_copy(arena, st);
    else arena_adopt(arena, &state->arena);
    state_free(state);
    return st;
}

void xml_run_drop(struct xml_run *run)
{
    state_free((struct state *)run);
}

struct status xml_run_text(struct xml_run *run, struct bytes text, struct bytes *copy)
{
    uint8_t *data = arena_try_alloc(run->arena, text.size + 1);
    if (data == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    data[task_copy_to(data, text)] = 0;
    *copy = bytes_of(data, text.size);
    return task_current() == NULL ? STATUS_OK : task_check(task_current());
}

// --- for bodies ----------------------------------------------------------------------------------------------

void xml_run_fail(struct xml_run *run, uint32_t code, const char *message)
{
    if (failed(run->st)) return;
    run->st = status_make(code, message);
    if (run->error_occurred) run->st = status_detail(run->arena, run->st, "%s", buffer_string(&run->errors));
}

void xml_run_clear(struct xml_run *run)
{
    run->error_occurred = false;
    buffer_init(&run->errors, run->arena);
    buffer_init(&run->warnings, run->arena);
}

void xml_run_bound(struct xml_run *run, xmlXPathContext *context)
{
    const struct state *state = (const struct state *)run;
    context->opLimit = state->brief ? SHORT_STEPS : XML_RUN_STEPS_MAX;
}

struct bytes xml_run_copy(struct xml_run *run, const xmlChar *text, size_t size)
{
    struct state *state = (struct state *)run;
    if (text == NULL) return bytes_of("", 0);
    count_call(state, size + 1);
    uint8_t *copy = arena_try_alloc(run->arena, size + 1);
    if (copy == NULL) leave(state, OUTCOME_MEMORY);
    memcpy(copy, text, size);
    copy[size] = 0;
    return bytes_of(copy, size);
}
