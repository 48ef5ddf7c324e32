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


/* What commands have in common.  See virtnet-reply.h. */

#include <config.h>

#include "virtnet-reply.h"

#include <stdlib.h>

#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtnet-controller.h"
#include "virtnet-json.h"
#include "virtnet-option.h"
#include "virtnet-record-io.h"

void
virtnet_reply(struct unixctl_conn *conn, struct virtnet_json *j)
{
    char *text = virtnet_json_steal(j);

#if VIRTNET_HAVE_REPLY_JSON
    if (unixctl_command_get_output_format(conn) == UNIXCTL_OUTPUT_FMT_JSON) {
        unixctl_command_reply_json(conn, json_from_string(text));
    } else
#endif
    {
        unixctl_command_reply(conn, text);
    }
    free(text);
}

/* Begins 'j' as the answer of an action. */
static void
errno_init(struct virtnet_json *j, int error, const char *detail)
{
    virtnet_json_init(j);
    virtnet_json_begin_object(j, NULL);
    virtnet_json_errno(j, error);
    if (detail) {
        virtnet_json_string(j, "detail", detail);
    }
    virtnet_json_end_object(j);
}

void
virtnet_reply_errno(struct unixctl_conn *conn, int error, const char *detail)
{
    struct virtnet_json j;

    errno_init(&j, error, detail);
    virtnet_reply(conn, &j);
}

/* An answer that waits for records. */
struct late_answer {
    struct ovs_list list_node;  /* In 'late_answers'. */
    struct unixctl_conn *conn;
    uint64_t n_jobs;            /* See virtnet_record_io_n_jobs(). */
    struct virtnet_json json;
};

/* In order of 'n_jobs'. */
static struct ovs_list late_answers = OVS_LIST_INITIALIZER(&late_answers);

static struct late_answer *
first_late_answer(void)
{
    return (ovs_list_is_empty(&late_answers) ? NULL
            : CONTAINER_OF(ovs_list_front(&late_answers), struct late_answer,
                           list_node));
}

void
virtnet_reply_recorded(struct unixctl_conn *conn, struct virtnet_json *j)
{
    uint64_t n = virtnet_record_io_n_jobs();
    struct late_answer *a;

    if (virtnet_record_io_has_done(n)) {
        virtnet_reply(conn, j);
        return;
    }
    a = xmalloc(sizeof *a);
    *a = (struct late_answer) { .conn = conn, .n_jobs = n, .json = *j };
    ovs_list_push_back(&late_answers, &a->list_node);
}

void
virtnet_reply_errno_recorded(struct unixctl_conn *conn, int error,
                             const char *detail)
{
    struct virtnet_json j;

    errno_init(&j, error, detail);
    virtnet_reply_recorded(conn, &j);
}

void
virtnet_reply_run(void)
{
    struct late_answer *a;

    while ((a = first_late_answer()) != NULL
           && virtnet_record_io_has_done(a->n_jobs)) {
        ovs_list_remove(&a->list_node);
        virtnet_reply(a->conn, &a->json);
        free(a);
    }
}

void
virtnet_reply_wait(void)
{
    const struct late_answer *a = first_late_answer();

    if (a) {
        virtnet_record_io_wait_done(a->n_jobs);
    }
}

void
virtnet_reply_no_device(struct unixctl_conn *conn)
{
    struct virtnet_json j;

    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    virtnet_json_string(&j, "Error", "Device doesn't exist");
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

struct virtnet_device *
virtnet_select_device(const struct virtnet_args *args, bool may_be_vf,
                      int *error)
{
    struct virtnet_device *dev;
    uint64_t pf, vf;

    if (virtnet_arg_given(args, "vuid")) {
        dev = virtnet_device_by_vuid(virtnet_arg_text(args, "vuid"));
        *error = dev ? 0 : VIRTNET_E_VUID_INVALID;
        return dev;
    }
    pf = virtnet_arg_number(args, "pf");
    if (pf > UINT16_MAX) {
        *error = VIRTNET_E_ID_RANGE;
        return NULL;
    }
    if (may_be_vf && virtnet_arg_given(args, "vf")) {
        vf = virtnet_arg_number(args, "vf");
        if (vf > UINT16_MAX) {
            *error = VIRTNET_E_ID_RANGE;
            return NULL;
        }
        dev = virtnet_device_by_vf(pf, vf);
        *error = (dev ? 0
                  : virtnet_device_by_pf(pf) ? VIRTNET_E_VF_DEV_GET
                  : VIRTNET_E_DEV_NOT_FOUND);
    } else {
        dev = virtnet_device_by_pf(pf);
        *error = dev ? 0 : VIRTNET_E_DEV_NOT_FOUND;
    }
    return dev;
}

bool
virtnet_is_state(const struct virtnet_device *dev, const char *state)
{
    const char *name = virtnet_device_state_name(dev->state);
    size_t i;

    for (i = 0; state[i]; i++) {
        if (state[i] != (name[i] == ' ' ? '-' : name[i])) {
            return false;
        }
    }
    return !name[i];
}
