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

/* See virtq-guest.h. */

#include <config.h>
#undef NDEBUG

#include "virtq-guest.h"

#include <assert.h>

#include "util.h"

const struct ring_setup setups[N_SETUPS] = {
    { false, false, 4, 0, 12 },
    { false, true, 8, 65530, 12 },
    { false, true, 64, 32760, 10 },
    { false, false, 128, 65535, 12 },
    { true, false, 4, VIRTQ_WRAP, 12 },
    { true, true, 7, 3, 12 },
    { true, true, 64, VIRTQ_WRAP | 63, 10 },
    { true, true, 100, VIRTQ_WRAP, 12 },
};

struct virtq_region regions[N_ALL_REGIONS];
struct virtq_mem *mem;
struct virtq_driver vd;
struct virtq q;

static uint32_t next_buffer;    /* Where the next piece of a buffer goes. */

uint8_t *
guest(uint64_t gpa)
{
    return &regions[(gpa - MEM_GPA) / REGION_SIZE]
        .va[(gpa - MEM_GPA) % REGION_SIZE];
}

void
start(const struct ring_setup *s)
{
    struct virtq_config config;
    size_t tables_size = vd_tables_size(s->size);

    for (int i = 0; i < N_REGIONS; i++) {
        /* In another order, so that none follow each other. */
        struct virtq_region *r = &regions[i * 7 % N_REGIONS];

        r->gpa = MEM_GPA + (i * 7 % N_REGIONS) * REGION_SIZE;
        r->size = REGION_SIZE;
        r->va = xzalloc(REGION_SIZE);
    }
    regions[N_REGIONS].gpa = TABLES_GPA;
    regions[N_REGIONS].size = tables_size;
    regions[N_REGIONS].va = xzalloc(tables_size);
    for (int i = N_REGIONS + 1; i < N_ALL_REGIONS; i++) {
        regions[i].gpa = i == N_REGIONS + 1 ? 0 : UINT64_MAX - 4095;
        regions[i].size = 4096;
        regions[i].va = xzalloc(4096);
    }
    assert(!virtq_mem_create(regions, N_ALL_REGIONS, &mem));

    vd_init(&vd, s->packed, s->event_idx, s->size, s->base,
            regions[N_REGIONS].va, TABLES_GPA);
    config = (struct virtq_config) {
        .mem = mem,
        .desc = vd.desc,
        .driver = vd.driver,
        .device = vd.device,
        .size = s->size,
        .packed = s->packed,
        .event_idx = s->event_idx,
        .indirect = true,
        .hdr_len = s->hdr_len,
        .avail_base = s->base,
        .used_base = s->base,
    };
    assert(!virtq_init(&q, &config));
    next_buffer = 0;
}

void
stop(void)
{
    vd_uninit(&vd);
    virtq_mem_destroy(mem);
    for (int i = 0; i < N_ALL_REGIONS; i++) {
        free(regions[i].va);
    }
}

uint64_t
errors(enum virtq_error error)
{
    uint64_t n;

    atomic_read_relaxed(&q.errors[error], &n);
    return n;
}

uint64_t
all_errors(void)
{
    return (errors(VIRTQ_BAD_DESC) + errors(VIRTQ_LONG_CHAIN)
            + errors(VIRTQ_BAD_ADDRESS));
}

uint64_t
place(uint32_t len)
{
    if (next_buffer + len > MEM_SIZE) {
        next_buffer = 0;
    }
    next_buffer += len;
    return MEM_GPA + next_buffer - len;
}

void
add_good(uint32_t len, bool write)
{
    struct vd_piece piece = { place(len), len, write };

    assert(vd_add(&vd, &piece, 1, VD_DIRECT) >= 0);
}

int
reserve(uint32_t len, bool mergeable, struct virtq_room *room)
{
    int error;

    assert(virtq_reserve_burst(&q, &len, 1, mergeable, room, &error)
           == !error);
    return error;
}

void
expect_used(int serial, uint32_t len)
{
    uint32_t used;

    assert(vd_get(&vd, &used) == serial);
    assert(serial < 0 || used == len);
}
