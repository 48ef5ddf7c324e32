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

/* Commands about emulated functions.  See fw-model.h. */

#include <config.h>

#undef NDEBUG
#include "fw-model-internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-prm-emulation.h"
#include "util.h"

/* GUESSES, where public sources are silent:
 *
 *   - An emulation object is created with a vhca_id and nothing else but
 *     'resources_on_emulation_manager', which must be as the capability says.
 *
 *     A static PF's may say 'dynamic_vf_msix_control' besides.  While it does
 *     vectors of its VFs can be changed, as the capability says.  They share
 *     as many as they are born with, and perhaps some spare ones: what is left
 *     is 'num_free_dynamic_vfs_msix', and no event tells that it changes.
 *
 *   - A query of it may ask for fewer queues than there are, by the length of
 *     the answer.
 *
 *   - A reset by the driver: the object shows status 0, the driver reads its
 *     old status until 0 has been written to the object, which is refused
 *     while queues of the function run.
 *
 *   - FLR: the object shows enabled = 0, and nothing can be modified.  It is
 *     over when the object has been destroyed and created again.
 *
 *   - With LAG each virtqueue has a port, by its TIS.
 *
 *   - A function that has an emulation object cannot be unplugged.
 *
 *   - VFs that the host disables go at once, their objects become orphans that
 *     can only be destroyed. */

/* Vectors of VFs. */
#define MIN_VF_MSIX 2

static unsigned int
max_vf_msix(void)
{
    return fw.config.max_vf_msix ? fw.config.max_vf_msix : 32;
}

/* What VFs of 'pf' other than 'except' leave of those that they share. */
static unsigned int
free_vf_msix(const struct fw_fn *pf, const struct fw_fn *except)
{
    unsigned int n = (pf->num_vfs * fw_num_vf_msix()
                      + fw.config.spare_vf_msix);

    for (size_t i = 0; i < fw.n_fns; i++) {
        const struct fw_fn *fn = &fw.fns[i];

        if (fn->exists && fn->kind == FW_VF && fn->pf == pf && fn != except) {
            n -= MIN(n, fn->num_msix);
        }
    }
    return n;
}

/* Commands. */

int
fw_query_hca_cap(struct fw_dev *dev, const uint8_t *in, size_t in_len,
              uint8_t *out, size_t out_len)
{
    const struct fw_config *c = &fw.config;
    bool emulates = dev->manager && !c->no_emulation;
    uint8_t *cap = out + 16;
    unsigned int op_mod = GET(cmd_in, in, op_mod);

    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len == 16 + 4096, BAD_OUTP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", "query_hca_cap_in"),
            BAD_PARAM);
    REQUIRE(op_mod & 1, BAD_PARAM); /* Current ones. */

    switch (op_mod >> 1) {
    case MLX5_CAP_GENERAL:
        PUT(cmd_hca_cap, cap, vhca_id, dev->vhca_id);
        PUT(cmd_hca_cap, cap, event_cap, 1);
        PUT(cmd_hca_cap, cap, eswitch_manager, dev->vhca_id < 10);
        PUT(cmd_hca_cap, cap, num_lag_ports, c->n_lag_ports);
        PUT(cmd_hca_cap, cap, log_max_tir, 10);
        PUT(cmd_hca_cap, cap, log_max_rqt, 10);
        PUT(cmd_hca_cap, cap, log_max_rqt_size, 6);
        PUT(cmd_hca_cap, cap, crossing_vhca_mkey, 1);
        PUT(cmd_hca_cap, cap, cross_vhca_rqt, c->on_manager);
        PUT(cmd_hca_cap, cap, general_obj_types,
            ((c->no_queues ? 0 : UINT64_C(1) << MLX5_OBJ_VIRTIO_NET_Q)
             | UINT64_C(1) << MLX5_OBJ_VIRTIO_Q_COUNTERS));
        PUT(cmd_hca_cap, cap, virtio_net_device_emulation_manager, emulates);
        PUT(emulation_general_cap, cap, hotplug_manager,
            emulates && !c->no_hotplug);
        PUT(emulation_general_cap, cap, resources_on_net_manager,
            emulates && c->on_manager);
        return 0;

    case MLX5_CAP_GENERAL_2:
        PUT(cmd_hca_cap_2, cap, query_vuid, !c->no_vuid);
        return 0;

    case MLX5_CAP_VIRTIO_NET_EMULATION:
        REQUIRE(emulates, BAD_PARAM);
        PUT(virtio_emulation_cap, cap, eth_frame_offload_type, 1);
        PUT(virtio_emulation_cap, cap, virtio_version_1_0, 1);
        PUT(virtio_emulation_cap, cap, tso_ipv4, 1);
        PUT(virtio_emulation_cap, cap, tso_ipv6, 1);
        PUT(virtio_emulation_cap, cap, tx_csum, 1);
        PUT(virtio_emulation_cap, cap, rx_csum, 1);
        PUT(virtio_emulation_cap, cap, mrg_rxbuf, c->mrg_rxbuf);
        PUT(virtio_emulation_cap, cap, event_mode, 5);
        PUT(virtio_emulation_cap, cap, virtio_queue_type,
            c->packed ? 3 : 1);
        PUT(virtio_emulation_cap, cap, max_tunnel_desc, 4);
        PUT(virtio_emulation_cap, cap, max_emulated_devices,
            MIN(255, c->n_static_pfs + c->max_hotplug));
        PUT(virtio_emulation_cap, cap, max_num_virtio_queues, c->max_queues);
        PUT(virtio_emulation_cap, cap, umem_1_buffer_param_a, 128);
        PUT(virtio_emulation_cap, cap, umem_1_buffer_param_b, 4096);
        PUT(virtio_emulation_cap, cap, umem_2_buffer_param_a, 64);
        PUT(virtio_emulation_cap, cap, umem_3_buffer_param_b, 100);
        PUT(virtio_net_emulation_cap, cap, max_num_vf_dynamic_msix,
            max_vf_msix());
        PUT(virtio_net_emulation_cap, cap, min_num_vf_dynamic_msix,
            MIN_VF_MSIX);
        return 0;

    case MLX5_CAP_HOTPLUG:
        REQUIRE(emulates && !c->no_hotplug, BAD_PARAM);
        PUT(hotplug_cap, cap, hotplug_device_types_supported, 1 << 1);
        PUT(hotplug_cap, cap, max_hotplug_devices, c->max_hotplug);
        PUT(hotplug_cap, cap, max_total_vfs, c->max_vfs);
        return 0;
    }
    REFUSE(BAD_PARAM, "capability page");
}

int
fw_query_functions(struct fw_dev *dev, const uint8_t *in, size_t in_len,
                uint8_t *out, size_t out_len)
{
    unsigned int op_mod = GET(cmd_in, in, op_mod), n = 0;
    uint16_t pf = GET(query_emulated_functions_in, in, pf_vhca_id);
    uint8_t *entry = out + 16;

    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len >= 16 && out_len % 8 == 0, BAD_OUTP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in",
                           "query_emulated_functions_in"), BAD_PARAM);
    REQUIRE(dev->manager && !fw.config.no_emulation, BAD_OP);
    REQUIRE(op_mod == MLX5_EMULATED_VFS || op_mod == MLX5_EMULATED_NET_PFS,
            BAD_PARAM);
    REQUIRE((op_mod == MLX5_EMULATED_VFS) == (pf != 0), BAD_PARAM);
    REQUIRE(!pf || fw_find_fn(pf), BAD_RES);

    /* In the order of their indexes. */
    for (int kind = FW_STATIC; kind <= FW_VF; kind++) {
        for (unsigned int index = 0; index < FW_MAX_FNS; index++) {
            for (size_t i = 0; i < fw.n_fns; i++) {
                const struct fw_fn *fn = &fw.fns[i];

                if (!fn->exists || fn->kind != kind || fn->index != index
                    || (op_mod == MLX5_EMULATED_VFS
                        ? kind != FW_VF || fn->pf->vhca_id != pf
                        : kind == FW_VF)) {
                    continue;
                }
                if (entry + 8 <= out + out_len) {
                    PUT(emulated_function, entry, pci_bdf, fn->bdf);
                    PUT(emulated_function, entry, vhca_id, fn->vhca_id);
                    PUT(emulated_function, entry, hotplug_function,
                        fn->kind == FW_HOTPLUG);
                    entry += 8;
                }
                n++;
            }
        }
    }
    PUT(query_emulated_functions_out, out, num_emulated_functions, n);
    return 0;
}

int
fw_query_vuid(struct fw_dev *dev, const uint8_t *in, size_t in_len,
           uint8_t *out, size_t out_len)
{
    struct fw_fn *fn = fw_find_fn(GET(query_vuid_in, in, vhca_id));
    bool vfs = GET(query_vuid_in, in, query_vfs_vuid);
    uint8_t *entry = out + MLX5_VUID_LIST;
    unsigned int n = 0;

    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len >= MLX5_VUID_LIST
            && (out_len - MLX5_VUID_LIST) % MLX5_VUID_LEN == 0, BAD_OUTP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", "query_vuid_in"), BAD_PARAM);
    REQUIRE(dev->manager && !fw.config.no_vuid, BAD_OP);
    REQUIRE(fn, BAD_RES);
    for (unsigned int index = 0; index < (vfs ? fn->num_vfs : 1u); index++) {
        const struct fw_fn *f = fn;

        if (vfs) {
            f = fw_find_fn(300 + fn->index * fw.config.max_vfs + index);
        }
        if (f && entry + MLX5_VUID_LEN <= out + out_len) {
            memcpy(entry, f->vuid, strlen(f->vuid));
            entry += MLX5_VUID_LEN;
            n++;
        }
    }
    PUT(query_vuid_out, out, num_of_entries, n);
    return 0;
}

int
fw_hotplug(struct fw_dev *dev, const uint8_t *in, size_t in_len,
        uint8_t *out, size_t out_len)
{
    const uint8_t *d = in + 16;
    const uint8_t *pci = d + AT(hotplug_device, pci_params);
    const uint8_t *regs = d + AT(hotplug_device, initial_regs);
    const uint8_t *net = regs + AT(net_initial_regs, virtio_net_config);
    unsigned int index;
    struct fw_fn *fn;

    REQUIRE(in_len == 16 + 256, BAD_INP_LEN);
    REQUIRE(out_len == 16 + 256, BAD_OUTP_LEN);
    REQUIRE(fw_only_fields(in, 16, "cmd_in", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(d, 256, "hotplug_device", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(pci, 16, "device_pci_parameters", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(regs, 32, "net_initial_regs", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(net, 16, "virtio_net_config", NULL), BAD_PARAM);
    REQUIRE(dev->manager && !fw.config.no_emulation
            && !fw.config.no_hotplug, BAD_OP);
    REQUIRE(GET(hotplug_device, d, device_type) == 1, BAD_PARAM);
    REQUIRE(GET(hotplug_device, d, initial_registers_valid), BAD_PARAM);
    REQUIRE(!GET(hotplug_device, d, vhca_id), BAD_PARAM);
    REQUIRE(GET(device_pci_parameters, pci, vendor_id) == 0x1af4, BAD_PARAM);
    REQUIRE(GET(device_pci_parameters, pci, num_msix) >= 2, BAD_PARAM);
    REQUIRE(GET(virtio_net_config, net, max_virtqueue_pairs)
            && (2 * GET(virtio_net_config, net, max_virtqueue_pairs) + 1
                <= fw.config.max_queues), BAD_PARAM);
    for (index = 0; fw_find_fn(FW_HOTPLUG_PF(index)); index++) {
        continue;
    }
    REQUIRE(index < fw.config.max_hotplug, NO_RES);

    fn = fw_new_fn();
    fw_fn_init(fn, FW_HOTPLUG, NULL, index);
    fn->device_feature = GET(net_initial_regs, regs, device_features);
    fn->max_queue_size = GET(net_initial_regs, regs, queue_size);
    fn->pairs = GET(virtio_net_config, net, max_virtqueue_pairs);
    fn->num_queues = 2 * fn->pairs + 1;
    fn->mtu = GET(virtio_net_config, net, mtu);
    fn->net_status = GET(virtio_net_config, net, status);
    fn->mac = GET(virtio_net_config, net, mac_47_16) << 16
              | GET(virtio_net_config, net, mac_15_0);
    fn->num_msix = GET(device_pci_parameters, pci, num_msix);
    memcpy(out + 16, d, 256);
    PUT(hotplug_device, out + 16, vhca_id, fn->vhca_id);
    return 0;
}

int
fw_unplug(struct fw_dev *dev, const uint8_t *in, size_t in_len,
       uint8_t *out, size_t out_len)
{
    struct fw_fn *fn = fw_find_fn(GET(hotplug_device, in + 16, vhca_id));

    REQUIRE(in_len == 16 + 256, BAD_INP_LEN);
    REQUIRE(out_len == 16, BAD_OUTP_LEN);
    REQUIRE(fw_only_fields(in, 16, "cmd_in", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(in + 16, 256, "hotplug_device", NULL), BAD_PARAM);
    REQUIRE(dev->manager, BAD_OP);
    REQUIRE(fn && fn->kind == FW_HOTPLUG, BAD_RES);
    REQUIRE(!fn->emu, RES_BUSY);
    free(fn->memory);
    memset(fn, 0, sizeof *fn);
    return 0;
}

/* Emulation objects. */

int
fw_create_emulation(struct fw_dev *dev, const uint8_t *in, size_t in_len,
                 uint8_t *out, struct fw_obj **objp)
{
    const uint8_t *b = in + 16;
    struct fw_fn *fn = fw_find_fn(GET(net_device_emulation, b, vhca_id));
    bool vf_msix;

    REQUIRE(in_len == 16 + 128, BAD_INP_LEN);
    REQUIRE(fw_only_fields(b, 128, "net_device_emulation", NULL), BAD_PARAM);
    REQUIRE(dev->manager && !fw.config.no_emulation, BAD_OP);
    REQUIRE(fn, BAD_RES);
    REQUIRE(!fn->emu, RES_BUSY);
    REQUIRE(GET(net_device_emulation, b, resources_on_emulation_manager)
            == fw.config.on_manager, BAD_PARAM);
    for (size_t i = 0; i < 128; i++) {
        REQUIRE(!b[i] || i == 10 || i == 11 || i == 12, BAD_PARAM);
    }
    REQUIRE(!GET(net_device_emulation, b, enabled)
            && !GET(net_device_emulation, b, reset)
            && !GET(net_device_emulation, b, dynamic_vf_msix_reset),
            BAD_PARAM);
    vf_msix = GET(net_device_emulation, b, dynamic_vf_msix_control);
    REQUIRE(!vf_msix || fn->kind == FW_STATIC, BAD_PARAM);
    *objp = fw_new_obj(dev, MLX5_OBJ_NET_DEVICE_EMULATION);
    (*objp)->fn = fn;
    fn->emu = *objp;
    fn->vf_msix = vf_msix;
    if (fn->flr) {
        fn->flr = false;
        fn->enabled = true;
    }
    if (fn->quick) {
        fn->quick = false;
        fn->driver_feature = fn->device_feature;
        fn->status = 0;
        fn->host_status = 0xf;
        fn->reset_pending = true;
    }
    return 0;
}

static uint64_t
modifiable(const struct fw_fn *fn)
{
    return (!fn->enabled ? 0
            : (MLX5_EMU_MODIFY_STATUS | MLX5_EMU_MODIFY_LINK
               | (fn->kind == FW_VF && fn->pf->emu && fn->pf->vf_msix
                  ? MLX5_EMU_MODIFY_NUM_MSIX : 0)
               | (fn->host_status ? 0
                  : MLX5_EMU_MODIFY_DEV_CFG | MLX5_EMU_MODIFY_COMMON)));
}

int
fw_query_emulation(const struct fw_obj *obj, size_t in_len, uint8_t *out,
                size_t out_len)
{
    struct fw_fn *fn = obj->fn;
    uint8_t *b = out + 16;
    uint8_t *vd = b + AT(net_device_emulation, virtio_device);
    uint8_t *pci = b + AT(net_device_emulation, pci_params);
    uint8_t *net = b + AT(net_device_emulation, virtio_net_config);
    size_t n_queues;

    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len >= 16 + 128 && out_len % 32 == 16, BAD_OUTP_LEN);
    REQUIRE(fn->exists && fn->emu == obj, BAD_RES_STATE);
    n_queues = (out_len - 16 - 128) / 32;
    REQUIRE(n_queues <= fn->num_queues, BAD_OUTP_LEN);

    PUT(net_device_emulation, b, modify_field_select, modifiable(fn));
    PUT(net_device_emulation, b, vhca_id, fn->vhca_id);
    PUT(net_device_emulation, b, enabled, fn->enabled);
    PUT(net_device_emulation, b, resources_on_emulation_manager,
        fw.config.on_manager);
    PUT(net_device_emulation, b, dynamic_vf_msix_control, fn->vf_msix);
    PUT(net_device_emulation, b, num_free_dynamic_vfs_msix,
        fn->vf_msix ? free_vf_msix(fn, NULL) : 0);
    PUT(net_device_emulation, b, emulated_device_crossed_vhca_mkey,
        0xc0000000 | fn->vhca_id);
    PUT(device_pci_parameters, pci, vendor_id, 0x1af4);
    PUT(device_pci_parameters, pci, device_id, 0x1041);
    PUT(device_pci_parameters, pci, num_of_vfs, fn->num_vfs);
    PUT(device_pci_parameters, pci, num_msix, fn->num_msix);
    PUT(virtio_device, vd, device_feature, fn->device_feature);
    PUT(virtio_device, vd, driver_feature, fn->driver_feature);
    PUT(virtio_device, vd, msix_config, fn->msix_config);
    PUT(virtio_device, vd, num_queues, fn->num_queues);
    PUT(virtio_device, vd, device_status, fn->status);
    PUT(virtio_device, vd, config_generation, fn->generation);
    PUT(virtio_device, vd, pci_bdf, fn->bdf);
    PUT(virtio_device, vd, max_queue_size, fn->max_queue_size);
    PUT(virtio_net_config, net, mac_47_16, fn->mac >> 16);
    PUT(virtio_net_config, net, mac_15_0, fn->mac & 0xffff);
    PUT(virtio_net_config, net, status, fn->net_status);
    PUT(virtio_net_config, net, max_virtqueue_pairs, fn->pairs);
    PUT(virtio_net_config, net, mtu, fn->mtu);
    for (size_t i = 0; i < n_queues; i++) {
        const struct fw_queue *q = &fn->queues[i];
        uint8_t *l = b + 128 + 32 * i;

        PUT(virtio_q_layout, l, queue_size, q->size);
        PUT(virtio_q_layout, l, queue_msix_vector, q->msix);
        PUT(virtio_q_layout, l, queue_enable, q->enable);
        PUT(virtio_q_layout, l, queue_notify_off, i);
        PUT(virtio_q_layout, l, queue_desc, q->desc);
        PUT(virtio_q_layout, l, queue_driver, q->driver);
        PUT(virtio_q_layout, l, queue_device, q->device);
    }
    if (fn->hasty) {
        fn->hasty = false;
        fw_probe(fn, UINT64_MAX, 2, 64);
    }
    return 0;
}

/* Does a queue of 'fn' run? */
static bool
queues_run(const struct fw_fn *fn)
{
    struct fw_obj *obj;

    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->type == MLX5_OBJ_VIRTIO_NET_Q && obj->fn == fn
            && obj->state == MLX5_VIRTQ_RDY) {
            return true;
        }
    }
    return false;
}

int
fw_modify_emulation(struct fw_obj *obj, const uint8_t *in, size_t in_len,
                 uint8_t *out)
{
    const uint8_t *b = in + 16;
    const uint8_t *vd = b + AT(net_device_emulation, virtio_device);
    const uint8_t *pci = b + AT(net_device_emulation, pci_params);
    const uint8_t *net = b + AT(net_device_emulation, virtio_net_config);
    struct fw_fn *fn = obj->fn;
    uint64_t select = GET(net_device_emulation, b, modify_field_select);
    uint8_t status = GET(virtio_device, vd, device_status);
    uint64_t features = GET(virtio_device, vd, device_feature);
    uint16_t pairs = GET(virtio_net_config, net, max_virtqueue_pairs);
    uint16_t num_msix = GET(device_pci_parameters, pci, num_msix);

    REQUIRE(in_len == 16 + 128, BAD_INP_LEN);
    REQUIRE(fw_only_fields(b, 128, "net_device_emulation", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(vd, 48, "virtio_device", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(net, 16, "virtio_net_config", NULL), BAD_PARAM);
    REQUIRE(fn->exists && fn->emu == obj, BAD_RES_STATE);
    REQUIRE(select, BAD_PARAM);
    REQUIRE(!(select & ~modifiable(fn)), BAD_RES_STATE);

    /* All is checked before anything changes. */
    if (select & MLX5_EMU_MODIFY_NUM_MSIX) {
        REQUIRE(!num_msix || (num_msix >= MIN_VF_MSIX
                              && num_msix <= max_vf_msix()), BAD_PARAM);
        REQUIRE(num_msix <= free_vf_msix(fn->pf, fn), NO_RES);
    }
    if (select & MLX5_EMU_MODIFY_STATUS) {
        REQUIRE(!status || status & 0x40, BAD_PARAM);
        REQUIRE(status || (fn->reset_pending && !queues_run(fn)),
                BAD_RES_STATE);
    }
    if (select & MLX5_EMU_MODIFY_COMMON) {
        REQUIRE(!(features & ~(UINT64_C(0x1ffffffff) | FW_F_VERSION_1
                               | FW_F_RING_PACKED)), BAD_PARAM);
        REQUIRE(GET(virtio_device, vd, max_queue_size) >= 4
                && GET(virtio_device, vd, max_queue_size) <= 32768, BAD_PARAM);
    }
    if (select & MLX5_EMU_MODIFY_DEV_CFG) {
        REQUIRE(pairs && 2 * pairs + 1 <= fw.config.max_queues, BAD_PARAM);
    }

    if (select & MLX5_EMU_MODIFY_STATUS) {
        if (status) {
            fn->status |= 0x40;
            fn->host_status |= 0x40;
        } else {
            fn->reset_pending = false;
            fn->status = fn->host_status = 0;
            fn->driver_feature = 0;
            memset(fn->queues, 0, sizeof fn->queues);
        }
    }
    if (select & MLX5_EMU_MODIFY_COMMON) {
        fn->device_feature = features;
        fn->max_queue_size = GET(virtio_device, vd, max_queue_size);
    }
    if (select & MLX5_EMU_MODIFY_DEV_CFG) {
        fn->pairs = pairs;
        fn->mtu = GET(virtio_net_config, net, mtu);
        fn->mac = GET(virtio_net_config, net, mac_47_16) << 16
                  | GET(virtio_net_config, net, mac_15_0);
    }
    if (select & MLX5_EMU_MODIFY_LINK) {
        fn->net_status = GET(virtio_net_config, net, status);
    }
    if (select & MLX5_EMU_MODIFY_NUM_MSIX) {
        fn->num_msix = num_msix;
    }
    if (select & (MLX5_EMU_MODIFY_LINK | MLX5_EMU_MODIFY_DEV_CFG)) {
        fn->generation++;
    }
    return 0;
}
