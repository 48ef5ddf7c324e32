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

/* Where the controller and the switch meet.  See virtnet-hooks.h. */

#include <config.h>

#include "virtnet-hooks.h"

#include "auto-port.h"
#include "bridge.h"
#include "netdev-virtio-emu.h"
#include "offload.h"
#include "ovs-rcu.h"
#include "virtnet-controller.h"
#include "virtnet-events.h"
#include "virtnet-flow-provider.h"
#include "virtnet-host.h"
#include "virtnet-modify.h"
#include "virtnet-record-io.h"
#include "virtnet-reply.h"
#include "virtnet-unixctl.h"

void
virtnet_hooks_init(const char *remote)
{
    virtnet_controller_init();
    virtnet_backend_register_class(&virtnet_soft_backend_class);
    virtnet_backend_register_class(&virtnet_mlx5_backend_class);
    virtio_emu_register();
    virtnet_unixctl_init();
    virtnet_events_init();
    virtnet_flow_init();
    offload_init();
    auto_port_init(remote);
}

void
virtnet_hooks_run(void)
{
    offload_run();
    auto_port_run();
    virtnet_controller_run();
    virtnet_modify_run();
    virtnet_host_run();
    virtnet_unixctl_run();
    virtnet_events_run();
}

void
virtnet_hooks_wait(void)
{
    offload_wait();
    auto_port_wait();
    virtnet_controller_wait();
    virtnet_modify_wait();
    virtnet_host_wait();
    virtnet_unixctl_wait();
    virtnet_events_wait();
}

void
virtnet_hooks_exit(void)
{
    /* What somebody waits for comes out. */
    virtnet_record_io_flush();
    virtnet_record_io_run();
    virtnet_controller_exit();
    auto_port_exit();
    virtnet_record_io_flush();
    virtnet_reply_run();
}

void __real_bridge_exit(bool delete_datapath);
void __wrap_bridge_exit(bool delete_datapath);

/* Comes after virtnet_hooks_exit(), and has netdevs whose ports it deletes be
 * closed, too. */
void
__wrap_bridge_exit(bool delete_datapath)
{
    __real_bridge_exit(delete_datapath);
    ovsrcu_barrier();
    virtio_emu_close_unused();
}
