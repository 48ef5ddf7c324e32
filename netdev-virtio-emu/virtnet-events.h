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

#ifndef VIRTNET_EVENTS_H
#define VIRTNET_EVENTS_H 1

/* What happens to devices, for those who wait for it.
 *
 * Each event has a number, one above that of the event before it, and is a
 * line: a JSON object.  The last VIRTNET_MAX_EVENTS are remembered.  A client
 * asks for those behind a number that it has seen, and gets its answer when
 * there are any, or when its patience ends: so it misses none, and nothing
 * waits but its connection.
 *
 * Answers that are given later
 * ============================
 *
 * lib/unixctl.c reads nothing from a connection whose request has not been
 * answered, so it does not notice that the client has gone, and the connection
 * stays until the answer has been given.  Hence an answer can be put off
 * safely, for a time that has an end.  When the process ends the connections
 * go, and nothing here is run any more.
 *
 * Main thread. */

#include <stdbool.h>
#include <stdint.h>

struct unixctl_conn;
struct virtnet_device;

#define VIRTNET_MAX_EVENTS 4096

/* Begins to remember. */
void virtnet_events_init(void);

/* Answers 'conn' with the first 'count' events behind number 'since', a line
 * each, as soon as there are any, but at the latest after 'timeout' seconds.
 * If there are none, the answer is an event "none" with the number of the last
 * one. */
void virtnet_events_reply(struct unixctl_conn *conn, uint64_t since,
                          uint64_t count, unsigned int timeout);

/* 'dev', which need not be in the registry, has begun a 'step' of its life
 * that takes its time. */
void virtnet_events_step(const struct virtnet_device *dev, const char *step);

/* Number of the last event. */
uint64_t virtnet_events_last(void);

/* Answers 'conn' when 'cb' returns true, or after 'timeout' seconds.  'cb' is
 * called when anything has changed, with 'timed_out' the last time.  It
 * answers and frees 'aux' before it returns true; if 'timed_out' it has to. */
typedef bool virtnet_await_cb(struct unixctl_conn *conn, bool timed_out,
                              void *aux);
void virtnet_await(struct unixctl_conn *conn, unsigned int timeout,
                   virtnet_await_cb *cb, void *aux);

void virtnet_events_run(void);
void virtnet_events_wait(void);

#endif /* virtnet-events.h */
