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

#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-batch.h"
#include "virtnet-controller.h"
#include "virtnet-firmware.h"
#include "virtnet-host-command.h"
#include "virtnet-json.h"
#include "virtnet-life.h"
#include "virtnet-registry.h"
#include "virtnet-reply.h"
#include "virtnet-slice.h"
#include "virtnet-sriov.h"
#include "virtnet-unixctl.h"

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

/* Finds the device that 'argv' selects: "-p PF [-v VF]" or "-u VUID". */
static struct virtnet_device *
select_device(int argc, const char *argv[], int *error)
{
    struct virtnet_device *dev = NULL;
    unsigned int pf, vf;

    if (argc == 3 && (!strcmp(argv[1], "-u") || !strcmp(argv[1], "--vuid"))) {
        dev = virtnet_device_by_vuid(argv[2]);
        *error = dev ? 0 : VIRTNET_E_VUID_INVALID;
        return dev;
    }
    if ((argc == 3 || argc == 5)
        && (!strcmp(argv[1], "-p") || !strcmp(argv[1], "--pf"))
        && str_to_uint(argv[2], 0, &pf)) {
        if (argc == 3) {
            dev = virtnet_device_by_pf(pf);
            *error = dev ? 0 : VIRTNET_E_DEV_NOT_FOUND;
            return dev;
        } else if ((!strcmp(argv[3], "-v") || !strcmp(argv[3], "--vf"))
                   && str_to_uint(argv[4], 0, &vf)) {
            dev = virtnet_device_by_vf(pf, vf);
            *error = dev ? 0 : VIRTNET_E_VF_DEV_GET;
            return dev;
        }
    }
    *error = -EINVAL;
    return NULL;
}

static void
cmd_sriov(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct action *a = action_create(conn);
    struct virtnet_device *pf;
    char *detail = NULL;
    unsigned int id, n;
    int error;

    error = virtnet_check_running(&detail);
    if (error) {
        /* Later. */
    } else if (!str_to_uint(argv[1], 0, &id) || !str_to_uint(argv[2], 0, &n)
               || (argc == 4 && strcmp(argv[3], "--no-wait"))) {
        error = -EINVAL;
        detail = xstrdup("PF NUM [--no-wait] is needed");
    } else if (!(pf = virtnet_device_by_pf(id))) {
        error = VIRTNET_E_DEV_NOT_FOUND;
    } else {
        a->num_vfs = 0;
        action_set_vfs(a, pf, n);
        if (argc == 4) {
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

static void
cmd_flr(struct unixctl_conn *conn, int argc, const char *argv[],
        void *aux OVS_UNUSED)
{
    struct action *a = action_create(conn);
    struct virtnet_device *dev;
    char *detail = NULL;
    int error;

    error = check_idle(&detail);
    if (!error) {
        dev = select_device(argc, argv, &error);
        if (dev) {
            VLOG_INFO("%s: function-level reset", dev->vuid);
            action_reset(a, dev);
        } else if (error == -EINVAL) {
            detail = xstrdup("-p PF [-v VF] or -u VUID is needed");
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

static void
cmd_host(struct unixctl_conn *conn, int argc, const char *argv[],
         void *aux OVS_UNUSED)
{
    struct action *a = action_create(conn);
    struct virtnet_device *pf;
    char *detail = NULL;
    unsigned int id;
    int error;

    error = check_idle(&detail);
    if (error) {
        /* Later. */
    } else if (argc == 2 && !strcmp(argv[1], "reboot")) {
        VLOG_INFO("host: warm reboot");
        action_restart_host(a, false);
    } else if (argc == 2 && !strcmp(argv[1], "power-cycle")) {
        VLOG_INFO("host: power cycle");
        action_restart_host(a, true);
    } else if (argc == 3 && !strcmp(argv[1], "unload")
               && str_to_uint(argv[2], 0, &id)) {
        pf = virtnet_device_by_pf(id);
        if (pf) {
            VLOG_INFO("%s: driver unloaded", pf->vuid);
            action_reset(a, pf);
        } else {
            error = VIRTNET_E_DEV_NOT_FOUND;
        }
    } else {
        error = -EINVAL;
        detail = xstrdup("reboot, unload PF or power-cycle is needed");
    }
    action_done(a, error, detail);
}

static unixctl_cb_func *const handlers[VIRTNET_N_HOST_COMMANDS] = {
    [VIRTNET_HOST_SRIOV] = cmd_sriov,
    [VIRTNET_HOST_FLR] = cmd_flr,
    [VIRTNET_HOST_HOST] = cmd_host,
};

/* A host does not know that the controller is starting or being renewed, and
 * nobody takes its place then. */
static void
handle(struct unixctl_conn *conn, int argc, const char *argv[], void *command_)
{
    const struct virtnet_host_command *command = command_;
    unixctl_cb_func *cb = handlers[command - virtnet_host_commands];

    if (virtnet_unixctl_is_updating()) {
        action_done(action_create(conn), -EBUSY,
                    xstrdup("an update is in progress"));
    } else if (!virtnet_unixctl_postpone(conn, argc, argv, cb, NULL)) {
        cb(conn, argc, argv, NULL);
    }
}

void
virtnet_host_init(void)
{
    for (int i = 0; i < VIRTNET_N_HOST_COMMANDS; i++) {
        const struct virtnet_host_command *c = &virtnet_host_commands[i];
        char *name = xasprintf("virtnet/%s", c->name);

        unixctl_command_register(name, c->args, c->min_args, c->max_args,
                                 handle, CONST_CAST(void *, (const void *) c));
        free(name);
    }
}
