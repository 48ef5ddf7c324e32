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

#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H 1

/* A backend that exists only in unit tests.  It is written from
 * virtnet-backend-provider.h alone, can be told to fail at any step, and
 * counts what is alive, so that every failure can be shown to leave nothing
 * behind. */

#include <stdbool.h>

#include "ovs-atomic.h"
#include "virtnet-backend-provider.h"

enum step {
    STEP_NONE,
    STEP_CONSTRUCT,
    STEP_SF,
    STEP_PLUG,
    STEP_SET_VFS,
    STEP_APPLY,
    STEP_UNPLUG,
};

extern enum step fail_at;       /* Devices fail here... */
extern int fail_after;          /* ...after that many have not. */
extern bool not_ready;          /* "open" answers -EAGAIN. */
extern bool sfs_not_ready;      /* "sf_prepare" does. */
extern bool slow;               /* Every step takes its time... */
bool fake_go_on(void);          /* ...until this, which tells whether there was
                                 * any. */
extern int n_found;             /* VFs that "enumerate" finds, and a static PF
                                 * that they belong to; -1 for nothing. */
extern atomic_count n_alive;    /* Allocated devices. */
extern int n_constructed;
extern int n_sfs;
extern int n_plugged;

extern const struct virtnet_backend_class fake_class;

#endif /* fake-backend.h */
