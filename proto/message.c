/*
 * message.c - the way of a message from text to its parts and back (protocol §3). What each type holds is in types.c.
 *
 * Three kinds of message are handled apart, for speed or memory: state_sync and sync_confirm hold a state,
 * which is cut out of the text or spliced into it and never becomes a tree; file_response holds a file, whose
 * base64 is checked and copied as one piece. All others are small and go through jansson, guarded as text.h
 * describes.
 */
#include "message.h"

#include "base64.h"
#include "member.h"
#include "schema.h"
#include "text.h"
#include "tree.h"
#include "types.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a state's outer shape ---- */

static const char *const state_keys[] = {
    "lists", "lockedLists", "listsCategories", "lockedListsCategories", "scratchpad", "scratchpadCategories"};

/* The keys of merge §1 hold arrays, or null or nothing: "no view". Any other key is data, unknown to us. */
static int check_state_member(const proto_member *member, const char *within, trivet_proto_error *err) {
    for (size_t i = 0; i < sizeof state_keys / sizeof *state_keys; i++) {
        if (!proto_scan_key_is(member, state_keys[i]))
            continue;
        if (member->kind == '[' || member->kind == 'n')
            return TRIVET_PROTO_OK;
        proto_refuse(err, "", "expected an array");
        snprintf(err->path, sizeof err->path, "%s%s", within, state_keys[i]);
        return TRIVET_PROTO_EINPUT;
    }
    return TRIVET_PROTO_OK;
}

/* Of a document by itself, of which `type` and `since` may be no part where they would be spliced in. */
static int check_state(const char *state, size_t len, bool spliced, const char *within,
                       trivet_proto_error *err) {
    proto_scan scan;
    proto_member member;
    int r;
    proto_scan_begin(&scan, state, len);
    while ((r = proto_scan_next(&scan, &member)) > 0) {
        if (check_state_member(&member, within, err) != TRIVET_PROTO_OK)
            return TRIVET_PROTO_EINPUT;
        if (spliced && (proto_scan_key_is(&member, "type") || proto_scan_key_is(&member, "since")))
            return proto_refuse(err, within, "a state has no type and no since");
    }
    return r == 0 ? TRIVET_PROTO_OK : proto_refuse(err, within, "no JSON object");
}

/* ---- reading: states ---- */

/* Moves all members but type and since together, in place: what is written never overtakes what is read. */
static int cut_state(char *text, size_t *len, const proto_outline *known, trivet_proto_error *err) {
    proto_scan scan;
    proto_member member;
    size_t to = 1;
    int r;
    proto_scan_begin_known(&scan, known, text, *len);
    while ((r = proto_scan_next(&scan, &member)) > 0) {
        if (check_state_member(&member, "", err) != TRIVET_PROTO_OK)
            return TRIVET_PROTO_EINPUT;
        if (proto_scan_key_is(&member, "type") || proto_scan_key_is(&member, "since"))
            continue;
        size_t size = (size_t)(member.value + member.value_len - member.begin);
        if (to > 1)
            text[to++] = ',';
        memmove(text + to, member.begin, size);
        to += size;
    }
    text[0] = '{'; /* white space may have stood there */
    text[to++] = '}';
    *len = to;
    return TRIVET_PROTO_OK;
}

static int decode_state_sync(uint8_t *text, size_t len, const proto_outline *known, trivet_proto_message *out,
                             trivet_proto_error *err) {
    static const char *const names[] = {"since"};
    proto_scan scan;
    proto_member since;
    proto_scan_begin_known(&scan, known, text, len);
    int r = proto_members_pick(&scan, names, 1, &since, err);
    if (r == TRIVET_PROTO_OK)
        r = proto_member_time(&since, "since", &out->since, err);
    if (r == TRIVET_PROTO_OK)
        r = cut_state((char *)text, &len, known, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    out->state = (char *)text;
    out->state_len = len;
    return TRIVET_PROTO_OK;
}

static int decode_sync_confirm(uint8_t *text, size_t len, const proto_outline *known,
                               trivet_proto_message *out, trivet_proto_error *err) {
    static const char *const names[] = {"mode", "appliedAt", "snapshot"};
    proto_scan scan;
    proto_member found[3];
    proto_scan_begin_known(&scan, known, text, len);
    int r = proto_members_pick(&scan, names, 3, found, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (proto_member_is(&found[0], "desktop-wins"))
        out->mode = TRIVET_PROTO_DESKTOP_WINS;
    else if (proto_member_is(&found[0], "phone-wins"))
        out->mode = TRIVET_PROTO_PHONE_WINS;
    else
        return proto_refuse(err, "mode", "expected phone-wins or desktop-wins");
    r = proto_member_time(&found[1], "appliedAt", &out->applied_at, err);
    if (r != TRIVET_PROTO_OK || found[2].begin == NULL || found[2].kind == 'n')
        return r;
    if (check_state(found[2].value, found[2].value_len, false, "snapshot.", err) != TRIVET_PROTO_OK)
        return TRIVET_PROTO_EINPUT;
    out->state_len = found[2].value_len;
    memmove(text, found[2].value, out->state_len);
    out->state = (char *)text;
    return TRIVET_PROTO_OK;
}

/* ---- reading: trees ---- */

/* Takes the base64 of a file_response out of the text. NULL and OK: there is none that could be. */
static int cut_data(char *text, size_t *len, json_t **out, trivet_proto_error *err) {
    static const char *const names[] = {"data"};
    proto_member data;
    *out = NULL;
    int r = proto_members_find(text, *len, names, 1, &data, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (data.kind != '"' || !proto_base64_valid(data.value + 1, data.value_len - 2))
        return TRIVET_PROTO_OK;
    *out = json_stringn_nocheck(data.value + 1, data.value_len - 2);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    size_t from = (size_t)(data.value + data.value_len - 1 - text), to = (size_t)(data.value + 1 - text);
    memmove(text + to, text + from, *len - from);
    *len -= from - to;
    return TRIVET_PROTO_OK;
}

static int decode_tree(char *text, size_t len, trivet_proto_message *out, trivet_proto_error *err) {
    json_t *data = NULL;
    int r = TRIVET_PROTO_OK;
    if (out->type == TRIVET_PROTO_FILE_RESPONSE)
        r = cut_data(text, &len, &data, err);
    if (r == TRIVET_PROTO_OK)
        r = proto_tree_read(text, len, &out->body, err);
    if (r == TRIVET_PROTO_OK && data != NULL && json_object_set(out->body, "data", data) != 0)
        r = TRIVET_PROTO_ENOMEM;
    if (r == TRIVET_PROTO_OK)
        r = proto_schema_check(out->body, proto_type_fields(out->type), true, &out->left_out, err);
    json_decref(data);
    return r;
}

/* ---- reading ---- */

static int type_of(proto_scan *scan, trivet_proto_type *type, trivet_proto_error *err) {
    static const char *const names[] = {"type"};
    proto_member member;
    *type = TRIVET_PROTO_UNKNOWN;
    int r = proto_members_pick(scan, names, 1, &member, err);
    if (r != TRIVET_PROTO_OK)
        return r;
    if (member.begin == NULL)
        return proto_refuse(err, "type", "is missing");
    if (member.kind != '"')
        return proto_refuse(err, "type", "expected a string");
    *type = proto_type_of(&member);
    return TRIVET_PROTO_OK;
}

int proto_message_type(const uint8_t *text, size_t len, trivet_proto_type *type, trivet_proto_error *err) {
    proto_scan scan;
    proto_scan_begin(&scan, text, len);
    return type_of(&scan, type, err);
}

/* Leaves `text` to the caller where out->state does not point to it. */
static int decode(uint8_t *text, size_t len, trivet_proto_way way, int version, trivet_proto_message *out,
                  trivet_proto_error *err) {
    proto_outline outline;
    proto_scan scan;
    proto_outline_make(&outline, text, len);
    proto_scan_begin_known(&scan, &outline, text, len);
    int r = type_of(&scan, &out->type, err);
    if (!proto_type_is_of(out->type, version))
        out->type = TRIVET_PROTO_UNKNOWN;
    if (r != TRIVET_PROTO_OK || out->type == TRIVET_PROTO_UNKNOWN)
        return r;
    if (!proto_type_goes(out->type, way))
        return proto_refuse(err, "type", "goes only the other way");
    if (out->type == TRIVET_PROTO_STATE_SYNC)
        return decode_state_sync(text, len, &outline, out, err);
    if (out->type == TRIVET_PROTO_SYNC_CONFIRM)
        return decode_sync_confirm(text, len, &outline, out, err);
    return decode_tree((char *)text, len, out, err);
}

int proto_message_decode_steal(uint8_t *text, size_t len, trivet_proto_way way, int version,
                               trivet_proto_message *out, trivet_proto_error *err) {
    memset(out, 0, sizeof *out);
    int r = decode(text, len, way, version, out, err);
    out->bytes = len;
    if (out->state != NULL) {
        out->state[out->state_len] = '\0';
    } else {
        if (out->type == TRIVET_PROTO_HANDSHAKE)
            sodium_memzero(text, len);
        free(text);
    }
    if (r != TRIVET_PROTO_OK) {
        trivet_proto_type type = out->type;
        trivet_proto_message_release(out);
        out->type = type;
    }
    return r;
}

int trivet_proto_message_decode(const uint8_t *data, size_t len, trivet_proto_way way,
                                trivet_proto_message *out, trivet_proto_error *err) {
    trivet_proto_error unused;
    memset(out, 0, sizeof *out);
    uint8_t *text = malloc(len + 1);
    if (text == NULL)
        return TRIVET_PROTO_ENOMEM;
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return proto_message_decode_steal(text, len, way, 2, out, err != NULL ? err : &unused);
}

void trivet_proto_message_release(trivet_proto_message *message) {
    json_decref(message->body);
    free(message->state);
    memset(message, 0, sizeof *message);
}

/* ---- writing ---- */

static bool is_time(int64_t time) {
    return time >= 0 && time <= 9007199254740991;
}

static int encode_state_sync(const trivet_proto_message *message, size_t headroom, uint8_t **out,
                             size_t *len) {
    trivet_proto_error unused;
    if (message->state == NULL || !is_time(message->since) ||
        check_state(message->state, message->state_len, true, "", &unused) != TRIVET_PROTO_OK)
        return TRIVET_PROTO_EINPUT;
    const char *brace = memchr(message->state, '{', message->state_len);
    const char *rest = brace + 1, *end = message->state + message->state_len;
    while (strchr(" \t\r\n", *rest) != NULL)
        rest++;
    *out = malloc(headroom + 64 + (size_t)(end - rest));
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *begin = (char *)*out + headroom, *to = begin;
    to += sprintf(to, "{\"type\":\"state_sync\",\"since\":%lld%s", (long long)message->since,
                  *rest == '}' ? "" : ",");
    to = mempcpy(to, rest, (size_t)(end - rest));
    *len = (size_t)(to - begin);
    return TRIVET_PROTO_OK;
}

static int encode_sync_confirm(const trivet_proto_message *message, size_t headroom, uint8_t **out,
                               size_t *len) {
    static const char key[] = ",\"snapshot\":";
    trivet_proto_error unused;
    if (!is_time(message->applied_at) ||
        (message->state != NULL &&
         check_state(message->state, message->state_len, false, "", &unused) != TRIVET_PROTO_OK))
        return TRIVET_PROTO_EINPUT;
    size_t state_len = message->state != NULL ? message->state_len : 0;
    *out = malloc(headroom + 128 + state_len);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    char *begin = (char *)*out + headroom, *to = begin;
    to += sprintf(to, "{\"type\":\"sync_confirm\",\"mode\":\"%s\",\"appliedAt\":%lld",
                  message->mode == TRIVET_PROTO_DESKTOP_WINS ? "desktop-wins" : "phone-wins",
                  (long long)message->applied_at);
    if (message->state != NULL) {
        to = mempcpy(to, key, sizeof key - 1);
        to = mempcpy(to, message->state, state_len);
    }
    *to++ = '}';
    *len = (size_t)(to - begin);
    return TRIVET_PROTO_OK;
}

/* The body with its type in front; its members are shared with the owner's. */
static json_t *with_type(const trivet_proto_message *message) {
    const char *key;
    json_t *value, *object = json_object();
    int r = json_object_set_new(object, "type", json_string(trivet_proto_type_name(message->type)));
    json_object_foreach(message->body, key, value) {
        if (r == 0 && strcmp(key, "type") != 0)
            r = json_object_set(object, key, value);
    }
    if (r == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* Where jansson writes to. It looks at no error for keys, so the first one is kept here. */
typedef struct {
    uint8_t *data;
    size_t len, room;
    bool failed;
} sink;

static int sink_put(const char *bytes, size_t len, void *ctx) {
    sink *s = ctx;
    if (s->room - s->len < len) {
        size_t room = (s->len + len) * 2;
        uint8_t *data = realloc(s->data, room);
        if (data == NULL) {
            s->failed = true;
            return -1;
        }
        s->data = data;
        s->room = room;
    }
    memcpy(s->data + s->len, bytes, len);
    s->len += len;
    return 0;
}

/* The text that stands in the sink from `from` on, with the escapes that were guarded. */
static int unguard(sink *s, size_t from) {
    char *text;
    size_t len = 0;
    if (proto_text_unguard((const char *)s->data + from, s->len - from, &text, &len) != 0)
        return TRIVET_PROTO_ENOMEM;
    if (text == NULL)
        return TRIVET_PROTO_OK;
    s->len = from;
    int r = sink_put(text, len, s);
    free(text);
    return r == 0 ? TRIVET_PROTO_OK : TRIVET_PROTO_ENOMEM;
}

/* A file is put in before the last brace, since it is too large to go through jansson. */
static int join_data(sink *s, const json_t *data) {
    static const char key[] = ",\"data\":\"";
    s->len--;
    int r = sink_put(key, sizeof key - 1, s);
    if (r == 0)
        r = sink_put(json_string_value(data), json_string_length(data), s);
    return r == 0 && sink_put("\"}", 2, s) == 0 ? TRIVET_PROTO_OK : TRIVET_PROTO_ENOMEM;
}

static int dump(const json_t *object, const json_t *data, size_t headroom, uint8_t **out, size_t *len) {
    sink s = {malloc(headroom + 256), headroom, headroom + 256, false};
    if (s.data == NULL)
        return TRIVET_PROTO_ENOMEM;
    int r = TRIVET_PROTO_ENOMEM;
    if (json_dump_callback(object, sink_put, &s, JSON_COMPACT) == 0 && !s.failed)
        r = unguard(&s, headroom);
    if (r == TRIVET_PROTO_OK && data != NULL)
        r = join_data(&s, data);
    if (r != TRIVET_PROTO_OK) {
        free(s.data);
        return r;
    }
    *out = s.data;
    *len = s.len - headroom;
    return TRIVET_PROTO_OK;
}

static int encode_tree(const trivet_proto_message *message, size_t headroom, uint8_t **out, size_t *len) {
    trivet_proto_error unused;
    json_t *data = NULL, *object = with_type(message);
    if (object == NULL)
        return TRIVET_PROTO_ENOMEM;
    bool left_out;
    int r = proto_schema_check(object, proto_type_fields(message->type), false, &left_out, &unused);
    if (r == TRIVET_PROTO_OK && message->type == TRIVET_PROTO_FILE_RESPONSE) {
        data = json_incref(json_object_get(object, "data"));
        json_object_del(object, "data");
    }
    if (r == TRIVET_PROTO_OK)
        r = dump(object, json_is_string(data) ? data : NULL, headroom, out, len);
    json_decref(data);
    json_decref(object);
    return r;
}

int proto_message_encode_at(const trivet_proto_message *message, size_t headroom, uint8_t **out,
                            size_t *len) {
    *out = NULL;
    *len = 0;
    if (message->type == TRIVET_PROTO_STATE_SYNC)
        return encode_state_sync(message, headroom, out, len);
    if (message->type == TRIVET_PROTO_SYNC_CONFIRM)
        return encode_sync_confirm(message, headroom, out, len);
    if (message->type <= TRIVET_PROTO_UNKNOWN || message->type >= TRIVET_PROTO_TYPES ||
        (message->body != NULL && !json_is_object(message->body)))
        return TRIVET_PROTO_EINPUT;
    return encode_tree(message, headroom, out, len);
}

int trivet_proto_message_encode(const trivet_proto_message *message, uint8_t **out, size_t *len) {
    return proto_message_encode_at(message, 0, out, len);
}
