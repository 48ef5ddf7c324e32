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

/* The commands of the controller.  See virtnet-unixctl.h. */

#include <config.h>

#include "virtnet-unixctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "timeval.h"
#include "unicode.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-batch.h"
#include "virtnet-commands.h"
#include "virtnet-controller.h"
#include "virtnet-health.h"
#include "virtnet-host.h"
#include "virtnet-json.h"
#include "virtnet-option.h"
#include "virtnet-reply.h"
#include "virtnet-show.h"

VLOG_DEFINE_THIS_MODULE(virtnet_unixctl);

/* How long (ms) a command waits for the controller to start. */
#define START_PATIENCE_MS 10000


static virtnet_command_func *const handlers[VIRTNET_N_COMMANDS] = {
    [VIRTNET_CMD_HOTPLUG] = virtnet_cmd_hotplug,
    [VIRTNET_CMD_UNPLUG] = virtnet_cmd_unplug,
    [VIRTNET_CMD_LIST] = virtnet_show_list,
    [VIRTNET_CMD_QUERY] = virtnet_show_query,
    [VIRTNET_CMD_MODIFY] = virtnet_cmd_modify,
    [VIRTNET_CMD_STATS] = virtnet_show_stats,
    [VIRTNET_CMD_VERSION] = virtnet_show_version,
    [VIRTNET_CMD_LOG] = virtnet_cmd_log,
    [VIRTNET_CMD_RESTART] = virtnet_cmd_restart,
    [VIRTNET_CMD_VALIDATE] = virtnet_cmd_validate,
    [VIRTNET_CMD_UPDATE] = virtnet_cmd_update,
    [VIRTNET_CMD_HEALTH] = virtnet_show_health,
    [VIRTNET_CMD_DEBUG] = virtnet_cmd_debug,
    [VIRTNET_CMD_WAIT] = virtnet_cmd_wait,
    [VIRTNET_CMD_EVENTS] = virtnet_cmd_events,
    [VIRTNET_CMD_SRIOV] = virtnet_host_sriov,
    [VIRTNET_CMD_FLR] = virtnet_host_flr,
    [VIRTNET_CMD_HOST] = virtnet_host_host,
};

/* An action that cannot be told what to do is an action that fails; to ask for
 * the wrong thing to be shown is an error of usage. */
static bool
is_action(const struct virtnet_command *command)
{
    enum virtnet_command_id id = command - virtnet_commands;

    return (id == VIRTNET_CMD_HOTPLUG || id == VIRTNET_CMD_UNPLUG
            || id == VIRTNET_CMD_MODIFY || id == VIRTNET_CMD_SRIOV
            || id == VIRTNET_CMD_FLR || id == VIRTNET_CMD_HOST);
}

/* Does 'command' say something else while the controller is starting than it
 * will in a moment? */
static bool
needs_controller(const struct virtnet_command *command)
{
    switch ((enum virtnet_command_id) (command - virtnet_commands)) {
    case VIRTNET_CMD_HOTPLUG:
    case VIRTNET_CMD_UNPLUG:
    case VIRTNET_CMD_LIST:
    case VIRTNET_CMD_QUERY:
    case VIRTNET_CMD_MODIFY:
    case VIRTNET_CMD_RESTART:
    case VIRTNET_CMD_HEALTH:
    case VIRTNET_CMD_DEBUG:
    case VIRTNET_CMD_STATS:
    case VIRTNET_CMD_SRIOV:
    case VIRTNET_CMD_FLR:
    case VIRTNET_CMD_HOST:
        return true;
    case VIRTNET_CMD_LOG:
    case VIRTNET_CMD_VERSION:
    case VIRTNET_CMD_VALIDATE:
    case VIRTNET_CMD_UPDATE:
    case VIRTNET_CMD_WAIT:
    case VIRTNET_CMD_EVENTS:
    case VIRTNET_N_COMMANDS:
        break;
    }
    return false;
}

/* A command that came while the controller was starting.  See "Answers that
 * are given later" in virtnet-events.h. */
struct early_command {
    struct ovs_list list_node;  /* In 'early_commands', in order. */
    struct unixctl_conn *conn;
    const struct virtnet_command *command;
    struct svec argv;
    long long int deadline;     /* When to answer that it is starting. */
};
static struct ovs_list early_commands
    = OVS_LIST_INITIALIZER(&early_commands);

static bool
is_starting(void)
{
    const char *reason;

    return !virtnet_controller_is_running(&reason) && !reason;
}

/* The backend has carried out a command of 'conn'. */
static void
command_answered(int error, const char *reason, const char *text, void *conn)
{
    if (error) {
        virtnet_reply_errno(conn, error, reason);
    } else {
        struct virtnet_json j;

        virtnet_json_init(&j);
        ds_put_cstr(&j.text, text);
        ds_chomp(&j.text, '\n');
        virtnet_reply(conn, &j);
    }
}

/* The same for the health of all devices, whose answer also has what there is
 * to be said of the controller: as another element, or member. */
static void
health_answered(int error, const char *reason, const char *text, void *conn)
{
    size_t n = text ? strlen(text) : 0;
    struct virtnet_json j;
    bool array;

    while (n && strchr(" \n", text[n - 1])) {
        n--;
    }
    if (error || !n || !strchr("]}", text[n - 1])) {
        command_answered(error, reason, text, conn);
        return;
    }
    array = text[n - 1] == ']';
    do {
        n--;
    } while (n && strchr(" \n", text[n - 1]));
    virtnet_json_init(&j);
    ds_put_buffer(&j.text, text, n);
    j.depth = 1;
    j.empty = n <= 1;
    virtnet_json_controller_health(&j, array ? NULL : "controller");
    j.empty = false;
    (array ? virtnet_json_end_array : virtnet_json_end_object)(&j);
    virtnet_reply(conn, &j);
}

/* Some of the words of a command become a part of answers, records and the
 * database, none of which can have text that is not UTF-8.  Returns NULL, or a
 * line about what is wrong, which the caller must free. */
static char *
check_words(int argc, const char *const argv[])
{
    for (int i = 0; i < argc; i++) {
        char *why = utf8_validate(argv[i], NULL);

        if (why) {
            free(why);
            return xasprintf("argument %d is not UTF-8", i + 1);
        }
    }
    return NULL;
}

static bool
is_health_of_all(const struct virtnet_command *command,
                 const struct virtnet_args *args)
{
    return (command == &virtnet_commands[VIRTNET_CMD_HEALTH]
            && virtnet_arg_given(args, "all"));
}

static void
handle_now(struct unixctl_conn *conn, const struct virtnet_command *command,
           int argc, const char *const argv[])
{
    const struct virtnet_command *failed;
    struct virtnet_backend *backend = virtnet_controller_backend();
    struct virtnet_args args, sub;
    char *error = check_words(argc, argv);

    if (error || !virtnet_args_parse(&args, &sub, command, argc, argv,
                                     &failed, &error)) {
        if (is_action(command)) {
            virtnet_reply_errno(conn, -EINVAL, error);
        } else {
            unixctl_command_reply_error(conn, error);
        }
        free(error);
    } else if (args.help || sub.help) {
        struct ds s = DS_EMPTY_INITIALIZER;

        virtnet_command_help(args.help ? command : sub.command, &s);
        unixctl_command_reply(conn, ds_cstr(&s));
        ds_destroy(&s);
    } else if (virtnet_update_is_running() && is_action(command)) {
        virtnet_reply_errno(conn, -EBUSY, "an update is in progress");
    } else if (!backend || !backend->class->command
               || !backend->class->command(backend, command->name, argc, argv,
                                           is_health_of_all(command, &args)
                                           ? health_answered
                                           : command_answered, conn)) {
        handlers[command - virtnet_commands](conn, &args, &sub);
    }
}

/* If the controller is starting, puts the command off until it has started, or
 * is known not to; else returns false. */
static bool
postpone(struct unixctl_conn *conn, int argc, const char *argv[],
         const struct virtnet_command *command)
{
    struct early_command *e;

    if (!is_starting() || virtnet_update_is_running()
        || virtnet_controller_exiting()) {
        return false;
    }
    e = xmalloc(sizeof *e);
    e->conn = conn;
    e->command = command;
    e->deadline = time_msec() + START_PATIENCE_MS;
    svec_init(&e->argv);
    for (int i = 0; i < argc; i++) {
        svec_add(&e->argv, argv[i]);
    }
    svec_terminate(&e->argv);
    ovs_list_push_back(&early_commands, &e->list_node);
    return true;
}

static void
handle(struct unixctl_conn *conn, int argc, const char *argv[], void *command)
{
    argc--;
    argv++;
    if (!needs_controller(command) || !postpone(conn, argc, argv, command)) {
        handle_now(conn, command, argc, argv);
    }
}

void
virtnet_unixctl_run(void)
{
    struct early_command *e;

    virtnet_show_run();
    virtnet_batch_run();
    virtnet_reply_run();
    while (!ovs_list_is_empty(&early_commands)
           && !virtnet_controller_exiting()) {
        e = CONTAINER_OF(ovs_list_front(&early_commands),
                         struct early_command, list_node);
        if (is_starting() && time_msec() < e->deadline) {
            break;
        }
        ovs_list_remove(&e->list_node);
        handle_now(e->conn, e->command, e->argv.n,
                   (const char *const *) e->argv.names);
        svec_destroy(&e->argv);
        free(e);
    }
}

void
virtnet_unixctl_wait(void)
{
    virtnet_show_wait();
    virtnet_batch_wait();
    virtnet_reply_wait();
    if (!ovs_list_is_empty(&early_commands)
        && !virtnet_controller_exiting()) {
        struct early_command *e;

        e = CONTAINER_OF(ovs_list_front(&early_commands),
                         struct early_command, list_node);
        if (is_starting()) {
            poll_timer_wait_until(e->deadline);
        } else {
            poll_immediate_wake();
        }
    }
}

void
virtnet_unixctl_init(void)
{
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        const struct virtnet_command *command = &virtnet_commands[i];
        char *name = xasprintf("virtnet/%s", command->name);

        unixctl_command_register(name, "[OPTION...]", 0, INT_MAX,
                                 handle, CONST_CAST(void *, (const void *)
                                                    command));
        free(name);
    }
}
