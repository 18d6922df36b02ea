/* Proofs (net/proof.h), who gets which (serve/roster.h), and which addresses are still this computer's. */
#include "test_store.h"

#include "net/proof.h"
#include "serve/moved.h"
#include "serve/reachable.h"
#include "serve/roster.h"

#include <sodium.h>

#define SECRET "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

static void nonce_of(uint8_t first, uint8_t nonce[static PROOF_NONCE_LEN]) {
    for (int i = 0; i < PROOF_NONCE_LEN; i++)
        nonce[i] = (uint8_t)(first + i);
}

/* The proof's second half, behind the salt. */
static bool proof_hex(const char *secret, uint8_t nonce0, uint8_t salt0, const char *address, uint16_t port,
                      char out[static 65]) {
    uint8_t key[PROOF_KEY_LEN], nonce[PROOF_NONCE_LEN], salt[PROOF_SALT_LEN], proof[PROOF_LEN];

    proof_key(secret, key);
    nonce_of(nonce0, nonce);
    nonce_of(salt0, salt);
    if (!proof_make(key, nonce, salt, address, port, proof))
        return false;
    assert_memory_equal(proof, salt, sizeof salt);
    sodium_bin2hex(out, 65, proof + sizeof salt, sizeof proof - sizeof salt);
    return true;
}

/* The expected ones come from Python's hashlib.blake2b. */
static void test_proofs(void **state) {
    static const struct {
        const char *address, *proof;
    } cases[] = {
        {"192.168.1.7", "02924ee7aac98e5cc7195643f36282bc936445b20a694cb3c98442227c5d4ca0"},
        {"::ffff:192.168.1.7", "02924ee7aac98e5cc7195643f36282bc936445b20a694cb3c98442227c5d4ca0"},
        {"fe80::1", "f3806dc240f8c0165b47d7bdd8708158bf0b58fc5e7217113214fca71e606929"},
        {"fe80::1%eth0", "f3806dc240f8c0165b47d7bdd8708158bf0b58fc5e7217113214fca71e606929"},
        {"kitchen.local", NULL},
        {"", NULL},
        {"%eth0", NULL},
    };
    char hex[65], other[65];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(proof_hex(SECRET, 0, 100, cases[i].address, 8080, hex), cases[i].proof != NULL);
        if (cases[i].proof)
            assert_string_equal(hex, cases[i].proof);
    }
    /* All that it is made for counts. */
    proof_hex(SECRET, 0, 100, "192.168.1.7", 8080, hex);
    proof_hex(SECRET, 1, 100, "192.168.1.7", 8080, other);
    assert_string_not_equal(hex, other);
    proof_hex(SECRET, 0, 101, "192.168.1.7", 8080, other);
    assert_string_not_equal(hex, other);
    proof_hex(SECRET, 0, 100, "192.168.1.8", 8080, other);
    assert_string_not_equal(hex, other);
    proof_hex(SECRET, 0, 100, "192.168.1.7", 8081, other);
    assert_string_not_equal(hex, other);
    proof_hex("6ba7b810-9dad-41d1-80b4-00c04fd430c9", 0, 100, "192.168.1.7", 8080, other);
    assert_string_not_equal(hex, other);
}

static device create(fixture *f, const char *place, char secret[static 37]) {
    device d = {0};
    uint8_t k[32];

    ok(device_create(f->s, NULL, NULL, 1000, &d, secret, k, &f->err));
    ok(device_set_place(f->s, d.id, place, 8080, &f->err));
    return d;
}

/* What is answered to `path`; the caller frees. */
static char *ask_proof(const roster *r, const char *path) {
    const http_request request = {.method = "GET", .path = path, .local = "10.0.0.1", .local_port = 8080};
    return roster_prove(r, &request);
}

/* The same question each time; the caller frees. */
static char *ask_for(const roster *r, const char *id) {
    uint8_t nonce[PROOF_NONCE_LEN];
    char hex[65], path[256];

    nonce_of(0, nonce);
    snprintf(path, sizeof path, "/prove/%s/%s", id, sodium_bin2hex(hex, sizeof hex, nonce, sizeof nonce));
    return ask_proof(r, path);
}

/* Whether it is a proof by `secret`, as the phone makes it again. */
static bool proves(const char *hex, const char *secret) {
    uint8_t key[PROOF_KEY_LEN], nonce[PROOF_NONCE_LEN], proof[PROOF_LEN], wanted[PROOF_LEN];
    size_t len = 0;

    assert_non_null(hex);
    assert_int_equal(strlen(hex), 2 * PROOF_LEN);
    assert_int_equal(sodium_hex2bin(proof, sizeof proof, hex, strlen(hex), NULL, &len, NULL), 0);
    proof_key(secret, key);
    nonce_of(0, nonce);
    assert_true(proof_make(key, nonce, proof, "10.0.0.1", 8080, wanted));
    return memcmp(proof, wanted, sizeof proof) == 0;
}

/* What those without the secret see: whatever the id, no two answers have a half in common, before and after
 * the roster was read anew; so ids that exist look like those that do not. */
static void tells_nothing(const roster *r, const roster *later, const char *const *ids) {
    enum { ASKED = 2, MOST = 32 };
    char *answers[MOST];
    size_t count = 0;

    for (; *ids; ids++)
        for (int i = 0; i < ASKED; i++) {
            answers[count++] = ask_for(r, *ids);
            answers[count++] = ask_for(later, *ids);
        }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(answers[i]), 2 * PROOF_LEN);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(answers[i], answers[j], PROOF_LEN);
            assert_memory_not_equal(answers[i] + PROOF_LEN, answers[j] + PROOF_LEN, PROOF_LEN);
        }
    }
    while (count > 0)
        free(answers[--count]);
}

static void test_who_gets_which(void **state) {
    static const char *const others[] = {
        "/",
        "/prove",
        "/prove/",
        "/prove/x",
        "/prove/x/",
        "/prove/x/00",
        "/prove/x/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
        "/prove/x/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fff",
        "/prove/x/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
        "/prove/x/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f/",
        "/proof/x/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    };
    fixture *f = *state;
    char secret[37], revoked_secret[37], unused[37];
    device d = create(f, "10.0.0.1", secret), revoked = create(f, "old.local", revoked_secret);

    create(f, "kitchen.local", unused);
    create(f, "[fd00::1]", unused);
    ok(device_revoke(f->s, revoked.id, 2000, &f->err));
    roster *r = roster_read(f->s);
    assert_non_null(r);
    assert_int_equal(roster_devices(r), 0); /* no code was used yet */
    assert_string_equal(roster_names(r)[0], "kitchen.local");
    assert_null(roster_names(r)[1]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(ask_proof(r, others[i]));
    char *proof = ask_for(r, d.id), *none = ask_for(r, revoked.id);
    assert_true(proves(proof, secret));
    assert_false(proves(proof, revoked_secret));
    assert_false(proves(none, revoked_secret));
    free(proof);
    free(none);
    const char *const ids[] = {d.id, revoked.id, "00000000", "0000000", "000000000", "", NULL};
    roster *later = roster_read(f->s);
    tells_nothing(r, later, ids);
    roster_free(later);
    roster_free(r);
    assert_null(ask_for(NULL, d.id));
    assert_int_equal(roster_devices(NULL), 0);
}

static void test_what_is_ours(void **state) {
    static const char *const always[] = {
        "127.0.0.1",
        "[::1]",
        "kitchen.local",
        "",
        "[",
        "[]",
        "a name of more than sixty-four bytes, which no address can be, so it is one"};
    reachable_own *own = reachable_own_new();
    reachable_address all[REACHABLE_MAX];
    size_t count = reachable_all(all);

    (void)state;
    assert_non_null(own);
    for (size_t i = 0; i < count; i++)
        assert_true(reachable_own_has(own, all[i].text));
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        assert_true(reachable_own_has(own, always[i]));
    if (strncmp(all[0].text, "127.", 4) != 0) { /* on a network */
        assert_false(reachable_own_has(own, "192.0.2.77"));
        assert_false(reachable_own_has(own, "[2001:db8::77]"));
    }
    reachable_own_free(own);
    assert_true(reachable_own_has(NULL, "192.0.2.77"));
}

static void test_moved(void **state) {
    fixture *f = *state;
    char secret[37];
    device here = create(f, "127.0.0.1", secret), *moved = NULL;
    size_t count = 0;
    bool new_phone;

    ok(moved_find(f->s, 9090, &moved, &count, &f->err));
    assert_int_equal(count, 0); /* a code that was not used is nobody's loss */
    free(moved);
    ok(device_seen(f->s, here.id, "phone", "127.0.0.1", 2000, &new_phone, &f->err));
    ok(moved_find(f->s, 8080, &moved, &count, &f->err));
    assert_int_equal(count, 0);
    free(moved);
    ok(moved_find(f->s, 0, &moved, &count, &f->err));
    assert_int_equal(count, 0);
    free(moved);
    ok(moved_find(f->s, 9090, &moved, &count, &f->err)); /* the port is another */
    assert_int_equal(count, 1);
    assert_string_equal(moved[0].id, here.id);
    assert_string_equal(moved[0].host, "127.0.0.1");
    assert_int_equal(moved[0].port, 8080);
    free(moved);
    ok(device_revoke(f->s, here.id, 3000, &f->err));
    ok(moved_find(f->s, 9090, &moved, &count, &f->err));
    assert_int_equal(count, 0);
    free(moved);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proofs),
        cmocka_unit_test_setup_teardown(test_who_gets_which, setup_store, teardown),
        cmocka_unit_test(test_what_is_ours),
        cmocka_unit_test_setup_teardown(test_moved, setup_store, teardown),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
