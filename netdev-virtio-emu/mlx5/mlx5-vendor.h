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

#ifndef MLX5_VENDOR_H
#define MLX5_VENDOR_H 1

/* The mlx5 backend in mode "vendor": NVIDIA's virtio-net-controller service
 * owns the firmware, and this drives the service.
 *
 * The service makes, numbers and remembers devices; its "virtnet" program says
 * what there is and does what operators ask for.  It is run beside the main
 * loop, one process at a time (see mlx5-child.h): "list" and "query -a -b"
 * about once a second, less often when they take long or fail, and commands of
 * operators at once.  What has changed is put into the registry of the
 * controller.  Representors are found through devlink, by SF number, or if
 * devlink has no port of the card by the ifindex that the service tells.
 *
 * A device that is missing from one list need not be gone: the service may be
 * about to start.  See MISSING_LISTS.
 *
 * Main thread, but for the functions of mlx5-rep.h. */

#include "virtnet-backend-provider.h"

/* Only as a part of the class "mlx5": see mlx5-backend.c. */
extern const struct virtnet_backend_class virtnet_mlx5_vendor_class;

#endif /* mlx5-vendor.h */
