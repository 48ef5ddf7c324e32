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

#ifndef MLX5_NATIVE_BACKEND_H
#define MLX5_NATIVE_BACKEND_H 1

/* The mlx5 backend in mode "native": the switch is the emulation manager.
 *
 * Firmware decides which static PFs there are and how many VFs each can have,
 * the host when VFs come and go.  Hotplug PFs, SFs and the configuration of
 * all are the controller's.
 *
 * Nothing that takes long is done by the main thread.  Firmware's part is the
 * thread's of mlx5-native.c, the kernel's that of mlx5-devlink.c; a step of a
 * device's life that needs one of them is answered with -EINPROGRESS.  To open
 * and to close the backend takes a thread, too.
 *
 * A device that goes leaves a "tail" behind: its function has to be released,
 * perhaps unplugged, and its SF deleted.  Whoever needs the same function or
 * SF number again waits for the tail's end. */

struct mlx5_devx_class;
struct mlx5_dl_kernel;
struct virtnet_backend_class;

extern const struct virtnet_backend_class virtnet_mlx5_native_class;

/* What is below.  Tests put models here before anything is opened. */
extern const struct mlx5_devx_class *mlx5_native_devx;
extern const struct mlx5_dl_kernel *mlx5_native_kernel;

#endif /* mlx5-native-backend.h */
