/* SPDX-License-Identifier: Apache-2.0 */
/* With a real vault process: the test binary is its own role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/metrics.h"
#include "gateway/process.h"
#include "gateway/vault.h"

enum { THREADS = 4, CALLS = 25, KILLS = 6, PACED = 150 };

static const char id_a[] = "7KQ3MXP9T2FC";
static const char address[] = "{\"kind\":\"email\",\"value\":\"budi@example.org\"}";

/* A folder of its own, a vault in it, and a gateway that seals to it. */
struct fixture {
    char folder[64], dir[80];
    struct vault_client *vault;
    struct seal *seal;
    unsigned char key[SEAL_PUBLIC_KEY_SIZE];
    bool created;
    struct buf envelope;
};

static int start(struct fixture *fixture, struct err *err)
{
    return vault_client_start(fixture->dir, &fixture->created, fixture->key, &fixture->vault, err);
}

static void stop(struct fixture *fixture)
{
    vault_client_stop(fixture->vault);
    fixture->vault = NULL;
}

static void seal_field(struct fixture *fixture, const char *field)
{
    struct err err = ERR_INIT;
    buf_clear(&fixture->envelope);
    assert_int_equal(seal_to_vault(fixture->seal, id_a, field, address, strlen(address), 0,
                                   &fixture->envelope, &err),
                     0);
}

static int set_up(void **state)
{
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = ERR_INIT;
    bool created;
    char text[sizeof hex];
    memcpy(text, hex, sizeof hex);
    *state = fixture;
    buf_init(&fixture->envelope, 100000);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/kanal-vault-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    snprintf(fixture->dir, sizeof fixture->dir, "%s/vault", fixture->folder);
    if (seal_open(&(struct secret){.data = text, .len = 64}, NULL, false, &created, &fixture->seal,
                  &err) != 0 ||
        start(fixture, &err) != 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    seal_set_vault_key(fixture->seal, fixture->key);
    seal_field(fixture, "reply");
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    stop(fixture);
    seal_close(fixture->seal);
    buf_release(&fixture->envelope);
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    free(fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    return system(command);
}

static int open_reply(struct fixture *fixture, struct err *err)
{
    struct buf plain = BUF_INIT(1000);
    int result = vault_client_open(fixture->vault, VAULT_NOTICE, id_a, "reply", "ack",
                                   fixture->envelope.data, fixture->envelope.len, &plain, err);
    if (result == 0)
        assert_string_equal(plain.data, address);
    buf_wipe(&plain);
    return result;
}

static void path_of(const struct fixture *fixture, const char *name, char path[static 128])
{
    snprintf(path, 128, "%s/%s", fixture->dir, name);
}

static void file_read(const struct fixture *fixture, const char *name, struct buf *out)
{
    char path[128], data[4096];
    path_of(fixture, name, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (size_t n; (n = fread(data, 1, sizeof data, file)) > 0;)
        buf_add(out, data, n);
    fclose(file);
}

static void file_write(const struct fixture *fixture, const char *name, const char *mode,
                       const void *data, size_t len)
{
    char path[128];
    path_of(fixture, name, path);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

/* Runs vault_audit_print() with its output in *out. */
static int audit(const struct fixture *fixture, bool json, struct buf *out)
{
    char path[128];
    snprintf(path, sizeof path, "%s/printed", fixture->folder);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    int result = vault_audit_print(fixture->dir, json);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(fd);
    file_read(fixture, "../printed", out);
    return result;
}

static size_t lines_of(const struct buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->data[i] == '\n';
    return n;
}

static void the_key_pair_is_made_once(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    unsigned char first[SEAL_PUBLIC_KEY_SIZE];
    struct stat facts;
    char path[128];
    assert_true(fixture->created);
    memcpy(first, fixture->key, sizeof first);
    assert_int_equal(stat(fixture->dir, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0700);
    path_of(fixture, "vault.key", path);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    path_of(fixture, "audit.log", path);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    stop(fixture);
    assert_int_equal(start(fixture, &err), 0);
    assert_false(fixture->created);
    assert_memory_equal(first, fixture->key, sizeof first);
}

static void every_opening_is_in_the_log(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(100000);
    struct buf plain = BUF_INIT(1000);
    assert_int_equal(open_reply(fixture, &err), 0);
    seal_field(fixture, "original");
    assert_int_equal(vault_client_open(fixture->vault, VAULT_REPLAY, id_a, "original", "replay",
                                       fixture->envelope.data, fixture->envelope.len, &plain, &err),
                     0);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_int_equal(lines_of(&text), 2);
    assert_non_null(strstr(text.data, "{\"n\":1,\"time\":\"20"));
    assert_non_null(
        strstr(text.data, "\"purpose\":\"notice\",\"field\":\"reply\",\"reason\":\"ack\""));
    assert_non_null(strstr(text.data, "\"purpose\":\"replay\",\"field\":\"original\""));
    assert_null(strstr(text.data, id_a));
    assert_null(strstr(text.data, "budi"));
    buf_clear(&text);
    assert_int_equal(audit(fixture, false, &text), 0);
    assert_non_null(strstr(text.data, "notice  reply  ack  "));
    buf_release(&text);
    buf_release(&plain);
}

static void only_a_purpose_opens_and_only_its_field(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum vault_purpose purpose;
        const char *id, *field, *reason;
    } bad[] = {
        {VAULT_NOTICE, id_a, "reporter", "ack"},
        {VAULT_NOTICE, id_a, "original", "ack"},
        {VAULT_REPLAY, id_a, "reply", "replay"},
        {VAULT_REPLAY, id_a, "reporter", "replay"},
        {(enum vault_purpose)2, id_a, "reply", "ack"},
        {VAULT_NOTICE, "7KQ3MXP9T2FD", "reply", "ack"},
        {VAULT_NOTICE, "", "reply", "ack"},
        {VAULT_NOTICE, "00000000000", "reply", "ack"},
        {VAULT_NOTICE, id_a, "reply", ""},
        {VAULT_NOTICE, id_a, "reply", "to budi@example.org"},
        {VAULT_NOTICE, id_a, "reply", "a\",\"purpose\":\"x"},
        {VAULT_NOTICE, id_a, "reply", "a\nb"},
    };
    struct buf plain = BUF_INIT(1000), text = BUF_INIT(1000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;
        seal_field(fixture, bad[i].field);
        assert_int_equal(vault_client_open(fixture->vault, bad[i].purpose, bad[i].id, bad[i].field,
                                           bad[i].reason, fixture->envelope.data,
                                           fixture->envelope.len, &plain, &err),
                         -1);
        assert_int_equal(err.kind, ERR_PERMANENT);
        assert_int_equal(plain.len, 0);
    }
    /* Sealed for one field, asked for as another. */
    struct err err = ERR_INIT;
    seal_field(fixture, "reporter");
    assert_int_equal(open_reply(fixture, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    err_clear(&err);
    seal_field(fixture, "reply");
    assert_int_equal(open_reply(fixture, &err), 0);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_int_equal(lines_of(&text), 1);
    buf_release(&text);
    buf_release(&plain);
}

static void a_torn_line_is_mended(void **state)
{
    struct fixture *fixture = *state;
    static const char torn[] = "{\"n\":3,\"time\":\"2026-11-21T0";
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(100000);
    assert_int_equal(open_reply(fixture, &err), 0);
    assert_int_equal(open_reply(fixture, &err), 0);
    stop(fixture);
    file_write(fixture, "audit.log", "a", torn, sizeof torn - 1);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_int_equal(lines_of(&text), 2);
    assert_int_equal(start(fixture, &err), 0);
    assert_int_equal(open_reply(fixture, &err), 0);
    buf_clear(&text);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_int_equal(lines_of(&text), 4);
    assert_non_null(
        strstr(text.data, "\"purpose\":\"recovered\",\"field\":null,\"reason\":\"torn:27\""));
    buf_release(&text);
}

static void a_first_line_cut_short_is_mended(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(100000);
    stop(fixture);
    file_write(fixture, "audit.log", "w", "{\"n\"", 4);
    assert_int_equal(start(fixture, &err), 0);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_int_equal(lines_of(&text), 1);
    assert_non_null(strstr(text.data, "\"reason\":\"torn:4\""));
    buf_release(&text);
}

static void a_damaged_log_or_lost_key_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    struct err err = ERR_INIT;
    assert_int_equal(open_reply(fixture, &err), 0);
    stop(fixture);
    file_write(fixture, "audit.log", "a", "not an entry\n", 13);
    assert_int_equal(start(fixture, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "audit log"));
    err_clear(&err);
    path_of(fixture, "vault.key", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(start(fixture, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "vault.key"));
    assert_int_equal(access(path, F_OK), -1);
}

static size_t line_start(const struct buf *text, size_t line)
{
    size_t at = 0;
    for (; line > 0; line--)
        at = (size_t)((char *)memchr(text->data + at, '\n', text->len - at) - text->data) + 1;
    return at;
}

static int audit_of(const struct fixture *fixture, const struct buf *log)
{
    struct buf printed = BUF_INIT(100000);
    file_write(fixture, "audit.log", "w", log->data, log->len);
    int result = audit(fixture, true, &printed);
    buf_release(&printed);
    return result;
}

/* Every changed byte, every line taken out but the last, every swap of neighbours. */
static void any_change_breaks_the_chain(void **state)
{
    struct fixture *fixture = *state;
    enum { ENTRIES = 4 };
    struct err err = ERR_INIT;
    struct buf log = BUF_INIT(100000), changed = BUF_INIT(100000);
    for (int i = 0; i < ENTRIES; i++)
        assert_int_equal(open_reply(fixture, &err), 0);
    stop(fixture);
    file_read(fixture, "audit.log", &log);
    assert_int_equal(audit_of(fixture, &log), 0);
    fflush(stderr);
    int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    size_t accepted = 0;
    for (size_t i = 0; i + 1 < log.len; i++) {
        log.data[i] ^= 1;
        accepted += audit_of(fixture, &log) == 0;
        log.data[i] ^= 1;
    }
    for (size_t i = 0; i + 1 < ENTRIES; i++) {
        size_t a = line_start(&log, i), b = line_start(&log, i + 1), c = line_start(&log, i + 2);
        buf_clear(&changed);
        buf_add(&changed, log.data, a);
        buf_add(&changed, log.data + b, log.len - b);
        accepted += audit_of(fixture, &changed) == 0;
        buf_clear(&changed);
        buf_add(&changed, log.data, a);
        buf_add(&changed, log.data + b, c - b);
        buf_add(&changed, log.data + a, b - a);
        buf_add(&changed, log.data + c, log.len - c);
        accepted += audit_of(fixture, &changed) == 0;
    }
    dup2(before, STDERR_FILENO);
    close(before);
    close(nowhere);
    assert_int_equal(accepted, 0);
    buf_release(&log);
    buf_release(&changed);
}

static void a_credential_wins_over_the_file(void **state)
{
    struct fixture *fixture = *state;
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    /* X25519 of that key and the base point. */
    static const unsigned char expected[] = {
        0x8f, 0x40, 0xc5, 0xad, 0xb6, 0x8f, 0x25, 0x62, 0x4a, 0xe5, 0xb2,
        0x14, 0xea, 0x76, 0x7a, 0x6e, 0xc9, 0x4d, 0x82, 0x9d, 0x3d, 0x7b,
        0x5e, 0x1a, 0xd1, 0xba, 0x6f, 0x3e, 0x21, 0x38, 0x28, 0x5f,
    };
    struct err err = ERR_INIT;
    stop(fixture);
    file_write(fixture, "../vault.key", "w", hex, sizeof hex - 1);
    setenv("CREDENTIALS_DIRECTORY", fixture->folder, 1);
    assert_int_equal(start(fixture, &err), 0);
    assert_false(fixture->created);
    assert_memory_equal(fixture->key, expected, sizeof expected);
    /* What was sealed to the file's key does not open now. */
    assert_int_equal(open_reply(fixture, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
}

/* The kernel's own account of the running process. */
static void the_vault_is_confined(void **state)
{
    struct fixture *fixture = *state;
    static const char *const expected[] = {"Seccomp:\t2\n", "NoNewPrivs:\t1\n"};
    static const char *const limits[] = {"Max open files            0 ",
                                         "Max core file size        0 "};
    struct buf text = BUF_INIT(100000);
    char name[64];
    snprintf(name, sizeof name, "../../../proc/%d/status", vault_client_pid(fixture->vault));
    file_read(fixture, name, &text);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(text.data, expected[i]));
    buf_clear(&text);
    snprintf(name, sizeof name, "../../../proc/%d/limits", vault_client_pid(fixture->vault));
    file_read(fixture, name, &text);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(text.data, limits[i]));
    buf_release(&text);
}

static void a_killed_vault_is_back_for_the_next_call(void **state)
{
    struct fixture *fixture = *state;
    int64_t before = metrics_get(METRIC_VAULT_RESTARTS, NULL);
    for (int i = 0; i < 3; i++) {
        struct err err = ERR_INIT;
        int pid = vault_client_pid(fixture->vault);
        assert_true(pid > 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(open_reply(fixture, &err), 0);
        assert_int_not_equal(vault_client_pid(fixture->vault), pid);
    }
    assert_int_equal(metrics_get(METRIC_VAULT_RESTARTS, NULL), before + 3);
}

static void a_stuck_vault_is_given_up_and_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    int pid = vault_client_pid(fixture->vault);
    kill(pid, SIGSTOP);
    assert_int_equal(open_reply(fixture, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    err_clear(&err);
    assert_int_equal(open_reply(fixture, &err), 0);
    assert_int_not_equal(vault_client_pid(fixture->vault), pid);
}

struct storm {
    struct fixture *fixture;
    atomic_int opened, failed, wrong;
};

static void *storm_caller(void *context)
{
    struct storm *storm = context;
    for (int i = 0; i < CALLS; i++) {
        struct err err = ERR_INIT;
        struct buf plain = BUF_INIT(1000);
        int result = vault_client_open(storm->fixture->vault, VAULT_NOTICE, id_a, "reply", "ack",
                                       storm->fixture->envelope.data, storm->fixture->envelope.len,
                                       &plain, &err);
        if (result == 0 ? strcmp(plain.data, address) != 0 : err.kind != ERR_TRANSIENT)
            atomic_fetch_add(&storm->wrong, 1);
        atomic_fetch_add(result == 0 ? &storm->opened : &storm->failed, 1);
        buf_wipe(&plain);
    }
    return NULL;
}

/* Callers in threads, the vault killed under them: right answers or "try again", a whole log with
 * an entry for each answer. */
static void callers_and_kills(void **state)
{
    struct fixture *fixture = *state;
    struct storm storm = {.fixture = fixture};
    struct buf text = BUF_INIT(1000000);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, storm_caller, &storm);
    for (int i = 0; i < KILLS; i++) {
        usleep(20000);
        int pid = vault_client_pid(fixture->vault);
        if (pid > 0)
            kill(pid, SIGKILL);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&storm.wrong), 0);
    assert_int_equal(atomic_load(&storm.opened) + atomic_load(&storm.failed), THREADS * CALLS);
    assert_true(atomic_load(&storm.opened) > 0);
    assert_int_equal(audit(fixture, true, &text), 0);
    assert_true(lines_of(&text) >= (size_t)atomic_load(&storm.opened));
    buf_release(&text);
}

static void openings_are_held_to_a_rate(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    int64_t since_ms = clock_ms();
    for (int i = 0; i < PACED; i++)
        assert_int_equal(open_reply(fixture, &err), 0);
    int64_t least_ms = (PACED - VAULT_OPENINGS_BURST - 1) * 1000 / VAULT_OPENINGS_PER_S;
    assert_true(clock_ms() - since_ms >= least_ms);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "vault") == 0)
        return vault_main(PROCESS_SOCKET, argv[3]);
#define VAULT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        VAULT_TEST(the_key_pair_is_made_once),
        VAULT_TEST(every_opening_is_in_the_log),
        VAULT_TEST(only_a_purpose_opens_and_only_its_field),
        VAULT_TEST(a_torn_line_is_mended),
        VAULT_TEST(a_first_line_cut_short_is_mended),
        VAULT_TEST(a_damaged_log_or_lost_key_is_refused),
        VAULT_TEST(any_change_breaks_the_chain),
        VAULT_TEST(a_credential_wins_over_the_file),
        VAULT_TEST(the_vault_is_confined),
        VAULT_TEST(a_killed_vault_is_back_for_the_next_call),
        VAULT_TEST(a_stuck_vault_is_given_up_and_replaced),
        VAULT_TEST(callers_and_kills),
        VAULT_TEST(openings_are_held_to_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
