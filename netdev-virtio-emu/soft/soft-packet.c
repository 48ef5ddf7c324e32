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

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "coverage.h"
#include "crc32c.h"
#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "packets.h"
#include "soft-eswitch-key.h"
#include "soft-rep.h"
#include "unaligned.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtq.h"

COVERAGE_DEFINE(virtnet_rx_invalid_offload);
COVERAGE_DEFINE(virtnet_tx_copied);
COVERAGE_DEFINE(virtnet_csum_completed);

/* Does a dp_packet have offload flags of its own, apart from the mbuf's? */
#define HAVE_OWN_FLAGS (VIRTNET_OVS_VERSION >= 40000)

/* Does a dp_packet know about headers inside of tunnels? */
#define HAVE_INNER (VIRTNET_OVS_VERSION >= 30500)

/* Least TCP payload in a segment.  Linux never sends less in one, by default
 * (net.ipv4.tcp_min_snd_mss), and with less a guest could have the switch make
 * thousands of packets out of one. */
#define MIN_SEGMENT 48

/* Most datagrams that are made out of one frame, for the same reason.  It is
 * what Linux sends at most (UDP_MAX_SEGMENTS, which was half of that). */
#define MAX_DATAGRAMS 128

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

/* Where the headers of a packet are. */
struct headers {
    const void *l3;             /* IPv4 or IPv6 header. */
    void *l4;                   /* Transport header. */
    size_t l4_size;             /* Bytes from there to the end, no padding. */
    uint8_t proto;              /* IPPROTO_*. */
    bool ipv4;                  /* Otherwise IPv6. */
    unsigned int n_tags;        /* VLAN tags. */
};

static size_t
min_l4_size(uint8_t proto)
{
    return (proto == IPPROTO_TCP ? TCP_HEADER_LEN
            : proto == IPPROTO_UDP ? UDP_HEADER_LEN
            : proto == IPPROTO_SCTP ? SCTP_HEADER_LEN
            : SIZE_MAX);
}

/* Is 'size' bytes at 'l4' long enough for a transport header of 'proto'? */
static bool
l4_is_complete(const void *l4, size_t size, uint8_t proto)
{
    if (size < min_l4_size(proto)) {
        return false;
    }
    if (proto == IPPROTO_TCP) {
        const struct tcp_header *tcp = l4;
        size_t tcp_len = TCP_OFFSET(tcp->tcp_ctl) * 4;

        return tcp_len >= TCP_HEADER_LEN && tcp_len <= size;
    }
    return true;
}

/* Finds the headers of 'size' bytes of frame at 'data', as the datapath will
 * when it extracts the flow.  Returns false if there is no complete TCP, UDP
 * or SCTP header to be found. */
static bool
parse_headers(const void *data, size_t size, struct headers *h)
{
    const struct eth_header *eth = data;
    const uint8_t *p = data;
    ovs_be16 type;

    if (size < ETH_HEADER_LEN) {
        return false;
    }
    type = eth->eth_type;
    p += ETH_HEADER_LEN;
    size -= ETH_HEADER_LEN;
    h->n_tags = 0;
    while (eth_type_vlan(type) && h->n_tags < 2) {
        if (size < VLAN_HEADER_LEN) {
            return false;
        }
        memcpy(&type, p + sizeof(ovs_be16), sizeof type);
        p += VLAN_HEADER_LEN;
        size -= VLAN_HEADER_LEN;
        h->n_tags++;
    }

    h->l3 = p;
    if (type == htons(ETH_TYPE_IP)) {
        const struct ip_header *ip = h->l3;
        size_t ip_len, tot_len;

        if (size < IP_HEADER_LEN) {
            return false;
        }
        ip_len = IP_IHL(ip->ip_ihl_ver) * 4;
        tot_len = ntohs(ip->ip_tot_len);
        if (ip_len < IP_HEADER_LEN || tot_len < ip_len || tot_len > size
            || IP_IS_FRAGMENT(ip->ip_frag_off)) {
            return false;
        }
        h->ipv4 = true;
        h->proto = ip->ip_proto;
        h->l4 = CONST_CAST(uint8_t *, p) + ip_len;
        h->l4_size = tot_len - ip_len;
    } else if (type == htons(ETH_TYPE_IPV6)) {
        const struct ovs_16aligned_ip6_hdr *ip6 = h->l3;
        const struct ovs_16aligned_ip6_frag *frag_hdr;
        uint8_t frag = 0;
        const void *next;
        size_t left;

        if (size < IPV6_HEADER_LEN) {
            return false;
        }
        left = ntohs(ip6->ip6_plen);
        if (left > size - IPV6_HEADER_LEN) {
            return false;
        }
        next = ip6 + 1;
        h->proto = ip6->ip6_nxt;
#if HAVE_INNER
        const struct ip6_rt_hdr *rt_hdr;

        if (!parse_ipv6_ext_hdrs(&next, &left, &h->proto, &frag, &frag_hdr,
                                 &rt_hdr)) {
            return false;
        }
#else
        if (!parse_ipv6_ext_hdrs(&next, &left, &h->proto, &frag, &frag_hdr)) {
            return false;
        }
#endif
        if (frag) {
            return false;
        }
        h->ipv4 = false;
        h->l4 = CONST_CAST(void *, next);
        h->l4_size = left;
    } else {
        return false;
    }
    return l4_is_complete(h->l4, h->l4_size, h->proto);
}

/* Returns the sum of the pseudo header of the transport header at 'h'.  For
 * IPv6, packet_csum_pseudoheader6() would be wrong behind extension
 * headers. */
static uint32_t
pseudo_header_sum(const struct headers *h)
{
    const struct ovs_16aligned_ip6_hdr *ip6 = h->l3;
    uint32_t sum;

    if (h->ipv4) {
        return packet_csum_pseudoheader(h->l3);
    }
    sum = csum_continue(0, &ip6->ip6_src, sizeof ip6->ip6_src);
    sum = csum_continue(sum, &ip6->ip6_dst, sizeof ip6->ip6_dst);
    sum = csum_add16(sum, htons(h->proto));
    return csum_add16(sum, htons(h->l4_size));
}

/* Stores in the transport header at 'h' what it has to have where the checksum
 * is still to be completed: VIRTIO 1.2, section 5.1.6.2. */
static void
store_partial_csum(const struct headers *h)
{
    if (h->proto == IPPROTO_TCP) {
        struct tcp_header *tcp = h->l4;

        tcp->tcp_csum = ~csum_finish(pseudo_header_sum(h));
    } else if (h->proto == IPPROTO_UDP) {
        struct udp_header *udp = h->l4;

        udp->udp_csum = ~csum_finish(pseudo_header_sum(h));
    }
}

/* Completes the checksum of the transport header at 'h'. */
static void
complete_l4_csum(const struct headers *h)
{
    uint32_t pseudo;

    COVERAGE_INC(virtnet_csum_completed);
    if (h->proto == IPPROTO_SCTP) {
        struct sctp_header *sctp = h->l4;

        put_16aligned_be32(&sctp->sctp_csum, 0);
        put_16aligned_be32(&sctp->sctp_csum, crc32c(h->l4, h->l4_size));
        return;
    }

    pseudo = pseudo_header_sum(h);
    if (h->proto == IPPROTO_TCP) {
        struct tcp_header *tcp = h->l4;

        tcp->tcp_csum = 0;
        tcp->tcp_csum = csum_finish(csum_continue(pseudo, tcp, h->l4_size));
    } else {
        struct udp_header *udp = h->l4;

        udp->udp_csum = 0;
        udp->udp_csum = csum_finish(csum_continue(pseudo, udp, h->l4_size));
        if (!udp->udp_csum) {
            udp->udp_csum = htons(0xffff);
        }
    }
}

/* Do the requests of 'packet', which is fresh from a guest and has some,
 * make sense?  Carries out those that the datapath might not understand. */
static bool
check_requests(struct dp_packet *packet)
{
    struct rte_mbuf *mbuf = &packet->mbuf;
    struct headers h;
    bool tso;

    if (soft_packet_is_uso(packet)) {
        return true;            /* load_requests() has seen to it. */
    }
    if (!parse_headers(dp_packet_data(packet), dp_packet_size(packet), &h)) {
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
        complete_l4_csum(&h);
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

/* Where the checksum is in a header of 'proto'. */
static size_t
l4_csum_offset(uint8_t proto)
{
    return (proto == IPPROTO_TCP ? offsetof(struct tcp_header, tcp_csum)
            : proto == IPPROTO_UDP ? offsetof(struct udp_header, udp_csum)
            : offsetof(struct sctp_header, sctp_csum));
}

/* An mbuf has 7 bits for the length of what precedes the headers, and 9 for
 * that of the first of them. */
#define MAX_L2_LEN 0x7f
#define MAX_L3_LEN 0x1ff

/* Can the frame with headers 'h' be cut into datagrams as 'hdr' says? */
static bool
can_be_cut(const struct headers *h, const struct virtq_hdr *hdr)
{
    const struct udp_header *udp = h->l4;
    size_t size = rte_le_to_cpu_16(hdr->gso_size);

    return (userspace_tso_enabled() && h->proto == IPPROTO_UDP && size
            && ntohs(udp->udp_len) == h->l4_size
            && h->l4_size > UDP_HEADER_LEN
            && (h->l4_size - UDP_HEADER_LEN <= size * MAX_DATAGRAMS));
}

/* Translates the requests of 'hdr', which has some, for the packet in 'mbuf'.
 * Returns false if they are not about headers that it has. */
static bool
load_requests(struct rte_mbuf *mbuf, const struct virtq_hdr *hdr)
{
    const char *data = rte_pktmbuf_mtod(mbuf, const char *);
    bool uso = hdr->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;
    bool tso = !uso && hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    struct headers h;

    if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        || !parse_headers(data, mbuf->data_len, &h)
        || rte_le_to_cpu_16(hdr->csum_start) != (const char *) h.l4 - data
        || rte_le_to_cpu_16(hdr->csum_offset) != l4_csum_offset(h.proto)
        || (tso && (h.proto != IPPROTO_TCP
                    || hdr->gso_type != (h.ipv4
                                         ? VIRTIO_NET_HDR_GSO_TCPV4
                                         : VIRTIO_NET_HDR_GSO_TCPV6)))
        || (uso && (!can_be_cut(&h, hdr)
                    || (const char *) h.l4
                       - (const char *) h.l3 > MAX_L3_LEN))) {
        return false;
    }

    mbuf->l2_len = (const char *) h.l3 - data;
    mbuf->l3_len = (const char *) h.l4 - (const char *) h.l3;
    mbuf->l4_len = min_l4_size(h.proto);
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
        .csum_offset = rte_cpu_to_le_16(l4_csum_offset(IPPROTO_UDP)),
    };

    struct headers h;

    if (!parse_headers(rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len, &h)) {
        return false;
    } else if (!h.ipv4 && (const char *) h.l4
                          - (const char *) h.l3 > IPV6_HEADER_LEN) {
        /* If the receiver does not do that, Open vSwitch (4.0) does, but takes
         * the type of the first extension header for the protocol. */
        complete_l4_csum(&h);
    } else if (!load_requests(mbuf, &hdr)) {
        return false;
    }
    return receive(CONTAINER_OF(mbuf, struct dp_packet, mbuf));
}

/* Sending. */

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
find_headers(const struct dp_packet *packet, bool inner, struct headers *h)
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
    struct headers h;
    size_t l2_len, l3_len;

    /* A virtio-net header has room for one checksum.  The datapath has seen
     * to the outer one, since the port does not claim to support it. */
    if (r->outer || !find_headers(packet, r->inner, &h)) {
        return false;
    }
    if ((r->l4_csum || r->tso)
        && !l4_is_complete(h.l4, h.l4_size, h.proto)) {
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
        store_partial_csum(&h);
    } else if (r->l4_csum) {
        if (limits->guest_csum && l3_len <= MAX_L3_LEN) {
            store_partial_csum(&h);
            flags |= (h.proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM
                      : h.proto == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM
                      : RTE_MBUF_F_TX_SCTP_CKSUM);
        } else {
            complete_l4_csum(&h);
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
            l4_csum_offset(l4 == RTE_MBUF_F_TX_TCP_CKSUM ? IPPROTO_TCP
                           : l4 == RTE_MBUF_F_TX_UDP_CKSUM ? IPPROTO_UDP
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

/* Does parse_headers() read only what is there of 'frame', although that is
 * not all?  For simplicity, not with options of IPv6. */
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
    struct headers h;

    if (frame->l4_ofs == SOFT_NO_OFS
        || (frame->linear < frame->size && !headers_are_there(frame))
        || !parse_headers(frame->data, frame->size, &h)
        || !h.l4 || (uint8_t *) h.l4 - frame->data != frame->l4_ofs
        || !(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        || h.proto == IPPROTO_SCTP || h.n_tags > 1
        || rte_le_to_cpu_16(hdr->csum_start) != frame->l4_ofs
        || rte_le_to_cpu_16(hdr->csum_offset) != l4_csum_offset(h.proto)) {
        return false;
    }
    *need = SOFT_GUEST_CSUM;
    if (uso) {
        *need |= h.ipv4 ? SOFT_GUEST_USO4 : SOFT_GUEST_USO6;
        if (!can_be_cut(&h, hdr) || frame->l2_pad_size) {
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
    store_partial_csum(&h);
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
