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

/* What packets for guests, and frames that go from guest to guest, carry
 * besides their bytes.  See soft-packet.h. */

#include <config.h>

#include "soft-packet.h"

#include <netinet/in.h>
#include <netinet/ip6.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "coverage.h"
#include "csum.h"
#include "dp-packet.h"
#include "packets.h"
#include "soft-eswitch-key.h"
#include "soft-header.h"
#include "soft-rep.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtq.h"

COVERAGE_DEFINE(virtnet_tx_copied);

struct dp_packet *
soft_packet_copy(const struct dp_packet *src, struct rte_mempool *mp)
{
    size_t size = dp_packet_size(src);
    struct rte_mbuf *mbuf;
    struct dp_packet *dst;

    mbuf = soft_packet_alloc(mp, size);
    if (!mbuf) {
        return NULL;
    }

    COVERAGE_INC(virtnet_tx_copied);
    dst = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
    memcpy(dp_packet_data(dst), dp_packet_data(src), size);
    dp_packet_reset_cutlen(dst);
    dst->packet_type = src->packet_type;
    dst->l2_pad_size = src->l2_pad_size;
    dst->l2_5_ofs = src->l2_5_ofs;
    dst->l3_ofs = src->l3_ofs;
    dst->l4_ofs = src->l4_ofs;
#if HAVE_INNER
    dst->inner_l3_ofs = src->inner_l3_ofs;
    dst->inner_l4_ofs = src->inner_l4_ofs;
#endif
#if HAVE_OWN_FLAGS
    dst->has_hash = false;
    dst->has_mark = false;
    dst->offloads = src->offloads;
#else
    mbuf->ol_flags |= src->mbuf.ol_flags & DP_PACKET_OL_SUPPORTED_MASK;
#endif
    mbuf->tso_segsz = src->mbuf.tso_segsz;
    return dst;
}

/* What the datapath asks to be done to a packet that is about to leave. */
struct requests {
    bool l3_csum;               /* Checksum of the IPv4 header. */
    bool l4_csum;               /* Checksum of the transport header. */
    bool tso;                   /* Segmentation. */
    bool inner;                 /* It is the headers within a tunnel. */
    bool outer;                 /* The same for headers around a tunnel. */
};

/* Stores in '*r' the requests of 'packet'.  Returns false if there are none,
 * the common case. */
#if HAVE_OWN_FLAGS
static inline bool
get_requests(const struct dp_packet *packet, struct requests *r)
{
    bool tunnel;

    if (OVS_LIKELY(!dp_packet_ip_checksum_partial(packet)
                   && !dp_packet_l4_checksum_partial(packet)
                   && !dp_packet_inner_ip_checksum_partial(packet)
                   && !dp_packet_inner_l4_checksum_partial(packet)
                   && !packet->mbuf.tso_segsz)) {
        return false;
    }

    tunnel = dp_packet_tunnel(packet);
    r->inner = tunnel;
    r->tso = packet->mbuf.tso_segsz;
    if (tunnel) {
        r->outer = (dp_packet_ip_checksum_partial(packet)
                    || dp_packet_l4_checksum_partial(packet));
        r->l3_csum = dp_packet_inner_ip_checksum_partial(packet);
        r->l4_csum = dp_packet_inner_l4_checksum_partial(packet);
    } else {
        r->outer = false;
        r->l3_csum = dp_packet_ip_checksum_partial(packet);
        r->l4_csum = dp_packet_l4_checksum_partial(packet);
    }
    return true;
}
#else
static inline bool
get_requests(const struct dp_packet *packet, struct requests *r)
{
    const uint64_t outer = (RTE_MBUF_F_TX_OUTER_IP_CKSUM
                            | RTE_MBUF_F_TX_OUTER_UDP_CKSUM);
    uint64_t flags = packet->mbuf.ol_flags;

    if (OVS_LIKELY(!(flags & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK
                              | RTE_MBUF_F_TX_TCP_SEG | outer)))) {
        return false;
    }
    r->l3_csum = flags & RTE_MBUF_F_TX_IP_CKSUM;
    r->l4_csum = flags & RTE_MBUF_F_TX_L4_MASK;
    r->tso = flags & RTE_MBUF_F_TX_TCP_SEG;
    r->inner = flags & RTE_MBUF_F_TX_TUNNEL_MASK;
    r->outer = flags & outer;
    return true;
}
#endif

bool
soft_packet_has_requests(const struct dp_packet *packet)
{
    struct requests r;

#if !HAVE_OWN_FLAGS && HAVE_INNER
    /* Those that the datapath has still to make out. */
    if (dp_packet_ol_l4_csum_partial(packet)
        || (packet->csum_start && packet->csum_offset)) {
        return true;
    }
#endif
    return get_requests(packet, &r);
}

/* Finds the headers that the requests of 'packet' are about, by the offsets
 * that the datapath has noted.  Returns false if it has not noted any. */
static bool
find_headers(const struct dp_packet *packet, bool inner,
             struct soft_headers *h)
{
    const uint8_t *end = dp_packet_tail(packet);
    const void *l3, *l4;

#if HAVE_INNER
    l3 = inner ? dp_packet_inner_l3(packet) : dp_packet_l3(packet);
    l4 = inner ? dp_packet_inner_l4(packet) : dp_packet_l4(packet);
#else
    if (inner) {
        return false;
    }
    l3 = dp_packet_l3(packet);
    l4 = dp_packet_l4(packet);
#endif
    end -= dp_packet_l2_pad_size(packet);
    if (!l3 || !l4 || (const uint8_t *) l4 > end
        || (const uint8_t *) l4 - (const uint8_t *) l3 < IP_HEADER_LEN) {
        return false;
    }
    h->l3 = l3;
    h->l4 = CONST_CAST(void *, l4);
    h->l4_size = end - (const uint8_t *) l4;
    h->ipv4 = IP_VER(*(const uint8_t *) l3) == 4;
#if HAVE_OWN_FLAGS
    if (inner) {
        h->proto = (dp_packet_inner_l4_proto_tcp(packet) ? IPPROTO_TCP
                    : dp_packet_inner_l4_proto_udp(packet) ? IPPROTO_UDP
                    : dp_packet_inner_l4_proto_sctp(packet) ? IPPROTO_SCTP
                    : 0);
    } else {
        h->proto = (dp_packet_l4_proto_tcp(packet) ? IPPROTO_TCP
                    : dp_packet_l4_proto_udp(packet) ? IPPROTO_UDP
                    : dp_packet_l4_proto_sctp(packet) ? IPPROTO_SCTP
                    : 0);
    }
#else
    switch (packet->mbuf.ol_flags & RTE_MBUF_F_TX_L4_MASK) {
    case RTE_MBUF_F_TX_TCP_CKSUM:
        h->proto = IPPROTO_TCP;
        break;
    case RTE_MBUF_F_TX_UDP_CKSUM:
        h->proto = IPPROTO_UDP;
        break;
    case RTE_MBUF_F_TX_SCTP_CKSUM:
        h->proto = IPPROTO_SCTP;
        break;
    default:
        h->proto = (packet->mbuf.ol_flags & RTE_MBUF_F_TX_TCP_SEG
                    ? IPPROTO_TCP : 0);
        break;
    }
#endif
    return true;
}

/* Translates the requests '*r' of 'packet' to what soft_packet_store_header()
 * makes a virtio-net header from.  Returns false if that cannot be done. */
static bool
translate_requests(struct dp_packet *packet, const struct requests *r,
                   const struct soft_packet_limits *limits)
{
    struct rte_mbuf *mbuf = &packet->mbuf;
    uint64_t flags = 0;
    struct soft_headers h;
    size_t l2_len, l3_len;

    /* A virtio-net header has room for one checksum.  The datapath has seen
     * to the outer one, since the port does not claim to support it. */
    if (r->outer || !find_headers(packet, r->inner, &h)) {
        return false;
    }
    if ((r->l4_csum || r->tso)
        && !soft_header_l4_is_complete(h.l4, h.l4_size, h.proto)) {
        return false;
    }

    l2_len = (const char *) h.l3 - (const char *) dp_packet_data(packet);
    l3_len = (const char *) h.l4 - (const char *) h.l3;
    flags |= h.ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    if (r->l3_csum && h.ipv4) {
        flags |= RTE_MBUF_F_TX_IP_CKSUM;
    }
    if (r->tso) {
        const struct tcp_header *tcp = h.l4;
        uint32_t headers;

        if (!(h.ipv4 ? limits->guest_tso4 : limits->guest_tso6)
            || h.proto != IPPROTO_TCP) {
            return false;
        }

        /* No segment may exceed the MTU.  3.1 does not always say how long
         * the sender wants them. */
        mbuf->l4_len = TCP_OFFSET(tcp->tcp_ctl) * 4;
        headers = l2_len - ETH_HEADER_LEN + l3_len + mbuf->l4_len;
        if (limits->mtu < headers + MIN_SEGMENT) {
            return false;
        }
        if (!mbuf->tso_segsz || mbuf->tso_segsz > limits->mtu - headers) {
            mbuf->tso_segsz = limits->mtu - headers;
        }
        flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
        if (h.ipv4) {
            flags |= RTE_MBUF_F_TX_IP_CKSUM;
        }
        soft_header_store_partial_csum(&h);
    } else if (r->l4_csum) {
        if (limits->guest_csum && l3_len <= MAX_L3_LEN) {
            soft_header_store_partial_csum(&h);
            flags |= (h.proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM
                      : h.proto == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM
                      : RTE_MBUF_F_TX_SCTP_CKSUM);
        } else {
            soft_header_complete_csum(&h);
        }
    }

    if (l2_len > MAX_L2_LEN || (r->tso && l3_len > MAX_L3_LEN)) {
        return false;
    }
    mbuf->l2_len = l2_len;
    mbuf->l3_len = l3_len;
    mbuf->outer_l2_len = 0;
    mbuf->outer_l3_len = 0;
    mbuf->ol_flags = (mbuf->ol_flags & ~SOFT_TX_FLAGS) | flags;
    return true;
}

/* Is it within the MTU after all because of VLAN tags? */
bool
soft_packet_fits__(const uint8_t *data, size_t size, uint32_t mtu)
{
    size_t limit = mtu + ETH_HEADER_LEN;
    ovs_be16 type;

    for (size_t ofs = 2 * ETH_ADDR_LEN; ; ofs += VLAN_HEADER_LEN) {
        if (size < ofs + sizeof type || limit > mtu + ETH_HEADER_LEN
                                                + 2 * VLAN_HEADER_LEN) {
            return false;
        }
        memcpy(&type, data + ofs, sizeof type);
        if (!eth_type_vlan(type)) {
            return size <= limit;
        }
        limit += VLAN_HEADER_LEN;
    }
}

size_t
soft_packet_prepare(struct dp_packet_batch *batch, struct rte_mempool *mp,
                    const struct soft_packet_limits *limits,
                    struct soft_packet_drops *drops, uint64_t *bytes)
{
    size_t n = dp_packet_batch_size(batch);
    uint64_t sum = 0;
    size_t n_ok = 0;

    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];
        struct requests r = { .tso = false };
        bool requests;

        requests = get_requests(packet, &r);
        if (OVS_UNLIKELY(!soft_packet_fits(dp_packet_data(packet),
                                           dp_packet_size(packet),
                                           limits->mtu))
            && !(requests && r.tso)) {
            drops->too_big++;
            dp_packet_delete(packet);
            continue;
        }
        if (OVS_UNLIKELY(packet->source != DPBUF_DPDK)) {
            struct dp_packet *copy = soft_packet_copy(packet, mp);

            dp_packet_delete(packet);
            if (!copy) {
                drops->no_memory++;
                continue;
            }
            packet = copy;
        }
        if (OVS_LIKELY(!requests)) {
            if (OVS_UNLIKELY(packet->mbuf.ol_flags & SOFT_TX_FLAGS)) {
                packet->mbuf.ol_flags &= ~SOFT_TX_FLAGS;
            }
        } else if (!translate_requests(packet, &r, limits)) {
            drops->invalid++;
            dp_packet_delete(packet);
            continue;
        }
        sum += dp_packet_size(packet);
        batch->packets[n_ok++] = packet;
    }
    *bytes = sum;
    return n_ok;
}

void
soft_packet_store_header__(struct rte_mbuf *mbuf, struct virtq_hdr *hdr)
{
    uint64_t l4 = mbuf->ol_flags & RTE_MBUF_F_TX_L4_MASK;
    bool tso = mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG;
    size_t l4_ofs = mbuf->l2_len + mbuf->l3_len;

    if (tso) {
        l4 = RTE_MBUF_F_TX_TCP_CKSUM;
    }
    if (l4) {
        hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        hdr->csum_start = rte_cpu_to_le_16(l4_ofs);
        hdr->csum_offset = rte_cpu_to_le_16(
            soft_header_csum_offset(l4 == RTE_MBUF_F_TX_TCP_CKSUM
                                    ? IPPROTO_TCP
                                    : l4 == RTE_MBUF_F_TX_UDP_CKSUM
                                    ? IPPROTO_UDP
                                    : IPPROTO_SCTP));
    }
    if (mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
        struct rte_ipv4_hdr *ip;

        ip = rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *,
                                     mbuf->l2_len);
        ip->hdr_checksum = 0;
        ip->hdr_checksum = rte_ipv4_cksum(ip);
    }
    if (tso) {
        hdr->gso_type = (mbuf->ol_flags & RTE_MBUF_F_TX_IPV4
                         ? VIRTIO_NET_HDR_GSO_TCPV4
                         : VIRTIO_NET_HDR_GSO_TCPV6);
        hdr->gso_size = rte_cpu_to_le_16(mbuf->tso_segsz);
        hdr->hdr_len = rte_cpu_to_le_16(l4_ofs + mbuf->l4_len);
    }
}

/* Frames that go from guest to guest. */

/* Does soft_header_parse() read only what is there of 'frame', although that
 * is not all?  For simplicity, not with options of IPv6. */
static bool
headers_are_there(const struct soft_frame *frame)
{
    const uint8_t *l3 = frame->data + frame->l3_ofs;

    if (frame->l4_ofs + TCP_HEADER_LEN > frame->linear) {
        return false;
    } else if (IP_VER(*l3) == 6) {
        const struct ovs_16aligned_ip6_hdr *ip6
            = (const struct ovs_16aligned_ip6_hdr *) l3;

        return ip6->ip6_nxt == IPPROTO_TCP || ip6->ip6_nxt == IPPROTO_UDP;
    }
    return true;
}

bool
soft_packet_can_pass(const struct virtq_hdr *hdr, struct soft_frame *frame,
                     uint8_t *need)
{
    bool uso = hdr->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;
    bool tso = !uso && hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    struct soft_headers h;

    if (frame->l4_ofs == SOFT_NO_OFS
        || (frame->linear < frame->size && !headers_are_there(frame))
        || !soft_header_parse(frame->data, frame->size, &h)
        || !h.l4 || (uint8_t *) h.l4 - frame->data != frame->l4_ofs
        || !(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        || h.proto == IPPROTO_SCTP || h.n_tags > 1
        || rte_le_to_cpu_16(hdr->csum_start) != frame->l4_ofs
        || (rte_le_to_cpu_16(hdr->csum_offset)
            != soft_header_csum_offset(h.proto))) {
        return false;
    }
    *need = SOFT_GUEST_CSUM;
    if (uso) {
        *need |= h.ipv4 ? SOFT_GUEST_USO4 : SOFT_GUEST_USO6;
        if (!soft_header_can_be_cut(&h, hdr) || frame->l2_pad_size) {
            return false;
        }
    } else if (tso) {
        *need |= h.ipv4 ? SOFT_GUEST_TSO4 : SOFT_GUEST_TSO6;
        if (!userspace_tso_enabled() || h.proto != IPPROTO_TCP
            || hdr->gso_type != (h.ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4
                                 : VIRTIO_NET_HDR_GSO_TCPV6)
            || rte_le_to_cpu_16(hdr->gso_size) < MIN_SEGMENT) {
            return false;
        }
    }
    /* As for a packet of Open vSwitch's, whatever the guest has written. */
    soft_header_store_partial_csum(&h);
    if ((tso || uso) && h.ipv4) {
        struct ip_header *ip
            = (struct ip_header *) (frame->data + frame->l3_ofs);

        ip->ip_csum = 0;
        ip->ip_csum = csum(ip, IP_IHL(ip->ip_ihl_ver) * 4);
    }
    return true;
}

bool
soft_packet_pass_header(const struct virtq_hdr *in,
                        const struct soft_frame *frame, uint32_t mtu,
                        struct virtq_hdr *out)
{
    out->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    out->csum_start = rte_cpu_to_le_16(frame->l4_ofs);
    out->csum_offset = in->csum_offset;
    if (in->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4) {
        uint32_t hdr_len = frame->l4_ofs + UDP_HEADER_LEN;
        uint32_t size = rte_le_to_cpu_16(in->gso_size);

        /* Where a datagram ends matters to those who receive it. */
        if (mtu < hdr_len - ETH_HEADER_LEN
            || MIN(size, frame->size - hdr_len)
               > mtu - (hdr_len - ETH_HEADER_LEN)) {
            return false;
        }
        out->gso_type = in->gso_type;
        out->gso_size = in->gso_size;
        out->hdr_len = rte_cpu_to_le_16(hdr_len);
    } else if (in->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        const struct tcp_header *tcp
            = (const struct tcp_header *) (frame->data + frame->l4_ofs);
        uint32_t hdr_len = frame->l4_ofs + TCP_OFFSET(tcp->tcp_ctl) * 4;
        uint32_t headers = hdr_len - ETH_HEADER_LEN;
        uint32_t size = rte_le_to_cpu_16(in->gso_size);

        /* No segment may exceed the MTU. */
        if (mtu < headers + MIN_SEGMENT) {
            return false;
        }
        out->gso_type = in->gso_type;
        out->gso_size = rte_cpu_to_le_16(MIN(size, mtu - headers));
        out->hdr_len = rte_cpu_to_le_16(hdr_len);
    }
    return true;
}
