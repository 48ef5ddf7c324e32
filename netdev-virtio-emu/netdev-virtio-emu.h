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

#ifndef NETDEV_VIRTIO_EMU_H
#define NETDEV_VIRTIO_EMU_H 1

/* The netdev class "virtio-emu": the representor of an emulated virtio-net
 * function as a port of the userspace datapath.
 *
 * Which device
 * ============
 *
 * An Interface of the type names its device by exactly one of
 *
 *    options:vuid=VUID
 *    options:pf=ID [options:vf=ID]
 *    options:hotplug=true, with the attributes of a new device; see
 *        "virtio_emu_hotplug()" in netdev-virtio-config.c for their keys
 *
 * or, with none of them, by the Interface's own name, if that is the name of a
 * representor.
 *
 * A netdev is bound to at most one device, and a device to at most one netdev.
 * Until the controller is running, an Interface waits unbound for its device
 * (no carrier, nothing polled).  Afterwards, one whose device does not exist
 * is an error, which the bridge shows in Interface.error, and is tried again
 * when devices come.
 *
 * Queues
 * ======
 *
 * A device without a driver has no receive queues, so that a thousand idle
 * devices cost the packet threads nothing and Open vSwitch does not schedule,
 * log and reschedule their queues at each change of the set of ports.  Queues
 * appear, by reconfiguration of the port, when a driver enables them.  Any
 * number of transmit queues is accepted from the datapath; the backend maps
 * them to those that the driver has enabled, and locks.
 *
 * MAC address
 * ===========
 *
 * The port has the representor's address, which is locally administered, and
 * not the guest's: a bridge takes the lowest global address among its ports
 * for itself, and must not end up with that of a guest. */

#include <stdbool.h>

struct netdev;
struct virtio_emu_rep;
struct virtnet_device;

/* For those who offload flows.  Any thread. */

/* Is 'netdev' of this class? */
bool virtio_emu_is(const struct netdev *netdev);

/* Returns the device that 'netdev' is bound to, or NULL if there is none or
 * 'netdev' is of another class.  Valid until the caller quiesces. */
struct virtnet_device *virtio_emu_get_device(const struct netdev *netdev);

/* Main thread only: are flows of 'netdev', which is of this class, up to Open
 * vSwitch's own provider for DPDK, and not to its device's backend? */
bool virtio_emu_offload_by_dpdk(struct netdev *netdev);

/* Returns what packets of 'netdev', which is of this class, go through: see
 * netdev-virtio-dpdk.h.  Valid as long as 'netdev'. */
struct virtio_emu_rep *virtio_emu_get_rep(const struct netdev *netdev);

/* Main thread only: the status of 'netdev', which is of this class, says
 * 'warning', or nothing if that is NULL. */
void virtio_emu_set_warning(struct netdev *netdev, const char *warning);

/* Main thread only: from now on flows of 'netdev' may be offloaded, or may
 * not, whatever device it is bound to. */
void virtio_emu_set_offload(struct netdev *netdev, bool offload);

/* Main thread only: ports whose device has gone, and devices without port, are
 * about to come right. */
void virtio_emu_postpone_recheck(void);

/* Main thread only: closes netdevs of this class that nobody uses any more.
 * netdev_run() does that, which in each turn of the main loop comes after all
 * that deletes ports; what is deleted after the last turn is for the caller.
 *
 * Threads that offload or look at flows hold a netdev for moments, in some
 * versions of Open vSwitch until after its port has been deleted.  If the last
 * reference were one of theirs they would destroy it, but it belongs to the
 * main thread, as its device does.  So the class has a reference of its own to
 * every netdev that has been configured, which ends here. */
void virtio_emu_close_unused(void);

/* Makes the class known to Open vSwitch.  Main thread, once, after
 * virtnet_controller_init(). */
void virtio_emu_register(void);

#endif /* netdev-virtio-emu.h */
