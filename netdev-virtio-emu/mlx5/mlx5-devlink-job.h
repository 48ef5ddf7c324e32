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

#ifndef MLX5_DEVLINK_JOB_H
#define MLX5_DEVLINK_JOB_H 1

/* What mlx5-devlink.c has done beside the main loop: jobs, and the thread that
 * does one after the other.
 *
 * Threads
 * =======
 *
 * The thread takes jobs from 'todo' and puts them into 'done', both under
 * 'mutex'.  All functions are for the main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx5-devlink.h"
#include "openvswitch/list.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"

enum mlx5_dl_job_type {
    MLX5_DL_JOB_CONNECT,        /* Find devlink. */
    MLX5_DL_JOB_LIST,           /* List ports. */
    MLX5_DL_JOB_ESWITCH,        /* Ask for the mode of an eSwitch. */
    MLX5_DL_JOB_CREATE,
    MLX5_DL_JOB_DESTROY,
};

struct mlx5_dl_job {
    struct ovs_list node;
    enum mlx5_dl_job_type type;
    bool forgotten;             /* No callback. */

    mlx5_devlink_create_cb *create_cb;
    mlx5_devlink_destroy_cb *destroy_cb;
    void *aux;

    struct mlx5_sf_spec spec;   /* MLX5_DL_JOB_DESTROY: handle, timeout_ms.
                                 * MLX5_DL_JOB_ESWITCH: handle. */
    uint32_t index;             /* MLX5_DL_JOB_DESTROY. */

    /* Results. */
    int error;
    char *reason;
    uint32_t group;             /* MLX5_DL_JOB_CONNECT. */
    uint16_t family;
    struct mlx5_dl_port *ports; /* MLX5_DL_JOB_LIST. */
    size_t n_ports;
    bool switchdev;             /* MLX5_DL_JOB_ESWITCH. */
    struct mlx5_sf sf;          /* MLX5_DL_JOB_CREATE. */
    bool left;
};

struct mlx5_dl_worker {
    const struct mlx5_dl_kernel *kernel;
    int timeout_ms;

    pthread_t thread;
    atomic_bool stop;
    struct seq *done_seq;       /* Changed when something has been done. */
    pthread_cond_t wanted;      /* There is something to do. */
    struct ovs_mutex mutex;
    struct ovs_list todo OVS_GUARDED; /* Of struct mlx5_dl_job. */
    struct ovs_list done OVS_GUARDED;
    struct mlx5_dl_job *current OVS_GUARDED; /* Under way. */
};

struct mlx5_dl_job *mlx5_dl_job_create(enum mlx5_dl_job_type);
void mlx5_dl_job_destroy(struct mlx5_dl_job *);

/* Initializes '*w' and starts its thread; and ends it, with all jobs. */
void mlx5_dl_worker_start(struct mlx5_dl_worker *w,
                          const struct mlx5_dl_kernel *, int timeout_ms);
void mlx5_dl_worker_stop(struct mlx5_dl_worker *w);

/* Queues a job. */
void mlx5_dl_worker_submit(struct mlx5_dl_worker *, struct mlx5_dl_job *);

/* How many have been done, and the first of these, which is the caller's then,
 * or NULL. */
size_t mlx5_dl_worker_n_done(struct mlx5_dl_worker *);
struct mlx5_dl_job *mlx5_dl_worker_pop(struct mlx5_dl_worker *);

/* Marks jobs with 'aux' as forgotten. */
void mlx5_dl_worker_forget(struct mlx5_dl_worker *, const void *aux);

#endif /* mlx5-devlink-job.h */
