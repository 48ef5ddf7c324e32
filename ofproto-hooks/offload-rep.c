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

/* Offload of flows of ports of type virtio-emu by rte_flow.
 *
 * Open vSwitch's own provider for DPDK makes rules for ports of its class
 * "dpdk", and asks netdev-dpdk.c for what it needs of them: whether a netdev
 * is such a port, its number, and to make, destroy and query rules.  These
 * functions look at the netdev's class, which is static there.  So the linker
 * has calls of them come here first (--wrap, in automake.mk), and those for a
 * port of type virtio-emu go to the port of DPDK within it, if there is one:
 * see netdev-virtio-dpdk.h.  Then the provider takes ours for one of its own,
 * as the port that packets come from and as the one that they go to.  Open
 * vSwitch needs no patch for this, in any version.
 *
 * Threads: those of the provider, i.e. any. */

#include <config.h>

#include <errno.h>
#include <rte_flow.h>

#include "coverage.h"
#include "netdev-provider.h"
#include "netdev-virtio-dpdk.h"
#include "netdev-virtio-emu.h"
#include "offload.h"
#include "offload-uplink.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto/ofproto-dpif-upcall.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-compat.h"

VLOG_DEFINE_THIS_MODULE(offload_rep);

COVERAGE_DEFINE(offload_rep_anew);

/* Declares the function NAME of netdev-dpdk.c, and ours. */
#define WRAP(TYPE, NAME, ...)                   \
    TYPE __real_##NAME(__VA_ARGS__);            \
    TYPE __wrap_##NAME(__VA_ARGS__)

#if VIRTNET_OVS_VERSION >= 40000
#define CHECK_ONLY , bool check_only
#define PASS_CHECK_ONLY , check_only
#else
#define CHECK_ONLY
#define PASS_CHECK_ONLY
#endif

WRAP(bool, netdev_dpdk_flow_api_supported, struct netdev * CHECK_ONLY);
WRAP(int, netdev_dpdk_get_port_id, struct netdev *);
WRAP(struct rte_flow *, netdev_dpdk_rte_flow_create, struct netdev *,
     const struct rte_flow_attr *, const struct rte_flow_item *,
     const struct rte_flow_action *, struct rte_flow_error *);
WRAP(int, netdev_dpdk_rte_flow_destroy, struct netdev *, struct rte_flow *,
     struct rte_flow_error *);
WRAP(int, netdev_dpdk_rte_flow_query_count, struct netdev *,
     struct rte_flow *, struct rte_flow_query_count *,
     struct rte_flow_error *);

static struct virtio_emu_rules *
rules_of(const struct netdev *netdev)
{
    return &virtio_emu_get_rep(netdev)->rules;
}

bool
__wrap_netdev_dpdk_flow_api_supported(struct netdev *netdev CHECK_ONLY)
{
    if (virtio_emu_is(netdev)) {
        return virtio_emu_offload_by_dpdk(netdev);
    }
    return (__real_netdev_dpdk_flow_api_supported(netdev PASS_CHECK_ONLY)
            && offload_uplink_is_dpdks(netdev));
}

int
__wrap_netdev_dpdk_get_port_id(struct netdev *netdev)
{
    return (virtio_emu_is(netdev)
            ? virtio_emu_rules_port_id(rules_of(netdev))
            : __real_netdev_dpdk_get_port_id(netdev));
}

struct rte_flow *
__wrap_netdev_dpdk_rte_flow_create(struct netdev *netdev,
                                   const struct rte_flow_attr *attr,
                                   const struct rte_flow_item *items,
                                   const struct rte_flow_action *actions,
                                   struct rte_flow_error *error)
{
    return (virtio_emu_is(netdev)
            ? virtio_emu_rules_create(rules_of(netdev), attr,
                                      items, actions, error)
            : __real_netdev_dpdk_rte_flow_create(netdev, attr, items, actions,
                                                 error));
}

int
__wrap_netdev_dpdk_rte_flow_destroy(struct netdev *netdev,
                                    struct rte_flow *flow,
                                    struct rte_flow_error *error)
{
    return (virtio_emu_is(netdev)
            ? virtio_emu_rules_destroy(rules_of(netdev), flow,
                                       error)
            : __real_netdev_dpdk_rte_flow_destroy(netdev, flow, error));
}

int
__wrap_netdev_dpdk_rte_flow_query_count(struct netdev *netdev,
                                        struct rte_flow *flow,
                                        struct rte_flow_query_count *query,
                                        struct rte_flow_error *error)
{
    return (virtio_emu_is(netdev)
            ? virtio_emu_rules_query_count(rules_of(netdev), flow,
                                           query, error)
            : __real_netdev_dpdk_rte_flow_query_count(netdev, flow, query,
                                                      error));
}

/* Tunnels that end in the hardware, which Open vSwitch has where it is built
 * for experimental functions of DPDK, and up to 3.6.  None of them comes in by
 * a device of a guest, so our ports have no such rules. */

#define NO_TUNNEL(NAME, PARAMETERS, ARGUMENTS)                              \
    int __real_##NAME PARAMETERS __attribute__((weak));                     \
    int __wrap_##NAME PARAMETERS;                                           \
                                                                            \
    int                                                                     \
    __wrap_##NAME PARAMETERS                                                \
    {                                                                       \
        if (virtio_emu_is(netdev)) {                                        \
            rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION,  \
                               NULL, "no tunnels by way of a guest");       \
            return -1;                                                      \
        }                                                                   \
        return __real_##NAME ARGUMENTS;                                     \
    }

NO_TUNNEL(netdev_dpdk_rte_flow_tunnel_decap_set,
          (struct netdev *netdev, struct rte_flow_tunnel *tunnel,
           struct rte_flow_action **actions, uint32_t *n,
           struct rte_flow_error *error),
          (netdev, tunnel, actions, n, error))
NO_TUNNEL(netdev_dpdk_rte_flow_tunnel_match,
          (struct netdev *netdev, struct rte_flow_tunnel *tunnel,
           struct rte_flow_item **items, uint32_t *n,
           struct rte_flow_error *error),
          (netdev, tunnel, items, n, error))
NO_TUNNEL(netdev_dpdk_rte_flow_get_restore_info,
          (struct netdev *netdev, struct dp_packet *packet,
           struct rte_flow_restore_info *info, struct rte_flow_error *error),
          (netdev, packet, info, error))
NO_TUNNEL(netdev_dpdk_rte_flow_tunnel_action_decap_release,
          (struct netdev *netdev, struct rte_flow_action *actions, uint32_t n,
           struct rte_flow_error *error),
          (netdev, actions, n, error))
NO_TUNNEL(netdev_dpdk_rte_flow_tunnel_item_release,
          (struct netdev *netdev, struct rte_flow_item *items, uint32_t n,
           struct rte_flow_error *error),
          (netdev, items, n, error))

/* Flows that go on in software. */

void
offload_run(void)
{
    struct shash_node *node;

    if (!virtio_emu_reoffer_is_due()) {
        return;
    }
    COVERAGE_INC(offload_rep_anew);
    VLOG_INFO("flows begin anew, since some are not in the hardware any more");
    SHASH_FOR_EACH (node, &all_dpif_backers) {
        const struct dpif_backer *backer = node->data;

        if (!strcmp(backer->type, "netdev")) {
            udpif_flush(backer->udpif);
        }
    }
}

void
offload_wait(void)
{
    virtio_emu_reoffer_wait();
}
