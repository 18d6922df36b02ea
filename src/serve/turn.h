/*
 * turn.h - who may commit next, where several phones sync at once and each commit makes the others' merges stale.
 *
 * Mostly nobody has the turn, and whoever is quicker commits first. A sync whose merge came too late takes the turn; from then on the
 * others' answers wait, in the order in which they came, until it has ended, and then the first of them has the turn. So each
 * sync merges anew at most twice because of others: for what was under way when it took the turn, and for what was committed
 * while it waited (protocol §4.6 allows three). The edits of this computer's own user never wait.
 *
 * A phone that is silent while its sync has the turn holds the others up for TURN_MS at most: then the turn passes on, and its
 * sync goes on without it. A sync that ends, or asks a question, gives the turn back at once. Nothing of it is stored: after a crash
 * nobody has the turn, and nothing is committed but by reconcile.c as ever.
 *
 *     if (turn_ask(t, &place)) go on;    else place.go is called when it may
 *     turn_take(t, &place);              the merge was stale
 *     turn_leave(t, &place);             ended, or lost its claim; also where it has none
 *
 * On the loop's thread. A place belongs to its owner and must leave before it goes.
 */
#ifndef TRIVET_SERVE_TURN_H
#define TRIVET_SERVE_TURN_H

#include <stdbool.h>

enum { TURN_MS = 5000 };

typedef struct turn_place {
    struct turn_place *next;
    bool waits;
    void (*go)(struct turn_place *place); /* it has the turn now */
} turn_place;

typedef struct {
    turn_place *holder, *first, *last;
} turn;

/* True: nobody else has the turn. False: `place` waits for it. */
bool turn_ask(turn *t, turn_place *place);

/* Has the turn from now on, unless another one has it already. */
void turn_take(turn *t, turn_place *place);

bool turn_has(const turn *t, const turn_place *place);

void turn_leave(turn *t, turn_place *place);

#endif
