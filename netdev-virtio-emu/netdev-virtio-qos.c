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

/* Policing and QoS of ports that are ports of DPDK, which does both.  See
 * netdev-virtio-dpdk.h.
 *
 * Open vSwitch sets them when it configures a bridge.  A port of DPDK that
 * comes later than that, or in another's place, has none, and then it is asked
 * to do so once more. */

#include <config.h>

#include "netdev-virtio-dpdk.h"

#include <errno.h>

#include "netdev.h"
#include "netdev-virtio-emu.h"
#include "smap.h"

static struct virtio_emu_dpdk *
get_dpdk(const struct netdev *netdev)
{
    return virtio_emu_rep_dpdk(virtio_emu_get_rep(netdev));
}

int
virtio_emu_set_policing(struct netdev *netdev, unsigned int kbits_rate,
                        unsigned int kbits_burst, unsigned int kpkts_rate,
                        unsigned int kpkts_burst)
{
    struct virtio_emu_dpdk *dpdk = get_dpdk(netdev);

    virtio_emu_get_rep(netdev)->policed = kbits_rate || kpkts_rate;
    return (dpdk
            ? netdev_set_policing(dpdk->netdev, kbits_rate, kbits_burst,
                                  kpkts_rate, kpkts_burst)
            : EOPNOTSUPP);
}

int
virtio_emu_get_qos_types(const struct netdev *netdev, struct sset *types)
{
    struct virtio_emu_dpdk *dpdk = get_dpdk(netdev);

    return dpdk ? netdev_get_qos_types(dpdk->netdev, types) : 0;
}

int
virtio_emu_get_qos(const struct netdev *netdev, const char **typep,
                   struct smap *details)
{
    struct virtio_emu_dpdk *dpdk = get_dpdk(netdev);

    *typep = "";
    return dpdk ? netdev_get_qos(dpdk->netdev, typep, details) : 0;
}

int
virtio_emu_set_qos(struct netdev *netdev, const char *type,
                   const struct smap *details)
{
    struct virtio_emu_dpdk *dpdk = get_dpdk(netdev);

    virtio_emu_get_rep(netdev)->shaped = *type != '\0';
    return (dpdk ? netdev_set_qos(dpdk->netdev, type, details)
            : *type ? EOPNOTSUPP : 0);
}
