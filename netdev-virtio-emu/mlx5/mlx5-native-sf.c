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

/* SFs of devices, and what is left of devices that are gone.  See
 * mlx5-native-device.h.
 *
 * A tail waits for its function to be released, has it unplugged if it is a
 * hotplug PF, and then deletes the SF.  Failures are logged: nobody is there
 * any more who could be told. */

#include <config.h>

#include "mlx5-native-device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"

VLOG_DEFINE_THIS_MODULE(mlx5_sf);

COVERAGE_DEFINE(mlx5_function_released);
COVERAGE_DEFINE(mlx5_unplug_retried);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* How often, and after how many ms each, to try again to unplug a function
 * whose device is gone. */
#define UNPLUG_TRIES 20
#define UNPLUG_RETRY_MS 50

/* Tails. */

static void
tail_end(struct tail *tail)
{
    struct native *n = tail->n;

    ovs_list_remove(&tail->node);
    free(tail);
    native_sf_start_waiting(n);
}

static void
tail_sf_destroyed(int error, const char *reason, void *tail_)
{
    struct tail *tail = tail_;

    if (error) {
        tail->n->n_sfs_left++;
        VLOG_WARN_RL(&rl, "SF %"PRIu32" is left: %s", tail->sf_num,
                     reason ? reason : ovs_strerror(-error));
    }
    tail_end(tail);
}

void
native_tail_go_on(struct tail *tail)
{
    struct native *n = tail->n;

    tail->retry_at = LLONG_MAX;
    if (tail->released && !tail->unplug) {
        tail->has_function = false;
    }
    if (tail->has_function && !tail->released) {
        mlx5_native_release(n->fw, tail->vhca_id);
    } else if (tail->has_function && tail->unplug) {
        mlx5_native_start_unplug(n->fw, tail->vhca_id, tail);
    } else if (tail->nd) {
        /* It is about to go. */
    } else if (tail->has_sf) {
        mlx5_devlink_destroy_sf(n->devlink, tail->handle, tail->sf_index,
                                NATIVE_DEVLINK_TIMEOUT_MS, tail_sf_destroyed,
                                tail);
    } else {
        tail_end(tail);
    }
}

/* Begins the end of 'nd'. */
static struct tail *
tail_create(struct native_device *nd)
{
    struct native *n = native_of(nd);
    struct tail *tail = xzalloc(sizeof *tail);

    ovs_assert(!nd->tail);
    tail->n = n;
    tail->nd = nd;
    tail->vhca_id = nd->port.up.vhca_id;
    tail->sf_num = nd->port.up.sf_num;
    tail->retry_at = LLONG_MAX;
    ovs_list_push_back(&n->tails, &tail->node);
    nd->tail = tail;
    return tail;
}

void
native_tail_begin(struct native_device *nd)
{
    struct tail *tail = tail_create(nd);

    COVERAGE_INC(mlx5_function_released);
    tail->has_function = true;
    tail->released = !nd->managed;
    tail->unplug = nd->port.up.type == VIRTNET_HOTPLUG_PF;
    native_set_managed(nd, false);
    native_tail_go_on(tail);
}

struct tail *
native_tail_find(const struct native *n, uint16_t vhca_id)
{
    struct tail *tail;

    LIST_FOR_EACH (tail, node, &n->tails) {
        if (tail->has_function && tail->vhca_id == vhca_id) {
            return tail;
        }
    }
    return NULL;
}

/* Is there a tail of the same function or SF as 'nd'? */
static bool
is_blocked(const struct native_device *nd)
{
    const struct native *n = native_of(nd);
    const struct tail *tail;

    LIST_FOR_EACH (tail, node, &n->tails) {
        if (tail->sf_num == nd->port.up.sf_num
            || (nd->port.up.vhca_id && tail->has_function
                && tail->vhca_id == nd->port.up.vhca_id)) {
            return true;
        }
    }
    return false;
}

void
native_tail_unplugged(struct tail *tail, int error, const char *reason)
{
    struct native_device *nd = tail->nd;

    if (!error) {
        tail->has_function = false;
        if (nd && nd->port.up.life) {
            virtnet_device_step_done(&nd->port.up, 0, NULL);
        } else {
            native_tail_go_on(tail);
        }
    } else if (nd && nd->port.up.life) {
        /* It stays, and is managed again. */
        nd->unplug_error = error;
        nd->unplug_reason = nullable_xstrdup(reason);
        nd->tail = NULL;
        tail_end(tail);
        native_take_function(nd);
    } else if (++tail->tries < UNPLUG_TRIES) {
        COVERAGE_INC(mlx5_unplug_retried);
        tail->retry_at = time_msec() + UNPLUG_RETRY_MS;
    } else {
        tail->n->n_functions_left++;
        VLOG_ERR_RL(&rl, "function %u is left plugged: %s", tail->vhca_id,
                    reason ? reason : ovs_strerror(-error));
        tail->has_function = false;
        native_tail_go_on(tail);
    }
}

/* SFs. */

/* 'nd' waits on 'list', or, if that is NULL, for nothing any more. */
static void
set_waiting(struct native_device *nd, struct ovs_list *list)
{
    ovs_list_remove(&nd->list_node);
    ovs_list_init(&nd->list_node);
    if (list) {
        ovs_list_push_back(list, &nd->list_node);
    }
}

/* Has packets of 'nd' go through the interface 'ifindex', or none if that is
 * 0. */
static int
attach_rep(struct native_device *nd, uint32_t ifindex, char **errp)
{
    int error = 0;

    mlx5_rep_detach(&nd->port.rep);
    nd->port.up.rep_ifindex = 0;
    if (ifindex) {
        error = mlx5_rep_attach(&nd->port.rep, ifindex, errp);
        nd->port.up.rep_ifindex = error ? 0 : ifindex;
        nd->port.naming = error ? nd->port.naming : 0;
    }
    return error;
}

/* 'nd' has no SF any more. */
static void
stop_using_rep(struct native_device *nd)
{
    set_waiting(nd, NULL);
    attach_rep(nd, 0, NULL);
    nd->port.naming = 0;
}

void
native_sf_drop(struct native_device *nd)
{
    struct tail *tail = nd->tail ? nd->tail : tail_create(nd);
    bool begin = !tail->has_function;

    tail->has_sf = nd->has_sf;
    tail->sf_index = nd->sf_index;
    ovs_strlcpy(tail->handle, nd->handle, sizeof tail->handle);
    tail->nd = NULL;
    nd->tail = NULL;
    nd->has_sf = false;
    if (begin) {
        native_tail_go_on(tail);
    }
}

/* Names of representors are recorded: after a restart the interface may come
 * later, or be named later, than devices can be waited for. */
#define REP_KEY "mlx5-representor"

void
native_sf_save(const struct virtnet_device *dev, struct smap *record)
{
    if (dev->rep_name[0] && !mlx5_port_is_kernel_name(dev->rep_name)) {
        smap_add(record, REP_KEY, dev->rep_name);
    }
}

int
native_sf_restore(struct virtnet_device *dev, const struct smap *record,
                  char **errp OVS_UNUSED)
{
    const char *name = smap_get(record, REP_KEY);

    if (name && strlen(name) < sizeof dev->rep_name
        && !mlx5_port_is_kernel_name(name)
        && !name[strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")]) {
        ovs_strlcpy(dev->rep_name, name, sizeof dev->rep_name);
    }
    return 0;
}

/* The SF of 'nd' has a representor 'ifindex', or none yet if that is 0, with a
 * 'name' that will stay. */
static void
finish_sf(struct native_device *nd, const char *name, uint32_t ifindex)
{
    struct virtnet_device *dev = &nd->port.up;
    char *err = NULL;
    int error;

    set_waiting(nd, NULL);
    if (name != dev->rep_name) {
        ovs_strlcpy(dev->rep_name, name, sizeof dev->rep_name);
    }
    error = attach_rep(nd, ifindex, &err);
    if (error) {
        native_sf_drop(nd);
    }
    virtnet_device_step_done(dev, error ? VIRTNET_E_SF_CREATE : 0, err);
    free(err);
}

static void
sf_created(int error, const char *reason, const struct mlx5_sf *sf, void *nd_)
{
    struct native_device *nd = nd_;
    struct virtnet_device *dev = &nd->port.up;

    if (error) {
        virtnet_device_step_done(dev, VIRTNET_E_SF_CREATE, reason);
        return;
    }
    nd->has_sf = true;
    nd->sf_lost = false;
    nd->sf_index = sf->port.index;
    ovs_strlcpy(nd->rdma_dev, sf->rdma_dev, sizeof nd->rdma_dev);
    dev->rep_mac = mlx5_port_make_mac(dev->config.mac);
    if (!sf->port.ifindex || mlx5_port_is_kernel_name(sf->port.netdev)) {
        nd->port.name_by = time_msec() + MLX5_PORT_NAMING_MS;
        set_waiting(nd, &native_of(nd)->naming);
    } else {
        finish_sf(nd, sf->port.netdev, sf->port.ifindex);
    }
}

/* Goes on with 'nd', which waits for a representor with a name, if it has one,
 * or for the last time.  Without a representor there is nothing to go on with,
 * unless a record knows its name: then it is a port as soon as it comes. */
static void
check_name(struct native_device *nd, bool last)
{
    struct virtnet_device *dev = &nd->port.up;
    const struct mlx5_dl_port *port
        = mlx5_devlink_find(native_of(nd)->devlink, nd->handle, nd->sf_index);

    if (port && port->ifindex && !mlx5_port_is_kernel_name(port->netdev)) {
        finish_sf(nd, port->netdev, port->ifindex);
    } else if (port && !last) {
        return;
    } else if (port && dev->rep_name[0]) {
        VLOG_WARN_RL(&rl, "%s: %s", dev->rep_name, port->ifindex
                     ? "the representor has another name still"
                     : "there is no representor still");
        finish_sf(nd, dev->rep_name, port->ifindex);
    } else if (port && port->ifindex) {
        finish_sf(nd, port->netdev, port->ifindex);
    } else {
        set_waiting(nd, NULL);
        native_sf_drop(nd);
        virtnet_device_step_done(dev, VIRTNET_E_SF_CREATE,
                                 "the representor is gone");
    }
}

void
native_sf_run_naming(struct native *n)
{
    struct native_device *nd;

    LIST_FOR_EACH_SAFE (nd, list_node, &n->naming) {
        check_name(nd, time_msec() >= nd->port.name_by);
    }
    LIST_FOR_EACH_SAFE (nd, list_node, &n->late) {
        if (time_msec() >= nd->port.name_by) {
            set_waiting(nd, NULL);
            native_sf_catch_up(nd);
        }
    }
}

void
native_sf_wait_naming(struct native *n)
{
    const struct native_device *nd;

    LIST_FOR_EACH (nd, list_node, &n->naming) {
        poll_timer_wait_until(nd->port.name_by);
    }
    LIST_FOR_EACH (nd, list_node, &n->late) {
        poll_timer_wait_until(nd->port.name_by);
    }
}

void
native_parent_handle(const struct virtnet_ib_device *ib,
                     char handle[MLX5_DL_HANDLE_LEN])
{
    snprintf(handle, MLX5_DL_HANDLE_LEN, "pci/%s", ib->pci_addr);
}

bool
native_sf_num_is_free(const struct virtnet_backend *backend,
                      const char *ib_device, uint32_t sf_num)
{
    const struct native *n = native_cast(backend);
    const struct virtnet_ib_device *ib
        = mlx5_parents_find(&n->base.parents, ib_device);
    char handle[MLX5_DL_HANDLE_LEN];
    const struct tail *tail;

    if (!ib || !virtnet_controller_is_running(NULL)) {
        return true;            /* See start_sf(). */
    }
    native_parent_handle(ib, handle);
    LIST_FOR_EACH (tail, node, &n->tails) {
        if (tail->has_sf && tail->sf_num == sf_num
            && !strcmp(tail->handle, handle)) {
            return true;        /* See is_blocked(). */
        }
    }
    return !mlx5_devlink_find_sf(n->devlink, handle, sf_num);
}

/* Asks for the SF of 'nd'. */
static void
start_sf(struct native_device *nd)
{
    struct native *n = native_of(nd);
    struct mlx5_sf_spec spec = {
        .sf_num = nd->port.up.sf_num,
        .mac = mlx5_port_make_mac(nd->port.up.config.mac),
        .rdma = true,
        .timeout_ms = NATIVE_DEVLINK_TIMEOUT_MS,
    };
    const char *function = strrchr(nd->handle, '.');

    /* devlink's number of a PF is that of its PCI function. */
    spec.pf_num = function ? atoi(function + 1) : 0;
    ovs_strlcpy(spec.handle, nd->handle, sizeof spec.handle);
    if (!virtnet_controller_is_running(NULL)) {
        const struct mlx5_dl_port *port
            = mlx5_devlink_find_sf(n->devlink, nd->handle, spec.sf_num);

        /* What the last process has left is used again. */
        spec.reuse = port != NULL;
        spec.index = port ? port->index : 0;
    }
    mlx5_devlink_create_sf(n->devlink, &spec, sf_created, nd);
}

/* Can the SF of 'nd' be asked for now?  Stores in '*reason' why not, or NULL
 * if it soon can. */
static bool
may_start_sf(const struct native_device *nd, const char **reason)
{
    if (!mlx5_devlink_is_ready(native_of(nd)->devlink, reason)) {
        return false;
    }
    *reason = NULL;
    return !is_blocked(nd);
}

void
native_sf_start_waiting(struct native *n)
{
    struct native_device *nd;

    LIST_FOR_EACH_SAFE (nd, list_node, &n->waiting) {
        const char *reason = NULL;

        if (may_start_sf(nd, &reason)) {
            set_waiting(nd, NULL);
            start_sf(nd);
        }
    }
}

void
native_sf_refuse_waiting(struct native *n)
{
    const char *reason = NULL;

    if (mlx5_devlink_is_ready(n->devlink, &reason) || !reason) {
        return;
    }
    while (!ovs_list_is_empty(&n->waiting)) {
        struct native_device *nd = CONTAINER_OF(
            ovs_list_pop_front(&n->waiting), struct native_device, list_node);

        ovs_list_init(&nd->list_node);
        virtnet_device_step_done(&nd->port.up, VIRTNET_E_SF_CREATE, reason);
    }
}

/* Somebody else has taken the SF of 'nd' away. */
static void
sf_lost(struct native_device *nd)
{
    VLOG_ERR("%s: SF %"PRIu32" has been taken away", nd->port.up.vuid,
             nd->port.up.sf_num);
    native_of(nd)->n_sfs_lost++;
    nd->sf_lost = true;
    nd->has_sf = false;
    stop_using_rep(nd);
    virtnet_controller_device_changed(&nd->port.up);
}

char *
native_sf_get_problem(const struct native_device *nd)
{
    const struct virtnet_device *dev = &nd->port.up;

    return (nd->sf_lost
            ? xasprintf("%s: SF %"PRIu32" (representor %s) has been taken "
                        "away: unplug the device, or restart the controller",
                        dev->vuid, dev->sf_num, dev->rep_name)
            : nd->has_sf && !nd->port.rep.ifindex
            ? xasprintf("%s: there is no representor %s of SF %"PRIu32"%s",
                        dev->vuid, dev->rep_name, dev->sf_num,
                        nd->port.naming ? " with a name" : "")
            : NULL);
}

/* Is the representor of 'port' not the one that 'nd' has, or one whose name it
 * waits for? */
static bool
rep_differs(const struct native_device *nd, const struct mlx5_dl_port *port)
{
    return port->ifindex != nd->port.rep.ifindex || nd->port.naming;
}

/* Has packets of 'nd' go through the representor that 'port' has, once udev
 * has had its chance to name that. */
static void
follow_rep(struct native_device *nd, const struct mlx5_dl_port *port)
{
    struct virtnet_device *dev = &nd->port.up;
    bool had_rep = nd->port.rep.ifindex != 0;
    bool was_named = !nd->port.naming;
    bool wait = mlx5_port_is_being_named(&nd->port, port->ifindex,
                                         port->netdev);
    uint32_t ifindex = wait ? 0 : port->ifindex;
    char *err = NULL;

    set_waiting(nd, wait ? &native_of(nd)->late : NULL);
    if (!ifindex) {
        native_of(nd)->n_reps_lost += had_rep;
        if (had_rep || (wait && was_named)) {
            VLOG_WARN_RL(&rl, "%s: there is no representor of SF %"PRIu32"%s",
                         dev->rep_name, dev->sf_num,
                         wait ? " with a name" : "");
        }
    } else {
        VLOG_INFO("%s: representor of SF %"PRIu32" is interface %"PRIu32,
                  dev->rep_name, dev->sf_num, ifindex);
    }
    if (attach_rep(nd, ifindex, &err)) {
        VLOG_WARN_RL(&rl, "%s: %s", dev->rep_name, err);
        free(err);
    }
    virtnet_controller_device_changed(dev);
}

void
native_sf_catch_up(struct native_device *nd)
{
    const struct mlx5_dl_port *port
        = mlx5_devlink_find(native_of(nd)->devlink, nd->handle, nd->sf_index);

    if (nd->has_sf && !port) {
        sf_lost(nd);
    } else if (nd->has_sf && rep_differs(nd, port)) {
        follow_rep(nd, port);
    }
}

void
native_sf_port_changed(enum mlx5_devlink_event event,
                       const struct mlx5_dl_port *port, void *n_)
{
    struct native *n = n_;
    struct native_device *nd = NULL, *d;

    if (port->flavour != MLX5_DL_PCI_SF || event == MLX5_DEVLINK_REMOVED) {
        return;
    }
    HMAP_FOR_EACH (d, node, &n->devices) {
        if (d->has_sf && d->sf_index == port->index
            && !strcmp(d->handle, port->handle)) {
            nd = d;
        }
    }
    if (!nd) {
        return;
    }
    if (event == MLX5_DEVLINK_LOST) {
        sf_lost(nd);
    } else if (rep_differs(nd, port)) {
        follow_rep(nd, port);
    } else if (event == MLX5_DEVLINK_RENAMED
               && strcmp(port->netdev, nd->port.up.rep_name)) {
        VLOG_WARN("%s: the representor of SF %"PRIu32" is called %s now",
                  nd->port.up.rep_name, nd->port.up.sf_num, port->netdev);
    }
}

int
native_sf_create(struct virtnet_device *dev, char **errp)
{
    struct native_device *nd = native_device_cast(dev);
    struct native *n = native_of(nd);
    const struct virtnet_ib_device *ib
        = mlx5_parents_find(&n->base.parents, dev->ib_device);
    const char *reason = NULL;

    if (!ib) {
        return VIRTNET_E_PORT_CTX;
    }
    native_parent_handle(ib, nd->handle);
    if (may_start_sf(nd, &reason)) {
        start_sf(nd);
    } else if (reason) {
        *errp = xstrdup(reason);
        return VIRTNET_E_SF_CREATE;
    } else {
        set_waiting(nd, &n->waiting);
    }
    return -EINPROGRESS;
}

void
native_sf_destroy(struct virtnet_device *dev)
{
    struct native_device *nd = native_device_cast(dev);

    stop_using_rep(nd);
    if (virtnet_controller_restarting()) {
        nd->has_sf = false;     /* It will be used again. */
    } else if (nd->has_sf || nd->tail) {
        native_sf_drop(nd);
    }
}
