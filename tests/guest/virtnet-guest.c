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

#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

struct guest_state state = { .phase = "start" };
struct port ports[MAX_PORTS];
unsigned int n_ports;
struct flow *flows[GUEST_MAX_SENDERS][GUEST_MAX_QUEUES];

/* Has a probe by this sender's queue arrived? */
static bool probed[GUEST_MAX_SENDERS][GUEST_MAX_QUEUES];

static uint8_t *scratch;        /* GUEST_FRAME_MAX bytes. */

static uint64_t
ns_since(uint64_t tsc)
{
    return (rte_rdtsc() - tsc) * 1e9 / state.hz;
}

static double
cpu_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
on_signal(int sig)
{
    (void) sig;
    state.stopping = 1;
}

static void
remove_sockets(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        if (ports[i].opened && ports[i].server) {
            unlink(ports[i].socket);
        }
    }
}

/* Starting. */

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

/* Length of a flood's frames. */
static unsigned int
flood_len(void)
{
    return opt.tso_len ? opt.tso_len + GUEST_TCP_HEADERS : opt.sizes[0];
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
        .flow = index % opt.n_flows,
        .tcp = opt.tso_len != 0,
        .len = flood_len(),
    };

    guest_frame_build(&f, opt.tso_len ? GUEST_CSUM_TSO : GUEST_CSUM_FULL,
                      (uint8_t *) m->buf_addr + RTE_PKTMBUF_HEADROOM);
}

static void
start_port(struct port *p)
{
    struct rte_eth_conf conf;
    unsigned int i = p - ports;
    unsigned int room, n;
    uint64_t want;
    int err;

    if (p->server) {
        remove_stale_socket(p->socket);
    }
    p->opened = true;
    p->id = guest_eal_open(i, p->devargs, opt.timeout_s + 1);
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
    if (opt.csum || p->lro) {
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
    if (opt.csum || opt.tso_len) {
        want = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
        if (opt.tso_len) {
            want |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
        }
        if (want & ~p->info.tx_offload_capa) {
            die("%s: the device does not offer %s", p->socket,
                opt.tso_len ? "TSO" : "checksums");
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
    p->rx_pool = guest_eal_create_pool("rx", i, n * 2 + 1024, 256,
                                       room + RTE_PKTMBUF_HEADROOM);
    /* A ring entry takes at most 8 pieces (an indirect table), and frees them
     * only when it is used again. */
    room = 2048;
    if (opt.n_segs == 1 && opt.mode == MODE_FLOOD) {
        /* A frame is never built anew, so each has one piece of memory. */
        room = RTE_MAX(room, flood_len());
        n += opt.tso_len ? 256 : 4096;
    } else {
        n = n * (opt.tso_len || opt.n_segs > 8 ? 8 : opt.n_segs) + 4096;
    }
    p->tx_pool = guest_eal_create_pool("tx", i, n, 256,
                                       room + RTE_PKTMBUF_HEADROOM);
    if (opt.mode == MODE_FLOOD) {
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
        return !state.stopping;
    }
    next = now + state.hz / 100;
    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];
        struct rte_eth_link link;

        if (!rte_eth_link_get_nowait(p->id, &link)
            && p->link != link.link_status) {
            p->link = link.link_status;
            p->link_changes++;
        }
    }
    if (opt.stop_file && !access(opt.stop_file, F_OK)) {
        state.stopping = 1;
    }
    if (opt.status_file && now >= next_status) {
        write_report(opt.status_file);
        next_status = now + state.hz / 10;
    }
    return !state.stopping;
}

static bool
timed_out(uint64_t since)
{
    return ns_since(since) > opt.timeout_s * 1e9;
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

/* Stops waiting for what 'p' has made and not seen again. */
static void
write_off(struct port *p)
{
    for (unsigned int q = 0; q < p->n_queues; q++) {
        struct flow *flow = get_flow(p->sender, q);
        uint64_t end = p->queues[q].next_seq, arrived = flow->received;

        if (opt.tso_len) {
            end *= opt.tso_len;
            arrived = flow->bytes;
        }
        flow->written_off = end - arrived;
        flow->written_off_end = end;
    }
}

/* Takes note of 'f', with 'n' frames or bytes, which has arrived although it
 * may have been written off. */
static void
write_on(struct flow *flow, const struct guest_frame *f, uint32_t n)
{
    if ((int32_t) (f->seq - flow->written_off_end) < 0) {
        flow->written_off -= RTE_MIN(flow->written_off, n);
    }
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
    write_on(flow, f, 1);
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
    write_on(flow, f, len);
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
    if (!opt.verify) {
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
        probed[f.sender][f.queue] = true;
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
    uint32_t piece = (len + opt.n_segs - 1) / opt.n_segs;
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

/* Tells the device what it is to do with 'm'. */
static void
set_offloads(struct rte_mbuf *m, enum guest_csum how)
{
    if (how == GUEST_CSUM_FULL) {
        return;
    }
    m->l2_len = GUEST_ETH_LEN;
    m->l3_len = GUEST_IP_LEN;
    m->ol_flags |= RTE_MBUF_F_TX_IPV4;
    if (how == GUEST_CSUM_TSO) {
        m->l4_len = GUEST_TCP_LEN;
        m->tso_segsz = opt.tso_mss;
        m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
    } else {
        m->l4_len = GUEST_UDP_LEN;
        m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
    }
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
    } else if (opt.tso_len) {
        how = GUEST_CSUM_TSO;
        f.tcp = true;
        f.seq = queue->next_seq * opt.tso_len;
        f.len = GUEST_TCP_HEADERS + opt.tso_len;
    } else {
        how = opt.csum ? GUEST_CSUM_PARTIAL : GUEST_CSUM_FULL;
        f.seq = queue->next_seq;
        f.flow = queue->next_seq % opt.n_flows;
        f.len = opt.sizes[p->built % opt.n_sizes];
    }
    guest_frame_build(&f, how, scratch);
    m = make_mbuf(p, scratch, f.len);
    if (!m) {
        return NULL;
    }
    set_offloads(m, how);
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

    if (!opt.rate) {
        return max;
    }
    now = rte_rdtsc();
    if (p->tokens_at) {
        p->tokens += (now - p->tokens_at) * opt.rate / state.hz;
        p->tokens = RTE_MIN(p->tokens, BURST + opt.rate / 100);
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
    if ((opt.csum || opt.tso_len) && i) {
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

/* Sends a probe by queue 'q' of 'p', if there is room for it. */
static void
send_probe(struct port *p, unsigned int q)
{
    struct rte_mbuf *m = make_frame(p, q, true);

    if (m && rte_eth_tx_burst(p->id, q, &m, 1) == 1) {
        p->probes++;
        p->tx_packets++;
        p->tx_bytes += GUEST_FRAME_MIN;
    } else {
        rte_pktmbuf_free(m);
    }
}

/* Have probes come here that 'p' sent by some of its queues, but none by
 * others?  If none has they may go to another process. */
static bool
is_half_probed(const struct port *p)
{
    unsigned int n = 0;

    for (unsigned int q = 0; q < p->n_queues; q++) {
        n += probed[p->sender][q];
    }
    return n && n < p->n_queues;
}

/* Sends probes from each port now and then, until each got one and those of
 * all queues have arrived.  A switch may see a driver's first queue before its
 * others, and to take up another one it may have to let go of the port for a
 * moment, and of frames. */
static void
run_probe(void)
{
    uint64_t start = rte_rdtsc();
    uint64_t next = 0;
    bool done;

    do {
        bool again = rte_rdtsc() >= next;

        if (again) {
            next = rte_rdtsc() + state.hz / 50;
        }
        done = true;
        for (unsigned int i = 0; i < n_ports; i++) {
            struct port *p = &ports[i];

            if (!p->probes_received || is_half_probed(p)) {
                done = false;
            }
        }
        if (!done && again) {
            for (unsigned int i = 0; i < n_ports; i++) {
                struct port *p = &ports[i];

                for (unsigned int q = 0; q < p->n_queues; q++) {
                    if (!q || !probed[p->sender][q]) {
                        send_probe(p, q);
                    }
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
    if (opt.mode == MODE_PINGPONG) {
        state.rtts = calloc(opt.n_send * n_ports + 1, sizeof *state.rtts);
        if (!state.rtts) {
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
                    write_off(p);
                }
            }
        }

        for (unsigned int i = 0; i < n_ports; i++) {
            struct port *p = &ports[i];
            uint64_t acked, away;

            acked = opt.mode == MODE_ONEWAY ? p->built : port_acked(p);
            away = acked + port_written_off(p);
            away = p->built - RTE_MIN(p->built, away);
            if (p->timed_from && acked >= p->built) {
                state.rtts[state.n_rtts++] = ns_since(p->timed_from);
                p->timed_from = 0;
            }
            if (acked != p->last_acked || !away) {
                p->last_acked = acked;
                p->progress_at = rte_rdtsc();
            } else if (ns_since(p->progress_at) > opt.loss_timeout_ms * 1e6
                       && p->pending_ofs == p->n_pending && p->link) {
                /* Whatever is still on its way is lost.  Should it arrive
                 * nevertheless, it is counted all the same. */
                write_off(p);
                p->progress_at = rte_rdtsc();
            }
            if (p->built < p->to_send || p->pending_ofs < p->n_pending
                || away) {
                done = false;
            }
            if (away < opt.window_size || p->pending_ofs < p->n_pending) {
                uint64_t now = rte_rdtsc();
                uint64_t built = p->built;
                uint64_t room = BURST;

                if (opt.mode != MODE_ONEWAY) {
                    room = opt.window_size - RTE_MIN(away, opt.window_size);
                }
                busy |= send_some(p, room);
                if (state.rtts && p->built > built) {
                    p->timed_from = now;
                }
            }
        }
        busy |= receive_all();
        if (done) {
            break;
        }
        if (timed_out(state.started_at)) {
            fail("not done in %g seconds", opt.timeout_s);
            break;
        }
        rest(busy);
    }
}

static void
run_sink(void)
{
    while (poll_world()) {
        bool done = opt.n_expect != UINT64_MAX || opt.n_expect_min;

        rest(receive_all());
        for (unsigned int i = 0; i < n_ports; i++) {
            if (ports[i].received < (opt.n_expect != UINT64_MAX ? opt.n_expect
                                     : opt.n_expect_min)) {
                done = false;
            }
        }
        if (done) {
            break;
        }
        if (timed_out(state.started_at)) {
            if (opt.n_expect != UINT64_MAX || opt.n_expect_min) {
                fail("not all arrived in %g seconds", opt.timeout_s);
            }
            break;
        }
    }
    /* Whoever stops us may count on what came before that, however long we
     * had not been running. */
    for (unsigned int i = 0; i < ports[0].queue_size && receive_all(); i++) {
        continue;
    }
}

static void
run_echo(void)
{
    struct rte_mbuf *burst[BURST];

    while (poll_world() && !timed_out(state.started_at)) {
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
    unsigned int len = flood_len();

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
            if (opt.rate && !(n = rate_allows(p, BURST))) {
                continue;
            }
            if (rte_pktmbuf_alloc_bulk(p->tx_pool, burst, n)) {
                continue;
            }
            for (uint16_t j = 0; j < n; j++) {
                burst[j]->data_len = burst[j]->pkt_len = len;
                if (opt.tso_len) {
                    set_offloads(burst[j], GUEST_CSUM_TSO);
                }
            }

            uint16_t done = rte_eth_tx_burst(p->id, q, burst, n);
            rte_pktmbuf_free_bulk(&burst[done], n - done);
            p->tx_packets += done;
            p->tx_bytes += (uint64_t) done * len;
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
finish_flood(void)
{
    for (unsigned int i = 0; i < n_ports; i++) {
        ports[i].sent = ports[i].tx_packets;
        ports[i].sent_bytes = ports[i].tx_bytes;
        ports[i].received = ports[i].rx_packets;
        ports[i].received_bytes = ports[i].rx_bytes;
    }
}

static void
run_flood(void)
{
    uint64_t rx0 = 0, tx0 = 0, at = 0;
    uint64_t warm = rte_rdtsc() + opt.warmup_s * state.hz;
    uint64_t end = warm + opt.duration_s * state.hz;
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
        if (!at || now - at >= state.hz) {
            uint64_t rx, tx;
            double cpu = cpu_seconds();

            sum_flood(&rx, &tx);
            if (at && state.n_windows < MAX_WINDOWS) {
                struct window *w = &state.windows[state.n_windows++];

                w->seconds = (now - at) / (double) state.hz;
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
}

/* Floods for 'seconds', longer by less than a hundred bursts.  Returns how
 * long it was. */
static double
flood_for(double seconds)
{
    uint64_t start = rte_rdtsc(), now;

    do {
        for (int i = 0; i < 64; i++) {
            flood_once();
        }
        now = rte_rdtsc();
    } while (now - start < seconds * state.hz && poll_world());
    return (now - start) / (double) state.hz;
}

/* Bytes received. */
static uint64_t
sum_bytes(void)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < n_ports; i++) {
        sum += ports[i].rx_bytes;
    }
    return sum;
}

/* Floods when it is told to, so that several guests, on as many switches, can
 * take turns. */
static void
run_turns(void)
{
    char line[32];

    while (poll_world() && fgets(line, sizeof line, stdin)) {
        double seconds = strtod(line, NULL);
        uint64_t rx0, tx0, bytes0, rx, tx;

        flood_for(opt.warmup_s);
        sum_flood(&rx0, &tx0);
        bytes0 = sum_bytes();
        seconds = flood_for(seconds);
        sum_flood(&rx, &tx);
        printf("%.6f %.6f %.1f\n", (rx - rx0) / seconds / 1e6,
               (tx - tx0) / seconds / 1e6,
               (sum_bytes() - bytes0) / (double) RTE_MAX(rx - rx0, 1u));
        fflush(stdout);
    }
}

static void
wait_for_links(void)
{
    uint64_t start = rte_rdtsc();
    bool up;

    state.phase = "link";
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
    } while (!up && !state.stopping);
}

static void
wait_for_file(const char *name)
{
    uint64_t start = rte_rdtsc();

    state.phase = "wait";
    while (access(name, F_OK) && poll_world()) {
        if (timed_out(start)) {
            fail("%s did not appear", name);
            return;
        }
        /* Let no ring fill up meanwhile. */
        rest(opt.mode != MODE_FLOOD && receive_all());
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
            if (lost && !opt.allow_loss) {
                fail("port %u: %"PRIu64" of %"PRIu64" frames lost", i, lost,
                     p->sent);
            }
        } else if (opt.mode == MODE_ONEWAY && p->sent < p->to_send) {
            fail("port %u: %"PRIu64" of %"PRIu64" frames sent", i, p->sent,
                 p->to_send);
        }
        if (p->duplicated && !opt.allow_loss) {
            fail("port %u: %"PRIu64" frames doubled", i, p->duplicated);
        }
        if (p->reordered && !opt.allow_reorder) {
            fail("port %u: %"PRIu64" frames late", i, p->reordered);
        }
        if (p->corrupt) {
            fail("port %u: %"PRIu64" frames damaged", i, p->corrupt);
        }
        if (p->bad_csum) {
            fail("port %u: %"PRIu64" frames with a wrong checksum", i,
                 p->bad_csum);
        }
        if (opt.n_expect != UINT64_MAX && p->received != opt.n_expect) {
            fail("port %u: received %"PRIu64" frames, not %"PRIu64, i,
                 p->received, opt.n_expect);
        }
        if (p->received < opt.n_expect_min) {
            fail("port %u: received only %"PRIu64" frames", i, p->received);
        }
    }
}

static void
run(void)
{
    wait_for_links();
    if (state.failure || state.stopping) {
        return;
    }
    state.phase = "ready";
    if (opt.ready_file) {
        write_report(opt.ready_file);
    }
    if (opt.wait_file) {
        wait_for_file(opt.wait_file);
    }
    if (opt.probe && !state.failure && !state.stopping) {
        state.phase = "probe";
        run_probe();
    }
    if (state.failure || state.stopping) {
        return;
    }

    state.phase = "traffic";
    state.started_at = rte_rdtsc();
    switch (opt.mode) {
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
        if (opt.turns) {
            run_turns();
        } else {
            run_flood();
        }
        finish_flood();
        break;
    case N_MODES:
    default:
        abort();
    }
    state.finished_at = rte_rdtsc();
    if (opt.hold) {
        state.phase = "hold";
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
    guest_eal_start(opt.mem_mb, opt.huge, opt.lcore, opt.verbose,
                    remove_sockets);
    state.hz = rte_get_tsc_hz();
    for (unsigned int i = 0; i < n_ports; i++) {
        start_port(&ports[i]);
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    run();
    if (state.stopping && !state.started_at) {
        fail("stopped before it began");
    }

    for (unsigned int i = 0; i < n_ports; i++) {
        drop_pending(&ports[i]);
    }
    state.phase = "done";
    print_report(stdout);
    if (opt.status_file) {
        write_report(opt.status_file);
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        guest_eal_close(i, ports[i].id);
    }
    rte_eal_cleanup();
    return state.failure ? 1 : 0;
}
