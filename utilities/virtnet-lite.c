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

/* The few functions of Open vSwitch's lib/ that the tables and the "virtnet"
 * program call, on the C library alone.
 *
 * The program is run once for each device that a script makes.  Linked with
 * libopenvswitch it loads the shared libraries of DPDK, OpenSSL and more, some
 * forty, none of which it uses, and spends nearly all of its time on that.
 * The prototypes are those of Open vSwitch's headers. */

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

static void *
check(void *p)
{
    if (!p) {
        fputs("virtnet: virtual memory exhausted\n", stderr);
        exit(EXIT_FAILURE);
    }
    return p;
}

void *
xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
    return check(calloc(n ? n : 1, size ? size : 1));
}

void *
xrealloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

char *
xvasprintf(const char *format, va_list args)
{
    char *s;

    return vasprintf(&s, format, args) < 0 ? check(NULL) : s;
}

char *
xasprintf(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    return s;
}

void
ovs_assert_failure(const char *where, const char *function,
                   const char *condition)
{
    fprintf(stderr, "%s: assertion %s failed in %s()\n", where, condition,
            function);
    abort();
}

bool
str_to_ullong(const char *s, int base, unsigned long long *x)
{
    char *tail;

    errno = 0;
    *x = strtoull(s, &tail, base);
    if (errno || tail == s || *tail) {
        *x = 0;
        return false;
    }
    return true;
}

void
ds_init(struct ds *ds)
{
    ds->string = NULL;
    ds->length = 0;
    ds->allocated = 0;
}

void
ds_destroy(struct ds *ds)
{
    free(ds->string);
}

/* Makes room for 'n' more bytes and a null byte, and returns where. */
char *
ds_put_uninit(struct ds *ds, size_t n)
{
    if (ds->length + n > ds->allocated) {
        ds->allocated = 2 * (ds->length + n);
        ds->string = check(realloc(ds->string, ds->allocated + 1));
    }
    ds->length += n;
    if (ds->string) {
        ds->string[ds->length] = '\0';
    }
    return ds->string ? &ds->string[ds->length - n] : NULL;
}

void
ds_put_char__(struct ds *ds, char c)
{
    *ds_put_uninit(ds, 1) = c;
}

void
ds_put_cstr(struct ds *ds, const char *s)
{
    size_t n = strlen(s);

    if (n) {
        memcpy(ds_put_uninit(ds, n), s, n);
    }
}

void
ds_put_format(struct ds *ds, const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    ds_put_cstr(ds, s);
    free(s);
}

char *
ds_cstr(struct ds *ds)
{
    if (!ds->string) {
        ds->allocated = 31;
        ds->string = check(malloc(ds->allocated + 1));
    }
    ds->string[ds->length] = '\0';
    return ds->string;
}
