/* The doctor's checks of the computer itself: folder, disk, database, clock. */
#include "cli/doctor.h"

#include "cli/print.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

enum {
    LITTLE_MB = 500, /* a year of edits takes less than 100 */
    TOO_LITTLE_MB = 50,
    FEW_FILES = 1000,
    TOLERANCE_MS = 2 * 60 * 1000, /* clocks that differ by less do no harm worth telling */
    DAY_MS = 24 * 3600 * 1000
};

/* ---- the folder ---- */

static void wrong_mode(doctor *d, const char *path, unsigned mode, const char *right) {
    char advice[PATH_MAX + 64];

    snprintf(advice, sizeof advice, "chmod %s %s", right, path);
    doctor_find(d, DOCTOR_PROBLEM, "folder", advice, "%s may be read by other users (mode %04o)", path, mode);
}

static void wrong_owner(doctor *d, const struct stat *st) {
    const struct passwd *owner = getpwuid(st->st_uid);
    char advice[200];

    snprintf(advice, sizeof advice, "Run trivet as that user: sudo -u %s trivet doctor --data ...",
             owner ? owner->pw_name : "#UID");
    doctor_find(d, DOCTOR_NOTE, "folder", advice, "%s belongs to the user %s", d->folder,
                owner ? owner->pw_name : "with no name");
}

void doctor_folder(doctor *d) {
    static const char *const files[] = {"trivet.db", "control.sock", "server.key"};
    char path[PATH_MAX + 32];
    struct stat st;
    size_t before = d->problems + d->notes;

    if (stat(d->folder, &st) != 0) {
        bool missing = errno == ENOENT;
        doctor_find(d, missing ? DOCTOR_NOTE : DOCTOR_PROBLEM, "folder",
                    missing ? "`trivet serve` makes it." : "See who may read it: ls -ld", "%s: %s", d->folder,
                    missing ? "there is no data yet" : strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        doctor_find(d, DOCTOR_PROBLEM, "folder", "Name another folder with --data.", "%s is no folder",
                    d->folder);
        return;
    }
    if (st.st_uid != geteuid() && geteuid() != 0) /* root works there as its owner */
        wrong_owner(d, &st);
    if ((st.st_mode & 077) != 0)
        wrong_mode(d, d->folder, st.st_mode & 07777, "700");
    else if (access(d->folder, W_OK) != 0)
        doctor_find(d, DOCTOR_PROBLEM, "folder",
                    "See who owns it, and whether the disk is mounted read-only.", "%s cannot be written: %s",
                    d->folder, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", d->folder, files[i]);
        if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
            wrong_mode(d, path, st.st_mode & 07777, "600");
    }
    if (d->problems + d->notes == before)
        doctor_find(d, DOCTOR_OK, "folder", NULL, "%s, for its owner only", d->folder);
}

/* ---- the disk ---- */

void doctor_disk(doctor *d) {
    struct statvfs disk;

    if (statvfs(d->folder, &disk) != 0)
        return; /* the folder's own finding says why */
    uint64_t megabytes = (uint64_t)disk.f_bavail * disk.f_frsize / (1 << 20);
    bool no_files = disk.f_files > 0 && disk.f_favail < FEW_FILES;
    const char *advice = "Make room: a sync that cannot be written is refused. See `df` and `df -i`.";
    if (megabytes < TOO_LITTLE_MB || no_files)
        doctor_find(d, DOCTOR_PROBLEM, "disk", advice, "only %llu MB%s are left",
                    (unsigned long long)megabytes, no_files ? ", and hardly any files," : "");
    else if (megabytes < LITTLE_MB)
        doctor_find(d, DOCTOR_NOTE, "disk", advice, "%llu MB are left", (unsigned long long)megabytes);
    else
        doctor_find(d, DOCTOR_OK, "disk", NULL, "%llu MB are free", (unsigned long long)megabytes);
}

/* ---- the database ---- */

void doctor_database(doctor *d) {
    if (!d->has_database)
        return;
    switch (d->look) {
    case LOOK_SOUND:
        doctor_find(d, DOCTOR_OK, "database", NULL, "sound");
        break;
    case LOOK_UNFINISHED:
        doctor_find(d, DOCTOR_OK, "database", NULL, "no fault in as much as could be checked in a moment");
        break;
    case LOOK_DAMAGED:
        doctor_find(d, DOCTOR_PROBLEM, "database",
                    "Stop the server, and ask `trivet fsck` what is damaged and what can be saved.",
                    "damaged: %s", d->look_text);
        break;
    case LOOK_FAILED:
        doctor_find(d, DOCTOR_NOTE, "database", "Run this as the user whom the folder belongs to.",
                    "it cannot be read: %s", d->look_text);
        break;
    }
}

/* ---- clocks ---- */

/* When this program was built, as its file has it; 0: not known. */
static int64_t built(void) {
    struct stat st;

    return stat("/proc/self/exe", &st) == 0 ? (int64_t)st.st_mtime * 1000 : 0;
}

void doctor_clock(doctor *d) {
    struct timex kernel = {.modes = 0};
    int state = adjtimex(&kernel);

    if (print_now() < built() - DAY_MS)
        doctor_find(d, DOCTOR_PROBLEM, "clock", "Set it: timedatectl set-ntp true",
                    "this computer's clock is behind: it shows a time before this program was made");
    else if (state < 0)
        doctor_find(d, DOCTOR_OK, "clock", NULL, "plausible; whether it is kept right cannot be told");
    else if (state == TIME_ERROR || (kernel.status & STA_UNSYNC))
        doctor_find(d, DOCTOR_NOTE, "clock",
                    "The more recent edit wins, so clocks should agree: timedatectl set-ntp true",
                    "nothing keeps this computer's clock right");
    else
        doctor_find(d, DOCTOR_OK, "clock", NULL, "kept right by the network");
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

int64_t doctor_latest_date(const trivet_merge_state *state) {
    int64_t latest = 0;

    for (int s = 0; s < TRIVET_MERGE_SECTIONS; s++) {
        trivet_merge_section section = (trivet_merge_section)s;
        bool items = section == TRIVET_MERGE_LISTS || section == TRIVET_MERGE_LOCKED_LISTS;
        for (size_t slot = 0; slot < trivet_merge_slot_count(state, section); slot++) {
            trivet_merge_entry entry;
            trivet_merge_item item;
            if (!items && trivet_merge_entry_at(state, section, slot, &entry))
                latest = later(latest, entry.updated_at);
            for (size_t i = 0; items && trivet_merge_item_at(state, section, slot, i, &item); i++)
                latest = later(later(latest, item.updated_at), later(item.created_at, item.deleted_at));
        }
    }
    return latest;
}

void doctor_dates(doctor *d) {
    trivet_merge_error err = TRIVET_MERGE_ERROR_INIT;
    trivet_merge_state *state;

    if (!d->state ||
        trivet_merge_state_read(d->state, d->state_len, TRIVET_MERGE_COMPUTER, &state, &err) != 0)
        return;
    int64_t ahead = doctor_latest_date(state) - print_now();
    trivet_merge_state_free(state);
    if (ahead <= TOLERANCE_MS)
        doctor_find(d, DOCTOR_OK, "dates", NULL, "nothing is dated in the future");
    else
        doctor_find(
            d, DOCTOR_PROBLEM, "dates",
            "Compare the clocks of the phones and this computer: what is dated ahead wins over every edit "
            "until then.",
            "something is dated %lld %s ahead: the clock of a phone or of this computer was or is wrong",
            (long long)(ahead >= 2 * (int64_t)DAY_MS ? ahead / DAY_MS : ahead / 60000),
            ahead >= 2 * (int64_t)DAY_MS ? "days" : "minutes");
}
