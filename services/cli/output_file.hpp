#pragma once

#include <cstdio>
#include <string>

#include "base/result.hpp"

namespace parley::cli {

/// A file that appears under its name only when it is whole: it is written beside it, and renamed
/// at the end. Owned by a verb; main thread. What was not committed is removed.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Status open();
  Status write(const std::string& text);
  /// Makes it durable and gives it its name, replacing what was there.
  Status commit();

 private:
  [[nodiscard]] Status failed(const std::string& what) const;

  std::string path_;
  std::string partial_;
  std::FILE* file_ = nullptr;
};

}  // namespace parley::cli
