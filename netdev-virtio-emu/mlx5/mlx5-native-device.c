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

/* Functions as devices: the steps of their life, and their configuration.  See
 * mlx5-native-device.h. */

#include <config.h>

#include "mlx5-native-device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-record.h"
#include "virtnet-registry.h"

struct native_device *
native_find_device(const struct native *n, uint16_t vhca_id)
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

/* Which function it is. */

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

char *
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

/* Life. */

struct virtnet_device *
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

void
native_device_dealloc(struct virtnet_device *dev)
{
    struct native_device *nd = native_device_cast(dev);

    mlx5_port_uninit(&nd->port);
    free(nd->vfs);
    free(nd->unplug_reason);
    free(nd);
}

int
native_device_construct(struct virtnet_device *dev, char **errp)
{
    const struct mlx5_emu_function *function;
    int error = native_refuse_for_rival(native_cast(dev->backend), errp);

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

void
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

int
native_device_plug(struct virtnet_device *dev, char **errp OVS_UNUSED)
{
    native_take_function(native_device_cast(dev));
    return -EINPROGRESS;
}

int
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

/* Configuration. */

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

int
native_apply_config(struct virtnet_device *dev,
                    const struct virtnet_device_config *new, uint32_t changed,
                    char **errp)
{
    struct native_device *nd = native_device_cast(dev);
    struct native *n = native_of(nd);
    unsigned int parts = 0;
    struct mlx5_emu_config c;
    uint32_t known = 0;
    int error = native_refuse_for_rival(n, errp);

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
