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

/* The emulation manager at work.  See mlx5-native.h. */

#include <config.h>

#include "mlx5-native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "hash.h"
#include "mlx5-ctrl.h"
#include "mlx5-datapath.h"
#include "mlx5-prm-emulation.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_native);

COVERAGE_DEFINE(mlx5_native_step);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

/* After a failure, before the next try. */
#define RETRY_MS 20

/* How often control queues are looked at: while a driver uses its own, and
 * otherwise. */
#define CTRL_POLL_MS 10
#define CTRL_IDLE_POLL_MS 100
#define CTRL_BUSY_MS 1000

/* Age at which counters are fetched again, if anybody asks. */
#define STATS_MS 500

#define F_CTRL_VQ (UINT64_C(1) << 17)
#define F_MQ (UINT64_C(1) << 22)
#define F_RING_PACKED (UINT64_C(1) << 34)

/* A function. */
struct fn {
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
    struct ovs_list jobs OVS_GUARDED; /* struct job. */
    struct seq *news_seq;       /* Wakes the main thread. */
};

enum job_type {
    JOB_TAKE,                   /* 'wish'. */
    JOB_UNPLUG,                 /* wish.vhca_id. */
    JOB_CONFIGURE,              /* wish.vhca_id, wish.config, 'parts'. */
    JOB_RELEASE,                /* wish.vhca_id. */
};

/* Something that the main thread has asked for and does not wait for. */
struct job {
    struct ovs_list node;       /* In native->jobs. */
    enum job_type type;
    struct mlx5_native_wish wish;
    unsigned int parts;         /* MLX5_NATIVE_CONFIG_*. */
    void *cookie;
};

static struct fn *
find_fn(struct mlx5_native *native, uint16_t vhca_id)
{
    struct fn *fn;

    HMAP_FOR_EACH_WITH_HASH (fn, node, hash_int(vhca_id, 0), &native->fns) {
        if (fn->vhca_id == vhca_id) {
            return fn;
        }
    }
    return NULL;
}

/* What the main thread looks at. */

static struct fn *
find_view(struct mlx5_native *native, uint16_t vhca_id)
    OVS_REQUIRES(native->view_mutex)
{
    struct fn *fn;

    HMAP_FOR_EACH_WITH_HASH (fn, view_node, hash_int(vhca_id, 0),
                             &native->views) {
        if (fn->vhca_id == vhca_id) {
            return fn;
        }
    }
    return NULL;
}

/* Has the main thread see how 'fn' is. */
static void
publish(struct mlx5_native *native, struct fn *fn)
{
    unsigned int n = fn->infos ? fn->regs.n_queues : 0;

    ovs_mutex_lock(&native->view_mutex);
    if (n != fn->view.n_infos) {
        free(fn->view.infos);
        fn->view.infos = n ? xcalloc(n, sizeof *fn->view.infos) : NULL;
        fn->view.n_infos = n;
    }
    for (unsigned int i = 0; i < n; i++) {
        const struct mlx5_emu_queue *q = &fn->regs.queues[i];
        struct virtnet_queue_info *info = &fn->view.infos[i];

        *info = fn->infos[i];
        info->index = i;
        info->size = q->size;
        info->msix_vector = q->msix_vector;
        info->enabled = fn->state == MLX5_NATIVE_RUNNING && q->enabled;
        info->notify_offset = q->notify_off;
        info->desc_addr = q->desc;
        info->driver_addr = q->driver;
        info->device_addr = q->device;
    }
    fn->view.stats_at = fn->stats_at;
    fn->view.stats = fn->stats;
    ovs_mutex_unlock(&native->view_mutex);
}

/* News. */

static struct mlx5_native_event *
new_event(const struct fn *fn, enum mlx5_native_event_type type)
{
    struct mlx5_native_event *event = xzalloc(sizeof *event);

    event->type = type;
    event->vhca_id = fn->vhca_id;
    return event;
}

static void
tell(struct mlx5_native *native, struct mlx5_native_event *event)
{
    ovs_mutex_lock(&native->news_mutex);
    ovs_list_push_back(&native->news, &event->node);
    ovs_mutex_unlock(&native->news_mutex);
    seq_change(native->news_seq);
}

/* Tells of 'text', which it takes over. */
static void
tell_problem(struct mlx5_native *native, struct fn *fn, char *text)
{
    struct mlx5_native_event *event = new_event(fn, MLX5_NATIVE_PROBLEM);

    publish(native, fn);
    VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, text);
    event->text = text;
    tell(native, event);
}

/* Tells what the driver has done, if that is news. */
static void
tell_driver(struct mlx5_native *native, struct fn *fn, bool flr)
{
    struct virtnet_driver_info info;
    struct mlx5_native_event *event;

    memset(&info, 0, sizeof info);
    info.status = fn->regs.status;
    if (fn->state != MLX5_NATIVE_RUNNING) {
        /* Packets cannot go yet. */
        info.status &= ~VIRTNET_STATUS_DRIVER_OK;
    } else {
        info.enabled_pairs = fn->ctrl.n_pairs;
        info.ring_pairs = fn->regs.max_pairs;
        info.ctrl_mac = fn->ctrl.filter.mac;
        if (eth_addr_equals(info.ctrl_mac, fn->regs.mac)) {
            info.ctrl_mac = eth_addr_zero;
        }
    }
    info.features = fn->regs.driver_features;
    info.msix_config_vector = fn->regs.msix_config;
    info.attached = fn->regs.enabled;
    info.numa_id = -1;
    if (fn->told_any && !flr && fn->regs.bdf == fn->told_bdf
        && !memcmp(&info, &fn->told, sizeof info)) {
        return;
    }
    publish(native, fn);
    memcpy(&fn->told, &info, sizeof info);
    fn->told_bdf = fn->regs.bdf;
    fn->told_any = true;
    event = new_event(fn, MLX5_NATIVE_DRIVER);
    event->info = info;
    event->sf_vhca_id = fn->sf_vhca_id;
    event->bdf = fn->regs.bdf;
    event->flr = flr;
    tell(native, event);
}

/* Has 'fn' try again later what has failed for the reason 'err', which it
 * takes over. */
static void
retry(struct fn *fn, char *err)
{
    VLOG_WARN_RL(&rl, "function %u: %s; trying again", fn->vhca_id, err);
    free(err);
    fn->stats.retries++;
    fn->retry_at = time_msec() + RETRY_MS;
}

/* Management. */

/* Is that a PF that may have VFs?  Hotplug PFs have none. */
static bool
is_static_pf(const struct mlx5_native *native, uint16_t vhca_id)
{
    for (size_t i = 0; i < native->n_pfs; i++) {
        if (native->pfs[i].vhca_id == vhca_id) {
            return !native->pfs[i].hotplug;
        }
    }
    return false;
}

static int
manage(struct mlx5_native *native, struct fn *fn, char **errp)
{
    const struct mlx5_devx_class *class = native->devx->class;
    int error;

    error = mlx5_emu_manage(native->devx, &native->caps, fn->vhca_id,
                            is_static_pf(native, fn->vhca_id), &fn->emu, errp);
    if (!error) {
        error = class->subscribe(native->events, fn->emu,
                                 MLX5_EVENT_OBJECT_CHANGE, fn->vhca_id);
        if (error) {
            mlx5_devx_destroy(&fn->emu);
            mlx5_devx_fail(error, errp, "%s: no events of function %u: %s",
                           native->devx->name, fn->vhca_id,
                           ovs_strerror(-error));
        }
    }
    if (!error) {
        fn->dirty = fn->fresh = true;
    }
    return error;
}

/* Does a driver wait for the end of a reset of which no event has told,
 * because nobody managed the function?  What it has accepted is still
 * there. */
static bool
waits_for_reset(const struct fn *fn, const struct mlx5_emu_state *s)
{
    return (fn->fresh && s->enabled && s->driver_features
            && !(s->status & ~VIRTNET_STATUS_NEEDS_RESET));
}

static void
close_ctrlq(struct fn *fn)
{
    mlx5_ctrlq_close(fn->ctrlq);
    fn->ctrlq = NULL;
    if (fn->ctrl_at_it) {
        fn->ctrl_at_it = false;
        mlx5_ctrl_state_uninit(&fn->ctrl_next);
    }
}

static void
forget_datapath(struct fn *fn)
{
    close_ctrlq(fn);
    mlx5_datapath_destroy(fn->dp);
    fn->dp = NULL;
    if (fn->queue_events) {
        fn->sf->class->events_close(fn->queue_events);
        fn->queue_events = NULL;
    }
    mlx5_ctrl_state_uninit(&fn->ctrl);
    mlx5_devx_close(fn->sf);
    fn->sf = NULL;
    mlx5_emu_state_uninit(&fn->regs);
    free(fn->infos);
    fn->infos = NULL;
}

static void
insert_fn(struct mlx5_native *native, struct fn *fn)
{
    hmap_insert(&native->fns, &fn->node, hash_int(fn->vhca_id, 0));
    ovs_mutex_lock(&native->view_mutex);
    hmap_insert(&native->views, &fn->view_node, hash_int(fn->vhca_id, 0));
    ovs_mutex_unlock(&native->view_mutex);
}

static void
destroy_fn(struct mlx5_native *native, struct fn *fn)
{
    forget_datapath(fn);
    mlx5_devx_destroy(&fn->emu);
    hmap_remove(&native->fns, &fn->node);
    ovs_mutex_lock(&native->view_mutex);
    hmap_remove(&native->views, &fn->view_node);
    ovs_mutex_unlock(&native->view_mutex);
    free(fn->view.infos);
    free(fn);
}

static void
start_stopping(struct fn *fn)
{
    if (fn->state != MLX5_NATIVE_STOPPING) {
        fn->state = MLX5_NATIVE_STOPPING;
        close_ctrlq(fn);
    }
}

/* 's' are the registers of 'fn'. */
static void
take_note_of_driver(struct fn *fn, const struct mlx5_emu_state *s)
{
    if (fn->fresh) {
        fn->fresh = false;
        fn->resume = s->status & VIRTNET_STATUS_DRIVER_OK;
    }
}

/* Reads the registers of 'fn' and decides what is to be done.  Its 'queues'
 * are kept. */
static void
update(struct mlx5_native *native, struct fn *fn)
{
    struct mlx5_emu_state s;
    uint16_t old_vfs = fn->regs.num_vfs;
    bool event = fn->event;
    char *err = NULL;
    bool alive;

    if (mlx5_emu_query(fn->emu, 0, &s, &err)) {
        retry(fn, err);
        return;
    }

    /* Our request for a reset may have come after the reset. */
    alive = s.status & ~VIRTNET_STATUS_NEEDS_RESET;
    fn->dirty = fn->event = false;
    s.queues = fn->regs.queues;
    s.n_queues = fn->regs.n_queues;
    fn->regs = s;
    fn->rescan |= s.num_vfs != old_vfs;

    if (alive && fn->reset && !fn->was_alive && !fn->dp) {
        /* There was none: drivers begin by writing status 0. */
        fn->reset = false;
        fn->state = MLX5_NATIVE_STOPPED;
    }
    if (!s.enabled) {
        fn->flr = true;
        start_stopping(fn);
    } else if (!alive && (fn->was_alive || waits_for_reset(fn, &s)
                          || (event && s.num_vfs == old_vfs))) {
        /* A driver may be so quick that only its reset is seen. */
        fn->reset = true;
        start_stopping(fn);
    } else if (s.status & VIRTNET_STATUS_DRIVER_OK
               && !(s.status & (VIRTNET_STATUS_FAILED
                                | VIRTNET_STATUS_NEEDS_RESET))
               && fn->state == MLX5_NATIVE_STOPPED) {
        fn->state = MLX5_NATIVE_STARTING;
    }
    fn->was_alive |= alive;
    take_note_of_driver(fn, &s);
    tell_driver(native, fn, false);
}

/* Starting. */

/* Does the first step: registers with queues, the SF. */
static int
begin_start(struct mlx5_native *native, struct fn *fn, char **errp)
{
    unsigned int max = MIN(fn->regs.num_queues, MLX5_EMU_MAX_QUEUES);
    unsigned int n_data, n_lag_ports = 0;
    struct mlx5_emu_state s;
    int error;

    error = mlx5_emu_query(fn->emu, max, &s, errp);
    if (error) {
        return error;
    }
    mlx5_emu_state_uninit(&fn->regs);
    fn->regs = s;
    free(fn->infos);
    fn->infos = xcalloc(MAX(s.n_queues, 1), sizeof *fn->infos);
    fn->next_info = s.n_queues;
    fn->stats_at = 0;

    error = mlx5_devx_open(native->devx->class, fn->sf_name, &fn->sf, errp);
    if (!error) {
        error = mlx5_emu_identify(fn->sf, &fn->sf_vhca_id, &n_lag_ports,
                                  errp);
    }
    if (error) {
        return error;
    }

    /* Where the control queue is: VIRTIO 1.2, section 5.1.2. */
    n_data = s.driver_features & F_MQ ? 2 * s.max_pairs : 2;
    fn->ctrl_index = n_data;
    mlx5_ctrl_state_init(&fn->ctrl, s.driver_features, s.mac);
    if (fn->resume) {
        /* What it has asked for is not known, so it gets more. */
        fn->ctrl.filter.vlan_filter = false;
    }
    fn->dp = mlx5_datapath_create(native->devx, fn->sf, fn->sf_vhca_id,
                                  &native->caps, fn->vhca_id, fn->emu, &s,
                                  n_data, &fn->ctrl.filter);
    mlx5_datapath_set_lag_ports(fn->dp, n_lag_ports);
    if (fn->resume) {
        mlx5_datapath_resume(fn->dp);
    }
    return 0;
}

/* Has queues that the hardware gives up tell so.  A channel is for objects of
 * one device. */
static int
watch_queues(struct mlx5_native *native, struct fn *fn, char **errp)
{
    const struct mlx5_devx_class *class = native->devx->class;
    struct mlx5_devx_events *events = native->events;
    int error = 0;

    if (mlx5_datapath_devx(fn->dp) == fn->sf) {
        error = class->events_open(fn->sf, &fn->queue_events);
        events = fn->queue_events;
    }
    for (unsigned int i = 0; i < fn->ctrl_index && !error; i++) {
        struct mlx5_devx_obj *q = mlx5_datapath_queue(fn->dp, i);

        if (q) {
            error = class->subscribe(events, q, MLX5_EVENT_OBJECT_CHANGE,
                                     fn->vhca_id);
        }
    }
    return (error ? mlx5_devx_fail(error, errp, "no events of queues: %s",
                                   ovs_strerror(-error))
            : 0);
}

/* Does the last step. */
static int
finish_start(struct mlx5_native *native, struct fn *fn, char **errp)
{
    int error = watch_queues(native, fn, errp);

    if (error) {
        return error;
    }
    if (fn->regs.driver_features & F_CTRL_VQ
        && fn->ctrl_index < fn->regs.n_queues
        && fn->regs.queues[fn->ctrl_index].enabled) {
        /* Gap: ctrl_packed.  It is not we who have offered that, but a
         * function may have had a driver before us. */
        error = (fn->regs.driver_features & F_RING_PACKED
                 ? mlx5_devx_fail(-EOPNOTSUPP, errp, "control queue: packed "
                                  "ones are not known")
                 : mlx5_ctrlq_open(fn->dp, &fn->regs.queues[fn->ctrl_index],
                                   &fn->ctrlq, errp));
        if (error) {
            return error;
        }
        fn->ctrl_at = time_msec();
        fn->ctrl_busy_until = fn->ctrl_at + CTRL_BUSY_MS;
    }
    fn->state = MLX5_NATIVE_RUNNING;
    tell_driver(native, fn, false);
    return 0;
}

/* Has the host reset 'fn' meanwhile? */
static bool
has_been_reset(const struct fn *fn)
{
    struct mlx5_emu_state s;
    char *err = NULL;

    if (mlx5_emu_query(fn->emu, 0, &s, &err)) {
        free(err);
        return false;
    }
    return !s.enabled || !(s.status & VIRTNET_STATUS_DRIVER_OK);
}

/* 'fn' cannot go on, for the reason 'err', which it takes over.  Counts that
 * in '*counter', unless the reason is just that the host has reset it. */
static void
fail(struct mlx5_native *native, struct fn *fn, char *err, uint64_t *counter)
{
    char *reason = NULL;

    close_ctrlq(fn);
    fn->state = MLX5_NATIVE_FAILED;
    fn->dirty = true;
    if (has_been_reset(fn)) {
        VLOG_DBG("function %u: reset, hence %s", fn->vhca_id, err);
        free(err);
        fn->event = true;
        return;
    }
    ++*counter;
    tell_problem(native, fn, err);
    if (mlx5_emu_needs_reset(fn->emu, fn->regs.status, &reason)) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, reason);
        free(reason);
    }
}

static void
step_start(struct mlx5_native *native, struct fn *fn)
{
    char *err = NULL;
    int error;

    if (!fn->dp) {
        error = begin_start(native, fn, &err);
        error = error ? error : 1;
    } else {
        error = mlx5_datapath_start(fn->dp, &err);
    }
    if (!error) {
        error = finish_start(native, fn, &err);
    }
    if (error < 0) {
        fail(native, fn, err, &fn->stats.start_errors);
    }
}

/* Stopping. */

/* All queues are gone: tells whoever waits for that. */
static void
finish_stop(struct mlx5_native *native, struct fn *fn)
{
    char *err = NULL;
    int error;

    forget_datapath(fn);
    if (fn->release) {
        struct mlx5_native_event *event = new_event(fn, MLX5_NATIVE_RELEASED);

        destroy_fn(native, fn);
        tell(native, event);
        return;
    }

    /* Gap: flr_handshake. */
    if (fn->flr) {
        mlx5_devx_destroy(&fn->emu);
        mlx5_devx_reap(native->devx);
        if (manage(native, fn, &err)) {
            retry(fn, err);
            return;
        }
        fn->stats.flrs++;
        fn->flr = fn->reset = fn->was_alive = fn->resume = false;
        fn->regs.status = 0;
        fn->state = MLX5_NATIVE_STOPPED;
        tell_driver(native, fn, true);
        return;
    }

    /* Gap: reset_handshake. */
    mlx5_devx_reap(native->devx);
    error = mlx5_emu_ack_reset(fn->emu, &err);
    if (error == -EINVAL && !fn->was_alive) {
        /* There was none: the event was about something else. */
        free(err);
        fn->reset = false;
        fn->state = MLX5_NATIVE_STOPPED;
        return;
    } else if (error) {
        /* An FLR may have come meanwhile. */
        retry(fn, err);
        fn->dirty = true;
        return;
    }
    fn->stats.resets++;
    fn->reset = fn->was_alive = fn->resume = false;
    fn->state = MLX5_NATIVE_STOPPED;
    fn->dirty = true;
}

static void
step_stop(struct mlx5_native *native, struct fn *fn)
{
    if (!fn->dp || !mlx5_datapath_stop(fn->dp)) {
        finish_stop(native, fn);
    }
}

/* Running. */

static int
serve_command(const uint8_t *command, size_t len, void *fn_)
{
    struct fn *fn = fn_;
    struct mlx5_ctrl_state *next = &fn->ctrl_next;
    char *err = NULL;
    int error = 0;

    if (!fn->ctrl_at_it) {
        fn->ctrl_at_it = true;
        mlx5_ctrl_state_clone(next, &fn->ctrl);
        error = mlx5_ctrl_execute(next, fn->regs.driver_features,
                                  fn->regs.max_pairs, command, len,
                                  &fn->ctrl_change);
    }
    if (!error && fn->ctrl_change == MLX5_CTRL_FILTER) {
        error = mlx5_datapath_set_filter(fn->dp, &next->filter, &err);
        if (error > 0) {
            return -EINPROGRESS;
        }
    } else if (!error && fn->ctrl_change == MLX5_CTRL_PAIRS) {
        error = mlx5_datapath_set_pairs(fn->dp, next->n_pairs, &err);
    } else if (!error && fn->ctrl_change == MLX5_CTRL_PERIOD) {
        error = mlx5_datapath_set_period(fn->dp, next->period_index,
                                         &next->period, &err);
    }
    if (err) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
        free(err);
    }
    fn->ctrl_at_it = false;
    mlx5_ctrl_state_uninit(error ? next : &fn->ctrl);
    if (!error) {
        fn->ctrl = *next;
    }
    fn->stats.ctrl_commands++;
    fn->stats.ctrl_errors += error != 0;
    return error != 0;
}

static void
step_ctrl(struct mlx5_native *native, struct fn *fn)
{
    long long int now = time_msec();
    char *err = NULL;
    int n = mlx5_ctrlq_poll(fn->ctrlq, serve_command, fn, &err);

    if (n < 0) {
        /* Memory that cannot be reached may be what a reset looks like. */
        fail(native, fn, err, &fn->stats.ctrl_errors);
    } else if (n) {
        fn->stats.missing_interrupts
            = mlx5_ctrlq_get_stats(fn->ctrlq)->missing_interrupts;
        fn->ctrl_busy_until = now + CTRL_BUSY_MS;
        fn->ctrl_at = now;
        tell_driver(native, fn, false);
    } else {
        fn->ctrl_at = now + (now < fn->ctrl_busy_until ? CTRL_POLL_MS
                             : CTRL_IDLE_POLL_MS);
    }
}

/* Fetches the counters of one queue. */
static void
step_stats(struct mlx5_native *native, struct fn *fn)
{
    unsigned int i = fn->next_info;
    uint8_t queue_error = 0;
    char *err = NULL;

    if (i >= fn->regs.n_queues) {
        fn->next_info = 0;
        fn->stats_wanted = false;
        return;
    }
    if (mlx5_datapath_query(fn->dp, i, &fn->infos[i], &queue_error, &err)) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
        free(err);
    }
    fn->next_info++;
    if (fn->next_info >= fn->regs.n_queues) {
        fn->stats_at = time_msec();
    }
    if (queue_error) {
        fail(native, fn, xasprintf("queue %u: hardware has given it up (error "
                                   "%u)", i, queue_error),
             &fn->stats.queue_errors);
    }
}

static void
step_rescan(struct mlx5_native *native, struct fn *fn)
{
    struct mlx5_native_event *event;
    struct mlx5_emu_function *vfs = NULL;
    char *err = NULL;
    size_t n = 0;

    if (fn->regs.num_vfs
        && mlx5_emu_list(native->devx, &native->caps, fn->vhca_id,
                         fn->regs.num_vfs, &vfs, &n, &err)) {
        retry(fn, err);
        return;
    }
    fn->rescan = false;
    event = new_event(fn, MLX5_NATIVE_VFS);
    event->vfs = vfs;
    event->n_vfs = n;
    tell(native, event);
}

/* What is not undone. */

/* Takes note of objects that firmware refuses to destroy. */
static void
count_objects(struct mlx5_native *native)
{
    ovs_mutex_lock(&native->view_mutex);
    native->left.objects = ovs_list_size(&native->devx->refused);
    ovs_mutex_unlock(&native->view_mutex);
}

/* Counts, in '*counter', and logs that something of the function stays as it
 * should not, for the reason 'err', which it takes over. */
static void
count_left(struct mlx5_native *native, uint64_t *counter, uint16_t vhca_id,
           const char *what, char *err)
{
    ovs_mutex_lock(&native->view_mutex);
    ++*counter;
    ovs_mutex_unlock(&native->view_mutex);
    VLOG_ERR_RL(&rl, "function %u is left %s: %s", vhca_id, what, err);
    free(err);
}

/* Takes away a function that has just been made: whole or gone. */
static void
undo_plug(struct mlx5_native *native, uint16_t vhca_id)
{
    char *err = NULL;

    for (int i = 0; i < 2; i++) {
        free(err);
        err = NULL;
        if (!mlx5_emu_unplug(native->devx, vhca_id, &err)) {
            return;
        }
    }
    count_left(native, &native->left.functions, vhca_id, "plugged", err);
}

/* Taking functions over, and plugging them. */

/* Makes a function. */
static int
plug(struct mlx5_native *native, const struct mlx5_emu_config *config,
     struct mlx5_emu_function *function, char **errp)
{
    uint16_t vhca_id;
    int error;

    error = mlx5_emu_plug(native->devx, config, &vhca_id, errp);
    if (error) {
        return error;
    }
    error = mlx5_emu_find(native->devx, &native->caps, vhca_id, function,
                          errp);
    if (error) {
        undo_plug(native, vhca_id);
    }
    return error;
}

/* Makes 'fn', which has just been taken over, be as '*config' says, as far as
 * its driver allows, and stores there how it is. */
static int
impose(struct fn *fn, struct mlx5_emu_config *config, char **errp)
{
    struct mlx5_emu_state *s = &fn->regs;
    bool common, dev_cfg;
    int error;

    error = mlx5_emu_query(fn->emu, 0, s, errp);
    if (!error && waits_for_reset(fn, s)) {
        error = mlx5_emu_ack_reset(fn->emu, errp);
        if (error == -EINVAL) {
            free(*errp);        /* It does not. */
            *errp = NULL;
            error = 0;
        } else if (!error) {
            error = mlx5_emu_query(fn->emu, 0, s, errp);
        }
    }
    if (error) {
        return error;
    }
    take_note_of_driver(fn, s);
    common = (s->device_features != config->features
              || s->max_queue_size != config->max_queue_size);
    dev_cfg = (!eth_addr_equals(s->mac, config->mac) || s->mtu != config->mtu
               || s->max_pairs != config->max_pairs);
    error = mlx5_emu_configure(fn->emu, s->modifiable, config, common,
                               dev_cfg, errp);
    if (!error) {
        s->device_features = config->features;
        s->max_queue_size = config->max_queue_size;
        s->mac = config->mac;
        s->mtu = config->mtu;
        s->max_pairs = config->max_pairs;
    } else if (error == -EBUSY && (s->status || !s->enabled)) {
        /* It has a driver, or is being reset. */
        free(*errp);
        *errp = NULL;
        error = 0;
    }
    if (!error && s->link_up != config->link_up) {
        error = mlx5_emu_set_link(fn->emu, config->link_up, errp);
        s->link_up = config->link_up;
    }
    if (!error && config->num_msix && config->num_msix != s->num_msix
        && s->modifiable & MLX5_EMU_MODIFY_NUM_MSIX) {
        error = mlx5_emu_set_msix(fn->emu, config->num_msix, errp);
        s->num_msix = config->num_msix;
    }
    config->features = s->device_features;
    config->max_queue_size = s->max_queue_size;
    config->mac = s->mac;
    config->mtu = s->mtu;
    config->max_pairs = s->max_pairs;
    config->num_msix = s->num_msix;

    /* Since events are on, what changes from now on is told. */
    fn->dirty = s->status != 0 || !s->enabled;
    return error;
}

static void
carry_out_take(struct mlx5_native *native, struct mlx5_native_wish *wish,
               struct mlx5_native_event *event)
{
    struct fn *fn = xzalloc(sizeof *fn);
    bool plugged = false;
    char *err = NULL;
    int error = 0;

    event->function.vhca_id = wish->vhca_id;
    if (wish->plug) {
        error = plug(native, &wish->config, &event->function, &err);
        plugged = !error;
    }
    fn->vhca_id = event->function.vhca_id;
    ovs_strlcpy(fn->sf_name, wish->sf_name, sizeof fn->sf_name);
    if (!error && find_fn(native, fn->vhca_id)) {
        error = mlx5_devx_fail(-EEXIST, &err,
                               "function %u is managed already", fn->vhca_id);
    }
    if (!error) {
        error = manage(native, fn, &err);
    }
    if (!error && !wish->plug) {
        error = impose(fn, &wish->config, &err);
    }
    if (!error && fn->regs.num_vfs && !wish->is_vf) {
        error = mlx5_emu_list(native->devx, &native->caps, fn->vhca_id,
                              fn->regs.num_vfs, &event->vfs, &event->n_vfs,
                              &err);
    }

    if (!error) {
        event->config = wish->config;
        insert_fn(native, fn);
    } else {
        mlx5_devx_destroy(&fn->emu);
        mlx5_devx_reap(native->devx);
        if (plugged) {
            undo_plug(native, fn->vhca_id);
        }
        mlx5_emu_state_uninit(&fn->regs);
        free(fn);
        fn = NULL;
    }
    event->error = error;
    event->text = err;
    tell(native, event);
    if (fn && !fn->dirty) {
        tell_driver(native, fn, false);
    }
}

/* Tells firmware those 'parts' of 'config' that there are. */
static int
tell_config(struct fn *fn, uint64_t modifiable,
            const struct mlx5_emu_config *config, unsigned int parts,
            unsigned int *done, char **errp)
{
    unsigned int space = parts & (MLX5_NATIVE_CONFIG_COMMON
                                  | MLX5_NATIVE_CONFIG_DEVICE);
    int error = 0;

    *done = 0;
    if (space) {
        error = mlx5_emu_configure(fn->emu, modifiable, config,
                                   parts & MLX5_NATIVE_CONFIG_COMMON,
                                   parts & MLX5_NATIVE_CONFIG_DEVICE, errp);
        *done |= error ? 0 : space;
    }
    if (!error && parts & MLX5_NATIVE_CONFIG_LINK) {
        error = mlx5_emu_set_link(fn->emu, config->link_up, errp);
        *done |= error ? 0 : MLX5_NATIVE_CONFIG_LINK;
    }
    if (!error && parts & MLX5_NATIVE_CONFIG_MSIX) {
        error = mlx5_emu_set_msix(fn->emu, config->num_msix, errp);
        *done |= error ? 0 : MLX5_NATIVE_CONFIG_MSIX;
    }
    return error;
}

/* All or nothing. */
static int
configure(struct mlx5_native *native, const struct mlx5_native_wish *wish,
          unsigned int parts, char **errp)
{
    struct fn *fn = find_fn(native, wish->vhca_id);
    struct mlx5_emu_state s;
    unsigned int done, undone;
    int error;

    if (!fn || !fn->emu) {
        return mlx5_devx_fail(-EBUSY, errp, "function %u is being reset",
                              wish->vhca_id);
    }
    error = mlx5_emu_query(fn->emu, 0, &s, errp);
    if (error) {
        return error;
    }
    error = tell_config(fn, s.modifiable, &wish->config, parts, &done, errp);
    if (error && done) {
        struct mlx5_emu_config old = {
            .features = s.device_features, .mac = s.mac, .mtu = s.mtu,
            .max_pairs = s.max_pairs, .max_queue_size = s.max_queue_size,
            .num_msix = s.num_msix, .link_up = s.link_up,
        };
        char *err = NULL;

        if (tell_config(fn, s.modifiable, &old, done, &undone, &err)) {
            count_left(native, &native->left.configs, wish->vhca_id,
                       "with some of a configuration that is refused", err);
        }
    }
    fn->dirty = true;
    return error;
}

static void
carry_out(struct mlx5_native *native, struct job *job)
{
    struct mlx5_native_event *event = xzalloc(sizeof *event);
    struct fn *fn;

    event->vhca_id = job->wish.vhca_id;
    event->cookie = job->cookie;
    switch (job->type) {
    case JOB_TAKE:
        event->type = MLX5_NATIVE_TAKEN;
        carry_out_take(native, &job->wish, event);
        break;
    case JOB_UNPLUG:
        /* Gap: hotplug_state. */
        event->type = MLX5_NATIVE_UNPLUGGED;
        mlx5_devx_reap(native->devx);
        event->error = mlx5_emu_unplug(native->devx, job->wish.vhca_id,
                                       &event->text);
        tell(native, event);
        break;
    case JOB_CONFIGURE:
        event->type = MLX5_NATIVE_CONFIGURED;
        event->error = configure(native, &job->wish, job->parts,
                                 &event->text);
        tell(native, event);
        break;
    case JOB_RELEASE:
        fn = find_fn(native, job->wish.vhca_id);
        if (fn) {
            fn->release = true;
        }
        mlx5_native_event_free(event);
        break;
    }
    free(job);
}

static struct job *
pop_job(struct mlx5_native *native)
{
    struct job *job = NULL;

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->jobs)) {
        job = CONTAINER_OF(ovs_list_pop_front(&native->jobs), struct job,
                           node);
    }
    ovs_mutex_unlock(&native->news_mutex);
    return job;
}

static void
push_job(struct mlx5_native *native, enum job_type type,
         const struct mlx5_native_wish *wish, unsigned int parts,
         void *cookie)
{
    struct job *job = xzalloc(sizeof *job);

    job->type = type;
    job->wish = *wish;
    job->parts = parts;
    job->cookie = cookie;
    ovs_mutex_lock(&native->news_mutex);
    ovs_list_push_back(&native->jobs, &job->node);
    ovs_mutex_unlock(&native->news_mutex);
    seq_change(native->work);
}

/* Is there anything to do for 'fn' now?  Otherwise stores in '*at', if that is
 * later, when. */
static bool
is_due(const struct fn *fn, long long int now, long long int *at)
{
    bool stats = fn->stats_wanted || fn->next_info < fn->regs.n_queues;

    if (fn->dirty || fn->rescan || !fn->emu
        || fn->state == MLX5_NATIVE_STARTING
        || fn->state == MLX5_NATIVE_STOPPING
        || (fn->state == MLX5_NATIVE_RUNNING && stats)) {
        if (now >= fn->retry_at) {
            return true;
        }
        *at = MIN(*at, fn->retry_at);
    }
    if (fn->ctrlq) {
        if (now >= fn->ctrl_at) {
            return true;
        }
        *at = MIN(*at, fn->ctrl_at);
    }
    return false;
}

/* Does one step for 'fn'. */
static void
step_fn(struct mlx5_native *native, struct fn *fn)
{
    long long int now = time_msec();

    COVERAGE_INC(mlx5_native_step);
    if (fn->release) {
        start_stopping(fn);
        step_stop(native, fn);
    } else if (now < fn->retry_at) {
        if (fn->ctrlq) {
            step_ctrl(native, fn);
        }
    } else if (fn->dirty && fn->emu) {
        update(native, fn);
    } else if (fn->state == MLX5_NATIVE_STOPPING) {
        step_stop(native, fn);
    } else if (fn->rescan) {
        step_rescan(native, fn);
    } else if (fn->state == MLX5_NATIVE_STARTING) {
        step_start(native, fn);
    } else if (fn->ctrlq && now >= fn->ctrl_at) {
        step_ctrl(native, fn);
    } else if (fn->state == MLX5_NATIVE_RUNNING) {
        step_stats(native, fn);
    } else {
        fn->next_info = fn->regs.n_queues;
        fn->stats_wanted = false;
    }
}

/* Takes note of what 'events' has to say. */
static void
read_channel(struct mlx5_native *native, struct mlx5_devx_events *events)
{
    uint64_t cookie;
    int error;

    while ((error = native->devx->class->get_event(events, &cookie))
           != -EAGAIN) {
        struct fn *fn;

        if (error) {
            /* Some have been lost. */
            HMAP_FOR_EACH (fn, node, &native->fns) {
                fn->dirty = fn->event = true;
            }
            if (error != -EOVERFLOW) {
                break;
            }
        } else {
            fn = find_fn(native, cookie);
            if (fn) {
                fn->dirty = fn->event = true;
                fn->stats_wanted |= fn->state == MLX5_NATIVE_RUNNING;
            }
        }
    }
}

/* Takes note of whose counters the main thread wants. */
static void
take_wishes(struct mlx5_native *native)
{
    struct fn *fn;

    ovs_mutex_lock(&native->view_mutex);
    HMAP_FOR_EACH (fn, view_node, &native->views) {
        if (fn->view.wanted && fn->next_info >= fn->regs.n_queues) {
            fn->stats_wanted = true;
        }
        fn->view.wanted = false;
    }
    ovs_mutex_unlock(&native->view_mutex);
}

static void
read_events(struct mlx5_native *native)
{
    struct fn *fn;

    read_channel(native, native->events);
    HMAP_FOR_EACH (fn, node, &native->fns) {
        if (fn->queue_events) {
            read_channel(native, fn->queue_events);
        }
    }
}

static void
wait_events(struct mlx5_native *native)
{
    const struct mlx5_devx_class *class = native->devx->class;
    struct fn *fn;

    poll_fd_wait(class->events_fd(native->events), POLLIN);
    HMAP_FOR_EACH (fn, node, &native->fns) {
        if (fn->queue_events) {
            poll_fd_wait(class->events_fd(fn->queue_events), POLLIN);
        }
    }
}

static bool
is_stopped(struct mlx5_native *native)
{
    bool stop;

    atomic_read_explicit(&native->stop, &stop, memory_order_acquire);
    return stop;
}

static void *
native_main(void *native_)
{
    struct mlx5_native *native = native_;

    for (;;) {
        /* What is asked for after this ends the wait below. */
        uint64_t work = seq_read(native->work);
        bool stop = is_stopped(native);
        struct job *job = stop ? NULL : pop_job(native);
        bool worked = job != NULL;
        long long int at = LLONG_MAX;
        uint16_t *due = NULL;
        size_t n = 0, allocated = 0;
        struct fn *fn;

        if (stop) {
            break;
        }
        /* Nobody is to wait for this thread because of RCU. */
        ovsrcu_quiesce_start();
        read_events(native);
        if (job) {
            carry_out(native, job);
        }
        if (time_msec() >= native->reap_at) {
            native->reap_at = (mlx5_devx_reap(native->devx)
                               ? time_msec() + RETRY_MS : LLONG_MAX);
        }
        if (!ovs_list_is_empty(&native->devx->refused)) {
            native->reap_at = MIN(native->reap_at, time_msec() + RETRY_MS);
        }
        count_objects(native);
        take_wishes(native);
        at = native->reap_at;
        HMAP_FOR_EACH (fn, node, &native->fns) {
            if (fn->release || is_due(fn, time_msec(), &at)) {
                if (n >= allocated) {
                    due = x2nrealloc(due, &allocated, sizeof *due);
                }
                due[n++] = fn->vhca_id;
            }
        }

        /* One step for each. */
        for (size_t i = 0; i < n && !is_stopped(native); i++) {
            fn = find_fn(native, due[i]);
            if (fn) {
                step_fn(native, fn);
                /* It may be gone. */
                fn = find_fn(native, due[i]);
            }
            if (fn) {
                publish(native, fn);
            }
        }
        free(due);
        if (n || worked) {
            /* poll_block() measures from one call to the next. */
            poll_immediate_wake();
        } else {
            wait_events(native);
            seq_wait(native->work, work);
            if (at != LLONG_MAX) {
                poll_timer_wait_until(at);
            }
        }
        poll_block();
    }
    return NULL;
}

/* For the main thread. */

int
mlx5_native_open(const struct mlx5_devx_class *class,
                 const char *const names[], size_t n_names,
                 struct mlx5_native **nativep, char **errp)
{
    struct mlx5_native *native = xzalloc(sizeof *native);
    int error;

    *nativep = NULL;
    error = mlx5_emu_discover(class, names, n_names, &native->devx,
                              &native->caps, errp);
    if (!error) {
        error = mlx5_emu_list(native->devx, &native->caps, 0,
                              native->caps.max_devices
                              + native->caps.max_hotplug,
                              &native->pfs, &native->n_pfs, errp);
    }
    if (!error) {
        error = class->events_open(native->devx, &native->events);
        if (error) {
            mlx5_devx_fail(error, errp, "%s: no events: %s",
                           native->devx->name, ovs_strerror(-error));
        }
    }
    if (error) {
        mlx5_devx_close(native->devx);
        free(native->pfs);
        free(native);
        return error;
    }
    hmap_init(&native->fns);
    ovs_mutex_init(&native->view_mutex);
    hmap_init(&native->views);
    native->reap_at = LLONG_MAX;
    native->work = seq_create();
    atomic_init(&native->stop, false);
    ovs_mutex_init(&native->news_mutex);
    ovs_list_init(&native->news);
    ovs_list_init(&native->jobs);
    native->news_seq = seq_create();
#define MLX5_NATIVE_GAP(NAME, TEXT) VLOG_DBG("gap " #NAME ": " TEXT);
    MLX5_NATIVE_GAPS
#undef MLX5_NATIVE_GAP
    native->thread = ovs_thread_create("mlx5_native", native_main, native);
    *nativep = native;
    return 0;
}

void
mlx5_native_close(struct mlx5_native *native, bool keep)
{
    struct mlx5_native_event *event;
    struct job *job;
    struct fn *fn;

    if (!native) {
        return;
    }
    atomic_store_explicit(&native->stop, true, memory_order_release);
    seq_change(native->work);
    xpthread_join(native->thread, NULL);

    HMAP_FOR_EACH_SAFE (fn, node, &native->fns) {
        if (!keep && fn->emu && fn->state == MLX5_NATIVE_RUNNING) {
            char *err = NULL;

            if (mlx5_emu_needs_reset(fn->emu, fn->regs.status, &err)) {
                VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
                free(err);
            }
        }
        destroy_fn(native, fn);
    }
    native->devx->class->events_close(native->events);
    mlx5_devx_close(native->devx);
    while ((event = mlx5_native_poll(native)) != NULL) {
        mlx5_native_event_free(event);
    }
    while ((job = pop_job(native)) != NULL) {
        free(job);
    }
    hmap_destroy(&native->fns);
    hmap_destroy(&native->views);
    seq_destroy(native->work);
    seq_destroy(native->news_seq);
    ovs_mutex_destroy(&native->view_mutex);
    ovs_mutex_destroy(&native->news_mutex);
    free(native->pfs);
    free(native);
}

const struct mlx5_emu_caps *
mlx5_native_get_caps(const struct mlx5_native *native)
{
    return &native->caps;
}

const char *
mlx5_native_get_name(const struct mlx5_native *native)
{
    return native->devx->name;
}

const struct mlx5_emu_function *
mlx5_native_get_pfs(const struct mlx5_native *native, size_t *n)
{
    *n = native->n_pfs;
    return native->pfs;
}

void
mlx5_native_take(struct mlx5_native *native,
                 const struct mlx5_native_wish *wish, void *cookie)
{
    push_job(native, JOB_TAKE, wish, 0, cookie);
}

void
mlx5_native_start_unplug(struct mlx5_native *native, uint16_t vhca_id,
                         void *cookie)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id };

    push_job(native, JOB_UNPLUG, &wish, 0, cookie);
}

void
mlx5_native_release(struct mlx5_native *native, uint16_t vhca_id)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id };

    push_job(native, JOB_RELEASE, &wish, 0, NULL);
}

void
mlx5_native_start_configure(struct mlx5_native *native, uint16_t vhca_id,
                            const struct mlx5_emu_config *config,
                            unsigned int parts, void *cookie)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id, .config = *config };

    push_job(native, JOB_CONFIGURE, &wish, parts, cookie);
}

bool
mlx5_native_get_queue(struct mlx5_native *native, uint16_t vhca_id,
                      unsigned int index, struct virtnet_queue_info *info)
{
    bool wake = false;
    struct fn *fn;

    memset(info, 0, sizeof *info);
    info->index = index;
    info->notify_offset = index;
    info->msix_vector = VIRTNET_NO_MSIX_VECTOR;

    ovs_mutex_lock(&native->view_mutex);
    fn = find_view(native, vhca_id);
    if (fn && index < fn->view.n_infos) {
        *info = fn->view.infos[index];
        wake = (!fn->view.wanted
                && time_msec() >= fn->view.stats_at + STATS_MS);
        fn->view.wanted |= wake;
    }
    ovs_mutex_unlock(&native->view_mutex);
    if (wake) {
        seq_change(native->work);
    }
    return fn != NULL;
}

void
mlx5_native_get_stats(struct mlx5_native *native, uint16_t vhca_id,
                      struct mlx5_native_stats *stats)
{
    const struct fn *fn;

    ovs_mutex_lock(&native->view_mutex);
    fn = find_view(native, vhca_id);
    if (fn) {
        *stats = fn->view.stats;
    } else {
        memset(stats, 0, sizeof *stats);
    }
    ovs_mutex_unlock(&native->view_mutex);
}

void
mlx5_native_get_leftovers(struct mlx5_native *native,
                          struct virtnet_leftovers *left)
{
    ovs_mutex_lock(&native->view_mutex);
    left->objects += native->left.objects;
    left->functions += native->left.functions;
    left->sfs += native->left.sfs;
    left->configs += native->left.configs;
    ovs_mutex_unlock(&native->view_mutex);
}

struct mlx5_native_event *
mlx5_native_poll(struct mlx5_native *native)
{
    struct mlx5_native_event *event = NULL;

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->news)) {
        event = CONTAINER_OF(ovs_list_pop_front(&native->news),
                             struct mlx5_native_event, node);
    }
    ovs_mutex_unlock(&native->news_mutex);
    return event;
}

void
mlx5_native_event_free(struct mlx5_native_event *event)
{
    if (event) {
        free(event->vfs);
        free(event->text);
        free(event);
    }
}

void
mlx5_native_wait(struct mlx5_native *native)
{
    uint64_t seq = seq_read(native->news_seq);

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->news)) {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&native->news_mutex);
    seq_wait(native->news_seq, seq);
}
