/*
 * The TCP port. Every connection stands in one of four lists:
 *
 *   waiting    has shown no secret yet, in the order of arrival; the 10 s of protocol §2 and the number of
 *              places bound it
 *   judged     has shown a wrong one and waits for its answer; the owner sees to that, the number of places
 *              bounds it together with those who wait
 *   lingering  has had its last answer or close frame; a moment more, then it is cut off
 *   rest       websockets that were authenticated, and whatever was ended and waits for its handle to close
 *
 * Time in a list is the same for all, so `waiting` and `lingering` are in the order of their deadlines, and one
 * timer does for all connections: it looks at who is first in each.
 *
 * Without memory for a connection it must still be accepted, for until then libuv hears of no other one: `spare`
 * is a handle for that, kept ready.
 */
#include "listener.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "peer.h"
#include "websocket_stream.h"

enum {
    BACKLOG = 128,
    MAX_LINGERING = 32,
    KNOWN = 64, /* sources that are remembered */
    CODE_TIMEOUT = 4002,
    CODE_GOING_AWAY = 1001
};

struct listener {
    uv_loop_t *loop;
    uv_tcp_t servers[LISTENER_ADDRESSES + 1]; /* one more to fall back on */
    size_t server_count;                      /* of handles that were made */
    struct sockaddr_storage bound[LISTENER_ADDRESSES];
    size_t bound_count;
    uv_timer_t timer;
    listener_options options; /* its strings are ours */
    const listener_events *events;
    void *owner;
    peer_host host;
    peer_list waiting, judged, lingering, rest;
    char known[KNOWN][ADDRESS_SIZE]; /* sources that have shown a right secret, the latest ones */
    size_t next_known;               /* the one to be forgotten for another */
    uv_tcp_t spare;
    uint16_t port;
    size_t failed_handles; /* still to close after a failed listener_new */
    size_t servers_closed;
    bool closing, timer_closing;
    bool spare_busy; /* being closed */
    bool unaccepted; /* others may wait for the spare handle */
};

size_t listener_connections(const listener *l) {
    return l->waiting.count + l->judged.count + l->lingering.count + l->rest.count;
}

uint16_t listener_port(const listener *l) {
    return l->port;
}

/* ---- the end of all ---- */

static void on_timer_closed(uv_handle_t *handle) {
    listener *l = handle->data;

    if (l->events->on_closed)
        l->events->on_closed(l->owner);
}

/* The timer is the last handle: it goes when the port is closed and every connection gone. */
static void check_finished(listener *l) {
    if (!l->closing || l->servers_closed < l->server_count || l->spare_busy || listener_connections(l) > 0 ||
        l->timer_closing)
        return;
    l->timer_closing = true;
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

/* ---- time and places ---- */

static void on_timer(uv_timer_t *timer);

static void schedule(listener *l) {
    uint64_t now = uv_now(l->loop), next = UINT64_MAX;

    if (l->waiting.first)
        next = l->waiting.first->deadline;
    if (l->lingering.first && l->lingering.first->deadline < next)
        next = l->lingering.first->deadline;
    if (next == UINT64_MAX)
        uv_timer_stop(&l->timer);
    else
        uv_timer_start(&l->timer, on_timer, next > now ? next - now : 0, 0);
}

static void move(peer *p, peer_list *list) {
    peer_list_remove(p);
    peer_list_append(list, p);
}

static void end_now(listener *l, peer *p) {
    move(p, &l->rest);
    peer_end(p);
}

static void move_to_lingering(listener *l, peer *p) {
    if (l->lingering.count >= MAX_LINGERING)
        end_now(l, l->lingering.first);
    p->deadline = uv_now(l->loop) + l->options.websocket.close_timeout;
    move(p, &l->lingering);
    schedule(l);
}

/* Ends a connection that waits. A websocket hears why; a plain one that was served and asks nothing more is
 * no refusal. */
static void put_out(listener *l, peer *p, const char *reason) {
    bool finished = p->served && p->http && http_parser_idle(p->http);

    if (!finished && l->events->on_refused)
        l->events->on_refused(l->owner, p->address, reason);
    if (p->ws) {
        if (p->list == &l->judged)
            websocket_close(p->ws, p->verdict, p->verdict_reason);
        else
            websocket_close(p->ws, CODE_TIMEOUT, reason);
        move_to_lingering(l, p);
    } else {
        end_now(l, p);
    }
}

static void on_timer(uv_timer_t *timer) {
    listener *l = timer->data;
    uint64_t now = uv_now(l->loop);

    while (l->waiting.first && l->waiting.first->deadline <= now)
        put_out(l, l->waiting.first, "time-out");
    while (l->lingering.first && l->lingering.first->deadline <= now)
        end_now(l, l->lingering.first);
    schedule(l);
}

static bool is_known(const listener *l, const char *source) {
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(l->known[i], source) == 0)
            return true;
    return false;
}

static void remember(listener *l, const char *source) {
    if (is_known(l, source))
        return;
    strcpy(l->known[l->next_known], source);
    l->next_known = (l->next_known + 1) % KNOWN;
}

/* Who came first; but where a phone was, its next connection does not make room for strangers, however many they are. */
static bool leaves_before(const peer *a, const peer *b) {
    return a->known == b->known ? a->deadline < b->deadline : b->known;
}

/* Counts those of a source in a list, and finds who is to leave first. */
static unsigned count_places(const peer_list *list, const char *source, peer **oldest) {
    unsigned count = 0;

    for (peer *p = list->first; p; p = p->next)
        if (strcmp(p->source, source) == 0) {
            count++;
            if (!*oldest || leaves_before(p, *oldest))
                *oldest = p;
        }
    return count;
}

static void bound_places(listener *l, const char *source, unsigned most, const char *reason) {
    peer *oldest = NULL;
    unsigned taken = count_places(&l->waiting, source, &oldest) + count_places(&l->judged, source, &oldest);

    if (taken > most)
        put_out(l, oldest, reason);
}

static unsigned count_known(const peer_list *list, bool known, peer **oldest) {
    unsigned count = 0;

    for (peer *p = list->first; p; p = p->next)
        if (p->known == known) {
            count++;
            if (!*oldest || leaves_before(p, *oldest))
                *oldest = p;
        }
    return count;
}

/*
 * One for too many in all: half of the places are for those who come from where a phone was. Were all of them, whoever has such
 * addresses could keep new phones out by holding every place.
 */
static peer *who_leaves(const listener *l, unsigned most) {
    peer *known = NULL, *stranger = NULL;
    unsigned count = count_known(&l->waiting, true, &known) + count_known(&l->judged, true, &known);

    count_known(&l->waiting, false, &stranger);
    count_known(&l->judged, false, &stranger);
    return count > (most + 1) / 2 ? known : stranger;
}

/* Protocol §2: so many places for an address, so many in all. */
static void make_room(listener *l, const peer *newest) {
    bound_places(l, newest->source, l->options.unauthenticated_per_address, "too many from this address");
    if (l->waiting.count + l->judged.count > l->options.unauthenticated_max)
        put_out(l, who_leaves(l, l->options.unauthenticated_max), "too many connections");
}

void listener_set_known_hosts(listener *l, const char *const *names) {
    l->options.known_hosts = names;
}

void listener_authenticated(listener *l, websocket *ws) {
    peer *p = websocket_hook_context(ws);

    if (p->list != &l->waiting)
        return;
    remember(l, p->source);
    move(p, &l->rest);
    schedule(l);
}

void listener_judged(listener *l, websocket *ws, int code, const char *reason) {
    peer *p = websocket_hook_context(ws);

    if (p->list != &l->waiting)
        return;
    p->verdict = code;
    p->verdict_reason = reason;
    move(p, &l->judged);
    schedule(l);
}

/* ---- connections ---- */

static void on_peer_lingers(peer *p) {
    move_to_lingering(p->host->context, p);
}

static void on_peer_gone(peer *p) {
    listener *l = p->host->context;

    peer_list_remove(p);
    if (!l->timer_closing)
        schedule(l);
    check_finished(l);
}

static void accept_with_spare(listener *l);

static void on_spare_closed(uv_handle_t *handle) {
    listener *l = handle->data;
    bool again = l->unaccepted && !l->closing;

    l->spare_busy = l->unaccepted = false;
    if (again)
        accept_with_spare(l);
    check_finished(l);
}

/* Takes over a connection that could not be, and ends it; then looks for another, until none waits. */
static void accept_with_spare(listener *l) {
    if (l->spare_busy) {
        l->unaccepted = true;
        return;
    }
    uv_tcp_init(l->loop, &l->spare);
    l->spare.data = l;
    l->spare_busy = true;
    for (size_t i = 0; i < l->server_count && !l->unaccepted; i++)
        l->unaccepted = uv_accept((uv_stream_t *)&l->servers[i], (uv_stream_t *)&l->spare) == 0;
    uv_close((uv_handle_t *)&l->spare, on_spare_closed);
}

static void on_connection(uv_stream_t *server, int status) {
    listener *l = server->data;
    peer *p = status == 0 ? peer_accept(server, &l->host) : NULL;

    if (!p) {
        if (status == 0)
            accept_with_spare(l);
        if (l->events->on_refused)
            l->events->on_refused(l->owner, "", status < 0 ? uv_strerror(status) : "not accepted");
        return;
    }
    p->deadline = uv_now(l->loop) + l->options.unauthenticated_timeout;
    p->known = is_known(l, p->source);
    peer_list_append(&l->waiting, p);
    if (!l->options.allow_any && !listener_address_is_local(p->address)) {
        peer_refuse(p, 403, "address");
    } else {
        make_room(l, p);
        schedule(l);
    }
    peer_start(p);
}

static void free_options(listener_options *options) {
    free((char *)(uintptr_t)options->host);
    free((char *)(uintptr_t)options->server_name);
    free((char *)(uintptr_t)options->extra_host);
}

static bool copy_string(const char **string) {
    const char *from = *string;

    *string = from ? strdup(from) : NULL;
    return *string || !from;
}

static bool copy_options(listener_options *out, const listener_options *options) {
    bool copied;

    *out = *options;
    copied = copy_string(&out->host);
    copied = copy_string(&out->server_name) && copied;
    return copy_string(&out->extra_host) && copied;
}

/* ---- the addresses to listen on ---- */

static void set_port(struct sockaddr_storage *address, uint16_t port) {
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    char one[ADDRESS_SIZE], other[ADDRESS_SIZE];

    address_format((const struct sockaddr *)a, one);
    address_format((const struct sockaddr *)b, other);
    return strcmp(one, other) == 0;
}

/* All that a name stands for, each once; more than LISTENER_ADDRESSES are not looked at. */
static int resolve(listener *l, const char *name, struct sockaddr_storage *out, size_t *count) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t request;
    int error = uv_getaddrinfo(l->loop, &request, NULL, name, NULL, &hints);

    if (error != 0)
        return error;
    for (struct addrinfo *ai = request.addrinfo; ai && *count < LISTENER_ADDRESSES; ai = ai->ai_next) {
        struct sockaddr_storage *one = &out[*count];
        bool known = false;
        memset(one, 0, sizeof *one);
        memcpy(one, ai->ai_addr, ai->ai_addrlen);
        for (size_t i = 0; i < *count; i++)
            known = known || same_address(&out[i], one);
        *count += !known;
    }
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

/* Without a host: all of the computer's, IPv6 and IPv4. */
static int find_addresses(listener *l, struct sockaddr_storage *out, size_t *count) {
    const char *host = l->options.host;
    char bare[ADDRESS_SIZE];
    size_t len;

    *count = 1;
    if (!host || !*host)
        return uv_ip6_addr("::", 0, (struct sockaddr_in6 *)(void *)out);
    len = strlen(host);
    if (host[0] == '[' && host[len - 1] == ']' && len - 2 < sizeof bare) {
        memcpy(bare, host + 1, len - 2);
        bare[len - 2] = '\0';
        host = bare;
    }
    if (address_parse(host, 0, out))
        return 0;
    *count = 0;
    return resolve(l, host, out, count);
}

/* The first one picks the port where none is given; the others take the same. */
static int bind_and_listen(listener *l, uv_tcp_t *server, struct sockaddr_storage *address) {
    int len = sizeof *address, error;

    set_port(address, l->port ? l->port : l->options.port);
    error = uv_tcp_bind(server, (const struct sockaddr *)address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)server, BACKLOG, on_connection);
    if (error == 0)
        error = uv_tcp_getsockname(server, (struct sockaddr *)address, &len);
    if (error == 0) /* at the same place in both families */
        l->port = ntohs(((struct sockaddr_in6 *)(void *)address)->sin6_port);
    return error;
}

/* A handle whose bind failed is of no use again: it is closed with the rest. */
static int open_one(listener *l, struct sockaddr_storage *address) {
    uv_tcp_t *server = &l->servers[l->server_count++];
    int error;

    uv_tcp_init(l->loop, server);
    server->data = l;
    error = bind_and_listen(l, server, address);
    if (error == 0)
        l->bound[l->bound_count++] = *address;
    return error;
}

/* What is not this computer's, of several addresses that a name has, is passed over. */
static int open_port(listener *l) {
    struct sockaddr_storage found[LISTENER_ADDRESSES];
    bool all = !l->options.host || !*l->options.host;
    size_t count = 0;
    int error = find_addresses(l, found, &count), last = UV_EADDRNOTAVAIL;

    for (size_t i = 0; i < count && error == 0; i++) {
        last = open_one(l, &found[i]);
        if (last != UV_EADDRNOTAVAIL && last != UV_EAFNOSUPPORT)
            error = last;
    }
    if (error == 0 && last == UV_EAFNOSUPPORT && all) { /* a system without IPv6 */
        uv_ip4_addr("0.0.0.0", 0, (struct sockaddr_in *)(void *)&found[0]);
        last = open_one(l, &found[0]);
    }
    return error != 0 ? error : l->bound_count > 0 ? 0 : last;
}

size_t listener_bound(const listener *l, const struct sockaddr_storage **out) {
    *out = l->bound;
    return l->bound_count;
}

/* ---- beginning and closing ---- */

static void on_failed_closed(uv_handle_t *handle) {
    listener *l = handle->data;

    if (--l->failed_handles > 0)
        return;
    free_options(&l->options);
    free(l);
}

int listener_new(uv_loop_t *loop, const listener_options *options, const listener_events *events, void *owner,
                 listener **out) {
    listener *l = calloc(1, sizeof *l);
    int error;

    *out = NULL;
    if (!l)
        return UV_ENOMEM;
    l->loop = loop;
    l->events = events;
    l->owner = owner;
    l->host = (peer_host){&l->options, events, owner, l, on_peer_lingers, on_peer_gone};
    if (!copy_options(&l->options, options)) {
        free_options(&l->options);
        free(l);
        return UV_ENOMEM;
    }
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    error = open_port(l);
    if (error != 0) { /* the handles need a turn of the loop to go */
        l->failed_handles = 1 + l->server_count;
        uv_close((uv_handle_t *)&l->timer, on_failed_closed);
        for (size_t i = 0; i < l->server_count; i++)
            uv_close((uv_handle_t *)&l->servers[i], on_failed_closed);
        return error;
    }
    *out = l;
    return 0;
}

int listener_update(listener *l, const listener_options *options) {
    listener_options fresh = *options, old = l->options;

    fresh.host = old.host;
    fresh.port = old.port;
    if (!copy_options(&fresh, &fresh)) {
        free_options(&fresh);
        return UV_ENOMEM;
    }
    l->options = fresh; /* in place: peers point to it */
    free_options(&old);
    return 0;
}

static void on_server_closed(uv_handle_t *handle) {
    listener *l = handle->data;

    l->servers_closed++;
    check_finished(l);
}

/* A peer leaves its list when its handle is closed, later. */
static void end_all(listener *l) {
    for (peer *p = l->rest.first; p; p = p->next)
        peer_end(p);
    for (peer *p = l->waiting.first; p; p = p->next)
        peer_end(p);
    for (peer *p = l->judged.first; p; p = p->next)
        peer_end(p);
    for (peer *p = l->lingering.first; p; p = p->next)
        peer_end(p);
}

void listener_close(listener *l) {
    peer *next;

    if (l->closing) {
        end_all(l);
        return;
    }
    l->closing = true;
    for (size_t i = 0; i < l->server_count; i++)
        uv_close((uv_handle_t *)&l->servers[i], on_server_closed);
    for (peer *p = l->rest.first; p; p = next) {
        next = p->next;
        if (p->ws)
            websocket_close(p->ws, CODE_GOING_AWAY, "server stopping");
    }
    for (peer *p = l->judged.first; p; p = next) {
        next = p->next;
        websocket_close(p->ws, CODE_GOING_AWAY, "server stopping");
    }
    for (peer *p = l->waiting.first; p; p = next) {
        next = p->next;
        if (p->ws)
            websocket_close(p->ws, CODE_GOING_AWAY, "server stopping");
        else
            peer_end(p);
    }
}

void listener_free(listener *l) {
    if (!l)
        return;
    free_options(&l->options);
    free(l);
}
