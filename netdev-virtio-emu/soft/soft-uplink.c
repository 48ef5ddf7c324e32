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

/* Ports of other types as inputs of the eSwitch.  See soft-uplink.h. */

#include <config.h>

#include "soft-uplink.h"

#include "dp-packet.h"
#include "openvswitch/netdev.h"
#include "ovs-rcu.h"
#include "soft-backend.h"
#include "soft-eswitch.h"
#include "util.h"

struct virtnet_device *
soft_uplink_create(const char *name)
{
    struct soft_device *sd = xzalloc_cacheline(sizeof *sd);

    ovs_strlcpy(sd->up.rep_name, name, sizeof sd->up.rep_name);
    sd->rep.eswitch_port = soft_port_create(&sd->up);
    soft_port_set_foreign(sd->rep.eswitch_port);
    soft_flow_class.port_attach(&sd->up);
    return &sd->up;
}

static void
uplink_free(struct soft_device *sd)
{
    soft_port_destroy(sd->rep.eswitch_port);
    free_cacheline(sd);
}

void
soft_uplink_destroy(struct virtnet_device *dev)
{
    soft_flow_class.port_detach(dev);
    ovsrcu_postpone(uplink_free, soft_device_cast(dev));
}

void
soft_uplink_recv(struct virtnet_device *dev, struct dp_packet_batch *batch)
{
    struct soft_port *port = soft_device_cast(dev)->rep.eswitch_port;

    if (soft_port_has_flows(port)
        && OVS_LIKELY(dp_packet_batch_size(batch) <= NETDEV_MAX_BURST)) {
        soft_eswitch_run(port, batch);
    }
}
