/*
 * differ.h - what differs between two states, in words and as JSON: for diff, history --full, history --lost and
 * restore.
 */
#ifndef TRIVET_CLI_DIFFER_H
#define TRIVET_CLI_DIFFER_H

#include "cli/client.h"
#include "fixture/run.h"

/* What differs from the first document to the second; release with fixture_output_release(). The documents are
 * borrowed for as long. 0, or an exit status after telling. */
int differ_documents(const char *a, size_t a_len, const char *b, size_t b_len, fixture_output *out);

/* The same of an answer that holds two documents (requests.h: `split`). */
int differ_reply(const reply *r, fixture_output *out);

size_t differ_count(const fixture_output *d); /* changes */

/* One thing after the other, as in a merge's report. Texts of locked lists only with `locked`. */
void differ_words(FILE *out, const fixture_output *d, bool locked);

/*
 * An array with an object for each thing: kinds (["edited", "moved"]), section, slot (from 0), id?, fields, before and
 * after (the item or entry, or null), and fromSlot where an item was in another. before and after of locked lists only
 * with `locked`.
 */
void differ_json(FILE *out, const fixture_output *d, bool locked);

/* What a person names a state by, as the requests take it (serve/past.h): dates become times. */
void differ_state(const char *typed, char *out, size_t size);

#endif
