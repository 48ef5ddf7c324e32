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

#ifndef MLX5_NATIVE_INTERNAL_H
#define MLX5_NATIVE_INTERNAL_H 1

/* What the files of the emulation manager share, all of it but where noted for
 * its thread.
 *
 * mlx5-native.c is the thread, and what the main thread calls;
 * mlx5-native-fn.c is the life of a function; mlx5-native-job.c is what the
 * main thread has asked for. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-ctrl.h"
#include "mlx5-datapath.h"
#include "mlx5-native.h"
#include "openvswitch/hmap.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"

/* After a failure, before the next try (ms). */
#define MLX5_NATIVE_RETRY_MS 20

/* A function. */
struct mlx5_fn {
    struct hmap_node node;      /* In native->fns, by vhca_id. */
    uint16_t vhca_id;
    char sf_name[64];

    struct mlx5_devx_obj *emu;  /* NULL while it is to be managed again. */
    struct mlx5_emu_state regs; /* As last read; with queues once started. */
    bool dirty;                 /* To be read again... */
    bool event;                 /* ...because the card has said so. */
    bool was_alive;             /* Has a driver been seen? */
    bool fresh;                 /* Not read since it is managed. */
    bool resume;                /* Its driver was there before that. */
    bool reset, flr, release;   /* Why it is STOPPING. */
    bool rescan;                /* Its VFs have changed. */
    long long int retry_at;     /* Not before that. */

    enum mlx5_native_state state;
    struct mlx5_devx *sf;
    uint16_t sf_vhca_id;        /* 0 until it has been opened. */
    struct mlx5_datapath *dp;
    struct mlx5_ctrl_state ctrl; /* Initialized while 'dp' is there. */
    struct mlx5_devx_events *queue_events; /* If queues are the SF's. */
    struct mlx5_ctrlq *ctrlq;
    struct mlx5_ctrl_state ctrl_next; /* While a command is carried out, */
    enum mlx5_ctrl_change ctrl_change; /* what it changes. */
    bool ctrl_at_it;
    unsigned int ctrl_index;
    long long int ctrl_at, ctrl_busy_until;

    struct virtnet_queue_info *infos; /* regs.n_queues of them. */
    unsigned int next_info;     /* Being fetched; n_queues for none. */
    long long int stats_at;     /* When they were fetched. */
    bool stats_wanted;
    struct mlx5_native_stats stats;
    struct virtnet_driver_info told; /* What the main thread knows... */
    uint16_t told_bdf;
    bool told_any;
    int told_free;              /* Free vectors, or -1. */

    /* What the main thread may ask for at any time, as it was after the last
     * step.  Of native->view_mutex. */
    struct hmap_node view_node; /* In native->views, by vhca_id. */
    struct {
        struct virtnet_queue_info *infos;
        unsigned int n_infos;
        long long int stats_at;
        bool wanted;            /* Has it asked for newer counters? */
        struct mlx5_native_stats stats;
    } view;
};

struct mlx5_native {
    struct mlx5_devx *devx;     /* The manager. */
    struct mlx5_emu_caps caps;
    struct mlx5_devx_events *events;
    struct mlx5_emu_function *pfs;
    size_t n_pfs;

    /* Of the thread, as is firmware. */
    struct hmap fns;
    long long int reap_at;

    /* Nobody keeps it for long. */
    struct ovs_mutex view_mutex;
    struct hmap views OVS_GUARDED;
    struct virtnet_leftovers left OVS_GUARDED;

    pthread_t thread;
    struct seq *work;           /* Wakes the thread. */
    atomic_bool stop;

    struct ovs_mutex news_mutex;
    struct ovs_list news OVS_GUARDED; /* struct mlx5_native_event. */
    struct ovs_list jobs OVS_GUARDED; /* struct mlx5_native_job. */
    struct seq *news_seq;       /* Wakes the main thread. */
};

enum job_type {
    JOB_TAKE,                   /* 'wish'. */
    JOB_UNPLUG,                 /* wish.vhca_id. */
    JOB_CONFIGURE,              /* wish.vhca_id, wish.config, 'parts'. */
    JOB_RELEASE,                /* wish.vhca_id. */
};

/* Something that the main thread has asked for and does not wait for. */
struct mlx5_native_job {
    struct ovs_list node;       /* In native->jobs. */
    enum job_type type;
    struct mlx5_native_wish wish;
    unsigned int parts;         /* MLX5_NATIVE_CONFIG_*. */
    void *cookie;
};

/* The function 'vhca_id', if it is managed, or NULL. */
struct mlx5_fn *mlx5_fn_find(struct mlx5_native *, uint16_t vhca_id);

/* Has the main thread see how 'fn' is. */
void mlx5_fn_publish(struct mlx5_native *, struct mlx5_fn *);

/* Has the main thread hear of 'event', which it takes over. */
void mlx5_native_tell(struct mlx5_native *, struct mlx5_native_event *event);

/* The life of a function. */

/* Has firmware manage 'fn', and tell what happens to it. */
int mlx5_fn_manage(struct mlx5_native *, struct mlx5_fn *, char **errp);
void mlx5_fn_insert(struct mlx5_native *, struct mlx5_fn *);
void mlx5_fn_destroy(struct mlx5_native *, struct mlx5_fn *);

/* Tells what the driver has done, if that is news. */
void mlx5_fn_tell_driver(struct mlx5_native *, struct mlx5_fn *, bool flr);

/* Tells how many vectors are free for VFs of the PF 'fn', if that is news. */
void mlx5_fn_tell_pool(struct mlx5_native *, struct mlx5_fn *);

/* Does a driver wait for the end of a reset of which no event has told,
 * because nobody managed the function?  What it has accepted is still
 * there. */
bool mlx5_fn_waits_for_reset(const struct mlx5_fn *,
                             const struct mlx5_emu_state *);

/* These are the registers of 'fn'. */
void mlx5_fn_take_note_of_driver(struct mlx5_fn *,
                                 const struct mlx5_emu_state *);

/* Is there anything to do for 'fn' now?  Otherwise stores in '*at', if that is
 * earlier, when. */
bool mlx5_fn_is_due(const struct mlx5_fn *, long long int now,
                    long long int *at);

/* Does one step for 'fn', which may be gone then. */
void mlx5_fn_step(struct mlx5_native *, struct mlx5_fn *);

/* Jobs. */

/* Does 'job', and frees it. */
void mlx5_native_carry_out(struct mlx5_native *, struct mlx5_native_job *job);

/* Takes note of objects that firmware refuses to destroy. */
void mlx5_native_count_objects(struct mlx5_native *);

#endif /* mlx5-native-internal.h */
