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

/* What a representor tells of its queues.  See "Counters" in soft-rep.h. */

#include <config.h>

#include "soft-rep.h"

#include <stdio.h>

#include "openvswitch/netdev.h"
#include "soft-rep-private.h"
#include "virtnet-health.h"
#include "virtnet-settings.h"
#include "virtq.h"

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
