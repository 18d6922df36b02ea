/* Two merges where one would overwrite. */
#include "serve/late.h"

#include <string.h>

/* What one side lost of its own, whatever the other holds. */
static int lost_much(const trivet_merge_state *then, const trivet_merge_state *now, double threshold) {
    trivet_merge_large_change large;
    return then == now ? 0 : trivet_merge_guard(then, now, then, threshold, &large);
}

int late_holds(const late_pair *asked, const late_pair *now, double threshold) {
    int rc = lost_much(asked->phone, now->phone, threshold);

    if (rc == 0)
        rc = lost_much(asked->computer, now->computer, threshold);
    return rc < 0 ? rc : !rc;
}

int late_prepare(late *l, const trivet_merge_state *ancestor, const late_pair *asked, const late_pair *now,
                 const trivet_merge_options *choice, trivet_merge_error *err) {
    trivet_merge_options plain = TRIVET_MERGE_OPTIONS_INIT;
    int rc = trivet_merge(ancestor, asked->phone, asked->computer, choice, &l->chosen, err);

    if (rc != 0)
        return rc;
    plain.large_threshold = 2.0;
    const trivet_merge_state *made = trivet_merge_result_snapshot(l->chosen);
    bool phone_moved = now->phone != asked->phone, computer_moved = now->computer != asked->computer;
    if (phone_moved && computer_moved) {
        rc = trivet_merge(asked->phone, now->phone, made, &plain, &l->carried, err);
        if (rc != 0)
            return rc;
        made = trivet_merge_result_snapshot(l->carried);
    }
    if (computer_moved) {
        l->ancestor = asked->computer;
        l->phone = made;
        l->computer = now->computer;
    } else {
        l->ancestor = asked->phone;
        l->phone = now->phone;
        l->computer = made;
    }
    return 0;
}

void late_release(late *l) {
    trivet_merge_result_free(l->carried);
    trivet_merge_result_free(l->chosen);
    memset(l, 0, sizeof *l);
}
