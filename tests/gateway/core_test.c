/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference core as a process on a unix socket: driven by the gateway's own client of the
 * contract, and by an officer's browser made of an HTTP client.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/core.h"
#include "adapters/core_http.h"
#include "adapters/http_client.h"
#include "gateway/core/core.h"
#include "gateway/core/core_main.h"
#include "normalize/mem.h"
#include "normalize/report.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define PIXEL  "R0lGODlhAQABAAAAACw="

#define PRIVATE_TICKET                                                                             \
    "{\"schema\":\"kanal.report/1\",\"id\":\"7KQ3MXP9T2FC\",\"urgent\":false,"                     \
    "\"visibility\":\"private\",\"label\":\"Laporan bersifat privasi. Jangan berikan informasi "   \
    "dalam laporan ini kepada siapapun\",\"received_on\":\"2026-11-21\",\"subject\":null,"         \
    "\"story\":\"Jalan <b>rusak</b> parah\",\"location\":{\"text\":\"Jl. Contoh\",\"lat\":null,"   \
    "\"kelurahan\":{\"code\":\"31.75.07.1002\",\"name\":\"Pondok Bambu\"},\"kecamatan\":\"Duren "  \
    "Sawit\",\"city\":\"Jakarta Timur\"},\"additional\":null,\"category\":{\"code\":\"jalan\"},"   \
    "\"attachments\":[{\"n\":1,\"media_type\":\"image/png\",\"data\":\"" PIXEL "\"}],"             \
    "\"restricted\":{\"received_at\":\"2026-11-21T10:03:27+07:00\"},"                              \
    "\"reporter\":{\"name\":\"Contoh Bin Contoh\"}}"
#define PUBLIC_TICKET                                                                              \
    "{\"id\":\"0000000000001\",\"visibility\":\"public\",\"label\":\"Jangan berikan informasi "    \
    "dalam laporan ini kepada siapapun\",\"story\":\"Lampu padam\",\"location\":{\"text\":null},"  \
    "\"category\":{\"code\":\"lampu-jalan\"},\"attachments\":[{\"n\":1,\"media_type\":"            \
    "\"image/png\",\"data\":\"" PIXEL "\"},{\"n\":2,\"media_type\":\"text/html\",\"data\":"        \
    "\"" PIXEL "\"}]}"
#define FOLLOWUP "{\"id\":\"7KQ3MXP9T2FD\",\"visibility\":\"private\",\"story\":\"Masih rusak\"}"

/* --- The process --- */

struct fixture {
    char folder[64], socket[96], listen[112], secret_file[96], lifeline[16];
    pid_t pid;
    int our_end;
    struct core_http_settings settings;
    void *state;
    struct http_client *client;
    char cookie[256], csrf[CORE_CSRF_SIZE];
};

/* core_main() with words of its own, as a shell would give them. */
static int run_core(const char *const *words)
{
    char *argv[16] = {NULL};
    int argc = 0, status;

    for (; words[argc] != NULL; argc++)
        argv[argc] = mem_strdup(words[argc]);
    status = core_main(argc, argv);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

static void start_core(struct fixture *f)
{
    const char *const words[] = {
        "core",          "--listen",     f->listen,    "--state",   f->folder,
        "--secret-file", f->secret_file, "--lifeline", f->lifeline, NULL};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    snprintf(f->lifeline, sizeof(f->lifeline), "%d", ends[1]);
    f->pid = fork();
    if (f->pid == 0) {
        close(ends[0]);
        _exit(run_core(words));
    }
    close(ends[1]);
    f->our_end = ends[0];
}

static int wait_core(struct fixture *f)
{
    int status = 0;

    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    close(f->our_end);
    f->pid = 0;
    return status;
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    static char url[] = "http://core", secret[] = SECRET;
    struct err err = ERR_INIT;
    FILE *file;

    snprintf(f->folder, sizeof(f->folder), "/tmp/kanal-core-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->socket, sizeof(f->socket), "%s/core.sock", f->folder);
    snprintf(f->listen, sizeof(f->listen), "unix:%s", f->socket);
    snprintf(f->secret_file, sizeof(f->secret_file), "%s/secret", f->folder);
    file = fopen(f->secret_file, "w");
    fputs(SECRET "\n", file);
    fclose(file);
    f->settings = (struct core_http_settings){
        .url = url, .unix_socket = f->socket, .secret = {.data = secret, .len = strlen(secret)}};
    assert_int_equal(core_http.open(&f->settings, &f->state, &err), 0);
    f->client = http_client_create();
    start_core(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[200];

    if (f->pid > 0) {
        close(f->our_end);
        f->our_end = -1;
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    core_http.close(f->state);
    http_client_free(f->client);
    snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* --- The gateway's side --- */

/* Tries until the core is there: it is starting, or starting again. */
static int put_ticket(struct fixture *f, const char *key, const char *payload, char *ref,
                      struct err *err)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    int result;

    do {
        err_clear(err);
        result = core_http.ticket(f->state, key, payload, strlen(payload), ref, err);
        if (result != 0 && err->kind == ERR_TRANSIENT)
            nanosleep(&moment, NULL);
    } while (result != 0 && err->kind == ERR_TRANSIENT);
    return result;
}

static void put(struct fixture *f, const char *key, const char *payload, char *ref)
{
    struct err err = ERR_INIT;

    if (put_ticket(f, key, payload, ref, &err) != 0)
        fail_msg("%s", err.text);
}

static void a_key_makes_one_ticket(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], again[CORE_REF_MAX], other[CORE_REF_MAX];
    struct err err = ERR_INIT;

    put(f, "7KQ3MXP9T2FC", PRIVATE_TICKET, ref);
    assert_null(strstr(ref, "7KQ3"));
    put(f, "7KQ3MXP9T2FC", PRIVATE_TICKET, again);
    assert_string_equal(ref, again);
    put(f, "another", PRIVATE_TICKET, other);
    assert_string_not_equal(ref, other);
    assert_int_equal(put_ticket(f, "7KQ3MXP9T2FC", PUBLIC_TICKET, again, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    assert_non_null(strstr(err.text, "422"));
    err_clear(&err);
    assert_int_equal(put_ticket(f, "k", "{\"id\":\"x\"}", again, &err), -1);
    assert_non_null(strstr(err.text, "400"));
}

/* The key is remembered over a crash. */
static void a_key_outlives_a_crash(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], again[CORE_REF_MAX];

    put(f, "key", PRIVATE_TICKET, ref);
    kill(f->pid, SIGKILL);
    assert_true(WIFSIGNALED(wait_core(f)));
    start_core(f);
    put(f, "key", PRIVATE_TICKET, again);
    assert_string_equal(ref, again);
}

static void wrong_signatures_are_refused(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], wrong[] = "another secret of some length";
    struct core_http_settings settings = f->settings;
    const char *paths[] = {"http://core/tickets", "http://core/tickets/x/updates",
                           "http://core/accounts"};
    struct core_update *updates;
    struct buf next = BUF_INIT(100);
    struct http_client_answer answer;
    struct err err = ERR_INIT;
    void *other;
    size_t n;

    put(f, "key", PRIVATE_TICKET, ref);
    settings.secret.data = wrong;
    assert_int_equal(core_http.open(&settings, &other, &err), 0);
    assert_int_equal(core_http.ticket(other, "k", PUBLIC_TICKET, strlen(PUBLIC_TICKET), ref, &err),
                     -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    err_clear(&err);
    assert_int_equal(core_http.updates(other, "", &updates, &n, &next, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    core_http.close(other);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct http_client_request request = {.url = paths[i],
                                              .unix_socket = f->socket,
                                              .body = "{}",
                                              .body_len = 2,
                                              .answer_max = 10000};

        err_clear(&err);
        assert_int_equal(http_client_call(f->client, &request, &answer, &err), 0);
        assert_int_equal(answer.status, 401);
        http_client_answer_release(&answer);
    }
    buf_release(&next);
}

static void followups_belong_to_a_ticket(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], other[CORE_REF_MAX];
    struct err err = ERR_INIT;

    put(f, "key", PRIVATE_TICKET, ref);
    put(f, "other", PUBLIC_TICKET, other);
    for (int i = 0; i < 2; i++)
        assert_int_equal(core_http.update(f->state, ref, "u1", FOLLOWUP, strlen(FOLLOWUP), &err),
                         0);
    assert_int_equal(core_http.update(f->state, other, "u1", FOLLOWUP, strlen(FOLLOWUP), &err), -1);
    assert_non_null(strstr(err.text, "422"));
    err_clear(&err);
    assert_int_equal(
        core_http.update(f->state, "0123456789ABCDEF", "u2", FOLLOWUP, strlen(FOLLOWUP), &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    assert_non_null(strstr(err.text, "404"));
    err_clear(&err);
    assert_int_equal(
        core_http.update(f->state, "../accounts", "u2", FOLLOWUP, strlen(FOLLOWUP), &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
}

/* --- The officer's side --- */

static struct http_client_answer browse(struct fixture *f, const char *path, const char *form,
                                        const char *more)
{
    struct buf url = BUF_INIT(1000);
    const char *headers[] = {f->cookie, "Accept: text/html", more, NULL};
    struct http_client_request request = {.url = NULL,
                                          .unix_socket = f->socket,
                                          .headers = headers,
                                          .body = form,
                                          .body_len = form == NULL ? 0 : strlen(form),
                                          .answer_max = 1024 * 1024};
    struct http_client_answer answer;
    struct err err = ERR_INIT;

    buf_addf(&url, "http://core%s", path);
    request.url = url.data;
    if (http_client_call(f->client, &request, &answer, &err) != 0)
        fail_msg("%s", err.text);
    buf_release(&url);
    return answer;
}

/* The page of path as text; free() it. */
static char *page(struct fixture *f, const char *path, long status)
{
    struct http_client_answer answer = browse(f, path, NULL, NULL);
    char *text = mem_strndup(answer.body.data, answer.body.len);

    if (answer.status != status)
        fail_msg("%s: %ld [%s]", path, answer.status, text);
    http_client_answer_release(&answer);
    return text;
}

static long post(struct fixture *f, const char *path, const char *form, const char *more)
{
    struct http_client_answer answer = browse(f, path, form, more);
    long status = answer.status;

    http_client_answer_release(&answer);
    return status;
}

static void first_password(const struct fixture *f, char *password, size_t size)
{
    char path[128], name[32] = "", line[128] = "";
    struct stat about;
    FILE *file;

    snprintf(path, sizeof(path), "%s/first-password", f->folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    assert_int_equal(sscanf(line, "%31s %100s", name, line), 2);
    assert_string_equal(name, "petugas");
    snprintf(password, size, "%s", line);
}

static long try_login(struct fixture *f, const char *name, const char *password, const char *more)
{
    char form[400];
    struct http_client_answer answer;
    struct buf cookie = BUF_INIT(1000);
    long status;

    snprintf(form, sizeof(form), "name=%s&password=%s", name, password);
    f->cookie[0] = '\0';
    snprintf(f->cookie, sizeof(f->cookie), "X-None: 1");
    answer = browse(f, "/login", form, more);
    status = answer.status;
    if (status == 303) {
        assert_int_equal(http_client_header(&answer, "Set-Cookie", &cookie), 1);
        assert_non_null(strstr(cookie.data, "; HttpOnly; SameSite=Strict"));
        snprintf(f->cookie, sizeof(f->cookie), "Cookie: %.*s", (int)strcspn(cookie.data, ";"),
                 cookie.data);
    }
    buf_release(&cookie);
    http_client_answer_release(&answer);
    return status;
}

static void sign_in(struct fixture *f)
{
    char password[101];
    const char *csrf;
    char *text;

    first_password(f, password, sizeof(password));
    assert_int_equal(try_login(f, "petugas", password, NULL), 303);
    text = page(f, "/", 200);
    csrf = strstr(text, "name=\"csrf\" value=\"");
    assert_non_null(csrf);
    snprintf(f->csrf, sizeof(f->csrf), "%s", csrf + strlen("name=\"csrf\" value=\""));
    free(text);
}

static long move(struct fixture *f, const char *ref, const char *from, const char *to,
                 const char *rest)
{
    char path[CORE_REF_MAX + 100], form[800];

    snprintf(path, sizeof(path), "/t/%s/state", ref);
    snprintf(form, sizeof(form), "csrf=%s&from=%s&to=%s%s", f->csrf, from, to, rest);
    return post(f, path, form, NULL);
}

static size_t fetch(struct fixture *f, const char *cursor, struct buf *next,
                    struct core_update **updates)
{
    struct err err = ERR_INIT;
    size_t n = 0;

    buf_clear(next);
    if (core_http.updates(f->state, cursor, updates, &n, next, &err) != 0)
        fail_msg("%s", err.text);
    return n;
}

static void changes_reach_the_gateway_in_order(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], day[CORE_DAY_SIZE];
    struct core_update *updates;
    struct buf next = BUF_INIT(100), later = BUF_INIT(100);

    put(f, "key", PRIVATE_TICKET, ref);
    assert_int_equal(fetch(f, "", &next, &updates), 0);
    core_updates_free(updates, 0);
    sign_in(f);
    assert_int_equal(move(f, ref, "Menunggu", "Proses",
                          "&agency=Sudin+Bina+Marga&answer=Sedang%0D%0Adikerjakan."),
                     303);
    assert_int_equal(move(f, ref, "Proses", "Menunggu+Validasi", "&agency=&answer="), 303);
    assert_int_equal(fetch(f, next.data, &later, &updates), 2);
    core_day((int64_t)time(NULL) * 1000, day);
    assert_string_equal(updates[0].report_id, "7KQ3MXP9T2FC");
    assert_string_equal(updates[0].state, "Proses");
    assert_string_equal(updates[0].agency, "Sudin Bina Marga");
    assert_string_equal(updates[0].answer, "Sedang\ndikerjakan.");
    assert_string_equal(updates[0].day, day);
    assert_string_equal(updates[1].state, "Menunggu Validasi");
    assert_null(updates[1].agency);
    assert_null(updates[1].answer);
    assert_string_not_equal(updates[0].key, updates[1].key);
    core_updates_free(updates, 2);
    assert_int_equal(fetch(f, later.data, &next, &updates), 0);
    assert_string_equal(later.data, next.data);
    core_updates_free(updates, 0);
    buf_release(&next);
    buf_release(&later);
}

static void only_the_city_s_transitions(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX];

    put(f, "key", PRIVATE_TICKET, ref);
    sign_in(f);
    assert_int_equal(move(f, ref, "Menunggu", "Selesai", ""), 422);
    assert_int_equal(move(f, ref, "Menunggu", "Nirwana", ""), 422);
    assert_int_equal(move(f, ref, "Menunggu", "Koordinasi", ""), 303);
    /* Two officers had the same page open: the second is told. */
    assert_int_equal(move(f, ref, "Menunggu", "Proses", ""), 409);
    assert_int_equal(move(f, ref, "Koordinasi", "Disposisi", ""), 303);
    assert_int_equal(move(f, "0123456789ABCDEF", "Menunggu", "Proses", ""), 404);
}

static void transition_table(void **state)
{
    static const char *const allowed[][2] = {
        {"Menunggu", "Proses"},
        {"Menunggu", "Koordinasi"},
        {"Koordinasi", "Proses"},
        {"Koordinasi", "Disposisi"},
        {"Disposisi", "Proses"},
        {"Koordinasi", "Koordinasi"},
        {"Menunggu", "Ditolak"},
        {"Koordinasi", "Ditolak"},
        {"Proses", "Menunggu Validasi"},
        {"Menunggu Validasi", "Selesai"},
        {"Menunggu Validasi", "TL Ditolak"},
        {"TL Ditolak", "Proses"},
    };
    size_t count = 0, listed = 0;

    (void)state;
    for (size_t i = 0; core_states[i] != NULL; i++)
        for (size_t j = 0; core_states[j] != NULL; j++)
            count += core_transition_allowed(core_states[i], core_states[j]);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        listed += core_transition_allowed(allowed[i][0], allowed[i][1]);
    assert_int_equal(listed, sizeof(allowed) / sizeof(allowed[0]));
    assert_int_equal(count, listed);
}

static void officers_see_no_identity_and_no_hour(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], other[CORE_REF_MAX], path[CORE_REF_MAX + 100];
    struct http_client_answer answer;
    struct buf type = BUF_INIT(100);
    struct err err = ERR_INIT;
    char *text;

    put(f, "key", PRIVATE_TICKET, ref);
    put(f, "other", PUBLIC_TICKET, other);
    assert_int_equal(core_http.update(f->state, ref, "u1", FOLLOWUP, strlen(FOLLOWUP), &err), 0);
    sign_in(f);
    snprintf(path, sizeof(path), "/t/%s", ref);
    text = page(f, path, 200);
    assert_non_null(strstr(text,
                           ">Laporan bersifat privasi. Jangan berikan informasi dalam laporan "
                           "ini kepada siapapun<"));
    assert_non_null(strstr(text, "Jalan &lt;b&gt;rusak&lt;/b&gt; parah"));
    assert_non_null(strstr(text, "Foto dirahasiakan"));
    assert_non_null(strstr(text, "Pondok Bambu"));
    assert_non_null(strstr(text, "Masih rusak"));
    assert_null(strstr(text, "Contoh Bin"));
    assert_null(strstr(text, "10:03"));
    assert_null(strstr(text, "/photo/"));
    free(text);
    snprintf(path, sizeof(path), "/photo/%s/1", ref);
    free(page(f, path, 404));
    snprintf(path, sizeof(path), "/photo/%s/1", other);
    answer = browse(f, path, NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(http_client_header(&answer, "Content-Type", &type), 1);
    assert_string_equal(type.data, "image/png");
    buf_clear(&type);
    assert_int_equal(http_client_header(&answer, "X-Content-Type-Options", &type), 1);
    assert_string_equal(type.data, "nosniff");
    assert_memory_equal(answer.body.data, "GIF89a", 6);
    http_client_answer_release(&answer);
    snprintf(path, sizeof(path), "/photo/%s/2", other); /* no photo: never kept */
    free(page(f, path, 404));
    buf_release(&type);
}

static void pages_need_an_officer(void **state)
{
    static const char *const paths[] = {"/", "/t/0123456789ABCDEF", "/photo/0123456789ABCDEF/1",
                                        "/password"};
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], path[CORE_REF_MAX + 100], form[200];

    put(f, "key", PRIVATE_TICKET, ref);
    snprintf(f->cookie, sizeof(f->cookie), "Cookie: kanal-petugas=%064d", 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        free(page(f, paths[i], 303));
    snprintf(path, sizeof(path), "/t/%s/state", ref);
    assert_int_equal(post(f, path, "from=Menunggu&to=Proses", NULL), 401);

    sign_in(f);
    assert_int_equal(post(f, path, "from=Menunggu&to=Proses", NULL), 403);
    assert_int_equal(post(f, path, "csrf=x&from=Menunggu&to=Proses", NULL), 403);
    snprintf(form, sizeof(form), "csrf=%s&from=Menunggu&to=Proses", f->csrf);
    assert_int_equal(post(f, path, form, "Sec-Fetch-Site: cross-site"), 403);
    assert_int_equal(post(f, path, form, "Origin: https://evil.example"), 403);
    assert_int_equal(post(f, path, form, "Origin: null"), 403);
    assert_int_equal(post(f, path, form, "Origin: http://core"), 303);

    snprintf(form, sizeof(form), "csrf=%s", f->csrf);
    assert_int_equal(post(f, "/logout", form, "Sec-Fetch-Site: same-origin"), 303);
    free(page(f, "/", 303)); /* the same cookie opens nothing any more */
}

static void the_list_filters_and_pages(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], key[32];
    char *text;

    for (int i = 0; i < CORE_PAGE_ROWS + 1; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        put(f, key, i == 0 ? PUBLIC_TICKET : PRIVATE_TICKET, ref);
    }
    sign_in(f);
    text = page(f, "/", 200);
    assert_null(strstr(text, "Lampu"));
    assert_non_null(strstr(text, "name=\"page\" value=\"1\""));
    free(text);
    text = page(f, "/?state=&page=1", 200);
    assert_non_null(strstr(text, "Lampu"));
    assert_null(strstr(text, "Pondok Bambu"));
    free(text);
    assert_int_equal(move(f, ref, "Menunggu", "Proses", ""), 303);
    text = page(f, "/?state=Proses", 200);
    assert_non_null(strstr(text, ref));
    free(text);
    text = page(f, "/?state=Selesai", 200);
    assert_non_null(strstr(text, "Tidak ada laporan."));
    free(text);
}

static void guesses_are_slowed(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], password[101];

    put(f, "key", PRIVATE_TICKET, ref);
    first_password(f, password, sizeof(password));
    assert_int_equal(try_login(f, "petugas", password, "Sec-Fetch-Site: cross-site"), 403);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try_login(f, "petugas", "wrong", NULL), 401);
    assert_int_equal(try_login(f, "petugas", password, NULL), 429);
    assert_int_equal(try_login(f, "nobody", "wrong", NULL), 401);
    /* From elsewhere the officer gets in. */
    assert_int_equal(try_login(f, "petugas", password, "X-Forwarded-For: 192.0.2.9"), 303);
}

static void throttle_doubles(void **state)
{
    static const int64_t waits[] = {0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct core_throttle *throttle = core_throttle_new();

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        core_throttle_failed(throttle, 7, 1000);
        assert_int_equal(core_throttle_wait(throttle, 7, 1000), waits[i]);
    }
    assert_int_equal(core_throttle_wait(throttle, 8, 1000), 0);
    core_throttle_passed(throttle, 7);
    assert_int_equal(core_throttle_wait(throttle, 7, 1000), 0);
    core_throttle_free(throttle);
}

static int users(struct fixture *f, const char *verb, const char *name)
{
    const char *const words[] = {"core", "user", "--state", f->folder, verb, name, NULL};

    return run_core(words);
}

static void accounts(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX], path[128], form[400], password[101];
    struct core core = {.db = NULL};
    struct err err = ERR_INIT;
    struct buf new_password = BUF_INIT(100);

    put(f, "key", PRIVATE_TICKET, ref);
    sign_in(f);
    first_password(f, password, sizeof(password));
    snprintf(path, sizeof(path), "%s/first-password", f->folder);
    snprintf(form, sizeof(form), "csrf=%s&old=%s&new=pendek", f->csrf, password);
    assert_int_equal(post(f, "/password", form, NULL), 422);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(form, sizeof(form), "csrf=%s&old=%s&new=kalimat+yang+panjang", f->csrf, password);
    assert_int_equal(post(f, "/password", form, NULL), 200);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(try_login(f, "petugas", password, NULL), 401);
    assert_int_equal(try_login(f, "petugas", "kalimat+yang+panjang", NULL), 303);

    /* While the core runs, it does the work. */
    assert_int_equal(users(f, "add", "siti"), 0);
    assert_int_equal(users(f, "add", "siti"), 1);
    assert_int_equal(users(f, "add", "si ti"), 1);
    assert_int_equal(users(f, "passwd", "nobody"), 1);
    assert_int_equal(users(f, "list", NULL), 0);
    assert_int_equal(users(f, "disable", "petugas"), 0);
    assert_int_equal(users(f, "dance", "siti"), 1);
    free(page(f, "/", 303)); /* signed out */
    assert_int_equal(try_login(f, "petugas", "kalimat+yang+panjang", NULL), 401);

    /* While it does not, the command does. */
    close(f->our_end);
    assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
    f->pid = 0;
    assert_int_equal(users(f, "passwd", "petugas"), 0);
    assert_int_equal(core_open(&core, f->folder, &err), 0);
    assert_int_equal(core_account_reset(&core, "siti", &new_password, &err), 0);
    assert_true(core_account_check(&core, "siti", new_password.data));
    assert_false(core_account_check(&core, "siti", "x"));
    assert_false(core_account_check(&core, "nobody", new_password.data));
    core_close(&core);
    buf_wipe(&new_password);
}

static void the_lifeline_ends_it(void **state)
{
    struct fixture *f = *state;
    char ref[CORE_REF_MAX];
    int status;

    put(f, "key", PRIVATE_TICKET, ref);
    shutdown(f->our_end, SHUT_RDWR);
    status = wait_core(f);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(access(f->socket, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transition_table),
        cmocka_unit_test(throttle_doubles),
        cmocka_unit_test_setup_teardown(a_key_makes_one_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_outlives_a_crash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_signatures_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(followups_belong_to_a_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_reach_the_gateway_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_city_s_transitions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(officers_see_no_identity_and_no_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_need_an_officer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_list_filters_and_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(guesses_are_slowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_lifeline_ends_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
