/*
 * A computer and several phones through everything that merge §10 lists, at random, with a ledger of every
 * edit: lost confirms, phones killed between two of their writes, phones restored from backups, two phones on
 * one code, purged tombstones, edits while a sync runs. A seed names a run; a failure prints it.
 *
 *     build/tests/test_reconcile_sim [RUNS [FIRST_SEED]]
 *
 * What is checked after each run, when all phones have synced in quiet: the same live items everywhere; each
 * item that ever reached the computer is live unless somebody deleted it; nothing that was deleted lives; and
 * no item holds a text that an edit made in knowledge of it had replaced.
 */
#include "serve/commit.h"
#include "serve/reconcile.h"
#include "state/edit.h"
#include "store/device.h"
#include "store/snapshot.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHONES = 3, STEPS = 40, MAX_EDITS = 2000, MAX_ITEMS = 600 };

/* Texts are "e<number>": the number is the edit that wrote it. */
struct edit {
    int item, previous; /* the edit whose text it replaced; -1: it added the item */
    bool counted;       /* its text was in the computer's state once */
};

struct item {
    char id[64];
    trivet_merge_section section;
    bool counted, deleted; /* reached the computer; its deletion did */
    bool delete_made;      /* somebody deleted it somewhere, whether that arrived or was lost with a phone */
};

struct phone {
    char device[DEVICE_ID_LEN + 1], name[32];
    trivet_merge_state *state;
    int64_t since, skew;
    trivet_merge_state *backup;
    int64_t backup_since;
};

static struct sim {
    uint64_t seed;
    int64_t clock;
    store *store;
    char folder[64];
    struct phone phones[PHONES];
    struct edit edits[MAX_EDITS];
    struct item items[MAX_ITEMS];
    int edit_count, item_count;
    char trace[65536];
    size_t trace_len;
} sim;

#define TRACE(...)                                                                                           \
    do {                                                                                                     \
        int n_ = snprintf(sim.trace + sim.trace_len, sizeof sim.trace - sim.trace_len, __VA_ARGS__);         \
        if (n_ > 0 && sim.trace_len + (size_t)n_ < sizeof sim.trace)                                         \
            sim.trace_len += (size_t)n_;                                                                     \
    } while (0)

static uint64_t random_state;

static unsigned pick(unsigned below) {
    random_state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

/* Ids and secrets come from the seed too, so that a run can be had again. */
static const char *seeded_name(void) {
    return "seeded";
}

static uint32_t seeded_random(void) {
    return pick(UINT32_MAX);
}

static void seeded_buf(void *out, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)pick(256);
}

static struct randombytes_implementation seeded = {
    .implementation_name = seeded_name, .random = seeded_random, .buf = seeded_buf};

static void die(const char *what) {
    printf("not ok - seed %llu: %s\n%s\n", (unsigned long long)sim.seed, what, sim.trace);
    exit(1);
}

static void must(int rc, const char *what, const store_error *err) {
    if (rc != 0) {
        if (err)
            TRACE("%s\n", err->message);
        die(what);
    }
}

/* ---- states ---- */

static trivet_merge_state *read_copy(const char *json, size_t len) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state = NULL;
    char *copy = malloc(len + 1);
    memcpy(copy, json, len);
    if (trivet_merge_state_read_steal(copy, len, TRIVET_MERGE_PHONE, &state, &err) != 0) {
        TRACE("%s: %s\n", err.path, err.reason);
        die("a state cannot be read");
    }
    return state;
}

static trivet_merge_state *clone(const trivet_merge_state *from) {
    char *json;
    size_t len;
    must(trivet_merge_state_write(from, &json, &len), "write", NULL);
    trivet_merge_state *copy = read_copy(json, len);
    free(json);
    return copy;
}

static trivet_merge_state *computer_state(void) {
    store_error err = STORE_ERROR_INIT;
    store_name head;
    trivet_merge_state *state;
    must(head_get(sim.store, &head, &err), "head", &err);
    must(snapshot_read(sim.store, &head, &state, &err), "head's snapshot", &err);
    return state;
}

static int item_number(trivet_merge_slice id) {
    for (int i = 0; i < sim.item_count; i++)
        if (strlen(sim.items[i].id) == id.len && memcmp(sim.items[i].id, id.data, id.len) == 0)
            return i;
    die("an item that nobody made");
    return -1;
}

static int edit_number(trivet_merge_slice text) {
    char number[16] = "";
    if (text.len < 2 || text.len > sizeof number || text.data[0] != 'e')
        die("a text that nobody wrote");
    memcpy(number, text.data + 1, text.len - 1);
    return atoi(number);
}

static const trivet_merge_section sections[] = {TRIVET_MERGE_LISTS, TRIVET_MERGE_LOCKED_LISTS};

/* Any live item, or false. */
static bool any_item(const trivet_merge_state *state, trivet_merge_item *out, trivet_merge_section *section) {
    unsigned live = 0;
    for (int pass = 0, wanted = -1; pass < 2; pass++) {
        int seen = 0;
        for (int k = 0; k < 2; k++)
            for (size_t slot = 0; slot < trivet_merge_slot_count(state, sections[k]); slot++)
                for (size_t i = 0; trivet_merge_item_at(state, sections[k], slot, i, out) && !out->deleted;
                     i++)
                    if (seen++ == wanted) {
                        *section = sections[k];
                        return true;
                    }
        live = (unsigned)seen;
        if (live == 0)
            return false;
        wanted = (int)pick(live);
    }
    return false;
}

/* ---- edits, each with its line in the ledger ---- */

static void edit_somehow(trivet_merge_state *state, int64_t now, const char *who) {
    edit_error err = EDIT_ERROR_INIT;
    trivet_merge_item item;
    trivet_merge_section section;
    char text[32], id[65];
    unsigned what = pick(10);

    if (sim.edit_count == MAX_EDITS || sim.item_count == MAX_ITEMS)
        return;
    snprintf(text, sizeof text, "e%d", sim.edit_count);
    if (what < 3 || !any_item(state, &item, &section)) {
        section = sections[pick(4) == 0];
        must(edit_add(state, section, pick(3), text, now, &item, &err), err.message, NULL);
        struct item *it = &sim.items[sim.item_count];
        snprintf(it->id, sizeof it->id, "%.*s", (int)item.id.len, item.id.data);
        it->section = section;
        sim.edits[sim.edit_count++] = (struct edit){sim.item_count++, -1, false};
        TRACE("%s adds %s (%.8s)\n", who, text, it->id);
        return;
    }
    snprintf(id, sizeof id, "%.*s", (int)item.id.len, item.id.data);
    if (what < 7) {
        int previous = edit_number(item.text);
        must(edit_text(state, id, text, now, &item, &err), err.message, NULL);
        sim.edits[sim.edit_count++] = (struct edit){item_number(item.id), previous, false};
        TRACE("%s edits %.8s e%d -> %s\n", who, id, previous, text);
    } else if (what < 9) {
        must(edit_remove(state, id, now, &item, &err), err.message, NULL);
        sim.items[item_number(item.id)].delete_made = true;
        TRACE("%s deletes %.8s\n", who, id);
    } else {
        must(edit_move(state, id, pick(3), EDIT_TOP, NULL, now, &item, &err) > 1, err.message, NULL);
        TRACE("%s moves %.8s\n", who, id);
    }
}

/* What is in the computer's state now has reached it. */
static void count_in(const trivet_merge_state *computer) {
    trivet_merge_item item;

    for (int i = 0; i < sim.item_count; i++) {
        struct item *it = &sim.items[i];
        trivet_merge_slice id = {it->id, strlen(it->id)};
        bool there = trivet_merge_item_find(computer, it->section, id, &item, NULL);
        if (there && !item.deleted) {
            if (it->deleted)
                die("an item that was deleted lives again");
            it->counted = true;
            sim.edits[edit_number(item.text)].counted = true;
        } else if (it->counted || there) {
            if (!it->delete_made) {
                TRACE("item %.8s\n", it->id);
                die("an item that nobody deleted is gone");
            }
            it->counted = it->deleted = true;
        }
    }
}

static void computer_edits(void) {
    store_error err = STORE_ERROR_INIT;
    history_line line = {.time = sim.clock, .cause = "edit", .counts = "{}"};
    trivet_merge_state *before = computer_state(), *after = clone(before);
    store_name name;

    if (pick(8) == 0) { /* purge */
        trivet_merge_item item;
        for (int k = 0; k < 2; k++)
            for (size_t slot = 0; slot < trivet_merge_slot_count(before, sections[k]); slot++)
                for (size_t i = 0; trivet_merge_item_at(before, sections[k], slot, i, &item); i++)
                    if (item.deleted)
                        trivet_merge_remove_item(after, sections[k], item.id);
        TRACE("computer purges\n");
    } else {
        edit_somehow(after, sim.clock, "computer");
    }
    must(store_begin(sim.store, &err), "begin", &err);
    must(commit_head(sim.store, before, after, &line, &name, &err), "edit", &err);
    must(store_commit(sim.store, &err), "commit", &err);
    count_in(after);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

/* ---- a sync ---- */

enum fault { NONE, CONFIRM_LOST, KILLED_AFTER_TIME, KILLED_AFTER_LISTS, KILLED_AFTER_LOCKED };

/* The app stores its time, lists, locked lists and scratchpads one after the other. */
static void apply(struct phone *p, const char *document, size_t len, enum fault fault) {
    static const trivet_merge_section order[3][2] = {
        {TRIVET_MERGE_LISTS, TRIVET_MERGE_LISTS_CATEGORIES},
        {TRIVET_MERGE_LOCKED_LISTS, TRIVET_MERGE_LOCKED_LISTS_CATEGORIES},
        {TRIVET_MERGE_SCRATCHPAD, TRIVET_MERGE_SCRATCHPAD_CATEGORIES}};
    int groups = fault == NONE ? 3 : (int)fault - (int)KILLED_AFTER_TIME;

    if (fault == CONFIRM_LOST)
        return;
    p->since = sim.clock + p->skew;
    if (!document || groups == 0)
        return;
    trivet_merge_state *merged = read_copy(document, len), *mixed;
    must(trivet_merge_state_new(&mixed), "new", NULL);
    for (int g = 0; g < 3; g++)
        for (int k = 0; k < 2; k++)
            trivet_merge_take_section(mixed, g < groups ? merged : p->state, order[g][k]);
    trivet_merge_state *stored = clone(mixed);
    trivet_merge_state_free(mixed);
    trivet_merge_state_free(merged);
    trivet_merge_state_free(p->state);
    p->state = stored;
}

static reconcile_outcome answer(reconcile *r, const struct phone *p) {
    char *document;
    size_t len;
    must(trivet_merge_state_write(p->state, &document, &len), "write", NULL);
    return reconcile_answer(r, document, len, p->since, sim.clock);
}

static reconcile_outcome decide(reconcile *r) {
    const char *kind;
    reconcile_question(r, &kind);
    TRACE("  asked: %s\n", kind);
    if (strcmp(kind, "tie") == 0)
        must(reconcile_pick(r, pick(2) ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER, NULL, 0), "pick", NULL);
    else
        must(reconcile_choose(r, TRIVET_MERGE_LARGE_BOTH), "choose", NULL);
    return reconcile_decide(r, sim.clock);
}

static bool sync_once(struct phone *p, enum fault fault, bool quiet) {
    reconcile_settings settings = RECONCILE_SETTINGS_INIT;
    settings.large_threshold = 2.0; /* tiny lists would ask all the time */
    reconcile *r = reconcile_new(sim.store, p->device, p->name, &settings);
    reconcile_outcome outcome = answer(r, p);
    size_t len = 0;

    TRACE("%s syncs (since %lld, fault %d)\n", p->name, (long long)p->since, (int)fault);
    for (;;) {
        if (outcome == RECONCILE_ASK) {
            outcome = decide(r);
        } else if (outcome == RECONCILE_PROPOSE) {
            sim.clock += 1 + pick(50);
            if (!quiet && pick(8) == 0)
                edit_somehow(p->state, sim.clock + p->skew, p->name);
            if (!quiet && pick(8) == 0)
                computer_edits();
            outcome = answer(r, p);
        } else {
            break;
        }
    }
    sim.clock += 1 + pick(50);
    if (outcome == RECONCILE_FAILED)
        TRACE("%s\n", reconcile_error(r)->message);
    if (outcome == RECONCILE_FAILED || outcome == RECONCILE_REFUSED)
        die("a sync failed");
    bool done = outcome == RECONCILE_KEEP || outcome == RECONCILE_APPLY;
    if (done) {
        trivet_merge_state *computer = computer_state();
        const char *document = outcome == RECONCILE_APPLY ? reconcile_document(r, &len) : NULL;
        apply(p, document, len, fault);
        count_in(computer);
        trivet_merge_state_free(computer);
    }
    TRACE("  %s\n", outcome == RECONCILE_KEEP ? "kept" : outcome == RECONCILE_APPLY ? "applied" : "given up");
    reconcile_free(r);
    return done;
}

/* ---- a run ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void fresh_phone(struct phone *p) {
    trivet_merge_state_free(p->state);
    must(trivet_merge_state_new(&p->state), "new", NULL);
    must(trivet_merge_pad(p->state, NULL, 6), "pad", NULL);
    p->since = 0;
}

static void start(void) {
    store_error err = STORE_ERROR_INIT;
    char secret[37];
    uint8_t k[32];
    device d = {0};

    const char *base = getenv("TMPDIR");
    snprintf(sim.folder, sizeof sim.folder, "%s/trivet-sim-XXXXXX",
             base && strlen(base) < 40 ? base : "/tmp");
    if (!mkdtemp(sim.folder))
        die("no folder");
    must(store_open(sim.folder, STORE_CREATE, &sim.store, &err), "open", &err);
    for (int i = 0; i < PHONES; i++) {
        struct phone *p = &sim.phones[i];
        if (i < 2) /* the third shares the second's code */
            must(device_create(sim.store, NULL, NULL, 1, &d, secret, k, &err), "pair", &err);
        memcpy(p->device, d.id, sizeof p->device);
        snprintf(p->name, sizeof p->name, "phone%d", i);
        p->skew = i == 1 ? 5000 : 0;
        fresh_phone(p);
    }
}

static void step(void) {
    struct phone *p = &sim.phones[pick(PHONES)];
    unsigned what = pick(20);

    sim.clock += 1 + pick(1000);
    if (what < 7) {
        edit_somehow(p->state, sim.clock + p->skew, p->name);
    } else if (what < 10) {
        computer_edits();
    } else if (what < 17) {
        sync_once(p, pick(3) ? NONE : (enum fault)(1 + pick(4)), false);
    } else if (what == 17) {
        trivet_merge_state_free(p->backup);
        p->backup = clone(p->state);
        p->backup_since = p->since;
        TRACE("%s is backed up\n", p->name);
    } else if (what == 18 && p->backup && pick(2)) {
        trivet_merge_state_free(p->state);
        p->state = clone(p->backup);
        p->since = p->backup_since;
        TRACE("%s is restored (since %lld)\n", p->name, (long long)p->since);
    }
}

/* An edit that the final text must not be older than: one that was counted and replaced it, at whatever
 * remove. */
static void check_text(int item, int final) {
    for (int e = 0; e < sim.edit_count; e++) {
        if (!sim.edits[e].counted || sim.edits[e].item != item)
            continue;
        for (int a = sim.edits[e].previous; a >= 0; a = sim.edits[a].previous)
            if (a == final) {
                TRACE("item %.8s ends with e%d, which e%d had replaced\n", sim.items[item].id, final, e);
                die("an edit was lost");
            }
    }
}

static void check(void) {
    trivet_merge_state *computer = computer_state();
    trivet_merge_item item, other;

    for (int i = 0; i < sim.item_count; i++) {
        const struct item *it = &sim.items[i];
        trivet_merge_slice id = {it->id, strlen(it->id)};
        bool live = trivet_merge_item_find(computer, it->section, id, &item, NULL) && !item.deleted;
        if (it->counted && !it->deleted && !live)
            die("an item is gone");
        if (live)
            check_text(i, edit_number(item.text));
        for (int k = 0; k < PHONES; k++) {
            bool there =
                trivet_merge_item_find(sim.phones[k].state, it->section, id, &other, NULL) && !other.deleted;
            if (there != live || (live && (other.text.len != item.text.len ||
                                           memcmp(other.text.data, item.text.data, item.text.len) != 0))) {
                TRACE("item %.8s: phone%d\n", it->id, k);
                die("a phone and the computer do not agree");
            }
        }
    }
    trivet_merge_state_free(computer);
}

static void run(uint64_t seed) {
    memset(&sim, 0, sizeof sim);
    sim.seed = seed;
    sim.clock = 1700000000000;
    random_state = seed * 7919;
    start();
    for (int i = 0; i < STEPS; i++)
        step();
    TRACE("quiet\n");
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < PHONES; i++) {
            sim.clock += 1000;
            if (!sync_once(&sim.phones[i], NONE, true))
                die("a quiet sync was given up");
        }
    check();
    for (int i = 0; i < PHONES; i++) {
        trivet_merge_state_free(sim.phones[i].state);
        trivet_merge_state_free(sim.phones[i].backup);
    }
    store_close(sim.store);
    nftw(sim.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv) {
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

    randombytes_set_implementation(&seeded);
    if (sodium_init() < 0)
        return 1;
    for (unsigned long seed = first; seed < first + runs; seed++)
        run(seed);
    printf("ok 1 - %lu simulated histories, seeds %lu to %lu\n1..1\n", runs, first, first + runs - 1);
    return 0;
}
