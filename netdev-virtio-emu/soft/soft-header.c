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

/* Where the headers of a frame are, and their checksums.
 * See soft-header.h. */

#include <config.h>

#include "soft-header.h"

#include <netinet/ip6.h>
#include <rte_byteorder.h>

#include "coverage.h"
#include "crc32c.h"
#include "csum.h"
#include "flow.h"
#include "unaligned.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtq.h"

COVERAGE_DEFINE(virtnet_csum_completed);

/* Most datagrams that are made out of one frame, for the same reason.  It is
 * what Linux sends at most (UDP_MAX_SEGMENTS, which was half of that). */
#define MAX_DATAGRAMS 128

bool
soft_header_parse(const void *data, size_t size, struct soft_headers *h)
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
    return soft_header_l4_is_complete(h->l4, h->l4_size, h->proto);
}

bool
soft_header_can_be_cut(const struct soft_headers *h,
                       const struct virtq_hdr *hdr)
{
    const struct udp_header *udp = h->l4;
    size_t size = rte_le_to_cpu_16(hdr->gso_size);

    return (userspace_tso_enabled() && h->proto == IPPROTO_UDP && size
            && ntohs(udp->udp_len) == h->l4_size
            && h->l4_size > UDP_HEADER_LEN
            && (h->l4_size - UDP_HEADER_LEN <= size * MAX_DATAGRAMS));
}

/* Returns the sum of the pseudo header of the transport header at 'h'.  For
 * IPv6, packet_csum_pseudoheader6() would be wrong behind extension
 * headers. */
static uint32_t
pseudo_header_sum(const struct soft_headers *h)
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

void
soft_header_store_partial_csum(const struct soft_headers *h)
{
    if (h->proto == IPPROTO_TCP) {
        struct tcp_header *tcp = h->l4;

        tcp->tcp_csum = ~csum_finish(pseudo_header_sum(h));
    } else if (h->proto == IPPROTO_UDP) {
        struct udp_header *udp = h->l4;

        udp->udp_csum = ~csum_finish(pseudo_header_sum(h));
    }
}

void
soft_header_complete_csum(const struct soft_headers *h)
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
