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

#ifndef VIRTNET_HOOKS_H
#define VIRTNET_HOOKS_H 1

/* What ovs-vswitchd's main() calls, see vswitchd-patches/.  All of it happens
 * in the main thread. */

/* After bridge_init().  'remote' is the database that the switch uses. */
void virtnet_hooks_init(const char *remote);

/* Once in each turn of the main loop, before and after the bridges. */
void virtnet_hooks_run(void);
void virtnet_hooks_wait(void);

/* Before bridge_exit(). */
void virtnet_hooks_exit(void);

#endif /* virtnet-hooks.h */
