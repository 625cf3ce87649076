/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kanal serve`: the gateway process. Makes its parts in order (state folder and lock, keys, vault,
 * queue, committer, workers, core, outbox, channels, listeners), waits for signals, ends them in
 * the reverse order: at most 10 s after SIGTERM the process is gone, with everything in flight
 * finished or refused. SIGHUP: a good new configuration is taken by starting over in place (the
 * same process id, the sockets stay open); a bad one is refused and said.
 */
#ifndef KANAL_GATEWAY_SERVE_H
#define KANAL_GATEWAY_SERVE_H

int command_serve(int argc, char **argv);

#endif
