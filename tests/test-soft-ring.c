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

/* How rings are looked after (soft_ring_check() of soft/soft-ring.h), and when
 * they sleep (soft_ring_rest()). */

#include <config.h>
#undef NDEBUG

#include "soft-ring.h"

#include <assert.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pmd-awake.h"
#include "util.h"

#define SIZE 8
#define GPA 0x10000

/* What the driver and we share: a ring and a frame.  The areas of a split ring
 * are large enough for a packed one. */
static struct {
    struct { uint64_t addr; uint32_t len; uint16_t flags, next; } desc[SIZE];
    struct { uint16_t flags, idx, ring[SIZE], event; } avail;
    struct {
        uint16_t flags, idx;
        struct { uint32_t id, len; } ring[SIZE];
        uint16_t event;
    } used;
    uint8_t frame[76];
} *guest;

static struct soft_ring ring;
static int callfd, kickfd;

/* Has the ring served from where a new one begins. */
static void
publish(bool event_idx, bool packed)
{
    struct virtq_region region = {
        .gpa = GPA, .size = sizeof *guest, .va = (uint8_t *) guest,
    };
    struct soft_ring_spec spec;
    struct virtq_mem *mem;

    assert(!virtq_mem_create(&region, 1, &mem));
    spec = (struct soft_ring_spec) {
        .config = {
            .mem = mem,
            .desc = guest->desc,
            .driver = &guest->avail,
            .device = &guest->used,
            .size = SIZE,
            .hdr_len = VIRTQ_HDR_LEN,
            .event_idx = event_idx,
            .packed = packed,
            .avail_base = packed ? VIRTQ_WRAP : 0,
            .used_base = packed ? VIRTQ_WRAP : 0,
        },
        .callfd = callfd,
        .kickfd = kickfd,
        .log_used = VIRTQ_NO_LOG,
    };
    assert(!soft_ring_publish(&ring, &spec));
}

static void
start(bool event_idx, bool packed)
{
    assert(!posix_memalign((void **) &guest, 64, sizeof *guest));
    memset(guest, 0, sizeof *guest);
    callfd = eventfd(0, EFD_NONBLOCK);
    kickfd = eventfd(0, EFD_NONBLOCK);
    soft_ring_init(&ring);
    publish(event_idx, packed);
}

static void
stop(void)
{
    soft_ring_withdraw(&ring, NULL, NULL);
    soft_ring_check(&ring, true); /* Nothing to look after. */
    close(callfd);
    close(kickfd);
    free(guest);
}

/* The driver makes a frame available. */
static void
post(void)
{
    guest->desc[0].addr = GPA + ((uint8_t *) guest->frame - (uint8_t *) guest);
    guest->desc[0].len = sizeof guest->frame;
    guest->avail.ring[guest->avail.idx % SIZE] = 0;
    guest->avail.idx++;
}

/* Serves the ring, and returns how many frames there were. */
static unsigned int
serve(void)
{
    static struct virtq_frame frames[SIZE];
    unsigned int n = virtq_recv_burst(&ring.q, frames, SIZE);

    virtq_recv_done(&ring.q, frames, n);
    return n;
}

static void
check(unsigned int n)
{
    while (n--) {
        soft_ring_check(&ring, true);
    }
}

static void
test_stalls(void)
{
    check(10);
    assert(!ring.n_stalls);

    /* Busy, but never seen without work. */
    for (int i = 0; i < 10; i++) {
        post();
        assert(serve() == 1);
        post();
        check(1);
        assert(serve() == 1);
    }
    assert(!ring.n_stalls);

    /* One stall is one, however long. */
    post();
    check(2);
    assert(!ring.n_stalls);
    check(10);
    assert(ring.n_stalls == 1);
    assert(serve() == 1);
    check(2);
    post();
    check(10);
    assert(ring.n_stalls == 2);
    assert(serve() == 1);

    /* Nobody has to serve a port that is down. */
    post();
    for (int i = 0; i < 10; i++) {
        soft_ring_check(&ring, false);
    }
    assert(ring.n_stalls == 2);
    assert(serve() == 1);
}

static void
test_recovery(void)
{
    guest->avail.idx += 1000;
    assert(!serve());
    assert(virtq_is_broken(&ring.q));
    post();
    assert(!serve());
    check(1);
    assert(ring.n_errors == 1 && !ring.n_recoveries);
    check(1);
    assert(ring.n_errors == 1 && ring.n_recoveries == 1);

    /* What was there is gone, and what comes is served. */
    assert(!serve());
    post();
    assert(serve() == 1);

    guest->avail.idx += 1000;
    assert(!serve());
    check(2);
    assert(ring.n_errors == 2 && ring.n_recoveries == 2);
}

/* The flags of a packed ring's descriptor are where those of a split one say
 * what is next. */
static void
test_packed_recovery(void)
{
    const uint16_t next = 1, avail = 0x80;

    for (int i = 0; i < SIZE; i++) {
        guest->desc[i].next = next | avail;
    }
    assert(!serve());
    assert(virtq_is_broken(&ring.q));
    check(5);
    assert(ring.n_errors == 1 && !ring.n_recoveries);

    /* The driver has a better idea. */
    for (int i = 1; i < SIZE; i++) {
        guest->desc[i].next = 0;
    }
    guest->desc[0].addr = GPA + (guest->frame - (uint8_t *) guest);
    guest->desc[0].len = sizeof guest->frame;
    guest->desc[0].next = avail;
    check(1);
    assert(ring.n_errors == 1 && ring.n_recoveries == 1);
    assert(serve() == 1);
    assert(!serve());
}

/* A notification that is overdue is not lost, even if nobody polls. */
static void
test_late_notification(void)
{
    uint64_t n;

    while (read(ring.callfd, &n, sizeof n) > 0) {
        continue;
    }
    post();
    assert(serve() == 1);
    check(1);
    assert(read(ring.callfd, &n, sizeof n) < 0);
    atomic_store_relaxed(&ring.dim.due, 1);
    check(1);
    assert(read(ring.callfd, &n, sizeof n) == sizeof n && n == 1);
    check(1);
    assert(read(ring.callfd, &n, sizeof n) < 0);
}

/* Nor is one that waits when the ring is taken away for a while, and looks
 * like a new one when it comes back. */
static void
test_withdrawn_notification(void)
{
    uint64_t n;

    do {
        post();
        assert(serve() == 1);
    } while (guest->used.idx);
    assert(read(ring.callfd, &n, sizeof n) < 0);
    atomic_store_relaxed(&ring.dim.due, UINT64_MAX - 1);
    assert(soft_ring_withdraw(&ring, NULL, NULL));
    publish(false, false);
    assert(read(ring.callfd, &n, sizeof n) == sizeof n && n == 1);
}

/* Sleep.  A packet thread with one queue. */

static unsigned long awake_map = 1;
static struct pmd_awake awake = { .map = &awake_map, .n = 1, .now = 1 };

static void
pass_ms(unsigned int ms)
{
    awake.now += ms * (rte_get_tsc_hz() / 1000);
}

/* Polls the queue, which has nothing, until it sleeps. */
static void
fall_asleep(void)
{
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    pass_ms(6);
    assert(awake_map);
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    assert(!awake_map);
}

/* Returns true if the queue is awake a millisecond later. */
static bool
is_awake(void)
{
    pass_ms(1);
    virtnet_pmd_check(&awake);
    return awake_map;
}

static void
kick(void)
{
    assert(!eventfd_write(kickfd, 1));
}

static void
expect_frame(void)
{
    assert(serve() == 1);
    soft_ring_busy(&ring);
}

static void
test_sleep(void)
{
    virtnet_pmd_load(&awake);
    fall_asleep();
    assert(!is_awake());

    /* Each kick wakes it, although nobody ever reads them. */
    for (int i = 0; i < 3; i++) {
        post();
        kick();
        assert(is_awake());
        expect_frame();
        fall_asleep();
        assert(!is_awake());
    }

    /* A kick without need. */
    kick();
    assert(is_awake());
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    assert(!awake_map && ring.n_spurious == 1);

    /* What comes while it falls asleep keeps it awake, kick or not. */
    post();
    kick();
    assert(is_awake());
    expect_frame();
    pass_ms(6);
    assert(!serve());
    post();
    soft_ring_rest(&ring, &ring.dim);
    assert(awake_map);
    expect_frame();

    /* And so does a notification that waits. */
    fall_asleep();
    atomic_store_relaxed(&ring.dim.due, UINT64_MAX - 1);
    soft_idle_wake(&ring.sleeper);
    assert(is_awake());
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    assert(awake_map);
    soft_dim_reset(&ring.dim);

    /* A driver that does not kick is found, but later. */
    fall_asleep();
    post();
    assert(!is_awake());
    pass_ms(100);
    assert(is_awake());
    expect_frame();
}

/* A ring that goes on after an error is awake: a driver that has been asked to
 * kick for the next buffer has been asked for one that is skipped. */
static void
test_recovery_asleep(void)
{
    fall_asleep();
    guest->avail.idx += 1000;
    kick();
    assert(is_awake());
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    assert(!awake_map && virtq_is_broken(&ring.q));
    check(1);
    assert(!is_awake());
    check(1);
    assert(!virtq_is_broken(&ring.q));
    assert(is_awake());
    assert(!serve());
    soft_ring_rest(&ring, &ring.dim);
    assert(!awake_map);
    post();
    kick();
    assert(is_awake());
    expect_frame();
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    char *eal_argv[] = {
        argv[0], "--no-huge", "--no-shconf", "-m", "32", "--no-pci",
        "--no-telemetry", "--log-level=4", NULL
    };

    set_program_name(argv[0]);
    assert(rte_eal_init(ARRAY_SIZE(eal_argv) - 1, eal_argv) >= 0);
    start(false, false);
    test_stalls();
    test_recovery();
    test_late_notification();
    stop();
    start(false, false);
    test_withdrawn_notification();
    stop();
    start(false, true);
    test_packed_recovery();
    stop();
    for (int event_idx = 0; event_idx < 2; event_idx++) {
        start(event_idx, false);
        test_sleep();
        test_recovery_asleep();
        stop();
        virtnet_pmd_exit(&awake);
    }
    return 0;
}
