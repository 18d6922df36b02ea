/*
 * requests.h - what the control plane can be asked, defined once.
 *
 * A request is a JSON object {"do": NAME, ...}, a response {"ok": true, ...} or {"ok": false, "status": EXIT,
 * "message": TEXT}, with EXIT a sysexits code or 1 ("no" that is no error). A `*` marks that raw bytes travel
 * along (net/control.h): documents, items and long texts never pass through a JSON library, because they may
 * hold what one refuses, and may be longer than a line. The server runs these on its worker; a command that
 * finds no server opens the store and runs them itself. Requests marked "server" need one and are answered by
 * serve.c.
 *
 *     name     request                              response
 *     state    state?                               raw*: the canonical document (merge §1), the present one
 *                                                   or that of a past state
 *     add      locked?, slot? (typed), text/raw*    raw*: the item; section, slot (0-based), label?, short
 *     edit     id, text/raw*                        the same
 *     done     id, done (bool)                      the same
 *     rm       id                                   the same
 *     mv       id, slot? (typed), place?, other?    the same; place: top bottom before after
 *     pad      slot (typed), text/raw*              raw*: the entry; slot, label?
 *     import   raw* document, replace?, name?       counts (merge §9), ties (the computer's value was kept)
 *     pair     name?, host?, port?, replace?        ip, port, secret, v, device, name, k
 *     devices                                       devices: [{id, name, created, last_seen, last_sync,
 *                                                   revoked, lapses, address, host, port, replaces, phones: [{name,
 *                                                   last_seen, last_sync}], protocol; from a server:
 *                                                   connected, question (0: none)}]
 *     revoke   device                               device, name
 *     rename   device, name                         device, name
 *     status                                        folder, name, items, locked_items, devices, shared, last_sync,
 *                                                   moved: [{id, name, host, port}] (serve/moved.h);
 *                                                   from a server: running, pid, uptime, port, addresses,
 *                                                   mdns: {state, name?, reason?}, allow, connections,
 *                                                   pending, version, arrived (others have connected),
 *                                                   code_made (since the start)
 *     pending                                       raw*: [{id, device, kind, deadline,
 *                                                   ties | large_change, examples}]
 *     history  before?, limit?, since?              lines: [{id, time, cause, device?, phone?, counts, state?
 *                                                   (its name, where kept), before (bool: kept)}], newest
 *                                                   first, ids below `before`; more (bool)
 *     diff     a, b (states)                        raw*: two documents; split (where the second begins)
 *     restore  state, item?, dry?                   raw*: the state before and after; split; id (of its line)
 *     lost     before?, limit?                      lost: [{id, time, device?, phone?, side, reason, lengths}],
 *                                                   more; raw*: of each, its fields, form and what stands
 *                                                   (store/lost.h), of these lengths
 *     sync     device?, wait? (bool)        server  started: [ids]; with wait: results: [{device, outcome,
 *                                                   counts?}]
 *     resolve  id?, pick ties?|use|cancel   server  id, outcome, left
 *     jots_want id (of a jot)                      missing (files that the phone is asked for), device;
 *                                                   from a server: connected
 *     jots_clear device, id, jot (its id on the phone) server  (once the phone has cleared it)
 *     jots_refresh                          server  asked (how many phones)
 *
 * A state is named as past.h has it; restore knows "lost-ID", too. `name` of an import is what messages call the document. `id` of an item and `device` may be unique prefixes.
 * `short` is enough of an item's id to name it. Times are ms since 1970, 0 or null for never.
 */
#ifndef TRIVET_SERVE_REQUESTS_H
#define TRIVET_SERVE_REQUESTS_H

#include "store/store.h"
#include <jansson.h>

typedef struct {
    store *store;
    const char *server_name;
    const char *ip; /* where a phone reaches this computer, for pairing codes */
    uint16_t port;
    int64_t now;          /* ms since 1970 */
    bool alone;           /* no server runs on the store */
    store_error *failure; /* NULL, or where to put the store's own error, if it has one */
} requests_context;

/* Whether `name` is a request that runs on a store alone. */
bool requests_known(const char *name);

/* Whether it changes nothing: then no store is made for it. */
bool requests_reads(const char *name);

/*
 * Runs one. *response is a new reference, never NULL but out of memory; *raw_out (from malloc) NULL or the
 * bytes that go with it. `raw` is borrowed. All or nothing: a failed request has changed nothing.
 */
void requests_run(const requests_context *ctx, json_t *request, const char *raw, size_t raw_len,
                  json_t **response, char **raw_out, size_t *raw_out_len);

/* {"ok": false, "status": status, "message": ...} */
json_t *requests_refusal(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
