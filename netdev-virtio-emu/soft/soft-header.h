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

#ifndef SOFT_HEADER_H
#define SOFT_HEADER_H 1

/* Where the headers of a frame are, and their checksums.
 *
 * Security model: a frame is whatever a guest has made of it, but cannot be
 * changed any more.  What is outside of it is not touched. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packets.h"
#include "virtnet-compat.h"

struct virtq_hdr;

/* Does a dp_packet have offload flags of its own, apart from the mbuf's? */
#define HAVE_OWN_FLAGS (VIRTNET_OVS_VERSION >= 40000)

/* Does a dp_packet know about headers inside of tunnels? */
#define HAVE_INNER (VIRTNET_OVS_VERSION >= 30500)

/* Least TCP payload in a segment.  Linux never sends less in one, by default
 * (net.ipv4.tcp_min_snd_mss), and with less a guest could have the switch make
 * thousands of packets out of one. */
#define MIN_SEGMENT 48

/* An mbuf has 7 bits for the length of what precedes the headers, and 9 for
 * that of the first of them. */
#define MAX_L2_LEN 0x7f
#define MAX_L3_LEN 0x1ff

/* Where the headers of a packet are. */
struct soft_headers {
    const void *l3;             /* IPv4 or IPv6 header. */
    void *l4;                   /* Transport header. */
    size_t l4_size;             /* Bytes from there to the end, no padding. */
    uint8_t proto;              /* IPPROTO_*. */
    bool ipv4;                  /* Otherwise IPv6. */
    unsigned int n_tags;        /* VLAN tags. */
};

static inline size_t
soft_header_min_l4_size(uint8_t proto)
{
    return (proto == IPPROTO_TCP ? TCP_HEADER_LEN
            : proto == IPPROTO_UDP ? UDP_HEADER_LEN
            : proto == IPPROTO_SCTP ? SCTP_HEADER_LEN
            : SIZE_MAX);
}

/* Is 'size' bytes at 'l4' long enough for a transport header of 'proto'? */
static inline bool
soft_header_l4_is_complete(const void *l4, size_t size, uint8_t proto)
{
    if (size < soft_header_min_l4_size(proto)) {
        return false;
    }
    if (proto == IPPROTO_TCP) {
        const struct tcp_header *tcp = l4;
        size_t tcp_len = TCP_OFFSET(tcp->tcp_ctl) * 4;

        return tcp_len >= TCP_HEADER_LEN && tcp_len <= size;
    }
    return true;
}

/* Where the checksum is in a header of 'proto'. */
static inline size_t
soft_header_csum_offset(uint8_t proto)
{
    return (proto == IPPROTO_TCP ? offsetof(struct tcp_header, tcp_csum)
            : proto == IPPROTO_UDP ? offsetof(struct udp_header, udp_csum)
            : offsetof(struct sctp_header, sctp_csum));
}

/* Finds the headers of 'size' bytes of frame at 'data', as the datapath will
 * when it extracts the flow.  Returns false if there is no complete TCP, UDP
 * or SCTP header to be found. */
bool soft_header_parse(const void *data, size_t size, struct soft_headers *h);

/* Can the frame with headers 'h' be cut into datagrams as 'hdr' says? */
bool soft_header_can_be_cut(const struct soft_headers *h,
                            const struct virtq_hdr *hdr);

/* Stores in the transport header at 'h' what it has to have where the checksum
 * is still to be completed: VIRTIO 1.2, section 5.1.6.2. */
void soft_header_store_partial_csum(const struct soft_headers *h);

/* Completes the checksum of the transport header at 'h'. */
void soft_header_complete_csum(const struct soft_headers *h);

#endif /* soft-header.h */
