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

#ifndef VIRTQ_H
#define VIRTQ_H 1

/* Virtqueues of virtio-net, seen from the device: VIRTIO 1.2, sections 2.7
 * (split) and 2.8 (packed), and the buffers of section 5.1.6.
 *
 * A "struct virtq" is one ring.  It has two faces, of which a ring shows one:
 *
 *   - The driver transmits: virtq_recv_burst() yields frames, each a list of
 *     segments of guest memory.  The caller reads them there, and gives them
 *     back with virtq_recv_done().
 *
 *   - The driver receives: virtq_reserve_burst() finds room for frames, each
 *     again a list of segments.  The caller writes there, e.g. with
 *     virtq_write(), and hands frames over with virtq_commit(), or does
 *     without, with virtq_cancel().
 *
 * Most buffers are a single descriptor.  For as long as those last, there is a
 * shorter way: slots.
 *
 * virtq_recv_done() and virtq_commit() publish a burst in one go.  Then the
 * caller asks virtq_should_notify() whether the driver wants to hear of it.
 *
 * Hostile drivers
 * ===============
 *
 * A driver may write anything into its rings, at any time.  What the functions
 * here return is made of private copies, each field read once and checked;
 * only the contents of segments may still change under the caller.  Work per
 * call is bounded.
 *
 * A buffer that is not as the standard wants it goes back to the driver with
 * length 0, and counts as one of enum virtq_error; a caller never sees it.
 * Where it is not even clear what to give back, 'broken' becomes true, and the
 * ring stands still until it is initialized again, or virtq_recover() is
 * called.
 *
 * Buffers go back in the order in which they came, whether VIRTIO_F_IN_ORDER
 * was negotiated or not.
 *
 * Threads
 * =======
 *
 * One at a time, except that any thread may read 'broken' and the counters.
 * Nothing here waits, allocates memory or logs. */

#include <linux/virtio_net.h>
#include <rte_byteorder.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "openvswitch/compiler.h"
#include "ovs-atomic.h"
#include "util.h"
#include "virtq-mem.h"

#define VIRTQ_MAX_SIZE 32768    /* Section 2.7 and 2.8. */
#define VIRTQ_MAX_BURST 32      /* Frames of one call. */
#define VIRTQ_PREFETCH 512      /* See virtq_prefetch_copy(). */

/* The longest chain of descriptors: 64 kB in pieces of 1 kB. */
#define VIRTQ_MAX_CHAIN 64

/* The longest frame, with its header: more than any driver makes. */
#define VIRTQ_MAX_LENGTH (UINT32_C(1) << 20)

/* VIRTIO 1.3, section 5.1.6; headers of Linux before 6.2 do not have it. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* The header in front of each frame, section 5.1.6, without fields that no
 * feature of ours brings. */
struct virtq_hdr {
    uint8_t flags;              /* VIRTIO_NET_HDR_F_*. */
    uint8_t gso_type;           /* VIRTIO_NET_HDR_GSO_*. */
    rte_le16_t hdr_len;
    rte_le16_t gso_size;
    rte_le16_t csum_start;
    rte_le16_t csum_offset;
    rte_le16_t num_buffers;     /* Not there if the header has 10 bytes. */
};
#define VIRTQ_HDR_LEN 12
#define VIRTQ_HDR_LEN_LEGACY 10
BUILD_ASSERT_DECL(sizeof(struct virtq_hdr) == VIRTQ_HDR_LEN);

/* What may be wrong with a buffer. */
enum virtq_error {
    VIRTQ_BAD_DESC,             /* Flags, index, length, or a loop. */
    VIRTQ_LONG_CHAIN,           /* More than VIRTQ_MAX_CHAIN descriptors. */
    VIRTQ_BAD_ADDRESS,          /* Not the guest's memory. */
    VIRTQ_N_ERRORS
};

/* A piece of guest memory. */
struct virtq_seg {
    uint8_t *data;
    uint32_t len;               /* Bytes, not 0. */
};

/* A buffer to be given back. */
struct virtq_chain {
    uint16_t id;                /* The driver's name for it. */
    uint16_t n_descs;           /* Elements of the ring that it takes. */
    uint32_t len;               /* Bytes written to it. */
};

/* A frame that the driver transmits. */
struct virtq_frame {
    struct virtq_hdr hdr;       /* A copy; num_buffers is 0.  All zeros if
                                 * headers are not read. */
    uint32_t len;               /* Bytes in 'segs'. */
    struct virtq_chain chain;
    uint16_t n_segs;
    struct virtq_seg segs[VIRTQ_MAX_CHAIN]; /* The frame, without header. */
};

/* A buffer that is one descriptor, all of it in one piece of memory: what most
 * are. */
struct virtq_slot {
    uint8_t *data;              /* The header, with the frame behind it. */
    uint32_t len;               /* Bytes of both. */
    uint16_t id;                /* The driver's name for it. */
};

/* Where a ring is read next. */
struct virtq_cursor {
    uint16_t index;             /* Split: free running.  Packed: < size. */
    bool wrap;                  /* Packed: wrap counter. */
};

/* Room for a frame that the driver receives. */
struct virtq_room {
    struct virtq_hdr hdr;       /* To be filled in, but for num_buffers. */
    uint32_t len;               /* Bytes from segs[first_seg] on. */
    uint16_t hdr_seg;           /* Where the header's segments begin. */
    uint16_t first_seg;         /* The first after those. */
    uint16_t n_segs;            /* Counting from segs[0]. */

    /* The rest is not for callers. */
    uint16_t write_seg;         /* Where virtq_write() goes on. */
    uint32_t write_ofs;
    uint16_t first_chain;       /* The first after those that were bad. */
    uint16_t n_chains;
    uint16_t n_descs;           /* Sum over 'chains'. */
    uint16_t errors[VIRTQ_N_ERRORS]; /* Of bad chains. */
    struct virtq_cursor start;  /* Where the ring was read first. */
    struct virtq_chain chains[VIRTQ_MAX_CHAIN];
    struct virtq_seg segs[2 * VIRTQ_MAX_CHAIN + 2];
};

/* What a ring is made of.  Addresses are ours, of memory that the guest writes
 * to as well; whoever fills this in has checked that the whole of each area is
 * there: see virtq_area_size(). */
struct virtq_config {
    const struct virtq_mem *mem; /* Must outlive the ring's use. */
    void *desc;                 /* Descriptor area. */
    void *driver;               /* Driver area: available ring, or events. */
    void *device;               /* Device area: used ring, or events. */
    uint16_t size;              /* Descriptors. */
    bool packed;                /* VIRTIO_F_RING_PACKED. */
    bool event_idx;             /* VIRTIO_F_EVENT_IDX. */
    bool indirect;              /* VIRTIO_F_INDIRECT_DESC. */
    uint8_t hdr_len;            /* VIRTQ_HDR_LEN or VIRTQ_HDR_LEN_LEGACY. */
    bool skip_hdr;              /* Headers from the driver ask for nothing, as
                                 * no feature lets them: they are not read. */

    /* How far the device has come: the index of the next available buffer, and
     * that of the next used one.  In a packed ring they are equal, with the
     * wrap counter in bit 15, so a new one begins at VIRTQ_WRAP. */
    uint16_t avail_base;
    uint16_t used_base;
};
#define VIRTQ_WRAP 0x8000

struct virtq {
    /* Constant. */
    const struct virtq_mem *mem;
    union {
        struct virtq_split_desc *split;
        struct virtq_packed_desc *packed;
    } desc;
    union {
        struct virtq_avail *split;
        struct virtq_event *packed;
    } driver;
    union {
        struct virtq_used *split;
        struct virtq_event *packed;
    } device;
    uint16_t size;
    bool packed;
    bool event_idx;
    bool indirect;
    uint8_t hdr_len;
    bool skip_hdr;

    /* State. */
    atomic_bool broken;         /* Stands still. */
    const struct virtq_region *hint; /* See virtq_mem_translate(). */
    struct virtq_cursor next;   /* Next available buffer. */
    uint16_t avail_idx;         /* Split: what the driver last said. */
    uint16_t outstanding;       /* Elements read and not given back. */
    struct virtq_cursor used;   /* Next used buffer. */
    uint16_t notified;          /* 'used.index' at the last notification. */
    uint32_t news;              /* Elements used since that was asked for. */
    bool notified_valid;        /* Is 'notified'? */

    /* Pages written are marked here if 'log' is nonnull: a bit each of 4096
     * bytes, as vhost's VHOST_F_LOG_ALL has it. */
    uint8_t *log;
    uint64_t log_size;          /* Bytes. */
    uint64_t log_used;          /* Where the used ring is said to be, a guest
                                 * physical address, or VIRTQ_NO_LOG. */

    atomic_uint64_t errors[VIRTQ_N_ERRORS]; /* Buffers, by what was wrong. */
    atomic_uint64_t received_desc; /* Buffers taken from the ring, */
    atomic_uint64_t completed_desc; /* and given back. */
};
#define VIRTQ_NO_LOG UINT64_MAX

/* Life. */
size_t virtq_area_size(const struct virtq_config *, int area);
int virtq_init(struct virtq *, const struct virtq_config *);
uint16_t virtq_avail_base(const struct virtq *);
void virtq_set_log(struct virtq *, uint8_t *log, uint64_t size,
                   uint64_t log_used);
bool virtq_recover(struct virtq *);

/* The driver transmits. */
unsigned int virtq_recv_burst(struct virtq *, struct virtq_frame *,
                              unsigned int n);
void virtq_recv_done(struct virtq *, const struct virtq_frame *,
                     unsigned int n);
unsigned int virtq_recv_slots(struct virtq *, struct virtq_slot *,
                              unsigned int n);
void virtq_recv_slots_done(struct virtq *, const struct virtq_slot *,
                           unsigned int n);

/* The driver receives. */
void virtq_prefetch(struct virtq *, unsigned int n);
unsigned int virtq_reserve_burst(struct virtq *, const uint32_t lens[],
                                 unsigned int n, bool mergeable,
                                 struct virtq_room *, int *errorp);
void virtq_commit(struct virtq *, struct virtq_room *, unsigned int n);
void virtq_cancel(struct virtq *, const struct virtq_room *, unsigned int n);
unsigned int virtq_reserve_slots(struct virtq *, const uint32_t lens[],
                                 unsigned int n, struct virtq_slot *);
void virtq_commit_slots(struct virtq *, const struct virtq_slot *,
                        unsigned int n);

/* Notifications. */
bool virtq_should_notify(struct virtq *);
bool virtq_enable_notify(struct virtq *);
void virtq_disable_notify(struct virtq *);
bool virtq_has_work(struct virtq *);

static inline bool
virtq_is_broken(const struct virtq *q)
{
    bool broken;

    atomic_read_relaxed(CONST_CAST(atomic_bool *, &q->broken), &broken);
    return broken;
}

/* Hints that the line at 'p' will be written.  Where the driver is on another
 * processor, this saves a second trip to it: OVS_PREFETCH_WRITE() alone does
 * not do that on x86. */
static inline void
virtq_prefetch_write(const void *p)
{
#ifdef __x86_64__
    asm volatile("prefetchw %0" : : "m" (*(const char *) p));
#else
    OVS_PREFETCH_WRITE(p);
#endif
}

/* Hints that the 'n' bytes at 'dst' are about to be written, from 'src' if
 * that is nonnull, beyond the first 'ofs'.  Processors see by themselves that
 * memory is read or written one line after the other, but not before the first
 * lines of each packet have been waited for. */
static inline void
virtq_prefetch_copy(const uint8_t *dst, uint32_t n,
                    const struct virtq_seg *src, uint32_t ofs)
{
    uint32_t i;

    if (n <= ofs) {
        return;
    }
    n = MIN(n, VIRTQ_PREFETCH);
    for (i = ofs; i < n; i += CACHE_LINE_SIZE) {
        virtq_prefetch_write(dst + i);
    }
    if (src) {
        n = MIN(src->len, VIRTQ_PREFETCH);
        for (i = ofs; i < n; i += CACHE_LINE_SIZE) {
            OVS_PREFETCH(src->data + i);
        }
    }
}

/* Hints that 'seg' is next, after another one that is about to be copied.
 * That takes as long as it takes to fetch a few lines, behind which the
 * processor sees by itself how it goes on. */
static inline void
virtq_prefetch_next(const struct virtq_seg *seg, bool write)
{
    uint32_t n = MIN(seg->len, 4 * CACHE_LINE_SIZE);

    for (uint32_t i = 0; i < n; i += CACHE_LINE_SIZE) {
        if (write) {
            virtq_prefetch_write(seg->data + i);
        } else {
            OVS_PREFETCH(seg->data + i);
        }
    }
}

/* Appends 'n' bytes to what is in 'room' already.  They must fit.  They may
 * overlap with where they go, since two guests may share memory; what comes
 * out then is their business. */
static inline void
virtq_write(struct virtq_room *room, const void *data_, size_t n)
{
    const uint8_t *data = data_;

    while (n) {
        const struct virtq_seg *seg = &room->segs[room->write_seg];
        size_t chunk;

        ovs_assert(room->write_seg < room->n_segs);
        chunk = MIN(n, seg->len - room->write_ofs);
        if (n > chunk && room->write_seg + 1 < room->n_segs) {
            virtq_prefetch_next(&seg[1], true);
        }
        memmove(seg->data + room->write_ofs, data, chunk);
        data += chunk;
        n -= chunk;
        room->write_ofs += chunk;
        if (room->write_ofs == seg->len) {
            room->write_seg++;
            room->write_ofs = 0;
        }
    }
}

/* Appends the whole of 'frame', without its header: the only copy of a frame
 * that goes from guest to guest. */
static inline void
virtq_copy(struct virtq_room *room, const struct virtq_frame *frame)
{
    for (unsigned int i = 0; i < frame->n_segs; i++) {
        virtq_write(room, frame->segs[i].data, frame->segs[i].len);
    }
}

/* Appends what is from 'ofs' on in 'frame'. */
static inline void
virtq_copy_from(struct virtq_room *room, const struct virtq_frame *frame,
                uint32_t ofs)
{
    for (unsigned int i = 0; i < frame->n_segs; i++) {
        const struct virtq_seg *seg = &frame->segs[i];

        if (ofs < seg->len) {
            if (i + 1 < frame->n_segs) {
                virtq_prefetch_next(&seg[1], false);
            }
            virtq_write(room, seg->data + ofs, seg->len - ofs);
            ofs = 0;
        } else {
            ofs -= seg->len;
        }
    }
}

/* Copies the 'n' bytes at 'ofs' of 'frame' to 'data'.  They must be there. */
static inline void
virtq_read(const struct virtq_frame *frame, uint32_t ofs, void *data_,
           size_t n)
{
    const struct virtq_seg *seg = frame->segs;
    uint8_t *data = data_;

    while (n) {
        ovs_assert(seg < &frame->segs[frame->n_segs]);
        if (ofs >= seg->len) {
            ofs -= seg->len;
        } else {
            size_t chunk = MIN(n, seg->len - ofs);

            memcpy(data, seg->data + ofs, chunk);
            data += chunk;
            n -= chunk;
            ofs = 0;
        }
        seg++;
    }
}

/* Makes '*frame' of 'slot', which the driver transmits. */
static inline void
virtq_slot_to_frame(const struct virtq *q, const struct virtq_slot *slot,
                    struct virtq_frame *frame)
{
    memset(&frame->hdr, 0, sizeof frame->hdr);
    if (!q->skip_hdr) {
        /* Without num_buffers, which means nothing here. */
        memcpy(&frame->hdr, slot->data, VIRTQ_HDR_LEN_LEGACY);
    }
    frame->len = slot->len - q->hdr_len;
    frame->chain = (struct virtq_chain) { .id = slot->id, .n_descs = 1 };
    frame->n_segs = 1;
    frame->segs[0].data = slot->data + q->hdr_len;
    frame->segs[0].len = frame->len;
}

/* Does the header of 'slot', which the driver transmits, ask for nothing?  Who
 * goes by this does not look at the header again. */
static inline bool
virtq_slot_is_plain(const struct virtq_slot *slot)
{
    /* Its flags and its gso_type. */
    return !*(const volatile uint8_t *) slot->data
           && !*(const volatile uint8_t *) (slot->data + 1);
}

/* Writes '*hdr', but with 'num_buffers', to 'p', unless it is there already,
 * as it mostly is where a buffer has been used before: headers of ordinary
 * frames are equal.  Then the driver and we both keep its cache line.  (Should
 * somebody change it meanwhile, it is the driver's own fault.)
 *
 * It is compared and written in words that are read from '*hdr' as they were
 * written there: see "Far memory" in virtq-ring.h. */
static inline void
virtq_put_header(uint8_t *p, const struct virtq_hdr *hdr, uint16_t num_buffers)
{
    struct { rte_le16_t csum_offset, num_buffers; } tail = {
        hdr->csum_offset, rte_cpu_to_le_16(num_buffers)
    };

    BUILD_ASSERT_DECL(sizeof tail == VIRTQ_HDR_LEN - 8);
    if (memcmp(p, hdr, 8) || memcmp(p + 8, &tail, sizeof tail)) {
        memcpy(p, hdr, 8);
        memcpy(p + 8, &tail, sizeof tail);
    }
}

/* Writes '*hdr', in which num_buffers does not matter, to 'slot', which the
 * driver receives. */
static inline void
virtq_slot_put_header(const struct virtq *q, const struct virtq_slot *slot,
                      const struct virtq_hdr *hdr)
{
    if (OVS_LIKELY(q->hdr_len == VIRTQ_HDR_LEN)) {
        virtq_put_header(slot->data, hdr, 1);
    } else {
        memcpy(slot->data, hdr, q->hdr_len);
    }
}

#endif /* virtq.h */
