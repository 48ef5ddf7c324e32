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

#ifndef SOFT_UNPLUG_H
#define SOFT_UNPLUG_H 1

/* Ends the flows of devices that are being unplugged.
 *
 * A device may have a hundred thousand, whose end takes a tenth of a second
 * and more.  So each turn of the main loop sees to some of them.
 *
 * Main thread. */

#include <stdbool.h>

struct soft_device;

/* Returns true if 'sd', whose attachment is closed, has no flows, or, with
 * 'force', there is no time to wait.  Otherwise virtnet_device_step_done()
 * will be called when it has none. */
bool soft_unplug_begin(struct soft_device *sd, bool force);

void soft_unplug_run(void);
void soft_unplug_wait(void);

#endif /* soft-unplug.h */
