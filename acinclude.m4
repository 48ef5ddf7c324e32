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

dnl VIRTNET_MISSING(PROBLEM, DEBIAN-PACKAGE)
dnl
dnl Takes note of something that is missing.  All are reported together, so
dnl that nobody has to run configure once for each.
AC_DEFUN([VIRTNET_MISSING],
  [AS_VAR_APPEND([virtnet_missing],
                 ["${virtnet_missing:+, }$1 (package $2)"])
   AS_VAR_APPEND([virtnet_packages], [" $2"])])

dnl VIRTNET_CHECK_PKG(MODULE, DEBIAN-PACKAGE)
AC_DEFUN([VIRTNET_CHECK_PKG],
  [AC_MSG_CHECKING([for $1])
   AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists $1],
     [AC_MSG_RESULT([$($PKG_CONFIG --modversion $1)])],
     [AC_MSG_RESULT([no])
      VIRTNET_MISSING([library $1], [$2])])])

dnl VIRTNET_CHECK_TOOL(PROGRAM, DEBIAN-PACKAGE)
AC_DEFUN([VIRTNET_CHECK_TOOL],
  [AC_MSG_CHECKING([for $1])
   AS_IF([command -v $1 >/dev/null 2>&1],
     [AC_MSG_RESULT([yes])],
     [AC_MSG_RESULT([no])
      VIRTNET_MISSING([program $1], [$2])])])

dnl VIRTNET_CHECK_DPDK_DRIVER(LIBRARY, DEBIAN-PACKAGE)
dnl
dnl DPDK loads its drivers at run time, from a directory that only its
dnl pkg-config file knows.
AC_DEFUN([VIRTNET_CHECK_DPDK_DRIVER],
  [AC_MSG_CHECKING([for the DPDK driver $1])
   virtnet_found=no
   AS_IF([test -n "$PKG_CONFIG"],
     [for dir in $($PKG_CONFIG --variable=driverdir libdpdk 2>/dev/null) \
                 $($PKG_CONFIG --variable=libdir libdpdk 2>/dev/null) \
                 $($PKG_CONFIG --variable=libdir libdpdk 2>/dev/null)/dpdk/pmds-*; do
        test -e $dir/$1.so && virtnet_found=yes
      done])
   AC_MSG_RESULT([$virtnet_found])
   AS_IF([test $virtnet_found = no],
     [VIRTNET_MISSING([DPDK driver $1], [$2])])])

AC_DEFUN([VIRTNET_CHECK_DEPENDENCIES],
  [virtnet_missing=
   virtnet_packages=
   AS_IF([test -z "$PKG_CONFIG"],
     [VIRTNET_MISSING([program pkg-config], [pkg-config])])
   # AC_PROG_CC looks closer, but it would be the only one to be heard.
   AC_MSG_CHECKING([for a C compiler])
   AS_IF([test -n "$CC" || { command -v gcc || command -v cc \
                             || command -v clang; } >/dev/null 2>&1],
     [AC_MSG_RESULT([yes])],
     [AC_MSG_RESULT([no])
      VIRTNET_MISSING([C compiler], [gcc])])
   VIRTNET_CHECK_TOOL([make], [make])
   VIRTNET_CHECK_TOOL([python3], [python3])
   VIRTNET_CHECK_TOOL([patch], [patch])
   VIRTNET_CHECK_PKG([libdpdk], [libdpdk-dev])
   VIRTNET_CHECK_PKG([openssl], [libssl-dev])
   VIRTNET_CHECK_PKG([libcap-ng], [libcap-ng-dev])
   VIRTNET_CHECK_PKG([numa], [libnuma-dev])
   VIRTNET_CHECK_PKG([libpcap], [libpcap-dev])
   VIRTNET_CHECK_PKG([libmnl], [libmnl-dev])
   VIRTNET_CHECK_PKG([libibverbs], [libibverbs-dev])
   VIRTNET_CHECK_PKG([libmlx5], [libibverbs-dev])
   VIRTNET_CHECK_DPDK_DRIVER([librte_mempool_ring], [librte-mempool-ring23])
   VIRTNET_CHECK_DPDK_DRIVER([librte_net_virtio], [librte-net-virtio23])])

dnl Supported versions of Open vSwitch, and the numbers by which
dnl virtnet-compat.h tells them apart.
m4_define([VIRTNET_OVS_VERSIONS], [3.1.0:30100 3.5.0:30500 4.0.0:40000])

dnl Finds the source of Open vSwitch.  It is copied and patched when make runs,
dnl and stays untouched where it is.
AC_DEFUN([VIRTNET_CHECK_OVS],
  [AC_ARG_WITH([ovs-source],
     [AS_HELP_STRING([--with-ovs-source=DIR],
        [Open vSwitch's source: a directory or a tar file
         (default: the package openvswitch-source)])],
     [OVS_SOURCE=$withval],
     [OVS_SOURCE=
      for x in /usr/src/openvswitch/openvswitch.tar.gz /usr/src/openvswitch; do
        AS_IF([test -f $x || test -f $x/configure.ac],
          [OVS_SOURCE=$x
           break])
      done])
   AC_MSG_CHECKING([for the source of Open vSwitch])
   AS_CASE([$OVS_SOURCE],
     [''], [AC_MSG_RESULT([no])
            VIRTNET_MISSING([source of Open vSwitch],
                            [openvswitch-source])],
     [AC_MSG_RESULT([$OVS_SOURCE])])
   AS_IF([test -n "$virtnet_missing"],
     [AC_MSG_ERROR([missing: $virtnet_missing; to get all: apt-get install$virtnet_packages])])

   AC_MSG_CHECKING([for the version of Open vSwitch])
   # Where make runs later may not be where configure does.
   AS_IF([test -d "$OVS_SOURCE"],
     [OVS_SOURCE=$(cd "$OVS_SOURCE" && pwd)],
     [test -f "$OVS_SOURCE"],
     [OVS_SOURCE=$(cd "$(dirname "$OVS_SOURCE")" && pwd)/$(basename "$OVS_SOURCE")])
   AS_IF([test -d "$OVS_SOURCE"],
     [virtnet_ac=$(cat "$OVS_SOURCE/configure.ac" 2>/dev/null)],
     [test -f "$OVS_SOURCE"],
     [virtnet_ac=$(tar xOf "$OVS_SOURCE" --wildcards '*/configure.ac' \
                   2>/dev/null)],
     [virtnet_ac=])
   OVS_VERSION=$(printf '%s\n' "$virtnet_ac" \
                 | sed -n 's/^A[[C]]_INIT(openvswitch, *\([[^,]]*\),.*/\1/p')
   AC_MSG_RESULT([${OVS_VERSION:-none}])
   AS_IF([test -z "$OVS_VERSION"],
     [AC_MSG_ERROR([$OVS_SOURCE is not the source of Open vSwitch])])
   OVS_VERSION_NUM=
   virtnet_names=
   for x in VIRTNET_OVS_VERSIONS; do
     AS_VAR_APPEND([virtnet_names], [" ${x%:*}"])
     AS_IF([test "${x%:*}" = "$OVS_VERSION"], [OVS_VERSION_NUM=${x#*:}])
   done
   AS_IF([test -z "$OVS_VERSION_NUM"],
     [AC_MSG_ERROR([Open vSwitch $OVS_VERSION is not supported (supported:$virtnet_names)])])
   AS_IF([test -d "$OVS_SOURCE"],
     [OVS_SOURCE_FILE=$OVS_SOURCE/configure.ac],
     [OVS_SOURCE_FILE=$OVS_SOURCE])
   AC_SUBST([OVS_SOURCE])
   AC_SUBST([OVS_SOURCE_FILE])
   AC_SUBST([OVS_VERSION])
   AC_SUBST([OVS_VERSION_NUM])
   AM_CONDITIONAL([DPIF_OFFLOAD], [test "$OVS_VERSION_NUM" -ge 30700])

   AC_ARG_VAR([OVS_CONFIGURE_FLAGS],
     [further arguments for the configure script of Open vSwitch])
   PKG_CHECK_MODULES([MNL], [libmnl])
   PKG_CHECK_MODULES([MLX5], [libmlx5 libibverbs])
   PKG_CHECK_MODULES([DPDK], [libdpdk])
   # Inline functions of Open vSwitch's headers, hash_add() among them, differ
   # by instruction set.  The plugin and Open vSwitch's libraries must agree,
   # so treat DPDK's flags just as Open vSwitch's configure script does.
   DPDK_CFLAGS=$(AS_ECHO(["$DPDK_CFLAGS"]) \
                 | sed 's/-march=[[^ ]]*//g; s/-mno-avx512f//g')
   AS_CASE([$host_cpu], [x86_64|i?86], [AS_VAR_APPEND([DPDK_CFLAGS], [" -mssse3"])])])

AC_DEFUN([VIRTNET_CHECK_WERROR],
  [AC_ARG_ENABLE([Werror],
     [AS_HELP_STRING([--disable-Werror],
        [do not treat warnings in the plugin as errors])],
     [], [enable_Werror=yes])
   WARNING_CFLAGS="-Wall -Wextra -Wno-sign-compare -Wpointer-arith"
   for flag in -Wformat-security -Wswitch-enum -Wstrict-prototypes \
               -Wold-style-definition -Wmissing-prototypes \
               -Wmissing-field-initializers -Wshadow; do
     AS_VAR_APPEND([WARNING_CFLAGS], [" $flag"])
   done
   AS_IF([test "$enable_Werror" != no],
     [AS_VAR_APPEND([WARNING_CFLAGS], [" -Werror"])])
   AC_SUBST([WARNING_CFLAGS])])

AC_DEFUN([VIRTNET_CHECK_SANITIZERS],
  [AC_ARG_ENABLE([sanitizers],
     [AS_HELP_STRING([--enable-sanitizers],
        [build the plugin and Open vSwitch with AddressSanitizer and
         UndefinedBehaviorSanitizer])],
     [], [enable_sanitizers=no])
   AS_IF([test "$enable_sanitizers" != no],
     [CFLAGS="-g -O1 -fno-omit-frame-pointer -fno-common -fsanitize=address,undefined"
      # Of GCC's two, if they are shared libraries, the second does not write
      # its reports to where the tests look for those of daemons.
      save_CFLAGS=$CFLAGS save_LDFLAGS=$LDFLAGS
      CFLAGS="$CFLAGS -Werror"
      LDFLAGS="$LDFLAGS -static-libasan -static-libubsan"
      AC_LINK_IFELSE([AC_LANG_PROGRAM], [], [LDFLAGS=$save_LDFLAGS])
      CFLAGS=$save_CFLAGS])
   AM_CONDITIONAL([SANITIZERS], [test "$enable_sanitizers" != no])
   AC_SUBST([enable_sanitizers])])
