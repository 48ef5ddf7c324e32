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

/* The controller.  See virtnet-controller.h. */

#include <config.h>

#include "virtnet-controller.h"

#include <errno.h>
#include <inttypes.h>

#include "bitmap.h"
#include "coverage.h"
#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "simap.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-recovery.h"

VLOG_DEFINE_THIS_MODULE(virtnet_controller);

COVERAGE_DEFINE(virtnet_hotplug);
COVERAGE_DEFINE(virtnet_hotplug_failed);
COVERAGE_DEFINE(virtnet_unplug);
COVERAGE_DEFINE(virtnet_restored);
COVERAGE_DEFINE(virtnet_restore_failed);

/* What the backend rests on (DPDK) is initialized in the first turns of the
 * main loop.  For this long (ms) its absence is no reason to tell anybody. */
#define START_GRACE_MS 2000

/* How often (ms) to try again to open a backend that is not ready. */
#define START_RETRY_MS 500

/* How long (ms) to bring back recorded devices in one turn of the main
 * loop. */
#define RESTORE_SLICE_MS 20

/* More functions than one host can have; bounds pf_id. */
#define MAX_PFS 4096

enum controller_state {
    CONTROLLER_UNCONFIGURED,    /* The settings are not known yet. */
    CONTROLLER_STARTING,        /* The backend is about to be ready. */
    CONTROLLER_RESTORING,       /* It is open; 'records' are coming back. */
    CONTROLLER_FAILED,          /* 'reason' says why; may try again. */
    CONTROLLER_RUNNING,
};

struct observer {
    virtnet_observer_cb *cb;
    void *aux;
};

static struct {
    enum controller_state state;
    bool exiting;
    char *reason;               /* CONTROLLER_FAILED: one line. */
    bool again;                 /* Will the backend be ready later? */
    long long int starting_since; /* time_msec(). */
    long long int next_try;     /* time_msec(). */

    struct virtnet_settings settings;
    struct smap other_config;   /* What 'settings' come from. */
    struct virtnet_backend *backend;
    struct virtnet_record **records; /* CONTROLLER_RESTORING. */
    size_t n_records, next_record, n_restored;

    struct ovs_list devices;    /* By list_node, in order of ids. */
    size_t n_devices;
    struct hmap by_vuid;        /* By vuid_node. */
    struct hmap by_pf;          /* By pf_node; PFs only. */
    struct hmap by_rep;         /* By rep_node. */
    unsigned long *pf_ids;      /* Bitmap of those in use. */
    unsigned long *hotplug_sfs; /* Bitmap, bit 0: VIRTNET_SF_HOTPLUG_MIN. */
    uint64_t seqno;

    struct observer *observers;
    size_t n_observers;
} ctl;

#define N_HOTPLUG_SFS (VIRTNET_SF_HOTPLUG_MAX - VIRTNET_SF_HOTPLUG_MIN + 1)

/* Observers. */

void
virtnet_controller_add_observer(virtnet_observer_cb *cb, void *aux)
{
    ctl.observers = xrealloc(ctl.observers,
                             (ctl.n_observers + 1) * sizeof *ctl.observers);
    ctl.observers[ctl.n_observers++] = (struct observer) { cb, aux };
}

static void
notify(enum virtnet_event event, struct virtnet_device *dev)
{
    ctl.seqno++;
    for (size_t i = 0; i < ctl.n_observers; i++) {
        ctl.observers[i].cb(event, dev, ctl.observers[i].aux);
    }
}

void
virtnet_controller_device_changed(struct virtnet_device *dev)
{
    /* A device that is not in the registry is none of anybody's business. */
    if (!ovs_list_is_empty(&dev->list_node)) {
        notify(VIRTNET_EVENT_CHANGED, dev);
    }
}

uint64_t
virtnet_controller_seqno(void)
{
    return ctl.seqno;
}

/* Registry. */

struct ovs_list *
virtnet_controller_devices__(void)
{
    return &ctl.devices;
}

size_t
virtnet_controller_n_devices(void)
{
    return ctl.n_devices;
}

struct virtnet_device *
virtnet_device_by_vuid(const char *vuid)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, vuid_node, hash_string(vuid, 0),
                             &ctl.by_vuid) {
        if (!strcmp(dev->vuid, vuid)) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_pf(unsigned int pf_id)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, pf_node, hash_int(pf_id, 0), &ctl.by_pf) {
        if (dev->pf_id == pf_id) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_vf(unsigned int pf_id, unsigned int vf_id)
{
    struct virtnet_device *dev;

    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (dev->type == VIRTNET_VF && dev->pf_id == pf_id
            && dev->vf_id == vf_id) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_rep(const char *rep_name)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, rep_node, hash_string(rep_name, 0),
                             &ctl.by_rep) {
        if (!strcmp(dev->rep_name, rep_name)) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_owner(const char *port_name)
{
    struct virtnet_device *dev;

    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (dev->owner_port && !strcmp(dev->owner_port, port_name)) {
            return dev;
        }
    }
    return NULL;
}

/* Takes, or gives back, the numbers that 'dev' has. */
static void
registry_set_numbers(const struct virtnet_device *dev, bool used)
{
    if (dev->type != VIRTNET_VF && dev->pf_id < MAX_PFS) {
        bitmap_set(ctl.pf_ids, dev->pf_id, used);
    }
    if (dev->sf_num >= VIRTNET_SF_HOTPLUG_MIN
        && dev->sf_num <= VIRTNET_SF_HOTPLUG_MAX) {
        bitmap_set(ctl.hotplug_sfs, dev->sf_num - VIRTNET_SF_HOTPLUG_MIN,
                   used);
    }
}

/* Does 'a' come before 'b' where devices are listed? */
static bool
device_is_before(const struct virtnet_device *a,
                 const struct virtnet_device *b)
{
    if (a->pf_id != b->pf_id) {
        return a->pf_id < b->pf_id;
    } else if ((a->type == VIRTNET_VF) != (b->type == VIRTNET_VF)) {
        return b->type == VIRTNET_VF;
    }
    return a->vf_id < b->vf_id;
}

static void
registry_insert(struct virtnet_device *dev)
{
    struct virtnet_device *next;
    struct ovs_list *before = &ctl.devices;

    /* Nearly always, the place is at the end. */
    LIST_FOR_EACH_REVERSE (next, list_node, &ctl.devices) {
        if (device_is_before(next, dev)) {
            break;
        }
        before = &next->list_node;
    }
    ovs_list_insert(before, &dev->list_node);
    ctl.n_devices++;
    hmap_insert(&ctl.by_vuid, &dev->vuid_node, hash_string(dev->vuid, 0));
    hmap_insert(&ctl.by_rep, &dev->rep_node, hash_string(dev->rep_name, 0));
    if (dev->type != VIRTNET_VF) {
        hmap_insert(&ctl.by_pf, &dev->pf_node, hash_int(dev->pf_id, 0));
    }
}

static void
registry_remove(struct virtnet_device *dev)
{
    ovs_list_remove(&dev->list_node);
    ovs_list_init(&dev->list_node);
    ctl.n_devices--;
    hmap_remove(&ctl.by_vuid, &dev->vuid_node);
    hmap_remove(&ctl.by_rep, &dev->rep_node);
    if (dev->type != VIRTNET_VF) {
        hmap_remove(&ctl.by_pf, &dev->pf_node);
    }
    registry_set_numbers(dev, false);
}

/* Steps that every device goes through; see "Life Cycle" in
 * virtnet-backend-provider.h. */

/* Constructs and plugs 'dev', whose identity and configuration are filled in,
 * and adds it to the registry.  On failure undoes everything and drops the
 * caller's reference. */
static int
device_bring_up(struct virtnet_device *dev, char **errp)
{
    const struct virtnet_backend_class *class = dev->backend->class;
    int error;

    registry_set_numbers(dev, true);
    error = class->device_construct(dev, errp);
    if (error) {
        goto error;
    }
    if (virtnet_device_by_vuid(dev->vuid)) {
        *errp = xasprintf("%s exists already", dev->vuid);
        error = -EEXIST;
        goto error_destruct;
    }
    error = class->sf_create(dev, errp);
    if (error) {
        goto error_destruct;
    }
    if (virtnet_device_by_rep(dev->rep_name)) {
        *errp = xasprintf("representor %s exists already", dev->rep_name);
        error = VIRTNET_E_SF_NUM_IN_USE;
        goto error_sf;
    }
    error = class->device_plug(dev, errp);
    if (error) {
        goto error_sf;
    }
    registry_insert(dev);
    return 0;

error_sf:
    class->sf_destroy(dev);
error_destruct:
    class->device_destruct(dev);
error:
    registry_set_numbers(dev, false);
    virtnet_device_unref(dev);
    return error;
}

/* Takes 'dev', whose function has been unplugged, apart. */
static void
device_bring_down(struct virtnet_device *dev)
{
    const struct virtnet_backend_class *class = dev->backend->class;

    dev->state = VIRTNET_STATE_UNPLUGGED;
    notify(VIRTNET_EVENT_REMOVED, dev);
    registry_remove(dev);
    class->sf_destroy(dev);
    class->device_destruct(dev);
    virtnet_device_unref(dev);
}

/* Hotplug. */

static int OVS_PRINTF_FORMAT(3, 4)
refuse(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

static const struct virtnet_ib_device *
ib_device_lookup(const char *name)
{
    const struct virtnet_ib_device *devs;
    size_t n = ctl.backend->class->get_ib_devices(ctl.backend, &devs);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(devs[i].name, name)) {
            return &devs[i];
        }
    }
    return NULL;
}

/* Parses the MAC address of 'req' and checks that no other device has it. */
static int
hotplug_check_mac(const struct virtnet_hotplug_request *req,
                  struct eth_addr *mac, char **errp)
{
    struct virtnet_device *dev;

    if (strlen(req->mac) != ETH_ADDR_STRLEN
        || !eth_addr_from_string(req->mac, mac)
        || eth_addr_is_zero(*mac) || eth_addr_is_multicast(*mac)) {
        return refuse(VIRTNET_E_MAC_INVALID, errp,
                      "\"%s\" is not a unicast MAC address", req->mac);
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (eth_addr_equals(dev->config.mac, *mac)) {
            return refuse(VIRTNET_E_MAC_INVALID, errp,
                          "%s has the MAC address %s already",
                          dev->vuid, req->mac);
        }
    }
    return 0;
}

/* Works out the number of queue pairs from 'req'. */
static int
hotplug_check_queues(const struct virtnet_hotplug_request *req,
                     const struct virtnet_backend_caps *caps,
                     uint16_t *queue_pairs, char **errp)
{
    unsigned long long int max_queues = caps->max_virt_queues;
    unsigned long long int pairs;

    if (req->has_queues == req->has_queue_pairs) {
        return refuse(-EINVAL, errp, "exactly one of max_queues and "
                      "max_queue_pairs must be given");
    }
    if (req->has_queues && (req->queues < 3 || req->queues % 2 == 0)) {
        return refuse(VIRTNET_E_QUEUES_INVALID, errp,
                      "%llu queues are not pairs of receive and transmit "
                      "queues and a control queue", req->queues);
    }
    pairs = req->has_queues ? (req->queues - 1) / 2 : req->queue_pairs;
    if (pairs < 1 || pairs > VIRTNET_MAX_QUEUE_PAIRS
        || 2 * pairs + 1 > max_queues) {
        return refuse(VIRTNET_E_QUEUES_INVALID, errp,
                      "the number of queue pairs must be from 1 to %llu",
                      MIN((max_queues - 1) / 2, VIRTNET_MAX_QUEUE_PAIRS));
    }
    *queue_pairs = pairs;
    return 0;
}

/* Features that make sense only with another; VIRTIO 1.2, section
 * 5.1.3.1. */
static const struct {
    uint8_t bit;
    uint8_t needs;
} FEATURE_DEPENDENCIES[] = {
    { 7, 1 },                   /* GUEST_TSO4 needs GUEST_CSUM. */
    { 8, 1 },                   /* GUEST_TSO6 likewise. */
    { 11, 0 },                  /* HOST_TSO4 needs CSUM. */
    { 12, 0 },                  /* HOST_TSO6 likewise. */
    { 18, 17 },                 /* CTRL_RX needs CTRL_VQ. */
    { 19, 17 },                 /* CTRL_VLAN. */
    { 21, 17 },                 /* GUEST_ANNOUNCE. */
    { 22, 17 },                 /* MQ. */
    { 23, 17 },                 /* CTRL_MAC_ADDR. */
};

static int
check_features(uint64_t features, const struct virtnet_backend_caps *caps,
               char **errp)
{
    uint64_t unsupported = features & ~caps->supported_features;

    if (unsupported) {
        return refuse(VIRTNET_E_FEATURE_VALIDATE, errp,
                      "feature bits 0x%"PRIx64" are not supported",
                      unsupported);
    }
    for (size_t i = 0; i < ARRAY_SIZE(FEATURE_DEPENDENCIES); i++) {
        uint8_t bit = FEATURE_DEPENDENCIES[i].bit;
        uint8_t needs = FEATURE_DEPENDENCIES[i].needs;

        if (features & (UINT64_C(1) << bit)
            && !(features & (UINT64_C(1) << needs))) {
            return refuse(VIRTNET_E_FEATURE_VALIDATE, errp,
                          "feature bit %"PRIu8" needs bit %"PRIu8, bit,
                          needs);
        }
    }
    return 0;
}

static int
hotplug_check_sf(const struct virtnet_hotplug_request *req, uint32_t *sf_num,
                 char **errp)
{
    if (req->has_sf_num) {
        if (req->sf_num < VIRTNET_SF_HOTPLUG_MIN
            || req->sf_num > VIRTNET_SF_HOTPLUG_MAX) {
            return refuse(VIRTNET_E_SF_NUM_RANGE, errp,
                          "SF number %llu is out of range", req->sf_num);
        }
        *sf_num = req->sf_num;
        if (bitmap_is_set(ctl.hotplug_sfs,
                          *sf_num - VIRTNET_SF_HOTPLUG_MIN)) {
            return refuse(VIRTNET_E_SF_NUM_IN_USE, errp,
                          "SF number %"PRIu32" is taken", *sf_num);
        }
    } else {
        size_t i = bitmap_scan(ctl.hotplug_sfs, 0, 0, N_HOTPLUG_SFS);

        if (i >= N_HOTPLUG_SFS) {
            return refuse(VIRTNET_E_SF_CREATE, errp,
                          "no SF number from %d to %d is free",
                          VIRTNET_SF_HOTPLUG_MIN, VIRTNET_SF_HOTPLUG_MAX);
        }
        *sf_num = VIRTNET_SF_HOTPLUG_MIN + i;
    }
    return 0;
}

/* Checks 'req' as a whole and works out what it means. */
static int
hotplug_check(const struct virtnet_hotplug_request *req,
              struct virtnet_device_config *config, uint32_t *sf_num,
              unsigned int *pf_id, char **errp)
{
    const struct virtnet_backend_caps *caps;
    struct virtnet_device *dev;
    unsigned int n_hotplug = 0;
    int error;

    caps = ctl.backend->class->get_caps(ctl.backend);

    if (!req->ib_device || !req->mac) {
        return refuse(-EINVAL, errp, "ib_device and mac must be given");
    } else if (!ib_device_lookup(req->ib_device)) {
        return refuse(VIRTNET_E_PORT_CTX, errp, "no RDMA device %s",
                      req->ib_device);
    }
    error = hotplug_check_mac(req, &config->mac, errp);
    if (error) {
        return error;
    }
    if (req->mtu < VIRTNET_MTU_MIN || req->mtu > VIRTNET_MTU_MAX) {
        return refuse(VIRTNET_E_MTU_INVALID, errp,
                      "MTU %llu is not from %d to %d", req->mtu,
                      VIRTNET_MTU_MIN, VIRTNET_MTU_MAX);
    }
    error = hotplug_check_queues(req, caps, &config->max_queue_pairs, errp);
    if (error) {
        return error;
    }
    if (req->queue_size < VIRTNET_QUEUE_SIZE_MIN
        || !IS_POW2(req->queue_size)) {
        return refuse(VIRTNET_E_QUEUE_SIZE_POW2, errp, "queue size is %llu",
                      req->queue_size);
    } else if (req->queue_size > VIRTNET_QUEUE_SIZE_MAX) {
        return refuse(VIRTNET_E_QUEUE_SIZE, errp,
                      "queue size %llu is above %d", req->queue_size,
                      VIRTNET_QUEUE_SIZE_MAX);
    }
    config->features = ((req->features ? req->features
                         : caps->default_features)
                        | caps->required_features);
    error = check_features(config->features, caps, errp);
    if (error) {
        return error;
    }
    if (req->vhost_mode && strcmp(req->vhost_mode, "client")
        && strcmp(req->vhost_mode, "server")) {
        return refuse(-EINVAL, errp, "vhost-mode \"%s\" is neither "
                      "\"client\" nor \"server\"", req->vhost_mode);
    }

    VIRTNET_FOR_EACH_DEVICE (dev) {
        n_hotplug += dev->type == VIRTNET_HOTPLUG_PF;
    }
    if (n_hotplug >= caps->max_hotplug_devices) {
        return refuse(VIRTNET_E_ID_RANGE, errp,
                      "all %u ports for hotplug devices are in use",
                      caps->max_hotplug_devices);
    }
    error = hotplug_check_sf(req, sf_num, errp);
    if (error) {
        return error;
    }
    *pf_id = bitmap_scan(ctl.pf_ids, 0, 0, MAX_PFS);
    if (*pf_id >= MAX_PFS) {
        return refuse(VIRTNET_E_ID_RANGE, errp, "all %d PF ids are in use",
                      MAX_PFS);
    }

    config->mtu = req->mtu;
    config->max_queue_size = req->queue_size;
    config->num_msix = 2 * config->max_queue_pairs + 2;
    config->speed = VIRTNET_DEFAULT_SPEED;
    config->link_up = true;
    config->transitional = req->transitional;
    return 0;
}

int
virtnet_controller_hotplug(const struct virtnet_hotplug_request *req,
                           struct virtnet_device **devp, char **errp)
{
    struct virtnet_device_config config = { .mtu = 0 };
    struct virtnet_device *dev;
    const char *reason;
    unsigned int pf_id = 0;
    uint32_t sf_num = 0;
    int error;

    *devp = NULL;
    *errp = NULL;
    if (!virtnet_controller_is_running(&reason)) {
        return refuse(-ENODEV, errp, "%s",
                      reason ? reason : "the controller is starting");
    }
    error = hotplug_check(req, &config, &sf_num, &pf_id, errp);
    if (error) {
        goto error;
    }

    dev = ctl.backend->class->device_alloc(ctl.backend, VIRTNET_HOTPLUG_PF);
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
    error = device_bring_up(dev, errp);
    if (error) {
        goto error;
    }
    if (ctl.settings.recovery) {
        error = virtnet_recovery_save(dev, ctl.settings.recovery_dir);
        if (error) {
            *errp = xasprintf("no record can be kept in %s",
                              ctl.settings.recovery_dir);
            ctl.backend->class->device_unplug(dev, true, errp);
            device_bring_down(dev);
            goto error;
        }
    }

    COVERAGE_INC(virtnet_hotplug);
    VLOG_INFO("hotplug PF[%u] %s: plugged, "VIRTNET_BDF_FMT", representor %s, "
              "%s %s", dev->pf_id, dev->vuid, VIRTNET_BDF_ARGS(dev->bdf),
              dev->rep_name, dev->attachment ? dev->attachment : "",
              dev->attachment_path ? dev->attachment_path : "");
    notify(VIRTNET_EVENT_ADDED, dev);
    *devp = dev;
    return 0;

error:
    COVERAGE_INC(virtnet_hotplug_failed);
    return error;
}

int
virtnet_controller_unplug(struct virtnet_device *dev, bool force, char **errp)
{
    int error;

    *errp = NULL;
    if (dev->type != VIRTNET_HOTPLUG_PF) {
        return VIRTNET_E_DEV_NOT_HOTPLUGGED;
    }
    error = dev->backend->class->device_unplug(dev, force, errp);
    if (error) {
        return error;
    }

    COVERAGE_INC(virtnet_unplug);
    VLOG_INFO("hotplug PF[%u] %s: unplugged", dev->pf_id, dev->vuid);
    if (ctl.settings.recovery) {
        virtnet_recovery_delete(dev->vuid, ctl.settings.recovery_dir);
    }
    device_bring_down(dev);
    return 0;
}

/* Start and stop. */

/* Brings back the device of 'record'. */
static int
restore_device(const struct virtnet_record *record, char **errp)
{
    const struct virtnet_backend_class *class = ctl.backend->class;
    struct virtnet_device *dev;
    int error;

    if (record->type == VIRTNET_VF || record->pf_id >= MAX_PFS) {
        return -ENOTSUP;
    } else if (bitmap_is_set(ctl.pf_ids, record->pf_id)) {
        return refuse(-EEXIST, errp, "PF id %u is taken", record->pf_id);
    } else if (!ib_device_lookup(record->ib_device)) {
        return refuse(VIRTNET_E_PORT_CTX, errp, "no RDMA device %s",
                      record->ib_device);
    }
    error = check_features(record->config.features,
                           class->get_caps(ctl.backend), errp);
    if (error) {
        return error;
    }

    dev = class->device_alloc(ctl.backend, record->type);
    virtnet_record_to_device(record, dev);
    if (class->restore) {
        error = class->restore(dev, &record->backend, errp);
        if (error) {
            virtnet_device_unref(dev);
            return error;
        }
    }
    error = device_bring_up(dev, errp);
    if (!error) {
        notify(VIRTNET_EVENT_ADDED, dev);
    }
    return error;
}

/* Brings back recorded devices for a while, so that the main loop is never
 * away for long however many there are.  Returns true when that was all. */
static bool
restore_some(void)
{
    long long int deadline = time_msec() + RESTORE_SLICE_MS;

    while (ctl.next_record < ctl.n_records) {
        const struct virtnet_record *record = ctl.records[ctl.next_record++];
        char *detail = NULL;
        int error = restore_device(record, &detail);

        if (error) {
            /* The record is kept: whatever is in the way may go. */
            COVERAGE_INC(virtnet_restore_failed);
            VLOG_ERR("%s: not restored: %s (%d)%s%s", record->vuid,
                     virtnet_strerror(error), error, detail ? ": " : "",
                     detail ? detail : "");
            free(detail);
        } else {
            COVERAGE_INC(virtnet_restored);
            ctl.n_restored++;
        }
        if (time_msec() >= deadline) {
            break;
        }
    }
    if (ctl.next_record < ctl.n_records) {
        return false;
    }
    if (ctl.n_records) {
        VLOG_INFO("%"PRIuSIZE" of %"PRIuSIZE" devices restored from %s",
                  ctl.n_restored, ctl.n_records, ctl.settings.recovery_dir);
    }
    virtnet_records_destroy(ctl.records, ctl.n_records);
    ctl.records = NULL;
    ctl.n_records = ctl.next_record = ctl.n_restored = 0;
    return true;
}

static void
adopt_function(struct virtnet_device *dev, void *aux OVS_UNUSED)
{
    registry_set_numbers(dev, true);
    registry_insert(dev);
    notify(VIRTNET_EVENT_ADDED, dev);
}

static void
controller_fail(char *reason, bool again)
{
    bool news = (ctl.state != CONTROLLER_FAILED
                 || strcmp(ctl.reason, reason));

    free(ctl.reason);
    ctl.reason = reason;
    ctl.again = again;
    ctl.next_try = time_msec() + START_RETRY_MS;
    ctl.state = CONTROLLER_FAILED;
    if (news) {
        /* A switch without DPDK, or one that waits for another to go, has not
         * asked for any of this.  Commands and ports say the reason. */
        VLOG(again ? VLL_DBG : VLL_WARN,
             "the controller does not run: %s", reason);
        notify(VIRTNET_EVENT_STARTED, NULL);
    }
}

static void
controller_start(void)
{
    const struct virtnet_backend_class *class;
    struct virtnet_backend *backend;
    char *detail = NULL;
    int error;

    if (!ctl.settings.enable || !ctl.settings.emulation_enable) {
        controller_fail(xasprintf(
            "other_config:%s is false",
            !ctl.settings.enable ? "virtnet-enable"
            : "virtnet-emulation-enable"), false);
        return;
    }
    class = virtnet_backend_lookup_class(ctl.settings.backend);
    if (!class) {
        controller_fail(xasprintf("other_config:virtnet-backend: there is no "
                                  "backend \"%s\"", ctl.settings.backend),
                        false);
        return;
    }
    error = class->open(&ctl.settings, &backend, &detail);
    if (error == -EAGAIN && ctl.state == CONTROLLER_STARTING
        && time_msec() < ctl.starting_since + START_GRACE_MS) {
        free(detail);
        return;
    } else if (error) {
        controller_fail(detail ? detail
                        : xasprintf("backend %s: %s", class->type,
                                    virtnet_strerror(error)),
                        error == -EAGAIN);
        return;
    }

    ctl.backend = backend;
    ctl.state = CONTROLLER_RESTORING;
    if (class->enumerate) {
        error = class->enumerate(backend, adopt_function, NULL, &detail);
        if (error) {
            VLOG_ERR("backend %s: functions cannot be enumerated: %s",
                     class->type, detail ? detail : virtnet_strerror(error));
            free(detail);
        }
    }
    if (ctl.settings.recovery) {
        ctl.n_records = virtnet_recovery_load_all(ctl.settings.recovery_dir,
                                                  &ctl.records);
    }
}

/* All recorded devices are back. */
static void
controller_started(void)
{
    ctl.state = CONTROLLER_RUNNING;
    VLOG_INFO("controller started: backend %s, %"PRIuSIZE" devices",
              ctl.backend->class->type, ctl.n_devices);
    notify(VIRTNET_EVENT_STARTED, NULL);
}

void
virtnet_controller_init(void)
{
    smap_init(&ctl.other_config);
    ovs_list_init(&ctl.devices);
    hmap_init(&ctl.by_vuid);
    hmap_init(&ctl.by_pf);
    hmap_init(&ctl.by_rep);
    ctl.pf_ids = bitmap_allocate(MAX_PFS);
    ctl.hotplug_sfs = bitmap_allocate(N_HOTPLUG_SFS);
    virtnet_settings_from_smap(&ctl.settings, NULL, false);
}

void
virtnet_controller_configure(const struct smap *other_config)
{
    bool first = ctl.state == CONTROLLER_UNCONFIGURED;

    if (!first && smap_equal(&ctl.other_config, other_config)) {
        return;
    }
    smap_destroy(&ctl.other_config);
    smap_clone(&ctl.other_config, other_config);
    virtnet_settings_from_smap(&ctl.settings, other_config,
                               ctl.backend != NULL);
    if (!ctl.backend) {
        if (first) {
            ctl.state = CONTROLLER_STARTING;
            ctl.starting_since = time_msec();
        }
        ctl.again = true;
        ctl.next_try = 0;
    }
    ctl.seqno++;
}

void
virtnet_controller_run(void)
{
    if (ctl.exiting) {
        return;
    }
    if (ctl.state == CONTROLLER_STARTING
        || (ctl.state == CONTROLLER_FAILED && ctl.again
            && time_msec() >= ctl.next_try)) {
        controller_start();
    }
    if (ctl.state == CONTROLLER_RESTORING && restore_some()) {
        controller_started();
    }
    if (ctl.backend && ctl.backend->class->run) {
        ctl.backend->class->run(ctl.backend);
    }
}

void
virtnet_controller_wait(void)
{
    if (ctl.exiting) {
        return;
    }
    switch (ctl.state) {
    case CONTROLLER_UNCONFIGURED:
        break;
    case CONTROLLER_STARTING:
        poll_timer_wait(10);
        break;
    case CONTROLLER_FAILED:
        if (ctl.again) {
            poll_timer_wait_until(ctl.next_try);
        }
        break;
    case CONTROLLER_RESTORING:
        poll_immediate_wake();
        break;
    case CONTROLLER_RUNNING:
        if (ctl.backend->class->wait) {
            ctl.backend->class->wait(ctl.backend);
        }
        break;
    }
}

void
virtnet_controller_exit(void)
{
    ctl.exiting = true;
    if (ctl.backend) {
        /* Devices are not unplugged: they come back with the next process.
         * They stay in the registry for the ports that are about to close. */
        ctl.backend->class->close(ctl.backend, true);
    }
}

bool
virtnet_controller_exiting(void)
{
    return ctl.exiting;
}

bool
virtnet_controller_is_running(const char **reason)
{
    if (reason) {
        *reason = ctl.state == CONTROLLER_FAILED ? ctl.reason : NULL;
    }
    return ctl.state == CONTROLLER_RUNNING;
}

const struct virtnet_settings *
virtnet_controller_settings(void)
{
    return &ctl.settings;
}

struct virtnet_backend *
virtnet_controller_backend(void)
{
    return ctl.backend;
}

void
virtnet_controller_get_memory_usage(struct simap *usage)
{
    simap_increase(usage, "virtnet-devices", ctl.n_devices);
}
