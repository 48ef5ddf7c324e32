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

#ifndef SOFT_MODERATION_H
#define SOFT_MODERATION_H 1

/* Interrupt moderation: when a driver is told of the packets that it has got.
 *
 * Without it, a driver that wants to be notified is notified at the end of
 * each burst.  With it, a notification waits until so much time has passed, or
 * so many packets have come, as an operator has said ("modify queue"), or as
 * the rate of packets suggests if the device moderates by itself (DIM,
 * "modify device -dim enable").  As with the CQs of a NIC, a period is 4095
 * microseconds at most; one that ends with nothing more to come is ended by
 * the thread that polls the queue.
 *
 * Threads: struct soft_moderation is written by the main thread and read by
 * packet threads, by atomics.  struct soft_dim belongs to a ring, whose lock
 * protects it, but for 'due', which may be read without. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "ovs-atomic.h"

struct virtnet_device_config;

/* What has been asked for, for all receive queues of a device's driver. */
struct soft_moderation {
    atomic_bool on;             /* Any of the rest? */
    atomic_bool adaptive;
    atomic_bool upon_cqe;       /* Does each burst start the period anew? */
    atomic_uint32_t period;     /* Microseconds, at most; or 0. */
    atomic_uint32_t max_count;  /* Packets, or 0. */
};

/* Where a ring stands. */
struct soft_dim {
    atomic_uint64_t due;        /* When to notify, in TSC cycles; or 0. */
    uint64_t latest;            /* When to notify at the latest. */
    uint32_t pending;           /* Packets since the last notification. */

    /* The rate of packets. */
    uint64_t window;            /* When counting began, in TSC cycles. */
    uint32_t n_packets;         /* Since then. */
    uint8_t level;              /* Of soft-moderation.c's table. */
};

void soft_moderation_set(struct soft_moderation *,
                         const struct virtnet_device_config *);
bool soft_moderation_delays__(const struct soft_moderation *,
                              struct soft_dim *, uint32_t n, uint64_t now);
void soft_dim_reset(struct soft_dim *);

/* Is the driver to wait for the notification of 'n' packets that it has got
 * 'now' (TSC cycles), and of those before them?  With the ring's lock. */
static inline bool
soft_moderation_delays(const struct soft_moderation *m, struct soft_dim *dim,
                       uint32_t n, uint64_t now)
{
    bool on;

    atomic_read_relaxed(&CONST_CAST(struct soft_moderation *, m)->on, &on);
    return OVS_UNLIKELY(on) && soft_moderation_delays__(m, dim, n, now);
}

/* Is a notification overdue?  Any thread, without lock. */
static inline bool
soft_dim_is_due(const struct soft_dim *dim, uint64_t now)
{
    uint64_t due;

    atomic_read_relaxed(&CONST_CAST(struct soft_dim *, dim)->due, &due);
    return OVS_UNLIKELY(due) && now >= due;
}

#endif /* soft-moderation.h */
