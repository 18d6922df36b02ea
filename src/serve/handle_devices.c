/*
 * Requests about paired phones, and how things stand. What only a running server knows (who is connected,
 * where it listens) is added to these answers by the server.
 */
#include "serve/handlers.h"

#include "serve/moved.h"
#include "state/edit.h"
#include "store/device.h"
#include "store/question.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <trivet_proto.h>

/* What every phone speaks that ever got in. */

/* ---- pair --------------------------------------------------------------------------------------------- */

/* What follows `--host`: an IPv4 address or a name as it is, an IPv6 address in brackets (protocol §6). */
static int pairing_host(request *r, const char *host, char *out, size_t size) {
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    struct in6_addr in6;
    char inner[INET6_ADDRSTRLEN];
    const char *typed = host;
    size_t len = strlen(host);
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';

    if (bracketed) {
        host++;
        len -= 2;
    }
    if (strchr(host, '%'))
        return request_refuse(
            r, EX_USAGE,
            "\"%.100s\": what follows %% in an address means something on this computer only, and "
            "nothing to a phone; give another address, or the host's name",
            typed);
    if (len < sizeof inner) {
        memcpy(inner, host, len);
        inner[len] = '\0';
        if (inet_pton(AF_INET6, inner, &in6) == 1) {
            snprintf(out, size, "[%s]", inner);
            return 0;
        }
    }
    if (bracketed || len == 0 || len > 253 || strspn(host, NAME) != len || strchr(".-", host[0]))
        return request_refuse(r, EX_USAGE,
                              "\"%.100s\" is no address: give an IPv4 or IPv6 address, or a host's "
                              "name, and the port apart",
                              typed);
    snprintf(out, size, "%s", host);
    return 0;
}

static int pairing_port(request *r, uint16_t *port) {
    json_t *value = json_object_get(r->args, "port");

    *port = r->ctx->port;
    if (value &&
        (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 65535))
        return request_refuse(r, EX_USAGE, "a port is a number from 1 to 65535");
    if (value)
        *port = (uint16_t)json_integer_value(value);
    if (*port == 0)
        return request_refuse(r, EX_UNAVAILABLE,
                              "the port is only known once the server runs; start `trivet serve`");
    return 0;
}

static int device_named(request *r, const char *typed, device *out) {
    store_error err = STORE_ERROR_INIT;
    int code = device_find(r->ctx->store, typed, out, &err);

    if (code == STORE_NONE)
        return request_refuse(r, EX_NOINPUT, "%s",
                              err.message[0] ? err.message
                                             : "there is no such device; `trivet devices` shows them");
    return code == 0 ? 0 : request_refuse_store(r, &err);
}

/* The code's JSON becomes the answer, key by key. */
static int answer_pairing(request *r, const trivet_proto_pairing *pairing) {
    char *text = NULL;
    json_t *code = NULL;
    int result = -1;

    if (trivet_proto_pairing_encode(pairing, &text) == 0)
        code = json_loads(text, 0, NULL);
    if (code && json_object_update(r->response, code) == 0)
        result = 0;
    else
        request_refuse_memory(r);
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
    json_decref(code);
    return result;
}

int handle_pair(request *r) {
    store_error err = STORE_ERROR_INIT;
    trivet_proto_pairing pairing = {.has_k = true};
    const char *name, *host, *replaces;
    device made, replaced;
    bool v2;
    int result = -1;

    if (request_string(r, "name", &name) != 0 || request_string(r, "host", &host) != 0 ||
        request_string(r, "replace", &replaces) != 0 || request_flag(r, "v2", &v2) != 0 ||
        pairing_port(r, &pairing.port) != 0 ||
        pairing_host(r, host ? host : r->ctx->ip, pairing.ip, sizeof pairing.ip) != 0)
        return -1;
    if (name && (name[0] == '\0' || strlen(name) > DEVICE_NAME_MAX))
        return request_refuse(r, EX_USAGE, "a name is 1 to %d bytes long", DEVICE_NAME_MAX);
    if (replaces && device_named(r, replaces, &replaced) != 0)
        return -1;
    if (device_drop_lapsed(r->ctx->store, r->ctx->now, &err) != 0 ||
        device_create(r->ctx->store, name, replaces ? replaced.id : NULL, r->ctx->now, &made, pairing.secret,
                      pairing.k, &err) != 0 ||
        device_set_place(r->ctx->store, made.id, pairing.ip, pairing.port, &err) != 0) {
        request_refuse_store(r, &err);
        goto out;
    }
    if (v2) /* nobody ever knows it, so version 1 is of no use to anybody */
        sodium_memzero(pairing.secret, sizeof pairing.secret);
    snprintf(pairing.device, sizeof pairing.device, "%s", made.id);
    snprintf(pairing.name, sizeof pairing.name, "%s", r->ctx->server_name ? r->ctx->server_name : "");
    result = answer_pairing(r, &pairing);
out:
    sodium_memzero(&pairing, sizeof pairing);
    return result;
}

/* ---- devices, revoke ---------------------------------------------------------------------------------- */

/* Puts a value that may be NULL for want of memory. */
static bool put(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

/* Names come from phones; the store keeps what they sent, which was checked to be UTF-8. */
static json_t *text(const char *s) {
    json_t *string = json_string(s);

    return string ? string : json_string("?");
}

static json_t *phone_json(const device_phone *phone) {
    json_t *object = json_object();

    if (put(object, "name", text(phone->phone)) &&
        put(object, "last_seen", json_integer(phone->last_seen_at)) &&
        put(object, "last_sync", json_integer(phone->last_sync_at)))
        return object;
    json_decref(object);
    return NULL;
}

static json_t *phones_json(request *r, const char *id) {
    store_error err = STORE_ERROR_INIT;
    device_phone *phones = NULL;
    size_t count = 0;
    json_t *array;

    if (device_phones(r->ctx->store, id, &phones, &count, &err) != 0) {
        request_refuse_store(r, &err);
        return NULL;
    }
    array = json_array();
    for (size_t i = 0; i < count && array; i++) {
        if (json_array_append_new(array, phone_json(&phones[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    free(phones);
    return array;
}

static json_t *device_json(request *r, const device *d) {
    json_t *object = json_object();

    if (put(object, "id", json_string(d->id)) && put(object, "name", text(d->name)) &&
        put(object, "created", json_integer(d->created_at)) &&
        put(object, "last_seen", json_integer(d->last_seen_at)) &&
        put(object, "last_sync", json_integer(d->last_sync_at)) &&
        put(object, "revoked", json_integer(d->revoked_at)) &&
        put(object, "lapses", json_integer(d->lapses_at)) && put(object, "address", text(d->address)) &&
        put(object, "host", text(d->host)) && put(object, "port", json_integer(d->port)) &&
        put(object, "replaces", text(d->replaces)) &&
        put(object, "protocol",
            json_integer(!d->last_seen_at  ? 0
                         : d->version_2_at ? 2
                                           : 1)) &&
        put(object, "phones", phones_json(r, d->id)))
        return object;
    json_decref(object);
    return NULL;
}

int handle_devices(request *r) {
    store_error err = STORE_ERROR_INIT;
    device *devices = NULL;
    size_t count = 0;
    json_t *array;

    if (device_drop_lapsed(r->ctx->store, r->ctx->now, &err) != 0 ||
        device_list(r->ctx->store, &devices, &count, &err) != 0)
        return request_refuse_store(r, &err);
    array = json_array();
    for (size_t i = 0; i < count && array; i++) {
        if (json_array_append_new(array, device_json(r, &devices[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    free(devices);
    return request_answer(r, "devices", array);
}

int handle_revoke(request *r) {
    store_error err = STORE_ERROR_INIT;
    const char *typed;
    device d;

    if (request_needs_string(r, "device", &typed) != 0 || device_named(r, typed, &d) != 0)
        return -1;
    if (d.revoked_at != 0)
        return request_refuse(r, 1, "the device %s is revoked already", d.id);
    if (device_revoke(r->ctx->store, d.id, r->ctx->now, &err) != 0)
        return request_refuse_store(r, &err);
    if (request_answer(r, "device", json_string(d.id)) != 0)
        return -1;
    return request_answer_text(r, "name", d.name);
}

int handle_rename(request *r) {
    store_error err = STORE_ERROR_INIT;
    const char *typed, *name;
    device d;

    if (request_needs_string(r, "device", &typed) != 0 || request_needs_string(r, "name", &name) != 0)
        return -1;
    if (name[0] == '\0' || strlen(name) > DEVICE_NAME_MAX)
        return request_refuse(r, EX_USAGE, "a name is 1 to %d bytes long", DEVICE_NAME_MAX);
    if (device_named(r, typed, &d) != 0)
        return -1;
    if (device_rename(r->ctx->store, d.id, name, &err) != 0)
        return request_refuse_store(r, &err);
    if (request_answer(r, "device", json_string(d.id)) != 0)
        return -1;
    return request_answer_text(r, "name", name);
}

/* ---- status, pending ---------------------------------------------------------------------------------- */

static size_t live_items(const trivet_merge_state *state, trivet_merge_section section) {
    size_t count = 0;
    trivet_merge_item item;

    for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
        for (size_t i = 0; trivet_merge_item_at(state, section, slot, i, &item) && !item.deleted; i++)
            count++;
    }
    return count;
}

/* Whether more than one phone uses a pairing's code. */
static int is_shared(request *r, const char *id, bool *shared) {
    store_error err = STORE_ERROR_INIT;
    device_phone *phones = NULL;
    size_t count = 0;

    if (device_phones(r->ctx->store, id, &phones, &count, &err) != 0)
        return request_refuse_store(r, &err);
    free(phones);
    *shared = count > 1;
    return 0;
}

/* Devices that are paired, how many of them several phones share, and when one last synced. */
static int count_devices(request *r, size_t *paired, size_t *shared, int64_t *last_sync) {
    store_error err = STORE_ERROR_INIT;
    device *devices = NULL;
    size_t count = 0;

    bool several = false;
    int rc = 0;

    *paired = *shared = 0;
    *last_sync = 0;
    if (device_list(r->ctx->store, &devices, &count, &err) != 0)
        return request_refuse_store(r, &err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (devices[i].revoked_at == 0 && devices[i].lapses_at == 0) {
            ++*paired;
            rc = is_shared(r, devices[i].id, &several);
            *shared += rc == 0 && several;
        }
        if (devices[i].last_sync_at > *last_sync)
            *last_sync = devices[i].last_sync_at;
    }
    free(devices);
    return rc;
}

/* As a path that means the same to whoever asked, wherever that is. */
static int answer_folder(request *r) {
    const char *folder = store_folder(r->ctx->store);
    char *path = realpath(folder, NULL);
    int result = request_answer_text(r, "folder", path ? path : folder);

    free(path);
    return result;
}

/* Phones whose codes lead elsewhere by now. */
static int answer_moved(request *r) {
    store_error err = STORE_ERROR_INIT;
    device *moved = NULL;
    size_t count = 0;
    json_t *array = json_array();

    if (moved_find(r->ctx->store, r->ctx->alone ? 0 : r->ctx->port, &moved, &count, &err) != 0) {
        json_decref(array);
        return request_refuse_store(r, &err);
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:i}", "id", moved[i].id, "name",
                                               text(moved[i].name), "host", text(moved[i].host), "port",
                                               (int)moved[i].port));
    free(moved);
    return request_answer(r, "moved", array);
}

int handle_status(request *r) {
    trivet_merge_state *state;
    size_t len, paired, shared, items, locked;
    int64_t last_sync;
    char *doc;

    if (request_head(r, &state, &doc, &len) != 0)
        return -1;
    items = live_items(state, TRIVET_MERGE_LISTS);
    locked = live_items(state, TRIVET_MERGE_LOCKED_LISTS);
    trivet_merge_state_free(state);
    free(doc);
    if (count_devices(r, &paired, &shared, &last_sync) != 0 || answer_folder(r) != 0 ||
        request_answer_text(r, "name", r->ctx->server_name ? r->ctx->server_name : "") != 0 ||
        request_answer(r, "items", json_integer((json_int_t)items)) != 0 ||
        request_answer(r, "locked_items", json_integer((json_int_t)locked)) != 0 ||
        request_answer(r, "devices", json_integer((json_int_t)paired)) != 0 ||
        request_answer(r, "shared", json_integer((json_int_t)shared)) != 0 ||
        request_answer(r, "last_sync", json_integer(last_sync)) != 0 || answer_moved(r) != 0)
        return -1;
    return 0;
}

/* The rows' bodies are JSON as the engine wrote it and go out as they are. */
int handle_pending(request *r) {
    store_error err = STORE_ERROR_INIT;
    question_row *rows = NULL;
    size_t count = 0;
    FILE *out;

    /* A server that was killed left its questions behind; they ended with it. */
    if ((r->ctx->alone && question_drop_all(r->ctx->store, &err) != 0) ||
        question_list(r->ctx->store, &rows, &count, &err) != 0)
        return request_refuse_store(r, &err);
    out = open_memstream(&r->raw_out, &r->raw_out_len);
    if (out) {
        fputc('[', out);
        for (size_t i = 0; i < count; i++) {
            /* A large change's body is an object whose keys stand here beside the others. */
            bool ties = strcmp(rows[i].kind, "tie") == 0;
            size_t len = strlen(rows[i].body), brace = !ties && len >= 2;
            fprintf(out, "%s{\"id\":%lld,\"device\":\"%s\",\"kind\":\"%s\",\"deadline\":%lld,%s",
                    i ? "," : "", (long long)rows[i].id, rows[i].device, rows[i].kind,
                    (long long)rows[i].deadline, ties ? "\"ties\":" : "");
            fwrite(rows[i].body + brace, 1, len - 2 * brace, out);
            fputc('}', out);
        }
        fputc(']', out);
    }
    question_list_free(rows, count);
    if (!out || fclose(out) != 0)
        return request_refuse_memory(r);
    return 0;
}
