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

# Tables that the daemon and the "virtnet" command share.  They depend on Open
# vSwitch's lib/ alone.
noinst_LTLIBRARIES += netdev-virtio-emu/libvirtnet-tables.la
netdev_virtio_emu_libvirtnet_tables_la_SOURCES = \
	netdev-virtio-emu/virtnet-command-table.c \
	netdev-virtio-emu/virtnet-conf.c \
	netdev-virtio-emu/virtnet-conf.h \
	netdev-virtio-emu/virtnet-error.c \
	netdev-virtio-emu/virtnet-error.h \
	netdev-virtio-emu/virtnet-feature.c \
	netdev-virtio-emu/virtnet-feature.h \
	netdev-virtio-emu/virtnet-json.c \
	netdev-virtio-emu/virtnet-json.h \
	netdev-virtio-emu/virtnet-option.c \
	netdev-virtio-emu/virtnet-option.h \
	netdev-virtio-emu/virtnet-setting-table.c

# The controller, the device model, the netdev class and the backends.
noinst_LTLIBRARIES += netdev-virtio-emu/libvirtnet.la
netdev_virtio_emu_libvirtnet_la_SOURCES = \
	netdev-virtio-emu/netdev-virtio-bind.c \
	netdev-virtio-emu/netdev-virtio-config.c \
	netdev-virtio-emu/netdev-virtio-dpdk.c \
	netdev-virtio-emu/netdev-virtio-dpdk.h \
	netdev-virtio-emu/netdev-virtio-emu.c \
	netdev-virtio-emu/netdev-virtio-emu.h \
	netdev-virtio-emu/netdev-virtio-hold.c \
	netdev-virtio-emu/netdev-virtio-path.c \
	netdev-virtio-emu/netdev-virtio-private.h \
	netdev-virtio-emu/netdev-virtio-qos.c \
	netdev-virtio-emu/netdev-virtio-rules.c \
	netdev-virtio-emu/virtnet-backend-provider.h \
	netdev-virtio-emu/virtnet-backend.c \
	netdev-virtio-emu/virtnet-batch.c \
	netdev-virtio-emu/virtnet-batch.h \
	netdev-virtio-emu/virtnet-change.c \
	netdev-virtio-emu/virtnet-commands.c \
	netdev-virtio-emu/virtnet-commands.h \
	netdev-virtio-emu/virtnet-compat.h \
	netdev-virtio-emu/virtnet-check.c \
	netdev-virtio-emu/virtnet-check.h \
	netdev-virtio-emu/virtnet-controller.c \
	netdev-virtio-emu/virtnet-controller.h \
	netdev-virtio-emu/virtnet-device.c \
	netdev-virtio-emu/virtnet-device.h \
	netdev-virtio-emu/virtnet-events.c \
	netdev-virtio-emu/virtnet-events.h \
	netdev-virtio-emu/virtnet-health.c \
	netdev-virtio-emu/virtnet-health.h \
	netdev-virtio-emu/virtnet-debug.c \
	netdev-virtio-emu/virtnet-debug.h \
	netdev-virtio-emu/virtnet-field.c \
	netdev-virtio-emu/virtnet-field.h \
	netdev-virtio-emu/virtnet-firmware.c \
	netdev-virtio-emu/virtnet-firmware.h \
	netdev-virtio-emu/virtnet-host.c \
	netdev-virtio-emu/virtnet-host.h \
	netdev-virtio-emu/virtnet-hotplug.c \
	netdev-virtio-emu/virtnet-life.c \
	netdev-virtio-emu/virtnet-life.h \
	netdev-virtio-emu/virtnet-modify-rules.c \
	netdev-virtio-emu/virtnet-modify.c \
	netdev-virtio-emu/virtnet-modify.h \
	netdev-virtio-emu/virtnet-pool.c \
	netdev-virtio-emu/virtnet-pool.h \
	netdev-virtio-emu/virtnet-flow-provider.h \
	netdev-virtio-emu/virtnet-flow.c \
	netdev-virtio-emu/virtnet-record-io.c \
	netdev-virtio-emu/virtnet-record-io.h \
	netdev-virtio-emu/virtnet-record.c \
	netdev-virtio-emu/virtnet-record.h \
	netdev-virtio-emu/virtnet-recovery.c \
	netdev-virtio-emu/virtnet-recovery.h \
	netdev-virtio-emu/virtnet-registry.c \
	netdev-virtio-emu/virtnet-registry.h \
	netdev-virtio-emu/virtnet-reply.c \
	netdev-virtio-emu/virtnet-reply.h \
	netdev-virtio-emu/virtnet-row.c \
	netdev-virtio-emu/virtnet-row.h \
	netdev-virtio-emu/virtnet-settings.c \
	netdev-virtio-emu/virtnet-settings.h \
	netdev-virtio-emu/virtnet-show.c \
	netdev-virtio-emu/virtnet-show.h \
	netdev-virtio-emu/virtnet-slice.c \
	netdev-virtio-emu/virtnet-slice.h \
	netdev-virtio-emu/virtnet-sriov.c \
	netdev-virtio-emu/virtnet-sriov.h \
	netdev-virtio-emu/virtnet-unixctl.c \
	netdev-virtio-emu/virtnet-unixctl.h

# The soft backend.
netdev_virtio_emu_libvirtnet_la_SOURCES += \
	netdev-virtio-emu/soft/soft-await.c \
	netdev-virtio-emu/soft/soft-await.h \
	netdev-virtio-emu/soft/soft-backend.c \
	netdev-virtio-emu/soft/soft-backend.h \
	netdev-virtio-emu/soft/soft-counter.h \
	netdev-virtio-emu/soft/soft-eswitch-action.c \
	netdev-virtio-emu/soft/soft-eswitch-action.h \
	netdev-virtio-emu/soft/soft-eswitch-flow.c \
	netdev-virtio-emu/soft/soft-eswitch-key.c \
	netdev-virtio-emu/soft/soft-eswitch-key.h \
	netdev-virtio-emu/soft/soft-eswitch-private.h \
	netdev-virtio-emu/soft/soft-eswitch-table.c \
	netdev-virtio-emu/soft/soft-eswitch-table.h \
	netdev-virtio-emu/soft/soft-eswitch.c \
	netdev-virtio-emu/soft/soft-eswitch.h \
	netdev-virtio-emu/soft/soft-forward.c \
	netdev-virtio-emu/soft/soft-forward.h \
	netdev-virtio-emu/soft/soft-header.c \
	netdev-virtio-emu/soft/soft-header.h \
	netdev-virtio-emu/soft/soft-idle.c \
	netdev-virtio-emu/soft/soft-idle.h \
	netdev-virtio-emu/soft/soft-mempool.c \
	netdev-virtio-emu/soft/soft-mempool.h \
	netdev-virtio-emu/soft/soft-moderation.c \
	netdev-virtio-emu/soft/soft-moderation.h \
	netdev-virtio-emu/soft/soft-packed-ring.c \
	netdev-virtio-emu/soft/soft-packed-ring.h \
	netdev-virtio-emu/soft/soft-packet-tx.c \
	netdev-virtio-emu/soft/soft-packet.c \
	netdev-virtio-emu/soft/soft-packet.h \
	netdev-virtio-emu/soft/soft-place.c \
	netdev-virtio-emu/soft/soft-place.h \
	netdev-virtio-emu/soft/soft-rep-private.h \
	netdev-virtio-emu/soft/soft-rep-stats.c \
	netdev-virtio-emu/soft/soft-rep-tx.c \
	netdev-virtio-emu/soft/soft-rep.c \
	netdev-virtio-emu/soft/soft-rep.h \
	netdev-virtio-emu/soft/soft-ring.c \
	netdev-virtio-emu/soft/soft-ring.h \
	netdev-virtio-emu/soft/soft-socket.c \
	netdev-virtio-emu/soft/soft-socket.h \
	netdev-virtio-emu/soft/soft-unplug.c \
	netdev-virtio-emu/soft/soft-unplug.h \
	netdev-virtio-emu/soft/soft-uplink.c \
	netdev-virtio-emu/soft/soft-uplink.h \
	netdev-virtio-emu/soft/soft-uso.c \
	netdev-virtio-emu/soft/soft-uso.h \
	netdev-virtio-emu/soft/soft-vhost-event.c \
	netdev-virtio-emu/soft/soft-vhost-log.c \
	netdev-virtio-emu/soft/soft-vhost-log.h \
	netdev-virtio-emu/soft/soft-vhost-message.c \
	netdev-virtio-emu/soft/soft-vhost-private.h \
	netdev-virtio-emu/soft/soft-vhost-ring.c \
	netdev-virtio-emu/soft/soft-vhost-user.c \
	netdev-virtio-emu/soft/soft-vhost-user.h \
	netdev-virtio-emu/soft/virtq-mem.c \
	netdev-virtio-emu/soft/virtq-mem.h \
	netdev-virtio-emu/soft/virtq-packed.c \
	netdev-virtio-emu/soft/virtq-ring.h \
	netdev-virtio-emu/soft/virtq-split.c \
	netdev-virtio-emu/soft/virtq.c \
	netdev-virtio-emu/soft/virtq.h

# The mlx5 backend: BlueField.
netdev_virtio_emu_libvirtnet_la_SOURCES += \
	netdev-virtio-emu/mlx5/mlx5-backend.c \
	netdev-virtio-emu/mlx5/mlx5-base.c \
	netdev-virtio-emu/mlx5/mlx5-base.h \
	netdev-virtio-emu/mlx5/mlx5-child.c \
	netdev-virtio-emu/mlx5/mlx5-child.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-io.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-io.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-job.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-job.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-msg.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-msg.h \
	netdev-virtio-emu/mlx5/mlx5-devargs.c \
	netdev-virtio-emu/mlx5/mlx5-devargs.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-eswitch.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-eswitch.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-sf.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-sf.h \
	netdev-virtio-emu/mlx5/mlx5-devlink-table.c \
	netdev-virtio-emu/mlx5/mlx5-devlink-table.h \
	netdev-virtio-emu/mlx5/mlx5-devlink.c \
	netdev-virtio-emu/mlx5/mlx5-devlink.h \
	netdev-virtio-emu/mlx5/mlx5-port.c \
	netdev-virtio-emu/mlx5/mlx5-port.h \
	netdev-virtio-emu/mlx5/mlx5-rep.c \
	netdev-virtio-emu/mlx5/mlx5-rep.h \
	netdev-virtio-emu/mlx5/mlx5-service.c \
	netdev-virtio-emu/mlx5/mlx5-service.h \
	netdev-virtio-emu/mlx5/mlx5-vendor-cli.c \
	netdev-virtio-emu/mlx5/mlx5-vendor-cli.h \
	netdev-virtio-emu/mlx5/mlx5-vendor-command.c \
	netdev-virtio-emu/mlx5/mlx5-vendor-device.c \
	netdev-virtio-emu/mlx5/mlx5-vendor-internal.h \
	netdev-virtio-emu/mlx5/mlx5-vendor-json.c \
	netdev-virtio-emu/mlx5/mlx5-vendor-json.h \
	netdev-virtio-emu/mlx5/mlx5-vendor-look.c \
	netdev-virtio-emu/mlx5/mlx5-vendor.c \
	netdev-virtio-emu/mlx5/mlx5-vendor.h

# ...and its firmware.
netdev_virtio_emu_libvirtnet_la_SOURCES += \
	netdev-virtio-emu/mlx5/mlx5-ctrl.c \
	netdev-virtio-emu/mlx5/mlx5-ctrl.h \
	netdev-virtio-emu/mlx5/mlx5-datapath-flow.c \
	netdev-virtio-emu/mlx5/mlx5-datapath-internal.h \
	netdev-virtio-emu/mlx5/mlx5-datapath-queue.c \
	netdev-virtio-emu/mlx5/mlx5-datapath-rx.c \
	netdev-virtio-emu/mlx5/mlx5-datapath.c \
	netdev-virtio-emu/mlx5/mlx5-datapath.h \
	netdev-virtio-emu/mlx5/mlx5-devx.c \
	netdev-virtio-emu/mlx5/mlx5-devx.h \
	netdev-virtio-emu/mlx5/mlx5-devx-rdma.c \
	netdev-virtio-emu/mlx5/mlx5-emu.c \
	netdev-virtio-emu/mlx5/mlx5-emu.h \
	netdev-virtio-emu/mlx5/mlx5-native-backend.c \
	netdev-virtio-emu/mlx5/mlx5-native-backend.h \
	netdev-virtio-emu/mlx5/mlx5-native-device.c \
	netdev-virtio-emu/mlx5/mlx5-native-device.h \
	netdev-virtio-emu/mlx5/mlx5-native-event.c \
	netdev-virtio-emu/mlx5/mlx5-native-fn.c \
	netdev-virtio-emu/mlx5/mlx5-native-internal.h \
	netdev-virtio-emu/mlx5/mlx5-native-job.c \
	netdev-virtio-emu/mlx5/mlx5-native-open.c \
	netdev-virtio-emu/mlx5/mlx5-native-open.h \
	netdev-virtio-emu/mlx5/mlx5-native-sf.c \
	netdev-virtio-emu/mlx5/mlx5-native.c \
	netdev-virtio-emu/mlx5/mlx5-native.h \
	netdev-virtio-emu/mlx5/mlx5-prm-emulation.h \
	netdev-virtio-emu/mlx5/mlx5-prm.c \
	netdev-virtio-emu/mlx5/mlx5-prm.h

netdev_virtio_emu_libvirtnet_la_LIBADD = \
	netdev-virtio-emu/libvirtnet-tables.la \
	$(MNL_LIBS) \
	$(MLX5_LIBS)
