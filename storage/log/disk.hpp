#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/result.hpp"

namespace parley::log {

/// The log's only door for writing to the operating system: plain calls with errno, so that a test
/// can fail or shorten each of them.
///
/// `Disk::real()` lives for ever; a test's outlives its lane. Any thread. Not its job: reading,
/// retrying.
class Disk {
 public:
  virtual ~Disk() = default;
  static Disk& real();

  virtual int open(const std::string& path, int flags);
  virtual ssize_t write(int file, const char* bytes, size_t count, uint64_t offset);
  virtual int sync(int file);  ///< fdatasync
  virtual int allocate(int file, uint64_t bytes);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int remove(const std::string& path);
  /// Makes created, renamed and removed names durable.
  virtual int sync_directory(const std::string& path);
};

/// A status for `errno`, which names the call, the file and what to do.
Status disk_error(int error, std::string_view call, std::string_view path);

/// Writes all of it, going on after a short write (at a multiple of `granule`) or EINTR. Not
/// durable yet unless the file is O_DSYNC.
Status write_all(Disk& disk, int file, std::string_view path, std::string_view bytes,
                 uint64_t offset, size_t granule = 1);

/// Memory that O_DIRECT accepts. It only grows.
class AlignedBuffer {
 public:
  /// At least `bytes`, with undefined content.
  char* reserve(size_t bytes);

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> memory_;
  size_t bytes_ = 0;
};

/// An open file, closed at the end of its scope.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int file) : file_(file) {}
  OpenFile(OpenFile&& other) noexcept : file_(other.release()) {}
  OpenFile& operator=(OpenFile&& other) noexcept;
  ~OpenFile() { reset(); }

  [[nodiscard]] int get() const { return file_; }
  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  void reset();

 private:
  int release();
  int file_ = -1;
};

}  // namespace parley::log
