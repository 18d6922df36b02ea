/*
 * The network between phones and the computer: streams of bytes that come late, in pieces of any size, or only in part.
 *
 * A wire has two ends and, for each way, bytes that were written and not read yet. Of these the sender's system holds as
 * many as fit; the others wait in libuv's queue, and go with the process. A wire that is cut loses what was on its way; its
 * ends hear of that, or nothing at all. A wire may stand still for a minute, while a later one overtakes it.
 */
#ifndef TEST_WIRE_NET_H
#define TEST_WIRE_NET_H

#include "test_wire_loop.h"

#include <netdb.h>
#include <netinet/in.h>

enum { MAX_WIRES = 1024, PORT = 8080, PHONE_ADDRESS = 10 };
enum end { CLIENT, SERVER };

struct waiting_write {
    uv_write_t *request;
    uv_write_cb cb;
    uint64_t until; /* of all bytes that were ever written: this one's last */
    struct waiting_write *next;
};

struct wire;

struct side {
    struct wire *wire;
    enum end end;
    uv_tcp_t *tcp;                /* NULL: closed, or not accepted yet */
    bool reading, told_end, dead; /* the last: of a process that is no more; what it says does not leave it */
    /* What comes to this side. */
    uint8_t *bytes;
    size_t len, size;
    uint64_t written, read;       /* of all bytes ever */
    bool ended;                   /* the other side will write no more */
    struct waiting_write *writes; /* the other side's, oldest first */
    struct event *pump;
    uint64_t cut_at; /* when so many bytes were read */
};

struct wire {
    struct side sides[2];
    unsigned client; /* whose */
    size_t room;     /* bytes that the sender's system takes */
    unsigned delay;  /* ms, most */
    int64_t still_from, still_until;
    bool cut, silent;
    uv_connect_t *connecting;
    uv_connect_cb connect_cb;
    uv_tcp_t *connecting_tcp;
};

static struct {
    struct wire *wires[MAX_WIRES];
    unsigned count;
    bool perfect;      /* nothing goes wrong any more */
    uv_stream_t *port; /* the computer's, NULL: nobody listens */
    struct wire *accepting;
    const void *secrets[64];
    size_t secret_lens[64];
    unsigned secret_count;
    uint64_t bytes;
} net;

static struct side *other(struct side *s) {
    return &s->wire->sides[!s->end];
}

static struct side *side_of(const uv_stream_t *stream) {
    return stream->u.reserved[0];
}

static uv_loop_t *loop_of(const struct side *s) {
    return s->tcp ? s->tcp->loop : NULL;
}

/* ---- what may not be read by anybody in between ---- */

static void keep_secret(const void *bytes, size_t len) {
    if (net.secret_count == sizeof net.secrets / sizeof *net.secrets)
        abort();
    net.secrets[net.secret_count] = bytes;
    net.secret_lens[net.secret_count++] = len;
}

static void listen_in(const uint8_t *bytes, size_t len) {
    static const char *const words[] = {"updatedAt", "pairingSecret", "sync_", "scratchpad", "deviceId\":"};

    net.bytes += len;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(bytes, len, words[i], strlen(words[i])))
            wrong("a message in the clear");
    for (unsigned i = 0; i < net.secret_count; i++)
        if (memmem(bytes, len, net.secrets[i], net.secret_lens[i]))
            wrong("a secret in the clear");
}

/* ---- bytes on their way ---- */

static void fire_pump(struct event *e);

static void pump_later(struct side *to) {
    struct wire *w = to->wire;

    if (to->pump || w->silent)
        return;
    int64_t delay = w->delay && draw(NETWORK, 4) == 0 ? draw(NETWORK, w->delay) : draw(NETWORK, 3);
    if (world.now + delay >= w->still_from && world.now < w->still_until && !net.perfect)
        delay = w->still_until - world.now;
    to->pump = after(delay, loop_of(to), fire_pump, to);
}

static void fire_written(struct event *e) {
    struct waiting_write *write = e->what;
    uv_write_t *request = write->request;
    uv_write_cb cb = write->cb;
    int status = e->detail;

    free(write);
    cb(request, status);
}

static void tell_written(struct side *to, struct waiting_write *write, int status) {
    after(0, loop_of(other(to)), fire_written, write)->detail = status;
}

/* Those whose last byte the sender's system has by now. */
static void tell_those_written(struct side *to) {
    while (to->writes && to->writes->until <= to->read + to->wire->room) {
        struct waiting_write *write = to->writes;
        to->writes = write->next;
        tell_written(to, write, 0);
    }
}

static void cancel_writes(struct side *to) {
    while (to->writes) {
        struct waiting_write *write = to->writes;
        to->writes = write->next;
        tell_written(to, write, UV_ECANCELED);
    }
}

static void fire_broken(struct event *e) {
    struct side *s = e->what;
    uv_buf_t none = {NULL, 0};

    if (!s->tcp || !s->reading || s->told_end)
        return;
    s->told_end = true;
    s->tcp->read_cb((uv_stream_t *)s->tcp, UV_ECONNRESET, &none);
}

static void break_side(struct side *s, unsigned within) {
    s->len = 0;
    cancel_event(&s->pump);
    if (s->tcp)
        after(draw(NETWORK, within), s->tcp->loop, fire_broken, s);
}

/* Nothing that is on its way arrives. */
static void cut(struct wire *w, bool silent) {
    if (w->cut)
        return;
    w->cut = true;
    w->silent = silent;
    for (int i = 0; i < 2; i++) {
        struct side *s = &w->sides[i];
        if (silent)
            cancel_event(&s->pump);
        else
            break_side(s, 50);
    }
}

static void pass(struct side *to, size_t n) {
    uv_stream_t *stream = (uv_stream_t *)to->tcp;
    uv_buf_t buf = {NULL, 0};

    stream->alloc_cb((uv_handle_t *)stream, 65536, &buf);
    if (n > buf.len)
        n = buf.len;
    if (n == 0) {
        wrong("no room to read");
        return;
    }
    memcpy(buf.base, to->bytes, n);
    memmove(to->bytes, to->bytes + n, to->len - n);
    to->len -= n;
    to->read += n;
    for (size_t i = 0; i < n; i++)
        mix((uint8_t)buf.base[i]);
    tell_those_written(to);
    stream->read_cb(stream, (ssize_t)n, &buf);
}

static size_t piece(const struct side *to) {
    switch (draw(NETWORK, 8)) {
    case 0:
        return 1;
    case 1:
        return 1 + draw(NETWORK, 16) % to->len;
    case 2:
    case 3:
        return 1 + draw(NETWORK, (unsigned)to->len);
    default:
        return to->len;
    }
}

static void tell_end(struct side *to) {
    uv_buf_t none = {NULL, 0};

    to->told_end = true;
    to->tcp->read_cb((uv_stream_t *)to->tcp, UV_EOF, &none);
}

static void fire_pump(struct event *e) {
    struct side *to = e->what;
    struct wire *w = to->wire;
    size_t n = to->len > 0 ? piece(to) : 0;

    to->pump = NULL;
    world.current = to->tcp ? to->tcp->loop->data : NULL;
    if (!to->tcp) { /* sent to somebody who has gone: the sender is told so */
        if (n > 0 && !w->connecting)
            cut(w, false);
        return;
    }
    if (!to->reading || to->told_end)
        return;
    bool cutting = !net.perfect && n > 0 && to->read + n >= to->cut_at;
    if (cutting)
        n = (size_t)(to->cut_at - to->read);
    if (n > 0)
        pass(to, n);
    if (cutting)
        cut(w, draw(NETWORK, 4) == 0);
    else if (to->tcp && to->len > 0)
        pump_later(to);
    else if (to->tcp && to->ended && n == 0)
        tell_end(to);
    else if (to->tcp && to->ended)
        pump_later(to);
}

static void append(struct side *to, const uv_buf_t *bufs, unsigned count, size_t most) {
    for (unsigned i = 0; i < count && most > 0; i++) {
        size_t n = bufs[i].len < most ? bufs[i].len : most;
        if (to->len + n > to->size) {
            to->size = 2 * (to->len + n);
            if (!(to->bytes = realloc(to->bytes, to->size)))
                abort();
        }
        if (n > 0)
            memcpy(to->bytes + to->len, bufs[i].base, n);
        to->len += n;
        to->written += n;
        most -= n;
    }
    if (!to->wire->cut)
        pump_later(to);
}

static size_t total(const uv_buf_t *bufs, unsigned count) {
    size_t sum = 0;

    for (unsigned i = 0; i < count; i++) {
        sum += bufs[i].len;
        listen_in((const uint8_t *)bufs[i].base, bufs[i].len);
    }
    return sum;
}

/* ---- libuv's streams ---- */

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp) {
    init_handle((uv_handle_t *)tcp, loop, UV_TCP);
    return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable) {
    (void)tcp, (void)enable;
    return 0;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t bufs[], unsigned count) {
    struct side *to = other(side_of(stream));
    size_t sum = total(bufs, count);

    if (side_of(stream)->dead)
        return (int)sum;
    size_t room = to->wire->room > to->len ? to->wire->room - to->len : 0;
    if (room == 0)
        return UV_EAGAIN;
    append(to, bufs, count, room);
    return (int)(sum < room ? sum : room);
}

int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count,
             uv_write_cb cb) {
    struct side *to = other(side_of(stream));
    struct waiting_write *write = calloc(1, sizeof *write), **last = &to->writes;

    if (!write)
        abort();
    request->handle = stream;
    size_t sum = total(bufs, count);
    if (!side_of(stream)->dead)
        append(to, bufs, count, sum);
    *write = (struct waiting_write){request, cb, to->written, NULL};
    while (*last)
        last = &(*last)->next;
    *last = write;
    tell_those_written(to);
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream) {
    const struct side *to = other(side_of(stream));
    return to->len > to->wire->room ? to->len - to->wire->room : 0;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc_cb, uv_read_cb read_cb) {
    struct side *s = side_of(stream);

    if (stream->flags & 1)
        return UV_EINVAL;
    stream->alloc_cb = alloc_cb;
    stream->read_cb = read_cb;
    s->reading = true;
    if (s->wire->cut && !s->wire->silent)
        after(0, stream->loop, fire_broken, s);
    else if (s->len > 0 || s->ended)
        pump_later(s);
    return 0;
}

int uv_read_stop(uv_stream_t *stream) {
    side_of(stream)->reading = false;
    return 0;
}

static void fire_shut(struct event *e) {
    uv_shutdown_t *request = e->what;
    request->cb(request, 0);
}

static void end_to(struct side *to) {
    to->ended = true;
    if (!to->wire->cut)
        pump_later(to);
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *stream, uv_shutdown_cb cb) {
    request->handle = stream;
    request->cb = cb;
    end_to(other(side_of(stream)));
    after(0, stream->loop, fire_shut, request);
    return 0;
}

/* ---- connecting ---- */

static struct side *new_wire(uv_tcp_t *tcp) {
    struct wire *w = calloc(1, sizeof *w);

    if (!w || net.count == MAX_WIRES)
        abort();
    net.wires[net.count++] = w;
    *w = (struct wire){.client = world.current ? world.current->number : 0, .room = 65536, .delay = 5};
    for (int i = 0; i < 2; i++)
        w->sides[i] = (struct side){.wire = w, .end = (enum end)i, .cut_at = UINT64_MAX};
    w->sides[CLIENT].tcp = tcp;
    if (net.perfect)
        return &w->sides[CLIENT];
    static const unsigned rooms[] = {65536, 65536, 4096, 700}, delays[] = {5, 50, 400, 3000};
    w->room = rooms[draw(NETWORK, 4)];
    w->delay = delays[draw(NETWORK, 4)];
    if (draw(NETWORK, 3) == 0)
        w->sides[draw(NETWORK, 2)].cut_at = 1 + draw(NETWORK, draw(NETWORK, 2) ? 600 : 12000);
    if (draw(NETWORK, 5) == 0) {
        w->still_from = world.now + draw(NETWORK, 300);
        w->still_until = w->still_from + 1000 + draw(NETWORK, draw(NETWORK, 2) ? 20000 : 100000);
    }
    return &w->sides[CLIENT];
}

static void fire_connected(struct event *e) {
    struct wire *w = e->what;
    uv_connect_t *request = w->connecting;

    w->connecting = NULL;
    if (request)
        w->connect_cb(request, e->detail);
}

static void fire_arrived(struct event *e) {
    struct wire *w = e->what;

    if (!w->connecting)
        return;
    after(draw(NETWORK, w->delay + 1), w->connecting_tcp->loop, fire_connected, w)->detail =
        net.port ? 0 : UV_ECONNREFUSED;
    if (!net.port)
        return;
    struct actor *before = world.current;
    world.current = net.port->loop->data;
    net.accepting = w;
    net.port->connection_cb(net.port, 0);
    net.accepting = NULL;
    world.current = before;
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address, uv_connect_cb cb) {
    struct side *s = new_wire(tcp);

    (void)address;
    tcp->u.reserved[0] = s;
    s->wire->connecting = request;
    s->wire->connect_cb = cb;
    s->wire->connecting_tcp = tcp;
    if (net.perfect || draw(NETWORK, 30) > 0) /* else it is lost */
        after(draw(NETWORK, s->wire->delay + 1), NULL, fire_arrived, s->wire);
    return 0;
}

int uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *address, unsigned flags) {
    (void)tcp, (void)address, (void)flags;
    return 0;
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb cb) {
    (void)backlog;
    stream->connection_cb = cb;
    net.port = stream;
    return 0;
}

int uv_accept(uv_stream_t *server, uv_stream_t *stream) {
    struct wire *w = net.accepting;

    if (!w || server != net.port)
        return UV_EAGAIN;
    net.accepting = NULL;
    w->sides[SERVER].tcp = (uv_tcp_t *)stream;
    stream->u.reserved[0] = &w->sides[SERVER];
    return 0;
}

static void fire_connect_cancelled(struct event *e) {
    struct wire *w = e->what;
    uv_connect_t *request = w->connecting;

    w->connecting = NULL;
    if (request)
        w->connect_cb(request, UV_ECANCELED);
}

static void stream_closes(uv_stream_t *stream) {
    struct side *s = side_of(stream);

    if (stream == net.port)
        net.port = NULL;
    if (!s)
        return;
    struct side *to = other(s);
    if (s->end == CLIENT && s->wire->connecting)
        after(0, stream->loop, fire_connect_cancelled, s->wire);
    if (to->len > to->wire->room)
        to->len = to->wire->room;
    cancel_writes(to);
    cancel_event(&s->pump);
    s->tcp = NULL;
    s->reading = false;
    if (s->wire->cut)
        return;
    if (s->len > 0 || draw(NETWORK, 8) == 0)
        cut(s->wire, s->dead && draw(NETWORK, 3) == 0);
    else
        end_to(to);
}

/* A process is no more: what its system holds still goes out, or (the power went) nothing does and nobody is told. */
static void drop_process(struct side *s, bool power) {
    s->dead = true;
    if (power)
        cut(s->wire, true);
}

static void address_of(unsigned host, struct sockaddr *out, int *len) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    v4.sin_addr.s_addr = htonl(0xC0A80100 + host);
    memcpy(out, &v4, sizeof v4);
    *len = sizeof v4;
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *out, int *len) {
    const struct side *s = side_of((const uv_stream_t *)tcp);
    address_of(s->end == SERVER ? PHONE_ADDRESS + s->wire->client : 2, out, len);
    return 0;
}

int uv_tcp_getsockname(const uv_tcp_t *tcp, struct sockaddr *out, int *len) {
    (void)tcp;
    address_of(2, out, len);
    return 0;
}

static void fire_resolved(struct event *e) {
    uv_getaddrinfo_t *request = e->what;
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in));
    int len;

    if (!info)
        abort();
    info->ai_family = AF_INET;
    info->ai_addr = (struct sockaddr *)(info + 1);
    address_of(2, info->ai_addr, &len);
    info->ai_addrlen = (socklen_t)len;
    request->cb(request, 0, info);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb, const char *node,
                   const char *service, const struct addrinfo *hints) {
    (void)node, (void)service, (void)hints;
    request->loop = loop;
    request->cb = cb;
    after(draw(NETWORK, 3), loop, fire_resolved, request);
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *info) {
    free(info);
}

/* In half of the histories frames are masked with zeros, which leaves them as they are for listen_in(). */
static bool unmasked;

int uv_random(uv_loop_t *loop, uv_random_t *request, void *out, size_t len, unsigned flags, uv_random_cb cb) {
    (void)loop, (void)request, (void)flags, (void)cb;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = len == 4 && unmasked ? 0 : (uint8_t)draw(MASKS, 256);
    return 0;
}

static void forget_wires(void) {
    for (unsigned i = 0; i < net.count; i++) {
        for (int k = 0; k < 2; k++)
            free(net.wires[i]->sides[k].bytes);
        free(net.wires[i]);
    }
    net.count = 0;
}

#endif
