/* member.c - the scalars that the protocol reads itself; all else is the scanner's or the tree's. */
#include "member.h"

#include "number.h"
#include "schema.h"
#include "text.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int proto_members_pick(proto_scan *scan, const char *const *names, size_t count, proto_member *found,
                       trivet_proto_error *err) {
    proto_member member;
    int r;
    memset(found, 0, count * sizeof *found);
    while ((r = proto_scan_next(scan, &member)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (!proto_scan_key_is(&member, names[i]))
                continue;
            if (found[i].begin != NULL)
                return proto_refuse(err, names[i], "stands there twice");
            found[i] = member;
            break;
        }
    }
    if (r == 0)
        return TRIVET_PROTO_OK;
    proto_refuse(err, "", "");
    snprintf(err->reason, sizeof err->reason, "no JSON object (byte %zu)", scan->at);
    return TRIVET_PROTO_EINPUT;
}

int proto_members_find(const void *text, size_t len, const char *const *names, size_t count,
                       proto_member *found, trivet_proto_error *err) {
    proto_scan scan;
    proto_scan_begin(&scan, text, len);
    return proto_members_pick(&scan, names, count, found, err);
}

int proto_member_time(const proto_member *member, const char *name, int64_t *out, trivet_proto_error *err) {
    double number = 0;
    if (member->begin == NULL)
        return proto_refuse(err, name, "is missing");
    if (member->kind == 'n') {
        *out = 0;
        return TRIVET_PROTO_OK;
    }
    if (member->kind != '0')
        return proto_refuse(err, name, "expected a number");
    if (member->value_len <= 16 && strspn(member->value, "0123456789") >= member->value_len) {
        for (size_t i = 0; i < member->value_len; i++)
            number = number * 10 + (member->value[i] - '0');
    } else if (!proto_number_read(member->value, member->value_len, &number)) {
        number = -1;
    }
    if (number < 0 || number > 9007199254740991.0 || floor(number) != number)
        return proto_refuse(err, name, "expected an integer from 0 to 2^53 - 1");
    *out = (int64_t)number;
    return TRIVET_PROTO_OK;
}

int proto_member_string(const proto_member *member, const char *name, size_t min, size_t max, char **out,
                        trivet_proto_error *err) {
    size_t len = 0;
    if (member->begin == NULL)
        return proto_refuse(err, name, "is missing");
    if (member->kind != '"')
        return proto_refuse(err, name, "expected a string");
    *out = malloc(member->value_len);
    if (*out == NULL)
        return TRIVET_PROTO_ENOMEM;
    const char *reason = NULL;
    if (!proto_text_read(member->value + 1, member->value_len - 2, *out, &len))
        reason = "no JSON string of UTF-8";
    else if (len < min)
        reason = "is empty";
    else if (len > max)
        reason = "is too long";
    if (reason == NULL)
        return TRIVET_PROTO_OK;
    sodium_memzero(*out, member->value_len);
    free(*out);
    *out = NULL;
    return proto_refuse(err, name, reason);
}

bool proto_member_is(const proto_member *member, const char *text) {
    if (member->kind != '"')
        return false;
    proto_member as_key = {.key = member->value + 1, .key_len = member->value_len - 2};
    return proto_scan_key_is(&as_key, text);
}
