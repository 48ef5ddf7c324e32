/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* A guest for tests: the user of a real virtio driver.
 *
 * Opens one or more virtio-net devices by vhost-user, with DPDK's virtio
 * driver, sends and receives frames, counts them itself, and prints what it
 * counted as one line of JSON.  It does not trust the switch in anything: each
 * frame is known by its number and verified byte by byte (guest-frame.h).
 *
 * Modes:
 *
 *   exact     Each port sends a known number of frames.  What one port sends
 *             another port of this process has to receive, or, with
 *             --dst-mac, an echo in another process sends it back.  At most
 *             --window frames of a port are on their way at a time, so that
 *             whatever gets lost was lost by the switch, and not because a
 *             ring was full.
 *   pingpong  The same with a window of one frame, and times each.
 *   oneway    Sends, expects nothing back.
 *   sink      Receives.
 *   echo      Sends back whatever arrives.
 *   flood     For rates: all ports send and receive as fast as they can,
 *             without looking at the frames.
 *
 * All runs in one thread. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "guest-frame.h"

#define MAX_PORTS 32
#define BURST 32
#define MAX_SIZES 64
#define MAX_WINDOWS 3600

enum mode {
    MODE_EXACT,
    MODE_PINGPONG,
    MODE_ONEWAY,
    MODE_SINK,
    MODE_ECHO,
    MODE_FLOOD,
    N_MODES
};

static const char *const mode_names[N_MODES] = {
    [MODE_EXACT] = "exact",
    [MODE_PINGPONG] = "pingpong",
    [MODE_ONEWAY] = "oneway",
    [MODE_SINK] = "sink",
    [MODE_ECHO] = "echo",
    [MODE_FLOOD] = "flood",
};

/* What was received of what one sender sent by one queue. */
struct flow {
    uint64_t received;          /* Good frames, each counted once. */
    uint64_t duplicated;        /* Frames that had been received before. */
    uint64_t reordered;         /* Frames that a later one overtook. */
    uint64_t bytes;             /* TCP: bytes of the stream, each once. */
    uint64_t next;              /* UDP: greatest number received, plus 1.
                                 * TCP: end of what was received. */
    uint64_t gap;               /* TCP: bytes before 'next' that are missing.
                                 */
    uint64_t *seen;             /* UDP: bitmap of the numbers received. */
    size_t n_seen;              /* Number of bits in 'seen'. */
};

/* Frames of one queue of a port. */
struct queue {
    uint64_t sent;              /* Handed to the device. */
    uint64_t received;          /* Received, whatever they were. */
    uint64_t next_seq;          /* What the next frame will be numbered. */
};

struct port {
    /* From the command line. */
    const char *socket;         /* Path of the vhost-user socket. */
    char *devargs;              /* Arguments for the driver. */
    struct rte_ether_addr mac;  /* Our Ethernet address. */
    bool mac_set;               /* 'mac' was given. */
    bool server;                /* We listen, the switch connects. */
    bool mrg;                   /* Mergeable receive buffers are allowed. */
    bool lro;                   /* Ask for large received frames. */
    unsigned int n_queues;      /* Queue pairs. */
    unsigned int queue_size;    /* Descriptors in each ring. */
    unsigned int mtu;           /* MTU. */

    /* The device. */
    bool opened;                /* We have tried to. */
    uint16_t id;                /* DPDK's number. */
    struct rte_eth_dev_info info;
    struct rte_mempool *rx_pool; /* Buffers for receiving. */
    struct rte_mempool *tx_pool; /* Buffers for sending. */
    bool link;                  /* Last known link status. */
    unsigned int link_changes;  /* How often it changed. */

    /* Sending. */
    uint8_t sender;             /* Number by which our frames are known. */
    struct rte_ether_addr dst;  /* Whom we send to. */
    struct rte_mbuf *pending[BURST]; /* Frames that the ring had no room for */
    unsigned int pending_ofs;   /* First one in 'pending' not sent yet. */
    unsigned int n_pending;     /* End of 'pending'. */
    unsigned int pending_queue; /* Queue that they belong to. */
    unsigned int next_queue;    /* Queue of the next burst. */
    uint64_t to_send;           /* Frames to send in all. */
    uint64_t built;             /* Frames made, sent or pending. */
    uint64_t written_off;       /* Frames no longer waited for. */
    uint64_t last_acked;        /* Frames that had come back... */
    uint64_t progress_at;       /* ...when their number last changed. */
    uint64_t probes;            /* Probes sent. */
    double tokens;              /* Frames that --rate lets us send now. */
    uint64_t tokens_at;         /* When 'tokens' was right. */
    uint64_t timed_from;        /* pingpong: when the frame on its way left,
                                 * or 0. */

    /* Counters. */
    struct queue queues[GUEST_MAX_QUEUES];
    uint64_t sent;              /* Frames sent, probes not included. */
    uint64_t sent_bytes;        /* Their bytes. */
    uint64_t received;          /* Good frames received. */
    uint64_t received_bytes;    /* Their bytes. */
    uint64_t duplicated;        /* Received more than once. */
    uint64_t reordered;         /* Received late. */
    uint64_t corrupt;           /* Damaged. */
    uint64_t bad_csum;          /* Wrong L4 checksum. */
    uint64_t csum_partial;      /* Came without a complete checksum. */
    uint64_t csum_good;         /* Checksum vouched for by the device. */
    uint64_t gso;               /* Came as segments to be. */
    uint64_t other;             /* Not ours: other people's frames. */
    uint64_t probes_received;   /* Probes. */
    uint64_t rx_packets;        /* All that was received. */
    uint64_t rx_bytes;          /* Bytes of these. */
    uint64_t tx_packets;        /* All that was sent. */
    uint64_t tx_bytes;          /* Bytes of these. */
};

/* What happened within one second (flood). */
struct window {
    double seconds;             /* How long it was. */
    double cpu;                 /* Share of a CPU that the thread got. */
    double rx_mpps;             /* All ports' received frames. */
    double tx_mpps;             /* All ports' sent frames. */
};

static struct port ports[MAX_PORTS];
static unsigned int n_ports;
static struct flow *flows[GUEST_MAX_SENDERS][GUEST_MAX_QUEUES];

/* Options. */
static enum mode mode = MODE_EXACT;
static uint64_t n_send = 1000;
static uint64_t n_expect = UINT64_MAX;
static uint64_t n_expect_min;
static unsigned int sizes[MAX_SIZES] = { 64 };
static unsigned int n_sizes = 1;
static unsigned int window_size; /* 0: as many as surely fit. */
static unsigned int n_flows = 1;
static unsigned int n_segs = 1;
static unsigned int tso_len;
static unsigned int tso_mss = 1448;
static unsigned int sender_base;
static unsigned int mem_mb = 256;
static unsigned int loss_timeout_ms = 1000;
static double rate;
static double timeout_s = 60;
static double duration_s = 5;
static double warmup_s = 1;
static bool csum;
static bool verify = true;
static bool probe;
static bool hold;
static bool allow_loss;
static bool allow_reorder;
static bool huge;
static bool verbose;
static struct rte_ether_addr dst_mac;
static bool dst_mac_set;
static const char *lcore;
static const char *ready_file;
static const char *wait_file;
static const char *stop_file;
static const char *status_file;

/* State. */
static volatile sig_atomic_t stopping;
static uint64_t hz;
static uint64_t started_at;
static uint64_t finished_at;
static struct window windows[MAX_WINDOWS];
static unsigned int n_windows;
static uint64_t *rtts;          /* Nanoseconds each. */
static size_t n_rtts;
static const char *failure;     /* First reason not to be content. */
static const char *phase = "start";
static char failure_buf[512];
static uint8_t *scratch;        /* GUEST_FRAME_MAX bytes. */

static void __attribute__((format(printf, 1, 2)))
fail(const char *format, ...)
{
    va_list args;

    if (failure) {
        return;
    }
    va_start(args, format);
    vsnprintf(failure_buf, sizeof failure_buf, format, args);
    va_end(args);
    failure = failure_buf;
}

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "virtnet-guest: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

static uint64_t
ns_since(uint64_t tsc)
{
    return (rte_rdtsc() - tsc) * 1e9 / hz;
}

static double
cpu_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Output. */

static void
json_string(FILE *f, const char *s)
{
    putc('"', f);
    for (; *s; s++) {
        unsigned char c = *s;

        if (c == '"' || c == '\\') {
            fprintf(f, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(f, "\\u%04x", c);
        } else {
            putc(c, f);
        }
    }
    putc('"', f);
}

static int
compare_u64(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static int
compare_double(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Returns how many of the frames that 'p' sent never came back to us. */
static uint64_t
port_acked(const struct port *p)
{
    uint64_t n = 0;

    for (unsigned int q = 0; q < p->n_queues; q++) {
        const struct flow *flow = flows[p->sender][q];

        if (flow) {
            n += tso_len ? flow->bytes / tso_len : flow->received;
        }
    }
    return n;
}

/* Returns true if we count what is lost of what we send. */
static bool
counts_loss(void)
{
    return mode == MODE_EXACT || mode == MODE_PINGPONG;
}

static void
print_port(FILE *f, const struct port *p)
{
    static const struct {
        const char *name;
        uint64_t capability;
    } capabilities[] = {
        { "udp_cksum", RTE_ETH_TX_OFFLOAD_UDP_CKSUM },
        { "tcp_cksum", RTE_ETH_TX_OFFLOAD_TCP_CKSUM },
        { "tcp_tso", RTE_ETH_TX_OFFLOAD_TCP_TSO },
    };
    const char *sep = "";
    char mac[RTE_ETHER_ADDR_FMT_SIZE];

    rte_ether_format_addr(mac, sizeof mac, &p->mac);
    fprintf(f, "{\"socket\":");
    json_string(f, p->socket);
    fprintf(f, ",\"mac\":\"%s\",\"link\":\"%s\",\"link_changes\":%u,"
            "\"queues\":%u,\"max_queues\":%u,\"max_mtu\":%u,"
            "\"tx_capabilities\":[",
            mac, p->link ? "up" : "down", p->link_changes, p->n_queues,
            p->info.max_rx_queues, p->info.max_mtu);
    for (size_t i = 0; i < RTE_DIM(capabilities); i++) {
        if (p->info.tx_offload_capa & capabilities[i].capability) {
            fprintf(f, "%s\"%s\"", sep, capabilities[i].name);
            sep = ",";
        }
    }
    fprintf(f, "],\"mrg\":%s,\"lro\":%s", p->mrg ? "true" : "false",
            p->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO
            ? "true" : "false");

    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        { "sent", p->sent },
        { "sent_bytes", p->sent_bytes },
        { "received", p->received },
        { "received_bytes", p->received_bytes },
        { "lost", counts_loss() ? p->sent - RTE_MIN(p->sent, port_acked(p))
                  : 0 },
        { "duplicated", p->duplicated },
        { "reordered", p->reordered },
        { "corrupt", p->corrupt },
        { "bad_csum", p->bad_csum },
        { "csum_partial", p->csum_partial },
        { "csum_good", p->csum_good },
        { "gso", p->gso },
        { "other", p->other },
        { "probes_sent", p->probes },
        { "probes_received", p->probes_received },
        { "tx_packets", p->tx_packets },
        { "tx_bytes", p->tx_bytes },
        { "rx_packets", p->rx_packets },
        { "rx_bytes", p->rx_bytes },
    };
    for (size_t i = 0; i < RTE_DIM(counters); i++) {
        fprintf(f, ",\"%s\":%"PRIu64, counters[i].name, counters[i].value);
    }

    fprintf(f, ",\"tx_queues\":[");
    for (unsigned int q = 0; q < p->n_queues; q++) {
        fprintf(f, "%s%"PRIu64, q ? "," : "", p->queues[q].sent);
    }
    fprintf(f, "],\"rx_queues\":[");
    for (unsigned int q = 0; q < p->n_queues; q++) {
        fprintf(f, "%s%"PRIu64, q ? "," : "", p->queues[q].received);
    }
    fprintf(f, "]}");
}

static void
print_windows(FILE *f)
{
    double rx[MAX_WINDOWS], tx[MAX_WINDOWS];

    fprintf(f, ",\"windows\":[");
    for (unsigned int i = 0; i < n_windows; i++) {
        const struct window *w = &windows[i];

        fprintf(f, "%s{\"seconds\":%.3f,\"cpu\":%.3f,\"rx_mpps\":%.4f,"
                "\"tx_mpps\":%.4f}", i ? "," : "",
                w->seconds, w->cpu, w->rx_mpps, w->tx_mpps);
        rx[i] = w->rx_mpps;
        tx[i] = w->tx_mpps;
    }
    fputc(']', f);
    if (n_windows) {
        qsort(rx, n_windows, sizeof *rx, compare_double);
        qsort(tx, n_windows, sizeof *tx, compare_double);
        fprintf(f, ",\"rx_mpps_min\":%.4f,\"rx_mpps_median\":%.4f,"
                "\"rx_mpps_max\":%.4f,\"tx_mpps_median\":%.4f",
                rx[0], rx[n_windows / 2], rx[n_windows - 1],
                tx[n_windows / 2]);
    }
}

static void
print_report(FILE *f)
{
    uint64_t sent = 0, received = 0, lost = 0;
    uint64_t now = finished_at ? finished_at : rte_rdtsc();

    fprintf(f, "{\"phase\":\"%s\",\"mode\":\"%s\",\"ports\":[", phase,
            mode_names[mode]);
    for (unsigned int i = 0; i < n_ports; i++) {
        const struct port *p = &ports[i];

        fputs(i ? "," : "", f);
        print_port(f, p);
        sent += p->sent;
        received += p->received;
        if (counts_loss()) {
            lost += p->sent - RTE_MIN(p->sent, port_acked(p));
        }
    }
    fprintf(f, "],\"sent\":%"PRIu64",\"received\":%"PRIu64
            ",\"lost\":%"PRIu64",\"seconds\":%.6f", sent, received, lost,
            started_at ? (now - started_at) / (double) hz : 0.0);
    if (mode == MODE_FLOOD) {
        print_windows(f);
    }
    if (n_rtts && !strcmp(phase, "done")) {
        qsort(rtts, n_rtts, sizeof *rtts, compare_u64);
        fprintf(f, ",\"rtt_ns\":{\"min\":%"PRIu64",\"median\":%"PRIu64
                ",\"p99\":%"PRIu64",\"max\":%"PRIu64"}", rtts[0],
                rtts[n_rtts / 2], rtts[n_rtts * 99 / 100], rtts[n_rtts - 1]);
    }
    fprintf(f, ",\"result\":");
    json_string(f, failure ? failure
                : !strcmp(phase, "done") ? "ok" : "running");
    fprintf(f, "}\n");
    fflush(f);
}

/* Writes a file so that a reader sees all of it or nothing. */
static void
write_file(const char *name)
{
    char tmp[4096];
    FILE *f;

    snprintf(tmp, sizeof tmp, "%s.%ld", name, (long) getpid());
    f = fopen(tmp, "w");
    if (!f) {
        die("%s: %s", tmp, strerror(errno));
    }
    print_report(f);
    fclose(f);
    if (rename(tmp, name)) {
        die("%s: %s", name, strerror(errno));
    }
}

static void
on_signal(int sig)
{
    (void) sig;
    stopping = 1;
}

/* Removes what DPDK leaves behind. */
static void
clean_up(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        if (ports[i].opened && ports[i].server) {
            unlink(ports[i].socket);
        }
    }
    rmdir(rte_eal_get_runtime_dir());
}

/* The driver waits for the switch to connect, for as long as it takes. */
static void
on_alarm(int sig)
{
    static const char msg[] =
        "virtnet-guest: the switch did not connect in time\n";
    ssize_t n = write(STDERR_FILENO, msg, sizeof msg - 1);

    (void) sig;
    (void) n;
    clean_up();
    _exit(1);
}

/* Command line. */

static uint64_t
parse_number(const char *what, const char *s, uint64_t min, uint64_t max)
{
    unsigned long long n;
    char *end;

    errno = 0;
    n = strtoull(s, &end, 0);
    if (errno || end == s || *end || *s == '-' || n < min || n > max) {
        die("%s: '%s' is not a number from %"PRIu64" to %"PRIu64, what, s,
            min, max);
    }
    return n;
}

static double
parse_seconds(const char *what, const char *s)
{
    char *end;
    double d = strtod(s, &end);

    if (end == s || *end || !(d >= 0) || d > 1e9) {
        die("%s: '%s' is not a number", what, s);
    }
    return d;
}

static void
parse_mac(const char *what, const char *s, struct rte_ether_addr *mac)
{
    if (rte_ether_unformat_addr(s, mac)) {
        die("%s: '%s' is not an Ethernet address", what, s);
    }
}

static void
parse_sizes(char *s)
{
    char *save = NULL;

    n_sizes = 0;
    for (char *t = strtok_r(s, ",", &save); t; t = strtok_r(NULL, ",", &save))
    {
        if (n_sizes >= MAX_SIZES) {
            die("--size: at most %d sizes", MAX_SIZES);
        }
        sizes[n_sizes++] = parse_number("--size", t, GUEST_FRAME_MIN, 65535);
    }
    if (!n_sizes) {
        die("--size: no size");
    }
}

static void
parse_socket(char *s)
{
    static unsigned int next_id;
    struct port *p = &ports[n_ports];
    char extra[256] = "";
    char *save = NULL;
    char *token;

    if (n_ports >= MAX_PORTS) {
        die("at most %d ports", MAX_PORTS);
    }
    n_ports++;
    p->socket = strtok_r(s, ",", &save);
    if (!p->socket || !*p->socket) {
        die("--socket: no path");
    }
    if (strlen(p->socket) >= sizeof((struct sockaddr_un *) 0)->sun_path) {
        die("%s: too long for a socket", p->socket);
    }
    p->server = true;
    p->mrg = true;
    p->n_queues = 1;
    p->queue_size = 256;
    p->mtu = 1500;
    while ((token = strtok_r(NULL, ",", &save))) {
        char *value = strchr(token, '=');

        if (!value) {
            die("--socket: '%s' has no value", token);
        }
        *value++ = '\0';
        if (!strcmp(token, "server")) {
            p->server = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "mrg")) {
            p->mrg = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "lro")) {
            p->lro = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "queues")) {
            p->n_queues = parse_number(token, value, 1, GUEST_MAX_QUEUES);
        } else if (!strcmp(token, "size")) {
            p->queue_size = parse_number(token, value, 1, 32768);
        } else if (!strcmp(token, "mtu")) {
            p->mtu = parse_number(token, value, 68, 9216);
        } else if (!strcmp(token, "mac")) {
            parse_mac(token, value, &p->mac);
            p->mac_set = true;
        } else if (!strcmp(token, "packed") || !strcmp(token, "in_order")
                   || !strcmp(token, "vectorized")) {
            size_t len = strlen(extra);

            snprintf(extra + len, sizeof extra - len, ",%s=%"PRIu64,
                     strcmp(token, "packed") ? token : "packed_vq",
                     parse_number(token, value, 0, 1));
        } else {
            die("--socket: unknown option '%s'", token);
        }
    }
    if (!p->mac_set) {
        /* Locally administered, different in each process. */
        uint32_t id = getpid() << 8 | ++next_id;

        p->mac.addr_bytes[0] = 0x02;
        p->mac.addr_bytes[1] = 0x76;
        p->mac.addr_bytes[2] = id >> 24;
        p->mac.addr_bytes[3] = id >> 16;
        p->mac.addr_bytes[4] = id >> 8;
        p->mac.addr_bytes[5] = id;
    }
    if (asprintf(&p->devargs, "path=%s,server=%d,mrg_rxbuf=%d,queues=%u,cq=%d,"
                 "queue_size=%u,mac="RTE_ETHER_ADDR_PRT_FMT"%s", p->socket,
                 p->server, p->mrg, p->n_queues, p->n_queues > 1,
                 p->queue_size, RTE_ETHER_ADDR_BYTES(&p->mac), extra) < 0) {
        die("out of memory");
    }
}

static void
usage(void)
{
    printf(
"usage: virtnet-guest --socket PATH[,KEY=VALUE...] [OPTION...]\n"
"Sends and receives by DPDK's virtio driver, and prints what it counted.\n"
"\n"
"Ports (KEY=VALUE, default in parentheses):\n"
"  server=0|1      listen on PATH, or connect to it (1)\n"
"  mac=MAC         Ethernet address\n"
"  queues=N        queue pairs (1)\n"
"  size=N          descriptors in each ring (256)\n"
"  packed=0|1      packed rings (0)\n"
"  mrg=0|1         mergeable receive buffers (1)\n"
"  in_order=0|1    in-order use of buffers (1)\n"
"  vectorized=0|1  the driver's vectorized functions (0)\n"
"  lro=0|1         receive frames greater than the MTU (0)\n"
"  mtu=N           MTU (1500)\n"
"\n"
"Traffic:\n"
"  --mode MODE     exact, pingpong, oneway, sink, echo or flood (exact)\n"
"  --send N        frames that each port sends (1000)\n"
"  --size N[,N...] lengths of the frames, without FCS, in turn (64)\n"
"  --mix           the same with a mix of lengths up to the MTU\n"
"  --window N      frames of a port on their way at a time (as many as fit)\n"
"  --rate N        frames a second and port (as fast as can be)\n"
"  --flows N       different UDP source ports (1)\n"
"  --segs N        send each frame in N pieces of memory (1)\n"
"  --csum          leave L4 checksums to the device, both ways\n"
"  --tso N         send TCP with N bytes of payload, to be segmented\n"
"  --mss N         payload of a segment (1448)\n"
"  --dst-mac MAC   send to MAC (default: the next port)\n"
"  --src-mac MAC   address of the last port named\n"
"  --sender N      number of the first port among all senders (0)\n"
"  --probe         first try until frames arrive; not counted as sent\n"
"\n"
"Expectations (exit status 1 if not met):\n"
"  --expect N      frames that each port receives\n"
"  --expect-min N  the same, at least\n"
"  --allow-loss    lost and doubled frames are fine\n"
"  --allow-reorder late frames are fine\n"
"  --no-verify     do not look into frames\n"
"\n"
"Running:\n"
"  --timeout S     give up after S seconds (60)\n"
"  --loss-timeout MS  count a frame as lost after MS without any (1000)\n"
"  --duration S, --warmup S  flood: measure S seconds, after S (5, 1)\n"
"  --ready-file F  write F when all links are up\n"
"  --wait-file F   send only when F is there\n"
"  --stop-file F   end when F is there\n"
"  --status-file F write what was counted to F several times a second\n"
"  --hold          keep the devices until --stop-file or a signal\n"
"  --mem MB        memory (256)\n"
"  --huge          take it from hugepages\n"
"  --lcore N       run on CPU N (default: any)\n"
"  --verbose       show DPDK's messages\n");
}

/* Returns how many frames may be on their way so that a receiver's ring has
 * room for all of them, even if each takes as many buffers as it can. */
static unsigned int
default_window(void)
{
    unsigned int len = tso_len ? tso_len + GUEST_TCP_HEADERS : 0;
    unsigned int ring = UINT_MAX;

    for (unsigned int i = 0; i < n_sizes && !tso_len; i++) {
        len = RTE_MAX(len, sizes[i]);
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        ring = RTE_MIN(ring, ports[i].queue_size);
    }
    ring /= (len / 1500 + 1) * 2;
    ring = RTE_MIN(ring, 64u);
    return RTE_MAX(ring, 1u);
}

static void
parse_options(int argc, char *argv[])
{
    enum {
        OPT_SOCKET = 256, OPT_MODE, OPT_SEND, OPT_SIZE, OPT_MIX, OPT_WINDOW,
        OPT_RATE, OPT_FLOWS, OPT_SEGS, OPT_CSUM, OPT_TSO, OPT_MSS,
        OPT_DST_MAC, OPT_SRC_MAC, OPT_SENDER, OPT_PROBE, OPT_EXPECT,
        OPT_EXPECT_MIN, OPT_ALLOW_LOSS, OPT_ALLOW_REORDER, OPT_NO_VERIFY,
        OPT_TIMEOUT, OPT_LOSS_TIMEOUT, OPT_DURATION, OPT_WARMUP,
        OPT_READY_FILE, OPT_WAIT_FILE, OPT_STOP_FILE, OPT_STATUS_FILE,
        OPT_HOLD, OPT_MEM, OPT_HUGE, OPT_LCORE, OPT_VERBOSE
    };
    static const struct option options[] = {
        { "socket", required_argument, NULL, OPT_SOCKET },
        { "mode", required_argument, NULL, OPT_MODE },
        { "send", required_argument, NULL, OPT_SEND },
        { "size", required_argument, NULL, OPT_SIZE },
        { "mix", no_argument, NULL, OPT_MIX },
        { "window", required_argument, NULL, OPT_WINDOW },
        { "rate", required_argument, NULL, OPT_RATE },
        { "flows", required_argument, NULL, OPT_FLOWS },
        { "segs", required_argument, NULL, OPT_SEGS },
        { "csum", no_argument, NULL, OPT_CSUM },
        { "tso", required_argument, NULL, OPT_TSO },
        { "mss", required_argument, NULL, OPT_MSS },
        { "dst-mac", required_argument, NULL, OPT_DST_MAC },
        { "src-mac", required_argument, NULL, OPT_SRC_MAC },
        { "sender", required_argument, NULL, OPT_SENDER },
        { "probe", no_argument, NULL, OPT_PROBE },
        { "expect", required_argument, NULL, OPT_EXPECT },
        { "expect-min", required_argument, NULL, OPT_EXPECT_MIN },
        { "allow-loss", no_argument, NULL, OPT_ALLOW_LOSS },
        { "allow-reorder", no_argument, NULL, OPT_ALLOW_REORDER },
        { "no-verify", no_argument, NULL, OPT_NO_VERIFY },
        { "timeout", required_argument, NULL, OPT_TIMEOUT },
        { "loss-timeout", required_argument, NULL, OPT_LOSS_TIMEOUT },
        { "duration", required_argument, NULL, OPT_DURATION },
        { "warmup", required_argument, NULL, OPT_WARMUP },
        { "ready-file", required_argument, NULL, OPT_READY_FILE },
        { "wait-file", required_argument, NULL, OPT_WAIT_FILE },
        { "stop-file", required_argument, NULL, OPT_STOP_FILE },
        { "status-file", required_argument, NULL, OPT_STATUS_FILE },
        { "hold", no_argument, NULL, OPT_HOLD },
        { "mem", required_argument, NULL, OPT_MEM },
        { "huge", no_argument, NULL, OPT_HUGE },
        { "lcore", required_argument, NULL, OPT_LCORE },
        { "verbose", no_argument, NULL, OPT_VERBOSE },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct rte_ether_addr src_mac;
    bool src_mac_set = false;
    bool mix = false;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case OPT_SOCKET:
            parse_socket(optarg);
            break;
        case OPT_MODE:
            for (mode = 0; mode < N_MODES; mode++) {
                if (!strcmp(optarg, mode_names[mode])) {
                    break;
                }
            }
            if (mode == N_MODES) {
                die("--mode: unknown mode '%s'", optarg);
            }
            break;
        case OPT_SEND:
            n_send = parse_number("--send", optarg, 0, UINT32_MAX);
            break;
        case OPT_SIZE:
            parse_sizes(optarg);
            break;
        case OPT_MIX:
            mix = true;
            break;
        case OPT_WINDOW:
            window_size = parse_number("--window", optarg, 1, 65536);
            break;
        case OPT_RATE:
            rate = parse_number("--rate", optarg, 1, 1000000000);
            break;
        case OPT_FLOWS:
            n_flows = parse_number("--flows", optarg, 1, 32768);
            break;
        case OPT_SEGS:
            n_segs = parse_number("--segs", optarg, 1, 64);
            break;
        case OPT_CSUM:
            csum = true;
            break;
        case OPT_TSO:
            tso_len = parse_number("--tso", optarg, 1,
                                   65535 - GUEST_IP_LEN - GUEST_TCP_LEN);
            break;
        case OPT_MSS:
            tso_mss = parse_number("--mss", optarg, 64, 9216);
            break;
        case OPT_DST_MAC:
            parse_mac("--dst-mac", optarg, &dst_mac);
            dst_mac_set = true;
            break;
        case OPT_SRC_MAC:
            parse_mac("--src-mac", optarg, &src_mac);
            src_mac_set = true;
            break;
        case OPT_SENDER:
            sender_base = parse_number("--sender", optarg, 0,
                                       GUEST_MAX_SENDERS - 1);
            break;
        case OPT_PROBE:
            probe = true;
            break;
        case OPT_EXPECT:
            n_expect = parse_number("--expect", optarg, 0, UINT64_MAX - 1);
            break;
        case OPT_EXPECT_MIN:
            n_expect_min = parse_number("--expect-min", optarg, 0,
                                        UINT64_MAX);
            break;
        case OPT_ALLOW_LOSS:
            allow_loss = true;
            break;
        case OPT_ALLOW_REORDER:
            allow_reorder = true;
            break;
        case OPT_NO_VERIFY:
            verify = false;
            break;
        case OPT_TIMEOUT:
            timeout_s = parse_seconds("--timeout", optarg);
            break;
        case OPT_LOSS_TIMEOUT:
            loss_timeout_ms = parse_number("--loss-timeout", optarg, 1,
                                           3600000);
            break;
        case OPT_DURATION:
            duration_s = parse_seconds("--duration", optarg);
            if (duration_s > MAX_WINDOWS) {
                die("--duration: at most %d", MAX_WINDOWS);
            }
            break;
        case OPT_WARMUP:
            warmup_s = parse_seconds("--warmup", optarg);
            break;
        case OPT_READY_FILE:
            ready_file = optarg;
            break;
        case OPT_WAIT_FILE:
            wait_file = optarg;
            break;
        case OPT_STOP_FILE:
            stop_file = optarg;
            break;
        case OPT_STATUS_FILE:
            status_file = optarg;
            break;
        case OPT_HOLD:
            hold = true;
            break;
        case OPT_MEM:
            mem_mb = parse_number("--mem", optarg, 16, 65536);
            break;
        case OPT_HUGE:
            huge = true;
            break;
        case OPT_LCORE:
            parse_number("--lcore", optarg, 0, 1023);
            lcore = optarg;
            break;
        case OPT_VERBOSE:
            verbose = true;
            break;
        case 'h':
            usage();
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind < argc) {
        die("unexpected argument '%s'", argv[optind]);
    }
    if (!n_ports) {
        die("--socket is needed (try --help)");
    }
    if (sender_base + n_ports > GUEST_MAX_SENDERS) {
        die("--sender: there are only %d numbers", GUEST_MAX_SENDERS);
    }
    if (src_mac_set) {
        struct port *p = &ports[n_ports - 1];
        char *mac = strstr(p->devargs, "mac=") + 4;
        char s[RTE_ETHER_ADDR_FMT_SIZE];

        p->mac = src_mac;
        rte_ether_format_addr(s, sizeof s, &src_mac);
        memcpy(mac, s, strlen(s));
    }
    if (mix) {
        static const unsigned int mixed[] = {
            58, 60, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1514,
            1515, 2047, 2048, 4095, 4096, 8191, 8192, 9014,
        };

        n_sizes = 0;
        for (size_t i = 0; i < RTE_DIM(mixed); i++) {
            if (mixed[i] <= ports[0].mtu + GUEST_ETH_LEN) {
                sizes[n_sizes++] = mixed[i];
            }
        }
    }
    if (mode == MODE_PINGPONG) {
        window_size = 1;
    } else if (!window_size) {
        window_size = default_window();
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];

        p->sender = sender_base + i;
        p->to_send = n_send;
        p->dst = dst_mac_set ? dst_mac : ports[(i + 1) % n_ports].mac;
        if (!dst_mac_set && n_ports == 1 && mode != MODE_SINK
            && mode != MODE_ECHO) {
            die("one port alone needs --dst-mac");
        }
        for (unsigned int j = 0; j < n_sizes; j++) {
            if (!tso_len && mode != MODE_SINK && mode != MODE_ECHO
                && sizes[j] > p->mtu + GUEST_ETH_LEN) {
                die("--size: %u is too long for an MTU of %u", sizes[j],
                    p->mtu);
            }
        }
    }
}

/* Starting. */

static void
start_eal(void)
{
    char lcores[512], mem[16], prefix[32];
    const char *argv[24];
    int argc = 0;

    if (lcore) {
        snprintf(lcores, sizeof lcores, "0@%s", lcore);
    } else {
        /* The thread may run wherever the process may: DPDK would pin it to
         * the first CPU. */
        size_t len = snprintf(lcores, sizeof lcores, "0@(");
        const char *sep = "";
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof set, &set)) {
            die("sched_getaffinity: %s", strerror(errno));
        }
        for (int i = 0; i < CPU_SETSIZE && len < sizeof lcores - 16; i++) {
            if (CPU_ISSET(i, &set)) {
                len += snprintf(lcores + len, sizeof lcores - len, "%s%d",
                                sep, i);
                sep = ",";
            }
        }
        snprintf(lcores + len, sizeof lcores - len, ")");
    }
    snprintf(mem, sizeof mem, "%u", mem_mb);
    snprintf(prefix, sizeof prefix, "virtnet-guest-%ld", (long) getpid());

    argv[argc++] = "virtnet-guest";
    if (huge) {
        argv[argc++] = "--in-memory";
        argv[argc++] = "--single-file-segments";
    } else {
        /* Memory without hugepages is "legacy", which excludes --in-memory;
         * without a shared configuration it leaves no files either. */
        argv[argc++] = "--no-huge";
        argv[argc++] = "--no-shconf";
        argv[argc++] = "--file-prefix";
        argv[argc++] = prefix;
    }
    argv[argc++] = "-m";
    argv[argc++] = mem;
    argv[argc++] = "--no-pci";
    argv[argc++] = "--no-telemetry";
    argv[argc++] = "--lcores";
    argv[argc++] = lcores;
    if (!verbose) {
        argv[argc++] = "--log-level=*:error";
    }
    argv[argc] = NULL;
    if (rte_eal_init(argc, (char **) argv) < 0) {
        die("cannot start DPDK: %s", rte_strerror(rte_errno));
    }
}

/* A socket that a killed process left behind keeps us from listening. */
static void
remove_stale_socket(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct stat st;
    int fd;

    if (stat(path, &st) || !S_ISSOCK(st.st_mode)) {
        return;
    }
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return;
    }
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *) &un, sizeof un)
        && errno == ECONNREFUSED) {
        unlink(path);
    }
    close(fd);
}

static struct rte_mempool *
create_pool(const struct port *p, const char *what, unsigned int n,
            unsigned int room)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *pool;

    snprintf(name, sizeof name, "%s%u", what, (unsigned) (p - ports));
    pool = rte_pktmbuf_pool_create(name, n, 256, 0, room, SOCKET_ID_ANY);
    if (!pool) {
        die("no memory for %u buffers of %u bytes (--mem): %s", n, room,
            rte_strerror(rte_errno));
    }
    return pool;
}

/* Writes the frames of a flood once and for all: the driver leaves the bytes
 * of a buffer alone, so one taken from the pool is ready to be sent. */
static void
fill_buffer(struct rte_mempool *pool __rte_unused, void *port_, void *buf,
            unsigned int index)
{
    const struct port *p = port_;
    struct rte_mbuf *m = buf;
    struct guest_frame f = {
        .src = p->mac,
        .dst = p->dst,
        .sender = p->sender,
        .flow = index % n_flows,
        .len = sizes[0],
    };

    guest_frame_build(&f, GUEST_CSUM_FULL,
                      (uint8_t *) m->buf_addr + RTE_PKTMBUF_HEADROOM);
}

static void
start_port(struct port *p)
{
    struct rte_eth_conf conf;
    unsigned int room, n;
    char name[32];
    uint64_t want;
    int err;

    if (p->server) {
        remove_stale_socket(p->socket);
    }
    p->opened = true;
    snprintf(name, sizeof name, "net_virtio_user%u", (unsigned) (p - ports));
    signal(SIGALRM, on_alarm);
    alarm(timeout_s + 1);
    err = rte_eal_hotplug_add("vdev", name, p->devargs);
    alarm(0);
    if (err || rte_eth_dev_get_port_by_name(name, &p->id)) {
        die("%s: cannot open a virtio device (%s)", p->socket, p->devargs);
    }
    if (rte_eth_dev_info_get(p->id, &p->info)) {
        die("%s: no device information", p->socket);
    }
    if (p->n_queues > p->info.max_rx_queues) {
        die("%s: the device has only %u queue pairs", p->socket,
            p->info.max_rx_queues);
    }

    if (!(p->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER)) {
        p->mrg = false;
    }

    memset(&conf, 0, sizeof conf);
    conf.rxmode.mtu = p->mtu;
    conf.intr_conf.lsc = !!(*p->info.dev_flags & RTE_ETH_DEV_INTR_LSC);
    conf.rxmode.offloads = p->info.rx_offload_capa
                           & RTE_ETH_RX_OFFLOAD_SCATTER;
    if (csum || p->lro) {
        want = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
        if (p->lro) {
            want |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
        }
        if (want & ~p->info.rx_offload_capa) {
            die("%s: the device does not offer to receive %s", p->socket,
                p->lro ? "large frames" : "partial checksums");
        }
        conf.rxmode.offloads |= want;
    }
    conf.txmode.offloads = p->info.tx_offload_capa
                           & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (csum || tso_len) {
        want = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
        if (tso_len) {
            want |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
        }
        if (want & ~p->info.tx_offload_capa) {
            die("%s: the device does not offer %s", p->socket,
                tso_len ? "TSO" : "checksums");
        }
        conf.txmode.offloads |= want;
    }
    err = rte_eth_dev_configure(p->id, p->n_queues, p->n_queues, &conf);
    if (err) {
        die("%s: cannot configure: %s", p->socket, rte_strerror(-err));
    }

    /* Without mergeable buffers a frame has to fit in one, with a VLAN tag
     * and the virtio-net header. */
    room = p->mtu + 64;
    if (p->mrg || room < 2048) {
        room = 2048;
    } else if (p->lro) {
        die("%s: lro needs mergeable buffers", p->socket);
    }
    n = p->n_queues * p->queue_size;
    p->rx_pool = create_pool(p, "rx", n * 2 + 1024,
                             room + RTE_PKTMBUF_HEADROOM);
    /* A ring entry takes at most 8 pieces (an indirect table), and frees them
     * only when it is used again. */
    n = n * (tso_len || n_segs > 8 ? 8 : n_segs) + 4096;
    room = 2048;
    if (n_segs == 1 && mode == MODE_FLOOD && sizes[0] > room) {
        room = sizes[0];
    }
    p->tx_pool = create_pool(p, "tx", n, room + RTE_PKTMBUF_HEADROOM);
    if (mode == MODE_FLOOD) {
        rte_mempool_obj_iter(p->tx_pool, fill_buffer, p);
    }
    for (unsigned int q = 0; q < p->n_queues; q++) {
        err = rte_eth_rx_queue_setup(p->id, q, p->queue_size, SOCKET_ID_ANY,
                                     NULL, p->rx_pool);
        if (!err) {
            err = rte_eth_tx_queue_setup(p->id, q, p->queue_size,
                                         SOCKET_ID_ANY, NULL);
        }
        if (err) {
            die("%s: cannot set up queue %u: %s", p->socket, q,
                rte_strerror(-err));
        }
    }
    err = rte_eth_dev_start(p->id);
    if (err) {
        die("%s: cannot start: %s", p->socket, rte_strerror(-err));
    }
    rte_eth_promiscuous_enable(p->id);
}

/* Running. */

/* Looks at what changes outside: links, files, signals, time.  Not more often
 * than is cheap.  Returns false when it is time to end. */
static bool
poll_world(void)
{
    static uint64_t next, next_status;
    uint64_t now = rte_rdtsc();

    if (now < next) {
        return !stopping;
    }
    next = now + hz / 100;
    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];
        struct rte_eth_link link;

        if (!rte_eth_link_get_nowait(p->id, &link)
            && p->link != link.link_status) {
            p->link = link.link_status;
            p->link_changes++;
        }
    }
    if (stop_file && !access(stop_file, F_OK)) {
        stopping = 1;
    }
    if (status_file && now >= next_status) {
        write_file(status_file);
        next_status = now + hz / 10;
    }
    return !stopping;
}

static bool
timed_out(uint64_t since)
{
    return ns_since(since) > timeout_s * 1e9;
}

/* Gives the CPU to others if there was nothing to do for a while. */
static void
rest(bool busy)
{
    static unsigned int idle;

    if (busy) {
        idle = 0;
    } else if (++idle > 64) {
        usleep(20);
    } else {
        rte_pause();
    }
}

static struct flow *
get_flow(uint8_t sender, uint8_t queue)
{
    struct flow **flow = &flows[sender][queue];

    if (!*flow) {
        *flow = calloc(1, sizeof **flow);
        if (!*flow) {
            die("out of memory");
        }
    }
    return *flow;
}

static void
receive_udp(struct port *p, const struct guest_frame *f)
{
    struct flow *flow = get_flow(f->sender, f->queue);
    uint64_t bit = UINT64_C(1) << f->seq % 64;

    if (f->seq >= flow->n_seen) {
        size_t n = RTE_MAX(flow->n_seen * 2, (size_t) 4096);

        while (n <= f->seq) {
            n *= 2;
        }
        flow->seen = realloc(flow->seen, n / 8);
        if (!flow->seen) {
            die("out of memory");
        }
        memset((uint8_t *) flow->seen + flow->n_seen / 8, 0,
               (n - flow->n_seen) / 8);
        flow->n_seen = n;
    }
    if (flow->seen[f->seq / 64] & bit) {
        flow->duplicated++;
        p->duplicated++;
        return;
    }
    flow->seen[f->seq / 64] |= bit;
    flow->received++;
    if (f->seq < flow->next) {
        flow->reordered++;
        p->reordered++;
    } else {
        flow->next = f->seq + 1;
    }
    p->received++;
    p->received_bytes += f->len;
}

static void
receive_tcp(struct port *p, const struct guest_frame *f)
{
    struct flow *flow = get_flow(f->sender, f->queue);
    uint32_t len = f->len - GUEST_TCP_HEADERS;
    int32_t ahead = f->seq - (uint32_t) flow->next;

    if (ahead >= 0) {
        flow->gap += ahead;
        flow->next += ahead + len;
    } else if (flow->gap >= len) {
        flow->gap -= len;
        flow->reordered++;
        p->reordered++;
    } else {
        flow->duplicated++;
        p->duplicated++;
        return;
    }
    flow->received++;
    flow->bytes += len;
    p->received++;
    p->received_bytes += f->len;
}

static void
receive_frame(struct port *p, struct rte_mbuf *m)
{
    uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    struct guest_frame f;
    const uint8_t *data;
    bool vouched;

    p->rx_packets++;
    p->rx_bytes += m->pkt_len;
    if (!verify) {
        p->received++;
        p->received_bytes += m->pkt_len;
        return;
    }
    if (m->pkt_len > GUEST_FRAME_MAX) {
        p->corrupt++;
        return;
    }
    vouched = l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD
              || l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE;
    data = rte_pktmbuf_read(m, 0, m->pkt_len, scratch);
    switch (guest_frame_parse(data, m->pkt_len, !vouched, &f)) {
    case GUEST_FRAME_OTHER:
        p->other++;
        return;
    case GUEST_FRAME_CORRUPT:
        p->corrupt++;
        return;
    case GUEST_FRAME_BAD_CSUM:
        p->bad_csum++;
        return;
    case GUEST_FRAME_OK:
        break;
    }
    if (!rte_is_same_ether_addr(&f.dst, &p->mac)
        && !rte_is_multicast_ether_addr(&f.dst)) {
        /* Flooded by a bridge that did not know the address yet. */
        p->other++;
        return;
    }
    if (f.probe) {
        p->probes_received++;
        return;
    }
    p->csum_partial += l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE;
    p->csum_good += l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    p->gso += !!(m->ol_flags & RTE_MBUF_F_RX_LRO);
    if (f.tcp) {
        receive_tcp(p, &f);
    } else {
        receive_udp(p, &f);
    }
}

/* Receives what there is on all ports.  Returns true if there was any. */
static bool
receive_all(void)
{
    struct rte_mbuf *burst[BURST];
    bool busy = false;

    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];

        for (unsigned int q = 0; q < p->n_queues; q++) {
            uint16_t n = rte_eth_rx_burst(p->id, q, burst, BURST);

            for (uint16_t j = 0; j < n; j++) {
                receive_frame(p, burst[j]);
            }
            rte_pktmbuf_free_bulk(burst, n);
            p->queues[q].received += n;
            busy |= n > 0;
        }
    }
    return busy;
}

/* Copies 'len' bytes at 'data' to a new chain of at least 'n_segs' mbufs.
 * Headers stay together.  Returns NULL if there is none. */
static struct rte_mbuf *
make_mbuf(struct port *p, const uint8_t *data, uint32_t len)
{
    struct rte_mbuf *head = NULL, *tail = NULL;
    uint32_t piece = (len + n_segs - 1) / n_segs;
    uint32_t ofs = 0;

    piece = RTE_MAX(piece, (uint32_t) GUEST_TCP_HEADERS);
    piece = RTE_MIN(piece, 2048u);
    while (ofs < len) {
        uint32_t n = RTE_MIN(piece, len - ofs);
        struct rte_mbuf *m = rte_pktmbuf_alloc(p->tx_pool);

        if (!m) {
            rte_pktmbuf_free(head);
            return NULL;
        }
        memcpy(rte_pktmbuf_mtod(m, void *), data + ofs, n);
        m->data_len = n;
        if (tail) {
            tail->next = m;
            head->nb_segs++;
        } else {
            head = m;
        }
        tail = m;
        ofs += n;
    }
    head->pkt_len = len;
    return head;
}

/* Makes the next frame of 'p' for queue 'q'.  Returns NULL if there is no
 * memory at the moment. */
static struct rte_mbuf *
make_frame(struct port *p, unsigned int q, bool is_probe)
{
    struct queue *queue = &p->queues[q];
    struct guest_frame f = {
        .src = p->mac,
        .dst = p->dst,
        .sender = p->sender,
        .queue = q,
        .probe = is_probe,
    };
    enum guest_csum how;
    struct rte_mbuf *m;

    if (is_probe) {
        how = GUEST_CSUM_FULL;
        f.len = GUEST_FRAME_MIN;
    } else if (tso_len) {
        how = GUEST_CSUM_TSO;
        f.tcp = true;
        f.seq = queue->next_seq * tso_len;
        f.len = GUEST_TCP_HEADERS + tso_len;
    } else {
        how = csum ? GUEST_CSUM_PARTIAL : GUEST_CSUM_FULL;
        f.seq = queue->next_seq;
        f.flow = queue->next_seq % n_flows;
        f.len = sizes[p->built % n_sizes];
    }
    guest_frame_build(&f, how, scratch);
    m = make_mbuf(p, scratch, f.len);
    if (!m) {
        return NULL;
    }
    if (how != GUEST_CSUM_FULL) {
        m->l2_len = GUEST_ETH_LEN;
        m->l3_len = GUEST_IP_LEN;
        m->ol_flags |= RTE_MBUF_F_TX_IPV4;
        if (how == GUEST_CSUM_TSO) {
            m->l4_len = GUEST_TCP_LEN;
            m->tso_segsz = tso_mss;
            m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
        } else {
            m->l4_len = GUEST_UDP_LEN;
            m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
        }
    }
    return m;
}

/* Hands pending frames to the device.  Returns true if it took any. */
static bool
flush_pending(struct port *p)
{
    struct rte_mbuf **m = &p->pending[p->pending_ofs];
    uint16_t n = p->n_pending - p->pending_ofs;
    struct queue *queue = &p->queues[p->pending_queue];
    uint32_t len[BURST];
    uint16_t done;

    if (!n) {
        return false;
    }
    for (uint16_t i = 0; i < n; i++) {
        len[i] = m[i]->pkt_len;
    }
    done = rte_eth_tx_burst(p->id, p->pending_queue, m, n);
    for (uint16_t i = 0; i < done; i++) {
        p->sent_bytes += len[i];
        p->tx_bytes += len[i];
    }
    p->sent += done;
    p->tx_packets += done;
    queue->sent += done;
    p->pending_ofs += done;
    return done > 0;
}

/* Returns how many frames --rate lets 'p' send now. */
static unsigned int
rate_allows(struct port *p, unsigned int max)
{
    uint64_t now;

    if (!rate) {
        return max;
    }
    now = rte_rdtsc();
    if (p->tokens_at) {
        p->tokens += (now - p->tokens_at) * rate / hz;
        p->tokens = RTE_MIN(p->tokens, BURST + rate / 100);
    } else {
        p->tokens = 1;
    }
    p->tokens_at = now;
    return RTE_MIN(max, (unsigned int) p->tokens);
}

/* Sends as many frames of 'p' as are due, at most 'room'.  Returns true if it
 * sent any. */
static bool
send_some(struct port *p, uint64_t room)
{
    unsigned int n, i;

    if (p->pending_ofs < p->n_pending) {
        return flush_pending(p);
    }
    room = RTE_MIN(room, p->to_send - p->built);
    n = rate_allows(p, RTE_MIN(room, (uint64_t) BURST));
    if (!n) {
        return false;
    }
    p->pending_ofs = p->n_pending = 0;
    p->pending_queue = p->next_queue;
    p->next_queue = (p->next_queue + 1) % p->n_queues;
    for (i = 0; i < n; i++) {
        struct rte_mbuf *m = make_frame(p, p->pending_queue, false);

        if (!m) {
            break;
        }
        p->pending[i] = m;
        p->queues[p->pending_queue].next_seq++;
        p->built++;
    }
    p->tokens -= i;
    if ((csum || tso_len) && i) {
        uint16_t ok = rte_eth_tx_prepare(p->id, p->pending_queue, p->pending,
                                         i);

        if (ok != i) {
            die("the driver refuses a frame: %s", rte_strerror(rte_errno));
        }
    }
    p->n_pending = i;
    return flush_pending(p);
}

static void
drop_pending(struct port *p)
{
    rte_pktmbuf_free_bulk(&p->pending[p->pending_ofs],
                          p->n_pending - p->pending_ofs);
    p->pending_ofs = p->n_pending = 0;
}

/* Sends a probe from each port now and then, until one of each arrived. */
static void
run_probe(void)
{
    uint64_t start = rte_rdtsc();
    uint64_t next = 0;
    bool done;

    do {
        bool again = rte_rdtsc() >= next;

        if (again) {
            next = rte_rdtsc() + hz / 50;
        }
        done = true;
        for (unsigned int i = 0; i < n_ports; i++) {
            struct port *p = &ports[i];

            if (!p->probes_received) {
                done = false;
            }
        }
        if (!done && again) {
            for (unsigned int i = 0; i < n_ports; i++) {
                struct port *p = &ports[i];
                struct rte_mbuf *m = make_frame(p, 0, true);

                if (m && rte_eth_tx_burst(p->id, 0, &m, 1) == 1) {
                    p->probes++;
                    p->tx_packets++;
                    p->tx_bytes += GUEST_FRAME_MIN;
                } else {
                    rte_pktmbuf_free(m);
                }
            }
        }
        rest(receive_all());
        if (timed_out(start)) {
            fail("no probe arrived");
            return;
        }
    } while (!done && poll_world());
}

static void
run_exact(void)
{
    if (mode == MODE_PINGPONG) {
        rtts = calloc(n_send * n_ports + 1, sizeof *rtts);
        if (!rtts) {
            die("out of memory");
        }
    }
    for (;;) {
        bool busy = false, done = true;

        if (!poll_world()) {
            /* Send no more, but wait for what is on its way. */
            for (unsigned int i = 0; i < n_ports; i++) {
                struct port *p = &ports[i];

                p->to_send = p->built;
                if (!p->link) {
                    drop_pending(p);
                    p->written_off = p->built;
                }
            }
        }

        for (unsigned int i = 0; i < n_ports; i++) {
            struct port *p = &ports[i];
            uint64_t acked, away;

            acked = mode == MODE_ONEWAY ? p->built : port_acked(p);
            away = p->built - RTE_MIN(p->built, acked + p->written_off);
            if (p->timed_from && acked >= p->built) {
                rtts[n_rtts++] = ns_since(p->timed_from);
                p->timed_from = 0;
            }
            if (acked != p->last_acked || !away) {
                p->last_acked = acked;
                p->progress_at = rte_rdtsc();
            } else if (ns_since(p->progress_at) > loss_timeout_ms * 1e6
                       && p->pending_ofs == p->n_pending && p->link) {
                /* Whatever is still on its way is lost.  Should it arrive
                 * nevertheless, it is counted all the same. */
                p->written_off = p->built - acked;
                p->progress_at = rte_rdtsc();
            }
            if (p->built < p->to_send || p->pending_ofs < p->n_pending || away) {
                done = false;
            }
            if (away < window_size || p->pending_ofs < p->n_pending) {
                uint64_t now = rte_rdtsc();
                uint64_t built = p->built;

                busy |= send_some(p, mode == MODE_ONEWAY ? BURST
                                  : away < window_size ? window_size - away
                                  : 0);
                if (rtts && p->built > built) {
                    p->timed_from = now;
                }
            }
        }
        busy |= receive_all();
        if (done) {
            break;
        }
        if (timed_out(started_at)) {
            fail("not done in %g seconds", timeout_s);
            break;
        }
        rest(busy);
    }
}

static void
run_sink(void)
{
    while (poll_world()) {
        bool done = n_expect != UINT64_MAX || n_expect_min;

        rest(receive_all());
        for (unsigned int i = 0; i < n_ports; i++) {
            if (ports[i].received < (n_expect != UINT64_MAX ? n_expect
                                     : n_expect_min)) {
                done = false;
            }
        }
        if (done) {
            break;
        }
        if (timed_out(started_at)) {
            if (n_expect != UINT64_MAX || n_expect_min) {
                fail("not all arrived in %g seconds", timeout_s);
            }
            break;
        }
    }
}

static void
run_echo(void)
{
    struct rte_mbuf *burst[BURST];

    while (poll_world() && !timed_out(started_at)) {
        bool busy = false;

        for (unsigned int i = 0; i < n_ports; i++) {
            struct port *p = &ports[i];

            for (unsigned int q = 0; q < p->n_queues; q++) {
                uint16_t n = rte_eth_rx_burst(p->id, q, burst, BURST);
                uint16_t n_back = 0, done = 0;

                p->queues[q].received += n;
                busy |= n > 0;
                for (uint16_t j = 0; j < n; j++) {
                    struct rte_ether_hdr *eth
                        = rte_pktmbuf_mtod(burst[j], struct rte_ether_hdr *);

                    p->rx_packets++;
                    p->rx_bytes += burst[j]->pkt_len;
                    if (!rte_is_same_ether_addr(&eth->dst_addr, &p->mac)) {
                        p->other++;
                        rte_pktmbuf_free(burst[j]);
                        continue;
                    }
                    p->received++;
                    p->received_bytes += burst[j]->pkt_len;
                    eth->dst_addr = eth->src_addr;
                    eth->src_addr = p->mac;
                    burst[j]->ol_flags = 0;
                    burst[n_back++] = burst[j];
                }
                for (uint16_t j = 0; j < n_back; j++) {
                    p->sent_bytes += burst[j]->pkt_len;
                    p->tx_bytes += burst[j]->pkt_len;
                }
                while (done < n_back) {
                    done += rte_eth_tx_burst(p->id, q, &burst[done],
                                             n_back - done);
                    if (done < n_back && !poll_world()) {
                        break;
                    }
                }
                for (uint16_t j = done; j < n_back; j++) {
                    p->sent_bytes -= burst[j]->pkt_len;
                    p->tx_bytes -= burst[j]->pkt_len;
                    rte_pktmbuf_free(burst[j]);
                }
                p->sent += done;
                p->tx_packets += done;
                p->queues[q].sent += done;
            }
        }
        rest(busy);
    }
}

static void
flood_once(void)
{
    struct rte_mbuf *burst[BURST];

    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];

        for (unsigned int q = 0; q < p->n_queues; q++) {
            uint16_t n = rte_eth_rx_burst(p->id, q, burst, BURST);

            for (uint16_t j = 0; j < n; j++) {
                p->rx_bytes += burst[j]->pkt_len;
            }
            rte_pktmbuf_free_bulk(burst, n);
            p->rx_packets += n;
            p->queues[q].received += n;

            n = BURST;
            if (rate && !(n = rate_allows(p, BURST))) {
                continue;
            }
            if (rte_pktmbuf_alloc_bulk(p->tx_pool, burst, n)) {
                continue;
            }
            for (uint16_t j = 0; j < n; j++) {
                burst[j]->data_len = burst[j]->pkt_len = sizes[0];
            }

            uint16_t done = rte_eth_tx_burst(p->id, q, burst, n);
            rte_pktmbuf_free_bulk(&burst[done], n - done);
            p->tx_packets += done;
            p->tx_bytes += (uint64_t) done * sizes[0];
            p->queues[q].sent += done;
            p->tokens -= done;
        }
    }
}

static void
sum_flood(uint64_t *rx, uint64_t *tx)
{
    *rx = *tx = 0;
    for (unsigned int i = 0; i < n_ports; i++) {
        *rx += ports[i].rx_packets;
        *tx += ports[i].tx_packets;
    }
}

static void
run_flood(void)
{
    uint64_t rx0 = 0, tx0 = 0, at = 0;
    uint64_t warm = rte_rdtsc() + warmup_s * hz;
    uint64_t end = warm + duration_s * hz;
    double cpu0 = 0;

    while (poll_world()) {
        uint64_t now;

        for (int i = 0; i < 64; i++) {
            flood_once();
        }
        now = rte_rdtsc();
        if (now < warm) {
            continue;
        }
        if (!at || now - at >= hz) {
            uint64_t rx, tx;
            double cpu = cpu_seconds();

            sum_flood(&rx, &tx);
            if (at && n_windows < MAX_WINDOWS) {
                struct window *w = &windows[n_windows++];

                w->seconds = (now - at) / (double) hz;
                w->cpu = (cpu - cpu0) / w->seconds;
                w->rx_mpps = (rx - rx0) / w->seconds / 1e6;
                w->tx_mpps = (tx - tx0) / w->seconds / 1e6;
            }
            rx0 = rx;
            tx0 = tx;
            cpu0 = cpu;
            at = now;
        }
        if (now >= end) {
            break;
        }
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        ports[i].sent = ports[i].tx_packets;
        ports[i].sent_bytes = ports[i].tx_bytes;
        ports[i].received = ports[i].rx_packets;
        ports[i].received_bytes = ports[i].rx_bytes;
    }
}

static void
wait_for_links(void)
{
    uint64_t start = rte_rdtsc();
    bool up;

    phase = "link";
    do {
        up = true;
        poll_world();
        for (unsigned int i = 0; i < n_ports; i++) {
            up &= ports[i].link;
        }
        if (timed_out(start)) {
            fail("no link");
            return;
        }
        if (!up) {
            usleep(1000);
        }
    } while (!up && !stopping);
}

static void
wait_for_file(const char *name)
{
    uint64_t start = rte_rdtsc();

    phase = "wait";
    while (access(name, F_OK) && poll_world()) {
        if (timed_out(start)) {
            fail("%s did not appear", name);
            return;
        }
        /* Let no ring fill up meanwhile. */
        rest(mode != MODE_FLOOD && receive_all());
    }
}

static void
check_expectations(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        const struct port *p = &ports[i];
        uint64_t lost = p->sent - RTE_MIN(p->sent, port_acked(p));

        if (counts_loss()) {
            if (p->sent < p->to_send) {
                fail("port %u: %"PRIu64" of %"PRIu64" frames sent", i,
                     p->sent, p->to_send);
            }
            if (lost && !allow_loss) {
                fail("port %u: %"PRIu64" of %"PRIu64" frames lost", i, lost,
                     p->sent);
            }
        } else if (mode == MODE_ONEWAY && p->sent < p->to_send) {
            fail("port %u: %"PRIu64" of %"PRIu64" frames sent", i, p->sent,
                 p->to_send);
        }
        if (p->duplicated && !allow_loss) {
            fail("port %u: %"PRIu64" frames doubled", i, p->duplicated);
        }
        if (p->reordered && !allow_reorder) {
            fail("port %u: %"PRIu64" frames late", i, p->reordered);
        }
        if (p->corrupt) {
            fail("port %u: %"PRIu64" frames damaged", i, p->corrupt);
        }
        if (p->bad_csum) {
            fail("port %u: %"PRIu64" frames with a wrong checksum", i,
                 p->bad_csum);
        }
        if (n_expect != UINT64_MAX && p->received != n_expect) {
            fail("port %u: received %"PRIu64" frames, not %"PRIu64, i,
                 p->received, n_expect);
        }
        if (p->received < n_expect_min) {
            fail("port %u: received only %"PRIu64" frames", i, p->received);
        }
    }
}

static void
run(void)
{
    wait_for_links();
    if (failure || stopping) {
        return;
    }
    phase = "ready";
    if (ready_file) {
        write_file(ready_file);
    }
    if (wait_file) {
        wait_for_file(wait_file);
    }
    if (probe && !failure && !stopping) {
        phase = "probe";
        run_probe();
    }
    if (failure || stopping) {
        return;
    }

    phase = "traffic";
    started_at = rte_rdtsc();
    switch (mode) {
    case MODE_EXACT:
    case MODE_PINGPONG:
    case MODE_ONEWAY:
        run_exact();
        break;
    case MODE_SINK:
        run_sink();
        break;
    case MODE_ECHO:
        run_echo();
        break;
    case MODE_FLOOD:
        run_flood();
        break;
    case N_MODES:
    default:
        abort();
    }
    finished_at = rte_rdtsc();
    if (hold) {
        phase = "hold";
        while (poll_world()) {
            rest(receive_all());
        }
    }
    check_expectations();
}

int
main(int argc, char *argv[])
{
    parse_options(argc, argv);
    scratch = malloc(GUEST_FRAME_MAX);
    if (!scratch) {
        die("out of memory");
    }
    atexit(clean_up);
    start_eal();
    hz = rte_get_tsc_hz();
    for (unsigned int i = 0; i < n_ports; i++) {
        start_port(&ports[i]);
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    run();
    if (stopping && !started_at) {
        fail("stopped before it began");
    }

    for (unsigned int i = 0; i < n_ports; i++) {
        drop_pending(&ports[i]);
    }
    phase = "done";
    print_report(stdout);
    if (status_file) {
        write_file(status_file);
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        char name[32];

        rte_eth_dev_stop(ports[i].id);
        snprintf(name, sizeof name, "net_virtio_user%u", i);
        rte_eth_dev_close(ports[i].id);
        rte_eal_hotplug_remove("vdev", name);
    }
    rte_eal_cleanup();
    return failure ? 1 : 0;
}
