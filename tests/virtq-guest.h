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

#ifndef VIRTQ_GUEST_H
#define VIRTQ_GUEST_H 1

/* What tests of virtqueues have in common: one guest, one driver, one ring.
 *
 * Guest memory is made of regions of one allocation each, so that
 * AddressSanitizer sees whatever leaves one. */

#include <stdbool.h>
#include <stdint.h>

#include "virtq.h"
#include "virtq-driver.h"

/* Regions for buffers, whose addresses follow each other, though they lie
 * anywhere; one for tables of descriptors; and a page at either end of all
 * addresses, which nothing may pass. */
#define N_REGIONS 16
#define N_ALL_REGIONS (N_REGIONS + 3)
#define REGION_SIZE 65536
#define MEM_GPA UINT64_C(0xfffff0000)   /* Passes 64 GB. */
#define MEM_SIZE (N_REGIONS * REGION_SIZE)
#define TABLES_GPA UINT64_C(0x10000)

struct ring_setup {
    bool packed;
    bool event_idx;
    uint16_t size;
    uint16_t base;              /* Where to begin, as for vd_init(). */
    uint8_t hdr_len;
};

/* Those that tests try: small, odd, about to wrap around, short headers. */
#define N_SETUPS 8
extern const struct ring_setup setups[N_SETUPS];

extern struct virtq_region regions[N_ALL_REGIONS];
extern struct virtq_mem *mem;
extern struct virtq_driver vd;
extern struct virtq q;

/* Makes all that, as new, and frees it. */
void start(const struct ring_setup *);
void stop(void);

/* Where guest physical address 'gpa', of a buffer, is. */
uint8_t *guest(uint64_t gpa);

/* Finds place for 'len' bytes that no buffer on its way uses, as long as those
 * are fewer than about MEM_SIZE. */
uint64_t place(uint32_t len);

/* Adds a buffer of one piece. */
void add_good(uint32_t len, bool write);

/* virtq_reserve_burst() for one frame.  Returns what '*errorp' becomes. */
int reserve(uint32_t len, bool mergeable, struct virtq_room *);

/* Takes a used buffer, which must be the one of that number (or none, for -1)
 * and have that length. */
void expect_used(int serial, uint32_t len);

/* Buffers that were bad in some way, and all of them. */
uint64_t errors(enum virtq_error);
uint64_t all_errors(void);

#endif /* virtq-guest.h */
