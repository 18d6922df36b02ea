/*
 * proof.h - how a server shows, before a phone sends its secret, that it knows the pairing: what discovery
 * (`trivet phone sync --discover`) asks of whoever claims to be the server.
 *
 *     GET /prove/DEVICE/NONCE   ->   {"status":"ok","proof":"<128 hex digits>"}       NONCE: 64 hex digits
 *     proof = salt || BLAKE2b-256, keyed with BLAKE2b-256 of the pairing's secret, of
 *             "trivet/1 server proof" || nonce || salt || the server's address, 16 bytes || its port, 2 bytes
 *
 * Nonce and salt are 32 random bytes each, the phone's and the server's, fresh for each question. Numbers are
 * big-endian, an IPv4 address is mapped into IPv6, a scope is left out. The address and the port are those
 * at which the server was asked: a stranger who passes the question on to the real server gets a proof for the
 * real server's address, not for his own. So it shows that who answers at this address is the server, or sits
 * on the way to it; against the latter only version 2 of the protocol helps. (A private address is many
 * computers': one who has the server's in another network, and a way to the server besides, is on the way, too.)
 *
 * The salt is for the sake of those without the secret: with it no two answers are alike, so that they cannot
 * tell an answer by a device's key from one by a key that nobody has, however often and whenever they ask. A secret
 * has 122 random bits: who has seen a proof cannot guess it.
 */
#ifndef TRIVET_NET_PROOF_H
#define TRIVET_NET_PROOF_H

#include <stdbool.h>
#include <stdint.h>

enum { PROOF_KEY_LEN = 32, PROOF_NONCE_LEN = 32, PROOF_SALT_LEN = 32, PROOF_LEN = 64 };

/* The key of a pairing; the server keeps nothing else of the secret. */
void proof_key(const char *secret, uint8_t key[static PROOF_KEY_LEN]);

/* False where `address` is no numeric address. To check one, make it again with the salt that it begins with. */
bool proof_make(const uint8_t key[static PROOF_KEY_LEN], const uint8_t nonce[static PROOF_NONCE_LEN],
                const uint8_t salt[static PROOF_SALT_LEN], const char *address, uint16_t port,
                uint8_t proof[static PROOF_LEN]);

#endif
