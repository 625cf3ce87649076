/* SPDX-License-Identifier: Apache-2.0 */
/* Who may join a report: the token's holder, our own Message-ID, the same reporter. Nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <sodium.h>

#include "gateway/thread.h"
#include "normalize/mem.h"

static struct gateway gateway;
static char parent_id[REPORT_ID_SIZE], followup_id[REPORT_ID_SIZE];
static unsigned char siti[QUEUE_INDEX_SIZE], budi[QUEUE_INDEX_SIZE];

static void store(const char *id, enum queue_entry_kind kind, const char *parent,
                  const unsigned char *index)
{
    unsigned char key[QUEUE_DEDUP_KEY_SIZE];
    randombytes_buf(key, sizeof key);
    const struct queue_entry entry = {.kind = kind,
                                      .id = id,
                                      .dedup_key = key,
                                      .dedup_fingerprint = key,
                                      .channel_id = "email-pusat",
                                      .channel_kind = "email",
                                      .parent_id = parent,
                                      .reporter_index = index,
                                      .body = {"x", 1},
                                      .reporter = {"x", 1}};
    struct queue_op op = {.kind = QUEUE_ACCEPT, .entry = &entry};
    struct queue_op *ops[] = {&op};
    struct err err = ERR_INIT;
    assert_int_equal(queue_apply(gateway.queue, ops, 1, 1000, &err), 0);
    assert_int_equal(op.result, QUEUE_STORED);
}

static int setup(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct queue_options options = {.path = NULL};
    char hex[65];
    memset(hex, 'a', 64);
    hex[64] = '\0';
    const struct secret key = {.data = hex, .len = 64};
    bool created;
    if (sodium_init() < 0 || seal_open(&key, NULL, false, &created, &gateway.seal, &err) != 0 ||
        queue_open("memory", &options, 1000, &gateway.queue, &err) != 0)
        return -1;
    seal_index(gateway.seal, "email", "siti@example.org", siti);
    seal_index(gateway.seal, "email", "budi@example.org", budi);
    report_id_make(1234567, parent_id);
    report_id_make(7654321, followup_id);
    store(parent_id, QUEUE_REPORT, NULL, siti);
    store(followup_id, QUEUE_FOLLOWUP, parent_id, siti);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queue_close(gateway.queue);
    seal_close(gateway.seal);
    return 0;
}

/* What a message with one reference, written by index's owner, is taken for. */
static int find(enum record_reference_kind kind, const char *value, const unsigned char *index,
                const char **matched_by, char parent[static REPORT_ID_SIZE])
{
    struct record record;
    struct err err = ERR_INIT;
    record_init(&record);
    record.references[0].kind = kind;
    record.references[0].value = mem_strdup(value);
    record.reference_count = 1;
    int found = thread_find(&gateway, &record, index, parent, matched_by, &err);
    record_release(&record);
    return found;
}

static void the_signed_token_joins_whoever_holds_it(void **state)
{
    (void)state;
    char token[REPLY_TOKEN_LEN + 1], parent[REPORT_ID_SIZE];
    const char *matched_by = NULL;
    seal_token_make(gateway.seal, parent_id, token);
    assert_int_equal(find(REFERENCE_TOKEN, token, budi, &matched_by, parent), 1);
    assert_string_equal(parent, parent_id);
    assert_string_equal(matched_by, "token");
}

static void our_own_message_id_joins(void **state)
{
    (void)state;
    char token[REPLY_TOKEN_LEN + 1], parent[REPORT_ID_SIZE], message_id[200];
    const char *matched_by = NULL;
    seal_token_make(gateway.seal, parent_id, token);
    snprintf(message_id, sizeof message_id, "%s.ab12cd@kota.example", token);
    assert_int_equal(find(REFERENCE_MESSAGE_ID, message_id, NULL, &matched_by, parent), 1);
    assert_string_equal(parent, parent_id);
    assert_string_equal(matched_by, "message_id");
}

static void a_follow_up_of_a_follow_up_joins_the_report(void **state)
{
    (void)state;
    char token[REPLY_TOKEN_LEN + 1], parent[REPORT_ID_SIZE];
    const char *matched_by = NULL;
    seal_token_make(gateway.seal, followup_id, token);
    assert_int_equal(find(REFERENCE_TOKEN, token, NULL, &matched_by, parent), 1);
    assert_string_equal(parent, parent_id);
}

static void forgeries_join_nothing(void **state)
{
    (void)state;
    char token[REPLY_TOKEN_LEN + 1], parent[REPORT_ID_SIZE];
    const char *matched_by = NULL;
    for (size_t i = 0; i < REPLY_TOKEN_LEN; i++) {
        seal_token_make(gateway.seal, parent_id, token);
        token[i] = token[i] == '7' ? '8' : '7';
        assert_int_equal(find(REFERENCE_TOKEN, token, siti, &matched_by, parent), 0);
    }
    static const char *const bad[] = {
        "",
        "abc",
        "a@b",
        "someone.else@example.org",
        "7777777777777777777777777777",
        "77777777777777777777777777777777777777777777777777",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(find(REFERENCE_TOKEN, bad[i], siti, &matched_by, parent), 0);
        assert_int_equal(find(REFERENCE_MESSAGE_ID, bad[i], siti, &matched_by, parent), 0);
        assert_int_equal(find(REFERENCE_REPORT_ID, bad[i], siti, &matched_by, parent), 0);
    }
}

static void an_id_in_the_text_joins_its_reporter_only(void **state)
{
    (void)state;
    char parent[REPORT_ID_SIZE], unknown[REPORT_ID_SIZE];
    const char *matched_by = NULL;
    assert_int_equal(find(REFERENCE_REPORT_ID, parent_id, siti, &matched_by, parent), 1);
    assert_string_equal(matched_by, "id_and_reporter");
    assert_int_equal(find(REFERENCE_REPORT_ID, parent_id, budi, &matched_by, parent), 0);
    assert_int_equal(find(REFERENCE_REPORT_ID, parent_id, NULL, &matched_by, parent), 0);
    report_id_make(99, unknown);
    assert_int_equal(find(REFERENCE_REPORT_ID, unknown, siti, &matched_by, parent), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signed_token_joins_whoever_holds_it),
        cmocka_unit_test(our_own_message_id_joins),
        cmocka_unit_test(a_follow_up_of_a_follow_up_joins_the_report),
        cmocka_unit_test(forgeries_join_nothing),
        cmocka_unit_test(an_id_in_the_text_joins_its_reporter_only),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
