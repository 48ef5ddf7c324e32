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

/* Jobs for devlink, and their thread.  See mlx5-devlink-job.h. */

#include <config.h>

#include "mlx5-devlink-job.h"

#include <errno.h>
#include <stdlib.h>

#include "ovs-rcu.h"
#include "seq.h"
#include "util.h"

struct mlx5_dl_job *
mlx5_dl_job_create(enum mlx5_dl_job_type type)
{
    struct mlx5_dl_job *job = xzalloc(sizeof *job);

    job->type = type;
    return job;
}

void
mlx5_dl_job_destroy(struct mlx5_dl_job *job)
{
    free(job->reason);
    free(job->ports);
    free(job);
}

/* The thread. */

static void
carry_out(struct mlx5_dl_worker *w, struct mlx5_dl_conn *conn,
          struct mlx5_dl_job *job)
{
    if (!conn->socket) {
        job->error = mlx5_dl_connect(conn, w->kernel, w->timeout_ms,
                                     &w->stop, &job->reason);
        if (job->error) {
            return;
        }
    }
    job->family = conn->family;
    job->group = conn->group;
    switch (job->type) {
    case MLX5_DL_JOB_CONNECT:
        break;
    case MLX5_DL_JOB_LIST:
        job->error = mlx5_dl_list_ports(conn, &job->ports, &job->n_ports,
                                        &job->reason);
        break;
    case MLX5_DL_JOB_ESWITCH:
        job->error = mlx5_sf_get_mode(conn, job->spec.handle, &job->switchdev,
                                      &job->reason);
        break;
    case MLX5_DL_JOB_CREATE:
        job->error = mlx5_sf_create(conn, &job->spec, &job->sf, &job->left,
                                    &job->reason);
        break;
    case MLX5_DL_JOB_DESTROY:
        job->error = mlx5_sf_destroy(conn, job->spec.handle, job->index,
                                     job->spec.timeout_ms, &job->reason);
        break;
    }
    if (job->error == -ENOBUFS || job->error == -EBADMSG) {
        /* Whatever is left in the socket is of no use. */
        mlx5_dl_disconnect(conn);
    }
}

static void *
worker_main(void *w_)
{
    struct mlx5_dl_worker *w = w_;
    struct mlx5_dl_conn conn = { .socket = NULL };
    bool stop;

    /* Nobody is to wait for this thread because of RCU.  Nor does it wait by
     * poll_block(), which would find fault with devlink's taking its time. */
    ovsrcu_quiesce_start();
    ovs_mutex_lock(&w->mutex);
    for (;;) {
        struct mlx5_dl_job *job;

        atomic_read_relaxed(&w->stop, &stop);
        if (stop) {
            break;
        } else if (ovs_list_is_empty(&w->todo)) {
            ovs_mutex_cond_wait(&w->wanted, &w->mutex);
            continue;
        }
        job = CONTAINER_OF(ovs_list_pop_front(&w->todo), struct mlx5_dl_job,
                           node);
        w->current = job;
        ovs_mutex_unlock(&w->mutex);

        carry_out(w, &conn, job);

        ovs_mutex_lock(&w->mutex);
        w->current = NULL;
        ovs_list_push_back(&w->done, &job->node);
        seq_change(w->done_seq);
    }
    ovs_mutex_unlock(&w->mutex);
    mlx5_dl_disconnect(&conn);
    return NULL;
}

void
mlx5_dl_worker_start(struct mlx5_dl_worker *w,
                     const struct mlx5_dl_kernel *kernel, int timeout_ms)
{
    w->kernel = kernel;
    w->timeout_ms = timeout_ms;
    atomic_init(&w->stop, false);
    w->done_seq = seq_create();
    xpthread_cond_init(&w->wanted, NULL);
    ovs_mutex_init(&w->mutex);
    ovs_mutex_lock(&w->mutex);
    ovs_list_init(&w->todo);
    ovs_list_init(&w->done);
    w->current = NULL;
    ovs_mutex_unlock(&w->mutex);
    w->thread = ovs_thread_create("mlx5_devlink", worker_main, w);
}

void
mlx5_dl_worker_stop(struct mlx5_dl_worker *w)
{
    struct mlx5_dl_job *job;

    ovs_mutex_lock(&w->mutex);
    atomic_store_relaxed(&w->stop, true);
    xpthread_cond_signal(&w->wanted);
    ovs_mutex_unlock(&w->mutex);
    xpthread_join(w->thread, NULL);

    ovs_mutex_lock(&w->mutex);
    LIST_FOR_EACH_POP (job, node, &w->todo) {
        mlx5_dl_job_destroy(job);
    }
    LIST_FOR_EACH_POP (job, node, &w->done) {
        mlx5_dl_job_destroy(job);
    }
    ovs_mutex_unlock(&w->mutex);
    ovs_mutex_destroy(&w->mutex);
    xpthread_cond_destroy(&w->wanted);
    seq_destroy(w->done_seq);
}

/* Its lists. */

void
mlx5_dl_worker_submit(struct mlx5_dl_worker *w, struct mlx5_dl_job *job)
{
    ovs_mutex_lock(&w->mutex);
    ovs_list_push_back(&w->todo, &job->node);
    xpthread_cond_signal(&w->wanted);
    ovs_mutex_unlock(&w->mutex);
}

size_t
mlx5_dl_worker_n_done(struct mlx5_dl_worker *w)
{
    size_t n;

    ovs_mutex_lock(&w->mutex);
    n = ovs_list_size(&w->done);
    ovs_mutex_unlock(&w->mutex);
    return n;
}

struct mlx5_dl_job *
mlx5_dl_worker_pop(struct mlx5_dl_worker *w)
{
    struct mlx5_dl_job *job = NULL;

    ovs_mutex_lock(&w->mutex);
    if (!ovs_list_is_empty(&w->done)) {
        job = CONTAINER_OF(ovs_list_pop_front(&w->done), struct mlx5_dl_job,
                           node);
    }
    ovs_mutex_unlock(&w->mutex);
    return job;
}

void
mlx5_dl_worker_forget(struct mlx5_dl_worker *w, const void *aux)
{
    struct mlx5_dl_job *job;

    ovs_mutex_lock(&w->mutex);
    if (w->current && w->current->aux == aux) {
        w->current->forgotten = true;
    }
    LIST_FOR_EACH (job, node, &w->todo) {
        job->forgotten |= job->aux == aux;
    }
    LIST_FOR_EACH (job, node, &w->done) {
        job->forgotten |= job->aux == aux;
    }
    ovs_mutex_unlock(&w->mutex);
}
