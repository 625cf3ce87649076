/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections each address holds at this moment. IPv6 counts by /64, which is what one
 * subscriber gets. Nothing is kept of an address without a connection. Thread-safe.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "gateway/http_private.h"
#include "normalize/mem.h"

enum { PEER_BUCKETS = 1024 };

struct peer {
    struct peer *next;
    unsigned char key[HTTP_PEER_KEY_SIZE];
    unsigned count;
};

struct http_peers {
    pthread_mutex_t lock;
    unsigned max;
    struct peer *buckets[PEER_BUCKETS];
};

struct http_peers *http_peers_new(unsigned max)
{
    struct http_peers *peers = mem_calloc(1, sizeof(*peers));

    pthread_mutex_init(&peers->lock, NULL);
    peers->max = max;
    return peers;
}

void http_peers_free(struct http_peers *peers)
{
    for (size_t i = 0; i < PEER_BUCKETS; i++) {
        struct peer *next;

        for (struct peer *peer = peers->buckets[i]; peer != NULL; peer = next) {
            next = peer->next;
            free(peer);
        }
    }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

void http_peer_key(const struct sockaddr *address, unsigned char key[static HTTP_PEER_KEY_SIZE])
{
    memset(key, 0, HTTP_PEER_KEY_SIZE);
    if (address == NULL)
        return;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof(v4));
        key[0] = 4;
        memcpy(key + 1, &v4.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof(v6));
        key[0] = 6;
        memcpy(key + 1, &v6.sin6_addr, 8);
    }
}

void http_peer_text(const struct sockaddr *address, bool whole, char text[static HTTP_CLIENT_SIZE])
{
    unsigned char key[HTTP_PEER_KEY_SIZE];

    http_peer_key(address, key);
    if (key[0] == 4) {
        inet_ntop(AF_INET, key + 1, text, HTTP_CLIENT_SIZE);
    } else if (key[0] == 6) {
        if (whole) {
            struct sockaddr_in6 v6;

            memcpy(&v6, address, sizeof(v6));
            memcpy(key + 1, &v6.sin6_addr, 16);
        }
        inet_ntop(AF_INET6, key + 1, text, HTTP_CLIENT_SIZE);
    } else {
        snprintf(text, HTTP_CLIENT_SIZE, "unix");
    }
}

/* FNV-1a: the table is small and an attacker gains nothing but a longer list of own addresses. */
static struct peer **bucket(struct http_peers *peers, const unsigned char *key)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < HTTP_PEER_KEY_SIZE; i++)
        hash = (hash ^ key[i]) * 16777619U;
    return &peers->buckets[hash % PEER_BUCKETS];
}

/* The link to the entry of key, or to the end of its list. */
static struct peer **find(struct http_peers *peers, const unsigned char *key)
{
    struct peer **link = bucket(peers, key);

    while (*link != NULL && memcmp((*link)->key, key, HTTP_PEER_KEY_SIZE) != 0)
        link = &(*link)->next;
    return link;
}

bool http_peers_full(struct http_peers *peers, const unsigned char *key)
{
    struct peer *peer;
    bool full;

    pthread_mutex_lock(&peers->lock);
    peer = *find(peers, key);
    full = peers->max != 0 && peer != NULL && peer->count >= peers->max;
    pthread_mutex_unlock(&peers->lock);
    return full;
}

void http_peers_add(struct http_peers *peers, const unsigned char *key)
{
    struct peer **link;

    pthread_mutex_lock(&peers->lock);
    link = find(peers, key);
    if (*link == NULL) {
        *link = mem_calloc(1, sizeof(**link));
        memcpy((*link)->key, key, HTTP_PEER_KEY_SIZE);
    }
    (*link)->count++;
    pthread_mutex_unlock(&peers->lock);
}

void http_peers_remove(struct http_peers *peers, const unsigned char *key)
{
    struct peer **link, *peer;

    pthread_mutex_lock(&peers->lock);
    link = find(peers, key);
    peer = *link;
    if (peer != NULL && --peer->count == 0) {
        *link = peer->next;
        free(peer);
    }
    pthread_mutex_unlock(&peers->lock);
}
