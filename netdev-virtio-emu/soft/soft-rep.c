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

/* The representor of a device of the soft backend.  See soft-rep.h.
 *
 * Security model
 * ==============
 *
 * Guests are hostile, and what they share with us (rings and buffers) they can
 * change at any time.  virtq.h reads rings, and yields segments that have been
 * checked to lie within the guest's memory; packets are copied from and to
 * them.  A guest that puts nonsense into its rings has the buffers given back,
 * or stops its own queue.  Offload requests are checked in soft-packet.c.
 *
 * Everything a guest can make happen here is bounded: a burst, a number of
 * attempts to send. */

#include <config.h>

#include "soft-rep.h"

#include <errno.h>
#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "coverage.h"
#include "dp-packet.h"
#include "openvswitch/netdev.h"
#include "openvswitch/vlog.h"
#include "soft-backend.h"
#include "soft-eswitch.h"
#include "soft-forward.h"
#include "soft-mempool.h"
#include "soft-packet.h"
#include "virtnet-backend-provider.h"
#include "virtnet-health.h"
#include "virtnet-settings.h"
#include "virtq.h"

VLOG_DEFINE_THIS_MODULE(virtnet_soft_rep);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

COVERAGE_DEFINE(virtnet_tx_contention);

/* Attempts to send the rest of a burst, as long as the guest makes room. */
#define MAX_RETRIES 8

/* How long (ns) a receive queue is left alone after a burst that was not full.
 *
 * Each look at a ring takes a cache line away from the driver that is just
 * writing to it.  A packet thread that is fast looks so often that drivers are
 * slowed down by it, and hand over a packet or two at a time, which costs more
 * again. */
#define REST_NS 1000
static uint64_t rest_cycles;    /* The same in cycles of the TSC. */

/* Counters with a single writer: no locked instruction is needed. */
static inline void
counter_add(atomic_uint64_t *counter, uint64_t n)
{
    uint64_t value;

    atomic_read_relaxed(counter, &value);
    atomic_store_relaxed(counter, value + n);
}

static inline uint64_t
counter_get(const atomic_uint64_t *counter)
{
    uint64_t value;

    atomic_read_relaxed(CONST_CAST(atomic_uint64_t *, counter), &value);
    return value;
}

static inline struct soft_rep *
soft_rep_cast(const struct virtnet_device *dev)
{
    return &soft_device_cast(dev)->rep;
}

/* Life. */

static struct soft_queue_pair *
pairs_alloc(unsigned int n_pairs)
{
    struct soft_queue_pair *pairs;

    pairs = xzalloc_cacheline(n_pairs * sizeof *pairs);
    for (unsigned int i = 0; i < n_pairs; i++) {
        soft_ring_init(&pairs[i].rx.ring);
        soft_ring_init(&pairs[i].tx.ring);
    }
    return pairs;
}

static void
set_pool(struct soft_rep *rep, struct soft_mempool *pool)
{
    ovsrcu_set(&rep->mp, soft_mempool_mp(pool));
    soft_mempool_put(rep->pool);
    rep->pool = pool;
}

int
soft_rep_init(struct soft_rep *rep, int mtu, unsigned int n_buffers,
              unsigned int n_pairs, char **errp)
{
    struct soft_mempool *pool;
    int error;

    error = soft_mempool_get(-1, mtu, n_buffers, &pool, errp);
    if (error) {
        return error;
    }
    rest_cycles = rte_get_tsc_hz() / (1000 * 1000 * 1000 / REST_NS);
    ovsrcu_index_init(&rep->vid, -1);
    rep->n_buffers = n_buffers;
    atomic_init(&rep->mtu, mtu);
    rep->n_pairs = n_pairs;
    rep->pairs = pairs_alloc(n_pairs);
    set_pool(rep, pool);
    return 0;
}

void
soft_rep_release_memory(struct soft_rep *rep)
{
    soft_mempool_put(rep->pool);
    rep->pool = NULL;
}

void
soft_rep_uninit(struct soft_rep *rep)
{
    free_cacheline(rep->pairs);
}

void
soft_rep_set_n_pairs(struct soft_rep *rep, unsigned int n_pairs)
{
    if (n_pairs > rep->n_pairs) {
        struct soft_queue_pair *pairs = pairs_alloc(n_pairs);

        memcpy(pairs, rep->pairs, rep->n_pairs * sizeof *pairs);
        free_cacheline(rep->pairs);
        rep->pairs = pairs;
        rep->n_pairs = n_pairs;
    }
}

/* Attachment. */

/* Spreads the queue ids of the datapath over the queues that are enabled. */
static void
update_map(struct soft_rep *rep)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        bool enabled;

        atomic_read_relaxed(&rep->pairs[i].tx.enabled, &enabled);
        if (enabled) {
            atomic_store_relaxed(&rep->map[n++], i);
        }
    }
    atomic_store_explicit(&rep->n_map, n, memory_order_release);
}

void
soft_rep_enable_vring(struct soft_rep *rep, unsigned int vring, bool enable)
{
    unsigned int pair = vring / 2;

    if (pair < rep->n_pairs) {
        if (vring & 1) {
            atomic_store_relaxed(&rep->pairs[pair].rx.enabled, enable);
        } else {
            atomic_store_relaxed(&rep->pairs[pair].tx.enabled, enable);
            update_map(rep);
        }
    }
}

void
soft_rep_disable_vrings(struct soft_rep *rep)
{
    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        atomic_store_relaxed(&rep->pairs[i].rx.enabled, false);
        atomic_store_relaxed(&rep->pairs[i].tx.enabled, false);
    }
    update_map(rep);
}

/* Returns the ring of virtqueue 'vring', or NULL if there is no such. */
struct soft_ring *
soft_rep_get_ring(struct soft_rep *rep, unsigned int vring)
{
    unsigned int pair = vring / 2;

    return (pair >= rep->n_pairs ? NULL
            : vring & 1 ? &rep->pairs[pair].rx.ring
            : &rep->pairs[pair].tx.ring);
}

void
soft_rep_announce(struct soft_rep *rep, const struct eth_addr mac)
{
    uint64_t announce = 0;

    BUILD_ASSERT_DECL(sizeof mac <= sizeof announce);
    memcpy(&announce, &mac, sizeof mac);
    atomic_store_relaxed(&rep->announce, announce);

    /* If it falls asleep just now, it is looked at 100 ms later. */
    soft_idle_wake(&rep->pairs[0].rx.ring.sleeper);
}

/* Number of queues that must be polled to poll all that the driver has
 * enabled. */
unsigned int
soft_rep_enabled_pairs(const struct soft_rep *rep)
{
    for (unsigned int i = rep->n_pairs; i > 0; i--) {
        bool enabled;

        atomic_read_relaxed(&rep->pairs[i - 1].rx.enabled, &enabled);
        if (enabled) {
            return i;
        }
    }
    return 0;
}

void
soft_rep_set_socket_id(struct soft_rep *rep, int socket_id, const char *name)
{
    struct soft_mempool *pool;
    uint16_t mtu;
    char *err = NULL;

    if (socket_id == soft_mempool_socket_id(rep->pool)) {
        return;
    }
    atomic_read_relaxed(&rep->mtu, &mtu);
    if (soft_mempool_get(socket_id, mtu, rep->n_buffers, &pool, &err)) {
        VLOG_WARN_RL(&rl, "%s: the guest's memory is on NUMA node %d, but "
                     "packets stay where they are: %s", name, socket_id, err);
        free(err);
    } else {
        set_pool(rep, pool);
    }
}

/* Representor operations. */

int
soft_rep_set_mtu(struct virtnet_device *dev, int mtu)
{
    struct soft_rep *rep = soft_rep_cast(dev);
    struct soft_mempool *pool;
    char *err = NULL;
    int error;

    if (!rep->pool) {
        return -ENODEV;         /* The function is gone. */
    }
    error = soft_mempool_get(soft_mempool_socket_id(rep->pool), mtu,
                             rep->n_buffers, &pool, &err);
    if (error) {
        VLOG_WARN("%s: MTU %d: %s", dev->rep_name, mtu, err);
        free(err);
        return error;
    }
    set_pool(rep, pool);
    atomic_store_relaxed(&rep->mtu, mtu);
    return 0;
}

void
soft_rep_set_up(struct virtnet_device *dev, bool up)
{
    atomic_store_relaxed(&soft_rep_cast(dev)->up, up);
}

bool
soft_rep_rxq_enabled(const struct virtnet_device *dev, int qid)
{
    const struct soft_rep *rep = soft_rep_cast(dev);
    bool enabled;

    if (ovsrcu_index_get(&rep->vid) < 0 || qid >= rep->n_pairs) {
        return false;
    }
    atomic_read_relaxed(&rep->pairs[qid].rx.enabled, &enabled);
    return enabled;
}

/* Packets. */

/* Copies those of 'frames' that are in '*map' into 'packets', whose number is
 * returned, and takes out of '*map' those that could not be.  If 'heads' is
 * nonnull the starts of the frames are taken from there. */
static size_t
load_frames(struct soft_rep *rep, struct soft_rxq *rxq,
            const struct virtq_frame *frames, const struct soft_frame *heads,
            uint32_t *map, struct dp_packet *packets[])
{
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    struct rte_mempool *mp = ovsrcu_get(struct rte_mempool *, &rep->mp);
    size_t n = count_1bits(*map), n_ok = 0;
    struct rte_mbuf **next = mbufs;
    int i;

    if (OVS_UNLIKELY(rte_pktmbuf_alloc_bulk(mp, mbufs, n))) {
        counter_add(&rxq->no_memory, n);
        *map = 0;
        return 0;
    }
    ULLONG_FOR_EACH_1 (i, *map) {
        struct rte_mbuf *mbuf = *next++;

        if (OVS_LIKELY(soft_packet_load(mbuf, &frames[i],
                                        heads ? &heads[i] : NULL,
                                        rxq->ring.requests))) {
            packets[n_ok++] = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
        } else {
            rte_pktmbuf_free(mbuf);
            counter_add(&rxq->invalid, 1);
            *map &= ~(UINT32_C(1) << i);
        }
    }
    return n_ok;
}

/* soft_packet_load() of 'slot' where that is not simple. */
static bool
load_slot__(struct rte_mbuf *mbuf, const struct soft_rxq *rxq,
            const struct virtq_slot *slot)
{
    struct virtq_frame frame;

    virtq_slot_to_frame(&rxq->ring.q, slot, &frame);
    return soft_packet_load(mbuf, &frame, NULL, rxq->ring.requests);
}

/* Copies the 'n' frames in 'slots' into 'packets', whose number is
 * returned. */
static size_t
load_slots(struct soft_rep *rep, struct soft_rxq *rxq,
           const struct virtq_slot *slots, unsigned int n,
           struct dp_packet *packets[])
{
    struct rte_mempool *mp = ovsrcu_get(struct rte_mempool *, &rep->mp);
    const uint32_t hdr_len = rxq->ring.q.hdr_len;
    const bool requests = rxq->ring.requests;
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    size_t n_ok = 0;

    if (OVS_UNLIKELY(rte_pktmbuf_alloc_bulk(mp, mbufs, n))) {
        counter_add(&rxq->no_memory, n);
        return 0;
    }
    for (unsigned int i = 0; i < n; i++) {
        const uint8_t *frame = slots[i].data + hdr_len;
        uint32_t len = slots[i].len - hdr_len;
        struct rte_mbuf *mbuf = mbufs[i];

        if (OVS_LIKELY(len <= rte_pktmbuf_tailroom(mbuf))
            && OVS_LIKELY(!requests || virtq_slot_is_plain(&slots[i]))) {
            memcpy(rte_pktmbuf_mtod(mbuf, void *), frame, len);
            mbuf->data_len = len;
            mbuf->pkt_len = len;
        } else if (!load_slot__(mbuf, rxq, &slots[i])) {
            rte_pktmbuf_free(mbuf);
            counter_add(&rxq->invalid, 1);
            continue;
        }
        packets[n_ok++] = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
    }
    return n_ok;
}

/* Sends the notification of 'txq' that is overdue. */
static void
notify_late(struct soft_txq *txq)
{
    if (rte_spinlock_trylock(&txq->ring.lock)) {
        if (txq->ring.ready
            && soft_dim_is_due(&txq->ring.dim, rte_rdtsc())) {
            soft_dim_reset(&txq->ring.dim);
            soft_ring_notify(&txq->ring);
        }
        rte_spinlock_unlock(&txq->ring.lock);
    }
}

/* Receives what soft_rep_announce() wants to be sent. */
static int
recv_announcement(struct soft_rep *rep, struct soft_rxq *rxq,
                  struct dp_packet_batch *batch)
{
    struct rte_mempool *mp = ovsrcu_get(struct rte_mempool *, &rep->mp);
    struct rte_ether_addr mac;
    struct rte_mbuf *mbuf;
    uint64_t announce;

    atomic_read_relaxed(&rep->announce, &announce);
    if (!announce
        || !atomic_compare_exchange_strong(&rep->announce, &announce, 0)) {
        return EAGAIN;          /* Another one: next time. */
    }
    memcpy(&mac, &announce, sizeof mac);
    mbuf = rte_net_make_rarp_packet(mp, &mac);
    if (!mbuf) {
        counter_add(&rxq->no_memory, 1);
        return EAGAIN;
    }
    batch->packets[0] = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
    counter_add(&rxq->bytes, soft_packet_receive(batch, 1));
    counter_add(&rxq->packets, 1);
    return 0;
}

int
soft_rep_recv(struct virtnet_device *dev, int qid,
              struct dp_packet_batch *batch, int *qfill)
{
    struct soft_rep *rep = soft_rep_cast(dev);
    struct virtq_frame frames[NETDEV_MAX_BURST];
    struct virtq_slot slots[NETDEV_MAX_BURST];
    bool up, offload, looked_up = false;
    uint32_t map, rest, packets = 0;
    uint64_t bytes = 0, n_bytes;
    struct dp_packet_batch more;
    size_t n_ok = 0, n_forwarded, n_more = 0;
    unsigned int n = 0, n_slots = 0, n_others = 0;
    struct soft_forward fwd;
    struct soft_rxq *rxq;
    uint64_t now;
    int i;

    if (OVS_UNLIKELY(ovsrcu_index_get(&rep->vid) < 0
                     || qid >= rep->n_pairs)) {
        return EAGAIN;
    }
    now = rte_rdtsc();
    if (OVS_UNLIKELY(soft_dim_is_due(&rep->pairs[qid].tx.ring.dim, now))) {
        notify_late(&rep->pairs[qid].tx);
    }
    rxq = &rep->pairs[qid].rx;
    atomic_read_relaxed(&rep->up, &up);
    if (now < rxq->rest_until || OVS_UNLIKELY(!up)) {
        return EAGAIN;
    }
    if (OVS_UNLIKELY(counter_get(&rep->announce)) && !qid) {
        if (qfill) {
            *qfill = 0;
        }
        return recv_announcement(rep, rxq, batch);
    }
    if (OVS_UNLIKELY(!rte_spinlock_trylock(&rxq->ring.lock))) {
        return EAGAIN;
    }
    offload = soft_port_has_flows(rep->eswitch_port);
    if (OVS_LIKELY(rxq->ring.ready)) {
        n_slots = virtq_recv_slots(&rxq->ring.q, slots, NETDEV_MAX_BURST);
        if (offload) {
            while (n < n_slots) {
                virtq_slot_to_frame(&rxq->ring.q, &slots[n], &frames[n]);
                n++;
            }
        }
        if (n_slots < NETDEV_MAX_BURST) {
            n_others = virtq_recv_burst(&rxq->ring.q, &frames[n],
                                        NETDEV_MAX_BURST - n_slots);
            n += n_others;
        }
    }
    if (n_slots + n_others < NETDEV_MAX_BURST) {
        rxq->rest_until = rte_rdtsc() + rest_cycles;
    }
    if (!(n_slots + n_others)) {
        /* Buffers that were no frames may have gone back. */
        if (OVS_LIKELY(rxq->ring.ready)) {
            soft_ring_notify(&rxq->ring);
            soft_ring_rest(&rxq->ring, &rep->pairs[qid].tx.ring.dim);
        }
        rte_spinlock_unlock(&rxq->ring.lock);
        return EAGAIN;
    }
    soft_ring_busy(&rxq->ring);
    if (qfill) {
        *qfill = 0;
    }
    map = rest = n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
    if (offload) {
        looked_up = soft_forward(rep, frames, n, rxq->ring.requests, &fwd);
        if (OVS_LIKELY(looked_up)) {
            rest = fwd.rest;
            packets = fwd.packets;
        }
        map &= ~(rest | packets);
        ULLONG_FOR_EACH_1 (i, map) {
            bytes += frames[i].len;
        }
    }
    n_forwarded = n - count_1bits(rest | packets);
    if (n_slots && !offload) {
        n_ok = load_slots(rep, rxq, slots, n_slots, batch->packets);
    }
    if (rest) {
        n_ok += load_frames(rep, rxq, frames, NULL, &rest,
                            &batch->packets[n_ok]);
    }
    if (OVS_UNLIKELY(packets)) {
        dp_packet_batch_init(&more);
        n_more = load_frames(rep, rxq, frames, fwd.heads, &packets,
                             more.packets);
    }
    if (OVS_LIKELY(n_slots)) {
        virtq_recv_slots_done(&rxq->ring.q, slots, n_slots);
    }
    if (OVS_UNLIKELY(n_others)) {
        virtq_recv_done(&rxq->ring.q, &frames[n - n_others], n_others);
    }
    soft_ring_notify(&rxq->ring);
    rte_spinlock_unlock(&rxq->ring.lock);

    if (OVS_UNLIKELY(n_more)) {
        bytes += soft_packet_receive_map(&more, &packets);
        n = dp_packet_batch_size(&more);
        n_forwarded += n;
        if (OVS_UNLIKELY(n < n_more)) {
            counter_add(&rxq->invalid, n_more - n);
        }
        soft_forward_packets(rep, &fwd, packets, &more);
        n_more = dp_packet_batch_size(&more);
    }
    n = n_ok;
    n_bytes = soft_packet_receive(batch, n);
    n_ok = dp_packet_batch_size(batch);
    if (OVS_UNLIKELY(n_ok < n)) {
        counter_add(&rxq->invalid, n - n_ok);
    }
    counter_add(&rxq->packets, n_forwarded + n_ok);
    counter_add(&rxq->bytes, bytes + n_bytes);
    atomic_store_relaxed(&rxq->core, rte_lcore_id());
    if (n_ok && offload && !looked_up) {
        soft_eswitch_run(rep->eswitch_port, batch);
        n_ok = dp_packet_batch_size(batch);
    }
    for (size_t j = 0; OVS_UNLIKELY(j < n_more); j++) {
        dp_packet_batch_add(batch, more.packets[j]);
        n_ok++;
    }
    return n_ok ? 0 : EAGAIN;
}

/* Transmission. */

/* A transmit queue that is in use, and what its driver takes. */
struct tx {
    struct soft_rep *rep;
    struct soft_queue_pair *pair;
    struct soft_txq *txq;       /* Of 'pair'. */
    struct soft_packet_limits limits;
    struct soft_packet_drops drops;
    uint64_t bytes;             /* Of the packets that are offered. */
    uint32_t unfit;             /* Those for which buffers are too small. */
    unsigned int retries;
    bool count_sizes;
};

/* Chooses a queue of 'rep' for queue id 'qid' of the datapath.  Returns NULL,
 * or where the packets are to be counted if they cannot be sent. */
static inline atomic_uint64_t *
tx_choose(struct soft_rep *rep, int qid, struct tx *tx)
{
    uint8_t offloads, mapped;
    uint16_t n_map, mtu;
    bool up;

    atomic_read_explicit(&rep->n_map, &n_map, memory_order_acquire);
    atomic_read_relaxed(&rep->up, &up);
    if (OVS_UNLIKELY(ovsrcu_index_get(&rep->vid) < 0 || !n_map)) {
        return &rep->tx_no_driver;
    } else if (OVS_UNLIKELY(!up)) {
        return &rep->tx_down;
    }

    atomic_read_relaxed(&rep->map[n_map == 1 ? 0 : (unsigned int) qid % n_map],
                        &mapped);
    atomic_read_relaxed(&rep->mtu, &mtu);
    atomic_read_relaxed(&rep->guest_offloads, &offloads);
    *tx = (struct tx) {
        .rep = rep,
        .pair = &rep->pairs[mapped],
        .txq = &rep->pairs[mapped].tx,
        .limits = {
            .mtu = mtu,
            .guest_csum = offloads & SOFT_GUEST_CSUM,
            .guest_tso4 = offloads & SOFT_GUEST_TSO4,
            .guest_tso6 = offloads & SOFT_GUEST_TSO6,
        },
    };
    atomic_read_relaxed(&rep->count_sizes, &tx->count_sizes);
    OVS_PREFETCH_WRITE(tx->txq);
    return NULL;
}

static inline void
tx_lock(struct tx *tx)
{
    rte_spinlock_t *lock = &tx->txq->ring.lock;

    if (OVS_UNLIKELY(!rte_spinlock_trylock(lock))) {
        COVERAGE_INC(virtnet_tx_contention);
        rte_spinlock_lock(lock);
    }
}

/* Counts, where 'sent' of 'n' packets went into the ring, and unlocks. */
static inline void
tx_unlock(struct tx *tx, size_t sent, size_t n)
{
    struct soft_txq *txq = tx->txq;

    counter_add(&txq->packets, sent);
    counter_add(&txq->bytes, tx->bytes);
    if (OVS_UNLIKELY(sent < n)) {
        counter_add(&txq->no_buffers, n - sent);
    }
    if (OVS_UNLIKELY(tx->retries)) {
        counter_add(&txq->retries, tx->retries);
    }
    if (OVS_UNLIKELY(tx->drops.too_big | tx->drops.no_memory
                     | tx->drops.invalid)) {
        counter_add(&txq->too_big, tx->drops.too_big);
        counter_add(&txq->no_memory, tx->drops.no_memory);
        counter_add(&txq->invalid, tx->drops.invalid);
    }
    atomic_store_relaxed(&txq->core, rte_lcore_id());
    rte_spinlock_unlock(&txq->ring.lock);
}

/* Notifies the driver, now or later, that it has got 'sent' of 'n' packets. */
static inline void
tx_notify(struct tx *tx, size_t sent, size_t n)
{
    struct soft_ring *ring = &tx->txq->ring;
    bool polled;

    /* Whoever polls the other half of the pair ends the wait.  And a driver
     * that has no buffers left had better hear of it. */
    atomic_read_relaxed(&tx->pair->rx.enabled, &polled);
    if (sent == n && OVS_LIKELY(polled)
        && soft_moderation_delays(&tx->rep->moderation, &ring->dim, sent,
                                  rte_rdtsc())) {
        soft_idle_wake(&tx->pair->rx.ring.sleeper);
        return;
    }
    soft_dim_reset(&ring->dim);
    soft_ring_notify(ring);
}

/* What is to be sent, in one form or another. */
struct tx_source {
    uint32_t (*size)(const void *aux, size_t i);
    void (*prefetch)(const void *aux, size_t i, const uint8_t *dst,
                     uint32_t n);
    void (*store)(const void *aux, size_t i, struct virtq_room *);
    void (*store_slot)(const void *aux, size_t i, uint8_t *dst,
                       struct virtq_hdr *);
    const void *aux;
};

/* Puts packets of 'src', from the 'first' on, whose sizes are 'n' of 'lens',
 * into the buffers that come next, as long as that is simple.  Returns how
 * many. */
static inline ALWAYS_INLINE size_t
tx_enqueue_slots(struct virtq *q, const struct tx_source *src, size_t first,
                 const uint32_t lens[], size_t n)
{
    struct virtq_slot slots[NETDEV_MAX_BURST];
    struct virtq_hdr hdrs[NETDEV_MAX_BURST];
    const uint32_t hdr_len = q->hdr_len;

    n = virtq_reserve_slots(q, lens, n, slots);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n) {
            src->prefetch(src->aux, first + i + 1, slots[i + 1].data + hdr_len,
                          lens[i + 1]);
        }
        memset(&hdrs[i], 0, sizeof hdrs[i]);
        src->store_slot(src->aux, first + i, slots[i].data + hdr_len,
                        &hdrs[i]);
    }

    /* Headers often have lines of their own, which take a while to come. */
    for (size_t i = 0; i < n; i++) {
        virtq_slot_put_header(q, &slots[i], &hdrs[i]);
    }
    if (OVS_LIKELY(n)) {
        virtq_commit_slots(q, slots, n);
    }
    return n;
}

/* Puts 'n' packets of 'src' into the ring, with another attempt where the
 * guest has taken some.  Returns the number that went in, except that it
 * counts those that it notes in tx->unfit. */
static inline ALWAYS_INLINE size_t
tx_enqueue(struct tx *tx, const struct tx_source *src, size_t n)
{
    struct soft_ring *ring = &tx->txq->ring;
    struct virtq_room rooms[NETDEV_MAX_BURST];
    size_t done = 0;

    if (OVS_UNLIKELY(!ring->ready)) {
        return 0;
    }
    while (done < n) {
        uint32_t lens[NETDEV_MAX_BURST];
        size_t max = n - done;
        size_t i, n_slots;
        int error;

        /* The driver is on another processor, so everything that it touched
         * is far away.  It is asked for early, and for all frames at once. */
        virtq_prefetch(&ring->q, max);
        for (i = 0; i < max; i++) {
            lens[i] = src->size(src->aux, done + i);
        }
        n_slots = tx_enqueue_slots(&ring->q, src, done, lens, max);
        done += n_slots;
        max -= n_slots;
        if (OVS_LIKELY(!max)) {
            break;
        }
        i = virtq_reserve_burst(&ring->q, lens + n_slots, max,
                                ring->mergeable, rooms, &error);
        for (size_t j = 0; j < i; j++) {
            if (j + 1 < i) {
                const struct virtq_room *next = &rooms[j + 1];
                const struct virtq_seg *seg = &next->segs[next->first_seg];

                src->prefetch(src->aux, done + j + 1, seg->data, seg->len);
            }
            src->store(src->aux, done + j, &rooms[j]);
        }
        if (OVS_LIKELY(i)) {
            virtq_commit(&ring->q, rooms, i);
            done += i;
        }
        if (OVS_UNLIKELY(i < max)) {
            if (error == EMSGSIZE && !rooms[i].first_chain) {
                /* Those behind it, which may be somebody else's, may fit.  Not
                 * worth it where one has to search for good buffers. */
                tx->unfit |= UINT32_C(1) << done++;
                continue;
            }
            if (!(n_slots + i) || tx->retries == MAX_RETRIES) {
                break;
            }
            tx->retries++;
        }
    }
    tx_notify(tx, done - count_1bits(tx->unfit), n);
    return done;
}

/* Returns the range that a frame of 'n' bytes is counted in. */
static unsigned int
size_range(unsigned int n)
{
    static const uint32_t max[] = {
#define VIRTNET_SIZE(MAX, NAME) MAX,
        VIRTNET_SIZES
#undef VIRTNET_SIZE
    };
    unsigned int i = 0;

    while (n > max[i]) {
        i++;
    }
    return i;
}

/* Accounts for the sizes of 'n' packets of 'src', for which tx_enqueue() has
 * returned 'done'.  Returns the number that went into the ring. */
static inline ALWAYS_INLINE size_t
tx_count_sizes(struct tx *tx, const struct tx_source *src, size_t done,
               size_t n)
{
    for (size_t i = done; i < n; i++) {
        tx->bytes -= src->size(src->aux, i);
    }
    if (OVS_UNLIKELY(tx->unfit)) {
        int i;

        ULLONG_FOR_EACH_1 (i, tx->unfit) {
            tx->bytes -= src->size(src->aux, i);
        }
    }
    if (OVS_UNLIKELY(tx->count_sizes)) {
        for (size_t i = 0; i < done; i++) {
            if (OVS_LIKELY(!(tx->unfit & UINT32_C(1) << i))) {
                unsigned int range = size_range(src->size(src->aux, i));

                counter_add(&tx->txq->sizes[range], 1);
            }
        }
    }
    return done - count_1bits(tx->unfit);
}

/* Packets of Open vSwitch. */

static inline uint32_t
mbuf_size(const void *mbufs, size_t i)
{
    return rte_pktmbuf_pkt_len(((struct rte_mbuf *const *) mbufs)[i]);
}

static inline void
mbuf_prefetch(const void *mbufs OVS_UNUSED, size_t i OVS_UNUSED,
              const uint8_t *dst, uint32_t n)
{
    virtq_prefetch_copy(dst, n, NULL, CACHE_LINE_SIZE);
}

static inline void
mbuf_store(const void *mbufs, size_t i, struct virtq_room *room)
{
    struct rte_mbuf *mbuf = ((struct rte_mbuf *const *) mbufs)[i];

    soft_packet_store_header(mbuf, &room->hdr);
    virtq_write(room, rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
}

static inline void
mbuf_store_slot(const void *mbufs, size_t i, uint8_t *dst,
                struct virtq_hdr *hdr)
{
    struct rte_mbuf *mbuf = ((struct rte_mbuf *const *) mbufs)[i];

    soft_packet_store_header(mbuf, hdr);
    memmove(dst, rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
}

void
soft_rep_send(struct virtnet_device *dev, int qid,
              struct dp_packet_batch *batch)
{
    struct soft_rep *rep = soft_rep_cast(dev);
    struct rte_mbuf **mbufs = (struct rte_mbuf **) batch->packets;
    atomic_uint64_t *drops;
    size_t n, sent = 0;
    struct tx tx;

    drops = tx_choose(rep, qid, &tx);
    if (OVS_UNLIKELY(drops)) {
        uint64_t orig;

        atomic_add_relaxed(drops, dp_packet_batch_size(batch), &orig);
        dp_packet_delete_batch(batch, true);
        return;
    }

    n = soft_packet_prepare(batch, ovsrcu_get(struct rte_mempool *, &rep->mp),
                            &tx.limits, &tx.drops, &tx.bytes);
    tx_lock(&tx);
    /* A batch of 4.0 holds any number of packets: all segments, if Open
     * vSwitch has cut some up. */
    for (size_t i = 0; i < n; i += NETDEV_MAX_BURST) {
        const struct tx_source src = {
            .size = mbuf_size,
            .prefetch = mbuf_prefetch,
            .store = mbuf_store,
            .store_slot = mbuf_store_slot,
            .aux = &mbufs[i],
        };
        size_t some = MIN(n - i, NETDEV_MAX_BURST);

        tx.unfit = 0;
        sent += tx_count_sizes(&tx, &src, tx_enqueue(&tx, &src, some), some);
    }
    tx_unlock(&tx, sent, n);
    rte_pktmbuf_free_bulk(mbufs, n);
}

/* Frames of another guest. */

struct tx_frames {
    const struct virtq_frame *frames[NETDEV_MAX_BURST];
    const struct soft_frame *heads[NETDEV_MAX_BURST];
    uint32_t mtu;
};

static inline uint32_t
frame_size(const void *aux, size_t i)
{
    const struct tx_frames *tf = aux;

    return tf->heads[i]->size;
}

static inline void
frame_prefetch(const void *aux, size_t i, const uint8_t *dst, uint32_t n)
{
    const struct tx_frames *tf = aux;

    virtq_prefetch_copy(dst, n, &tf->frames[i]->segs[0],
                        tf->heads[i]->linear);
}

static inline void
frame_store(const void *aux, size_t i, struct virtq_room *room)
{
    const struct tx_frames *tf = aux;
    const struct soft_frame *head = tf->heads[i];
    const struct virtq_frame *frame = tf->frames[i];

    virtq_write(room, head->data, head->linear);
    if (head->size > head->linear) {
        virtq_copy_from(room, frame,
                        frame->len - (head->size - head->linear));
    }
    if (OVS_UNLIKELY(frame->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
        soft_packet_pass_header(&frame->hdr, head, tf->mtu, &room->hdr);
    }
}

static inline void
frame_store_slot(const void *aux, size_t i, uint8_t *dst,
                 struct virtq_hdr *hdr)
{
    const struct tx_frames *tf = aux;
    const struct soft_frame *head = tf->heads[i];
    const struct virtq_frame *frame = tf->frames[i];

    memmove(dst, head->data, head->linear);
    if (head->size > head->linear) {
        uint32_t rest = head->size - head->linear;

        virtq_read(frame, frame->len - rest, dst + head->linear, rest);
    }
    if (OVS_UNLIKELY(frame->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
        soft_packet_pass_header(&frame->hdr, head, tf->mtu, hdr);
    }
}

/* May 'frame' be sent as far as its size is concerned? */
static inline bool
frame_fits(struct tx *tx, const struct virtq_frame *frame,
           const struct soft_frame *head)
{
    if (OVS_LIKELY(frame->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE)) {
        if (OVS_LIKELY(soft_packet_fits(head->data, head->size,
                                        tx->limits.mtu))) {
            return true;
        }
        tx->drops.too_big++;
    } else {
        struct virtq_hdr hdr;

        memset(&hdr, 0, sizeof hdr);
        if (soft_packet_pass_header(&frame->hdr, head, tx->limits.mtu,
                                    &hdr)) {
            return true;
        }
        tx->drops.invalid++;
    }
    return false;
}

void
soft_rep_forward(struct virtnet_device *dev, int qid,
                 const struct virtq_frame *const frames[],
                 const struct soft_frame *const heads[], size_t n_all)
{
    struct soft_rep *rep = soft_rep_cast(dev);
    struct tx_frames tf;
    const struct tx_source src = {
        .size = frame_size,
        .prefetch = frame_prefetch,
        .store = frame_store,
        .store_slot = frame_store_slot,
        .aux = &tf,
    };
    atomic_uint64_t *drops;
    size_t n = 0, sent;
    struct tx tx;

    drops = tx_choose(rep, qid, &tx);
    if (OVS_UNLIKELY(drops)) {
        uint64_t orig;

        atomic_add_relaxed(drops, n_all, &orig);
        return;
    }

    tf.mtu = tx.limits.mtu;
    for (size_t i = 0; i < n_all; i++) {
        if (OVS_LIKELY(frame_fits(&tx, frames[i], heads[i]))) {
            tf.frames[n] = frames[i];
            tf.heads[n++] = heads[i];
            tx.bytes += heads[i]->size;
        }
    }
    tx_lock(&tx);
    sent = tx_count_sizes(&tx, &src, tx_enqueue(&tx, &src, n), n);
    tx_unlock(&tx, sent, n);
}

/* Health. */

void
soft_rep_check(struct soft_rep *rep)
{
    bool up;

    if (ovsrcu_index_get(&rep->vid) < 0) {
        return;
    }
    atomic_read_relaxed(&rep->up, &up);
    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        soft_ring_check(&rep->pairs[i].rx.ring, up);
        soft_ring_check(&rep->pairs[i].tx.ring, false);
    }
}

void
soft_rep_get_health(const struct virtnet_device *dev,
                    struct virtnet_health *health)
{
    const struct soft_rep *rep = soft_rep_cast(dev);

    for (unsigned int i = 0; i < 2 * rep->n_pairs; i++) {
        const struct soft_queue_pair *pair = &rep->pairs[i / 2];
        struct soft_ring *ring = CONST_CAST(struct soft_ring *,
                                            i & 1 ? &pair->tx.ring
                                            : &pair->rx.ring);

        rte_spinlock_lock(&ring->lock);
        health->sq_stall += ring->n_stalls;
        health->spurious_db_invoke += ring->n_spurious;
        health->dma_q_errors += ring->n_errors;
        health->host_read_errors += ring->q.errors[VIRTQ_BAD_ADDRESS];
        health->recover_counter += ring->n_recoveries;
        health->fatal |= ring->ready && virtq_is_broken(&ring->q);
        rte_spinlock_unlock(&ring->lock);
    }
}

/* Counters. */

static uint64_t
rxq_drops(const struct soft_rxq *rxq)
{
    return counter_get(&rxq->invalid) + counter_get(&rxq->no_memory);
}

static uint64_t
txq_drops(const struct soft_txq *txq)
{
    return (counter_get(&txq->no_buffers) + counter_get(&txq->too_big)
            + counter_get(&txq->no_memory) + counter_get(&txq->invalid));
}

/* Adds the packets by size, of which the port knows fewer ranges. */
static void
get_size_stats(const struct soft_rep *rep, struct netdev_stats *stats)
{
    uint64_t n[VIRTNET_N_SIZES] = { 0 };

    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        for (size_t j = 0; j < VIRTNET_N_SIZES; j++) {
            n[j] += counter_get(&rep->pairs[i].tx.sizes[j]);
        }
    }
    stats->tx_1_to_64_packets = n[VIRTNET_SIZE_64];
    stats->tx_65_to_127_packets = n[VIRTNET_SIZE_127];
    stats->tx_128_to_255_packets = n[VIRTNET_SIZE_255];
    stats->tx_256_to_511_packets = n[VIRTNET_SIZE_511];
    stats->tx_512_to_1023_packets = n[VIRTNET_SIZE_1023];
    stats->tx_1024_to_1522_packets = n[VIRTNET_SIZE_1522];
    stats->tx_1523_to_max_packets = (n[VIRTNET_SIZE_2047]
                                     + n[VIRTNET_SIZE_4095]
                                     + n[VIRTNET_SIZE_8191]
                                     + n[VIRTNET_SIZE_UINT32_MAX]);
}

void
soft_rep_get_stats(const struct virtnet_device *dev,
                   struct netdev_stats *stats)
{
    const struct soft_rep *rep = soft_rep_cast(dev);

    stats->tx_dropped += (counter_get(&rep->tx_no_driver)
                          + counter_get(&rep->tx_down));
    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        const struct soft_rxq *rxq = &rep->pairs[i].rx;
        const struct soft_txq *txq = &rep->pairs[i].tx;

        stats->rx_packets += counter_get(&rxq->packets);
        stats->rx_bytes += counter_get(&rxq->bytes);
        stats->rx_errors += counter_get(&rxq->invalid);
        stats->rx_dropped += counter_get(&rxq->no_memory);
        stats->tx_packets += counter_get(&txq->packets);
        stats->tx_bytes += counter_get(&txq->bytes);
        stats->tx_errors += counter_get(&txq->invalid);
        stats->tx_dropped += txq_drops(txq);
    }
    if (dev->config.packet_counter) {
        get_size_stats(rep, stats);
    }
}

static uint64_t
no_buffer_drops(const struct soft_rep *rep)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        n += counter_get(&rep->pairs[i].tx.no_buffers);
    }
    return n;
}

uint64_t
soft_rep_get_drops(const struct virtnet_device *dev)
{
    const struct soft_rep *rep = soft_rep_cast(dev);

    return no_buffer_drops(rep) - rep->drops_base;
}

void
soft_rep_set_packet_counter(struct soft_rep *rep, bool enable)
{
    if (enable) {
        for (unsigned int i = 0; i < rep->n_pairs; i++) {
            struct soft_txq *txq = &rep->pairs[i].tx;

            rte_spinlock_lock(&txq->ring.lock);
            for (size_t j = 0; j < VIRTNET_N_SIZES; j++) {
                atomic_store_relaxed(&txq->sizes[j], 0);
            }
            rte_spinlock_unlock(&txq->ring.lock);
        }
    }
    atomic_store_relaxed(&rep->count_sizes, enable);
}

void
soft_rep_set_drop_counter(struct soft_rep *rep, bool enable)
{
    if (enable) {
        rep->drops_base = no_buffer_drops(rep);
    }
}

void
soft_rep_get_vring_counters(const struct soft_rep *rep, unsigned int vring,
                            struct virtnet_queue_info *info)
{
    const struct soft_queue_pair *pair = &rep->pairs[vring / 2];
    unsigned int core;

    soft_ring_get_counters(vring & 1 ? &pair->rx.ring : &pair->tx.ring, info);
    if (vring & 1) {
        info->packets = counter_get(&pair->rx.packets);
        info->total_bytes = counter_get(&pair->rx.bytes);
        info->drops = rxq_drops(&pair->rx);
        atomic_read_relaxed(CONST_CAST(atomic_uint *, &pair->rx.core), &core);
    } else {
        info->packets = counter_get(&pair->tx.packets);
        info->total_bytes = counter_get(&pair->tx.bytes);
        info->drops = txq_drops(&pair->tx);
        for (size_t i = 0; i < VIRTNET_N_SIZES; i++) {
            info->sizes[i] = counter_get(&pair->tx.sizes[i]);
        }
        atomic_read_relaxed(CONST_CAST(atomic_uint *, &pair->tx.core), &core);
    }
    info->core_id = core;
}

/* Up to this many virtqueues are listed one by one by default. */
#define MAX_LISTED_VRINGS 8

size_t
soft_rep_get_custom_stats(const struct virtnet_device *dev,
                          struct netdev_custom_counter **counters)
{
    const struct soft_rep *rep = soft_rep_cast(dev);
    unsigned int n_vrings = 2 * MIN(rep->n_pairs,
                                    dev->config.max_queue_pairs);
    struct virtnet_queue_info sum = { .index = 0 };
    uint64_t no_buffers = 0, too_big = 0, no_memory = 0, retries = 0;
    uint64_t rx_invalid = 0, tx_invalid = 0;
    uint64_t cp_errors, dp_errors;
    size_t n;

    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        const struct soft_txq *txq = &rep->pairs[i].tx;

        for (unsigned int j = 0; j < 2; j++) {
            struct virtnet_queue_info info;

            soft_rep_get_vring_counters(rep, 2 * i + j, &info);
            virtnet_queue_info_add(&sum, &info);
        }
        rx_invalid += counter_get(&rep->pairs[i].rx.invalid);
        no_buffers += counter_get(&txq->no_buffers);
        too_big += counter_get(&txq->too_big);
        no_memory += counter_get(&txq->no_memory);
        tx_invalid += counter_get(&txq->invalid);
        retries += counter_get(&txq->retries);
    }

    virtnet_device_count_errors(dev, &cp_errors, &dp_errors);
    const struct {
        const char *name;       /* Without "virtnet_". */
        uint64_t value;
    } totals[] = {
        { "drop_pkts", sum.drops },
        { "cp_errors", cp_errors },
        { "dp_errors", dp_errors },
        { "rx_invalid_drops", rx_invalid },
        { "tx_no_driver_drops", counter_get(&rep->tx_no_driver) },
        { "tx_down_drops", counter_get(&rep->tx_down) },
        { "tx_no_buffer_drops", no_buffers },
        { "tx_mtu_exceeded_drops", too_big },
        { "tx_no_memory_drops", no_memory },
        { "tx_invalid_drops", tx_invalid },
        { "tx_retries", retries },
    };
    bool per_vring = (n_vrings <= MAX_LISTED_VRINGS
                      || soft_device_settings(dev)->queue_stats);
    size_t n_max = (VIRTNET_N_QUEUE_TOTALS + ARRAY_SIZE(totals)
                    + (per_vring ? 3 * n_vrings : 0));

    *counters = xcalloc(n_max, sizeof **counters);
    n = virtnet_put_queue_totals(&sum, *counters);
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
        struct netdev_custom_counter *c = &(*counters)[n++];

        snprintf(c->name, sizeof c->name, "virtnet_%s", totals[i].name);
        c->value = totals[i].value;
    }
    for (unsigned int i = 0; per_vring && i < n_vrings; i++) {
        struct virtnet_queue_info info;

        soft_rep_get_vring_counters(rep, i, &info);
        const struct {
            const char *name;   /* Without "virtnet_q<N>_". */
            uint64_t value;
        } each[] = {
            { "packets", info.packets },
            { "bytes", info.total_bytes },
            { "drops", info.drops },
        };
        for (size_t j = 0; j < ARRAY_SIZE(each); j++) {
            struct netdev_custom_counter *c = &(*counters)[n++];

            snprintf(c->name, sizeof c->name, "virtnet_q%u_%s", i,
                     each[j].name);
            c->value = each[j].value;
        }
    }
    return n;
}
