/* SPDX-License-Identifier: Apache-2.0 */
/* File paths as text. Touches no file. */
#ifndef KANAL_CONFIG_PATH_H
#define KANAL_CONFIG_PATH_H

/* Gives path as seen from folder: path itself when it is absolute or folder is NULL. */
char *path_below(const char *folder, const char *path);

/* Gives the folder of a file: "." when path has none. */
char *path_folder(const char *path);

#endif
