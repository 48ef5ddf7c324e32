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

/* Attachment by vhost-user: what the main thread has done.  See
 * soft-vhost-user.h. */

#include <config.h>

#include "soft-vhost-user.h"

#include <errno.h>
#include <rte_vhost.h>

#include "fatal-signal.h"
#include "openvswitch/shash.h"
#include "ovs-rcu.h"
#include "soft-packet.h"
#include "soft-rep.h"
#include "soft-socket.h"
#include "soft-vhost-log.h"
#include "soft-vhost-private.h"
#include "timeval.h"
#include "util.h"

/* Those that librte_vhost carries out and that do not depend on settings. */
#define RING_FEATURES (F(3)     /* MTU. */              \
                       | F(15)  /* MRG_RXBUF. */        \
                       | F(17)  /* CTRL_VQ. */          \
                       | F(18)  /* CTRL_RX. */          \
                       | F(21)  /* GUEST_ANNOUNCE. */   \
                       | F(22)  /* MQ. */               \
                       | F(27)  /* ANY_LAYOUT. */       \
                       | F(28)  /* INDIRECT_DESC. */    \
                       | F(29)  /* EVENT_IDX. */        \
                       | F(32)  /* VERSION_1. */        \
                       | F(34)  /* RING_PACKED. */      \
                       | F(35)) /* IN_ORDER. */

/* Those that front ends carry out, without telling us. */
#define FRONT_END_FEATURES (F(5)    /* MAC. */              \
                            | F(16) /* STATUS. */           \
                            | F(19) /* CTRL_VLAN. */        \
                            | F(23) /* CTRL_MAC_ADDR. */    \
                            | F(63)) /* SPEED_DUPLEX. */

/* See let_reconnection_begin().  A few microseconds would do, were it not for
 * threads that have to wait for a CPU. */
#define RECONNECTION_BEGINS_MS 50
#define STOPPING_MAX_MS 500

uint64_t
soft_vhost_user_features(void)
{
    return (RING_FEATURES | FRONT_END_FEATURES
            | (soft_packet_features() & (CAN_ANSWER ? UINT64_MAX
                                         : ~USO_FEATURES)));
}

void
soft_vhost_user_init(struct soft_vhost_user *vu, struct soft_rep *rep,
                     struct virtnet_device *dev)
{
    soft_vhost_event_init();
    memset(vu, 0, sizeof *vu);
    vu->rep = rep;
    vu->dev = dev;
    vu->conn_vid = -1;
    vu->numa_id = -1;
    ovs_list_init(&vu->event_node);
}

void
soft_vhost_user_uninit(struct soft_vhost_user *vu)
{
    ovs_assert(!vu->path);
    ovs_mutex_lock(&soft_vhost_mutex);
    ovs_list_remove(&vu->event_node);
    ovs_list_init(&vu->event_node);
    ovs_mutex_unlock(&soft_vhost_mutex);
    free(vu->vrings);
    vu->vrings = NULL;
    vu->n_vrings = 0;
}

static int OVS_PRINTF_FORMAT(3, 4)
fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return -error;
}

int
soft_vhost_user_open(struct soft_vhost_user *vu, const char *path,
                     bool server, bool make_dir, char **errp)
{
    bool taken;
    int error;

    error = soft_socket_check_path(path, errp);
    if (!error && make_dir) {
        error = soft_socket_make_parents(path, errp);
    }
    if (error) {
        return error;
    }

    ovs_mutex_lock(&soft_vhost_mutex);
    taken = !shash_add_once(&soft_vhost_by_path, path, vu);
    ovs_mutex_unlock(&soft_vhost_mutex);

    /* A port of Open vSwitch's own may have it, too. */
    if (!taken && !rte_vhost_driver_disable_features(path, 0)) {
        ovs_mutex_lock(&soft_vhost_mutex);
        shash_find_and_delete(&soft_vhost_by_path, path);
        ovs_mutex_unlock(&soft_vhost_mutex);
        taken = true;
    }
    if (taken) {
        return fail(EADDRINUSE, errp, "socket %s is taken by another port",
                    path);
    }
    vu->path = xstrdup(path);
    vu->server = server;
    return 0;
}

void
soft_vhost_user_close(struct soft_vhost_user *vu, bool unlink_socket)
{
    if (vu->path) {
        soft_vhost_user_detach(vu);
        ovs_mutex_lock(&soft_vhost_mutex);
        shash_find_and_delete(&soft_vhost_by_path, vu->path);
        ovs_mutex_unlock(&soft_vhost_mutex);

        if (unlink_socket) {
            soft_socket_unlink(vu->path);
        }
        free(vu->path);
        vu->path = NULL;
    }
}

int
soft_vhost_user_attach(struct soft_vhost_user *vu, uint64_t features,
                       unsigned int max_pairs, char **errp)
{
    uint64_t flags = soft_packet_vhost_flags();
    int error;

    ovs_assert(vu->path && !vu->registered);
    soft_vhost_log_follow(soft_vhost_complained);
    error = soft_socket_clear(vu->path, vu->server, errp);
    if (!error && vu->server) {
        error = soft_socket_try_bind(vu->path, errp);
    }
    if (error) {
        return error;
    }

    if (!vu->server) {
        flags |= RTE_VHOST_USER_CLIENT;
    }
    if (rte_vhost_driver_register(vu->path, flags)) {
        return fail(ENOSPC, errp, "socket %s: librte_vhost has no room for "
                    "another one", vu->path);
    }
    vu->registered = true;

    /* Not rte_vhost_driver_set_features(), which would turn off the packet
     * functions of librte_vhost. */
    features |= TRANSPORT_FEATURES;
    if (max_pairs == 1) {
        features &= ~F_MQ;
    }
    rte_vhost_driver_disable_features(vu->path, ~features);
    rte_vhost_driver_callback_register(vu->path, &soft_vhost_ops);
#if RTE_VERSION >= RTE_VERSION_NUM(23, 7, 0, 0)
    rte_vhost_driver_set_max_queue_num(vu->path, max_pairs);
#endif

    ovs_mutex_lock(&soft_vhost_mutex);
    if (vu->n_vrings < 2 * max_pairs) {
        free(vu->vrings);
        vu->n_vrings = 2 * max_pairs;
        vu->vrings = xcalloc(vu->n_vrings, sizeof *vu->vrings);
    }
    vu->max_pairs = max_pairs;
    vu->uso_offered = features & USO_FEATURES;
    vu->accepting = true;
    vu->stopping = false;
    soft_vhost_forget_driver(vu);
    ovs_mutex_unlock(&soft_vhost_mutex);

    if (vu->server) {
        fatal_signal_add_file_to_unlink(vu->path);
    }
    if (rte_vhost_driver_start(vu->path)) {
        soft_vhost_user_detach(vu);
        return fail(EIO, errp, "socket %s: librte_vhost cannot use it; its "
                    "log says why", vu->path);
    }
    return 0;
}

/* After librte_vhost (22.11, for one) has told that a connection in client
 * mode is gone, its thread goes on to queue the socket for another attempt to
 * connect.  If the socket is unregistered at that very moment, what is in the
 * queue refers to freed memory, and the next attempt crashes.  So does not
 * return while the front end of 'vu' is going, nor until that moment must have
 * passed.  The caller must be quiescent: librte_vhost's thread may be waiting
 * for a grace period. */
static void
let_reconnection_begin(struct soft_vhost_user *vu)
{
    for (int i = 0; i < STOPPING_MAX_MS && !vu->server; i++) {
        long long int disconnected_at;
        bool stopping;

        ovs_mutex_lock(&soft_vhost_mutex);
        stopping = vu->stopping;
        disconnected_at = vu->disconnected_at;
        ovs_mutex_unlock(&soft_vhost_mutex);

        if (!stopping
            && time_msec() >= disconnected_at + RECONNECTION_BEGINS_MS) {
            break;
        }
        xnanosleep(1000 * 1000);
    }
}

void
soft_vhost_user_detach(struct soft_vhost_user *vu)
{
    bool used;

    if (!vu->registered) {
        return;
    }

    ovsrcu_quiesce_start();
    let_reconnection_begin(vu);
    ovsrcu_quiesce_end();

    ovs_mutex_lock(&soft_vhost_mutex);
    used = ovsrcu_index_get(&vu->rep->vid) >= 0;
    ovsrcu_index_set(&vu->rep->vid, -1);
    vu->accepting = false;
    if (vu->conn_vid >= 0) {
        soft_vhost_forget_connection(vu);
        soft_vhost_post_event(vu);
    }
    soft_vhost_forget_driver(vu);
    ovs_mutex_unlock(&soft_vhost_mutex);

    if (used) {
        ovsrcu_synchronize();
    }
    ovsrcu_quiesce_start();
    rte_vhost_driver_unregister(vu->path);
    ovsrcu_quiesce_end();
    vu->registered = false;
    if (vu->server) {
        fatal_signal_remove_file_to_unlink(vu->path);
    }
    soft_vhost_wake();
}

void
soft_vhost_user_get_queue_info(const struct soft_vhost_user *vu,
                               unsigned int index,
                               struct virtnet_queue_info *info)
{
    /* What 'base' is may change meanwhile, and must not be more than what it
     * is taken from. */
    ovs_mutex_lock(&soft_vhost_mutex);
    if (index < 2 * vu->rep->n_pairs) {
        soft_rep_get_vring_counters(vu->rep, index, info);
    }
    if (index < vu->n_vrings) {
        const struct soft_vhost_vring *vr = &vu->vrings[index];

        info->enabled = vr->enabled;
        info->size = vr->size;
        info->desc_addr = vr->desc_addr;
        info->driver_addr = vr->driver_addr;
        info->device_addr = vr->device_addr;
        info->packets -= vr->base.packets;
        info->total_bytes -= vr->base.total_bytes;
        info->drops -= vr->base.drops;
        info->received_desc -= vr->base.received_desc;
        info->completed_desc -= vr->base.completed_desc;
        info->bad_desc_errors -= vr->base.bad_desc_errors;
        info->error_cqes -= vr->base.error_cqes;
        info->exceed_max_chain -= vr->base.exceed_max_chain;
        info->invalid_buffer -= vr->base.invalid_buffer;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
}

void
soft_vhost_user_get_health(const struct soft_vhost_user *vu,
                           struct virtnet_health *health)
{
    ovs_mutex_lock(&soft_vhost_mutex);
    health->steer_rx_domain_err += vu->errors[SOFT_VHOST_REFUSED];
    health->steer_rx_table_err += vu->errors[SOFT_VHOST_MEMORY];
    health->sf_tir_create_err += vu->errors[SOFT_VHOST_RING];
    health->sf_rqt_update_err += vu->errors[SOFT_VHOST_PAIRS];
    ovs_mutex_unlock(&soft_vhost_mutex);
}
