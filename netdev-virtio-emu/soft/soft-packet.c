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

/* What packets carry besides their bytes.  See soft-packet.h.
 *
 * Security model
 * ==============
 *
 * Guests are hostile.  virtq.h has checked the descriptors, and only once the
 * bytes are copied, so that no guest can change them any more, are they looked
 * at.
 * What remains untrusted is the virtio-net header, which says that a checksum
 * is to be completed or that a packet is to be cut into segments, and says
 * where.  The datapath trusts such requests: it aborts if a packet with one
 * has no transport header where it looks for it.  Hence a packet with a
 * request is parsed here, by the rules of the datapath, and dropped if the
 * request contradicts its bytes.  Packets without requests, which may contain
 * whatever they like, are not looked at. */

#include <config.h>

#include "soft-packet.h"

#include <netinet/in.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "coverage.h"
#include "dp-packet.h"
#include "packets.h"
#include "soft-eswitch-key.h"
#include "soft-header.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtq.h"

COVERAGE_DEFINE(virtnet_rx_invalid_offload);

/* VIRTIO 1.3, section 5.1.3. */
#define F_CSUM (UINT64_C(1) << 0)
#define F_GUEST_CSUM (UINT64_C(1) << 1)
#define F_GUEST_TSO4 (UINT64_C(1) << 7)
#define F_GUEST_TSO6 (UINT64_C(1) << 8)
#define F_HOST_TSO4 (UINT64_C(1) << 11)
#define F_HOST_TSO6 (UINT64_C(1) << 12)
#define F_GUEST_USO4 (UINT64_C(1) << 54)
#define F_GUEST_USO6 (UINT64_C(1) << 55)
#define F_HOST_USO (UINT64_C(1) << 56)

uint64_t
soft_packet_vhost_flags(void)
{
    /* Buffers of the datapath are linear. */
    uint64_t flags = RTE_VHOST_USER_LINEARBUF_SUPPORT;

    if (HAVE_OWN_FLAGS) {
        flags |= RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
    }
    if (userspace_tso_enabled()) {
        /* Segments of any size do not fit in a linear buffer of the pool. */
        flags |= RTE_VHOST_USER_EXTBUF_SUPPORT;
    }
    return flags;
}

uint64_t
soft_packet_features(void)
{
    uint64_t features = F_GUEST_CSUM;

    if (VIRTNET_HAVE_SW_GSO || userspace_tso_enabled()) {
        features |= F_CSUM;
    }
    if (userspace_tso_enabled()) {
        features |= (F_HOST_TSO4 | F_HOST_TSO6 | F_GUEST_TSO4 | F_GUEST_TSO6
                     | F_HOST_USO | F_GUEST_USO4 | F_GUEST_USO6);
    }
    return features;
}

/* Do the requests of 'packet', which is fresh from a guest and has some,
 * make sense?  Carries out those that the datapath might not understand. */
static bool
check_requests(struct dp_packet *packet)
{
    struct rte_mbuf *mbuf = &packet->mbuf;
    struct soft_headers h;
    bool tso;

    if (soft_packet_is_uso(packet)) {
        return true;            /* load_requests() has seen to it. */
    }
    if (!soft_header_parse(dp_packet_data(packet), dp_packet_size(packet),
                           &h)) {
        return false;
    }
    if (HAVE_OWN_FLAGS) {
        const uint64_t partial = RTE_MBUF_F_RX_L4_CKSUM_NONE;

        tso = mbuf->tso_segsz || mbuf->ol_flags & RTE_MBUF_F_RX_LRO;
        if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != partial) {
            return false;
        }
    } else {
        uint64_t l4 = mbuf->ol_flags & RTE_MBUF_F_TX_L4_MASK;

        tso = mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG;
        if (l4 != (h.proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM
                   : h.proto == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM
                   : RTE_MBUF_F_TX_SCTP_CKSUM)) {
            return false;
        }
    }
    if (tso) {
        return (userspace_tso_enabled() && h.proto == IPPROTO_TCP
                && h.n_tags <= 1 && mbuf->tso_segsz >= MIN_SEGMENT);
    }
    if (h.n_tags > 1) {
        /* The datapath looks behind one tag only, unless told otherwise
         * (other_config:vlan-limit). */
        soft_header_complete_csum(&h);
        mbuf->ol_flags &= ~(HAVE_OWN_FLAGS ? RTE_MBUF_F_RX_L4_CKSUM_MASK
                            : SOFT_TX_FLAGS);
    }
    return true;
}

/* Has 'mbuf', fresh from a guest, any request?  The common answer is
 * no. */
static inline bool
has_requests(const struct rte_mbuf *mbuf)
{
    return mbuf->ol_flags & (HAVE_OWN_FLAGS
                             ? (RTE_MBUF_F_RX_L4_CKSUM_MASK
                                | RTE_MBUF_F_RX_LRO)
                             : (RTE_MBUF_F_TX_L4_MASK
                                | RTE_MBUF_F_TX_TCP_SEG
                                | RTE_MBUF_F_TX_UDP_SEG));
}

static void
free_external_buffer(void *addr OVS_UNUSED, void *buffer)
{
    rte_free(buffer);
}

/* The longest packet that an external buffer has room for, also after VLAN
 * tags were pushed. */
#define MAX_EXTERNAL                                                        \
    (ROUND_DOWN(UINT16_MAX, RTE_CACHE_LINE_SIZE) - RTE_PKTMBUF_HEADROOM     \
     - sizeof(struct rte_mbuf_ext_shared_info) - 4 * VLAN_HEADER_LEN)

uint32_t
soft_packet_max_len(struct rte_mempool *mp)
{
    uint32_t room = rte_pktmbuf_data_room_size(mp) - RTE_PKTMBUF_HEADROOM;

    return userspace_tso_enabled() ? MAX(room, MAX_EXTERNAL) : room;
}

/* Gives 'mbuf' a buffer of its own with room for 'size' bytes.  Returns false
 * if there is no memory. */
static bool
attach_external_buffer(struct rte_mbuf *mbuf, size_t size)
{
    struct rte_mbuf_ext_shared_info *shinfo;
    size_t total = ROUND_UP(RTE_PKTMBUF_HEADROOM + size + sizeof *shinfo,
                            RTE_CACHE_LINE_SIZE);
    uint16_t buf_len = total;
    void *buffer;

    if (total > UINT16_MAX) {
        return false;
    }
    buffer = rte_malloc(NULL, total, RTE_CACHE_LINE_SIZE);
    if (!buffer) {
        return false;
    }
    shinfo = rte_pktmbuf_ext_shinfo_init_helper(buffer, &buf_len,
                                                free_external_buffer, buffer);
    if (!shinfo) {
        rte_free(buffer);
        return false;
    }
    rte_pktmbuf_attach_extbuf(mbuf, buffer, rte_malloc_virt2iova(buffer),
                              buf_len, shinfo);
    rte_pktmbuf_reset_headroom(mbuf);
    return true;
}

/* Translates the requests of 'hdr', which has some, for the packet in 'mbuf'.
 * Returns false if they are not about headers that it has. */
static bool
load_requests(struct rte_mbuf *mbuf, const struct virtq_hdr *hdr)
{
    const char *data = rte_pktmbuf_mtod(mbuf, const char *);
    bool uso = hdr->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;
    bool tso = !uso && hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    struct soft_headers h;

    if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        || !soft_header_parse(data, mbuf->data_len, &h)
        || rte_le_to_cpu_16(hdr->csum_start) != (const char *) h.l4 - data
        || (rte_le_to_cpu_16(hdr->csum_offset)
            != soft_header_csum_offset(h.proto))
        || (tso && (h.proto != IPPROTO_TCP
                    || hdr->gso_type != (h.ipv4
                                         ? VIRTIO_NET_HDR_GSO_TCPV4
                                         : VIRTIO_NET_HDR_GSO_TCPV6)))
        || (uso && (!soft_header_can_be_cut(&h, hdr)
                    || (const char *) h.l4
                       - (const char *) h.l3 > MAX_L3_LEN))) {
        return false;
    }

    mbuf->l2_len = (const char *) h.l3 - data;
    mbuf->l3_len = (const char *) h.l4 - (const char *) h.l3;
    mbuf->l4_len = soft_header_min_l4_size(h.proto);
    if (uso) {
        /* No more than a mark: the datapath never sees it. */
        mbuf->tso_segsz = rte_le_to_cpu_16(hdr->gso_size);
        mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_SEG;
        mbuf->data_len = (const char *) h.l4 - data + h.l4_size;
        mbuf->pkt_len = mbuf->data_len;
        return true;
    }
    if (tso) {
        const struct tcp_header *tcp = h.l4;

        mbuf->l4_len = TCP_OFFSET(tcp->tcp_ctl) * 4;
        mbuf->tso_segsz = rte_le_to_cpu_16(hdr->gso_size);
    }
#if HAVE_OWN_FLAGS
    mbuf->ol_flags |= (RTE_MBUF_F_RX_L4_CKSUM_NONE
                       | (tso ? RTE_MBUF_F_RX_LRO : 0));
#else
    mbuf->ol_flags |= ((h.ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6)
                       | (h.proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM
                          : h.proto == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM
                          : RTE_MBUF_F_TX_SCTP_CKSUM)
                       | (tso ? RTE_MBUF_F_TX_TCP_SEG : 0));
#endif
    return true;
}

bool
soft_packet_load__(struct rte_mbuf *mbuf, const struct virtq_frame *frame,
                   const struct soft_frame *head, bool requests)
{
    uint8_t *data;
    size_t done = 0;

    if (OVS_UNLIKELY(!frame->len)
        || (OVS_UNLIKELY(frame->len > rte_pktmbuf_tailroom(mbuf))
            && (!userspace_tso_enabled() || frame->len > MAX_EXTERNAL
                || !attach_external_buffer(mbuf, frame->len)))) {
        return false;
    }
    data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if (OVS_UNLIKELY(head)) {
        done = head->linear;
        memcpy(data, head->data, done);
    }
    virtq_read(frame, done, data + done, frame->len - done);
    mbuf->data_len = frame->len;
    mbuf->pkt_len = frame->len;
    return (!requests || !soft_packet_frame_asks(frame)
            || load_requests(mbuf, &frame->hdr));
}

/* Fills in what the datapath expects of 'packet', fresh from a guest.  Returns
 * false if its requests make no sense. */
static inline bool
receive(struct dp_packet *packet)
{
    if (OVS_UNLIKELY(has_requests(&packet->mbuf))
        && OVS_UNLIKELY(!check_requests(packet))) {
        COVERAGE_INC(virtnet_rx_invalid_offload);
        return false;
    }
    dp_packet_reset_cutlen(packet);
    packet->packet_type = htonl(PT_ETH);
#if HAVE_OWN_FLAGS
    packet->has_hash = false;
    packet->has_mark = false;
    packet->offloads = packet->mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
#endif
    return true;
}

uint64_t
soft_packet_receive(struct dp_packet_batch *batch, size_t n)
{
    uint64_t bytes = 0;
    size_t n_ok = 0;

    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];

        if (OVS_LIKELY(receive(packet))) {
            bytes += dp_packet_size(packet);
            batch->packets[n_ok++] = packet;
        } else {
            dp_packet_delete(packet);
        }
    }
    batch->count = n_ok;
    return bytes;
}

uint64_t
soft_packet_receive_map(struct dp_packet_batch *batch, uint32_t *map)
{
    uint64_t bytes = 0;
    size_t n_ok = 0, n = 0;
    int i;

    ULLONG_FOR_EACH_1 (i, *map) {
        struct dp_packet *packet = batch->packets[n++];

        if (OVS_LIKELY(receive(packet))) {
            bytes += dp_packet_size(packet);
            batch->packets[n_ok++] = packet;
        } else {
            dp_packet_delete(packet);
            *map &= ~(UINT32_C(1) << i);
        }
    }
    batch->count = n_ok;
    return bytes;
}

struct rte_mbuf *
soft_packet_alloc(struct rte_mempool *mp, size_t size)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(mp);

    if (mbuf) {
        if (rte_pktmbuf_tailroom(mbuf) < size
            && !attach_external_buffer(mbuf, size)) {
            rte_pktmbuf_free(mbuf);
            return NULL;
        }
        mbuf->data_len = size;
        mbuf->pkt_len = size;
    }
    return mbuf;
}

bool
soft_packet_ask_csum(struct rte_mbuf *mbuf, size_t l4_ofs)
{
    const struct virtq_hdr hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = rte_cpu_to_le_16(l4_ofs),
        .csum_offset = rte_cpu_to_le_16(soft_header_csum_offset(IPPROTO_UDP)),
    };

    struct soft_headers h;

    if (!soft_header_parse(rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len,
                           &h)) {
        return false;
    } else if (!h.ipv4 && (const char *) h.l4
                          - (const char *) h.l3 > IPV6_HEADER_LEN) {
        /* If the receiver does not do that, Open vSwitch (4.0) does, but takes
         * the type of the first extension header for the protocol. */
        soft_header_complete_csum(&h);
    } else if (!load_requests(mbuf, &hdr)) {
        return false;
    }
    return receive(CONTAINER_OF(mbuf, struct dp_packet, mbuf));
}
