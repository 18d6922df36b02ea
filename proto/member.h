/*
 * member.h - scalars among the top-level members of a message, read from their text (protocol §3).
 *
 *     static const char *const names[] = {"type", "since"};
 *     proto_member found[2];
 *     r = proto_members_find(text, len, names, 2, found, err);     found[i].begin == NULL: not there
 */
#ifndef TRIVET_PROTO_MEMBER_H
#define TRIVET_PROTO_MEMBER_H

#include "scan.h"
#include "trivet_proto.h"

/* EINPUT: no object, or one of the names stands in it twice. */
int proto_members_find(const void *text, size_t len, const char *const *names, size_t count,
                       proto_member *found, trivet_proto_error *err);

/* The same from a scan that has just begun. */
int proto_members_pick(proto_scan *scan, const char *const *names, size_t count, proto_member *found,
                       trivet_proto_error *err);

/* A time in ms: an integer of 0 to 2^53 - 1; null is 0. `name` is for the error. */
int proto_member_time(const proto_member *member, const char *name, int64_t *out, trivet_proto_error *err);

/* A string, malloc'd, UTF-8; its length is at least `min` and at most `max` bytes. */
int proto_member_string(const proto_member *member, const char *name, size_t min, size_t max, char **out,
                        trivet_proto_error *err);

/* Whether it is this string, however spelled. `text` is ASCII. */
bool proto_member_is(const proto_member *member, const char *text);

#endif
