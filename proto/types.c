/*
 * types.c - one table of all types: name, way, fields (protocol §3). To add a type, add a row, and a case to the
 * machine that has to do with it.
 */
#include "types.h"

#include "member.h"

#define FIELD(name, kind, presence)                                                                          \
    { name, PROTO_FIELD_##kind, PROTO_##presence, NULL }
#define NESTED(name, kind, presence, of)                                                                     \
    { name, PROTO_FIELD_##kind, PROTO_##presence, of }
#define FIELDS static const proto_field
#define END                                                                                                  \
    { NULL, PROTO_FIELD_STRING, PROTO_OPTIONAL, NULL }

FIELDS no_fields[] = {END};
FIELDS key_fields[] = {FIELD("publicKey", BASE64, REQUIRED), END};
FIELDS handshake_fields[] = {FIELD("deviceId", ID, REQUIRED), FIELD("lastSyncTimestamp", COUNT, NULL_IS_ZERO),
                             FIELD("pairingSecret", STRING, REQUIRED), END};

FIELDS manifest_jot[] = {FIELD("id", COUNT, REQUIRED),
                         FIELD("hasText", BOOL, LENIENT),
                         FIELD("hasDrawing", BOOL, LENIENT),
                         FIELD("imageIds", IDS, LENIENT),
                         FIELD("audioIds", IDS, LENIENT),
                         FIELD("fileIds", IDS, LENIENT),
                         END};
FIELDS image_meta[] = {FIELD("id", ID, REQUIRED), FIELD("format", STRING, LENIENT),
                       FIELD("createdAt", NUMBER, LENIENT), END};
FIELDS recording_meta[] = {FIELD("id", ID, REQUIRED), FIELD("duration", NUMBER, LENIENT),
                           FIELD("format", STRING, LENIENT), FIELD("createdAt", NUMBER, LENIENT), END};
FIELDS file_meta[] = {FIELD("id", ID, REQUIRED),           FIELD("fileName", STRING, LENIENT),
                      FIELD("mimeType", STRING, LENIENT),  FIELD("size", NUMBER, LENIENT),
                      FIELD("createdAt", NUMBER, LENIENT), END};
FIELDS jot_fields[] = {FIELD("id", COUNT, REQUIRED),
                       FIELD("text", STRING, LENIENT),
                       FIELD("drawing", DRAWING, LENIENT),
                       NESTED("images", OBJECTS, LENIENT, image_meta),
                       NESTED("recordings", OBJECTS, LENIENT, recording_meta),
                       NESTED("files", OBJECTS, LENIENT, file_meta),
                       FIELD("textUpdatedAt", NUMBER, LENIENT),
                       FIELD("drawingUpdatedAt", NUMBER, LENIENT),
                       END};
FIELDS image_whole[] = {FIELD("id", ID, REQUIRED), FIELD("format", STRING, LENIENT),
                        FIELD("createdAt", NUMBER, LENIENT), FIELD("data", BASE64, LENIENT), END};
FIELDS recording_whole[] = {FIELD("id", ID, REQUIRED),        FIELD("duration", NUMBER, LENIENT),
                            FIELD("format", STRING, LENIENT), FIELD("createdAt", NUMBER, LENIENT),
                            FIELD("data", BASE64, LENIENT),   END};
FIELDS file_whole[] = {FIELD("id", ID, REQUIRED),
                       FIELD("fileName", STRING, LENIENT),
                       FIELD("mimeType", STRING, LENIENT),
                       FIELD("size", NUMBER, LENIENT),
                       FIELD("createdAt", NUMBER, LENIENT),
                       FIELD("data", BASE64, LENIENT),
                       END};
FIELDS jot_whole[] = {FIELD("id", COUNT, REQUIRED),
                      FIELD("text", STRING, LENIENT),
                      FIELD("drawing", DRAWING, LENIENT),
                      NESTED("images", OBJECTS, LENIENT, image_whole),
                      NESTED("recordings", OBJECTS, LENIENT, recording_whole),
                      NESTED("files", OBJECTS, LENIENT, file_whole),
                      END};

FIELDS manifest_fields[] = {NESTED("jots", OBJECTS, LENIENT, manifest_jot), END};
FIELDS jot_id_fields[] = {FIELD("jotId", COUNT, REQUIRED), END};
FIELDS jot_ids_fields[] = {FIELD("jotIds", COUNTS, LENIENT), END};
FIELDS cleared_fields[] = {FIELD("cleared", COUNTS, LENIENT), END};
FIELDS meta_fields[] = {NESTED("jot", OBJECT, REQUIRED, jot_fields), END};
FIELDS refresh_fields[] = {NESTED("jots", OBJECTS, LENIENT, jot_fields), END};
FIELDS download_fields[] = {NESTED("jots", OBJECTS, LENIENT, jot_whole), END};
FIELDS file_request_fields[] = {FIELD("jotId", COUNT, REQUIRED),        FIELD("fileId", ID, REQUIRED),
                                FIELD("fileType", FILE_TYPE, REQUIRED), FIELD("transfer", COUNT, OPTIONAL),
                                FIELD("offset", COUNT, OPTIONAL),       END};
FIELDS file_response_fields[] = {FIELD("jotId", COUNT, REQUIRED),
                                 FIELD("fileId", ID, REQUIRED),
                                 FIELD("fileType", FILE_TYPE, REQUIRED),
                                 FIELD("data", BASE64, LENIENT),
                                 FIELD("format", STRING, LENIENT),
                                 FIELD("error", STRING, OPTIONAL),
                                 END};
FIELDS debug_log_fields[] = {FIELD("lines", STRINGS, REQUIRED), END};

/* Version 2's. */
FIELDS ack_fields[] = {FIELD("since", COUNT, REQUIRED), END};
FIELDS tie_fields[] = {FIELD("section", STRING, REQUIRED), FIELD("slot", COUNT, REQUIRED),
                       FIELD("itemId", STRING, OPTIONAL), FIELD("field", STRING, REQUIRED), END};
FIELDS pick_fields[] = {FIELD("section", STRING, REQUIRED), FIELD("slot", COUNT, REQUIRED),
                        FIELD("itemId", STRING, OPTIONAL),  FIELD("field", STRING, REQUIRED),
                        FIELD("pick", STRING, REQUIRED),    END};
FIELDS conflict_fields[] = {FIELD("id", COUNT, REQUIRED),
                            NESTED("ties", OBJECTS, OPTIONAL, tie_fields),
                            NESTED("large_change", OBJECT, OPTIONAL, no_fields),
                            NESTED("examples", OBJECTS, OPTIONAL, no_fields),
                            FIELD("remaining", COUNT, REQUIRED),
                            END};
FIELDS resolve_fields[] = {FIELD("id", COUNT, REQUIRED), NESTED("picks", OBJECTS, OPTIONAL, pick_fields),
                           FIELD("choice", STRING, OPTIONAL), END};
FIELDS error_fields[] = {FIELD("code", STRING, REQUIRED), FIELD("path", STRING, LENIENT),
                         FIELD("message", STRING, LENIENT), END};
FIELDS file_end_fields[] = {FIELD("transfer", COUNT, REQUIRED), FIELD("size", COUNT, OPTIONAL),
                            FIELD("hash", STRING, OPTIONAL), FIELD("error", STRING, OPTIONAL), END};
FIELDS file_ack_fields[] = {FIELD("transfer", COUNT, REQUIRED), FIELD("offset", COUNT, REQUIRED), END};

enum { P = TRIVET_PROTO_FROM_PHONE, C = TRIVET_PROTO_FROM_COMPUTER, BOTH = P | C, V2 = 4 };

static const struct {
    const char *name;
    unsigned ways;
    const proto_field *fields; /* NULL: holds a state, and is cut and spliced */
} types[TRIVET_PROTO_TYPES] = {
    [TRIVET_PROTO_UNKNOWN] = {"unknown", 0, no_fields},
    [TRIVET_PROTO_KEY_INIT] = {"key_init", P, key_fields},
    [TRIVET_PROTO_KEY_EXCHANGE] = {"key_exchange", C, key_fields},
    [TRIVET_PROTO_HANDSHAKE] = {"handshake", P, handshake_fields},
    [TRIVET_PROTO_SYNC_REQUEST] = {"sync_request", P, no_fields},
    [TRIVET_PROTO_STATE_SYNC] = {"state_sync", BOTH, NULL},
    [TRIVET_PROTO_SYNC_CONFIRM] = {"sync_confirm", C, NULL},
    [TRIVET_PROTO_SYNC_CANCEL] = {"sync_cancel", BOTH, no_fields},
    [TRIVET_PROTO_JOT_MANIFEST] = {"jot_manifest", P, manifest_fields},
    [TRIVET_PROTO_JOT_META_REQUEST] = {"jot_meta_request", C, jot_id_fields},
    [TRIVET_PROTO_JOT_META_RESPONSE] = {"jot_meta_response", P, meta_fields},
    [TRIVET_PROTO_JOT_REFRESH_REQUEST] = {"jot_refresh_request", C, no_fields},
    [TRIVET_PROTO_JOT_REFRESH_RESPONSE] = {"jot_refresh_response", P, refresh_fields},
    [TRIVET_PROTO_JOT_DOWNLOAD_REQUEST] = {"jot_download_request", C, jot_ids_fields},
    [TRIVET_PROTO_JOT_DOWNLOAD_RESPONSE] = {"jot_download_response", P, download_fields},
    [TRIVET_PROTO_JOT_CLEAR_REQUEST] = {"jot_clear_request", C, jot_ids_fields},
    [TRIVET_PROTO_JOT_CLEAR_ACK] = {"jot_clear_ack", P, cleared_fields},
    [TRIVET_PROTO_FILE_REQUEST] = {"file_request", C, file_request_fields},
    [TRIVET_PROTO_FILE_RESPONSE] = {"file_response", P, file_response_fields},
    [TRIVET_PROTO_HEARTBEAT] = {"heartbeat", BOTH, no_fields},
    [TRIVET_PROTO_DEBUG_LOG] = {"debug_log", P, debug_log_fields},
    [TRIVET_PROTO_SYNC_ACK] = {"sync_ack", P | V2, ack_fields},
    [TRIVET_PROTO_CONFLICT] = {"conflict", C | V2, conflict_fields},
    [TRIVET_PROTO_RESOLVE] = {"resolve", P | V2, resolve_fields},
    [TRIVET_PROTO_ERROR] = {"error", BOTH | V2, error_fields},
    [TRIVET_PROTO_CONTROL] = {"control", P | V2, no_fields},
    [TRIVET_PROTO_FILE_END] = {"file_end", P | V2, file_end_fields},
    [TRIVET_PROTO_FILE_ACK] = {"file_ack", C | V2, file_ack_fields},
};

const char *trivet_proto_type_name(trivet_proto_type type) {
    return (unsigned)type < TRIVET_PROTO_TYPES ? types[type].name : types[TRIVET_PROTO_UNKNOWN].name;
}

bool proto_type_goes(trivet_proto_type type, trivet_proto_way way) {
    return (unsigned)type < TRIVET_PROTO_TYPES && (types[type].ways & way) != 0;
}

bool proto_type_is_of(trivet_proto_type type, int version) {
    return (unsigned)type < TRIVET_PROTO_TYPES && (version >= 2 || (types[type].ways & V2) == 0);
}

trivet_proto_type proto_type_of(const proto_member *member) {
    for (int type = TRIVET_PROTO_UNKNOWN + 1; type < TRIVET_PROTO_TYPES; type++) {
        if (proto_member_is(member, types[type].name))
            return (trivet_proto_type)type;
    }
    return TRIVET_PROTO_UNKNOWN;
}

const proto_field *proto_type_fields(trivet_proto_type type) {
    return types[type].fields;
}
