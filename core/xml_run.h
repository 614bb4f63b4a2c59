// SPDX-License-Identifier: GPL-3.0-or-later
//
// Work for libxml2, bounded: a piece of work has its own memory and its own errors, leaves nothing behind in the library
// however it ends, and neither files nor networks are there for it.
//
// The library cannot be interrupted and waits for nobody, so that a shard does only short work itself. What is long from the
// beginning, or turns out to be (the library has asked for memory too often, an XPath expression has taken too many steps), a
// helper thread does from its beginning. Who waits for that can be cancelled: the helper ends the work when it next asks for
// memory.
//
// Shard    xml_run_begin and xml_run_finish: the caller's. A body runs there or on a helper, maybe twice, on a big stack,
//          and touches nothing but what lies in the run's arena and the library. It does not suspend.
// Memory   run->arena holds what the body is given and what it gives; it becomes part of the caller's arena. What the
//          library allocates is freed at the end, whatever the body frees; both are within what is left to the account of
//          the caller's arena (53200). A block counts for what was asked for and its head.
// Errors   The body's; 53200; 54000 an XPath expression of too many steps, or long work where nothing may wait; 57014.
// Bounds   The library's own without XML_PARSE_HUGE: elements 256 deep, 10 MB a text, names of 50,000 bytes, and what entities
//          come to. XML_RUN_STEPS_MAX steps of an XPath expression. One piece of work of a shard is with a helper at a time.
#pragma once
#include <libxml/xmlerror.h>
#include <libxml/xpath.h>

#include "core/arena.h"
#include "core/task.h"

#define XML_RUN_SHORT_BYTES (64u << 10)      // Longer documents go to a helper at once.
#define XML_RUN_STEPS_MAX 2000000000ul       // Of an XPath expression: half a minute or so.

struct xml_run;
typedef void (*xml_body)(struct xml_run *run, void *arg);

struct xml_run {
    struct arena *arena;
    struct status st;       // What the body says, when it fails.
    bool strict;            // Errors of namespaces, XPath and the like count, too; set by the body before it calls the library.
    bool no_wait;           // A constant is tried: what is not short is 54000.
    struct buffer *told;    // NULL, or the caller's, into which the warnings come, however the body ends.
    // Since the last xml_run_clear:
    bool error_occurred;
    struct buffer errors;   // A line or more each.
    struct buffer warnings; // Texts, each with a NUL behind it.
};

void xml_run_init(void); // Once, before threads start.

// What is to live until the body has ended goes into run->arena.
struct xml_run *xml_run_begin(struct arena *arena);
// Runs the body over `bytes` of input; the run is gone afterwards, and its arena is part of `arena`. Suspends, if the
// task (or NULL) may, when that is long.
CHECKED struct status xml_run_finish(
    struct task *task, struct arena *arena, struct xml_run *run, xml_body body, void *arg, uint64_t bytes);

// Instead of running it.
void xml_run_drop(struct xml_run *run);
// A copy of the text for the body, with a NUL behind it.
CHECKED struct status xml_run_text(struct xml_run *run, struct bytes text, struct bytes *copy);

// --- for bodies ----------------------------------------------------------------------------------------------

// Fails with `code` and `message`, and what the library has said as the detail.
void xml_run_fail(struct xml_run *run, uint32_t code, const char *message);
// Forgets errors, for a body that goes on after one.
void xml_run_clear(struct xml_run *run);
// The run's bounds are the context's.
void xml_run_bound(struct xml_run *run, xmlXPathContext *context);
// A copy of the library's text (NULL: empty) in the run's arena.
struct bytes xml_run_copy(struct xml_run *run, const xmlChar *text, size_t size);
