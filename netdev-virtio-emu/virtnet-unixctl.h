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

#ifndef VIRTNET_UNIXCTL_H
#define VIRTNET_UNIXCTL_H 1

/* The commands "virtnet/COMMAND" of ovs-appctl.
 *
 * They take the options of "virtnet COMMAND" and answer with the same JSON.
 * An action that fails answers, too, with "errno" and "errstr", and perhaps
 * with a "detail" after them that says more.  Only options that make no sense
 * at all are an error of the transport. */

/* Registers them.  Main thread, once. */
void virtnet_unixctl_init(void);

/* Carries out commands that came while the controller was starting. */
void virtnet_unixctl_run(void);
void virtnet_unixctl_wait(void);

#endif /* virtnet-unixctl.h */
