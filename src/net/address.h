/*
 * address.h - numeric addresses of peers, and which of them are near (protocol §1).
 */
#ifndef TRIVET_NET_ADDRESS_H
#define TRIVET_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum { ADDRESS_SIZE = 64 }; /* room for an IPv6 address, '%' and an interface's name */

/* "192.168.1.7", "2001:db8::1", "fe80::1%eth0"; IPv4-mapped ones unwrapped. Empty for other families. */
void address_format(const struct sockaddr *address, char out[static ADDRESS_SIZE]);

/* The other way, with `port`; false where `text` is no numeric address. Unwraps mapped ones, too. */
bool address_parse(const char *text, uint16_t port, struct sockaddr_storage *out);

/* Its 4 or 16 bytes, borrowed; NULL: of another family. */
const uint8_t *address_bytes(const struct sockaddr *address, size_t *len);

bool address_is_loopback(const char *address);

/*
 * What counts as one and the same where a hostile peer is bounded (places, delays, log lines). IPv4: the address.
 * IPv6: its /64, since whoever has one address there has them all ("2001:db8::/64"). Link-local IPv6: the
 * address with its interface; its /64 is everybody's on that link, and to count by it would let one
 * neighbour use up what the others need, while he who is so near can take any IPv4 address of the network,
 * too. What is no address stays as it is. `out` may be `address`.
 */
void address_source(const char *address, char out[static ADDRESS_SIZE]);

/* The network that an address is in, as far as a peer of it can tell: IPv4 /24, IPv6 /64, of link-local ones
 * the interface. */
void address_network(const char *address, char out[static ADDRESS_SIZE]);

/* The peer of a connected stream; empty where it is gone already. */
void address_of_peer(const uv_tcp_t *tcp, char out[static ADDRESS_SIZE]);

/* The other end, which is ours: its address, and as the result its port, 0 where it is gone. */
uint16_t address_of_own_end(const uv_tcp_t *tcp, char out[static ADDRESS_SIZE]);

#endif
