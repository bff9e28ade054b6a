#include "services/cli/import_source.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include <google/protobuf/stubs/common.h>

#include "services/cli/arguments.hpp"

namespace parley::cli {

ImportSource::ImportSource(std::vector<std::string> files, v1::TransferForm form,
                           std::istream& standard_input)
    : files_(std::move(files)), form_(form), standard_input_(standard_input) {
  if (files_.empty()) files_.emplace_back("-");
}

Status ImportSource::open() {
  for (size_t i = 0; i < files_.size(); ++i) {
    sizes_.push_back(0);
    if (standard(i)) continue;
    std::error_code error;
    if (std::filesystem::is_directory(files_[i], error)) {
      return absl::InvalidArgumentError(
          absl::StrCat(files_[i], " is a directory; name the files in it"));
    }
    const std::ifstream probe(files_[i]);
    if (!probe) {
      return absl::NotFoundError(absl::StrCat(files_[i], ": ", std::strerror(errno)));
    }
    const auto size = std::filesystem::file_size(files_[i], error);
    if (!error) sizes_.back() = size;
  }
  return open_current();
}

Status ImportSource::open_current() {
  if (standard(place_.file)) return absl::OkStatus();
  current_ = std::ifstream(files_[place_.file], std::ios::binary);
  current_.seekg(static_cast<std::streamoff>(place_.offset));
  if (current_) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(files_[place_.file], ": ", std::strerror(errno)));
}

bool ImportSource::rewind(const InputPlace& place) {
  if (standard(place.file) || standard(place_.file)) return false;
  place_ = place;
  bytes_before_ =
      std::accumulate(sizes_.begin(), sizes_.begin() + static_cast<long>(place.file), uint64_t{0});
  return open_current().ok();
}

uint64_t ImportSource::bytes_total() const {
  for (size_t i = 0; i < files_.size(); ++i) {
    if (standard(i)) return 0;
  }
  return std::accumulate(sizes_.begin(), sizes_.end(), uint64_t{0});
}

std::string ImportSource::name_of(const InputPlace& place) const {
  return absl::StrCat(standard(place.file) ? "stdin" : files_[place.file], ":", place.line + 1);
}

Result<bool> ImportSource::next_line(std::string* line) {
  while (!std::getline(stream(), *line)) {
    if (stream().bad()) {
      return absl::UnavailableError(
          absl::StrCat(name_of(place_), ": cannot be read: ", std::strerror(errno)));
    }
    if (place_.file + 1 == files_.size()) return false;
    bytes_before_ += sizes_[place_.file];
    place_ = InputPlace{place_.file + 1, 0, 0};
    if (Status opened = open_current(); !opened.ok()) return opened;
  }
  return true;
}

Status ImportSource::fill_full(const std::string& line, ImportPiece* piece) const {
  if (Status parsed = parse_json(line, &piece->record); !parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_of(piece->place), " ", std::string(parsed.message())));
  }
  // Why: a file of the JSONL form is never one of the full form, though a record can hold its
  // lines.
  if (!piece->record.has_header() && !piece->record.has_messages()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_of(piece->place),
                     " is neither a header nor messages; leave --full away "
                     "for conversations of one line each"));
  }
  piece->begins = piece->record.has_header();
  return absl::OkStatus();
}

Result<std::optional<ImportPiece>> ImportSource::next() {
  std::string line;
  while (true) {
    const auto more = next_line(&line);
    if (!more.ok()) return more.status();
    if (!*more) return std::nullopt;
    ImportPiece piece;
    piece.place = place_;
    place_.offset += line.size() + 1;
    ++place_.line;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    if (form_ == v1::TRANSFER_FORM_FULL) {
      if (Status filled = fill_full(line, &piece); !filled.ok()) return filled;
    } else if (line.size() > k_line_bytes_max) {
      piece.unfit = "the line is longer than 4 MiB; use the full form";
    } else if (!google::protobuf::internal::IsStructurallyValidUTF8(line)) {
      // Sent as it is, it would end the stream for all lines behind it.
      piece.unfit = "the line is not valid UTF-8; convert it, with iconv for example";
    } else {
      piece.record.set_jsonl(std::move(line));
    }
    return piece;
  }
}

}  // namespace parley::cli
