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

#ifndef MLX5_NATIVE_H
#define MLX5_NATIVE_H 1

/* The emulation manager at work: follows what hosts and drivers do to emulated
 * functions, and gives drivers what they ask for.
 *
 * A function that is managed goes through:
 *
 *             driver sets DRIVER_OK        all queues run
 *   STOPPED ----------------------> STARTING ----------> RUNNING
 *      ^                               |                    |
 *      |                               | error              | driver resets,
 *      |  reset or FLR acknowledged    v                    | FLR, release
 *      +---------- STOPPING <------- FAILED                 |
 *                     ^                 (DEVICE_NEEDS_RESET)|
 *                     +-------------------------------------+
 *
 * Threads
 * =======
 *
 * All of this happens in a thread, in steps of a few firmware commands each.
 * Functions take turns, and each has one step in its turn: what a driver asks
 * for, however much and often, such as large tables of addresses through its
 * control queue, takes no more of the thread than what others do.
 * The functions below are for the main thread.  What they ask for, that thread
 * does later, and what there is to be seen they see as it was after the last
 * step: but for mlx5_native_open() and mlx5_native_close() none waits for
 * firmware.  What the thread has to tell is fetched with mlx5_native_poll().
 *
 * Errors
 * ======
 *
 * A command that fails in the thread is tried again, as long as that makes
 * sense: what is to be stopped is stopped, what the host waits for is
 * acknowledged.  If the queues of a driver cannot be started it is asked to
 * reset the device.
 *
 * What public sources do not tell
 * ===============================
 *
 * MLX5_NATIVE_GAPS lists it.  Each is in one place, and what happens there is
 * the most careful thing that could be thought of. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-emu.h"
#include "openvswitch/list.h"
#include "virtnet-backend-provider.h"
#include "virtnet-device.h"

#define MLX5_NATIVE_GAPS                                                    \
    MLX5_NATIVE_GAP(reset_handshake,                                        \
        "reset by the driver: 0 is written to device_status when the "      \
        "queues are gone (finish_stop)")                                    \
    MLX5_NATIVE_GAP(flr_handshake,                                          \
        "FLR: the emulation object is destroyed and created again "         \
        "(finish_stop)")                                                    \
    MLX5_NATIVE_GAP(hotplug_state,                                          \
        "whether the host has let go of a function that is unplugged: "     \
        "refused while a driver is ready, else unplugged at once "          \
        "(mlx5_native_carry_out)")                                          \
    MLX5_NATIVE_GAP(resume,                                                 \
        "queues in the middle of the rings of a driver that was there "     \
        "before us: made with both indexes as its used ring has them, as "  \
        "for vDPA (mlx5_datapath_resume)")                                  \
    MLX5_NATIVE_GAP(power_cycle,                                            \
        "whether host and card were without power, which static PFs are "   \
        "not to outlive: they get what was recorded (virtnet-recovery.h)")  \
    MLX5_NATIVE_GAP(ctrl_doorbell,                                          \
        "doorbell of the control queue: it is polled (CTRL_POLL_MS)")       \
    MLX5_NATIVE_GAP(ctrl_interrupt,                                         \
        "interrupt of the control queue: none; drivers that poll it need "  \
        "none (mlx5-ctrl.c)")                                               \
    MLX5_NATIVE_GAP(ctrl_packed,                                            \
        "packed control queues: VIRTIO_F_RING_PACKED is not offered")       \
    MLX5_NATIVE_GAP(manager_tis,                                            \
        "which TIS leads to the SF if virtqueues are on the manager: one "  \
        "of the manager (mlx5-datapath.c)")                                 \
    MLX5_NATIVE_GAP(vf_msix,                                                \
        "when VFs begin to share vectors: dynamic_vf_msix_control is set "  \
        "as the emulation object of a static PF is created, since nothing " \
        "names a bit to modify it (mlx5_emu_manage)")                       \
    MLX5_NATIVE_GAP(speed_rss_fields,                                       \
        "speed, duplex and RSS in the configuration space: features that "  \
        "need them are not offered")

enum mlx5_native_state {
    MLX5_NATIVE_STOPPED,
    MLX5_NATIVE_STARTING,
    MLX5_NATIVE_RUNNING,
    MLX5_NATIVE_STOPPING,
    MLX5_NATIVE_FAILED,
};

enum mlx5_native_event_type {
    MLX5_NATIVE_DRIVER,         /* 'info'. */
    MLX5_NATIVE_VFS,            /* 'vfs', 'n_vfs': those that the PF has. */
    MLX5_NATIVE_POOL,           /* 'free_vf_msix': of the PF. */
    MLX5_NATIVE_RELEASED,       /* Nothing of it is left. */
    MLX5_NATIVE_PROBLEM,        /* 'text'. */
    MLX5_NATIVE_TAKEN,          /* 'cookie'; 'error' and 'text', or 'function',
                                 * 'config', 'vfs', 'n_vfs'. */
    MLX5_NATIVE_UNPLUGGED,      /* 'cookie'; 'error' and 'text'. */
    MLX5_NATIVE_CONFIGURED,     /* 'cookie'; 'error' and 'text'. */
};

struct mlx5_native_event {
    struct ovs_list node;
    enum mlx5_native_event_type type;
    uint16_t vhca_id;
    struct virtnet_driver_info info;
    uint16_t sf_vhca_id;        /* 0 before the first driver. */
    uint16_t bdf;               /* As the host has numbered it, 0 if not. */
    bool flr;                   /* 'info' is after an FLR. */
    struct mlx5_emu_function *vfs;
    size_t n_vfs;
    uint16_t free_vf_msix;
    char *text;
    void *cookie;
    int error;
    struct mlx5_emu_function function;
    struct mlx5_emu_config config; /* In force. */
};

/* Of a function, since it is managed. */
struct mlx5_native_stats {
    uint64_t resets, flrs;
    uint64_t start_errors;      /* Queues or steering not set up. */
    uint64_t queue_errors;      /* Given up by the hardware. */
    uint64_t ctrl_commands, ctrl_errors, missing_interrupts;
    uint64_t retries;           /* Commands that had to be repeated. */
};

struct mlx5_native;

/* Finds the emulation manager among 'names', and starts. */
int mlx5_native_open(const struct mlx5_devx_class *,
                     const char *const names[], size_t n_names,
                     struct mlx5_native **, char **errp);

/* Ends.  Functions that are managed are told to reset, unless 'keep', and let
 * go; those that are plugged stay so. */
void mlx5_native_close(struct mlx5_native *, bool keep);

const struct mlx5_emu_caps *mlx5_native_get_caps(const struct mlx5_native *);
const char *mlx5_native_get_name(const struct mlx5_native *);

/* PFs that there were at the start, static and plugged. */
const struct mlx5_emu_function *mlx5_native_get_pfs(const struct mlx5_native *,
                                                    size_t *n);

/* What a function is to be. */
struct mlx5_native_wish {
    bool plug;                  /* Make one?  If not, take over... */
    uint16_t vhca_id;           /* ...this one. */
    uint16_t pf_vhca_id;        /* Of the PF, if it is a VF, or 0. */
    char sf_name[64];           /* RDMA device of its SF. */
    struct mlx5_emu_config config;
};

/* Makes, or takes over, a function, and manages it from now on.  One that has
 * a driver keeps the configuration that it has.  MLX5_NATIVE_TAKEN, with
 * 'cookie', tells when that is done; after a failure nothing has changed. */
void mlx5_native_take(struct mlx5_native *, const struct mlx5_native_wish *,
                      void *cookie);

/* Takes a function away that is not managed (any more), and tells by
 * MLX5_NATIVE_UNPLUGGED. */
void mlx5_native_start_unplug(struct mlx5_native *, uint16_t vhca_id,
                              void *cookie);

/* Stops, and lets go.  MLX5_NATIVE_RELEASED tells when that is done; nothing
 * else comes after it. */
void mlx5_native_release(struct mlx5_native *, uint16_t vhca_id);

/* Parts of a configuration. */
enum mlx5_native_config {
    MLX5_NATIVE_CONFIG_COMMON = 1 << 0, /* Features, queue size. */
    MLX5_NATIVE_CONFIG_DEVICE = 1 << 1, /* MAC, MTU, queue pairs. */
    MLX5_NATIVE_CONFIG_LINK = 1 << 2,
    MLX5_NATIVE_CONFIG_MSIX = 1 << 3, /* VFs only. */
};

/* Changes 'parts' of a function that is managed, all or nothing, and tells by
 * MLX5_NATIVE_CONFIGURED.  Firmware refuses all but the link while there is a
 * driver.  'pf_vhca_id' is that of the PF, if it is a VF, or 0: what is left
 * of its vectors is told before. */
void mlx5_native_start_configure(struct mlx5_native *, uint16_t vhca_id,
                                 uint16_t pf_vhca_id,
                                 const struct mlx5_emu_config *,
                                 unsigned int parts, void *cookie);

/* Copies what is known of queue 'index', which is some tenths of a second old
 * at first asking, and asks the thread for news.  Returns false if the
 * function has no such queue. */
bool mlx5_native_get_queue(struct mlx5_native *, uint16_t vhca_id,
                           unsigned int index, struct virtnet_queue_info *);
void mlx5_native_get_stats(struct mlx5_native *, uint16_t vhca_id,
                           struct mlx5_native_stats *);

/* Adds what firmware did not undo. */
void mlx5_native_get_leftovers(struct mlx5_native *,
                               struct virtnet_leftovers *);

/* The next event, which the caller frees with mlx5_native_event_free(), or
 * NULL; and wakes the main loop when there is one. */
struct mlx5_native_event *mlx5_native_poll(struct mlx5_native *);
void mlx5_native_event_free(struct mlx5_native_event *);
void mlx5_native_wait(struct mlx5_native *);

#endif /* mlx5-native.h */
