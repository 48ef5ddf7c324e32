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

/* Virtqueues, whatever their kind.  See virtq.h, and virtq-ring.h for what is
 * not trusted. */

#include <config.h>

#include "virtq.h"

#include "virtq-ring.h"

/* Bytes that a bit of the dirty log stands for. */
#define LOG_PAGE 4096

/* Returns the size in bytes of the descriptor area (0), driver area (1) or
 * device area (2) of a ring. */
size_t
virtq_area_size(const struct virtq_config *config, int area)
{
    size_t n = config->size;

    switch (area) {
    case 0:
        return n * VIRTQ_DESC_SIZE;
    case 1:
        return (config->packed
                ? sizeof(struct virtq_event)
                : sizeof(struct virtq_avail) + (n + 1) * sizeof(rte_le16_t));
    case 2:
        return (config->packed
                ? sizeof(struct virtq_event)
                : sizeof(struct virtq_used)
                  + n * sizeof(struct virtq_used_elem) + sizeof(rte_le16_t));
    default:
        OVS_NOT_REACHED();
    }
}

/* Makes 'q' the ring that 'config' says.  Returns 0, or EINVAL if there is no
 * such ring: its size is not allowed, an area is missing or not aligned as
 * sections 2.7 and 2.8 demand, or it cannot have come as far as is said. */
int
virtq_init(struct virtq *q, const struct virtq_config *config)
{
    uintptr_t desc = (uintptr_t) config->desc;
    uintptr_t driver = (uintptr_t) config->driver;
    uintptr_t device = (uintptr_t) config->device;

    if (!config->size || config->size > VIRTQ_MAX_SIZE
        || (!config->packed && config->size & (config->size - 1))
        || !config->mem || !desc || !driver || !device || desc % 16
        || driver % (config->packed ? 4 : 2) || device % 4
        || (config->hdr_len != VIRTQ_HDR_LEN
            && config->hdr_len != VIRTQ_HDR_LEN_LEGACY)) {
        return EINVAL;
    }
    if (config->packed
        && ((config->avail_base & (VIRTQ_WRAP - 1)) >= config->size
            || config->avail_base != config->used_base)) {
        return EINVAL;
    }

    memset(q, 0, sizeof *q);
    q->mem = config->mem;
    q->size = config->size;
    q->packed = config->packed;
    q->event_idx = config->event_idx;
    q->indirect = config->indirect;
    q->hdr_len = config->hdr_len;
    q->skip_hdr = config->skip_hdr;
    q->hint = q->mem->regions;
    q->log_used = VIRTQ_NO_LOG;
    if (q->packed) {
        q->desc.packed = config->desc;
        q->driver.packed = config->driver;
        q->device.packed = config->device;
        q->next.index = config->avail_base & (VIRTQ_WRAP - 1);
        q->next.wrap = config->avail_base & VIRTQ_WRAP;
        q->used = q->next;
    } else {
        q->desc.split = config->desc;
        q->driver.split = config->driver;
        q->device.split = config->device;
        q->next.index = q->avail_idx = config->avail_base;
        q->used.index = config->used_base;
    }
    atomic_init(&q->broken, false);
    for (int i = 0; i < VIRTQ_N_ERRORS; i++) {
        atomic_init(&q->errors[i], 0);
    }
    atomic_init(&q->received_desc, 0);
    atomic_init(&q->completed_desc, 0);
    return 0;
}

/* Returns 'avail_base' (and, in a packed ring, 'used_base') for a ring that
 * goes on where 'q' is.  No buffers may be outstanding. */
uint16_t
virtq_avail_base(const struct virtq *q)
{
    return q->next.index | (q->packed && q->next.wrap ? VIRTQ_WRAP : 0);
}

/* From now on, marks pages that are written in the 'size' bytes of 'log', or
 * no longer if 'log' is NULL.  'log_used' is the guest physical address that
 * the used ring (in a packed ring, the descriptor ring) is said to have.  It
 * is not marked if that is VIRTQ_NO_LOG, or no ring can be there. */
void
virtq_set_log(struct virtq *q, uint8_t *log, uint64_t size, uint64_t log_used)
{
    q->log = log;
    q->log_size = size;
    q->log_used = (log_used <= UINT64_MAX - VIRTQ_MAX_SIZE * VIRTQ_DESC_SIZE
                   ? log_used : VIRTQ_NO_LOG);
}

void
virtq_log__(const struct virtq *q, uint64_t gpa, uint64_t len)
{
    uint64_t last = (gpa + (len - 1)) / LOG_PAGE;

    if (!len || gpa + (len - 1) < gpa) {
        return;
    }
    for (uint64_t page = gpa / LOG_PAGE; page <= last; page++) {
        uint8_t orig;

        if (page / 8 >= q->log_size) {
            break;
        }

        /* The bit must not be seen before what was written to the page. */
        atomic_or_explicit((atomic_uint8_t *) &q->log[page / 8],
                           1u << page % 8, &orig, memory_order_release);
    }
}

void
virtq_log_segs__(const struct virtq *q, const struct virtq_seg *segs,
                 unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        uint64_t gpa;

        if (virtq_mem_to_guest(q->mem, segs[i].data, &gpa)) {
            virtq_log__(q, gpa, segs[i].len);
        }
    }
}

/* Copies the 'len' bytes at 'addr', up to VIRTQ_TABLE_COPY, to 'copy', and
 * returns that.  Returns NULL if the guest has no such memory. */
const void *
virtq_copy_table__(struct virtq *q, uint64_t addr, uint32_t len,
                   uint8_t copy[])
{
    uint8_t *p = copy;

    while (len) {
        uint32_t chunk = len;
        const uint8_t *data;

        data = virtq_mem_translate(q->mem, &q->hint, addr, &chunk);
        if (!data) {
            return NULL;
        }
        memcpy(p, data, chunk);
        p += chunk;
        addr += chunk;
        len -= chunk;
    }
    return copy;
}

/* Takes up to 'n' frames that the driver transmits, and returns how many.
 * Their segments are valid until they are given back. */
unsigned int
virtq_recv_burst(struct virtq *q, struct virtq_frame *frames, unsigned int n)
{
    if (OVS_UNLIKELY(virtq_is_broken(q))) {
        return 0;
    }
    n = MIN(n, VIRTQ_MAX_BURST);
    return (q->packed
            ? virtq_packed_recv_burst(q, frames, n)
            : virtq_split_recv_burst(q, frames, n));
}

/* Gives back 'n' frames, in the order in which they came.  Also in a broken
 * ring. */
void
virtq_recv_done(struct virtq *q, const struct virtq_frame *frames,
                unsigned int n)
{
    if (q->packed) {
        virtq_packed_recv_done(q, frames, n);
    } else {
        virtq_split_recv_done(q, frames, n);
    }
}

/* Hints that room for 'n' frames is about to be reserved. */
void
virtq_prefetch(struct virtq *q, unsigned int n)
{
    if (OVS_LIKELY(!virtq_is_broken(q))) {
        if (q->packed) {
            virtq_packed_prefetch(q, n);
        } else {
            virtq_split_prefetch(q, n);
        }
    }
}

/* Finds room for 'n' frames of 'lens' bytes, without headers, each in one
 * buffer or, if 'mergeable' (VIRTIO_NET_F_MRG_RXBUF), in several.  Fills in as
 * many of 'rooms' as it can, and returns how many that are.  'hdr' of each is
 * zeroed, and is the caller's to fill in.
 *
 * '*errorp' becomes 0 if there is room for all, or else says why not for the
 * next one: EAGAIN if the driver has not given enough buffers, EMSGSIZE if the
 * next buffer is too small or too many would be needed.  Then that frame must
 * be dropped, and nothing is taken for it. */
unsigned int
virtq_reserve_burst(struct virtq *q, const uint32_t lens[], unsigned int n,
                    bool mergeable, struct virtq_room *rooms, int *errorp)
{
    if (OVS_UNLIKELY(virtq_is_broken(q))) {
        *errorp = EAGAIN;
        return 0;
    }
    return (q->packed
            ? virtq_packed_reserve(q, lens, n, mergeable, rooms, errorp)
            : virtq_split_reserve(q, lens, n, mergeable, rooms, errorp));
}

/* Hands over the frames in the 'n' 'rooms', which must be those reserved
 * first, in that order. */
void
virtq_commit(struct virtq *q, struct virtq_room *rooms, unsigned int n)
{
    if (q->packed) {
        virtq_packed_commit(q, rooms, n);
    } else {
        virtq_split_commit(q, rooms, n);
    }
}

/* Does without the 'n' 'rooms', which must be those reserved last, in that
 * order.  Their buffers will be found again. */
void
virtq_cancel(struct virtq *q, const struct virtq_room *rooms, unsigned int n)
{
    if (n) {
        q->next = rooms[0].start;
        for (unsigned int i = 0; i < n; i++) {
            q->outstanding -= rooms[i].n_descs;
        }
    }
}

/* Slots: what most buffers are, with less work for each.  Buffers may be taken
 * in this way and as above in turn, but have to be given back in the order in
 * which they were taken. */

/* Are there slots in 'q' at all?  Those who keep a log want to know more. */
static inline bool
virtq_has_slots(const struct virtq *q)
{
    return OVS_LIKELY(!q->log) && OVS_LIKELY(!virtq_is_broken(q));
}

static void
virtq_put_slots(struct virtq *q, const struct virtq_slot *slots,
                unsigned int n, bool written)
{
    if (q->packed) {
        virtq_packed_put_slots(q, slots, n, written);
    } else {
        virtq_split_put_slots(q, slots, n, written);
    }
    q->news += n;
    q->outstanding -= n;
    counter_add(&q->completed_desc, n);
}

/* Takes up to 'n' of the frames that the driver transmits next, as long as
 * they are slots, and returns how many.  What comes after them, if anything,
 * is virtq_recv_burst()'s. */
unsigned int
virtq_recv_slots(struct virtq *q, struct virtq_slot *slots, unsigned int n)
{
    if (!virtq_has_slots(q)) {
        return 0;
    }
    n = (q->packed
         ? virtq_packed_recv_slots(q, n, slots)
         : virtq_split_recv_slots(q, n, slots));
    counter_add(&q->received_desc, n);
    return n;
}

/* Gives back the 'n' 'slots', at least one. */
void
virtq_recv_slots_done(struct virtq *q, const struct virtq_slot *slots,
                      unsigned int n)
{
    virtq_put_slots(q, slots, n, false);
}

/* Finds room for the first of 'n' frames of 'lens' bytes, without headers, as
 * long as the next buffers are slots that are large enough, and returns how
 * many that are.  The caller writes headers and frames.  Room for the next
 * frame, if there is any, is found by virtq_reserve_burst(). */
unsigned int
virtq_reserve_slots(struct virtq *q, const uint32_t lens[], unsigned int n,
                    struct virtq_slot *slots)
{
    if (!virtq_has_slots(q)) {
        return 0;
    }
    return (q->packed
            ? virtq_packed_reserve_slots(q, lens, n, slots)
            : virtq_split_reserve_slots(q, lens, n, slots));
}

/* Hands over the frames in the 'n' 'slots', at least one. */
void
virtq_commit_slots(struct virtq *q, const struct virtq_slot *slots,
                   unsigned int n)
{
    virtq_put_slots(q, slots, n, true);
    counter_add(&q->received_desc, n);
}

/* Does the driver want to hear that buffers have been used since this was last
 * asked?  To be asked after each burst. */
bool
virtq_should_notify(struct virtq *q)
{
    const uint32_t lap = q->packed ? q->size : UINT16_MAX;

    if (!q->news) {
        return false;
    }
    if (OVS_UNLIKELY(q->news > lap)) {
        /* So much since the last question that indices do not tell any more
         * whether the one that the driver waits for is among it. */
        q->notified_valid = false;
    }
    q->news = 0;
    return (q->packed
            ? virtq_packed_should_notify(q)
            : virtq_split_should_notify(q));
}

/* Asks the driver to notify us of the next buffer that it makes available.
 * Returns true if there is one already, of which it may not notify us. */
bool
virtq_enable_notify(struct virtq *q)
{
    if (q->packed) {
        virtq_packed_set_notify(q, true);
    } else {
        virtq_split_set_notify(q, true);
    }

    /* What the driver reads must be visible before we look at what it wrote
     * before it read that. */
    rte_smp_mb();
    return virtq_has_work(q);
}

/* Tells the driver that notifications are not needed.  It may still send
 * some. */
void
virtq_disable_notify(struct virtq *q)
{
    if (q->packed) {
        virtq_packed_set_notify(q, false);
    } else {
        virtq_split_set_notify(q, false);
    }
}

/* Is there a buffer that has not been taken? */
bool
virtq_has_work(struct virtq *q)
{
    if (OVS_UNLIKELY(virtq_is_broken(q))) {
        return false;
    }
    return (q->packed
            ? virtq_packed_has_work(q)
            : virtq_split_has_work(q));
}

/* Has a broken ring go on.
 *
 * A split one does so with what the driver makes available from now on: nobody
 * gets to see what there was before, which is not given back, either.  In a
 * packed one, nothing can be passed over that is not given back.  But we know
 * where we stand, and have taken nothing there: so it goes on in that place
 * when what is available there makes sense.
 *
 * Returns false, and changes nothing, if it cannot be told where to go on:
 * that is not so, or buffers are outstanding. */
bool
virtq_recover(struct virtq *q)
{
    if (q->outstanding || !virtq_is_broken(q)) {
        return false;
    }
    if (!q->packed) {
        q->next.index = q->avail_idx = virtq_load16(&q->driver.split->idx);
    } else if (!virtq_packed_makes_sense(q)) {
        return false;
    }
    atomic_store_relaxed(&q->broken, false);
    return true;
}
