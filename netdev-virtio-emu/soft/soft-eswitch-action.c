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

/* What the software eSwitch does to a packet.  See soft-eswitch-action.h.
 *
 * Headers come out as from odp-execute.c, byte by byte, including what that
 * does to malformed packets, except that soft_actions_apply_to() leaves
 * packets whose headers were not found to Open vSwitch. */

#include <config.h>

#include "soft-eswitch-action.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>

#include "crc32c.h"
#include "csum.h"
#include "hash.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "unaligned.h"
#include "util.h"

/* Lists. */

/* Bytes that must be there of a transport header. */
#define L4_MAX 20

static size_t
actions_size(size_t n)
{
    return n * sizeof(struct virtnet_flow_action);
}

const struct soft_actions *
soft_actions_get(struct soft_actions_set *set,
                 const struct virtnet_flow_actions *from)
{
    size_t size = actions_size(from->n);
    uint32_t hash = hash_bytes(from->actions, size, 0);
    struct soft_actions *list;

    HMAP_FOR_EACH_WITH_HASH (list, node, hash, &set->lists) {
        if (list->n == from->n
            && !memcmp(list->actions, from->actions, size)) {
            list->n_refs++;
            return list;
        }
    }

    list = xzalloc(sizeof *list + size);
    list->n = from->n;
    list->n_refs = 1;
    memcpy(list->actions, from->actions, size);
    list->outputs_last = true;
    for (size_t i = 0; i < list->n; i++) {
        if (list->n_outputs && !virtnet_flow_is_output(&list->actions[i])) {
            list->outputs_last = false;
        }
        switch (list->actions[i].type) {
        case VIRTNET_FLOW_OUTPUT_PORT:
            list->n_ports++;
            /* Fall through. */
        case VIRTNET_FLOW_OUTPUT:
            list->n_outputs++;
            break;
        case VIRTNET_FLOW_PUSH_VLAN:
            list->n_push++;
            break;
        case VIRTNET_FLOW_POP_VLAN:
        case VIRTNET_FLOW_SET_ETH:
            break;
        case VIRTNET_FLOW_SET_SCTP:
        case VIRTNET_FLOW_SET_ND:
            list->needs_payload = true;
            list->sets_ip = true;
            break;
        case VIRTNET_FLOW_SET_IPV4:
        case VIRTNET_FLOW_SET_IPV6:
        case VIRTNET_FLOW_SET_TCP:
        case VIRTNET_FLOW_SET_UDP:
            list->sets_ip = true;
            break;
        case VIRTNET_FLOW_SET_ARP:
            list->sets_arp = true;
            break;
        }
    }
    hmap_insert(&set->lists, &list->node, hash);
    return list;
}

void
soft_actions_put(struct soft_actions_set *set,
                 const struct soft_actions *list_)
{
    struct soft_actions *list = CONST_CAST(struct soft_actions *, list_);

    if (list && !--list->n_refs) {
        hmap_remove(&set->lists, &list->node);
        ovsrcu_postpone(free, list);
    }
}

bool
soft_actions_output_to(const struct soft_actions *list,
                       const struct virtnet_device *dev)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct virtnet_flow_action *a = &list->actions[i];

        if (a->type == VIRTNET_FLOW_OUTPUT && a->dev == dev) {
            return true;
        }
    }
    return false;
}

bool
soft_actions_apply_to(const struct soft_actions *list,
                      const struct soft_frame *frame, bool partial)
{
    if (list->n_push
        && list->n_push * VLAN_HEADER_LEN > frame->headroom) {
        return false;
    }
    if (list->sets_arp
        && frame->l3_ofs + ARP_ETH_HEADER_LEN > frame->linear) {
        return false;
    }
    if (list->sets_ip) {
        bool whole = frame->linear == frame->size;

        return (!partial && frame->l4_ofs != SOFT_NO_OFS
                && (whole || (!list->needs_payload
                              && frame->l4_ofs + L4_MAX <= frame->linear)));
    }
    return true;
}

/* Rewriting. */

static size_t
l4_size(const struct soft_frame *frame)
{
    return frame->l4_ofs == SOFT_NO_OFS ? 0
           : frame->size - frame->l4_ofs - frame->l2_pad_size;
}

static void
set_mac(struct eth_addr *addr, const struct eth_addr key,
        const struct eth_addr mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(addr->be16); i++) {
        addr->be16[i] = key.be16[i] | (addr->be16[i] & ~mask.be16[i]);
    }
}

static void
set_eth(struct soft_frame *frame, const struct ovs_key_ethernet *key,
        const struct ovs_key_ethernet *mask)
{
    struct eth_header *eth = (struct eth_header *) frame->data;

    set_mac(&eth->eth_src, key->eth_src, mask->eth_src);
    set_mac(&eth->eth_dst, key->eth_dst, mask->eth_dst);
}

/* Moves the start of the frame by 'delta' bytes, and the offsets with it. */
static void
move_start(struct soft_frame *frame, int delta)
{
    frame->data += delta;
    frame->linear -= delta;
    frame->size -= delta;
    frame->headroom += delta;
    if (frame->l3_ofs != SOFT_NO_OFS) {
        frame->l3_ofs -= delta;
    }
    if (frame->l4_ofs != SOFT_NO_OFS) {
        frame->l4_ofs -= delta;
    }
}

static void
push_vlan(struct soft_frame *frame, const struct ovs_action_push_vlan *vlan)
{
    ovs_be16 tci = vlan->vlan_tci & htons(~VLAN_CFI);

    move_start(frame, -VLAN_HEADER_LEN);
    memmove(frame->data, frame->data + VLAN_HEADER_LEN, 2 * ETH_ADDR_LEN);
    memcpy(frame->data + 2 * ETH_ADDR_LEN, &vlan->vlan_tpid, 2);
    memcpy(frame->data + 2 * ETH_ADDR_LEN + 2, &tci, 2);
}

static void
pop_vlan(struct soft_frame *frame)
{
    ovs_be16 type;

    memcpy(&type, frame->data + 2 * ETH_ADDR_LEN, sizeof type);
    if (frame->linear >= VLAN_ETH_HEADER_LEN && eth_type_vlan(type)) {
        memmove(frame->data + VLAN_HEADER_LEN, frame->data, 2 * ETH_ADDR_LEN);
        move_start(frame, VLAN_HEADER_LEN);
    }
}

/* Adjusts the checksum of UDP at 'udp' by 'CSUM', an expression with 'c' for
 * the old one. */
#define UPDATE_UDP_CSUM(UDP, CSUM)              \
    do {                                        \
        ovs_be16 c = (UDP)->udp_csum;           \
        if (c) {                                \
            c = (CSUM);                         \
            (UDP)->udp_csum = c ? c : htons(0xffff); \
        }                                       \
    } while (0)

static void
set_ipv4_addr(struct soft_frame *frame, struct ip_header *ip,
              ovs_16aligned_be32 *addr, ovs_be32 key, ovs_be32 mask)
{
    void *l4 = frame->data + frame->l4_ofs;
    ovs_be32 old = get_16aligned_be32(addr);
    ovs_be32 new = key | (old & ~mask);

    if (old == new) {
        return;
    }
    if (ip->ip_proto == IPPROTO_TCP && l4_size(frame) >= TCP_HEADER_LEN) {
        struct tcp_header *tcp = l4;

        tcp->tcp_csum = recalc_csum32(tcp->tcp_csum, old, new);
    } else if (ip->ip_proto == IPPROTO_UDP
               && l4_size(frame) >= UDP_HEADER_LEN) {
        struct udp_header *udp = l4;

        UPDATE_UDP_CSUM(udp, recalc_csum32(c, old, new));
    }
    ip->ip_csum = recalc_csum32(ip->ip_csum, old, new);
    put_16aligned_be32(addr, new);
}

static void
set_ipv4(struct soft_frame *frame, const struct ovs_key_ipv4 *key,
         const struct ovs_key_ipv4 *mask)
{
    struct ip_header *ip = (struct ip_header *) (frame->data + frame->l3_ofs);
    uint8_t tos, ttl;

    set_ipv4_addr(frame, ip, &ip->ip_src, key->ipv4_src, mask->ipv4_src);
    set_ipv4_addr(frame, ip, &ip->ip_dst, key->ipv4_dst, mask->ipv4_dst);

    tos = key->ipv4_tos | (ip->ip_tos & ~mask->ipv4_tos);
    if (tos != ip->ip_tos) {
        ip->ip_csum = recalc_csum16(ip->ip_csum, htons(ip->ip_tos),
                                    htons(tos));
        ip->ip_tos = tos;
    }
    ttl = key->ipv4_ttl | (ip->ip_ttl & ~mask->ipv4_ttl);
    if (ttl != ip->ip_ttl) {
        ip->ip_csum = recalc_csum16(ip->ip_csum, htons(ip->ip_ttl << 8),
                                    htons(ttl << 8));
        ip->ip_ttl = ttl;
    }
}

/* Finds in the extension headers of 'frame' the transport protocol.  Returns
 * true if there is a routing header with segments left, in which case the
 * checksum does not cover the destination address.  Sets '*csump' to false if
 * there is a fragment header that is not the first of several: then the
 * checksum cannot be found. */
static bool
routing_header(const struct soft_frame *frame, uint8_t *protop, bool *csump)
{
    const uint8_t *p = frame->data + frame->l3_ofs;
    size_t left = frame->l4_ofs - frame->l3_ofs;

    *protop = 0;
    if (left < IPV6_HEADER_LEN) {
        return false;
    }
    *protop = ((const struct ovs_16aligned_ip6_hdr *) p)->ip6_nxt;
    p += IPV6_HEADER_LEN;
    left -= IPV6_HEADER_LEN;
    for (;;) {
        const struct ip6_ext *ext = (const struct ip6_ext *) p;
        size_t len;

        switch (*protop) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
        case IPPROTO_AH:
        case IPPROTO_FRAGMENT:
            break;
        default:
            return false;
        }
        if (left < 8) {
            return false;
        }
        if (*protop == IPPROTO_FRAGMENT) {
            const struct ovs_16aligned_ip6_frag *frag = (const void *) p;

            *csump = (!(frag->ip6f_offlg & IP6F_OFF_MASK)
                      && frag->ip6f_offlg & IP6F_MORE_FRAG);
            len = sizeof *frag;
        } else if (*protop == IPPROTO_AH) {
            len = (ext->ip6e_len + 2) * 4;
        } else {
            if (*protop == IPPROTO_ROUTING
                && ((const struct ip6_rthdr *) p)->ip6r_segleft > 0) {
                return true;
            }
            len = (ext->ip6e_len + 1) * 8;
        }
        *protop = ext->ip6e_nxt;
        if (left < len) {
            return false;
        }
        left -= len;
        p += len;
    }
}

static void
set_ipv6_addr(struct soft_frame *frame, uint8_t proto,
              ovs_16aligned_be32 addr[4], const struct in6_addr *key,
              const struct in6_addr *mask, bool csum)
{
    void *l4 = frame->data + frame->l4_ofs;
    struct in6_addr new;

    for (size_t i = 0; i < 4; i++) {
        new.s6_addr32[i] = (key->s6_addr32[i]
                            | (get_16aligned_be32(&addr[i])
                               & ~mask->s6_addr32[i]));
    }
    if (!memcmp(addr, &new, sizeof new)) {
        return;
    }
    if (csum) {
        size_t size = l4_size(frame);

        if (proto == IPPROTO_TCP && size >= TCP_HEADER_LEN) {
            struct tcp_header *tcp = l4;

            tcp->tcp_csum = recalc_csum128(tcp->tcp_csum, addr, &new);
        } else if (proto == IPPROTO_UDP && size >= UDP_HEADER_LEN) {
            struct udp_header *udp = l4;

            UPDATE_UDP_CSUM(udp, recalc_csum128(c, addr, &new));
        } else if (proto == IPPROTO_ICMPV6
                   && size >= sizeof(struct icmp6_header)) {
            struct icmp6_header *icmp = l4;

            icmp->icmp6_cksum = recalc_csum128(icmp->icmp6_cksum, addr, &new);
        }
    }
    memcpy(addr, &new, sizeof new);
}

static void
set_ipv6(struct soft_frame *frame, const struct ovs_key_ipv6 *key,
         const struct ovs_key_ipv6 *mask)
{
    struct ovs_16aligned_ip6_hdr *ip6
        = (struct ovs_16aligned_ip6_hdr *) (frame->data + frame->l3_ofs);
    bool csum = true, routing;
    uint8_t tc, proto;
    ovs_be32 flow;

    routing = routing_header(frame, &proto, &csum);
    set_ipv6_addr(frame, proto, ip6->ip6_src.be32, &key->ipv6_src,
                  &mask->ipv6_src, csum);
    set_ipv6_addr(frame, proto, ip6->ip6_dst.be32, &key->ipv6_dst,
                  &mask->ipv6_dst, csum && !routing);

    flow = get_16aligned_be32(&ip6->ip6_flow);
    tc = ntohl(flow) >> 20;
    tc = key->ipv6_tclass | (tc & ~mask->ipv6_tclass);
    flow = ((flow & htonl(0xf0000000)) | htonl(tc << 20)
            | key->ipv6_label
            | (flow & htonl(IPV6_LABEL_MASK) & ~mask->ipv6_label));
    put_16aligned_be32(&ip6->ip6_flow, flow);
    ip6->ip6_hlim = key->ipv6_hlimit | (ip6->ip6_hlim & ~mask->ipv6_hlimit);
}

static void
set_tcp(struct soft_frame *frame, const struct ovs_key_tcp *key,
        const struct ovs_key_tcp *mask)
{
    struct tcp_header *tcp = (void *) (frame->data + frame->l4_ofs);
    size_t size = l4_size(frame);
    ovs_be16 new;
    int tcp_len;

    if (size < TCP_HEADER_LEN) {
        return;
    }
    tcp_len = TCP_OFFSET(tcp->tcp_ctl) * 4;
    if (tcp_len < TCP_HEADER_LEN || tcp_len > size) {
        return;
    }
    new = key->tcp_src | (tcp->tcp_src & ~mask->tcp_src);
    if (new != tcp->tcp_src) {
        tcp->tcp_csum = recalc_csum16(tcp->tcp_csum, tcp->tcp_src, new);
        tcp->tcp_src = new;
    }
    new = key->tcp_dst | (tcp->tcp_dst & ~mask->tcp_dst);
    if (new != tcp->tcp_dst) {
        tcp->tcp_csum = recalc_csum16(tcp->tcp_csum, tcp->tcp_dst, new);
        tcp->tcp_dst = new;
    }
}

static void
set_udp(struct soft_frame *frame, const struct ovs_key_udp *key,
        const struct ovs_key_udp *mask)
{
    struct udp_header *udp = (void *) (frame->data + frame->l4_ofs);
    ovs_be16 src, dst;

    if (l4_size(frame) < UDP_HEADER_LEN) {
        return;
    }
    src = key->udp_src | (udp->udp_src & ~mask->udp_src);
    dst = key->udp_dst | (udp->udp_dst & ~mask->udp_dst);
    if (udp->udp_csum) {
        ovs_be16 csum = udp->udp_csum;

        if (src != udp->udp_src) {
            csum = recalc_csum16(csum, udp->udp_src, src);
        }
        if (dst != udp->udp_dst) {
            csum = recalc_csum16(csum, udp->udp_dst, dst);
        }
        udp->udp_csum = csum ? csum : htons(0xffff);
    }
    udp->udp_src = src;
    udp->udp_dst = dst;
}

static void
set_sctp(struct soft_frame *frame, const struct ovs_key_sctp *key,
         const struct ovs_key_sctp *mask)
{
    struct sctp_header *sctp = (void *) (frame->data + frame->l4_ofs);
    ovs_be32 old_csum, old_correct, new_correct;
    size_t size = l4_size(frame);

    if (size < SCTP_HEADER_LEN) {
        return;
    }
    /* A wrong checksum stays wrong. */
    old_csum = get_16aligned_be32(&sctp->sctp_csum);
    put_16aligned_be32(&sctp->sctp_csum, 0);
    old_correct = crc32c((const uint8_t *) sctp, size);
    sctp->sctp_src = key->sctp_src | (sctp->sctp_src & ~mask->sctp_src);
    sctp->sctp_dst = key->sctp_dst | (sctp->sctp_dst & ~mask->sctp_dst);
    new_correct = crc32c((const uint8_t *) sctp, size);
    put_16aligned_be32(&sctp->sctp_csum,
                       old_csum ^ old_correct ^ new_correct);
}

static void
set_arp(struct soft_frame *frame, const struct ovs_key_arp *key,
        const struct ovs_key_arp *mask)
{
    struct arp_eth_header *arp = (void *) (frame->data + frame->l3_ofs);
    ovs_be32 spa = get_16aligned_be32(&arp->ar_spa);
    ovs_be32 tpa = get_16aligned_be32(&arp->ar_tpa);

    arp->ar_op = key->arp_op | (arp->ar_op & ~mask->arp_op);
    set_mac(&arp->ar_sha, key->arp_sha, mask->arp_sha);
    put_16aligned_be32(&arp->ar_spa, key->arp_sip | (spa & ~mask->arp_sip));
    set_mac(&arp->ar_tha, key->arp_tha, mask->arp_tha);
    put_16aligned_be32(&arp->ar_tpa, key->arp_tip | (tpa & ~mask->arp_tip));
}

static void
set_nd(struct soft_frame *frame, const struct ovs_key_nd *key,
       const struct ovs_key_nd *mask)
{
    struct ovs_nd_msg *nd = (void *) (frame->data + frame->l4_ofs);
    size_t left = l4_size(frame);
    struct ovs_nd_lla_opt *opt;

    if (left < sizeof *nd) {
        return;
    }
    set_ipv6_addr(frame, IPPROTO_ICMPV6, nd->target.be32, &key->nd_target,
                  &mask->nd_target, true);

    left -= sizeof *nd;
    opt = &nd->options[0];
    while (left >= ND_LLA_OPT_LEN && opt->len) {
        bool sll = opt->type == ND_OPT_SOURCE_LINKADDR;
        size_t len = opt->len * ND_LLA_OPT_LEN;

        if (opt->len == 1 && (sll || opt->type == ND_OPT_TARGET_LINKADDR)) {
            ovs_be16 *csum = &nd->icmph.icmp6_cksum;
            struct eth_addr new = opt->mac;

            set_mac(&new, sll ? key->nd_sll : key->nd_tll,
                    sll ? mask->nd_sll : mask->nd_tll);
            if (!eth_addr_equals(new, opt->mac)) {
                *csum = recalc_csum48(*csum, opt->mac, new);
                opt->mac = new;
            }
            break;
        }
        if (len > left) {
            break;
        }
        left -= len;
        opt += opt->len;
    }
}

void
soft_action_rewrite(const struct virtnet_flow_action *a,
                    struct soft_frame *frame)
{
    switch (a->type) {
    case VIRTNET_FLOW_PUSH_VLAN:
        push_vlan(frame, &a->vlan);
        break;
    case VIRTNET_FLOW_POP_VLAN:
        pop_vlan(frame);
        break;
    case VIRTNET_FLOW_SET_ETH:
        set_eth(frame, &a->eth[0], &a->eth[1]);
        break;
    case VIRTNET_FLOW_SET_IPV4:
        set_ipv4(frame, &a->ipv4[0], &a->ipv4[1]);
        break;
    case VIRTNET_FLOW_SET_IPV6:
        set_ipv6(frame, &a->ipv6[0], &a->ipv6[1]);
        break;
    case VIRTNET_FLOW_SET_TCP:
        set_tcp(frame, &a->tcp[0], &a->tcp[1]);
        break;
    case VIRTNET_FLOW_SET_UDP:
        set_udp(frame, &a->udp[0], &a->udp[1]);
        break;
    case VIRTNET_FLOW_SET_SCTP:
        set_sctp(frame, &a->sctp[0], &a->sctp[1]);
        break;
    case VIRTNET_FLOW_SET_ARP:
        set_arp(frame, &a->arp[0], &a->arp[1]);
        break;
    case VIRTNET_FLOW_SET_ND:
        set_nd(frame, &a->nd[0], &a->nd[1]);
        break;
    case VIRTNET_FLOW_OUTPUT:
    case VIRTNET_FLOW_OUTPUT_PORT:
        OVS_NOT_REACHED();
    }
}
