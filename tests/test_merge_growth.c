/*
 * No shape of input costs more than O(n log n) (merge §5, O5; hostile ids and texts likewise). Not time is measured but work: the
 * Makefile links a library whose every basic block is counted (-fsanitize-coverage=trace-pc), and here the bytes that it has moved
 * and compared are added. Eight times the items may be 16 times the work at most; if anything took steps for each pair, it would be 64.
 *
 * TRIVET_GROWTH_PART=N in the environment: every Nth case only, and texts of an Nth (for valgrind, which looks at memory, not at growth).
 */
#include "test_merge_support.h"

#include "index.h"

static uint64_t work;
static size_t part = 1, cases;

/* GCC and clang call it at the start of each block. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
    work++;
}

void *__real_memmove(void *to, const void *from, size_t len);
void *__wrap_memmove(void *to, const void *from, size_t len);
void *__wrap_memmove(void *to, const void *from, size_t len) {
    work += len / 16;
    return __real_memmove(to, from, len);
}

void *__real_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len) {
    work += len / 16;
    return __real_memcpy(to, from, len);
}

int __real_memcmp(const void *a, const void *b, size_t len);
int __wrap_memcmp(const void *a, const void *b, size_t len);
int __wrap_memcmp(const void *a, const void *b, size_t len) {
    work += len / 16;
    return __real_memcmp(a, b, len);
}

static uint64_t merge_work(const char *const json[3], trivet_merge_status *status) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *s[3] = {NULL, NULL, NULL};
    trivet_merge_result *result = NULL;
    char *out = NULL;
    size_t len;
    work = 0;
    for (int i = 0; i < 3; i++)
        if (trivet_merge_state_read(json[i], strlen(json[i]), (trivet_merge_side)i, &s[i], &err) != 0)
            fail_msg("%s: %s", err.path, err.reason);
    if (trivet_merge(s[0], s[1], s[2], NULL, &result, &err) != 0)
        fail_msg("%s", err.reason);
    assert_int_equal(trivet_merge_result_write(result, &out, &len), 0);
    uint64_t done = work;
    *status = trivet_merge_result_status(result);
    free(out);
    trivet_merge_result_free(result);
    for (int i = 0; i < 3; i++)
        trivet_merge_state_free(s[i]);
    return done;
}

/* ---- items --------------------------------------------------------------------------------------------- */

/* How one side's items look; each a choice among a few. */
typedef struct {
    uint8_t position, order, id, slot, text, date, gone, fields;
} shape;

enum { POSITIONS = 9, ORDERS = 3, IDS = 5, SLOTS = 4, TEXTS = 3, DATES = 3, GONE = 4, FIELDS = 3 };

/* Prime to every count here. */
static size_t shuffled(size_t i, size_t n) {
    return i * 7919 % n;
}

static double position_of(uint8_t kind, size_t i, size_t n) {
    switch (kind) {
    case 0:
        return (double)i;
    case 1:
        return (double)(n - i) + 0.5;
    case 2:
        return (double)shuffled(i, n) + 0.25;
    case 3:
        return 1;
    case 4:
        return (double)(i ^ 1);
    case 5:
        return i % 2 ? (double)i : (double)(n - i); /* a zigzag */
    case 6:
        return (double)i * 10 + 5; /* renumbered, in order */
    case 7:
        return (double)((i + n / 2) % n) + 0.5; /* two halves changed places */
    default:
        return (double)(i / 32 * 32 + 31 - i % 32) + 0.5; /* short runs, each turned round */
    }
}

/* Ids whose probes start where the others' do, for a table of any size here; in small ones at least, where only a part is asked for. */
static char colliding[160][16];

static void find_colliding(void) {
    const uint32_t same = part == 1 ? 0x7fff : 0x3ff;
    size_t found = 0;
    for (unsigned long i = 0; found < 160; i++) {
        sprintf(colliding[found], "h%lu", i);
        found += (tm_hash(SLICE(colliding[found])) & same) == 0;
    }
}

static char *put_id(char *p, uint8_t kind, size_t i, size_t n) {
    switch (kind) {
    case 0:
        return p + sprintf(p, "%07zu", i);
    case 1:
        return p + sprintf(p, "%07zu", n - i);
    case 2:
        return p +
               sprintf(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%zu", shuffled(i, n));
    case 3:
        return p + sprintf(p, "%zu", i / 2); /* each one twice */
    default:
        return i < 160 ? p + sprintf(p, "%s", colliding[i]) : p + sprintf(p, "%07zu", n - i);
    }
}

static char *put_item(char *p, const shape *of, int side, size_t i, size_t n) {
    static const char *const fields[] = {"", ",\"u\":{\"b\":[1,2],\"a\":1}", ",\"a\":1,\"c\":2,\"b\":3"};
    p = stpcpy(p, "{\"id\":\"");
    p = put_id(p, of->id, i, n);
    p += sprintf(p, "\",\"position\":%.17g,\"text\":\"%s%zu\",\"updatedAt\":%zu%s}",
                 position_of(of->position, i, n),
                 of->text == 1           ? "x"
                 : of->text == 2 && side ? (side == 1 ? "p" : "c")
                                         : "t",
                 i,
                 of->date == 0   ? 1
                 : of->date == 1 ? 1 + i
                                 : 1 + (size_t)side,
                 fields[of->fields]);
    return p;
}

static bool is_gone(const shape *of, int side, size_t i) {
    return of->gone == 1   ? i % 16 == (size_t)side
           : of->gone == 2 ? side == 1 && i % 2
                           : of->gone == 3 && side == 0 && i % 2;
}

static size_t slot_of(const shape *of, size_t i) {
    return of->slot == 0 ? 0 : of->slot == 1 ? i % 2 : of->slot == 2 ? i % 64 : i % 97 == 0;
}

static char *items(const shape *of, int side, size_t n) {
    size_t slots = of->slot == 0 ? 1 : of->slot == 2 ? 64 : 2;
    char *json = allocate(n * 256 + 1024), *p = stpcpy(json, "{\"lists\":[");
    for (size_t slot = 0; slot < slots; slot++) {
        const char *before = "[";
        for (size_t k = 0; k < n; k++) {
            size_t i = of->order == 0 ? k : of->order == 1 ? n - 1 - k : shuffled(k, n);
            if (slot_of(of, i) != slot || is_gone(of, side, i))
                continue;
            p = stpcpy(p, before);
            p = put_item(p, of, side, i, n);
            before = ",";
        }
        p = stpcpy(p, *before == '[' ? "[]" : "]");
        p = stpcpy(p, slot + 1 < slots ? "," : "");
    }
    strcpy(p, "]}");
    return json;
}

static uint64_t items_work(const shape shapes[3], size_t n) {
    trivet_merge_status status;
    char *json[3];
    for (int i = 0; i < 3; i++)
        json[i] = items(&shapes[i], i, n);
    uint64_t done = merge_work((const char *const *)json, &status);
    for (int i = 0; i < 3; i++)
        free(json[i]);
    return done;
}

/*
 * What does not grow so at once is looked at in a larger size: a handful of items may by chance have shorter numbers to write, or
 * moves that are seen sooner. What is quadratic stays so.
 */
static void expect_growth(const shape shapes[3], const char *what) {
    enum { SMALL = 300, LARGE = 1600 };
    uint64_t one = 0, eight = 0;
    if (cases++ % part != 0)
        return;
    for (size_t n = SMALL; n <= LARGE; n += LARGE - SMALL) {
        one = items_work(shapes, n);
        eight = items_work(shapes, 8 * n);
        assert_true(one > n); /* it is counted */
        if (eight <= 16 * one)
            return;
    }
    for (int i = 0; i < 3; i++)
        print_error("position %d order %d id %d slot %d text %d date %d gone %d fields %d\n",
                    shapes[i].position, shapes[i].order, shapes[i].id, shapes[i].slot, shapes[i].text,
                    shapes[i].date, shapes[i].gone, shapes[i].fields);
    fail_msg("%s: %lu steps, and %.1f times as many for eight times the items", what, (unsigned long)one,
             (double)eight / (double)one);
}

/* Every pair of orders on the two sides. */
static void positions_of_every_kind(void **unused) {
    (void)unused;
    for (uint8_t p = 0; p < POSITIONS; p++) {
        for (uint8_t c = 0; c < POSITIONS; c++) {
            const shape shapes[3] = {{0}, {.position = p, .text = 2}, {.position = c, .text = 2, .date = 2}};
            expect_growth(shapes, "positions");
        }
    }
}

static void ids_of_every_kind(void **unused) {
    (void)unused;
    for (uint8_t id = 0; id < IDS; id++) {
        for (uint8_t order = 0; order < ORDERS; order++) {
            const shape of = {.id = id, .order = order};
            const shape shapes[3] = {of, of, {.id = id}};
            expect_growth(shapes, "ids");
        }
    }
}

static void shapes_at_random(void **unused) {
    (void)unused;
    uint64_t seed = 1;
    for (int round = 0; round < 60; round++) {
        shape shapes[3];
        for (int i = 0; i < 3; i++)
            shapes[i] =
                (shape){(uint8_t)random_below(&seed, POSITIONS), (uint8_t)random_below(&seed, ORDERS),
                        (uint8_t)random_below(&seed, IDS),       (uint8_t)random_below(&seed, SLOTS),
                        (uint8_t)random_below(&seed, TEXTS),     (uint8_t)random_below(&seed, DATES),
                        (uint8_t)random_below(&seed, GONE),      (uint8_t)random_below(&seed, FIELDS)};
        if (round % 2) /* mostly one set of items */
            shapes[0].id = shapes[1].id = shapes[2].id = (uint8_t)random_below(&seed, IDS);
        expect_growth(shapes, "at random");
    }
}

/* ---- texts --------------------------------------------------------------------------------------------- */

/* A line merge may take up to a bound for each pair of lines (merge §4), and nothing beyond. */
static char *text_of(int kind, int side, size_t lines) {
    char *json = allocate(lines * 16 + 128), *p = stpcpy(json, "{\"scratchpad\":[{\"content\":\"");
    for (size_t i = 0; i < lines; i++) {
        size_t n = kind == 0   ? (i + (size_t)side * 3) % 2 /* two lines over and over */
                   : kind == 1 ? (side ? lines - i : i)     /* turned round */
                   : kind == 2 ? (side ? i * 7919 % lines : i)
                   : kind == 3 ? i * 3 + (size_t)side /* nothing in common */
                               : 0;                   /* one line, more often on one side */
        p += sprintf(p, "%zu\\n", n);
    }
    sprintf(p, "%d\",\"updatedAt\":%d}]}", side, side + 1);
    return json;
}

static void texts_are_bounded(void **unused) {
    (void)unused;
    enum { LINES = 60000 };
    for (int kind = 0; kind < 5; kind++) {
        trivet_merge_status status;
        char *json[3];
        for (int i = 0; i < 3; i++)
            json[i] = text_of(kind, i, (LINES + (size_t)i * 1000) / part);
        uint64_t done = merge_work((const char *const *)json, &status);
        /* three documents, each byte of which may be looked at some dozens of times, and the bound */
        if (done > 120000000)
            fail_msg("kind %d: %lu steps", kind, (unsigned long)done);
        for (int i = 0; i < 3; i++)
            free(json[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_of_every_kind),
        cmocka_unit_test(ids_of_every_kind),
        cmocka_unit_test(shapes_at_random),
        cmocka_unit_test(texts_are_bounded),
    };
    const char *asked = getenv("TRIVET_GROWTH_PART");
    if (asked && atoi(asked) > 0)
        part = (size_t)atoi(asked);
    find_colliding();
    return cmocka_run_group_tests_name("merge: growth", tests, NULL, NULL);
}
