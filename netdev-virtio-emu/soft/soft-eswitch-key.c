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

/* What the software eSwitch looks at in a packet.  See soft-eswitch-key.h.
 *
 * Security model
 * ==============
 *
 * Frames come from hostile guests, but by now they are a copy of ours.  Every
 * access is preceded by a check that the bytes are part of the packet, and
 * lie in the part of it that is there: 'size' counts down what is left of the
 * packet, 'end' bounds what is there. */

#include <config.h>

#include "soft-eswitch-key.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>

#include "openvswitch/match.h"
#include "packets.h"
#include "random.h"
#include "unaligned.h"

/* A cursor.  'p' has 'size' bytes of packet before it, of which those before
 * 'end' are there. */
struct cursor {
    const uint8_t *p;
    const uint8_t *end;
    size_t size;
};

/* Are the next 'n' bytes, which are part of the packet, there? */
static inline bool
is_there(const struct cursor *c, size_t n)
{
    return c->end - c->p >= n;
}

static inline void
pull(struct cursor *c, size_t n)
{
    c->p += n;
    c->size -= n;
}

/* Result of a step: go on, stop with what has been found, or give up. */
enum step {
    STEP_ON,
    STEP_STOP,
    STEP_GIVE_UP,
};

/* Parses from behind the MAC addresses to the payload of Ethernet. */
static inline enum step
parse_eth(struct cursor *c, struct soft_key *key)
{
    ovs_be16 type;

    memcpy(&type, c->p, sizeof type);
    if (OVS_UNLIKELY(eth_type_vlan(type))) {
        for (int n = 0; eth_type_vlan(type) && n < flow_vlan_limit; n++) {
            if (c->size < VLAN_HEADER_LEN + sizeof type) {
                break;
            } else if (!is_there(c, VLAN_HEADER_LEN + sizeof type)) {
                return STEP_GIVE_UP;
            }
            memcpy(&key->vlans[n].qtag, c->p, VLAN_HEADER_LEN);
            key->vlans[n].tci |= htons(VLAN_CFI);
            pull(c, VLAN_HEADER_LEN);
            memcpy(&type, c->p, sizeof type);
        }
    }
    pull(c, sizeof type);

    if (OVS_UNLIKELY(ntohs(type) < ETH_TYPE_MIN)) {
        struct llc_snap_header llc;

        type = htons(FLOW_DL_TYPE_NONE);
        if (c->size >= sizeof llc) {
            if (!is_there(c, sizeof llc)) {
                return STEP_GIVE_UP;
            }
            memcpy(&llc, c->p, sizeof llc);
            if (llc.llc.llc_dsap == LLC_DSAP_SNAP
                && llc.llc.llc_ssap == LLC_SSAP_SNAP
                && llc.llc.llc_cntl == LLC_CNTL_SNAP
                && !memcmp(llc.snap.snap_org, SNAP_ORG_ETHERNET,
                           sizeof llc.snap.snap_org)) {
                pull(c, sizeof llc);
                if (ntohs(llc.snap.snap_type) >= ETH_TYPE_MIN) {
                    type = llc.snap.snap_type;
                }
            }
        }
    }
    key->dl_type = type;
    return STEP_ON;
}

static inline enum step
parse_ipv4(struct cursor *c, struct soft_frame *frame, struct soft_key *key)
{
    const struct ip_header *ip = (const struct ip_header *) c->p;
    size_t ip_len, tot_len;

    if (OVS_UNLIKELY(c->size < IP_HEADER_LEN)) {
        return STEP_STOP;
    } else if (OVS_UNLIKELY(!is_there(c, IP_HEADER_LEN))) {
        return STEP_GIVE_UP;
    }
    ip_len = IP_IHL(ip->ip_ihl_ver) * 4;
    tot_len = ntohs(ip->ip_tot_len);
    if (OVS_UNLIKELY(ip_len < IP_HEADER_LEN || c->size < ip_len
                     || tot_len > c->size || ip_len > tot_len
                     || c->size - tot_len > UINT16_MAX)) {
        return STEP_STOP;
    } else if (OVS_UNLIKELY(!is_there(c, ip_len))) {
        return STEP_GIVE_UP;
    }
    frame->l2_pad_size = c->size - tot_len;
    c->size = tot_len;

    memcpy(&key->nw_src, &ip->ip_src, 2 * sizeof key->nw_src);
    key->nw_tos = ip->ip_tos;
    key->nw_ttl = ip->ip_ttl;
    key->nw_proto = ip->ip_proto;
    if (OVS_UNLIKELY(IP_IS_FRAGMENT(ip->ip_frag_off))) {
        key->nw_frag = FLOW_NW_FRAG_ANY;
        if (ip->ip_frag_off & htons(IP_FRAG_OFF_MASK)) {
            key->nw_frag |= FLOW_NW_FRAG_LATER;
        }
    }
    pull(c, ip_len);
    return STEP_ON;
}

/* Skips extension headers.  '*protop' is the protocol of the next header,
 * before and after. */
static enum step
skip_ipv6_ext_hdrs(struct cursor *c, uint8_t *protop, uint8_t *fragp)
{
    for (;;) {
        const struct ip6_ext *ext = (const struct ip6_ext *) c->p;
        size_t len;

        switch (*protop) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
        case IPPROTO_AH:
        case IPPROTO_FRAGMENT:
            break;
        default:
            return STEP_ON;
        }
        if (c->size < 8) {
            return STEP_STOP;
        } else if (!is_there(c, 8)) {
            return STEP_GIVE_UP;
        }

        if (*protop == IPPROTO_FRAGMENT) {
            const struct ovs_16aligned_ip6_frag *frag
                = (const struct ovs_16aligned_ip6_frag *) c->p;

            *protop = frag->ip6f_nxt;
            pull(c, sizeof *frag);
            if (frag->ip6f_offlg != htons(0)) {
                *fragp = FLOW_NW_FRAG_ANY;
                if ((frag->ip6f_offlg & IP6F_OFF_MASK) != htons(0)) {
                    *fragp |= FLOW_NW_FRAG_LATER;
                    *protop = IPPROTO_FRAGMENT;
                    return STEP_ON;
                }
            }
            continue;
        }

        len = (*protop == IPPROTO_AH
               ? (ext->ip6e_len + 2) * 4
               : (ext->ip6e_len + 1) * 8);
        *protop = ext->ip6e_nxt;
        if (c->size < len) {
            return STEP_STOP;
        } else if (!is_there(c, len)) {
            return STEP_GIVE_UP;
        }
        pull(c, len);
    }
}

static enum step
parse_ipv6(struct cursor *c, struct soft_frame *frame, struct soft_key *key)
{
    const struct ovs_16aligned_ip6_hdr *ip6
        = (const struct ovs_16aligned_ip6_hdr *) c->p;
    uint8_t proto, frag = 0;
    enum step step;
    ovs_be32 flow;
    size_t plen;

    if (c->size < IPV6_HEADER_LEN) {
        return STEP_STOP;
    } else if (!is_there(c, IPV6_HEADER_LEN)) {
        return STEP_GIVE_UP;
    }
    plen = ntohs(ip6->ip6_plen);
    if (plen + IPV6_HEADER_LEN > c->size
        || c->size - (plen + IPV6_HEADER_LEN) > UINT16_MAX) {
        return STEP_STOP;
    }
    pull(c, IPV6_HEADER_LEN);
    frame->l2_pad_size = c->size - plen;
    c->size = plen;

    memcpy(&key->ipv6_src, &ip6->ip6_src, sizeof key->ipv6_src);
    memcpy(&key->ipv6_dst, &ip6->ip6_dst, sizeof key->ipv6_dst);
    flow = get_16aligned_be32(&ip6->ip6_flow);
    proto = ip6->ip6_nxt;
    step = skip_ipv6_ext_hdrs(c, &proto, &frag);
    if (step == STEP_ON) {
        key->ipv6_label = flow & htonl(IPV6_LABEL_MASK);
        key->nw_tos = ntohl(flow) >> 20;
        key->nw_ttl = ip6->ip6_hlim;
        key->nw_proto = proto;
        key->nw_frag = frag;
    }
    return step;
}

static enum step
parse_arp(struct cursor *c, struct soft_key *key)
{
    const struct arp_eth_header *arp = (const struct arp_eth_header *) c->p;

    if (c->size < ARP_ETH_HEADER_LEN) {
        return STEP_STOP;
    } else if (!is_there(c, ARP_ETH_HEADER_LEN)) {
        return STEP_GIVE_UP;
    }
    if (arp->ar_hrd == htons(1) && arp->ar_pro == htons(ETH_TYPE_IP)
        && arp->ar_hln == ETH_ADDR_LEN && arp->ar_pln == 4) {
        key->nw_src = get_16aligned_be32(&arp->ar_spa);
        key->nw_dst = get_16aligned_be32(&arp->ar_tpa);
        if (ntohs(arp->ar_op) <= 0xff) {
            key->nw_proto = ntohs(arp->ar_op);
        }
        key->arp_sha = arp->ar_sha;
        key->arp_tha = arp->ar_tha;
    }
    return STEP_STOP;
}

/* Parses behind the first 8 bytes of a neighbor solicitation or
 * advertisement. */
static enum step
parse_nd(struct cursor *c, struct soft_key *key)
{
    struct eth_addr sll = eth_addr_zero, tll = eth_addr_zero;
    uint8_t opt_type = 0;

    if (c->size < sizeof key->nd_target) {
        return STEP_ON;
    } else if (!is_there(c, sizeof key->nd_target)) {
        return STEP_GIVE_UP;
    }
    memcpy(&key->nd_target, c->p, sizeof key->nd_target);
    pull(c, sizeof key->nd_target);

    while (c->size >= ND_LLA_OPT_LEN) {
        const struct ovs_nd_lla_opt *opt
            = (const struct ovs_nd_lla_opt *) c->p;
        struct eth_addr *addr;
        size_t len;

        if (!is_there(c, ND_LLA_OPT_LEN)) {
            return STEP_GIVE_UP;
        }
        len = opt->len * ND_LLA_OPT_LEN;
        if (!len || len > c->size) {
            break;
        }
        addr = (len != ND_LLA_OPT_LEN ? NULL
                : opt->type == ND_OPT_SOURCE_LINKADDR ? &sll
                : opt->type == ND_OPT_TARGET_LINKADDR ? &tll
                : NULL);
        if (addr) {
            if (!eth_addr_is_zero(*addr)) {
                /* The same option twice invalidates it all. */
                memset(&key->nd_target, 0, sizeof key->nd_target);
                sll = tll = eth_addr_zero;
                break;
            }
            *addr = opt->mac;
            if (!opt_type) {
                opt_type = opt->type;
            }
        }
        if (!is_there(c, len)) {
            return STEP_GIVE_UP;
        }
        pull(c, len);
    }
    key->arp_sha = sll;
    key->arp_tha = tll;
    key->tcp_flags = htons(opt_type);
    return STEP_ON;
}

static enum step
parse_icmpv6(struct cursor *c, struct soft_key *key)
{
    const struct icmp6_data_header *icmp6
        = (const struct icmp6_data_header *) c->p;
    uint8_t type, code;

    if (c->size < sizeof *icmp6) {
        return STEP_STOP;
    } else if (!is_there(c, sizeof *icmp6)) {
        return STEP_GIVE_UP;
    }
    type = icmp6->icmp6_base.icmp6_type;
    code = icmp6->icmp6_base.icmp6_code;
    key->tp_src = htons(type);
    key->tp_dst = htons(code);
    pull(c, sizeof *icmp6);
    if (!code && (type == ND_NEIGHBOR_SOLICIT || type == ND_NEIGHBOR_ADVERT)) {
        key->igmp_group_ip4 = get_16aligned_be32(icmp6->icmp6_data.be32);
        return parse_nd(c, key);
    }
    return STEP_ON;
}

/* Parses a transport header of 'min' bytes at least that starts with the
 * ports. */
static inline enum step
parse_ports(struct cursor *c, size_t min, struct soft_key *key)
{
    if (OVS_UNLIKELY(c->size < min)) {
        return STEP_STOP;
    } else if (OVS_UNLIKELY(!is_there(c, min))) {
        return STEP_GIVE_UP;
    }
    memcpy(&key->tp_src, c->p, 2 * sizeof key->tp_src);
    return STEP_ON;
}

static inline enum step
parse_l4(struct cursor *c, struct soft_key *key)
{
    const struct tcp_header *tcp;
    enum step step;

    switch (key->nw_proto) {
    case IPPROTO_TCP:
        tcp = (const struct tcp_header *) c->p;
        step = STEP_STOP;
        if (OVS_LIKELY(c->size >= TCP_HEADER_LEN)) {
            size_t tcp_len;

            if (OVS_UNLIKELY(!is_there(c, TCP_HEADER_LEN))) {
                return STEP_GIVE_UP;
            }
            tcp_len = TCP_OFFSET(tcp->tcp_ctl) * 4;
            if (OVS_LIKELY(tcp_len >= TCP_HEADER_LEN && tcp_len <= c->size)) {
                key->tcp_flags = TCP_FLAGS_BE16(tcp->tcp_ctl);
                step = parse_ports(c, TCP_HEADER_LEN, key);
            }
        }
        return step;

    case IPPROTO_UDP:
        return parse_ports(c, UDP_HEADER_LEN, key);

    case IPPROTO_SCTP:
        return parse_ports(c, SCTP_HEADER_LEN, key);

    case IPPROTO_ICMP:
        if (c->size >= ICMP_HEADER_LEN) {
            if (!is_there(c, ICMP_HEADER_LEN)) {
                return STEP_GIVE_UP;
            }
            key->tp_src = htons(c->p[0]);
            key->tp_dst = htons(c->p[1]);
        }
        return STEP_STOP;

    case IPPROTO_IGMP:
        if (c->size >= IGMP_HEADER_LEN) {
            const struct igmp_header *igmp = (const void *) c->p;

            if (!is_there(c, IGMP_HEADER_LEN)) {
                return STEP_GIVE_UP;
            }
            key->tp_src = htons(igmp->igmp_type);
            key->tp_dst = htons(igmp->igmp_code);
            key->igmp_group_ip4 = get_16aligned_be32(&igmp->group);
        }
        return STEP_STOP;

    case IPPROTO_ICMPV6:
        return parse_icmpv6(c, key);

    default:
        return STEP_STOP;
    }
}

unsigned int
soft_key_extract(struct soft_frame *frame, struct soft_key *key)
{
    struct cursor c = {
        .p = frame->data,
        .end = frame->data + frame->linear,
        .size = frame->size,
    };
    enum step step;

    /* In halves: of the whole, GCC makes "rep stos", which takes as long to
     * begin as the rest of this function does. */
    memset(&key->words[0], 0, SOFT_KEY_WORDS / 2 * sizeof key->words[0]);
    memset(&key->words[SOFT_KEY_WORDS / 2], 0,
           SOFT_KEY_WORDS / 2 * sizeof key->words[0]);
    frame->l3_ofs = SOFT_NO_OFS;
    frame->l4_ofs = SOFT_NO_OFS;
    frame->l2_pad_size = 0;
    frame->cut = false;
    if (OVS_UNLIKELY(c.size < ETH_HEADER_LEN)) {
        return 0;
    } else if (OVS_UNLIKELY(!is_there(&c, ETH_HEADER_LEN))) {
        frame->cut = true;
        return 0;
    }
    memcpy(&key->dl_dst, c.p, ETH_ADDR_LEN);
    memcpy(&key->dl_src, c.p + ETH_ADDR_LEN, ETH_ADDR_LEN);
    pull(&c, 2 * ETH_ADDR_LEN);
    step = parse_eth(&c, key);
    if (OVS_UNLIKELY(step != STEP_ON)) {
        frame->cut = step == STEP_GIVE_UP;
        return 0;
    }

    frame->l3_ofs = c.p - frame->data;
    if (OVS_LIKELY(key->dl_type == htons(ETH_TYPE_IP))) {
        step = parse_ipv4(&c, frame, key);
    } else if (key->dl_type == htons(ETH_TYPE_IPV6)) {
        step = parse_ipv6(&c, frame, key);
    } else if (key->dl_type == htons(ETH_TYPE_ARP)
               || key->dl_type == htons(ETH_TYPE_RARP)) {
        step = parse_arp(&c, key);
    } else if (OVS_UNLIKELY(eth_type_mpls(key->dl_type)
                            || key->dl_type == htons(ETH_TYPE_NSH))) {
        /* The offset of the network header would be another one. */
        return 0;
    } else {
        step = STEP_STOP;
    }
    if (step == STEP_ON) {
        frame->l4_ofs = c.p - frame->data;
        if (OVS_LIKELY(!(key->nw_frag & FLOW_NW_FRAG_LATER))) {
            step = parse_l4(&c, key);
        }
    }
    if (OVS_UNLIKELY(step == STEP_GIVE_UP)) {
        frame->cut = true;
        return 0;
    }
    return OVS_LIKELY(key->dl_type == htons(ETH_TYPE_IP)
                      && key->nw_proto != IPPROTO_IGMP
                      && key->nw_proto != IPPROTO_ICMPV6)
           ? 5 : SOFT_KEY_WORDS;
}

/* Hashing. */

uint64_t soft_key_factors[SOFT_KEY_WORDS];

void
soft_key_init(void)
{
    if (!soft_key_factors[0]) {
        for (size_t i = 0; i < SOFT_KEY_WORDS; i++) {
            soft_key_factors[i] = random_uint64() | 1;
        }
    }
}

/* Matches. */

/* Fields that a key and "struct flow" have in common, by name. */
#define SOFT_KEY_FIELDS                         \
    F(dl_dst) F(dl_src) F(dl_type)              \
    F(nw_frag) F(nw_proto) F(nw_tos) F(nw_ttl)  \
    F(vlans)                                    \
    F(tp_src) F(tp_dst) F(tcp_flags)            \
    F(nw_src) F(nw_dst)                         \
    F(ipv6_src) F(ipv6_dst) F(ipv6_label)       \
    F(igmp_group_ip4) F(nd_target)              \
    F(arp_sha) F(arp_tha)

static void
key_from_flow(const struct flow *flow, struct soft_key *key)
{
    memset(key, 0, sizeof *key);
#define F(NAME)                                                     \
    BUILD_ASSERT(sizeof key->NAME == sizeof flow->NAME);            \
    memcpy(&key->NAME, &flow->NAME, sizeof key->NAME);
    SOFT_KEY_FIELDS
#undef F
}

static void
key_to_flow(const struct soft_key *key, struct flow *flow)
{
#define F(NAME) memcpy(&flow->NAME, &key->NAME, sizeof flow->NAME);
    SOFT_KEY_FIELDS
#undef F
}

/* Is 'FIELD' of a match such that packets from guests, in which it is zero,
 * may match? */
#define IS_ZERO(FLOW, MASK, FIELD) \
    is_zero_masked(&(FLOW)->FIELD, &(MASK)->FIELD, sizeof (FLOW)->FIELD)

static bool
is_zero_masked(const void *value_, const void *mask_, size_t n)
{
    const uint8_t *value = value_, *mask = mask_;

    for (size_t i = 0; i < n; i++) {
        if (value[i] & mask[i]) {
            return false;
        }
    }
    return true;
}

/* Open vSwitch has several masks for "there is no such tag": that of a flow
 * after an upcall is another than that of the same flow when its actions are
 * modified.  Makes one of them. */
static void
normalize_vlans(const struct soft_key *key, struct soft_key *mask)
{
    for (int i = 0; i < FLOW_MAX_VLAN_HEADERS; i++) {
        if (key->vlans[i].qtag) {
            continue;           /* There is to be one. */
        }
        if (mask->vlans[i].tci & htons(VLAN_CFI)) {
            /* Then nothing else is there of this tag and of those behind. */
            mask->vlans[i].qtag = 0;
            mask->vlans[i].tci = htons(VLAN_CFI);
            while (++i < FLOW_MAX_VLAN_HEADERS && !key->vlans[i].qtag) {
                mask->vlans[i].qtag = 0;
            }
            return;
        }
    }
}

enum virtnet_flow_reason
soft_key_from_match(const struct match *match, struct soft_key *key,
                    struct soft_key *mask)
{
    const struct flow *f = &match->flow, *m = &match->wc.masks;

    if (!IS_ZERO(f, m, recirc_id)) {
        return VIRTNET_FLOW_MATCH_RECIRC;
    } else if (!IS_ZERO(f, m, tunnel)) {
        return VIRTNET_FLOW_MATCH_TUNNEL;
    } else if (!IS_ZERO(f, m, ct_state) || !IS_ZERO(f, m, ct_zone)
               || !IS_ZERO(f, m, ct_mark) || !IS_ZERO(f, m, ct_label)
               || !IS_ZERO(f, m, ct_nw_proto)
               || !IS_ZERO(f, m, ct_nw_src) || !IS_ZERO(f, m, ct_nw_dst)
               || !IS_ZERO(f, m, ct_ipv6_src) || !IS_ZERO(f, m, ct_ipv6_dst)
               || !IS_ZERO(f, m, ct_tp_src) || !IS_ZERO(f, m, ct_tp_dst)) {
        return VIRTNET_FLOW_MATCH_CT;
    } else if (!is_all_zeros(&m->mpls_lse, sizeof m->mpls_lse)) {
        return VIRTNET_FLOW_MATCH_MPLS;
    } else if (!is_all_zeros(&m->nsh, sizeof m->nsh)) {
        return VIRTNET_FLOW_MATCH_NSH;
    } else if (!IS_ZERO(f, m, metadata) || !IS_ZERO(f, m, regs)
               || !IS_ZERO(f, m, skb_priority) || !IS_ZERO(f, m, pkt_mark)
               || !IS_ZERO(f, m, dp_hash) || !IS_ZERO(f, m, packet_type)
               || !IS_ZERO(f, m, conj_id)
               || !IS_ZERO(f, m, actset_output)) {
        return VIRTNET_FLOW_MATCH_METADATA;
    }

    key_from_flow(f, key);
    key_from_flow(m, mask);
    for (size_t i = 0; i < SOFT_KEY_WORDS; i++) {
        key->words[i] &= mask->words[i];
    }
    normalize_vlans(key, mask);
    return VIRTNET_FLOW_NONE;
}

void
soft_key_to_match(const struct soft_key *key, const struct soft_key *mask,
                  odp_port_t in_port, struct match *match)
{
    memset(match, 0, sizeof *match);
    key_to_flow(key, &match->flow);
    key_to_flow(mask, &match->wc.masks);
    match->flow.in_port.odp_port = in_port;
    match->wc.masks.in_port.odp_port = u32_to_odp(UINT32_MAX);
}
