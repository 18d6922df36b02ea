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

/* Left out and null are 1. */
static int version_of(const proto_member *v) {
    if (v->begin == NULL || v->kind == 'n')
        return 1;
    if (v->kind != '0' || v->value_len != 1)
        return 0;
    return v->value[0] == '1' ? 1 : v->value[0] == '2' ? 2 : 0;
}

static int read_32_bytes(const proto_member *member, const char *name, uint8_t out[static 32],
                         trivet_proto_error *err) {
    char *text = NULL;
    uint8_t bytes[64];
    size_t len = 0;
    int r = proto_member_string(member, name, 1, 64, &text, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (!proto_base64_decode(bytes, &len, text, strlen(text)) || len != 32)
        r = proto_refuse(err, name, "expected 32 bytes in base64");
    else
        memcpy(out, bytes, 32);
    free(text);
    return r;
}

static int read_identity(const proto_member *device, const proto_member *gen, proto_key_message *out,
                         trivet_proto_error *err) {
    char *id = NULL;
    int r = proto_member_string(device, "device", 1, sizeof out->device - 1, &id, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    memcpy(out->device, id, strlen(id) + 1);
    free(id);
    if (gen->begin == NULL || gen->kind != '0' || gen->value_len != 1 ||
        (gen->value[0] != '0' && gen->value[0] != '1'))
        return proto_refuse(err, "gen", "expected 0 or 1");
    out->gen = gen->value[0] - '0';
    return TRIVET_PROTO_OK;
}

int proto_key_message_read(const uint8_t *text, size_t len, trivet_proto_type type, proto_key_message *out,
                           trivet_proto_error *err) {
    enum { TYPE, PUBLIC_KEY, VERSION, DEVICE, GEN, PROOF, COUNT };
    static const char *const names[COUNT] = {"type", "publicKey", "v", "device", "gen", "proof"};
    proto_member found[COUNT];
    memset(out, 0, sizeof *out);
    int r = proto_members_find(text, len, names, COUNT, found, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (!proto_member_is(&found[TYPE], trivet_proto_type_name(type)))
        return proto_refuse(err, "type", "is another");
    r = read_32_bytes(&found[PUBLIC_KEY], names[PUBLIC_KEY], out->public_key, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    out->version = version_of(&found[VERSION]);
    if (out->version != 2)
        return TRIVET_PROTO_OK;
    return type == TRIVET_PROTO_KEY_INIT ? read_identity(&found[DEVICE], &found[GEN], out, err)
                                         : read_32_bytes(&found[PROOF], names[PROOF], out->proof, err);
}

int proto_key_message_write(trivet_proto_type type, const proto_key_message *message, uint8_t **out,
                            size_t *len) {
    char key[45] = "", proof[45] = "", text[192 + 6 * sizeof message->device];
    proto_base64_encode(key, message->public_key, 32);
    char *to =
        text + sprintf(text, "{\"type\":\"%s\",\"publicKey\":\"%s\"", trivet_proto_type_name(type), key);
    if (message->version == 2 && type == TRIVET_PROTO_KEY_INIT) {
        to = proto_text_write(stpcpy(to, ",\"v\":2,\"device\":"), message->device);
        to += sprintf(to, ",\"gen\":%d", message->gen);
    } else if (message->version == 2) {
        proto_base64_encode(proof, message->proof, 32);
        to += sprintf(to, ",\"v\":2,\"proof\":\"%s\"", proof);
    }
    to = stpcpy(to, "}");
    *len = (size_t)(to - text);
    *out = malloc(*len);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    memcpy(*out, text, *len);
    return TRIVET_PROTO_OK;
}

/* ---- handshake ---- */

void proto_handshake_release(proto_handshake *handshake) {
    if (handshake->secret != NULL)
        sodium_memzero(handshake->secret, strlen(handshake->secret));
    free(handshake->secret);
    free(handshake->device_id);
    *handshake = (proto_handshake){NULL, NULL, 0, 0};
}

int proto_handshake_read(const uint8_t *text, size_t len, int version, proto_handshake *out,
                         trivet_proto_error *err) {
    enum { COUNT = 5 };
    static const char *const names[COUNT] = {"type", "deviceId", "lastSyncTimestamp", "pairingSecret", "now"};
    proto_member found[COUNT];
    *out = (proto_handshake){NULL, NULL, 0, 0};
    int r = proto_members_find(text, len, names, COUNT, found, err);
    if (r == TRIVET_PROTO_OK && !proto_member_is(&found[0], "handshake"))
        r = proto_refuse(err, "type", "is another");
    if (r == TRIVET_PROTO_OK)
        r = proto_member_string(&found[1], names[1], 1, MAX_DEVICE_ID, &out->device_id, err);
    if (r == TRIVET_PROTO_OK)
        r = proto_member_time(&found[2], names[2], &out->last_sync, err);
    if (r == TRIVET_PROTO_OK)
        r = version == 1 ? proto_member_string(&found[3], names[3], 0, MAX_SECRET, &out->secret, err)
                         : proto_member_time(&found[4], names[4], &out->clock, err);
    if (r != TRIVET_PROTO_OK)
        proto_handshake_release(out);
    return r;
}

int proto_handshake_write(const proto_handshake *handshake, size_t headroom, uint8_t **out, size_t *len) {
    const char *secret = handshake->secret;
    *out =
        malloc(headroom + 128 + 6 * ((secret != NULL ? strlen(secret) : 0) + strlen(handshake->device_id)));
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *begin = (char *)*out + headroom, *to = begin;
    to = stpcpy(to, "{\"type\":\"handshake\",\"deviceId\":");
    to = proto_text_write(to, handshake->device_id);
    to += sprintf(to, ",\"lastSyncTimestamp\":%lld", (long long)handshake->last_sync);
    if (secret != NULL)
        to = proto_text_write(stpcpy(to, ",\"pairingSecret\":"), secret);
    else
        to += sprintf(to, ",\"now\":%lld", (long long)handshake->clock);
    *to++ = '}';
    *len = (size_t)(to - begin);
    return TRIVET_PROTO_OK;
}
