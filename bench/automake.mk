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

noinst_PROGRAMS += bench/memcpy-rate
bench_memcpy_rate_SOURCES = \
	bench/measure.h \
	bench/memcpy-rate.c
bench_memcpy_rate_CPPFLAGS =
bench_memcpy_rate_CFLAGS = $(WARNING_CFLAGS)

noinst_PROGRAMS += bench/core-distance
bench_core_distance_SOURCES = \
	bench/core-distance.c \
	bench/measure.h
bench_core_distance_CPPFLAGS =
bench_core_distance_CFLAGS = $(WARNING_CFLAGS) -pthread

EXTRA_DIST += \
	bench/answering-guests.py \
	bench/commands.py \
	bench/dim.py \
	bench/first-packet.py \
	bench/flows.py \
	bench/idle-guests.py \
	bench/native.py \
	bench/rates.py \
	bench/sandbox.py \
	bench/scale.py

# Costs of flows.
noinst_PROGRAMS += bench/bench-flows
bench_bench_flows_SOURCES = \
	bench/bench-flows.c \
	bench/measure.h
bench_bench_flows_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir)/netdev-virtio-emu/soft
bench_bench_flows_LDADD = \
	netdev-virtio-emu/libvirtnet.la \
	$(OVS_LIBS) \
	$(DPDK_LIBS)
bench_bench_flows_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la

# Costs of virtqueues.
noinst_PROGRAMS += bench/bench-virtq
bench_bench_virtq_SOURCES = \
	bench/bench-virtq.c \
	bench/measure.h \
	tests/virtq-driver.c \
	tests/virtq-driver.h
bench_bench_virtq_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-I$(srcdir) \
	-I$(srcdir)/netdev-virtio-emu/soft
bench_bench_virtq_LDADD = \
	netdev-virtio-emu/libvirtnet.la \
	$(OVS_LIBS) \
	$(DPDK_LIBS)
bench_bench_virtq_DEPENDENCIES = \
	$(OVS_STAMP) \
	netdev-virtio-emu/libvirtnet.la
