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

/* When packet threads have a ring of a guest, and when not.  See
 * soft-vhost-private.h. */

#include <config.h>

#include "soft-vhost-private.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_vhost.h>

#include "openvswitch/vlog.h"
#include "soft-packed-ring.h"
#include "soft-rep.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_vhost_ring);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 40);

/* Looks whether virtqueue 'index' of 'vid', which has not been looked at in
 * this connection, can really go on where the front end says.  One that knew
 * another back end before may not know.  That takes milliseconds for a large
 * ring, so it is done once. */
static void
recover_ring(int vid, unsigned int index, struct soft_ring_spec *spec)
{
    uint16_t told = spec->config.used_base;
    uint16_t place;

    if (!spec->config.packed) {
        return;
    }
    spec->mended = soft_packed_ring_recover(&spec->config);
    if (spec->mended && spec->log) {
        /* Otherwise librte_vhost may take one for a log that is gone. */
        rte_vhost_log_used_vring(vid, index, 0,
                                 virtq_area_size(&spec->config, 0));
    }
    place = spec->config.used_base;
    if (place != told) {
        VLOG_INFO_RL(&rl, "vhost device %d: virtqueue %u goes on at %d (wrap "
                     "counter %d), not at %d (%d) as its front end believes",
                     vid, index, place & SOFT_PACKED_INDEX,
                     !!(place & SOFT_PACKED_WRAP), told & SOFT_PACKED_INDEX,
                     !!(told & SOFT_PACKED_WRAP));
    }
}

void
soft_vhost_publish_ring(int vid, unsigned int index)
{
    struct soft_ring_spec spec;
    struct soft_vhost_user *vu;
    bool wanted, has_log, known = false;
    uint64_t features, uso = 0;
    int error;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    wanted = (vu && vu->running && vu->has_memory && index < vu->n_vrings
              && vu->vrings[index].enabled);
    has_log = vu && vu->has_log;
    if (wanted) {
        known = vu->vrings[index].known;
        uso = vu->uso;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (!wanted || rte_vhost_get_negotiated_features(vid, &features)) {
        return;
    }
    features |= uso;
    error = soft_ring_load(&spec, vid, index,
                           has_log ? features : features & ~F_LOG_ALL);
    if (!error) {
        if (!known) {
            recover_ring(vid, index, &spec);
        }
        ovs_mutex_lock(&soft_vhost_mutex);
        vu = soft_vhost_lookup(vid);
        if (vu && vu->running && index < vu->n_vrings
            && vu->vrings[index].enabled) {
            struct soft_ring *ring = soft_rep_get_ring(vu->rep, index);

            error = ring ? soft_ring_publish(ring, &spec) : ENXIO;
            vu->vrings[index].known = true; /* Also if it is of no use. */
        }
        ovs_mutex_unlock(&soft_vhost_mutex);
        if (spec.config.mem) {
            soft_ring_unload(&spec);
        }
    }

    /* Not if librte_vhost does not know yet where the ring is. */
    if (error && error != ENODEV) {
        ovs_mutex_lock(&soft_vhost_mutex);
        vu = soft_vhost_lookup(vid);
        if (vu) {
            vu->errors[SOFT_VHOST_RING]++;
        }
        ovs_mutex_unlock(&soft_vhost_mutex);
        VLOG_WARN_RL(&rl, "vhost device %d: virtqueue %u cannot be used: %s",
                     vid, index, ovs_strerror(error));
    }
}

void
soft_vhost_withdraw_ring(int vid, unsigned int index)
{
    struct soft_vhost_user *vu;
    uint16_t avail, used;
    bool was_there = false;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu && index < vu->n_vrings) {
        struct soft_ring *ring = soft_rep_get_ring(vu->rep, index);

        was_there = ring && soft_ring_withdraw(ring, &avail, &used);
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (was_there) {
        rte_vhost_set_vring_base(vid, index, avail, used);
    }
}

void
soft_vhost_for_each_ring(int vid, void (*action)(int vid, unsigned int index))
{
    unsigned int n = 0;
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        n = vu->n_vrings;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    for (unsigned int i = 0; i < n; i++) {
        action(vid, i);
    }
}
