# Copyright (c) 2026 The ovs-virtio-emu authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

EXTRA_DIST += \
	vswitchd-patches/3.1.0/series \
	vswitchd-patches/3.1.0/0001-vswitchd-Call-hooks-of-a-linked-in-controller.patch \
	vswitchd-patches/3.1.0/0002-dpif-netdev-Let-idle-queues-out-of-the-loop.patch \
	vswitchd-patches/3.1.0/0003-dpif-netdev-Let-a-netdev-forward-packets-itself.patch \
	vswitchd-patches/3.1.0/0004-bridge-Delete-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/3.1.0/0005-bridge-After-a-configuration-write-new-status-only.patch \
	vswitchd-patches/3.1.0/0006-dpif-netdev-Find-ports-by-name.patch \
	vswitchd-patches/3.1.0/0007-dpif-netdev-Flush-the-ports-that-have-output.patch \
	vswitchd-patches/3.1.0/0008-dpif-netdev-Modify-the-flow-that-is-asked-for.patch \
	vswitchd-patches/3.1.0/0009-bridge-Add-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/3.1.0/0010-ofproto-Leave-the-MTU-alone-if-it-has-not-changed.patch \
	vswitchd-patches/3.1.0/0011-dpif-netdev-Let-offload-threads-sleep-for-a-moment-only.patch \
	vswitchd-patches/3.1.0/0012-bridge-Leave-alone-what-a-netdev-does-not-know-yet.patch \
	vswitchd-patches/3.1.0/0013-dpif-netdev-Do-not-look-at-every-port-in-every-turn.patch \
	vswitchd-patches/3.5.0/series \
	vswitchd-patches/3.5.0/0001-vswitchd-Call-hooks-of-a-linked-in-controller.patch \
	vswitchd-patches/3.5.0/0002-netdev-dpdk-Build-with-DPDK-22.11.patch \
	vswitchd-patches/3.5.0/0003-dpif-netdev-Let-idle-queues-out-of-the-loop.patch \
	vswitchd-patches/3.5.0/0004-dpif-netdev-Let-a-netdev-forward-packets-itself.patch \
	vswitchd-patches/3.5.0/0005-bridge-Delete-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/3.5.0/0006-bridge-After-a-configuration-write-new-status-only.patch \
	vswitchd-patches/3.5.0/0007-dpif-netdev-Find-ports-by-name.patch \
	vswitchd-patches/3.5.0/0008-dpif-netdev-Flush-the-ports-that-have-output.patch \
	vswitchd-patches/3.5.0/0009-bridge-Add-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/3.5.0/0010-ofproto-Leave-the-MTU-alone-if-it-has-not-changed.patch \
	vswitchd-patches/3.5.0/0011-dpif-netdev-Let-offload-threads-sleep-for-a-moment-only.patch \
	vswitchd-patches/3.5.0/0012-bridge-Leave-alone-what-a-netdev-does-not-know-yet.patch \
	vswitchd-patches/3.5.0/0013-dpif-netdev-Do-not-look-at-every-port-in-every-turn.patch \
	vswitchd-patches/4.0.0/series \
	vswitchd-patches/4.0.0/0001-vswitchd-Call-hooks-of-a-linked-in-controller.patch \
	vswitchd-patches/4.0.0/0002-netdev-dpdk-Build-with-DPDK-22.11.patch \
	vswitchd-patches/4.0.0/0003-dpif-offload-Let-providers-register-from-outside.patch \
	vswitchd-patches/4.0.0/0004-dpif-netdev-Let-idle-queues-out-of-the-loop.patch \
	vswitchd-patches/4.0.0/0005-dpif-netdev-Let-a-netdev-forward-packets-itself.patch \
	vswitchd-patches/4.0.0/0006-bridge-Delete-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/4.0.0/0007-bridge-After-a-configuration-write-new-status-only.patch \
	vswitchd-patches/4.0.0/0008-dpif-netdev-Find-ports-by-name.patch \
	vswitchd-patches/4.0.0/0009-dpif-netdev-Flush-the-ports-that-have-output.patch \
	vswitchd-patches/4.0.0/0010-dpif-netdev-Make-room-for-queues-of-all-packets.patch \
	vswitchd-patches/4.0.0/0011-bridge-Add-ports-for-a-while-in-each-turn.patch \
	vswitchd-patches/4.0.0/0012-ofproto-Leave-the-MTU-alone-if-it-has-not-changed.patch \
	vswitchd-patches/4.0.0/0013-bridge-Leave-alone-what-a-netdev-does-not-know-yet.patch \
	vswitchd-patches/4.0.0/0014-dpif-netdev-Do-not-look-at-every-port-in-every-turn.patch \
	vswitchd-patches/4.0.0/0015-dpif-offload-dpdk-Let-offload-threads-sleep-for-a-moment-only.patch

# After a change of any patch Open vSwitch's tree is made again, and what is
# different in it is built.
$(OVS_DIR).source: $(wildcard $(OVS_PATCHES)/*.patch)
