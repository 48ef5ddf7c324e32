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

/* Commands about virtqueues, memory keys and steering.  See fw-model.h. */

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

/* Virtqueues. */

/* How many buffers the driver has been given back. */
static uint16_t
fw_used_index(const struct fw_fn *fn, unsigned int index)
{
    uint64_t at = fn->queues[index].device + 2;

    return (fn->memory && at < FW_MEMORY - 1
            ? fn->memory[at] | fn->memory[at + 1] << 8 : 0);
}

int
fw_create_virtq(struct fw_dev *dev, const uint8_t *in, size_t in_len,
             uint8_t *out, struct fw_obj **objp)
{
    static const uint32_t umem_fields[3][3] = {
#define UMEM(N) { MLX5_F_virtio_q_umem_##N##_id,                    \
                  MLX5_F_virtio_q_umem_##N##_size,                  \
                  MLX5_F_virtio_q_umem_##N##_offset }
        UMEM(1), UMEM(2), UMEM(3)
#undef UMEM
    };
    const uint8_t *b = in + 16;
    const uint8_t *q = b + AT(virtio_net_q, virtio_q_context);
    struct fw_obj *emu = fw_find(MLX5_OBJ_NET_DEVICE_EMULATION,
                                 GET(virtio_q, q, device_emulation_id));
    uint32_t counters_id = GET(virtio_q, q, counter_set_id);
    struct fw_obj *umem[3], *mkey, *pd, *tis, *counters;
    unsigned int index = GET(virtio_q, q, queue_index);
    const struct fw_queue *layout;
    struct fw_fn *fn;
    uint64_t df;

    REQUIRE(in_len == 16 + 192, BAD_INP_LEN);
    REQUIRE(fw_only_fields(b, 192, "virtio_net_q", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(q, 128, "virtio_q", NULL), BAD_PARAM);
    REQUIRE(!GET(virtio_net_q, b, modify_field_select), BAD_PARAM);
    REQUIRE(dev->manager == fw.config.on_manager, BAD_SYS_STATE);
    REQUIRE(emu && emu->fn && emu->fn->emu == emu, BAD_RES);
    fn = emu->fn;
    df = fn->driver_feature;
    REQUIRE(GET(virtio_net_q, b, vhca_id) == fn->vhca_id, BAD_PARAM);
    REQUIRE(fn->enabled && fn->status & 4, BAD_RES_STATE);
    REQUIRE(index < fn->num_queues && index < FW_MAX_QUEUES, IX);
    REQUIRE(!fw_find_virtq(fn, index), RES_BUSY);
    layout = &fn->queues[index];
    REQUIRE(layout->enable, BAD_RES_STATE);
    REQUIRE(GET(virtio_net_q, b, state) == MLX5_VIRTQ_INIT, BAD_PARAM);
    REQUIRE(GET(virtio_net_q, b, hw_available_index)
            == GET(virtio_net_q, b, hw_used_index), BAD_PARAM);
    REQUIRE(GET(virtio_net_q, b, hw_used_index) == fw_used_index(fn, index),
            BAD_PARAM);
    REQUIRE(GET(virtio_q, q, full_emulation), BAD_PARAM);
    REQUIRE(GET(virtio_q, q, offload_type) == 0, BAD_PARAM);
    REQUIRE(GET(virtio_q, q, virtio_q_type) == !!(df & FW_F_RING_PACKED),
            BAD_PARAM);
    REQUIRE(GET(virtio_q, q, virtio_version_1_0) == !!(df & FW_F_VERSION_1),
            BAD_PARAM);
    REQUIRE(GET(virtio_q, q, queue_size) == layout->size, BAD_PARAM);
    REQUIRE(GET(virtio_q, q, desc_addr) == layout->desc, BAD_PARAM);
    REQUIRE(GET(virtio_q, q, available_addr) == layout->driver, BAD_PARAM);
    REQUIRE(GET(virtio_q, q, used_addr) == layout->device, BAD_PARAM);
    if (layout->msix == 0xffff) {
        REQUIRE(GET(virtio_q, q, event_mode) == MLX5_VIRTQ_NO_MSIX
                && !GET(virtio_q, q, event_qpn_or_msix), BAD_PARAM);
    } else {
        REQUIRE(layout->msix < fn->num_msix, BAD_PARAM);
        REQUIRE(GET(virtio_q, q, event_mode) == MLX5_VIRTQ_MSIX
                && GET(virtio_q, q, event_qpn_or_msix) == layout->msix,
                BAD_PARAM);
    }
    /* 0 CSUM, 1 GUEST_CSUM, 11 and 12 HOST_TSO: what the driver may send. */
    REQUIRE(!GET(virtio_net_q, b, tso_ipv4) || df & FW_F(11), BAD_PARAM);
    REQUIRE(!GET(virtio_net_q, b, tso_ipv6) || df & FW_F(12), BAD_PARAM);
    REQUIRE(!GET(virtio_net_q, b, tx_csum) || df & FW_F(0), BAD_PARAM);
    REQUIRE(!GET(virtio_net_q, b, rx_csum) || df & FW_F(1), BAD_PARAM);
    /* 15 MRG_RXBUF: the queue has to know what the driver expects. */
    REQUIRE(GET(virtio_net_q, b, mrg_rxbuf) == !!(df & FW_F(15)), BAD_PARAM);
    REQUIRE(GET(virtio_net_q, b, tx_csum)
            || (!GET(virtio_net_q, b, tso_ipv4)
                && !GET(virtio_net_q, b, tso_ipv6)), BAD_PARAM);

    mkey = fw_find_on(dev, FW_MKEY, GET(virtio_q, q, virtio_q_mkey) >> 8);
    REQUIRE(mkey && mkey->fn == fn, BAD_RES);
    pd = fw_find_on(dev, FW_PD, GET(virtio_q, q, pd));
    REQUIRE(pd, BAD_RES);
    tis = fw_find_on(dev, FW_TIS, GET(virtio_net_q, b, tisn_or_qpn));
    REQUIRE(tis && !tis->index == !fw.config.n_lag_ports, BAD_RES);
    counters = fw_find_on(dev, MLX5_OBJ_VIRTIO_Q_COUNTERS, counters_id);
    REQUIRE(counters || !counters_id, BAD_RES);
    for (int i = 0; i < 3; i++) {
        size_t need = (i == 0 ? 128 * layout->size + 4096
                       : i == 1 ? 64 * layout->size : 100);

        umem[i] = fw_find_on(dev, FW_UMEM, fw_get(q, umem_fields[i][0]));
        REQUIRE(umem[i], BAD_RES);
        REQUIRE(fw_get(q, umem_fields[i][1]) >= need
                && (fw_get(q, umem_fields[i][1]) + fw_get(q, umem_fields[i][2])
                    <= umem[i]->size), BAD_PARAM);
        REQUIRE(!umem[i]->refs, RES_BUSY);
    }

    *objp = fw_new_obj(dev, MLX5_OBJ_VIRTIO_NET_Q);
    (*objp)->fn = fn;
    (*objp)->index = index;
    (*objp)->port = tis->index;
    (*objp)->body = xmemdup(b, 192);
    fw_use(*objp, emu);
    fw_use(*objp, mkey);
    fw_use(*objp, pd);
    fw_use(*objp, tis);
    for (int i = 0; i < 3; i++) {
        fw_use(*objp, umem[i]);
    }
    if (counters) {
        fw_use(*objp, counters);
    }
    return 0;
}

int
fw_query_virtq(const struct fw_obj *obj, size_t in_len, uint8_t *out,
            size_t out_len)
{
    uint8_t *b = out + 16;
    uint8_t *q = b + AT(virtio_net_q, virtio_q_context);

    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len == 16 + 192, BAD_OUTP_LEN);
    memcpy(b, obj->body, 192);
    PUT(virtio_net_q, b, state, obj->state);
    PUT(virtio_q, q, error_type, obj->error);
    return 0;
}

int
fw_modify_virtq(struct fw_obj *obj, const uint8_t *in, size_t in_len,
             uint8_t *out)
{
    const uint8_t *b = in + 16;
    const uint8_t *q = b + AT(virtio_net_q, virtio_q_context);
    uint64_t select = GET(virtio_net_q, b, modify_field_select);
    unsigned int state = GET(virtio_net_q, b, state);

    REQUIRE(in_len == 16 + 192, BAD_INP_LEN);
    REQUIRE(fw_only_fields(b, 192, "virtio_net_q", NULL), BAD_PARAM);
    REQUIRE(fw_only_fields(q, 128, "virtio_q", NULL), BAD_PARAM);
    REQUIRE(select == MLX5_VIRTQ_MODIFY_STATE
            || select == MLX5_VIRTQ_MODIFY_PERIOD, BAD_PARAM);
    if (select == MLX5_VIRTQ_MODIFY_STATE) {
        REQUIRE((obj->state == MLX5_VIRTQ_INIT && state == MLX5_VIRTQ_RDY)
                || (obj->state == MLX5_VIRTQ_RDY
                    && state == MLX5_VIRTQ_SUSPEND), BAD_RES_STATE);
        obj->state = state;
    } else {
        REQUIRE(GET(virtio_q, q, queue_period_mode) <= 2, BAD_PARAM);
        obj->period = GET(virtio_q, q, queue_period_us);
        obj->max_count = GET(virtio_q, q, queue_max_count);
    }
    return 0;
}

int
fw_create_counters(struct fw_dev *dev, const uint8_t *in, size_t in_len,
                uint8_t *out, struct fw_obj **objp)
{
    REQUIRE(in_len == 16 + 128, BAD_INP_LEN);
    REQUIRE(is_all_zeros(in + 16, 128), BAD_PARAM);
    REQUIRE(dev->manager == fw.config.on_manager, BAD_SYS_STATE);
    *objp = fw_new_obj(dev, MLX5_OBJ_VIRTIO_Q_COUNTERS);
    return 0;
}

int
fw_query_counters(const struct fw_obj *obj, size_t in_len, uint8_t *out,
               size_t out_len)
{
    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(out_len == 16 + 128, BAD_OUTP_LEN);
    PUT(virtio_q_counters, out + 16, received_desc, obj->count);
    PUT(virtio_q_counters, out + 16, completed_desc, obj->count);
    return 0;
}

/* Memory keys and steering. */

int
fw_create_mkey(struct fw_dev *dev, const uint8_t *in, size_t in_len,
            uint8_t *out, struct fw_obj **objp)
{
    const uint8_t *m = in + AT(create_mkey_in, memory_key_mkey_entry);
    struct fw_obj *pd = fw_find_on(dev, FW_PD, GET(mkc, m, pd));
    struct fw_fn *fn = fw_find_fn(GET(mkc, m, crossing_target_vhca_id));

    REQUIRE(in_len == 272, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", "create_mkey_in"), BAD_PARAM);
    REQUIRE(fw_only_fields(m, 64, "mkc", NULL), BAD_PARAM);
    REQUIRE((GET(mkc, m, access_mode_4_2) << 2
             | GET(mkc, m, access_mode_1_0)) == 6, BAD_PARAM);
    REQUIRE(GET(mkc, m, qpn) == 0xffffff, BAD_PARAM);
    REQUIRE(GET(mkc, m, lw) && GET(mkc, m, lr) && GET(mkc, m, rw)
            && GET(mkc, m, rr), BAD_PARAM);
    REQUIRE(GET(mkc, m, length64), BAD_PARAM);
    REQUIRE(pd, BAD_RES);
    REQUIRE(fn, BAD_RES);
    REQUIRE(GET(mkc, m, translations_octword_size)
            == (0xc0000000 | fn->vhca_id), BAD_RES);
    *objp = fw_new_obj(dev, FW_MKEY);
    (*objp)->fn = fn;
    fw_use(*objp, pd);
    return 0;
}

int
fw_create_td(struct fw_dev *dev, const uint8_t *in, size_t in_len,
          uint8_t *out, struct fw_obj **objp)
{
    REQUIRE(in_len == 16, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", NULL), BAD_PARAM);
    *objp = fw_new_obj(dev, FW_TD);
    return 0;
}

int
fw_create_tis(struct fw_dev *dev, const uint8_t *in, size_t in_len,
           uint8_t *out, struct fw_obj **objp)
{
    const uint8_t *t = in + AT(create_tis_in, ctx);
    struct fw_obj *td = fw_find_on(dev, FW_TD, GET(tisc, t, transport_domain));
    unsigned int port = GET(tisc, t, lag_tx_port_affinity);

    REQUIRE(in_len == 192, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", "create_tis_in"), BAD_PARAM);
    REQUIRE(fw_only_fields(t, 160, "tisc", NULL), BAD_PARAM);
    REQUIRE(td, BAD_RES);
    REQUIRE(port <= fw.config.n_lag_ports, BAD_PARAM);
    *objp = fw_new_obj(dev, FW_TIS);
    (*objp)->index = port;
    fw_use(*objp, td);
    return 0;
}

/* Has 'obj' refer to the queues in the list of the RQT context 'r', for which
 * there is room for 'len' bytes. */
static int
fill_rqt(struct fw_obj *obj, const uint8_t *r, size_t len, uint8_t *out)
{
    unsigned int n = GET(rqtc, r, rqt_actual_size);
    size_t entry = GET(rqtc, r, rq_vhca_id_format) ? 8 : 4;
    struct fw_obj **queues = xcalloc(MAX(n, 1), sizeof *queues);
    const uint8_t *list = r + MLX5_RQT_LIST;
    const char *problem = NULL;

    if (n * entry != len || !n || n & (n - 1)) {
        problem = "size of RQT";
    }
    for (unsigned int i = 0; !problem && i < n; i++) {
        const uint8_t *e = list + entry * i;
        uint32_t number = e[1] << 16 | e[2] << 8 | e[3];
        struct fw_obj *q = fw_find(MLX5_OBJ_VIRTIO_NET_Q, number);

        if (!q || q->index % 2 || e[0]) {
            problem = "queue in RQT";
        } else if (entry == 4 ? q->dev != obj->dev
                   : (e[4] || e[5]
                      || (e[6] << 8 | e[7]) != q->dev->vhca_id)) {
            problem = "vhca of queue in RQT";
        } else {
            queues[i] = q;
        }
    }
    if (!problem) {
        fw_unuse(obj);
        for (unsigned int i = 0; i < n; i++) {
            fw_use(obj, queues[i]);
        }
    }
    free(queues);
    return problem ? fw_refuse_at(out, MLX5_STATUS_BAD_RES, problem, __LINE__)
                   : 0;
}

int
fw_create_rqt(struct fw_dev *dev, const uint8_t *in, size_t in_len,
           uint8_t *out, struct fw_obj **objp)
{
    const uint8_t *r = in + AT(create_rqt_in, rqt_context);
    struct fw_obj *obj;
    int error;

    REQUIRE(in_len >= 272, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, 272, "cmd_in", "create_rqt_in"), BAD_PARAM);
    REQUIRE(fw_only_fields(r, 240, "rqtc", NULL), BAD_PARAM);
    REQUIRE(GET(rqtc, r, list_q_type) == 1, BAD_PARAM);
    REQUIRE(GET(rqtc, r, rqt_actual_size) <= GET(rqtc, r, rqt_max_size)
            && GET(rqtc, r, rqt_max_size) <= 64, BAD_PARAM);
    obj = fw_new_obj(dev, FW_RQT);
    error = fill_rqt(obj, r, in_len - 272, out);
    if (error) {
        fw_delete_obj(obj);
        return error;
    }
    obj->body = xmemdup(r, 240);
    *objp = obj;
    return 0;
}

int
fw_modify_rqt(struct fw_obj *obj, const uint8_t *in, size_t in_len,
              uint8_t *out)
{
    const uint8_t *r = in + AT(modify_rqt_in, ctx);

    REQUIRE(in_len >= 272, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, 272, "cmd_in", "modify_rqt_in"), BAD_PARAM);
    REQUIRE(fw_only_fields(r, 240, "rqtc", NULL), BAD_PARAM);
    REQUIRE(GET(modify_rqt_in, in, rqtn) == obj->id, BAD_RES);
    REQUIRE(GET(modify_rqt_in, in, bitmask) == 1, BAD_PARAM);
    REQUIRE(GET(rqtc, r, rqt_actual_size)
            <= GET(rqtc, obj->body, rqt_max_size), BAD_PARAM);
    return fill_rqt(obj, r, in_len - 272, out);
}

int
fw_create_tir(struct fw_dev *dev, const uint8_t *in, size_t in_len,
           uint8_t *out, struct fw_obj **objp)
{
    const uint8_t *t = in + AT(create_tir_in, ctx);
    const uint8_t *key = t + AT(tirc, rx_hash_toeplitz_key);
    const uint8_t *sel = t + AT(tirc, rx_hash_field_selector_outer);
    struct fw_obj *rqt = fw_find_on(dev, FW_RQT, GET(tirc, t, indirect_table));
    struct fw_obj *td = fw_find_on(dev, FW_TD, GET(tirc, t, transport_domain));
    unsigned int fn = GET(tirc, t, rx_hash_fn);

    REQUIRE(in_len == 272, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, in_len, "cmd_in", "create_tir_in"), BAD_PARAM);
    REQUIRE(fw_only_fields(t, 240, "tirc", NULL), BAD_PARAM);
    REQUIRE(GET(tirc, t, disp_type) == 1, BAD_PARAM);
    REQUIRE(rqt && td, BAD_RES);
    REQUIRE(fn == 0 || fn == 2, BAD_PARAM);
    REQUIRE(fn == 0 || !is_all_zeros(key, 40), BAD_PARAM);
    REQUIRE((fn != 0) == (GET(rx_hash_field_select, sel, selected_fields)
                          != 0), BAD_PARAM);
    *objp = fw_new_obj(dev, FW_TIR);
    fw_use(*objp, rqt);
    fw_use(*objp, td);
    return 0;
}
