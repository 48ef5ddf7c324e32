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

/* Flows from ports of other types.  See offload-uplink.h. */

#include <config.h>

#include "offload-uplink.h"

#include <errno.h>
#include <rte_flow.h>
#include <string.h>

#include "dp-packet.h"
#include "netdev-dpdk.h"
#include "netdev-provider.h"
#include "netdev-virtio-emu.h"
#include "netdev-vport.h"
#include "ovs-rcu.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-compat.h"
#include "virtnet-flow-provider.h"

struct uplink {
    const struct virtnet_flow_class *class;
    struct virtnet_device *dev;
};

static struct uplink *
uplink_of(const struct netdev *netdev)
{
    return ovsrcu_get(void *, &netdev->hw_info.offload_data);
}

/* Whose is it? */

static bool
type_is(const struct netdev *netdev, const char *type)
{
    return !strcmp(netdev_get_type(netdev), type);
}

/* Does the driver of 'netdev', a port of DPDK, know rte_flow at all? */
static bool
has_rte_flow(struct netdev *netdev)
{
    const struct rte_flow_attr attr = { .ingress = 1 };
    const struct rte_flow_item pattern[] = {
        { .type = RTE_FLOW_ITEM_TYPE_ETH },
        { .type = RTE_FLOW_ITEM_TYPE_END },
    };
    const struct rte_flow_action actions[] = {
        { .type = RTE_FLOW_ACTION_TYPE_DROP },
        { .type = RTE_FLOW_ACTION_TYPE_END },
    };
    int id = netdev_dpdk_get_port_id(netdev);

    return id >= 0 && rte_flow_validate(id, &attr, pattern, actions,
                                        NULL) != -ENOSYS;
}

bool
offload_uplink_is_dpdks(struct netdev *netdev)
{
    return !type_is(netdev, "dpdk") || has_rte_flow(netdev);
}

/* Up to 3.6 it is chance which provider is asked first, so that we say no to
 * what others can do.  Since 3.7 they are asked before us, unless
 * other_config:hw-offload-priority wants it otherwise. */
static bool
belongs_to_others(struct netdev *netdev)
{
    return (VIRTNET_OVS_VERSION < 30700
            && ((type_is(netdev, "dpdk") && has_rte_flow(netdev))
                || !strncmp(netdev_get_type(netdev), "dummy", 5)));
}

bool
offload_uplink_is_possible(struct netdev *netdev)
{
    return (virtnet_soft_backend_class.flow->uplink_create
            && netdev->netdev_class->rxq_recv
            && !netdev_vport_is_vport_class(netdev->netdev_class)
            && !belongs_to_others(netdev));
}

/* Life. */

void
offload_uplink_add(struct netdev *netdev)
{
    if (!uplink_of(netdev)) {
        struct uplink *uplink = xmalloc(sizeof *uplink);

        uplink->class = virtnet_soft_backend_class.flow;
        uplink->dev = uplink->class->uplink_create(netdev_get_name(netdev));
        ovsrcu_set(&netdev->hw_info.offload_data, (void *) uplink);
    }
}

void
offload_uplink_remove(struct netdev *netdev)
{
    struct uplink *uplink = uplink_of(netdev);

    if (uplink) {
        ovsrcu_set(&netdev->hw_info.offload_data, NULL);
        uplink->class->uplink_destroy(uplink->dev);
        ovsrcu_postpone(free, uplink);
    }
}

struct virtnet_device *
offload_get_own_device(const struct netdev *netdev,
                       const struct virtnet_flow_class **class)
{
    struct virtnet_device *dev = virtio_emu_get_device(netdev);

    *class = dev ? dev->backend->class->flow : NULL;
    return *class ? dev : NULL;
}

struct virtnet_device *
offload_get_device(const struct netdev *netdev,
                   const struct virtnet_flow_class **class)
{
    const struct uplink *uplink;

    if (virtio_emu_is(netdev)) {
        return offload_get_own_device(netdev, class);
    }
    uplink = uplink_of(netdev);
    *class = uplink ? uplink->class : NULL;
    return uplink ? uplink->dev : NULL;
}

/* Packets. */

int __real_netdev_rxq_recv(struct netdev_rxq *, struct dp_packet_batch *,
                           int *qfill);
int __wrap_netdev_rxq_recv(struct netdev_rxq *, struct dp_packet_batch *,
                           int *qfill);

int
__wrap_netdev_rxq_recv(struct netdev_rxq *rx, struct dp_packet_batch *batch,
                       int *qfill)
{
    int error = __real_netdev_rxq_recv(rx, batch, qfill);

    if (!error && offload_is_ours(rx->netdev)) {
        const struct uplink *uplink = uplink_of(rx->netdev);

        if (uplink) {
            uplink->class->uplink_recv(uplink->dev, batch);
            if (dp_packet_batch_is_empty(batch)) {
                error = EAGAIN;
            }
        }
    }
    return error;
}
