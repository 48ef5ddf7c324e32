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

#ifndef SOFT_RING_H
#define SOFT_RING_H 1

/* A virtqueue of a front end, as packet threads serve it.
 *
 * librte_vhost speaks the protocol, maps the guest's memory and learns where
 * rings are.  The rings themselves are ours while a "struct soft_ring" is
 * ready: librte_vhost does not touch them, and it is told how far we have come
 * before it reports that to the front end.
 *
 * Threads
 * =======
 *
 * All members are protected by 'lock'.  A packet thread takes it for a burst.
 * A thread of librte_vhost takes it to set up a ring, with
 * soft_ring_publish(), and to take it away again, with soft_ring_withdraw(),
 * which it must do before it carries out any message that unmaps memory, moves
 * the ring or closes its file descriptors.  So nothing waits for longer than a
 * burst.
 *
 * Counters outlive rings: they go on in the next one. */

#include <rte_spinlock.h>
#include <stdbool.h>
#include <stdint.h>

#include "soft-idle.h"
#include "soft-moderation.h"
#include "virtnet-device.h"
#include "virtq.h"

struct soft_ring {
    rte_spinlock_t lock;
    bool ready;                 /* Is the rest, but for counters, valid? */
    bool mergeable;             /* VIRTIO_NET_F_MRG_RXBUF? */
    bool requests;              /* May the driver ask for offloads? */
    int callfd;                 /* To notify the driver; -1 to poll. Not
                                 * ours. */
    int kickfd;                 /* The driver notifies us, if it is asked to;
                                 * -1 if it cannot.  Not ours. */
    struct soft_sleeper sleeper;
    struct virtq_mem *mem;      /* The guest's memory.  Owned. */
    struct virtq q;
    struct soft_dim dim;        /* Notifications that wait. */

    /* See soft_ring_check(). */
    uint64_t seen_desc;         /* received_desc at the last check. */
    unsigned int n_stuck;       /* Checks without progress. */
    bool error_seen;            /* Is the ring's error counted? */
    uint64_t n_errors;          /* Times that the ring stood still because of
                                 * what was in it. */
    uint64_t n_recoveries;      /* Times that it went on afterwards. */
    uint64_t n_stalls;          /* Times that nobody served it. */
    uint64_t n_spurious;        /* Kicks without anything to serve. */
};

/* A ring that has not been published yet. */
struct soft_ring_spec {
    struct virtq_config config; /* config.mem is ours. */
    bool mergeable;
    bool requests;
    bool mended;                /* Have buffers been given back already? */
    int callfd;
    int kickfd;
    uint8_t *log;               /* Dirty log, or NULL. */
    uint64_t log_size;
    uint64_t log_used;
};

void soft_ring_init(struct soft_ring *);
int soft_ring_load(struct soft_ring_spec *, int vid, uint16_t vring,
                   uint64_t features);
void soft_ring_unload(struct soft_ring_spec *);
int soft_ring_publish(struct soft_ring *, struct soft_ring_spec *);
bool soft_ring_withdraw(struct soft_ring *, uint16_t *avail, uint16_t *used);
void soft_ring_notify(struct soft_ring *);
void soft_ring_check(struct soft_ring *, bool must_be_served);
void soft_ring_busy(struct soft_ring *);
void soft_ring_rest(struct soft_ring *, const struct soft_dim *);
void soft_ring_get_counters(const struct soft_ring *,
                            struct virtnet_queue_info *);

#endif /* soft-ring.h */
