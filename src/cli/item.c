/* One item as an answer. The text of a locked list is shown by no command that was not asked to (protocol
 * §9). */
#include "cli/item.h"

#include "cli/print.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* All known fields but the text. */
static void print_json_without_text(const trivet_merge_item *item) {
    printf("{\"createdAt\":%lld,\"deleted\":%s,\"deletedAt\":", (long long)item->created_at,
           item->deleted ? "true" : "false");
    if (item->deleted_at >= 0)
        printf("%lld", (long long)item->deleted_at);
    else
        fputs("null", stdout);
    printf(",\"done\":%s,\"id\":\"%.*s\",\"updatedAt\":%lld}\n", item->done ? "true" : "false",
           (int)item->id.len, item->id.data, (long long)item->updated_at);
}

/* "added [ ] 3f2a  milk  (1 Groceries)" */
static void print_human(const reply *r, const trivet_merge_item *item, bool locked, bool show,
                        const char *verb) {
    const char *label = reply_string(r->response, "label");

    printf("%s %s ", verb, item->done ? "[x]" : "[ ]");
    print_styled(stdout, PRINT_ID, "%s", reply_string(r->response, "short"));
    fputs("  ", stdout);
    if (show)
        print_slice(stdout, item->text);
    printf("%s(%s%lld", show ? "  " : "", locked ? "locked " : "",
           (long long)reply_number(r->response, "slot") + 1);
    if (label[0] && show) {
        fputc(' ', stdout);
        print_line(stdout, label, strlen(label));
    }
    fputs(")\n", stdout);
}

int item_request(const cli_common *common, json_t *request, const char *text, bool locked, unsigned flags,
                 const char *verb) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *keeper = NULL;
    trivet_merge_item item;
    const char *raw = NULL;
    size_t raw_len = 0;
    reply r;
    bool in_locked, show;
    int status;

    if (request && text)
        client_set_text(request, text, &raw, &raw_len);
    if ((status = client_request(common, request, raw, raw_len, flags, &r)) != 0)
        return status;
    in_locked = strcmp(reply_string(r.response, "section"), "lockedLists") == 0;
    show = locked || !in_locked;
    if (!r.raw || trivet_merge_state_new(&keeper) != 0 ||
        trivet_merge_item_read(keeper, r.raw, r.raw_len, &item, &err) != 0)
        status = print_error(EX_PROTOCOL, "the answer holds no item: %s", err.reason);
    else if (!common->json)
        print_human(&r, &item, in_locked, show, verb);
    else if (show)
        printf("%.*s\n", (int)r.raw_len, r.raw);
    else
        print_json_without_text(&item);
    trivet_merge_state_free(keeper);
    reply_release(&r);
    return status == 0 ? print_finish() : status;
}
