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

# ovs-vswitchd, linked from the objects of the patched tree and the plugin.
sbin_PROGRAMS += vswitchd/ovs-vswitchd
vswitchd_ovs_vswitchd_SOURCES = \
	ofproto-hooks/auto-port-rows.c \
	ofproto-hooks/auto-port-rows.h \
	ofproto-hooks/auto-port.c \
	ofproto-hooks/auto-port.h \
	ofproto-hooks/kernel-port.c \
	ofproto-hooks/local-address.c \
	ofproto-hooks/offload-dpif.c \
	ofproto-hooks/offload-netdev.c \
	ofproto-hooks/offload-rep.c \
	ofproto-hooks/offload-share.c \
	ofproto-hooks/offload-share.h \
	ofproto-hooks/offload-uplink.c \
	ofproto-hooks/offload-uplink.h \
	ofproto-hooks/offload.h \
	ofproto-hooks/virtnet-hooks.c \
	ofproto-hooks/virtnet-hooks.h
OVS_LIBS = \
	$(OVS_DIR)/ofproto/libofproto.la \
	$(OVS_DIR)/lib/libsflow.la \
	$(OVS_DIR)/lib/libopenvswitch.la
vswitchd_ovs_vswitchd_LDADD = \
	$(OVS_DIR)/vswitchd/bridge.$(OBJEXT) \
	$(OVS_DIR)/vswitchd/ovs-vswitchd.$(OBJEXT) \
	$(OVS_DIR)/vswitchd/system-stats.$(OBJEXT) \
	netdev-virtio-emu/libvirtnet.la \
	$(OVS_LIBS) \
	$(DPDK_LIBS)
if DPIF_OFFLOAD
# See offload-dpif.c.
DPIF_WRAPS = \
	-Wl,--wrap=dpif_offload_datapath_flow_del \
	-Wl,--wrap=dpif_offload_datapath_flow_put \
	-Wl,--wrap=dpif_offload_datapath_flow_stats
else
# See offload-netdev.c.
DPIF_WRAPS = \
	-Wl,--wrap=dpif_flow_dump_next \
	-Wl,--wrap=dpif_operate
endif
# See offload-rep.c.
DPDK_WRAPS = \
	-Wl,--wrap=netdev_dpdk_flow_api_supported \
	-Wl,--wrap=netdev_dpdk_get_port_id \
	-Wl,--wrap=netdev_dpdk_rte_flow_create \
	-Wl,--wrap=netdev_dpdk_rte_flow_destroy \
	-Wl,--wrap=netdev_dpdk_rte_flow_get_restore_info \
	-Wl,--wrap=netdev_dpdk_rte_flow_query_count \
	-Wl,--wrap=netdev_dpdk_rte_flow_tunnel_action_decap_release \
	-Wl,--wrap=netdev_dpdk_rte_flow_tunnel_decap_set \
	-Wl,--wrap=netdev_dpdk_rte_flow_tunnel_item_release \
	-Wl,--wrap=netdev_dpdk_rte_flow_tunnel_match
# See virtnet-hooks.c, kernel-port.c, local-address.c and offload-uplink.h.
vswitchd_ovs_vswitchd_LDFLAGS = \
	$(AM_LDFLAGS) \
	$(DPIF_WRAPS) \
	-Wl,--wrap=bridge_exit \
	-Wl,--wrap=dpif_port_open_type \
	-Wl,--wrap=freeifaddrs \
	-Wl,--wrap=getifaddrs \
	$(DPDK_WRAPS) \
	-Wl,--wrap=netdev_rxq_recv
vswitchd_ovs_vswitchd_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
