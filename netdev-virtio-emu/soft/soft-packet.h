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

#ifndef SOFT_PACKET_H
#define SOFT_PACKET_H 1

/* What packets carry besides their bytes: the state of checksums and requests
 * for segmentation, between the virtio-net header and struct dp_packet.
 *
 * This is where versions of Open vSwitch differ most.  In 3.1 and 3.5 a
 * dp_packet carries requests in the transmit flags of the mbuf, which
 * librte_vhost sets in its older ("legacy") mode.  In 4.0 a dp_packet has
 * flags of its own, which are made from the receive flags that librte_vhost
 * sets in its "compliant" mode, and made into transmit flags at the end.
 *
 * Threads: any, for packets that the caller owns. */

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dp-packet.h"
#include "openvswitch/compiler.h"
#include "packets.h"
#include "virtq.h"

struct dp_packet_batch;
struct rte_mempool;
struct soft_frame;

/* All flags of mbufs to be sent: requests and what goes with them. */
#define SOFT_TX_FLAGS (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK        \
                       | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG       \
                       | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6             \
                       | RTE_MBUF_F_TX_OUTER_IP_CKSUM                        \
                       | RTE_MBUF_F_TX_OUTER_UDP_CKSUM                       \
                       | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6 \
                       | RTE_MBUF_F_TX_TUNNEL_MASK)

/* Flags for rte_vhost_driver_register() that this version needs. */
uint64_t soft_packet_vhost_flags(void);

/* Offload features of VIRTIO that the switch can take at present. */
uint64_t soft_packet_features(void);

/* Returns how long a frame may be at most for soft_packet_load() to copy it
 * into an mbuf of 'mp'. */
uint32_t soft_packet_max_len(struct rte_mempool *mp);

/* Does the header of 'frame' ask for anything? */
static inline bool
soft_packet_frame_asks(const struct virtq_frame *frame)
{
    return (frame->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM
            || frame->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE);
}

/* Copies 'frame' into 'mbuf', which is fresh from its pool, with the requests
 * of its header if 'requests'.  If 'head' is nonnull, the start of the frame,
 * unchanged, is taken from there.  Returns false if it is empty, does not fit,
 * or its requests contradict its contents. */
bool soft_packet_load__(struct rte_mbuf *mbuf, const struct virtq_frame *frame,
                        const struct soft_frame *head, bool requests);
static inline bool
soft_packet_load(struct rte_mbuf *mbuf, const struct virtq_frame *frame,
                 const struct soft_frame *head, bool requests)
{
    if (OVS_LIKELY(!head) && OVS_LIKELY(frame->n_segs == 1)
        && OVS_LIKELY(frame->len <= rte_pktmbuf_tailroom(mbuf))
        && OVS_LIKELY(!requests || !soft_packet_frame_asks(frame))) {
        memcpy(rte_pktmbuf_mtod(mbuf, void *), frame->segs[0].data,
               frame->len);
        mbuf->data_len = frame->len;
        mbuf->pkt_len = frame->len;
        return true;
    }
    return soft_packet_load__(mbuf, frame, head, requests);
}

/* Fills in what the datapath expects of the 'n' packets of 'batch' that
 * soft_packet_load() has made in its array.  Packets whose offload requests
 * contradict their contents are freed.  Sets the batch's count, and returns
 * the bytes of its packets. */
uint64_t soft_packet_receive(struct dp_packet_batch *batch, size_t n);

/* The same for as many packets as '*map' has bits, of which those that stand
 * for packets that are freed are taken out. */
uint64_t soft_packet_receive_map(struct dp_packet_batch *batch,
                                 uint32_t *map);

/* Why packets were dropped. */
struct soft_packet_drops {
    uint32_t too_big;           /* Longer than the MTU allows. */
    uint32_t no_memory;         /* Not in DPDK's memory, and not copied. */
    uint32_t invalid;           /* Offload request makes no sense. */
};

/* Is 'packet', from soft_packet_receive(), still to be cut into datagrams of
 * UDP?  The datapath does not know such packets: see soft-uso.h. */
static inline bool
soft_packet_is_uso(const struct dp_packet *packet)
{
    return packet->mbuf.ol_flags & RTE_MBUF_F_TX_UDP_SEG;
}

/* Returns a buffer of 'mp' for a packet of 'size' bytes, or NULL if there is
 * no memory. */
struct rte_mbuf *soft_packet_alloc(struct rte_mempool *mp, size_t size);

/* Makes of 'mbuf', which has the bytes of a UDP datagram, a packet as
 * soft_packet_receive() does, with the request to complete the checksum of the
 * UDP header at 'l4_ofs', unless that is better done at once.  Returns false
 * if there is no such header. */
bool soft_packet_ask_csum(struct rte_mbuf *mbuf, size_t l4_ofs);

/* Bounds for soft_packet_prepare(). */
struct soft_packet_limits {
    uint32_t mtu;               /* Bytes of payload. */
    bool guest_csum;            /* Can the guest complete checksums? */
    bool guest_tso4;            /* Can it take TCP segments of any size? */
    bool guest_tso6;
};

/* Makes the packets of 'batch' ready for a virtqueue: copies
 * those that are not mbufs into some of 'mp', drops those that exceed 'limits'
 * and counts them in '*drops', and translates offload requests.  The result is
 * an array of mbufs in the batch, whose number is returned; '*bytes' is set to
 * the sum of their lengths. */
size_t soft_packet_prepare(struct dp_packet_batch *batch,
                           struct rte_mempool *mp,
                           const struct soft_packet_limits *limits,
                           struct soft_packet_drops *drops, uint64_t *bytes);

/* Has 'packet', fresh from a netdev of any type, requests? */
bool soft_packet_has_requests(const struct dp_packet *packet);

/* Returns a copy of 'packet', with its requests and the offsets of its
 * headers, in a buffer of 'mp'; or NULL if there is none. */
struct dp_packet *soft_packet_copy(const struct dp_packet *packet,
                                   struct rte_mempool *mp);

/* Is a frame of 'size' bytes, the first of which are at 'data', within 'mtu'?
 * VLAN tags do not count. */
bool soft_packet_fits__(const uint8_t *data, size_t size, uint32_t mtu);
static inline bool
soft_packet_fits(const uint8_t *data, size_t size, uint32_t mtu)
{
    return (OVS_LIKELY(size <= mtu + ETH_HEADER_LEN)
            || soft_packet_fits__(data, size, mtu));
}

/* Frames that go from guest to guest without being a packet of Open vSwitch.
 *
 * Can what 'hdr' asks for 'frame', which soft_key_extract() has seen, be
 * passed on to the driver of another device as it is, if that understands it?
 * Stores in '*need' what it must understand (SOFT_GUEST_*), and in the frame
 * the checksum of the pseudo header, and that of IPv4 if it is to be cut into
 * segments. */
bool soft_packet_can_pass(const struct virtq_hdr *hdr,
                          struct soft_frame *frame, uint8_t *need);

/* Tells in 'out', which must be all zeros, what 'in' asks for 'frame', which
 * may have been rewritten since soft_packet_can_pass().  Returns false if it
 * cannot be cut into segments, or is not to be cut into datagrams, within
 * 'mtu'. */
bool soft_packet_pass_header(const struct virtq_hdr *in,
                             const struct soft_frame *frame, uint32_t mtu,
                             struct virtq_hdr *out);

/* Tells in 'hdr', which must be all zeros, what 'mbuf', which is out of
 * soft_packet_prepare(), asks of the driver.  May change the checksum of an
 * IPv4 header. */
void soft_packet_store_header__(struct rte_mbuf *mbuf, struct virtq_hdr *hdr);
static inline void
soft_packet_store_header(struct rte_mbuf *mbuf, struct virtq_hdr *hdr)
{
    if (OVS_UNLIKELY(mbuf->ol_flags & SOFT_TX_FLAGS)) {
        soft_packet_store_header__(mbuf, hdr);
    }
}

#endif /* soft-packet.h */
