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

#ifndef MLX5_DEVARGS_H
#define MLX5_DEVARGS_H 1

/* What DPDK knows the representor of a device by. */

#include <stdbool.h>

struct virtnet_device;

/* Returns what DPDK is to probe for the representor of 'dev', which the caller
 * must free, and stores the address of the card's PCI function in '*pci', or
 * NULL if that is not a part of it.  Returns NULL if DPDK is not wanted.  See
 * "rep_get_devargs" in virtnet-backend-provider.h. */
char *mlx5_devargs_get(const struct virtnet_device *dev, const char **pci);

/* The same from 'template', the setting virtnet-mlx5-devargs, for an SF of the
 * PCI function 'pci'. */
char *mlx5_devargs_format(const char *template, const char *pci, bool bond,
                          unsigned int sf_num, const char *rep_name);

#endif /* mlx5-devargs.h */
