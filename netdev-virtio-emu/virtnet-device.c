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

/* The device model: life, state machine and derived numbers of one emulated
 * virtio-net function.  See virtnet-device.h. */

#include <config.h>

#include "virtnet-device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "netdev.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-pool.h"

VLOG_DEFINE_THIS_MODULE(virtnet_device);

/* A guest may reset its device as often as it likes; the log need not. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 40);

#define VIRTIO_NET_F_CTRL_VQ 17         /* VIRTIO 1.2, section 5.1.3. */

void
virtnet_device_init(struct virtnet_device *dev,
                    struct virtnet_backend *backend,
                    enum virtnet_function_type type)
{
    dev->backend = backend;
    dev->class = backend->class;
    dev->type = type;
    ovs_refcount_init(&dev->refcount);
    dev->state = VIRTNET_STATE_CREATED;
    dev->driver.msix_config_vector = VIRTNET_NO_MSIX_VECTOR;
    dev->driver.numa_id = -1;
    dev->config.mtu = VIRTNET_DEFAULT_MTU;
    dev->config.max_queue_pairs = VIRTNET_DEFAULT_QUEUE_PAIRS;
    dev->config.max_queue_size = VIRTNET_DEFAULT_QUEUE_SIZE;
    dev->config.speed = VIRTNET_DEFAULT_SPEED;
    dev->config.link_up = true;
    ovs_list_init(&dev->list_node);
}

void
virtnet_device_uninit(struct virtnet_device *dev)
{
    free(dev->vuid);
    free(dev->pool);
    free(dev->ib_device);
    free(dev->attachment_path);
    free(dev->bridge);
    free(dev->owner_port);
    free(dev->port_status);
    free(dev->port_bridge);
    free(dev->cleared);
}

void
virtnet_device_set_port_status(struct virtnet_device *dev, const char *status)
{
    if (!nullable_string_is_equal(dev->port_status, status)) {
        free(dev->port_status);
        dev->port_status = nullable_xstrdup(status);
    }
}

struct virtnet_device *
virtnet_device_ref(const struct virtnet_device *dev_)
{
    struct virtnet_device *dev = CONST_CAST(struct virtnet_device *, dev_);

    if (dev) {
        ovs_refcount_ref(&dev->refcount);
    }
    return dev;
}

static void
virtnet_device_dealloc(struct virtnet_device *dev)
{
    dev->class->device_dealloc(dev);
}

void
virtnet_device_unref(struct virtnet_device *dev)
{
    if (dev && ovs_refcount_unref(&dev->refcount) == 1) {
        /* A packet thread may have fetched the pointer just before the netdev
         * let go of it. */
        ovsrcu_postpone(virtnet_device_dealloc, dev);
    }
}

const char *
virtnet_function_type_name(enum virtnet_function_type type)
{
    switch (type) {
    case VIRTNET_STATIC_PF:
        return "static PF";
    case VIRTNET_HOTPLUG_PF:
        return "hotplug PF";
    case VIRTNET_VF:
        return "VF";
    }
    OVS_NOT_REACHED();
}

const char *
virtnet_device_state_name(enum virtnet_device_state state)
{
    switch (state) {
    case VIRTNET_STATE_CREATED:
        return "created";
    case VIRTNET_STATE_DRIVER_FOUND:
        return "driver found";
    case VIRTNET_STATE_FEATURES_OK:
        return "features ok";
    case VIRTNET_STATE_DRIVER_OK:
        return "driver ok";
    case VIRTNET_STATE_RESET:
        return "reset";
    case VIRTNET_STATE_UNPLUGGED:
        return "unplugged";
    }
    OVS_NOT_REACHED();
}

/* The state that a device in state 'old' is in after its driver has left
 * 'info' behind. */
static enum virtnet_device_state
virtnet_next_state(enum virtnet_device_state old,
                   const struct virtnet_driver_info *info)
{
    if (old == VIRTNET_STATE_UNPLUGGED) {
        return VIRTNET_STATE_UNPLUGGED;
    } else if (info->status & VIRTNET_STATUS_DRIVER_OK) {
        return VIRTNET_STATE_DRIVER_OK;
    } else if (info->status & VIRTNET_STATUS_FEATURES_OK) {
        return VIRTNET_STATE_FEATURES_OK;
    } else if (info->status & VIRTNET_STATUS_DRIVER) {
        return VIRTNET_STATE_DRIVER_FOUND;
    } else if (info->attached && old != VIRTNET_STATE_CREATED) {
        return VIRTNET_STATE_RESET;
    } else {
        return VIRTNET_STATE_CREATED;
    }
}

void
virtnet_device_driver_changed(struct virtnet_device *dev,
                              const struct virtnet_driver_info *info)
{
    enum virtnet_device_state old = dev->state;

    dev->state = virtnet_next_state(old, info);
    dev->driver = *info;
    if (!(info->status & VIRTNET_STATUS_FEATURES_OK)) {
        dev->driver.features = 0;
    }
    if (virtnet_device_has_driver(dev)) {
        dev->flr = false;
    }
    if (dev->state != old) {
        VLOG_INFO_RL(&rl, "%s[%u] %s: %s -> %s",
                     virtnet_function_type_name(dev->type),
                     dev->type == VIRTNET_VF ? dev->vf_id : dev->pf_id,
                     dev->vuid, virtnet_device_state_name(old),
                     virtnet_device_state_name(dev->state));
    }
    virtnet_controller_device_changed(dev);
}

bool
virtnet_device_has_driver(const struct virtnet_device *dev)
{
    return dev->driver.status & (VIRTNET_STATUS_DRIVER
                                 | VIRTNET_STATUS_DRIVER_OK);
}

void
virtnet_queue_info_add(struct virtnet_queue_info *sum,
                       const struct virtnet_queue_info *info)
{
    sum->received_desc += info->received_desc;
    sum->completed_desc += info->completed_desc;
    sum->bad_desc_errors += info->bad_desc_errors;
    sum->error_cqes += info->error_cqes;
    sum->exceed_max_chain += info->exceed_max_chain;
    sum->invalid_buffer += info->invalid_buffer;
    sum->drops += info->drops;
}

size_t
virtnet_put_queue_totals(const struct virtnet_queue_info *sum,
                         struct netdev_custom_counter *counters)
{
    const struct {
        const char *name;
        uint64_t value;
    } totals[] = {
        { "virtnet_received_desc", sum->received_desc },
        { "virtnet_completed_desc", sum->completed_desc },
        { "virtnet_bad_desc_errors", sum->bad_desc_errors },
        { "virtnet_error_cqes", sum->error_cqes },
        { "virtnet_exceed_max_chain", sum->exceed_max_chain },
        { "virtnet_invalid_buffer", sum->invalid_buffer },
    };

    BUILD_ASSERT_DECL(ARRAY_SIZE(totals) == VIRTNET_N_QUEUE_TOTALS);
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
        ovs_strlcpy(counters[i].name, totals[i].name,
                    sizeof counters[i].name);
        counters[i].value = totals[i].value;
    }
    return ARRAY_SIZE(totals);
}

unsigned int
virtnet_device_num_queues(const struct virtnet_device *dev)
{
    bool ctrl = dev->config.features & (UINT64_C(1) << VIRTIO_NET_F_CTRL_VQ);

    return 2 * dev->config.max_queue_pairs + ctrl;
}

unsigned int
virtnet_device_free_msix(const struct virtnet_device *pf)
{
    const struct virtnet_backend_class *class = pf->backend->class;
    int told = class->get_free_msix ? class->get_free_msix(pf) : -1;

    return (!pf->pool ? 0
            : told >= 0 ? told
            : MAX(pf->pool->msix, 0));
}

unsigned int
virtnet_device_enabled_queues(const struct virtnet_device *dev)
{
    bool ctrl = dev->driver.features & (UINT64_C(1) << VIRTIO_NET_F_CTRL_VQ);

    return (dev->state == VIRTNET_STATE_DRIVER_OK
            ? 2 * MIN(dev->driver.enabled_pairs, dev->config.max_queue_pairs)
              + ctrl
            : 0);
}

bool
virtnet_device_carrier(const struct virtnet_device *dev)
{
    return dev->config.link_up && dev->state == VIRTNET_STATE_DRIVER_OK;
}

unsigned int
virtnet_device_active_rxqs(const struct virtnet_device *dev)
{
    return (virtnet_device_carrier(dev)
            ? MIN(MAX(dev->driver.enabled_pairs, dev->driver.ring_pairs),
                  dev->config.max_queue_pairs)
            : 0);
}
