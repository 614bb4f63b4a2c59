// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

static char dir[64];

static void setup(void)
{
    strcpy(dir, "/tmp/isopod-log-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert(!failed(log_open(dir, 1, LOG_FATAL)));
}

static void teardown(void)
{
    char command[128];
    log_close();
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(log, .init = setup, .fini = teardown);

static char *content(void)
{
    char path[128];
    static char text[4 << 20];
    log_flush();
    snprintf(path, sizeof path, "%s/isopod.log", dir);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

Test(log, a_line_has_severity_time_position_tags_and_message)
{
    log_tenant_name_set(3, "old");
    log_tenant_name_set(3, "application");
    log_info(3, "opened %d", 5);
    log_warning(0, "node");
    log_error(1, "sys");
    log_debug(0, "unseen");
    const char *text = content();
    cr_assert(matches(text, "^I[0-9]{6} [0-9:]{8}\\.[0-9]{6} - core/test_log.c:[0-9]+ "
                            "\\[T3,application,n1\\] opened 5$"));
    cr_assert(matches(text, "^W.* \\[n1\\] node$"));
    cr_assert(matches(text, "^E.* \\[T1,system,n1\\] sys$"));
    cr_assert_null(strstr(text, "unseen"));
}

Test(log, a_message_cannot_forge_a_line)
{
    log_info(0, "x\nE000000 forged\x1b[31m");
    cr_assert_not_null(strstr(content(), "x|E000000 forged?[31m\n"));
}

Test(log, a_long_message_is_cut)
{
    log_info(0, "%5000d", 1);
    log_info(0, "next");
    const char *text = content();
    cr_assert(strlen(text) < 2500);
    cr_assert(matches(text, "next$"));
}

static void *chatter(void *arg)
{
    for (int i = 0; i < 2000; i++)
        log_info((uintptr_t)arg, "line %d of a talkative thread", i);
    return NULL;
}

Test(log, lines_of_many_threads_are_whole_or_dropped_and_counted)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, chatter, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = content();
    unsigned long lines = 0, dropped = 0, one;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (sscanf(line, "-- %lu lines dropped", &one) == 1) {
            dropped += one;
        } else {
            cr_assert_not_null(strstr(line, "of a talkative thread"));
            lines++;
        }
    }
    cr_assert_eq(lines + dropped, 8000);
}

Test(log, each_start_puts_the_former_file_aside_and_keeps_ten)
{
    for (int i = 0; i < 13; i++) {
        log_info(0, "start %d", i);
        log_close();
        cr_assert(!failed(log_open(dir, 1, LOG_FATAL)));
    }
    DIR *folder = opendir(dir);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        files += strncmp(entry->d_name, "isopod.log", 10) == 0;
    closedir(folder);
    cr_assert_eq(files, 11);
    cr_assert_null(strstr(content(), "start"));
}
