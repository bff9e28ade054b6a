#pragma once

#include <cstdint>
#include <fstream>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "parley/v1/conversation.pb.h"

namespace parley::cli {

/// The API's limit for one conversation in the JSONL form.
inline constexpr size_t k_line_bytes_max = 4 << 20;

/// A place in the input, just before some line.
struct InputPlace {
  size_t file = 0;
  uint64_t offset = 0;
  /// Lines before it in that file.
  uint64_t line = 0;
};

/// Some line of the input, ready to be sent.
struct ImportPiece {
  InputPlace place;
  v1::TransferRecord record;
  /// A conversation begins with it.
  bool begins = true;
  /// Why the line is not to be sent; `record` is empty then.
  std::string unfit;
};

/// Reads conversations to import from files one after the other, a line at a time.
/// Owned by the verb; main thread. Not its job: to judge what a line of the JSONL form holds; the
/// server does.
class ImportSource {
 public:
  /// `files`: paths, or "-" for `standard_input`.
  ImportSource(std::vector<std::string> files, v1::TransferForm form, std::istream& standard_input);

  /// Checks that all files can be read, before anything is sent.
  Status open();
  /// The next piece; none at the end. An error names file and line.
  Result<std::optional<ImportPiece>> next();
  /// Goes back. False where the input cannot: it comes through a pipe.
  bool rewind(const InputPlace& place);

  [[nodiscard]] const InputPlace& place() const { return place_; }
  /// "chats.jsonl:17" for the line after `place`.
  [[nodiscard]] std::string name_of(const InputPlace& place) const;
  [[nodiscard]] uint64_t bytes_read() const { return bytes_before_ + place_.offset; }
  /// 0 where it cannot be known.
  [[nodiscard]] uint64_t bytes_total() const;

 private:
  [[nodiscard]] bool standard(size_t file) const { return files_[file] == "-"; }
  std::istream& stream() { return standard(place_.file) ? standard_input_ : current_; }
  Status open_current();
  Result<bool> next_line(std::string* line);
  Status fill_full(const std::string& line, ImportPiece* piece) const;

  std::vector<std::string> files_;
  v1::TransferForm form_;
  std::istream& standard_input_;
  std::vector<uint64_t> sizes_;
  InputPlace place_;
  uint64_t bytes_before_ = 0;
  std::ifstream current_;
};

}  // namespace parley::cli
