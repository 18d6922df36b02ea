#include "serve/peer_log.h"

#include "net/address.h"

#include <stdarg.h>
#include <stdio.h>

void peer_log_fields(host *h, enum log_level level, const char *event, const char *device, const char *label,
                     const log_field *fields, size_t count) {
    if (!log_is_wanted(level))
        return; /* counts for nothing */

    char source[ADDRESS_SIZE];
    address_source(label, source);
    chatter_note note = chatter_take(&h->chatter, device ? device : source,
                                     device ? CHATTER_DEVICE : CHATTER_STRANGER, uv_now(h->loop));
    const char *about = note.all ? "strangers" : label;
    char name[256];

    log_name(about, name, sizeof name);
    if (note.left_out > 0)
        log_warning("%s: %u lines were left out", name, note.left_out);
    if (note.say)
        log_fields(level, event, fields, count);
    if (note.falls_silent)
        log_warning("%s: more of this is left out for %d minutes", name, CHATTER_WINDOW_MS / 60000);
}

void peer_log(host *h, enum log_level level, const char *device, const char *label, const char *format, ...) {
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* A connection that was never accepted has no address. */
    const log_field fields[] = {LOG_TEXT("msg", text), LOG_TEXT("device", device),
                                LOG_TEXT(device ? "name" : "address", label[0] ? label : NULL)};
    peer_log_fields(h, level, NULL, device, label, fields, 3);
}
