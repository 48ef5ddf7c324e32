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

/* The representor of a device of the soft backend, and what its guest sends.
 * What the guest receives is in soft-rep-tx.c.  See soft-rep.h.
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

#include "dp-packet.h"
#include "openvswitch/vlog.h"
#include "soft-eswitch.h"
#include "soft-forward.h"
#include "soft-mempool.h"
#include "soft-packet.h"
#include "soft-rep-private.h"
#include "virtnet-backend-provider.h"
#include "virtq.h"

VLOG_DEFINE_THIS_MODULE(virtnet_soft_rep);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* How long (ns) a receive queue is left alone after a burst that was not full.
 *
 * Each look at a ring takes a cache line away from the driver that is just
 * writing to it.  A packet thread that is fast looks so often that drivers are
 * slowed down by it, and hand over a packet or two at a time, which costs more
 * again. */
#define REST_NS 1000
static uint64_t rest_cycles;    /* The same in cycles of the TSC. */

/* How many bytes of a burst should be copied in at most.  More than that is
 * not in the cache any more when it is copied out, and of frames of 64 kB a
 * receiver's ring has no room for more than a few: the rest of a burst would
 * have been copied in only to be dropped. */
#define BURST_BYTES (128 * 1024)

/* Life. */

static struct soft_queue_pair *
pairs_alloc(unsigned int n_pairs)
{
    struct soft_queue_pair *pairs;

    pairs = xzalloc_cacheline(n_pairs * sizeof *pairs);
    for (unsigned int i = 0; i < n_pairs; i++) {
        soft_uso_init(&pairs[i].rx.uso);
        pairs[i].rx.max_burst = NETDEV_MAX_BURST;
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
    for (unsigned int i = 0; i < rep->n_pairs; i++) {
        soft_uso_clear(&rep->pairs[i].rx.uso);
    }
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

/* Notes that 'n' frames, of 'bytes' bytes altogether, were copied in: those
 * that come next will be about as long. */
static inline void
adapt_burst(struct soft_rxq *rxq, unsigned int n, uint64_t bytes)
{
    if (OVS_UNLIKELY(bytes > BURST_BYTES
                     || rxq->max_burst < NETDEV_MAX_BURST)) {
        uint64_t max = bytes ? (uint64_t) BURST_BYTES * n / bytes : UINT64_MAX;

        rxq->max_burst = MIN(MAX(max, 1), NETDEV_MAX_BURST);
    }
}

/* Receives what 'rxq' has in 'uso', having it looked up first if 'look_up'.
 * Frames that become several packets are counted as these are. */
static int
recv_datagrams(struct soft_rep *rep, struct soft_rxq *rxq, bool look_up,
               struct dp_packet_batch *batch)
{
    struct soft_uso_result result;

    soft_uso_fill(&rxq->uso, ovsrcu_get(struct rte_mempool *, &rep->mp),
                  batch, &result);
    counter_add(&rxq->packets, result.n_datagrams);
    counter_add(&rxq->bytes, result.bytes);
    if (OVS_UNLIKELY(result.no_memory)) {
        counter_add(&rxq->no_memory, result.no_memory);
    }
    if (look_up && !dp_packet_batch_is_empty(batch)) {
        soft_eswitch_run(rep->eswitch_port, batch);
    }
    return dp_packet_batch_is_empty(batch) ? EAGAIN : 0;
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
    uint64_t bytes = 0, n_bytes, copied = 0;
    struct dp_packet_batch more;
    size_t n_ok = 0, n_forwarded, n_more = 0;
    unsigned int n = 0, n_slots = 0, n_others = 0, n_copied = 0, max;
    unsigned int n_uso = 0;
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
    if (OVS_UNLIKELY(!soft_uso_is_empty(&rxq->uso)) && up) {
        if (qfill) {
            *qfill = 0;
        }
        return recv_datagrams(rep, rxq,
                              soft_port_has_flows(rep->eswitch_port), batch);
    }
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
    max = rxq->max_burst;
    if (OVS_LIKELY(rxq->ring.ready)) {
        n_slots = virtq_recv_slots(&rxq->ring.q, slots, max);
        if (offload) {
            while (n < n_slots) {
                virtq_slot_to_frame(&rxq->ring.q, &slots[n], &frames[n]);
                n++;
            }
        }
        if (n_slots < max) {
            n_others = virtq_recv_burst(&rxq->ring.q, &frames[n],
                                        max - n_slots);
            n += n_others;
        }
    }
    if (n_slots + n_others < max) {
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
        copied = soft_packet_receive_map(&more, &packets);
        bytes += copied;
        n = n_copied = dp_packet_batch_size(&more);
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
    adapt_burst(rxq, n_copied + n_ok, copied + n_bytes);
    if (OVS_UNLIKELY(rxq->ring.requests)) {
        n_uso = soft_uso_find(batch, &n_bytes);
    }
    counter_add(&rxq->packets, n_forwarded + n_ok - n_uso);
    counter_add(&rxq->bytes, bytes + n_bytes);
    atomic_store_relaxed(&rxq->core, rte_lcore_id());
    for (size_t j = 0; OVS_UNLIKELY(j < n_more); j++) {
        dp_packet_batch_add(batch, more.packets[j]);
    }
    if (OVS_UNLIKELY(n_uso)) {
        soft_uso_take(&rxq->uso, batch);
        return recv_datagrams(rep, rxq, offload && !looked_up, batch);
    }
    if (offload && !looked_up && !dp_packet_batch_is_empty(batch)) {
        soft_eswitch_run(rep->eswitch_port, batch);
    }
    return dp_packet_batch_is_empty(batch) ? EAGAIN : 0;
}
