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

#ifndef VIRTNET_REGISTRY_H
#define VIRTNET_REGISTRY_H 1

/* The devices that there are, in order and by every name that they have; and
 * the numbers that are in use.
 *
 * For the parts of the controller; others use the functions for looking
 * devices up in virtnet-controller.h, which are implemented here, too.  No
 * operation takes longer the more devices there are.  Main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtnet-device.h"

/* More PFs than one host can have; bounds pf_id. */
#define VIRTNET_MAX_PFS 4096

/* More VFs than one card can have. */
#define VIRTNET_MAX_VFS 8192

void virtnet_registry_init(void);

/* Adds 'dev', whose identity is complete.  Its VUID and representor must be
 * new. */
void virtnet_registry_insert(struct virtnet_device *dev);
void virtnet_registry_remove(struct virtnet_device *dev);

/* Is 'dev' in the registry? */
bool virtnet_registry_contains(const struct virtnet_device *dev);

/* Assigns dev->config.mac. */
void virtnet_registry_set_mac(struct virtnet_device *dev,
                              const struct eth_addr mac);

/* Number of devices of 'type'. */
size_t virtnet_registry_count(enum virtnet_function_type type);

/* Numbers.  Marks the pf_id (of a PF) and the sf_num of 'dev' as in use, or
 * free. */
void virtnet_registry_claim_numbers(const struct virtnet_device *dev);
void virtnet_registry_release_numbers(const struct virtnet_device *dev);

/* Returns the lowest PF id that is free; VIRTNET_MAX_PFS or more if there is
 * none. */
unsigned int virtnet_registry_free_pf_id(void);
bool virtnet_registry_pf_id_is_free(unsigned int pf_id);

/* First and last SF number of devices of 'type'. */
uint32_t virtnet_sf_min(enum virtnet_function_type type);
uint32_t virtnet_sf_max(enum virtnet_function_type type);

/* Stores the lowest SF number for 'type', from 'min' on, that no device has in
 * '*sf_num'.  Returns false if there is none. */
bool virtnet_registry_free_sf_num(enum virtnet_function_type type,
                                  uint32_t min, uint32_t *sf_num);
bool virtnet_registry_sf_num_is_free(uint32_t sf_num);

#endif /* virtnet-registry.h */
