/*
 * control_plane.h - the running server's answers to `trivet` commands (serve/requests.h, net/control.h).
 *
 * What concerns the store alone runs on the worker; what concerns connections and syncs is answered here.
 */
#ifndef TRIVET_SERVE_CONTROL_PLANE_H
#define TRIVET_SERVE_CONTROL_PLANE_H

#include "serve/host.h"
#include "serve/mdns.h"

typedef struct control_plane control_plane;

typedef struct {
    host *host;
    const char *server_name;
    uint16_t port;
    int64_t started;  /* ms since 1970 */
    const mdns *mdns; /* NULL: off */
} control_plane_options;

/* Listens on control.sock in the store's folder. 0, or a negative libuv error. `options` is copied, its
 * pointers borrowed. */
int control_plane_new(const control_plane_options *options, control_plane **out);

/*
 * Stops accepting; its handles close when all calls are answered. Called again it does not wait for those who
 * read their answer. control_plane_free after the loop has ended.
 */
void control_plane_close(control_plane *p);
void control_plane_free(control_plane *p); /* NULL is fine */

#endif
