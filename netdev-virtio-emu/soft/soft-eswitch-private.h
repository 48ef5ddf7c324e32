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

#ifndef SOFT_ESWITCH_PRIVATE_H
#define SOFT_ESWITCH_PRIVATE_H 1

/* What packet threads (soft-eswitch.c) see of ports and flows
 * (soft-eswitch-flow.c). */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/list.h"
#include "ovs-atomic.h"
#include "soft-eswitch-table.h"

struct virtnet_device;

struct soft_port {
    struct virtnet_device *dev;
    bool foreign;               /* Is 'dev' no device?  See soft-uplink.h. */
    struct soft_table table;    /* Flows from here. */
    atomic_size_t n_flows;
    atomic_uint64_t n_hits;     /* Packets forwarded. */
    atomic_uint64_t n_misses;   /* Packets for Open vSwitch. */

    /* Under the lock. */
    bool attached;
    struct ovs_list flows;      /* Contains "struct soft_flow"s. */
    struct ovs_list list_node;  /* In 'ports'. */
};

/* Number of the flow that was inserted last.  Stored when that is complete:
 * who has read it finds all flows with numbers up to it. */
extern atomic_uint64_t soft_eswitch_last_seq;

#endif /* soft-eswitch-private.h */
