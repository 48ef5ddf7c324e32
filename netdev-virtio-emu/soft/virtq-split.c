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

/* Split virtqueues: VIRTIO 1.2, section 2.7.  See virtq.h, and virtq-ring.h
 * for what is not trusted.
 *
 * 'index' of cursors runs freely, as the indices of the rings do.  Each buffer
 * counts as one element of the ring. */

#include <config.h>

#include "virtq.h"

#include "virtq-ring.h"

static inline rte_le16_t *
split_used_event(const struct virtq *q)
{
    return &q->driver.split->ring[q->size];
}

static inline rte_le16_t *
split_avail_event(const struct virtq *q)
{
    return (rte_le16_t *) &q->device.split->ring[q->size];
}

/* Collects the descriptors of the table of 'size' bytes at 'addr'. */
static int
split_take_table(struct virtq *q, uint64_t addr, uint32_t size,
                 uint16_t flags, struct virtq_gather *g)
{
    uint8_t copy[VIRTQ_TABLE_COPY];
    const void *table = NULL;
    uint32_t n = size / VIRTQ_DESC_SIZE;
    uint32_t i = 0;
    int error;

    error = virtq_table(q, addr, size, flags, &table, copy);
    for (uint32_t steps = 0; error == VIRTQ_OK; steps++) {
        struct virtq_desc e;

        if (OVS_UNLIKELY(i >= n || steps == n)) {
            return VIRTQ_BAD_DESC;
        }
        e = virtq_load_split_desc((const char *) table + i * VIRTQ_DESC_SIZE);
        if (OVS_UNLIKELY(e.flags & VIRTQ_F_INDIRECT)) {
            return VIRTQ_BAD_DESC;
        }
        error = virtq_gather(q, g, e.addr, e.len, e.flags);
        if (!(e.flags & VIRTQ_F_NEXT)) {
            break;
        }
        i = e.next;
    }
    return error;
}

/* Has the driver made anything available at 'cursor'?  'n_taken' is as for
 * virtq_take_func. */
static inline bool
split_available(struct virtq *q, struct virtq_cursor cursor, uint16_t n_taken)
{
    uint16_t idx;

    if (OVS_LIKELY(cursor.index != q->avail_idx)) {
        return true;
    }
    idx = virtq_load16(&q->driver.split->idx);
    if (idx == cursor.index) {
        return false;
    } else if (OVS_UNLIKELY((uint16_t) (idx - cursor.index)
                            > q->size - q->outstanding - n_taken)) {
        virtq_break(q);
        return false;
    }

    /* What the driver wrote before that must not be read before it. */
    rte_smp_rmb();
    q->avail_idx = idx;
    return true;
}

static inline ALWAYS_INLINE int
split_take(struct virtq *q, struct virtq_cursor *cursor, uint16_t n_taken,
           struct virtq_gather *g, struct virtq_chain *chain)
{
    const struct virtq_split_desc *desc = q->desc.split;
    uint16_t i;
    int error;

    if (!split_available(q, *cursor, n_taken)) {
        return VIRTQ_EMPTY;
    }
    i = virtq_load16(&q->driver.split->ring[cursor->index & (q->size - 1)]);
    if (OVS_UNLIKELY(i >= q->size)) {
        virtq_break(q);
        return VIRTQ_EMPTY;
    }
    cursor->index++;
    chain->id = i;
    chain->n_descs = 1;
    for (uint32_t steps = 0; ; steps++) {
        struct virtq_desc d;

        if (OVS_UNLIKELY(i >= q->size || steps == q->size)) {
            return VIRTQ_BAD_DESC;
        }
        d = virtq_load_split_desc(&desc[i]);
        if (d.flags & VIRTQ_F_INDIRECT) {
            return split_take_table(q, d.addr, d.len, d.flags, g);
        }
        error = virtq_gather(q, g, d.addr, d.len, d.flags);
        if (OVS_LIKELY(!(d.flags & VIRTQ_F_NEXT))
            || OVS_UNLIKELY(error != VIRTQ_OK)) {
            return error;
        }
        i = d.next;
    }
}

static inline ALWAYS_INLINE void
split_put(struct virtq *q, struct virtq_batch *batch,
          const struct virtq_chain *chain)
{
    uint16_t i = q->used.index++ & (q->size - 1);
    struct virtq_used_elem *e = &q->device.split->ring[i];

    virtq_store64(e, chain->id | (uint64_t) chain->len << 32);
    virtq_log_used(q, (uintptr_t) e - (uintptr_t) q->device.split, sizeof *e);
    batch->n++;
    batch->n_descs += chain->n_descs;
}

static inline ALWAYS_INLINE void
split_flush(struct virtq *q, struct virtq_batch *batch)
{
    if (batch->n) {
        /* The driver must not see the index before the elements, nor before
         * the contents of the buffers; nor before we have read those. */
        atomic_thread_fence(memory_order_release);
        virtq_store16(&q->device.split->idx, q->used.index);
        virtq_log_used(q, 0, sizeof *q->device.split);
        q->news += batch->n_descs;
        batch->n = 0;
        batch->n_descs = 0;
    }
}

/* Hints that the descriptors of the next 'n' buffers will be needed, and the
 * elements of the used ring that they will get. */
static inline void
split_prefetch(const struct virtq *q, unsigned int n)
{
    n = MIN(n, (uint16_t) (q->avail_idx - q->next.index));
    for (unsigned int i = 0; i < n; i++) {
        uint16_t ofs = (q->next.index + i) & (q->size - 1);
        uint16_t head = virtq_load16(&q->driver.split->ring[ofs]);

        OVS_PREFETCH(&q->desc.split[head & (q->size - 1)]);
    }
    for (unsigned int i = 0; i < n;
         i += CACHE_LINE_SIZE / sizeof(struct virtq_used_elem)) {
        uint16_t ofs = (q->used.index + i) & (q->size - 1);

        virtq_prefetch_write(&q->device.split->ring[ofs]);
    }
}

void
virtq_split_prefetch(struct virtq *q, unsigned int n)
{
    if (split_available(q, q->next, 0)) {
        split_prefetch(q, n);
    }
}

unsigned int
virtq_split_recv_burst(struct virtq *q, struct virtq_frame *frames,
                       unsigned int n)
{
    if (!split_available(q, q->next, 0)) {
        return 0;
    }
    split_prefetch(q, n);
    return virtq_recv__(q, frames, n, split_take, split_put, split_flush);
}

void
virtq_split_recv_done(struct virtq *q, const struct virtq_frame *frames,
                      unsigned int n)
{
    virtq_recv_done__(q, frames, n, split_put, split_flush);
}

unsigned int
virtq_split_reserve(struct virtq *q, const uint32_t lens[], unsigned int n,
                    bool mergeable, struct virtq_room *rooms, int *errorp)
{
    return virtq_reserve_burst__(q, lens, n, mergeable, rooms, errorp,
                                 split_take, split_put, split_flush);
}

void
virtq_split_commit(struct virtq *q, struct virtq_room *rooms, unsigned int n)
{
    virtq_commit__(q, rooms, n, split_put, split_flush);
}

/* Slots. */

/* If 'lens' is nonnull the driver receives. */
static inline ALWAYS_INLINE unsigned int
split_take_slots(struct virtq *q, const uint32_t lens[], unsigned int n,
                 struct virtq_slot *slots)
{
    const uint16_t mask = VIRTQ_F_NEXT | VIRTQ_F_WRITE | VIRTQ_F_INDIRECT;
    const uint16_t wanted = lens ? VIRTQ_F_WRITE : 0;
    const struct virtq_split_desc *desc = q->desc.split;
    const rte_le16_t *ring = q->driver.split->ring;
    const uint32_t size = q->size, hdr_len = q->hdr_len;
    const bool skip_hdr = q->skip_hdr;
    struct virtq_region near = *q->hint;
    uint16_t index = q->next.index;
    unsigned int i;

    n = MIN(n, (uint16_t) (q->avail_idx - index));
    for (i = 0; i < n; i++) {
        uint16_t id = virtq_load16(&ring[index & (size - 1)]);
        struct virtq_desc d;

        if (OVS_UNLIKELY(id >= size)) {
            break;
        }
        d = virtq_load_split_desc(&desc[id]);
        if ((d.flags & mask) != wanted
            || OVS_UNLIKELY(!virtq_slot_init(q, &near, hdr_len, skip_hdr,
                                             d.addr, d.len,
                                             lens ? &lens[i] : NULL,
                                             &slots[i]))) {
            break;
        }
        slots[i].id = id;
        index++;
    }
    q->next.index = index;
    q->outstanding += i;
    return i;
}

unsigned int
virtq_split_recv_slots(struct virtq *q, unsigned int n,
                       struct virtq_slot *slots)
{
    if (!split_available(q, q->next, 0)) {
        return 0;
    }
    split_prefetch(q, n);
    return split_take_slots(q, NULL, n, slots);
}

unsigned int
virtq_split_reserve_slots(struct virtq *q, const uint32_t lens[],
                          unsigned int n, struct virtq_slot *slots)
{
    return (split_available(q, q->next, 0)
            ? split_take_slots(q, lens, n, slots)
            : 0);
}

/* As virtq_packed_put_slots(). */
void
virtq_split_put_slots(struct virtq *q, const struct virtq_slot *slots,
                      unsigned int n, bool written)
{
    const uint32_t size = q->size, mask = written ? UINT32_MAX : 0;
    struct virtq_used *used = q->device.split;
    uint16_t index = q->used.index;

    for (unsigned int i = 0; i < n; i++) {
        virtq_store64(&used->ring[index++ & (size - 1)],
                      slots[i].id | (uint64_t) (slots[i].len & mask) << 32);
    }

    /* As in split_flush(). */
    atomic_thread_fence(memory_order_release);
    virtq_store16(&used->idx, index);
    q->used.index = index;
}

/* Notifications. */

/* Sections 2.7.7 and 2.7.10. */
bool
virtq_split_should_notify(struct virtq *q)
{
    uint16_t new = q->used.index, old = q->notified;
    bool valid = q->notified_valid;

    /* The driver must see the used index before we look at what it wrote
     * before it looked for that. */
    rte_smp_mb();
    if (!q->event_idx) {
        return !(virtq_load16(&q->driver.split->flags) & VIRTQ_SUPPRESS);
    }
    q->notified = new;
    q->notified_valid = true;
    return (!valid
            || virtq_passed(virtq_load16(split_used_event(q)), new, old));
}

void
virtq_split_set_notify(struct virtq *q, bool enable)
{
    struct virtq_used *used = q->device.split;

    if (!q->event_idx) {
        virtq_store16(&used->flags, enable ? 0 : VIRTQ_SUPPRESS);
        virtq_log_used(q, 0, sizeof *used);
    } else if (enable) {
        virtq_store16(split_avail_event(q), q->next.index);
        virtq_log_used(q, (uintptr_t) split_avail_event(q) - (uintptr_t) used,
                       sizeof(rte_le16_t));
    } else {
        /* The event was in the past, or will be until it is enabled again. */
    }
}

bool
virtq_split_has_work(struct virtq *q)
{
    return virtq_load16(&q->driver.split->idx) != q->next.index;
}
