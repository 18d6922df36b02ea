/*
 * Watching the own addresses. A change is seldom alone (a lease that ends, another one that begins), and at
 * the system's start the network may come up after the server: so a look waits until it has been quiet for a
 * while.
 *
 *     IDLE -- netlink, paired, start --> SETTLING -- timer --> LOOKING (a job on the worker) --> IDLE
 */
#include "serve/moved.h"

#include "log.h"
#include "net/address.h"
#include "serve/host.h"
#include "serve/reachable.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SETTLE = 3000, SETTLE_AT_START = 20000 }; /* ms */

int moved_find(store *s, uint16_t port, device **out, size_t *count, store_error *err) {
    size_t all = 0;
    int rc = device_list(s, out, &all, err);
    reachable_own *own = reachable_own_new();

    *count = 0;
    for (size_t i = 0; rc == 0 && i < all; i++) {
        const device *d = &(*out)[i];
        bool in_use = d->revoked_at == 0 && d->lapses_at == 0 && d->host[0];
        bool elsewhere = port && d->port && d->port != port;
        if (in_use && (elsewhere || !reachable_own_has(own, d->host)))
            (*out)[(*count)++] = *d;
    }
    reachable_own_free(own);
    return rc;
}

/* What a code says, as an address: without brackets, and without the interface, which a code cannot know. */
static bool parse_place(const char *place, struct sockaddr_storage *out) {
    char plain[sizeof((device *)NULL)->host];

    snprintf(plain, sizeof plain, "%s", place + (place[0] == '['));
    plain[strcspn(plain, "]%")] = '\0';
    return address_parse(plain, 0, out);
}

bool moved_came_otherwise(const device *d, const char *address, uint16_t port) {
    struct sockaddr_storage place, own;
    size_t place_len, own_len;

    if (d->host[0] == '\0' || port == 0 || !parse_place(address, &own))
        return false;
    if (d->port != 0 && d->port != port)
        return true;
    if (!parse_place(d->host, &place))
        return false;
    const uint8_t *one = address_bytes((struct sockaddr *)&place, &place_len);
    const uint8_t *other = address_bytes((struct sockaddr *)&own, &own_len);
    return one && other && (place_len != own_len || memcmp(one, other, own_len) != 0);
}

struct moved_watch {
    worker_job job; /* first, as worker.h wants it */
    host *host;
    uint16_t port;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    bool looking, again, closed;
    size_t count, told; /* devices that were found; the log knows of so many */
    char name[DEVICE_NAME_MAX + 1], place[256], told_place[256];
    uint16_t place_port;
};

/* ---- looking ---- */

static void run_look(worker_job *job) {
    moved_watch *w = (moved_watch *)job;
    store_error err = STORE_ERROR_INIT;
    device *moved = NULL;

    w->count = 0;
    if (moved_find(w->host->store, w->port, &moved, &w->count, &err) == 0 && w->count > 0) {
        snprintf(w->name, sizeof w->name, "%s", moved[0].name[0] ? moved[0].name : moved[0].id);
        snprintf(w->place, sizeof w->place, "%s", moved[0].host);
        w->place_port = moved[0].port;
    }
    free(moved);
}

static void tell(moved_watch *w) {
    if (w->count > 0 && (w->count > w->told || strcmp(w->place, w->told_place) != 0)) {
        log_event(LOG_WARNING, "moved", LOG_NUMBER("phones", w->count), LOG_TEXT("phone", w->name),
                  LOG_TEXT("paired_with", w->place), LOG_NUMBER("paired_port", w->place_port),
                  LOG_TEXT("msg", "phones were paired with an address that this computer does not have now; "
                                  "trivet status says what to do"));
        snprintf(w->told_place, sizeof w->told_place, "%s", w->place);
    } else if (w->count == 0 && w->told > 0) {
        log_event(LOG_INFO, "moved", LOG_NUMBER("phones", 0),
                  LOG_TEXT("msg", "this computer has all addresses again that phones were paired with"));
        w->told_place[0] = '\0';
    }
    w->told = w->count;
}

static void done_look(worker_job *job) {
    moved_watch *w = (moved_watch *)job;

    w->looking = false;
    if (w->closed)
        return;
    tell(w);
    if (w->again)
        moved_watch_look(w);
}

static void on_timer(uv_timer_t *timer) {
    moved_watch *w = timer->data;

    w->again = w->looking;
    if (w->looking)
        return;
    w->looking = true;
    w->job = (worker_job){run_look, done_look, NULL};
    worker_submit(w->host->worker, &w->job);
}

static void look_in(moved_watch *w, uint64_t pause) {
    uv_timer_start(&w->timer, on_timer, pause, 0);
}

void moved_watch_look(moved_watch *w) {
    if (w && !w->closed && !uv_is_active((uv_handle_t *)&w->timer))
        look_in(w, SETTLE);
}

/* ---- the kernel ---- */

/* What exactly has changed is not read: the addresses are looked at anew. */
static void on_netlink(uv_poll_t *poll, int status, int events) {
    moved_watch *w = poll->data;
    char bytes[8192];

    (void)events;
    if (status < 0) {
        uv_poll_stop(poll);
        return;
    }
    while (recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    look_in(w, SETTLE);
}

moved_watch *moved_watch_new(host *h, uint16_t port) {
    struct sockaddr_nl changes = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    moved_watch *w = calloc(1, sizeof *w);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), yes = 1;

    /* More changes than the kernel keeps must not show as an error, which libuv takes for the end: some are there to be
     * seen, and that is enough. */
    if (fd >= 0)
        setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
    if (!w || fd < 0 || bind(fd, (struct sockaddr *)&changes, sizeof changes) != 0 ||
        uv_poll_init(h->loop, &w->poll, fd) != 0) {
        log_info("changes of this computer's addresses are not watched: netlink is not at hand");
        if (fd >= 0)
            close(fd);
        free(w);
        return NULL;
    }
    w->host = h;
    w->port = port;
    w->fd = fd;
    uv_timer_init(h->loop, &w->timer);
    w->poll.data = w->timer.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_netlink);
    look_in(w, SETTLE_AT_START);
    return w;
}

static void on_poll_closed(uv_handle_t *handle) {
    moved_watch *w = handle->data;
    close(w->fd);
}

void moved_watch_close(moved_watch *w) {
    if (!w || w->closed)
        return;
    w->closed = true;
    uv_close((uv_handle_t *)&w->poll, on_poll_closed);
    uv_close((uv_handle_t *)&w->timer, NULL);
}

void moved_watch_free(moved_watch *w) {
    free(w);
}
