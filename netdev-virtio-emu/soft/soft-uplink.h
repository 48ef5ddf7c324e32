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

#ifndef SOFT_UPLINK_H
#define SOFT_UPLINK_H 1

/* Ports of other types as inputs of the software eSwitch: the functions for
 * uplinks of virtnet-flow-provider.h.
 *
 * An uplink is a device as far as the eSwitch is concerned, with a table of
 * flows and counters, and nothing else of one: it has no rings, no memory and
 * is in nobody's list.
 *
 * Threads: the main thread creates and destroys, packet threads receive. */

struct dp_packet_batch;
struct virtnet_device;

struct virtnet_device *soft_uplink_create(const char *name);
void soft_uplink_destroy(struct virtnet_device *);
void soft_uplink_recv(struct virtnet_device *, struct dp_packet_batch *);

#endif /* soft-uplink.h */
