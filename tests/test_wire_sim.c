/*
 * The whole protocol in a deterministic simulation: one computer, up to four phones of both versions, and a network that delays,
 * cuts and reorders connections at any byte; crashes at any write, on either side; clocks that jump.
 *
 *     build/tests/test_wire_sim [RUNS [FIRST_SEED [JOBS]]]       (or TRIVET_WIRE_RUNS; 300 by itself)
 *     TRIVET_WIRE_TRACE=1 build/tests/test_wire_sim 1 SEED       shows the history of a seed
 *
 * All of the program's own code from HTTP and WebSocket framing over the two machines of proto/ to merge, store and SQLite runs as
 * it is; what libuv, the disk and the clock do is simulated (test_wire_loop.h, test_wire_net.h, test_wire_disk.h). A seed names
 * a run, to the byte; one that went wrong is told as the smallest part of it that still does.
 *
 * Checked after each, when the faults are over and all phones have synced in quiet: the same everywhere; each edit that was ever
 * made is there, or was overwritten by a later or concurrent one, or its item deleted, or (version 1) was typed within the last
 * round trip; nothing that was deleted lives, nothing was asked twice, what the computer acknowledged stays. And at all times: no
 * message refused, no connection ended for a reason that is somebody's fault, no pair of key and nonce used twice, nothing in the
 * clear; in the end all connections are closed and every handle is.
 */
#include <uv.h>

#define clone clone_state                          /* libuv's headers bring the system's along */
#pragma GCC diagnostic ignored "-Wunused-function" /* of what is shared with test_reconcile_sim.c */
#include "test_reconcile_open.h"

#include "log.h"

static struct ledger ledger, *const the_ledger = &ledger;

#include "test_wire_phone.h"

static void drop_folder(void);

#include "test_wire_many.h"

enum { QUIET_ROUNDS = 3, QUIET_MS = 400000 };

/* ---- the ledger ---- */

/*
 * What no rule can decide (merge §10): a phone whose clock was set back edits, after a confirm that it has not applied whole, an
 * item that it had sent; so the item is dated before what was sent. The second history: the older form was typed first, and the
 * phone then restored from a backup of that time.
 */
static void note_set_back(const record *r, const trivet_merge_state *sent) {
    store_error err = STORE_ERROR_INIT;

    for (int k = 0; k < 2; k++) {
        trivet_merge_state *then;
        must(snapshot_read(the_store, k ? &r->snapshot : &r->sent, &then, &err) == 0, err.message);
        for (int i = 0; i < ledger.item_count; i++) {
            struct item *it = &ledger.items[i];
            trivet_merge_slice id = {it->id, strlen(it->id)};
            trivet_merge_item was, is;
            if (it->id[0] && trivet_merge_item_find(then, it->section, id, &was, NULL) &&
                trivet_merge_item_find(sent, it->section, id, &is, NULL) && is.updated_at < was.updated_at)
                it->open |= 1u << DATES;
        }
        trivet_merge_state_free(then);
    }
}

static void in_a_sync(struct handset *h, bool committed);

/* What the newest merge of each phone was made of has reached the computer, and what that made of it. */
static void look(void) {
    store_error err = STORE_ERROR_INIT;
    trivet_merge_state *state = computer_state();

    for (unsigned i = 0; i < phone_count; i++) {
        struct handset *h = &phones[i];
        struct held sent = {0};
        record *records;
        size_t count;
        must(record_list(the_store, h->p.device, h->p.name, &records, &count, &err) == 0, err.message);
        if (count > 0 && records[0].id > h->last_record) {
            h->last_record = records[0].id;
            must(snapshot_read(the_store, &records[0].sent, &sent.state, &err) == 0, err.message);
            for (size_t k = 1; k < count && records[k].id > h->applied; k++)
                note_set_back(&records[k], sent.state);
            count_sent(&ledger, &sent);
            trivet_merge_state_free(sent.state);
            if (h->asked && answers.count < MAX_ASKED)
                answers.asked[answers.count++] = h->asked;
            h->asked = 0;
            in_a_sync(h, true);
        }
        free(records);
    }
    count_in(&ledger, state);
    trivet_merge_state_free(state);
}

static bool replaces(int later, int earlier) {
    for (; later >= 0; later = ledger.edits[later].previous)
        if (later == earlier)
            return true;
    return false;
}

/* An edit that never reached the computer was overwritten by one that was made in knowledge of it, or beside it. */
static void check_edits(void) {
    for (int e = 0; e < ledger.edit_count; e++) {
        const struct edit *edit = &ledger.edits[e];
        bool fine = edit->counted || edits.may_go[e] || ledger.items[edit->item].delete_made;
        for (int f = 0; f < ledger.edit_count && !fine; f++)
            fine =
                f != e && ledger.edits[f].item == edit->item && (replaces(f, e) || ledger.edits[f].counted);
        if (!fine) {
            TRACE("e%d of %.8s, made by %d\n", e, ledger.items[edit->item].id, edits.by[e]);
            went_wrong(&ledger, &ledger.items[edit->item], ledger.items[edit->item].open,
                       "an edit never arrived");
        }
    }
}

/* ---- up and down ---- */

static void fire_start(struct event *e) {
    (void)e;
    TRACE("the computer starts\n");
    start_computer();
    look();
    for (unsigned i = 0; i < phone_count; i++)
        phones[i].asked = 0;
}

static void start_later(void) {
    after(net.perfect ? 0 : 1 + draw(NETWORK, draw(NETWORK, 3) ? 100 : 20000), NULL, fire_start, NULL);
}

/* The moments in which most can go wrong: in the middle of a sync, and when it was committed but not yet confirmed. */
static void fire_edit(struct event *e) {
    struct handset *h = e->what;
    random_state = (uint64_t)e->detail;
    if (!net.perfect)
        edit_phone(h);
}

static void in_a_sync(struct handset *h, bool committed) {
    if (net.perfect)
        return;
    unsigned what = draw(NETWORK, 8);
    if (what == 0)
        after(draw(NETWORK, committed ? 10 : 200), NULL, fire_edit, h)->detail = (int)draw(NETWORK, 1 << 30);
    else if (what == 1 && committed)
        cut_phone(h);
    else if (what == 2 && disk.crash_in == 0)
        disk.crash_in = 1 + draw(NETWORK, 30);
}

static void between_events(void) {
    if (world.problem[0])
        die(world.problem);
    if (boxes.again)
        die("a key and a nonce were used twice");
    if (disk.dead && computer.up) {
        crash_computer(draw(NETWORK, 2));
        start_later();
    } else if (computer.committed && computer.up) {
        computer.committed = false;
        look();
    } else if (computer.started && computer.up) {
        struct handset *h = computer.started;
        computer.started = NULL;
        in_a_sync(h, false);
    }
}

static void stop_computer(void) {
    TRACE("the computer stops\n");
    listener_close(computer.host.listener);
    while (!computer.closed && computer.up && step())
        ;
    if (computer.up)
        end_computer();
}

/* ---- what happens ---- */

static void clock_jumps(struct actor *a) {
    static const int64_t jumps[] = {1000, 60000, 3600000, 86400000, 31536000000};
    int64_t by = jumps[pick(5)] * (pick(2) ? 1 : -1) + (int64_t)pick(1000);

    if (a->skew + by > 2 * jumps[4] || a->skew + by < -2 * jumps[4])
        by = -a->skew;
    a->skew += by;
    TRACE("the clock of %s jumps by %lld ms\n", a->name, (long long)by);
}

/* Where both hold the same, they do much the same to the same item at the same time. */
static void both_edit(struct handset *h) {
    uint64_t chance = random_state;

    edit_phone(h);
    random_state = chance;
    computer_edits();
}

static void act(void) {
    struct handset *h = &phones[pick(phone_count)];
    unsigned what = pick(40);

    if (what < 8)
        edit_phone(h);
    else if (what < 10 && computer.up)
        both_edit(h);
    else if (what < 14 && computer.up)
        computer_edits();
    else if (what < 28)
        h->session ? (void)session_syncs(h, false) : app_syncs(h);
    else if (what < 30 && computer.up)
        computer_syncs();
    else if (what == 30)
        h->session ? kill_phone(h, pick(2)) : app_leaves(h);
    else if (what == 31)
        kill_phone(h, pick(2));
    else if (what < 34 && computer.up)
        disk.crash_in = 1 + pick(40);
    else if (what == 34 && computer.up) {
        crash_computer(pick(2));
        start_later();
    } else if (what == 35 && computer.up && !computer.falling) {
        disk.dead = false;
        crash_computer(false);
        start_later();
    } else if (what < 38)
        clock_jumps(&h->actor);
    else if (what == 38)
        clock_jumps(&computer.actor);
    else if (net.count > 0)
        cut(net.wires[pick(net.count)], pick(2));
}

static uint64_t chances_of(uint64_t seed, unsigned step) {
    return seed * 7919 + step * 0x2545F4914F6CDD1Du;
}

struct action {
    uint64_t chance;
};

static void fire_action(struct event *e) {
    struct action *a = e->what;

    random_state = a->chance;
    free(a);
    e->what = NULL;
    act();
}

static void plan(uint64_t seed, const struct omissions *without) {
    int64_t at = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        random_state = chances_of(seed, i + 1);
        unsigned gap = pick(10);
        at += gap < 5 ? pick(60) : gap < 9 ? 500 + pick(4000) : 30000 + pick(60000);
        if (without->steps[i])
            continue;
        struct action *a = calloc(1, sizeof *a);
        a->chance = random_state;
        after(at, NULL, fire_action, a);
    }
}

/* ---- the end of it ---- */

static bool planned(void) {
    for (unsigned i = 0; i < world.count; i++)
        if (world.events[i]->fire == fire_action || world.events[i]->fire == fire_start)
            return true;
    return false;
}

static void sync_quietly(struct handset *h) {
    unsigned before = h->syncs;
    int64_t until = world.now + QUIET_MS;

    if (h->session) {
        must(session_syncs(h, true) == 0, "a quiet sync was given up");
        return;
    }
    while (h->syncs == before && world.now < until) {
        if (!h->ws && !h->connecting)
            app_syncs(h);
        int64_t wait =
            world.now + 70000; /* a connection of before may be dead, and take a minute to show it */
        if (h->ws)
            app_syncs(h);
        while (h->syncs == before && (h->ws || h->connecting) && world.now < wait)
            must(step(), "nothing happens any more");
    }
    must(h->syncs > before, "a quiet sync was given up");
}

/* Nobody with the code of another takes its connection over late, by what is on its way. */
static void settle(struct handset *h) {
    while (h->connecting)
        must(step(), "nothing happens any more");
    if (!h->twin)
        return;
    app_leaves(h);
    while (h->ws)
        must(step(), "nothing happens any more");
    cut_phone(h);
}

static void quiet(uint64_t seed) {
    TRACE("quiet\n");
    net.perfect = true;
    computer.hurried_user = true;
    disk.crash_in = 0;
    for (unsigned i = 0; i < phone_count; i++)
        phones[i].die_in = 0;
    for (unsigned i = 0; i < phone_count; i++)
        settle(&phones[i]);
    for (unsigned round = 0; round < QUIET_ROUNDS; round++)
        for (unsigned i = 0; i < phone_count; i++) {
            random_state = chances_of(seed, STEPS + 1 + round * MAX_PHONES + i);
            sync_quietly(&phones[i]);
        }
}

static void check(void) {
    trivet_merge_state *state = computer_state();

    check_computer(&ledger, state);
    for (unsigned i = 0; i < phone_count; i++) {
        trivet_merge_state *held = phone_state(&phones[i]);
        check_phone(&ledger, state, held);
        trivet_merge_state_free(held);
    }
    trivet_merge_state_free(state);
    check_edits();
}

static void close_all(void) {
    for (unsigned i = 0; i < phone_count; i++)
        app_leaves(&phones[i]);
    stop_computer();
    for (unsigned i = 0; i < phone_count; i++)
        if (!phones[i].session)
            uv_close((uv_handle_t *)&phones[i].timer, NULL);
    while (step())
        ;
    must(world.handles == 0, "a handle was never closed");
    must(world.machines == 0, "a connection was never freed");
    for (unsigned i = 0; i < phone_count; i++)
        must(!phones[i].ws && !phones[i].connecting && !phones[i].running, "a connection was never closed");
    for (unsigned i = 0; i < net.count; i++)
        must(!net.wires[i]->sides[CLIENT].tcp && !net.wires[i]->sides[SERVER].tcp,
             "a stream was never closed");
}

/* ---- a run ---- */

static void begin(uint64_t seed) {
    memset(&world, 0, sizeof world);
    memset(&boxes, 0, sizeof boxes);
    memset(&ledger, 0, sizeof ledger);
    memset(&edits, 0, sizeof edits);
    memset(&answers, 0, sizeof answers);
    memset(&computer, 0, sizeof computer);
    memset(&net, 0, sizeof net);
    begin_chance(seed);
    trace_len = 0;
    *trace = '\0';
    unmasked = seed / 4 % 2;
    grain = (const int64_t[]){1, 1, 30000, 120000}[seed % 4];
    disk_begin();
    for (int i = 0; i < LABELS; i++)
        ledger.items[ledger.item_count++] =
            (struct item){.section = TRIVET_MERGE_LISTS_CATEGORIES, .label = (size_t)i};
    config_init(&computer.config);
    computer.config.large_threshold = 2.0; /* tiny lists would ask all the time */
    computer.actor.name = "the computer";
}

static void play(uint64_t seed, const struct omissions *without) {
    begin(seed);
    random_state = chances_of(seed, 0);
    computer.config.on_tie = (const policy[]){POLICY_ASK, POLICY_ASK, POLICY_NEWEST, POLICY_PHONE}[pick(4)];
    start_computer();
    unsigned count = 1 + pick(MAX_PHONES);
    for (phone_count = 0; phone_count < count; phone_count++)
        pair_phone(phone_count, phone_count > 0 && !phones[phone_count - 1].version_2 && pick(4) == 0
                                    ? &phones[phone_count - 1]
                                    : NULL);
    plan(seed, without);
    while (planned())
        must(step(), "nothing happens any more");
    quiet(seed);
    check();
    close_all();
}

static bool run(uint64_t seed, const struct omissions *without) {
    bool fine = setjmp(failed) == 0;

    if (fine)
        play(seed, without);
    if (!fine)
        return false; /* as it was left; the process ends */
    for (unsigned i = 0; i < phone_count; i++)
        retire_phone(&phones[i]);
    forget_wires();
    return true;
}

/* The folder is real, for its lock and those of the phones; the database in it only seems so. */
static void make_store(void) {
    char path[128];

    if (setjmp(failed) != 0) {
        fprintf(stderr, "%s", trace);
        exit(1);
    }
    new_store();
    store_close(the_store);
    the_store = NULL;
    image_copy(&disk.pristine, &disk.now[MAIN]);
    snprintf(path, sizeof path, "%s/trivet.db", the_folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* which looks whether it is empty */
    must(fd >= 0 && write(fd, "x", 1) == 1, "no file");
    close(fd);
}

static void drop_folder(void) {
    nftw(the_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv) {
    unsigned long runs = number(argc > 1 ? argv[1] : getenv("TRIVET_WIRE_RUNS"), 300);
    unsigned long first = number(argc > 2 ? argv[2] : NULL, 1), jobs = number(argc > 3 ? argv[3] : NULL, 1);

    randombytes_set_implementation(&drawn);
    if (!disk_start() || sodium_init() < 0)
        return 1;
    log_set_level(LOG_ERROR);
    if (runs > 1 && !same_again(first)) {
        printf("not ok 1 - a seed does not name a run\n1..1\n");
        return 1;
    }
    return many(first, runs, jobs < MAX_JOBS ? (unsigned)jobs : MAX_JOBS);
}
