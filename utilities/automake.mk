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

# The "virtnet" command.
bin_PROGRAMS += utilities/virtnet
utilities_virtnet_SOURCES = \
	netdev-virtio-emu/virtnet-conf.c \
	netdev-virtio-emu/virtnet-command-table.c \
	netdev-virtio-emu/virtnet-feature.c \
	netdev-virtio-emu/virtnet-option.c \
	netdev-virtio-emu/virtnet-setting-table.c \
	utilities/virtnet-lite.c \
	utilities/virtnet.c
utilities_virtnet_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-DOVS_RUNDIR='"$(localstatedir)/run/openvswitch"'
utilities_virtnet_DEPENDENCIES = $(OVS_STAMP)

# Completion comes from the same tables as the parser.
completiondir = $(datadir)/bash-completion/completions
nodist_completion_DATA = utilities/completion/virtnet
CLEANFILES += utilities/completion/virtnet
utilities/completion/virtnet: utilities/virtnet$(EXEEXT)
	$(AM_V_at)$(MKDIR_P) utilities/completion
	$(AM_V_GEN)utilities/virtnet --print-completion > $@.tmp && mv $@.tmp $@

# What the running daemon looks up to tell which version is installed.
virtnetversiondir = $(datadir)/openvswitch
nodist_virtnetversion_DATA = utilities/virtnet-version
CLEANFILES += utilities/virtnet-version
utilities/virtnet-version: Makefile
	$(AM_V_at)$(MKDIR_P) utilities
	$(AM_V_GEN)echo '$(PACKAGE_VERSION)' > $@.tmp && mv $@.tmp $@

# So does the manual page.
nodist_man8_MANS = utilities/virtnet.8
CLEANFILES += utilities/virtnet.8
utilities/virtnet.8: utilities/virtnet$(EXEEXT)
	$(AM_V_GEN)utilities/virtnet --print-man > $@.tmp && mv $@.tmp $@

# The controller as a service.
dist_bin_SCRIPTS = utilities/virtnet-service
exampledir = $(docdir)/examples
nodist_example_DATA = utilities/virtio-net-controller.service
CLEANFILES += utilities/virtio-net-controller.service
utilities/virtio-net-controller.service: utilities/virtio-net-controller.service.in Makefile
	$(AM_V_at)$(MKDIR_P) utilities
	$(AM_V_GEN)sed 's,@bindir\@,$(bindir),g' $(srcdir)/utilities/virtio-net-controller.service.in > $@.tmp && mv $@.tmp $@

EXTRA_DIST += \
	utilities/virtio-net-controller.service.in \
	quickstart \
	utilities/quickstart-lib
