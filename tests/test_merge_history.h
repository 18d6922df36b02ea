/*
 * test_merge_history.h - random histories: an ancestor, and what a phone and a computer made of it, in the ways that an app has.
 *
 * Plain data, so that it can be made smaller. Every edit is dated, the two sides' never alike, so nothing that was edited ties;
 * but a renumbering may leave the dates as they are.
 */
#ifndef TEST_MERGE_HISTORY_H
#define TEST_MERGE_HISTORY_H

#include "test_merge_support.h"

enum { IDS = 9, SLOTS = 2, PADS = 2, LINES = 6 };

typedef struct {
    bool held, deleted;
    int slot, text, done, created, updated, deleted_at; /* done 2: lacking */
    double position;
} item;

/* A scratchpad. */
typedef struct {
    int lines[LINES], count, updated;
    bool ends; /* with a line feed */
} pad;

typedef struct {
    item items[IDS];
    pad pads[PADS];
} model;

typedef struct {
    model a, p, c;
} models;

/* ---- making ------------------------------------------------------------------------------------------- */

static int below(uint64_t *seed, int bound) {
    return (int)random_below(seed, (size_t)bound);
}

static item random_item(uint64_t *seed, int time) {
    item it = {.held = true,
               .deleted = below(seed, 5) == 0,
               .slot = below(seed, 4) == 0,
               .text = below(seed, 4),
               .done = below(seed, 3),
               .created = below(seed, 4),
               .updated = time,
               .position = below(seed, 8)};
    it.deleted_at = it.deleted ? time : -1;
    return it;
}

static pad random_pad(uint64_t *seed, int time) {
    pad made = {.count = below(seed, LINES + 1), .updated = time, .ends = below(seed, 2) == 0};
    for (int i = 0; i < made.count; i++)
        made.lines[i] = below(seed, 8);
    return made;
}

/* Fresh positions for what lives in a slot: in the order that it has, or in another. Dated only where that is asked for. */
static void renumber(uint64_t *seed, model *m, int slot, bool shuffle, int time) {
    double last = -1, step = below(seed, 3) == 0 ? 0.5 : 1;
    for (int n = 1; n <= IDS; n++) {
        item *least = NULL;
        for (int i = 0; i < IDS; i++) {
            item *it = &m->items[i];
            if (it->held && !it->deleted && it->slot == slot && it->position > last && it->position < 1000 &&
                (!least || it->position < least->position))
                least = it;
        }
        if (!least)
            break;
        last = least->position;
        least->position = 1000 + (shuffle ? below(seed, 20) : n * step);
        if (time > 0)
            least->updated = time;
    }
    for (int i = 0; i < IDS; i++)
        if (m->items[i].position >= 1000)
            m->items[i].position -= 1000;
}

/* What is deleted can only be restored, or purged: nobody sees it. */
static void edit_item(uint64_t *seed, item *it, int time) {
    switch (below(seed, it->deleted ? 2 : 8)) {
    case 0:
        it->held = false;
        return;
    case 1:
        it->deleted = !it->deleted;
        it->deleted_at = it->deleted ? time : -1;
        break;
    case 2:
        it->slot = !it->slot;
        it->position = below(seed, 8);
        break;
    case 3:
    case 4:
        it->position = below(seed, 16) / 2.0;
        break;
    case 5:
        it->done = below(seed, 3);
        break;
    case 6:
        it->created = below(seed, 4);
        break;
    default:
        it->text = below(seed, 4);
    }
    it->updated = time;
}

static void edit_pad(uint64_t *seed, pad *it, int time) {
    if (it->count == 0 || below(seed, 6) == 0) {
        *it = random_pad(seed, time);
        return;
    }
    int at = below(seed, it->count);
    if (below(seed, 3) == 0) {
        memmove(&it->lines[at], &it->lines[at + 1], (size_t)(it->count - at - 1) * sizeof *it->lines);
        it->count--;
    } else {
        it->lines[at] = below(seed, 8);
    }
    it->updated = time;
}

/* Edits dated `time`, `time` + 2, ...: the other side's never have these dates, and nothing that was edited ties. */
static model edited(uint64_t *seed, const model *from, int time) {
    model m = *from;
    for (int edits = below(seed, 7); edits > 0; edits--, time += 2) {
        int i = below(seed, IDS);
        switch (below(seed, 8)) {
        case 0:
            edit_pad(seed, &m.pads[below(seed, PADS)], time);
            break;
        case 1:
            renumber(seed, &m, below(seed, SLOTS), below(seed, 2) == 0, below(seed, 2) == 0 ? time : 0);
            break;
        default:
            if (m.items[i].held)
                edit_item(seed, &m.items[i], time);
            else
                m.items[i] = random_item(seed, time);
        }
    }
    return m;
}

static void make(models *h, uint64_t seed) {
    *h = (models){0};
    for (int i = 0; i < IDS; i++)
        if (below(&seed, 4) != 0)
            h->a.items[i] = random_item(&seed, 10 + below(&seed, 5));
    for (int i = 0; i < PADS; i++)
        h->a.pads[i] = random_pad(&seed, 10 + below(&seed, 5));
    h->p = edited(&seed, &h->a, 101);
    h->c = edited(&seed, &h->a, 102);
}

/* ---- to a document ------------------------------------------------------------------------------------ */

static char *put_slot(char *p, const model *m, int slot) {
    *p++ = '[';
    for (int i = 0, any = 0; i < IDS; i++) {
        const item *it = &m->items[i];
        if (!it->held || it->slot != slot)
            continue;
        p +=
            sprintf(p, "%s{\"id\":\"i%d\",\"text\":\"t%d\",\"position\":%g,\"createdAt\":%d,\"updatedAt\":%d",
                    any++ ? "," : "", i, it->text, it->position, it->created, it->updated);
        if (it->done < 2)
            p += sprintf(p, ",\"done\":%s", it->done ? "true" : "false");
        if (it->deleted)
            p += sprintf(p, ",\"deleted\":true,\"deletedAt\":%d", it->deleted_at);
        *p++ = '}';
    }
    return p + sprintf(p, "]");
}

static char *write_model(const model *m) {
    char *json = allocate(8192), *p = json + sprintf(json, "{\"lists\":[");
    for (int slot = 0; slot < SLOTS; slot++)
        p = put_slot(p + sprintf(p, slot ? "," : ""), m, slot);
    p += sprintf(p, "],\"scratchpad\":[");
    for (int i = 0; i < PADS; i++) {
        p += sprintf(p, "%s{\"content\":\"", i ? "," : "");
        for (int k = 0; k < m->pads[i].count; k++)
            p += sprintf(p, "l%d%s", m->pads[i].lines[k],
                         k + 1 < m->pads[i].count || m->pads[i].ends ? "\\n" : "");
        p += sprintf(p, "\",\"updatedAt\":%d}", m->pads[i].updated);
    }
    sprintf(p, "]}");
    return json;
}

/* ---- making smaller ---- */

enum { STEPS = 6 * IDS + 4 * PADS + 3 * PADS * LINES };

static void drop_line(pad *it, int at) {
    if (at >= it->count)
        return;
    memmove(&it->lines[at], &it->lines[at + 1], (size_t)(it->count - at - 1) * sizeof *it->lines);
    it->count--;
}

/* The `step`th way to make a case smaller; it may be none. */
static void make_smaller(models *h, int step) {
    model *const sides[] = {&h->a, &h->p, &h->c};
    int id = step / 6, rest = step - 6 * IDS;
    if (rest < 0) {
        item *a = &h->a.items[id], *p = &h->p.items[id], *c = &h->c.items[id];
        switch (step % 6) {
        case 0:
            *a = *p = *c = (item){0};
            break;
        case 1:
            *p = *a;
            break;
        case 2:
            *c = *a;
            break;
        case 3:
            *a = (item){0};
            break;
        case 4:
            a->text = p->text = c->text = a->created = p->created = c->created = 0;
            break;
        default:
            a->done = p->done = c->done = 2;
        }
    } else if (rest < 4 * PADS) {
        int i = rest / 4;
        if (rest % 4 == 0)
            h->a.pads[i] = h->p.pads[i] = h->c.pads[i] = (pad){.updated = 10};
        else
            sides[rest % 4 - 1]->pads[i] = h->a.pads[i];
    } else {
        rest -= 4 * PADS;
        drop_line(&sides[rest % 3]->pads[rest / 3 / LINES], rest / 3 % LINES);
    }
}

static int weight(const models *h) {
    const model *const sides[] = {&h->a, &h->p, &h->c};
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        for (int id = 0; id < IDS; id++) {
            const item *it = &sides[i]->items[id];
            sum += it->held ? 100 + it->text + it->created + (it->done < 2) : 0;
            sum += memcmp(it, &h->a.items[id], sizeof *it) != 0 ? 20 : 0;
        }
        for (int k = 0; k < PADS; k++)
            sum += sides[i]->pads[k].count +
                   (memcmp(&sides[i]->pads[k], &h->a.pads[k], sizeof(pad)) != 0 ? 20 : 0);
    }
    return sum;
}

#endif
