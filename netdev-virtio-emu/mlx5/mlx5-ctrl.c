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

/* The control queue.  See mlx5-ctrl.h. */

#include <config.h>

#include "mlx5-ctrl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "packets.h"
#include "util.h"
#include "virtnet-device.h"

/* Features: VIRTIO 1.2, section 5.1.3. */
#define F_CTRL_RX (UINT64_C(1) << 18)
#define F_CTRL_VLAN (UINT64_C(1) << 19)
#define F_CTRL_RX_EXTRA (UINT64_C(1) << 20)
#define F_GUEST_ANNOUNCE (UINT64_C(1) << 21)
#define F_MQ (UINT64_C(1) << 22)
#define F_CTRL_MAC_ADDR (UINT64_C(1) << 23)
#define F_VQ_NOTF_COAL (UINT64_C(1) << 52)
#define F_NOTF_COAL (UINT64_C(1) << 53)

/* Classes and commands: VIRTIO 1.2, section 5.1.6.5. */
enum {
    CLASS_RX = 0,
    CLASS_MAC = 1,
    CLASS_VLAN = 2,
    CLASS_ANNOUNCE = 3,
    CLASS_MQ = 4,
    CLASS_NOTF_COAL = 6,
};

/* Descriptors: VIRTIO 1.2, section 2.7.5. */
#define DESC_LEN 16
#define DESC_F_NEXT 1
#define DESC_F_WRITE 2
#define DESC_F_INDIRECT 4
#define AVAIL_F_NO_INTERRUPT 1

#define MAX_INDIRECT (MLX5_DEVX_DMA_MAX / DESC_LEN)

/* Most descriptors of a command in the ring itself, each of which is fetched
 * by itself.  Drivers use three or four. */
#define MAX_CHAIN 256

/* How many of them are taken at once, while other functions wait. */
#define MAX_AT_ONCE 8

static uint16_t
le16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static uint32_t
le32(const uint8_t *p)
{
    return le16(p) | (uint32_t) le16(p + 2) << 16;
}

static uint64_t
le64(const uint8_t *p)
{
    return le32(p) | (uint64_t) le32(p + 4) << 32;
}

/* Commands. */

void
mlx5_ctrl_state_init(struct mlx5_ctrl_state *state, uint64_t features,
                     struct eth_addr mac)
{
    memset(state, 0, sizeof *state);
    state->filter.promisc = true;
    state->filter.mac = mac;
    state->filter.vlan_filter = features & F_CTRL_VLAN;
    state->filter.vlans = bitmap_allocate(4096);
    state->n_pairs = 1;
}

void
mlx5_ctrl_state_clone(struct mlx5_ctrl_state *dst,
                      const struct mlx5_ctrl_state *src)
{
    *dst = *src;
    dst->filter.vlans = bitmap_clone(src->filter.vlans, 4096);
}

void
mlx5_ctrl_state_uninit(struct mlx5_ctrl_state *state)
{
    bitmap_free(state->filter.vlans);
    state->filter.vlans = NULL;
}

static int
execute_rx(struct mlx5_rx_filter *f, uint64_t features, uint8_t cmd,
           const uint8_t *data, size_t len)
{
    bool *const flags[] = {
        &f->promisc, &f->allmulti, &f->alluni,
        &f->nomulti, &f->nouni, &f->nobcast,
    };

    if (len != 1 || data[0] > 1 || cmd >= ARRAY_SIZE(flags)
        || !(features & (cmd < 2 ? F_CTRL_RX : F_CTRL_RX_EXTRA))) {
        return -EINVAL;
    }
    *flags[cmd] = data[0];
    return 0;
}

/* Two tables, of unicast and of multicast addresses, each with its size in
 * front. */
static int
execute_mac_table(struct mlx5_rx_filter *f, const uint8_t *data, size_t len)
{
    size_t n_macs = 0;
    bool too_many = false;

    for (int table = 0; table < 2; table++) {
        uint32_t n;

        if (len < 4) {
            return -EINVAL;
        }
        n = le32(data);
        data += 4;
        len -= 4;
        if (n > len / ETH_ADDR_LEN) {
            return -EINVAL;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (n_macs < MLX5_RX_MAX_MACS) {
                memcpy(f->macs[n_macs++].ea, data, ETH_ADDR_LEN);
            } else {
                too_many = true;
            }
            data += ETH_ADDR_LEN;
            len -= ETH_ADDR_LEN;
        }
    }
    if (len) {
        return -EINVAL;
    }

    /* The driver must get what it wants, and may get more. */
    f->n_macs = too_many ? 0 : n_macs;
    f->overflow = too_many;
    return 0;
}

/* Interrupt moderation of all send queues, all receive queues, or one.  What
 * is too long for the hardware becomes as long as it can be. */
static int
execute_notf_coal(struct mlx5_ctrl_state *state, uint64_t features,
                  unsigned int max_pairs, uint8_t cmd, const uint8_t *data,
                  size_t len)
{
    uint64_t feature = cmd < 2 ? F_NOTF_COAL : F_VQ_NOTF_COAL;
    size_t head = cmd < 2 ? 0 : 4; /* Number of the queue, reserved. */

    if (cmd > 2 || !(features & feature) || len != head + 8) {
        return -EINVAL;
    }
    if (cmd == 2) {
        state->period_index = le16(data);
        if (state->period_index >= 2 * max_pairs) {
            return -EINVAL;
        }
    } else {
        state->period_index = cmd == 0 ? MLX5_TX_QUEUES : MLX5_RX_QUEUES;
    }
    state->period.mode = 0;
    state->period.max_count = MIN(le32(data + head), UINT16_MAX);
    state->period.usecs = MIN(le32(data + head + 4), MLX5_PERIOD_MAX_USECS);
    return 0;
}

int
mlx5_ctrl_execute(struct mlx5_ctrl_state *state, uint64_t features,
                  unsigned int max_pairs, const uint8_t *command, size_t len,
                  enum mlx5_ctrl_change *change)
{
    struct mlx5_rx_filter *f = &state->filter;
    const uint8_t *data = command + 2;
    uint16_t n;

    *change = MLX5_CTRL_FILTER;
    if (len < 2) {
        return -EINVAL;
    }
    len -= 2;
    switch (command[0]) {
    case CLASS_RX:
        return execute_rx(f, features, command[1], data, len);

    case CLASS_MAC:
        if (command[1] == 0 && features & F_CTRL_RX) {
            return execute_mac_table(f, data, len);
        } else if (command[1] == 1 && features & F_CTRL_MAC_ADDR
                   && len == ETH_ADDR_LEN && !(data[0] & 1)) {
            memcpy(f->mac.ea, data, ETH_ADDR_LEN);
            return 0;
        }
        return -EINVAL;

    case CLASS_VLAN:
        if (!(features & F_CTRL_VLAN) || command[1] > 1 || len != 2
            || le16(data) > 4095) {
            return -EINVAL;
        }
        bitmap_set(f->vlans, le16(data), command[1] == 0);
        return 0;

    case CLASS_ANNOUNCE:
        *change = MLX5_CTRL_NOTHING;
        return (features & F_GUEST_ANNOUNCE && !command[1] && !len
                ? 0 : -EINVAL);

    case CLASS_MQ:
        *change = MLX5_CTRL_PAIRS;
        if (!(features & F_MQ) || command[1] != 0 || len != 2) {
            return -EINVAL;
        }
        n = le16(data);
        if (!n || n > max_pairs) {
            return -EINVAL;
        }
        state->n_pairs = n;
        return 0;

    case CLASS_NOTF_COAL:
        *change = MLX5_CTRL_PERIOD;
        return execute_notf_coal(state, features, max_pairs, command[1], data,
                                 len);
    }
    return -EINVAL;
}

/* The ring. */

struct mlx5_ctrlq {
    struct mlx5_devx *devx;
    struct mlx5_devx_dma *dma;
    uint32_t mkey;
    struct mlx5_emu_queue layout;
    uint16_t last_avail;        /* Next entry of the driver's ring. */
    struct mlx5_ctrlq_stats stats;

    enum {
        CTRLQ_IDLE,
        CTRLQ_TAKING,           /* Descriptors of a command, from 'i' on. */
        CTRLQ_CARRYING_OUT,
    } state;
    bool wants_interrupt;
    uint16_t head, i;
    unsigned int n_taken;
    uint8_t table[MAX_INDIRECT * DESC_LEN]; /* Indirect descriptors. */
    uint32_t n_table;           /* 0 if 'i' is in the ring. */

    uint8_t command[MLX5_CTRL_MAX_LEN];
    size_t len;
    bool too_long;
    uint64_t ack;               /* Address of the answer. */
    bool has_ack;
};

static int
dma_copy(struct mlx5_ctrlq *cq, uint64_t addr, void *buf, size_t len,
         bool write, char **errp)
{
    int error = cq->devx->class->dma_copy(cq->dma, cq->mkey, addr, buf, len,
                                          write);

    return (error
            ? mlx5_devx_fail(error, errp, "control queue: driver's memory at "
                             "0x%"PRIx64" cannot be %s: %s", addr,
                             write ? "written" : "read",
                             ovs_strerror(-error))
            : 0);
}

int
mlx5_ctrlq_open(struct mlx5_datapath *dp, const struct mlx5_emu_queue *layout,
                struct mlx5_ctrlq **cqp, char **errp)
{
    struct mlx5_devx *devx = mlx5_datapath_devx(dp);
    struct mlx5_devx_dma *dma;
    struct mlx5_ctrlq *cq;
    int error;

    *cqp = NULL;
    if (!layout->size || layout->size > VIRTNET_QUEUE_SIZE_MAX
        || !IS_POW2(layout->size)) {
        return mlx5_devx_fail(-EINVAL, errp, "control queue: driver has set "
                              "size %u", layout->size);
    }
    error = devx->class->dma_open(devx, mlx5_datapath_pd(dp), &dma);
    if (error) {
        return mlx5_devx_fail(error, errp, "%s: no queue for DMA: %s",
                              devx->name, ovs_strerror(-error));
    }
    cq = xzalloc(sizeof *cq);
    cq->devx = devx;
    cq->dma = dma;
    cq->mkey = mlx5_datapath_mkey(dp);
    cq->layout = *layout;
    if (mlx5_datapath_resumes(dp)) {
        uint8_t used[2];

        error = dma_copy(cq, layout->device + 2, used, sizeof used, false,
                         errp);
        if (error) {
            mlx5_ctrlq_close(cq);
            return error;
        }
        cq->last_avail = le16(used);
    }
    *cqp = cq;
    return 0;
}

void
mlx5_ctrlq_close(struct mlx5_ctrlq *cq)
{
    if (cq) {
        cq->devx->class->dma_close(cq->dma);
        free(cq);
    }
}

const struct mlx5_ctrlq_stats *
mlx5_ctrlq_get_stats(const struct mlx5_ctrlq *cq)
{
    return &cq->stats;
}

static int
bad(const char *what, char **errp)
{
    return mlx5_devx_fail(-EPROTO, errp, "control queue: driver has written "
                          "%s", what);
}

/* Takes what the descriptor 'd' describes. */
static int
take_buffer(struct mlx5_ctrlq *cq, const uint8_t *d, char **errp)
{
    uint64_t addr = le64(d);
    uint32_t len = le32(d + 8);

    if (le16(d + 12) & DESC_F_WRITE) {
        if (!cq->has_ack && len) {
            cq->has_ack = true;
            cq->ack = addr;
        }
        return 0;
    } else if (cq->has_ack) {
        return bad("a readable buffer after a writable one", errp);
    }
    if (len > sizeof cq->command - cq->len) {
        cq->too_long = true;
        return 0;
    }
    cq->len += len;
    return len ? dma_copy(cq, addr, cq->command + cq->len - len, len, false,
                          errp) : 0;
}

/* Copies the table of descriptors that 'd' describes, and goes on in it. */
static int
take_table(struct mlx5_ctrlq *cq, const uint8_t *d, char **errp)
{
    uint32_t len = le32(d + 8);

    if (cq->n_table) {
        return bad("an indirect descriptor in an indirect table", errp);
    } else if (!len || len % DESC_LEN || len > sizeof cq->table
               || le16(d + 12) & DESC_F_NEXT) {
        return bad("a bad indirect descriptor", errp);
    }
    cq->n_table = len / DESC_LEN;
    cq->i = 0;
    cq->n_taken = 0;
    return dma_copy(cq, le64(d), cq->table, len, false, errp);
}

/* Takes some descriptors.  Returns 1 if there are more, 0 if not. */
static int
take_some(struct mlx5_ctrlq *cq, char **errp)
{
    for (int n = 0; n < MAX_AT_ONCE; n++) {
        uint32_t size = cq->n_table ? cq->n_table : cq->layout.size;
        uint32_t max = cq->n_table ? size : MIN(size, MAX_CHAIN);
        const uint8_t *d = cq->table + cq->i * DESC_LEN;
        uint8_t copy[DESC_LEN];
        uint16_t flags;
        int error;

        if (cq->i >= size) {
            return bad("a descriptor number out of range", errp);
        } else if (cq->n_taken++ >= max) {
            return bad("a loop of descriptors, or too many", errp);
        }
        if (!cq->n_table) {
            error = dma_copy(cq,
                             cq->layout.desc + (uint64_t) cq->i * DESC_LEN,
                             copy, sizeof copy, false, errp);
            if (error) {
                return error;
            }
            d = copy;
        }
        flags = le16(d + 12);
        if (flags & DESC_F_INDIRECT) {
            error = take_table(cq, d, errp);
            if (error) {
                return error;
            }
            continue;
        }
        error = take_buffer(cq, d, errp);
        if (error || !(flags & DESC_F_NEXT)) {
            return error;
        }
        cq->i = le16(d + 14);
    }
    return 1;
}

/* Gives the chain back to the driver, with one byte written to it. */
static int
put_used(struct mlx5_ctrlq *cq, char **errp)
{
    uint16_t head = cq->head;
    uint16_t index = cq->last_avail % cq->layout.size;
    uint16_t next = cq->last_avail + 1;
    uint8_t elem[8] = { head, head >> 8, 0, 0, 1, 0, 0, 0 };
    uint8_t idx[2] = { next, next >> 8 };
    int error;

    /* One after the other: the driver looks at the entry when it sees the
     * index. */
    error = dma_copy(cq, cq->layout.device + 4 + 8 * (uint64_t) index, elem,
                     sizeof elem, true, errp);
    return error ? error : dma_copy(cq, cq->layout.device + 2, idx, sizeof idx,
                                    true, errp);
}

/* Looks for a command.  Returns 1 if there is one, 0 if not. */
static int
find_command(struct mlx5_ctrlq *cq, char **errp)
{
    uint8_t avail[4], entry[2];
    uint16_t idx;
    int error;

    error = dma_copy(cq, cq->layout.driver, avail, sizeof avail, false, errp);
    if (error) {
        return error;
    }
    idx = le16(avail + 2);
    if (idx == cq->last_avail) {
        return 0;
    } else if ((uint16_t) (idx - cq->last_avail) > cq->layout.size) {
        return bad("an index out of range", errp);
    }
    error = dma_copy(cq, cq->layout.driver + 4
                     + 2 * (uint64_t) (cq->last_avail % cq->layout.size),
                     entry, sizeof entry, false, errp);
    if (error) {
        return error;
    }
    cq->wants_interrupt = (!(le16(avail) & AVAIL_F_NO_INTERRUPT)
                           && cq->layout.msix_vector
                              != VIRTNET_NO_MSIX_VECTOR);
    cq->head = cq->i = le16(entry);
    cq->n_taken = cq->n_table = 0;
    cq->len = 0;
    cq->too_long = cq->has_ack = false;
    return 1;
}

int
mlx5_ctrlq_poll(struct mlx5_ctrlq *cq, mlx5_ctrlq_cb *cb, void *aux,
                char **errp)
{
    uint8_t ack;
    int error;

    if (cq->state == CTRLQ_IDLE) {
        error = find_command(cq, errp);
        if (error <= 0) {
            return error;
        }
        cq->state = CTRLQ_TAKING;
    }
    if (cq->state == CTRLQ_TAKING) {
        error = take_some(cq, errp);
        if (error) {
            return error;
        } else if (!cq->has_ack) {
            return bad("a command without room for the answer", errp);
        }
        cq->state = CTRLQ_CARRYING_OUT;
    }

    error = cq->too_long ? 1 : cb(cq->command, cq->len, aux);
    if (error == -EINPROGRESS) {
        return 1;
    }
    cq->state = CTRLQ_IDLE;
    cq->stats.commands++;
    cq->stats.errors += error != 0;
    ack = error != 0;
    error = dma_copy(cq, cq->ack, &ack, 1, true, errp);
    if (!error) {
        error = put_used(cq, errp);
    }
    if (error) {
        return error;
    }
    cq->last_avail++;
    cq->stats.missing_interrupts += cq->wants_interrupt;
    return 1;
}
