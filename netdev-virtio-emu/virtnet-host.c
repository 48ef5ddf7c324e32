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

/* What a host does, as commands.  See virtnet-host.h. */

#include <config.h>

#include "virtnet-host.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-batch.h"
#include "virtnet-check.h"
#include "virtnet-controller.h"
#include "virtnet-firmware.h"
#include "virtnet-json.h"
#include "virtnet-life.h"
#include "virtnet-option.h"
#include "virtnet-registry.h"
#include "virtnet-reply.h"
#include "virtnet-slice.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(virtnet_host);

/* A command that waits for jobs. */
struct action {
    struct unixctl_conn *conn;  /* NULL if answered already. */
    unsigned int n_pending;     /* Jobs, and 1 while they are being started. */
    int error;                  /* The first one. */
    char *detail;
    int num_vfs;                /* To be shown, unless negative. */
};

static struct action *
action_create(struct unixctl_conn *conn)
{
    struct action *a = xzalloc(sizeof *a);

    a->conn = conn;
    a->n_pending = 1;
    a->num_vfs = -1;
    return a;
}

static void
action_answer(struct action *a)
{
    if (a->error) {
        virtnet_reply_errno_recorded(a->conn, a->error, a->detail);
    } else {
        struct virtnet_json j;

        virtnet_json_init(&j);
        virtnet_json_begin_object(&j, NULL);
        if (a->num_vfs >= 0) {
            virtnet_json_number(&j, "num_vfs", a->num_vfs);
        }
        virtnet_json_errno(&j, 0);
        virtnet_json_end_object(&j);
        virtnet_reply_recorded(a->conn, &j);
    }
    a->conn = NULL;
}

/* One part of 'a' is done, with 'error' and 'detail', which it frees. */
static void
action_done(struct action *a, int error, char *detail)
{
    if (error && !a->error) {
        a->error = error;
        a->detail = detail;
    } else {
        free(detail);
    }
    if (!--a->n_pending) {
        if (a->conn) {
            action_answer(a);
        }
        free(a->detail);
        free(a);
    }
}

static void
sriov_done(int error, const char *detail, unsigned int n_vfs, void *a_)
{
    struct action *a = a_;

    if (a->num_vfs >= 0) {
        a->num_vfs = n_vfs;
    }
    action_done(a, error, nullable_xstrdup(detail));
}

/* Has the host ask for 'n' VFs of 'pf'. */
static void
action_set_vfs(struct action *a, struct virtnet_device *pf, unsigned int n)
{
    char *detail;
    int error;

    a->n_pending++;
    error = virtnet_sriov_set(pf, n, sriov_done, a, &detail);
    if (error) {
        action_done(a, error, detail);
    }
}

/* Finds the PF that the argument "pf" of 'args' is the id of. */
static struct virtnet_device *
find_pf(const struct virtnet_args *args, int *error)
{
    uint64_t id = virtnet_arg_number(args, "pf");
    struct virtnet_device *pf = (id > UINT16_MAX ? NULL
                                 : virtnet_device_by_pf(id));

    *error = (pf ? 0
              : id > UINT16_MAX ? VIRTNET_E_ID_RANGE
              : VIRTNET_E_DEV_NOT_FOUND);
    return pf;
}

void
virtnet_host_sriov(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    struct action *a = action_create(conn);
    struct virtnet_device *pf;
    char *detail = NULL;
    int error;

    error = virtnet_check_running(&detail);
    pf = error ? NULL : find_pf(args, &error);
    if (pf) {
        error = virtnet_check_migrating(pf, true, &detail);
    }
    if (pf && !error) {
        a->num_vfs = 0;
        action_set_vfs(a, pf, MIN(virtnet_arg_number(args, "num"), UINT_MAX));
        if (virtnet_arg_given(args, "no-wait")) {
            a->num_vfs = pf->n_vfs;
            action_answer(a);
        }
    }
    action_done(a, error, detail);
}

/* Are devices coming or going?  Then the host has to wait. */
static int
check_idle(char **detail)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    int error = virtnet_check_running(detail);

    if (error) {
        return error;
    } else if (virtnet_sriov_is_busy()) {
        *detail = xstrdup("VFs are being made or removed");
        return -EBUSY;
    } else if (backend->class->get_caps(backend)->card) {
        *detail = xstrdup("the host of a card does that itself");
        return VIRTNET_E_NOT_SUPPORTED;
    } else if (virtnet_batch_is_busy()) {
        *detail = xstrdup("devices are being plugged");
        return -EBUSY;
    } else if (virtnet_host_is_busy()) {
        *detail = xstrdup("the host is restarting");
        return -EBUSY;
    }
    return 0;
}

/* Resets 'dev'; if it is a PF, its VFs go. */
static void
action_reset(struct action *a, struct virtnet_device *dev)
{
    if (dev->num_vfs) {
        action_set_vfs(a, dev, 0);
    }
    virtnet_reset(dev);
}

void
virtnet_host_flr(struct unixctl_conn *conn, const struct virtnet_args *args,
                 const struct virtnet_args *sub OVS_UNUSED)
{
    struct action *a = action_create(conn);
    struct virtnet_device *dev;
    char *detail = NULL;
    int error;

    error = check_idle(&detail);
    if (!error) {
        dev = virtnet_select_device(args, true, &error);
        if (dev) {
            error = virtnet_check_migrating(dev, true, &detail);
        }
        if (!error) {
            VLOG_INFO("%s: function-level reset", dev->vuid);
            action_reset(a, dev);
        }
    }
    action_done(a, error, detail);
}

/* The host that restarts. */
static struct {
    struct action *action;      /* NULL: it does not. */
    bool power;
    struct virtnet_device **pfs; /* With a reference each. */
    size_t n_pfs, next;
} restart;

static void
reset_done(int error, const char *detail, void *a)
{
    action_done(a, error, nullable_xstrdup(detail));
}

/* Resets 'pf'.  If the power was off, removes it if it was hotplugged, and has
 * it be as the firmware configuration says if not. */
static void
restart_pf(struct virtnet_device *pf)
{
    struct action *a = restart.action;
    char *detail = NULL;
    int error = 0;

    a->n_pending++;
    if (restart.power && pf->type == VIRTNET_HOTPLUG_PF) {
        error = virtnet_controller_unplug(pf, true, &detail);
    } else {
        action_reset(a, pf);
        if (restart.power) {
            error = virtnet_firmware_reset_pf(pf, reset_done, a, &detail);
        }
    }
    if (error != -EINPROGRESS) {
        action_done(a, error, detail);
    }
}

/* Restarts the host: resets all PFs. */
static void
action_restart_host(struct action *a, bool power)
{
    struct virtnet_device *dev;

    a->n_pending++;
    restart.action = a;
    restart.power = power;
    restart.pfs = xmalloc(virtnet_controller_n_devices()
                          * sizeof *restart.pfs);
    restart.n_pfs = restart.next = 0;
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (dev->type != VIRTNET_VF) { /* They go with their PF. */
            restart.pfs[restart.n_pfs++] = virtnet_device_ref(dev);
        }
    }
    virtnet_host_run();
}

bool
virtnet_host_is_busy(void)
{
    return restart.action != NULL;
}

void
virtnet_host_run(void)
{
    struct action *a = restart.action;
    struct virtnet_slice slice;

    if (!a) {
        return;
    }
    virtnet_slice_begin(&slice, true);
    while (restart.next < restart.n_pfs) {
        struct virtnet_device *pf;

        if (virtnet_slice_is_over(&slice)) {
            return;
        }
        pf = restart.pfs[restart.next++];
        /* It may have gone meanwhile. */
        if (virtnet_registry_contains(pf)) {
            restart_pf(pf);
        }
        virtnet_device_unref(pf);
    }
    free(restart.pfs);
    restart.action = NULL;
    action_done(a, 0, NULL);
}

void
virtnet_host_wait(void)
{
    if (restart.action) {
        virtnet_slice_wait();
    }
}

void
virtnet_host_host(struct unixctl_conn *conn,
                  const struct virtnet_args *args OVS_UNUSED,
                  const struct virtnet_args *sub)
{
    struct action *a = action_create(conn);
    const char *what = sub->command->name;
    char *detail = NULL;
    int error;

    error = check_idle(&detail);
    if (error) {
        /* Later. */
    } else if (!strcmp(what, "unload")) {
        struct virtnet_device *pf = find_pf(sub, &error);

        if (pf) {
            error = virtnet_check_migrating(pf, true, &detail);
        }
        if (!error) {
            VLOG_INFO("%s: driver unloaded", pf->vuid);
            action_reset(a, pf);
        }
    } else {
        bool power = !strcmp(what, "power-cycle");

        VLOG_INFO("host: %s", power ? "power cycle" : "warm reboot");
        action_restart_host(a, power);
    }
    action_done(a, error, detail);
}
