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

#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H 1

/* Frames that a test guest sends, and that it knows again.
 *
 * Each frame names its sender, the queue it left by and its number there, and
 * every byte of its payload follows from these, so a receiver can tell a lost,
 * doubled, reordered or damaged frame from a good one without having seen it
 * before.  Two kinds:
 *
 *   - UDP: one frame, one number.
 *
 *   - TCP: the payloads of one sender and queue are consecutive pieces of one
 *     endless stream, and the TCP sequence number is the position in it.  The
 *     stream may be cut up (TSO) or joined (LRO) on its way.
 *
 * The sender and the queue are in the IPv4 addresses, so every queue of every
 * sender is a flow of its own for a switch. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

#define GUEST_MAX_SENDERS 256
#define GUEST_MAX_QUEUES 64

#define GUEST_ETH_LEN 14
#define GUEST_IP_LEN 20
#define GUEST_UDP_LEN 8
#define GUEST_TCP_LEN 20
#define GUEST_TCP_HEADERS (GUEST_ETH_LEN + GUEST_IP_LEN + GUEST_TCP_LEN)

/* Least length of a UDP frame, Ethernet header included, checksum (FCS) not
 * included as nowhere here. */
#define GUEST_FRAME_MIN 58

/* Greatest length of a frame: a whole IPv4 packet. */
#define GUEST_FRAME_MAX (GUEST_ETH_LEN + 65535)

/* What a frame says of itself. */
struct guest_frame {
    struct rte_ether_addr src;  /* Sender's Ethernet address. */
    struct rte_ether_addr dst;  /* Receiver's Ethernet address. */
    uint8_t sender;             /* Sender's number. */
    uint8_t queue;              /* Transmit queue that it left by. */
    bool tcp;                   /* A piece of a stream, not a UDP frame. */
    bool probe;                 /* UDP: sent to see whether there is a way. */
    uint32_t seq;               /* UDP: number on this queue, from 0.
                                 * TCP: position in the stream. */
    uint16_t flow;              /* Added to the UDP source port. */
    uint32_t len;               /* Length of the frame. */
};

/* How a frame came by its L4 checksum. */
enum guest_csum {
    GUEST_CSUM_FULL,            /* Software: complete in the frame. */
    GUEST_CSUM_PARTIAL,         /* Device completes it: pseudo header only. */
    GUEST_CSUM_TSO,             /* The same, and without a length. */
};

/* What guest_frame_parse() found. */
enum guest_verdict {
    GUEST_FRAME_OK,             /* One of ours, every byte as sent. */
    GUEST_FRAME_OTHER,          /* Not one of ours. */
    GUEST_FRAME_CORRUPT,        /* One of ours, and damaged. */
    GUEST_FRAME_BAD_CSUM,       /* As sent, but for its L4 checksum. */
};

void guest_frame_build(const struct guest_frame *, enum guest_csum,
                       uint8_t *buf);
enum guest_verdict guest_frame_parse(const uint8_t *buf, uint32_t len,
                                     bool check_csum, struct guest_frame *);

#endif /* guest-frame.h */
