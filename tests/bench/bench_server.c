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
#include <trivet_merge.h>
#include <trivet_proto.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ITEMS = 1000, WARM_UP = 20, JOT_PHONES = 16, PHOTO = 9 << 20, MAX_SYNCS = 10000 };

static char folder[48] = "/tmp/trivet-bench-XXXXXX";
static const char *program;
static pid_t server;
static uint16_t port;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* This thread's own: what else runs on the machine has no part in a ratio of two of them. */
static double own_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void clean_up(void) {
    if (server > 0) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    }
    server = 0;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static atomic_bool enough; /* the phones with jots may go */

static void must(bool fine, const char *what) {
    if (fine)
        return;
    if (enough)
        pthread_exit(NULL);
    fprintf(stderr, "bench_server: %s (%s)\n", what, strerror(errno));
    clean_up();
    exit(1);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double at(double *values, size_t count, double share) {
    size_t i = (size_t)((double)count * share);
    qsort(values, count, sizeof *values, ascending);
    return values[i < count ? i : count - 1];
}

static void say(const char *what, double value, const char *unit, const char *goal, bool met) {
    printf("  %-58s %9.2f %-5s %s%s\n", what, value, unit, goal, !goal[0] ? "" : met ? "  met" : "  missed");
    fflush(stdout);
}

/* ---- the server ---- */

static void start_server(bool one_core) {
    int out[2];
    char line[1024], data[64];
    const char *where;

    must(pipe(out) == 0 && (server = fork()) >= 0, "cannot start the server");
    snprintf(data, sizeof data, "%s/c", folder);
    if (server == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(0, &set);
        if (one_core)
            sched_setaffinity(0, sizeof set, &set);
        dup2(out[1], 2);
        close(out[0]);
        execl(program, program, "serve", "--data", data, "--port", "0", "--no-mdns", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    port = 0;
    while (!port && fgets(line, sizeof line, f))
        if ((where = strstr(line, "listening on [::]:")))
            port = (uint16_t)atoi(where + strlen("listening on [::]:"));
    must(port != 0, "the server does not listen");
    fcntl(out[0], F_SETPIPE_SZ, 1 << 20); /* nobody reads its log from now on */
}

static void stop_server(void) {
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    server = 0;
}

/* Of all its threads, in ms. */
static double server_cpu(void) {
    char path[64], each[400];
    unsigned long long ns, all = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)server);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(each, sizeof each, "%s/%s/schedstat", path, e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(each, "r") : NULL;
        if (f && fscanf(f, "%llu", &ns) == 1)
            all += ns;
        if (f)
            fclose(f);
    }
    if (dir)
        closedir(dir);
    return (double)all / 1e6;
}

/* ---- a phone ---- */

typedef struct {
    int version, gen, fd;
    char name[32], device[65], secret[64];
    uint8_t key[32];
    trivet_proto_phone *machine;
    char *state;
    size_t len;
    int64_t since;
    uint8_t *in;
    size_t in_len, in_room;
} phone;

static void pair_phone(phone *p, int version, const char *name) {
    char command[512], text[8192] = "";
    trivet_proto_error err;
    trivet_proto_pairing pairing;

    snprintf(command, sizeof command, "%s pair --json --data %s/c", program, folder);
    FILE *f = popen(command, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    must(f && pclose(f) == 0, "cannot pair");
    must(trivet_proto_pairing_decode(text, n, &pairing, &err) == 0, "no pairing");
    *p = (phone){.version = version, .fd = -1};
    snprintf(p->name, sizeof p->name, "%s", name);
    memcpy(p->secret, pairing.secret, sizeof pairing.secret);
    memcpy(p->device, pairing.device, sizeof pairing.device);
    memcpy(p->key, pairing.k, 32);
}

static void write_all(phone *p, const void *data, size_t len) {
    const char *from = data;
    while (len > 0) {
        ssize_t n = write(p->fd, from, len);
        must(n > 0, "the connection does not take");
        from += n;
        len -= (size_t)n;
    }
}

/* Masked with zeroes: the server's work is the same. */
static void send_frame(phone *p, bool binary, const uint8_t *data, size_t len) {
    uint8_t head[14] = {binary ? 0x82 : 0x81};
    size_t n = len < 126 ? 2 : len < 65536 ? 4 : 10;
    head[1] = (uint8_t)(0x80 | (len < 126 ? len : len < 65536 ? 126 : 127));
    for (size_t i = 2; i < n; i++)
        head[i] = (uint8_t)(len >> 8 * (n - 1 - i));
    write_all(p, head, n + 4);
    write_all(p, data, len);
}

static void flush_phone(phone *p) {
    trivet_proto_output out;
    while (trivet_proto_phone_output(p->machine, &out)) {
        must(!out.close, "the phone closed");
        send_frame(p, out.binary, out.data, out.len);
        trivet_proto_output_release(&out);
    }
}

static void fill(phone *p, size_t need) {
    while (p->in_len < need) {
        if (p->in_room < need + 65536) {
            p->in_room = need + 65536;
            must((p->in = realloc(p->in, p->in_room)) != NULL, "out of memory");
        }
        ssize_t n = read(p->fd, p->in + p->in_len, p->in_room - p->in_len);
        must(n > 0, "the server closed");
        p->in_len += (size_t)n;
    }
}

static void eat(phone *p, size_t n) {
    memmove(p->in, p->in + n, p->in_len - n);
    p->in_len -= n;
}

/* One frame to the machine; the server never fragments. */
static void receive_frame(phone *p) {
    fill(p, 2);
    size_t len = p->in[1] & 127, n = len < 126 ? 2 : len == 126 ? 4 : 10;
    uint8_t opcode = p->in[0] & 15;
    fill(p, n);
    if (n > 2)
        len = 0;
    for (size_t i = 2; i < n; i++)
        len = len << 8 | p->in[i];
    fill(p, n + len);
    must(opcode != 8, "the server closed the connection");
    if (opcode == 1 || opcode == 2)
        trivet_proto_phone_receive(p->machine, opcode == 2, p->in + n, len, (int64_t)now_ms());
    eat(p, n + len);
}

static bool next_event(phone *p, trivet_proto_event *event) {
    return trivet_proto_phone_event(p->machine, event);
}

/* TCP and the upgrade. */
static void dial(phone *p) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(p->fd, (struct sockaddr *)&to, sizeof to) == 0, "cannot connect");
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    write_all(p, request, sizeof request - 1);
    p->in_len = 0;
    for (size_t n = 1;; n++) {
        fill(p, n);
        if (n >= 4 && memcmp(p->in + n - 4, "\r\n\r\n", 4) == 0) {
            must(memcmp(p->in, "HTTP/1.1 101", 12) == 0, "no upgrade");
            eat(p, n);
            return;
        }
    }
}

static void hang_up(phone *p) {
    trivet_proto_phone_free(p->machine);
    p->machine = NULL;
    close(p->fd);
}

/* As far as the handshake that was sent. */
static void connect_phone(phone *p) {
    trivet_proto_phone_options options = TRIVET_PROTO_PHONE_OPTIONS_INIT;
    trivet_proto_event event;
    bool ready = false;

    dial(p);
    options.device_id = p->name;
    options.clock = wall_ms();
    if (p->version == 2) {
        options.pairing_key = p->key;
        options.device = p->device;
        options.gen = p->gen;
    } else {
        options.secret = p->secret;
    }
    must((p->machine = trivet_proto_phone_new(&options, (int64_t)now_ms())) != NULL, "out of memory");
    while (!ready) {
        flush_phone(p);
        receive_frame(p);
        while (next_event(p, &event)) {
            ready |= event.kind == TRIVET_PROTO_EVENT_READY;
            trivet_proto_event_release(&event);
        }
    }
    flush_phone(p);
}

/* Each phone edits an item of its own, in place: number and time have as many digits as before. */
static void edit(phone *p, int n) {
    char id[64], number[16], time[24];
    snprintf(id, sizeof id, "\"id\":\"of %s\"", p->name);
    char *item = strstr(p->state, id), *text = item ? strstr(item, "\"text\":\"edit ") : NULL,
         *updated = text ? strstr(text, "\"updatedAt\":") : NULL;
    must(updated != NULL, "the phone's item is not there");
    snprintf(number, sizeof number, "%08d", n);
    snprintf(time, sizeof time, "%013lld", (long long)wall_ms());
    memcpy(text + strlen("\"text\":\"edit "), number, 8);
    memcpy(updated + strlen("\"updatedAt\":"), time, 13);
}

static void first_state(phone *p, const char *other) {
    size_t size = 512 * ITEMS, len = 0;
    char *text = malloc(size);
    const char *mine[] = {p->name, other};
#define ADD(...) len += (size_t)snprintf(text + len, size - len, __VA_ARGS__)
    ADD("{\"lists\":[");
    for (int section = 0; section < 2; section++) {
        if (section)
            ADD("],\"lockedLists\":[");
        for (int slot = 0; slot < 6; slot++) {
            ADD("%s[", slot ? "," : "");
            for (int i = 0; i < ITEMS / 12; i++)
                ADD("%s{\"createdAt\":1700000000000,\"deleted\":false,\"deletedAt\":null,\"done\":false,"
                    "\"id\":\"%08x-0000-4000-8000-%06d%d%05d\",\"position\":%d,\"text\":\"call the plumber "
                    "about the kitchen sink, café %d\",\"updatedAt\":1700000000000}",
                    i ? "," : "", i * 7919 + slot, slot, section, i, i, i);
            for (int k = 0; section == 0 && slot == 0 && k < 2 && mine[k]; k++)
                ADD(",{\"createdAt\":1700000000000,\"deleted\":false,\"deletedAt\":null,\"done\":false,"
                    "\"id\":\"of %s\",\"position\":%d,\"text\":\"edit "
                    "00000000\",\"updatedAt\":1700000000000}",
                    mine[k], 1000 + k);
            ADD("]");
        }
    }
    ADD("],\"listsCategories\":[],\"lockedListsCategories\":[],\"scratchpad\":[],\"scratchpadCategories\":[]"
        "}");
#undef ADD
    p->state = text;
    p->len = len;
}

static int rounds; /* of the last sync */

/* Returns when the confirm has come. */
static void sync_once(phone *p) {
    trivet_proto_event event;
    bool confirmed = false;

    rounds = 0;
    trivet_proto_phone_request_sync(p->machine);
    flush_phone(p);
    while (!confirmed) {
        receive_frame(p);
        while (next_event(p, &event)) {
            if (event.kind == TRIVET_PROTO_EVENT_STATE_WANTED) {
                rounds++;
                trivet_proto_phone_answer(p->machine, p->state, p->len, p->since);
            } else if (event.kind == TRIVET_PROTO_EVENT_CONFIRMED) {
                confirmed = true;
                p->since = event.message.applied_at;
                if (event.message.state) {
                    free(p->state);
                    p->state = event.message.state;
                    p->len = event.message.state_len;
                    event.message.state = NULL;
                }
            } else if (event.kind == TRIVET_PROTO_EVENT_DEVICE_KEY) {
                memcpy(p->key, event.device_key, 32);
                p->gen = 1;
            }
            must(event.kind != TRIVET_PROTO_EVENT_SYNC_CANCELLED, "a sync was cancelled");
            trivet_proto_event_release(&event);
        }
        flush_phone(p);
    }
    if (p->version == 2)
        trivet_proto_phone_ack(p->machine, p->since);
    flush_phone(p);
}

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
