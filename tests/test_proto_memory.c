/*
 * test_proto_memory.c - every allocation fails once, in every place: an error comes back, nothing is lost, and
 * nothing that was half done stays. The program is linked so that the library's allocations come through here.
 */
#include "test_proto_pair.h"

#include <malloc.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

/* volatile: a compiler knows that malloc() and free() look at no variable of ours. */
static volatile long until_failure =
    -1; /* allocations to come before the one that fails; negative: none does */
static volatile bool failed;
static volatile long live; /* blocks */

static bool fails(void) {
    if (until_failure < 0 || until_failure-- > 0)
        return false;
    failed = true;
    return true;
}

static const char *volatile secret; /* while set, no block that is freed may hold it */
static volatile bool secret_was_left;

/* Blocks begin empty, so that what is found in one was put there. */
static void *counted(void *block, size_t old_size) {
    live += block != NULL;
    if (block != NULL && malloc_usable_size(block) > old_size)
        memset((char *)block + old_size, 0, malloc_usable_size(block) - old_size);
    return block;
}

static void look_for_secret(const void *block) {
    if (secret != NULL && block != NULL &&
        memmem(block, malloc_usable_size((void *)(uintptr_t)block), secret, strlen(secret)) != NULL)
        secret_was_left = true;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : counted(__real_malloc(size), 0);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : counted(__real_calloc(count, size), 0);
}

void *__wrap_realloc(void *block, size_t size) {
    size_t old_size = block != NULL ? malloc_usable_size(block) : 0;
    if (fails())
        return NULL;
    look_for_secret(block);
    live -= block != NULL;
    return counted(__real_realloc(block, size), old_size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : counted(__real_strdup(text), strlen(text) + 1);
}

void __wrap_free(void *block) {
    look_for_secret(block);
    live -= block != NULL;
    __real_free(block);
}

/* Runs `body` with the first allocation failing, then the second, and so on until none does. */
static void fail_each(void (*body)(void)) {
    long before = live;
    for (long n = 0;; n++) {
        failed = false;
        until_failure = n;
        body();
        bool was_reached = failed;
        until_failure = -1;
        if (live != before)
            fail_msg("allocation %ld failed: %ld blocks are left", n, live - before);
        if (!was_reached)
            break;
    }
}

/* ---- a whole conversation ---- */

static const char pairing_secret[] =
    "a secret that is not to be left anywhere"; /* as a key its first 32 bytes */
static int channel = 1;

static const char state_p[] = "{\"lists\":[[{\"id\":\"p\"}]]}";

/* What an owner does; calls that fail are left at that. */
static void act(test_pair *pair) {
    trivet_proto_event event;
    while (trivet_proto_computer_event(pair->c, &event)) {
        if (event.kind == TRIVET_PROTO_EVENT_KEY_WANTED)
            trivet_proto_computer_key(pair->c, (const uint8_t *)pairing_secret, pair->now);
        if (event.kind == TRIVET_PROTO_EVENT_HANDSHAKE)
            trivet_proto_computer_accept(pair->c, pair->now);
        if (event.kind == TRIVET_PROTO_EVENT_SYNC_REQUEST)
            trivet_proto_computer_start(pair->c, "{}", 2, 0, pair->now);
        if (event.kind == TRIVET_PROTO_EVENT_STATE && event.message.since == 1)
            trivet_proto_computer_propose(pair->c, state_p, strlen(state_p), 0, pair->now);
        if (event.kind == TRIVET_PROTO_EVENT_STATE && event.message.since == 2)
            trivet_proto_computer_confirm(pair->c, TRIVET_PROTO_DESKTOP_WINS, state_p, strlen(state_p), 0);
        trivet_proto_event_release(&event);
    }
    while (trivet_proto_phone_event(pair->p, &event)) {
        if (event.kind == TRIVET_PROTO_EVENT_READY) {
            trivet_proto_phone_request_sync(pair->p);
            trivet_proto_phone_send(pair->p, TRIVET_PROTO_JOT_MANIFEST, NULL);
        }
        if (event.kind == TRIVET_PROTO_EVENT_STATE_WANTED)
            trivet_proto_phone_answer(pair->p, state_p, strlen(state_p),
                                      event.message.state_len == 2 ? 1 : 2);
        trivet_proto_event_release(&event);
    }
}

static void conversation(void) {
    test_random random_c = {.counter = 1}, random_p = {.counter = 1u << 20};
    trivet_proto_computer_options computer = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_phone_options phone = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    test_pair pair = {.now = 1000};
    computer.random = phone.random = test_random_bytes;
    computer.random_ctx = &random_c;
    phone.random_ctx = &random_p;
    if (channel == 1) {
        phone.secret = pairing_secret;
    } else {
        computer.version_2 = true;
        phone.pairing_key = (const uint8_t *)pairing_secret;
        phone.device = "d";
    }
    phone.device_id = "x";
    pair.c = trivet_proto_computer_new(&computer, pair.now);
    pair.p = trivet_proto_phone_new(&phone, pair.now);
    bool was_whole = pair.c != NULL && pair.p != NULL;
    if (was_whole) {
        /* The phone's first three messages arrive in one go, so that some wait for the owner. */
        for (int i = 0; i < 12; i++) {
            trivet_proto_event event;
            pump_to_computer(&pair);
            pump_to_phone(&pair);
            while (i == 0 && trivet_proto_phone_event(pair.p, &event)) {
                trivet_proto_phone_request_sync(pair.p);
                trivet_proto_event_release(&event);
            }
            while (i == 0 && pump_to_computer(&pair))
                ;
            act(&pair);
        }
        /* Whichever end ran out of memory has ended with 1001. */
        if (failed)
            assert_true(pair.c_closed == 1001 || pair.p_closed == 1001);
    } else {
        assert_true(failed);
    }
    pair_release(&pair);
}

static void a_conversation(void **state) {
    (void)state;
    for (channel = 1; channel <= 2; channel++)
        fail_each(conversation);
}

/* Whatever fails. */
static void secrets_are_wiped(void **state) {
    (void)state;
    secret_was_left = false;
    for (channel = 1; channel <= 2; channel++) {
        char key[33] = "";
        memcpy(key, pairing_secret, 32);
        secret = key;
        fail_each(conversation);
        secret = NULL;
    }
    assert_false(secret_was_left);
}

/* The test sees what it should see. */
static void a_secret_that_is_left_is_found(void **state) {
    (void)state;
    secret_was_left = false;
    secret = "left";
    char *volatile block = strdup("is left here");
    free(block);
    secret = NULL;
    assert_true(secret_was_left);
}

/* ---- messages ---- */

#define TWENTY "a key of 20 letters_"
#define KEY_OF_260 TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY

static const char *const texts[] = {
    "{\"type\":\"state_sync\",\"since\":1e3,\"lists\":[]}",
    "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":1,\"snapshot\":{}}",
    "{\"type\":\"jot_manifest\",\"jots\":[{\"id\":1.0,\"imageIds\":[\"\\ud800\",5]},7]}",
    "{\"type\":\"jot_clear_ack\",\"cleared\":[1.0,2,\"x\"]}",
    "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":1,\"images\":[{\"id\":\"a\"},{}]}}",
    "{\"type\":\"file_response\",\"jotId\":1.0,\"fileId\":\"f\",\"fileType\":\"file\",\"data\":\"AAAA\"}",
    "{\"type\":\"debug_log\",\"lines\":[\"\\u0000\"]}",
    "{\"type\":\"debug_log\",\"lines\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"],"
    "\"" KEY_OF_260 "\":[]}",
    "{\"type\":\"sync_request\"}",
};
static const char *text;

static void there_and_back(void) {
    trivet_proto_message message;
    uint8_t *out = NULL;
    size_t len;
    int r = TRIVET_PROTO_EINPUT;
    for (int way = 1; way <= 2 && r == TRIVET_PROTO_EINPUT && !failed; way++)
        r = trivet_proto_message_decode((const uint8_t *)text, strlen(text), (trivet_proto_way)way, &message,
                                        NULL);
    if (failed && r != TRIVET_PROTO_ENOMEM)
        fail_msg("%s: a failed allocation was passed over", text);
    if (r != TRIVET_PROTO_OK)
        return;
    r = trivet_proto_message_encode(&message, &out, &len);
    if (!failed)
        assert_int_equal(r, TRIVET_PROTO_OK);
    else if (r != TRIVET_PROTO_ENOMEM)
        fail_msg("%s: a failed allocation was passed over", text);
    free(out);
    trivet_proto_message_release(&message);
}

static void messages(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        text = texts[i];
        fail_each(there_and_back);
    }
}

/* ---- the rest ---- */

static void channels_and_codes(void) {
    static const char code[] = "{\"ip\":\"a\",\"port\":1e1,\"device\":\"d\",\"name\":\"n\",\"k\":"
                               "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8\"}";
    uint8_t key[32] = {1}, nonce[24] = {0}, kind, *sealed = NULL, *opened = NULL;
    size_t len, opened_len;
    trivet_proto_pairing pairing;
    char *written = NULL, *plain;
    int r[6];
    r[0] = trivet_proto_channel1_seal(key, nonce, key, 32, &sealed, &len);
    r[1] = r[0] ? r[0] : trivet_proto_channel1_open(key, sealed, len, nonce, &opened, &opened_len);
    if (r[1] == 0)
        free(opened);
    if (r[0] == 0)
        free(sealed);
    r[2] = trivet_proto_channel2_seal(key, 0, 1, key, 32, &sealed, &len);
    r[3] = r[2] ? r[2] : trivet_proto_channel2_open(key, 0, sealed, len, &kind, &opened, &opened_len);
    if (r[3] == 0)
        free(opened);
    if (r[2] == 0)
        free(sealed);
    r[4] = trivet_proto_pairing_decode(code, strlen(code), &pairing, NULL);
    r[5] = r[4] ? r[4] : trivet_proto_pairing_encode(&pairing, &written);
    free(written);
    plain = trivet_proto_text_plain("x");
    bool short_of = plain == NULL;
    free(plain);
    for (size_t i = 0; i < 6; i++) {
        assert_true(r[i] == TRIVET_PROTO_OK || r[i] == TRIVET_PROTO_ENOMEM);
        short_of = short_of || r[i] == TRIVET_PROTO_ENOMEM;
    }
    assert_int_equal(short_of, failed);
}

static void the_rest(void **state) {
    (void)state;
    fail_each(channels_and_codes);
}

/* Timeouts and cancels send too. */
static void late(void) {
    trivet_proto_event event;
    test_pair pair = {.now = 1000};
    trivet_proto_computer_options computer = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_phone_options phone = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    long n = until_failure;
    until_failure = -1;
    pair.c = trivet_proto_computer_new(&computer, pair.now);
    pair.p = trivet_proto_phone_new(&phone, pair.now);
    trivet_proto_phone_free(pair.p);
    phone.secret = phone.device_id = "x";
    pair.p = trivet_proto_phone_new(&phone, pair.now);
    pump(&pair);
    while (trivet_proto_computer_event(pair.c, &event))
        trivet_proto_event_release(&event);
    trivet_proto_computer_accept(pair.c, pair.now);
    trivet_proto_computer_start(pair.c, "{}", 2, 0, pair.now);
    until_failure = n;
    trivet_proto_computer_tick(pair.c, pair.now + 30000);
    int closed = 0, timed_out = 0;
    while (trivet_proto_computer_event(pair.c, &event)) {
        closed += event.kind == TRIVET_PROTO_EVENT_CLOSED && event.close_code == 1001;
        timed_out += event.kind == TRIVET_PROTO_EVENT_SYNC_TIMEOUT;
        trivet_proto_event_release(&event);
    }
    assert_int_equal(closed, failed);
    assert_int_equal(timed_out, !failed);
    pair_release(&pair);
}

static void a_timeout(void **state) {
    (void)state;
    fail_each(late);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(a_secret_that_is_left_is_found),
        cmocka_unit_test(messages),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(a_timeout),
    };
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
