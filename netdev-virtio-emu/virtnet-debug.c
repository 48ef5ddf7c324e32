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

/* Debugging.  See virtnet-debug.h. */

#include <config.h>

#include "virtnet-debug.h"

#include <string.h>

#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-json.h"
#include "virtnet-life.h"
#include "virtnet-pool.h"

VLOG_DEFINE_THIS_MODULE(virtnet_debug);

struct virtnet_debug_counters
virtnet_debug_count(const struct virtnet_device *dev,
                    const struct virtnet_queue_info *info)
{
    struct virtnet_debug_counters c = { info->packets, info->drops };

    if (info->index < dev->n_cleared) {
        const struct virtnet_debug_counters *cleared
            = &dev->cleared[info->index];

        /* They begin anew with another driver. */
        if (cleared->packets <= c.packets && cleared->drops <= c.drops) {
            c.packets -= cleared->packets;
            c.drops -= cleared->drops;
        }
    }
    return c;
}

void
virtnet_debug_clear(struct virtnet_device *dev)
{
    free(dev->cleared);
    dev->n_cleared = virtnet_device_num_queues(dev);
    dev->cleared = xcalloc(dev->n_cleared, sizeof *dev->cleared);
    for (unsigned int i = 0; i < dev->n_cleared; i++) {
        struct virtnet_queue_info info;

        memset(&info, 0, sizeof info);
        if (!dev->backend->class->get_queue_info(dev, i, &info)) {
            dev->cleared[i].packets = info.packets;
            dev->cleared[i].drops = info.drops;
        }
    }
}

void
virtnet_debug_queues(struct virtnet_json *j, const struct virtnet_device *dev,
                     int only)
{
    virtnet_json_string(j, "vuid", dev->vuid);
    virtnet_json_string(j, "device_state",
                        virtnet_device_state_name(dev->state));
    virtnet_json_number(j, "enabled_pairs", dev->driver.enabled_pairs);
    virtnet_json_number(j, "ring_pairs", dev->driver.ring_pairs);
    virtnet_json_number(j, "numa_id", dev->driver.numa_id);
    virtnet_json_begin_array(j, "queues");
    for (unsigned int i = 0; i < virtnet_device_num_queues(dev); i++) {
        struct virtnet_queue_info q;

        memset(&q, 0, sizeof q);
        if ((only >= 0 && only != i)
            || dev->backend->class->get_queue_info(dev, i, &q)) {
            continue;
        }
        virtnet_json_begin_object(j, NULL);
        virtnet_json_number(j, "index", q.index);
        virtnet_json_number(j, "enabled", q.enabled);
        virtnet_json_number(j, "size", q.size);
        virtnet_json_hex(j, "desc_addr", q.desc_addr);
        virtnet_json_hex(j, "driver_addr", q.driver_addr);
        virtnet_json_hex(j, "device_addr", q.device_addr);
        virtnet_json_number(j, "packets", q.packets);
        virtnet_json_number(j, "total_bytes", q.total_bytes);
        virtnet_json_number(j, "drops", q.drops);
        virtnet_json_number(j, "received_desc", q.received_desc);
        virtnet_json_number(j, "completed_desc", q.completed_desc);
        virtnet_json_number(j, "core_id", q.core_id);
        virtnet_json_end_object(j);
    }
    virtnet_json_end_array(j);
}

void
virtnet_debug_pools(struct virtnet_json *j)
{
    struct virtnet_device *dev;

    virtnet_json_begin_object(j, "sf_pool");
    virtnet_json_number(j, "total", virtnet_sfs.total);
    virtnet_json_number(j, "target", virtnet_sfs.target);
    virtnet_json_number(j, "made", virtnet_sfs.made);
    virtnet_json_number(j, "free", virtnet_sfs.n_free);
    virtnet_json_number(j, "used", virtnet_sfs.n_used);
    virtnet_json_end_object(j);
    virtnet_json_begin_array(j, "pfs");
    VIRTNET_FOR_EACH_DEVICE (dev) {
        const struct virtnet_pool *pool = dev->pool;

        if (pool) {
            virtnet_json_begin_object(j, NULL);
            virtnet_json_number(j, "pf_id", dev->pf_id);
            virtnet_json_number(j, "msix", pool->msix);
            virtnet_json_number(j, "queue_pairs", pool->queue_pairs);
            virtnet_json_number(j, "default_msix", pool->def_msix);
            virtnet_json_number(j, "default_queue_pairs",
                                pool->def_queue_pairs);
            virtnet_json_end_object(j);
        }
    }
    virtnet_json_end_array(j);
}

void
virtnet_debug_fault(const char *what)
{
    static const struct {
        const char *name;
        enum virtnet_fault fault;
    } faults[] = {
        { "none", VIRTNET_FAULT_NONE },
        { "modify", VIRTNET_FAULT_MODIFY },
        { "hotplug", VIRTNET_FAULT_HOTPLUG },
        { "sf", VIRTNET_FAULT_SF },
        { "record", VIRTNET_FAULT_RECORD },
    };

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        if (!strcmp(what, faults[i].name)) {
            virtnet_next_fault = faults[i].fault;
            if (faults[i].fault != VIRTNET_FAULT_NONE) {
                VLOG_WARN("the next step of kind \"%s\" will fail", what);
            }
        }
    }
}
