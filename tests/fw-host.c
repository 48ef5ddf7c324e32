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

/* The host, and its virtio driver.  See fw-model.h. */

#include <config.h>

#undef NDEBUG
#include "fw-model-internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/types.h"
#include "packets.h"
#include "util.h"

/* Where queues are in the driver's memory.  A control command is behind its
 * areas. */
#define QUEUE_BYTES 8192
#define CTRL_DESC 0xe0000
#define CTRL_AVAIL (CTRL_DESC + 0x1000)
#define CTRL_USED (CTRL_DESC + 0x2000)
#define CTRL_DATA (CTRL_DESC + 0x3000)

void
fw_model_create(const struct fw_config *config)
{
    memset(&fw, 0, sizeof fw);
    fw.config = *config;
    ovs_list_init(&fw.objects);
    ovs_list_init(&fw.channels);
    fw.next_id = 0x100;
    fw.owner = pthread_self();
    for (unsigned int i = 0; i < config->n_static_pfs; i++) {
        fw_fn_init(&fw.fns[fw.n_fns++], FW_STATIC, NULL, i);
    }
}

void
fw_model_destroy(void)
{
    assert(!fw.n_open);
    assert(ovs_list_is_empty(&fw.objects));
    assert(ovs_list_is_empty(&fw.channels));
    for (size_t i = 0; i < fw.n_fns; i++) {
        free(fw.fns[i].memory);
    }
}

void
fw_fail_at(unsigned int n, int errno_)
{
    fw_fail_from(n, 1, errno_);
}

void
fw_fail_from(unsigned int n, unsigned int n_fail, int errno_)
{
    ovs_mutex_lock(&fw_mutex);
    fw.n_calls = 0;
    fw.fail_at = n;
    fw.n_fail = n_fail;
    fw.fail_errno = errno_;
    fw.failed = false;
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_fail_create(uint32_t type)
{
    ovs_mutex_lock(&fw_mutex);
    fw.fail_create = type;
    ovs_mutex_unlock(&fw_mutex);
}

bool
fw_failed(void)
{
    bool failed;

    ovs_mutex_lock(&fw_mutex);
    failed = fw.failed;
    ovs_mutex_unlock(&fw_mutex);
    return failed;
}

unsigned int
fw_n_calls(void)
{
    unsigned int n;

    ovs_mutex_lock(&fw_mutex);
    n = fw.n_calls;
    ovs_mutex_unlock(&fw_mutex);
    return n;
}

unsigned int
fw_n_own_calls(void)
{
    unsigned int n;

    ovs_mutex_lock(&fw_mutex);
    n = fw.n_own_calls;
    ovs_mutex_unlock(&fw_mutex);
    return n;
}

static unsigned int
count(uint32_t type)
{
    const struct fw_obj *obj;
    unsigned int n = 0;

    ovs_mutex_lock(&fw_mutex);
    LIST_FOR_EACH (obj, node, &fw.objects) {
        n += !type || obj->type == type;
    }
    ovs_mutex_unlock(&fw_mutex);
    return n;
}

unsigned int
fw_n_objects(void)
{
    return count(0);
}

unsigned int
fw_n_objects_of(uint32_t type)
{
    return count(type);
}

unsigned int
fw_n_open(void)
{
    return fw.n_open;
}

static unsigned int
count_fns(int kind)
{
    unsigned int n = 0;

    ovs_mutex_lock(&fw_mutex);
    for (size_t i = 0; i < fw.n_fns; i++) {
        n += fw.fns[i].exists && (int) fw.fns[i].kind == kind;
    }
    ovs_mutex_unlock(&fw_mutex);
    return n;
}

unsigned int
fw_n_hotplugged(void)
{
    return count_fns(FW_HOTPLUG);
}

unsigned int
fw_n_vfs(void)
{
    return count_fns(FW_VF);
}

const char *
fw_last_refusal(void)
{
    return fw.refusal;
}

struct fw_fn *
fw_host_find(uint16_t vhca_id)
{
    struct fw_fn *fn;

    ovs_mutex_lock(&fw_mutex);
    fn = fw_find_fn(vhca_id);
    ovs_mutex_unlock(&fw_mutex);
    return fn;
}

/* The status register.  Without an emulation object nobody is there to
 * answer. */
static void
write_status(struct fw_fn *fn, uint8_t status)
{
    if (!status) {
        if (fn->host_status) {
            fn->status = 0;
            fn->reset_pending = true;
        }
    } else {
        fn->status = fn->host_status = status;
    }
    fw_raise(fn->emu);
}

void
fw_host_write_status(struct fw_fn *fn, uint8_t status)
{
    ovs_mutex_lock(&fw_mutex);
    write_status(fn, status);
    ovs_mutex_unlock(&fw_mutex);
}

uint8_t
fw_host_status(struct fw_fn *fn)
{
    uint8_t status;

    ovs_mutex_lock(&fw_mutex);
    status = fn->host_status;
    ovs_mutex_unlock(&fw_mutex);
    return status;
}

bool
fw_host_needs_reset(struct fw_fn *fn)
{
    return fw_host_status(fn) & 0x40;
}

uint64_t
fw_host_features(struct fw_fn *fn)
{
    uint64_t features;

    ovs_mutex_lock(&fw_mutex);
    features = fn->device_feature;
    ovs_mutex_unlock(&fw_mutex);
    return features;
}

void
fw_host_get_config(struct fw_fn *fn, uint8_t mac[6], uint16_t *mtu,
                   uint16_t *pairs, uint16_t *status)
{
    ovs_mutex_lock(&fw_mutex);
    for (int i = 0; i < 6; i++) {
        mac[i] = fn->mac >> (40 - 8 * i);
    }
    *mtu = fn->mtu;
    *pairs = fn->pairs;
    *status = fn->net_status;
    ovs_mutex_unlock(&fw_mutex);
}

static void
set_queue(struct fw_fn *fn, unsigned int index, unsigned int size,
          uint16_t msix, uint64_t desc, uint64_t driver, uint64_t device)
{
    fn->queues[index] = (struct fw_queue) {
        .size = size, .msix = msix, .enable = 1,
        .desc = desc, .driver = driver, .device = device,
    };
}

bool
fw_probe(struct fw_fn *fn, uint64_t features, unsigned int n_pairs,
         unsigned int size)
{
    if (!fn->exists || !fn->enabled || fn->host_status) {
        return false;
    }
    write_status(fn, 1);
    write_status(fn, 3);
    fn->driver_feature = fn->device_feature & features;
    write_status(fn, 0xb);
    if (n_pairs > fn->pairs || size > fn->max_queue_size) {
        return false;
    }
    if (!fn->memory) {
        fn->memory = xzalloc(FW_MEMORY);
    }
    memset(fn->memory, 0, FW_MEMORY);
    fn->ctrl_avail = 0;
    for (unsigned int i = 0; i < 2 * n_pairs; i++) {
        uint64_t base = i * QUEUE_BYTES;

        assert(base + QUEUE_BYTES <= CTRL_DESC);
        set_queue(fn, i, size, i + 1 < fn->num_msix ? i + 1 : 0xffff, base,
                  base + 4096, base + 6144);
    }
    if (fn->driver_feature & FW_F_CTRL_VQ) {
        /* With MQ it is behind all that the device has, otherwise behind the
         * first pair: VIRTIO 1.2, section 5.1.2. */
        unsigned int index = fn->driver_feature & FW_F(22) ? 2 * fn->pairs : 2;

        set_queue(fn, index, 64, 0xffff, CTRL_DESC, CTRL_AVAIL, CTRL_USED);
    }
    write_status(fn, 0xf);
    return true;
}

bool
fw_host_probe(struct fw_fn *fn, uint64_t features, unsigned int n_pairs,
              unsigned int size)
{
    bool ok;

    ovs_mutex_lock(&fw_mutex);
    ok = fw_probe(fn, features, n_pairs, size);
    ovs_mutex_unlock(&fw_mutex);
    return ok;
}

void
fw_host_accept(struct fw_fn *fn, uint64_t features)
{
    ovs_mutex_lock(&fw_mutex);
    fn->driver_feature = features;
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_host_flr(struct fw_fn *fn)
{
    ovs_mutex_lock(&fw_mutex);
    fn->flr = true;
    fn->enabled = false;
    fn->status = fn->host_status = 0;
    fn->reset_pending = false;
    fn->driver_feature = 0;
    memset(fn->queues, 0, sizeof fn->queues);
    fw_raise(fn->emu);
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_host_be_hasty(struct fw_fn *fn)
{
    ovs_mutex_lock(&fw_mutex);
    fn->hasty = true;
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_host_be_quick(struct fw_fn *fn)
{
    ovs_mutex_lock(&fw_mutex);
    fn->quick = true;
    ovs_mutex_unlock(&fw_mutex);
}

bool
fw_host_flr_done(struct fw_fn *fn)
{
    bool done;

    ovs_mutex_lock(&fw_mutex);
    done = !fn->flr;
    ovs_mutex_unlock(&fw_mutex);
    return done;
}

void
fw_host_set_bdf(struct fw_fn *fn, uint16_t bdf)
{
    ovs_mutex_lock(&fw_mutex);
    fn->bdf = bdf;
    fw_raise(fn->emu);
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_host_enable_vfs(struct fw_fn *pf, unsigned int n)
{
    ovs_mutex_lock(&fw_mutex);
    assert(n <= fw.config.max_vfs && (!n || !pf->num_vfs));
    if (n) {
        for (unsigned int i = 0; i < n; i++) {
            assert(fw.n_fns < FW_MAX_FNS);
            fw_fn_init(&fw.fns[fw.n_fns++], FW_VF, pf, i);
        }
    } else {
        for (size_t i = 0; i < fw.n_fns; i++) {
            struct fw_fn *fn = &fw.fns[i];

            if (fn->exists && fn->kind == FW_VF && fn->pf == pf) {
                fn->exists = false;
            }
        }
    }
    pf->num_vfs = n;
    fw_raise(pf->emu);
    ovs_mutex_unlock(&fw_mutex);
}

/* The control queue: one command at a time, of three descriptors. */

static void
put_desc(struct fw_fn *fn, unsigned int i, uint64_t addr, uint32_t len,
         uint16_t flags, uint16_t next)
{
    uint8_t *d = fn->memory + CTRL_DESC + 16 * i;

    for (int b = 0; b < 8; b++) {
        d[b] = addr >> 8 * b;
    }
    for (int b = 0; b < 4; b++) {
        d[8 + b] = len >> 8 * b;
    }
    d[12] = flags;
    d[13] = flags >> 8;
    d[14] = next;
    d[15] = next >> 8;
}

void
fw_host_ctrl_post(struct fw_fn *fn, uint8_t class, uint8_t cmd,
                  const void *data, size_t len)
{
    uint8_t *avail = fn->memory + CTRL_AVAIL;
    uint8_t *p = fn->memory + CTRL_DATA;

    ovs_mutex_lock(&fw_mutex);
    assert(CTRL_DATA + 64 + len < FW_MEMORY);
    p[0] = class;
    p[1] = cmd;
    p[8] = 0xee;
    if (len) {
        memcpy(p + 64, data, len);
    }
    put_desc(fn, 0, CTRL_DATA, 2, 1, len ? 1 : 2);
    put_desc(fn, 1, CTRL_DATA + 64, len, 1, 2);
    put_desc(fn, 2, CTRL_DATA + 8, 1, 2, 0);
    avail[4 + fn->ctrl_avail % 64 * 2] = 0;
    avail[5 + fn->ctrl_avail % 64 * 2] = 0;
    fn->ctrl_avail++;
    avail[2] = fn->ctrl_avail;
    avail[3] = fn->ctrl_avail >> 8;
    ovs_mutex_unlock(&fw_mutex);
}

bool
fw_host_ctrl_done(struct fw_fn *fn, uint8_t *ack)
{
    const uint8_t *used = fn->memory + CTRL_USED;
    bool done;

    ovs_mutex_lock(&fw_mutex);
    done = (used[2] | used[3] << 8) == fn->ctrl_avail;
    *ack = fn->memory[CTRL_DATA + 8];
    ovs_mutex_unlock(&fw_mutex);
    return done;
}

void
fw_host_use(struct fw_fn *fn, unsigned int index, uint16_t n)
{
    uint8_t *used;

    ovs_mutex_lock(&fw_mutex);
    used = fn->memory + fn->queues[index].device;
    used[2] = n;
    used[3] = n >> 8;
    ovs_mutex_unlock(&fw_mutex);
}

uint8_t *
fw_host_memory(struct fw_fn *fn)
{
    return fn->memory;
}

void
fw_host_ctrl_areas(struct fw_fn *fn OVS_UNUSED, uint64_t *desc,
                   uint64_t *avail, uint64_t *used)
{
    *desc = CTRL_DESC;
    *avail = CTRL_AVAIL;
    *used = CTRL_USED;
}

/* The data path. */

bool
fw_queue_is_running(struct fw_fn *fn, unsigned int index)
{
    struct fw_obj *q;
    bool running;

    ovs_mutex_lock(&fw_mutex);
    q = fw_find_virtq(fn, index);
    running = q && q->state == MLX5_VIRTQ_RDY;
    ovs_mutex_unlock(&fw_mutex);
    return running;
}

/* A rule's importance for an IPv4 TCP packet, or -1 if it does not match. */
static int
rank(const struct mlx5_rx_match *m, const uint8_t mac[6], uint16_t vid)
{
    if (m->type == MLX5_RX_MAC && memcmp(m->mac.ea, mac, 6)) {
        return -1;
    } else if (m->type == MLX5_RX_MULTICAST && !(mac[0] & 1)) {
        return -1;
    } else if (m->match_vlan && m->vid != vid) {
        return -1;
    } else if (m->ip_version && m->ip_version != 4) {
        return -1;
    } else if (m->l4_proto && m->l4_proto != IPPROTO_TCP) {
        return -1;
    }
    return m->type * 4 + !!m->ip_version + !!m->l4_proto;
}

int
fw_rx_queue(struct fw_fn *fn, const uint8_t mac[6], uint16_t vid,
            uint32_t hash)
{
    const struct fw_obj *obj;
    int best = -1, queue = -1;

    ovs_mutex_lock(&fw_mutex);
    LIST_FOR_EACH (obj, node, &fw.objects) {
        if (obj->type == FW_FLOW && rank(&obj->match, mac, vid) > best) {
            const struct fw_obj *rqt = obj->uses[0]->uses[0];
            const struct fw_obj *q = rqt->uses[hash % rqt->n_uses];

            if (q->fn == fn) {
                best = rank(&obj->match, mac, vid);
                queue = q->state == MLX5_VIRTQ_RDY ? (int) q->index : -1;
            }
        }
    }
    ovs_mutex_unlock(&fw_mutex);
    return queue;
}

unsigned int
fw_queue_port(struct fw_fn *fn, unsigned int index)
{
    const struct fw_obj *q;
    unsigned int port;

    ovs_mutex_lock(&fw_mutex);
    q = fw_find_virtq(fn, index);
    assert(q);
    port = q->port;
    ovs_mutex_unlock(&fw_mutex);
    return port;
}

void
fw_queue_get_period(struct fw_fn *fn, unsigned int index, uint32_t *usecs,
                    uint32_t *max_count)
{
    const struct fw_obj *q;

    ovs_mutex_lock(&fw_mutex);
    q = fw_find_virtq(fn, index);
    assert(q);
    *usecs = q->period;
    *max_count = q->max_count;
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_queue_count(struct fw_fn *fn, unsigned int index, uint64_t n)
{
    struct fw_obj *q;

    ovs_mutex_lock(&fw_mutex);
    q = fw_find_virtq(fn, index);
    assert(q && q->n_uses == 8);
    q->uses[7]->count += n;
    ovs_mutex_unlock(&fw_mutex);
}

void
fw_queue_error(struct fw_fn *fn, unsigned int index)
{
    struct fw_obj *q;

    ovs_mutex_lock(&fw_mutex);
    q = fw_find_virtq(fn, index);
    assert(q);
    q->state = MLX5_VIRTQ_ERR;
    q->error = 2;
    fw_raise(q);
    ovs_mutex_unlock(&fw_mutex);
}
