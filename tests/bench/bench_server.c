/*
 * The running server over loopback, seen by phones that are this library's own: syncs in both versions, their rate on
 * one core, handshakes, and syncs while sixteen other phones send photos. Each figure stands beside its goal.
 *
 *     build/bench/bench_server [SYNCS]          (TRIVET names the program; default 300)
 *
 * Two phones of one computer take turns, so that each sync brings an edit of the phone's and one of the other's. The clock
 * runs from the request's first byte to the confirm's last, the phone's own work included; `processor` is that of all
 * threads of the server (schedstat). The disk's part is measured by itself in the same folder: `fdatasync`. TMPDIR names
 * another disk: with /dev/shm there is none, and what is left is the program's.
 */
#include "loopback.h"

enum { WARM_UP = 20, JOT_PHONES = 16, PHOTO = 9 << 20, MAX_SYNCS = 10000 };

/* ---- syncs ---- */

static double whole[MAX_SYNCS], cpu[MAX_SYNCS];

static void settle(void) {
    struct timespec t = {0, 3000000};
    nanosleep(&t, NULL); /* what the server does after a confirm belongs to that sync */
}

static void bench_syncs(phone pair[2], size_t count) {
    char what[80];
    int version = pair[0].version;

    for (size_t i = 0; i < WARM_UP + count; i++) {
        phone *p = &pair[i % 2];
        edit(p, (int)i);
        connect_in_time(p);
        double used = server_cpu(), t = now_ms();
        sync_once(p);
        t = now_ms() - t;
        settle();
        if (i >= WARM_UP) {
            must(rounds == (version == 2 ? 1 : 2), "not as many rounds as expected");
            whole[i - WARM_UP] = t;
            cpu[i - WARM_UP] = server_cpu() - used;
        }
    }
    double w = at(whole, count, 0.5), p99 = at(whole, count, 0.99), c = at(cpu, count, 0.5);
    printf("a sync of %d items, version %d, %s, %zu syncs\n", ITEMS, version,
           version == 2 ? "one round" : "two rounds", count);
    snprintf(what, sizeof what, "request to confirm, median (p99 %.2f, least %.2f)", p99, whole[0]);
    say(what, w, "ms", "below 4", w < 4);
    say("server's processor time, median", c, "ms", "below 2", c < 2);
}

static void bench_rate(phone pair[2], size_t count) {
    double used = server_cpu(), t = now_ms();
    char what[80];
    for (size_t i = 0; i < count; i++) {
        edit(&pair[i % 2], (int)i);
        connect_in_time(&pair[i % 2]); /* one in forty, and counted */
        sync_once(&pair[i % 2]);
    }
    t = now_ms() - t;
    used = server_cpu() - used;
    double rate = (double)count * 1e3 / t, core = (double)count * 1e3 / used;
    snprintf(what, sizeof what, "syncs a second, the server on one core, version %d", pair[0].version);
    say(what, rate, "/s", "300", rate >= 300);
    say("  ... by the processor time that they took", core, "/s", "300", core >= 300);
}

/* ---- handshakes ---- */

static double x25519_rate(void) {
    uint8_t secret[32], public_key[32], shared[32];
    size_t n = 0;
    double t = own_ms();
    randombytes_buf(secret, 32);
    while (own_ms() - t < 300)
        for (int i = 0; i < 50; i++, n++) {
            crypto_scalarmult_base(public_key, secret);
            must(crypto_scalarmult(shared, secret, public_key) == 0, "X25519");
        }
    return (double)n * 1e3 / (own_ms() - t);
}

/* The machine alone: key_init to key_exchange. */
static double machine_rate(int version) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    trivet_proto_computer_options its = TRIVET_PROTO_COMPUTER_OPTIONS_INIT;
    trivet_proto_output init, out;
    trivet_proto_event event;
    uint8_t key[32] = {1};
    size_t n = 0;

    options.device_id = "bench";
    options.secret = version == 1 ? "2f1c3f9e-0000-4000-8000-000000000000" : NULL;
    options.pairing_key = version == 2 ? key : NULL;
    options.device = version == 2 ? "01234567" : NULL;
    its.version_2 = true;
    trivet_proto_phone *p = trivet_proto_phone_new(&options, 0);
    must(p && trivet_proto_phone_output(p, &init), "no key_init");
    double t = own_ms();
    for (; own_ms() - t < 300; n++) {
        trivet_proto_computer *c = trivet_proto_computer_new(&its, 0);
        trivet_proto_computer_receive(c, false, init.data, init.len, 0);
        if (version == 2) {
            must(trivet_proto_computer_event(c, &event), "no key wanted");
            trivet_proto_event_release(&event);
            trivet_proto_computer_key(c, key, 0);
        }
        must(trivet_proto_computer_output(c, &out) && !out.close, "no key_exchange");
        trivet_proto_output_release(&out);
        trivet_proto_computer_free(c);
    }
    t = own_ms() - t;
    trivet_proto_output_release(&init);
    trivet_proto_phone_free(p);
    return (double)n * 1e3 / t;
}

static void bench_handshakes(phone pairs[2][2]) {
    double machine = x25519_rate();
    printf("handshakes; this machine's own X25519: %.0f/s (key pair and shared key)\n", machine);
    for (int v = 1; v <= 2; v++) {
        char what[80];
        double rate = machine_rate(v) / machine;
        snprintf(what, sizeof what, "version %d, key_init to key_exchange, to that", v);
        say(what, rate, "", "0.5", rate >= 0.5);
        double used = server_cpu(), t = now_ms();
        enum { COUNT = 200 };
        for (int i = 0; i < COUNT; i++) {
            connect_phone(&pairs[v - 1][0]);
            hang_up(&pairs[v - 1][0]);
        }
        settle();
        t = now_ms() - t;
        used = server_cpu() - used;
        snprintf(what, sizeof what, "version %d, connections a second, one after the other, whole", v);
        say(what, COUNT * 1e3 / t, "/s", "", true);
        say("  ... a core, by the server's processor time", COUNT * 1e3 / used, "/s", "", true);
    }
}

/* ---- sixteen phones with jots ---- */

static atomic_size_t photos;
static char *photo_text;

static json_t *jot_of(const char *file, bool meta) {
    json_t *image =
        meta ? json_pack("{s:s,s:s,s:I}", "id", file, "format", "jpg", "createdAt", (json_int_t)1700000000000)
             : json_string(file);
    return json_pack("{s:i,s:[o],s:[],s:[]}", "id", 1, meta ? "images" : "imageIds", image,
                     meta ? "recordings" : "audioIds", meta ? "files" : "fileIds");
}

static void send_manifest(phone *p, const char *file) {
    json_t *jot = jot_of(file, false);
    json_object_set_new(jot, "hasText", json_false());
    json_object_set_new(jot, "hasDrawing", json_false());
    json_t *body = json_pack("{s:[o]}", "jots", jot);
    must(trivet_proto_phone_send(p->machine, TRIVET_PROTO_JOT_MANIFEST, body) == 0, "manifest");
    json_decref(body);
}

static void *jot_phone(void *arg) {
    phone *p = arg;
    char file[64];
    int n = 0;
    trivet_proto_event event;

    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5); /* a real phone brings a processor of its own */
    connect_phone(p);
    snprintf(file, sizeof file, "photo %d", n);
    send_manifest(p, file);
    while (!enough) {
        flush_phone(p);
        receive_frame(p);
        while (next_event(p, &event)) {
            json_t *body = NULL;
            trivet_proto_type type = event.type == TRIVET_PROTO_JOT_META_REQUEST
                                         ? TRIVET_PROTO_JOT_META_RESPONSE
                                     : event.type == TRIVET_PROTO_FILE_REQUEST ? TRIVET_PROTO_FILE_RESPONSE
                                                                               : TRIVET_PROTO_UNKNOWN;
            if (event.kind == TRIVET_PROTO_EVENT_MESSAGE && type == TRIVET_PROTO_JOT_META_RESPONSE) {
                json_t *jot = jot_of(file, true);
                json_object_set_new(jot, "text", json_string(""));
                json_object_set_new(jot, "drawing", json_null());
                json_object_set_new(jot, "textUpdatedAt", json_integer(1));
                json_object_set_new(jot, "drawingUpdatedAt", json_integer(0));
                body = json_pack("{s:o}", "jot", jot);
            } else if (event.kind == TRIVET_PROTO_EVENT_MESSAGE && type == TRIVET_PROTO_FILE_RESPONSE) {
                body = json_pack("{s:i,s:s,s:s,s:s,s:s}", "jotId", 1, "fileId", file, "fileType", "image",
                                 "format", "jpg", "data", photo_text);
            }
            if (body)
                must(trivet_proto_phone_send(p->machine, type, body) == 0, "answer");
            json_decref(body);
            if (type == TRIVET_PROTO_FILE_RESPONSE) {
                photos++;
                snprintf(file, sizeof file, "photo %d", ++n);
                send_manifest(p, file);
            }
            trivet_proto_event_release(&event);
        }
    }
    return NULL;
}

static void bench_with_jots(phone pair[2], size_t count) {
    static phone phones[JOT_PHONES];
    pthread_t threads[JOT_PHONES];
    uint8_t *photo = malloc(PHOTO);

    randombytes_buf(photo, PHOTO);
    photo_text = trivet_proto_base64_encode(photo, PHOTO);
    free(photo);
    for (int i = 0; i < JOT_PHONES; i++) {
        char name[32];
        snprintf(name, sizeof name, "jots %d", i);
        pair_phone(&phones[i], 1, name);
    }
    for (int i = 0; i < JOT_PHONES; i++) {
        must(pthread_create(&threads[i], NULL, jot_phone, &phones[i]) == 0, "thread");
        nanosleep(&(struct timespec){0, 200000000},
                  NULL); /* eight that have not shown a secret yet are let in from one address */
    }
    double begun = now_ms();
    for (size_t i = 0; i < WARM_UP + count; i++) {
        edit(&pair[i % 2], (int)i);
        connect_in_time(&pair[i % 2]);
        double t = now_ms();
        sync_once(&pair[i % 2]);
        if (i >= WARM_UP)
            whole[i - WARM_UP] = now_ms() - t;
        settle();
    }
    double mb = (double)photos * PHOTO / 1e6 / ((now_ms() - begun) / 1e3);
    enough = true;
    double m = at(whole, count, 0.5), p99 = at(whole, count, 0.99);
    char what[96];
    printf("a sync of %d items while %d other phones send photos of 9 MiB (%.0f MB/s)\n", ITEMS, JOT_PHONES,
           mb);
    snprintf(what, sizeof what, "version %d, p99 (median %.2f)", pair[0].version, m);
    say(what, p99, "ms", "below 20", p99 < 20);
}

/* ---- the disk alone ---- */

static void bench_disk(void) {
    char path[64], page[8192] = "";
    double samples[100];
    snprintf(path, sizeof path, "%s/disk", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    for (int i = 0; i < 100; i++) {
        must(pwrite(fd, page, sizeof page, (off_t)i * (off_t)sizeof page) == sizeof page, "write");
        double t = now_ms();
        fdatasync(fd);
        samples[i] = now_ms() - t;
    }
    close(fd);
    double p99 = at(samples, 100, 0.99);
    char what[80];
    snprintf(what, sizeof what, "one fdatasync of 8 KiB, median (p99 %.2f); each sync waits for one", p99);
    say(what, at(samples, 100, 0.5), "ms", "", true);
}

int main(int argc, char **argv) {
    size_t syncs = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
    phone pairs[2][2];

    signal(SIGPIPE, SIG_IGN);
    if (getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 20)
        snprintf(folder, sizeof folder, "%s/trivet-bench-XXXXXX", getenv("TMPDIR"));
    program = getenv("TRIVET") ? getenv("TRIVET") : "build/trivet";
    must(syncs > 0 && syncs <= MAX_SYNCS && sodium_init() >= 0 && mkdtemp(folder), "cannot start");
    bench_disk();
    start_server(false);
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < 2; i++) {
            char name[32];
            snprintf(name, sizeof name, "phone %d%c", v + 1, 'a' + i);
            pair_phone(&pairs[v][i], v + 1, name);
            connect_phone(&pairs[v][i]);
        }
    for (int v = 0; v < 2; v++) {
        first_state(&pairs[v][0], pairs[v][1].name);
        sync_once(&pairs[v][0]);
        first_state(&pairs[v][1], pairs[v][0].name);
        sync_once(&pairs[v][1]);
        bench_syncs(pairs[v], syncs);
    }
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < 2; i++)
            hang_up(&pairs[v][i]);
    bench_handshakes(pairs);
    stop_server();
    start_server(true);
    for (int v = 0; v < 2; v++) {
        connect_phone(&pairs[v][0]);
        connect_phone(&pairs[v][1]);
        bench_rate(pairs[v], syncs);
        hang_up(&pairs[v][0]);
        hang_up(&pairs[v][1]);
    }
    stop_server();
    start_server(false);
    connect_phone(&pairs[1][0]);
    connect_phone(&pairs[1][1]);
    bench_with_jots(pairs[1], syncs);
    fflush(stdout);
    clean_up();
    _exit(0);
}
