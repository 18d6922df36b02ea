/* A lock with a queue, of which most never hear. */
#include "serve/turn.h"

#include <stddef.h>

bool turn_has(const turn *t, const turn_place *place) {
    return t->holder == place;
}

bool turn_ask(turn *t, turn_place *place) {
    if (!t->holder || turn_has(t, place))
        return true;
    place->waits = true;
    place->next = NULL;
    if (t->last)
        t->last->next = place;
    else
        t->first = place;
    t->last = place;
    return false;
}

void turn_take(turn *t, turn_place *place) {
    if (!t->holder)
        t->holder = place;
}

static void unlink_place(turn *t, turn_place *place) {
    turn_place **at = &t->first, *before = NULL;

    for (; *at != place; at = &(*at)->next)
        before = *at;
    *at = place->next;
    if (t->last == place)
        t->last = before;
    place->waits = false;
}

void turn_leave(turn *t, turn_place *place) {
    if (place->waits)
        unlink_place(t, place);
    if (!turn_has(t, place))
        return;
    t->holder = t->first;
    if (!t->holder)
        return;
    unlink_place(t, t->holder);
    t->holder->go(t->holder);
}
