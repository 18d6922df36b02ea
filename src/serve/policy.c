/* Standing answers. Pure: two states and a result in, a side out. */
#include "serve/policy.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [POLICY_ASK] = "ask",           [POLICY_NEWEST] = "newest", [POLICY_PHONE] = "phone",
    [POLICY_COMPUTER] = "computer", [POLICY_BOTH] = "both",     [POLICY_CANCEL] = "cancel",
};

const char *policy_name(policy p) {
    return names[p];
}

/* ---- newest ---- */

static bool same(trivet_merge_slice a, trivet_merge_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool of_one_item(const trivet_merge_tie *a, const trivet_merge_tie *b) {
    return a->item_id.data && b->item_id.data && a->section == b->section && same(a->item_id, b->item_id);
}

/* A JSON number; the engine wrote it, so that strtod() in the C locale's way reads it as it stands. */
static bool number(trivet_merge_slice value, double *out) {
    char text[64], *end;

    if (value.len == 0 || value.len >= sizeof text || !strchr("-0123456789", value.data[0]))
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    *out = strtod(text, &end);
    return *end == '\0';
}

static bool is_null(trivet_merge_slice value) {
    return value.len == 4 && memcmp(value.data, "null", 4) == 0;
}

static int compare(trivet_merge_slice a, trivet_merge_slice b) {
    double x, y;

    if (is_null(a) || is_null(b))
        return is_null(b) - is_null(a);
    if (number(a, &x) && number(b, &y) && (x < y || x > y))
        return x < y ? -1 : 1;
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static trivet_merge_side newest(const trivet_merge_tie *tie, const trivet_merge_state *phone,
                                const trivet_merge_state *computer) {
    trivet_merge_item p, c;

    if (tie->item_id.data && trivet_merge_item_find(phone, tie->section, tie->item_id, &p, NULL) &&
        trivet_merge_item_find(computer, tie->section, tie->item_id, &c, NULL) &&
        p.created_at != c.created_at)
        return p.created_at > c.created_at ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER;
    return compare(tie->phone_value, tie->computer_value) >= 0 ? TRIVET_MERGE_PHONE : TRIVET_MERGE_COMPUTER;
}

/* Ties of one item stand side by side, in the order of their fields' names. */
void policy_pick(policy p, const trivet_merge_result *result, const trivet_merge_state *phone,
                 const trivet_merge_state *computer, trivet_merge_side *out) {
    size_t count = trivet_merge_result_tie_count(result);
    trivet_merge_tie tie, before;

    for (size_t i = 0; i < count; i++, before = tie) {
        trivet_merge_result_tie(result, i, &tie);
        if (p != POLICY_NEWEST)
            out[i] = p == POLICY_COMPUTER ? TRIVET_MERGE_COMPUTER : TRIVET_MERGE_PHONE;
        else if (i > 0 && of_one_item(&before, &tie))
            out[i] = out[i - 1];
        else
            out[i] = newest(&tie, phone, computer);
    }
}

trivet_merge_large policy_choice(policy p) {
    return p == POLICY_COMPUTER ? TRIVET_MERGE_LARGE_COMPUTER
           : p == POLICY_PHONE  ? TRIVET_MERGE_LARGE_PHONE
                                : TRIVET_MERGE_LARGE_BOTH;
}
