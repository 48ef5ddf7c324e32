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

#ifndef FW_MODEL_INTERNAL_H
#define FW_MODEL_INTERNAL_H 1

/* What the model of the firmware and that of the host have in common. */

#include "fw-model.h"
#include "openvswitch/list.h"
#include "ovs-thread.h"

#define FW_MAX_QUEUES 64
#define FW_MAX_FNS 2048

/* Features. */
#define FW_F(BIT) (UINT64_C(1) << (BIT))
#define FW_F_CTRL_VQ FW_F(17)
#define FW_F_RING_PACKED FW_F(34)
#define FW_F_VERSION_1 FW_F(32)

struct fw_queue {
    uint16_t size, msix, enable, notify_off;
    uint64_t desc, driver, device;
};

/* An emulated function. */
struct fw_fn {
    bool exists;                /* Is it plugged? */
    enum { FW_STATIC, FW_HOTPLUG, FW_VF } kind;
    struct fw_fn *pf;           /* Of a VF. */
    unsigned int index;
    uint16_t vhca_id, bdf;
    char vuid[64];

    /* Registers. */
    uint64_t device_feature, driver_feature;
    uint8_t status;             /* As the card sees it. */
    uint8_t host_status;        /* As the driver reads it. */
    bool reset_pending;         /* The driver has written 0. */
    bool enabled;               /* Cleared by FLR. */
    bool flr;                   /* It is not over. */
    bool quick;                 /* See fw_host_be_quick(). */
    bool hasty;                 /* See fw_host_be_hasty(). */
    bool vf_msix;               /* Of a PF: do its VFs share vectors? */
    uint8_t generation;
    uint16_t num_queues, max_queue_size, num_msix, num_vfs, msix_config;
    uint64_t mac;
    uint16_t mtu, pairs, net_status;
    struct fw_queue queues[FW_MAX_QUEUES];

    struct fw_obj *emu;         /* Object that manages it, or NULL. */

    /* The driver. */
    uint8_t *memory;
    uint16_t ctrl_avail;
};

/* Types of objects that are not general ones. */
enum fw_type {
    FW_UMEM = 0x10000, FW_PD, FW_FLOW, FW_MKEY, FW_TD, FW_TIS, FW_RQT, FW_TIR
};

struct fw_obj {
    struct mlx5_devx_obj up;
    struct ovs_list node;       /* In fw.objects. */
    struct fw_dev *dev;
    uint32_t type, id;
    unsigned int refs;          /* Of other objects. */
    struct fw_obj **uses;       /* Those that this one refers to. */
    size_t n_uses;
    struct fw_fn *fn;
    struct mlx5_devx_events *events; /* Of event 0x27. */
    uint64_t cookie;

    uint8_t *body;              /* As it was when it was created. */
    size_t size;                /* Of a umem. */
    unsigned int state, index;  /* Of a virtqueue.  Of a TIS, its port. */
    unsigned int port;          /* Of a virtqueue. */
    unsigned int error;
    uint64_t count;             /* Of counters. */
    bool vhca_format;           /* Of an RQT. */
    struct mlx5_rx_match match; /* Of a flow. */
    uint32_t period, max_count;
};

struct fw_dev {
    struct mlx5_devx up;
    bool manager;
    uint16_t vhca_id;
};

struct fw {
    struct fw_config config;
    struct fw_fn fns[FW_MAX_FNS];
    size_t n_fns;
    struct ovs_list objects;
    struct ovs_list channels;   /* struct mlx5_devx_events. */
    uint32_t next_id;
    unsigned int n_open;
    unsigned int n_calls, fail_at, n_fail;
    pthread_t owner;            /* Thread that has made the model. */
    unsigned int n_own_calls;
    bool held;                  /* Do calls wait? */
    unsigned int n_waiting;     /* Those that do. */
    uint16_t watched;           /* See fw_watch(). */
    unsigned int watched_at, watched_gap;
    int fail_errno;
    bool failed;
    uint32_t fail_create;       /* Type of object, or 0. */
    char refusal[128];
};

extern struct fw fw;
extern struct ovs_mutex fw_mutex;

/* With fw_mutex. */
struct fw_fn *fw_find_fn(uint16_t vhca_id);
struct fw_obj *fw_find(uint32_t type, uint32_t id);
struct fw_obj *fw_find_virtq(const struct fw_fn *, unsigned int index);
void fw_raise(struct fw_obj *);
void fw_fn_init(struct fw_fn *, int kind, struct fw_fn *pf,
                unsigned int index);
bool fw_probe(struct fw_fn *, uint64_t features, unsigned int n_pairs,
              unsigned int size);

/* Bits of a command, counted as in mlx5-prm.h. */
uint64_t fw_get(const uint8_t *, uint32_t field);
void fw_put(uint8_t *, uint32_t field, uint64_t value);
#define GET(STRUCT, P, F) fw_get(P, MLX5_F_##STRUCT##_##F)
#define PUT(STRUCT, P, F, VALUE) fw_put(P, MLX5_F_##STRUCT##_##F, VALUE)
#define AT(STRUCT, F) (MLX5_FIELD_OFFSET(MLX5_F_##STRUCT##_##F) / 8)

/* Are all bits that are set in the 'len' bytes at 'p' in fields of 'structure'
 * or 'second'? */
bool fw_only_fields(const uint8_t *p, size_t len, const char *structure,
                    const char *second);

/* Refuses a command.  The line is the syndrome. */
int fw_refuse_at(uint8_t *out, enum mlx5_status, const char *text, int line);
#define REFUSE(STATUS, TEXT) \
    return fw_refuse_at(out, MLX5_STATUS_##STATUS, TEXT, __LINE__)
#define REQUIRE(COND, STATUS) \
    do { if (!(COND)) { REFUSE(STATUS, #COND); } } while (0)

/* Objects. */
struct fw_obj *fw_find_on(const struct fw_dev *, uint32_t type, uint32_t id);
struct fw_obj *fw_new_obj(struct fw_dev *, uint32_t type);
void fw_use(struct fw_obj *, struct fw_obj *other);
void fw_unuse(struct fw_obj *);
void fw_delete_obj(struct fw_obj *);
struct fw_fn *fw_new_fn(void);

/* Vectors that a VF is born with. */
unsigned int fw_num_vf_msix(void);

/* Commands.  They return what a call of the DevX layer does. */
int fw_query_hca_cap(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, size_t out_len);
int fw_query_functions(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, size_t out_len);
int fw_query_vuid(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, size_t out_len);
int fw_hotplug(struct fw_dev *dev, const uint8_t *in, size_t in_len, uint8_t
    *out, size_t out_len);
int fw_unplug(struct fw_dev *dev, const uint8_t *in, size_t in_len, uint8_t
    *out, size_t out_len);
int fw_create_emulation(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_query_emulation(const struct fw_obj *obj, size_t in_len, uint8_t *out,
    size_t out_len);
int fw_modify_emulation(struct fw_obj *obj, const uint8_t *in, size_t in_len,
    uint8_t *out);
int fw_create_virtq(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_query_virtq(const struct fw_obj *obj, size_t in_len, uint8_t *out,
    size_t out_len);
int fw_modify_virtq(struct fw_obj *obj, const uint8_t *in, size_t in_len,
    uint8_t *out);
int fw_create_counters(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_query_counters(const struct fw_obj *obj, size_t in_len, uint8_t *out,
    size_t out_len);
int fw_create_mkey(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_create_td(struct fw_dev *dev, const uint8_t *in, size_t in_len, uint8_t
    *out, struct fw_obj **objp);
int fw_create_tis(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_create_rqt(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);
int fw_modify_rqt(struct fw_obj *obj, const uint8_t *in, size_t in_len,
    uint8_t *out);
int fw_create_tir(struct fw_dev *dev, const uint8_t *in, size_t in_len,
    uint8_t *out, struct fw_obj **objp);

#endif /* fw-model-internal.h */
