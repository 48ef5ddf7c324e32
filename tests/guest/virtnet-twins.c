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

/* The guests of two switches that should not differ.
 *
 * usage: virtnet-twins [--mem MB] [--verbose]
 *                      --port SOCKET,SOCKET[,KEY=VALUE...]...
 *
 * Each port is a device of either switch, both driven by DPDK's virtio driver
 * in the same way.  Frames go into both switches in the same bursts, and what
 * comes out of one must come out of the other: the same bytes and virtio-net
 * headers by the same ports, and those of a flow in the same order.
 *
 * If a flow's actions send a frame by the same port several times, this is so
 * for the first copies of its frames, for the second ones, and so on, and for
 * the copies of one frame.  A copy that is cut into segments is all of them,
 * and no frame of the flow may come between.  How the first copy of a frame
 * and the second one of another follow each other is not compared: that
 * depends on how many frames a switch happens to find in the ring at a time,
 * also without offload, since Open vSwitch carries out each action for all of
 * them before the next one.
 *
 * What to do is told on stdin, a command a line, and answered on stdout:
 *
 *   load FILE     takes the frames in FILE (struct file_frame).
 *   copies N      each frame comes out by a port N times at most.
 *   once          sends every frame once.
 *   run SEED N    sends N bursts of frames in random order.
 *
 * The answer is "ok SENT RECEIVED", where the latter is for one switch, or
 * "differ N", having told about the differences on stderr, or, when the
 * switches do not answer, "stuck".
 *
 * Frames are told apart by a tag at their end that is of no consequence for
 * checksums: 4 bytes, and their complement.  What may be cut into segments has
 * nothing but tags, which are numbered: so segments are told from each other,
 * and from those of another copy.
 *
 * When is all there that is to come?  After a burst each port sends a marker,
 * and when that has arrived, another one.  A switch takes the second one from
 * the ring later than it has put out all that came before the first one. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "guest-eal.h"

#define N_SWITCHES 2
#define MAX_PORTS 8
#define MAX_BURST 32
#define MAX_FRAMES 4096
#define MAX_FRAME_LEN 65600
#define MAX_OUTS 4096
#define ARENA_SIZE (64u << 20)
#define HDR_LEN 12              /* VIRTIO 1.2, section 5.1.6. */
#define TIMEOUT_S 20

#define MARKER_TYPE 0x88b7
#define MARKER_LEN 60

/* What is in a file of frames, followed by 'len' bytes.  Little endian. */
struct file_frame {
    uint32_t len;
    uint32_t tag_ofs;           /* Tags from here to the end, or TAG_*. */
    uint16_t class;             /* Frames of a class stay in order. */
    uint16_t l3_len;            /* What the driver is told. */
    uint16_t l4_len;
    uint16_t segsz;
    uint8_t l2_len;
    uint8_t offload;            /* OFFLOAD_*. */
    uint8_t port;
    uint8_t n_segs;             /* Pieces of memory. */
} __attribute__((packed));

#define TAG_NONE UINT32_MAX
#define TAG_LEN 8

/* What a tag has in its 32 bits, besides TAG_MAGIC: the burst, the frame's
 * index there, and the tag's number in the frame. */
#define TAG_MAGIC 0xa5
#define TAG_BURST_BITS 6
#define TAG_INDEX_BITS 5
#define TAG_NUMBER_BITS 13
_Static_assert(MAX_BURST <= 1 << TAG_INDEX_BITS, "indices fit into tags");

#define OFFLOAD_TCP 1           /* Checksums. */
#define OFFLOAD_UDP 2
#define OFFLOAD_TSO 4
#define OFFLOAD_IPV6 8

struct frame {
    struct file_frame h;
    uint8_t *data;
};

/* A device of one switch. */
struct device {
    const char *socket;
    uint16_t id;                /* DPDK's number. */
    struct rte_mempool *tx_pool;
    uint32_t marker;            /* The last one that arrived. */
};

struct port {
    struct device devices[N_SWITCHES];
    bool mrg, csum, lro, tx_csum, tx_tso;
    unsigned int size, mtu;
    char extra[128];
};

/* A frame that has come out. */
struct out {
    uint8_t port;
    uint16_t class;
    uint16_t index;             /* In the burst. */
    uint16_t copy;              /* Of that frame, by this port. */
    uint32_t first, last;       /* Which of the words of its tags it has. */
    uint32_t arrival;
    uint32_t len;
    uint8_t hdr[HDR_LEN];
    const uint8_t *data;
};

#define CLASS_UNKNOWN UINT16_MAX

static struct port ports[MAX_PORTS];
static unsigned int n_ports;
static unsigned int mem_mb = 512;
static bool verbose;

static struct frame frames[MAX_FRAMES];
static unsigned int n_frames;
static unsigned int copies = 8;
static unsigned int window;     /* Buffers that a burst may need. */

static struct out outs[N_SWITCHES][MAX_OUTS];
static unsigned int n_outs[N_SWITCHES];
static uint8_t *arena;
static size_t arena_used;
static uint32_t last_marker;
static uint8_t burst_number;
static const struct frame *burst[MAX_BURST];
static unsigned int n_burst;
static bool any_segment_size;   /* It makes no difference. */
static uint64_t n_sent, n_received, n_differ;

/* Random numbers that are the same everywhere. */
static uint64_t random_state;

static uint32_t
random_number(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 16) % n;
}

/* Starting. */

static void
remove_sockets(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            unlink(ports[i].devices[s].socket);
        }
    }
}

static void
parse_port(char *s)
{
    struct port *p = &ports[n_ports];
    char *save = NULL, *token;

    if (n_ports == MAX_PORTS) {
        die("at most %d ports", MAX_PORTS);
    }
    n_ports++;
    for (unsigned int i = 0; i < N_SWITCHES; i++) {
        p->devices[i].socket = strtok_r(i ? NULL : s, ",", &save);
        if (!p->devices[i].socket) {
            die("--port: two sockets are needed");
        }
    }
    p->size = 1024;
    p->mtu = 1500;
    while ((token = strtok_r(NULL, ",", &save))) {
        char *value = strchr(token, '=');
        unsigned int number;

        if (!value) {
            die("--port: '%s' has no value", token);
        }
        *value++ = '\0';
        number = atoi(value);
        if (!strcmp(token, "mrg")) {
            p->mrg = number;
        } else if (!strcmp(token, "csum")) {
            p->csum = number;
        } else if (!strcmp(token, "lro")) {
            p->lro = number;
        } else if (!strcmp(token, "tx_csum")) {
            p->tx_csum = number;
        } else if (!strcmp(token, "tx_tso")) {
            p->tx_tso = number;
        } else if (!strcmp(token, "size")) {
            p->size = number;
        } else if (!strcmp(token, "mtu")) {
            p->mtu = number;
        } else if (!strcmp(token, "packed_vq") || !strcmp(token, "in_order")
                   || !strcmp(token, "vectorized")) {
            size_t len = strlen(p->extra);

            snprintf(p->extra + len, sizeof p->extra - len, ",%s=%d", token,
                     !!number);
        } else {
            die("--port: unknown option '%s'", token);
        }
    }
    if (p->lro && !p->mrg) {
        die("--port: lro needs mrg");
    }
}

static void
parse_options(int argc, char *argv[])
{
    static const struct option options[] = {
        { "port", required_argument, NULL, 'p' },
        { "mem", required_argument, NULL, 'm' },
        { "any-segment-size", no_argument, NULL, 's' },
        { "verbose", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'p':
            parse_port(optarg);
            break;
        case 'm':
            mem_mb = atoi(optarg);
            break;
        case 's':
            any_segment_size = true;
            break;
        case 'v':
            verbose = true;
            break;
        default:
            exit(2);
        }
    }
    if (n_ports < 2 || optind < argc) {
        die("at least two --port are needed, and nothing else");
    }
}

static void
start_device(const struct port *p, struct device *d, unsigned int id)
{
    struct rte_eth_dev_info info;
    const unsigned int room = 2048 + RTE_PKTMBUF_HEADROOM;
    struct rte_mempool *rx_pool;
    struct rte_eth_conf conf;
    char args[512];
    int err;

    unlink(d->socket);
    snprintf(args, sizeof args, "path=%s,server=1,queues=1,queue_size=%u,"
             "mrg_rxbuf=%d,mac=02:76:00:00:00:%02x%s", d->socket, p->size,
             p->mrg, (unsigned int) (p - ports) + 1, p->extra);
    d->id = guest_eal_open(id, args, TIMEOUT_S);
    if (rte_eth_dev_info_get(d->id, &info)) {
        die("%s: no device information", d->socket);
    }

    memset(&conf, 0, sizeof conf);
    conf.rxmode.mtu = p->mtu;
    if (p->mrg) {
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    }
    if (p->csum || p->lro) {
        conf.rxmode.offloads |= (RTE_ETH_RX_OFFLOAD_UDP_CKSUM
                                 | RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
    }
    if (p->lro) {
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
    }
    conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (p->tx_csum) {
        conf.txmode.offloads |= (RTE_ETH_TX_OFFLOAD_UDP_CKSUM
                                 | RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
    }
    if (p->tx_tso) {
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
    }
    if (conf.rxmode.offloads & ~info.rx_offload_capa
        || conf.txmode.offloads & ~info.tx_offload_capa) {
        die("%s: the device does not offer what is asked for", d->socket);
    }
    rx_pool = guest_eal_create_pool("rx", id, p->size * 2 + 512, 0, room);
    d->tx_pool = guest_eal_create_pool("tx", id, p->size * 2 + 2048, 0, room);
    err = rte_eth_dev_configure(d->id, 1, 1, &conf);
    if (!err) {
        err = rte_eth_rx_queue_setup(d->id, 0, p->size, SOCKET_ID_ANY, NULL,
                                     rx_pool);
    }
    if (!err) {
        err = rte_eth_tx_queue_setup(d->id, 0, p->size, SOCKET_ID_ANY, NULL);
    }
    if (!err) {
        err = rte_eth_dev_start(d->id);
    }
    if (err) {
        die("%s: cannot start: %s", d->socket, rte_strerror(-err));
    }
    rte_eth_promiscuous_enable(d->id);
}

/* Sending. */

static void
put_be32(uint8_t *p, uint32_t x)
{
    p[0] = x >> 24;
    p[1] = x >> 16;
    p[2] = x >> 8;
    p[3] = x;
}

static uint32_t
get_be32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Returns word 'i' of the tags of frame 'index' of the burst: of each two, a
 * tag and its complement. */
static uint32_t
tag_word(unsigned int index, uint32_t i)
{
    uint32_t tag = TAG_MAGIC;

    tag = tag << TAG_BURST_BITS | burst_number % (1u << TAG_BURST_BITS);
    tag = tag << TAG_INDEX_BITS | index;
    tag = tag << TAG_NUMBER_BITS | i / 2;
    return i & 1 ? ~tag : tag;
}

/* Makes an mbuf of 'data' in 'n_segs' pieces, or as many as are needed. */
static struct rte_mbuf *
make_mbuf(struct rte_mempool *pool, const uint8_t *data, uint32_t len,
          unsigned int n_segs)
{
    struct rte_mbuf *head = NULL, *last = NULL;
    uint32_t each = len / n_segs;

    each = each < 1 ? 1 : each > 2048 ? 2048 : each;
    do {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        uint32_t n = len < each + (each < 2048 ? n_segs : 0) ? len : each;

        n = n > 2048 ? 2048 : n;
        if (!m) {
            die("out of buffers");
        }
        memcpy(rte_pktmbuf_append(m, n), data, n);
        data += n;
        len -= n;
        if (!head) {
            head = m;
        } else {
            last->next = m;
            head->nb_segs++;
            head->pkt_len += n;
        }
        last = m;
    } while (len);
    return head;
}

static void
set_offloads(struct rte_mbuf *m, const struct file_frame *h)
{
    if (h->offload) {
        m->l2_len = h->l2_len;
        m->l3_len = h->l3_len;
        m->l4_len = h->l4_len;
        m->tso_segsz = h->segsz;
        m->ol_flags |= h->offload & OFFLOAD_IPV6 ? RTE_MBUF_F_TX_IPV6
                                                 : RTE_MBUF_F_TX_IPV4;
        if (h->offload & OFFLOAD_TSO) {
            m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        }
        if (h->offload & OFFLOAD_TCP) {
            m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
        } else if (h->offload & OFFLOAD_UDP) {
            m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
        }
    }
}

static void receive_all(void);

static bool
send_mbufs(const struct device *d, struct rte_mbuf *mbufs[], unsigned int n)
{
    uint64_t end = rte_rdtsc() + rte_get_tsc_hz() * TIMEOUT_S;
    unsigned int done = 0;

    for (;;) {
        done += rte_eth_tx_burst(d->id, 0, &mbufs[done], n - done);
        if (done == n) {
            return true;
        }
        receive_all();
        if (rte_rdtsc() > end) {
            fprintf(stderr, "%s: %u of %u frames sent, the next has %u bytes "
                    "in %u pieces\n", d->socket, done, n,
                    mbufs[done]->pkt_len, mbufs[done]->nb_segs);
            rte_pktmbuf_free_bulk(&mbufs[done], n - done);
            return false;
        }
    }
}

/* Sends those frames of the burst that leave by port 'port'. */
static bool
send_by(unsigned int port, unsigned int sw)
{
    static uint8_t buf[MAX_FRAME_LEN + TAG_LEN];
    const struct device *d = &ports[port].devices[sw];
    struct rte_mbuf *mbufs[MAX_BURST];
    unsigned int n = 0;

    for (unsigned int i = 0; i < n_burst; i++) {
        const struct frame *f = burst[i];
        uint32_t word = 0;

        if (f->h.port != port) {
            continue;
        }
        memcpy(buf, f->data, f->h.len);
        for (uint32_t ofs = f->h.tag_ofs;
             f->h.tag_ofs != TAG_NONE && ofs + TAG_LEN <= f->h.len;
             ofs += TAG_LEN) {
            put_be32(buf + ofs, tag_word(i, word++));
            put_be32(buf + ofs + 4, tag_word(i, word++));
        }
        mbufs[n] = make_mbuf(d->tx_pool, buf, f->h.len, f->h.n_segs);
        set_offloads(mbufs[n++], &f->h);
    }
    return send_mbufs(d, mbufs, n);
}

static bool
send_marker(unsigned int port, unsigned int sw)
{
    const struct device *d = &ports[port].devices[sw];
    uint8_t data[MARKER_LEN] = { 2, 0x76, 0, 0, 0, 0xff, 2, 0x76, 0, 0, 0,
                                 port + 1, MARKER_TYPE >> 8,
                                 MARKER_TYPE & 0xff, port, sw };
    struct rte_mbuf *m;

    put_be32(data + 16, last_marker);
    put_be32(data + 20, ~last_marker);
    m = make_mbuf(d->tx_pool, data, sizeof data, 1);
    return send_mbufs(d, &m, 1);
}

/* Receiving. */

/* Is it a marker?  Then takes note of it. */
static bool
receive_marker(const uint8_t *data, uint32_t len)
{
    if (len != MARKER_LEN || data[12] != MARKER_TYPE >> 8
        || data[13] != (MARKER_TYPE & 0xff)
        || get_be32(data + 16) != ~get_be32(data + 20)
        || data[14] >= n_ports || data[15] >= N_SWITCHES) {
        return false;
    }
    ports[data[14]].devices[data[15]].marker = get_be32(data + 16);
    return true;
}

/* Finds out which frame of the burst 'o' is, or which part of it. */
static void
identify(struct out *o)
{
    const uint8_t *p;
    uint32_t tag, word;
    unsigned int index;

    o->class = CLASS_UNKNOWN;
    o->index = 0;
    if (o->len < 4) {
        return;
    }
    p = o->data + o->len - 4;
    word = get_be32(p);
    tag = word >> 24 == TAG_MAGIC ? word : ~word;
    index = tag >> TAG_NUMBER_BITS & ((1u << TAG_INDEX_BITS) - 1);
    o->last = 2 * (tag & ((1u << TAG_NUMBER_BITS) - 1)) + (tag != word);
    if (index >= n_burst || word != tag_word(index, o->last)) {
        return;
    }
    o->index = index;
    o->class = burst[index]->h.class;
    o->first = o->last;
    while (o->first && p - o->data >= 4
           && get_be32(p - 4) == tag_word(index, o->first - 1)) {
        o->first--;
        p -= 4;
    }
}

static void
receive_from(unsigned int port, unsigned int sw)
{
    const struct device *d = &ports[port].devices[sw];
    struct rte_mbuf *mbufs[MAX_BURST];
    uint16_t n = rte_eth_rx_burst(d->id, 0, mbufs, MAX_BURST);

    for (uint16_t i = 0; i < n; i++) {
        struct rte_mbuf *m = mbufs[i];
        uint8_t *data = arena + arena_used;
        struct out *o;

        if (arena_used + m->pkt_len > ARENA_SIZE
            || n_outs[sw] == MAX_OUTS) {
            die("switch %u puts out too much", sw);
        }
        for (struct rte_mbuf *seg = m; seg; seg = seg->next) {
            memcpy(arena + arena_used, rte_pktmbuf_mtod(seg, void *),
                   seg->data_len);
            arena_used += seg->data_len;
        }
        if (receive_marker(data, m->pkt_len)) {
            rte_pktmbuf_free(m);
            continue;
        }
        o = &outs[sw][n_outs[sw]];
        o->port = port;
        o->arrival = n_outs[sw]++;
        o->len = m->pkt_len;
        o->data = data;
        /* The driver leaves the header before the frame. */
        memcpy(o->hdr, (uint8_t *) m->buf_addr + RTE_PKTMBUF_HEADROOM
               - HDR_LEN, HDR_LEN);
        if (any_segment_size && (o->hdr[4] || o->hdr[5])) {
            o->hdr[4] = o->hdr[5] = 0xff;
        }
        identify(o);
        rte_pktmbuf_free(m);
    }
}

static void
receive_all(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            receive_from(i, s);
        }
    }
}

/* Sends a marker by each port and waits for all of them. */
static bool
pass_marker(void)
{
    uint64_t end = rte_rdtsc() + rte_get_tsc_hz() * TIMEOUT_S;
    unsigned int idle = 0;

    last_marker++;
    for (unsigned int i = 0; i < n_ports; i++) {
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            if (!send_marker(i, s)) {
                return false;
            }
        }
    }
    for (;;) {
        bool all = true;

        receive_all();
        for (unsigned int i = 0; i < n_ports; i++) {
            for (unsigned int s = 0; s < N_SWITCHES; s++) {
                all = all && ports[i].devices[s].marker == last_marker;
            }
        }
        if (all) {
            return true;
        } else if (rte_rdtsc() > end) {
            for (unsigned int i = 0; i < n_ports; i++) {
                for (unsigned int s = 0; s < N_SWITCHES; s++) {
                    if (ports[i].devices[s].marker != last_marker) {
                        fprintf(stderr, "switch %u: marker of port %u lost\n",
                                s, i + 1);
                    }
                }
            }
            return false;
        }
        /* The switches may need this processor. */
        if (++idle > 4) {
            usleep(5);
        }
    }
}

/* Comparing. */

static int
compare_outs(const void *a_, const void *b_)
{
    const struct out *a = a_, *b = b_;
    int d;

    if (a->port != b->port) {
        return a->port < b->port ? -1 : 1;
    } else if (a->class != b->class) {
        return a->class < b->class ? -1 : 1;
    } else if (a->class == CLASS_UNKNOWN) {
        /* In any order, so in that of their content. */
        if (a->len != b->len) {
            return a->len < b->len ? -1 : 1;
        }
        d = memcmp(a->data, b->data, a->len);
        return d ? d : memcmp(a->hdr, b->hdr, HDR_LEN);
    } else if (a->copy != b->copy) {
        return a->copy < b->copy ? -1 : 1;
    }
    return a->arrival < b->arrival ? -1 : 1;
}

static void
sort_outs(unsigned int sw)
{
    struct seen {
        uint16_t n;             /* Copies. */
        uint32_t next;          /* Where the last one goes on. */
    } seen[MAX_PORTS][MAX_BURST];
    /* The last frame of each class, by its first one in the burst. */
    uint16_t last[MAX_PORTS][MAX_BURST];

    memset(seen, 0, sizeof seen);
    memset(last, 0, sizeof last);
    for (unsigned int i = 0; i < n_outs[sw]; i++) {
        struct out *o = &outs[sw][i];

        if (o->class != CLASS_UNKNOWN) {
            struct seen *frame = &seen[o->port][o->index];
            unsigned int leader = 0;

            while (burst[leader]->h.class != o->class) {
                leader++;
            }
            /* What does not go on right where the last segment ended begins
             * another copy, so that segments in disorder are so many. */
            if (!frame->n || o->first != frame->next
                || last[o->port][leader] != o->index) {
                frame->n++;
            }
            o->copy = frame->n - 1;
            frame->next = o->last + 1;
            last[o->port][leader] = o->index;
        }
    }
    qsort(outs[sw], n_outs[sw], sizeof outs[sw][0], compare_outs);
}

static void
print_hex(const char *what, const uint8_t *data, uint32_t len)
{
    fprintf(stderr, "%s", what);
    for (uint32_t i = 0; i < len && i < 192; i++) {
        fprintf(stderr, "%02x", data[i]);
    }
    fprintf(stderr, "%s\n", len > 192 ? "..." : "");
}

static void
print_out(unsigned int sw, const struct out *o)
{
    if (!o) {
        fprintf(stderr, "switch %u: nothing\n", sw);
        return;
    }
    fprintf(stderr, "switch %u: %u bytes by port %u", sw, o->len,
            o->port + 1);
    if (o->class != CLASS_UNKNOWN) {
        fprintf(stderr, ", words %"PRIu32" to %"PRIu32" of frame %u of the "
                "burst, copy %u", o->first, o->last, o->index, o->copy + 1);
    }
    print_hex(", header ", o->hdr, HDR_LEN);
    print_hex("    ", o->data, o->len);
}

static void
print_burst(void)
{
    for (unsigned int i = 0; i < n_burst; i++) {
        const struct file_frame *h = &burst[i]->h;

        fprintf(stderr, "sent: frame %u of the burst, %u of the file, "
                "class %u, %u bytes by port %u", i,
                (unsigned int) (burst[i] - frames), h->class, h->len,
                h->port + 1);
        if (h->offload) {
            fprintf(stderr, ", offload %x lengths %u %u %u segment %u",
                    h->offload, h->l2_len, h->l3_len, h->l4_len, h->segsz);
        }
        print_hex("\n    ", burst[i]->data, h->len);
    }
}

static bool
outs_equal(const struct out *a, const struct out *b)
{
    return (a->port == b->port && a->class == b->class
            && a->index == b->index && a->len == b->len
            && !memcmp(a->data, b->data, a->len)
            && !memcmp(a->hdr, b->hdr, HDR_LEN));
}

static void
compare(void)
{
    unsigned int n = n_outs[0] > n_outs[1] ? n_outs[0] : n_outs[1];
    unsigned int i = 0;

    for (unsigned int s = 0; s < N_SWITCHES; s++) {
        sort_outs(s);
    }
    n_received += n_outs[1];
    while (i < n && i < n_outs[0] && i < n_outs[1]
           && outs_equal(&outs[0][i], &outs[1][i])) {
        i++;
    }
    if (i < n && !n_differ++) {
        fprintf(stderr, "%u and %u frames came out; they differ in number "
                "%u:\n", n_outs[0], n_outs[1], i);
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            print_out(s, i < n_outs[s] ? &outs[s][i] : NULL);
        }
        print_burst();
    }
}

/* Sends the burst and compares what comes. */
static bool
run_burst(void)
{
    burst_number++;
    arena_used = 0;
    n_outs[0] = n_outs[1] = 0;
    for (unsigned int i = 0; i < n_ports; i++) {
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            if (!send_by(i, s)) {
                return false;
            }
        }
    }
    n_sent += n_burst;
    if (!pass_marker() || !pass_marker()) {
        return false;
    }
    receive_all();
    compare();
    return true;
}

/* Buffers that 'f' may need. */
static unsigned int
frame_cost(const struct frame *f)
{
    /* Cut into segments it takes one for each. */
    unsigned int n = f->h.len / 2048 + 1;

    if (f->h.offload & OFFLOAD_TSO) {
        unsigned int segsz = f->h.segsz < 48 ? 48 : f->h.segsz;

        n = RTE_MAX(n, f->h.len / segsz + 1);
    }
    return n * copies;
}

/* Adds 'f' to the burst unless that would be too much. */
static bool
add_frame(const struct frame *f, unsigned int *left)
{
    unsigned int cost = frame_cost(f);

    if (n_burst == MAX_BURST || (n_burst && cost > *left)) {
        return false;
    }
    *left -= RTE_MIN(cost, *left);
    burst[n_burst++] = f;
    return true;
}

static bool
run_once(void)
{
    unsigned int i = 0;

    while (i < n_frames) {
        unsigned int left = window;

        n_burst = 0;
        while (i < n_frames && add_frame(&frames[i], &left)) {
            i++;
        }
        if (!run_burst()) {
            return false;
        }
    }
    return true;
}

static bool
run_random(uint64_t seed, unsigned int n)
{
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++) {
        random_number(2);
    }
    while (n--) {
        unsigned int max = 1 + random_number(MAX_BURST);
        unsigned int left = window;
        /* Now and then many frames of few flows. */
        unsigned int range = (random_number(2) ? n_frames
                              : 1 + random_number(n_frames));
        unsigned int base = random_number(n_frames);

        n_burst = 0;
        while (n_burst < max
               && add_frame(&frames[(base + random_number(range))
                                    % n_frames], &left)) {
            /* What is like the packet before it may go a shorter way. */
            for (unsigned int i = n % 4 ? 0 : n_burst % 4;
                 i > 0 && n_burst < max; i--) {
                add_frame(burst[n_burst - 1], &left);
            }
        }
        if (!run_burst()) {
            return false;
        }
    }
    return true;
}

/* Commands. */

static void
load(const char *name)
{
    FILE *file = fopen(name, "rb");
    struct file_frame h;

    if (!file) {
        die("%s: %s", name, strerror(errno));
    }
    while (n_frames) {
        free(frames[--n_frames].data);
    }
    while (fread(&h, sizeof h, 1, file) == 1) {
        struct frame *f = &frames[n_frames];

        if (n_frames == MAX_FRAMES || h.len > MAX_FRAME_LEN
            || h.port >= n_ports || !h.n_segs
            || (h.tag_ofs != TAG_NONE
                && (h.tag_ofs + TAG_LEN > h.len
                    || h.len - h.tag_ofs >= TAG_LEN << TAG_NUMBER_BITS))) {
            die("%s: frame %u is bad", name, n_frames);
        }
        f->h = h;
        f->data = malloc(h.len + 1);
        if (!f->data || fread(f->data, 1, h.len, file) != h.len) {
            die("%s: frame %u is not there", name, n_frames);
        }
        n_frames++;
    }
    fclose(file);
    if (!n_frames) {
        die("%s: no frames", name);
    }
}

static void
answer(bool ok)
{
    if (!ok) {
        printf("stuck\n");
    } else if (n_differ) {
        printf("differ %"PRIu64"\n", n_differ);
    } else {
        printf("ok %"PRIu64" %"PRIu64"\n", n_sent, n_received);
    }
    fflush(stdout);
    fflush(stderr);
}

static void
run_commands(void)
{
    char line[4096], name[4096];

    while (fgets(line, sizeof line, stdin)) {
        unsigned int n;
        uint64_t seed;
        bool ok = true;

        n_sent = n_received = n_differ = 0;
        if (sscanf(line, "load %4095s", name) == 1) {
            load(name);
        } else if (sscanf(line, "copies %u", &n) == 1) {
            copies = n;
        } else if (sscanf(line, "run %"SCNu64" %u", &seed, &n) == 2) {
            ok = run_random(seed, n);
        } else if (!strncmp(line, "once", 4)) {
            ok = run_once();
        } else {
            die("unknown command: %s", line);
        }
        answer(ok);
    }
}

int
main(int argc, char *argv[])
{
    parse_options(argc, argv);
    arena = malloc(ARENA_SIZE);
    if (!arena) {
        die("out of memory");
    }
    guest_eal_start(mem_mb, false, NULL, verbose, remove_sockets);
    window = UINT_MAX;
    for (unsigned int i = 0; i < n_ports; i++) {
        for (unsigned int s = 0; s < N_SWITCHES; s++) {
            start_device(&ports[i], &ports[i].devices[s],
                         i * N_SWITCHES + s);
        }
        window = RTE_MIN(window, ports[i].size - 32);
    }
    signal(SIGPIPE, SIG_IGN);
    answer(true);
    run_commands();
    for (unsigned int i = 0; i < n_ports * N_SWITCHES; i++) {
        struct device *d = &ports[i / N_SWITCHES].devices[i % N_SWITCHES];

        guest_eal_close(i, d->id);
    }
    rte_eal_cleanup();
    return 0;
}
