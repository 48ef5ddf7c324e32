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

#ifndef VIRTNET_LIFE_H
#define VIRTNET_LIFE_H 1

/* What every device goes through, of whatever kind: steps of "Life Cycle" in
 * virtnet-backend-provider.h, the registry, the record.
 *
 * For the parts of the controller.  Main thread. */

#include <stdbool.h>

#include "virtnet-controller.h"
#include "virtnet-device.h"
#include "virtnet-pool.h"
#include "virtnet-record-io.h"

struct virtnet_record;

/* SFs of all devices. */
extern struct virtnet_sf_pool virtnet_sfs;

/* Configurations of which no record could be kept, and which the backend did
 * not take back. */
extern uint64_t virtnet_n_configs_left;

/* The step that is to fail the next time that it is taken, so that an operator
 * or a test can see what becomes of it ("virtnet debug fault"). */
enum virtnet_fault {
    VIRTNET_FAULT_NONE,
    VIRTNET_FAULT_MODIFY,       /* The backend's "apply_config". */
    VIRTNET_FAULT_HOTPLUG,      /* "device_plug". */
    VIRTNET_FAULT_SF,           /* "sf_create". */
    VIRTNET_FAULT_RECORD,       /* A record is written. */
};
extern enum virtnet_fault virtnet_next_fault;

/* Is this the step that is to fail?  If so, the next one is not. */
bool virtnet_fault_strikes(enum virtnet_fault, char **errp);

/* Which members differ, as VIRTNET_CONFIG_* bits? */
uint32_t virtnet_config_changes(const struct virtnet_device_config *,
                                const struct virtnet_device_config *);

/* Returns 'error' with a line in '*errp'. */
int virtnet_refuse(int error, char **errp, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

/* Does the controller run?  If not, returns -ENODEV and says why in
 * '*errp'. */
int virtnet_check_running(char **errp);

/* Tells the observers. */
void virtnet_notify(enum virtnet_event, struct virtnet_device *);

/* Returns the RDMA device of the open backend with 'name', or NULL. */
const struct virtnet_ib_device *virtnet_ib_device_lookup(const char *name);

/* Can a new device below 'ib_device' have an SF with number 'sf_num'?  Stores
 * the lowest such number for 'type' in '*sf_num', or returns false if there is
 * none. */
bool virtnet_sf_num_is_free(const char *ib_device, uint32_t sf_num);
bool virtnet_find_sf_num(enum virtnet_function_type type,
                         const char *ib_device, uint32_t *sf_num);

/* How something that could not be done at once has come out: 'error' is 0, or
 * the number that the operator shall see, with one line in 'reason' or NULL.
 * 'dev' is NULL if it is not there (any more) for that reason. */
typedef void virtnet_life_cb(struct virtnet_device *dev, int error,
                             const char *reason, void *aux);

/* Constructs and plugs 'dev', whose ids, SF number and configuration are
 * filled in, with 'record' writes its record, and adds it to the registry.
 * 'back' if it was there when the controller stopped.  On failure undoes
 * everything and drops the caller's reference.  The observers are not told.
 *
 * Returns -EINPROGRESS if a step takes time: then 'cb', unless it is NULL, is
 * called once, from the main loop, with what this would have returned.  Until
 * then the numbers of 'dev' are taken, but 'dev' is not in the registry, and
 * the pointer belongs to virtnet-life.c. */
int virtnet_bring_up(struct virtnet_device *dev, bool back, bool record,
                     virtnet_life_cb *cb, void *aux, char **errp);

/* Has the function of 'dev' unplugged, which the caller then takes apart by
 * virtnet_bring_down().  Returns -EINPROGRESS if that takes time, as above:
 * until 'cb' is called the device stays in the registry, and if that has
 * failed nothing has changed.  A backend that is asked with 'force' never
 * needs time. */
int virtnet_take_away(struct virtnet_device *dev, bool force,
                      virtnet_life_cb *cb, void *aux, char **errp);

/* Is any device on its way?  How many are, into the registry and out of it,
 * and how many are being modified?
 * How many of 'type' are into it?  Which of those has 'mac', or is for the
 * port 'port_name'? */
bool virtnet_life_is_busy(void);
void virtnet_life_count(unsigned int *n_coming, unsigned int *n_going,
                        unsigned int *n_changing);
unsigned int virtnet_n_making(enum virtnet_function_type type);
const struct virtnet_device *virtnet_making_by_mac(const struct eth_addr mac);
const struct virtnet_device *virtnet_making_by_owner(const char *port_name);

/* Number of devices whose configuration is being changed. */
unsigned int virtnet_n_changing(void);

/* The device whose MAC address is being changed from or to 'mac', or NULL. */
const struct virtnet_device *virtnet_changing_to_mac(const struct eth_addr);

/* Takes 'dev', whose function has been unplugged, apart.  'keep_sf' if its SF
 * is to be used again.  A change of its configuration comes to nothing. */
void virtnet_bring_down(struct virtnet_device *dev, bool keep_sf);

/* For backends whose functions are made by somebody else (see 'external' in
 * virtnet-backend-provider.h).
 *
 * Adds 'dev', which has all that the steps of a life give it, to the registry,
 * and takes it away from there, which drops the reference that
 * virtnet_device_init() gave.  The observers are told.  Numbers, VUID and
 * representor must be free. */
void virtnet_adopt(struct virtnet_device *dev);
void virtnet_vanish(struct virtnet_device *dev);

/* Like virtnet_bring_up(), for a device that was recorded, or is to be: what
 * 'record' tells of it has been checked by itself, but not beside other
 * devices and settings.  Stores the device in '*devp' on success. */
int virtnet_bring_back(const struct virtnet_record *record,
                       virtnet_life_cb *cb, void *aux,
                       struct virtnet_device **devp, char **errp);

/* Has the record of 'dev' written, as it is now, if records are kept.  Returns
 * -EINPROGRESS if 'cb' will be called, from the main loop; 0 if there is
 * nothing to wait for, as without 'cb'; or an error number. */
int virtnet_save(const struct virtnet_device *dev, virtnet_record_cb *cb,
                 void *aux);

/* Returns 'error', with which a record was not written, and says so in
 * '*errp'. */
int virtnet_refuse_unrecorded(int error, char **errp);

/* Has the record of 'dev' deleted, if records are kept. */
void virtnet_forget(const struct virtnet_device *dev);

/* Resets 'dev' as the host does: the driver has to start again, and what it
 * had set is gone. */
void virtnet_reset(struct virtnet_device *dev);

#endif /* virtnet-life.h */
