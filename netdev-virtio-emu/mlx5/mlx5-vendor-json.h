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

#ifndef MLX5_VENDOR_JSON_H
#define MLX5_VENDOR_JSON_H 1

/* What NVIDIA's service prints: the JSON of its "virtnet" program, versions
 * 1.7 to 24.10, taken apart.
 *
 * It is read the way it should be from a program that others maintain: unknown
 * members are ignored, numbers may be numbers or text, decimal or hexadecimal,
 * members that are missing keep what they had, and a device that makes no
 * sense is left out, with a line that says why, without harm to the others. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtnet-device.h"

struct json;

/* One element of "devices" of "list" or "query". */
struct mlx5_vendor_device {
    enum virtnet_function_type type;
    char *vuid;                 /* Owned. */
    uint32_t pf_id;             /* For a VF: its parent's. */
    uint32_t vf_id;
    uint16_t bdf;
    uint32_t vhca_id, sf_vhca_id;
    uint32_t max_vfs, enabled_vfs;
    uint32_t sf_num;
    char *ib_device;            /* Owned. */
    char *pci_addr;             /* Of the parent: "0000:03:00.0".  Owned, or
                                 * NULL. */
    char rep_name[IFNAMSIZ];
    uint32_t rep_ifindex;
    struct virtnet_device_config config;
    struct virtnet_driver_info driver;
    uint32_t enabled_queues;

    bool has_features;          /* Only "query" has these: config.features, */
    bool has_status;            /* and driver.status, driver.features. */
};

struct mlx5_vendor_list {
    /* Of "controller", if there is one. */
    bool has_controller;
    char *emulation_manager;    /* Owned, or NULL. */
    uint32_t max_hotplug_devices, max_devices, max_virt_queues;
    uint32_t max_tunnel_descriptors;
    uint64_t supported_features, virt_queue_types, event_modes;

    struct mlx5_vendor_device *devices;
    size_t n_devices;
    size_t n_bad;               /* Those left out. */
    char *problem;              /* Why the first of these was, or NULL. */
};

/* Finds the JSON value in 'text', before which the program prints the
 * arguments in a notation of its own.  Returns it, or NULL with one line in
 * '*errp'; the caller owns both. */
struct json *mlx5_vendor_parse(const char *text, char **errp);

/* Takes the answer to "list" or "query" apart.  Returns NULL, with one line in
 * '*errp', if it is something else. */
struct mlx5_vendor_list *mlx5_vendor_parse_list(const struct json *,
                                                char **errp);
void mlx5_vendor_list_destroy(struct mlx5_vendor_list *);

/* The number of "errno" of the answer to an action: 0, or a negative number as
 * in virtnet-error.h; -EPROTO if there is none. */
int mlx5_vendor_get_errno(const struct json *);

#endif /* mlx5-vendor-json.h */
