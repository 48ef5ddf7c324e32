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

/* Options of a netdev of the class "virtio-emu": which device it is to have,
 * perhaps a new one.  See netdev-virtio-private.h. */

#include <config.h>

#include "netdev-virtio-private.h"

#include <errno.h>
#include <inttypes.h>

#include "netdev-virtio-emu.h"
#include "openvswitch/netdev.h"
#include "openvswitch/vlog.h"
#include "virtnet-life.h"
#include "virtnet-row.h"

VLOG_DEFINE_THIS_MODULE(netdev_virtio_config);

/* Selectors. */

enum selector {
    SELECT_NAME,                /* The Interface's name. */
    SELECT_VUID,                /* options:vuid. */
    SELECT_PF,                  /* options:pf. */
    SELECT_VF,                  /* options:pf and options:vf. */
    SELECT_HOTPLUG,             /* options:hotplug=true. */
};

static char * OVS_WARN_UNUSED_RESULT
selector_error(char **errp, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

static char *
selector_error(char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return NULL;
}

/* Options that say which device a port has. */
static const char *const selectors[] = { "vuid", "pf", "vf", "hotplug" };

static bool
is_option(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(selectors); i++) {
        if (!strcmp(option, selectors[i])) {
            return true;
        }
    }
    return (virtnet_row_has_option(option)
            || virtio_emu_dpdk_has_option(option));
}

/* Returns a line, which the caller must free, that names what in 'args' is no
 * option, or NULL. */
static char *
unknown_option(const struct smap *args)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, args) {
        if (!is_option(node->key)) {
            return xasprintf("options:%s: there is no such option", node->key);
        }
    }
    return NULL;
}

/* Returns the selector that 'args' and 'name' make, as a key of
 * 'virtio_emu_netdevs' that the caller must free, and its kind in '*kind'.
 * Returns NULL, with a line in '*errp', if they make none. */
static char *
selector_key(const char *name, const struct smap *args, enum selector *kind,
             unsigned int *pf, unsigned int *vf, char **errp)
{
    const char *hotplug_s = smap_get(args, "hotplug");
    const char *vuid = smap_get(args, "vuid");
    const char *pf_s = smap_get(args, "pf");
    const char *vf_s = smap_get(args, "vf");
    bool hotplug = hotplug_s && !strcmp(hotplug_s, "true");

    if (hotplug_s && !hotplug && strcmp(hotplug_s, "false")) {
        return selector_error(errp, "options:hotplug: \"%s\" is neither "
                              "\"true\" nor \"false\"", hotplug_s);
    } else if (!!vuid + !!pf_s + hotplug > 1) {
        return selector_error(errp, "only one of options:vuid, options:pf "
                              "and options:hotplug may be given");
    } else if (vf_s && !pf_s) {
        return selector_error(errp, "options:vf needs options:pf");
    } else if (pf_s && !str_to_uint(pf_s, 10, pf)) {
        return selector_error(errp, "options:pf: \"%s\" is not a number",
                              pf_s);
    } else if (vf_s && !str_to_uint(vf_s, 10, vf)) {
        return selector_error(errp, "options:vf: \"%s\" is not a number",
                              vf_s);
    } else if (vuid) {
        *kind = SELECT_VUID;
        return xasprintf("vuid:%s", vuid);
    } else if (vf_s) {
        *kind = SELECT_VF;
        return xasprintf("vf:%u:%u", *pf, *vf);
    } else if (pf_s) {
        *kind = SELECT_PF;
        return xasprintf("pf:%u", *pf);
    } else if (hotplug) {
        *kind = SELECT_HOTPLUG;
        return xasprintf("hotplug:%s", name);
    } else {
        *kind = SELECT_NAME;
        return xasprintf("name:%s", name);
    }
}

static struct virtnet_device *
selector_find(enum selector kind, const char *name, const struct smap *args,
              unsigned int pf, unsigned int vf)
{
    switch (kind) {
    case SELECT_NAME:
        return virtnet_device_by_rep(name);
    case SELECT_VUID:
        return virtnet_device_by_vuid(smap_get(args, "vuid"));
    case SELECT_PF:
        return virtnet_device_by_pf(pf);
    case SELECT_VF:
        return virtnet_device_by_vf(pf, vf);
    case SELECT_HOTPLUG:
        return virtnet_device_by_owner(name);
    }
    OVS_NOT_REACHED();
}

/* Parses option 'key' as a number into '*value'.  Leaves it alone if there is
 * no such option. */
static int
option_number(const struct smap *args, const char *key, int base,
              unsigned long long *value, bool *has, char **errp)
{
    const char *s = smap_get(args, key);

    if (s) {
        if (!str_to_ullong(s, base, value)) {
            *errp = xasprintf("options:%s: \"%s\" is not a number", key, s);
            return EINVAL;
        }
        if (has) {
            *has = true;
        }
    }
    return 0;
}

void
virtio_emu_set_warning(struct netdev *netdev, const char *warning)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    free(nd->config_warning);
    nd->config_warning = nullable_xstrdup(warning);
    netdev_change_seq_changed(netdev);
}

/* A device that took its time, for Interface 'name_', is there, or not. */
static void
virtio_emu_hotplugged(struct virtnet_device *dev OVS_UNUSED, int error,
                      const char *reason, void *name_)
{
    char *name = name_;
    char *key = xasprintf("hotplug:%s", name);
    struct netdev_virtio_emu *nd = shash_find_data(&virtio_emu_netdevs, key);
    char *text = NULL;

    if (error) {
        text = xasprintf("%s (%d)%s%s", virtnet_strerror(error), error,
                         reason ? ": " : "", reason ? reason : "");
        VLOG_WARN("%s: no device: %s", name, text);
    }
    if (nd) {
        virtio_emu_set_warning(&nd->up, text);
    }
    free(text);
    free(key);
    free(name);
}

/* Creates the device that 'args', the options of Interface 'name', describe.
 * The keys are those of "virtnet hotplug", with the same rules. */
static int
virtio_emu_hotplug(const char *name, const struct smap *args,
                   struct virtnet_device **devp, char **errp)
{
    struct virtnet_hotplug_request req = {
        .ib_device = smap_get(args, "ib-dev"),
        .mac = smap_get(args, "mac"),
        .mtu = VIRTNET_DEFAULT_MTU,
        .queue_size = VIRTNET_DEFAULT_QUEUE_SIZE,
        .has_queue_pairs = true,
        .queue_pairs = VIRTNET_DEFAULT_QUEUE_PAIRS,
        .transitional = smap_get_bool(args, "transitional", false),
        .owner_port = name,
        .vhost_path = smap_get(args, "vhost-path"),
        .vhost_mode = smap_get(args, "vhost-mode"),
    };
    unsigned long long features = 0;
    char *detail = NULL;
    char *owned_name;
    int error;

    if (!req.ib_device) {
        req.ib_device = virtnet_controller_settings()->ib_dev_p0;
    }
    if (!req.mac) {
        *errp = xstrdup("options:hotplug needs options:mac");
        return EINVAL;
    }
    error = option_number(args, "mtu", 10, &req.mtu, NULL, errp);
    if (!error) {
        error = option_number(args, "queue-pairs", 10, &req.queue_pairs, NULL,
                              errp);
    }
    if (!error) {
        error = option_number(args, "queue-size", 10, &req.queue_size, NULL,
                              errp);
    }
    if (!error) {
        error = option_number(args, "sf-num", 10, &req.sf_num,
                              &req.has_sf_num, errp);
    }
    if (!error) {
        error = option_number(args, "features", 16, &features, NULL, errp);
    }
    if (error) {
        return error;
    }
    req.features = features;

    owned_name = xstrdup(name);
    error = virtnet_controller_start_hotplug(&req, virtio_emu_hotplugged,
                                             owned_name, devp, &detail);
    if (error != -EINPROGRESS) {
        free(owned_name);
    }
    if (error) {
        *errp = xasprintf("%s (%d)%s%s", virtnet_strerror(error), error,
                          detail ? ": " : "", detail ? detail : "");
        free(detail);
        return error > -VIRTNET_ERROR_BASE ? -error : EINVAL;
    }
    return 0;
}

int
virtio_emu_set_config(struct netdev *netdev, const struct smap *args,
                      char **errp)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const char *name = netdev_get_name(netdev);
    struct netdev_virtio_emu *other;
    struct virtnet_device *dev;
    unsigned int pf = 0, vf = 0;
    enum selector kind = SELECT_NAME;
    const char *reason;
    char *local_err = NULL;
    char *warning;
    char *key;
    int error;

    virtio_emu_hold(nd);
    if ((virtio_emu_dev(nd) || (nd->lost && virtio_emu_recheck_is_due()))
        && smap_equal(&nd->args, args)) {
        /* A port whose device has just gone will go soon, too. */
        return 0;
    }

    key = selector_key(name, args, &kind, &pf, &vf, &local_err);
    if (!key) {
        error = EINVAL;
        goto error;
    }

    if (nd->selector_node && !strcmp(nd->selector_node->name, key)) {
        if (virtio_emu_dev(nd)) {
            /* The same device, other attributes.  To fail would take the port
             * away from its guest, so the status says what is refused. */
            warning = virtnet_row_changed(virtio_emu_dev(nd), &nd->args, args);
            if (!warning) {
                warning = unknown_option(args);
            }
            virtio_emu_set_warning(netdev, warning);
            free(warning);
            smap_destroy(&nd->args);
            smap_clone(&nd->args, args);
            if (virtio_emu_dpdk(nd)) {
                virtio_emu_dpdk_set_config(virtio_emu_dpdk(nd), args);
            }
            free(key);
            return 0;
        }
    } else {
        other = shash_find_data(&virtio_emu_netdevs, key);
        if (other && virtio_emu_is_removed(other)) {
            virtio_emu_unbind(other, true);
            virtio_emu_forget_selector(other);
            other = NULL;
        }
        if (other) {
            local_err = xasprintf("port %s has the same device",
                                  netdev_get_name(&other->up));
            error = EBUSY;
            goto error;
        }
        virtio_emu_unbind(nd, true);
        virtio_emu_forget_selector(nd);
        nd->selector_node = shash_add(&virtio_emu_netdevs, key, nd);
    }
    smap_destroy(&nd->args);
    smap_clone(&nd->args, args);

    if (!virtnet_controller_is_running(&reason)) {
        if (!reason) {
            free(key);
            return 0;           /* Starting: wait for it. */
        }
        local_err = xstrdup(reason);
        error = ENODEV;
        goto error;
    }

    dev = selector_find(kind, name, args, pf, vf);
    if (!dev && kind == SELECT_HOTPLUG) {
        /* Better none than another than was meant. */
        local_err = unknown_option(args);
        if (local_err) {
            error = EINVAL;
            goto error;
        }
        error = (virtnet_making_by_owner(name) ? EINPROGRESS
                 : virtio_emu_hotplug(name, args, &dev, &local_err));
        if (error == EINPROGRESS) {
            free(local_err);
            free(key);
            return 0;           /* Wait for it. */
        } else if (error) {
            goto error;
        }
    }
    if (!dev) {
        local_err = (kind == SELECT_NAME
                     ? xasprintf("one of options:vuid, options:pf and "
                                 "options:hotplug is needed, since %s is not "
                                 "the name of a representor", name)
                     : xasprintf("no device with %s", key));
        error = ENODEV;
        goto error;
    }
    if (dev->netdev != &nd->up) {
        if (dev->netdev
            && virtio_emu_is_removed(netdev_virtio_emu_cast(dev->netdev))) {
            virtio_emu_unbind(netdev_virtio_emu_cast(dev->netdev), true);
        }
        if (dev->netdev) {
            local_err = xasprintf("device %s is port %s already", dev->vuid,
                                  netdev_get_name(dev->netdev));
            error = EBUSY;
            goto error;
        }
        virtio_emu_bind(nd, dev);
        warning = unknown_option(args);
        if (warning) {
            VLOG_WARN("%s: %s", name, warning);
            virtio_emu_set_warning(netdev, warning);
            free(warning);
        }
        /* Somebody may wait for its port. */
        virtnet_controller_device_changed(dev);
    }
    free(key);
    return 0;

error:
    free(key);
    if (errp) {
        *errp = xasprintf("%s: %s", name, local_err);
    }
    free(local_err);
    return error;
}

int
virtio_emu_get_config(const struct netdev *netdev, struct smap *args)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    smap_destroy(args);
    smap_clone(args, &nd->args);
    if (dev) {
        smap_replace(args, "vuid", dev->vuid);
        smap_add_format(args, "rx_queues", "%d", netdev->n_rxq);
        smap_add_format(args, "tx_queues", "%d", netdev->n_txq);
        smap_add_format(args, "max_queue_pairs", "%"PRIu16,
                        dev->config.max_queue_pairs);
        smap_add_format(args, "mtu", "%d", nd->mtu);
    }
    return 0;
}
