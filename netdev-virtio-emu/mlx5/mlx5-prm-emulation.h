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

#ifndef MLX5_PRM_EMULATION_H
#define MLX5_PRM_EMULATION_H 1

/* Emulation of PCI functions: commands and objects of mlx5 firmware that
 * neither Linux nor DPDK nor rdma-core has.
 *
 * All numbers in this file are from one source: those headers of snap-rdma,
 * commit 3b39cdb of July 2021, that carry a licence of their own (GPLv2 or
 * OpenIB BSD).  Later revisions of that project are under other terms and have
 * not been used.  They are numbers of an interface as it was in 2021 and have
 * not been tried on hardware.
 *
 * Nothing of it is anywhere else, so that this file can be replaced by the
 * numbers of a manual.  Everything else depends on names only. */

#include "mlx5-prm.h"

enum {
    MLX5_OP_QUERY_EMULATED_FUNCTIONS_INFO = 0xb03,
    MLX5_OP_HOTPLUG_DEVICE = 0xb20,
    MLX5_OP_HOTUNPLUG_DEVICE = 0xb21,

    MLX5_OBJ_DEVICE = 0x14,
    MLX5_OBJ_NET_DEVICE_EMULATION = 0x15,

    MLX5_CAP_VIRTIO_NET_EMULATION = 0x16,
    MLX5_CAP_HOTPLUG = 0x18,
};

/* op_mod of QUERY_EMULATED_FUNCTIONS_INFO. */
enum {
    MLX5_EMULATED_NET_PFS = 1,
    MLX5_EMULATED_VFS = 3,      /* Of the PF in pf_vhca_id. */
};

/* device_type of a hotplug_device, and the bit that stands for it in
 * hotplug_device_types_supported. */
#define MLX5_HOTPLUG_NET 1
#define MLX5_HOTPLUG_NET_BIT (1 << 1)

/* modify_field_select of net_device_emulation.  A query returns there what may
 * be modified at the moment. */
#define MLX5_EMU_MODIFY_STATUS (UINT64_C(1) << 0)
#define MLX5_EMU_MODIFY_LINK (UINT64_C(1) << 1)
#define MLX5_EMU_MODIFY_RESET (UINT64_C(1) << 2)
#define MLX5_EMU_MODIFY_COMMON (UINT64_C(1) << 3)
#define MLX5_EMU_MODIFY_DEV_CFG (UINT64_C(1) << 4)
#define MLX5_EMU_MODIFY_QUEUES (UINT64_C(1) << 7)
#define MLX5_EMU_MODIFY_NUM_MSIX (UINT64_C(1) << 8)
#define MLX5_EMU_MODIFY_MSIX_RESET (UINT64_C(1) << 9)

/* The part of page 0 of QUERY_HCA_CAP that is about emulation. */
#define MLX5_PRM_emulation_general_cap(F)                                    \
    F(emulation_general_cap, hotplug_manager, 0xf4, 1, "S")                  \
    F(emulation_general_cap, resources_on_net_manager, 0x128, 1, "S")

/* Page 0x16: what mlx5-prm.h has not, which is the same for vDPA. */
#define MLX5_PRM_virtio_net_emulation_cap(F)                                 \
    F(virtio_net_emulation_cap, max_num_vf_dynamic_msix, 0x1c0, 16, "S")     \
    F(virtio_net_emulation_cap, min_num_vf_dynamic_msix, 0x1d0, 16, "S")

/* Page 0x18. */
#define MLX5_PRM_hotplug_cap(F)                                              \
    F(hotplug_cap, hotplug_device_types_supported, 0x0, 16, "S")             \
    F(hotplug_cap, log_max_bar_size, 0x10, 8, "S")                           \
    F(hotplug_cap, max_hotplug_devices, 0x18, 8, "S")                        \
    F(hotplug_cap, max_total_vfs, 0x30, 16, "S")

/* QUERY_EMULATED_FUNCTIONS_INFO. */
#define MLX5_PRM_query_emulated_functions_in(F)                              \
    F(query_emulated_functions_in, pf_vhca_id, 0x70, 16, "S")

#define MLX5_PRM_query_emulated_functions_out(F)                             \
    F(query_emulated_functions_out, num_emulated_functions, 0x70, 16, "S")

/* ...an entry of its list, which follows. */
#define MLX5_PRM_emulated_function(F)                                        \
    F(emulated_function, pci_bdf, 0x0, 16, "S")                              \
    F(emulated_function, vhca_id, 0x10, 16, "S")                             \
    F(emulated_function, hotplug_function, 0x20, 1, "S")

/* Identity of a PCI function. */
#define MLX5_PRM_device_pci_parameters(F)                                    \
    F(device_pci_parameters, device_id, 0x0, 16, "S")                        \
    F(device_pci_parameters, vendor_id, 0x10, 16, "S")                       \
    F(device_pci_parameters, revision_id, 0x20, 8, "S")                      \
    F(device_pci_parameters, class_code, 0x28, 24, "S")                      \
    F(device_pci_parameters, subsystem_id, 0x40, 16, "S")                    \
    F(device_pci_parameters, subsystem_vendor_id, 0x50, 16, "S")             \
    F(device_pci_parameters, num_of_vfs, 0x60, 16, "S")                      \
    F(device_pci_parameters, num_msix, 0x70, 16, "S")

/* Configuration space of a network device. */
#define MLX5_PRM_virtio_net_config(F)                                        \
    F(virtio_net_config, mac_47_16, 0x0, 32, "S")                            \
    F(virtio_net_config, mac_15_0, 0x20, 16, "S")                            \
    F(virtio_net_config, status, 0x30, 16, "S")                              \
    F(virtio_net_config, max_virtqueue_pairs, 0x40, 16, "S")                 \
    F(virtio_net_config, mtu, 0x50, 16, "S")

/* What a plugged function begins with. */
#define MLX5_PRM_net_initial_regs(F)                                         \
    F(net_initial_regs, device_features, 0x0, 64, "S")                       \
    F(net_initial_regs, queue_size, 0x50, 16, "S")                           \
    F(net_initial_regs, virtio_net_config, 0x80, 128, "S")

/* Object 0x14, and the body of HOTPLUG_DEVICE. */
#define MLX5_PRM_hotplug_device(F)                                           \
    F(hotplug_device, modify_field_select, 0x0, 64, "S")                     \
    F(hotplug_device, initial_registers_valid, 0x57, 1, "S")                 \
    F(hotplug_device, device_type, 0x58, 8, "S")                             \
    F(hotplug_device, total_vf, 0x60, 16, "S")                               \
    F(hotplug_device, vhca_id, 0x70, 16, "S")                                \
    F(hotplug_device, pci_params, 0x80, 128, "S")                            \
    F(hotplug_device, initial_regs, 0x200, 1536, "S")

/* Registers that a driver sees. */
#define MLX5_PRM_virtio_device(F)                                            \
    F(virtio_device, device_feature, 0x0, 64, "S")                           \
    F(virtio_device, driver_feature, 0x40, 64, "S")                          \
    F(virtio_device, msix_config, 0x80, 16, "S")                             \
    F(virtio_device, num_queues, 0x90, 16, "S")                              \
    F(virtio_device, device_status, 0xa0, 8, "S")                            \
    F(virtio_device, config_generation, 0xa8, 8, "S")                        \
    F(virtio_device, pci_bdf, 0xb0, 16, "S")                                 \
    F(virtio_device, notify_off_multiplier, 0xc0, 32, "S")                   \
    F(virtio_device, max_queue_size, 0xe0, 16, "S")                          \
    F(virtio_device, queue_select, 0x110, 16, "S")

/* Object 0x15: an emulated function; a list of queues follows. */
#define MLX5_PRM_net_device_emulation(F)                                     \
    F(net_device_emulation, modify_field_select, 0x0, 64, "S")               \
    F(net_device_emulation, vhca_id, 0x50, 16, "S")                          \
    F(net_device_emulation, enabled, 0x60, 1, "S")                           \
    F(net_device_emulation, resources_on_emulation_manager, 0x61, 1, "S")    \
    F(net_device_emulation, reset, 0x62, 1, "S")                             \
    F(net_device_emulation, dynamic_vf_msix_control, 0x63, 1, "S")           \
    F(net_device_emulation, dynamic_vf_msix_reset, 0x64, 1, "S")             \
    F(net_device_emulation, num_free_dynamic_vfs_msix, 0x70, 16, "S")        \
    F(net_device_emulation, emulated_device_crossed_vhca_mkey, 0xc0, 32, "S") \
    F(net_device_emulation, pci_params, 0x100, 128, "S")                     \
    F(net_device_emulation, virtio_device, 0x200, 384, "S")                  \
    F(net_device_emulation, virtio_net_config, 0x380, 128, "S")

/* ...an entry of that list. */
#define MLX5_PRM_virtio_q_layout(F)                                          \
    F(virtio_q_layout, queue_size, 0x0, 16, "S")                             \
    F(virtio_q_layout, queue_msix_vector, 0x10, 16, "S")                     \
    F(virtio_q_layout, queue_enable, 0x20, 16, "S")                          \
    F(virtio_q_layout, queue_notify_off, 0x30, 16, "S")                      \
    F(virtio_q_layout, queue_desc, 0x40, 64, "S")                            \
    F(virtio_q_layout, queue_driver, 0x80, 64, "S")                          \
    F(virtio_q_layout, queue_device, 0xc0, 64, "S")

#define MLX5_EMU_STRUCTS(S)                                                  \
    S(emulation_general_cap, 32768)                                          \
    S(virtio_net_emulation_cap, 2016)                                        \
    S(hotplug_cap, 32768)                                                    \
    S(query_emulated_functions_in, 128)                                      \
    S(query_emulated_functions_out, 128)                                     \
    S(emulated_function, 64)                                                 \
    S(device_pci_parameters, 128)                                            \
    S(virtio_net_config, 128)                                                \
    S(net_initial_regs, 256)                                                 \
    S(hotplug_device, 2048)                                                  \
    S(virtio_device, 384)                                                    \
    S(net_device_emulation, 1024)                                            \
    S(virtio_q_layout, 256)

enum mlx5_emu_field {
#define S(STRUCT, WIDTH) MLX5_PRM_##STRUCT(MLX5_PRM_ENUM)
    MLX5_EMU_STRUCTS(S)
#undef S
};
enum mlx5_emu_len {
    MLX5_EMU_STRUCTS(MLX5_PRM_LEN)
};

#endif /* mlx5-prm-emulation.h */
