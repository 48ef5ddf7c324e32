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

#ifndef VIRTQ_MEM_H
#define VIRTQ_MEM_H 1

/* The memory of a guest, as a driver's addresses name it.
 *
 * A table of regions maps ranges of guest physical addresses to memory of
 * ours.  It never changes: a guest whose memory changes gets another table,
 * and its virtqueues are pointed to that while they rest.
 *
 * Threads: any; whoever frees a table sees to it that nobody uses it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "util.h"

struct virtq_region {
    uint64_t gpa;               /* First guest physical address. */
    uint64_t size;              /* Bytes, at least 1. */
    uint8_t *va;                /* Where the first byte is for us. */
};

struct virtq_mem {
    size_t n;
    struct virtq_region regions[]; /* By address, without overlap. */
};

int virtq_mem_create(const struct virtq_region *, size_t n,
                     struct virtq_mem **);
void virtq_mem_destroy(struct virtq_mem *);

const struct virtq_region *virtq_mem_lookup(const struct virtq_mem *,
                                            uint64_t gpa);
bool virtq_mem_to_guest(const struct virtq_mem *, const void *,
                        uint64_t *gpa);
bool virtq_mem_contains(const struct virtq_mem *, const void *, size_t);

/* Returns where guest physical address 'gpa' is, and reduces '*len' to the
 * number of bytes that follow each other from there.  Returns NULL if the
 * guest has no such memory.
 *
 * '*hint' is the caller's: the region of its last success, which is very
 * likely that of the next.  It must point to some region of the table. */
static inline uint8_t *
virtq_mem_translate(const struct virtq_mem *mem,
                    const struct virtq_region **hint, uint64_t gpa,
                    uint32_t *len)
{
    const struct virtq_region *r = *hint;
    uint64_t ofs = gpa - r->gpa;

    if (OVS_UNLIKELY(ofs >= r->size)) {
        r = virtq_mem_lookup(mem, gpa);
        if (!r) {
            return NULL;
        }
        *hint = r;
        ofs = gpa - r->gpa;
    }
    if (OVS_UNLIKELY(*len > r->size - ofs)) {
        *len = r->size - ofs;
    }
    return r->va + ofs;
}

#endif /* virtq-mem.h */
