/* AvahiPoll on libuv: what Avahi and D-Bus lean on (avahi-common/watch.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <avahi-common/timeval.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mdns/avahi_loop.h"

typedef struct {
    uv_loop_t loop;
    avahi_loop *adapter;
    const AvahiPoll *poll;
    int ends[2]; /* a socket pair; what is written to [1] can be read from [0] */
} stage;

static void raise_stage(stage *s) {
    memset(s, 0, sizeof *s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_non_null(s->adapter = avahi_loop_new(&s->loop));
    s->poll = avahi_loop_poll(s->adapter);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->ends), 0);
}

/* The loop must hold nothing any more after one run. */
static void strike_stage(stage *s) {
    avahi_loop_free(s->adapter);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    close(s->ends[0]);
    close(s->ends[1]);
}

/* What one watch heard, and what it is to do about it. */
typedef struct {
    stage *stage;
    unsigned calls;
    AvahiWatchEvent last, asked;
    AvahiWatch *frees, *stops, *own;
    bool reads;
} ear;

static void on_event(AvahiWatch *w, int fd, AvahiWatchEvent event, void *userdata) {
    ear *e = userdata;
    char bytes[16];

    e->calls++;
    e->last = event;
    e->asked = e->stage->poll->watch_get_events(w);
    if (e->reads)
        (void)!read(fd, bytes, sizeof bytes);
    if (e->stops)
        e->stage->poll->watch_update(e->stops, 0);
    if (e->frees)
        e->stage->poll->watch_free(e->frees);
    e->frees = NULL;
}

static AvahiWatch *listen_to(ear *e, stage *s, AvahiWatchEvent events) {
    e->stage = s;
    e->own = s->poll->watch_new(s->poll, s->ends[0], events, on_event, e);
    assert_non_null(e->own);
    return e->own;
}

static void say(const stage *s) {
    assert_int_equal(write(s->ends[1], "x", 1), 1);
}

static void turn(stage *s) {
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void test_watches_of_one_descriptor(void **state) {
    stage s;
    ear in = {.reads = true}, out = {0};

    (void)state;
    raise_stage(&s);
    listen_to(&in, &s, AVAHI_WATCH_IN);
    listen_to(&out, &s, 0); /* as D-Bus has it: to write, when there is something */
    turn(&s);
    assert_int_equal(in.calls + out.calls, 0);
    say(&s);
    turn(&s);
    assert_int_equal(in.calls, 1);
    assert_int_equal(in.last, AVAHI_WATCH_IN);
    assert_int_equal(in.asked, AVAHI_WATCH_IN);
    assert_int_equal(out.calls, 0);
    assert_int_equal(s.poll->watch_get_events(in.own), 0); /* only inside of its callback */
    s.poll->watch_update(out.own, AVAHI_WATCH_OUT);
    turn(&s);
    assert_int_equal(in.calls, 1);
    assert_int_equal(out.calls, 1);
    assert_int_equal(out.last, AVAHI_WATCH_OUT);
    s.poll->watch_update(out.own, 0);
    say(&s);
    turn(&s);
    assert_int_equal(in.calls, 2);
    assert_int_equal(out.calls, 1);
    strike_stage(&s);
}

static void test_freed_in_a_callback(void **state) {
    (void)state;
    for (int which = 0; which < 4; which++) { /* itself, the other, both of them, and the other is stopped */
        stage s;
        ear first = {0}, second = {0};

        raise_stage(&s);
        listen_to(&first, &s, AVAHI_WATCH_IN);
        listen_to(&second, &s, AVAHI_WATCH_IN);
        ear *asked_first = &second; /* the newest one */
        ear *other = &first;
        if (which == 0 || which == 2)
            asked_first->frees = asked_first->own;
        if (which == 1)
            asked_first->frees = other->own;
        if (which == 2)
            other->frees = other->own;
        if (which == 3)
            asked_first->stops = other->own;
        say(&s);
        turn(&s);
        turn(&s);
        assert_int_equal(asked_first->calls, which == 0 || which == 2 ? 1 : 2);
        assert_int_equal(other->calls, which == 0 ? 2 : which == 2 ? 1 : 0);
        strike_stage(&s);
    }
}

/* A descriptor that is closed when its watch is gone, and another that gets its number: D-Bus connecting anew. */
static void test_a_number_used_again(void **state) {
    stage s;
    ear before = {0}, after = {.reads = true};

    (void)state;
    raise_stage(&s);
    listen_to(&before, &s, AVAHI_WATCH_IN);
    turn(&s);
    s.poll->watch_free(before.own);
    int number = s.ends[0];
    close(s.ends[0]);
    close(s.ends[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s.ends), 0);
    assert_int_equal(s.ends[0], number);
    listen_to(&after, &s, AVAHI_WATCH_IN);
    say(&s);
    turn(&s);
    turn(&s);
    assert_int_equal(before.calls, 0);
    assert_int_equal(after.calls, 1);
    strike_stage(&s);
}

static void test_the_other_end_closes(void **state) {
    stage s;
    ear in = {0};

    (void)state;
    raise_stage(&s);
    listen_to(&in, &s, AVAHI_WATCH_IN | AVAHI_WATCH_HUP);
    shutdown(s.ends[1], SHUT_RDWR);
    turn(&s);
    assert_int_equal(in.calls, 1);
    assert_true(in.last & AVAHI_WATCH_IN);
    assert_true(in.last & AVAHI_WATCH_HUP);
    strike_stage(&s);
}

typedef struct {
    stage *stage;
    unsigned calls;
    unsigned repeats; /* sets itself again for now, so often */
    bool frees;
    int *order, place;
} alarm_clock;

static struct timeval in_ms(unsigned ms) {
    struct timeval tv;
    avahi_elapse_time(&tv, ms, 0);
    return tv;
}

static void on_alarm(AvahiTimeout *t, void *userdata) {
    alarm_clock *a = userdata;

    a->calls++;
    if (a->order)
        a->place = ++*a->order;
    if (a->repeats > 0) {
        struct timeval now = in_ms(0);
        a->repeats--;
        a->stage->poll->timeout_update(t, &now);
    }
    if (a->frees)
        a->stage->poll->timeout_free(t);
}

static void test_timeouts(void **state) {
    stage s;
    int order = 0;
    alarm_clock late = {.stage = &s, .order = &order}, soon = late, past = late, never = late, gone = late;
    struct timeval tv;

    (void)state;
    raise_stage(&s);
    tv = in_ms(20);
    AvahiTimeout *first = s.poll->timeout_new(s.poll, &tv, on_alarm, &late);
    tv = in_ms(5);
    soon.frees = true;
    s.poll->timeout_new(s.poll, &tv, on_alarm, &soon);
    tv = (struct timeval){1, 0};
    s.poll->timeout_new(s.poll, &tv, on_alarm, &past);
    AvahiTimeout *off = s.poll->timeout_new(s.poll, NULL, on_alarm, &never);
    tv = in_ms(1);
    s.poll->timeout_free(s.poll->timeout_new(s.poll, &tv, on_alarm, &gone));
    uv_run(&s.loop, UV_RUN_DEFAULT); /* until none waits */
    assert_int_equal(past.place, 1);
    assert_int_equal(soon.place, 2);
    assert_int_equal(late.place, 3);
    assert_int_equal(never.calls + gone.calls, 0);
    tv = in_ms(1); /* each can be used again, and be taken back */
    s.poll->timeout_update(off, &tv);
    s.poll->timeout_update(first, &tv);
    s.poll->timeout_update(first, NULL);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    assert_int_equal(never.calls, 1);
    assert_int_equal(late.calls, 1);
    strike_stage(&s);
}

/* libuv runs timers that are due before it looks at descriptors, those that were set meanwhile included. */
static void test_a_busy_timeout_starves_nobody(void **state) {
    stage s;
    ear in = {.reads = true};
    alarm_clock busy = {.stage = &s, .repeats = 1000000};
    struct timeval tv = in_ms(0);

    (void)state;
    raise_stage(&s);
    listen_to(&in, &s, AVAHI_WATCH_IN);
    s.poll->timeout_new(s.poll, &tv, on_alarm, &busy);
    say(&s);
    while (in.calls == 0 && busy.repeats > 0)
        uv_run(&s.loop, UV_RUN_ONCE);
    assert_int_equal(in.calls, 1);
    strike_stage(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watches_of_one_descriptor),
        cmocka_unit_test(test_freed_in_a_callback),
        cmocka_unit_test(test_a_number_used_again),
        cmocka_unit_test(test_the_other_end_closes),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_a_busy_timeout_starves_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
