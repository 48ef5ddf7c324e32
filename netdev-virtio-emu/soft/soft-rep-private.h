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

#ifndef SOFT_REP_PRIVATE_H
#define SOFT_REP_PRIVATE_H 1

/* What the parts of a representor share: soft-rep.c, soft-rep-tx.c and
 * soft-rep-stats.c. */

#include "soft-backend.h"
#include "soft-counter.h"
#include "soft-rep.h"

static inline struct soft_rep *
soft_rep_cast(const struct virtnet_device *dev)
{
    return &soft_device_cast(dev)->rep;
}

#endif /* soft-rep-private.h */
