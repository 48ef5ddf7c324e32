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

#ifndef SOFT_ESWITCH_TABLE_H
#define SOFT_ESWITCH_TABLE_H 1

/* Flows of the software eSwitch and the tables that find them.
 *
 * Each input port has a table: a list of subtables, one for each mask, each a
 * hash map of flows by the masked words of their key.  In front of all tables
 * each packet thread has a cache of its own from a hash of the whole key to
 * the flow that was found last.  A cache entry is a hint, no more: the flow is
 * always compared with the packet.
 *
 * Memory of flows
 * ===============
 *
 * Caches may refer to flows for as long as they like, without a reference.
 * Therefore the memory of a flow stays that of a flow for ever: it is taken
 * from, and returned to, a free list, where it stays with 'seq' zero, which
 * matches nothing.  It is reused a grace period after its flow has gone, so
 * nobody reads it while it is filled in.
 *
 * Threads
 * =======
 *
 * Packet threads look up and count.  Writers hold the lock of the eSwitch.
 * What both touch is RCU-protected or atomic. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmap.h"
#include "openvswitch/list.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "pvector.h"
#include "soft-eswitch-action.h"
#include "soft-eswitch-key.h"
#include "util.h"

/* One mask of a table. */
struct soft_subtable {
    /* Constant. */
    struct soft_key mask;
    uint8_t n_words;            /* Number of words of 'mask' that are not 0. */
    uint8_t index[SOFT_KEY_WORDS]; /* Which. */
    const struct soft_table *table; /* That this is part of. */

    struct cmap flows;          /* Contains "struct soft_flow" by 'node'. */
    atomic_uint64_t hits;       /* Approximate, for the order. */
    uint64_t old_hits;          /* When last ordered. */
    struct ovs_list list_node;  /* In the table.  Writers only. */
};

struct soft_table {
    struct pvector subtables;   /* By frequency of use. */
    struct ovs_list list;       /* The same, for writers. */
    long long int order_at;     /* When to put in order next. */
};

/* Counters.  'owner' is the packet thread that counts in 'packets' and
 * 'bytes', without locked instructions: the first that had a packet for the
 * flow.  Others add to 'more_packets' and 'more_bytes'.  The sums are
 * exact. */
struct soft_flow_stats {
    atomic_uint32_t owner;      /* Id of a packet thread, or 0. */
    atomic_uint16_t tcp_flags;
    atomic_llong used;
    atomic_uint64_t packets;
    atomic_uint64_t bytes;
};

struct soft_port;

/* The order of the members is that of their use: a hit of a typical flow needs
 * two cache lines. */
struct soft_flow {
    OVS_ALIGNED_VAR(CACHE_LINE_SIZE) struct cmap_node node;
    atomic_uint64_t seq;        /* Order of insertion; 0 if not in force. */
    const struct soft_subtable *subtable;
    OVSRCU_TYPE(const struct soft_actions *) actions;
    struct soft_flow_stats stats;

    /* Words of the key that are not wild, masked: subtable->n_words. */
    uint64_t words[SOFT_KEY_WORDS];

    atomic_uint64_t more_packets;
    atomic_uint64_t more_bytes;

    odp_port_t in_port;         /* Constant while in force. */

    /* Writers only, with the exception of 'ufid' and its node. */
    ovs_u128 ufid;
    struct cmap_node ufid_node;
    struct ovs_list list_node;  /* In the port's, or the free list. */
    struct soft_port *in;
    uint32_t hash;              /* Of 'words'. */
};

/* Memory. */

/* Size of the pages that soft_alloc_large() prefers. */
#define SOFT_LARGE_PAGE (2u << 20)

/* Returns 'size' bytes, zeroed, for what packet threads look at all over: in
 * transparent hugepages, where the kernel has some to spare, else a lookup
 * would miss the TLB with each line that it needs.  To be freed with
 * free_size_align().  Any thread. */
void *soft_alloc_large(size_t size);

/* Flows. */

/* Returns memory for a flow, with nothing filled in.  Writers. */
struct soft_flow *soft_flow_alloc(void);

/* Returns 'flow', which is in no table any more, to the free list after a
 * grace period.  Writers. */
void soft_flow_free(struct soft_flow *flow);

/* Bytes of memory that flows have, whether in use or free.  Any thread. */
uint64_t soft_flow_memory(void);

/* Counts 'n' packets of 'bytes' bytes altogether for the packet thread
 * 'id'. */
void soft_flow_count(struct soft_flow *, uint32_t id, uint64_t n,
                     uint64_t bytes, uint16_t tcp_flags, long long int now);

/* Notes that packets had these flags. */
static inline void
soft_flow_add_tcp_flags(struct soft_flow *flow, uint16_t tcp_flags)
{
    uint16_t flags;

    atomic_read_relaxed(&flow->stats.tcp_flags, &flags);
    if (OVS_UNLIKELY(tcp_flags & ~flags)) {
        atomic_or_explicit(&flow->stats.tcp_flags, tcp_flags, &flags,
                           memory_order_relaxed);
    }
}

void soft_flow_get_stats(const struct soft_flow *,
                         struct virtnet_flow_stats *);
void soft_flow_clear_stats(struct soft_flow *);

/* Does 'key' match 'flow'?  Only if the flow is in force, and has been since
 * 'seq' at least. */
static inline bool
soft_flow_matches(const struct soft_flow *flow, const struct soft_key *key,
                  uint64_t seq)
{
    const struct soft_subtable *st;
    uint64_t flow_seq, diff = 0;

    atomic_read_explicit(&CONST_CAST(struct soft_flow *, flow)->seq,
                         &flow_seq, memory_order_acquire);
    if (OVS_UNLIKELY(flow_seq - 1 >= seq)) {
        return false;           /* Zero, or too young. */
    }
    st = flow->subtable;
    for (size_t i = 0; i < st->n_words; i++) {
        unsigned int w = st->index[i];

        diff |= (key->words[w] & st->mask.words[w]) ^ flow->words[i];
    }
    return !diff;
}

/* Is 'flow', which soft_flow_matches() has found to be in force, in 'table'?
 * The flow itself says so, too, yet in a cache line that nothing else
 * needs. */
static inline bool
soft_flow_is_in(const struct soft_flow *flow, const struct soft_table *table)
{
    return flow->subtable->table == table;
}

/* Tables. */
void soft_table_init(struct soft_table *);

/* Frees what is in 'table', which has no flows, after a grace period. */
void soft_table_uninit(struct soft_table *);

/* Inserts 'flow', of which key and mask are given, and 'seq' is zero.
 * Writers. */
void soft_table_insert(struct soft_table *, struct soft_flow *flow,
                       const struct soft_key *key,
                       const struct soft_key *mask);
void soft_table_remove(struct soft_table *, struct soft_flow *flow);

/* Looks up the keys whose bit in 'map' is 1, of at most 32, and stores in
 * 'flows' what is found.  Returns the bits of those. */
uint32_t soft_table_lookup(const struct soft_table *, uint32_t map,
                           const struct soft_key keys[], uint64_t seq,
                           struct soft_flow *flows[]);

/* Puts the subtables in order of use, if it is time.  Writers. */
void soft_table_order(struct soft_table *, long long int now);

/* The full key and mask of 'flow'.  Writers. */
void soft_flow_get_key(const struct soft_flow *flow, struct soft_key *key,
                       struct soft_key *mask);

#endif /* soft-eswitch-table.h */
