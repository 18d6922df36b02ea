/*
 * opening.c - key_init, key_exchange and handshake, member by member.
 */
#include "opening.h"

#include "base64.h"
#include "member.h"
#include "schema.h"
#include "text.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A secret that is longer is wrong anyway; the message that holds it is at most 4 KiB. */
enum { MAX_SECRET = 4096, MAX_DEVICE_ID = 256 };

/* ---- keys ---- */

/* `v` may be left out, null or 1. */
static bool is_other_version(const proto_member *v) {
    if (v->begin == NULL || v->kind == 'n')
        return false;
    return v->kind != '0' || v->value_len != 1 || v->value[0] != '1';
}

int proto_key_message_read(const uint8_t *text, size_t len, trivet_proto_type type, proto_key_message *out,
                           trivet_proto_error *err) {
    static const char *const names[] = {"type", "publicKey", "v"};
    proto_member found[3];
    char *key = NULL;
    int r = proto_members_find(text, len, names, 3, found, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (!proto_member_is(&found[0], trivet_proto_type_name(type)))
        return proto_refuse(err, "type", "is another");
    r = proto_member_string(&found[1], "publicKey", 1, 64, &key, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    uint8_t bytes[64];
    size_t bytes_len = 0;
    if (!proto_base64_decode(bytes, &bytes_len, key, strlen(key)) || bytes_len != sizeof out->public_key)
        r = proto_refuse(err, "publicKey", "expected 32 bytes in base64");
    else
        memcpy(out->public_key, bytes, sizeof out->public_key);
    free(key);
    out->other_version = is_other_version(&found[2]);
    return r;
}

int proto_key_message_write(trivet_proto_type type, const uint8_t public_key[static 32], uint8_t **out,
                            size_t *len) {
    char key[45] = "", text[128];
    proto_base64_encode(key, public_key, 32);
    int n = snprintf(text, sizeof text, "{\"type\":\"%s\",\"publicKey\":\"%s\"}",
                     trivet_proto_type_name(type), key);
    *out = malloc((size_t)n);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    memcpy(*out, text, (size_t)n);
    *len = (size_t)n;
    return TRIVET_PROTO_OK;
}

/* ---- handshake ---- */

void proto_handshake_release(proto_handshake *handshake) {
    if (handshake->secret != NULL)
        sodium_memzero(handshake->secret, strlen(handshake->secret));
    free(handshake->secret);
    free(handshake->device_id);
    *handshake = (proto_handshake){NULL, NULL, 0};
}

int proto_handshake_read(const uint8_t *text, size_t len, proto_handshake *out, trivet_proto_error *err) {
    static const char *const names[] = {"type", "deviceId", "lastSyncTimestamp", "pairingSecret"};
    proto_member found[4];
    *out = (proto_handshake){NULL, NULL, 0};
    int r = proto_members_find(text, len, names, 4, found, err);
    if (r == TRIVET_PROTO_OK && !proto_member_is(&found[0], "handshake"))
        r = proto_refuse(err, "type", "is another");
    if (r == TRIVET_PROTO_OK)
        r = proto_member_string(&found[1], names[1], 1, MAX_DEVICE_ID, &out->device_id, err);
    if (r == TRIVET_PROTO_OK)
        r = proto_member_time(&found[2], names[2], &out->last_sync, err);
    if (r == TRIVET_PROTO_OK)
        r = proto_member_string(&found[3], names[3], 0, MAX_SECRET, &out->secret, err);
    if (r != TRIVET_PROTO_OK)
        proto_handshake_release(out);
    return r;
}

int proto_handshake_write(const char *secret, const char *device_id, int64_t last_sync, size_t headroom,
                          uint8_t **out, size_t *len) {
    *out = malloc(headroom + 128 + 6 * (strlen(secret) + strlen(device_id)));
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *begin = (char *)*out + headroom, *to = begin;
    to = stpcpy(to, "{\"type\":\"handshake\",\"deviceId\":");
    to = proto_text_write(to, device_id);
    to += sprintf(to, ",\"lastSyncTimestamp\":%lld,\"pairingSecret\":", (long long)last_sync);
    to = proto_text_write(to, secret);
    *to++ = '}';
    *len = (size_t)(to - begin);
    return TRIVET_PROTO_OK;
}
