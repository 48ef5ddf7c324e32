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

/* The software eSwitch beside Open vSwitch: random flows and random packets,
 * of all kinds, truncated and damaged ones too, go through both.  Keys must be
 * those of miniflow_extract(), packets that come out those of
 * odp_execute_actions(), byte by byte, port by port and in the same order, and
 * counters those of the packets that went in.
 *
 * usage: test-soft-eswitch [SEED [ROUNDS]] or test-soft-eswitch --corpus FILE
 *
 * Each round has flows and packets of its own, made from SEED and its number,
 * which are printed when it fails.  A FILE has lines with a seed and the
 * number of the round that failed with it. */

#include <config.h>
#undef NDEBUG

#include "soft-eswitch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "dpif.h"
#include "netlink.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "ovs-thread.h"
#include "pmd-forward.h"
#include "random.h"
#include "soft-backend.h"
#include "soft-eswitch-table.h"
#include "unaligned.h"
#include "util.h"
#include "virtnet-compat.h"

#define N_PORTS 4               /* Of devices, numbered from 1. */
#define N_OTHERS 2              /* Of other types, numbered after them. */
#define MAX_FLOWS 24
#define N_PACKETS 96
#define MAX_SIZE 512

static uint32_t cur_seed, cur_round;
static uint64_t n_hits, n_misses, n_outputs, n_twins;

static OVS_NO_RETURN OVS_PRINTF_FORMAT(1, 2) void
fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "FAILED: seed %"PRIu32", round %"PRIu32": ", cur_seed,
            cur_round);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

/* Random things. */

static uint32_t
rnd(uint32_t n)
{
    return random_range(n);
}

static bool
one_in(uint32_t n)
{
    return !rnd(n);
}

/* A value with few alternatives, so that flows and packets meet. */
static uint8_t
few(void)
{
    return rnd(3);
}

struct builder {
    uint8_t *p;
    uint8_t *start;
};

static void
put(struct builder *b, const void *data, size_t n)
{
    memcpy(b->p, data, n);
    b->p += n;
}

static void
put8(struct builder *b, uint8_t x)
{
    put(b, &x, 1);
}

static void
put16(struct builder *b, uint16_t x)
{
    ovs_be16 be = htons(x);

    put(b, &be, 2);
}

static void
put_random(struct builder *b, size_t n)
{
    while (n--) {
        put8(b, rnd(256));
    }
}

static void
put_mac(struct builder *b)
{
    uint8_t mac[ETH_ADDR_LEN] = { few() * 2, 0, 0, 0, 0, few() };

    put(b, mac, sizeof mac);
}

static void
put_l4(struct builder *b, uint8_t proto)
{
    size_t payload = rnd(one_in(8) ? 80 : 20);

    switch (proto) {
    case IPPROTO_TCP: {
        uint8_t words = one_in(10) ? rnd(16) : 5 + rnd(3);

        put16(b, few());
        put16(b, 80 + few());
        put_random(b, 8);
        put16(b, words << 12 | rnd(64));
        put_random(b, 6);
        put_random(b, words > 5 ? (words - 5) * 4 : 0);
        break;
    }
    case IPPROTO_UDP:
        put16(b, few());
        put16(b, 53 + few());
        put16(b, 8 + payload);
        put16(b, one_in(4) ? 0 : one_in(4) ? 0xffff : rnd(65536));
        break;
    case IPPROTO_SCTP:
        put16(b, few());
        put16(b, 99 + few());
        put_random(b, 8);
        break;
    case IPPROTO_ICMP:
    case IPPROTO_IGMP:
        put8(b, 8 * few());
        put8(b, few());
        put_random(b, 6);
        break;
    case IPPROTO_ICMPV6: {
        uint8_t type = one_in(3) ? 128 : ND_NEIGHBOR_SOLICIT + rnd(2);

        put8(b, type);
        put8(b, one_in(6) ? 1 : 0);
        put_random(b, 2);
        put8(b, 32 * few());
        put_random(b, 3);
        if (type != 128) {
            for (int i = 0; i < 15; i++) {
                put8(b, 0);
            }
            put8(b, few());
            for (int n = rnd(4); n > 0; n--) {
                put8(b, one_in(4) ? rnd(5) : 1 + rnd(2));
                put8(b, one_in(6) ? rnd(3) : 1);
                put_mac(b);
            }
        }
        payload = one_in(2) ? 0 : payload;
        break;
    }
    }
    put_random(b, payload);
}

static uint8_t
random_proto(bool ipv6)
{
    static const uint8_t v4[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP,
                                  IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
                                  IPPROTO_IGMP, 47 };
    static const uint8_t v6[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
                                  IPPROTO_ICMPV6, IPPROTO_ICMPV6, 59 };

    return ipv6 ? v6[rnd(ARRAY_SIZE(v6))] : v4[rnd(ARRAY_SIZE(v4))];
}

static void
put_ipv4(struct builder *b)
{
    uint8_t words = one_in(8) ? 5 + rnd(6) : one_in(20) ? rnd(16) : 5;
    uint8_t proto = random_proto(false);
    struct ip_header *ip = (void *) b->p;
    uint16_t frag = one_in(8) ? (one_in(2) ? IP_MORE_FRAGMENTS : rnd(65536))
                              : one_in(3) ? IP_DONT_FRAGMENT : 0;

    put8(b, 4 << 4 | words);
    put8(b, few());
    put16(b, 0);
    put_random(b, 2);
    put16(b, frag);
    put8(b, 60 + few());
    put8(b, proto);
    put16(b, 0);
    put8(b, 10); put8(b, 0); put8(b, 0); put8(b, few());
    put8(b, 10); put8(b, 0); put8(b, 1); put8(b, few());
    put_random(b, words > 5 ? (words - 5) * 4 : 0);
    put_l4(b, proto);
    ip->ip_tot_len = htons(b->p - (uint8_t *) ip
                           + (one_in(16) ? (int) rnd(9) - 4 : 0));
    ip->ip_csum = one_in(8) ? htons(rnd(65536)) : csum(ip, 20);
    put_random(b, one_in(6) ? rnd(30) : 0);
}

static void
put_ipv6(struct builder *b)
{
    static const uint8_t exts[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING,
                                    IPPROTO_DSTOPTS, IPPROTO_AH,
                                    IPPROTO_FRAGMENT };
    struct ovs_16aligned_ip6_hdr *ip6 = (void *) b->p;
    uint8_t proto = random_proto(true);
    uint8_t *nxt, *start;

    put16(b, 0x6000 | few() << 4);
    put16(b, few());
    put16(b, 0);
    nxt = b->p;
    put8(b, proto);
    put8(b, 60 + few());
    for (int i = 0; i < 2; i++) {
        put16(b, 0xfe80);
        for (int j = 0; j < 13; j++) {
            put8(b, 0);
        }
        put8(b, few());
    }
    start = b->p;
    for (int n = one_in(3) ? rnd(4) : 0; n > 0; n--) {
        uint8_t ext = exts[rnd(ARRAY_SIZE(exts))];
        uint8_t len = rnd(3);

        *nxt = ext;
        nxt = b->p;
        put8(b, proto);
        if (ext == IPPROTO_FRAGMENT) {
            put8(b, 0);
            put16(b, one_in(2) ? 1 : one_in(2) ? 0 : rnd(65536));
            put_random(b, 4);
        } else if (ext == IPPROTO_AH) {
            put8(b, len);
            put_random(b, (len + 2) * 4 - 2);
        } else {
            put8(b, len);
            put8(b, 0);
            put8(b, rnd(2));
            put_random(b, (len + 1) * 8 - 4);
        }
    }
    put_l4(b, proto);
    ip6->ip6_plen = htons(b->p - start + (one_in(16) ? (int) rnd(9) - 4 : 0));
    put_random(b, one_in(6) ? rnd(30) : 0);
}

static void
put_arp(struct builder *b)
{
    put16(b, one_in(16) ? 2 : 1);
    put16(b, one_in(16) ? 0 : ETH_TYPE_IP);
    put8(b, one_in(16) ? 5 : 6);
    put8(b, one_in(16) ? 5 : 4);
    put16(b, one_in(8) ? 0x100 + few() : 1 + few());
    for (int i = 0; i < 2; i++) {
        put_mac(b);
        put8(b, 10); put8(b, 0); put8(b, i); put8(b, few());
    }
    put_random(b, rnd(20));
}

/* Makes a packet at 'data', which has room for some more than MAX_SIZE bytes.
 * Returns its length, at least that of an Ethernet header. */
static size_t
random_packet(uint8_t *data)
{
    static const uint16_t tpids[] = { ETH_TYPE_VLAN_8021Q,
                                      ETH_TYPE_VLAN_8021AD };
    struct builder b = { .p = data, .start = data };
    size_t size;

    put_mac(&b);
    put_mac(&b);
    for (int n = one_in(3) ? rnd(4) : 0; n > 0; n--) {
        put16(&b, tpids[rnd(2)]);
        put16(&b, rnd(2) << 13 | few());
    }
    switch (rnd(16)) {
    case 0:
        put16(&b, one_in(3) ? ETH_TYPE_RARP : ETH_TYPE_ARP);
        put_arp(&b);
        break;
    case 1:
        put16(&b, one_in(2) ? ETH_TYPE_MPLS : 0x88b5 + few());
        put_random(&b, rnd(60));
        break;
    case 2: {
        static const uint8_t snap[] = { 0xaa, 0xaa, 3, 0, 0, 0 };

        /* LLC, and SNAP. */
        put16(&b, rnd(0x600));
        if (one_in(2)) {
            put(&b, snap, sizeof snap);
            put16(&b, one_in(4) ? rnd(0x600) : ETH_TYPE_IP);
            put_ipv4(&b);
        } else {
            put_random(&b, rnd(60));
        }
        break;
    }
    case 3: case 4: case 5: case 6: case 7:
        put16(&b, ETH_TYPE_IPV6);
        put_ipv6(&b);
        break;
    default:
        put16(&b, ETH_TYPE_IP);
        put_ipv4(&b);
        break;
    }
    size = b.p - data;
    assert(size <= MAX_SIZE);

    if (one_in(6)) {
        size = ETH_HEADER_LEN + rnd(size - ETH_HEADER_LEN + 1);
    }
    if (one_in(6)) {
        for (int n = 1 + rnd(4); n > 0; n--) {
            data[rnd(size)] = rnd(256);
        }
    }
    return size;
}

static struct dp_packet *
make_packet(const uint8_t *data, size_t size)
{
    struct dp_packet *packet;

    packet = dp_packet_clone_data_with_headroom(data, size, 64);
    packet->packet_type = htonl(PT_ETH);
    return packet;
}

/* Keys. */

static void
extract_reference(const uint8_t *data, size_t size, odp_port_t in_port,
                  struct flow *flow, struct soft_frame *offsets)
{
    struct dp_packet *packet = make_packet(data, size);
    struct {
        struct miniflow mf;
        uint64_t buf[FLOW_U64S];
    } m;

    pkt_metadata_init(&packet->md, in_port);
    miniflow_extract(packet, &m.mf);
    miniflow_expand(&m.mf, flow);
    offsets->l3_ofs = packet->l3_ofs;
    offsets->l4_ofs = packet->l4_ofs;
    offsets->l2_pad_size = dp_packet_l2_pad_size(packet);
    dp_packet_delete(packet);
}

static bool
is_unsupported(const struct flow *flow)
{
    return (eth_type_mpls(flow->dl_type)
            || flow->dl_type == htons(ETH_TYPE_NSH));
}

static void
test_key(const uint8_t *data, size_t size)
{
    struct soft_frame frame, offsets;
    struct match match, back;
    struct soft_key key, expected, mask;
    struct flow flow;
    unsigned int n;

    extract_reference(data, size, 1, &flow, &offsets);
    memset(&match, 0, sizeof match);
    match.flow = flow;
    memset(&match.wc, 0xff, sizeof match.wc);
    memset(&match.wc.masks.mpls_lse, 0, sizeof match.wc.masks.mpls_lse);
    memset(&match.wc.masks.nsh, 0, sizeof match.wc.masks.nsh);
    if (soft_key_from_match(&match, &expected, &mask)) {
        fail("a packet's own flow is not accepted as match");
    }

    frame = (struct soft_frame) {
        .data = CONST_CAST(uint8_t *, data),
        .linear = size,
        .size = size,
    };
    n = soft_key_extract(&frame, &key);
    if (is_unsupported(&flow)) {
        assert(!n);
        return;
    }
    if (!n) {
        fail("no key");
    }
    for (size_t i = 0; i < SOFT_KEY_WORDS; i++) {
        if (key.words[i] != expected.words[i] || (i >= n && key.words[i])) {
            fail("word %"PRIuSIZE" of %u of the key is %016"PRIx64", should "
                 "be %016"PRIx64, i, n, key.words[i], expected.words[i]);
        }
    }
    if (frame.l3_ofs != offsets.l3_ofs || frame.l4_ofs != offsets.l4_ofs
        || frame.l2_pad_size != offsets.l2_pad_size) {
        fail("offsets %u, %u, %u should be %u, %u, %u", frame.l3_ofs,
             frame.l4_ofs, frame.l2_pad_size, offsets.l3_ofs, offsets.l4_ofs,
             offsets.l2_pad_size);
    }
    soft_key_to_match(&key, &mask, 1, &back);
    if (memcmp(&back.flow.nw_src, &flow.nw_src, sizeof flow.nw_src)
        || back.flow.in_port.odp_port != 1) {
        fail("a match is not made of a key");
    }

    /* With only the first bytes at hand the result is the same or none. */
    for (size_t linear = 0; linear < size; linear += 1 + rnd(8)) {
        uint8_t *part = xmemdup(data, linear);
        struct soft_key key2;

        frame.data = part;
        frame.linear = linear;
        n = soft_key_extract(&frame, &key2);
        if (n && memcmp(&key, &key2, sizeof key)) {
            fail("another key when %"PRIuSIZE" of %"PRIuSIZE" bytes are "
                 "there", linear, size);
        }
        free(part);
    }
}

/* Packets that differ from 'data' in one byte, of which the first 'linear' are
 * there: what is taken for a twin has to be one, and what does not matter must
 * not make a difference. */
static void
test_twins(const uint8_t *data, size_t size, size_t linear)
{
    uint8_t *a_data = xmemdup(data, linear), *b_data = xmemdup(data, linear);
    struct soft_frame a = { .data = a_data, .linear = linear, .size = size };
    struct soft_key key, key2;
    enum soft_kind kind = SOFT_KIND_OTHER;

    if (soft_key_extract(&a, &key)) {
        kind = soft_frame_kind(&a, &key);
    }
    for (size_t i = 0; i < linear && kind != SOFT_KIND_OTHER; i++) {
        struct soft_frame b = { .data = b_data, .linear = linear,
                                .size = size };
        bool ipv4 = kind <= SOFT_KIND_IPV4_TCP;
        bool twin;

        b_data[i] ^= 1 + rnd(255);
        twin = soft_frame_is_twin(&a, kind, &b);
        if (twin && (!soft_key_extract(&b, &key2)
                     || memcmp(&key, &key2, sizeof key)
                     || a.l3_ofs != b.l3_ofs || a.l4_ofs != b.l4_ofs
                     || a.l2_pad_size != b.l2_pad_size)) {
            fail("byte %"PRIuSIZE" matters to twins", i);
        }
        if (!twin && (i >= 72 || (ipv4 && (i == 18 || i == 19 || i == 24
                                           || i == 25 || i >= 48)))) {
            fail("byte %"PRIuSIZE" does not matter to twins", i);
        }
        n_twins += twin;
        b_data[i] = data[i];
    }
    if (kind != SOFT_KIND_OTHER) {
        struct soft_frame b = a;

        b.size++;
        assert(soft_frame_is_twin(&a, kind, &a));
        assert(!soft_frame_is_twin(&a, kind, &b));
        b = a;
        b.linear--;
        assert(!soft_frame_is_twin(&a, kind, &b));
    }
    free(a_data);
    free(b_data);
}

/* Flows. */

static struct soft_device *devices[N_PORTS + N_OTHERS + 1];

struct test_flow {
    struct match match;
    ovs_u128 ufid;
    struct ofpbuf actions;
    bool sets_l3;
    bool sets_nd;

    /* What should have been counted. */
    uint64_t n_packets;
    uint64_t n_bytes;
    uint16_t tcp_flags;
};

struct test_packet {
    uint8_t data[MAX_SIZE + 64];
    size_t size;
    struct flow flow;
    struct soft_frame offsets;
    bool nd_overrun;
};

static bool
matches(const struct match *match, const struct flow *flow)
{
    const uint64_t *f = (const uint64_t *) flow;
    const uint64_t *m = (const uint64_t *) &match->flow;
    const uint64_t *w = (const uint64_t *) &match->wc.masks;

    for (size_t i = 0; i < FLOW_U64S; i++) {
        if ((f[i] ^ m[i]) & w[i]) {
            return false;
        }
    }
    return true;
}

static uint8_t
random_mask(void)
{
    return one_in(4) ? rnd(256) : one_in(2) ? 0xff : 0;
}

/* Puts a masked set action of field 'attr', of 'size' bytes, with the bytes in
 * [from, to) settable. */
static void
put_set(struct ofpbuf *actions, enum ovs_key_attr attr, size_t size,
        size_t from, size_t to)
{
    uint8_t key[2 * sizeof(struct ovs_key_ipv6)] = { 0 };
    size_t ofs;

    for (size_t i = from; i < to; i++) {
        key[size + i] = random_mask();
        key[i] = (one_in(3) ? rnd(256) : few()) & key[size + i];
    }
    if (attr == OVS_KEY_ATTR_IPV6) {
        /* The label has 20 bits. */
        struct ovs_key_ipv6 *ipv6 = (void *) key;

        ipv6[0].ipv6_label &= htonl(IPV6_LABEL_MASK);
        ipv6[1].ipv6_label &= htonl(IPV6_LABEL_MASK);
    }
    ofs = nl_msg_start_nested(actions, OVS_ACTION_ATTR_SET_MASKED);
    nl_msg_put_unspec(actions, attr, key, 2 * size);
    nl_msg_end_nested(actions, ofs);
}

/* Appends an action that makes sense for packets like 'flow', whose VLAN tags
 * number '*n_tags' now. */
static void
random_action(const struct flow *flow, int *n_tags, struct test_flow *tf)
{
    struct ofpbuf *a = &tf->actions;
    bool ipv4 = flow->dl_type == htons(ETH_TYPE_IP);
    bool ipv6 = flow->dl_type == htons(ETH_TYPE_IPV6);
    bool later = flow->nw_frag & FLOW_NW_FRAG_LATER;

    switch (rnd(8)) {
    case 0:
        if (*n_tags < 3) {
            struct ovs_action_push_vlan vlan = {
                .vlan_tpid = htons(one_in(2) ? ETH_TYPE_VLAN_8021Q
                                             : ETH_TYPE_VLAN_8021AD),
                .vlan_tci = htons(VLAN_CFI | rnd(4096)),
            };

            nl_msg_put_unspec(a, OVS_ACTION_ATTR_PUSH_VLAN, &vlan,
                              sizeof vlan);
            ++*n_tags;
        }
        break;
    case 1:
        if (*n_tags > 0) {
            nl_msg_put_flag(a, OVS_ACTION_ATTR_POP_VLAN);
            --*n_tags;
        }
        break;
    case 2:
        put_set(a, OVS_KEY_ATTR_ETHERNET, sizeof(struct ovs_key_ethernet), 0,
                sizeof(struct ovs_key_ethernet));
        break;
    case 3: case 4:
        if (ipv4) {
            /* Addresses; TOS and TTL. */
            put_set(a, OVS_KEY_ATTR_IPV4, sizeof(struct ovs_key_ipv4), 0, 8);
            put_set(a, OVS_KEY_ATTR_IPV4, sizeof(struct ovs_key_ipv4), 9, 11);
            tf->sets_l3 = true;
        } else if (ipv6) {
            put_set(a, OVS_KEY_ATTR_IPV6, sizeof(struct ovs_key_ipv6), 0, 36);
            put_set(a, OVS_KEY_ATTR_IPV6, sizeof(struct ovs_key_ipv6), 37,
                    39);
            tf->sets_l3 = true;
        } else if (flow->dl_type == htons(ETH_TYPE_ARP)) {
            put_set(a, OVS_KEY_ATTR_ARP, sizeof(struct ovs_key_arp), 0,
                    offsetof(struct ovs_key_arp, arp_tha) + 6);
            tf->sets_l3 = true;
        }
        break;
    default:
        if ((!ipv4 && !ipv6) || later) {
            break;
        } else if (flow->nw_proto == IPPROTO_TCP) {
            put_set(a, OVS_KEY_ATTR_TCP, sizeof(struct ovs_key_tcp), 0, 4);
        } else if (flow->nw_proto == IPPROTO_UDP) {
            put_set(a, OVS_KEY_ATTR_UDP, sizeof(struct ovs_key_udp), 0, 4);
        } else if (flow->nw_proto == IPPROTO_SCTP) {
            put_set(a, OVS_KEY_ATTR_SCTP, sizeof(struct ovs_key_sctp), 0, 4);
        } else if (ipv6 && flow->nw_proto == IPPROTO_ICMPV6
                   && !ipv6_is_zero(&flow->nd_target)) {
            put_set(a, OVS_KEY_ATTR_ND, sizeof(struct ovs_key_nd), 0,
                    sizeof(struct ovs_key_nd));
            tf->sets_nd = true;
        } else {
            break;
        }
        tf->sets_l3 = true;
    }
}

/* Makes a flow that 'packet', from port 'in', matches. */
static void
random_flow(const struct test_packet *packet, odp_port_t in,
            struct test_flow *tf)
{
    const struct flow *flow = &packet->flow;
    struct flow *mask;
    int n_tags = 0;

    memset(tf, 0, sizeof *tf);
    tf->match.flow = *flow;
    mask = &tf->match.wc.masks;
    mask->in_port.odp_port = u32_to_odp(UINT32_MAX);
    mask->recirc_id = UINT32_MAX;
    mask->packet_type = OVS_BE32_MAX;
    mask->dl_type = OVS_BE16_MAX;
    for (int i = 0; i < FLOW_MAX_VLAN_HEADERS; i++) {
        /* Whether there is a tag is always looked at. */
        mask->vlans[i].tci = htons(VLAN_CFI | (one_in(2) ? 0xfff : 0));
        mask->vlans[i].tpid = one_in(2) ? OVS_BE16_MAX : 0;
        n_tags += !!(flow->vlans[i].tci & htons(VLAN_CFI));
    }
    if (flow->dl_type == htons(ETH_TYPE_IP)
        || flow->dl_type == htons(ETH_TYPE_IPV6)) {
        mask->nw_frag = FLOW_NW_FRAG_MASK;
        mask->nw_proto = 0xff;
    }

    /* Any other bits. */
#define M(FIELD) random_bytes__(&mask->FIELD, sizeof mask->FIELD)
#define random_bytes__(PTR, N)                          \
    if (one_in(3)) {                                    \
        for (size_t i_ = 0; i_ < (N); i_++) {           \
            ((uint8_t *) (PTR))[i_] |= random_mask();   \
        }                                               \
    }
    M(dl_dst);
    M(dl_src);
    M(nw_src);
    M(nw_dst);
    M(nw_tos);
    M(nw_ttl);
    M(ipv6_src);
    M(ipv6_dst);
    M(ipv6_label);
    M(nd_target);
    M(arp_sha);
    M(arp_tha);
    M(tcp_flags);
    M(tp_src);
    M(tp_dst);
    M(igmp_group_ip4);
    M(ct_state);
#undef M
#undef random_bytes__
    for (size_t i = 0; i < FLOW_U64S; i++) {
        ((uint64_t *) &tf->match.flow)[i] &= ((uint64_t *) mask)[i];
    }
    tf->match.flow.in_port.odp_port = in;

    tf->ufid.u32[0] = random_uint32();
    tf->ufid.u32[1] = random_uint32();
    tf->ufid.u32[2] = random_uint32();
    tf->ufid.u32[3] = random_uint32();

    ofpbuf_init(&tf->actions, 0);
    if (!one_in(12)) {
        for (int n = 1 + (one_in(3) ? rnd(3) : 0); n > 0; n--) {
            for (int m = one_in(2) ? rnd(4) : 0; m > 0; m--) {
                random_action(flow, &n_tags, tf);
            }
            nl_msg_put_odp_port(&tf->actions, OVS_ACTION_ATTR_OUTPUT,
                                1 + rnd(N_PORTS + N_OTHERS));
        }
    }
}

static struct virtnet_device *
port_to_dev(odp_port_t port, void *aux OVS_UNUSED,
            enum virtnet_flow_reason *reason OVS_UNUSED)
{
    return port <= N_PORTS ? &devices[port]->up : NULL;
}

static void
put_flow(struct test_flow *tf, odp_port_t in)
{
    struct virtnet_flow_actions compiled;
    struct virtnet_flow_stats stats;
    enum virtnet_flow_reason reason;

    reason = virtnet_flow_compile(tf->actions.data, tf->actions.size,
                                  port_to_dev, NULL, &compiled);
    if (reason) {
        fail("actions are refused: %s", virtnet_flow_reason_text(reason));
    }
    if (soft_flow_class.put(&devices[in]->up, &tf->ufid, &tf->match,
                            &compiled, &stats, &reason) || reason) {
        fail("flow is refused: %s", virtnet_flow_reason_text(reason));
    }
    if (!stats.in_force || stats.n_packets != tf->n_packets
        || stats.n_bytes != tf->n_bytes) {
        fail("a flow that is put is not in force with what it has counted");
    }
}

/* What comes out. */

struct output {
    odp_port_t port;
    size_t size;
    uint8_t *data;
};

struct outputs {
    size_t n, allocated;
    struct output *outputs;
};

static struct outputs expected, found;

static void
outputs_add(struct outputs *o, odp_port_t port, const void *data, size_t size)
{
    if (o->n == o->allocated) {
        o->outputs = x2nrealloc(o->outputs, &o->allocated,
                                sizeof *o->outputs);
    }
    o->outputs[o->n++] = (struct output) {
        .port = port,
        .size = size,
        .data = xmemdup(data, size),
    };
}

static void
outputs_clear(struct outputs *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->outputs[i].data);
    }
    o->n = 0;
}

/* Packets of one port stay in order; between ports there is none. */
static void
outputs_compare(const char *what)
{
    for (odp_port_t port = 1; port <= N_PORTS + N_OTHERS; port++) {
        size_t i = 0, j = 0, n = 0;

        for (;; i++, j++, n++) {
            const struct output *e, *f;

            while (i < expected.n && expected.outputs[i].port != port) {
                i++;
            }
            while (j < found.n && found.outputs[j].port != port) {
                j++;
            }
            if (i >= expected.n && j >= found.n) {
                break;
            }
            e = &expected.outputs[i];
            f = &found.outputs[j];
            if (i >= expected.n || j >= found.n || e->size != f->size
                || memcmp(e->data, f->data, e->size)) {
                if (i < expected.n) {
                    fprintf(stderr, "expected:\n");
                    ovs_hex_dump(stderr, e->data, e->size, 0, false);
                }
                if (j < found.n) {
                    fprintf(stderr, "found:\n");
                    ovs_hex_dump(stderr, f->data, f->size, 0, false);
                }
                fail("%s: packet %"PRIuSIZE" of port %"PRIu32, what, n,
                     odp_to_u32(port));
            }
        }
    }
    n_outputs += found.n;
}

static void
reference_output(void *aux OVS_UNUSED, struct dp_packet_batch *batch,
                 const struct nlattr *a, bool steal)
{
    struct dp_packet *packet;

    assert(nl_attr_type(a) == OVS_ACTION_ATTR_OUTPUT);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        outputs_add(&expected, nl_attr_get_odp_port(a),
                    dp_packet_data(packet), dp_packet_size(packet));
    }
    dp_packet_delete_batch(batch, steal);
}

static void
execute_reference(const struct test_packet *p, const struct test_flow *tf,
                  odp_port_t in)
{
    struct dp_packet *packet = make_packet(p->data, p->size);
    struct dp_packet_batch batch;
    struct {
        struct miniflow mf;
        uint64_t buf[FLOW_U64S];
    } m;

    pkt_metadata_init(&packet->md, in);
    miniflow_extract(packet, &m.mf);
    dp_packet_batch_init_packet(&batch, packet);
    odp_execute_actions(NULL, &batch, true, tf->actions.data,
                        tf->actions.size, reference_output);
}

/* In the place of soft-rep-tx.c's. */
void __wrap_soft_rep_send(struct virtnet_device *, int,
                          struct dp_packet_batch *);
void
__wrap_soft_rep_send(struct virtnet_device *dev, int qid OVS_UNUSED,
                     struct dp_packet_batch *batch)
{
    struct dp_packet *packet;
    odp_port_t port;

    for (port = 1; &devices[port]->up != dev; port++) {
        continue;
    }
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        outputs_add(&found, port, dp_packet_data(packet),
                    dp_packet_size(packet));
    }
    dp_packet_delete_batch(batch, true);
}

/* In the place of dpif-netdev.c's. */
void __wrap_pmd_forward_output(odp_port_t, struct dp_packet_batch *);
void
__wrap_pmd_forward_output(odp_port_t port, struct dp_packet_batch *batch)
{
    struct dp_packet *packet;

    assert(!dp_packet_batch_is_empty(batch));
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        /* Those who send it rely on that. */
        assert(packet->source == batch->packets[0]->source);
        assert(packet->md.in_port.odp_port && packet->l3_ofs != UINT16_MAX);
        outputs_add(&found, port, dp_packet_data(packet),
                    dp_packet_size(packet));
    }
    dp_packet_delete_batch(batch, true);
}

/* Must the eSwitch leave a packet to Open vSwitch that 'tf' matches?  Only if
 * something is to be set in a header that is not there. */
static bool
must_pass_up(const struct test_packet *p, const struct test_flow *tf)
{
    const struct soft_frame *o = &p->offsets;

    return tf->sets_l3 && (p->flow.dl_type == htons(ETH_TYPE_ARP)
                           ? o->l3_ofs + ARP_ETH_HEADER_LEN > p->size
                           : o->l4_ofs == SOFT_NO_OFS);
}

/* Has one of the first 'n' packets of 'flow' to go to Open vSwitch, so that
 * those behind it have to, too?  Packets of which only 'linear' bytes are
 * there may. */
static bool
has_passed_up(const struct test_packet *packets[], struct test_flow *flows[],
              const uint32_t *linear, size_t n, const struct test_flow *flow)
{
    for (size_t i = 0; i < n; i++) {
        if (flows[i] == flow
            && (must_pass_up(packets[i], flow)
                || (linear && linear[i] < packets[i]->size))) {
            return true;
        }
    }
    return false;
}

/* Runs packets in buffers of ours through the eSwitch. */
static void
run_batch(const struct test_packet *packets[], struct test_flow *flows[],
          size_t n, odp_port_t in)
{
    struct dp_packet_batch batch;
    struct dp_packet *packet;
    size_t i = 0, n_up = 0;

    outputs_clear(&expected);
    outputs_clear(&found);
    dp_packet_batch_init(&batch);
    for (size_t j = 0; j < n; j++) {
        dp_packet_batch_add(&batch, make_packet(packets[j]->data,
                                                packets[j]->size));
    }
    if (in <= N_PORTS) {
        soft_eswitch_run(devices[in]->rep.eswitch_port, &batch);
    } else {
        soft_flow_class.uplink_recv(&devices[in]->up, &batch);
    }

    /* Those left are unchanged, in order, and rightly so. */
    for (; i < n; i++) {
        if (flows[i]
            && !has_passed_up(packets, flows, NULL, i + 1, flows[i])) {
            flows[i]->n_packets++;
            flows[i]->n_bytes += packets[i]->size;
            flows[i]->tcp_flags |= ntohs(packets[i]->flow.tcp_flags);
            execute_reference(packets[i], flows[i], in);
            n_hits++;
            continue;
        }
        if (n_up == dp_packet_batch_size(&batch)) {
            fail("packet %"PRIuSIZE" was taken", i);
        }
        packet = batch.packets[n_up++];
        if (dp_packet_size(packet) != packets[i]->size
            || memcmp(dp_packet_data(packet), packets[i]->data,
                      packets[i]->size)) {
            fail("packet %"PRIuSIZE" did not come back", i);
        }
        n_misses++;
    }
    if (n_up != dp_packet_batch_size(&batch)) {
        fail("a packet came back that should not");
    }
    dp_packet_delete_batch(&batch, true);
    outputs_compare("buffers of ours");
}

/* Has the eSwitch look at the first bytes of packets only, and carries out
 * actions as a data path of one copy does. */
static void
run_frames(const struct test_packet *packets[], struct test_flow *flows[],
           size_t n, odp_port_t in)
{
    const struct soft_actions *actions[NETDEV_MAX_BURST];
    struct soft_flow *matched[NETDEV_MAX_BURST];
    struct soft_frame frames[NETDEV_MAX_BURST];
    uint8_t *buffers[NETDEV_MAX_BURST];
    uint32_t there[NETDEV_MAX_BURST];
    uint32_t sizes[NETDEV_MAX_BURST];

    outputs_clear(&expected);
    outputs_clear(&found);
    for (size_t i = 0; i < n; i++) {
        size_t limit = one_in(2) ? 128 : rnd(MAX_SIZE);
        size_t linear = MIN(packets[i]->size, limit);

        there[i] = linear;
        buffers[i] = xmalloc(16 + linear);
        memcpy(buffers[i] + 16, packets[i]->data, linear);
        sizes[i] = packets[i]->size;
        frames[i] = (struct soft_frame) {
            .data = buffers[i] + 16,
            .linear = linear,
            .size = sizes[i],
            .headroom = 16,
        };
    }
    soft_eswitch_find(devices[in]->rep.eswitch_port, frames, n, 0, matched,
                      actions);
    for (size_t i = 0; i < n; i++) {
        if (!actions[i]) {
            matched[i] = NULL;
        }
    }
    soft_eswitch_count(devices[in]->rep.eswitch_port, matched, sizes, n);
    for (size_t i = 0; i < n; i++) {
        if (actions[i]) {
            uint32_t linear = frames[i].linear;

            if (!flows[i]) {
                fail("frame %"PRIuSIZE" was taken without a flow", i);
            }
            for (size_t j = 0; j < i; j++) {
                if (flows[j] == flows[i] && !actions[j] && !frames[j].cut) {
                    fail("frame %"PRIuSIZE" overtook another", i);
                }
            }
            for (size_t j = 0; j < actions[i]->n; j++) {
                const struct virtnet_flow_action *a = &actions[i]->actions[j];
                odp_port_t port;
                uint8_t *whole;

                if (!virtnet_flow_is_output(a)) {
                    soft_action_rewrite(a, &frames[i]);
                    continue;
                }
                port = a->port;
                if (a->type == VIRTNET_FLOW_OUTPUT) {
                    for (port = 1; &devices[port]->up != a->dev; port++) {
                        continue;
                    }
                }
                whole = xmalloc(frames[i].size);
                memcpy(whole, frames[i].data, frames[i].linear);
                memcpy(whole + frames[i].linear, packets[i]->data + linear,
                       packets[i]->size - linear);
                outputs_add(&found, port, whole, frames[i].size);
                free(whole);
            }
            flows[i]->n_packets++;
            flows[i]->n_bytes += packets[i]->size;
            flows[i]->tcp_flags |= ntohs(packets[i]->flow.tcp_flags);
            execute_reference(packets[i], flows[i], in);
            n_hits++;
        } else if (flows[i] && !has_passed_up(packets, flows, there, i + 1,
                                              flows[i])) {
            fail("frame %"PRIuSIZE" was not taken", i);
        }
        free(buffers[i]);
    }
    outputs_compare("first bytes only");
}

/* Do the options of the neighbor discovery message 'p' lead out of it?
 * odp-execute.c follows them there when it sets an address in them, so there
 * is nothing to compare with. */
static bool
nd_overruns(const struct test_packet *p)
{
    const struct soft_frame *o = &p->offsets;
    size_t ofs, end = p->size - o->l2_pad_size;

    if (p->flow.nw_proto != IPPROTO_ICMPV6 || o->l4_ofs == SOFT_NO_OFS) {
        return false;
    }
    ofs = o->l4_ofs + sizeof(struct ovs_nd_msg);
    while (ofs + 2 <= end && p->data[ofs + 1]) {
        if (p->data[ofs + 1] == 1
            && (p->data[ofs] == ND_OPT_SOURCE_LINKADDR
                || p->data[ofs] == ND_OPT_TARGET_LINKADDR)) {
            return ofs + 8 > end;
        }
        ofs += p->data[ofs + 1] * 8;
    }
    return ofs + 2 > end;
}

/* Has the eSwitch set an address in such a message, in memory that is no
 * larger than it. */
static void
rewrite_overrun(const struct test_packet *p, const struct test_flow *tf)
{
    struct virtnet_flow_actions compiled;

    assert(!virtnet_flow_compile(tf->actions.data, tf->actions.size,
                                 port_to_dev, NULL, &compiled));
    for (size_t i = 0; i < compiled.n; i++) {
        if (compiled.actions[i].type == VIRTNET_FLOW_SET_ND) {
            struct soft_frame frame = p->offsets;

            frame.data = xmemdup(p->data, p->size);
            frame.size = frame.linear = p->size;
            soft_action_rewrite(&compiled.actions[i], &frame);
            free(frame.data);
        }
    }
}

static struct test_flow *
find_flow(struct test_flow flows[], size_t n, const struct flow *flow)
{
    if (!is_unsupported(flow)) {
        for (size_t i = 0; i < n; i++) {
            if (matches(&flows[i].match, flow)) {
                return &flows[i];
            }
        }
    }
    return NULL;
}

static void
check_stats(const struct test_flow *tf, odp_port_t in)
{
    struct virtnet_flow_stats stats;

    if (soft_flow_class.get(&devices[in]->up, &tf->ufid, &stats)) {
        fail("a flow is gone");
    }
    if (stats.n_packets != tf->n_packets || stats.n_bytes != tf->n_bytes
        || tf->tcp_flags != stats.tcp_flags
        || (!stats.used != !tf->n_packets)) {
        fail("flow has %"PRIu64" packets, %"PRIu64" bytes, flags %x instead "
             "of %"PRIu64", %"PRIu64", %x", stats.n_packets, stats.n_bytes,
             stats.tcp_flags, tf->n_packets, tf->n_bytes, tf->tcp_flags);
    }
}

static void
test_round(uint32_t seed, uint32_t round)
{
    static struct test_packet packets[N_PACKETS];
    struct test_flow flows[MAX_FLOWS];
    odp_port_t in = 1 + round % (N_PORTS + N_OTHERS);
    size_t n_flows = 0;

    cur_seed = seed;
    cur_round = round;
    random_set_seed(hash_2words(seed, round) | 1);
    flow_limit_vlans(rnd(3));

    for (size_t i = 0; i < N_PACKETS; i++) {
        struct test_packet *p = &packets[i];

        p->size = random_packet(p->data);
        test_key(p->data, p->size);
        test_twins(p->data, p->size, p->size);
        test_twins(p->data, p->size, rnd(p->size + 1));
        extract_reference(p->data, p->size, in, &p->flow, &p->offsets);
        p->nd_overrun = nd_overruns(p);
    }
    for (size_t i = 0; i < MAX_FLOWS; i++) {
        const struct test_packet *p = &packets[rnd(N_PACKETS)];
        struct test_flow *tf = &flows[n_flows];
        bool overlaps = is_unsupported(&p->flow);

        random_flow(p, in, tf);
        for (size_t j = 0; j < N_PACKETS && !overlaps; j++) {
            overlaps = (matches(&tf->match, &packets[j].flow)
                        && find_flow(flows, n_flows, &packets[j].flow));
        }
        if (overlaps) {
            ofpbuf_uninit(&tf->actions);
        } else {
            put_flow(tf, in);
            n_flows++;
        }
    }

    for (int i = 0; i < 12; i++) {
        const struct test_packet *burst[NETDEV_MAX_BURST];
        struct test_flow *matched[NETDEV_MAX_BURST];
        size_t n = 1 + rnd(NETDEV_MAX_BURST);

        for (size_t j = 0, tries = 0; j < n; j++, tries++) {
            if (tries > 10 * NETDEV_MAX_BURST) {
                n = j;
                break;
            }
            burst[j] = (j && one_in(3) ? burst[j - 1]
                        : &packets[rnd(N_PACKETS)]);
            matched[j] = find_flow(flows, n_flows, &burst[j]->flow);
            if (matched[j] && matched[j]->sets_nd && burst[j]->nd_overrun) {
                rewrite_overrun(burst[j], matched[j]);
                j--;
            }
        }
        if (one_in(2)) {
            run_batch(burst, matched, n, in);
        } else {
            run_frames(burst, matched, n, in);
        }

        if (n_flows && one_in(3)) {
            struct test_flow *tf = &flows[rnd(n_flows)];

            if (one_in(2)) {
                /* Other actions, for the same packets. */
                struct test_flow other;
                size_t j = 0;

                while (!matches(&tf->match, &packets[j].flow)) {
                    j++;
                }
                random_flow(&packets[j], in, &other);
                ofpbuf_uninit(&tf->actions);
                tf->actions = other.actions;
                tf->sets_l3 = other.sets_l3;
                tf->sets_nd = other.sets_nd;
                put_flow(tf, in);
            } else {
                struct virtnet_flow_stats stats;

                if (soft_flow_class.del(&devices[in]->up, &tf->ufid, &stats)
                    || stats.n_packets != tf->n_packets) {
                    fail("cannot delete a flow");
                }
                ofpbuf_uninit(&tf->actions);
                *tf = flows[--n_flows];
            }
        }
        ovsrcu_quiesce();
    }

    assert(soft_flow_class.count(&devices[in]->up) == n_flows);
    for (size_t i = 0; i < n_flows; i++) {
        check_stats(&flows[i], in);
        ofpbuf_uninit(&flows[i].actions);
    }
    if (one_in(2)) {
        soft_flow_class.flush(&devices[in]->up);
    } else {
        soft_flow_class.port_detach(&devices[in]->up);
        soft_flow_class.port_attach(&devices[in]->up);
    }
    assert(!soft_flow_class.count(NULL));
}

/* Packet threads look up and count while flows come and go. */

#define N_READERS 2
#define N_KEYS 4096
#define N_STABLE 64             /* Of those, flows that stay. */
#define N_CHANGES 200000

static atomic_bool readers_stop;

struct reader {
    pthread_t thread;
    uint64_t n_found;
    uint64_t n_stable[N_STABLE];
};

static void
make_header(uint8_t *data, uint32_t i)
{
    struct eth_header *eth = (void *) data;
    struct ip_header *ip = (void *) (eth + 1);

    memset(data, 0, ETH_HEADER_LEN + IP_HEADER_LEN);
    eth->eth_type = htons(ETH_TYPE_IP);
    ip->ip_ihl_ver = IP_IHL_VER(5, 4);
    ip->ip_tot_len = htons(IP_HEADER_LEN);
    put_16aligned_be32(&ip->ip_dst, htonl(i));
}

/* Puts flow 'i', which leads to a port that depends on 'i' only. */
static void
put_numbered_flow(uint32_t i)
{
    struct virtnet_flow_actions actions = {
        .n = 1,
        .actions[0] = {
            .type = VIRTNET_FLOW_OUTPUT,
            .dev = &devices[1 + i % 3]->up,
        },
    };
    ovs_u128 ufid = { .u32 = { i } };
    enum virtnet_flow_reason reason;
    struct match match;

    memset(&match, 0, sizeof match);
    match.flow.dl_type = htons(ETH_TYPE_IP);
    match.wc.masks.dl_type = OVS_BE16_MAX;
    match.flow.nw_dst = htonl(i);
    match.wc.masks.nw_dst = OVS_BE32_MAX;
    if (i & 1) {
        match.wc.masks.nw_ttl = 0xff;
    }
    assert(!soft_flow_class.put(&devices[4]->up, &ufid, &match, &actions,
                                NULL, &reason));
}

static void *
reader_main(void *reader_)
{
    uint8_t headers[NETDEV_MAX_BURST][ETH_HEADER_LEN + IP_HEADER_LEN];
    const struct soft_actions *actions[NETDEV_MAX_BURST];
    struct soft_flow *flows[NETDEV_MAX_BURST];
    struct soft_frame frames[NETDEV_MAX_BURST];
    uint32_t sizes[NETDEV_MAX_BURST];
    uint32_t keys[NETDEV_MAX_BURST];
    struct reader *reader = reader_;
    bool stop;

    do {
        for (size_t i = 0; i < NETDEV_MAX_BURST; i++) {
            keys[i] = one_in(2) ? rnd(2) : rnd(one_in(4) ? N_STABLE : N_KEYS);
            make_header(headers[i], keys[i]);
            sizes[i] = sizeof headers[i];
            frames[i] = (struct soft_frame) {
                .data = headers[i],
                .linear = sizes[i],
                .size = sizes[i],
            };
        }
        soft_eswitch_find(devices[4]->rep.eswitch_port, frames,
                          NETDEV_MAX_BURST, 0, flows, actions);
        soft_eswitch_count(devices[4]->rep.eswitch_port, flows, sizes,
                           NETDEV_MAX_BURST);
        for (size_t i = 0; i < NETDEV_MAX_BURST; i++) {
            if (actions[i]) {
                assert(actions[i]->actions[0].dev
                       == &devices[1 + keys[i] % 3]->up);
                reader->n_found++;
            }
            if (keys[i] < N_STABLE) {
                assert(actions[i]);
                reader->n_stable[keys[i]]++;
            }
        }
        ovsrcu_quiesce();
        atomic_read(&readers_stop, &stop);
    } while (!stop);
    return NULL;
}

static void
test_threads(void)
{
    static bool present[N_KEYS];
    struct reader readers[N_READERS];
    uint64_t total = 0;

    random_set_seed(1);
    for (uint32_t i = 0; i < N_STABLE; i++) {
        put_numbered_flow(i);
    }
    atomic_init(&readers_stop, false);
    memset(readers, 0, sizeof readers);
    for (size_t i = 0; i < N_READERS; i++) {
        readers[i].thread = ovs_thread_create("reader", reader_main,
                                              &readers[i]);
    }
    for (uint32_t n = 0; n < N_CHANGES; n++) {
        uint32_t i = N_STABLE + rnd(N_KEYS - N_STABLE);
        ovs_u128 ufid = { .u32 = { i } };

        if (!present[i]) {
            put_numbered_flow(i);
        } else {
            assert(!soft_flow_class.del(&devices[4]->up, &ufid, NULL));
        }
        present[i] = !present[i];
        if (!(n % 1000)) {
            /* Put again what is there already. */
            put_numbered_flow(rnd(N_STABLE));
            ovsrcu_quiesce();
        }
    }
    atomic_store(&readers_stop, true);
    for (size_t i = 0; i < N_READERS; i++) {
        xpthread_join(readers[i].thread, NULL);
        total += readers[i].n_found;
        assert(readers[i].n_found);
    }
    for (uint32_t i = 0; i < N_STABLE; i++) {
        ovs_u128 ufid = { .u32 = { i } };
        struct virtnet_flow_stats stats;
        uint64_t n = 0;

        for (size_t j = 0; j < N_READERS; j++) {
            n += readers[j].n_stable[i];
        }
        assert(!soft_flow_class.get(&devices[4]->up, &ufid, &stats));
        assert(stats.n_packets == n);
        assert(stats.n_bytes == n * (ETH_HEADER_LEN + IP_HEADER_LEN));
    }
    soft_flow_class.flush(NULL);
    printf("%"PRIu64" packets found flows among %d changes\n", total,
           N_CHANGES);
}

/* A port that is gone: what led there is not in force, but still counts. */
static void
test_ports(void)
{
    struct virtnet_flow_actions none = { .n = 0 };
    ovs_u128 ufid = { .u32 = { 3 } };
    enum virtnet_flow_reason reason;
    struct virtnet_flow_stats stats;
    struct match match;

    put_numbered_flow(3);
    assert(!soft_flow_class.get(&devices[4]->up, &ufid, &stats));
    assert(stats.in_force);

    soft_flow_class.port_detach(&devices[1]->up);
    assert(!soft_flow_class.get(&devices[4]->up, &ufid, &stats));
    assert(!stats.in_force);
    assert(soft_flow_class.count(&devices[4]->up) == 1);

    /* No flow may lead there, or come from there. */
    memset(&match, 0, sizeof match);
    ufid.u32[0] = 99;
    none.n = 1;
    none.actions[0].type = VIRTNET_FLOW_OUTPUT;
    none.actions[0].dev = &devices[1]->up;
    assert(soft_flow_class.put(&devices[4]->up, &ufid, &match, &none, NULL,
                               &reason) == EOPNOTSUPP);
    assert(reason == VIRTNET_FLOW_OUTPUT_NONE);
    none.n = 0;
    assert(soft_flow_class.put(&devices[1]->up, &ufid, &match, &none, NULL,
                               &reason) == ENODEV);
    assert(reason == VIRTNET_FLOW_NOT_ATTACHED);

    /* A flow that becomes impossible is kept, for its counters. */
    soft_flow_class.port_attach(&devices[1]->up);
    put_numbered_flow(3);
    ufid.u32[0] = 3;
    reason = VIRTNET_FLOW_ACTION_METER;
    assert(!soft_flow_class.put(&devices[4]->up, &ufid, &match, NULL, &stats,
                                &reason));
    assert(!stats.in_force && reason == VIRTNET_FLOW_ACTION_METER);
    soft_flow_class.port_detach(&devices[4]->up);
    soft_flow_class.port_attach(&devices[4]->up);
    assert(!soft_flow_class.count(NULL));
}

static void
run_corpus(const char *name)
{
    FILE *file = fopen(name, "r");
    char line[128];

    if (!file) {
        ovs_fatal(errno, "%s", name);
    }
    while (fgets(line, sizeof line, file)) {
        uint32_t seed, round;

        if (line[0] != '#' && sscanf(line, "%"SCNu32" %"SCNu32, &seed,
                                     &round) == 2) {
            test_round(seed, round);
        }
    }
    fclose(file);
}

/* Metadata, which no packet of a guest has: a match that asks for none is no
 * match at all, and one that asks for some cannot be offloaded. */
static void
test_metadata(void)
{
    static const struct {
        size_t ofs, size;
        enum virtnet_flow_reason reason;
    } fields[] = {
#define F(FIELD, REASON)                                                \
        { offsetof(struct flow, FIELD),                                 \
          sizeof ((struct flow *) NULL)->FIELD, VIRTNET_FLOW_MATCH_##REASON }
        F(recirc_id, RECIRC),
        F(tunnel.tun_id, TUNNEL),
        F(tunnel.ip_src, TUNNEL),
        F(tunnel.ip_dst, TUNNEL),
        F(tunnel.ipv6_src, TUNNEL),
        F(tunnel.ipv6_dst, TUNNEL),
        F(tunnel.flags, TUNNEL),
        F(tunnel.ip_tos, TUNNEL),
        F(tunnel.ip_ttl, TUNNEL),
        F(tunnel.tp_src, TUNNEL),
        F(tunnel.tp_dst, TUNNEL),
        F(tunnel.gbp_id, TUNNEL),
        F(tunnel.gbp_flags, TUNNEL),
        F(tunnel.metadata.present.map, TUNNEL),
        F(tunnel.metadata.opts, TUNNEL),
        F(ct_state, CT),
        F(ct_zone, CT),
        F(ct_mark, CT),
        F(ct_label, CT),
        F(ct_nw_proto, CT),
        F(ct_nw_src, CT),
        F(ct_nw_dst, CT),
        F(ct_ipv6_src, CT),
        F(ct_ipv6_dst, CT),
        F(ct_tp_src, CT),
        F(ct_tp_dst, CT),
        F(metadata, METADATA),
        F(regs, METADATA),
        F(skb_priority, METADATA),
        F(pkt_mark, METADATA),
        F(dp_hash, METADATA),
        F(packet_type, METADATA),
        F(conj_id, METADATA),
        F(actset_output, METADATA),
#undef F
    };
    struct soft_key key, mask;
    struct match all;

    memset(&all, 0, sizeof all);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        size_t ofs = fields[i].ofs, size = fields[i].size;

        memset((uint8_t *) &all.wc.masks + ofs, 0xff, size);
        for (size_t j = 0; j < size; j++) {
            uint8_t *value, *bits;
            struct match match;

            memset(&match, 0, sizeof match);
            value = (uint8_t *) &match.flow + ofs + j;
            bits = (uint8_t *) &match.wc.masks + ofs + j;
            *value = 0x10;
            assert(!soft_key_from_match(&match, &key, &mask));
            *bits = 0xef;
            assert(!soft_key_from_match(&match, &key, &mask));
            *bits = 0x10;
            assert(soft_key_from_match(&match, &key, &mask)
                   == fields[i].reason);
        }
    }

    /* All at once, and beside a field that packets do have. */
    all.flow.dl_type = htons(ETH_TYPE_IP);
    all.wc.masks.dl_type = OVS_BE16_MAX;
    assert(!soft_key_from_match(&all, &key, &mask));
    assert(key.dl_type == htons(ETH_TYPE_IP));
    assert(mask.dl_type == OVS_BE16_MAX);
    mask.dl_type = htons(0);
    assert(is_all_zeros(&mask, sizeof mask));
}

int
main(int argc, char *argv[])
{
    uint32_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
    uint32_t rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;

    set_program_name(argv[0]);
#if VIRTNET_OVS_VERSION < 40000
    odp_execute_init();
#endif
    for (size_t i = 1; i <= N_PORTS; i++) {
        struct soft_device *sd = xzalloc_cacheline(sizeof *sd);

        sd->rep.eswitch_port = soft_port_create(&sd->up);
        soft_flow_class.port_attach(&sd->up);
        devices[i] = sd;
    }
    for (size_t i = N_PORTS + 1; i <= N_PORTS + N_OTHERS; i++) {
        devices[i] = soft_device_cast(soft_flow_class.uplink_create("uplink"));
    }

    if (argc > 2 && !strcmp(argv[1], "--corpus")) {
        run_corpus(argv[2]);
    } else {
        test_metadata();
        test_ports();
        test_threads();
        for (uint32_t i = 0; i < rounds; i++) {
            test_round(seed, i);
        }
        assert(n_twins || !rounds);
    }
    for (size_t i = N_PORTS + 1; i <= N_PORTS + N_OTHERS; i++) {
        soft_flow_class.uplink_destroy(&devices[i]->up);
    }
    printf("%"PRIu64" packets forwarded, %"PRIu64" passed up, %"PRIu64
           " came out\n", n_hits, n_misses, n_outputs);
    return 0;
}
