/*
 * Simulated time, and a loop on it: what libuv does for the program, done here for all computers of a history at once.
 *
 * The functions have libuv's names, and the linker takes them before the library's: so the program's own sources run
 * unchanged, from the listener to the store. Nothing waits and nothing is asked of the system. What is to happen stands in
 * one list with its moment; step() takes the first. An event belongs to a loop, and the loop to somebody, whose wall clock
 * the program then sees.
 */
#ifndef TEST_WIRE_LOOP_H
#define TEST_WIRE_LOOP_H

#include "test_wire_chance.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_EVENTS = 4096, EPOCH_S = 1700000000, LOOP_ORIGIN = 1000000 };

/* Somebody with a clock. */
struct actor {
    const char *name;
    unsigned number; /* of a phone, from 0 on */
    int64_t skew;    /* ms that its wall clock is off */
};

struct event {
    int64_t at;
    uint64_t number;
    uv_loop_t *loop; /* NULL: nobody's */
    void (*fire)(struct event *e);
    void *what;
    int detail;
};

static struct {
    int64_t now; /* ms since the beginning */
    uint64_t next_number;
    struct event *events[MAX_EVENTS];
    unsigned count;
    struct actor *current;
    int handles;  /* that were made and not closed */
    int machines; /* of proto/, likewise */
    uint64_t hash;
    char problem[200]; /* the first thing that went wrong where no history may be ended; "": none */
} world;

/* For callbacks of the program, which cannot be left by a jump: the history ends after the event. */
static void wrong(const char *what) {
    if (!world.problem[0])
        snprintf(world.problem, sizeof world.problem, "%s", what);
}

static void mix(uint64_t value) {
    world.hash = (world.hash ^ value) * 1099511628211u;
}

static int64_t wall_of(const struct actor *a) {
    return (int64_t)EPOCH_S * 1000 + world.now + (a ? a->skew : 0);
}

int clock_gettime(clockid_t id, struct timespec *out) {
    int64_t ms = id == CLOCK_REALTIME ? wall_of(world.current) : world.now;
    *out = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return 0;
}

/* What the program logs: errors of a disk that has just crashed, mostly. */
ssize_t write(int fd, const void *bytes, size_t len) {
    if (fd == STDERR_FILENO && world.current)
        return (ssize_t)len;
    return (ssize_t)syscall(SYS_write, fd, bytes, len);
}

int malloc_trim(size_t pad) { /* takes more time than all the rest of a sync */
    (void)pad;
    return 0;
}

/* ---- events ---- */

static struct event *after(int64_t ms, uv_loop_t *loop, void (*fire)(struct event *), void *what) {
    struct event *e = calloc(1, sizeof *e);

    if (!e || world.count == MAX_EVENTS)
        abort();
    *e = (struct event){world.now + ms, world.next_number++, loop, fire, what, 0};
    world.events[world.count++] = e;
    if (loop)
        loop->active_handles++;
    return e;
}

static void take_out(struct event *e) {
    for (unsigned i = 0; i < world.count; i++)
        if (world.events[i] == e) {
            world.events[i] = world.events[--world.count];
            if (e->loop)
                e->loop->active_handles--;
            return;
        }
}

static void cancel_event(struct event **e) {
    if (!*e)
        return;
    take_out(*e);
    free(*e);
    *e = NULL;
}

/* Of a loop, or (NULL) of all. */
static struct event *first_event(const uv_loop_t *loop) {
    struct event *first = NULL;

    for (unsigned i = 0; i < world.count; i++) {
        struct event *e = world.events[i];
        if ((!loop || e->loop == loop) &&
            (!first || e->at < first->at || (e->at == first->at && e->number < first->number)))
            first = e;
    }
    return first;
}

static void fire(struct event *e) {
    struct actor *before = world.current;

    take_out(e);
    if (e->at > world.now)
        world.now = e->at;
    world.current = e->loop ? e->loop->data : NULL;
    mix((uint64_t)world.now);
    mix(e->number);
    e->fire(e);
    free(e);
    world.current = before;
}

/* The run's own, between two events: in test_wire_sim.c. */
static void between_events(void);

static bool step(void) {
    struct event *e = first_event(NULL);

    if (!e)
        return false;
    fire(e);
    between_events();
    return true;
}

/* ---- loops ---- */

int uv_loop_init(uv_loop_t *loop) {
    memset(loop, 0, sizeof *loop);
    loop->data = world.current;
    return 0;
}

int uv_loop_close(uv_loop_t *loop) {
    if (loop->active_handles > 0)
        wrong("a loop was closed in which something is to happen yet");
    return 0;
}

/* Everybody else's events come about meanwhile, and may run loops in turn. */
int uv_run(uv_loop_t *loop, uv_run_mode mode) {
    (void)mode;
    while (loop->active_handles > 0 && step())
        ;
    return 0;
}

uint64_t uv_now(const uv_loop_t *loop) {
    (void)loop;
    return (uint64_t)(LOOP_ORIGIN + world.now);
}

/* ---- handles: what they are in here is kept in u.reserved[0] ---- */

static void init_handle(uv_handle_t *h, uv_loop_t *loop, uv_handle_type type) {
    h->loop = loop;
    h->type = type;
    h->flags = 0;
    h->u.reserved[0] = NULL;
    world.handles++;
}

static void fire_closed(struct event *e) {
    uv_handle_t *h = e->what;

    world.handles--;
    if (h->close_cb)
        h->close_cb(h);
}

static void stream_closes(uv_stream_t *stream);

void uv_close(uv_handle_t *h, uv_close_cb cb) {
    if (h->flags & 1) {
        wrong("a handle was closed twice");
        return;
    }
    h->flags |= 1;
    if (h->type == UV_TIMER)
        uv_timer_stop((uv_timer_t *)h);
    else if (h->type == UV_IDLE)
        uv_idle_stop((uv_idle_t *)h);
    else
        stream_closes((uv_stream_t *)h);
    h->close_cb = cb;
    after(0, h->loop, fire_closed, h);
}

int uv_is_closing(const uv_handle_t *h) {
    return (h->flags & 1) != 0;
}

int uv_fileno(const uv_handle_t *h, uv_os_fd_t *fd) {
    (void)h, (void)fd;
    return UV_EBADF; /* no socket of the system's */
}

/* ---- timers ---- */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer) {
    init_handle((uv_handle_t *)timer, loop, UV_TIMER);
    return 0;
}

int uv_timer_stop(uv_timer_t *timer) {
    struct event *e = timer->u.reserved[0];

    cancel_event(&e);
    timer->u.reserved[0] = NULL;
    return 0;
}

static void fire_timer(struct event *e) {
    uv_timer_t *timer = e->what;

    timer->u.reserved[0] = NULL;
    timer->timer_cb(timer);
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat) {
    (void)repeat; /* nothing here asks for it */
    if (timer->flags & 1)
        return UV_EINVAL;
    uv_timer_stop(timer);
    timer->timer_cb = cb;
    timer->u.reserved[0] =
        after(timeout > 1u << 30 ? 1 << 30 : (int64_t)timeout, timer->loop, fire_timer, timer);
    return 0;
}

/* ---- whenever nothing else is to be done: here, each millisecond ---- */

int uv_idle_init(uv_loop_t *loop, uv_idle_t *idle) {
    init_handle((uv_handle_t *)idle, loop, UV_IDLE);
    return 0;
}

int uv_idle_stop(uv_idle_t *idle) {
    struct event *e = idle->u.reserved[0];

    cancel_event(&e);
    idle->u.reserved[0] = NULL;
    return 0;
}

static void fire_idle(struct event *e) {
    uv_idle_t *idle = e->what;

    idle->u.reserved[0] = after(1, idle->loop, fire_idle, idle);
    idle->idle_cb(idle);
}

int uv_idle_start(uv_idle_t *idle, uv_idle_cb cb) {
    if (idle->flags & 1)
        return UV_EINVAL;
    idle->idle_cb = cb;
    if (!idle->u.reserved[0])
        idle->u.reserved[0] = after(1, idle->loop, fire_idle, idle);
    return 0;
}

/* ---- the thread pool: the two halves of a job, with other things in between ---- */

static void fire_work_done(struct event *e) {
    uv_work_t *work = e->what;
    work->after_work_cb(work, 0);
}

static void fire_work(struct event *e) {
    uv_work_t *work = e->what;

    work->work_cb(work);
    after(draw(NETWORK, 3), work->loop, fire_work_done, work);
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb cb, uv_after_work_cb done) {
    work->loop = loop;
    work->work_cb = cb;
    work->after_work_cb = done;
    after(draw(NETWORK, 20) == 0 ? draw(NETWORK, 2000) : draw(NETWORK, 3), loop, fire_work, work);
    return 0;
}

int uv_cancel(uv_req_t *req) {
    (void)req;
    return UV_EBUSY; /* it is told in time */
}

#endif
