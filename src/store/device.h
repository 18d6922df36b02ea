/*
 * device.h - paired phones.
 *
 * A pairing's secret identifies its device (protocol §2); only the secret's BLAKE2b-256 is kept. The name
 * that a phone gives itself (`deviceId`) is a display name; each one seen on a pairing is a row of its own
 * (device_phone), because ancestors are kept for each (merge §10).
 *
 * Version 2 knows a device by its keys (protocol §7): `k` of the code, under which a first session makes `k1`, under which all
 * later ones run. Both ends must never disagree on which of the two holds, whoever loses power:
 *
 *     1  the phone's first frame under gen 0 opens. device_seen_version_2 stores k1, beside k, in one durable
 *        transaction. Power lost before: nothing happened. After: the computer has both keys, the phone k alone, and begins
 *        a first session anew, whose k1 takes the other's place.
 *     2  only then does the computer send its first frame. When that opens, the phone replaces k by k1, in one
 *        durable step. It is lost, or the phone loses power before: as after 1. After: the phone comes under gen 1.
 *     3  its first frame under gen 1 opens: device_seen_version_2 erases k. Power lost before: the computer has
 *        both still, and that is no harm but that the code works a little longer. After: the code is worth nothing.
 *
 * So whenever the phone holds k1, the computer holds the same; the one thing that could replace it is another first session. One
 * of the same phone, from before it held k1 and held up by the network, is not let in: the keys must be, when
 * its frame comes, what they were when it asked for them. A computer that is restored from a backup of before 1 does
 * not know k1, and the phone must be paired anew; one from before 3 accepts the code again until the phone comes.
 */
#ifndef TRIVET_STORE_DEVICE_H
#define TRIVET_STORE_DEVICE_H

#include "store.h"

enum { DEVICE_ID_LEN = 8, DEVICE_NAME_MAX = 256, DEVICE_NETWORKS = 32, DEVICE_CODE_LIFE_MS = 10 * 60 * 1000 };

typedef struct {
    char id[DEVICE_ID_LEN + 1];
    char name[DEVICE_NAME_MAX +
              1];         /* what the user called it, else the phone's own name once it came, else "" */
    bool named;           /* the user called it so */
    int64_t created_at;   /* ms since 1970, like every time here */
    int64_t lapses_at;    /* the code's end; 0 once it was used */
    int64_t last_seen_at; /* last accepted handshake; 0 = never */
    int64_t last_sync_at; /* 0 = never */
    int64_t revoked_at;   /* 0 = not */
    char address[64];     /* of the last connection */
    char replaces[DEVICE_ID_LEN + 1]; /* the device whose records it inherited, or "" */
    char host[256];                   /* where its code says that this computer is; "" = not known */
    uint16_t port;                    /* the same; 0 = not known */
    int64_t
        version_2_at; /* when it first spoke version 2, since when it may not speak version 1; 0 = not yet */
} device;

/* What a device's frames may be sealed under; those that are not there are all zero. */
typedef struct {
    bool has[2];        /* by generation: the code's k, the device key k1 */
    uint8_t key[2][32]; /* likewise */
} device_keys;

typedef struct {
    char phone[257]; /* the phone's own name for itself */
    int64_t first_seen_at, last_seen_at, last_sync_at;
} device_phone;

/*
 * A new pairing. `name` may be NULL; `replaces` (NULL: none) is a device whose records the new one inherits
 * and which is revoked when the new code is first used. `secret` (UUID v4) and `k` are given once, here, and
 * wiped by the caller.
 */
int device_create(store *s, const char *name, const char *replaces, int64_t now, device *out,
                  char secret[static 37], uint8_t k[static 32], store_error *err);

/* What the code says about where this computer is: an address, in brackets where it is IPv6, or a name; "": it is of no
 * account, since the phone comes another way. */
int device_set_place(store *s, const char *id, const char *host, uint16_t port, store_error *err);

/* The device that a secret names, in constant time over all; STORE_NONE for an unknown, lapsed or revoked
 * one. */
int device_by_secret(store *s, const char *secret, int64_t now, device *out, store_error *err);

/*
 * Of the device with exactly this id. STORE_NONE, and no keys in *out, for an unknown, lapsed or revoked one: by the same work, as
 * all rows are read. To be wiped.
 */
int device_keys_get(store *s, const char *id, int64_t now, device_keys *out, store_error *err);

/* BLAKE2b-256 of the secret, for proofs; never to be shown. */
int device_secret_hash(store *s, const char *id, uint8_t hash[static 32], store_error *err);

/* By id, a unique prefix of it, or a unique name; STORE_NONE else (`err.message` says which of the two). */
int device_find(store *s, const char *id, device *out, store_error *err);

/* All, oldest first, revoked ones included; *out is the caller's to free(). */
int device_list(store *s, device **out, size_t *count, store_error *err);
int device_phones(store *s, const char *id, device_phone **out, size_t *count, store_error *err);

/*
 * An accepted handshake: the code is used (never lapses), `k` is erased (protocol §6), times, address and the
 * phone's own name are kept. *new_phone: this name was not seen on this pairing before, though another was.
 */
int device_seen(store *s, const char *id, const char *phone, const char *address, int64_t now,
                bool *new_phone, store_error *err);
/*
 * The same for version 2, when the first frame of a session under `gen` has opened. `asked` is what device_keys_get gave for
 * it; `k1` is what the session made, kept under gen 0 alone. STORE_NONE, and nothing happened, where the device has
 * other keys by now.
 */
int device_seen_version_2(store *s, const char *id, int gen, const device_keys *asked,
                          const uint8_t k1[static 32], const char *phone, const char *address, int64_t now,
                          device *out, bool *new_phone, store_error *err);
int device_synced(store *s, const char *id, const char *phone, int64_t now, store_error *err);

/*
 * A device came from a network (net/address.h). *new_network: it was seen in others of that family before, but not in
 * this one; one phone has addresses of both families in one network. At most DEVICE_NETWORKS are remembered, the
 * last seen.
 */
int device_network_seen(store *s, const char *id, const char *network, int64_t now, bool *new_network,
                        store_error *err);

/* What the user calls it from now on: 1 to DEVICE_NAME_MAX bytes. */
int device_rename(store *s, const char *id, const char *name, store_error *err);
int device_revoke(store *s, const char *id, int64_t now, store_error *err);

/* Deletes codes that lapsed unused. */
int device_drop_lapsed(store *s, int64_t now, store_error *err);

#endif
