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

#ifndef VIRTNET_ROW_H
#define VIRTNET_ROW_H 1

/* A device and its row in the database, an Interface of type "virtio-emu".
 *
 * A change of an option is a "virtnet modify" with the same rules.  What an
 * option has been since the switch started is no change: a record knows
 * better, since a command may have modified the device afterwards.
 *
 * Main thread. */

#include <stdbool.h>

struct smap;
struct virtnet_device;

/* Does 'option' say what a device is like? */
bool virtnet_row_has_option(const char *option);

/* The options of the row of 'dev' were 'old' and are 'new'.  Returns NULL if
 * 'dev' is as they say, or will be soon, else a line, owned by the caller,
 * that says what was refused; then 'dev' is as it was.  What is refused only
 * later becomes the warning of the netdev of 'dev'. */
char *virtnet_row_changed(struct virtnet_device *dev, const struct smap *old,
                          const struct smap *new);

/* The row of 'dev' asks for 'mtu' bytes.  Likewise. */
char *virtnet_row_mtu_changed(struct virtnet_device *dev, int mtu);

/* Adds what the column "status" tells of 'dev'. */
void virtnet_row_get_status(const struct virtnet_device *dev,
                            struct smap *status);

#endif /* virtnet-row.h */
