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

/* What packets of a netdev of the class "virtio-emu" go through: a port of
 * DPDK (netdev-virtio-dpdk.h), or the backend of its device.  See
 * netdev-virtio-private.h. */

#include <config.h>

#include "netdev-virtio-private.h"

#include <errno.h>
#include <string.h>

#include "dpdk.h"
#include "if-notifier.h"
#include "netdev-virtio-emu.h"
#include "openvswitch/netdev.h"
#include "virtnet-compat.h"
#include "virtnet-settings.h"

/* VIRTIO 1.2, section 5.1.3: what a driver may accept. */
#define VIRTIO_NET_F_GUEST_CSUM UINT64_C(1)
#define VIRTIO_NET_F_GUEST_TSO4 UINT64_C(7)
#define VIRTIO_NET_F_GUEST_TSO6 UINT64_C(8)
#define FEATURE(BIT) (UINT64_C(1) << (BIT))

bool
virtio_emu_path_carrier(const struct netdev_virtio_emu *nd,
                        const struct virtnet_device *dev)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);

    return (dev && virtnet_device_carrier(dev)
            && (!dpdk || netdev_get_carrier(dpdk->netdev)));
}

int
virtio_emu_path_n_rxq(const struct netdev_virtio_emu *nd,
                      const struct virtnet_device *dev)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);
    int n = dev ? virtnet_device_active_rxqs(dev) : 0;

    return n && dpdk ? dpdk->n_rxq : n;
}

uint64_t
virtio_emu_path_ol_flags(const struct netdev_virtio_emu *nd,
                         const struct virtnet_device *dev)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);
    uint64_t features = dev ? dev->driver.features : 0;

    return (dpdk ? dpdk->netdev->ol_flags
            : dev && nd->class->rep_complete ? 0
            : virtnet_tx_offloads(
                features & FEATURE(VIRTIO_NET_F_GUEST_CSUM),
                (features & FEATURE(VIRTIO_NET_F_GUEST_TSO4)
                 && features & FEATURE(VIRTIO_NET_F_GUEST_TSO6))));
}

/* Counters that count on when packets go another way. */
#define FOR_EACH_TOTAL(X)                                                   \
    X(rx_packets) X(rx_bytes) X(rx_errors) X(rx_dropped)                    \
    X(tx_packets) X(tx_bytes) X(tx_errors) X(tx_dropped)

/* Counters of what packets go through.  UINT64_MAX means that one is not
 * supported. */
static void
get_raw_stats(const struct netdev_virtio_emu *nd,
              const struct virtnet_device *dev, struct netdev_stats *stats)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);

    memset(stats, 0xff, sizeof *stats);
#define X(M) stats->M = 0;
    FOR_EACH_TOTAL(X)
#undef X
    if (dpdk) {
        netdev_get_stats(dpdk->netdev, stats);
    } else if (dev) {
        dev->backend->class->rep_get_stats(dev, stats);
    }
}

/* From now on counters count on from 'before'. */
static void
rebase_stats(struct netdev_virtio_emu *nd, const struct virtnet_device *dev,
             const struct netdev_stats *before)
{
    struct netdev_stats now;

    get_raw_stats(nd, dev, &now);
#define X(M) nd->stats_base.M += before->M - now.M;
    FOR_EACH_TOTAL(X)
#undef X
}

void
virtio_emu_path_get_stats(const struct netdev_virtio_emu *nd,
                          const struct virtnet_device *dev,
                          struct netdev_stats *stats)
{
    get_raw_stats(nd, dev, stats);
#define X(M) stats->M += nd->stats_base.M;
    FOR_EACH_TOTAL(X)
#undef X
}

int
virtio_emu_path_set_mtu(struct netdev_virtio_emu *nd,
                        struct virtnet_device *dev, int mtu)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);
    int error = dev->backend->class->rep_set_mtu(dev, mtu);

    if (error) {
        return error > -VIRTNET_ERROR_BASE ? -error : ENOMEM;
    }
    return dpdk ? netdev_set_mtu(dpdk->netdev, mtu) : 0;
}

void
virtio_emu_path_set_flags(struct netdev_virtio_emu *nd,
                          struct virtnet_device *dev,
                          enum netdev_flags changed)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);

    if (dpdk) {
        netdev_turn_flags_on(dpdk->netdev, nd->flags, NULL);
        netdev_turn_flags_off(dpdk->netdev, ~nd->flags & NETDEV_UP, NULL);
    } else if (nd->rep.ifindex && changed & NETDEV_UP) {
        nd->class->rep_set_up(dev, nd->flags & NETDEV_UP);
    }
}

void
virtio_emu_path_choose(struct netdev_virtio_emu *nd,
                       struct virtnet_device *dev)
{
    bool was_dpdk = virtio_emu_dpdk(nd) != NULL;
    struct netdev_stats before;

    if (virtio_emu_rep_is_decided(&nd->rep, dev)) {
        return;
    }
    get_raw_stats(nd, dev, &before);
    virtio_emu_rep_decide(&nd->rep, dev, netdev_get_name(&nd->up), &nd->args,
                          nd->flags & NETDEV_UP);
    if (was_dpdk || virtio_emu_dpdk(nd)) {
        rebase_stats(nd, dev, &before);
        netdev_request_reconfigure(&nd->up);
    }
    if (virtio_emu_dpdk(nd)) {
        virtio_emu_path_set_mtu(nd, dev, nd->mtu);
        virtio_emu_path_set_flags(nd, dev, 0);
        if (nd->rep.policed || nd->rep.shaped) {
            if_notifier_manual_report(); /* See netdev-virtio-qos.c. */
        }
    }
}

void
virtio_emu_path_reconfigure(struct netdev_virtio_emu *nd, int n_txq)
{
    const struct virtnet_device *dev = virtio_emu_dev(nd);
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);

    if (dpdk) {
        struct netdev_stats before;

        /* Drivers may forget their counters when they stop. */
        get_raw_stats(nd, dev, &before);
        if (virtio_emu_rep_reconfigure(&nd->rep, n_txq)) {
            rebase_stats(nd, dev, &before);
        }
        if (virtio_emu_dpdk_is_ready(dpdk)) {
            n_txq = netdev_n_txq(dpdk->netdev);
        }
        nd->up.ol_flags = virtio_emu_path_ol_flags(nd, dev);
    }
    nd->up.n_txq = n_txq;
    nd->up.n_rxq = virtio_emu_path_n_rxq(nd, dev);
}

/* Something has happened to 'dpdk', which packets of a port go through. */
static void
dpdk_changed(struct virtio_emu_rep *rep, struct virtio_emu_dpdk *dpdk)
{
    struct netdev_virtio_emu *nd = CONTAINER_OF(rep, struct netdev_virtio_emu,
                                                rep);
    struct virtnet_device *dev = virtio_emu_dev(nd);

    if (dpdk->failed) {
        struct netdev_stats before;

        get_raw_stats(nd, dev, &before);
        virtio_emu_rep_give_up(rep, dev, nd->flags & NETDEV_UP);
        rebase_stats(nd, dev, &before);
        netdev_request_reconfigure(&nd->up);
    } else if (netdev_is_reconf_required(dpdk->netdev)
               && !netdev_is_reconf_required(&nd->up)) {
        netdev_request_reconfigure(&nd->up);
    }
    virtio_emu_refresh(nd);
}

void
virtio_emu_path_run(void)
{
    virtio_emu_rep_run(dpdk_changed);
}

/* Offload. */

bool
virtio_emu_offload_by_dpdk(struct netdev *netdev)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    if (nd->offload_by == OFFLOAD_UNKNOWN) {
        const struct virtnet_settings *s = virtnet_controller_settings();
        const struct virtnet_device *dev = virtio_emu_dev(nd);
        const struct virtnet_backend_class *class
            = (dev ? dev->backend->class
               : virtnet_backend_lookup_class(s->backend));

        nd->offload_by = (class && class->rep_get_devargs
                          && !s->mlx5_kernel_rep && dpdk_available()
                          ? OFFLOAD_BY_DPDK : OFFLOAD_BY_BACKEND);
    }
    return nd->offload_by == OFFLOAD_BY_DPDK;
}

struct virtio_emu_rep *
virtio_emu_get_rep(const struct netdev *netdev)
{
    return &netdev_virtio_emu_cast(netdev)->rep;
}
