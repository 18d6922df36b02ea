#include "serve/peer_log.h"

#include <stdarg.h>
#include <stdio.h>

/* A connection that was never accepted has no address. */
static void write_line(enum log_level level, bool device, const char *label, const char *text) {
    const log_field fields[] = {LOG_TEXT("msg", text),
                                LOG_TEXT(device ? "device" : "address", label[0] ? label : NULL)};
    log_fields(level, NULL, fields, 2);
}

void peer_log(host *h, enum log_level level, const char *device, const char *label, const char *format, ...) {
    chatter_note note = chatter_take(&h->chatter, device ? device : label,
                                     device ? CHATTER_DEVICE : CHATTER_STRANGER, uv_now(h->loop));
    const char *about = note.all ? "strangers" : label;
    char text[1024];
    va_list args;

    if (note.left_out > 0)
        log_warning("%s: %u lines were left out", about, note.left_out);
    if (note.say) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        write_line(level, device != NULL, label, text);
    }
    if (note.falls_silent)
        log_warning("%s: more of this is left out for %d minutes", about, CHATTER_WINDOW_MS / 60000);
}
