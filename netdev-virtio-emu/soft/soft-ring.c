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

/* See soft-ring.h.
 *
 * Security model
 * ==============
 *
 * librte_vhost has translated the addresses of rings, but what is mapped and
 * how large a ring is may have changed since.  Hence each area is looked up
 * again, with the size that the ring has now, in a copy of the table of memory
 * that lives as long as the ring.  What the driver writes there is the
 * business of virtq.h. */

#include <config.h>

#include "soft-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_cycles.h>
#include <rte_vhost.h>
#include <stdlib.h>
#include <unistd.h>

#include "coverage.h"
#include "util.h"

COVERAGE_DEFINE(virtnet_guest_notified);
COVERAGE_DEFINE(virtnet_rxq_kick); /* That woke a queue that had work. */
COVERAGE_DEFINE(virtnet_rxq_spurious_kick); /* ... that had none. */
COVERAGE_DEFINE(virtnet_rxq_missed_kick); /* Work, and no kick. */

/* Checks in a row, a second apart, before a ring without progress is a
 * stall. */
#define STUCK_CHECKS 2

/* VIRTIO 1.2, sections 5.1.3 and 6. */
#define F(BIT) (UINT64_C(1) << (BIT))
#define F_CSUM F(0)
#define F_HOST_TSO4 F(11)
#define F_HOST_TSO6 F(12)
#define F_HOST_USO F(56)
#define F_MRG_RXBUF F(15)
#define F_LOG_ALL F(26)
#define F_INDIRECT_DESC F(28)
#define F_EVENT_IDX F(29)
#define F_VERSION_1 F(32)
#define F_RING_PACKED F(34)

void
soft_ring_init(struct soft_ring *ring)
{
    memset(ring, 0, sizeof *ring);
    rte_spinlock_init(&ring->lock);
    ring->callfd = -1;
    ring->kickfd = -1;
}

/* Makes a table of the memory of 'vid', which must have some.  Returns 0, or a
 * positive errno value if it is none that can be used. */
static int
load_memory(int vid, struct virtq_mem **memp)
{
    struct rte_vhost_memory *mem = NULL;
    struct virtq_region *regions;
    int error;

    if (rte_vhost_get_mem_table(vid, &mem) || !mem) {
        return ENODEV;
    }
    regions = xcalloc(mem->nregions, sizeof *regions);
    for (uint32_t i = 0; i < mem->nregions; i++) {
        const struct rte_vhost_mem_region *r = &mem->regions[i];

        regions[i].gpa = r->guest_phys_addr;
        regions[i].size = r->size;
        regions[i].va = (uint8_t *) (uintptr_t) r->host_user_addr;
    }
    error = virtq_mem_create(regions, mem->nregions, memp);
    free(regions);
    free(mem);
    return error;
}

/* Sees to it that a write to 'fd', by which a driver is notified, does not
 * wait for somebody to read: the packet thread would, and with it all that
 * waits for the packet thread.  The front end could undo this; one that only
 * forgets to read, or goes away, does not. */
static void
make_nonblocking(int fd)
{
    int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

    if (flags >= 0 && !(flags & O_NONBLOCK)) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}

/* Asks librte_vhost about virtqueue 'vring' of 'vid', which must have memory,
 * and where 'features' have been negotiated.  If they have VHOST_F_LOG_ALL,
 * there must be a dirty log, or have never been one.  Returns 0, or a positive
 * errno value if there is nothing that can be used. */
int
soft_ring_load(struct soft_ring_spec *spec, int vid, uint16_t vring,
               uint64_t features)
{
    struct virtq_config *c = &spec->config;
    struct rte_vhost_vring vr;
    struct virtq_mem *mem;
    uint64_t log_base, gpa;
    int error;

    memset(spec, 0, sizeof *spec);
    if (rte_vhost_get_vhost_vring(vid, vring, &vr) || !vr.desc || !vr.avail
        || !vr.used
        || rte_vhost_get_vring_base(vid, vring, &c->avail_base,
                                    &c->used_base)) {
        return ENODEV;
    }
    error = load_memory(vid, &mem);
    if (error) {
        return error;
    }

    c->mem = mem;
    c->desc = vr.desc;
    c->driver = vr.avail;
    c->device = vr.used;
    c->size = vr.size;
    c->packed = features & F_RING_PACKED;
    c->event_idx = features & F_EVENT_IDX;
    c->indirect = features & F_INDIRECT_DESC;
    c->hdr_len = (features & (F_VERSION_1 | F_MRG_RXBUF)
                  ? VIRTQ_HDR_LEN : VIRTQ_HDR_LEN_LEGACY);
    spec->mergeable = features & F_MRG_RXBUF;
    spec->requests = features & (F_CSUM | F_HOST_TSO4 | F_HOST_TSO6
                                 | F_HOST_USO);
    c->skip_hdr = !spec->requests;
    spec->callfd = vr.callfd;
    make_nonblocking(vr.callfd);
    spec->kickfd = soft_idle_is_kick(vr.kickfd) ? vr.kickfd : -1;
    if (!virtq_mem_contains(mem, c->desc, virtq_area_size(c, 0))
        || !virtq_mem_contains(mem, c->driver, virtq_area_size(c, 1))
        || !virtq_mem_contains(mem, c->device, virtq_area_size(c, 2))) {
        soft_ring_unload(spec);
        return EFAULT;
    }
    spec->log_used = VIRTQ_NO_LOG;
    if (features & F_LOG_ALL
        && !rte_vhost_get_log_base(vid, &log_base, &spec->log_size)
        && log_base) {
        spec->log = (uint8_t *) (uintptr_t) log_base;
        if (virtq_mem_to_guest(mem, c->packed ? c->desc : c->device, &gpa)) {
            spec->log_used = gpa;
        }
    }
    return 0;
}

/* Undoes soft_ring_load(), for a ring that has not been published. */
void
soft_ring_unload(struct soft_ring_spec *spec)
{
    virtq_mem_destroy(CONST_CAST(struct virtq_mem *, spec->config.mem));
    spec->config.mem = NULL;
}

/* Sets up 'ring', instead of what it may have been, for packet threads.  Takes
 * over 'spec'.  Returns 0, or a positive errno value if it is not fit for
 * use. */
int
soft_ring_publish(struct soft_ring *ring, struct soft_ring_spec *spec)
{
    struct virtq q;
    int error;

    soft_ring_withdraw(ring, NULL, NULL);
    error = virtq_init(&q, &spec->config);
    if (error) {
        soft_ring_unload(spec);
        return error;
    }
    virtq_set_log(&q, spec->log, spec->log_size, spec->log_used);

    rte_spinlock_lock(&ring->lock);
    for (int i = 0; i < VIRTQ_N_ERRORS; i++) {
        q.errors[i] = ring->q.errors[i];
    }
    q.received_desc = ring->q.received_desc;
    q.completed_desc = ring->q.completed_desc;
    ring->q = q;
    ring->mem = CONST_CAST(struct virtq_mem *, spec->config.mem);
    spec->config.mem = NULL;
    ring->mergeable = spec->mergeable;
    ring->requests = spec->requests;
    ring->callfd = spec->callfd;
    soft_dim_reset(&ring->dim);
    ring->seen_desc = UINT64_MAX;
    ring->n_stuck = 0;
    ring->error_seen = false;
    ring->kickfd = spec->kickfd;
    virtq_disable_notify(&ring->q); /* It is polled. */
    ring->ready = true;

    /* Whoever served the ring before may have left without a word. */
    if (spec->mended
        || spec->config.used_base != (spec->config.packed ? VIRTQ_WRAP : 0)) {
        ring->q.news = 1;
        soft_ring_notify(ring);
    }
    rte_spinlock_unlock(&ring->lock);
    return 0;
}

/* Takes 'ring' away from packet threads: when this returns, none uses it or
 * the guest's memory any more.  Returns true if there was one, and then stores
 * how far it had come in '*avail' and '*used', unless NULL, as
 * rte_vhost_set_vring_base() wants to hear it. */
bool
soft_ring_withdraw(struct soft_ring *ring, uint16_t *avail, uint16_t *used)
{
    struct virtq_mem *mem = NULL;
    bool ready;

    rte_spinlock_lock(&ring->lock);
    ready = ring->ready;
    if (ready) {
        if (soft_dim_is_due(&ring->dim, UINT64_MAX)) {
            /* Whoever serves the ring next may take it for a new one. */
            soft_dim_reset(&ring->dim);
            soft_ring_notify(ring);
        }
        mem = ring->mem;
        ring->ready = false;
        ring->mem = NULL;
        ring->callfd = -1;
        soft_idle_forget(&ring->sleeper, ring->kickfd);
        ring->kickfd = -1;
        if (avail) {
            *avail = virtq_avail_base(&ring->q);
            *used = ring->q.packed ? *avail : ring->q.used.index;
        }
    }
    rte_spinlock_unlock(&ring->lock);
    virtq_mem_destroy(mem);
    return ready;
}

/* Notifies the driver of what has been used, if it wants to hear of it.  To be
 * called at the end of a burst, with the lock. */
void
soft_ring_notify(struct soft_ring *ring)
{
    if (virtq_should_notify(&ring->q) && ring->callfd >= 0) {
        const uint64_t one = 1;

        /* If that fails, the counter is at its limit and nobody reads it: see
         * make_nonblocking(). */
        if (write(ring->callfd, &one, sizeof one) == sizeof one) {
            COVERAGE_INC(virtnet_guest_notified);
        }
    }
}

/* Sees to it that no notification is overdue, that the ring goes on
 * after an error, and, if it 'must_be_served', that what the driver has made
 * available does not stay there.  To be called once a second.  Main thread. */
void
soft_ring_check(struct soft_ring *ring, bool must_be_served)
{
    uint64_t n_desc;

    rte_spinlock_lock(&ring->lock);
    if (!ring->ready) {
        goto out;
    }
    if (soft_dim_is_due(&ring->dim, rte_rdtsc())) {
        soft_dim_reset(&ring->dim);
        soft_ring_notify(ring);
    }
    if (OVS_UNLIKELY(virtq_is_broken(&ring->q))) {
        if (!ring->error_seen) {
            ring->error_seen = true;
            ring->n_errors++;
        } else if (virtq_recover(&ring->q)) {
            ring->error_seen = false;
            ring->n_recoveries++;

            /* If it sleeps, the driver has been asked to kick for the buffer
             * where the ring stood still.  That is skipped, or the driver has
             * long made it available. */
            soft_idle_wake(&ring->sleeper);
        }
        goto out;
    }

    atomic_read_relaxed(&ring->q.received_desc, &n_desc);
    if (must_be_served && n_desc == ring->seen_desc
        && virtq_has_work(&ring->q)) {
        if (++ring->n_stuck == STUCK_CHECKS) {
            ring->n_stalls++;
        }
    } else {
        ring->n_stuck = 0;
    }
    ring->seen_desc = n_desc;

out:
    rte_spinlock_unlock(&ring->lock);
}

/* The packet thread has found work in 'ring', which it polls with the lock
 * held.  It will be polled for some time without being asked again. */
void
soft_ring_busy(struct soft_ring *ring)
{
    if (OVS_UNLIKELY(soft_idle_is_asked(&ring->sleeper))) {
        virtq_disable_notify(&ring->q);
        switch (soft_idle_woken(&ring->sleeper)) {
        case SOFT_WAKE_KICK:
        case SOFT_WAKE_FIRST_KICK:
            COVERAGE_INC(virtnet_rxq_kick);
            break;
        case SOFT_WAKE_PROBE:
            COVERAGE_INC(virtnet_rxq_missed_kick);
            break;
        case SOFT_WAKE_OTHER:
            break;
        }
    }
    soft_idle_busy(&ring->sleeper);
}

/* The packet thread has found no work in 'ring', which it polls with the lock
 * held.  If that has been so for long enough, asks the driver to kick, and
 * leaves the ring out of the thread's loop until it does.
 *
 * Whoever polls the ring also sends the notifications that wait in 'dim', that
 * of the other ring of the pair.  So the ring stays awake as long as one waits
 * there, and whoever leaves one there calls soft_idle_wake(). */
void
soft_ring_rest(struct soft_ring *ring, const struct soft_dim *dim)
{
    struct soft_sleeper *sl = &ring->sleeper;

    if (ring->kickfd < 0 || OVS_LIKELY(!soft_idle_is_time(sl))) {
        return;
    }
    if (soft_idle_is_asked(sl)
        && soft_idle_woken(sl) == SOFT_WAKE_KICK) {
        COVERAGE_INC(virtnet_rxq_spurious_kick);
        ring->n_spurious++;
    }

    /* Even if the ring has slept already: another thread may have taken over
     * since, or this one has another list of queues. */
    if (!soft_idle_arm(sl, ring->kickfd)) {
        virtq_disable_notify(&ring->q);
        soft_idle_busy(sl);
        return;
    }

    /* Even if the driver has been asked before: buffers that were no frames
     * may have moved the place where it would kick.  There is a barrier in
     * this, before 'dim' is looked at. */
    if (virtq_enable_notify(&ring->q) || soft_dim_is_due(dim, UINT64_MAX)) {
        virtq_disable_notify(&ring->q);
        soft_idle_busy(sl);
    } else {
        soft_idle_sleep();
    }
}

/* Fills in the counters that the ring itself has. */
void
soft_ring_get_counters(const struct soft_ring *ring_,
                       struct virtnet_queue_info *info)
{
    struct soft_ring *ring = CONST_CAST(struct soft_ring *, ring_);

    rte_spinlock_lock(&ring->lock);
    info->received_desc = ring->q.received_desc;
    info->completed_desc = ring->q.completed_desc;
    info->bad_desc_errors = ring->q.errors[VIRTQ_BAD_DESC];
    info->exceed_max_chain = ring->q.errors[VIRTQ_LONG_CHAIN];
    info->invalid_buffer = ring->q.errors[VIRTQ_BAD_ADDRESS];
    info->error_cqes = (info->bad_desc_errors + info->exceed_max_chain
                        + info->invalid_buffer);
    rte_spinlock_unlock(&ring->lock);
}
