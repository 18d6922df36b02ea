/*
 * Nothing stored changes, and no other connection is replaced, before the peer has shown that it holds the secret or
 * the key. A job on the worker holds the connection; it may have ended by the time the job is done.
 */
#include "serve/admission.h"

#include "log.h"
#include "serve/connection_parts.h"
#include "serve/jots.h"
#include "serve/moved.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_SLACK = 5000 /* ms; a phone's clock that is nearer counts as right (protocol §7) */ };

/* ---- version 2: which key a device has. The answer to a device that is not there takes the same way ---- */

struct lookup {
    worker_job job;
    connection *connection;
    char device[65];
    int gen;
    device_keys keys;
    int rc;
    store_error err;
};

static void run_lookup(worker_job *job) {
    struct lookup *l = (struct lookup *)job;

    l->rc = device_keys_get(l->connection->host->store, l->device, wall_clock(), &l->keys, &l->err);
}

static void done_lookup(worker_job *job) {
    struct lookup *l = (struct lookup *)job;
    connection *c = l->connection;

    if (l->rc == 0 || l->rc == STORE_NONE) {
        c->keys = l->keys;
        trivet_proto_computer_key(c->machine, l->keys.has[l->gen] ? l->keys.key[l->gen] : NULL,
                                  connection_time(c));
    } else {
        log_error("a phone cannot be let in: %s", l->err.message);
        event_store_error(c->host, &l->err);
        connection_close(c, TRIVET_PROTO_CLOSE_GOING_AWAY, "The server's store does not answer");
    }
    connection_pump(c);
    connection_let_go(c);
    sodium_memzero(l, sizeof *l);
    free(l);
}

void admission_look_up(connection *c, const trivet_proto_event *event) {
    struct lookup *l = calloc(1, sizeof *l);

    if (!l) {
        connection_close(c, TRIVET_PROTO_CLOSE_GOING_AWAY, "Out of memory");
        return;
    }
    l->job = (worker_job){run_lookup, done_lookup, NULL};
    l->connection = c;
    l->gen = event->gen;
    snprintf(l->device, sizeof l->device, "%s", event->device);
    connection_hold(c);
    worker_submit(c->host->worker, &l->job);
}

/* ---- the handshake: the secret is checked on the worker, since only that touches the store ---- */

struct check {
    worker_job job;
    connection *connection;
    char secret[512];
    char phone[257], address[64], own_address[ADDRESS_SIZE];
    uint16_t own_port;
    bool fits;
    int version, gen;
    char id[65]; /* version 2, likewise the keys; the peer has proved that it holds them */
    device_keys keys;
    uint8_t k1[32];
    device device;
    bool new_phone, new_network;
    int rc;
    store_error err;
};

static int note_seen(struct check *k, store *s, int64_t now) {
    return k->version == 1 ? device_seen(s, k->device.id, k->phone, k->address, now, &k->new_phone, &k->err)
                           : device_seen_version_2(s, k->id, k->gen, &k->keys, k->k1, k->phone, k->address,
                                                   now, &k->device, &k->new_phone, &k->err);
}

static void run_check(worker_job *job) {
    struct check *k = (struct check *)job;
    store *s = k->connection->host->store;
    int64_t now = wall_clock();

    if (k->version == 1)
        k->rc = k->fits ? device_by_secret(s, k->secret, now, &k->device, &k->err) : STORE_NONE;
    sodium_memzero(k->secret, sizeof k->secret);
    if (k->rc != 0 || (k->version == 1 && k->device.version_2_at != 0))
        return;
    char network[ADDRESS_SIZE];
    address_network(k->address, network);
    if ((k->rc = store_begin(s, &k->err)) == 0)
        k->rc = note_seen(k, s, now);
    if (k->rc == 0 && moved_came_otherwise(&k->device, k->own_address, k->own_port)) {
        k->device.host[0] = '\0';
        k->device.port = 0;
        k->rc = device_set_place(s, k->device.id, "", 0, &k->err);
    }
    if (k->rc == 0)
        k->rc = device_network_seen(s, k->device.id, network, now, &k->new_network, &k->err);
    if (k->rc == 0)
        k->rc = store_commit(s, &k->err);
    if (k->rc != 0)
        store_rollback(s);
}

static void welcome(connection *c, const struct check *k) {
    connection *old = connection_find(c->host, k->device.id);

    if (old)
        connection_close(old, TRIVET_PROTO_CLOSE_REPLACED, "Replaced by a newer connection");
    if (k->device.replaces[0] && k->device.lapses_at != 0)
        event_emit(c->host, &(server_event){.kind = EVENT_DEVICE_REVOKED, .device = k->device.replaces});
    if (k->device.replaces[0] && (old = connection_find(c->host, k->device.replaces)))
        connection_close(old, TRIVET_PROTO_CLOSE_REVOKED, "Replaced by another device");
    c->accepted = true;
    c->device = k->device;
    memcpy(c->phone, k->phone, sizeof c->phone);
    log_name(k->device.named ? k->device.name : k->phone, c->label, sizeof c->label);
    throttle_succeeded(&c->host->throttle, k->address);
    listener_authenticated(c->host->listener, c->ws);
    bool first = k->device.lapses_at != 0;
    connection_tell(c, &(server_event){.kind = EVENT_PHONE_CONNECTED, .first = first});
    if (k->new_phone)
        connection_tell(c, &(server_event){.kind = EVENT_PHONE_NEW_NAME, .name = c->phone});
    if (k->new_network)
        connection_tell(c, &(server_event){.kind = EVENT_PHONE_NEW_NETWORK, .reason = k->device.address});
    c->jots = jots_new(c);
    trivet_proto_computer_accept(c->machine, connection_time(c));
    if (c->host->on_devices_changed)
        c->host->on_devices_changed(c->host->owner);
}

/* A first frame that does not open ends as every such frame does. */
static int wrong_code(const connection *c) {
    return connection_version(c) == 2 ? TRIVET_PROTO_CLOSE_VIOLATION : TRIVET_PROTO_CLOSE_WRONG_SECRET;
}

static const char *wrong_reason(const connection *c) {
    return connection_version(c) == 2 ? "a frame that does not open" : "Invalid pairing secret";
}

/* Counted and logged also where the peer did not wait for its answer. */
void admission_turn_away(connection *c) {
    unsigned row;
    uint64_t now = uv_now(c->host->loop), delay = throttle_failed(&c->host->throttle, c->address, now, &row);

    connection_tell(c, &(server_event){.kind = EVENT_WRONG_SECRET,
                                       .number = connection_version(c),
                                       .count = row,
                                       .duration = (int64_t)delay});
    if (row == THROTTLE_MANY)
        connection_tell(c, &(server_event){.kind = EVENT_WRONG_SECRETS, .count = row});
    c->refuse_at = now + delay;
    if (c->ws)
        listener_judged(c->host->listener, c->ws, wrong_code(c), wrong_reason(c));
}

void admission_refuse(connection *c) {
    trivet_proto_computer_refuse(c->machine, wrong_code(c), wrong_reason(c));
}

static void done_check(worker_job *job) {
    struct check *k = (struct check *)job;
    connection *c = k->connection;

    if (k->rc == STORE_NONE && k->version == 1) {
        admission_turn_away(c);
    } else if (k->rc == STORE_NONE) {
        /* The pairing has moved on between its key_init and its first frame. */
        connection_close(c, TRIVET_PROTO_CLOSE_GOING_AWAY, "Connect again");
    } else if (k->rc == 0 && k->version == 1 && k->device.version_2_at != 0) {
        SAY(c, LOG_WARNING,
            "version 1 was refused to %s: it has spoken version 2, which nobody can listen to", k->device.id);
        connection_close(c, TRIVET_PROTO_CLOSE_VERSION, "This phone speaks version 2");
    } else if (!c->ws || !websocket_is_open(c->ws)) {
        /* It has gone meanwhile, or was put out: nothing else may make room for it. */
    } else if (k->rc == 0) {
        welcome(c, k);
    } else {
        log_error("a phone cannot be let in: %s", k->err.message);
        event_store_error(c->host, &k->err);
        connection_close(c, TRIVET_PROTO_CLOSE_GOING_AWAY, "The server's store does not answer");
    }
    connection_pump(c);
    connection_let_go(c);
    sodium_memzero(k, sizeof *k);
    free(k);
}

static void take_keys(struct check *k, connection *c, const trivet_proto_event *event) {
    k->gen = event->gen;
    snprintf(k->id, sizeof k->id, "%s", event->device);
    k->keys = c->keys;
    memcpy(k->k1, event->device_key, sizeof k->k1);
    sodium_memzero(&c->keys, sizeof c->keys);
    int64_t offset = wall_clock() - event->clock;
    c->clock_offset = offset > CLOCK_SLACK || offset < -CLOCK_SLACK ? offset : 0;
}

void admission_check(connection *c, const trivet_proto_event *event) {
    struct check *k = calloc(1, sizeof *k);

    if (!k) {
        connection_close(c, TRIVET_PROTO_CLOSE_GOING_AWAY, "Out of memory");
        return;
    }
    k->job = (worker_job){run_check, done_check, NULL};
    k->connection = c;
    k->version = event->version;
    if (k->version == 2)
        take_keys(k, c, event);
    k->fits = event->secret && strlen(event->secret) < sizeof k->secret;
    if (k->fits)
        memcpy(k->secret, event->secret, strlen(event->secret) + 1);
    snprintf(k->phone, sizeof k->phone, "%s", event->device_id);
    snprintf(k->address, sizeof k->address, "%s", websocket_address(c->ws));
    k->own_port = websocket_own_end(c->ws, k->own_address);
    connection_hold(c);
    worker_submit(c->host->worker, &k->job);
}
