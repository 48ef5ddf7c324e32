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

/* What every device goes through.  See virtnet-life.h. */

#include <config.h>

#include "virtnet-life.h"

#include <errno.h>

#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-events.h"
#include "virtnet-recovery.h"
#include "virtnet-registry.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(virtnet_life);

struct virtnet_sf_pool virtnet_sfs;

enum virtnet_fault virtnet_next_fault;

bool
virtnet_fault_strikes(enum virtnet_fault fault, char **errp)
{
    if (virtnet_next_fault != fault) {
        return false;
    }
    virtnet_next_fault = VIRTNET_FAULT_NONE;
    if (errp) {
        *errp = xstrdup("forced by virtnet/debug");
    }
    return true;
}

int
virtnet_refuse(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

int
virtnet_check_running(char **errp)
{
    const char *reason;

    return (virtnet_controller_is_running(&reason) ? 0
            : virtnet_refuse(-ENODEV, errp, "%s", reason ? reason
                             : "the controller is starting"));
}

const struct virtnet_ib_device *
virtnet_ib_device_lookup(const char *name)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();
    const struct virtnet_ib_device *devs;
    size_t n = backend->class->get_ib_devices(backend, &devs);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(devs[i].name, name)) {
            return &devs[i];
        }
    }
    return NULL;
}

bool
virtnet_sf_num_is_free(const char *ib_device, uint32_t sf_num)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();

    return (virtnet_registry_sf_num_is_free(sf_num)
            && (!backend->class->sf_num_is_free
                || backend->class->sf_num_is_free(backend, ib_device,
                                                  sf_num)));
}

bool
virtnet_find_sf_num(enum virtnet_function_type type, const char *ib_device,
                    uint32_t *sf_num)
{
    uint32_t min = 0;

    while (virtnet_registry_free_sf_num(type, min, sf_num)) {
        if (virtnet_sf_num_is_free(ib_device, *sf_num)) {
            return true;
        }
        min = *sf_num + 1;
    }
    return false;
}

/* Are the devices somebody else's to remember? */
static bool
is_external(void)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();

    return backend && backend->class->get_caps(backend)->external;
}

/* Records. */

int
virtnet_save(const struct virtnet_device *dev, virtnet_record_cb *cb,
             void *aux)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    int error;

    if (virtnet_fault_strikes(VIRTNET_FAULT_RECORD, NULL)) {
        return VIRTNET_E_REC_CFG_SAVE;
    } else if (!s->recovery || is_external()) {
        return 0;
    }
    error = virtnet_recovery_save(dev, s->recovery_dir, cb, aux);
    return error || !cb ? error : -EINPROGRESS;
}

int
virtnet_refuse_unrecorded(int error, char **errp)
{
    return virtnet_refuse(error, errp, "no record can be kept in %s",
                          virtnet_controller_settings()->recovery_dir);
}

void
virtnet_forget(const struct virtnet_device *dev)
{
    const struct virtnet_settings *s = virtnet_controller_settings();

    if (s->recovery && !is_external()) {
        virtnet_recovery_delete(dev->vuid, s->recovery_dir);
    }
}

/* Steps. */

enum step {
    STEP_CONSTRUCT,
    STEP_SF,
    STEP_PLUG,
    STEP_RECORD,
    N_STEPS,                    /* There is nothing more to be made. */
    STEP_UNPLUG = N_STEPS,
};

static const char *const step_names[] = {
    [STEP_CONSTRUCT] = "construct",
    [STEP_SF] = "SF",
    [STEP_PLUG] = "plug",
    [STEP_UNPLUG] = "unplug",
};

/* A device that is on its way: into the registry, or out of it. */
struct virtnet_life {
    struct ovs_list node;       /* In 'lives'. */
    struct virtnet_device *dev;
    enum step step;             /* That is being taken. */
    bool record;                /* Is STEP_RECORD to be taken? */
    virtnet_life_cb *cb;        /* May be NULL. */
    void *aux;
};

static struct ovs_list lives = OVS_LIST_INITIALIZER(&lives);

static struct virtnet_life *
life_create(struct virtnet_device *dev, enum step step, virtnet_life_cb *cb,
            void *aux)
{
    struct virtnet_life *life = xmalloc(sizeof *life);

    ovs_assert(!dev->life);
    *life = (struct virtnet_life) {
        .dev = dev, .step = step, .cb = cb, .aux = aux,
    };
    ovs_list_push_back(&lives, &life->node);
    dev->life = life;
    return life;
}

/* The current step goes on beside the main loop.  VFs come in numbers: each of
 * them is an event when it is there.  Files are nobody's business. */
static void
life_goes_on(const struct virtnet_life *life)
{
    if (life->dev->type != VIRTNET_VF && life->step != STEP_RECORD) {
        virtnet_events_step(life->dev, step_names[life->step]);
    }
}

static void
life_destroy(struct virtnet_life *life)
{
    ovs_list_remove(&life->node);
    life->dev->life = NULL;
    free(life);
}

bool
virtnet_life_is_busy(void)
{
    return !ovs_list_is_empty(&lives);
}

void
virtnet_life_count(unsigned int *n_coming, unsigned int *n_going,
                   unsigned int *n_changing)
{
    const struct virtnet_life *life;

    *n_coming = *n_going = 0;
    LIST_FOR_EACH (life, node, &lives) {
        ++*(life->step < N_STEPS ? n_coming : n_going);
    }
    *n_changing = virtnet_n_changing();
}

unsigned int
virtnet_n_making(enum virtnet_function_type type)
{
    const struct virtnet_life *life;
    unsigned int n = 0;

    LIST_FOR_EACH (life, node, &lives) {
        n += life->step < N_STEPS && life->dev->type == type;
    }
    return n;
}

const struct virtnet_device *
virtnet_making_by_mac(const struct eth_addr mac)
{
    const struct virtnet_life *life;

    LIST_FOR_EACH (life, node, &lives) {
        if (life->step < N_STEPS
            && eth_addr_equals(life->dev->config.mac, mac)) {
            return life->dev;
        }
    }
    return NULL;
}

const struct virtnet_device *
virtnet_making_by_owner(const char *port_name)
{
    const struct virtnet_life *life;

    LIST_FOR_EACH (life, node, &lives) {
        if (life->step < N_STEPS && life->dev->owner_port
            && !strcmp(life->dev->owner_port, port_name)) {
            return life->dev;
        }
    }
    return NULL;
}

/* The record of 'dev' is written, or not. */
static void
life_recorded(int error, void *dev)
{
    char *reason = NULL;

    if (error) {
        virtnet_refuse_unrecorded(error, &reason);
    }
    virtnet_device_step_done(dev, error, reason);
    free(reason);
}

static int
take_record_step(struct virtnet_device *dev, char **errp)
{
    int error = dev->life->record ? virtnet_save(dev, life_recorded, dev) : 0;

    return (error && error != -EINPROGRESS
            ? virtnet_refuse_unrecorded(error, errp) : error);
}

static int
take_step(struct virtnet_device *dev, enum step step, char **errp)
{
    const struct virtnet_backend_class *class = dev->backend->class;

    switch (step) {
    case STEP_CONSTRUCT:
        return class->device_construct(dev, errp);
    case STEP_SF:
        return (virtnet_fault_strikes(VIRTNET_FAULT_SF, errp)
                ? VIRTNET_E_SF_CREATE
                : class->sf_create(dev, errp));
    case STEP_PLUG:
        return (virtnet_fault_strikes(VIRTNET_FAULT_HOTPLUG, errp)
                ? VIRTNET_E_BACKEND_HOTPLUG : class->device_plug(dev, errp));
    case STEP_RECORD:
        return take_record_step(dev, errp);
    case STEP_UNPLUG:
        break;
    }
    OVS_NOT_REACHED();
}

/* Is what the backend has filled in another device's already? */
static int
check_identity(const struct virtnet_device *dev, char **errp)
{
    const struct virtnet_life *life;

    /* Records have the names of VUIDs. */
    LIST_FOR_EACH (life, node, &lives) {
        if (life->step == STEP_RECORD && life->dev != dev && dev->vuid
            && !strcmp(life->dev->vuid, dev->vuid)) {
            return virtnet_refuse(-EEXIST, errp, "%s is being made",
                                  dev->vuid);
        }
    }
    if (dev->vuid && virtnet_device_by_vuid(dev->vuid)) {
        return virtnet_refuse(-EEXIST, errp, "%s exists already", dev->vuid);
    } else if (dev->life->step >= STEP_SF
               && virtnet_device_by_rep(dev->rep_name)) {
        return virtnet_refuse(VIRTNET_E_SF_NUM_IN_USE, errp,
                              "representor %s exists already", dev->rep_name);
    }
    return 0;
}

/* Undoes the first 'n' steps. */
static void
undo_steps(struct virtnet_device *dev, int n)
{
    const struct virtnet_backend_class *class = dev->backend->class;
    char *ignored = NULL;

    if (n > STEP_PLUG) {
        class->device_unplug(dev, true, &ignored);
        free(ignored);
    }
    if (n > STEP_SF) {
        class->sf_destroy(dev);
    }
    if (n > STEP_CONSTRUCT) {
        class->device_destruct(dev);
    }
}

/* Goes on making 'dev'.  With 'taken', its current step has come out as
 * 'error'; without, it is to be taken now.  Returns -EINPROGRESS if a step
 * takes its time.  Otherwise 'dev' is in the registry, or gone. */
static int
go_on(struct virtnet_device *dev, bool taken, int error, char **errp)
{
    struct virtnet_life *life = dev->life;
    int n_done = life->step;

    for (;;) {
        if (!taken) {
            error = take_step(dev, life->step, errp);
            if (error == -EINPROGRESS) {
                life_goes_on(life);
                return error;
            }
        }
        taken = false;
        if (!error) {
            n_done++;
            error = check_identity(dev, errp);
        }
        if (error || n_done == N_STEPS) {
            break;
        }
        life->step = n_done;
    }

    life_destroy(life);
    if (error) {
        undo_steps(dev, n_done);
        virtnet_registry_release_numbers(dev);
        virtnet_sf_pool_give(&virtnet_sfs, true);
        virtnet_device_unref(dev);
    } else {
        virtnet_registry_insert(dev);
    }
    return error;
}

int
virtnet_bring_up(struct virtnet_device *dev, bool back, bool record,
                 virtnet_life_cb *cb, void *aux, char **errp)
{
    int error;

    error = virtnet_sf_pool_take(&virtnet_sfs, back);
    if (error) {
        virtnet_refuse(error, errp, error == VIRTNET_E_SF_POOL_BUSY
                       ? "SFs are being made in advance"
                       : "all %u SFs (other_config:virtnet-pf-total-sf) are "
                       "in use", virtnet_sfs.total);
        virtnet_device_unref(dev);
        return error;
    }
    virtnet_registry_claim_numbers(dev);
    life_create(dev, STEP_CONSTRUCT, cb, aux)->record = record;
    return go_on(dev, false, 0, errp);
}

int
virtnet_take_away(struct virtnet_device *dev, bool force, virtnet_life_cb *cb,
                  void *aux, char **errp)
{
    int error;

    if (dev->life) {
        return virtnet_refuse(-EBUSY, errp, "%s is being unplugged",
                              dev->vuid);
    }
    error = dev->backend->class->device_unplug(dev, force, errp);
    if (error == -EINPROGRESS) {
        life_goes_on(life_create(dev, STEP_UNPLUG, cb, aux));
    }
    return error;
}

void
virtnet_device_step_done(struct virtnet_device *dev, int error,
                         const char *reason)
{
    struct virtnet_life *life = dev->life;
    virtnet_life_cb *cb = life->cb;
    void *aux = life->aux;
    char *err = nullable_xstrdup(reason);

    ovs_assert(error != -EINPROGRESS);
    if (life->step == STEP_UNPLUG) {
        life_destroy(life);
    } else {
        error = go_on(dev, true, error, &err);
        if (error == -EINPROGRESS) {
            cb = NULL;
        } else if (error) {
            dev = NULL;
        }
    }
    if (cb) {
        cb(dev, error, err, aux);
    }
    free(err);
}

void
virtnet_bring_down(struct virtnet_device *dev, bool keep_sf)
{
    const struct virtnet_backend_class *class = dev->backend->class;

    dev->state = VIRTNET_STATE_UNPLUGGED;
    virtnet_notify(VIRTNET_EVENT_REMOVED, dev);
    virtnet_registry_remove(dev);
    if (dev->change) {
        virtnet_device_config_done(dev, -ENODEV, "the device has gone");
    }
    class->sf_destroy(dev);
    class->device_destruct(dev);
    virtnet_sf_pool_give(&virtnet_sfs, keep_sf);
    virtnet_device_unref(dev);
}

void
virtnet_adopt(struct virtnet_device *dev)
{
    int error = virtnet_sf_pool_take(&virtnet_sfs, true);

    ovs_assert(!error);         /* It has no bound. */
    virtnet_registry_claim_numbers(dev);
    virtnet_registry_insert(dev);
    virtnet_notify(VIRTNET_EVENT_ADDED, dev);
}

void
virtnet_vanish(struct virtnet_device *dev)
{
    virtnet_sriov_let_go(dev);
    virtnet_bring_down(dev, false);
}

int
virtnet_bring_back(const struct virtnet_record *record, virtnet_life_cb *cb,
                   void *aux, struct virtnet_device **devp, char **errp)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    const struct virtnet_backend_class *class = backend->class;
    struct virtnet_device *dev;
    int error;

    *devp = NULL;
    if (record->type != VIRTNET_VF
        && !virtnet_registry_pf_id_is_free(record->pf_id)) {
        return virtnet_refuse(-EEXIST, errp, "PF id %u is taken",
                              record->pf_id);
    } else if (!virtnet_registry_sf_num_is_free(record->sf_num)) {
        return virtnet_refuse(VIRTNET_E_SF_NUM_IN_USE, errp,
                              "SF number %"PRIu32" is taken",
                              record->sf_num);
    } else if (!virtnet_ib_device_lookup(record->ib_device)) {
        return virtnet_refuse(VIRTNET_E_PORT_CTX, errp, "no RDMA device %s",
                              record->ib_device);
    }
    error = virtnet_check_features(record->config.features,
                                   class->get_caps(backend), errp);
    if (error) {
        return error;
    }

    dev = class->device_alloc(backend, record->type);
    virtnet_record_to_device(record, dev);
    if (class->restore) {
        error = class->restore(dev, &record->backend, errp);
        if (error) {
            virtnet_device_unref(dev);
            return error;
        }
    }
    error = virtnet_bring_up(dev, true, false, cb, aux, errp);
    if (!error) {
        *devp = dev;
    }
    return error;
}

void
virtnet_reset(struct virtnet_device *dev)
{
    const struct virtnet_backend_class *class = dev->backend->class;
    struct virtnet_driver_info info = {
        .msix_config_vector = VIRTNET_NO_MSIX_VECTOR,
        .numa_id = -1,
    };

    dev->flr = true;
    if (class->device_reset) {
        class->device_reset(dev);
    }
    virtnet_device_driver_changed(dev, &info);
}
