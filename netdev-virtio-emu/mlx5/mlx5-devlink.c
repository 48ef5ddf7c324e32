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
 * Threads
 * =======
 *
 * The thread takes requests from 'todo' and puts them into 'done', both under
 * 'mutex'.  All else is the main thread's. */

#include <config.h>

#include "mlx5-devlink.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "hash.h"
#include "mlx5-devlink-eswitch.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(mlx5_devlink);

COVERAGE_DEFINE(mlx5_sf_created);
COVERAGE_DEFINE(mlx5_sf_destroyed);
COVERAGE_DEFINE(mlx5_sf_failed);
COVERAGE_DEFINE(mlx5_sf_lost);
COVERAGE_DEFINE(mlx5_rep_lost);
COVERAGE_DEFINE(mlx5_devlink_resync);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* How long (ms) to wait before trying again to find devlink. */
#define RETRY_MS 1000

/* Datagrams that are read at a time. */
#define MAX_EVENTS 500

enum job_type {
    JOB_CONNECT,                /* Find devlink. */
    JOB_LIST,                   /* List ports. */
    JOB_ESWITCH,                /* Ask for the mode of an eSwitch. */
    JOB_CREATE,
    JOB_DESTROY,
};

struct job {
    struct ovs_list node;
    enum job_type type;
    bool forgotten;             /* No callback. */

    mlx5_devlink_create_cb *create_cb;
    mlx5_devlink_destroy_cb *destroy_cb;
    void *aux;

    struct mlx5_sf_spec spec;   /* JOB_DESTROY: handle, timeout_ms.
                                 * JOB_ESWITCH: handle. */
    uint32_t index;             /* JOB_DESTROY. */

    /* Results. */
    int error;
    char *reason;
    uint32_t group;             /* JOB_CONNECT. */
    uint16_t family;
    struct mlx5_dl_port *ports; /* JOB_LIST. */
    size_t n_ports;
    bool switchdev;             /* JOB_ESWITCH. */
    struct mlx5_sf sf;          /* JOB_CREATE. */
    bool left;
};

struct port {
    struct hmap_node node;      /* In 'ports', by index. */
    struct hmap_node ifindex_node; /* In 'by_ifindex' if there is one. */
    struct mlx5_dl_port p;
    bool ours;                  /* Is its end being asked for? */
    bool listed;                /* While a list is compared. */
};

enum state {
    STATE_CONNECTING,           /* A job is under way. */
    STATE_LISTING,              /* A job is under way, events wait. */
    STATE_READY,
    STATE_RETRY,                /* At 'next_try'. */
};

struct mlx5_devlink {
    const struct mlx5_dl_kernel *kernel;
    int timeout_ms;
    mlx5_devlink_port_cb *cb;
    void *aux;

    pthread_t thread;
    atomic_bool stop;
    struct seq *done_seq;       /* Changed when something has been done. */
    pthread_cond_t wanted;      /* There is something to do. */
    struct ovs_mutex mutex;
    struct ovs_list todo OVS_GUARDED; /* Of struct job. */
    struct ovs_list done OVS_GUARDED;
    struct job *current OVS_GUARDED; /* Under way. */

    /* Main thread only. */
    enum state state;
    char *reason;
    long long int next_try;
    uint64_t seen;              /* Value of 'done_seq'. */
    uint16_t family;
    struct mlx5_dl_socket *port_events;
    struct mlx5_dl_socket *link_events;
    bool events_lost;           /* Since the last list was asked for. */
    uint64_t *buffer;
    struct hmap ports;          /* Of struct port. */
    struct hmap by_ifindex;
    struct ovs_list eswitches;  /* Of struct mlx5_eswitch. */
    struct mlx5_devlink_stats stats;
};

/* The thread. */

static void
job_destroy(struct job *job)
{
    free(job->reason);
    free(job->ports);
    free(job);
}

static void
carry_out(struct mlx5_devlink *dl, struct mlx5_dl_conn *conn,
          struct job *job)
{
    if (!conn->socket) {
        job->error = mlx5_dl_connect(conn, dl->kernel, dl->timeout_ms,
                                     &dl->stop, &job->reason);
        if (job->error) {
            return;
        }
    }
    job->family = conn->family;
    job->group = conn->group;
    switch (job->type) {
    case JOB_CONNECT:
        break;
    case JOB_LIST:
        job->error = mlx5_dl_list_ports(conn, &job->ports, &job->n_ports,
                                        &job->reason);
        break;
    case JOB_ESWITCH:
        job->error = mlx5_sf_get_mode(conn, job->spec.handle, &job->switchdev,
                                      &job->reason);
        break;
    case JOB_CREATE:
        job->error = mlx5_sf_create(conn, &job->spec, &job->sf, &job->left,
                                    &job->reason);
        break;
    case JOB_DESTROY:
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
devlink_main(void *dl_)
{
    struct mlx5_devlink *dl = dl_;
    struct mlx5_dl_conn conn = { .socket = NULL };
    bool stop;

    /* Nobody is to wait for this thread because of RCU.  Nor does it wait by
     * poll_block(), which would find fault with devlink's taking its time. */
    ovsrcu_quiesce_start();
    ovs_mutex_lock(&dl->mutex);
    for (;;) {
        struct job *job;

        atomic_read_relaxed(&dl->stop, &stop);
        if (stop) {
            break;
        } else if (ovs_list_is_empty(&dl->todo)) {
            ovs_mutex_cond_wait(&dl->wanted, &dl->mutex);
            continue;
        }
        job = CONTAINER_OF(ovs_list_pop_front(&dl->todo), struct job, node);
        dl->current = job;
        ovs_mutex_unlock(&dl->mutex);

        carry_out(dl, &conn, job);

        ovs_mutex_lock(&dl->mutex);
        dl->current = NULL;
        ovs_list_push_back(&dl->done, &job->node);
        seq_change(dl->done_seq);
    }
    ovs_mutex_unlock(&dl->mutex);
    mlx5_dl_disconnect(&conn);
    return NULL;
}

/* Queues 'job'. */
static void
submit(struct mlx5_devlink *dl, struct job *job)
{
    ovs_mutex_lock(&dl->mutex);
    ovs_list_push_back(&dl->todo, &job->node);
    xpthread_cond_signal(&dl->wanted);
    ovs_mutex_unlock(&dl->mutex);
}

static struct job *
new_job(enum job_type type)
{
    struct job *job = xzalloc(sizeof *job);

    job->type = type;
    return job;
}

/* The table. */

static uint32_t
hash_port(uint32_t index)
{
    return hash_int(index, 0);
}

static struct port *
find(const struct mlx5_devlink *dl, const char *handle, uint32_t index)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, node, hash_port(index), &dl->ports) {
        if (port->p.index == index
            && (!handle || !strcmp(port->p.handle, handle))) {
            return port;
        }
    }
    return NULL;
}

static struct port *
find_ifindex(const struct mlx5_devlink *dl, uint32_t ifindex)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, ifindex_node, hash_port(ifindex),
                             &dl->by_ifindex) {
        if (port->p.ifindex == ifindex) {
            return port;
        }
    }
    return NULL;
}

static void
notify(struct mlx5_devlink *dl, enum mlx5_devlink_event event,
       const struct port *port)
{
    if (dl->cb) {
        dl->cb(event, &port->p, dl->aux);
    }
}

/* Puts '*p' in the place of port->p. */
static void
assign(struct mlx5_devlink *dl, struct port *port,
       const struct mlx5_dl_port *p)
{
    if (port->p.ifindex) {
        hmap_remove(&dl->by_ifindex, &port->ifindex_node);
    }
    port->p = *p;
    if (port->p.ifindex) {
        hmap_insert(&dl->by_ifindex, &port->ifindex_node,
                    hash_port(port->p.ifindex));
    }
}

static void
rep_lost(struct mlx5_devlink *dl, const struct port *port)
{
    dl->stats.reps_lost++;
    COVERAGE_INC(mlx5_rep_lost);
    VLOG_WARN_RL(&rl, "%s/%"PRIu32": the representor %s has gone",
                 port->p.handle, port->p.index, port->p.netdev);
}

/* Gives '*p' the name that its representor has now.  What devlink says, and
 * what the thread has read, may be older than a change of the name which
 * rtnetlink has told meanwhile, be it before it was known whose it is. */
static void
refresh_name(struct mlx5_devlink *dl, struct mlx5_dl_port *p)
{
    char name[IF_NAMESIZE];

    if (p->ifindex && dl->kernel->get_link_name(p->ifindex, name)) {
        memset(p->netdev, 0, sizeof p->netdev);
        ovs_strlcpy(p->netdev, name, sizeof p->netdev);
    }
}

/* The kernel says, or has said, that there is a port 'p_'.  Returns what is in
 * the table then. */
static const struct mlx5_dl_port *
port_seen(struct mlx5_devlink *dl, const struct mlx5_dl_port *p_)
{
    struct port *port = find(dl, p_->handle, p_->index);
    struct mlx5_dl_port copy = *p_;
    const struct mlx5_dl_port *p = &copy;

    refresh_name(dl, &copy);
    if (!port) {
        port = xzalloc(sizeof *port);
        hmap_insert(&dl->ports, &port->node, hash_port(p->index));
        assign(dl, port, p);
        notify(dl, MLX5_DEVLINK_ADDED, port);
    } else if (memcmp(&port->p, p, sizeof *p)) {
        bool renamed = (port->p.ifindex == p->ifindex
                        && strcmp(port->p.netdev, p->netdev));

        if (port->p.ifindex && !p->ifindex && !port->ours) {
            rep_lost(dl, port);
        }
        assign(dl, port, p);
        notify(dl, renamed ? MLX5_DEVLINK_RENAMED : MLX5_DEVLINK_CHANGED,
               port);
    }
    port->listed = true;
    return &port->p;
}

/* The kernel says that 'port' is not there any more. */
static void
port_gone(struct mlx5_devlink *dl, struct port *port)
{
    bool lost = port->p.flavour == MLX5_DL_PCI_SF && !port->ours;

    if (lost) {
        dl->stats.lost++;
        COVERAGE_INC(mlx5_sf_lost);
        VLOG_WARN_RL(&rl, "%s/%"PRIu32": SF %"PRIu32" (representor %s) has "
                     "been removed by somebody else", port->p.handle,
                     port->p.index, port->p.sf_num,
                     port->p.netdev[0] ? port->p.netdev : "unknown");
    }
    notify(dl, lost ? MLX5_DEVLINK_LOST : MLX5_DEVLINK_REMOVED, port);
    if (port->p.ifindex) {
        hmap_remove(&dl->by_ifindex, &port->ifindex_node);
    }
    hmap_remove(&dl->ports, &port->node);
    free(port);
}

/* Compares the table with a complete list. */
static void
compare(struct mlx5_devlink *dl, const struct mlx5_dl_port *ports, size_t n)
{
    struct port *port, *next;

    HMAP_FOR_EACH (port, node, &dl->ports) {
        port->listed = false;
    }
    for (size_t i = 0; i < n; i++) {
        port_seen(dl, &ports[i]);
    }
    HMAP_FOR_EACH_SAFE (port, next, node, &dl->ports) {
        if (!port->listed) {
            port_gone(dl, port);
        }
    }
}

/* Events. */

static void
take_port_event(struct mlx5_devlink *dl, const struct nlmsghdr *nlh)
{
    struct mlx5_dl_port p;
    enum mlx5_dl_what what;
    struct port *port;

    mlx5_eswitch_touch_all(&dl->eswitches);
    if (mlx5_dl_parse_port(nlh, dl->family, &what, &p)) {
        VLOG_WARN_RL(&rl, "devlink: notification that makes no sense");
    } else if (what == MLX5_DL_PORT) {
        port_seen(dl, &p);
    } else if (what == MLX5_DL_PORT_GONE) {
        port = find(dl, p.handle, p.index);
        if (port) {
            port_gone(dl, port);
        }
    }
}

static void
take_link_event(struct mlx5_devlink *dl, const struct nlmsghdr *nlh)
{
    struct mlx5_dl_link link;
    enum mlx5_dl_what what;
    struct mlx5_dl_port p;
    struct port *port;

    if (mlx5_dl_parse_link(nlh, &what, &link) || what == MLX5_DL_OTHER) {
        return;
    }
    port = find_ifindex(dl, link.ifindex);
    if (!port) {
        return;
    }
    p = port->p;
    if (what == MLX5_DL_LINK_GONE) {
        if (!port->ours) {
            rep_lost(dl, port);
        }
        p.ifindex = 0;
        memset(p.netdev, 0, sizeof p.netdev);
        assign(dl, port, &p);
        notify(dl, MLX5_DEVLINK_CHANGED, port);
    } else if (strcmp(p.netdev, link.name)) {
        VLOG_INFO_RL(&rl, "%s/%"PRIu32": the representor %s is now named %s",
                     p.handle, p.index, p.netdev, link.name);
        memset(p.netdev, 0, sizeof p.netdev);
        ovs_strlcpy(p.netdev, link.name, sizeof p.netdev);
        assign(dl, port, &p);
        notify(dl, MLX5_DEVLINK_RENAMED, port);
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
    submit(dl, new_job(JOB_LIST));
}

/* Devlink has been found.  First joins the groups, then lists what is there,
 * so that nothing is missed between. */
static void
connected(struct mlx5_devlink *dl, const struct job *job)
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
listed(struct mlx5_devlink *dl, const struct job *job)
{
    if (job->error) {
        go_retry(dl, job->reason);
    } else if (dl->state == STATE_LISTING) {
        compare(dl, job->ports, job->n_ports);
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
            struct job *job = new_job(JOB_ESWITCH);

            ovs_strlcpy(job->spec.handle, es->handle,
                        sizeof job->spec.handle);
            submit(dl, job);
        }
    }
}

static void
asked(struct mlx5_devlink *dl, const struct job *job)
{
    mlx5_eswitch_answered(
        mlx5_eswitch_find(&dl->eswitches, job->spec.handle), job->error,
        job->reason, job->switchdev,
        mlx5_devlink_find_uplink(dl, job->spec.handle) != NULL);
}

static void
created(struct mlx5_devlink *dl, struct job *job)
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
        job->sf.port = *port_seen(dl, &job->sf.port);
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
destroyed(struct mlx5_devlink *dl, struct job *job)
{
    struct port *port = find(dl, job->spec.handle, job->index);

    if (job->error) {
        dl->stats.failed++;
        COVERAGE_INC(mlx5_sf_failed);
        VLOG_WARN_RL(&rl, "port %s/%"PRIu32" not deleted: %s",
                     job->spec.handle, job->index, job->reason);
        if (port) {
            port->ours = false;
        }
    } else {
        dl->stats.destroyed++;
        COVERAGE_INC(mlx5_sf_destroyed);
        if (port && port->ours) {
            /* Otherwise it is a new one that has the same number. */
            port_gone(dl, port);
        }
    }
    if (!job->forgotten && job->destroy_cb) {
        job->destroy_cb(job->error, job->reason, job->aux);
    }
}

static size_t
count_results(struct mlx5_devlink *dl)
{
    size_t n;

    ovs_mutex_lock(&dl->mutex);
    n = ovs_list_size(&dl->done);
    ovs_mutex_unlock(&dl->mutex);
    return n;
}

/* Takes the first 'n' results, or as many of them as there is time for. */
static void
take_results(struct mlx5_devlink *dl, size_t n)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, false);
    while (n-- > 0 && !virtnet_slice_is_over(&slice)) {
        struct job *job = NULL;

        ovs_mutex_lock(&dl->mutex);
        if (!ovs_list_is_empty(&dl->done)) {
            job = CONTAINER_OF(ovs_list_pop_front(&dl->done), struct job,
                               node);
        }
        ovs_mutex_unlock(&dl->mutex);
        if (!job) {
            return;
        }
        switch (job->type) {
        case JOB_CONNECT:
            connected(dl, job);
            break;
        case JOB_LIST:
            listed(dl, job);
            break;
        case JOB_ESWITCH:
            asked(dl, job);
            break;
        case JOB_CREATE:
            created(dl, job);
            break;
        case JOB_DESTROY:
            destroyed(dl, job);
            break;
        }
        job_destroy(job);
    }
}

void
mlx5_devlink_run(struct mlx5_devlink *dl)
{
    size_t n;

    dl->seen = seq_read(dl->done_seq);

    /* What a request has changed has been told by the time that it is done, so
     * with its result the table is up to date. */
    n = count_results(dl);
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
        submit(dl, new_job(JOB_CONNECT));
    }
    take_results(dl, n);
}

void
mlx5_devlink_wait(struct mlx5_devlink *dl)
{
    seq_wait(dl->done_seq, dl->seen);
    if (count_results(dl)) {
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
    dl->timeout_ms = timeout_ms;
    dl->cb = cb;
    dl->aux = aux;
    atomic_init(&dl->stop, false);
    dl->done_seq = seq_create();
    xpthread_cond_init(&dl->wanted, NULL);
    ovs_mutex_init(&dl->mutex);
    ovs_mutex_lock(&dl->mutex);
    ovs_list_init(&dl->todo);
    ovs_list_init(&dl->done);
    ovs_mutex_unlock(&dl->mutex);
    hmap_init(&dl->ports);
    hmap_init(&dl->by_ifindex);
    ovs_list_init(&dl->eswitches);
    dl->buffer = xmalloc(MLX5_DL_BUFFER_SIZE);
    dl->state = STATE_CONNECTING;
    submit(dl, new_job(JOB_CONNECT));
    dl->thread = ovs_thread_create("mlx5_devlink", devlink_main, dl);
    return dl;
}

void
mlx5_devlink_close(struct mlx5_devlink *dl)
{
    struct port *port, *next_port;
    struct job *job;

    ovs_mutex_lock(&dl->mutex);
    atomic_store_relaxed(&dl->stop, true);
    xpthread_cond_signal(&dl->wanted);
    ovs_mutex_unlock(&dl->mutex);
    xpthread_join(dl->thread, NULL);

    ovs_mutex_lock(&dl->mutex);
    LIST_FOR_EACH_POP (job, node, &dl->todo) {
        job_destroy(job);
    }
    LIST_FOR_EACH_POP (job, node, &dl->done) {
        job_destroy(job);
    }
    ovs_mutex_unlock(&dl->mutex);
    HMAP_FOR_EACH_SAFE (port, next_port, node, &dl->ports) {
        hmap_remove(&dl->ports, &port->node);
        free(port);
    }
    close_events(dl);
    mlx5_eswitch_destroy_all(&dl->eswitches);
    hmap_destroy(&dl->ports);
    hmap_destroy(&dl->by_ifindex);
    ovs_mutex_destroy(&dl->mutex);
    xpthread_cond_destroy(&dl->wanted);
    seq_destroy(dl->done_seq);
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
    struct job *job = new_job(JOB_CREATE);

    job->spec = *spec;
    job->create_cb = cb;
    job->aux = aux;
    submit(dl, job);
}

void
mlx5_devlink_destroy_sf(struct mlx5_devlink *dl, const char *handle,
                        uint32_t index, int timeout_ms,
                        mlx5_devlink_destroy_cb *cb, void *aux)
{
    struct port *port = find(dl, handle, index);
    struct job *job = new_job(JOB_DESTROY);

    if (port) {
        port->ours = true;
    }
    ovs_strlcpy(job->spec.handle, handle, sizeof job->spec.handle);
    job->spec.timeout_ms = timeout_ms;
    job->index = index;
    job->destroy_cb = cb;
    job->aux = aux;
    submit(dl, job);
}

void
mlx5_devlink_forget(struct mlx5_devlink *dl, const void *aux)
{
    struct job *job;

    ovs_mutex_lock(&dl->mutex);
    if (dl->current && dl->current->aux == aux) {
        dl->current->forgotten = true;
    }
    LIST_FOR_EACH (job, node, &dl->todo) {
        job->forgotten |= job->aux == aux;
    }
    LIST_FOR_EACH (job, node, &dl->done) {
        job->forgotten |= job->aux == aux;
    }
    ovs_mutex_unlock(&dl->mutex);
}

const struct mlx5_dl_port *
mlx5_devlink_find(const struct mlx5_devlink *dl, const char *handle,
                  uint32_t index)
{
    const struct port *port = find(dl, handle, index);

    return port ? &port->p : NULL;
}

const struct mlx5_dl_port *
mlx5_devlink_find_sf(const struct mlx5_devlink *dl, const char *handle,
                     uint32_t sf_num)
{
    const struct port *port;

    HMAP_FOR_EACH (port, node, &dl->ports) {
        if (port->p.flavour == MLX5_DL_PCI_SF && !port->p.external
            && port->p.sf_num == sf_num
            && (!handle || !strcmp(port->p.handle, handle))) {
            return &port->p;
        }
    }
    return NULL;
}

const struct mlx5_dl_port *
mlx5_devlink_find_ifindex(const struct mlx5_devlink *dl, uint32_t ifindex)
{
    const struct port *port = find_ifindex(dl, ifindex);

    return port ? &port->p : NULL;
}

const struct mlx5_dl_port *
mlx5_devlink_find_uplink(const struct mlx5_devlink *dl, const char *handle)
{
    const struct port *port;

    HMAP_FOR_EACH (port, node, &dl->ports) {
        if (port->p.flavour == MLX5_DL_PHYSICAL
            && !strcmp(port->p.handle, handle)) {
            return &port->p;
        }
    }
    return NULL;
}

const struct mlx5_devlink_stats *
mlx5_devlink_get_stats(const struct mlx5_devlink *dl)
{
    return &dl->stats;
}
