/* Whose addresses are this computer's own networks, and how they are written. */
#include "test_net_support.h"

#include "net/address.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_local_addresses(void **state) {
    static const struct {
        const char *address;
        bool local;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.255.0.9", true},
        {"10.1.2.3", true},
        {"172.16.0.1", true},
        {"172.31.255.255", true},
        {"172.32.0.1", false},
        {"172.15.0.1", false},
        {"192.168.0.1", true},
        {"192.169.0.1", false},
        {"169.254.7.7", true},
        {"100.64.0.1", true},
        {"100.127.255.255", true},
        {"100.128.0.1", false},
        {"100.63.255.255", false},
        {"8.8.8.8", false},
        {"::1", true},
        {"fe80::1", true},
        {"febf::1", true},
        {"fec0::1", false},
        {"fc00::1", true},
        {"fdff::1", true},
        {"fe00::1", false},
        {"2600:1234::1", false},
        {"::ffff:192.168.1.1", true},
        {"::ffff:8.8.8.8", false},
        {"fe80::1%lo", true},
        {"", false},
        {"localhost", false},
        {"192.168.1", false},
        {"::", false},
        {"0.0.0.0", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (listener_address_is_local(cases[i].address) != cases[i].local)
            fail_msg("%s", cases[i].address);
}

/* What counts as one where peers are bounded, and as one network. */
static void test_sources(void **state) {
    static const struct {
        const char *address, *source, *network;
    } cases[] = {
        {"192.168.1.7", "192.168.1.7", "192.168.1.0/24"},
        {"10.1.2.3", "10.1.2.3", "10.1.2.0/24"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:2::1", "2001:db8:1:2::/64", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::1", "2001:db8:1:3::/64", "2001:db8:1:3::/64"},
        {"fd00::2", "fd00::/64", "fd00::/64"},
        {"::1", "::/64", "::/64"},
        {"::ffff:192.168.1.7", "::ffff:192.168.1.7", "192.168.1.0/24"},
        {"fe80::1:2%lo", "fe80::1:2%lo", "%lo"},
        {"fe80::1:2", "fe80::1:2", "%"},
        {"", "", ""},
        {"nonsense", "nonsense", "nonsense"},
    };
    char text[ADDRESS_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        address_source(cases[i].address, text);
        assert_string_equal(text, cases[i].source);
        address_network(cases[i].address, text);
        assert_string_equal(text, cases[i].network);
        snprintf(text, sizeof text, "%s", cases[i].address);
        address_source(text, text);
        assert_string_equal(text, cases[i].source);
    }
}

/* Every address of this computer's own interfaces is near. */
static void test_own_addresses(void **state) {
    uv_interface_address_t *own;
    char text[ADDRESS_SIZE];
    int count;

    (void)state;
    assert_int_equal(uv_interface_addresses(&own, &count), 0);
    for (int i = 0; i < count; i++) {
        address_format((const struct sockaddr *)&own[i].address, text);
        assert_true(listener_address_is_local(text));
    }
    uv_free_interface_addresses(own, count);
}

static void test_address_text(void **state) {
    static const struct {
        const char *in, *out;
        bool loopback;
    } cases[] = {
        {"192.168.1.7", "192.168.1.7", false},   {"::ffff:192.168.1.7", "192.168.1.7", false},
        {"::ffff:127.0.0.1", "127.0.0.1", true}, {"::1", "::1", true},
        {"fe80::1%lo", "fe80::1%lo", false},     {"2001:db8::1", "2001:db8::1", false},
    };
    struct sockaddr_storage address;
    char text[ADDRESS_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(address_parse(cases[i].in, 80, &address));
        address_format((struct sockaddr *)&address, text);
        assert_string_equal(text, cases[i].out);
        assert_int_equal(address_is_loopback(text), cases[i].loopback);
    }
    /* As a dual-stack socket reports it. */
    assert_int_equal(uv_ip6_addr("::ffff:10.0.0.1", 80, (struct sockaddr_in6 *)(void *)&address), 0);
    address_format((struct sockaddr *)&address, text);
    assert_string_equal(text, "10.0.0.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_addresses),
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_address_text),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
