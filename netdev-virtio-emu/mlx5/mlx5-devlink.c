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

/* SFs and representors.  See mlx5-devlink.h.
 *
 * Here is how the table (mlx5-devlink-table.h) is filled and kept up to date,
 * and what the results of jobs (mlx5-devlink-job.h) mean. */

#include <config.h>

#include "mlx5-devlink.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "mlx5-devlink-eswitch.h"
#include "mlx5-devlink-job.h"
#include "mlx5-devlink-table.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(mlx5_devlink);

COVERAGE_DEFINE(mlx5_sf_created);
COVERAGE_DEFINE(mlx5_sf_destroyed);
COVERAGE_DEFINE(mlx5_sf_failed);
COVERAGE_DEFINE(mlx5_devlink_resync);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* How long (ms) to wait before trying again to find devlink. */
#define RETRY_MS 1000

/* Datagrams that are read at a time. */
#define MAX_EVENTS 500

enum state {
    STATE_CONNECTING,           /* A job is under way. */
    STATE_LISTING,              /* A job is under way, events wait. */
    STATE_READY,
    STATE_RETRY,                /* At 'next_try'. */
};

struct mlx5_devlink {
    const struct mlx5_dl_kernel *kernel;
    struct mlx5_dl_worker worker;
    struct mlx5_dl_table table;

    enum state state;
    char *reason;
    long long int next_try;
    uint64_t seen;              /* Value of worker.done_seq. */
    uint16_t family;
    struct mlx5_dl_socket *port_events;
    struct mlx5_dl_socket *link_events;
    bool events_lost;           /* Since the last list was asked for. */
    uint64_t *buffer;
    struct ovs_list eswitches;  /* Of struct mlx5_eswitch. */
    struct mlx5_devlink_stats stats;
};

/* Events. */

static void
take_port_event(struct mlx5_devlink *dl, const struct nlmsghdr *nlh)
{
    struct mlx5_dl_port p;
    enum mlx5_dl_what what;

    mlx5_eswitch_touch_all(&dl->eswitches);
    if (mlx5_dl_parse_port(nlh, dl->family, &what, &p)) {
        VLOG_WARN_RL(&rl, "devlink: notification that makes no sense");
    } else if (what == MLX5_DL_PORT) {
        mlx5_dl_table_seen(&dl->table, &p);
    } else if (what == MLX5_DL_PORT_GONE) {
        mlx5_dl_table_gone(&dl->table, p.handle, p.index);
    }
}

static void
take_link_event(struct mlx5_devlink *dl, const struct nlmsghdr *nlh)
{
    struct mlx5_dl_link link;
    enum mlx5_dl_what what;

    if (!mlx5_dl_parse_link(nlh, &what, &link) && what != MLX5_DL_OTHER) {
        mlx5_dl_table_link(&dl->table, link.ifindex,
                           what == MLX5_DL_LINK_GONE ? NULL : link.name);
    }
}

/* Takes what 'socket' has, or as much of it as there is time for, in which
 * case it returns false.  Takes note if the kernel had to drop some. */
static bool
take_events(struct mlx5_devlink *dl, struct mlx5_dl_socket *socket,
            void (*take)(struct mlx5_devlink *, const struct nlmsghdr *))
{
    for (int i = 0; i < MAX_EVENTS; i++) {
        const struct nlmsghdr *nlh = (const void *) dl->buffer;
        ssize_t n;
        int left;

        n = dl->kernel->recv(socket, dl->buffer, MLX5_DL_BUFFER_SIZE, 0);
        if (n == -ETIMEDOUT) {
            return true;
        } else if (n < 0) {
            dl->events_lost = true;
            if (n != -ENOBUFS && n != -EMSGSIZE) {
                return true;    /* There will not be more. */
            }
            continue;
        }
        for (left = n; mlx5_dl_message_is_ok(nlh, left);
             nlh = mnl_nlmsg_next(nlh, &left)) {
            take(dl, nlh);
        }
    }
    poll_immediate_wake_at(OVS_SOURCE_LOCATOR);
    return false;
}

static void
close_events(struct mlx5_devlink *dl)
{
    if (dl->port_events) {
        dl->kernel->close(dl->port_events);
        dl->port_events = NULL;
    }
    if (dl->link_events) {
        dl->kernel->close(dl->link_events);
        dl->link_events = NULL;
    }
}

/* States. */

/* Has a job done that is all in its type. */
static void
submit(struct mlx5_devlink *dl, enum mlx5_dl_job_type type)
{
    mlx5_dl_worker_submit(&dl->worker, mlx5_dl_job_create(type));
}

static void
go_retry(struct mlx5_devlink *dl, const char *reason)
{
    if (!dl->reason || strcmp(dl->reason, reason)) {
        VLOG_WARN("%s", reason);
        free(dl->reason);
        dl->reason = xstrdup(reason);
    }
    close_events(dl);
    dl->state = STATE_RETRY;
    dl->next_try = time_msec() + RETRY_MS;
}

static void
go_list(struct mlx5_devlink *dl)
{
    dl->state = STATE_LISTING;
    dl->events_lost = false;
    submit(dl, MLX5_DL_JOB_LIST);
}

/* Devlink has been found.  First joins the groups, then lists what is there,
 * so that nothing is missed between. */
static void
connected(struct mlx5_devlink *dl, const struct mlx5_dl_job *job)
{
    int error;

    if (job->error) {
        go_retry(dl, job->reason);
        return;
    }
    dl->family = job->family;
    error = dl->kernel->open(MLX5_DL_PORT_EVENTS, job->group,
                             &dl->port_events);
    if (!error) {
        error = dl->kernel->open(MLX5_DL_LINK_EVENTS, 0, &dl->link_events);
    }
    if (error) {
        char *reason = xasprintf("devlink: no notifications: %s",
                                 ovs_strerror(-error));

        go_retry(dl, reason);
        free(reason);
    } else {
        go_list(dl);
    }
}

static void
listed(struct mlx5_devlink *dl, const struct mlx5_dl_job *job)
{
    if (job->error) {
        go_retry(dl, job->reason);
    } else if (dl->state == STATE_LISTING) {
        mlx5_dl_table_compare(&dl->table, job->ports, job->n_ports);
        mlx5_eswitch_touch_all(&dl->eswitches);
        free(dl->reason);
        dl->reason = NULL;
        dl->state = STATE_READY;
    }
}

static void
ask_for_eswitches(struct mlx5_devlink *dl)
{
    struct mlx5_eswitch *es;

    LIST_FOR_EACH (es, node, &dl->eswitches) {
        if (mlx5_eswitch_ask(es)) {
            struct mlx5_dl_job *job = mlx5_dl_job_create(MLX5_DL_JOB_ESWITCH);

            ovs_strlcpy(job->spec.handle, es->handle,
                        sizeof job->spec.handle);
            mlx5_dl_worker_submit(&dl->worker, job);
        }
    }
}

static void
asked(struct mlx5_devlink *dl, const struct mlx5_dl_job *job)
{
    mlx5_eswitch_answered(
        mlx5_eswitch_find(&dl->eswitches, job->spec.handle), job->error,
        job->reason, job->switchdev,
        mlx5_devlink_find_uplink(dl, job->spec.handle) != NULL);
}

static void
created(struct mlx5_devlink *dl, struct mlx5_dl_job *job)
{
    if (job->error) {
        dl->stats.failed++;
        dl->stats.left += job->left;
        COVERAGE_INC(mlx5_sf_failed);
        VLOG_WARN_RL(&rl, "SF %"PRIu32" of %s not made: %s",
                     job->spec.sf_num, job->spec.handle, job->reason);
    } else {
        dl->stats.created++;
        COVERAGE_INC(mlx5_sf_created);
        job->sf.port = *mlx5_dl_table_seen(&dl->table, &job->sf.port);
    }
    if (!job->forgotten) {
        job->create_cb(job->error, job->reason,
                       job->error ? NULL : &job->sf, job->aux);
    } else if (!job->error) {
        mlx5_devlink_destroy_sf(dl, job->spec.handle, job->sf.port.index,
                                job->spec.timeout_ms, NULL, NULL);
    }
}

static void
destroyed(struct mlx5_devlink *dl, struct mlx5_dl_job *job)
{
    if (job->error) {
        dl->stats.failed++;
        COVERAGE_INC(mlx5_sf_failed);
        VLOG_WARN_RL(&rl, "port %s/%"PRIu32" not deleted: %s",
                     job->spec.handle, job->index, job->reason);
    } else {
        dl->stats.destroyed++;
        COVERAGE_INC(mlx5_sf_destroyed);
    }
    mlx5_dl_table_ended(&dl->table, job->spec.handle, job->index,
                        !job->error);
    if (!job->forgotten && job->destroy_cb) {
        job->destroy_cb(job->error, job->reason, job->aux);
    }
}

/* Takes the first 'n' results, or as many of them as there is time for. */
static void
take_results(struct mlx5_devlink *dl, size_t n)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, false);
    while (n-- > 0 && !virtnet_slice_is_over(&slice)) {
        struct mlx5_dl_job *job = mlx5_dl_worker_pop(&dl->worker);

        if (!job) {
            return;
        }
        switch (job->type) {
        case MLX5_DL_JOB_CONNECT:
            connected(dl, job);
            break;
        case MLX5_DL_JOB_LIST:
            listed(dl, job);
            break;
        case MLX5_DL_JOB_ESWITCH:
            asked(dl, job);
            break;
        case MLX5_DL_JOB_CREATE:
            created(dl, job);
            break;
        case MLX5_DL_JOB_DESTROY:
            destroyed(dl, job);
            break;
        }
        mlx5_dl_job_destroy(job);
    }
}

void
mlx5_devlink_run(struct mlx5_devlink *dl)
{
    size_t n;

    dl->seen = seq_read(dl->worker.done_seq);

    /* What a request has changed has been told by the time that it is done, so
     * with its result the table is up to date. */
    n = mlx5_dl_worker_n_done(&dl->worker);
    if (dl->state == STATE_READY) {
        bool all = take_events(dl, dl->port_events, take_port_event);

        all = take_events(dl, dl->link_events, take_link_event) && all;
        if (dl->events_lost && all) {
            /* What is left of before the loss is older than the list, so it
             * had to be taken first. */
            dl->stats.resyncs++;
            COVERAGE_INC(mlx5_devlink_resync);
            go_list(dl);
        } else {
            ask_for_eswitches(dl);
        }
    } else if (dl->state == STATE_RETRY && time_msec() >= dl->next_try) {
        dl->state = STATE_CONNECTING;
        submit(dl, MLX5_DL_JOB_CONNECT);
    }
    take_results(dl, n);
}

void
mlx5_devlink_wait(struct mlx5_devlink *dl)
{
    seq_wait(dl->worker.done_seq, dl->seen);
    if (mlx5_dl_worker_n_done(&dl->worker)) {
        poll_immediate_wake();
    }
    if (dl->state == STATE_READY) {
        int fds[] = { dl->kernel->get_fd(dl->port_events),
                      dl->kernel->get_fd(dl->link_events) };

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
            if (fds[i] >= 0) {
                poll_fd_wait(fds[i], POLLIN);
            }
        }
        mlx5_eswitch_wait(&dl->eswitches);
    } else if (dl->state == STATE_RETRY) {
        poll_timer_wait_until(dl->next_try);
    }
}

struct mlx5_devlink *
mlx5_devlink_open(const struct mlx5_dl_kernel *kernel, int timeout_ms,
                  mlx5_devlink_port_cb *cb, void *aux)
{
    struct mlx5_devlink *dl = xzalloc(sizeof *dl);

    dl->kernel = kernel;
    mlx5_dl_table_init(&dl->table, kernel, cb, aux, &dl->stats);
    ovs_list_init(&dl->eswitches);
    dl->buffer = xmalloc(MLX5_DL_BUFFER_SIZE);
    dl->state = STATE_CONNECTING;
    mlx5_dl_worker_start(&dl->worker, kernel, timeout_ms);
    submit(dl, MLX5_DL_JOB_CONNECT);
    return dl;
}

void
mlx5_devlink_close(struct mlx5_devlink *dl)
{
    mlx5_dl_worker_stop(&dl->worker);
    mlx5_dl_table_uninit(&dl->table);
    close_events(dl);
    mlx5_eswitch_destroy_all(&dl->eswitches);
    free(dl->buffer);
    free(dl->reason);
    free(dl);
}

bool
mlx5_devlink_is_ready(const struct mlx5_devlink *dl, const char **reason)
{
    *reason = dl->reason;
    /* A table that is being compared is still good. */
    return (dl->state == STATE_READY
            || (dl->state == STATE_LISTING && dl->stats.resyncs));
}

void
mlx5_devlink_watch_eswitch(struct mlx5_devlink *dl, const char *handle)
{
    if (mlx5_dl_handle_is_valid(handle)) {
        mlx5_eswitch_add(&dl->eswitches, handle);
    }
}

const char *
mlx5_devlink_get_eswitch_problem(const struct mlx5_devlink *dl,
                                 const char *handle)
{
    const struct mlx5_eswitch *es = mlx5_eswitch_find(&dl->eswitches, handle);

    return es ? es->problem : NULL;
}

void
mlx5_devlink_create_sf(struct mlx5_devlink *dl,
                       const struct mlx5_sf_spec *spec,
                       mlx5_devlink_create_cb *cb, void *aux)
{
    struct mlx5_dl_job *job = mlx5_dl_job_create(MLX5_DL_JOB_CREATE);

    job->spec = *spec;
    job->create_cb = cb;
    job->aux = aux;
    mlx5_dl_worker_submit(&dl->worker, job);
}

void
mlx5_devlink_destroy_sf(struct mlx5_devlink *dl, const char *handle,
                        uint32_t index, int timeout_ms,
                        mlx5_devlink_destroy_cb *cb, void *aux)
{
    struct mlx5_dl_job *job = mlx5_dl_job_create(MLX5_DL_JOB_DESTROY);

    mlx5_dl_table_end(&dl->table, handle, index);
    ovs_strlcpy(job->spec.handle, handle, sizeof job->spec.handle);
    job->spec.timeout_ms = timeout_ms;
    job->index = index;
    job->destroy_cb = cb;
    job->aux = aux;
    mlx5_dl_worker_submit(&dl->worker, job);
}

void
mlx5_devlink_forget(struct mlx5_devlink *dl, const void *aux)
{
    mlx5_dl_worker_forget(&dl->worker, aux);
}

const struct mlx5_dl_port *
mlx5_devlink_find(const struct mlx5_devlink *dl, const char *handle,
                  uint32_t index)
{
    return mlx5_dl_table_find(&dl->table, handle, index);
}

const struct mlx5_dl_port *
mlx5_devlink_find_sf(const struct mlx5_devlink *dl, const char *handle,
                     uint32_t sf_num)
{
    return mlx5_dl_table_find_sf(&dl->table, handle, sf_num);
}

const struct mlx5_dl_port *
mlx5_devlink_find_ifindex(const struct mlx5_devlink *dl, uint32_t ifindex)
{
    return mlx5_dl_table_find_ifindex(&dl->table, ifindex);
}

const struct mlx5_dl_port *
mlx5_devlink_find_uplink(const struct mlx5_devlink *dl, const char *handle)
{
    return mlx5_dl_table_find_uplink(&dl->table, handle);
}

const struct mlx5_devlink_stats *
mlx5_devlink_get_stats(const struct mlx5_devlink *dl)
{
    return &dl->stats;
}
