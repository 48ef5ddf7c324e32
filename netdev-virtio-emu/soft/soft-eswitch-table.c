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

/* Flows of the software eSwitch and the tables that find them.  See
 * soft-eswitch-table.h. */

#include <config.h>

#include "soft-eswitch-table.h"

#include <sys/mman.h>

#include "ovs-thread.h"
#include "soft-counter.h"

/* How often subtables are put in order (ms). */
#define ORDER_INTERVAL 1000

/* Memory. */

void *
soft_alloc_large(size_t size)
{
    void *p = xmalloc_size_align(size, SOFT_LARGE_PAGE);

    /* Of no consequence if it fails. */
    madvise(p, size, MADV_HUGEPAGE);
    memset(p, 0, size);
    return p;
}

/* Flows. */

/* Flows are allocated by this many, and, once there are many, by what fits in
 * a large page. */
#define SLAB_FLOWS 256
#define LARGE_SLAB_FLOWS (SOFT_LARGE_PAGE / sizeof(struct soft_flow))
#define MANY_FLOWS 4096

static struct ovs_mutex free_mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list free_flows OVS_GUARDED_BY(free_mutex)
    = OVS_LIST_INITIALIZER(&free_flows);
static atomic_uint64_t memory;

struct soft_flow *
soft_flow_alloc(void)
{
    struct soft_flow *flow;

    ovs_mutex_lock(&free_mutex);
    if (ovs_list_is_empty(&free_flows)) {
        bool many = soft_flow_memory() >= MANY_FLOWS * sizeof *flow;
        size_t n = many ? LARGE_SLAB_FLOWS : SLAB_FLOWS;
        struct soft_flow *slab = (many ? soft_alloc_large(SOFT_LARGE_PAGE)
                                  : xzalloc_cacheline(n * sizeof *slab));
        uint64_t orig;

        for (size_t i = 0; i < n; i++) {
            ovs_list_push_back(&free_flows, &slab[i].list_node);
        }
        atomic_add_relaxed(&memory, n * sizeof *slab, &orig);
    }
    flow = CONTAINER_OF(ovs_list_pop_front(&free_flows), struct soft_flow,
                        list_node);
    ovs_mutex_unlock(&free_mutex);
    return flow;
}

static void
soft_flow_free__(struct soft_flow *flow)
{
    ovs_mutex_lock(&free_mutex);
    ovs_list_push_front(&free_flows, &flow->list_node);
    ovs_mutex_unlock(&free_mutex);
}

void
soft_flow_free(struct soft_flow *flow)
{
    ovsrcu_postpone(soft_flow_free__, flow);
}

uint64_t
soft_flow_memory(void)
{
    return counter_get(&memory);
}

void
soft_flow_count(struct soft_flow *flow, uint32_t id, uint64_t n,
                uint64_t bytes, uint16_t tcp_flags, long long int now)
{
    struct soft_flow_stats *s = &flow->stats;
    uint32_t owner;
    uint64_t orig;

    atomic_read_relaxed(&s->owner, &owner);
    if (OVS_UNLIKELY(!owner)) {
        if (atomic_compare_exchange_strong(&s->owner, &owner, id)) {
            owner = id;
        }
    }
    if (OVS_LIKELY(owner == id)) {
        counter_add(&s->packets, n);
        counter_add(&s->bytes, bytes);
    } else {
        atomic_add_relaxed(&flow->more_packets, n, &orig);
        atomic_add_relaxed(&flow->more_bytes, bytes, &orig);
    }
    soft_flow_add_tcp_flags(flow, tcp_flags);
    atomic_store_relaxed(&s->used, now);
}

void
soft_flow_get_stats(const struct soft_flow *flow,
                    struct virtnet_flow_stats *stats)
{
    struct soft_flow_stats *s
        = CONST_CAST(struct soft_flow_stats *, &flow->stats);
    uint64_t seq;

    stats->n_packets = counter_get(&s->packets)
                       + counter_get(&flow->more_packets);
    stats->n_bytes = counter_get(&s->bytes) + counter_get(&flow->more_bytes);
    atomic_read_relaxed(&s->used, &stats->used);
    atomic_read_relaxed(&s->tcp_flags, &stats->tcp_flags);
    atomic_read_relaxed(&CONST_CAST(struct soft_flow *, flow)->seq, &seq);
    stats->in_force = seq;
}

void
soft_flow_clear_stats(struct soft_flow *flow)
{
    struct soft_flow_stats *s = &flow->stats;

    atomic_store_relaxed(&s->owner, 0);
    atomic_store_relaxed(&s->tcp_flags, 0);
    atomic_store_relaxed(&s->used, 0);
    atomic_store_relaxed(&s->packets, 0);
    atomic_store_relaxed(&s->bytes, 0);
    atomic_store_relaxed(&flow->more_packets, 0);
    atomic_store_relaxed(&flow->more_bytes, 0);
}

void
soft_flow_get_key(const struct soft_flow *flow, struct soft_key *key,
                  struct soft_key *mask)
{
    const struct soft_subtable *st = flow->subtable;

    *mask = st->mask;
    memset(key, 0, sizeof *key);
    for (size_t i = 0; i < st->n_words; i++) {
        key->words[st->index[i]] = flow->words[i];
    }
}

/* Tables. */

void
soft_table_init(struct soft_table *table)
{
    pvector_init(&table->subtables);
    ovs_list_init(&table->list);
    table->order_at = 0;
}

static void
subtable_destroy(struct soft_subtable *st)
{
    cmap_destroy(&st->flows);
    free_cacheline(st);
}

void
soft_table_uninit(struct soft_table *table)
{
    struct soft_subtable *st, *next;

    LIST_FOR_EACH_SAFE (st, next, list_node, &table->list) {
        ovs_list_remove(&st->list_node);
        ovsrcu_postpone(subtable_destroy, st);
    }
    pvector_destroy(&table->subtables);
}

static struct soft_subtable *
subtable_get(struct soft_table *table, const struct soft_key *mask)
{
    struct soft_subtable *st;

    LIST_FOR_EACH (st, list_node, &table->list) {
        if (!memcmp(&st->mask, mask, sizeof *mask)) {
            return st;
        }
    }

    st = xzalloc_cacheline(sizeof *st);
    st->mask = *mask;
    st->table = table;
    for (size_t i = 0; i < SOFT_KEY_WORDS; i++) {
        if (mask->words[i]) {
            st->index[st->n_words++] = i;
        }
    }
    cmap_init(&st->flows);
    ovs_list_push_back(&table->list, &st->list_node);
    pvector_insert(&table->subtables, st, 0);
    pvector_publish(&table->subtables);
    return st;
}

static inline uint32_t
hash_masked(const struct soft_subtable *st, const struct soft_key *key)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < st->n_words; i++) {
        unsigned int w = st->index[i];

        hash += soft_key_hash_word(key->words[w] & st->mask.words[w], w);
    }
    return hash >> 32;
}

void
soft_table_insert(struct soft_table *table, struct soft_flow *flow,
                  const struct soft_key *key, const struct soft_key *mask)
{
    struct soft_subtable *st = subtable_get(table, mask);

    flow->subtable = st;
    for (size_t i = 0; i < st->n_words; i++) {
        flow->words[i] = key->words[st->index[i]];
    }
    flow->hash = hash_masked(st, key);
    cmap_insert(&st->flows, &flow->node, flow->hash);
}

void
soft_table_remove(struct soft_table *table, struct soft_flow *flow)
{
    struct soft_subtable *st = CONST_CAST(struct soft_subtable *,
                                          flow->subtable);

    if (!cmap_remove(&st->flows, &flow->node, flow->hash)) {
        ovs_list_remove(&st->list_node);
        pvector_remove(&table->subtables, st);
        pvector_publish(&table->subtables);
        ovsrcu_postpone(subtable_destroy, st);
    }
}

uint32_t
soft_table_lookup(const struct soft_table *table, uint32_t map,
                  const struct soft_key keys[], uint64_t seq,
                  struct soft_flow *flows[])
{
    struct soft_subtable *st;
    uint32_t found = 0;

    PVECTOR_FOR_EACH (st, &table->subtables) {
        const struct cmap_node *nodes[32];
        uint32_t hashes[32];
        unsigned long hits;
        uint32_t n = 0;
        int i;

        ULLONG_FOR_EACH_1 (i, map) {
            hashes[i] = hash_masked(st, &keys[i]);
        }
        hits = cmap_find_batch(&st->flows, map, hashes, nodes);
        ULLONG_FOR_EACH_1 (i, hits) {
            struct soft_flow *flow = CONTAINER_OF(nodes[i], struct soft_flow,
                                                  node);

            OVS_PREFETCH(flow);
            OVS_PREFETCH(flow->words);
        }
        ULLONG_FOR_EACH_1 (i, hits) {
            struct soft_flow *flow;

            CMAP_NODE_FOR_EACH (flow, node, nodes[i]) {
                if (OVS_LIKELY(soft_flow_matches(flow, &keys[i], seq))) {
                    flows[i] = flow;
                    found |= UINT32_C(1) << i;
                    n++;
                    break;
                }
            }
        }
        if (n) {
            counter_add(&st->hits, n);
            map &= ~found;
            if (!map) {
                break;
            }
        }
    }
    return found;
}

void
soft_table_order(struct soft_table *table, long long int now)
{
    struct soft_subtable *st;

    if (now < table->order_at) {
        return;
    }
    table->order_at = now + ORDER_INTERVAL;
    if (ovs_list_is_short(&table->list)) {
        return;
    }
    LIST_FOR_EACH (st, list_node, &table->list) {
        uint64_t hits = counter_get(&st->hits);

        pvector_change_priority(&table->subtables, st,
                                MIN(hits - st->old_hits, INT_MAX));
        st->old_hits = hits;
    }
    pvector_publish(&table->subtables);
}
