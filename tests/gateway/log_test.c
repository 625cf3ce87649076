/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/log.h"

static int log_pipe[2];
static int log_stderr;

/* Sends stderr into a pipe while a case runs. */
static int capture(void **state)
{
    (void)state;
    log_stderr = dup(STDERR_FILENO);
    return pipe2(log_pipe, O_NONBLOCK) == 0 && dup2(log_pipe[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int restore(void **state)
{
    (void)state;
    dup2(log_stderr, STDERR_FILENO);
    close(log_stderr);
    close(log_pipe[0]);
    close(log_pipe[1]);
    return 0;
}

/* What was logged since, checked to begin with a time and given from there on. */
static const char *logged(char text[static 4096])
{
    ssize_t len = read(log_pipe[0], text, 4095);
    assert_true(len > 26);
    text[len] = '\0';
    assert_memory_equal(text, "time=20", 7);
    assert_memory_equal(text + 24, "Z ", 2);
    return text + 26;
}

static void writes_the_fields_there_are(void **state)
{
    (void)state;
    char text[4096];
    log_event(LOG_STARTED, NULL, -1, NULL);
    assert_string_equal(logged(text), "level=info event=started\n");

    struct err err = {.kind = ERR_TRANSIENT, .text = "cannot reach 'mail.example.org'"};
    log_event(LOG_CHANNEL_FAILED, "email-pusat", 3, &err);
    assert_string_equal(logged(text), "level=warn event=channel_failed channel=email-pusat count=3 "
                                      "kind=transient msg=\"cannot reach 'mail.example.org'\"\n");

    log_event_word(LOG_QUARANTINED, "web", "cpu_limit", NULL);
    assert_string_equal(logged(text),
                        "level=warn event=quarantined channel=web reason=cpu_limit\n");

    struct err none = ERR_INIT;
    log_event(LOG_STOPPED, NULL, 0, &none);
    assert_string_equal(logged(text), "level=info event=stopped count=0\n");
}

static const struct {
    const char *value;
    const char *field;
} values[] = {
    {"", "msg=\"\""},
    {"word", "msg=word"},
    {"a b", "msg=\"a b\""},
    {"a=b", "msg=\"a=b\""},
    {"line\nlevel=info event=started", "msg=\"line\\x0alevel=info event=started\""},
    {"cr\rtab\tesc\x1b[2J", "msg=\"cr\\x0dtab\\x09esc\\x1b[2J\""},
    {"say \"yes\" \\", "msg=\"say \\\"yes\\\" \\\\\""},
    {"del\x7f", "msg=\"del\\x7f\""},
    {"\xc2\x85\xe2\x80\xa8\xff", "msg=\"\\xc2\\x85\\xe2\\x80\\xa8\\xff\""},
};

static void no_value_breaks_its_line(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof values / sizeof values[0]; n++) {
        struct err err = ERR_INIT;
        err_set(&err, ERR_CONFIG, "%s", values[n].value);
        log_event(LOG_CHANNEL_STOPPED, NULL, -1, &err);
        char text[4096], expected[512];
        snprintf(expected, sizeof expected, "level=error event=channel_stopped kind=config %s\n",
                 values[n].field);
        assert_string_equal(logged(text), expected);
    }
}

static void the_longest_error_fits(void **state)
{
    (void)state;
    struct err err = {.kind = ERR_PERMANENT};
    memset(err.text, '\x01', sizeof err.text - 1);
    log_event(LOG_BURIED, NULL, -1, &err);
    char text[4096];
    const char *line = logged(text);
    assert_string_equal(line + strlen(line) - 2, "\"\n");
}

static void a_full_log_is_not_waited_for(void **state)
{
    (void)state;
    for (int n = 0; n < 4000; n++)
        log_event(LOG_STARTED, NULL, -1, NULL);
    char text[4096];
    logged(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_the_fields_there_are, capture, restore),
        cmocka_unit_test_setup_teardown(no_value_breaks_its_line, capture, restore),
        cmocka_unit_test_setup_teardown(the_longest_error_fits, capture, restore),
        cmocka_unit_test_setup_teardown(a_full_log_is_not_waited_for, capture, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
