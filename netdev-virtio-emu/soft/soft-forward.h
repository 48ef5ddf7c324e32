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

#ifndef SOFT_FORWARD_H
#define SOFT_FORWARD_H 1

/* Frames of guests that the software eSwitch forwards: from guest to guest
 * they are copied once.
 *
 * Only the start of a frame, where its headers are, is copied into a buffer of
 * ours first: what is looked up, and perhaps rewritten, must be what the
 * receiver gets, and the sender could change it meanwhile.
 *
 * Threads: packet threads, with the lock of the ring that the frames are
 * from. */

#include <stdbool.h>
#include <stdint.h>

#include "dp-packet.h"
#include "soft-eswitch-action.h"
#include "soft-eswitch-key.h"
#include "util.h"

/* What is copied of a frame: enough for the headers that flows look at, with
 * two VLAN tags and a few options; and room before it for tags. */
#define SOFT_HEAD_SIZE 128
#define SOFT_HEAD_ROOM 16

struct soft_flow;
struct soft_rep;
struct virtq_frame;

/* Frames that soft_forward() has looked up. */
struct soft_forward {
    uint32_t rest;              /* Map of those without flow. */
    uint32_t packets;           /* Those that must become packets first. */

    /* Of all frames: the start, a copy in 'buffers'. */
    struct soft_frame heads[NETDEV_MAX_BURST];
    OVS_ALIGNED_VAR(8) uint8_t buffers[NETDEV_MAX_BURST][SOFT_HEAD_ROOM
                                                         + SOFT_HEAD_SIZE];

    /* Of all frames with a flow. */
    struct soft_flow *flows[NETDEV_MAX_BURST];
    const struct soft_actions *actions[NETDEV_MAX_BURST];
};

/* Looks up 'n' frames, at most 32, that the driver of 'rep' has sent, forwards
 * those that there are flows for, counts them in the flows, and stores the
 * maps of the others in '*fwd'.  'requests' says whether the driver may ask
 * for offloads.
 *
 * The caller makes packets of those in 'fwd->packets', of the start that has
 * been looked up and the remaining bytes of the frame, and hands them to
 * soft_forward_packets().
 *
 * Returns false, having done nothing, if some of them cannot go this way,
 * because of what they ask for.  For order's sake all must then become
 * packets, for soft_eswitch_run(). */
bool soft_forward(struct soft_rep *rep, const struct virtq_frame *frames,
                  unsigned int n, bool requests, struct soft_forward *fwd);

/* Forwards the packets of 'batch', which have been made of those frames that
 * are in 'map', in this order, and counts them in the flows.  Those that
 * cannot be forwarded after all stay in 'batch', for Open vSwitch. */
void soft_forward_packets(struct soft_rep *rep, struct soft_forward *fwd,
                          uint32_t map, struct dp_packet_batch *batch);

#endif /* soft-forward.h */
