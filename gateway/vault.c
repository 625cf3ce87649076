/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault process: one thread, one request at a time. It reads its key and opens its log, then
 * gives up everything but its socket and that log. What the gateway sends is checked like a
 * stranger's: the gateway is what an attacker takes over first.
 */
#include "gateway/vault.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/secret.h"
#include "gateway/frame.h"
#include "gateway/key_file.h"
#include "gateway/process.h"
#include "gateway/sandbox.h"
#include "gateway/vault_audit.h"
#include "gateway/vault_wire.h"

enum {
    VAULT_PATH_MAX = 4096,
    VAULT_REPORT_HASH_SIZE = 16,
    VAULT_EXIT_REFUSED = 2, /* as for any wrong configuration */
    VAULT_EXIT_AGAIN = 75,
};

/* What each purpose may open. */
static const struct {
    const char *name;
    const char *field;
} vault_purposes[] = {
    [VAULT_NOTICE] = {"notice", "reply"},
    [VAULT_REPLAY] = {"replay", "original"},
};

enum { VAULT_PURPOSES = sizeof vault_purposes / sizeof vault_purposes[0] };

/* Guarded memory. */
struct vault_keys {
    unsigned char secret[KEY_SIZE];
    unsigned char report[KEY_SIZE]; /* of the hashes that stand for report IDs in the log */
};

struct vault {
    int socket;
    struct vault_keys *keys;
    unsigned char public_key[SEAL_PUBLIC_KEY_SIZE];
    bool created;
    struct vault_audit audit;
    int64_t next_us; /* when the next opening is due by the limit */
    struct frame_reader reader;
};

/* A request to open, borrowing from its frame. */
struct vault_request {
    unsigned purpose;
    char report_id[VAULT_WORD_MAX], field[VAULT_WORD_MAX], reason[VAULT_WORD_MAX];
    const char *envelope;
    size_t envelope_len;
};

static int vault_folder(const char *dir, struct err *err)
{
    struct stat facts;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "cannot make '%s': %s", dir, strerror(errno));
    if (stat(dir, &facts) != 0 || ((facts.st_mode & 077) != 0 && chmod(dir, 0700) != 0))
        return err_set(err, ERR_CONFIG, "cannot guard '%s': %s", dir, strerror(errno));
    return 0;
}

static bool vault_has_credential(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct buf path = BUF_INIT(VAULT_PATH_MAX);
    if (folder != NULL)
        buf_addf(&path, "%s/vault.key", folder);
    bool there = path.len > 0 && access(path.data, F_OK) == 0;
    buf_release(&path);
    return there;
}

static int vault_key_from_credential(unsigned char key[static KEY_SIZE], struct err *err)
{
    struct secret text = {.data = NULL};
    int result = secret_read("credential:vault.key", NULL, &text, err);
    if (result == 0 && key_parse(text.data, text.len, key) != 0)
        result = err_set(err, ERR_CONFIG, "the credential vault.key must hold 64 hex digits");
    secret_release(&text);
    return result;
}

/* A log without a key means that a key is lost, not that this is the first start: a new one would
 * open nothing of what is sealed. */
static int vault_key_from_file(const char *dir, unsigned char key[static KEY_SIZE], bool *created,
                               struct err *err)
{
    struct buf path = BUF_INIT(VAULT_PATH_MAX);
    buf_addf(&path, "%s/audit.log", dir);
    bool used = access(path.data, F_OK) == 0;
    buf_clear(&path);
    buf_addf(&path, "%s/vault.key", dir);
    int result = key_file_open(path.data, !used, key, created, err);
    buf_release(&path);
    return result;
}

static int vault_read_key(struct vault *vault, const char *dir, struct err *err)
{
    static const char context[crypto_kdf_CONTEXTBYTES] = "kanalvlt";
    vault->keys = sodium_malloc(sizeof *vault->keys);
    if (vault->keys == NULL)
        return err_set(err, ERR_TRANSIENT, "cannot get guarded memory");
    int result = vault_has_credential()
                     ? vault_key_from_credential(vault->keys->secret, err)
                     : vault_key_from_file(dir, vault->keys->secret, &vault->created, err);
    if (result != 0)
        return -1;
    crypto_kdf_derive_from_key(vault->keys->report, KEY_SIZE, 1, context, vault->keys->secret);
    return crypto_scalarmult_base(vault->public_key, vault->keys->secret);
}

static int vault_open(struct vault *vault, const char *dir, struct err *err)
{
    umask(077);
    tzset(); /* reads a file the first time: not later, when none may be opened */
    if (sodium_init() < 0)
        return err_set(err, ERR_CONFIG, "cannot start libsodium");
    if (vault_folder(dir, err) != 0 || vault_read_key(vault, dir, err) != 0 ||
        vault_audit_open(dir, clock_wall_ms(), &vault->audit, err) != 0)
        return -1;
    return sandbox_enter(&(struct sandbox){.log_fd = vault->audit.fd}, err);
}

static void vault_refuse(struct vault *vault, const struct err *why)
{
    char body[1 + sizeof why->text];
    struct err err = ERR_INIT;
    size_t len = strlen(why->text);
    body[0] = (char)why->kind;
    memcpy(body + 1, why->text, len);
    frame_write(vault->socket, VAULT_REFUSED, body, 1 + len, PROCESS_FOREVER, &err);
}

/* Takes one length-prefixed text from the front of *at. */
static int vault_take_text(const char **at, size_t *left, char text[static VAULT_WORD_MAX])
{
    size_t len = *left > 0 ? (unsigned char)**at : VAULT_WORD_MAX;
    if (len >= VAULT_WORD_MAX || len + 1 > *left)
        return -1;
    memcpy(text, *at + 1, len);
    text[len] = '\0';
    *at += len + 1;
    *left -= len + 1;
    return strlen(text) == len ? 0 : -1;
}

static int vault_request_read(const struct frame *frame, struct vault_request *request,
                              struct err *err)
{
    const char *at = frame->data + 1;
    size_t left = frame->len == 0 ? 0 : frame->len - 1;
    char id[REPORT_ID_SIZE];
    request->purpose = (unsigned char)frame->data[0];
    if (left == 0 || request->purpose >= VAULT_PURPOSES ||
        vault_take_text(&at, &left, request->report_id) != 0 ||
        vault_take_text(&at, &left, request->field) != 0 ||
        vault_take_text(&at, &left, request->reason) != 0)
        return err_set(err, ERR_PERMANENT, "the vault cannot read the request");
    if (report_id_parse(request->report_id, strlen(request->report_id), id) != 0)
        return err_set(err, ERR_PERMANENT, "the vault opens nothing without a report's ID");
    if (strcmp(request->field, vault_purposes[request->purpose].field) != 0)
        return err_set(err, ERR_PERMANENT, "the vault does not open that for '%s'",
                       vault_purposes[request->purpose].name);
    if (!vault_audit_word(request->reason))
        return err_set(err, ERR_PERMANENT, "the vault opens nothing without a reason");
    request->envelope = at;
    request->envelope_len = left;
    return 0;
}

/* Holds openings to VAULT_OPENINGS_PER_S by waiting; a short burst goes through at once. */
static void vault_pace(struct vault *vault)
{
    const int64_t step_us = 1000 * 1000 / VAULT_OPENINGS_PER_S;
    int64_t now_us = clock_ms() * 1000;
    int64_t earliest_us = now_us - step_us * VAULT_OPENINGS_BURST;
    if (vault->next_us < earliest_us)
        vault->next_us = earliest_us;
    if (vault->next_us > now_us) {
        struct timespec wait = {.tv_nsec = (vault->next_us - now_us) * 1000};
        nanosleep(&wait, NULL);
    }
    vault->next_us += step_us;
}

static int vault_note(struct vault *vault, const struct vault_request *request, struct err *err)
{
    unsigned char hash[VAULT_REPORT_HASH_SIZE];
    char hex[2 * VAULT_REPORT_HASH_SIZE + 1];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)request->report_id,
                       strlen(request->report_id), vault->keys->report, KEY_SIZE);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return vault_audit_append(&vault->audit,
                              &(struct vault_audit_entry){
                                  .purpose = vault_purposes[request->purpose].name,
                                  .field = request->field,
                                  .reason = request->reason,
                                  .report = hex,
                              },
                              clock_wall_ms(), err);
}

/* 0 answered, also by a refusal; -1: the log cannot be trusted any more, end. */
static int vault_answer_open(struct vault *vault, const struct frame *frame)
{
    struct vault_request request = {.envelope = NULL};
    struct err err = ERR_INIT;
    struct buf plain = BUF_INIT(VAULT_PLAIN_MAX);
    int noted = 0;
    int result = vault_request_read(frame, &request, &err);
    if (result == 0) {
        vault_pace(vault);
        result =
            seal_open_envelope(vault->public_key, vault->keys->secret, request.report_id,
                               request.field, request.envelope, request.envelope_len, &plain, &err);
    }
    if (result == 0)
        result = noted = vault_note(vault, &request, &err);
    if (result == 0)
        frame_write(vault->socket, VAULT_PLAIN, plain.data, plain.len, PROCESS_FOREVER, &err);
    else
        vault_refuse(vault, &err);
    buf_wipe(&plain);
    return noted;
}

static int vault_answer(struct vault *vault, const struct frame *frame)
{
    char key[1 + SEAL_PUBLIC_KEY_SIZE];
    struct err err = ERR_INIT;
    if (frame->type == VAULT_ASK_OPEN)
        return vault_answer_open(vault, frame);
    if (frame->type != VAULT_ASK_KEY)
        return -1;
    key[0] = vault->created;
    memcpy(key + 1, vault->public_key, SEAL_PUBLIC_KEY_SIZE);
    return frame_write(vault->socket, VAULT_KEY, key, sizeof key, PROCESS_FOREVER, &err);
}

static int vault_serve(struct vault *vault)
{
    struct err err = ERR_INIT;
    struct frame frame;
    int ended;
    int result = 0;
    while (result == 0 && (ended = frame_read(&vault->reader, VAULT_FRAME_MAX, PROCESS_FOREVER,
                                              &frame, &err)) == 0) {
        result = vault_answer(vault, &frame);
        frame_release(&frame);
    }
    return result == 0 && ended == 1 ? 0 : VAULT_EXIT_AGAIN;
}

/* The reason goes to the gateway, which tells the operator. */
static int vault_serve_refusal(struct vault *vault, const struct err *why)
{
    struct err err = ERR_INIT;
    struct frame frame;
    if (frame_read(&vault->reader, VAULT_FRAME_MAX, PROCESS_FOREVER, &frame, &err) == 0) {
        vault_refuse(vault, why);
        frame_release(&frame);
    }
    return VAULT_EXIT_REFUSED;
}

int vault_main(int socket, const char *dir)
{
    static struct vault vault = {.audit = {.fd = -1}};
    struct err err = ERR_INIT;
    process_begin_role("kanal-vault");
    vault.socket = socket;
    frame_reader_init(&vault.reader, socket);
    int status = vault_open(&vault, dir, &err) == 0 ? vault_serve(&vault)
                                                    : vault_serve_refusal(&vault, &err);
    if (vault.keys != NULL)
        sodium_memzero(vault.keys, sizeof *vault.keys);
    /* Past the exit handlers of libraries, which may want what the sandbox forbids. */
    _exit(status);
}
