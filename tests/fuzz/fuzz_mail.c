/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail, and the text it holds: whatever the bytes are, parsing ends, what comes out is well-formed
 * UTF-8, cleaning is idempotent, cutting quotes never leaves nothing, and the same bytes give the
 * same native id.
 */
#include <stdlib.h>
#include <string.h>

#include "normalize/mail.h"
#include "normalize/mem.h"
#include "normalize/quote.h"
#include "normalize/text.h"
#include "tests/fuzz/fuzz.h"

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check_string(const char *text)
{
    promise(text == NULL || text_is_utf8(text, strlen(text)));
}

static void check_text(const char *text)
{
    char *clean = text_clean(text, strlen(text));
    if (clean == NULL)
        return;
    char *again = text_clean(clean, strlen(clean));
    promise(again != NULL && strcmp(clean, again) == 0);
    char *own = quote_cut(clean);
    promise(own[0] != '\0' && strlen(own) <= strlen(clean));
    check_string(own);
    free(own);
    free(again);
    free(clean);
}

static int check(void *context, struct draft *draft, struct err *err)
{
    (void)err;
    char **native_id = context;
    *native_id = mem_strdup(draft->native_id);
    promise(draft->native_id != NULL);
    check_string(draft->subject);
    check_string(draft->text);
    check_string(draft->reporter.name);
    check_string(draft->reporter.address);
    check_string(draft->reporter.reply_ref);
    promise((draft->reporter.address == NULL) == (draft->reporter.address_kind == NULL));
    for (size_t i = 0; i < draft->reference_count; i++)
        check_string(draft->references[i].value);
    for (size_t i = 0; i < draft->attachment_count; i++) {
        check_string(draft->attachments[i].name);
        check_string(draft->attachments[i].media_type);
    }
    if (draft->text != NULL)
        check_text(draft->text);
    return 0;
}

static char *parse(const uint8_t *data, size_t size)
{
    char *native_id = NULL;
    struct err err = ERR_INIT;
    struct inbound in;
    inbound_init(&in, "email-pusat", "email", "email", 0, mem_strndup(data, size), size);
    inbound_fact_add(&in, "own_address", "aduan@example.org");
    inbound_fact_add(&in, "own_domain", "kanal.example.org");
    int rc = mail_parse(&in, check, &native_id, &err);
    promise(rc == 0 || err.kind == ERR_PERMANENT);
    inbound_release(&in);
    return native_id;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mail_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *one = parse(data, size);
    char *other = parse(data, size);
    promise((one == NULL) == (other == NULL) && (one == NULL || strcmp(one, other) == 0));
    free(one);
    free(other);
    return 0;
}
