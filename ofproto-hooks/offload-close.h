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

#ifndef OFFLOAD_CLOSE_H
#define OFFLOAD_CLOSE_H 1

/* Closing of netdevs whose flows are offloaded.
 *
 * Threads that offload or look at flows hold a netdev for moments, and if the
 * last reference were one of theirs they would destroy it.  Those of type
 * virtio-emu belong to the main thread.  So the glue has a reference of its
 * own, from the time when a netdev becomes known to such threads until they
 * all have let go of it, and the main thread drops it. */

struct netdev;

/* Has the main thread close 'netdev', which no other thread can find any more,
 * in one of its next turns after a grace period.  Any thread. */
void offload_close_later(struct netdev *netdev);

/* The same, when the grace period is over. */
void offload_close_soon(struct netdev *netdev);

#endif /* offload-close.h */
