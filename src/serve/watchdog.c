#include "serve/watchdog.h"

#include "log.h"
#include "serve/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A whole number, or 0. */
static unsigned long long number_in(const char *variable) {
    const char *text = getenv(variable);
    char *end;

    if (!text || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

/* ms between two pings; 0: nobody asked for any, or not of this process. */
static uint64_t interval(void) {
    unsigned long long usec = number_in("WATCHDOG_USEC");

    if (getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID") != (unsigned long long)getpid())
        return 0;
    if (usec == 0 || usec / 2000 > INT32_MAX)
        return 0;
    return usec / 2000 > 0 ? usec / 2000 : 1;
}

static void on_timer(uv_timer_t *timer) {
    watchdog *w = timer->data;
    bool stuck = worker_busy_for(w->worker) > w->patience;

    if (stuck && !w->silent)
        log_error(
            "a job on the store has run for %llu s: the service manager is told nothing more until it ends",
            (unsigned long long)(worker_busy_for(w->worker) / 1000));
    w->silent = stuck;
    if (!stuck)
        notify("WATCHDOG=1");
}

void watchdog_start(watchdog *w, uv_loop_t *loop, const worker *checked, uint64_t patience) {
    uint64_t every = interval();

    *w = (watchdog){.worker = checked, .patience = patience};
    if (every == 0)
        return;
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    w->running = true;
    uv_unref((uv_handle_t *)&w->timer);
    uv_timer_start(&w->timer, on_timer, every, every);
}

void watchdog_stop(watchdog *w) {
    if (w->running)
        uv_close((uv_handle_t *)&w->timer, NULL);
    w->running = false;
}
