/*
 * jots.h - what one phone has captured, on its way here (protocol §5).
 *
 *     manifest --worker--> ids to ask about --one at a time--> meta_request -> meta_response --worker--> rows
 *     rows that lack their file --one at a time--> file_request -> file_response --files' worker--> jots/HASH --worker--> row
 *
 * Nothing is asked for while a sync runs on this connection; at most one thing is, at any time. A meta that does not come
 * in META_WAIT_MS is left, and asked for after the next manifest; a file of which nothing came for FILE_WAIT_MS is left
 * until the next manifest, though a late answer is taken. A connection that ends with 1001, 1009 or without a word while a
 * file is awaited counts against that file (store/jot.h: JOT_CUTS_MAX). Requests are paced, since the phone's answers count
 * against its rate (protocol §2).
 *
 * Messages that are lost: a request or its answer, as if it came too late; a manifest, and the next connection begins with
 * one. A clear whose ack is lost has cleared the phone, which the next manifest shows; whoever asked is told that no answer
 * came.
 *
 * One object for each connection, from the handshake on, freed with it. Jobs hold the connection.
 */
#ifndef TRIVET_SERVE_JOTS_H
#define TRIVET_SERVE_JOTS_H

#include "serve/connection.h"

typedef struct jots jots;

jots *jots_new(connection *c); /* NULL: out of memory */
void jots_free(jots *j);       /* NULL is fine */

/* A message about jots: how long its text was, and whether it held what was left out of `body`. */
void jots_message(jots *j, trivet_proto_type type, json_t *body, size_t bytes, bool left_out);
/* A piece of a file, which it may steal. */
void jots_piece(jots *j, trivet_proto_piece *piece);

/* Sends what is to be asked next, if it is time. True: something was sent. NULL is fine. */
bool jots_go(jots *j);

/* When jots_tick is to be called, by uv_now(); UINT64_MAX: never. */
uint64_t jots_deadline(const jots *j);
void jots_tick(jots *j);

/* The connection has ended with that code. */
void jots_end(jots *j, int close_code);

/* The user wants files, or settings have changed: looks for what can be asked. */
void jots_look(jots *j);

/* Asks the phone to tell all of its jots anew. False: it is not the moment (a sync runs). */
bool jots_refresh(jots *j);

/*
 * Clears a jot (its number here, its id on the phone) off the phone: what is stored of it is read and compared with its
 * hashes, then its meta is asked for once more, and all of that must be stored. `fn` is told once: status 0, or an exit status and why. False: another is being cleared.
 */
typedef void jots_cleared_fn(void *ctx, int status, const char *message);
bool jots_clear(jots *j, int64_t num, int64_t id, jots_cleared_fn *fn, void *ctx);

#endif
