/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A shared object that does nothing; its RUNPATH is what a test looks at. */
int rpath_of_this_file_matters(void);
int rpath_of_this_file_matters(void) {
    return 0;
}
