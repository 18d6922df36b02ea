/* An array of keys, sought from end to end: pairings are few, and the time tells nothing. */
#include "serve/roster.h"

#include "net/proof.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct key {
    char id[DEVICE_ID_LEN + 1];
    uint8_t key[PROOF_KEY_LEN];
};

struct roster {
    size_t devices, key_count;
    struct key *keys;
    const char **names;
    uint8_t nobody[PROOF_KEY_LEN];
};

static bool is_name(const char *place) {
    struct sockaddr_storage unused;
    return place[0] && place[0] != '[' && uv_ip4_addr(place, 0, (struct sockaddr_in *)(void *)&unused) != 0;
}

/* Codes that wait to be used count for names, and for proofs. */
static bool add(roster *r, store *s, const device *d, size_t *names) {
    store_error err = STORE_ERROR_INIT;
    struct key *key = &r->keys[r->key_count];

    if (d->revoked_at != 0)
        return true;
    r->devices += d->lapses_at == 0;
    if (is_name(d->host) && !(r->names[(*names)++] = strdup(d->host)))
        return false;
    if (device_secret_hash(s, d->id, key->key, &err) == 0) {
        memcpy(key->id, d->id, sizeof key->id);
        r->key_count++;
    }
    return true;
}

roster *roster_read(store *s) {
    store_error err = STORE_ERROR_INIT;
    roster *r = calloc(1, sizeof *r);
    device *list = NULL;
    size_t count = 0, names = 0;
    bool good = r && device_list(s, &list, &count, &err) == 0;

    if (good) {
        randombytes_buf(r->nobody, sizeof r->nobody);
        r->keys = calloc(count + 1, sizeof *r->keys);
        r->names = calloc(count + 1, sizeof *r->names);
        good = r->keys && r->names;
    }
    for (size_t i = 0; i < count && good; i++)
        good = add(r, s, &list[i], &names);
    free(list);
    if (!good) {
        roster_free(r);
        return NULL;
    }
    return r;
}

void roster_free(roster *r) {
    if (!r)
        return;
    for (size_t i = 0; r->names && r->names[i]; i++)
        free((char *)(uintptr_t)r->names[i]);
    if (r->keys)
        sodium_memzero(r->keys, r->key_count * sizeof *r->keys);
    free(r->keys);
    free(r->names);
    free(r);
}

size_t roster_devices(const roster *r) {
    return r ? r->devices : 0;
}

const char *const *roster_names(const roster *r) {
    return r ? r->names : NULL;
}

static const uint8_t *key_of(const roster *r, const char *id, size_t len) {
    const uint8_t *found = r->nobody;

    for (size_t i = 0; i < r->key_count && len == DEVICE_ID_LEN; i++)
        if (sodium_memcmp(r->keys[i].id, id, DEVICE_ID_LEN) == 0)
            found = r->keys[i].key;
    return found;
}

/* /prove/DEVICE/NONCE; *id is borrowed. */
static bool read_question(const char *path, const char **id, size_t *id_len,
                          uint8_t nonce[static PROOF_NONCE_LEN]) {
    static const char prefix[] = "/prove/";
    const char *slash;
    size_t len = 0;

    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return false;
    *id = path + sizeof prefix - 1;
    if (!(slash = strchr(*id, '/')) || strlen(slash + 1) != 2 * PROOF_NONCE_LEN)
        return false;
    *id_len = (size_t)(slash - *id);
    return sodium_hex2bin(nonce, PROOF_NONCE_LEN, slash + 1, 2 * PROOF_NONCE_LEN, NULL, &len, NULL) == 0 &&
           len == PROOF_NONCE_LEN;
}

char *roster_prove(const roster *r, const http_request *request) {
    uint8_t nonce[PROOF_NONCE_LEN], salt[PROOF_SALT_LEN], proof[PROOF_LEN];
    const char *id;
    size_t len;
    char *text;

    if (!r || !read_question(request->path, &id, &len, nonce))
        return NULL;
    randombytes_buf(salt, sizeof salt);
    if (!proof_make(key_of(r, id, len), nonce, salt, request->local, request->local_port, proof) ||
        !(text = malloc(2 * sizeof proof + 1)))
        return NULL;
    return sodium_bin2hex(text, 2 * sizeof proof + 1, proof, sizeof proof);
}
