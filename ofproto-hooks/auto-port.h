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

#ifndef AUTO_PORT_H
#define AUTO_PORT_H 1

/* Ports that come and go with their devices.
 *
 * A session with the database of its own, beside the one of bridge.c, which
 * may not write what this has to.  It never blocks: it looks at what is
 * wanted, i.e. the devices of the controller and the settings, compares it
 * with the rows, and sends whatever makes the difference as one transaction.
 * It does so again whenever either side changes, so it does not matter which
 * of them came first, what got lost, or who else writes.
 *
 * Rules
 * =====
 *
 *   - A device is wanted as a port of one bridge: the one that its creator
 *     named; else the one that the settings name for its parent; else the one
 *     of other_config:virtnet-bridge; else the one that holds its parent's
 *     uplink; else none.  It moves when that changes, but a port that is in a
 *     bridge already stays there while the one that is wanted does not exist.
 *     'port_status' of a device says why it has no port, or the wrong one.
 *
 *   - Rows made here are marked, in Port and Interface, by
 *     external_ids:virtnet-managed=VUID.  Others are never changed or deleted,
 *     except that an untyped Interface with the name of a representor is given
 *     its type and options:vuid: "ovs-vsctl add-port br0 en3f0pf0sf2000" is
 *     what every runbook says.
 *
 *   - other_config:virtnet-iface-id-VUID, if set, becomes
 *     external_ids:iface-id of the marked Interface, for OVN.
 *
 *   - A device that an operator's row has already gets no port from here,
 *     until that row is gone.
 *
 *   - An operator who deletes a marked port, but not its bridge, does not want
 *     it: it stays away until "virtnet/port-attach" or the next start.  What
 *     was not seen to be deleted, since the database was away, was not.
 *
 *   - A device made by an Interface with options:hotplug=true is unplugged
 *     when that Interface is gone.
 *
 * All functions: main thread. */

void auto_port_init(const char *remote);

/* Before the bridges run.  Also tells the controller its settings. */
void auto_port_run(void);

/* After the bridges have run. */
void auto_port_wait(void);

void auto_port_exit(void);

#endif /* auto-port.h */
