/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a mailbox: found, measured, fetched, marked. Sources: libetpan 1.9.4 mailimap.h,
 * RFC 3501 section 6.4, 4315 (UIDPLUS), 6851 (MOVE). */
#include "adapters/email_imap_call.h"

#include <stdlib.h>
#include <time.h>

#include "normalize/mem.h"

enum {
    IMAP_SEARCH_BYTES = 64 * 1024 * 1024, /* 11 bytes for each of 5 million messages */
    IMAP_EARLIEST_YEAR = 2000,            /* an older INTERNALDATE is a broken clock */
};

static int imap_compare_uids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* "n:*" always names the newest message, also when its UID is below n (RFC 3501, 6.4.8). */
static size_t imap_take_uids(clist *found, uint32_t after, uint32_t **uids)
{
    size_t n = 0;
    *uids = mem_calloc((size_t)clist_count(found), sizeof **uids);
    for (clistiter *it = clist_begin(found); it != NULL; it = clist_next(it)) {
        uint32_t uid = *(const uint32_t *)clist_content(it);
        if (uid > after)
            (*uids)[n++] = uid;
    }
    qsort(*uids, n, sizeof **uids, imap_compare_uids);
    return n;
}

int email_imap_search(struct email_imap *imap, uint32_t after, uint32_t **uids, size_t *n,
                      struct err *err)
{
    clist *found = NULL;
    *uids = NULL;
    *n = 0;
    if (after == UINT32_MAX)
        return 0;
    struct mailimap_search_key *key =
        mailimap_search_key_new_uid(mailimap_set_new_interval(after + 1, 0));
    if (key == NULL)
        abort();
    email_imap_limit(imap, IMAP_SEARCH_BYTES);
    int code = mailimap_uid_search(imap->session, NULL, key, &found);
    mailimap_search_key_free(key);
    if (email_imap_settle(imap, code, "look for new mail", err) != 0)
        return -1;
    *n = imap_take_uids(found, after, uids);
    mailimap_search_result_free(found);
    return 0;
}

/* The set of ascending UIDs, as ranges. */
static struct mailimap_set *imap_uid_set(const uint32_t *uids, size_t n)
{
    struct mailimap_set *set = mailimap_set_new_empty();
    size_t first = 0;
    for (size_t i = 1; set != NULL && i <= n; i++) {
        if (i < n && uids[i] == uids[i - 1] + 1)
            continue;
        if (mailimap_set_add_interval(set, uids[first], uids[i - 1]) != MAILIMAP_NO_ERROR)
            abort();
        first = i;
    }
    if (set == NULL)
        abort();
    return set;
}

static struct mailimap_set *imap_item_set(const struct email_item *items, size_t n)
{
    uint32_t *uids = mem_calloc(n, sizeof *uids);
    for (size_t i = 0; i < n; i++)
        uids[i] = items[i].uid;
    struct mailimap_set *set = imap_uid_set(uids, n);
    free(uids);
    return set;
}

static int64_t imap_internal_ms(const struct mailimap_date_time *when)
{
    struct tm tm = {.tm_year = when->dt_year - 1900,
                    .tm_mon = when->dt_month - 1,
                    .tm_mday = when->dt_day,
                    .tm_hour = when->dt_hour,
                    .tm_min = when->dt_min,
                    .tm_sec = when->dt_sec};
    int64_t zone_s = (when->dt_zone / 100 * 60 + when->dt_zone % 100) * (int64_t)60;
    return when->dt_year < IMAP_EARLIEST_YEAR ? 0 : ((int64_t)timegm(&tm) - zone_s) * 1000;
}

static int imap_compare_item(const void *uid, const void *item)
{
    return imap_compare_uids(uid, &((const struct email_item *)item)->uid);
}

/* One static attribute of an answer into what is known of its message so far. */
static void imap_take_attribute(const struct mailimap_msg_att_static *att, struct email_item *item)
{
    switch (att->att_type) {
    case MAILIMAP_MSG_ATT_UID:
        item->uid = att->att_data.att_uid;
        break;
    case MAILIMAP_MSG_ATT_RFC822_SIZE:
        item->size = att->att_data.att_rfc822_size;
        item->sized = true;
        break;
    case MAILIMAP_MSG_ATT_INTERNALDATE:
        if (att->att_data.att_internal_date != NULL)
            item->internal_ms = imap_internal_ms(att->att_data.att_internal_date);
        break;
    case MAILIMAP_MSG_ATT_BODY_SECTION:
        if (att->att_data.att_body_section != NULL &&
            att->att_data.att_body_section->sec_length > 0 && item->raw == NULL) {
            item->raw_len = att->att_data.att_body_section->sec_length;
            item->raw = mem_strndup(att->att_data.att_body_section->sec_body_part, item->raw_len);
        }
        break;
    default:
        break;
    }
}

/* Answers come in any order, and with some that nobody asked for: each finds its item by UID. */
static void imap_take_answer(const struct mailimap_msg_att *answer, struct email_item *items,
                             size_t n)
{
    struct email_item got = {.uid = 0};
    for (clistiter *it = clist_begin(answer->att_list); it != NULL; it = clist_next(it)) {
        const struct mailimap_msg_att_item *att = clist_content(it);
        if (att->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
            imap_take_attribute(att->att_data.att_static, &got);
    }
    struct email_item *item = bsearch(&got.uid, items, n, sizeof *items, imap_compare_item);
    if (item != NULL && got.sized) {
        item->size = got.size;
        item->sized = true;
        item->internal_ms = got.internal_ms;
    }
    if (item != NULL && got.raw != NULL && item->raw == NULL) {
        item->raw = got.raw;
        item->raw_len = got.raw_len;
        return;
    }
    free(got.raw);
}

static void imap_want(struct mailimap_fetch_type *type, struct mailimap_fetch_att *att)
{
    if (att == NULL || mailimap_fetch_type_new_fetch_att_list_add(type, att) != MAILIMAP_NO_ERROR)
        abort();
}

/* Takes type. */
static int imap_fetch(struct email_imap *imap, struct mailimap_fetch_type *type,
                      struct email_item *items, size_t n, const char *what, struct err *err)
{
    struct mailimap_set *set = imap_item_set(items, n);
    clist *answers = NULL;
    int code = mailimap_uid_fetch(imap->session, set, type, &answers);
    mailimap_set_free(set);
    mailimap_fetch_type_free(type);
    if (email_imap_settle(imap, code, what, err) != 0)
        return -1;
    for (clistiter *it = clist_begin(answers); it != NULL; it = clist_next(it))
        imap_take_answer(clist_content(it), items, n);
    mailimap_fetch_list_free(answers);
    return 0;
}

static struct mailimap_fetch_type *imap_new_fetch_type(void)
{
    struct mailimap_fetch_type *type = mailimap_fetch_type_new_fetch_att_list_empty();
    if (type == NULL)
        abort();
    imap_want(type, mailimap_fetch_att_new_uid());
    return type;
}

int email_imap_sizes(struct email_imap *imap, struct email_item *items, size_t n, struct err *err)
{
    struct mailimap_fetch_type *type = imap_new_fetch_type();
    imap_want(type, mailimap_fetch_att_new_rfc822_size());
    imap_want(type, mailimap_fetch_att_new_internaldate());
    email_imap_limit(imap, IMAP_SMALL_BYTES);
    return imap_fetch(imap, type, items, n, "ask the size of messages", err);
}

int email_imap_bodies(struct email_imap *imap, struct email_item *items, size_t n, bool partial,
                      struct err *err)
{
    struct mailimap_fetch_type *type = imap_new_fetch_type();
    struct mailimap_section *section = mailimap_section_new(NULL);
    size_t bytes = 0;
    if (section == NULL)
        abort();
    imap_want(type, partial ? mailimap_fetch_att_new_body_peek_section_partial(section, 0,
                                                                               EMAIL_PARTIAL_BYTES)
                            : mailimap_fetch_att_new_body_peek_section(section));
    for (size_t i = 0; i < n; i++)
        bytes += partial ? (size_t)EMAIL_PARTIAL_BYTES : items[i].size;
    /* Some servers only guess the size: twice that is still a bound. */
    email_imap_limit(imap, 2 * bytes + IMAP_SMALL_BYTES);
    return imap_fetch(imap, type, items, n, "fetch messages", err);
}

static int imap_store(struct email_imap *imap, struct mailimap_set *set, struct mailimap_flag *flag,
                      struct err *err)
{
    struct mailimap_flag_list *flags = mailimap_flag_list_new_empty();
    if (flags == NULL || flag == NULL || mailimap_flag_list_add(flags, flag) != MAILIMAP_NO_ERROR)
        abort();
    struct mailimap_store_att_flags *change = mailimap_store_att_flags_new_add_flags_silent(flags);
    if (change == NULL)
        abort();
    int code = mailimap_uid_store(imap->session, set, change);
    mailimap_store_att_flags_free(change);
    return email_imap_settle(imap, code, "flag messages", err);
}

/* Without UIDPLUS the messages stay, flagged: EXPUNGE would remove what others flagged too. */
static int imap_discard(struct email_imap *imap, struct mailimap_set *set, struct err *err)
{
    if (imap_store(imap, set, mailimap_flag_new_deleted(), err) != 0)
        return -1;
    if (!imap->can_uidplus)
        return 0;
    return email_imap_settle(imap, mailimap_uid_expunge(imap->session, set), "delete messages",
                             err);
}

static int imap_copy_or_move(struct email_imap *imap, struct mailimap_set *set, const char *folder)
{
    return imap->can_move ? mailimap_uid_move(imap->session, set, folder)
                          : mailimap_uid_copy(imap->session, set, folder);
}

static int imap_move(struct email_imap *imap, struct mailimap_set *set, struct err *err)
{
    const char *folder = imap->settings->move_to;
    int code = imap_copy_or_move(imap, set, folder);
    if (!email_imap_is_ok(code) && email_imap_trouble_of(imap, code) == EMAIL_REFUSED &&
        email_imap_is_ok(mailimap_create(imap->session, folder)))
        code = imap_copy_or_move(imap, set, folder);
    if (email_imap_settle(imap, code, "move messages", err) != 0)
        return -1;
    return imap->can_move ? 0 : imap_discard(imap, set, err);
}

int email_imap_mark(struct email_imap *imap, enum email_after after, const uint32_t *uids, size_t n,
                    struct err *err)
{
    int result = 0;
    if (n == 0 || after == EMAIL_KEEP)
        return 0;
    struct mailimap_set *set = imap_uid_set(uids, n);
    email_imap_limit(imap, IMAP_SMALL_BYTES);
    if (after == EMAIL_SEEN)
        result = imap_store(imap, set, mailimap_flag_new_seen(), err);
    else
        result = after == EMAIL_MOVE ? imap_move(imap, set, err) : imap_discard(imap, set, err);
    mailimap_set_free(set);
    return result;
}

void email_items_release(struct email_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(items[i].raw);
        items[i].raw = NULL;
    }
}
