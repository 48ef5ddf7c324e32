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

#ifndef VIRTNET_HEALTH_H
#define VIRTNET_HEALTH_H 1

/* Health of devices and of the controller, as "virtnet health" shows it.
 *
 * Main thread. */

#include <stdint.h>

struct virtnet_device;
struct virtnet_json;

/* Fills in '*health': what the backend tells, and what the driver says. */
struct virtnet_health;
void virtnet_device_get_health(const struct virtnet_device *,
                               struct virtnet_health *health);

/* Stores how many errors of the control plane and of the data plane there have
 * been: the sums of the counters of struct virtnet_health. */
void virtnet_device_count_errors(const struct virtnet_device *,
                                 uint64_t *cp_errors, uint64_t *dp_errors);

/* Adds the object of 'dev'. */
void virtnet_json_health(struct virtnet_json *, const struct virtnet_device *);

/* Adds an object of the controller, 'key', if there is anything to be said:
 * that it does not run, and why, or what is wrong with its settings. */
void virtnet_json_controller_health(struct virtnet_json *, const char *key);

#endif /* virtnet-health.h */
