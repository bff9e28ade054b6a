/* Preloaded into a server: once the file PARLEY_FAIL_SYNC_TRIGGER exists, whatever would make bytes
   durable in a file whose path holds PARLEY_FAIL_SYNC_FOLDER fails with EIO and writes nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_ours(int file) {
  const char* trigger = getenv("PARLEY_FAIL_SYNC_TRIGGER");
  const char* folder = getenv("PARLEY_FAIL_SYNC_FOLDER");
  if (trigger == NULL || folder == NULL || access(trigger, F_OK) != 0) return 0;
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  return strstr(path, folder) != NULL;
}

static int fails(int file, int needs_dsync) {
  const int saved = errno;
  const int wanted = !needs_dsync || (fcntl(file, F_GETFL) & O_DSYNC) != 0;
  const int ours = wanted && is_ours(file);
  errno = ours ? EIO : saved;
  return ours;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int file) { return fails(file, 0) ? -1 : NEXT(fsync)(file); }
int fdatasync(int file) { return fails(file, 0) ? -1 : NEXT(fdatasync)(file); }

ssize_t write(int file, const void* bytes, size_t count) {
  return fails(file, 1) ? -1 : NEXT(write)(file, bytes, count);
}
ssize_t writev(int file, const struct iovec* parts, int count) {
  return fails(file, 1) ? -1 : NEXT(writev)(file, parts, count);
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  return fails(file, 1) ? -1 : NEXT(pwrite)(file, bytes, count, offset);
}
ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  return fails(file, 1) ? -1 : NEXT(pwrite64)(file, bytes, count, offset);
}
ssize_t pwritev(int file, const struct iovec* parts, int count, off_t offset) {
  return fails(file, 1) ? -1 : NEXT(pwritev)(file, parts, count, offset);
}
ssize_t pwritev64(int file, const struct iovec* parts, int count, off64_t offset) {
  return fails(file, 1) ? -1 : NEXT(pwritev64)(file, parts, count, offset);
}
ssize_t pwritev2(int file, const struct iovec* parts, int count, off_t offset, int flags) {
  return fails(file, 1) ? -1 : NEXT(pwritev2)(file, parts, count, offset, flags);
}
