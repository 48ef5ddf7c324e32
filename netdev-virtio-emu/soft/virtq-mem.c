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

/* See virtq-mem.h. */

#include <config.h>

#include "virtq-mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
compare_regions(const void *a_, const void *b_)
{
    const struct virtq_region *a = a_, *b = b_;

    return a->gpa < b->gpa ? -1 : a->gpa > b->gpa;
}

/* Makes a table of the 'n' 'regions', in any order, and stores it in '*memp'.
 * Returns 0, or EINVAL if there are none, or one is empty, reaches beyond the
 * address space, or overlaps another. */
int
virtq_mem_create(const struct virtq_region *regions, size_t n,
                 struct virtq_mem **memp)
{
    struct virtq_mem *mem;

    *memp = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct virtq_region *r = &regions[i];

        if (!r->size || r->gpa + (r->size - 1) < r->gpa || !r->va
            || (uintptr_t) r->va + (r->size - 1) < (uintptr_t) r->va) {
            return EINVAL;
        }
    }
    if (!n) {
        return EINVAL;
    }

    mem = xmalloc(sizeof *mem + n * sizeof *mem->regions);
    memcpy(mem->regions, regions, n * sizeof *regions);
    qsort(mem->regions, n, sizeof *mem->regions, compare_regions);
    mem->n = 1;
    for (size_t i = 1; i < n; i++) {
        struct virtq_region *prev = &mem->regions[mem->n - 1];
        const struct virtq_region *r = &mem->regions[i];

        if (r->gpa - prev->gpa < prev->size) {
            free(mem);
            return EINVAL;
        } else if (r->gpa - prev->gpa == prev->size
                   && r->va == prev->va + prev->size) {
            prev->size += r->size;
        } else {
            mem->regions[mem->n++] = *r;
        }
    }
    *memp = mem;
    return 0;
}

void
virtq_mem_destroy(struct virtq_mem *mem)
{
    free(mem);
}

/* Returns the region of 'mem' that 'gpa' lies in, or NULL. */
const struct virtq_region *
virtq_mem_lookup(const struct virtq_mem *mem, uint64_t gpa)
{
    size_t low = 0, high = mem->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct virtq_region *r = &mem->regions[mid];

        if (gpa < r->gpa) {
            high = mid;
        } else if (gpa - r->gpa >= r->size) {
            low = mid + 1;
        } else {
            return r;
        }
    }
    return NULL;
}

/* Stores in '*gpa' the guest physical address of 'p', and returns true, or
 * returns false if 'p' does not point into the guest's memory.  Slow. */
bool
virtq_mem_to_guest(const struct virtq_mem *mem, const void *p, uint64_t *gpa)
{
    for (size_t i = 0; i < mem->n; i++) {
        const struct virtq_region *r = &mem->regions[i];
        uintptr_t ofs = (uintptr_t) p - (uintptr_t) r->va;

        if (ofs < r->size) {
            *gpa = r->gpa + ofs;
            return true;
        }
    }
    return false;
}

/* Is the whole of the 'size' bytes at 'p' guest memory, in one piece? */
bool
virtq_mem_contains(const struct virtq_mem *mem, const void *p, size_t size)
{
    for (size_t i = 0; i < mem->n; i++) {
        const struct virtq_region *r = &mem->regions[i];
        uintptr_t ofs = (uintptr_t) p - (uintptr_t) r->va;

        if (ofs < r->size) {
            return size <= r->size - ofs;
        }
    }
    return false;
}
