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

static bool proof_hex(const char *secret, uint8_t nonce0, const char *address, uint16_t port,
                      char out[static 65]) {
    uint8_t key[PROOF_KEY_LEN], nonce[PROOF_NONCE_LEN], proof[PROOF_LEN];

    proof_key(secret, key);
    nonce_of(nonce0, nonce);
    if (!proof_make(key, nonce, address, port, proof))
        return false;
    sodium_bin2hex(out, 65, proof, sizeof proof);
    return true;
}

/* The expected ones come from Python's hashlib.blake2b. */
static void test_proofs(void **state) {
    static const struct {
        const char *address, *proof;
    } cases[] = {
        {"192.168.1.7", "2cc3acc7ed9d6579c27e270f25ff7483e9bb7e588ad67809981279bae61b1f0e"},
        {"::ffff:192.168.1.7", "2cc3acc7ed9d6579c27e270f25ff7483e9bb7e588ad67809981279bae61b1f0e"},
        {"fe80::1", "8022335d76dff7a4ae260b8c9887d57dd0571e32e0d6c78f9aabc5cad296300c"},
        {"fe80::1%eth0", "8022335d76dff7a4ae260b8c9887d57dd0571e32e0d6c78f9aabc5cad296300c"},
        {"kitchen.local", NULL},
        {"", NULL},
        {"%eth0", NULL},
    };
    char hex[65], other[65];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(proof_hex(SECRET, 0, cases[i].address, 8080, hex), cases[i].proof != NULL);
        if (cases[i].proof)
            assert_string_equal(hex, cases[i].proof);
    }
    /* All that it is made for counts. */
    proof_hex(SECRET, 0, "192.168.1.7", 8080, hex);
    proof_hex(SECRET, 1, "192.168.1.7", 8080, other);
    assert_string_not_equal(hex, other);
    proof_hex(SECRET, 0, "192.168.1.8", 8080, other);
    assert_string_not_equal(hex, other);
    proof_hex(SECRET, 0, "192.168.1.7", 8081, other);
    assert_string_not_equal(hex, other);
    proof_hex("6ba7b810-9dad-41d1-80b4-00c04fd430c9", 0, "192.168.1.7", 8080, other);
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

static char *ask_for(const roster *r, const char *id) {
    uint8_t nonce[PROOF_NONCE_LEN];
    char hex[65], path[256];

    nonce_of(0, nonce);
    snprintf(path, sizeof path, "/prove/%s/%s", id, sodium_bin2hex(hex, sizeof hex, nonce, sizeof nonce));
    return ask_proof(r, path);
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
    char secret[37], revoked_secret[37], unused[37], expected[65];
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
    char *proof = ask_for(r, d.id);
    assert_true(proof_hex(secret, 0, "10.0.0.1", 8080, expected));
    assert_string_equal(proof, expected);
    free(proof);
    /* Nobody learns which ids there are: strangers are answered alike, each time the same. */
    assert_true(proof_hex(revoked_secret, 0, "10.0.0.1", 8080, expected));
    char *first = ask_for(r, revoked.id), *again = ask_for(r, revoked.id), *prefix = ask_for(r, "");
    assert_int_equal(strlen(first), 64);
    assert_string_not_equal(first, expected);
    assert_string_equal(first, again);
    assert_string_equal(first, prefix);
    free(first);
    free(again);
    free(prefix);
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
