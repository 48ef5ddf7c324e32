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

/* Interrupt moderation.  See soft-moderation.h. */

#include <config.h>

#include "soft-moderation.h"

#include <rte_cycles.h>

#include "coverage.h"
#include "util.h"
#include "virtnet-device.h"

COVERAGE_DEFINE(virtnet_notification_delayed);

/* As long as the CQ of a NIC can (12 bits). */
#define MAX_PERIOD_US 4095

/* With "upon cqe", each burst puts the notification off again, but not for
 * longer than so many periods. */
#define MAX_EXTENSIONS 16

/* The period of a device that moderates by itself, by the packets that came in
 * the last WINDOW_US.  It is to cost a packet less time than it takes the
 * driver to handle an interrupt, and a lonely packet none at all. */
#define WINDOW_US 1000
static const struct {
    uint32_t min_packets;       /* In a window. */
    uint32_t period;            /* Microseconds. */
    uint32_t max_count;
} levels[] = {
    { 0, 0, 0 },
    { 16, 8, 16 },
    { 64, 16, 64 },
    { 256, 64, 128 },
    { 1024, 128, 256 },
};

static uint64_t
us_to_tsc(uint64_t us)
{
    return us * (rte_get_tsc_hz() / 1000000);
}

/* Puts in force what 'config' says.  Main thread. */
void
soft_moderation_set(struct soft_moderation *m,
                    const struct virtnet_device_config *config)
{
    uint32_t period = MIN(config->cq_period, MAX_PERIOD_US);
    uint32_t max_count = config->cq_max_count;

    if (max_count > 1 && !period) {
        /* Nobody says when to end the wait for packets that do not come. */
        period = MAX_PERIOD_US;
    }
    atomic_store_relaxed(&m->adaptive, config->dim);
    atomic_store_relaxed(&m->upon_cqe, config->cq_period_mode == 2);
    atomic_store_relaxed(&m->period, period);
    atomic_store_relaxed(&m->max_count, max_count);
    atomic_store_relaxed(&m->on, config->dim || period);
}

/* Forgets all, when there is nothing to notify of any more. */
void
soft_dim_reset(struct soft_dim *dim)
{
    atomic_store_relaxed(&dim->due, 0);
    dim->pending = 0;
}

/* Notes that 'n' packets came 'now', and chooses the level from time to
 * time. */
static void
measure(struct soft_dim *dim, uint32_t n, uint64_t now)
{
    uint64_t elapsed = now - dim->window;

    dim->n_packets += n;
    if (elapsed >= us_to_tsc(WINDOW_US)) {
        /* What has been going on for longer counts in proportion. */
        uint64_t rate = ((uint64_t) dim->n_packets * us_to_tsc(WINDOW_US)
                         / elapsed);

        dim->level = 0;
        while (dim->level + 1 < ARRAY_SIZE(levels)
               && rate >= levels[dim->level + 1].min_packets) {
            dim->level++;
        }
        dim->window = now;
        dim->n_packets = 0;
    }
}

bool
soft_moderation_delays__(const struct soft_moderation *m_,
                         struct soft_dim *dim, uint32_t n, uint64_t now)
{
    struct soft_moderation *m = CONST_CAST(struct soft_moderation *, m_);
    uint32_t period, max_count;
    bool adaptive, upon_cqe;
    uint64_t due;

    atomic_read_relaxed(&m->adaptive, &adaptive);
    atomic_read_relaxed(&m->upon_cqe, &upon_cqe);
    if (adaptive) {
        measure(dim, n, now);
        period = levels[dim->level].period;
        max_count = levels[dim->level].max_count;
    } else {
        atomic_read_relaxed(&m->period, &period);
        atomic_read_relaxed(&m->max_count, &max_count);
    }

    dim->pending += n;
    atomic_read_relaxed(&dim->due, &due);
    if (!due) {
        due = now + us_to_tsc(period);
        dim->latest = now + us_to_tsc(period) * MAX_EXTENSIONS;
    } else if (upon_cqe && !adaptive && now < due) {
        due = MIN(now + us_to_tsc(period), dim->latest);
    }
    if (!period || now >= due || (max_count && dim->pending >= max_count)) {
        soft_dim_reset(dim);
        return false;
    }
    atomic_store_relaxed(&dim->due, due);
    COVERAGE_INC(virtnet_notification_delayed);
    return true;
}
