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


/* Paths of sockets.  See soft-socket.h. */

#include <config.h>

#include "soft-socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_socket);

/* Stores a line in '*errp' and returns 'error', negated. */
static int OVS_PRINTF_FORMAT(3, 4)
fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return -error;
}

int
soft_socket_check_path(const char *path, char **errp)
{
    const size_t max = sizeof ((struct sockaddr_un *) 0)->sun_path - 1;

    return (path[0] != '/'
            ? fail(EINVAL, errp, "socket path \"%s\" is not absolute", path)
            : strlen(path) > max
            ? fail(ENAMETOOLONG, errp, "socket path \"%s\" is longer than "
                   "%"PRIuSIZE" bytes", path, max)
            : 0);
}

int
soft_socket_make_parents(const char *path, char **errp)
{
    char *dir = xstrdup(path);
    int error = 0;

    for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(dir, 0755) && errno != EEXIST) {
            error = errno;
            break;
        }
        *p = '/';
    }
    free(dir);
    return (!error ? 0
            : fail(error, errp, "directory of socket %s: %s", path,
                   ovs_strerror(error)));
}

int
soft_socket_clear(const char *path, bool server, char **errp)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int error = 0;
    struct stat s;
    int fd;

    if (lstat(path, &s)) {
        error = errno;
        return (error == ENOENT ? 0
                : fail(error, errp, "socket %s: %s", path,
                       ovs_strerror(error)));
    } else if (!S_ISSOCK(s.st_mode)) {
        return fail(EEXIST, errp, "%s exists and is not a socket", path);
    } else if (!server) {
        return 0;
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error = errno;
        return fail(error, errp, "no socket: %s", ovs_strerror(error));
    }
    ovs_strlcpy(sun.sun_path, path, sizeof sun.sun_path);
    if (connect(fd, (struct sockaddr *) &sun, sizeof sun)) {
        error = errno;
    }
    close(fd);
    if (error != ECONNREFUSED) {
        return fail(EADDRINUSE, errp, "socket %s is taken%s%s", path,
                    error && error != EAGAIN ? ": " : "",
                    error && error != EAGAIN ? ovs_strerror(error) : "");
    }
    VLOG_INFO("%s: removing the socket of a process that is gone", path);
    if (unlink(path) && errno != ENOENT) {
        error = errno;
        return fail(error, errp, "socket %s: %s", path, ovs_strerror(error));
    }
    return 0;
}

int
soft_socket_try_bind(const char *path, char **errp)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int error = 0;
    int fd;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error = errno;
        return fail(error, errp, "no socket: %s", ovs_strerror(error));
    }
    ovs_strlcpy(sun.sun_path, path, sizeof sun.sun_path);
    if (bind(fd, (struct sockaddr *) &sun, sizeof sun)) {
        error = errno;
    } else {
        unlink(path);
    }
    close(fd);
    return (!error ? 0
            : fail(error, errp, "socket %s: %s", path, ovs_strerror(error)));
}

void
soft_socket_unlink(const char *path)
{
    struct stat s;

    if (!lstat(path, &s) && S_ISSOCK(s.st_mode)
        && unlink(path) && errno != ENOENT) {
        VLOG_WARN("%s: unlink failed: %s", path, ovs_strerror(errno));
    }
}
