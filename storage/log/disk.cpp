#include "storage/log/disk.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <system_error>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace parley::log {
namespace {

constexpr size_t k_alignment = 4096;

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free space on this file system";
    case EROFS:
    case EACCES:
    case EPERM:
      return "make the directory writable for this user";
    case ENOENT:
      return "check the data directory of the configuration";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files";
    default:
      return "check the disk and the kernel's log";
  }
}

}  // namespace

Disk& Disk::real() {
  static Disk disk;
  return disk;
}

int Disk::open(const std::string& path, int flags) {
  return ::open(path.c_str(), flags | O_CLOEXEC, 0600);
}

ssize_t Disk::write(int file, const char* bytes, size_t count, uint64_t offset) {
  return ::pwrite(file, bytes, count, static_cast<off_t>(offset));
}

int Disk::sync(int file) { return ::fdatasync(file); }

int Disk::allocate(int file, uint64_t bytes) {
  return ::fallocate(file, 0, 0, static_cast<off_t>(bytes));
}

int Disk::rename(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str());
}

int Disk::remove(const std::string& path) { return ::unlink(path.c_str()); }

int Disk::sync_directory(const std::string& path) {
  const OpenFile directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return -1;
  return ::fsync(directory.get());
}

Status disk_error(int error, std::string_view call, std::string_view path) {
  const std::string text =
      absl::StrCat(std::string(call), " of ", std::string(path), ": ",
                   std::generic_category().message(error), "; ", remedy(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(text);
    case EROFS:
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case ENOENT:
      return absl::NotFoundError(text);
    case EINVAL:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

Status write_all(Disk& disk, int file, std::string_view path, std::string_view bytes,
                 uint64_t offset, size_t granule) {
  while (!bytes.empty()) {
    const ssize_t written = disk.write(file, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return disk_error(errno, "write", path);
    const size_t whole = static_cast<size_t>(written) == bytes.size()
                             ? bytes.size()
                             : static_cast<size_t>(written) / granule * granule;
    // Why: a write that takes nothing would be tried for ever.
    if (whole == 0) return disk_error(EIO, "write", path);
    bytes.remove_prefix(whole);
    offset += whole;
  }
  return {};
}

char* AlignedBuffer::reserve(size_t bytes) {
  if (bytes > bytes_) {
    const size_t rounded = (bytes + k_alignment - 1) / k_alignment * k_alignment;
    memory_.reset();
    bytes_ = 0;
    memory_.reset(static_cast<char*>(std::aligned_alloc(k_alignment, rounded)));
    if (!memory_) throw std::bad_alloc();
    bytes_ = rounded;
  }
  return memory_.get();
}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  if (this != &other) {
    reset();
    file_ = other.release();
  }
  return *this;
}

void OpenFile::reset() {
  // Why: what matters was synced before, and an error of close says nothing about it.
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

int OpenFile::release() {
  const int file = file_;
  file_ = -1;
  return file;
}

}  // namespace parley::log
