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

#ifndef VIRTNET_FIRMWARE_H
#define VIRTNET_FIRMWARE_H 1

/* What the firmware configuration of a card decides: which static PFs there
 * are, what VFs look like, how many functions there can be.  The settings that
 * stand for it are read when the controller starts.
 *
 * For the parts of the controller.  Main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "virtnet-controller.h"
#include "virtnet-device.h"

struct virtnet_conf;
struct virtnet_record;
struct virtnet_setting;

/* Works out what the settings mean with the open backend, and logs what in
 * them is no good.  Called when the controller starts, before the functions
 * below. */
void virtnet_firmware_load(void);

/* Returns why 'setting', of virtnet_settings_table, is of no effect with the
 * open backend as the operator has given it; or NULL if it has one, or has not
 * been given. */
const char *virtnet_firmware_no_effect(const struct virtnet_setting *setting);

/* Adds to what is wrong with 'conf' what does not fit the firmware
 * configuration.  There must be an open backend. */
void virtnet_firmware_check_conf(struct virtnet_conf *conf);

/* Returns the settings that records depend on, as one line that the caller
 * must free: when it has changed, records are out of date. */
char *virtnet_firmware_fingerprint(void);

/* Number of static PFs, which have the ids from 0 on. */
unsigned int virtnet_firmware_num_pfs(void);

/* Makes static PF 'pf_id', with the attributes of 'record' unless that is NULL
 * or makes no PF.  Then the host has asked for 'n_vfs' VFs of it, of which
 * there are records, unless there is a host that can be asked.  Observers are
 * told.  Errors are logged. */
void virtnet_firmware_make_pf(unsigned int pf_id,
                              const struct virtnet_record *record,
                              unsigned int n_vfs);

/* 'pf' is a static PF that the backend has found, with 'max_vfs' and
 * config.num_msix as the firmware says.  Prepares it for VFs. */
void virtnet_firmware_adopt_pf(struct virtnet_device *pf);

/* Makes static PF 'pf' be as the firmware configuration says, whatever was
 * changed since.  Returns what virtnet_controller_apply_config() does, and
 * calls 'cb' as that does. */
int virtnet_firmware_reset_pf(struct virtnet_device *pf,
                              virtnet_config_cb *cb, void *aux, char **errp);

/* Sets dev->config of the new VF 'dev' of PF 'pf': dev->pf_id and dev->vf_id
 * are set. */
void virtnet_firmware_init_vf(struct virtnet_device *dev,
                              const struct virtnet_device *pf);

/* 'n' VFs of 'pf' are about to be made: logs what is odd about them. */
void virtnet_firmware_check_vfs(const struct virtnet_device *pf,
                                unsigned int n);

/* Is there room for one more hotplug PF, or for 'n' VFs?  Returns 0, or the
 * number that the operator shall see with one line in '*errp', which the
 * caller must free. */
int virtnet_check_hotplug_limit(char **errp);
int virtnet_check_vf_limit(unsigned int n, char **errp);

/* Adds a line for each limit that is exceeded by what has been made before it
 * was lowered: that stays. */
struct svec;
void virtnet_firmware_exceeded_limits(struct svec *lines);

/* Number of VFs that hosts have asked for, of all PFs.  Kept by
 * virtnet-sriov.c. */
extern unsigned int virtnet_n_wanted_vfs;

#endif /* virtnet-firmware.h */
