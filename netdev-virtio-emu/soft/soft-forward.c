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

/* Frames from guest to guest.  See soft-forward.h. */

#include <config.h>

#include "soft-forward.h"

#include <rte_mbuf.h>

#include "dp-packet.h"
#include "soft-backend.h"
#include "soft-eswitch.h"
#include "soft-packet.h"
#include "soft-rep.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtq.h"

/* What is copied of a frame: enough for the headers that flows look at, with
 * two VLAN tags and a few options; and room before it for tags. */
#define HEAD_SIZE 128
#define HEAD_ROOM 16

/* Receivers of a burst.  If there are more, it goes the other way. */
#define MAX_OUTS 8

struct out {
    struct virtnet_device *dev;
    size_t n;
    const struct virtq_frame *frames[NETDEV_MAX_BURST];
    const struct soft_frame *heads[NETDEV_MAX_BURST];
};

/* Can the drivers that 'actions' lead to take what needs 'need'? */
static bool
receivers_can(const struct soft_actions *actions, uint8_t need)
{
    for (size_t i = 0; i < actions->n; i++) {
        const struct virtnet_flow_action *a = &actions->actions[i];

        if (a->type == VIRTNET_FLOW_OUTPUT) {
            uint8_t offloads;

            atomic_read_relaxed(&soft_device_cast(a->dev)->rep.guest_offloads,
                                &offloads);
            if ((offloads & need) != need) {
                return false;
            }
        }
    }
    return true;
}

/* Adds a receiver of 'actions' to 'outs'.  Returns false if there are too
 * many. */
static inline bool
add_outs(struct out outs[], size_t *n_outs, const struct soft_actions *actions,
         const struct virtq_frame *frame, const struct soft_frame *head)
{
    for (size_t i = actions->n - actions->n_outputs; i < actions->n; i++) {
        struct virtnet_device *dev = actions->actions[i].dev;
        struct out *out;
        size_t j;

        for (j = *n_outs; j > 0 && outs[j - 1].dev != dev; j--) {
            continue;
        }
        if (OVS_LIKELY(j)) {
            out = &outs[j - 1];
        } else if (OVS_LIKELY(*n_outs < MAX_OUTS)) {
            out = &outs[(*n_outs)++];
            out->dev = dev;
            out->n = 0;
        } else {
            return false;
        }
        if (OVS_UNLIKELY(out->n == NETDEV_MAX_BURST)) {
            return false;       /* A frame twice to the same receiver. */
        }
        out->frames[out->n] = frame;
        out->heads[out->n++] = head;
    }
    return true;
}

bool
soft_forward(struct soft_rep *rep, const struct virtq_frame *frames,
             unsigned int n, bool requests, uint32_t *rest)
{
    OVS_ALIGNED_VAR(8) uint8_t buffers[NETDEV_MAX_BURST][HEAD_ROOM
                                                         + HEAD_SIZE];
    const struct soft_actions *actions[NETDEV_MAX_BURST];
    struct soft_frame heads[NETDEV_MAX_BURST];
    struct soft_flow *flows[NETDEV_MAX_BURST];
    uint32_t sizes[NETDEV_MAX_BURST];
    struct out outs[MAX_OUTS];
    uint32_t partial = 0, max_len;
    size_t n_outs = 0;

    /* Whatever is longer than an IP packet can be does not become one of Open
     * vSwitch either, and is dropped there. */
    max_len = (userspace_tso_enabled() ? UINT16_MAX
               : rte_pktmbuf_data_room_size(ovsrcu_get(struct rte_mempool *,
                                                       &rep->mp))
                 - RTE_PKTMBUF_HEADROOM);
    for (unsigned int i = 0; i < n; i++) {
        const struct virtq_frame *frame = &frames[i];
        struct soft_frame *head = &heads[i];

        head->data = &buffers[i][HEAD_ROOM];
        head->size = frame->len;
        head->linear = MIN(frame->len, HEAD_SIZE);
        head->headroom = HEAD_ROOM;
        sizes[i] = frame->len;
        virtq_read(frame, 0, head->data, head->linear);
        if (OVS_UNLIKELY(frame->len > max_len)) {
            return false;
        }
        if (OVS_UNLIKELY(frame->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM
                         || frame->hdr.gso_type)) {
            if (!requests) {
                /* Such a driver does not know what these fields mean. */
                return false;
            }
            partial |= UINT32_C(1) << i;
        }
    }

    *rest = n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
    if (!soft_eswitch_find(rep->eswitch_port, heads, n, partial, flows,
                           actions)) {
        soft_eswitch_count(rep->eswitch_port, flows, sizes, n);
        return true;
    }

    /* First see that all can go this way. */
    for (unsigned int i = 0; i < n; i++) {
        if (OVS_LIKELY(actions[i])) {
            uint8_t need;

            if (OVS_UNLIKELY(!actions[i]->outputs_last
                             || actions[i]->needs_payload)
                || (OVS_UNLIKELY(partial & UINT32_C(1) << i)
                    && (!soft_packet_can_pass(&frames[i].hdr, &heads[i], &need)
                        || !receivers_can(actions[i], need)))
                || OVS_UNLIKELY(!add_outs(outs, &n_outs, actions[i],
                                          &frames[i], &heads[i]))) {
                return false;
            }
        }
    }

    for (unsigned int i = 0; i < n; i++) {
        if (OVS_LIKELY(actions[i])) {
            const struct soft_actions *a = actions[i];

            for (size_t j = 0; j < a->n - a->n_outputs; j++) {
                soft_action_rewrite(&a->actions[j], &heads[i]);
            }
            *rest &= ~(UINT32_C(1) << i);
        }
    }
    for (size_t i = 0; i < n_outs; i++) {
        soft_rep_forward(outs[i].dev, soft_eswitch_queue_id(), outs[i].frames,
                         outs[i].heads, outs[i].n);
    }
    soft_eswitch_count(rep->eswitch_port, flows, sizes, n);
    return true;
}
