/*
 * test_proto_message.c - each type's schema, strict and lenient, and the way back to text (protocol §3).
 */
#include "test_proto_support.h"

enum { P = TRIVET_PROTO_FROM_PHONE, C = TRIVET_PROTO_FROM_COMPUTER };

static int decode(const char *text, int way, trivet_proto_message *out, trivet_proto_error *err) {
    memset(err, 0, sizeof *err);
    return trivet_proto_message_decode((const uint8_t *)text, strlen(text), (trivet_proto_way)way, out, err);
}

static char *encode(const trivet_proto_message *message) {
    uint8_t *out;
    size_t len;
    assert_int_equal(trivet_proto_message_encode(message, &out, &len), 0);
    char *text = malloc(len + 1);
    assert_non_null(text);
    memcpy(text, out, len);
    text[len] = '\0';
    free(out);
    return text;
}

/* ---- accepted, and what becomes of it ---- */

#define JOT_DEFAULTS                                                                                         \
    "\"text\":\"\",\"drawing\":null,\"images\":[],\"recordings\":[],\"files\":[],\"textUpdatedAt\":0,"       \
    "\"drawingUpdatedAt\":0"

static const struct {
    int way;
    trivet_proto_type type;
    const char *text, *again; /* what it is written as; NULL: as it came */
} good[] = {
    {P, TRIVET_PROTO_SYNC_REQUEST, "{\"type\":\"sync_request\"}", NULL},
    {P, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\"}", NULL},
    {C, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\"}", NULL},
    {P, TRIVET_PROTO_SYNC_CANCEL, "{\"type\":\"sync_cancel\"}", NULL},
    {C, TRIVET_PROTO_SYNC_CANCEL, " { \"type\" : \"sync_cancel\" } ", "{\"type\":\"sync_cancel\"}"},
    {C, TRIVET_PROTO_SYNC_CANCEL, "{\"type\":\"sync\\u005fcancel\"}", "{\"type\":\"sync_cancel\"}"},
    {P, TRIVET_PROTO_KEY_INIT,
     "{\"type\":\"key_init\",\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA=\"}", NULL},
    {C, TRIVET_PROTO_KEY_EXCHANGE,
     "{\"type\":\"key_exchange\",\"publicKey\":\"hV+Ns6hqgXn+LkDMzJrDathhC7oua8oP0CzreMFF0CA=\"}", NULL},
    {P, TRIVET_PROTO_HANDSHAKE,
     "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":null,\"pairingSecret\":\"s\"}",
     "{\"type\":\"handshake\",\"deviceId\":\"d\",\"lastSyncTimestamp\":0,\"pairingSecret\":\"s\"}"},
    /* states */
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":0}", NULL},
    {C, TRIVET_PROTO_STATE_SYNC, "{\"since\":null,\"type\":\"state_sync\"}",
     "{\"type\":\"state_sync\",\"since\":0}"},
    {P, TRIVET_PROTO_STATE_SYNC,
     "{\"type\":\"state_sync\",\"since\":9007199254740991,\"lists\":[],\"lockedLists\":null}", NULL},
    {P, TRIVET_PROTO_STATE_SYNC,
     " {\"lists\" : [[]] , "
     "\"type\":\"state_sync\",\"x\":{\"type\":\"}\"},\"since\":1e3,\"scratchpad\":[\"\\\"]\"]}",
     "{\"type\":\"state_sync\",\"since\":1000,\"lists\" : "
     "[[]],\"x\":{\"type\":\"}\"},\"scratchpad\":[\"\\\"]\"]}"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"\\u0074ype\":\"state_sync\",\"\\u0073ince\":4,\"listsCategories\":[1]}",
     "{\"type\":\"state_sync\",\"since\":4,\"listsCategories\":[1]}"},
    {C, TRIVET_PROTO_SYNC_CONFIRM, "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":7}",
     NULL},
    {C, TRIVET_PROTO_SYNC_CONFIRM,
     "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":7,\"snapshot\":null}",
     "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":7}"},
    {C, TRIVET_PROTO_SYNC_CONFIRM,
     "{\"type\":\"sync_confirm\",\"mode\":\"desktop-wins\",\"appliedAt\":7,\"snapshot\":{\"lists\":[[]],"
     "\"type\":1}}",
     NULL},
    /* jots: lenient */
    {P, TRIVET_PROTO_JOT_MANIFEST, "{\"type\":\"jot_manifest\"}", "{\"type\":\"jot_manifest\",\"jots\":[]}"},
    {P, TRIVET_PROTO_JOT_MANIFEST, "{\"type\":\"jot_manifest\",\"jots\":null}",
     "{\"type\":\"jot_manifest\",\"jots\":[]}"},
    {P, TRIVET_PROTO_JOT_MANIFEST,
     "{\"type\":\"jot_manifest\",\"jots\":[{\"id\":1},7,null,{\"id\":\"2\"},{\"hasText\":true},{\"id\":3.0,"
     "\"hasText\":"
     "true,\"hasDrawing\":null,\"imageIds\":[\"a\",\"\",5,null,\"b\"],\"audioIds\":null,\"fileIds\":[]},{"
     "\"id\":4,"
     "\"fileIds\":{}},{\"id\":1.5},{\"id\":-1}]}",
     "{\"type\":\"jot_manifest\",\"jots\":[{\"id\":1,\"hasText\":false,\"hasDrawing\":false,\"imageIds\":[],"
     "\"audioIds\":[],\"fileIds\":[]},{\"id\":3,\"hasText\":true,\"hasDrawing\":false,\"imageIds\":[\"a\","
     "\"b\"],"
     "\"audioIds\":[],\"fileIds\":[]}]}"},
    {C, TRIVET_PROTO_JOT_META_REQUEST, "{\"type\":\"jot_meta_request\",\"jotId\":3}", NULL},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":3}}",
     "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":3," JOT_DEFAULTS "}}"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE,
     "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":3,\"text\":\"t\",\"drawing\":\"[\\\"M0 "
     "0\\\"]\",\"images\":[{"
     "\"id\":\"i\",\"format\":\"jpeg\",\"createdAt\":1.5},{\"format\":\"png\"},{\"id\":\"j\",\"format\":9}],"
     "\"recordings\":[{\"id\":\"r\"}],\"files\":[{\"id\":\"f\",\"fileName\":\"a/b\",\"mimeType\":\"text/"
     "plain\","
     "\"size\":5,\"createdAt\":2}],\"textUpdatedAt\":1,\"drawingUpdatedAt\":2,\"more\":[null]}}",
     "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":3,\"text\":\"t\",\"drawing\":\"[\\\"M0 "
     "0\\\"]\",\"images\":[{"
     "\"id\":\"i\",\"format\":\"jpeg\",\"createdAt\":1.5}],\"recordings\":[{\"id\":\"r\",\"duration\":0,"
     "\"format\":"
     "\"\",\"createdAt\":0}],\"files\":[{\"id\":\"f\",\"fileName\":\"a/b\",\"mimeType\":\"text/"
     "plain\",\"size\":5,"
     "\"createdAt\":2}],\"textUpdatedAt\":1,\"drawingUpdatedAt\":2,\"more\":[null]}}"},
    {C, TRIVET_PROTO_JOT_REFRESH_REQUEST, "{\"type\":\"jot_refresh_request\"}", NULL},
    {P, TRIVET_PROTO_JOT_REFRESH_RESPONSE,
     "{\"type\":\"jot_refresh_response\",\"jots\":[{\"id\":1,\"text\":4},{\"id\":2}]}",
     "{\"type\":\"jot_refresh_response\",\"jots\":[{\"id\":2," JOT_DEFAULTS "}]}"},
    {C, TRIVET_PROTO_JOT_DOWNLOAD_REQUEST, "{\"type\":\"jot_download_request\",\"jotIds\":[1,2]}", NULL},
    {P, TRIVET_PROTO_JOT_DOWNLOAD_RESPONSE,
     "{\"type\":\"jot_download_response\",\"jots\":[{\"id\":1,\"text\":\"\",\"drawing\":null,\"images\":[{"
     "\"id\":\"i\","
     "\"format\":\"png\",\"createdAt\":0,\"data\":\"AAAA\"},{\"id\":\"j\",\"format\":\"png\",\"createdAt\":0,"
     "\"data\":"
     "\"AA A\"}],\"recordings\":[],\"files\":[]}]}",
     "{\"type\":\"jot_download_response\",\"jots\":[{\"id\":1,\"text\":\"\",\"drawing\":null,\"images\":[{"
     "\"id\":\"i\","
     "\"format\":\"png\",\"createdAt\":0,\"data\":\"AAAA\"}],\"recordings\":[],\"files\":[]}]}"},
    {C, TRIVET_PROTO_JOT_CLEAR_REQUEST, "{\"type\":\"jot_clear_request\",\"jotIds\":[1]}", NULL},
    {P, TRIVET_PROTO_JOT_CLEAR_ACK, "{\"type\":\"jot_clear_ack\",\"cleared\":[1]}", NULL},
    /* files */
    {C, TRIVET_PROTO_FILE_REQUEST,
     "{\"type\":\"file_request\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"audio\"}", NULL},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"image\",\"format\":\"jpeg\","
     "\"data\":\"AAE=\"}",
     NULL},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"data\":\"\\u0041AE\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\"}",
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"format\":\"\","
     "\"data\":\"AAE\"}"},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"data\":null,\"error\":"
     "\"gone\"}",
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"error\":\"gone\","
     "\"format\":\"\","
     "\"data\":\"\"}"},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"format\":\"\","
     "\"data\":\"\",\"error\":null}",
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"format\":\"\","
     "\"data\":\"\"}"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\",\"lines\":[\"a\",\"b\"]}",
     "{\"type\":\"debug_log\",\"lines\":[\"a\",\"b\"]}"},
    /* unknown types are no error */
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"sync_perhaps\",\"since\":1}", NULL},
    {P, TRIVET_PROTO_SYNC_ACK, "{\"type\":\"sync_ack\",\"since\":1.0}",
     "{\"type\":\"sync_ack\",\"since\":1}"},
    {C, TRIVET_PROTO_UNKNOWN, "{\"type\":\"\"}", NULL},
    {C, TRIVET_PROTO_UNKNOWN, "{\"type\":\"unknown\"}", NULL},
};

static void good_messages(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        trivet_proto_message message, again;
        trivet_proto_error error;
        if (decode(good[i].text, good[i].way, &message, &error) != 0)
            fail_msg("%s: refused: %s: %s", good[i].text, error.path, error.reason);
        assert_int_equal(message.type, good[i].type);
        if (message.type != TRIVET_PROTO_UNKNOWN) {
            char *text = encode(&message);
            assert_string_equal(text, good[i].again != NULL ? good[i].again : good[i].text);
            /* Once in order, it stays as it is. */
            assert_int_equal(decode(text, good[i].way, &again, &error), 0);
            char *twice = encode(&again);
            assert_string_equal(twice, text);
            trivet_proto_message_release(&again);
            free(twice);
            free(text);
        }
        trivet_proto_message_release(&message);
    }
}

/* ---- refused, and where ---- */

static const struct {
    int way;
    trivet_proto_type type;
    const char *text, *path, *reason;
} bad[] = {
    {P, TRIVET_PROTO_UNKNOWN, "", "", "no JSON object (byte 0)"},
    {P, TRIVET_PROTO_UNKNOWN, "[]", "", "no JSON object (byte 0)"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"heartbeat\"", "", "no JSON object (byte 19)"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"heartbeat\"}x", "", "no JSON object (byte 20)"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"heartbeat\",}", "", NULL},
    {P, TRIVET_PROTO_UNKNOWN, "{\"a\":01,\"type\":\"heartbeat\"}", "", NULL},
    {P, TRIVET_PROTO_UNKNOWN, "{\"a\":nul,\"type\":\"heartbeat\"}", "", NULL},
    {P, TRIVET_PROTO_UNKNOWN, "{}", "type", "is missing"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":1}", "type", "expected a string"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":null}", "type", "expected a string"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"heartbeat\",\"type\":\"heartbeat\"}", "type",
     "stands there twice"},
    {P, TRIVET_PROTO_UNKNOWN, "{\"type\":\"heartbeat\",\"a\":[}", "", NULL},
    {P, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\",\"a\":[{]}}", "", NULL},
    {P, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\",\"a\":1,\"a\":2}", "", NULL},
    {P, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\",\"a\":\"\xff\"}", "", NULL},
    {P, TRIVET_PROTO_HEARTBEAT, "{\"type\":\"heartbeat\",\"a\":\"\\x\"}", "", NULL},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\"}", "since", "is missing"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":\"0\"}", "since", "expected a number"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":[]}", "since", "expected a number"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":-1}", "since",
     "expected an integer from 0 to 2^53 - 1"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":1,\"since\":1}", "since",
     "stands there twice"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":1e400}", "since",
     "expected an integer from 0 to 2^53 - 1"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":99999999999999999999999999}", "since",
     "expected an integer from 0 to 2^53 - 1"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":0,\"lists\":{}}", "lists",
     "expected an array"},
    {P, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":0,\"scratchpad\":\"\"}", "scratchpad",
     "expected an array"},
    {C, TRIVET_PROTO_STATE_SYNC, "{\"type\":\"state_sync\",\"since\":0,\"lockedListsCategories\":true}",
     "lockedListsCategories", "expected an array"},
    {C, TRIVET_PROTO_SYNC_CONFIRM, "{\"type\":\"sync_confirm\",\"appliedAt\":7}", "mode",
     "expected phone-wins or desktop-wins"},
    {C, TRIVET_PROTO_SYNC_CONFIRM, "{\"type\":\"sync_confirm\",\"appliedAt\":7,\"mode\":\"merge\"}", "mode",
     "expected phone-wins or desktop-wins"},
    {C, TRIVET_PROTO_SYNC_CONFIRM, "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\"}", "appliedAt",
     "is missing"},
    {C, TRIVET_PROTO_SYNC_CONFIRM,
     "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":1,\"snapshot\":[]}", "snapshot.",
     "no JSON object"},
    {C, TRIVET_PROTO_SYNC_CONFIRM,
     "{\"type\":\"sync_confirm\",\"mode\":\"phone-wins\",\"appliedAt\":1,\"snapshot\":{\"lists\":1}}",
     "snapshot.lists", "expected an array"},
    {P, TRIVET_PROTO_JOT_MANIFEST, "{\"type\":\"jot_manifest\",\"jots\":{}}", "jots", "expected an array"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\"}", "jot", "is missing"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":null}", "jot",
     "may not be null"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":[]}", "jot",
     "expected an object"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":{}}", "jot.id",
     "is missing"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":1,\"text\":[]}}",
     "jot.text", "expected a string"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":1,\"drawing\":{}}}",
     "jot.drawing", "expected a string"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE,
     "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":1,\"textUpdatedAt\":\"1\"}}", "jot.textUpdatedAt",
     "expected a number"},
    {P, TRIVET_PROTO_JOT_META_RESPONSE, "{\"type\":\"jot_meta_response\",\"jot\":{\"id\":1,\"images\":{}}}",
     "jot.images", "expected an array"},
    {C, TRIVET_PROTO_JOT_META_REQUEST, "{\"type\":\"jot_meta_request\"}", "jotId", "is missing"},
    {C, TRIVET_PROTO_JOT_META_REQUEST, "{\"type\":\"jot_meta_request\",\"jotId\":\"1\"}", "jotId",
     "expected a number"},
    {C, TRIVET_PROTO_FILE_REQUEST,
     "{\"type\":\"file_request\",\"jotId\":1,\"fileId\":\"\",\"fileType\":\"file\"}", "fileId",
     "expected an id of 1 to 256 bytes"},
    {C, TRIVET_PROTO_FILE_REQUEST,
     "{\"type\":\"file_request\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"video\"}", "fileType",
     "expected image, audio or file"},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"data\":\"A\"}", "data",
     "expected base64"},
    {P, TRIVET_PROTO_FILE_RESPONSE,
     "{\"type\":\"file_response\",\"jotId\":1,\"fileId\":\"f\",\"fileType\":\"file\",\"data\":\"AAAA\","
     "\"data\":\"AAAA\"}",
     "data", "stands there twice"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\",\"lines\":\"x\"}", "lines", "expected an array"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\",\"lines\":[\"a\",1,\"b\"]}", "lines[1]",
     "expected a string"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\",\"lines\":[null]}", "lines[0]", "expected a string"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\",\"lines\":null}", "lines", "may not be null"},
    {P, TRIVET_PROTO_DEBUG_LOG, "{\"type\":\"debug_log\"}", "lines", "is missing"},
};

static void bad_messages(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trivet_proto_message message;
        trivet_proto_error error;
        if (decode(bad[i].text, bad[i].way, &message, &error) != TRIVET_PROTO_EINPUT)
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(message.type, bad[i].type);
        assert_string_equal(error.path, bad[i].path);
        if (bad[i].reason != NULL)
            assert_string_equal(error.reason, bad[i].reason);
        assert_true(error.reason[0] != '\0');
        assert_null(message.body);
        assert_null(message.state);
    }
}

/* The bounds of ids, and a path that is longer than its room. */
static void ids_have_up_to_256_bytes(void **state) {
    (void)state;
    for (size_t len = 255; len <= 257; len++) {
        char text[400], id[300];
        trivet_proto_message message;
        trivet_proto_error error;
        memset(id, 'x', len);
        id[len] = '\0';
        snprintf(text, sizeof text,
                 "{\"type\":\"file_request\",\"jotId\":1,\"fileId\":\"%s\",\"fileType\":\"file\"}", id);
        assert_int_equal(decode(text, C, &message, &error), len <= 256 ? 0 : TRIVET_PROTO_EINPUT);
        trivet_proto_message_release(&message);
    }
}

/* Each type with the ways it may go. */
static void ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        trivet_proto_message message;
        trivet_proto_error error;
        trivet_proto_type type = good[i].type;
        if (type == TRIVET_PROTO_UNKNOWN)
            continue;
        bool both = type == TRIVET_PROTO_STATE_SYNC || type == TRIVET_PROTO_SYNC_CANCEL ||
                    type == TRIVET_PROTO_HEARTBEAT;
        int r = decode(good[i].text, good[i].way == P ? C : P, &message, &error);
        assert_int_equal(r, both ? 0 : TRIVET_PROTO_EINPUT);
        if (!both) {
            assert_string_equal(error.path, "type");
            assert_string_equal(error.reason, "goes only the other way");
        }
        trivet_proto_message_release(&message);
    }
}

static void type_names(void **state) {
    (void)state;
    assert_string_equal(trivet_proto_type_name(TRIVET_PROTO_STATE_SYNC), "state_sync");
    assert_string_equal(trivet_proto_type_name(TRIVET_PROTO_DEBUG_LOG), "debug_log");
    assert_string_equal(trivet_proto_type_name(TRIVET_PROTO_UNKNOWN), "unknown");
    assert_string_equal(trivet_proto_type_name((trivet_proto_type)-1), "unknown");
    assert_string_equal(trivet_proto_type_name(TRIVET_PROTO_TYPES), "unknown");
    for (int type = 0; type < TRIVET_PROTO_TYPES; type++)
        assert_non_null(trivet_proto_type_name((trivet_proto_type)type));
}

/* ---- states ---- */

static void a_state_is_cut_out(void **state) {
    static const struct {
        const char *text, *state;
    } cases[] = {
        {"{\"type\":\"state_sync\",\"since\":0}", "{}"},
        {"{\"lists\":[],\"type\":\"state_sync\",\"since\":0,\"x\":1}", "{\"lists\":[],\"x\":1}"},
        {"\t{\n\"a\" : \"\\\"}{\" ,\"type\":\"state_sync\", \"b\":{\"since\":2},\"since\":0 }\n",
         "{\"a\" : \"\\\"}{\",\"b\":{\"since\":2}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trivet_proto_message message;
        trivet_proto_error error;
        assert_int_equal(decode(cases[i].text, P, &message, &error), 0);
        assert_string_equal(message.state, cases[i].state);
        assert_int_equal(message.state_len, strlen(cases[i].state));
        trivet_proto_message_release(&message);
    }
}

/* ---- strings that UTF-8 cannot hold ---- */

static void strings_come_back_as_they_came(void **state) {
    static const struct {
        const char *came, *back, *plain; /* inside a literal; NULL: as it came; as shown */
    } strings[] = {
        {"\\ud800", NULL, "\xef\xbf\xbd"},
        {"\\uDFFF", "\\udfff", "\xef\xbf\xbd"},
        {"\\u0000", NULL, "\xef\xbf\xbd"},
        {"a\\ud83db\\ude00c", NULL,
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c"},
        {"\\ude00\\ud83d", NULL, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud83d\\ud83d\\ude00", "\\ud83d\xf0\x9f\x98\x80", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\\\\ud800", NULL, "\\ud800"},
        {"\\\\\\ud800", NULL, "\\\xef\xbf\xbd"},
        {"\\ud83d\\u0000\\u0001", NULL, "\xef\xbf\xbd\xef\xbf\xbd\x01"},
        {"\xf4\x8f\xbf\xbf", NULL, "\xf4\x8f\xbf\xbf"},
        {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\\udbff\\udfff\xee\x80\x80", "\xf4\x8f\xbf\xbf\xee\x80\x80", "\xf4\x8f\xbf\xbf\xee\x80\x80"},
        {"\xf4\x8f\xbf\xbf\xee\x80\x80", NULL, "\xf4\x8f\xbf\xbf\xee\x80\x80"},
        {"\xf4\x8f\xbf\xbf\\ud800", NULL, "\xf4\x8f\xbf\xbf\xef\xbf\xbd"},
        {"\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", NULL, "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"},
        {"\xee\x80\x80\xee\xa0\x80", NULL, "\xee\x80\x80\xee\xa0\x80"},
        {"\xf4\x8f\xbf", "", NULL}, /* no UTF-8 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        char text[200], expected[200];
        trivet_proto_message message;
        trivet_proto_error error;
        const char *back = strings[i].back != NULL ? strings[i].back : strings[i].came;
        snprintf(text, sizeof text, "{\"type\":\"debug_log\",\"lines\":[\"%s\"],\"%s\":1}", strings[i].came,
                 strings[i].came);
        snprintf(expected, sizeof expected, "{\"type\":\"debug_log\",\"lines\":[\"%s\"],\"%s\":1}", back,
                 back);
        int r = decode(text, P, &message, &error);
        if (strings[i].plain == NULL) {
            assert_int_equal(r, TRIVET_PROTO_EINPUT);
            continue;
        }
        if (r != 0)
            fail_msg("refused: %s: %s", strings[i].came, error.reason);
        const char *line = json_string_value(json_array_get(json_object_get(message.body, "lines"), 0));
        char *plain = trivet_proto_text_plain(line);
        assert_string_equal(plain, strings[i].plain);
        free(plain);
        char *again = encode(&message);
        assert_string_equal(again, expected);
        free(again);
        trivet_proto_message_release(&message);
    }
}

static void different_strings_stay_different(void **state) {
    static const char *const strings[] = {
        "\\ud800", "\\ud801",      "\\udfff",          "\\u0000",
        "",        "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf\xee\x80\x80"};
    enum { COUNT = sizeof strings / sizeof *strings };
    trivet_proto_message messages[COUNT];
    trivet_proto_error error;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"type\":\"debug_log\",\"lines\":[\"%s\"]}", strings[i]);
        assert_int_equal(decode(text, P, &messages[i], &error), 0);
        for (size_t j = 0; j < i; j++)
            assert_false(json_equal(messages[i].body, messages[j].body));
    }
    for (size_t i = 0; i < COUNT; i++)
        trivet_proto_message_release(&messages[i]);
}

/* ---- size ---- */

/* Few bytes of text that would become much memory. */
static void too_many_values(void **state) {
    char *text = malloc(300000), *to;
    trivet_proto_message message;
    trivet_proto_error error;
    (void)state;
    assert_non_null(text);
    to = stpcpy(text, "{\"type\":\"jot_manifest\",\"jots\":[0");
    for (int i = 0; i < 100000; i++)
        to = stpcpy(to, ",0");
    strcpy(to, "]}");
    assert_int_equal(decode(text, P, &message, &error), TRIVET_PROTO_EINPUT);
    assert_memory_equal(error.reason, "too many values", 15);
    /* The same bytes inside a string are one value. */
    to = stpcpy(text, "{\"type\":\"debug_log\",\"lines\":[\"0");
    for (int i = 0; i < 100000; i++)
        to = stpcpy(to, ",[");
    strcpy(to, "\"]}");
    assert_int_equal(decode(text, P, &message, &error), 0);
    trivet_proto_message_release(&message);
    free(text);
}

static void deep_nesting_is_refused(void **state) {
    char text[10000];
    trivet_proto_message message;
    trivet_proto_error error;
    (void)state;
    strcpy(text, "{\"type\":\"heartbeat\",\"a\":");
    size_t at = strlen(text);
    memset(text + at, '[', 4000);
    memset(text + at + 4000, ']', 4000);
    strcpy(text + at + 8000, "}");
    assert_int_equal(decode(text, P, &message, &error), TRIVET_PROTO_EINPUT);
}

/* A file goes by without becoming a tree first, and is the same on the other side. */
static void a_large_file(void **state) {
    enum { SIZE = 3000000 };
    trivet_proto_message message, again;
    char *data = malloc(SIZE + 1);
    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = "ABCDwxyz0189+/"[i % 14];
    data[SIZE] = '\0';
    message = (trivet_proto_message){.type = TRIVET_PROTO_FILE_RESPONSE};
    message.body =
        json_pack("{s:i,s:s,s:s,s:s}", "jotId", 2, "fileId", "f", "fileType", "file", "data", data);
    uint8_t *text;
    size_t len;
    assert_int_equal(trivet_proto_message_encode(&message, &text, &len), 0);
    assert_non_null(json_object_get(message.body, "data")); /* the owner's is left as it was */
    assert_int_equal(trivet_proto_message_decode(text, len, TRIVET_PROTO_FROM_PHONE, &again, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(again.body, "data")), data);
    trivet_proto_message_release(&again);
    trivet_proto_message_release(&message);
    free(text);
    free(data);
}

/* Of every length around those at which the room for a text grows. */
static void lengths(void **state) {
    (void)state;
    for (size_t len = 0; len < 1200; len++) {
        char line[1201], text[1300];
        trivet_proto_message message = {.type = TRIVET_PROTO_DEBUG_LOG};
        memset(line, 'x', len);
        line[len] = '\0';
        snprintf(text, sizeof text, "{\"type\":\"debug_log\",\"lines\":[\"%s\"]}", line);
        message.body = json_pack("{s:[s]}", "lines", line);
        char *again = encode(&message);
        assert_string_equal(again, text);
        free(again);
        json_decref(message.body);
    }
}

/* ---- every byte ---- */

/* Cut anywhere, a message is refused; with any byte changed, it is understood or refused, and never worse. */
static void truncated_and_changed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t len = strlen(good[i].text), end = len;
        while (end > 0 && good[i].text[end - 1] != '}')
            end--;
        for (size_t cut = 0; cut < end; cut++) {
            trivet_proto_message message;
            uint8_t *exact = malloc(cut + 1); /* so that a read too far is seen */
            memcpy(exact, good[i].text, cut);
            assert_int_equal(
                trivet_proto_message_decode(exact, cut, (trivet_proto_way)good[i].way, &message, NULL),
                TRIVET_PROTO_EINPUT);
            free(exact);
        }
        for (size_t at = 0; at < len; at++) {
            static const char bytes[] = {'"', '\\', '{', '}', '[', ']', ',', ':', '0', '\0', '\xff', ' '};
            char changed[1200];
            trivet_proto_message message;
            assert_true(len < sizeof changed);
            memcpy(changed, good[i].text, len);
            for (size_t b = 0; b < sizeof bytes; b++) {
                changed[at] = bytes[b];
                trivet_proto_message_decode((const uint8_t *)changed, len, (trivet_proto_way)good[i].way,
                                            &message, NULL);
                trivet_proto_message_release(&message);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_messages),
        cmocka_unit_test(bad_messages),
        cmocka_unit_test(ids_have_up_to_256_bytes),
        cmocka_unit_test(ways),
        cmocka_unit_test(type_names),
        cmocka_unit_test(a_state_is_cut_out),
        cmocka_unit_test(strings_come_back_as_they_came),
        cmocka_unit_test(different_strings_stay_different),
        cmocka_unit_test(too_many_values),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_large_file),
        cmocka_unit_test(lengths),
        cmocka_unit_test(truncated_and_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
