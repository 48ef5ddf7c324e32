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

/* See virtq-driver.h.  Little-endian machines only, as the layout is. */

#include <config.h>
#undef NDEBUG

#include "virtq-driver.h"

#include <assert.h>
#include <string.h>

#include "ovs-atomic.h"
#include "util.h"

#define NEXT 1
#define WRITE 2
#define INDIRECT 4
#define AVAIL 0x80
#define USED 0x8000

/* Words of the areas of a split ring. */
enum { FLAGS, IDX, RING };

/* Words of the event suppression structures of a packed ring. */
enum { OFF_WRAP, EVENT_FLAGS };

size_t
vd_tables_size(uint16_t size)
{
    return (size_t) size * VD_MAX_PIECES * sizeof(struct vd_desc);
}

void
vd_init(struct virtq_driver *vd, bool packed, bool event_idx, uint16_t size,
        uint16_t base, void *tables, uint64_t tables_gpa)
{
    memset(vd, 0, sizeof *vd);
    vd->packed = packed;
    vd->event_idx = event_idx;
    vd->size = vd->n_free = size;
    vd->desc = xzalloc_cacheline(size * sizeof *vd->desc);
    vd->driver = xzalloc(packed ? 4 : 6 + 2 * size);
    vd->device = xzalloc(packed ? 4 : 6 + 8 * size);
    vd->busy = xcalloc(size, sizeof *vd->busy);
    vd->flying = xcalloc(size, sizeof *vd->flying);
    vd->tables = tables;
    vd->tables_gpa = tables_gpa;
    vd->avail = vd->used = packed ? base & 0x7fff : base;
    vd->avail_wrap = vd->used_wrap = base >> 15;
    if (packed) {
        /* As if the ring had run up to here. */
        for (uint16_t i = 0; i < size; i++) {
            bool wrap = i < vd->avail ? vd->avail_wrap : !vd->avail_wrap;

            vd->desc[i].b = wrap ? AVAIL | USED : 0;
        }
    } else {
        vd->driver[IDX] = vd->device[IDX] = base;
    }
}

void
vd_uninit(struct virtq_driver *vd)
{
    free_cacheline(vd->desc);
    free(vd->driver);
    free(vd->device);
    free(vd->busy);
    free(vd->flying);
}

static uint16_t
take_elem(struct virtq_driver *vd)
{
    uint16_t i;

    do {
        /* 5 has no factor in common with a power of 2. */
        i = vd->next_free = (vd->next_free + 5) % vd->size;
    } while (vd->busy[i]);
    vd->busy[i] = true;
    return i;
}

static void
fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

int
vd_add(struct virtq_driver *vd, const struct vd_piece *pieces, unsigned int n,
       enum vd_table kind)
{
    bool mixed = kind == VD_MIXED && !vd->packed;
    unsigned int n_direct = (kind == VD_DIRECT || (mixed && n == 1) ? n
                             : mixed);
    unsigned int n_elems = n_direct + (n_direct < n);
    unsigned int slot = (vd->fly_head + vd->fly_n) % vd->size;
    struct vd_buffer *b = &vd->flying[slot];
    uint16_t head = vd->avail, head_flags = 0;

    assert(n && n <= VD_MAX_PIECES);
    if (n_elems > vd->n_free) {
        return -1;
    }
    vd->n_free -= n_elems;
    vd->fly_n++;
    b->n = n_elems;
    b->serial = vd->serial++;
    for (unsigned int i = 0; i < n_elems; i++) {
        b->elems[i] = vd->packed ? 0 : take_elem(vd);
    }

    /* Names of buffers in a packed ring are the driver's own. */
    b->id = vd->packed ? 0xfff0 ^ (slot * 3) : b->elems[0];
    for (unsigned int i = 0; i < n_elems; i++) {
        uint16_t flags = i + 1 < n_elems ? NEXT : 0;
        struct vd_desc d;

        if (i < n_direct) {
            d.addr = pieces[i].gpa;
            d.len = pieces[i].len;
            flags |= pieces[i].write ? WRITE : 0;
        } else {
            struct vd_desc *table = &vd->tables[slot * VD_MAX_PIECES];
            unsigned int n_table = n - n_direct;

            for (unsigned int j = 0; j < n_table; j++) {
                const struct vd_piece *p = &pieces[n_direct + j];
                uint16_t f = p->write ? WRITE : 0;

                table[j].addr = p->gpa;
                table[j].len = p->len;
                table[j].a = vd->packed ? 0xdead : f | (j + 1 < n_table);
                table[j].b = vd->packed ? f : j + 1;
            }
            d.addr = vd->tables_gpa + (slot * VD_MAX_PIECES * sizeof *table);
            d.len = n_table * sizeof *table;
            flags |= INDIRECT;
        }
        if (!vd->packed) {
            d.a = flags;
            d.b = i + 1 < n_elems ? b->elems[i + 1] : 0xbeef;
            vd->desc[b->elems[i]] = d;
        } else {
            /* All but the last name nothing; the first flags come last. */
            d.a = i + 1 < n_elems ? 0xbeef : b->id;
            d.b = flags | (vd->avail_wrap ? AVAIL : USED);
            if (!i) {
                head_flags = d.b;
                d.b = vd->desc[head].b;
            }
            vd->desc[vd->avail] = d;
            if (++vd->avail == vd->size) {
                vd->avail = 0;
                vd->avail_wrap = !vd->avail_wrap;
            }
        }
    }
    if (!vd->packed) {
        vd->driver[RING + vd->avail++ % vd->size] = b->elems[0];
        fence();
        vd->driver[IDX] = vd->avail;
    } else {
        fence();
        vd->desc[head].b = head_flags;
    }
    return b->serial;
}

int
vd_get(struct virtq_driver *vd, uint32_t *len)
{
    struct vd_buffer *b = &vd->flying[vd->fly_head];
    uint16_t id;

    if (!vd->packed) {
        const uint16_t *e;

        if (vd->device[IDX] == vd->used) {
            return -1;
        }
        fence();
        e = &vd->device[RING + vd->used++ % vd->size * 4];
        id = e[0];
        assert(!e[1]);
        *len = e[2] | (uint32_t) e[3] << 16;
    } else {
        uint16_t flags = vd->desc[vd->used].b;
        bool avail = flags & AVAIL, used = flags & USED;

        if (avail != used || used != vd->used_wrap) {
            return -1;
        }
        fence();
        id = vd->desc[vd->used].a;
        *len = vd->desc[vd->used].len;
        assert(!(flags & WRITE) == !*len);
        vd->used += b->n;
        if (vd->used >= vd->size) {
            vd->used -= vd->size;
            vd->used_wrap = !vd->used_wrap;
        }
    }
    assert(vd->fly_n && id == b->id);
    for (unsigned int i = 0; !vd->packed && i < b->n; i++) {
        vd->busy[b->elems[i]] = false;
    }
    vd->n_free += b->n;
    vd->fly_head = (vd->fly_head + 1) % vd->size;
    vd->fly_n--;
    return b->serial;
}

static unsigned int
last_slot(const struct virtq_driver *vd)
{
    assert(vd->fly_n);
    return (vd->fly_head + vd->fly_n - 1) % vd->size;
}

struct vd_desc *
vd_elem(struct virtq_driver *vd, unsigned int i)
{
    const struct vd_buffer *b = &vd->flying[last_slot(vd)];

    assert(i < b->n);
    return &vd->desc[vd->packed
                     ? (vd->avail + vd->size - b->n + i) % vd->size
                     : b->elems[i]];
}

uint16_t *
vd_flags(const struct virtq_driver *vd, struct vd_desc *d)
{
    return vd->packed ? &d->b : &d->a;
}

struct vd_desc *
vd_table(struct virtq_driver *vd)
{
    return &vd->tables[last_slot(vd) * VD_MAX_PIECES];
}

void
vd_want_none(struct virtq_driver *vd)
{
    if (vd->packed) {
        vd->driver[EVENT_FLAGS] = 1;
    } else if (vd->event_idx) {
        vd->driver[RING + vd->size] = vd->used - 1;
    } else {
        vd->driver[FLAGS] = 1;
    }
}

void
vd_want_all(struct virtq_driver *vd)
{
    if (vd->packed) {
        vd->driver[EVENT_FLAGS] = 0;
    } else if (vd->event_idx) {
        vd->driver[RING + vd->size] = vd->used;
    } else {
        vd->driver[FLAGS] = 0;
    }
}

void
vd_want_event(struct virtq_driver *vd, uint16_t ahead)
{
    assert(vd->event_idx);
    if (vd->packed) {
        bool around = vd->used + ahead >= vd->size;

        vd->driver[OFF_WRAP] = ((vd->used + ahead - (around ? vd->size : 0))
                                | (vd->used_wrap != around ? USED : 0));
        vd->driver[EVENT_FLAGS] = 2;
    } else {
        vd->driver[RING + vd->size] = vd->used + ahead;
    }
}

bool
vd_must_kick(const struct virtq_driver *vd, uint16_t n)
{
    if (!vd->packed) {
        uint16_t event = vd->device[RING + vd->size * 4];

        if (!vd->event_idx) {
            return !vd->device[FLAGS];
        }
        for (uint16_t i = 1; i <= n; i++) {
            if ((uint16_t) (vd->avail - i) == event) {
                return true;
            }
        }
    } else {
        uint16_t index = vd->avail;
        bool wrap = vd->avail_wrap;

        if (vd->device[EVENT_FLAGS] != 2) {
            return !vd->device[EVENT_FLAGS];
        }
        for (uint16_t i = 1; i <= n; i++) {
            if (!index) {
                index = vd->size;
                wrap = !wrap;
            }
            index--;
            if (vd->device[OFF_WRAP] == (index | (wrap ? USED : 0))) {
                return true;
            }
        }
    }
    return false;
}
