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

#include "guest-frame.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define GUEST_MAGIC 0x764e6574          /* "vNet". */
#define GUEST_FLAG_PROBE 0x01
#define GUEST_SRC_NET 0x0a010000        /* 10.1.SENDER.QUEUE */
#define GUEST_DST_NET 0x0a020000        /* 10.2.SENDER.QUEUE */
#define GUEST_DST_PORT 9                /* "discard". */
#define GUEST_SRC_PORT 1024

/* Follows the UDP header.  All big endian. */
struct guest_header {
    uint32_t magic;             /* GUEST_MAGIC. */
    uint32_t seq;               /* Number on this queue. */
    uint16_t len;               /* Length of the frame. */
    uint8_t sender;             /* Sender's number. */
    uint8_t queue;              /* Queue. */
    uint8_t flags;              /* GUEST_FLAG_*. */
    uint8_t pad;                /* 0. */
    uint16_t check;             /* Internet checksum of all the above. */
} __attribute__((packed));

/* Returns what the payload of 'f' is made from. */
static uint32_t
payload_key(const struct guest_frame *f)
{
    uint32_t key = f->sender * 0x9e3779b1u + f->queue * 0x85ebca6bu;

    return f->tcp ? key : key + f->seq * 0xc2b2ae35u;
}

/* Returns the byte at position 'pos' of a payload. */
static inline uint8_t
payload_byte(uint32_t key, uint32_t pos)
{
    uint32_t x = key + pos * 0x27d4eb2fu;

    return (x ^ (x >> 15)) >> 8;
}

static void
payload_fill(const struct guest_frame *f, uint32_t pos, uint8_t *p, size_t n)
{
    uint32_t key = payload_key(f);

    for (size_t i = 0; i < n; i++) {
        p[i] = payload_byte(key, pos + i);
    }
}

static bool
payload_is_right(const struct guest_frame *f, uint32_t pos, const uint8_t *p,
                 size_t n)
{
    uint32_t key = payload_key(f);

    for (size_t i = 0; i < n; i++) {
        if (p[i] != payload_byte(key, pos + i)) {
            return false;
        }
    }
    return true;
}

static uint16_t
header_check(const struct guest_header *h)
{
    return ~rte_raw_cksum(h, offsetof(struct guest_header, check));
}

/* Writes frame 'f' to 'buf', which has room for 'f->len' bytes: at least
 * GUEST_FRAME_MIN, or GUEST_TCP_HEADERS for TCP, and at most
 * GUEST_FRAME_MAX. */
void
guest_frame_build(const struct guest_frame *f, enum guest_csum csum,
                  uint8_t *buf)
{
    struct rte_ether_hdr *eth = (struct rte_ether_hdr *) buf;
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *) (eth + 1);
    uint8_t *l4 = (uint8_t *) (ip + 1);
    uint64_t ol_flags = csum == GUEST_CSUM_TSO ? RTE_MBUF_F_TX_TCP_SEG : 0;
    uint16_t sum;

    eth->dst_addr = f->dst;
    eth->src_addr = f->src;
    eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);

    memset(ip, 0, sizeof *ip);
    ip->version_ihl = RTE_IPV4_VHL_DEF;
    ip->total_length = rte_cpu_to_be_16(f->len - GUEST_ETH_LEN);
    ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
    ip->time_to_live = 64;
    ip->next_proto_id = f->tcp ? IPPROTO_TCP : IPPROTO_UDP;
    ip->src_addr = rte_cpu_to_be_32(GUEST_SRC_NET | f->sender << 8 | f->queue);
    ip->dst_addr = rte_cpu_to_be_32(GUEST_DST_NET | f->sender << 8 | f->queue);
    ip->hdr_checksum = rte_ipv4_cksum(ip);

    if (f->tcp) {
        struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *) l4;

        memset(tcp, 0, sizeof *tcp);
        tcp->src_port = rte_cpu_to_be_16(GUEST_SRC_PORT);
        tcp->dst_port = rte_cpu_to_be_16(GUEST_DST_PORT);
        tcp->sent_seq = rte_cpu_to_be_32(f->seq);
        tcp->data_off = sizeof *tcp / 4 << 4;
        tcp->tcp_flags = RTE_TCP_ACK_FLAG;
        tcp->rx_win = rte_cpu_to_be_16(65535);
        payload_fill(f, f->seq, (uint8_t *) (tcp + 1),
                     f->len - GUEST_TCP_HEADERS);
    } else {
        struct rte_udp_hdr *udp = (struct rte_udp_hdr *) l4;
        struct guest_header *h = (struct guest_header *) (udp + 1);

        udp->src_port = rte_cpu_to_be_16(GUEST_SRC_PORT + f->flow);
        udp->dst_port = rte_cpu_to_be_16(GUEST_DST_PORT);
        udp->dgram_len = rte_cpu_to_be_16(f->len - GUEST_ETH_LEN
                                          - GUEST_IP_LEN);
        udp->dgram_cksum = 0;
        h->magic = rte_cpu_to_be_32(GUEST_MAGIC);
        h->seq = rte_cpu_to_be_32(f->seq);
        h->len = rte_cpu_to_be_16(f->len);
        h->sender = f->sender;
        h->queue = f->queue;
        h->flags = f->probe ? GUEST_FLAG_PROBE : 0;
        h->pad = 0;
        h->check = header_check(h);
        payload_fill(f, 0, (uint8_t *) (h + 1), f->len - GUEST_FRAME_MIN);
    }
    sum = (csum == GUEST_CSUM_FULL ? rte_ipv4_udptcp_cksum(ip, l4)
           : rte_ipv4_phdr_cksum(ip, ol_flags));
    if (f->tcp) {
        ((struct rte_tcp_hdr *) l4)->cksum = sum;
    } else {
        ((struct rte_udp_hdr *) l4)->dgram_cksum = sum;
    }
}

static enum guest_verdict
parse_udp(const uint8_t *l4, struct guest_frame *f)
{
    const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *) l4;
    const struct guest_header *h = (const struct guest_header *) (udp + 1);

    if (f->len < GUEST_FRAME_MIN
        || udp->dst_port != rte_cpu_to_be_16(GUEST_DST_PORT)) {
        return GUEST_FRAME_OTHER;
    }
    f->flow = rte_be_to_cpu_16(udp->src_port) - GUEST_SRC_PORT;
    f->seq = rte_be_to_cpu_32(h->seq);
    f->probe = h->flags & GUEST_FLAG_PROBE;
    return (rte_be_to_cpu_32(h->magic) == GUEST_MAGIC
            && h->check == header_check(h)
            && rte_be_to_cpu_16(h->len) == f->len
            && h->sender == f->sender && h->queue == f->queue
            && rte_be_to_cpu_16(udp->dgram_len) == (f->len - GUEST_ETH_LEN
                                                    - GUEST_IP_LEN)
            && payload_is_right(f, 0, (const uint8_t *) (h + 1),
                                f->len - GUEST_FRAME_MIN)
            ? GUEST_FRAME_OK : GUEST_FRAME_CORRUPT);
}

static enum guest_verdict
parse_tcp(const uint8_t *l4, struct guest_frame *f)
{
    const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *) l4;

    if (f->len < GUEST_TCP_HEADERS
        || tcp->dst_port != rte_cpu_to_be_16(GUEST_DST_PORT)
        || tcp->src_port != rte_cpu_to_be_16(GUEST_SRC_PORT)) {
        return GUEST_FRAME_OTHER;
    }
    f->seq = rte_be_to_cpu_32(tcp->sent_seq);
    return (tcp->data_off == sizeof *tcp / 4 << 4
            && payload_is_right(f, f->seq, (const uint8_t *) (tcp + 1),
                                f->len - GUEST_TCP_HEADERS)
            ? GUEST_FRAME_OK : GUEST_FRAME_CORRUPT);
}

/* Looks at the 'len' bytes at 'buf' and stores what they say into '*f'.
 * Verifies the L4 checksum too, if 'check_csum'. */
enum guest_verdict
guest_frame_parse(const uint8_t *buf, uint32_t len, bool check_csum,
                  struct guest_frame *f)
{
    const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *) buf;
    const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *) (eth + 1);
    const uint8_t *l4 = (const uint8_t *) (ip + 1);
    enum guest_verdict verdict;
    uint32_t src, total;

    memset(f, 0, sizeof *f);
    if (len < GUEST_TCP_HEADERS
        || eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)
        || ip->version_ihl != RTE_IPV4_VHL_DEF) {
        return GUEST_FRAME_OTHER;
    }
    src = rte_be_to_cpu_32(ip->src_addr);
    total = rte_be_to_cpu_16(ip->total_length);
    if ((src & 0xffff0000) != GUEST_SRC_NET
        || (ip->next_proto_id != IPPROTO_TCP
            && ip->next_proto_id != IPPROTO_UDP)) {
        return GUEST_FRAME_OTHER;
    }
    f->dst = eth->dst_addr;
    f->src = eth->src_addr;
    f->sender = src >> 8;
    f->queue = src;
    f->tcp = ip->next_proto_id == IPPROTO_TCP;
    f->len = len;

    verdict = f->tcp ? parse_tcp(l4, f) : parse_udp(l4, f);
    if (verdict != GUEST_FRAME_OK) {
        return verdict;
    }
    if (total != len - GUEST_ETH_LEN || f->queue >= GUEST_MAX_QUEUES
        || rte_raw_cksum(ip, sizeof *ip) != 0xffff) {
        return GUEST_FRAME_CORRUPT;
    }
    /* Over a packet that has its checksum, this gives zero, for which UDP
     * writes all ones. */
    return (check_csum
            && rte_ipv4_udptcp_cksum(ip, l4) != (f->tcp ? 0 : 0xffff)
            ? GUEST_FRAME_BAD_CSUM : GUEST_FRAME_OK);
}
