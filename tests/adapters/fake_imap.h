/* SPDX-License-Identifier: Apache-2.0 */
/* A small IMAP server for tests: one mailbox, told to misbehave in named ways. */
#ifndef KANAL_TESTS_ADAPTERS_FAKE_IMAP_H
#define KANAL_TESTS_ADAPTERS_FAKE_IMAP_H

#include "mail_peer.h"

enum { FAKE_MAILS_MAX = 64 };

/* What goes wrong when the body of a mail is fetched. */
enum fake_fault {
    FAULT_NONE,
    FAULT_LITERAL_SHORT, /* announces fewer bytes than it sends */
    FAULT_LITERAL_HUGE,  /* announces four gigabytes */
    FAULT_GARBAGE,       /* a line that is no IMAP */
    FAULT_REFUSED,       /* NO */
    FAULT_EMPTY,         /* OK, but an empty body */
    FAULT_MISSING,       /* OK, without the message */
    FAULT_SILENT,        /* no answer any more */
    FAULT_BYE,           /* says good-bye in the middle and closes */
    FAULT_CLOSED,        /* ends inside the literal */
    FAULT_EXPUNGED,      /* somebody deletes it between its size and its body */
};

struct fake_mail {
    uint32_t uid;
    const char *body;
    size_t len;
    uint32_t claimed_size; /* RFC822.SIZE when not 0 */
    enum fake_fault fault;
    int times; /* how often it happens; 0: always */
    bool gone;
};

struct fake_imap {
    struct peer_listener listener;
    pthread_mutex_t lock;
    struct fake_mail mails[FAKE_MAILS_MAX];
    size_t n;
    uint32_t uidvalidity;
    uint32_t next_uidvalidity; /* not 0: once a connection ended in a fetch */
    const char *capabilities;  /* "" or " MOVE UIDPLUS" */
    const char *login_answer;  /* "OK in", "NO [AUTHENTICATIONFAILED] no" */
    const char *store_answer;  /* NULL: OK */
    const char *greeting;      /* NULL: the usual */
    const char *starttls_tail; /* sent unprotected behind the answer to STARTTLS */
    bool no_folder;            /* MOVE and COPY are refused until CREATE */
    bool eager_idle;           /* "+" and "* n EXISTS" in one packet */
    const struct peer_tls *tls;
    atomic_bool announce; /* one more mail has come: IDLE says so */
};

static inline bool fake_in_set(const char *set, uint32_t uid)
{
    while (*set != '\0' && *set != ' ') {
        char *end;
        unsigned long from = *set == '*' ? UINT32_MAX : strtoul(set, &end, 10), to;

        to = from;
        if (*set == '*')
            end = (char *)(uintptr_t)(set + 1);
        if (*end == ':')
            to = end[1] == '*' ? (end += 2, UINT32_MAX) : strtoul(end + 1, &end, 10);
        if (uid >= from && uid <= to)
            return true;
        set = *end == ',' ? end + 1 : end;
    }
    return false;
}

static inline void fake_send_body(struct peer *peer, size_t i, const struct fake_mail *mail,
                                  size_t len, bool partial)
{
    peer_say(peer, "* %zu FETCH (UID %u BODY[]%s {%zu}", i + 1, mail->uid, partial ? "<0>" : "",
             len);
    peer_write(peer, mail->body, len);
    peer_say(peer, ")");
}

/* Sends the body of one mail as its fault says: false ends the connection. */
static inline bool fake_body(struct peer *peer, size_t i, struct fake_mail *mail, bool partial,
                             bool *refused)
{
    size_t len = partial && mail->len > 65536 ? 65536 : mail->len;
    enum fake_fault fault = mail->fault;
    char line[64];

    if (mail->times > 0 && --mail->times == 0)
        mail->fault = FAULT_NONE;
    switch (fault) {
    case FAULT_LITERAL_SHORT:
        peer_say(peer, "* %zu FETCH (UID %u BODY[] {%zu}", i + 1, mail->uid, len - 3);
        peer_write(peer, mail->body, len);
        peer_say(peer, ")");
        return true;
    case FAULT_LITERAL_HUGE:
        peer_say(peer, "* %zu FETCH (UID %u BODY[] {4000000000}", i + 1, mail->uid);
        for (int n = 0; n < 64; n++) {
            static const char zeros[65536];

            peer_write(peer, zeros, sizeof zeros);
        }
        return peer_line(peer, line, sizeof line);
    case FAULT_GARBAGE:
        peer_say(peer, "%%%% <html>502 Bad Gateway</html> (((");
        return true;
    case FAULT_REFUSED:
        *refused = true;
        return true;
    case FAULT_EMPTY:
        peer_say(peer, "* %zu FETCH (UID %u BODY[] \"\")", i + 1, mail->uid);
        return true;
    case FAULT_MISSING:
        return true;
    case FAULT_EXPUNGED:
        mail->gone = true;
        return true;
    case FAULT_SILENT:
        while (peer_line(peer, line, sizeof line))
            continue;
        return false;
    case FAULT_BYE:
        peer_say(peer, "* BYE restarting");
        return false;
    case FAULT_CLOSED:
        peer_say(peer, "* %zu FETCH (UID %u BODY[] {%zu}", i + 1, mail->uid, len);
        peer_write(peer, mail->body, len / 2);
        return false;
    default:
        fake_send_body(peer, i, mail, len, partial);
        return true;
    }
}

/* The connection ends; false, for callers to return. */
static inline bool fake_end(struct fake_imap *imap)
{
    if (imap->next_uidvalidity != 0)
        imap->uidvalidity = imap->next_uidvalidity;
    return false;
}

static inline bool fake_fetch(struct fake_imap *imap, struct peer *peer, const char *tag,
                              const char *set)
{
    bool bodies = strstr(set, "BODY.PEEK[]") != NULL;
    bool partial = strstr(set, "<0.65536>") != NULL;
    bool refused = false;

    tell("%s %.*s", partial ? "partial" : bodies ? "fetch" : "sizes", (int)strcspn(set, " "), set);
    for (size_t i = 0; i < imap->n; i++) {
        struct fake_mail *mail = &imap->mails[i];

        if (mail->gone || !fake_in_set(set, mail->uid))
            continue;
        if (!bodies)
            peer_say(peer,
                     "* %zu FETCH (UID %u RFC822.SIZE %u INTERNALDATE \"21-Nov-2025 10:00:00 "
                     "+0700\")",
                     i + 1, mail->uid,
                     mail->claimed_size != 0 ? mail->claimed_size : (uint32_t)mail->len);
        else if (!fake_body(peer, i, mail, partial, &refused))
            return fake_end(imap);
    }
    peer_say(peer, refused ? "%s NO [SERVERBUG] internal error" : "%s OK fetched", tag);
    return true;
}

static inline void fake_search(struct fake_imap *imap, struct peer *peer, const char *tag,
                               const char *set)
{
    char line[2048] = "* SEARCH";
    uint32_t newest = 0;
    size_t found = 0;

    tell("search %s", set);
    /* Not in order, and always the newest: both as RFC 3501 allows. */
    for (size_t i = imap->n; i > 0; i--) {
        const struct fake_mail *mail = &imap->mails[i - 1];

        if (mail->gone)
            continue;
        newest = newest > mail->uid ? newest : mail->uid;
        if (fake_in_set(set, mail->uid)) {
            snprintf(line + strlen(line), sizeof line - strlen(line), " %u", mail->uid);
            found++;
        }
    }
    if (found == 0 && newest != 0)
        snprintf(line + strlen(line), sizeof line - strlen(line), " %u", newest);
    peer_say(peer, "%s", line);
    peer_say(peer, "%s OK searched", tag);
}

static inline bool fake_idle(struct fake_imap *imap, struct peer *peer, const char *tag)
{
    char line[256], announced[64];

    tell("idle");
    snprintf(announced, sizeof announced, "* %zu EXISTS", imap->n);
    if (imap->eager_idle) {
        char both[128];

        snprintf(both, sizeof both, "+ idling\r\n%s", announced);
        peer_say(peer, "%s", both);
    } else {
        peer_say(peer, "+ idling");
    }
    pthread_mutex_unlock(&imap->lock);
    while (!peer_has_input(peer, 20) && !atomic_load(peer->stop)) {
        if (atomic_exchange(&imap->announce, false))
            peer_say(peer, "%s", announced);
    }
    pthread_mutex_lock(&imap->lock);
    if (!peer_line(peer, line, sizeof line))
        return false;
    tell("%s", line);
    peer_say(peer, "%s OK idled", tag);
    return true;
}

static inline void fake_vanish(struct fake_imap *imap, const char *set)
{
    for (size_t i = 0; i < imap->n; i++)
        imap->mails[i].gone = imap->mails[i].gone || fake_in_set(set, imap->mails[i].uid);
}

static inline void fake_capabilities(const struct fake_imap *imap, struct peer *peer)
{
    peer_say(peer, "* CAPABILITY IMAP4rev1%s%s", imap->capabilities,
             imap->tls != NULL && imap->listener.tls == NULL && peer->tls == NULL ? " STARTTLS"
                                                                                  : "");
}

/* One command: false ends the connection. */
static inline bool fake_command(struct fake_imap *imap, struct peer *peer, char *line)
{
    char *tag = line, *verb = strchr(line, ' '), *rest;

    if (verb == NULL)
        return false;
    *verb++ = '\0';
    rest = verb + strcspn(verb, " ");
    if (strncmp(verb, "UID ", 4) == 0)
        rest = verb + 4 + strcspn(verb + 4, " ");
    if (*rest != '\0')
        *rest++ = '\0';
    if (strcmp(verb, "CAPABILITY") == 0) {
        fake_capabilities(imap, peer);
        peer_say(peer, "%s OK asked", tag);
    } else if (strcmp(verb, "STARTTLS") == 0) {
        char answer[256];

        tell("starttls");
        snprintf(answer, sizeof answer, "%s OK go%s%s", tag,
                 imap->starttls_tail != NULL ? "\r\n" : "",
                 imap->starttls_tail != NULL ? imap->starttls_tail : "");
        if (imap->tls == NULL)
            peer_say(peer, "%s BAD unknown", tag);
        else
            peer_say(peer, "%s", answer);
        return imap->tls == NULL || peer_start_tls(peer, imap->tls);
    } else if (strcmp(verb, "LOGIN") == 0 || strcmp(verb, "AUTHENTICATE") == 0) {
        tell("login%s %s", peer->tls != NULL ? " protected" : "", rest);
        peer_say(peer, "%s %s", tag, imap->login_answer);
    } else if (strcmp(verb, "SELECT") == 0) {
        tell("select");
        peer_say(peer, "* %zu EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Deleted)", imap->n);
        peer_say(peer, "* OK [UIDVALIDITY %u] valid", imap->uidvalidity);
        peer_say(peer, "%s OK [READ-WRITE] selected", tag);
    } else if (strcmp(verb, "UID SEARCH") == 0) {
        fake_search(imap, peer, tag, rest + 4); /* behind "UID " */
    } else if (strcmp(verb, "UID FETCH") == 0) {
        return fake_fetch(imap, peer, tag, rest);
    } else if (strcmp(verb, "UID STORE") == 0) {
        tell("store %s", rest);
        peer_say(peer, "%s %s", tag, imap->store_answer != NULL ? imap->store_answer : "OK stored");
    } else if (strcmp(verb, "UID MOVE") == 0 || strcmp(verb, "UID COPY") == 0) {
        tell("%s %s", verb + 4, rest);
        if (!imap->no_folder && verb[4] == 'M')
            fake_vanish(imap, rest);
        peer_say(peer, "%s %s", tag, imap->no_folder ? "NO [TRYCREATE] no such folder" : "OK done");
    } else if (strcmp(verb, "UID EXPUNGE") == 0) {
        tell("EXPUNGE %s", rest);
        fake_vanish(imap, rest);
        peer_say(peer, "%s OK expunged", tag);
    } else if (strcmp(verb, "CREATE") == 0) {
        tell("CREATE %s", rest);
        imap->no_folder = false;
        peer_say(peer, "%s OK created", tag);
    } else if (strcmp(verb, "IDLE") == 0) {
        return fake_idle(imap, peer, tag);
    } else if (strcmp(verb, "LOGOUT") == 0) {
        peer_say(peer, "* BYE bye");
        peer_say(peer, "%s OK out", tag);
        return false;
    } else {
        peer_say(peer, "%s BAD unknown", tag);
    }
    return true;
}

static inline void fake_serve(struct peer *peer, void *context)
{
    struct fake_imap *imap = context;
    char line[8192];
    bool going = true;

    tell("connect");
    peer_say(peer, "%s", imap->greeting != NULL ? imap->greeting : "* OK ready");
    while (going && peer_line(peer, line, sizeof line)) {
        pthread_mutex_lock(&imap->lock);
        going = fake_command(imap, peer, line);
        pthread_mutex_unlock(&imap->lock);
    }
}

static inline void fake_imap_start(struct fake_imap *imap)
{
    *imap = (struct fake_imap){.uidvalidity = 7, .capabilities = "", .login_answer = "OK in"};
    pthread_mutex_init(&imap->lock, NULL);
    imap->listener.serve = fake_serve;
    imap->listener.context = imap;
    peer_listen(&imap->listener);
}

static inline void fake_imap_stop(struct fake_imap *imap)
{
    peer_unlisten(&imap->listener);
    pthread_mutex_destroy(&imap->lock);
}

/* A mail more; body is borrowed. */
static inline struct fake_mail *fake_imap_add(struct fake_imap *imap, uint32_t uid,
                                              const char *body)
{
    struct fake_mail *mail;

    pthread_mutex_lock(&imap->lock);
    assert_true(imap->n < FAKE_MAILS_MAX);
    mail = &imap->mails[imap->n++];
    *mail = (struct fake_mail){.uid = uid, .body = body, .len = strlen(body)};
    pthread_mutex_unlock(&imap->lock);
    return mail;
}

#endif
