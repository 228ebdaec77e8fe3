/* Answers questions about HDF5 files with the C library, texts by its ordinary C string type:
   read < lines of "kind TAB file TAB path". */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(const char *kind, hid_t dataset) {
    hid_t space = H5Dget_space(dataset);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (strcmp(kind, "numbers") == 0) {
        double *values = malloc((size_t)count * sizeof *values);
        if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) return -1;
        for (hssize_t i = 0; i < count; i++) printf("%s%.17g", i == 0 ? "=" : " ", values[i]);
        free(values);
    } else {
        hid_t stored = H5Dget_type(dataset);
        hid_t type = H5Tcopy(H5T_C_S1);
        size_t size = H5Tget_size(stored);
        H5Tset_size(type, size);
        H5Tclose(stored);
        char *texts = calloc((size_t)count, size);
        if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0) return -1;
        for (hssize_t i = 0; i < count; i++) printf("%s%s", i == 0 ? "=" : "\t", texts + (size_t)i * size);
        free(texts);
        H5Tclose(type);
    }
    printf("\n");
    return 0;
}

int main(void) {
    char line[4096];
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    printf("HDF5 %u.%u.%u\n", major, minor, release);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *kind = strtok(line, "\t\n"), *file = strtok(NULL, "\t\n"), *path = strtok(NULL, "\t\n");
        hid_t opened = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
        hid_t dataset = opened < 0 ? -1 : H5Dopen2(opened, path, H5P_DEFAULT);
        if (dataset < 0 || answer(kind, dataset) < 0) printf("!%s of %s cannot be read\n", path, file);
        if (dataset >= 0) H5Dclose(dataset);
        if (opened >= 0) H5Fclose(opened);
    }
    return 0;
}
