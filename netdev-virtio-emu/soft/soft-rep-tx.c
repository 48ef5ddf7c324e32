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

/* What a guest receives: packets of Open vSwitch, and frames of other guests.
 * See soft-rep.h, and "Security model" in soft-rep.c. */

#include <config.h>

#include "soft-rep.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "coverage.h"
#include "dp-packet.h"
#include "soft-eswitch.h"
#include "soft-packet.h"
#include "soft-rep-private.h"
#include "virtq.h"

COVERAGE_DEFINE(virtnet_tx_contention);

/* Attempts to send the rest of a burst, as long as the guest makes room. */
#define MAX_RETRIES 8

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
