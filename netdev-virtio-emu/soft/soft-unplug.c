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

/* Flows of devices that are being unplugged.  See soft-unplug.h. */

#include <config.h>

#include "soft-unplug.h"

#include "openvswitch/list.h"
#include "soft-backend.h"
#include "soft-eswitch.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-slice.h"

/* A fraction of a millisecond. */
#define FLOWS_AT_ONCE 100

/* Contains "struct soft_device"s. */
static struct ovs_list unplugging = OVS_LIST_INITIALIZER(&unplugging);

/* Carries on with 'sd' while 'slice' lasts.  Returns true if it has no flows
 * any more. */
static bool
end_flows(struct soft_device *sd, struct virtnet_slice *slice)
{
    struct soft_port *port = sd->rep.eswitch_port;

    while (soft_port_has_flows(port)) {
        if (virtnet_slice_is_over(slice)) {
            return false;
        }
        soft_port_end_flows(port, FLOWS_AT_ONCE);
    }
    return true;
}

static void
forget(struct soft_device *sd)
{
    ovs_list_remove(&sd->unplug_node);
    ovs_list_init(&sd->unplug_node);
}

bool
soft_unplug_begin(struct soft_device *sd, bool force)
{
    struct virtnet_slice slice;

    forget(sd);
    virtnet_slice_begin(&slice, true);
    if (force || end_flows(sd, &slice)) {
        return true;
    }
    ovs_list_push_back(&unplugging, &sd->unplug_node);
    return false;
}

void
soft_unplug_run(void)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, true);
    while (!ovs_list_is_empty(&unplugging)) {
        struct soft_device *sd = CONTAINER_OF(ovs_list_front(&unplugging),
                                              struct soft_device,
                                              unplug_node);

        if (!end_flows(sd, &slice)) {
            return;
        }
        forget(sd);
        virtnet_device_step_done(&sd->up, 0, NULL);
    }
}

void
soft_unplug_wait(void)
{
    if (!ovs_list_is_empty(&unplugging)) {
        virtnet_slice_wait();
    }
}
