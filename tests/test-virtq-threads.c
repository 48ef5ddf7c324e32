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

/* Tests of virtqueues (netdev-virtio-emu/soft/virtq.h) with the driver in a
 * thread of its own.  Each side sleeps whenever it has nothing to do, so a
 * notification that is not sent, or something that is seen too early or not at
 * all, ends the test.
 *
 *     test-virtq-threads [SEED [FRAMES]] */

#include <config.h>
#undef NDEBUG

#include "virtq.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"
#include "virtq-guest.h"

static unsigned int n_frames = 5000;

/* What would be a kick, or an interrupt. */
struct bell {
    atomic_bool rung;
    atomic_uint n;
};
static struct bell kick, call;

static unsigned int n_added;    /* By the driver, since its last kick. */

static void
ring(struct bell *bell)
{
    unsigned int orig;

    atomic_add(&bell->n, 1, &orig);
    atomic_store(&bell->rung, true);
}

/* Sleeps until 'bell' rings.  Nobody sleeps that long for a good reason. */
static void
sleep_on(struct bell *bell, const char *who)
{
    long long int deadline = time_msec() + 20000;
    bool rung;

    for (;;) {
        atomic_read(&bell->rung, &rung);
        if (rung) {
            break;
        }
        sched_yield();
        if (time_msec() > deadline) {
            ovs_fatal(0, "%s was not woken", who);
        }
    }
    atomic_store(&bell->rung, false);
}

static uint32_t
len_of(unsigned int serial)
{
    return 1 + serial * 37 % 301;
}

static uint8_t
byte_of(unsigned int serial, uint32_t i)
{
    return serial * 13 + i * 5;
}

/* Makes buffer 'serial' available.  A buffer to be read is a frame of that
 * number; one to be written has place for a part of one.  The longest takes
 * three, for which there must be place in the smallest ring. */
static bool
driver_add(unsigned int serial, bool write)
{
    uint64_t gpa = MEM_GPA + serial % vd.size * 1024;
    uint32_t len = VIRTQ_HDR_LEN + (write ? 100 : len_of(serial));
    struct vd_piece pieces[2] = {
        { gpa, 14, write },
        { gpa + 512, len - 14, write },
    };
    unsigned int n = len > 14 ? 2 : 1;

    pieces[0].len = MIN(len, 14);
    if (vd.n_free < n) {
        return false;
    }
    for (uint32_t i = 0; !write && i < len; i++) {
        *guest(i < 14 ? gpa + i : gpa + 512 + i - 14) = byte_of(serial, i);
    }
    n_added++;
    assert(vd_add(&vd, pieces, n,
                  vd.size > 4 ? serial % 3 : VD_INDIRECT) >= 0);
    return true;
}

/* Reads byte 'i' of buffer 'serial'. */
static uint8_t
driver_byte(unsigned int serial, uint32_t i)
{
    uint64_t gpa = MEM_GPA + serial % vd.size * 1024;

    return *guest(i < 14 ? gpa + i : gpa + 512 + i - 14);
}

static void
full_barrier(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Tells the device of what was added since vd.n_free was 'n_free', if it wants
 * to know. */
static void
driver_kick(uint16_t n_free)
{
    /* In a split ring, buffers count, and descriptors may be more. */
    uint16_t n = vd.packed ? n_free - vd.n_free : n_added;

    n_added = 0;
    full_barrier();
    if (n && vd_must_kick(&vd, n)) {
        ring(&kick);
    }
}

/* Takes the used buffer 'serial' when there is one, asleep until then. */
static void
driver_wait(unsigned int serial, uint32_t *len)
{
    int got = vd_get(&vd, len);

    while (got < 0) {
        if (vd.event_idx) {
            vd_want_event(&vd, 0);
        } else {
            vd_want_all(&vd);
        }
        full_barrier();
        got = vd_get(&vd, len);
        if (got < 0) {
            sleep_on(&call, "the driver");
            got = vd_get(&vd, len);
        }
        vd_want_none(&vd);
    }
    assert(got == serial);
}

static void *
transmitter_main(void *aux OVS_UNUSED)
{
    unsigned int n = 0, n_done = 0;

    vd_want_none(&vd);
    while (n_done < n_frames) {
        uint16_t n_free = vd.n_free;
        unsigned int n_before = n;
        uint32_t len;

        /* A third of the ring goes, then half of what is on its way must come
         * back. */
        while (n < n_frames && n - n_before < vd.size / 3
               && n - n_done < vd.size && driver_add(n, false)) {
            n++;
        }
        driver_kick(n_free);
        for (unsigned int i = 1 + (n - n_done) / 2; i > 0 && n_done < n; i--) {
            driver_wait(n_done++, &len);
            assert(!len);
        }
    }
    return NULL;
}

static void *
receiver_main(void *aux OVS_UNUSED)
{
    unsigned int n = 0, n_done = 0, frame = 0;

    vd_want_none(&vd);
    while (frame < n_frames) {
        uint32_t len_frame = VIRTQ_HDR_LEN + len_of(frame), ofs = 0;
        uint16_t n_free = vd.n_free;

        while (n - n_done < vd.size && driver_add(n, true)) {
            n++;
        }
        driver_kick(n_free);
        while (ofs < len_frame) {
            uint32_t len;

            driver_wait(n_done, &len);
            assert(len == MIN(len_frame - ofs, 100 + VIRTQ_HDR_LEN));
            for (uint32_t i = 0; i < len; i++, ofs++) {
                uint8_t byte = driver_byte(n_done, i);

                assert(ofs < 10 ? byte == 0
                       : ofs == 10 ? byte == DIV_ROUND_UP(len_frame, 112)
                       : ofs == 11 ? byte == 0
                       : byte == byte_of(frame, ofs));
            }
            n_done++;
        }
        frame++;
    }
    return NULL;
}

/* Returns when there is something to take. */
static void
device_sleep(void)
{
    if (!virtq_enable_notify(&q)) {
        sleep_on(&kick, "the device");
    }
    virtq_disable_notify(&q);
}

static void
device_call(void)
{
    if (virtq_should_notify(&q)) {
        ring(&call);
    }
}

static void
device_receives(void)
{
    static struct virtq_frame frames[VIRTQ_MAX_BURST];
    struct virtq_slot slots[VIRTQ_MAX_BURST];
    unsigned int serial = 0;

    while (serial < n_frames) {
        unsigned int n = 1 + random_range(32), n_slots = 0;

        if (random_range(2)) {
            n = n_slots = virtq_recv_slots(&q, slots, n);
            for (unsigned int i = 0; i < n; i++) {
                virtq_slot_to_frame(&q, &slots[i], &frames[i]);
            }
        }
        if (!n_slots) {
            n = virtq_recv_burst(&q, frames, n ? n : 1);
        }

        assert(!virtq_is_broken(&q) && !all_errors());
        for (unsigned int i = 0; i < n; i++, serial++) {
            const uint8_t *hdr = (const uint8_t *) &frames[i].hdr;
            uint32_t len = len_of(serial);
            uint8_t data[512];

            assert(frames[i].len == len);
            virtq_read(&frames[i], 0, data, len);
            for (uint32_t j = 0; j < len + 10; j++) {
                assert(j < 10 ? hdr[j] == byte_of(serial, j)
                       : data[j - 10] == byte_of(serial, j + 2));
            }
        }
        if (n_slots) {
            virtq_recv_slots_done(&q, slots, n);
        } else {
            virtq_recv_done(&q, frames, n);
        }
        device_call();
        if (!n) {
            device_sleep();
        }
    }
}

static void
device_sends(void)
{
    static struct virtq_room rooms[8];
    unsigned int frame = 0;

    while (frame < n_frames) {
        unsigned int max = 1 + random_range(8), n = 0, n_slots = 0;

        while (random_range(2) && frame < n_frames) {
            struct virtq_hdr hdr = { .flags = 0 };
            uint32_t len = len_of(frame);
            struct virtq_slot slot;

            if (!virtq_reserve_slots(&q, &len, 1, &slot)) {
                break;
            }
            for (uint32_t i = VIRTQ_HDR_LEN; i < slot.len; i++) {
                slot.data[i] = byte_of(frame, i);
            }
            virtq_slot_put_header(&q, &slot, &hdr);
            virtq_commit_slots(&q, &slot, 1);
            n_slots++;
            frame++;
        }
        while (n < max && frame < n_frames
               && !reserve(len_of(frame), true, &rooms[n])) {
            uint8_t data[512];

            for (uint32_t i = 0; i < rooms[n].len; i++) {
                data[i] = byte_of(frame, i + VIRTQ_HDR_LEN);
            }
            virtq_write(&rooms[n], data, rooms[n].len);
            n++;
            frame++;
        }
        assert(!virtq_is_broken(&q) && !all_errors());
        virtq_commit(&q, rooms, n);
        device_call();
        if (!(n + n_slots)) {
            /* There may be some, though not enough. */
            device_sleep();
        }
    }
}

int
main(int argc, char *argv[])
{
    unsigned int seed = argc > 1 ? atoi(argv[1]) : 1;

    set_program_name(argv[0]);
    if (argc > 2) {
        n_frames = atoi(argv[2]);
    }
    printf("seed %u, %u frames\n", seed, n_frames);
    random_set_seed(seed);

    for (size_t i = 0; i < N_SETUPS; i++) {
        struct ring_setup s = setups[i];

        s.hdr_len = VIRTQ_HDR_LEN;
        for (int receive = 0; receive < 2; receive++) {
            unsigned int n_kicks, n_calls;
            pthread_t thread;

            start(&s);
            atomic_store(&kick.rung, false);
            atomic_store(&call.rung, false);
            n_added = 0;
            atomic_store(&kick.n, 0);
            atomic_store(&call.n, 0);
            virtq_disable_notify(&q);
            thread = ovs_thread_create("driver", (receive ? receiver_main
                                                  : transmitter_main), NULL);
            if (receive) {
                device_sends();
            } else {
                device_receives();
            }
            xpthread_join(thread, NULL);
            atomic_read(&kick.n, &n_kicks);
            atomic_read(&call.n, &n_calls);
            printf("%s ring of %u, driver %s: %u kicks, %u calls\n",
                   s.packed ? "packed" : "split", s.size,
                   receive ? "receives" : "transmits", n_kicks, n_calls);
            fflush(stdout);
            stop();
        }
    }
    return 0;
}
