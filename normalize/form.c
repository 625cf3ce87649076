/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/form.h"

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/form_input.h"
#include "normalize/mail_address.h"
#include "normalize/mem.h"
#include "normalize/phone.h"
#include "normalize/photo.h"
#include "normalize/problem.h"
#include "normalize/text.h"

enum { FORM_DAY_MS = 24 * 60 * 60 * 1000, FORM_NUMBER_MAX = 24 };

#define FORM_DATE_OLDEST "1900-01-01"
#define FORM_DATE_WORDS  "Tanggal kejadian: "

void form_start(void)
{
    json_object_seed(0);
}

/* --- Reading --- */

static bool form_is_type(const char *content_type, const char *media_type)
{
    size_t len = strlen(media_type);
    return strncasecmp(content_type, media_type, len) == 0 &&
           (content_type[len] == '\0' || strchr("; \t", content_type[len]) != NULL);
}

/* By content type; a body without one is read as what it looks like. */
static int form_read(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    const char *type = inbound_fact(in, "content_type");
    if (type == NULL || type[0] == '\0')
        type = in->raw_len > 0 && in->raw[0] == '{' ? "application/json"
                                                    : "application/x-www-form-urlencoded";
    if (form_is_type(type, "application/json"))
        return form_read_json(in, input, draft);
    if (form_is_type(type, "application/x-www-form-urlencoded"))
        return form_read_urlencoded(in, input, draft);
    if (form_is_type(type, "multipart/form-data"))
        return form_read_multipart(in, type, input, draft);
    return -1;
}

/* --- Identity of the message --- */

static void form_hash(GChecksum *hash, const char *name, const char *data, size_t len)
{
    char head[64];
    int head_len = snprintf(head, sizeof head, "%s %zu ", name, len);
    g_checksum_update(hash, (const guchar *)head, head_len);
    g_checksum_update(hash, (const guchar *)data, (gssize)len);
}

/* Hex of a hash of all that was filled in but the client key, as cleaned: the same report by either
 * encoding has the same. */
static char *form_fingerprint(const struct form_input *input)
{
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < FORM_FIELD_COUNT; i++) {
        if (i != FORM_FIELD_CLIENT_KEY && input->texts[i] != NULL)
            form_hash(hash, form_field_name((enum form_field)i), input->texts[i],
                      strlen(input->texts[i]));
    }
    for (size_t i = 0; i < input->photo_count; i++)
        form_hash(hash, "photo", input->photos[i].data, input->photos[i].len);
    char *hex = mem_strdup(g_checksum_get_string(hash));
    g_checksum_free(hash);
    return hex;
}

/* A program's key names the report; a page's key names the page, which may be sent again edited. */
static void form_identify(const struct form_input *input, struct draft *draft)
{
    const char *key = input->texts[FORM_FIELD_CLIENT_KEY];
    if (key != NULL && strlen(key) > FORM_KEY_MAX)
        key = NULL; /* noted as a problem: the form is refused */
    struct buf id = BUF_INIT(RECORD_NATIVE_ID_MAX);
    draft->fingerprint = form_fingerprint(input);
    if (!input->json)
        buf_addf(&id, "form:%s:%s", key == NULL ? "" : key, draft->fingerprint);
    else if (key != NULL)
        buf_addf(&id, "key:%s", key);
    else
        buf_addf(&id, "hash:%s", draft->fingerprint);
    draft->native_id = buf_detach(&id, NULL);
}

static void form_identify_malformed(const struct inbound *in, struct draft *draft)
{
    char *hex =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)in->raw, in->raw_len);
    struct buf id = BUF_INIT(RECORD_NATIVE_ID_MAX);
    buf_addf(&id, "hash:%s", hex);
    g_free(hex);
    draft->native_id = buf_detach(&id, NULL);
}

/* --- Judging, field by field --- */

static char *form_take(struct form_input *input, enum form_field field)
{
    char *text = input->texts[field];
    input->texts[field] = NULL;
    return text;
}

/* Notes that field is missing, unless what was there has been found wrong already. */
static void form_required(struct draft *draft, enum form_field field)
{
    const char *name = form_field_name(field);
    for (size_t i = 0; i < draft->problem_count; i++) {
        if (strcmp(draft->problems[i].field, name) == 0)
            return;
    }
    draft_problem(draft, name, PROBLEM_REQUIRED);
}

static size_t form_story_min(const struct inbound *in)
{
    const char *fact = inbound_fact(in, "story_min");
    char *end = NULL;
    errno = 0;
    long long least = fact == NULL ? 0 : strtoll(fact, &end, 10);
    if (fact == NULL || end == fact || *end != '\0' || errno != 0 || least < 0 ||
        least > FORM_STORY_MAX)
        return FORM_STORY_MIN;
    return (size_t)least;
}

static void form_story(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    draft->text = form_take(input, FORM_FIELD_STORY);
    if (draft->text == NULL)
        form_required(draft, FORM_FIELD_STORY);
    else if (text_length(draft->text) < form_story_min(in))
        draft_problem(draft, "story", PROBLEM_TOO_SHORT);
}

static bool form_is_code(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

static void form_category(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    const char *choices = inbound_fact(in, "categories");
    const char *code = input->texts[FORM_FIELD_CATEGORY];
    if (code == NULL)
        return;
    if (form_is_code(code) && (choices == NULL || text_list_holds(choices, code)))
        draft->category = form_take(input, FORM_FIELD_CATEGORY);
    else
        draft_problem(draft, "category", PROBLEM_UNKNOWN_VALUE);
}

static void form_visibility(struct form_input *input, struct draft *draft)
{
    const char *text = input->texts[FORM_FIELD_VISIBILITY];
    if (text == NULL || strcmp(text, "private") == 0)
        draft->visibility = REPORT_PRIVATE;
    else if (strcmp(text, "public") == 0)
        draft->visibility = REPORT_PUBLIC;
    else
        draft_problem(draft, "visibility", PROBLEM_UNKNOWN_VALUE);
}

/* Reads plain decimal degrees, "-6.1754"; no exponents, no hexadecimal, no infinities. */
static bool form_read_degrees(const char *text, double *degrees)
{
    char *end = NULL;
    size_t len = strlen(text);
    if (len > FORM_NUMBER_MAX || strspn(text, "+-.0123456789") != len)
        return false;
    *degrees = g_ascii_strtod(text, &end);
    return end != text && *end == '\0';
}

static bool form_degrees(const struct form_input *input, enum form_field field, double limit,
                         double *degrees, struct draft *draft)
{
    const char *text = input->texts[field];
    if (text == NULL)
        form_required(draft, field);
    else if (!form_read_degrees(text, degrees))
        draft_problem(draft, form_field_name(field), PROBLEM_WRONG_TYPE);
    else if (*degrees < -limit || *degrees > limit)
        draft_problem(draft, form_field_name(field), PROBLEM_OUT_OF_RANGE);
    else
        return true;
    return false;
}

static void form_point(struct form_input *input, struct draft *draft)
{
    double lat = 0, lon = 0;
    if (input->texts[FORM_FIELD_LAT] == NULL && input->texts[FORM_FIELD_LON] == NULL)
        return;
    bool lat_fits = form_degrees(input, FORM_FIELD_LAT, 90, &lat, draft);
    bool lon_fits = form_degrees(input, FORM_FIELD_LON, 180, &lon, draft);
    if (!lat_fits || !lon_fits)
        return;
    draft->has_point = true;
    draft->lat = lat;
    draft->lon = lon;
    draft->point_source = mem_strdup("device");
}

static unsigned form_read_digits(const char *text, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

/* Whether text is a day of the Gregorian calendar, "2026-11-20". */
static bool form_is_date(const char *text)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof shape; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !digit : text[i] != shape[i])
            return false;
    }
    return g_date_valid_dmy((GDateDay)form_read_digits(text + 8, 2),
                            (GDateMonth)form_read_digits(text + 5, 2),
                            (GDateYear)form_read_digits(text, 4));
}

/* A day that has not come yet anywhere near the city's clock is a slip of the hand. */
static const char *form_date_problem(const char *date, int64_t received_ms)
{
    char latest[REPORT_TIME_SIZE];
    if (!form_is_date(date))
        return PROBLEM_WRONG_TYPE;
    report_time(received_ms + FORM_DAY_MS, latest);
    bool future = strncmp(date, latest, REPORT_DAY_LEN) > 0;
    return future || strcmp(date, FORM_DATE_OLDEST) < 0 ? PROBLEM_OUT_OF_RANGE : NULL;
}

static void form_date(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    draft->typed_date = form_take(input, FORM_FIELD_DATE);
    if (draft->typed_date == NULL)
        return;
    const char *problem = form_date_problem(draft->typed_date, in->received_ms);
    if (problem != NULL)
        draft_problem(draft, "date", problem);
}

/* The date becomes the first line of the remarks, unless the form goes back: then each stands in
 * its own field. Called when everything else was judged. */
static void form_additional(struct form_input *input, struct draft *draft)
{
    draft->additional = form_take(input, FORM_FIELD_ADDITIONAL);
    if (draft->typed_date == NULL || draft->problem_count > 0)
        return;
    struct buf text = BUF_INIT(INBOUND_RAW_MAX + sizeof FORM_DATE_WORDS + REPORT_DAY_LEN);
    buf_addf(&text, FORM_DATE_WORDS "%s", draft->typed_date);
    if (draft->additional != NULL)
        buf_addf(&text, "\n%s", draft->additional);
    free(draft->additional);
    draft->additional = buf_detach(&text, NULL);
}

/* What can be answered: a mail address or a phone number. Anything else goes back as it was typed.
 */
static void form_contact(struct form_input *input, struct draft *draft)
{
    char phone[PHONE_SIZE];
    char *contact = form_take(input, FORM_FIELD_CONTACT);
    if (contact == NULL)
        return;
    char *mail = mail_address_check(contact);
    if (mail != NULL) {
        draft->reporter.address_kind = mem_strdup("email");
        draft->reporter.address = mail;
        free(contact);
    } else if (phone_parse(contact, phone) == 0) {
        draft->reporter.address_kind = mem_strdup("phone");
        draft->reporter.address = mem_strdup(phone);
        free(contact);
    } else {
        draft_problem(draft, "contact", PROBLEM_UNKNOWN_VALUE);
        draft->reporter.address_kind = mem_strdup("unknown");
        draft->reporter.address = contact;
    }
}

static void form_no_reply(struct form_input *input, struct draft *draft)
{
    static const struct {
        const char *text;
        bool no_reply;
    } words[] = {{"1", true},  {"on", true},   {"true", true},   {"yes", true},
                 {"0", false}, {"off", false}, {"false", false}, {"no", false}};
    const char *text = input->texts[FORM_FIELD_NO_REPLY];
    if (text == NULL)
        return;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].text) == 0) {
            draft->reporter.no_reply = words[i].no_reply;
            return;
        }
    }
    draft_problem(draft, "no_reply", PROBLEM_UNKNOWN_VALUE);
}

/* Photos of a refused form are not carried back: no page could show them again. */
static void form_photos(struct form_input *input, struct draft *draft)
{
    for (size_t i = 0; i < input->photo_count && draft->problem_count == 0; i++) {
        struct form_photo *photo = &input->photos[i];
        draft_attach(draft, photo->name, photo_sniff(photo->data, photo->len), photo->data,
                     photo->len);
        photo->data = NULL;
    }
}

static void form_judge(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    form_story(in, input, draft);
    draft->location_text = form_take(input, FORM_FIELD_LOCATION);
    form_point(input, draft);
    form_category(in, input, draft);
    form_date(in, input, draft);
    form_visibility(input, draft);
    draft->reporter.name = form_take(input, FORM_FIELD_NAME);
    form_contact(input, draft);
    form_no_reply(input, draft);
    form_additional(input, draft);
    form_photos(input, draft);
}

int form_parse(const struct inbound *in, draft_sink *sink, void *context, struct err *err)
{
    struct form_input input = {0};
    struct draft draft;
    draft_init(&draft);
    if (form_read(in, &input, &draft) == 0) {
        form_identify(&input, &draft);
        form_judge(in, &input, &draft);
    } else {
        form_identify_malformed(in, &draft);
        draft_problem(&draft, "body", PROBLEM_MALFORMED);
    }
    int result = sink(context, &draft, err);
    draft_release(&draft);
    form_input_release(&input);
    return result;
}
