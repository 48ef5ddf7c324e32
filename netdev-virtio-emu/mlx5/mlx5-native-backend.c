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

/* The mlx5 backend in mode "native".  See mlx5-native-backend.h. */

#include <config.h>

#include "mlx5-native-backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "hash.h"
#include "mlx5-native-device.h"
#include "mlx5-service.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-record.h"
#include "virtnet-settings.h"
#include "virtnet-slice.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(mlx5_backend);

COVERAGE_DEFINE(mlx5_function_taken);

const struct mlx5_devx_class *mlx5_native_devx = &mlx5_devx_rdma_core;
const struct mlx5_dl_kernel *mlx5_native_kernel = &mlx5_dl_linux;

/* After how many ms to try again to tell the controller how many VFs there
 * are, while it is busy. */
#define VFS_RETRY_MS 20

/* Features, by VIRTIO 1.2, sections 5.1.3 and 6: what the data path and the
 * control queue can do, besides what capabilities add. */
#define F(BIT) (UINT64_C(1) << (BIT))
#define DEFAULT_FEATURES (F(3) | F(5) | F(16) | F(17) | F(18) | F(19) | F(22) \
                          | F(23) | F(32))
#define MORE_FEATURES (F(20) | F(52) | F(53))

static struct native_device *
find_device(const struct native *n, uint16_t vhca_id)
{
    struct native_device *nd;

    HMAP_FOR_EACH_WITH_HASH (nd, node, hash_int(vhca_id, 0), &n->devices) {
        if (nd->port.up.vhca_id == vhca_id) {
            return nd;
        }
    }
    return NULL;
}

void
native_set_managed(struct native_device *nd, bool managed)
{
    struct native *n = native_of(nd);

    if (managed != nd->managed) {
        nd->managed = managed;
        if (managed) {
            hmap_insert(&n->devices, &nd->node,
                        hash_int(nd->port.up.vhca_id, 0));
        } else {
            hmap_remove(&n->devices, &nd->node);
        }
    }
}

/* What firmware is to be told of 'config'. */
static void
to_emu_config(const struct virtnet_device_config *config,
              struct mlx5_emu_config *c)
{
    *c = (struct mlx5_emu_config) {
        .features = config->features,
        .mac = config->mac,
        .mtu = config->mtu,
        .max_pairs = config->max_queue_pairs,
        .max_queue_size = config->max_queue_size,
        .num_msix = config->num_msix,
        .link_up = config->link_up,
        .transitional = config->transitional,
    };
}

/* The vhca id of the PF of 'dev', if that is a VF, or 0. */
static uint16_t
pf_vhca_id(const struct virtnet_device *dev)
{
    const struct virtnet_device *pf
        = dev->type == VIRTNET_VF ? virtnet_device_by_pf(dev->pf_id) : NULL;

    return pf ? pf->vhca_id : 0;
}

void
native_take_function(struct native_device *nd)
{
    const struct virtnet_device *dev = &nd->port.up;
    struct mlx5_native_wish wish = {
        .plug = !dev->vuid,
        .vhca_id = dev->vhca_id,
        .pf_vhca_id = pf_vhca_id(dev),
    };

    ovs_strlcpy(wish.sf_name, nd->rdma_dev, sizeof wish.sf_name);
    to_emu_config(&dev->config, &wish.config);
    mlx5_native_take(native_of(nd)->fw, &wish, nd);
}

/* News from firmware. */

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

static void
handle_event(struct native *n, struct mlx5_native_event *event)
{
    struct native_device *nd = find_device(n, event->vhca_id);
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

static void
sync_all_vfs(struct native *n)
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

/* Backend. */

static void
native_destroy(struct native *n)
{
    struct native_change *change;

    LIST_FOR_EACH_POP (change, node, &n->changes) {
        free(change);           /* Its device has gone. */
    }
    hmap_destroy(&n->devices);
    mlx5_base_uninit(&n->base);
    mlx5_service_watch_destroy(n->service);
    free(n);
}

/* What to do about a service that has been started while this is the emulation
 * manager.  What two of them do to each other no public source tells, so
 * nothing new is begun against it; what is there goes on. */
#define RIVAL "NVIDIA's virtio-net-controller service has been started while " \
              "the switch owns the card: " MLX5_SERVICE_REMEDY \
              " and restart the controller"

static void
look_for_rival(struct native *n)
{
    bool rival = mlx5_service_watch_sees_it(n->service);

    if (rival != n->rival) {
        n->rival = rival;
        if (rival) {
            VLOG_WARN("%s", RIVAL);
        } else {
            VLOG_INFO("NVIDIA's virtio-net-controller service has ended");
        }
    }
}

/* Refuses what is not to be begun now, if anything. */
static int
refuse_for_rival(const struct native *n, char **errp)
{
    if (n->rival) {
        *errp = xstrdup(RIVAL);
        return -EBUSY;
    }
    return 0;
}

static void native_run(struct virtnet_backend *);

/* The backend that is closed when its tails have come to an end. */
static struct native *lingering;

static void
native_end(struct native *n)
{
    mlx5_native_open_close(n->fw, n->devlink);
    native_destroy(n);
}

static void
init_caps(struct native *n, const struct virtnet_settings *s)
{
    const struct mlx5_emu_caps *c = mlx5_native_get_caps(n->fw);
    struct virtnet_backend_caps *caps = &n->base.caps;
    const struct mlx5_emu_function *pfs;
    uint64_t offloads;
    size_t n_pfs;

    offloads = ((c->tx_csum ? F(0) : 0) | (c->rx_csum ? F(1) : 0)
                | (c->tx_csum && c->tso_ipv4 ? F(11) : 0)
                | (c->tx_csum && c->tso_ipv6 ? F(12) : 0));
    caps->emulation_manager = xstrdup(mlx5_native_get_name(n->fw));
    caps->max_hotplug_devices = c->max_hotplug;
    caps->max_devices = c->max_devices;
    caps->max_vfs_per_pf = c->max_vfs;
    caps->max_vf_msix = c->max_vf_msix;
    caps->min_vf_msix = c->min_vf_msix;
    caps->max_virt_queues = MIN(c->max_queues, MLX5_EMU_MAX_QUEUES);
    caps->max_tunnel_descriptors = c->max_tunnel_desc;
    caps->default_features = DEFAULT_FEATURES | offloads;
    caps->supported_features = caps->default_features | MORE_FEATURES;
    if (c->mrg_rxbuf) {
        caps->supported_features |= F(15);
        caps->default_features |= s->mrg_rxbuf ? F(15) : 0;
    }
    caps->required_features = F(32);
    /* Gap: ctrl_packed. */
    caps->virt_queue_types = c->queue_types & 1;
    caps->event_modes = c->event_modes;
    caps->card = true;
    pfs = mlx5_native_get_pfs(n->fw, &n_pfs);
    for (size_t i = 0; i < n_pfs; i++) {
        caps->num_pfs += !pfs[i].hotplug;
    }
}

static const char *
native_no_effect(const struct virtnet_backend *backend, const char *key)
{
    const struct virtnet_backend_caps *caps = mlx5_base_get_caps(backend);

    return (!strcmp(key, "virtnet-mrg-rxbuf")
            && !(caps->supported_features & F(15))
            ? "the card's firmware has no mergeable receive buffers"
            : !strcmp(key, "virtnet-packed-vq")
            ? "control queues of a card are split queues only"
            : mlx5_firmware_says(key, false));
}

static int
native_open(const struct virtnet_settings *s,
            struct virtnet_backend **backendp, char **errp)
{
    struct mlx5_open_result result;
    struct native *n;
    int error;

    if (lingering) {
        native_run(&lingering->base.up);
        if (ovs_list_is_empty(&lingering->tails)) {
            native_end(lingering);
            lingering = NULL;
        }
        *errp = xstrdup("devices are still being let go of");
        return -EINPROGRESS;
    }
    error = mlx5_native_open_run(s, mlx5_native_devx, &result, errp);
    if (error) {
        return error;
    }

    n = xzalloc(sizeof *n);
    n->base.up.class = &virtnet_mlx5_native_class;
    n->base.parents = result.parents;
    n->fw = result.fw;
    hmap_init(&n->devices);
    ovs_list_init(&n->waiting);
    ovs_list_init(&n->naming);
    ovs_list_init(&n->late);
    ovs_list_init(&n->changed);
    ovs_list_init(&n->changes);
    ovs_list_init(&n->tails);
    init_caps(n, s);
    n->service = mlx5_service_watch_create();
    n->devlink = mlx5_devlink_open(mlx5_native_kernel,
                                   NATIVE_DEVLINK_TIMEOUT_MS,
                                   native_sf_port_changed, n);
    for (size_t i = 0; i < n->base.parents.n; i++) {
        char handle[MLX5_DL_HANDLE_LEN];

        native_parent_handle(&n->base.parents.devs[i], handle);
        mlx5_devlink_watch_eswitch(n->devlink, handle);
    }
    *backendp = &n->base.up;
    return 0;
}

static void
native_close(struct virtnet_backend *backend, bool keep)
{
    struct native *n = native_cast(backend);

    if (keep) {
        /* Functions stay plugged, SFs stay, ports are used to the last. */
        mlx5_devlink_close(n->devlink);
        mlx5_native_close(n->fw, true);
        mlx5_service_watch_destroy(n->service);
        n->devlink = NULL;
        n->fw = NULL;
        n->service = NULL;
    } else if (ovs_list_is_empty(&n->tails)) {
        native_end(n);
    } else {
        lingering = n;
    }
}

/* Names functions that are plugged and that no record tells of.  What they are
 * for is not known, so they are left alone. */
static void
tell_strangers(struct native *n)
{
    const struct mlx5_emu_function *pfs;
    size_t n_pfs;

    if (n->told_strangers || !virtnet_controller_is_running(NULL)) {
        return;
    }
    n->told_strangers = true;
    pfs = mlx5_native_get_pfs(n->fw, &n_pfs);
    for (size_t i = 0; i < n_pfs; i++) {
        if (pfs[i].hotplug && !find_device(n, pfs[i].vhca_id)) {
            VLOG_WARN("%s, "VIRTNET_BDF_FMT": is plugged, and there is no "
                      "record of it: it is left alone", pfs[i].vuid,
                      VIRTNET_BDF_ARGS(pfs[i].bdf));
        }
    }
}

static void
native_run(struct virtnet_backend *backend)
{
    struct native *n = native_cast(backend);
    struct mlx5_native_event *event;
    struct virtnet_slice slice;
    struct tail *tail;

    mlx5_devlink_run(n->devlink);
    look_for_rival(n);
    native_sf_refuse_waiting(n);
    native_sf_start_waiting(n);
    native_sf_run_naming(n);
    virtnet_slice_begin(&slice, false);
    while (!virtnet_slice_is_over(&slice)
           && (event = mlx5_native_poll(n->fw)) != NULL) {
        handle_event(n, event);
        mlx5_native_event_free(event);
    }
    LIST_FOR_EACH_SAFE (tail, node, &n->tails) {
        if (time_msec() >= tail->retry_at) {
            native_tail_go_on(tail);
        }
    }
    sync_all_vfs(n);
    tell_strangers(n);
}

static void
native_wait(struct virtnet_backend *backend)
{
    struct native *n = native_cast(backend);
    const struct tail *tail;

    mlx5_devlink_wait(n->devlink);
    mlx5_native_wait(n->fw);
    mlx5_service_watch_wait(n->service, n->rival);
    native_sf_wait_naming(n);
    LIST_FOR_EACH (tail, node, &n->tails) {
        if (tail->retry_at != LLONG_MAX) {
            poll_timer_wait_until(tail->retry_at);
        }
    }
    if (!n->rival && !ovs_list_is_empty(&n->changed)) {
        poll_timer_wait_until(n->changed_at);
    }
}

/* Devices. */

static struct virtnet_device *
native_device_alloc(struct virtnet_backend *backend,
                    enum virtnet_function_type type)
{
    struct native_device *nd = xzalloc(sizeof *nd);

    mlx5_port_init(&nd->port, backend, type);
    ovs_list_init(&nd->list_node);
    ovs_list_init(&nd->changed_node);
    nd->free_vf_msix = -1;
    return &nd->port.up;
}

static void
native_device_dealloc(struct virtnet_device *dev)
{
    struct native_device *nd = native_device_cast(dev);

    mlx5_port_uninit(&nd->port);
    free(nd->vfs);
    free(nd->unplug_reason);
    free(nd);
}

/* Finds what firmware has for 'dev'.  NULL if that is nothing. */
static const struct mlx5_emu_function *
find_function(const struct virtnet_device *dev)
{
    const struct native *n = native_cast(dev->backend);
    const struct mlx5_emu_function *pfs;
    const struct virtnet_device *pf;
    unsigned int i_static = 0;
    size_t n_pfs;

    if (dev->type == VIRTNET_VF) {
        pf = virtnet_device_by_pf(dev->pf_id);
        return (pf && dev->vf_id < native_device_cast(pf)->n_vfs
                ? &native_device_cast(pf)->vfs[dev->vf_id] : NULL);
    }
    pfs = mlx5_native_get_pfs(n->fw, &n_pfs);
    for (size_t i = 0; i < n_pfs; i++) {
        if (dev->type == VIRTNET_HOTPLUG_PF
            ? pfs[i].hotplug && !strcmp(pfs[i].vuid, dev->vuid)
            : !pfs[i].hotplug && i_static++ == dev->pf_id) {
            return &pfs[i];
        }
    }
    return NULL;
}

/* Returns the length of the serial number of a card that 'vuid' begins with, 0
 * if there is none. */
static size_t
serial_len(const char *vuid)
{
    const char *end = strstr(vuid, "VNET");

    return end ? end - vuid : 0;
}

/* A hotplug PF may have gone with the power, and VFs are not known before their
 * PF is, but all of them have the card's serial number. */
static char *
native_check_record(const struct virtnet_backend *backend,
                    const struct virtnet_record *record)
{
    size_t len = serial_len(record->vuid);
    const struct mlx5_emu_function *pfs;
    const char *other = NULL;
    unsigned int i_static = 0;
    size_t n_pfs;

    pfs = mlx5_native_get_pfs(native_cast(backend)->fw, &n_pfs);
    for (size_t i = 0; i < n_pfs; i++) {
        const char *vuid = pfs[i].vuid;
        bool same = (!pfs[i].hotplug && record->type == VIRTNET_STATIC_PF
                     && i_static++ == record->pf_id);

        if (vuid[0] && (same ? strcmp(vuid, record->vuid)
                        : serial_len(vuid) != len
                          || strncmp(vuid, record->vuid, len))) {
            other = vuid;
        }
    }
    return other ? xasprintf("firmware has %s", other) : NULL;
}

static int
native_device_construct(struct virtnet_device *dev, char **errp)
{
    const struct mlx5_emu_function *function;
    int error = refuse_for_rival(native_cast(dev->backend), errp);

    if (error) {
        return error;
    }
    if (dev->type == VIRTNET_HOTPLUG_PF && !dev->vuid) {
        return 0;               /* Firmware makes it and shows it at once. */
    }
    function = find_function(dev);
    if (!function) {
        *errp = xasprintf("firmware has no such function%s%s",
                          dev->vuid ? ": " : "", dev->vuid ? dev->vuid : "");
        return -ENODEV;
    } else if (!function->vuid[0]) {
        *errp = xasprintf("firmware does not tell the VUID of function %u",
                          function->vhca_id);
        return VIRTNET_E_NOT_SUPPORTED;
    } else if (dev->vuid && strcmp(dev->vuid, function->vuid)) {
        *errp = xasprintf("firmware has %s instead of %s", function->vuid,
                          dev->vuid);
        return -ENODEV;
    }
    if (!dev->vuid) {
        dev->vuid = xstrdup(function->vuid);
    }
    dev->bdf = function->bdf;
    dev->vhca_id = function->vhca_id;
    return 0;
}

static void
native_device_destruct(struct virtnet_device *dev)
{
    struct native_device *nd = native_device_cast(dev);

    native_set_managed(nd, false);
    ovs_list_remove(&nd->list_node);
    ovs_list_init(&nd->list_node);
    if (nd->change) {
        nd->change->nd = NULL;
        nd->change = NULL;
    }
    ovs_list_remove(&nd->changed_node);
    ovs_list_init(&nd->changed_node);
    if (nd->tail) {
        /* It has no SF. */
        native_sf_drop(nd);
    }
}

static int
native_device_plug(struct virtnet_device *dev, char **errp OVS_UNUSED)
{
    native_take_function(native_device_cast(dev));
    return -EINPROGRESS;
}

static int
native_device_unplug(struct virtnet_device *dev, bool force,
                     char **errp OVS_UNUSED)
{
    struct native_device *nd = native_device_cast(dev);

    if (virtnet_controller_restarting()) {
        return 0;               /* All are let go of together. */
    }
    /* Gap: hotplug_state. */
    if (!force && virtnet_device_has_driver(dev)) {
        return VIRTNET_E_UNPLUG_NOT_READY;
    }
    if (!nd->tail) {
        native_tail_begin(nd);
    }
    return force ? 0 : -EINPROGRESS;
}

static int
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

/* How firmware is told of a change. */
static const struct {
    uint32_t changed;           /* VIRTNET_CONFIG_* bits. */
    enum mlx5_native_config part;
} parts_of_changes[] = {
    { VIRTNET_CONFIG_FEATURES | VIRTNET_CONFIG_QUEUE_SIZE,
      MLX5_NATIVE_CONFIG_COMMON },
    { VIRTNET_CONFIG_MAC | VIRTNET_CONFIG_MTU | VIRTNET_CONFIG_QUEUE_PAIRS,
      MLX5_NATIVE_CONFIG_DEVICE },
    { VIRTNET_CONFIG_LINK, MLX5_NATIVE_CONFIG_LINK },
    { VIRTNET_CONFIG_MSIX, MLX5_NATIVE_CONFIG_MSIX },
};

static int
native_apply_config(struct virtnet_device *dev,
                    const struct virtnet_device_config *new, uint32_t changed,
                    char **errp)
{
    struct native_device *nd = native_device_cast(dev);
    struct native *n = native_of(nd);
    unsigned int parts = 0;
    struct mlx5_emu_config c;
    uint32_t known = 0;
    int error = refuse_for_rival(n, errp);

    if (error) {
        return error;
    }

    for (size_t i = 0; i < ARRAY_SIZE(parts_of_changes); i++) {
        if (parts_of_changes[i].part == MLX5_NATIVE_CONFIG_MSIX
            && dev->type != VIRTNET_VF) {
            continue;
        }
        known |= parts_of_changes[i].changed;
        if (changed & parts_of_changes[i].changed) {
            parts |= parts_of_changes[i].part;
        }
    }
    if (changed & ~known) {
        *errp = xstrdup("no public source tells how firmware is asked for "
                        "this");
        return VIRTNET_E_NOT_SUPPORTED;
    } else if (!nd->managed) {
        *errp = xasprintf("function %u is not managed now", dev->vhca_id);
        return -EBUSY;
    }

    ovs_assert(!nd->change);
    nd->change = xmalloc(sizeof *nd->change);
    nd->change->nd = nd;
    ovs_list_push_back(&n->changes, &nd->change->node);
    to_emu_config(new, &c);
    mlx5_native_start_configure(n->fw, dev->vhca_id, pf_vhca_id(dev), &c,
                                parts, nd->change);
    return -EINPROGRESS;
}

static int
native_get_queue_info(const struct virtnet_device *dev, unsigned int index,
                      struct virtnet_queue_info *info)
{
    if (index >= virtnet_device_num_queues(dev)) {
        return VIRTNET_E_QUEUE_INDEX;
    }
    mlx5_native_get_queue(native_cast(dev->backend)->fw, dev->vhca_id, index,
                          info);
    return 0;
}

static void
native_get_leftovers(const struct virtnet_backend *backend,
                     struct virtnet_leftovers *left)
{
    const struct native *n = native_cast(backend);

    if (n->fw) {
        mlx5_native_get_leftovers(n->fw, left);
    }
    left->functions += n->n_functions_left;
    left->sfs += n->n_sfs_left;
    if (n->devlink) {
        left->sfs += mlx5_devlink_get_stats(n->devlink)->left;
    }
}

static void
native_get_trouble(const struct virtnet_backend *backend,
                   struct virtnet_trouble *trouble)
{
    const struct native *n = native_cast(backend);
    const struct virtnet_device *dev;
    const char *reason = NULL;
    size_t n_bad = 0;

    trouble->sfs_lost = n->n_sfs_lost;
    trouble->reps_lost = n->n_reps_lost;
    if (!n->devlink) {
        return;
    }
    if (n->rival) {
        svec_add(&trouble->lines, RIVAL);
    }
    if (!mlx5_devlink_is_ready(n->devlink, &reason) && reason) {
        svec_add(&trouble->lines, reason);
        trouble->fatal = true;
    }
    for (size_t i = 0; i < n->base.parents.n; i++) {
        char handle[MLX5_DL_HANDLE_LEN];
        const char *problem;

        native_parent_handle(&n->base.parents.devs[i], handle);
        problem = mlx5_devlink_get_eswitch_problem(n->devlink, handle);
        if (problem) {
            svec_add(&trouble->lines, problem);
            n_bad++;
        }
    }
    trouble->fatal |= n_bad && n_bad == n->base.parents.n;
    VIRTNET_FOR_EACH_DEVICE (dev) {
        char *problem = native_sf_get_problem(native_device_cast(dev));

        if (problem) {
            svec_add_nocopy(&trouble->lines, problem);
        }
    }
}

static void
native_get_health(const struct virtnet_device *dev,
                  struct virtnet_health *health)
{
    struct native_device *nd = native_device_cast(dev);

    if (nd->managed) {
        mlx5_native_get_stats(native_of(nd)->fw, dev->vhca_id, &nd->stats);
    }
    health->fatal = (nd->sf_lost || !nd->managed
                     || (nd->has_sf && !nd->port.rep.ifindex));
    /* A start fails as a whole. */
    health->sf_flows_apply_err = nd->stats.start_errors;
    health->dma_q_errors = nd->stats.queue_errors;
    health->host_read_errors = nd->stats.ctrl_errors;
}

static int
native_get_free_msix(const struct virtnet_device *pf)
{
    return native_device_cast(pf)->free_vf_msix;
}

const struct virtnet_backend_class virtnet_mlx5_native_class = {
    .type = "mlx5",

    .open = native_open,
    .close = native_close,
    .run = native_run,
    .wait = native_wait,
    MLX5_BASE_OPS,
    .no_effect = native_no_effect,

    .device_alloc = native_device_alloc,
    .device_construct = native_device_construct,
    .device_destruct = native_device_destruct,
    .device_dealloc = native_device_dealloc,
    .sf_num_is_free = native_sf_num_is_free,
    .get_leftovers = native_get_leftovers,
    .get_trouble = native_get_trouble,
    .check_record = native_check_record,
    .sf_create = native_sf_create,
    .sf_destroy = native_sf_destroy,
    .device_plug = native_device_plug,
    .device_unplug = native_device_unplug,
    .set_vfs = native_set_vfs,
    .get_free_msix = native_get_free_msix,
    .apply_config = native_apply_config,
    .save = native_sf_save,
    .restore = native_sf_restore,

    .get_queue_info = native_get_queue_info,
    .get_health = native_get_health,

    MLX5_PORT_OPS,
};
