/* SPDX-License-Identifier: Apache-2.0 */
/* The command with a channel of its own: a parser that takes each line for a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "gateway/command.h"
#include "gateway/process.h"
#include "gateway/worker_pool.h"
#include "normalize/mem.h"
#include "normalize/problem.h"

enum { ARGUMENTS_MAX = 12 };

struct lines_settings {
    int64_t limit;
    struct secret password;
};

static const struct option_spec lines_options[] = {
    {.name = "limit", .type = OPTION_INT, .offset = offsetof(struct lines_settings, limit)},
    {.name = "password",
     .type = OPTION_SECRET,
     .offset = offsetof(struct lines_settings, password)},
    {.name = NULL},
};

static int lines_give(const struct inbound *in, const char *line, size_t len, draft_sink *sink,
                      void *context, struct err *err)
{
    struct draft draft;
    draft_init(&draft);
    draft.native_id = mem_strndup(line, len);
    draft.text = mem_strndup(line, len);

    draft.additional = mem_strdup(inbound_fact(in, "content_type"));
    draft.location_text = mem_strdup(inbound_fact(in, "limit"));
    if (len == 3 && memcmp(line, "bad", 3) == 0)
        draft_problem(&draft, "story", PROBLEM_TOO_SHORT);
    int result = sink(context, &draft, err);
    draft_release(&draft);
    return result;
}

static int lines_parse(const struct inbound *in, draft_sink *sink, void *context, struct err *err)
{
    const char *at = in->raw, *end = in->raw + in->raw_len;
    if (in->raw_len > 0 && *at == '\0')
        return err_set(err, ERR_PERMANENT, "cannot read lines: there is a NUL");
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = stop == NULL ? (size_t)(end - at) : (size_t)(stop - at);
        if (lines_give(in, at, len, sink, context, err) != 0)
            return -1;
        at += len + 1;
    }
    return 0;
}

static int lines_receive(struct channel *ch, const struct http_request *request, struct err *err)
{
    (void)ch;
    (void)request;
    return err_set(err, ERR_PERMANENT, "not here");
}

static const struct adapter adapter_lines = {
    .name = "lines",
    .kind = "test",
    .options = lines_options,
    .settings_size = sizeof(struct lines_settings),
    .parse = lines_parse,
    .receive = lines_receive,
};
static const struct adapter adapter_mute = {.name = "mute", .kind = "test"};

const struct adapter *const adapters[] = {&adapter_lines, &adapter_mute, NULL};

const struct adapter *adapter_find(const char *type)
{
    for (size_t i = 0; adapters[i] != NULL; i++) {
        if (strcmp(adapters[i]->name, type) == 0)
            return adapters[i];
    }
    return NULL;
}

/* Runs the command on input; what it printed is appended to *out. */
static int run(const char *const *arguments, const char *input, size_t len, struct buf *out)
{
    char in_path[] = "/tmp/kanal-in-XXXXXX", out_path[] = "/tmp/kanal-out-XXXXXX";
    char *argv[ARGUMENTS_MAX] = {mem_strdup("normalize")};
    int argc = 1, in = mkstemp(in_path), printed = mkstemp(out_path);
    assert_int_equal(write(in, input, len), len);
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = mem_strdup(arguments[argc - 1]);
    argv[argc] = mem_strdup(in_path);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    dup2(printed, STDOUT_FILENO);
    optind = 0;
    int status = command_normalize(argc + 1, argv);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    lseek(printed, 0, SEEK_SET);
    char block[4096];
    for (ssize_t n; (n = read(printed, block, sizeof block)) > 0;)
        buf_add(out, block, (size_t)n);
    close(before);
    close(in);
    close(printed);
    unlink(in_path);
    unlink(out_path);
    for (int i = 0; i <= argc; i++)
        free(argv[i]);
    return status;
}

static void exit_status_tells(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[ARGUMENTS_MAX - 2];
        const char *input;
        size_t len, lines;
        int status;
    } cases[] = {
        {{"--type", "lines"}, "satu\ndua\n", 9, 2, 0},
        {{"-t", "lines", "--json"}, "satu", 4, 1, 0},
        {{"--type", "lines"}, "", 0, 0, 0},
        {{"--type", "lines"}, "\0", 1, 0, 1},
        {{"--type", "lines"}, "satu\nbad\ntiga\n", 14, 2, 1},
        {{"--type", "mute"}, "x", 1, 0, 2},
        {{"--type", "nobody"}, "x", 1, 0, 2},
        {{NULL}, "x", 1, 0, 2},
        {{"--lines", "--type", "lines"}, "x", 1, 0, 2},
        {{"--type", "lines", "another"}, "x", 1, 0, 2},
        {{"--type", "lines", "--option", "limit=5"}, "x", 1, 1, 0},
        {{"--type", "lines", "--option", "limit=many"}, "x", 1, 0, 2},
        {{"--type", "lines", "--option", "limits=5"}, "x", 1, 0, 2},
        {{"--type", "lines", "--option", "limit"}, "x", 1, 0, 2},
        {{"--type", "lines", "--option", "=5"}, "x", 1, 0, 2},
        {{"--lines", "--option", "limit=5"}, "x", 1, 0, 2},
        {{"--type", "lines", "--received", "2026-11-21T10:03:27Z"}, "x", 1, 1, 0},
        {{"--type", "lines", "--received", "2026-11-21T10:03:27"}, "x", 1, 0, 2},
        {{"--type", "lines", "--received", "2026-02-29T10:03:27Z"}, "x", 1, 0, 2},
        {{"--type", "lines", "--received", "2026-11-21T24:03:27Z"}, "x", 1, 0, 2},
        {{"--type", "lines", "--received", "2026-11-21T10:03:27+7:00"}, "x", 1, 0, 2},
        {{"--type", "lines", "--received", "2026-11-21T10:03:27Z "}, "x", 1, 0, 2},
        {{"--lines"}, "{\"channel\":\"sms\",\"raw_text\":\"a\"}\n\n", 34, 1, 0},
        {{"--lines"}, "[]\n{\"channel\":\"sms\",\"raw_text\":\"a\"}\n", 36, 2, 1},
        {{"--lines"}, "{\"channel\":\"sms\",\"raw_text\":7}\n", 31, 1, 1},
        {{"--lines"}, "{\"channel\":\"\",\"raw_text\":\"a\"}\n", 30, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT(1000000);
        int status = run(cases[i].arguments, cases[i].input, cases[i].len, &out);
        size_t lines = 0;
        for (size_t j = 0; j < out.len; j++)
            lines += out.data[j] == '\n';
        if (status != cases[i].status || lines != cases[i].lines)
            print_error("case %zu: status %d, %zu lines\n", i, status, lines);
        assert_int_equal(status, cases[i].status);
        assert_int_equal(lines, cases[i].lines);
        buf_release(&out);
    }
}

static json_t *one(const char *const *arguments, const char *input)
{
    struct buf out = BUF_INIT(1000000);
    assert_int_equal(run(arguments, input, strlen(input), &out), 0);
    json_t *value = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(value);
    buf_release(&out);
    return value;
}

static const char *text_of(json_t *value, const char *object, const char *object2, const char *key)
{
    json_t *at = json_object_get(value, object);
    if (object2 != NULL)
        at = json_object_get(at, object2);
    const char *text = json_string_value(json_object_get(at, key));
    return text == NULL ? "" : text;
}

static void arguments_reach_the_report(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "--type",   "lines",   "--channel-id", "satu-satu",
        "--option", "limit=5", "--received",   "2026-11-21T23:03:27-01:30",
        NULL};
    json_t *value = one(arguments, "halo");
    assert_string_equal(text_of(value, "report", "channel", "id"), "satu-satu");
    assert_string_equal(text_of(value, "report", "channel", "type"), "lines");
    assert_string_equal(text_of(value, "report", "channel", "kind"), "test");
    assert_string_equal(text_of(value, "report", "restricted", "received_at"),
                        "2026-11-22T07:33:27+07:00");
    assert_string_equal(text_of(value, "report", "location", "text"), "5");
    assert_string_equal(text_of(value, "report", NULL, "story"), "halo");
    json_decref(value);
}

static void lines_are_messages_of_their_channel(void **state)
{
    (void)state;
    static const char *const arguments[] = {"--lines", NULL};
    json_t *value = one(arguments, "{\"channel\":\"sms\",\"raw_text\":\"jln rusak\",\"x\":1}\n");
    assert_string_equal(text_of(value, "report", "channel", "kind"), "sms");
    assert_string_equal(text_of(value, "report", NULL, "story"), "jln rusak");
    assert_string_equal(json_string_value(json_object_get(value, "native_id")), "line:1");
    json_decref(value);
}

static void a_body_without_its_header_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type;
    } bodies[] = {
        {" {\"story\":\"x\"}", "application/json"},
        {"[]", "application/json"},
        {"--b0undary\r", "multipart/form-data; boundary=\"b0undary\""},
        {"story=x", "application/x-www-form-urlencoded"},
        {"--", "application/x-www-form-urlencoded"},
    };
    static const char *const arguments[] = {"--type", "lines", NULL};
    static const char *const given[] = {"--type", "lines", "-o", "content_type=text/x", NULL};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        json_t *value = one(arguments, bodies[i].body);
        assert_string_equal(text_of(value, "report", NULL, "additional"), bodies[i].type);
        json_decref(value);
        value = one(given, bodies[i].body);
        assert_string_equal(text_of(value, "report", NULL, "additional"), "text/x");
        json_decref(value);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "normalize-worker") == 0)
        return worker_main(PROCESS_SOCKET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_tells),
        cmocka_unit_test(arguments_reach_the_report),
        cmocka_unit_test(lines_are_messages_of_their_channel),
        cmocka_unit_test(a_body_without_its_header_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
