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

#ifndef SOFT_REP_H
#define SOFT_REP_H 1

/* The representor of a device of the soft backend: its packets and counters.
 *
 * Threads
 * =======
 *
 * "struct soft_rep" lies in the device and lives until the device's memory is
 * returned.  Packet threads use it at any time, with soft_rep_recv(),
 * soft_rep_send() and soft_rep_rxq_enabled().  What they read on the way is
 * written by others with atomics or RCU:
 *
 *   - 'vid', the handle of librte_vhost, which says that there is a driver.
 *     See soft-vhost-user.h for who sets it.
 *
 *   - The rings of 'pairs', by threads of librte_vhost: see soft-ring.h.
 *
 *   - 'mp', 'mtu' and 'up', by the main thread.
 *
 *   - 'announce', by threads of librte_vhost; cleared by a packet thread.
 *
 *   - 'pairs' and 'n_pairs', by the main thread, while 'vid' is -1 and has
 *     been for a grace period.  A packet thread must look at 'vid' first.
 *
 * Counters
 * ========
 *
 * Each queue has its own.  A receive queue's are written by the one thread
 * that polls it; a transmit queue's under its ring's lock.  Hence additions
 * need no locked instructions, and readers still see whole numbers.  They are
 * never reset while the device lives. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "soft-ring.h"
#include "soft-uso.h"
#include "util.h"
#include "virtnet-device.h"

struct dp_packet_batch;
struct netdev_custom_counter;
struct netdev_stats;
struct rte_mempool;
struct soft_frame;
struct soft_mempool;
struct soft_port;

/* What the guest sends. */
struct soft_rxq {
    struct soft_ring ring;
    uint64_t rest_until;        /* Left alone until then, in TSC cycles.  Of
                                 * the thread that polls it. */
    unsigned int max_burst;     /* Frames to take at a time, so that they are
                                 * no more than BURST_BYTES.  Likewise. */
    struct soft_uso uso;        /* What is taken before anything else from the
                                 * ring.  Likewise. */
    atomic_bool enabled;        /* Has the driver enabled the queue? */
    atomic_uint core;           /* DPDK's number of the last core to poll. */
    atomic_uint64_t packets;    /* Handed to the datapath. */
    atomic_uint64_t bytes;
    atomic_uint64_t invalid;    /* Dropped: too long, or offload request makes
                                 * no sense. */
    atomic_uint64_t no_memory;  /* Dropped: no room for a copy. */
};

/* What the guest receives. */
struct soft_txq {
    struct soft_ring ring;
    atomic_bool enabled;        /* Has the driver enabled the queue? */
    atomic_uint core;           /* DPDK's number of the last core to send. */

    /* Written with the lock of 'ring' held. */
    atomic_uint64_t packets;    /* Handed to the guest. */
    atomic_uint64_t bytes;
    atomic_uint64_t no_buffers; /* Dropped: the guest gave no buffers. */
    atomic_uint64_t too_big;    /* Dropped: longer than the MTU allows. */
    atomic_uint64_t no_memory;  /* Dropped: could not be copied. */
    atomic_uint64_t invalid;    /* Dropped: cannot be offloaded. */
    atomic_uint64_t retries;    /* Further attempts on a full ring. */
    atomic_uint64_t sizes[VIRTNET_N_SIZES]; /* 'packets' by size, since that
                                 * was last asked for. */
};

/* A pair.  Each half has cache lines of its own, since two threads write. */
struct soft_queue_pair {
    PADDED_MEMBERS(CACHE_LINE_SIZE, struct soft_rxq rx;);
    PADDED_MEMBERS(CACHE_LINE_SIZE, struct soft_txq tx;);
};

/* Bits of 'guest_offloads'. */
#define SOFT_GUEST_CSUM 0x01    /* Partial checksums. */
#define SOFT_GUEST_TSO4 0x02    /* TCP segments of any size, over IPv4, */
#define SOFT_GUEST_TSO6 0x04    /* and over IPv6. */
#define SOFT_GUEST_USO4 0x08    /* The same for UDP datagrams. */
#define SOFT_GUEST_USO6 0x10

struct soft_rep {
    /* Read for every burst. */
    OVS_ALIGNED_VAR(CACHE_LINE_SIZE) ovsrcu_index vid; /* -1 if none. */
    atomic_bool up;             /* Administratively. */
    atomic_uint8_t guest_offloads; /* SOFT_GUEST_*: what it can take. */
    atomic_bool count_sizes;    /* Are packets counted by size? */
    atomic_uint16_t n_map;      /* Number of entries of 'map' in use. */
    atomic_uint16_t mtu;        /* In force. */
    atomic_uint64_t announce;   /* Ethernet address that the driver would have
                                 * sent from if it could, as it lies in memory,
                                 * or 0. */
    struct soft_queue_pair *pairs;
    OVSRCU_TYPE(struct rte_mempool *) mp;
    uint16_t n_pairs;           /* Elements of 'pairs'. */
    struct soft_port *eswitch_port; /* Constant.  See soft-eswitch.h. */
    struct soft_moderation moderation;

    /* Transmit queue that takes the packets of queue id I: map[I % n_map].
     * Only enabled queues appear here.  Written by whoever holds the mutex of
     * soft-vhost-private.h. */
    atomic_uint8_t map[VIRTNET_MAX_QUEUE_PAIRS];

    /* Packets that no driver was there to take, or that came while the port
     * was down.  Any thread. */
    atomic_uint64_t tx_no_driver;
    atomic_uint64_t tx_down;

    /* Main thread only. */
    struct soft_mempool *pool;  /* That 'mp' belongs to. */
    unsigned int n_buffers;     /* For a new pool. */
    uint64_t drops_base;        /* Packets without buffers when the drop
                                 * counter was set. */
};

/* Life. */
int soft_rep_init(struct soft_rep *, int mtu, unsigned int n_buffers,
                  unsigned int n_pairs, char **errp);
void soft_rep_uninit(struct soft_rep *);

/* Drops what packet threads may still be using of 'rep' a grace period from
 * now: its packet memory. */
void soft_rep_release_memory(struct soft_rep *);

/* Gives 'rep' 'n_pairs' queue pairs.  The counters of those it has are kept,
 * and it never has fewer than before.  There must be no vid and have been none
 * for a grace period. */
void soft_rep_set_n_pairs(struct soft_rep *, unsigned int n_pairs);

/* Attachment.  See soft-vhost-private.h for locking. */
void soft_rep_enable_vring(struct soft_rep *, unsigned int vring,
                           bool enable);
void soft_rep_disable_vrings(struct soft_rep *);
struct soft_ring *soft_rep_get_ring(struct soft_rep *, unsigned int vring);

/* Has the switch learn that 'mac' is here now, as if the driver had sent a
 * RARP request: after a migration the front end asks for it if the driver
 * cannot (VHOST_USER_SEND_RARP). */
void soft_rep_announce(struct soft_rep *, const struct eth_addr mac);
unsigned int soft_rep_enabled_pairs(const struct soft_rep *);

/* Moves the packet memory to NUMA node 'socket_id', if there is some.  Main
 * thread. */
void soft_rep_set_socket_id(struct soft_rep *, int socket_id,
                            const char *name);

/* Representor operations of the backend class. */
int soft_rep_set_mtu(struct virtnet_device *, int mtu);
void soft_rep_set_up(struct virtnet_device *, bool up);
void soft_rep_get_stats(const struct virtnet_device *, struct netdev_stats *);
size_t soft_rep_get_custom_stats(const struct virtnet_device *,
                                 struct netdev_custom_counter **);
int soft_rep_recv(struct virtnet_device *, int qid, struct dp_packet_batch *,
                  int *qfill);
void soft_rep_send(struct virtnet_device *, int qid, struct dp_packet_batch *);
uint64_t soft_rep_get_drops(const struct virtnet_device *);
void soft_rep_get_health(const struct virtnet_device *,
                         struct virtnet_health *);

/* Looks after the rings.  To be called once a second.  Main thread. */
void soft_rep_check(struct soft_rep *);

/* Hands 'n' frames, at most 32, to the driver of 'dev', straight from the
 * memory of the guest that sent them.  Of each frame the start is
 * heads[i], and what does not fit there are the last bytes of frames[i].  What
 * frames[i]->hdr asks for must have been found to be good for the driver; see
 * soft_packet_can_pass().  Packet threads. */
void soft_rep_forward(struct virtnet_device *dev, int qid,
                      const struct virtq_frame *const frames[],
                      const struct soft_frame *const heads[], size_t n);

/* The packet counter, or the drop counter, is set or cleared.  Main thread. */
void soft_rep_set_packet_counter(struct soft_rep *, bool enable);
void soft_rep_set_drop_counter(struct soft_rep *, bool enable);
bool soft_rep_rxq_enabled(const struct virtnet_device *, int qid);

/* Counters of one virtqueue, VIRTIO numbering: even is what the guest
 * receives.  Leaves the members of 'info' that it knows nothing of alone.
 * 'vring' must be less than twice the number of pairs. */
void soft_rep_get_vring_counters(const struct soft_rep *, unsigned int vring,
                                 struct virtnet_queue_info *info);

#endif /* soft-rep.h */
