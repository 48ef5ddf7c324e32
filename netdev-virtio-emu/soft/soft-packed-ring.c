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
 * we read.  Only their flags are read, at indices below the size of the ring,
 * and a place is found in a copy of them.  Whatever they say, the result is an
 * index below that size, or none.  A guest that lies about its own ring only
 * harms itself. */

#include <config.h>

#include "soft-packed-ring.h"

#include <rte_byteorder.h>
#include <rte_vhost.h>
#include <stdlib.h>

#include "ovs-atomic.h"
#include "util.h"
#include "virtq-ring.h"
#include "virtq.h"

/* What an element of the ring is to a device that gets to it. */
enum element {
    ELEMENT_AVAILABLE,          /* To be used in this lap. */
    ELEMENT_USED,               /* Has been, in this lap. */
    ELEMENT_OLD,                /* Used in the lap before, and no more. */
    ELEMENT_MISSED,             /* To be used in the lap before; was not. */
};

static uint16_t
load_flags(const struct vring_packed_desc *desc)
{
    return rte_le_to_cpu_16(*(const volatile uint16_t *) &desc->flags);
}

/* Returns what an element with 'flags' is in a lap with wrap counter 'wrap'.
 * VIRTIO 1.2, section 2.8.1. */
static enum element
classify(uint16_t flags, bool wrap)
{
    bool avail = flags & VIRTQ_F_AVAIL;
    bool used = flags & VIRTQ_F_USED;

    return (avail == wrap
            ? (used == wrap ? ELEMENT_USED : ELEMENT_AVAILABLE)
            : (used == wrap ? ELEMENT_MISSED : ELEMENT_OLD));
}

/* Stores into '*place' how far the device has come in the ring of 'size'
 * descriptors, and into '*n_torn' how many elements from there on are to be
 * passed over, some of which have been used out of order.  Returns false if
 * the ring does not tell, since some buffers take several descriptors, or the
 * driver was just writing.
 *
 * Of the elements from the device's place on, for one lap, none can have been
 * missed in the lap before.  Those that are available come first; then those
 * that are not yet.  There is one such place only, if among those that are
 * available there may be some that have been used before it was their turn,
 * but not the first of them:
 *
 *     - A device that dies while it hands over a batch has written the first
 *       one last, or not at all.
 *
 *     - A QEMU without back end drops what its guest transmits, from where it
 *       believes to be: a place of which it was told long ago.
 *
 * A driver that uses tables does without one if it gets no memory for it, or
 * if the buffer has more pieces than it puts into one.  Only the first element
 * of such a buffer is written when it is used.  The others look as if they
 * were available for ever, which does not matter if more has been used behind
 * them.  Otherwise they look like the next buffer of several descriptors, and
 * so the ring does not tell if there is one. */
bool
soft_packed_ring_find(const struct vring_packed_desc *ring, uint16_t size,
                      uint16_t *place, uint16_t *n_torn)
{
    uint32_t wrong = 0, n_places = 0, end_torn = 0;
    enum element previous = ELEMENT_AVAILABLE;
    bool chained = false;
    uint16_t *flags;

    if (!size || size > SOFT_PACKED_WRAP) {
        return false;
    }

    /* Backwards, since a driver may be making more of them available. */
    flags = xmalloc(size * sizeof *flags);
    for (uint16_t i = size; i-- > 0;) {
        flags[i] = load_flags(&ring[i]);
    }

    /* Places of two laps are counted from that of a new ring; the lap from any
     * of them ends within the third.  None below 'wrong' is possible. */
    *place = *n_torn = 0;
    for (uint32_t i = 0; i < 3u * size; i++) {
        enum element e = classify(flags[i % size], !(i / size & 1));

        if (e == ELEMENT_MISSED) {
            wrong = i + 1;
        } else if (i && e != ELEMENT_OLD && previous == ELEMENT_OLD) {
            wrong = MAX(wrong, i);
        }
        if (e == ELEMENT_USED) {
            end_torn = i + 1;
        }
        previous = e;

        if (i + 1 >= size && i + 1 < 3u * size) {
            uint32_t first = i + 1 - size;
            bool wrap = !(first / size & 1);

            if (first >= wrong
                && classify(flags[first % size], wrap) != ELEMENT_USED) {
                *place = first % size | (wrap ? SOFT_PACKED_WRAP : 0);
                *n_torn = end_torn > first ? end_torn - first : 0;
                n_places++;
            }
        }
    }
    if (n_places == 1) {
        uint32_t next = (*place & SOFT_PACKED_INDEX) + *n_torn;
        bool wrap = !(*place & SOFT_PACKED_WRAP) == (next >= size);

        next %= size;
        chained = (flags[next] & VIRTQ_F_NEXT
                   && classify(flags[next], wrap) == ELEMENT_AVAILABLE);
    }
    free(flags);
    return n_places == 1 && !chained;
}

/* Gives back, unused, those of the 'n' elements of the ring from 'place' on
 * that the driver still waits for, and returns the place behind them.  'ring'
 * and 'size' are as for soft_packed_ring_find(). */
uint16_t
soft_packed_ring_mend(struct vring_packed_desc *ring, uint16_t size,
                      uint16_t place, uint16_t n)
{
    uint16_t index = place & SOFT_PACKED_INDEX;
    bool wrap = place & SOFT_PACKED_WRAP;

    for (; n; n--) {
        if (classify(load_flags(&ring[index]), wrap) != ELEMENT_USED) {
            ring[index].len = 0;
            atomic_thread_fence(memory_order_release);
            *(volatile uint16_t *) &ring[index].flags = rte_cpu_to_le_16(
                wrap ? VIRTQ_F_AVAIL | VIRTQ_F_USED : 0);
        }
        if (++index == size) {
            index = 0;
            wrap = !wrap;
        }
    }
    return index | (wrap ? SOFT_PACKED_WRAP : 0);
}

/* Corrects where the packed ring of '*c', which must be the guest's memory as
 * a whole, goes on, if what the front end believes cannot be.  Returns true if
 * buffers have been given back: then the driver is to be notified, and the
 * ring has been written to.  To be called before packets pass. */
bool
soft_packed_ring_recover(struct virtq_config *c)
{
    uint16_t place, n_torn;

    ovs_assert(c->packed);
    if (!c->indirect) {
        return false;
    }

    /* A driver that makes buffers available just while the ring is looked at
     * can have it seem impossible, but hardly each time. */
    for (int i = 0; !soft_packed_ring_find(c->desc, c->size, &place, &n_torn);
         i++) {
        if (i >= 10) {
            return false;
        }
    }
    c->avail_base = c->used_base = soft_packed_ring_mend(c->desc, c->size,
                                                         place, n_torn);
    return n_torn;
}
