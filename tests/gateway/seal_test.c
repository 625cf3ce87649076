/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/seal_private.h"

static char folder[64];
static unsigned char vault_public[32], vault_secret[32];
static const char id_a[] = "7KQ3MXP9T2FC";
static const char hex_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static struct seal *seal_of(const char *hex)
{
    struct err err = ERR_INIT;
    char text[80];
    snprintf(text, sizeof text, "%s", hex);
    struct secret key = {.data = text, .len = strlen(text)};
    struct seal *seal = NULL;
    bool created = true;
    assert_int_equal(seal_open(&key, NULL, false, &created, &seal, &err), 0);
    assert_false(created);
    return seal;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kanal-seal-XXXXXX");
    return mkdtemp(folder) == NULL || sodium_init() < 0 ||
           crypto_box_keypair(vault_public, vault_secret) != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

static void the_key_file_is_made_once(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char path[128];
    struct seal *first = NULL, *again = NULL;
    bool created = false;
    snprintf(path, sizeof path, "%s/gateway.key", folder);
    assert_int_equal(seal_open(NULL, path, false, &created, &first, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    err_clear(&err);
    assert_int_equal(seal_open(NULL, path, true, &created, &first, &err), 0);
    assert_true(created);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(facts.st_size, 65);
    assert_int_equal(seal_open(NULL, path, true, &created, &again, &err), 0);
    assert_false(created);
    char pin[PIN_SIZE], same[PIN_SIZE];
    seal_pin(first, id_a, pin);
    seal_pin(again, id_a, same);
    assert_string_equal(pin, same);
    seal_close(first);
    seal_close(again);
}

static void bad_key_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
    } bad[] = {
        {"", 0600},
        {"0001", 0600},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n", 0600},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\n", 0600},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0644},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0640},
    };
    char path[128];
    snprintf(path, sizeof path, "%s/bad.key", folder);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FILE *file = fopen(path, "w");
        fputs(bad[i].text, file);
        fclose(file);
        chmod(path, bad[i].mode);
        struct err err = ERR_INIT;
        struct seal *seal = NULL;
        bool created = true;
        assert_int_equal(seal_open(NULL, path, true, &created, &seal, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_false(created);
        assert_null(strstr(err.text, "0102"));
    }
}

static void what_is_stored_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 255, 256, 16384, 16385, 20480, 1000000};
    struct seal *seal = seal_of(hex_key);
    char *data = malloc(1000000);
    randombytes_buf(data, 1000000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct err err = ERR_INIT;
        struct buf box = BUF_INIT(2 * 1000000), plain = BUF_INIT(1000000);
        seal_store(seal, id_a, "body", data, sizes[i], &box);
        assert_true(box.len <= sizes[i] + SEAL_OVERHEAD_MAX);
        assert_int_equal(seal_load(seal, id_a, "body", box.data, box.len, &plain, &err), 0);
        assert_int_equal(plain.len, sizes[i]);
        assert_memory_equal(plain.data, data, sizes[i]);
        buf_release(&box);
        buf_release(&plain);
    }
    free(data);
    seal_close(seal);
}

static void lengths_tell_little(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    struct buf none = BUF_INIT(10000), some = BUF_INIT(10000), more = BUF_INIT(10000);
    char text[256] = "x";
    seal_store(seal, id_a, "body", text, 0, &none);
    seal_store(seal, id_a, "body", text, 255, &some);
    seal_store(seal, id_a, "body", text, 256, &more);
    assert_int_equal(none.len, some.len);
    assert_int_equal(more.len, some.len + SEAL_PAD_SMALL);
    buf_release(&none);
    buf_release(&some);
    buf_release(&more);
    seal_close(seal);
}

/* Flips every byte, cuts every length, moves the envelope to another report, field and key. */
static void nothing_opens_out_of_place(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    struct seal *other =
        seal_of("ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    struct buf box = BUF_INIT(10000), plain = BUF_INIT(10000);
    seal_store(seal, id_a, "body", "halo", 4, &box);
    for (size_t i = 0; i < box.len; i++) {
        struct err err = ERR_INIT;
        box.data[i] ^= 1;
        assert_int_equal(seal_load(seal, id_a, "body", box.data, box.len, &plain, &err), -1);
        assert_int_equal(err.kind, ERR_PERMANENT);
        box.data[i] ^= 1;
        err_clear(&err);
        assert_int_equal(seal_load(seal, id_a, "body", box.data, i, &plain, &err), -1);
    }
    struct err err = ERR_INIT;
    assert_int_equal(seal_load(seal, "7KQ3MXP9T2F0", "body", box.data, box.len, &plain, &err), -1);
    assert_int_equal(seal_load(seal, id_a, "photo:1", box.data, box.len, &plain, &err), -1);
    assert_int_equal(seal_load(other, id_a, "body", box.data, box.len, &plain, &err), -1);
    assert_int_equal(plain.len, 0);
    err_clear(&err);
    assert_int_equal(seal_load(seal, id_a, "body", box.data, box.len, &plain, &err), 0);
    assert_string_equal(plain.data, "halo");
    buf_release(&box);
    buf_release(&plain);
    seal_close(seal);
    seal_close(other);
}

static void a_full_buffer_gets_no_plain_text(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    struct buf box = BUF_INIT(100);
    seal_store(seal, id_a, "body", "rahasia", 7, &box);
    assert_true(box.overflow);
    assert_null(memmem(box.data, box.len, "rahasia", 7));
    buf_release(&box);
    seal_close(seal);
}

static void only_the_vault_opens_an_envelope(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    struct err err = ERR_INIT;
    struct buf box = BUF_INIT(10000), plain = BUF_INIT(10000);
    assert_int_equal(seal_to_vault(seal, id_a, "reply", "x", 1, 0, &box, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(box.len, 0);
    err_clear(&err);
    seal_set_vault_key(seal, vault_public);
    assert_int_equal(seal_to_vault(seal, id_a, "reply", "budi@example.org", 16, 0, &box, &err), 0);
    assert_int_equal(seal_open_envelope(vault_public, vault_secret, id_a, "reply", box.data,
                                        box.len, &plain, &err),
                     0);
    assert_string_equal(plain.data, "budi@example.org");
    buf_clear(&plain);
    assert_int_equal(seal_open_envelope(vault_public, vault_secret, id_a, "reporter", box.data,
                                        box.len, &plain, &err),
                     -1);
    err_clear(&err);
    assert_int_equal(seal_load(seal, id_a, "reply", box.data, box.len, &plain, &err), -1);
    for (size_t i = 0; i < box.len; i++) {
        err_clear(&err);
        box.data[i] ^= 0x40;
        assert_int_equal(seal_open_envelope(vault_public, vault_secret, id_a, "reply", box.data,
                                            box.len, &plain, &err),
                         -1);
        box.data[i] ^= 0x40;
    }
    assert_int_equal(plain.len, 0);
    buf_release(&box);
    buf_release(&plain);
    seal_close(seal);
}

/* The sealed data key in front of an envelope tells which minute key it was made with. */
static void the_minute_key_turns(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        bool turns;
    } steps[] = {{1000, true},   {1001, false}, {60999, false}, {61000, true},
                 {61001, false}, {60000, true}, {999999, true}, {1000000, false}};
    struct seal *seal = seal_of(hex_key);
    struct err err = ERR_INIT;
    char before[80] = "";
    seal_set_vault_key(seal, vault_public);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct buf box = BUF_INIT(10000);
        assert_int_equal(seal_to_vault(seal, id_a, "reply", "", 0, steps[i].now_ms, &box, &err), 0);
        assert_int_equal(memcmp(before, box.data + 1, 80) != 0, steps[i].turns);
        memcpy(before, box.data + 1, 80);
        buf_release(&box);
    }
    seal_close(seal);
}

/* With nothing more to seal the key goes by itself: the wiper's deadline is brought forward. */
static void the_minute_key_is_wiped_in_silence(void **state)
{
    (void)state;
    static const unsigned char wiped[SEAL_KEY_SIZE] = {0};
    struct seal *seal = seal_of(hex_key);
    struct err err = ERR_INIT;
    struct buf box = BUF_INIT(10000);
    seal_set_vault_key(seal, vault_public);
    assert_int_equal(seal_to_vault(seal, id_a, "reply", "", 0, 0, &box, &err), 0);
    pthread_mutex_lock(&seal->lock);
    assert_true(seal->has_minute);
    assert_memory_not_equal(seal->keys->minute, wiped, sizeof wiped);
    seal->minute_wipe_ms = 0;
    pthread_cond_signal(&seal->changed);
    pthread_mutex_unlock(&seal->lock);
    bool gone = false;
    while (!gone) {
        usleep(1000);
        pthread_mutex_lock(&seal->lock);
        gone = !seal->has_minute;
        pthread_mutex_unlock(&seal->lock);
    }
    assert_memory_equal(seal->keys->minute, wiped, sizeof wiped);
    buf_release(&box);
    seal_close(seal);
}

static void hashes_keep_things_apart(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    unsigned char a[32], b[32];
    seal_dedup_key(seal, "mail", "1", 1, a);
    seal_dedup_key(seal, "mail", "1", 1, b);
    assert_memory_equal(a, b, 32);
    seal_dedup_key(seal, "mail1", "", 0, b);
    assert_memory_not_equal(a, b, 32);
    seal_dedup_key(seal, "sms", "1", 1, b);
    assert_memory_not_equal(a, b, 32);
    seal_index(seal, "phone", "+620000", a);
    seal_index(seal, "phone+", "620000", b);
    assert_memory_not_equal(a, b, QUEUE_INDEX_SIZE);
    seal_index(seal, "phone", "+620000", b);
    assert_memory_equal(a, b, QUEUE_INDEX_SIZE);
    assert_int_equal(seal_rate_key(seal, "ip", "x", 1), seal_rate_key(seal, "ip", "x", 1));
    assert_int_not_equal(seal_rate_key(seal, "ip", "x", 1), seal_rate_key(seal, "id", "x", 1));
    struct seal *again = seal_of(hex_key);
    assert_int_not_equal(seal_rate_key(seal, "ip", "x", 1), seal_rate_key(again, "ip", "x", 1));
    seal_close(again);
    seal_close(seal);
}

/* The stored forms must never change: with this key, these are the bytes for ever (worked out from
 * RFC 7693 and crypto_kdf's definition, not with this code). */
static void known_values(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    unsigned char key[32];
    char hex[65], pin[PIN_SIZE], token[REPLY_TOKEN_LEN + 1];
    seal_dedup_key(seal, "mail", "1", 1, key);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    assert_string_equal(hex, "27815340942708935b1d6828f52ab7784070aba20b918650db38d3ab84043c51");
    seal_pin(seal, id_a, pin);
    assert_string_equal(pin, "059502");
    seal_token_make(seal, id_a, token);
    assert_string_equal(token, "7kq3mxp9t2fcbqm5acgjd8km4hxg");
    seal_close(seal);
}

static void pins_fit_their_report(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    char pin[PIN_SIZE], longer[16], wrong[PIN_SIZE];
    seal_pin(seal, id_a, pin);
    assert_int_equal(strlen(pin), PIN_DIGITS);
    assert_int_equal(strspn(pin, "0123456789"), PIN_DIGITS);
    assert_true(seal_pin_matches(seal, id_a, pin));
    snprintf(longer, sizeof longer, "%s0", pin);
    assert_false(seal_pin_matches(seal, id_a, longer));
    for (size_t i = 0; i < PIN_DIGITS; i++) {
        memcpy(wrong, pin, PIN_SIZE);
        wrong[i] = wrong[i] == '9' ? '0' : (char)(wrong[i] + 1);
        assert_false(seal_pin_matches(seal, id_a, wrong));
        wrong[i] = '\0';
        assert_false(seal_pin_matches(seal, id_a, wrong));
    }
    assert_false(seal_pin_matches(seal, id_a, NULL));
    assert_false(seal_pin_matches(seal, id_a, ""));
    seal_close(seal);
}

static void tokens_cannot_be_made_up(void **state)
{
    (void)state;
    struct seal *seal = seal_of(hex_key);
    char token[REPLY_TOKEN_LEN + 1], changed[REPLY_TOKEN_LEN + 1], id[REPORT_ID_SIZE];
    seal_token_make(seal, id_a, token);
    assert_int_equal(strlen(token), REPLY_TOKEN_LEN);
    assert_int_equal(seal_token_parse(seal, token, id), 0);
    assert_string_equal(id, id_a);
    for (size_t i = 0; i < REPLY_TOKEN_LEN; i++) {
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == 'a' ? 'b' : 'a';
        assert_int_equal(seal_token_parse(seal, changed, id), -1);
        memcpy(changed, token, sizeof changed);
        if (changed[i] >= 'a' && changed[i] <= 'z')
            changed[i] = (char)(changed[i] - 'a' + 'A');
        if (changed[i] == '0')
            changed[i] = 'O';
        if (changed[i] == '1')
            changed[i] = 'l';
        assert_int_equal(seal_token_parse(seal, changed, id), 0);
        assert_string_equal(id, id_a);
    }
    token[REPLY_TOKEN_LEN - 1] = '\0';
    assert_int_equal(seal_token_parse(seal, token, id), -1);
    assert_int_equal(seal_token_parse(seal, "", id), -1);
    assert_int_equal(seal_token_parse(seal, NULL, id), -1);
    seal_close(seal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_file_is_made_once),
        cmocka_unit_test(bad_key_files_are_refused),
        cmocka_unit_test(what_is_stored_comes_back),
        cmocka_unit_test(lengths_tell_little),
        cmocka_unit_test(nothing_opens_out_of_place),
        cmocka_unit_test(a_full_buffer_gets_no_plain_text),
        cmocka_unit_test(only_the_vault_opens_an_envelope),
        cmocka_unit_test(the_minute_key_turns),
        cmocka_unit_test(the_minute_key_is_wiped_in_silence),
        cmocka_unit_test(hashes_keep_things_apart),
        cmocka_unit_test(known_values),
        cmocka_unit_test(pins_fit_their_report),
        cmocka_unit_test(tokens_cannot_be_made_up),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
