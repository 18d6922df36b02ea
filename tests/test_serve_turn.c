/*
 * test_serve_turn.c - who may commit next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/turn.h"

#include <string.h>

static turn_place places[4];
static char went[16];

static void on_go(turn_place *place) {
    size_t len = strlen(went);

    went[len] = (char)('a' + (place - places));
    went[len + 1] = '\0';
}

/* Steps of a letter and a place: ? asks (and goes where it may), ! takes, - leaves; and who went, in order. */
static const struct {
    const char *what, *steps, *went;
    int holder; /* -1: nobody */
} cases[] = {
    {"nobody has it: all go", "?a?b?a", "aba", -1},
    {"who has it goes, the others wait", "!a?b?a?c", "a", 0},
    {"in the order in which they came", "!a?c?b-a", "c", 2},
    {"and so on to the last", "!a?c?b?d-a-c-b-d", "cbd", -1},
    {"it cannot be taken from another", "!a!b?b-a", "b", 1},
    {"one that waits may go away: the first", "!a?b?c-b-a", "c", 2},
    {"the last", "!a?b?c-c?d-a-b", "bd", 3},
    {"the only one", "!a?b-b-a?c", "c", -1},
    {"to leave without having it is nothing", "!a-b?b-a-c", "b", 1},
    {"free again", "!a-a?b!b?c-b", "bc", 2},
};

static void turns(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        turn t = {0};
        memset(places, 0, sizeof places);
        went[0] = '\0';
        for (const char *step = cases[i].steps; *step; step += 2) {
            turn_place *place = &places[step[1] - 'a'];
            place->go = on_go;
            if (*step == '?' && turn_ask(&t, place))
                on_go(place);
            else if (*step == '!')
                turn_take(&t, place);
            else if (*step == '-')
                turn_leave(&t, place);
        }
        if (strcmp(went, cases[i].went) != 0)
            fail_msg("%s: %s went", cases[i].what, went);
        if (t.holder != (cases[i].holder < 0 ? NULL : &places[cases[i].holder]))
            fail_msg("%s: another has it", cases[i].what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
