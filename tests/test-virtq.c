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

/* Tests of virtqueues (netdev-virtio-emu/soft/virtq.h) with drivers that do as
 * they should.
 *
 *     test-virtq [SEED [ROUNDS]] */

#include <config.h>
#undef NDEBUG

#include "virtq.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "random.h"
#include "util.h"
#include "virtq-guest.h"

static unsigned int n_rounds = 3000;

static struct virtq_frame frames[64];
static struct virtq_room rooms[64];

/* What byte 'i' of frame 'serial', with its header, shall be. */
static uint8_t
byte_of(unsigned int serial, uint32_t i)
{
    return serial * 31 + i * 7 + (i >> 8);
}

/* Divides 'len' bytes into some pieces. */
static unsigned int
divide(struct vd_piece *pieces, unsigned int max, uint32_t len, bool write)
{
    unsigned int n = 1 + random_range(max);

    for (unsigned int i = 0; i < n; i++) {
        struct vd_piece *p = &pieces[i];

        p->len = (i + 1 == n ? len
                  : random_range(3) ? random_range(len + 1)
                  : random_range(MIN(len + 1, 20)));
        len -= p->len;
        p->gpa = place(p->len);
        p->write = write;
    }
    return n;
}

static enum vd_table
random_table(void)
{
    return random_range(3);
}

/* Adds a frame of 'len' bytes and its header, and returns its serial number or
 * -1. */
static int
add_frame(uint32_t len, unsigned int max_pieces, enum vd_table table)
{
    struct vd_piece pieces[VD_MAX_PIECES];
    unsigned int n = divide(pieces, max_pieces, q.hdr_len + len, false);
    uint32_t ofs = 0;

    for (unsigned int i = 0; i < n; i++) {
        for (uint32_t j = 0; j < pieces[i].len; j++) {
            *guest(pieces[i].gpa + j) = byte_of(vd.serial, ofs++);
        }
    }
    return vd_add(&vd, pieces, n, table);
}

static void
check_frame(const struct virtq_frame *f, unsigned int serial, uint32_t len)
{
    const uint8_t *hdr = (const uint8_t *) &f->hdr;
    uint8_t data[4096];
    uint32_t sum = 0;

    assert(f->len == len && len <= sizeof data);
    for (unsigned int i = 0; i < sizeof f->hdr; i++) {
        assert(hdr[i] == (i < 10 && !q.skip_hdr ? byte_of(serial, i) : 0));
    }
    for (unsigned int i = 0; i < f->n_segs; i++) {
        assert(f->segs[i].len);
        sum += f->segs[i].len;
    }
    assert(sum == len);
    virtq_read(f, 0, data, len);
    for (uint32_t i = 0; i < len; i++) {
        assert(data[i] == byte_of(serial, q.hdr_len + i));
    }
    if (len) {
        uint32_t ofs = random_range(len);

        virtq_read(f, ofs, data, 1);
        assert(data[0] == byte_of(serial, q.hdr_len + ofs));
    }
}

/* virtq_recv_slots(), into 'frames'. */
static unsigned int
recv_slots(struct virtq_frame *f, unsigned int n)
{
    struct virtq_slot slots[VIRTQ_MAX_BURST];

    n = virtq_recv_slots(&q, slots, MIN(n, VIRTQ_MAX_BURST));
    for (unsigned int i = 0; i < n; i++) {
        const uint8_t *hdr = slots[i].data;

        assert(virtq_slot_is_plain(&slots[i]) == !(hdr[0] | hdr[1]));
        virtq_slot_to_frame(&q, &slots[i], &f[i]);
    }
    return n;
}

/* virtq_recv_done(), which for buffers of one element does not matter. */
static void
recv_done(const struct virtq_frame *f, unsigned int n)
{
    while (n) {
        struct virtq_slot slots[VIRTQ_MAX_BURST];
        unsigned int i;

        for (i = 0; i < MIN(n, VIRTQ_MAX_BURST) && f[i].chain.n_descs == 1;
             i++) {
            slots[i] = (struct virtq_slot) { .id = f[i].chain.id, .len = 77 };
        }
        if (i) {
            virtq_recv_slots_done(&q, slots, i);
        } else {
            virtq_recv_done(&q, f, ++i);
        }
        f += i;
        n -= i;
    }
}

/* The driver transmits, everything as it should be. */
static void
test_transmit(const struct ring_setup *s, bool skip_hdr)
{
    unsigned int taken = 0, given = 0, got = 0, n = 0, n_slots = 0;
    uint32_t lens[256];

    assert(s->size <= ARRAY_SIZE(lens));
    start(s);
    q.skip_hdr = skip_hdr;
    for (unsigned int round = 0; round < n_rounds; round++) {
        unsigned int n_burst = random_range(40), i;
        uint32_t len;

        switch (random_range(4)) {
        case 0:
            for (i = 0; i < n_burst; i++) {
                len = random_range(8) ? random_range(1600) : 0;
                if (add_frame(len, MIN(s->size, 5), random_table()) < 0) {
                    break;
                }
                lens[n++ % ARRAY_SIZE(lens)] = len;
            }
            assert(virtq_has_work(&q) == (n > taken));
            break;

        case 1:
            n_burst = MIN(n_burst, ARRAY_SIZE(frames) - (taken - given));
            if (random_range(2)) {
                i = virtq_recv_burst(&q, frames + (taken - given), n_burst);
                assert(i == MIN(MIN(n_burst, VIRTQ_MAX_BURST), n - taken));
            } else {
                i = recv_slots(frames + (taken - given), n_burst);
                assert(i <= MIN(n_burst, n - taken));
                n_slots += i;
            }
            for (; i > 0; i--) {
                check_frame(&frames[taken - given], taken,
                            lens[taken % ARRAY_SIZE(lens)]);
                taken++;
            }
            break;

        case 2:
            n_burst = MIN(n_burst, taken - given);
            if (random_range(2)) {
                virtq_recv_done(&q, frames, n_burst);
            } else {
                recv_done(frames, n_burst);
            }
            given += n_burst;
            memmove(frames, frames + n_burst,
                    (taken - given) * sizeof *frames);
            break;

        case 3:
            for (i = 0; i < n_burst; i++) {
                int serial = vd_get(&vd, &len);

                if (serial < 0) {
                    assert(got == given);
                    break;
                }
                assert(serial == got++ && !len);
            }
            break;
        }
    }
    assert(!all_errors() && !virtq_is_broken(&q));
    assert(n > n_rounds / 20 && n_slots);
    stop();
}

/* The driver receives, everything as it should be. */

/* Byte 'i' of the header of frame 'serial'.  Headers are alike often enough
 * to be there already in a buffer that is used again, or but for one byte. */
static uint8_t
hdr_byte(unsigned int serial, uint32_t i)
{
    return serial % 4 == 0 && i == serial / 4 % 10 ? serial : 0;
}

/* Sends frame 'serial' of 'len' bytes, if the next buffer is a slot. */
static bool
send_slot(unsigned int serial, uint32_t len)
{
    struct virtq_hdr hdr = { .flags = 0 };
    struct virtq_slot slot;

    if (!virtq_reserve_slots(&q, &len, 1, &slot)) {
        return false;
    }
    assert(slot.len == len + q.hdr_len);
    for (uint32_t i = q.hdr_len; i < slot.len; i++) {
        slot.data[i] = byte_of(serial, i);
    }
    for (unsigned int i = 0; i < 10; i++) {
        ((uint8_t *) &hdr)[i] = hdr_byte(serial, i);
    }
    virtq_slot_put_header(&q, &slot, &hdr);
    virtq_commit_slots(&q, &slot, 1);
    return true;
}

static void
test_receive(const struct ring_setup *s, bool mergeable)
{
    enum { MAX_LEN = 3000 };
    struct sent {
        uint32_t len;
        unsigned int first, end; /* Buffers. */
    } sent[256];
    struct posted {
        struct vd_piece pieces[4];
        unsigned int n;
        uint32_t len;
    } *posted = xcalloc(256, sizeof *posted);
    unsigned int n_posted = 0;  /* Buffers made available, ever. */
    unsigned int n_sent = 0;    /* Frames with room, ever. */
    unsigned int n_committed = 0;
    unsigned int n_got = 0;     /* Frames that came back. */
    unsigned int next = 0;      /* First buffer without a frame. */
    unsigned int n_full = 0, n_slots = 0;

    assert(s->size <= 256);
    start(s);
    for (unsigned int round = 0; round < n_rounds; round++) {
        unsigned int n_burst = random_range(24);

        switch (random_range(6)) {
        case 0:
            for (unsigned int i = 0; i < n_burst; i++) {
                struct posted *p = &posted[n_posted % 256];
                uint32_t len = (mergeable || !random_range(10)
                                ? 400 + random_range(1500)
                                : q.hdr_len + MAX_LEN);
                uint32_t left = len;

                p->len = len;
                p->n = 1 + random_range(3);
                for (unsigned int j = 0; j < p->n; j++) {
                    len = j + 1 == p->n ? left : random_range(left + 1);
                    p->pieces[j] = (struct vd_piece) { place(len), len, true };
                    left -= len;
                }
                if (vd_add(&vd, p->pieces, p->n, random_table()) < 0) {
                    break;
                }
                n_posted++;
            }
            break;

        case 1:
            for (unsigned int i = 0; i < n_burst; i++) {
                uint32_t len = random_range(MAX_LEN + 1);
                struct virtq_room *room = &rooms[n_sent - n_committed];
                uint32_t space = 0;
                unsigned int end = next;
                int error, wanted;

                if (n_sent - n_committed == ARRAY_SIZE(rooms)) {
                    break;
                }
                while (space < len + q.hdr_len && end < n_posted) {
                    space += posted[end++ % 256].len;
                    if (!mergeable) {
                        break;
                    }
                }
                wanted = (space >= len + q.hdr_len ? 0
                          : end > next && !mergeable ? EMSGSIZE : EAGAIN);
                error = reserve(len, mergeable, room);
                assert(error == wanted);
                if (error) {
                    n_full++;
                    break;
                }
                assert(room->len == len);
                sent[n_sent % 256] = (struct sent) { len, next, end };
                for (uint32_t ofs = 0; ofs < len; ) {
                    uint32_t chunk = 1 + random_range(MIN(len - ofs, 1000));
                    uint8_t data[1000];

                    for (uint32_t j = 0; j < chunk; j++) {
                        data[j] = byte_of(n_sent, q.hdr_len + ofs++);
                    }
                    virtq_write(room, data, chunk);
                }
                assert(room->write_seg == room->n_segs);
                for (unsigned int j = 0; j < 10; j++) {
                    ((uint8_t *) &room->hdr)[j] = hdr_byte(n_sent, j);
                }
                n_sent++;
                next = end;
            }
            break;

        case 2:
            n_burst = MIN(n_burst, n_sent - n_committed);
            virtq_commit(&q, rooms, n_burst);
            n_committed += n_burst;
            memmove(rooms, rooms + n_burst,
                    (n_sent - n_committed) * sizeof *rooms);
            break;

        case 3:
            n_burst = MIN(n_burst / 4, n_sent - n_committed);
            if (n_burst) {
                n_sent -= n_burst;
                next = sent[n_sent % 256].first;
                virtq_cancel(&q, &rooms[n_sent - n_committed], n_burst);
            }
            break;

        case 4:
            while (n_got < n_committed) {
                const struct sent *f = &sent[n_got % 256];
                uint32_t ofs = 0;

                for (unsigned int b = f->first; b < f->end; b++) {
                    const struct posted *p = &posted[b % 256];
                    uint32_t used, left;

                    assert(vd_get(&vd, &used) == b);
                    assert(used == MIN(p->len, f->len + q.hdr_len - ofs));
                    left = used;
                    for (unsigned int j = 0; j < p->n && left; j++) {
                        for (uint32_t k = 0; k < p->pieces[j].len && left;
                             k++) {
                            uint8_t byte = *guest(p->pieces[j].gpa + k);
                            uint8_t wanted
                                = (ofs == 10 && q.hdr_len == 12
                                   ? f->end - f->first
                                   : ofs == 11 && q.hdr_len == 12 ? 0
                                   : ofs < 10 ? hdr_byte(n_got, ofs)
                                   : byte_of(n_got, ofs));

                            assert(byte == wanted);
                            ofs++;
                            left--;
                        }
                    }
                }
                assert(ofs == f->len + q.hdr_len);
                n_got++;
            }
            break;

        case 5:
            for (unsigned int i = 0; n_sent == n_committed && i < n_burst;
                 i++) {
                uint32_t len = random_range(MAX_LEN + 1);

                if (!send_slot(n_sent, len)) {
                    break;
                }
                assert(len && len + q.hdr_len <= posted[next % 256].len);
                sent[n_sent++ % 256] = (struct sent) { len, next, next + 1 };
                n_committed++;
                next++;
                n_slots++;
            }
            break;
        }
        if (next == n_posted || !random_range(10)) {
            uint32_t len;

            assert(n_got < n_committed || vd_get(&vd, &len) < 0);
        }
    }
    assert(!all_errors() && !virtq_is_broken(&q));
    assert(n_got > n_rounds / 30 && n_full && n_slots);
    free(posted);
    stop();
}

/* Notifications. */

/* Moves 'n' buffers of one element each from the driver to the device and
 * back. */
static void
move_buffers(unsigned int n)
{
    while (n) {
        unsigned int n_burst = MIN(n, MIN(vd.size, VIRTQ_MAX_BURST));
        uint32_t len;

        for (unsigned int i = 0; i < n_burst; i++) {
            assert(add_frame(60, 1, VD_DIRECT) >= 0);
        }
        assert(virtq_recv_burst(&q, frames, n_burst) == n_burst);
        virtq_recv_done(&q, frames, n_burst);
        for (unsigned int i = 0; i < n_burst; i++) {
            assert(vd_get(&vd, &len) >= 0);
        }
        n -= n_burst;
    }
}

/* The same, and returns whether the driver would be notified. */
static bool
pass_buffers(unsigned int n)
{
    move_buffers(n);
    return virtq_should_notify(&q);
}

/* A driver that has not been notified for more than a lap, because that was to
 * wait, and sleeps since some time in between. */
static void
test_late_question(const struct ring_setup *s)
{
    unsigned int lap = s->packed ? s->size : 65536;

    if (!s->event_idx) {
        return;
    }
    start(s);
    for (unsigned int round = 0; round < (s->packed ? 200 : 3); round++) {
        vd_want_all(&vd);
        pass_buffers(1);
        move_buffers(lap - s->size + random_range(2 * s->size));
        vd_want_event(&vd, 0);
        assert(pass_buffers(1 + random_range(s->size)));
    }
    vd_want_none(&vd);
    assert(!s->packed || !pass_buffers(2 * s->size));
    stop();
}

static void
test_notify(const struct ring_setup *s)
{
    start(s);
    assert(!virtq_should_notify(&q)); /* Nothing has happened. */
    vd_want_all(&vd);
    assert(pass_buffers(1));
    assert(!virtq_should_notify(&q));
    for (unsigned int round = 0; round < n_rounds; round++) {
        unsigned int n = 1 + random_range(MIN(s->size, VIRTQ_MAX_BURST));
        unsigned int ahead = random_range(s->size);

        switch (random_range(3)) {
        case 0:
            vd_want_none(&vd);
            assert(!pass_buffers(n));
            break;
        case 1:
            vd_want_all(&vd);
            assert(pass_buffers(n));
            break;
        case 2:
            if (s->event_idx) {
                vd_want_event(&vd, ahead);
                assert(pass_buffers(n) == (n > ahead));
            }
            break;
        }
    }

    /* The other way around. */
    virtq_disable_notify(&q);
    for (unsigned int round = 0; round < n_rounds; round++) {
        unsigned int n = 1 + random_range(MIN(s->size, VIRTQ_MAX_BURST));
        bool enable = random_range(2), early = random_range(4) == 0;
        unsigned int n_early = 0;

        if (early) {
            assert(add_frame(60, 1, VD_DIRECT) >= 0);
            n_early = 1;
            n = MAX(1, n - 1);
            if (n + 1 > s->size) {
                n = s->size - 1;
            }
        }
        if (enable) {
            assert(virtq_enable_notify(&q) == early);
        }
        for (unsigned int i = 0; i < n; i++) {
            assert(add_frame(60, 1, VD_DIRECT) >= 0);
        }
        if (!early) {
            assert(vd_must_kick(&vd, n) == enable);
        }
        n += n_early;
        assert(virtq_recv_burst(&q, frames, n) == MIN(n, VIRTQ_MAX_BURST));
        virtq_recv_done(&q, frames, MIN(n, VIRTQ_MAX_BURST));
        if (n > VIRTQ_MAX_BURST) {
            assert(virtq_recv_burst(&q, frames, n) == 1);
            virtq_recv_done(&q, frames, 1);
        }
        for (unsigned int i = 0; i < n; i++) {
            uint32_t len;

            assert(vd_get(&vd, &len) >= 0);
        }
        if (enable) {
            virtq_disable_notify(&q);
        }
    }
    stop();
}

/* Limits. */

static void
test_limits(const struct ring_setup *s)
{
    struct vd_piece pieces[VIRTQ_MAX_CHAIN];
    uint64_t gpa;

    /* The longest chain. */
    start(s);
    gpa = place(65536);
    for (unsigned int i = 0; i < VIRTQ_MAX_CHAIN; i++) {
        pieces[i] = (struct vd_piece) { gpa, 1000, false };
    }
    assert(!vd_add(&vd, pieces, VIRTQ_MAX_CHAIN, VD_INDIRECT));

    /* What refers to a table may say that it be written. */
    *vd_flags(&vd, vd_elem(&vd, 0)) |= 2;
    assert(virtq_recv_burst(&q, frames, 8) == 1);
    assert(frames[0].n_segs == VIRTQ_MAX_CHAIN);
    assert(frames[0].len == 64000 - q.hdr_len);
    virtq_recv_done(&q, frames, 1);
    expect_used(0, 0);

    /* The longest frame, and one byte more. */
    for (unsigned int i = 0; i < 16; i++) {
        pieces[i] = (struct vd_piece) { MEM_GPA, 65536, false };
    }
    assert(vd_add(&vd, pieces, 16, VD_INDIRECT) == 1);
    pieces[16] = (struct vd_piece) { MEM_GPA, 1, false };
    assert(vd_add(&vd, pieces, 17, VD_INDIRECT) == 2);
    assert(virtq_recv_burst(&q, frames, 8) == 1);
    assert(frames[0].len == VIRTQ_MAX_LENGTH - q.hdr_len);
    virtq_recv_done(&q, frames, 1);
    assert(virtq_recv_burst(&q, frames, 8) == 0);
    assert(all_errors() == 1 && errors(VIRTQ_BAD_DESC) == 1);
    expect_used(1, 0);
    expect_used(2, 0);

    /* Too many segments, because of regions: one more than descriptors. */
    gpa = MEM_GPA + REGION_SIZE - 1;
    for (unsigned int i = 0; i < VIRTQ_MAX_CHAIN; i++) {
        pieces[i] = (struct vd_piece) { gpa, i ? 1 : 2, false };
    }
    assert(vd_add(&vd, pieces, VIRTQ_MAX_CHAIN, VD_INDIRECT) == 3);
    assert(virtq_recv_burst(&q, frames, 8) == 0);
    assert(errors(VIRTQ_LONG_CHAIN) == 1);
    stop();

    /* A frame that is spread too thinly, and one that is too long. */
    start(s);
    for (unsigned int i = 0; i < s->size; i++) {
        add_good(q.hdr_len, true);
    }
    assert(!reserve((VIRTQ_MAX_CHAIN - 1) * q.hdr_len, true, rooms)
           || s->size < VIRTQ_MAX_CHAIN);
    if (s->size > VIRTQ_MAX_CHAIN) {
        assert(rooms[0].n_segs - rooms[0].hdr_seg == VIRTQ_MAX_CHAIN);
        virtq_cancel(&q, rooms, 1);
        assert(reserve(VIRTQ_MAX_CHAIN * q.hdr_len, true, rooms)
               == EMSGSIZE);
    }
    expect_used(-1, 0);
    stop();

    /* The same for segments, of which buffers have many. */
    start(s);
    gpa = place(400);
    for (unsigned int i = 0; i < 40; i++) {
        pieces[i] = (struct vd_piece) { gpa + i * 10, 10, true };
    }
    for (unsigned int i = 0; i < 5; i++) {
        assert(vd_add(&vd, pieces, 40, VD_INDIRECT) >= 0);
    }
    assert(!reserve(800 - q.hdr_len, true, rooms));
    virtq_cancel(&q, rooms, 1);
    assert(reserve(801 - q.hdr_len, true, rooms) == EMSGSIZE);
    assert(reserve(VIRTQ_MAX_LENGTH + 1, true, rooms) == EMSGSIZE);
    assert(reserve(UINT32_MAX, true, rooms) == EMSGSIZE);
    expect_used(-1, 0);
    stop();

    /* A table that passes from one region to the next. */
    start(s);
    add_frame(1000, 1, VD_INDIRECT);
    vd_elem(&vd, 0)->addr = MEM_GPA + 3 * REGION_SIZE - 7;
    memcpy(guest(MEM_GPA + 3 * REGION_SIZE - 7), vd_table(&vd), 7);
    memcpy(guest(MEM_GPA + 3 * REGION_SIZE), (char *) vd_table(&vd) + 7, 9);
    assert(virtq_recv_burst(&q, frames, 8) == 1);
    check_frame(&frames[0], 0, 1000);
    stop();
}

/* The dirty log. */
static void
test_log(const struct ring_setup *s)
{
    enum { PAGE = 4096, N_PAGES = MEM_SIZE / PAGE };
    uint64_t first = MEM_GPA / PAGE;
    size_t size = (first + N_PAGES) / 8;
    uint8_t *log = xzalloc(size);
    struct vd_piece pieces[3] = {
        { MEM_GPA + 5 * PAGE + 4090, 4, true },
        { MEM_GPA + 7 * PAGE + 4000, 200, true },
        { MEM_GPA + REGION_SIZE - 1, 3000, true },
    };
    uint64_t log_used = MEM_GPA + 40 * PAGE;
    unsigned int n = 0;

    start(s);
    virtq_set_log(&q, log, size, log_used);
    assert(!vd_add(&vd, pieces, 3, VD_INDIRECT));
    assert(!reserve(250, true, rooms));
    virtq_commit(&q, rooms, 1);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint64_t page = i * 8 + bit - first;

            if (log[i] & (1u << bit)) {
                assert(page == 5 || page == 7 || page == 8
                       || page == REGION_SIZE / PAGE - 1
                       || page == REGION_SIZE / PAGE || page == 40
                       || (page > 40 && page < 50));
                n++;
            }
        }
    }
    assert(n >= 6 && n <= 7);

    /* A log that is too short for what there is to be marked. */
    memset(log, 0, size);
    virtq_set_log(&q, log, 1, UINT64_MAX - 5);
    add_good(100, true);
    assert(!reserve(50, true, rooms));
    virtq_commit(&q, rooms, 1);
    virtq_set_log(&q, NULL, 0, VIRTQ_NO_LOG);
    add_good(100, true);
    assert(!reserve(50, true, rooms));
    virtq_commit(&q, rooms, 1);
    for (size_t i = 0; i < size; i++) {
        assert(!log[i]);
    }
    stop();
    free(log);
}

/* Setting up. */

static void
test_init(void)
{
    static uint8_t area[3][1024] OVS_ALIGNED_VAR(64);
    uint8_t byte;
    struct virtq_region region = { 0, 1, &byte };
    struct virtq_config good = {
        .desc = area[0], .driver = area[1], .device = area[2], .size = 16,
        .hdr_len = 12,
    };
    struct virtq_config c;

    assert(!virtq_mem_create(&region, 1, &mem));
    good.mem = mem;
    assert(!virtq_init(&q, &good));
    assert(virtq_area_size(&good, 0) == 256);
    assert(virtq_area_size(&good, 1) == 38);
    assert(virtq_area_size(&good, 2) == 134);

#define BAD(MEMBER, VALUE)                      \
    c = good;                                   \
    c.MEMBER = VALUE;                           \
    assert(virtq_init(&q, &c) == EINVAL);
    BAD(size, 0);
    BAD(size, 15);
    BAD(size, 32769);
    BAD(hdr_len, 11);
    BAD(mem, NULL);
    BAD(desc, NULL);
    BAD(desc, area[0] + 8);
    BAD(driver, area[1] + 1);
    BAD(device, area[2] + 2);

    good.packed = true;
    good.avail_base = good.used_base = VIRTQ_WRAP | 14;
    good.size = 15;
    assert(!virtq_init(&q, &good));
    assert(virtq_avail_base(&q) == (VIRTQ_WRAP | 14));
    assert(virtq_area_size(&good, 0) == 240);
    assert(virtq_area_size(&good, 1) == 4);
    assert(virtq_area_size(&good, 2) == 4);
    BAD(size, 14);
    BAD(used_base, 14);
    BAD(driver, area[1] + 2);
#undef BAD
    virtq_mem_destroy(mem);
}

static void
test_mem(void)
{
    static uint8_t bytes[300];
    struct virtq_region r[] = {
        { 1000, 100, bytes + 100 },
        { 900, 100, bytes },    /* In front of the first, here and there. */
        { 1100, 50, bytes + 250 },
        { UINT64_MAX - 9, 10, bytes + 240 },
    };
    const struct virtq_region *hint;
    uint64_t gpa;
    uint32_t len;

    assert(virtq_mem_create(r, 0, &mem) == EINVAL);
    assert(!virtq_mem_create(r, 4, &mem));
    assert(mem->n == 3);
    hint = mem->regions;
    for (int i = 0; i < 3; i++) {
        len = 150;
        assert(virtq_mem_translate(mem, &hint, 950, &len) == bytes + 50);
        assert(len == 150);
        len = 151;
        assert(virtq_mem_translate(mem, &hint, 950, &len) == bytes + 50);
        assert(len == 150);
        len = 151;
        assert(virtq_mem_translate(mem, &hint, 1149, &len) == bytes + 299);
        assert(len == 1);
        assert(!virtq_mem_translate(mem, &hint, 899, &len));
        assert(!virtq_mem_translate(mem, &hint, 1150, &len));
        len = 11;
        assert(virtq_mem_translate(mem, &hint, UINT64_MAX, &len)
               == bytes + 249);
        assert(len == 1);
    }
    assert(virtq_mem_to_guest(mem, bytes + 199, &gpa) && gpa == 1099);
    assert(!virtq_mem_to_guest(mem, bytes + 200, &gpa));
    assert(virtq_mem_to_guest(mem, bytes + 250, &gpa) && gpa == 1100);
    virtq_mem_destroy(mem);

    r[0].size = 101;
    assert(virtq_mem_create(r, 4, &mem) == EINVAL);
    r[0].size = 0;
    assert(virtq_mem_create(r, 4, &mem) == EINVAL);
    r[0].size = 100;
    r[3].size = 11;
    assert(virtq_mem_create(r, 4, &mem) == EINVAL);
    r[3].size = 10;
    r[3].va = NULL;
    assert(virtq_mem_create(r, 4, &mem) == EINVAL);
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

    test_mem();
    test_init();
    for (size_t i = 0; i < N_SETUPS; i++) {
        const struct ring_setup *s = &setups[i];

        printf("%s ring of %u\n", s->packed ? "packed" : "split", s->size);
        fflush(stdout);
        test_notify(s);
        test_late_question(s);
        if (s->size >= 8) {
            test_limits(s);
            test_log(s);
        }
        test_transmit(s, false);
        test_transmit(s, true);
        test_receive(s, true);
        test_receive(s, false);
    }
    return 0;
}
