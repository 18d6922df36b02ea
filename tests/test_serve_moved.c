/*
 * test_serve_moved.c - which way a phone came, next to what its code says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/moved.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *what, *host;
    uint16_t port;
    const char *address;
    uint16_t own_port;
    bool otherwise;
} cases[] = {
    {"by its code", "192.168.1.7", 8080, "192.168.1.7", 8080, false},
    {"by discovery, after a new lease", "192.168.1.7", 8080, "192.168.1.8", 8080, true},
    {"by discovery, after another port", "192.168.1.7", 8080, "192.168.1.7", 8081, true},
    {"through a router that forwards a port", "203.0.113.9", 8080, "192.168.1.7", 8080, true},
    {"through a tunnel that ends here", "203.0.113.9", 8080, "127.0.0.1", 8080, true},
    {"by the other family", "192.168.1.7", 8080, "fd00::7", 8080, true},
    {"IPv6, in brackets", "[fd00::7]", 8080, "fd00::7", 8080, false},
    {"IPv6, written otherwise", "[fd00:0:0::0007]", 8080, "fd00::7", 8080, false},
    {"link-local, of which a code knows no interface", "[fe80::1]", 8080, "fe80::1%eth0", 8080, false},
    {"link-local, of which it does", "[fe80::1%wlan0]", 8080, "fe80::1%eth0", 8080, false},
    {"another link-local one", "[fe80::2]", 8080, "fe80::1%eth0", 8080, true},
    {"by a name", "kitchen.local", 8080, "192.168.1.8", 8080, false},
    {"by a name, to another port", "example.org", 9000, "192.168.1.8", 8080, true},
    {"an old pairing, whose port is not known", "192.168.1.7", 0, "192.168.1.7", 8080, false},
    {"of no account already", "", 0, "192.168.1.7", 8080, false},
    {"gone before it could be asked", "192.168.1.7", 8080, "", 0, false},
};

static void a_phone_that_came_otherwise(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        device d = {.port = cases[i].port};
        snprintf(d.host, sizeof d.host, "%s", cases[i].host);
        if (moved_came_otherwise(&d, cases[i].address, cases[i].own_port) != cases[i].otherwise)
            fail_msg("%s", cases[i].what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_phone_that_came_otherwise)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
