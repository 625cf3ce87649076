/* SPDX-License-Identifier: Apache-2.0 */
/* The role `kanal core` and its command `kanal core user`; argv[0] is "core". */
#ifndef KANAL_GATEWAY_CORE_CORE_MAIN_H
#define KANAL_GATEWAY_CORE_CORE_MAIN_H

/* Serves until asked to end; returns the exit status. */
int core_main(int argc, char **argv);

#endif
