/*
 * doctor.h - the checks of `trivet doctor`, and where they leave what they find.
 *
 * A finding is one line on one subject; one that is not all right says what to do. Checks print nothing and
 * change nothing. What a check needs to know is in `doctor`; those that judge take plain values, so that they
 * can be tested without a firewall or a wrong clock at hand.
 */
#ifndef TRIVET_CLI_DOCTOR_H
#define TRIVET_CLI_DOCTOR_H

#include "serve/config.h"
#include "store/look.h"
#include <jansson.h>
#include <trivet_merge.h>

typedef enum {
    DOCTOR_OK,
    DOCTOR_NOTE,   /* worth a look, and perhaps as it should be */
    DOCTOR_PROBLEM /* something does not work, or will not */
} doctor_level;

typedef struct {
    const char *folder; /* the data folder */
    config settings;    /* the defaults where they cannot be read */
    bool has_database;
    look_result look; /* where there is a database */
    char look_text[256];
    json_t *status;  /* the running server's answer; NULL: none runs */
    json_t *devices; /* an array, or NULL */
    json_t *moved;   /* devices whose codes lead elsewhere, as `status` tells of them; or NULL */
    char *state;     /* the computer's state, or NULL; owned, like what is above */
    size_t state_len;
    json_t *findings;
    size_t notes, problems;
} doctor;

/* `advice` NULL: nothing is to be done. */
void doctor_find(doctor *d, doctor_level level, const char *subject, const char *advice, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

/* doctor_network.c: is the server there, and can a phone reach it */
void doctor_server(doctor *d);
void doctor_port(doctor *d);
void doctor_addresses(doctor *d);
void doctor_moved(doctor *d);
void doctor_firewall(doctor *d);
void doctor_arrivals(doctor *d);
void doctor_mdns(doctor *d);

/* doctor_house.c: is all well in the house */
void doctor_folder(doctor *d);
void doctor_disk(doctor *d);
void doctor_database(doctor *d);
void doctor_clock(doctor *d);
void doctor_dates(doctor *d);

/* ---- what they judge by ---- */

/* What a packet filter's rules, as `nft list ruleset` prints them, mean for a TCP port. A guess: rules can say more
 * than this reads. */
typedef enum { RULES_OPEN, RULES_ALLOWED, RULES_CLOSED } doctor_rules;
doctor_rules doctor_read_rules(const char *ruleset, unsigned port);

/* The latest date in a state, in ms since 1970; 0: it holds none. */
int64_t doctor_latest_date(const trivet_merge_state *state);

#endif
