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

#ifndef MLX5_EMU_H
#define MLX5_EMU_H 1

/* Emulated functions, as the firmware of the emulation manager knows them:
 * finding the manager, what it can do, which functions there are, plugging and
 * unplugging, and the registers of each.
 *
 * Each function here is a few commands.  As those of mlx5-devx.h they may take
 * as long as firmware takes, belong to one thread at a time, return 0 or a
 * negative errno, and then store one line in '*errp', owned by the caller.
 *
 * Functions that are plugged stay plugged when the process ends. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-devx.h"

/* Most queues of a function that are looked at. */
#define MLX5_EMU_MAX_QUEUES 257

struct mlx5_emu_caps {
    uint16_t vhca_id;           /* Of the manager. */
    bool hotplug;
    bool query_vuid;
    bool on_manager;            /* Are virtqueues objects of the manager? */
    bool cross_vhca_rqt;
    bool crossing_mkey;
    unsigned int n_lag_ports;   /* Of the manager, 0 without LAG. */
    bool packed;
    bool tx_csum, rx_csum, tso_ipv4, tso_ipv6, mrg_rxbuf;
    uint8_t queue_types;        /* Bit 0: split.  Bit 1: packed. */
    uint8_t event_modes;        /* 1 << enum mlx5_virtq_event_mode. */
    unsigned int max_tunnel_desc;
    unsigned int max_devices;   /* Without VFs. */
    unsigned int max_queues;    /* Of each function. */
    unsigned int max_hotplug;
    unsigned int max_vfs;       /* Of each PF, as far as it is told. */
    unsigned int max_vf_msix, min_vf_msix; /* When VFs share a pool. */
    unsigned int log_max_rqt_size;
    uint32_t umem_a[3], umem_b[3]; /* Bytes: a * queue size + b. */
};

/* Finds, among the RDMA devices of 'class', the one of 'names' that is an
 * emulation manager, opens it, and queries its capabilities.  What is in the
 * way is said with the firmware setting that it takes. */
int mlx5_emu_discover(const struct mlx5_devx_class *class,
                      const char *const names[], size_t n_names,
                      struct mlx5_devx **, struct mlx5_emu_caps *,
                      char **errp);

/* Discovers, and closes again.  Stores in '*textp' one line for the operator,
 * owned by the caller, that says what the manager can do and how many
 * functions there are. */
int mlx5_emu_probe(const struct mlx5_devx_class *class,
                   const char *const names[], size_t n_names, char **textp,
                   char **errp);

/* Queries the number of an open device among the functions of the card, and
 * how many ports are one link for it, 0 without LAG. */
int mlx5_emu_identify(struct mlx5_devx *, uint16_t *vhca_id,
                      unsigned int *n_lag_ports, char **errp);

struct mlx5_emu_function {
    uint16_t bdf;               /* As the host sees it. */
    uint16_t vhca_id;
    bool hotplug;
    char vuid[MLX5_VUID_LEN + 1]; /* "" if firmware cannot tell. */
};

/* Lists PFs, or the VFs of the PF 'pf_vhca_id' if that is nonzero, of which
 * there are up to 'max'.  The caller frees '*functions'. */
int mlx5_emu_list(struct mlx5_devx *, const struct mlx5_emu_caps *,
                  uint16_t pf_vhca_id, size_t max,
                  struct mlx5_emu_function **functions, size_t *n,
                  char **errp);

/* Tells what firmware says of the PF 'vhca_id'. */
int mlx5_emu_find(struct mlx5_devx *, const struct mlx5_emu_caps *,
                  uint16_t vhca_id, struct mlx5_emu_function *, char **errp);

/* What a function is to be. */
struct mlx5_emu_config {
    uint64_t features;
    struct eth_addr mac;
    uint16_t mtu, max_pairs, max_queue_size, num_msix;
    bool link_up;
    bool transitional;
};

/* Makes a function and shows it to the host. */
int mlx5_emu_plug(struct mlx5_devx *, const struct mlx5_emu_config *,
                  uint16_t *vhca_id, char **errp);
int mlx5_emu_unplug(struct mlx5_devx *, uint16_t vhca_id, char **errp);

struct mlx5_emu_queue {
    uint16_t size, msix_vector, notify_off;
    bool enabled;
    uint64_t desc, driver, device; /* Addresses in the host's memory. */
};

/* Registers of a function. */
struct mlx5_emu_state {
    uint64_t modifiable;        /* MLX5_EMU_MODIFY_*. */
    bool enabled;               /* False while it is being reset. */
    uint8_t status;
    uint64_t device_features, driver_features;
    uint16_t num_queues, max_queue_size, msix_config;
    uint16_t num_vfs, num_msix, bdf;
    uint16_t free_vf_msix;      /* Of a PF whose VFs share vectors. */
    uint32_t crossed_mkey;      /* Key of its memory. */
    struct eth_addr mac;
    uint16_t mtu, max_pairs;
    bool link_up;
    struct mlx5_emu_queue *queues; /* 'n_queues' of them, owned, or NULL. */
    unsigned int n_queues;
};

/* Takes over the management of the function 'vhca_id'.  'has_vfs' says that it
 * is a PF whose VFs share MSI-X vectors. */
int mlx5_emu_manage(struct mlx5_devx *, const struct mlx5_emu_caps *,
                    uint16_t vhca_id, bool has_vfs, struct mlx5_devx_obj **,
                    char **errp);

/* Reads registers, and the first 'n_queues' queues. */
int mlx5_emu_query(struct mlx5_devx_obj *, unsigned int n_queues,
                   struct mlx5_emu_state *, char **errp);
void mlx5_emu_state_uninit(struct mlx5_emu_state *);

/* The driver's reset has been carried out. */
int mlx5_emu_ack_reset(struct mlx5_devx_obj *, char **errp);

/* Asks the driver for a reset: DEVICE_NEEDS_RESET. */
int mlx5_emu_needs_reset(struct mlx5_devx_obj *, uint8_t status, char **errp);

int mlx5_emu_set_link(struct mlx5_devx_obj *, bool up, char **errp);

/* Changes a function that has no driver.  'modifiable' is from a query: all
 * that differs must be there, or nothing is changed and -EBUSY is returned. */
int mlx5_emu_configure(struct mlx5_devx_obj *, uint64_t modifiable,
                       const struct mlx5_emu_config *, bool common,
                       bool dev_cfg, char **errp);
int mlx5_emu_set_msix(struct mlx5_devx_obj *, uint16_t num_msix, char **errp);

#endif /* mlx5-emu.h */
