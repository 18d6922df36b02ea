/*
 * Browsing: one service browser, and a resolver for each thing that it finds. It ends when avahi-daemon has
 * said "all for now" and every resolver has answered. A stranger may announce any number of services: those
 * beyond RESOLVERS_MAX are not looked at.
 */
#include "mdns/browse.h"

#include "mdns/announce.h"
#include "mdns/avahi_loop.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { RESOLVERS_MAX = 256 };

typedef struct {
    uv_loop_t *loop;
    avahi_loop *poll;
    AvahiClient *client;
    AvahiServiceBrowser *browser;
    uv_timer_t timer;
    unsigned open, begun; /* resolvers */
    bool all_for_now, finished;
    int status;
} browse;

static void finish(browse *b, int status) {
    if (b->finished)
        return;
    b->finished = true;
    b->status = status;
    uv_stop(b->loop);
}

static void fail(browse *b, const char *reason) {
    if (!b->finished)
        fprintf(stderr, "avahi-daemon cannot be asked: %s\n", reason);
    finish(b, EX_UNAVAILABLE);
}

static void check_finished(browse *b) {
    if (b->all_for_now && b->open == 0)
        finish(b, 0);
}

/* ---- one server ---- */

static void put_txt(json_t *found, AvahiStringList *txt, const char *key) {
    AvahiStringList *entry = avahi_string_list_find(txt, key);
    char *name = NULL, *value = NULL;
    size_t size = 0;

    if (entry && avahi_string_list_get_pair(entry, &name, &value, &size) == 0 && value &&
        strlen(value) == size)
        json_object_set_new(found, key, json_string(value)); /* left out where it is no UTF-8 */
    avahi_free(name);
    avahi_free(value);
}

static void address_text(const AvahiAddress *address, AvahiIfIndex interface, char *out, size_t size) {
    char text[AVAHI_ADDRESS_STR_MAX], name[IF_NAMESIZE];
    const uint8_t *bytes = address->data.ipv6.address;
    bool link_local = address->proto == AVAHI_PROTO_INET6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;

    avahi_address_snprint(text, sizeof text, address);
    if (link_local && if_indextoname((unsigned)interface, name))
        snprintf(out, size, "%s%%%s", text, name);
    else
        snprintf(out, size, "%s", text);
}

static void print_found(const char *name, const char *host, const char *address, uint16_t port,
                        AvahiStringList *txt) {
    json_t *found =
        json_pack("{s:s, s:s, s:s, s:i}", "name", name, "host", host, "address", address, "port", (int)port);
    char *line;

    if (!found) /* a name that is no UTF-8 */
        return;
    put_txt(found, txt, "id");
    put_txt(found, txt, "v");
    line = json_dumps(found, JSON_COMPACT);
    if (line) {
        puts(line);
        fflush(stdout);
    }
    free(line);
    json_decref(found);
}

static void on_resolved(AvahiServiceResolver *resolver, AvahiIfIndex interface, AvahiProtocol protocol,
                        AvahiResolverEvent event, const char *name, const char *type, const char *domain,
                        const char *host, const AvahiAddress *address, uint16_t port, AvahiStringList *txt,
                        AvahiLookupResultFlags flags, void *owner) {
    browse *b = owner;
    char text[AVAHI_ADDRESS_STR_MAX + IF_NAMESIZE + 1];

    (void)protocol, (void)type, (void)domain, (void)flags;
    if (event == AVAHI_RESOLVER_FOUND && address && port) {
        address_text(address, interface, text, sizeof text);
        print_found(name, host, text, port, txt);
    }
    avahi_service_resolver_free(resolver);
    b->open--;
    check_finished(b);
}

/* ---- all of them ---- */

static void on_browsed(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                       AvahiBrowserEvent event, const char *name, const char *type, const char *domain,
                       AvahiLookupResultFlags flags, void *owner) {
    browse *b = owner;

    (void)flags;
    if (event == AVAHI_BROWSER_NEW && b->begun < RESOLVERS_MAX) {
        /* Over the same protocol as it was found: else each address would be printed twice. */
        if (avahi_service_resolver_new(b->client, interface, protocol, name, type, domain, protocol, 0,
                                       on_resolved, b)) {
            b->open++;
            b->begun++;
        }
    } else if (event == AVAHI_BROWSER_ALL_FOR_NOW) {
        b->all_for_now = true;
        check_finished(b);
    } else if (event == AVAHI_BROWSER_FAILURE) {
        fail(b, avahi_strerror(avahi_client_errno(avahi_service_browser_get_client(browser))));
    }
}

static void on_client(AvahiClient *client, AvahiClientState state, void *owner) {
    if (state == AVAHI_CLIENT_FAILURE)
        fail(owner, avahi_strerror(avahi_client_errno(client)));
}

static void on_timer(uv_timer_t *timer) {
    finish(timer->data, 0);
}

int browse_run(uv_loop_t *loop, uint64_t timeout) {
    browse b = {.loop = loop};
    int error = 0;

    uv_timer_init(loop, &b.timer);
    b.timer.data = &b;
    uv_timer_start(&b.timer, on_timer, timeout, 0);
    if (!(b.poll = avahi_loop_new(loop)))
        finish(&b, EX_OSERR);
    else if (!(b.client = avahi_client_new(avahi_loop_poll(b.poll), 0, on_client, &b, &error)))
        fail(&b, avahi_strerror(error));
    else if (!(b.browser = avahi_service_browser_new(b.client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                                     MDNS_SERVICE, NULL, 0, on_browsed, &b)))
        fail(&b, avahi_strerror(avahi_client_errno(b.client)));
    if (!b.finished)
        uv_run(loop, UV_RUN_DEFAULT);
    if (b.client)
        avahi_client_free(b.client);
    avahi_loop_free(b.poll);
    uv_close((uv_handle_t *)&b.timer, NULL);
    /* finish() has stopped the loop, which may not have run since: then the first of these returns at once. */
    while (uv_run(loop, UV_RUN_DEFAULT) != 0)
        ;
    return b.status;
}
