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

#ifndef OFFLOAD_UPLINK_H
#define OFFLOAD_UPLINK_H 1

/* Flows that come from ports of other types than virtio-emu: from an uplink.
 *
 * Open vSwitch offers a flow to whatever claims the port that the packets come
 * from.  We claim ports of the userspace datapath, whatever their type, unless
 * a provider of Open vSwitch's own can do something for them:
 *
 *   - ports of DPDK whose driver has rte_flow: those of the "dpdk" provider.
 *     It claims all ports of DPDK, including those whose driver has none; the
 *     linker has it ask us first (see offload-rep.c) and we tell it of the
 *     latter that it cannot offload them;
 *
 *   - tunnels, whose flows match what only the datapath can see;
 *
 *   - dummies, which Open vSwitch tests itself with.
 *
 * Up to 3.6 the "tc" provider, for the kernel's datapath, claims network
 * interfaces in the userspace datapath, too, which does no good: packet
 * sockets see packets before the kernel's flows do.  It does not any more, as
 * since 3.7.
 *
 * The way in
 * ==========
 *
 * The linker also has calls of netdev_rxq_recv(), with which packet threads
 * ask netdevs for packets, come here.  What a netdev with an uplink has
 * received is shown to the eSwitch, which takes the packets that it has a flow
 * for; the datapath gets the rest.  For other netdevs that is one branch.  The
 * netdev has counted the packets by then, and the thread is told of those that
 * it does not see: see pmd-forward.h.
 *
 * Threads: the main thread adds and removes.  Others find an uplink under RCU
 * by its netdev. */

#include <stdbool.h>

struct netdev;
struct virtnet_device;
struct virtnet_flow_class;

/* Can flows from 'netdev', which is of another type than virtio-emu and in the
 * userspace datapath, be offloaded by us? */
bool offload_uplink_is_possible(struct netdev *netdev);

/* Can Open vSwitch's provider for DPDK do something for 'netdev', if that is a
 * port of DPDK? */
bool offload_uplink_is_dpdks(struct netdev *netdev);

/* Makes 'netdev', whose flows are ours from now on, an uplink, or ends that.
 * Nothing happens if it is one already, or is none. */
void offload_uplink_add(struct netdev *netdev);
void offload_uplink_remove(struct netdev *netdev);

/* Returns what stands for 'netdev', whose flows are ours, in the functions of
 * '*class', or returns NULL: its device or, if it is of another type than
 * virtio-emu, its uplink.  Valid until the caller quiesces. */
struct virtnet_device *offload_get_device(
    const struct netdev *netdev, const struct virtnet_flow_class **class);

/* The same, but NULL for another type. */
struct virtnet_device *offload_get_own_device(
    const struct netdev *netdev, const struct virtnet_flow_class **class);

/* Are flows from 'netdev' ours?  One implementation for each generation, as
 * for offload.h. */
bool offload_is_ours(const struct netdev *netdev);

#endif /* offload-uplink.h */
