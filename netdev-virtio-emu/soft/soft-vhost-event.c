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

/* Connections and devices, as librte_vhost reports them, and what of that the
 * main thread is told.  See soft-vhost-private.h. */

#include <config.h>

#include "soft-vhost-private.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_vhost.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "seq.h"
#include "soft-rep.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_vhost_event);

COVERAGE_DEFINE(virtnet_vhost_connected);
COVERAGE_DEFINE(virtnet_vhost_disconnected);
COVERAGE_DEFINE(virtnet_vhost_refused);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 40);

struct ovs_mutex soft_vhost_mutex = OVS_MUTEX_INITIALIZER;

struct shash soft_vhost_by_path OVS_GUARDED_BY(soft_vhost_mutex)
    = SHASH_INITIALIZER(&soft_vhost_by_path);

/* Attachments that are connected, by vid. */
static struct soft_vhost_user *by_vid[RTE_MAX_VHOST_DEVICE]
    OVS_GUARDED_BY(soft_vhost_mutex);

/* Attachments that something has happened to. */
static struct ovs_list events OVS_GUARDED_BY(soft_vhost_mutex)
    = OVS_LIST_INITIALIZER(&events);

/* What has happened since the main thread last looked.  Coverage counters
 * belong to a thread, and only those of Open vSwitch's are summed up. */
static unsigned int n_connected OVS_GUARDED_BY(soft_vhost_mutex);
static unsigned int n_disconnected OVS_GUARDED_BY(soft_vhost_mutex);
static unsigned int n_refused OVS_GUARDED_BY(soft_vhost_mutex);

/* Changes with each addition to 'events'. */
static struct seq *event_seq;
static uint64_t event_seqno;    /* When last looked at, main thread. */

void
soft_vhost_event_init(void)
{
    if (!event_seq) {
        event_seq = seq_create();
        event_seqno = seq_read(event_seq);
    }
}

void
soft_vhost_wake(void)
{
    seq_change(event_seq);
}

void
soft_vhost_post_event(struct soft_vhost_user *vu)
{
    if (ovs_list_is_empty(&vu->event_node)) {
        ovs_list_push_back(&events, &vu->event_node);
    }
}

struct soft_vhost_user *
soft_vhost_lookup(int vid)
{
    return vid >= 0 && vid < RTE_MAX_VHOST_DEVICE ? by_vid[vid] : NULL;
}

void
soft_vhost_forget_driver(struct soft_vhost_user *vu)
{
    vu->running = vu->started = false;
    vu->has_memory = vu->has_log = false;
    vu->status_seen = vu->features_seen = false;
    vu->status = 0;
    vu->features = vu->uso = 0;
    vu->numa_id = -1;
    vu->guest_mtu = 0;
    vu->ring_pairs = 0;
    atomic_store_relaxed(&vu->rep->announce, 0);
    soft_rep_disable_vrings(vu->rep);
    for (unsigned int i = 0; i < vu->n_vrings; i++) {
        struct soft_ring *ring = soft_rep_get_ring(vu->rep, i);

        vu->vrings[i].enabled = vu->vrings[i].known = false;
        vu->vrings[i].counted = false;
        if (ring) {
            soft_ring_withdraw(ring, NULL, NULL);
        }
    }
}

void
soft_vhost_forget_connection(struct soft_vhost_user *vu)
{
    by_vid[vu->conn_vid] = NULL;
    vu->conn_vid = -1;
}

/* What librte_vhost reports.  Except where stated, in its threads. */

/* May also be called in the main thread, from soft_vhost_user_attach(). */
static int
vhost_new_connection(int vid)
{
    char path[PATH_MAX];
    struct soft_vhost_user *vu;
    bool accepted = false;
    bool welcome;

    if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE
        || rte_vhost_get_ifname(vid, path, sizeof path)
        || rte_vhost_extern_callback_register(vid, &soft_vhost_extern_ops,
                                              NULL)) {
        return -1;
    }

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = shash_find_data(&soft_vhost_by_path, path);
    welcome = vu && vu->accepting;
    if (welcome && vu->conn_vid < 0) {
        accepted = true;
        soft_vhost_forget_driver(vu);
        vu->request = 0;
        vu->lost = false;
        vu->conn_vid = vid;
        by_vid[vid] = vu;
        n_connected++;
        soft_vhost_post_event(vu);
    } else {
        n_refused++;
        if (welcome) {
            vu->errors[SOFT_VHOST_REFUSED]++;
        }
    }
    ovs_mutex_unlock(&soft_vhost_mutex);

    if (!accepted && !welcome) {
        return -1;              /* The device is going. */
    } else if (!accepted) {
        VLOG_WARN_RL(&rl, "%s: connection refused: another front end is "
                     "connected", path);
        return -1;
    }
    soft_vhost_wake();
    return 0;
}

static int
vhost_new_device(int vid)
{
    struct soft_vhost_user *vu;
    uint64_t features = 0;
    uint16_t n_vrings;
    bool has_memory;
    uint16_t mtu;
    int numa_id;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    has_memory = vu && vu->has_memory;
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (!has_memory) {
        return -1;              /* It will be tried again. */
    }

    n_vrings = rte_vhost_get_vring_num(vid);
    rte_vhost_get_negotiated_features(vid, &features);
    if (rte_vhost_get_mtu(vid, &mtu)) {
        mtu = 0;
    }
    numa_id = rte_vhost_get_numa_node(vid);

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        uint8_t offloads;

        features |= vu->uso;
        offloads = ((features & F_GUEST_CSUM ? SOFT_GUEST_CSUM : 0)
                    | (features & F_GUEST_TSO4 ? SOFT_GUEST_TSO4 : 0)
                    | (features & F_GUEST_TSO6 ? SOFT_GUEST_TSO6 : 0)
                    | (features & F_GUEST_USO4 ? SOFT_GUEST_USO4 : 0)
                    | (features & F_GUEST_USO6 ? SOFT_GUEST_USO6 : 0));
        atomic_store_relaxed(&vu->rep->guest_offloads, offloads);
        vu->running = vu->started = true;
        vu->features_seen = true;
        vu->features = features;
        vu->numa_id = numa_id;
        vu->guest_mtu = mtu;
        vu->ring_pairs = n_vrings / 2;
        ovsrcu_index_set(&vu->rep->vid, vid);
        soft_vhost_post_event(vu);
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (!vu) {
        return -1;
    }
    soft_vhost_for_each_ring(vid, soft_vhost_publish_ring);
    soft_vhost_wake();
    return 0;
}

/* A grace period that somebody waits for. */
struct grace_period {
    struct ovs_mutex mutex;
    pthread_cond_t cond;
    bool over;
};

static void
end_grace_period(struct grace_period *gp)
{
    ovs_mutex_lock(&gp->mutex);
    gp->over = true;
    xpthread_cond_signal(&gp->cond);
    ovs_mutex_unlock(&gp->mutex);
}

/* Does what ovsrcu_synchronize() does, in a thread that is not one of Open
 * vSwitch's.  In such a thread that function, which waits in poll_block(),
 * would complain of a long poll interval at each call.  The thread is, and
 * remains, quiescent, i.e. nobody waits for it. */
static void
wait_for_grace_period(void)
{
    struct grace_period gp = { .over = false };

    ovs_mutex_init(&gp.mutex);
    xpthread_cond_init(&gp.cond, NULL);
    ovsrcu_postpone(end_grace_period, &gp);
    ovsrcu_quiesce_start();

    ovs_mutex_lock(&gp.mutex);
    while (!gp.over) {
        ovs_mutex_cond_wait(&gp.cond, &gp.mutex);
    }
    ovs_mutex_unlock(&gp.mutex);

    xpthread_cond_destroy(&gp.cond);
    ovs_mutex_destroy(&gp.mutex);
}

/* May also be called in the main thread, from soft_vhost_user_detach(), which
 * has done everything already. */
static void
vhost_destroy_device(int vid)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        ovsrcu_index_set(&vu->rep->vid, -1);
        vu->running = false;
        vu->stopping = true;
        if (!vu->status_seen) {
            /* The front end does not tell, but stops the rings only when the
             * driver is gone. */
            vu->features_seen = false;
        }
        for (unsigned int i = 0; i < vu->n_vrings; i++) {
            vu->vrings[i].counted = false;
        }
        soft_vhost_post_event(vu);
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (!vu) {
        return;
    }
    soft_vhost_wake();

    soft_vhost_for_each_ring(vid, soft_vhost_withdraw_ring);

    /* Packet threads may rely on 'vid' until they quiesce. */
    wait_for_grace_period();

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        vu->stopping = false;
        vu->disconnected_at = time_msec(); /* Or the next moment. */
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
}

/* Returns the guest physical address of 'p' in guest memory 'mem', or 0. */
static uint64_t
guest_address(const struct rte_vhost_memory *mem, const void *p)
{
    uint64_t va = (uintptr_t) p;

    for (uint32_t i = 0; mem && i < mem->nregions; i++) {
        const struct rte_vhost_mem_region *r = &mem->regions[i];

        if (va >= r->host_user_addr && va - r->host_user_addr < r->size) {
            return va - r->host_user_addr + r->guest_phys_addr;
        }
    }
    return 0;
}

static int
vhost_vring_state_changed(int vid, uint16_t index, int enable)
{
    struct rte_vhost_memory *mem = NULL;
    struct rte_vhost_vring vring;
    struct soft_vhost_user *vu;
    bool has_memory;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    has_memory = vu && vu->has_memory;
    ovs_mutex_unlock(&soft_vhost_mutex);

    memset(&vring, 0, sizeof vring);
    if (enable && has_memory) {
        if (rte_vhost_get_vhost_vring(vid, index, &vring)
            || rte_vhost_get_mem_table(vid, &mem)) {
            mem = NULL;
        }
    }

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu && index < vu->n_vrings) {
        struct soft_vhost_vring *vr = &vu->vrings[index];

        if (enable) {
            vr->size = vring.size;
            vr->desc_addr = guest_address(mem, vring.desc);
            vr->driver_addr = guest_address(mem, vring.avail);
            vr->device_addr = guest_address(mem, vring.used);
            /* librte_vhost also tells when the driver only wants to be
             * notified in another way. */
            if (!vr->counted) {
                soft_rep_get_vring_counters(vu->rep, index, &vr->base);
                vr->counted = true;
            }
        }
        vr->enabled = enable;
        soft_rep_enable_vring(vu->rep, index, enable);
        soft_vhost_post_event(vu);
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    free(mem);
    if (enable) {
        soft_vhost_publish_ring(vid, index);
    } else {
        soft_vhost_withdraw_ring(vid, index);
    }
    if (vu) {
        soft_vhost_wake();
    }
    return 0;
}

static int
vhost_features_changed(int vid, uint64_t features)
{
    struct soft_vhost_user *vu;

    /* Only VHOST_F_LOG_ALL can change while the rings run. */
    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        vu->features = features | vu->uso;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    return 0;
}

static void
vhost_destroy_connection(int vid)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        soft_vhost_forget_connection(vu);
        soft_vhost_count_failure(vu);
        soft_vhost_forget_driver(vu);
        vu->disconnected_at = time_msec();
        n_disconnected++;
        soft_vhost_post_event(vu);
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (vu) {
        soft_vhost_wake();
    }
}

void
soft_vhost_complained(const char *path, const char *end,
                      enum soft_vhost_complaint complaint)
{
    ovs_mutex_lock(&soft_vhost_mutex);
    for (const char *p = path; p + 1 < end; p++) {
        struct shash_node *node;

        if (p[0] != ')' || p[1] != ' ') {
            continue;
        }
        node = shash_find_len(&soft_vhost_by_path, path, p - path);
        if (node) {
            struct soft_vhost_user *vu = node->data;

            if (complaint == SOFT_VHOST_LOST) {
                vu->lost = true;
            } else if (vu->conn_vid >= 0 && !vu->lost) {
                vu->errors[SOFT_VHOST_REFUSED]++;
            }
            break;
        }
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
}

const struct rte_vhost_device_ops soft_vhost_ops = {
    .new_connection = vhost_new_connection,
    .new_device = vhost_new_device,
    .vring_state_changed = vhost_vring_state_changed,
    .features_changed = vhost_features_changed,
    .destroy_device = vhost_destroy_device,
    .destroy_connection = vhost_destroy_connection,
};

/* Main thread. */

/* Stores in '*info' what is known of the driver of 'vu'. */
static void
get_driver_info(const struct soft_vhost_user *vu,
                struct virtnet_driver_info *info)
    OVS_REQUIRES(soft_vhost_mutex)
{
    const uint8_t negotiated = (VIRTNET_STATUS_ACKNOWLEDGE
                                | VIRTNET_STATUS_DRIVER
                                | VIRTNET_STATUS_FEATURES_OK);

    memset(info, 0, sizeof *info);
    info->msix_config_vector = VIRTNET_NO_MSIX_VECTOR;
    info->attached = vu->conn_vid >= 0;
    info->numa_id = vu->running ? vu->numa_id : -1;

    /* DRIVER_OK is what librte_vhost says it is: with the best will of the
     * driver, nothing moves before the rings are ready. */
    if (vu->running) {
        info->status = vu->status | negotiated | VIRTNET_STATUS_DRIVER_OK;
        info->enabled_pairs = soft_rep_enabled_pairs(vu->rep);
        info->ring_pairs = MIN(vu->ring_pairs, vu->max_pairs);
    } else if (vu->status_seen) {
        info->status = vu->status & ~VIRTNET_STATUS_DRIVER_OK;
        if (!vu->features_seen) {
            info->status &= ~VIRTNET_STATUS_FEATURES_OK;
        }
    } else if (vu->features_seen) {
        info->status = negotiated;
    }
    if (vu->features_seen) {
        info->features = vu->features & ~TRANSPORT_FEATURES;
        /* A front end has writes logged while it copies the memory. */
        info->migrating = vu->has_log && vu->features & F_LOG_ALL;
    }
}

struct soft_vhost_user *
soft_vhost_user_poll(struct virtnet_driver_info *info)
{
    bool started = false;
    struct soft_vhost_user *vu = NULL;
    uint16_t guest_mtu = 0;

    if (!event_seq) {
        return NULL;
    }
    event_seqno = seq_read(event_seq);

    ovs_mutex_lock(&soft_vhost_mutex);
    COVERAGE_ADD(virtnet_vhost_connected, n_connected);
    COVERAGE_ADD(virtnet_vhost_disconnected, n_disconnected);
    COVERAGE_ADD(virtnet_vhost_refused, n_refused);
    n_connected = n_disconnected = n_refused = 0;
    if (!ovs_list_is_empty(&events)) {
        vu = CONTAINER_OF(ovs_list_pop_front(&events), struct soft_vhost_user,
                          event_node);
        ovs_list_init(&vu->event_node);
        get_driver_info(vu, info);
        started = vu->started;
        guest_mtu = vu->guest_mtu;
        vu->started = false;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);

    if (!vu) {
        return NULL;
    }
    if (started) {
        if (info->numa_id >= 0) {
            soft_rep_set_socket_id(vu->rep, info->numa_id, vu->dev->rep_name);
        }
        if (guest_mtu && guest_mtu != vu->dev->config.mtu) {
            VLOG_WARN_RL(&rl, "%s: the front end shows the guest an MTU of "
                         "%"PRIu16", not the device's %"PRIu16,
                         vu->dev->rep_name, guest_mtu, vu->dev->config.mtu);
        }
    }
    return vu;
}

void
soft_vhost_user_wait(void)
{
    bool more;

    if (event_seq) {
        ovs_mutex_lock(&soft_vhost_mutex);
        more = !ovs_list_is_empty(&events);
        ovs_mutex_unlock(&soft_vhost_mutex);
        if (more) {
            poll_immediate_wake();
        }
        seq_wait(event_seq, event_seqno);
    }
}
