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


/* See soft-packed-ring.h.
 *
 * Security model
 * ==============
 *
 * The descriptors are in the memory of a hostile guest, and may change while
 * we read.  Only their flags are read, each once, at indices below the size of
 * the ring.  That the whole of it is the guest's memory is checked here: a
 * front end may enlarge a ring after librte_vhost has looked.  Whatever the
 * flags say, the result is an index below that size, or none.  A guest that
 * lies about its own ring only harms itself. */

#include <config.h>

#include "soft-packed-ring.h"

#include <rte_vhost.h>

#include "openvswitch/vlog.h"
#include "soft-ring.h"
#include "util.h"
#include "virtq-mem.h"

VLOG_DEFINE_THIS_MODULE(virtnet_packed_ring);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 40);

#define F_INDIRECT (UINT64_C(1) << 28)
#define F_RING_PACKED (UINT64_C(1) << 34)

#define DESC_F_USED 0x8000

/* Returns the "used" flag of descriptor 'i'.  The device writes it as its wrap
 * counter is; the driver, making a descriptor available, as its own wrap
 * counter is not. */
static bool
used_flag(const struct vring_packed_desc *ring, uint16_t i)
{
    const volatile uint16_t *flags = &ring[i].flags;

    return *flags & DESC_F_USED;
}

/* Returns true if a device that has come as far as 'place' can have left the
 * ring as it is.  The descriptor there is the next to be used, so it is not
 * used in this lap; and the one before it is, in this lap or, for the last of
 * the ring, the lap before. */
bool
soft_packed_ring_agrees(const struct vring_packed_desc *ring, uint16_t size,
                        uint16_t place)
{
    uint16_t index = place & SOFT_PACKED_INDEX;
    bool wrap = place & SOFT_PACKED_WRAP;

    if (index >= size) {
        return false;
    }
    return (used_flag(ring, index) != wrap
            && (index
                ? used_flag(ring, index - 1) == wrap
                : used_flag(ring, size - 1) != wrap));
}

/* Stores into '*place' how far the device has come, and returns true.  Returns
 * false if the ring does not tell, since some buffers take several
 * descriptors.
 *
 * Behind the device, all "used" flags are as its wrap counter is: it wrote
 * them, or the driver has done so since, in the next lap.  In front of it they
 * are the opposite, for the same reasons.  So the place is where they
 * change. */
bool
soft_packed_ring_find(const struct vring_packed_desc *ring, uint16_t size,
                      uint16_t *place)
{
    bool first, last;
    uint16_t index;

    if (!size || size > SOFT_PACKED_WRAP) {
        return false;
    }
    first = used_flag(ring, 0);
    index = 1;
    while (index < size && used_flag(ring, index) == first) {
        index++;
    }
    if (index == size) {
        /* A lap has just ended, and none of the next is used. */
        *place = first ? 0 : SOFT_PACKED_WRAP;
        return true;
    }
    *place = index | (first ? SOFT_PACKED_WRAP : 0);
    for (last = !first; index < size; index++) {
        if (used_flag(ring, index) != last) {
            return false;
        }
    }
    return true;
}

/* Corrects where librte_vhost would go on in the packed virtqueues of 'vid',
 * where what the front end told it cannot be.  'features' are those that were
 * negotiated.  'vid' must have memory.  To be called before packets pass. */
void
soft_packed_rings_recover(int vid, uint64_t features)
{
    struct virtq_mem *mem;
    uint16_t n_vrings;

    if (!(features & F_RING_PACKED) || !(features & F_INDIRECT)
        || soft_ring_load_memory(vid, &mem)) {
        return;
    }
    n_vrings = rte_vhost_get_vring_num(vid);
    for (uint16_t i = 0; i < n_vrings; i++) {
        struct rte_vhost_vring vring;
        uint16_t avail, used, place;

        if (rte_vhost_get_vhost_vring(vid, i, &vring)
            || !virtq_mem_contains(mem, vring.desc_packed,
                                   vring.size * sizeof *vring.desc_packed)
            || rte_vhost_get_vring_base(vid, i, &avail, &used)
            || soft_packed_ring_agrees(vring.desc_packed, vring.size, used)
            || !soft_packed_ring_find(vring.desc_packed, vring.size, &place)) {
            continue;
        }
        VLOG_INFO_RL(&rl, "vhost device %d: virtqueue %"PRIu16" goes on at "
                     "%"PRIu16" (wrap counter %d), not at %"PRIu16" (%d) as "
                     "its front end believes", vid, i,
                     (uint16_t) (place & SOFT_PACKED_INDEX),
                     !!(place & SOFT_PACKED_WRAP),
                     (uint16_t) (used & SOFT_PACKED_INDEX),
                     !!(used & SOFT_PACKED_WRAP));
        rte_vhost_set_vring_base(vid, i, place, place);
    }
    virtq_mem_destroy(mem);
}
