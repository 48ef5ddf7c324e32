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

/* Tests of virtqueues (netdev-virtio-emu/soft/virtq.h) with drivers that do
 * not as they should: each fault by itself, then any mixture of them, also
 * while the device is looking.
 *
 *     test-virtq-hostile [SEED [ROUNDS]] */

#include <config.h>
#undef NDEBUG

#include "virtq.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ovs-thread.h"
#include "random.h"
#include "util.h"
#include "virtq-guest.h"

static unsigned int n_rounds = 60000;

static struct virtq_frame frames[VIRTQ_MAX_BURST];
static struct virtq_room rooms[8];

/* Bad buffers. */

enum badness {
    BAD_DIRECTION,
    BAD_SHORT,                  /* No room for a header. */
    BAD_ADDRESS,
    BAD_OVERFLOW,               /* Address and length pass 2**64. */
    BAD_END,                    /* Begins in memory, ends outside. */
    BAD_CHAIN,                  /* 65 descriptors. */
    BAD_TABLE_EMPTY,
    BAD_TABLE_LENGTH,           /* No multiple of 16. */
    BAD_TABLE_ADDRESS,
    BAD_TABLE_NEXT,             /* A table, and more in the ring. */
    BAD_INDEX,                  /* Split from here on, but for the last. */
    BAD_LOOP,
    BAD_TABLE_INDEX,
    BAD_TABLE_LOOP,
    BAD_NESTED,
    BAD_MIXED,                  /* Packed: a table at the end of a list. */
    N_BADNESSES
};

/* Adds a buffer with a fault. */
static void
add_bad(enum badness badness, bool write)
{
    struct vd_piece pieces[VIRTQ_MAX_CHAIN + 1];
    struct vd_desc *d, *table, *table_elem;
    unsigned int n = badness == BAD_CHAIN ? ARRAY_SIZE(pieces) : 3;

    for (unsigned int i = 0; i < n; i++) {
        pieces[i] = (struct vd_piece) { place(100), 100, write };
    }
    switch ((int) badness) {
    case BAD_DIRECTION:
        pieces[1].write = !write;
        break;
    case BAD_SHORT:
        pieces[0].len = q.hdr_len - 1;
        pieces[1].len = pieces[2].len = 0;
        break;
    case BAD_ADDRESS:
        pieces[2].gpa = TABLES_GPA - 1;
        break;
    case BAD_OVERFLOW:
        pieces[2].gpa = UINT64_MAX - 50;
        break;
    case BAD_END:
        pieces[2].gpa = MEM_GPA + MEM_SIZE - 99;
        break;
    default:
        break;
    }
    assert(vd_add(&vd, pieces, n, badness == BAD_CHAIN ? VD_INDIRECT
                  : badness >= BAD_TABLE_EMPTY && badness != BAD_INDEX
                    && badness != BAD_LOOP && badness != BAD_TABLE_NEXT
                    && badness != BAD_MIXED
                  ? VD_MIXED : VD_DIRECT) >= 0);
    table = vd_table(&vd);
    table_elem = vd_elem(&vd, !vd.packed && badness != BAD_CHAIN);
    switch ((int) badness) {
    case BAD_TABLE_EMPTY:
        table_elem->len = 0;
        break;
    case BAD_TABLE_LENGTH:
        table_elem->len += 8;
        break;
    case BAD_TABLE_ADDRESS:
        table_elem->addr = 5000;
        break;
    case BAD_TABLE_NEXT:
        d = vd_elem(&vd, 1);
        *vd_flags(&vd, d) |= 4;
        d->len = 16;
        break;
    case BAD_MIXED:
        d = vd_elem(&vd, 2);
        *vd_flags(&vd, d) |= 4;
        d->len = 16;
        d->addr = TABLES_GPA;
        table = vd.tables;
        table[0] = (struct vd_desc) { MEM_GPA, 100, 0, write ? 2 : 0 };
        break;
    case BAD_INDEX:
        vd_elem(&vd, 1)->b = vd.size;
        break;
    case BAD_LOOP:
        d = vd_elem(&vd, 2);
        d->a |= 1;
        d->b = vd_elem(&vd, 1) - vd.desc;
        break;
    case BAD_TABLE_INDEX:
        table[0].b = 2;
        break;
    case BAD_TABLE_LOOP:
        table[1].a |= 1;
        table[1].b = 0;
        break;
    case BAD_NESTED:
        table[1].a |= 4;
        table[1].len = 16;
        break;
    default:
        break;
    }
}

static enum virtq_error
error_of(enum badness badness)
{
    switch ((int) badness) {
    case BAD_ADDRESS:
    case BAD_OVERFLOW:
    case BAD_END:
    case BAD_TABLE_ADDRESS:
        return VIRTQ_BAD_ADDRESS;
    case BAD_CHAIN:
        return VIRTQ_LONG_CHAIN;
    case BAD_LOOP:
        return vd.size > VIRTQ_MAX_CHAIN ? VIRTQ_LONG_CHAIN : VIRTQ_BAD_DESC;
    default:
        return VIRTQ_BAD_DESC;
    }
}

static void
test_bad_buffers(const struct ring_setup *s)
{
    const struct vd_piece piece = { MEM_GPA, 100, false };

    for (enum badness b = 0; b < N_BADNESSES; b++) {
        if (s->packed ? b >= BAD_INDEX && b < BAD_MIXED : b == BAD_MIXED) {
            continue;
        }
        start(s);

        /* A bad frame between good ones. */
        add_good(100, false);
        add_bad(b, false);
        add_good(100, false);
        assert(virtq_recv_burst(&q, frames, 8) == 1);
        assert(virtq_recv_burst(&q, frames + 1, 7) == 0);
        assert(!all_errors());
        virtq_recv_done(&q, frames, 1);
        expect_used(0, 0);
        expect_used(-1, 0);
        assert(virtq_recv_burst(&q, frames, 8) == 1);
        assert(all_errors() == 1 && errors(error_of(b)) == 1);
        expect_used(1, 0);
        expect_used(-1, 0);
        virtq_recv_done(&q, frames, 1);
        expect_used(2, 0);
        stop();

        /* A bad one alone, and one in front of the only good one. */
        start(s);
        add_bad(b, true);
        assert(reserve(50, true, rooms) == EAGAIN);
        assert(all_errors() == 1 && errors(error_of(b)) == 1);
        expect_used(0, 0);
        assert(virtq_should_notify(&q));
        add_bad(b, true);
        add_good(100, true);
        assert(!reserve(50, true, rooms));
        assert(all_errors() == 1);
        expect_used(-1, 0);
        virtq_commit(&q, rooms, 1);
        assert(all_errors() == 2 && errors(error_of(b)) == 2);
        expect_used(1, 0);
        expect_used(2, 50 + q.hdr_len);
        stop();

        /* One among those of a frame: those before it go back too.  If there
         * is not enough after it, only those that are of no use do. */
        start(s);
        add_good(100, true);
        add_bad(b, true);
        add_good(100, true);
        assert(reserve(150, true, rooms) == EAGAIN);
        assert(all_errors() == 1);
        expect_used(0, 0);
        expect_used(1, 0);
        expect_used(-1, 0);
        add_good(100, true);
        assert(!reserve(150, true, rooms));
        virtq_commit(&q, rooms, 1);
        expect_used(2, 100);
        expect_used(3, 50 + q.hdr_len);
        stop();

        /* One that is found, and left where it is, while a frame is on its
         * way. */
        start(s);
        add_good(100, true);
        add_bad(b, true);
        assert(!reserve(50, true, &rooms[0]));
        assert(reserve(50, true, &rooms[1]) == EAGAIN);
        expect_used(-1, 0);
        virtq_commit(&q, rooms, 1);
        assert(!all_errors());
        expect_used(0, 50 + q.hdr_len);
        assert(reserve(50, true, &rooms[0]) == EAGAIN);
        assert(all_errors() == 1);
        expect_used(1, 0);
        stop();

        /* One that is counted only once it has gone back. */
        start(s);
        add_bad(b, true);
        add_good(100, true);
        for (int i = 0; i < 3; i++) {
            assert(!reserve(50, true, &rooms[0]));
            virtq_cancel(&q, rooms, 1);
        }
        assert(!all_errors() && !q.outstanding);
        assert(!reserve(50, true, &rooms[0]));
        virtq_commit(&q, rooms, 1);
        assert(all_errors() == 1);
        stop();
    }

    /* One that takes long to look at ends a call, whatever follows it. */
    if (s->packed && s->size > VIRTQ_MAX_CHAIN + 1) {
        struct vd_piece pieces[VIRTQ_MAX_CHAIN + 1];

        start(s);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            pieces[i] = piece;
        }
        assert(!vd_add(&vd, pieces, ARRAY_SIZE(pieces), VD_DIRECT));
        add_good(100, false);
        assert(virtq_recv_burst(&q, frames, 8) == 0);
        assert(errors(VIRTQ_LONG_CHAIN) == 1 && virtq_has_work(&q));
        expect_used(0, 0);
        assert(virtq_recv_burst(&q, frames, 8) == 1);
        stop();
    }

    /* Tables only for those who negotiated them. */
    start(s);
    q.indirect = false;
    assert(!vd_add(&vd, &piece, 1, VD_INDIRECT));
    add_good(60, false);
    assert(virtq_recv_burst(&q, frames, 8) == 1);
    assert(errors(VIRTQ_BAD_DESC) == 1);
    stop();
}

/* Rings that cannot go on. */

enum breakage {
    /* Split. */
    BREAK_INDEX,                /* More available than the ring has. */
    BREAK_INDEX_TAKEN,          /* More than can be, but for those taken. */
    BREAK_HEAD,                 /* A buffer that begins beyond the ring. */
    N_SPLIT_BREAKAGES,

    /* Packed. */
    BREAK_CHAIN = N_SPLIT_BREAKAGES, /* A chain all around the ring. */
    BREAK_CHAIN_SECOND,         /* One behind a good buffer of a frame. */
    BREAK_CHAIN_TAKEN,          /* One that runs into those taken. */
    N_BREAKAGES,
};

static void
test_broken(const struct ring_setup *s)
{
    for (enum breakage b = s->packed ? N_SPLIT_BREAKAGES : 0;
         b < (s->packed ? N_BREAKAGES : N_SPLIT_BREAKAGES); b++) {
        bool taken = b == BREAK_INDEX_TAKEN || b == BREAK_CHAIN_TAKEN;
        uint16_t first;

        start(s);
        first = vd.avail;
        add_good(100, !taken);
        if (taken) {
            assert(virtq_recv_burst(&q, frames, 1) == 1);
        }
        add_good(100, !taken);
        if (b == BREAK_INDEX) {
            vd.driver[1] += s->size - 1;
        } else if (b == BREAK_INDEX_TAKEN) {
            vd.driver[1] += s->size - 1;
            assert((uint16_t) (vd.driver[1] - q.next.index) == s->size);
        } else if (b == BREAK_HEAD) {
            vd.driver[2 + (s->base + 1) % s->size] = s->size;
        } else {
            for (uint16_t i = 0; i < s->size; i++) {
                if (b == BREAK_CHAIN || i != first) {
                    vd.desc[i].b |= 1;
                }
            }
        }
        if (taken) {
            assert(virtq_recv_burst(&q, frames + 1, 8) == 0);
        } else {
            assert(reserve(150, true, rooms) == EAGAIN);
        }
        assert(virtq_is_broken(&q) && all_errors() == 1);
        assert(reserve(10, true, rooms) == EAGAIN);
        assert(virtq_recv_burst(&q, frames + 1, 8) == 0);
        assert(!virtq_has_work(&q) && !virtq_enable_notify(&q));
        expect_used(-1, 0);

        /* What was taken before can still be given back. */
        if (taken) {
            assert(!virtq_recover(&q));
            virtq_recv_done(&q, frames, 1);
            expect_used(0, 0);
        }

        /* A packed ring goes on where it stood, but not before that makes
         * sense. */
        if (s->packed) {
            assert(!virtq_recover(&q) && virtq_is_broken(&q));
            for (uint16_t i = 0; i < s->size; i++) {
                vd.desc[i].b &= ~1;
            }
        }
        assert(virtq_recover(&q) && !virtq_recover(&q));
        assert(!virtq_is_broken(&q) && all_errors() == 1);
        if (s->packed && taken) {
            assert(virtq_recv_burst(&q, frames, 8) == 1);
            virtq_recv_done(&q, frames, 1);
            expect_used(1, 0);
        } else if (s->packed) {
            assert(!reserve(150, true, rooms));
            virtq_commit(&q, rooms, 1);
            expect_used(0, 100);
            expect_used(1, 50 + q.hdr_len);
        }
        expect_used(-1, 0);
        stop();
    }
}

/* Hostile drivers. */

/* How often something is not as it should be: once in so many times. */
static unsigned int sanity;

static bool
insane(void)
{
    return !random_range(sanity);
}

static uint64_t
random_gpa(void)
{
    if (insane()) {
        switch (random_range(4)) {
        case 0:
            return random_uint64();
        case 1:
            return UINT64_MAX - random_range(4096);
        case 2:
            return MEM_GPA + MEM_SIZE - random_range(100);
        case 3:
            return TABLES_GPA + random_range(regions[N_REGIONS].size);
        }
    }
    return (random_range(4)
            ? MEM_GPA + random_range(MEM_SIZE - 2000)
            : (MEM_GPA + (1 + random_range(N_REGIONS - 1)) * REGION_SIZE
               - random_range(100)));
}

static uint32_t
random_len(void)
{
    if (insane()) {
        switch (random_range(3)) {
        case 0:
            return random_uint32();
        case 1:
            return 0;
        case 2:
            return 16 * random_range(80);
        }
    }
    return random_range(2000);
}

/* Writes something like a descriptor.  'n' is the number of those around it,
 * 'write' and 'table' say whether it should have such flags. */
static void
scribble_desc(struct vd_desc *d, uint32_t n, bool write, bool table)
{
    uint16_t flags = ((write != insane() ? 2 : 0)
                      | (table != insane() ? 4 : 0));

    if (!random_range(4) && (!(flags & 4) || insane())) {
        flags |= 1;
    }
    if (table && !insane()) {
        d->addr = TABLES_GPA + 16 * random_range(regions[N_REGIONS].size / 16
                                                 - 20);
        d->len = 16 * (1 + random_range(10));
    } else {
        d->addr = random_gpa();
        d->len = random_len();
    }
    if (q.packed) {
        d->a = random_uint32();
        d->b = (flags | (random_range(2) ? 0x80 : 0)
                | (random_range(2) ? 0x8000 : 0));
    } else {
        d->a = flags;
        d->b = insane() ? random_uint32() : random_range(n);
    }
}

/* Changes something in what is shared with the device. */
static void
scribble(bool write)
{
    uint32_t n_tables = regions[N_REGIONS].size / sizeof *vd.tables;
    uint16_t size = vd.size;

    switch (random_range(6)) {
    case 0:
    case 1:
        scribble_desc(&vd.desc[random_range(size)], size, write,
                      !random_range(3));
        break;
    case 2:
        for (int i = 0; i < 20; i++) {
            scribble_desc(&vd.tables[random_range(n_tables)], 5, write, false);
        }
        break;
    case 3:
        if (q.packed) {
            vd.driver[random_range(2)] = random_uint32();
        } else {
            vd.driver[2 + random_range(size + 1)]
                = random_range(1000) ? random_range(size) : random_uint32();
        }
        break;
    case 4:
        if (q.packed) {
            /* Make the next one available. */
            uint16_t *flags = &vd.desc[q.next.index].b;

            *flags = ((*flags & 7)
                      | (q.next.wrap ? 0x80 : 0x8000));
        } else {
            vd.driver[1] = (random_range(1000)
                            ? q.next.index + random_range(MIN(size, 10))
                            : random_uint32());
        }
        break;
    case 5:
        /* What a driver has no business to touch. */
        if (q.packed) {
            vd.device[random_range(2)] = random_uint32();
        } else {
            vd.device[random_range(3 + size * 4)] = random_uint32();
        }
        break;
    }
}

static void
check_segs(const struct virtq_seg *segs, unsigned int n, uint32_t len)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < n; i++) {
        uint64_t gpa, end;

        assert(segs[i].len);
        assert(virtq_mem_to_guest(mem, segs[i].data, &gpa));
        assert(virtq_mem_to_guest(mem, segs[i].data + (segs[i].len - 1),
                                  &end));
        assert(end - gpa == segs[i].len - 1);
        sum += segs[i].len;
    }
    assert(sum == len);
}

/* Are 'n' slots what they should be, if frames of 'lens' bytes, or as long as
 * they are if that is null, are to go there? */
static void
check_slots(const struct virtq_slot *slots, const uint32_t *lens,
            unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        struct virtq_seg seg = { slots[i].data, slots[i].len };

        check_segs(&seg, 1, lens ? lens[i] + q.hdr_len : slots[i].len);
        assert(slots[i].len > q.hdr_len);
    }
}

static struct {
    unsigned int frames, rooms, slots, breaks, recoveries;
    uint64_t errors[VIRTQ_N_ERRORS];
} seen;

/* What a device does with whatever there is, at random. */
static void
use_ring(bool transmit, bool mergeable)
{
    static uint8_t data[VIRTQ_MAX_LENGTH + 1];
    struct virtq_slot slots[VIRTQ_MAX_BURST];
    uint32_t lens[VIRTQ_MAX_BURST];
    unsigned int n, done;

    if (!random_range(3)) {
        n = random_range(VIRTQ_MAX_BURST + 1);
        for (unsigned int i = 0; i < n; i++) {
            lens[i] = random_range(3) ? random_range(3000) : random_len();
        }
        n = (transmit ? virtq_recv_slots(&q, slots, n)
             : virtq_reserve_slots(&q, lens, n, slots));
        check_slots(slots, transmit ? NULL : lens, n);
        for (unsigned int i = 0; i < n; i++) {
            if (transmit) {
                virtq_slot_to_frame(&q, &slots[i], &frames[0]);
                virtq_read(&frames[0], 0, data, frames[0].len);
            } else {
                memset(slots[i].data, 0, slots[i].len);
            }
        }
        seen.slots += n;
        if (n && transmit) {
            virtq_recv_slots_done(&q, slots, n);
        } else if (n) {
            virtq_commit_slots(&q, slots, n);
        }
    } else if (transmit) {
        n = virtq_recv_burst(&q, frames, random_range(40));
        assert(n <= VIRTQ_MAX_BURST);
        for (unsigned int i = 0; i < n; i++) {
            check_segs(frames[i].segs, frames[i].n_segs, frames[i].len);
            virtq_read(&frames[i], 0, data, frames[i].len);
        }
        seen.frames += n;
        done = random_range(n + 1);
        virtq_recv_done(&q, frames, done);
        virtq_recv_done(&q, frames + done, n - done);
    } else {
        n = 0;
        while (n < 8) {
            uint32_t len = random_range(3) ? random_range(3000) : random_len();
            struct virtq_room *room = &rooms[n];

            if (reserve(len, mergeable, room)) {
                break;
            }
            assert(room->len == len);
            check_segs(room->segs + room->hdr_seg,
                       room->first_seg - room->hdr_seg, q.hdr_len);
            check_segs(room->segs + room->first_seg,
                       room->n_segs - room->first_seg, len);
            virtq_write(room, data, len);
            n++;
        }
        seen.rooms += n;
        done = random_range(n + 1);
        virtq_cancel(&q, rooms + done, n - done);
        virtq_commit(&q, rooms, done);
    }
    assert(!q.outstanding);
    if (!random_range(4)) {
        virtq_should_notify(&q);
        virtq_has_work(&q);
    }
    if (!random_range(16)) {
        if (random_range(2)) {
            virtq_enable_notify(&q);
        } else {
            virtq_disable_notify(&q);
        }
    }
}

/* Begins anew, as after a reset. */
static void
restart(const struct ring_setup *s)
{
    struct virtq_config config;

    for (int i = 0; i < VIRTQ_N_ERRORS; i++) {
        seen.errors[i] += errors(i);
    }
    config = (struct virtq_config) {
        .mem = mem,
        .desc = vd.desc,
        .driver = vd.driver,
        .device = vd.device,
        .size = s->size,
        .packed = s->packed,
        .event_idx = random_range(2),
        .indirect = random_range(8),
        .hdr_len = random_range(2) ? 10 : 12,
        .avail_base = (s->packed
                       ? random_range(s->size) | (random_range(2) << 15)
                       : random_uint32()),
    };

    config.used_base = config.avail_base;
    if (!s->packed) {
        vd.driver[1] = config.avail_base;
    }
    assert(!virtq_init(&q, &config));
}

static void
test_hostile(const struct ring_setup *s)
{
    static uint8_t log[1000];
    bool transmit = false;

    start(s);
    for (unsigned int round = 0; round < n_rounds; round++) {
        bool broken = virtq_is_broken(&q);

        seen.breaks += broken;
        if (broken && random_range(2) && virtq_recover(&q)) {
            seen.recoveries++;
            broken = false;
        }
        if (!round || broken || !random_range(1000)) {
            restart(s);
            transmit = random_range(2);
            sanity = 2 << random_range(10);
            if (random_range(2)) {
                virtq_set_log(&q, log, random_range(sizeof log),
                              random_range(4) ? random_gpa() : VIRTQ_NO_LOG);
            }
        }
        for (unsigned int i = random_range(6); i > 0; i--) {
            scribble(!transmit);
        }
        use_ring(random_range(50) ? transmit : !transmit, random_range(2));
    }
    stop();
}

/* The same, while the driver writes. */

struct scribbler {
    const struct ring_setup *setup;
    atomic_bool stop;
};

static void *
scribbler_main(void *aux_)
{
    struct scribbler *aux = aux_;
    uint16_t size = aux->setup->size;
    uint32_t x = 1;
    bool over;

    do {
        /* Only that which is not allocated anew, and of the device's memory
         * nothing: see "read once" in virtq-ring.h. */
        for (int i = 0; i < 100; i++) {
            struct vd_desc *d;

            x = x * 1664525 + 1013904223;
            d = &vd.desc[(x >> 8) % size];
            switch (x >> 29) {
            case 0:
                d->addr = MEM_GPA + (x & (MEM_SIZE - 1));
                break;
            case 1:
                d->len = x & 0x8000 ? x : x & 0xfff;
                break;
            case 2:
                d->a = x & 0x8000 ? x & 7 : x & 3;
                break;
            case 3:
                d->b ^= 1u << (x & 0xf);
                break;
            case 4:
                d->b = x & 0x3f;
                break;
            case 5:
                d->addr = x & 0x80 ? -x : TABLES_GPA + (x & 0xff0);
                break;
            default:
                d->addr = MEM_GPA + (x & (MEM_SIZE - 1));
                d->len = 100;
                break;
            }
        }
        atomic_read(&aux->stop, &over);
    } while (!over);
    return NULL;
}

static void
test_race(const struct ring_setup *s)
{
    struct scribbler aux = { .setup = s, .stop = false };
    pthread_t thread;

    start(s);
    thread = ovs_thread_create("scribbler", scribbler_main, &aux);
    for (unsigned int round = 0; round < n_rounds; round++) {
        if (virtq_is_broken(&q)) {
            restart(s);
        }
        if (!s->packed) {
            vd.driver[1] = q.next.index + random_range(3);
        }
        use_ring(random_range(2), true);
    }
    atomic_store(&aux.stop, true);
    xpthread_join(thread, NULL);
    stop();
}

int
main(int argc, char *argv[])
{
    unsigned int seed = argc > 1 ? atoi(argv[1]) : 1;

    set_program_name(argv[0]);
    if (argc > 2) {
        n_rounds = atoi(argv[2]);
    }
    printf("seed %u, %u rounds\n", seed, n_rounds);
    random_set_seed(seed);

    for (size_t i = 0; i < N_SETUPS; i++) {
        const struct ring_setup *s = &setups[i];

        printf("%s ring of %u\n", s->packed ? "packed" : "split", s->size);
        fflush(stdout);
        if (s->size >= 8) {
            test_broken(s);
            test_bad_buffers(s);
        }
        test_hostile(s);
        test_race(s);
    }
    printf("%u frames, %u rooms, %u slots, %u broken rings, %u recovered, "
           "errors %"PRIu64"/%"PRIu64"/%"PRIu64"\n",
           seen.frames, seen.rooms, seen.slots, seen.breaks, seen.recoveries,
           seen.errors[0], seen.errors[1], seen.errors[2]);
    assert(seen.frames && seen.rooms && seen.slots && seen.breaks
           && seen.recoveries);
    for (int i = 0; i < VIRTQ_N_ERRORS; i++) {
        assert(seen.errors[i]);
    }
    return 0;
}
