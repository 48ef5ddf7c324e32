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

#ifndef SOFT_ESWITCH_KEY_H
#define SOFT_ESWITCH_KEY_H 1

/* What the software eSwitch looks at in a packet.
 *
 * A key has a fixed place for each field, in 64-bit words, with zero for
 * whatever a packet does not have.  Fields mean exactly what those of the same
 * name in "struct flow" do, for a packet that a guest has sent: this is the
 * fast equivalent of miniflow_extract(), and must find the same.  Fields that
 * are not here are zero in all packets from guests (state of connections,
 * registers, tunnels), or nothing that the eSwitch matches (MPLS, NSH).  The
 * input port is not here because each port has tables of its own.
 *
 * Keys know nothing of struct dp_packet: a frame is bytes and lengths, and it
 * need not be all there.
 *
 * Threads: any; there is no state. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "byte-order.h"
#include "flow.h"
#include "openvswitch/types.h"
#include "packets.h"
#include "unaligned.h"
#include "util.h"
#include "virtnet-flow-provider.h"

struct match;

#define SOFT_NO_OFS UINT16_MAX

/* A packet.  The first 'linear' of its 'size' bytes are at 'data'.  Bytes
 * before 'data' may be overwritten if 'headroom' says so. */
struct soft_frame {
    uint8_t *data;
    uint32_t linear;
    uint32_t size;
    uint32_t headroom;

    /* Set by soft_key_extract(), as dp_packet has them. */
    uint16_t l3_ofs;            /* Network header, or SOFT_NO_OFS. */
    uint16_t l4_ofs;            /* Transport header, or SOFT_NO_OFS. */
    uint16_t l2_pad_size;       /* Bytes after the IP packet. */
    bool cut;                   /* Headers go on behind what is there. */
};

#define SOFT_KEY_WORDS 14

struct soft_key {
    union {
        uint64_t words[SOFT_KEY_WORDS];
        struct {
            struct eth_addr dl_dst;     /* 0. */
            ovs_be16 dl_type;
            struct eth_addr dl_src;     /* 1. */
            uint8_t nw_frag;
            uint8_t nw_proto;
            union flow_vlan_hdr vlans[FLOW_MAX_VLAN_HEADERS]; /* 2. */
            ovs_be16 tp_src;            /* 3. */
            ovs_be16 tp_dst;
            ovs_be16 tcp_flags;
            uint8_t nw_tos;
            uint8_t nw_ttl;
            ovs_be32 nw_src;            /* 4. */
            ovs_be32 nw_dst;
            struct in6_addr ipv6_src;   /* 5, 6. */
            struct in6_addr ipv6_dst;   /* 7, 8. */
            ovs_be32 ipv6_label;        /* 9. */
            ovs_be32 igmp_group_ip4;
            struct in6_addr nd_target;  /* 10, 11. */
            struct eth_addr arp_sha;    /* 12. */
            uint8_t pad1[2];
            struct eth_addr arp_tha;    /* 13. */
            uint8_t pad2[2];
        };
    };
};
BUILD_ASSERT_DECL(sizeof(struct soft_key) == SOFT_KEY_WORDS * 8);
BUILD_ASSERT_DECL(FLOW_MAX_VLAN_HEADERS == 2);

/* Fills in '*key', and the offsets of 'frame'.  Returns the number of words at
 * the start of '*key' that may be nonzero; or 0 if the frame is too short for
 * Ethernet, or, with 'cut' set, if its headers do not lie in the part that is
 * there. */
unsigned int soft_key_extract(struct soft_frame *frame, struct soft_key *key);

/* Twins.  Of most packets the key comes from a few bytes at fixed places, and
 * most packets are like the one before. */
enum soft_kind {
    SOFT_KIND_OTHER,            /* Has no twins. */
    SOFT_KIND_IPV4,             /* UDP without tags, options, fragments. */
    SOFT_KIND_IPV4_TCP,
    SOFT_KIND_IPV6,             /* Nor extension headers. */
    SOFT_KIND_IPV6_TCP,
};

/* What 'frame' is, of which 'key' has been extracted. */
static inline enum soft_kind
soft_frame_kind(const struct soft_frame *frame, const struct soft_key *key)
{
    bool tcp = key->nw_proto == IPPROTO_TCP;

    if (OVS_UNLIKELY(frame->l3_ofs != ETH_HEADER_LEN || key->nw_frag
                     || (!tcp && key->nw_proto != IPPROTO_UDP))) {
        return SOFT_KIND_OTHER;
    } else if (OVS_LIKELY(key->dl_type == htons(ETH_TYPE_IP)
                          && frame->l4_ofs == ETH_HEADER_LEN + IP_HEADER_LEN
                          && frame->linear >= 48)) {
        return tcp ? SOFT_KIND_IPV4_TCP : SOFT_KIND_IPV4;
    } else if (key->dl_type == htons(ETH_TYPE_IPV6)
               && frame->l4_ofs == ETH_HEADER_LEN + IPV6_HEADER_LEN
               && frame->linear >= 72) {
        return tcp ? SOFT_KIND_IPV6_TCP : SOFT_KIND_IPV6;
    }
    return SOFT_KIND_OTHER;
}

/* Would soft_key_extract() find the same key and offsets for 'b' as for 'a',
 * which is of 'kind'?  If in doubt, no.  Bytes that differ between packets of
 * a flow, and do not matter, are left out: identification and checksum of
 * IPv4, sequence and acknowledgment numbers, length and checksum of UDP. */
static inline bool
soft_frame_is_twin(const struct soft_frame *a, enum soft_kind kind,
                   const struct soft_frame *b)
{
    uint64_t diff = 0;

    if (kind == SOFT_KIND_OTHER
        || a->size != b->size || a->linear != b->linear) {
        return false;
    }
/* Do the 8 bytes at 'OFS' differ in bits that are 1 in MASK, first byte
 * first? */
#define DIFF(OFS, MASK)                                                     \
    diff |= (get_unaligned_u64(ALIGNED_CAST(const uint64_t *,               \
                                            a->data + (OFS)))               \
             ^ get_unaligned_u64(ALIGNED_CAST(const uint64_t *,             \
                                              b->data + (OFS))))            \
            & (OVS_FORCE uint64_t) htonll(UINT64_C(MASK))
    DIFF(0, 0xffffffffffffffff);
    DIFF(8, 0xffffffffffffffff);
    if (OVS_LIKELY(kind <= SOFT_KIND_IPV4_TCP)) {
        DIFF(16, 0xffff0000ffffffff);
        DIFF(24, 0x0000ffffffffffff);
        DIFF(32, 0xffffffffffff0000);
        if (kind == SOFT_KIND_IPV4_TCP) {
            DIFF(40, 0x000000000000ffff);
        }
    } else {
        for (size_t ofs = 16; ofs < 56; ofs += 8) {
            DIFF(ofs, 0xffffffffffffffff);
        }
        DIFF(56, 0xffff000000000000);
        if (kind == SOFT_KIND_IPV6_TCP) {
            DIFF(64, 0x0000ffff00000000);
        }
    }
#undef DIFF
    return !diff;
}

/* Hashing.  The hash of a key is the sum of those of its words.  It is made to
 * be fast, and the factors are odd, random and secret, because a guest that
 * knew them could have all its flows fall together. */
extern uint64_t soft_key_factors[SOFT_KEY_WORDS];

static inline uint64_t
soft_key_hash_word(uint64_t word, size_t i)
{
    return (word ^ word >> 32) * soft_key_factors[i];
}

/* Chooses the factors, the first time that it is called.  Main thread, before
 * there is any key. */
void soft_key_init(void);

/* Stores in '*key' and '*mask' what 'match' asks of packets from a guest.
 * Returns VIRTNET_FLOW_NONE, or why it cannot be expressed.  Bits of '*key'
 * outside of '*mask' are zero. */
enum virtnet_flow_reason soft_key_from_match(const struct match *match,
                                             struct soft_key *key,
                                             struct soft_key *mask);

/* Stores in '*match' the match that 'key' and 'mask' came from, as far as they
 * tell, with input port 'in_port'. */
void soft_key_to_match(const struct soft_key *key, const struct soft_key *mask,
                       odp_port_t in_port, struct match *match);

#endif /* soft-eswitch-key.h */
