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

/* Devices of NVIDIA's service, and their representors.  See
 * mlx5-vendor-internal.h. */

#include <config.h>

#include "mlx5-vendor-internal.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-registry.h"

VLOG_DEFINE_THIS_MODULE(mlx5_vendor_device);

COVERAGE_DEFINE(mlx5_vendor_appeared);
COVERAGE_DEFINE(mlx5_vendor_vanished);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* A device has gone when it is missing from so many lists in a row:
 * ordinarily, and after the service has failed, since it may be about to
 * start. */
#define MISSING_LISTS 2
#define MISSING_LISTS_AFTER_FAILURE 10

/* Representors. */

/* Finds the representor of 'vd' now.  Returns its ifindex, or 0. */
static uint32_t
find_rep(const struct vendor *v, const struct vendor_device *vd)
{
    char name[IF_NAMESIZE];
    const char *reason;

    /* Where devlink knows the card, nothing else counts. */
    if (mlx5_devlink_is_ready(v->devlink, &reason)
        && vd->handle[0] && mlx5_devlink_find_uplink(v->devlink, vd->handle)) {
        const struct mlx5_dl_port *port;

        port = mlx5_devlink_find_sf(v->devlink, vd->handle,
                                    vd->port.up.sf_num);
        return port ? port->ifindex : 0;
    }
    return (vd->told_ifindex && if_indextoname(vd->told_ifindex, name)
            ? vd->told_ifindex : 0);
}

/* Has packets of 'vd' go through the representor that it has now. */
static void
follow_rep(const struct vendor *v, struct vendor_device *vd)
{
    uint32_t ifindex = find_rep(v, vd);
    char buf[IF_NAMESIZE];
    const char *name = ifindex ? if_indextoname(ifindex, buf) : NULL;
    char *err = NULL;

    /* When udev has named it, vendor_port_changed() comes; if it does not, the
     * next look. */
    if (mlx5_port_is_being_named(&vd->port, name ? ifindex : 0, name)) {
        ifindex = 0;
    }
    if (ifindex == vd->port.rep.ifindex && (ifindex || vd->no_rep)) {
        return;
    }
    mlx5_rep_detach(&vd->port.rep);
    vd->port.up.rep_ifindex = 0;
    vd->no_rep = !ifindex;
    if (!ifindex) {
        err = xasprintf("there is no representor of SF %"PRIu32"%s",
                        vd->port.up.sf_num,
                        vd->port.naming ? " with a name" : "");
    } else if (!mlx5_rep_attach(&vd->port.rep, ifindex, &err)) {
        vd->port.up.rep_ifindex = ifindex;
        VLOG_INFO("%s: representor of SF %"PRIu32" is interface %"PRIu32,
                  vd->port.up.rep_name, vd->port.up.sf_num, ifindex);
    }
    if (err) {
        VLOG_WARN_RL(&rl, "%s: %s", vd->port.up.rep_name, err);
        free(err);
    }
    virtnet_controller_device_changed(&vd->port.up);
}

/* 'vd' is there, and so should its representor be.  (One that goes between
 * looks may go with its device.) */
static void
check_rep(struct vendor *v, struct vendor_device *vd)
{
    follow_rep(v, vd);
    v->n_reps_lost += vd->had_rep && !vd->port.rep.ifindex;
    vd->had_rep = vd->port.rep.ifindex != 0;
}

void
vendor_port_changed(enum mlx5_devlink_event event OVS_UNUSED,
                    const struct mlx5_dl_port *port, void *v_)
{
    struct vendor *v = v_;
    struct virtnet_device *dev;

    /* Tables are being filled, or something is about to change: the next look
     * tells all; only a representor that comes or goes is urgent. */
    if (port->flavour == MLX5_DL_PCI_SF && v->is_open) {
        VIRTNET_FOR_EACH_DEVICE (dev) {
            if (dev->sf_num == port->sf_num) {
                follow_rep(v, vendor_device_cast(dev));
            }
        }
    }
}

/* Devices. */

static bool
config_differs(const struct virtnet_device_config *a,
               const struct virtnet_device_config *b)
{
    return (!eth_addr_equals(a->mac, b->mac) || a->mtu != b->mtu
            || a->features != b->features
            || a->max_queue_pairs != b->max_queue_pairs
            || a->max_queue_size != b->max_queue_size
            || a->num_msix != b->num_msix || a->speed != b->speed
            || a->link_up != b->link_up || a->transitional != b->transitional
            || a->hash_types != b->hash_types
            || a->rss_key_size != b->rss_key_size || a->aarfs != b->aarfs
            || a->dim != b->dim);
}

static bool
driver_differs(const struct virtnet_driver_info *a,
               const struct virtnet_driver_info *b)
{
    return (a->status != b->status || a->features != b->features
            || a->enabled_pairs != b->enabled_pairs
            || a->ring_pairs != b->ring_pairs
            || a->msix_config_vector != b->msix_config_vector
            || !eth_addr_equals(a->ctrl_mac, b->ctrl_mac)
            || a->attached != b->attached);
}

/* Puts what the service tells of 'vd' into the model. */
static void
take_info(struct vendor_device *vd, const struct mlx5_vendor_device *info,
          bool is_new)
{
    struct virtnet_device_config config = info->config;
    struct virtnet_driver_info driver = info->driver;
    struct virtnet_device *dev = &vd->port.up;
    bool changed;

    if (!info->has_features) {
        config.features = dev->config.features;
    }
    if (!info->has_status) {
        driver.status = dev->driver.status;
        driver.features = dev->driver.features;
    }
    driver.attached = driver.status != 0;
    driver.ring_pairs = driver.status & VIRTNET_STATUS_DRIVER_OK ? 1 : 0;
    driver.enabled_pairs = MAX(driver.enabled_pairs, driver.ring_pairs);

    vd->told_ifindex = info->rep_ifindex;
    if (info->pci_addr) {
        snprintf(vd->handle, sizeof vd->handle, "pci/%s", info->pci_addr);
        if (!mlx5_dl_handle_is_valid(vd->handle)) {
            vd->handle[0] = '\0';
        }
    }
    changed = (dev->max_vfs != info->max_vfs
               || dev->num_vfs != info->enabled_vfs
               || config_differs(&dev->config, &config));
    dev->max_vfs = info->max_vfs;
    dev->num_vfs = info->enabled_vfs;
    dev->vhca_id = info->vhca_id;
    dev->sf_vhca_id = info->sf_vhca_id;
    if (!is_new && !eth_addr_equals(dev->config.mac, config.mac)) {
        virtnet_registry_set_mac(dev, config.mac);
    }
    dev->config = config;
    if (is_new || driver_differs(&dev->driver, &driver)) {
        virtnet_device_driver_changed(dev, &driver);
    } else if (changed) {
        virtnet_controller_device_changed(dev);
    }
}

/* A device that has not been there. */
static void
appeared(struct vendor *v, const struct mlx5_vendor_device *info)
{
    struct vendor_device *vd;
    struct virtnet_device *dev;
    char *problem = NULL;
    char *bridge;

    if (!mlx5_parents_find(&v->base.parents, info->ib_device)) {
        problem = xasprintf("RDMA device \"%s\" is not in the settings",
                            info->ib_device ? info->ib_device : "");
    } else if (info->pf_id >= VIRTNET_MAX_PFS
               || info->vf_id >= VIRTNET_MAX_VFS
               || (info->type != VIRTNET_VF
                   && !virtnet_registry_pf_id_is_free(info->pf_id))) {
        problem = xasprintf("PF id %"PRIu32" cannot be used", info->pf_id);
    } else if (info->sf_num < virtnet_sf_min(info->type)
               || info->sf_num > virtnet_sf_max(info->type)
               || !virtnet_registry_sf_num_is_free(info->sf_num)) {
        problem = xasprintf("SF number %"PRIu32" cannot be used",
                            info->sf_num);
    } else if (virtnet_device_by_rep(info->rep_name)) {
        problem = xasprintf("representor %s is another one's",
                            info->rep_name);
    }
    if (problem) {
        VLOG_WARN_RL(&rl, "%s: left out: %s", info->vuid, problem);
        free(problem);
        v->n_bad++;
        return;
    }

    dev = v->base.up.class->device_alloc(&v->base.up, info->type);
    vd = vendor_device_cast(dev);
    dev->vuid = xstrdup(info->vuid);
    dev->pf_id = info->pf_id;
    dev->vf_id = info->vf_id;
    dev->bdf = info->bdf;
    dev->ib_device = xstrdup(info->ib_device);
    dev->sf_num = info->sf_num;
    dev->attachment = "pci";
    ovs_strlcpy(dev->rep_name, info->rep_name, sizeof dev->rep_name);
    /* The switch's side has an address of its own, not the guest's. */
    dev->rep_mac = mlx5_port_make_mac(info->config.mac);
    bridge = shash_find_and_delete(&v->bridges, dev->vuid);
    dev->bridge = bridge;
    mlx5_rep_init(&vd->port.rep, info->config.mtu);
    take_info(vd, info, true);
    COVERAGE_INC(mlx5_vendor_appeared);
    VLOG_INFO("%s %s: appeared, "VIRTNET_BDF_FMT", SF %"PRIu32", "
              "representor %s", virtnet_function_type_name(dev->type),
              dev->vuid, VIRTNET_BDF_ARGS(dev->bdf), dev->sf_num,
              dev->rep_name);
    check_rep(v, vd);
    virtnet_adopt(dev);
}

static void
vanished(struct vendor_device *vd)
{
    COVERAGE_INC(mlx5_vendor_vanished);
    VLOG_INFO("%s %s: vanished", virtnet_function_type_name(vd->port.up.type),
              vd->port.up.vuid);
    virtnet_vanish(&vd->port.up);
}

/* Is 'dev', missing from 'list', in the way of a device of the list? */
static bool
is_replaced(const struct mlx5_vendor_list *list,
            const struct virtnet_device *dev)
{
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct mlx5_vendor_device *info = &list->devices[i];

        if (info->sf_num == dev->sf_num
            || !strcmp(info->rep_name, dev->rep_name)
            || ((info->type == VIRTNET_VF) == (dev->type == VIRTNET_VF)
                && info->pf_id == dev->pf_id && info->vf_id == dev->vf_id)) {
            return true;
        }
    }
    return false;
}

void
vendor_apply(struct vendor *v, const struct mlx5_vendor_list *list)
{
    int limit = (v->has_failed ? MISSING_LISTS_AFTER_FAILURE
                 : MISSING_LISTS);
    struct virtnet_device *dev;
    struct shash known = SHASH_INITIALIZER(&known);
    struct shash infos = SHASH_INITIALIZER(&infos);
    size_t n_missing = 0;

    for (size_t i = 0; i < list->n_devices; i++) {
        shash_add(&infos, list->devices[i].vuid, &list->devices[i]);
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        struct vendor_device *vd = vendor_device_cast(dev);
        const struct mlx5_vendor_device *info = shash_find_data(&infos,
                                                                dev->vuid);

        if (info && info->type == dev->type && info->pf_id == dev->pf_id
            && info->vf_id == dev->vf_id && info->sf_num == dev->sf_num) {
            vd->missing = 0;
            vd->removed = false;
            take_info(vd, info, false);
            check_rep(v, vd);
            shash_add(&known, dev->vuid, dev);
        } else if (info || vd->removed || is_replaced(list, dev)
                   || (!list->n_bad && ++vd->missing >= limit)) {
            vanished(vd);
        } else {
            n_missing++;
        }
    }
    for (size_t i = 0; i < list->n_devices; i++) {
        if (!shash_find(&known, list->devices[i].vuid)) {
            appeared(v, &list->devices[i]);
        }
    }
    if (!n_missing) {
        v->has_failed = false;
    }
    shash_destroy(&known);
    shash_destroy(&infos);
}
