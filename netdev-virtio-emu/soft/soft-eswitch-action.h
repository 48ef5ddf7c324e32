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

#ifndef SOFT_ESWITCH_ACTION_H
#define SOFT_ESWITCH_ACTION_H 1

/* What the software eSwitch does to a packet: lists of actions, and what
 * rewrites headers.
 *
 * Many flows have the same actions, so equal lists are kept once.
 *
 * Threads: lists are made and released by writers, with the eSwitch's lock
 * held.  They are constant, and freed a grace period after the last flow that
 * has them, so packet threads read them under RCU.  Rewriting has no state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "soft-eswitch-key.h"
#include "virtnet-flow-provider.h"

struct soft_actions {
    /* Constant. */
    size_t n;
    unsigned int n_outputs;
    unsigned int n_ports;       /* Of them, to ports of other types. */
    unsigned int n_push;        /* VLAN tags pushed. */
    bool sets_arp;              /* Sets fields of ARP. */
    bool sets_ip;               /* Sets fields of IP or behind it. */
    bool needs_payload;         /* Computes a checksum anew. */
    bool outputs_last;          /* Rewrites nothing after an output. */
    struct hmap_node node;      /* In a "struct soft_actions_set". */

    unsigned int n_refs;        /* Flows that have it. */
    struct virtnet_flow_action actions[];
};

struct soft_actions_set {
    struct hmap lists;          /* Contains "struct soft_actions". */
};

#define SOFT_ACTIONS_SET_INITIALIZER(SET) \
    { HMAP_INITIALIZER(&(SET)->lists) }

/* Returns the one list equal to 'actions', with a reference to it. */
const struct soft_actions *soft_actions_get(
    struct soft_actions_set *, const struct virtnet_flow_actions *actions);

/* Drops a reference.  NULL is accepted. */
void soft_actions_put(struct soft_actions_set *, const struct soft_actions *);

/* Does 'actions' lead to 'dev'? */
bool soft_actions_output_to(const struct soft_actions *actions,
                            const struct virtnet_device *dev);

/* Can 'actions' be carried out on 'frame', whose offsets are set?  If
 * 'partial', its transport checksum is still to be completed. */
bool soft_actions_apply_to(const struct soft_actions *actions,
                           const struct soft_frame *frame, bool partial);

/* Carries out 'action', which is no output, on 'frame'. */
void soft_action_rewrite(const struct virtnet_flow_action *action,
                         struct soft_frame *frame);

#endif /* soft-eswitch-action.h */
