/*
 * notify.h - tells systemd how the server stands (sd_notify(3)'s protocol: one datagram to $NOTIFY_SOCKET).
 */
#ifndef TRIVET_SERVE_NOTIFY_H
#define TRIVET_SERVE_NOTIFY_H

/* Sends "READY=1", "STOPPING=1" or "WATCHDOG=1"; without a service manager, or where it does not listen, nothing
 * happens. */
void notify(const char *state);

/* The settings are being read again: systemd.service(5)'s Type=notify-reload. "READY=1" follows. */
void notify_reloading(void);

#endif
