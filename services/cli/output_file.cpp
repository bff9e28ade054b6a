#include "services/cli/output_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace parley::cli {

OutputFile::OutputFile(std::string path)
    : path_(std::move(path)), partial_(absl::StrCat(path_, ".partial-", getpid())) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  unlink(partial_.c_str());
}

Status OutputFile::failed(const std::string& what) const {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

Status OutputFile::open() {
  file_ = std::fopen(partial_.c_str(), "wxbe");
  return file_ == nullptr ? failed(partial_) : absl::OkStatus();
}

Status OutputFile::write(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) == text.size()) return absl::OkStatus();
  return failed(partial_);
}

Status OutputFile::commit() {
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) return failed(partial_);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) return failed(path_);
  std::fclose(file_);
  file_ = nullptr;
  auto directory = std::filesystem::path(path_).parent_path();
  if (directory.empty()) directory = ".";
  const int handle = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return failed(directory.string());
  const bool synced = fsync(handle) == 0;
  const Status status = synced ? absl::OkStatus() : failed(directory.string());
  close(handle);
  return status;
}

}  // namespace parley::cli
