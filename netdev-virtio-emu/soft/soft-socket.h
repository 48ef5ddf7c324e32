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


#ifndef SOFT_SOCKET_H
#define SOFT_SOCKET_H 1

/* Paths of the Unix domain sockets at which guests find devices.
 *
 * Functions that return "int" return 0, or a negative errno value with one
 * line in '*errp' that the caller must free.
 *
 * Threads: any. */

#include <stdbool.h>

/* Can 'path' be the path of a socket at all? */
int soft_socket_check_path(const char *path, char **errp);

/* Makes the directory that 'path' is in, and those above it. */
int soft_socket_make_parents(const char *path, char **errp);

/* Makes sure that what lies at 'path', if anything, is no obstacle: in client
 * mode it must be a socket, in server mode one whose owner is dead, which is
 * then removed. */
int soft_socket_clear(const char *path, bool server, char **errp);

/* Can a socket be bound to 'path'?  librte_vhost does not tell why not. */
int soft_socket_try_bind(const char *path, char **errp);

/* Removes what lies at 'path' if it is a socket. */
void soft_socket_unlink(const char *path);

#endif /* soft-socket.h */
