// SPDX-License-Identifier: GPL-3.0-or-later
//
// Work for libxml2 stays within its bounds: memory, steps, files, and the time of others.
#include "tests/unit/harness.h"

#include <libxml/parser.h>
#include <libxml/xpathInternals.h>

#include "core/xml_run.h"

struct question {
    const char *text; // Of the document;
    const char *path; // what is asked of it, or NULL;
    uint32_t repeat;  // how often `text` stands within <r></r>, 0: it is the document.
    uint32_t runs;    // How often the body has begun.
    xmlXPathObjectType type;
    double number;
    struct bytes string;
    bool good;
};

static struct bytes document_of(struct xml_run *run, const struct question *question)
{
    struct buffer out;
    buffer_init(&out, run->arena);
    if (question->repeat == 0) return bytes_of_string(question->text);
    buffer_append_string(&out, "<r>");
    for (uint32_t i = 0; i < question->repeat; i++) buffer_append_string(&out, question->text);
    buffer_append_string(&out, "</r>");
    return buffer_bytes(&out);
}

static void ask(struct xml_run *run, void *arg)
{
    struct question *question = arg;
    const struct bytes text = document_of(run, question);
    question->runs++;
    run->strict = true;
    xmlParserCtxt *parser = xmlNewParserCtxt();
    xmlDoc *document = xmlCtxtReadMemory(parser, (const char *)text.data, (int)text.size, NULL, NULL, XML_PARSE_NOENT | XML_PARSE_DTDATTR);
    question->good = document != NULL && !run->error_occurred;
    if (!question->good) {
        xml_run_fail(run, E_INVALID_XML_DOCUMENT, "no document");
        return;
    }
    if (question->path == NULL) return;
    xmlXPathContext *context = xmlXPathNewContext(document);
    xml_run_bound(run, context);
    xmlXPathObject *object = xmlXPathEval((const xmlChar *)question->path, context);
    if (object == NULL) {
        xml_run_fail(run, E_INTERNAL, "no answer");
        return;
    }
    question->type = object->type;
    question->number = object->floatval;
    if (object->stringval != NULL)
        question->string = xml_run_copy(run, object->stringval, strlen((const char *)object->stringval));
}

static struct status run_with(struct task *task, struct arena *arena, struct question *question, bool no_wait)
{
    xml_run_init();
    struct xml_run *run = xml_run_begin(arena);
    run->no_wait = no_wait;
    return xml_run_finish(task, arena, run, ask, question, question->repeat * strlen(question->text));
}

Test(xml_run, nothing_is_read_that_a_document_refers_to)
{
    struct arena arena;
    static const char *const texts[] = {
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY x PUBLIC \"p\" \"http://localhost:1/x\">]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM \"/etc/passwd\"><a></a>",
        "<!DOCTYPE a [<!ENTITY % x SYSTEM \"/etc/passwd\"> %x;]><a></a>",
        "<?oasis-xml-catalog catalog=\"/etc/passwd\"?><a></a>"};
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct question question = {.text = texts[i], .path = "string(/a)"};
        const struct status st = run_with(NULL, &arena, &question, false);
        cr_expect(!failed(st), "%zu: %s", i, st.message);
        cr_expect_eq(question.string.size, 0, "%zu", i);
    }
    arena_fini(&arena);
}

Test(xml_run, entities_and_depth_are_bounded)
{
    struct arena arena;
    struct buffer text;
    arena_init(&arena, NULL);
    buffer_init(&text, &arena);
    buffer_append_string(&text, "<!DOCTYPE a [<!ENTITY e0 \"ha\">");
    for (int i = 1; i < 30; i++)
        buffer_printf(&text, "<!ENTITY e%d \"&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;\">", i, i - 1, i - 1, i - 1, i - 1,
            i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    buffer_append_string(&text, "]><a>&e29;</a>");
    struct question laughs = {.text = buffer_string(&text)};
    cr_expect(failed(run_with(NULL, &arena, &laughs, false)));
    buffer_init(&text, &arena);
    for (int i = 0; i < 100000; i++) buffer_append_string(&text, "<a>");
    struct question deep = {.text = buffer_string(&text)};
    cr_expect_eq(run_with(NULL, &arena, &deep, false).code, E_INVALID_XML_DOCUMENT);
    arena_fini(&arena);
}

Test(xml_run, memory_is_within_what_the_account_has_left)
{
    struct memory_account account;
    struct arena arena;
    struct question large = {.text = "<a b=\"1\">x</a>", .repeat = 20000}, small = {.text = "<a/>"};
    memory_account_init(&account, NULL, "test", 1u << 20);
    arena_init(&arena, &account);
    cr_expect_eq(run_with(NULL, &arena, &large, false).code, E_OUT_OF_MEMORY);
    cr_expect(!failed(run_with(NULL, &arena, &small, false)));
    arena_fini(&arena);
    cr_expect_eq(account.used_bytes, 0);
    memory_account_fini(&account);
}

// What is tried while a plan is made is given up before others feel it; when the plan runs it is done.
Test(xml_run, constants_are_not_tried_for_long)
{
    struct arena arena;
    struct question steps = {.text = "<a>1</a>", .path = "count(//a[. = //a])", .repeat = 1000};
    struct question quick = {.text = "<a>1</a>", .path = "count(//a)", .repeat = 100};
    arena_init(&arena, NULL);
    cr_expect_eq(run_with(NULL, &arena, &steps, true).code, E_PROGRAM_LIMIT_EXCEEDED);
    cr_expect(!failed(run_with(NULL, &arena, &steps, false)));
    cr_expect_eq(steps.number, 1000);
    cr_expect(!failed(run_with(NULL, &arena, &quick, true)));
    cr_expect_eq(quick.number, 100);
    arena_fini(&arena);
}

struct watch {
    struct question *question;
    struct arena *arena;
    struct status st;
    bool ended;
    struct wait_queue changed;
};

static struct status asker(struct task *task, void *arg)
{
    struct watch *watch = arg;
    watch->st = run_with(task, watch->arena, watch->question, false);
    watch->ended = true;
    wait_queue_wake_all(&watch->changed, STATUS_OK);
    return STATUS_OK;
}

// Others run while a helper has the work: this one counts its turns meanwhile.
NODE_TEST(xml_run, long_work_is_a_helpers, 1)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct question question = {.text = "<a>1</a>", .path = "count(//a)", .repeat = 50000};
    struct watch watch = {.question = &question, .arena = &arena};
    struct task_options options = {.fn = asker, .arg = &watch, .kind = "asker", .class = TASK_DEFAULT};
    uint32_t turns = 0;
    arena_init(&arena, NULL);
    TRY(task_start(task->shard, &options));
    while (!watch.ended) {
        TRY(task_yield(task));
        turns++;
    }
    TRY(watch.st);
    CHECK(question.number == 50000 && turns > 10);
    // What is short, and turns out to be long, is begun again.
    struct question again = {.text = "<a>1</a>", .path = "count(//a[. = //a])", .repeat = 1000};
    TRY(run_with(task, &arena, &again, false));
    CHECK(again.number == 1000 && again.runs == 2);
out:
    arena_fini(&arena);
    return st;
}

struct victim {
    struct question *question;
    struct task *task;
    struct status st;
    bool ended;
};

static struct status victim_main(struct task *task, void *arg)
{
    struct victim *victim = arg;
    victim->task = task;
    victim->st = run_with(task, task->arena, victim->question, false);
    victim->ended = true;
    return STATUS_OK;
}

// The helper would be at it for hours. Cancelled is who waits, at once, and the helper serves the next one.
NODE_TEST(xml_run, a_cancel_ends_it, 1)
{
    struct status st = STATUS_OK;
    struct question endless = {.text = "<a>1</a>", .path = "count(//a[. = //a[. = //a]])", .repeat = 20000};
    struct victim victims[2] = {{.question = &endless}, {.question = &endless}};
    struct question next = {.text = "<a>1</a>", .path = "count(//a)", .repeat = 20000};
    for (uint32_t i = 0; i < 2; i++) { // One with the helper, one in line.
        struct task_options options = {.fn = victim_main, .arg = &victims[i], .kind = "victim", .class = TASK_DEFAULT};
        TRY(task_start(task->shard, &options));
    }
    while (victims[0].task == NULL || victims[1].task == NULL) TRY(task_yield(task));
    for (uint32_t i = 0; i < 100; i++) TRY(task_yield(task));
    CHECK(!victims[0].ended && !victims[1].ended);
    for (uint32_t i = 0; i < 2; i++) task_cancel(victims[i].task, status_make(E_QUERY_CANCELED, "cancelled"));
    while (!victims[0].ended || !victims[1].ended) TRY(task_yield(task));
    CHECK(victims[0].st.code == E_QUERY_CANCELED && victims[1].st.code == E_QUERY_CANCELED);
    TRY(run_with(task, task->arena, &next, false));
    CHECK(next.number == 20000);
out:
    return st;
}
