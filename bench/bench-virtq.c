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

/* What virtqueues cost the device: to take frames and give them back, and to
 * move them from one ring to another with a single copy.
 *
 * usage: bench-virtq [--quick] [--json FILE]
 *
 * Both rings, and all buffers, are in the caches of the one core that plays
 * drivers and device in turns, so figures are those of instructions, without
 * what it takes to fetch guests' memory from other cores.  Only the device's
 * part is timed.  A frame is one descriptor, with its header; the receiving
 * driver offers buffers of 2048 bytes, mergeable.  "Slots" are the way for
 * frames that have a descriptor each on both sides.  Figures are medians of
 * several rounds, which the rows take turns in. */

#include <config.h>
#undef NDEBUG

#include "virtq.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "tests/virtq-driver.h"
#include "util.h"

#define BURST 32
#define RING 256
#define RX_BUFFER 2048
#define MAX_FRAME 65535
#define FRAME_SPACE ROUND_UP(MAX_FRAME + VIRTQ_HDR_LEN, 64)
#define MAX_ROUNDS 15

/* One guest, with one ring. */
struct guest {
    struct virtq_driver vd;
    struct virtq q;
    struct virtq_mem *mem;
    uint8_t *buffers;           /* At address 0. */
    uint8_t *tables;
};

enum { TABLES_GPA = 1 << 30 };

static void
guest_init(struct guest *g, bool packed, size_t size)
{
    struct virtq_region regions[2];
    struct virtq_config config;
    uint16_t base = packed ? VIRTQ_WRAP : 0;

    g->buffers = xmalloc_pagealign(size);
    memset(g->buffers, 0, size);
    g->tables = xzalloc(vd_tables_size(RING));
    regions[0] = (struct virtq_region) { 0, size, g->buffers };
    regions[1] = (struct virtq_region) { TABLES_GPA, vd_tables_size(RING),
                                         g->tables };
    assert(!virtq_mem_create(regions, 2, &g->mem));
    vd_init(&g->vd, packed, true, RING, base, g->tables, TABLES_GPA);
    config = (struct virtq_config) {
        .mem = g->mem,
        .desc = g->vd.desc,
        .driver = g->vd.driver,
        .device = g->vd.device,
        .size = RING,
        .packed = packed,
        .event_idx = true,
        .indirect = true,
        .hdr_len = VIRTQ_HDR_LEN,
        .avail_base = base,
        .used_base = base,
    };
    assert(!virtq_init(&g->q, &config));
}

static void
guest_uninit(struct guest *g)
{
    vd_uninit(&g->vd);
    virtq_mem_destroy(g->mem);
    free_pagealign(g->buffers);
    free(g->tables);
}

struct row {
    bool packed;
    bool indirect;
    bool forward;               /* Or only take and give back? */
    bool slots;                 /* Forward as slots? */
    uint32_t len;
    double ns[MAX_ROUNDS];      /* Per frame. */
};

/* Passes frames of 'lens' bytes from 'tx' to 'rx', in slots. */
static void
forward_slots(struct virtq *tx, struct virtq *rx, const uint32_t lens[],
              unsigned int n)
{
    const struct virtq_hdr hdr = { .flags = 0 };
    struct virtq_slot from[BURST], to[BURST];

    assert(virtq_recv_slots(tx, from, n) == n);
    assert(virtq_reserve_slots(rx, lens, n, to) == n);
    for (unsigned int i = 0; i < n; i++) {
        memcpy(to[i].data + VIRTQ_HDR_LEN, from[i].data + VIRTQ_HDR_LEN,
               lens[i]);
    }
    for (unsigned int i = 0; i < n; i++) {
        virtq_slot_put_header(rx, &to[i], &hdr);
    }
    virtq_commit_slots(rx, to, n);
    virtq_should_notify(rx);
    virtq_recv_slots_done(tx, from, n);
}

/* Passes about 'n' frames, and returns nanoseconds per frame. */
static double
run(const struct row *row, unsigned int n)
{
    static struct virtq_frame frames[BURST];
    static struct virtq_room rooms[BURST];
    unsigned int n_buffers = DIV_ROUND_UP(row->len + VIRTQ_HDR_LEN, RX_BUFFER);
    unsigned int burst = MIN(BURST, RING / n_buffers);
    unsigned int n_slots = row->len > 2000 ? burst : RING;
    unsigned int tx_slot = 0, rx_slot = 0;
    struct guest tx, rx;
    uint32_t lens[BURST];
    uint64_t spent = 0;
    uint32_t used;

    for (size_t i = 0; i < BURST; i++) {
        lens[i] = row->len;
    }

    guest_init(&tx, row->packed, (size_t) RING * FRAME_SPACE);
    guest_init(&rx, row->packed, RING * RX_BUFFER);
    for (unsigned int done = 0; done < n; done += burst) {
        uint64_t start;

        for (unsigned int i = 0; i < burst; i++) {
            struct vd_piece piece = {
                (uint64_t) (tx_slot++ % n_slots) * (row->len > 2000
                                                    ? FRAME_SPACE : 2048),
                row->len + VIRTQ_HDR_LEN, false,
            };

            assert(vd_add(&tx.vd, &piece, 1,
                          row->indirect ? VD_INDIRECT : VD_DIRECT) >= 0);
        }
        while (row->forward && rx.vd.n_free) {
            struct vd_piece piece = {
                (uint64_t) (rx_slot++ % RING) * RX_BUFFER, RX_BUFFER, true,
            };

            assert(vd_add(&rx.vd, &piece, 1, VD_DIRECT) >= 0);
        }

        start = now_ns();
        if (row->slots) {
            forward_slots(&tx.q, &rx.q, lens, burst);
        } else {
            assert(virtq_recv_burst(&tx.q, frames, burst) == burst);
            if (row->forward) {
                int error;

                assert(virtq_reserve_burst(&rx.q, lens, burst, true, rooms,
                                           &error) == burst);
                for (unsigned int i = 0; i < burst; i++) {
                    virtq_copy(&rooms[i], &frames[i]);
                }
                virtq_commit(&rx.q, rooms, burst);
                virtq_should_notify(&rx.q);
            }
            virtq_recv_done(&tx.q, frames, burst);
        }
        virtq_should_notify(&tx.q);
        spent += now_ns() - start;

        for (unsigned int i = 0; i < burst; i++) {
            assert(vd_get(&tx.vd, &used) >= 0);
        }
        for (unsigned int i = 0; row->forward && i < burst * n_buffers; i++) {
            assert(vd_get(&rx.vd, &used) >= 0);
        }
    }
    guest_uninit(&tx);
    guest_uninit(&rx);
    return (double) spent / ROUND_UP(n, burst);
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "json", required_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    static const uint32_t lens[] = { 64, 512, 1500, 9000, 65535 };
    struct row rows[2 * 2 + 2 * 3 * ARRAY_SIZE(lens)];
    unsigned int n_rounds = MAX_ROUNDS;
    unsigned int n_rows = 0;
    FILE *json = NULL;
    int c;

    set_program_name(argv[0]);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'q':
            n_rounds = 5;
            break;
        case 'j':
            json = fopen(optarg, "w");
            if (!json) {
                ovs_fatal(errno, "%s", optarg);
            }
            break;
        default:
            ovs_fatal(0, "usage: %s [--quick] [--json FILE]", program_name);
        }
    }

    for (int packed = 0; packed < 2; packed++) {
        for (int indirect = 0; indirect < 2; indirect++) {
            rows[n_rows++] = (struct row) {
                .packed = packed, .indirect = indirect, .len = 64
            };
            for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
                struct row row = {
                    .packed = packed, .indirect = indirect, .forward = true,
                    .len = lens[i],
                };

                rows[n_rows++] = row;
                row.slots = !indirect && lens[i] + VIRTQ_HDR_LEN <= RX_BUFFER;
                if (row.slots) {
                    rows[n_rows++] = row;
                }
            }
        }
    }
    for (unsigned int round = 0; round < n_rounds; round++) {
        for (unsigned int i = 0; i < n_rows; i++) {
            rows[i].ns[round] = run(&rows[i], 4000000 / (rows[i].len + 100));
        }
    }

    printf("%-7s %-9s %-9s %6s %9s %8s %7s\n", "ring", "table", "case",
           "bytes", "ns/frame", "Mpps", "GB/s");
    for (unsigned int i = 0; i < n_rows; i++) {
        struct row *r = &rows[i];
        const char *ring = r->packed ? "packed" : "split";
        const char *table = r->indirect ? "indirect" : "direct";
        const char *what = (r->slots ? "slots" : r->forward ? "forward"
                            : "take");
        double ns = median(r->ns, n_rounds);

        printf("%-7s %-9s %-9s %6"PRIu32" %9.1f %8.2f %7.2f\n", ring, table,
               what, r->len, ns, 1e3 / ns, r->forward ? r->len / ns : 0);
        if (json) {
            fprintf(json, "{\"case\": \"virtq-%s\", \"ring\": \"%s\", "
                    "\"indirect\": %s, \"size\": %"PRIu32", \"ours\": %.1f, "
                    "\"unit\": \"ns\"}\n", what, ring,
                    r->indirect ? "true" : "false", r->len, ns);
        }
    }
    if (json) {
        fclose(json);
    }
    return 0;
}
