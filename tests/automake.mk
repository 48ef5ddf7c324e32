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

# Unit tests: programs that exit with status 0 when all is well.
UNIT_TESTS = \
	tests/test-mlx5-backend \
	tests/test-mlx5-ctrl \
	tests/test-mlx5-datapath \
	tests/test-mlx5-devargs \
	tests/test-mlx5-devlink \
	tests/test-mlx5-emu \
	tests/test-mlx5-native \
	tests/test-mlx5-prm \
	tests/test-mlx5-rep \
	tests/test-virtnet-controller \
	tests/test-virtnet-pool \
	tests/test-virtnet-recovery \
	tests/test-virtnet-tables \
	tests/test-virtnet-sriov \
	tests/test-offload-share \
	tests/test-soft-eswitch \
	tests/test-soft-moderation \
	tests/test-soft-packed-ring \
	tests/test-soft-packet \
	tests/test-soft-ring \
	tests/test-virtq \
	tests/test-virtq-hostile \
	tests/test-virtq-threads
check_PROGRAMS += $(UNIT_TESTS)
TEST_LIBS = \
	netdev-virtio-emu/libvirtnet.la \
	$(OVS_LIBS) \
	$(DPDK_LIBS)
FAKE_BACKEND = tests/fake-backend.c tests/fake-backend.h
tests_test_virtnet_sriov_SOURCES = tests/test-virtnet-sriov.c $(FAKE_BACKEND)
tests_test_virtnet_sriov_LDADD = $(TEST_LIBS)
tests_test_virtnet_sriov_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtnet_controller_SOURCES = \
	tests/test-virtnet-controller.c \
	$(FAKE_BACKEND)
tests_test_virtnet_controller_LDADD = $(TEST_LIBS)
tests_test_virtnet_controller_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtnet_tables_SOURCES = tests/test-virtnet-tables.c
tests_test_virtnet_tables_LDADD = $(TEST_LIBS)
tests_test_virtnet_tables_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtnet_pool_SOURCES = tests/test-virtnet-pool.c
tests_test_virtnet_pool_LDADD = $(TEST_LIBS)
tests_test_virtnet_pool_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_offload_share_SOURCES = \
	ofproto-hooks/offload-share.c \
	tests/test-offload-share.c
tests_test_offload_share_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/ofproto-hooks
tests_test_offload_share_LDADD = $(TEST_LIBS)
tests_test_offload_share_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_soft_eswitch_SOURCES = tests/test-soft-eswitch.c
tests_test_soft_eswitch_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_soft_eswitch_LDFLAGS = \
	-Wl,--wrap=pmd_forward_output \
	-Wl,--wrap=soft_rep_send
tests_test_soft_eswitch_LDADD = $(TEST_LIBS)
tests_test_soft_eswitch_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_soft_moderation_SOURCES = tests/test-soft-moderation.c
tests_test_soft_moderation_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_soft_moderation_LDADD = $(TEST_LIBS)
tests_test_soft_moderation_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_soft_ring_SOURCES = tests/test-soft-ring.c
tests_test_soft_ring_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_soft_ring_LDADD = $(TEST_LIBS)
tests_test_soft_ring_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_soft_packed_ring_SOURCES = tests/test-soft-packed-ring.c
tests_test_soft_packed_ring_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_soft_packed_ring_LDADD = $(TEST_LIBS)
tests_test_soft_packed_ring_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_soft_packet_SOURCES = tests/test-soft-packet.c
tests_test_soft_packet_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_soft_packet_LDADD = $(TEST_LIBS)
tests_test_soft_packet_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
VIRTQ_MODEL = \
	tests/virtq-driver.c \
	tests/virtq-driver.h \
	tests/virtq-guest.c \
	tests/virtq-guest.h
tests_test_virtq_SOURCES = tests/test-virtq.c $(VIRTQ_MODEL)
tests_test_virtq_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_virtq_LDADD = $(TEST_LIBS)
tests_test_virtq_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtq_hostile_SOURCES = tests/test-virtq-hostile.c $(VIRTQ_MODEL)
tests_test_virtq_hostile_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_virtq_hostile_LDADD = $(TEST_LIBS)
tests_test_virtq_hostile_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtq_threads_SOURCES = tests/test-virtq-threads.c $(VIRTQ_MODEL)
tests_test_virtq_threads_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
tests_test_virtq_threads_LDADD = $(TEST_LIBS)
tests_test_virtq_threads_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_virtnet_recovery_SOURCES = tests/test-virtnet-recovery.c
tests_test_virtnet_recovery_LDADD = $(TEST_LIBS)
tests_test_virtnet_recovery_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

tests_test_mlx5_devlink_SOURCES = \
	tests/devlink-message.c \
	tests/devlink-message.h \
	tests/test-mlx5-devlink.c
tests_test_mlx5_devlink_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_devlink_LDADD = $(TEST_LIBS) $(MNL_LIBS)
tests_test_mlx5_devlink_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

# What runs with a real kernel's devlink: see devlink-kernel.at.
check_PROGRAMS += tests/devlink-follower
tests_devlink_follower_SOURCES = tests/devlink-follower.c
tests_devlink_follower_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_devlink_follower_LDADD = $(TEST_LIBS)
tests_devlink_follower_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

# A model of the firmware.
FW_MODEL = \
	tests/fw-commands.c \
	tests/fw-host.c \
	tests/fw-model-internal.h \
	tests/fw-model.c \
	tests/fw-model.h \
	tests/fw-queues.c
tests_test_mlx5_emu_SOURCES = tests/test-mlx5-emu.c $(FW_MODEL)
tests_test_mlx5_emu_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_emu_LDADD = $(TEST_LIBS)
tests_test_mlx5_emu_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_mlx5_datapath_SOURCES = tests/test-mlx5-datapath.c $(FW_MODEL)
tests_test_mlx5_datapath_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_datapath_LDADD = $(TEST_LIBS)
tests_test_mlx5_datapath_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_mlx5_ctrl_SOURCES = tests/test-mlx5-ctrl.c $(FW_MODEL)
tests_test_mlx5_ctrl_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_ctrl_LDADD = $(TEST_LIBS)
tests_test_mlx5_ctrl_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_mlx5_native_SOURCES = tests/test-mlx5-native.c $(FW_MODEL)
tests_test_mlx5_native_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_native_LDADD = $(TEST_LIBS)
tests_test_mlx5_native_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
tests_test_mlx5_prm_SOURCES = tests/test-mlx5-prm.c
tests_test_mlx5_prm_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_prm_LDADD = $(TEST_LIBS)
tests_test_mlx5_prm_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

tests_test_mlx5_devargs_SOURCES = tests/test-mlx5-devargs.c
tests_test_mlx5_devargs_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_devargs_LDADD = $(TEST_LIBS)
tests_test_mlx5_devargs_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

tests_test_mlx5_rep_SOURCES = tests/test-mlx5-rep.c
tests_test_mlx5_rep_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_rep_LDADD = $(TEST_LIBS)
tests_test_mlx5_rep_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

tests_test_mlx5_backend_SOURCES = \
	tests/devlink-message.c \
	tests/devlink-message.h \
	tests/fw-devlink.c \
	tests/fw-devlink.h \
	tests/test-mlx5-backend.c \
	$(FW_MODEL)
tests_test_mlx5_backend_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_test_mlx5_backend_LDADD = $(TEST_LIBS) $(MNL_LIBS)
tests_test_mlx5_backend_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

# An ovs-vswitchd of a card that is a model; see fw-switch.c.  Its name is that
# of the real one for the sake of its pidfile.  It is not installed.
check_PROGRAMS += tests/model/ovs-vswitchd
tests_model_ovs_vswitchd_SOURCES = \
	tests/devlink-message.c \
	tests/devlink-message.h \
	tests/fw-devlink.c \
	tests/fw-devlink.h \
	tests/fw-flow.c \
	tests/fw-switch.c \
	$(FW_MODEL)
tests_model_ovs_vswitchd_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/mlx5
tests_model_ovs_vswitchd_LDFLAGS = \
	$(vswitchd_ovs_vswitchd_LDFLAGS) \
	-Wl,--wrap=rte_eth_dev_stop \
	-Wl,--wrap=rte_flow_create \
	-Wl,--wrap=rte_flow_destroy \
	-Wl,--wrap=rte_flow_query \
	-Wl,--wrap=rte_flow_validate
tests_model_ovs_vswitchd_LDADD = \
	$(vswitchd_ovs_vswitchd_OBJECTS) \
	$(vswitchd_ovs_vswitchd_LDADD) \
	$(MNL_LIBS)
tests_model_ovs_vswitchd_DEPENDENCIES = \
	$(vswitchd_ovs_vswitchd_OBJECTS) \
	$(vswitchd_ovs_vswitchd_DEPENDENCIES)
EXTRA_DIST += \
	build-aux/mlx5-layouts \
	tests/mlx5-layout.dpdk \
	tests/mlx5-layout.linux

# What the requests of the devlink program are recorded with.
check_DATA = tests/netlink-stand-in.so
EXTRA_DIST += \
	tests/netlink-stand-in.c \
	tests/vendor/guest-stand-in \
	tests/vendor/two.json \
	tests/vendor/virtnet-stand-in
CLEANFILES += tests/netlink-stand-in.so
tests/netlink-stand-in.so: tests/netlink-stand-in.c
	$(AM_V_CC)$(CC) $(WARNING_CFLAGS) -O -fPIC -shared -o $@ \
	    $(srcdir)/tests/netlink-stand-in.c

# The autotest suite.
TESTSUITE_AT = \
	tests/testsuite.at \
	tests/virtnet-macros.at \
	tests/units.at \
	tests/devlink.at \
	tests/devlink-kernel.at \
	tests/vendor.at \
	tests/dpdk.at \
	tests/native.at \
	tests/kernel-datapath.at \
	tests/cases.at \
	tests/commands.at \
	tests/modify.at \
	tests/slices.at \
	tests/validate.at \
	tests/shapes.at \
	tests/health.at \
	tests/device-kinds.at \
	tests/recovery.at \
	tests/leaks.at \
	tests/ports.at \
	tests/vhost-user.at \
	tests/auto-port.at \
	tests/build.at \
	tests/guests.at \
	tests/idle.at \
	tests/offload.at \
	tests/vm.at
TESTSUITE = $(srcdir)/tests/testsuite
EXTRA_DIST += $(TESTSUITE_AT) $(TESTSUITE) tests/atlocal.in tests/eswitch-corpus
EXTRA_DIST += \
	tests/check-cases \
	tests/complaints.awk \
	tests/error-cases \
	tests/inventory-ids \
	tests/model-error-cases \
	tests/model-option-cases \
	tests/model-setting-cases \
	tests/offload-corpus \
	tests/option-cases \
	tests/setting-cases
CLEANFILES += tests/atconfig

check-local: all $(check_PROGRAMS) $(check_DATA) $(TESTSUITE) tests/atconfig tests/atlocal
	'$(top_srcdir)/build-aux/with-init' \
	    $(SHELL) '$(TESTSUITE)' -C tests $(TESTSUITEFLAGS)

clean-tests:
	test ! -f '$(TESTSUITE)' || $(SHELL) '$(TESTSUITE)' -C tests --clean

AUTOTEST = $(AUTOM4TE) --language=autotest
$(TESTSUITE): $(srcdir)/tests/package.m4 $(TESTSUITE_AT:%=$(srcdir)/%)
	$(AM_V_GEN)$(AUTOTEST) -I '$(srcdir)/tests' -o $@.tmp \
	    '$(srcdir)/tests/testsuite.at'
	$(AM_V_at)mv $@.tmp $@

EXTRA_DIST += tests/package.m4
$(srcdir)/tests/package.m4: $(top_srcdir)/configure.ac
	$(AM_V_GEN){ \
	  echo 'm4_define([AT_PACKAGE_NAME], [$(PACKAGE_NAME)])'; \
	  echo 'm4_define([AT_PACKAGE_TARNAME], [$(PACKAGE_TARNAME)])'; \
	  echo 'm4_define([AT_PACKAGE_VERSION], [$(PACKAGE_VERSION)])'; \
	  echo 'm4_define([AT_PACKAGE_STRING], [$(PACKAGE_STRING)])'; \
	  echo 'm4_define([AT_PACKAGE_BUGREPORT], [$(PACKAGE_BUGREPORT)])'; \
	} > $@.tmp && mv $@.tmp $@

# Open vSwitch's own tests, with the ovs-vswitchd that the plugin is part of.
EXTRA_DIST += build-aux/check-ovs build-aux/with-init
check-ovs check-ovs-slice: all
	$(srcdir)/build-aux/check-ovs '$(abs_builddir)/$(OVS_DIR)' \
	    '$(abs_builddir)/vswitchd' \
	    $(if $(filter check-ovs,$@),all,slice) $(TESTSUITEFLAGS)
.PHONY: check-ovs check-ovs-slice

# The suite with sanitizers, in a build directory of its own.
check-asan:
	$(MKDIR_P) asan
	cd asan && { test -f config.status \
	    || '$(abs_top_srcdir)/configure' --enable-sanitizers \
	        --with-ovs-source='$(OVS_SOURCE)' CC='$(CC)'; }
	rm -f asan/tests/sanitizer.*
	status=0; $(MAKE) -C asan check || status=1; \
	for report in asan/tests/sanitizer.*; do \
	    test ! -f $$report || { cat $$report; status=1; }; \
	done; exit $$status
.PHONY: check-asan
EXTRA_DIST += tests/lsan.supp tests/ubsan.supp

# All supported versions, each in a build directory of its own.
check-matrix:
	cd '$(srcdir)' && set -e; for v in 3.1.0 3.5.0 4.0.0; do \
	    echo "=== Open vSwitch $$v"; \
	    ./quickcheck --ovs $$v --no-slice; \
	done
.PHONY: check-matrix

# A guest: a user of DPDK's virtio driver.  ./quickstart needs it too, so it is
# built always.
noinst_PROGRAMS += tests/guest/virtnet-guest
tests_guest_virtnet_guest_SOURCES = \
	tests/guest/guest-eal.c \
	tests/guest/guest-eal.h \
	tests/guest/guest-frame.c \
	tests/guest/guest-frame.h \
	tests/guest/guest-options.c \
	tests/guest/guest-report.c \
	tests/guest/guest.h \
	tests/guest/virtnet-guest.c
tests_guest_virtnet_guest_CPPFLAGS = -D_GNU_SOURCE -I$(srcdir)/tests/guest
tests_guest_virtnet_guest_CFLAGS = $(WARNING_CFLAGS) $(DPDK_CFLAGS)
tests_guest_virtnet_guest_LDADD = $(DPDK_LIBS)

# The same for two switches at a time.
check_PROGRAMS += tests/guest/virtnet-twins
tests_guest_virtnet_twins_SOURCES = \
	tests/guest/guest-eal.c \
	tests/guest/guest-eal.h \
	tests/guest/virtnet-twins.c
tests_guest_virtnet_twins_CPPFLAGS = -D_GNU_SOURCE
tests_guest_virtnet_twins_CFLAGS = $(WARNING_CFLAGS) $(DPDK_CFLAGS)
tests_guest_virtnet_twins_LDADD = $(DPDK_LIBS)
EXTRA_DIST += \
	tests/guest/build-image \
	tests/guest/build-module \
	tests/guest/build-switch-image \
	tests/guest/compare-counters \
	tests/guest/compare-offload \
	tests/guest/devlink-functions \
	tests/guest/offload_cases.py \
	tests/guest/fetch-qemu \
	tests/guest/guest-init \
	tests/guest/front-end-script \
	tests/guest/count-notifications \
	tests/guest/hostile-front-end \
	tests/guest/vhost_front_end.py \
	tests/guest/run-qemu \
	tests/guest/sfcard.c \
	tests/guest/switch-functions \
	tests/guest/uso-front-ends \
	tests/guest/vm-exec
