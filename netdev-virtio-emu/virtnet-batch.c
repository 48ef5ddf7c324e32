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

/* Hotplug PFs by a command.  See virtnet-batch.h. */

#include <config.h>

#include "virtnet-batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-check.h"
#include "virtnet-controller.h"
#include "virtnet-field.h"
#include "virtnet-json.h"
#include "virtnet-registry.h"
#include "virtnet-reply.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_batch);

/* Each has an SF number of its own. */
#define N_SF_NUMS (VIRTNET_SF_HOTPLUG_MAX - VIRTNET_SF_HOTPLUG_MIN + 1)

struct batch {
    struct ovs_list list_node;  /* In 'batches', if 'many'. */
    struct unixctl_conn *conn;
    bool many;                  /* Was a number given? */

    /* What to make.  Texts are owned; 'mac' is NULL. */
    struct virtnet_hotplug_request req;
    char *ib_device, *bridge, *vhost_path, *vhost_mode;
    struct eth_addr mac;        /* Of the first device, if 'many'. */
    char *mac_text;             /* As given, if not. */

    struct slot {
        struct batch *batch;
        struct virtnet_device *dev; /* With a reference, or NULL. */
    } *slots;
    size_t n;                   /* Devices wanted, ... */
    size_t n_begun;             /* ...begun, and not taken back, ... */
    size_t n_pending;           /* ...and under way. */

    int error;                  /* If not zero they are being unplugged... */
    char *detail;               /* ...and this says why, or is NULL. */
};

/* Those of many.  The first is carried on. */
static struct ovs_list batches = OVS_LIST_INITIALIZER(&batches);

/* Prints what 'b' has made. */
static void
batch_print(const struct batch *b)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    char *left_out = (backend ? virtnet_features_left_out(
                          b->req.features, backend->class->get_caps(backend))
                      : NULL);
    struct virtnet_json j;

    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    if (b->many) {
        virtnet_json_begin_array(&j, "devices");
    }
    for (size_t i = 0; i < b->n; i++) {
        if (b->many) {
            virtnet_json_begin_object(&j, NULL);
        }
        virtnet_json_hotplug(&j, b->slots[i].dev, b->mac_text);
        if (b->many) {
            virtnet_json_end_object(&j);
        }
    }
    if (b->many) {
        virtnet_json_end_array(&j);
    }
    virtnet_json_errno(&j, 0);
    if (left_out) {
        VLOG_INFO("hotplug: %s", left_out);
        virtnet_json_string(&j, "detail", left_out);
        free(left_out);
    }
    virtnet_json_end_object(&j);
    virtnet_reply(b->conn, &j);
}

/* 'unmade' if devices may have been made, and unmade again. */
static void
refuse(struct unixctl_conn *conn, int error, const char *detail, bool unmade)
{
    VLOG_WARN("hotplug refused: %s (%d)%s%s", virtnet_strerror(error), error,
              detail ? ": " : "", detail ? detail : "");
    if (unmade) {
        virtnet_reply_errno_recorded(conn, error, detail);
    } else {
        virtnet_reply_errno(conn, error, detail);
    }
}

/* Answers and destroys 'b'. */
static void
batch_finish(struct batch *b)
{
    if (b->error) {
        refuse(b->conn, b->error, b->detail, b->many);
    } else {
        batch_print(b);
    }
    while (b->n_begun > 0) {
        virtnet_device_unref(b->slots[--b->n_begun].dev);
    }
    ovs_list_remove(&b->list_node);
    free(b->ib_device);
    free(b->bridge);
    free(b->vhost_path);
    free(b->vhost_mode);
    free(b->mac_text);
    free(b->slots);
    free(b->detail);
    free(b);
}

/* A device that took its time is there, or not. */
static void
batch_part_done(struct virtnet_device *dev, int error, const char *reason,
                void *slot_)
{
    struct slot *slot = slot_;
    struct batch *b = slot->batch;

    b->n_pending--;
    if (!error) {
        slot->dev = virtnet_device_ref(dev);
    } else if (!b->error) {
        b->error = error;
        b->detail = nullable_xstrdup(reason);
    }
    if (!b->many) {
        batch_finish(b);
    }
}

/* Makes the next device of 'b'. */
static void
batch_make(struct batch *b)
{
    struct slot *slot = &b->slots[b->n_begun];
    char text[ETH_ADDR_STRLEN + 1];
    struct virtnet_device *dev;
    struct eth_addr mac;
    int error;

    eth_addr_from_uint64(eth_addr_to_uint64(b->mac) + b->n_begun, &mac);
    snprintf(text, sizeof text, ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
    if (b->many) {
        b->req.mac = text;
    }
    b->n_begun++;
    slot->batch = b;
    error = virtnet_controller_start_hotplug(&b->req, batch_part_done, slot,
                                             &dev, &b->detail);
    if (error == -EINPROGRESS) {
        b->n_pending++;
    } else if (!error) {
        slot->dev = virtnet_device_ref(dev);
    } else {
        b->error = error;
        b->n_begun--;
    }
    b->req.mac = NULL;
}

/* Takes the last device of 'b' back. */
static void
batch_unmake(struct batch *b)
{
    struct virtnet_device *dev = b->slots[--b->n_begun].dev;
    char *detail = NULL;

    /* Somebody else may have unplugged it. */
    if (dev && virtnet_registry_contains(dev)
        && virtnet_controller_unplug(dev, true, &detail)) {
        VLOG_WARN("%s: %s", dev->vuid, detail ? detail : "not unplugged");
    }
    free(detail);
    virtnet_device_unref(dev);
}

/* Is there a step that 'b' can take now? */
static bool
batch_can_go_on(const struct batch *b)
{
    return (!b->error && b->n_begun < b->n) || !b->n_pending;
}

/* Carries on with 'b' for a while, and finishes it if that was all. */
static void
batch_run(struct batch *b)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, true);
    while (batch_can_go_on(b)) {
        if (b->n_begun == (b->error ? 0 : b->n)) {
            batch_finish(b);
            return;
        } else if (virtnet_slice_is_over(&slice)) {
            return;
        } else if (b->error) {
            batch_unmake(b);
        } else {
            batch_make(b);
        }
    }
}

void
virtnet_batch_hotplug(struct unixctl_conn *conn,
                      const struct virtnet_hotplug_request *template,
                      bool many, uint64_t n)
{
    struct eth_addr mac = eth_addr_zero;
    struct batch *b;

    if (many) {
        if (!n || n > N_SF_NUMS) {
            char *detail = xasprintf("count %"PRIu64" is not from 1 to %d", n,
                                     N_SF_NUMS);

            refuse(conn, -EINVAL, detail, false);
            free(detail);
            return;
        } else if (!eth_addr_from_string(template->mac, &mac)) {
            refuse(conn, VIRTNET_E_MAC_INVALID, "mac is not a MAC address",
                   false);
            return;
        } else if (n > 1 && (template->has_sf_num || template->vhost_path)) {
            refuse(conn, -EINVAL,
                   "several devices cannot share an SF number or a socket",
                   false);
            return;
        }
    }

    b = xzalloc(sizeof *b);
    ovs_list_init(&b->list_node);
    b->conn = conn;
    b->many = many;
    b->req = *template;
    b->req.ib_device = b->ib_device = nullable_xstrdup(template->ib_device);
    b->req.bridge = b->bridge = nullable_xstrdup(template->bridge);
    b->req.vhost_path = b->vhost_path = nullable_xstrdup(template->vhost_path);
    b->req.vhost_mode = b->vhost_mode = nullable_xstrdup(template->vhost_mode);
    b->mac = mac;
    b->mac_text = many ? NULL : nullable_xstrdup(template->mac);
    b->slots = xcalloc(n, sizeof *b->slots);
    b->n = n;
    if (!many) {
        batch_make(b);
        if (!b->n_pending) {
            batch_finish(b);
        }
        return;
    }
    b->req.mac = NULL;
    ovs_list_push_back(&batches, &b->list_node);
    if (ovs_list_is_singleton(&batches)) {
        /* A small one is there when the command returns. */
        batch_run(b);
    }
}

bool
virtnet_batch_is_busy(void)
{
    return !ovs_list_is_empty(&batches);
}

static struct batch *
first_batch(void)
{
    return (ovs_list_is_empty(&batches) ? NULL
            : CONTAINER_OF(ovs_list_front(&batches), struct batch,
                           list_node));
}

void
virtnet_batch_run(void)
{
    struct batch *b = first_batch();

    if (b) {
        batch_run(b);
    }
}

void
virtnet_batch_wait(void)
{
    struct batch *b = first_batch();

    /* Otherwise the backend's "run" wakes us. */
    if (b && batch_can_go_on(b)) {
        virtnet_slice_wait();
    }
}
