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

#ifndef SOFT_USO_H
#define SOFT_USO_H 1

/* Frames of guests that are to be cut into UDP datagrams (VIRTIO 1.3, "UDP
 * segmentation offload"), on their way to Open vSwitch.
 *
 * No version of Open vSwitch knows such packets, so they are cut before it
 * sees them.  One becomes more datagrams than a batch has room for, so those
 * that are left, and the packets behind them, wait for the next batches.
 *
 * Frames that go from guest to guest as they are do not come here: see
 * soft_packet_can_pass().
 *
 * Threads: the one that polls the queue. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/compiler.h"

struct dp_packet_batch;
struct rte_mbuf;
struct rte_mempool;

struct soft_uso {
    struct rte_mbuf *first;     /* Packets, in a list by their 'next'. */
    struct rte_mbuf *last;      /* Undefined if 'first' is NULL. */
    uint32_t n_bytes;           /* Payload of 'first' that is in datagrams. */
    uint16_t n_datagrams;       /* So many. */
};

static inline void
soft_uso_init(struct soft_uso *uso)
{
    uso->first = NULL;
}

static inline bool
soft_uso_is_empty(const struct soft_uso *uso)
{
    return OVS_LIKELY(!uso->first);
}

/* Frees what waits. */
void soft_uso_clear(struct soft_uso *);

/* Returns how many packets of 'batch' are to be cut, and subtracts their bytes
 * from '*bytes'. */
unsigned int soft_uso_find(const struct dp_packet_batch *batch,
                           uint64_t *bytes);

/* Takes all packets of 'batch', of which some are to be cut. */
void soft_uso_take(struct soft_uso *, struct dp_packet_batch *batch);

/* Stores in 'batch', which must be empty, the packets that come next.
 * Datagrams have buffers of 'mp'. */
struct soft_uso_result {
    unsigned int n_datagrams;   /* In 'batch' among others. */
    unsigned int no_memory;     /* Frames that lack some for that. */
    uint64_t bytes;             /* Of the datagrams. */
};
void soft_uso_fill(struct soft_uso *, struct rte_mempool *mp,
                   struct dp_packet_batch *batch, struct soft_uso_result *);

#endif /* soft-uso.h */
