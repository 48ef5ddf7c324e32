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


/* Unit tests of soft-packed-ring.c: a driver and a device play with a ring,
 * and at every step it has to tell how far the device has come. */

#include <config.h>
#undef NDEBUG

#include "soft-packed-ring.h"

#include <assert.h>
#include <rte_vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "openvswitch/compiler.h"
#include "openvswitch/vlog.h"
#include "util.h"

#define AVAIL 0x0080
#define USED 0x8000

struct side {
    uint16_t index;
    bool wrap;
};

static void
advance(struct side *side, uint16_t size)
{
    if (++side->index == size) {
        side->index = 0;
        side->wrap = !side->wrap;
    }
}

static uint16_t
place_of(const struct side *side)
{
    return side->index | (side->wrap ? SOFT_PACKED_WRAP : 0);
}

static void
test_laps(uint16_t size, unsigned int seed)
{
    struct vring_packed_desc *ring = calloc(size, sizeof *ring);
    struct side driver = { 0, true }, device = { 0, true };
    uint16_t pending = 0;

    srand(seed);
    for (int step = 0; step < size * 20; step++) {
        uint16_t place, fresh = SOFT_PACKED_WRAP;

        if (pending < size && (rand() & 1 || !pending)) {
            ring[driver.index].flags = driver.wrap ? AVAIL : USED;
            advance(&driver, size);
            pending++;
        } else {
            ring[device.index].flags = device.wrap ? AVAIL | USED : 0;
            advance(&device, size);
            pending--;
        }

        assert(soft_packed_ring_agrees(ring, size, place_of(&device)));
        assert(soft_packed_ring_find(ring, size, &place));
        assert(place == place_of(&device));

        /* Every other place is wrong, and known to be. */
        for (uint16_t i = 0; i < size; i++) {
            for (int wrap = 0; wrap < 2; wrap++) {
                struct side other = { i, wrap };

                assert(soft_packed_ring_agrees(ring, size, place_of(&other))
                       == (place_of(&other) == place));
            }
        }
        assert(soft_packed_ring_agrees(ring, size, fresh)
               == (place == fresh));
    }
    free(ring);
}

static void
test_odd_rings(void)
{
    struct vring_packed_desc ring[8];
    uint16_t place;

    memset(ring, 0, sizeof ring);
    assert(soft_packed_ring_find(ring, 8, &place)
           && place == SOFT_PACKED_WRAP);
    assert(!soft_packed_ring_find(ring, 0, &place));
    assert(!soft_packed_ring_agrees(ring, 8, 8 | SOFT_PACKED_WRAP));
    assert(!soft_packed_ring_agrees(ring, 8, SOFT_PACKED_INDEX));

    /* A buffer of two descriptors: the second one stays as the driver wrote
     * it, and nothing can be said. */
    ring[0].flags = AVAIL | USED;
    ring[1].flags = AVAIL;
    ring[2].flags = AVAIL | USED;
    assert(!soft_packed_ring_find(ring, 8, &place));
}

/* What librte_vhost would tell of a device with one virtqueue, which is
 * all the memory that there is. */
static struct rte_vhost_vring vhost_vring;
static uint16_t vhost_base;
static size_t memory_size;

uint16_t __wrap_rte_vhost_get_vring_num(int vid);
int __wrap_rte_vhost_get_vhost_vring(int vid, uint16_t index,
                                     struct rte_vhost_vring *);
int __wrap_rte_vhost_get_vring_base(int vid, uint16_t index, uint16_t *avail,
                                    uint16_t *used);
int __wrap_rte_vhost_set_vring_base(int vid, uint16_t index, uint16_t avail,
                                    uint16_t used);
int __wrap_rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **);

uint16_t
__wrap_rte_vhost_get_vring_num(int vid OVS_UNUSED)
{
    return 1;
}

int
__wrap_rte_vhost_get_vhost_vring(int vid OVS_UNUSED, uint16_t index OVS_UNUSED,
                                 struct rte_vhost_vring *vring)
{
    *vring = vhost_vring;
    return 0;
}

int
__wrap_rte_vhost_get_vring_base(int vid OVS_UNUSED, uint16_t index OVS_UNUSED,
                                uint16_t *avail, uint16_t *used)
{
    *avail = *used = vhost_base;
    return 0;
}

int
__wrap_rte_vhost_set_vring_base(int vid OVS_UNUSED, uint16_t index OVS_UNUSED,
                                uint16_t avail, uint16_t used)
{
    assert(avail == used);
    vhost_base = used;
    return 0;
}

int
__wrap_rte_vhost_get_mem_table(int vid OVS_UNUSED,
                               struct rte_vhost_memory **memp)
{
    struct rte_vhost_memory *mem;

    mem = xzalloc(sizeof *mem + sizeof mem->regions[0]);
    mem->nregions = 1;
    mem->regions[0].guest_phys_addr = 0x10000;
    mem->regions[0].host_user_addr = (uintptr_t) vhost_vring.desc_packed;
    mem->regions[0].size = memory_size;
    *memp = mem;
    return 0;
}

/* Returns where a ring of 'size' goes on that is said to go on at 5. */
static uint16_t
recover(uint16_t size, uint64_t features)
{
    vhost_vring.size = size;
    vhost_base = SOFT_PACKED_WRAP | 5;
    soft_packed_rings_recover(0, features);
    return vhost_base;
}

/* A fresh ring is recognized, and nothing beyond its end is looked at. */
static void
test_recover(void)
{
    const uint64_t packed = UINT64_C(1) << 34, indirect = UINT64_C(1) << 28;
    size_t page = getpagesize();
    uint16_t size = page / sizeof *vhost_vring.desc_packed;
    char *pages;

    memory_size = page;
    pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(pages != MAP_FAILED);
    assert(!mprotect(pages + page, page, PROT_NONE));
    vhost_vring.desc_packed = (struct vring_packed_desc *) pages;

    assert(recover(size, packed | indirect) == SOFT_PACKED_WRAP);
    assert(recover(size, packed) == (SOFT_PACKED_WRAP | 5));
    assert(recover(size, indirect) == (SOFT_PACKED_WRAP | 5));

    /* A front end has enlarged the ring after librte_vhost looked. */
    assert(recover(size + 1, packed | indirect) == (SOFT_PACKED_WRAP | 5));
    assert(recover(32768, packed | indirect) == (SOFT_PACKED_WRAP | 5));
    munmap(pages, 2 * page);
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    test_recover();
    test_odd_rings();
    for (unsigned int seed = 1; seed <= 20; seed++) {
        test_laps(1, seed);
        test_laps(2, seed);
        test_laps(7, seed);
        test_laps(64, seed);
    }
    return 0;
}
