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

/* The mlx5 backend in mode "vendor".  See mlx5-vendor.h. */

#include <config.h>

#include "mlx5-vendor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-vendor-internal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-settings.h"

VLOG_DEFINE_THIS_MODULE(mlx5_vendor);

/* The pause while somebody waits for the service to be there. */
#define HASTE_MS 200

/* A run of the program may take as long as this (ms): 504 VFs are slow. */
#define CLI_TIMEOUT_MS 60000

/* How long (ms) a request to the kernel may take. */
#define DEVLINK_TIMEOUT_MS 5000

/* The one that is being opened. */
static struct vendor *opening;

/* A service that cannot be used yet: it may be started later than the switch,
 * long after it. */
static struct {
    char *program;              /* It is about this one, */
    char *reason;               /* ...last time, and has been logged. */
    unsigned int n_failures;    /* In a row, while nobody waits. */
    long long int tried_at, next_try;
} absent;

/* Backend. */

/* The service tells the address of a parent only with its devices. */
static const char *
find_pci_addr(const struct mlx5_vendor_list *list, const char *ib_device)
{
    const char *pci_addr = "0000:00:00.0";

    for (size_t i = 0; i < list->n_devices; i++) {
        if (nullable_string_is_equal(list->devices[i].ib_device, ib_device)
            && list->devices[i].pci_addr) {
            pci_addr = list->devices[i].pci_addr;
        }
    }
    return pci_addr;
}

static void
vendor_destroy(struct vendor *v)
{
    struct shash_node *node;

    mlx5_vendor_cli_destroy(v->cli, true);
    vendor_answer_waiting(v);
    mlx5_devlink_close(v->devlink);
    mlx5_vendor_list_destroy(v->list);
    SHASH_FOR_EACH (node, &v->bridges) {
        free(node->data);
    }
    shash_destroy(&v->bridges);
    mlx5_base_uninit(&v->base);
    free(v->problem);
    free(v->opening);
    free(v);
}

/* Forgets that the service could not be used. */
static void
forget_absence(void)
{
    free(absent.program);
    free(absent.reason);
    memset(&absent, 0, sizeof absent);
}

/* The service cannot be used yet, for the reason 'reason', which it takes
 * over; 'v' has found that out. */
static void
note_absence(const struct vendor *v, const char *program, char *reason)
{
    if (!nullable_string_is_equal(absent.reason, reason)) {
        VLOG_WARN("%s; it is waited for", reason);
    }
    free(absent.reason);
    absent.reason = reason;
    if (!absent.program) {
        absent.program = xstrdup(program);
    }
    absent.n_failures += !virtnet_controller_starting();
    absent.tried_at = time_msec();
    absent.next_try = (absent.tried_at
                       + vendor_pause_after(v->look_started,
                                            absent.n_failures));
}

/* How long (ms) a run may take; tests have no minute. */
static int
cli_timeout(void)
{
    const char *s = getenv("VIRTNET_TEST_CLI_TIMEOUT");
    unsigned int ms;

    return s && str_to_uint(s, 10, &ms) ? ms : CLI_TIMEOUT_MS;
}

static int
vendor_open(const struct virtnet_settings *s,
            struct virtnet_backend **backendp, char **errp)
{
    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS];
    struct virtnet_backend_caps *caps;
    struct vendor *v = opening;
    struct mlx5_vendor_list *list;
    size_t n;

    if (!s->mlx5_cli) {
        *errp = xstrdup("other_config:virtnet-mlx5-cli does not say where "
                        "the virtnet program of NVIDIA's service is");
        return -ENOENT;
    }
    if (absent.program && strcmp(absent.program, s->mlx5_cli)) {
        forget_absence();
    }
    if (!v && absent.reason
        && time_msec() < (virtnet_controller_starting()
                          ? absent.tried_at + HASTE_MS : absent.next_try)) {
        *errp = xstrdup(absent.reason);
        return -EAGAIN;
    }
    if (!v) {
        v = opening = xzalloc(sizeof *v);
        v->base.up.class = &virtnet_mlx5_vendor_class;
        ovs_list_init(&v->waiting);
        shash_init(&v->bridges);
        v->cli = mlx5_vendor_cli_create(s->mlx5_cli, cli_timeout());
        v->devlink = mlx5_devlink_open(&mlx5_dl_linux, DEVLINK_TIMEOUT_MS,
                                       vendor_port_changed, v);
        vendor_look(v);
    }
    mlx5_devlink_run(v->devlink);
    mlx5_vendor_cli_run(v->cli);
    if (v->looking) {
        *errp = xstrdup(absent.reason ? absent.reason
                        : "NVIDIA's service has not answered yet");
        return -EAGAIN;
    } else if (!v->list || v->opening) {
        note_absence(v, s->mlx5_cli, v->opening);
        *errp = xstrdup(absent.reason);
        v->opening = NULL;
        opening = NULL;
        vendor_destroy(v);
        return -EAGAIN;
    }

    list = v->list;
    n = mlx5_wanted_parents(s, wanted);
    for (size_t i = 0; i < n; i++) {
        mlx5_parents_add(&v->base.parents, &wanted[i],
                         find_pci_addr(list, wanted[i].name));
    }
    if (list->emulation_manager
        && !mlx5_parents_find(&v->base.parents, list->emulation_manager)) {
        const char *names[] = { list->emulation_manager };

        mlx5_complain_of_lag(s, names, ARRAY_SIZE(names));
    }
    caps = &v->base.caps;
    caps->external = true;
    caps->emulation_manager = xstrdup(list->emulation_manager
                                      ? list->emulation_manager
                                      : wanted[0].name);
    caps->max_hotplug_devices = list->max_hotplug_devices;
    caps->max_devices = list->max_devices;
    caps->max_virt_queues = list->max_virt_queues;
    caps->max_tunnel_descriptors = list->max_tunnel_descriptors;
    caps->supported_features = list->supported_features;
    caps->default_features = list->supported_features;
    caps->virt_queue_types = list->virt_queue_types;
    caps->event_modes = list->event_modes;
    v->look_started = time_msec();
    opening = NULL;
    if (absent.reason) {
        VLOG_INFO("the service answers");
        forget_absence();
    }
    v->is_open = true;
    *backendp = &v->base.up;
    return 0;
}

static void
vendor_close(struct virtnet_backend *backend, bool keep)
{
    struct vendor *v = vendor_cast(backend);

    if (!keep) {
        vendor_destroy(v);
    } else {
        /* The program must not outlive us; ports are used to the last. */
        mlx5_vendor_cli_destroy(v->cli, false);
        v->cli = NULL;
    }
}

/* What NVIDIA's service decides. */
static const char *
vendor_no_effect(const struct virtnet_backend *backend OVS_UNUSED,
                 const char *key)
{
    static const char *const of_devices[] = {
        "virtnet-max-vfs", "virtnet-max-hotplug-with-vfs", "virtnet-recovery",
        "virtnet-ib-dev-for-static-pf", "virtnet-static-pf-mac-base",
        "virtnet-static-pf-features", "virtnet-vf-mac-base",
        "virtnet-vf-features", "virtnet-vf-vfs-per-pf",
        "virtnet-vf-max-queue-pairs", "virtnet-vf-max-queue-size",
        "virtnet-packed-vq", "virtnet-mrg-rxbuf", "virtnet-sf-pool-percent",
        "virtnet-sf-pool-force-destroy", "virtnet-lm-prov",
    };

    for (size_t i = 0; i < ARRAY_SIZE(of_devices); i++) {
        if (!strcmp(key, of_devices[i])) {
            return "NVIDIA's service makes and remembers the devices: see "
                   "its own virtnet.conf";
        }
    }
    return mlx5_firmware_says(key, true);
}

static int
vendor_enumerate(struct virtnet_backend *backend,
                 void (*cb)(struct virtnet_device *, void *) OVS_UNUSED,
                 void *aux OVS_UNUSED, char **errp OVS_UNUSED)
{
    struct vendor *v = vendor_cast(backend);

    vendor_apply(v, v->list);
    vendor_look_done(v, NULL);
    return 0;
}

static void
vendor_run(struct virtnet_backend *backend)
{
    struct vendor *v = vendor_cast(backend);

    mlx5_devlink_run(v->devlink);
    mlx5_vendor_cli_run(v->cli);
    if (!v->looking && time_msec() >= v->next_look) {
        vendor_look(v);
        mlx5_vendor_cli_run(v->cli);
    }
}

static void
vendor_wait(struct virtnet_backend *backend)
{
    struct vendor *v = vendor_cast(backend);

    mlx5_devlink_wait(v->devlink);
    mlx5_vendor_cli_wait(v->cli);
    if (!v->looking) {
        poll_timer_wait_until(v->next_look);
    }
}

/* Devices. */

static struct virtnet_device *
vendor_device_alloc(struct virtnet_backend *backend,
                    enum virtnet_function_type type)
{
    struct vendor_device *vd = xzalloc(sizeof *vd);

    mlx5_port_init(&vd->port, backend, type);
    return &vd->port.up;
}

static int
vendor_device_construct(struct virtnet_device *dev OVS_UNUSED, char **errp)
{
    *errp = xstrdup("NVIDIA's service makes the devices: use \"virtnet "
                    "hotplug\"");
    return VIRTNET_E_NOT_SUPPORTED;
}

static void
vendor_device_destruct(struct virtnet_device *dev)
{
    mlx5_rep_detach(&vendor_device_cast(dev)->port.rep);
}

static void
vendor_device_dealloc(struct virtnet_device *dev)
{
    struct vendor_device *vd = vendor_device_cast(dev);

    mlx5_port_uninit(&vd->port);
    free(vd);
}

static int
vendor_sf_create(struct virtnet_device *dev OVS_UNUSED,
                 char **errp OVS_UNUSED)
{
    return VIRTNET_E_NOT_SUPPORTED;
}

static void
vendor_sf_destroy(struct virtnet_device *dev OVS_UNUSED)
{
}

static int
vendor_device_plug(struct virtnet_device *dev OVS_UNUSED,
                   char **errp OVS_UNUSED)
{
    return VIRTNET_E_NOT_SUPPORTED;
}

static int
vendor_device_unplug(struct virtnet_device *dev OVS_UNUSED,
                     bool force OVS_UNUSED, char **errp)
{
    if (virtnet_controller_restarting()) {
        return 0;               /* It is only let go of. */
    }
    *errp = xstrdup("NVIDIA's service removes devices: use \"virtnet "
                    "unplug\"");
    return VIRTNET_E_NOT_SUPPORTED;
}

static int
vendor_get_queue_info(const struct virtnet_device *dev, unsigned int index,
                      struct virtnet_queue_info *info)
{
    if (index >= virtnet_device_num_queues(dev)) {
        return VIRTNET_E_QUEUE_INDEX;
    }
    memset(info, 0, sizeof *info);
    info->index = index;
    info->msix_vector = VIRTNET_NO_MSIX_VECTOR;
    return 0;
}

static void
vendor_get_trouble(const struct virtnet_backend *backend,
                   struct virtnet_trouble *trouble)
{
    const struct vendor *v = vendor_cast(backend);
    const struct virtnet_device *dev;

    trouble->reps_lost = v->n_reps_lost;
    if (v->problem) {
        svec_add(&trouble->lines, v->problem);
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (!vendor_device_cast(dev)->port.rep.ifindex) {
            svec_add_nocopy(&trouble->lines, xasprintf(
                                "%s: there is no representor %s of SF "
                                "%"PRIu32, dev->vuid, dev->rep_name,
                                dev->sf_num));
        }
    }
}

const struct virtnet_backend_class virtnet_mlx5_vendor_class = {
    .type = "mlx5",

    .open = vendor_open,
    .close = vendor_close,
    .run = vendor_run,
    .wait = vendor_wait,
    MLX5_BASE_OPS,
    .no_effect = vendor_no_effect,
    .enumerate = vendor_enumerate,
    .command = vendor_command,
    .get_trouble = vendor_get_trouble,

    .device_alloc = vendor_device_alloc,
    .device_construct = vendor_device_construct,
    .device_destruct = vendor_device_destruct,
    .device_dealloc = vendor_device_dealloc,
    .sf_create = vendor_sf_create,
    .sf_destroy = vendor_sf_destroy,
    .device_plug = vendor_device_plug,
    .device_unplug = vendor_device_unplug,

    .get_queue_info = vendor_get_queue_info,

    MLX5_PORT_OPS,
};
