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

/* Interfaces of type virtio-emu in bridges of the kernel datapath.
 *
 * There the port of a device is its representor itself, a network interface of
 * the kernel, whose name is that of the Interface.  It is opened as netdev of
 * type "system", so that all that Open vSwitch can do with such an interface
 * is there: flows offloaded through TC, QoS, policing, MTU, counters.  The
 * kernel has it as "system" after a restart, too.
 *
 * Which type of netdev stands for a type of Interface, dpif_port_open_type()
 * asks the datapath's class, but the kernel's has no answer, is constant, and
 * a copy of it is refused by what checks the class.  So the linker has calls
 * of that function come here first (--wrap, in automake.mk); Open vSwitch
 * needs no patch for it. */

#include <config.h>

#include <string.h>

#include "dpif.h"
#include "util.h"

const char *__real_dpif_port_open_type(const char *datapath_type,
                                       const char *port_type);
const char *__wrap_dpif_port_open_type(const char *datapath_type,
                                       const char *port_type);

const char *
__wrap_dpif_port_open_type(const char *datapath_type, const char *port_type)
{
    if (!strcmp(port_type, "virtio-emu")
        && !strcmp(dpif_normalize_type(datapath_type), "system")) {
        return "system";
    }
    return __real_dpif_port_open_type(datapath_type, port_type);
}
