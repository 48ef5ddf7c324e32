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

#ifndef VIRTQ_DRIVER_H
#define VIRTQ_DRIVER_H 1

/* The driver's side of a virtqueue, for tests of the device's.
 *
 * It is written after the standard alone, shares nothing with the code under
 * test, and checks what it gets: that buffers come back in the order in which
 * they went, each once.  Any fault is an assertion failure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of a buffer. */
struct vd_piece {
    uint64_t gpa;
    uint32_t len;
    bool write;
};

#define VD_MAX_PIECES 128

enum vd_table {
    VD_DIRECT,                  /* All descriptors in the ring. */
    VD_INDIRECT,                /* All in a table. */
    VD_MIXED,                   /* The first in the ring, others in a table; in
                                 * a packed ring, which knows no such thing,
                                 * all in a table. */
};

struct vd_desc {                /* Both kinds: two 64-bit words. */
    uint64_t addr;
    uint32_t len;
    uint16_t a;                 /* Split: flags.  Packed: id. */
    uint16_t b;                 /* Split: next.  Packed: flags. */
};

struct virtq_driver {
    bool packed;
    bool event_idx;
    uint16_t size;

    /* Areas, each with an allocation of its own and of the exact size. */
    struct vd_desc *desc;
    uint16_t *driver;
    uint16_t *device;

    /* Where tables for indirect descriptors can be: 'size' of them, each with
     * room for VD_MAX_PIECES. */
    struct vd_desc *tables;
    uint64_t tables_gpa;

    uint16_t avail, used;       /* Split: free running.  Packed: < size. */
    bool avail_wrap, used_wrap;
    uint16_t n_free;            /* Elements of the ring. */
    uint16_t next_free;         /* Split: rotates, so chains spread. */
    bool *busy;                 /* Split: is the element in use? */

    /* Buffers on their way, oldest first, in a circle. */
    struct vd_buffer {
        uint16_t id;
        uint16_t n;             /* Elements of the ring. */
        uint16_t elems[VD_MAX_PIECES];
        unsigned int serial;
    } *flying;
    unsigned int fly_head, fly_n;
    unsigned int serial;        /* Of the next buffer. */
};

/* Bytes of guest memory for 'tables' of a ring of 'size'. */
size_t vd_tables_size(uint16_t size);

/* 'base' is the index to begin with; in a packed ring, with the wrap counter
 * in bit 15. */
void vd_init(struct virtq_driver *, bool packed, bool event_idx, uint16_t size,
             uint16_t base, void *tables, uint64_t tables_gpa);
void vd_uninit(struct virtq_driver *);

/* Makes a buffer available and returns its serial number, or returns -1 if
 * there is no room for it. */
int vd_add(struct virtq_driver *, const struct vd_piece *, unsigned int n,
           enum vd_table);

/* Takes the next used buffer: stores its length and returns its serial number,
 * or returns -1 if there is none. */
int vd_get(struct virtq_driver *, uint32_t *len);

/* For tests that want something else there: element 'i' of the buffer that was
 * added last, the flags of such an element, and its table. */
struct vd_desc *vd_elem(struct virtq_driver *, unsigned int i);
uint16_t *vd_flags(const struct virtq_driver *, struct vd_desc *);
struct vd_desc *vd_table(struct virtq_driver *);

/* Asks for a notification: none, of each, or of the buffer 'ahead' elements
 * after the next used one. */
void vd_want_none(struct virtq_driver *);
void vd_want_all(struct virtq_driver *);
void vd_want_event(struct virtq_driver *, uint16_t ahead);

/* Must the device be notified of the last 'n' elements made available? */
bool vd_must_kick(const struct virtq_driver *, uint16_t n);

#endif /* virtq-driver.h */
