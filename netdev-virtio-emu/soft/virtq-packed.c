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

/* Packed virtqueues: VIRTIO 1.2, section 2.8.  See virtq.h, and virtq-ring.h
 * for what is not trusted.
 *
 * A buffer takes as many elements of the ring as it has descriptors there, and
 * as many are passed over when it is given back, whatever the driver may have
 * written to them meanwhile. */

#include <config.h>

#include "virtq.h"

#include "virtq-ring.h"

static inline void
packed_advance(const struct virtq *q, struct virtq_cursor *cursor, uint16_t n)
{
    uint32_t index = (uint32_t) cursor->index + n;

    if (index >= q->size) {
        index -= q->size;
        cursor->wrap = !cursor->wrap;
    }
    cursor->index = index;
}

/* Do 'flags' make a descriptor at 'cursor' available?  Section 2.8.1. */
static inline bool
packed_flags_available(uint16_t flags, struct virtq_cursor cursor)
{
    uint16_t wanted = cursor.wrap ? VIRTQ_F_AVAIL : VIRTQ_F_USED;

    return (flags & (VIRTQ_F_AVAIL | VIRTQ_F_USED)) == wanted;
}

/* Collects the descriptors of the table of 'size' bytes at 'addr'.  Only their
 * VIRTQ_F_WRITE flags mean anything, section 2.8.7. */
static int
packed_take_table(struct virtq *q, uint64_t addr, uint32_t size,
                  uint16_t flags, struct virtq_gather *g)
{
    uint8_t copy[VIRTQ_TABLE_COPY];
    const void *table = NULL;
    uint32_t n = size / VIRTQ_DESC_SIZE;
    int error;

    error = virtq_table(q, addr, size, flags, &table, copy);
    for (uint32_t i = 0; error == VIRTQ_OK && i < n; i++) {
        struct virtq_desc e;

        e = virtq_load_packed_desc((const char *) table + i * VIRTQ_DESC_SIZE);
        if (!g->writable) {
            /* DPDK's driver sets the flag once for all elements of its tables
             * and leaves it in the second one.  Reading is harmless. */
            e.flags &= ~VIRTQ_F_WRITE;
        }
        error = virtq_gather(q, g, e.addr, e.len, e.flags);
    }
    return error;
}

static inline ALWAYS_INLINE int
packed_take(struct virtq *q, struct virtq_cursor *cursor, uint16_t n_taken,
            struct virtq_gather *g, struct virtq_chain *chain)
{
    const struct virtq_packed_desc *desc = q->desc.packed;
    uint16_t limit = q->size - q->outstanding - n_taken;
    struct virtq_desc d;
    uint16_t n_descs = 0;
    int error = VIRTQ_OK;
    uint16_t flags;

    if (OVS_UNLIKELY(!limit)) {
        return VIRTQ_EMPTY;
    }
    flags = virtq_load16(&desc[cursor->index].flags);
    if (!packed_flags_available(flags, *cursor)) {
        return VIRTQ_EMPTY;
    }

    /* What the driver wrote before these flags must not be read before
     * them. */
    rte_smp_rmb();
    do {
        if (OVS_UNLIKELY(n_descs == limit)) {
            /* The end of the chain cannot be told. */
            virtq_break(q);
            return VIRTQ_EMPTY;
        }
        d = virtq_load_packed_desc(&desc[cursor->index]);
        if (!n_descs) {
            d.flags = flags;
        }
        if (OVS_LIKELY(error == VIRTQ_OK)) {
            /* A table is the whole of a buffer, section 2.8.5. */
            error = (!(d.flags & VIRTQ_F_INDIRECT)
                     ? virtq_gather(q, g, d.addr, d.len, d.flags)
                     : !n_descs
                     ? packed_take_table(q, d.addr, d.len, d.flags, g)
                     : VIRTQ_BAD_DESC);
        }
        packed_advance(q, cursor, 1);
        n_descs++;
    } while (OVS_UNLIKELY(d.flags & VIRTQ_F_NEXT));

    /* The last descriptor names the buffer, section 2.8.6. */
    chain->id = d.id;
    chain->n_descs = n_descs;
    return error;
}

/* Writes length, id and flags of a used element at once, or the flags last. */
static inline void
packed_store(struct virtq *q, uint16_t index, uint64_t word)
{
    struct virtq_packed_desc *e = &q->desc.packed[index];

    BUILD_ASSERT_DECL(offsetof(struct virtq_packed_desc, id)
                      == offsetof(struct virtq_packed_desc, len) + 4);
    BUILD_ASSERT_DECL(offsetof(struct virtq_packed_desc, flags)
                      == offsetof(struct virtq_packed_desc, len) + 6);
    virtq_store64(&e->len, word);
    virtq_log_used(q, index * sizeof *e, sizeof *e);
}

static inline ALWAYS_INLINE void
packed_put(struct virtq *q, struct virtq_batch *batch,
           const struct virtq_chain *chain)
{
    uint16_t flags = ((q->used.wrap ? VIRTQ_F_AVAIL | VIRTQ_F_USED : 0)
                      | (chain->len ? VIRTQ_F_WRITE : 0));
    uint64_t word = (chain->len | (uint64_t) chain->id << 32
                     | (uint64_t) flags << 48);

    if (batch->n) {
        packed_store(q, q->used.index, word);
    } else {
        /* Until that is written, the driver does not look further. */
        batch->first = q->used.index;
        batch->word = word;
    }
    batch->n++;
    batch->n_descs += chain->n_descs;
    packed_advance(q, &q->used, chain->n_descs);
}

static inline ALWAYS_INLINE void
packed_flush(struct virtq *q, struct virtq_batch *batch)
{
    if (batch->n) {
        /* The driver must not see this before the rest, nor before the
         * contents of the buffers; nor before we have read those. */
        atomic_thread_fence(memory_order_release);
        packed_store(q, batch->first, batch->word);
        q->news += batch->n_descs;
        batch->n = 0;
        batch->n_descs = 0;
    }
}

/* Hints that the next 'n' descriptors will be needed, and written. */
static inline void
packed_prefetch(const struct virtq *q, unsigned int n)
{
    for (unsigned int i = 0; i < n;
         i += CACHE_LINE_SIZE / sizeof(struct virtq_packed_desc)) {
        uint32_t index = q->next.index + i;

        index -= index >= q->size ? q->size : 0;
        if (OVS_LIKELY(index < q->size)) {
            virtq_prefetch_write(&q->desc.packed[index]);
        }
    }
}

void
virtq_packed_prefetch(struct virtq *q, unsigned int n)
{
    if (virtq_packed_has_work(q)) {
        packed_prefetch(q, n);
    }
}

unsigned int
virtq_packed_recv_burst(struct virtq *q, struct virtq_frame *frames,
                        unsigned int n)
{
    return virtq_recv__(q, frames, n, packed_take, packed_put, packed_flush);
}

void
virtq_packed_recv_done(struct virtq *q, const struct virtq_frame *frames,
                       unsigned int n)
{
    virtq_recv_done__(q, frames, n, packed_put, packed_flush);
}

unsigned int
virtq_packed_reserve(struct virtq *q, const uint32_t lens[], unsigned int n,
                     bool mergeable, struct virtq_room *rooms, int *errorp)
{
    return virtq_reserve_burst__(q, lens, n, mergeable, rooms, errorp,
                                 packed_take, packed_put, packed_flush);
}

void
virtq_packed_commit(struct virtq *q, struct virtq_room *rooms, unsigned int n)
{
    virtq_commit__(q, rooms, n, packed_put, packed_flush);
}

/* Slots. */

/* If 'lens' is nonnull the driver receives. */
static inline ALWAYS_INLINE unsigned int
packed_take_slots(struct virtq *q, const uint32_t lens[], unsigned int n,
                  struct virtq_slot *slots)
{
    const uint16_t mask = (VIRTQ_F_AVAIL | VIRTQ_F_USED | VIRTQ_F_NEXT
                           | VIRTQ_F_WRITE | VIRTQ_F_INDIRECT);
    const struct virtq_packed_desc *ring = q->desc.packed;
    const uint32_t size = q->size, hdr_len = q->hdr_len;
    const bool skip_hdr = q->skip_hdr;
    struct virtq_region near = *q->hint;
    uint32_t index = q->next.index;
    bool wrap = q->next.wrap;
    uint16_t wanted = ((wrap ? VIRTQ_F_AVAIL : VIRTQ_F_USED)
                       | (lens ? VIRTQ_F_WRITE : 0));
    unsigned int i;

    n = MIN(n, size - q->outstanding);
    for (i = 0; i < n; i++) {
        const struct virtq_packed_desc *p = &ring[index];
        struct virtq_desc d;

        if ((virtq_load16(&p->flags) & mask) != wanted) {
            break;
        }

        /* As in packed_take(). */
        rte_smp_rmb();
        d = virtq_load_packed_desc(p);
        if (OVS_UNLIKELY(!virtq_slot_init(q, &near, hdr_len, skip_hdr, d.addr,
                                          d.len, lens ? &lens[i] : NULL,
                                          &slots[i]))) {
            break;
        }
        slots[i].id = d.id;
        if (OVS_UNLIKELY(++index == size)) {
            index = 0;
            wrap = !wrap;
            wanted ^= VIRTQ_F_AVAIL | VIRTQ_F_USED;
        }
    }
    q->next.index = index;
    q->next.wrap = wrap;
    q->outstanding += i;
    return i;
}

unsigned int
virtq_packed_recv_slots(struct virtq *q, unsigned int n,
                        struct virtq_slot *slots)
{
    return packed_take_slots(q, NULL, n, slots);
}

unsigned int
virtq_packed_reserve_slots(struct virtq *q, const uint32_t lens[],
                           unsigned int n, struct virtq_slot *slots)
{
    return packed_take_slots(q, lens, n, slots);
}

/* Gives back the 'n' 'slots', at least one, whose lengths have been 'written'
 * or nothing. */
void
virtq_packed_put_slots(struct virtq *q, const struct virtq_slot *slots,
                       unsigned int n, bool written)
{
    struct virtq_packed_desc *ring = q->desc.packed;
    const uint32_t size = q->size, mask = written ? UINT32_MAX : 0;
    uint32_t index = q->used.index, first = index;
    bool wrap = q->used.wrap;
    uint64_t flags = ((wrap ? VIRTQ_F_AVAIL | VIRTQ_F_USED : 0)
                      | (written ? VIRTQ_F_WRITE : 0));
    uint64_t first_word = 0;

    for (unsigned int i = 0; i < n; i++) {
        uint64_t word = ((slots[i].len & mask) | (uint64_t) slots[i].id << 32
                         | flags << 48);

        if (i) {
            virtq_store64(&ring[index].len, word);
        } else {
            /* As in packed_put(). */
            first_word = word;
        }
        if (OVS_UNLIKELY(++index == size)) {
            index = 0;
            wrap = !wrap;
            flags ^= VIRTQ_F_AVAIL | VIRTQ_F_USED;
        }
    }

    /* As in packed_flush(). */
    atomic_thread_fence(memory_order_release);
    virtq_store64(&ring[first].len, first_word);
    q->used.index = index;
    q->used.wrap = wrap;
}

/* Notifications. */

/* Section 2.8.10. */
bool
virtq_packed_should_notify(struct virtq *q)
{
    uint16_t new = q->used.index, old = q->notified;
    bool valid = q->notified_valid;
    uint16_t flags, off_wrap, event;

    q->notified = new;
    q->notified_valid = true;

    /* The driver must see the used descriptors before we look at what it wrote
     * before it looked for those. */
    rte_smp_mb();
    flags = virtq_load16(&q->driver.packed->flags) & VIRTQ_EVENT_MASK;
    if (flags != VIRTQ_EVENT_DESC || !q->event_idx || !valid) {
        return flags != VIRTQ_EVENT_DISABLE;
    }

    /* The driver writes the flags last. */
    rte_smp_rmb();
    off_wrap = virtq_load16(&q->driver.packed->off_wrap);
    event = off_wrap & (VIRTQ_WRAP - 1);
    if (!(off_wrap & VIRTQ_WRAP) == q->used.wrap) {
        event -= q->size;
    }
    if (new <= old) {
        old -= q->size;
    }
    return virtq_passed(event, new, old);
}

void
virtq_packed_set_notify(struct virtq *q, bool enable)
{
    struct virtq_event *event = q->device.packed;
    uint16_t flags = VIRTQ_EVENT_DISABLE;

    if (enable) {
        flags = VIRTQ_EVENT_ENABLE;
        if (q->event_idx) {
            flags = VIRTQ_EVENT_DESC;
            virtq_store16(&event->off_wrap,
                          q->next.index | (q->next.wrap ? VIRTQ_WRAP : 0));
            rte_smp_wmb();
        }
    }
    virtq_store16(&event->flags, flags);
}

bool
virtq_packed_has_work(struct virtq *q)
{
    return (q->outstanding < q->size
            && packed_flags_available(
                virtq_load16(&q->desc.packed[q->next.index].flags), q->next));
}

/* Do all buffers that are available have an end?  Looks at each element of the
 * ring once, at most.  No buffers may be outstanding. */
bool
virtq_packed_makes_sense(const struct virtq *q)
{
    struct virtq_cursor cursor = q->next;
    bool more = false;

    for (uint32_t i = 0; i < q->size; i++) {
        uint16_t flags = virtq_load16(&q->desc.packed[cursor.index].flags);

        if (!packed_flags_available(flags, cursor)) {
            break;
        }
        more = flags & VIRTQ_F_NEXT;
        packed_advance(q, &cursor, 1);
    }
    return !more;
}
