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

/*
 * Retention. A phone's newest `least` records are always kept, as they are what a phone that was away for long is measured
 * from; older ones go when they are older than `age_ms`, and in any case when there are `most` newer ones. Of each phone
 * the oldest go first, so that what is kept has no gaps: a record tells how a phone's items came about since an older one.
 *
 * A phone that is restored to a state whose record was dropped has no ancestor: its items and the computer's are merged by
 * date, and graves (grave.h) hold for what the computer deleted.
 */
typedef struct {
    size_t least, most;
    int64_t age_ms;
} record_limits;

#define RECORD_LIMITS_INIT                                                                                   \
    { 64, 1000, 400LL * 24 * 3600 * 1000 }

/*
 * One small step of retention at the time `now`: one transaction that looks at no more than `max_rows` phones and drops no
 * more than `max_rows` records, whose `since` values, before and after, stay behind. *cursor is where to go on, 0 to begin, and 0 again
 * when all phones were visited. Power may go at any moment, and a step may be repeated. *dropped is added to.
 */
int record_prune(store *s, int64_t now, const record_limits *limits, size_t max_rows, int64_t *cursor,
                 size_t *dropped, store_error *err);

#endif
