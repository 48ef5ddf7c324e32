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

#ifndef OFFLOAD_H
#define OFFLOAD_H 1

/* Makes Open vSwitch offer the flows of ports of type virtio-emu to the
 * backends of their devices.  Main thread, before the bridges first run.
 *
 * There is one implementation for each generation of Open vSwitch's interface
 * for offload: offload-netdev.c up to 3.6, offload-dpif.c since. */
void offload_init(void);

/* Once in each turn of the main loop. */
void offload_run(void);
void offload_wait(void);

#endif /* offload.h */
