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

#ifndef VIRTNET_SRIOV_H
#define VIRTNET_SRIOV_H 1

/* VFs: functions that the host makes of a static PF, and takes away again, by
 * SR-IOV.
 *
 * The host asks for a number of VFs, which is zero or what it shall be from
 * now on: to get another number it goes through zero.  With hardware a backend
 * hears of it from the firmware; where there is none, "virtnet/sriov" stands
 * for the host.  Either calls virtnet_sriov_set(), which starts a job and
 * returns.
 *
 * Jobs are carried out by virtnet_sriov_run(), a few VFs in each turn of the
 * main loop, so that it is never away for long however many there are.  PFs
 * take turns.  While a job is under way its PF accepts no other number.  A job
 * that makes VFs makes all, or none: if one cannot be made, those that were
 * are removed again.
 *
 * The number that the host has asked for is in the record of the PF
 * (dev->num_vfs), so a process that ends in the middle of a job leaves to the
 * next one what is left of it.
 *
 * Main thread. */

#include <stdbool.h>

#include "virtnet-device.h"
#include "virtnet-life.h"

/* What becomes of a job: 'error' is 0, or the number that the operator shall
 * see, and 'detail' one line, or NULL.  'n_vfs' is how many VFs the PF has
 * now. */
typedef void virtnet_sriov_cb(int error, const char *detail,
                              unsigned int n_vfs, void *aux);

/* The host asks for 'n' VFs of 'pf'.  Returns 0 and calls 'cb', which may be
 * NULL, when they are there, or gone, or when that has failed: at once, if
 * there is nothing to do.  Otherwise returns the number that the operator
 * shall see, with one line in '*errp', which the caller must free, and nothing
 * has changed; 'cb' is not called:
 *
 *   -ENODEV                    The controller does not run.
 *   VIRTNET_E_NOT_SUPPORTED    'pf' is not a static PF, or has no SR-IOV.
 *   -EBUSY                     It has VFs, or a job is under way.
 *   -ERANGE                    More than virtnet-num-vf.
 *   VIRTNET_E_ID_RANGE         More VFs or functions than there can be.
 *   VIRTNET_E_SF_CREATE        More than there are SFs.
 *   VIRTNET_E_SF_POOL_BUSY     SFs are being made in advance. */
int virtnet_sriov_set(struct virtnet_device *pf, unsigned int n,
                      virtnet_sriov_cb *cb, void *aux, char **errp);

/* Makes the VFs of 'pf' that are missing: as many as pf->num_vfs says are to
 * be there after a start. */
void virtnet_sriov_resume(struct virtnet_device *pf);

/* Takes a VF that was recorded back.  Returns what virtnet_bring_back() does,
 * and -ENODEV if its PF shall not have it.  When it is there the caller calls
 * virtnet_sriov_came_back(), which tells the observers. */
struct virtnet_record;
int virtnet_sriov_bring_back(const struct virtnet_record *record,
                             virtnet_life_cb *cb, void *aux,
                             struct virtnet_device **devp, char **errp);
void virtnet_sriov_came_back(struct virtnet_device *vf);

/* 'vf' is a VF that the backend has found: the host wants it. */
void virtnet_sriov_adopt(struct virtnet_device *vf);

/* 'dev', if it is a VF, goes although its host wants to keep it: the
 * controller starts anew. */
void virtnet_sriov_let_go(struct virtnet_device *dev);

/* Is a job under way: any, or one of 'pf'? */
bool virtnet_sriov_is_busy(void);
bool virtnet_sriov_pf_is_busy(const struct virtnet_device *pf);

/* Whoever has to do something about each VF may ask for a 'pause', which lasts
 * until they take it back. */
void virtnet_sriov_pause(bool pause);

/* Carries on with the jobs. */
void virtnet_sriov_run(void);
void virtnet_sriov_wait(void);

#endif /* virtnet-sriov.h */
