/*
 * Announcing.
 *
 *     APART ---------> WAITING ----------> REGISTERING ----> ANNOUNCED
 *       ^  bus there      ^   daemon there      |  ^            |
 *       |                 |                     |  +--renamed---+  collision
 *       +-- bus gone -----+------ daemon gone --+---------------+    with a new client
 *
 * After a collision the service is `Kitchen #2` until avahi-daemon begins anew, or this program does: then its own name is
 * tried once more.
 *
 * With AVAHI_CLIENT_NO_FAIL the library itself watches the bus for avahi-daemon, which costs nothing while
 * nothing happens. Only where the bus is missing, or something failed that should not, a timer tries again: after 10
 * s, then twice as long each time up to ten minutes.
 *
 * The library's calls block until avahi-daemon answers or D-Bus's 25 s are over: that is why all of this is a
 * process of its own, and its loop is nobody else's.
 */
#include "mdns/announce.h"

#include "mdns/avahi_loop.h"

#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PAUSE = 10000, LONGEST_PAUSE = 600000, CLASHES_MAX = 100 };

struct announcer {
    uv_loop_t *loop;
    announce_options options;
    char *name; /* as announced: avahi's to free */
    avahi_loop *poll;
    AvahiClient *client;
    AvahiEntryGroup *group;
    uv_timer_t timer;
    uint64_t pause; /* ms until the next try */
    unsigned clashes;
    bool announced; /* by this client */
};

static void begin(announcer *a);

static void say(const char *what, const char *detail) {
    printf("%s %s\n", what, detail);
    fflush(stdout);
}

/* ---- ends, and trying again ---- */

static void let_go(announcer *a) {
    if (a->client)
        avahi_client_free(a->client); /* the group goes with it */
    a->client = NULL;
    a->group = NULL;
}

static void on_timer(uv_timer_t *timer) {
    announcer *a = timer->data;

    let_go(a);
    begin(a);
}

/* Never frees the client: this is called from inside its callbacks. */
static void begin_in(announcer *a, uint64_t pause) {
    if (!uv_is_active((uv_handle_t *)&a->timer))
        uv_timer_start(&a->timer, on_timer, pause, 0);
}

static void try_later(announcer *a, const char *reason) {
    say("waiting", reason);
    begin_in(a, a->pause);
    a->pause = a->pause * 2 > LONGEST_PAUSE ? LONGEST_PAUSE : a->pause * 2;
}

/* ---- the service ---- */

static void rename_it(announcer *a, AvahiClient *client);

/* Back to the name that was wished for: whoever had it may be gone by now. */
static void try_own_name(announcer *a) {
    char *name = strcmp(a->name, a->options.name) != 0 ? avahi_strdup(a->options.name) : NULL;

    if (!name)
        return;
    avahi_free(a->name);
    a->name = name;
    a->clashes = 0;
}

static int add(announcer *a, AvahiStringList *txt, int interface, int family) {
    int protocol = family ? avahi_af_to_proto(family) : AVAHI_PROTO_UNSPEC;

    return avahi_entry_group_add_service_strlst(a->group, interface, protocol, 0, a->name, MDNS_SERVICE, NULL,
                                                NULL, a->options.port, txt);
}

static int add_all(announcer *a) {
    char id[80];
    int error = 0;

    snprintf(id, sizeof id, "id=%s", a->options.id);
    AvahiStringList *txt = avahi_string_list_new("path=/", id, "v=2", NULL);
    if (!txt)
        return AVAHI_ERR_NO_MEMORY;
    if (a->options.place_count == 0)
        error = add(a, txt, AVAHI_IF_UNSPEC, 0);
    for (size_t i = 0; i < a->options.place_count && error == 0; i++)
        error = add(a, txt, a->options.places[i].interface, a->options.places[i].family);
    avahi_string_list_free(txt);
    return error == 0 ? avahi_entry_group_commit(a->group) : error;
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state, void *owner) {
    announcer *a = owner;

    if (state == AVAHI_ENTRY_GROUP_ESTABLISHED) {
        a->pause = FIRST_PAUSE;
        a->announced = true;
        say("announced", a->name);
    } else if (state == AVAHI_ENTRY_GROUP_COLLISION) {
        rename_it(a, avahi_entry_group_get_client(group));
    } else if (state == AVAHI_ENTRY_GROUP_FAILURE) {
        try_later(a, avahi_strerror(avahi_client_errno(avahi_entry_group_get_client(group))));
    }
}

static void publish(announcer *a, AvahiClient *client) {
    if (!a->group)
        a->group = avahi_entry_group_new(client, on_group, a);
    if (!a->group) {
        try_later(a, avahi_strerror(avahi_client_errno(client)));
        return;
    }
    avahi_entry_group_reset(a->group);
    int error = add_all(a);
    if (error == AVAHI_ERR_COLLISION) /* with another program on this very computer */
        rename_it(a, client);
    else if (error == AVAHI_ERR_INVALID_SERVICE_NAME)
        say("refused", avahi_strerror(error));
    else if (error != 0)
        try_later(a, avahi_strerror(error));
}

/* `Kitchen` becomes `Kitchen #2` and so on. */
static void rename_it(announcer *a, AvahiClient *client) {
    char *other = ++a->clashes > CLASHES_MAX ? NULL : avahi_alternative_service_name(a->name);

    if (!other) {
        try_later(a, "every name is taken");
        return;
    }
    avahi_free(a->name);
    a->name = other;
    say("renamed", a->name);
    publish(a, client);
}

/* ---- avahi-daemon ---- */

static void on_client(AvahiClient *client, AvahiClientState state, void *owner) {
    announcer *a = owner;

    switch (state) {
    case AVAHI_CLIENT_S_RUNNING: /* for the first time, or again: all is registered anew */
        try_own_name(a);
        publish(a, client);
        break;
    case AVAHI_CLIENT_S_COLLISION: /* of the computer's name, which avahi-daemon settles: RUNNING follows */
    case AVAHI_CLIENT_S_REGISTERING:
        if (a->group)
            avahi_entry_group_reset(a->group);
        break;
    case AVAHI_CLIENT_CONNECTING:
        if (a->group) /* of a daemon that is gone */
            avahi_entry_group_free(a->group);
        a->group = NULL;
        say("waiting", "avahi-daemon is not running");
        break;
    case AVAHI_CLIENT_FAILURE:
        /* The daemon went, or the bus: a new client tells which, and waits for a daemon. */
        if (avahi_client_errno(client) == AVAHI_ERR_DISCONNECTED && a->announced)
            begin_in(a, 0);
        else
            try_later(a, avahi_strerror(avahi_client_errno(client)));
        a->announced = false;
        break;
    }
}

static void begin(announcer *a) {
    int error = 0;

    a->clashes = 0;
    /* The callback may come before this returns; it uses the client that it is given. */
    AvahiClient *client =
        avahi_client_new(avahi_loop_poll(a->poll), AVAHI_CLIENT_NO_FAIL, on_client, a, &error);
    if (client)
        a->client = client;
    else
        try_later(a, error == AVAHI_ERR_DBUS_ERROR || error == AVAHI_ERR_NO_DAEMON
                         ? "there is no system bus (D-Bus)"
                         : avahi_strerror(error));
}

announcer *announce_new(uv_loop_t *loop, const announce_options *options) {
    announcer *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->loop = loop;
    a->options = *options;
    a->pause = FIRST_PAUSE;
    a->name = avahi_strdup(options->name);
    a->options.id = strdup(options->id);
    a->poll = avahi_loop_new(loop);
    if (!a->name || !a->options.id || !a->poll) {
        announce_free(a);
        return NULL;
    }
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    begin(a);
    return a;
}

void announce_close(announcer *a) {
    let_go(a);
    avahi_loop_free(a->poll);
    a->poll = NULL;
    uv_close((uv_handle_t *)&a->timer, NULL);
}

void announce_free(announcer *a) {
    if (!a)
        return;
    avahi_free(a->name);
    free((char *)(uintptr_t)a->options.id);
    avahi_loop_free(a->poll);
    free(a);
}
