#include "storage/rocks_env.hpp"

#include <chrono>
#include <string>
#include <sys/statvfs.h>
#include <thread>
#include <utility>

#include <rocksdb/file_system.h>

#include "base/log.hpp"

namespace parley {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

/// Beside the bytes themselves: for what others write between the look and the write.
constexpr uint64_t k_margin_bytes = 2U << 20;
constexpr auto k_look_again_after = std::chrono::milliseconds(50);

bool has_room(const std::string& directory, uint64_t bytes) {
  struct statvfs seen {};
  // A file system that cannot be asked is taken at its word when it is written to.
  if (::statvfs(directory.c_str(), &seen) != 0) return true;
  return uint64_t{seen.f_bavail} * seen.f_frsize >= bytes + k_margin_bytes;
}

class PatientFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  PatientFile(std::unique_ptr<FSWritableFile> file, const std::string& path)
      : FSWritableFileOwnerWrapper(std::move(file)), directory_(path.substr(0, path.rfind('/'))) {}

  using FSWritableFile::Append;
  using FSWritableFile::PositionedAppend;
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    wait_for_room(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    wait_for_room(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    wait_for_room(data.size());
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& verification,
                            IODebugContext* debug) override {
    wait_for_room(data.size());
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, verification, debug);
  }

 private:
  void wait_for_room(uint64_t bytes) const {
    if (has_room(directory_, bytes)) return;
    spdlog::error("no space is left in {}: the store waits until there is room", directory_);
    while (!has_room(directory_, bytes)) std::this_thread::sleep_for(k_look_again_after);
    spdlog::info("there is room in {} again", directory_);
  }

  const std::string directory_;
};

class PatientFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  PatientFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "parley.patient"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* debug) override {
    return wrapped(FileSystemWrapper::NewWritableFile(path, options, result, debug), path, result);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* result,
                              IODebugContext* debug) override {
    return wrapped(FileSystemWrapper::ReopenWritableFile(path, options, result, debug), path,
                   result);
  }

 private:
  static IOStatus wrapped(IOStatus status, const std::string& path,
                          std::unique_ptr<FSWritableFile>* result) {
    if (status.ok()) *result = std::make_unique<PatientFile>(std::move(*result), path);
    return status;
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_patient_env() {
  return rocksdb::NewCompositeEnv(std::make_shared<PatientFileSystem>());
}

}  // namespace parley
