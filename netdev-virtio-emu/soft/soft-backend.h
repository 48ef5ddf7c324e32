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

#ifndef SOFT_BACKEND_H
#define SOFT_BACKEND_H 1

/* The soft backend: software that stands for the firmware and the eSwitch of a
 * DPU.  Guests reach its devices through vhost-user sockets.
 *
 *   - soft-backend.c: the backend class; what firmware would do.
 *
 *   - soft-place.c: switch ports, VUIDs, PCI addresses.
 *
 *   - soft-vhost-user.c: the attachment: connections, the state of the driver;
 *     soft-vhost-private.h says what its files are.
 *
 *   - soft-socket.c: paths of sockets.
 *
 *   - soft-await.c: waits for them to appear.
 *
 *   - soft-rep*.c: the representor: packets and counters.
 *
 *   - soft-packet.c, soft-packet-tx.c: offloads, where versions of Open
 *     vSwitch differ.
 *
 *   - soft-eswitch.c: flows that are offloaded.
 *
 *   - soft-unplug.c: flows of devices that are being unplugged.
 *
 *   - soft-mempool.c: packet memory. */

#include "openvswitch/list.h"
#include "soft-await.h"
#include "soft-rep.h"
#include "soft-vhost-user.h"
#include "virtnet-device.h"

struct virtnet_settings;

struct soft_device {
    struct virtnet_device up;
    unsigned int slot;          /* See soft-place.h; 0 if none yet. */
    bool own_path;              /* Was the socket's path made up here? */
    long long int gone_at;      /* time_msec() when a front end went. */
    struct soft_await await;    /* For the front end's socket. */
    struct ovs_list unplug_node; /* See soft-unplug.c. */
    struct soft_vhost_user vhost; /* Attachment. */
    struct soft_rep rep;        /* Representor. */
};

static inline struct soft_device *
soft_device_cast(const struct virtnet_device *dev)
{
    return CONTAINER_OF(dev, struct soft_device, up);
}

/* Settings of the backend that 'dev' belongs to. */
const struct virtnet_settings *soft_device_settings(
    const struct virtnet_device *dev);

#endif /* soft-backend.h */
