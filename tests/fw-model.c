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

/* The firmware.  See fw-model.h. */

#include <config.h>

#undef NDEBUG
#include "fw-model-internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mlx5-prm-emulation.h"
#include "packets.h"
#include "util.h"

struct fw fw;
struct ovs_mutex fw_mutex = OVS_MUTEX_INITIALIZER;

struct mlx5_devx_events {
    struct ovs_list node;
    int fds[2];
    uint64_t *cookies;
    size_t n, allocated;
};

/* Bits. */

uint64_t
fw_get(const uint8_t *p, uint32_t field)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < MLX5_FIELD_WIDTH(field); i++) {
        uint32_t bit = MLX5_FIELD_OFFSET(field) + i;

        value = value << 1 | (p[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
}

void
fw_put(uint8_t *p, uint32_t field, uint64_t value)
{
    uint32_t width = MLX5_FIELD_WIDTH(field);

    for (uint32_t i = 0; i < width; i++) {
        uint32_t bit = MLX5_FIELD_OFFSET(field) + i;
        uint8_t mask = 0x80 >> bit % 8;

        if (value >> (width - 1 - i) & 1) {
            p[bit / 8] |= mask;
        } else {
            p[bit / 8] &= ~mask;
        }
    }
}

/* Are all bits that are set in the 'len' bytes at 'p' in fields of 'structure'
 * or 'second'? */
bool
fw_only_fields(const uint8_t *p, size_t len, const char *structure,
            const char *second)
{
    uint8_t known[4096 + 16];

    assert(len <= sizeof known);
    memset(known, 0, len);
    for (size_t i = 0; i < n_mlx5_prm_rows; i++) {
        const struct mlx5_prm_row *row = &mlx5_prm_rows[i];

        if (!strcmp(row->structure, structure)
            || (second && !strcmp(row->structure, second))) {
            for (uint32_t b = row->offset; b < row->offset + row->width; b++) {
                if (b / 8 < len) {
                    known[b / 8] |= 0x80 >> b % 8;
                }
            }
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i] & ~known[i]) {
            return false;
        }
    }
    return true;
}

/* Refuses a command.  The line is the syndrome. */
int
fw_refuse_at(uint8_t *out, enum mlx5_status status, const char *text, int line)
{
    PUT(cmd_out, out, status, status);
    PUT(cmd_out, out, syndrome, line);
    snprintf(fw.refusal, sizeof fw.refusal, "%s (%d)", text, line);
    return -EREMOTEIO;
}

/* Objects. */

struct fw_obj *
fw_find(uint32_t type, uint32_t id)
{
    struct fw_obj *obj;

    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->type == type && obj->id == id) {
            return obj;
        }
    }
    return NULL;
}

struct fw_obj *
fw_find_on(const struct fw_dev *dev, uint32_t type, uint32_t id)
{
    struct fw_obj *obj = fw_find(type, id);

    return obj && obj->dev == dev ? obj : NULL;
}

struct fw_obj *
fw_find_virtq(const struct fw_fn *fn, unsigned int index)
{
    struct fw_obj *obj;

    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->type == MLX5_OBJ_VIRTIO_NET_Q && obj->fn == fn
            && obj->index == index) {
            return obj;
        }
    }
    return NULL;
}

struct fw_obj *
fw_new_obj(struct fw_dev *dev, uint32_t type)
{
    struct fw_obj *obj = xzalloc(sizeof *obj);

    if (dev->vhca_id == fw.watched) {
        fw.watched_gap = MAX(fw.watched_gap, fw.n_calls - fw.watched_at);
        fw.watched_at = fw.n_calls;
    }
    obj->dev = dev;
    obj->type = type;
    obj->id = ++fw.next_id;
    ovs_list_push_back(&fw.objects, &obj->node);
    return obj;
}

void
fw_use(struct fw_obj *obj, struct fw_obj *other)
{
    obj->uses = xrealloc(obj->uses, (obj->n_uses + 1) * sizeof *obj->uses);
    obj->uses[obj->n_uses++] = other;
    other->refs++;
}

void
fw_unuse(struct fw_obj *obj)
{
    for (size_t i = 0; i < obj->n_uses; i++) {
        if (obj->uses[i]) {
            obj->uses[i]->refs--;
        }
    }
    free(obj->uses);
    obj->uses = NULL;
    obj->n_uses = 0;
}

void
fw_delete_obj(struct fw_obj *obj)
{
    fw_unuse(obj);
    if (obj->type == MLX5_OBJ_NET_DEVICE_EMULATION && obj->fn
        && obj->fn->emu == obj) {
        obj->fn->emu = NULL;
    }
    ovs_list_remove(&obj->node);
    free(obj->body);
    free(obj);
}

/* Functions. */

struct fw_fn *
fw_find_fn(uint16_t vhca_id)
{
    for (size_t i = 0; i < fw.n_fns; i++) {
        if (fw.fns[i].exists && fw.fns[i].vhca_id == vhca_id) {
            return &fw.fns[i];
        }
    }
    return NULL;
}

void
fw_fn_init(struct fw_fn *fn, int kind, struct fw_fn *pf, unsigned int index)
{
    static const char *const letter[] = { "S0D0F%u", "H0D%uF0", "S0D0F%uV%u" };
    size_t len;

    memset(fn, 0, sizeof *fn);
    fn->exists = true;
    fn->kind = kind;
    fn->pf = pf;
    fn->index = index;
    fn->vhca_id = (kind == FW_STATIC ? FW_STATIC_PF(index)
                   : kind == FW_HOTPLUG ? FW_HOTPLUG_PF(index)
                   : 300 + pf->index * fw.config.max_vfs + index);
    fn->bdf = (kind == FW_STATIC ? 0x1000 + index * 8
               : kind == FW_HOTPLUG ? 0x4000 + index * 256
               : 0x8000 + pf->index * fw.config.max_vfs + index);
    len = snprintf(fn->vuid, sizeof fn->vuid, "MT2306XZ0001VNET");
    if (kind == FW_VF) {
        snprintf(fn->vuid + len, sizeof fn->vuid - len, letter[kind],
                 pf->index, index);
    } else {
        snprintf(fn->vuid + len, sizeof fn->vuid - len, letter[kind], index);
    }
    fn->enabled = true;
    fn->num_queues = fw.config.max_queues;
    fn->max_queue_size = 256;
    fn->num_msix = (kind == FW_VF ? fw_num_vf_msix()
                    : fw.config.max_queues + 1);
    fn->device_feature = (FW_F_VERSION_1 | FW_F_CTRL_VQ | FW_F(0) | FW_F(1)
                          | FW_F(3) | FW_F(5) | FW_F(11) | FW_F(12)
                          | FW_F(16) | FW_F(18) | FW_F(19) | FW_F(22)
                          | FW_F(23));
    fn->mac = UINT64_C(0x020000000000) + fn->vhca_id;
    fn->mtu = 1500;
    fn->pairs = (fw.config.max_queues - 1) / 2;
    fn->net_status = 1;
    fn->msix_config = 0xffff;
}

unsigned int
fw_num_vf_msix(void)
{
    return (fw.config.num_vf_msix ? fw.config.num_vf_msix
            : fw.config.max_queues + 1);
}

struct fw_fn *
fw_new_fn(void)
{
    for (size_t i = 0; i < fw.n_fns; i++) {
        if (!fw.fns[i].exists) {
            return &fw.fns[i];
        }
    }
    assert(fw.n_fns < FW_MAX_FNS);
    return &fw.fns[fw.n_fns++];
}

void
fw_raise(struct fw_obj *obj)
{
    struct mlx5_devx_events *ev = obj ? obj->events : NULL;

    if (ev) {
        if (ev->n >= ev->allocated) {
            ev->cookies = x2nrealloc(ev->cookies, &ev->allocated,
                                     sizeof *ev->cookies);
        }
        ev->cookies[ev->n++] = obj->cookie;
        if (write(ev->fds[1], "", 1) < 0) {
            /* The pipe is full, so whoever reads it has news enough. */
        }
    }
}

/* The DevX layer. */

/* Counts a call.  Returns true if it is one that fails. */
static bool
inject(void)
{
    fw.n_calls++;
    if (fw.fail_at && fw.n_calls >= fw.fail_at
        && fw.n_calls - fw.fail_at < fw.n_fail) {
        fw.failed = true;
        return true;
    }
    return false;
}

static int
injected(void)
{
    return fw.fail_errno ? -fw.fail_errno : -EIO;
}

static pthread_cond_t fw_unheld = PTHREAD_COND_INITIALIZER;

void
fw_hold(bool hold)
{
    ovs_mutex_lock(&fw_mutex);
    fw.held = hold;
    xpthread_cond_broadcast(&fw_unheld);
    ovs_mutex_unlock(&fw_mutex);
}

bool
fw_is_waiting(void)
{
    bool waiting;

    ovs_mutex_lock(&fw_mutex);
    waiting = fw.n_waiting > 0;
    ovs_mutex_unlock(&fw_mutex);
    return waiting;
}

void
fw_watch(uint16_t vhca_id)
{
    ovs_mutex_lock(&fw_mutex);
    fw.watched = vhca_id;
    fw.watched_at = fw.n_calls;
    fw.watched_gap = 0;
    ovs_mutex_unlock(&fw_mutex);
}

unsigned int
fw_watched_gap(void)
{
    unsigned int gap;

    ovs_mutex_lock(&fw_mutex);
    gap = fw.watched_gap;
    ovs_mutex_unlock(&fw_mutex);
    return gap;
}

/* Begins a call: returns a negative errno, with fw_mutex taken in any case. */
static int
begin(void)
    OVS_ACQUIRES(fw_mutex)
{
    if (fw.config.latency_us) {
        xnanosleep_no_quiesce(fw.config.latency_us * UINT64_C(1000));
    }
    ovs_mutex_lock(&fw_mutex);
    fw.n_own_calls += pthread_equal(pthread_self(), fw.owner) != 0;
    while (fw.held) {
        /* Whoever calls says whether it is quiescent. */
        fw.n_waiting++;
        pthread_cond_wait(&fw_unheld, &fw_mutex.lock);
        fw.n_waiting--;
    }
    return inject() ? injected() : 0;
}

/* The same for a command. */
static int
begin_command(uint8_t *out)
    OVS_ACQUIRES(fw_mutex)
{
    int error = begin();

    if (error && !fw.fail_errno) {
        error = fw_refuse_at(out, MLX5_STATUS_INT_ERR, "injected", __LINE__);
    }
    return error;
}

static struct fw_dev *
fw_dev_cast(struct mlx5_devx *devx)
{
    return CONTAINER_OF(devx, struct fw_dev, up);
}

static struct fw_obj *
fw_obj_cast(struct mlx5_devx_obj *obj)
{
    return CONTAINER_OF(obj, struct fw_obj, up);
}

static int
model_list(struct mlx5_devx_info **infosp, size_t *np)
{
    size_t n_ports = fw.config.n_lag_ports ? 1 : 2;
    size_t n = n_ports + fw.config.n_sfs;
    int error = begin();

    if (!error) {
        struct mlx5_devx_info *infos = xcalloc(n, sizeof *infos);

        for (size_t i = 0; i < n; i++) {
            if (!i && fw.config.n_lag_ports) {
                strcpy(infos[i].name, FW_BOND);
            } else {
                snprintf(infos[i].name, sizeof infos[i].name, "mlx5_%d",
                         (int) (i < n_ports ? i
                                : FW_FIRST_SF + i - n_ports));
            }
            snprintf(infos[i].pci_addr, sizeof infos[i].pci_addr,
                     i < n_ports ? "0000:03:00.%d" : "mlx5_core.sf.%d",
                     (int) i);
        }
        *infosp = infos;
        *np = n;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_open(const char *name, struct mlx5_devx **devxp)
{
    int number = -1;
    int error = begin();

    if (!error) {
        if (!fw.config.n_lag_ports) {
            ovs_scan(name, "mlx5_%d", &number);
        } else if (!strcmp(name, FW_BOND)) {
            number = 0;
        } else if (ovs_scan(name, "mlx5_%d", &number)
                   && number < FW_FIRST_SF) {
            number = -1;
        }
        if (number < 0 || (number > 1 && number < FW_FIRST_SF)
            || number >= FW_FIRST_SF + (int) fw.config.n_sfs) {
            error = -ENODEV;
        } else if (fw.config.no_privilege) {
            error = -EPERM;
        }
    }
    if (!error) {
        struct fw_dev *dev = xzalloc(sizeof *dev);

        dev->up.class = &fw_model_class;
        ovs_strlcpy(dev->up.name, name, sizeof dev->up.name);
        dev->manager = number == 0;
        dev->vhca_id = number < 2 ? number : FW_SF_VHCA(number - FW_FIRST_SF);
        fw.n_open++;
        *devxp = &dev->up;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static void
model_close(struct mlx5_devx *devx)
{
    struct fw_dev *dev = fw_dev_cast(devx);
    struct mlx5_devx_events *ev;
    struct fw_obj *obj;

    ovs_mutex_lock(&fw_mutex);
    LIST_FOR_EACH (ev, node, &fw.channels) {
        assert(ev->fds[0] >= 0);
    }
    LIST_FOR_EACH (obj, node, &fw.objects) {
        for (size_t i = 0; i < obj->n_uses; i++) {
            if (obj->uses[i] && obj->uses[i]->dev == dev && obj->dev != dev) {
                obj->uses[i] = NULL;
            }
        }
    }
    LIST_FOR_EACH_SAFE (obj, node, &fw.objects) {
        if (obj->dev == dev) {
            fw_unuse(obj);
        }
    }
    LIST_FOR_EACH_SAFE (obj, node, &fw.objects) {
        if (obj->dev == dev) {
            fw_delete_obj(obj);
        }
    }
    fw.n_open--;
    free(dev);
    ovs_mutex_unlock(&fw_mutex);
}

static int
model_command(struct mlx5_devx *devx, const void *in, size_t in_len,
              void *out, size_t out_len)
{
    struct fw_dev *dev = fw_dev_cast(devx);
    int error = begin_command(out);

    if (!error) {
        switch (GET(cmd_in, in, opcode)) {
        case MLX5_OP_QUERY_HCA_CAP:
            error = fw_query_hca_cap(dev, in, in_len, out, out_len);
            break;
        case MLX5_OP_QUERY_EMULATED_FUNCTIONS_INFO:
            error = fw_query_functions(dev, in, in_len, out, out_len);
            break;
        case MLX5_OP_QUERY_VUID:
            error = fw_query_vuid(dev, in, in_len, out, out_len);
            break;
        case MLX5_OP_HOTPLUG_DEVICE:
            error = fw_hotplug(dev, in, in_len, out, out_len);
            break;
        case MLX5_OP_HOTUNPLUG_DEVICE:
            error = fw_unplug(dev, in, in_len, out, out_len);
            break;
        default:
            error = fw_refuse_at(out, MLX5_STATUS_BAD_OP, "opcode", __LINE__);
            break;
        }
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
create_general(struct fw_dev *dev, const uint8_t *in, size_t in_len,
               uint8_t *out, struct fw_obj **objp)
{
    REQUIRE(in_len > 16, BAD_INP_LEN);
    REQUIRE(fw_only_fields(in, 16, "cmd_in", "general_obj_in_cmd_hdr"),
            BAD_PARAM);
    REQUIRE(!GET(general_obj_in_cmd_hdr, in, obj_id), BAD_PARAM);
    if (fw.fail_create
        && GET(general_obj_in_cmd_hdr, in, obj_type) == fw.fail_create) {
        fw.fail_create = 0;
        REFUSE(INT_ERR, "injected");
    }
    switch (GET(general_obj_in_cmd_hdr, in, obj_type)) {
    case MLX5_OBJ_NET_DEVICE_EMULATION:
        return fw_create_emulation(dev, in, in_len, out, objp);
    case MLX5_OBJ_VIRTIO_NET_Q:
        return fw_create_virtq(dev, in, in_len, out, objp);
    case MLX5_OBJ_VIRTIO_Q_COUNTERS:
        return fw_create_counters(dev, in, in_len, out, objp);
    }
    REFUSE(BAD_PARAM, "type of object");
}

static int
model_create(struct mlx5_devx *devx, const void *in, size_t in_len,
             void *out, size_t out_len, struct mlx5_devx_obj **objp)
{
    struct fw_dev *dev = fw_dev_cast(devx);
    struct fw_obj *obj = NULL;
    uint32_t id_field = MLX5_FIELD(0x48, 24);
    int error = begin_command(out);

    if (!error && out_len != 16) {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_OUTP_LEN, "output",
                             __LINE__);
    } else if (!error) {
        switch (GET(cmd_in, in, opcode)) {
        case MLX5_OP_CREATE_GENERAL_OBJECT:
            id_field = MLX5_FIELD(0x40, 32);
            error = create_general(dev, in, in_len, out, &obj);
            break;
        case MLX5_OP_CREATE_MKEY:
            error = fw_create_mkey(dev, in, in_len, out, &obj);
            break;
        case MLX5_OP_ALLOC_TRANSPORT_DOMAIN:
            error = fw_create_td(dev, in, in_len, out, &obj);
            break;
        case MLX5_OP_CREATE_TIS:
            error = fw_create_tis(dev, in, in_len, out, &obj);
            break;
        case MLX5_OP_CREATE_RQT:
            error = fw_create_rqt(dev, in, in_len, out, &obj);
            break;
        case MLX5_OP_CREATE_TIR:
            error = fw_create_tir(dev, in, in_len, out, &obj);
            break;
        default:
            error = fw_refuse_at(out, MLX5_STATUS_BAD_OP, "opcode", __LINE__);
            break;
        }
    }
    if (!error) {
        fw_put(out, id_field, obj->id);
        *objp = &obj->up;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_modify(struct mlx5_devx_obj *obj_, const void *in, size_t in_len,
             void *out, size_t out_len)
{
    struct fw_obj *obj = fw_obj_cast(obj_);
    int error = begin_command(out);
    bool general = (GET(cmd_in, in, opcode)
                    == MLX5_OP_MODIFY_GENERAL_OBJECT);

    if (error) {
        /* Nothing. */
    } else if (out_len != 16) {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_OUTP_LEN, "output",
                             __LINE__);
    } else if (general
               && (GET(general_obj_in_cmd_hdr, in, obj_id) != obj->id
                   || GET(general_obj_in_cmd_hdr, in, obj_type) != obj->type
                   || !fw_only_fields(in, 16, "cmd_in",
                                   "general_obj_in_cmd_hdr"))) {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_RES, "header", __LINE__);
    } else if (general && obj->type == MLX5_OBJ_NET_DEVICE_EMULATION) {
        error = fw_modify_emulation(obj, in, in_len, out);
    } else if (general && obj->type == MLX5_OBJ_VIRTIO_NET_Q) {
        error = fw_modify_virtq(obj, in, in_len, out);
    } else if (obj->type == FW_RQT
               && GET(cmd_in, in, opcode) == MLX5_OP_MODIFY_RQT) {
        error = fw_modify_rqt(obj, in, in_len, out);
    } else {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_OP, "modify", __LINE__);
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_query(struct mlx5_devx_obj *obj_, const void *in, size_t in_len,
            void *out, size_t out_len)
{
    struct fw_obj *obj = fw_obj_cast(obj_);
    int error = begin_command(out);

    if (error) {
        /* Nothing. */
    } else if (GET(cmd_in, in, opcode) != MLX5_OP_QUERY_GENERAL_OBJECT
               || GET(general_obj_in_cmd_hdr, in, obj_id) != obj->id
               || GET(general_obj_in_cmd_hdr, in, obj_type) != obj->type
               || !fw_only_fields(in, 16, "cmd_in",
                                  "general_obj_in_cmd_hdr")) {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_RES, "header", __LINE__);
    } else if (obj->type == MLX5_OBJ_NET_DEVICE_EMULATION) {
        error = fw_query_emulation(obj, in_len, out, out_len);
    } else if (obj->type == MLX5_OBJ_VIRTIO_NET_Q) {
        error = fw_query_virtq(obj, in_len, out, out_len);
    } else if (obj->type == MLX5_OBJ_VIRTIO_Q_COUNTERS) {
        error = fw_query_counters(obj, in_len, out, out_len);
    } else {
        error = fw_refuse_at(out, MLX5_STATUS_BAD_OP, "query", __LINE__);
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_umem_reg(struct mlx5_devx *devx, void *memory, size_t size,
               struct mlx5_devx_obj **objp)
{
    int error = begin();

    if (!error) {
        struct fw_obj *obj = fw_new_obj(fw_dev_cast(devx), FW_UMEM);

        assert(!((uintptr_t) memory % 4096) && size);
        obj->size = size;
        obj->up.id = obj->id;
        *objp = &obj->up;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_pd_alloc(struct mlx5_devx *devx, struct mlx5_devx_obj **objp)
{
    int error = begin();

    if (!error) {
        struct fw_obj *obj = fw_new_obj(fw_dev_cast(devx), FW_PD);

        obj->up.id = obj->id;
        *objp = &obj->up;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_flow_create(struct mlx5_devx *devx, const struct mlx5_rx_match *match,
                  struct mlx5_devx_obj *tir, struct mlx5_devx_obj **objp)
{
    struct fw_dev *dev = fw_dev_cast(devx);
    struct fw_obj *obj;
    int error = begin();

    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->type == FW_FLOW && obj->dev->vhca_id == dev->vhca_id
            && obj->match.type == match->type
            && (match->type != MLX5_RX_MAC
                || eth_addr_equals(obj->match.mac, match->mac))
            && obj->match.match_vlan == match->match_vlan
            && (!match->match_vlan || obj->match.vid == match->vid)
            && obj->match.ip_version == match->ip_version
            && obj->match.l4_proto == match->l4_proto) {
            error = error ? error : -EEXIST;
        }
    }
    if (!error && fw_obj_cast(tir)->dev != dev) {
        error = -EINVAL;
    }
    if (!error) {
        obj = fw_new_obj(dev, FW_FLOW);
        obj->match = *match;
        fw_use(obj, fw_obj_cast(tir));
        *objp = &obj->up;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_destroy(struct mlx5_devx_obj *obj_)
{
    struct fw_obj *obj = fw_obj_cast(obj_);
    int error = begin();

    if (!error && obj->refs) {
        snprintf(fw.refusal, sizeof fw.refusal,
                 "destroying object 0x%x, which is in use", obj->type);
        error = -EBUSY;
    }
    if (!error) {
        fw_delete_obj(obj);
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_events_open(struct mlx5_devx *devx OVS_UNUSED,
                  struct mlx5_devx_events **evp)
{
    int error = begin();

    if (!error) {
        struct mlx5_devx_events *ev = xzalloc(sizeof *ev);

        assert(!pipe(ev->fds));
        for (int i = 0; i < 2; i++) {
            assert(!fcntl(ev->fds[i], F_SETFL, O_NONBLOCK));
        }
        ovs_list_push_back(&fw.channels, &ev->node);
        *evp = ev;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static void
model_events_close(struct mlx5_devx_events *ev)
{
    struct fw_obj *obj;

    ovs_mutex_lock(&fw_mutex);
    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->events == ev) {
            obj->events = NULL;
        }
    }
    ovs_list_remove(&ev->node);
    close(ev->fds[0]);
    close(ev->fds[1]);
    free(ev->cookies);
    free(ev);
    ovs_mutex_unlock(&fw_mutex);
}

static int
model_events_fd(const struct mlx5_devx_events *ev)
{
    return ev->fds[0];
}

static int
model_subscribe(struct mlx5_devx_events *ev, struct mlx5_devx_obj *obj_,
                uint16_t event, uint64_t cookie)
{
    struct fw_obj *obj = fw_obj_cast(obj_);
    int error = begin();

    if (!error && (event != MLX5_EVENT_OBJECT_CHANGE || obj->events)) {
        error = -EINVAL;
    }
    if (!error) {
        obj->events = ev;
        obj->cookie = cookie;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static int
model_get_event(struct mlx5_devx_events *ev, uint64_t *cookie)
{
    int error = -EAGAIN;
    char c;

    ovs_mutex_lock(&fw_mutex);
    if (ev->n) {
        *cookie = ev->cookies[0];
        memmove(ev->cookies, ev->cookies + 1, --ev->n * sizeof *ev->cookies);
        if (read(ev->fds[0], &c, 1) < 0) {
            /* It was gone already. */
        }
        error = 0;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

struct mlx5_devx_dma {
    struct fw_obj *pd;
};

static int
model_dma_open(struct mlx5_devx *devx OVS_UNUSED, struct mlx5_devx_obj *pd,
               struct mlx5_devx_dma **dmap)
{
    int error = begin();

    if (!error) {
        *dmap = xmalloc(sizeof **dmap);
        (*dmap)->pd = fw_obj_cast(pd);
        (*dmap)->pd->refs++;
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

static void
model_dma_close(struct mlx5_devx_dma *dma)
{
    ovs_mutex_lock(&fw_mutex);
    dma->pd->refs--;
    free(dma);
    ovs_mutex_unlock(&fw_mutex);
}

static int
model_dma_copy(struct mlx5_devx_dma *dma, uint32_t mkey, uint64_t addr,
               void *buf, size_t len, bool write)
{
    struct fw_obj *obj;
    int error = begin();

    obj = fw_find_on(dma->pd->dev, FW_MKEY, mkey >> 8);
    assert(len && len <= MLX5_DEVX_DMA_MAX);
    if (!error && (!obj || !obj->fn->memory || !obj->fn->enabled
                   || addr > FW_MEMORY || len > FW_MEMORY - addr)) {
        error = -EFAULT;
    }
    if (!error && write) {
        memcpy(obj->fn->memory + addr, buf, len);
    } else if (!error) {
        memcpy(buf, obj->fn->memory + addr, len);
    }
    ovs_mutex_unlock(&fw_mutex);
    return error;
}

const struct mlx5_devx_class fw_model_class = {
    .list = model_list,
    .open = model_open,
    .close = model_close,
    .command = model_command,
    .create = model_create,
    .modify = model_modify,
    .query = model_query,
    .umem_reg = model_umem_reg,
    .pd_alloc = model_pd_alloc,
    .flow_create = model_flow_create,
    .destroy = model_destroy,
    .events_open = model_events_open,
    .events_close = model_events_close,
    .events_fd = model_events_fd,
    .subscribe = model_subscribe,
    .get_event = model_get_event,
    .dma_open = model_dma_open,
    .dma_close = model_dma_close,
    .dma_copy = model_dma_copy,
};
