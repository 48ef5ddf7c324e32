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

/* Commands that are not shown (virtnet-show.c) or a host's (virtnet-host.c).
 * See virtnet-commands.h. */

#include <config.h>

#include "virtnet-commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-batch.h"
#include "virtnet-check.h"
#include "virtnet-conf.h"
#include "virtnet-controller.h"
#include "virtnet-debug.h"
#include "virtnet-events.h"
#include "virtnet-firmware.h"
#include "virtnet-json.h"
#include "virtnet-modify.h"
#include "virtnet-option.h"
#include "virtnet-reply.h"
#include "virtnet-settings.h"
#include "virtnet-show.h"

VLOG_DEFINE_THIS_MODULE(virtnet_commands);

/* Longest time (s) that an answer can be put off. */
#define MAX_TIMEOUT 86400

void
virtnet_cmd_hotplug(struct unixctl_conn *conn, const struct virtnet_args *args,
                    const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_hotplug_request req = {
        .ib_device = virtnet_arg_text(args, "ib_device"),
        .mac = virtnet_arg_text(args, "mac"),
        .mtu = virtnet_arg_number(args, "mtu"),
        .has_queues = virtnet_arg_given(args, "max_queues"),
        .queues = virtnet_arg_number(args, "max_queues"),
        .has_queue_pairs = virtnet_arg_given(args, "max_queue_pairs"),
        .queue_pairs = virtnet_arg_number(args, "max_queue_pairs"),
        .queue_size = virtnet_arg_number(args, "max_queue_size"),
        .has_sf_num = virtnet_arg_given(args, "sf_num"),
        .sf_num = virtnet_arg_number(args, "sf_num"),
        .features = virtnet_arg_number(args, "features"),
        .transitional = virtnet_arg_given(args, "legacy"),
        .bridge = virtnet_arg_text(args, "bridge"),
        .vhost_path = virtnet_arg_text(args, "vhost-path"),
        .vhost_mode = virtnet_arg_text(args, "vhost-mode"),
    };
    bool many = virtnet_arg_given(args, "count");

    virtnet_batch_hotplug(conn, &req, many,
                          many ? virtnet_arg_number(args, "count") : 1);
}

static void
unplug_done(struct virtnet_device *dev OVS_UNUSED, int error,
            const char *reason, void *conn)
{
    if (error) {
        virtnet_reply_errno(conn, error, reason);
    } else {
        virtnet_reply_errno_recorded(conn, 0, NULL);
    }
}

void
virtnet_cmd_unplug(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_device *dev;
    const char *reason;
    char *detail = NULL;
    int error;

    if (!virtnet_controller_is_running(&reason)) {
        virtnet_reply_errno(conn, -ENODEV, reason);
        return;
    }
    dev = virtnet_select_device(args, false, &error);
    if (dev) {
        error = virtnet_controller_start_unplug(dev, false, unplug_done, conn,
                                                &detail);
    }
    if (error != -EINPROGRESS) {
        unplug_done(NULL, error, detail, conn);
    }
    free(detail);
}

/* Gathers what the options of "modify device" or "modify queue" say. */
static void
get_modification(const struct virtnet_args *args,
                 struct virtnet_modification *mod)
{
    /* A modification of all devices outlives the arguments. */
    static const char *words[] = { "enable", "disable", "event", "cqe" };

    memset(mod, 0, sizeof *mod);
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        struct virtnet_attr_value *v = &mod->attrs[i];
        const char *name = virtnet_attr_name(i);

        if (virtnet_command_has_option(args->command, name)
            && virtnet_arg_given(args, name)) {
            v->given = true;
            v->text = virtnet_arg_text(args, name);
            v->number = virtnet_arg_number(args, name);
            for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
                if (!strcmp(v->text, words[k])) {
                    v->text = words[k];
                }
            }
        }
    }
}

/* Whoever waits for a modification. */
struct modify_waiter {
    struct unixctl_conn *conn;
    char *note;                 /* About a success, or NULL. */
};

static void
modify_done(struct virtnet_device *dev OVS_UNUSED, int error,
            const char *detail, void *waiter_)
{
    struct modify_waiter *waiter = waiter_;

    virtnet_reply_errno(waiter->conn, error, error ? detail : waiter->note);
    free(waiter->note);
    free(waiter);
}

static struct modify_waiter *
modify_waiter_create(struct unixctl_conn *conn,
                     const struct virtnet_modification *mod)
{
    const struct virtnet_attr_value *v = &mod->attrs[VIRTNET_ATTR_FEATURES];
    struct virtnet_backend *backend = virtnet_controller_backend();
    struct modify_waiter *waiter = xmalloc(sizeof *waiter);

    waiter->conn = conn;
    waiter->note = (v->given ? virtnet_features_left_out(
                        v->number, backend->class->get_caps(backend)) : NULL);
    return waiter;
}

void
virtnet_cmd_modify(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub)
{
    struct virtnet_modification mod;
    struct modify_waiter *waiter;
    struct virtnet_device *dev;
    const char *reason;
    char *detail = NULL;
    int error;

    get_modification(sub, &mod);
    if (!virtnet_controller_is_running(&reason)) {
        virtnet_reply_errno(conn, -ENODEV, reason);
        return;
    }
    waiter = modify_waiter_create(conn, &mod);
    if (virtnet_arg_given(args, "all")) {
        error = virtnet_modify_all(&mod, modify_done, waiter, &detail);
        if (!error) {
            return;
        }
    } else {
        dev = virtnet_select_device(args, true, &error);
        if (dev) {
            error = virtnet_modify(dev, &mod, modify_done, waiter, &detail);
        }
    }
    if (error != -EINPROGRESS) {
        modify_done(NULL, error, detail, waiter);
    }
    free(detail);
}

/* Is 'name' a module of ours? */
static bool
is_our_module(const char *name)
{
    static const char *const heads[] = {
        "virtnet_", "mlx5_", "auto_port", "netdev_virtio_"
    };

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        if (!strncmp(name, heads[i], strlen(heads[i]))) {
            return true;
        }
    }
    return false;
}

void
virtnet_cmd_log(struct unixctl_conn *conn, const struct virtnet_args *args,
                const struct virtnet_args *sub OVS_UNUSED)
{
    const char *text = virtnet_arg_text(args, "level");
    enum vlog_level level = (!strcmp(text, "info") ? VLL_INFO
                             : !strcmp(text, "err") ? VLL_ERR : VLL_DBG);
    char *modules = vlog_get_levels(); /* A line each, the name first. */
    char *save_ptr = NULL;
    struct virtnet_json j;

    for (char *line = strtok_r(modules, "\n", &save_ptr); line;
         line = strtok_r(NULL, "\n", &save_ptr)) {
        line[strcspn(line, " ")] = '\0';
        if (is_our_module(line)) {
            vlog_set_levels(vlog_module_from_name(line), VLF_ANY_DESTINATION,
                            level);
        }
    }
    free(modules);
    virtnet_json_init(&j);
    virtnet_json_string(&j, NULL, "Success");
    virtnet_reply(conn, &j);
}

static void
restarted(int error, const char *reason, void *conn)
{
    if (error) {
        virtnet_reply_errno(conn, error, reason);
    } else {
        unixctl_command_reply(conn, "SUCCESS");
    }
}

void
virtnet_cmd_restart(struct unixctl_conn *conn,
                    const struct virtnet_args *args OVS_UNUSED,
                    const struct virtnet_args *sub OVS_UNUSED)
{
    char *detail;
    int error = virtnet_controller_restart(restarted, conn, &detail);

    if (error) {
        virtnet_reply_errno(conn, error, detail);
        free(detail);
    }
}

/* Appends a line for each setting of the database that is of no effect. */
static void
put_database_notes(struct ds *s)
{
    for (size_t i = 0; virtnet_controller_backend()
                       && i < virtnet_n_settings; i++) {
        const struct virtnet_setting *setting = &virtnet_settings_table[i];
        const char *why = virtnet_firmware_no_effect(setting);

        if (why && virtnet_settings_source(setting->key)
                   == VIRTNET_SETTING_DATABASE) {
            ds_put_format(s, "other_config:%s: note: of no effect: %s\n",
                          setting->key, why);
        }
    }
}

void
virtnet_cmd_validate(struct unixctl_conn *conn,
                     const struct virtnet_args *args,
                     const struct virtnet_args *sub OVS_UNUSED)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();
    const char *path = virtnet_arg_text(args, "file");
    struct ds s = DS_EMPTY_INITIALIZER;
    struct virtnet_conf conf;

    virtnet_conf_read(&conf, path);
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const char *why = virtnet_backend_no_effect(
            backend, virtnet_settings_table[i].key);

        if (why) {
            virtnet_conf_no_effect(&conf, i, why);
        }
    }
    if (backend) {
        virtnet_firmware_check_conf(&conf);
    }
    virtnet_conf_format(&conf, path, &s);
    virtnet_conf_format_notes(&conf, path, &s);
    put_database_notes(&s);
    if (conf.problems.n) {
        unixctl_command_reply_error(conn, ds_cstr(&s));
    } else {
        unixctl_command_reply(conn, ds_cstr(&s));
    }
    virtnet_conf_destroy(&conf);
    ds_destroy(&s);
}

/* Update.  The plugin is a part of ovs-vswitchd, so another version of it
 * comes with another process, to which devices come back from their records.
 * What can be renewed within the process is the controller. */
static struct {
    bool running;
    const char *result;         /* Of the last one. */
    long long int started;      /* time_usec(). */
    long long int took;         /* Microseconds. */
} update = { .result = "none" };

bool
virtnet_update_is_running(void)
{
    return update.running;
}

static void
updated(int error, const char *reason, void *aux OVS_UNUSED)
{
    update.running = false;
    update.took = time_usec() - update.started;
    update.result = error ? "failed" : "success";
    if (error) {
        VLOG_ERR("update failed: %s", reason ? reason
                 : virtnet_strerror(error));
    } else {
        VLOG_INFO("updated in %lld us", update.took);
    }
}

void
virtnet_cmd_update(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_json j;

    virtnet_json_init(&j);
    if (virtnet_arg_given(args, "start")) {
        char *detail = NULL;
        int error = -EBUSY;

        if (!update.running) {
            update.started = time_usec();
            update.running = true;
            error = virtnet_controller_restart(updated, NULL, &detail);
            if (error) {
                update.running = false;
            }
        }
        if (error) {
            ds_destroy(&j.text);
            virtnet_reply_errno(conn, error, detail);
            free(detail);
            return;
        }
        virtnet_json_string(&j, NULL, "Update started, use 'virtnet update "
                            "-t' or check logs for status");
    } else {
        virtnet_json_begin_object(&j, NULL);
        virtnet_json_string(&j, "status",
                            update.running ? "in progress" : "inactive");
        virtnet_json_string(&j, "last live update status", update.result);
        virtnet_json_real(&j, "time_used (s)", update.took / 1e6);
        virtnet_json_end_object(&j);
    }
    virtnet_reply(conn, &j);
}

void
virtnet_cmd_debug(struct unixctl_conn *conn, const struct virtnet_args *args,
                  const struct virtnet_args *sub)
{
    struct virtnet_device *dev = NULL;
    struct virtnet_json j;

    if (!strcmp(sub->command->name, "fault")) {
        virtnet_debug_fault(virtnet_arg_text(sub, "next"));
        virtnet_reply_errno(conn, 0, NULL);
        return;
    }
    if (!strcmp(sub->command->name, "vq")) {
        if (!virtnet_arg_given(args, "pf")
            && !virtnet_arg_given(args, "vuid")) {
            virtnet_reply_errno(conn, -EINVAL, "--pf or --vuid is needed");
            return;
        }
        dev = virtnet_show_select(conn, args, NULL);
        if (!dev) {
            return;
        } else if (virtnet_arg_given(sub, "queue_id")
                   && (virtnet_arg_number(sub, "queue_id")
                       >= virtnet_device_num_queues(dev))) {
            virtnet_reply_errno(conn, VIRTNET_E_QUEUE_INDEX, NULL);
            return;
        }
    }
    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    if (dev) {
        virtnet_debug_queues(&j, dev, !virtnet_arg_given(sub, "queue_id") ? -1
                             : virtnet_arg_number(sub, "queue_id"));
    } else {
        virtnet_debug_pools(&j);
    }
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

/* Waiting for a device. */

struct wanted {
    char *vuid;                 /* NULL: by ids. */
    uint64_t pf, vf;
    bool is_vf;
    char state[32];
};

static bool
has_state(const struct virtnet_device *dev, const char *state)
{
    if (!dev) {
        return !strcmp(state, "gone") && virtnet_controller_is_running(NULL);
    } else if (!strcmp(state, "port")) {
        return dev->netdev != NULL;
    } else {
        return virtnet_is_state(dev, state);
    }
}

/* Why has 'dev' not 'state', as far as that is known? */
static const char *
why_not_state(const struct virtnet_device *dev, const char *state)
{
    const char *reason;

    return (dev ? (!strcmp(state, "port") && dev->port_status
                   ? dev->port_status : virtnet_device_state_name(dev->state))
            : !virtnet_controller_is_running(&reason) && reason ? reason
            : "Device doesn't exist");
}

static bool
wait_ready(struct unixctl_conn *conn, bool timed_out, void *wanted_)
{
    struct wanted *w = wanted_;
    struct virtnet_device *dev;
    bool ready;

    dev = (w->vuid ? virtnet_device_by_vuid(w->vuid)
           : w->pf > UINT16_MAX || w->vf > UINT16_MAX ? NULL
           : w->is_vf ? virtnet_device_by_vf(w->pf, w->vf)
           : virtnet_device_by_pf(w->pf));
    ready = has_state(dev, w->state);
    if (!ready && !timed_out) {
        return false;
    }
    virtnet_reply_errno(conn, ready ? 0 : -ETIMEDOUT,
                        ready ? NULL : why_not_state(dev, w->state));
    free(w->vuid);
    free(w);
    return true;
}

void
virtnet_cmd_wait(struct unixctl_conn *conn, const struct virtnet_args *args,
                 const struct virtnet_args *sub OVS_UNUSED)
{
    uint64_t timeout = (virtnet_arg_given(args, "timeout")
                        ? virtnet_arg_number(args, "timeout") : 30);
    struct wanted *w;

    if (timeout > MAX_TIMEOUT) {
        char *detail = xasprintf("timeout %"PRIu64" is above %d", timeout,
                                 MAX_TIMEOUT);

        virtnet_reply_errno(conn, -EINVAL, detail);
        free(detail);
        return;
    }
    w = xzalloc(sizeof *w);
    w->vuid = nullable_xstrdup(virtnet_arg_text(args, "vuid"));
    w->pf = virtnet_arg_number(args, "pf");
    w->vf = virtnet_arg_number(args, "vf");
    w->is_vf = virtnet_arg_given(args, "vf");
    ovs_strlcpy(w->state, virtnet_arg_text(args, "state"), sizeof w->state);
    virtnet_await(conn, timeout, wait_ready, w);
}

void
virtnet_cmd_events(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    bool since = virtnet_arg_given(args, "since");
    uint64_t timeout = (virtnet_arg_given(args, "timeout")
                        ? virtnet_arg_number(args, "timeout") : 0);

    virtnet_events_reply(conn, since ? virtnet_arg_number(args, "since")
                         : virtnet_events_last(),
                         virtnet_arg_given(args, "count")
                         ? virtnet_arg_number(args, "count") : UINT64_MAX,
                         MIN(timeout, MAX_TIMEOUT));
}
