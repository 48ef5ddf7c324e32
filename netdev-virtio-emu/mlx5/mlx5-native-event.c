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

/* News from firmware, and what the controller is told of them.  See
 * mlx5-native-device.h. */

#include <config.h>

#include "mlx5-native-device.h"

#include <errno.h>
#include <stdlib.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(mlx5_event);

COVERAGE_DEFINE(mlx5_function_taken);

/* After how many ms to try again to tell the controller how many VFs there
 * are, while it is busy. */
#define VFS_RETRY_MS 20

/* News. */

static void
set_vfs(struct native_device *nd, struct mlx5_native_event *event)
{
    free(nd->vfs);
    nd->vfs = event->vfs;
    nd->n_vfs = event->n_vfs;
    event->vfs = NULL;
    event->n_vfs = 0;
}

/* The function of 'nd' has been taken over, or not. */
static void
taken(struct native_device *nd, struct mlx5_native_event *event)
{
    struct virtnet_device *dev = &nd->port.up;
    const struct mlx5_emu_config *c = &event->config;
    char *reason = nd->unplug_reason;
    int error = nd->unplug_error;

    nd->unplug_error = 0;
    nd->unplug_reason = NULL;
    if (event->error) {
        if (error) {
            VLOG_ERR("%s: neither unplugged nor managed any more: %s",
                     dev->vuid, event->text);
        }
        virtnet_device_step_done(
            dev, (dev->type == VIRTNET_HOTPLUG_PF ? VIRTNET_E_BACKEND_HOTPLUG
                  : VIRTNET_E_BACKEND_OPEN), event->text);
        free(reason);
        return;
    }
    COVERAGE_INC(mlx5_function_taken);
    if (!dev->vuid) {
        dev->vuid = xstrdup(event->function.vuid);
        dev->bdf = event->function.bdf;
        dev->vhca_id = event->function.vhca_id;
    }
    if (!error) {
        dev->config.features = c->features;
        dev->config.mac = c->mac;
        dev->config.mtu = c->mtu;
        dev->config.max_queue_pairs = c->max_pairs;
        dev->config.max_queue_size = c->max_queue_size;
        dev->config.num_msix = c->num_msix;
    }
    if (dev->type == VIRTNET_STATIC_PF) {
        set_vfs(nd, event);
        dev->vfs_are_new = nd->n_vfs && !dev->num_vfs;
        dev->num_vfs = nd->n_vfs;
    }
    dev->attachment = "pci";
    native_set_managed(nd, true);
    native_sf_catch_up(nd);
    virtnet_device_step_done(dev, error ? VIRTNET_E_BACKEND_HOTPLUG : 0,
                             reason);
    free(reason);
}

static void
driver_changed(struct native_device *nd, const struct mlx5_native_event *event)
{
    struct virtnet_driver_info info = event->info;

    /* The switch's end is one queue, however many the driver has. */
    info.ring_pairs = info.status & VIRTNET_STATUS_DRIVER_OK ? 1 : 0;
    nd->port.up.sf_vhca_id = event->sf_vhca_id;
    if (event->bdf && event->bdf != nd->port.up.bdf) {
        VLOG_INFO("%s: the host has it as "VIRTNET_BDF_FMT" now, which was "
                  VIRTNET_BDF_FMT, nd->port.up.vuid,
                  VIRTNET_BDF_ARGS(event->bdf),
                  VIRTNET_BDF_ARGS(nd->port.up.bdf));
        nd->port.up.bdf = event->bdf;
    }
    nd->port.up.flr |= event->flr;
    virtnet_device_driver_changed(&nd->port.up, &info);
}

/* 'change' has been carried out, or not. */
static void
configured(struct native_change *change,
           const struct mlx5_native_event *event)
{
    struct native_device *nd = change->nd;

    ovs_list_remove(&change->node);
    free(change);
    if (nd) {
        nd->change = NULL;
        virtnet_device_config_done(
            &nd->port.up, event->error ? VIRTNET_E_BACKEND_MODIFY : 0,
            event->text);
    }
}

void
native_handle_event(struct native *n, struct mlx5_native_event *event)
{
    struct native_device *nd = native_find_device(n, event->vhca_id);
    struct tail *tail;

    switch (event->type) {
    case MLX5_NATIVE_DRIVER:
        if (nd) {
            driver_changed(nd, event);
        }
        break;

    case MLX5_NATIVE_VFS:
        if (nd) {
            nd->vfs_gone |= !event->n_vfs;
            set_vfs(nd, event);
            if (ovs_list_is_empty(&nd->changed_node)) {
                ovs_list_push_back(&n->changed, &nd->changed_node);
            }
            n->changed_at = 0;
        }
        break;

    case MLX5_NATIVE_POOL:
        if (nd) {
            nd->free_vf_msix = event->free_vf_msix;
            virtnet_controller_device_changed(&nd->port.up);
        }
        break;

    case MLX5_NATIVE_RELEASED:
        tail = native_tail_find(n, event->vhca_id);
        if (tail) {
            tail->released = true;
            native_tail_go_on(tail);
        }
        break;

    case MLX5_NATIVE_PROBLEM:
        break;                  /* Logged, and counted by function. */

    case MLX5_NATIVE_TAKEN:
        taken(event->cookie, event);
        break;

    case MLX5_NATIVE_CONFIGURED:
        configured(event->cookie, event);
        break;

    case MLX5_NATIVE_UNPLUGGED:
        native_tail_unplugged(event->cookie, event->error, event->text);
        break;
    }
}

/* VFs. */

/* Tells the controller how many VFs the host has enabled, and asks for no
 * others meanwhile.  Returns false if it is busy. */
static bool
sync_vfs(struct native_device *nd)
{
    struct virtnet_device *dev = &nd->port.up;
    unsigned int n = nd->n_vfs;
    char *err = NULL;
    int error;

    if (!virtnet_controller_is_running(NULL)
        || virtnet_sriov_pf_is_busy(dev)) {
        return false;
    }
    nd->vfs_gone = nd->vfs_gone && dev->num_vfs;
    if (n == dev->num_vfs && !nd->vfs_gone) {
        return true;
    } else if (n && dev->num_vfs) {
        /* Others, and so first none. */
        error = virtnet_sriov_set(dev, 0, NULL, NULL, &err);
        free(err);
        return error != 0 && error != -EBUSY;
    }
    VLOG_INFO("static PF[%u] %s: the host has %s %u VFs", dev->pf_id,
              dev->vuid, n ? "enabled" : "disabled", n ? n : dev->num_vfs);
    error = virtnet_sriov_set(dev, n, NULL, NULL, &err);
    if (error && error != -EBUSY) {
        VLOG_ERR("static PF[%u] %s: the host's VFs are left alone: %s (%d)"
                 "%s%s", dev->pf_id, dev->vuid, virtnet_strerror(error),
                 error, err ? ": " : "", err ? err : "");
    }
    free(err);
    return error != -EBUSY;
}

void
native_sync_vfs(struct native *n)
{
    struct native_device *nd;

    if (n->rival || time_msec() < n->changed_at) {
        return;
    }
    n->syncing = true;
    LIST_FOR_EACH_SAFE (nd, changed_node, &n->changed) {
        if (sync_vfs(nd)) {
            ovs_list_remove(&nd->changed_node);
            ovs_list_init(&nd->changed_node);
        }
    }
    n->syncing = false;
    n->changed_at = time_msec() + VFS_RETRY_MS;
}

int
native_set_vfs(struct virtnet_device *dev, unsigned int n OVS_UNUSED,
               char **errp)
{
    if (!native_cast(dev->backend)->syncing) {
        *errp = xasprintf("VFs of a card are the host's: it has enabled "
                          "%"PRIuSIZE, native_device_cast(dev)->n_vfs);
        return VIRTNET_E_NOT_SUPPORTED;
    }
    return 0;
}
