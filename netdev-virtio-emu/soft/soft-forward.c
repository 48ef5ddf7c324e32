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

/* Frames of guests that the eSwitch forwards.  See soft-forward.h. */

#include <config.h>

#include "soft-forward.h"

#include "dp-packet.h"
#include "soft-backend.h"
#include "soft-eswitch.h"
#include "soft-packet.h"
#include "soft-rep.h"
#include "util.h"
#include "virtq.h"

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

/* Must frames with these actions become packets, because they go where only
 * packets go, or because more of them is needed than their start? */
static inline bool
needs_packet(const struct soft_actions *actions)
{
    return (!actions->outputs_last || actions->needs_payload
            || actions->n_ports);
}

/* Counts those of the 'n' frames that do not become packets. */
static void
count(struct soft_rep *rep, const struct soft_forward *fwd,
      const uint32_t sizes[], unsigned int n)
{
    struct soft_flow *flows[NETDEV_MAX_BURST];
    uint32_t some_sizes[NETDEV_MAX_BURST];
    size_t n_some = 0;

    if (OVS_LIKELY(!fwd->packets)) {
        soft_eswitch_count(rep->eswitch_port, fwd->flows, sizes, n);
        return;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (!(fwd->packets & UINT32_C(1) << i)) {
            flows[n_some] = fwd->flows[i];
            some_sizes[n_some++] = sizes[i];
        }
    }
    soft_eswitch_count(rep->eswitch_port, flows, some_sizes, n_some);
}

bool
soft_forward(struct soft_rep *rep, const struct virtq_frame *frames,
             unsigned int n, bool requests, struct soft_forward *fwd)
{
    const struct soft_actions **actions = fwd->actions;
    struct soft_frame *heads = fwd->heads;
    uint32_t sizes[NETDEV_MAX_BURST];
    struct out outs[MAX_OUTS];
    uint32_t partial = 0, max_len;
    size_t n_outs = 0;

    max_len = soft_packet_max_len(ovsrcu_get(struct rte_mempool *, &rep->mp));
    for (unsigned int i = 0; i < n; i++) {
        const struct virtq_frame *frame = &frames[i];
        struct soft_frame *head = &heads[i];

        head->data = &fwd->buffers[i][SOFT_HEAD_ROOM];
        head->size = frame->len;
        head->linear = MIN(frame->len, SOFT_HEAD_SIZE);
        head->headroom = SOFT_HEAD_ROOM;
        sizes[i] = frame->len;
        virtq_read(frame, 0, head->data, head->linear);
        if (OVS_UNLIKELY(frame->len > max_len)) {
            return false;
        }
        if (OVS_UNLIKELY(soft_packet_frame_asks(frame))) {
            if (!requests) {
                /* Such a driver does not know what these fields mean. */
                return false;
            }
            partial |= UINT32_C(1) << i;
        }
    }

    fwd->rest = n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
    fwd->packets = 0;
    if (!soft_eswitch_find(rep->eswitch_port, heads, n, partial, fwd->flows,
                           actions)) {
        for (unsigned int i = 0; i < n; i++) {
            if (fwd->flows[i] || heads[i].cut) {
                return false;
            }
        }
        soft_eswitch_count(rep->eswitch_port, fwd->flows, sizes, n);
        return true;
    }

    /* First see that all can go this way. */
    for (unsigned int i = 0; i < n; i++) {
        if (OVS_LIKELY(actions[i])) {
            uint32_t bit = UINT32_C(1) << i;
            uint8_t need;

            if (OVS_UNLIKELY(needs_packet(actions[i]))) {
                if (OVS_UNLIKELY(frames[i].hdr.gso_type
                                 == VIRTIO_NET_HDR_GSO_UDP_L4)) {
                    return false; /* It becomes several. */
                }
                fwd->packets |= bit;
            } else if ((OVS_UNLIKELY(partial & bit)
                        && (!soft_packet_can_pass(&frames[i].hdr, &heads[i],
                                                  &need)
                            || !receivers_can(actions[i], need)))
                       || OVS_UNLIKELY(!add_outs(outs, &n_outs, actions[i],
                                                 &frames[i], &heads[i]))) {
                return false;
            }
            fwd->rest &= ~bit;
        } else if (OVS_UNLIKELY(fwd->flows[i] || heads[i].cut)) {
            /* More can be done with a packet, of which all is there. */
            return false;
        }
    }

    for (unsigned int i = 0; i < n; i++) {
        if (OVS_LIKELY(actions[i])
            && OVS_LIKELY(!(fwd->packets & UINT32_C(1) << i))) {
            const struct soft_actions *a = actions[i];

            for (size_t j = 0; j < a->n - a->n_outputs; j++) {
                soft_action_rewrite(&a->actions[j], &heads[i]);
            }
        }
    }
    for (size_t i = 0; i < n_outs; i++) {
        soft_rep_forward(outs[i].dev, soft_eswitch_queue_id(), outs[i].frames,
                         outs[i].heads, outs[i].n);
    }
    count(rep, fwd, sizes, n);
    return true;
}

void
soft_forward_packets(struct soft_rep *rep, struct soft_forward *fwd,
                     uint32_t map, struct dp_packet_batch *batch)
{
    size_t n = 0;
    int i;

    ULLONG_FOR_EACH_1 (i, map) {
        fwd->flows[n] = fwd->flows[i];
        fwd->actions[n] = fwd->actions[i];
        fwd->heads[n++] = fwd->heads[i];
    }
    soft_eswitch_execute(rep->eswitch_port, batch, fwd->flows, fwd->actions,
                         fwd->heads);
}
