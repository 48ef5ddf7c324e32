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

#ifndef VIRTQ_RING_H
#define VIRTQ_RING_H 1

/* What split and packed virtqueues have in common.  For virtq*.c only.
 *
 * Security model
 * ==============
 *
 * Rings, tables of indirect descriptors and headers belong to a hostile guest.
 * They are read with the virtq_load functions, each value once, into variables
 * of ours, which are checked before they are used: no compiler may read them
 * again.  Addresses become pointers in virtq_mem_translate() alone.
 *
 * Kinds of rings
 * ==============
 *
 * A kind is three functions:
 *
 *   - "take" reads the next available buffer, if there is one;
 *
 *   - "put" writes a buffer to be given back into the ring;
 *
 *   - "flush" makes all that was put since the last time visible.
 *
 * What is built of them takes them as arguments, and is inlined wherever it is
 * used, so that the compiler knows which.
 *
 * Far memory
 * ==========
 *
 * The driver is on another processor, from where each line that it wrote has
 * to come.  Lines are therefore asked for early, and for a burst at once.
 *
 * What we write for it waits in the store buffer, and what is to be written
 * after it waits behind.  That is no harm, unless we read back something of
 * ours that is still there in other portions than it was written: processors
 * then wait until the buffer has drained, i.e. for the driver's lines after
 * all.  Hence the pains that are taken here to have descriptors in registers,
 * and not to move or to copy what has just been put together.  It has room for
 * some 50 stores, so that what can be written in one is. */

#include "virtq.h"

#include <errno.h>
#include <rte_atomic.h>

#include "compiler.h"
#include "soft-counter.h"

/* Flags of descriptors, sections 2.7.5 and 2.8.6. */
#define VIRTQ_F_NEXT 0x0001
#define VIRTQ_F_WRITE 0x0002
#define VIRTQ_F_INDIRECT 0x0004
#define VIRTQ_F_AVAIL 0x0080    /* Packed only. */
#define VIRTQ_F_USED 0x8000     /* Packed only. */

/* Split virtqueues, sections 2.7.5, 2.7.6 and 2.7.8. */
struct virtq_split_desc {
    rte_le64_t addr;
    rte_le32_t len;
    rte_le16_t flags;
    rte_le16_t next;
};

struct virtq_avail {
    rte_le16_t flags;           /* VIRTQ_SUPPRESS. */
    rte_le16_t idx;
    rte_le16_t ring[];          /* Followed by used_event. */
};

struct virtq_used_elem {
    rte_le32_t id;
    rte_le32_t len;
};

struct virtq_used {
    rte_le16_t flags;           /* VIRTQ_SUPPRESS. */
    rte_le16_t idx;
    struct virtq_used_elem ring[]; /* Followed by avail_event. */
};
#define VIRTQ_SUPPRESS 1

/* Packed virtqueues, sections 2.8.13 and 2.8.14. */
struct virtq_packed_desc {
    rte_le64_t addr;
    rte_le32_t len;
    rte_le16_t id;
    rte_le16_t flags;
};

struct virtq_event {
    rte_le16_t off_wrap;
    rte_le16_t flags;           /* In the lower bits one of: */
};
#define VIRTQ_EVENT_ENABLE 0
#define VIRTQ_EVENT_DISABLE 1
#define VIRTQ_EVENT_DESC 2
#define VIRTQ_EVENT_MASK 3

#define VIRTQ_DESC_SIZE 16
BUILD_ASSERT_DECL(sizeof(struct virtq_split_desc) == VIRTQ_DESC_SIZE);
BUILD_ASSERT_DECL(sizeof(struct virtq_packed_desc) == VIRTQ_DESC_SIZE);

/* Memory shared with the driver. */

/* A word that may lie anywhere. */
OVS_PACKED(
struct virtq_word {
    volatile uint64_t value;
});

static inline uint16_t
virtq_load16(const rte_le16_t *p)
{
    return rte_le_to_cpu_16(*(const volatile rte_le16_t *) p);
}

static inline uint64_t
virtq_load64(const void *p)
{
    return rte_le_to_cpu_64(((const struct virtq_word *) p)->value);
}

static inline void
virtq_store16(rte_le16_t *p, uint16_t value)
{
    *(volatile rte_le16_t *) p = rte_cpu_to_le_16(value);
}

/* Writes the word at 'p'.  Where a word takes two stores its first half comes
 * first. */
static inline void
virtq_store64(void *p, uint64_t value)
{
#if UINTPTR_MAX >= UINT64_MAX
    ((struct virtq_word *) p)->value = rte_cpu_to_le_64(value);
#else
    rte_le32_t halves[2];

    value = rte_cpu_to_le_64(value);
    memcpy(halves, &value, sizeof halves);
    ((volatile rte_le32_t *) p)[0] = halves[0];
    rte_smp_wmb();
    ((volatile rte_le32_t *) p)[1] = halves[1];
#endif
}

/* Hints that the first 'len' bytes at 'p', or rather the first two lines of
 * them, will be needed: the processor finds out the rest by itself. */
static inline void
virtq_prefetch_data(const uint8_t *p, uint32_t len)
{
    OVS_PREFETCH(p);
    if (((uintptr_t) p & (CACHE_LINE_SIZE - 1)) + len > CACHE_LINE_SIZE) {
        OVS_PREFETCH(p + CACHE_LINE_SIZE);
    }
}

static inline void
virtq_prefetch_room(const uint8_t *p, uint32_t len)
{
    virtq_prefetch_write(p);
    if (((uintptr_t) p & (CACHE_LINE_SIZE - 1)) + len > CACHE_LINE_SIZE) {
        virtq_prefetch_write(p + CACHE_LINE_SIZE);
    }
}

/* A private copy of a descriptor. */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;              /* Split. */
    uint16_t id;                /* Packed. */
};

static inline struct virtq_desc
virtq_load_split_desc(const void *p)
{
    uint64_t addr = virtq_load64(p);
    uint64_t rest = virtq_load64((const char *) p + 8);

    return (struct virtq_desc) {
        .addr = addr, .len = rest, .flags = rest >> 32, .next = rest >> 48,
    };
}

static inline struct virtq_desc
virtq_load_packed_desc(const void *p)
{
    uint64_t addr = virtq_load64(p);
    uint64_t rest = virtq_load64((const char *) p + 8);

    return (struct virtq_desc) {
        .addr = addr, .len = rest, .id = rest >> 32, .flags = rest >> 48,
    };
}

/* Dirty log. */

void virtq_log__(const struct virtq *, uint64_t gpa, uint64_t len);
void virtq_log_segs__(const struct virtq *, const struct virtq_seg *,
                      unsigned int n);

/* Marks 'len' bytes of the used ring, from 'ofs'. */
static inline void
virtq_log_used(const struct virtq *q, uint64_t ofs, uint64_t len)
{
    if (OVS_UNLIKELY(q->log) && q->log_used != VIRTQ_NO_LOG) {
        virtq_log__(q, q->log_used + ofs, len);
    }
}

static inline void
virtq_break(struct virtq *q)
{
    counter_add(&q->errors[VIRTQ_BAD_DESC], 1);
    atomic_store_relaxed(&q->broken, true);
}

/* Buffers. */

/* What "take" returns, besides the values of enum virtq_error. */
#define VIRTQ_OK (-1)
#define VIRTQ_EMPTY (-2)        /* Nothing is available, or 'q' is broken. */

/* Collects the descriptors of one buffer. */
struct virtq_gather {
    bool writable;              /* Shall they be for the device to write? */
    uint16_t n_descs;           /* Descriptors, with those in tables. */
    uint16_t n_segs;
    uint64_t len;               /* Bytes in all. */
    struct virtq_seg *segs;     /* VIRTQ_MAX_CHAIN elements. */
};

/* Adds the 'left' bytes at 'addr', of a descriptor with 'flags' that is not a
 * table of descriptors. */
static inline ALWAYS_INLINE int
virtq_gather(struct virtq *q, struct virtq_gather *g,
             uint64_t addr, uint32_t left, uint16_t flags)
{
    if (OVS_UNLIKELY(g->n_descs == VIRTQ_MAX_CHAIN)) {
        return VIRTQ_LONG_CHAIN;
    }
    g->n_descs++;
    if (OVS_UNLIKELY(!(flags & VIRTQ_F_WRITE) == g->writable)) {
        return VIRTQ_BAD_DESC;
    } else if (OVS_UNLIKELY(!left)) {
        return VIRTQ_OK;
    } else if (OVS_UNLIKELY(addr + (left - 1) < addr)) {
        return VIRTQ_BAD_ADDRESS;
    }
    g->len += left;
    do {
        uint32_t len = left;
        uint8_t *data = virtq_mem_translate(q->mem, &q->hint, addr, &len);

        if (OVS_UNLIKELY(!data)) {
            return VIRTQ_BAD_ADDRESS;
        } else if (OVS_UNLIKELY(g->n_segs == VIRTQ_MAX_CHAIN)) {
            return VIRTQ_LONG_CHAIN;
        }
        g->segs[g->n_segs].data = data;
        g->segs[g->n_segs].len = len;
        g->n_segs++;
        addr += len;
        left -= len;
    } while (OVS_UNLIKELY(left));
    return VIRTQ_OK;
}

const void *virtq_copy_table__(struct virtq *, uint64_t addr, uint32_t len,
                               uint8_t copy[]);

/* Room for a table whose memory is not in one piece. */
#define VIRTQ_TABLE_COPY (VIRTQ_MAX_CHAIN * VIRTQ_DESC_SIZE)

/* Finds the table of 'size' bytes at 'addr', of a descriptor with 'flags', and
 * stores it in '*tablep': guest memory, or a copy in 'copy'. */
static inline int
virtq_table(struct virtq *q, uint64_t addr, uint32_t size, uint16_t flags,
            const void **tablep, uint8_t copy[VIRTQ_TABLE_COPY])
{
    uint32_t len = size;

    if (OVS_UNLIKELY(!q->indirect || !len || len % VIRTQ_DESC_SIZE
                     || flags & VIRTQ_F_NEXT)) {
        return VIRTQ_BAD_DESC;
    }
    *tablep = virtq_mem_translate(q->mem, &q->hint, addr, &len);
    if (OVS_UNLIKELY(!*tablep)) {
        return VIRTQ_BAD_ADDRESS;
    } else if (OVS_UNLIKELY(len != size)) {
        if (size > VIRTQ_TABLE_COPY) {
            return VIRTQ_LONG_CHAIN;
        }
        *tablep = virtq_copy_table__(q, addr, size, copy);
        if (!*tablep) {
            return VIRTQ_BAD_ADDRESS;
        }
    }
    return VIRTQ_OK;
}

/* Slots.  They are most of the work with small frames, so each kind has loops
 * of its own for them, which keep in registers what would have to be read
 * again after each store: the compiler does not know what that may change. */

/* Returns where all the 'len' bytes at 'addr' are, or NULL if they are not in
 * one piece.  '*near' is a copy of '*q->hint'. */
static inline ALWAYS_INLINE uint8_t *
virtq_slot_data(struct virtq *q, struct virtq_region *near, uint64_t addr,
                uint32_t len)
{
    uint64_t ofs = addr - near->gpa;

    if (OVS_UNLIKELY(ofs >= near->size)) {
        uint32_t left = len;

        if (!virtq_mem_translate(q->mem, &q->hint, addr, &left)) {
            return NULL;
        }
        *near = *q->hint;
        ofs = addr - near->gpa;
    }
    return OVS_LIKELY(len <= near->size - ofs) ? near->va + ofs : NULL;
}

/* Fills in 'slot', but for its 'id', if the 'd_len' bytes at 'addr' are fit
 * for it: a header and a frame to be transmitted, or room for a header and a
 * frame of '*len' bytes. */
static inline ALWAYS_INLINE bool
virtq_slot_init(struct virtq *q, struct virtq_region *near, uint32_t hdr_len,
                bool skip_hdr, uint64_t addr, uint32_t d_len,
                const uint32_t *len, struct virtq_slot *slot)
{
    uint8_t *data;

    if (len) {
        if (OVS_UNLIKELY(*len - 1 >= VIRTQ_MAX_LENGTH)
            || OVS_UNLIKELY(d_len < *len + hdr_len)) {
            return false;
        }
    } else if (OVS_UNLIKELY(d_len <= hdr_len)
               || OVS_UNLIKELY(d_len > VIRTQ_MAX_LENGTH)) {
        return false;
    }
    data = virtq_slot_data(q, near, addr, d_len);
    if (OVS_UNLIKELY(!data)) {
        return false;
    }
    slot->data = data;
    if (len) {
        slot->len = *len + hdr_len;
        OVS_PREFETCH(data);
        virtq_prefetch_room(data + hdr_len, *len);
    } else {
        uint32_t skip = skip_hdr ? hdr_len : 0;

        slot->len = d_len;
        virtq_prefetch_data(data + skip, d_len - skip);
    }
    return true;
}

/* What has been put and not flushed. */
struct virtq_batch {
    uint16_t n;                 /* Buffers. */
    uint32_t n_descs;           /* Elements of the ring that they take. */
    uint16_t first;             /* Packed: index of the first, */
    uint64_t word;              /* which is still to be written. */
};

/* "Takes" a buffer at '*cursor', and moves that on, also if the buffer is bad.
 * 'n_taken' elements have been taken since q->next. */
typedef int virtq_take_func(struct virtq *, struct virtq_cursor *cursor,
                            uint16_t n_taken, struct virtq_gather *,
                            struct virtq_chain *);

typedef void virtq_put_func(struct virtq *, struct virtq_batch *,
                            const struct virtq_chain *);
typedef void virtq_flush_func(struct virtq *, struct virtq_batch *);

/* Gives back 'chains' that were taken, but are not outstanding. */
static inline ALWAYS_INLINE void
virtq_give_back(struct virtq *q, const struct virtq_chain *chains,
                unsigned int n, virtq_put_func *put, virtq_flush_func *flush)
{
    struct virtq_batch batch = { .n = 0 };

    for (unsigned int i = 0; i < n; i++) {
        put(q, &batch, &chains[i]);
    }
    flush(q, &batch);
    counter_add(&q->received_desc, n);
    counter_add(&q->completed_desc, n);
}

/* The driver transmits. */

/* Moves the header from the segments of 'f' to f->hdr.  It often has a cache
 * line of its own, before that of the frame, which the driver has to give away
 * if it is read. */
static inline void
virtq_pull_header(const struct virtq *q, struct virtq_frame *f)
{
    uint8_t *hdr = (uint8_t *) &f->hdr;
    size_t left = q->hdr_len;
    unsigned int n = 0;

    memset(hdr, 0, sizeof f->hdr);
    if (OVS_LIKELY(f->segs[0].len >= VIRTQ_HDR_LEN
                   && left == VIRTQ_HDR_LEN)) {
        if (!q->skip_hdr) {
            memcpy(hdr, f->segs[0].data, VIRTQ_HDR_LEN);
        }
        f->segs[0].data += VIRTQ_HDR_LEN;
        f->segs[0].len -= VIRTQ_HDR_LEN;
        n = !f->segs[0].len;
    } else {
        while (left) {
            struct virtq_seg *seg = &f->segs[n];
            size_t chunk = MIN(left, seg->len);

            if (!q->skip_hdr) {
                memcpy(hdr, seg->data, chunk);
            }
            hdr += chunk;
            left -= chunk;
            seg->data += chunk;
            seg->len -= chunk;
            n += !seg->len;
        }
    }
    if (n) {
        f->n_segs -= n;
        for (unsigned int i = 0; i < f->n_segs; i++) {
            f->segs[i].data = f->segs[i + n].data;
            f->segs[i].len = f->segs[i + n].len;
        }
    }
    f->hdr.num_buffers = 0;
}

/* Hints that what 'seg' begins with, a header and a frame, will be needed. */
static inline void
virtq_prefetch_frame(const struct virtq *q, const struct virtq_seg *seg)
{
    uint32_t skip = q->skip_hdr ? MIN(q->hdr_len, seg->len) : 0;

    virtq_prefetch_data(seg->data + skip, seg->len - skip);
}

static inline ALWAYS_INLINE unsigned int
virtq_recv__(struct virtq *q, struct virtq_frame *frames, unsigned int n,
             virtq_take_func *take, virtq_put_func *put,
             virtq_flush_func *flush)
{
    unsigned int n_frames = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct virtq_frame *f = &frames[n_frames];
        struct virtq_gather g = { .writable = false, .segs = f->segs };
        struct virtq_cursor cursor = q->next;
        int error;

        error = take(q, &cursor, 0, &g, &f->chain);
        if (OVS_UNLIKELY(error == VIRTQ_OK
                         && (g.len < q->hdr_len
                             || g.len > VIRTQ_MAX_LENGTH))) {
            error = VIRTQ_BAD_DESC;
        }
        f->chain.len = 0;
        if (OVS_LIKELY(error == VIRTQ_OK)) {
            q->next = cursor;
            q->outstanding += f->chain.n_descs;
            f->len = g.len - q->hdr_len;
            f->n_segs = g.n_segs;
            virtq_prefetch_frame(q, &f->segs[0]);
            n_frames++;
        } else if (error == VIRTQ_EMPTY || q->outstanding) {
            /* A bad buffer has to wait until those before it have gone back,
             * and will be looked at again. */
            break;
        } else {
            counter_add(&q->errors[error], 1);
            q->next = cursor;
            virtq_give_back(q, &f->chain, 1, put, flush);
            if (f->chain.n_descs > VIRTQ_MAX_CHAIN) {
                /* In a packed ring, it may have taken a whole lap to find its
                 * end: enough for one call. */
                break;
            }
        }
    }
    for (unsigned int i = 0; i < n_frames; i++) {
        virtq_pull_header(q, &frames[i]);
    }
    if (n_frames) {
        counter_add(&q->received_desc, n_frames);
    }
    return n_frames;
}

static inline ALWAYS_INLINE void
virtq_recv_done__(struct virtq *q, const struct virtq_frame *frames,
                  unsigned int n, virtq_put_func *put,
                  virtq_flush_func *flush)
{
    struct virtq_batch batch = { .n = 0 };

    for (unsigned int i = 0; i < n; i++) {
        put(q, &batch, &frames[i].chain);
        q->outstanding -= frames[i].chain.n_descs;
    }
    flush(q, &batch);
    counter_add(&q->completed_desc, n);
}

/* The driver receives. */

/* Leaves of the 'n' segments at 'segs' the first 'len' bytes, which are there.
 * Returns the number of segments that are left. */
static inline unsigned int
virtq_trim(struct virtq_seg *segs, uint32_t len)
{
    unsigned int n = 0;

    while (len) {
        segs[n].len = MIN(segs[n].len, len);
        len -= segs[n++].len;
    }
    return n;
}

/* Parts the segments of the header from those of the frame.  There is an
 * element before the first of them for that. */
static inline void
virtq_part_header(const struct virtq *q, struct virtq_room *room)
{
    struct virtq_seg *seg = &room->segs[1];
    uint32_t left = q->hdr_len;
    unsigned int i;

    if (OVS_LIKELY(seg->len > left)) {
        room->segs[0].data = seg->data;
        room->segs[0].len = left;
        seg->data += left;
        seg->len -= left;
        room->hdr_seg = 0;
        i = 1;
    } else {
        for (i = 1; left && left >= room->segs[i].len; i++) {
            left -= room->segs[i].len;
        }
        if (left) {
            /* Its header's part goes before it, and what is before that moves
             * forward. */
            for (unsigned int j = 0; j < i; j++) {
                room->segs[j] = room->segs[j + 1];
            }
            room->segs[i - 1].len = left;
            room->segs[i].data += left;
            room->segs[i].len -= left;
            room->hdr_seg = 0;
        } else {
            room->hdr_seg = 1;
        }
    }
    room->first_seg = i;
}

/* Completes 'room', whose buffers have been taken, for a frame of 'len'
 * bytes. */
static inline void
virtq_begin(struct virtq_room *room, uint32_t len)
{
    room->len = len;
    room->write_seg = room->first_seg;
    room->write_ofs = 0;
    OVS_PREFETCH(room->segs[room->hdr_seg].data);
    virtq_prefetch_room(room->segs[room->first_seg].data, len);
    memset(&room->hdr, 0, sizeof room->hdr);
}

static inline ALWAYS_INLINE int
virtq_reserve__(struct virtq *q, uint32_t len, bool mergeable,
                struct virtq_room *room, virtq_take_func *take,
                virtq_put_func *put, virtq_flush_func *flush)
{
    uint32_t left = len + q->hdr_len;
    struct virtq_cursor cursor = q->next;
    struct virtq_cursor good = cursor;
    int retval;

    room->n_chains = room->first_chain = 0;
    if (OVS_UNLIKELY(len > VIRTQ_MAX_LENGTH)) {
        return EMSGSIZE;
    }
    room->n_segs = 1;           /* See virtq_part_header(). */
    room->n_descs = 0;
    memset(room->errors, 0, sizeof room->errors);
    while (left) {
        struct virtq_chain *chain = &room->chains[room->n_chains];
        struct virtq_gather g = {
            .writable = true,
            .segs = &room->segs[room->n_segs],
        };
        int error;

        if (OVS_UNLIKELY(room->n_chains >= VIRTQ_MAX_CHAIN
                         || room->n_segs > VIRTQ_MAX_CHAIN + 1)) {
            retval = EMSGSIZE;
            goto fail;
        }
        error = take(q, &cursor, room->n_descs, &g, chain);
        if (OVS_UNLIKELY(error == VIRTQ_EMPTY)) {
            retval = EAGAIN;
            goto fail;
        } else if (OVS_UNLIKELY(error == VIRTQ_OK && g.len < q->hdr_len)) {
            error = VIRTQ_BAD_DESC;
        }
        room->n_chains++;
        room->n_descs += chain->n_descs;
        if (OVS_UNLIKELY(error != VIRTQ_OK)) {
            /* Buffers of one frame follow each other, so those before this one
             * are of no use either. */
            room->errors[error]++;
            for (unsigned int i = room->first_chain; i < room->n_chains; i++) {
                room->chains[i].len = 0;
            }
            room->first_chain = room->n_chains;
            room->n_segs = 1;
            left = len + q->hdr_len;
            good = cursor;
            continue;
        }
        if (OVS_UNLIKELY(!mergeable && g.len < left)) {
            retval = EMSGSIZE;
            goto fail;
        }
        chain->len = MIN(g.len, left);
        room->n_segs += virtq_trim(g.segs, chain->len);
        left -= chain->len;
    }
    room->start = q->next;
    q->next = cursor;
    q->outstanding += room->n_descs;
    virtq_part_header(q, room);
    virtq_begin(room, len);
    return 0;

fail:
    /* Bad buffers that nothing keeps go back now, or else nobody could send
     * anything any more. */
    if (OVS_UNLIKELY(room->first_chain && !q->outstanding)) {
        for (int i = 0; i < VIRTQ_N_ERRORS; i++) {
            counter_add(&q->errors[i], room->errors[i]);
        }
        q->next = good;
        virtq_give_back(q, room->chains, room->first_chain, put, flush);
    }
    return retval;
}

static inline ALWAYS_INLINE unsigned int
virtq_reserve_burst__(struct virtq *q, const uint32_t lens[], unsigned int n,
                      bool mergeable, struct virtq_room *rooms, int *errorp,
                      virtq_take_func *take, virtq_put_func *put,
                      virtq_flush_func *flush)
{
    *errorp = 0;
    for (unsigned int i = 0; i < n; i++) {
        *errorp = virtq_reserve__(q, lens[i], mergeable, &rooms[i], take, put,
                                  flush);
        if (*errorp) {
            return i;
        }
    }
    return n;
}

/* Writes the header of 'room', which begins with segs[hdr_seg]. */
static inline void
virtq_push_header(const struct virtq *q, struct virtq_room *room)
{
    uint16_t num_buffers = room->n_chains - room->first_chain;

    if (OVS_LIKELY(q->hdr_len == VIRTQ_HDR_LEN
                   && room->segs[room->hdr_seg].len == VIRTQ_HDR_LEN)) {
        virtq_put_header(room->segs[room->hdr_seg].data, &room->hdr,
                         num_buffers);
    } else {
        const uint8_t *hdr = (const uint8_t *) &room->hdr;

        room->hdr.num_buffers = rte_cpu_to_le_16(num_buffers);
        for (unsigned int i = room->hdr_seg; i < room->first_seg; i++) {
            memcpy(room->segs[i].data, hdr, room->segs[i].len);
            hdr += room->segs[i].len;
        }
    }
}

static inline ALWAYS_INLINE void
virtq_commit__(struct virtq *q, struct virtq_room *rooms, unsigned int n,
               virtq_put_func *put, virtq_flush_func *flush)
{
    struct virtq_batch batch = { .n = 0 };
    unsigned int n_chains = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct virtq_room *room = &rooms[i];

        virtq_push_header(q, room);
        if (OVS_UNLIKELY(q->log)) {
            virtq_log_segs__(q, room->segs + room->hdr_seg,
                             room->n_segs - room->hdr_seg);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        const struct virtq_room *room = &rooms[i];

        for (unsigned int j = 0; j < room->n_chains; j++) {
            put(q, &batch, &room->chains[j]);
        }
        q->outstanding -= room->n_descs;
        n_chains += room->n_chains;
        if (OVS_UNLIKELY(room->first_chain)) {
            for (int j = 0; j < VIRTQ_N_ERRORS; j++) {
                counter_add(&q->errors[j], room->errors[j]);
            }
        }
    }
    flush(q, &batch);
    counter_add(&q->received_desc, n_chains);
    counter_add(&q->completed_desc, n_chains);
}

/* Has a counter that went from 'old' to 'new' passed 'event'?  Section
 * 2.7.10. */
static inline bool
virtq_passed(uint16_t event, uint16_t new, uint16_t old)
{
    return (uint16_t) (new - event - 1) < (uint16_t) (new - old);
}

/* Kinds. */

unsigned int virtq_split_recv_burst(struct virtq *, struct virtq_frame *,
                                    unsigned int n);
void virtq_split_recv_done(struct virtq *, const struct virtq_frame *,
                           unsigned int n);
unsigned int virtq_split_reserve(struct virtq *, const uint32_t lens[],
                                 unsigned int n, bool mergeable,
                                 struct virtq_room *, int *errorp);
void virtq_split_commit(struct virtq *, struct virtq_room *, unsigned int n);
bool virtq_split_should_notify(struct virtq *);
void virtq_split_set_notify(struct virtq *, bool enable);
bool virtq_split_has_work(struct virtq *);
void virtq_split_prefetch(struct virtq *, unsigned int n);
unsigned int virtq_split_recv_slots(struct virtq *, unsigned int n,
                                    struct virtq_slot *);
unsigned int virtq_split_reserve_slots(struct virtq *, const uint32_t lens[],
                                       unsigned int n, struct virtq_slot *);
void virtq_split_put_slots(struct virtq *, const struct virtq_slot *,
                           unsigned int n, bool written);

unsigned int virtq_packed_recv_burst(struct virtq *, struct virtq_frame *,
                                     unsigned int n);
void virtq_packed_recv_done(struct virtq *, const struct virtq_frame *,
                            unsigned int n);
unsigned int virtq_packed_reserve(struct virtq *, const uint32_t lens[],
                                  unsigned int n, bool mergeable,
                                  struct virtq_room *, int *errorp);
void virtq_packed_commit(struct virtq *, struct virtq_room *, unsigned int n);
bool virtq_packed_should_notify(struct virtq *);
void virtq_packed_set_notify(struct virtq *, bool enable);
bool virtq_packed_has_work(struct virtq *);
void virtq_packed_prefetch(struct virtq *, unsigned int n);
unsigned int virtq_packed_recv_slots(struct virtq *, unsigned int n,
                                     struct virtq_slot *);
unsigned int virtq_packed_reserve_slots(struct virtq *, const uint32_t lens[],
                                        unsigned int n, struct virtq_slot *);
void virtq_packed_put_slots(struct virtq *, const struct virtq_slot *,
                            unsigned int n, bool written);
bool virtq_packed_makes_sense(const struct virtq *);

#endif /* virtq-ring.h */
