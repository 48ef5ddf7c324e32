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

#include "openvswitch/compiler.h"
#include "util.h"
#include "virtq.h"

#define NEXT 0x0001
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

/* A ring, its driver, and its device, each of which has one buffer of one
 * descriptor in hand at a time. */
struct game {
    struct vring_packed_desc *ring;
    uint16_t size;
    struct side driver;         /* Where it makes the next one available, */
    struct side reaped;         /* and where it looks for the next used one. */
    struct side device;
    uint16_t n_pending;         /* Available, and not reaped. */
    uint16_t *free_ids;         /* 'size' minus 'n_pending' of them. */
};

static void
game_init(struct game *game, uint16_t size)
{
    memset(game, 0, sizeof *game);
    game->ring = xcalloc(size, sizeof *game->ring);
    game->size = size;
    game->driver.wrap = game->reaped.wrap = game->device.wrap = true;
    game->free_ids = xmalloc(size * sizeof *game->free_ids);
    for (uint16_t i = 0; i < size; i++) {
        game->free_ids[i] = i;
    }
}

static void
game_destroy(struct game *game)
{
    free(game->ring);
    free(game->free_ids);
}

/* The driver makes a buffer available, if it has one. */
static void
driver_add(struct game *game)
{
    if (game->n_pending < game->size) {
        struct vring_packed_desc *d = &game->ring[game->driver.index];

        d->id = game->free_ids[game->size - ++game->n_pending];
        d->len = 1;
        d->flags = game->driver.wrap ? AVAIL : USED;
        advance(&game->driver, game->size);
    }
}

/* The driver takes the used buffers back, in their order in the ring. */
static void
driver_reap(struct game *game)
{
    while (game->n_pending) {
        struct vring_packed_desc *d = &game->ring[game->reaped.index];

        if (d->flags != (game->reaped.wrap ? AVAIL | USED : 0)) {
            break;
        }
        game->free_ids[game->size - game->n_pending--] = d->id;
        advance(&game->reaped, game->size);
    }
}

/* Somebody who believes to be 'device' uses the next buffer, if it sees one,
 * and returns true. */
static bool
device_use(struct game *game, struct side *device)
{
    struct vring_packed_desc *d = &game->ring[device->index];

    if (d->flags != (device->wrap ? AVAIL : USED)) {
        return false;
    }
    d->flags = device->wrap ? AVAIL | USED : 0;
    d->len = 0;
    advance(device, game->size);
    return true;
}

/* A device that has crashed goes on where the ring says. */
static void
device_recover(struct game *game)
{
    uint16_t place, n;

    assert(soft_packed_ring_find(game->ring, game->size, &place, &n));
    place = soft_packed_ring_mend(game->ring, game->size, place, n);
    game->device.index = place & SOFT_PACKED_INDEX;
    game->device.wrap = place & SOFT_PACKED_WRAP;

    /* There is nothing left to mend. */
    assert(soft_packed_ring_find(game->ring, game->size, &place, &n));
    assert(place == place_of(&game->device) && !n);
}

/* All that the driver ever made available it gets back, once. */
static void
game_end(struct game *game)
{
    bool *seen = xcalloc(game->size, sizeof *seen);

    while (device_use(game, &game->device)) {
        continue;
    }
    driver_reap(game);
    assert(!game->n_pending);
    assert(place_of(&game->reaped) == place_of(&game->driver));
    for (uint16_t i = 0; i < game->size; i++) {
        assert(game->free_ids[i] < game->size && !seen[game->free_ids[i]]);
        seen[game->free_ids[i]] = true;
    }
    free(seen);
}

static void
play(struct game *game, int n_steps)
{
    for (int i = 0; i < n_steps; i++) {
        switch (rand() % 4) {
        case 0: case 1: driver_add(game); break;
        case 2: device_use(game, &game->device); break;
        case 3: driver_reap(game); break;
        }
    }
}

/* While all goes well, the ring tells the place at any time. */
static void
test_laps(uint16_t size, unsigned int seed)
{
    struct game game;

    srand(seed);
    game_init(&game, size);
    for (int step = 0; step < size * 20; step++) {
        uint16_t place, n;

        play(&game, 1);
        assert(soft_packed_ring_find(game.ring, size, &place, &n));
        assert(place == place_of(&game.device) && !n);
    }
    game_end(&game);
    game_destroy(&game);
}

/* The device dies in the middle of batches, of which it wrote the first
 * element last. */
static void
test_torn_batches(uint16_t size, unsigned int seed)
{
    struct game game;

    srand(seed);
    game_init(&game, size);
    for (int round = 0; round < 50; round++) {
        struct side torn;

        play(&game, rand() % (size * 6));
        torn = game.device;
        advance(&torn, size);
        for (int n = rand() % size; n > 0; n--) {
            device_use(&game, &torn);
        }
        device_recover(&game);
    }
    game_end(&game);
    game_destroy(&game);
}

/* While there is no device, the front end drops what the driver makes
 * available, from a place of which it was told at some time. */
static void
test_drops(uint16_t size, unsigned int seed)
{
    struct side stale;
    struct game game;

    srand(seed);
    game_init(&game, size);
    stale = game.device;
    for (int round = 0; round < 50; round++) {
        play(&game, rand() % (size * 6));
        for (int n = rand() % (2 * size); n > 0; n--) {
            if (rand() % 2) {
                driver_add(&game);
            }
            if (rand() % 2) {
                device_use(&game, &stale);
            }
            if (!(rand() % 8)) {
                driver_reap(&game);
            }
        }
        device_recover(&game);
        if (rand() % 2) {
            stale = game.device;
        }
    }
    game_end(&game);
    game_destroy(&game);
}

static void
test_odd_rings(void)
{
    struct vring_packed_desc ring[8];
    uint16_t place, n;

    memset(ring, 0, sizeof ring);
    assert(soft_packed_ring_find(ring, 8, &place, &n)
           && place == SOFT_PACKED_WRAP && !n);
    assert(!soft_packed_ring_find(ring, 0, &place, &n));
    assert(!soft_packed_ring_find(ring, SOFT_PACKED_WRAP + 1, &place, &n));

    /* The rests of buffers of several descriptors stay as the driver wrote
     * them, in one lap or another, and nothing can be said. */
    ring[0].flags = ring[2].flags = AVAIL;
    ring[1].flags = USED;
    assert(!soft_packed_ring_find(ring, 8, &place, &n));
}

/* A driver that otherwise uses tables writes a buffer of three descriptors
 * into a ring of 'size', from 'start' on. */
static void
test_pieces(uint16_t size, uint16_t start)
{
    uint16_t place, n, first, last;
    struct game game;

    game_init(&game, size);
    for (uint16_t i = 0; i < start; i++) {
        driver_add(&game);
        device_use(&game, &game.device);
        driver_reap(&game);
    }
    first = game.driver.index;
    for (int i = 0; i < 3; i++) {
        last = game.driver.index;
        driver_add(&game);
        game.ring[last].flags |= i < 2 ? NEXT : 0;
    }

    /* This may also be what is left of one of four descriptors. */
    assert(!soft_packed_ring_find(game.ring, size, &place, &n));

    /* This may also be a used one of one descriptor, and one of two. */
    game.ring[first].flags = game.device.wrap ? AVAIL | USED : 0;
    assert(!soft_packed_ring_find(game.ring, size, &place, &n));

    /* Not if more has been used. */
    for (int i = 0; i < 3; i++) {
        advance(&game.device, size);
    }
    driver_add(&game);
    device_use(&game, &game.device);
    driver_add(&game);
    assert(soft_packed_ring_find(game.ring, size, &place, &n));
    place = soft_packed_ring_mend(game.ring, size, place, n);
    assert(place == place_of(&game.device));
    game_destroy(&game);
}

/* Whatever there is, the result is a place, or none. */
static void
test_garbage(uint16_t size, unsigned int seed)
{
    struct vring_packed_desc *ring = xcalloc(size, sizeof *ring);
    uint16_t place, n;

    srand(seed);
    for (int round = 0; round < 1000; round++) {
        for (uint16_t i = 0; i < size; i++) {
            ring[i].flags = rand();
        }
        if (soft_packed_ring_find(ring, size, &place, &n)) {
            assert((place & SOFT_PACKED_INDEX) < size && n <= size);
            place = soft_packed_ring_mend(ring, size, place, n);
            assert((place & SOFT_PACKED_INDEX) < size);
        }
    }
    free(ring);
}

/* A ring goes on where it tells, not where somebody believes. */
static void
test_recover(void)
{
    struct vring_packed_desc ring[8];
    struct virtq_config c = {
        .desc = ring,
        .size = ARRAY_SIZE(ring),
        .packed = true,
        .avail_base = SOFT_PACKED_WRAP | 5,
        .used_base = SOFT_PACKED_WRAP | 5,
    };

    memset(ring, 0, sizeof ring);

    /* It may have buffers of several descriptors. */
    assert(!soft_packed_ring_recover(&c));
    assert(c.avail_base == (SOFT_PACKED_WRAP | 5));

    c.indirect = true;
    assert(!soft_packed_ring_recover(&c));
    assert(c.avail_base == SOFT_PACKED_WRAP
           && c.used_base == SOFT_PACKED_WRAP);

    ring[0].flags = AVAIL;
    ring[1].flags = AVAIL | USED;
    assert(soft_packed_ring_recover(&c));
    assert(ring[0].flags == (AVAIL | USED));
    assert(c.avail_base == (SOFT_PACKED_WRAP | 2)
           && c.used_base == (SOFT_PACKED_WRAP | 2));

    /* It does not tell. */
    ring[0].flags = ring[2].flags = AVAIL;
    ring[1].flags = USED;
    assert(!soft_packed_ring_recover(&c));
    assert(c.avail_base == (SOFT_PACKED_WRAP | 2));

    /* A buffer of three descriptors has been used. */
    memset(ring, 0, sizeof ring);
    ring[0].flags = AVAIL | USED;
    ring[1].flags = AVAIL | NEXT;
    ring[2].flags = AVAIL;
    c.avail_base = c.used_base = SOFT_PACKED_WRAP | 3;
    assert(!soft_packed_ring_recover(&c));
    assert(c.avail_base == (SOFT_PACKED_WRAP | 3)
           && c.used_base == (SOFT_PACKED_WRAP | 3));
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    test_recover();
    test_odd_rings();
    for (uint16_t start = 0; start < 16; start++) {
        test_pieces(8, start);
    }
    for (unsigned int seed = 1; seed <= 20; seed++) {
        static const uint16_t sizes[] = { 1, 2, 7, 64 };

        for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
            test_laps(sizes[i], seed);
            test_torn_batches(sizes[i], seed);
            test_drops(sizes[i], seed);
            test_garbage(sizes[i], seed);
        }
    }
    return 0;
}
