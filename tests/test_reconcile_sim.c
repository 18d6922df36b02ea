/*
 * A computer and two to five phones through everything that merge §10 lists, at random, with a ledger of every edit: lost
 * and late confirms, phones killed between two of their writes, phones restored from backups and wiped, phones that share
 * a code, a computer restored from a backup, purged tombstones, dropped records, edits while a sync runs, clocks off by seconds
 * and hours; in a third of them past states are brought back besides, and in most a policy answers what is asked.
 *
 *     build/tests/test_reconcile_sim [RUNS [FIRST_SEED [JOBS]]]       (or TRIVET_SIM_RUNS; 2000 by itself)
 *
 * A seed names a run; one that went wrong is told as the smallest part of it that still does, and the others go on. What is
 * checked after each, when all phones have synced in quiet: the same live items and labels everywhere; each item that ever
 * reached the computer lives unless somebody deleted it; nothing that was deleted lives; no item and no label holds a text
 * that an edit made in knowledge of it had replaced; and no phone was asked the same thing twice. None may go wrong. What no
 * rule can decide is set aside, item by item, by the conditions of test_reconcile_open.h; the guard, which would ask in most
 * of these cases, is switched off.
 */
#include "test_reconcile_many.h"
#include "test_reconcile_open.h"

#include "serve/commit.h"
#include "serve/reconcile.h"
#include "serve/revived.h"
#include "state/restore.h"
#include "store/device.h"
#include "store/history.h"
#include "store/restored.h"

enum { MAX_PHONES = 5, MAX_ASKED = 64 };

static struct sim {
    int64_t clock; /* ms since 1970 */
    struct phone phones[MAX_PHONES];
    unsigned phone_count;
    struct ledger ledger;
    struct { /* of the computer, and what had reached it by then */
        bool made, used;
        struct ledger ledger;
    } backup;
    bool restores; /* past states are brought back in this history */
    bool
        version_2; /* every other phone speaks it: one round, an ack, later edits merged over M (protocol §7) */
    policy on_tie;
    uint64_t asked[MAX_ASKED]; /* ties that were answered, hashed with the phone that was asked */
    unsigned asked_count;
} sim;

static void edit_phone(struct phone *p) {
    struct hand hand = {p->name, sim.clock + p->skew, true, p->restored ? p->reedited : NULL, p->held.two};
    edit_somehow(&sim.ledger, p->held.state, &hand);
}

/* ---- the computer ---- */

static void purge(const trivet_merge_state *before, trivet_merge_state *after) {
    trivet_merge_item item;

    for (int k = 0; k < 2; k++)
        for (size_t slot = 0; slot < trivet_merge_slot_count(before, item_sections[k]); slot++)
            for (size_t i = 0; trivet_merge_item_at(before, item_sections[k], slot, i, &item); i++)
                if (item.deleted)
                    trivet_merge_remove_item(after, item_sections[k], item.id);
    TRACE("computer purges\n");
}

static void computer_edits(void) {
    store_error err = STORE_ERROR_INIT;
    history_line line = {.time = sim.clock, .cause = "edit", .counts = "{}"};
    trivet_merge_state *before = computer_state(), *after = clone(before);
    store_name name;

    if (pick(8) == 0)
        purge(before, after);
    else
        edit_somehow(&sim.ledger, after, &(struct hand){.who = "computer", .now = sim.clock});
    must(store_begin(the_store, &err) == 0, err.message);
    must(commit_head(the_store, before, after, &line, &name, &err) == 0, err.message);
    must(store_commit(the_store, &err) == 0, err.message);
    count_in(&sim.ledger, after);
    trivet_merge_state_free(before);
    trivet_merge_state_free(after);
}

/* A past state with texts that nobody wrote yet, so that a text still tells which edit it comes from. */
static void write_anew(trivet_merge_state *then, const trivet_merge_state *head) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    struct ledger *l = &sim.ledger;
    trivet_merge_item was, is;
    trivet_merge_entry entry, now;
    char text[32];
    size_t slot;

    for (int i = 0; i < l->item_count && l->edit_count < MAX_EDITS; i++) {
        const struct item *it = &l->items[i];
        trivet_merge_slice id = {it->id, strlen(it->id)};
        snprintf(text, sizeof text, "e%d", l->edit_count);
        int previous;
        if (!it->id[0]) {
            if (!trivet_merge_entry_at(head, it->section, it->label, &now) || now.text.len == 0)
                continue;
            previous = edit_number(now.text);
            if (!trivet_merge_entry_at(then, it->section, it->label, &entry))
                entry = now;
            if (entry.text.len > 0 && edit_number(entry.text) == previous)
                text[0] = '\0'; /* as it was */
            entry.text = text[0] ? (trivet_merge_slice){text, strlen(text)} : now.text;
            must(trivet_merge_put_entry(then, it->section, it->label, &entry, &err) == 0, err.reason);
            if (!text[0])
                continue;
        } else {
            if (!trivet_merge_item_find(then, it->section, id, &was, &slot) || was.deleted)
                continue;
            bool there = trivet_merge_item_find(head, it->section, id, &is, NULL);
            previous = edit_number(there ? is.text : was.text);
            if (there && !is.deleted && edit_number(was.text) == previous)
                continue;
            was.text = (trivet_merge_slice){text, strlen(text)};
            must(trivet_merge_put_item(then, it->section, slot, &was, &err) == 0, err.reason);
        }
        TRACE("  %.8s e%d -> %s\n", it->id, previous, text);
        l->edits[l->edit_count++] = (struct edit){i, previous, false};
    }
}

/* What is brought back was not deleted by anybody who did so before; who dated it later may win. */
static void note_restore(const trivet_merge_state *before, const trivet_merge_state *after) {
    trivet_merge_item item;

    for (int i = 0; i < sim.ledger.item_count; i++) {
        struct item *it = &sim.ledger.items[i];
        bool dead, was = it->id[0] && text_in(before, it, &dead) >= 0;
        bool is = it->id[0] && text_in(after, it, &dead) >= 0;
        if (was == is)
            continue;
        trivet_merge_item_find(after, it->section, (trivet_merge_slice){it->id, strlen(it->id)}, &item, NULL);
        TRACE("  %.8s %s\n", it->id, is ? "comes back" : "goes");
        if (was) {
            note_delete(it, item.deleted_at);
        } else {
            it->brought_back = item.updated_at;
            it->deleted = false;
            it->delete_made = it->delete_dated > item.updated_at;
        }
    }
}

/* As `trivet restore` does. */
static void computer_restores(void) {
    store_error err = STORE_ERROR_INIT;
    edit_error refusal = EDIT_ERROR_INIT;
    history_line line = {.time = sim.clock, .cause = "restore", .counts = "{}"}, *lines;
    trivet_merge_state *then, *fresh, *before, *after;
    store_name name;
    size_t count;

    must(history_list(the_store, INT64_MAX, 12, &lines, &count, &err) == 0, err.message);
    if (count > 0)
        must(snapshot_read(the_store, &lines[pick((unsigned)count)].after, &then, &err) == 0, err.message);
    free(lines);
    if (count == 0)
        return;
    TRACE("computer restores\n");
    before = computer_state();
    fresh = clone(then);
    write_anew(fresh, before);
    int rc = restore_all(before, fresh, sim.clock, &after, &refusal);
    must(rc == 0 || rc == 1 || refusal.status == 1, refusal.message);
    if (rc == 0) {
        must(revived_date(the_store, before, after, &err) == 0, err.message);
        note_restore(before, after);
        must(store_begin(the_store, &err) == 0, err.message);
        must(revived_note(the_store, before, after, &err) == 0, err.message);
        must(commit_head(the_store, before, after, &line, &name, &err) == 0, err.message);
        must(store_commit(the_store, &err) == 0, err.message);
        count_in(&sim.ledger, after);
    }
    trivet_merge_state_free(after);
    trivet_merge_state_free(before);
    trivet_merge_state_free(fresh);
    trivet_merge_state_free(then);
}

static bool all_have_synced(void) {
    for (unsigned i = 0; i < sim.phone_count; i++)
        if (!sim.phones[i].synced)
            return false;
    return true;
}

/*
 * What had reached the computer after the backup counts only where a phone brings it back; with it, what it had
 * asked is forgotten. Of an item with a text that was made, or had first reached it, in that time, the older text may win. The
 * second history: of two phones that have texts of it, the one with the later date typed it without knowledge of the other's.
 */
static void restore_ledger(void) {
    struct ledger *l = &sim.ledger;
    const struct ledger *kept = &sim.backup.ledger;

    for (int e = kept->edit_count; e < l->edit_count; e++)
        l->items[l->edits[e].item].text_open |= 1u << FORGOTTEN_TEXT;
    for (int e = 0; e < l->edit_count; e++) {
        bool counted = e < kept->edit_count && kept->edits[e].counted;
        if (l->edits[e].counted && !counted)
            l->items[l->edits[e].item].text_open |= 1u << FORGOTTEN_TEXT;
        l->edits[e].counted = counted;
    }
    for (int i = 0; i < l->item_count; i++) {
        l->items[i].counted = i < kept->item_count && kept->items[i].counted;
        l->items[i].deleted = i < kept->item_count && kept->items[i].deleted;
        int64_t brought_back = i < kept->item_count ? kept->items[i].brought_back : 0;
        if (l->items[i].brought_back != brought_back)
            l->items[i].open |= 1u << CAME_BACK; /* a phone may have heard of it */
        l->items[i].brought_back = brought_back;
        l->items[i].delete_made |= l->items[i].delete_dated > l->items[i].brought_back;
    }
    l->restored = true;
    sim.asked_count = 0;
}

static void back_up_or_restore(void) {
    if (!sim.backup.made && all_have_synced()) {
        copy_store(false);
        sim.backup.made = true;
        sim.backup.ledger = sim.ledger;
        TRACE("computer is backed up\n");
    } else if (sim.backup.made && !sim.backup.used) {
        store_error err = STORE_ERROR_INIT;
        copy_store(true);
        must(restored_note(the_store, sim.clock, &err) == 0, err.message); /* as `backup --restore` does */
        sim.backup.used = true;
        restore_ledger();
        TRACE("computer is restored\n");
    }
}

/* ---- a sync ---- */

enum fault {
    NONE,
    CONFIRM_LOST,
    CONFIRM_LATE,
    KILLED_AFTER_TIME,
    KILLED_AFTER_LISTS,
    KILLED_AFTER_LOCKED,
    FAULTS
};

/* The app stores its time, lists, locked lists and scratchpads one after the other. */
static void apply(struct phone *p, const char *document, size_t len, enum fault fault) {
    static const trivet_merge_section order[3][2] = {
        {TRIVET_MERGE_LISTS, TRIVET_MERGE_LISTS_CATEGORIES},
        {TRIVET_MERGE_LOCKED_LISTS, TRIVET_MERGE_LOCKED_LISTS_CATEGORIES},
        {TRIVET_MERGE_SCRATCHPAD, TRIVET_MERGE_SCRATCHPAD_CATEGORIES}};
    int groups = fault < KILLED_AFTER_TIME ? 3 : (int)fault - (int)KILLED_AFTER_TIME;

    if (fault == CONFIRM_LOST)
        return;
    trivet_merge_state *merged = document ? read_copy(document, len) : clone(p->held.state), *mixed;
    memset(p->held.two, 0, sizeof p->held.two);
    if (fault == CONFIRM_LATE) /* what is typed meanwhile is kept, or goes, as the confirm has it */
        edit_phone(p);
    p->held.since = sim.clock + p->skew;
    trivet_merge_state_free(p->held.named);
    p->held.named = merged;
    p->went_back &= fault >= KILLED_AFTER_TIME;
    if (!document)
        return;
    if (fault >= KILLED_AFTER_TIME)
        killed_between(&sim.ledger, &p->held, merged);
    must(trivet_merge_state_new(&mixed) == 0, "new");
    for (int g = 0; g < 3; g++)
        for (int k = 0; k < 2; k++)
            trivet_merge_take_section(mixed, g < groups ? merged : p->held.state, order[g][k]);
    trivet_merge_state *stored = clone(mixed);
    trivet_merge_state_free(mixed);
    trivet_merge_state_free(p->held.state);
    p->held.state = stored;
}

static bool speaks_version_2(const struct phone *p) {
    return sim.version_2 && (p - sim.phones) % 2 == 0;
}

/* The phone stores all at once. What is typed after the answer is merged over M, with the answer as ancestor. */
static void apply_version_2(reconcile *r, struct phone *p, const char *document, size_t len,
                            enum fault fault) {
    if (fault == CONFIRM_LOST)
        return;
    trivet_merge_state *merged = document ? read_copy(document, len) : clone(p->held.state);
    trivet_merge_state *answered = clone(p->held.state);
    trivet_merge_result *result = NULL;
    trivet_merge_options options = TRIVET_MERGE_OPTIONS_INIT;
    memset(p->held.two, 0, sizeof p->held.two);
    if (fault == CONFIRM_LATE)
        edit_phone(p);
    options.large_threshold = 2.0;
    must(trivet_merge(answered, p->held.state, merged, &options, &result, NULL) == 0, "merge over");
    trivet_merge_state *stored = clone(trivet_merge_result_snapshot(result));
    trivet_merge_result_free(result);
    check_merged_over(&sim.ledger, answered, p->held.state, merged, stored);
    trivet_merge_state_free(answered);
    trivet_merge_state_free(p->held.state);
    p->held.state = stored;
    p->held.since = sim.clock + p->skew;
    trivet_merge_state_free(p->held.named);
    p->held.named = merged;
    p->went_back = false;
    store_error err = STORE_ERROR_INIT;
    if (sim.clock % 4 != 0) /* else the ack is lost */
        must(reconcile_acked(the_store, reconcile_record(r), p->held.since, &err) == 0, err.message);
}

static reconcile_outcome answer(reconcile *r, const struct phone *p) {
    char *document;
    size_t len;

    must(trivet_merge_state_write(p->held.state, &document, &len) == 0, "write");
    return reconcile_answer(r, document, len, p->held.since, sim.clock);
}

static uint64_t hash_question(const struct phone *p, const char *body) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (const char *s = p->name; *s; s++)
        hash = (hash ^ (uint8_t)*s) * 1099511628211u;
    for (; *body; body++)
        hash = (hash ^ (uint8_t)*body) * 1099511628211u;
    return hash;
}

static reconcile_outcome decide(reconcile *r, const struct phone *p, uint64_t *asked) {
    const char *kind, *body = reconcile_question(r, &kind);

    TRACE("  asked: %s %s\n", kind, body);
    must(strcmp(kind, "tie") == 0, "a large change, which is switched off here");
    *asked = hash_question(p, body);
    for (unsigned i = 0; i < sim.asked_count; i++)
        must(sim.asked[i] != *asked, "the same thing was asked twice");
    must(reconcile_pick(r, pick(2) ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER, NULL, 0) == 0, "pick");
    return reconcile_decide(r, sim.clock);
}

/* To the outcome that ends it. */
static reconcile_outcome exchange(reconcile *r, struct phone *p, bool quiet, uint64_t *asked) {
    reconcile_outcome outcome = answer(r, p);

    while (outcome == RECONCILE_ASK || outcome == RECONCILE_PROPOSE) {
        sim.clock += 1 + pick(50);
        if (outcome == RECONCILE_ASK) {
            outcome = decide(r, p, asked);
            continue;
        }
        if (!quiet && pick(8) == 0)
            edit_phone(p);
        if (!quiet && pick(8) == 0)
            sim.restores ? computer_restores() : computer_edits();
        outcome = answer(r, p);
    }
    return outcome;
}

static bool sync_once(struct phone *p, enum fault fault, bool quiet) {
    static const char *const faults[FAULTS] = {"none",
                                               "confirm lost",
                                               "confirm late",
                                               "killed after time",
                                               "killed after lists",
                                               "killed after locked lists"};
    reconcile_settings settings = RECONCILE_SETTINGS_INIT;
    uint64_t asked = 0;
    size_t len = 0;

    settings.large_threshold = 2.0; /* tiny lists would ask all the time */
    settings.on_tie = sim.on_tie;
    settings.one_round = speaks_version_2(p) ? SIZE_MAX : 0;
    TRACE("%s syncs (since %lld, fault: %s)\n", p->name, (long long)p->held.since, faults[fault]);
    trivet_merge_state *computer = computer_state();
    struct fates fates = {0};
    if (p->went_back || sim.backup.used || sim.ledger.pruned) /* else nothing is open */
        fates = foresee(&sim.ledger, p, computer);
    trivet_merge_state_free(computer);
    reconcile *r = reconcile_new(the_store, p->device, p->name, &settings);
    reconcile_outcome outcome = exchange(r, p, quiet, &asked);
    sim.clock += 1 + pick(50);
    must(outcome != RECONCILE_FAILED, reconcile_error(r)->message);
    must(outcome != RECONCILE_REFUSED, reconcile_refusal(r)->reason);
    bool done = outcome == RECONCILE_KEEP || outcome == RECONCILE_APPLY;
    if (done) {
        computer = computer_state();
        const char *document = outcome == RECONCILE_APPLY ? reconcile_document(r, &len) : NULL;
        settle_fates(&fates, &sim.ledger, p, computer);
        count_sent(&sim.ledger, &p->held);
        count_in(&sim.ledger, computer);
        if (speaks_version_2(p))
            apply_version_2(r, p, document, len, fault);
        else
            apply(p, document, len, fault);
        trivet_merge_state_free(computer);
        p->synced = true;
        if (asked && sim.asked_count < MAX_ASKED)
            sim.asked[sim.asked_count++] = asked;
    }
    TRACE("  %s\n", outcome == RECONCILE_KEEP ? "kept" : outcome == RECONCILE_APPLY ? "applied" : "given up");
    forget_fates(&fates);
    reconcile_free(r);
    return done;
}

/* ---- a run ---- */

static void fresh_phone(struct phone *p) {
    release(&p->held);
    must(trivet_merge_state_new(&p->held.state) == 0 && trivet_merge_pad(p->held.state, NULL, 6) == 0,
         "out of memory");
    p->restored = false;
}

static void start(void) {
    static const int64_t skews[] = {0, 0, 5000, -5000, 3 * 3600 * 1000, -2 * 3600 * 1000};
    store_error err = STORE_ERROR_INIT;
    char secret[37];
    uint8_t k[32];
    device d = {0};

    empty_store();
    for (int i = 0; i < LABELS; i++)
        sim.ledger.items[sim.ledger.item_count++] =
            (struct item){.section = TRIVET_MERGE_LISTS_CATEGORIES, .label = (size_t)i};
    sim.phone_count = 2 + pick(MAX_PHONES - 1);
    for (unsigned i = 0; i < sim.phone_count; i++) {
        struct phone *p = &sim.phones[i];
        if (i == 0 || pick(4) > 0) /* else it shares the code of the one before */
            must(device_create(the_store, NULL, NULL, 1, &d, secret, k, &err) == 0, err.message);
        memcpy(p->device, d.id, sizeof p->device);
        snprintf(p->name, sizeof p->name, "phone%u", i);
        p->skew = skews[pick(sizeof skews / sizeof skews[0])];
        TRACE("%s has code %s and a clock %+lld ms off\n", p->name, p->device, (long long)p->skew);
        fresh_phone(p);
    }
}

static void restore_phone(struct phone *p) {
    copy_held(&p->held, &p->backup);
    p->restored = p->went_back = true;
    memset(p->reedited, 0, sizeof p->reedited);
    TRACE("%s is restored (since %lld)\n", p->name, (long long)p->held.since);
}

/* As retention does, of what is older than that: graves, revivals and what was restored. */
static void drop_graves(int64_t then) {
    store_error err = STORE_ERROR_INIT;
    char text[160];
    size_t dropped = 0;

    must(grave_prune(the_store, then, SIZE_MAX >> 1, &dropped, &err) == 0, err.message);
    snprintf(text, sizeof text,
             "DELETE FROM revival WHERE time < %lld; DELETE FROM restored WHERE time < %lld", (long long)then,
             (long long)then);
    must(sql_exec(the_store, text, &err) == 0, err.message);
    note_dropped_revivals(&sim.ledger, then);
    TRACE("computer drops %zu graves\n", dropped);
}

/* Records go much sooner than in life. */
static void prune(void) {
    record_limits limits = {2 + pick(3), 0, 0};
    store_error err = STORE_ERROR_INIT;
    size_t dropped = 0, most = 1 + pick(4);
    int64_t cursor = 0;

    limits.most = limits.least + pick(3);
    do
        must(record_prune(the_store, sim.clock, &limits, most, &cursor, &dropped, &err) == 0, err.message);
    while (cursor != 0 && pick(4) > 0); /* a step at a time, and a computer may be switched off in between */
    sim.ledger.pruned = true;
    TRACE("computer drops %zu records\n", dropped);
    if (pick(2) == 0)
        drop_graves(sim.clock - pick(20000));
}

static void step(void) {
    struct phone *p = &sim.phones[pick(sim.phone_count)];
    unsigned what = pick(25);

    sim.clock += 1 + pick(1000);
    if (what < 8)
        edit_phone(p);
    else if (what < 12)
        computer_edits();
    else if (what < 20)
        sync_once(p, pick(3) ? NONE : (enum fault)(1 + pick(FAULTS - 1)), false);
    else if (what == 20) {
        copy_held(&p->backup, &p->held);
        TRACE("%s is backed up\n", p->name);
    } else if (what == 21 && p->backup.state && pick(2))
        restore_phone(p);
    else if (what == 22 && pick(3) == 0) {
        fresh_phone(p);
        p->went_back = true;
        TRACE("%s is wiped\n", p->name);
    } else if (what == 23 && pick(2))
        back_up_or_restore();
    else if (what == 24 && pick(3) == 0)
        prune();
}

static uint64_t chances_of(uint64_t seed, unsigned step) {
    return seed * 7919 + step * 0x2545F4914F6CDD1Du;
}

static void play(uint64_t seed, const struct omissions *without) {
    random_state = chances_of(seed, 0) + 1;
    sim.restores = pick(3) == 0;
    sim.version_2 = seed % 4 == 3;
    sim.on_tie = (const policy[]){POLICY_ASK, POLICY_NEWEST, POLICY_PHONE, POLICY_COMPUTER}[pick(4)];
    random_state = chances_of(seed, 0);
    start();
    for (unsigned i = 0; i < STEPS; i++) {
        random_state = chances_of(seed, i + 1);
        sim.clock += 1000;
        if (without->steps[i])
            continue;
        step();
        if (sim.restores && pick(10) == 0)
            computer_restores();
    }
    TRACE("quiet\n");
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sim.phone_count; i++) {
            random_state = chances_of(seed, STEPS + 1 + round * MAX_PHONES + i);
            sim.clock += 1000;
            must(sync_once(&sim.phones[i], NONE, true), "a quiet sync was given up");
        }
    trivet_merge_state *computer = computer_state();
    check_computer(&sim.ledger, computer);
    for (unsigned i = 0; i < sim.phone_count; i++)
        check_phone(&sim.ledger, computer, sim.phones[i].held.state);
    trivet_merge_state_free(computer);
}

static bool run(uint64_t seed, const struct omissions *without) {
    bool fine;

    memset(&sim, 0, sizeof sim);
    trace_len = 0;
    *trace = '\0';
    sim.clock = 1700000000000;
    fine = setjmp(failed) == 0;
    if (fine)
        play(seed, without);
    for (int i = 0; i < MAX_PHONES; i++) {
        release(&sim.phones[i].held);
        release(&sim.phones[i].backup);
    }
    if (!fine)
        drop_store(); /* who knows how it was left */
    return fine;
}

static unsigned history_excused(void) {
    return sim.ledger.excused;
}

int main(int argc, char **argv) {
    unsigned long runs = number(argc > 1 ? argv[1] : getenv("TRIVET_SIM_RUNS"), 2000);
    unsigned long first = number(argc > 2 ? argv[2] : NULL, 1);
    unsigned long jobs = number(argc > 3 ? argv[3] : NULL, 1), failures;

    if (!seed_everything())
        return 1;
    failures = jobs > 1 ? shared_runs(first, runs, jobs < MAX_JOBS ? (unsigned)jobs : MAX_JOBS)
                        : some_runs(first, runs, stdout);
    for (int r = 0; r < REASONS; r++)
        printf("# undecidable in %lu: %s\n", excused[r], reasons[r]);
    printf("%s 1 - %lu of %lu simulated histories went wrong, seeds %lu to %lu\n1..1\n",
           failures == 0 ? "ok" : "not ok", failures, runs, first, first + runs - 1);
    return failures > 0;
}
