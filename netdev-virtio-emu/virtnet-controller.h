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

#ifndef VIRTNET_CONTROLLER_H
#define VIRTNET_CONTROLLER_H 1

/* The controller: the registry of emulated devices and everything that
 * happens to them as a whole.
 *
 * There is one controller in the process.  It belongs to the main thread:
 * every function here must be called from it.
 *
 * Start and stop
 * ==============
 *
 * virtnet_controller_configure() is called with the settings of the database
 * whenever they may have changed.  Once they are known, and the backend can be
 * opened, the controller is "running": recorded devices are back, commands
 * work.  Until then, and when the backend cannot be opened, commands answer
 * with the reason, and the controller tries again when the settings change or
 * the backend says that it should.
 *
 * Observers
 * =========
 *
 * The netdev class and the module that writes ports into the database follow
 * the devices by virtnet_controller_add_observer().  Observers are called from
 * the main thread, in order of their registration, for each device. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "virtnet-backend-provider.h"
#include "virtnet-device.h"
#include "virtnet-settings.h"

enum virtnet_event {
    VIRTNET_EVENT_ADDED,        /* Plugged: has identity and representor. */
    VIRTNET_EVENT_CHANGED,      /* Driver, configuration or port changed. */
    VIRTNET_EVENT_REMOVED,      /* About to be unplugged: let go of it now. */
    VIRTNET_EVENT_STARTED,      /* The controller is running (dev is NULL). */
};

typedef void virtnet_observer_cb(enum virtnet_event, struct virtnet_device *,
                                 void *aux);

void virtnet_controller_init(void);
void virtnet_controller_configure(const struct smap *other_config);
void virtnet_controller_run(void);
void virtnet_controller_wait(void);

/* Ends the controller and starts it with the settings that the database has
 * now, as another process would: devices come back from their records, and
 * front ends that are connected connect again.  Returns 0 and calls 'cb',
 * which may be NULL, when that is done, with 0, or with a negative number and
 * a line that says why the controller does not run.  Returns -EBUSY, with one
 * line in '*errp' that the caller must free, while VFs are being made or
 * removed, a batch of devices is being plugged, all devices are being
 * modified, the host is restarting, or the controller is starting. */
typedef void virtnet_restart_cb(int error, const char *reason, void *aux);
int virtnet_controller_restart(virtnet_restart_cb *cb, void *aux,
                               char **errp);

/* Are devices being unplugged only to come back at once?  Then a backend
 * leaves what belongs to their front ends alone. */
bool virtnet_controller_restarting(void);

/* Is the backend being opened for the first time, or for somebody who has
 * asked for a restart and waits?  Then it is no time for patience. */
bool virtnet_controller_starting(void);

/* Has the process only just begun, so that devices that it had before may not
 * be back yet?  VIRTNET_EVENT_STARTED comes when that is over, whether the
 * controller then runs or does not. */
bool virtnet_controller_settling(void);

/* The process is ending: closes the backend and keeps the records. */
void virtnet_controller_exit(void);

/* Has virtnet_controller_exit() been called?  Then nothing that disappears
 * disappears for good. */
bool virtnet_controller_exiting(void);

/* Is the backend open?  If not, '*reason' (if nonnull) is one line, owned by
 * the controller, that says why. */
bool virtnet_controller_is_running(const char **reason);

const struct virtnet_settings *virtnet_controller_settings(void);

/* The open backend; NULL unless running. */
struct virtnet_backend *virtnet_controller_backend(void);

/* Number of times that any device, or the set of them, has changed. */
uint64_t virtnet_controller_seqno(void);

void virtnet_controller_add_observer(virtnet_observer_cb *, void *aux);

/* Tells the observers that 'dev' has changed. */
void virtnet_controller_device_changed(struct virtnet_device *);

/* ## Looking devices up. ## */

/* PFs in order of their ids, each followed by its VFs.  DEV may be unplugged
 * within the loop. */
struct ovs_list *virtnet_controller_devices__(void);
#define VIRTNET_FOR_EACH_DEVICE(DEV) \
    LIST_FOR_EACH_SAFE (DEV, list_node, virtnet_controller_devices__())

size_t virtnet_controller_n_devices(void);
struct virtnet_device *virtnet_device_by_vuid(const char *vuid);
struct virtnet_device *virtnet_device_by_pf(unsigned int pf_id);
struct virtnet_device *virtnet_device_by_vf(unsigned int pf_id,
                                            unsigned int vf_id);
struct virtnet_device *virtnet_device_by_rep(const char *rep_name);
struct virtnet_device *virtnet_device_by_owner(const char *port_name);

/* Any device that has 'mac': VFs may share one. */
struct virtnet_device *virtnet_device_by_mac(const struct eth_addr mac);

/* ## Hotplug. ## */

/* What is asked of a new device.  Text members are borrowed. */
struct virtnet_hotplug_request {
    const char *ib_device;      /* Mandatory. */
    const char *mac;            /* Mandatory: 17 characters. */
    unsigned long long mtu;
    bool has_queues;            /* Exactly one of 'queues' (with control */
    unsigned long long queues;  /* queue) and 'queue_pairs' must be given. */
    bool has_queue_pairs;
    unsigned long long queue_pairs;
    unsigned long long queue_size;
    bool has_sf_num;
    unsigned long long sf_num;
    uint64_t features;          /* 0: the default set. */
    bool transitional;
    const char *bridge;         /* NULL: by the settings. */
    const char *owner_port;     /* NULL unless made by an Interface row. */
    const char *vhost_path;     /* NULL: <socket dir>/<representor>.sock. */
    const char *vhost_mode;     /* NULL: by the settings. */
};

/* How a hotplug or an unplug that took its time has come out: 'error' is 0, or
 * the number that the operator shall see, with one line in 'reason' or NULL.
 * 'dev' is NULL if there is no device, for one reason or the other. */
typedef void virtnet_hotplug_cb(struct virtnet_device *dev, int error,
                                const char *reason, void *aux);

/* Creates and plugs a hotplug PF.  On success stores it in '*devp' and returns
 * 0.  On failure returns the number that the operator shall see, stores one
 * line of explanation in '*errp' (owned by the caller, possibly NULL), and
 * everything is as it was.
 *
 * Returns -EINPROGRESS if the backend needs time, or the disk for the record,
 * and calls 'cb', unless that is NULL, from the main loop when the device is
 * there or has failed. */
int virtnet_controller_start_hotplug(const struct virtnet_hotplug_request *,
                                     virtnet_hotplug_cb *cb, void *aux,
                                     struct virtnet_device **devp,
                                     char **errp);

/* Unplugs 'dev' and forgets it.  Without 'force', refuses while a driver holds
 * it.  Invalidates the caller's pointer on success.  Returns -EINPROGRESS, as
 * above, only without 'force'. */
int virtnet_controller_start_unplug(struct virtnet_device *dev, bool force,
                                    virtnet_hotplug_cb *cb, void *aux,
                                    char **errp);
int virtnet_controller_unplug(struct virtnet_device *dev, bool force,
                              char **errp);

/* ## Modification. ## */

/* Puts 'new' in force for 'dev', all or nothing: in the backend, in the record
 * and in the pools of its PF, and tells the observers.  The caller has checked
 * 'new' (see virtnet-check.h and, for the numbers of vectors and queue pairs
 * of a VF, virtnet-pool.h) and that no driver is in the way.  Returns 0, or
 * the number that the operator shall see, with one line in '*errp' (owned by
 * the caller, possibly NULL).
 *
 * Returns -EINPROGRESS if the backend needs time, or the disk for the record,
 * and calls 'cb', unless that is NULL, from the main loop with what this would
 * have returned.  Until then other changes of 'dev' are refused with -EBUSY,
 * and what the old and the new configuration have of pools and of addresses is
 * taken.  The old one is in force until the backend is done, the new one while
 * it is being recorded.
 *
 * This is the only way to change dev->config of a device. */
typedef void virtnet_config_cb(int error, const char *reason, void *aux);
int virtnet_controller_apply_config(struct virtnet_device *dev,
                                    const struct virtnet_device_config *new,
                                    virtnet_config_cb *cb, void *aux,
                                    char **errp);

#endif /* virtnet-controller.h */
