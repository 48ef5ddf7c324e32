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

/* Emulated functions.  See mlx5-emu.h. */

#include <config.h>

#include "mlx5-emu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-prm-emulation.h"
#include "packets.h"
#include "util.h"

/* Virtio network device: VIRTIO 1.2, sections 4.1.2 and 5.1.1. */
#define VIRTIO_VENDOR_ID 0x1af4
#define VIRTIO_NET_ID 0x1041
#define VIRTIO_NET_TRANSITIONAL_ID 0x1000
#define VIRTIO_NET_SUBSYSTEM_ID 1
#define CLASS_ETHERNET 0x020000

#define LEN_CAP 4096            /* A page of capabilities, bytes. */
#define LEN_HDR MLX5_LEN_general_obj_in_cmd_hdr

static int
query_cap(struct mlx5_devx *devx, unsigned int page, const char *what,
          uint8_t out[MLX5_LEN_query_hca_cap_out], char **errp)
{
    uint8_t in[MLX5_LEN_query_hca_cap_in] = { 0 };

    BUILD_ASSERT(MLX5_LEN_query_hca_cap_out == LEN_HDR + LEN_CAP);
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_QUERY_HCA_CAP);
    MLX5_SET(cmd_in, in, op_mod, page << 1 | 1); /* Those in force. */
    return mlx5_devx_command(devx, what, in, sizeof in, out,
                             MLX5_LEN_query_hca_cap_out, errp);
}

int
mlx5_emu_identify(struct mlx5_devx *devx, uint16_t *vhca_id,
                  unsigned int *n_lag_ports, char **errp)
{
    uint8_t out[MLX5_LEN_query_hca_cap_out];
    int error = query_cap(devx, MLX5_CAP_GENERAL, "capabilities", out, errp);

    *vhca_id = error ? 0 : MLX5_GET(cmd_hca_cap, out + LEN_HDR, vhca_id);
    *n_lag_ports = (error ? 0
                    : MLX5_GET(cmd_hca_cap, out + LEN_HDR, num_lag_ports));
    return error;
}

/* Page 0. */
static int
query_general(struct mlx5_devx *devx, struct mlx5_emu_caps *caps, char **errp)
{
    uint8_t out[MLX5_LEN_query_hca_cap_out];
    const uint8_t *cap = out + LEN_HDR;
    int error;

    error = query_cap(devx, MLX5_CAP_GENERAL, "capabilities", out, errp);
    if (error) {
        return error;
    } else if (!MLX5_GET(cmd_hca_cap, cap,
                         virtio_net_device_emulation_manager)) {
        return mlx5_devx_fail(-ENODEV, errp,
                              "%s: emulation of virtio-net is off: set "
                              "VIRTIO_NET_EMULATION_ENABLE=1 with mlxconfig "
                              "and reset the card", devx->name);
    } else if (!(MLX5_GET(cmd_hca_cap, cap, general_obj_types)
                 & UINT64_C(1) << MLX5_OBJ_VIRTIO_NET_Q)) {
        return mlx5_devx_fail(-ENODEV, errp, "%s: firmware has no virtqueues "
                              "(general_obj_types)", devx->name);
    } else if (!MLX5_GET(cmd_hca_cap, cap, crossing_vhca_mkey)) {
        return mlx5_devx_fail(-ENODEV, errp, "%s: firmware cannot reach the "
                              "host's memory (crossing_vhca_mkey)",
                              devx->name);
    }
    caps->crossing_mkey = true;
    caps->vhca_id = MLX5_GET(cmd_hca_cap, cap, vhca_id);
    caps->n_lag_ports = MLX5_GET(cmd_hca_cap, cap, num_lag_ports);
    caps->cross_vhca_rqt = MLX5_GET(cmd_hca_cap, cap, cross_vhca_rqt);
    caps->log_max_rqt_size = MLX5_GET(cmd_hca_cap, cap, log_max_rqt_size);
    caps->hotplug = MLX5_GET(emulation_general_cap, cap, hotplug_manager);
    caps->on_manager = MLX5_GET(emulation_general_cap, cap,
                                resources_on_net_manager);
    if (caps->on_manager && !caps->cross_vhca_rqt) {
        return mlx5_devx_fail(-ENODEV, errp, "%s: firmware wants virtqueues "
                              "on the manager but receive tables cannot "
                              "refer to them (cross_vhca_rqt)", devx->name);
    }
    return 0;
}

/* Page 0x16. */
static int
query_emulation(struct mlx5_devx *devx, struct mlx5_emu_caps *caps,
                char **errp)
{
    uint8_t out[MLX5_LEN_query_hca_cap_out];
    const uint8_t *cap = out + LEN_HDR;
    int error;

    error = query_cap(devx, MLX5_CAP_VIRTIO_NET_EMULATION,
                      "virtio-net emulation capabilities", out, errp);
    if (error) {
        return error;
    } else if (!MLX5_GET(virtio_emulation_cap, cap, eth_frame_offload_type)
               || !MLX5_GET(virtio_emulation_cap, cap, virtio_version_1_0)) {
        return mlx5_devx_fail(-ENODEV, errp, "%s: firmware has no virtqueues "
                              "of version 1.0 with frames "
                              "(eth_frame_offload_type, virtio_version_1_0)",
                              devx->name);
    }
    caps->queue_types = MLX5_GET(virtio_emulation_cap, cap,
                                 virtio_queue_type);
    caps->packed = caps->queue_types & 2;
    caps->event_modes = MLX5_GET(virtio_emulation_cap, cap, event_mode);
    caps->tx_csum = MLX5_GET(virtio_emulation_cap, cap, tx_csum);
    caps->rx_csum = MLX5_GET(virtio_emulation_cap, cap, rx_csum);
    caps->tso_ipv4 = MLX5_GET(virtio_emulation_cap, cap, tso_ipv4);
    caps->tso_ipv6 = MLX5_GET(virtio_emulation_cap, cap, tso_ipv6);
    caps->mrg_rxbuf = MLX5_GET(virtio_emulation_cap, cap, mrg_rxbuf);
    caps->max_tunnel_desc = MLX5_GET(virtio_emulation_cap, cap,
                                     max_tunnel_desc);
    caps->max_devices = MLX5_GET(virtio_emulation_cap, cap,
                                 max_emulated_devices);
    caps->max_queues = MLX5_GET(virtio_emulation_cap, cap,
                                max_num_virtio_queues);
    caps->umem_a[0] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_1_buffer_param_a);
    caps->umem_b[0] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_1_buffer_param_b);
    caps->umem_a[1] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_2_buffer_param_a);
    caps->umem_b[1] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_2_buffer_param_b);
    caps->umem_a[2] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_3_buffer_param_a);
    caps->umem_b[2] = MLX5_GET(virtio_emulation_cap, cap,
                               umem_3_buffer_param_b);
    caps->max_vf_msix = MLX5_GET(virtio_net_emulation_cap, cap,
                                 max_num_vf_dynamic_msix);
    caps->min_vf_msix = MLX5_GET(virtio_net_emulation_cap, cap,
                                 min_num_vf_dynamic_msix);
    return 0;
}

static int
query_caps(struct mlx5_devx *devx, struct mlx5_emu_caps *caps, char **errp)
{
    uint8_t out[MLX5_LEN_query_hca_cap_out];
    int error;

    memset(caps, 0, sizeof *caps);
    error = query_general(devx, caps, errp);
    if (!error) {
        error = query_emulation(devx, caps, errp);
    }
    if (!error) {
        error = query_cap(devx, MLX5_CAP_GENERAL_2, "general capabilities 2",
                          out, errp);
        caps->query_vuid = (!error && MLX5_GET(cmd_hca_cap_2, out + LEN_HDR,
                                               query_vuid));
    }
    if (!error && caps->hotplug) {
        error = query_cap(devx, MLX5_CAP_HOTPLUG, "hotplug capabilities", out,
                          errp);
        if (!error) {
            const uint8_t *cap = out + LEN_HDR;

            if (MLX5_GET(hotplug_cap, cap, hotplug_device_types_supported)
                & MLX5_HOTPLUG_NET_BIT) {
                caps->max_hotplug = MLX5_GET(hotplug_cap, cap,
                                             max_hotplug_devices);
            }
            caps->max_vfs = MLX5_GET(hotplug_cap, cap, max_total_vfs);
        }
        caps->hotplug = caps->max_hotplug > 0;
    }
    return error;
}

int
mlx5_emu_discover(const struct mlx5_devx_class *class,
                  const char *const names[], size_t n_names,
                  struct mlx5_devx **devxp, struct mlx5_emu_caps *caps,
                  char **errp)
{
    struct mlx5_devx_info *infos;
    size_t n;
    int error = class->list(&infos, &n);

    *devxp = NULL;
    if (error) {
        return mlx5_devx_fail(error, errp, "RDMA devices cannot be listed: "
                              "%s", ovs_strerror(-error));
    }

    /* The error of the first device that exists is the one to tell. */
    error = -ENODEV;
    *errp = NULL;
    for (size_t i = 0; i < n_names && error; i++) {
        for (size_t j = 0; j < n && error; j++) {
            struct mlx5_devx *devx;
            char *reason = NULL;

            if (strcmp(infos[j].name, names[i])) {
                continue;
            }
            error = mlx5_devx_open(class, names[i], &devx, &reason);
            if (!error) {
                error = query_caps(devx, caps, &reason);
                if (!error) {
                    *devxp = devx;
                } else {
                    mlx5_devx_close(devx);
                }
            }
            if (!*errp) {
                *errp = reason;
            } else {
                free(reason);
            }
        }
    }
    free(infos);
    if (!error) {
        free(*errp);
        *errp = NULL;
    } else if (!*errp) {
        mlx5_devx_fail(error, errp, "no RDMA device %s", names[0]);
    }
    return error;
}

/* Functions. */

/* Fills in the VUIDs of 'functions', which are the VFs of 'pf_vhca_id', or a
 * single function if that is 0. */
static int
query_vuids(struct mlx5_devx *devx, uint16_t pf_vhca_id,
            struct mlx5_emu_function *functions, size_t n, char **errp)
{
    size_t out_len = MLX5_VUID_LIST + n * MLX5_VUID_LEN;
    uint8_t in[MLX5_LEN_query_vuid_in] = { 0 };
    uint8_t *out = xmalloc(out_len);
    int error;

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_QUERY_VUID);
    MLX5_SET(query_vuid_in, in, query_vfs_vuid, pf_vhca_id != 0);
    MLX5_SET(query_vuid_in, in, vhca_id,
             pf_vhca_id ? pf_vhca_id : functions->vhca_id);
    error = mlx5_devx_command(devx, "query of VUID", in, sizeof in, out,
                              out_len, errp);
    if (!error) {
        n = MIN(n, MLX5_GET(query_vuid_out, out, num_of_entries));
        for (size_t i = 0; i < n; i++) {
            memcpy(functions[i].vuid, out + MLX5_VUID_LIST + i * MLX5_VUID_LEN,
                   MLX5_VUID_LEN);
        }
    }
    free(out);
    return error;
}

/* Like mlx5_emu_list(), without VUIDs. */
static int
list_functions(struct mlx5_devx *devx, uint16_t pf_vhca_id, size_t max,
               struct mlx5_emu_function **functionsp, size_t *np, char **errp)
{
    size_t out_len = (MLX5_LEN_query_emulated_functions_out
                      + max * MLX5_LEN_emulated_function);
    uint8_t in[MLX5_LEN_query_emulated_functions_in] = { 0 };
    uint8_t *out = xmalloc(out_len);
    struct mlx5_emu_function *functions = NULL;
    size_t n = 0;
    int error;

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_QUERY_EMULATED_FUNCTIONS_INFO);
    MLX5_SET(cmd_in, in, op_mod,
             pf_vhca_id ? MLX5_EMULATED_VFS : MLX5_EMULATED_NET_PFS);
    MLX5_SET(query_emulated_functions_in, in, pf_vhca_id, pf_vhca_id);
    error = mlx5_devx_command(devx, "list of functions", in, sizeof in, out,
                              out_len, errp);
    if (error) {
        goto out;
    }
    n = MIN(max, MLX5_GET(query_emulated_functions_out, out,
                          num_emulated_functions));
    functions = xcalloc(MAX(n, 1), sizeof *functions);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *entry = (out + MLX5_LEN_query_emulated_functions_out
                                + i * MLX5_LEN_emulated_function);

        functions[i].bdf = MLX5_GET(emulated_function, entry, pci_bdf);
        functions[i].vhca_id = MLX5_GET(emulated_function, entry, vhca_id);
        functions[i].hotplug = MLX5_GET(emulated_function, entry,
                                        hotplug_function);
    }

out:
    free(out);
    *functionsp = functions;
    *np = n;
    return error;
}

int
mlx5_emu_list(struct mlx5_devx *devx, const struct mlx5_emu_caps *caps,
              uint16_t pf_vhca_id, size_t max,
              struct mlx5_emu_function **functions, size_t *n, char **errp)
{
    int error = list_functions(devx, pf_vhca_id, max, functions, n, errp);

    if (!error && caps->query_vuid && *n) {
        if (pf_vhca_id) {
            error = query_vuids(devx, pf_vhca_id, *functions, *n, errp);
        } else {
            for (size_t i = 0; i < *n && !error; i++) {
                error = query_vuids(devx, 0, &(*functions)[i], 1, errp);
            }
        }
    }
    if (error) {
        free(*functions);
        *functions = NULL;
        *n = 0;
    }
    return error;
}

int
mlx5_emu_find(struct mlx5_devx *devx, const struct mlx5_emu_caps *caps,
              uint16_t vhca_id, struct mlx5_emu_function *function,
              char **errp)
{
    struct mlx5_emu_function *functions;
    size_t n;
    int error;

    error = list_functions(devx, 0, caps->max_devices + caps->max_hotplug,
                           &functions, &n, errp);
    if (error) {
        return error;
    }
    error = -ENODEV;
    for (size_t i = 0; i < n; i++) {
        if (functions[i].vhca_id == vhca_id) {
            *function = functions[i];
            error = 0;
        }
    }
    free(functions);
    if (error) {
        return mlx5_devx_fail(error, errp, "%s: function %u is not listed",
                              devx->name, vhca_id);
    }
    return caps->query_vuid ? query_vuids(devx, 0, function, 1, errp) : 0;
}

int
mlx5_emu_probe(const struct mlx5_devx_class *class,
               const char *const names[], size_t n_names, char **textp,
               char **errp)
{
    struct mlx5_emu_function *functions;
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    size_t n;
    int error;

    *textp = NULL;
    error = mlx5_emu_discover(class, names, n_names, &devx, &caps, errp);
    if (error) {
        return error;
    }
    error = list_functions(devx, 0, caps.max_devices + caps.max_hotplug,
                           &functions, &n, errp);
    if (!error) {
        *textp = xasprintf("%s manages emulation: %"PRIuSIZE" PFs of up to "
                           "%u, of which up to %u are hotplugged; up to %u "
                           "VFs each; up to %u %s queues each",
                           devx->name, n, caps.max_devices, caps.max_hotplug,
                           caps.max_vfs, caps.max_queues,
                           caps.packed ? "split or packed" : "split");
        free(functions);
    }
    mlx5_devx_close(devx);
    return error;
}

static void
put_net_config(uint8_t *net, const struct mlx5_emu_config *config)
{
    uint64_t mac = eth_addr_to_uint64(config->mac);

    MLX5_SET(virtio_net_config, net, mac_47_16, mac >> 16);
    MLX5_SET(virtio_net_config, net, mac_15_0, mac & 0xffff);
    MLX5_SET(virtio_net_config, net, status, config->link_up);
    MLX5_SET(virtio_net_config, net, max_virtqueue_pairs, config->max_pairs);
    MLX5_SET(virtio_net_config, net, mtu, config->mtu);
}

int
mlx5_emu_plug(struct mlx5_devx *devx, const struct mlx5_emu_config *config,
              uint16_t *vhca_id, char **errp)
{
    uint8_t in[MLX5_LEN_cmd_in + MLX5_LEN_hotplug_device] = { 0 };
    uint8_t out[MLX5_LEN_cmd_out + MLX5_LEN_hotplug_device];
    uint8_t *device = in + MLX5_LEN_cmd_in;
    uint8_t *pci = MLX5_SUB(hotplug_device, device, pci_params);
    uint8_t *regs = MLX5_SUB(hotplug_device, device, initial_regs);
    int error;

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_HOTPLUG_DEVICE);
    MLX5_SET(hotplug_device, device, device_type, MLX5_HOTPLUG_NET);
    MLX5_SET(hotplug_device, device, initial_registers_valid, 1);
    MLX5_SET(device_pci_parameters, pci, vendor_id, VIRTIO_VENDOR_ID);
    MLX5_SET(device_pci_parameters, pci, device_id,
             config->transitional ? VIRTIO_NET_TRANSITIONAL_ID
             : VIRTIO_NET_ID);
    MLX5_SET(device_pci_parameters, pci, revision_id, !config->transitional);
    MLX5_SET(device_pci_parameters, pci, class_code, CLASS_ETHERNET);
    MLX5_SET(device_pci_parameters, pci, subsystem_vendor_id,
             VIRTIO_VENDOR_ID);
    MLX5_SET(device_pci_parameters, pci, subsystem_id,
             config->transitional ? VIRTIO_NET_SUBSYSTEM_ID : VIRTIO_NET_ID);
    MLX5_SET(device_pci_parameters, pci, num_msix, config->num_msix);
    MLX5_SET(net_initial_regs, regs, device_features, config->features);
    MLX5_SET(net_initial_regs, regs, queue_size, config->max_queue_size);
    put_net_config(MLX5_SUB(net_initial_regs, regs, virtio_net_config),
                   config);
    error = mlx5_devx_command(devx, "hotplug", in, sizeof in, out, sizeof out,
                              errp);
    if (!error) {
        *vhca_id = MLX5_GET(hotplug_device, out + MLX5_LEN_cmd_out, vhca_id);
    }
    return error;
}

int
mlx5_emu_unplug(struct mlx5_devx *devx, uint16_t vhca_id, char **errp)
{
    uint8_t in[MLX5_LEN_cmd_in + MLX5_LEN_hotplug_device] = { 0 };
    uint8_t out[MLX5_LEN_cmd_out];

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_HOTUNPLUG_DEVICE);
    MLX5_SET(hotplug_device, in + MLX5_LEN_cmd_in, device_type,
             MLX5_HOTPLUG_NET);
    MLX5_SET(hotplug_device, in + MLX5_LEN_cmd_in, vhca_id, vhca_id);
    return mlx5_devx_command(devx, "unplug", in, sizeof in, out, sizeof out,
                             errp);
}

/* Registers. */

int
mlx5_emu_manage(struct mlx5_devx *devx, const struct mlx5_emu_caps *caps,
                uint16_t vhca_id, bool has_vfs, struct mlx5_devx_obj **objp,
                char **errp)
{
    uint8_t in[LEN_HDR + MLX5_LEN_net_device_emulation] = { 0 };
    uint8_t out[MLX5_LEN_general_obj_out_cmd_hdr];
    uint8_t *body = in + LEN_HDR;

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type,
             MLX5_OBJ_NET_DEVICE_EMULATION);
    MLX5_SET(net_device_emulation, body, vhca_id, vhca_id);
    MLX5_SET(net_device_emulation, body, resources_on_emulation_manager,
             caps->on_manager);
    /* Gap: vf_msix. */
    MLX5_SET(net_device_emulation, body, dynamic_vf_msix_control,
             has_vfs && caps->max_vf_msix);
    return mlx5_devx_create(devx, "emulation object", in, sizeof in, out,
                            sizeof out,
                            MLX5_F_general_obj_out_cmd_hdr_obj_id, objp, errp);
}

int
mlx5_emu_query(struct mlx5_devx_obj *obj, unsigned int n_queues,
               struct mlx5_emu_state *s, char **errp)
{
    size_t out_len = (LEN_HDR + MLX5_LEN_net_device_emulation
                      + n_queues * MLX5_LEN_virtio_q_layout);
    uint8_t in[LEN_HDR] = { 0 };
    uint8_t *out = xmalloc(out_len);
    const uint8_t *body = out + LEN_HDR;
    const uint8_t *pci = MLX5_SUB(net_device_emulation, body, pci_params);
    const uint8_t *vd = MLX5_SUB(net_device_emulation, body, virtio_device);
    const uint8_t *net = MLX5_SUB(net_device_emulation, body,
                                  virtio_net_config);
    int error;

    memset(s, 0, sizeof *s);
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_QUERY_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type,
             MLX5_OBJ_NET_DEVICE_EMULATION);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, obj->id);
    error = mlx5_devx_query(obj, "query of registers", in, sizeof in, out,
                            out_len, errp);
    if (error) {
        free(out);
        return error;
    }

    s->modifiable = MLX5_GET(net_device_emulation, body, modify_field_select);
    s->enabled = MLX5_GET(net_device_emulation, body, enabled);
    s->crossed_mkey = MLX5_GET(net_device_emulation, body,
                               emulated_device_crossed_vhca_mkey);
    s->free_vf_msix = MLX5_GET(net_device_emulation, body,
                               num_free_dynamic_vfs_msix);
    s->num_vfs = MLX5_GET(device_pci_parameters, pci, num_of_vfs);
    s->num_msix = MLX5_GET(device_pci_parameters, pci, num_msix);
    s->device_features = MLX5_GET(virtio_device, vd, device_feature);
    /* What a driver accepts without being offered it, VIRTIO 1.2, section
     * 2.2.1, forbids, but that does not keep it from doing so. */
    s->driver_features = (MLX5_GET(virtio_device, vd, driver_feature)
                          & s->device_features);
    s->msix_config = MLX5_GET(virtio_device, vd, msix_config);
    s->num_queues = MLX5_GET(virtio_device, vd, num_queues);
    s->status = MLX5_GET(virtio_device, vd, device_status);
    s->bdf = MLX5_GET(virtio_device, vd, pci_bdf);
    s->max_queue_size = MLX5_GET(virtio_device, vd, max_queue_size);
    eth_addr_from_uint64(MLX5_GET(virtio_net_config, net, mac_47_16) << 16
                         | MLX5_GET(virtio_net_config, net, mac_15_0),
                         &s->mac);
    s->link_up = MLX5_GET(virtio_net_config, net, status) & 1;
    s->max_pairs = MLX5_GET(virtio_net_config, net, max_virtqueue_pairs);
    s->mtu = MLX5_GET(virtio_net_config, net, mtu);
    if (n_queues) {
        s->queues = xcalloc(n_queues, sizeof *s->queues);
        s->n_queues = n_queues;
    }
    for (unsigned int i = 0; i < n_queues; i++) {
        const uint8_t *l = (body + MLX5_LEN_net_device_emulation
                            + i * MLX5_LEN_virtio_q_layout);
        struct mlx5_emu_queue *q = &s->queues[i];

        q->size = MLX5_GET(virtio_q_layout, l, queue_size);
        q->msix_vector = MLX5_GET(virtio_q_layout, l, queue_msix_vector);
        q->enabled = MLX5_GET(virtio_q_layout, l, queue_enable);
        q->notify_off = MLX5_GET(virtio_q_layout, l, queue_notify_off);
        q->desc = MLX5_GET(virtio_q_layout, l, queue_desc);
        q->driver = MLX5_GET(virtio_q_layout, l, queue_driver);
        q->device = MLX5_GET(virtio_q_layout, l, queue_device);
    }
    free(out);
    return 0;
}

void
mlx5_emu_state_uninit(struct mlx5_emu_state *s)
{
    free(s->queues);
    s->queues = NULL;
    s->n_queues = 0;
}

/* A command that modifies 'select' of an emulation object. */
struct modify {
    uint8_t in[LEN_HDR + MLX5_LEN_net_device_emulation];
    uint8_t *pci, *vd, *net;
};

static void
modify_init(struct modify *m, const struct mlx5_devx_obj *obj,
            uint64_t select)
{
    uint8_t *body = m->in + LEN_HDR;

    memset(m, 0, sizeof *m);
    MLX5_SET(cmd_in, m->in, opcode, MLX5_OP_MODIFY_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, m->in, obj_type,
             MLX5_OBJ_NET_DEVICE_EMULATION);
    MLX5_SET(general_obj_in_cmd_hdr, m->in, obj_id, obj->id);
    MLX5_SET(net_device_emulation, body, modify_field_select, select);
    m->pci = MLX5_SUB(net_device_emulation, body, pci_params);
    m->vd = MLX5_SUB(net_device_emulation, body, virtio_device);
    m->net = MLX5_SUB(net_device_emulation, body, virtio_net_config);
}

int
mlx5_emu_ack_reset(struct mlx5_devx_obj *obj, char **errp)
{
    struct modify m;

    modify_init(&m, obj, MLX5_EMU_MODIFY_STATUS);
    return mlx5_devx_modify(obj, "end of reset", m.in, sizeof m.in, errp);
}

int
mlx5_emu_needs_reset(struct mlx5_devx_obj *obj, uint8_t status, char **errp)
{
    struct modify m;

    modify_init(&m, obj, MLX5_EMU_MODIFY_STATUS);
    MLX5_SET(virtio_device, m.vd, device_status, status | 0x40);
    return mlx5_devx_modify(obj, "request for reset", m.in, sizeof m.in, errp);
}

int
mlx5_emu_set_link(struct mlx5_devx_obj *obj, bool up, char **errp)
{
    struct modify m;

    modify_init(&m, obj, MLX5_EMU_MODIFY_LINK);
    MLX5_SET(virtio_net_config, m.net, status, up);
    return mlx5_devx_modify(obj, "link state", m.in, sizeof m.in, errp);
}

int
mlx5_emu_configure(struct mlx5_devx_obj *obj, uint64_t modifiable,
                   const struct mlx5_emu_config *config, bool common,
                   bool dev_cfg, char **errp)
{
    uint64_t select = ((common ? MLX5_EMU_MODIFY_COMMON : 0)
                       | (dev_cfg ? MLX5_EMU_MODIFY_DEV_CFG : 0));
    struct modify m;

    if (!select) {
        return 0;
    } else if (select & ~modifiable) {
        return mlx5_devx_fail(-EBUSY, errp, "%s: firmware does not let the "
                              "function be modified now", obj->devx->name);
    }
    modify_init(&m, obj, select);
    if (common) {
        MLX5_SET(virtio_device, m.vd, device_feature, config->features);
        MLX5_SET(virtio_device, m.vd, max_queue_size, config->max_queue_size);
    }
    if (dev_cfg) {
        put_net_config(m.net, config);
    }
    return mlx5_devx_modify(obj, "configuration", m.in, sizeof m.in, errp);
}

int
mlx5_emu_set_msix(struct mlx5_devx_obj *obj, uint16_t num_msix, char **errp)
{
    struct modify m;

    modify_init(&m, obj, MLX5_EMU_MODIFY_NUM_MSIX);
    MLX5_SET(device_pci_parameters, m.pci, num_msix, num_msix);
    return mlx5_devx_modify(obj, "MSI-X vectors", m.in, sizeof m.in, errp);
}
