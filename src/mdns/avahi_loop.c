/*
 * AvahiPoll on libuv.
 *
 * D-Bus asks for two watches on one descriptor, to read and to write, and libuv takes a descriptor only once:
 * so a `port` is a descriptor with one uv_poll_t, and stands for all watches on it.
 *
 *     avahi_loop --> port (fd, uv_poll_t) --> watch, watch, ...
 *                --> timeout (uv_timer_t), ...
 *
 * A watch that is freed while its port hands out events is only marked; it goes when that is over. Ports and
 * timeouts are freed by their handles' close callbacks; none of these looks at the avahi_loop any more.
 */
#include "mdns/avahi_loop.h"

#include <avahi-common/timeval.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct port port;

struct avahi_loop {
    AvahiPoll poll;
    uv_loop_t *loop;
    port *ports;
    AvahiTimeout *timeouts;
};

struct AvahiWatch {
    port *port;
    AvahiWatch *next;
    AvahiWatchEvent wanted, happened; /* `happened` is 0 outside of its callback */
    AvahiWatchCallback callback;
    void *userdata;
    bool dead;
};

struct port {
    uv_poll_t handle;
    avahi_loop *owner;
    port *next;
    AvahiWatch *watches;
    bool handing_out;
};

struct AvahiTimeout {
    uv_timer_t handle;
    avahi_loop *owner;
    AvahiTimeout *prev, *next;
    AvahiTimeoutCallback callback;
    void *userdata;
};

/* ---- watches ---- */

static void on_handle_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void close_port(port *p) {
    port **link = &p->owner->ports;

    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    uv_close((uv_handle_t *)&p->handle, on_handle_closed);
}

/* Drops what was marked; the last one takes the port with it. */
static void sweep(port *p) {
    AvahiWatch **link = &p->watches;

    while (*link) {
        AvahiWatch *w = *link;
        if (w->dead) {
            *link = w->next;
            free(w);
        } else {
            link = &w->next;
        }
    }
    if (!p->watches)
        close_port(p);
}

static void on_poll(uv_poll_t *handle, int status, int events);

/* Asks libuv for what the watches want together. */
static void arm(port *p) {
    int events = 0;

    for (const AvahiWatch *w = p->watches; w; w = w->next) {
        if (w->dead)
            continue;
        events |= w->wanted & AVAHI_WATCH_IN ? UV_READABLE : 0;
        events |= w->wanted & AVAHI_WATCH_OUT ? UV_WRITABLE : 0;
        events |= w->wanted & (AVAHI_WATCH_HUP | AVAHI_WATCH_ERR) ? UV_DISCONNECT : 0;
    }
    if (events)
        uv_poll_start(&p->handle, events, on_poll);
    else
        uv_poll_stop(&p->handle);
}

/* A broken descriptor is readable, writable and hung up, as poll(2) has it. */
static unsigned translate(int status, int events) {
    if (status < 0)
        return AVAHI_WATCH_IN | AVAHI_WATCH_OUT | AVAHI_WATCH_ERR | AVAHI_WATCH_HUP;
    return (events & UV_READABLE ? AVAHI_WATCH_IN : 0u) | (events & UV_WRITABLE ? AVAHI_WATCH_OUT : 0u) |
           (events & UV_DISCONNECT ? AVAHI_WATCH_HUP : 0u);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    port *p = handle->data;
    unsigned happened = translate(status, events);
    uv_os_fd_t fd;

    uv_fileno((uv_handle_t *)handle, &fd);
    p->handing_out = true;
    for (AvahiWatch *w = p->watches; w; w = w->next) {
        unsigned asked = (unsigned)w->wanted | AVAHI_WATCH_ERR | AVAHI_WATCH_HUP;
        if (w->dead || w->wanted == 0 || (happened & asked) == 0)
            continue;
        w->happened = (AvahiWatchEvent)(happened & asked);
        w->callback(w, fd, w->happened, w->userdata);
        w->happened = 0;
    }
    p->handing_out = false;
    if (status == 0) /* else libuv has stopped it, and only an update starts it again */
        arm(p);
    sweep(p);
}

static port *port_of(avahi_loop *a, int fd) {
    uv_os_fd_t own;

    for (port *p = a->ports; p; p = p->next)
        if (uv_fileno((uv_handle_t *)&p->handle, &own) == 0 && own == fd)
            return p;
    port *p = calloc(1, sizeof *p);
    if (!p || uv_poll_init(a->loop, &p->handle, fd) != 0) {
        free(p);
        return NULL;
    }
    p->handle.data = p;
    p->owner = a;
    p->next = a->ports;
    a->ports = p;
    return p;
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent event, AvahiWatchCallback callback,
                             void *userdata) {
    avahi_loop *a = api->userdata;
    AvahiWatch *w = calloc(1, sizeof *w);

    if (!w || !(w->port = port_of(a, fd))) {
        free(w);
        return NULL;
    }
    w->wanted = event;
    w->callback = callback;
    w->userdata = userdata;
    w->next = w->port->watches;
    w->port->watches = w;
    arm(w->port);
    return w;
}

static void watch_update(AvahiWatch *w, AvahiWatchEvent event) {
    w->wanted = event;
    arm(w->port);
}

static AvahiWatchEvent watch_get_events(AvahiWatch *w) {
    return w->happened;
}

/* The descriptor may be closed right after this, so libuv must not poll for a dead watch. */
static void watch_free(AvahiWatch *w) {
    w->dead = true;
    arm(w->port);
    if (!w->port->handing_out)
        sweep(w->port);
}

/* ---- timeouts ---- */

static void on_timer(uv_timer_t *timer) {
    AvahiTimeout *t = timer->data;
    t->callback(t, t->userdata);
}

/* `at` is a time of day; libuv counts from now, in whole milliseconds. NULL: never. At least one, so that a
 * timeout that sets itself again for now lets descriptors have their turn. */
static void timeout_update(AvahiTimeout *t, const struct timeval *at) {
    AvahiUsec left = at ? -avahi_age(at) : 0;

    if (!at)
        uv_timer_stop(&t->handle);
    else
        uv_timer_start(&t->handle, on_timer, left > 0 ? (uint64_t)(left + 999) / 1000 : 1, 0);
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *at,
                                 AvahiTimeoutCallback callback, void *userdata) {
    avahi_loop *a = api->userdata;
    AvahiTimeout *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->owner = a;
    t->callback = callback;
    t->userdata = userdata;
    uv_timer_init(a->loop, &t->handle);
    t->handle.data = t;
    t->next = a->timeouts;
    if (t->next)
        t->next->prev = t;
    a->timeouts = t;
    uv_update_time(a->loop); /* a blocking call of D-Bus may have come before */
    timeout_update(t, at);
    return t;
}

static void timeout_free(AvahiTimeout *t) {
    if (t->prev)
        t->prev->next = t->next;
    else
        t->owner->timeouts = t->next;
    if (t->next)
        t->next->prev = t->prev;
    uv_close((uv_handle_t *)&t->handle, on_handle_closed);
}

/* ---- all of it ---- */

avahi_loop *avahi_loop_new(uv_loop_t *loop) {
    avahi_loop *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->loop = loop;
    a->poll = (AvahiPoll){.userdata = a,
                          .watch_new = watch_new,
                          .watch_update = watch_update,
                          .watch_get_events = watch_get_events,
                          .watch_free = watch_free,
                          .timeout_new = timeout_new,
                          .timeout_update = timeout_update,
                          .timeout_free = timeout_free};
    return a;
}

void avahi_loop_free(avahi_loop *a) {
    if (!a)
        return;
    while (a->ports) {
        port *p = a->ports;
        for (AvahiWatch *w = p->watches; w; w = w->next)
            w->dead = true;
        sweep(p);
    }
    while (a->timeouts)
        timeout_free(a->timeouts);
    free(a);
}

const AvahiPoll *avahi_loop_poll(avahi_loop *a) {
    return &a->poll;
}
