/*
 * loopback.h - the real program on a folder of its own, and phones of the protocol's library on blocking sockets. For
 * the benches; what goes wrong ends them.
 */
#ifndef TRIVET_BENCH_LOOPBACK_H
#define TRIVET_BENCH_LOOPBACK_H

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

enum { ITEMS = 1000 };

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
    unsigned synced; /* on this connection */
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
    p->synced = 0;
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

/* No phone syncs hundreds of times a second, and the server ends a connection that sends so much (protocol §2). */
static void connect_in_time(phone *p) {
    if (++p->synced < 40)
        return;
    hang_up(p);
    connect_phone(p);
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

#endif
