/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys' life: read or made, derived, turned every minute, wiped. A thread of its own wipes the
 * minute key when it is due, because in a quiet night no caller comes by to do it.
 */
#include "gateway/seal_private.h"

#include "gateway/key_file.h"
#include "gateway/process.h"
#include "normalize/mem.h"

/* crypto_kdf's context and numbers: part of the stored format, never to be changed. */
static const char seal_context[crypto_kdf_CONTEXTBYTES] = "kanalgw1";

enum seal_subkey { SUBKEY_STORAGE = 1, SUBKEY_DEDUP, SUBKEY_INDEX, SUBKEY_PIN, SUBKEY_TOKEN };

static void seal_derive(struct seal_keys *keys, const unsigned char master[static KEY_SIZE])
{
    crypto_kdf_derive_from_key(keys->storage, SEAL_KEY_SIZE, SUBKEY_STORAGE, seal_context, master);
    crypto_kdf_derive_from_key(keys->dedup, SEAL_KEY_SIZE, SUBKEY_DEDUP, seal_context, master);
    crypto_kdf_derive_from_key(keys->index, SEAL_KEY_SIZE, SUBKEY_INDEX, seal_context, master);
    crypto_kdf_derive_from_key(keys->pin, SEAL_KEY_SIZE, SUBKEY_PIN, seal_context, master);
    crypto_kdf_derive_from_key(keys->token, SEAL_KEY_SIZE, SUBKEY_TOKEN, seal_context, master);
    randombytes_buf(keys->rate, SEAL_KEY_SIZE);
}

static void seal_wipe_minute(struct seal *seal)
{
    sodium_memzero(seal->keys->minute, SEAL_KEY_SIZE);
    seal->has_minute = false;
}

static void *seal_wiper(void *context)
{
    struct seal *seal = context;
    pthread_mutex_lock(&seal->lock);
    while (!seal->stopping) {
        if (!seal->has_minute) {
            pthread_cond_wait(&seal->changed, &seal->lock);
        } else if (clock_ms() >= seal->minute_wipe_ms) {
            seal_wipe_minute(seal);
        } else {
            struct timespec at = {.tv_sec = seal->minute_wipe_ms / 1000,
                                  .tv_nsec = seal->minute_wipe_ms % 1000 * 1000000};
            pthread_cond_timedwait(&seal->changed, &seal->lock, &at);
        }
    }
    pthread_mutex_unlock(&seal->lock);
    return NULL;
}

static void seal_new_minute(struct seal *seal, int64_t now_ms)
{
    randombytes_buf(seal->keys->minute, SEAL_KEY_SIZE);
    crypto_box_seal(seal->sealed_minute, seal->keys->minute, SEAL_KEY_SIZE, seal->vault_key);
    seal->minute_since_ms = now_ms;
    seal->minute_wipe_ms = clock_ms() + SEAL_MINUTE_MS;
    seal->has_minute = true;
    pthread_cond_signal(&seal->changed);
}

int seal_minute(struct seal *seal, int64_t now_ms, unsigned char key[static SEAL_KEY_SIZE],
                unsigned char sealed[static SEAL_SEALED_KEY_SIZE], struct err *err)
{
    int result = 0;
    pthread_mutex_lock(&seal->lock);
    int64_t age_ms = now_ms - seal->minute_since_ms;
    if (!seal->has_vault_key) {
        result = err_set(err, ERR_TRANSIENT, "the vault's key is not known yet");
    } else {
        if (!seal->has_minute || age_ms < 0 || age_ms >= SEAL_MINUTE_MS)
            seal_new_minute(seal, now_ms);
        memcpy(key, seal->keys->minute, SEAL_KEY_SIZE);
        memcpy(sealed, seal->sealed_minute, SEAL_SEALED_KEY_SIZE);
    }
    pthread_mutex_unlock(&seal->lock);
    return result;
}

void seal_set_vault_key(struct seal *seal, const unsigned char key[static SEAL_PUBLIC_KEY_SIZE])
{
    pthread_mutex_lock(&seal->lock);
    memcpy(seal->vault_key, key, SEAL_PUBLIC_KEY_SIZE);
    seal->has_vault_key = true;
    seal_wipe_minute(seal);
    pthread_mutex_unlock(&seal->lock);
}

static int seal_master(const struct secret *secret, const char *path, bool may_create,
                       bool *created, unsigned char master[static KEY_SIZE], struct err *err)
{
    *created = false;
    if (secret == NULL || secret->data == NULL)
        return key_file_open(path, may_create, master, created, err);
    if (key_parse(secret->data, secret->len, master) != 0)
        return err_set(err, ERR_CONFIG, "cannot use the key given: it must be 64 hex digits");
    return 0;
}

static void seal_init_lock(struct seal *seal)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&seal->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&seal->lock, NULL);
}

static void seal_free(struct seal *seal)
{
    pthread_cond_destroy(&seal->changed);
    pthread_mutex_destroy(&seal->lock);
    sodium_free(seal->keys);
    free(seal);
}

int seal_open(const struct secret *key, const char *path, bool may_create, bool *created,
              struct seal **out, struct err *err)
{
    unsigned char master[KEY_SIZE];
    if (sodium_init() < 0)
        return err_set(err, ERR_CONFIG, "cannot start libsodium");
    if (seal_master(key, path, may_create, created, master, err) != 0)
        return -1;
    struct seal *seal = mem_calloc(1, sizeof *seal);
    seal->keys = sodium_malloc(sizeof *seal->keys);
    if (seal->keys == NULL)
        abort();
    seal_derive(seal->keys, master);
    sodium_memzero(master, sizeof master);
    seal_init_lock(seal);
    if (process_thread(&seal->wiper, seal_wiper, seal, err) != 0) {
        seal_free(seal);
        return -1;
    }
    *out = seal;
    return 0;
}

void seal_close(struct seal *seal)
{
    if (seal == NULL)
        return;
    pthread_mutex_lock(&seal->lock);
    seal->stopping = true;
    pthread_cond_signal(&seal->changed);
    pthread_mutex_unlock(&seal->lock);
    pthread_join(seal->wiper, NULL);
    seal_free(seal);
}
