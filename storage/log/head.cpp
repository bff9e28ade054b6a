#include "storage/log/head.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "base/hash.hpp"

namespace parley::log {
namespace {

constexpr uint64_t k_magic = 0x0044'4145'4859'4C50;  // "PLYHEAD"
constexpr size_t k_slot_distance = 512;

/// One of the two slots of the file, as it lies there.
struct Slot {
  uint64_t checksum = 0;  ///< XXH3 of what follows
  uint64_t magic = k_magic;
  uint64_t turn = 0;
  uint64_t frame = 0;
  uint64_t chain = 0;
  uint64_t segment = 0;

  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(this), sizeof *this};
  }
  [[nodiscard]] uint64_t right_checksum() const { return hash64(view().substr(sizeof checksum)); }
};

/// The slot written last, of those that are intact.
std::optional<Slot> newest_slot(int file) {
  std::optional<Slot> newest;
  for (const size_t offset : {size_t{0}, k_slot_distance}) {
    std::array<char, sizeof(Slot)> bytes{};
    if (::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      continue;
    }
    Slot slot;
    std::memcpy(&slot, bytes.data(), bytes.size());
    if (slot.magic != k_magic || slot.checksum != slot.right_checksum()) continue;
    if (!newest || slot.turn > newest->turn) newest = slot;
  }
  return newest;
}

std::string head_path(const std::string& directory) { return directory + "/HEAD"; }

}  // namespace

Head read_head(const std::string& directory) {
  const OpenFile file(::open(head_path(directory).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return {};
  const std::optional<Slot> slot = newest_slot(file.get());
  if (!slot) return {};
  return {{slot->frame, slot->chain}, slot->segment};
}

Result<HeadFile> HeadFile::open(const std::string& directory, Disk& disk) {
  std::string path = head_path(directory);
  OpenFile file(disk.open(path, O_RDWR | O_CREAT));
  if (!file.is_open()) return disk_error(errno, "open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is in use by another process; stop that one first"));
  }
  const std::optional<Slot> slot = newest_slot(file.get());
  return HeadFile(disk, std::move(file), std::move(path), slot ? slot->turn : 0);
}

Status HeadFile::write(const Head& head) {
  Slot slot;
  slot.turn = ++turn_;
  slot.frame = head.mark.frame;
  slot.chain = head.mark.chain;
  slot.segment = head.segment;
  slot.checksum = slot.right_checksum();
  return write_all(*disk_, file_.get(), path_, slot.view(), (turn_ % 2) * k_slot_distance);
}

}  // namespace parley::log
