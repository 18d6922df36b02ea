/*
 * test_serve_worker.c - jobs in their order, and those that are taken back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/worker.h"

#include <string.h>

enum { JOBS = 4 };

static struct {
    worker w;
    worker_job jobs[JOBS];
    uv_sem_t gate; /* the first job waits for it, so that the others have not begun */
    char ran[16], ended[16];
} all;

static void note(char *to, const worker_job *job) {
    size_t len = strlen(to);

    to[len] = (char)('a' + (job - all.jobs));
    to[len + 1] = '\0';
}

static void run(worker_job *job) {
    if (job == all.jobs)
        uv_sem_wait(&all.gate);
    note(all.ran, job);
}

static void done(worker_job *job) {
    note(all.ended, job);
}

/* Steps of a letter and a job: + submits, - withdraws, which succeeds, ! fails to. */
static const struct {
    const char *what, *steps, *ran;
} cases[] = {
    {"in their order", "+a+b+c+d", "abcd"},
    {"one that runs stays", "+a!a+b!a", "ab"},
    {"one in the middle", "+a+b+c+d-c", "abd"},
    {"the first that waits", "+a+b+c-b+d", "acd"},
    {"the last, and another after it", "+a+b+c-c+d", "abd"},
    {"the only one that waits, and it comes again", "+a+b-b+c+b", "acb"},
    {"all that wait", "+a+b+c+d-d-b-c!c", "a"},
    {"one that was never there", "!b+a!b", "a"},
};

static void jobs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uv_loop_t loop;
        memset(&all, 0, sizeof all);
        assert_int_equal(uv_loop_init(&loop), 0);
        uv_sem_init(&all.gate, 0);
        worker_init(&all.w, &loop);
        for (const char *step = cases[i].steps; *step; step += 2) {
            worker_job *job = &all.jobs[step[1] - 'a'];
            if (*step == '+') {
                job->run = run;
                job->done = done;
                worker_submit(&all.w, job);
            } else if (worker_withdraw(&all.w, job) != (*step == '-')) {
                fail_msg("%s: %.2s", cases[i].what, step);
            }
        }
        uv_sem_post(&all.gate);
        uv_run(&loop, UV_RUN_DEFAULT);
        if (strcmp(all.ran, cases[i].ran) != 0 || strcmp(all.ended, cases[i].ran) != 0)
            fail_msg("%s: %s ran, %s ended", cases[i].what, all.ran, all.ended);
        uv_sem_destroy(&all.gate);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(jobs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
