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

/* Hotplug PFs: devices that an operator makes and removes by a command.  See
 * virtnet-controller.h. */

#include <config.h>

#include "virtnet-controller.h"

#include <errno.h>
#include <inttypes.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-firmware.h"
#include "virtnet-life.h"
#include "virtnet-registry.h"

VLOG_DEFINE_THIS_MODULE(virtnet_hotplug);

/* Longer than that of any bridge, and short enough for a record. */
#define MAX_BRIDGE_NAME 255

COVERAGE_DEFINE(virtnet_hotplug);
COVERAGE_DEFINE(virtnet_hotplug_failed);
COVERAGE_DEFINE(virtnet_unplug);

/* Works out the number of queue pairs from 'req'. */
static int
check_queues(const struct virtnet_hotplug_request *req,
             const struct virtnet_backend_caps *caps, uint16_t *queue_pairs,
             char **errp)
{
    unsigned long long int pairs;
    int error;

    if (req->has_queues == req->has_queue_pairs) {
        return virtnet_refuse(-EINVAL, errp, "exactly one of max_queues and "
                              "max_queue_pairs must be given");
    }
    if (req->has_queues && (req->queues < 3 || req->queues % 2 == 0)) {
        return virtnet_refuse(VIRTNET_E_QUEUES_INVALID, errp,
                              "%llu queues are not pairs of receive and "
                              "transmit queues and a control queue",
                              req->queues);
    }
    pairs = req->has_queues ? (req->queues - 1) / 2 : req->queue_pairs;
    error = virtnet_check_queue_pairs(pairs, caps, errp);
    if (!error) {
        *queue_pairs = pairs;
    }
    return error;
}

static int
check_sf(const struct virtnet_hotplug_request *req, uint32_t *sf_num,
         char **errp)
{
    if (req->has_sf_num) {
        if (req->sf_num < VIRTNET_SF_HOTPLUG_MIN
            || req->sf_num > VIRTNET_SF_HOTPLUG_MAX) {
            return virtnet_refuse(VIRTNET_E_SF_NUM_RANGE, errp,
                                  "SF number %llu is out of range",
                                  req->sf_num);
        }
        *sf_num = req->sf_num;
        if (!virtnet_sf_num_is_free(req->ib_device, *sf_num)) {
            return virtnet_refuse(VIRTNET_E_SF_NUM_IN_USE, errp,
                                  "SF number %"PRIu32" is taken", *sf_num);
        }
    } else if (!virtnet_find_sf_num(VIRTNET_HOTPLUG_PF, req->ib_device,
                                    sf_num)) {
        return virtnet_refuse(VIRTNET_E_SF_CREATE, errp,
                              "no SF number from %d to %d is free",
                              VIRTNET_SF_HOTPLUG_MIN, VIRTNET_SF_HOTPLUG_MAX);
    }
    return 0;
}

/* Checks 'req' as a whole and works out what it means. */
static int
check_request(const struct virtnet_hotplug_request *req,
              struct virtnet_device_config *config, uint32_t *sf_num,
              unsigned int *pf_id, char **errp)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    const struct virtnet_backend_caps *caps;
    int error;

    caps = backend->class->get_caps(backend);
    if (!req->ib_device || !req->mac) {
        return virtnet_refuse(-EINVAL, errp,
                              "ib_device and mac must be given");
    } else if (!virtnet_ib_device_lookup(req->ib_device)) {
        return virtnet_refuse(VIRTNET_E_PORT_CTX, errp, "no RDMA device %s",
                              req->ib_device);
    }
    config->features = virtnet_features_for(
        req->features ? req->features : caps->default_features,
        VIRTNET_HOTPLUG_PF, caps);
    if ((error = virtnet_check_mac(req->mac, NULL, &config->mac, errp))
        || (error = virtnet_check_mtu(req->mtu, req->ib_device, errp))
        || (error = check_queues(req, caps, &config->max_queue_pairs, errp))
        || (error = virtnet_check_queue_size(req->queue_size, errp))
        || (error = virtnet_check_features(config->features, caps, errp))) {
        return error;
    }
    if (req->bridge
        && (!*req->bridge || strlen(req->bridge) > MAX_BRIDGE_NAME)) {
        return virtnet_refuse(-EINVAL, errp, "the name of a bridge has 1 to "
                              "%d bytes", MAX_BRIDGE_NAME);
    }
    if (req->vhost_mode && strcmp(req->vhost_mode, "client")
        && strcmp(req->vhost_mode, "server")) {
        return virtnet_refuse(-EINVAL, errp, "vhost-mode \"%s\" is neither "
                              "\"client\" nor \"server\"", req->vhost_mode);
    } else if (caps->card && (req->vhost_path || req->vhost_mode)) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp,
                              "functions of a card have no sockets");
    }

    error = virtnet_check_hotplug_limit(errp);
    if (!error) {
        error = check_sf(req, sf_num, errp);
    }
    if (error) {
        return error;
    }
    *pf_id = virtnet_registry_free_pf_id();
    if (*pf_id >= VIRTNET_MAX_PFS) {
        return virtnet_refuse(VIRTNET_E_ID_RANGE, errp,
                              "all %d PF ids are in use", VIRTNET_MAX_PFS);
    }

    config->mtu = req->mtu;
    error = virtnet_check_together(config, caps, errp);
    if (error) {
        return error;
    }
    config->max_queue_size = req->queue_size;
    config->num_msix = virtnet_msix_for_queue_pairs(config->max_queue_pairs);
    config->speed = VIRTNET_DEFAULT_SPEED;
    config->link_up = true;
    config->transitional = req->transitional;
    return 0;
}

/* 'dev' is there, and is made known. */
static void
finish_hotplug(struct virtnet_device *dev)
{
    VLOG_INFO("hotplug PF[%u] %s: plugged, "VIRTNET_BDF_FMT", representor %s, "
              "%s %s", dev->pf_id, dev->vuid, VIRTNET_BDF_ARGS(dev->bdf),
              dev->rep_name, dev->attachment ? dev->attachment : "",
              dev->attachment_path ? dev->attachment_path : "");
    virtnet_notify(VIRTNET_EVENT_ADDED, dev);
}

/* Whoever waits for a device that comes or goes. */
struct waiter {
    virtnet_hotplug_cb *cb;     /* May be NULL. */
    void *aux;
};

static struct waiter *
waiter_create(virtnet_hotplug_cb *cb, void *aux)
{
    struct waiter *w = xmalloc(sizeof *w);

    *w = (struct waiter) { cb, aux };
    return w;
}

/* Tells 'w', and frees it. */
static void
waiter_tell(struct waiter *w, struct virtnet_device *dev, int error,
            const char *reason)
{
    if (w->cb) {
        w->cb(dev, error, reason, w->aux);
    }
    free(w);
}

static void
count_hotplug(int error)
{
    if (error) {
        COVERAGE_INC(virtnet_hotplug_failed);
    } else {
        COVERAGE_INC(virtnet_hotplug);
    }
}

/* A device that took its time is there, or not. */
static void
hotplugged(struct virtnet_device *dev, int error, const char *reason, void *w)
{
    if (!error) {
        finish_hotplug(dev);
    }
    count_hotplug(error);
    waiter_tell(w, dev, error, reason);
}

static int
hotplug(const struct virtnet_hotplug_request *req, virtnet_hotplug_cb *cb,
        void *aux, struct virtnet_device **devp, char **errp)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    struct virtnet_device_config config = { .mtu = 0 };
    struct virtnet_device *dev;
    struct waiter *waiter;
    unsigned int pf_id = 0;
    uint32_t sf_num = 0;
    int error;

    error = check_request(req, &config, &sf_num, &pf_id, errp);
    if (error) {
        return error;
    }

    dev = backend->class->device_alloc(backend, VIRTNET_HOTPLUG_PF);
    dev->pf_id = pf_id;
    dev->ib_device = xstrdup(req->ib_device);
    dev->sf_num = sf_num;
    dev->config = config;
    dev->bridge = nullable_xstrdup(req->bridge);
    dev->owner_port = nullable_xstrdup(req->owner_port);
    dev->attachment_path = nullable_xstrdup(req->vhost_path);
    dev->attachment_mode = (!req->vhost_mode ? NULL
                            : !strcmp(req->vhost_mode, "server") ? "server"
                            : "client");
    waiter = waiter_create(cb, aux);
    error = virtnet_bring_up(dev, false, true, hotplugged, waiter, errp);
    if (error == -EINPROGRESS) {
        return error;
    }
    free(waiter);
    if (!error) {
        finish_hotplug(dev);
        *devp = dev;
    }
    return error;
}

int
virtnet_controller_start_hotplug(const struct virtnet_hotplug_request *req,
                                 virtnet_hotplug_cb *cb, void *aux,
                                 struct virtnet_device **devp, char **errp)
{
    int error;

    *devp = NULL;
    *errp = NULL;
    error = virtnet_check_running(errp);
    if (error) {
        return error;
    }
    error = hotplug(req, cb, aux, devp, errp);
    if (error != -EINPROGRESS) {
        count_hotplug(error);
    }
    return error;
}

static void
finish_unplug(struct virtnet_device *dev)
{
    COVERAGE_INC(virtnet_unplug);
    VLOG_INFO("hotplug PF[%u] %s: unplugged", dev->pf_id, dev->vuid);
    virtnet_forget(dev);
    virtnet_bring_down(dev, false);
}

/* A device that took its time is unplugged, or not. */
static void
unplugged(struct virtnet_device *dev, int error, const char *reason, void *w)
{
    if (!error) {
        finish_unplug(dev);
        dev = NULL;
    }
    waiter_tell(w, dev, error, reason);
}

int
virtnet_controller_start_unplug(struct virtnet_device *dev, bool force,
                                virtnet_hotplug_cb *cb, void *aux,
                                char **errp)
{
    struct waiter *waiter;
    int error;

    *errp = NULL;
    if (dev->type != VIRTNET_HOTPLUG_PF) {
        return VIRTNET_E_DEV_NOT_HOTPLUGGED;
    }
    error = force ? 0 : virtnet_check_migrating(dev, false, errp);
    if (error) {
        return error;
    }
    waiter = waiter_create(cb, aux);
    error = virtnet_take_away(dev, force, unplugged, waiter, errp);
    if (error == -EINPROGRESS) {
        return error;
    }
    free(waiter);
    if (!error) {
        finish_unplug(dev);
    }
    return error;
}

int
virtnet_controller_unplug(struct virtnet_device *dev, bool force, char **errp)
{
    return virtnet_controller_start_unplug(dev, force, NULL, NULL, errp);
}
