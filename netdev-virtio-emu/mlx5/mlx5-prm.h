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

#ifndef MLX5_PRM_H
#define MLX5_PRM_H 1

/* Layouts of the commands and objects of mlx5 firmware that are used here.
 *
 * Every field is a row: structure, field, offset and width in bits, and where
 * that is from.  Bits are counted as the firmware's manual does: structures
 * are made of big-endian words of 32 bits, and bit 0 is the most significant
 * one of the first word.  The sources, which tests/mlx5-layout.* are made from
 * by build-aux/mlx5-layouts:
 *
 *     L    Linux 6.1, include/linux/mlx5/mlx5_ifc.h and mlx5_ifc_vdpa.h
 *     N    Linux 6.12, the same files
 *     D    DPDK, drivers/common/mlx5/mlx5_prm.h
 *     V    Linux 6.1, drivers/vdpa/mlx5/net/mlx5_vnet.c, which has names for
 *          bits of device_features_bits_mask and queue_feature_bit_mask of L
 *     S    see mlx5-prm-emulation.h, where all of these are
 *
 * Names are those of Linux, or of DPDK for what only that has, but for a few
 * that have become shorter; cmd_in and cmd_out are what all commands have in
 * common. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opcodes.  Linux and DPDK, same files as above. */
enum mlx5_opcode {
    MLX5_OP_QUERY_HCA_CAP = 0x100,
    MLX5_OP_CREATE_MKEY = 0x200,
    MLX5_OP_ALLOC_TRANSPORT_DOMAIN = 0x816,
    MLX5_OP_CREATE_TIR = 0x900,
    MLX5_OP_CREATE_TIS = 0x912,
    MLX5_OP_CREATE_RQT = 0x916,
    MLX5_OP_MODIFY_RQT = 0x917,
    MLX5_OP_CREATE_GENERAL_OBJECT = 0xa00,
    MLX5_OP_MODIFY_GENERAL_OBJECT = 0xa01,
    MLX5_OP_QUERY_GENERAL_OBJECT = 0xa02,
    MLX5_OP_QUERY_VUID = 0xb22, /* Linux 6.12. */
};

/* Types of general objects.  Linux, DPDK. */
enum mlx5_obj_type {
    MLX5_OBJ_VIRTIO_NET_Q = 0x0d,
    MLX5_OBJ_VIRTIO_Q_COUNTERS = 0x1c,
};

/* Pages of QUERY_HCA_CAP.  Linux. */
enum mlx5_cap_page {
    MLX5_CAP_GENERAL = 0x00,
    MLX5_CAP_GENERAL_2 = 0x20,
};

/* 'status' of an answer.  Linux, include/linux/mlx5/device.h. */
#define MLX5_STATUSES                                                       \
    MLX5_STATUS(OK, 0x00, 0, "OK")                                          \
    MLX5_STATUS(INT_ERR, 0x01, EIO, "internal error")                       \
    MLX5_STATUS(BAD_OP, 0x02, EINVAL, "bad operation")                      \
    MLX5_STATUS(BAD_PARAM, 0x03, EINVAL, "bad parameter")                   \
    MLX5_STATUS(BAD_SYS_STATE, 0x04, EIO, "bad system state")               \
    MLX5_STATUS(BAD_RES, 0x05, EINVAL, "bad resource")                      \
    MLX5_STATUS(RES_BUSY, 0x06, EBUSY, "resource busy")                     \
    MLX5_STATUS(LIM, 0x08, ENOMEM, "limits exceeded")                       \
    MLX5_STATUS(BAD_RES_STATE, 0x09, EINVAL, "bad resource state")          \
    MLX5_STATUS(IX, 0x0a, EINVAL, "bad index")                              \
    MLX5_STATUS(NO_RES, 0x0f, EAGAIN, "no resources")                       \
    MLX5_STATUS(BAD_INP_LEN, 0x50, EIO, "bad input length")                 \
    MLX5_STATUS(BAD_OUTP_LEN, 0x51, EIO, "bad output length")
enum mlx5_status {
#define MLX5_STATUS(NAME, NUMBER, ERRNO, TEXT) MLX5_STATUS_##NAME = NUMBER,
    MLX5_STATUSES
#undef MLX5_STATUS
};

/* Events.  Linux, include/linux/mlx5/device.h. */
#define MLX5_EVENT_OBJECT_CHANGE 0x27

/* States of a virtqueue.  Linux, mlx5_ifc_vdpa.h; DPDK. */
enum mlx5_virtq_state {
    MLX5_VIRTQ_INIT = 0,
    MLX5_VIRTQ_RDY = 1,
    MLX5_VIRTQ_SUSPEND = 2,
    MLX5_VIRTQ_ERR = 3,
};

/* Bits of modify_field_select of a virtqueue.  0: Linux and DPDK; 5: DPDK. */
#define MLX5_VIRTQ_MODIFY_STATE (UINT64_C(1) << 0)
#define MLX5_VIRTQ_MODIFY_PERIOD (UINT64_C(1) << 5)

/* event_mode of a virtqueue; the capability has a bit for each.  Linux. */
enum mlx5_virtq_event_mode {
    MLX5_VIRTQ_NO_MSIX = 0,
    MLX5_VIRTQ_QP = 1,
    MLX5_VIRTQ_MSIX = 2,
};

/* offload_type of a virtqueue.  Linux. */
#define MLX5_VIRTQ_ETH_FRAME 0

/* RQT, TIR.  Linux, DPDK. */
#define MLX5_RQT_VIRTIO_NET_Q 1     /* list_q_type. */
#define MLX5_RQT_BITMASK_LIST 1     /* Bit of 'bitmask' of MODIFY_RQT. */
#define MLX5_TIR_INDIRECT 1         /* disp_type. */
#define MLX5_TIR_HASH_NONE 0        /* rx_hash_fn. */
#define MLX5_TIR_HASH_TOEPLITZ 2
#define MLX5_TIR_KEY_LEN 40         /* Bytes. */
#define MLX5_HASH_SRC_IP 0x1        /* selected_fields. */
#define MLX5_HASH_DST_IP 0x2
#define MLX5_HASH_SPORT 0x4
#define MLX5_HASH_DPORT 0x8

/* access mode of a memory key: memory of another function.  Linux 6.12. */
#define MLX5_MKC_CROSSING 6

/* Any command. */
#define MLX5_PRM_cmd_in(F)                                                   \
    F(cmd_in, opcode, 0x0, 16, "LD")                                         \
    F(cmd_in, uid, 0x10, 16, "L")                                            \
    F(cmd_in, op_mod, 0x30, 16, "LD")

/* The answer to any command. */
#define MLX5_PRM_cmd_out(F)                                                  \
    F(cmd_out, status, 0x0, 8, "LD")                                         \
    F(cmd_out, syndrome, 0x20, 32, "LD")

/* QUERY_HCA_CAP. */
#define MLX5_PRM_query_hca_cap_in(F)                                         \
    F(query_hca_cap_in, other_function, 0x40, 1, "L")                        \
    F(query_hca_cap_in, function_id, 0x50, 16, "L")

#define MLX5_PRM_query_hca_cap_out(F)                                        \
    F(query_hca_cap_out, capability, 0x80, 32768, "LD")

/* Page 0: general. */
#define MLX5_PRM_cmd_hca_cap(F)                                              \
    F(cmd_hca_cap, vhca_resource_manager, 0x1f, 1, "LD")                     \
    F(cmd_hca_cap, vhca_id, 0x30, 16, "LD")                                  \
    F(cmd_hca_cap, event_cap, 0x90, 1, "L")                                  \
    F(cmd_hca_cap, virtio_net_device_emulation_manager, 0xd9, 1, "L")        \
    F(cmd_hca_cap, eswitch_manager, 0x1a7, 1, "LD")                          \
    F(cmd_hca_cap, umem_uid_0, 0x252, 1, "L")                                \
    F(cmd_hca_cap, num_lag_ports, 0x27c, 4, "LD")                            \
    F(cmd_hca_cap, log_max_tir, 0x373, 5, "LD")                              \
    F(cmd_hca_cap, log_max_rqt, 0x38b, 5, "LD")                              \
    F(cmd_hca_cap, log_max_rqt_size, 0x393, 5, "LD")                         \
    F(cmd_hca_cap, general_obj_types, 0x400, 64, "LD")                       \
    F(cmd_hca_cap, cross_vhca_rqt, 0x462, 1, "N")                            \
    F(cmd_hca_cap, log_max_uctx, 0x463, 5, "L")                              \
    F(cmd_hca_cap, log_max_umem, 0x46b, 5, "L")                              \
    F(cmd_hca_cap, crossing_vhca_mkey, 0x5b2, 1, "D")                        \
    F(cmd_hca_cap, max_num_sf, 0x640, 16, "L")                               \
    F(cmd_hca_cap, uctx_cap, 0x6a0, 32, "L")

/* Page 0x20: general, second part. */
#define MLX5_PRM_cmd_hca_cap_2(F)                                            \
    F(cmd_hca_cap_2, query_vuid, 0x92, 1, "N")

/* Virtio emulation: page 0x13 for vDPA, and 0x16 for full emulation, of which
 * mlx5-prm-emulation.h tells. */
#define MLX5_PRM_virtio_emulation_cap(F)                                     \
    F(virtio_emulation_cap, desc_tunnel_offload_type, 0x0, 1, "LD")          \
    F(virtio_emulation_cap, eth_frame_offload_type, 0x1, 1, "LD")            \
    F(virtio_emulation_cap, virtio_version_1_0, 0x2, 1, "LD")                \
    F(virtio_emulation_cap, tso_ipv4, 0x3, 1, "D")                           \
    F(virtio_emulation_cap, tso_ipv6, 0x4, 1, "D")                           \
    F(virtio_emulation_cap, tx_csum, 0x5, 1, "D")                            \
    F(virtio_emulation_cap, rx_csum, 0x6, 1, "D")                            \
    F(virtio_emulation_cap, mrg_rxbuf, 0xd, 1, "V")                          \
    F(virtio_emulation_cap, event_mode, 0x10, 8, "LD")                       \
    F(virtio_emulation_cap, virtio_queue_type, 0x18, 8, "LD")                \
    F(virtio_emulation_cap, max_tunnel_desc, 0x20, 16, "L")                  \
    F(virtio_emulation_cap, log_doorbell_stride, 0x33, 5, "LD")              \
    F(virtio_emulation_cap, log_doorbell_bar_size, 0x3b, 5, "LD")            \
    F(virtio_emulation_cap, doorbell_bar_offset, 0x40, 64, "LD")             \
    F(virtio_emulation_cap, max_emulated_devices, 0x80, 8, "L")              \
    F(virtio_emulation_cap, max_num_virtio_queues, 0x88, 24, "LD")           \
    F(virtio_emulation_cap, umem_1_buffer_param_a, 0x100, 32, "LD")          \
    F(virtio_emulation_cap, umem_1_buffer_param_b, 0x120, 32, "LD")          \
    F(virtio_emulation_cap, umem_2_buffer_param_a, 0x140, 32, "LD")          \
    F(virtio_emulation_cap, umem_2_buffer_param_b, 0x160, 32, "LD")          \
    F(virtio_emulation_cap, umem_3_buffer_param_a, 0x180, 32, "LD")          \
    F(virtio_emulation_cap, umem_3_buffer_param_b, 0x1a0, 32, "LD")

/* Commands for general objects. */
#define MLX5_PRM_general_obj_in_cmd_hdr(F)                                   \
    F(general_obj_in_cmd_hdr, obj_type, 0x30, 16, "LD")                      \
    F(general_obj_in_cmd_hdr, obj_id, 0x40, 32, "LD")

#define MLX5_PRM_general_obj_out_cmd_hdr(F)                                  \
    F(general_obj_out_cmd_hdr, obj_id, 0x40, 32, "LD")

/* VIRTIO_NET_Q, object type 0xd. */
#define MLX5_PRM_virtio_net_q(F)                                             \
    F(virtio_net_q, modify_field_select, 0x0, 64, "LD")                      \
    F(virtio_net_q, vhca_id, 0x60, 16, "L")                                  \
    F(virtio_net_q, tso_ipv4, 0x80, 1, "D")                                  \
    F(virtio_net_q, tso_ipv6, 0x81, 1, "D")                                  \
    F(virtio_net_q, tx_csum, 0x82, 1, "D")                                   \
    F(virtio_net_q, rx_csum, 0x83, 1, "D")                                   \
    F(virtio_net_q, state, 0x9c, 4, "LD")                                    \
    F(virtio_net_q, mrg_rxbuf, 0xa5, 1, "V")                                 \
    F(virtio_net_q, tisn_or_qpn, 0xa8, 24, "LD")                             \
    F(virtio_net_q, hw_available_index, 0x140, 16, "LD")                     \
    F(virtio_net_q, hw_used_index, 0x150, 16, "LD")                          \
    F(virtio_net_q, virtio_q_context, 0x200, 1024, "LD")

/* ...its context. */
#define MLX5_PRM_virtio_q(F)                                                 \
    F(virtio_q, virtio_q_type, 0x0, 8, "LD")                                 \
    F(virtio_q, event_mode, 0xd, 3, "LD")                                    \
    F(virtio_q, queue_index, 0x10, 16, "LD")                                 \
    F(virtio_q, full_emulation, 0x20, 1, "LD")                               \
    F(virtio_q, virtio_version_1_0, 0x21, 1, "LD")                           \
    F(virtio_q, offload_type, 0x24, 4, "LD")                                 \
    F(virtio_q, event_qpn_or_msix, 0x28, 24, "LD")                           \
    F(virtio_q, doorbell_stride_index, 0x40, 16, "L")                        \
    F(virtio_q, queue_size, 0x50, 16, "LD")                                  \
    F(virtio_q, device_emulation_id, 0x60, 32, "LD")                         \
    F(virtio_q, desc_addr, 0x80, 64, "LD")                                   \
    F(virtio_q, used_addr, 0xc0, 64, "LD")                                   \
    F(virtio_q, available_addr, 0x100, 64, "LD")                             \
    F(virtio_q, virtio_q_mkey, 0x140, 32, "LD")                              \
    F(virtio_q, max_tunnel_desc, 0x160, 16, "L")                             \
    F(virtio_q, error_type, 0x178, 8, "LD")                                  \
    F(virtio_q, umem_1_id, 0x180, 32, "LD")                                  \
    F(virtio_q, umem_1_size, 0x1a0, 32, "LD")                                \
    F(virtio_q, umem_1_offset, 0x1c0, 64, "LD")                              \
    F(virtio_q, umem_2_id, 0x200, 32, "LD")                                  \
    F(virtio_q, umem_2_size, 0x220, 32, "LD")                                \
    F(virtio_q, umem_2_offset, 0x240, 64, "LD")                              \
    F(virtio_q, umem_3_id, 0x280, 32, "LD")                                  \
    F(virtio_q, umem_3_size, 0x2a0, 32, "LD")                                \
    F(virtio_q, umem_3_offset, 0x2c0, 64, "LD")                              \
    F(virtio_q, counter_set_id, 0x300, 32, "LD")                             \
    F(virtio_q, pd, 0x328, 24, "LD")                                         \
    F(virtio_q, queue_period_mode, 0x342, 2, "D")                            \
    F(virtio_q, queue_period_us, 0x344, 12, "D")                             \
    F(virtio_q, queue_max_count, 0x350, 16, "D")

/* VIRTIO_Q_COUNTERS, object type 0x1c. */
#define MLX5_PRM_virtio_q_counters(F)                                        \
    F(virtio_q_counters, modify_field_select, 0x0, 64, "LD")                 \
    F(virtio_q_counters, received_desc, 0x80, 64, "LD")                      \
    F(virtio_q_counters, completed_desc, 0xc0, 64, "LD")                     \
    F(virtio_q_counters, error_cqes, 0x100, 32, "LD")                        \
    F(virtio_q_counters, bad_desc_errors, 0x120, 32, "LD")                   \
    F(virtio_q_counters, exceed_max_chain, 0x140, 32, "LD")                  \
    F(virtio_q_counters, invalid_buffer, 0x160, 32, "LD")

/* QUERY_VUID. */
#define MLX5_PRM_query_vuid_in(F)                                            \
    F(query_vuid_in, query_vfs_vuid, 0x60, 1, "N")                           \
    F(query_vuid_in, vhca_id, 0x70, 16, "N")

#define MLX5_PRM_query_vuid_out(F)                                           \
    F(query_vuid_out, num_of_entries, 0x1f0, 16, "N")

/* CREATE_MKEY. */
#define MLX5_PRM_create_mkey_in(F)                                           \
    F(create_mkey_in, memory_key_mkey_entry, 0x80, 512, "LD")                \
    F(create_mkey_in, translations_octword_actual_size, 0x300, 32, "LD")

#define MLX5_PRM_create_mkey_out(F)                                          \
    F(create_mkey_out, mkey_index, 0x48, 24, "LD")

/* Memory key context. */
#define MLX5_PRM_mkc(F)                                                      \
    F(mkc, access_mode_4_2, 0x3, 3, "LD")                                    \
    F(mkc, relaxed_ordering_write, 0xd, 1, "LD")                             \
    F(mkc, rw, 0x12, 1, "LD")                                                \
    F(mkc, rr, 0x13, 1, "LD")                                                \
    F(mkc, lw, 0x14, 1, "LD")                                                \
    F(mkc, lr, 0x15, 1, "LD")                                                \
    F(mkc, access_mode_1_0, 0x16, 2, "LD")                                   \
    F(mkc, qpn, 0x20, 24, "LD")                                              \
    F(mkc, mkey_7_0, 0x38, 8, "LD")                                          \
    F(mkc, length64, 0x60, 1, "LD")                                          \
    F(mkc, pd, 0x68, 24, "LD")                                               \
    F(mkc, start_addr, 0x80, 64, "LD")                                       \
    F(mkc, len, 0xc0, 64, "LD")                                              \
    F(mkc, crossing_target_vhca_id, 0x180, 16, "N")                          \
    F(mkc, translations_octword_size, 0x1a0, 32, "LD")                       \
    F(mkc, relaxed_ordering_read, 0x1d9, 1, "LD")

/* CREATE_RQT. */
#define MLX5_PRM_create_rqt_in(F)                                            \
    F(create_rqt_in, rqt_context, 0x100, 1920, "LD")

#define MLX5_PRM_create_rqt_out(F)                                           \
    F(create_rqt_out, rqtn, 0x48, 24, "LD")

/* MODIFY_RQT. */
#define MLX5_PRM_modify_rqt_in(F)                                            \
    F(modify_rqt_in, rqtn, 0x48, 24, "LD")                                   \
    F(modify_rqt_in, bitmask, 0x80, 64, "LD")                                \
    F(modify_rqt_in, ctx, 0x100, 1920, "LD")

/* RQT context. */
#define MLX5_PRM_rqtc(F)                                                     \
    F(rqtc, list_q_type, 0xa5, 3, "LD")                                      \
    F(rqtc, rqt_max_size, 0xb0, 16, "LD")                                    \
    F(rqtc, rq_vhca_id_format, 0xc0, 1, "L")                                 \
    F(rqtc, rqt_actual_size, 0xd0, 16, "LD")

/* CREATE_TIR. */
#define MLX5_PRM_create_tir_in(F)                                            \
    F(create_tir_in, ctx, 0x100, 1920, "LD")

#define MLX5_PRM_create_tir_out(F)                                           \
    F(create_tir_out, tirn, 0x48, 24, "LD")

/* TIR context. */
#define MLX5_PRM_tirc(F)                                                     \
    F(tirc, disp_type, 0x20, 4, "LD")                                        \
    F(tirc, indirect_table, 0x108, 24, "LD")                                 \
    F(tirc, rx_hash_symmetric, 0x100, 1, "LD")                               \
    F(tirc, rx_hash_fn, 0x120, 4, "LD")                                      \
    F(tirc, self_lb_block, 0x126, 2, "LD")                                   \
    F(tirc, transport_domain, 0x128, 24, "LD")                               \
    F(tirc, rx_hash_toeplitz_key, 0x140, 320, "LD")                          \
    F(tirc, rx_hash_field_selector_outer, 0x280, 32, "LD")

#define MLX5_PRM_rx_hash_field_select(F)                                     \
    F(rx_hash_field_select, l3_prot_type, 0x0, 1, "LD")                      \
    F(rx_hash_field_select, l4_prot_type, 0x1, 1, "LD")                      \
    F(rx_hash_field_select, selected_fields, 0x2, 30, "LD")

/* CREATE_TIS. */
#define MLX5_PRM_create_tis_in(F)                                            \
    F(create_tis_in, ctx, 0x100, 1280, "LD")

#define MLX5_PRM_create_tis_out(F)                                           \
    F(create_tis_out, tisn, 0x48, 24, "LD")

/* TIS context. */
#define MLX5_PRM_tisc(F)                                                     \
    F(tisc, lag_tx_port_affinity, 0x4, 4, "LD")                              \
    F(tisc, prio, 0xc, 4, "LD")                                              \
    F(tisc, transport_domain, 0x128, 24, "LD")

/* ALLOC_TRANSPORT_DOMAIN. */
#define MLX5_PRM_alloc_transport_domain_out(F)                               \
    F(alloc_transport_domain_out, transport_domain, 0x48, 24, "LD")

/* What a flow rule matches: outer headers. */
#define MLX5_PRM_fte_match_set_lyr_2_4(F)                                    \
    F(fte_match_set_lyr_2_4, dmac_47_16, 0x40, 32, "LD")                     \
    F(fte_match_set_lyr_2_4, dmac_15_0, 0x60, 16, "LD")                      \
    F(fte_match_set_lyr_2_4, first_vid, 0x74, 12, "LD")                      \
    F(fte_match_set_lyr_2_4, ip_protocol, 0x80, 8, "LD")                     \
    F(fte_match_set_lyr_2_4, cvlan_tag, 0x90, 1, "LD")                       \
    F(fte_match_set_lyr_2_4, ip_version, 0x93, 4, "LD")

/* All structures, and their widths in bits. */
#define MLX5_PRM_STRUCTS(S)                                                  \
    S(cmd_in, 128)                                                           \
    S(cmd_out, 128)                                                          \
    S(query_hca_cap_in, 128)                                                 \
    S(query_hca_cap_out, 32896)                                              \
    S(cmd_hca_cap, 32768)                                                    \
    S(cmd_hca_cap_2, 32768)                                                  \
    S(virtio_emulation_cap, 2016)                                            \
    S(general_obj_in_cmd_hdr, 128)                                           \
    S(general_obj_out_cmd_hdr, 128)                                          \
    S(virtio_net_q, 1536)                                                    \
    S(virtio_q, 1024)                                                        \
    S(virtio_q_counters, 1024)                                               \
    S(query_vuid_in, 128)                                                    \
    S(query_vuid_out, 512)                                                   \
    S(create_mkey_in, 2176)                                                  \
    S(create_mkey_out, 128)                                                  \
    S(mkc, 512)                                                              \
    S(create_rqt_in, 2176)                                                   \
    S(create_rqt_out, 128)                                                   \
    S(modify_rqt_in, 2176)                                                   \
    S(rqtc, 1920)                                                            \
    S(create_tir_in, 2176)                                                   \
    S(create_tir_out, 128)                                                   \
    S(tirc, 1920)                                                            \
    S(rx_hash_field_select, 32)                                              \
    S(create_tis_in, 1536)                                                   \
    S(create_tis_out, 128)                                                   \
    S(tisc, 1280)                                                            \
    S(alloc_transport_domain_out, 128)                                       \
    S(fte_match_set_lyr_2_4, 512)

/* A field: offset << 16 | width. */
#define MLX5_FIELD(OFFSET, WIDTH) ((OFFSET) << 16 | (WIDTH))
#define MLX5_FIELD_OFFSET(FIELD) ((FIELD) >> 16)
#define MLX5_FIELD_WIDTH(FIELD) ((FIELD) & 0xffff)

/* MLX5_F_cmd_in_opcode and so on. */
#define MLX5_PRM_ENUM(STRUCT, FIELD, OFFSET, WIDTH, SOURCES) \
    MLX5_F_##STRUCT##_##FIELD = MLX5_FIELD(OFFSET, WIDTH),
/* MLX5_LEN_cmd_in and so on: bytes. */
#define MLX5_PRM_LEN(STRUCT, WIDTH) MLX5_LEN_##STRUCT = (WIDTH) / 8,
enum mlx5_prm_field {
#define S(STRUCT, WIDTH) MLX5_PRM_##STRUCT(MLX5_PRM_ENUM)
    MLX5_PRM_STRUCTS(S)
#undef S
};
enum mlx5_prm_len {
    MLX5_PRM_STRUCTS(MLX5_PRM_LEN)
};

/* Lists at the end of structures: where they begin, bytes. */
#define MLX5_RQT_LIST 240           /* In rqtc: 0x780 bits.  Linux, DPDK. */
#define MLX5_VUID_LIST 64           /* In query_vuid_out.  Linux 6.12. */
#define MLX5_VUID_LEN 128           /* One VUID, with NULs at the end. */
#define MLX5_KEY_OFFSET (0x140 / 8) /* rx_hash_toeplitz_key in tirc. */

/* Reads or writes the field F of STRUCT at P, up to 64 bits wide. */
#define MLX5_GET(STRUCT, P, F) mlx5_prm_get(P, MLX5_F_##STRUCT##_##F)
#define MLX5_SET(STRUCT, P, F, VALUE) \
    mlx5_prm_set(P, MLX5_F_##STRUCT##_##F, VALUE)

/* Address of the field F, which is a structure, of STRUCT at P. */
#define MLX5_SUB(STRUCT, P, F) \
    ((void *) ((char *) (P) \
               + MLX5_FIELD_OFFSET(MLX5_F_##STRUCT##_##F) / 8))

uint64_t mlx5_prm_get(const void *, uint32_t field);
void mlx5_prm_set(void *, uint32_t field, uint64_t value);

/* "bad parameter"; or "unknown status". */
const char *mlx5_status_name(uint8_t status);

/* Negative errno for 'status', 0 for OK. */
int mlx5_status_to_errno(uint8_t status);

/* All rows, for checks. */
struct mlx5_prm_row {
    const char *structure, *field;
    uint32_t offset, width;     /* Bits. */
    uint32_t total;             /* Bits of the structure. */
    const char *sources;
};
extern const struct mlx5_prm_row mlx5_prm_rows[];
extern const size_t n_mlx5_prm_rows;

#endif /* mlx5-prm.h */
