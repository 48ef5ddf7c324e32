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

/* What packet threads call of the software eSwitch.  See soft-eswitch.h. */

#include <config.h>

#include "soft-eswitch.h"

#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "bitmap.h"
#include "coverage.h"
#include "dp-packet.h"
#include "hash.h"
#include "odp-util.h"
#include "openvswitch/netdev.h"
#include "ovs-thread.h"
#include "pmd-forward.h"
#include "soft-backend.h"
#include "soft-eswitch-private.h"
#include "soft-packet.h"
#include "soft-uplink.h"
#include "timeval.h"
#include "virtnet-compat.h"

COVERAGE_DEFINE(virtnet_flow_hit);
COVERAGE_DEFINE(virtnet_flow_miss);
COVERAGE_DEFINE(virtnet_flow_drop);
COVERAGE_DEFINE(virtnet_flow_passed_up);

BUILD_ASSERT_DECL(NETDEV_MAX_BURST == 32);

/* Packet threads. */

/* A cache of flows: sets of as many entries as there are in a cache line.  Of
 * 100,000 flows, sets of two, half the size, have no room for a fifth. */
#define CACHE_SETS 65536
#define CACHE_WAYS 4
#define CACHE_INSERT_INTERVAL 4

struct cache_entry {
    uint64_t hash;
    struct soft_flow *flow;
};
BUILD_ASSERT_DECL(CACHE_WAYS * sizeof(struct cache_entry) <= CACHE_LINE_SIZE);

struct soft_thread {
    uint32_t id;                /* Nonzero; of no other thread alive. */

    /* See thread_now(). */
    uint64_t tsc_per_ms;
    uint64_t now_tsc;
    long long int now;

    /* Packets to be sent. */
    size_t n_outs;
    struct out {
        struct virtnet_device *dev; /* NULL for a port of another type: */
        odp_port_t port;        /* that one. */
        struct dp_packet_batch batch;
    } outs[NETDEV_MAX_BURST];

    unsigned int n_inserts;     /* Candidates for full sets. */
    OVS_ALIGNED_VAR(CACHE_LINE_SIZE)
        struct cache_entry cache[CACHE_SETS][CACHE_WAYS];
};

/* Ids of threads.  If there are ever more, those share the last one, which
 * owns no counters. */
#define MAX_THREADS 1024
static struct ovs_mutex thread_mutex = OVS_MUTEX_INITIALIZER;
static unsigned long thread_ids[BITMAP_N_LONGS(MAX_THREADS)]
    OVS_GUARDED_BY(thread_mutex);
static ovsthread_key_t thread_key;
DEFINE_STATIC_PER_THREAD_DATA(struct soft_thread *, cur_thread, NULL);

static void
thread_destroy(void *thread_)
{
    struct soft_thread *thread = thread_;

    ovs_mutex_lock(&thread_mutex);
    if (thread->id < MAX_THREADS) {
        bitmap_set0(thread_ids, thread->id);
    }
    ovs_mutex_unlock(&thread_mutex);
    free_size_align(thread);
}

/* Once for each thread. */
static struct soft_thread *
thread_create(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    struct soft_thread *thread = soft_alloc_large(sizeof *thread);

    if (ovsthread_once_start(&once)) {
        ovsthread_key_create(&thread_key, thread_destroy);
        ovsthread_once_done(&once);
    }
    ovs_mutex_lock(&thread_mutex);
    thread->id = bitmap_scan(thread_ids, 0, 1, MAX_THREADS);
    if (thread->id < MAX_THREADS) {
        bitmap_set1(thread_ids, thread->id);
    }
    ovs_mutex_unlock(&thread_mutex);
    thread->tsc_per_ms = rte_get_tsc_hz() / 1000;
    thread->now_tsc = rte_rdtsc() - thread->tsc_per_ms - 1;
    ovsthread_setspecific(thread_key, thread);
    *cur_thread_get() = thread;
    return thread;
}

static inline struct soft_thread *
thread_get(void)
{
    struct soft_thread *thread = *cur_thread_get();

    return OVS_LIKELY(thread) ? thread : thread_create();
}

/* Returns the time in milliseconds, give or take one.  Asking the kernel costs
 * more than all else that is done for a flow. */
static inline long long int
thread_now(struct soft_thread *thread)
{
    uint64_t tsc = rte_rdtsc();

    if (OVS_UNLIKELY(tsc - thread->now_tsc > thread->tsc_per_ms)) {
        thread->now_tsc = tsc;
        thread->now = time_msec();
    }
    return thread->now;
}

/* Lookup. */

/* A hash of the first 'n' words of 'key', the others being zero. */
static inline uint64_t
cache_hash(const struct soft_key *key, size_t n, const struct soft_port *port)
{
    uint64_t hash = (uintptr_t) port;

    for (size_t i = 0; i < n; i++) {
        hash += soft_key_hash_word(key->words[i], i);
    }
    return hash ^ hash >> 32;
}

static inline struct cache_entry *
cache_set(struct soft_thread *thread, uint64_t hash)
{
    return thread->cache[hash % CACHE_SETS];
}

static void
cache_insert(struct soft_thread *thread, uint64_t hash,
             struct soft_flow *flow)
{
    struct cache_entry *set = cache_set(thread, hash);
    size_t i;

    for (i = 0; i < CACHE_WAYS; i++) {
        if (!set[i].flow || set[i].hash == hash) {
            break;
        }
    }
    if (i == CACHE_WAYS) {
        /* With more flows than entries, most would be replaced before they are
         * of use, so only some of the new ones get in.  The oldest leaves. */
        if (++thread->n_inserts % CACHE_INSERT_INTERVAL) {
            return;
        }
        memmove(&set[1], &set[0], (CACHE_WAYS - 1) * sizeof *set);
        i = 0;
    }
    set[i].hash = hash;
    set[i].flow = flow;
}

/* Keys of a burst. */
struct keys {
    struct soft_key all[NETDEV_MAX_BURST];
    unsigned int n_words[NETDEV_MAX_BURST];

    /* Which of 'all' a frame has: its own, or that of the one before that it
     * is a twin of.  The others are not filled in. */
    uint8_t of[NETDEV_MAX_BURST];
};

static inline const struct soft_key *
key_of(const struct keys *keys, size_t i)
{
    return &keys->all[keys->of[i]];
}

/* Fills in '*keys' and the offsets of the frames in 'map'.  Returns those of
 * them that have keys, and in '*twins' those that have the key of another. */
static inline uint32_t
extract(struct soft_frame frames[], uint32_t map, struct keys *keys,
        uint32_t *twins)
{
    enum soft_kind kind = SOFT_KIND_OTHER;
    uint32_t valid = 0;
    int last = 0, i;

    *twins = 0;
    ULLONG_FOR_EACH_1 (i, map) {
        uint32_t bit = UINT32_C(1) << i;

        if (soft_frame_is_twin(&frames[last], kind, &frames[i])) {
            frames[i].l3_ofs = frames[last].l3_ofs;
            frames[i].l4_ofs = frames[last].l4_ofs;
            frames[i].l2_pad_size = frames[last].l2_pad_size;
            frames[i].cut = false;
            *twins |= bit;
            valid |= bit;
        } else {
            last = i;
            keys->n_words[i] = soft_key_extract(&frames[i], &keys->all[i]);
            kind = SOFT_KIND_OTHER;
            if (OVS_LIKELY(keys->n_words[i])) {
                kind = soft_frame_kind(&frames[i], &keys->all[i]);
                valid |= bit;
            }
        }
        keys->of[i] = last;
    }
    return valid;
}

/* Stores in 'flows' the flows of 'frames' that are in 'map', or NULL, and sets
 * the offsets of those frames. */
static void
lookup(struct soft_thread *thread, struct soft_port *port,
       struct soft_frame frames[], uint32_t map, struct keys *keys,
       struct soft_flow *flows[])
{
    uint64_t hashes[NETDEV_MAX_BURST];
    uint32_t todo, twins, found;
    uint64_t seq;
    int i;

    atomic_read_explicit(&soft_eswitch_last_seq, &seq, memory_order_acquire);
    ULLONG_FOR_EACH_1 (i, map) {
        flows[i] = NULL;
    }
    map = extract(frames, map, keys, &twins);
    map &= ~twins;
    todo = map;
    ULLONG_FOR_EACH_1 (i, map) {
        /* Not within the loop before: a word that has just been put together
         * from several stores cannot be loaded until they have reached the
         * cache. */
        hashes[i] = cache_hash(&keys->all[i], keys->n_words[i], port);
        OVS_PREFETCH(cache_set(thread, hashes[i]));
    }
    ULLONG_FOR_EACH_1 (i, map) {
        struct cache_entry *set = cache_set(thread, hashes[i]);

        for (int j = 0; j < CACHE_WAYS; j++) {
            if (set[j].hash == hashes[i]) {
                flows[i] = set[j].flow;
                OVS_PREFETCH(flows[i]);
                OVS_PREFETCH(flows[i]->words);
                break;
            }
        }
    }
    ULLONG_FOR_EACH_1 (i, map) {
        if (flows[i]) {
            if (OVS_LIKELY(soft_flow_matches(flows[i], &keys->all[i], seq)
                           && soft_flow_is_in(flows[i], &port->table))) {
                todo &= ~(UINT32_C(1) << i);
            } else {
                flows[i] = NULL;
            }
        }
    }
    if (OVS_UNLIKELY(todo)) {
        found = soft_table_lookup(&port->table, todo, keys->all, seq, flows);
        ULLONG_FOR_EACH_1 (i, found) {
            cache_insert(thread, hashes[i], flows[i]);
        }
    }
    ULLONG_FOR_EACH_1 (i, twins) {
        flows[i] = flows[keys->of[i]];
    }
}

/* Frame 'i' goes up although it is one of 'flows': takes it out of 'hits', and
 * those of its flow that come later, which must not overtake it. */
static uint32_t
pass_up(int i, struct soft_flow *const flows[], uint32_t hits,
        const struct soft_actions *actions[])
{
    int j;

    hits &= ~(UINT32_C(1) << i);
    ULLONG_FOR_EACH_1 (j, hits) {
        if (j > i && flows[j] == flows[i]) {
            hits &= ~(UINT32_C(1) << j);
            actions[j] = NULL;
            COVERAGE_INC(virtnet_flow_passed_up);
        }
    }
    actions[i] = NULL;
    COVERAGE_INC(virtnet_flow_passed_up);
    return hits;
}

/* Stores in 'actions' what is to be done with the frames in 'map', and in
 * 'flows' theirs, also if nothing can be done.  Returns those to which
 * something can be done. */
static uint32_t
find(struct soft_thread *thread, struct soft_port *port,
     struct soft_frame frames[], uint32_t map, uint32_t partial,
     struct keys *keys, struct soft_flow *flows[],
     const struct soft_actions *actions[])
{
    uint32_t hits = 0, passed = 0;
    int i;

    lookup(thread, port, frames, map, keys, flows);
    ULLONG_FOR_EACH_1 (i, map) {
        uint32_t bit = UINT32_C(1) << i;

        actions[i] = NULL;
        if (OVS_LIKELY(flows[i])) {
            actions[i] = ovsrcu_get(const struct soft_actions *,
                                    &flows[i]->actions);
            if (OVS_UNLIKELY(!actions[i])) {
                /* Not in force. */
                COVERAGE_INC(virtnet_flow_passed_up);
                flows[i] = NULL;
            } else if (OVS_LIKELY(soft_actions_apply_to(actions[i],
                                                        &frames[i],
                                                        partial & bit))) {
                hits |= bit;
            } else {
                passed |= bit;
            }
        }
    }
    ULLONG_FOR_EACH_1 (i, passed) {
        hits = pass_up(i, flows, hits, actions);
    }
    return hits;
}

size_t
soft_eswitch_find(struct soft_port *port, struct soft_frame frames[],
                  size_t n, uint32_t partial, struct soft_flow *flows[],
                  const struct soft_actions *actions[])
{
    struct keys keys;
    uint32_t hits;

    hits = find(thread_get(), port, frames, n < 32 ? (1u << n) - 1 : ~0u,
                partial, &keys, flows, actions);
    for (size_t i = 0; i < n; i++) {
        if (hits & (UINT32_C(1) << i)) {
            soft_flow_add_tcp_flags(flows[i],
                                    ntohs(key_of(&keys, i)->tcp_flags));
        }
    }
    return count_1bits(hits);
}

/* Counting. */

/* Sums up packets in a row of the same flow. */
struct tally {
    struct soft_flow *flow;
    uint32_t id;
    uint32_t packets;
    uint64_t bytes;
    uint16_t tcp_flags;
    long long int now;
};

static inline void
tally_flush(struct tally *t)
{
    if (t->packets) {
        soft_flow_count(t->flow, t->id, t->packets, t->bytes, t->tcp_flags,
                        t->now);
        t->packets = 0;
        t->bytes = 0;
        t->tcp_flags = 0;
    }
}

static inline void
tally_add(struct tally *t, struct soft_flow *flow, uint32_t size,
          ovs_be16 tcp_flags)
{
    if (flow != t->flow) {
        tally_flush(t);
        t->flow = flow;
    }
    t->packets++;
    t->bytes += size;
    t->tcp_flags |= ntohs(tcp_flags);
}

/* Adds to the counters of 'port'. */
static inline void
count_frames(struct soft_port *port, size_t n_hits, size_t n_misses)
{
    uint64_t orig;

    if (OVS_LIKELY(n_hits)) {
        COVERAGE_ADD(virtnet_flow_hit, n_hits);
        atomic_add_relaxed(&port->n_hits, n_hits, &orig);
        pmd_forward_count(n_hits);
    }
    if (OVS_UNLIKELY(n_misses)) {
        COVERAGE_ADD(virtnet_flow_miss, n_misses);
        atomic_add_relaxed(&port->n_misses, n_misses, &orig);
    }
}

void
soft_eswitch_count(struct soft_port *port, struct soft_flow *const flows[],
                   const uint32_t sizes[], size_t n)
{
    struct soft_thread *thread = thread_get();
    struct tally tally = {
        .id = thread->id,
        .now = thread_now(thread),
    };
    size_t n_hits = 0;

    for (size_t i = 0; i < n; i++) {
        if (OVS_LIKELY(flows[i])) {
            tally_add(&tally, flows[i], sizes[i], 0);
            n_hits++;
        }
    }
    tally_flush(&tally);
    count_frames(port, n_hits, n - n_hits);
}

/* What Open vSwitch has this thread send by, or -1 if it has not yet. */
DEFINE_STATIC_PER_THREAD_DATA(int, cur_queue_id, -1);

int
soft_eswitch_queue_id(void)
{
    int qid = *cur_queue_id_get();

    return OVS_LIKELY(qid >= 0) ? qid : thread_get()->id - 1;
}

void
soft_eswitch_set_queue_id(int qid)
{
    *cur_queue_id_get() = qid;
}

/* Packets in buffers of ours. */

static void
out_flush(struct out *out)
{
    if (!dp_packet_batch_is_empty(&out->batch)) {
        if (OVS_LIKELY(out->dev)) {
            soft_rep_send(out->dev, soft_eswitch_queue_id(), &out->batch);
        } else {
            pmd_forward_output(out->port, &out->batch);
        }
        dp_packet_batch_init(&out->batch);
    }
}

static void
outs_flush(struct soft_thread *thread)
{
    for (size_t i = 0; i < thread->n_outs; i++) {
        out_flush(&thread->outs[i]);
    }
    thread->n_outs = 0;
}

/* Can 'packet' be in the same batch as those in 'out'?  Those for ports of
 * other types must have the same kind of buffer. */
static inline bool
out_takes(const struct out *out, const struct dp_packet *packet)
{
    size_t n = dp_packet_batch_size(&out->batch);

    return (n < NETDEV_MAX_BURST
            && (OVS_LIKELY(out->dev) || !n
                || out->batch.packets[0]->source == packet->source));
}

static inline void
out_add(struct soft_thread *thread, const struct virtnet_flow_action *a,
        struct dp_packet *packet)
{
    struct virtnet_device *dev = NULL;
    odp_port_t port = ODPP_NONE;
    struct out *out;

    if (OVS_LIKELY(a->type == VIRTNET_FLOW_OUTPUT)) {
        dev = a->dev;
    } else {
        port = a->port;
    }
    for (size_t i = thread->n_outs; i > 0; i--) {
        out = &thread->outs[i - 1];
        if (out->dev == dev && out->port == port) {
            goto found;
        }
    }
    if (thread->n_outs == ARRAY_SIZE(thread->outs)) {
        outs_flush(thread);
    }
    out = &thread->outs[thread->n_outs++];
    out->dev = dev;
    out->port = port;
    dp_packet_batch_init(&out->batch);

found:
    if (OVS_UNLIKELY(!out_takes(out, packet))) {
        out_flush(out);
    }
    dp_packet_batch_add(&out->batch, packet);
}

/* Has 'packet', from 'port', any request for the device that sends it?  Those
 * of guests are in the flags of the mbuf, which are else zero. */
static inline bool
has_requests(const struct soft_port *port, const struct dp_packet *packet)
{
    return (OVS_UNLIKELY(port->foreign)
            ? soft_packet_has_requests(packet)
            : packet->mbuf.ol_flags & ~(RTE_MBUF_F_INDIRECT
                                        | RTE_MBUF_F_EXTERNAL));
}

/* Tells 'packet' what extraction of the flow would have told it, for those who
 * carry out its requests. */
static void
set_offsets(struct dp_packet *packet, const struct soft_frame *frame,
            const struct soft_key *key)
{
    dp_packet_reset_offsets(packet);
    packet->l3_ofs = frame->l3_ofs;
    packet->l4_ofs = frame->l4_ofs;
    dp_packet_set_l2_pad_size(packet, frame->l2_pad_size);
#if VIRTNET_OVS_VERSION >= 40000
    if (!key) {
        /* Without requests nobody asks for that. */
    } else if (key->nw_proto == IPPROTO_TCP) {
        dp_packet_l4_proto_set_tcp(packet);
    } else if (key->nw_proto == IPPROTO_UDP) {
        dp_packet_l4_proto_set_udp(packet);
    } else if (key->nw_proto == IPPROTO_SCTP) {
        dp_packet_l4_proto_set_sctp(packet);
    }
#else
    (void) key;
#endif
}

/* Tells 'packet', which has come in by 'port' for 'flow', and which has
 * 'requests' or goes to a port of another type, what the datapath would have
 * told it, since whoever sends it relies on that.  'key' may be NULL. */
static void
prepare(const struct soft_port *port, const struct soft_flow *flow,
        const struct soft_actions *actions, struct dp_packet *packet,
        bool requests, const struct soft_frame *frame,
        const struct soft_key *key)
{
    if (actions->n_ports || port->foreign || !key) {
        pkt_metadata_init(&packet->md, flow->in_port);
        if (OVS_UNLIKELY(requests)) {
            struct {
                struct miniflow mf;
                uint64_t buf[FLOW_U64S];
            } m;

            /* It knows what each version makes of requests. */
            miniflow_extract(packet, &m.mf);
            return;
        }
    }
    set_offsets(packet, frame, key);
}

/* Can all devices that 'actions' lead to take 'packet' with its requests?
 * Checksums are completed for those that cannot, and ports of other types have
 * Open vSwitch see to it. */
static bool
can_take(const struct soft_actions *actions, const struct dp_packet *packet,
         bool ipv4)
{
    uint8_t need;

    if (!packet->mbuf.tso_segsz) {
        return true;
    }
    need = SOFT_GUEST_CSUM | (ipv4 ? SOFT_GUEST_TSO4 : SOFT_GUEST_TSO6);
    for (size_t i = 0; i < actions->n; i++) {
        const struct virtnet_flow_action *a = &actions->actions[i];

        if (a->type == VIRTNET_FLOW_OUTPUT) {
            struct soft_rep *rep = &soft_device_cast(a->dev)->rep;
            uint8_t offloads;

            atomic_read_relaxed(&rep->guest_offloads, &offloads);
            if ((offloads & need) != need) {
                return false;
            }
        }
    }
    return true;
}

/* Has 'packet' follow its frame, whose start may have moved. */
static inline void
follow_frame(struct dp_packet *packet, const struct soft_frame *frame)
{
    if (OVS_UNLIKELY(frame->data != dp_packet_data(packet))) {
        dp_packet_set_size(packet, frame->size);
        dp_packet_set_data(packet, frame->data);
        if (packet->l3_ofs != SOFT_NO_OFS) {
            packet->l3_ofs = frame->l3_ofs;
            packet->l4_ofs = frame->l4_ofs;
        }
    }
}

/* Returns a copy of 'packet', which comes from 'in', for the output 'a', if
 * possible in a buffer of the receiver's own kind, so that it need not be
 * copied once more when it is sent. */
static struct dp_packet *
copy_for(const struct virtnet_flow_action *a, const struct soft_port *in,
         const struct dp_packet *packet)
{
    bool to_port = a->type == VIRTNET_FLOW_OUTPUT_PORT;
    const struct soft_rep *rep
        = &soft_device_cast(to_port ? in->dev : a->dev)->rep;
    struct rte_mempool *mp = ovsrcu_get(struct rte_mempool *, &rep->mp);
    struct dp_packet *copy = mp ? soft_packet_copy(packet, mp) : NULL;

    if (OVS_UNLIKELY(!copy)) {
        return dp_packet_clone(packet);
    }
    if (to_port) {
        pkt_metadata_init(&copy->md, packet->md.in_port.odp_port);
    }
    return copy;
}

/* Carries out 'actions' on 'packet', which comes from 'in' and which it takes
 * over. */
static void
execute(struct soft_thread *thread, const struct soft_port *in,
        const struct soft_actions *actions, struct dp_packet *packet,
        struct soft_frame *frame)
{
    unsigned int n_left = actions->n_outputs;

    for (size_t i = 0; n_left; i++) {
        const struct virtnet_flow_action *a = &actions->actions[i];

        if (virtnet_flow_is_output(a)) {
            follow_frame(packet, frame);
            if (--n_left) {
                out_add(thread, a, copy_for(a, in, packet));
            } else {
                out_add(thread, a, packet);
                return;
            }
        } else {
            soft_action_rewrite(a, frame);
        }
    }
    COVERAGE_INC(virtnet_flow_drop);
    dp_packet_delete(packet);
}

void
soft_eswitch_run(struct soft_port *port, struct dp_packet_batch *batch)
{
    struct soft_thread *thread = thread_get();
    size_t n = dp_packet_batch_size(batch);
    const struct soft_actions *actions[NETDEV_MAX_BURST];
    struct soft_frame frames[NETDEV_MAX_BURST];
    struct soft_flow *flows[NETDEV_MAX_BURST];
    struct keys keys;
    uint32_t partial = 0, hits;
    size_t n_misses = 0;
    struct tally tally;

    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];
        struct soft_frame *frame = &frames[i];

        OVS_PREFETCH(dp_packet_data(packet));
        frame->data = dp_packet_data(packet);
        frame->size = dp_packet_size(packet);
        frame->linear = frame->size;
        frame->headroom = dp_packet_headroom(packet);
        if (OVS_UNLIKELY(has_requests(port, packet))) {
            partial |= UINT32_C(1) << i;
        }
    }

    hits = find(thread, port, frames, n < 32 ? (1u << n) - 1 : ~0u, partial,
                &keys, flows, actions);
    tally = (struct tally) {
        .id = thread->id,
        .now = thread_now(thread),
    };
    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];
        uint32_t bit = UINT32_C(1) << i;

        if (OVS_UNLIKELY(partial & hits & bit)
            && !can_take(actions[i], packet,
                         key_of(&keys, i)->dl_type == htons(ETH_TYPE_IP))) {
            hits = pass_up(i, flows, hits, actions);
        }
        if (OVS_LIKELY(hits & bit)) {
            tally_add(&tally, flows[i], frames[i].size,
                      key_of(&keys, i)->tcp_flags);
            if (OVS_UNLIKELY(partial & bit || actions[i]->n_ports)) {
                prepare(port, flows[i], actions[i], packet, partial & bit,
                        &frames[i], key_of(&keys, i));
            }
            execute(thread, port, actions[i], packet, &frames[i]);
        } else {
            batch->packets[n_misses++] = packet;
        }
    }
    tally_flush(&tally);
    outs_flush(thread);
    batch->count = n_misses;

    count_frames(port, n - n_misses, n_misses);
}

/* Is 'flow' one of the 'n' of 'flows'? */
static bool
is_among(const struct soft_flow *flow, const struct soft_flow *const flows[],
         size_t n)
{
    while (n && flows[n - 1] != flow) {
        n--;
    }
    return n;
}

void
soft_eswitch_execute(struct soft_port *port, struct dp_packet_batch *batch,
                     struct soft_flow *const flows[],
                     const struct soft_actions *const actions[],
                     struct soft_frame frames[])
{
    struct soft_thread *thread = thread_get();
    struct tally tally = {
        .id = thread->id,
        .now = thread_now(thread),
    };
    size_t n = dp_packet_batch_size(batch), n_left = 0;
    const struct soft_flow *left[NETDEV_MAX_BURST];

    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];
        struct soft_frame *frame = &frames[i];
        bool requests = has_requests(port, packet);

        frame->data = dp_packet_data(packet);
        frame->linear = frame->size;
        frame->headroom = dp_packet_headroom(packet);
        if (OVS_UNLIKELY(n_left && is_among(flows[i], left, n_left))
            || (OVS_UNLIKELY(requests)
                && !can_take(actions[i], packet,
                             IP_VER(frame->data[frame->l3_ofs]) == 4))) {
            COVERAGE_INC(virtnet_flow_passed_up);
            left[n_left] = flows[i];
            batch->packets[n_left++] = packet;
            continue;
        }
        tally_add(&tally, flows[i], frame->size, 0);
        if (OVS_LIKELY(requests || actions[i]->n_ports)) {
            prepare(port, flows[i], actions[i], packet, requests, frame,
                    NULL);
        }
        execute(thread, port, actions[i], packet, frame);
    }
    tally_flush(&tally);
    outs_flush(thread);
    batch->count = n_left;
    count_frames(port, n - n_left, n_left);
}
