#include "phone/send.h"

#include "phone/jots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536, AGAIN_AT_ONCE = 4 << 20 /* bytes of a beginning that are read again in one step */ };

void phone_send_release(phone_send *s) {
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

bool phone_send_is_open(const phone_send *s) {
    return s->fd >= 0;
}

/* `error` NULL: all of it was sent. */
static int end(phone_send *s, trivet_proto_phone *machine, const char *error) {
    uint8_t hash[32];
    char *text = NULL;
    json_t *body = NULL;
    phone_send_release(s);
    if (error != NULL) {
        body = json_pack("{s:I, s:s}", "transfer", s->transfer, "error", error);
    } else {
        crypto_generichash_final(&s->hash, hash, sizeof hash);
        text = trivet_proto_base64_encode(hash, sizeof hash);
        if (text != NULL)
            body = json_pack("{s:I, s:I, s:s}", "transfer", s->transfer, "size", (json_int_t)s->size, "hash",
                             text);
    }
    int sent = body != NULL ? trivet_proto_phone_send(machine, TRIVET_PROTO_FILE_END, body) : -1;
    json_decref(body);
    free(text);
    return sent == 0 ? 0 : -1;
}

int phone_send_request(phone_send *s, phone_folder *f, trivet_proto_phone *machine, const json_t *request) {
    edit_error err = EDIT_ERROR_INIT;
    phone_send_release(s);
    s->transfer = json_integer_value(json_object_get(request, "transfer"));
    s->from = (uint64_t)json_integer_value(json_object_get(request, "offset"));
    s->next = 0;
    if (phone_jots_open_file(f, request, &s->fd, &err) != 0 || fstat(s->fd, &s->before) != 0)
        return end(s, machine, "file not found");
    s->size = (uint64_t)s->before.st_size;
    crypto_generichash_init(&s->hash, NULL, 0, 32);
    return s->from <= s->size ? 0 : end(s, machine, "it is shorter than that");
}

static bool is_unchanged(const phone_send *s) {
    struct stat now;
    return fstat(s->fd, &now) == 0 && now.st_size == s->before.st_size &&
           now.st_mtim.tv_sec == s->before.st_mtim.tv_sec && now.st_mtim.tv_nsec == s->before.st_mtim.tv_nsec;
}

/* All of `len`; false: there is no more of it. */
static bool read_whole(const phone_send *s, uint8_t *to, size_t len) {
    for (size_t have = 0; have < len;) {
        ssize_t got = pread(s->fd, to + have, len - have, (off_t)(s->next + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

/* What the computer has already. */
static void hash_again(phone_send *s, trivet_proto_phone *machine) {
    size_t left = AGAIN_AT_ONCE;
    uint8_t *bytes = malloc(PIECE);
    bool good = bytes != NULL;
    while (good && left > 0 && s->next < s->from) {
        size_t len = s->from - s->next < PIECE ? (size_t)(s->from - s->next) : PIECE;
        good = read_whole(s, bytes, len);
        if (good)
            crypto_generichash_update(&s->hash, bytes, len);
        s->next += len;
        left -= len < left ? len : left;
    }
    free(bytes);
    if (!good)
        (void)end(s, machine, "it changed while it was read");
}

bool phone_send_is_ready(const phone_send *s, const trivet_proto_phone *machine) {
    return s->fd >= 0 &&
           (s->next < s->from || s->next == s->size || trivet_proto_phone_piece_room(machine) > 0);
}

static void send_piece(phone_send *s, trivet_proto_phone *machine, size_t room) {
    size_t len = s->size - s->next < room ? (size_t)(s->size - s->next) : room;
    uint8_t *buffer = malloc(TRIVET_PROTO_PIECE_ROOM + len);
    if (buffer == NULL || !read_whole(s, buffer + TRIVET_PROTO_PIECE_ROOM, len)) {
        free(buffer);
        (void)end(s, machine, "it changed while it was read");
        return;
    }
    crypto_generichash_update(&s->hash, buffer + TRIVET_PROTO_PIECE_ROOM, len);
    s->next += len;
    if (trivet_proto_phone_send_piece(machine, buffer, len) != 0)
        phone_send_release(s); /* the connection is over */
}

void phone_send_step(phone_send *s, trivet_proto_phone *machine) {
    if (!phone_send_is_ready(s, machine))
        return;
    if (s->next < s->from)
        hash_again(s, machine);
    else if (s->next == s->size)
        (void)end(s, machine, is_unchanged(s) ? NULL : "it changed while it was read");
    else
        send_piece(s, machine, trivet_proto_phone_piece_room(machine));
}
