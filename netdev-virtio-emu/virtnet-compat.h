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

#ifndef VIRTNET_COMPAT_H
#define VIRTNET_COMPAT_H 1

/* Differences between the versions of Open vSwitch, in one place.
 *
 * VIRTNET_OVS_VERSION comes from the command line of the compiler: 30100 for
 * 3.1.0, 30500 for 3.5.0, 40000 for 4.0.0.  What differs in the packets
 * themselves (offload marks) is in soft/soft-packet.h, because it needs DPDK.
 *
 *                          3.1           3.5            4.0
 *    netdev get_speed      -             yes            yes
 *    netdev get_duplex     -             -              yes
 *    unixctl reply_json    -             yes            yes
 *    GSO in software       -             yes            yes
 *    JSON arrays           visible       visible        opaque */

#ifndef VIRTNET_OVS_VERSION
#error "VIRTNET_OVS_VERSION must be defined"
#endif

#include <stdbool.h>
#include <stdint.h>

#include "netdev-provider.h"
#include "openvswitch/json.h"
#include "userspace-tso.h"

#define VIRTNET_HAVE_GET_SPEED (VIRTNET_OVS_VERSION >= 30500)
#define VIRTNET_HAVE_GET_DUPLEX (VIRTNET_OVS_VERSION >= 40000)
#define VIRTNET_HAVE_REPLY_JSON (VIRTNET_OVS_VERSION >= 30500)

/* The switch completes checksums and segments in software what a port cannot
 * take, so that a port may declare just what its driver negotiated. */
#define VIRTNET_HAVE_SW_GSO (VIRTNET_OVS_VERSION >= 30500)

/* Elements of a JSON array. */
static inline size_t
virtnet_array_size(const struct json *array)
{
#if VIRTNET_OVS_VERSION >= 40000
    return json_array_size(array);
#else
    return array->array.n;
#endif
}

static inline const struct json *
virtnet_array_at(const struct json *array, size_t i)
{
#if VIRTNET_OVS_VERSION >= 40000
    return json_array_at(array, i);
#else
    return array->array.elems[i];
#endif
}

/* Returns the NETDEV_TX_OFFLOAD_* bits for a port whose driver accepts
 * packets with incomplete checksums if 'csum', and TCP packets larger than the
 * MTU if 'tso'.  Before 3.5 the switch takes part in any of that only with
 * other_config:userspace-tso-enable=true. */
static inline uint64_t
virtnet_tx_offloads(bool csum, bool tso)
{
    uint64_t flags = 0;

    if (!VIRTNET_HAVE_SW_GSO) {
        /* The switch drops what a port does not claim to support, and counts
         * it nowhere.  The backend completes checksums for a driver that
         * cannot, and counts what it drops. */
        csum = tso = true;
    }
    if (csum && (VIRTNET_HAVE_SW_GSO || userspace_tso_enabled())) {
        flags |= (NETDEV_TX_OFFLOAD_IPV4_CKSUM | NETDEV_TX_OFFLOAD_TCP_CKSUM
                  | NETDEV_TX_OFFLOAD_UDP_CKSUM
                  | NETDEV_TX_OFFLOAD_SCTP_CKSUM);
    }
    if (csum && tso && userspace_tso_enabled()) {
        flags |= NETDEV_TX_OFFLOAD_TCP_TSO;
    }
    return flags;
}

#endif /* virtnet-compat.h */
