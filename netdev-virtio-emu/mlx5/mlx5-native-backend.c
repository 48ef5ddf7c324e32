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

#include "mlx5-native-device.h"
#include "mlx5-service.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-settings.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(mlx5_backend);

const struct mlx5_devx_class *mlx5_native_devx = &mlx5_devx_rdma_core;
const struct mlx5_dl_kernel *mlx5_native_kernel = &mlx5_dl_linux;

/* Features, by VIRTIO 1.2, sections 5.1.3 and 6: what the data path and the
 * control queue can do, besides what capabilities add. */
#define F(BIT) (UINT64_C(1) << (BIT))
#define DEFAULT_FEATURES (F(3) | F(5) | F(16) | F(17) | F(18) | F(19) | F(22) \
                          | F(23) | F(32))
#define MORE_FEATURES (F(20) | F(52) | F(53))

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
#define RIVAL \
    "NVIDIA's virtio-net-controller service has been started while the " \
    "switch owns the card: " MLX5_SERVICE_REMEDY " and restart the controller"

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

int
native_refuse_for_rival(const struct native *n, char **errp)
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
        if (pfs[i].hotplug && !native_find_device(n, pfs[i].vhca_id)) {
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
        native_handle_event(n, event);
        mlx5_native_event_free(event);
    }
    LIST_FOR_EACH_SAFE (tail, node, &n->tails) {
        if (time_msec() >= tail->retry_at) {
            native_tail_go_on(tail);
        }
    }
    native_sync_vfs(n);
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
