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

#ifndef MLX5_DEVX_H
#define MLX5_DEVX_H 1

/* DevX: the way to mlx5 firmware.
 *
 * "struct mlx5_devx_class" is the thin layer behind which there is rdma-core,
 * or in tests a model of the firmware.  Everybody else uses the functions
 * below it, which add what both would need:
 *
 *   - The status and syndrome of an answer become an errno and a line of text.
 *
 *   - Destroying never fails.  Firmware may refuse to destroy an object, for
 *     example while another one refers to it; then it is put aside, together
 *     with the memory that belongs to it, and mlx5_devx_reap() tries again.
 *     Memory that firmware may still write to is never freed.
 *
 * Threads: one at a time for each "struct mlx5_devx".  Every call may take as
 * long as the kernel and the firmware do. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "openvswitch/list.h"
#include "openvswitch/types.h"
#include "mlx5-prm.h"

struct mlx5_devx_class;

/* An RDMA device as "list" finds it. */
struct mlx5_devx_info {
    char name[64];              /* "mlx5_0". */
    char pci_addr[32];          /* "0000:03:00.0", or "". */
};

/* An open RDMA device. */
struct mlx5_devx {
    const struct mlx5_devx_class *class;
    char name[64];
    struct ovs_list refused;    /* Objects to be destroyed again. */
};

enum mlx5_devx_kind {
    MLX5_DEVX_OBJ,
    MLX5_DEVX_UMEM,
    MLX5_DEVX_PD,
    MLX5_DEVX_FLOW,
};

/* Whatever firmware holds for us. */
struct mlx5_devx_obj {
    struct mlx5_devx *devx;
    enum mlx5_devx_kind kind;
    struct ovs_list node;       /* In devx->refused, or empty. */
    uint32_t id;                /* Number of the object, umem or PD. */
    void *memory;               /* Of a umem, owned, or NULL. */
};

/* A rule of the receive table of a function: what it matches, by ascending
 * priority of its kind. */
enum mlx5_rx_match_type {
    MLX5_RX_ALL,                /* Everything else. */
    MLX5_RX_MULTICAST,          /* All multicast. */
    MLX5_RX_MAC,                /* One destination address. */
};
struct mlx5_rx_match {
    enum mlx5_rx_match_type type;
    struct eth_addr mac;        /* MLX5_RX_MAC. */
    bool match_vlan;            /* Only packets of VLAN... */
    uint16_t vid;               /* ...'vid', 0 for those without a tag. */
    uint8_t ip_version;         /* 0 for any, 4, 6. */
    uint8_t l4_proto;           /* 0 for any, IPPROTO_TCP, IPPROTO_UDP. */
};

struct mlx5_devx_events;
struct mlx5_devx_dma;

/* Functions return 0 or a negative errno.  A command that firmware refuses is
 * -EREMOTEIO, with status and syndrome in 'out'. */
struct mlx5_devx_class {
    /* Stores in '*infosp' an array that the caller frees.  -ENOSYS if the
     * kernel has no RDMA. */
    int (*list)(struct mlx5_devx_info **infosp, size_t *np);

    /* "open" fills in 'class' and 'name'.  "close" lets the kernel destroy
     * everything that is left. */
    int (*open)(const char *name, struct mlx5_devx **);
    void (*close)(struct mlx5_devx *);

    /* Commands that make no object, and those that make, change and query
     * one. */
    int (*command)(struct mlx5_devx *, const void *in, size_t in_len,
                   void *out, size_t out_len);
    int (*create)(struct mlx5_devx *, const void *in, size_t in_len,
                  void *out, size_t out_len, struct mlx5_devx_obj **);
    int (*modify)(struct mlx5_devx_obj *, const void *in, size_t in_len,
                  void *out, size_t out_len);
    int (*query)(struct mlx5_devx_obj *, const void *in, size_t in_len,
                 void *out, size_t out_len);

    /* Memory of this process for firmware: 'size' bytes at 'memory', 4096-byte
     * aligned.  The class does not own 'memory'.  Fills in 'id'. */
    int (*umem_reg)(struct mlx5_devx *, void *memory, size_t size,
                    struct mlx5_devx_obj **);

    /* A protection domain.  Fills in 'id'. */
    int (*pd_alloc)(struct mlx5_devx *, struct mlx5_devx_obj **);

    /* A rule that sends packets to TIR 'tir'. */
    int (*flow_create)(struct mlx5_devx *, const struct mlx5_rx_match *,
                       struct mlx5_devx_obj *tir, struct mlx5_devx_obj **);

    /* Destroys any of these and frees 'obj', or fails and leaves it. */
    int (*destroy)(struct mlx5_devx_obj *);

    /* Events: a file descriptor that does not block. */
    int (*events_open)(struct mlx5_devx *, struct mlx5_devx_events **);
    void (*events_close)(struct mlx5_devx_events *);
    int (*events_fd)(const struct mlx5_devx_events *);
    int (*subscribe)(struct mlx5_devx_events *, struct mlx5_devx_obj *,
                     uint16_t event, uint64_t cookie);
    int (*get_event)(struct mlx5_devx_events *, uint64_t *cookie);

    /* Copies between this process and memory behind a crossing 'mkey'.
     * "dma_copy" waits, for some milliseconds at most. */
    int (*dma_open)(struct mlx5_devx *, struct mlx5_devx_obj *pd,
                    struct mlx5_devx_dma **);
    void (*dma_close)(struct mlx5_devx_dma *);
    int (*dma_copy)(struct mlx5_devx_dma *, uint32_t mkey, uint64_t addr,
                    void *buf, size_t len, bool write);
};

/* The most that one "dma_copy" moves, in bytes. */
#define MLX5_DEVX_DMA_MAX 4096

/* rdma-core. */
extern const struct mlx5_devx_class mlx5_devx_rdma_core;

/* In all of these, on failure '*errp' is one line that begins with the device
 * and 'what', owned by the caller. */

int mlx5_devx_open(const struct mlx5_devx_class *, const char *name,
                   struct mlx5_devx **, char **errp);

/* Destroys what has been put aside, and closes.  All other objects must have
 * been destroyed; the kernel destroys what firmware refused to.  NULL is
 * accepted. */
void mlx5_devx_close(struct mlx5_devx *);

int mlx5_devx_command(struct mlx5_devx *, const char *what,
                      const void *in, size_t in_len,
                      void *out, size_t out_len, char **errp);

/* Makes an object by a command that answers with its number in 'id_field' of
 * 'out'. */
int mlx5_devx_create(struct mlx5_devx *, const char *what,
                     const void *in, size_t in_len, void *out, size_t out_len,
                     uint32_t id_field, struct mlx5_devx_obj **, char **errp);
int mlx5_devx_modify(struct mlx5_devx_obj *, const char *what,
                     const void *in, size_t in_len, char **errp);
int mlx5_devx_query(struct mlx5_devx_obj *, const char *what,
                    const void *in, size_t in_len, void *out, size_t out_len,
                    char **errp);

/* Allocates 'size' bytes of zeros and registers them. */
int mlx5_devx_umem(struct mlx5_devx *, size_t size, struct mlx5_devx_obj **,
                   char **errp);
int mlx5_devx_pd(struct mlx5_devx *, struct mlx5_devx_obj **, char **errp);
int mlx5_devx_flow(struct mlx5_devx *, const struct mlx5_rx_match *,
                   struct mlx5_devx_obj *tir, struct mlx5_devx_obj **,
                   char **errp);

/* Destroys '*objp', now or later, and sets it to NULL, which it may be
 * already. */
void mlx5_devx_destroy(struct mlx5_devx_obj **objp);

/* Tries again to destroy what firmware refused to.  Returns how many are
 * left. */
size_t mlx5_devx_reap(struct mlx5_devx *);

/* Stores one line in '*errp' and returns 'error'. */
int mlx5_devx_fail(int error, char **errp, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

#endif /* mlx5-devx.h */
