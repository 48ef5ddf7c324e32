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

/* Cutting of frames into UDP datagrams.  See soft-uso.h.
 *
 * Security model
 * ==============
 *
 * Guests are hostile, but what is cut is a copy of ours, of which
 * soft-packet.c has checked the headers, their lengths and the number of
 * datagrams. */

#include <config.h>

#include "soft-uso.h"

#include <rte_mbuf.h>
#include <string.h>

#include "coverage.h"
#include "csum.h"
#include "dp-packet.h"
#include "packets.h"
#include "soft-packet.h"
#include "util.h"

COVERAGE_DEFINE(virtnet_uso_cut);

void
soft_uso_clear(struct soft_uso *uso)
{
    rte_pktmbuf_free(uso->first); /* And those behind it. */
    uso->first = NULL;
}

unsigned int
soft_uso_find(const struct dp_packet_batch *batch, uint64_t *bytes)
{
    size_t n_packets = dp_packet_batch_size(batch);
    unsigned int n = 0;

    for (size_t i = 0; i < n_packets; i++) {
        if (OVS_UNLIKELY(soft_packet_is_uso(batch->packets[i]))) {
            *bytes -= dp_packet_size(batch->packets[i]);
            n++;
        }
    }
    return n;
}

void
soft_uso_take(struct soft_uso *uso, struct dp_packet_batch *batch)
{
    struct dp_packet *packet;

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        struct rte_mbuf *mbuf = &packet->mbuf;

        mbuf->next = NULL;
        if (uso->first) {
            uso->last->next = mbuf;
        } else {
            uso->first = mbuf;
            uso->n_bytes = uso->n_datagrams = 0;
        }
        uso->last = mbuf;
    }
    batch->count = 0;
}

/* Takes the first one out. */
static struct rte_mbuf *
pop(struct soft_uso *uso)
{
    struct rte_mbuf *mbuf = uso->first;

    uso->first = mbuf->next;
    uso->n_bytes = uso->n_datagrams = 0;
    mbuf->next = NULL;
    return mbuf;
}

/* Has the IPv4 or IPv6 header at 'l3', of the datagram with the number 'i',
 * say that 'size' bytes follow 'l3'. */
static void
adapt_l3(void *l3, size_t size, unsigned int i)
{
    if (IP_VER(*(const uint8_t *) l3) == 4) {
        struct ip_header *ip = l3;

        ip->ip_tot_len = htons(size);
        ip->ip_id = htons(ntohs(ip->ip_id) + i);
        ip->ip_csum = 0;
        ip->ip_csum = csum(ip, IP_IHL(ip->ip_ihl_ver) * 4);
    } else {
        struct ovs_16aligned_ip6_hdr *ip6 = l3;

        ip6->ip6_plen = htons(size - IPV6_HEADER_LEN);
    }
}

/* Returns the next datagram of the first packet, which is to be cut, or NULL
 * if there is no memory.  Stores in '*done' whether it was the last one. */
static struct rte_mbuf *
cut(struct soft_uso *uso, struct rte_mempool *mp, bool *done)
{
    const struct rte_mbuf *whole = uso->first;
    const uint8_t *from = rte_pktmbuf_mtod(whole, const uint8_t *);
    size_t l4_ofs = whole->l2_len + whole->l3_len;
    size_t hdr_len = l4_ofs + UDP_HEADER_LEN;
    size_t left = whole->data_len - hdr_len - uso->n_bytes;
    size_t n = MIN(left, whole->tso_segsz);
    struct rte_mbuf *mbuf = soft_packet_alloc(mp, hdr_len + n);
    struct udp_header *udp;
    uint8_t *to;

    if (OVS_UNLIKELY(!mbuf)) {
        return NULL;
    }
    to = rte_pktmbuf_mtod(mbuf, uint8_t *);
    memcpy(to, from, hdr_len);
    memcpy(to + hdr_len, from + hdr_len + uso->n_bytes, n);
    adapt_l3(to + whole->l2_len, whole->l3_len + UDP_HEADER_LEN + n,
             uso->n_datagrams);
    udp = (struct udp_header *) (to + l4_ofs);
    udp->udp_len = htons(UDP_HEADER_LEN + n);
    /* Its headers are those of the whole, which has passed this already. */
    ovs_assert(soft_packet_ask_csum(mbuf, l4_ofs));

    uso->n_bytes += n;
    uso->n_datagrams++;
    *done = n == left;
    return mbuf;
}

void
soft_uso_fill(struct soft_uso *uso, struct rte_mempool *mp,
              struct dp_packet_batch *batch, struct soft_uso_result *result)
{
    memset(result, 0, sizeof *result);
    while (uso->first && dp_packet_batch_size(batch) < NETDEV_MAX_BURST) {
        struct rte_mbuf *mbuf = uso->first;

        if (soft_packet_is_uso(CONTAINER_OF(mbuf, struct dp_packet, mbuf))) {
            bool done;

            mbuf = cut(uso, mp, &done);
            if (OVS_UNLIKELY(!mbuf)) {
                result->no_memory++;
                rte_pktmbuf_free(pop(uso));
                continue;
            }
            if (done) {
                rte_pktmbuf_free(pop(uso));
                COVERAGE_INC(virtnet_uso_cut);
            }
            result->n_datagrams++;
            result->bytes += mbuf->pkt_len;
        } else {
            pop(uso);
        }
        dp_packet_batch_add(batch, CONTAINER_OF(mbuf, struct dp_packet, mbuf));
    }
}
