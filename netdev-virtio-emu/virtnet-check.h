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

#ifndef VIRTNET_CHECK_H
#define VIRTNET_CHECK_H 1

/* Rules that single attributes of devices have to keep, whoever asks for
 * them: a hotplug, a modification, a record, a setting.
 *
 * Each function returns 0, or the number that the operator shall see, with one
 * line in '*errp' that the caller must free.  Main thread. */

#include <stdint.h>

#include "openvswitch/types.h"
#include "virtnet-device.h"

struct virtnet_backend_caps;

/* Parses 'text' into '*mac' and checks that it can be the address of 'dev'
 * (NULL for a new device), i.e. that no other device has it. */
int virtnet_check_mac(const char *text, const struct virtnet_device *dev,
                      struct eth_addr *mac, char **errp);

/* Checks that devices whose parent is 'ib_device' can have the MTU: their
 * packets have to fit through the parent's uplink, if that is a port. */
int virtnet_check_mtu(unsigned long long int mtu, const char *ib_device,
                      char **errp);

/* Number of descriptors. */
int virtnet_check_queue_size(unsigned long long int size, char **errp);

/* Number of data queue pairs of a PF. */
int virtnet_check_queue_pairs(unsigned long long int pairs,
                              const struct virtnet_backend_caps *,
                              char **errp);

/* Is the guest of 'dev', or, with 'vfs', of one of its VFs not on its way to
 * another host?  Where it goes nobody would know of a change, and what is seen
 * here is no longer what there is. */
int virtnet_check_migrating(const struct virtnet_device *dev, bool vfs,
                            char **errp);

/* Feature bits that a device is to offer. */
int virtnet_check_features(uint64_t features,
                           const struct virtnet_backend_caps *, char **errp);

/* What the backend cannot do together: "features" that were checked and the
 * MTU.  virtnet_controller_apply_config() calls it, too. */
int virtnet_check_together(const struct virtnet_device_config *,
                           const struct virtnet_backend_caps *, char **errp);

/* Returns what a device of 'type' offers when 'features' are asked for: what
 * every device must offer is added, and what only PFs with VFs can have is
 * left out for others, since operators give all devices the same numbers; so
 * is what devices of a card may offer, and this backend cannot, since those
 * numbers are a card's. */
uint64_t virtnet_features_for(uint64_t features,
                              enum virtnet_function_type type,
                              const struct virtnet_backend_caps *);

/* Returns a line about those of 'features' that are left out since only a card
 * can offer them, which the caller must free; or NULL if there are none. */
char *virtnet_features_left_out(uint64_t features,
                                const struct virtnet_backend_caps *);

/* Greatest number of queue pairs that a device can have. */
unsigned int virtnet_max_queue_pairs(const struct virtnet_backend_caps *);

#endif /* virtnet-check.h */
