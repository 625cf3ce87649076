/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored is the canonical report; what leaves is that without its restricted part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "gateway/ticket.h"
#include "normalize/mem.h"

static void fill(struct report *report, enum report_visibility visibility)
{
    report_init(report);
    report_id_make(42, report->id);
    report->visibility = visibility;
    report->channel_id = mem_strdup("web");
    report->channel_type = mem_strdup("web_form");
    report->channel_kind = mem_strdup("web");
    report->received_ms = 1795257807000;
    report->story = mem_strdup("Lubang \"besar\" di {jalan}");
    report->category.code = mem_strdup("jalan");
    report->attachments[0] = (struct report_attachment){.media_type = mem_strdup("image/jpeg"),
                                                        .bytes = 3,
                                                        .width = 1,
                                                        .height = 1,
                                                        .data = mem_strndup("\xff\xd8\xff", 3)};
    report->attachment_count = 1;
}

static void the_stored_text_is_canonical(void **state)
{
    (void)state;
    struct report report;
    struct buf body = BUF_INIT(100000), ticket = BUF_INIT(100000);
    fill(&report, REPORT_PUBLIC);
    ticket_texts(&report, &body, &ticket);
    json_t *canonical = report_json(&report);
    char *text = json_canonical(canonical);
    assert_string_equal(body.data, text);
    free(text);
    json_decref(canonical);
    buf_release(&body);
    buf_release(&ticket);
    report_release(&report);
}

/* The ticket of a report, parsed. */
static json_t *ticket_of(enum report_visibility visibility)
{
    struct report report;
    struct buf body = BUF_INIT(100000), ticket = BUF_INIT(100000);
    fill(&report, visibility);
    ticket_texts(&report, &body, &ticket);
    json_t *json = json_loadb(ticket.data, ticket.len, 0, NULL);
    assert_non_null(json);
    buf_release(&body);
    buf_release(&ticket);
    report_release(&report);
    return json;
}

static void the_hour_never_leaves(void **state)
{
    (void)state;
    for (int visibility = REPORT_PRIVATE; visibility <= REPORT_PUBLIC; visibility++) {
        json_t *ticket = ticket_of((enum report_visibility)visibility);
        assert_null(json_object_get(ticket, "restricted"));
        assert_non_null(json_object_get(ticket, "story"));
        json_decref(ticket);
    }
}

static void photos_leave_only_when_public(void **state)
{
    (void)state;
    json_t *ticket = ticket_of(REPORT_PRIVATE);
    json_t *photo = json_array_get(json_object_get(ticket, "attachments"), 0);
    assert_null(json_object_get(photo, "data"));
    json_decref(ticket);
    ticket = ticket_of(REPORT_PUBLIC);
    photo = json_array_get(json_object_get(ticket, "attachments"), 0);
    assert_string_equal(json_string_value(json_object_get(photo, "data")), "/9j/");
    json_decref(ticket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stored_text_is_canonical),
        cmocka_unit_test(the_hour_never_leaves),
        cmocka_unit_test(photos_leave_only_when_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
