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


#ifndef SOFT_PACKED_RING_H
#define SOFT_PACKED_RING_H 1

/* Finds its place in a packed virtqueue again.
 *
 * A split virtqueue says in shared memory how far the device has come.  A
 * packed one does not: the device has to remember, and a front end whose back
 * end died without telling it can only offer what it was last told.  But for
 * rings in which each buffer takes one descriptor, which is what drivers make
 * of them that use indirect descriptors, the descriptors' flags tell. */

#include <stdbool.h>
#include <stdint.h>

struct virtq_config;
struct vring_packed_desc;

/* A place in a packed virtqueue, as VHOST_USER_SET_VRING_BASE has it: the
 * index in the lower 15 bits, the wrap counter above. */
#define SOFT_PACKED_INDEX 0x7fff
#define SOFT_PACKED_WRAP 0x8000

bool soft_packed_ring_find(const struct vring_packed_desc *, uint16_t size,
                           uint16_t *place, uint16_t *n_torn);
uint16_t soft_packed_ring_mend(struct vring_packed_desc *, uint16_t size,
                               uint16_t place, uint16_t n);
bool soft_packed_ring_recover(struct virtq_config *);

#endif /* soft-packed-ring.h */
