#include "serve/reload.h"

#include "log.h"

#include <stdlib.h>

static void on_error(void *ctx, const char *message) {
    (void)ctx;
    log_event(LOG_ERROR, "reload_failed", LOG_TEXT("msg", message));
}

static void on_difference(void *ctx, const char *key, bool taken_over) {
    size_t *count = ctx;

    *count += taken_over;
    if (taken_over)
        log_event(LOG_INFO, "setting_changed", LOG_TEXT("key", key));
    else
        log_event(LOG_WARNING, "setting_kept", LOG_TEXT("key", key),
                  LOG_TEXT("msg", "changes with a restart only"));
}

config *reload_config(const reload_source *source, const config *running) {
    config *fresh = malloc(sizeof *fresh);
    size_t changed = 0;

    if (!fresh) {
        on_error(NULL, "out of memory");
        return NULL;
    }
    if (source->load(source->ctx, fresh, on_error, NULL) != 0) {
        log_event(LOG_ERROR, "reload_failed", LOG_TEXT("msg", "the settings stay as they were"));
        free(fresh);
        return NULL;
    }
    config_merge_running(running, fresh, on_difference, &changed);
    log_event(LOG_INFO, "reloaded", LOG_NUMBER("changed", changed));
    return fresh;
}
