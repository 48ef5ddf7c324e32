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

/* Modifications by the database.  See virtnet-row.h. */

#include <config.h>

#include "virtnet-row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "netdev-virtio-emu.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "smap.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-error.h"
#include "virtnet-health.h"
#include "virtnet-modify.h"
#include "virtnet-pool.h"

VLOG_DEFINE_THIS_MODULE(virtnet_row);

/* Options that are attributes of the device. */
static const struct {
    const char *option;
    enum virtnet_attr attr;
    int base;                   /* Of the number; 0 for a text. */
} attributes[] = {
    { "mac", VIRTNET_ATTR_MAC, 0 },
    { "mtu", VIRTNET_ATTR_MTU, 10 },
    { "features", VIRTNET_ATTR_FEATURES, 16 },
    { "queue-pairs", VIRTNET_ATTR_QUEUE_PAIRS, 10 },
    { "queue-size", VIRTNET_ATTR_QUEUE_SIZE, 10 },
    { "msix", VIRTNET_ATTR_MSIX, 10 },
    { "speed", VIRTNET_ATTR_SPEED, 10 },
};

/* Options that a device has from birth. */
static const char *const fixed[] = {
    "ib-dev", "sf-num", "transitional", "vhost-path", "vhost-mode",
};

bool
virtnet_row_has_option(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        if (!strcmp(option, attributes[i].option)) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (!strcmp(option, fixed[i])) {
            return true;
        }
    }
    return false;
}

/* Has 'option' another value than it had?  To take it away changes nothing. */
static bool
option_changed(const char *option, const struct smap *old,
               const struct smap *new)
{
    const char *value = smap_get(new, option);

    return value && !nullable_string_is_equal(value, smap_get(old, option));
}

static char *
refused(const struct virtnet_device *dev, int error, const char *detail)
{
    char *line = xasprintf("%s (%d)%s%s", virtnet_strerror(error), error,
                           detail ? ": " : "", detail ? detail : "");

    VLOG_WARN("%s: %s", dev->rep_name, line);
    return line;
}

/* A modification that took its time has come out. */
static void
modified(struct virtnet_device *dev, int error, const char *detail,
         void *aux OVS_UNUSED)
{
    if (error) {
        char *line = refused(dev, error, detail);

        if (dev->netdev) {
            virtio_emu_set_warning(dev->netdev, line);
        }
        free(line);
    }
}

/* Returns a line if 'mod' is refused. */
static char *
modify(struct virtnet_device *dev, const struct virtnet_modification *mod)
{
    char *detail = NULL;
    char *line = NULL;
    int error;

    error = virtnet_modify(dev, mod, modified, NULL, &detail);
    if (error && error != -EINPROGRESS) {
        line = refused(dev, error, detail);
    }
    free(detail);
    return line;
}

char *
virtnet_row_changed(struct virtnet_device *dev, const struct smap *old,
                    const struct smap *new)
{
    struct virtnet_modification mod;
    bool any = false;

    memset(&mod, 0, sizeof mod);
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        struct virtnet_attr_value *v = &mod.attrs[attributes[i].attr];
        const char *option = attributes[i].option;
        unsigned long long int number = 0;

        if (!option_changed(option, old, new)) {
            continue;
        }
        v->given = any = true;
        v->text = smap_get(new, option);
        if (attributes[i].base
            && !str_to_ullong(v->text, attributes[i].base, &number)) {
            return xasprintf("options:%s: \"%s\" is not a number", option,
                             v->text);
        }
        v->number = number;
    }
    if (any) {
        char *line = modify(dev, &mod);

        if (line) {
            return line;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (smap_get_bool(new, "hotplug", false)
            && option_changed(fixed[i], old, new)) {
            VLOG_WARN("%s: options:%s takes effect when the device is "
                      "plugged again", dev->rep_name, fixed[i]);
            return xasprintf("options:%s takes effect when the device is "
                             "plugged again", fixed[i]);
        }
    }
    return NULL;
}

char *
virtnet_row_mtu_changed(struct virtnet_device *dev, int mtu)
{
    struct virtnet_modification mod;

    if (mtu == dev->config.mtu) {
        return NULL;
    }
    memset(&mod, 0, sizeof mod);
    mod.attrs[VIRTNET_ATTR_MTU].given = true;
    mod.attrs[VIRTNET_ATTR_MTU].number = mtu;
    return modify(dev, &mod);
}

void
virtnet_row_get_status(const struct virtnet_device *dev, struct smap *status)
{
    const struct virtnet_device_config *c = &dev->config;
    struct virtnet_health health;

    smap_add(status, "vuid", dev->vuid);
    smap_add(status, "function_type", virtnet_function_type_name(dev->type));
    smap_add_format(status, "pci_bdf", VIRTNET_BDF_FMT,
                    VIRTNET_BDF_ARGS(dev->bdf));
    smap_add_format(status, "pf_id", "%u", dev->pf_id);
    if (dev->type == VIRTNET_VF) {
        smap_add_format(status, "vf_id", "%u", dev->vf_id);
    }
    smap_add_format(status, "sf_num", "%"PRIu32, dev->sf_num);
    smap_add(status, "representor", dev->rep_name);
    smap_add(status, "backend", dev->backend->class->type);
    if (dev->attachment) {
        smap_add(status, "attachment", dev->attachment);
    }
    if (dev->attachment_mode) {
        smap_add(status, "attachment_mode", dev->attachment_mode);
    }
    if (dev->attachment_path) {
        smap_add(status, "socket", dev->attachment_path);
    }
    smap_add_format(status, "mac", ETH_ADDR_FMT,
                    ETH_ADDR_ARGS(dev->config.mac));
    smap_add_format(status, "device_mtu", "%"PRIu16, dev->config.mtu);
    smap_add(status, "device_state", virtnet_device_state_name(dev->state));
    smap_add_format(status, "device_status", "0x%"PRIx8, dev->driver.status);
    smap_add_format(status, "device_feature", "0x%"PRIx64,
                    dev->config.features);
    smap_add_format(status, "driver_feature", "0x%"PRIx64,
                    dev->driver.features);
    smap_add_format(status, "num_msix", "%"PRIu16, dev->config.num_msix);
    smap_add_format(status, "num_queues", "%u",
                    virtnet_device_num_queues(dev));
    smap_add_format(status, "enabled_queues", "%u",
                    virtnet_device_enabled_queues(dev));
    smap_add_format(status, "max_queue_size", "%"PRIu16,
                    dev->config.max_queue_size);
    smap_add_format(status, "max_queue_pairs", "%"PRIu16,
                    dev->config.max_queue_pairs);
    smap_add_format(status, "transitional", "%d", dev->config.transitional);
    smap_add_format(status, "reset", "%d",
                    dev->state == VIRTNET_STATE_RESET);
    smap_add_format(status, "enabled", "%d", !dev->flr);
    smap_add_format(status, "msix_config_vector", "0x%"PRIX16,
                    dev->driver.msix_config_vector);
    smap_add_format(status, "ctrl_mac", ETH_ADDR_FMT,
                    ETH_ADDR_ARGS(dev->driver.ctrl_mac));
    smap_add_format(status, "ctrl_mq", "%"PRIu16, dev->driver.enabled_pairs);
    smap_add_format(status, "rss_max_key_size", "%"PRIu8, c->rss_key_size);
    smap_add_format(status, "supported_hash_types", "0x%"PRIx16,
                    c->hash_types);
    smap_add(status, "aarfs", c->aarfs ? "enabled" : "disabled");
    smap_add(status, "dim", c->dim ? "enabled" : "disabled");
    smap_add(status, "packet_counters",
             c->packet_counter ? "enabled" : "disabled");
    smap_add(status, "drop_counter",
             c->drop_counter ? "enabled" : "disabled");
    virtnet_device_get_health(dev, &health);
    smap_add(status, "health", health.fatal ? "Fatal" : "Good");
    smap_add_format(status, "health_recover_counter", "%"PRIu64,
                    health.recover_counter);
    smap_add_format(status, "sf_vhca_id", "0x%"PRIX16, dev->sf_vhca_id);
    smap_add(status, "sf_rqt_num", "0x0");
    smap_add(status, "migrating", dev->driver.migrating ? "1" : "0");
    if (dev->pool) {
        const struct virtnet_pool *p = dev->pool;

        smap_add_format(status, "msix_num_pool_size", "%u",
                        virtnet_device_free_msix(dev));
        smap_add_format(status, "min_msix_num", "%"PRIu16, p->min_msix);
        smap_add_format(status, "max_msix_num", "%"PRIu16, p->max_msix);
        smap_add_format(status, "min_num_of_qp", "%"PRIu16,
                        p->min_queue_pairs);
        smap_add_format(status, "max_num_of_qp", "%"PRIu16,
                        p->max_queue_pairs);
        smap_add_format(status, "qp_pool_size", "%lld",
                        MAX(p->queue_pairs, 0));
    }
    if (dev->driver.numa_id >= 0) {
        smap_add_format(status, "numa_id", "%d", dev->driver.numa_id);
    }
}
