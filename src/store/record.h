/*
 * record.h - ancestor records: what each phone and the computer agreed on (merge §10).
 *
 * One record for each committed merge of a phone, that is, of the pair (device, phone's own name). `since`
 * values are a phone's own clock and only ever compared for equality. What a `since` is known to mean is kept
 * for the three groups of sections apart, because the phone stores them apart.
 */
#ifndef TRIVET_STORE_RECORD_H
#define TRIVET_STORE_RECORD_H

#include "store.h"

typedef enum { RECORD_LISTS, RECORD_LOCKED_LISTS, RECORD_SCRATCHPAD, RECORD_GROUPS } record_group;

typedef struct {
    int64_t id; /* grows with time */
    store_name sent, snapshot, ancestor;
    bool has_ancestor;
    int64_t since_before;
    unsigned applied; /* bit 1 << group: the group has a `since_after` in this record */
    int64_t time;     /* ms since 1970, the computer's clock */
} record;

/* Stores a record and fills its id in. Its names must be stored already; STORE_NONE (with a message) for an
 * unknown device. */
int record_add(store *s, const char *device, const char *phone, record *r, store_error *err);

/* `since` is now known to mean that this group of the record's snapshot was applied. Repeating it is no
 * error; STORE_NONE for an unknown record. */
int record_applied(store *s, int64_t id, record_group group, int64_t since, store_error *err);

/*
 * All of a phone's records, newest first; a phone's name with no records yet uses all of its device's, and a
 * device that replaced another inherits that one's. *out is the caller's to free().
 */
int record_list(store *s, const char *device, const char *phone, record **out, size_t *count,
                store_error *err);

/*
 * The newest record whose group `since` is known to mean. STORE_NONE: none was ever known to; STORE_GONE: the
 * record was dropped since, and `since` means "no ancestor" (merge §10). The same records count as in
 * record_list.
 */
int record_by_since(store *s, const char *device, const char *phone, record_group group, int64_t since,
                    int64_t *id, store_error *err);

#endif
