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

static void print_human(const trivet_merge_item *item, const item_place *at, bool show, const char *verb) {
    printf("%s %s ", verb, item->done ? "[x]" : "[ ]");
    print_styled(stdout, PRINT_ID, "%s", at->short_id);
    fputs("  ", stdout);
    if (show)
        print_slice(stdout, item->text);
    printf("%s(%s%zu", show ? "  " : "", at->locked ? "locked " : "", at->slot + 1);
    if (at->label && at->label[0] && show) {
        fputc(' ', stdout);
        print_line(stdout, at->label, strlen(at->label));
    }
    fputs(")\n", stdout);
}

static int print_json(const trivet_merge_item *item) {
    char *json;
    size_t len;

    if (trivet_merge_item_write(item, &json, &len) != 0)
        return print_failure(EX_OSERR, "out of memory");
    printf("%.*s\n", (int)len, json);
    free(json);
    return 0;
}

int item_print(const trivet_merge_item *item, const item_place *at, const char *verb, bool locked,
               bool json) {
    bool show = locked || !at->locked;

    if (json && show)
        return print_json(item);
    if (json)
        print_json_without_text(item);
    else
        print_human(item, at, show, verb);
    return 0;
}

int item_request(const cli_common *common, json_t *request, const char *text, bool locked, unsigned flags,
                 const char *verb) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *keeper = NULL;
    trivet_merge_item item;
    const char *raw = NULL;
    size_t raw_len = 0;
    reply r;
    item_place at;
    int status;

    if (request && text)
        client_set_text(request, text, &raw, &raw_len);
    if ((status = client_request(common, request, raw, raw_len, flags, &r)) != 0)
        return status;
    at = (item_place){.locked = strcmp(reply_string(r.response, "section"), "lockedLists") == 0,
                      .slot = (size_t)reply_number(r.response, "slot"),
                      .label = reply_string(r.response, "label"),
                      .short_id = reply_string(r.response, "short")};
    if (!r.raw || trivet_merge_state_new(&keeper) != 0 ||
        trivet_merge_item_read(keeper, r.raw, r.raw_len, &item, &err) != 0)
        status = print_failure(EX_PROTOCOL, "the answer holds no item: %s", err.reason);
    else
        status = item_print(&item, &at, verb, locked, common->json);
    trivet_merge_state_free(keeper);
    reply_release(&r);
    return status == 0 ? print_finish() : status;
}
