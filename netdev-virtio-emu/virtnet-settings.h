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

#ifndef VIRTNET_SETTINGS_H
#define VIRTNET_SETTINGS_H 1

/* Settings of the controller: other_config:virtnet-* of Open_vSwitch, and the
 * file that other_config:virtnet-conf-file names.
 *
 * The table in virtnet-setting-table.c is the only place where the keys, their
 * defaults and their ranges are written down.  A value that is out of range or
 * malformed is named in the log, once for each value, and by "health", and the
 * default is used; a key of the database that does not exist is named, too.  A
 * file with an error anywhere is ignored as a whole.  Bad settings never stop
 * the switch.
 *
 * Those marked "start" are read when the controller starts, as the
 * configuration of a card's firmware is. */

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct smap;
struct virtnet_json;

struct virtnet_settings {
    bool enable;                /* start: virtnet-enable. */
    char *conf_file;            /* start: virtnet-conf-file. */
    char *backend;              /* start: virtnet-backend: "soft". */
    char *serial;               /* start: virtnet-serial, head of VUIDs. */

    /* Stand for the firmware configuration (mlxconfig); start. */
    bool emulation_enable;      /* virtnet-emulation-enable. */
    unsigned int num_pf;        /* virtnet-num-pf: static PFs. */
    unsigned int num_vf;        /* virtnet-num-vf: VFs for each PF. */
    unsigned int num_msix;      /* virtnet-num-msix: vectors for each PF. */
    unsigned int num_vf_msix;   /* virtnet-num-vf-msix. */
    unsigned int switch_num_port; /* virtnet-switch-num-port: hotplug PFs. */
    unsigned int pf_total_sf;   /* virtnet-pf-total-sf. */

    /* Limits of a card and its host; start. */
    unsigned int max_vfs;       /* virtnet-max-vfs. */
    unsigned int max_functions; /* virtnet-max-functions; 0: automatic. */
    unsigned int max_hotplug_with_vfs; /* virtnet-max-hotplug-with-vfs. */

    /* Stand for virtnet.conf; start. */
    bool packed_vq;             /* virtnet-packed-vq. */
    bool mrg_rxbuf;             /* virtnet-mrg-rxbuf. */
    bool recovery;              /* virtnet-recovery. */
    char *ib_dev_p0;            /* virtnet-ib-dev-p0. */
    char *ib_dev_p1;            /* virtnet-ib-dev-p1. */
    char *ib_dev_lag;           /* virtnet-ib-dev-lag. */
    bool is_lag;                /* virtnet-is-lag. */
    bool single_port;           /* virtnet-single-port. */
    char *ib_dev_for_static_pf; /* virtnet-ib-dev-for-static-pf, or NULL. */
    char *static_pf_mac_base;   /* virtnet-static-pf-mac-base, or NULL. */
    char *static_pf_features;   /* virtnet-static-pf-features, or NULL. */
    char *vf_mac_base;          /* virtnet-vf-mac-base, or NULL. */
    char *vf_features;          /* virtnet-vf-features, or NULL. */
    unsigned int vf_vfs_per_pf; /* virtnet-vf-vfs-per-pf; 0: not given. */
    unsigned int vf_max_queue_pairs; /* virtnet-vf-max-queue-pairs; or 0. */
    unsigned int vf_max_queue_size; /* virtnet-vf-max-queue-size; or 0. */
    unsigned int sf_pool_percent; /* virtnet-sf-pool-percent. */
    bool sf_pool_force_destroy; /* virtnet-sf-pool-force-destroy. */
    char *lm_prov;              /* virtnet-lm-prov, or NULL. */
    unsigned int dpa_core_start; /* virtnet-dpa-core-start; or 0. */
    unsigned int dpa_core_end;  /* virtnet-dpa-core-end; or 0. */
    unsigned int eth_vq_workers; /* virtnet-eth-vq-workers; or 0. */
    unsigned int admin_cmd_workers; /* virtnet-admin-cmd-workers; or 0. */
    char *recovery_dir;         /* virtnet-recovery-dir. */

    /* BlueField; start. */
    bool mlx5_vendor;           /* Does NVIDIA's service own the card? */
    char *mlx5_cli;             /* Path of its "virtnet" program, or NULL. */
    bool mlx5_kernel_rep;       /* Representors by the kernel, not DPDK? */
    char *mlx5_devargs;         /* What DPDK knows a representor by. */

    /* Soft backend; start. */
    char *socket_dir;           /* virtnet-socket-dir. */
    bool vhost_server;          /* virtnet-vhost-mode=server. */
    unsigned int mempool_size;  /* virtnet-mempool-size: packet buffers. */

    /* Ports; take effect at once. */
    bool auto_port;             /* virtnet-auto-port. */
    char *bridge;               /* virtnet-bridge, or NULL. */
    char *bridge_p0;            /* virtnet-bridge-p0: for ib_dev_p0's. */
    char *bridge_p1;            /* virtnet-bridge-p1. */
    char *bridge_lag;           /* virtnet-bridge-lag. */
    char *uplink_p0;            /* virtnet-uplink-p0: "p0". */
    char *uplink_p1;            /* virtnet-uplink-p1: "p1". */
    char *uplink_lag;           /* virtnet-uplink-lag: "bond0". */
    bool queue_stats;           /* virtnet-queue-stats. */
};

/* Sets '*settings', which must be zeroed or have been set before, from
 * 'other_config' (NULL for defaults alone) and the file.  With 'ports_only',
 * members that are read at start, and the file, are left alone.  Main
 * thread. */
void virtnet_settings_from_smap(struct virtnet_settings *settings,
                                const struct smap *other_config,
                                bool ports_only);

/* What the settings say of devices whose parent is 'ib_device', which may be
 * NULL: members are NULL where they say nothing. */
struct virtnet_parent_settings {
    const char *bridge;         /* virtnet-bridge-*. */
    const char *uplink;         /* virtnet-uplink-*. */
};
struct virtnet_parent_settings virtnet_settings_of_parent(
    const struct virtnet_settings *, const char *ib_device);

/* Where the value of the setting 'key' is from, as last read.  Main thread. */
enum virtnet_setting_source {
    VIRTNET_SETTING_DEFAULT,
    VIRTNET_SETTING_DATABASE,
    VIRTNET_SETTING_FILE,
};
enum virtnet_setting_source virtnet_settings_source(const char *key);

/* Head of the keys in the database that end in a VUID: auto-port-rows.c. */
#define VIRTNET_IFACE_ID_HEAD "virtnet-iface-id-"

/* There is something about the value of the setting 'key' that shows only
 * where it is used: says so in the log and among the problems, behind the
 * place where it is given.  Forgotten when settings are read at the next
 * start.  Main thread. */
void virtnet_settings_complain(const char *key, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

/* Adds member 'key', an array of what is wrong with the settings, a line each,
 * if anything is.  Returns true if there is.  'j' may be NULL.  Main
 * thread. */
bool virtnet_settings_problems(struct virtnet_json *j, const char *key);

#endif /* virtnet-settings.h */
